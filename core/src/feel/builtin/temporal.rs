//! Functions about dates: the current one, and positions in year, week and month.
//!
//! The current time is the evaluation's, in its zone. Names are English, weeks are ISO weeks.

use std::sync::Arc;

use crate::feel::eval::{Interpreter, Outcome, Refusal};
use crate::feel::temporal::calendar::Date;
use crate::feel::temporal::{Instant, Zone, ZonedDateTime};
use crate::feel::value::Value;

use super::{Builtin, fixed, message};

pub(super) const FUNCTIONS: &[Builtin] = &[
    fixed("now", &[], now),
    fixed("today", &[], today),
    fixed("day of year", &["date"], day_of_year),
    fixed("day of week", &["date"], day_of_week),
    fixed("month of year", &["date"], month_of_year),
    fixed("week of year", &["date"], week_of_year),
    fixed("last day of month", &["date"], last_day_of_month),
];

fn current(interpreter: &Interpreter<'_>) -> Option<ZonedDateTime> {
    let instant = Instant::of_millis(interpreter.environment.now_millis);
    let zone = Zone::of(interpreter.environment.zone).unwrap_or(Zone::Offset(0));
    ZonedDateTime::of_instant(instant, &zone).ok()
}

fn now<'e>(interpreter: &mut Interpreter<'e>, _: &[Value<'e>]) -> Outcome<'e> {
    match current(interpreter) {
        Some(now) => Ok(Value::DateTime(Arc::new(now))),
        None => message("the clock is out of range"),
    }
}

fn today<'e>(interpreter: &mut Interpreter<'e>, _: &[Value<'e>]) -> Outcome<'e> {
    match current(interpreter) {
        Some(now) => Ok(Value::Date(now.local.date())),
        None => message("the clock is out of range"),
    }
}

fn date(arguments: &[Value<'_>]) -> Result<Date, Refusal> {
    match arguments {
        [Value::Date(date)] => Ok(*date),
        [Value::LocalDateTime(local)] => Ok(local.date()),
        [Value::DateTime(value)] => Ok(value.local.date()),
        _ => Err(Refusal::Arguments),
    }
}

fn day_of_year<'e>(_: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    Ok(Value::int(i64::from(date(arguments)?.day_of_year())))
}

fn day_of_week<'e>(_: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    const DAYS: [&str; 7] = [
        "Monday",
        "Tuesday",
        "Wednesday",
        "Thursday",
        "Friday",
        "Saturday",
        "Sunday",
    ];
    let day = usize::try_from(date(arguments)?.weekday() - 1).unwrap_or(0);
    Ok(Value::text(DAYS[day % DAYS.len()]))
}

fn month_of_year<'e>(_: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    let month = usize::try_from(date(arguments)?.month() - 1).unwrap_or(0);
    Ok(Value::text(MONTHS[month % MONTHS.len()]))
}

fn week_of_year<'e>(_: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    Ok(Value::int(date(arguments)?.iso_week()))
}

fn last_day_of_month<'e>(_: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    Ok(Value::Date(date(arguments)?.last_of_month()))
}
