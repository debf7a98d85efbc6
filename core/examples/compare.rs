//! What this engine says of expressions and models, one JSON object a line, so that it can be laid
//! beside what another engine says of the same.
//!
//! `cargo run --release -p ringflow-core --example compare -- feel CASES OUT` reads a case a line:
//! `{"expr": .., "variables": {..}}` or `{"test": .., "input": .., "temporal input": true}`.
//! `... bpmn FOLDER OUT` and `... dmn FOLDER OUT` read all models below a folder.
//!
//! Members of the answers: `v` value, `t` type, `w` warnings, `f` failure, `p` refusal to parse;
//! for models `ok` or `refused`.

use std::fs;
use std::path::{Path, PathBuf};

use ringflow_core::feel::{self, DocumentVariables, Environment, EvalError, Evaluation, Value};
use ringflow_core::{dmn, json, model, msgpack};
use serde_json::{Value as Json, json as object};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, what, from, to] = &arguments[..] else {
        panic!("feel|bpmn|dmn FROM TO")
    };
    let lines: Vec<Json> = match what.as_str() {
        "feel" => fs::read_to_string(from)
            .expect("cases")
            .lines()
            .map(|line| answer(&serde_json::from_str(line).expect("a case")))
            .collect(),
        "bpmn" => models(from, &[".bpmn", ".xml"], |bytes| {
            match model::compile(bytes) {
                Ok(_) => object!({ "ok": true }),
                Err(refused) => object!({ "refused": refused.to_string() }),
            }
        }),
        _ => models(from, &[".dmn"], |bytes| match dmn::compile(bytes) {
            Ok(graph) => object!({
                "ok": graph.decisions().iter().map(dmn::Decision::id).collect::<Vec<_>>()
            }),
            Err(refused) => object!({ "refused": refused.to_string() }),
        }),
    };
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    fs::write(to, text).expect("answers");
}

fn models(folder: &str, ends: &[&str], judge: impl Fn(&[u8]) -> Json) -> Vec<Json> {
    let mut paths = Vec::new();
    below(Path::new(folder), ends, &mut paths);
    paths.sort();
    paths
        .iter()
        .map(|path| {
            let mut answer = judge(&fs::read(path).expect("a model"));
            let name = path.strip_prefix(folder).expect("below").to_string_lossy();
            answer["file"] = Json::from(name.as_ref());
            answer
        })
        .collect()
}

fn below(folder: &Path, ends: &[&str], paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.to_string_lossy().to_lowercase();
        if path.is_dir() {
            below(&path, ends, paths);
        } else if ends.iter().any(|end| name.ends_with(end)) {
            paths.push(path);
        }
    }
}

fn document(json: &Json) -> Vec<u8> {
    let mut bytes = json::to_msgpack(json.to_string()).expect("variables");
    if !json.is_object() {
        bytes = vec![0x80];
    }
    bytes
}

fn answer(case: &Json) -> Json {
    let variables = document(&case["variables"]);
    let variables = DocumentVariables(&variables);
    let environment = Environment {
        variables: &variables,
        now_millis: 1_735_689_600_000,
        zone: "UTC",
        random_seed: 42,
        step_budget: 20_000_000,
    };
    if let Some(tests) = case["test"].as_str() {
        let input = document(&object!({ "input": case["input"] }));
        let temporal = format!("@{}", case["input"]);
        let temporal =
            feel::compile(&temporal).unwrap_or_else(|_| feel::compile("null").expect("null"));
        let input = if case.get("temporal input").is_some() {
            temporal.evaluate(&environment).expect("an input").value
        } else {
            Value::from_msgpack(msgpack::get(&input, "input").ok().flatten().expect("input"))
        };
        return match feel::compile_unary_tests(tests) {
            Ok(tests) => outcome(tests.evaluate(&environment, input)),
            Err(error) => object!({ "p": error.to_string() }),
        };
    }
    match feel::compile(case["expr"].as_str().expect("an expression")) {
        Ok(expression) => outcome(expression.evaluate(&environment)),
        Err(error) => object!({ "p": error.to_string() }),
    }
}

fn outcome(evaluation: Result<Evaluation<'_>, EvalError>) -> Json {
    match evaluation {
        Ok(Evaluation { value, warnings }) => {
            let mut bytes = Vec::new();
            value.to_msgpack(&mut bytes);
            let mut text = String::new();
            json::from_msgpack(&bytes, &mut text).expect("a value");
            let warnings: Vec<String> = warnings.iter().map(ToString::to_string).collect();
            object!({
                "v": serde_json::from_str::<Json>(&text).expect("JSON"),
                "t": value.result_type().to_string(),
                "w": warnings,
            })
        }
        Err(error) => object!({ "f": error.to_string() }),
    }
}
