//! Scopes: sub-processes, what ends them early, multi-instance bodies, starts in the middle.

use ringflow_core::ids::Key;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::{
    ErrorType, JobRecord, ProcessInstanceCreationRecord, StartInstruction,
};

use super::element::{bpmn, completed, flow, node, service_task};
use super::harness::{EngineHarness, document, json_of, text};

fn error_definitions(process: &str) -> String {
    process.replace(
        "</bpmn:definitions>",
        r#"<bpmn:error id="error" errorCode="broken"/></bpmn:definitions>"#,
    )
}

fn sub_process(inner: &str, boundary: &str) -> String {
    error_definitions(&bpmn(
        "process",
        &[
            node("startEvent", "start"),
            format!(r#"<bpmn:subProcess id="sub">{inner}</bpmn:subProcess>"#),
            node("endEvent", "end"),
            flow("f1", "start", "sub"),
            flow("f2", "sub", "end"),
            boundary.to_owned(),
        ]
        .concat(),
    ))
}

#[test]
fn a_sub_process_ends_with_its_last_token() {
    let inner = [
        node("startEvent", "inner"),
        service_task("a", "a"),
        service_task("b", "b"),
        flow("i1", "inner", "a"),
        flow("i2", "inner", "b"),
    ];
    let mut h = EngineHarness::new();
    h.deploy(&sub_process(&inner.concat(), ""));
    h.create("process", "");
    h.complete("a", "");
    assert!(!completed(&h, "sub"));
    h.complete("b", "");
    assert!(completed(&h, "sub") && completed(&h, "process"));
    let instance = h.create("process", "");
    h.cancel(instance).unwrap();
    h.assert_clean();
}

#[test]
fn a_terminate_end_event_ends_its_scope_only() {
    let inner = [
        node("startEvent", "inner"),
        service_task("a", "a"),
        r#"<bpmn:endEvent id="stop"><bpmn:terminateEventDefinition/></bpmn:endEvent>"#.to_owned(),
        service_task("b", "b"),
        flow("i1", "inner", "a"),
        flow("i2", "a", "stop"),
        flow("i3", "inner", "b"),
    ];
    let mut h = EngineHarness::new();
    h.deploy(&sub_process(&inner.concat(), ""));
    h.create("process", "");
    h.complete("a", "");
    assert!(h.wrote(of::ProcessInstance::ElementTerminated, "b"));
    assert!(completed(&h, "sub") && completed(&h, "end") && completed(&h, "process"));
    h.assert_clean();
}

const ERROR_END: &str = r#"<bpmn:endEvent id="throw">
<bpmn:errorEventDefinition errorRef="error"/></bpmn:endEvent>"#;
const ERROR_BOUNDARY: &str = r#"<bpmn:boundaryEvent id="caught" attachedToRef="sub">
<bpmn:errorEventDefinition errorRef="error"/></bpmn:boundaryEvent>
<bpmn:endEvent id="handled"/>
<bpmn:sequenceFlow id="f9" sourceRef="caught" targetRef="handled"/>"#;

#[test]
fn a_boundary_event_catches_the_error_of_its_sub_process() {
    let inner = [
        node("startEvent", "inner"),
        ERROR_END.to_owned(),
        service_task("b", "b"),
        flow("i1", "inner", "b"),
        flow("i2", "inner", "throw"),
    ];
    let mut h = EngineHarness::new();
    h.deploy(&sub_process(&inner.concat(), ERROR_BOUNDARY));
    h.create("process", "");
    for element in ["throw", "b", "sub"] {
        assert!(
            h.wrote(of::ProcessInstance::ElementTerminated, element),
            "{element}"
        );
    }
    assert!(completed(&h, "caught") && completed(&h, "handled") && completed(&h, "process"));
    assert!(!completed(&h, "end"));
    h.assert_clean();
}

#[test]
fn a_worker_throws_an_error_with_variables() {
    let inner = [
        node("startEvent", "inner"),
        service_task("b", "b"),
        flow("i1", "inner", "b"),
    ];
    let mut h = EngineHarness::new();
    // What is thrown is local to the catch event; only a mapping lets it out.
    let after = ERROR_BOUNDARY
        .replace(
            r#"<bpmn:endEvent id="handled"/>"#,
            &service_task("handled", "handle"),
        )
        .replace(
            r#"<bpmn:errorEventDefinition"#,
            r#"<bpmn:extensionElements><zeebe:ioMapping><zeebe:output source="=why" target="cause"/>
</zeebe:ioMapping></bpmn:extensionElements><bpmn:errorEventDefinition"#,
        );
    h.deploy(&sub_process(&inner.concat(), &after));
    h.create("process", "");
    let (key, _) = h.activate("b").remove(0);
    let thrown = JobRecord {
        error_code: "broken".into(),
        variables: document(r#"{"why":"x"}"#),
        ..JobRecord::default()
    };
    h.job(key, of::Job::ThrowError, thrown).unwrap();
    let (_, job) = h.activate("handle").remove(0);
    assert_eq!(json_of(&job.variables), r#"{"cause":"x"}"#);
    h.complete_key("handle");
    h.assert_clean();
}

#[test]
fn an_error_that_nobody_catches_is_an_incident() {
    let inner = [
        node("startEvent", "inner"),
        ERROR_END.to_owned(),
        flow("i2", "inner", "throw"),
    ];
    let mut h = EngineHarness::new();
    h.deploy(&sub_process(&inner.concat(), ""));
    let instance = h.create("process", "");
    let (_, incident) = h.incidents().remove(0);
    assert_eq!(incident.error_type, ErrorType::UnhandledErrorEvent);
    h.cancel(instance).unwrap();
    assert!(h.incidents().is_empty());
    h.assert_clean();
}

#[test]
fn an_instance_can_start_anywhere() {
    let inner = [
        node("startEvent", "inner"),
        service_task("a", "a"),
        service_task("b", "b"),
        flow("i1", "inner", "a"),
        flow("i2", "a", "b"),
    ];
    let mut h = EngineHarness::new();
    h.deploy(&sub_process(&inner.concat(), ""));
    let at = |id: &str| ProcessInstanceCreationRecord {
        bpmn_process_id: "process".into(),
        start_instructions: vec![StartInstruction {
            element_id: id.into(),
        }],
        ..ProcessInstanceCreationRecord::default()
    };
    h.try_create(at("b")).unwrap();
    assert!(h.activate("a").is_empty());
    h.complete("b", "");
    assert!(completed(&h, "process"));
    let refused = h.try_create(at("nothing")).unwrap_err();
    assert!(
        refused
            .reason
            .ends_with("no element found with id 'nothing'.")
    );
    let refused = h.try_create(at("inner")).unwrap_err();
    assert!(
        refused
            .reason
            .contains("targets unsupported element type 'START_EVENT'")
    );
    h.assert_clean();
}

fn multi_instance(sequential: bool, condition: &str) -> String {
    bpmn(
        "process",
        &[
            node("startEvent", "start"),
            format!(
                r#"<bpmn:serviceTask id="task"><bpmn:extensionElements>
<zeebe:taskDefinition type="work"/></bpmn:extensionElements>
<bpmn:multiInstanceLoopCharacteristics isSequential="{sequential}"><bpmn:extensionElements>
<zeebe:loopCharacteristics inputCollection="=items" inputElement="item"
 outputCollection="results" outputElement="=result"/></bpmn:extensionElements>{condition}
</bpmn:multiInstanceLoopCharacteristics></bpmn:serviceTask>"#
            ),
            service_task("next", "next"),
            flow("f1", "start", "task"),
            flow("f2", "task", "next"),
        ]
        .concat(),
    )
}

fn finish_with(h: &mut EngineHarness, key: Key, variables: &str) {
    let result = JobRecord {
        variables: document(variables),
        ..JobRecord::default()
    };
    h.job(key, of::Job::Complete, result).unwrap();
}

#[test]
fn a_parallel_multi_instance_gathers_results_in_item_order() {
    let mut h = EngineHarness::new();
    h.deploy(&multi_instance(false, ""));
    h.create("process", r#"{"items":[10,20,30]}"#);
    let jobs = h.activate("work");
    assert_eq!(
        json_of(&jobs[1].1.variables),
        r#"{"item":20,"items":[10,20,30],"loopCounter":2,"result":null,"results":[null,null,null]}"#
    );
    for (at, (key, _)) in jobs.iter().enumerate().rev() {
        finish_with(&mut h, *key, &format!(r#"{{"result":{at}}}"#));
    }
    let (_, job) = h.activate("next").remove(0);
    assert_eq!(
        json_of(&job.variables),
        r#"{"items":[10,20,30],"results":[0,1,2]}"#
    );
    h.complete_key("next");
    h.assert_clean();
}

#[test]
fn a_sequential_multi_instance_runs_one_by_one_until_its_condition_holds() {
    let mut h = EngineHarness::new();
    let condition = "<bpmn:completionCondition>=numberOfCompletedInstances = 2 and result = 5\
                     </bpmn:completionCondition>";
    h.deploy(&multi_instance(true, condition));
    h.create("process", r#"{"items":[1,2,3]}"#);
    for _ in 0..2 {
        let jobs = h.activate("work");
        assert_eq!(jobs.len(), 1);
        finish_with(&mut h, jobs[0].0, r#"{"result":5}"#);
    }
    let (_, job) = h.activate("next").remove(0);
    assert_eq!(
        json_of(&job.variables),
        r#"{"items":[1,2,3],"results":[5,5,null]}"#
    );
    h.complete_key("next");
    h.create("process", r#"{"items":[]}"#);
    h.complete("next", "");
    h.assert_clean();
}

#[test]
fn a_satisfied_condition_terminates_the_other_instances() {
    let mut h = EngineHarness::new();
    let condition = "<bpmn:completionCondition>=result = 1</bpmn:completionCondition>";
    h.deploy(&multi_instance(false, condition));
    h.create("process", r#"{"items":[1,2,3]}"#);
    let jobs = h.activate("work");
    finish_with(&mut h, jobs[1].0, r#"{"result":1}"#);
    assert!(h.activate("work").is_empty());
    h.complete("next", "");
    let instance = h.create("process", r#"{"items":[1,2,3]}"#);
    h.cancel(instance).unwrap();
    h.assert_clean();
}

#[test]
fn more_instances_than_a_step_has_room_for_all_run() {
    let mut h = EngineHarness::new();
    let task = node("task", "task").replace(
        "/>",
        r#"><bpmn:multiInstanceLoopCharacteristics><bpmn:extensionElements>
<zeebe:loopCharacteristics inputCollection="=for i in 1..120 return i"/></bpmn:extensionElements>
</bpmn:multiInstanceLoopCharacteristics></bpmn:task>"#,
    );
    let content = [
        node("startEvent", "start"),
        task,
        flow("f1", "start", "task"),
    ];
    h.deploy(&bpmn("process", &content.concat()));
    h.create("process", "");
    h.run_due();
    assert!(completed(&h, "process"), "{:?}", h.incidents());
    h.assert_clean();
}

#[test]
fn an_escalation_reaches_the_boundary_and_goes_on() {
    let inner = [
        node("startEvent", "inner"),
        r#"<bpmn:intermediateThrowEvent id="tell">
<bpmn:escalationEventDefinition escalationRef="escalation"/></bpmn:intermediateThrowEvent>"#
            .to_owned(),
        service_task("a", "a"),
        flow("i1", "inner", "tell"),
        flow("i2", "tell", "a"),
    ];
    let boundary = r#"<bpmn:boundaryEvent id="told" attachedToRef="sub" cancelActivity="false">
<bpmn:escalationEventDefinition escalationRef="escalation"/></bpmn:boundaryEvent>
<bpmn:endEvent id="handled"/><bpmn:sequenceFlow id="f9" sourceRef="told" targetRef="handled"/>"#;
    let model = |boundary: &str| {
        sub_process(&inner.concat(), boundary).replace(
            "</bpmn:definitions>",
            r#"<bpmn:escalation id="escalation" escalationCode="up"/></bpmn:definitions>"#,
        )
    };
    let mut h = EngineHarness::new();
    h.deploy(&model(boundary));
    h.create("process", "");
    assert!(completed(&h, "handled"));
    assert!(text(&h.log).contains("E ESCALATION ESCALATED up tell told\n"));
    h.complete("a", "");
    assert!(completed(&h, "process"));
    h.deploy(&model(&boundary.replace(r#" cancelActivity="false""#, "")));
    h.create("process", "");
    assert!(h.wrote(of::ProcessInstance::ElementTerminated, "tell"));
    h.deploy(&model(""));
    h.create("process", "");
    assert!(text(&h.log).contains("E ESCALATION NOT_ESCALATED up tell \n"));
    h.complete("a", "");
    h.assert_clean();
}
