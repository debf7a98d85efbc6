//! Compensation throw and end event: starts the compensation handlers of its scope and waits for
//! them.
//!
//! With nothing to compensate it completes at once. Mappings are not applied, as in Camunda.

use crate::engine::element::Element;
use crate::engine::fault::{Outcome, Stop};
use crate::engine::lifecycle::{self, At};
use crate::engine::output::Processing;
use crate::engine::rule::compensation;
use crate::model::{Behavior, ThrowEvent};

/// A compensation throw or end event.
pub(super) struct CompensationEvent;

impl Element for CompensationEvent {
    fn prepare(&self, _p: &mut Processing<'_>, _at: &At) -> Outcome {
        Ok(())
    }

    fn activate(&self, p: &mut Processing<'_>, at: &At) -> Outcome {
        let (Behavior::Throw(ThrowEvent::Compensation(activity))
        | Behavior::End(ThrowEvent::Compensation(activity))) = &at.element().behavior
        else {
            return Err(Stop::fault("not a compensation event"));
        };
        lifecycle::activated(p, at)?;
        if compensation::throw(p, at, *activity)? {
            return Ok(());
        }
        lifecycle::ask_complete(p, at)
    }

    fn leave(&self, _p: &mut Processing<'_>, _at: &At) -> Outcome {
        Ok(())
    }
}
