//! (draft of the public surface)
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use crate::disk::Disk;
use crate::error::Error;

/// One entry of the Raft log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// Its number, from 1 without gaps.
    pub index: u64,
    /// Term of the leader that proposed it.
    pub term: u64,
    /// What was proposed.
    pub payload: Bytes,
}

/// Names an entry: its index and the term it was proposed in. `0, 0` stands before the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct EntryId {
    /// Index.
    pub index: u64,
    /// Term.
    pub term: u64,
}

/// Called once on the log thread when the fate of an append is known. It must not block.
pub type OnDurable = Box<dyn FnOnce(Result<(), Error>) + Send>;

/// How a log is laid out.
#[derive(Debug, Clone)]
pub struct LogOptions {
    /// Partition number, written into every segment.
    pub partition: u16,
    /// Bytes of a segment file (default 64 MiB).
    pub segment_bytes: u64,
    /// Largest batch body in bytes (default 8 MiB).
    pub max_batch_bytes: usize,
    /// Bytes of recent entries kept in memory (default 16 MiB).
    pub resident_bytes: usize,
    /// Purged segments kept for reuse (default 2).
    pub spare_segments: usize,
}

/// What opening a log found.
#[derive(Debug, Clone, Default)]
pub struct Recovered {
    /// The entry before the first one held.
    pub purged: EntryId,
    /// The last entry held, or `purged`.
    pub last: EntryId,
    /// Largest commit index that was known when a batch was written; 0 if none was.
    pub committed: u64,
    /// The torn tail that was cut off, in words.
    pub cut: Option<String>,
}

/// Which way commits take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IoChoice {
    /// io_uring if the host allows it, else plain system calls.
    Auto,
    /// io_uring or refusal.
    Ring,
    /// `pwrite` and `fdatasync`.
    Plain,
}

/// The log thread of one device.
#[derive(Debug, Clone)]
pub struct Flusher;

impl Flusher {
    /// Starts the log thread of a device.
    pub fn start(name: &str, choice: IoChoice) -> Result<Self, Error> {
        let _ = (name, choice);
        unimplemented!()
    }
    /// Starts it over any disk.
    pub fn over(name: &str, disk: Arc<dyn Disk>) -> Result<Self, Error> {
        let _ = (name, disk);
        unimplemented!()
    }
}

/// The log of one partition.
#[derive(Debug)]
pub struct Log;

impl Log {
    /// Opens or creates the log in `directory`.
    pub fn open(
        directory: &Path,
        options: LogOptions,
        flusher: Flusher,
    ) -> Result<(Self, Recovered), Error> {
        let _ = (directory, options, flusher);
        unimplemented!()
    }
    /// Appends entries; readable at once, durable when `on_durable` is called with Ok. Never waits for the disk.
    pub fn append(&mut self, entries: Vec<LogEntry>, on_durable: OnDurable) -> Result<(), Error> {
        let _ = (entries, on_durable);
        unimplemented!()
    }
    /// Entries of `range` from memory, else from disk, stopping after `max_bytes` of payload (but at least one).
    pub fn read(&mut self, range: Range<u64>, max_bytes: usize) -> Result<Vec<LogEntry>, Error> {
        let _ = (range, max_bytes);
        unimplemented!()
    }
    /// Removes all entries from `from` on. Durable before anything appended later; `on_durable` tells when.
    pub fn truncate_suffix(&mut self, from: u64, on_durable: OnDurable) -> Result<(), Error> {
        let _ = (from, on_durable);
        unimplemented!()
    }
    /// Forgets entries up to `upto`; beyond the last entry: the log restarts after `upto` (snapshot install).
    pub fn purge_prefix(&mut self, upto: EntryId, on_durable: OnDurable) -> Result<(), Error> {
        let _ = (upto, on_durable);
        unimplemented!()
    }
    /// The entry before the first one held.
    pub fn purged(&self) -> EntryId {
        unimplemented!()
    }
    /// The last entry held, durable or not; `purged` if there is none.
    pub fn last(&self) -> EntryId {
        unimplemented!()
    }
    /// Last index known durable here.
    pub fn durable(&self) -> u64 {
        unimplemented!()
    }
    /// Told to disk with the next batch; comes back as [`Recovered::committed`].
    pub fn set_committed(&self, index: u64) {
        let _ = index;
        unimplemented!()
    }
    /// A reader of durable entries for another thread.
    pub fn reader(&self) -> Reader {
        unimplemented!()
    }
}

/// Reads durable entries, independent of the writer.
#[derive(Debug)]
pub struct Reader;

impl Reader {
    /// Entries from `from` on, at most `max_bytes` of payload (but at least one if there is one);
    /// empty if `from` is not durable yet.
    pub fn read(&mut self, from: u64, max_bytes: usize) -> Result<Vec<LogEntry>, Error> {
        let _ = (from, max_bytes);
        unimplemented!()
    }
    /// Last durable index.
    pub fn durable(&self) -> u64 {
        unimplemented!()
    }
}
