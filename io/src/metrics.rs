//! Every number this crate counts, per partition and per shard.
//!
//! The cells are written by one thread each (the owning shard) with plain loads and stores, never
//! with locked instructions, and may be read by any thread at any time; the few that several threads
//! write say so. [`MetricsSnapshot`] is a copy made on request. Names of the exposed series live with
//! the exposition, not here.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ringflow_core::ids::PartitionId;
use ringflow_core::record::{Intent, Record, RecordType};

/// A number with one writer.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    /// Adds; only the owning thread may call it.
    pub(crate) fn add(&self, n: u64) {
        self.0
            .store(self.0.load(Ordering::Relaxed) + n, Ordering::Relaxed);
    }

    /// Adds; any thread may call it.
    pub(crate) fn add_shared(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// Subtracts what was added; any thread may call it.
    pub(crate) fn sub_shared(&self, n: u64) {
        self.0.fetch_sub(n, Ordering::Relaxed);
    }

    pub(crate) fn set(&self, n: u64) {
        self.0.store(n, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Upper bounds of the buckets of a [`Histogram`] in nanoseconds; one more bucket holds the rest.
pub const BUCKET_BOUNDS_NANOS: [u64; 22] = [
    1_000,
    2_500,
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
];

/// Durations in fixed buckets, one writer.
#[derive(Debug, Default)]
pub(crate) struct Histogram {
    buckets: [Count; BUCKET_BOUNDS_NANOS.len() + 1],
    sum_nanos: Count,
}

impl Histogram {
    pub(crate) fn record(&self, duration: Duration) {
        self.record_many(duration, 1);
    }

    /// Records `n` equal durations.
    pub(crate) fn record_many(&self, duration: Duration, n: u64) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let bucket = BUCKET_BOUNDS_NANOS.partition_point(|bound| *bound < nanos);
        self.buckets[bucket].add(n);
        self.sum_nanos.add(nanos.saturating_mul(n));
    }

    fn snapshot(&self) -> HistogramSnapshot {
        HistogramSnapshot {
            buckets: std::array::from_fn(|i| self.buckets[i].get()),
            sum_nanos: self.sum_nanos.get(),
        }
    }
}

/// A copy of a histogram.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct HistogramSnapshot {
    /// Number of durations per bucket (not cumulative); bounds in [`BUCKET_BOUNDS_NANOS`].
    pub buckets: [u64; BUCKET_BOUNDS_NANOS.len() + 1],
    /// Sum of all durations in nanoseconds.
    pub sum_nanos: u64,
}

impl HistogramSnapshot {
    /// Number of durations.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }
}

macro_rules! partition_metrics {
    (counts { $($(#[$count_doc:meta])* $count:ident,)+ }
     histograms { $($(#[$histogram_doc:meta])* $histogram:ident,)+ }) => {
        /// The cells of one partition.
        #[derive(Debug, Default)]
        pub(crate) struct PartitionMetrics {
            $(pub(crate) $count: Count,)+
            $(pub(crate) $histogram: Histogram,)+
            pub(crate) records: RecordCounts,
        }

        /// The numbers of one partition.
        #[derive(Clone, PartialEq, Eq, Debug)]
        pub struct PartitionSnapshot {
            /// The partition.
            pub partition: PartitionId,
            $($(#[$count_doc])* pub $count: u64,)+
            $($(#[$histogram_doc])* pub $histogram: HistogramSnapshot,)+
            /// Records written by kind, those that occurred.
            pub records: Vec<RecordCount>,
        }

        impl PartitionMetrics {
            pub(crate) fn snapshot(&self, partition: PartitionId) -> PartitionSnapshot {
                PartitionSnapshot {
                    partition,
                    $($count: self.$count.get(),)+
                    $($histogram: self.$histogram.snapshot(),)+
                    records: self.records.snapshot(),
                }
            }
        }
    };
}

partition_metrics! {
    counts {
        /// Client commands that asked for admission.
        requests_received,
        /// Client commands refused by back pressure.
        requests_refused,
        /// Client commands admitted and not yet committed (gauge).
        requests_in_flight,
        /// Present request limit (gauge).
        request_limit,
        /// Commands whose caller had left before they were taken in.
        requests_abandoned,
        /// Commands processed (each counts once, follow-ups do not).
        commands_processed,
        /// Follow-up commands processed within the step of another command.
        followups_processed,
        /// Records written.
        records_written,
        /// Records applied from the log (recovery, follower).
        records_replayed,
        /// Rejections written.
        rejections_written,
        /// Steps that hit a fault of the engine.
        engine_faults,
        /// Entries proposed.
        entries_proposed,
        /// Bytes of these entries.
        entry_bytes,
        /// Bytes of entries applied that another replica proposed.
        replayed_bytes,
        /// Entries refused because they were built on another position.
        entries_refused,
        /// Entries proposed and not yet committed (gauge).
        entries_in_flight,
        /// Answers given.
        responses_sent,
        /// Answers whose caller had left.
        responses_dropped,
        /// Callers that wait for an answer (gauge).
        callers_waiting,
        /// Open job streams (gauge).
        streams_open,
        /// Jobs pushed to streams.
        jobs_pushed,
        /// Jobs given back because the stream was gone or full.
        pushes_failed,
        /// Commands sent to other partitions.
        sends,
        /// Commands to other partitions dropped because the lane was full or there is no route.
        sends_dropped,
        /// Commands that came due (timers, time-outs ...).
        due_commands,
        /// Last position written by the engine (gauge).
        last_processed_position,
        /// Last position committed (gauge).
        last_committed_position,
        /// Last position acknowledged by the export (gauge).
        last_exported_position,
        /// Last position whose state is in the state store (gauge).
        last_persisted_position,
        /// Batches that left the memory of the feed before they were read; the reader takes them from the log.
        feed_spilled,
        /// Snapshots taken.
        snapshots_taken,
        /// Raft's term (gauge).
        raft_term,
        /// Entries that the follower is behind which is most behind, as the leader knows it (gauge).
        replication_lag,
        /// Leaderships that began here.
        leaderships,
        /// When the last snapshot was taken or installed, epoch milliseconds (gauge); 0 = not yet.
        snapshot_millis,
        /// Log index up to which the last snapshot reaches (gauge).
        snapshot_index,
        /// Bytes of snapshots sent to other replicas.
        snapshot_bytes_sent,
        /// Snapshots received from a leader and installed.
        snapshots_installed,
        /// Log index up to which the log was purged (gauge).
        purged_index,
        /// Number of the newest checkpoint (gauge); 0 = none.
        checkpoint_id,
        /// Position of the newest checkpoint created here (gauge).
        checkpoint_position,
        /// Backups stored whole; several threads write it.
        backups_completed,
        /// Backups that were begun and are not whole; several threads write it.
        backups_failed,
        /// Bytes of backups stored; several threads write it.
        backup_bytes,
        /// Backups being stored (gauge); several threads write it.
        backups_in_progress,
        /// Write sets persisted to the state store.
        persists,
    }
    histograms {
        /// From admission to being taken in.
        queue_wait,
        /// Processing of one command, engine only.
        command_process,
        /// Processing of one iteration, engine and encoding.
        iteration_process,
        /// From proposal to commit.
        commit,
        /// One append of the log until it is durable.
        append,
        /// From commit until the effects have left and the state is handed over.
        release,
        /// One write to the state store.
        persist,
        /// One snapshot.
        snapshot,
    }
}

/// Value types and intents per value type that have a cell; both are above every number in use.
const VALUE_TYPES: usize = 136;
/// Between those that count on from 0 and those that begin high no number is in use.
const HIGH_TYPES: usize = 192;
const INTENTS: usize = 32;
const RECORD_TYPES: usize = 3;

/// Records written, by what they say: one cell per record type, value type and intent.
#[derive(Debug)]
pub(crate) struct RecordCounts(Box<[Count]>);

impl Default for RecordCounts {
    fn default() -> Self {
        let cells = RECORD_TYPES * VALUE_TYPES * INTENTS;
        Self((0..cells).map(|_| Count::default()).collect())
    }
}

impl RecordCounts {
    fn cell(&self, record_type: RecordType, intent: Intent) -> Option<&Count> {
        let number = intent.value_type() as usize;
        let value_type = match number {
            HIGH_TYPES.. => VALUE_TYPES + number - 256,
            _ => number,
        };
        let code = usize::from(intent.code());
        if value_type >= VALUE_TYPES || code >= INTENTS {
            return None;
        }
        self.0
            .get((record_type as usize * VALUE_TYPES + value_type) * INTENTS + code)
    }

    /// Counts a record; only the owning thread may call it.
    pub(crate) fn add(&self, record: &Record) {
        if let Some(cell) = self.cell(record.record_type, record.intent) {
            cell.add(1);
        }
    }

    fn snapshot(&self) -> Vec<RecordCount> {
        let types = [
            RecordType::Event,
            RecordType::Command,
            RecordType::CommandRejection,
        ];
        let all = types
            .into_iter()
            .flat_map(|record_type| Intent::ALL.iter().map(move |intent| (record_type, *intent)));
        all.filter_map(|(record_type, intent)| {
            let count = self.cell(record_type, intent)?.get();
            (count > 0).then_some(RecordCount {
                record_type,
                intent,
                count,
            })
        })
        .collect()
    }
}

/// How many records of one kind were written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RecordCount {
    /// Event, command or rejection.
    pub record_type: RecordType,
    /// What it says; tells the value type.
    pub intent: Intent,
    /// How many, since the process started.
    pub count: u64,
}

/// The cells of one shard.
#[derive(Debug, Default)]
pub(crate) struct ShardMetrics {
    pub(crate) iterations: Count,
    /// Times the executor ran the task that the pacemaker wakes.
    pub(crate) pulses: Count,
    pub(crate) stalls: Count,
    pub(crate) longest_stall_micros: Count,
}

/// The numbers of one shard.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ShardSnapshot {
    /// Number of the shard, from 0.
    pub shard: usize,
    /// Turns of its loops.
    pub iterations: u64,
    /// Times the pacemaker found outstanding work and no progress.
    pub stalls: u64,
    /// Longest of these, in microseconds, to the pacemaker's resolution.
    pub longest_stall_micros: u64,
}

/// All numbers of a broker at one moment.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct MetricsSnapshot {
    /// By partition.
    pub partitions: Vec<PartitionSnapshot>,
    /// By shard.
    pub shards: Vec<ShardSnapshot>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_record_has_a_cell_of_its_own() {
        let counts = RecordCounts::default();
        let types = [RecordType::Event, RecordType::CommandRejection];
        for record_type in types {
            for intent in Intent::ALL {
                counts.cell(record_type, *intent).unwrap().add(1);
            }
        }
        let snapshot = counts.snapshot();
        assert_eq!(snapshot.len(), 2 * Intent::ALL.len());
        assert!(snapshot.iter().all(|counted| counted.count == 1));
    }

    #[test]
    fn a_duration_falls_into_the_first_bucket_that_holds_it() {
        let histogram = Histogram::default();
        histogram.record(Duration::from_nanos(1_000));
        histogram.record(Duration::from_nanos(1_001));
        histogram.record(Duration::from_secs(60));
        let snapshot = histogram.snapshot();
        assert_eq!(snapshot.buckets[0], 1);
        assert_eq!(snapshot.buckets[1], 1);
        assert_eq!(snapshot.buckets[BUCKET_BOUNDS_NANOS.len()], 1);
        assert_eq!(snapshot.count(), 3);
        assert_eq!(snapshot.sum_nanos, 60_000_002_001);
    }
}
