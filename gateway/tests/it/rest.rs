//! What only HTTP has: routes, media types, bodies, files, limits, answers of operations.
//!
//! Refusals are rows: request, status, title, detail. No refused request may reach the backend.

use ringflow_core::ids::Key;
use ringflow_core::record::Text;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::{DeploymentRecord, MessageCorrelationRecord, ProcessMetadata};
use ringflow_gateway::{Auth, Limits};
use serde_json::json;

use crate::fake::{self, Fake, accepted, http, start, start_with};

fn problem(status: u16, title: &str, detail: &str) -> (u16, String, String) {
    (status, title.to_owned(), detail.to_owned())
}

#[tokio::test]
async fn the_http_layer_refuses_in_the_words_of_the_reference() {
    let running = start(Fake::new(1, fake::echo)).await;
    let base = format!("http://{}/v2", running.gateway.rest);
    let json_type = [("content-type", "application/json")];
    let xml_type = [("content-type", "application/xml")];
    let accept_xml = [
        ("content-type", "application/json"),
        ("accept", "application/xml"),
    ];
    let bad = |detail: &str| problem(400, "Bad Request", detail);
    type Case<'c> = (
        &'c str,
        &'c str,
        &'c [(&'c str, &'c str)],
        &'c str,
        (u16, String, String),
    );
    let cases: &[Case<'_>] = &[
        (
            "POST",
            "/process-instances",
            &json_type,
            "",
            bad("Required request body is missing"),
        ),
        (
            "POST",
            "/process-instances",
            &json_type,
            "null",
            bad("Required request body is missing"),
        ),
        (
            "POST",
            "/process-instances",
            &json_type,
            "{\"a\":",
            bad("Failed to read request"),
        ),
        (
            "POST",
            "/process-instances",
            &json_type,
            "[]",
            bad("At least one of [processDefinitionId, processDefinitionKey] is required."),
        ),
        (
            "POST",
            "/process-instances",
            &json_type,
            "{\"processDefinitionId\":\"a\",\"x\":1}",
            bad("Request property [x] cannot be parsed"),
        ),
        (
            "POST",
            "/process-instances",
            &xml_type,
            "<a/>",
            problem(
                415,
                "Unsupported Media Type",
                "Content-Type 'application/xml' is not supported.",
            ),
        ),
        (
            "POST",
            "/process-instances",
            &accept_xml,
            "{}",
            problem(
                406,
                "Not Acceptable",
                "Acceptable representations: [application/json, application/problem+json].",
            ),
        ),
        (
            "POST",
            "/deployments",
            &json_type,
            "{}",
            problem(
                415,
                "Unsupported Media Type",
                "Content-Type 'application/json' is not supported.",
            ),
        ),
        (
            "PUT",
            "/process-instances",
            &json_type,
            "{}",
            problem(405, "Method Not Allowed", "Method 'PUT' is not supported."),
        ),
        (
            "GET",
            "/nowhere",
            &[],
            "",
            problem(404, "Not Found", "No static resource v2/nowhere."),
        ),
        (
            "GET",
            "/process-instances/abc",
            &[],
            "",
            bad("Failed to convert 'processInstanceKey' with value: 'abc'"),
        ),
        (
            "POST",
            "/variables/search?truncateValues=maybe",
            &json_type,
            "{}",
            bad("Failed to convert 'truncateValues' with value: 'maybe'"),
        ),
        (
            "GET",
            "/system/usage-metrics",
            &[],
            "",
            bad("Required parameter 'startTime' is not present."),
        ),
        (
            "PATCH",
            "/jobs/1",
            &json_type,
            "{\"changeset\":{}}",
            problem(
                400,
                "INVALID_ARGUMENT",
                "At least one of [retries, timeout, priority] is required.",
            ),
        ),
        (
            "PATCH",
            "/user-tasks/1",
            &json_type,
            "{}",
            problem(
                400,
                "INVALID_ARGUMENT",
                "No update data provided. Provide at least an \"action\" or a non-null value for \
                  a supported attribute in the \"changeset\".",
            ),
        ),
        (
            "POST",
            "/user-tasks/1/assignment",
            &json_type,
            "{}",
            problem(400, "INVALID_ARGUMENT", "No assignee provided"),
        ),
        (
            "POST",
            "/element-instances/ad-hoc-activities/2251799813685249/activation",
            &json_type,
            "{\"elements\":[]}",
            problem(400, "INVALID_ARGUMENT", "No elements provided."),
        ),
        (
            "POST",
            "/element-instances/ad-hoc-activities/missing/activation",
            &json_type,
            "{\"elements\":[]}",
            problem(400, "INVALID_ARGUMENT", "No elements provided."),
        ),
        (
            "POST",
            "/element-instances/ad-hoc-activities/missing/activation",
            &json_type,
            "{\"elements\":[{\"elementId\":\"a\"}]}",
            problem(400, "Bad Request", "For input string: \"missing\""),
        ),
        (
            "POST",
            "/batch-operation-items/search",
            &json_type,
            "{\"filter\":{\"itemKey\":{\"$in\":[\"1\",\"meow\"]}}}",
            problem(400, "Bad Request", "For input string: \"meow\""),
        ),
        (
            "POST",
            "/secrets/list",
            &json_type,
            "{}",
            problem(
                501,
                "Not Implemented",
                "The operation listSecrets (POST /v2/secrets/list) is not implemented yet.",
            ),
        ),
        (
            "POST",
            "/messages/publication",
            &json_type,
            "{\"name\":\"a\",\"tenantId\":\"other\"}",
            problem(
                400,
                "INVALID_ARGUMENT",
                "Expected to handle request Publish Message with tenant identifier 'other', but \
                  multi-tenancy is disabled",
            ),
        ),
        (
            "POST",
            "/incidents/15762598695796737/resolution",
            &[],
            "",
            problem(
                503,
                "UNAVAILABLE",
                "Expected to handle request, but request could not be delivered",
            ),
        ),
    ];
    for (method, path, headers, body, expected) in cases {
        let answer = http(
            method,
            &format!("{base}{path}"),
            headers,
            body.as_bytes().into(),
        )
        .await;
        assert_eq!(answer.problem(), *expected, "{method} {path} {body}");
    }
    assert!(
        running.fake.intents().is_empty(),
        "nothing of this is a command"
    );
}

