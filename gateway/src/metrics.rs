//! Numbers of the gateway, and the one place where every number of the process gets its name.
//!
//! Names and labels are Zeebe's where Zeebe has the number, so that its dashboards work; a number
//! of our own starts with `ringflow_`. Counters end in `_total`, durations are seconds.

mod broker;
mod exporter;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use ringflow_core::ids::PartitionId;
use ringflow_core::record::Intent;

use broker::BrokerNumbers;
use exporter::ExporterNumbers;

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
            "zeebe_gateway_request_latency_seconds",
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

/// Largest number a gauge can show.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The text that a scrape gets.
///
/// # Errors
/// The encoder refuses a number, which only a fault in this file can cause.
pub(crate) fn exposition(front: &crate::submit::Front) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    front.metrics.register(&mut registry);
    registry.register_collector(Box::new(BrokerNumbers::of(&front.backend)));
    if !front.backend.exporters.is_empty() {
        registry.register_collector(Box::new(ExporterNumbers::of(&front.backend.exporters)));
    }
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
