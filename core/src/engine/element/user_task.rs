//! User task that the engine manages (`zeebe:userTask`).
//!
//! The task is created before ELEMENT_ACTIVATED and given to the assignee of the model after it. It
//! is completed by a command of a user, and cancelled with the element. A listener of its creation
//! does not keep the element from being activated; a listener of its cancellation keeps it from being
//! terminated.

use crate::engine::element::{Element, Termination};
use crate::engine::fault::{Outcome, Stop};
use crate::engine::lifecycle::{self, At};
use crate::engine::output::Processing;
use crate::engine::rule::{
    incidents, jobs, subscriptions, task_listeners, task_transitions, user_tasks,
};
use crate::model::{Behavior, TaskListenerEvent};

/// A user task.
pub(super) struct UserTask;

impl Element for UserTask {
    fn activate(&self, p: &mut Processing<'_>, at: &At) -> Outcome {
        let Behavior::UserTask(task) = &at.element().behavior else {
            return Err(Stop::fault("not a user task"));
        };
        let properties = user_tasks::evaluate(p, at, task)?;
        subscriptions::open(p, at)?;
        let assignee = properties.assignee.clone();
        let creating = user_tasks::create(p, at, &task.headers, properties)?;
        if task_listeners::call(p, at, TaskListenerEvent::Creating, 0, &creating, &[])? {
            return lifecycle::activated(p, at);
        }
        let created = user_tasks::created(p, creating)?;
        lifecycle::activated(p, at)?;
        if assignee.is_empty() {
            return Ok(());
        }
        task_transitions::assign_first(p, at, &created, assignee)
    }

    fn terminate(&self, p: &mut Processing<'_>, at: &At) -> Outcome<Termination> {
        jobs::cancel(p, at)?;
        subscriptions::close(p, at)?;
        incidents::resolve_of_element(p, at)?;
        if task_transitions::cancel(p, at)? {
            Ok(Termination::Done)
        } else {
            Ok(Termination::Waits)
        }
    }
}
