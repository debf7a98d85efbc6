//! Functions about lists: membership, parts, order, set operations, truth of items.
//!
//! Positions count from 1, or from the end if they are negative. Equality is that of the language,
//! with values of different types being different.

use std::rc::Rc;

use rustc_hash::FxHashMap;

use crate::feel::eval::{Function, Interpreter, Outcome, Refusal, Shown};
use crate::feel::number::Dec;
use crate::feel::value::{List, Value};

use super::{Builtin, fixed, message, variadic};

pub(super) const FUNCTIONS: &[Builtin] = &[
    fixed("list contains", &["list", "element"], list_contains),
    fixed("count", &["list"], count),
    variadic("and", &["list"], all),
    variadic("all", &["list"], all),
    variadic("or", &["list"], any),
    variadic("any", &["list"], any),
    fixed("sublist", &["list", "start"], sublist),
    fixed("sublist", &["list", "start", "length"], sublist),
    variadic("append", &["list", "items"], append),
    variadic("concatenate", &["lists"], concatenate),
    fixed(
        "insert before",
        &["list", "position", "newItem"],
        insert_before,
    ),
    fixed("remove", &["list", "position"], remove),
    fixed("reverse", &["list"], reverse),
    fixed("index of", &["list", "match"], index_of),
    variadic("union", &["lists"], union),
    fixed("distinct values", &["list"], distinct_values),
    fixed("duplicate values", &["list"], duplicate_values),
    fixed("flatten", &["list"], flatten),
    fixed("sort", &["list", "precedes"], sort),
    fixed("string join", &["list"], string_join),
    fixed("string join", &["list", "delimiter"], string_join),
    fixed(
        "string join",
        &["list", "delimiter", "prefix", "suffix"],
        string_join,
    ),
    fixed("is empty", &["list"], is_empty),
    fixed("partition", &["list", "size"], partition),
];

fn list_contains<'e>(interpreter: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    let [Value::List(list), element] = arguments else {
        return Err(Refusal::Arguments);
    };
    interpreter.charge(list.len() / 4)?;
    Ok(Value::Bool(list.iter().any(|item| item.same(element))))
}

fn count<'e>(_: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    let [Value::List(list)] = arguments else {
        return Err(Refusal::Arguments);
    };
    Ok(Value::int(list.len() as i64))
}

fn is_empty<'e>(_: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    let [Value::List(list)] = arguments else {
        return Err(Refusal::Arguments);
    };
    Ok(Value::Bool(list.is_empty()))
}

fn all<'e>(_: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    settle(arguments, false)
}

fn any<'e>(_: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    settle(arguments, true)
}

/// One decisive item settles the result; else anything that is no truth value makes it null.
fn settle<'e>(arguments: &[Value<'e>], decisive: bool) -> Outcome<'e> {
    let [Value::List(list)] = arguments else {
        return Err(Refusal::Arguments);
    };
    let mut unknown = false;
    for item in list.iter() {
        match item {
            Value::Bool(truth) if truth == decisive => return Ok(Value::Bool(decisive)),
            Value::Bool(_) => {}
            _ => unknown = true,
        }
    }
    Ok(if unknown {
        Value::Null
    } else {
        Value::Bool(!decisive)
    })
}

/// The index from 0 of a position, which may lie outside of the list.
fn index(len: usize, position: Dec) -> i64 {
    let position = i64::from(position.low_i32());
    if position > 0 {
        position - 1
    } else {
        len as i64 + position
    }
}

fn clamp(len: usize, index: i64) -> usize {
    usize::try_from(index).unwrap_or(0).min(len)
}

fn sublist<'e>(interpreter: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    let (list, start, length) = match arguments {
        [Value::List(list), Value::Number(start)] => (list, *start, None),
        [
            Value::List(list),
            Value::Number(start),
            Value::Number(length),
        ] => (list, *start, Some(i64::from(length.low_i32()))),
        _ => return Err(Refusal::Arguments),
    };
    if start.is_zero() {
        return message("start position must be a non-zero number");
    }
    let len = list.len();
    interpreter.charge(len / 8)?;
    let from = index(len, start);
    let to = length.map_or(len, |length| clamp(len, from + length));
    let from = clamp(len, from);
    Ok(Value::list(list.iter().take(to).skip(from).collect()))
}

fn append<'e>(interpreter: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    let [Value::List(list), Value::List(items)] = arguments else {
        return Err(Refusal::Arguments);
    };
    interpreter.charge((list.len() + items.len()) / 8)?;
    Ok(Value::list(list.iter().chain(items.iter()).collect()))
}

