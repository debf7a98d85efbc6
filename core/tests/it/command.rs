//! What each command does beyond elements: jobs, variables, incidents, deployments, distribution.

use std::cell::RefCell;
use std::rc::Rc;

use ringflow_core::engine::effect::{Effect, StreamId};
use ringflow_core::engine::input::Command;
use ringflow_core::engine::{Engine, EngineConfig, Step, StreamSpec, begins_step};
use ringflow_core::ids::Key;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::{ErrorType, JobRecord, default_tenant};
use ringflow_core::record::{Document, Intent, RecordType};
use ringflow_core::state::memory::MemoryStore;
use ringflow_core::state::store::{ReadError, StateRead, Visit};

use super::element::{bpmn, flow, service_task};
use super::harness::{Cluster, EngineHarness, document, json_of};

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

fn started() -> (EngineHarness, Key) {
    let mut h = EngineHarness::new();
    h.deploy(&one_task());
    let instance = h.create("process", r#"{"a":1}"#);
    (h, instance)
}

#[test]
fn a_failed_job_is_tried_again_after_its_backoff() {
    let (mut h, _) = started();
    let (key, job) = h.activate("work").remove(0);
    assert_eq!(json_of(&job.variables), r#"{"a":1}"#);
    let failed = JobRecord {
        retries: 1,
        retry_backoff: 5000,
        error_message: "not now".into(),
        variables: document(r#"{"local":true}"#),
        ..JobRecord::default()
    };
    h.job(key, of::Job::Fail, failed).unwrap();
    assert!(h.activate("work").is_empty());
    h.advance(4000);
    assert!(h.activate("work").is_empty());
    h.advance(2000);
    let (_, job) = h.activate("work").remove(0);
    assert_eq!(job.retries, 1);
    assert_eq!(json_of(&job.variables), r#"{"a":1,"local":true}"#);
    h.job(key, of::Job::Complete, JobRecord::default()).unwrap();
    h.assert_clean();
}

#[test]
fn a_job_without_retries_waits_for_its_incident() {
    let (mut h, _) = started();
    let (key, _) = h.activate("work").remove(0);
    h.job(
        key,
        of::Job::Fail,
        JobRecord {
            retries: 0,
            ..JobRecord::default()
        },
    )
    .unwrap();
    let (incident, record) = h.incidents().remove(0);
    assert_eq!(record.error_type, ErrorType::JobNoRetries);
    let refused = h
        .job(key, of::Job::Complete, JobRecord::default())
        .unwrap_err();
    assert_eq!(
        refused.reason.as_str(),
        format!("Expected to complete job with key '{key}', but it is in state 'FAILED'")
    );
    assert!(
        h.resolve(incident)
            .unwrap_err()
            .reason
            .contains("has no retries left")
    );
    let update = JobRecord {
        retries: 2,
        ..JobRecord::default()
    };
    h.job(key, of::Job::UpdateRetries, update).unwrap();
    assert!(h.activate("work").is_empty());
    h.resolve(incident).unwrap();
    assert!(h.incidents().is_empty());
    h.complete("work", "");
    h.assert_clean();
}

#[test]
fn a_job_times_out_and_can_be_taken_again() {
    let (mut h, _) = started();
    let (key, _) = h.activate("work").remove(0);
    h.advance(59_000);
    assert!(h.activate("work").is_empty());
    h.advance(2_000);
    assert_eq!(h.activate("work").len(), 1);
    h.job(key, of::Job::Complete, JobRecord::default()).unwrap();
    h.assert_clean();
}

#[test]
fn a_stream_gets_the_job_in_the_step_that_makes_it_activatable() {
    let mut h = EngineHarness::new();
    h.deploy(&one_task());
    let spec = StreamSpec {
        job_type: "work".into(),
        worker: "pushed".into(),
        timeout: 1000,
        fetch_variables: vec!["a".into()],
        tenant_ids: vec![default_tenant()],
        authorization: Document::EMPTY,
    };
    h.engine.streams().add(StreamId(7), spec);
    h.create("process", r#"{"a":1,"b":2}"#);
    let Some(Effect::PushJob { stream, key, job }) = h.effects.pop() else {
        panic!("not pushed");
    };
    assert_eq!(stream, StreamId(7));
    assert_eq!(json_of(&job.variables), r#"{"a":1}"#);
    h.engine.streams().remove(StreamId(7));
    h.advance(2000);
    assert_eq!(h.activate("work").len(), 1);
    h.job(key, of::Job::Complete, JobRecord::default()).unwrap();
    h.assert_clean();
}

#[test]
fn variables_go_to_the_nearest_scope_that_has_them() {
    let (mut h, instance) = started();
    h.set_variables(instance, r#"{"a":2,"c":3}"#).unwrap();
    let (_, job) = h.activate("work").remove(0);
    assert_eq!(json_of(&job.variables), r#"{"a":2,"c":3}"#);
    let refused = h.set_variables(Key(42), "").unwrap_err();
    assert!(refused.reason.contains("no such element was found"));
    h.cancel(instance).unwrap();
    h.assert_clean();
}

#[test]
fn the_same_file_is_not_a_new_version() {
    let mut h = EngineHarness::new();
    h.deploy(&one_task());
    let rows = h.engine.state().rows().unwrap().len();
    h.deploy(&one_task());
    assert_eq!(h.engine.state().rows().unwrap().len(), rows);
    h.deploy(&one_task().replace("work", "other"));
    h.create("process", "");
    assert_eq!(h.activate("other").len(), 1);
}

#[test]
fn a_deployment_reaches_every_partition_once() {
    let mut cluster = Cluster::new(3);
    cluster.at(1).deploy(&one_task());
    // Every command arrives twice.
    let sent: Vec<_> = cluster.at(1).outbox.clone();
    cluster.at(1).outbox.extend(sent);
    cluster.deliver();
    for number in 1..=3 {
        let instance = cluster.at(number).create("process", "");
        assert_eq!(instance.partition().0, number);
        cluster.at(number).complete("work", "");
        cluster.at(number).assert_clean();
    }
    let finished = |record: &ringflow_core::record::Record| {
        record.record_type == RecordType::Event
            && record.intent == Intent::CommandDistribution(of::CommandDistribution::Finished)
    };
    assert_eq!(
        cluster
            .at(1)
            .log
            .iter()
            .filter(|record| finished(record))
            .count(),
        1
    );
}

#[test]
fn a_lost_distribution_is_sent_again() {
    let mut cluster = Cluster::new(2);
    cluster.at(1).deploy(&one_task());
    cluster.at(1).outbox.clear();
    let mut due = ringflow_core::engine::Due::default();
    for _ in 0..5 {
        let harness = cluster.at(1);
        harness.now = harness.now.plus_millis(11_000);
        harness.engine.due(harness.now, 10, &mut due);
    }
    assert!(
        due.effects
            .iter()
            .any(|effect| matches!(effect, Effect::Send { .. }))
    );
}

#[test]
fn a_leader_that_recovers_goes_on_where_the_last_one_was() {
    let (mut h, _) = started();
    h.restart(EngineConfig::default());
    h.complete("work", "");
    h.assert_clean();
}

/// A process with `count` parallel service tasks.
fn wide(count: usize) -> String {
    let tasks = (0..count).map(|n| {
        let id = format!("t{n}");
        service_task(&id, "work") + &flow(&format!("f{n}"), "start", &id)
    });
    bpmn(
        "wide",
        &(r#"<bpmn:startEvent id="start"/>"#.to_owned() + &tasks.collect::<String>()),
    )
}

#[test]
fn a_step_stops_at_its_command_limit_and_goes_on_later() {
    let mut h = EngineHarness::new();
    h.deploy(&wide(130));
    let instance = h.create("wide", "");
    assert!(h.engine.next_due().is_some_and(|time| time <= h.now));
    h.run_due();
    assert_eq!(h.engine.next_due(), None);
    let mut taken = 0;
    loop {
        let jobs = h.activate("work");
        if jobs.is_empty() {
            break;
        }
        taken += jobs.len();
    }
    assert_eq!(taken, 130);
    h.cancel(instance).unwrap();
    h.run_due();
    h.assert_clean();
}

#[test]
fn a_continuation_survives_the_leader() {
    let mut h = EngineHarness::new();
    h.deploy(&wide(130));
    let instance = h.create("wide", "");
    h.restart(EngineConfig::default());
    h.run_due();
    h.restart(EngineConfig::default());
    assert_eq!(h.activate("work").len(), 100);
    h.cancel(instance).unwrap();
    h.restart(EngineConfig::default());
    h.run_due();
    h.assert_clean();
}

#[test]
fn a_step_that_is_too_large_is_cut_shorter() {
    let config = EngineConfig {
        max_batch_bytes: 40_000,
        ..EngineConfig::default()
    };
    let mut h = EngineHarness::with_config(config);
    h.deploy(&wide(60));
    let large = format!(r#"{{"large":"{}"}}"#, "x".repeat(15_000));
    let instance = h.create("wide", &large);
    h.run_due();
    // Three jobs with the variable do not fit, two do.
    let jobs = h.activate("work");
    assert!((1..3).contains(&jobs.len()), "{}", jobs.len());
    h.cancel(instance).unwrap();
    h.run_due();
    h.assert_clean();
}

#[test]
fn a_command_that_never_fits_is_refused() {
    let config = EngineConfig {
        max_batch_bytes: 40_000,
        ..EngineConfig::default()
    };
    let mut h = EngineHarness::with_config(config);
    h.deploy(&one_task());
    let before = h.engine.state().rows().unwrap().len();
    let record = ringflow_core::record::value::ProcessInstanceCreationRecord {
        bpmn_process_id: "process".into(),
        variables: document(&format!(r#"{{"large":"{}"}}"#, "x".repeat(45_000))),
        ..Default::default()
    };
    let refused = h.try_create(record.clone()).unwrap_err();
    assert_eq!(
        refused.kind,
        ringflow_core::record::RejectionType::ExceededBatchRecordSize
    );
    assert_eq!(h.engine.state().rows().unwrap().len(), before);
    // What it carried is written nowhere, or an entry of the log could have any size.
    let create = of::ProcessInstanceCreation::Create;
    let records = h.process(Command::internal(Key::NONE, create, record));
    assert_eq!(records.len(), 2);
    assert!(records.iter().all(|it| it.value.weight() < 1_000));
}

#[test]
fn an_element_that_never_fits_waits_with_an_incident() {
    let config = EngineConfig {
        max_batch_bytes: 40_000,
        ..EngineConfig::default()
    };
    let mut h = EngineHarness::with_config(config);
    h.deploy(&super::sketch::bpmn(
        "start s
script a expr=\"=string join(for i in 1..n return `0123456789`)\"
end e
flow s a e",
    ));
    let instance = h.create("p", r#"{"n":6000}"#);
    h.run_due();
    let (incident, record) = h.incidents()[0].clone();
    assert_eq!(record.error_type, ErrorType::MessageSizeExceeded);
    assert_eq!(record.element_id, "a");
    h.set_variables(instance, r#"{"n":2}"#).unwrap();
    h.resolve(incident).unwrap();
    h.run_due();
    h.assert_clean();
}

#[test]
fn a_fault_is_contained_and_bans_the_instance() {
    let (mut h, instance) = started();
    // An internal command for an element that the model does not have.
    let record = ringflow_core::record::value::ProcessInstanceRecord {
        process_instance_key: instance,
        process_definition_key: Key(99),
        ..Default::default()
    };
    let records = h.process(Command::internal(
        Key(1),
        of::ProcessInstance::CompleteElement,
        record.clone(),
    ));
    assert_eq!(records.len(), 3);
    assert_eq!(records[1].intent, Intent::Error(of::Error::Created));
    assert_eq!(records[2].record_type, RecordType::CommandRejection);
    let dropped = h.process(Command::internal(
        Key(1),
        of::ProcessInstance::CompleteElement,
        record,
    ));
    assert!(dropped.is_empty());
    // Others go on.
    h.create("process", "");
}

#[test]
fn a_finished_instance_holds_no_memory() {
    let mut h = EngineHarness::new();
    h.deploy(&one_task());
    let run = |h: &mut EngineHarness| {
        for _ in 0..20 {
            h.create("process", r#"{"a":1}"#);
            h.complete("work", "");
        }
        h.assert_clean();
        format!("{:?}", h.engine.state())
    };
    // Table(7, 12 resident): the numbers of resident rows and groups do not grow.
    let residents = |state: &str| -> Vec<String> {
        let part = |text: &str| {
            text.split(" resident")
                .next()
                .unwrap_or_default()
                .to_owned()
        };
        state
            .split("Table(")
            .chain(state.split("Groups("))
            .map(part)
            .collect()
    };
    let first = residents(&run(&mut h));
    let second = residents(&run(&mut h));
    assert_eq!(first[1..first.len() / 2], second[1..second.len() / 2]);
}

/// A store that counts how often it is asked.
struct Counting {
    store: MemoryStore,
    asked: RefCell<Vec<Vec<u8>>>,
}

impl StateRead for Counting {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        self.asked.borrow_mut().push(key.to_vec());
        self.store.get(key)
    }
    fn scan(&self, from: &[u8], to: &[u8], visit: Visit<'_>) -> Result<(), ReadError> {
        self.asked.borrow_mut().push(from.to_vec());
        self.store.scan(from, to, visit)
    }
}

#[test]
fn a_running_instance_never_asks_the_store() {
    let store = Rc::new(Counting {
        store: MemoryStore::default(),
        asked: RefCell::default(),
    });
    let mut h = EngineHarness::new();
    h.engine = Engine::open(EngineConfig::default(), store.clone()).unwrap();
    h.deploy(&one_task());
    h.create("process", r#"{"a":1}"#);
    h.complete("work", "");
    store.asked.borrow_mut().clear();
    let mut step = Step::default();
    let commands = h.log.clone();
    for record in commands.iter().filter(|record| begins_step(record)).skip(1) {
        let key = match record.intent {
            Intent::Job(_) => h.engine.state().job_deadlines.iter().last().unwrap().1,
            _ => record.key,
        };
        let command = Command::internal(key, record.intent, record.value.clone());
        h.engine.process(h.now, command, &mut step);
    }
    assert!(step.records.len() > 30);
    assert_eq!(store.asked.borrow().as_slice(), &[] as &[Vec<u8>]);
}

#[test]
fn a_deletion_never_overtakes_its_deployment() {
    let mut cluster = Cluster::new(2);
    cluster.at(1).deploy(&one_task());
    let lost = std::mem::take(&mut cluster.at(1).outbox);
    let definition = cluster
        .at(1)
        .engine
        .state()
        .latest_definition(&default_tenant(), &"process".into())
        .unwrap()
        .unwrap();
    let deletion = ringflow_core::record::value::ResourceDeletionRecord {
        resource_key: definition.record.process_definition_key,
        ..Default::default()
    };
    cluster.at(1).process(Command::internal(
        Key::NONE,
        of::ResourceDeletion::Delete,
        deletion,
    ));
    cluster.deliver();
    assert_eq!(cluster.at(2).log.len(), 0, "waits for the deployment");
    cluster.at(1).outbox = lost;
    cluster.deliver();
    for number in 1..=2 {
        let known = cluster
            .at(number)
            .engine
            .state()
            .latest_definition(&default_tenant(), &"process".into());
        assert!(known.unwrap().is_none(), "partition {number}");
        cluster.at(number).assert_clean();
    }
}
