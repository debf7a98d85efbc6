//! All backups of a store: which there are, how far they are, and how one is deleted.
//!
//! Every gateway reads the same store, so nobody has to be asked. States are Camunda's: a partition
//! that failed makes the backup failed, one that is missing makes it incomplete, one that is not done
//! keeps it in progress. If several brokers stored a partition, the best of them counts.

use std::collections::BTreeMap;

use futures::{StreamExt as _, TryStreamExt as _, stream};

use crate::manifest::{BackupKey, Manifest, Status, now};
use crate::store::{Store, StoreError};

/// Manifests read at a time.
const READS_AT_ONCE: usize = 8;

/// State of a partition in a backup.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord)]
pub enum PartitionState {
    /// It is not in it.
    DoesNotExist,
    /// It ended otherwise than whole.
    Failed,
    /// It is being stored.
    InProgress,
    /// It is whole.
    Completed,
}

impl PartitionState {
    /// Camunda's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::DoesNotExist => "DOES_NOT_EXIST",
            Self::Failed => "FAILED",
            Self::InProgress => "IN_PROGRESS",
            Self::Completed => "COMPLETED",
        }
    }
}

/// State of a backup.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BackupState {
    /// Nothing of it is there.
    DoesNotExist,
    /// A partition failed.
    Failed,
    /// A partition is missing.
    Incomplete,
    /// A partition is being stored.
    InProgress,
    /// All partitions are whole.
    Completed,
}

impl BackupState {
    /// Camunda's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::DoesNotExist => "DOES_NOT_EXIST",
            Self::Failed => "FAILED",
            Self::Incomplete => "INCOMPLETE",
            Self::InProgress => "IN_PROGRESS",
            Self::Completed => "COMPLETED",
        }
    }

    fn of(partitions: &[PartitionStatus]) -> Self {
        let has = |state| partitions.iter().any(|it| it.state() == state);
        let begun = has(PartitionState::InProgress) || has(PartitionState::Completed);
        if has(PartitionState::Failed) {
            Self::Failed
        } else if begun && has(PartitionState::DoesNotExist) {
            Self::Incomplete
        } else if has(PartitionState::InProgress) {
            Self::InProgress
        } else if has(PartitionState::DoesNotExist) || partitions.is_empty() {
            Self::DoesNotExist
        } else {
            Self::Completed
        }
    }
}

/// A partition in a backup.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PartitionStatus {
    /// The partition.
    pub partition: u16,
    /// What is known of it; `None` = it is not in the backup.
    pub manifest: Option<Box<Manifest>>,
}

impl PartitionStatus {
    /// How far it is.
    #[must_use]
    pub fn state(&self) -> PartitionState {
        match self.manifest.as_ref().map(|it| it.status) {
            None => PartitionState::DoesNotExist,
            Some(Status::Failed) => PartitionState::Failed,
            Some(Status::InProgress) => PartitionState::InProgress,
            Some(Status::Completed) => PartitionState::Completed,
        }
    }

    /// Why it failed.
    #[must_use]
    pub fn failure(&self) -> Option<&str> {
        let manifest = self.manifest.as_ref()?;
        let failed = manifest.status == Status::Failed;
        failed.then(|| {
            manifest
                .failure_reason
                .as_deref()
                .unwrap_or("Unknown reason")
        })
    }
}

/// A backup.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BackupStatus {
    /// Its number.
    pub id: i64,
    /// How far it is.
    pub state: BackupState,
    /// All partitions of the cluster, ascending.
    pub partitions: Vec<PartitionStatus>,
}

impl BackupStatus {
    fn of(id: i64, partition_count: u16, mut found: BTreeMap<u16, Manifest>) -> Self {
        let partitions: Vec<_> = (1..=partition_count)
            .map(|partition| PartitionStatus {
                partition,
                manifest: found.remove(&partition).map(Box::new),
            })
            .collect();
        Self {
            id,
            state: BackupState::of(&partitions),
            partitions,
        }
    }

    /// Why it failed, in Camunda's words.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        (self.state == BackupState::Failed).then(|| {
            let failed = self.partitions.iter().filter_map(|it| {
                let reason = it.failure()?;
                let partition = it.partition;
                Some(format!(
                    "Backup on partition {partition} failed due to {reason}. "
                ))
            });
            failed.collect()
        })
    }
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Catalog {
    store: Store,
}

