//! Reading entries back: for catch-up of the export feed, replay, and peers that lag.
//!
//! A [`Reader`] is owned by one thread and independent of the writer: it shares only the index
//! (where durable entries are) and opens segments by itself. What it read is checked like at
//! recovery, and thrown away if a truncation or purge voided it meanwhile; a segment that was
//! recycled under it is therefore never mistaken for damage.
//!
//! Reads go past the page cache, like the writes, in windows of [`WINDOW_BYTES`].

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use super::LogEntry;
use super::frame::{BATCH_HEADER_LEN, BatchHeader, NotABatch};
use super::index::{Place, Shared};
use super::segment::segment_path;
use crate::disk::{AlignedBuf, BLOCK, Disk, DiskFile, Mode};
use crate::error::Error;

/// Bytes read at once.
const WINDOW_BYTES: usize = 256 << 10;

/// A part of a file in memory.
#[derive(Debug)]
pub(super) struct Window {
    buffer: AlignedBuf,
    start: u64,
    len: usize,
}

impl Window {
    pub(super) fn new(bytes: usize) -> Self {
        Self {
            buffer: AlignedBuf::zeroed(bytes),
            start: 0,
            len: 0,
        }
    }

    /// Forgets what was read.
    pub(super) fn clear(&mut self) {
        self.len = 0;
    }

    /// `len` bytes at `offset`, a multiple of a block; nothing at or behind `limit`, a multiple of
    /// a block as well, is read. Fewer bytes if they end there.
    pub(super) fn bytes_at(
        &mut self,
        file: &dyn DiskFile,
        offset: u64,
        len: usize,
        limit: u64,
    ) -> std::io::Result<&[u8]> {
        let len = len.min(limit.saturating_sub(offset) as usize);
        let held = self.start..self.start + self.len as u64;
        if !(held.contains(&offset) && offset + len as u64 <= held.end) {
            self.len = 0;
            self.buffer.reserve(len.next_multiple_of(BLOCK));
            let part = self
                .buffer
                .len()
                .min((limit.saturating_sub(offset)) as usize);
            file.read_at(&mut self.buffer.as_mut_slice()[..part], offset)?;
            self.start = offset;
            self.len = part;
        }
        let from = (offset - self.start) as usize;
        Ok(&self.buffer.as_slice()[from..from + len])
    }
}

/// Where the next entry in order is.
#[derive(Debug, Clone, Copy)]
struct Cursor {
    index: u64,
    place: Place,
}

/// See the module.
#[derive(Debug)]
pub struct Reader {
    shared: Arc<Shared>,
    disk: Arc<dyn Disk>,
    directory: PathBuf,
    open: Option<(u64, Arc<dyn DiskFile>)>,
    window: Window,
    cursor: Option<Cursor>,
}

impl Reader {
    pub(super) fn new(shared: Arc<Shared>, disk: Arc<dyn Disk>, directory: PathBuf) -> Self {
        Self {
            shared,
            disk,
            directory,
            open: None,
            window: Window::new(WINDOW_BYTES),
            cursor: None,
        }
    }

    /// Last durable entry.
    #[must_use]
    pub fn durable(&self) -> u64 {
        self.shared.durable()
    }

    /// Entries from index `from` on, in order, until their payloads exceed `max_bytes`, but at
    /// least one; none if `from` is not durable yet. Blocks while the disk reads.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if `from` is purged, [`Error::Corrupt`] with file and offset,
    /// [`Error::Io`].
    pub fn read(&mut self, from: u64, max_bytes: usize) -> Result<Vec<LogEntry>, Error> {
        self.read_range(from..u64::MAX, max_bytes)
    }

