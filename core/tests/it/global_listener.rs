//! Global listeners: called for every user task, around the listeners of its model; a transition
//! keeps those it began with.

use ringflow_core::engine::input::Command;
use ringflow_core::ids::Key;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::{
    GlobalListenerBatchRecord, GlobalListenerRecord, GlobalListenerSource, JobRecord,
    UserTaskRecord,
};
use ringflow_core::record::{RejectionType, Text, Value};

use super::harness::{Answer, Cluster, EngineHarness};
use super::task::{task, user_task};

fn listener(id: &str, events: &[&str]) -> GlobalListenerRecord {
    GlobalListenerRecord {
        id: id.into(),
        job_type: id.into(),
        event_types: events.iter().map(|event| Text::from(*event)).collect(),
        source: GlobalListenerSource::Api,
        ..GlobalListenerRecord::default()
    }
}

fn ask(h: &mut EngineHarness, intent: of::GlobalListener, record: GlobalListenerRecord) -> Answer {
    h.answered(Command::internal(Key::NONE, intent, record))
}

fn refusal(answer: Answer) -> (RejectionType, String) {
    let rejection = answer.expect_err("refused");
    (rejection.kind, rejection.reason.to_string())
}

/// Completes the one job of each type, in this order.
fn done(h: &mut EngineHarness, types: &[&str]) {
    for job_type in types {
        let mut jobs = h.activate(job_type);
        assert_eq!(jobs.len(), 1, "jobs of type {job_type}");
        let (key, job) = jobs.remove(0);
        assert_eq!(job.retries, 3);
        h.job(key, of::Job::Complete, JobRecord::default())
            .expect("completes");
    }
}

fn complete(h: &mut EngineHarness) {
    let (key, _) = task(h);
    h.ask(Command::internal(
        key,
        of::UserTask::Complete,
        UserTaskRecord::default(),
    ));
}

#[test]
fn they_are_called_by_priority_around_the_listeners_of_the_model() {
    let mut h = EngineHarness::new();
    let last = GlobalListenerRecord {
        after_non_global: true,
        priority: 99,
        ..listener("last", &["all"])
    };
    let first = GlobalListenerRecord {
        priority: 80,
        ..listener("first", &["completing"])
    };
    for record in [
        listener("b", &["completing"]),
        listener("a", &["completing", "canceling"]),
        last,
        first,
    ] {
        ask(&mut h, of::GlobalListener::Create, record).expect("created");
    }
    h.deploy(&user_task(
        "<zeebe:userTask/><zeebe:taskListeners><zeebe:taskListener eventType=\"completing\" \
         type=\"own\"/></zeebe:taskListeners>",
    ));
    let instance = h.create("process", "{}");
    done(&mut h, &["last"]);
    complete(&mut h);
    done(&mut h, &["first", "a", "b", "own", "last"]);
    assert!(!h.engine.state().elements.contains(&instance).unwrap());
}

#[test]
fn a_transition_keeps_the_listeners_it_began_with() {
    let mut h = EngineHarness::new();
    ask(
        &mut h,
        of::GlobalListener::Create,
        listener("old", &["completing"]),
    )
    .unwrap();
    h.deploy(&user_task("<zeebe:userTask/>"));
    h.create("process", "{}");
    complete(&mut h);
    ask(
        &mut h,
        of::GlobalListener::Create,
        listener("new", &["completing"]),
    )
    .unwrap();
    ask(&mut h, of::GlobalListener::Delete, listener("old", &[])).unwrap();
    done(&mut h, &["old"]);

    h.create("process", "{}");
    complete(&mut h);
    done(&mut h, &["new"]);
}

#[test]
fn what_does_not_fit_is_refused_in_camundas_words() {
    let mut h = EngineHarness::new();
    let mut refused = |intent, record| refusal(ask(&mut h, intent, record));
    let create = of::GlobalListener::Create;
    let invalid = RejectionType::InvalidArgument;
    assert_eq!(
        refused(create, listener(" ", &["all"])),
        (
            invalid,
            "Missing id for the provided global USER_TASK listener".to_owned()
        )
    );
    let untyped = GlobalListenerRecord {
        job_type: Text::EMPTY,
        ..listener("x", &["all"])
    };
    assert_eq!(
        refused(create, untyped).1,
        "Missing type for the provided global USER_TASK listener with id 'x'"
    );
    assert_eq!(
        refused(create, listener("x", &[])).1,
        "Missing event types for the provided global USER_TASK listener with id 'x'"
    );
    assert_eq!(
        refused(create, listener("x", &["all", "never"])).1,
        "Invalid event types for the provided global USER_TASK listener with id 'x': 'never'"
    );
    let missing = "Expected a global USER_TASK listener with id 'x' to exist, but it was not found";
    for intent in [of::GlobalListener::Update, of::GlobalListener::Delete] {
        assert_eq!(
            refused(intent, listener("x", &["all"])),
            (RejectionType::NotFound, missing.to_owned())
        );
    }
    ask(&mut h, create, listener("x", &["all"])).unwrap();
    assert_eq!(
        refusal(ask(&mut h, create, listener("x", &["all"]))),
        (
            RejectionType::AlreadyExists,
            "Expected a global USER_TASK listener with id 'x' to not exist, but a listener with the same id was found"
                .to_owned()
        )
    );
}

#[test]
fn settings_own_their_listeners_and_all_partitions_follow() {
    let mut cluster = Cluster::new(2);
    let configure = |listeners: &[&str]| {
        let record = GlobalListenerBatchRecord {
            listeners: (listeners.iter())
                .map(|id| {
                    GlobalListenerRecord {
                        source: GlobalListenerSource::Configuration,
                        ..listener(id, &["all"])
                    }
                    .into()
                })
                .collect(),
            ..GlobalListenerBatchRecord::default()
        };
        Command::internal(Key::NONE, of::GlobalListenerBatch::Configure, record)
    };
    let known = |h: &mut EngineHarness| -> Vec<String> {
        let all = h.engine.state().global_listeners.members(&0).unwrap();
        all.iter().map(ToString::to_string).collect()
    };
    cluster.at(1).process(configure(&["a", "b"]));
    ask(
        cluster.at(1),
        of::GlobalListener::Create,
        listener("client", &["all"]),
    )
    .unwrap();
    cluster.deliver();
    for partition in [1, 2] {
        assert_eq!(known(cluster.at(partition)), ["a", "b", "client"]);
    }
    let written = cluster.at(1).process(configure(&["b", "c"]));
    let batch = written.iter().find_map(|record| match &record.value {
        Value::GlobalListenerBatch(value) if value.global_listener_batch_key.is_some() => {
            Some(value.clone())
        }
        _ => None,
    });
    let batch = batch.expect("a configuration");
    assert_eq!(batch.created_listener_keys.len(), 1);
    assert_eq!(batch.updated_listener_keys.len(), 1);
    assert_eq!(batch.deleted_listener_keys.len(), 1);
    cluster.deliver();
    for partition in [1, 2] {
        assert_eq!(known(cluster.at(partition)), ["b", "c", "client"]);
    }
}
