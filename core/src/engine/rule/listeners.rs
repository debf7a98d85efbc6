//! Execution listeners: jobs in front of and behind the work of an element, one at a time in model
//! order.
//!
//! While a listener job exists the element stays activating or completing. Its completion brings the
//! next one, and after the last the phase goes on.

use std::sync::Arc;

use crate::engine::element;
use crate::engine::fault::{Outcome, Stop};
use crate::engine::lifecycle::{self, At};
use crate::engine::output::Processing;
use crate::engine::rule::jobs::{self, Properties};
use crate::engine::rule::variables::{self, Owner};
use crate::engine::rule::{expressions, triggers};
use crate::model::Listener;
use crate::record::value::{JobKind, ListenerEventType};
use crate::state::ElementState;

/// Creates the first start listener's job. False if there is none.
pub(crate) fn start(p: &mut Processing<'_>, at: &At) -> Outcome<bool> {
    match at.element().listeners.start.first() {
        Some(listener) => create(p, at, listener, ListenerEventType::Start).map(|()| true),
        None => Ok(false),
    }
}

/// Creates the first end listener's job. False if there is none.
pub(crate) fn end(p: &mut Processing<'_>, at: &At) -> Outcome<bool> {
    match at.element().listeners.end.first() {
        Some(listener) => create(p, at, listener, ListenerEventType::End).map(|()| true),
        None => Ok(false),
    }
}

fn create(
    p: &mut Processing<'_>,
    at: &At,
    listener: &Listener,
    event: ListenerEventType,
) -> Outcome {
    let job_type = jobs::job_type(p, &listener.job_type, at.key)?;
    let retries = expressions::number(p, &listener.retries, at.key)?;
    let properties = Properties {
        job_type,
        retries: jobs::clamp(retries),
        headers: jobs::headers(&listener.headers),
        kind: JobKind::ExecutionListener,
        listener: event,
        priority: jobs::NO_PRIORITY,
    };
    jobs::create(p, at, properties)
}

/// A listener's job is done: its variables are merged, then the next listener or the element itself.
pub(crate) fn complete(p: &mut Processing<'_>, at: &At) -> Outcome {
    let row = element::row(p, at)?;
    let activating = row.state == ElementState::Activating;
    let listeners = if activating {
        &at.element().listeners.start
    } else {
        &at.element().listeners.end
    };
    if let Some((event, trigger)) = p.state().peek_trigger(at.key)?
        && trigger.element_id == at.record.element_id
    {
        let owner = Owner::of(&at.record);
        let scope = if activating || !at.record.flow_scope_key.is_some() {
            at.key
        } else {
            at.record.flow_scope_key
        };
        variables::merge_local(p, scope, &owner, &trigger.variables)?;
        triggers::triggered(p, at, at.key, event, &at.record.element_id)?;
    }
    // The index counts completed listener jobs of the phase; the applier of JOB COMPLETED moved it.
    let done = usize::try_from(row.listener_index).unwrap_or_default();
    if let Some(listener) = listeners.get(done) {
        let event = if activating {
            ListenerEventType::Start
        } else {
            ListenerEventType::End
        };
        return create(p, at, listener, event);
    }
    if activating {
        element::of(at.element()).activate(p, at)
    } else {
        element::of(at.element()).complete(p, at)
    }
}

/// Asks for what follows the completion of a listener's job.
pub(crate) fn ask_complete(p: &mut Processing<'_>, at: &At) -> Outcome {
    use crate::record::intent::of::ProcessInstance;
    if !p.state().elements.contains(&at.key)? {
        return Err(Stop::fault("listener of an element that is gone"));
    }
    p.command(
        at.key,
        ProcessInstance::CompleteExecutionListener,
        Arc::clone(&at.record),
    )
}

/// Runs the phase of an element again after its incident was resolved.
pub(crate) fn retry(p: &mut Processing<'_>, at: &At) -> Outcome {
    let row = element::row(p, at)?;
    match row.state {
        ElementState::Activating => lifecycle::activate(p, at),
        ElementState::Completing => lifecycle::complete(p, at),
        ElementState::Activated | ElementState::Terminating => Err(Stop::fault(format!(
            "Expected element '{}' to be activating or completing, but it is in state '{}'",
            at.record.element_id,
            row.state.name()
        ))),
    }
}
