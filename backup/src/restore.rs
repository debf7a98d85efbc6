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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use object_store::memory::InMemory;

    use super::*;
    use crate::manifest::tests::manifest;
    use crate::manifest::{BackupKey, Status};

    /// Backups 10, 20 and 30 of two partitions: entries 1 to 100, 90 to 200 and 250 to 300, a record
    /// each; the third does not join the second.
    async fn catalog() -> (Store, Catalog) {
        let store = Store::of(Arc::new(InMemory::new()), "");
        for (id, from, to) in [(10, 1, 100), (20, 90, 200), (30, 250, 300)] {
            for partition in [1, 2] {
                let key = BackupKey {
                    partition,
                    checkpoint: id,
                    node: 0,
                };
                let mut it = manifest(key, Status::Completed);
                it.log_base.index = from - 1;
                it.log_last.index = to;
                it.first_log_position = Some(from);
                it.last_position = to;
                it.checkpoint_timestamp = format!("2026-01-01T00:{id}:00Z");
                it.write(&store).await.unwrap();
            }
        }
        (store.clone(), Catalog::new(store))
    }

    fn stands(first: u64, second: u64) -> Exported {
        Some(BTreeMap::from([
            (1, Position(first)),
            (2, Position(second)),
        ]))
    }

    fn joined(plan: &Plan) -> Vec<Vec<i64>> {
        let ids = |manifests: &Vec<Manifest>| manifests.iter().map(|it| it.checkpoint_id).collect();
        plan.partitions.values().map(ids).collect()
    }

    async fn refused(catalog: &Catalog, wanted: Wanted, exported: &Exported) -> String {
        let refused = plan(catalog, &wanted, 2, exported).await;
        refused.unwrap_err().to_string()
    }

    #[tokio::test]
    async fn backups_are_joined_back_to_where_the_database_stands() {
        let (_, catalog) = catalog().await;
        let of = async |exported: Exported| {
            let chosen = plan(&catalog, &Wanted::Backup(20), 2, &exported)
                .await
                .unwrap();
            assert_eq!(chosen.backup, 20);
            joined(&chosen)
        };
        assert_eq!(of(None).await, [[20], [20]]);
        assert_eq!(of(stands(89, 200)).await, [[20], [20]]);
        assert_eq!(of(stands(88, 150)).await, [vec![10, 20], vec![20]]);
        assert_eq!(of(stands(0, 0)).await, [[10, 20], [10, 20]]);
    }

    #[tokio::test]
    async fn what_would_lose_or_double_rows_is_refused() {
        let (_, catalog) = catalog().await;
        let ahead = refused(&catalog, Wanted::Backup(20), &stands(100, 201)).await;
        assert!(
            ahead.contains("the database is ahead of backup 20"),
            "{ahead}"
        );
        let gap = refused(&catalog, Wanted::Backup(30), &stands(248, 260)).await;
        assert!(gap.contains("begin with record 250"), "{gap}");
        let missing = refused(&catalog, Wanted::Backup(21), &None).await;
        assert_eq!(missing, "backup 21 does not exist");
    }

    #[tokio::test]
    async fn the_newest_and_the_nearest_are_those_that_fit() {
        let (store, catalog) = catalog().await;
        let chosen = async |wanted: Wanted, exported: Exported| {
            let chosen = plan(&catalog, &wanted, 2, &exported).await;
            chosen
                .map(|it| it.backup)
                .map_err(|error| error.to_string())
        };
        assert_eq!(chosen(Wanted::Newest, None).await, Ok(30));
        let at = |time: &str| Wanted::Nearest(time.parse().unwrap());
        assert_eq!(chosen(at("2026-01-01T00:14:00Z"), None).await, Ok(10));
        assert_eq!(chosen(at("2026-01-01T00:24:00Z"), None).await, Ok(20));
        // Behind the database: the next one is taken.
        let later = chosen(at("2026-01-01T00:14:00Z"), stands(150, 150)).await;
        assert_eq!(later, Ok(20));
        // One that is not whole is none.
        let key = BackupKey {
            partition: 2,
            checkpoint: 30,
            node: 0,
        };
        manifest(key, Status::Failed).write(&store).await.unwrap();
        assert_eq!(chosen(Wanted::Newest, None).await, Ok(20));
        let refused = chosen(Wanted::Backup(30), None).await.unwrap_err();
        assert!(refused.contains("partition 2 FAILED"), "{refused}");
    }

    #[tokio::test]
    async fn another_number_of_partitions_is_refused() {
        let store = Store::of(Arc::new(InMemory::new()), "");
        let key = BackupKey {
            partition: 1,
            checkpoint: 1,
            node: 0,
        };
        manifest(key, Status::Completed)
            .write(&store)
            .await
            .unwrap();
        let catalog = Catalog::new(store);
        let refused = plan(&catalog, &Wanted::Backup(1), 1, &None)
            .await
            .unwrap_err();
        let wanted = "Expected backup to have 1 partitions, but has 2";
        assert_eq!(refused.to_string(), wanted);
    }
}
