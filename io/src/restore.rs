//! Filling an empty data directory with partitions as they were at a checkpoint.
//!
//! Used by `ringflow restore` while no broker runs. A partition is its snapshot, its log up to the
//! entry of the checkpoint, one entry more with the members that the configuration names (so that
//! brokers and replicas may be others than they were), and a vote in the last entry's term, so that
//! whoever is elected writes in a later one. All brokers write the same entries; starting is then an
//! ordinary recovery. A marker in the directory keeps a broker from starting on half of this.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::sync_channel;

use openraft::EntryPayload;
use ringflow_core::ids::{PartitionId, Position};
use ringflow_core::record::batch;
use ringflow_storage::log::{EntryId, Flusher, IoChoice, Log, LogEntry, OnDurable};
use ringflow_storage::snapshot::Staging;
use ringflow_storage::state::Applied;
use ringflow_storage::vote::VoteFile;
use ringflow_storage::{DataDir, DataDirOptions, Error, PartitionDir};

use crate::broker::settle_owner;
use crate::options::BrokerOptions;
use crate::partition::recover::log_options;
use crate::raft::log_store::encode_vote;
use crate::raft::{Member, Membership, Vote, payload};

/// Why a partition or a directory was not restored.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct RestoreError(String);

impl RestoreError {
    fn new(what: impl ToString) -> Self {
        Self(what.to_string())
    }
}

impl From<Error> for RestoreError {
    fn from(error: Error) -> Self {
        Self::new(error)
    }
}

/// A data directory that may be filled; nobody else has it open, and nothing of it is changed yet.
#[derive(Debug)]
pub struct RestoreTarget {
    data: DataDir,
    options: BrokerOptions,
}

impl RestoreTarget {
    /// Opens the directory of `options`, which must hold no partition unless `overwrite` is set.
    ///
    /// # Errors
    /// If it is not empty, in use, or cannot be written.
    pub fn open(options: BrokerOptions, overwrite: bool) -> Result<Self, RestoreError> {
        options.check().map_err(RestoreError)?;
        let how = DataDirOptions {
            restoring: true,
            ..DataDirOptions::default()
        };
        let data = DataDir::open(&options.data, how)?;
        if !data.is_empty()? && !overwrite {
            return Err(RestoreError(format!(
                "the data directory {} is not empty: nothing is restored, so that nothing is \
                 overwritten; give it another directory, or --overwrite",
                options.data.display()
            )));
        }
        Ok(Self { data, options })
    }

    /// Deletes what partitions it holds and marks it as half restored from now on.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn clear(self) -> Result<Restorer, RestoreError> {
        self.data.begin_restore()?;
        self.data.clear()?;
        let flusher = Flusher::start("restore", IoChoice::Plain)?;
        Ok(Restorer {
            data: self.data,
            options: self.options,
            flusher,
        })
    }
}

/// A data directory that is being filled.
#[derive(Debug)]
pub struct Restorer {
    data: DataDir,
    options: BrokerOptions,
    flusher: Flusher,
}

impl Restorer {
    /// The partitions that this broker has a replica of.
    #[must_use]
    pub fn partitions(&self) -> Vec<PartitionId> {
        let (options, all) = (&self.options, 1..=self.options.partitions);
        all.map(PartitionId)
            .filter(|id| options.cluster.is_replica(*id, options.node_id))
            .collect()
    }

    /// Begins a partition whose log follows `base`.
    ///
    /// # Errors
    /// If its files cannot be made.
    pub fn begin(
        &self,
        partition: PartitionId,
        base: EntryId,
    ) -> Result<PartitionRestore, RestoreError> {
        let dir = self.data.partition(partition)?;
        let how = log_options(&self.options, partition);
        let (mut log, _) = Log::open(&dir.log(), how, self.flusher.clone())?;
        if base.index > 0 {
            settled(|done| log.purge_prefix(base, done))?;
        }
        let replicas = self.options.cluster.replicas(partition);
        Ok(PartitionRestore {
            partition,
            dir,
            log,
            members: replicas.iter().map(|it| u64::from(it.node)).collect(),
            node: u64::from(self.options.node_id),
            covered: Applied::default(),
            reached: Position(0),
        })
    }

