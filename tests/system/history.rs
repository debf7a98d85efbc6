//! What the history knows of a running broker: who waits for what, what was used, which listeners
//! there are; and pausing it, over a restart, with a prefix in front of its tables.

use std::time::Duration;

use serde_json::{Value, json};

use crate::broker::{Broker, Place, Start, until};
use crate::client::Client;

const VISIBLE: Duration = Duration::from_secs(20);

const MODEL: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL"
  xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" targetNamespace="t">
<bpmn:process id="waits" isExecutable="true">
  <bpmn:startEvent id="start"><bpmn:outgoing>f0</bpmn:outgoing></bpmn:startEvent>
  <bpmn:sequenceFlow id="f0" sourceRef="start" targetRef="fork"/>
  <bpmn:parallelGateway id="fork"><bpmn:incoming>f0</bpmn:incoming>
    <bpmn:outgoing>f1</bpmn:outgoing><bpmn:outgoing>f2</bpmn:outgoing>
    <bpmn:outgoing>f3</bpmn:outgoing><bpmn:outgoing>f4</bpmn:outgoing>
    <bpmn:outgoing>f5</bpmn:outgoing></bpmn:parallelGateway>
  <bpmn:sequenceFlow id="f1" sourceRef="fork" targetRef="human"/>
  <bpmn:sequenceFlow id="f2" sourceRef="fork" targetRef="timer"/>
  <bpmn:sequenceFlow id="f3" sourceRef="fork" targetRef="message"/>
  <bpmn:sequenceFlow id="f4" sourceRef="fork" targetRef="signal"/>
  <bpmn:sequenceFlow id="f5" sourceRef="fork" targetRef="work"/>
  <bpmn:userTask id="human"><bpmn:extensionElements><zeebe:userTask/>
    <zeebe:assignmentDefinition assignee="ann"/></bpmn:extensionElements>
    <bpmn:incoming>f1</bpmn:incoming></bpmn:userTask>
  <bpmn:intermediateCatchEvent id="timer"><bpmn:incoming>f2</bpmn:incoming>
    <bpmn:timerEventDefinition><bpmn:timeDuration>PT1H</bpmn:timeDuration>
    </bpmn:timerEventDefinition></bpmn:intermediateCatchEvent>
  <bpmn:intermediateCatchEvent id="message"><bpmn:incoming>f3</bpmn:incoming>
    <bpmn:messageEventDefinition messageRef="m"/></bpmn:intermediateCatchEvent>
  <bpmn:intermediateCatchEvent id="signal"><bpmn:incoming>f4</bpmn:incoming>
    <bpmn:signalEventDefinition signalRef="s"/></bpmn:intermediateCatchEvent>
  <bpmn:serviceTask id="work"><bpmn:extensionElements><zeebe:taskDefinition type="work"/>
    </bpmn:extensionElements><bpmn:incoming>f5</bpmn:incoming></bpmn:serviceTask>
</bpmn:process>
<bpmn:message id="m" name="paid"><bpmn:extensionElements>
  <zeebe:subscription correlationKey="=key"/></bpmn:extensionElements></bpmn:message>
<bpmn:signal id="s" name="go"/>
</bpmn:definitions>"#;

fn waiting(client: &mut Client) -> Vec<(String, String)> {
    let found = client.search(
        "/v2/element-instances/wait-states/search",
        &json!({}),
        "elementId",
    );
    let text = |item: &Value, at: &str| item.pointer(at).unwrap().as_str().unwrap().to_owned();
    found
        .iter()
        .map(|item| {
            (
                text(item, "/elementId"),
                text(item, "/details/waitStateType"),
            )
        })
        .collect()
}

fn post(client: &mut Client, path: &str) -> u16 {
    client.send("POST", path, &[], &[]).unwrap().status
}

fn standing(broker: &Broker) -> Value {
    broker.client().get("/v2/exporting").json()["status"].take()
}

fn create(client: &mut Client) -> String {
    let body = json!({"processDefinitionId": "waits", "variables": {"key": "k-1"}});
    let created = client.post("/v2/process-instances", &body);
    created["processInstanceKey"].as_str().unwrap().to_owned()
}

