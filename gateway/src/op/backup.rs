//! Backups of the whole cluster: taken by a checkpoint on all partitions, listed from the store.
//!
//! Any gateway does all of it: the partitions are reached like for any command, and all brokers share
//! the store. Two fronts, the management port and REST v2 (8.10), write the same things with
//! different names for what is missing: the first leaves it out, the second says null.

use futures::future::join_all;
use ringflow_backup::take::{self, AlreadyExists};
use ringflow_backup::{BackupStatus, Manifest, PartitionStatus, StoreError};
use ringflow_core::engine::input::Command;
use ringflow_core::ids::PartitionId;
use ringflow_core::record::value::{CheckpointRecord, CheckpointType};

use super::shape::{ObjectWriter, date_time, put_list};
use crate::backend::{Backups, SubmitError};
use crate::problem::Problem;
use crate::rest::{Answer, Call};
use crate::submit::Front;

/// Why nothing was done.
#[derive(Debug)]
pub(crate) enum BackupFault {
    /// Nothing is configured to keep backups.
    NotConfigured,
    /// The number cannot be one, or must or must not be given.
    Id(&'static str),
    /// There is no such backup.
    Missing(i64),
    /// There is one as new.
    Taken(AlreadyExists),
    /// Some partitions have no leader.
    Incomplete(String),
    /// A partition took no request.
    Busy(String),
    /// A partition did not answer in time.
    Timeout(String),
    /// The store did not answer, or holds damage.
    Store(String),
}

impl BackupFault {
    /// In words; Camunda's where it has some.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::NotConfigured => "Cannot process backup requests. No backup store is \
                 configured. To use this feature, configure backup in broker configuration."
                .to_owned(),
            Self::Id(what) => (*what).to_owned(),
            Self::Missing(id) => format!("Backup with id {id} does not exist"),
            Self::Taken(exists) => exists.to_string(),
            Self::Timeout(what) => format!("Request from gateway to broker timed out. {what}"),
            Self::Incomplete(what) | Self::Busy(what) | Self::Store(what) => what.clone(),
        }
    }
}

impl From<StoreError> for BackupFault {
    fn from(error: StoreError) -> Self {
        Self::Store(error.to_string())
    }
}

impl From<BackupFault> for Problem {
    fn from(fault: BackupFault) -> Self {
        let text = fault.text();
        match fault {
            BackupFault::NotConfigured => Self::Forbidden(text),
            BackupFault::Id(_) => Self::invalid(text),
            BackupFault::Missing(_) => Self::Missing(text),
            BackupFault::Taken(_) => Self::Taken(text),
            BackupFault::Incomplete(_) | BackupFault::Busy(_) => Self::StorageUnavailable(text),
            BackupFault::Timeout(_) => Self::Timeout,
            BackupFault::Store(_) => Self::Internal(text),
        }
    }
}

fn backups(front: &Front) -> Result<&Backups, BackupFault> {
    let backups = front.backend.backups.as_ref();
    backups.ok_or(BackupFault::NotConfigured)
}

/// Takes a backup; its number.
pub(crate) async fn take_backup(front: &Front, id: Option<i64>) -> Result<i64, BackupFault> {
    let backups = backups(front)?;
    let id = match (backups.continuous, id) {
        (true, Some(_)) => {
            return Err(BackupFault::Id(
                "Cannot take backup with predetermined backupId when continuous backups are \
                 enabled. Use POST actuator/backupRuntime without specifying a backupId.",
            ));
        }
        (true, None) => take::next_id(),
        (false, Some(id)) if id > 0 => id,
        (false, _) => {
            return Err(BackupFault::Id(
                "A backupId must be provided and it must be > 0",
            ));
        }
    };
    let command = take::command(id, CheckpointType::ManualBackup);
    let answers = ask_all(front, &command).await?;
    take::outcome(id, &answers).map_err(BackupFault::Taken)?;
    Ok(id)
}

/// Sends every partition the same command about its checkpoint.
async fn ask_all(
    front: &Front,
    command: &Command,
) -> Result<Vec<(bool, CheckpointRecord)>, BackupFault> {
    let commands = &front.backend.commands;
    let count = commands.partition_count();
    let all = || (1..=count).map(PartitionId);
    let led = all().filter(|id| commands.has_leader(*id)).count();
    if led < usize::from(count) || count == 0 {
        return Err(BackupFault::Incomplete(format!(
            "Expected to send request to all {count} partitions, but found only {led} partitions \
             in topology."
        )));
    }
    let timeout = front.limits.request_timeout;
    let asked = all().map(|id| {
        let answer = commands.submit(id, command.clone(), timeout);
        async move { (id, answer.await) }
    });
    let answers = join_all(asked).await.into_iter().map(|(id, answer)| {
        let response = answer.map_err(|error| match error {
            SubmitError::Timeout => BackupFault::Timeout(format!("Partition {id}: {error}")),
            SubmitError::ResourceExhausted => BackupFault::Busy(format!("Partition {id}: {error}")),
            SubmitError::Unavailable { .. }
            | SubmitError::UnknownOutcome
            | SubmitError::LeadershipLost
            | SubmitError::NoSuchPartition => BackupFault::Incomplete(format!(
                "Failed to send request from gateway to broker. Partition {id}: {error}"
            )),
        })?;
        let refused = || BackupFault::Store(format!("partition {id} refused the checkpoint"));
        take::answered(&response).ok_or_else(refused)
    });
    answers.collect()
}