impl Catalog {
    /// The backups of `store`.
    #[must_use]
    pub const fn new(store: Store) -> Self {
        Self { store }
    }

    /// Backup `id` of a cluster with so many partitions.
    ///
    /// # Errors
    /// [`StoreError`]; a damaged manifest is named.
    pub async fn status(&self, id: i64, partition_count: u16) -> Result<BackupStatus, StoreError> {
        let mut found = BTreeMap::new();
        for partition in 1..=partition_count {
            if let Some(best) = self.partition(partition, id).await? {
                found.insert(partition, best);
            }
        }
        Ok(BackupStatus::of(id, partition_count, found))
    }

    /// All backups whose numbers begin with `prefix`, newest first.
    ///
    /// # Errors
    /// [`StoreError`]; a damaged manifest is named.
    pub async fn list(
        &self,
        prefix: &str,
        partition_count: u16,
    ) -> Result<Vec<BackupStatus>, StoreError> {
        let keys = self.keys("manifests").await?.into_iter();
        let wanted = keys.filter(|key| {
            key.partition <= partition_count && key.checkpoint.to_string().starts_with(prefix)
        });
        let mut backups: BTreeMap<i64, BTreeMap<u16, Manifest>> = BTreeMap::new();
        for manifest in self.read(wanted.collect()).await? {
            let of = backups.entry(manifest.checkpoint_id).or_default();
            match of.get(&manifest.partition_id) {
                Some(known) if !is_better(&manifest, known) => {}
                Some(_) | None => {
                    of.insert(manifest.partition_id, manifest);
                }
            }
        }
        let statuses = backups.into_iter().rev();
        Ok(statuses
            .map(|(id, found)| BackupStatus::of(id, partition_count, found))
            .collect())
    }

    /// The best that any broker stored of `partition` for backup `id`.
    ///
    /// # Errors
    /// [`StoreError`]; a damaged manifest is named.
    pub async fn partition(&self, partition: u16, id: i64) -> Result<Option<Manifest>, StoreError> {
        let keys = self.keys(&format!("manifests/{partition}/{id}")).await?;
        let manifests = self.read(keys).await?.into_iter();
        Ok(manifests.reduce(
            |best, next| {
                if is_better(&next, &best) { next } else { best }
            },
        ))
    }

    /// Deletes what is there of backup `id`: manifests first, so that nobody takes the rest for a
    /// backup.
    ///
    /// # Errors
    /// [`StoreError`]; to be called again then.
    pub async fn delete(&self, id: i64, partition_count: u16) -> Result<(), StoreError> {
        for partition in 1..=partition_count {
            for top in ["manifests", "contents"] {
                let objects = self.store.list(&format!("{top}/{partition}/{id}")).await?;
                for object in objects {
                    self.store.delete(&object).await?;
                }
            }
        }
        Ok(())
    }

    /// Notes that whoever stores backup `id` of `partition` will not finish.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn fail_in_progress(
        &self,
        partition: u16,
        id: i64,
        reason: &str,
    ) -> Result<usize, StoreError> {
        let keys = self.keys(&format!("manifests/{partition}/{id}")).await?;
        let mut failed = 0;
        for mut manifest in self.read(keys).await? {
            if manifest.status == Status::InProgress {
                manifest.status = Status::Failed;
                manifest.failure_reason = Some(reason.to_owned());
                manifest.modified_at = now();
                manifest.write(&self.store).await?;
                failed += 1;
            }
        }
        Ok(failed)
    }

    /// Deletes the files that one broker stored of a partition.
    pub(crate) async fn delete_contents(&self, key: BackupKey) -> Result<(), StoreError> {
        for object in self.store.list(&key.contents()).await? {
            self.store.delete(&object).await?;
        }
        Ok(())
    }

    async fn keys(&self, prefix: &str) -> Result<Vec<BackupKey>, StoreError> {
        let names = self.store.list(prefix).await?;
        let mut keys: Vec<_> = names
            .iter()
            .filter_map(|name| BackupKey::of(name))
            .collect();
        keys.sort_unstable();
        Ok(keys)
    }

    async fn read(&self, keys: Vec<BackupKey>) -> Result<Vec<Manifest>, StoreError> {
        let reads = stream::iter(keys).map(|key| async move {
            match Manifest::read(&self.store, key).await {
                // Deleted since it was listed.
                Err(StoreError::Missing(_)) => Ok(None),
                read => read.map(Some),
            }
        });
        reads
            .buffered(READS_AT_ONCE)
            .try_filter_map(|read| async move { Ok(read) })
            .try_collect()
            .await
    }
}

