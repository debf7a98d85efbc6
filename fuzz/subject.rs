//! What a fuzz target does with bytes, and what must hold then.
//!
//! Each function is one target. None may panic, overflow the stack, run for seconds or take memory
//! out of proportion; beyond that it checks what its callers rely on. The tests of `core` call the
//! same functions with every file of `corpus`, so what was found once stays found.

use ringflow_core::feel::{self, DocumentVariables, Environment};
use ringflow_core::ids::Timestamp;
use ringflow_core::msgpack::Reader;
use ringflow_core::record::codec;
use ringflow_core::record::field::ValueWriter;
use ringflow_core::schedule::{self, Cycle, INFINITE, Occurrence};
use ringflow_core::{dmn, json, model, msgpack};

/// What is done with the bytes.
type Subject = fn(&[u8]);

/// The targets by name, which is that of their folder in `corpus`.
pub const SUBJECTS: [(&str, Subject); 7] = [
    ("bpmn", bpmn),
    ("dmn", dmn),
    ("feel", feel),
    ("json", json),
    ("msgpack", msgpack),
    ("record", record),
    ("schedule", schedule),
];

/// Steps of one evaluation, so that an input that loops ends within a millisecond or so.
const STEPS: u32 = 20_000;

/// Variables that expressions find.
const VARIABLES: &str = r#"{
    "a": 1, "b": 2.5, "c": "text", "d": [1, 2, 3], "e": {"f": {"g": true}}, "h": null,
    "i": [{"j": 1, "k": "x"}, {"j": 2, "k": "y"}], "l": "2024-02-29", "m": -0.0, "n": 1e300
}"#;

/// A BPMN file: it compiles or is refused with a reason; what compiled can be looked through by id.
pub fn bpmn(file: &[u8]) {
    match model::compile(file) {
        Ok(processes) => {
            for process in &processes {
                for element in process.elements() {
                    let id = element.id.as_str();
                    assert!(process.find(id).is_some(), "{id} is not found");
                }
                let _ = process.none_start_event();
            }
        }
        Err(refused) => assert!(!refused.reason("model.bpmn").is_empty()),
    }
}

/// A DMN file: it compiles or is refused with a reason; every decision can be evaluated.
pub fn dmn(file: &[u8]) {
    match dmn::compile(file) {
        Ok(graph) => in_environment(|environment| {
            for (position, decision) in graph.decisions().iter().enumerate().take(8) {
                assert!(graph.position(decision.id()).is_some());
                let evaluation = graph.evaluate(position, environment);
                match evaluation.result {
                    Ok(value) => _ = document(&value),
                    Err(failure) => assert!(!failure.message.is_empty()),
                }
                for evaluated in &evaluation.evaluated {
                    let _ = document(&evaluated.output);
                }
            }
        }),
        Err(refused) => assert!(!refused.0.is_empty()),
    }
}

/// An expression, and the same text as unary tests: a value twice the same, or an error.
pub fn feel(source: &[u8]) {
    let Ok(source) = str::from_utf8(source) else {
        return;
    };
    if let Ok(expression) = feel::compile(source) {
        assert_eq!(expression.source(), source);
        let _ = expression.variable_names().count();
        let _ = expression.as_constant();
        in_environment(|environment| {
            let evaluate = || match expression.evaluate(environment) {
                Ok(evaluation) => Ok(document(&evaluation.value)),
                Err(error) => Err(error.to_string()),
            };
            assert_eq!(
                evaluate(),
                evaluate(),
                "an evaluation depends on its environment only"
            );
        });
    }
    if let Ok(tests) = feel::compile_unary_tests(source) {
        in_environment(|environment| {
            let _ = tests.evaluate(environment, feel::Value::Null);
        });
    }
}

/// JSON: refused, or a document that is JSON again and then stays as it is.
pub fn json(text: &[u8]) {
    let Ok(value) = json::to_msgpack(text) else {
        return;
    };
    msgpack::validate(&value).expect("what JSON becomes is MessagePack");
    let mut first = String::new();
    json::from_msgpack(&value, &mut first).expect("and can be printed");
    let again = json::to_msgpack(&first).expect("what was printed is JSON");
    let mut second = String::new();
    json::from_msgpack(&again, &mut second).expect("and can be printed again");
    assert_eq!(first, second);
}

