//! Functions that make a value of one type from another: numbers, texts, temporals, JSON.
//!
//! Texts that denote nothing are refused with a message; whole temporal constants never come here,
//! because the parser reads them.

use std::fmt::Write as _;
use std::sync::Arc;

use jiff::civil::Time;

use crate::feel::eval::{Interpreter, Outcome, Refusal};
use crate::feel::number::Dec;
use crate::feel::temporal::calendar::{Beyond, Date};
use crate::feel::temporal::format::{IsoDateTime, IsoTime, IsoZoned, Offset};
use crate::feel::temporal::parse::{self, Temporal};
use crate::feel::temporal::{OffsetTime, Zone, ZonedDateTime, months_between};
use crate::feel::value::{Raw, Value};
use crate::json;

use super::{Builtin, fixed, message, thrown};

pub(super) const FUNCTIONS: &[Builtin] = &[
    fixed("date", &["from"], date),
    fixed("date", &["year", "month", "day"], date_of),
    fixed("date and time", &["from"], date_and_time),
    fixed("date and time", &["date", "time"], date_and_time_of),
    fixed("time", &["from"], time),
    fixed("time", &["hour", "minute", "second"], time_of),
    fixed("time", &["hour", "minute", "second", "offset"], time_of),
    fixed("number", &["from"], number),
    fixed("number", &["from", "grouping separator"], number_grouped),
    fixed(
        "number",
        &["from", "grouping separator", "decimal separator"],
        number_separated,
    ),
    fixed("string", &["from"], string),
    fixed("duration", &["from"], duration),
    fixed(
        "years and months duration",
        &["from", "to"],
        years_and_months_duration,
    ),
    fixed("from json", &["json"], from_json),
    fixed("to json", &["value"], to_json),
];

fn or_message<'e>(
    value: Option<impl Into<Value<'e>>>,
    text: impl FnOnce() -> String,
) -> Outcome<'e> {
    match value {
        Some(value) => Ok(value.into()),
        None => message(text()),
    }
}

fn date<'e>(_: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    match arguments {
        [Value::String(text)] => or_message(parse::date(text).map(Temporal::Date), || {
            format!("Failed to parse date from '{text}'")
        }),
        [value @ (Value::Date(_) | Value::LocalDateTime(_) | Value::DateTime(_))] => {
            day(value).map(Value::Date).ok_or(Refusal::Arguments)
        }
        _ => Err(Refusal::Arguments),
    }
}

/// The date of a value that has one.
fn day(value: &Value<'_>) -> Option<Date> {
    if let Value::Date(date) = value {
        Some(*date)
    } else if let Value::LocalDateTime(local) = value {
        Some(local.date())
    } else if let Value::DateTime(value) = value {
        Some(value.local.date())
    } else {
        None
    }
}

fn date_of<'e>(_: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    let [
        Value::Number(year),
        Value::Number(month),
        Value::Number(day),
    ] = arguments
    else {
        return Err(Refusal::Arguments);
    };
    let date = || {
        let month = i8::try_from(month.low_i32()).ok()?;
        Date::new(year.low_i32(), month, i8::try_from(day.low_i32()).ok()?)
    };
    or_message(date().map(Temporal::Date), || {
        format!("Failed to parse date from: year={year}, month={month}, day={day}")
    })
}

fn date_and_time<'e>(_: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    let [Value::String(text)] = arguments else {
        return Err(Refusal::Arguments);
    };
    or_message(parse::date_time(text), || {
        format!("Failed to parse date-time from '{text}'")
    })
}

fn date_and_time_of<'e>(_: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    let zoned = |value: Result<ZonedDateTime, Beyond>| match value {
        Ok(value) => Ok(Temporal::DateTime(value).into()),
        Err(beyond) => thrown(beyond.to_string()),
    };
    match arguments {
        [date, Value::LocalTime(time)] => {
            let date = day(date).ok_or(Refusal::Arguments)?;
            Ok(Value::LocalDateTime(date.at(*time)))
        }
        [date, Value::Time(time)] => zoned(Ok(time.on(day(date).ok_or(Refusal::Arguments)?))),
        [
            value @ (Value::LocalDateTime(_) | Value::DateTime(_)),
            Value::String(id),
        ] => {
            let Some(zone) = Zone::of(id) else {
                return message(format!("Unknown time-zone ID: {id}"));
            };
            if let Value::LocalDateTime(local) = value {
                zoned(Ok(ZonedDateTime::at(*local, &zone)))
            } else if let Value::DateTime(value) = value {
                zoned(value.with_zone(&zone))
            } else {
                Err(Refusal::Arguments)
            }
        }
        _ => Err(Refusal::Arguments),
    }
}

