//! Cron patterns in the dialect of Spring 5.3 as cron-utils reads it: six fields, second first.
//!
//! | field | values | besides `*`, `a`, `a-b`, `x/step`, lists |
//! |---|---|---|
//! | second, minute, hour | 0-59, 0-59, 0-23 | |
//! | day of month | 1-31 | `?`, `L`, `L-n`, `LW`, `nW` |
//! | month | 1-12, JAN-DEC | |
//! | day of week | 0-7, SUN-SAT (0 and 7 are Sunday) | `?`, `dL`, `d#n` |
//!
//! Macros: `@yearly`, `@annually`, `@monthly`, `@weekly`, `@daily`, `@midnight`, `@hourly`. A day
//! must match both day fields. Each field is a bit set; the next match is found month by month, so
//! a pattern that never matches (31 June) is known after [`SEARCH_MONTHS`] cheap steps.
//!
//! A local time that a zone change skips fires at the same distance after the change. One that a
//! zone change repeats fires once, unless the pattern allows every hour.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};

use super::ScheduleError;
use crate::ids::Timestamp;

/// How far the next match is searched: 29 February on a given weekday comes back within 40 years.
const SEARCH_MONTHS: u32 = 41 * 12;
/// Longest pattern that is looked at.
const MAX_LENGTH: usize = 1024;

/// A parsed pattern.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cron {
    seconds: u64,
    minutes: u64,
    hours: u64,
    days: Days,
    months: u64,
    weekdays: Weekdays,
}

/// What the day-of-month field allows.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Days {
    /// Bit n = day n.
    plain: u64,
    /// Bit n = n days before the last one.
    from_end: u64,
    /// Bit n = the weekday (Monday to Friday) nearest to day n.
    nearest: u64,
    /// The last weekday of the month.
    last_weekday: bool,
}

/// What the day-of-week field allows; bit 0 is Sunday.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Weekdays {
    plain: u64,
    /// The last such day of the month.
    last: u64,
    /// `nth[n - 1]`: the n-th such day of the month.
    nth: [u64; 5],
}

/// Bounds and names of a field.
struct Field {
    low: u32,
    high: u32,
    names: &'static [&'static str],
}

const SIXTY: Field = Field {
    low: 0,
    high: 59,
    names: &[],
};
const HOURS: Field = Field {
    low: 0,
    high: 23,
    names: &[],
};
const DAYS: Field = Field {
    low: 1,
    high: 31,
    names: &[],
};
const MONTHS: Field = Field {
    low: 1,
    high: 12,
    names: &[
        "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
    ],
};
/// Names from 1, so that ranges may end with SUN; SUN at the front of a range is read as 0.
const WEEKDAYS: Field = Field {
    low: 0,
    high: 7,
    names: &["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"],
};

impl Cron {
    /// Parses a pattern.
    ///
    /// # Errors
    /// It is not six fields or a macro, or a field is malformed or out of range.
    pub fn parse(text: &str) -> Result<Self, ScheduleError> {
        parse(text).map_err(|reason| {
            ScheduleError::invalid(format!("Failed to parse cron expression. {reason}"))
        })
    }

    /// The first match after `from`, in `zone`; none if there is none.
    #[must_use]
    pub fn next(&self, from: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let start = jiff::Timestamp::from_millisecond(from.0).ok()?;
        let found = self.after(start, zone)?;
        if self.hours.count_ones() < 24 {
            return Some(Timestamp(found.as_millisecond()));
        }
        // Every hour counts, so the second pass of a repeated hour counts too.
        let change = zone
            .following(start)
            .next()
            .filter(|change| change.timestamp() <= found);
        let repeated = change.and_then(|change| {
            let local = change.offset().to_datetime(change.timestamp());
            let instant = change.offset().to_timestamp(self.local(local)?).ok()?;
            (instant < found).then_some(instant)
        });
        Some(Timestamp(repeated.unwrap_or(found).as_millisecond()))
    }

    fn after(&self, start: jiff::Timestamp, zone: &TimeZone) -> Option<jiff::Timestamp> {
        let mut from = zone.to_datetime(start);
        // One more round is needed where local time runs back.
        for _ in 0..64 {
            let whole = from.with().subsec_nanosecond(0).build().ok()?;
            let local = self.local(whole.checked_add(jiff::Span::new().seconds(1)).ok()?)?;
            let ambiguous = zone.to_ambiguous_timestamp(local);
            let first = ambiguous.compatible().ok()?;
            if first > start {
                return Some(first);
            }
            if let AmbiguousOffset::Fold { .. } = ambiguous.offset() {
                let second = ambiguous.later().ok()?;
                if second > start {
                    return Some(second);
                }
            }
            from = local;
        }
        None
    }