#[test]
fn what_waits_is_used_and_listens_is_known() {
    let place = Place::new();
    let start = Start::with(&["--partitions", "1"])
        .variable("CAMUNDA_DATA_SECONDARYSTORAGE_RDBMS_PREFIX", "c8_");
    let broker = place.start(&start);
    let mut client = broker.client();
    assert_eq!(client.deploy("a.bpmn", MODEL).unwrap().status, 200);
    let key = create(&mut client);
    let expected = [
        ("human", "USER_TASK"),
        ("message", "MESSAGE"),
        ("signal", "SIGNAL"),
        ("timer", "TIMER"),
        ("work", "JOB"),
    ];
    let expected = expected.map(|(id, kind)| (id.to_owned(), kind.to_owned()));
    until("all of them wait", VISIBLE, || {
        (waiting(&mut client) == expected).then_some(())
    });
    let path = format!("/v2/process-instances/{key}/statistics/wait-states");
    let counts = client.get(&path).json();
    assert_eq!(counts["items"].as_array().unwrap().len(), 5, "{counts}");
    let message = json!({"name": "paid", "correlationKey": "k-1", "timeToLive": 0});
    client.post("/v2/messages/publication", &message);
    client.post("/v2/signals/broadcast", &json!({"signalName": "go"}));
    until("two of them are over", VISIBLE, || {
        let left = waiting(&mut client);
        (left
            .iter()
            .map(|(id, _)| id.as_str())
            .eq(["human", "timer", "work"]))
        .then_some(())
    });
    let definition = client.search("/v2/process-definitions/search", &json!({}), "name");
    let definition = definition[0]["processDefinitionKey"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("/v2/process-definitions/{definition}/variable-names/search");
    let names = client.post(&path, &json!({}));
    assert_eq!(names["items"], json!([{"name": "key"}]));
    let path = "/v2/system/usage-metrics?startTime=2020-01-01T00:00:00Z\
                &endTime=2999-01-01T00:00:00Z&withTenants=true";
    let usage = client.get(path).json();
    let counts = json!({"processInstances": 1, "decisionInstances": 0, "assignees": 1});
    assert_eq!(usage["tenants"], json!({"<default>": counts}), "{usage}");
    assert_eq!(usage["activeTenants"], 1);

    let listener = json!({"id": "audit", "type": "audit-job", "eventTypes": ["completing"]});
    let created = client.post("/v2/global-task-listeners", &listener);
    until("the listener is known", VISIBLE, || {
        let known = client.get("/v2/global-task-listeners/audit");
        (known.status == 200).then(|| assert_eq!(known.json(), created))
    });
    let filter = json!({"eventTypes": ["completing"], "source": "API"});
    let found = client.search("/v2/global-task-listeners/search", &filter, "id");
    assert_eq!(found, [created]);
    assert_eq!(broker.stop().code(), Some(0), "{}", place.said());
}

#[test]
fn paused_exporting_stays_paused_over_a_restart_and_loses_nothing() {
    let place = Place::new();
    let start = Start::with(&["--partitions", "2"]);
    let broker = place.start(&start);
    let mut client = broker.client();
    assert_eq!(client.deploy("a.bpmn", MODEL).unwrap().status, 200);
    assert_eq!(standing(&broker), "EXPORTING");
    let seen = |client: &mut Client, key: &str| {
        let path = format!("/v2/process-instances/{key}");
        client.get(&path).status == 200
    };
    let before = create(&mut client);
    until("the first is exported", VISIBLE, || {
        seen(&mut client, &before).then_some(())
    });
    assert_eq!(post(&mut broker.probe(), "/actuator/exporting/pause"), 204);
    assert_eq!(standing(&broker), "PAUSED");
    // Processing goes on.
    let meanwhile: Vec<String> = (0..4).map(|_| create(&mut client)).collect();
    std::thread::sleep(Duration::from_millis(500));
    assert!(meanwhile.iter().all(|key| !seen(&mut client, key)));
    assert_eq!(broker.stop().code(), Some(0), "{}", place.said());

    let broker = place.start(&start);
    let mut client = broker.client();
    assert_eq!(standing(&broker), "PAUSED");
    std::thread::sleep(Duration::from_millis(500));
    assert!(meanwhile.iter().all(|key| !seen(&mut client, key)));
    assert_eq!(post(&mut client, "/v2/exporting/resume"), 204);
    assert_eq!(standing(&broker), "EXPORTING");
    for key in &meanwhile {
        until("the rest is exported", VISIBLE, || {
            seen(&mut client, key).then_some(())
        });
    }
    assert_eq!(post(&mut client, "/v2/exporting/pause?soft=true"), 204);
    assert_eq!(standing(&broker), "SOFT_PAUSED");
    let last = create(&mut client);
    until("it goes on softly paused", VISIBLE, || {
        seen(&mut client, &last).then_some(())
    });
    assert_eq!(post(&mut broker.probe(), "/actuator/exporting/resume"), 204);
    assert_eq!(broker.stop().code(), Some(0), "{}", place.said());
}
