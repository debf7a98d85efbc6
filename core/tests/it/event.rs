//! Catch events of all kinds and positions: what they wait for, what triggers them, what is left.

use ringflow_core::engine::input::{Command, RequestId};
use ringflow_core::engine::{Engine, EngineConfig};
use ringflow_core::ids::{Key, PartitionId};
use ringflow_core::record::intent::of;
use ringflow_core::record::value::{
    ErrorType, MessageCorrelationRecord, MessageRecord, ResourceDeletionRecord, SignalRecord,
};
use ringflow_core::record::{Intent, Record, RecordType, RejectionType, Value};
use ringflow_core::state::memory::MemoryStore;

use super::element::{bpmn, flow, service_task};
use super::harness::{Answer, Cluster, EngineHarness, document, text};

/// Records of the given value types, as text.
fn about(records: &[Record], names: &[&str]) -> String {
    let lines = text(records);
    lines
        .lines()
        .filter(|line| names.contains(&line.split(' ').nth(1).unwrap_or_default()))
        .map(|line| format!("{line}\n"))
        .collect()
}

/// A BPMN file around process content and what stands beside the process.
fn bpmn_with(id: &str, roots: &str, content: &str) -> String {
    bpmn(id, content).replace("<bpmn:process", &format!("{roots}<bpmn:process"))
}

fn message_ref(name: &str) -> String {
    format!(
        r#"<bpmn:message id="{name}" name="{name}"><bpmn:extensionElements>
<zeebe:subscription correlationKey="=key"/></bpmn:extensionElements></bpmn:message>"#
    )
}

fn start() -> String {
    r#"<bpmn:startEvent id="start"/>"#.to_owned()
}

