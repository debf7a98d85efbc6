//! The pinned clock, and expressions that clients ask about.

use ringflow_core::engine::EngineConfig;
use ringflow_core::engine::input::Command;
use ringflow_core::ids::{Key, Timestamp};
use ringflow_core::json;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::{ClockRecord, ExpressionRecord, JobRecord, default_tenant};
use ringflow_core::record::{RejectionType, Value};

use super::element::{bpmn, flow, service_task};
use super::harness::{Answer, Cluster, EngineHarness, START, document};

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

fn pin(h: &mut EngineHarness, time: i64) -> Answer {
    let record = ClockRecord {
        time: Timestamp(time),
    };
    h.request(Command::internal(Key::NONE, of::Clock::Pin, record))
        .expect("answered")
}

fn reset(h: &mut EngineHarness) -> Answer {
    let record = ClockRecord::default();
    h.request(Command::internal(Key::NONE, of::Clock::Reset, record))
        .expect("answered")
}

#[test]
fn a_pinned_clock_decides_what_is_due_and_stamps_records() {
    let mut h = EngineHarness::new();
    h.deploy(&one_task());
    h.create("process", "");
    // Times out after a minute.
    let (key, _) = h.activate("work").remove(0);
    pin(&mut h, START).unwrap();
    h.advance(120_000);
    assert!(h.activate("work").is_empty(), "time stands still");
    assert_eq!(h.engine.next_due(), None);
    pin(&mut h, START + 60_001).unwrap();
    assert_eq!(h.engine.next_due(), Some(Timestamp(0)));
    h.run_due();
    let (again, _) = h.activate("work").remove(0);
    assert_eq!(again, key);
    assert_eq!(h.log.last().unwrap().timestamp, Timestamp(START + 60_001));
    // It survives a change of leader.
    h.restart(EngineConfig::default());
    assert_eq!(h.engine.time(Timestamp(7)), Timestamp(START + 60_001));
    reset(&mut h).unwrap();
    assert_eq!(h.engine.time(Timestamp(7)), Timestamp(7));
    h.job(key, of::Job::Complete, JobRecord::default()).unwrap();
    h.assert_clean();
}

#[test]
fn a_clock_is_not_pinned_before_the_epoch() {
    let mut h = EngineHarness::new();
    let refused = pin(&mut h, -1).unwrap_err();
    assert_eq!(refused.kind, RejectionType::InvalidArgument);
    assert_eq!(
        refused.reason,
        "Expected pin time to be not negative but it was -1"
    );
}

#[test]
fn the_clock_is_pinned_on_all_partitions() {
    let mut cluster = Cluster::new(3);
    pin(cluster.at(1), START + 1).unwrap();
    cluster.deliver();
    for number in 1..=3 {
        let time = cluster.at(number).engine.time(Timestamp(0));
        assert_eq!(time, Timestamp(START + 1));
    }
    assert!(
        cluster
            .at(1)
            .engine
            .state()
            .pending_distributions
            .is_empty()
    );
    reset(cluster.at(1)).unwrap();
    cluster.deliver();
    for number in 1..=3 {
        let time = cluster.at(number).engine.time(Timestamp(0));
        assert_eq!(time, Timestamp(0));
    }
}

/// The value as JSON and the number of warnings.
fn evaluate(
    h: &mut EngineHarness,
    expression: &str,
    scope: Key,
    variables: &str,
) -> Result<(String, usize), String> {
    let record = ExpressionRecord {
        expression: expression.into(),
        tenant_id: default_tenant(),
        scope_key: scope,
        variables: document(variables),
        ..ExpressionRecord::default()
    };
    let command = Command::internal(Key::NONE, of::Expression::Evaluate, record);
    match h.request(command).expect("answered") {
        Ok(response) => {
            let Value::Expression(value) = response.value else {
                panic!("another answer");
            };
            let mut text = String::new();
            json::from_msgpack(value.result_value.as_bytes(), &mut text).unwrap();
            Ok((text, value.warnings.len()))
        }
        Err(rejection) => Err(format!("{}: {}", rejection.kind.name(), rejection.reason)),
    }
}

#[test]
fn expressions_see_the_variables_of_the_request_before_those_of_the_scope() {
    let mut h = EngineHarness::new();
    h.deploy(&one_task());
    let instance = h.create("process", r#"{"a":1,"b":2}"#);
    let none = Key::NONE;
    let ok = |text: &str, warnings| Ok((text.to_owned(), warnings));
    assert_eq!(evaluate(&mut h, "=a + b", instance, ""), ok("3", 0));
    assert_eq!(
        evaluate(&mut h, "=a + b", instance, r#"{"a":5}"#),
        ok("7", 0)
    );
    assert_eq!(evaluate(&mut h, "=a + 1", none, r#"{"a":5}"#), ok("6", 0));
    assert_eq!(evaluate(&mut h, "=a", none, ""), ok("null", 1));
    assert_eq!(evaluate(&mut h, "fixed", none, ""), ok("\"fixed\"", 0));
    assert_eq!(
        evaluate(&mut h, "  ", none, ""),
        Err("INVALID_ARGUMENT: The expression must not be blank or empty".to_owned())
    );
    let refused = evaluate(&mut h, "=1 +", none, "").unwrap_err();
    assert!(
        refused.starts_with("INVALID_ARGUMENT: Failed to parse expression: failed to parse"),
        "{refused}"
    );
    assert_eq!(
        evaluate(&mut h, "=1", Key(4711), ""),
        Err("NOT_FOUND: No scope found with key '4711'".to_owned())
    );
    let failed = evaluate(&mut h, "=assert(x, x > 1)", none, "").unwrap_err();
    assert!(
        failed.starts_with("PROCESSING_ERROR: Assertion failure on evaluate the expression"),
        "{failed}"
    );
    h.cancel(instance).unwrap();
    h.run_due();
    h.assert_clean();
}
