//! USER_TASK events, and VARIABLE_DOCUMENT events that concern a user task.
//!
//! An event that begins a transition changes the state and keeps what the transition will make of
//! the task; the task itself changes with the event that ends it. Variables and action belong to the
//! transition, not to the task.

use std::sync::Arc;

use crate::engine::apply::{Applied, missing};
use crate::engine::fault::Fault;
use crate::engine::output::Applying;
use crate::ids::Key;
use crate::record::value::{GlobalListenerRecord, UserTaskRecord, VariableDocumentRecord};
use crate::record::{Document, Text};
use crate::state::{UserTaskRow, UserTaskState, VariableUpdate};

type Value = Arc<UserTaskRecord>;

/// The global listeners that a transition calls: none if it names no configuration of them.
fn global_listeners(
    a: &Applying<'_>,
    value: &UserTaskRecord,
) -> Result<Vec<Arc<GlobalListenerRecord>>, Fault> {
    if value.listeners_config_key.is_some() {
        return Ok(a.state.global_task_listeners()?);
    }
    Ok(Vec::new())
}

/// The record as the row keeps it.
fn stored(value: &Value) -> Arc<UserTaskRecord> {
    Arc::new(UserTaskRecord {
        variables: Document::EMPTY,
        action: Text::EMPTY,
        changed_attributes: Vec::new(),
        denied_reason: Text::EMPTY,
        listeners_config_key: Key::NONE,
        ..UserTaskRecord::clone(value)
    })
}

pub(super) fn creating(a: &mut Applying<'_>, key: Key, value: &Value) -> Applied {
    let record = UserTaskRecord {
        assignee: Text::EMPTY,
        ..UserTaskRecord::clone(&stored(value))
    };
    let row = UserTaskRow {
        record: Arc::new(record),
        state: UserTaskState::Creating,
        pending: vec![value.clone()],
        first_assignee: value.assignee.clone(),
        global_listeners: global_listeners(a, value)?,
        ..UserTaskRow::default()
    };
    a.state.user_tasks.insert_new(key, row);
    a.state
        .elements
        .update(&value.element_instance_key, |element| {
            element.user_task_key = key;
        })?;
    Ok(())
}

/// The transition ended: the row becomes what the event says.
pub(super) fn settled(a: &mut Applying<'_>, key: Key, value: &Value) -> Applied {
    let row = UserTaskRow {
        record: stored(value),
        state: UserTaskState::Created,
        ..UserTaskRow::default()
    };
    Ok(a.state.user_tasks.put(key, row)?)
}

pub(super) fn assigning(a: &mut Applying<'_>, key: Key, value: &Value) -> Applied {
    enter(a, key, UserTaskState::Assigning, value)
}

pub(super) fn claiming(a: &mut Applying<'_>, key: Key, value: &Value) -> Applied {
    enter(a, key, UserTaskState::Claiming, value)
}

pub(super) fn updating(a: &mut Applying<'_>, key: Key, value: &Value) -> Applied {
    enter(a, key, UserTaskState::Updating, value)
}

pub(super) fn completing(a: &mut Applying<'_>, key: Key, value: &Value) -> Applied {
    enter(a, key, UserTaskState::Completing, value)
}

pub(super) fn canceling(a: &mut Applying<'_>, key: Key, value: &Value) -> Applied {
    change(a, key, |row| row.variable_update.clear())?;
    enter(a, key, UserTaskState::Canceling, value)
}

fn enter(a: &mut Applying<'_>, key: Key, state: UserTaskState, value: &Value) -> Applied {
    let global_listeners = global_listeners(a, value)?;
    change(a, key, |row| {
        row.global_listeners = global_listeners;
        row.state = state;
        row.pending = vec![value.clone()];
        row.listeners_done = 0;
    })
}

fn change(a: &mut Applying<'_>, key: Key, f: impl FnOnce(&mut UserTaskRow)) -> Applied {
    if a.state.user_tasks.update(&key, f)? {
        Ok(())
    } else {
        Err(missing("user task", key))
    }
}

/// A listener corrected what the transition will make of the task.
pub(super) fn corrected(a: &mut Applying<'_>, key: Key, value: &Value) -> Applied {
    change(a, key, |row| {
        for pending in &mut row.pending {
            *pending = Arc::new(UserTaskRecord {
                assignee: value.assignee.clone(),
                candidate_groups: value.candidate_groups.clone(),
                candidate_users: value.candidate_users.clone(),
                due_date: value.due_date.clone(),
                follow_up_date: value.follow_up_date.clone(),
                priority: value.priority,
                ..UserTaskRecord::clone(pending)
            });
        }
    })
}

/// A listener refused the transition: the task is as it was before.
pub(super) fn denied(a: &mut Applying<'_>, key: Key, _value: &Value) -> Applied {
    change(a, key, |row| {
        row.state = UserTaskState::Created;
        row.pending.clear();
        row.listeners_done = 0;
        row.global_listeners.clear();
        row.variable_update.clear();
    })
}

pub(super) fn ended(a: &mut Applying<'_>, key: Key, value: &Value) -> Applied {
    a.state.user_tasks.remove(&key)?;
    a.state
        .elements
        .update(&value.element_instance_key, |element| {
            if element.user_task_key == key {
                element.user_task_key = Key::NONE;
            }
        })?;
    Ok(())
}

/// The task of an element instance will set variables when its update is done.
pub(super) fn variables_updating(
    a: &mut Applying<'_>,
    key: Key,
    value: &Arc<VariableDocumentRecord>,
) -> Applied {
    let element = a.state.elements.get(&value.scope_key)?;
    let task = element.map_or(Key::NONE, |element| element.user_task_key);
    change(a, task, |row| {
        row.variable_update = vec![VariableUpdate {
            key,
            record: value.clone(),
        }];
    })
}

/// A listener of the task of an element instance is done.
pub(super) fn listener_done(a: &mut Applying<'_>, element: Key) -> Applied {
    let element = a.state.elements.get(&element)?;
    let task = element.map_or(Key::NONE, |element| element.user_task_key);
    a.state
        .user_tasks
        .update(&task, |row| row.listeners_done += 1)?;
    Ok(())
}

/// The task of an element that was migrated: of another definition, otherwise as it was; so is what
/// a change under way will leave.
pub(super) fn migrated(a: &mut Applying<'_>, key: Key, value: &Value) -> Applied {
    let record = stored(value);
    change(a, key, |row| {
        for pending in &mut row.pending {
            *pending = Arc::new(UserTaskRecord {
                process_definition_key: record.process_definition_key,
                process_definition_version: record.process_definition_version,
                bpmn_process_id: record.bpmn_process_id.clone(),
                element_id: record.element_id.clone(),
                ..UserTaskRecord::clone(pending)
            });
        }
        row.record = record;
    })
}
