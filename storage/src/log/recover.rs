//! Opening a log: what is there, what was torn off, and what is damage.
//!
//! Runs once, on the thread that opens the partition, and reads every live segment. A batch is
//! written only after the one before it is durable, so whatever does not fit is judged by what is
//! behind it:
//!
//! | found | behind it | judgement |
//! |---|---|---|
//! | no batch begins here   | no batch of a later sequence | end of the log |
//! | damaged batch | no batch of a later sequence | torn tail: cut, reported |
//! | anything but the next batch | a batch of a later sequence | corrupt |
//! | whole batch that does not join the one before it | - | corrupt |
//! | segment with a wrong header or length, or missing between two others | - | corrupt |
//! | no batch in the oldest segment, which is not the first ever | - | corrupt |
//!
//! A tail is flushed before it is reported: bytes that a killed process had only written are
//! readable, but not yet durable. The search behind a damaged batch need not go further than one
//! batch of the largest size, because nothing else can be between it and the next.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use super::frame::{BATCH_HEADER_LEN, BatchHeader, Kind, NotABatch, batch_len};
use super::index::Index;
use super::reader::Window;
use super::segment::{FIRST_BATCH, Name, Segment, SegmentHeader, segment_path};
use super::{Cut, EntryId, LogEntry, LogOptions};
use crate::disk::{BLOCK, Disk};
use crate::error::Error;

/// Bytes read at once.
const SCAN_BYTES: usize = 1 << 20;

/// Everything the writer and the owner need to go on.
#[derive(Debug)]
pub(super) struct Opened {
    /// Oldest first; those behind `tail` are prepared and empty.
    pub(super) segments: VecDeque<Segment>,
    pub(super) spares: Vec<PathBuf>,
    pub(super) index: Index,
    /// Position in `segments` of the one to go on in.
    pub(super) tail: usize,
    pub(super) offset: u64,
    /// Sequence of the next batch.
    pub(super) sequence: u64,
    pub(super) purged: EntryId,
    pub(super) last: EntryId,
    pub(super) committed: u64,
    pub(super) resident: Resident,
    pub(super) cut: Option<Cut>,
}

/// The newest entries, bounded by bytes.
#[derive(Debug, Default)]
pub(super) struct Resident {
    pub(super) entries: VecDeque<LogEntry>,
    pub(super) bytes: usize,
}

impl Resident {
    pub(super) fn push(&mut self, entry: LogEntry) {
        self.bytes += entry.cost();
        self.entries.push_back(entry);
    }

    /// Drops the oldest while there are more than `limit` bytes and `may_go` agrees.
    pub(super) fn shrink(&mut self, limit: usize, may_go: impl Fn(u64) -> bool) {
        while self.bytes > limit
            && self
                .entries
                .front()
                .is_some_and(|entry| may_go(entry.index))
        {
            self.pop_front();
        }
    }

    pub(super) fn pop_front(&mut self) {
        if let Some(entry) = self.entries.pop_front() {
            self.bytes -= entry.cost();
        }
    }

    /// Drops the entries behind `keep`.
    pub(super) fn cut(&mut self, keep: u64) {
        while self.entries.back().is_some_and(|entry| entry.index > keep) {
            if let Some(entry) = self.entries.pop_back() {
                self.bytes -= entry.cost();
            }
        }
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.bytes = 0;
    }

    pub(super) fn get(&self, index: u64) -> Option<&LogEntry> {
        let first = self.entries.front()?.index;
        self.entries.get(index.checked_sub(first)? as usize)
    }
}

pub(super) fn open(
    disk: &dyn Disk,
    directory: &Path,
    options: &LogOptions,
) -> Result<Opened, Error> {
    let (generations, spares) = list(disk, directory)?;
    let mut segments = VecDeque::new();
    if generations.is_empty() {
        if !spares.is_empty() {
            return Err(Error::corrupt(
                directory,
                0,
                "there are spare segments, but the log itself is gone",
            ));
        }
        let header = options.header(1, options.first_segment_bytes);
        segments.push_back(Segment::create(disk, directory, header)?);
    }
    for (number, generation) in generations.iter().enumerate() {
        if *generation != generations[0] + number as u64 {
            let missing = segment_path(directory, generations[0] + number as u64);
            return Err(Error::corrupt(&missing, 0, "segment is missing"));
        }
        let segment = Segment::open(disk, directory, *generation)?;
        if segment.header.partition != options.partition {
            return Err(Error::corrupt(
                segment.file.path(),
                40,
                format!(
                    "segment belongs to partition {}, not {}",
                    segment.header.partition, options.partition
                ),
            ));
        }
        segments.push_back(segment);
    }
    let mut scan = Scan::new(segments[0].header.generation, options.resident_bytes);
    for (number, segment) in segments.iter().enumerate() {
        scan.segment(number, segment)?;
    }
    let oldest = segments[0].header.generation;
    if scan.sequence.is_none() && oldest != 1 {
        return Err(Error::corrupt(
            segments[0].file.path(),
            FIRST_BATCH,
            "the oldest segment has no batch",
        ));
    }
    let tail = &segments[scan.tail];
    tail.file
        .sync_data()
        .map_err(|error| Error::io("sync", tail.file.path(), error))?;
    Ok(Opened {
        spares,
        tail: scan.tail,
        offset: scan.offset,
        sequence: scan.sequence.map_or(1, |last| last + 1),
        purged: scan.index.purged(),
        last: scan.last,
        committed: scan.committed,
        resident: scan.resident,
        cut: scan.cut,
        index: scan.index,
        segments,
    })
}