#[tokio::test]
async fn every_operation_of_the_contract_has_a_route() {
    let running = start(Fake::new(1, fake::echo)).await;
    let mut seen = 0;
    for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/contract")).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let file: serde_json::Value = serde_json::from_str(&text).unwrap();
        for operation in file["operations"].as_array().unwrap() {
            let path = operation["path"].as_str().unwrap();
            let root = operation.get("fromRoot").is_some();
            let path: Vec<&str> = path
                .split('/')
                .map(|segment| {
                    if segment.starts_with('{') {
                        "1"
                    } else {
                        segment
                    }
                })
                .collect();
            let prefix = if root { "" } else { "/v2" };
            let url = format!("http://{}{prefix}{}", running.gateway.rest, path.join("/"));
            let answer = http(operation["method"].as_str().unwrap(), &url, &[], Vec::new()).await;
            assert!(
                ![404, 405].contains(&answer.status)
                    || [
                        "with key",
                        "with id",
                        "with name",
                        "with listenerId",
                        "with username"
                    ]
                    .iter()
                    .any(|text| answer.text.contains(text)),
                "{} {url}: {answer:?}",
                operation["id"]
            );
            assert_ne!(answer.status, 500, "{} {url}: {answer:?}", operation["id"]);
            seen += 1;
        }
    }
    assert_eq!(seen, 225);
}

