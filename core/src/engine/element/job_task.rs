//! Work done by a job worker: service, send, script and business rule tasks with a task definition,
//! message throw and end events, user tasks without `zeebe:userTask`.
//!
//! Type and retries are evaluated when the task activates; boundary events are subscribed before the
//! job exists. The job's result waits as a trigger until the output mappings take it.

use crate::engine::element::Element;
use crate::engine::fault::{Outcome, Stop};
use crate::engine::lifecycle::{self, At};
use crate::engine::output::Processing;
use crate::engine::rule::{jobs, subscriptions, user_tasks};
use crate::model::{Behavior, Job, ThrowEvent};

/// A task with a job.
pub(super) struct JobTask;

/// What the model says about the job.
fn job(at: &At) -> Outcome<&Job> {
    if let Behavior::Job(job)
    | Behavior::Throw(ThrowEvent::Job(job))
    | Behavior::End(ThrowEvent::Job(job)) = &at.element().behavior
    {
        return Ok(job);
    }
    Err(Stop::fault(format!(
        "'{}' has no job",
        at.record.element_id
    )))
}

impl Element for JobTask {
    fn activate(&self, p: &mut Processing<'_>, at: &At) -> Outcome {
        let job = job(at)?;
        let mut properties = jobs::evaluate(p, at, job)?;
        if let Some(task) = &job.user_task {
            let headers = user_tasks::job_headers(p, at, task, &job.headers)?;
            properties.headers = jobs::headers(&headers);
        }
        subscriptions::open(p, at)?;
        jobs::create(p, at, properties)?;
        lifecycle::activated(p, at)
    }
}