fn list(disk: &dyn Disk, directory: &Path) -> Result<(Vec<u64>, Vec<PathBuf>), Error> {
    let names = disk
        .list(directory)
        .map_err(|error| Error::io("list", directory, error))?;
    let mut generations = Vec::new();
    let mut spares = Vec::new();
    for name in names {
        let path = directory.join(&name);
        match Name::parse(&name) {
            Name::Segment(generation) => generations.push(generation),
            Name::Spare(_) => spares.push(path),
            Name::Unfinished => disk
                .remove(&path)
                .map_err(|error| Error::io("remove", &path, error))?,
            Name::Foreign => {
                tracing::warn!(file = %path.display(), "foreign file in a log directory");
            }
        }
    }
    generations.sort_unstable();
    Ok((generations, spares))
}

struct Scan {
    /// Generation of the oldest segment.
    oldest: u64,
    window: Window,
    index: Index,
    resident: Resident,
    resident_limit: usize,
    /// Sequence of the last batch.
    sequence: Option<u64>,
    last: EntryId,
    committed: u64,
    tail: usize,
    offset: u64,
    /// Where the last segment that was scanned ended, in case a later one shows that it should not
    /// have.
    ended: Option<Ended>,
    cut: Option<Cut>,
}

struct Ended {
    file: PathBuf,
    offset: u64,
    why: NotABatch,
}

impl Ended {
    fn corrupt(&self, later: u64) -> Error {
        let what = match self.why {
            NotABatch::Nothing => "a batch is missing",
            NotABatch::Damaged(what) => what,
        };
        let what = format!("{what}, and batch {later} is behind it");
        Error::corrupt(&self.file, self.offset, what)
    }
}

impl Scan {
    fn new(oldest: u64, resident_limit: usize) -> Self {
        Self {
            oldest,
            window: Window::new(SCAN_BYTES),
            index: Index::new(),
            resident: Resident::default(),
            resident_limit,
            sequence: None,
            last: EntryId::default(),
            committed: 0,
            tail: 0,
            offset: FIRST_BATCH,
            ended: None,
            cut: None,
        }
    }

    fn segment(&mut self, number: usize, segment: &Segment) -> Result<(), Error> {
        self.window.clear();
        let mut offset = FIRST_BATCH;
        let ended = loop {
            if offset + BLOCK as u64 > segment.header.len {
                break None;
            }
            match self.batch(segment, offset)? {
                Ok(header) => {
                    offset += header.padded_len() as u64;
                    self.tail = number;
                    self.offset = offset;
                    self.ended = None;
                    self.cut = None;
                }
                Err(why) => break Some(why),
            }
        };
        let Some(why) = ended else {
            return Ok(());
        };
        if self.ended.is_none() {
            self.ended = Some(Ended {
                file: segment.file.path().to_owned(),
                offset,
                why,
            });
        }
        if let Some(later) = self.later_batch(segment, offset)? {
            let ended = self.ended.as_ref().expect("set above");
            return Err(ended.corrupt(later));
        }
        if let NotABatch::Damaged(what) = why {
            self.cut.get_or_insert(Cut {
                file: segment.file.path().to_owned(),
                offset,
                what,
            });
        }
        Ok(())
    }

