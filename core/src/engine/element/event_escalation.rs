//! Escalation throw and end events: tell an outer scope, and go on unless that interrupts them.
//!
//! An escalation that nothing catches is no failure, and neither is one whose catch event is not
//! accepted any more: that one is named all the same. The event completes at once unless the catch
//! event interrupts the scope it stands in.

use crate::engine::element::Element;
use crate::engine::fault::{Outcome, Stop};
use crate::engine::lifecycle::{self, At};
use crate::engine::output::Processing;
use crate::engine::rule::{errors, expressions};
use crate::model::{Behavior, ThrowEvent};
use crate::record::intent::of;
use crate::record::value::EscalationRecord;
use crate::record::{Document, Text};

/// An escalation throw or end event.
pub(super) struct EscalationEvent;

impl Element for EscalationEvent {
    fn prepare(&self, _p: &mut Processing<'_>, _at: &At) -> Outcome {
        Ok(())
    }

    fn activate(&self, p: &mut Processing<'_>, at: &At) -> Outcome {
        let (Behavior::Throw(ThrowEvent::Escalation(code))
        | Behavior::End(ThrowEvent::Escalation(code))) = &at.element().behavior
        else {
            return Err(Stop::fault("not an escalation event"));
        };
        let code = expressions::text(p, code, at.key)?;
        let catch = errors::find_escalation(p, &code, at.record.flow_scope_key)?;
        lifecycle::activated(p, at)?;
        let mut record = EscalationRecord {
            process_instance_key: at.record.process_instance_key,
            escalation_code: code,
            throw_element_id: at.record.element_id.clone(),
            catch_element_id: Text::EMPTY,
        };
        let key = p.next_key();
        let mut caught = None;
        if let Some(catch) = &catch {
            let event = &catch.scope.process()[catch.event];
            record.catch_element_id = event.id.clone();
            if errors::accepts(p, catch)? {
                caught = Some((catch, event.interrupting()));
            }
        }
        let Some((catch, interrupts)) = caught else {
            p.event(key, of::Escalation::NotEscalated, record)?;
            return lifecycle::ask_complete(p, at);
        };
        errors::throw(p, catch, Document::EMPTY)?;
        p.event(key, of::Escalation::Escalated, record)?;
        if interrupts {
            return Ok(());
        }
        lifecycle::ask_complete(p, at)
    }
}
