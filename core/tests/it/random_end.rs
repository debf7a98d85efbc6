//! Where random processes end under a treatment that anybody can repeat.
//!
//! The outcome is stored next to the models, in `fixture/random`, one file a seed: the process, the
//! one it calls, and how often which element completed or was terminated. The client suites deploy
//! the same models to a broker and give them the same treatment over gRPC, see
//! `tests/clients/python/random_suite.py`; no clock moves in either. `BLESS=1` writes the files.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use ringflow_core::engine::input::Command;
use ringflow_core::ids::Key;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::{
    BpmnElementType, JobKind, JobRecord, JobResult, MessageRecord, SignalRecord,
};
use ringflow_core::record::{Intent, RecordType, Value};

use super::harness::{EngineHarness, document};
use super::random_event::{no_faults, process};

const SEEDS: u64 = 20;
/// Rounds of the treatment; the suite has the same number.
const ROUNDS: u64 = 24;
const SEPARATOR: &str = "\n---\n";

/// What happens in a round: all jobs are completed in the order of their keys, or if there is none,
/// a message or a signal comes.
fn treat(h: &mut EngineHarness) {
    let mut quiet = 0;
    for round in 0..ROUNDS {
        let mut jobs = h.activate("work");
        jobs.sort_by_key(|(key, _)| *key);
        for (number, (key, job)) in (0..).zip(&jobs) {
            let done = JobRecord {
                variables: document(&format!(r#"{{"x":{}}}"#, (round + number) % 3)),
                result: result(job),
                ..JobRecord::default()
            };
            // A job before it may have ended its element.
            let _ = h.job(*key, of::Job::Complete, done);
        }
        if jobs.is_empty() {
            happen(h, quiet % 3);
            quiet += 1;
        }
    }
}

/// An ad-hoc sub-process ends when its job is completed.
fn result(job: &JobRecord) -> Vec<JobResult> {
    if job.kind != JobKind::AdHocSubProcess {
        return Vec::new();
    }
    vec![JobResult {
        kind: "adHocSubProcess".into(),
        completion_condition_fulfilled: true,
        cancel_remaining_instances: true,
        ..JobResult::default()
    }]
}

fn happen(h: &mut EngineHarness, which: u64) {
    let message = |name: &str| MessageRecord {
        name: name.into(),
        correlation_key: "k".into(),
        variables: document(r#"{"m":1}"#),
        ..MessageRecord::default()
    };
    let command = match which {
        0 => Command::internal(Key::NONE, of::Message::Publish, message("m1")),
        1 => Command::internal(Key::NONE, of::Message::Publish, message("m2")),
        _ => {
            let signal = SignalRecord {
                signal_name: "s".into(),
                variables: document(r#"{"s":1}"#),
                ..SignalRecord::default()
            };
            Command::internal(Key::NONE, of::Signal::Broadcast, signal)
        }
    };
    let _ = h.request(command);
}

/// Process id, element id and state, and how often.
fn ends(h: &EngineHarness) -> String {
    let mut ends: BTreeMap<(String, String, &str), u32> = BTreeMap::new();
    for record in h.log.iter().filter(|r| r.record_type == RecordType::Event) {
        let state = match record.intent {
            Intent::ProcessInstance(of::ProcessInstance::ElementCompleted) => "COMPLETED",
            Intent::ProcessInstance(of::ProcessInstance::ElementTerminated) => "TERMINATED",
            _ => continue,
        };
        let Value::ProcessInstance(value) = &record.value else {
            continue;
        };
        if value.bpmn_element_type != BpmnElementType::Process {
            let (process, element) = (&value.bpmn_process_id, &value.element_id);
            let end = (process.to_string(), element.to_string(), state);
            *ends.entry(end).or_default() += 1;
        }
    }
    let mut text = String::new();
    for ((process, element, state), count) in ends {
        let _ = writeln!(text, "{process} {element} {state} {count}");
    }
    text
}

/// Models with ids of their own, so that the seeds can follow each other on one broker.
fn models(seed: u64) -> [String; 2] {
    let (name, child) = (format!("random{seed}"), format!("random{seed}_child"));
    let calls = process(seed, "process")
        .replace(
            r#"process id="process""#,
            &format!(r#"process id="{name}""#),
        )
        .replace(r#"processId="child""#, &format!(r#"processId="{child}""#));
    let called = process(seed, "child")
        .replace(r#"process id="child""#, &format!(r#"process id="{child}""#));
    [calls, called]
}

#[test]
fn random_processes_end_where_they_ended() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixture/random");
    let bless = std::env::var_os("BLESS").is_some();
    for seed in 1..=SEEDS {
        let [calls, called] = models(seed);
        let mut h = EngineHarness::new();
        h.deploy(&called);
        h.deploy(&calls);
        let instance = h.create(&format!("random{seed}"), r#"{"key":"k"}"#);
        treat(&mut h);
        let _ = h.cancel(instance);
        no_faults(&h);
        h.assert_clean();
        let outcome = [calls, called, ends(&h)].join(SEPARATOR);
        let file = folder.join(format!("{seed:02}.txt"));
        if bless {
            std::fs::write(&file, &outcome).unwrap();
        }
        let stored = std::fs::read_to_string(&file).unwrap();
        assert!(outcome == stored, "seed {seed} ends otherwise:\n{outcome}");
    }
}
