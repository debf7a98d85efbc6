//! Elements of logic become trees whose leaves are cells.
//!
//! One function per kind of logic. What cannot be compiled is noted and leaves a part that fails
//! when evaluated, so that one pass finds everything that is wrong. Recursion follows the nesting
//! of the file, which the XML reader bounds.

use crate::dmn::graph::{
    Aggregator, Cell, Definition, HitPolicy, Input, Invocation, Logic, Name, Output, Rule, Table,
};

use super::{Compiler, Xml, child, children, content, expression, expressions, is, parameters};

/// Longest part of an expression that stands for the label of an input, in characters.
const INPUT_NAME_MAX: usize = 30;

impl<'a> Compiler<'_, 'a> {
    /// Compiles an element of logic.
    pub(super) fn logic(&mut self, node: Xml<'a>) -> Logic {
        match node.tag_name().name() {
            "decisionTable" => self.table(node),
            "literalExpression" => Logic::Literal(self.cell(Some(node))),
            "context" => self.context(node),
            "invocation" => self.invocation(node),
            "relation" => self.relation(node),
            "list" => Logic::List(expressions(node).map(|item| self.logic(item)).collect()),
            _ => self.function(node),
        }
    }

    /// The logic inside an element.
    fn inner(&mut self, node: Xml<'a>) -> Logic {
        match expression(node) {
            Some(found) => self.logic(found),
            None => self.unsupported("unsupported expression found 'null'"),
        }
    }

    fn unsupported(&mut self, why: &str) -> Logic {
        Logic::Refused(self.refuse(why.to_owned()))
    }

    fn context(&mut self, node: Xml<'a>) -> Logic {
        let all: Vec<Xml<'a>> = children(node, "contextEntry").collect();
        let Some((last, before)) = all.split_last() else {
            return self.unsupported("expected a context with at least one entry but found none");
        };
        let mut entries = Vec::with_capacity(all.len());
        for entry in before {
            let Some(name) = variable(*entry) else {
                return self.unsupported("expected a variable of the context entry but found none");
            };
            entries.push((name, self.inner(*entry)));
        }
        let result = match variable(*last) {
            Some(name) => {
                entries.push((name, self.inner(*last)));
                None
            }
            None => Some(Box::new(self.inner(*last))),
        };
        Logic::Context(entries.into(), result)
    }

    fn relation(&mut self, node: Xml<'a>) -> Logic {
        let columns: Vec<Name> = (children(node, "column"))
            .map(|column| column.attribute("name").unwrap_or_default().into())
            .collect();
        let rows: Vec<Vec<Xml<'a>>> = (children(node, "row"))
            .map(|row| expressions(row).collect())
            .collect();
        for row in &rows {
            if row.len() != columns.len() {
                self.refuse(format!(
                    "expected row with '{}' elements but found '{}'",
                    columns.len(),
                    row.len()
                ));
            }
        }
        let rows = rows.into_iter().map(|row| {
            (columns.iter().zip(row))
                .map(|(name, cell)| (name.clone(), self.logic(cell)))
                .collect()
        });
        Logic::Relation(rows.collect())
    }

    fn invocation(&mut self, node: Xml<'a>) -> Logic {
        let mut bindings = Vec::new();
        for binding in children(node, "binding") {
            let name = child(binding, "parameter").and_then(|found| found.attribute("name"));
            match expression(binding) {
                Some(found) if is(found, "literalExpression") => {
                    let cell = self.cell(Some(found));
                    bindings.push((name.unwrap_or_default().into(), cell));
                }
                other => {
                    let what = other.map_or("null", |other| other.tag_name().name());
                    self.refuse(format!(
                        "expected binding with literal expression but found '{what}'"
                    ));
                }
            }
        }
        let called = match expression(node) {
            Some(found) if is(found, "literalExpression") => {
                child(found, "text").map(content).unwrap_or_default()
            }
            other => {
                let what = other.map_or("null", |other| other.tag_name().name());
                return self.unsupported(&format!(
                    "expected invocation with literal expression but found '{what}'"
                ));
            }
        };
        match self.invocable.get(called.as_str()) {
            Some(knowledge) => Logic::Invocation(Box::new(Invocation {
                bindings: bindings.into(),
                knowledge: *knowledge,
            })),
            None => self.unsupported(&format!("no BKM found with name '{called}'")),
        }
    }

    fn function(&mut self, node: Xml<'a>) -> Logic {
        match expression(node) {
            Some(found) if is(found, "literalExpression") => {
                let body = self.cell(Some(found));
                Logic::Function(Box::new(Definition {
                    parameters: parameters(node),
                    body,
                }))
            }
            other => {
                let what = other.map_or("null", |other| other.tag_name().name());
                self.unsupported(&format!("expected literal expression but found '{what}'"))
            }
        }
    }

    fn table(&mut self, node: Xml<'a>) -> Logic {
        let columns: Vec<Xml<'a>> = children(node, "output").collect();
        let policy = match policy(node) {
            Ok(policy) => policy,
            Err(why) => return self.unsupported(&why),
        };
        if columns.is_empty() {
            return self.unsupported("expected a decision table with an output but found none");
        }
        if columns.len() > 1 {
            if matches!(policy, HitPolicy::Collect(Some(_))) {
                self.refuse(
                    "hit policy 'COLLECT' with aggregator is not defined for compound output"
                        .to_owned(),
                );
            }
            for column in &columns {
                if column.attribute("name").is_none() {
                    let label = column.attribute("label").unwrap_or("null");
                    self.refuse(format!("no output name defined for `{label}`"));
                }
            }
        }
        let inputs: Vec<Input> = children(node, "input").map(|one| self.input(one)).collect();
        let outputs = columns.iter().map(|one| self.output(*one)).collect();
        let mut tests = Vec::new();
        let mut rules = Vec::new();
        for rule in children(node, "rule") {
            let start = tests.len();
            tests.extend(children(rule, "inputEntry").map(|entry| self.test(entry)));
            tests.resize(start + inputs.len(), Cell::Any);
            let cells: Vec<Cell> = (children(rule, "outputEntry").take(columns.len()))
                .map(|entry| self.cell(Some(entry)))
                .collect();
            if cells.is_empty() {
                return self.unsupported("expected a rule with an output entry but found none");
            }
            rules.push(Rule {
                id: rule.attribute("id").unwrap_or_default().into(),
                outputs: cells.into(),
            });
        }
        Logic::Table(Box::new(Table {
            policy,
            inputs: inputs.into(),
            outputs,
            tests: tests.into(),
            rules: rules.into(),
        }))
    }

    fn input(&mut self, node: Xml<'a>) -> Input {
        let found = child(node, "inputExpression");
        let expression = match found {
            Some(found) => self.cell(Some(found)),
            None => self.cell(None),
        };
        let name = match node.attribute("label") {
            Some(label) => label.to_owned(),
            None => (found.and_then(|found| child(found, "text")))
                .map(content)
                .unwrap_or_default()
                .chars()
                .take(INPUT_NAME_MAX)
                .collect(),
        };
        Input {
            id: node.attribute("id").unwrap_or_default().into(),
            name: name.into(),
            expression,
        }
    }

    fn output(&mut self, node: Xml<'a>) -> Output {
        let values = child(node, "outputValues").and_then(|values| child(values, "text"));
        let priorities = values.map(content).unwrap_or_default();
        let priorities = priorities.trim_end_matches(',').split(',');
        Output {
            id: node.attribute("id").unwrap_or_default().into(),
            name: node.attribute("name").map(Name::from),
            label: node.attribute("label").map(Name::from),
            priorities: priorities
                .map(|value| value.trim().replace(['"', '\''], "").into())
                .collect(),
            default: child(node, "defaultOutputEntry").map(|entry| self.cell(Some(entry))),
        }
    }
}

fn variable(entry: Xml<'_>) -> Option<Name> {
    let name = child(entry, "variable")?.attribute("name");
    Some(name.unwrap_or_default().into())
}

fn policy(table: Xml<'_>) -> Result<HitPolicy, String> {
    let aggregator = match table.attribute("aggregation") {
        None => None,
        Some("SUM") => Some(Aggregator::Sum),
        Some("MIN") => Some(Aggregator::Min),
        Some("MAX") => Some(Aggregator::Max),
        Some("COUNT") => Some(Aggregator::Count),
        Some(other) => return Err(format!("unsupported aggregation '{other}'")),
    };
    Ok(match table.attribute("hitPolicy") {
        None | Some("UNIQUE") => HitPolicy::Unique,
        Some("FIRST") => HitPolicy::First,
        Some("ANY") => HitPolicy::Any,
        Some("PRIORITY") => HitPolicy::Priority,
        Some("OUTPUT ORDER") => HitPolicy::OutputOrder,
        Some("RULE ORDER") => HitPolicy::RuleOrder,
        Some("COLLECT") => HitPolicy::Collect(aggregator),
        Some(other) => return Err(format!("unsupported hit policy '{other}'")),
    })
}
