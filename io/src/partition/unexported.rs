//! A replica that began with a snapshot the export has not passed.
//!
//! It has no records before the snapshot, and if it led, nobody would export what lies between. So
//! it votes and confirms like any other, but asks for no votes and takes no leadership over until the
//! export is past the snapshot, which it hears from the leader. A marker file keeps this over
//! restarts (`partition/marker.rs`).

use std::cell::Cell;

use ringflow_core::ids::Position;

use crate::partition::Partition;
use crate::partition::marker::{self, Marker};

/// Position the export has to reach before this replica may lead.
#[derive(Debug)]
pub(crate) struct Unexported(Cell<Option<Position>>);

impl Unexported {
    pub(crate) fn new(position: Option<Position>) -> Self {
        Self(Cell::new(position))
    }

    /// An error while the replica must not lead.
    pub(crate) fn may_lead(&self) -> Result<(), String> {
        match self.0.get() {
            None => Ok(()),
            Some(position) => Err(format!(
                "this replica began with a snapshot up to record {position}, which the export has \
                 not reached"
            )),
        }
    }
}

/// Notes that a snapshot up to `position` is about to take the place of the state.
pub(crate) fn begin(
    partition: &Partition,
    position: Position,
) -> Result<(), ringflow_storage::Error> {
    if partition.shared.options.exports() && partition.mailbox.feed.acknowledged() < position {
        marker::set(&partition.dir, Marker::Unexported)?;
        partition.unexported.0.set(Some(position));
    }
    Ok(())
}

/// Lets the replica lead once the export has passed; to be called now and then.
pub(crate) fn tick(partition: &Partition) {
    let passed = |position| partition.mailbox.feed.acknowledged() >= position;
    if partition.unexported.0.get().is_some_and(passed) {
        match marker::clear(&partition.dir, Marker::Unexported) {
            Ok(()) => partition.unexported.0.set(None),
            Err(error) => {
                tracing::warn!(partition = %partition.id(), %error, "a marker stays");
            }
        }
    }
}
