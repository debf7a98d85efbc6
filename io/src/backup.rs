//! What is stored of a partition at a checkpoint, as the one who stores it sees it.
//!
//! A [`TakeBackup`] is made on the partition's shard and read on any other thread: the files of the
//! newest snapshot, and every entry the log holds up to the entry of the checkpoint. Both stay on
//! disk as long as the value lives. Reading blocks; nothing of it touches the shard.
//!
//! Limits: entries are given out in pieces of at most [`PIECE_BYTES`] and one entry more.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use ringflow_core::ids::{PartitionId, Position};
use ringflow_core::record::batch;
use ringflow_core::record::value::CheckpointRecord;
use ringflow_storage::log::{self, EntryId, LogEntry};
use ringflow_storage::snapshot::Snapshot;
use ringflow_storage::state::Applied;
use tokio::sync::mpsc;

use crate::raft::payload;
use crate::shard::mailbox::Mailbox;
use crate::submit::Shared;

/// Bytes of entries read at once.
pub const PIECE_BYTES: usize = 4 << 20;
/// How long an entry that a quorum has is waited for on this disk.
const DURABLE_WITHIN: Duration = Duration::from_secs(60);
/// How often it is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Something to do for whoever stores backups.
#[derive(Debug)]
pub enum BackupTask {
    /// Store a partition.
    Take(Box<TakeBackup>),
    /// Another broker led `partition` when `checkpoint` was created: what it has not finished it will
    /// not finish.
    Abandoned {
        /// The partition, which is led here now.
        partition: PartitionId,
        /// Its newest checkpoint.
        checkpoint: i64,
    },
}

/// Keeps snapshot and log of a partition on disk.
pub(crate) type Hold = Arc<()>;

/// Batches from the first entry on that lead from one to the next.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chain {
    /// Position before the first of them.
    base: Position,
    /// Position of the last record of the last of them.
    reached: Position,
}

/// What is to be stored of one partition.
#[derive(Debug)]
pub struct TakeBackup {
    /// The partition.
    pub partition: PartitionId,
    /// The checkpoint.
    pub checkpoint: CheckpointRecord,
    /// The entry of the checkpoint, which is the last one to store.
    pub(crate) at: Applied,
    pub(crate) snapshot: Option<Snapshot>,
    pub(crate) log: log::Reader,
    pub(crate) purged: EntryId,
    pub(crate) next: u64,
    pub(crate) chain: Option<Chain>,
    pub(crate) mailbox: Arc<Mailbox>,
    #[expect(dead_code, reason = "what it keeps on disk is kept while it lives")]
    pub(crate) hold: Hold,
}

impl TakeBackup {
    pub(crate) fn new(task: Self) -> Self {
        task.mailbox.metrics.backups_in_progress.add_shared(1);
        task
    }

    /// The entry of the checkpoint: where a partition that is restored from this goes on.
    #[must_use]
    pub const fn at(&self) -> Applied {
        self.at
    }

    /// The newest snapshot at the time of the checkpoint; `None` if none was taken yet, and the log
    /// is whole.
    #[must_use]
    pub const fn snapshot(&self) -> Option<&Snapshot> {
        self.snapshot.as_ref()
    }

    /// The entry before the first one of the log; all zero before the first of all.
    #[must_use]
    pub const fn purged(&self) -> EntryId {
        self.purged
    }

    /// The next entries, none behind the last; blocks while the disk reads.
    ///
    /// # Errors
    /// A sentence, if the log cannot be read or is not what the snapshot needs.
    pub fn entries(&mut self) -> Result<Vec<LogEntry>, String> {
        if self.next > self.at.index {
            return Ok(Vec::new());
        }
        let covered = self.snapshot.as_ref().map_or(0, |it| it.applied().index);
        if self.purged.index > covered {
            return Err(format!(
                "the log begins behind entry {} and no snapshot covers what is before",
                self.purged.index
            ));
        }
        let begun = Instant::now();
        let mut entries = loop {
            let entries = self
                .log
                .read(self.next, PIECE_BYTES)
                .map_err(|error| error.to_string())?;
            if !entries.is_empty() {
                break entries;
            }
            if begun.elapsed() > DURABLE_WITHIN {
                return Err(format!("log entry {} is not on this disk", self.next));
            }
            std::thread::sleep(LOOK_EVERY);
        };
        entries.retain(|entry| entry.index <= self.at.index);
        for entry in &entries {
            self.follow(entry)?;
            self.next = entry.index + 1;
        }
        Ok(entries)
    }

    fn follow(&mut self, entry: &LogEntry) -> Result<(), String> {
        let Some(bytes) = payload::batch(&entry.payload) else {
            return Ok(());
        };
        let (base, count) = batch::peek(bytes)
            .map_err(|error| format!("log entry {} is damaged: {error}", entry.index))?;
        let last = Position(base.0 + u64::from(count));
        match &mut self.chain {
            Some(chain) if chain.reached == base => chain.reached = last,
            // Refused by every replica, or the first one was.
            Some(_) => {}
            None => {
                self.chain = Some(Chain {
                    base,
                    reached: last,
                });
            }
        }
        Ok(())
    }

    /// Position of the first record in the entries that were read, from which on the log is without
    /// gaps up to the checkpoint; `None` if there is none or it is not known.
    #[must_use]
    pub fn first_position(&self) -> Option<Position> {
        let chain = self.chain.filter(|it| it.reached == self.at.position)?;
        Some(chain.base.next())
    }

    /// Notes that `bytes` were stored.
    pub fn stored(&self, bytes: u64) {
        self.mailbox.metrics.backup_bytes.add_shared(bytes);
    }

    /// Notes how it ended.
    pub fn ended(&self, whole: bool) {
        let metrics = &self.mailbox.metrics;
        if whole {
            metrics.backups_completed.add_shared(1);
        } else {
            metrics.backups_failed.add_shared(1);
        }
    }
}

impl Drop for TakeBackup {
    fn drop(&mut self) {
        self.mailbox.metrics.backups_in_progress.sub_shared(1);
    }
}

impl Shared {
    /// What is to be stored, for the one who does.
    pub(crate) fn take_backup_tasks(&self) -> Option<mpsc::Receiver<BackupTask>> {
        let mut tasks = self
            .backup_tasks
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        tasks.take()
    }
}
