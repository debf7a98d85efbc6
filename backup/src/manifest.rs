//! What is known of the backup of one partition by one broker, as JSON.
//!
//! Written when the backup begins and again when it ends; only a completed one is ever restored.
//! What is in it is not trusted: sizes are bounded, and names can lead nowhere but below the
//! backup's own directory.

use bytes::Bytes;
use ringflow_core::ids::Position;
use serde::{Deserialize, Serialize};

use crate::store::{Store, StoreError};

/// Version of the layout.
pub const LAYOUT_VERSION: u32 = 1;
/// Most bytes of a manifest.
pub(crate) const MANIFEST_BYTES_MAX: u64 = 64 << 20;
/// Last part of its name.
const MANIFEST_NAME: &str = "manifest.json";

/// How far a backup of a partition is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, PartialOrd, Ord)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// It ended otherwise than whole.
    Failed,
    /// It is being stored, or whoever stored it has ended.
    InProgress,
    /// Everything is there.
    Completed,
}

/// A file of a backup.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredFile {
    /// Its name below the backup's contents, e.g. `snapshot/000009.sst`.
    pub name: String,
    /// Its bytes.
    pub bytes: u64,
    /// CRC32C of them, 8 hexadecimal digits.
    pub crc32c: String,
}

/// An entry of the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EntryName {
    /// Its index; 0 = before the first.
    pub index: u64,
    /// The term it was proposed in.
    pub term: u64,
}

/// See the module.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Version of the layout.
    pub layout: u32,
    /// Number of the backup and of its checkpoint.
    pub checkpoint_id: i64,
    /// The partition.
    pub partition_id: u16,
    /// The broker that stored it.
    pub node_id: u32,
    /// How far it is.
    pub status: Status,
    /// Why it failed.
    #[serde(default)]
    pub failure_reason: Option<String>,
    /// When it began, RFC 3339.
    pub created_at: String,
    /// When this was last written.
    pub modified_at: String,
    /// Version of the broker.
    pub broker_version: String,
    /// Partitions of the cluster.
    pub number_of_partitions: u16,
    /// MANUAL_BACKUP or SCHEDULED_BACKUP.
    pub checkpoint_type: String,
    /// When the checkpoint was created, RFC 3339.
    pub checkpoint_timestamp: String,
    /// Position of the command that created it.
    pub checkpoint_position: u64,
    /// Position of the last record of the backup.
    pub last_position: u64,
    /// Position of the first record of the log that is stored; what lies before is in the snapshot
    /// alone. `None` if that is not known.
    pub first_log_position: Option<u64>,
    /// Name of the snapshot; `None` if there is none and the log is whole.
    pub snapshot_id: Option<String>,
    /// The entry before the first one stored.
    pub log_base: EntryName,
    /// The last entry stored: the one of the checkpoint.
    pub log_last: EntryName,
    /// Everything that is stored.
    #[serde(default)]
    pub files: Vec<StoredFile>,
}

/// Which backup of which partition by which broker.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct BackupKey {
    /// The partition.
    pub partition: u16,
    /// Number of the backup.
    pub checkpoint: i64,
    /// The broker.
    pub node: u32,
}

impl BackupKey {
    fn below(self, top: &str) -> String {
        let Self {
            partition,
            checkpoint,
            node,
        } = self;
        format!("{top}/{partition}/{checkpoint}/{node}")
    }

    /// Name of the manifest.
    #[must_use]
    pub fn manifest(self) -> String {
        format!("{}/{MANIFEST_NAME}", self.below("manifests"))
    }

    /// What the names of its files begin with.
    #[must_use]
    pub fn contents(self) -> String {
        self.below("contents")
    }

    /// Name of a file.
    #[must_use]
    pub fn file(self, name: &str) -> String {
        format!("{}/{name}", self.contents())
    }

    /// The key in the name of a manifest.
    pub(crate) fn of(name: &str) -> Option<Self> {
        let mut parts = name.strip_prefix("manifests/")?.split('/');
        let key = Self {
            partition: parts.next()?.parse().ok()?,
            checkpoint: parts.next()?.parse().ok()?,
            node: parts.next()?.parse().ok()?,
        };
        (parts.next() == Some(MANIFEST_NAME) && parts.next().is_none()).then_some(key)
    }
}

impl Manifest {
    /// Where it belongs.
    #[must_use]
    pub const fn key(&self) -> BackupKey {
        BackupKey {
            partition: self.partition_id,
            checkpoint: self.checkpoint_id,
            node: self.node_id,
        }
    }

