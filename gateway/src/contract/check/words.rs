//! What the contract cannot say of the reference's checks: which it leaves out, and its own words.
//!
//! The contract states lengths and patterns of all texts; the reference looks at those of what is
//! created, and finds nothing for the others. Owned by [`check`](super): nobody else asks. No state,
//! no errors; each rule is from the reference's validators of version 8.9.

use super::Step;

/// Lists of conditions on variables.
const VARIABLES: [&str; 3] = ["variables", "processInstanceVariables", "localVariables"];

/// Whether any text may stand in `field`, as far as length and pattern go.
pub(super) fn free(operation: &str, in_filter: bool, field: &str) -> bool {
    match field {
        "decisionEvaluationInstanceKey" => operation == "deleteDecisionInstancesBatchOperation",
        "after" | "before" => false,
        // Commands say themselves what is wrong with a tenant, depending on whether there are any.
        "tenantId" | "tenantIds" => operation != "createTenant",
        _ => in_filter,
    }
}

/// What is looked at in a text of a path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum PathRule {
    /// Nothing.
    Free,
    /// Characters that no id has; its length is not, what is too long is not found.
    Characters,
    /// All that the contract says.
    All,
}

/// What is looked at in `field` of the path of `operation`.
pub(super) fn path_rule(operation: &str, field: &str) -> PathRule {
    let assigns = ["assign", "unassign"]
        .iter()
        .any(|verb| operation.starts_with(verb));
    if assigns || operation.ends_with("ClusterVariable") {
        return PathRule::All;
    }
    match field {
        "tenantId" | "username" | "groupId" | "roleId" | "mappingRuleId" | "clientId" => {
            PathRule::Characters
        }
        _ => PathRule::Free,
    }
}

/// Whether a key in the path of `operation` is a text there, which may be none at all.
pub(super) fn is_key_text(operation: &str) -> bool {
    ["getAuditLog", "activateAdHocSubProcessActivities"].contains(&operation)
}

/// Whether a filter looks for numbers by the texts of `field`.
pub(super) fn is_number_text(operation: &str, field: &str) -> bool {
    operation == "searchBatchOperationItems" && field == "itemKey"
}

/// Whether dates among the parameters of `operation` are texts there, checked with all others.
pub(super) fn is_date_text(operation: &str) -> bool {
    operation == "getUsageMetrics"
}

/// Whether any number may stand in `field` of the body of `operation`.
pub(super) fn is_free_number(operation: &str, field: &str) -> bool {
    operation == "updateJob" && field == "operationReference"
}

/// Whether an id of some kind may have the character.
pub(super) fn is_of_id(character: char) -> bool {
    character.is_ascii_alphanumeric() || "_~@.+-<>".contains(character)
}

/// Whether rules of `operation` name what they are about by its whole path, not by its last name.
pub(super) fn names_paths(operation: &str) -> bool {
    matches!(
        operation,
        "createAgentInstance" | "updateAgentInstance" | "createAgentInstanceHistoryItem"
    )
}

/// The way to a member: names with dots between them, numbers of items in brackets.
pub(super) fn path(steps: &[Step]) -> String {
    let mut path = String::new();
    for step in steps {
        match step {
            Step::Member(name) => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(name);
            }
            Step::Item(at) => path.push_str(&format!("[{at}]")),
        }
    }
    path
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
