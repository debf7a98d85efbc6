//! Error end event: throws, and is terminated by what it interrupts.
//!
//! An error that nothing catches is an incident on the event, which stays activating.

use crate::engine::element::Element;
use crate::engine::fault::{Outcome, Stop};
use crate::engine::lifecycle::{self, At};
use crate::engine::output::Processing;
use crate::engine::rule::{errors, expressions};
use crate::model::{Behavior, ThrowEvent};
use crate::record::Document;

/// An error end event.
pub(super) struct ErrorEndEvent;

impl Element for ErrorEndEvent {
    fn prepare(&self, _p: &mut Processing<'_>, _at: &At) -> Outcome {
        Ok(())
    }

    fn activate(&self, p: &mut Processing<'_>, at: &At) -> Outcome {
        let Behavior::End(ThrowEvent::Error(code)) = &at.element().behavior else {
            return Err(Stop::fault("not an error end event"));
        };
        let code = expressions::text(p, code, at.key)?;
        let catch = errors::find_error(p, &code, at.record.flow_scope_key)?
            .map_err(|available| errors::uncaught(&code, &available))?;
        lifecycle::activated(p, at)?;
        if !errors::accepts(p, &catch)? {
            return Ok(());
        }
        errors::throw(p, &catch, Document::EMPTY)
    }
}
