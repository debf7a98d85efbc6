//! Snapshots of a partition's state: checkpoints that are complete, checked and named, or absent.
//!
//! A snapshot is a directory of hard links to RocksDB's immutable files plus a manifest of their
//! lengths and checksums. It is built under a `pending-` name, synced, and committed by one
//! rename; what is found pending at opening is the rest of an interrupted attempt. The owner of
//! the partition starts all of this; [`take`] works on a helper thread of its own.
//!
//! | state | name | leaves it by |
//! |---|---|---|
//! | pending | `pending-<number>` | commit, or removal at the next opening |
//! | committed | `<index>-<term>-<position>`, 16 hexadecimal digits each | deletion, once a newer one is committed |
//! | restored | hard links in the state directory | RocksDB going on in it |
//!
//! 1. A snapshot is never changed; files are shared with the live store, which does not change
//!    them either.
//! 2. Checksums are verified when a snapshot is received, and when the live state is replaced by
//!    it; finding the newest one at opening checks names, lengths and the manifest only, because
//!    reading gigabytes would delay every start.

mod install;
mod manifest;
mod send;
mod take;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rocksdb::{DB, Options};

use crate::disk::Disk;
use crate::disk::posix::PosixDisk;
use crate::error::Error;
use crate::state::Applied;
use crate::state::store_error;

pub use install::{Staging, restore};
pub use manifest::{Manifest, ManifestFile};
pub use send::SnapshotReader;
pub use take::{Making, OnTaken, prepare, take, take_and_wait};

/// Beginning of the names of unfinished snapshots.
const PENDING: &str = "pending-";

/// A committed snapshot on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    path: PathBuf,
    manifest: Manifest,
}

impl Snapshot {
    /// Its directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Up to where its state goes.
    #[must_use]
    pub const fn applied(&self) -> Applied {
        self.manifest.applied
    }

    /// Its files.
    #[must_use]
    pub const fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Bytes of its files, those it shares with others included.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.manifest.files.iter().map(|file| file.len).sum()
    }

    /// Opens the committed snapshot in `path` and checks names and lengths.
    fn open(path: PathBuf) -> Result<Self, Error> {
        let manifest = Manifest::read(&path)?;
        if name(manifest.applied) != path.file_name().unwrap_or_default().to_string_lossy() {
            return Err(Error::corrupt(
                &path,
                0,
                "the snapshot's name does not fit its manifest",
            ));
        }
        manifest.check_lengths(&path)?;
        Ok(Self { path, manifest })
    }

    /// The row under `key` as it was when the snapshot was taken; opens the checkpoint, which takes
    /// milliseconds. Nobody may be reading the directory in another way.
    ///
    /// # Errors
    /// [`Error::Store`], [`Error::Io`].
    pub fn row(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let found = {
            let db = DB::open_for_read_only(&Options::default(), &self.path, false)
                .map_err(store_error("open the snapshot in", &self.path))?;
            db.get(key).map_err(store_error("read", &self.path))?
        };
        for name in names(&self.path)? {
            if name == "LOG" || name.starts_with("LOG.old") || name == "LOCK" {
                // Left by opening it.
                let path = self.path.join(&name);
                std::fs::remove_file(&path).map_err(|error| Error::io("remove", &path, error))?;
            }
        }
        Ok(found)
    }

    /// Reads every file and compares its checksum.
    ///
    /// # Errors
    /// [`Error::Corrupt`] with the damaged file, [`Error::Io`].
    pub fn verify(&self) -> Result<(), Error> {
        self.manifest.check_contents(&self.path)
    }
}

fn name(applied: Applied) -> String {
    format!(
        "{:016x}-{:016x}-{:016x}",
        applied.index, applied.term, applied.position.0
    )
}

/// What was found in a snapshot directory.
#[derive(Debug, Default)]
pub struct Found {
    /// The newest valid snapshot.
    pub newest: Option<Snapshot>,
    /// Those that are not valid, and why.
    pub skipped: Vec<(PathBuf, Error)>,
}

/// Finds the newest valid snapshot, and removes what is pending from an earlier process. Call it
/// before any snapshot is taken or received.
///
/// # Errors
/// [`Error::Io`] if the directory cannot be read.
pub fn newest(directory: &Path) -> Result<Found, Error> {
    let mut found = Found::default();
    for name in names(directory)?.into_iter().rev() {
        let path = directory.join(&name);
        if name.starts_with(PENDING) {
            remove_directory(&path)?;
        } else if found.newest.is_none() {
            match Snapshot::open(path.clone()) {
                Ok(snapshot) => found.newest = Some(snapshot),
                Err(error) => found.skipped.push((path, error)),
            }
        }
    }
    Ok(found)
}

/// The newest valid snapshot; nothing is removed.
fn newest_committed(directory: &Path) -> Result<Option<Snapshot>, Error> {
    let committed = names(directory)?
        .into_iter()
        .rev()
        .filter(|name| !name.starts_with(PENDING))
        .find_map(|name| Snapshot::open(directory.join(name)).ok());
    Ok(committed)
}

/// Deletes the snapshots older than `keep`, damaged ones too; how many.
///
/// # Errors
/// [`Error::Io`].
pub fn delete_old(directory: &Path, keep: &Snapshot) -> Result<usize, Error> {
    let mut deleted = 0;
    let kept = name(keep.applied());
    for name in names(directory)? {
        // Hexadecimal digits of fixed width: the order of names is the order of snapshots.
        if !name.starts_with(PENDING) && name < kept {
            remove_directory(&directory.join(name))?;
            deleted += 1;
        }
    }
    Ok(deleted)
}

fn names(directory: &Path) -> Result<Vec<String>, Error> {
    PosixDisk::new()
        .list(directory)
        .map_err(|error| Error::io("list", directory, error))
}

/// A path for a snapshot in the making, that nobody else in this process uses.
fn pending(directory: &Path) -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    loop {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = directory.join(format!("{PENDING}{number}"));
        if !path.exists() {
            return path;
        }
    }
}

/// Not synced: what is removed has no meaning any more, whether it comes back or not.
fn remove_directory(path: &Path) -> Result<(), Error> {
    std::fs::remove_dir_all(path).map_err(|error| Error::io("remove", path, error))
}

/// Syncs a finished pending directory and gives it its name. A snapshot of the same state that is
/// there already wins.
fn commit(pending: &Path, manifest: Manifest) -> Result<Snapshot, Error> {
    let disk = PosixDisk::new();
    disk.sync_directory(pending)
        .map_err(|error| Error::io("sync", pending, error))?;
    let path = crate::disk::parent(pending).join(name(manifest.applied));
    if path.exists() {
        match Snapshot::open(path.clone()) {
            Ok(existing) => {
                remove_directory(pending)?;
                return Ok(existing);
            }
            Err(_) => remove_directory(&path)?,
        }
    }
    crate::crashsafe::rename(&disk, pending, &path)?;
    Ok(Snapshot { path, manifest })
}
