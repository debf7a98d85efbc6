//! GLOBAL_LISTENER CREATE, UPDATE, DELETE: what a client does to the listeners of all user tasks;
//! GLOBAL_LISTENER_BATCH CONFIGURE: what the settings of the cluster make of those that they own.
//!
//! The deployment partition decides, the others follow in its order. Every change makes a new
//! configuration. Listeners of the settings that are no longer there go; those of clients stay
//! (Camunda: `GlobalListenerCreateProcessor` and its kin, `GlobalListenerBatchConfigureProcessor`).

use std::sync::Arc;

use crate::engine::distribute;
use crate::engine::fault::{Outcome, Stop};
use crate::engine::input::Command;
use crate::engine::output::Processing;
use crate::ids::Key;
use crate::record::intent::of;
use crate::record::value::{GlobalListenerBatchRecord, GlobalListenerRecord, GlobalListenerSource};
use crate::record::{Rejection, RejectionType, Text};
use crate::state::State;

type Value = Arc<GlobalListenerRecord>;

/// All changes reach the partitions in one order.
const QUEUE: &str = "GLOBAL_LISTENERS";
/// Stands for all event types.
pub(crate) const ALL: &str = "all";
/// What a global listener can hear.
pub const EVENT_TYPES: [&str; 6] = [
    "creating",
    "assigning",
    "updating",
    "completing",
    "canceling",
    ALL,
];

/// Adds a listener.
pub(crate) fn create(p: &mut Processing<'_>, command: &Command, value: &Value) -> Outcome {
    let known = known(p, value)?;
    let exists = || {
        Rejection::new(
            RejectionType::AlreadyExists,
            format!(
                "Expected a global {} listener with id '{}' to not exist, but a listener with the same id was found",
                value.listener_type.name(),
                value.id
            ),
        )
    };
    if distribute::is_distributed(p, command.key) {
        match known {
            Some(_) => p.reject(command, exists())?,
            None => state(p, of::GlobalListener::Created, value.clone())?,
        }
        return distribute::acknowledge(p, command.key, command.intent);
    }
    id_is_there(value)?;
    if known.is_some() {
        return Err(Stop::Reject(exists()));
    }
    type_and_events_are_there(value)?;
    let key = p.next_key();
    decide(p, command, of::GlobalListener::Created, value, key)
}

/// Changes a listener.
pub(crate) fn update(p: &mut Processing<'_>, command: &Command, value: &Value) -> Outcome {
    if distribute::is_distributed(p, command.key) {
        state(p, of::GlobalListener::Updated, value.clone())?;
        return distribute::acknowledge(p, command.key, command.intent);
    }
    id_is_there(value)?;
    let key = existing(p, value)?.global_listener_key;
    type_and_events_are_there(value)?;
    decide(p, command, of::GlobalListener::Updated, value, key)
}

/// Takes a listener away.
pub(crate) fn delete(p: &mut Processing<'_>, command: &Command, value: &Value) -> Outcome {
    if distribute::is_distributed(p, command.key) {
        match known(p, value)? {
            Some(_) => state(p, of::GlobalListener::Deleted, value.clone())?,
            None => p.reject(command, missing(value))?,
        }
        return distribute::acknowledge(p, command.key, command.intent);
    }
    id_is_there(value)?;
    let known = existing(p, value)?;
    let key = known.global_listener_key;
    decide(p, command, of::GlobalListener::Deleted, &known, key)
}

/// Makes the listeners of the settings those that are listed.
pub(crate) fn configure(
    p: &mut Processing<'_>,
    command: &Command,
    value: &Arc<GlobalListenerBatchRecord>,
) -> Outcome {
    if distribute::is_distributed(p, command.key) {
        let current = p.state().global_listener_config.first().copied();
        if current == Some(value.global_listener_batch_key) {
            let reason = format!(
                "Expected to update the global listeners configuration, but a configuration with the same key '{}' is already applied",
                value.global_listener_batch_key
            );
            p.reject(
                command,
                Rejection::new(RejectionType::AlreadyExists, reason),
            )?;
        } else {
            state_batch(p, value)?;
        }
        return distribute::acknowledge(p, command.key, command.intent);
    }
    let now = p.state().global_task_listeners()?;
    if same(&now, &value.listeners) {
        p.respond(
            command.key,
            of::GlobalListenerBatch::Configured,
            value.clone(),
        );
        return Ok(());
    }
    let mut batch = GlobalListenerBatchRecord {
        global_listener_batch_key: p.next_key(),
        ..GlobalListenerBatchRecord::default()
    };
    let config = batch.global_listener_batch_key;
    for listener in &value.listeners {
        let before = now.iter().find(|known| known.id == listener.id);
        let key = match before {
            Some(before) => before.global_listener_key,
            None => p.next_key(),
        };
        let listener = GlobalListenerRecord {
            global_listener_key: key,
            config_key: config,
            ..GlobalListenerRecord::clone(listener)
        };
        match before {
            Some(_) => batch.updated_listener_keys.push(key),
            None => batch.created_listener_keys.push(key),
        }
        batch.listeners.push(Arc::new(listener));
    }
    for known in now {
        let owned = known.source == GlobalListenerSource::Configuration;
        if owned && !batch.listeners.iter().any(|it| it.id == known.id) {
            batch.deleted_listener_keys.push(known.global_listener_key);
            batch.listeners.push(known);
        }
    }
    let batch = Arc::new(batch);
    state_batch(p, &batch)?;
    p.respond(config, of::GlobalListenerBatch::Configured, batch.clone());
    distribute::distribute(p, config, QUEUE, command.intent, &batch.into())
}