#[tokio::test]
async fn deployments_take_any_part_with_a_file_name() {
    let script = |_, _: &_| {
        accepted(
            Key(2_251_799_813_685_249),
            of::Deployment::Created,
            DeploymentRecord {
                processes_metadata: vec![ProcessMetadata {
                    bpmn_process_id: Text::from("p"),
                    version: 3,
                    process_definition_key: Key(2_251_799_813_685_250),
                    resource_name: Text::from("a.bpmn"),
                    ..ProcessMetadata::default()
                }],
                ..DeploymentRecord::default()
            },
        )
    };
    let running = start(Fake::new(3, script)).await;
    let url = format!("http://{}/v2/deployments", running.gateway.rest);
    let headers = [("content-type", "multipart/form-data; boundary=b")];
    let body = "--b\r\nContent-Disposition: form-data; name=\"tenantId\"\r\n\r\n<default>\r\n\
                --b\r\nContent-Disposition: form-data; name=\"other\"\r\n\r\nx\r\n\
                --b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.bpmn\"\r\n\r\n\
                <x/>\r\n--b--\r\n";
    let answer = http("POST", &url, &headers, body.into()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(
        answer.json(),
        json!({
            "deploymentKey": "2251799813685249",
            "tenantId": "<default>",
            "deployments": [{
                "processDefinition": {
                    "processDefinitionId": "p",
                    "processDefinitionVersion": 3,
                    "resourceName": "a.bpmn",
                    "tenantId": "<default>",
                    "processDefinitionKey": "2251799813685250",
                },
                "decisionDefinition": null,
                "decisionRequirements": null,
                "form": null,
                "resource": null,
            }],
        })
    );
    let empty = "--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\ny\r\n--b--\r\n";
    let answer = http("POST", &url, &headers, empty.into()).await;
    assert_eq!(
        answer.problem().2,
        "Required part 'resources' is not present."
    );
}

#[tokio::test]
async fn answers_have_every_required_member() {
    let running = start(Fake::new(1, fake::echo)).await;
    let created = running
        .post("/process-instances", json!({"processDefinitionId": "p"}))
        .await
        .json();
    assert_eq!(
        created,
        json!({
            "processDefinitionId": "p", "processDefinitionVersion": -1, "tenantId": "<default>",
            "variables": {}, "processDefinitionKey": "-1", "processInstanceKey": "-1", "tags": [],
            "businessId": null,
        })
    );
    let topology = running.rest("GET", "/topology", "").await.json();
    assert_eq!(topology["brokers"][0]["partitions"][0]["role"], "leader");
    assert_eq!(topology["brokers"][0]["brokerId"], "0");
    assert_eq!(topology["lastCompletedChangeId"], "-1");
    assert!(topology.get("nano").is_none());
    assert_eq!(running.rest("GET", "/status", "").await.status, 204);
    let license = running.rest("GET", "/license", "").await.json();
    assert_eq!(license["validLicense"], false);
    let me = running.rest("GET", "/authentication/me", "").await.json();
    assert_eq!(me["authorizedComponents"], json!(["*"]));
    *running.fake.role.lock().unwrap() = ringflow_io::Role::Follower;
    let status = running.rest("GET", "/status", "").await;
    assert_eq!((status.status, status.text.as_str()), (503, ""));
}

#[tokio::test]
async fn a_correlation_answers_what_it_reached() {
    let script = |_, _: &_| {
        accepted(
            Key(1),
            of::MessageCorrelation::Correlated,
            MessageCorrelationRecord {
                message_key: Key(5),
                process_instance_key: Key(6),
                ..MessageCorrelationRecord::default()
            },
        )
    };
    let running = start(Fake::new(1, script)).await;
    let body = json!({"name": "n", "correlationKey": "k"});
    let answer = running.post("/messages/correlation", body).await;
    assert_eq!(
        answer.json(),
        json!({"tenantId": "<default>", "messageKey": "5", "processInstanceKey": "6"})
    );
}

#[tokio::test]
async fn user_task_operations_are_the_engines_commands() {
    use ringflow_core::record::Value;

    let running = start(Fake::new(1, fake::echo)).await;
    let key = 2_251_799_813_685_249_i64;
    let task = || {
        let command = running.fake.last();
        let Value::UserTask(task) = command.value else {
            panic!("{command:?}");
        };
        task
    };
    let path = format!("/user-tasks/{key}/assignment");
    running.post(&path, json!({"assignee": "a"})).await;
    assert_eq!(running.fake.last().intent, of::UserTask::Assign.into());
    assert_eq!(
        (task().assignee.as_str(), task().action.as_str()),
        ("a", "assign")
    );
    running
        .post(&path, json!({"assignee": "a", "allowOverride": false}))
        .await;
    assert_eq!(running.fake.last().intent, of::UserTask::Claim.into());
    running
        .rest("DELETE", &format!("/user-tasks/{key}/assignee"), "")
        .await;
    assert_eq!(
        (task().assignee.as_str(), task().action.as_str()),
        ("", "unassign")
    );
    running
        .rest("POST", &format!("/user-tasks/{key}/completion"), "")
        .await;
    assert_eq!(running.fake.last().intent, of::UserTask::Complete.into());
    let changes = json!({"changeset": {"candidateUsers": [], "priority": 3, "dueDate": null}});
    let answer = running
        .rest("PATCH", &format!("/user-tasks/{key}"), &changes.to_string())
        .await;
    assert_eq!(answer.status, 204, "{answer:?}");
    assert_eq!(task().priority, 3);
    let changed = ["candidateUsersList", "priority"].map(Text::from);
    assert_eq!(task().changed_attributes, changed);
    assert_eq!(running.fake.last().key, Key(key));
}

#[tokio::test]
async fn bodies_over_the_limit_and_slow_ones_are_refused() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let limits = Limits {
        message_bytes: 1024,
        slow_client: std::time::Duration::from_millis(200),
        ..Limits::default()
    };
    let running = start_with(Fake::new(1, fake::echo), Auth::Unprotected, limits).await;
    let body = json!({"processDefinitionId": "p", "variables": {"a": "x".repeat(2000)}});
    let answer = running.post("/process-instances", body).await;
    assert_eq!(answer.problem().0, 413);

    // Nested deeper than the parser follows.
    let deep = format!("{{\"name\":{}{}}}", "[".repeat(200), "]".repeat(200));
    let answer = running.rest("POST", "/messages/publication", &deep).await;
    assert_eq!(answer.problem().2, "Failed to read request");

    let mut socket = tokio::net::TcpStream::connect(running.gateway.rest)
        .await
        .unwrap();
    let head = "POST /v2/process-instances HTTP/1.1\r\nhost: a\r\n\
                content-type: application/json\r\ncontent-length: 100\r\n\r\n{";
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    socket.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 408");
}