/// Items of lists, and what is no list as it is.
fn joined<'e>(
    interpreter: &mut Interpreter<'e>,
    lists: &List<'e>,
) -> Result<Vec<Value<'e>>, Refusal> {
    let mut items = Vec::new();
    for value in lists.iter() {
        match value {
            Value::List(list) => {
                interpreter.charge(list.len() / 8)?;
                items.extend(list.iter());
            }
            other => items.push(other),
        }
    }
    Ok(items)
}

fn concatenate<'e>(interpreter: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    let [Value::List(lists)] = arguments else {
        return Err(Refusal::Arguments);
    };
    Ok(Value::list(joined(interpreter, lists)?))
}

fn insert_before<'e>(interpreter: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    let [Value::List(list), Value::Number(position), item] = arguments else {
        return Err(Refusal::Arguments);
    };
    if position.is_zero() {
        return message("position must be a non-zero number");
    }
    interpreter.charge(list.len() / 8)?;
    let mut items = list.to_vec();
    let at = clamp(items.len(), index(items.len(), *position));
    items.insert(at, item.clone());
    Ok(Value::list(items))
}

fn remove<'e>(interpreter: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    let [Value::List(list), Value::Number(position)] = arguments else {
        return Err(Refusal::Arguments);
    };
    if position.is_zero() {
        return message("position must be a non-zero number");
    }
    interpreter.charge(list.len() / 8)?;
    let mut items = list.to_vec();
    if let Ok(at) = usize::try_from(index(items.len(), *position))
        && at < items.len()
    {
        items.remove(at);
    }
    Ok(Value::list(items))
}

fn reverse<'e>(interpreter: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    let [Value::List(list)] = arguments else {
        return Err(Refusal::Arguments);
    };
    interpreter.charge(list.len() / 8)?;
    let mut items = list.to_vec();
    items.reverse();
    Ok(Value::list(items))
}

fn index_of<'e>(interpreter: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    let [Value::List(list), element] = arguments else {
        return Err(Refusal::Arguments);
    };
    interpreter.charge(list.len() / 4)?;
    let positions = list
        .iter()
        .zip(1..)
        .filter(|(item, _)| item.equals(element) == Some(true));
    Ok(Value::list(
        positions
            .map(|(_, position)| Value::int(position))
            .collect(),
    ))
}

/// How often each item occurs, in the order of first occurrence.
fn tally<'e>(
    interpreter: &mut Interpreter<'e>,
    items: impl IntoIterator<Item = Value<'e>>,
) -> Result<Vec<(Value<'e>, usize)>, Refusal> {
    let mut counts: Vec<(Value<'e>, usize)> = Vec::new();
    let mut places: FxHashMap<u64, Vec<usize>> = FxHashMap::default();
    for item in items {
        let bucket = places.entry(item.hash_code()).or_default();
        interpreter.charge(1 + bucket.len() + item.size().weight as usize / 64)?;
        match bucket.iter().find(|place| counts[**place].0.same(&item)) {
            Some(place) => counts[*place].1 += 1,
            None => {
                bucket.push(counts.len());
                counts.push((item, 1));
            }
        }
    }
    Ok(counts)
}

fn union<'e>(interpreter: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    let [Value::List(lists)] = arguments else {
        return Err(Refusal::Arguments);
    };
    let items = joined(interpreter, lists)?;
    let counts = tally(interpreter, items)?;
    Ok(Value::list(
        counts.into_iter().map(|(item, _)| item).collect(),
    ))
}

fn distinct_values<'e>(interpreter: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    let [Value::List(list)] = arguments else {
        return Err(Refusal::Arguments);
    };
    let counts = tally(interpreter, list.iter())?;
    Ok(Value::list(
        counts.into_iter().map(|(item, _)| item).collect(),
    ))
}

fn duplicate_values<'e>(interpreter: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    let [Value::List(list)] = arguments else {
        return Err(Refusal::Arguments);
    };
    let counts = tally(interpreter, list.iter())?.into_iter();
    Ok(Value::list(
        counts
            .filter(|(_, count)| *count > 1)
            .map(|(item, _)| item)
            .collect(),
    ))
}

fn flatten<'e>(interpreter: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    let [Value::List(list)] = arguments else {
        return Err(Refusal::Arguments);
    };
    let mut items = Vec::new();
    let mut open = vec![list.iter()];
    while let Some(current) = open.last_mut() {
        interpreter.charge(1)?;
        match current.next() {
            Some(Value::List(inner)) => open.push(inner.iter()),
            Some(item) => items.push(item),
            None => drop(open.pop()),
        }
    }
    Ok(Value::list(items))
}

