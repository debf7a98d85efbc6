//! The way of committed records to the export: bounded in memory, resumable, gap-free.
//!
//! The partition publishes each committed batch into a [`FeedLane`]; the [`FeedReader`], on the
//! export's thread, takes them out. When the reader lags and the lane is full, batches are not kept:
//! the reader sees the gap and reads what is missing from the log files, which compaction keeps
//! until [`FeedReader::acknowledge`] has passed them. Nothing but the reader's speed is bounded by
//! the export.
//!
//! Invariants: 1. batches are delivered in order, each record once per reader; 2. only committed
//! records are delivered; 3. a lane holds at most `feed_batches` batches and about `feed_records`
//! records.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use crossbeam::queue::ArrayQueue;
use ringflow_core::ids::{PartitionId, Position};
use ringflow_core::record::{Record, batch};
use ringflow_storage::log;
use tokio::sync::Notify;

use crate::options::Limits;
use crate::raft::payload;
use crate::shard::mailbox::Mailbox;

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
#[derive(Debug)]
pub(crate) struct Published {
    pub(crate) batch: FeedBatch,
    /// Position before the first record.
    pub(crate) base: Position,
    /// Log index of the entry.
    pub(crate) index: u64,
}

/// The lane of one partition; one publisher (its shard), at most one reader.
#[derive(Debug)]
pub(crate) struct FeedLane {
    batches: ArrayQueue<Published>,
    records: AtomicUsize,
    record_bound: usize,
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
    /// The reader of the log files, while no [`FeedReader`] has it.
    log: ArrayQueue<log::Reader>,
}

