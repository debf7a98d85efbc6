//! Ids and names of users, groups, roles and the like: what is wrong with them.
//!
//! One rule for what clients send and for what a configuration wants from the start; texts are
//! Camunda's (`IdentifierValidator` and its users), without final period. No state, no errors.

/// Longest id and longest name, characters.
const TEXT_CHARACTERS: usize = 256;
/// Longest id of a tenant.
const TENANT_CHARACTERS: usize = 31;
/// What ids are made of.
pub(crate) const ID_PATTERN: &str = "^[a-zA-Z0-9_~@.+-]+$";
/// What ids of tenants are made of.
pub(crate) const TENANT_PATTERN: &str = r"^[\w\.-]{1,31}$";

/// What is wrong with an id that is called `field`.
#[must_use]
pub fn id_violation(field: &str, id: &str) -> Option<String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_~@.+-".contains(c);
    let legal = id.chars().all(fits);
    name_violation(field, id).or_else(|| (!legal).then(|| illegal(field, ID_PATTERN)))
}

/// What is wrong with the id of a tenant.
#[must_use]
pub fn tenant_id_violation(id: &str) -> Option<String> {
    const FIELD: &str = "tenantId";
    let fits = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    if id.trim().is_empty() {
        Some(absent(FIELD))
    } else if id.chars().count() > TENANT_CHARACTERS {
        Some(too_long(FIELD, TENANT_CHARACTERS))
    } else if id != "<default>" && !id.chars().all(fits) {
        Some(illegal(FIELD, TENANT_PATTERN))
    } else {
        None
    }
}

/// What is wrong with a name that is called `field` and has to be there.
#[must_use]
pub fn name_violation(field: &str, name: &str) -> Option<String> {
    if name.trim().is_empty() {
        Some(absent(field))
    } else {
        length_violation(field, name)
    }
}

/// What is wrong with a text that is called `field` and need not be there.
pub(crate) fn length_violation(field: &str, text: &str) -> Option<String> {
    (text.chars().count() > TEXT_CHARACTERS).then(|| too_long(field, TEXT_CHARACTERS))
}

fn absent(field: &str) -> String {
    format!("No {field} provided")
}

/// What is said of a text with more than `limit` characters.
pub(crate) fn too_long(field: &str, limit: usize) -> String {
    format!("The provided {field} exceeds the limit of {limit} characters")
}

/// What is said of a text with characters outside of `pattern`.
pub(crate) fn illegal(field: &str, pattern: &str) -> String {
    format!(
        "The provided {field} contains illegal characters. It must match the pattern '{pattern}'"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_there_short_and_of_few_characters() {
        let violation = |id: &str| id_violation("ownerId", id);
        assert_eq!(violation("a.b-c_d~e@f+1"), None);
        assert_eq!(violation(" ").as_deref(), Some("No ownerId provided"));
        assert_eq!(
            violation(";;;;").as_deref(),
            Some(
                "The provided ownerId contains illegal characters. It must match the pattern \
                 '^[a-zA-Z0-9_~@.+-]+$'"
            )
        );
        assert_eq!(
            violation(&"x".repeat(257)).as_deref(),
            Some("The provided ownerId exceeds the limit of 256 characters")
        );
    }

    #[test]
    fn tenants_have_shorter_ids_of_fewer_characters() {
        for id in ["<default>", "a_b-c.9"] {
            assert_eq!(tenant_id_violation(id), None, "{id}");
        }
        for id in ["", "a@b", &"x".repeat(32)] {
            assert!(tenant_id_violation(id).is_some(), "{id}");
        }
    }
}
