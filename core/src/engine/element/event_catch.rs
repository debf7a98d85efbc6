//! Intermediate catch event and receive task: wait for one event, then go on.
//!
//! Behind an event-based gateway a catch event is never activated by a command: the gateway waits in
//! its place, and the trigger activates it; then there is nothing of its own to close.

use crate::engine::element::Element;
use crate::engine::fault::Outcome;
use crate::engine::lifecycle::{self, At};
use crate::engine::output::Processing;
use crate::engine::rule::subscriptions;
use crate::model::{Behavior, CatchEvent};

/// An intermediate catch event, or a receive task.
pub(super) struct CatchingElement;

impl Element for CatchingElement {
    fn activate(&self, p: &mut Processing<'_>, at: &At) -> Outcome {
        if let Behavior::Catch(CatchEvent::Link(_)) = &at.element().behavior {
            lifecycle::activated(p, at)?;
            return lifecycle::ask_complete(p, at);
        }
        subscriptions::open(p, at)?;
        lifecycle::activated(p, at)
    }
}
