//! Migration of running instances to another definition: what is restated, what goes on there, and
//! what is refused in which words.

use ringflow_core::engine::EngineConfig;
use ringflow_core::engine::input::Command;
use ringflow_core::ids::{Key, PartitionId};
use ringflow_core::record::intent::of;
use ringflow_core::record::value::{
    JobRecord, MappingInstruction, MessageRecord, ProcessInstanceMigrationRecord, SignalRecord,
};
use ringflow_core::record::{Intent, RecordType, Value};

use super::element::{bpmn, completed, flow, node, service_task};
use super::harness::{Answer, Cluster, EngineHarness, document, text};
use super::modify::instances;

/// Key of the newest definition of a process.
pub(crate) fn definition(h: &EngineHarness, id: &str) -> Key {
    let newest = h.log.iter().rev().find_map(|record| match &record.value {
        Value::Process(value) if value.bpmn_process_id == id => Some(value.process_definition_key),
        _ => None,
    });
    newest.expect("is deployed")
}

pub(crate) fn migrate(
    h: &mut EngineHarness,
    instance: Key,
    target: Key,
    mapping: &[(&str, &str)],
) -> Answer {
    let record = ProcessInstanceMigrationRecord {
        process_instance_key: instance,
        target_process_definition_key: target,
        mapping_instructions: mapping
            .iter()
            .map(|(source, target)| MappingInstruction {
                source_element_id: (*source).into(),
                target_element_id: (*target).into(),
            })
            .collect(),
        ..ProcessInstanceMigrationRecord::default()
    };
    let command = Command::internal(instance, of::ProcessInstanceMigration::Migrate, record);
    h.request(command).expect("every migration is answered")
}

fn refusal(answer: Answer) -> String {
    let rejection = answer.expect_err("is refused");
    format!("{} {}", rejection.kind.name(), rejection.reason)
}

fn straight(id: &str, tasks: &[&str], more: &str) -> String {
    let mut content = node("startEvent", "start") + &node("endEvent", "end") + more;
    let mut last = "start";
    for (at, task) in tasks.iter().enumerate() {
        content += &service_task(task, task);
        content += &flow(&format!("f{at}"), last, task);
        last = task;
    }
    content += &flow("last", last, "end");
    bpmn(id, &content)
}

const MESSAGES: &str = r#"<bpmn:message id="msg_m1" name="m1"><bpmn:extensionElements>
<zeebe:subscription correlationKey="=key"/></bpmn:extensionElements></bpmn:message>
<bpmn:message id="msg_m2" name="m2"><bpmn:extensionElements>
<zeebe:subscription correlationKey="=key"/></bpmn:extensionElements></bpmn:message>
<bpmn:signal id="sig" name="s"/><bpmn:process"#;

fn with_messages(model: &str) -> String {
    model.replacen("<bpmn:process", MESSAGES, 1)
}

fn boundary(id: &str, host: &str, interrupting: bool, definition: &str) -> String {
    format!(
        r#"<bpmn:boundaryEvent id="{id}" attachedToRef="{host}" cancelActivity="{interrupting}">{definition}</bpmn:boundaryEvent>
<bpmn:endEvent id="after_{id}"/><bpmn:sequenceFlow id="f_{id}" sourceRef="{id}" targetRef="after_{id}"/>"#
    )
}

