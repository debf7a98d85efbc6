//! The expression language of processes and decisions, in the dialect Camunda 8 speaks.
//!
//! An expression is compiled once, without knowing any variables, and evaluated many times, straight
//! from the MessagePack bytes of variables. The result may borrow from both. Nothing here does I/O,
//! reads a clock or draws entropy: time, zone and random seed come with the [`Environment`].
//!
//! ```text
//! source --parse--> ast --eval (builtin, temporal, number)--> value --> MessagePack
//! ```
//!
//! Invariants:
//! 1. No source and no variables make compilation or evaluation panic, overflow the stack or run
//!    without bound: depth, steps, sizes and source length are limited.
//! 2. Equal source, variables and environment give equal values and warnings.
//! 3. Of the rest of the crate this module uses only [`crate::msgpack`] and [`crate::json`].
//!
//! The language is lenient: what makes no sense is null with a [`Warning`]. An [`EvalError`] is the
//! exception: a failed assertion, `?` outside of a unary test, or a limit.

mod ast;
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "values of all other types are refused alike: that is the rule of the language"
)]
mod builtin;
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "values of all other types are refused alike: that is the rule of the language"
)]
mod eval;
pub mod number;
mod parse;
mod reference;
mod tagged;
pub mod temporal;
mod unary;
pub mod value;

use std::borrow::Cow;
use std::fmt;

pub use eval::Function;
pub(crate) use eval::{Eval, Fatal, Interpreter as Session, Trouble};
pub use parse::ParseError;
pub use tagged::AiParameter;
pub use unary::{UnaryTests, compile_unary_tests};
pub use value::{ResultType, Value};

use ast::Expr;
use eval::Binding;

/// Where variables come from.
pub trait Variables {
    /// The MessagePack bytes of a top-level variable, `None` if there is none. The bytes have to be
    /// one valid value; they were checked when they entered the engine.
    fn get(&self, name: &str) -> Option<Cow<'_, [u8]>>;
}

/// The variables of one MessagePack document, in which every name occurs once.
#[derive(Clone, Copy, Debug)]
pub struct DocumentVariables<'a>(pub &'a [u8]);

impl Variables for DocumentVariables<'_> {
    fn get(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        let range = crate::msgpack::find(self.0, name)?;
        self.0.get(range).map(Cow::Borrowed)
    }
}

/// No variables at all.
#[derive(Clone, Copy, Debug)]
pub struct NoVariables;

impl Variables for NoVariables {
    fn get(&self, _: &str) -> Option<Cow<'_, [u8]>> {
        None
    }
}

/// What an evaluation sees of the world.
#[derive(Clone, Copy)]
pub struct Environment<'a> {
    pub variables: &'a dyn Variables,
    /// Milliseconds since 1970-01-01T00:00Z, for `now` and `today`.
    pub now_millis: i64,
    /// IANA zone or offset in which `now` and `today` are given; UTC if it is unknown.
    pub zone: &'a str,
    /// Decides every random number and identifier of the evaluation.
    pub random_seed: u64,
    /// Steps after which the evaluation is ended; roughly one per visited node and loop round.
    pub step_budget: u32,
}

impl fmt::Debug for Environment<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment")
            .field("now_millis", &self.now_millis)
            .field("zone", &self.zone)
            .field("step_budget", &self.step_budget)
            .finish_non_exhaustive()
    }
}

/// A value and what was wrong on the way to it.
#[derive(Debug)]
pub struct Evaluation<'e> {
    pub value: Value<'e>,
    /// In the order in which they came up; bounded by [`MAX_WARNINGS`].
    pub warnings: Vec<Warning>,
}

pub use eval::MAX_WARNINGS;

/// Something that was wrong and made a value null.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    pub kind: WarningKind,
    pub message: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] {}", self.kind, self.message)
    }
}

/// What kind of thing was wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WarningKind {
    NoVariableFound,
    NoContextEntryFound,
    NoPropertyFound,
    NotComparable,
    InvalidType,
    NoFunctionFound,
    FunctionInvocationFailure,
    AssertFailure,
}

