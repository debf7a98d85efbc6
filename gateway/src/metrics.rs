//! Numbers of the gateway, and the one place where every number of the process gets its name.
//!
//! Names and labels are Zeebe's where Zeebe has the number, so that its dashboards work; a number
//! of our own starts with `ringflow_`. Counters end in `_total`, durations are seconds.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use ringflow_core::ids::PartitionId;
use ringflow_core::record::Intent;
use ringflow_io::{Health, HistogramSnapshot, PartitionSnapshot, Role};

use crate::backend::Backend;
use crate::problem::Problem;

/// Upper bounds of the latency buckets, seconds: those of Zeebe's gateway.
const LATENCY_BUCKETS: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0,
];

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RequestLabels {
    partition: u16,
    #[prometheus(flatten)]
    request: RequestType,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq)]
struct RequestType(Intent);

impl EncodeLabelSet for RequestType {
    fn encode(
        &self,
        encoder: &mut prometheus_client::encoding::LabelSetEncoder<'_>,
    ) -> Result<(), fmt::Error> {
        let name = format!("{}_{}", self.0.value_type().name(), self.0.name());
        [("requestType", name.as_str())].encode(encoder)
    }
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct FailureLabels {
    #[prometheus(flatten)]
    request: RequestLabels,
    error: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OperationLabels {
    operation: Arc<str>,
    status: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RpcLabels {
    method: &'static str,
    code: i32,
}

/// What the gateway counts.
#[derive(Debug)]
pub(crate) struct GatewayMetrics {
    requests: Family<RequestLabels, Counter>,
    failures: Family<FailureLabels, Counter>,
    latency: Family<RequestLabels, Histogram, fn() -> Histogram>,
    rest: Family<OperationLabels, Counter>,
    rpcs: Family<RpcLabels, Counter>,
    /// Push streams that are open.
    pub(crate) streams: Gauge<i64, std::sync::atomic::AtomicI64>,
    /// Jobs pushed to clients.
    pub(crate) pushed: Counter<u64, AtomicU64>,
}

impl Default for GatewayMetrics {
    fn default() -> Self {
        Self {
            requests: Family::default(),
            failures: Family::default(),
            latency: Family::new_with_constructor(|| Histogram::new(LATENCY_BUCKETS)),
            rest: Family::default(),
            rpcs: Family::default(),
            streams: Gauge::default(),
            pushed: Counter::default(),
        }
    }
}

impl GatewayMetrics {
    /// A command was answered or lost.
    pub(crate) fn command(
        &self,
        partition: PartitionId,
        intent: Intent,
        took: Duration,
        problem: Option<&Problem>,
    ) {
        let labels = RequestLabels {
            partition: partition.0,
            request: RequestType(intent),
        };
        self.latency
            .get_or_create(&labels)
            .observe(took.as_secs_f64());
        if let Some(problem) = problem {
            self.failures
                .get_or_create(&FailureLabels {
                    request: labels.clone(),
                    error: problem.row().title,
                })
                .inc();
        }
        self.requests.get_or_create(&labels).inc();
    }

    /// A REST request was answered.
    pub(crate) fn rest(&self, operation: &Arc<str>, status: u16) {
        self.rest
            .get_or_create(&OperationLabels {
                operation: Arc::clone(operation),
                status,
            })
            .inc();
    }

    /// An RPC was answered.
    pub(crate) fn rpc(&self, method: &'static str, code: i32) {
        self.rpcs.get_or_create(&RpcLabels { method, code }).inc();
    }

    fn register(&self, registry: &mut Registry) {
        registry.register(
            "zeebe_gateway_total_requests",
            "Commands sent to partitions",
            self.requests.clone(),
        );
        registry.register(
            "zeebe_gateway_failed_requests",
            "Commands that were refused or got no answer",
            self.failures.clone(),
        );
        registry.register(
            "zeebe_gateway_request_latency",
            "Time from sending a command to its answer, seconds",
            self.latency.clone(),
        );
        registry.register(
            "ringflow_rest_requests",
            "REST requests by operation and status",
            self.rest.clone(),
        );
        registry.register(
            "grpc_server_handled",
            "RPCs by method and status code",
            self.rpcs.clone(),
        );
        registry.register(
            "zeebe_gateway_job_stream_clients",
            "Open push streams",
            self.streams.clone(),
        );
        registry.register(
            "zeebe_gateway_job_stream_push",
            "Jobs pushed to clients",
            self.pushed.clone(),
        );
    }
}

/// The text that a scrape gets.
///
/// # Errors
/// The encoder refuses a number, which only a fault in this file can cause.
pub(crate) fn exposition(front: &crate::submit::Front) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    front.metrics.register(&mut registry);
    registry.register_collector(Box::new(BrokerNumbers::of(&front.backend)));
    let parked = Family::<[(&'static str, String); 1], Gauge>::default();
    for (job_type, waiting) in front.parking.parked() {
        let waiting = i64::try_from(waiting).unwrap_or(i64::MAX);
        parked
            .get_or_create(&[("type", job_type.to_string())])
            .set(waiting);
    }
    registry.register(
        "zeebe_long_polling_queued_current",
        "Activations that wait, by job type",
        parked,
    );
    let mut text = String::with_capacity(16 * 1024);
    prometheus_client::encoding::text::encode(&mut text, &registry)?;
    Ok(text)
}

/// A copy of the broker's numbers under their names.
#[derive(Debug)]
struct BrokerNumbers {
    partitions: Vec<PartitionSnapshot>,
    roles: Vec<(PartitionId, Role, Health)>,
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
    ("ringflow_entries_proposed", "Raft entries proposed", |s| {
        s.entries_proposed
    }),
    (
        "ringflow_entry_bytes",
        "Bytes of Raft entries proposed",
        |s| s.entry_bytes,
    ),
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
        "zeebe_stream_processor_processing_duration",
        "Time one command takes, seconds",
        |s| s.command_process,
    ),
    (
        "zeebe_log_appender_append_latency",
        "Time until an entry is durable here, seconds",
        |s| s.append,
    ),
    (
        "zeebe_log_appender_commit_latency",
        "Time until an entry is committed, seconds",
        |s| s.commit,
    ),
    (
        "ringflow_queue_wait",
        "Time a command waits for its partition, seconds",
        |s| s.queue_wait,
    ),
];

impl BrokerNumbers {
    fn of(backend: &Backend) -> Self {
        let topology = backend.commands.topology();
        Self {
            partitions: backend.commands.metrics().partitions,
            roles: topology
                .brokers
                .iter()
                .flat_map(|broker| &broker.partitions)
                .map(|partition| (partition.id, partition.role, partition.health))
                .collect(),
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

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A histogram that was counted elsewhere.
struct Buckets(HistogramSnapshot);

impl EncodeMetric for Buckets {
    fn encode(
        &self,
        mut encoder: prometheus_client::encoding::MetricEncoder<'_>,
    ) -> Result<(), fmt::Error> {
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
                None => (f64::MAX, *count),
            })
            .collect();
        let sum = self.0.sum_nanos as f64 / NANOS;
        encoder.encode_histogram::<NoLabelSet>(sum, self.0.count(), &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}
