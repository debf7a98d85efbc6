//! JOB and JOB_BATCH events.
//!
//! A job's row never holds the variables handed to a worker or given by one: they are in the scopes,
//! or in the trigger that completes the element. A job is in at most one of the indexes of deadlines,
//! back-offs and activatable jobs.

use std::sync::Arc;

use crate::engine::apply::{Applied, missing, user_task};
use crate::engine::output::Applying;
use crate::ids::{Key, Timestamp};
use crate::record::value::{JobBatchRecord, JobKind, JobRecord};
use crate::record::{Document, Text};
use crate::state::{JobRow, JobState};

type Value = Arc<JobRecord>;

/// The record as the row keeps it.
fn stored(value: &Value) -> Arc<JobRecord> {
    if value.variables.is_empty() && value.changed_attributes.is_empty() {
        return value.clone();
    }
    Arc::new(JobRecord {
        variables: Document::EMPTY,
        changed_attributes: Vec::new(),
        ..JobRecord::clone(value)
    })
}

pub(super) fn created(a: &mut Applying<'_>, key: Key, value: &Value) -> Applied {
    let row = JobRow {
        record: stored(value),
        state: JobState::Activatable,
    };
    a.state.insert_job(key, row);
    a.state
        .elements
        .update(&value.element_instance_key, |element| {
            element.job_key = key;
        })?;
    Ok(())
}

pub(super) fn completed(a: &mut Applying<'_>, key: Key, value: &Value) -> Applied {
    a.state.remove_job(key)?;
    match value.kind {
        JobKind::ExecutionListener => {
            a.state
                .elements
                .update(&value.element_instance_key, |element| {
                    element.listener_index += 1;
                })?;
        }
        JobKind::TaskListener => user_task::listener_done(a, value.element_instance_key)?,
        JobKind::BpmnElement | JobKind::AdHocSubProcess => {}
    }
    release_element(a, key, value)
}

pub(super) fn canceled(a: &mut Applying<'_>, key: Key, value: &Value) -> Applied {
    a.state.remove_job(key)?;
    release_element(a, key, value)
}

fn release_element(a: &mut Applying<'_>, key: Key, value: &Value) -> Applied {
    a.state
        .elements
        .update(&value.element_instance_key, |element| {
            if element.job_key == key {
                element.job_key = Key::NONE;
            }
        })?;
    Ok(())
}

pub(super) fn batch_activated(
    a: &mut Applying<'_>,
    _key: Key,
    value: &Arc<JobBatchRecord>,
) -> Applied {
    for (key, job) in value.job_keys.iter().zip(&value.jobs) {
        let row = JobRow {
            record: stored(job),
            state: JobState::Activated,
        };
        a.state.put_job(*key, row)?;
    }
    Ok(())
}

pub(super) fn failed(a: &mut Applying<'_>, key: Key, value: &Value) -> Applied {
    let waits = value.retries <= 0 || value.retry_backoff > 0;
    let row = JobRow {
        record: stored(value),
        state: if waits {
            JobState::Failed
        } else {
            JobState::Activatable
        },
    };
    Ok(a.state.put_job(key, row)?)
}

pub(super) fn error_thrown(a: &mut Applying<'_>, key: Key, value: &Value) -> Applied {
    // A caught error has no further use for the job; an uncaught one waits for an operator.
    if value.element_id == crate::engine::NO_CATCH_EVENT_FOUND {
        let Some(row) = a.state.jobs.get(&key)? else {
            return Err(missing("job", key));
        };
        let record = JobRecord {
            error_code: value.error_code.clone(),
            error_message: value.error_message.clone(),
            element_id: value.element_id.clone(),
            ..JobRecord::clone(&row.record)
        };
        let row = JobRow {
            record: Arc::new(record),
            state: JobState::ErrorThrown,
        };
        return Ok(a.state.put_job(key, row)?);
    }
    a.state.remove_job(key)?;
    release_element(a, key, value)
}

pub(super) fn activatable_again(a: &mut Applying<'_>, key: Key, value: &Value) -> Applied {
    let record = JobRecord {
        deadline: Timestamp::NONE,
        recurring_time: Timestamp::NONE,
        worker: Text::EMPTY,
        ..JobRecord::clone(&stored(value))
    };
    let row = JobRow {
        record: Arc::new(record),
        state: JobState::Activatable,
    };
    Ok(a.state.put_job(key, row)?)
}

pub(super) fn retries_updated(a: &mut Applying<'_>, key: Key, value: &Value) -> Applied {
    change(a, key, |record| record.retries = value.retries)
}

pub(super) fn timeout_updated(a: &mut Applying<'_>, key: Key, value: &Value) -> Applied {
    change(a, key, |record| record.deadline = value.deadline)
}

pub(super) fn priority_updated(a: &mut Applying<'_>, key: Key, value: &Value) -> Applied {
    change(a, key, |record| record.priority = value.priority)
}

/// Says again what the events before it in the step have changed.
pub(super) fn updated(a: &mut Applying<'_>, key: Key, value: &Value) -> Applied {
    change(a, key, |record| {
        record.retries = value.retries;
        record.deadline = value.deadline;
        record.priority = value.priority;
    })
}

fn change(a: &mut Applying<'_>, key: Key, change: impl FnOnce(&mut JobRecord)) -> Applied {
    let Some(row) = a.state.jobs.get(&key)? else {
        return Err(missing("job", key));
    };
    let mut record = JobRecord::clone(&row.record);
    change(&mut record);
    let row = JobRow {
        record: Arc::new(record),
        state: row.state,
    };
    Ok(a.state.put_job(key, row)?)
}

/// The job of an element that was migrated: of another definition, otherwise as it was.
pub(super) fn migrated(a: &mut Applying<'_>, key: Key, value: &Value) -> Applied {
    let Some(row) = a.state.jobs.get(&key)? else {
        return Err(missing("job", key));
    };
    let row = JobRow {
        record: stored(value),
        state: row.state,
    };
    Ok(a.state.put_job(key, row)?)
}
