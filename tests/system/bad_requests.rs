//! REST requests that must be refused: bodies, members, keys, searches, files, paths and methods.
//!
//! A row is a request, the status of its answer and a part of its detail. The words are Camunda's
//! where it has them, because clients match some of them.

use serde_json::json;

use crate::bad_input::{CREATE, Case, DEPLOY, case, check, nested, still_serves};
use crate::bad_models::named_deployment;
use crate::broker::{Place, Start};
use crate::models::task;

/// Largest JSON body and largest upload that the gateway takes.
const JSON_BYTES_MAX: usize = 4 << 20;
const UPLOAD_BYTES_MAX: usize = 16 << 20;
const SEARCH: (&str, &str) = ("POST", "/v2/process-instances/search");
const ACTIVATE: (&str, &str) = ("POST", "/v2/jobs/activation");
const PUBLISH: (&str, &str) = ("POST", "/v2/messages/publication");

#[test]
fn requests_that_do_not_fit_are_refused() {
    let bad = |text| (400, text);
    let absent = |text| (404, text);
    let (rejected, unreadable) = ("Command '", "Failed to read request");
    let cases = [
        case("no body", CREATE, "", bad("body is missing")),
        case("null", CREATE, "null", bad("body is missing")),
        case("no JSON", CREATE, "{", bad(unreadable)),
        case("text behind it", CREATE, "{} {}", bad(unreadable)),
        case(
            "bytes of no text",
            CREATE,
            b"{\"a\":\"\xff\"}",
            bad(unreadable),
        ),
        case(
            "half a character",
            CREATE,
            r#"{"processDefinitionId":"\ud800"}"#,
            bad(unreadable),
        ),
        case(
            "too large a number",
            CREATE,
            r#"{"variables":{"a":1e999}}"#,
            bad(unreadable),
        ),
        case(
            "another type",
            CREATE,
            "[]",
            bad("At least one of [processDefinitionId, processDefinitionKey] is required."),
        ),
        case(
            "200 levels",
            CREATE,
            nested("[", "", "]", 200),
            bad(unreadable),
        ),
        case(
            "a million levels",
            CREATE,
            nested("[", "", "]", 1_000_000),
            bad(unreadable),
        ),
        case(
            "200 levels of variables",
            CREATE,
            format!(
                r#"{{"processDefinitionId":"work","variables":{{"a":{}}}}}"#,
                nested("[", "", "]", 200)
            ),
            bad(unreadable),
        ),
        case(
            "an unknown member",
            CREATE,
            r#"{"processDefinitionId":"work","nonsense":1}"#,
            bad("nonsense"),
        ),
        case(
            "an id that is none",
            CREATE,
            r#"{"processDefinitionId":5}"#,
            bad("processDefinitionId"),
        ),
        case(
            "neither id nor key",
            CREATE,
            "{}",
            bad("At least one of [processDefinitionId, processDefinitionKey] is required."),
        ),
        case(
            "id and key",
            CREATE,
            r#"{"processDefinitionId":"work","processDefinitionKey":"1"}"#,
            bad("Only one of [processDefinitionId, processDefinitionKey] is allowed."),
        ),
        case(
            "a key of letters",
            CREATE,
            r#"{"processDefinitionKey":"abc"}"#,
            bad("'abc' is not a valid key"),
        ),
        case(
            "a key too large",
            CREATE,
            r#"{"processDefinitionKey":"99999999999999999999"}"#,
            bad("'99999999999999999999' is not a valid key"),
        ),
        case(
            "variables: text",
            CREATE,
            r#"{"processDefinitionId":"work","variables":"x"}"#,
            bad("variables"),
        ),
        case(
            "variables: list",
            CREATE,
            r#"{"processDefinitionId":"work","variables":[1]}"#,
            bad("variables"),
        ),
        case(
            "an unknown process",
            CREATE,
            r#"{"processDefinitionId":"nobody"}"#,
            absent("process ID 'nobody', but none found"),
        ),
        case(
            "an unknown version",
            CREATE,
            r#"{"processDefinitionId":"work","processDefinitionVersion":7}"#,
            absent("and version '7', but none found"),
        ),
        case(
            "an unknown key",
            CREATE,
            r#"{"processDefinitionKey":"2251799813999999"}"#,
            absent("2251799813999999"),
        ),
        case(
            "another tenant",
            CREATE,
            r#"{"processDefinitionId":"work","tenantId":"other"}"#,
            bad("multi-tenancy is disabled"),
        ),
        case(
            "an unknown start",
            CREATE,
            r#"{"processDefinitionId":"work","startInstructions":[{"elementId":"nowhere"}]}"#,
            bad("no element found with id 'nowhere'"),
        ),
        case(
            "cancel nothing",
            (
                "POST",
                "/v2/process-instances/2251799813999999/cancellation",
            ),
            "{}",
            absent(rejected),
        ),
        case(
            "complete nothing",
            ("POST", "/v2/jobs/2251799813999999/completion"),
            "{}",
            absent(rejected),
        ),
        case(
            "complete letters",
            ("POST", "/v2/jobs/abc/completion"),
            "{}",
            bad("jobKey"),
        ),
        case(
            "complete elsewhere",
            ("POST", "/v2/jobs/225179981399999999/completion"),
            "{}",
            (503, "could not be delivered"),
        ),
        case(
            "complete a negative",
            ("POST", "/v2/jobs/-5/completion"),
            "{}",
            (404, "with key '-5', but no such job was found"),
        ),
        case(
            "fail nothing",
            ("POST", "/v2/jobs/2251799813999999/failure"),
            "{}",
            absent(rejected),
        ),
        case(
            "fail with text",
            ("POST", "/v2/jobs/2251799813999999/failure"),
            r#"{"retries":"x"}"#,
            bad("retries"),
        ),
        case(
            "an error without code",
            ("POST", "/v2/jobs/2251799813999999/error"),
            "{}",
            bad("No errorCode provided."),
        ),
        case(
            "an update of nothing",
            ("PATCH", "/v2/jobs/2251799813999999"),
            r#"{"changeset":{}}"#,
            bad("At least one of [retries, timeout, priority]"),
        ),
        case(
            "activate without type",
            ACTIVATE,
            r#"{"timeout":1,"maxJobsToActivate":1}"#,
            bad("No type provided."),
        ),
        case(
            "activate none",
            ACTIVATE,
            r#"{"type":"t","timeout":1,"maxJobsToActivate":0}"#,
            // With the value of the time-out, as the reference has it.
            bad("maxJobsToActivate is '1' but must be greater than 0"),
        ),
        case(
            "activate for no time",
            ACTIVATE,
            r#"{"type":"t","timeout":-1,"maxJobsToActivate":1}"#,
            bad("timeout"),
        ),
        case(
            "activate 2^40",
            ACTIVATE,
            r#"{"type":"t","timeout":1,"maxJobsToActivate":1099511627776}"#,
            bad(unreadable),
        ),
        case(
            "a message without name",
            PUBLISH,
            r#"{"correlationKey":"k"}"#,
            bad("No name provided."),
        ),
        case(
            "a message twice",
            PUBLISH,
            r#"{"name":"n","correlationKey":"k","messageId":"once","timeToLive":60000}"#,
            (409, "once"),
        ),
        case(
            "correlate with nobody",
            ("POST", "/v2/messages/correlation"),
            r#"{"name":"n","correlationKey":"k"}"#,
            absent("name 'n' and correlation key 'k', but none was found"),
        ),
        case(
            "a signal without name",
            ("POST", "/v2/signals/broadcast"),
            "{}",
            bad("No signalName provided."),
        ),
        case(
            "resolve nothing",
            ("POST", "/v2/incidents/2251799813999999/resolution"),
            "",
            absent(rejected),
        ),
        case(
            "variables of nothing",
            ("PUT", "/v2/element-instances/2251799813999999/variables"),
            r#"{"variables":{"a":1}}"#,
            absent(rejected),
        ),
        case(
            "no variables",
            ("PUT", "/v2/element-instances/2251799813999999/variables"),
            "{}",
            bad("No variables provided."),
        ),
        case(
            "a task of nobody",
            ("POST", "/v2/user-tasks/2251799813999999/completion"),
            "{}",
            absent(rejected),
        ),
        case(
            "an assignee of none",
            ("POST", "/v2/user-tasks/2251799813999999/assignment"),
            r#"{"assignee":5}"#,
            bad("assignee"),
        ),
        case(
            "an unknown state",
            SEARCH,
            r#"{"filter":{"state":"SLEEPING"}}"#,
            bad("SLEEPING"),
        ),
        case(
            "an unknown filter",
            SEARCH,
            r#"{"filter":{"nonsense":1}}"#,
            bad("[filter.nonsense] cannot be parsed"),
        ),
        case(
            "an unknown operator",
            SEARCH,
            r#"{"filter":{"processInstanceKey":{"$near":"1"}}}"#,
            bad("$near"),
        ),
        case(
            "a date of no day",
            SEARCH,
            r#"{"filter":{"startDate":"yesterday"}}"#,
            bad("startDate"),
        ),
        case(
            "an unknown sort",
            SEARCH,
            r#"{"sort":[{"field":"nonsense"}]}"#,
            bad("nonsense"),
        ),
        case(
            "an unknown order",
            SEARCH,
            r#"{"sort":[{"field":"state","order":"UP"}]}"#,
            bad("UP"),
        ),
        case(
            "a cursor nobody gave",
            SEARCH,
            r#"{"page":{"after":"bm9ib2R5"}}"#,
            bad("Cannot decode pagination cursor 'bm9ib2R5'"),
        ),
        case(
            "a cursor of no form",
            SEARCH,
            r#"{"page":{"after":"%%%"}}"#,
            bad("%%%"),
        ),
        case(
            "two pages",
            SEARCH,
            r#"{"page":{"after":"a","before":"b"}}"#,
            bad("Only one of [from, after, before]"),
        ),
        case(
            "no items",
            SEARCH,
            r#"{"page":{"limit":-1}}"#,
            bad("page.limit is '-1' but must be a non-negative number"),
        ),
        case(
            "too many items",
            SEARCH,
            r#"{"page":{"limit":10001}}"#,
            bad("'10001' but must be within"),
        ),
        case(
            "items: text",
            SEARCH,
            r#"{"page":{"limit":"many"}}"#,
            bad("limit"),
        ),
        case(
            "a negative start",
            SEARCH,
            r#"{"page":{"from":-1}}"#,
            bad("from"),
        ),
        case(
            "or within or, 30 times",
            SEARCH,
            format!(
                r#"{{"filter":{}}}"#,
                nested(r#"{"$or":["#, r#"{"state":"ACTIVE"}"#, "]}", 30)
            ),
            bad("$or"),
        ),
        case(
            "5,000 values",
            SEARCH,
            format!(
                r#"{{"filter":{{"processInstanceKey":{{"$in":[{}"1"]}}}}}}"#,
                "\"1\",".repeat(5000)
            ),
            bad("more than 1000 values"),
        ),
        case(
            "get letters",
            ("GET", "/v2/process-instances/abc"),
            "",
            bad("processInstanceKey"),
        ),
        case(
            "get nothing",
            ("GET", "/v2/process-instances/2251799813999999"),
            "",
            absent("2251799813999999"),
        ),
        case(
            "get broken escapes",
            ("GET", "/v2/process-instances/%zz"),
            "",
            bad("'%zz'"),
        ),
        case(
            "XML of nothing",
            ("GET", "/v2/process-definitions/2251799813999999/xml"),
            "",
            absent("2251799813999999"),
        ),
        case(
            "another method",
            ("DELETE", "/v2/topology"),
            "",
            (405, "DELETE"),
        ),
        case(
            "no such path",
            ("GET", "/v2/nonsense"),
            "",
            absent("v2/nonsense"),
        ),
        case("outside", ("GET", "/../../etc/passwd"), "", absent("")),
        case(
            "not there yet",
            ("POST", "/v2/secrets/list"),
            "{}",
            (501, "listSecrets"),
        ),
        case(
            "delete nothing",
            ("POST", "/v2/resources/2251799813999999/deletion"),
            "{}",
            absent(rejected),
        ),
        Case {
            kind: "text/plain".to_owned(),
            ..case("text", CREATE, "{}", (415, "text/plain"))
        },
        Case {
            kind: "application/xml".to_owned(),
            ..case("XML", SEARCH, "<a/>", (415, "application/xml"))
        },
        case("JSON as files", DEPLOY, "{}", (415, "application/json")),
        Case {
            kind: "multipart/form-data".to_owned(),
            ..case(
                "no boundary",
                DEPLOY,
                "--x",
                bad("Failed to parse multipart"),
            )
        },
        Case {
            kind: "multipart/form-data; boundary=x".to_owned(),
            ..case(
                "files cut short",
                DEPLOY,
                "--x\r\nContent-Disposition: form-data; name=\"a\"",
                bad("multipart"),
            )
        },
        Case {
            kind: "multipart/form-data; boundary=x".to_owned(),
            ..case("no file", DEPLOY, "--x--\r\n", bad("resources"))
        },
        case(
            "a body too large",
            CREATE,
            vec![b' '; JSON_BYTES_MAX + 1],
            (413, "4194304"),
        ),
        named_deployment(
            "files too large",
            "a.bpmn",
            " ".repeat(UPLOAD_BYTES_MAX + 1),
            (413, "16777216"),
        ),
        named_deployment(
            "files larger than a record",
            "a.bpmn",
            " ".repeat(9 << 20),
            (500, "EXCEEDED_BATCH_RECORD_SIZE"),
        ),
        named_deployment(
            "a file that is wrong and nearly a record",
            "a.bpmn",
            " ".repeat(4_100_000),
            bad("a.bpmn"),
        ),
    ];
    assert!(cases.len() >= 60, "{}", cases.len());
    let place = Place::new();
    let broker = place.start(&Start::default());
    let mut client = broker.client();
    assert_eq!(client.deploy("a.bpmn", &task("work")).unwrap().status, 200);
    let once =
        json!({ "name": "n", "correlationKey": "k", "messageId": "once", "timeToLive": 60_000 });
    client.post(PUBLISH.1, &once);
    check(&mut client, &cases);
    still_serves(&place, broker);
}
