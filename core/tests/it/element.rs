//! What each element does: a minimal model in, the record stream out.

use ringflow_core::record::intent::of;
use ringflow_core::record::value::{ErrorType, JobRecord};

use super::harness::{EngineHarness, document, json_of, text};

/// A BPMN file around process content. Associations have to stand behind all else.
pub(crate) fn bpmn(id: &str, content: &str) -> String {
    let mut parts = content.split("<bpmn:association ");
    let mut content = parts.next().unwrap_or_default().to_owned();
    let mut associations = String::new();
    for part in parts {
        let (association, rest) = part.split_once("/>").unwrap();
        associations += &format!("<bpmn:association {association}/>");
        content += rest;
    }
    content += &associations;
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL"
  xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
  xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" id="definitions" targetNamespace="test">
  <bpmn:process id="{id}" isExecutable="true">{content}</bpmn:process>
</bpmn:definitions>"#
    )
}

/// A service task of a type.
pub(crate) fn service_task(id: &str, job_type: &str) -> String {
    format!(
        r#"<bpmn:serviceTask id="{id}"><bpmn:extensionElements>
<zeebe:taskDefinition type="{job_type}"/></bpmn:extensionElements></bpmn:serviceTask>"#
    )
}

/// A sequence flow.
pub(crate) fn flow(id: &str, from: &str, to: &str) -> String {
    format!(r#"<bpmn:sequenceFlow id="{id}" sourceRef="{from}" targetRef="{to}"/>"#)
}

fn one_task() -> String {
    bpmn(
        "process",
        &[
            r#"<bpmn:startEvent id="start"/>"#.to_owned(),
            service_task("task", "work"),
            r#"<bpmn:endEvent id="end"/>"#.to_owned(),
            flow("f1", "start", "task"),
            flow("f2", "task", "end"),
        ]
        .concat(),
    )
}

#[test]
fn a_service_task_runs_from_start_to_end() {
    let mut h = EngineHarness::new();
    h.deploy(&one_task());
    let from = h.log.len();
    h.create("process", r#"{"a":1}"#);
    h.complete("work", r#"{"b":2}"#);
    let expected = "\
C PROCESS_INSTANCE_CREATION CREATE process
E VARIABLE CREATED a=1
C PROCESS_INSTANCE ACTIVATE_ELEMENT PROCESS process
E PROCESS_INSTANCE_CREATION CREATED process
E PROCESS_INSTANCE ELEMENT_ACTIVATING PROCESS process
E PROCESS_INSTANCE ELEMENT_ACTIVATED PROCESS process
C PROCESS_INSTANCE ACTIVATE_ELEMENT START_EVENT start
E PROCESS_INSTANCE ELEMENT_ACTIVATING START_EVENT start
E PROCESS_INSTANCE ELEMENT_ACTIVATED START_EVENT start
C PROCESS_INSTANCE COMPLETE_ELEMENT START_EVENT start
E PROCESS_INSTANCE ELEMENT_COMPLETING START_EVENT start
E PROCESS_INSTANCE ELEMENT_COMPLETED START_EVENT start
E PROCESS_INSTANCE SEQUENCE_FLOW_TAKEN SEQUENCE_FLOW f1
C PROCESS_INSTANCE ACTIVATE_ELEMENT SERVICE_TASK task
E PROCESS_INSTANCE ELEMENT_ACTIVATING SERVICE_TASK task
E JOB CREATED work task retries=3 {}
E PROCESS_INSTANCE ELEMENT_ACTIVATED SERVICE_TASK task
C JOB_BATCH ACTIVATE work x0
E JOB_BATCH ACTIVATED work x1
C JOB COMPLETE   retries=-1 {\"b\":2}
E JOB COMPLETED work task retries=3 {\"b\":2}
E PROCESS_EVENT TRIGGERING task {\"b\":2}
C PROCESS_INSTANCE COMPLETE_ELEMENT SERVICE_TASK task
E PROCESS_INSTANCE ELEMENT_COMPLETING SERVICE_TASK task
E PROCESS_EVENT TRIGGERED task {}
E VARIABLE CREATED b=2
E PROCESS_INSTANCE ELEMENT_COMPLETED SERVICE_TASK task
E PROCESS_INSTANCE SEQUENCE_FLOW_TAKEN SEQUENCE_FLOW f2
C PROCESS_INSTANCE ACTIVATE_ELEMENT END_EVENT end
E PROCESS_INSTANCE ELEMENT_ACTIVATING END_EVENT end
E PROCESS_INSTANCE ELEMENT_ACTIVATED END_EVENT end
C PROCESS_INSTANCE COMPLETE_ELEMENT END_EVENT end
E PROCESS_INSTANCE ELEMENT_COMPLETING END_EVENT end
E PROCESS_INSTANCE ELEMENT_COMPLETED END_EVENT end
C PROCESS_INSTANCE COMPLETE_ELEMENT PROCESS process
E PROCESS_INSTANCE ELEMENT_COMPLETING PROCESS process
E PROCESS_INSTANCE ELEMENT_COMPLETED PROCESS process
";
    assert_eq!(text(&h.log[from..]), expected);
    h.assert_clean();
}

#[test]
fn a_cancelled_instance_leaves_nothing() {
    let mut h = EngineHarness::new();
    h.deploy(&one_task());
    let instance = h.create("process", r#"{"a":1}"#);
    h.cancel(instance).unwrap();
    assert!(h.wrote(of::ProcessInstance::ElementTerminated, "process"));
    let refused = h.cancel(instance).unwrap_err();
    assert!(refused.reason.ends_with("but no such process was found"));
    h.assert_clean();
}

/// A flow with a condition.
pub(crate) fn conditional(id: &str, from: &str, to: &str, condition: &str) -> String {
    format!(
        r#"<bpmn:sequenceFlow id="{id}" sourceRef="{from}" targetRef="{to}">
<bpmn:conditionExpression xsi:type="bpmn:tFormalExpression">{condition}</bpmn:conditionExpression>
</bpmn:sequenceFlow>"#
    )
}

pub(crate) fn node(kind: &str, id: &str) -> String {
    format!(r#"<bpmn:{kind} id="{id}"/>"#)
}

pub(crate) fn completed(h: &EngineHarness, element: &str) -> bool {
    h.wrote(of::ProcessInstance::ElementCompleted, element)
}

fn exclusive() -> String {
    bpmn(
        "process",
        &[
            node("startEvent", "start"),
            r#"<bpmn:exclusiveGateway id="gateway" default="other"/>"#.to_owned(),
            node("manualTask", "big"),
            node("task", "small"),
            flow("f1", "start", "gateway"),
            conditional("many", "gateway", "big", "=n &gt; 10"),
            flow("other", "gateway", "small"),
        ]
        .concat(),
    )
}

#[test]
fn an_exclusive_gateway_takes_one_flow() {
    let mut h = EngineHarness::new();
    h.deploy(&exclusive());
    h.create("process", r#"{"n":11}"#);
    assert!(completed(&h, "big") && !completed(&h, "small"));
    h.create("process", r#"{"n":10}"#);
    assert!(completed(&h, "small"));
    h.assert_clean();
}

#[test]
fn a_condition_that_is_no_boolean_waits_for_an_operator() {
    let mut h = EngineHarness::new();
    h.deploy(&exclusive());
    let instance = h.create("process", "");
    let (key, incident) = h.incidents().remove(0);
    assert_eq!(incident.error_type, ErrorType::ExtractValueError);
    assert!(
        incident.error_message.starts_with(
            "Expected result of the expression 'n > 10' to be 'BOOLEAN', but was 'NULL'."
        ),
        "{}",
        incident.error_message
    );
    h.set_variables(instance, r#"{"n":11}"#).unwrap();
    h.resolve(key).unwrap();
    assert!(completed(&h, "process"));
    h.assert_clean();
}

#[test]
fn a_parallel_gateway_waits_for_all_its_flows() {
    let mut h = EngineHarness::new();
    h.deploy(&bpmn(
        "process",
        &[
            node("startEvent", "start"),
            node("parallelGateway", "fork"),
            service_task("a", "a"),
            service_task("b", "b"),
            node("parallelGateway", "join"),
            node("endEvent", "end"),
            flow("f1", "start", "fork"),
            flow("f2", "fork", "a"),
            flow("f3", "fork", "b"),
            flow("f4", "a", "join"),
            flow("f5", "b", "join"),
            flow("f6", "join", "end"),
        ]
        .concat(),
    ));
    h.create("process", "");
    h.complete("b", "");
    assert!(!completed(&h, "join"));
    h.complete("a", "");
    assert!(completed(&h, "join") && completed(&h, "process"));
    h.assert_clean();
}

#[test]
fn an_inclusive_gateway_joins_what_it_split() {
    let mut h = EngineHarness::new();
    h.deploy(&bpmn(
        "process",
        &[
            node("startEvent", "start"),
            r#"<bpmn:inclusiveGateway id="fork" default="f4"/>"#.to_owned(),
            service_task("a", "a"),
            service_task("b", "b"),
            service_task("c", "c"),
            node("inclusiveGateway", "join"),
            node("endEvent", "end"),
            flow("f1", "start", "fork"),
            conditional("f2", "fork", "a", "=x"),
            conditional("f3", "fork", "b", "=y"),
            flow("f4", "fork", "c"),
            flow("f5", "a", "join"),
            flow("f6", "b", "join"),
            flow("f7", "c", "join"),
            flow("f8", "join", "end"),
        ]
        .concat(),
    ));
    h.create("process", r#"{"x":true,"y":true}"#);
    h.complete("a", "");
    assert!(!completed(&h, "join"));
    h.complete("b", "");
    assert!(completed(&h, "process"));
    h.create("process", r#"{"x":false,"y":false}"#);
    h.complete("c", "");
    h.assert_clean();
}

#[test]
fn a_script_puts_its_result_into_a_variable() {
    let mut h = EngineHarness::new();
    h.deploy(&bpmn(
        "process",
        &[
            node("startEvent", "start"),
            r#"<bpmn:scriptTask id="script"><bpmn:extensionElements>
<zeebe:script expression="=a + 1" resultVariable="b"/>
</bpmn:extensionElements></bpmn:scriptTask>"#
                .to_owned(),
            service_task("task", "work"),
            flow("f1", "start", "script"),
            flow("f2", "script", "task"),
        ]
        .concat(),
    ));
    h.create("process", r#"{"a":1}"#);
    let (_, job) = h.activate("work").remove(0);
    assert_eq!(json_of(&job.variables), r#"{"a":1,"b":2}"#);
}

#[test]
fn mappings_shape_what_goes_in_and_out() {
    let mut h = EngineHarness::new();
    h.deploy(&bpmn(
        "process",
        &[
            node("startEvent", "start"),
            r#"<bpmn:serviceTask id="task"><bpmn:extensionElements>
<zeebe:taskDefinition type="work"/><zeebe:ioMapping>
<zeebe:input source="=a.b" target="x"/><zeebe:input source="=x + 1" target="y.z"/>
<zeebe:output source="=result" target="a.c"/></zeebe:ioMapping>
</bpmn:extensionElements></bpmn:serviceTask>"#
                .to_owned(),
            service_task("next", "next"),
            flow("f1", "start", "task"),
            flow("f2", "task", "next"),
        ]
        .concat(),
    ));
    h.create("process", r#"{"a":{"b":1}}"#);
    let (key, job) = h.activate("work").remove(0);
    assert_eq!(
        json_of(&job.variables),
        r#"{"a":{"b":1},"x":1,"y":{"z":2}}"#
    );
    let result = JobRecord {
        variables: document(r#"{"result":5}"#),
        ..JobRecord::default()
    };
    h.job(key, of::Job::Complete, result).unwrap();
    let (_, job) = h.activate("next").remove(0);
    assert_eq!(json_of(&job.variables), r#"{"a":{"b":1,"c":5}}"#);
    h.complete_key("next");
    h.assert_clean();
}

#[test]
fn listeners_run_one_after_the_other() {
    let mut h = EngineHarness::new();
    let listeners = r#"<zeebe:executionListeners>
<zeebe:executionListener eventType="start" type="s1"/>
<zeebe:executionListener eventType="start" type="s2"/>
<zeebe:executionListener eventType="end" type="e1"/></zeebe:executionListeners>"#;
    h.deploy(&bpmn(
        "process",
        &[
            node("startEvent", "start"),
            format!(
                r#"<bpmn:serviceTask id="task"><bpmn:extensionElements>{listeners}
<zeebe:taskDefinition type="work"/></bpmn:extensionElements></bpmn:serviceTask>"#
            ),
            flow("f1", "start", "task"),
        ]
        .concat(),
    ));
    h.create("process", "");
    assert!(h.activate("work").is_empty());
    h.complete("s1", r#"{"l":1}"#);
    h.complete("s2", "");
    let (_, job) = h.activate("work").remove(0);
    assert_eq!(json_of(&job.variables), r#"{"l":1}"#);
    h.complete_key("work");
    assert!(!completed(&h, "task"));
    h.complete("e1", "");
    assert!(completed(&h, "process"));
    h.assert_clean();
}

#[test]
fn a_link_goes_on_at_its_other_end() {
    let mut h = EngineHarness::new();
    let link = r#"<bpmn:linkEventDefinition name="there"/>"#;
    h.deploy(&bpmn(
        "process",
        &[
            node("startEvent", "start"),
            format!(r#"<bpmn:intermediateThrowEvent id="go">{link}</bpmn:intermediateThrowEvent>"#),
            format!(
                r#"<bpmn:intermediateCatchEvent id="come">{link}</bpmn:intermediateCatchEvent>"#
            ),
            service_task("task", "work"),
            flow("f1", "start", "go"),
            flow("f2", "come", "task"),
        ]
        .concat(),
    ));
    h.create("process", "");
    h.complete("work", "");
    assert!(completed(&h, "process"));
    h.assert_clean();
}
