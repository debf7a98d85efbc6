//! Functions the engine adds to the language: timer cycles and annotations for agents.
//!
//! `fromAi` marks a value as one that a model may fill in; to the engine it is the value itself.

use crate::feel::eval::{Interpreter, Outcome, Refusal};
use crate::feel::value::Value;

use super::{Builtin, fixed, message};

pub(super) const FUNCTIONS: &[Builtin] = &[
    fixed("cycle", &["repetitions", "interval"], cycle),
    fixed("cycle", &["interval"], cycle),
    fixed("fromAi", &["value"], from_ai),
    fixed("fromAi", &["value", "description"], from_ai),
    fixed("fromAi", &["value", "description", "type"], from_ai),
    fixed(
        "fromAi",
        &["value", "description", "type", "schema"],
        from_ai,
    ),
    fixed(
        "fromAi",
        &["value", "description", "type", "schema", "options"],
        from_ai,
    ),
];

fn cycle<'e>(_: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    match arguments {
        [interval @ (Value::DayTime(_) | Value::YearMonths(_))]
        | [
            Value::Null,
            interval @ (Value::DayTime(_) | Value::YearMonths(_)),
        ] => Ok(Value::text(format!("R/{interval}"))),
        [
            Value::Number(repetitions),
            interval @ (Value::DayTime(_) | Value::YearMonths(_)),
        ] => Ok(Value::text(format!(
            "R{}/{interval}",
            repetitions.low_i64()
        ))),
        [other] => message(format!(
            "cycle function expected an interval (duration) parameter, but found '{other}'"
        )),
        [repetitions, interval] => message(format!(
            "cycle function expected a repetitions (number) and an interval (duration) parameter, \
             but found '[{repetitions}, {interval}]'"
        )),
        _ => Err(Refusal::Arguments),
    }
}

fn from_ai<'e>(_: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    arguments.first().cloned().ok_or(Refusal::Arguments)
}
