//! The broker's numbers: a copy made for one scrape, one table row for each series.
//!
//! `ringflow-io` counts, this file names. A number that Zeebe has keeps Zeebe's name and labels.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use ringflow_core::ids::PartitionId;
use ringflow_io::{
    Configuration, Health, HistogramSnapshot, PartitionSnapshot, PendingChange, Role,
};

use super::signed;
use crate::backend::Backend;

/// A copy of the broker's numbers under their names.
#[derive(Debug)]
pub(super) struct BrokerNumbers {
    partitions: Vec<PartitionSnapshot>,
    roles: Vec<(PartitionId, Role, Health)>,
    cluster: Arc<Configuration>,
}

type Labels = [(&'static str, String); 1];
type Read = fn(&PartitionSnapshot) -> u64;

/// Counters of a partition: name, help, where it stands.
const COUNTERS: &[(&str, &str, Read)] = &[
    (
        "zeebe_received_request_count",
        "Client commands that arrived",
        |s| s.requests_received,
    ),
    (
        "zeebe_dropped_request_count",
        "Client commands refused by back pressure",
        |s| s.requests_refused,
    ),
    (
        "zeebe_stream_processor_records",
        "Commands processed",
        |s| s.commands_processed + s.followups_processed,
    ),
    (
        "zeebe_log_appender_record_appended",
        "Records written",
        |s| s.records_written,
    ),
    ("zeebe_replay_events", "Records applied from the log", |s| {
        s.records_replayed
    }),
    ("zeebe_snapshot_count", "Snapshots taken", |s| {
        s.snapshots_taken
    }),
    (
        "zeebe_broker_jobs_pushed_count",
        "Jobs pushed to streams",
        |s| s.jobs_pushed,
    ),
    (
        "zeebe_broker_jobs_push_fail_count",
        "Jobs that no stream took",
        |s| s.pushes_failed,
    ),
    ("ringflow_rejections", "Commands that were rejected", |s| {
        s.rejections_written
    }),
    (
        "ringflow_engine_faults",
        "Faults of the engine, contained",
        |s| s.engine_faults,
    ),
    ("ringflow_leaderships", "Leaderships that began here", |s| {
        s.leaderships
    }),
    (
        "ringflow_snapshots_installed",
        "Snapshots received from a leader",
        |s| s.snapshots_installed,
    ),
    (
        "ringflow_snapshot_bytes_sent",
        "Bytes of snapshots sent to other replicas",
        |s| s.snapshot_bytes_sent,
    ),
    ("ringflow_entries_proposed", "Raft entries proposed", |s| {
        s.entries_proposed
    }),
    (
        "ringflow_entry_bytes",
        "Bytes of Raft entries proposed",
        |s| s.entry_bytes,
    ),
    (
        "ringflow_backups_completed",
        "Backups of partitions stored whole",
        |s| s.backups_completed,
    ),
    (
        "ringflow_backups_failed",
        "Backups of partitions that are not whole",
        |s| s.backups_failed,
    ),
    ("ringflow_backup_bytes", "Bytes of backups stored", |s| {
        s.backup_bytes
    }),
    (
        "ringflow_responses_dropped",
        "Answers nobody waited for",
        |s| s.responses_dropped,
    ),
];

/// Gauges of a partition.
const GAUGES: &[(&str, &str, Read)] = &[
    (
        "zeebe_backpressure_inflight_requests_count",
        "Client commands in work",
        |s| s.requests_in_flight,
    ),
    (
        "zeebe_backpressure_requests_limit",
        "Client commands that may be in work",
        |s| s.request_limit,
    ),
    (
        "zeebe_stream_processor_last_processed_position",
        "Last position processed",
        |s| s.last_processed_position,
    ),
    (
        "zeebe_log_appender_last_committed_position",
        "Last position committed",
        |s| s.last_committed_position,
    ),
    ("zeebe_checkpoint_id", "Newest checkpoint", |s| {
        s.checkpoint_id
    }),
    (
        "zeebe_checkpoint_position",
        "Position of the newest checkpoint created here",
        |s| s.checkpoint_position,
    ),
    (
        "ringflow_backups_in_progress",
        "Backups being stored",
        |s| s.backups_in_progress,
    ),
    (
        "ringflow_last_persisted_position",
        "Last position in the state store",
        |s| s.last_persisted_position,
    ),
    (
        "ringflow_entries_in_flight",
        "Raft entries proposed and not committed",
        |s| s.entries_in_flight,
    ),
    ("ringflow_raft_term", "Raft's term", |s| s.raft_term),
    (
        "ringflow_replication_lag",
        "Entries that the slowest follower is behind",
        |s| s.replication_lag,
    ),
    (
        "ringflow_snapshot_timestamp_millis",
        "When the last snapshot was taken, 0 if none was since the start",
        |s| s.snapshot_millis,
    ),
    (
        "zeebe_broker_open_job_stream_count",
        "Job streams registered",
        |s| s.streams_open,
    ),
];

type ReadHistogram = fn(&PartitionSnapshot) -> HistogramSnapshot;

/// Durations of a partition.
const HISTOGRAMS: &[(&str, &str, ReadHistogram)] = &[
    (
        "zeebe_stream_processor_processing_duration_seconds",
        "Time one command takes, seconds",
        |s| s.command_process,
    ),
    (
        "zeebe_log_appender_append_latency_seconds",
        "Time until an entry is durable here, seconds",
        |s| s.append,
    ),
    (
        "zeebe_log_appender_commit_latency_seconds",
        "Time until an entry is committed, seconds",
        |s| s.commit,
    ),
    (
        "ringflow_queue_wait_seconds",
        "Time a command waits for its partition, seconds",
        |s| s.queue_wait,
    ),
];

type ReadCluster = fn(&Configuration) -> u64;

/// Gauges of the cluster's configuration as this broker knows it.
const CLUSTER: &[(&str, &str, ReadCluster)] = &[
    (
        "zeebe_cluster_topology_version",
        "Version of the cluster's configuration",
        |c| c.version,
    ),
    (
        "zeebe_cluster_changes_id",
        "Number of the change that is under way, 0 if none is",
        |c| c.pending.as_ref().map_or(0, |change| change.id),
    ),
    (
        "zeebe_cluster_changes_operations_pending",
        "Operations of the change that is under way which are not done",
        |c| {
            let left = |change: &PendingChange| change.operations.len() - change.done.len();
            c.pending.as_ref().map_or(0, left) as u64
        },
    ),
    (
        "zeebe_cluster_changes_operations_completed",
        "Operations of the change that is under way which are done",
        |c| c.pending.as_ref().map_or(0, |change| change.done.len()) as u64,
    ),
];

impl BrokerNumbers {
    pub(super) fn of(backend: &Backend) -> Self {
        let topology = backend.commands.topology();
        Self {
            partitions: backend.commands.metrics().partitions,
            roles: topology
                .brokers
                .iter()
                .filter(|broker| broker.node_id == topology.asked)
                .flat_map(|broker| &broker.partitions)
                .map(|partition| (partition.id, partition.role, partition.health))
                .collect(),
            cluster: topology.configuration,
        }
    }

    /// One series per partition under `name`.
    fn family<M: EncodeMetric>(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        (name, help, kind): (&str, &str, MetricType),
        metric: impl Fn(&PartitionSnapshot) -> M,
    ) -> Result<(), fmt::Error> {
        let mut family = encoder.encode_descriptor(name, help, None, kind)?;
        for snapshot in &self.partitions {
            let labels: Labels = [("partition", snapshot.partition.to_string())];
            metric(snapshot).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

impl Collector for BrokerNumbers {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        for &(name, help, read) in COUNTERS {
            self.family(
                &mut encoder,
                (name, help, MetricType::Counter),
                |snapshot| ConstCounter::new(read(snapshot)),
            )?;
        }
        for &(name, help, read) in GAUGES {
            self.family(&mut encoder, (name, help, MetricType::Gauge), |snapshot| {
                ConstGauge::new(signed(read(snapshot)))
            })?;
        }
        for &(name, help, read) in HISTOGRAMS {
            self.family(
                &mut encoder,
                (name, help, MetricType::Histogram),
                |snapshot| Buckets(read(snapshot)),
            )?;
        }
        let exported = (
            "zeebe_exporter_last_exported_position",
            "Last position exported",
        );
        let mut family =
            encoder.encode_descriptor(exported.0, exported.1, None, MetricType::Gauge)?;
        for snapshot in &self.partitions {
            let labels = [
                ("exporter", "rdbms".to_owned()),
                ("partition", snapshot.partition.to_string()),
            ];
            ConstGauge::new(signed(snapshot.last_exported_position))
                .encode(family.encode_family(&labels)?)?;
        }
        for &(name, help, read) in CLUSTER {
            let value = signed(read(&self.cluster));
            let gauge = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            ConstGauge::new(value).encode(gauge)?;
        }
        let help = "1 healthy, 0 not, -1 dead";
        let mut family =
            encoder.encode_descriptor("zeebe_health", help, None, MetricType::Gauge)?;
        for (partition, _, health) in &self.roles {
            let labels: Labels = [("partition", partition.to_string())];
            let value: i64 = match health {
                Health::Healthy => 1,
                Health::Unhealthy => 0,
                Health::Dead => -1,
            };
            ConstGauge::new(value).encode(family.encode_family(&labels)?)?;
        }
        let help = "0 inactive, 1 follower, 3 leader";
        let mut family = encoder.encode_descriptor("atomix_role", help, None, MetricType::Gauge)?;
        for (partition, role, _) in &self.roles {
            let labels = [
                ("partitionGroupName", "raft-partition".to_owned()),
                ("partition", partition.to_string()),
            ];
            let value: i64 = match role {
                Role::Inactive => 0,
                Role::Follower => 1,
                Role::Leader => 3,
            };
            ConstGauge::new(value).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

/// A histogram that was counted elsewhere.
struct Buckets(HistogramSnapshot);

impl EncodeMetric for Buckets {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
        /// Nanoseconds in a second.
        const NANOS: f64 = 1e9;
        let bounds = ringflow_io::metrics::BUCKET_BOUNDS_NANOS;
        let buckets: Vec<(f64, u64)> = self
            .0
            .buckets
            .iter()
            .enumerate()
            .map(|(at, count)| match bounds.get(at) {
                Some(bound) => (*bound as f64 / NANOS, *count),
                None => (f64::INFINITY, *count),
            })
            .collect();
        let sum = self.0.sum_nanos as f64 / NANOS;
        encoder.encode_histogram::<NoLabelSet>(sum, self.0.count(), &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}