#[tokio::test]
async fn more_requests_than_allowed_are_refused_at_once() {
    let limits = Limits {
        concurrent_requests: 0,
        ..Limits::default()
    };
    let running = start_with(Fake::new(1, fake::echo), Auth::Unprotected, limits).await;
    let answer = running.rest("GET", "/topology", "").await;
    let (status, title, _) = answer.problem();
    assert_eq!((status, title.as_str()), (503, "RESOURCE_EXHAUSTED"));
}

#[tokio::test]
async fn a_stop_finishes_what_is_in_work_and_cuts_what_does_not_end() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let limits = Limits {
        drain: std::time::Duration::from_millis(300),
        ..Limits::default()
    };
    let running = start_with(Fake::new(1, fake::echo), Auth::Unprotected, limits).await;
    let mut finishes = tokio::net::TcpStream::connect(running.gateway.rest)
        .await
        .unwrap();
    let mut hangs = tokio::net::TcpStream::connect(running.gateway.rest)
        .await
        .unwrap();
    let body = "{\"processDefinitionId\":\"p\"}";
    let head = format!(
        "POST /v2/process-instances HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    finishes.write_all(head.as_bytes()).await.unwrap();
    hangs.write_all(head.as_bytes()).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    let stopping = tokio::spawn(running.gateway.stop());
    finishes.write_all(body.as_bytes()).await.unwrap();
    let mut answer = String::new();
    finishes.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    stopping.await.unwrap();
    let mut rest = Vec::new();
    // Closed or reset: either way nothing more comes.
    let _ = hangs.read_to_end(&mut rest).await;
    assert!(rest.is_empty(), "{rest:?}");
}
