//! Arithmetic on numbers, strings, temporals and durations.
//!
//! Chains are applied from the left; an operation on types that do not fit is null with a warning,
//! and the chain goes on with that null, as it would if each operation stood alone.

use jiff::civil::Time;

use crate::feel::WarningKind;
use crate::feel::ast::{Expr, Operator};
use crate::feel::number::{Dec, no_number};
use crate::feel::temporal;
use crate::feel::temporal::calendar::{Beyond, Date};
use crate::feel::value::Value;

use super::{Eval, Fatal, Interpreter, Shown, Trouble, or_null};

impl<'e> Interpreter<'e> {
    #[inline(never)]
    pub(super) fn arithmetic(&mut self, first: &'e Expr, rest: &'e [(Operator, Expr)]) -> Eval<'e> {
        let mut left = self.eval(first);
        for (operator, expr) in rest {
            // The reference computes the right side even if the left one failed.
            let right = self.eval(expr);
            left = or_null(match (left, right) {
                (Ok(left), Ok(right)) => self.operation(*operator, left, right),
                (Err(Trouble::Fatal(fatal)), _) => return Err(Trouble::Fatal(fatal)),
                (_, Err(trouble)) | (Err(trouble), _) => Err(trouble),
            });
        }
        left
    }

    fn operation(&mut self, operator: Operator, x: Value<'e>, y: Value<'e>) -> Eval<'e> {
        if let (Value::Number(x), Value::Number(y)) = (&x, &y) {
            let result = match operator {
                Operator::Add => x.checked_add(*y),
                Operator::Subtract => x.checked_sub(*y),
                Operator::Multiply => x.checked_mul(*y),
                Operator::Divide => x.checked_div(*y),
                Operator::Power => return power(*x, *y),
            };
            if let Some(number) = result {
                return Ok(Value::Number(number));
            }
        } else if let (Operator::Add, Value::String(a), Value::String(b)) = (operator, &x, &y) {
            self.charge((a.len() + b.len()) / 64)?;
            if a.len() + b.len() > super::MAX_WEIGHT as usize {
                return Err(Fatal::Size.into());
            }
            return Ok(Value::text([&**a, &**b].concat()));
        } else if operator == Operator::Power {
            return Err(match x {
                Value::Number(_) => self.unexpected("number", &y),
                _ => self.unexpected("number", &x),
            });
        } else if let Some(result) = temporal_operation(operator, &x, &y) {
            return result.map_err(|beyond| Fatal::Thrown(beyond.to_string().into()).into());
        }
        let (x, y) = (Shown(&x), Shown(&y));
        let message = match operator {
            Operator::Add => format!("Can't add '{y}' to '{x}'"),
            Operator::Subtract => format!("Can't subtract '{y}' from '{x}'"),
            Operator::Multiply => format!("Can't multiply '{x}' by '{y}'"),
            Operator::Divide => format!("Can't divide '{x}' by '{y}'"),
            Operator::Power => format!("Can't raise '{x}' to the power of '{y}'"),
        };
        Err(self.error(WarningKind::InvalidType, message))
    }

    #[inline(never)]
    pub(super) fn negate(&mut self, operand: &'e Expr) -> Eval<'e> {
        let value = self.eval(operand).and_then(|value| match value {
            Value::Number(number) => Ok(Value::Number(number.negate())),
            other => Err(self.unexpected("number", &other)),
        });
        or_null(value)
    }
}

/// Whole powers are exact; others go through floating point.
fn power<'e>(x: Dec, y: Dec) -> Eval<'e> {
    let why = if y.is_whole() {
        match x.pow(i64::from(y.low_i32())) {
            Some(number) => return Ok(Value::Number(number)),
            None if y.low_i32().unsigned_abs() > 999_999_999 => {
                "java.lang.ArithmeticException: Invalid operation".to_owned()
            }
            None if x.is_zero() => "java.lang.ArithmeticException: Division by zero".to_owned(),
            None => "java.lang.ArithmeticException: Overflow".to_owned(),
        }
    } else {
        let result = x.to_f64().powf(y.to_f64());
        match Dec::from_f64(result) {
            Some(number) => return Ok(Value::Number(number)),
            None => no_number(result),
        }
    };
    Err(Fatal::Thrown(why.into()).into())
}

/// None if the types do not fit, or a duration becomes too long.
type Moved<'e> = Option<Result<Value<'e>, Beyond>>;

