//! Functions that sum up a list: extremes, sums, averages.
//!
//! An empty list gives null (`mode`: an empty list). Anything that is no number is refused; extremes
//! take any values of one type that has an order.

use std::collections::BTreeMap;

use crate::feel::eval::{Interpreter, Outcome, Refusal, Shown};
use crate::feel::number::Dec;
use crate::feel::value::Value;

use super::{Builtin, message, thrown, variadic};

pub(super) const FUNCTIONS: &[Builtin] = &[
    variadic("min", &["list"], min),
    variadic("max", &["list"], max),
    variadic("sum", &["list"], sum),
    variadic("product", &["list"], product),
    variadic("mean", &["list"], mean),
    variadic("median", &["list"], median),
    variadic("stddev", &["list"], stddev),
    variadic("mode", &["list"], mode),
];

fn min<'e>(interpreter: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    extreme(interpreter, arguments, std::cmp::Ordering::Less)
}

fn max<'e>(interpreter: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    extreme(interpreter, arguments, std::cmp::Ordering::Greater)
}

fn extreme<'e>(
    interpreter: &mut Interpreter<'e>,
    arguments: &[Value<'e>],
    wanted: std::cmp::Ordering,
) -> Outcome<'e> {
    let [Value::List(list)] = arguments else {
        return Err(Refusal::Arguments);
    };
    interpreter.charge(list.len() / 4)?;
    let mut best: Option<Value<'e>> = None;
    for item in list.iter() {
        let current = best.as_ref().unwrap_or(&item);
        match item.order(current) {
            Some(order) if order == wanted || best.is_none() => best = Some(item),
            Some(_) => {}
            None => {
                let list = Value::List(list.clone());
                return message(format!("{} is not comparable", Shown(&list)));
            }
        }
    }
    Ok(best.unwrap_or(Value::Null))
}

/// The numbers of the argument; `None` if there are none.
fn numbers<'e>(
    interpreter: &mut Interpreter<'e>,
    arguments: &[Value<'e>],
) -> Result<Option<Vec<Dec>>, Refusal> {
    let [Value::List(list)] = arguments else {
        return Err(Refusal::Arguments);
    };
    interpreter.charge(list.len() / 4)?;
    let mut numbers = Vec::with_capacity(list.len().min(1024));
    for item in list.iter() {
        match item {
            Value::Number(number) => numbers.push(number),
            other => {
                return Err(Refusal::Message(format!(
                    "expected number but found '{}'",
                    Shown(&other)
                )));
            }
        }
    }
    Ok(Some(numbers).filter(|numbers| !numbers.is_empty()))
}

fn total(numbers: &[Dec]) -> Option<Dec> {
    numbers
        .iter()
        .try_fold(Dec::ZERO, |sum, number| sum.checked_add(*number))
}

fn average(numbers: &[Dec]) -> Option<Dec> {
    total(numbers)?.checked_div(Dec::from(numbers.len() as i64))
}

fn sum<'e>(interpreter: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    let numbers = numbers(interpreter, arguments)?;
    Ok(Value::number(numbers.and_then(|numbers| total(&numbers))))
}

fn product<'e>(interpreter: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    let numbers = numbers(interpreter, arguments)?;
    Ok(Value::number(numbers.and_then(|numbers| {
        numbers
            .iter()
            .try_fold(Dec::ONE, |product, number| product.checked_mul(*number))
    })))
}

fn mean<'e>(interpreter: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    let numbers = numbers(interpreter, arguments)?;
    Ok(Value::number(numbers.and_then(|numbers| average(&numbers))))
}

fn median<'e>(interpreter: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    let Some(mut numbers) = numbers(interpreter, arguments)? else {
        return Ok(Value::Null);
    };
    numbers.sort();
    let middle = numbers.len() / 2;
    Ok(Value::number(if numbers.len() % 2 == 1 {
        Some(numbers[middle])
    } else {
        average(&numbers[middle - 1..=middle])
    }))
}

fn stddev<'e>(interpreter: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    let Some(numbers) = numbers(interpreter, arguments)? else {
        return Ok(Value::Null);
    };
    if numbers.len() == 1 {
        return thrown("java.lang.ArithmeticException: Division undefined");
    }
    let squares = || {
        let mean = average(&numbers)?;
        numbers.iter().try_fold(Dec::ZERO, |sum, number| {
            let deviation = number.checked_sub(mean)?;
            sum.checked_add(deviation.checked_mul(deviation)?)
        })
    };
    let variance = squares().and_then(|sum| sum.checked_div(Dec::from(numbers.len() as i64 - 1)));
    Ok(Value::number(variance.and_then(|variance| {
        Dec::from_f64(variance.to_f64().sqrt())
    })))
}

fn mode<'e>(interpreter: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    let numbers = numbers(interpreter, arguments)?.unwrap_or_default();
    let mut counts: BTreeMap<Dec, usize> = BTreeMap::new();
    for number in numbers {
        *counts.entry(number).or_default() += 1;
    }
    let most = counts.values().max().copied().unwrap_or(0);
    let modes = counts.into_iter().filter(|(_, count)| *count == most);
    Ok(Value::list(
        modes.map(|(number, _)| Value::Number(number)).collect(),
    ))
}
