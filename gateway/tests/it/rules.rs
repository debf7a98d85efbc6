//! What is wrong with requests, all of it at once: parameters, body, rules of single operations.
//!
//! Each row is a request and what has to be said about it, in the reference's order and words. No
//! refused request may reach the backend.

use ringflow_gateway::{Auth, Guards, Limits};

use crate::fake::{self, Fake, http, start, start_guarded};

const INVALID: &str = "INVALID_ARGUMENT";

/// Texts that come more than once below.
fn illegal(name: &str) -> String {
    format!(
        "The provided {name} contains illegal characters. It must match the pattern \
         '^[a-zA-Z0-9_~@.+-]+$'."
    )
}

fn too_long(name: &str) -> String {
    format!("The provided {name} exceeds the limit of 256 characters.")
}

fn long() -> String {
    "x".repeat(257)
}

async fn all_refused(running: &fake::Running, cases: &[(&str, String, String)]) {
    for (request, body, expected) in cases {
        let (method, path) = request.split_once(' ').unwrap();
        let answer = running.rest(method, path, body).await;
        let expected = (400, INVALID.to_owned(), expected.clone());
        assert_eq!(answer.problem(), expected, "{request} {body}");
    }
    assert!(
        running.fake.intents().is_empty(),
        "none of this is a command"
    );
}

#[tokio::test]
async fn commands_say_all_that_is_wrong_with_them() {
    let running = start(Fake::new(1, fake::echo)).await;
    let cases: Vec<(&str, String, String)> = [
        (
            "POST /jobs/activation",
            r#"{"type":" ","timeout":0,"maxJobsToActivate":1}"#,
            "No type provided. The value for timeout is '0' but must be greater than 0.",
        ),
        (
            "POST /jobs/activation",
            r#"{"type":"a","timeout":0,"maxJobsToActivate":0}"#,
            "The value for timeout is '0' but must be greater than 0. The value for \
             maxJobsToActivate is '0' but must be greater than 0.",
        ),
        (
            "PUT /element-instances/1/variables",
            r#"{"variables":{}}"#,
            "No variables provided.",
        ),
        (
            "POST /conditionals/evaluation",
            r#"{"variables":{}}"#,
            "No variables provided.",
        ),
        (
            "POST /process-instances/1/migration",
            r#"{"mappingInstructions":[]}"#,
            "No targetProcessDefinitionKey provided. No mappingInstructions provided.",
        ),
        (
            "POST /process-instances/migration",
            r#"{"filter":{"processInstanceKey":"1"},"migrationPlan":{"mappingInstructions":[],
                "targetProcessDefinitionKey":"2"}}"#,
            "No mappingInstructions provided.",
        ),
        (
            "POST /process-instances/modification",
            r#"{"filter":{},"moveInstructions":[]}"#,
            "At least one of filter criteria is required. No moveInstructions provided.",
        ),
        (
            "POST /process-instances/cancellation",
            r#"{"filter":{"state":null}}"#,
            "At least one of filter criteria is required.",
        ),
        (
            "POST /process-instances/incident-resolution",
            "",
            "No filter provided.",
        ),
        (
            "POST /process-instances/1/modification",
            r#"{"activateInstructions":[{"elementId":"a",
                "variableInstructions":[{"variables":{}}]}]}"#,
            "No variables provided.",
        ),
        (
            "POST /element-instances/ad-hoc-activities/1/activation",
            r#"{"elements":[{"elementId":" "},{"elementId":"a"},{}]}"#,
            "No elements[0].elementId provided. No elements[2].elementId provided.",
        ),
        (
            "POST /global-task-listeners",
            r#"{"id":"$x","type":"a b","eventTypes":[]}"#,
            "The provided id contains illegal characters. It must match the pattern \
             '^[a-zA-Z0-9_~@.+-]+$'. The provided type contains illegal characters. It must match \
             the pattern '^[a-zA-Z0-9_~@.+-]+$'. No eventTypes provided.",
        ),
        (
            "PUT /global-task-listeners/$x",
            r#"{"type":"a","eventTypes":[]}"#,
            "The provided id contains illegal characters. It must match the pattern \
             '^[a-zA-Z0-9_~@.+-]+$'. No eventTypes provided.",
        ),
        (
            "POST /documents/d/links?contentHash=h",
            r#"{"timeToLive":0}"#,
            "The value for timeToLive is '0' but must be greater than 0.",
        ),
        (
            "GET /system/usage-metrics?startTime=&endTime=2026-01-01T00:00:00Z",
            "",
            "The startTime and endTime must both be specified.",
        ),
        (
            "GET /system/usage-metrics?startTime=2026-01-01T00:00:00Z&endTime=2026-01-01T00:00:00Z",
            "",
            "The endTime must be after startTime.",
        ),
        (
            "GET /system/usage-metrics?startTime=a&endTime=b",
            "",
            "The provided startTime 'a' cannot be parsed as a date according to RFC 3339, section \
             5.6. The provided endTime 'b' cannot be parsed as a date according to RFC 3339, \
             section 5.6.",
        ),
    ]
    .iter()
    .map(|(request, body, expected)| (*request, (*body).to_owned(), (*expected).to_owned()))
    .collect();
    all_refused(&running, &cases).await;
    for method in ["GET", "DELETE"] {
        let answer = running.rest(method, "/global-task-listeners/$x", "").await;
        assert_eq!(answer.problem().2, illegal("id"), "{method}");
    }
    // Not looked at in the reference either.
    let answer = running
        .rest("POST", "/signals/broadcast", r#"{"signalName":""}"#)
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    // Without the period of the others.
    for body in ["{}", r#"{"expression":" ","tenantId":"a"}"#] {
        let answer = running.rest("POST", "/expression/evaluation", body).await;
        let expected = (400, INVALID.into(), "No expression provided".into());
        assert_eq!(answer.problem(), expected, "{body}");
    }
}

