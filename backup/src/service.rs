//! The thread that stores what the shards ask for, one partition after the other.
//!
//! One per broker, with a runtime of its own, at low priority: reading files blocks it and nothing
//! else. A backup that cannot be stored is marked as failed and never tried again; the next one has a
//! number of its own. When the broker ends, what is under way stays in progress, and whoever leads
//! the partition next marks it as failed, because nobody will finish it.

use std::thread;
use std::time::{Duration, Instant};

use ringflow_core::engine::input::Command;
use ringflow_core::ids::{Key, PartitionId};
use ringflow_core::record::intent::of;
use ringflow_core::record::value::CheckpointRecord;
use ringflow_io::{BackupTask, Submitter, TakeBackup};
use tokio::sync::{mpsc, oneshot};

use crate::catalog::Catalog;
use crate::manifest::{Status, now};
use crate::save::{self, SaveError};
use crate::store::{Store, StoreError};

/// How long the partition has to take note of a whole backup.
const CONFIRM_WITHIN: Duration = Duration::from_secs(30);
/// What a backup is marked with whose leader has gone.
const LEADER_CHANGED: &str = "Backup is cancelled due to leader change.";

/// Who stores.
#[derive(Clone, Debug)]
pub struct Broker {
    /// Number of the broker.
    pub node: u32,
    /// Its version.
    pub version: String,
    /// Partitions of the cluster.
    pub partitions: u16,
}

/// See the module.
#[derive(Debug)]
pub struct BackupService {
    stop: oneshot::Sender<()>,
    thread: thread::JoinHandle<()>,
}

impl BackupService {
    /// Starts the thread.
    ///
    /// # Errors
    /// [`StoreError::Options`] if there is no thread to be had.
    pub fn start(
        store: Store,
        broker: Broker,
        tasks: mpsc::Receiver<BackupTask>,
        submitter: Submitter,
    ) -> Result<Self, StoreError> {
        let no_thread = |error: std::io::Error| {
            StoreError::Options(format!("no thread can be started: {error}"))
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(no_thread)?;
        let (stop, stopped) = oneshot::channel();
        let worker = Worker {
            catalog: Catalog::new(store.clone()),
            store,
            broker,
            submitter,
        };
        let thread = thread::Builder::new()
            .name("backup".to_owned())
            .spawn(move || {
                runtime.block_on(async move {
                    tokio::select! {
                        () = worker.work(tasks) => {}
                        // Dropped as well ends it.
                        _ = stopped => {}
                    }
                });
            })
            .map_err(no_thread)?;
        Ok(Self { stop, thread })
    }

    /// Ends the thread, whatever is under way; blocks until it has ended.
    pub fn stop(self) {
        // It may have ended already.
        let _ = self.stop.send(());
        if self.thread.join().is_err() {
            tracing::error!("the thread that stores backups panicked");
        }
    }
}

struct Worker {
    store: Store,
    catalog: Catalog,
    broker: Broker,
    submitter: Submitter,
}

impl Worker {
    async fn work(&self, mut tasks: mpsc::Receiver<BackupTask>) {
        while let Some(task) = tasks.recv().await {
            match task {
                BackupTask::Take(task) => self.take(*task).await,
                BackupTask::Abandoned {
                    partition,
                    checkpoint,
                } => self.abandon(partition, checkpoint).await,
            }
        }
    }

    async fn take(&self, mut task: TakeBackup) {
        let (partition, backup) = (task.partition, task.checkpoint.checkpoint_id);
        match self.catalog.partition(partition.0, backup).await {
            Ok(None) => {}
            Ok(Some(known)) if known.status == Status::Completed => {
                tracing::debug!(%partition, backup, "the backup is there already");
                return;
            }
            Ok(Some(known)) => {
                let status = known.status;
                tracing::error!(%partition, backup, ?status, "a backup of this number was begun before");
                task.ended(false);
                return;
            }
            Err(error) => {
                tracing::error!(%partition, backup, %error, "a backup cannot be begun");
                task.ended(false);
                return;
            }
        }
        let begun = Instant::now();
        let mut manifest = save::begun(&task, &self.broker);
        let snapshot = manifest.snapshot_id.clone().unwrap_or_default();
        tracing::info!(%partition, backup, snapshot, "a backup is being stored");
        let saved = save::save(&self.store, &mut task, &mut manifest).await;
        task.ended(saved.is_ok());
        let took = begun.elapsed().as_millis();
        match saved {
            Ok(()) => {
                let (files, bytes) = (
                    manifest.files.len(),
                    manifest.files.iter().map(|file| file.bytes).sum::<u64>(),
                );
                tracing::info!(%partition, backup, files, bytes, took, "a backup is stored");
                self.confirm(partition, task.checkpoint.clone()).await;
            }
            Err(SaveError::Gone) => {
                tracing::warn!(%partition, backup, took, "a backup was given up while it was stored");
                if let Err(error) = self.catalog.delete_contents(manifest.key()).await {
                    tracing::warn!(%partition, backup, %error, "files of it stay");
                }
            }
            Err(error @ (SaveError::Store(_) | SaveError::Source(_))) => {
                tracing::error!(%partition, backup, %error, took, "a backup failed");
                manifest.status = Status::Failed;
                manifest.failure_reason = Some(error.to_string());
                manifest.modified_at = now();
                if let Err(error) = manifest.write(&self.store).await {
                    tracing::error!(%partition, backup, %error, "a failed backup cannot be marked");
                }
            }
        }
    }

    /// Tells the partition, so that it may forget what only this backup needed.
    async fn confirm(&self, partition: PartitionId, checkpoint: CheckpointRecord) {
        let backup = checkpoint.checkpoint_id;
        let command = Command::internal(Key::NONE, of::Checkpoint::ConfirmBackup, checkpoint);
        let answer = self.submitter.submit(partition, command, CONFIRM_WITHIN);
        if let Err(error) = answer.await {
            tracing::warn!(%partition, backup, %error, "the partition was not told of its backup");
        }
    }

    async fn abandon(&self, partition: PartitionId, backup: i64) {
        let failed = self
            .catalog
            .fail_in_progress(partition.0, backup, LEADER_CHANGED)
            .await;
        match failed {
            Ok(0) => {}
            Ok(_) => tracing::warn!(%partition, backup, "a backup of another leader has failed"),
            Err(error) => {
                tracing::warn!(%partition, backup, %error, "the backups of other leaders are not known");
            }
        }
    }
}
