//! The expression language as its callers see it: results, variables, warnings, clock, names.
//!
//! What single expressions evaluate to is held by the fixtures; here are the seams around them.

use std::borrow::Cow;
use std::time::Instant;

use ringflow_core::feel::{
    self, DocumentVariables, Environment, EvalError, Expression, Function, NoVariables, ResultType,
    UnaryTests, Value, Variables, WarningKind,
};
use ringflow_core::json;

/// Noon of 2025-07-01 in Berlin.
const NOW: i64 = 1_751_364_000_000;

fn environment(variables: &dyn Variables) -> Environment<'_> {
    Environment {
        variables,
        now_millis: NOW,
        zone: "Europe/Berlin",
        random_seed: 7,
        step_budget: 100_000,
    }
}

fn document(text: &str) -> Vec<u8> {
    json::to_msgpack(text).unwrap()
}

/// The result as the JSON of the variable it becomes.
fn result(source: &str, variables: &str) -> String {
    let bytes = document(variables);
    let variables = DocumentVariables(&bytes);
    let environment = environment(&variables);
    let expression = feel::compile(source).unwrap();
    let evaluation = expression.evaluate(&environment).unwrap();
    let mut out = Vec::new();
    evaluation.value.to_msgpack(&mut out);
    let mut text = String::new();
    json::from_msgpack(&out, &mut text).unwrap();
    text
}

#[test]
fn compiled_forms_may_be_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Expression>();
    shared::<UnaryTests>();
}

#[test]
fn results_take_the_form_of_variables() {
    let cases = [
        ("2.0", "2"),
        ("1e0 = 1", "false"),
        ("0.5", "0.5"),
        ("10 / 3", "3.3333333333333335"),
        ("18446744073709551617", "1"),
        ("@\"2026-01-31\"", "\"2026-01-31\""),
        ("@\"10:00\"", "\"10:00\""),
        ("@\"10:00:30\"", "\"10:00:30\""),
        ("@\"10:00:00+02:00\"", "\"10:00:00+02:00\""),
        ("@\"10:00:00@Europe/Berlin\"", "\"10:00:00@Europe/Berlin\""),
        ("@\"2026-01-31T10:00\"", "\"2026-01-31T10:00:00\""),
        (
            "@\"2026-01-31T10:00:00@Europe/Berlin\"",
            "\"2026-01-31T10:00:00+01:00[Europe/Berlin]\"",
        ),
        ("@\"2026-01-31T10:00:00Z\"", "\"2026-01-31T10:00:00Z\""),
        ("@\"P1DT2H\"", "\"P1DT2H\""),
        ("@\"P14M\"", "\"P1Y2M\""),
        (
            "{a: [1, function(x) x], f: function() 1, b: x}",
            "{\"a\":[1,null],\"b\":[true]}",
        ),
        ("x", "[true]"),
        ("camunda.vars.env.KEY", "\"v\""),
    ];
    for (source, expected) in cases {
        let variables = r#"{"x":[true],"camunda":{"vars":{"env":{"KEY":"v"}}}}"#;
        if source == "1e0 = 1" {
            // Exponents are no part of the language.
            assert!(feel::compile(source).is_err());
            continue;
        }
        assert_eq!(result(source, variables), expected, "{source}");
    }
}

#[test]
fn result_types_and_accessors() {
    let types = [
        ("null", ResultType::Null, "NULL"),
        ("true", ResultType::Boolean, "BOOLEAN"),
        ("1", ResultType::Number, "NUMBER"),
        ("\"\"", ResultType::String, "STRING"),
        ("@\"PT1H\"", ResultType::Duration, "DURATION"),
        ("@\"P1Y\"", ResultType::Period, "PERIOD"),
        ("@\"2026-01-01\"", ResultType::Date, "DATE"),
        (
            "@\"2026-01-01T00:00:00Z\"",
            ResultType::DateTime,
            "DATE_TIME",
        ),
        ("[]", ResultType::Array, "ARRAY"),
        ("{}", ResultType::Object, "OBJECT"),
        ("@\"10:00\"", ResultType::Unknown, "UNKNOWN"),
    ];
    for (source, expected, name) in types {
        let expression = feel::compile(source).unwrap();
        let environment = environment(&NoVariables);
        let value = expression.evaluate(&environment).unwrap().value;
        assert_eq!(value.result_type(), expected, "{source}");
        assert_eq!(expected.to_string(), name);
    }
    let constant = |source: &str, check: &dyn Fn(Value<'_>)| {
        let expression = feel::compile(source).unwrap();
        check(expression.as_constant().unwrap());
    };
    constant("2.9", &|value| assert_eq!(value.as_i64(), Some(2)));
    constant("\"a\"", &|value| assert_eq!(value.as_str(), Some("a")));
    constant("@\"PT1.5S\"", &|value| {
        assert_eq!(value.as_duration_millis(), Some(1500))
    });
    constant("@\"P1Y2M\"", &|value| {
        assert_eq!(value.as_period_months(), Some(14))
    });
    constant("@\"1970-01-01T01:00:01+01:00\"", &|value| {
        assert_eq!(value.as_epoch_millis(), Some(1000));
    });
    assert!(feel::compile("x").unwrap().as_constant().is_none());
}

