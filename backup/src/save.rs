//! One partition into the store: in progress, its files, completed.
//!
//! What is read is compared with the checksums that were taken when it was written, so that damage of
//! a disk is never stored as a good backup. One piece of a file is in memory at a time, and the parts
//! of the store's writer.

use bytes::{Bytes, BytesMut};
use ringflow_core::ids::Timestamp;
use ringflow_io::TakeBackup;
use ringflow_storage::snapshot::SnapshotReader;

use crate::entries;
use crate::manifest::{BackupKey, EntryName, LAYOUT_VERSION, Manifest, Status, StoredFile, now};
use crate::service::Broker;
use crate::store::{Store, StoreError};

/// Bytes of a snapshot read at once.
const READ_BYTES: usize = 4 << 20;
/// Bytes of entries after which the next file begins.
const LOG_FILE_BYTES: u64 = 64 << 20;
/// Name of the file that lists the snapshot's files; among them like any other.
pub(crate) const SNAPSHOT_MANIFEST: &str = "snapshot/MANIFEST.ringflow";

/// Why a partition was not stored.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SaveError {
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error("{0}")]
    Source(String),
    #[error("it was deleted, or marked as failed, while it was being stored")]
    Gone,
}

impl From<ringflow_storage::Error> for SaveError {
    fn from(error: ringflow_storage::Error) -> Self {
        Self::Source(error.to_string())
    }
}

/// The manifest with which a backup begins.
pub(crate) fn begun(task: &TakeBackup, broker: &Broker) -> Manifest {
    let created_at = now();
    let checkpoint = &task.checkpoint;
    let at = task.at();
    Manifest {
        layout: LAYOUT_VERSION,
        checkpoint_id: checkpoint.checkpoint_id,
        partition_id: task.partition.0,
        node_id: broker.node,
        status: Status::InProgress,
        failure_reason: None,
        modified_at: created_at.clone(),
        created_at,
        broker_version: broker.version.clone(),
        number_of_partitions: broker.partitions,
        checkpoint_type: checkpoint.checkpoint_type.name().to_owned(),
        checkpoint_timestamp: time(checkpoint.checkpoint_timestamp),
        checkpoint_position: checkpoint.checkpoint_position.0,
        last_position: at.position.0,
        first_log_position: None,
        snapshot_id: task.snapshot().and_then(|snapshot| {
            let name = snapshot.path().file_name()?;
            Some(name.to_string_lossy().into_owned())
        }),
        log_base: EntryName {
            index: task.purged().index,
            term: task.purged().term,
        },
        log_last: EntryName {
            index: at.index,
            term: at.term,
        },
        files: Vec::new(),
    }
}

/// Stores what `task` holds under `manifest`, and completes that.
pub(crate) async fn save(
    store: &Store,
    task: &mut TakeBackup,
    manifest: &mut Manifest,
) -> Result<(), SaveError> {
    manifest.write(store).await?;
    let key = manifest.key();
    if task.snapshot().is_some() {
        snapshot(store, task, key, &mut manifest.files).await?;
    }
    log(store, task, key, &mut manifest.files).await?;
    // Half of its files may be gone with it.
    match Manifest::read(store, key).await {
        Ok(known) if known.status == Status::InProgress => {}
        Ok(_) | Err(StoreError::Missing(_)) => return Err(SaveError::Gone),
        Err(error) => return Err(error.into()),
    }
    manifest.first_log_position = task.first_position().map(|it| it.0);
    manifest.status = Status::Completed;
    manifest.modified_at = now();
    manifest.write(store).await?;
    Ok(())
}

async fn snapshot(
    store: &Store,
    task: &TakeBackup,
    key: BackupKey,
    files: &mut Vec<StoredFile>,
) -> Result<(), SaveError> {
    let Some(snapshot) = task.snapshot() else {
        return Ok(());
    };
    let reader = SnapshotReader::open(snapshot)?;
    let listed = Bytes::from(reader.manifest().encode());
    for (number, file) in reader.manifest().files.iter().enumerate() {
        let name = format!("snapshot/{}", file.name);
        let mut writer = store.writer(&key.file(&name));
        let mut offset = 0;
        while offset < file.len {
            let bytes = reader.chunk(number, offset, READ_BYTES)?;
            offset += bytes.len() as u64;
            task.stored(bytes.len() as u64);
            writer.write(Bytes::from(bytes)).await?;
        }
        let (bytes, crc) = writer.finish().await?;
        if crc != file.crc {
            let path = snapshot.path().join(&file.name);
            let what = format!("{} is damaged: its checksum does not match", path.display());
            return Err(SaveError::Source(what));
        }
        files.push(stored(name, bytes, crc));
    }
    let mut writer = store.writer(&key.file(SNAPSHOT_MANIFEST));
    writer.write(listed).await?;
    let (bytes, crc) = writer.finish().await?;
    files.push(stored(SNAPSHOT_MANIFEST.to_owned(), bytes, crc));
    Ok(())
}

async fn log(
    store: &Store,
    task: &mut TakeBackup,
    key: BackupKey,
    files: &mut Vec<StoredFile>,
) -> Result<(), SaveError> {
    let mut entries = task.entries().map_err(SaveError::Source)?;
    while let Some(first) = entries.first() {
        let name = format!("log/{:016x}.entries", first.index);
        let mut writer = store.writer(&key.file(&name));
        writer.write(entries::header()).await?;
        let mut written = 0;
        while written < LOG_FILE_BYTES && !entries.is_empty() {
            let mut bytes = BytesMut::new();
            for entry in &entries {
                entries::put(entry, &mut bytes);
            }
            written += bytes.len() as u64;
            task.stored(bytes.len() as u64);
            writer.write(bytes.freeze()).await?;
            entries = task.entries().map_err(SaveError::Source)?;
        }
        let (bytes, crc) = writer.finish().await?;
        files.push(stored(name, bytes, crc));
    }
    Ok(())
}

fn stored(name: String, bytes: u64, crc: u32) -> StoredFile {
    StoredFile {
        name,
        bytes,
        crc32c: format!("{crc:08x}"),
    }
}

/// A time as manifests have it.
fn time(time: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(time.0)
        .unwrap_or_default()
        .to_string()
}
