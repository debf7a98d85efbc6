//! Decisions: a table of 100 rules over three inputs, compiled once and evaluated for every task.
//!
//! The budget is 10 us for one evaluation in which half of the first tests and few of the others
//! hold, so that about 150 tests are put.

use std::fmt::Write as _;
use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use ringflow_bench::{CpuTime, quick};
use ringflow_core::dmn;
use ringflow_core::feel::{DocumentVariables, Environment};
use ringflow_core::json;

const RULES: usize = 100;

/// A table with the policy UNIQUE over a text, a number and a text.
fn table() -> String {
    let mut xml = String::from(
        "<definitions xmlns='https://www.omg.org/spec/DMN/20191111/MODEL/' id='d' name='d' \
         namespace='d'><decision id='discount' name='discount'><decisionTable>",
    );
    for input in ["segment", "amount", "country"] {
        let _ = write!(
            xml,
            "<input id='{input}'><inputExpression><text>{input}</text></inputExpression></input>"
        );
    }
    xml += "<output id='o' name='percent'/>";
    for rule in 0..RULES {
        let segment = if rule % 2 == 0 { "gold" } else { "silver" };
        let from = rule * 10;
        let to = from + 10;
        let cell = |text: &str| format!("<inputEntry><text>{text}</text></inputEntry>");
        let _ = write!(
            xml,
            "<rule id='r{rule}'>{}{}{}<outputEntry><text>{rule}</text></outputEntry></rule>",
            cell(&format!("\"{segment}\"")),
            cell(&format!("[{from}..{to})")),
            cell("\"DE\", \"AT\", \"CH\""),
        );
    }
    xml + "</decisionTable></decision></definitions>"
}

fn decisions(c: &mut Criterion<CpuTime>) {
    let xml = table();
    let graph = dmn::compile(xml.as_bytes()).expect("it is a model");
    let document = json::to_msgpack(r#"{"segment":"gold","amount":605,"country":"AT"}"#);
    let document = document.expect("it is JSON");
    let variables = DocumentVariables(&document);
    let environment = Environment {
        variables: &variables,
        now_millis: 0,
        zone: "UTC",
        random_seed: 1,
        step_budget: 100_000,
    };
    let evaluation = graph.evaluate(0, &environment);
    let value = evaluation.result.expect("a rule matches");
    assert_eq!(value.as_i64(), Some(60));
    c.bench_function("decision/table_100x3", |bencher| {
        bencher.iter(|| {
            let evaluation = black_box(&graph).evaluate(0, black_box(&environment));
            evaluation.evaluated.len()
        });
    });
    c.bench_function("decision/compile_100x3", |bencher| {
        bencher.iter(|| dmn::compile(black_box(xml.as_bytes())).is_ok());
    });
}

criterion_group! {
    name = benches;
    config = quick();
    targets = decisions
}
criterion_main!(benches);
