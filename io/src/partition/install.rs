//! Exchanging the whole state of a follower for a snapshot it received.
//!
//! Called by openraft's state machine task between two entries, so nothing is applied meanwhile; the
//! partition's loop leaves the store alone while [`Partition::is_installing`]. The store closes its
//! files, the snapshot takes their place on the background thread, the store goes on with them and
//! the engine is opened on it anew. A failure ends the partition: its state is then neither the old
//! nor the new one, and the next start restores the snapshot.

use std::rc::Rc;
use std::time::Duration;

use ringflow_core::ids::Position;
use ringflow_storage::snapshot::{self, Snapshot};
use ringflow_storage::state::OpenedState;

use crate::driver;
use crate::partition::marker::{self, Marker};
use crate::partition::process::Broken;
use crate::partition::{Partition, compact, unexported};
use crate::raft::receive::background;
use crate::raft::{SnapshotMeta, StoredMembership};

/// How often a busy store is asked again.
const RETRY: Duration = Duration::from_millis(2);

/// Notes that a snapshot up to `position` is about to take its place among the partition's own. From
/// then on it wins over an older state, so the log has to follow even if the process ends at once.
pub(crate) fn begin(
    partition: &Partition,
    position: Position,
) -> Result<(), ringflow_storage::Error> {
    unexported::begin(partition, position)?;
    marker::set(&partition.dir, Marker::Installing)
}

/// Makes `snapshot` the state of `partition`.
pub(crate) async fn install(
    partition: &Rc<Partition>,
    meta: &SnapshotMeta,
    snapshot: Snapshot,
) -> Result<(), Broken> {
    partition.installing.set(true);
    let installed = exchange(partition, &meta.last_membership, snapshot).await;
    partition.installing.set(false);
    partition.wake();
    installed
}

async fn exchange(
    partition: &Rc<Partition>,
    membership: &StoredMembership,
    snapshot: Snapshot,
) -> Result<(), Broken> {
    let broken = |what: String| Broken(format!("installing a snapshot failed: {what}"));
    // Who led a moment ago may not have noticed yet that it does no more.
    if partition.core.borrow().is_leading() {
        partition.core.borrow_mut().step_down()?;
    }
    compact::not_taking(partition).await;
    while !partition.persisting.is_free() {
        driver::sleep(RETRY).await;
    }
    while partition.store.close().is_err() {
        driver::sleep(RETRY).await;
    }
    let (directory, memory) = (partition.dir.state(), partition.memory.clone());
    let restored = snapshot.clone();
    let opened = background(partition, move || {
        snapshot::restore(&restored, &directory)?;
        OpenedState::open(&directory, &memory)
    })
    .await
    .map_err(broken)?
    .map_err(|error| broken(error.to_string()))?;
    partition.store.adopt(opened);
    partition.core.borrow_mut().reopen()?;
    partition.set_membership(membership.clone());
    let index = snapshot.applied().index;
    let compaction = &partition.compaction;
    compaction.replace(partition, snapshot, membership.clone());
    partition.installed.set(Some(index));
    tracing::info!(partition = %partition.id(), index, "a received snapshot is the state now");
    Ok(())
}
