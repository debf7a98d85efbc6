//! Decision tables: which rules match, and what the hit policy makes of their outputs.
//!
//! Inputs are evaluated once, then all rules from the top, each test from the left until one fails;
//! outputs of matched rules come after all tests. With the policy FIRST only the first matched rule
//! counts, but all rules are tested: a test that fails there fails the table.
//!
//! Without a matched rule the default outputs are the result, else null, whatever the policy.

use std::fmt::Write as _;

use crate::feel::value::{Context, Text, Value};
use crate::feel::{Eval, Session, Trouble};

use super::evaluate::evaluate_cell;
use super::graph::{Aggregator, Cell, Graph, HitPolicy, Table};

/// Longest list of values in a text, in bytes.
const SHOWN_MAX: usize = 4000;

/// A rule that matched.
#[derive(Clone, Debug)]
pub struct Matched<'e> {
    /// Its index, from 0.
    pub rule: usize,
    /// Values of its outputs, in the order of the table.
    pub outputs: Vec<Value<'e>>,
}

/// What is told about a table.
#[derive(Default)]
pub(super) struct Report<'e> {
    pub(super) inputs: Vec<Value<'e>>,
    pub(super) matched: Vec<Matched<'e>>,
}

/// Evaluates a table.
#[inline(never)]
pub(super) fn evaluate<'e>(
    graph: &'e Graph,
    session: &mut Session<'e>,
    table: &'e Table,
    report: &mut Report<'e>,
) -> Eval<'e> {
    let mut inputs = Vec::with_capacity(table.inputs.len());
    for input in &table.inputs {
        inputs.push(evaluate_cell(graph, session, input.expression)?);
    }
    report.inputs = inputs;
    let mut matched = Vec::new();
    for rule in 0..table.rules.len() {
        session.charge(1)?;
        if matches(graph, session, table, rule, &report.inputs)? {
            matched.push(rule);
        }
    }
    if matched.is_empty() {
        return defaults(graph, session, table);
    }
    if table.policy == HitPolicy::First {
        matched.truncate(1);
    }
    let mut rows = Vec::with_capacity(matched.len());
    for rule in matched {
        let cells = table.rules.get(rule).map_or(&[][..], |rule| &rule.outputs);
        let mut outputs = Vec::with_capacity(cells.len());
        for cell in cells {
            outputs.push(evaluate_cell(graph, session, *cell)?);
        }
        rows.push(Matched { rule, outputs });
    }
    report.matched = rows;
    let value = resolve(table, &report.matched)?;
    session.built(value)
}

/// Whether all tests of a rule hold.
fn matches<'e>(
    graph: &'e Graph,
    session: &mut Session<'e>,
    table: &'e Table,
    rule: usize,
    inputs: &[Value<'e>],
) -> Result<bool, Trouble> {
    let width = inputs.len();
    let tests = table.tests.get(rule * width..(rule + 1) * width);
    for (cell, input) in tests.unwrap_or_default().iter().zip(inputs) {
        let verdict = match cell {
            Cell::Any => continue,
            Cell::Tests(at) => match graph.tests.get(*at as usize) {
                Some(tests) => session.put_to(tests, input)?,
                None => return Err(Trouble::Error("the tests are missing".into())),
            },
            Cell::Expression(_) | Cell::Refused(_) => evaluate_cell(graph, session, *cell)?,
        };
        if let Value::Bool(true) = verdict {
            continue;
        }
        if let Value::Bool(false) | Value::Null = verdict {
            return Ok(false);
        }
        let why = format!("input entry must return true, false, or null, but found '{verdict}'");
        return Err(Trouble::Error(why.into()));
    }
    Ok(true)
}

fn defaults<'e>(graph: &'e Graph, session: &mut Session<'e>, table: &'e Table) -> Eval<'e> {
    let mut values = Vec::new();
    for output in &table.outputs {
        if let Some(cell) = output.default {
            let value = evaluate_cell(graph, session, cell)?;
            values.push((Text::Borrowed(output.key()), value));
        }
    }
    let value = single(values);
    session.built(value)
}

/// Nothing, the one value, or a context of all.
fn single<'e>(mut values: Vec<(Text<'e>, Value<'e>)>) -> Value<'e> {
    if values.len() <= 1 {
        return values.pop().map_or(Value::Null, |(_, value)| value);
    }
    Value::Context(Context::new(values))
}

/// The outputs of a rule: the value of the only column, else a context.
fn row<'e>(table: &'e Table, matched: &Matched<'e>) -> Value<'e> {
    if let [only] = &matched.outputs[..] {
        return only.clone();
    }
    let names = table.outputs.iter().map(|output| output.key());
    let entries = names.zip(&matched.outputs);
    single(
        entries
            .map(|(name, value)| (Text::Borrowed(name), value.clone()))
            .collect(),
    )
}

