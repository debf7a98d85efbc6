//! Zoned date-times as `java.time.format.DateTimeFormatter.ISO_ZONED_DATE_TIME` reads them.
//!
//! `yyyy-MM-ddTHH:mm[:ss[.fraction]]` and an offset are required, a zone in brackets may follow.
//! Where offset and zone disagree the instant stands and the zone is kept, as java.time does it.
//! Zones: IANA names, `Z`, `UTC`, `GMT`, `UT`, those with an offset (`UTC+2`), and plain offsets.
//! Years are limited to -9999..=9999.

use jiff::civil;
use jiff::tz::{Offset, TimeZone};

use super::ScheduleError;
use crate::ids::Timestamp;

/// An instant and the zone it was written in.
#[derive(Clone, PartialEq, Debug)]
pub struct ZonedDate {
    /// The instant.
    pub instant: Timestamp,
    /// The zone in brackets, else the offset.
    pub zone: TimeZone,
}

/// The instant of a zoned date-time.
///
/// # Errors
/// The text is no zoned date-time; one without offset is none.
pub fn date(text: &str) -> Result<Timestamp, ScheduleError> {
    ZonedDate::parse(text).map(|date| date.instant)
}

impl ZonedDate {
    /// Parses a zoned date-time.
    ///
    /// # Errors
    /// See [`date`].
    pub fn parse(text: &str) -> Result<Self, ScheduleError> {
        parse(text).ok_or_else(|| {
            ScheduleError::invalid(format!(
                "Text '{text}' could not be parsed as a zoned date-time"
            ))
        })
    }
}

/// A date-time without offset as one in the zone of this name, with the offset it has there; none
/// if the text is something else.
#[must_use]
pub fn local_date(text: &str, zone: &str) -> Option<String> {
    let (day, time) = text.split_once('T')?;
    let local = civil_date(day)?.to_datetime(civil_time(time)?);
    let zoned = TimeZone::get(zone).ok()?.to_zoned(local).ok()?;
    let seconds = zoned.offset().seconds();
    if seconds == 0 {
        return Some(format!("{text}Z"));
    }
    let sign = if seconds < 0 { '-' } else { '+' };
    let minutes = seconds.abs() / 60;
    Some(format!(
        "{text}{sign}{:02}:{:02}",
        minutes / 60,
        minutes % 60
    ))
}

fn parse(text: &str) -> Option<ZonedDate> {
    let (text, zone) = match text.strip_suffix(']') {
        Some(rest) => {
            let (text, zone) = rest.split_once('[')?;
            (text, Some(zone))
        }
        None => (text, None),
    };
    let (day, rest) = text.split_once(['T', 't'])?;
    let offset_at = rest.find(['Z', 'z', '+', '-'])?;
    let (time, offset) = (&rest[..offset_at], offset(&rest[offset_at..])?);
    let local = civil_date(day)?.to_datetime(civil_time(time)?);
    let instant = Timestamp(offset.to_timestamp(local).ok()?.as_millisecond());
    let zone = match zone {
        Some(name) => named_zone(name)?,
        None => TimeZone::fixed(offset),
    };
    Some(ZonedDate { instant, zone })
}

/// Exactly `digits` decimal digits.
fn number(text: &str, digits: usize) -> Option<i16> {
    (text.len() == digits && text.bytes().all(|b| b.is_ascii_digit()))
        .then(|| text.parse().ok())
        .flatten()
}

fn civil_date(text: &str) -> Option<civil::Date> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let mut parts = unsigned.split('-');
    let year = number(parts.next()?, 4)?;
    let month = number(parts.next()?, 2)?;
    let day = number(parts.next()?, 2)?;
    if parts.next().is_some() {
        return None;
    }
    let year = if negative { -year } else { year };
    civil::Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

fn civil_time(text: &str) -> Option<civil::Time> {
    let (whole, fraction) = text.split_once('.').map_or((text, ""), |(w, f)| (w, f));
    let nanos = match fraction.len() {
        0 if text.ends_with('.') => return None,
        0 => 0,
        1..=9 if fraction.bytes().all(|b| b.is_ascii_digit()) => {
            format!("{fraction:0<9}").parse::<i32>().ok()?
        }
        _ => return None,
    };
    let mut parts = whole.split(':').map(|part| number(part, 2));
    let hour = parts.next()??;
    let minute = parts.next()??;
    let second = match parts.next() {
        Some(second) => second?,
        None if fraction.is_empty() => 0,
        None => return None,
    };
    if parts.next().is_some() || second > 59 {
        return None;
    }
    let small = |n: i16| i8::try_from(n).ok();
    civil::Time::new(small(hour)?, small(minute)?, small(second)?, nanos).ok()
}

/// `Z`, `+HH:MM` or `+HH:MM:SS`.
fn offset(text: &str) -> Option<Offset> {
    if text.eq_ignore_ascii_case("z") {
        return Some(Offset::UTC);
    }
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let parts: Option<Vec<i16>> = digits.split(':').map(|part| number(part, 2)).collect();
    match *parts? {
        [hours, minutes] => offset_of(sign, hours, minutes, 0),
        [hours, minutes, seconds] => offset_of(sign, hours, minutes, seconds),
        _ => None,
    }
}

/// Java allows up to 18 hours.
fn offset_of(sign: i32, hours: i16, minutes: i16, seconds: i16) -> Option<Offset> {
    if minutes > 59 || seconds > 59 {
        return None;
    }
    let total = i32::from(hours) * 3600 + i32::from(minutes) * 60 + i32::from(seconds);
    (total <= 18 * 3600)
        .then(|| Offset::from_seconds(sign * total).ok())
        .flatten()
}

fn named_zone(name: &str) -> Option<TimeZone> {
    let suffix = ["UTC", "GMT", "UT"]
        .into_iter()
        .find_map(|prefix| name.strip_prefix(prefix));
    match suffix.unwrap_or(name) {
        "" if suffix.is_some() => Some(TimeZone::UTC),
        "Z" | "z" if suffix.is_none() => Some(TimeZone::UTC),
        text if text.starts_with(['+', '-']) => loose_offset(text).map(TimeZone::fixed),
        _ => TimeZone::get(name).ok(),
    }
}

/// An offset as zone ids allow it: also `+2` and `+02`.
fn loose_offset(text: &str) -> Option<Offset> {
    let (sign, hours) = match text.split_at_checked(1)? {
        ("+", hours) => (1, hours),
        (_, hours) => (-1, hours),
    };
    match number(hours, hours.len().clamp(1, 2)) {
        Some(hours) => offset_of(sign, hours, 0, 0),
        None => offset(text),
    }
}