/// Whether the listeners of the settings are those that are listed.
fn same(now: &[Value], listed: &[Value]) -> bool {
    let owned = |known: &&Value| known.source == GlobalListenerSource::Configuration;
    let keyless = |known: &Value| GlobalListenerRecord {
        global_listener_key: Key::NONE,
        config_key: Key::NONE,
        ..GlobalListenerRecord::clone(known)
    };
    let now: Vec<_> = now.iter().filter(owned).map(keyless).collect();
    now.len() == listed.len() && listed.iter().all(|it| now.contains(&keyless(it)))
}

fn state_batch(p: &mut Processing<'_>, batch: &Arc<GlobalListenerBatchRecord>) -> Outcome {
    let changes = [
        (&batch.deleted_listener_keys, of::GlobalListener::Deleted),
        (&batch.updated_listener_keys, of::GlobalListener::Updated),
        (&batch.created_listener_keys, of::GlobalListener::Created),
    ];
    for (keys, event) in changes {
        for key in keys {
            let listener = batch.listeners.iter();
            if let Some(listener) = listener.clone().find(|it| it.global_listener_key == *key) {
                p.event(*key, event, listener.clone())?;
            }
        }
    }
    p.event(
        batch.global_listener_batch_key,
        of::GlobalListenerBatch::Configured,
        batch.clone(),
    )
}

/// States a change of one listener, answers for it and tells the other partitions.
fn decide(
    p: &mut Processing<'_>,
    command: &Command,
    event: of::GlobalListener,
    value: &Value,
    key: Key,
) -> Outcome {
    let record = Arc::new(GlobalListenerRecord {
        global_listener_key: key,
        config_key: p.next_key(),
        ..GlobalListenerRecord::clone(value)
    });
    state(p, event, record.clone())?;
    p.respond(key, event, record.clone());
    let change = record.config_key;
    distribute::distribute(p, change, QUEUE, command.intent, &record.into())
}

fn state(p: &mut Processing<'_>, event: of::GlobalListener, record: Value) -> Outcome {
    let config = record.config_key;
    p.event(record.global_listener_key, event, record)?;
    let batch = GlobalListenerBatchRecord {
        global_listener_batch_key: config,
        ..GlobalListenerBatchRecord::default()
    };
    p.event(config, of::GlobalListenerBatch::Configured, batch)
}

fn known(p: &Processing<'_>, value: &Value) -> Outcome<Option<Value>> {
    let group = State::global_listener_group(value.listener_type);
    let row = p.state().global_listeners.get(&group, &value.id)?;
    Ok(row.map(|row| row.record.clone()))
}

fn existing(p: &Processing<'_>, value: &Value) -> Outcome<Value> {
    known(p, value)?.ok_or_else(|| Stop::Reject(missing(value)))
}

fn missing(value: &Value) -> Rejection {
    let reason = format!(
        "Expected a global {} listener with id '{}' to exist, but it was not found",
        value.listener_type.name(),
        value.id
    );
    Rejection::new(RejectionType::NotFound, reason)
}

fn id_is_there(value: &Value) -> Outcome {
    if value.id.trim().is_empty() {
        return Err(Stop::invalid_argument(format!(
            "Missing id for the provided global {} listener",
            value.listener_type.name()
        )));
    }
    Ok(())
}

fn type_and_events_are_there(value: &Value) -> Outcome {
    let (kind, id) = (value.listener_type.name(), &value.id);
    if value.job_type.trim().is_empty() {
        return Err(Stop::invalid_argument(format!(
            "Missing type for the provided global {kind} listener with id '{id}'"
        )));
    }
    if value.event_types.is_empty() {
        return Err(Stop::invalid_argument(format!(
            "Missing event types for the provided global {kind} listener with id '{id}'"
        )));
    }
    let unknown: Vec<&Text> = (value.event_types.iter())
        .filter(|event| !EVENT_TYPES.contains(&event.as_str()))
        .collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let list: Vec<String> = unknown.iter().map(|event| format!("'{event}'")).collect();
    Err(Stop::invalid_argument(format!(
        "Invalid event types for the provided global {kind} listener with id '{id}': {}",
        list.join(", ")
    )))
}
