//! Migration and modification of what events and ad-hoc sub-processes leave behind: completed
//! activities that can be compensated, watched conditions, inner instances.

use ringflow_core::record::Intent;
use ringflow_core::record::Value;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::{
    ActivateInstruction, ProcessInstanceModificationRecord, TerminateInstruction,
};

use super::element::{bpmn, completed, flow, node, service_task};
use super::harness::EngineHarness;
use super::migrate::{definition, migrate};
use super::modify::{instances, modify};

fn compensable(id: &str, suffix: &str) -> String {
    let a = format!("a{suffix}");
    let undo = service_task(&format!("undo{suffix}"), "undo").replace(
        "<bpmn:serviceTask",
        r#"<bpmn:serviceTask isForCompensation="true""#,
    );
    bpmn(
        id,
        &[
            node("startEvent", "start"),
            service_task(&a, "a"),
            service_task(&format!("b{suffix}"), "b"),
            format!(
                r#"<bpmn:boundaryEvent id="c{suffix}" attachedToRef="{a}"><bpmn:compensateEventDefinition/></bpmn:boundaryEvent>
<bpmn:association id="as{suffix}" associationDirection="One" sourceRef="c{suffix}" targetRef="undo{suffix}"/>
<bpmn:endEvent id="throw"><bpmn:compensateEventDefinition/></bpmn:endEvent>"#
            ),
            undo,
            flow("f1", "start", &a),
            flow("f2", &a, &format!("b{suffix}")),
            flow("f3", &format!("b{suffix}"), "throw"),
        ]
        .concat(),
    )
}

fn wrote(h: &EngineHarness, intent: of::CompensationSubscription) -> bool {
    h.log
        .iter()
        .any(|record| record.intent == Intent::from(intent))
}

#[test]
fn what_can_be_compensated_stays_so_if_its_event_is_mapped() {
    let mut h = EngineHarness::new();
    h.deploy(&compensable("old", ""));
    h.deploy(&compensable("new", "2"));
    let target = definition(&h, "new");
    let instance = h.create("old", "");
    h.complete("a", "");
    migrate(&mut h, instance, target, &[("b", "b2"), ("c", "c2")]).unwrap();
    assert!(wrote(&h, of::CompensationSubscription::Migrated));
    h.complete("b", "");
    assert_eq!(instances(&h, "undo2").len(), 1);
    h.complete("undo", "");
    assert!(completed(&h, "undo2") && completed(&h, "new"));
    h.assert_clean();
}

#[test]
fn what_is_not_mapped_or_terminated_is_not_compensated() {
    let mut h = EngineHarness::new();
    h.deploy(&compensable("old", ""));
    h.deploy(&compensable("new", "2"));
    let target = definition(&h, "new");
    let instance = h.create("old", "");
    h.complete("a", "");
    migrate(&mut h, instance, target, &[("b", "b2")]).unwrap();
    assert!(wrote(&h, of::CompensationSubscription::Deleted));
    h.complete("b", "");
    assert!(completed(&h, "new") && !completed(&h, "undo2"));
    let instance = h.create("old", "");
    h.complete("a", "");
    let record = ProcessInstanceModificationRecord {
        process_instance_key: instance,
        terminate_instructions: vec![TerminateInstruction {
            element_id: "b".into(),
            ..TerminateInstruction::default()
        }],
        ..ProcessInstanceModificationRecord::default()
    };
    modify(&mut h, record).unwrap();
    assert!(h.wrote(of::ProcessInstance::ElementTerminated, "old"));
    h.assert_clean();
}

fn watched(id: &str, task: &str, event: &str, condition: &str) -> String {
    bpmn(
        id,
        &[
            node("startEvent", "start"),
            service_task(task, "a"),
            format!(
                r#"<bpmn:boundaryEvent id="{event}" attachedToRef="{task}"><bpmn:conditionalEventDefinition><bpmn:condition>{condition}</bpmn:condition></bpmn:conditionalEventDefinition></bpmn:boundaryEvent>
<bpmn:endEvent id="after"/>"#
            ),
            flow("f1", "start", task),
            flow("f2", event, "after"),
        ]
        .concat(),
    )
}

#[test]
fn a_watched_condition_goes_over_or_is_opened() {
    let mut h = EngineHarness::new();
    h.deploy(&watched("old", "a", "c", "=x = 1"));
    h.deploy(&watched("new", "b", "d", "=y = 1"));
    let target = definition(&h, "new");
    for mapped in [true, false] {
        let instance = h.create("old", "");
        let mapping: &[(&str, &str)] = if mapped {
            &[("a", "b"), ("c", "d")]
        } else {
            &[("a", "b")]
        };
        let from = h.log.len();
        migrate(&mut h, instance, target, mapping).unwrap();
        let migrated = h.log[from..].iter().any(|record| {
            record.intent == Intent::from(of::ConditionalSubscription::Migrated)
                && matches!(&record.value, Value::ConditionalSubscription(value)
                    if value.catch_event_id == "d" && value.process_definition_key == target)
        });
        assert_eq!(migrated, mapped);
        let document = if mapped { r#"{"x":1}"# } else { r#"{"y":1}"# };
        h.set_variables(instance, document).unwrap();
        assert!(instances(&h, "new").is_empty(), "{mapped}");
    }
    h.assert_clean();
}

#[test]
fn elements_of_an_ad_hoc_sub_process() {
    let model = |id: &str, task: &str| {
        bpmn(
            id,
            &[
                node("startEvent", "start"),
                service_task("first", "first"),
                format!(
                    r#"<bpmn:adHocSubProcess id="adhoc">{}</bpmn:adHocSubProcess>"#,
                    service_task(task, "inner")
                ),
                flow("f1", "start", "first"),
                flow("f2", "first", "adhoc"),
            ]
            .concat(),
        )
    };
    let mut h = EngineHarness::new();
    h.deploy(&model("old", "t"));
    h.deploy(&model("new", "t2"));
    let target = definition(&h, "new");
    let instance = h.create("old", "");
    let first = instances(&h, "first")[0];
    let record = ProcessInstanceModificationRecord {
        process_instance_key: instance,
        activate_instructions: vec![ActivateInstruction {
            element_id: "t".into(),
            ..ActivateInstruction::default()
        }],
        terminate_instructions: vec![TerminateInstruction {
            element_instance_key: first,
            ..TerminateInstruction::default()
        }],
        ..ProcessInstanceModificationRecord::default()
    };
    modify(&mut h, record).unwrap();
    assert_eq!(instances(&h, "adhoc#innerInstance").len(), 1);
    let mapping = [("adhoc", "adhoc"), ("t", "t2")];
    migrate(&mut h, instance, target, &mapping).unwrap();
    h.complete("inner", "");
    assert!(completed(&h, "t2") && completed(&h, "adhoc") && completed(&h, "new"));
    h.assert_clean();
}
