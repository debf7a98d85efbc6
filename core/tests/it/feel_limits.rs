//! The expression language against hostile input: nothing may panic, overflow the stack or run
//! without bound.
//!
//! Tests run on threads with the default stack of two megabytes, unoptimised, which is the hardest
//! place for code that recurses.

use ringflow_core::feel::{self, DocumentVariables, Environment, EvalError, NoVariables};
use ringflow_core::json;

const STEPS: u32 = 200_000;

/// Compiles and evaluates with few steps; the outcome as text.
fn run(source: &str) -> Result<String, String> {
    let expression = feel::compile(source).map_err(|error| error.message)?;
    let environment = Environment {
        variables: &NoVariables,
        now_millis: 0,
        zone: "UTC",
        random_seed: 1,
        step_budget: STEPS,
    };
    let evaluation = expression
        .evaluate(&environment)
        .map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    evaluation.value.to_msgpack(&mut bytes);
    let mut text = String::new();
    json::from_msgpack(&bytes, &mut text).map_err(|error| error.to_string())?;
    Ok(text)
}

#[test]
fn nesting_is_refused_beyond_a_limit() {
    let shapes = [
        ("(", "1", ")"),
        ("[", "1", "]"),
        ("{a: ", "1", "}"),
        ("not(", "true", ")"),
        ("-(", "1", ")"),
        ("if true then ", "1", " else 1"),
        ("for x in [1] return ", "1", ""),
        ("function(x) ", "1", ""),
        ("some x in [1] satisfies ", "true", ""),
        ("x[", "1", "]"),
        ("1 in (", "1", ")"),
        ("f(a: ", "1", ")"),
        ("1 in [1..(", "2", ")]"),
    ];
    for (open, inner, close) in shapes {
        let nested = |levels: usize| [&open.repeat(levels), inner, &close.repeat(levels)].concat();
        let _ = run(&nested(20)).unwrap_or_else(|error| panic!("{open}: {error}"));
        for levels in [140, 1_000, 5_000] {
            // Either outcome is fine; what matters is that there is one.
            let _ = run(&nested(levels));
        }
        assert!(run(&nested(1_000)).is_err(), "{open}");
        let _ = run(&open.repeat(5_000));
    }
    let refused = run(&["(".repeat(10_000), "1".to_owned()].concat()).unwrap_err();
    assert!(refused.ends_with("': the expression is nested too deeply"));
}

#[test]
fn long_chains_are_no_nesting() {
    assert_eq!(
        run(&["1", &" + 1".repeat(15_000)].concat()).unwrap(),
        "15001"
    );
    assert_eq!(
        run(&["true", &" and true".repeat(7_000)].concat()).unwrap(),
        "true"
    );
    assert_eq!(
        run(&["false", &" or false".repeat(6_000)].concat()).unwrap(),
        "false"
    );
    assert_eq!(run(&["1", &" * 1".repeat(15_000)].concat()).unwrap(), "1");
    assert_eq!(
        run(&["{a: 1}", &".a".repeat(30_000)].concat()).unwrap(),
        "null"
    );
    assert_eq!(
        run(&["[1]", &"[1]".repeat(20_000)].concat()).unwrap(),
        "null"
    );
    assert_eq!(
        run(&["if false then 0 else ".repeat(3_000).as_str(), "7"].concat()).unwrap(),
        "7"
    );
    let source = "1".repeat(70_000);
    let refused = run(&source).unwrap_err();
    assert!(refused.ends_with("': the expression is longer than 65536 bytes"));
}

#[test]
fn loops_end_with_the_steps() {
    let exceeded = EvalError::StepBudgetExceeded.to_string();
    for source in [
        "for x in 1..10000000000 return x",
        "count(for x in 1..3000, y in 1..3000 return 1)",
        "some x in 1..100000000 satisfies x < 0",
        "every x in 1..100000000 satisfies x > 0",
        "{f: {g: function(c) c.g(c)}, r: (for x in 1..1000000 return f.g(f))}",
    ] {
        let error = run(source).unwrap_err();
        let depth = EvalError::DepthExceeded.to_string();
        assert!(error == exceeded || error == depth, "{source}: {error}");
    }
    assert_eq!(run("{f: function(x) f(x + 1), r: f(1)}.r").unwrap(), "null");
    assert_eq!(
        run("{f: {g: function(c) c.g(c)}, r: f.g(f)}.r").unwrap_err(),
        EvalError::DepthExceeded.to_string()
    );
}

