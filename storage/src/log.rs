//! The Raft log of one partition, which is also its record stream.
//!
//! A [`Log`] is owned by the thread that runs the partition; it never waits for the disk on
//! append, truncate and purge. The bytes are written by the [`Flusher`] thread of the device, in
//! the order of the calls; a callback tells when they are durable. The newest entries stay in
//! memory, so that replication and apply read them without touching the disk.
//!
//! 1. Entries are readable as soon as `append` returns, durable when its callback is called.
//! 2. Callbacks of one log come in the order of the calls, on the log thread; they must not block.
//! 3. Once a write or sync has failed, everything fails with [`Error::Poisoned`] until the log is
//!    opened again; nothing is retried.
//! 4. purged < first and durable <= last, in indexes; durable < first while nothing held is durable:
//!    in an empty log, and behind a restart.
//!
//! | file | idea |
//! |---|---|
//! | `frame` | batches and entries as bytes |
//! | `segment` | one file: name, header, reuse |
//! | `flusher` | the thread of a device, and its rounds |
//! | `appender` | the writing end of one log |
//! | `prepare` | segments made ahead by a helper |
//! | `index` | where entries are |
//! | `reader` | reading durable entries from any thread |
//! | `recover` | opening: torn tail, damage, gap |

mod appender;
mod flusher;
pub mod frame;
mod index;
mod prepare;
mod reader;
mod recover;
pub mod segment;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use bytes::Bytes;

use crate::disk::{AlignedBuf, BLOCK, Disk, DiskFile};
use crate::error::Error;
use appender::{Appender, Job};
use flusher::{LogId, Message};
use index::Shared;
use recover::Resident;
use segment::{FIRST_BATCH, SegmentHeader};

pub use flusher::{Flusher, IoChoice};
pub use reader::Reader;

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

impl LogEntry {
    /// Its name.
    #[must_use]
    pub const fn id(&self) -> EntryId {
        EntryId {
            index: self.index,
            term: self.term,
        }
    }

    /// Bytes it takes in memory, about.
    fn cost(&self) -> usize {
        size_of::<Self>() + self.payload.len()
    }
}

/// Names an entry: its index and the term it was proposed in. All zero: before the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct EntryId {
    /// Index.
    pub index: u64,
    /// Term.
    pub term: u64,
}

/// Called once, on the log thread, when the fate of a write is known. It must not block.
pub type OnDurable = Box<dyn FnOnce(Result<(), Error>) + Send>;

/// How a log is laid out.
#[derive(Debug, Clone)]
pub struct LogOptions {
    /// Partition number, written into every segment.
    pub partition: u16,
    /// Bytes of a segment file, a multiple of [`BLOCK`]; default 64 MiB. Larger: fewer rolls, more
    /// space held by a single entry that may not be purged.
    pub segment_bytes: u64,
    /// Bytes of the first segment of a new log; default 16 MiB, so that a new partition starts
    /// quickly.
    pub first_segment_bytes: u64,
    /// Largest body of a batch, hence (less 32 bytes) largest entry; default 8 MiB, above the
    /// engine's limit for the records of one step.
    pub max_batch_bytes: usize,
    /// Bytes of recent entries kept in memory; default 8 MiB.
    pub resident_bytes: usize,
    /// Purged segments kept for reuse; default 2.
    pub spare_segments: usize,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self {
            partition: 1,
            segment_bytes: 64 << 20,
            first_segment_bytes: 16 << 20,
            max_batch_bytes: 8 << 20,
            resident_bytes: 8 << 20,
            spare_segments: 2,
        }
    }
}

impl LogOptions {
    fn check(&self) -> Result<(), Error> {
        let needed = FIRST_BATCH + frame::batch_len(self.max_batch_bytes) as u64;
        for (name, bytes) in [
            ("segment_bytes", self.segment_bytes),
            ("first_segment_bytes", self.first_segment_bytes),
        ] {
            if bytes % BLOCK as u64 != 0 || bytes < needed {
                return Err(Error::Misuse(format!(
                    "{name} is {bytes}; it must be a multiple of {BLOCK} and at least {needed}, \
                     to hold a batch of {} bytes",
                    self.max_batch_bytes
                )));
            }
        }
        if self.max_batch_bytes < BLOCK || self.max_batch_bytes > 1 << 30 {
            return Err(Error::Misuse(format!(
                "max_batch_bytes is {}; it must be between {BLOCK} and 1 GiB",
                self.max_batch_bytes
            )));
        }
        Ok(())
    }

