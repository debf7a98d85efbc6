//! INCIDENT RESOLVE: an operator mended what an incident was about.
//!
//! A job becomes activatable again. An element runs the phase that failed once more, in the same
//! step and without a command record; if it fails again there is a new incident.

use std::sync::Arc;

use crate::engine::element;
use crate::engine::fault::{Outcome, Stop};
use crate::engine::input::Command;
use crate::engine::lifecycle::{self, At};
use crate::engine::output::Processing;
use crate::engine::rule::{jobs, listeners, task_listeners, task_transitions};
use crate::record::intent::of;
use crate::record::value::{BpmnElementType, ErrorType, IncidentRecord};
use crate::state::ElementState;

/// Resolves an incident.
pub(crate) fn resolve(
    p: &mut Processing<'_>,
    command: &Command,
    _value: &Arc<IncidentRecord>,
) -> Outcome {
    let key = command.key;
    let Some(row) = p.state().incidents.get(&key)? else {
        return Err(Stop::not_found(format!(
            "Expected to resolve incident with key '{key}', but no such incident was found"
        )));
    };
    let incident = row.record.clone();
    let job_key = incident.job_key;
    let job = p.state().jobs.get(&job_key)?;
    if let Some(job) = &job
        && job.record.retries <= 0
    {
        return Err(Stop::invalid_state(format!(
            "Expected to resolve incident with key '{key}', but job with key '{job_key}' has no retries left. Please update the job retries and retry resolving the incident"
        )));
    }
    p.event(key, of::Incident::Resolved, incident.clone())?;
    p.respond(key, of::Incident::Resolved, incident.clone());
    if job_key.is_some() {
        return match p.state().jobs.get(&job_key)? {
            Some(job) => jobs::publish(p, job_key, &job.record),
            None => Ok(()),
        };
    }
    let Some(at) = At::find(p, incident.element_instance_key)? else {
        return Ok(());
    };
    let result = if is_of_task_listener(p, &at, &incident)? {
        let pending = task_listeners::pending(p, &at)?;
        task_transitions::go_on(p, &at, &pending)
    } else {
        listeners::retry(p, &at)
    };
    lifecycle::raise_incident(p, &at, result)
}

/// Whether an expression of a task listener failed: then the element's own phase is over.
fn is_of_task_listener(p: &Processing<'_>, at: &At, incident: &IncidentRecord) -> Outcome<bool> {
    let row = element::row(p, at)?;
    let phase_over = match row.state {
        ElementState::Activated | ElementState::Terminating => true,
        ElementState::Activating | ElementState::Completing => false,
    };
    Ok(phase_over
        && incident.error_type == ErrorType::ExtractValueError
        && at.record.bpmn_element_type == BpmnElementType::UserTask
        && row.user_task_key.is_some())
}
