//! Functions about numbers: rounding, remainder, roots, random numbers.
//!
//! Roots, logarithms and exponentials go through floating point, as in the reference. A parameter
//! called `scala` is a slip of the reference that callers by name depend on.

use crate::feel::eval::{Interpreter, Outcome, Refusal};
use crate::feel::number::{Dec, Rounding, no_number};
use crate::feel::value::Value;

use super::{Builtin, fixed, message, thrown};

pub(super) const FUNCTIONS: &[Builtin] = &[
    fixed("decimal", &["n", "scale"], decimal),
    fixed("decimal", &["n", "scale", "mode"], decimal),
    fixed("floor", &["n"], floor),
    fixed("floor", &["n", "scala"], floor),
    fixed("ceiling", &["n"], ceiling),
    fixed("ceiling", &["n", "scale"], ceiling),
    fixed("abs", &["number"], abs),
    fixed("abs", &["n"], abs),
    fixed("modulo", &["dividend", "divisor"], modulo),
    fixed("sqrt", &["number"], sqrt),
    fixed("log", &["number"], log),
    fixed("exp", &["number"], exp),
    fixed("odd", &["number"], odd),
    fixed("even", &["number"], even),
    fixed("round up", &["n", "scale"], round_up),
    fixed("round down", &["n", "scale"], round_down),
    fixed("round half up", &["n", "scale"], round_half_up),
    fixed("round half down", &["n", "scala"], round_half_down),
    fixed("random number", &[], random_number),
];

fn round<'e>(arguments: &[Value<'e>], mode: Rounding) -> Outcome<'e> {
    let (number, scale) = match arguments {
        [Value::Number(number)] => (number, 0),
        [Value::Number(number), Value::Number(scale)] => (number, scale.low_i32()),
        _ => return Err(Refusal::Arguments),
    };
    match number.with_scale(scale, mode) {
        Ok(rounded) => Ok(Value::Number(rounded)),
        Err(why) => message(format!(
            "Failed to apply rounding mode '{}': {why}",
            mode.name()
        )),
    }
}

fn decimal<'e>(_: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    match arguments {
        [number, scale, Value::String(mode)] => match Rounding::named(mode) {
            Some(mode) => round(&[number.clone(), scale.clone()], mode),
            None => {
                let modes = Rounding::ALL.map(Rounding::name).join(", ");
                message(format!(
                    "Illegal argument '{mode}' for rounding mode. Must be one of: {modes}"
                ))
            }
        },
        [_, _] => round(arguments, Rounding::HalfEven),
        _ => Err(Refusal::Arguments),
    }
}

fn floor<'e>(_: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    round(arguments, Rounding::Floor)
}

fn ceiling<'e>(_: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    round(arguments, Rounding::Ceiling)
}

fn round_up<'e>(_: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    round(arguments, Rounding::Up)
}

fn round_down<'e>(_: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    round(arguments, Rounding::Down)
}

fn round_half_up<'e>(_: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    round(arguments, Rounding::HalfUp)
}

fn round_half_down<'e>(_: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    round(arguments, Rounding::HalfDown)
}

fn abs<'e>(_: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    match arguments {
        [Value::Number(number)] => Ok(Value::Number(number.abs())),
        [Value::YearMonths(months)] => Ok(Value::YearMonths(months.saturating_abs())),
        [Value::DayTime(duration)] if duration.is_negative() => duration
            .checked_neg()
            .map(Value::DayTime)
            .ok_or(Refusal::Arguments),
        [duration @ Value::DayTime(_)] => Ok(duration.clone()),
        _ => Err(Refusal::Arguments),
    }
}

fn modulo<'e>(_: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    let [Value::Number(dividend), Value::Number(divisor)] = arguments else {
        return Err(Refusal::Arguments);
    };
    let floored = || {
        dividend
            .checked_rem(*divisor)?
            .checked_add(*divisor)?
            .checked_rem(*divisor)
    };
    match floored() {
        Some(rest) => Ok(Value::Number(rest)),
        None => thrown(if divisor.is_zero() && dividend.is_zero() {
            "java.lang.ArithmeticException: Division undefined"
        } else if divisor.is_zero() {
            "java.lang.ArithmeticException: Division by zero"
        } else {
            "java.lang.ArithmeticException: Division impossible"
        }),
    }
}

fn through_float<'e>(arguments: &[Value<'e>], function: impl Fn(f64) -> f64) -> Outcome<'e> {
    let [Value::Number(number)] = arguments else {
        return Err(Refusal::Arguments);
    };
    let result = function(number.to_f64());
    match Dec::from_f64(result) {
        Some(result) => Ok(Value::Number(result)),
        None => thrown(no_number(result)),
    }
}

fn sqrt<'e>(_: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    match arguments {
        [Value::Number(number)] if number.is_negative() => Ok(Value::Null),
        _ => through_float(arguments, f64::sqrt),
    }
}

fn log<'e>(_: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    through_float(arguments, f64::ln)
}

fn exp<'e>(_: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    through_float(arguments, f64::exp)
}

/// The remainder by two, without sign.
fn parity<'e>(arguments: &[Value<'e>]) -> Result<Option<Dec>, Refusal> {
    let [Value::Number(number)] = arguments else {
        return Err(Refusal::Arguments);
    };
    Ok(number.abs().checked_rem(Dec::from(2i64)))
}

fn odd<'e>(_: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    Ok(Value::Bool(parity(arguments)? == Some(Dec::ONE)))
}

fn even<'e>(_: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    Ok(Value::Bool(parity(arguments)?.is_none_or(Dec::is_zero)))
}

fn random_number<'e>(interpreter: &mut Interpreter<'e>, _: &[Value<'e>]) -> Outcome<'e> {
    Ok(Value::number(Dec::from_f64(interpreter.random_double())))
}
