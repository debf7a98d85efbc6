//! Functions about truth and presence: `not`, `is defined`, `get or else`, `assert`.
//!
//! `assert` is the only function whose refusal fails the evaluation; the evaluator knows it by name.

use crate::feel::eval::{Interpreter, Outcome, Refusal};
use crate::feel::value::Value;

use super::{Builtin, fixed, message};

pub(super) const FUNCTIONS: &[Builtin] = &[
    fixed("not", &["negand"], not),
    fixed("is defined", &["value"], is_defined),
    fixed("get or else", &["value", "default"], get_or_else),
    fixed("assert", &["value", "condition"], assert),
    fixed("assert", &["value", "condition", "cause"], assert),
];

fn not<'e>(_: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    Ok(match arguments {
        [Value::Bool(truth)] => Value::Bool(!truth),
        _ => Value::Null,
    })
}

fn is_defined<'e>(_: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    Ok(Value::Bool(!matches!(arguments, [Value::Null])))
}

fn get_or_else<'e>(_: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    match arguments {
        [Value::Null, default] => Ok(default.clone()),
        [value, _] => Ok(value.clone()),
        _ => Err(Refusal::Arguments),
    }
}

fn assert<'e>(_: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    match arguments {
        [value, Value::Bool(true), ..] => Ok(value.clone()),
        [_, _, Value::String(cause)] => message(&**cause),
        [_, _] => message("The condition is not fulfilled"),
        _ => Err(Refusal::Arguments),
    }
}
