//! Decisions without an engine: every hit policy, every kind of logic, every way to fail.
//!
//! Models are written out by small builders, results are compared as text. What the public suite
//! covers is in `dmn_tck`; here is what the reference engine does beyond it, and its texts.

use ringflow_core::dmn::{self, Graph};
use ringflow_core::feel::value::Value;
use ringflow_core::feel::{DocumentVariables, Environment};
use ringflow_core::json;

const NAMESPACE: &str = "https://www.omg.org/spec/DMN/20191111/MODEL/";

pub(crate) fn file(content: &str) -> String {
    format!(
        "<definitions xmlns='{NAMESPACE}' id='drg' name='Graph' namespace='test'>{content}</definitions>"
    )
}

fn text(name: &str, source: &str) -> String {
    let source = source.replace('&', "&amp;").replace('<', "&lt;");
    format!("<{name}><text>{source}</text></{name}>")
}

fn literal(source: &str) -> String {
    text("literalExpression", source)
}

fn decision(id: &str, requires: &[&str], logic: &str) -> String {
    let requires: String = requires
        .iter()
        .map(|id| match id.strip_prefix("bkm:") {
            Some(id) => format!(
                "<knowledgeRequirement><requiredKnowledge href='#{id}'/></knowledgeRequirement>"
            ),
            None => format!(
                "<informationRequirement><requiredDecision href='#{id}'/></informationRequirement>"
            ),
        })
        .collect();
    format!("<decision id='{id}' name='{id}'>{requires}{logic}</decision>")
}

fn knowledge(name: &str, parameters: &str, logic: &str) -> String {
    let parameters: String = parameters
        .split_whitespace()
        .map(|one| match one.split_once(':') {
            Some((name, of)) => format!("<formalParameter name='{name}' typeRef='{of}'/>"),
            None => format!("<formalParameter name='{one}'/>"),
        })
        .collect();
    format!(
        "<businessKnowledgeModel id='{name}' name='{name}'><encapsulatedLogic>{parameters}{logic}</encapsulatedLogic></businessKnowledgeModel>"
    )
}

/// A table. Columns are separated by `;`; an output is `name`, or `name|values|default`.
pub(crate) fn table(policy: &str, inputs: &str, outputs: &str, rules: &[&str]) -> String {
    let mut xml = match policy.split_once('/') {
        Some((policy, with)) => {
            format!("<decisionTable hitPolicy='{policy}' aggregation='{with}'>")
        }
        None => format!("<decisionTable hitPolicy='{policy}'>"),
    };
    let columns = inputs.split(';').filter(|one| !one.is_empty());
    for (index, input) in columns.enumerate() {
        xml += &format!(
            "<input id='in{index}'>{}</input>",
            text("inputExpression", input)
        );
    }
    for (index, output) in outputs.split(';').enumerate() {
        let mut parts = output.split('|');
        let name = parts.next().unwrap();
        let name = if name.is_empty() {
            String::new()
        } else {
            format!(" name='{name}'")
        };
        let values = parts.next().filter(|values| !values.is_empty());
        let values = values.map_or(String::new(), |values| text("outputValues", values));
        let default = parts.next();
        let default = default.map_or(String::new(), |one| text("defaultOutputEntry", one));
        xml += &format!("<output id='out{index}'{name}>{values}{default}</output>");
    }
    for (index, rule) in rules.iter().enumerate() {
        let (tests, results) = rule.split_once("=>").unwrap();
        let cells = |cells: &str, name: &str| -> String {
            cells
                .split(';')
                .map(|cell| text(name, cell.trim()))
                .collect()
        };
        let tests = if inputs.is_empty() {
            String::new()
        } else {
            cells(tests, "inputEntry")
        };
        xml += &format!(
            "<rule id='r{}'>{tests}{}</rule>",
            index + 1,
            cells(results, "outputEntry")
        );
    }
    xml + "</decisionTable>"
}