    /// The first match at or after a local time.
    fn local(&self, from: DateTime) -> Option<DateTime> {
        let (mut year, mut month) = (from.year(), from.month());
        for step in 0..SEARCH_MONTHS {
            if self.months & bit(month as u32) != 0 {
                let first_day = if step == 0 { from.day() } else { 1 };
                let days = self.days_of(Date::new(year, month, 1).ok()?);
                for day in (first_day..=31).filter(|day| days & bit(*day as u32) != 0) {
                    let date = Date::new(year, month, day).ok()?;
                    let today = date == from.date();
                    let earliest = if today { from.time() } else { Time::midnight() };
                    if let Some(time) = self.time(earliest) {
                        return Some(date.to_datetime(time));
                    }
                }
            }
            (year, month) = if month == 12 {
                (year.checked_add(1)?, 1)
            } else {
                (year, month + 1)
            };
        }
        None
    }

    /// The first matching time of day at or after `from`.
    fn time(&self, from: Time) -> Option<Time> {
        let first = |set: u64, low: i8| {
            let above = set & (u64::MAX << low);
            (above != 0).then(|| above.trailing_zeros() as i8)
        };
        for hour in (from.hour()..24).filter(|hour| self.hours & bit(*hour as u32) != 0) {
            let same_hour = hour == from.hour();
            let mut minute = if same_hour { from.minute() } else { 0 };
            while let Some(found) = first(self.minutes, minute) {
                let same_minute = same_hour && found == from.minute();
                if let Some(second) =
                    first(self.seconds, if same_minute { from.second() } else { 0 })
                {
                    return Time::new(hour, found, second, 0).ok();
                }
                minute = found + 1;
            }
        }
        None
    }

    /// The matching days of the month that begins at `first`, as bits 1 to 31.
    fn days_of(&self, first: Date) -> u64 {
        let length = u32::from(first.days_in_month().unsigned_abs());
        // 0 = Sunday.
        let weekday_of_first = u32::from(first.weekday().to_sunday_zero_offset().unsigned_abs());
        let weekday = |day: u32| (weekday_of_first + day - 1) % 7;
        (1..=length)
            .filter(|&day| {
                let of_month = self.days.plain & bit(day) != 0
                    || self.days.from_end & bit(length - day) != 0
                    || (self.days.last_weekday && day == nearest_weekday(length, length, &weekday))
                    || (1..=length).any(|wanted| {
                        self.days.nearest & bit(wanted) != 0
                            && day == nearest_weekday(wanted, length, &weekday)
                    });
                let own = bit(weekday(day));
                let of_week = self.weekdays.plain & own != 0
                    || (self.weekdays.last & own != 0 && day + 7 > length)
                    || self.weekdays.nth[((day - 1) / 7) as usize] & own != 0;
                of_month && of_week
            })
            .fold(0, |set, day| set | bit(day))
    }
}

/// The day from Monday to Friday nearest to `day` in a month of `length` days.
fn nearest_weekday(day: u32, length: u32, weekday: &impl Fn(u32) -> u32) -> u32 {
    match weekday(day) {
        6 if day == 1 => 3,
        6 => day - 1,
        0 if day == length => day - 2,
        0 => day + 1,
        _ => day,
    }
}

const fn bit(n: u32) -> u64 {
    1 << n
}

