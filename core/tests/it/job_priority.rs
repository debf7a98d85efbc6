//! The priority of a job: where it comes from, what it orders, how it is changed.

use ringflow_core::ids::Key;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::{ErrorType, JobKind, JobRecord};
use ringflow_core::record::{Intent, RejectionType, Text, Value};

use super::element::{bpmn, flow};
use super::harness::EngineHarness;

fn definition(priority: &str) -> String {
    format!(r#"<zeebe:jobPriorityDefinition priority="{priority}"/>"#)
}

/// A process of one task, with what the process and the task say about priorities.
fn process(of_process: &str, of_task: &str) -> String {
    let task = format!(
        r#"<bpmn:serviceTask id="task"><bpmn:extensionElements>
<zeebe:taskDefinition type="work"/>{of_task}</bpmn:extensionElements></bpmn:serviceTask>"#
    );
    bpmn(
        "process",
        &[
            format!("<bpmn:extensionElements>{of_process}</bpmn:extensionElements>"),
            r#"<bpmn:startEvent id="start"/>"#.to_owned(),
            task,
            r#"<bpmn:endEvent id="end"/>"#.to_owned(),
            flow("f1", "start", "task"),
            flow("f2", "task", "end"),
        ]
        .concat(),
    )
}

/// Priorities of the jobs that are handed out, in order.
fn taken(h: &mut EngineHarness) -> Vec<i32> {
    let jobs = h.activate("work");
    let priorities = jobs.iter().map(|(_, job)| job.priority).collect();
    for (key, _) in jobs {
        h.job(key, of::Job::Complete, JobRecord::default()).unwrap();
    }
    priorities
}

#[test]
fn the_task_says_it_or_the_process_or_nobody() {
    let (ten, zero) = (definition("10"), definition("0"));
    let cases = [
        (String::new(), String::new(), 0),
        (String::new(), definition("-42"), -42),
        (ten.clone(), String::new(), 10),
        (ten.clone(), zero, 0),
        (ten, definition("= tier * 2.0"), 14),
        (definition("= tier"), String::new(), 7),
    ];
    for (of_process, of_task, expected) in cases {
        let mut h = EngineHarness::new();
        h.deploy(&process(&of_process, &of_task));
        h.create("process", r#"{"tier":7}"#);
        assert_eq!(taken(&mut h), [expected], "{of_process} {of_task}");
        h.assert_clean();
    }
}

#[test]
fn listeners_have_none() {
    let mut h = EngineHarness::new();
    let listener = r#"<zeebe:executionListeners>
<zeebe:executionListener eventType="start" type="listen"/></zeebe:executionListeners>"#;
    h.deploy(&process(&definition("10"), listener));
    h.create("process", "");
    let (_, job) = h.activate("listen").remove(0);
    assert_eq!((job.kind, job.priority), (JobKind::ExecutionListener, 0));
    h.complete_key("listen");
    assert_eq!(taken(&mut h), [10]);
    h.assert_clean();
}

#[test]
fn what_is_no_number_of_32_bits_is_an_incident() {
    let cases = [
        ("true", "'NUMBER', but was 'BOOLEAN'."),
        (
            "1.5",
            "an integer within the 32-bit signed range, but was '1.5'.",
        ),
        (
            "2147483648",
            "an integer within the 32-bit signed range, but was '2147483648'.",
        ),
    ];
    for (value, told) in cases {
        let mut h = EngineHarness::new();
        h.deploy(&process("", &definition("=p")));
        let instance = h.create("process", &format!(r#"{{"p":{value}}}"#));
        let (key, incident) = h.incidents().remove(0);
        assert_eq!(incident.error_type, ErrorType::ExtractValueError);
        assert_eq!(incident.job_key, Key::NONE);
        assert_eq!(
            incident.error_message.as_str(),
            format!("Expected result of the expression 'p' for the job priority to be {told}")
        );
        h.set_variables(instance, r#"{"p":1}"#).unwrap();
        h.resolve(key).unwrap();
        assert_eq!(taken(&mut h), [1]);
        h.assert_clean();
    }
}

#[test]
fn a_static_one_is_checked_at_deployment() {
    for (given, shown) in [("high", "high"), ("2147483648", "2147483648")] {
        let mut h = EngineHarness::new();
        let bpmn = process("", &definition(given));
        let refused = h.try_deploy("process.bpmn", &bpmn).unwrap_err();
        let text = format!(
            "Expected 'priority' to be a literal integer or a FEEL expression (starting with '='), but got '{shown}'."
        );
        assert!(refused.reason.contains(&text), "{}", refused.reason);
    }
}

#[test]
fn the_highest_is_handed_out_first_and_equal_ones_as_they_came() {
    let mut h = EngineHarness::new();
    h.deploy(&process("", &definition("= p")));
    let given = [0, i32::MIN, 50, -1, i32::MAX, 0, 50, 1];
    let instances: Vec<Key> = given
        .iter()
        .map(|p| h.create("process", &format!(r#"{{"p":{p}}}"#)))
        .collect();
    let jobs = h.activate("work");
    let order: Vec<i32> = jobs.iter().map(|(_, job)| job.priority).collect();
    assert_eq!(order, [i32::MAX, 50, 50, 1, 0, 0, -1, i32::MIN]);
    let of_instance = |at: usize| jobs[at].1.process_instance_key;
    assert_eq!(
        (of_instance(1), of_instance(2)),
        (instances[2], instances[6])
    );
    assert_eq!(
        (of_instance(4), of_instance(5)),
        (instances[0], instances[5])
    );
    for (key, _) in jobs {
        h.job(key, of::Job::Complete, JobRecord::default()).unwrap();
    }
    h.assert_clean();
}

fn update(h: &mut EngineHarness, key: Key, record: JobRecord, names: &[&str]) -> Vec<Intent> {
    let from = h.log.len();
    let record = JobRecord {
        changed_attributes: names.iter().map(|name| Text::from(*name)).collect(),
        ..record
    };
    h.job(key, of::Job::Update, record).unwrap();
    let written = h.log[from + 1..].iter();
    written.map(|record| record.intent).collect()
}

#[test]
fn a_new_one_orders_what_waits_and_what_comes_back() {
    let mut h = EngineHarness::new();
    h.deploy(&process("", ""));
    for _ in 0..3 {
        h.create("process", "");
    }
    let created: Vec<Key> = (h.log.iter())
        .filter(|record| record.intent == Intent::from(of::Job::Created))
        .map(|record| record.key)
        .collect();
    let of = |priority| JobRecord {
        priority,
        retries: 5,
        ..JobRecord::default()
    };
    let events = update(&mut h, created[2], of(3), &["priority", "retries"]);
    assert_eq!(
        events,
        [
            of::Job::RetriesUpdated.into(),
            of::Job::PriorityUpdated.into(),
            of::Job::Updated.into()
        ]
    );
    update(&mut h, created[0], of(-1), &["priority"]);
    let jobs = h.activate("work");
    let keys: Vec<Key> = jobs.iter().map(|(key, _)| *key).collect();
    assert_eq!(keys, [created[2], created[1], created[0]]);
    assert_eq!((jobs[0].1.retries, jobs[2].1.retries), (5, 3));
    // Changed while a worker has it, it counts when the job can be taken again.
    update(&mut h, created[1], of(9), &["priority"]);
    h.advance(61_000);
    assert_eq!(taken(&mut h), [9, 3, -1]);
    h.assert_clean();
}

#[test]
fn an_update_changes_all_or_nothing() {
    let mut h = EngineHarness::new();
    h.deploy(&process("", ""));
    h.create("process", "");
    let key = h.log.iter().find_map(|record| match &record.value {
        Value::Job(_) => Some(record.key),
        _ => None,
    });
    let key = key.unwrap();
    let record = JobRecord {
        retries: 0,
        timeout: 1,
        priority: 5,
        changed_attributes: ["retries", "timeout", "priority"].map(Text::from).into(),
        ..JobRecord::default()
    };
    let refused = h.job(key, of::Job::Update, record.clone()).unwrap_err();
    assert_eq!(refused.kind, RejectionType::InvalidArgument);
    assert_eq!(
        refused.reason.as_str(),
        format!(
            "Expected to update retries for job with key '{key}' with a positive amount of retries, but the amount given was '0', Expected to update the timeout of job with key '{key}', but it is not active"
        )
    );
    assert_eq!(taken(&mut h), [0]);
    let refused = h.job(key, of::Job::Update, record).unwrap_err();
    assert_eq!(
        refused.reason.as_str(),
        format!("Expected to update job with key '{key}', but no such job was found")
    );
    h.assert_clean();
}
