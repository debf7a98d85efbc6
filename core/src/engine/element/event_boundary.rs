//! Boundary event: activated by a trigger of its host, never by a command.
//!
//! Its payload is local to it and goes to the flow scope by its output mapping.

use crate::engine::element::Element;
use crate::engine::fault::{Outcome, Stop};
use crate::engine::lifecycle::At;
use crate::engine::output::Processing;
use crate::engine::rule::variable_mapping;

/// A boundary event.
pub(super) struct BoundaryEvent;

impl Element for BoundaryEvent {
    fn activate(&self, _p: &mut Processing<'_>, at: &At) -> Outcome {
        Err(Stop::fault(format!(
            "Expected an ACTIVATE_ELEMENT command only for elements that are entered by a flow, but '{}' is a boundary event",
            at.record.element_id
        )))
    }

    fn leave(&self, p: &mut Processing<'_>, at: &At) -> Outcome {
        variable_mapping::outputs(p, at)
    }
}