/// MessagePack: what is valid can be walked, skipped, printed, and looked up as a document.
pub fn msgpack(value: &[u8]) {
    let valid = msgpack::validate(value).is_ok();
    let mut reader = Reader::new(value);
    let mut tokens = 0_usize;
    while reader.next().is_ok() {
        tokens += 1;
        assert!(tokens <= value.len(), "a token is at least one byte");
    }
    let mut reader = Reader::new(value);
    if let Ok(skipped) = reader.skip() {
        assert_eq!(skipped.len(), reader.position());
        assert!(!valid || reader.at_end());
    } else {
        assert!(!valid, "what is valid can be skipped");
    }
    if valid {
        let mut text = String::new();
        if json::from_msgpack(value, &mut text).is_ok() {
            let _ = json::to_msgpack(&text).expect("what was printed is JSON");
        }
    }
    if msgpack::validate_document(value).is_ok() {
        for entry in msgpack::entries(value).expect("a document has entries") {
            let (name, found) = entry.expect("of a valid document");
            msgpack::validate(found).expect("whose values are valid");
            assert!(msgpack::find(value, name).is_some());
        }
    }
}

/// Bytes of a log: refused, or a record that is written as it was understood.
pub fn record(bytes: &[u8]) {
    let Ok(record) = codec::decode(&mut &*bytes) else {
        return;
    };
    let mut written = Vec::new();
    codec::encode(&record, &mut ValueWriter::default(), &mut written);
    let again = codec::decode(&mut written.as_slice()).expect("what was written can be read");
    let mut rewritten = Vec::new();
    codec::encode(&again, &mut ValueWriter::default(), &mut rewritten);
    assert_eq!(written, rewritten);
}

/// Dates, durations, cycles and cron patterns: what comes next is later, also where clocks change.
pub fn schedule(text: &[u8]) {
    let Ok(text) = str::from_utf8(text) else {
        return;
    };
    let zones = ["UTC", "Europe/Berlin", "Australia/Lord_Howe"]
        .map(|name| jiff::tz::TimeZone::get(name).expect("zones are compiled in"));
    let _ = schedule::date(text);
    for zone in &zones {
        // A day before clocks go forward, one before they go back, and the ends of what there is.
        for now in [1_711_756_800_000, 1_729_900_800_000, 0, 253_402_207_200_000] {
            let now = Timestamp(now);
            if let Ok(interval) = schedule::Interval::parse(text) {
                let _ = interval.due(now, zone);
                let _ = interval.after(now, zone);
            }
            let Ok(cycle) = Cycle::parse(text) else {
                continue;
            };
            let Ok(mut at) = cycle.first(now, zone) else {
                continue;
            };
            for _ in 0..4 {
                let Ok(Some(next)) = cycle.next(at, now, zone) else {
                    break;
                };
                assert_later(&cycle, at, next);
                at = next;
            }
        }
    }
}

fn assert_later(cycle: &Cycle, at: Occurrence, next: Occurrence) {
    match cycle {
        Cycle::Cron(_) if next.repetitions != 0 => assert!(next.due.0 > at.due.0),
        Cycle::Cron(_) => {}
        Cycle::Repeating { .. } => {
            assert!(next.repetitions == INFINITE || next.repetitions < at.repetitions);
        }
    }
}

/// The bytes of a value, which are valid and can be printed as JSON.
fn document(value: &feel::Value<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    value.to_msgpack(&mut bytes);
    msgpack::validate(&bytes).expect("a value is MessagePack");
    let mut text = String::new();
    json::from_msgpack(&bytes, &mut text).expect("a value is JSON");
    bytes
}

fn in_environment(evaluate: impl FnOnce(&Environment<'_>)) {
    let variables = json::to_msgpack(VARIABLES).expect("the constant is JSON");
    evaluate(&Environment {
        variables: &DocumentVariables(&variables),
        now_millis: 1_700_000_000_000,
        zone: "Europe/Berlin",
        random_seed: 7,
        step_budget: STEPS,
    });
}
