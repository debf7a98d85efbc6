//! Terminate end event: ends its flow scope, which completes once all other children are gone.
//!
//! The scope is marked as interrupted by this event, so that nothing new starts in it; it completes,
//! it is not terminated: what follows the scope goes on.

use crate::engine::element::Element;
use crate::engine::fault::Outcome;
use crate::engine::lifecycle::{self, At};
use crate::engine::output::Processing;

/// A terminate end event.
pub(super) struct TerminateEndEvent;

impl Element for TerminateEndEvent {
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

    fn complete(&self, p: &mut Processing<'_>, at: &At) -> Outcome {
        let scope = At::find(p, at.record.flow_scope_key)?;
        lifecycle::completed(p, at)?;
        if let Some(scope) = scope {
            lifecycle::terminate_children(p, &scope)?;
        }
        Ok(())
    }
}
