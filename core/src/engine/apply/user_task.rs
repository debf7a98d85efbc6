//! USER_TASK events.
//!
//! An event that begins a transition changes the state only; what the transition changes reaches the
//! row with the event that ends it. Variables and action belong to the event, not to the row.

use std::sync::Arc;

use crate::engine::apply::{Applied, missing};
use crate::engine::output::Applying;
use crate::ids::Key;
use crate::record::value::UserTaskRecord;
use crate::record::{Document, Text};
use crate::state::{UserTaskRow, UserTaskState};

type Value = Arc<UserTaskRecord>;

/// The record as the row keeps it.
fn stored(value: &Value) -> Arc<UserTaskRecord> {
    Arc::new(UserTaskRecord {
        variables: Document::EMPTY,
        action: Text::EMPTY,
        changed_attributes: Vec::new(),
        denied_reason: Text::EMPTY,
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
    };
    Ok(a.state.user_tasks.put(key, row)?)
}

pub(super) fn assigning(a: &mut Applying<'_>, key: Key, _value: &Value) -> Applied {
    enter(a, key, UserTaskState::Assigning)
}

pub(super) fn claiming(a: &mut Applying<'_>, key: Key, _value: &Value) -> Applied {
    enter(a, key, UserTaskState::Claiming)
}

pub(super) fn updating(a: &mut Applying<'_>, key: Key, _value: &Value) -> Applied {
    enter(a, key, UserTaskState::Updating)
}

pub(super) fn completing(a: &mut Applying<'_>, key: Key, _value: &Value) -> Applied {
    enter(a, key, UserTaskState::Completing)
}

pub(super) fn canceling(a: &mut Applying<'_>, key: Key, _value: &Value) -> Applied {
    enter(a, key, UserTaskState::Canceling)
}

fn enter(a: &mut Applying<'_>, key: Key, state: UserTaskState) -> Applied {
    if a.state.user_tasks.update(&key, |row| row.state = state)? {
        Ok(())
    } else {
        Err(missing("user task", key))
    }
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