    /// Takes the batch at `offset`, or tells why there is none.
    fn batch(
        &mut self,
        segment: &Segment,
        offset: u64,
    ) -> Result<Result<BatchHeader, NotABatch>, Error> {
        let SegmentHeader {
            generation,
            salt,
            len: limit,
            ..
        } = segment.header;
        let path = segment.file.path();
        let device = |error| Error::io("read", path, error);
        let first = self
            .window
            .bytes_at(&*segment.file, offset, BLOCK, limit)
            .map_err(device)?;
        let mut header = match BatchHeader::decode(first, generation, salt) {
            Ok(header) => header,
            Err(why) => return Ok(Err(why)),
        };
        if header.kind == Kind::Cut && header.previous.index < self.index.purged().index {
            // The segments before held nothing that is still valid and were purged; what the
            // oldest segment begins with is void as well.
            header.kind = Kind::Restart;
        }
        let expected = match self.sequence {
            Some(last) => Some(last + 1),
            None => (self.oldest == 1).then_some(1),
        };
        if expected.is_some_and(|expected| header.sequence < expected) {
            // Left by a write that was torn; the batch of this number went elsewhere after that.
            return Ok(Err(NotABatch::Nothing));
        }
        let fits = match expected {
            Some(expected) => expected == header.sequence,
            // Only the oldest batch of all may have any number.
            None => self.ended.is_none(),
        };
        if !fits {
            if let Some(ended) = &self.ended {
                return Err(ended.corrupt(header.sequence));
            }
            return Err(Error::corrupt(
                path,
                offset,
                format!(
                    "batch has sequence {} where {} belongs",
                    header.sequence,
                    expected.unwrap_or(0)
                ),
            ));
        }
        if header.body_len > segment.header.max_batch_bytes
            || offset + header.padded_len() as u64 > limit
        {
            return Err(Error::corrupt(
                path,
                offset,
                format!("batch claims {} bytes", header.body_len),
            ));
        }
        let bytes = self
            .window
            .bytes_at(&*segment.file, offset, header.padded_len(), limit)
            .map_err(device)?;
        let body = &bytes[BATCH_HEADER_LEN..BATCH_HEADER_LEN + header.body_len as usize];
        let entries = match header.entries(body, salt) {
            Ok(entries) => entries,
            Err(what) => return Ok(Err(NotABatch::Damaged(what))),
        };
        self.join(&header, path, offset)?;
        self.index.push(&header, salt, offset);
        self.sequence = Some(header.sequence);
        self.committed = self.committed.max(header.committed);
        self.last = entries.last().map_or(header.previous, LogEntry::id);
        for entry in entries {
            self.resident.push(entry);
        }
        self.resident.shrink(self.resident_limit, |_| true);
        Ok(Ok(header))
    }

    /// Checks that a whole batch belongs behind what was read, and voids what it cuts off.
    fn join(&mut self, header: &BatchHeader, path: &Path, offset: u64) -> Result<(), Error> {
        let previous = header.previous;
        if self.sequence.is_none() {
            // The oldest batch tells what the log starts behind.
            self.index.purge(previous);
            return Ok(());
        }
        let fits = match header.kind {
            Kind::Continue => previous == self.last,
            Kind::Cut => {
                let known = self.resident.get(previous.index).map(LogEntry::id);
                previous.index >= self.index.purged().index
                    && previous.index <= self.last.index
                    && known.is_none_or(|id| id == previous)
            }
            Kind::Restart => true,
        };
        if !fits {
            return Err(Error::corrupt(
                path,
                offset,
                format!(
                    "batch follows entry {} of term {}, but the log ends at entry {} of term {}",
                    previous.index, previous.term, self.last.index, self.last.term
                ),
            ));
        }
        match header.kind {
            Kind::Continue => {}
            Kind::Cut => self.resident.cut(previous.index),
            Kind::Restart => self.resident.clear(),
        }
        Ok(())
    }

    /// Sequence of a batch behind `offset` that can only have been written after the missing one
    /// was durable.
    fn later_batch(&mut self, segment: &Segment, offset: u64) -> Result<Option<u64>, Error> {
        let missing = self.sequence.map_or(1, |last| last + 1);
        let reach = batch_len(segment.header.max_batch_bytes as usize) as u64 + BLOCK as u64;
        let end = segment.header.len.min(offset + reach);
        let mut at = offset + BLOCK as u64;
        while at + BLOCK as u64 <= end {
            let bytes = self
                .window
                .bytes_at(&*segment.file, at, BLOCK, segment.header.len)
                .map_err(|error| Error::io("read", segment.file.path(), error))?;
            let header = BatchHeader::decode(bytes, segment.header.generation, segment.header.salt);
            if let Ok(header) = header
                && header.sequence > missing
            {
                return Ok(Some(header.sequence));
            }
            at += BLOCK as u64;
        }
        Ok(None)
    }
}
