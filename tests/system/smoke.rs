//! The life of a broker: start, work, orderly end with code 0, start again with everything there.
//!
//! On both drivers; where the host refuses io_uring the product has to say so, and that sentence is
//! what is tested there.

use std::time::Duration;

use serde_json::{Value, json};

use crate::broker::{Place, Start, until};
use crate::client::Client;
use crate::models;

const VISIBLE: Duration = Duration::from_secs(20);

fn instance(client: &mut Client, key: &str) -> Value {
    client.get(&format!("/v2/process-instances/{key}")).json()
}

fn visible(client: &mut Client, key: &str, state: &str) {
    until(&format!("{key} is {state}"), VISIBLE, || {
        (instance(client, key)["state"] == state).then_some(())
    });
}

/// Two instances: one completed before the end, one that waits for a worker over the restart.
fn lives(driver: &str) {
    let place = Place::new();
    let start = Start::with(&["--io", driver, "--partitions", "2"]);
    let broker = match place.try_start(&start) {
        Ok(broker) => broker,
        Err(refusal) if refusal.said.contains("io_uring was asked for, but ") => {
            assert_eq!((driver, refusal.code), ("uring", Some(1)), "{refusal:?}");
            eprintln!("the host has no io_uring: {}", refusal.sentence());
            return;
        }
        Err(refusal) => panic!("{refusal:?}"),
    };
    let mut client = broker.client();
    let deployed = client.deploy("a.bpmn", &models::task("smoke")).unwrap();
    assert_eq!(deployed.status, 200, "{deployed:?}");
    let definition = deployed.json()["deployments"][0]["processDefinition"].take();
    assert_eq!(definition["processDefinitionId"], "smoke");
    assert_eq!(definition["processDefinitionVersion"], 1);

    let mut keys = Vec::new();
    for number in 0..2 {
        let body = json!({
            "processDefinitionId": "smoke", "variables": { "number": number },
        });
        let created = client.post("/v2/process-instances", &body);
        keys.push(created["processInstanceKey"].as_str().unwrap().to_owned());
    }
    let activate = json!({
        "type": "smoke", "worker": "w", "timeout": 60_000, "maxJobsToActivate": 10,
        "requestTimeout": 10_000,
    });
    let mut jobs = Vec::new();
    while jobs.len() < 2 {
        let mut answer = client.post("/v2/jobs/activation", &activate);
        let Value::Array(some) = answer["jobs"].take() else {
            panic!("no jobs in {answer}");
        };
        assert!(!some.is_empty(), "no job within the request's own time");
        jobs.extend(some);
    }
    let of = |number: i64| jobs.iter().find(|job| job["variables"]["number"] == number);
    let first = of(0).unwrap();
    assert_eq!(first["processInstanceKey"], keys[0].as_str());
    assert_eq!(first["elementId"], "m");
    let path = format!("/v2/jobs/{}/completion", first["jobKey"].as_str().unwrap());
    client.post(&path, &json!({ "variables": { "result": "done" } }));
    let again = client.try_post(&path, &json!({})).unwrap();
    assert_eq!(again.status, 404, "{again:?}");
    visible(&mut client, &keys[0], "COMPLETED");
    visible(&mut client, &keys[1], "ACTIVE");

    assert_eq!(broker.stop().code(), Some(0), "{}", place.said());
    let broker = place.start(&start);
    let mut client = broker.client();
    visible(&mut client, &keys[0], "COMPLETED");
    visible(&mut client, &keys[1], "ACTIVE");
    let filter = json!({ "processInstanceKey": keys[0] });
    let found = client.search("/v2/variables/search", &filter, "name");
    let found: Vec<_> = found
        .iter()
        .map(|item| format!("{}={}", item["name"], item["value"]))
        .collect();
    assert_eq!(
        found,
        [r#""number"="0""#, r#""result"="\"done\"""#],
        "{found:?}"
    );
    // The activation before the restart still holds, and so does its key.
    let second = of(1).unwrap()["jobKey"].as_str().unwrap();
    client.post(&format!("/v2/jobs/{second}/completion"), &json!({}));
    visible(&mut client, &keys[1], "COMPLETED");
    let again = client.deploy("a.bpmn", &models::task("smoke")).unwrap();
    let again = again.json()["deployments"][0]["processDefinition"].take();
    assert_eq!(
        again, definition,
        "the same model is the same version after a restart"
    );
    assert_eq!(broker.stop().code(), Some(0), "{}", place.said());
    for (partition, state, replay) in place.digests() {
        assert!(
            replay == state || replay == "compacted",
            "partition {partition}: {state} {replay}"
        );
    }
    place.assert_no_panic();
}

#[test]
fn a_broker_lives_and_comes_back_on_io_uring() {
    lives("uring");
}

#[test]
fn a_broker_lives_and_comes_back_on_plain_calls() {
    lives("plain");
}

#[test]
fn the_demo_runs() {
    let place = Place::new();
    let output = crate::broker::ringflow()
        .args(["demo", "--orders", "20"])
        .env("TMPDIR", place.path())
        .env("RINGFLOW_DATA_LOG_SEGMENT_SIZE", "16MB")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{output:?}");
    assert!(
        said.contains("20 orders created and worked on in"),
        "{said}"
    );
    assert!(
        said.contains("history showed all of them completed"),
        "{said}"
    );
    let left = std::fs::read_dir(place.path()).unwrap().count();
    assert_eq!(left, 0, "the demo leaves something behind");
}
