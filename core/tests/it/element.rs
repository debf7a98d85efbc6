//! What each element does: a minimal model in, the record stream out.

use super::harness::{EngineHarness, text};
use ringflow_core::record::intent::of;

/// A BPMN file around process content.
pub(crate) fn bpmn(id: &str, content: &str) -> String {
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