    /// Position of the last record of the backup.
    #[must_use]
    pub const fn last(&self) -> Position {
        Position(self.last_position)
    }

    /// Writes it in the place of the one before.
    pub(crate) async fn write(&self, store: &Store) -> Result<(), StoreError> {
        let name = self.key().manifest();
        let text = serde_json::to_vec_pretty(self)
            .map_err(|error| StoreError::damaged(&name, error.to_string()))?;
        store.put(&name, Bytes::from(text)).await
    }

    /// Reads one.
    pub(crate) async fn read(store: &Store, key: BackupKey) -> Result<Self, StoreError> {
        let name = key.manifest();
        let bytes = store.get(&name, MANIFEST_BYTES_MAX).await?;
        Self::decode(&name, &bytes, key)
    }

    fn decode(name: &str, bytes: &[u8], key: BackupKey) -> Result<Self, StoreError> {
        let manifest: Self = serde_json::from_slice(bytes)
            .map_err(|error| StoreError::damaged(name, error.to_string()))?;
        if manifest.layout != LAYOUT_VERSION {
            let what = format!(
                "layout {}, this program reads {LAYOUT_VERSION}",
                manifest.layout
            );
            return Err(StoreError::damaged(name, what));
        }
        if manifest.key() != key {
            return Err(StoreError::damaged(name, "it is of another backup"));
        }
        let plain = |file: &StoredFile| {
            let parts = file.name.split_once('/');
            parts.is_some_and(|(folder, name)| {
                ["snapshot", "log"].contains(&folder)
                    && !name.is_empty()
                    && !name.starts_with('.')
                    && !name.contains('/')
            })
        };
        if let Some(file) = manifest.files.iter().find(|file| !plain(file)) {
            let what = format!("it names a file {:?}", file.name);
            return Err(StoreError::damaged(name, what));
        }
        Ok(manifest)
    }
}

/// The wall clock as manifests have it.
pub(crate) fn now() -> String {
    jiff::Timestamp::now().to_string()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn manifest(key: BackupKey, status: Status) -> Manifest {
        Manifest {
            layout: LAYOUT_VERSION,
            checkpoint_id: key.checkpoint,
            partition_id: key.partition,
            node_id: key.node,
            status,
            failure_reason: None,
            created_at: "2026-01-02T03:04:05Z".to_owned(),
            modified_at: "2026-01-02T03:04:06Z".to_owned(),
            broker_version: "1.2.3".to_owned(),
            number_of_partitions: 2,
            checkpoint_type: "MANUAL_BACKUP".to_owned(),
            checkpoint_timestamp: "2026-01-02T03:04:05Z".to_owned(),
            checkpoint_position: 41,
            last_position: 42,
            first_log_position: Some(7),
            snapshot_id: Some("1-2-3".to_owned()),
            log_base: EntryName { index: 3, term: 1 },
            log_last: EntryName { index: 9, term: 2 },
            files: Vec::new(),
        }
    }

    const KEY: BackupKey = BackupKey {
        partition: 2,
        checkpoint: 77,
        node: 1,
    };

    #[test]
    fn names_say_whose_a_manifest_is() {
        assert_eq!(KEY.manifest(), "manifests/2/77/1/manifest.json");
        assert_eq!(BackupKey::of(&KEY.manifest()), Some(KEY));
        for other in [
            "contents/2/77/1/manifest.json",
            "manifests/2/77/1/other.json",
            "manifests/2/x/1/manifest.json",
            "manifests/2/77/1/manifest.json/more",
        ] {
            assert_eq!(BackupKey::of(other), None, "{other}");
        }
    }

    #[test]
    fn a_manifest_comes_back_and_others_are_refused() {
        let mut manifest = manifest(KEY, Status::Completed);
        manifest.files.push(StoredFile {
            name: "log/1.entries".to_owned(),
            bytes: 5,
            crc32c: "00000001".to_owned(),
        });
        let encode = |it: &Manifest| serde_json::to_vec(it).unwrap();
        let decode = |bytes: &[u8]| Manifest::decode("m", bytes, KEY);
        assert_eq!(decode(&encode(&manifest)).unwrap(), manifest);
        let mut newer = manifest.clone();
        newer.layout += 1;
        let mut another = manifest.clone();
        another.partition_id = 1;
        let mut astray = manifest.clone();
        astray.files[0].name = "snapshot/../../x".to_owned();
        let mut hidden = manifest;
        hidden.files[0].name = "log/.x".to_owned();
        for wrong in [newer, another, astray, hidden] {
            decode(&encode(&wrong)).unwrap_err();
        }
        decode(b"{}").unwrap_err();
    }
}