fn message(name: &str) -> String {
    format!(r#"<bpmn:messageEventDefinition messageRef="msg_{name}"/>"#)
}

const TIMER: &str = r#"<bpmn:timerEventDefinition><bpmn:timeDuration>PT10S</bpmn:timeDuration></bpmn:timerEventDefinition>"#;
const SIGNAL: &str = r#"<bpmn:signalEventDefinition signalRef="sig"/>"#;

fn publish(h: &mut EngineHarness, name: &str) {
    let record = MessageRecord {
        name: name.into(),
        correlation_key: "k".into(),
        ..MessageRecord::default()
    };
    let _ = h.request(Command::internal(Key::NONE, of::Message::Publish, record));
}

#[test]
fn an_instance_goes_on_under_the_other_definition() {
    let mut h = EngineHarness::new();
    h.deploy(&straight("old", &["a"], ""));
    h.deploy(&straight("new", &["x", "b", "c"], ""));
    let instance = h.create("old", r#"{"v":1}"#);
    let target = definition(&h, "new");
    let from = h.log.len();
    let answer = migrate(&mut h, instance, target, &[("a", "b")]).unwrap();
    assert_eq!(answer.key, instance);
    let expected = "\
C PROCESS_INSTANCE_MIGRATION MIGRATE
E PROCESS_INSTANCE ELEMENT_MIGRATED PROCESS new
E VARIABLE MIGRATED v=null
E PROCESS_INSTANCE ELEMENT_MIGRATED SERVICE_TASK b
E JOB MIGRATED a b retries=3 {}
E PROCESS_INSTANCE_MIGRATION MIGRATED
";
    assert_eq!(text(&h.log[from..]), expected);
    for record in &h.log[from + 1..] {
        if let Value::ProcessInstance(value) = &record.value {
            assert_eq!(value.process_definition_key, target);
            assert_eq!(value.bpmn_process_id, "new");
            assert!(!value.element_instance_path.is_empty());
        }
    }
    // The job keeps its type.
    h.complete("a", "");
    h.complete("c", "");
    assert!(completed(&h, "new"));
    h.assert_clean();
}

#[test]
fn mapped_events_stay_others_close_and_new_ones_open() {
    let mut h = EngineHarness::new();
    let old = [
        boundary("t", "a", true, TIMER),
        boundary("m", "a", true, &message("m1")),
        boundary("s", "a", false, SIGNAL),
    ];
    let new = [
        boundary("t2", "b", false, TIMER),
        boundary("s2", "b", false, SIGNAL),
        boundary("m2", "b", false, &message("m2")),
    ];
    h.deploy(&with_messages(&straight("old", &["a"], &old.concat())));
    h.deploy(&with_messages(&straight("new", &["b"], &new.concat())));
    let instance = h.create("old", r#"{"key":"k"}"#);
    h.now = h.now.plus_millis(4_000);
    let target = definition(&h, "new");
    let from = h.log.len();
    let mapping = [("a", "b"), ("t", "t2"), ("s", "s2")];
    migrate(&mut h, instance, target, &mapping).unwrap();
    let expected = "\
C PROCESS_INSTANCE_MIGRATION MIGRATE
E PROCESS_INSTANCE ELEMENT_MIGRATED PROCESS new
E VARIABLE MIGRATED key=null
E PROCESS_INSTANCE ELEMENT_MIGRATED SERVICE_TASK b
E JOB MIGRATED a b retries=3 {}
E PROCESS_MESSAGE_SUBSCRIPTION DELETING m1 k
C MESSAGE_SUBSCRIPTION DELETE m1 
E PROCESS_MESSAGE_SUBSCRIPTION CREATING m2 k
C MESSAGE_SUBSCRIPTION CREATE m2 k
E TIMER MIGRATED t2 repetitions=1 due=+10000ms
E SIGNAL_SUBSCRIPTION MIGRATED s s2
E PROCESS_INSTANCE_MIGRATION MIGRATED
";
    let until = h.log.len();
    let seen = text(&h.log[from..until]);
    assert!(seen.starts_with(expected), "{seen}");
    publish(&mut h, "m1");
    publish(&mut h, "m2");
    assert!(completed(&h, "after_m2") && !completed(&h, "after_m"));
    let record = SignalRecord {
        signal_name: "s".into(),
        ..SignalRecord::default()
    };
    h.request(Command::internal(Key::NONE, of::Signal::Broadcast, record));
    assert!(completed(&h, "after_s2"));
    // The timer of the old definition, which does not interrupt in the new one.
    h.advance(7_000);
    assert!(completed(&h, "after_t2"));
    h.complete("a", "");
    assert!(completed(&h, "new"));
    h.assert_clean();
}

#[test]
fn a_subscription_on_another_partition_follows() {
    let mut c = Cluster::new(2);
    let old = boundary("m", "a", true, &message("m1"));
    let new = boundary("m2", "b", false, &message("m1"));
    c.at(1)
        .deploy(&with_messages(&straight("old", &["a"], &old)));
    c.deliver();
    c.at(1)
        .deploy(&with_messages(&straight("new", &["b"], &new)));
    c.deliver();
    let home = PartitionId::of_correlation_key("k", 2).0;
    let other = 3 - home;
    let target = definition(c.at(1), "new");
    let instance = c.at(other).create("old", r#"{"key":"k"}"#);
    c.deliver();
    let mapping = [("a", "b"), ("m", "m2")];
    migrate(c.at(other), instance, target, &mapping).unwrap();
    let back = definition(c.at(1), "old");
    let rejected = migrate(c.at(other), instance, back, &[("b", "a"), ("m2", "m")]);
    assert_eq!(
        refusal(rejected),
        format!(
            "INVALID_STATE Expected to migrate process instance '{instance}' but active element with id 'b' has a pending message subscription migration distribution for event with id 'm2'."
        )
    );
    // The command is lost on its way and sent again.
    c.at(other).outbox.clear();
    for _ in 0..4 {
        c.at(other).advance(11_000);
        c.deliver();
    }
    let follows = c.at(home).log.iter().any(|record| {
        record.intent == Intent::from(of::MessageSubscription::Migrated)
            && matches!(&record.value, Value::MessageSubscription(value)
                if value.element_id == "m2" && !value.interrupting && value.bpmn_process_id == "new")
    });
    assert!(follows);
    for _ in 0..2 {
        publish(c.at(home), "m1");
        c.deliver();
    }
    let caught = c.at(other).log.iter().filter(|record| {
        record.intent == Intent::from(of::ProcessInstance::ElementCompleted)
            && matches!(&record.value, Value::ProcessInstance(value) if value.element_id == "m2")
    });
    assert_eq!(caught.count(), 2, "it does not interrupt any more");
    c.at(other).cancel(instance).unwrap();
    c.deliver();
    for number in 1..=2 {
        c.at(number).advance(100_000);
        c.deliver();
        c.at(number).assert_clean();
    }
}

fn forked(id: &str, a: &str, join: &str, flows: [&str; 2]) -> String {
    bpmn(
        id,
        &[
            node("startEvent", "start"),
            node("parallelGateway", "fork"),
            service_task(a, "a"),
            service_task("b", "b"),
            node("parallelGateway", join),
            service_task("after", "after"),
            flow("f1", "start", "fork"),
            flow("f2", "fork", a),
            flow("f3", "fork", "b"),
            flow(flows[0], a, join),
            flow(flows[1], "b", join),
            flow("f6", join, "after"),
        ]
        .concat(),
    )
}

#[test]
fn tokens_at_joins_move_with_their_gateway() {
    let mut h = EngineHarness::new();
    h.deploy(&forked("old", "a", "join", ["f4", "f5"]));
    h.deploy(&forked("new", "a2", "join2", ["g4", "g5"]));
    let instance = h.create("old", "");
    h.complete("a", "");
    let target = definition(&h, "new");
    let expected =
        format!("INVALID_ARGUMENT Expected to migrate process instance '{instance}' but ");
    let mut refused = |mapping: &[(&str, &str)]| {
        let answer = migrate(&mut h, instance, target, mapping);
        refusal(answer).replace(&expected, "")
    };
    assert_eq!(
        refused(&[("b", "b")]),
        "gateway 'join' has at least one incoming sequence flow taken. Joining gateways with at least one incoming sequence flow taken must be mapped to a gateway of the same type in the target process definition."
    );
    assert_eq!(
        refused(&[("b", "b"), ("join", "fork")]),
        "target gateway with id 'fork' has less incoming sequence flows than the source gateway with id 'join'. Target gateway must have at least the same number of incoming sequence flows as the source gateway."
    );
    assert_eq!(
        refused(&[("b", "b"), ("join", "join2")]),
        "joining gateway with id 'join' has a taken sequence flow with id 'f4'. Taken sequence flows must be mapped to a sequence flow in the target process definition."
    );
    assert_eq!(
        refused(&[("b", "b"), ("join", "join2"), ("f4", "f6")]),
        "gateway with id 'join' has a taken incoming sequence flow mismatch. Taken sequence flow with id 'f4' must connect to the mapped target gateway with id 'join2' in the target process definition."
    );
    let mapping = [("b", "b"), ("join", "join2"), ("f4", "g4")];
    migrate(&mut h, instance, target, &mapping).unwrap();
    h.complete("b", "");
    assert!(completed(&h, "join2"));
    h.complete("after", "");
    assert!(completed(&h, "new"));
    h.assert_clean();
}

fn called(id: &str, call: &str, extra: &str) -> String {
    bpmn(
        id,
        &format!(
            r#"<bpmn:startEvent id="start"/>{extra}<bpmn:subProcess id="sub"><bpmn:startEvent id="inner"/>
<bpmn:callActivity id="{call}"><bpmn:extensionElements><zeebe:calledElement processId="child"/>
</bpmn:extensionElements><bpmn:multiInstanceLoopCharacteristics><bpmn:extensionElements>
<zeebe:loopCharacteristics inputCollection="=[1,2]" inputElement="item" outputCollection="all" outputElement="=item"/>
</bpmn:extensionElements></bpmn:multiInstanceLoopCharacteristics></bpmn:callActivity>
<bpmn:sequenceFlow id="i1" sourceRef="inner" targetRef="{call}"/></bpmn:subProcess>
<bpmn:sequenceFlow id="f1" sourceRef="start" targetRef="sub"/>"#
        ),
    )
}

#[test]
fn bodies_calls_and_what_they_called() {
    let mut h = EngineHarness::new();
    h.deploy(&straight("child", &["a"], ""));
    h.deploy(&called("old", "call", ""));
    let before = r#"<bpmn:callActivity id="aaa"><bpmn:extensionElements><zeebe:calledElement processId="child"/></bpmn:extensionElements></bpmn:callActivity>"#;
    h.deploy(&called("new", "call2", before));
    let instance = h.create("old", "");
    let target = definition(&h, "new");
    let from = h.log.len();
    migrate(
        &mut h,
        instance,
        target,
        &[("sub", "sub"), ("call", "call2")],
    )
    .unwrap();
    let paths: Vec<Vec<Key>> = (h.log[from..].iter())
        .filter_map(|record| match &record.value {
            Value::ProcessInstance(value)
                if record.intent == Intent::from(of::ProcessInstance::AncestorMigrated) =>
            {
                assert_eq!(value.bpmn_process_id, "child");
                assert_eq!(value.process_definition_path[0], target);
                Some(value.calling_element_path.clone())
            }
            _ => None,
        })
        .collect();
    assert_eq!(paths, [[Key(1)], [Key(1)], [Key(1)], [Key(1)]]);
    for (job, _) in h.activate("a") {
        h.job(job, of::Job::Complete, JobRecord::default()).unwrap();
    }
    assert!(completed(&h, "call2") && completed(&h, "new"));
    h.assert_clean();
}

#[test]
fn a_user_task_of_a_job_worker_becomes_one_of_the_engine() {
    let mut h = EngineHarness::new();
    let model = |id: &str, u: &str, extensions: &str| {
        bpmn(
            id,
            &[
                node("startEvent", "start"),
                format!(
                    r#"<bpmn:userTask id="{u}"><bpmn:extensionElements>{extensions}</bpmn:extensionElements></bpmn:userTask>"#
                ),
                flow("f1", "start", u),
            ]
            .concat(),
        )
    };
    h.deploy(&model(
        "old",
        "u",
        r#"<zeebe:assignmentDefinition assignee="ann" candidateGroups="g,h"/>
<zeebe:taskHeaders><zeebe:header key="own" value="1"/></zeebe:taskHeaders>"#,
    ));
    h.deploy(&model(
        "new",
        "u2",
        r#"<zeebe:userTask/><zeebe:assignmentDefinition assignee="=who"/><zeebe:priorityDefinition priority="70"/>"#,
    ));
    let instance = h.create("old", r#"{"who":"eve"}"#);
    let target = definition(&h, "new");
    let from = h.log.len();
    migrate(&mut h, instance, target, &[("u", "u2")]).unwrap();
    let written: Vec<String> = (h.log[from..].iter())
        .filter(|record| matches!(record.value, Value::UserTask(_) | Value::Job(_)))
        .map(|record| format!("{:?}", record.intent))
        .collect();
    assert_eq!(
        written,
        [
            "USER_TASK CREATING",
            "USER_TASK CREATED",
            "USER_TASK ASSIGNING",
            "USER_TASK ASSIGNED",
            "JOB CANCELED",
            "USER_TASK MIGRATED",
        ]
    );
    let (key, task) = super::task::task(&h);
    assert_eq!(task.assignee.as_str(), "eve");
    assert_eq!(task.candidate_groups, ["g", "h"]);
    assert_eq!(task.priority, 70);
    assert_eq!(task.element_id, "u2");
    assert_eq!(*task.custom_headers.0, [("own".into(), "1".into())]);
    let complete = Command::internal(
        key,
        of::UserTask::Complete,
        ringflow_core::record::value::UserTaskRecord::default(),
    );
    h.answered(complete).unwrap();
    assert!(completed(&h, "new"));
    h.assert_clean();
}

#[test]
fn incidents_and_user_tasks_follow() {
    let mut h = EngineHarness::new();
    let model = |id: &str, a: &str, u: &str| {
        bpmn(
            id,
            &[
                node("startEvent", "start"),
                service_task(a, "=missing"),
                format!(
                    r#"<bpmn:userTask id="{u}"><bpmn:extensionElements><zeebe:userTask/></bpmn:extensionElements></bpmn:userTask>"#
                ),
                flow("f1", "start", a),
                flow("f2", "start", u),
            ]
            .concat(),
        )
    };
    h.deploy(&model("old", "a", "u"));
    h.deploy(&model("new", "a2", "u2"));
    h.deploy(&model("job", "a2", "u2").replace("<zeebe:userTask/>", ""));
    let instance = h.create("old", "");
    let target = definition(&h, "new");
    let to_job = definition(&h, "job");
    let mapping = [("a", "a2"), ("u", "u2")];
    assert_eq!(
        refusal(migrate(&mut h, instance, to_job, &mapping)),
        format!(
            "INVALID_STATE Expected to migrate process instance '{instance}' but active user task with id 'u' and implementation 'zeebe user task' is mapped to an user task with id 'u2' and different implementation 'job worker'. Elements must be mapped to elements of the same implementation."
        )
    );
    migrate(&mut h, instance, target, &mapping).unwrap();
    let (incident, record) = h.incidents()[0].clone();
    assert_eq!(record.element_id, "a2");
    assert_eq!(record.process_definition_key, target);
    h.set_variables(instance, r#"{"missing":"work"}"#).unwrap();
    h.resolve(incident).unwrap();
    h.complete("work", "");
    let task = h.log.iter().find_map(|record| match &record.value {
        Value::UserTask(value) if record.intent == of::UserTask::Migrated.into() => {
            assert_eq!(value.element_id, "u2");
            Some(record.key)
        }
        _ => None,
    });
    let complete = Command::internal(
        task.unwrap(),
        of::UserTask::Complete,
        ringflow_core::record::value::UserTaskRecord::default(),
    );
    h.request(complete).unwrap().unwrap();
    assert!(completed(&h, "u2") && completed(&h, "new"));
    h.assert_clean();
}

#[test]
fn refusals_have_the_words_of_camunda() {
    let mut h = EngineHarness::with_config(EngineConfig::default());
    let sub = r#"<bpmn:subProcess id="sub"><bpmn:startEvent id="i"/><bpmn:serviceTask id="deep"><bpmn:extensionElements><zeebe:taskDefinition type="deep"/></bpmn:extensionElements></bpmn:serviceTask></bpmn:subProcess>"#;
    let more = [
        node("manualTask", "manual"),
        sub.to_owned(),
        boundary("m", "b", true, &message("m1")),
        boundary("t", "b", true, TIMER),
    ];
    let new = with_messages(&straight("new", &["b", "c"], &more.concat()));
    let old = [
        boundary("m1", "a", true, &message("m1")),
        boundary("m2", "a", true, &message("m2")),
    ];
    h.deploy(&with_messages(&straight("old", &["a"], &old.concat())));
    h.deploy(&new);
    let instance = h.create("old", r#"{"key":"k"}"#);
    let target = definition(&h, "new");
    let it = format!("Expected to migrate process instance '{instance}' but ");
    let mut case = |mapping: &[(&str, &str)], expected: &str| {
        let before = h.log.len();
        let answer = migrate(&mut h, instance, target, mapping);
        assert_eq!(refusal(answer).replace(&it, ""), expected);
        assert_eq!(h.log.len() - before, 2, "the command and its rejection");
    };
    case(
        &[("a", "b"), ("a", "c")],
        "INVALID_ARGUMENT the mapping instructions contain duplicate source element ids '[a]'.",
    );
    case(
        &[("nowhere", "b")],
        "INVALID_ARGUMENT mapping instructions contain a non-existing source element id 'nowhere'. Elements provided in mapping instructions must exist in the source process definition.",
    );
    case(
        &[("a", "nowhere")],
        "INVALID_ARGUMENT mapping instructions contain a non-existing target element id 'nowhere'. Elements provided in mapping instructions must exist in the target process definition.",
    );
    case(
        &[],
        "INVALID_STATE no mapping instruction defined for active element with id 'a'. Elements cannot be migrated without a mapping.",
    );
    case(
        &[("a", "manual")],
        "INVALID_STATE active element with id 'a' and type 'SERVICE_TASK' is mapped to an element with id 'manual' and different type 'MANUAL_TASK'. Elements must be mapped to elements of the same type.",
    );
    case(
        &[("a", "deep")],
        "INVALID_STATE the flow scope of active element with id 'a' is changed. The flow scope of the active element is expected to be 'new' but was 'sub'. The flow scope of an element cannot be changed during migration yet.",
    );
    case(
        &[("a", "c"), ("m1", "m")],
        "INVALID_STATE active element with id 'a' is mapped to an element with id 'c' and has a catch event with id 'm1' that is mapped to a catch event with id 'm'. These mappings detach the catch event from the element in the target process. Catch events must stay attached to the same element instance.",
    );
    case(
        &[("a", "b"), ("m1", "m"), ("m2", "m")],
        "INVALID_STATE active element with id 'a' has a catch event attached that is mapped to a catch event with id 'm'. There are multiple mapping instructions that target this catch event: 'm1', 'm2'. Catch events cannot be merged by process instance migration. Please ensure the mapping instructions target a catch event only once.",
    );
    case(
        &[("a", "b"), ("m1", "t")],
        "INVALID_STATE active element with id 'a' has a catch event with id 'm1' that is mapped to a catch event with id 't'. These catch events have different event types: 'MESSAGE' and 'TIMER'. The event type of a catch event cannot be changed by process instance migration. Please ensure the event type of the catch event remains the same or remove the mapping instruction for these catch events.",
    );
    case(
        &[("a", "b")],
        "INVALID_STATE active element with id 'a' is already subscribed to the same message name 'm1'. Currently, migrating message subscriptions to the same message name isn't supported without a mapping. Please provide a mapping instruction between message catch event with id 'm' and the target message catch event.",
    );
    let unknown = migrate(&mut h, Key(9), target, &[]);
    assert_eq!(
        refusal(unknown),
        "NOT_FOUND Expected to migrate process instance but no process instance found with key '9'"
    );
    let unknown = migrate(&mut h, instance, Key(9), &[]);
    assert_eq!(
        refusal(unknown),
        "NOT_FOUND Expected to migrate process instance to process definition but no process definition found with key '9'"
    );
    h.cancel(instance).unwrap();
    h.run_due();
    h.assert_clean();
}

#[test]
fn a_lock_of_a_message_start_moves_to_the_other_process() {
    let mut h = EngineHarness::new();
    let model = |id: &str| {
        with_messages(&bpmn(
            id,
            &format!(
                r#"<bpmn:startEvent id="start">{}</bpmn:startEvent>{}{}"#,
                message(if id == "old" { "m1" } else { "m2" }),
                service_task("a", "a"),
                flow("f", "start", "a")
            ),
        ))
    };
    h.deploy(&model("old"));
    h.deploy(&model("new"));
    publish(&mut h, "m1");
    let instance = instances(&h, "old")[0];
    let target = definition(&h, "new");
    migrate(&mut h, instance, target, &[("a", "a")]).unwrap();
    publish(&mut h, "m2");
    assert!(instances(&h, "new").is_empty(), "the key is taken");
    publish(&mut h, "m1");
    let other = instances(&h, "old");
    let other = *other.iter().find(|key| **key != instance).unwrap();
    assert_eq!(
        refusal(migrate(&mut h, other, target, &[("a", "a")])),
        format!(
            "INVALID_STATE Expected to migrate process instance '{other}' but target process definition '{target}' has an active instance triggered by a message start event with correlation key 'k'. Only one instance per correlation key is allowed for message start events."
        )
    );
    for instance in [instance, other] {
        h.cancel(instance).unwrap();
    }
    let ended = h.log.iter().filter(|record| {
        record.record_type == RecordType::Event
            && record.intent == Intent::from(of::ProcessInstance::ElementTerminated)
    });
    assert_eq!(ended.count(), 4);
    let _ = document("");
}
