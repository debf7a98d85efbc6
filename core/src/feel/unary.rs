//! Unary tests: the condition a cell of a decision table puts on its input.
//!
//! Compiled and evaluated like expressions; the input is one more value in scope. The result is
//! true, false, or null where the reference cannot tell.

use super::ast::Expr;
use super::eval::{self, Binding, INPUT};
use super::parse::{self, ParseError};
use super::value::Value;
use super::{Environment, EvalError, Evaluation};

/// Compiled unary tests: immutable, usable from any thread.
#[derive(Debug)]
pub struct UnaryTests {
    pub(super) source: Box<str>,
    pub(super) root: Expr,
}

/// Compiles unary tests: comparisons, ranges and expressions separated by commas, `not(...)` of
/// such, or `-` for anything.
///
/// # Errors
/// As [`super::compile`].
pub fn compile_unary_tests(source: &str) -> Result<UnaryTests, ParseError> {
    Ok(UnaryTests {
        source: source.into(),
        root: parse::unary_tests(source)?,
    })
}

impl UnaryTests {
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Puts an input to the tests.
    ///
    /// # Errors
    /// As [`super::Expression::evaluate`].
    pub fn evaluate<'e>(
        &'e self,
        environment: &'e Environment<'_>,
        input: Value<'e>,
    ) -> Result<Evaluation<'e>, EvalError> {
        self.evaluate_with(environment, input, &[])
    }

    /// Puts an input to the tests, with values under names that hide variables.
    ///
    /// # Errors
    /// As [`super::Expression::evaluate`].
    pub fn evaluate_with<'e>(
        &'e self,
        environment: &'e Environment<'_>,
        input: Value<'e>,
        bindings: &[(&'e str, Value<'e>)],
    ) -> Result<Evaluation<'e>, EvalError> {
        let named = bindings
            .iter()
            .map(|(name, value)| Binding::Named(name, value.clone()));
        let scope = named.chain([Binding::Named(INPUT, input)]).collect();
        eval::run(&self.root, &self.source, environment, scope)
    }
}
