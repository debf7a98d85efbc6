//! The directory a broker keeps everything in: whose it is, which format it has, where things are.
//!
//! Opened once by the process that owns it, before any partition; the lock lives as long as the
//! [`DataDir`]. A directory without a `VERSION` file is taken over only if it is empty, so that a
//! mistyped path is never filled with data.
//!
//! | name | content |
//! |---|---|
//! | `VERSION` | `ringflow-data 1` and a line feed |
//! | `LOCK` | process id of the holder, locked with `flock` |
//! | `CLUSTER` | which broker of which cluster it belongs to, as text; absent for a cluster of one |
//! | `CONFIGURATION` | the cluster's configuration, bytes of its own format; absent while it was never changed |
//! | `partitions/removed-<n>-<m>` | a partition that is being removed |
//! | `RESTORING` | empty; a backup is being restored into it, or was and failed half-way |
//! | `partitions/<n>/log/` | segments of the Raft log |
//! | `partitions/<n>/vote` | Raft vote, two slots |
//! | `partitions/<n>/state/` | RocksDB |
//! | `partitions/<n>/snapshots/` | checkpoints |
//! | `partitions/<n>/<marker>` | empty; says that something was begun and is not finished |

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::process;

use ringflow_core::ids::PartitionId;

use crate::crashsafe;
use crate::disk::Disk;
use crate::disk::posix::PosixDisk;
use crate::error::Error;
use crate::watermark::DiskSpace;

/// Version of the directory's layout and of all formats in it.
pub const DATA_VERSION: u32 = 1;
/// File that says whose the directory is.
const CLUSTER_NAME: &str = "CLUSTER";
/// Most bytes of it.
const CLUSTER_BYTES_MAX: u64 = 4096;
/// File of the cluster's configuration.
const CONFIGURATION_NAME: &str = "CONFIGURATION";
/// Most bytes of it.
const CONFIGURATION_BYTES_MAX: u64 = 4 << 20;
/// Beginning of the names of partitions that are being removed.
const REMOVED: &str = "removed-";
/// File that says that a restore has begun and not ended.
const RESTORING_NAME: &str = "RESTORING";
/// What the embedded database's files in it begin with.
const DATABASE_PREFIX: &str = "secondary.db";
/// First word of the `VERSION` file.
const VERSION_WORD: &str = "ringflow-data";

/// How a data directory is opened.
#[derive(Debug, Clone)]
pub struct DataDirOptions {
    /// Create the directory if it is missing (default), or refuse.
    pub create: bool,
    /// Bytes that must be free on its device at start; default 64 MiB, two empty segments.
    pub min_free_bytes: u64,
    /// It is opened to restore a backup into it: it may hold the embedded database, which was
    /// restored before, and what a restore that failed has left.
    pub restoring: bool,
}

impl Default for DataDirOptions {
    fn default() -> Self {
        Self {
            create: true,
            min_free_bytes: 64 << 20,
            restoring: false,
        }
    }
}

/// An open, locked data directory.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    disk: PosixDisk,
    _lock: File,
}

impl DataDir {
    /// Opens or creates a data directory and locks it until the value is dropped.
    ///
    /// # Errors
    /// [`Error::Locked`] if another process holds it, [`Error::Version`] if it is of another
    /// version, [`Error::Full`] below the minimum of free space, [`Error::Misuse`] if it is
    /// missing (and may not be created) or holds something else, [`Error::Io`] otherwise.
    pub fn open(path: impl Into<PathBuf>, options: DataDirOptions) -> Result<Self, Error> {
        let path = path.into();
        let disk = PosixDisk::new();
        if !path.is_dir() {
            if !options.create {
                return Err(Error::Misuse(format!(
                    "the data directory {} does not exist",
                    path.display()
                )));
            }
            create_with_parents(&disk, &path)?;
        }
        // Before the lock, so that a directory of someone else is not even given a LOCK file.
        let version = path.join("VERSION");
        let is_new = !version.exists();
        if is_new {
            refuse_foreign(&disk, &path, options.restoring)?;
        }
        let lock = lock(&path)?;
        if is_new && !version.exists() {
            let text = format!("{VERSION_WORD} {DATA_VERSION}\n");
            crashsafe::replace(&disk, &version, text.as_bytes())?;
        }
        check_version(&version)?;
        if !options.restoring && path.join(RESTORING_NAME).exists() {
            return Err(Error::Misuse(format!(
                "a backup was being restored into {} and is not whole: restore it again",
                path.display()
            )));
        }
        let opened = Self {
            path,
            disk,
            _lock: lock,
        };
        let free = DiskSpace::of(&opened.path)?.free_bytes;
        if free < options.min_free_bytes {
            return Err(Error::Full {
                action: "start in",
                path: opened.path,
            });
        }
        opened.create("partitions")?;
        opened.sweep()?;
        Ok(opened)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the `CLUSTER` file says; `None` without one.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Corrupt`] if it is not a small text.
    pub fn cluster(&self) -> Result<Option<String>, Error> {
        let path = self.path.join(CLUSTER_NAME);
        if !path.exists() {
            return Ok(None);
        }
        let bytes = crashsafe::read_small(&path, CLUSTER_BYTES_MAX)?;
        String::from_utf8(bytes)
            .map(Some)
            .map_err(|_| Error::corrupt(&path, 0, "the file is not text"))
    }

    /// Writes the `CLUSTER` file durably.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Full`].
    pub fn set_cluster(&self, text: &str) -> Result<(), Error> {
        crashsafe::replace(&self.disk, &self.path.join(CLUSTER_NAME), text.as_bytes())
    }

