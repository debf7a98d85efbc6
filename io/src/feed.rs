//! The way of committed records to the export: bounded in memory, resumable, gap-free.
//!
//! The partition publishes each committed batch into a [`FeedLane`]; the [`FeedReader`], on the
//! export's thread, takes them out. When the reader lags and the lane is full, batches are not kept:
//! the reader sees the gap and reads what is missing from the log files, which compaction keeps
//! until [`FeedReader::acknowledge`] has passed them. Nothing but the reader's speed is bounded by
//! the export.
//!
//! There may be two exports: that of the secondary storage, and one beside it. Each has a lane and a
//! cursor of its own ([`Lanes`]), neither waits for the other, and the log is kept for the slower one.
//!
//! Invariants: 1. batches are delivered in order, each record once per reader; 2. only committed
//! records are delivered; 3. a lane holds at most `feed_batches` batches, `feed_records` records and
//! `feed_bytes` bytes of entries, or one batch that is larger.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use crossbeam::atomic::AtomicCell;
use crossbeam::queue::ArrayQueue;
use ringflow_core::ids::{PartitionId, Position};
use ringflow_core::record::field::DecodeError;
use ringflow_core::record::{Record, batch};
use ringflow_storage::log;
use tokio::sync::Notify;

use crate::feed::marks::Mark;
use crate::options::{BrokerOptions, Limits};
use crate::raft::payload;
use crate::shard::mailbox::Mailbox;

mod lanes;
pub(crate) mod marks;

pub use lanes::Export;
pub(crate) use lanes::Lanes;

/// Bytes of entries read from the log at once while catching up.
const CATCH_UP_BYTES: usize = 1 << 20;

/// The records of one committed entry.
#[derive(Clone, Debug)]
pub struct FeedBatch {
    /// Partition that wrote them.
    pub partition: PartitionId,
    /// The records, consecutive.
    pub records: Arc<Vec<Record>>,
    /// Position of the last of them.
    pub last: Position,
}

/// A batch in the lane, with its place in the log.
#[derive(Clone, Debug)]
pub(crate) struct Published {
    pub(crate) batch: FeedBatch,
    /// Position before the first record.
    pub(crate) base: Position,
    /// Log index of the entry.
    pub(crate) index: u64,
    /// Bytes of the entry.
    pub(crate) bytes: usize,
}

/// The lane of one partition; one publisher (its shard), at most one reader.
#[derive(Debug)]
pub(crate) struct FeedLane {
    batches: ArrayQueue<Published>,
    records: AtomicUsize,
    record_bound: usize,
    /// Bytes of the entries they came from; decoded they are a small multiple of it.
    bytes: AtomicUsize,
    byte_bound: usize,
    /// Last committed position and its entry; the entry is written first.
    committed: AtomicU64,
    committed_index: AtomicU64,
    acknowledged: AtomicU64,
    has_reader: AtomicBool,
    /// Grows whenever the partition begins or ceases to be led here; a reader serves one of these.
    epoch: AtomicU64,
    closed: AtomicBool,
    /// The reader waits for entries that a quorum has and this disk has not yet.
    starved: AtomicBool,
    published: Notify,
    /// A place in front of what is not yet exported, from time to time.
    resume: AtomicCell<Mark>,
    /// The reader of the log files, while no [`FeedReader`] has it.
    log: ArrayQueue<log::Reader>,
}

