//! Texts to dates, times and durations: the forms java.time's formatters of the reference accept.
//!
//! | kind | form |
//! |---|---|
//! | date | `[-]yyyy-MM-dd`, with up to nine digits of a year |
//! | time | `[T]HH:mm[:ss][.fraction]`, with offset `Z`, `+hh:mm`, `[zone]` or `@zone` behind seconds |
//! | date-time | date, `T`, time, the same offsets |
//! | years-months | `[-]P[nY][nM]`, every number may have its own sign |
//! | days-time | `[-]P[nD][T[nH][nM][n.nS]]`, every number may have its own sign |
//!
//! Calendar errors (February 30) are refused, never adjusted.

use jiff::SignedDuration;
use jiff::civil::Time;

use super::calendar::{Date, DateTime};
use super::{OffsetTime, Zone, ZonedDateTime};

/// A temporal text of any kind, as behind `@`.
#[derive(Clone, Debug)]
pub enum Temporal {
    Date(Date),
    LocalTime(Time),
    Time(OffsetTime),
    LocalDateTime(DateTime),
    DateTime(ZonedDateTime),
    /// In months.
    YearMonths(i64),
    DayTime(SignedDuration),
}

/// A text read from left to right.
struct Text<'a> {
    rest: &'a str,
}

impl<'a> Text<'a> {
    fn take(&mut self, expected: char) -> Option<()> {
        self.rest = self.rest.strip_prefix(expected)?;
        Some(())
    }

    fn has(&mut self, expected: char) -> bool {
        self.take(expected).is_some()
    }

    fn digits(&mut self) -> &'a str {
        let len = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.rest.split_at(len);
        self.rest = rest;
        digits
    }

    fn two(&mut self) -> Option<i8> {
        let digits = self
            .rest
            .get(..2)
            .filter(|text| text.bytes().all(|b| b.is_ascii_digit()))?;
        self.rest = &self.rest[2..];
        digits.parse().ok()
    }

    fn end(&self) -> Option<()> {
        self.rest.is_empty().then_some(())
    }

    fn date(&mut self) -> Option<Date> {
        let negative = self.has('-');
        let year = self.digits();
        if !(4..=9).contains(&year.len()) || (year.len() > 4 && year.starts_with('0')) {
            return None;
        }
        let year: i32 = year.parse().ok()?;
        self.take('-')?;
        let month = self.two()?;
        self.take('-')?;
        Date::new(if negative { -year } else { year }, month, self.two()?)
    }

    /// The time, and whether it was given with seconds.
    fn time(&mut self) -> Option<(Time, bool)> {
        let hour = self.two()?;
        self.take(':')?;
        let minute = self.two()?;
        let seconds = self.has(':');
        let second = if seconds { self.two()? } else { 0 };
        let nanos = if self.has('.') {
            nanos(self.digits())?
        } else {
            0
        };
        // A leap second would be accepted by jiff and clamped.
        (second < 60).then_some(())?;
        Some((Time::new(hour, minute, second, nanos).ok()?, seconds))
    }

    /// `24:00[:00[.0]]`, which is the beginning of a day.
    fn end_of_day(&mut self) -> Option<(Time, bool)> {
        let mut rest = Text {
            rest: self.rest.strip_prefix("24:00")?,
        };
        let seconds = rest.rest.starts_with(':');
        if seconds {
            rest.rest = rest.rest.strip_prefix(":00")?;
            if rest.has('.') {
                (nanos(rest.digits())? == 0).then_some(())?;
            }
        }
        self.rest = rest.rest;
        Some((Time::midnight(), seconds))
    }

    fn offset(&mut self) -> Option<i32> {
        if self.has('Z') {
            return Some(0);
        }
        let negative = self.has('-');
        if !negative {
            self.take('+')?;
        }
        let hours = i32::from(self.two()?);
        self.take(':')?;
        let minutes = i32::from(self.two()?);
        offset_seconds(negative, hours, minutes, 0)
    }

    /// What follows a time: nothing, an offset, a zone, or an offset with a zone in brackets.
    fn zone(&mut self) -> Option<(Option<i32>, Option<Zone>)> {
        let offset = if self.rest.starts_with(['Z', '+', '-']) {
            Some(self.offset()?)
        } else {
            None
        };
        let mut zone = None;
        if offset.is_some()
            && let Some(inner) = self
                .rest
                .strip_prefix('[')
                .and_then(|rest| rest.strip_suffix(']'))
        {
            zone = Some(Zone::of(inner)?);
            self.rest = "";
        } else if offset.is_none()
            && let Some(id) = self.rest.strip_prefix('@')
        {
            zone = Some(Zone::of(id)?);
            self.rest = "";
        }
        self.end()?;
        Some((offset, zone))
    }
}

fn nanos(fraction: &str) -> Option<i32> {
    if fraction.is_empty() || fraction.len() > 9 {
        return None;
    }
    let value: i32 = fraction.parse().ok()?;
    Some(value * 10i32.pow(9 - fraction.len() as u32))
}