    /// The bytes of the `CONFIGURATION` file; `None` without one.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Corrupt`] if it is not small.
    pub fn configuration(&self) -> Result<Option<Vec<u8>>, Error> {
        let path = self.path.join(CONFIGURATION_NAME);
        if !path.exists() {
            return Ok(None);
        }
        crashsafe::read_small(&path, CONFIGURATION_BYTES_MAX).map(Some)
    }

    /// Writes the `CONFIGURATION` file durably.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Full`].
    pub fn set_configuration(&self, bytes: &[u8]) -> Result<(), Error> {
        crashsafe::replace(&self.disk, &self.path.join(CONFIGURATION_NAME), bytes)
    }

    /// Removes all data of a partition that nobody has open: it is gone for good when this returns,
    /// or whole. The files themselves are deleted by [`DataDir::sweep`].
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn remove_partition(&self, partition: PartitionId) -> Result<(), Error> {
        let from = self.path.join(format!("partitions/{partition}"));
        if !from.exists() {
            return Ok(());
        }
        let mut number = 0_u64;
        let to = loop {
            let name = format!("partitions/{REMOVED}{partition}-{number}");
            let to = self.path.join(name);
            if !to.exists() {
                break to;
            }
            number += 1;
        };
        crashsafe::rename(&self.disk, &from, &to)
    }

    /// Deletes the files of removed partitions; takes its time.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn sweep(&self) -> Result<(), Error> {
        let directory = self.path.join("partitions");
        let names = self
            .disk
            .list(&directory)
            .map_err(|error| Error::io("list", &directory, error))?;
        for name in names.iter().filter(|name| name.starts_with(REMOVED)) {
            let path = directory.join(name);
            std::fs::remove_dir_all(&path).map_err(|error| Error::io("remove", &path, error))?;
        }
        Ok(())
    }

    /// Says durably that a restore begins, before anything of it is there.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Full`].
    pub fn begin_restore(&self) -> Result<(), Error> {
        crashsafe::replace(&self.disk, &self.path.join(RESTORING_NAME), &[])
    }

    /// Says durably that a restore is whole, or that nothing is left of it.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn end_restore(&self) -> Result<(), Error> {
        let path = self.path.join(RESTORING_NAME);
        if path.exists() {
            crashsafe::remove(&self.disk, &path)?;
        }
        Ok(())
    }

    /// Deletes all partitions and whose the directory is.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn clear(&self) -> Result<(), Error> {
        let partitions = self.path.join("partitions");
        std::fs::remove_dir_all(&partitions)
            .map_err(|error| Error::io("remove", &partitions, error))?;
        for name in [CLUSTER_NAME, CONFIGURATION_NAME] {
            let path = self.path.join(name);
            if path.exists() {
                crashsafe::remove(&self.disk, &path)?;
            }
        }
        self.create("partitions")
    }

    /// True if it holds no partition, or what a restore that failed has left of some.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn is_empty(&self) -> Result<bool, Error> {
        Ok(self.path.join(RESTORING_NAME).exists() || self.partitions()?.is_empty())
    }

    /// Space on its device.
    ///
    /// # Errors
    /// [`Error::Io`] if the file system does not answer.
    pub fn space(&self) -> Result<DiskSpace, Error> {
        DiskSpace::of(&self.path)
    }

    /// The directories of a partition, created if missing.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Full`].
    pub fn partition(&self, partition: PartitionId) -> Result<PartitionDir, Error> {
        let relative = format!("partitions/{partition}");
        self.create(&relative)?;
        self.create(&format!("{relative}/log"))?;
        self.create(&format!("{relative}/snapshots"))?;
        Ok(PartitionDir {
            path: self.path.join(relative),
        })
    }

    /// The partitions that have a directory, ascending.
    ///
    /// # Errors
    /// [`Error::Io`] if the directory cannot be read.
    pub fn partitions(&self) -> Result<Vec<PartitionId>, Error> {
        let directory = self.path.join("partitions");
        let names = self
            .disk
            .list(&directory)
            .map_err(|error| Error::io("list", &directory, error))?;
        let mut found: Vec<PartitionId> = names
            .iter()
            .filter_map(|name| name.parse().ok().map(PartitionId))
            .collect();
        found.sort_unstable();
        Ok(found)
    }

    fn create(&self, relative: &str) -> Result<(), Error> {
        crashsafe::create_directory(&self.disk, &self.path.join(relative))
    }
}