impl FeedLane {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            batches: ArrayQueue::new(limits.feed_batches),
            records: AtomicUsize::new(0),
            record_bound: limits.feed_records,
            bytes: AtomicUsize::new(0),
            byte_bound: limits.feed_bytes,
            committed: AtomicU64::new(0),
            committed_index: AtomicU64::new(0),
            acknowledged: AtomicU64::new(0),
            has_reader: AtomicBool::new(false),
            epoch: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            starved: AtomicBool::new(false),
            published: Notify::new(),
            resume: AtomicCell::default(),
            log: ArrayQueue::new(1),
        }
    }

    /// Publishes a committed batch; false if a reader will have to take it from the log.
    pub(crate) fn publish(&self, published: Published) -> bool {
        let count = published.batch.records.len();
        let bytes = published.bytes;
        let last = published.batch.last;
        let index = published.index;
        let waiting = self.records.load(Ordering::Acquire);
        let wanted = self.has_reader.load(Ordering::Acquire);
        let held = self.bytes.load(Ordering::Acquire);
        let fits = waiting + count <= self.record_bound && held + bytes <= self.byte_bound;
        let kept = wanted && (held == 0 || fits) && {
            self.records.fetch_add(count, Ordering::AcqRel);
            self.bytes.fetch_add(bytes, Ordering::AcqRel);
            let pushed = self.batches.push(published).is_ok();
            if !pushed {
                self.records.fetch_sub(count, Ordering::AcqRel);
                self.bytes.fetch_sub(bytes, Ordering::AcqRel);
            }
            pushed
        };
        self.start_at(last, index);
        kept || !wanted
    }

    /// Says up to where the log is committed. Everything kept in memory was pushed before.
    fn start_at(&self, last: Position, index: u64) {
        self.committed_index.store(index, Ordering::Release);
        self.committed.store(last.0, Ordering::Release);
        self.published.notify_one();
    }

    /// Says that more of the log is on this disk.
    pub(crate) fn durable(&self) {
        if self.starved.load(Ordering::Acquire) && self.starved.swap(false, Ordering::AcqRel) {
            self.published.notify_one();
        }
    }

    /// Ends the present reader: the partition is led elsewhere now, or anew.
    pub(crate) fn change_hands(&self) {
        self.epoch.fetch_add(1, Ordering::AcqRel);
        self.published.notify_one();
    }

    /// Hands over the reader of the log files.
    pub(crate) fn attach(&self, reader: log::Reader) {
        // The slot is empty: a lane belongs to one opened log.
        let _ = self.log.push(reader);
    }

    /// Up to where the log is committed.
    pub(crate) fn committed(&self) -> Position {
        Position(self.committed.load(Ordering::Acquire))
    }

    /// Last log index that is committed.
    pub(crate) fn committed_index(&self) -> u64 {
        self.committed_index.load(Ordering::Acquire)
    }

    /// Says that everything up to `position` is exported for good, here or by another broker.
    pub(crate) fn acknowledge(&self, position: Position) {
        self.acknowledged.fetch_max(position.0, Ordering::AcqRel);
    }

    /// Last position the export is done with.
    pub(crate) fn acknowledged(&self) -> Position {
        Position(self.acknowledged.load(Ordering::Acquire))
    }

    /// Says that the state was opened or exchanged and stands at `mark`.
    pub(crate) fn open_at(&self, mark: Mark) {
        self.resume_at(mark);
        self.start_at(mark.position, mark.index);
    }

    /// Says where a reader of what is not yet exported may begin.
    pub(crate) fn resume_at(&self, mark: Mark) {
        self.resume.store(mark);
    }

    /// Ends the reader once it has read everything.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.published.notify_one();
    }

    fn pop(&self) -> Option<Published> {
        let published = self.batches.pop()?;
        self.records
            .fetch_sub(published.batch.records.len(), Ordering::AcqRel);
        self.bytes.fetch_sub(published.bytes, Ordering::AcqRel);
        Some(published)
    }
}

/// Why a feed cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// The log cannot be read.
    #[error("reading the log for the export failed: {0}")]
    Log(#[from] ringflow_storage::Error),
    /// The log holds something else than what was written.
    #[error("log entry {index} cannot be read for the export: {what}")]
    Entry {
        /// The entry.
        index: u64,
        /// What is wrong with it.
        what: String,
    },
    /// The records wanted next are no longer in the log.
    #[error("records after {after} are no longer in the log, which begins with entry {first}")]
    Gone {
        /// Last position the reader had.
        after: Position,
        /// First entry the log still has.
        first: u64,
    },
}

/// Reads the committed records of one partition; `Send`, to be awaited on any runtime.
#[derive(Debug)]
pub struct FeedReader {
    mailbox: Arc<Mailbox>,
    export: Export,
    after: Position,
    /// Up to where the log was followed, once it was: `after`, or what is `ready` as well.
    at: Option<Mark>,
    /// Taken from the lane although something before it is missing.
    held: Option<Published>,
    /// Read from the log and not yet delivered.
    ready: VecDeque<FeedBatch>,
    /// The lane's when the reader was opened.
    epoch: u64,
    /// Present for all of the reader's life; given back when it ends.
    log: Option<log::Reader>,
}

impl FeedReader {
    /// Takes the reading end of a partition's lane; `None` if it is taken, or if there is no such
    /// export.
    pub(crate) fn open(mailbox: Arc<Mailbox>, export: Export, resume: Position) -> Option<Self> {
        let lane = mailbox.feed.of(export)?;
        let log = lane.log.pop()?;
        // What an earlier reader left belongs before or after `resume`; the log has it all.
        while lane.pop().is_some() {}
        lane.acknowledge(resume);
        lane.has_reader.store(true, Ordering::Release);
        Some(Self {
            after: resume,
            epoch: lane.epoch.load(Ordering::Acquire),
            at: None,
            held: None,
            ready: VecDeque::new(),
            log: Some(log),
            export,
            mailbox,
        })
    }