#[tokio::test]
async fn identity_says_all_that_is_wrong_with_names_and_ids() {
    let running = start(Fake::new(1, fake::echo)).await;
    let long = long();
    let cases = [
        (
            "PUT /tenants/a%20b/users/c%20d",
            String::new(),
            format!(
                "The provided tenantId contains illegal characters. It must match the pattern \
                 '^[\\w\\.-]{{1,31}}$'. {}",
                illegal("username")
            ),
        ),
        (
            "PUT /roles/a%20b/mapping-rules/c%20d",
            String::new(),
            format!("{} {}", illegal("roleId"), illegal("mappingRuleId")),
        ),
        (
            "POST /users",
            r#"{"password":" ","username":"a b","email":"a"}"#.into(),
            format!(
                "{} No password provided. The provided email 'a' is not valid.",
                illegal("username")
            ),
        ),
        (
            "PUT /users/a",
            format!(r#"{{"name":"{long}","email":"a@b@c.de"}}"#),
            format!(
                "{} The provided email 'a@b@c.de' is not valid.",
                too_long("name")
            ),
        ),
        (
            "POST /authorizations",
            r#"{"ownerId":"","ownerType":"USER","resourceType":"MESSAGE","resourceId":"a b",
                "permissionTypes":[]}"#
                .into(),
            format!(
                "No ownerId provided. No permissionTypes provided. {}",
                illegal("resourceId")
            ),
        ),
        (
            "POST /mapping-rules",
            format!(
                r#"{{"mappingRuleId":"a b","claimName":"{long}","claimValue":"{long}",
                    "name":" "}}"#
            ),
            format!(
                "{} {} No name provided. {}",
                too_long("claimName"),
                too_long("claimValue"),
                illegal("mappingRuleId")
            ),
        ),
        (
            "POST /groups",
            format!(r#"{{"groupId":"a b","name":"{long}"}}"#),
            format!("{} {}", illegal("groupId"), too_long("name")),
        ),
        (
            "POST /roles",
            String::new(),
            "No roleId provided. No name provided.".into(),
        ),
        (
            "PUT /tenants/a",
            format!(r#"{{"name":"{long}"}}"#),
            too_long("name"),
        ),
    ];
    all_refused(&running, &cases).await;
}

