//! Business ids: of which one instance of a process may run at a time, and given later.

use ringflow_core::engine::EngineConfig;
use ringflow_core::engine::input::Command;
use ringflow_core::ids::Key;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::{
    JobRecord, MappingInstruction, ProcessInstanceBusinessIdRecord, ProcessInstanceCreationRecord,
    ProcessInstanceMigrationRecord,
};
use ringflow_core::record::{RejectionType, Value};

use super::element::{bpmn, flow, service_task};
use super::harness::{Answer, EngineHarness};

fn process(id: &str, task: &str) -> String {
    bpmn(
        id,
        &[
            r#"<bpmn:startEvent id="start"/>"#.to_owned(),
            task.to_owned(),
            r#"<bpmn:endEvent id="end"/>"#.to_owned(),
            flow("f1", "start", "task"),
            flow("f2", "task", "end"),
        ]
        .concat(),
    )
}

fn calling(called: &str) -> String {
    format!(
        r#"<bpmn:callActivity id="task"><bpmn:extensionElements>
<zeebe:calledElement processId="{called}"/></bpmn:extensionElements></bpmn:callActivity>"#
    )
}

fn unique() -> EngineHarness {
    let mut h = EngineHarness::with_config(EngineConfig {
        unique_business_ids: true,
        ..EngineConfig::default()
    });
    h.deploy(&process("a", &service_task("task", "work")));
    h
}

fn create(h: &mut EngineHarness, process: &str, business_id: &str) -> Answer {
    h.try_create(ProcessInstanceCreationRecord {
        bpmn_process_id: process.into(),
        business_id: business_id.into(),
        ..ProcessInstanceCreationRecord::default()
    })
}

fn created(answer: Answer) -> Key {
    match answer.unwrap().value {
        Value::ProcessInstanceCreation(created) => created.process_instance_key,
        _ => panic!("another answer"),
    }
}

#[test]
fn one_instance_of_a_process_has_it_at_a_time() {
    let mut h = unique();
    h.deploy(&process("b", &service_task("task", "other")));
    let first = created(create(&mut h, "a", "order-1"));
    let refused = create(&mut h, "a", "order-1").unwrap_err();
    assert_eq!(refused.kind, RejectionType::AlreadyExists);
    assert_eq!(
        refused.reason.as_str(),
        "Expected to create instance of process with business id 'order-1', but an instance with this business id already exists for process definition 'a'"
    );
    // Of another process, with another id, or without one.
    let others = [
        created(create(&mut h, "b", "order-1")),
        created(create(&mut h, "a", "order-2")),
        created(create(&mut h, "a", "")),
        created(create(&mut h, "a", "")),
    ];
    h.cancel(first).unwrap();
    h.run_due();
    let again = created(create(&mut h, "a", "order-1"));
    for (key, _) in h.activate("work") {
        h.job(key, of::Job::Complete, JobRecord::default()).unwrap();
    }
    assert!(!others.contains(&again));
    created(create(&mut h, "a", "order-1"));
    h.complete("work", "");
    h.complete("other", "");
    h.assert_clean();
}

#[test]
fn nobody_minds_where_it_is_not_switched_on() {
    let mut h = EngineHarness::new();
    h.deploy(&process("a", &service_task("task", "work")));
    for _ in 0..2 {
        created(create(&mut h, "a", "order-1"));
    }
    for (key, _) in h.activate("work") {
        h.job(key, of::Job::Complete, JobRecord::default()).unwrap();
    }
    h.assert_clean();
}

#[test]
fn called_instances_do_not_count() {
    let mut h = unique();
    h.deploy(&process("b", &calling("a")));
    created(create(&mut h, "b", "order-1"));
    created(create(&mut h, "a", "order-1"));
    assert!(create(&mut h, "b", "order-1").is_err());
    for (key, _) in h.activate("work") {
        h.job(key, of::Job::Complete, JobRecord::default()).unwrap();
    }
    h.assert_clean();
}

