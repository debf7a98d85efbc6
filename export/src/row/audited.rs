//! What of the operations becomes a row of the audit log: by who asks, category and entity.
//!
//! Users and programs are configured apart, as in the reference: users with everything, programs
//! with nothing unless it is said otherwise. A category that is not listed is not audited, an entity
//! that is excluded is not either. Callers without a name never are.

/// What of one kind of caller is audited.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AuditedBy {
    /// Bits of [`AuditedBy::CATEGORIES`].
    categories: u8,
    /// Bits of [`AuditedBy::ENTITIES`].
    excludes: u32,
}

/// Which of two lists names something that is not there.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AuditError {
    /// The list of categories.
    #[error("there is no such category of operations")]
    Category,
    /// The list of excluded entities.
    #[error("there is no such kind of entity")]
    Entity,
}

impl AuditedBy {
    /// Categories of operations.
    pub const CATEGORIES: &'static [&'static str] = &["ADMIN", "DEPLOYED_RESOURCES", "USER_TASKS"];
    /// Kinds of entities.
    pub const ENTITIES: &'static [&'static str] = &[
        "AUTHORIZATION",
        "BATCH",
        "CLIENT",
        "DECISION",
        "GROUP",
        "INCIDENT",
        "JOB",
        "MAPPING_RULE",
        "PROCESS_INSTANCE",
        "RESOURCE",
        "ROLE",
        "TENANT",
        "USER",
        "USER_TASK",
        "VARIABLE",
    ];
    /// Everything.
    pub const ALL: Self = Self {
        categories: u8::MAX,
        excludes: 0,
    };
    /// Nothing.
    pub const NOTHING: Self = Self {
        categories: 0,
        excludes: 0,
    };

    /// The operations of `categories`, but for those on `excludes`; names as REST has them, in any
    /// case.
    ///
    /// # Errors
    /// [`AuditError`] if a name is none of them.
    pub fn new(categories: &[&str], excludes: &[&str]) -> Result<Self, AuditError> {
        let place = |names: &[&str], wanted: &str| {
            names
                .iter()
                .position(|name| name.eq_ignore_ascii_case(wanted))
        };
        let mut by = Self::NOTHING;
        for category in categories {
            by.categories |= 1 << place(Self::CATEGORIES, category).ok_or(AuditError::Category)?;
        }
        if by.categories == (1 << Self::CATEGORIES.len()) - 1 {
            by.categories = Self::ALL.categories;
        }
        for entity in excludes {
            by.excludes |= 1 << place(Self::ENTITIES, entity).ok_or(AuditError::Entity)?;
        }
        Ok(by)
    }

    fn audits(self, category: &str, entity: &str) -> bool {
        let bit = |names: &[&str], wanted: &str| names.iter().position(|name| *name == wanted);
        bit(Self::CATEGORIES, category).is_some_and(|at| self.categories & (1 << at) != 0)
            && bit(Self::ENTITIES, entity).is_none_or(|at| self.excludes & (1 << at) == 0)
    }
}

/// What is audited.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Audit {
    /// Operations of users.
    pub user: AuditedBy,
    /// Operations of programs.
    pub client: AuditedBy,
}

impl Default for Audit {
    fn default() -> Self {
        Self {
            user: AuditedBy::ALL,
            client: AuditedBy::NOTHING,
        }
    }
}

impl Audit {
    /// Nothing.
    pub const NONE: Self = Self {
        user: AuditedBy::NOTHING,
        client: AuditedBy::NOTHING,
    };

    /// Whether an operation of a caller of this kind (`USER`, `CLIENT`) is.
    pub(super) fn audits(self, actor: &str, category: &str, entity: &str) -> bool {
        let by = if actor == "CLIENT" {
            self.client
        } else {
            self.user
        };
        by.audits(category, entity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn categories_let_in_and_entities_keep_out() {
        let by = AuditedBy::new(&["admin", "USER_TASKS"], &["role"]).unwrap();
        let audit = Audit {
            client: by,
            ..Audit::default()
        };
        assert!(audit.audits("CLIENT", "ADMIN", "USER"));
        assert!(!audit.audits("CLIENT", "ADMIN", "ROLE"));
        assert!(!audit.audits("CLIENT", "DEPLOYED_RESOURCES", "RESOURCE"));
        assert!(audit.audits("USER", "DEPLOYED_RESOURCES", "RESOURCE"));
        assert!(!Audit::NONE.audits("USER", "ADMIN", "ROLE"));
        assert_eq!(AuditedBy::new(&["ALL"], &[]), Err(AuditError::Category));
        assert_eq!(AuditedBy::new(&[], &["ALL"]), Err(AuditError::Entity));
        let all = AuditedBy::new(AuditedBy::CATEGORIES, &[]).unwrap();
        assert_eq!(all, AuditedBy::ALL);
    }
}
