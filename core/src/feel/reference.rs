//! Which variables an expression may read, found in its tree.
//!
//! Conditions are evaluated again when one of these changes, so a name too many costs time and a
//! name too few loses an event. Names an expression introduces itself are left out; inside a filter
//! nothing is, except `item`, because a name may be an entry of the item or a variable.

use super::ast::{
    Arguments, Call, Expr, For, Iteration, Name, Quantified, RangeExpr, Source, Step, Test,
};

/// The dotted names, each once, in the order of the source.
pub(super) fn names(root: &Expr) -> Box<[Name]> {
    let mut collector = Collector {
        found: Vec::new(),
        calls: Vec::new(),
        bound: Vec::new(),
    };
    collector.visit(root);
    collector.found.into()
}

/// The calls of a built-in function, in the order of the source.
pub(super) fn calls<'t>(root: &'t Expr, name: &str) -> Vec<&'t Call> {
    let mut collector = Collector {
        found: Vec::new(),
        calls: Vec::new(),
        bound: Vec::new(),
    };
    collector.visit(root);
    collector.calls.retain(|call| *call.name == *name);
    collector.calls
}

struct Collector<'t> {
    found: Vec<Name>,
    calls: Vec<&'t Call>,
    /// Names that are introduced around the current place.
    bound: Vec<&'t str>,
}

impl<'t> Collector<'t> {
    fn all(&mut self, exprs: impl IntoIterator<Item = &'t Expr>) {
        exprs.into_iter().for_each(|expr| self.visit(expr));
    }

    /// Visits something below more names.
    fn below(&mut self, names: impl IntoIterator<Item = &'t str>, expr: &'t Expr) {
        let level = self.bound.len();
        self.bound.extend(names);
        self.visit(expr);
        self.bound.truncate(level);
    }

    fn variable(&mut self, name: &str, path: &[Name]) {
        if self.bound.contains(&name) {
            return;
        }
        let mut dotted = name.to_owned();
        for part in path {
            dotted.push('.');
            dotted.push_str(part);
        }
        if !self.found.iter().any(|known| **known == dotted) {
            self.found.push(dotted.into());
        }
    }

    fn range(&mut self, range: &'t RangeExpr) {
        self.visit(&range.start);
        self.visit(&range.end);
    }

    fn iterations(&mut self, iterations: &'t [Iteration], more: Option<&'t str>, body: &'t Expr) {
        for iteration in iterations {
            match &iteration.source {
                Source::List(list) => self.visit(list),
                Source::Counting(from, to) => self.all([from, to]),
            }
        }
        let names = iterations.iter().map(|iteration| &*iteration.name);
        self.below(names.chain(more), body);
    }

    fn visit(&mut self, expr: &'t Expr) {
        match expr {
            Expr::Null
            | Expr::Bool(_)
            | Expr::Number(_)
            | Expr::String(_)
            | Expr::Temporal(_)
            | Expr::Input => {}
            Expr::Variable(name, path) => self.variable(name, path),
            Expr::List(items) | Expr::And(items) | Expr::Or(items) => self.all(items),
            Expr::Context(entries) => {
                let level = self.bound.len();
                for (key, value) in entries {
                    self.visit(value);
                    self.bound.push(key);
                }
                self.bound.truncate(level);
            }
            Expr::Arithmetic(first, rest) => {
                self.visit(first);
                self.all(rest.iter().map(|(_, operand)| operand));
            }
            Expr::Negate(operand) | Expr::Not(operand) | Expr::InstanceOf(operand, _) => {
                self.visit(operand);
            }
            Expr::Compare(_, sides) | Expr::In(sides) => self.all([&sides.0, &sides.1]),
            Expr::Between(parts) => self.all([&parts.0, &parts.1, &parts.2]),
            Expr::If(branches, otherwise) => {
                for (condition, result) in branches {
                    self.all([condition, result]);
                }
                self.visit(otherwise);
            }
            Expr::For(node) => {
                let For {
                    iterations, body, ..
                } = &**node;
                self.iterations(iterations, Some("partial"), body);
            }
            Expr::Quantified(node) => {
                let Quantified {
                    iterations,
                    condition,
                    ..
                } = &**node;
                self.iterations(iterations, None, condition);
            }
            Expr::Steps(base, steps) => {
                self.visit(base);
                for step in steps {
                    match step {
                        Step::Property(_) => {}
                        Step::Filter(filter) => self.below(["item"], filter),
                    }
                }
            }
            Expr::Call(call) => {
                self.calls.push(call);
                self.all(&call.path);
                match &call.arguments {
                    Arguments::Positional(values) => self.all(values),
                    Arguments::Named(values) => self.all(values.iter().map(|(_, value)| value)),
                }
            }
            Expr::Function(parameters, body) => {
                self.below(parameters.iter().map(|name| &**name), body);
            }
            Expr::Range(range) => self.range(range),
            Expr::Test(test) => match test {
                Test::Equal(expr) | Test::Compare(_, expr) | Test::Expression(expr) => {
                    self.visit(expr);
                }
                Test::InRange(range) => self.range(range),
                Test::AnyOf(tests) => self.all(tests),
            },
        }
    }
}