    /// The partition.
    #[must_use]
    pub fn partition(&self) -> PartitionId {
        self.mailbox.partition
    }

    /// The next batch in order; `None` when the broker has stopped and everything was read, or when
    /// the partition is no longer led here.
    /// Cancel safe. Catching up reads files on the calling thread.
    ///
    /// # Errors
    /// [`FeedError`]; the feed cannot go on then.
    pub async fn next(&mut self) -> Result<Option<FeedBatch>, FeedError> {
        let mailbox = Arc::clone(&self.mailbox);
        let Some(lane) = mailbox.feed.of(self.export) else {
            return Ok(None);
        };
        loop {
            if let Some(batch) = self.ready.pop_front() {
                self.after = batch.last;
                return Ok(Some(batch));
            }
            if lane.epoch.load(Ordering::Acquire) != self.epoch {
                return Ok(None);
            }
            // Order matters: what is committed by now was pushed before or not kept.
            let closed = lane.closed.load(Ordering::Acquire);
            let committed = Position(lane.committed.load(Ordering::Acquire));
            let next = self.held.take().or_else(|| lane.pop());
            match next {
                Some(next) if next.batch.last <= self.after => {}
                Some(next) if next.base == self.after => {
                    self.after = next.batch.last;
                    self.at = Some(Mark {
                        index: next.index,
                        position: next.batch.last,
                    });
                    return Ok(Some(next.batch));
                }
                Some(next) => {
                    let upto = next.index - 1;
                    self.held = Some(next);
                    self.catch_up_or_wait(lane, upto).await?;
                }
                None if committed > self.after => {
                    let upto = lane.committed_index.load(Ordering::Acquire);
                    self.catch_up_or_wait(lane, upto).await?;
                }
                None if closed => return Ok(None),
                None => lane.published.notified().await,
            }
        }
    }

    /// Reads some of what is missing from the log. What a quorum has committed may not be on this
    /// disk yet: then waits until it is, or something else has changed.
    async fn catch_up_or_wait(&mut self, lane: &FeedLane, upto: u64) -> Result<(), FeedError> {
        // Before the look, so that no write is missed.
        lane.starved.store(true, Ordering::Release);
        self.catch_up(lane, upto)?;
        if self.ready.is_empty() {
            lane.published.notified().await;
        }
        Ok(())
    }

    /// Reads some of what is missing from the log, up to entry `upto`.
    fn catch_up(&mut self, lane: &FeedLane, upto: u64) -> Result<(), FeedError> {
        match self.follow_log(lane, upto) {
            Err(FeedError::Log(ringflow_storage::Error::OutOfRange { .. })) => {
                // The way to what is wanted led through what was exported before, and that was
                // purged meanwhile; there is a nearer beginning now.
                self.at = None;
                self.follow_log(lane, upto)
            }
            followed => followed,
        }
    }

    fn follow_log(&mut self, lane: &FeedLane, upto: u64) -> Result<(), FeedError> {
        let log = self.log.as_mut().ok_or(ringflow_storage::Error::Closed)?;
        let begun = match self.at {
            Some(at) => Some(at),
            None => beginning(log, lane, self.after, self.export)?,
        };
        let Some(mut at) = begun else {
            return Ok(());
        };
        while at.index < upto && self.ready.is_empty() {
            let entries = log.read(at.index + 1, CATCH_UP_BYTES)?;
            if entries.is_empty() {
                break;
            }
            for entry in entries.into_iter().take_while(|entry| entry.index <= upto) {
                at.index = entry.index;
                let Some((base, last)) = span(&entry)? else {
                    continue;
                };
                if base != at.position {
                    // Built on another position: refused by every replica.
                    continue;
                }
                at.position = last;
                if last <= self.after {
                    continue;
                }
                let mut records = records(&entry)?;
                let known = self.after.0.saturating_sub(base.0) as usize;
                records.drain(..known.min(records.len()));
                self.ready.push_back(self.mailbox.batch(records, last));
            }
        }
        self.at = Some(at);
        Ok(())
    }

    /// Says that everything up to `position` is exported for good; the log before may be deleted.
    pub fn acknowledge(&self, position: Position) {
        if let Some(lane) = self.mailbox.feed.of(self.export) {
            lane.acknowledge(position);
        }
    }
}

impl Drop for FeedReader {
    fn drop(&mut self) {
        let Some(lane) = self.mailbox.feed.of(self.export) else {
            return;
        };
        lane.has_reader.store(false, Ordering::Release);
        if let Some(log) = self.log.take() {
            lane.attach(log);
        }
    }
}