fn compile(content: &str) -> Graph {
    dmn::compile(file(content).as_bytes()).unwrap()
}

/// Evaluates the decision `d` of a file with variables as JSON; result or failure, and what was
/// evaluated on the way.
fn evaluate(content: &str, variables: &str) -> (String, String) {
    let graph = compile(content);
    let document = json::to_msgpack(variables).unwrap();
    let variables = DocumentVariables(&document);
    let environment = Environment {
        variables: &variables,
        now_millis: 0,
        zone: "UTC",
        random_seed: 0,
        step_budget: 100_000,
    };
    let evaluation = graph.evaluate(graph.position("d").unwrap(), &environment);
    let told: Vec<String> = evaluation
        .evaluated
        .iter()
        .map(|one| {
            let inputs: Vec<String> = one.inputs.iter().map(Value::to_string).collect();
            let matched: Vec<String> = (one.matched.iter())
                .map(|rule| format!("{}", rule.rule + 1))
                .collect();
            let mut told = format!("{} {} {}", one.id, one.kind.name(), one.output);
            if one.table.is_some() {
                told += &format!(" in {} rules {}", inputs.join(","), matched.join(","));
            }
            told
        })
        .collect();
    let result = match evaluation.result {
        Ok(value) => value.to_string(),
        Err(failure) => format!("{} [{}]", failure.message, failure.decision_id),
    };
    (result, told.join("; "))
}

/// The result of one table over `x`.
fn policy(policy: &str, outputs: &str, rules: &[&str], x: &str) -> String {
    let content = decision("d", &[], &table(policy, "x", outputs, rules));
    evaluate(&content, &format!("{{\"x\":{x}}}")).0
}

fn refused(content: &str) -> String {
    dmn::compile(file(content).as_bytes())
        .unwrap_err()
        .to_string()
}

const OVERLAPPING: [&str; 3] = ["< 10 => 1", "< 20 => 2", "< 30 => 2"];

#[test]
fn unique_first_any_and_rule_order() {
    assert_eq!(policy("UNIQUE", "y", &OVERLAPPING, "25"), "2");
    assert_eq!(policy("UNIQUE", "y", &OVERLAPPING, "50"), "null");
    assert_eq!(
        policy("UNIQUE", "y", &OVERLAPPING, "15"),
        "Expected to evaluate decision 'd', but multiple values aren't allowed for UNIQUE hit policy. found: 'List(Map(y -> 2), Map(y -> 2))' [d]"
    );
    assert_eq!(policy("FIRST", "y", &OVERLAPPING, "5"), "1");
    assert_eq!(policy("ANY", "y", &OVERLAPPING, "15"), "2");
    assert_eq!(
        policy("ANY", "y", &OVERLAPPING, "5"),
        "Expected to evaluate decision 'd', but different values aren't allowed for ANY hit policy. found: 'List(Map(y -> 1), Map(y -> 2))' [d]"
    );
    assert_eq!(policy("RULE ORDER", "y", &OVERLAPPING, "5"), "[1, 2, 2]");
    assert_eq!(policy("COLLECT", "y", &OVERLAPPING, "15"), "[2, 2]");
    assert_eq!(policy("COLLECT", "y", &OVERLAPPING, "99"), "null");
}

#[test]
fn aggregators_over_one_column_of_numbers() {
    for (aggregator, result) in [("SUM", "5"), ("MIN", "1"), ("MAX", "2"), ("COUNT", "3")] {
        let policy_name = format!("COLLECT/{aggregator}");
        assert_eq!(policy(&policy_name, "y", &OVERLAPPING, "5"), result);
        assert_eq!(policy(&policy_name, "y", &OVERLAPPING, "99"), "null");
    }
    assert_eq!(
        policy("COLLECT/SUM", "y", &["- => 1", "- => \"a\""], "1"),
        "Expected to evaluate decision 'd', but expected number but found '\"a\"' [d]"
    );
    assert_eq!(
        refused(&decision(
            "d",
            &[],
            &table("COLLECT/MAX", "x", "a;b", &["- => 1; 2"])
        )),
        "hit policy 'COLLECT' with aggregator is not defined for compound output"
    );
}

