//! Taking a snapshot: a checkpoint by hard links, then its manifest, then its name.
//!
//! Runs on a helper thread, because RocksDB writes out its memory first (tens of milliseconds)
//! and checksums read what is new. What the snapshot goes up to is read from the checkpoint
//! itself, so flushes may go on meanwhile; rows still pending above RocksDB are not in it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use rocksdb::checkpoint::Checkpoint;
use rocksdb::{DB, Options};

use super::manifest::Manifest;
use super::{Snapshot, commit, names, newest_committed, pending, remove_directory};
use crate::disk::posix::PosixDisk;
use crate::disk::{Disk, Mode};
use crate::error::Error;
use crate::state::{StateStore, read_applied, store_error};

/// Called on the helper thread when the snapshot is committed, or was given up.
pub type OnTaken = Box<dyn FnOnce(Result<Snapshot, Error>) + Send>;

/// Takes a snapshot of what is in RocksDB (flush the store first) into `directory`. One at a time
/// for each directory.
///
/// # Errors
/// [`Error::Io`] if no thread can be started; `on_taken` is then not called.
pub fn take(store: &StateStore, directory: &Path, on_taken: OnTaken) -> Result<(), Error> {
    prepare(store, directory)?.start(on_taken)
}

/// A snapshot that is about to be made; keeps the store open until it is.
#[must_use = "nothing is made until it is run or started"]
pub struct Making {
    db: Arc<DB>,
    directory: PathBuf,
}

impl std::fmt::Debug for Making {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Making")
            .field("directory", &self.directory)
            .finish_non_exhaustive()
    }
}

/// Prepares what [`take`] does, for a caller with a thread of its own.
///
/// # Errors
/// [`Error::Misuse`] while the store is closed.
pub fn prepare(store: &StateStore, directory: &Path) -> Result<Making, Error> {
    Ok(Making {
        db: store.database()?,
        directory: directory.to_owned(),
    })
}

impl Making {
    /// Makes it on this thread; blocks. The store can be closed as soon as this returns.
    ///
    /// # Errors
    /// [`Error::Store`], [`Error::Io`], [`Error::Full`].
    pub fn run(self) -> Result<Snapshot, Error> {
        make(&self.db, &self.directory)
    }

    /// Makes it on a thread of its own.
    ///
    /// # Errors
    /// [`Error::Io`] if no thread can be started; `on_taken` is then not called.
    pub fn start(self, on_taken: OnTaken) -> Result<(), Error> {
        let directory = self.directory.clone();
        thread::Builder::new()
            .name("snapshot".to_owned())
            .spawn(move || {
                // Without the right to change it, the priority stays.
                let _ = rustix::process::nice(10);
                on_taken(self.run());
            })
            .map_err(|error| Error::io("start a thread for a snapshot in", &directory, error))?;
        Ok(())
    }
}

/// Takes a snapshot on this thread; blocks.
///
/// # Errors
/// [`Error::Store`], [`Error::Io`], [`Error::Full`].
pub fn take_and_wait(store: &StateStore, directory: &Path) -> Result<Snapshot, Error> {
    make(&*store.database()?, directory)
}

fn make(db: &DB, directory: &Path) -> Result<Snapshot, Error> {
    let before = newest_committed(directory)?;
    let pending = pending(directory);
    let taken = checkpoint(db, &pending, before.as_ref());
    if taken.is_err() && pending.exists() {
        // The error to tell is the first one; what stays is removed at the next opening.
        let _ = remove_directory(&pending);
    }
    taken
}

fn checkpoint(db: &DB, pending: &PathBuf, before: Option<&Snapshot>) -> Result<Snapshot, Error> {
    Checkpoint::new(db)
        .and_then(|checkpoint| checkpoint.create_checkpoint(pending))
        .map_err(store_error("take a checkpoint in", pending))?;
    let applied = {
        let copy = DB::open_for_read_only(&Options::default(), pending, false)
            .map_err(store_error("open the checkpoint in", pending))?;
        read_applied(&copy, pending)?
    };
    let disk = PosixDisk::new();
    for name in names(pending)? {
        let path = pending.join(&name);
        if name == "LOG" || name.starts_with("LOG.old") || name == "LOCK" {
            // Left by opening the checkpoint.
            disk.remove(&path)
                .map_err(|error| Error::io("remove", &path, error))?;
        } else if !name.ends_with(".sst") {
            // Tables were synced by RocksDB before it named them; the few copies were not.
            disk.open(&path, Mode::Buffered)
                .and_then(|file| file.sync_data())
                .map_err(|error| Error::io("sync", &path, error))?;
        }
    }
    let known = before.map(|before| (before.path(), before.manifest()));
    let manifest = Manifest::of(pending, applied, known)?;
    manifest.write(pending)?;
    commit(pending, manifest)
}