fn offset_seconds(negative: bool, hours: i32, minutes: i32, seconds: i32) -> Option<i32> {
    const MAX: i32 = 18 * 3600;
    let total = hours * 3600 + minutes * 60 + seconds;
    let valid = minutes < 60 && seconds < 60 && total <= MAX;
    valid.then_some(if negative { -total } else { total })
}

/// An offset as Java's `ZoneOffset.of`: `Z`, `+h`, `+hh`, `+hh:mm`, `+hhmm`, each with seconds.
pub fn offset_id(id: &str) -> Option<i32> {
    if id == "Z" {
        return Some(0);
    }
    let negative = id.starts_with('-');
    let digits = id.strip_prefix(['+', '-'])?;
    let parts: Vec<&str> = if digits.contains(':') {
        digits.split(':').collect()
    } else {
        match digits.len() {
            1 | 2 => vec![digits],
            4 => vec![digits.get(..2)?, digits.get(2..)?],
            6 => vec![digits.get(..2)?, digits.get(2..4)?, digits.get(4..)?],
            _ => return None,
        }
    };
    let mut numbers = [0; 3];
    if parts.len() > 3 {
        return None;
    }
    for (index, (part, number)) in parts.iter().zip(&mut numbers).enumerate() {
        let width = part.len() == 2 || (index == 0 && parts.len() == 1 && part.len() == 1);
        if !width || !part.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        *number = part.parse().ok()?;
    }
    offset_seconds(negative, numbers[0], numbers[1], numbers[2])
}

pub fn date(text: &str) -> Option<Date> {
    let mut text = Text { rest: text };
    let date = text.date()?;
    text.end()?;
    Some(date)
}

/// A time, local unless it has seconds and an offset or zone. The end of a day is its beginning.
pub fn time(text: &str) -> Option<Temporal> {
    let mut text = Text {
        rest: text.strip_prefix('T').unwrap_or(text),
    };
    let (time, seconds) = text.end_of_day().map_or_else(|| text.time(), Some)?;
    if text.end().is_some() {
        return Some(Temporal::LocalTime(time));
    }
    if !seconds {
        return None;
    }
    // Only date-times name the zone of an offset.
    (!text.rest.ends_with(']')).then_some(())?;
    let (offset, zone) = text.zone()?;
    let mut value = OffsetTime::new(time, zone.as_ref().or(offset.map(Zone::Offset).as_ref())?);
    if let Some(offset) = offset {
        value.offset = offset;
    }
    Some(Temporal::Time(value))
}

/// True for what looks like a time with an offset or a zone: digits, then `Z`, `+hh:mm` or `@`.
pub fn is_zoned_time(text: &str) -> bool {
    let mut text = Text {
        rest: text.strip_prefix('T').unwrap_or(text),
    };
    let digits = |text: &mut Text<'_>| {
        text.two()?;
        text.take(':')?;
        text.two()?;
        text.take(':')?;
        text.two()
    };
    if digits(&mut text).is_none() || (text.has('.') && text.digits().is_empty()) {
        return false;
    }
    text.rest.starts_with('@') || (text.offset().is_some() && text.end().is_some())
}

/// A date-time; a date alone is its midnight.
pub fn date_time(text: &str) -> Option<Temporal> {
    let mut text = Text { rest: text };
    let date = text.date()?;
    if text.end().is_some() {
        return Some(Temporal::LocalDateTime(date.at(Time::midnight())));
    }
    text.take('T')?;
    let (time, _) = text.time()?;
    let local = date.at(time);
    if text.end().is_some() {
        return Some(Temporal::LocalDateTime(local));
    }
    let zoned = match text.zone()? {
        (Some(offset), Some(zone)) => {
            // Offset and zone may contradict each other: the instant is kept.
            ZonedDateTime::at(local, &Zone::Offset(offset))
                .with_zone(&zone)
                .ok()?
        }
        (Some(offset), None) => ZonedDateTime::at(local, &Zone::Offset(offset)),
        (None, Some(zone)) => ZonedDateTime::at(local, &zone),
        (None, None) => return None,
    };
    Some(Temporal::DateTime(zoned))
}

pub fn duration(text: &str) -> Option<Temporal> {
    if let Some(months) = year_months(text) {
        return Some(Temporal::YearMonths(months));
    }
    day_time(text).map(Temporal::DayTime)
}

/// Any temporal text, as it may stand behind `@`.
pub fn temporal(text: &str) -> Option<Temporal> {
    date(text)
        .map(Temporal::Date)
        .or_else(|| date_time(text))
        .or_else(|| duration(text))
        .or_else(|| time(text))
}

/// Number, fraction and unit of the next part of a duration; the number keeps its own sign.
fn part<'a>(text: &mut Text<'a>) -> Option<(bool, i64, &'a str, char)> {
    let negative = text.has('-');
    let whole = text.digits();
    if whole.is_empty() {
        return None;
    }
    let fraction = if text.has('.') { text.digits() } else { "" };
    let unit = text.rest.chars().next()?;
    text.take(unit)?;
    Some((negative, whole.parse().ok()?, fraction, unit))
}

