//! Equality and order of values, as the reference has them: tolerant of null, strict about types.
//!
//! Equality of contexts and lists goes down; its recursion is bounded by [`DEEPEST`], below which
//! MessagePack slices are compared as bytes.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

use rustc_hash::FxHasher;

use super::{Bound, Context, List, Value};

/// Levels down to which containers are compared by their items.
const DEEPEST: u32 = 250;

impl<'e> Value<'e> {
    /// Whether two values are equal; `None` if their types cannot be compared.
    #[inline]
    pub fn equals(&self, other: &Value<'e>) -> Option<bool> {
        equal(self, other, 0)
    }

    /// Whether two values are the same; values that cannot be compared are not.
    pub(crate) fn same(&self, other: &Value<'e>) -> bool {
        match (self, other) {
            (Value::Range(a), Value::Range(b)) => {
                same_bound(&a.start, &b.start) && same_bound(&a.end, &b.end)
            }
            _ => self.equals(other) == Some(true),
        }
    }

    /// The order of two values of the same type; `None` if there is none.
    #[inline]
    pub fn order(&self, other: &Value<'e>) -> Option<Ordering> {
        Some(match (self, other) {
            (Value::Number(a), Value::Number(b)) => a.cmp(b),
            (Value::String(a), Value::String(b)) => utf16_order(a, b),
            (Value::Date(a), Value::Date(b)) => a.cmp(b),
            (Value::LocalTime(a), Value::LocalTime(b)) => a.cmp(b),
            (Value::Time(a), Value::Time(b)) => a.order(b),
            (Value::LocalDateTime(a), Value::LocalDateTime(b)) => a.cmp(b),
            (Value::DateTime(a), Value::DateTime(b)) => a.order(b),
            (Value::YearMonths(a), Value::YearMonths(b)) => a.cmp(b),
            (Value::DayTime(a), Value::DayTime(b)) => a.cmp(b),
            _ => return None,
        })
    }

    /// A hash under which values that are the same have the same number.
    pub(crate) fn hash_code(&self) -> u64 {
        hash(self, 0)
    }
}

fn same_bound(a: &Bound<'_>, b: &Bound<'_>) -> bool {
    a.closed == b.closed && equal(&a.value, &b.value, 0) == Some(true)
}

/// Java orders strings by their UTF-16 units, which differs from UTF-8 above the basic plane.
fn utf16_order(a: &str, b: &str) -> Ordering {
    if a.is_ascii() || b.is_ascii() {
        a.cmp(b)
    } else {
        a.encode_utf16().cmp(b.encode_utf16())
    }
}

fn equal(a: &Value<'_>, b: &Value<'_>, depth: u32) -> Option<bool> {
    Some(match (a, b) {
        (Value::Null, Value::Null) => true,
        (Value::Null, _) | (_, Value::Null) => false,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Number(a), Value::Number(b)) => a == b,
        (Value::String(a), Value::String(b)) => **a == **b,
        (Value::Date(a), Value::Date(b)) => a == b,
        (Value::LocalTime(a), Value::LocalTime(b)) => a == b,
        (Value::Time(a), Value::Time(b)) => a == b,
        (Value::LocalDateTime(a), Value::LocalDateTime(b)) => a == b,
        (Value::DateTime(a), Value::DateTime(b)) => a == b,
        (Value::YearMonths(a), Value::YearMonths(b)) => a == b,
        (Value::DayTime(a), Value::DayTime(b)) => a == b,
        (Value::List(a), Value::List(b)) => equal_lists(a, b, depth),
        (Value::Context(a), Value::Context(b)) => equal_contexts(a, b, depth),
        _ => return None,
    })
}

fn equal_lists(a: &List<'_>, b: &List<'_>, depth: u32) -> bool {
    if let (List::Raw(a), List::Raw(b)) = (a, b)
        && (depth > DEEPEST || a.bytes() == b.bytes())
    {
        return a.bytes() == b.bytes();
    }
    a.len() == b.len()
        && a.iter()
            .zip(b.iter())
            .all(|(a, b)| equal(&a, &b, depth + 1) == Some(true))
}

fn equal_contexts(a: &Context<'_>, b: &Context<'_>, depth: u32) -> bool {
    if let (Context::Raw(a), Context::Raw(b)) = (a, b)
        && (depth > DEEPEST || a.bytes() == b.bytes())
    {
        return a.bytes() == b.bytes();
    }
    a.len() == b.len()
        && a.iter().all(|(key, a)| {
            b.get(&key)
                .is_some_and(|b| equal(&a, &b, depth + 1) == Some(true))
        })
}

fn hash(value: &Value<'_>, depth: u32) -> u64 {
    let mut state = FxHasher::default();
    match value {
        Value::Null => 0u8.hash(&mut state),
        Value::Bool(value) => value.hash(&mut state),
        Value::Number(number) => number.hash(&mut state),
        Value::String(text) => (**text).hash(&mut state),
        Value::Date(value) => value.hash(&mut state),
        Value::LocalTime(value) => value.hash(&mut state),
        Value::Time(value) => value.time.hash(&mut state),
        Value::LocalDateTime(value) => value.hash(&mut state),
        Value::DateTime(value) => value.local.hash(&mut state),
        Value::YearMonths(months) => months.hash(&mut state),
        Value::DayTime(duration) => duration.hash(&mut state),
        // Far down the length stands for the items: equal containers still agree.
        Value::List(list) if depth > 8 => list.len().hash(&mut state),
        Value::Context(context) if depth > 8 => context.len().hash(&mut state),
        Value::List(list) => {
            list.iter()
                .for_each(|item| hash(&item, depth + 1).hash(&mut state));
        }
        Value::Context(context) => {
            // Entries in any order are the same context.
            let sum = context.iter().fold(0u64, |sum, (key, value)| {
                let mut entry = FxHasher::default();
                (*key).hash(&mut entry);
                hash(&value, depth + 1).hash(&mut entry);
                sum.wrapping_add(entry.finish())
            });
            sum.hash(&mut state);
        }
        Value::Range(_) => 1u8.hash(&mut state),
        Value::Function(_) => 2u8.hash(&mut state),
    }
    state.finish()
}
