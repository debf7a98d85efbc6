//! Timers: by what waits for them, and by when they are due.
//!
//! Timers of process start events wait for no element instance; they are one group under
//! [`Key::NONE`]. Due dates are resident whole, so that the next one is always at hand.

use std::sync::Arc;

use crate::ids::Key;
use crate::record::value::TimerRecord;
use crate::record_value;
use crate::state::{State, StateError};

record_value! {
    /// A timer.
    pub struct TimerRow {
        /// Its record.
        record "": Arc<TimerRecord>,
    }
}

impl State {
    pub(crate) fn insert_timer(
        &mut self,
        key: Key,
        record: Arc<TimerRecord>,
    ) -> Result<(), StateError> {
        let element = record.element_instance_key;
        self.timer_due_dates.insert((record.due_date, element, key));
        self.timers.put(element, key, TimerRow { record })
    }

    pub(crate) fn remove_timer(&mut self, element: Key, key: Key) -> Result<(), StateError> {
        let Some(row) = self.timers.get(&element, &key)? else {
            return Ok(());
        };
        self.timer_due_dates
            .remove(&(row.record.due_date, element, key));
        self.timers.remove(&element, &key)
    }
}
