//! Dates, times and durations as the language has them, on top of jiff's times and zones.
//!
//! Eight kinds of value: date; local time and time with offset or zone; local and zoned date-time;
//! years-months duration (whole months) and days-time duration (seconds and nanoseconds). Reading
//! is in [`parse`], writing in [`format`], days are counted in [`calendar`]; here are zones and the
//! arithmetic with them, which follows java.time.
//!
//! jiff knows the rules of zones for years -9999..=9999. Beyond, they are those of the same place
//! in the calendar's cycle of 400 years: at the end every rule repeats yearly, at the beginning
//! there is one offset for ever. No clock is read: the standard offset of a zone, which a time with
//! a zone carries, is taken from a fixed year.

pub mod calendar;
pub mod format;
pub mod parse;

use std::cmp::Ordering;
use std::sync::Arc;

use jiff::civil::Time;
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use calendar::{Beyond, DAYS_OF_CYCLE, Date, DateTime, NANOS_PER_DAY, nano_of_day, time_of_nanos};

const NANOS_PER_SECOND: i64 = 1_000_000_000;
/// Seconds after which the calendar repeats itself.
const CYCLE: i64 = DAYS_OF_CYCLE * 86_400;
/// Seconds since 1970 within which jiff is asked, a cycle and more inside of what it knows.
const KNOWN: (i64, i64) = (-370_000_000_000, 240_000_000_000);

/// The year whose offsets tell the standard offset of a zone.
const STANDARD_YEAR: i16 = 2025;

/// A zone with rules: an IANA region, or a fixed offset that has a name (`UTC`, `GMT+02:00`).
#[derive(Debug)]
pub struct Region {
    pub id: Box<str>,
    rules: TimeZone,
}

/// What a zone id denotes.
#[derive(Clone, Debug)]
pub enum Zone {
    /// A plain offset in seconds east of UTC.
    Offset(i32),
    Region(Arc<Region>),
}

impl Zone {
    /// Reads the zone ids Java accepts: `Z`, `+02`, `+02:00`, `UTC`, `GMT+2`, `Europe/Berlin`.
    pub fn of(id: &str) -> Option<Zone> {
        if let Some(offset) = parse::offset_id(id) {
            return Some(Zone::Offset(offset));
        }
        for prefix in ["UTC", "GMT", "UT"] {
            let Some(rest) = id.strip_prefix(prefix) else {
                continue;
            };
            if rest.is_empty() {
                return Some(Zone::fixed(id, 0));
            }
            if rest.starts_with(['+', '-']) {
                let offset = parse::offset_id(rest)?;
                let id = if offset == 0 {
                    prefix.to_owned()
                } else {
                    format!("{prefix}{}", format::Offset(offset))
                };
                return Some(Zone::fixed(&id, offset));
            }
        }
        let rules = TimeZone::get(id).ok()?;
        // Region names are case-sensitive in Java.
        (rules.iana_name() == Some(id)).then(|| {
            Zone::Region(Arc::new(Region {
                id: id.into(),
                rules,
            }))
        })
    }

    fn fixed(id: &str, offset: i32) -> Zone {
        let offset = Offset::from_seconds(offset).unwrap_or(Offset::UTC);
        Zone::Region(Arc::new(Region {
            id: id.into(),
            rules: TimeZone::fixed(offset),
        }))
    }

    fn region(&self) -> Option<&Arc<Region>> {
        match self {
            Zone::Offset(_) => None,
            Zone::Region(region) => Some(region),
        }
    }
}

/// A second for which jiff knows the rules that hold at this one, and what is between them.
fn known(second: i64) -> (i64, i64) {
    let known = if second < KNOWN.0 {
        KNOWN.0 + (second - KNOWN.0).rem_euclid(CYCLE)
    } else if second > KNOWN.1 {
        KNOWN.1 + (second - KNOWN.1).rem_euclid(CYCLE)
    } else {
        second
    };
    (known, second - known)
}

impl Region {
    /// Seconds east of UTC at an instant.
    fn offset_at(&self, instant: Instant) -> i32 {
        let (known, _) = known(instant.second);
        // Every second that is known is a timestamp.
        Timestamp::from_second(known).map_or(0, |at| self.rules.to_offset(at).seconds())
    }

