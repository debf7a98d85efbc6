//! Properties of temporal values (`date.year`, `duration.hours`) by name.
//!
//! The order of names is the one in which the reference lists them in its warnings; it is that of a
//! hash table there, and so without visible reason.

use jiff::SignedDuration;
use jiff::civil::Time;

use crate::feel::temporal::calendar::Date;
use crate::feel::temporal::java_seconds;

use super::{Text, Value};

const DATE: &[&str] = &["year", "month", "day", "weekday"];
const TIME: &[&str] = &["timezone", "second", "time offset", "minute", "hour"];
const DATE_TIME: &[&str] = &[
    "timezone",
    "year",
    "second",
    "month",
    "day",
    "time offset",
    "weekday",
    "minute",
    "hour",
];
const YEAR_MONTHS: &[&str] = &["years", "months"];
const DAY_TIME: &[&str] = &["days", "hours", "minutes", "seconds"];

fn of_date<'e>(date: Date, name: &str) -> Option<Value<'e>> {
    Some(Value::int(match name {
        "year" => i64::from(date.year()),
        "month" => i64::from(date.month()),
        "day" => i64::from(date.day()),
        "weekday" => i64::from(date.weekday()),
        _ => return None,
    }))
}

fn of_time<'e>(time: Time, name: &str) -> Option<Value<'e>> {
    Some(Value::int(match name {
        "hour" => i64::from(time.hour()),
        "minute" => i64::from(time.minute()),
        "second" => i64::from(time.second()),
        _ => return None,
    }))
}

fn of_offset<'e>(offset: i32, zone: Option<&str>, name: &str) -> Option<Value<'e>> {
    match name {
        "time offset" => Some(Value::DayTime(SignedDuration::from_secs(i64::from(offset)))),
        "timezone" => Some(zone.map_or(Value::Null, |id| Value::String(Text::Shared(id.into())))),
        _ => None,
    }
}

fn of_local<'e>(name: &str) -> Option<Value<'e>> {
    matches!(name, "time offset" | "timezone").then_some(Value::Null)
}

impl<'e> Value<'e> {
    /// The value of a property; `None` if there is none of that name.
    pub fn property(&self, name: &str) -> Option<Value<'e>> {
        match self {
            Value::Date(date) => of_date(*date, name),
            Value::LocalTime(time) => of_time(*time, name).or_else(|| of_local(name)),
            Value::Time(value) => of_time(value.time, name).or_else(|| {
                of_offset(
                    value.offset,
                    value.region.as_ref().map(|region| &*region.id),
                    name,
                )
            }),
            Value::LocalDateTime(value) => of_date(value.date(), name)
                .or_else(|| of_time(value.time(), name))
                .or_else(|| of_local(name)),
            Value::DateTime(value) => of_date(value.local.date(), name)
                .or_else(|| of_time(value.local.time(), name))
                .or_else(|| {
                    of_offset(
                        value.offset,
                        value.region.as_ref().map(|region| &*region.id),
                        name,
                    )
                }),
            Value::YearMonths(months) => match name {
                "years" => Some(Value::int(months / 12)),
                "months" => Some(Value::int(months % 12)),
                _ => None,
            },
            Value::DayTime(duration) => {
                let seconds = java_seconds(*duration);
                Some(Value::int(match name {
                    "days" => seconds / 86_400,
                    "hours" => seconds / 3600 % 24,
                    "minutes" => seconds / 60 % 60,
                    "seconds" => seconds % 60,
                    _ => return None,
                }))
            }
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::List(_)
            | Value::Context(_)
            | Value::Range(_)
            | Value::Function(_) => None,
        }
    }

    /// The names of all properties.
    pub fn property_names(&self) -> &'static [&'static str] {
        match self {
            Value::Date(_) => DATE,
            Value::LocalTime(_) | Value::Time(_) => TIME,
            Value::LocalDateTime(_) | Value::DateTime(_) => DATE_TIME,
            Value::YearMonths(_) => YEAR_MONTHS,
            Value::DayTime(_) => DAY_TIME,
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::List(_)
            | Value::Context(_)
            | Value::Range(_)
            | Value::Function(_) => &[],
        }
    }
}
