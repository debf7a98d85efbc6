//! Walks the tree of an expression and computes its value.
//!
//! Errors come in two strengths, as in the reference. A [`Trouble::Error`] makes the construct
//! around it null, with a warning that says why. A [`Trouble::Fatal`] ends the evaluation: a number
//! that does not exist (`modulo(1, 0)`, `log(0)`), `?` outside of a test, or a limit. A failed
//! assertion is an error for what is around it, so that everything else is looked at and told; the
//! evaluation has failed all the same.
//!
//! Names are found from the innermost scope outwards, then among the variables. Scopes are one
//! stack; a function keeps a copy of the stack it was defined under.
//!
//! | limit | value | what happens |
//! |---|---|---|
//! | steps | given by the caller | [`EvalError::StepBudgetExceeded`] |
//! | nesting | [`MAX_DEPTH`] | [`EvalError::DepthExceeded`] |
//! | size of one value | [`MAX_WEIGHT`] values, [`MAX_VALUE_DEPTH`] levels | [`EvalError::ValueTooLarge`] |
//! | warnings | [`MAX_WARNINGS`] | later ones are dropped |

mod arithmetic;
mod call;
mod compare;
mod iterate;
mod path;
mod session;
mod test;

use std::borrow::Cow;
use std::fmt::Write as _;
use std::rc::Rc;

use super::ast::{Expr, Name, RangeExpr};
use super::builtin::Patterns;
use super::value::{Bound, Context, Range, Text, Value};
use super::{Environment, EvalError, Evaluation, Warning, WarningKind, warnings_text};
use crate::msgpack;

pub use call::Function;
pub(super) use call::{Outcome, Refusal};
pub(crate) use session::Scope;

/// Deepest nesting of evaluations, calls of functions included.
pub(super) const MAX_DEPTH: u32 = 400;

/// Most values one value may stand for.
pub(super) const MAX_WEIGHT: u32 = 4_000_000;

/// Most levels of containers an expression may build around a value.
pub(super) const MAX_VALUE_DEPTH: u32 = 200;

/// Warnings that are kept.
pub const MAX_WARNINGS: usize = 100;

/// Longest text of a value inside a warning, in bytes.
const MAX_SHOWN: usize = 1000;

/// Name under which a unary test finds its input.
pub(super) const INPUT: &str = "cellInput";

/// Name under which an expression in a unary test finds its input.
const INPUT_SYMBOL: &str = "?";

/// Why a value could not be computed.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The construct around becomes null; the text matters if nothing is around.
    Error(Box<str>),
    Fatal(Fatal),
}

/// Why the evaluation ends.
#[derive(Debug)]
pub(crate) enum Fatal {
    /// What the reference cannot compute, in its runtime's words.
    Thrown(Box<str>),
    NoInput,
    Steps,
    Depth,
    Size,
}

impl From<Fatal> for Trouble {
    fn from(fatal: Fatal) -> Trouble {
        Trouble::Fatal(fatal)
    }
}

pub(crate) type Eval<'e> = Result<Value<'e>, Trouble>;

/// What one level of a scope contributes.
#[derive(Clone, Debug)]
pub(super) enum Binding<'e> {
    Named(&'e str, Value<'e>),
    /// The item of a filter: known as `item`, and its entries by their names.
    Item(Value<'e>),
}

/// The state of one evaluation.
pub(crate) struct Interpreter<'e> {
    pub(super) environment: &'e Environment<'e>,
    scope: Vec<Binding<'e>>,
    warnings: Vec<Warning>,
    /// How many warnings are kept.
    warnings_max: usize,
    steps: u32,
    depth: u32,
    random: u64,
    /// Why the first assertion failed that did.
    assertion: Option<Box<str>>,
    pub(super) patterns: Patterns,
}