fn time<'e>(_: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    match arguments {
        [Value::String(text)] => or_message(parse::time(text), || {
            let zoned = parse::is_zoned_time(text);
            let kind = if zoned { "time" } else { "local-time" };
            format!("Failed to parse {kind} from '{text}'")
        }),
        [Value::LocalDateTime(local)] => Ok(Value::LocalTime(local.time())),
        [Value::DateTime(value)] => Ok(Value::Time(Arc::new(value.time()))),
        [Value::Date(_)] => Ok(Value::Time(Arc::new(OffsetTime::new(
            Time::midnight(),
            &Zone::Offset(0),
        )))),
        _ => Err(Refusal::Arguments),
    }
}

fn time_of<'e>(_: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    let [
        Value::Number(hour),
        Value::Number(minute),
        Value::Number(second),
        offset @ ..,
    ] = arguments
    else {
        return Err(Refusal::Arguments);
    };
    let offset = match offset {
        [] | [Value::Null] => None,
        [Value::DayTime(offset)] => Some(*offset),
        _ => return Err(Refusal::Arguments),
    };
    let time = || {
        let nanos = second
            .checked_rem(Dec::ONE)?
            .checked_mul(Dec::from(1_000_000_000i64))?
            .low_i32();
        let part = |number: &Dec| i8::try_from(number.low_i32()).ok();
        let time = Time::new(part(hour)?, part(minute)?, part(second)?, nanos).ok()?;
        Some(match offset {
            None => Temporal::LocalTime(time),
            Some(offset) => {
                let seconds = i32::try_from(offset.as_secs()).ok()?;
                (seconds.abs() <= 18 * 3600).then_some(())?;
                Temporal::Time(OffsetTime::new(time, &Zone::Offset(seconds)))
            }
        })
    };
    or_message(time(), || match arguments.get(3) {
        Some(offset @ Value::DayTime(_)) => format!(
            "Failed to parse time from: hour={hour}, minute={minute}, second={second}, \
             offset={offset}"
        ),
        _ => format!(
            "Failed to parse local-time from: hour={hour}, minute={minute}, second={second}"
        ),
    })
}

fn parse_number<'e>(text: &str) -> Outcome<'e> {
    match Dec::parse(text) {
        Some(number) => Ok(Value::Number(number)),
        None => message(format!("Can't parse '{text}' as a number")),
    }
}

fn number<'e>(_: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    let [Value::String(text)] = arguments else {
        return Err(Refusal::Arguments);
    };
    parse_number(text)
}

fn is_grouping(separator: &str) -> bool {
    matches!(separator, " " | "," | ".")
}

fn is_decimal(separator: &str) -> bool {
    matches!(separator, "," | ".")
}

fn number_grouped<'e>(_: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    let [Value::String(text), Value::String(grouping)] = arguments else {
        return Err(Refusal::Arguments);
    };
    if is_grouping(grouping) {
        parse_number(&text.replace(&**grouping, ""))
    } else {
        message("illegal argument for grouping. Must be one of ' ', ',' or '.'")
    }
}

fn number_separated<'e>(_: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    match arguments {
        [
            Value::String(text),
            Value::String(grouping),
            Value::String(decimal),
        ] if is_grouping(grouping) && is_decimal(decimal) && **grouping != **decimal => {
            parse_number(&text.replace(&**grouping, "").replace(&**decimal, "."))
        }
        [Value::String(text), Value::Null, Value::String(decimal)] if is_decimal(decimal) => {
            parse_number(&text.replace(&**decimal, "."))
        }
        [Value::String(text), Value::String(grouping), Value::Null] if is_grouping(grouping) => {
            parse_number(&text.replace(&**grouping, ""))
        }
        [Value::String(_), Value::String(_), Value::String(_)] => message(
            "illegal arguments for grouping or decimal. Must be one of ' ' (grouping only), ',' \
             or '.'",
        ),
        _ => Err(Refusal::Arguments),
    }
}

fn string<'e>(interpreter: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    match arguments {
        [value @ (Value::Null | Value::String(_))] => Ok(value.clone()),
        [value] => {
            interpreter.charge(value.size().weight as usize / 16)?;
            Ok(Value::text(value.to_string()))
        }
        _ => Err(Refusal::Arguments),
    }
}

