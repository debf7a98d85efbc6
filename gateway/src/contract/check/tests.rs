//! Refused and accepted requests, one line each.
//!
//! Every kind of refusal of the reference has at least one row: shape, unknown member, type, enum,
//! choice, discriminator, missing, null, blank, range, length, pattern, format, duplicates. A row
//! says the operation, the body, and the title and detail of the answer.

use serde_json::Value;

use super::{SchemaId, bad_tag, is_date_time};
use crate::contract::Contract;
use crate::problem::{Problem, Violations};

fn check(
    contract: &Contract,
    operation: &str,
    schema: SchemaId,
    value: &mut Value,
) -> Result<(), Problem> {
    let mut found = Violations::default();
    super::check(&contract.library, operation, schema, value, &mut found)?;
    found.end()
}

fn check_param(
    contract: &Contract,
    operation: &str,
    schema: SchemaId,
    name: &str,
    text: &str,
) -> Result<Value, Problem> {
    let (library, mut found) = (&contract.library, Violations::default());
    let value = super::check_param(library, operation, schema, (name, text), &mut found)?;
    found.end()?;
    Ok(value)
}

/// Status title, detail of `body` sent to `operation`; `None` = accepted.
fn outcome(contract: &Contract, operation: &str, body: &str) -> Option<(String, String)> {
    let operation = contract.operation(operation).unwrap();
    let mut value: Value = serde_json::from_str(body).unwrap();
    let schema = operation.body.as_ref().unwrap().schema;
    check(contract, &operation.id, schema, &mut value)
        .err()
        .map(|problem| (problem.row().title.to_owned(), problem.detail()))
}

const MALFORMED: &str = "Bad Request";
const INVALID: &str = "INVALID_ARGUMENT";

