//! `fromAi(value, description, type, schema, options)`: what an expression asks a language model for.
//!
//! To evaluation the call is its first argument. Here the arguments are read as they stand in the
//! source: a reference for the value, constants for everything else.

use super::ast::{Arguments, Call, Expr};
use super::value::{Text, Value};
use super::{Expression, reference};
use crate::msgpack;

const FUNCTION: &str = "fromAi";
/// Parameters by position.
const PARAMETERS: [&str; 5] = ["value", "description", "type", "schema", "options"];

/// A parameter that is filled in by a language model. Absent parts are empty.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AiParameter {
    /// Where the value is read from, with dots.
    pub name: String,
    /// What it means.
    pub description: String,
    /// Name of its type.
    pub kind: String,
    /// JSON schema, a MessagePack map.
    pub schema: Vec<u8>,
    /// Further options, a MessagePack map.
    pub options: Vec<u8>,
}

impl Expression {
    /// The parameters of the calls of `fromAi` in this expression, in the order of the source.
    ///
    /// # Errors
    /// An argument is not what it has to be; the sentence says which.
    pub fn ai_parameters(&self) -> Result<Vec<AiParameter>, String> {
        reference::calls(&self.root, FUNCTION)
            .into_iter()
            .map(parameter)
            .collect()
    }
}

fn parameter(call: &Call) -> Result<AiParameter, String> {
    let argument = |index: usize| match &call.arguments {
        Arguments::Positional(values) => values.get(index),
        Arguments::Named(values) => values
            .iter()
            .find(|(name, _)| **name == *PARAMETERS[index])
            .map(|(_, value)| value),
    };
    Ok(AiParameter {
        name: name(argument(0))?,
        description: text(argument(1), PARAMETERS[1])?,
        kind: text(argument(2), PARAMETERS[2])?,
        schema: map(argument(3), PARAMETERS[3])?,
        options: map(argument(4), PARAMETERS[4])?,
    })
}

fn name(value: Option<&Expr>) -> Result<String, String> {
    match value {
        Some(Expr::Variable(name, path)) => {
            let path = path.iter().map(|part| format!(".{part}"));
            Ok(format!("{name}{}", path.collect::<String>()))
        }
        other => Err(format!(
            "Expected fromAi() parameter 'value' to be a reference (e.g. 'toolCall.customParameter'), but received {}.",
            shown(other)
        )),
    }
}

fn text(value: Option<&Expr>, parameter: &str) -> Result<String, String> {
    match value {
        None => Ok(String::new()),
        Some(Expr::String(text)) => Ok(text.to_string()),
        other => Err(format!(
            "Expected fromAi() parameter '{parameter}' to be a string, but received '{}'.",
            shown(other)
        )),
    }
}

fn map(value: Option<&Expr>, parameter: &str) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    match value {
        None => Ok(out),
        Some(context @ Expr::Context(_)) => constant(context, &mut out).map(|()| out),
        other => Err(format!(
            "Expected fromAi() parameter '{parameter}' to be a context (map), but received '{}'.",
            shown(other)
        )),
    }
}

/// Appends a constant; recursion is bounded by the nesting the parser accepts.
fn constant(expr: &Expr, out: &mut Vec<u8>) -> Result<(), String> {
    match expr {
        Expr::Null => msgpack::write_nil(out),
        Expr::Bool(value) => msgpack::write_bool(out, *value),
        Expr::Number(number) => Value::Number(*number).to_msgpack(out),
        Expr::String(text) => Value::String(Text::Borrowed(text)).to_msgpack(out),
        Expr::List(items) => {
            msgpack::write_array_header(out, items.len());
            for item in items {
                constant(item, out)?;
            }
        }
        Expr::Context(entries) => {
            msgpack::write_map_header(out, entries.len());
            for (name, value) in entries {
                msgpack::write_str(out, name);
                constant(value, out)?;
            }
        }
        Expr::Temporal(_)
        | Expr::Input
        | Expr::Variable(..)
        | Expr::Arithmetic(..)
        | Expr::Negate(_)
        | Expr::Compare(..)
        | Expr::Between(_)
        | Expr::Not(_)
        | Expr::And(_)
        | Expr::Or(_)
        | Expr::If(..)
        | Expr::For(_)
        | Expr::Quantified(_)
        | Expr::Steps(..)
        | Expr::In(_)
        | Expr::InstanceOf(..)
        | Expr::Call(_)
        | Expr::Function(..)
        | Expr::Range(_)
        | Expr::Test(_) => {
            return Err(
                "Unsupported expression value in fromAi() function invocation: only constants are allowed"
                    .to_owned(),
            );
        }
    }
    Ok(())
}

/// An argument of the wrong kind, for a sentence.
fn shown(value: Option<&Expr>) -> String {
    let mut bytes = Vec::new();
    match value {
        Some(Expr::String(text)) => format!("string '{text}'"),
        Some(value) if constant(value, &mut bytes).is_ok() => {
            let mut text = String::new();
            match crate::json::from_msgpack(&bytes, &mut text) {
                Ok(()) => text,
                Err(_) => "a constant".to_owned(),
            }
        }
        Some(_) => "an expression".to_owned(),
        None => "nothing".to_owned(),
    }
}
