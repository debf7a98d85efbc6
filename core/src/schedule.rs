//! When timers are due: durations, dates, repeating intervals and cron, as Camunda reads them.
//!
//! Texts follow `java.time` (ISO 8601 with signed parts) and cron-utils' SPRING53 dialect. Times
//! are epoch milliseconds; calendar parts (years to days) and cron are computed in the zone the
//! caller hands in, which in Camunda is the zone of the broker process. Nothing here reads a clock.
//!
//! | text | kind | first due | later |
//! |---|---|---|---|
//! | `PT15M`, `P1M`, `P1Y2M3DT4H` | [`Interval`] | now + interval | - |
//! | `2026-01-31T10:00+01:00[Europe/Berlin]` | [`date`] | then, even if past | - |
//! | `R3/PT10S`, `R/P1D` | [`Cycle`] | now + interval | previous due + interval |
//! | `R3/<date>/PT1H` | [`Cycle`] | the date, or now if it is past | previous due + interval |
//! | `0 0 9 ? * MON-FRI`, `@daily` | [`Cycle`] | next match after now | next match after the previous due |
//!
//! A later due time that has already passed becomes now: overdue repetitions fire in quick
//! succession.

mod cron;
mod date;
mod interval;

use jiff::tz::TimeZone;

pub use cron::Cron;
pub use date::{ZonedDate, date, local_date};
pub use interval::Interval;

use crate::ids::Timestamp;

/// Whether calendar arithmetic can be done in the zone of this name (IANA, or `UTC`).
#[must_use]
pub fn knows_zone(name: &str) -> bool {
    TimeZone::get(name).is_ok()
}

/// Repetitions without end.
pub const INFINITE: i32 = -1;

/// Why a text is no schedule, or a due time cannot be told. Worded as the reference words it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ScheduleError {
    /// The text does not parse.
    #[error("{0}")]
    Invalid(String),
    /// The due time is beyond what can be represented (year 9999).
    #[error(
        "Timer duration is too large and results in arithmetic overflow. \
         Please use a smaller duration value."
    )]
    Overflow,
}

impl ScheduleError {
    fn invalid(reason: impl Into<String>) -> Self {
        Self::Invalid(reason.into())
    }
}

/// One due time of a timer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Occurrence {
    /// When.
    pub due: Timestamp,
    /// How many there are from this one on; [`INFINITE`], or 0 if a cron pattern never matches.
    pub repetitions: i32,
}

/// What repeats.
#[derive(Clone, PartialEq, Debug)]
pub enum Cycle {
    /// `R[n]/[start/]interval`.
    Repeating {
        /// How often; [`INFINITE`] for `R/`.
        repetitions: i32,
        /// How far apart, and where it starts.
        interval: Interval,
    },
    /// A cron pattern, for ever.
    Cron(Cron),
}

impl Cycle {
    /// Parses a cycle: what begins with `R` is a repeating interval, all else cron.
    ///
    /// # Errors
    /// The text is neither.
    pub fn parse(text: &str) -> Result<Self, ScheduleError> {
        let Some(rest) = text.strip_prefix('R') else {
            return Ok(Self::Cron(Cron::parse(text)?));
        };
        let (count, interval) = rest
            .split_once('/')
            .ok_or_else(|| ScheduleError::invalid("No interval given"))?;
        let interval = Interval::parse(interval)?;
        let repetitions = match count {
            "" => INFINITE,
            count => count
                .parse()
                .map_err(|_| ScheduleError::invalid("Cannot parse repetitions count"))?,
        };
        Ok(Self::Repeating {
            repetitions,
            interval,
        })
    }

    /// The first due time of a timer that is created now.
    ///
    /// # Errors
    /// [`ScheduleError::Overflow`].
    pub fn first(&self, now: Timestamp, zone: &TimeZone) -> Result<Occurrence, ScheduleError> {
        match self {
            Self::Repeating {
                repetitions,
                interval,
            } => {
                let due = interval.due(now, zone)?;
                Ok(Occurrence {
                    due,
                    repetitions: *repetitions,
                })
            }
            Self::Cron(cron) => Ok(match cron.next(now, zone) {
                Some(due) => Occurrence {
                    due,
                    repetitions: INFINITE,
                },
                None => Occurrence {
                    due: now,
                    repetitions: 0,
                },
            }),
        }
    }

    /// The due time after one that fired: `fired` with the repetitions it had. None after the last.
    ///
    /// # Errors
    /// [`ScheduleError::Overflow`].
    pub fn next(
        &self,
        fired: Occurrence,
        now: Timestamp,
        zone: &TimeZone,
    ) -> Result<Option<Occurrence>, ScheduleError> {
        let repetitions = match fired.repetitions {
            INFINITE => INFINITE,
            ..=1 => return Ok(None),
            more => more - 1,
        };
        match self {
            Self::Repeating { interval, .. } => {
                let due = interval.after(fired.due, zone)?;
                Ok(Some(Occurrence {
                    due: Timestamp(due.0.max(now.0)),
                    repetitions,
                }))
            }
            Self::Cron(cron) => Ok(cron
                .next(fired.due, zone)
                .map(|due| Occurrence { due, repetitions })),
        }
    }
}