/// One backup.
pub(crate) async fn status_of(front: &Front, id: i64) -> Result<BackupStatus, BackupFault> {
    let count = front.backend.commands.partition_count();
    let status = backups(front)?.catalog.status(id, count).await?;
    if status.partitions.iter().all(|it| it.manifest.is_none()) {
        return Err(BackupFault::Missing(id));
    }
    Ok(status)
}

/// All backups whose numbers begin with what stands before a final `*`.
pub(crate) async fn list_of(
    front: &Front,
    pattern: &str,
) -> Result<Vec<BackupStatus>, BackupFault> {
    let count = front.backend.commands.partition_count();
    let prefix = pattern.trim_end_matches('*');
    Ok(backups(front)?.catalog.list(prefix, count).await?)
}

/// Deletes a backup; fine if it is not there.
pub(crate) async fn delete_of(front: &Front, id: i64) -> Result<(), BackupFault> {
    let count = front.backend.commands.partition_count();
    Ok(backups(front)?.catalog.delete(id, count).await?)
}

/// Where checkpoints and backups of all partitions stand, as JSON; `nulls`: what is missing is said.
pub(crate) async fn state_of(front: &Front, nulls: bool) -> Result<String, BackupFault> {
    let catalog = &backups(front)?.catalog;
    let newest = ask_all(front, &take::command(0, CheckpointType::Marker)).await?;
    let count = front.backend.commands.partition_count();
    let listed = catalog.list("", count).await?;
    let checkpoints: Vec<(u16, CheckpointRecord)> = (1..)
        .zip(newest)
        .map(|(partition, (_, record))| (partition, record))
        .filter(|(_, record)| record.checkpoint_id > 0)
        .collect();
    let mut latest = Vec::new();
    let mut ranges = Vec::new();
    for partition in 1..=count {
        let whole = whole_backups(&listed, partition);
        latest.extend(whole.last().copied());
        ranges.extend(
            contiguous(&whole)
                .into_iter()
                .map(|(first, last)| (partition, first, last)),
        );
    }
    let mut out = ObjectWriter::new();
    out.with("checkpointStates", |out| {
        put_list(out, &checkpoints, |(partition, record)| {
            checkpoint(*partition, record)
        });
    })
    .with("backupStates", |out| {
        put_list(out, &latest, |manifest| stored(manifest, true, nulls));
    })
    .with("ranges", |out| {
        put_list(out, &ranges, |(partition, first, last)| {
            let mut range = ObjectWriter::new();
            range
                .int("partitionId", i64::from(*partition))
                .raw("start", &stored(first, false, nulls))
                .raw("end", &stored(last, false, nulls));
            range.finish()
        });
    });
    Ok(out.finish())
}

/// The whole backups of a partition, oldest first.
fn whole_backups(listed: &[BackupStatus], partition: u16) -> Vec<&Manifest> {
    let of = |backup: &'_ BackupStatus| {
        let found = backup
            .partitions
            .iter()
            .position(|it| it.partition == partition);
        found.filter(|at| backup.partitions[*at].failure().is_none())
    };
    let manifests = listed.iter().rev().filter_map(|backup| {
        let manifest = backup.partitions[of(backup)?].manifest.as_deref()?;
        (manifest.status == ringflow_backup::Status::Completed).then_some(manifest)
    });
    manifests.collect()
}

/// First and last of those that follow each other without a gap.
fn contiguous<'m>(whole: &[&'m Manifest]) -> Vec<(&'m Manifest, &'m Manifest)> {
    let mut ranges: Vec<(&Manifest, &Manifest)> = Vec::new();
    for next in whole.iter().copied() {
        match ranges.last_mut() {
            Some((_, last)) if next.log_base.index <= last.log_last.index => *last = next,
            Some(_) | None => ranges.push((next, next)),
        }
    }
    ranges
}

fn checkpoint(partition: u16, record: &CheckpointRecord) -> String {
    let mut out = ObjectWriter::new();
    out.int("checkpointId", record.checkpoint_id)
        .str("checkpointType", record.checkpoint_type.name())
        .int("partitionId", i64::from(partition))
        .int(
            "checkpointPosition",
            record.checkpoint_position.0.cast_signed(),
        )
        .str(
            "checkpointTimestamp",
            &date_time(record.checkpoint_timestamp.0),
        );
    out.finish()
}