/// Evaluates a tree from the outside.
pub(super) fn run<'e>(
    expr: &'e Expr,
    source: &str,
    environment: &'e Environment<'e>,
    scope: Vec<Binding<'e>>,
) -> Result<Evaluation<'e>, EvalError> {
    let mut interpreter = Interpreter {
        environment,
        scope,
        warnings: Vec::new(),
        warnings_max: MAX_WARNINGS,
        steps: environment.step_budget,
        depth: 0,
        random: environment.random_seed,
        assertion: None,
        patterns: Patterns::default(),
    };
    let result = interpreter.eval(expr);
    let error = match (result, interpreter.assertion) {
        (Err(trouble @ Trouble::Fatal(Fatal::Thrown(_))), _) => return Err(ended(trouble, source)),
        (Err(trouble @ Trouble::Fatal(_)), _) => ended(trouble, source),
        (_, Some(why)) => unasserted(&why, source),
        (Err(trouble), None) => ended(trouble, source),
        (Ok(value), None) => {
            return Ok(Evaluation {
                value,
                warnings: interpreter.warnings,
            });
        }
    };
    Err(reported(error, &interpreter.warnings))
}

/// The failure of an evaluation in which an assertion failed.
#[cold]
fn unasserted(why: &str, source: &str) -> EvalError {
    EvalError::AssertFailed(format!(
        "Assertion failure on evaluate the expression '{source}': {why}"
    ))
}

/// The error with what was wrong before it; what was thrown stands alone.
#[cold]
fn reported(error: EvalError, warnings: &[Warning]) -> EvalError {
    let list = warnings_text(warnings);
    match error {
        EvalError::AssertFailed(text) => EvalError::AssertFailed(text + &list),
        EvalError::Failed(text) => EvalError::Failed(text + &list),
        limit @ (EvalError::StepBudgetExceeded
        | EvalError::DepthExceeded
        | EvalError::ValueTooLarge) => limit,
    }
}

/// Why an evaluation has no value, as an incident says it.
#[cold]
fn ended(trouble: Trouble, source: &str) -> EvalError {
    let failed =
        |why: &str| EvalError::Failed(format!("failed to evaluate expression '{source}': {why}"));
    match trouble {
        Trouble::Error(why) => failed(&why),
        Trouble::Fatal(Fatal::NoInput) => failed(&format!(
            "No input value available. '{INPUT_SYMBOL}' can only be used inside an unary-test \
             expression."
        )),
        Trouble::Fatal(Fatal::Thrown(why)) => {
            EvalError::Failed(format!("failed to evaluate expression '{source}' : {why}"))
        }
        Trouble::Fatal(Fatal::Steps) => EvalError::StepBudgetExceeded,
        Trouble::Fatal(Fatal::Depth) => EvalError::DepthExceeded,
        Trouble::Fatal(Fatal::Size) => EvalError::ValueTooLarge,
    }
}

impl<'e> Interpreter<'e> {
    /// Spends steps.
    #[inline]
    pub(crate) fn charge(&mut self, steps: usize) -> Result<(), Trouble> {
        let steps = u32::try_from(steps).unwrap_or(u32::MAX);
        match self.steps.checked_sub(steps) {
            Some(left) => {
                self.steps = left;
                Ok(())
            }
            None => Err(Fatal::Steps.into()),
        }
    }

