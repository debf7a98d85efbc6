//! Values that events and user tasks read from expressions: correlation keys, times, lists of names.
//!
//! Each use accepts certain types; anything else is a failure with Camunda's text. Times arrive as
//! ISO 8601 text, whether the model wrote text or FEEL gave a temporal value.

use crate::engine::fault::{Failure, Outcome, Stop};
use crate::engine::output::Processing;
use crate::engine::rule::expressions::{self, Typed};
use crate::feel::{ResultType, warnings_text};
use crate::ids::Key;
use crate::model::Expr;
use crate::msgpack::{Reader, Token};
use crate::record::value::ErrorType;
use crate::record::{RawValue, Text};
use crate::schedule;

/// A correlation key: a string, or a number cut to a whole one. A failure is to be mended in
/// `scope`.
pub(crate) fn correlation_key(p: &Processing<'_>, expr: &Expr, scope: Key) -> Outcome<Text> {
    let result = expressions::typed(p, expr, scope).map_err(|stop| in_scope(stop, scope))?;
    let accepted = matches!(result.kind, ResultType::String | ResultType::Number);
    let token = token(&result.value)?;
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
    if let Some(text) = text.filter(|_| accepted) {
        return Ok(text);
    }
    let message = format!(
        "Failed to extract the correlation key for '{}': The value must be either a string or a number, but was '{}'.{}",
        source(expr),
        result.kind,
        warnings_text(&result.warnings)
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

/// What uses of a time accept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Time {
    Duration,
    Date,
    Cycle,
}

impl Time {
    fn accepts(self, kind: ResultType) -> bool {
        kind == ResultType::String
            || match self {
                Self::Duration => matches!(kind, ResultType::Duration | ResultType::Period),
                Self::Date => kind == ResultType::DateTime,
                Self::Cycle => false,
            }
    }

    /// The accepted types as an incident names them.
    fn expected(self) -> &'static str {
        match self {
            Self::Duration => "one of '[DURATION, PERIOD, STRING]'",
            Self::Date => "one of '[DATE_TIME, STRING]'",
            Self::Cycle => "'STRING'",
        }
    }
}

/// The text of a time.
pub(crate) fn time_text(p: &Processing<'_>, expr: &Expr, scope: Key, time: Time) -> Outcome<Text> {
    let result = expressions::typed(p, expr, scope)?;
    if let Token::Str(text) = token(&result.value)?
        && time.accepts(result.kind)
    {
        return zoned(p, text, result.kind);
    }
    Err(mismatch(expr, time.expected(), &result))
}

/// A date-time of FEEL without a zone is one of the broker's zone; what the model wrote is not.
fn zoned(p: &Processing<'_>, text: &str, kind: ResultType) -> Outcome<Text> {
    if kind == ResultType::DateTime
        && let Some(zoned) = schedule::local_date(text, &p.config.time_zone)
    {
        return Ok(Text::from(zoned));
    }
    Ok(Text::from(text))
}

/// The text of a date, or none for null.
pub(crate) fn optional_date_text(
    p: &Processing<'_>,
    expr: &Expr,
    scope: Key,
) -> Outcome<Option<Text>> {
    optional(p, expr, scope, Time::Date)
}

/// A string, or none for null.
pub(crate) fn optional_text(p: &Processing<'_>, expr: &Expr, scope: Key) -> Outcome<Option<Text>> {
    optional(p, expr, scope, Time::Cycle)
}

fn optional(p: &Processing<'_>, expr: &Expr, scope: Key, time: Time) -> Outcome<Option<Text>> {
    let result = expressions::typed(p, expr, scope)?;
    if result.kind == ResultType::Null {
        return Ok(None);
    }
    if let Token::Str(text) = token(&result.value)?
        && time.accepts(result.kind)
    {
        return zoned(p, text, result.kind).map(Some);
    }
    Err(mismatch(expr, time.expected(), &result))
}

/// A list of strings.
pub(crate) fn texts(p: &Processing<'_>, expr: &Expr, scope: Key) -> Outcome<Vec<Text>> {
    let result = expressions::typed(p, expr, scope)?;
    let malformed = |error| Stop::fault(format!("result of an expression: {error}"));
    let mut reader = Reader::new(result.value.as_bytes());
    let token = reader.next().map_err(malformed)?;
    let Token::Array(count) = token else {
        return Err(mismatch(expr, "'ARRAY'", &result));
    };
    let mut texts = Vec::new();
    for _ in 0..count {
        let token = reader.next().map_err(malformed)?;
        let Token::Str(text) = token else {
            let message = format!(
                "Expected result of the expression '{}' to be 'ARRAY' containing 'STRING' items, but was 'ARRAY' containing at least one non-'STRING' item.{}",
                source(expr),
                warnings_text(&result.warnings)
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

fn mismatch(expr: &Expr, expected: &str, result: &Typed) -> Stop {
    let message = format!(
        "Expected result of the expression '{}' to be {expected}, but was '{}'.{}",
        source(expr),
        result.kind,
        warnings_text(&result.warnings)
    );
    Failure::new(ErrorType::ExtractValueError, message).into()
}

fn token(value: &RawValue) -> Outcome<Token<'_>> {
    Reader::new(value.as_bytes())
        .next()
        .map_err(|error| Stop::fault(format!("result of an expression: {error}")))
}
