//! (draft of the public surface)
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::state::{Applied, StateStore};

/// A committed snapshot on disk.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Its directory.
    pub path: PathBuf,
    /// Up to where its state goes.
    pub applied: Applied,
    /// Bytes of its files.
    pub bytes: u64,
}

/// Called on the helper thread when the snapshot is committed or failed.
pub type OnTaken = Box<dyn FnOnce(Result<Snapshot, Error>) + Send>;

/// Takes a checkpoint of what RocksDB holds (flush the store first) on a helper thread.
pub fn take(store: &StateStore, directory: &Path, on_taken: OnTaken) -> Result<(), Error> {
    let _ = (store, directory, on_taken);
    unimplemented!()
}

/// What was found in a snapshot directory.
#[derive(Debug, Default)]
pub struct Found {
    /// The newest valid snapshot.
    pub newest: Option<Snapshot>,
    /// Those that are not valid, and why.
    pub skipped: Vec<(PathBuf, Error)>,
}

/// Finds the newest valid snapshot; removes what was left pending.
pub fn newest(directory: &Path) -> Result<Found, Error> {
    let _ = directory;
    unimplemented!()
}

/// Deletes all snapshots older than `keep`.
pub fn delete_old(directory: &Path, keep: &Snapshot) -> Result<usize, Error> {
    let _ = (directory, keep);
    unimplemented!()
}

/// Makes `state_directory` (closed) the state of the snapshot, by hard links.
pub fn restore(snapshot: &Snapshot, state_directory: &Path) -> Result<(), Error> {
    let _ = (snapshot, state_directory);
    unimplemented!()
}