fn sort<'e>(interpreter: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    let [Value::List(list), Value::Function(precedes)] = arguments else {
        return Err(Refusal::Arguments);
    };
    let parameters = precedes.parameter_count();
    if parameters != 2 {
        return message(format!(
            "expect boolean function with 2 arguments, but found '{parameters}'"
        ));
    }
    let items = merge_sort(list.to_vec(), &mut |a, b| {
        comes_first(interpreter, precedes, a, b)
    })?;
    Ok(Value::list(items))
}

fn comes_first<'e>(
    interpreter: &mut Interpreter<'e>,
    precedes: &Rc<Function<'e>>,
    a: &Value<'e>,
    b: &Value<'e>,
) -> Result<bool, Refusal> {
    match interpreter.invoke(precedes, vec![a.clone(), b.clone()])? {
        Value::Bool(first) => Ok(first),
        other => Err(Refusal::Message(format!(
            "fail to sort list by given precedes function: expected boolean but found '{}'",
            Shown(&other)
        ))),
    }
}

/// A stable sort that copes with functions which are no order, or fail.
fn merge_sort<T: Clone, E>(
    mut items: Vec<T>,
    precedes: &mut impl FnMut(&T, &T) -> Result<bool, E>,
) -> Result<Vec<T>, E> {
    let mut width = 1;
    while width < items.len() {
        let mut merged = Vec::with_capacity(items.len());
        for run in items.chunks(2 * width) {
            let (mut left, mut right) = run.split_at(width.min(run.len()));
            while let ([a, left_rest @ ..], [b, right_rest @ ..]) = (left, right) {
                // The right one goes first only if it has to: equal items keep their order.
                if precedes(b, a)? {
                    merged.push(b.clone());
                    right = right_rest;
                } else {
                    merged.push(a.clone());
                    left = left_rest;
                }
            }
            merged.extend_from_slice(left);
            merged.extend_from_slice(right);
        }
        items = merged;
        width *= 2;
    }
    Ok(items)
}

fn string_join<'e>(interpreter: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    let text = |value: &Value<'e>| value.as_str().unwrap_or("").to_owned();
    let (list, delimiter, prefix, suffix) = match arguments {
        [Value::List(list)] => (list, String::new(), String::new(), String::new()),
        [
            Value::List(list),
            delimiter @ (Value::String(_) | Value::Null),
        ] => (list, text(delimiter), String::new(), String::new()),
        [
            Value::List(list),
            delimiter @ (Value::String(_) | Value::Null),
            prefix @ Value::String(_),
            suffix @ Value::String(_),
        ]
        | [
            Value::List(list),
            delimiter @ (Value::String(_) | Value::Null),
            prefix @ Value::Null,
            suffix @ Value::Null,
        ] => (list, text(delimiter), text(prefix), text(suffix)),
        _ => return Err(Refusal::Arguments),
    };
    let mut joined = prefix;
    let mut first = true;
    for item in list.iter() {
        match item {
            Value::String(part) => {
                if !first {
                    joined.push_str(&delimiter);
                }
                first = false;
                joined.push_str(&part);
                interpreter.charge(1 + (part.len() + delimiter.len()) / 64)?;
            }
            Value::Null => {}
            _ => {
                let list = Value::List(list.clone());
                return message(format!(
                    "expected a list of strings but found '{}'",
                    Shown(&list)
                ));
            }
        }
    }
    joined.push_str(&suffix);
    Ok(Value::text(joined))
}

fn partition<'e>(interpreter: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    let [Value::List(list), Value::Number(size)] = arguments else {
        return Err(Refusal::Arguments);
    };
    match usize::try_from(size.low_i32()) {
        Ok(width) if width > 0 => {
            interpreter.charge(list.len() / 4)?;
            let items = list.to_vec();
            let parts = items.chunks(width).map(|part| Value::list(part.to_vec()));
            Ok(Value::list(parts.collect()))
        }
        _ => message(format!(
            "'size' should be greater than zero but was '{size}'"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorting_is_stable_and_survives_nonsense() {
        let mut by_tens = |a: &i32, b: &i32| Ok::<_, ()>(a / 10 < b / 10);
        let items = vec![31, 12, 35, 11, 7, 39, 10];
        assert_eq!(
            merge_sort(items, &mut by_tens),
            Ok(vec![7, 12, 11, 10, 31, 35, 39])
        );
        let mut flip = false;
        let mut nonsense = |_: &i32, _: &i32| {
            flip = !flip;
            Ok::<_, ()>(flip)
        };
        assert_eq!(
            merge_sort((0..50).collect(), &mut nonsense).map(|items| items.len()),
            Ok(50)
        );
        assert_eq!(merge_sort(vec![1, 2], &mut |_, _| Err("no")), Err("no"));
    }
}
