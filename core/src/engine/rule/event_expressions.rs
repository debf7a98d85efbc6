//! Values that events and user tasks read from expressions: correlation keys, times, lists of names.
//!
//! Each use accepts certain types; anything else is a failure with Camunda's text. Times arrive as
//! ISO 8601 text, whether the model wrote text or FEEL gave a temporal value.

use crate::engine::fault::{Failure, Outcome, Stop};
use crate::engine::output::Processing;
use crate::engine::rule::expressions;
use crate::feel::{Warning, warnings_text};
use crate::ids::Key;
use crate::model::Expr;
use crate::msgpack::{Reader, Token};
use crate::record::value::ErrorType;
use crate::record::{RawValue, Text};

/// A correlation key: a string, or a number cut to a whole one. A failure is to be mended in
/// `scope`.
pub(crate) fn correlation_key(p: &Processing<'_>, expr: &Expr, scope: Key) -> Outcome<Text> {
    let (value, warnings) =
        expressions::any_and_warnings(p, expr, scope).map_err(|stop| in_scope(stop, scope))?;
    let token = token(&value)?;
    let text = match token {
        Token::Str(text) => Some(Text::from(text)),
        Token::Int(number) => Some(Text::from(number.to_string())),
        Token::Uint(number) => Some(Text::from(number.to_string())),
        Token::Float(number) => Some(Text::from((number as i64).to_string())),
        Token::Nil
        | Token::Bool(_)
        | Token::Bin(_)
        | Token::Array(_)
        | Token::Map(_)
        | Token::Ext(..) => None,
    };
    if let Some(text) = text {
        return Ok(text);
    }
    let kind = type_name(&token);
    let message = format!(
        "Failed to extract the correlation key for '{}': The value must be either a string or a number, but was '{kind}'.{}",
        source(expr),
        warnings_text(&warnings)
    );
    let failure = Failure::new(ErrorType::ExtractValueError, message);
    Err(in_scope(failure.into(), scope))
}

fn in_scope(stop: Stop, scope: Key) -> Stop {
    match stop {
        Stop::Incident(failure) => Stop::Incident(Failure {
            scope: Some(scope),
            ..failure
        }),
        Stop::Reject(_) | Stop::TooLarge | Stop::Fault(_) => stop,
    }
}

/// The text of a time; `expected` names the types that are accepted.
pub(crate) fn time_text(
    p: &Processing<'_>,
    expr: &Expr,
    scope: Key,
    expected: &str,
) -> Outcome<Text> {
    let (value, warnings) = expressions::any_and_warnings(p, expr, scope)?;
    let token = token(&value)?;
    match token {
        Token::Str(text) => Ok(Text::from(text)),
        Token::Nil
        | Token::Bool(_)
        | Token::Int(_)
        | Token::Uint(_)
        | Token::Float(_)
        | Token::Bin(_)
        | Token::Array(_)
        | Token::Map(_)
        | Token::Ext(..) => Err(mismatch(expr, expected, type_name(&token), &warnings)),
    }
}

/// The text of a time, or none for null.
pub(crate) fn optional_time_text(
    p: &Processing<'_>,
    expr: &Expr,
    scope: Key,
    expected: &str,
) -> Outcome<Option<Text>> {
    let (value, warnings) = expressions::any_and_warnings(p, expr, scope)?;
    let token = token(&value)?;
    if let Token::Str(text) = token {
        return Ok(Some(Text::from(text)));
    }
    if token == Token::Nil {
        return Ok(None);
    }
    Err(mismatch(expr, expected, type_name(&token), &warnings))
}

/// A string, or none for null.
pub(crate) fn optional_text(p: &Processing<'_>, expr: &Expr, scope: Key) -> Outcome<Option<Text>> {
    optional_time_text(p, expr, scope, "'STRING'")
}

/// A list of strings.
pub(crate) fn texts(p: &Processing<'_>, expr: &Expr, scope: Key) -> Outcome<Vec<Text>> {
    let (value, warnings) = expressions::any_and_warnings(p, expr, scope)?;
    let malformed = |error| Stop::fault(format!("result of an expression: {error}"));
    let mut reader = Reader::new(value.as_bytes());
    let token = reader.next().map_err(malformed)?;
    let Token::Array(count) = token else {
        return Err(mismatch(expr, "'ARRAY'", type_name(&token), &warnings));
    };
    let mut texts = Vec::new();
    for _ in 0..count {
        let token = reader.next().map_err(malformed)?;
        let Token::Str(text) = token else {
            let message = format!(
                "Expected result of the expression '{}' to be 'ARRAY' containing 'STRING' items, but was 'ARRAY' containing at least one non-'STRING' item.{}",
                source(expr),
                warnings_text(&warnings)
            );
            return Err(Failure::new(ErrorType::ExtractValueError, message).into());
        };
        texts.push(Text::from(text));
    }
    Ok(texts)
}

/// An expression without its leading `=`.
fn source(expr: &Expr) -> &str {
    expr.source.strip_prefix('=').unwrap_or(&expr.source)
}

fn mismatch(expr: &Expr, expected: &str, actual: &str, warnings: &[Warning]) -> Stop {
    let message = format!(
        "Expected result of the expression '{}' to be {expected}, but was '{actual}'.{}",
        source(expr),
        warnings_text(warnings)
    );
    Failure::new(ErrorType::ExtractValueError, message).into()
}

fn token(value: &RawValue) -> Outcome<Token<'_>> {
    Reader::new(value.as_bytes())
        .next()
        .map_err(|error| Stop::fault(format!("result of an expression: {error}")))
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
