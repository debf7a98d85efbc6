//! From the store into an empty data directory: which backups are needed, and whether they fit.
//!
//! A backup has the log from where it began when it was stored; a database that was restored to an
//! earlier moment needs more. So earlier backups are joined in front, as long as each begins before
//! the one before it ends. A database that is further than the backup is refused: it has rows that the
//! restored partitions would write again, differently.
//!
//! | database of a partition stands | then |
//! |---|---|
//! | behind the last record of the backup | refused |
//! | within the log of the backup | the export goes on there |
//! | before it | earlier backups are joined, or it is refused |

use std::collections::BTreeMap;

use jiff::Timestamp;
use ringflow_core::ids::Position;
use ringflow_io::restore::PartitionRestore;
use ringflow_storage::log::{EntryId, LogEntry};
use ringflow_storage::state::Applied;

use crate::catalog::{BackupState, BackupStatus, Catalog};
use crate::entries::Decoder;
use crate::manifest::{EntryName, Manifest, StoredFile};
use crate::save::SNAPSHOT_MANIFEST;
use crate::store::{Store, StoreError};

/// Most bytes of the list of a snapshot's files.
const SNAPSHOT_MANIFEST_BYTES_MAX: u64 = 128 << 20;
/// Bytes of entries appended at once.
const APPEND_BYTES: usize = 4 << 20;

/// Why nothing is restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The store cannot be read, or holds damage.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// What is there does not fit.
    #[error("{0}")]
    Unfit(String),
    /// It cannot be written here, or does not make a partition.
    #[error("{0}")]
    Local(#[from] ringflow_io::restore::RestoreError),
}

impl From<ringflow_storage::Error> for RestoreError {
    fn from(error: ringflow_storage::Error) -> Self {
        Self::Unfit(error.to_string())
    }
}

/// Where the database stands, by partition; `None` = there is no database.
pub type Exported = Option<BTreeMap<u16, Position>>;

/// Which backup is wanted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Wanted {
    /// The newest that fits the database.
    Newest,
    /// The one whose checkpoint is nearest to a time.
    Nearest(Timestamp),
    /// This one.
    Backup(i64),
}

/// What is restored: for each partition its backups, the last of which is the wanted one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    /// Number of the backup that is restored.
    pub backup: i64,
    /// By partition, oldest first.
    pub partitions: BTreeMap<u16, Vec<Manifest>>,
}

/// Chooses the backups.
///
/// # Errors
/// If there is none that is whole and fits the cluster and the database; the sentence says what does
/// not.
pub async fn plan(
    catalog: &Catalog,
    wanted: &Wanted,
    partition_count: u16,
    exported: &Exported,
) -> Result<Plan, RestoreError> {
    let backups = catalog.list("", partition_count).await?;
    let whole: Vec<&BackupStatus> = backups
        .iter()
        .filter(|backup| backup.state == BackupState::Completed)
        .collect();
    let target = match wanted {
        Wanted::Backup(id) => {
            let found = backups.iter().find(|backup| backup.id == *id);
            let found =
                found.ok_or_else(|| RestoreError::Unfit(format!("backup {id} does not exist")))?;
            if found.state != BackupState::Completed {
                return Err(RestoreError::Unfit(not_whole(found)));
            }
            fits(found, partition_count, exported)?;
            found
        }
        Wanted::Newest | Wanted::Nearest(_) => {
            let mut candidates = whole.clone();
            if let Wanted::Nearest(time) = wanted {
                candidates.sort_by_key(|backup| distance(backup, *time));
            }
            let mut first_error = None;
            let fitting = candidates.into_iter().find(|backup| {
                let fit = fits(backup, partition_count, exported);
                fit.map_err(|error| first_error.get_or_insert(error))
                    .is_ok()
            });
            let none = "there is no backup that is whole".to_owned();
            fitting.ok_or_else(|| first_error.unwrap_or(RestoreError::Unfit(none)))?
        }
    };
    let mut partitions = BTreeMap::new();
    for partition in 1..=partition_count {
        let stands = exported.as_ref().map(|it| it.get(&partition).copied());
        let stands = stands.map(Option::unwrap_or_default);
        partitions.insert(partition, join(&whole, target.id, partition, stands)?);
    }
    Ok(Plan {
        backup: target.id,
        partitions,
    })
}

