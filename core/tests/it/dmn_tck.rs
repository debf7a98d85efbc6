//! The public DMN conformance suite, against a checkout of it.
//!
//! `RINGFLOW_DMN_TCK` names the checkout; without it the test says that it did nothing. Every case
//! has to pass that the results in the checkout claim for Camunda's own engine, or that the JSON
//! list `RINGFLOW_DMN_TCK_ROWS` names ([directory, test file, case]). As that engine's run of the
//! suite does, names with blanks and dashes are put into backquotes, unreadable cells fail when
//! they are evaluated, and a failed decision counts as null.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use ringflow_core::dmn::{self, Graph, Unreadable};
use ringflow_core::feel::value::{Context, List, Text, Value};
use ringflow_core::feel::{self, Environment, NoVariables};
use roxmltree::{Document, Node};

const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";
/// Largest difference between two numbers that count as equal, as the suite's runners allow.
const PRECISION: f64 = 1e-8;

/// What the suite's results claim for the engine and the engine of Camunda 8.9 does not do: its
/// answers, asked of feel-engine 1.21.0 itself, are those given here.
const KNOWN: [(&str, &str, &str); 3] = [
    (
        "0068-feel-equality",
        "datetime_008",
        "a date-time with an offset does not equal one in a zone",
    ),
    (
        "0074-feel-properties",
        "range_009",
        "a comparison in parentheses is no range and has no properties",
    ),
    (
        "0074-feel-properties",
        "range_010",
        "a comparison in parentheses is no range and has no properties",
    ),
];

type Row = (String, String, String);

fn environment() -> Environment<'static> {
    Environment {
        variables: &NoVariables,
        now_millis: 1_700_000_000_000,
        zone: "UTC",
        random_seed: 1,
        step_budget: 10_000_000,
    }
}

#[test]
fn what_the_reference_engine_passes_passes() {
    let Ok(checkout) = std::env::var("RINGFLOW_DMN_TCK") else {
        println!("skipped: RINGFLOW_DMN_TCK names no checkout of the DMN conformance suite");
        return;
    };
    let checkout = Path::new(&checkout);
    let rows = match std::env::var("RINGFLOW_DMN_TCK_ROWS") {
        Ok(list) => listed(&fs::read_to_string(list).unwrap()),
        Err(_) => claimed(&checkout.join("TestResults/CamundaDmnScala")),
    };
    let mut by_file: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for (directory, file, case) in rows {
        by_file.entry((directory, file)).or_default().insert(case);
    }
    let (mut passed, mut failed) = (0, Vec::new());
    for ((directory, file), cases) in &by_file {
        let path = checkout.join("TestCases").join(directory);
        let text = fs::read_to_string(path.join(format!("{file}.xml"))).unwrap();
        for (case, outcome) in run(&path, &text, cases) {
            match outcome {
                Ok(()) => passed += 1,
                Err(why) => {
                    let known = KNOWN.iter().find(|(place, beginning, _)| {
                        directory.ends_with(place) && case.starts_with(beginning)
                    });
                    match known {
                        Some((_, _, reason)) => println!("{directory} {case}: {reason}"),
                        None => failed.push(format!("{directory} {file} {case}: {why}")),
                    }
                }
            }
        }
    }
    println!("{passed} cases passed, {} failed", failed.len());
    assert!(failed.is_empty() && passed > 0, "{}", failed.join("\n"));
}

/// Rows of a JSON list.
fn listed(json: &str) -> Vec<Row> {
    let rows: Vec<[String; 3]> = serde_json::from_str(json).unwrap();
    rows.into_iter()
        .map(<(String, String, String)>::from)
        .collect()
}

/// Rows that the newest results in a directory claim.
fn claimed(results: &Path) -> Vec<Row> {
    let mut versions: Vec<_> = fs::read_dir(results)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    versions.sort();
    let table = fs::read_to_string(versions.last().unwrap().join("tck_results.csv")).unwrap();
    let rows = table.lines().filter_map(|line| {
        let mut fields = line
            .split(',')
            .map(|field| field.trim_matches('"').to_owned());
        let row = (fields.next()?, fields.next()?, fields.next()?);
        (fields.next()? == "SUCCESS").then_some(row)
    });
    rows.collect()
}

