//! JOB UPDATE_RETRIES, UPDATE_TIMEOUT and UPDATE: an operator or worker changes a job.
//!
//! More retries do not resolve an incident; a new time-out counts from now and needs a job that is
//! activated. UPDATE changes only the attributes it names, all or none.

use std::rc::Rc;
use std::sync::Arc;

use crate::engine::fault::{Outcome, Stop};
use crate::engine::input::Command;
use crate::engine::output::Processing;
use crate::ids::Key;
use crate::record::Text;
use crate::record::intent::of;
use crate::record::value::JobRecord;
use crate::state::{JobRow, JobState};

type Value = Arc<JobRecord>;

fn find(p: &Processing<'_>, key: Key, operation: &str) -> Outcome<Rc<JobRow>> {
    p.state().jobs.get(&key)?.ok_or_else(|| {
        Stop::not_found(format!(
            "Expected to {operation} job with key '{key}', but no such job was found"
        ))
    })
}

fn positive_retries(key: Key, retries: i32) -> Outcome {
    if retries >= 1 {
        return Ok(());
    }
    Err(Stop::invalid_argument(format!(
        "Expected to update retries for job with key '{key}' with a positive amount of retries, but the amount given was '{retries}'"
    )))
}

fn active(key: Key, row: &JobRow) -> Outcome {
    match row.state {
        JobState::Activated => Ok(()),
        JobState::Activatable | JobState::Failed | JobState::ErrorThrown => {
            Err(Stop::invalid_state(format!(
                "Expected to update the timeout of job with key '{key}', but it is not active"
            )))
        }
    }
}

/// UPDATE_RETRIES: does not resolve the job's incident.
pub(crate) fn update_retries(p: &mut Processing<'_>, command: &Command, value: &Value) -> Outcome {
    let key = command.key;
    let row = find(p, key, "update retries for")?;
    positive_retries(key, value.retries)?;
    let updated = Arc::new(JobRecord {
        retries: value.retries,
        ..JobRecord::clone(&row.record)
    });
    p.event(key, of::Job::RetriesUpdated, updated.clone())?;
    p.respond(key, of::Job::RetriesUpdated, updated);
    Ok(())
}

/// UPDATE_TIMEOUT: the hold of an activated job ends that long from now.
pub(crate) fn update_timeout(p: &mut Processing<'_>, command: &Command, value: &Value) -> Outcome {
    let key = command.key;
    let row = find(p, key, "update deadline for").map_err(|_| {
        Stop::not_found(format!(
            "Expected to update job deadline with key '{key}', but no such job was found"
        ))
    })?;
    active(key, &row)?;
    let updated = Arc::new(JobRecord {
        timeout: value.timeout,
        deadline: p.now.plus_millis(value.timeout),
        ..JobRecord::clone(&row.record)
    });
    p.event(key, of::Job::TimeoutUpdated, updated.clone())?;
    p.respond(key, of::Job::TimeoutUpdated, updated);
    Ok(())
}

/// UPDATE: several fields at once, those named in the changed attributes.
pub(crate) fn update(p: &mut Processing<'_>, command: &Command, value: &Value) -> Outcome {
    let key = command.key;
    let row = find(p, key, "update")?;
    let changes = |name: &str| {
        let names = &value.changed_attributes;
        names.iter().any(|changed: &Text| *changed == *name)
    };
    let mut updated = JobRecord::clone(&row.record);
    if changes("retries") {
        positive_retries(key, value.retries)?;
        updated.retries = value.retries;
    }
    if changes("timeout") {
        active(key, &row)?;
        updated.timeout = value.timeout;
        updated.deadline = p.now.plus_millis(value.timeout);
    }
    updated
        .changed_attributes
        .clone_from(&value.changed_attributes);
    let updated = Arc::new(updated);
    p.event(key, of::Job::Updated, updated.clone())?;
    p.respond(key, of::Job::Updated, updated);
    Ok(())
}
