//! CLOCK PIN and RESET: the time of the whole cluster stands still, or runs again.
//!
//! The partition that was asked changes its own clock and hands the command to all others. What is
//! stamped and what becomes due from the next command on follows the changed clock; resends to other
//! partitions keep to the wall clock.

use std::sync::Arc;

use crate::engine::distribute;
use crate::engine::fault::{Outcome, Stop};
use crate::engine::input::Command;
use crate::engine::output::Processing;
use crate::record::RejectionType;
use crate::record::intent::of;
use crate::record::value::ClockRecord;

/// Pins the clock to a time.
pub(crate) fn pin(p: &mut Processing<'_>, command: &Command, value: &Arc<ClockRecord>) -> Outcome {
    if value.time.0 < 0 {
        return Err(Stop::reject(
            RejectionType::InvalidArgument,
            format!(
                "Expected pin time to be not negative but it was {}",
                value.time.0
            ),
        ));
    }
    change(p, command, value, of::Clock::Pinned)
}

/// Lets the clock run again.
pub(crate) fn reset(
    p: &mut Processing<'_>,
    command: &Command,
    value: &Arc<ClockRecord>,
) -> Outcome {
    change(p, command, value, of::Clock::Resetted)
}

fn change(
    p: &mut Processing<'_>,
    command: &Command,
    value: &Arc<ClockRecord>,
    event: of::Clock,
) -> Outcome {
    if distribute::is_distributed(p, command.key) {
        p.event(command.key, event, value.clone())?;
        return distribute::acknowledge(p, command.key, command.intent);
    }
    let key = p.next_key();
    p.event(key, event, value.clone())?;
    p.respond(key, event, value.clone());
    distribute::distribute(p, key, "", command.intent, &value.clone().into())
}