impl FeedLane {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            batches: ArrayQueue::new(limits.feed_batches),
            records: AtomicUsize::new(0),
            record_bound: limits.feed_records,
            committed: AtomicU64::new(0),
            committed_index: AtomicU64::new(0),
            acknowledged: AtomicU64::new(0),
            has_reader: AtomicBool::new(false),
            epoch: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            starved: AtomicBool::new(false),
            published: Notify::new(),
            log: ArrayQueue::new(1),
        }
    }

    /// Publishes a committed batch; false if a reader will have to take it from the log.
    pub(crate) fn publish(&self, published: Published) -> bool {
        let count = published.batch.records.len();
        let last = published.batch.last;
        let index = published.index;
        let waiting = self.records.load(Ordering::Acquire);
        let wanted = self.has_reader.load(Ordering::Acquire);
        let room = waiting == 0 || waiting + count <= self.record_bound;
        let kept = wanted && room && {
            self.records.fetch_add(count, Ordering::AcqRel);
            let pushed = self.batches.push(published).is_ok();
            if !pushed {
                self.records.fetch_sub(count, Ordering::AcqRel);
            }
            pushed
        };
        self.start_at(last, index);
        kept || !wanted
    }

    /// Says up to where the log is committed. Everything kept in memory was pushed before.
    pub(crate) fn start_at(&self, last: Position, index: u64) {
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

    /// Ends the reader once it has read everything.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.published.notify_one();
    }

    fn pop(&self) -> Option<Published> {
        let published = self.batches.pop()?;
        self.records
            .fetch_sub(published.batch.records.len(), Ordering::AcqRel);
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
    after: Position,
    /// Entry that ended with `after`, once known.
    index: Option<u64>,
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
    /// Takes the reading end of a partition's lane; `None` if it is taken.
    pub(crate) fn open(mailbox: Arc<Mailbox>, resume: Position) -> Option<Self> {
        let lane = &mailbox.feed;
        let log = lane.log.pop()?;
        // What an earlier reader left belongs before or after `resume`; the log has it all.
        while lane.pop().is_some() {}
        lane.acknowledge(resume);
        lane.has_reader.store(true, Ordering::Release);
        Some(Self {
            after: resume,
            epoch: lane.epoch.load(Ordering::Acquire),
            index: None,
            held: None,
            ready: VecDeque::new(),
            log: Some(log),
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
        let lane = &mailbox.feed;
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
                    self.index = Some(next.index);
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
        self.catch_up(upto)?;
        if self.ready.is_empty() {
            lane.published.notified().await;
        }
        Ok(())
    }

    /// Reads some of what is missing from the log, up to entry `upto`.
    fn catch_up(&mut self, upto: u64) -> Result<(), FeedError> {
        let log = self.log.as_mut().ok_or(ringflow_storage::Error::Closed)?;
        // Entries that were refused, being built on something that was never committed, may stand
        // anywhere: one in front proves a gap only if nothing before it is there.
        let mut reached = self.index.is_some();
        let mut first_held = None;
        let mut from = match self.index {
            Some(index) => index + 1,
            None => {
                let first = first_entry(log)?;
                first_held = Some(first);
                first_after(log, first, upto, self.after)?
            }
        };
        let mut after = self.after;
        while from <= upto && self.ready.is_empty() {
            let entries = log.read(from, CATCH_UP_BYTES)?;
            if entries.is_empty() {
                break;
            }
            for entry in entries.into_iter().take_while(|entry| entry.index <= upto) {
                from = entry.index + 1;
                self.index = Some(entry.index);
                let Some(bytes) = payload::batch(&entry.payload) else {
                    continue;
                };
                let (base, records) = batch::decode(bytes).map_err(|error| FeedError::Entry {
                    index: entry.index,
                    what: error.to_string(),
                })?;
                let last = Position(base.0 + records.len() as u64);
                if last <= after {
                    reached = true;
                    continue;
                }
                if base > after && !reached && self.ready.is_empty() && after == self.after {
                    // Bisection may have been misled by a refused entry: once more from the first.
                    if let Some(first) = first_held.take().filter(|first| *first < entry.index) {
                        from = first;
                        break;
                    }
                    return Err(FeedError::Gone {
                        after,
                        first: entry.index,
                    });
                }
                if base != after {
                    // Built on another position: refused by every replica. Or a batch of which the
                    // reader has the first part, which resuming at a batch's end excludes.
                    if base < after && last > after {
                        let records = records[(after.0 - base.0) as usize..].to_vec();
                        self.ready.push_back(self.mailbox.batch(records, last));
                        after = last;
                    }
                    continue;
                }
                self.ready.push_back(self.mailbox.batch(records, last));
                after = last;
            }
        }
        Ok(())
    }

    /// Says that everything up to `position` is exported for good; the log before may be deleted.
    pub fn acknowledge(&self, position: Position) {
        self.mailbox.feed.acknowledge(position);
    }
}

impl Drop for FeedReader {
    fn drop(&mut self) {
        let lane = &self.mailbox.feed;
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

fn first_entry(log: &mut log::Reader) -> Result<u64, FeedError> {
    match log.read(0, 1) {
        Ok(entries) => Ok(entries.first().map_or(1, |entry| entry.index)),
        Err(ringflow_storage::Error::OutOfRange { first, .. }) => Ok(first),
        Err(error) => Err(error.into()),
    }
}

/// The first entry of `first..=last` that holds a record after `position`, by bisection; `last + 1`
/// if none does. Entries without records are skipped.
pub(crate) fn first_after(
    log: &mut log::Reader,
    first: u64,
    last: u64,
    position: Position,
) -> Result<u64, FeedError> {
    let (mut low, mut high) = (first, last + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        let mut at = middle;
        let end = loop {
            if at >= high {
                break None;
            }
            let entries = log.read(at, 1)?;
            let Some(entry) = entries.first() else {
                break None;
            };
            let Some(bytes) = payload::batch(&entry.payload) else {
                at = entry.index + 1;
                continue;
            };
            let (base, count) = batch::peek(bytes).map_err(|error| FeedError::Entry {
                index: entry.index,
                what: error.to_string(),
            })?;
            break Some(Position(base.0 + u64::from(count)));
        };
        match end {
            Some(end) if end <= position => low = at + 1,
            Some(_) | None => high = middle,
        }
    }
    Ok(low)
}
