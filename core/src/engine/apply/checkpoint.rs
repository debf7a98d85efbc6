//! CHECKPOINT events: the newest checkpoint, and the newest one that is stored.
//!
//! Of each at most one entry is kept; what was stored before is known to whoever stores it.

use std::sync::Arc;

use crate::engine::apply::Applied;
use crate::engine::output::Applying;
use crate::ids::Key;
use crate::record::value::CheckpointRecord;
use crate::state::{CheckpointKey, Index, checkpoint};

type Value = Arc<CheckpointRecord>;

pub(super) fn created(a: &mut Applying<'_>, _key: Key, value: &Value) -> Applied {
    replace(&mut a.state.checkpoints, value);
    Ok(())
}

pub(super) fn backup_confirmed(a: &mut Applying<'_>, _key: Key, value: &Value) -> Applied {
    replace(&mut a.state.backups, value);
    Ok(())
}

fn replace(newest: &mut Index<CheckpointKey>, value: &CheckpointRecord) {
    if let Some(before) = newest.first().copied() {
        newest.remove(&before);
    }
    newest.insert(checkpoint::key(value));
}