fn stored(manifest: &Manifest, with_partition: bool, nulls: bool) -> String {
    let mut out = ObjectWriter::new();
    out.int("checkpointId", manifest.checkpoint_id)
        .str("checkpointType", &manifest.checkpoint_type);
    if with_partition {
        out.int("partitionId", i64::from(manifest.partition_id));
    } else if nulls {
        out.null("partitionId");
    }
    out.int(
        "checkpointPosition",
        manifest.checkpoint_position.cast_signed(),
    )
    .int(
        "firstLogPosition",
        manifest
            .first_log_position
            .unwrap_or_default()
            .cast_signed(),
    )
    .str("checkpointTimestamp", &manifest.checkpoint_timestamp);
    out.finish()
}

/// A backup as JSON. `details`: everything is told of partitions, not only what a list shows.
pub(crate) fn backup_json(backup: &BackupStatus, details: bool, nulls: bool) -> String {
    let mut out = ObjectWriter::new();
    out.int("backupId", backup.id)
        .str("state", backup.state.name());
    optional(
        &mut out,
        "failureReason",
        backup.failure().as_deref(),
        nulls,
    );
    out.with("details", |out| {
        put_list(out, &backup.partitions, |it| {
            partition_json(it, details, nulls)
        });
    });
    out.finish()
}

fn optional(out: &mut ObjectWriter, name: &str, value: Option<&str>, nulls: bool) {
    match value {
        Some(value) => {
            out.str(name, value);
        }
        None if nulls => {
            out.null(name);
        }
        None => {}
    }
}

fn optional_int(out: &mut ObjectWriter, name: &str, value: Option<i64>, nulls: bool) {
    match value {
        Some(value) => {
            out.int(name, value);
        }
        None if nulls => {
            out.null(name);
        }
        None => {}
    }
}

fn partition_json(status: &PartitionStatus, details: bool, nulls: bool) -> String {
    let known = status.manifest.as_deref();
    let detailed = known.filter(|_| details);
    let mut out = ObjectWriter::new();
    out.int("partitionId", i64::from(status.partition))
        .str("state", status.state().name());
    optional(&mut out, "failureReason", status.failure(), nulls);
    optional(
        &mut out,
        "createdAt",
        known.map(|it| it.created_at.as_str()),
        nulls,
    );
    optional(
        &mut out,
        "lastUpdatedAt",
        detailed.map(|it| it.modified_at.as_str()),
        nulls,
    );
    optional(
        &mut out,
        "snapshotId",
        detailed.and_then(|it| it.snapshot_id.as_deref()),
        nulls,
    );
    let signed = |position: u64| position.cast_signed();
    let first = detailed.and_then(|it| it.first_log_position).map(signed);
    optional_int(&mut out, "firstLogPosition", first, nulls);
    let checkpoint = detailed.map(|it| signed(it.checkpoint_position));
    optional_int(&mut out, "checkpointPosition", checkpoint, nulls);
    let broker = detailed.map(|it| i64::from(it.node_id));
    optional_int(&mut out, "brokerId", broker, nulls);
    optional(
        &mut out,
        "brokerVersion",
        known.map(|it| it.broker_version.as_str()),
        nulls,
    );
    out.finish()
}

/// `takeRuntimeBackup`.
pub(crate) async fn take(call: Call) -> Result<Answer, Problem> {
    let id = super::shape::Members(&call.body).int("backupId");
    let id = take_backup(&call.front, id).await?;
    let mut out = ObjectWriter::new();
    out.int("backupId", id);
    Ok(Answer::Accepted(out.finish()))
}

/// `getRuntimeBackup`.
pub(crate) async fn get(call: Call) -> Result<Answer, Problem> {
    let backup = status_of(&call.front, call.path_int("backupId")).await?;
    Ok(Answer::Json(backup_json(&backup, true, true)))
}

/// `listRuntimeBackups`.
pub(crate) async fn list(call: Call) -> Result<Answer, Problem> {
    let pattern = call.query_text("prefix").unwrap_or_default();
    let backups = list_of(&call.front, pattern).await?;
    Ok(Answer::Json(list_json(&backups, true)))
}

/// `deleteRuntimeBackup`.
pub(crate) async fn delete(call: Call) -> Result<Answer, Problem> {
    delete_of(&call.front, call.path_int("backupId")).await?;
    Ok(Answer::NoContent)
}

/// `getRuntimeBackupState`.
pub(crate) async fn state(call: Call) -> Result<Answer, Problem> {
    Ok(Answer::Json(state_of(&call.front, true).await?))
}

/// The four operations on history backups: the database has its own.
pub(crate) async fn history(_call: Call) -> Result<Answer, Problem> {
    Err(Problem::Forbidden(
        "History backups are snapshots of Elasticsearch or OpenSearch. The secondary storage of \
         this cluster is a relational database: back it up with the tools of its vendor"
            .to_owned(),
    ))
}

/// Backups as JSON, with what a list shows.
pub(crate) fn list_json(backups: &[BackupStatus], nulls: bool) -> String {
    let mut out = String::new();
    put_list(&mut out, backups, |it| backup_json(it, false, nulls));
    out
}