/// The further one; of two as far the one of the lower broker, so that all brokers choose alike.
fn is_better(this: &Manifest, than: &Manifest) -> bool {
    (this.status, std::cmp::Reverse(this.node_id)) > (than.status, std::cmp::Reverse(than.node_id))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use object_store::memory::InMemory;

    use super::*;
    use crate::manifest::tests::manifest;

    fn key(partition: u16, checkpoint: i64, node: u32) -> BackupKey {
        BackupKey {
            partition,
            checkpoint,
            node,
        }
    }

    async fn put(store: &Store, key: BackupKey, status: Status) {
        manifest(key, status).write(store).await.unwrap();
    }

    fn states(status: &BackupStatus) -> Vec<PartitionState> {
        let states = status.partitions.iter();
        states.map(PartitionStatus::state).collect()
    }

    #[tokio::test]
    async fn the_state_of_a_backup_follows_from_its_partitions() {
        let store = Store::of(Arc::new(InMemory::new()), "some/base");
        let catalog = Catalog::new(store.clone());
        let state = async |id| catalog.status(id, 2).await.unwrap().state;
        assert_eq!(state(1).await, BackupState::DoesNotExist);
        put(&store, key(1, 1, 0), Status::InProgress).await;
        assert_eq!(state(1).await, BackupState::Incomplete);
        put(&store, key(2, 1, 0), Status::Completed).await;
        assert_eq!(state(1).await, BackupState::InProgress);
        assert_eq!(catalog.fail_in_progress(1, 1, "why").await.unwrap(), 1);
        let failed = catalog.status(1, 2).await.unwrap();
        assert_eq!(failed.state, BackupState::Failed);
        assert_eq!(
            failed.failure().unwrap(),
            "Backup on partition 1 failed due to why. "
        );
        // Another broker led it meanwhile and stored it whole.
        put(&store, key(1, 1, 2), Status::Completed).await;
        assert_eq!(state(1).await, BackupState::Completed);
        assert_eq!(catalog.fail_in_progress(1, 1, "no").await.unwrap(), 0);
    }

    #[tokio::test]
    async fn backups_are_listed_newest_first_and_by_prefix() {
        let store = Store::of(Arc::new(InMemory::new()), "");
        let catalog = Catalog::new(store.clone());
        for id in [9, 10, 100] {
            put(&store, key(1, id, 0), Status::Completed).await;
        }
        put(&store, key(2, 100, 1), Status::Completed).await;
        let ids = async |prefix: &str| -> Vec<i64> {
            let listed = catalog.list(prefix, 2).await.unwrap();
            listed.iter().map(|backup| backup.id).collect()
        };
        assert_eq!(ids("").await, [100, 10, 9]);
        assert_eq!(ids("10").await, [100, 10]);
        let listed = catalog.list("", 2).await.unwrap();
        assert_eq!(listed[0].state, BackupState::Completed);
        assert_eq!(listed[1].state, BackupState::Incomplete);
        let missing = [PartitionState::Completed, PartitionState::DoesNotExist];
        assert_eq!(states(&listed[1]), missing);
    }

    #[tokio::test]
    async fn deleting_leaves_nothing_of_one_backup_and_all_of_others() {
        let store = Store::of(Arc::new(InMemory::new()), "base");
        let catalog = Catalog::new(store.clone());
        for id in [1, 11] {
            put(&store, key(1, id, 0), Status::Completed).await;
            let file = key(1, id, 0).file("log/1.entries");
            store.put(&file, Bytes::from_static(b"x")).await.unwrap();
        }
        catalog.delete(1, 1).await.unwrap();
        let left = store.list("contents").await.unwrap();
        assert_eq!(left, ["contents/1/11/0/log/1.entries"]);
        let status = catalog.status(1, 1).await.unwrap();
        assert_eq!(status.state, BackupState::DoesNotExist);
        catalog.delete(1, 1).await.unwrap();
    }

    #[tokio::test]
    async fn a_damaged_manifest_is_named() {
        let store = Store::of(Arc::new(InMemory::new()), "");
        let name = key(1, 5, 0).manifest();
        store.put(&name, Bytes::from_static(b"{")).await.unwrap();
        let error = Catalog::new(store).status(5, 1).await.unwrap_err();
        assert!(error.to_string().contains(&name), "{error}");
    }
}
