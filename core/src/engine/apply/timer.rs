//! TIMER events: a timer is there until it is triggered or canceled; a repetition is a new timer.
//!
//! The row is found by what waits and by its key; the due date comes from the row, never from the
//! event, so that the index of due dates cannot keep a timer that is gone.

use std::sync::Arc;

use crate::engine::apply::Applied;
use crate::engine::output::Applying;
use crate::ids::Key;
use crate::record::value::TimerRecord;
use crate::state::TimerRow;

pub(super) fn created(a: &mut Applying<'_>, key: Key, value: &Arc<TimerRecord>) -> Applied {
    Ok(a.state.insert_timer(key, value.clone())?)
}

pub(super) fn ended(a: &mut Applying<'_>, key: Key, value: &Arc<TimerRecord>) -> Applied {
    Ok(a.state.remove_timer(value.element_instance_key, key)?)
}

/// It triggers an element of another definition, when it was due anyway.
pub(super) fn migrated(a: &mut Applying<'_>, key: Key, value: &Arc<TimerRecord>) -> Applied {
    let record = value.clone();
    let row = TimerRow { record };
    Ok(a.state.timers.put(value.element_instance_key, key, row)?)
}