fn duration<'e>(_: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    let [Value::String(text)] = arguments else {
        return Err(Refusal::Arguments);
    };
    or_message(parse::duration(text), || {
        format!("Failed to parse duration from '{text}'")
    })
}

fn years_and_months_duration<'e>(_: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    let [from, to] = arguments else {
        return Err(Refusal::Arguments);
    };
    match (day(from), day(to)) {
        (Some(from), Some(to)) => Ok(Value::YearMonths(months_between(from, to))),
        _ => Err(Refusal::Arguments),
    }
}

fn from_json<'e>(interpreter: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    match arguments {
        [Value::Null] => Ok(Value::Null),
        [Value::String(text)] => {
            interpreter.charge(text.len() / 16)?;
            match json::to_msgpack(&**text) {
                Ok(bytes) => Ok(Raw::shared(bytes).decode()),
                Err(_) => message(format!("Failed to parse JSON from '{text}'")),
            }
        }
        _ => Err(Refusal::Arguments),
    }
}

fn to_json<'e>(interpreter: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    let [value] = arguments else {
        return Err(Refusal::Arguments);
    };
    interpreter.charge(value.size().weight as usize / 16)?;
    let mut out = String::new();
    write_json(value, &mut out, 0);
    Ok(Value::text(out))
}

fn write_json(value: &Value<'_>, out: &mut String, depth: u32) {
    /// Levels below which a value is written as null.
    const DEEPEST: u32 = 250;
    let quoted = |out: &mut String, text: std::fmt::Arguments<'_>| {
        let _ = write!(out, "\"{text}\"");
    };
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
        Value::Number(number) => {
            let _ = write!(out, "{number}");
        }
        Value::String(text) => json::write_string(text, out),
        Value::LocalTime(time) => quoted(out, format_args!("{}", IsoTime(*time))),
        Value::Time(value) => {
            quoted(
                out,
                format_args!("{}{}", IsoTime(value.time), Offset(value.offset)),
            );
        }
        Value::LocalDateTime(value) => quoted(out, format_args!("{}", IsoDateTime(*value))),
        Value::DateTime(value) => quoted(out, format_args!("{}", IsoZoned(value))),
        Value::YearMonths(months) => quoted(out, format_args!("{}", JavaPeriod(*months))),
        Value::DayTime(duration) => quoted(out, format_args!("{}", JavaDuration(*duration))),
        Value::Date(_) | Value::Range(_) | Value::Function(_) => {
            quoted(out, format_args!("{value}"));
        }
        Value::List(_) | Value::Context(_) if depth > DEEPEST => out.push_str("null"),
        Value::List(list) => {
            out.push('[');
            for (index, item) in list.iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                write_json(&item, out, depth + 1);
            }
            out.push(']');
        }
        Value::Context(context) => {
            out.push('{');
            for (index, (key, value)) in context.iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                json::write_string(&key, out);
                out.push(':');
                write_json(&value, out, depth + 1);
            }
            out.push('}');
        }
    }
}

/// Java's `Period.toString`.
struct JavaPeriod(i64);

impl std::fmt::Display for JavaPeriod {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (years, months) = (self.0 / 12, self.0 % 12);
        match (years, months) {
            (0, 0) => f.write_str("P0D"),
            (years, 0) => write!(f, "P{years}Y"),
            (0, months) => write!(f, "P{months}M"),
            (years, months) => write!(f, "P{years}Y{months}M"),
        }
    }
}

/// Java's `Duration.toString`: days are written as hours.
struct JavaDuration(jiff::SignedDuration);

impl std::fmt::Display for JavaDuration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let seconds = self.0.as_secs();
        let nanos = self.0.subsec_nanos();
        if seconds == 0 && nanos == 0 {
            return f.write_str("PT0S");
        }
        f.write_str("PT")?;
        for (number, unit) in [(seconds / 3600, 'H'), (seconds / 60 % 60, 'M')] {
            if number != 0 {
                write!(f, "{number}{unit}")?;
            }
        }
        let seconds = seconds % 60;
        if nanos != 0 {
            let sign = if seconds == 0 && nanos < 0 { "-" } else { "" };
            let fraction = format!("{:09}", nanos.unsigned_abs());
            return write!(f, "{sign}{seconds}.{}S", fraction.trim_end_matches('0'));
        }
        if seconds != 0 {
            write!(f, "{seconds}S")
        } else {
            Ok(())
        }
    }
}
