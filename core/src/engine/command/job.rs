//! Job commands: what workers, operators and deadlines do to a job.
//!
//! There is no owner: a job that timed out can still be completed by its first worker as long as it
//! exists and is activatable or activated. Texts are Camunda's.

use std::rc::Rc;
use std::sync::Arc;

use crate::engine::NO_CATCH_EVENT_FOUND;
use crate::engine::command::ad_hoc;
use crate::engine::fault::{Outcome, Stop};
use crate::engine::input::Command;
use crate::engine::lifecycle::{self, At};
use crate::engine::output::Processing;
use crate::engine::rule::variables::{self, Owner};
use crate::engine::rule::{agents, errors, incidents, jobs, listeners, task_listeners, triggers};
use crate::ids::{Key, Timestamp};
use crate::record::Text;
use crate::record::intent::of;
use crate::record::value::{ErrorType, JobKind, JobRecord, JobResult, UserTaskRecord};
use crate::state::{JobRow, JobState};

mod activate;
mod update;

pub(crate) use activate::activate;
pub(crate) use update::{update, update_retries, update_timeout};

type Value = Arc<JobRecord>;

/// The job under `key` if its state allows `operation`.
fn require(
    p: &Processing<'_>,
    key: Key,
    operation: &str,
    allowed: &[JobState],
) -> Outcome<Rc<JobRow>> {
    let Some(row) = p.state().jobs.get(&key)? else {
        return Err(Stop::not_found(format!(
            "Expected to {operation} job with key '{key}', but no such job was found"
        )));
    };
    if allowed.contains(&row.state) {
        return Ok(row);
    }
    Err(Stop::invalid_state(format!(
        "Expected to {operation} job with key '{key}', but it is in state '{}'",
        row.state.name()
    )))
}

/// States in which a worker may report on a job.
const REPORTABLE: [JobState; 2] = [JobState::Activatable, JobState::Activated];

/// COMPLETE: the work is done.
pub(crate) fn complete(p: &mut Processing<'_>, command: &Command, value: &Value) -> Outcome {
    let key = command.key;
    let row = require(p, key, "complete", &REPORTABLE)?;
    match row.record.kind {
        JobKind::TaskListener => task_listeners::check(p, key, &row.record, value)?,
        JobKind::AdHocSubProcess => ad_hoc::check_job(p, key, &row.record, value.result.first())?,
        JobKind::BpmnElement | JobKind::ExecutionListener => {}
    }
    let completed = Arc::new(JobRecord {
        variables: value.variables.clone(),
        result: value.result.clone(),
        ..JobRecord::clone(&row.record)
    });
    p.event(key, of::Job::Completed, completed.clone())?;
    agents::job_completed(p, key, completed.process_instance_key)?;
    if let Some(at) = At::find(p, completed.element_instance_key)? {
        let target = at.record.element_id.clone();
        match completed.kind {
            JobKind::BpmnElement => {
                triggers::triggering(p, &at, &target, completed.variables.clone())?;
                lifecycle::ask_complete(p, &at)?;
            }
            JobKind::ExecutionListener => {
                triggers::triggering(p, &at, &target, completed.variables.clone())?;
                listeners::ask_complete(p, &at)?;
            }
            JobKind::TaskListener => ask_transition(p, &at, &completed)?,
            JobKind::AdHocSubProcess => {
                ad_hoc::follow_job(p, &at, completed.result.first())?;
                let owner = Owner::of(&at.record);
                variables::merge(p, at.key, &owner, &completed.variables)?;
            }
        }
    }
    p.respond(key, of::Job::Completed, completed);
    Ok(())
}

/// A task listener is done: the transition of its task goes on, or not.
fn ask_transition(p: &mut Processing<'_>, at: &At, completed: &JobRecord) -> Outcome {
    let task = task_listeners::pending(p, at)?;
    let key = task.user_task_key;
    let unchanged = JobResult::default();
    let result = completed.result.first().unwrap_or(&unchanged);
    if result.denied {
        let denied = UserTaskRecord {
            denied_reason: result.denied_reason.clone(),
            ..UserTaskRecord::clone(&task)
        };
        return p.command(key, of::UserTask::DenyTaskListener, denied);
    }
    let corrected = task_listeners::correct(&task, result)?;
    p.command(key, of::UserTask::CompleteTaskListener, corrected)
}

/// FAIL: the work could not be done; it is tried again while there are retries.
pub(crate) fn fail(p: &mut Processing<'_>, command: &Command, value: &Value) -> Outcome {
    let key = command.key;
    let row = require(p, key, "fail", &REPORTABLE)?;
    let backoff = value.retry_backoff.max(0);
    let waits = value.retries > 0 && backoff > 0;
    let failed = Arc::new(JobRecord {
        retries: value.retries,
        retry_backoff: backoff,
        recurring_time: if waits {
            p.now.plus_millis(backoff)
        } else {
            Timestamp::NONE
        },
        error_message: incidents::cut(p, &value.error_message),
        variables: value.variables.clone(),
        ..JobRecord::clone(&row.record)
    });
    p.event(key, of::Job::Failed, failed.clone())?;
    p.respond(key, of::Job::Failed, failed.clone());
    if let Some(at) = At::find(p, failed.element_instance_key)? {
        let owner = Owner::of(&at.record);
        variables::merge_local(p, at.key, &owner, &value.variables)?;
    }
    if failed.retries <= 0 {
        let message = if failed.error_message.is_empty() {
            Text::from("No more retries left.")
        } else {
            failed.error_message.clone()
        };
        let kind = match failed.kind {
            JobKind::BpmnElement => ErrorType::JobNoRetries,
            JobKind::ExecutionListener => ErrorType::ExecutionListenerNoRetries,
            JobKind::TaskListener => ErrorType::TaskListenerNoRetries,
            JobKind::AdHocSubProcess => ErrorType::AdHocSubProcessNoRetries,
        };
        return incidents::create_for_job(p, key, &failed, kind, &message);
    }
    if waits {
        return Ok(());
    }
    publish_again(p, key)
}

