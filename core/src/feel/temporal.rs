//! Dates, times and durations as the language has them, on top of jiff's civil types and zones.
//!
//! Eight kinds of value: date; local time and time with offset or zone; local and zoned date-time;
//! years-months duration (whole months) and days-time duration (seconds and nanoseconds). Reading
//! is in [`parse`], writing in [`format`]; here is the arithmetic, which follows java.time.
//!
//! Limits: years -9999..=9999 (the reference goes further); operations that leave them give `None`.
//! No clock is read: the standard offset of a zone, which a time with a zone carries, is taken from
//! a fixed year.

pub mod format;
pub mod parse;

use std::cmp::Ordering;
use std::sync::Arc;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Span, Timestamp};

const NANOS_PER_SECOND: i64 = 1_000_000_000;
const NANOS_PER_DAY: i64 = 86_400 * NANOS_PER_SECOND;

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

impl Region {
    /// Offset without daylight saving, in seconds.
    fn standard_offset(&self) -> i32 {
        let at = |month| {
            let noon = Date::constant(STANDARD_YEAR, month, 1).at(12, 0, 0, 0);
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

    pub fn on(&self, date: Date) -> Option<ZonedDateTime> {
        let local = date.to_datetime(self.time);
        match &self.region {
            Some(region) => ZonedDateTime::in_region(local, region),
            None => Some(ZonedDateTime {
                local,
                offset: self.offset,
                region: None,
            }),
        }
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
    pub fn at(local: DateTime, zone: &Zone) -> Option<ZonedDateTime> {
        match zone {
            Zone::Offset(offset) => Some(ZonedDateTime {
                local,
                offset: *offset,
                region: None,
            }),
            Zone::Region(region) => Self::in_region(local, region),
        }
    }

    fn in_region(local: DateTime, region: &Arc<Region>) -> Option<ZonedDateTime> {
        let timestamp = region
            .rules
            .to_ambiguous_timestamp(local)
            .compatible()
            .ok()?;
        Some(Self::of_region(timestamp, region))
    }

    fn of_region(timestamp: Timestamp, region: &Arc<Region>) -> ZonedDateTime {
        let offset = region.rules.to_offset(timestamp);
        let local = offset.to_datetime(timestamp);
        ZonedDateTime {
            local,
            offset: offset.seconds(),
            region: Some(Arc::clone(region)),
        }
    }

    /// The instant in a zone.
    pub fn of_instant(timestamp: Timestamp, zone: &Zone) -> Option<ZonedDateTime> {
        match zone {
            Zone::Offset(seconds) => {
                let offset = Offset::from_seconds(*seconds).ok()?;
                let local = offset.to_datetime(timestamp);
                Some(ZonedDateTime {
                    local,
                    offset: *seconds,
                    region: None,
                })
            }
            Zone::Region(region) => Some(Self::of_region(timestamp, region)),
        }
    }

    pub fn timestamp(&self) -> Option<Timestamp> {
        Offset::from_seconds(self.offset)
            .ok()?
            .to_timestamp(self.local)
            .ok()
    }

    pub fn epoch_millis(&self) -> Option<i64> {
        self.timestamp().map(Timestamp::as_millisecond)
    }

    fn zone(&self) -> Zone {
        match &self.region {
            Some(region) => Zone::Region(Arc::clone(region)),
            None => Zone::Offset(self.offset),
        }
    }

    pub fn with_zone(&self, zone: &Zone) -> Option<ZonedDateTime> {
        Self::of_instant(self.timestamp()?, zone)
    }

    /// Instant first, then local time, then zone.
    pub fn order(&self, other: &ZonedDateTime) -> Ordering {
        let id = |value: &ZonedDateTime| value.zone().region().map(|region| region.id.clone());
        self.timestamp()
            .cmp(&other.timestamp())
            .then_with(|| self.local.cmp(&other.local))
            .then_with(|| id(self).cmp(&id(other)))
    }

    pub fn plus(&self, duration: SignedDuration) -> Option<ZonedDateTime> {
        let timestamp = self.timestamp()?.checked_add(duration).ok()?;
        Self::of_instant(timestamp, &self.zone())
    }

    pub fn plus_months(&self, months: i64) -> Option<ZonedDateTime> {
        Self::at(date_time_plus_months(self.local, months)?, &self.zone())
    }

    /// `self - other` as elapsed time.
    pub fn since(&self, other: &ZonedDateTime) -> Option<SignedDuration> {
        Some(self.timestamp()?.duration_since(other.timestamp()?))
    }

    pub fn time(&self) -> OffsetTime {
        OffsetTime {
            time: self.local.time(),
            offset: self.offset,
            region: self.region.clone(),
        }
    }
}

fn months_span(months: i64) -> Option<Span> {
    Span::new().try_months(months).ok()
}

/// The date some months on, clamped to the end of the month.
pub fn date_plus_months(date: Date, months: i64) -> Option<Date> {
    date.checked_add(months_span(months)?).ok()
}

pub fn date_time_plus_months(local: DateTime, months: i64) -> Option<DateTime> {
    local.checked_add(months_span(months)?).ok()
}

/// The date some time after its midnight.
pub fn date_plus(date: Date, duration: SignedDuration) -> Option<Date> {
    Some(date.at(0, 0, 0, 0).checked_add(duration).ok()?.date())
}

fn nano_of_day(time: Time) -> i64 {
    let seconds =
        i64::from(time.hour()) * 3600 + i64::from(time.minute()) * 60 + i64::from(time.second());
    seconds * NANOS_PER_SECOND + i64::from(time.subsec_nanosecond())
}

/// The time of day some time on, around midnight if need be.
pub fn time_plus(time: Time, duration: SignedDuration) -> Time {
    let sum = i128::from(nano_of_day(time)) + duration.as_nanos();
    let nanos = sum.rem_euclid(i128::from(NANOS_PER_DAY)) as i64;
    let seconds = nanos / NANOS_PER_SECOND;
    Time::new(
        (seconds / 3600) as i8,
        (seconds / 60 % 60) as i8,
        (seconds % 60) as i8,
        (nanos % NANOS_PER_SECOND) as i32,
    )
    .unwrap_or(time)
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
