//! Functions about contexts: reading, adding, merging entries.
//!
//! Entries keep their order; an entry that is replaced keeps its place.

use crate::feel::eval::{Interpreter, Outcome, Refusal};
use crate::feel::value::{Context, List, Text, Value};

use super::{Builtin, fixed, variadic};

pub(super) const FUNCTIONS: &[Builtin] = &[
    fixed("get entries", &["context"], get_entries),
    fixed("get entries", &["m"], get_entries),
    fixed("get value", &["m", "key"], get_value),
    fixed("get value", &["context", "key"], get_value),
    fixed("get value", &["context", "keys"], get_value),
    fixed("context put", &["context", "key", "value"], put),
    fixed("context put", &["context", "keys", "value"], put),
    fixed("put", &["context", "key", "value"], put),
    variadic("context merge", &["contexts"], merge),
    variadic("put all", &["contexts"], merge),
    fixed("context", &["entries"], of_entries),
];

fn get_entries<'e>(_: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    let [Value::Context(context)] = arguments else {
        return Err(Refusal::Arguments);
    };
    let entries = context.iter().map(|(key, value)| {
        Value::Context(Context::of_unique(vec![
            (Text::Borrowed("key"), Value::String(key)),
            (Text::Borrowed("value"), value),
        ]))
    });
    Ok(Value::list(entries.collect()))
}

/// The texts of a list that holds nothing else.
fn strings<'e>(list: &List<'e>) -> Option<Vec<Text<'e>>> {
    list.iter()
        .map(|item| {
            if let Value::String(text) = item {
                Some(text)
            } else {
                None
            }
        })
        .collect()
}

fn get_value<'e>(_: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    match arguments {
        [Value::Context(context), Value::String(key)] => {
            Ok(context.get(key).unwrap_or(Value::Null))
        }
        [Value::Context(context), Value::List(keys)] => {
            let keys = strings(keys).unwrap_or_default();
            let mut value = if keys.is_empty() {
                Value::Null
            } else {
                Value::Context(context.clone())
            };
            for key in keys {
                value = value
                    .as_context()
                    .and_then(|context| context.get(&key))
                    .unwrap_or(Value::Null);
            }
            Ok(value)
        }
        _ => Err(Refusal::Arguments),
    }
}

fn put<'e>(interpreter: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    match arguments {
        [Value::Context(context), Value::String(key), value] => {
            interpreter.charge(context.len() / 8)?;
            Ok(Value::Context(context.with(key.clone(), value.clone())))
        }
        [Value::Context(_), Value::List(keys), _] if keys.is_empty() => Ok(Value::Null),
        [Value::Context(context), Value::List(keys), value] => {
            let keys = strings(keys).ok_or(Refusal::Arguments)?;
            interpreter.charge(keys.len())?;
            // The contexts on the way down, then rebuilt on the way up.
            let mut levels = vec![context.clone()];
            for key in &keys[..keys.len() - 1] {
                let inner = levels.last().and_then(|context| context.get(key));
                levels.push(match inner {
                    Some(Value::Context(inner)) => inner,
                    _ => Context::of_unique(Vec::new()),
                });
            }
            let mut result = value.clone();
            for (context, key) in levels.into_iter().zip(keys).rev() {
                result = interpreter.measured(Value::Context(context.with(key, result)))?;
            }
            Ok(result)
        }
        _ => Err(Refusal::Arguments),
    }
}

fn merge<'e>(_: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    let [Value::List(contexts)] = arguments else {
        return Ok(Value::Null);
    };
    let mut entries = Vec::new();
    for context in contexts.iter() {
        let Value::Context(context) = context else {
            return Ok(Value::Null);
        };
        entries.extend(context.iter());
    }
    Ok(Value::Context(Context::new(entries)))
}

fn of_entries<'e>(_: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    let [Value::List(list)] = arguments else {
        return Ok(Value::Null);
    };
    let mut entries = Vec::new();
    for entry in list.iter() {
        let Value::Context(entry) = entry else {
            return Ok(Value::Null);
        };
        match (entry.get("key"), entry.get("value")) {
            (Some(Value::String(key)), Some(value)) => entries.push((key, value)),
            _ => return Ok(Value::Null),
        }
    }
    Ok(Value::Context(Context::new(entries)))
}