#[test]
fn the_clock_is_the_one_given() {
    assert_eq!(
        result("string(now())", "{}"),
        "\"2025-07-01T12:00:00@Europe/Berlin\""
    );
    assert_eq!(result("today()", "{}"), "\"2025-07-01\"");
    assert_eq!(result("uuid() = uuid()", "{}"), "false");
    assert_eq!(result("uuid()", "{}"), result("uuid()", "{}"));
    assert_eq!(
        result(
            "matches(uuid(), \"^0197c5[0-9a-f]{2}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab]\")",
            "{}"
        ),
        "true"
    );
    assert_eq!(
        result("random number() < 1 and random number() >= 0", "{}"),
        "true"
    );
}

#[test]
fn functions_of_the_engine() {
    assert_eq!(result("cycle(@\"PT1H\")", "{}"), "\"R/PT1H\"");
    assert_eq!(result("cycle(3, duration(\"P1D\"))", "{}"), "\"R3/P1D\"");
    assert_eq!(result("cycle(null, @\"P1M\")", "{}"), "\"R/P1M\"");
    assert_eq!(
        result("cycle(interval: @\"PT5S\", repetitions: 2)", "{}"),
        "\"R2/PT5S\""
    );
    assert_eq!(result("cycle(\"x\")", "{}"), "null");
    assert_eq!(
        result(
            "fromAi(toolCall.city, \"The city\", \"string\")",
            r#"{"toolCall":{"city":"B"}}"#
        ),
        "\"B\""
    );
}

/// Variables that are made when they are asked for.
struct Made;

