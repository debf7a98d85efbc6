//! Reading a snapshot in chunks, for a replica that needs it.
//!
//! Owned by whoever sends; the files stay open, so that the snapshot may be deleted meanwhile.
//! Nothing is checked here: the receiver compares every checksum before it uses anything.

use std::fs::File;
use std::os::unix::fs::FileExt;

use super::Snapshot;
use super::manifest::Manifest;
use crate::error::Error;

/// See the module.
#[derive(Debug)]
pub struct SnapshotReader {
    manifest: Manifest,
    snapshot: Snapshot,
    files: Vec<File>,
}

impl SnapshotReader {
    /// Opens all files of a snapshot.
    ///
    /// # Errors
    /// [`Error::Io`], for example if it was deleted meanwhile.
    pub fn open(snapshot: &Snapshot) -> Result<Self, Error> {
        let manifest = snapshot.manifest().clone();
        let mut files = Vec::with_capacity(manifest.files.len());
        for file in &manifest.files {
            let path = snapshot.path().join(&file.name);
            files.push(File::open(&path).map_err(|error| Error::io("open", &path, error))?);
        }
        Ok(Self {
            manifest,
            snapshot: snapshot.clone(),
            files,
        })
    }

    /// What is to be sent first, as [`Manifest::encode`].
    #[must_use]
    pub const fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Up to `max_bytes` of file number `file` (by the manifest's order) from `offset`; empty at
    /// its end. Blocks while the disk reads.
    ///
    /// # Errors
    /// [`Error::Misuse`] if there is no such file, [`Error::Io`].
    pub fn chunk(&self, file: usize, offset: u64, max_bytes: usize) -> Result<Vec<u8>, Error> {
        let (Some(listed), Some(open)) = (self.manifest.files.get(file), self.files.get(file))
        else {
            return Err(Error::Misuse(format!(
                "snapshot has {} files, number {file} was asked for",
                self.files.len()
            )));
        };
        let len = listed.len.saturating_sub(offset).min(max_bytes as u64) as usize;
        let mut bytes = vec![0; len];
        open.read_exact_at(&mut bytes, offset)
            .map_err(|error| Error::io("read", &self.snapshot.path().join(&listed.name), error))?;
        Ok(bytes)
    }
}
