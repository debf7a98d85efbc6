//! JOB UPDATE_RETRIES, UPDATE_TIMEOUT and UPDATE: an operator or worker changes a job.
//!
//! More retries do not resolve an incident; a new time-out counts from now and needs a job that is
//! activated; a new priority counts when the job can be taken again. UPDATE changes only the
//! attributes it names: an event for each, then one that sums them up. What can be changed is
//! changed even if the command is refused for what cannot.

use std::rc::Rc;
use std::sync::Arc;

use crate::engine::fault::{Outcome, Stop};
use crate::engine::input::Command;
use crate::engine::output::Processing;
use crate::ids::Key;
use crate::record::intent::of;
use crate::record::value::JobRecord;
use crate::record::{Rejection, RejectionType, Text};
use crate::state::{JobRow, JobState};

type Value = Arc<JobRecord>;

fn find(p: &Processing<'_>, key: Key) -> Outcome<Rc<JobRow>> {
    p.state().jobs.get(&key)?.ok_or_else(|| {
        Stop::not_found(format!(
            "Expected to update job with key '{key}', but no such job was found"
        ))
    })
}

/// What is wrong with a number of retries.
fn no_retries(key: Key, retries: i32) -> Option<String> {
    (retries < 1).then(|| {
        format!(
            "Expected to update retries for job with key '{key}' with a positive amount of retries, but the amount given was '{retries}'"
        )
    })
}

/// What is wrong with a new time-out of a job.
fn not_active(key: Key, row: &JobRow) -> Option<String> {
    match row.state {
        JobState::Activated => None,
        JobState::Activatable | JobState::Failed | JobState::ErrorThrown => Some(format!(
            "Expected to update the timeout of job with key '{key}', but it is not active"
        )),
    }
}

/// UPDATE_RETRIES: does not resolve the job's incident.
pub(crate) fn update_retries(p: &mut Processing<'_>, command: &Command, value: &Value) -> Outcome {
    let key = command.key;
    let row = find(p, key)?;
    if let Some(wrong) = no_retries(key, value.retries) {
        return Err(Stop::invalid_argument(wrong));
    }
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
    let row = find(p, key)?;
    if let Some(wrong) = not_active(key, &row) {
        return Err(Stop::invalid_state(wrong));
    }
    let updated = Arc::new(JobRecord {
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
    let row = find(p, key)?;
    let changes = |name: &str| {
        let names = &value.changed_attributes;
        names.iter().any(|changed: &Text| *changed == *name)
    };
    let (retries, timeout) = (changes("retries"), changes("timeout"));
    let wrong = [
        retries.then(|| no_retries(key, value.retries)).flatten(),
        timeout.then(|| not_active(key, &row)).flatten(),
    ];
    let [retries, timeout] = [retries && wrong[0].is_none(), timeout && wrong[1].is_none()];
    let mut updated = row.record.clone();
    let mut change = |p: &mut Processing<'_>, intent, change: &dyn Fn(&mut JobRecord)| {
        change(Arc::make_mut(&mut updated));
        p.event(key, intent, updated.clone())
    };
    if retries {
        change(p, of::Job::RetriesUpdated, &|job| {
            job.retries = value.retries;
        })?;
    }
    if timeout {
        let deadline = p.now.plus_millis(value.timeout);
        change(p, of::Job::TimeoutUpdated, &|job| job.deadline = deadline)?;
    }
    let wrong: Vec<String> = wrong.into_iter().flatten().collect();
    if !wrong.is_empty() {
        let rejection = Rejection::new(RejectionType::InvalidArgument, wrong.join(", "));
        return p.reject(command, rejection);
    }
    if changes("priority") {
        change(p, of::Job::PriorityUpdated, &|job| {
            job.priority = value.priority;
        })?;
    }
    p.event(key, of::Job::Updated, updated.clone())?;
    p.respond(key, of::Job::Updated, updated);
    Ok(())
}