impl Variables for Made {
    fn get(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        (name == "made").then(|| Cow::Owned(document(r#"{"list":[{"a":"x"},{"a":"y"}]}"#)))
    }
}

#[test]
fn variables_may_be_made_on_demand() {
    let expression = feel::compile("made.list[a = \"y\"][1]").unwrap();
    let environment = environment(&Made);
    let value = expression.evaluate(&environment).unwrap().value;
    assert_eq!(value.to_string(), "{a:\"y\"}");
}

#[test]
fn names_that_may_be_read() {
    let cases: [(&str, &[&str]); 9] = [
        ("a + b.c * a", &["a", "b.c"]),
        ("for x in list return x + y", &["list", "y"]),
        (
            "some x in xs, y in ys satisfies x = y and z",
            &["xs", "ys", "z"],
        ),
        ("{a: b, c: a + d}.c", &["b", "d"]),
        ("orders[item.price > limit].id", &["orders", "limit"]),
        ("(function(p) p + q)", &["q"]),
        ("f(x: a, y: `b c`)", &["a", "b c"]),
        (
            "if a in (b, > c) then [1..d] else e between f and g",
            &["a", "b", "c", "d", "e", "f", "g"],
        ),
        ("\"text\" + @\"P1D\"", &[]),
    ];
    for (source, expected) in cases {
        let source = source.replace("then [1..d]", "then overlaps([1..d], [1..d])");
        let expression = feel::compile(&source).unwrap();
        assert_eq!(
            expression.variable_names().collect::<Vec<_>>(),
            expected,
            "{source}"
        );
    }
}

#[test]
fn bindings_hide_variables_and_may_be_functions() {
    let bytes = document(r#"{"x":1}"#);
    let variables = DocumentVariables(&bytes);
    let environment = environment(&variables);
    let expression = feel::compile("[x, double(x), double(n: 4), double(\"a\")]").unwrap();
    let tests = feel::compile_unary_tests("> x, double(?) = 2").unwrap();
    let double = Function::native(vec!["n".into()], |arguments| match arguments {
        [Value::Number(number)] => number
            .checked_add(*number)
            .map(Value::Number)
            .ok_or_else(String::new),
        _ => Err("no number".to_owned()),
    });
    let x = Value::from_msgpack(&[21]);
    let bindings = [("x", x), ("double", Value::Function(double.into()))];
    let evaluation = expression.evaluate_with(&environment, &bindings).unwrap();
    assert_eq!(evaluation.value.to_string(), "[21, 42, 8, null]");
    assert_eq!(
        evaluation.warnings[0].to_string(),
        "[FUNCTION_INVOCATION_FAILURE] Failed to invoke function 'double': no number"
    );
    let bindings = [bindings[1].clone()];
    let evaluation = tests
        .evaluate_with(&environment, Value::from_msgpack(&[1]), &bindings)
        .unwrap();
    assert_eq!(evaluation.value.as_bool(), Some(true));
}

#[test]
fn an_expression_may_be_the_body_of_a_function() {
    let bytes = document(r#"{"rate":2}"#);
    let variables = DocumentVariables(&bytes);
    let environment = environment(&variables);
    let parameters: [Box<str>; 1] = ["n".into()];
    let body = feel::compile("n * rate + base").unwrap();
    let expression = feel::compile("[price(4), price(n: 5), price(1, 2)]").unwrap();
    let base = [("base", Value::from_msgpack(&[1]))];
    let price = Function::expression(&parameters, &body, &base);
    let bindings = [("price", Value::Function(price.into()))];
    let evaluation = expression.evaluate_with(&environment, &bindings).unwrap();
    assert_eq!(evaluation.value.to_string(), "[9, 11, null]");
    assert_eq!(evaluation.warnings[0].kind, WarningKind::NoFunctionFound);
}

#[test]
fn warnings_are_typed_and_bounded() {
    let expression = feel::compile("for i in 1..1000 return i + missing").unwrap();
    let environment = environment(&NoVariables);
    let evaluation = expression.evaluate(&environment).unwrap();
    assert_eq!(evaluation.warnings.len(), feel::MAX_WARNINGS);
    assert_eq!(evaluation.warnings[0].kind, WarningKind::NoVariableFound);
    assert_eq!(
        evaluation.warnings[1].to_string(),
        "[INVALID_TYPE] Can't add 'null' to '1'"
    );
    let expression = feel::compile("unknown(1)").unwrap();
    let evaluation = expression.evaluate(&environment).unwrap();
    assert_eq!(
        evaluation.warnings[0].to_string(),
        "[NO_FUNCTION_FOUND] No function found with name 'unknown' and 1 parameters"
    );
}

#[test]
fn errors_say_what_an_incident_shows() {
    let environment = environment(&NoVariables);
    let expression = feel::compile("assert(1, false, \"why\")").unwrap();
    assert_eq!(
        expression.evaluate(&environment).unwrap_err(),
        EvalError::AssertFailed(
            "Assertion failure on evaluate the expression 'assert(1, false, \"why\")': why The \
             evaluation reported the following warnings:\n[ASSERT_FAILURE] why"
                .into()
        )
    );
    let error = feel::compile("a +\n  * b").unwrap_err();
    assert_eq!(error.offset, 2);
    assert_eq!(
        error.to_string(),
        "failed to parse expression 'a +\n  * b': Expected (binaryComparison | between | \
         instanceOf | in | \"and\" | \"or\" | end-of-input):1:3, found \"+\\n  * b\""
    );
    assert!(feel::compile("").is_err());
    let external = "function(x) external {java: {class: \"a\", method signature: \"b(int)\"}}";
    let refused = feel::compile(external).unwrap_err().message;
    assert!(refused.ends_with(
        "failed: External functions are disabled. Use the FunctionProvider \
        SPI (recommended) or enable external function in the configuration."
    ));
}

#[test]
fn names_take_what_the_language_allows() {
    let variables = r#"{"a-b":1,"amount":10,"tax":3,"if":4,"items":[1],"x1_$":5}"#;
    let cases = [
        ("amount - tax", "7"),
        ("amount-tax", "7"),
        ("1 + 2 * 3 ** 2 - 4 / 2 * -1 + 1", "22"),
        ("2 ** 3 ** 2 * 2 + 1", "129"),
        ("10 - 2 - 3 * 2 + 8 / 4 / 2", "3"),
        ("`a-b`", "1"),
        ("if", "4"),
        ("10 in items", "false"),
        ("x1_$", "5"),
        ("// note\n amount /* here */ * 2", "20"),
        ("amount between (1) and (10)", "true"),
        ("\"a\\n\\\"b\\\\\"", "\"a\\n\\\"b\\\\\""),
        ("date and time(\"2020-01-01T00:00:00Z\").year", "2020"),
        ("string length(\"\u{1f600}\")", "2"),
        ("if false then 1 else if true then 2 else 3", "2"),
        (
            "for x in [1, 2] return for y in 3..4 return x * y",
            "[[3,4],[6,8]]",
        ),
    ];
    for (source, expected) in cases {
        assert_eq!(result(source, variables), expected, "{source}");
    }
}

#[test]
fn a_condition_is_cheap() {
    let bytes = document(r#"{"amount":250,"customer":{"name":"Ada","vip":true}}"#);
    let variables = DocumentVariables(&bytes);
    let environment = environment(&variables);
    let expression = feel::compile("amount > 100 and customer.vip").unwrap();
    let rounds = 2_000u32;
    let mut best = f64::MAX;
    for _ in 0..10 {
        let start = Instant::now();
        for _ in 0..rounds {
            let evaluation = expression.evaluate(&environment).unwrap();
            assert_eq!(evaluation.value.as_bool(), Some(true));
        }
        best = best.min(start.elapsed().as_nanos() as f64 / f64::from(rounds));
    }
    println!("amount > 100 and customer.vip: {best:.0} ns");
    // Unoptimised builds are an order of magnitude slower; this only guards against disasters.
    assert!(best < 100_000.0, "{best} ns");
}
