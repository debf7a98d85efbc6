//! Link throw event: jumps to the link catch event of the same name in the same scope.
//!
//! No sequence flow is taken, and the path does not end here. The catch event only passes on.

use crate::engine::element::Element;
use crate::engine::fault::{Outcome, Stop};
use crate::engine::lifecycle::{self, At};
use crate::engine::output::Processing;
use crate::model::{Behavior, ThrowEvent};

/// A link throw event.
pub(super) struct LinkThrowEvent;

impl Element for LinkThrowEvent {
    fn prepare(&self, _p: &mut Processing<'_>, _at: &At) -> Outcome {
        Ok(())
    }

    fn activate(&self, p: &mut Processing<'_>, at: &At) -> Outcome {
        lifecycle::activated(p, at)?;
        lifecycle::ask_complete(p, at)
    }

    fn complete(&self, p: &mut Processing<'_>, at: &At) -> Outcome {
        let Behavior::Throw(ThrowEvent::Link(target)) = &at.element().behavior else {
            return Err(Stop::fault("not a link throw event"));
        };
        lifecycle::completed(p, at)?;
        lifecycle::ask_activate_sibling(p, at, *target)
    }
}
