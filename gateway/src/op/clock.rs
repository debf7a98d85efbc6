//! The cluster's clock: pinned to a time, or reset to run again.
//!
//! Both go to partition 1, which hands them to all others. For tests of processes: timers, deadlines
//! and lifetimes follow the pinned time.

use ringflow_core::ids::{Key, Timestamp};
use ringflow_core::record::intent::of;
use ringflow_core::record::value::ClockRecord;

use super::Caller;
use super::shape::Members;
use crate::problem::Problem;
use crate::rest::{Answer, Call};
use crate::route::Target;
use crate::submit::Front;

/// Pin the clock to a time, or reset it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Change {
    /// Milliseconds since the epoch.
    Pin(i64),
    Reset,
}

impl Change {
    /// # Errors
    /// The time is negative, the engine refused, or no answer came.
    pub(crate) async fn run(self, front: &Front, caller: &Caller) -> Result<(), Problem> {
        let (intent, time) = match self {
            Self::Pin(time) if time < 0 => {
                return Err(Problem::invalid(format!(
                    "The value for timestamp is '{time}' but must be not negative"
                )));
            }
            Self::Pin(time) => (of::Clock::Pin, time),
            Self::Reset => (of::Clock::Reset, 0),
        };
        let record = ClockRecord {
            time: Timestamp(time),
        };
        let command = caller.command(Key::NONE, intent, record, None);
        front.call(&Target::Deployment, command, None).await?;
        Ok(())
    }
}

/// `pinClock`.
pub(crate) async fn pin(call: Call) -> Result<Answer, Problem> {
    let time = Members(&call.body).int("timestamp").unwrap_or_default();
    Change::Pin(time).run(&call.front, &call.caller).await?;
    Ok(Answer::NoContent)
}

/// `resetClock`.
pub(crate) async fn reset(call: Call) -> Result<Answer, Problem> {
    Change::Reset.run(&call.front, &call.caller).await?;
    Ok(Answer::NoContent)
}
