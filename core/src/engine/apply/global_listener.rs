//! GLOBAL_LISTENER events: a listener is there from CREATED to DELETED; GLOBAL_LISTENER_BATCH
//! CONFIGURED says under which key the listeners that are there now are known.
//!
//! Applying an event twice leaves the same rows.

use std::sync::Arc;

use crate::engine::apply::Applied;
use crate::engine::output::Applying;
use crate::ids::Key;
use crate::record::value::{GlobalListenerBatchRecord, GlobalListenerRecord};
use crate::state::{GlobalListenerRow, State};

type Value = Arc<GlobalListenerRecord>;

pub(super) fn written(a: &mut Applying<'_>, _key: Key, value: &Value) -> Applied {
    let group = State::global_listener_group(value.listener_type);
    let row = GlobalListenerRow {
        record: value.clone(),
    };
    Ok(a.state.global_listeners.put(group, value.id.clone(), row)?)
}

pub(super) fn deleted(a: &mut Applying<'_>, _key: Key, value: &Value) -> Applied {
    let group = State::global_listener_group(value.listener_type);
    Ok(a.state.global_listeners.remove(&group, &value.id)?)
}

pub(super) fn configured(
    a: &mut Applying<'_>,
    _key: Key,
    value: &Arc<GlobalListenerBatchRecord>,
) -> Applied {
    if let Some(before) = a.state.global_listener_config.first().copied() {
        a.state.global_listener_config.remove(&before);
    }
    a.state
        .global_listener_config
        .insert(value.global_listener_batch_key);
    Ok(())
}