#[test]
fn priorities_compare_places_as_text() {
    let rules = [
        "- => \"low\"",
        "- => \"high\"",
        "- => \"other\"",
        "- => \"mid\"",
    ];
    let values = "y|\"high\", \"mid\", \"low\"";
    assert_eq!(policy("PRIORITY", values, &rules, "1"), "\"high\"");
    assert_eq!(
        policy("OUTPUT ORDER", values, &rules, "1"),
        "[\"high\", \"mid\", \"low\", \"other\"]"
    );
    // The eleventh value is at place 10, which as text comes before place 2.
    let many = "y|0,1,2,3,4,5,6,7,8,9,10";
    assert_eq!(
        policy("OUTPUT ORDER", many, &["- => 2", "- => 10"], "1"),
        "[10, 2]"
    );
    let two = "a|1,2;b|\"x\",\"y\"";
    assert_eq!(
        policy(
            "PRIORITY",
            two,
            &["- => 2; \"x\"", "- => 1; \"y\"", "- => 1; \"x\""],
            "1"
        ),
        "{a:1, b:\"x\"}"
    );
}

#[test]
fn defaults_stand_in_when_no_rule_matches() {
    for policy_name in ["UNIQUE", "RULE ORDER", "COLLECT", "COLLECT/SUM"] {
        assert_eq!(policy(policy_name, "y||x + 1", &["1 => 5"], "2"), "3");
    }
    assert_eq!(
        policy("FIRST", "a||1;b||2", &["1 => 5; 6"], "2"),
        "{a:1, b:2}"
    );
    assert_eq!(policy("FIRST", "a||1;b", &["1 => 5; 6"], "2"), "1");
    assert_eq!(policy("FIRST", "a;b", &["1 => 5; 6"], "1"), "{a:5, b:6}");
}

#[test]
fn tests_see_their_input() {
    let cases = [
        ("", "1", "7"),
        ("-", "1", "7"),
        ("\"a\",\"b\"", "\"b\"", "7"),
        ("not(\"a\")", "\"a\"", "null"),
        ("[1..3)", "3", "null"),
        ("? > 2 and ? < 4", "3", "7"),
        ("even(?)", "4", "7"),
        ("date(\"2020-01-01\")", "1", "null"),
        ("> limit", "5", "null"),
        ("null", "null", "7"),
    ];
    for (test, x, result) in cases {
        assert_eq!(
            policy("UNIQUE", "y", &[&format!("{test} => 7")], x),
            result,
            "{test}"
        );
    }
}

