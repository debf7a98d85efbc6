//! File operations with a durability meaning, each once: the right steps in the right order.
//!
//! Everything here is flushed *and* named when it returns. Nothing else in this crate renames,
//! removes or creates files for keeps. Used outside the commit path only (opening, rolling,
//! snapshots): every call costs at least one sync of a directory.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::disk::{AlignedBuf, BLOCK, Disk, Mode, parent};
use crate::error::Error;

/// Creates a directory (fine if it exists) and names it.
///
/// # Errors
/// [`Error::Io`], [`Error::Full`].
pub fn create_directory(disk: &dyn Disk, path: &Path) -> Result<(), Error> {
    disk.create_directory(path)
        .map_err(|error| Error::io("create", path, error))?;
    sync_parent(disk, path)
}

/// Creates a file of zeros under its final name, or not at all: made beside it as `<name>.new`,
/// given its first bytes (at most one block), flushed, then renamed.
///
/// # Errors
/// [`Error::Io`], [`Error::Full`]; a half-made file is removed again.
pub fn create(disk: &dyn Disk, path: &Path, len: u64, first: &[u8]) -> Result<(), Error> {
    let new = beside(path, "new");
    // What an interrupted attempt left would make the exclusive creation fail.
    let _ = disk.remove(&new);
    let made = (|| {
        let file = disk.create(&new, len, Mode::Direct)?;
        write_first_block(&*file, first)?;
        file.sync_data()
    })();
    if let Err(error) = made {
        let _ = disk.remove(&new);
        return Err(Error::io("create", path, error));
    }
    rename(disk, &new, path)
}

/// Overwrites the first block of a closed file and flushes it. The rest stays as it is.
///
/// # Errors
/// [`Error::Io`].
pub fn restart(disk: &dyn Disk, path: &Path, first: &[u8]) -> Result<(), Error> {
    disk.open(path, Mode::Direct)
        .and_then(|file| {
            write_first_block(&*file, first)?;
            file.sync_data()
        })
        .map_err(|error| Error::io("overwrite", path, error))
}

fn write_first_block(file: &dyn crate::disk::DiskFile, first: &[u8]) -> std::io::Result<()> {
    assert!(first.len() <= BLOCK, "callers write one block at most");
    if first.is_empty() {
        return Ok(());
    }
    let mut block = AlignedBuf::zeroed(BLOCK);
    block.as_mut_slice()[..first.len()].copy_from_slice(first);
    file.write_at(block.as_slice(), 0)
}

/// Replaces the content of a small file: old or new after a crash, never a mixture.
///
/// # Errors
/// [`Error::Io`], [`Error::Full`].
pub fn replace(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let new = beside(path, "new");
    let _ = disk.remove(&new);
    disk.create(&new, bytes.len() as u64, Mode::Buffered)
        .and_then(|file| {
            file.write_at(bytes, 0)?;
            file.sync_data()
        })
        .map_err(|error| Error::io("write", &new, error))?;
    rename(disk, &new, path)
}

/// Renames within a directory and names the result.
///
/// # Errors
/// [`Error::Io`].
pub fn rename(disk: &dyn Disk, from: &Path, to: &Path) -> Result<(), Error> {
    disk.rename(from, to)
        .map_err(|error| Error::io("rename", from, error))?;
    sync_parent(disk, to)
}

/// Removes a file for good.
///
/// # Errors
/// [`Error::Io`].
pub fn remove(disk: &dyn Disk, path: &Path) -> Result<(), Error> {
    disk.remove(path)
        .map_err(|error| Error::io("remove", path, error))?;
    sync_parent(disk, path)
}

/// Makes the name of `path` durable.
///
/// # Errors
/// [`Error::Io`].
pub fn sync_parent(disk: &dyn Disk, path: &Path) -> Result<(), Error> {
    let directory = parent(path);
    disk.sync_directory(&directory)
        .map_err(|error| Error::io("sync", &directory, error))
}

/// Reads a file that must not be longer than `limit` bytes.
///
/// # Errors
/// [`Error::Io`]; [`Error::Corrupt`] if it is longer.
pub fn read_small(path: &Path, limit: u64) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(limit + 1).read_to_end(&mut bytes))
        .map_err(|error| Error::io("read", path, error))?;
    if bytes.len() as u64 > limit {
        return Err(Error::corrupt(
            path,
            limit,
            format!("longer than {limit} bytes"),
        ));
    }
    Ok(bytes)
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    PathBuf::from(name)
}