fn end(id: &str) -> String {
    format!(r#"<bpmn:endEvent id="{id}"/>"#)
}

fn timer(kind: &str, text: &str) -> String {
    format!(
        r#"<bpmn:timerEventDefinition><bpmn:{kind}>{text}</bpmn:{kind}></bpmn:timerEventDefinition>"#
    )
}

fn message(name: &str) -> String {
    format!(r#"<bpmn:messageEventDefinition messageRef="{name}"/>"#)
}

fn signal(name: &str) -> String {
    format!(r#"<bpmn:signalEventDefinition signalRef="{name}"/>"#)
}

fn catch(id: &str, definition: &str) -> String {
    format!(r#"<bpmn:intermediateCatchEvent id="{id}">{definition}</bpmn:intermediateCatchEvent>"#)
}

fn boundary(id: &str, host: &str, interrupting: bool, definition: &str) -> String {
    format!(
        r#"<bpmn:boundaryEvent id="{id}" attachedToRef="{host}" cancelActivity="{interrupting}">{definition}</bpmn:boundaryEvent>"#
    )
}

fn event_sub_process(id: &str, interrupting: bool, definition: &str) -> String {
    format!(
        r#"<bpmn:subProcess id="{id}" triggeredByEvent="true">
<bpmn:startEvent id="{id}_start" isInterrupting="{interrupting}">{definition}</bpmn:startEvent>
<bpmn:endEvent id="{id}_end"/>
<bpmn:sequenceFlow id="{id}_flow" sourceRef="{id}_start" targetRef="{id}_end"/></bpmn:subProcess>"#
    )
}

/// start, one catching element, end.
fn waiting(roots: &str, element: &str, id: &str) -> String {
    bpmn_with(
        "process",
        roots,
        &[
            start(),
            element.to_owned(),
            end("end"),
            flow("f1", "start", id),
            flow("f2", id, "end"),
        ]
        .concat(),
    )
}

/// start, a service task with a boundary event, two ends.
fn guarded(roots: &str, interrupting: bool, definition: &str) -> String {
    bpmn_with(
        "process",
        roots,
        &[
            start(),
            service_task("task", "work"),
            boundary("boundary", "task", interrupting, definition),
            end("end"),
            end("caught"),
            flow("f1", "start", "task"),
            flow("f2", "task", "end"),
            flow("f3", "boundary", "caught"),
        ]
        .concat(),
    )
}

fn publish(h: &mut EngineHarness, name: &str, key: &str, ttl: i64, id: &str) -> Answer {
    let record = MessageRecord {
        name: name.into(),
        correlation_key: key.into(),
        message_id: id.into(),
        time_to_live: ttl,
        variables: document(r#"{"m":1}"#),
        ..MessageRecord::default()
    };
    h.request(Command::internal(Key::NONE, of::Message::Publish, record))
        .expect("publishing is answered at once")
}

fn correlate(h: &mut EngineHarness, name: &str, key: &str) -> Option<Answer> {
    let record = MessageCorrelationRecord {
        name: name.into(),
        correlation_key: key.into(),
        variables: document(r#"{"m":1}"#),
        ..MessageCorrelationRecord::default()
    };
    h.request(Command::internal(
        Key::NONE,
        of::MessageCorrelation::Correlate,
        record,
    ))
}

fn broadcast(h: &mut EngineHarness, name: &str) -> Answer {
    let record = SignalRecord {
        signal_name: name.into(),
        variables: document(r#"{"s":1}"#),
        ..SignalRecord::default()
    };
    h.request(Command::internal(Key::NONE, of::Signal::Broadcast, record))
        .expect("a broadcast is answered at once")
}

fn delete_definition(h: &mut EngineHarness) {
    let key = h.log.iter().rev().find_map(|record| match &record.value {
        Value::Process(_) if record.intent == Intent::Process(of::Process::Created) => {
            Some(record.key)
        }
        _ => None,
    });
    let record = ResourceDeletionRecord {
        resource_key: key.expect("something is deployed"),
        ..ResourceDeletionRecord::default()
    };
    h.request(Command::internal(
        Key::NONE,
        of::ResourceDeletion::Delete,
        record,
    ))
    .expect("answered")
    .expect("deletes");
}

fn completed(h: &EngineHarness, element: &str) -> usize {
    h.log
        .iter()
        .filter(|record| {
            record.record_type == RecordType::Event
                && record.intent == of::ProcessInstance::ElementCompleted.into()
                && matches!(&record.value, Value::ProcessInstance(value) if value.element_id == element)
        })
        .count()
}

#[test]
fn a_timer_catch_event_waits_for_its_time() {
    let mut h = EngineHarness::new();
    h.deploy(&waiting(
        "",
        &catch("wait", &timer("timeDuration", "PT10S")),
        "wait",
    ));
    h.create("process", "");
    h.advance(9_999);
    assert_eq!(completed(&h, "wait"), 0);
    let from = h.log.len();
    h.advance(1);
    let expected = "\
C TIMER TRIGGER wait repetitions=1 due=+10000ms
E TIMER TRIGGERED wait repetitions=1 due=+10000ms
E PROCESS_EVENT TRIGGERING wait {}
C PROCESS_INSTANCE COMPLETE_ELEMENT INTERMEDIATE_CATCH_EVENT wait
E PROCESS_INSTANCE ELEMENT_COMPLETING INTERMEDIATE_CATCH_EVENT wait
E PROCESS_EVENT TRIGGERED wait {}
E PROCESS_INSTANCE ELEMENT_COMPLETED INTERMEDIATE_CATCH_EVENT wait
";
    assert!(
        text(&h.log[from..]).starts_with(expected),
        "{}",
        text(&h.log[from..])
    );
    assert_eq!(completed(&h, "process"), 1);
    h.assert_clean();
}

#[test]
fn the_date_of_a_timer_may_come_from_a_variable() {
    let mut h = EngineHarness::new();
    h.deploy(&waiting(
        "",
        &catch("wait", &timer("timeDate", "=when")),
        "wait",
    ));
    h.create("process", r#"{"when":"2026-01-01T00:01:00Z"}"#);
    h.advance(59_000);
    assert_eq!(completed(&h, "wait"), 0);
    h.advance(1_000);
    assert_eq!(completed(&h, "process"), 1);
    let instance = h.create("process", r#"{"when":"tomorrow"}"#);
    let (_, incident) = h.incidents().remove(0);
    assert_eq!(incident.error_type, ErrorType::ExtractValueError);
    assert_eq!(
        incident.error_message.as_str(),
        "Invalid date-time format 'tomorrow' for expression 'when'."
    );
    h.cancel(instance).unwrap();
    h.assert_clean();
}

#[test]
fn an_interrupting_boundary_event_ends_its_host_first() {
    let mut h = EngineHarness::new();
    h.deploy(&guarded("", true, &timer("timeDuration", "PT1M")));
    h.create("process", "");
    let from = h.log.len();
    h.advance(60_000);
    let expected = "\
C TIMER TRIGGER boundary repetitions=1 due=+60000ms
E TIMER TRIGGERED boundary repetitions=1 due=+60000ms
E PROCESS_EVENT TRIGGERING boundary {}
C PROCESS_INSTANCE TERMINATE_ELEMENT SERVICE_TASK task
E PROCESS_INSTANCE ELEMENT_TERMINATING SERVICE_TASK task
E JOB CANCELED work task retries=3 {}
E PROCESS_INSTANCE ELEMENT_TERMINATED SERVICE_TASK task
E PROCESS_EVENT TRIGGERED boundary {}
E PROCESS_INSTANCE ELEMENT_ACTIVATING BOUNDARY_EVENT boundary
E PROCESS_INSTANCE ELEMENT_ACTIVATED BOUNDARY_EVENT boundary
C PROCESS_INSTANCE COMPLETE_ELEMENT BOUNDARY_EVENT boundary
E PROCESS_INSTANCE ELEMENT_COMPLETING BOUNDARY_EVENT boundary
E PROCESS_INSTANCE ELEMENT_COMPLETED BOUNDARY_EVENT boundary
E PROCESS_INSTANCE SEQUENCE_FLOW_TAKEN SEQUENCE_FLOW f3
";
    assert!(
        text(&h.log[from..]).starts_with(expected),
        "{}",
        text(&h.log[from..])
    );
    assert_eq!((completed(&h, "caught"), completed(&h, "process")), (1, 1));
    h.assert_clean();
}

#[test]
fn a_cycle_repeats_until_its_host_is_done() {
    let mut h = EngineHarness::new();
    h.deploy(&guarded("", false, &timer("timeCycle", "R3/PT10S")));
    h.create("process", "");
    h.advance(10_000);
    h.advance(10_000);
    assert_eq!(completed(&h, "caught"), 2);
    h.complete("work", "");
    h.advance(60_000);
    assert_eq!((completed(&h, "caught"), completed(&h, "process")), (2, 1));
    h.assert_clean();

    h.create("process", "");
    for _ in 0..5 {
        h.advance(10_000);
    }
    assert_eq!(completed(&h, "caught"), 5, "three times, not more");
    h.complete("work", "");
    h.assert_clean();
}

#[test]
fn a_waiting_timer_that_is_refused_is_not_tried_without_end() {
    let mut h = EngineHarness::new();
    let task = service_task("task", "work").replace(
        "<zeebe:taskDefinition",
        r#"<zeebe:ioMapping><zeebe:output source="=assert(x, x != null)" target="y"/></zeebe:ioMapping><zeebe:taskDefinition"#,
    );
    let content = [
        start(),
        task,
        boundary("boundary", "task", true, &timer("timeDuration", "PT5S")),
        end("end"),
        flow("f1", "start", "task"),
        flow("f2", "task", "end"),
        flow("f3", "boundary", "end"),
    ];
    h.deploy(&bpmn("process", &content.concat()));
    let instance = h.create("process", "");
    h.complete("work", "");
    assert_eq!(h.incidents().len(), 1, "the output mapping failed");
    h.advance(5_000);
    let tries = |h: &EngineHarness| text(&h.log).matches("C TIMER TRIGGER").count();
    assert_eq!(tries(&h), 1);
    assert!(h.engine.next_due().unwrap() > h.now);
    h.advance(10_000);
    assert_eq!(tries(&h), 2);
    h.cancel(instance).unwrap();
    assert_eq!(h.engine.next_due(), None);
    h.assert_clean();
}

#[test]
fn a_timer_starts_instances() {
    let mut h = EngineHarness::new();
    let start = format!(
        r#"<bpmn:startEvent id="start">{}</bpmn:startEvent>"#,
        timer("timeCycle", "R2/PT1H")
    );
    let file = bpmn(
        "process",
        &[start, end("end"), flow("f1", "start", "end")].concat(),
    );
    h.deploy(&file);
    let from = h.log.len();
    h.advance(3_600_000);
    let expected = "\
C TIMER TRIGGER start repetitions=2 due=+3600000ms
E TIMER TRIGGERED start repetitions=2 due=+3600000ms
E PROCESS_EVENT TRIGGERING start {}
C PROCESS_INSTANCE ACTIVATE_ELEMENT PROCESS process
E TIMER CREATED start repetitions=1 due=+7200000ms
E PROCESS_INSTANCE ELEMENT_ACTIVATING PROCESS process
E PROCESS_INSTANCE ELEMENT_ACTIVATED PROCESS process
E PROCESS_EVENT TRIGGERED start {}
E PROCESS_INSTANCE ELEMENT_ACTIVATING START_EVENT start
E PROCESS_INSTANCE ELEMENT_ACTIVATED START_EVENT start
C PROCESS_INSTANCE COMPLETE_ELEMENT START_EVENT start
";
    assert!(
        text(&h.log[from..]).starts_with(expected),
        "{}",
        text(&h.log[from..])
    );
    h.deploy(&file.replace("PT1H", "PT2H"));
    h.advance(3_600_000);
    assert_eq!(
        completed(&h, "process"),
        1,
        "the old version's timer is gone"
    );
    h.advance(3_600_000);
    assert_eq!(completed(&h, "process"), 2);
    delete_definition(&mut h);
    delete_definition_of_version(&mut h, 1);
    h.assert_clean();
}

fn delete_definition_of_version(h: &mut EngineHarness, version: i32) {
    let key = h.log.iter().find_map(|record| match &record.value {
        Value::Process(value) if value.version == version => Some(record.key),
        _ => None,
    });
    let record = ResourceDeletionRecord {
        resource_key: key.unwrap(),
        ..ResourceDeletionRecord::default()
    };
    h.request(Command::internal(
        Key::NONE,
        of::ResourceDeletion::Delete,
        record,
    ))
    .unwrap()
    .unwrap();
}

#[test]
fn a_start_event_that_cannot_be_evaluated_refuses_the_deployment() {
    let mut h = EngineHarness::new();
    let start = format!(
        r#"<bpmn:startEvent id="start">{}</bpmn:startEvent>"#,
        timer("timeDate", "=nowhere")
    );
    let file = bpmn(
        "process",
        &[start, end("end"), flow("f1", "start", "end")].concat(),
    );
    h.try_deploy("process.bpmn", &file).unwrap_err();
    h.assert_clean();
    assert!(
        h.log
            .iter()
            .all(|record| record.record_type != RecordType::Event),
        "nothing is written"
    );
}

#[test]
fn a_message_reaches_the_instance_that_waits_for_it() {
    let mut h = EngineHarness::new();
    h.deploy(&waiting(
        &message_ref("paid"),
        &catch("wait", &message("paid")),
        "wait",
    ));
    let from = h.log.len();
    h.create("process", r#"{"key":"k1"}"#);
    let opened = "\
E PROCESS_MESSAGE_SUBSCRIPTION CREATING paid k1
C MESSAGE_SUBSCRIPTION CREATE paid k1
E MESSAGE_SUBSCRIPTION CREATED paid k1
C PROCESS_MESSAGE_SUBSCRIPTION CREATE paid 
E PROCESS_MESSAGE_SUBSCRIPTION CREATED paid k1
";
    const MESSAGES: &[&str] = &[
        "MESSAGE",
        "MESSAGE_SUBSCRIPTION",
        "PROCESS_MESSAGE_SUBSCRIPTION",
        "PROCESS_EVENT",
        "VARIABLE",
    ];
    assert_eq!(
        about(&h.log[from..], MESSAGES),
        format!("E VARIABLE CREATED key=\"k1\"\n{opened}")
    );
    publish(&mut h, "paid", "other", 0, "").unwrap();
    publish(&mut h, "other", "k1", 0, "").unwrap();
    let from = h.log.len();
    publish(&mut h, "paid", "k1", 0, "").unwrap();
    let correlated = "\
C MESSAGE PUBLISH paid k1
E MESSAGE PUBLISHED paid k1
E MESSAGE_SUBSCRIPTION CORRELATING paid k1
C PROCESS_MESSAGE_SUBSCRIPTION CORRELATE paid k1
E MESSAGE EXPIRED paid k1
E PROCESS_MESSAGE_SUBSCRIPTION CORRELATED paid k1
E PROCESS_EVENT TRIGGERING wait {\"m\":1}
C MESSAGE_SUBSCRIPTION CORRELATE paid\x20
E PROCESS_EVENT TRIGGERED wait {}
E VARIABLE CREATED m=1
E MESSAGE_SUBSCRIPTION CORRELATED paid k1
";
    assert_eq!(about(&h.log[from..], MESSAGES), correlated);
    assert_eq!(completed(&h, "process"), 1);
    h.assert_clean();
}

#[test]
fn a_buffered_message_is_taken_by_a_later_subscription_once() {
    let mut h = EngineHarness::new();
    h.deploy(&waiting(
        &message_ref("paid"),
        &catch("wait", &message("paid")),
        "wait",
    ));
    publish(&mut h, "paid", "k1", 60_000, "id").unwrap();
    let refused = publish(&mut h, "paid", "k1", 60_000, "id").unwrap_err();
    assert_eq!(refused.kind, RejectionType::AlreadyExists);
    h.create("process", r#"{"key":"k1"}"#);
    assert_eq!(completed(&h, "process"), 1);
    let second = h.create("process", r#"{"key":"k1"}"#);
    assert_eq!(completed(&h, "process"), 1, "once per process");
    h.advance(62_000);
    publish(&mut h, "paid", "k2", 1_000, "id").unwrap();
    h.cancel(second).unwrap();
    h.advance(5_000);
    assert!(text(&h.log).contains("MESSAGE_BATCH EXPIRE"));
    h.assert_clean();
}

#[test]
fn a_receive_task_takes_a_number_as_correlation_key() {
    let mut h = EngineHarness::new();
    let task = r#"<bpmn:receiveTask id="wait" messageRef="paid"/>"#;
    h.deploy(&waiting(&message_ref("paid"), task, "wait"));
    h.create("process", r#"{"key":7}"#);
    publish(&mut h, "paid", "7", 0, "").unwrap();
    assert_eq!(completed(&h, "process"), 1);
    let instance = h.create("process", r#"{"key":[]}"#);
    let (key, incident) = h.incidents().remove(0);
    assert_eq!(
        incident.error_message.as_str(),
        "Failed to extract the correlation key for 'key': The value must be either a string or a number, but was 'ARRAY'."
    );
    h.set_variables(instance, r#"{"key":"8"}"#).unwrap();
    h.resolve(key).unwrap();
    publish(&mut h, "paid", "8", 0, "").unwrap();
    assert_eq!(completed(&h, "process"), 2);
    h.assert_clean();
}

#[test]
fn a_non_interrupting_message_boundary_event_takes_every_message() {
    let mut h = EngineHarness::new();
    h.deploy(&guarded(&message_ref("paid"), false, &message("paid")));
    publish(&mut h, "paid", "k", 10_000, "").unwrap();
    publish(&mut h, "paid", "k", 10_000, "").unwrap();
    h.create("process", r#"{"key":"k"}"#);
    assert_eq!(completed(&h, "caught"), 2, "both buffered messages");
    publish(&mut h, "paid", "k", 0, "").unwrap();
    assert_eq!(completed(&h, "caught"), 3);
    h.complete("work", "");
    assert_eq!(completed(&h, "process"), 1);
    h.advance(20_000);
    h.assert_clean();
}

#[test]
fn one_instance_per_correlation_key_is_started_by_messages() {
    let mut h = EngineHarness::new();
    let start = format!(
        r#"<bpmn:startEvent id="start">{}</bpmn:startEvent>"#,
        message("order")
    );
    let content = [
        start,
        service_task("task", "work"),
        end("end"),
        flow("f1", "start", "task"),
        flow("f2", "task", "end"),
    ];
    let root = r#"<bpmn:message id="order" name="order"/>"#;
    h.deploy(&bpmn_with("process", root, &content.concat()));
    let from = h.log.len();
    publish(&mut h, "order", "k", 60_000, "").unwrap();
    assert!(
        about(&h.log[from..], &["MESSAGE_START_EVENT_SUBSCRIPTION", "VARIABLE"])
            .contains("E MESSAGE_START_EVENT_SUBSCRIPTION CORRELATED order start\nE VARIABLE CREATED m=1\nE VARIABLE CREATED m=1\n"),
        "payload local to the start event, then in the process"
    );
    publish(&mut h, "order", "k", 60_000, "").unwrap();
    publish(&mut h, "order", "k", 60_000, "").unwrap();
    assert_eq!(
        h.activate("work").len(),
        1,
        "the second one waits for the first"
    );
    h.complete_key("work");
    assert_eq!(completed(&h, "process"), 1);
    assert_eq!(h.activate("work").len(), 1, "the next buffered message");
    h.complete_key("work");
    assert_eq!(h.activate("work").len(), 1);
    h.complete_key("work");
    assert!(h.activate("work").is_empty());
    publish(&mut h, "order", "", 0, "").unwrap();
    publish(&mut h, "order", "", 0, "").unwrap();
    let jobs = h.activate("work");
    assert_eq!(jobs.len(), 2, "without correlation key there is no lock");
    for (_, job) in jobs {
        h.cancel(job.process_instance_key).unwrap();
    }
    h.advance(62_000);
    delete_definition(&mut h);
    h.assert_clean();
}

#[test]
fn correlating_answers_when_an_instance_has_the_message() {
    let mut h = EngineHarness::new();
    h.deploy(&waiting(
        &message_ref("paid"),
        &catch("wait", &message("paid")),
        "wait",
    ));
    let refused = correlate(&mut h, "paid", "k").unwrap().unwrap_err();
    assert_eq!(refused.kind, RejectionType::NotFound);
    assert_eq!(
        refused.reason.as_str(),
        "Expected to find subscription for message with name 'paid' and correlation key 'k', but none was found."
    );
    h.assert_clean();
    let instance = h.create("process", r#"{"key":"k"}"#);
    let response = correlate(&mut h, "paid", "k").unwrap().unwrap();
    let Value::MessageCorrelation(value) = response.value else {
        panic!("another answer");
    };
    assert_eq!(value.process_instance_key, instance);
    assert_eq!(response.key, value.message_key);
    h.assert_clean();
}

#[test]
fn an_event_based_gateway_goes_on_with_the_first_event() {
    let mut h = EngineHarness::new();
    let content = [
        start(),
        r#"<bpmn:eventBasedGateway id="gateway"/>"#.to_owned(),
        catch("message", &message("paid")),
        catch("timer", &timer("timeDuration", "PT1H")),
        end("end1"),
        end("end2"),
        flow("f1", "start", "gateway"),
        flow("f2", "gateway", "message"),
        flow("f3", "gateway", "timer"),
        flow("f4", "message", "end1"),
        flow("f5", "timer", "end2"),
    ];
    h.deploy(&bpmn_with(
        "process",
        &message_ref("paid"),
        &content.concat(),
    ));
    h.create("process", r#"{"key":"k"}"#);
    let from = h.log.len();
    publish(&mut h, "paid", "k", 0, "").unwrap();
    let lines = about(
        &h.log[from..],
        &["PROCESS_INSTANCE", "PROCESS_EVENT", "VARIABLE", "TIMER"],
    );
    let expected = "\
E PROCESS_EVENT TRIGGERING message {\"m\":1}
C PROCESS_INSTANCE COMPLETE_ELEMENT EVENT_BASED_GATEWAY gateway
E PROCESS_INSTANCE ELEMENT_COMPLETING EVENT_BASED_GATEWAY gateway
E TIMER CANCELED timer repetitions=1 due=+3600000ms
E PROCESS_INSTANCE ELEMENT_COMPLETED EVENT_BASED_GATEWAY gateway
E PROCESS_EVENT TRIGGERED message {}
E PROCESS_INSTANCE ELEMENT_ACTIVATING INTERMEDIATE_CATCH_EVENT message
E PROCESS_INSTANCE ELEMENT_ACTIVATED INTERMEDIATE_CATCH_EVENT message
E VARIABLE CREATED m=1
C PROCESS_INSTANCE COMPLETE_ELEMENT INTERMEDIATE_CATCH_EVENT message
E PROCESS_INSTANCE ELEMENT_COMPLETING INTERMEDIATE_CATCH_EVENT message
E VARIABLE CREATED m=1
E PROCESS_INSTANCE ELEMENT_COMPLETED INTERMEDIATE_CATCH_EVENT message
E PROCESS_INSTANCE SEQUENCE_FLOW_TAKEN SEQUENCE_FLOW f4
";
    assert!(lines.starts_with(expected), "{lines}");
    assert_eq!((completed(&h, "end1"), completed(&h, "process")), (1, 1));
    h.create("process", r#"{"key":"k"}"#);
    h.advance(3_600_000);
    assert_eq!((completed(&h, "end2"), completed(&h, "process")), (1, 2));
    h.assert_clean();
}

#[test]
fn event_sub_processes_run_beside_or_instead_of_their_scope() {
    for interrupting in [false, true] {
        let mut h = EngineHarness::new();
        let content = [
            start(),
            service_task("task", "work"),
            end("end"),
            event_sub_process("handler", interrupting, &message("paid")),
            flow("f1", "start", "task"),
            flow("f2", "task", "end"),
        ];
        h.deploy(&bpmn_with(
            "process",
            &message_ref("paid"),
            &content.concat(),
        ));
        h.create("process", r#"{"key":"k"}"#);
        let from = h.log.len();
        publish(&mut h, "paid", "k", 0, "").unwrap();
        assert_eq!(completed(&h, "handler"), 1, "{}", text(&h.log[from..]));
        if interrupting {
            assert_eq!(completed(&h, "process"), 1);
            assert!(h.wrote(of::ProcessInstance::ElementTerminated, "task"));
        } else {
            assert_eq!(completed(&h, "process"), 0);
            publish(&mut h, "paid", "k", 0, "").unwrap();
            assert_eq!(completed(&h, "handler"), 2);
            h.complete("work", "");
            assert_eq!(completed(&h, "process"), 1);
        }
        h.assert_clean();
    }
}

#[test]
fn an_event_sub_process_inside_a_sub_process_interrupts_only_that() {
    let mut h = EngineHarness::new();
    let inner = [
        r#"<bpmn:startEvent id="inner_start"/>"#.to_owned(),
        service_task("task", "work"),
        end("inner_end"),
        event_sub_process("handler", true, &timer("timeDuration", "PT1M")),
        flow("i1", "inner_start", "task"),
        flow("i2", "task", "inner_end"),
    ];
    let content = [
        start(),
        format!(
            r#"<bpmn:subProcess id="sub">{}</bpmn:subProcess>"#,
            inner.concat()
        ),
        boundary("boundary", "sub", true, &message("stop")),
        service_task("after", "after"),
        end("end"),
        end("stopped"),
        flow("f1", "start", "sub"),
        flow("f2", "sub", "after"),
        flow("f3", "after", "end"),
        flow("f4", "boundary", "stopped"),
    ];
    h.deploy(&bpmn_with(
        "process",
        &message_ref("stop"),
        &content.concat(),
    ));
    h.create("process", r#"{"key":"k"}"#);
    h.advance(60_000);
    assert_eq!((completed(&h, "handler"), completed(&h, "sub")), (1, 1));
    h.complete("after", "");
    h.assert_clean();
    h.create("process", r#"{"key":"k"}"#);
    publish(&mut h, "stop", "k", 0, "").unwrap();
    assert_eq!(completed(&h, "stopped"), 1);
    assert_eq!(completed(&h, "process"), 2);
    h.assert_clean();
}

#[test]
fn a_signal_reaches_all_who_wait_and_starts_instances() {
    let mut h = EngineHarness::new();
    let root = r#"<bpmn:signal id="go" name="go"/>"#;
    h.deploy(&waiting(root, &catch("wait", &signal("go")), "wait"));
    h.create("process", "");
    h.create("process", "");
    let start = format!(
        r#"<bpmn:startEvent id="start">{}</bpmn:startEvent>"#,
        signal("go")
    );
    let content = [start, end("end"), flow("f1", "start", "end")].concat();
    h.deploy(&bpmn_with("started", root, &content));
    broadcast(&mut h, "other").unwrap();
    assert_eq!(completed(&h, "process"), 0);
    broadcast(&mut h, "go").unwrap();
    assert_eq!((completed(&h, "process"), completed(&h, "started")), (2, 1));
    delete_definition(&mut h);
    h.assert_clean();
}

#[test]
fn a_thrown_signal_is_caught_by_a_boundary_event_of_the_same_instance() {
    let mut h = EngineHarness::new();
    let root = r#"<bpmn:signal id="go" name="=name"/>"#;
    let throw = r#"<bpmn:intermediateThrowEvent id="throw"><bpmn:extensionElements><zeebe:ioMapping>
<zeebe:input source="=1 + 1" target="given"/></zeebe:ioMapping></bpmn:extensionElements>
<bpmn:signalEventDefinition signalRef="go"/></bpmn:intermediateThrowEvent>"#;
    let content = [
        start(),
        r#"<bpmn:parallelGateway id="fork"/>"#.to_owned(),
        service_task("task", "work"),
        boundary("boundary", "task", true, &signal("go")),
        throw.to_owned(),
        end("end"),
        end("caught"),
        flow("f1", "start", "fork"),
        flow("f2", "fork", "task"),
        flow("f3", "fork", "throw"),
        flow("f4", "task", "end"),
        flow("f5", "throw", "end"),
        flow("f6", "boundary", "caught"),
    ];
    h.deploy(&bpmn_with("process", root, &content.concat()));
    h.create("process", r#"{"name":"go now"}"#);
    assert!(text(&h.log).contains("E SIGNAL BROADCASTED go now\n"));
    assert_eq!((completed(&h, "caught"), completed(&h, "process")), (1, 1));
    assert!(text(&h.log).contains("E VARIABLE CREATED given=2"));
    h.assert_clean();
}

#[test]
fn links_lead_on_without_a_flow() {
    let mut h = EngineHarness::new();
    let content = [
        start(),
        r#"<bpmn:intermediateThrowEvent id="out"><bpmn:linkEventDefinition id="l1" name="A"/></bpmn:intermediateThrowEvent>"#.to_owned(),
        r#"<bpmn:intermediateCatchEvent id="in"><bpmn:linkEventDefinition id="l2" name="A"/></bpmn:intermediateCatchEvent>"#.to_owned(),
        end("end"),
        flow("f1", "start", "out"),
        flow("f2", "in", "end"),
    ];
    h.deploy(&bpmn("process", &content.concat()));
    h.create("process", "");
    assert_eq!((completed(&h, "end"), completed(&h, "process")), (1, 1));
    h.assert_clean();
}

/// A correlation key that belongs to a partition.
fn key_for(partition: u16, count: u16) -> String {
    (0..)
        .map(|n| format!("key{n}"))
        .find(|key| PartitionId::of_correlation_key(key, count) == PartitionId(partition))
        .unwrap()
}

#[test]
fn messages_cross_partitions_and_survive_lost_commands() {
    let mut c = Cluster::new(2);
    let file = waiting(
        &message_ref("paid"),
        &catch("wait", &message("paid")),
        "wait",
    );
    c.at(1).deploy(&file);
    c.deliver();
    let key = key_for(2, 2);
    let variables = format!(r#"{{"key":"{key}"}}"#);

    // The open command is lost; the next look but one sends it again.
    c.at(1).create("process", &variables);
    assert_eq!(c.at(1).outbox.len(), 1);
    c.at(1).outbox.clear();
    c.at(1).advance(31_000);
    c.at(1).advance(31_000);
    assert_eq!(c.at(1).outbox.len(), 1);
    c.deliver();
    assert!(text(&c.at(1).log).contains("E PROCESS_MESSAGE_SUBSCRIPTION CREATED paid"));

    // The acknowledgement is lost; the correlation is sent again and acknowledged once more.
    publish(c.at(2), "paid", &key, 0, "").unwrap();
    let command = c.at(2).outbox.remove(0).1;
    c.at(1).process(command);
    assert_eq!(completed(c.at(1), "process"), 1);
    c.at(1).outbox.clear();
    c.at(2).advance(31_000);
    c.at(2).advance(31_000);
    assert_eq!(c.at(2).outbox.len(), 1);
    c.deliver();
    assert_eq!(completed(c.at(1), "process"), 1);
    assert!(text(&c.at(2).log).contains("E MESSAGE_SUBSCRIPTION REJECTED"));

    // Cancelling closes both sides.
    let instance = c.at(1).create("process", &variables);
    c.deliver();
    c.at(1).cancel(instance).unwrap();
    assert!(text(&c.at(1).log).contains("E PROCESS_MESSAGE_SUBSCRIPTION DELETING"));
    c.deliver();
    assert!(text(&c.at(1).log).contains("E PROCESS_MESSAGE_SUBSCRIPTION DELETED"));
    for number in 1..=2 {
        c.at(number).assert_clean();
    }
}

#[test]
fn a_refused_message_goes_to_another_instance_of_the_process() {
    let mut c = Cluster::new(2);
    let file = waiting(
        &message_ref("paid"),
        &catch("wait", &message("paid")),
        "wait",
    );
    c.at(1).deploy(&file);
    c.deliver();
    let key = key_for(2, 2);
    let variables = format!(r#"{{"key":"{key}"}}"#);
    let first = c.at(1).create("process", &variables);
    c.at(1).create("process", &variables);
    c.deliver();
    publish(c.at(2), "paid", &key, 10_000, "").unwrap();
    c.at(1).cancel(first).unwrap();
    c.deliver();
    assert_eq!(completed(c.at(1), "process"), 1);
    assert!(text(&c.at(1).log).contains("but it is already closing"));
    c.at(2).advance(12_000);
    for number in 1..=2 {
        c.at(number).assert_clean();
    }
}

#[test]
fn a_signal_reaches_instances_on_all_partitions() {
    let mut c = Cluster::new(3);
    let root = r#"<bpmn:signal id="go" name="go"/>"#;
    c.at(1)
        .deploy(&waiting(root, &catch("wait", &signal("go")), "wait"));
    c.deliver();
    for number in 1..=3 {
        c.at(number).create("process", "");
    }
    broadcast(c.at(2), "go").unwrap();
    c.deliver();
    for number in 1..=3 {
        assert_eq!(completed(c.at(number), "process"), 1);
        c.at(number).assert_clean();
    }
}

/// The answer to any request that is still open.
fn late_answer(h: &mut EngineHarness) -> Option<Answer> {
    (1..100).find_map(|request| h.answer(RequestId(request)))
}

#[test]
fn who_correlates_across_partitions_is_answered_when_it_is_decided() {
    let mut c = Cluster::new(2);
    let file = waiting(
        &message_ref("paid"),
        &catch("wait", &message("paid")),
        "wait",
    );
    c.at(1).deploy(&file);
    c.deliver();
    let key = key_for(2, 2);
    let variables = format!(r#"{{"key":"{key}"}}"#);
    let instance = c.at(1).create("process", &variables);
    c.deliver();
    assert!(
        correlate(c.at(2), "paid", &key).is_none(),
        "not decided yet"
    );
    c.deliver();
    let response = late_answer(c.at(2)).expect("answered").expect("taken");
    let Value::MessageCorrelation(value) = response.value else {
        panic!("another answer");
    };
    assert_eq!(value.process_instance_key, instance);

    let instance = c.at(1).create("process", &variables);
    c.deliver();
    assert!(correlate(c.at(2), "paid", &key).is_none());
    c.at(1).cancel(instance).unwrap();
    c.deliver();
    let refused = late_answer(c.at(2)).expect("answered").unwrap_err();
    assert_eq!(refused.kind, RejectionType::NotFound);
    assert!(text(&c.at(2).log).contains("E MESSAGE_CORRELATION NOT_CORRELATED paid"));
    for number in 1..=2 {
        c.at(number).assert_clean();
    }
}

#[test]
fn a_message_for_another_partition_is_refused() {
    let mut c = Cluster::new(2);
    let key = key_for(1, 2);
    let refused = publish(c.at(2), "paid", &key, 0, "").unwrap_err();
    assert_eq!(refused.kind, RejectionType::InvalidState);
    assert!(
        refused
            .reason
            .contains("has not been routed to the right partition")
    );
}

#[test]
fn a_new_leader_knows_what_is_due_and_who_waits() {
    let mut h = EngineHarness::new();
    h.deploy(&guarded(&message_ref("paid"), false, &message("paid")));
    h.create("process", r#"{"key":"k"}"#);
    h.deploy(&waiting(
        "",
        &catch("wait", &timer("timeDuration", "PT10S")),
        "wait",
    ));
    h.create("process", "");
    publish(&mut h, "kept", "k", 5_000, "").unwrap();
    h.restart(EngineConfig::default());
    assert_eq!(h.engine.next_due(), Some(h.now.plus_millis(5_000)));
    publish(&mut h, "paid", "k", 0, "").unwrap();
    h.advance(10_000);
    assert_eq!((completed(&h, "caught"), completed(&h, "wait")), (1, 1));
    h.complete("work", "");
    h.assert_clean();
}

#[test]
fn an_engine_without_a_known_time_zone_does_not_open() {
    let config = EngineConfig {
        time_zone: "Nowhere/Town".to_owned(),
        ..EngineConfig::default()
    };
    let store = std::rc::Rc::new(MemoryStore::default());
    let refused = Engine::open(config, store).unwrap_err();
    assert!(refused.to_string().contains("Nowhere/Town"));
}