/// THROW_ERROR: the work ended with a business error.
pub(crate) fn throw_error(p: &mut Processing<'_>, command: &Command, value: &Value) -> Outcome {
    let key = command.key;
    let Some(row) = p.state().jobs.get(&key)? else {
        return Err(Stop::not_found(format!(
            "Expected to throw an error for job with key '{key}', but no such job was found"
        )));
    };
    if !REPORTABLE.contains(&row.state) {
        return Err(Stop::invalid_state(format!(
            "Expected to throw an error for job with key '{key}', but it is in state '{}'",
            row.state.name()
        )));
    }
    if matches!(
        row.record.kind,
        JobKind::ExecutionListener | JobKind::TaskListener
    ) {
        return Err(Stop::invalid_state(format!(
            "Cannot throw BPMN error from {} job with key '{key}', type '{}' and processInstanceKey '{}'",
            row.record.kind.name(),
            row.record.job_type,
            row.record.process_instance_key
        )));
    }
    let thrown = JobRecord {
        error_code: value.error_code.clone(),
        error_message: incidents::cut(p, &value.error_message),
        variables: value.variables.clone(),
        ..JobRecord::clone(&row.record)
    };
    let element = p.state().elements.get(&thrown.element_instance_key)?;
    if !element.is_some_and(|element| element.is_active()) {
        return Err(Stop::not_found(format!(
            "Expected to throw an error for job with key '{key}', but its element instance is not active"
        )));
    }
    match errors::find_error(p, &value.error_code, thrown.element_instance_key)? {
        Ok(catch) => {
            if !errors::accepts(p, &catch)? {
                return Err(Stop::invalid_state(format!(
                    "Expected to find event scope that is accepting events, but was {}",
                    catch.scope.key
                )));
            }
            let thrown = Arc::new(thrown);
            p.event(key, of::Job::ErrorThrown, thrown.clone())?;
            p.respond(key, of::Job::ErrorThrown, thrown);
            agents::job_gone(p, key, row.record.process_instance_key)?;
            errors::throw(p, &catch, value.variables.clone())
        }
        Err(available) => {
            let uncaught = Arc::new(JobRecord {
                element_id: Text::from(NO_CATCH_EVENT_FOUND),
                ..thrown.clone()
            });
            p.event(key, of::Job::ErrorThrown, uncaught.clone())?;
            p.respond(key, of::Job::ErrorThrown, uncaught);
            let mut message = format!(
                "Expected to throw an error event with the code '{}'",
                value.error_code
            );
            if !thrown.error_message.is_empty() {
                message.push_str(&format!(" with message '{}'", thrown.error_message));
            }
            message.push_str(", but it was not caught.");
            message.push_str(&errors::available_codes(&available));
            incidents::create_for_job(p, key, &thrown, ErrorType::UnhandledErrorEvent, &message)
        }
    }
}

/// TIME_OUT: the worker held the job for too long.
pub(crate) fn time_out(p: &mut Processing<'_>, command: &Command, _value: &Value) -> Outcome {
    let key = command.key;
    let refused = |reason: &str| {
        Err(Stop::not_found(format!(
            "Expected to time out activated job with key '{key}', but {reason}"
        )))
    };
    let Some(row) = p.state().jobs.get(&key)? else {
        return refused("no such job was found");
    };
    match row.state {
        JobState::Activated if row.record.deadline < p.now => {}
        JobState::Activated => return refused("it has not timed out"),
        JobState::Activatable => return refused("it must be activated first"),
        JobState::Failed => return refused("it is marked as failed and is not activated"),
        JobState::ErrorThrown => return refused("it has thrown an error and is not activated"),
    }
    p.event(key, of::Job::TimedOut, row.record.clone())?;
    publish_again(p, key)
}

/// YIELD: a pushed job did not reach its worker.
pub(crate) fn yield_back(p: &mut Processing<'_>, command: &Command, _value: &Value) -> Outcome {
    let key = command.key;
    let row = require(p, key, "yield", &[JobState::Activated])?;
    p.event(key, of::Job::Yielded, row.record.clone())?;
    // Not pushed again at once: the stream that could not take it would get it again.
    p.jobs_available(&row.record.job_type);
    Ok(())
}

/// RECUR_AFTER_BACKOFF: a failed job may be taken again.
pub(crate) fn recur(p: &mut Processing<'_>, command: &Command, _value: &Value) -> Outcome {
    let key = command.key;
    let refused = |reason: &str| {
        Err(Stop::not_found(format!(
            "Expected to back off failed job with key '{key}', but {reason}"
        )))
    };
    let Some(row) = p.state().jobs.get(&key)? else {
        return refused("no such job was found");
    };
    match row.state {
        JobState::Failed => {}
        JobState::Activatable => return refused("it is already activable"),
        JobState::Activated => return refused("it is already activated"),
        JobState::ErrorThrown => return refused("it is in error state"),
    }
    // A job that is not due, or waits for an operator, is said to be none in Camunda as well.
    let waits = p.state().incident_of_job(key)?.is_some() || row.record.retries <= 0;
    if waits || row.record.recurring_time > p.now {
        return refused("no such job was found");
    }
    p.event(key, of::Job::RecurredAfterBackoff, row.record.clone())?;
    publish_again(p, key)
}

fn publish_again(p: &mut Processing<'_>, key: Key) -> Outcome {
    match p.state().jobs.get(&key)? {
        Some(row) => jobs::publish(p, key, &row.record),
        None => Ok(()),
    }
}
