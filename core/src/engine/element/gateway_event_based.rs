//! Event-based gateway: waits for several events, goes on with the first.
//!
//! The event that comes is activated by the trigger, without taking the flow to it; its payload
//! becomes local to it.

use crate::engine::element::Element;
use crate::engine::fault::{Outcome, Stop};
use crate::engine::lifecycle::{self, At};
use crate::engine::output::Processing;
use crate::engine::rule::{runtime_instructions, subscriptions, triggers};

/// An event-based gateway.
pub(super) struct EventBasedGateway;

impl Element for EventBasedGateway {
    fn prepare(&self, _p: &mut Processing<'_>, _at: &At) -> Outcome {
        Ok(())
    }

    fn activate(&self, p: &mut Processing<'_>, at: &At) -> Outcome {
        subscriptions::open(p, at)?;
        lifecycle::activated(p, at)
    }

    fn leave(&self, p: &mut Processing<'_>, at: &At) -> Outcome {
        subscriptions::close(p, at)
    }

    fn complete(&self, p: &mut Processing<'_>, at: &At) -> Outcome {
        let Some((event, trigger)) = triggers::pending_trigger(p, at)? else {
            return Err(Stop::fault(
                "Expected to complete the event-based gateway, but no event was triggered",
            ));
        };
        lifecycle::completed(p, at)?;
        if runtime_instructions::interrupted(p, at) {
            return Ok(());
        }
        triggers::activate(p, at, at.record.flow_scope_key, event, &trigger)
    }
}