    /// The instant of a local date-time: in a gap later by the gap, in an overlap the earlier one.
    fn instant_of(&self, local: DateTime) -> Instant {
        let (known, between) = known(local.epoch_second());
        let second = Timestamp::from_second(known).ok().and_then(|known| {
            let local = Offset::UTC.to_datetime(known);
            self.rules.to_ambiguous_timestamp(local).compatible().ok()
        });
        Instant {
            second: second.map_or(known, Timestamp::as_second) + between,
            nanos: local.time().subsec_nanosecond(),
        }
    }

    /// Offset without daylight saving, in seconds.
    fn standard_offset(&self) -> i32 {
        let at = |month| {
            let noon = jiff::civil::Date::constant(STANDARD_YEAR, month, 1).at(12, 0, 0, 0);
            self.rules
                .to_ambiguous_timestamp(noon)
                .compatible()
                .map(|ts| self.rules.to_offset(ts))
        };
        match (at(1), at(7)) {
            (Ok(january), Ok(july)) => january.seconds().min(july.seconds()),
            (Ok(one), Err(_)) | (Err(_), Ok(one)) => one.seconds(),
            (Err(_), Err(_)) => 0,
        }
    }
}

fn same_region(a: Option<&Arc<Region>>, b: Option<&Arc<Region>>) -> bool {
    a.map(|region| &region.id) == b.map(|region| &region.id)
}

/// A time of day with an offset, and the zone it came from.
#[derive(Clone, Debug)]
pub struct OffsetTime {
    pub time: Time,
    /// Seconds east of UTC.
    pub offset: i32,
    pub region: Option<Arc<Region>>,
}

impl PartialEq for OffsetTime {
    fn eq(&self, other: &Self) -> bool {
        self.time == other.time
            && self.offset == other.offset
            && same_region(self.region.as_ref(), other.region.as_ref())
    }
}

impl OffsetTime {
    pub fn new(time: Time, zone: &Zone) -> OffsetTime {
        match zone {
            Zone::Offset(offset) => OffsetTime {
                time,
                offset: *offset,
                region: None,
            },
            Zone::Region(region) => OffsetTime {
                time,
                offset: region.standard_offset(),
                region: Some(Arc::clone(region)),
            },
        }
    }

    /// Nanoseconds since midnight UTC; may lie outside one day.
    fn instant(&self) -> i64 {
        nano_of_day(self.time) - i64::from(self.offset) * NANOS_PER_SECOND
    }

    pub fn order(&self, other: &OffsetTime) -> Ordering {
        self.instant().cmp(&other.instant())
    }

    #[must_use]
    pub fn plus(&self, duration: SignedDuration) -> OffsetTime {
        OffsetTime {
            time: time_plus(self.time, duration),
            ..self.clone()
        }
    }

    /// The distance of two times, never negative.
    pub fn between(&self, other: &OffsetTime) -> SignedDuration {
        SignedDuration::from_nanos((self.instant() - other.instant()).abs())
    }

    pub fn on(&self, date: Date) -> ZonedDateTime {
        let local = date.at(self.time);
        match &self.region {
            Some(region) => ZonedDateTime::in_region(local, region),
            None => ZonedDateTime {
                local,
                offset: self.offset,
                region: None,
            },
        }
    }
}

/// A point in time: seconds since 1970-01-01T00:00Z, and nanoseconds from there. Ordered.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Instant {
    second: i64,
    nanos: i32,
}

impl Instant {
    /// The instant of milliseconds since 1970-01-01T00:00Z.
    pub fn of_millis(millis: i64) -> Instant {
        Instant {
            second: millis.div_euclid(1_000),
            nanos: (millis.rem_euclid(1_000) * 1_000_000) as i32,
        }
    }

    /// Of a local date-time that is so far east of UTC.
    fn of_local(local: DateTime, offset: i32) -> Instant {
        Instant {
            second: local.epoch_second() - i64::from(offset),
            nanos: local.time().subsec_nanosecond(),
        }
    }

    fn local(self, offset: i32) -> Result<DateTime, Beyond> {
        DateTime::of_epoch_second(self.second + i64::from(offset), self.nanos)
    }
}

/// A date-time with an offset, and the zone it came from.
#[derive(Clone, Debug)]
pub struct ZonedDateTime {
    pub local: DateTime,
    /// Seconds east of UTC.
    pub offset: i32,
    pub region: Option<Arc<Region>>,
}

impl PartialEq for ZonedDateTime {
    fn eq(&self, other: &Self) -> bool {
        self.local == other.local
            && self.offset == other.offset
            && same_region(self.region.as_ref(), other.region.as_ref())
    }
}

