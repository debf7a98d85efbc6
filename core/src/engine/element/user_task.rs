//! User task that the engine manages (`zeebe:userTask`).
//!
//! The task is created before ELEMENT_ACTIVATED and given to the assignee of the model after it. It
//! is completed by a command of a user, and cancelled with the element.

use crate::engine::element::{Element, Termination};
use crate::engine::fault::{Outcome, Stop};
use crate::engine::lifecycle::{self, At};
use crate::engine::output::Processing;
use crate::engine::rule::{incidents, jobs, subscriptions, user_tasks};
use crate::model::Behavior;

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
        let created = user_tasks::create(p, at, task, properties)?;
        lifecycle::activated(p, at)?;
        if assignee.is_empty() {
            return Ok(());
        }
        user_tasks::assign_first(p, &created, assignee)
    }

    fn terminate(&self, p: &mut Processing<'_>, at: &At) -> Outcome<Termination> {
        jobs::cancel(p, at)?;
        subscriptions::close(p, at)?;
        incidents::resolve_of_element(p, at)?;
        user_tasks::cancel(p, at)?;
        Ok(Termination::Done)
    }
}
