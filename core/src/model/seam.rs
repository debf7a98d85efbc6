//! Stands where `crate::feel` will stand: the two names of it that the model needs.
//!
//! FEEL grows in its own module; until it is here an expression is kept as text, so that the model
//! and its users compile. Nothing outside `model::expression` may use this file.

/// An expression, not understood yet.
#[derive(Clone, Debug)]
pub struct Expression {
    #[expect(dead_code, reason = "read by the evaluator this stands in for")]
    text: String,
}

/// Why a text is not an expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the expression is empty")]
pub struct ParseError;

/// Parses an expression (without the leading `=`).
///
/// # Errors
/// The text is blank.
pub(super) fn compile(text: &str) -> Result<Expression, ParseError> {
    if text.trim().is_empty() {
        return Err(ParseError);
    }
    Ok(Expression {
        text: text.to_owned(),
    })
}
