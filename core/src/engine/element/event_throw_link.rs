//! Link throw event: a jump to the link catch event of the same name in the same scope.
//!
//! No flow is taken; the token goes on at the catch event.

use crate::engine::element::Element;
use crate::engine::fault::{Outcome, Stop};
use crate::engine::lifecycle::{self, At};
use crate::engine::output::Processing;
use crate::engine::rule::runtime_instructions;
use crate::model::{Behavior, ThrowEvent};

/// A link throw event.
pub(super) struct LinkThrowEvent;

impl Element for LinkThrowEvent {
    fn activate(&self, p: &mut Processing<'_>, at: &At) -> Outcome {
        lifecycle::activated(p, at)?;
        lifecycle::ask_complete(p, at)
    }

    fn complete(&self, p: &mut Processing<'_>, at: &At) -> Outcome {
        let Behavior::Throw(ThrowEvent::Link(target)) = &at.element().behavior else {
            return Err(Stop::fault("not a link throw event"));
        };
        lifecycle::completed(p, at)?;
        if runtime_instructions::interrupted(p, at) {
            return Ok(());
        }
        lifecycle::ask_activate_sibling(p, at, *target)
    }
}