#[test]
fn a_table_tells_inputs_and_matched_rules() {
    let content = decision(
        "d",
        &[],
        &table("RULE ORDER", "x;y", "o", &["1;- => x", "-;2 => y"]),
    );
    assert_eq!(
        evaluate(&content, r#"{"x":1,"y":2}"#),
        (
            "[1, 2]".to_owned(),
            "d DECISION_TABLE [1, 2] in 1,2 rules 1,2".to_owned()
        )
    );
    // All rules are tested, but only the first that matches counts.
    let content = decision("d", &[], &table("FIRST", "x", "o", &["- => 1", "- => 2"]));
    assert_eq!(
        evaluate(&content, "{}").1,
        "d DECISION_TABLE 1 in null rules 1"
    );
}

#[test]
fn boxed_logic() {
    let entry = |name: &str, logic: &str| {
        let variable = match name {
            "" => String::new(),
            name => format!("<variable name='{name}'/>"),
        };
        format!("<contextEntry>{variable}{logic}</contextEntry>")
    };
    let twice = format!(
        "<functionDefinition><formalParameter name='n' typeRef='number'/>{}</functionDefinition>",
        literal("n * 2")
    );
    let cases = [
        (literal("x + 1"), "3", "LITERAL_EXPRESSION"),
        (
            format!("<list>{}{}</list>", literal("1"), literal("x")),
            "[1, 2]",
            "LIST",
        ),
        (
            format!(
                "<relation><column name='a'/><column name='b'/><row>{}{}</row></relation>",
                literal("1"),
                literal("x")
            ),
            "[{a:1, b:2}]",
            "RELATION",
        ),
        (
            format!(
                "<context>{}{}</context>",
                entry("a", &literal("x")),
                entry("b", &literal("a * 10"))
            ),
            "{a:2, b:20}",
            "CONTEXT",
        ),
        (
            format!(
                "<context>{}{}</context>",
                entry("f", &twice),
                entry("", &literal("f(x)"))
            ),
            "4",
            "CONTEXT",
        ),
        (
            format!(
                "<context>{}{}</context>",
                entry("f", &twice),
                entry("", &literal("f(\"a\")"))
            ),
            "null",
            "CONTEXT",
        ),
    ];
    for (logic, result, kind) in cases {
        assert_eq!(
            evaluate(&decision("d", &[], &logic), r#"{"x":2}"#),
            (result.to_owned(), format!("d {kind} {result}")),
            "{logic}"
        );
    }
}

#[test]
fn required_decisions_and_knowledge() {
    let content = decision("a", &[], &literal("x + 1"))
        + &decision("b", &["a"], &literal("a * 2"))
        + &decision("d", &["a", "b"], &literal("a + b"));
    assert_eq!(
        evaluate(&content, r#"{"x":1}"#),
        (
            "6".to_owned(),
            "a LITERAL_EXPRESSION 2; a LITERAL_EXPRESSION 2; b LITERAL_EXPRESSION 4; d LITERAL_EXPRESSION 6"
                .to_owned()
        )
    );
    let sum = knowledge("sum", "p:number q:number", &literal("p + q"));
    let called = sum.clone() + &decision("d", &["bkm:sum"], &literal("sum(x, 2)"));
    assert_eq!(
        evaluate(&called, r#"{"x":1}"#),
        (
            "3".to_owned(),
            "sum LITERAL_EXPRESSION 3; d LITERAL_EXPRESSION 3".to_owned()
        )
    );
    // An argument of the wrong type makes the call null, not the decision a failure.
    assert_eq!(evaluate(&called, r#"{"x":"a"}"#).0, "null");
    let binding = |name: &str, source: &str| {
        format!(
            "<binding><parameter name='{name}'/>{}</binding>",
            literal(source)
        )
    };
    let invoked = |second: &str| {
        let logic = format!(
            "<invocation>{}{}{second}</invocation>",
            literal("sum"),
            binding("p", "x")
        );
        sum.clone() + &decision("d", &["bkm:sum"], &logic)
    };
    assert_eq!(
        evaluate(&invoked(&binding("q", "5")), r#"{"x":1}"#),
        (
            "6".to_owned(),
            "sum LITERAL_EXPRESSION 6; d INVOCATION 6".to_owned()
        )
    );
    assert_eq!(
        evaluate(&invoked(""), r#"{"x":1}"#).0,
        "Expected to evaluate decision 'd', but no parameter found with name 'q' [d]"
    );
    assert_eq!(
        evaluate(&invoked(&binding("q", "\"b\"")), r#"{"x":1}"#).0,
        "Expected to evaluate decision 'd', but expected 'number' but found '\"b\"' [d]"
    );
}

#[test]
fn results_have_the_type_and_the_name_of_the_variable() {
    let typed = |of: &str, source: &str| {
        let inner = format!("<variable name='out' typeRef='{of}'/>{}", literal(source));
        evaluate(&decision("d", &[], &inner), "{}").0
    };
    assert_eq!(typed("feel:string", "\"a\""), "\"a\"");
    assert_eq!(typed("number", "null"), "null");
    assert_eq!(typed("tLoan", "1"), "1");
    assert_eq!(
        typed("string", "1"),
        "Expected to evaluate decision 'd', but expected 'string' but found '1' [d]"
    );
    let named = "<variable name='out'/>".to_owned() + &literal("7");
    let content = decision("a", &[], &named) + &decision("d", &["a"], &literal("[out, a]"));
    assert_eq!(evaluate(&content, "{}").0, "[7, null]");
}

#[test]
fn failures_name_what_failed() {
    let content =
        decision("a", &[], &literal("assert(x, x = 1)")) + &decision("d", &["a"], &literal("a"));
    let (result, told) = evaluate(&content, r#"{"x":2}"#);
    assert!(
        result.starts_with("Expected to evaluate decision 'd', but Assertion failure"),
        "{result}"
    );
    assert!(result.ends_with("[a]"), "{result}");
    assert_eq!(told, "a LITERAL_EXPRESSION null");
    let endless = decision("d", &[], &literal("count(for i in 1..1000000 return i)"));
    assert!(evaluate(&endless, "{}").0.contains("too many steps"));
}

#[test]
fn refusals() {
    assert_eq!(
        refused(&(decision("a", &["d"], &literal("1")) + &decision("d", &["a"], &literal("1")))),
        "Invalid DMN model: Cyclic dependencies between decisions detected."
    );
    assert_eq!(
        refused(&decision("d", &[], "<literalExpression id='le'/>")),
        "The expression 'le' must not be empty."
    );
    assert_eq!(
        refused(&decision("d", &[], "<conditional/>")),
        "unsupported decision expression 'null'"
    );
    assert_eq!(
        refused(&decision(
            "d",
            &[],
            &table("UNIQUE", "x", "a;", &["1 => 1; 2"])
        )),
        "no output name defined for `null`"
    );
    assert_eq!(
        refused(&decision(
            "d",
            &[],
            &format!("<invocation>{}</invocation>", literal("f"))
        )),
        "no BKM found with name 'f'"
    );
    let row = format!("<row>{}</row>", literal("1"));
    assert_eq!(
        refused(&decision(
            "d",
            &[],
            &format!("<relation><column name='a'/><column name='b'/>{row}</relation>")
        )),
        "expected row with '2' elements but found '1'"
    );
    let foreign =
        "<literalExpression expressionLanguage='JavaScript'><text>1</text></literalExpression>";
    assert_eq!(
        refused(&decision("d", &[], foreign)),
        "Expression language 'javascript' is not supported"
    );
    let twice = refused(&decision(
        "d",
        &[],
        &table("UNIQUE", "x +", "y", &["1 => x +", "( => 2"]),
    ));
    assert!(
        twice.starts_with("FEEL expression: failed to parse expression 'x +'"),
        "{twice}"
    );
    assert_eq!(
        twice.lines().count(),
        2,
        "the same text is complained about once: {twice}"
    );
    let no_xml = dmn::compile(b"<definitions").unwrap_err().to_string();
    assert!(no_xml.starts_with("Failed to parse DMN: "), "{no_xml}");
}

#[test]
fn every_version_of_the_model_is_read() {
    for namespace in [
        "http://www.omg.org/spec/DMN/20151101/dmn.xsd",
        "http://www.omg.org/spec/DMN/20180521/MODEL/",
        "https://www.omg.org/spec/DMN/20191111/MODEL/",
        "https://www.omg.org/spec/DMN/20211108/MODEL/",
        "https://www.omg.org/spec/DMN/20230324/MODEL/",
    ] {
        let content = file(&decision("d", &[], &literal("1"))).replace(NAMESPACE, namespace);
        assert!(dmn::compile(content.as_bytes()).is_ok(), "{namespace}");
    }
    let other = file("").replace(NAMESPACE, "urn:other");
    assert_eq!(
        dmn::compile(other.as_bytes()).unwrap_err().to_string(),
        "Failed to parse DMN: Expected DMN 'definitions' as the root element but found 'definitions'"
    );
}

#[test]
fn long_chains_and_wide_requirements_end() {
    let chain: String = (0..5000)
        .map(|at| {
            let before = format!("c{}", at - 1);
            let requires = if at == 0 {
                vec![]
            } else {
                vec![before.as_str()]
            };
            decision(&format!("c{at}"), &requires, &literal("1"))
        })
        .collect();
    let content = chain + &decision("d", &["c4999"], &literal("1"));
    assert!(
        evaluate(&content, "{}")
            .0
            .contains("very long chain of dependent decisions")
    );
    let wide: String = (0..60)
        .map(|at| {
            let before = format!("w{}", at - 1);
            let requires = if at == 0 {
                vec![]
            } else {
                vec![before.as_str(); 2]
            };
            decision(&format!("w{at}"), &requires, &literal("1"))
        })
        .collect();
    let content = wide + &decision("d", &["w59"], &literal("1"));
    assert!(evaluate(&content, "{}").0.contains("too many steps"));
    let models: String = (0..60)
        .map(|at| {
            let requirement = |id: i32| {
                format!("<knowledgeRequirement><requiredKnowledge href='#k{id}'/></knowledgeRequirement>")
            };
            let requires = if at == 0 { String::new() } else { requirement(at - 1).repeat(2) };
            format!("<businessKnowledgeModel id='k{at}' name='k{at}'>{requires}</businessKnowledgeModel>")
        })
        .collect();
    let content = models + &decision("d", &["bkm:k59"], &literal("1"));
    assert!(evaluate(&content, "{}").0.contains("too many steps"));
}

/// Numbers of a fixed sequence.
struct Sequence(u64);

impl Sequence {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % limit
    }
}

#[test]
fn mutated_files_never_panic() {
    let sum = knowledge("sum", "p:number q", &literal("p + q"));
    let seed_file = file(
        &(sum
            + &decision("a", &["bkm:sum"], &literal("sum(x, 1)"))
            + &decision(
                "d",
                &["a"],
                &table(
                    "OUTPUT ORDER",
                    "a;x",
                    "o|1,2|x;p||2",
                    &["<1;- => 1;x", "[1..3];? > 1 => 2;a"],
                ),
            )),
    );
    let parts: Vec<&str> = seed_file.split_inclusive('>').collect();
    let mut sequence = Sequence(7);
    let (mut compiled, rounds) = (0, 3000);
    for round in 0..rounds {
        let mut bytes: Vec<u8> = if round % 2 == 0 {
            // Tags come twice, swap or are left out.
            let mut parts = parts.clone();
            for _ in 0..=sequence.below(3) {
                let (from, to) = (sequence.below(parts.len()), sequence.below(parts.len()));
                match sequence.below(3) {
                    0 => parts.swap(from, to),
                    1 => parts[from] = parts[to],
                    _ => parts[from] = "",
                }
            }
            parts.concat().into_bytes()
        } else {
            seed_file.clone().into_bytes()
        };
        for _ in 0..sequence.below(4) {
            let at = sequence.below(bytes.len());
            bytes[at] = b"<>&'\"/ ()[]?.,-+*19aZ=\x00\xff\n"[sequence.below(24)];
        }
        let Ok(graph) = dmn::compile(&bytes) else {
            continue;
        };
        compiled += 1;
        let document = json::to_msgpack(br#"{"x":2,"a":[1,"b"]}"#).unwrap();
        let variables = DocumentVariables(&document);
        let environment = Environment {
            variables: &variables,
            now_millis: 0,
            zone: "UTC",
            random_seed: 0,
            step_budget: 10_000,
        };
        for position in 0..=graph.decisions().len() {
            let _ = graph.evaluate(position, &environment);
        }
    }
    assert!(
        compiled > rounds / 20,
        "only {compiled} of {rounds} files compiled"
    );
}
