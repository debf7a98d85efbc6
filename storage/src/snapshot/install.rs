//! Receiving a snapshot into a staging directory, and making a snapshot the live state.
//!
//! Both are all or nothing: a received snapshot is committed only after every checksum fits, and
//! the live state is replaced only while its store is closed, by a directory that is complete
//! before it gets its name. Owned by the partition; everything blocks, so it belongs on a helper
//! thread.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::manifest::Manifest;
use super::{Snapshot, commit, pending, remove_directory};
use crate::crashsafe;
use crate::disk::posix::PosixDisk;
use crate::disk::{Disk, DiskFile, Mode};
use crate::error::Error;

/// A snapshot that is being received. Dropped unfinished, it is removed.
#[derive(Debug)]
pub struct Staging {
    path: PathBuf,
    manifest: Manifest,
    /// The file written last.
    open: Option<(usize, Arc<dyn DiskFile>)>,
    /// Bytes received of each file, which come in order.
    received: Vec<u64>,
    finished: bool,
}

impl Staging {
    /// Begins to receive the snapshot that a manifest (as sent) describes.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if the manifest does not decode, [`Error::Io`], [`Error::Full`].
    pub fn begin(directory: &Path, manifest: &[u8]) -> Result<Self, Error> {
        let manifest = Manifest::decode(manifest)
            .map_err(|(offset, what)| Error::corrupt(directory, offset, what))?;
        let path = pending(directory);
        crashsafe::create_directory(&PosixDisk::new(), &path)?;
        Ok(Self {
            path,
            received: vec![0; manifest.files.len()],
            manifest,
            open: None,
            finished: false,
        })
    }

    /// What is being received.
    #[must_use]
    pub const fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Takes the next bytes of a file; chunks of a file come in order.
    ///
    /// # Errors
    /// [`Error::Misuse`] if they are not the next ones or too many, [`Error::Io`],
    /// [`Error::Full`].
    pub fn write(&mut self, file: usize, offset: u64, bytes: &[u8]) -> Result<(), Error> {
        let (Some(listed), Some(received)) =
            (self.manifest.files.get(file), self.received.get_mut(file))
        else {
            return Err(Error::Misuse(format!("snapshot has no file number {file}")));
        };
        if offset != *received || bytes.len() as u64 > listed.len - offset {
            return Err(Error::Misuse(format!(
                "chunk of {} bytes at {offset} of {} does not follow the {received} bytes \
                 received of {}",
                bytes.len(),
                listed.name,
                listed.len
            )));
        }
        let path = self.path.join(&listed.name);
        let disk = PosixDisk::new();
        let handle = match &self.open {
            Some((number, handle)) if *number == file => Arc::clone(handle),
            Some(_) | None => {
                let opened = if offset == 0 && !path.exists() {
                    disk.create(&path, 0, Mode::Buffered)
                } else {
                    disk.open(&path, Mode::Buffered)
                };
                let handle = opened.map_err(|error| Error::io("open", &path, error))?;
                self.open = Some((file, Arc::clone(&handle)));
                handle
            }
        };
        handle
            .write_at(bytes, offset)
            .map_err(|error| Error::io("write", &path, error))?;
        *received += bytes.len() as u64;
        Ok(())
    }

    /// Checks everything, syncs it and commits the snapshot.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if a file is not what the manifest says; [`Error::Io`].
    pub fn finish(mut self) -> Result<Snapshot, Error> {
        let disk = PosixDisk::new();
        self.open = None;
        for (listed, received) in self.manifest.files.iter().zip(&self.received) {
            let path = self.path.join(&listed.name);
            let opened = if *received == 0 && !path.exists() {
                disk.create(&path, 0, Mode::Buffered)
            } else {
                disk.open(&path, Mode::Buffered)
            };
            opened
                .and_then(|file| file.sync_data())
                .map_err(|error| Error::io("sync", &path, error))?;
        }
        self.manifest.check_contents(&self.path)?;
        self.manifest.write(&self.path)?;
        self.finished = true;
        commit(&self.path, self.manifest.clone())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if !self.finished {
            // What stays is removed at the next opening.
            let _ = remove_directory(&self.path);
        }
    }
}

/// Replaces the state in `state_directory` (whose store must be closed) by a snapshot, after
/// comparing every checksum. Tables are hard links, everything else is copied, because RocksDB
/// goes on writing it.
///
/// # Errors
/// [`Error::Corrupt`] if the snapshot is damaged, [`Error::Io`], [`Error::Full`]. The old state
/// may be gone then; restore again, or from another snapshot.
pub fn restore(snapshot: &Snapshot, state_directory: &Path) -> Result<(), Error> {
    snapshot.verify()?;
    let disk = PosixDisk::new();
    let mut staged = state_directory.as_os_str().to_owned();
    staged.push(".new");
    let staged = PathBuf::from(staged);
    for path in [staged.as_path(), state_directory] {
        if path.exists() {
            remove_directory(path)?;
        }
    }
    crashsafe::create_directory(&disk, &staged)?;
    for file in &snapshot.manifest().files {
        let from = snapshot.path().join(&file.name);
        let to = staged.join(&file.name);
        let linked = if file.name.ends_with(".sst") {
            fs::hard_link(&from, &to)
        } else {
            fs::copy(&from, &to)
                .and_then(|_| disk.open(&to, Mode::Buffered))
                .and_then(|copy| copy.sync_data())
        };
        linked.map_err(|error| Error::io("restore", &to, error))?;
    }
    disk.sync_directory(&staged)
        .map_err(|error| Error::io("sync", &staged, error))?;
    crashsafe::rename(&disk, &staged, state_directory)
}
