//! USER_TASK ASSIGN, CLAIM, UPDATE, COMPLETE: what people do to a user task; COMPLETE_TASK_LISTENER
//! and DENY_TASK_LISTENER: what its listeners say to that.
//!
//! Every command of people needs the task to be CREATED. Each writes the event that begins the
//! transition; without listeners the one that ends it follows at once.

use std::rc::Rc;
use std::sync::Arc;

use crate::engine::fault::{Outcome, Stop};
use crate::engine::input::Command;
use crate::engine::lifecycle::At;
use crate::engine::output::Processing;
use crate::engine::rule::{task_transitions, user_tasks};
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
fn assigned(row: &UserTaskRow, value: &Value, default: &str) -> UserTaskRecord {
    let changed = row.record.assignee != value.assignee;
    UserTaskRecord {
        assignee: value.assignee.clone(),
        action: action(value, default),
        changed_attributes: if changed {
            vec![Text::from(user_tasks::ASSIGNEE)]
        } else {
            Vec::new()
        },
        ..UserTaskRecord::clone(&row.record)
    }
}

/// Gives the task to somebody, or takes it away.
pub(crate) fn assign(p: &mut Processing<'_>, command: &Command, value: &Value) -> Outcome {
    let row = require(p, command.key, "assign")?;
    let record = assigned(&row, value, "assign");
    begin(p, command, of::UserTask::Assigning, record)
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
    begin(p, command, of::UserTask::Claiming, record)
}

/// Begins a transition; its end answers the command.
fn begin(
    p: &mut Processing<'_>,
    command: &Command,
    intent: of::UserTask,
    record: UserTaskRecord,
) -> Outcome {
    let Some(at) = At::find(p, record.element_instance_key)? else {
        return Err(Stop::fault("a user task without its element"));
    };
    let record = Arc::new(UserTaskRecord {
        listeners_config_key: user_tasks::listeners_config(p),
        ..record
    });
    p.event(command.key, intent, record.clone())?;
    task_transitions::begin(p, &at, record, command.request).map(|_ended| ())
}

/// Changes candidates, dates and priority.
pub(crate) fn update(p: &mut Processing<'_>, command: &Command, value: &Value) -> Outcome {
    let key = command.key;
    let row = require(p, key, "update")?;
    let mut record = UserTaskRecord::clone(&row.record);
    let mut changed = Vec::new();
    for attribute in &value.changed_attributes {
        let differs = match attribute.as_str() {
            user_tasks::CANDIDATE_GROUPS => {
                replace(&mut record.candidate_groups, &value.candidate_groups)
            }
            user_tasks::CANDIDATE_USERS => {
                replace(&mut record.candidate_users, &value.candidate_users)
            }
            user_tasks::DUE_DATE => replace(&mut record.due_date, &value.due_date),
            user_tasks::FOLLOW_UP_DATE => {
                replace(&mut record.follow_up_date, &value.follow_up_date)
            }
            user_tasks::PRIORITY => {
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
    begin(p, command, of::UserTask::Updating, record)
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
    let record = UserTaskRecord {
        variables: value.variables.clone(),
        action: action(value, "complete"),
        ..UserTaskRecord::clone(&row.record)
    };
    begin(p, command, of::UserTask::Completing, record)
}

/// The transition that a listener of the task under `key` belongs to.
fn under_way(p: &Processing<'_>, key: Key, operation: &str) -> Outcome<(At, Value)> {
    let row = p.state().user_tasks.get(&key)?;
    let Some(pending) = row.and_then(|row| row.pending.first().cloned()) else {
        return Err(Stop::not_found(format!(
            "Expected to {operation} a task listener of user task with key '{key}', but no such user task was found"
        )));
    };
    match At::find(p, pending.element_instance_key)? {
        Some(at) => Ok((at, pending)),
        None => Err(Stop::fault("a user task without its element")),
    }
}

/// A listener is done: what it corrected counts from now on, and the transition goes on.
pub(crate) fn complete_listener(
    p: &mut Processing<'_>,
    command: &Command,
    value: &Value,
) -> Outcome {
    let (at, pending) = under_way(p, command.key, "complete")?;
    if value.changed_attributes.is_empty() {
        return task_transitions::go_on(p, &at, &pending);
    }
    let mut corrected = UserTaskRecord::clone(&pending);
    let mut changed = Vec::new();
    for attribute in &value.changed_attributes {
        let differs = match attribute.as_str() {
            user_tasks::ASSIGNEE => replace(&mut corrected.assignee, &value.assignee),
            user_tasks::CANDIDATE_GROUPS => {
                replace(&mut corrected.candidate_groups, &value.candidate_groups)
            }
            user_tasks::CANDIDATE_USERS => {
                replace(&mut corrected.candidate_users, &value.candidate_users)
            }
            user_tasks::DUE_DATE => replace(&mut corrected.due_date, &value.due_date),
            user_tasks::FOLLOW_UP_DATE => {
                replace(&mut corrected.follow_up_date, &value.follow_up_date)
            }
            user_tasks::PRIORITY => replace(&mut corrected.priority, &value.priority),
            other => return Err(Stop::fault(format!("correction of '{other}'"))),
        };
        if differs {
            changed.push(attribute.clone());
        }
    }
    if !changed.is_empty() {
        corrected.changed_attributes = changed;
        p.event(command.key, of::UserTask::Corrected, corrected.clone())?;
    }
    task_transitions::go_on(p, &at, &corrected)
}

/// A listener refuses the transition.
pub(crate) fn deny_listener(p: &mut Processing<'_>, command: &Command, value: &Value) -> Outcome {
    under_way(p, command.key, "deny")?;
    task_transitions::deny(p, command.key, value)
}