    fn header(&self, generation: u64, len: u64) -> SegmentHeader {
        SegmentHeader {
            generation,
            len,
            max_batch_bytes: self.max_batch_bytes as u32,
            salt: SegmentHeader::random_salt(),
            partition: self.partition,
        }
    }
}

/// A tail that was not written to its end when the last process ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// Its segment.
    pub file: PathBuf,
    /// Where the next batch now goes.
    pub offset: u64,
    /// What did not fit.
    pub what: &'static str,
}

/// What opening a log found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recovered {
    /// The entry before the first one held. May lie before the last purge: only whole segments
    /// are forgotten on disk.
    pub purged: EntryId,
    /// The last entry held, or `purged`.
    pub last: EntryId,
    /// Largest commit index known when the last batch was written; 0 if none was.
    pub committed: u64,
    /// The torn tail that was cut off.
    pub cut: Option<Cut>,
}

/// The log of one partition; see the module.
#[derive(Debug)]
pub struct Log {
    lane: Lane,
    directory: PathBuf,
    options: LogOptions,
    shared: Arc<Shared>,
    resident: Resident,
    purged: EntryId,
    last: EntryId,
    /// Truncations and restarts asked for.
    cuts: u64,
    /// While not all of them are durable: the least entry kept by one of those.
    cut_keep: u64,
    reader: Option<Reader>,
}

/// The order of one log in its flusher; what else must keep that order joins it.
#[derive(Debug, Clone)]
pub(crate) struct Lane {
    flusher: Flusher,
    log: LogId,
}

impl Lane {
    fn send(&self, job: Job) -> Result<(), Error> {
        self.flusher.send(Message::Job(self.log, job))
    }

    /// Overwrites a block of a file, in order with the appends of the log.
    pub(crate) fn save(
        &self,
        file: Arc<dyn DiskFile>,
        offset: u64,
        block: AlignedBuf,
        done: OnDurable,
    ) -> Result<(), Error> {
        self.send(Job::Save {
            file,
            offset,
            block,
            done,
        })
    }

    pub(crate) fn disk(&self) -> &dyn Disk {
        &**self.flusher.disk()
    }
}

impl Log {
    /// Opens or creates the log in `directory`, which exists. Reads every live segment; blocks.
    ///
    /// # Errors
    /// [`Error::Corrupt`] with file and offset, [`Error::Version`], [`Error::Misuse`] for options
    /// out of bounds, [`Error::Io`], [`Error::Full`], [`Error::Closed`].
    pub fn open(
        directory: &Path,
        options: LogOptions,
        flusher: Flusher,
    ) -> Result<(Self, Recovered), Error> {
        options.check()?;
        let mut opened = recover::open(&**flusher.disk(), directory, &options)?;
        let recovered = Recovered {
            purged: opened.purged,
            last: opened.last,
            committed: opened.committed,
            cut: opened.cut.take(),
        };
        let index = std::mem::take(&mut opened.index);
        let shared = Arc::new(Shared::new(index, opened.committed));
        let resident = std::mem::take(&mut opened.resident);
        let log = flusher.next_log();
        let appender = Appender::new(
            log,
            directory.to_owned(),
            options.clone(),
            Arc::clone(&shared),
            opened,
        );
        flusher.send(Message::Open(log, Box::new(appender)))?;
        let log = Self {
            lane: Lane { flusher, log },
            directory: directory.to_owned(),
            options,
            shared,
            resident,
            purged: recovered.purged,
            last: recovered.last,
            cuts: 0,
            cut_keep: u64::MAX,
            reader: None,
        };
        Ok((log, recovered))
    }

