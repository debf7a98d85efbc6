//! Values of the language while an expression is evaluated.
//!
//! Values borrow: text and containers that come from variables are slices of their MessagePack
//! bytes ([`Raw`]) and are decoded only where an expression looks. What an expression builds itself
//! is shared by reference counts, so copying a value is cheap. Values live on one thread and for one
//! evaluation; [`Value::to_msgpack`] turns the result into bytes.
//!
//! Invariants:
//! 1. A value is 32 bytes.
//! 2. Containers built by an expression know their depth and weight, so that the evaluator can
//!    refuse values whose expanded form would be unreasonably large ([`Size`]).
//!
//! Comparison and equality are in [`compare`], properties of temporals in [`property`], text and
//! MessagePack forms in [`output`].

mod compare;
mod container;
mod output;
mod property;

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;

use jiff::SignedDuration;
use jiff::civil::Time;

use super::eval::Function;
use super::number::Dec;
use super::temporal::calendar::{Date, DateTime};
use super::temporal::parse::Temporal;
use super::temporal::{OffsetTime, ZonedDateTime};

pub use container::{Context, ContextIter, List, ListIter, Raw, Size};
pub use output::ResultType;

/// A value; `'e` is the life of the expression and its variables.
///
/// The tag is a whole word: so the parts of a value are moved as they were written, which the
/// processor can do without waiting for its own stores.
#[derive(Clone, Debug)]
#[repr(u64)]
pub enum Value<'e> {
    Null,
    Bool(bool),
    Number(Dec),
    String(Text<'e>),
    Date(Date),
    LocalTime(Time),
    Time(Arc<OffsetTime>),
    LocalDateTime(DateTime),
    DateTime(Arc<ZonedDateTime>),
    /// A years-months duration, in months.
    YearMonths(i64),
    /// A days-time duration.
    DayTime(SignedDuration),
    List(List<'e>),
    Context(Context<'e>),
    Range(Rc<Range<'e>>),
    Function(Rc<Function<'e>>),
}

const _: () = assert!(
    size_of::<Value<'_>>() == 32,
    "list code moves values around a lot"
);

/// Text that is borrowed from the expression or a variable, or was made by a function.
#[derive(Clone, Debug)]
pub enum Text<'e> {
    Borrowed(&'e str),
    Shared(Rc<str>),
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Text::Borrowed(text) => text,
            Text::Shared(text) => text,
        }
    }
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

/// One end of a range.
#[derive(Clone, Debug)]
pub struct Bound<'e> {
    pub value: Value<'e>,
    /// Whether the value itself belongs to the range.
    pub closed: bool,
}

/// A range of values of one type that has an order.
#[derive(Clone, Debug)]
pub struct Range<'e> {
    pub start: Bound<'e>,
    pub end: Bound<'e>,
}

impl<'e> Value<'e> {
    /// The value whose MessagePack bytes these are. Bytes that are no value give null.
    #[inline]
    pub fn from_msgpack(bytes: &'e [u8]) -> Value<'e> {
        scalar(bytes).unwrap_or_else(|| Raw::Borrowed(bytes).decode())
    }

    /// The value of a variable.
    #[inline]
    pub(super) fn from_variable(bytes: Cow<'e, [u8]>) -> Value<'e> {
        match scalar(&bytes) {
            Some(value) => value,
            None => match bytes {
                Cow::Borrowed(bytes) => Raw::Borrowed(bytes).decode(),
                Cow::Owned(bytes) => Raw::shared(bytes).decode(),
            },
        }
    }

    pub(crate) fn text(text: impl Into<Rc<str>>) -> Value<'e> {
        Value::String(Text::Shared(text.into()))
    }

    pub(crate) fn list(items: Vec<Value<'e>>) -> Value<'e> {
        Value::List(List::new(items))
    }

    pub(crate) fn int(value: i64) -> Value<'e> {
        Value::Number(Dec::from(value))
    }

    /// A number, or null if an operation had no result.
    pub(crate) fn number(value: Option<Dec>) -> Value<'e> {
        value.map_or(Value::Null, Value::Number)
    }

    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    pub fn as_bool(&self) -> Option<bool> {
        if let Value::Bool(value) = self {
            Some(*value)
        } else {
            None
        }
    }

    pub fn as_str(&self) -> Option<&str> {
        if let Value::String(text) = self {
            Some(text)
        } else {
            None
        }
    }

    pub fn as_number(&self) -> Option<Dec> {
        if let Value::Number(number) = self {
            Some(*number)
        } else {
            None
        }
    }

    /// A number without its fraction, if it fits.
    pub fn as_i64(&self) -> Option<i64> {
        self.as_number()?.to_i64()
    }

    /// A days-time duration in milliseconds, if it fits.
    pub fn as_duration_millis(&self) -> Option<i64> {
        if let Value::DayTime(duration) = self {
            i64::try_from(duration.as_millis()).ok()
        } else {
            None
        }
    }

    /// A years-months duration in months.
    pub fn as_period_months(&self) -> Option<i64> {
        if let Value::YearMonths(months) = self {
            Some(*months)
        } else {
            None
        }
    }

    /// A date-time as milliseconds since 1970-01-01T00:00Z; one without zone is taken as UTC.
    pub fn as_epoch_millis(&self) -> Option<i64> {
        if let Value::DateTime(value) = self {
            value.epoch_millis()
        } else if let Value::LocalDateTime(local) = self {
            ZonedDateTime {
                local: *local,
                offset: 0,
                region: None,
            }
            .epoch_millis()
        } else {
            None
        }
    }

    pub fn as_list(&self) -> Option<&List<'e>> {
        if let Value::List(list) = self {
            Some(list)
        } else {
            None
        }
    }

    pub fn as_context(&self) -> Option<&Context<'e>> {
        if let Value::Context(context) = self {
            Some(context)
        } else {
            None
        }
    }

    /// The items of a list.
    pub fn items(&self) -> Option<impl Iterator<Item = Value<'e>>> {
        self.as_list().map(List::iter)
    }

    /// Name of the type as the language and its messages spell it.
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Date(_) => "date",
            Value::LocalTime(_) | Value::Time(_) => "time",
            Value::LocalDateTime(_) | Value::DateTime(_) => "date and time",
            Value::YearMonths(_) => "years and months duration",
            Value::DayTime(_) => "days and time duration",
            Value::List(_) => "list",
            Value::Context(_) => "context",
            Value::Range(_) => "range",
            Value::Function(_) => "function",
        }
    }
}