fn year_months(text: &str) -> Option<i64> {
    let mut text = Text { rest: text };
    let negative = text.has('-');
    text.take('P')?;
    let mut months = 0i64;
    let mut units = ['Y', 'M'].into_iter();
    while text.end().is_none() {
        let (minus, number, fraction, unit) = part(&mut text)?;
        units
            .find(|next| *next == unit)
            .filter(|_| fraction.is_empty())?;
        // Java's period counts in 32 bits.
        i32::try_from(number).ok()?;
        let number = number * if unit == 'Y' { 12 } else { 1 };
        months += if minus { -number } else { number };
    }
    (units.len() < 2).then_some(if negative { -months } else { months })
}

fn day_time(text: &str) -> Option<SignedDuration> {
    let mut text = Text { rest: text };
    let negative = text.has('-');
    text.take('P')?;
    let mut total = SignedDuration::ZERO;
    let mut add = |minus: bool, number: i64, seconds: i64, nanos: i32| {
        let size = SignedDuration::new(number.checked_mul(seconds)?, nanos);
        total = if minus {
            total.checked_sub(size)?
        } else {
            total.checked_add(size)?
        };
        Some(())
    };
    let mut any = false;
    if !text.rest.starts_with('T') {
        let (minus, number, fraction, unit) = part(&mut text)?;
        (unit == 'D' && fraction.is_empty()).then_some(())?;
        add(minus, number, 86_400, 0)?;
        any = true;
    }
    if text.has('T') {
        any = false;
        let mut units = [('H', 3600), ('M', 60), ('S', 1)].into_iter();
        while text.end().is_none() {
            let (minus, number, fraction, unit) = part(&mut text)?;
            let (_, seconds) = units.find(|(next, _)| *next == unit)?;
            (unit == 'S' || fraction.is_empty()).then_some(())?;
            let nanos = if fraction.is_empty() {
                0
            } else {
                nanos(fraction)?
            };
            add(minus, number, seconds, nanos)?;
            any = true;
        }
    }
    text.end()?;
    any.then_some(())?;
    if negative {
        total.checked_neg()
    } else {
        Some(total)
    }
}

#[cfg(test)]
mod tests {
    use super::super::format::IsoDateTime;
    use super::*;

    #[test]
    fn durations_with_signs_anywhere() {
        assert_eq!(year_months("P1Y2M"), Some(14));
        assert_eq!(year_months("-P1Y2M"), Some(-14));
        assert_eq!(year_months("P-1Y-2M"), Some(-14));
        assert_eq!(year_months("P2M1Y"), None);
        assert_eq!(year_months("P"), None);
        let seconds = |text| day_time(text).map(|duration| duration.as_secs());
        assert_eq!(seconds("P1DT2H"), Some(93_600));
        assert_eq!(seconds("PT-3M-4S"), Some(-184));
        assert_eq!(seconds("-PT1M"), Some(-60));
        assert_eq!(day_time("PT0.5S"), Some(SignedDuration::from_millis(500)));
        for text in [
            "PT",
            "P1DT",
            "P",
            "PT1",
            "P1H",
            "PT1S1M",
            "PT9223372036854775807H",
        ] {
            assert_eq!(day_time(text), None, "{text}");
        }
    }

    #[test]
    fn zone_ids_of_java() {
        for (id, offset) in [("Z", 0), ("+2", 7200), ("-02:30", -9000), ("+0130", 5400)] {
            assert_eq!(offset_id(id), Some(offset));
        }
        for id in ["+19:00", "+1:00", "2", "+02:60", "", "+"] {
            assert_eq!(offset_id(id), None, "{id}");
        }
        for (id, name) in [
            ("GMT+2", "GMT+02:00"),
            ("UTC", "UTC"),
            ("Europe/Berlin", "Europe/Berlin"),
        ] {
            let Some(Zone::Region(region)) = Zone::of(id) else {
                panic!("{id}")
            };
            assert_eq!(&*region.id, name);
        }
        assert!(Zone::of("europe/berlin").is_none());
        assert!(Zone::of("Nowhere/City").is_none());
    }

    #[test]
    fn gaps_and_overlaps_resolve_as_in_java() {
        let millis = |text| match date_time(text) {
            Some(Temporal::DateTime(value)) => (IsoDateTime(value.local).to_string(), value.offset),
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(
            millis("2025-03-30T02:30:00@Europe/Berlin").0,
            "2025-03-30T03:30:00"
        );
        assert_eq!(millis("2025-10-26T02:30:00@Europe/Berlin").1, 7200);
        assert_eq!(
            millis("2025-07-01T12:00:00+00:00[Europe/Berlin]").0,
            "2025-07-01T14:00:00"
        );
    }
}