    /// The entry before the first one held.
    #[must_use]
    pub const fn purged(&self) -> EntryId {
        self.purged
    }

    /// The last entry held, durable or not; [`Log::purged`] if there is none.
    #[must_use]
    pub const fn last(&self) -> EntryId {
        self.last
    }

    /// Index of the last entry that is durable here.
    #[must_use]
    pub fn durable(&self) -> u64 {
        let cuts = self.shared.cuts();
        let durable = self.shared.durable();
        if cuts == self.cuts {
            durable
        } else {
            durable.min(self.cut_keep)
        }
    }

    /// Notes that entries up to `index` are committed: written with the next batch, without a sync
    /// of its own, and found again as [`Recovered::committed`].
    pub fn set_committed(&self, index: u64) {
        self.shared.set_committed(index);
    }

    /// Appends entries, which follow the last one. Never waits for the disk (but for the log
    /// thread, should thousands of calls be queued). An empty append writes the commit index.
    ///
    /// # Errors
    /// [`Error::Misuse`] if they do not follow each other or one is too large,
    /// [`Error::Poisoned`], [`Error::Closed`]; `on_durable` is then not called.
    pub fn append(&mut self, entries: Vec<LogEntry>, on_durable: OnDurable) -> Result<(), Error> {
        self.check_poison()?;
        let mut before = self.last;
        for entry in &entries {
            if entry.index != before.index + 1 || entry.term < before.term {
                return Err(Error::Misuse(format!(
                    "entry {} of term {} does not follow entry {} of term {}",
                    entry.index, entry.term, before.index, before.term
                )));
            }
            if frame::entry_len(entry.payload.len()) > self.options.max_batch_bytes {
                return Err(Error::Misuse(format!(
                    "entry {} has {} bytes, more than a batch of {} holds",
                    entry.index,
                    entry.payload.len(),
                    self.options.max_batch_bytes
                )));
            }
            before = entry.id();
        }
        self.lane.send(Job::Append {
            entries: entries.iter().cloned().collect(),
            done: on_durable,
        })?;
        self.last = before;
        for entry in entries {
            self.resident.push(entry);
        }
        let durable = self.durable();
        self.resident
            .shrink(self.options.resident_bytes, |index| index <= durable);
        Ok(())
    }

    /// Removes the entries from index `from` on; durable before anything appended later.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if `from` is purged, [`Error::Io`] and [`Error::Corrupt`] if the
    /// entry before it has to be read from disk and cannot, [`Error::Poisoned`],
    /// [`Error::Closed`]; `on_durable` is then not called.
    pub fn truncate_suffix(&mut self, from: u64, on_durable: OnDurable) -> Result<(), Error> {
        self.check_poison()?;
        if from > self.last.index {
            // Nothing to remove; the callback still keeps its place in the order.
            return self.lane.send(Job::Append {
                entries: Default::default(),
                done: on_durable,
            });
        }
        if from <= self.purged.index {
            return Err(self.out_of_range(from));
        }
        let keep = if from - 1 == self.purged.index {
            self.purged
        } else {
            let before = self.read(from - 1..from, 0)?;
            before
                .first()
                .map(LogEntry::id)
                .ok_or_else(|| self.out_of_range(from - 1))?
        };
        self.lane.send(Job::Truncate {
            keep,
            done: on_durable,
        })?;
        self.note_cut(keep);
        self.resident.cut(keep.index);
        Ok(())
    }

    /// Forgets the entries up to `upto`, once a snapshot covers them: whole segments are put aside
    /// for reuse. Beyond the last entry: the log restarts empty behind `upto` (an installed
    /// snapshot), which is durable when `on_durable` is called.
    ///
    /// # Errors
    /// [`Error::Poisoned`], [`Error::Closed`]; `on_durable` is then not called.
    pub fn purge_prefix(&mut self, upto: EntryId, on_durable: OnDurable) -> Result<(), Error> {
        self.check_poison()?;
        if upto.index > self.last.index {
            self.lane.send(Job::Restart {
                base: upto,
                done: on_durable,
            })?;
            self.note_cut(upto);
            self.purged = upto;
            self.resident.clear();
            return Ok(());
        }
        self.lane.send(Job::Purge {
            upto,
            done: on_durable,
        })?;
        if upto.index > self.purged.index {
            self.purged = upto;
        }
        // Not before they are durable, or the reader and the memory would both miss them; purged
        // entries are applied, hence durable.
        while self
            .resident
            .entries
            .front()
            .is_some_and(|entry| entry.index <= upto.index)
        {
            self.resident.pop_front();
        }
        Ok(())
    }

