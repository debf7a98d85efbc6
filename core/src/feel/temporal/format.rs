//! Dates, times and durations to text: the language's own form, and the one of results.
//!
//! Both are java.time's, but differ in whether seconds of a local time may be left out and in how
//! a zone is written: `@Europe/Berlin` inside the language, `+01:00[Europe/Berlin]` outside.

use std::fmt;

use jiff::SignedDuration;
use jiff::civil::Time;

use super::calendar::{Date, DateTime};
use super::{OffsetTime, ZonedDateTime, java_seconds};

/// `yyyy-MM-dd`; years of more than four digits have a sign, as those before the first one.
pub struct IsoDate(pub Date);

impl fmt::Display for IsoDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.year() > 9_999 {
            f.write_str("+")?;
        }
        write!(f, "{}", PlainDate(self.0))
    }
}

/// [`IsoDate`] without `+`, as the language writes the dates of date-times.
struct PlainDate(Date);

impl fmt::Display for PlainDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let year = self.0.year();
        let sign = if year < 0 { "-" } else { "" };
        write!(
            f,
            "{sign}{:04}-{:02}-{:02}",
            year.unsigned_abs(),
            self.0.month(),
            self.0.day()
        )
    }
}

/// `HH:mm:ss`, with as many fraction digits as are needed.
pub struct IsoTime(pub Time);

impl fmt::Display for IsoTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = self.0;
        write!(
            f,
            "{:02}:{:02}:{:02}",
            time.hour(),
            time.minute(),
            time.second()
        )?;
        let nanos = time.subsec_nanosecond();
        if nanos == 0 {
            return Ok(());
        }
        write!(f, ".{}", format!("{nanos:09}").trim_end_matches('0'))
    }
}

/// Java's `LocalTime.toString`: no seconds if they are zero, fractions in threes.
pub struct ShortTime(pub Time);

impl fmt::Display for ShortTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = self.0;
        write!(f, "{:02}:{:02}", time.hour(), time.minute())?;
        let nanos = time.subsec_nanosecond();
        if time.second() > 0 || nanos > 0 {
            write!(f, ":{:02}", time.second())?;
        }
        if nanos == 0 {
            Ok(())
        } else if nanos % 1_000_000 == 0 {
            write!(f, ".{:03}", nanos / 1_000_000)
        } else if nanos % 1_000 == 0 {
            write!(f, ".{:06}", nanos / 1_000)
        } else {
            write!(f, ".{nanos:09}")
        }
    }
}

/// `Z` or `+hh:mm`, with seconds if there are any.
pub struct Offset(pub i32);

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("Z");
        }
        let sign = if self.0 < 0 { '-' } else { '+' };
        let seconds = self.0.unsigned_abs();
        write!(f, "{sign}{:02}:{:02}", seconds / 3600, seconds / 60 % 60)?;
        if !seconds.is_multiple_of(60) {
            write!(f, ":{:02}", seconds % 60)
        } else {
            Ok(())
        }
    }
}

impl fmt::Display for OffsetTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = IsoTime(self.time);
        match &self.region {
            Some(region) => write!(f, "{time}@{}", region.id),
            None => write!(f, "{time}{}", Offset(self.offset)),
        }
    }
}

/// `yyyy-MM-ddTHH:mm:ss` in the language's own form.
pub struct PlainDateTime(pub DateTime);

impl fmt::Display for PlainDateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (date, time) = (PlainDate(self.0.date()), IsoTime(self.0.time()));
        write!(f, "{date}T{time}")
    }
}

/// `yyyy-MM-ddTHH:mm:ss`.
pub struct IsoDateTime(pub DateTime);

impl fmt::Display for IsoDateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}T{}", IsoDate(self.0.date()), IsoTime(self.0.time()))
    }
}

impl fmt::Display for ZonedDateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let local = PlainDateTime(self.local);
        match &self.region {
            Some(region) => write!(f, "{local}@{}", region.id),
            None => write!(f, "{local}{}", Offset(self.offset)),
        }
    }
}

/// `yyyy-MM-ddTHH:mm:ss+hh:mm[zone]`.
pub struct IsoZoned<'a>(pub &'a ZonedDateTime);

impl fmt::Display for IsoZoned<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", IsoDateTime(self.0.local), Offset(self.0.offset))?;
        match &self.0.region {
            Some(region) => write!(f, "[{}]", region.id),
            None => Ok(()),
        }
    }
}

/// A years-months duration; nothing at all is `P0Y`.
pub struct YearMonths(pub i64);

impl fmt::Display for YearMonths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("P0Y");
        }
        let months = self.0.unsigned_abs();
        f.write_str(if self.0 < 0 { "-P" } else { "P" })?;
        parts(f, &[(months / 12, 'Y'), (months % 12, 'M')])
    }
}

/// A days-time duration in days, hours, minutes and whole seconds; nothing at all is `P0D`.
pub struct DayTime(pub SignedDuration);

impl fmt::Display for DayTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = java_seconds(self.0);
        if seconds == 0 {
            return f.write_str("P0D");
        }
        f.write_str(if seconds < 0 { "-P" } else { "P" })?;
        let seconds = seconds.unsigned_abs();
        let (hours, minutes) = (seconds / 3600 % 24, seconds / 60 % 60);
        parts(f, &[(seconds / 86_400, 'D')])?;
        if !seconds.is_multiple_of(86_400) {
            f.write_str("T")?;
        }
        parts(f, &[(hours, 'H'), (minutes, 'M'), (seconds % 60, 'S')])
    }
}

fn parts(f: &mut fmt::Formatter<'_>, parts: &[(u64, char)]) -> fmt::Result {
    for (number, unit) in parts.iter().filter(|(number, _)| *number > 0) {
        write!(f, "{number}{unit}")?;
    }
    Ok(())
}