#[test]
fn refused_bodies() {
    let contract = Contract::load().unwrap();
    let long = "x".repeat(257);
    let cases: &[(&str, String, &str, String)] = &[
        // Wrong top level.
        (
            "createProcessInstance",
            "[]".into(),
            MALFORMED,
            "At least one of [processDefinitionId, processDefinitionKey] is required.".into(),
        ),
        (
            "searchProcessInstances",
            "[]".into(),
            MALFORMED,
            "Request property [] cannot be parsed".into(),
        ),
        (
            "activateJobs",
            "\"x\"".into(),
            MALFORMED,
            "Request property [] cannot be parsed".into(),
        ),
        // Choices.
        (
            "createProcessInstance",
            "{}".into(),
            MALFORMED,
            "At least one of [processDefinitionId, processDefinitionKey] is required.".into(),
        ),
        (
            "createProcessInstance",
            r#"{"processDefinitionId":"a","processDefinitionKey":"1"}"#.into(),
            MALFORMED,
            "Only one of [processDefinitionId, processDefinitionKey] is allowed.".into(),
        ),
        (
            "searchProcessInstances",
            r#"{"page":{"from":1,"after":"YQ=="}}"#.into(),
            MALFORMED,
            "Only one of [from, after, before] is allowed.".into(),
        ),
        (
            "searchProcessInstances",
            r#"{"page":{"after":"YQ==","from":1,"limit":5}}"#.into(),
            MALFORMED,
            "Request property [page.after] cannot be parsed".into(),
        ),
        (
            "searchProcessInstances",
            r#"{"page":{}}"#.into(),
            MALFORMED,
            "At least one of [from, after, before, limit] is required.".into(),
        ),
        (
            "completeJob",
            r#"{"result":{"type":"other"}}"#.into(),
            MALFORMED,
            "Cannot map value 'other' for type 'type'. Use any of the following values: \
          [userTask, adHocSubProcess]"
                .into(),
        ),
        // Unknown members, at the top and below.
        (
            "createProcessInstance",
            r#"{"processDefinitionId":"a","nope":1}"#.into(),
            MALFORMED,
            "Request property [nope] cannot be parsed".into(),
        ),
        (
            "searchProcessInstances",
            r#"{"filter":{"nope":1}}"#.into(),
            MALFORMED,
            "Request property [filter.nope] cannot be parsed".into(),
        ),
        (
            "searchProcessInstances",
            r#"{"filter":{"state":{"$near":1}}}"#.into(),
            MALFORMED,
            "Request property [filter.state.$near] cannot be parsed".into(),
        ),
        // Wrong types.
        (
            "createProcessInstance",
            r#"{"processDefinitionKey":2251799813685249}"#.into(),
            MALFORMED,
            "Request property [processDefinitionKey] cannot be parsed".into(),
        ),
        (
            "searchProcessInstances",
            r#"{"filter":{"$or":[{},{"nope":1}]}}"#.into(),
            MALFORMED,
            "Request property [filter.$or.null.nope] cannot be parsed".into(),
        ),
        (
            "createProcessInstance",
            r#"{"processDefinitionId":"a","variables":"x"}"#.into(),
            MALFORMED,
            "Request property [variables] cannot be parsed".into(),
        ),
        (
            "activateJobs",
            r#"{"type":"a","timeout":"1","maxJobsToActivate":1}"#.into(),
            MALFORMED,
            "Request property [timeout] cannot be parsed".into(),
        ),
        (
            "activateJobs",
            r#"{"type":"a","timeout":1.5,"maxJobsToActivate":1}"#.into(),
            MALFORMED,
            "Request property [timeout] cannot be parsed".into(),
        ),
        (
            "activateJobs",
            r#"{"type":"a","timeout":1,"maxJobsToActivate":3000000000}"#.into(),
            MALFORMED,
            "Failed to read request".into(),
        ),
        (
            "activateJobs",
            r#"{"type":"a","timeout":18446744073709551615,"maxJobsToActivate":1}"#.into(),
            MALFORMED,
            "Failed to read request".into(),
        ),
        (
            "createProcessInstance",
            r#"{"processDefinitionId":"a","awaitCompletion":"yes"}"#.into(),
            MALFORMED,
            "Request property [awaitCompletion] cannot be parsed".into(),
        ),
        (
            "createProcessInstance",
            r#"{"processDefinitionId":"a","fetchVariables":{}}"#.into(),
            MALFORMED,
            "Request property [fetchVariables] cannot be parsed".into(),
        ),
        // Enums.
        (
            "searchProcessInstances",
            r#"{"sort":[{"field":"nope"}]}"#.into(),
            MALFORMED,
            "Unexpected value 'nope' for enum field 'field'. Use any of the following values: \
          [processInstanceKey, processDefinitionId, processDefinitionName, \
          processDefinitionVersion, processDefinitionVersionTag, processDefinitionKey, \
          parentProcessInstanceKey, parentElementInstanceKey, startDate, endDate, \
          suspendedDate, state, hasIncident, tenantId, businessId]"
                .into(),
        ),
        (
            "searchProcessInstances",
            r#"{"filter":{"state":"GONE"}}"#.into(),
            MALFORMED,
            "Unexpected value 'GONE' for enum field 'state'. Use any of the following values: \
          [ACTIVE, COMPLETED, SUSPENDED, TERMINATED]"
                .into(),
        ),
        // Missing, null, blank.
        (
            "activateJobs",
            "{}".into(),
            INVALID,
            "No type provided. No timeout provided. No maxJobsToActivate provided.".into(),
        ),
        (
            "activateJobs",
            r#"{"type":null,"timeout":1,"maxJobsToActivate":1}"#.into(),
            INVALID,
            "No type provided.".into(),
        ),
        (
            "publishMessage",
            r#"{"name":" "}"#.into(),
            INVALID,
            "No name provided.".into(),
        ),
        (
            "throwJobError",
            "{}".into(),
            INVALID,
            "No errorCode provided.".into(),
        ),
        (
            "createElementInstanceVariables",
            "{}".into(),
            INVALID,
            "No variables provided.".into(),
        ),
        (
            "updateJob",
            "{}".into(),
            INVALID,
            "At least one of [retries, timeout, priority] is required.".into(),
        ),
        (
            "searchProcessInstances",
            r#"{"sort":[{}]}"#.into(),
            INVALID,
            "Sort field must not be null.".into(),
        ),
        (
            "searchProcessInstances",
            r#"{"filter":{"variables":[{}]}}"#.into(),
            INVALID,
            "Variable name must not be null. Variable value must not be null.".into(),
        ),
        (
            "correlateMessage",
            "{}".into(),
            INVALID,
            "No messageName provided.".into(),
        ),
        (
            "migrateProcessInstance",
            r#"{"targetProcessDefinitionKey":"1","mappingInstructions":[{}]}"#.into(),
            INVALID,
            "All [sourceElementId, targetElementId] are required.".into(),
        ),
        // Ranges, lengths, patterns, formats.
        (
            "searchProcessInstances",
            r#"{"page":{"limit":0}}"#.into(),
            INVALID,
            "The value for page.limit is '0' but must be within the [1,10000] range.".into(),
        ),
        (
            "searchProcessInstances",
            r#"{"page":{"limit":10001}}"#.into(),
            INVALID,
            "The value for page.limit is '10001' but must be within the [1,10000] range.".into(),
        ),
        (
            "searchProcessInstances",
            r#"{"page":{"from":-1}}"#.into(),
            INVALID,
            "The value for page.from is '-1' but must be a non-negative number.".into(),
        ),
        (
            "searchProcessInstances",
            r#"{"page":{"limit":-1}}"#.into(),
            INVALID,
            "The value for page.limit is '-1' but must be a non-negative number.".into(),
        ),
        (
            "searchProcessInstances",
            r#"{"page":{"after":"!"}}"#.into(),
            INVALID,
            "Cannot decode pagination cursor '!'".into(),
        ),
        (
            "cancelProcessInstance",
            r#"{"operationReference":0}"#.into(),
            INVALID,
            "The value for operationReference is '0' but must be > 0.".into(),
        ),
        (
            "updateUserTask",
            r#"{"changeset":{"priority":101}}"#.into(),
            INVALID,
            "The value for priority is '101' but must be within the [0,100] range.".into(),
        ),
        (
            "updateUserTask",
            r#"{"changeset":{"dueDate":"soon"}}"#.into(),
            INVALID,
            "The provided due date 'soon' cannot be parsed as a date according to RFC 3339, \
          section 5.6."
                .into(),
        ),
        (
            "searchProcessInstances",
            r#"{"filter":{"startDate":{"$gt":"soon"}}}"#.into(),
            INVALID,
            "The provided startDate 'soon' cannot be parsed as a date according to RFC 3339, section \
          5.6."
                .into(),
        ),
        (
            "searchProcessInstances",
            r#"{"filter":{"processInstanceKey":"abc"}}"#.into(),
            INVALID,
            "The provided processInstanceKey 'abc' is not a valid key. Expected a numeric value. \
          Did you pass an entity id instead of an entity key?."
                .into(),
        ),
        (
            "searchProcessInstances",
            r#"{"filter":{"processInstanceKey":{"$in":["1","99999999999999999999"]}}}"#.into(),
            INVALID,
            "The provided processInstanceKey '99999999999999999999' is not a valid key. Expected \
          a numeric value. Did you pass an entity id instead of an entity key?."
                .into(),
        ),
        (
            "createTenant",
            r#"{"tenantId":"a b","name":"n"}"#.into(),
            INVALID,
            r"The provided tenantId contains illegal characters. It must match the pattern '^[\w\.-]{1,31}$'."
                .into(),
        ),
        (
            "createProcessInstance",
            r#"{"processDefinitionId":"1 a"}"#.into(),
            INVALID,
            "The provided processDefinitionId contains illegal characters. It must match the \
          pattern '^[\\p{L}_][\\p{L}\\p{N}_\\-\\.]*$'."
                .replace("\\\\", "\\"),
        ),
        (
            "createProcessInstance",
            format!(r#"{{"processDefinitionId":"a","businessId":"{long}"}}"#),
            INVALID,
            "The provided businessId exceeds the limit of 256 characters.".into(),
        ),
        (
            "createProcessInstance",
            r#"{"processDefinitionId":"a","tags":["1"]}"#.into(),
            INVALID,
            bad_tag("1"),
        ),
        (
            "createProcessInstance",
            r#"{"processDefinitionId":"a","tags":["a","a"]}"#.into(),
            INVALID,
            "The value for tags contains \"a\" more than once but must be free of duplicates."
                .into(),
        ),
        (
            "createProcessInstance",
            r#"{"processDefinitionId":"a","tags":["a","b","c","d","e","f","g","h","i","j","k"]}"#
                .into(),
            INVALID,
            "The provided number of tags '11' is not supported. Ensure to not add more than 10 \
          tags."
                .into(),
        ),
    ];
    for (operation, body, title, detail) in cases {
        let found = outcome(&contract, operation, body);
        assert_eq!(
            found,
            Some(((*title).to_owned(), detail.clone())),
            "{operation} {body}"
        );
    }
}

#[test]
fn accepted_bodies() {
    let contract = Contract::load().unwrap();
    let cases = [
        (
            "createProcessInstance",
            r#"{"processDefinitionId":"\u00e4b-c.d_1"}"#,
        ),
        // Any text may be searched for, and commands look at tenants themselves.
        (
            "searchProcessInstances",
            r#"{"filter":{"processDefinitionId":"1 a","tenantId":"'; DROP TABLE x"}}"#,
        ),
        (
            "publishMessage",
            r#"{"name":"a","tenantId":"not a tenant"}"#,
        ),
        (
            "searchProcessInstances",
            r#"{"filter":{"startDate":"2025-01-01T10:00+01:00"}}"#,
        ),
        (
            "createProcessInstance",
            r#"{"processDefinitionKey":"1","variables":{"x":[1]}}"#,
        ),
        (
            "createProcessInstance",
            r#"{"processDefinitionId":"a","processDefinitionKey":null,"tenantId":"<default>"}"#,
        ),
        ("searchProcessInstances", "{}"),
        ("searchProcessInstances", r#"{"page":{"limit":1}}"#),
        (
            "searchProcessInstances",
            r#"{"page":{"from":0,"limit":20000}}"#,
        ),
        (
            "searchProcessInstances",
            r#"{"filter":{"state":{"$in":["active"]},"$or":[{"hasIncident":true}]}}"#,
        ),
        (
            "completeJob",
            r#"{"variables":null,"result":{"denied":true}}"#,
        ),
        (
            "updateUserTask",
            r#"{"changeset":{"dueDate":"","other":1}}"#,
        ),
        ("failJob", "{}"),
        (
            "updateJob",
            r#"{"changeset":{"retries":1},"operationReference":0}"#,
        ),
        // Cluster variables are any JSON.
        ("createGlobalClusterVariable", r#"{"name":"a","value":1}"#),
        ("updateGlobalClusterVariable", r#"{"value":["a",true]}"#),
    ];
    for (operation, body) in cases {
        assert_eq!(
            outcome(&contract, operation, body),
            None,
            "{operation} {body}"
        );
    }
}

#[test]
fn enums_and_keys_become_canonical() {
    let contract = Contract::load().unwrap();
    let operation = contract.operation("searchProcessInstances").unwrap();
    let mut value = serde_json::json!({
        "sort": [{"field": "STARTDATE", "order": "desc"}],
        "filter": {"state": "active", "processInstanceKey": "5"},
    });
    let schema = operation.body.as_ref().unwrap().schema;
    check(&contract, &operation.id, schema, &mut value).unwrap();
    assert_eq!(
        value,
        serde_json::json!({
            "sort": [{"field": "startDate", "order": "DESC"}],
            "filter": {"state": "ACTIVE", "processInstanceKey": "5"},
        })
    );
}

#[test]
fn parameters_are_converted_or_named() {
    let contract = Contract::load().unwrap();
    let get = contract.operation("getProcessInstance").unwrap();
    let refused = check_param(
        &contract,
        "getProcessInstance",
        get.params[0].schema,
        "processInstanceKey",
        "abc",
    );
    assert_eq!(
        refused.unwrap_err().detail(),
        "Failed to convert 'processInstanceKey' with value: 'abc'"
    );
    let search = contract.operation("searchVariables").unwrap();
    let schema = search.params[0].schema;
    let check = |text| check_param(&contract, "searchVariables", schema, "truncateValues", text);
    assert!(check("maybe").is_err());
    assert_eq!(check("false").unwrap(), Value::Bool(false));
}

/// What a text in the path of an operation comes to.
fn in_path(operation: &str, name: &str, text: &str) -> Result<Value, String> {
    let contract = Contract::load().unwrap();
    let known = contract.operation(operation).unwrap();
    let param = known.params.iter().find(|param| param.name == name);
    let schema = param.unwrap().schema;
    check_param(&contract, operation, schema, name, text).map_err(|it| it.detail())
}

#[test]
fn ids_in_paths_have_the_characters_of_ids_and_fit_where_something_is_assigned() {
    let illegal = "The provided username contains illegal characters. It must match the pattern \
                   '^[a-zA-Z0-9_~@.+-]+$'.";
    for operation in ["assignRoleToUser", "getUser", "deleteUser"] {
        let refused = in_path(operation, "username", "a b").unwrap_err();
        assert_eq!(refused, illegal, "{operation}");
    }
    // What is too long is not found, unless it is to be stored.
    let long = "x".repeat(300);
    assert!(in_path("getUser", "username", &long).is_ok());
    assert!(in_path("assignRoleToUser", "username", &long).is_err());
    let key = "decisionEvaluationInstanceKey";
    assert!(in_path("getDecisionInstance", key, "12-1").is_ok());
    let refused = in_path("getDecisionInstance", key, "+++").unwrap_err();
    assert!(
        refused.starts_with(
            "The provided decisionEvaluationInstanceKey '+++' is not a valid decision evaluation \
             instance key."
        ),
        "{refused}"
    );
    assert!(in_path("getAuditLog", "auditLogKey", "no number").is_ok());
}

#[test]
fn what_no_search_gave_out_is_no_cursor() {
    let contract = Contract::load().unwrap();
    let refused = |cursor: &str| {
        let body = format!(r#"{{"page":{{"after":"{cursor}"}}}}"#);
        outcome(&contract, "searchProcessInstances", &body)
    };
    assert_eq!(refused("WzEsMl0="), None, "a list of values");
    for cursor in ["e30=", "YWJj", "no Base64"] {
        let detail = format!("Cannot decode pagination cursor '{cursor}'");
        assert_eq!(refused(cursor), Some((INVALID.into(), detail)));
    }
}

#[test]
fn scalars_are_names_where_a_name_is_wanted() {
    let contract = Contract::load().unwrap();
    let refused = outcome(&contract, "searchJobs", r#"{"sort":[{"field":123}]}"#);
    let (title, detail) = refused.unwrap();
    assert_eq!(title, MALFORMED);
    assert!(
        detail.starts_with("Unexpected value '123' for enum field 'field'."),
        "{detail}"
    );
}

#[test]
fn dates_are_those_of_the_reference() {
    for (text, fits) in [
        ("2025-01-01T10:00:00Z", true),
        ("2025-01-01T10:00Z", true),
        ("2025-01-01t10:00:00.123456789z", true),
        ("2025-01-01T10:00:00+01:00", true),
        ("2025-01-01T10:00:00-01:30", true),
        ("2025-01-01 10:00:00Z", false),
        ("2025-01-01T10:00:00", false),
        ("2025-01-01T10:00:00+0100", false),
        ("2025-01-01T10:00:00+01", false),
        ("2025-01-01T10:00:00Z[UTC]", false),
        ("2025-02-30T10:00:00Z", false),
        ("2025-01-01", false),
        ("", false),
    ] {
        assert_eq!(is_date_time(text), fits, "{text}");
    }
}