    #[inline]
    pub(super) fn eval(&mut self, expr: &'e Expr) -> Eval<'e> {
        self.charge(1)?;
        // Leaves go no deeper and are most of all nodes.
        if let Expr::Variable(name, path) = expr {
            return self.variable(name, path);
        }
        if let Expr::Number(number) = expr {
            return Ok(Value::Number(*number));
        }
        if let Expr::String(text) = expr {
            return Ok(Value::String(Text::Borrowed(text)));
        }
        if self.depth == MAX_DEPTH {
            return Err(Fatal::Depth.into());
        }
        self.depth += 1;
        let result = self.dispatch(expr);
        self.depth -= 1;
        result
    }

    fn dispatch(&mut self, expr: &'e Expr) -> Eval<'e> {
        match expr {
            Expr::Null => Ok(Value::Null),
            Expr::Bool(value) => Ok(Value::Bool(*value)),
            Expr::Number(number) => Ok(Value::Number(*number)),
            Expr::String(text) => Ok(Value::String(Text::Borrowed(text))),
            Expr::Temporal(temporal) => Ok(temporal.clone().into()),
            Expr::Input => self
                .lookup(INPUT_SYMBOL)
                .ok_or(Trouble::Fatal(Fatal::NoInput)),
            Expr::Variable(name, path) => self.variable(name, path),
            Expr::List(items) => self.list(items),
            Expr::Context(entries) => self.context(entries),
            Expr::Arithmetic(first, rest) => self.arithmetic(first, rest),
            Expr::Negate(operand) => self.negate(operand),
            Expr::Compare(comparison, sides) => self.comparison(*comparison, sides),
            Expr::Between(parts) => self.between(parts),
            Expr::Not(operand) => self.not(operand),
            Expr::And(parts) => self.all(parts.iter()),
            Expr::Or(parts) => self.any(parts.iter()),
            Expr::If(branches, otherwise) => self.conditional(branches, otherwise),
            Expr::For(iteration) => self.iteration(iteration),
            Expr::Quantified(quantified) => self.quantified(quantified),
            Expr::Steps(base, steps) => self.steps(base, steps),
            Expr::In(sides) => self.membership(sides),
            Expr::InstanceOf(operand, name) => self.instance_of(operand, name),
            Expr::Call(call) => self.call(call),
            Expr::Function(parameters, body) => self.closure(parameters, body),
            Expr::Range(range) => self.range(range),
            Expr::Test(test) => self.test(test),
        }
    }

    /// Runs something with more names in scope.
    fn scoped<T>(
        &mut self,
        binding: Binding<'e>,
        body: impl FnOnce(&mut Self) -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        let level = self.scope.len();
        self.scope.push(binding);
        let result = body(self);
        self.scope.truncate(level);
        result
    }

    #[inline]
    fn lookup(&self, name: &str) -> Option<Value<'e>> {
        for binding in self.scope.iter().rev() {
            match binding {
                Binding::Named(_, Value::Function(_)) => {}
                Binding::Named(known, value) if *known == name => return Some(value.clone()),
                Binding::Named(..) => {}
                Binding::Item(item) => {
                    let entry = item.as_context().and_then(|context| context.get(name));
                    if entry.is_some() {
                        return entry;
                    }
                    if name == "item" {
                        return Some(item.clone());
                    }
                }
            }
        }
        self.environment
            .variables
            .get(name)
            .map(Value::from_variable)
    }

    #[inline]
    fn variable(&mut self, name: &str, path: &'e [Name]) -> Eval<'e> {
        if self.scope.is_empty()
            && let Some(bytes) = self.environment.variables.get(name)
        {
            if path.is_empty() {
                return Ok(Value::from_variable(bytes));
            }
            if let Some(range) = walk(&bytes, path) {
                self.charge(bytes.len() / 512)?;
                return Ok(Value::from_variable(match bytes {
                    Cow::Borrowed(bytes) => Cow::Borrowed(&bytes[range]),
                    Cow::Owned(bytes) => Cow::Owned(bytes[range].to_vec()),
                }));
            }
        }
        self.variable_in_scope(name, path)
    }

    #[inline(never)]
    fn variable_in_scope(&mut self, name: &str, path: &'e [Name]) -> Eval<'e> {
        let Some(mut value) = self.lookup(name) else {
            self.warn(WarningKind::NoVariableFound, || {
                format!("No variable found with name '{name}'")
            });
            return Ok(Value::Null);
        };
        for key in path {
            value = self.property(&value, key)?;
        }
        Ok(value)
    }

    #[inline(never)]
    fn list(&mut self, items: &'e [Expr]) -> Eval<'e> {
        let mut values = Vec::with_capacity(items.len());
        for item in items {
            values.push(self.eval(item)?);
        }
        self.measured(Value::list(values))
    }

    #[inline(never)]
    fn context(&mut self, entries: &'e [(Name, Expr)]) -> Eval<'e> {
        let level = self.scope.len();
        let mut values = Vec::with_capacity(entries.len());
        let mut failure = None;
        for (key, expr) in entries {
            match self.eval(expr) {
                Ok(value) => {
                    self.scope.push(Binding::Named(key, value.clone()));
                    values.push((Text::Borrowed(key), value));
                }
                Err(trouble) => {
                    failure = Some(trouble);
                    break;
                }
            }
        }
        self.scope.truncate(level);
        match failure {
            Some(trouble) => Err(trouble),
            None => self.measured(Value::Context(Context::new(values))),
        }
    }

    /// A value that was just built, unless it stands for too much.
    pub(super) fn measured(&mut self, value: Value<'e>) -> Eval<'e> {
        let size = value.size();
        if size.depth > MAX_VALUE_DEPTH || size.weight > MAX_WEIGHT {
            return Err(Fatal::Size.into());
        }
        Ok(value)
    }

    #[inline(never)]
    fn range(&mut self, range: &'e RangeExpr) -> Eval<'e> {
        let start = self.eval(&range.start)?;
        let end = self.eval(&range.end)?;
        let pair = (&start, &end);
        let ordered = start.order(&end).is_some() && !matches!(pair, (Value::String(_), _));
        if !ordered {
            let mut text = String::from("Invalid range definition '");
            text.push(if range.start_closed { '[' } else { '(' });
            let _ = write!(text, "{}..{}", Shown(&start), Shown(&end));
            text.push(if range.end_closed { ']' } else { ')' });
            text.push('\'');
            return Err(self.error(WarningKind::InvalidType, text));
        }
        Ok(Value::Range(Rc::new(Range {
            start: Bound {
                value: start,
                closed: range.start_closed,
            },
            end: Bound {
                value: end,
                closed: range.end_closed,
            },
        })))
    }

    /// Notes a warning; its text is made only if it is kept.
    pub(super) fn warn(&mut self, kind: WarningKind, message: impl FnOnce() -> String) {
        if self.warnings.len() < self.warnings_max {
            self.warnings.push(Warning {
                kind,
                message: message(),
            });
        }
    }

    /// Notes a warning and makes an error of it.
    fn error(&mut self, kind: WarningKind, message: String) -> Trouble {
        let error = Trouble::Error(message.as_str().into());
        self.warn(kind, || message);
        error
    }

    /// An error that says which type a value should have had.
    fn unexpected(&mut self, expected: &str, value: &Value<'e>) -> Trouble {
        self.error(
            WarningKind::InvalidType,
            format!("Expected {expected} but found '{}'", Shown(value)),
        )
    }

    /// The next number of a reproducible sequence, in 0..1 with 53 bits.
    pub(super) fn random_double(&mut self) -> f64 {
        (self.random_bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// SplitMix64: the seed alone decides the sequence.
    pub(super) fn random_bits(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.random;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }
}

/// Where the value at the end of a path of entries stands; `None` if one is missing or no map.
fn walk(bytes: &[u8], path: &[Name]) -> Option<std::ops::Range<usize>> {
    let mut at = 0..bytes.len();
    for key in path {
        let found = msgpack::find(&bytes[at.clone()], key)?;
        at = at.start + found.start..at.start + found.end;
    }
    Some(at)
}

/// Null in place of an error; what is fatal stays so.
fn or_null(result: Eval<'_>) -> Eval<'_> {
    match result {
        Err(Trouble::Error(_)) => Ok(Value::Null),
        other => other,
    }
}

/// A value as text of a message, cut after [`MAX_SHOWN`] bytes.
pub(super) struct Shown<'v, 'e>(pub(super) &'v Value<'e>);

impl std::fmt::Display for Shown<'_, '_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        struct Cut {
            text: String,
        }
        impl std::fmt::Write for Cut {
            fn write_str(&mut self, part: &str) -> std::fmt::Result {
                let room = MAX_SHOWN - self.text.len();
                if part.len() <= room {
                    self.text.push_str(part);
                    return Ok(());
                }
                self.text.push_str(&part[..part.floor_char_boundary(room)]);
                Err(std::fmt::Error)
            }
        }
        let mut cut = Cut {
            text: String::new(),
        };
        let whole = write!(cut, "{}", self.0).is_ok();
        f.write_str(&cut.text)?;
        if whole { Ok(()) } else { f.write_str("...") }
    }
}