#[test]
fn values_cannot_grow_without_bound() {
    let too_large = EvalError::ValueTooLarge.to_string();
    let doubling: String = (1..60)
        .map(|i| format!(", a{i}: [a{}, a{}]", i - 1, i - 1))
        .collect();
    assert_eq!(
        run(&format!("{{a0: [1]{doubling}}}")).unwrap_err(),
        too_large
    );
    let text: String = (1..60)
        .map(|i| format!(", a{i}: a{} + a{}", i - 1, i - 1))
        .collect();
    assert!(run(&format!("{{a0: \"0123456789\"{text}}}")).is_err());
    assert_eq!(
        run("for i in 1..10000 return [partial[-1]]").unwrap_err(),
        too_large
    );
    assert!(run("for i in 1..5000 return partial").is_err());
    let functions: String = (1..60)
        .map(|i| format!(", f{i}: [f{0}, function() f{0}]", i - 1))
        .collect();
    let _ = run(&format!("{{f0: [1]{functions}}}"));
    let library: String = (1..100)
        .map(|i| format!("f{i}: function(x) x + {i}, "))
        .collect();
    assert_eq!(
        run(&format!("{{{library} r: f50(1) + f99(2)}}.r")).unwrap(),
        "152"
    );
}

#[test]
fn alternatives_do_not_explode() {
    for source in [
        "f(a: ".repeat(100) + "1" + &", b)".repeat(100),
        "x in (".repeat(100) + "1",
        "[".repeat(100) + "1 .. 2" + &"]".repeat(99),
        "if ".repeat(100),
        "for for for ".repeat(40),
        "{a:".repeat(100) + "(",
        "((((1..2)..3)..4)..5)".to_owned(),
        "/* ".to_owned(),
        "\"\\".to_owned(),
        "@".to_owned(),
        "`".to_owned(),
    ] {
        let _ = run(&source);
        let _ = feel::compile_unary_tests(&source);
    }
}

#[test]
fn patterns_are_bounded() {
    let evil = format!(
        "matches(\"{}c\", \"^(?:(?=a)a|a)+(?=c)d\")",
        "a".repeat(200)
    );
    assert_eq!(run(&evil).unwrap(), "null");
    let again = format!("for i in 1..1000 return {evil}");
    assert_eq!(
        run(&again).unwrap_err(),
        EvalError::StepBudgetExceeded.to_string()
    );
    assert_eq!(run("matches(\"aaa\", \"a{1000000}\")").unwrap(), "null");
    assert_eq!(run("replace(\"abc\", \"(\", \"\")").unwrap(), "null");
}

#[test]
fn odd_numbers_and_temporals() {
    for source in [
        "10 ** 1000000000 * 10 ** 1000000000",
        "(-8) ** 0.5",
        "1 / 3 * 10 ** 999999999 * 10 ** 999999999",
        "decimal(1, 2147483647)",
        "decimal(1.5, -2147483648)",
        "duration(\"P999999999Y\") * 2147483647 * 2147483647",
        "@\"9999-12-31\" + @\"P1D\"",
        "@\"-9999-01-01\" - @\"P9999Y\"",
        "@\"9999-12-31T23:59:59@America/Los_Angeles\" + @\"P1D\"",
        "date and time(@\"9999-12-31T23:59:59\", \"+18:00\") - @\"PT1S\"",
        "@\"999999999-12-31T23:59:59@America/Los_Angeles\" + @\"P1D\"",
        "@\"-999999999-01-01T00:00:00@Asia/Tokyo\" - @\"P9223372036854775807M\"",
        "@\"2024-01-01T00:00:00Z\" + @\"PT2562047788015215H\"",
        "@\"23:59:59\" + @\"PT106751991167300H\"",
        "substring(\"\u{1f600}\", 2)",
        "substring(\"a\", -2147483648, 2147483647)",
        "sublist([1,2,3], -2147483648, 2147483647)",
        "insert before([1], -5, 2)",
        "partition([1], 2147483648)",
        "time(25, 61, -1)",
        "time(1, 1, 1, @\"PT20H\")",
        "date(99999, 13, 32)",
        "modulo(1, 0)",
        "log(0)",
        "stddev([1])",
        "for x in 10**40..10**40+3 return x",
        "[1,2,3][10 ** 30]",
        "string(@\"PT0.000000001S\")",
        "extract(\"aaa\", \"\")",
        "split(\"\", \"\")",
    ] {
        // What the reference's runtime throws is a failure, all else has a value.
        if let Err(error) = run(source) {
            assert!(error.contains(" : java."), "{source}: {error}");
        }
    }
}

