//! The expression language against stored facts: expression, variables, expected outcome.
//!
//! A fixture file holds one case a line, as JSON. `expr` or `test` with `input` is the source;
//! `variables` is the context; `is` the expected value, `temporal` the text of an expected temporal
//! value, `warns` one warning that has to be among those given, `fails` a part of the error text.

use std::path::Path;

use ringflow_core::feel::{
    self, DocumentVariables, Environment, EvalError, NoVariables, Value, Variables, Warning,
};
use ringflow_core::{json, msgpack};
use serde_json::Value as Json;

const STEPS: u32 = 20_000_000;

fn environment(variables: &dyn Variables) -> Environment<'_> {
    let now_millis = 1_735_689_600_000;
    Environment {
        variables,
        now_millis,
        zone: "UTC",
        random_seed: 42,
        step_budget: STEPS,
    }
}

fn document(json: Option<&Json>) -> Vec<u8> {
    let text = json.map_or_else(|| "{}".to_owned(), ToString::to_string);
    let bytes = json::to_msgpack(&text).unwrap();
    msgpack::validate_document(&bytes).unwrap();
    bytes
}

/// The outcome of a case in a form that outlives its expression.
enum Outcome {
    Value {
        json: Json,
        text: String,
        type_name: &'static str,
        warnings: Vec<Warning>,
    },
    Error(String),
}

fn outcome(evaluation: Result<feel::Evaluation<'_>, EvalError>) -> Outcome {
    match evaluation {
        Ok(evaluation) => {
            let mut bytes = Vec::new();
            evaluation.value.to_msgpack(&mut bytes);
            msgpack::validate(&bytes).unwrap();
            let mut text = String::new();
            json::from_msgpack(&bytes, &mut text).unwrap();
            Outcome::Value {
                json: serde_json::from_str(&text).unwrap(),
                text: evaluation.value.to_string(),
                type_name: evaluation.value.type_name(),
                warnings: evaluation.warnings,
            }
        }
        Err(error) => Outcome::Error(error.to_string()),
    }
}

fn run(case: &Json) -> Outcome {
    let variables = document(case.get("variables"));
    let variables = DocumentVariables(&variables);
    let environment = environment(&variables);
    if let Some(source) = case.get("expr") {
        return match feel::compile(source.as_str().unwrap()) {
            Ok(expression) => outcome(expression.evaluate(&environment)),
            Err(error) => Outcome::Error(error.to_string()),
        };
    }
    let input = document(Some(&serde_json::json!({ "input": case.get("input") })));
    let temporal = format!("@{}", case["input"]);
    let temporal = feel::compile(&temporal).unwrap_or_else(|_| feel::compile("null").unwrap());
    let input = if case.get("temporal input").is_some() {
        temporal.evaluate(&environment).unwrap().value
    } else {
        Value::from_msgpack(msgpack::get(&input, "input").unwrap().unwrap())
    };
    match feel::compile_unary_tests(case["test"].as_str().unwrap()) {
        Ok(tests) => outcome(tests.evaluate(&environment, input)),
        Err(error) => Outcome::Error(error.to_string()),
    }
}

fn alike(a: &Json, b: &Json) -> bool {
    match (a, b) {
        (Json::Number(a), Json::Number(b)) => a.as_f64() == b.as_f64(),
        (Json::Array(a), Json::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| alike(a, b))
        }
        (Json::Object(a), Json::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .zip(b)
                    .all(|((k, a), (l, b))| k == l && alike(a, b))
        }
        _ => a == b,
    }
}

/// Why a case does not hold.
fn complaint(case: &Json) -> Option<String> {
    match run(case) {
        Outcome::Error(error) => match case.get("fails") {
            Some(part) if error.contains(part.as_str().unwrap()) => None,
            _ => Some(format!("fails: {error}")),
        },
        Outcome::Value {
            json,
            text,
            type_name,
            warnings,
        } => {
            if case.get("fails").is_some() {
                return Some(format!("should fail, is {text}"));
            }
            if case
                .get("is")
                .is_some_and(|expected| !alike(&json, expected))
            {
                return Some(format!("is {json}; warnings {warnings:?}"));
            }
            if let Some(expected) = case.get("temporal") {
                // The same value written differently is fine: compare what the text denotes.
                let expected = feel::compile(&format!("@{expected}")).unwrap();
                let actual = feel::compile(&format!("@\"{text}\"")).unwrap();
                let environment = environment(&NoVariables);
                let expected = expected.evaluate(&environment).unwrap().value;
                let actual = actual.evaluate(&environment).unwrap().value;
                let same = actual
                    .order(&expected)
                    .is_some_and(std::cmp::Ordering::is_eq);
                if !same || type_name != expected.type_name() {
                    return Some(format!("is {text}, not {expected}; warnings {warnings:?}"));
                }
            }
            let expected = case.get("warns").map(|warns| warns.as_str().unwrap());
            let given: Vec<String> = warnings
                .iter()
                .map(|warning| format!("{}: {}", warning.kind, warning.message))
                .collect();
            match expected {
                Some(expected) if !given.iter().any(|given| given == expected) => {
                    Some(format!("warns {given:?}, not {expected}"))
                }
                _ => None,
            }
        }
    }
}

#[test]
fn all_facts_hold() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixture/feel");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|f| f.unwrap().path())
        .collect();
    files.sort();
    let mut cases = 0;
    let mut complaints = Vec::new();
    for file in files {
        let area = file.file_stem().unwrap().to_string_lossy().into_owned();
        for (line, text) in std::fs::read_to_string(&file).unwrap().lines().enumerate() {
            let case: Json = serde_json::from_str(text).unwrap();
            cases += 1;
            if let Some(complaint) = complaint(&case) {
                complaints.push(format!("{area}:{}: {text}\n    {complaint}", line + 1));
            }
        }
    }
    println!("{} of {cases} cases hold", cases - complaints.len());
    assert!(cases >= 1168, "only {cases} cases were found");
    assert!(
        complaints.is_empty(),
        "{} complaints:\n{}",
        complaints.len(),
        complaints.join("\n")
    );
}
