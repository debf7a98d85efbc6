//! Dates and local date-times of the proleptic ISO calendar, as far as java.time knows them.
//!
//! jiff's civil types end at year 9999; these go to [`YEAR_MAX`] on both sides of zero. Days are
//! counted from 1970-01-01, seconds from its midnight. What leaves the range says so as Java does,
//! see [`Beyond`]; months that end earlier shorten the day, as `LocalDate.plusMonths` does.

use std::fmt;

use jiff::SignedDuration;
use jiff::civil::Time;

/// The last year; the first one is its negative.
pub const YEAR_MAX: i32 = 999_999_999;
/// Days of -999999999-01-01 and of 999999999-12-31.
const EPOCH_DAYS: (i64, i64) = (-365_243_219_162, 365_241_780_471);
/// Days of 400 years, after which the calendar repeats itself, days of the week included.
pub const DAYS_OF_CYCLE: i64 = 146_097;

const SECONDS_PER_DAY: i64 = 86_400;
const NANOS_PER_SECOND: i64 = 1_000_000_000;
pub(super) const NANOS_PER_DAY: i64 = SECONDS_PER_DAY * NANOS_PER_SECOND;
const DAYS_BEFORE_MONTH: [i16; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];

/// A result outside of the years there are, in Java's words.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Beyond {
    Year(i64),
    EpochDay(i64),
}

impl fmt::Display for Beyond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (field, (first, last), value) = match *self {
            Beyond::Year(year) => ("Year", (-i64::from(YEAR_MAX), i64::from(YEAR_MAX)), year),
            Beyond::EpochDay(day) => ("EpochDay", EPOCH_DAYS, day),
        };
        write!(
            f,
            "java.time.DateTimeException: \
             Invalid value for {field} (valid values {first} - {last}): {value}"
        )
    }
}

/// A day. Ordered by time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Date {
    year: i32,
    month: i8,
    day: i8,
}

