//! What the contract cannot say of the reference's checks: which it leaves out, and its own words.
//!
//! The contract states lengths and patterns of all texts; the reference looks at those of what is
//! created, and finds nothing for the others; some that the contract leaves free it looks at. Owned by [`check`](super): nobody else asks. No state,
//! no errors; each rule is from the reference's validators of version 8.9.

use super::Step;
use super::address::is_address;
use crate::identity::names;

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
    if assigns
        || ["ClusterVariable", "GlobalTaskListener"]
            .iter()
            .any(|it| operation.ends_with(it))
    {
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

/// Whether a list or an object that is there may not be empty.
pub(super) fn needs_content(operation: &str, field: &str) -> bool {
    match field {
        "variables" => matches!(
            operation,
            "createElementInstanceVariables" | "evaluateConditionals" | "modifyProcessInstance"
        ),
        "mappingInstructions" => true,
        "moveInstructions" => operation == "modifyProcessInstancesBatchOperation",
        "elements" => operation == "activateAdHocSubProcessActivities",
        "eventTypes" => matches!(
            operation,
            "createGlobalTaskListener" | "updateGlobalTaskListener"
        ),
        "permissionTypes" => matches!(operation, "createAuthorization" | "updateAuthorization"),
        _ => false,
    }
}

/// Whether `field` of the body says what a batch operation is about, and so has to say something.
pub(super) fn is_condition(operation: &str, field: &str) -> bool {
    operation.ends_with("BatchOperation") && field == "filter"
}

/// Whether the texts that `operation` requires may be blank.
pub(super) fn may_be_blank(operation: &str) -> bool {
    operation == "broadcastSignal"
}

/// What is wrong with a text that the contract leaves free.
pub(super) fn broken(operation: &str, field: &str, text: &str) -> Option<String> {
    match (operation, field) {
        ("createAuthorization" | "updateAuthorization", "resourceId") if text == "*" => None,
        (
            "createAuthorization" | "updateAuthorization",
            "ownerId" | "resourceId" | "resourcePropertyName",
        )
        | ("createGlobalTaskListener" | "updateGlobalTaskListener", "type")
        | ("createGroup", "groupId") => names::id_violation(field, text),
        ("createUser" | "createAdminUser" | "updateUser", "email")
            if !text.trim().is_empty() && !is_address(text) =>
        {
            Some(format!("The provided email '{text}' is not valid"))
        }
        ("createUser" | "createAdminUser" | "updateUser", "name" | "email")
        | ("createMappingRule" | "updateMappingRule", "claimName" | "claimValue" | "name")
        | (
            "createGroup" | "updateGroup" | "createRole" | "updateRole" | "createTenant"
            | "updateTenant",
            "name",
        ) => names::length_violation(field, text),
        ("createDocument", "fileName") if text.trim().is_empty() => {
            Some("The file name must not be empty, if present".into())
        }
        ("createDocument", "contentType") if text.trim().is_empty() => {
            Some("The content type must not be empty, if present".into())
        }
        (_, _) => None,
    }
}

/// What is said of a text in `field` with characters outside of the contract's `pattern`.
pub(super) fn illegal(field: &str, pattern: &str) -> String {
    names::illegal(field, self::pattern(field, pattern))
}

/// Whether rules of `operation` name what they are about by its whole path, not by its last name.
pub(super) fn names_paths(operation: &str) -> bool {
    matches!(
        operation,
        "createAgentInstance"
            | "updateAgentInstance"
            | "createAgentInstanceHistoryItem"
            | "activateAdHocSubProcessActivities"
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
fn pattern<'p>(field: &str, contract: &'p str) -> &'p str {
    match (field, contract) {
        ("tenantId", _) => names::TENANT_PATTERN,
        (_, r"^[a-zA-Z0-9_~@.+\-]+$") => names::ID_PATTERN,
        (_, _) => contract,
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
