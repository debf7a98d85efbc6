//! An ISO 8601 duration: a calendar part (`java.time.Period`) and an exact part
//! (`java.time.Duration`), each with signed components, optionally with a start date in front.
//!
//! The text is split at the first upper-case `T`: what stands before it is the period. A sign in
//! front negates all parts. Weeks are seven days. Months are added before days, each clamped to the
//! end of the month; then the local time is resolved in the zone (gap: later, overlap: the offset
//! that was in force); then the exact part is added to the instant.

use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Span, civil};

use super::{ScheduleError, ZonedDate};
use crate::ids::Timestamp;

/// A distance in time, with an optional start.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Interval {
    /// Where it starts, if the text says so.
    pub start: Option<ZonedDate>,
    /// Years and months.
    pub months: i64,
    /// Weeks and days of the calendar part.
    pub days: i64,
    /// Whole seconds of the exact part.
    pub seconds: i64,
    /// The rest of the exact part, with the sign of the seconds it belongs to.
    pub nanos: i64,
}

impl Interval {
    /// Parses `[start/]duration`.
    ///
    /// # Errors
    /// The text is none.
    pub fn parse(text: &str) -> Result<Self, ScheduleError> {
        let (start, duration) = match text.rsplit_once('/') {
            Some(("", duration)) => (None, duration),
            Some((start, duration)) => (Some(ZonedDate::parse(start)?), duration),
            None => (None, text),
        };
        let (sign, unsigned) = match duration.strip_prefix(['-', '+']) {
            Some(rest) if duration.starts_with('-') => (-1, rest),
            Some(rest) => (1, rest),
            None => (1, duration),
        };
        let parsed = match unsigned.find('T') {
            None => period(unsigned),
            Some(1) => exact(unsigned),
            Some(at) => period(&unsigned[..at]).and_then(|period| {
                let exact = exact(&format!("P{}", &unsigned[at..]))?;
                Ok(Self {
                    seconds: exact.seconds,
                    nanos: exact.nanos,
                    ..period
                })
            }),
        }?;
        Ok(Self {
            start,
            months: sign * parsed.months,
            days: sign * parsed.days,
            seconds: parsed
                .seconds
                .checked_mul(sign)
                .ok_or_else(|| unparsable("Duration"))?,
            nanos: sign * parsed.nanos,
        })
    }

    /// When it is over if it begins now; with a start, the start, or now if that is past.
    ///
    /// # Errors
    /// [`ScheduleError::Overflow`].
    pub fn due(&self, now: Timestamp, zone: &TimeZone) -> Result<Timestamp, ScheduleError> {
        match &self.start {
            Some(start) => Ok(Timestamp(start.instant.0.max(now.0))),
            None => self.plus(now, zone),
        }
    }

    /// When it is over if it begins at `from`, whatever the start; in the zone of the start if it
    /// has one.
    ///
    /// # Errors
    /// [`ScheduleError::Overflow`].
    pub fn after(&self, from: Timestamp, zone: &TimeZone) -> Result<Timestamp, ScheduleError> {
        self.plus(from, self.start.as_ref().map_or(zone, |start| &start.zone))
    }

    fn plus(&self, from: Timestamp, zone: &TimeZone) -> Result<Timestamp, ScheduleError> {
        let shifted = if self.months == 0 && self.days == 0 {
            from.0
        } else {
            self.plus_calendar(from, zone)
                .ok_or(ScheduleError::Overflow)?
        };
        // Milliseconds as java.time cuts them: towards negative infinity.
        let millis = i128::from(self.seconds) * 1000 + i128::from(self.nanos.div_euclid(1_000_000));
        let due =
            i64::try_from(i128::from(shifted) + millis).map_err(|_| ScheduleError::Overflow)?;
        Ok(Timestamp(due))
    }

