//! CHECKPOINT CREATE and CONFIRM_BACKUP: where the cut through all partitions goes.
//!
//! A checkpoint is created by the first command of its number, whoever sends it: somebody who asks
//! for a backup, or a command of another partition that is past it already. What the partition looks
//! like at that moment is stored once the records are committed ([`Effect::CheckpointCreated`]).

use std::sync::Arc;

use crate::engine::effect::Effect;
use crate::engine::fault::{Outcome, Stop};
use crate::engine::input::Command;
use crate::engine::output::Processing;
use crate::record::RejectionType;
use crate::record::intent::of;
use crate::record::value::CheckpointRecord;

type Value = Arc<CheckpointRecord>;

/// Creates a checkpoint, unless there is one as new.
pub(crate) fn create(p: &mut Processing<'_>, command: &Command, value: &Value) -> Outcome {
    let newest = p.state().newest_checkpoint();
    if value.checkpoint_id <= newest.checkpoint_id {
        let newest = Arc::new(newest);
        p.event(command.key, of::Checkpoint::Ignored, Arc::clone(&newest))?;
        p.respond(command.key, of::Checkpoint::Ignored, newest);
        return Ok(());
    }
    let created = Arc::new(CheckpointRecord {
        checkpoint_id: value.checkpoint_id,
        // The command is the last record so far.
        checkpoint_position: p.state().position(),
        checkpoint_timestamp: p.now,
        checkpoint_type: value.checkpoint_type,
    });
    p.event(command.key, of::Checkpoint::Created, Arc::clone(&created))?;
    p.respond(command.key, of::Checkpoint::Created, Arc::clone(&created));
    p.effect(Effect::CheckpointCreated(created));
    Ok(())
}

/// Notes that the backup of a checkpoint is whole.
pub(crate) fn confirm_backup(p: &mut Processing<'_>, command: &Command, value: &Value) -> Outcome {
    let newest = p.state().newest_backup();
    if value.checkpoint_id <= newest.checkpoint_id {
        return Err(Stop::reject(
            RejectionType::InvalidState,
            format!(
                "Expected to confirm backup for checkpoint {}, but a later backup {} already exists.",
                value.checkpoint_id, newest.checkpoint_id
            ),
        ));
    }
    let confirmed = of::Checkpoint::ConfirmedBackup;
    p.event(command.key, confirmed, Arc::clone(value))?;
    p.respond(command.key, confirmed, Arc::clone(value));
    Ok(())
}