fn parse(text: &str) -> Result<Cron, String> {
    if text.trim().is_empty() {
        return Err("Empty expression!".to_owned());
    }
    if text.len() > MAX_LENGTH {
        return Err(format!(
            "The expression is longer than {MAX_LENGTH} characters"
        ));
    }
    let pattern = match text.trim() {
        "@yearly" | "@annually" => "0 0 0 1 1 *",
        "@monthly" => "0 0 0 1 * *",
        "@weekly" => "0 0 0 * * 0",
        "@daily" | "@midnight" => "0 0 0 * * *",
        "@hourly" => "0 0 * * * *",
        name if name.starts_with('@') => return Err(format!("Nickname {name} not supported!")),
        pattern => pattern,
    };
    let fields: Vec<&str> = pattern.split_ascii_whitespace().collect();
    let [seconds, minutes, hours, days, months, weekdays] = fields[..] else {
        let count = fields.len();
        return Err(format!(
            "Cron expression contains {count} parts but we expect one of [6]"
        ));
    };
    Ok(Cron {
        seconds: plain(seconds, &SIXTY)?,
        minutes: plain(minutes, &SIXTY)?,
        hours: plain(hours, &HOURS)?,
        days: days_of_month(days)?,
        months: plain(months, &MONTHS)?,
        weekdays: days_of_week(weekdays)?,
    })
}

/// A list of values, ranges and steps.
fn plain(list: &str, field: &Field) -> Result<u64, String> {
    list.split(',')
        .try_fold(0, |set, item| Ok(set | item_of(item, field)?))
}

fn item_of(item: &str, field: &Field) -> Result<u64, String> {
    let (range, step) = match item.split_once('/') {
        Some((range, step)) => (range, Some(number(step)?)),
        None => (item, None),
    };
    let (low, high) = match range.split_once('-') {
        _ if range == "*" => (field.low, field.high),
        Some((low, high)) => (value(low, field, true)?, value(high, field, false)?),
        None => {
            let low = value(range, field, false)?;
            (low, if step.is_some() { field.high } else { low })
        }
    };
    if low > high {
        return Err(format!("Invalid range! [{low},{high}]"));
    }
    let step = match step {
        Some(0) => return Err("Period 0 not in range (0, 59]".to_owned()),
        Some(step) => step,
        None => 1,
    };
    Ok((low..=high)
        .step_by(step as usize)
        .fold(0, |set, n| set | bit(n)))
}

fn number(text: &str) -> Result<u32, String> {
    let digits = (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    digits
        .then(|| text.parse().ok())
        .flatten()
        .ok_or_else(|| format!("Invalid chars in expression! Expression: {text}"))
}

/// A value by number or name; `front`: it begins a range.
fn value(text: &str, field: &Field, front: bool) -> Result<u32, String> {
    let named = field
        .names
        .iter()
        .position(|name| name.eq_ignore_ascii_case(text));
    let value = match named {
        Some(6) if front && field.low == 0 => 0,
        Some(index) => index as u32 + 1,
        None => number(text)?,
    };
    if (field.low..=field.high).contains(&value) {
        Ok(value)
    } else {
        Err(format!(
            "Value {value} not in range [{}, {}]",
            field.low, field.high
        ))
    }
}

fn days_of_month(list: &str) -> Result<Days, String> {
    let mut days = Days::default();
    for item in list.split(',') {
        if item == "?" {
            days.plain |= item_of("*", &DAYS)?;
        } else if item == "L" {
            days.from_end |= 1;
        } else if item == "LW" {
            days.last_weekday = true;
        } else if let Some(offset) = item.strip_prefix("L-") {
            let offset = number(offset)?;
            if offset > 30 {
                return Err(format!("Value {offset} not in range [0, 30]"));
            }
            days.from_end |= bit(offset);
        } else if let Some(day) = item.strip_suffix('W') {
            days.nearest |= bit(value(day, &DAYS, false)?);
        } else {
            days.plain |= item_of(item, &DAYS)?;
        }
    }
    Ok(days)
}

fn days_of_week(list: &str) -> Result<Weekdays, String> {
    // 7 is Sunday too.
    let fold = |set: u64| (set | (set >> 7)) & 0x7f;
    let mut weekdays = Weekdays::default();
    for item in list.split(',') {
        if item == "?" {
            weekdays.plain |= 0x7f;
        } else if let Some((day, nth)) = item.split_once('#') {
            let nth = number(nth)?;
            if !(1..=5).contains(&nth) {
                return Err(format!("Value {nth} not in range [1, 5]"));
            }
            weekdays.nth[nth as usize - 1] |= fold(bit(value(day, &WEEKDAYS, false)?));
        } else if let Some(day) = item.strip_suffix('L').filter(|day| !day.is_empty()) {
            weekdays.last |= fold(bit(value(day, &WEEKDAYS, false)?));
        } else {
            weekdays.plain |= fold(item_of(item, &WEEKDAYS)?);
        }
    }
    Ok(weekdays)
}