fn not_whole(backup: &BackupStatus) -> String {
    let states: Vec<_> = backup
        .partitions
        .iter()
        .map(|it| format!("partition {} {}", it.partition, it.state().name()))
        .collect();
    let (id, state) = (backup.id, backup.state.name());
    format!("backup {id} is not whole ({state}): {}", states.join(", "))
}

fn distance(backup: &BackupStatus, time: Timestamp) -> i64 {
    let first = backup.partitions.first();
    let manifest = first.and_then(|it| it.manifest.as_ref());
    let created = manifest.and_then(|it| it.checkpoint_timestamp.parse::<Timestamp>().ok());
    created.map_or(i64::MAX, |it| {
        (it.as_millisecond() - time.as_millisecond()).abs()
    })
}

/// Whether a whole backup is of such a cluster and not behind the database.
fn fits(
    backup: &BackupStatus,
    partition_count: u16,
    exported: &Exported,
) -> Result<(), RestoreError> {
    let manifests = backup
        .partitions
        .iter()
        .filter_map(|it| it.manifest.as_ref());
    for manifest in manifests {
        if manifest.number_of_partitions != partition_count {
            return Err(RestoreError::Unfit(format!(
                "Expected backup to have {partition_count} partitions, but has {}",
                manifest.number_of_partitions
            )));
        }
        let stands = exported
            .as_ref()
            .and_then(|it| it.get(&manifest.partition_id).copied());
        if let Some(stands) = stands.filter(|it| *it > manifest.last()) {
            return Err(RestoreError::Unfit(format!(
                "the database is ahead of backup {}: of partition {} it has records up to {stands}, \
                 the backup ends with {}; restore the database to an earlier moment, or a later \
                 backup",
                backup.id,
                manifest.partition_id,
                manifest.last()
            )));
        }
    }
    Ok(())
}

/// The backups of a partition, oldest first, whose logs together begin where the database stands.
fn join(
    whole: &[&BackupStatus],
    target: i64,
    partition: u16,
    stands: Option<Position>,
) -> Result<Vec<Manifest>, RestoreError> {
    let of = |backup: &BackupStatus| -> Option<Manifest> {
        let found = backup
            .partitions
            .iter()
            .find(|it| it.partition == partition);
        found?.manifest.as_deref().cloned()
    };
    // Newest first, as they are listed.
    let mut earlier = whole.iter().filter(|backup| backup.id <= target);
    let wanted = earlier.next().and_then(|backup| of(backup));
    let mut joined: Vec<Manifest> = wanted.into_iter().collect();
    let Some(stands) = stands else {
        return Ok(joined);
    };
    loop {
        let Some(first) = joined.first() else {
            let what = format!("partition {partition} is not in backup {target}");
            return Err(RestoreError::Unfit(what));
        };
        if begins_at(first) <= stands.next() {
            return Ok(joined);
        }
        let before = earlier.next().and_then(|backup| of(backup));
        match before {
            Some(before) if before.log_last.index >= first.log_base.index => {
                joined.insert(0, before);
            }
            Some(_) | None => {
                let begins = begins_at(first);
                return Err(RestoreError::Unfit(format!(
                    "of partition {partition} the database has records up to {stands}, the backups \
                     without a gap up to {target} begin with record {begins}: what lies between \
                     would be missing; restore the database to a later moment"
                )));
            }
        }
    }
}

/// The first record that can be exported from a backup.
fn begins_at(manifest: &Manifest) -> Position {
    match manifest.first_log_position {
        Some(first) => Position(first),
        None if manifest.log_base.index == 0 => Position(1),
        None => manifest.last().next(),
    }
}