    fn plus_calendar(&self, from: Timestamp, zone: &TimeZone) -> Option<i64> {
        let before = jiff::Timestamp::from_millisecond(from.0)
            .ok()?
            .to_zoned(zone.clone());
        let span = Span::new().try_months(self.months).ok()?;
        let local: civil::DateTime = before.datetime().checked_add(span).ok()?;
        let local = local
            .checked_add(Span::new().try_days(self.days).ok()?)
            .ok()?;
        let ambiguous = zone.to_ambiguous_timestamp(local);
        let kept = match ambiguous.offset() {
            AmbiguousOffset::Fold { after, .. } if after == before.offset() => ambiguous.later(),
            AmbiguousOffset::Unambiguous { .. }
            | AmbiguousOffset::Gap { .. }
            | AmbiguousOffset::Fold { .. } => ambiguous.compatible(),
        };
        Some(kept.ok()?.as_millisecond())
    }
}

fn unparsable(what: &str) -> ScheduleError {
    ScheduleError::invalid(format!("Text cannot be parsed to a {what}"))
}

/// A part like `-3D`: signed digits (with a fraction for seconds) and a letter.
struct Part<'t> {
    number: &'t str,
    fraction: Option<&'t str>,
    unit: u8,
}

/// Splits `12H-3M` into parts; none if a part is malformed.
fn parts(mut text: &str) -> Option<Vec<Part<'_>>> {
    let mut parts = Vec::new();
    while !text.is_empty() {
        let signed = usize::from(text.starts_with(['-', '+']));
        let digits = text[signed..]
            .bytes()
            .take_while(u8::is_ascii_digit)
            .count();
        let (number, rest) = text.split_at(signed + digits);
        let (fraction, rest) = match rest.strip_prefix(['.', ',']) {
            Some(tail) => {
                let length = tail.bytes().take_while(u8::is_ascii_digit).count();
                (Some(&tail[..length]), &tail[length..])
            }
            None => (None, rest),
        };
        let unit = *rest.as_bytes().first()?;
        if digits == 0 || !unit.is_ascii_alphabetic() || parts.len() > 4 {
            return None;
        }
        parts.push(Part {
            number,
            fraction,
            unit: unit.to_ascii_uppercase(),
        });
        text = &rest[1..];
    }
    Some(parts)
}

/// The parts, if there is one at least, their units stand in this order and none twice.
fn ordered<'t>(text: &'t str, units: &[u8]) -> Option<Vec<Part<'t>>> {
    let parts = parts(text)?;
    let mut rest = units.iter();
    let in_order = parts.iter().all(|part| rest.any(|unit| *unit == part.unit));
    (in_order && !parts.is_empty()).then_some(parts)
}

/// `PnYnMnWnD`.
fn period(text: &str) -> Result<Interval, ScheduleError> {
    parse_period(text).ok_or_else(|| unparsable("Period"))
}

fn parse_period(text: &str) -> Option<Interval> {
    let mut period = Interval::default();
    for part in ordered(text.strip_prefix(['P', 'p'])?, b"YMWD")? {
        if part.fraction.is_some() {
            return None;
        }
        let number = i64::from(part.number.parse::<i32>().ok()?);
        match part.unit {
            b'Y' => period.months += number * 12,
            b'M' => period.months += number,
            b'W' => period.days += number * 7,
            _ => period.days += number,
        }
    }
    Some(period)
}

/// `PTnHnMn.nS`.
fn exact(text: &str) -> Result<Interval, ScheduleError> {
    parse_exact(text).ok_or_else(|| unparsable("Duration"))
}

fn parse_exact(text: &str) -> Option<Interval> {
    let mut exact = Interval::default();
    for part in ordered(text.strip_prefix(['P', 'p'])?.strip_prefix('T')?, b"HMS")? {
        let number = part.number.parse::<i64>().ok()?;
        let seconds = match part.unit {
            b'H' => number.checked_mul(3600)?,
            b'M' => number.checked_mul(60)?,
            _ => number,
        };
        exact.seconds = exact.seconds.checked_add(seconds)?;
        if let Some(fraction) = part.fraction {
            if part.unit != b'S' || fraction.len() > 9 {
                return None;
            }
            let nanos = format!("{fraction:0<9}").parse::<i64>().ok()?;
            exact.nanos = if part.number.starts_with('-') {
                -nanos
            } else {
                nanos
            };
        }
    }
    Some(exact)
}
