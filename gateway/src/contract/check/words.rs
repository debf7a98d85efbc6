//! What the contract cannot say of the reference's checks: which it leaves out, and its own words.
//!
//! The contract states lengths and patterns of all texts; the reference looks at those of what is
//! created, and finds nothing for the others. Owned by [`check`](super): nobody else asks. No state,
//! no errors; each rule is from the reference's validators of version 8.9.

/// Lists of conditions on variables.
const VARIABLES: [&str; 3] = ["variables", "processInstanceVariables", "localVariables"];

/// Whether any text may stand in `field`, as far as length and pattern go.
pub(super) fn free(operation: &str, in_filter: bool, field: &str) -> bool {
    match field {
        "decisionEvaluationInstanceKey" | "after" | "before" => false,
        // Commands say themselves what is wrong with a tenant, depending on whether there are any.
        "tenantId" | "tenantIds" => operation != "createTenant",
        _ => in_filter,
    }
}

/// Whether any text may stand in the path of `operation`: what is only looked up need not be an id.
pub(super) fn free_in_path(operation: &str) -> bool {
    let checked = ["assign", "unassign"]
        .iter()
        .any(|verb| operation.starts_with(verb));
    !checked && !operation.ends_with("ClusterVariable")
}

/// The pattern of `field` as the reference prints it.
pub(super) fn pattern<'p>(field: &str, contract: &'p str) -> &'p str {
    match field {
        "tenantId" => r"^[\w\.-]{1,31}$",
        _ => contract,
    }
}

/// What is said where the required member `name` of `parent` is not there.
pub(super) fn absent(operation: &str, parent: &str, name: &str) -> String {
    match (operation, parent, name) {
        (_, "sort", "field") => "Sort field must not be null".into(),
        (_, parent, "name" | "value") if VARIABLES.contains(&parent) => {
            format!("Variable {name} must not be null")
        }
        ("correlateMessage", _, "name") => "No messageName provided".into(),
        ("updateJob", _, "changeset") => {
            "At least one of [retries, timeout, priority] is required".into()
        }
        (_, "mappingInstructions", _) => {
            "All [sourceElementId, targetElementId] are required".into()
        }
        (_, _, _) => format!("No {name} provided"),
    }
}