#[tokio::test]
async fn tenants_are_named_before_or_after_the_rest() {
    let prefix = "Expected to handle request";
    let guarded = Guards {
        tenancy: true,
        ..Guards::default()
    };
    let fake = Fake::new(1, fake::echo);
    let on = start_guarded(fake, Auth::Unprotected, guarded, Limits::default()).await;
    let long = "x".repeat(32);
    let illegal = "but tenant identifier contains illegal characters";
    let cases = [
        (
            "POST /jobs/activation",
            format!(
                r#"{{"type":"a","timeout":1,"maxJobsToActivate":1,"tenantIds":["a b","c","{long}"]}}"#
            ),
            format!(
                "{prefix} Activate Jobs with tenant identifier 'a b', {illegal}. {prefix} Activate \
                 Jobs with tenant identifier '{long}', but tenant identifier is longer than 31 \
                 characters."
            ),
        ),
        (
            "POST /jobs/activation",
            r#"{"type":"","timeout":1,"maxJobsToActivate":1,"tenantIds":["a b"]}"#.into(),
            "No type provided.".into(),
        ),
        (
            "POST /conditionals/evaluation",
            r#"{"tenantId":"a b"}"#.into(),
            format!("{prefix} Evaluate Conditional with tenant identifier 'a b', {illegal}."),
        ),
        (
            "POST /messages/publication",
            "{}".into(),
            format!(
                "{prefix} Publish Message with multi-tenancy enabled, but no tenant identifier was \
                 provided."
            ),
        ),
        (
            "POST /expression/evaluation",
            r#"{"expression":"=1","tenantId":"a b"}"#.into(),
            format!("{prefix} Expression Evaluation with tenant identifier 'a b', {illegal}."),
        ),
    ];
    all_refused(&on, &cases).await;
    let off = start(Fake::new(1, fake::echo)).await;
    let several = r#"{"type":"a","timeout":1,"maxJobsToActivate":1,"tenantIds":["a","b"]}"#;
    let disabled = "but multi-tenancy is disabled";
    let cases = [
        (
            "POST /jobs/activation",
            several.into(),
            format!("{prefix} Activate Jobs with tenant identifiers [a, b], {disabled}"),
        ),
        (
            "POST /signals/broadcast",
            r#"{"tenantId":"a"}"#.into(),
            format!("{prefix} Broadcast Signal with tenant identifier 'a', {disabled}"),
        ),
    ];
    all_refused(&off, &cases).await;
}

#[tokio::test]
async fn metadata_of_documents_may_be_left_out_but_not_be_blank() {
    let running = start(Fake::new(1, fake::echo)).await;
    let url = format!("http://{}/v2/documents", running.gateway.rest);
    let headers = [("content-type", "multipart/form-data; boundary=b")];
    let body = "--b\r\nContent-Disposition: form-data; name=\"metadata\"\r\n\r\n\
                {\"fileName\":\" \",\"contentType\":\"\"}\r\n\
                --b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n\
                x\r\n--b--\r\n";
    let answer = http("POST", &url, &headers, body.into()).await;
    let expected = "The file name must not be empty, if present. The content type must not be \
                    empty, if present.";
    assert_eq!(answer.problem(), (400, INVALID.into(), expected.into()));
}

#[tokio::test]
async fn every_answer_tells_browsers_what_not_to_do() {
    let running = start(Fake::new(1, fake::echo)).await;
    for (method, path, status) in [
        ("GET", "/v2/topology", 200),
        ("GET", "/v2/nowhere", 404),
        ("PUT", "/v2/topology", 405),
        ("GET", "/v2/process-instances/x", 400),
        ("GET", "/v3/api-docs", 200),
        ("GET", "/swagger-ui/index.html", 200),
    ] {
        let url = format!("http://{}{path}", running.gateway.rest);
        let answer = http(method, &url, &[], Vec::new()).await;
        assert_eq!(answer.status, status, "{path}");
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-xss-protection", "0"),
            (
                "cache-control",
                "no-cache, no-store, max-age=0, must-revalidate",
            ),
            ("pragma", "no-cache"),
            ("expires", "0"),
            ("x-frame-options", "SAMEORIGIN"),
            ("referrer-policy", "strict-origin-when-cross-origin"),
            ("cross-origin-opener-policy", "same-origin-allow-popups"),
            ("cross-origin-embedder-policy", "unsafe-none"),
            ("cross-origin-resource-policy", "same-site"),
        ] {
            assert_eq!(answer.headers[name], value, "{path} {name}");
            assert_eq!(
                answer.headers.get_all(name).iter().count(),
                1,
                "{path} {name}"
            );
        }
        // The page of the description has one of its own.
        let policy = answer.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'"), "{path} {policy}");
        assert_eq!(
            policy.contains("script-src"),
            path.contains("swagger"),
            "{path}"
        );
        // There is no encryption that could be insisted on.
        assert!(!answer.headers.contains_key("strict-transport-security"));
    }
}
