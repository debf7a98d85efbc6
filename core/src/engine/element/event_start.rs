//! Start event, of a process or a sub-process.
//!
//! Behind its end listeners it opens the event subscriptions of the scope around it, so that their
//! expressions see what it wrote; a failure there is its incident.

use crate::engine::element::Element;
use crate::engine::fault::{Failure, Outcome, Stop};
use crate::engine::lifecycle::{self, At};
use crate::engine::output::Processing;
use crate::engine::rule::{subscriptions, variable_mapping};

/// A start event.
pub(super) struct StartEvent;

impl Element for StartEvent {
    fn prepare(&self, _p: &mut Processing<'_>, _at: &At) -> Outcome {
        Ok(())
    }

    fn activate(&self, p: &mut Processing<'_>, at: &At) -> Outcome {
        lifecycle::activated(p, at)?;
        lifecycle::ask_complete(p, at)
    }

    fn leave(&self, p: &mut Processing<'_>, at: &At) -> Outcome {
        variable_mapping::outputs(p, at)
    }

    fn complete(&self, p: &mut Processing<'_>, at: &At) -> Outcome {
        let Some(scope) = At::find(p, at.record.flow_scope_key)? else {
            return Err(Stop::fault("start event without scope"));
        };
        subscriptions::open(p, &scope).map_err(|stop| match stop {
            // Their expressions see the variables of that scope.
            Stop::Incident(failure) => Stop::Incident(Failure {
                scope: failure.scope.or(Some(scope.key)),
                ..failure
            }),
            Stop::Reject(_) | Stop::TooLarge | Stop::Fault(_) => stop,
        })?;
        lifecycle::completed(p, at)?;
        lifecycle::take_outgoing(p, at)
    }
}
