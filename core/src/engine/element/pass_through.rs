//! Elements that do nothing: manual and undefined tasks, none throw and none end events.
//!
//! They never wait. Tasks without work ignore mappings, as in Camunda; none events map their output.

use crate::engine::element::Element;
use crate::engine::fault::Outcome;
use crate::engine::lifecycle::{self, At};
use crate::engine::output::Processing;

/// Manual task, undefined task.
pub(super) struct Plain;

impl Element for Plain {
    fn prepare(&self, _p: &mut Processing<'_>, _at: &At) -> Outcome {
        Ok(())
    }

    fn activate(&self, p: &mut Processing<'_>, at: &At) -> Outcome {
        lifecycle::activated(p, at)?;
        lifecycle::ask_complete(p, at)
    }

    fn leave(&self, _p: &mut Processing<'_>, _at: &At) -> Outcome {
        Ok(())
    }
}

/// None throw event, none end event.
pub(super) struct WithOutputs;

impl Element for WithOutputs {
    fn prepare(&self, _p: &mut Processing<'_>, _at: &At) -> Outcome {
        Ok(())
    }

    fn activate(&self, p: &mut Processing<'_>, at: &At) -> Outcome {
        lifecycle::activated(p, at)?;
        lifecycle::ask_complete(p, at)
    }
}