impl ZonedDateTime {
    /// A local date-time in a zone: in a gap it moves on by the gap, in an overlap the earlier
    /// offset is taken.
    pub fn at(local: DateTime, zone: &Zone) -> ZonedDateTime {
        match zone {
            Zone::Offset(offset) => ZonedDateTime {
                local,
                offset: *offset,
                region: None,
            },
            Zone::Region(region) => Self::in_region(local, region),
        }
    }

    fn in_region(local: DateTime, region: &Arc<Region>) -> ZonedDateTime {
        let instant = region.instant_of(local);
        let offset = region.offset_at(instant);
        ZonedDateTime {
            // Not the same in a gap only, and there is none at the ends of time.
            local: instant.local(offset).unwrap_or(local),
            offset,
            region: Some(Arc::clone(region)),
        }
    }

    /// The instant in a zone.
    pub fn of_instant(instant: Instant, zone: &Zone) -> Result<ZonedDateTime, Beyond> {
        let offset = match zone {
            Zone::Offset(offset) => *offset,
            Zone::Region(region) => region.offset_at(instant),
        };
        Ok(ZonedDateTime {
            local: instant.local(offset)?,
            offset,
            region: zone.region().map(Arc::clone),
        })
    }

    pub fn instant(&self) -> Instant {
        Instant::of_local(self.local, self.offset)
    }

    /// Milliseconds since 1970-01-01T00:00Z; none beyond year 9999, where no timer can be due.
    pub fn epoch_millis(&self) -> Option<i64> {
        let instant = self.instant();
        Timestamp::new(instant.second, instant.nanos)
            .ok()
            .map(Timestamp::as_millisecond)
    }

    fn zone(&self) -> Zone {
        match &self.region {
            Some(region) => Zone::Region(Arc::clone(region)),
            None => Zone::Offset(self.offset),
        }
    }

    pub fn with_zone(&self, zone: &Zone) -> Result<ZonedDateTime, Beyond> {
        Self::of_instant(self.instant(), zone)
    }

    /// Instant first, then local time, then zone.
    pub fn order(&self, other: &ZonedDateTime) -> Ordering {
        let id = |value: &ZonedDateTime| value.zone().region().map(|region| region.id.clone());
        self.instant()
            .cmp(&other.instant())
            .then_with(|| self.local.cmp(&other.local))
            .then_with(|| id(self).cmp(&id(other)))
    }

    pub fn plus(&self, duration: SignedDuration) -> Result<ZonedDateTime, Beyond> {
        let local = self.local.plus(duration)?;
        Self::of_instant(Instant::of_local(local, self.offset), &self.zone())
    }

    pub fn plus_months(&self, months: i64) -> Result<ZonedDateTime, Beyond> {
        Ok(Self::at(self.local.plus_months(months)?, &self.zone()))
    }

    /// `self - other` as elapsed time; both are looked at with the offset of `self`.
    pub fn since(&self, other: &ZonedDateTime) -> Result<SignedDuration, Beyond> {
        let other = other.instant().local(self.offset)?;
        Ok(self.local.since(other))
    }

    pub fn time(&self) -> OffsetTime {
        OffsetTime {
            time: self.local.time(),
            offset: self.offset,
            region: self.region.clone(),
        }
    }
}

/// The time of day some time on, around midnight if need be.
pub fn time_plus(time: Time, duration: SignedDuration) -> Time {
    let sum = i128::from(nano_of_day(time)) + duration.as_nanos();
    time_of_nanos(sum.rem_euclid(i128::from(NANOS_PER_DAY)) as i64)
}

/// `a - b` as elapsed time.
pub fn time_since(a: Time, b: Time) -> SignedDuration {
    SignedDuration::from_nanos(nano_of_day(a) - nano_of_day(b))
}

/// Whole months from one date to another, towards zero.
pub fn months_between(from: Date, to: Date) -> i64 {
    let index = |date: Date| i64::from(date.year()) * 12 + i64::from(date.month()) - 1;
    let months = index(to) - index(from);
    let days = to.day() - from.day();
    if months > 0 && days < 0 {
        months - 1
    } else if months < 0 && days > 0 {
        months + 1
    } else {
        months
    }
}

/// Seconds of a duration as Java counts them: rounded down, so that nanoseconds are not negative.
pub fn java_seconds(duration: SignedDuration) -> i64 {
    duration.as_secs() - i64::from(duration.subsec_nanos() < 0)
}
