//! openraft's state machine over a partition: committed entries in, snapshots described.
//!
//! Applying is the partition's business (`partition/process.rs`); here entries are only told apart.
//! Snapshots are checkpoints of the state store that the partition takes by itself
//! (`partition/compact.rs`); openraft is told of the newest one so that it may purge the log. One that
//! came from the leader takes the place of the whole state (`partition/install.rs`). After an error the group ends and with it the partition.

use std::io;
use std::path::PathBuf;
use std::rc::Rc;

use futures::{Stream, StreamExt};
use openraft::storage::{EntryResponder, RaftStateMachine};
use openraft::{EntryPayload, RaftSnapshotBuilder};

use crate::driver;
use crate::partition::process::Broken;
use crate::partition::{Partition, install};
use crate::raft::{EntryId, Group, Snapshot, SnapshotMeta, StoredMembership, entry_id};

/// A partition as openraft sees it.
pub(crate) struct Machine {
    partition: Rc<Partition>,
}

impl Machine {
    pub(crate) fn new(partition: Rc<Partition>) -> Self {
        Self { partition }
    }

    fn end(&self, broken: Broken) -> io::Error {
        self.partition.fail(&broken);
        io::Error::other(broken)
    }
}

impl RaftStateMachine<Group> for Machine {
    type SnapshotData = PathBuf;
    type SnapshotBuilder = NewestSnapshot;

    async fn applied_state(&mut self) -> Result<(Option<EntryId>, StoredMembership), io::Error> {
        let applied = self.partition.core.borrow().applied();
        let membership = self.partition.membership();
        Ok((entry_id(applied.index, applied.term), membership))
    }

    async fn apply<S>(&mut self, mut entries: S) -> Result<(), io::Error>
    where
        S: Stream<Item = Result<EntryResponder<Group>, io::Error>> + Unpin,
    {
        while let Some(entry) = entries.next().await {
            let (entry, responder) = entry
                .map_err(|error| self.end(Broken(format!("reading the log failed: {error}"))))?;
            match entry.payload {
                EntryPayload::Blank => self.partition.apply_control(&entry.log_id, None),
                EntryPayload::Membership(membership) => {
                    let stored = StoredMembership::new(Some(entry.log_id), membership);
                    self.partition.apply_control(&entry.log_id, Some(stored));
                }
                EntryPayload::Normal(proposal) => self
                    .partition
                    .apply_batch(&entry.log_id, &proposal.0)
                    .map_err(|broken| self.end(broken))?,
            }
            if let Some(responder) = responder {
                responder.send(());
            }
            if driver::need_preempt() {
                driver::yield_now().await;
            }
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> NewestSnapshot {
        NewestSnapshot {
            partition: Rc::clone(&self.partition),
        }
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta,
        snapshot: PathBuf,
    ) -> Result<(), io::Error> {
        let received = self.partition.received.borrow_mut().take();
        let Some(received) = received.filter(|received| received.path() == snapshot) else {
            // At start the store is opened at least at the newest snapshot.
            let applied = self.partition.core.borrow().applied();
            if entry_id(applied.index, applied.term) >= meta.last_log_id {
                return Ok(());
            }
            return Err(self.end(Broken(
                "a snapshot is to be installed that was not received".to_owned(),
            )));
        };
        install::install(&self.partition, meta, received)
            .await
            .map_err(|broken| self.end(broken))
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot>, io::Error> {
        Ok(newest(&self.partition))
    }
}

/// Describes the newest snapshot that was taken.
pub(crate) struct NewestSnapshot {
    partition: Rc<Partition>,
}

impl RaftSnapshotBuilder<Group> for NewestSnapshot {
    type SnapshotData = PathBuf;

    async fn build_snapshot(&mut self) -> Result<Snapshot, io::Error> {
        newest(&self.partition).ok_or_else(|| io::Error::other("no snapshot was taken yet"))
    }
}

fn newest(partition: &Partition) -> Option<Snapshot> {
    let (snapshot, last_membership) = partition.compaction.described()?;
    let meta = SnapshotMeta {
        last_log_id: entry_id(snapshot.applied().index, snapshot.applied().term),
        last_membership,
    };
    Some(Snapshot {
        meta,
        snapshot: snapshot.path().to_owned(),
    })
}
