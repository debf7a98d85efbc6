//! USER_TASK ASSIGN, CLAIM, UPDATE, COMPLETE: what people do to a user task.
//!
//! Every command needs the task to be CREATED. Each writes the event that begins the transition and,
//! as there are no task listeners in between, the one that ends it.

use std::rc::Rc;
use std::sync::Arc;

use crate::engine::fault::{Outcome, Stop};
use crate::engine::input::Command;
use crate::engine::lifecycle;
use crate::engine::output::Processing;
use crate::engine::rule::{triggers, user_tasks};
use crate::ids::Key;
use crate::record::Text;
use crate::record::intent::of;
use crate::record::value::UserTaskRecord;
use crate::state::{UserTaskRow, UserTaskState};

type Value = Arc<UserTaskRecord>;

/// The task under `key`, if it waits for somebody.
fn require(p: &Processing<'_>, key: Key, operation: &str) -> Outcome<Rc<UserTaskRow>> {
    let Some(row) = p.state().user_tasks.get(&key)? else {
        return Err(Stop::not_found(format!(
            "Expected to {operation} user task with key '{key}', but no such user task was found"
        )));
    };
    if row.state == UserTaskState::Created {
        return Ok(row);
    }
    Err(Stop::invalid_state(format!(
        "Expected to {operation} user task with key '{key}', but it is in state '{}'",
        row.state.name()
    )))
}

/// What the caller calls the transition.
fn action(value: &Value, default: &str) -> Text {
    if value.action.is_empty() {
        Text::from(default)
    } else {
        value.action.clone()
    }
}

/// The task in the hands of `value.assignee`; of nobody if that is empty.
fn assigned(row: &UserTaskRow, value: &Value, default: &str) -> Value {
    let changed = row.record.assignee != value.assignee;
    Arc::new(UserTaskRecord {
        assignee: value.assignee.clone(),
        action: action(value, default),
        changed_attributes: if changed {
            vec![Text::from(user_tasks::ASSIGNEE)]
        } else {
            Vec::new()
        },
        ..UserTaskRecord::clone(&row.record)
    })
}

/// Gives the task to somebody, or takes it away.
pub(crate) fn assign(p: &mut Processing<'_>, command: &Command, value: &Value) -> Outcome {
    let row = require(p, command.key, "assign")?;
    let record = assigned(&row, value, "assign");
    p.event(command.key, of::UserTask::Assigning, record.clone())?;
    settle(p, command, of::UserTask::Assigned, record)
}

/// Gives the task to somebody unless another one has it.
pub(crate) fn claim(p: &mut Processing<'_>, command: &Command, value: &Value) -> Outcome {
    let key = command.key;
    let row = require(p, key, "claim")?;
    if value.assignee.trim().is_empty() {
        return Err(Stop::invalid_state(format!(
            "Expected to claim user task with key '{key}', but provided assignee is empty"
        )));
    }
    let holder = &row.record.assignee;
    if !holder.trim().is_empty() && *holder != value.assignee {
        return Err(Stop::invalid_state(format!(
            "Expected to claim user task with key '{key}', but it has already been assigned"
        )));
    }
    let record = assigned(&row, value, "claim");
    p.event(key, of::UserTask::Claiming, record.clone())?;
    settle(p, command, of::UserTask::Assigned, record)
}

fn settle(
    p: &mut Processing<'_>,
    command: &Command,
    intent: of::UserTask,
    record: Value,
) -> Outcome {
    p.event(command.key, intent, record.clone())?;
    p.respond(command.key, intent, record);
    Ok(())
}

/// Changes candidates, dates and priority.
pub(crate) fn update(p: &mut Processing<'_>, command: &Command, value: &Value) -> Outcome {
    let key = command.key;
    let row = require(p, key, "update")?;
    let mut record = UserTaskRecord::clone(&row.record);
    let mut changed = Vec::new();
    for attribute in &value.changed_attributes {
        let differs = match attribute.as_str() {
            "candidateGroupsList" => replace(&mut record.candidate_groups, &value.candidate_groups),
            "candidateUsersList" => replace(&mut record.candidate_users, &value.candidate_users),
            "dueDate" => replace(&mut record.due_date, &value.due_date),
            "followUpDate" => replace(&mut record.follow_up_date, &value.follow_up_date),
            "priority" => {
                if !user_tasks::PRIORITIES.contains(&i64::from(value.priority)) {
                    return Err(Stop::invalid_argument(format!(
                        "Expected to update user task with key '{key}', but the priority '{}' is not in the range [{},{}]",
                        value.priority,
                        user_tasks::PRIORITIES.start(),
                        user_tasks::PRIORITIES.end()
                    )));
                }
                replace(&mut record.priority, &value.priority)
            }
            other => {
                return Err(Stop::invalid_argument(format!(
                    "Expected to update user task with key '{key}', but the attribute '{other}' cannot be updated"
                )));
            }
        };
        if differs {
            changed.push(attribute.clone());
        }
    }
    record.changed_attributes = changed;
    record.action = action(value, "update");
    let record = Arc::new(record);
    p.event(key, of::UserTask::Updating, record.clone())?;
    settle(p, command, of::UserTask::Updated, record)
}

/// Puts `new` in the place of `old`; true if they differ.
fn replace<T: PartialEq + Clone>(old: &mut T, new: &T) -> bool {
    let differs = old != new;
    if differs {
        old.clone_from(new);
    }
    differs
}

/// The work is done.
pub(crate) fn complete(p: &mut Processing<'_>, command: &Command, value: &Value) -> Outcome {
    let key = command.key;
    let row = require(p, key, "complete")?;
    let record = Arc::new(UserTaskRecord {
        variables: value.variables.clone(),
        action: action(value, "complete"),
        ..UserTaskRecord::clone(&row.record)
    });
    p.event(key, of::UserTask::Completing, record.clone())?;
    p.event(key, of::UserTask::Completed, record.clone())?;
    if let Some(at) = user_tasks::waiting_element(p, &record)? {
        let target = at.record.element_id.clone();
        triggers::triggering(p, &at, &target, record.variables.clone())?;
        lifecycle::ask_complete(p, &at)?;
    }
    p.respond(key, of::UserTask::Completed, record);
    Ok(())
}
