//! Values as text, as result type, and as MessagePack for the variables they become.
//!
//! `Display` is the text of messages and of the function `string`; strings inside are quoted there.
//! Results: whole numbers become 64-bit integers (low bits, if too large), other numbers doubles,
//! temporals ISO texts, ranges and functions nil.

use std::fmt;

use crate::feel::temporal::format::{
    DayTime, IsoDate, IsoDateTime, IsoTime, IsoZoned, PlainDateTime, ShortTime, YearMonths,
};
use crate::msgpack;

use super::{Bound, Context, List, Value};

/// Levels of containers below which text is cut short.
const DEEPEST: u32 = 250;

/// Type of a result as the engine distinguishes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResultType {
    Null,
    Boolean,
    Number,
    String,
    Duration,
    Period,
    Date,
    DateTime,
    Array,
    Object,
    /// Times, ranges and functions, which no use accepts.
    Unknown,
}

impl fmt::Display for ResultType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ResultType::Null => "NULL",
            ResultType::Boolean => "BOOLEAN",
            ResultType::Number => "NUMBER",
            ResultType::String => "STRING",
            ResultType::Duration => "DURATION",
            ResultType::Period => "PERIOD",
            ResultType::Date => "DATE",
            ResultType::DateTime => "DATE_TIME",
            ResultType::Array => "ARRAY",
            ResultType::Object => "OBJECT",
            ResultType::Unknown => "UNKNOWN",
        })
    }
}

impl Value<'_> {
    /// The type of the value as a result.
    pub fn result_type(&self) -> ResultType {
        match self {
            Value::Null => ResultType::Null,
            Value::Bool(_) => ResultType::Boolean,
            Value::Number(_) => ResultType::Number,
            Value::String(_) => ResultType::String,
            Value::Date(_) => ResultType::Date,
            Value::DateTime(_) | Value::LocalDateTime(_) => ResultType::DateTime,
            Value::LocalTime(_) | Value::Time(_) | Value::Range(_) | Value::Function(_) => {
                ResultType::Unknown
            }
            Value::YearMonths(_) => ResultType::Period,
            Value::DayTime(_) => ResultType::Duration,
            Value::List(_) => ResultType::Array,
            Value::Context(_) => ResultType::Object,
        }
    }

    /// Appends the value as the MessagePack of a variable.
    pub fn to_msgpack(&self, out: &mut Vec<u8>) {
        match self {
            Value::Null | Value::Range(_) | Value::Function(_) => msgpack::write_nil(out),
            Value::Bool(value) => msgpack::write_bool(out, *value),
            Value::Number(number) if number.is_whole() => {
                msgpack::write_int(out, number.low_i64());
            }
            Value::Number(number) => msgpack::write_float(out, number.to_f64()),
            Value::String(text) => msgpack::write_str(out, text),
            Value::Date(_)
            | Value::LocalTime(_)
            | Value::Time(_)
            | Value::LocalDateTime(_)
            | Value::DateTime(_)
            | Value::YearMonths(_)
            | Value::DayTime(_) => msgpack::write_str(out, &self.result_text()),
            Value::List(List::Raw(raw)) | Value::Context(Context::Raw(raw)) => {
                out.extend_from_slice(raw.bytes());
            }
            Value::List(list) => {
                msgpack::write_array_header(out, list.len());
                list.iter().for_each(|item| item.to_msgpack(out));
            }
            Value::Context(context) => {
                msgpack::write_map_header(out, context.len());
                for (key, value) in context.iter() {
                    msgpack::write_str(out, &key);
                    value.to_msgpack(out);
                }
            }
        }
    }

    /// The text a result becomes where the engine wants a text: strings as they are, temporals in
    /// their result form, everything else as `Display`.
    pub fn result_text(&self) -> String {
        match self {
            Value::String(text) => text.to_string(),
            Value::LocalTime(time) => ShortTime(*time).to_string(),
            Value::LocalDateTime(value) => IsoDateTime(*value).to_string(),
            Value::DateTime(value) => IsoZoned(value).to_string(),
            Value::Date(_)
            | Value::Time(_)
            | Value::YearMonths(_)
            | Value::DayTime(_)
            | Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::List(_)
            | Value::Context(_)
            | Value::Range(_)
            | Value::Function(_) => self.to_string(),
        }
    }
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(self, f, 0)
    }
}

fn show(value: &Value<'_>, f: &mut fmt::Formatter<'_>, depth: u32) -> fmt::Result {
    match value {
        Value::Null => f.write_str("null"),
        Value::Bool(value) => write!(f, "{value}"),
        Value::Number(number) => write!(f, "{number}"),
        Value::String(text) => write!(f, "\"{text}\""),
        Value::Date(date) => write!(f, "{}", IsoDate(*date)),
        Value::LocalTime(time) => write!(f, "{}", IsoTime(*time)),
        Value::Time(value) => write!(f, "{value}"),
        Value::LocalDateTime(value) => write!(f, "{}", PlainDateTime(*value)),
        Value::DateTime(value) => write!(f, "{value}"),
        Value::YearMonths(months) => write!(f, "{}", YearMonths(*months)),
        Value::DayTime(duration) => write!(f, "{}", DayTime(*duration)),
        Value::List(_) | Value::Context(_) if depth > DEEPEST => f.write_str("..."),
        Value::List(list) => {
            f.write_str("[")?;
            for (index, item) in list.iter().enumerate() {
                f.write_str(if index > 0 { ", " } else { "" })?;
                show(&item, f, depth + 1)?;
            }
            f.write_str("]")
        }
        Value::Context(context) => {
            f.write_str("{")?;
            for (index, (key, value)) in context.iter().enumerate() {
                write!(f, "{}{key}:", if index > 0 { ", " } else { "" })?;
                show(&value, f, depth + 1)?;
            }
            f.write_str("}")
        }
        Value::Range(range) => {
            let bound = |bound: &Bound<'_>, closed, open| if bound.closed { closed } else { open };
            f.write_str(bound(&range.start, "[", "("))?;
            show(&range.start.value, f, depth + 1)?;
            f.write_str("..")?;
            show(&range.end.value, f, depth + 1)?;
            f.write_str(bound(&range.end, "]", ")"))
        }
        Value::Function(function) => write!(f, "function({})", function.parameter_list()),
    }
}
