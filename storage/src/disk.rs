//! The port to files, and the words for how durable bytes are.
//!
//! *Written* bytes survive the end of the process, *flushed* bytes survive the loss of power, a
//! *named* file is found again after the loss of power. Creating, renaming and removing change
//! names only in memory until the directory is synced; [`crate::crashsafe`] combines the steps in
//! the right order and is the only place that does.
//!
//! 1. Offsets, lengths and buffers given to a file opened with [`Mode::Direct`] are multiples of
//!    [`BLOCK`], and the buffer starts at such an address (see [`AlignedBuf`]).
//! 2. After a failed write or sync nothing is known about the bytes concerned; nobody tries again.

pub mod buffer;
pub mod memory;
pub mod posix;
pub mod uring;

use std::fmt::Debug;
use std::io;
use std::os::fd::RawFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::Stage;

pub use buffer::AlignedBuf;

/// Unit of all log writes in bytes: the largest logical block in use, and a page.
pub const BLOCK: usize = 4096;

/// How a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Through the page cache.
    Buffered,
    /// Past the page cache where the file system can, else as [`Mode::Buffered`].
    Direct,
}

/// A device or a stand-in for one.
pub trait Disk: Debug + Send + Sync {
    /// Creates a file that must not exist, `len` zero bytes long, blocks allocated and written
    /// (so that later writes change no metadata). Neither flushed nor named on return.
    ///
    /// # Errors
    /// If it exists, or the space is missing.
    fn create(&self, path: &Path, len: u64, mode: Mode) -> io::Result<Arc<dyn DiskFile>>;

    /// Opens an existing file for reading and writing.
    ///
    /// # Errors
    /// If there is none, or it may not be read and written.
    fn open(&self, path: &Path, mode: Mode) -> io::Result<Arc<dyn DiskFile>>;

    /// Names in a directory, sorted.
    ///
    /// # Errors
    /// If there is no such directory.
    fn list(&self, directory: &Path) -> io::Result<Vec<String>>;

    /// Creates a directory; fine if it exists. Not named on return.
    ///
    /// # Errors
    /// If the parent is missing, or a file is in its place.
    fn create_directory(&self, path: &Path) -> io::Result<()>;

    /// Renames a file, replacing what is there. Not named on return.
    ///
    /// # Errors
    /// If there is no file `from`.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file. The removal is durable only after the directory is synced.
    ///
    /// # Errors
    /// If there is no such file.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a directory durable: everything created, renamed or removed in it.
    ///
    /// # Errors
    /// If the device says so. What is named is then unknown.
    fn sync_directory(&self, path: &Path) -> io::Result<()>;

    /// The way commits reach this disk. Called on the thread that will commit.
    ///
    /// # Errors
    /// If the host has no such way.
    fn committer(&self) -> io::Result<Box<dyn Committer>>;

    /// What to call this disk in log lines and reports.
    fn name(&self) -> &'static str;
}

/// An open file.
pub trait DiskFile: Debug + Send + Sync {
    /// Bytes in the file.
    ///
    /// # Errors
    /// If the device cannot tell.
    fn size(&self) -> io::Result<u64>;

    /// Fills `buf` from `offset`.
    ///
    /// # Errors
    /// `UnexpectedEof` beyond the end, or what the device says.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()>;

    /// Writes all of `bytes` at `offset`: written, not flushed.
    ///
    /// # Errors
    /// What the device says; the bytes of the range are then unknown.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Flushes what was written, and the metadata needed to read it back.
    ///
    /// # Errors
    /// What the device says; everything unflushed is then unknown.
    fn sync_data(&self) -> io::Result<()>;

    /// Where it was opened.
    fn path(&self) -> &Path;

    /// The descriptor, for a committer that submits by itself.
    fn descriptor(&self) -> Option<RawFd>;
}

/// One file's part of a commit: one write, then one flush.
#[derive(Debug)]
pub struct Commit<'a> {
    /// The file.
    pub file: &'a dyn DiskFile,
    /// Where the bytes go.
    pub offset: u64,
    /// The bytes.
    pub bytes: &'a [u8],
}

/// Why a commit failed.
#[derive(Debug)]
pub struct CommitError {
    /// The step that failed.
    pub stage: Stage,
    /// Its cause.
    pub source: io::Error,
}

/// Commits to several files at once.
pub trait Committer: Debug {
    /// Writes and flushes each part; the outcomes in the order of the parts. A part that succeeded
    /// is flushed. No part is touched by the device any more when this returns.
    fn commit(&mut self, parts: &[Commit<'_>]) -> Vec<Result<(), CommitError>>;
}

impl Committer for Box<dyn Committer> {
    fn commit(&mut self, parts: &[Commit<'_>]) -> Vec<Result<(), CommitError>> {
        (**self).commit(parts)
    }
}

/// The parent of a path that has one by construction.
pub(crate) fn parent(path: &Path) -> PathBuf {
    path.parent().unwrap_or_else(|| Path::new(".")).to_owned()
}