    /// Says that everything is there: a broker may start.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn finish(self) -> Result<(), RestoreError> {
        settle_owner(&self.data, &self.options, false).map_err(RestoreError::new)?;
        Ok(self.data.end_restore()?)
    }

    /// Deletes what is there of a restore that failed.
    ///
    /// # Errors
    /// If it cannot; the directory stays marked as half restored then.
    pub fn give_up(self) -> Result<(), RestoreError> {
        self.data.clear()?;
        Ok(self.data.end_restore()?)
    }
}

/// A partition that is being restored: first its snapshot, then its entries in order.
#[derive(Debug)]
pub struct PartitionRestore {
    partition: PartitionId,
    dir: PartitionDir,
    log: Log,
    members: BTreeSet<u64>,
    node: u64,
    /// Up to where the snapshot goes.
    covered: Applied,
    /// Up to where the batches lead from the snapshot.
    reached: Position,
}

impl PartitionRestore {
    /// Begins to receive the snapshot that a manifest describes.
    ///
    /// # Errors
    /// If the manifest is damaged or nothing can be written.
    pub fn stage(&mut self, manifest: &[u8]) -> Result<Staging, RestoreError> {
        Ok(Staging::begin(&self.dir.snapshots(), manifest)?)
    }

    /// Checks every checksum of a received snapshot, and takes it.
    ///
    /// # Errors
    /// If a file of it is damaged, which the error names.
    pub fn staged(&mut self, staging: Staging) -> Result<(), RestoreError> {
        self.covered = staging.finish()?.applied();
        self.reached = self.covered.position;
        Ok(())
    }

    /// Appends the entries that follow.
    ///
    /// # Errors
    /// If they do not follow, hold what nobody wrote, or cannot be written.
    pub fn append(&mut self, entries: Vec<LogEntry>) -> Result<(), RestoreError> {
        for entry in &entries {
            let wrong = |what: &str| RestoreError(format!("log entry {} is {what}", entry.index));
            payload::decode(entry.payload.clone()).map_err(|what| wrong(&what))?;
            let Some(bytes) = payload::batch(&entry.payload) else {
                continue;
            };
            let (base, count) = batch::peek(bytes).map_err(|error| wrong(&error.to_string()))?;
            if entry.index > self.covered.index && base == self.reached {
                self.reached = Position(base.0 + u64::from(count));
            }
        }
        if entries.is_empty() {
            return Ok(());
        }
        settled(|done| self.log.append(entries, done))
    }

    /// Ends the partition, of which the last entry must be `last`, and reach its position.
    ///
    /// # Errors
    /// If it is not, or if it cannot be written.
    pub fn finish(mut self, last: Applied) -> Result<(), RestoreError> {
        let found = self.log.last();
        if (found.index, found.term) != (last.index, last.term) {
            return Err(RestoreError(format!(
                "the log of partition {} ends with entry {} of term {}, not with {} of term {}",
                self.partition, found.index, found.term, last.index, last.term
            )));
        }
        if self.reached != last.position {
            return Err(RestoreError(format!(
                "snapshot and log of partition {} lead to record {}, not to {}",
                self.partition, self.reached, last.position
            )));
        }
        let members: BTreeMap<u64, Member> = self
            .members
            .iter()
            .map(|node| (*node, Member::default()))
            .collect();
        let membership = Membership::new(vec![self.members.clone()], members)
            .map_err(|error| RestoreError(format!("the members cannot be: {error}")))?;
        let members = LogEntry {
            index: last.index + 1,
            term: last.term,
            payload: payload::encode(EntryPayload::Membership(membership)),
        };
        // A quorum had all of it.
        self.log.set_committed(last.index);
        settled(|done| self.log.append(vec![members], done))?;
        let (mut votes, _) = VoteFile::open(&self.dir.vote(), &self.log)?;
        let leader_id = openraft::impls::leader_id_std::LeaderId {
            term: last.term,
            voted_for: self.node,
        };
        votes.save_and_wait(&encode_vote(&Vote {
            leader_id,
            committed: false,
        }))?;
        drop(votes);
        Ok(self.log.close()?)
    }
}

/// Does something with the log and waits until it is durable.
fn settled(act: impl FnOnce(OnDurable) -> Result<(), Error>) -> Result<(), RestoreError> {
    let (tell, told) = sync_channel(1);
    act(Box::new(move |outcome| {
        // Waited for below.
        let _ = tell.send(outcome);
    }))?;
    Ok(told.recv().map_err(|_| Error::Closed)??)
}
