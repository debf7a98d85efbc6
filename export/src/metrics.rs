//! What the exporter tells about itself.
//!
//! Counters are atomics that the exporter's thread writes and anybody reads; a snapshot is a plain
//! struct, so that whoever serves metrics needs nothing of this crate's insides. Counters of one
//! partition start at zero each time its leader's exporter starts.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use ringflow_core::ids::{PartitionId, Position, Timestamp};

use crate::error::ExportError;

/// Upper bounds of the flush time buckets, in milliseconds; one more bucket takes the rest.
pub const FLUSH_BUCKETS_MS: [u64; 10] = [2, 5, 10, 25, 50, 100, 250, 1000, 5000, 30_000];

/// Where the exporter as a whole stands.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum ExporterState {
    /// The schema is not there yet (the database may be down).
    #[default]
    Starting,
    /// Partitions are exported.
    Running,
    /// Somebody has to do something.
    Failed(ExportError),
    /// Stopped as asked.
    Stopped,
}

/// Counters of one partition.
#[derive(Debug)]
pub struct PartitionMetrics {
    partition: PartitionId,
    received: AtomicU64,
    exported: AtomicU64,
    oldest_waiting: AtomicI64,
    records: AtomicU64,
    rows: AtomicU64,
    batches: AtomicU64,
    retries: AtomicU64,
    failed: AtomicU64,
    fenced: AtomicU64,
    poisoned: AtomicU64,
    gaps: AtomicU64,
    flush_nanos: AtomicU64,
    flush_buckets: [AtomicU64; FLUSH_BUCKETS_MS.len() + 1],
}

impl PartitionMetrics {
    fn new(partition: PartitionId) -> Self {
        Self {
            partition,
            received: AtomicU64::new(0),
            exported: AtomicU64::new(0),
            oldest_waiting: AtomicI64::new(-1),
            records: AtomicU64::new(0),
            rows: AtomicU64::new(0),
            batches: AtomicU64::new(0),
            retries: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            fenced: AtomicU64::new(0),
            poisoned: AtomicU64::new(0),
            gaps: AtomicU64::new(0),
            flush_nanos: AtomicU64::new(0),
            flush_buckets: Default::default(),
        }
    }

    pub(crate) fn received(&self, last: Position) {
        self.received.store(last.0, Ordering::Relaxed);
    }

    pub(crate) fn waiting_since(&self, oldest: Timestamp) {
        self.oldest_waiting.store(oldest.0, Ordering::Relaxed);
    }

    pub(crate) fn cursor(&self, position: Position) {
        self.exported.store(position.0, Ordering::Relaxed);
    }

    pub(crate) fn flushed(&self, records: u64, rows: u64, took: Duration) {
        self.records.fetch_add(records, Ordering::Relaxed);
        self.rows.fetch_add(rows, Ordering::Relaxed);
        self.batches.fetch_add(1, Ordering::Relaxed);
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.flush_nanos.fetch_add(nanos, Ordering::Relaxed);
        let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let bucket = FLUSH_BUCKETS_MS.iter().position(|bound| millis <= *bound);
        let bucket = bucket.unwrap_or(FLUSH_BUCKETS_MS.len());
        self.flush_buckets[bucket].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn failed(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn retried(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn fenced(&self) {
        self.fenced.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn poisoned(&self, rows: u64) {
        self.poisoned.fetch_add(rows, Ordering::Relaxed);
    }

    pub(crate) fn gap(&self) {
        self.gaps.fetch_add(1, Ordering::Relaxed);
    }

    /// The counters now.
    #[must_use]
    pub fn snapshot(&self, now: Timestamp) -> PartitionSnapshot {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let oldest = self.oldest_waiting.load(Ordering::Relaxed);
        PartitionSnapshot {
            partition: self.partition,
            exported: Position(get(&self.exported)),
            lag_records: get(&self.received).saturating_sub(get(&self.exported)),
            lag_ms: if oldest < 0 {
                0
            } else {
                now.0.saturating_sub(oldest).max(0)
            },
            records: get(&self.records),
            rows: get(&self.rows),
            batches: get(&self.batches),
            retries: get(&self.retries),
            failed_flushes: get(&self.failed),
            fenced: get(&self.fenced),
            poisoned_rows: get(&self.poisoned),
            gaps: get(&self.gaps),
            flush_seconds_sum: get(&self.flush_nanos) as f64 / 1e9,
            flush_buckets: std::array::from_fn(|i| get(&self.flush_buckets[i])),
        }
    }
}

/// Counters of one partition at one moment.
#[derive(Clone, PartialEq, Debug)]
pub struct PartitionSnapshot {
    /// The partition.
    pub partition: PartitionId,
    /// The cursor in the database.
    pub exported: Position,
    /// Records received from the feed and not yet in the database. What the feed holds back while
    /// the exporter is behind comes on top; compare `exported` with the commit position.
    pub lag_records: u64,
    /// Age of the oldest received record that is not yet in the database; 0 = none waits.
    pub lag_ms: i64,
    /// Records that are in the database.
    pub records: u64,
    /// Rows written for them.
    pub rows: u64,
    /// Transactions.
    pub batches: u64,
    /// Attempts after the first.
    pub retries: u64,
    /// Attempts that failed.
    pub failed_flushes: u64,
    /// Times another exporter had moved the cursor.
    pub fenced: u64,
    /// Rows the database would not take, kept in `exporter_error`.
    pub poisoned_rows: u64,
    /// Times records were missing between the cursor and the feed.
    pub gaps: u64,
    /// Time spent in successful transactions.
    pub flush_seconds_sum: f64,
    /// Their distribution over [`FLUSH_BUCKETS_MS`], not cumulated.
    pub flush_buckets: [u64; FLUSH_BUCKETS_MS.len() + 1],
}

/// Everything the exporter tells.
#[derive(Debug, Default)]
pub struct ExporterMetrics {
    state: RwLock<ExporterState>,
    partitions: RwLock<Vec<Arc<PartitionMetrics>>>,
    cleaned: AtomicU64,
}

/// Everything at one moment.
#[derive(Clone, PartialEq, Debug)]
pub struct ExporterSnapshot {
    /// The whole.
    pub state: ExporterState,
    /// The parts, by partition.
    pub partitions: Vec<PartitionSnapshot>,
    /// Finished root instances that were removed after their time.
    pub cleaned_roots: u64,
}

impl ExporterMetrics {
    pub(crate) fn partition(&self, partition: PartitionId) -> Arc<PartitionMetrics> {
        let metrics = Arc::new(PartitionMetrics::new(partition));
        let mut partitions = self
            .partitions
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        partitions.retain(|other| other.partition != partition);
        partitions.push(Arc::clone(&metrics));
        partitions.sort_by_key(|metrics| metrics.partition);
        metrics
    }

    pub(crate) fn set_state(&self, state: ExporterState) {
        *self
            .state
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = state;
    }

    pub(crate) fn cleaned(&self, roots: u64) {
        self.cleaned.fetch_add(roots, Ordering::Relaxed);
    }

    /// Everything now.
    #[must_use]
    pub fn snapshot(&self, now: Timestamp) -> ExporterSnapshot {
        let partitions = self
            .partitions
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        ExporterSnapshot {
            state: self
                .state
                .read()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .clone(),
            partitions: partitions
                .iter()
                .map(|metrics| metrics.snapshot(now))
                .collect(),
            cleaned_roots: self.cleaned.load(Ordering::Relaxed),
        }
    }
}
