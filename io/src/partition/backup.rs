//! A checkpoint is committed: what is to be stored is noted down and held, and somebody is told.
//!
//! Runs on the shard and only remembers: the newest snapshot, the range of the log up to the
//! checkpoint's entry, and a hold that keeps both on disk ([`Compaction`](super::compact)). Reading
//! and storing is done by whoever takes the [`BackupTask`]; if nobody does, or too many wait, the
//! backup is not whole and its states say so.

use std::sync::Arc;

use ringflow_core::ids::Position;

use crate::backup::{BackupTask, TakeBackup};
use crate::partition::Partition;

/// Looks whether a checkpoint was just committed here; to be called after every applied entry.
pub(crate) fn begin(partition: &Partition) {
    let (created, at) = {
        let mut core = partition.core.borrow_mut();
        let Some(created) = core.cut.take() else {
            return;
        };
        (created, core.applied())
    };
    let metrics = &partition.mailbox.metrics;
    metrics.checkpoint_id.set(created.checkpoint_id as u64);
    metrics
        .checkpoint_position
        .set(created.checkpoint_position.0);
    tracing::info!(
        partition = %partition.id(),
        checkpoint = created.checkpoint_id,
        position = %created.checkpoint_position,
        kind = created.checkpoint_type.name(),
        "a checkpoint was created"
    );
    if !partition.shared.options.backups || !created.checkpoint_type.is_backup() {
        return;
    }
    let snapshot = partition.compaction.newest();
    let first = partition.compaction.first_kept(partition);
    let purged = match partition.log.entry_before(first) {
        Ok(purged) => purged,
        Err(error) => {
            tracing::error!(partition = %partition.id(), %error, "a backup cannot be begun");
            return;
        }
    };
    let task = TakeBackup::new(TakeBackup {
        partition: partition.id(),
        checkpoint: (*created).clone(),
        at,
        snapshot,
        log: partition.log.reader(),
        purged,
        next: first,
        chain: None,
        mailbox: Arc::clone(&partition.mailbox),
        hold: partition.compaction.hold(first),
    });
    tell(partition, BackupTask::Take(Box::new(task)));
}

/// A new leader does not know what became of the backup of `checkpoint`: it is as good as failed,
/// unless it is whole.
pub(crate) fn abandon(partition: &Partition, checkpoint: i64) {
    partition
        .mailbox
        .metrics
        .checkpoint_id
        .set(checkpoint as u64);
    if partition.shared.options.backups && checkpoint > 0 {
        let partition_id = partition.id();
        tell(
            partition,
            BackupTask::Abandoned {
                partition: partition_id,
                checkpoint,
            },
        );
    }
}

fn tell(partition: &Partition, task: BackupTask) {
    if let Err(lost) = partition.shared.backups.try_send(task) {
        tracing::warn!(partition = %partition.id(), %lost, "a backup has nobody to store it");
    }
}

/// Up to where the log may be forgotten although the next backup has to begin where the last one
/// ended; `None` if that does not matter.
pub(crate) fn last_stored(partition: &Partition) -> Option<Position> {
    if !partition.shared.options.continuous_backups {
        return None;
    }
    let core = partition.core.borrow();
    let newest = core.newest_backup();
    (newest.checkpoint_id > 0).then_some(newest.checkpoint_position)
}
