//! The time that partitions process by: the wall clock, which tests of processes may move.
//!
//! Camunda's controlled clock (`ActorClockControl`, `/actuator/clock`): pinned to a time, or ahead of
//! the wall clock by an offset. It is of one broker, as there: in a cluster each has to be told. What
//! REST pins (`PUT /v2/clock`) is another clock, of the engine, replicated and above this one.
//!
//! Unless a setting says that it is controlled it cannot be moved, and time never goes backwards.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use crate::driver;

/// What happens to the clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ClockChange {
    /// It stands still at so many milliseconds since 1970.
    Pin(i64),
    /// It goes ahead by so many milliseconds; a pinned one stands still there.
    Add(i64),
    /// It is the wall clock again.
    Reset,
}

/// The clock is not controlled.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "Expected to modify the clock, but it is immutable. To modify the clock, set the configuration \
     property 'zeebe.clock.controlled' to 'true'"
)]
pub struct FixedClock;

/// See the module. Read by every partition, changed by whoever tests.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    controlled: bool,
    is_pinned: AtomicBool,
    /// Where it is pinned, or how far it is ahead of the wall clock, in milliseconds.
    at: AtomicI64,
}

impl Clock {
    pub(crate) fn new(controlled: bool) -> Self {
        Self {
            controlled,
            ..Self::default()
        }
    }

    /// Whether its time may jump, forwards and backwards.
    pub(crate) fn is_controlled(&self) -> bool {
        self.controlled
    }

    /// Milliseconds since 1970.
    pub(crate) fn millis(&self) -> i64 {
        let wall = || i64::try_from(driver::wall_millis()).unwrap_or(i64::MAX);
        if !self.controlled {
            return wall();
        }
        let at = self.at.load(Ordering::Acquire);
        if self.is_pinned.load(Ordering::Acquire) {
            at
        } else {
            wall().saturating_add(at)
        }
    }

    /// Moves it; the new time.
    ///
    /// # Errors
    /// It is not controlled.
    pub(crate) fn change(&self, change: ClockChange) -> Result<i64, FixedClock> {
        if !self.controlled {
            return Err(FixedClock);
        }
        match change {
            ClockChange::Pin(millis) => {
                self.at.store(millis.max(0), Ordering::Release);
                self.is_pinned.store(true, Ordering::Release);
            }
            ClockChange::Add(millis) => {
                let add = |at: i64| Some(at.saturating_add(millis));
                let (set, get) = (Ordering::AcqRel, Ordering::Acquire);
                let _: Result<i64, i64> = self.at.fetch_update(set, get, add);
            }
            ClockChange::Reset => {
                self.is_pinned.store(false, Ordering::Release);
                self.at.store(0, Ordering::Release);
            }
        }
        Ok(self.millis())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_not_controlled_is_the_wall_clock() {
        let clock = Clock::new(false);
        assert_eq!(clock.change(ClockChange::Pin(1)), Err(FixedClock));
        assert!(clock.millis() > 1_700_000_000_000);
    }

    #[test]
    fn a_controlled_clock_is_pinned_goes_ahead_and_comes_back() {
        let clock = Clock::new(true);
        assert_eq!(clock.change(ClockChange::Pin(1_000)), Ok(1_000));
        assert_eq!(clock.change(ClockChange::Add(500)), Ok(1_500));
        assert_eq!(clock.millis(), 1_500);
        let wall = clock.change(ClockChange::Reset).unwrap();
        let ahead = clock.change(ClockChange::Add(3_600_000)).unwrap();
        assert!((wall + 3_600_000..wall + 3_660_000).contains(&ahead));
    }
}
