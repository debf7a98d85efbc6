//! Bad input of every kind: what a case is, how cases are checked, and what no table holds.
//!
//! Tables, not code: a row is a request and its refusal, with its exact status and a part of what is
//! said about it. All mismatches are reported together. What counts most is checked behind every
//! table: the broker still serves, and nothing panicked. Here are also bytes that are no HTTP,
//! expressions that only fail at work, and wrong passwords.

use std::time::Duration;

use serde_json::{Value, json};

use crate::bad_models::{condition, looped, mapping, timer};
use crate::broker::{Broker, Place, Start, until};
use crate::client::{Client, JSON};
use crate::models::task;

const VISIBLE: Duration = Duration::from_secs(20);

/// A request, the status of its answer and a part of the answer's detail.
pub(crate) struct Case {
    pub(crate) about: &'static str,
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) kind: String,
    pub(crate) body: Vec<u8>,
    pub(crate) status: u16,
    pub(crate) says: &'static str,
}

pub(crate) fn case(
    about: &'static str,
    (method, path): (&'static str, &'static str),
    body: impl Into<Vec<u8>>,
    (status, says): (u16, &'static str),
) -> Case {
    Case {
        about,
        method,
        path,
        kind: JSON.1.to_owned(),
        body: body.into(),
        status,
        says,
    }
}

pub(crate) const DEPLOY: (&str, &str) = ("POST", "/v2/deployments");
pub(crate) const CREATE: (&str, &str) = ("POST", "/v2/process-instances");
const ACTIVATE: (&str, &str) = ("POST", "/v2/jobs/activation");

/// Sends every case and reports all that were answered otherwise.
pub(crate) fn check(client: &mut Client, cases: &[Case]) {
    let mut wrong = Vec::new();
    for case in cases {
        let headers = [("Content-Type", case.kind.as_str())];
        let answer = client.send(case.method, case.path, &headers, &case.body);
        let about = case.about;
        match answer {
            Err(error) => wrong.push(format!("{about}: {error}")),
            Ok(answer) => {
                let detail = answer.json()["detail"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned();
                let said = case.says.is_empty() || detail.contains(case.says);
                if answer.status != case.status || !said {
                    wrong.push(format!(
                        "{about}: {} {detail:.300} instead of {} {}",
                        answer.status, case.status, case.says
                    ));
                }
                let typed = answer.header("content-type") == Some("application/problem+json");
                if answer.status >= 400 && !typed {
                    wrong.push(format!("{about}: not a problem document: {answer:?}"));
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
    eprintln!("bad input: {} cases", cases.len());
}

/// The broker is UP, runs a process to its end, ends with 0 and never panicked.
pub(crate) fn still_serves(place: &Place, broker: Broker) {
    assert_eq!(
        broker.probe().get("/actuator/health").json()["status"],
        "UP"
    );
    let mut client = broker.client();
    let deployed = client.deploy("a.bpmn", &task("still")).unwrap();
    assert_eq!(deployed.status, 200, "{deployed:?}");
    let created = client.post(CREATE.1, &json!({ "processDefinitionId": "still" }));
    let body = json!({ "type": "still", "timeout": 60_000, "maxJobsToActivate": 1 });
    let jobs = client.post(ACTIVATE.1, &body);
    let job = jobs["jobs"][0]["jobKey"].as_str().expect("a job");
    client.post(&format!("/v2/jobs/{job}/completion"), &json!({}));
    let path = format!(
        "{}/{}",
        CREATE.1,
        created["processInstanceKey"].as_str().unwrap()
    );
    until("the process is completed", VISIBLE, || {
        (client.get(&path).json()["state"] == "COMPLETED").then_some(())
    });
    assert_eq!(broker.stop().code(), Some(0), "{}", place.said());
    place.assert_no_panic();
}

pub(crate) fn nested(open: &str, inner: &str, close: &str, depth: usize) -> String {
    open.repeat(depth) + inner + &close.repeat(depth)
}

#[test]
fn bytes_that_are_no_http_harm_nobody() {
    let place = Place::new();
    let broker = place.start(&Start::default());
    let head = "POST /v2/process-instances HTTP/1.1\r\nHost: h\r\n\
                Content-Type: application/json\r\n";
    let long = format!(
        "GET /v2/topology HTTP/1.1\r\nHost: h\r\nX: {}\r\n\r\n",
        "x".repeat(1 << 20)
    );
    // An answer of one of these, or a closed connection.
    let cases: [(&str, Vec<u8>, &[u16]); 9] = [
        (
            "a body cut short",
            format!("{head}Content-Length: 100\r\n\r\n{{").into(),
            &[400],
        ),
        (
            "a chunk cut short",
            format!("{head}Transfer-Encoding: chunked\r\n\r\n5\r\n{{").into(),
            &[400],
        ),
        (
            "a chunk of no size",
            format!("{head}Transfer-Encoding: chunked\r\n\r\nzz\r\n").into(),
            &[400],
        ),
        (
            "a length of letters",
            format!("{head}Content-Length: many\r\n\r\n").into(),
            &[400],
        ),
        (
            "two lengths",
            format!("{head}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab").into(),
            &[400],
        ),
        ("headers too long", long.into(), &[431]),
        ("no request", b"\x00\x01\x02\x03\r\n\r\n".to_vec(), &[400]),
        (
            "another protocol",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
            &[400],
        ),
        ("nothing", Vec::new(), &[]),
    ];
    for (about, bytes, statuses) in &cases {
        match Client::new(broker.rest).raw(bytes, true) {
            Ok(answer) => assert!(statuses.contains(&answer.status), "{about}: {answer:?}"),
            Err(error) => assert!(
                !matches!(
                    error.kind(),
                    std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                ),
                "{about}: {error}"
            ),
        }
        // The gRPC and the management port read the same bytes; what they answer is their own.
        for address in [broker.grpc, broker.management] {
            let _ = Client::new(address).raw(bytes, true);
        }
    }
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let frames: [&[u8]; 4] = [
        b"\xff\xff\xff\x00\x00\x00\x00\x00\x01",
        b"\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x04\x01\x00\x00\x00\x01\x80\xff\xff\xff",
        b"\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x08\x06\x00\x00\x00\x00\x00",
        b"",
    ];
    for frame in frames {
        let _ = Client::new(broker.grpc).raw(&[preface, frame].concat(), true);
    }
    still_serves(&place, broker);
}

#[test]
fn expressions_that_fail_at_work_become_incidents() {
    let place = Place::new();
    let broker = place.start(&Start::default());
    let mut client = broker.client();
    let deep = json!({ "x": nested("[", "1", "]", 100) });
    for (about, model, variables, says) in [
        (
            "a condition of text",
            condition("=x"),
            json!({ "x": "yes" }),
            "EXTRACT_VALUE_ERROR",
        ),
        (
            "an input of nothing",
            mapping("input", "=assert(x, x &gt; 5)"),
            json!({ "x": 1 }),
            "IO_MAPPING_ERROR",
        ),
        (
            "a timer of text",
            timer("<bpmn:timeDuration>=x</bpmn:timeDuration>"),
            json!({ "x": "soon" }),
            "EXTRACT_VALUE_ERROR",
        ),
        (
            "a collection of one",
            looped("=x"),
            json!({ "x": 1 }),
            "EXTRACT_VALUE_ERROR",
        ),
        (
            "a collection of text",
            looped("=x"),
            deep,
            "EXTRACT_VALUE_ERROR",
        ),
    ] {
        let deployed = client.deploy("a.bpmn", &model).unwrap();
        assert_eq!(deployed.status, 200, "{about}: {deployed:?}");
        let body = json!({ "processDefinitionId": "p", "variables": variables });
        let created = client.post(CREATE.1, &body);
        let filter = json!({ "processInstanceKey": created["processInstanceKey"] });
        let incident = until(about, VISIBLE, || {
            let found = client.search("/v2/incidents/search", &filter, "creationTime");
            found.first().cloned()
        });
        assert_eq!(incident["errorType"], says, "{about}: {incident}");
        assert_ne!(incident["errorMessage"], "", "{about}");
    }
    // What is deep but not too deep goes through everything and comes back.
    let deep: Value = serde_json::from_str(&nested("[", "1", "]", 100)).unwrap();
    client.deploy("a.bpmn", &task("deep")).unwrap();
    let body = json!({ "processDefinitionId": "deep", "variables": { "x": deep } });
    let created = client.post(CREATE.1, &body);
    let body = json!({ "type": "deep", "timeout": 60_000, "maxJobsToActivate": 1 });
    let jobs = client.post(ACTIVATE.1, &body);
    assert_eq!(jobs["jobs"][0]["variables"]["x"], deep);
    let filter = json!({ "processInstanceKey": created["processInstanceKey"], "name": "x" });
    let variable = until("the variable is visible", VISIBLE, || {
        let found = client.search("/v2/variables/search", &filter, "name");
        found.first().cloned()
    });
    assert_eq!(variable["value"], deep.to_string());
    still_serves(&place, broker);
}

#[test]
fn only_those_with_the_password_are_served() {
    let place = Place::new();
    let start = Start::default().variable("RINGFLOW_SECURITY_USERS", "demo:demo");
    let broker = place.start(&start);
    let mut client = broker.client();
    for (about, header, status) in [
        ("nothing", None, 401),
        ("no scheme", Some("ZGVtbzpkZW1v"), 401),
        ("another scheme", Some("Bearer ZGVtbzpkZW1v"), 401),
        ("no base64", Some("Basic %%%"), 401),
        ("no colon", Some("Basic ZGVtbw=="), 401),
        ("another password", Some("Basic ZGVtbzp3cm9uZw=="), 401),
        ("another user", Some("Basic cm9vdDpkZW1v"), 401),
        ("empty", Some("Basic Og=="), 401),
        ("the right one", Some("Basic ZGVtbzpkZW1v"), 200),
    ] {
        let headers: Vec<(&str, &str)> =
            header.map(|it| ("Authorization", it)).into_iter().collect();
        let answer = client.send("GET", "/v2/topology", &headers, &[]).unwrap();
        assert_eq!(answer.status, status, "{about}: {answer:?}");
    }
    // Refused before it is read: nothing of it happens.
    let answer = client.deploy("a.bpmn", &task("work")).unwrap();
    assert_eq!(answer.status, 401, "{answer:?}");
    let answer = client
        .send(
            "POST",
            CREATE.1,
            &[JSON, ("Authorization", "Basic ZGVtbzpkZW1v")],
            br#"{"processDefinitionId":"work"}"#,
        )
        .unwrap();
    assert_eq!(answer.status, 404, "{answer:?}");
    assert_eq!(broker.probe().get("/actuator/health").status, 200);
    assert_eq!(broker.stop().code(), Some(0));
    let said = place.said();
    assert!(
        !said.contains("demo:demo") && !said.contains("ZGVtbzpkZW1v"),
        "{said}"
    );
    place.assert_no_panic();
}