impl Mailbox {
    fn batch(&self, records: Vec<Record>, last: Position) -> FeedBatch {
        FeedBatch {
            partition: self.partition,
            records: Arc::new(records),
            last,
        }
    }
}

/// A place from which the log is followed to the records after `after`: the one the shard knows if
/// it is before, or else right before the first batch of the log from which the batches lead to that
/// place. `None` while this disk has not the entries to tell. An export beside the secondary storage
/// may be wanted long after the log began: it begins with what is left.
fn beginning(
    log: &mut log::Reader,
    lane: &FeedLane,
    after: Position,
    export: Export,
) -> Result<Option<Mark>, FeedError> {
    let first = match log.read(0, 1) {
        Ok(entries) => entries.first().map_or(1, |entry| entry.index),
        Err(ringflow_storage::Error::OutOfRange { first, .. }) => first,
        Err(error) => return Err(error.into()),
    };
    let known = lane.resume.load();
    if known.position <= after && known.index + 1 >= first {
        return Ok(Some(known));
    }
    // Nothing before the known place is left.
    if export == Export::Beside && first > known.index {
        return Ok(Some(known));
    }
    let mut next = first;
    while next <= known.index {
        let Some((begun, reached)) = follow(log, next, known.index)? else {
            return Ok(None);
        };
        if reached == known.position {
            if begun.position <= after || export == Export::Beside {
                return Ok(Some(begun));
            }
            break;
        }
        // The first one was refused: the next may be it.
        next = begun.index + 2;
    }
    Err(FeedError::Gone { after, first })
}

/// Follows the batches from entry `from` to `upto` as if the first of them counted; gives the place
/// before that one and the position that is reached. `None` if not all are on this disk.
fn follow(
    log: &mut log::Reader,
    from: u64,
    upto: u64,
) -> Result<Option<(Mark, Position)>, FeedError> {
    let mut begun = None;
    let mut reached = Position::default();
    let mut next = from;
    while next <= upto {
        let entries = log.read(next, CATCH_UP_BYTES)?;
        if entries.is_empty() {
            return Ok(None);
        }
        for entry in entries.into_iter().take_while(|entry| entry.index <= upto) {
            next = entry.index + 1;
            let Some((base, last)) = span(&entry)? else {
                continue;
            };
            if begun.is_none() {
                begun = Some(Mark {
                    index: entry.index - 1,
                    position: base,
                });
                reached = base;
            }
            if base == reached {
                reached = last;
            }
        }
    }
    Ok(begun.map(|begun| (begun, reached)))
}

/// Positions before the first and of the last record of an entry; `None` if it carries no records.
fn span(entry: &log::LogEntry) -> Result<Option<(Position, Position)>, FeedError> {
    let Some(bytes) = payload::batch(&entry.payload) else {
        return Ok(None);
    };
    let (base, count) = batch::peek(bytes).map_err(|error| unreadable(entry, &error))?;
    Ok(Some((base, Position(base.0 + u64::from(count)))))
}

/// The records of an entry.
fn records(entry: &log::LogEntry) -> Result<Vec<Record>, FeedError> {
    let Some(bytes) = payload::batch(&entry.payload) else {
        return Ok(Vec::new());
    };
    let (_, records) = batch::decode(bytes).map_err(|error| unreadable(entry, &error))?;
    Ok(records)
}

fn unreadable(entry: &log::LogEntry, error: &DecodeError) -> FeedError {
    FeedError::Entry {
        index: entry.index,
        what: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn published(index: u64, bytes: usize) -> Published {
        let batch = FeedBatch {
            partition: PartitionId(1),
            records: Arc::new(Vec::new()),
            last: Position(index),
        };
        let base = Position(index - 1);
        Published {
            batch,
            base,
            index,
            bytes,
        }
    }

    #[test]
    fn a_lane_is_bounded_by_bytes_but_always_takes_one_batch() {
        let limits = Limits {
            feed_bytes: 100,
            ..Limits::default()
        };
        let lane = FeedLane::new(&limits);
        lane.has_reader.store(true, Ordering::Release);
        let count = |lane: &FeedLane| lane.bytes.load(Ordering::Acquire);
        assert!(lane.publish(published(1, 500)), "one is always taken");
        assert_eq!(count(&lane), 500);
        assert!(!lane.publish(published(2, 1)), "the lane is full");
        assert!(lane.pop().is_some());
        assert!(lane.publish(published(3, 60)) && lane.publish(published(4, 40)));
        assert!(!lane.publish(published(5, 1)), "the lane is full");
        while lane.pop().is_some() {}
        assert_eq!(count(&lane), 0);
    }
}