fn temporal_operation<'e>(operator: Operator, x: &Value<'e>, y: &Value<'e>) -> Moved<'e> {
    match operator {
        Operator::Add => plus(x, y).or_else(|| plus(y, x)),
        Operator::Subtract => minus(x, y),
        Operator::Multiply => times(x, y).or_else(|| times(y, x)).map(Ok),
        Operator::Divide => divided(x, y).map(Ok),
        Operator::Power => None,
    }
}

/// A temporal or duration, and a duration to be added.
fn plus<'e>(x: &Value<'e>, duration: &Value<'e>) -> Moved<'e> {
    Some(match (x, duration) {
        (Value::LocalTime(time), Value::DayTime(d)) => {
            Ok(Value::LocalTime(temporal::time_plus(*time, *d)))
        }
        (Value::Time(time), Value::DayTime(d)) => Ok(Value::Time(time.plus(*d).into())),
        (Value::LocalDateTime(local), Value::DayTime(d)) => {
            local.plus(*d).map(Value::LocalDateTime)
        }
        (Value::LocalDateTime(local), Value::YearMonths(months)) => {
            local.plus_months(*months).map(Value::LocalDateTime)
        }
        (Value::DateTime(value), Value::DayTime(d)) => {
            value.plus(*d).map(|value| Value::DateTime(value.into()))
        }
        (Value::DateTime(value), Value::YearMonths(months)) => value
            .plus_months(*months)
            .map(|value| Value::DateTime(value.into())),
        (Value::Date(date), Value::DayTime(d)) => {
            let later = date.at(Time::midnight()).plus(*d);
            later.map(|later| Value::Date(later.date()))
        }
        (Value::Date(date), Value::YearMonths(months)) => {
            date.plus_months(*months).map(Value::Date)
        }
        (Value::DayTime(a), Value::DayTime(b)) => Ok(Value::DayTime(a.checked_add(*b)?)),
        (Value::YearMonths(a), Value::YearMonths(b)) => Ok(Value::YearMonths(a.checked_add(*b)?)),
        _ => return None,
    })
}

fn minus<'e>(x: &Value<'e>, y: &Value<'e>) -> Moved<'e> {
    let midnight = |date: &Date| date.at(Time::midnight());
    Some(match (x, y) {
        (Value::LocalTime(a), Value::LocalTime(b)) => {
            Ok(Value::DayTime(temporal::time_since(*a, *b)))
        }
        (Value::Time(a), Value::Time(b)) => Ok(Value::DayTime(a.between(b))),
        (Value::LocalDateTime(a), Value::LocalDateTime(b)) => Ok(Value::DayTime(a.since(*b))),
        (Value::DateTime(a), Value::DateTime(b)) => a.since(b).map(Value::DayTime),
        (Value::Date(a), Value::Date(b)) => Ok(Value::DayTime(midnight(a).since(midnight(b)))),
        (_, Value::DayTime(duration)) => return plus(x, &Value::DayTime(duration.checked_neg()?)),
        (_, Value::YearMonths(months)) => {
            return plus(x, &Value::YearMonths(months.checked_neg()?));
        }
        _ => return None,
    })
}

/// A duration and a factor, of which only the whole part counts.
fn times<'e>(duration: &Value<'e>, factor: &Value<'e>) -> Option<Value<'e>> {
    let factor = factor.as_number()?.low_i32();
    match duration {
        Value::YearMonths(months) => months.checked_mul(i64::from(factor)).map(Value::YearMonths),
        Value::DayTime(duration) => duration.checked_mul(factor).map(Value::DayTime),
        _ => None,
    }
}

fn divided<'e>(x: &Value<'e>, y: &Value<'e>) -> Option<Value<'e>> {
    let millis = |value: &Value<'e>| value.as_duration_millis();
    match (x, y) {
        (Value::YearMonths(months), Value::Number(by)) => {
            let months = Dec::from(*months).checked_div(*by)?;
            Some(Value::YearMonths(i64::from(months.low_i32())))
        }
        // Whole quotients, as integer division of the lengths gives them.
        (Value::YearMonths(a), Value::YearMonths(b)) => a.checked_div(*b).map(Value::int),
        (Value::DayTime(_), Value::DayTime(_)) => {
            millis(x)?.checked_div(millis(y)?).map(Value::int)
        }
        (Value::DayTime(_), Value::Number(by)) => {
            let millis = Dec::from(millis(x)?).checked_div(*by)?;
            Some(Value::DayTime(jiff::SignedDuration::from_millis(
                i64::from(millis.low_i32()),
            )))
        }
        _ => None,
    }
}