fn is_leap(year: i32) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in_month(year: i32, month: i8) -> i8 {
    match month {
        2 => 28 + i8::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Weeks of an ISO year, which has 53 if it begins on a Thursday or is leap and begins a day before.
fn weeks_in_year(year: i32) -> i64 {
    let first = Date {
        year,
        month: 1,
        day: 1,
    };
    let long = matches!((first.weekday(), is_leap(year)), (4, _) | (3, true));
    52 + i64::from(long)
}

impl Date {
    /// The day of these numbers, if there is one.
    pub fn new(year: i32, month: i8, day: i8) -> Option<Date> {
        let exists = (-YEAR_MAX..=YEAR_MAX).contains(&year)
            && (1..=12).contains(&month)
            && (1..=days_in_month(year, month)).contains(&day);
        exists.then_some(Date { year, month, day })
    }

    pub fn year(self) -> i32 {
        self.year
    }

    /// From 1.
    pub fn month(self) -> i8 {
        self.month
    }

    /// From 1.
    pub fn day(self) -> i8 {
        self.day
    }

    /// Days since 1970-01-01.
    pub fn epoch_day(self) -> i64 {
        // Years that begin in March, so that the leap day is the last of its year.
        let year = i64::from(self.year) - i64::from(self.month <= 2);
        let of_cycle = year.rem_euclid(400);
        let month = (i64::from(self.month) + 9) % 12;
        let of_year = (153 * month + 2) / 5 + i64::from(self.day) - 1;
        let days = of_cycle * 365 + of_cycle / 4 - of_cycle / 100 + of_year;
        year.div_euclid(400) * DAYS_OF_CYCLE + days - 719_468
    }

    /// The day of a number of days since 1970-01-01.
    pub fn of_epoch_day(epoch_day: i64) -> Result<Date, Beyond> {
        if !(EPOCH_DAYS.0..=EPOCH_DAYS.1).contains(&epoch_day) {
            return Err(Beyond::EpochDay(epoch_day));
        }
        let shifted = epoch_day + 719_468;
        let day = shifted.rem_euclid(DAYS_OF_CYCLE);
        let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
        let of_year = day - (365 * year + year / 4 - year / 100);
        let month = (5 * of_year + 2) / 153;
        let year = shifted.div_euclid(DAYS_OF_CYCLE) * 400 + year + i64::from(month >= 10);
        Ok(Date {
            year: year as i32,
            month: if month < 10 { month + 3 } else { month - 9 } as i8,
            day: (of_year - (153 * month + 2) / 5 + 1) as i8,
        })
    }

    /// From 1, which is Monday.
    pub fn weekday(self) -> i8 {
        ((self.epoch_day() + 3).rem_euclid(7) + 1) as i8
    }

    /// From 1.
    pub fn day_of_year(self) -> i16 {
        let leap = i16::from(self.month > 2 && is_leap(self.year));
        DAYS_BEFORE_MONTH[usize::from(self.month as u8 - 1) % 12] + i16::from(self.day) + leap
    }

    /// The ISO week, which belongs to the year that has its Thursday.
    pub fn iso_week(self) -> i64 {
        let week = (i64::from(self.day_of_year()) - i64::from(self.weekday()) + 10) / 7;
        if week < 1 {
            weeks_in_year(self.year - 1)
        } else if week > weeks_in_year(self.year) {
            1
        } else {
            week
        }
    }

    #[must_use]
    pub fn last_of_month(self) -> Date {
        Date {
            day: days_in_month(self.year, self.month),
            ..self
        }
    }

    /// The date some days on.
    pub fn plus_days(self, days: i64) -> Result<Date, Beyond> {
        let to = (self.epoch_day().checked_add(days)).ok_or(Beyond::EpochDay(days))?;
        Date::of_epoch_day(to).map_err(|beyond| {
            // Java looks at the next month before it counts from 1970.
            match days.saturating_add(i64::from(self.day)) {
                1..=59 => Beyond::Year(i64::from(self.year) + 1),
                _ => beyond,
            }
        })
    }

    /// The date some months on, in a month that may end earlier.
    pub fn plus_months(self, months: i64) -> Result<Date, Beyond> {
        let index = i64::from(self.year) * 12 + i64::from(self.month) - 1;
        let index = index.saturating_add(months);
        let beyond = Beyond::Year(index.div_euclid(12));
        let year = i32::try_from(index.div_euclid(12)).map_err(|_| beyond)?;
        let month = (index.rem_euclid(12) + 1) as i8;
        let day = self.day.min(days_in_month(year, month));
        Date::new(year, month, day).ok_or(beyond)
    }

    pub fn at(self, time: Time) -> DateTime {
        DateTime { date: self, time }
    }
}

/// A day and a time without a place. Ordered by time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DateTime {
    date: Date,
    time: Time,
}

impl DateTime {
    pub fn date(self) -> Date {
        self.date
    }

    pub fn time(self) -> Time {
        self.time
    }

    /// Seconds since 1970-01-01T00:00 of the same place.
    pub fn epoch_second(self) -> i64 {
        self.date.epoch_day() * SECONDS_PER_DAY + nano_of_day(self.time) / NANOS_PER_SECOND
    }

    /// The reverse of [`Self::epoch_second`]; `nanos` are those of the second.
    pub fn of_epoch_second(second: i64, nanos: i32) -> Result<DateTime, Beyond> {
        let date = Date::of_epoch_day(second.div_euclid(SECONDS_PER_DAY))?;
        let of_day = second.rem_euclid(SECONDS_PER_DAY) * NANOS_PER_SECOND + i64::from(nanos);
        Ok(date.at(time_of_nanos(of_day)))
    }

    /// The local date-time some time on.
    pub fn plus(self, duration: SignedDuration) -> Result<DateTime, Beyond> {
        let sum = i128::from(nano_of_day(self.time)) + duration.as_nanos();
        let days = sum.div_euclid(i128::from(NANOS_PER_DAY));
        let time = time_of_nanos(sum.rem_euclid(i128::from(NANOS_PER_DAY)) as i64);
        // At most the seconds of a duration, in days: it fits.
        Ok(self.date.plus_days(days as i64)?.at(time))
    }

    pub fn plus_months(self, months: i64) -> Result<DateTime, Beyond> {
        Ok(self.date.plus_months(months)?.at(self.time))
    }

    /// `self - other` as elapsed time.
    pub fn since(self, other: DateTime) -> SignedDuration {
        SignedDuration::new(
            self.epoch_second() - other.epoch_second(),
            self.time.subsec_nanosecond() - other.time.subsec_nanosecond(),
        )
    }
}

/// Nanoseconds since midnight.
pub(super) fn nano_of_day(time: Time) -> i64 {
    let seconds =
        i64::from(time.hour()) * 3600 + i64::from(time.minute()) * 60 + i64::from(time.second());
    seconds * NANOS_PER_SECOND + i64::from(time.subsec_nanosecond())
}

/// The time of nanoseconds since midnight, which are less than those of a day.
pub(super) fn time_of_nanos(nanos: i64) -> Time {
    let seconds = nanos / NANOS_PER_SECOND;
    Time::new(
        (seconds / 3600) as i8,
        (seconds / 60 % 60) as i8,
        (seconds % 60) as i8,
        (nanos % NANOS_PER_SECOND) as i32,
    )
    .unwrap_or(Time::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_jiff_and_repeat_after_a_cycle() {
        let mut day = jiff::civil::Date::constant(-9_999, 1, 1);
        let mut epoch_day = -4_371_587;
        // Every 11th day of 20,000 years, so that every day of the month and the week comes up.
        while let Ok(next) = day.checked_add(jiff::Span::new().days(11)) {
            let own = Date::of_epoch_day(epoch_day).unwrap();
            let numbers = (own.year(), own.month(), own.day());
            assert_eq!(numbers, (i32::from(day.year()), day.month(), day.day()));
            assert_eq!(own.epoch_day(), epoch_day);
            assert_eq!(own.weekday(), day.weekday().to_monday_one_offset());
            assert_eq!(own.day_of_year(), day.day_of_year());
            assert_eq!(own.iso_week(), i64::from(day.iso_week_date().week()));
            let far = Date::of_epoch_day(epoch_day + 2_000_000 * DAYS_OF_CYCLE).unwrap();
            assert_eq!(far.year(), own.year() + 800_000_000);
            assert_eq!((far.month(), far.day()), (own.month(), own.day()));
            (day, epoch_day) = (next, epoch_day + 11);
        }
    }

    #[test]
    fn years_end_where_javas_do() {
        let (first, last) = EPOCH_DAYS;
        let date = |year, month, day| Date::new(year, month, day).unwrap();
        assert_eq!(date(-YEAR_MAX, 1, 1).epoch_day(), first);
        assert_eq!(date(YEAR_MAX, 12, 31).epoch_day(), last);
        assert_eq!(
            Date::of_epoch_day(last + 1),
            Err(Beyond::EpochDay(last + 1))
        );
        assert_eq!(Date::new(YEAR_MAX + 1, 1, 1), None);
        let next = Err(Beyond::Year(1_000_000_000));
        assert_eq!(date(YEAR_MAX, 12, 31).plus_days(1), next);
        assert_eq!(date(YEAR_MAX, 12, 31).plus_months(1), next);
        assert!(date(0, 1, 1).plus_months(i64::MAX).is_err());
        assert!(date(0, 1, 1).plus_days(i64::MIN).is_err());
    }
}