    fn note_cut(&mut self, keep: EntryId) {
        let all_durable = self.shared.cuts() == self.cuts;
        self.cut_keep = if all_durable {
            keep.index
        } else {
            self.cut_keep.min(keep.index)
        };
        self.cuts += 1;
        self.last = keep;
    }

    /// Entries of `range`, durable or not, until their payloads exceed `max_bytes`, but at least
    /// one; stops at the last entry. From memory as a rule; older ones are read from disk, which
    /// blocks.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if the first is purged, [`Error::Corrupt`], [`Error::Io`].
    pub fn read(&mut self, range: Range<u64>, max_bytes: usize) -> Result<Vec<LogEntry>, Error> {
        let end = range.end.min(self.last.index + 1);
        if range.start >= end {
            return Ok(Vec::new());
        }
        if range.start <= self.purged.index {
            return Err(self.out_of_range(range.start));
        }
        let mut entries = Vec::new();
        let mut bytes = 0;
        let mut next = range.start;
        while next < end {
            if let Some(entry) = self.resident.get(next) {
                if !entries.is_empty() && bytes + entry.payload.len() > max_bytes {
                    break;
                }
                bytes += entry.payload.len();
                entries.push(entry.clone());
                next += 1;
                continue;
            }
            if !entries.is_empty() && bytes >= max_bytes {
                break;
            }
            let first_resident = self.resident.entries.front().map(|entry| entry.index);
            let reader = self.reader.get_or_insert_with(|| {
                Reader::new(
                    Arc::clone(&self.shared),
                    Arc::clone(self.lane.flusher.disk()),
                    self.directory.clone(),
                )
            });
            let stop = end.min(first_resident.unwrap_or(u64::MAX));
            let read = reader.read_range(next..stop, max_bytes.saturating_sub(bytes))?;
            if read.is_empty() {
                return Err(self.out_of_range(next));
            }
            for entry in read {
                if !entries.is_empty() && bytes + entry.payload.len() > max_bytes {
                    return Ok(entries);
                }
                bytes += entry.payload.len();
                next = entry.index + 1;
                entries.push(entry);
            }
        }
        Ok(entries)
    }

    /// A reader of durable entries, to be taken to another thread.
    #[must_use]
    pub fn reader(&self) -> Reader {
        Reader::new(
            Arc::clone(&self.shared),
            Arc::clone(self.lane.flusher.disk()),
            self.directory.clone(),
        )
    }

    /// Waits until everything asked for is done, and lets go of the files.
    ///
    /// # Errors
    /// [`Error::Poisoned`] if something has failed meanwhile.
    pub fn close(self) -> Result<(), Error> {
        let shared = Arc::clone(&self.shared);
        let (closing, closed) = sync_channel(0);
        if self
            .lane
            .flusher
            .send(Message::Close(self.lane.log, closing))
            .is_ok()
        {
            // Ends with an error by design: the log thread drops its end.
            let _ = closed.recv();
        }
        match shared.poison() {
            Some(error) => Err(error.clone()),
            None => Ok(()),
        }
    }

    pub(crate) fn lane(&self) -> Lane {
        self.lane.clone()
    }

    fn check_poison(&self) -> Result<(), Error> {
        match self.shared.poison() {
            Some(error) => Err(error.clone()),
            None => Ok(()),
        }
    }

    fn out_of_range(&self, index: u64) -> Error {
        Error::OutOfRange {
            index,
            first: self.purged.index + 1,
            last: self.last.index,
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        let (closing, _) = sync_channel(0);
        let _ = self
            .lane
            .flusher
            .send(Message::Close(self.lane.log, closing));
    }
}