/// Runs the wanted cases of one file.
fn run(path: &Path, text: &str, cases: &BTreeSet<String>) -> Vec<(String, Result<(), String>)> {
    let document = Document::parse(text).unwrap();
    let root = document.root_element();
    let model = root
        .children()
        .find(|node| node.tag_name().name() == "modelName")
        .and_then(|node| node.text())
        .unwrap();
    let graph = fs::read_to_string(path.join(model))
        .map_err(|error| error.to_string())
        .and_then(|model| {
            dmn::compile_as(escaped(&model).as_bytes(), Unreadable::Defer)
                .map_err(|refused| refused.to_string())
        });
    let graph: Result<&'static Graph, String> = graph.map(|graph| &*Box::leak(Box::new(graph)));
    root.children()
        .filter(|node| node.tag_name().name() == "testCase")
        .filter_map(|node| {
            let case = node.attribute("id")?;
            cases.contains(case).then(|| {
                let outcome = graph.clone().and_then(|graph| run_case(graph, node));
                (case.to_owned(), outcome)
            })
        })
        .collect()
}

fn run_case(graph: &'static Graph, case: Node<'_, '_>) -> Result<(), String> {
    let named = |name: &'static str| {
        case.children()
            .filter(move |node| node.tag_name().name() == name)
    };
    let mut inputs: Vec<(&'static str, Value<'static>)> = Vec::new();
    for node in named("inputNode") {
        let name: &'static str = Box::leak(node.attribute("name").unwrap().to_owned().into());
        inputs.push((name, value(node)));
    }
    for node in named("resultNode") {
        let name = node.attribute("name").unwrap();
        let expected = node
            .children()
            .find(|node| node.tag_name().name() == "expected")
            .map_or(Value::Null, value);
        let position = graph
            .position_by_name(name)
            .ok_or_else(|| format!("no decision named '{name}'"))?;
        let environment: &'static Environment<'static> = Box::leak(Box::new(environment()));
        let result = graph.evaluate_with(position, environment, &inputs).result;
        let (actual, why) = match result {
            Ok(value) => (value, String::new()),
            Err(failure) => (Value::Null, failure.message),
        };
        if !equals(&expected, &actual) {
            return Err(format!(
                "{name}: expected {expected}, but found {actual} {why}"
            ));
        }
    }
    Ok(())
}

/// A value as the suite writes it.
fn value(node: Node<'_, '_>) -> Value<'static> {
    let mut components = Vec::new();
    for child in node.children() {
        match child.tag_name().name() {
            "value" => return scalar(child),
            "list" => {
                if child.attribute((XSI, "nil")) == Some("true") {
                    return Value::Null;
                }
                let items = child
                    .children()
                    .filter(|item| item.tag_name().name() == "item");
                return Value::List(List::new(items.map(value).collect()));
            }
            "component" => {
                if child.attribute((XSI, "nil")) == Some("true")
                    && child.attribute("name").is_none()
                {
                    return Value::Null;
                }
                let name: &'static str =
                    Box::leak(child.attribute("name").unwrap().to_owned().into());
                components.push((Text::Borrowed(name), value(child)));
            }
            _ => {}
        }
    }
    if components.is_empty() {
        return Value::Null;
    }
    Value::Context(Context::new(components))
}

fn scalar(node: Node<'_, '_>) -> Value<'static> {
    if node.attribute((XSI, "nil")) == Some("true") {
        return Value::Null;
    }
    let text: &'static str = Box::leak(node.text().unwrap_or_default().to_owned().into());
    let kind = node.attribute((XSI, "type")).unwrap_or_default();
    let kind = kind.rsplit(':').next().unwrap_or_default();
    match kind {
        "string" => Value::String(Text::Borrowed(text)),
        "boolean" => Value::Bool(matches!(text.trim(), "true" | "1")),
        "decimal" | "double" | "integer" | "int" | "long" | "float" => {
            number(text).unwrap_or_else(|| panic!("number {text}"))
        }
        "date" => evaluated(&format!("date(\"{}\")", text.trim())),
        "time" => evaluated(&format!("time(\"{}\")", text.trim())),
        "dateTime" => evaluated(&format!("date and time(\"{}\")", text.trim())),
        "duration" => evaluated(&format!("duration(\"{}\")", text.trim())),
        "" => match text {
            "true" | "false" => Value::Bool(text == "true"),
            _ => number(text).unwrap_or(Value::String(Text::Borrowed(text))),
        },
        other => panic!("value of type {other}"),
    }
}

