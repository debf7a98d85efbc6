//! Attributes of the model that may be expressions, evaluated in a variable scope.
//!
//! Each kind of use accepts certain types only; anything else is a failure of the element with
//! Camunda's text. Static attributes cost nothing.

use crate::engine::fault::{Failure, Outcome, Stop};
use crate::engine::output::Processing;
use crate::ids::Key;
use crate::model::{Code, Expr};
use crate::msgpack::{self, Reader, Token};
use crate::record::value::ErrorType;
use crate::record::{RawValue, Text};

/// A string.
pub(crate) fn text(p: &Processing<'_>, expr: &Expr, scope: Key) -> Outcome<Text> {
    if let Code::Text = &expr.code {
        return Ok(expr.source.clone());
    }
    let value = any(p, expr, scope)?;
    match token(&value)? {
        Token::Str(text) => Ok(Text::from(text)),
        other => Err(mismatch(expr, "STRING", &other)),
    }
}

/// A whole number.
pub(crate) fn number(p: &Processing<'_>, expr: &Expr, scope: Key) -> Outcome<i64> {
    if let Code::Number(number) = &expr.code {
        return Ok(*number);
    }
    let value = any(p, expr, scope)?;
    match token(&value)? {
        Token::Int(number) => Ok(number),
        Token::Uint(number) => Ok(number as i64),
        Token::Float(number) => Ok(number as i64),
        other => Err(mismatch(expr, "NUMBER", &other)),
    }
}

/// A boolean.
pub(crate) fn boolean(p: &Processing<'_>, expr: &Expr, scope: Key) -> Outcome<bool> {
    let value = any(p, expr, scope)?;
    match token(&value)? {
        Token::Bool(value) => Ok(value),
        other => Err(mismatch(expr, "BOOLEAN", &other)),
    }
}

/// A value of any type.
pub(crate) fn any(_p: &Processing<'_>, expr: &Expr, _scope: Key) -> Outcome<RawValue> {
    let mut bytes = Vec::new();
    match &expr.code {
        Code::Text => msgpack::write_str(&mut bytes, &expr.source),
        Code::Number(number) => msgpack::write_int(&mut bytes, *number),
        Code::Feel(_) => {
            let message = format!(
                "Expected to evaluate expression '{}', but FEEL is not supported by this version",
                expr.source
            );
            return Err(Failure::new(ErrorType::ExtractValueError, message).into());
        }
    }
    Ok(RawValue::from(bytes))
}

fn token(value: &RawValue) -> Outcome<Token<'_>> {
    Reader::new(value.as_bytes())
        .next()
        .map_err(|error| Stop::fault(format!("result of an expression: {error}")))
}

fn mismatch(expr: &Expr, expected: &str, actual: &Token<'_>) -> Stop {
    let source = expr.source.strip_prefix('=').unwrap_or(&expr.source);
    let message = format!(
        "Expected result of the expression '{source}' to be '{expected}', but was '{}'.",
        type_name(actual)
    );
    Failure::new(ErrorType::ExtractValueError, message).into()
}

/// Camunda's name of the type of a value.
fn type_name(token: &Token<'_>) -> &'static str {
    match token {
        Token::Nil => "NULL",
        Token::Bool(_) => "BOOLEAN",
        Token::Int(_) | Token::Uint(_) | Token::Float(_) => "NUMBER",
        Token::Str(_) | Token::Bin(_) | Token::Ext(..) => "STRING",
        Token::Array(_) => "ARRAY",
        Token::Map(_) => "OBJECT",
    }
}
