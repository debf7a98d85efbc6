//! Expressions: compiled once, evaluated for every token.
//!
//! Variables come from one document; in the engine they come from rows of the scope, which
//! `step/gateway_with_condition` includes.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use ringflow_bench::{CpuTime, document, quick};
use ringflow_core::feel::{DocumentVariables, Environment, compile};
use ringflow_core::json;

const EXPRESSIONS: [(&str, &str); 6] = [
    ("constant", "\"work\""),
    ("compare", "amount > 100"),
    ("condition", "amount > 100 and customer.vip"),
    ("arithmetic", "(amount + tax) * 1.19 - 3"),
    ("text", "\"order-\" + orderId"),
    ("filter", "sum(lines[price > 10].price)"),
];

fn environment<'a>(variables: &'a DocumentVariables<'a>) -> Environment<'a> {
    Environment {
        variables,
        now_millis: 0,
        zone: "UTC",
        random_seed: 1,
        step_budget: 100_000,
    }
}

fn evaluate(c: &mut Criterion<CpuTime>, name: &str, source: &str, document: &[u8]) {
    let variables = DocumentVariables(document);
    let environment = environment(&variables);
    let expression = compile(source).expect("it is an expression");
    let evaluation = expression.evaluate(&environment).expect("it has a value");
    assert!(evaluation.warnings.is_empty(), "{:?}", evaluation.warnings);
    c.bench_function(&format!("feel/{name}"), |bencher| {
        bencher.iter(|| {
            let evaluation = black_box(&expression).evaluate(black_box(&environment));
            evaluation.expect("it has a value").value.is_null()
        });
    });
}

fn expressions(c: &mut Criterion<CpuTime>) {
    let order = document::order();
    for (name, source) in EXPRESSIONS {
        evaluate(c, name, source, &order);
    }
    let small = json::to_msgpack(r#"{"amount":250,"customer":{"id":81231,"vip":true}}"#);
    let small = small.expect("it is JSON");
    evaluate(
        c,
        "condition_small",
        "amount > 100 and customer.vip",
        &small,
    );
    c.bench_function("feel/compile", |bencher| {
        bencher.iter(|| compile(black_box("amount > 100 and customer.vip")));
    });
    let nothing = DocumentVariables(&[0x80]);
    let nothing = environment(&nothing);
    let list = compile("count(for i in 1..1000 return i * 2)").expect("it is an expression");
    c.bench_function("feel/for_1000", |bencher| {
        bencher.iter(|| {
            let evaluation = list.evaluate(&nothing).expect("it has a value");
            evaluation.value.as_i64()
        });
    });
}

criterion_group! {
    name = benches;
    config = quick();
    targets = expressions
}
criterion_main!(benches);
