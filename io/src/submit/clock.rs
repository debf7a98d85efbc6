//! The controlled clock as operators and tests reach it: read and moved at the broker they ask.
//!
//! What it is and whom it concerns is said in `clock.rs` of the crate; a clock that is not controlled
//! cannot be moved.

use super::Submitter;
use crate::clock::{ClockChange, FixedClock};

impl Submitter {
    /// The time that this broker's partitions process by, in milliseconds since 1970.
    #[must_use]
    pub fn time(&self) -> i64 {
        self.shared.clock.millis()
    }

    /// Moves that time; the new one.
    ///
    /// # Errors
    /// The clock is not controlled.
    pub fn change_clock(&self, change: ClockChange) -> Result<i64, FixedClock> {
        self.shared.clock.change(change)
    }
}
