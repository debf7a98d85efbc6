//! Random processes full of events under random treatment, on one partition and on two with lost
//! commands: process equals replay after every step, nothing faults, and when everything is
//! cancelled and expired no row is left anywhere.
//!
//! A failure prints its seed and process.

use std::collections::BTreeSet;

use ringflow_core::engine::EngineConfig;
use ringflow_core::engine::input::Command;
use ringflow_core::ids::{Key, PartitionId};
use ringflow_core::record::intent::of;
use ringflow_core::record::value::{
    ActivateElement, JobKind, JobRecord, JobResult, MessageRecord, SignalRecord, UserTaskRecord,
};
use ringflow_core::record::{RecordType, Value};

use super::harness::{Cluster, EngineHarness, document, text};
use super::random::Dice;
pub(crate) use super::random_model::process;

/// Something happens on a partition.
pub(crate) fn treat(h: &mut EngineHarness, dice: &mut Dice, key: &str) {
    match dice.roll(9) {
        0 => h.advance(11_000),
        1 => h.advance(31_000),
        2 | 3 => {
            let jobs = h.activate("work");
            for (job, given) in jobs {
                let x = dice.roll(3);
                let record = JobRecord {
                    error_code: "broken".into(),
                    variables: document(&format!(r#"{{"x":{x}}}"#)),
                    retries: 1,
                    result: decision(dice, &given),
                    ..JobRecord::default()
                };
                let intent = match dice.roll(4) {
                    0 => of::Job::Fail,
                    _ => of::Job::Complete,
                };
                let _ = h.job(job, intent, record);
            }
        }
        4 | 5 => {
            let tasks: Vec<Key> = h
                .log
                .iter()
                .filter(|record| record.intent == of::UserTask::Created.into())
                .map(|record| record.key)
                .collect();
            for task in tasks {
                let command =
                    Command::internal(task, of::UserTask::Complete, UserTaskRecord::default());
                let _ = h.request(command);
            }
        }
        6 => {
            let record = SignalRecord {
                signal_name: "s".into(),
                variables: document(r#"{"s":1}"#),
                ..SignalRecord::default()
            };
            let _ = h.request(Command::internal(Key::NONE, of::Signal::Broadcast, record));
        }
        _ => publish(h, dice, key),
    }
}

/// What the job of an ad-hoc sub-process says; some of it is refused.
fn decision(dice: &mut Dice, job: &JobRecord) -> Vec<JobResult> {
    if job.kind != JobKind::AdHocSubProcess {
        return Vec::new();
    }
    let activities = ["a", "b"][..dice.roll(3) as usize].iter();
    vec![JobResult {
        kind: "adHocSubProcess".into(),
        activate_elements: activities
            .map(|name| ActivateElement {
                element_id: format!("{}_{name}", job.element_id).into(),
                variables: document(r#"{"local":1}"#),
            })
            .collect(),
        completion_condition_fulfilled: dice.roll(3) == 0,
        cancel_remaining_instances: dice.roll(2) == 0,
        ..JobResult::default()
    }]
}

fn publish(h: &mut EngineHarness, dice: &mut Dice, key: &str) {
    let record = MessageRecord {
        name: if dice.roll(2) == 0 { "m1" } else { "m2" }.into(),
        correlation_key: key.into(),
        time_to_live: dice.roll(2) as i64 * 15_000,
        variables: document(r#"{"m":1}"#),
        ..MessageRecord::default()
    };
    let _ = h.request(Command::internal(Key::NONE, of::Message::Publish, record));
}

pub(crate) fn no_faults(h: &EngineHarness) {
    for (at, record) in h.log.iter().enumerate() {
        if let Value::Error(fault) = &record.value {
            let from = at.saturating_sub(40);
            panic!(
                "fault: {}\n{}",
                fault.exception_message,
                text(&h.log[from..=at])
            );
        }
    }
}

/// What was written, as value type and intent.
type Seen = BTreeSet<String>;

fn seen(h: &EngineHarness) -> impl Iterator<Item = String> {
    let events = h
        .log
        .iter()
        .filter(|record| record.record_type == RecordType::Event);
    events.map(|record| format!("{:?}", record.intent))
}

fn one_partition(seed: u64) -> Seen {
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut h = EngineHarness::with_config(EngineConfig {
        max_commands_in_batch: 1 + dice.roll(40) as usize,
        ..EngineConfig::default()
    });
    h.deploy(&process(seed, "child"));
    h.deploy(&process(seed, "process"));
    let instances: Vec<Key> = (0..2)
        .map(|_| h.create("process", r#"{"key":"k"}"#))
        .collect();
    h.run_due();
    for _ in 0..40 {
        treat(&mut h, &mut dice, "k");
        h.run_due();
    }
    no_faults(&h);
    for instance in instances {
        let _ = h.cancel(instance);
        h.run_due();
    }
    h.advance(100_000);
    no_faults(&h);
    h.assert_clean();
    seen(&h).collect()
}

fn two_partitions(seed: u64) -> Seen {
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut c = Cluster::new(2);
    c.at(1).deploy(&process(seed, "child"));
    c.deliver();
    c.at(1).deploy(&process(seed, "process"));
    c.deliver();
    let keys: Vec<String> = (1..=2)
        .map(|partition| {
            (0..)
                .map(|n| format!("k{n}"))
                .find(|key| PartitionId::of_correlation_key(key, 2) == PartitionId(partition))
                .unwrap()
        })
        .collect();
    let mut instances = Vec::new();
    for number in 1..=2 {
        for key in &keys {
            let variables = format!(r#"{{"key":"{key}"}}"#);
            instances.push((number, c.at(number).create("process", &variables)));
        }
    }
    for _ in 0..60 {
        let number = 1 + dice.roll(2) as u16;
        let key = keys[usize::from(number) - 1].clone();
        treat(c.at(number), &mut dice, &key);
        if dice.roll(5) == 0 {
            // Sends are best effort.
            let lost = 1 + dice.roll(2) as u16;
            c.at(lost).outbox.clear();
        }
        if dice.roll(3) == 0 {
            c.deliver();
        }
    }
    for (number, instance) in instances {
        let _ = c.at(number).cancel(instance);
        c.at(number).run_due();
    }
    for _ in 0..8 {
        for number in 1..=2 {
            c.at(number).advance(31_000);
        }
        c.deliver();
    }
    for number in 1..=2 {
        no_faults(c.at(number));
        c.at(number).assert_clean();
    }
    c.partitions.iter().flat_map(seen).collect()
}

/// Runs seeds; all of them together must have written `wanted`.
fn all(test: fn(u64) -> Seen, count: u64, wanted: &[&str]) {
    let asked = std::env::var("RANDOM_SEEDS").ok();
    let count = asked.and_then(|count| count.parse().ok()).unwrap_or(count);
    let mut written = Seen::new();
    for seed in 1..=count {
        match std::panic::catch_unwind(|| test(seed)) {
            Ok(seen) => written.extend(seen),
            Err(panic) => {
                let (process, child) = (process(seed, "process"), process(seed, "child"));
                println!("seed {seed}:\n{process}\n{child}");
                std::panic::resume_unwind(panic);
            }
        }
    }
    for intent in wanted {
        assert!(written.contains(*intent), "no {intent} among {written:?}");
    }
}

const EVENTS: &[&str] = &[
    "TIMER TRIGGERED",
    "TIMER CANCELED",
    "MESSAGE EXPIRED",
    "MESSAGE_SUBSCRIPTION CORRELATED",
    "MESSAGE_SUBSCRIPTION DELETED",
    "PROCESS_MESSAGE_SUBSCRIPTION CORRELATED",
    "SIGNAL BROADCASTED",
    "SIGNAL_SUBSCRIPTION DELETED",
    "USER_TASK COMPLETED",
    "USER_TASK CANCELED",
    "PROCESS_EVENT TRIGGERED",
    "JOB CANCELED",
    "COMPENSATION_SUBSCRIPTION TRIGGERED",
    "COMPENSATION_SUBSCRIPTION COMPLETED",
    "COMPENSATION_SUBSCRIPTION DELETED",
    "CONDITIONAL_SUBSCRIPTION TRIGGERED",
    "CONDITIONAL_SUBSCRIPTION DELETED",
    "AD_HOC_SUB_PROCESS_INSTRUCTION ACTIVATED",
    "AD_HOC_SUB_PROCESS_INSTRUCTION COMPLETED",
    "MULTI_INSTANCE INPUT_COLLECTION_EVALUATED",
];

#[test]
fn events_in_any_order_leave_nothing() {
    all(one_partition, 60, EVENTS);
}

#[test]
fn lost_commands_between_partitions_leave_nothing() {
    let crossing = [
        "MESSAGE_SUBSCRIPTION REJECTED",
        "PROCESS_MESSAGE_SUBSCRIPTION DELETED",
    ];
    all(two_partitions, 30, &[EVENTS, &crossing].concat());
}