#[test]
fn a_migrated_instance_has_it_as_one_of_its_new_process() {
    let mut h = unique();
    let instance = created(create(&mut h, "a", "order-1"));
    h.deploy(&process("b", &service_task("task", "work")));
    let target = h.log.iter().rev().find_map(|record| match &record.value {
        Value::Process(value) => Some(value.process_definition_key),
        _ => None,
    });
    let record = ProcessInstanceMigrationRecord {
        process_instance_key: instance,
        target_process_definition_key: target.unwrap(),
        mapping_instructions: vec![MappingInstruction {
            source_element_id: "task".into(),
            target_element_id: "task".into(),
        }],
        ..ProcessInstanceMigrationRecord::default()
    };
    let intent = of::ProcessInstanceMigration::Migrate;
    h.answered(Command::internal(instance, intent, record))
        .unwrap();
    assert!(create(&mut h, "b", "order-1").is_err());
    created(create(&mut h, "a", "order-1"));
    for (key, _) in h.activate("work") {
        h.job(key, of::Job::Complete, JobRecord::default()).unwrap();
    }
    h.assert_clean();
}

#[test]
fn one_that_is_too_long_is_refused() {
    let mut h = EngineHarness::new();
    h.deploy(&process("a", &service_task("task", "work")));
    let refused = create(&mut h, "a", &"x".repeat(257)).unwrap_err();
    assert_eq!(
        refused.reason.as_str(),
        "Expected to create instance of process with a valid business id, but the business id exceeds the max length of 256."
    );
    created(create(&mut h, "a", &"x".repeat(256)));
}

fn assign(h: &mut EngineHarness, key: Key, business_id: &str) -> Answer {
    let record = ProcessInstanceBusinessIdRecord {
        process_instance_key: key,
        business_id: business_id.into(),
        ..ProcessInstanceBusinessIdRecord::default()
    };
    let intent = of::ProcessInstanceBusinessId::Assign;
    h.answered(Command::internal(key, intent, record))
}

#[test]
fn it_is_given_once_and_what_is_called_later_has_it() {
    let mut h = EngineHarness::new();
    h.deploy(&process("a", &service_task("task", "work")));
    let two = [
        r#"<bpmn:startEvent id="start"/>"#.to_owned(),
        service_task("before", "first"),
        calling("a"),
        r#"<bpmn:endEvent id="end"/>"#.to_owned(),
        flow("f0", "start", "before"),
        flow("f1", "before", "task"),
        flow("f2", "task", "end"),
    ];
    h.deploy(&bpmn("b", &two.concat()));
    let instance = h.create("b", "");
    let given = assign(&mut h, instance, "order-1").unwrap();
    assert_eq!(given.key, instance);
    let Value::ProcessInstanceBusinessId(value) = given.value else {
        panic!("another answer");
    };
    assert_eq!(value.bpmn_process_id.as_str(), "b");
    assert_eq!(value.root_process_instance_key, instance);
    let written = h.log.len();
    assign(&mut h, instance, "order-1").unwrap();
    assert_eq!(h.log.len(), written + 1, "the command alone");
    h.complete("first", "");
    let (_, job) = h.activate("work").remove(0);
    let called = job.process_instance_key;
    let row = h.engine.state().elements.get(&called).unwrap().unwrap();
    assert_eq!(row.record.business_id.as_str(), "order-1");

    let cases = [
        (instance, "order-2", "it already has a business id assigned"),
        (instance, "", "the provided business id is empty"),
        (
            called,
            "order-2",
            "it is a child process instance; a business id can only be assigned to root process instances",
        ),
        (
            job.element_instance_key,
            "order-2",
            "the element with this key is not a process instance",
        ),
        (Key(4711), "order-2", "no such process instance was found"),
    ];
    for (key, id, why) in cases {
        assert_eq!(
            assign(&mut h, key, id).unwrap_err().reason.as_str(),
            format!(
                "Expected to assign a business id to process instance with key '{key}', but {why}"
            )
        );
    }
    let long = assign(&mut h, instance, &"x".repeat(257)).unwrap_err();
    assert!(
        long.reason
            .ends_with("the business id exceeds the max length of 256")
    );
    h.complete_key("work");
    h.assert_clean();
}

#[test]
fn none_is_given_later_where_they_are_unique() {
    let mut h = unique();
    let instance = created(create(&mut h, "a", ""));
    let refused = assign(&mut h, instance, "order-1").unwrap_err();
    assert_eq!(refused.kind, RejectionType::InvalidState);
    assert!(refused.reason.ends_with(
        "business id assignment is not allowed while business id uniqueness is enabled"
    ));
}
