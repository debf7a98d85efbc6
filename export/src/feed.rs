//! Where the exporter gets committed records from.
//!
//! The contract of a [`RecordFeed`]: records of one partition, committed, in order of position,
//! without gaps. After [`RecordFeed::start`] the next batch holds the first record behind the given
//! position (earlier ones may come again and are skipped here). What was never acknowledged is
//! delivered again after a restart; what was acknowledged may be compacted.
//!
//! Two implementations: the lane from the shards (adapted by the binary) and [`RecordedFeed`].

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ringflow_core::ids::{PartitionId, Position};
use ringflow_core::record::Record;

/// Consecutive committed records of one partition.
#[derive(Clone, Debug)]
pub struct FeedBatch {
    /// Their partition.
    pub partition: PartitionId,
    /// The records, ascending.
    pub records: Arc<Vec<Record>>,
    /// Position of the last record.
    pub last: Position,
}

/// A feed that cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct FeedError {
    /// Why, for the operator.
    pub reason: String,
}

/// What [`RecordFeed`] methods return; not `Send`, the exporter has one thread.
pub type FeedFuture<'f, T> = Pin<Box<dyn Future<Output = T> + 'f>>;

/// Source of the committed records of one partition.
pub trait RecordFeed: Send {
    /// The partition.
    fn partition(&self) -> PartitionId;

    /// Positions the feed: the next batch begins with the record behind `after`. Called once before
    /// the first batch, and again if the database turns out to stand elsewhere.
    ///
    /// # Errors
    /// If those records are no longer there.
    fn start(&mut self, after: Position) -> Result<(), FeedError>;

    /// The next batch; waits until there is one, `None` once the partition is no longer led here.
    /// Dropping the future before it is ready loses nothing.
    fn next(&mut self) -> FeedFuture<'_, Option<FeedBatch>>;

    /// Everything up to `position` is in the database: the log may forget it.
    fn acknowledge(&self, position: Position);
}

/// A feed over records that are all there already; waits for ever (or ends) behind the last.
#[derive(Debug)]
pub struct RecordedFeed {
    partition: PartitionId,
    records: Arc<Vec<Record>>,
    at: usize,
    batch_len: usize,
    ends: bool,
    acknowledged: Arc<AtomicU64>,
}

impl RecordedFeed {
    /// A feed of `records` in batches of `batch_len`. If `ends`, it ends behind the last record.
    #[must_use]
    pub fn new(partition: PartitionId, records: Vec<Record>, batch_len: usize, ends: bool) -> Self {
        Self {
            partition,
            records: Arc::new(records),
            at: 0,
            batch_len: batch_len.max(1),
            ends,
            acknowledged: Arc::default(),
        }
    }

    /// Where acknowledgements arrive.
    #[must_use]
    pub fn acknowledged(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.acknowledged)
    }
}

impl RecordFeed for RecordedFeed {
    fn partition(&self) -> PartitionId {
        self.partition
    }

    fn start(&mut self, after: Position) -> Result<(), FeedError> {
        self.at = self
            .records
            .partition_point(|record| record.position <= after);
        Ok(())
    }

    fn next(&mut self) -> FeedFuture<'_, Option<FeedBatch>> {
        Box::pin(async move {
            let end = self.records.len().min(self.at + self.batch_len);
            let records = self.records.get(self.at..end).unwrap_or_default().to_vec();
            let Some(last) = records.last().map(|record| record.position) else {
                if self.ends {
                    return None;
                }
                return std::future::pending().await;
            };
            self.at = end;
            Some(FeedBatch {
                partition: self.partition,
                records: Arc::new(records),
                last,
            })
        })
    }

    fn acknowledge(&self, position: Position) {
        self.acknowledged.fetch_max(position.0, Ordering::AcqRel);
    }
}