    /// As [`Reader::read`], but nothing at or behind the end of `range`, which is not empty.
    pub(super) fn read_range(
        &mut self,
        range: Range<u64>,
        max_bytes: usize,
    ) -> Result<Vec<LogEntry>, Error> {
        let from = range.start;
        loop {
            let (purged, last, epoch, place) = {
                let index = self.shared.index();
                let place = match self.cursor {
                    Some(cursor) if cursor.index == from && cursor.place.epoch == index.epoch() => {
                        // The end moves on while batches are added to the run.
                        index.place(from).map(|now| {
                            if now.generation == cursor.place.generation {
                                Place {
                                    offset: cursor.place.offset.max(now.offset),
                                    ..now
                                }
                            } else {
                                now
                            }
                        })
                    }
                    Some(_) | None => index.place(from),
                };
                (index.purged(), index.last(), index.epoch(), place)
            };
            let Some(place) = place else {
                if from > last {
                    return Ok(Vec::new());
                }
                return Err(Error::OutOfRange {
                    index: from,
                    first: purged.index + 1,
                    last,
                });
            };
            let found = self.read_run(range.clone(), place, max_bytes);
            if self.shared.index().epoch() == epoch {
                return found;
            }
            // Something was voided while we read: what we have may be void, or damaged by reuse.
            self.cursor = None;
            self.open = None;
            self.window.clear();
        }
    }

    fn read_run(
        &mut self,
        range: Range<u64>,
        place: Place,
        max_bytes: usize,
    ) -> Result<Vec<LogEntry>, Error> {
        let from = range.start;
        let path = segment_path(&self.directory, place.generation);
        let file = match &self.open {
            Some((generation, file)) if *generation == place.generation => Arc::clone(file),
            Some(_) | None => {
                let file = self
                    .disk
                    .open(&path, Mode::Direct)
                    .map_err(|error| Error::io("open", &path, error))?;
                self.window.clear();
                self.open = Some((place.generation, Arc::clone(&file)));
                file
            }
        };
        let mut entries = Vec::new();
        let mut bytes = 0;
        let mut offset = place.offset;
        let mut next = from;
        while next <= place.last && offset < place.end {
            let batch = read_batch(&mut self.window, &*file, offset, place)
                .map_err(|failure| failure.at(&path, offset))?;
            for entry in batch.entries {
                if entry.index < next || entry.index > place.last {
                    continue;
                }
                let full = !entries.is_empty() && bytes + entry.payload.len() > max_bytes;
                if full || entry.index >= range.end {
                    self.cursor = Some(Cursor {
                        index: next,
                        place: Place { offset, ..place },
                    });
                    return Ok(entries);
                }
                bytes += entry.payload.len();
                next = entry.index + 1;
                entries.push(entry);
            }
            offset += batch.len;
            if next >= range.end {
                break;
            }
        }
        if entries.is_empty() {
            return Err(Error::corrupt(
                &path,
                offset,
                format!("entry {from} is not where the index has it"),
            ));
        }
        self.cursor = Some(Cursor {
            index: next,
            place: Place { offset, ..place },
        });
        Ok(entries)
    }
}

struct Batch {
    entries: Vec<LogEntry>,
    len: u64,
}

/// Why a batch could not be read.
enum Failure {
    Device(std::io::Error),
    Content(&'static str),
}

impl Failure {
    fn at(self, path: &std::path::Path, offset: u64) -> Error {
        match self {
            Self::Device(error) => Error::io("read", path, error),
            Self::Content(what) => Error::corrupt(path, offset, what),
        }
    }
}

fn read_batch(
    window: &mut Window,
    file: &dyn DiskFile,
    offset: u64,
    place: Place,
) -> Result<Batch, Failure> {
    let first = window
        .bytes_at(file, offset, BLOCK, place.end)
        .map_err(Failure::Device)?;
    let header =
        BatchHeader::decode(first, place.generation, place.salt).map_err(|why| match why {
            NotABatch::Nothing => Failure::Content("a batch that was durable is gone"),
            NotABatch::Damaged(what) => Failure::Content(what),
        })?;
    let bytes = window
        .bytes_at(file, offset, header.padded_len(), place.end)
        .map_err(Failure::Device)?;
    let body = bytes
        .get(BATCH_HEADER_LEN..BATCH_HEADER_LEN + header.body_len as usize)
        .ok_or(Failure::Content("batch reaches beyond its run"))?;
    let entries = header.entries(body, place.salt).map_err(Failure::Content)?;
    Ok(Batch {
        entries,
        len: header.padded_len() as u64,
    })
}
