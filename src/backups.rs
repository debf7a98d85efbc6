//! Keeping backups while a broker runs: the store, the thread that fills it, and the schedule.
//!
//! What is stored, and how, is the business of `ringflow-backup`; when is told by the management port
//! or, if there is a schedule, by whoever leads partition 1. Scheduled backups have the time as their
//! number. Those older than the retention are deleted after each, but never the newest whole one: a
//! database that was restored to a moment before the oldest that is left fits none of them.

use std::sync::{Arc, Weak};
use std::time::Duration;

use ringflow_backup::take;
use ringflow_backup::{BackupService, BackupState, Catalog, Store};
use ringflow_core::ids::PartitionId;
use ringflow_core::record::value::CheckpointType;
use ringflow_gateway::Backups;
use ringflow_io::Broker;
use tokio::task::JoinHandle;

use crate::arguments::Failure;
use crate::config::{BackupConfig, Config};

/// How often it is looked whether a backup is due.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long a partition has to create a checkpoint.
const CREATE_WITHIN: Duration = Duration::from_secs(10);

/// What keeps backups in a running process.
pub(crate) struct Keeping {
    service: BackupService,
    schedule: Option<JoinHandle<()>>,
    /// For the gateway.
    pub backups: Backups,
}

impl Keeping {
    /// Starts everything; `None` if nothing is configured to keep backups.
    ///
    /// # Errors
    /// If the store cannot be opened.
    pub(crate) fn start(
        config: &Config,
        broker: &Arc<Broker>,
        partitions: u16,
    ) -> Result<Option<Self>, Failure> {
        let BackupConfig {
            store, continuous, ..
        } = &config.backups;
        let Some(options) = store else {
            return Ok(None);
        };
        let store = Store::open(options)?;
        tracing::info!(store = ?options, continuous, "backups are kept");
        let tasks = broker
            .backup_tasks()
            .ok_or_else(|| Failure("somebody else stores backups".to_owned()))?;
        let who = ringflow_backup::service::Broker {
            node: config.node_id,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            partitions,
        };
        let service = BackupService::start(store.clone(), who, tasks, broker.submitter())?;
        let catalog = Catalog::new(store);
        let schedule = config.backups.schedule.map(|period| {
            let schedule = Schedule {
                broker: Arc::downgrade(broker),
                catalog: catalog.clone(),
                partitions,
                period,
                retention: config.backups.retention,
            };
            tokio::spawn(schedule.keep())
        });
        Ok(Some(Self {
            service,
            schedule,
            backups: Backups {
                catalog,
                continuous: *continuous,
            },
        }))
    }

    /// Ends everything, whatever is under way; to be called while the broker still runs.
    pub(crate) async fn stop(self) {
        if let Some(schedule) = self.schedule {
            schedule.abort();
        }
        let service = self.service;
        if tokio::task::spawn_blocking(move || service.stop())
            .await
            .is_err()
        {
            tracing::error!("the storing of backups did not stop in order");
        }
    }
}

/// Backups that nobody asks for.
struct Schedule {
    broker: Weak<Broker>,
    catalog: Catalog,
    partitions: u16,
    period: Duration,
    retention: Option<Duration>,
}

impl Schedule {
    async fn keep(self) {
        let mut newest: Option<i64> = None;
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let Some(broker) = self.broker.upgrade() else {
                return;
            };
            if !broker.leads(PartitionId::DEPLOYMENT) {
                newest = None;
                continue;
            }
            let now = take::next_id();
            let last = match newest {
                Some(newest) => newest,
                None => match self.catalog.list("", self.partitions).await {
                    Ok(listed) => listed.first().map_or(0, |backup| backup.id),
                    Err(error) => {
                        tracing::warn!(%error, "the schedule of backups waits for their store");
                        continue;
                    }
                },
            };
            newest = Some(last);
            let period = i64::try_from(self.period.as_millis()).unwrap_or(i64::MAX);
            if now.saturating_sub(last) < period {
                continue;
            }
            newest = Some(now);
            self.take(&broker, now).await;
            self.delete_old(now).await;
        }
    }

    async fn take(&self, broker: &Broker, id: i64) {
        let submitter = broker.submitter();
        let mut answers = Vec::new();
        for partition in (1..=self.partitions).map(PartitionId) {
            let command = take::command(id, CheckpointType::ScheduledBackup);
            match submitter.submit(partition, command, CREATE_WITHIN).await {
                Ok(response) => answers.extend(take::answered(&response)),
                Err(error) => {
                    tracing::error!(%partition, backup = id, %error, "a scheduled backup is not taken");
                    return;
                }
            }
        }
        match take::outcome(id, &answers) {
            Ok(()) => tracing::info!(backup = id, "a scheduled backup is taken"),
            Err(error) => tracing::error!(%error, "a scheduled backup is not taken"),
        }
    }

    async fn delete_old(&self, now: i64) {
        let Some(window) = self.retention else {
            return;
        };
        let window = i64::try_from(window.as_millis()).unwrap_or(i64::MAX);
        let listed = match self.catalog.list("", self.partitions).await {
            Ok(listed) => listed,
            Err(error) => {
                tracing::warn!(%error, "old backups are not known");
                return;
            }
        };
        let is_whole = |state| state == BackupState::Completed;
        let Some(newest) = listed.iter().find(|backup| is_whole(backup.state)) else {
            return;
        };
        let old = |id: i64| id < newest.id && now.saturating_sub(id) > window;
        for backup in listed.iter().filter(|backup| old(backup.id)) {
            match self.catalog.delete(backup.id, self.partitions).await {
                Ok(()) => tracing::info!(backup = backup.id, "an old backup is deleted"),
                Err(error) => {
                    tracing::warn!(backup = backup.id, %error, "an old backup stays");
                }
            }
        }
    }
}
