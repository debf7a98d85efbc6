//! Files in a partition's directory that say something was begun and is not finished.
//!
//! Each is empty; that it exists is all it says. Set and cleared durably: a marker that a crash left
//! behind costs a step that is done again, one that a crash took away would let a half-done step
//! pass for a whole one.

use ringflow_storage::{Error, PartitionDir};

/// What was begun.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Marker {
    /// The replica began with an empty disk (`raft/join.rs`).
    Joining,
    /// The state is being replaced by a received snapshot (`raft/receive.rs`).
    Installing,
    /// The replica began with a snapshot that is not exported (`partition/unexported.rs`).
    Unexported,
}

impl Marker {
    const fn name(self) -> &'static str {
        match self {
            Self::Joining => "joining",
            Self::Installing => "installing",
            Self::Unexported => "unexported",
        }
    }
}

pub(crate) fn is_set(dir: &PartitionDir, marker: Marker) -> bool {
    dir.has_marker(marker.name())
}

pub(crate) fn set(dir: &PartitionDir, marker: Marker) -> Result<(), Error> {
    dir.set_marker(marker.name())
}

pub(crate) fn clear(dir: &PartitionDir, marker: Marker) -> Result<(), Error> {
    dir.clear_marker(marker.name())
}