fn rows<'e>(table: &'e Table, matched: &[Matched<'e>]) -> Value<'e> {
    Value::list(matched.iter().map(|one| row(table, one)).collect())
}

fn first<'e>(table: &'e Table, matched: &[Matched<'e>]) -> Value<'e> {
    matched.first().map_or(Value::Null, |one| row(table, one))
}

fn resolve<'e>(table: &'e Table, matched: &[Matched<'e>]) -> Eval<'e> {
    match table.policy {
        HitPolicy::First => Ok(first(table, matched)),
        HitPolicy::Unique => {
            if matched.len() > 1 {
                return Err(refused(
                    "multiple values aren't allowed for UNIQUE",
                    table,
                    matched,
                ));
            }
            Ok(first(table, matched))
        }
        HitPolicy::Any => {
            let mut distinct: Vec<Matched<'e>> = Vec::new();
            for one in matched {
                let same = |known: &Matched<'e>| {
                    let pairs = known.outputs.iter().zip(&one.outputs);
                    known.outputs.len() == one.outputs.len()
                        && pairs.into_iter().all(|(a, b)| a.same(b))
                };
                if !distinct.iter().any(same) {
                    distinct.push(one.clone());
                }
            }
            if distinct.len() > 1 {
                return Err(refused(
                    "different values aren't allowed for ANY",
                    table,
                    &distinct,
                ));
            }
            Ok(first(table, matched))
        }
        HitPolicy::Priority => Ok(first(table, &by_priority(table, matched))),
        HitPolicy::OutputOrder => Ok(rows(table, &by_priority(table, matched))),
        HitPolicy::RuleOrder | HitPolicy::Collect(None) => Ok(rows(table, matched)),
        HitPolicy::Collect(Some(Aggregator::Count)) => {
            Ok(Value::int(i64::try_from(matched.len()).unwrap_or(i64::MAX)))
        }
        HitPolicy::Collect(Some(aggregator)) => aggregate(table, aggregator, matched),
    }
}

/// Numbers of the only column become one.
fn aggregate<'e>(table: &'e Table, aggregator: Aggregator, matched: &[Matched<'e>]) -> Eval<'e> {
    let mut result = None;
    for one in matched {
        let value = row(table, one);
        let Some(number) = value.as_number() else {
            let why = format!("expected number but found '{value}'");
            return Err(Trouble::Error(why.into()));
        };
        result = Some(match (result, aggregator) {
            (None, _) => number,
            (Some(so_far), Aggregator::Min) => number.min(so_far),
            (Some(so_far), Aggregator::Max) => number.max(so_far),
            (Some(so_far), Aggregator::Sum | Aggregator::Count) => number
                .checked_add(so_far)
                .ok_or_else(|| Trouble::Error("the sum is too large".into()))?,
        });
    }
    Ok(Value::number(result))
}

/// Best first: positions in the lists of allowed values, joined as texts and compared as texts.
fn by_priority<'e>(table: &'e Table, matched: &[Matched<'e>]) -> Vec<Matched<'e>> {
    let mut sorted: Vec<(String, Matched<'e>)> = matched
        .iter()
        .map(|one| (rank(table, one), one.clone()))
        .collect();
    sorted.sort_by(|(a, _), (b, _)| a.cmp(b));
    sorted.into_iter().map(|(_, one)| one).collect()
}

fn rank(table: &Table, matched: &Matched<'_>) -> String {
    let mut rank = String::new();
    for (output, value) in table.outputs.iter().zip(&matched.outputs) {
        let text = match (value.as_str(), value.as_number()) {
            (Some(text), _) => Some(text.to_owned()),
            (None, Some(number)) => Some(number.to_string()),
            (None, None) => None,
        };
        let place = text.and_then(|text| output.priorities.iter().rposition(|p| **p == text));
        match place {
            Some(place) => {
                let _ = write!(rank, "{place}");
            }
            // Sorts behind every digit.
            None => rank.push('_'),
        }
    }
    rank
}

/// A failure that shows the outputs of rules the way the reference engine prints them.
#[cold]
fn refused(what: &str, table: &Table, matched: &[Matched<'_>]) -> Trouble {
    let mut text = format!("{what} hit policy. found: 'List(");
    for (index, one) in matched.iter().enumerate() {
        text.push_str(if index > 0 { ", " } else { "" });
        let names = table.outputs.iter().map(|output| output.name.as_deref());
        text.push_str(if one.outputs.len() > 4 {
            "HashMap("
        } else {
            "Map("
        });
        for (place, (name, value)) in names.zip(&one.outputs).enumerate() {
            let comma = if place > 0 { ", " } else { "" };
            let _ = write!(text, "{comma}{} -> {value}", name.unwrap_or("null"));
        }
        text.push(')');
        if text.len() > SHOWN_MAX {
            text.truncate(text.floor_char_boundary(SHOWN_MAX));
            text.push_str("...");
            break;
        }
    }
    text.push_str(")'");
    Trouble::Error(text.into())
}