fn number(text: &str) -> Option<Value<'static>> {
    let double: f64 = text.trim().parse().ok()?;
    if text.contains(['e', 'E']) {
        return Some(Value::Number(feel::number::Dec::from_f64(double)?));
    }
    Some(evaluated(text.trim()))
}

fn evaluated(source: &str) -> Value<'static> {
    let expression = Box::leak(Box::new(feel::compile(source).unwrap()));
    let environment = Box::leak(Box::new(environment()));
    expression.evaluate(environment).unwrap().value
}

fn equals(expected: &Value<'_>, actual: &Value<'_>) -> bool {
    match (expected, actual) {
        (Value::Number(a), Value::Number(b)) => (a.to_f64() - b.to_f64()).abs() < PRECISION,
        (Value::List(a), Value::List(b)) => {
            a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| equals(&a, &b))
        }
        (Value::Context(a), Value::Context(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(name, a)| b.get(&name).is_some_and(|b| equals(&a, &b)))
        }
        (a, b) => a.to_string() == b.to_string(),
    }
}

/// A model whose expressions have names with blanks and dashes in backquotes.
fn escaped(model: &str) -> String {
    let Ok(document) = Document::parse(model) else {
        return model.to_owned();
    };
    let named = [
        "variable",
        "parameter",
        "formalParameter",
        "itemDefinition",
        "itemComponent",
    ];
    let names: BTreeSet<&str> = document
        .descendants()
        .filter(|node| named.contains(&node.tag_name().name()))
        .filter_map(|node| node.attribute("name"))
        .filter(|name| name.contains([' ', '-']))
        .collect();
    let mut names: Vec<&str> = names.into_iter().collect();
    names.sort_by_key(|name| std::cmp::Reverse(name.len()));
    let mut result = model.to_owned();
    let texts: Vec<Node<'_, '_>> = document
        .descendants()
        .filter(|node| node.is_text() && !is_callee(*node))
        .filter(|node| {
            node.parent()
                .is_some_and(|parent| parent.tag_name().name() == "text")
        })
        .collect();
    for node in texts.into_iter().rev() {
        let range = node.range();
        let mut text = model[range.clone()].to_owned();
        for name in &names {
            text = quoted(&text, name);
        }
        result.replace_range(range, &text);
    }
    result
}

/// Whether a text names the knowledge that an invocation calls.
fn is_callee(text: Node<'_, '_>) -> bool {
    text.ancestors()
        .nth(3)
        .is_some_and(|node| node.tag_name().name() == "invocation")
}

/// Puts a name into backquotes wherever it stands between delimiters.
fn quoted(text: &str, name: &str) -> String {
    let delimits = |c: char| "(),.".contains(c) || c.is_ascii_whitespace();
    let (mut result, mut done, mut at) = (String::new(), 0, 0);
    while let Some(found) = text[at..].find(name) {
        let (start, end) = (at + found, at + found + name.len());
        let before = text[done..start].chars().next_back();
        let after = text[end..].chars().next();
        let opens = match before {
            Some(c) => delimits(c) && c != ')',
            None => start == 0,
        };
        if opens && after.is_none_or(delimits) {
            result.push_str(&text[done..start]);
            result.push('`');
            result.push_str(name);
            result.push('`');
            // What delimits one occurrence does not delimit the next.
            let next = end + after.map_or(0, char::len_utf8);
            result.push_str(&text[end..next]);
            (done, at) = (next, next);
        } else {
            at = start + text[start..].chars().next().map_or(1, char::len_utf8);
        }
    }
    result.push_str(&text[done..]);
    result
}