/// Where the files of one partition are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionDir {
    path: PathBuf,
}

impl PartitionDir {
    /// The partition's directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Directory of the log's segments.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.path.join("log")
    }

    /// The vote file.
    #[must_use]
    pub fn vote(&self) -> PathBuf {
        self.path.join("vote")
    }

    /// Directory of the state store; created by RocksDB.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.path.join("state")
    }

    /// Directory of the snapshots.
    #[must_use]
    pub fn snapshots(&self) -> PathBuf {
        self.path.join("snapshots")
    }

    /// Sets a marker durably; fine if it is set.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Full`].
    pub fn set_marker(&self, name: &str) -> Result<(), Error> {
        crashsafe::replace(&PosixDisk::new(), &self.path.join(name), &[])
    }

    /// True if a marker is set.
    #[must_use]
    pub fn has_marker(&self, name: &str) -> bool {
        self.path.join(name).exists()
    }

    /// Clears a marker durably; fine if it is not set.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn clear_marker(&self, name: &str) -> Result<(), Error> {
        let path = self.path.join(name);
        if path.exists() {
            crashsafe::remove(&PosixDisk::new(), &path)?;
        }
        Ok(())
    }
}

fn create_with_parents(disk: &PosixDisk, path: &Path) -> Result<(), Error> {
    let mut missing = Vec::new();
    let mut next = Some(path);
    while let Some(directory) = next {
        if directory.as_os_str().is_empty() || directory.is_dir() {
            break;
        }
        missing.push(directory);
        next = directory.parent();
    }
    for directory in missing.into_iter().rev() {
        crashsafe::create_directory(disk, directory)?;
    }
    Ok(())
}

/// A directory without a version must hold nothing but what an interrupted first start leaves.
fn refuse_foreign(disk: &PosixDisk, path: &Path, restoring: bool) -> Result<(), Error> {
    let names = disk
        .list(path)
        .map_err(|error| Error::io("list", path, error))?;
    match names
        .iter()
        .filter(|name| !(restoring && name.starts_with(DATABASE_PREFIX)))
        .find(|name| !["LOCK", "VERSION.new", "lost+found"].contains(&name.as_str()))
    {
        None => Ok(()),
        Some(name) => Err(Error::Misuse(format!(
            "{} is not empty (it holds {name:?}) and has no VERSION file: \
             it is not a Ringflow data directory",
            path.display()
        ))),
    }
}

fn lock(path: &Path) -> Result<File, Error> {
    let lock_path = path.join("LOCK");
    let fail = |error| Error::io("lock", &lock_path, error);
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&lock_path)
        .map_err(fail)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            let holder = file.read_to_string(&mut text).ok();
            return Err(Error::Locked {
                path: path.to_owned(),
                holder: holder.and_then(|_| text.trim().parse().ok()),
            });
        }
        Err(TryLockError::Error(error)) => return Err(fail(error)),
    }
    // Tells a refused second process whom to stop; of no meaning once the lock is released, so it
    // is not synced.
    file.set_len(0).map_err(fail)?;
    file.rewind().map_err(fail)?;
    writeln!(file, "{}", process::id()).map_err(fail)?;
    Ok(file)
}

fn check_version(path: &Path) -> Result<(), Error> {
    let bytes = crashsafe::read_small(path, 256)?;
    let text = String::from_utf8_lossy(&bytes);
    let found = match text.trim_end().split_once(' ') {
        Some((VERSION_WORD, number)) => number.to_owned(),
        _ => {
            return Err(Error::corrupt(
                path,
                0,
                format!("expected `{VERSION_WORD} <number>`"),
            ));
        }
    };
    if found.parse() == Ok(DATA_VERSION) {
        return Ok(());
    }
    Err(Error::Version {
        path: path.to_owned(),
        found,
        supported: DATA_VERSION,
    })
}