impl fmt::Display for WarningKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            WarningKind::NoVariableFound => "NO_VARIABLE_FOUND",
            WarningKind::NoContextEntryFound => "NO_CONTEXT_ENTRY_FOUND",
            WarningKind::NoPropertyFound => "NO_PROPERTY_FOUND",
            WarningKind::NotComparable => "NOT_COMPARABLE",
            WarningKind::InvalidType => "INVALID_TYPE",
            WarningKind::NoFunctionFound => "NO_FUNCTION_FOUND",
            WarningKind::FunctionInvocationFailure => "FUNCTION_INVOCATION_FAILURE",
            WarningKind::AssertFailure => "ASSERT_FAILURE",
        })
    }
}

/// What stands in front of the warnings.
pub(crate) const WARNINGS_LEAD: &str = " The evaluation reported the following warnings:";

/// What an incident says about warnings behind its own text; empty if there are none.
pub(crate) fn warnings_text(warnings: &[Warning]) -> String {
    let mut text = String::new();
    for warning in warnings {
        if text.is_empty() {
            text.push_str(WARNINGS_LEAD);
        }
        text.push_str(&format!("\n{warning}"));
    }
    text
}

/// Why an evaluation has no value. The text is that of an incident, with the warnings so far.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvalError {
    #[error("{0}")]
    AssertFailed(String),
    /// The outermost construct failed in a way that is not null.
    #[error("{0}")]
    Failed(String),
    #[error("the evaluation of the expression took too many steps")]
    StepBudgetExceeded,
    #[error("the evaluation of the expression is nested too deeply")]
    DepthExceeded,
    #[error("the evaluation of the expression built a value that is too large")]
    ValueTooLarge,
}

/// A compiled expression: immutable, usable from any thread.
#[derive(Debug)]
pub struct Expression {
    source: Box<str>,
    root: Expr,
    names: Box<[Box<str>]>,
}

/// Compiles an expression, given without a leading `=`.
///
/// # Errors
/// The source is no expression, calls for an external function, or exceeds a limit.
pub fn compile(source: &str) -> Result<Expression, ParseError> {
    let root = parse::expression(source)?;
    let names = reference::names(&root);
    Ok(Expression {
        source: source.into(),
        root,
        names,
    })
}

impl Expression {
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Names of variables the expression may read: dotted paths as written, without names that the
    /// expression itself introduces. Each occurs once, in the order of the source.
    pub fn variable_names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|name| &**name)
    }

    /// The value of an expression that is a plain literal.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "only literals are constants"
    )]
    pub fn as_constant(&self) -> Option<Value<'_>> {
        Some(match &self.root {
            Expr::Null => Value::Null,
            Expr::Bool(value) => Value::Bool(*value),
            Expr::Number(number) => Value::Number(*number),
            Expr::String(text) => Value::String(value::Text::Borrowed(text)),
            Expr::Temporal(temporal) => temporal.clone().into(),
            _ => return None,
        })
    }

    /// Evaluates the expression.
    ///
    /// # Errors
    /// See [`EvalError`]; anything else that goes wrong is null with a warning.
    pub fn evaluate<'e>(
        &'e self,
        environment: &'e Environment<'_>,
    ) -> Result<Evaluation<'e>, EvalError> {
        eval::run(&self.root, &self.source, environment, Vec::new())
    }

    /// Evaluates the expression with values, functions among them, under names that hide variables.
    ///
    /// # Errors
    /// As [`Self::evaluate`].
    pub fn evaluate_with<'e>(
        &'e self,
        environment: &'e Environment<'_>,
        bindings: &[(&'e str, Value<'e>)],
    ) -> Result<Evaluation<'e>, EvalError> {
        let scope = bindings
            .iter()
            .map(|(name, value)| Binding::Named(name, value.clone()))
            .collect();
        eval::run(&self.root, &self.source, environment, scope)
    }
}