/// The value, if it is a truth value or an integer of at most 32 bits: most variables that decide
/// something are, and need nothing kept.
#[inline]
fn scalar<'e>(bytes: &[u8]) -> Option<Value<'e>> {
    let number = match *bytes {
        [0xc2] => return Some(Value::Bool(false)),
        [0xc3] => return Some(Value::Bool(true)),
        [byte @ 0x00..=0x7f] => i64::from(byte),
        [byte @ 0xe0..=0xff] => i64::from(byte as i8),
        [0xcc, byte] => i64::from(byte),
        [0xcd, a, b] => i64::from(u16::from_be_bytes([a, b])),
        [0xce, a, b, c, d] => i64::from(u32::from_be_bytes([a, b, c, d])),
        [0xd0, byte] => i64::from(byte as i8),
        [0xd1, a, b] => i64::from(i16::from_be_bytes([a, b])),
        [0xd2, a, b, c, d] => i64::from(i32::from_be_bytes([a, b, c, d])),
        _ => return None,
    };
    Some(Value::int(number))
}

impl From<Temporal> for Value<'_> {
    fn from(temporal: Temporal) -> Self {
        match temporal {
            Temporal::Date(value) => Value::Date(value),
            Temporal::LocalTime(value) => Value::LocalTime(value),
            Temporal::Time(value) => Value::Time(Arc::new(value)),
            Temporal::LocalDateTime(value) => Value::LocalDateTime(value),
            Temporal::DateTime(value) => Value::DateTime(Arc::new(value)),
            Temporal::YearMonths(value) => Value::YearMonths(value),
            Temporal::DayTime(value) => Value::DayTime(value),
        }
    }
}
