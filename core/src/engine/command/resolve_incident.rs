//! INCIDENT RESOLVE: an operator mended what an incident was about.
//!
//! A job becomes activatable again. An element runs the phase that failed once more, in the same
//! step and without a command record; if it fails again there is a new incident.

use std::sync::Arc;

use crate::engine::fault::{Outcome, Stop};
use crate::engine::input::Command;
use crate::engine::lifecycle::{self, At};
use crate::engine::output::Processing;
use crate::engine::rule::{jobs, listeners};
use crate::record::intent::of;
use crate::record::value::IncidentRecord;

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
    let result = listeners::retry(p, &at);
    lifecycle::raise_incident(p, &at, result)
}