/// Restores a partition from its backups, oldest first; how many bytes were read.
///
/// # Errors
/// If an object is missing or damaged, which the error names, or nothing can be written.
pub async fn partition(
    store: &Store,
    manifests: &[Manifest],
    mut into: PartitionRestore,
) -> Result<u64, RestoreError> {
    let Some(newest) = manifests.last() else {
        return Err(RestoreError::Unfit("there is no backup".to_owned()));
    };
    let mut bytes = 0;
    if newest.snapshot_id.is_some() {
        bytes += snapshot(store, newest, &mut into).await?;
    }
    let mut last = manifests.first().map_or(0, |it| it.log_base.index);
    for manifest in manifests {
        let files = manifest.files.iter();
        for file in files.filter(|file| file.name.starts_with("log/")) {
            bytes += entries(store, manifest, file, &mut last, &mut into).await?;
        }
    }
    into.finish(Applied {
        position: newest.last(),
        index: newest.log_last.index,
        term: newest.log_last.term,
    })?;
    Ok(bytes)
}

async fn snapshot(
    store: &Store,
    manifest: &Manifest,
    into: &mut PartitionRestore,
) -> Result<u64, RestoreError> {
    let key = manifest.key();
    let find = |name: &str| manifest.files.iter().find(|file| file.name == name);
    let missing = |name: &str| StoreError::damaged(key.manifest(), format!("it lists no {name}"));
    let listed = find(SNAPSHOT_MANIFEST).ok_or_else(|| missing(SNAPSHOT_MANIFEST))?;
    let name = key.file(SNAPSHOT_MANIFEST);
    let text = store.get(&name, SNAPSHOT_MANIFEST_BYTES_MAX).await?;
    check(&name, listed, text.len() as u64, crc32c::crc32c(&text))?;
    let mut staging = into.stage(&text)?;
    let mut bytes = text.len() as u64;
    let wanted = staging.manifest().files.clone();
    for (number, file) in wanted.iter().enumerate() {
        let below = format!("snapshot/{}", file.name);
        let listed = find(&below).ok_or_else(|| missing(&below))?;
        let name = key.file(&below);
        let mut reader = store.reader(&name).await?;
        check_len(&name, listed, reader.len())?;
        let mut offset = 0;
        while let Some(piece) = reader.next().await? {
            staging.write(number, offset, &piece)?;
            offset += piece.len() as u64;
        }
        check(&name, listed, offset, reader.crc())?;
        bytes += offset;
    }
    into.staged(staging)?;
    Ok(bytes)
}

async fn entries(
    store: &Store,
    manifest: &Manifest,
    file: &StoredFile,
    last: &mut u64,
    into: &mut PartitionRestore,
) -> Result<u64, RestoreError> {
    let name = manifest.key().file(&file.name);
    let mut reader = store.reader(&name).await?;
    check_len(&name, file, reader.len())?;
    let mut decoder = Decoder::default();
    let mut gathered = Vec::new();
    let mut held = 0;
    let mut more = true;
    while more {
        more = reader.fill(&mut decoder.buffer).await?;
        while let Some(entry) = decoder
            .next()
            .map_err(|what| StoreError::damaged(&name, what))?
        {
            // Joined backups overlap.
            if entry.index <= *last {
                continue;
            }
            *last = entry.index;
            held += entry.payload.len();
            gathered.push(entry);
        }
        if held >= APPEND_BYTES {
            append(into, &mut gathered)?;
            held = 0;
        }
    }
    append(into, &mut gathered)?;
    check(&name, file, reader.len(), reader.crc())?;
    if !decoder.is_done() {
        return Err(StoreError::damaged(&name, "it ends within an entry").into());
    }
    Ok(reader.len())
}

fn append(into: &mut PartitionRestore, entries: &mut Vec<LogEntry>) -> Result<(), RestoreError> {
    Ok(into.append(std::mem::take(entries))?)
}

fn check_len(name: &str, listed: &StoredFile, len: u64) -> Result<(), StoreError> {
    if len == listed.bytes {
        return Ok(());
    }
    let what = format!("it has {len} bytes, {} were stored", listed.bytes);
    Err(StoreError::damaged(name, what))
}

fn check(name: &str, listed: &StoredFile, len: u64, crc: u32) -> Result<(), StoreError> {
    check_len(name, listed, len)?;
    if format!("{crc:08x}") == listed.crc32c {
        return Ok(());
    }
    Err(StoreError::damaged(name, "its checksum does not match"))
}

impl From<EntryName> for EntryId {
    fn from(name: EntryName) -> Self {
        Self {
            index: name.index,
            term: name.term,
        }
    }
}
