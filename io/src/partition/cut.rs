//! How a checkpoint becomes one cut through all partitions, without anybody coordinating it.
//!
//! Every command between partitions carries the number of the newest checkpoint of its sender. A
//! partition that is not as far creates that checkpoint first, in an entry of its own, and takes the
//! command after it. So what was sent behind the cut of one partition is never before the cut of
//! another; what was sent before and not yet taken in is sent again by its owner in the state.
//! Who is led by somebody else meanwhile passes stamps on and never lowers them.

use ringflow_core::engine::input::Command;
use ringflow_core::ids::Key;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::{CheckpointRecord, CheckpointType};

use crate::partition::process::Core;

/// The newest checkpoint of a partition, as it tells others.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Stamp {
    /// Its number; 0 = none.
    pub(crate) checkpoint: i64,
    pub(crate) kind: CheckpointType,
}

/// A command of a partition on its way to another.
#[derive(Clone, Debug)]
pub(crate) struct Stamped {
    pub(crate) stamp: Stamp,
    pub(crate) command: Command,
}

impl Stamped {
    /// A command that comes from no partition.
    pub(crate) fn unstamped(command: Command) -> Self {
        let stamp = Stamp::default();
        Self { stamp, command }
    }

    /// As it is now that its sender is at least at `stamp`.
    pub(crate) fn raised(self, stamp: Stamp) -> Self {
        let newer = stamp.checkpoint > self.stamp.checkpoint;
        Self {
            stamp: if newer { stamp } else { self.stamp },
            ..self
        }
    }
}

impl Core {
    /// What commands to other partitions carry from now on.
    pub(super) fn stamp(&self) -> Stamp {
        if self.engine.checkpoint() == 0 {
            return Stamp::default();
        }
        let newest = self.engine.state().newest_checkpoint();
        Stamp {
            checkpoint: newest.checkpoint_id,
            kind: newest.checkpoint_type,
        }
    }

    /// The command, or the creation of the checkpoint that its sender is past; the command is the
    /// next one then.
    pub(super) fn checkpoint_first(&mut self, stamped: Stamped) -> Command {
        let Stamped { stamp, command } = stamped;
        if stamp.checkpoint <= self.engine.checkpoint() {
            return command;
        }
        self.postponed = Some(command);
        create(stamp)
    }

    /// True if a command waits behind a checkpoint.
    pub(crate) fn has_postponed(&self) -> bool {
        self.postponed.is_some()
    }

    /// The newest checkpoint that is stored.
    pub(crate) fn newest_backup(&self) -> CheckpointRecord {
        self.engine.state().newest_backup()
    }

    /// Number of the newest checkpoint; 0 = none.
    pub(crate) fn checkpoint(&self) -> i64 {
        self.engine.checkpoint()
    }
}

/// The command that creates a checkpoint.
fn create(stamp: Stamp) -> Command {
    let record = CheckpointRecord {
        checkpoint_id: stamp.checkpoint,
        checkpoint_type: stamp.kind,
        ..CheckpointRecord::default()
    };
    Command::internal(Key::NONE, of::Checkpoint::Create, record)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_raised_and_never_lowered() {
        let of = |checkpoint| Stamp {
            checkpoint,
            kind: CheckpointType::ManualBackup,
        };
        let stamped = Stamped::unstamped(create(of(1)));
        assert_eq!(stamped.stamp.checkpoint, 0);
        let raised = stamped.raised(of(5));
        assert_eq!(raised.stamp, of(5));
        assert_eq!(raised.raised(of(4)).stamp, of(5));
    }
}
