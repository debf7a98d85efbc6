//! The newest checkpoint and the newest backup of a partition.
//!
//! Both are resident: every command to and from another partition is compared with the number of the
//! newest checkpoint.

use crate::ids::{Position, Timestamp};
use crate::record::value::{CheckpointRecord, CheckpointType};
use crate::state::{Index, State};

/// Number, position, time and kind of a checkpoint.
pub type CheckpointKey = (i64, Position, Timestamp, u8);

/// The key that stands for `record`.
pub(crate) fn key(record: &CheckpointRecord) -> CheckpointKey {
    (
        record.checkpoint_id,
        record.checkpoint_position,
        record.checkpoint_timestamp,
        record.checkpoint_type as u8,
    )
}

fn record(rows: &Index<CheckpointKey>) -> CheckpointRecord {
    let none = (0, Position(0), Timestamp(0), 0);
    let (checkpoint_id, checkpoint_position, checkpoint_timestamp, kind) =
        rows.first().copied().unwrap_or(none);
    CheckpointRecord {
        checkpoint_id,
        checkpoint_position,
        checkpoint_timestamp,
        checkpoint_type: CheckpointType::from_code(kind).unwrap_or_default(),
    }
}

impl State {
    /// The newest checkpoint; number 0 if there is none.
    #[must_use]
    pub fn newest_checkpoint(&self) -> CheckpointRecord {
        record(&self.checkpoints)
    }

    /// The newest checkpoint of which everything is stored; number 0 if there is none.
    #[must_use]
    pub fn newest_backup(&self) -> CheckpointRecord {
        record(&self.backups)
    }
}
