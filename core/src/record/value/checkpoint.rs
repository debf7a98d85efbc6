//! Checkpoints: a place in the log of every partition, all of which together are one cut.
//!
//! Zeebe: `CheckpointRecord`. CREATE and CONFIRM_BACKUP carry id and kind; what is stated carries all
//! fields. IGNORED is about the newest checkpoint there is, not about the one that was asked for.

use crate::ids::{Position, Timestamp};
use crate::{field_enum, record_value};

field_enum! {
    /// What a checkpoint is taken for.
    pub enum CheckpointType {
        /// Nothing is stored.
        #[default] Marker = 0 "MARKER",
        /// A backup that the schedule asks for.
        ScheduledBackup = 1 "SCHEDULED_BACKUP",
        /// A backup that somebody asks for.
        ManualBackup = 2 "MANUAL_BACKUP",
    }
}

impl CheckpointType {
    /// True if the partition is stored as it is at the checkpoint.
    #[must_use]
    pub const fn is_backup(self) -> bool {
        match self {
            Self::Marker => false,
            Self::ScheduledBackup | Self::ManualBackup => true,
        }
    }
}

record_value! {
    /// A checkpoint of one partition.
    pub struct CheckpointRecord {
        /// Its number, the same on all partitions; later ones are larger. 0 = there is none.
        checkpoint_id "checkpointId": i64,
        /// Position of the command that created it.
        checkpoint_position "checkpointPosition": Position,
        /// When it was created.
        checkpoint_timestamp "checkpointTimestamp": Timestamp = Timestamp(0),
        /// What it is taken for.
        checkpoint_type "checkpointType": CheckpointType,
    }
}
