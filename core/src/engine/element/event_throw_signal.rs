//! Signal throw and signal end event: broadcast a signal, then go on.
//!
//! The signal carries the event's local variables, that is what its input mappings gave. Catch events
//! of the same instance are triggered by the broadcast like all others.

use crate::engine::element::Element;
use crate::engine::fault::{Outcome, Stop};
use crate::engine::lifecycle::{self, At};
use crate::engine::output::Processing;
use crate::engine::rule::expressions;
use crate::model::{Behavior, ThrowEvent};
use crate::record::intent::of;
use crate::record::value::SignalRecord;

/// A signal throw or end event.
pub(super) struct SignalThrowEvent;

impl Element for SignalThrowEvent {
    fn activate(&self, p: &mut Processing<'_>, at: &At) -> Outcome {
        let (Behavior::Throw(ThrowEvent::Signal(name)) | Behavior::End(ThrowEvent::Signal(name))) =
            &at.element().behavior
        else {
            return Err(Stop::fault("not a signal event"));
        };
        let record = SignalRecord {
            signal_name: expressions::text(p, name, at.key)?,
            variables: p.state().local_variables(at.key)?,
            tenant_id: at.record.tenant_id.clone(),
        };
        let key = p.next_key();
        p.command(key, of::Signal::Broadcast, record)?;
        lifecycle::activated(p, at)?;
        lifecycle::ask_complete(p, at)
    }
}