#[test]
fn mutated_expressions_never_panic() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixture/feel");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|f| f.unwrap().path())
        .collect();
    files.sort();
    let mut sources = Vec::new();
    for file in files {
        for line in std::fs::read_to_string(file).unwrap().lines() {
            let case: serde_json::Value = serde_json::from_str(line).unwrap();
            let source = case.get("expr").or(case.get("test")).unwrap();
            // A million rounds again and again would only be slow.
            sources.push(source.as_str().unwrap().replace("1000000", "100"));
        }
    }
    let pieces = [
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "..",
        ",",
        ":",
        "-",
        "**",
        "?",
        "@",
        "\"",
        " and ",
        " in ",
        "null",
        "item",
        "partial",
        " function(x) ",
        "1e",
        ".5",
        "99999999999999999999",
        "`",
        "/*",
        "\u{1f600}",
        "\u{0}",
        " instance of ",
        "not(",
        "if ",
        " then ",
        " else ",
        "P1Y",
    ];
    let mut state = 2026u64;
    let mut next = |bound: usize| {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (state >> 33) as usize % bound
    };
    let variables =
        json::to_msgpack(r#"{"x":[1,{"y":[[2.5]]},null,"a"],"a":{"b":{"c":-1}}}"#).unwrap();
    let variables = DocumentVariables(&variables);
    let environment = Environment {
        variables: &variables,
        now_millis: 1,
        zone: "Europe/Berlin",
        random_seed: 1,
        step_budget: 5_000,
    };
    let mut evaluated = 0;
    for _ in 0..6_000 {
        let mut text: Vec<char> = sources[next(sources.len())].chars().collect();
        for _ in 0..1 + next(3) {
            let at = next(text.len() + 1);
            match next(4) {
                0 if !text.is_empty() => drop(text.remove(at.min(text.len() - 1))),
                1 => {
                    let other: Vec<char> = sources[next(sources.len())].chars().collect();
                    text.splice(at..at, other);
                }
                2 => text.truncate(at),
                _ => drop(text.splice(at..at, pieces[next(pieces.len())].chars())),
            }
        }
        let source: String = text.into_iter().collect();
        let expression = feel::compile(&source);
        let evaluation = expression
            .as_ref()
            .ok()
            .and_then(|e| e.evaluate(&environment).ok());
        if let Some(evaluation) = evaluation {
            evaluated += 1;
            let mut bytes = Vec::new();
            evaluation.value.to_msgpack(&mut bytes);
            ringflow_core::msgpack::validate(&bytes).unwrap();
            let _ = evaluation.value.to_string();
        }
        if let Ok(tests) = feel::compile_unary_tests(&source) {
            let _ = tests.evaluate(&environment, feel::Value::from_msgpack(&[5]));
        }
    }
    assert!(
        evaluated > 500,
        "only {evaluated} of the mutations were expressions"
    );
}

#[test]
fn random_characters_never_panic() {
    let mut state = 1u64;
    for _ in 0..20_000 {
        let mut source = String::new();
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        for _ in 0..(state >> 40) % 30 {
            state = state
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            source.push(char::from((state >> 33) as u8));
        }
        let _ = run(&source);
        let _ = feel::compile_unary_tests(&source);
    }
}
