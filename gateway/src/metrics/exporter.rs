//! The exporter's numbers, under the names of Camunda's RDBMS exporter where it has them.
//!
//! `ringflow-export` counts, this file names. The lag is what operators watch: records committed
//! and not yet in the database, and the age of the oldest of them.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use ringflow_core::ids::Timestamp;
use ringflow_export::metrics::{FLUSH_BUCKETS_MS, PartitionSnapshot};
use ringflow_export::{ExporterMetrics, ExporterSnapshot, ExporterState};

use super::signed;

type Read = fn(&PartitionSnapshot) -> u64;

/// Counters of a partition: name, help, where it stands.
const COUNTERS: &[(&str, &str, Read)] = &[
    (
        "zeebe_exporter_events",
        "Records that are in the database",
        |s| s.records,
    ),
    (
        "zeebe_rdbms_exporter_executed_statements",
        "Rows written",
        |s| s.rows,
    ),
    ("zeebe_rdbms_exporter_flush", "Transactions", |s| s.batches),
    (
        "zeebe_rdbms_exporter_failed_flush",
        "Transactions that failed",
        |s| s.failed_flushes,
    ),
    (
        "ringflow_exporter_retries",
        "Attempts after the first",
        |s| s.retries,
    ),
    (
        "ringflow_exporter_fenced",
        "Times another exporter had moved the cursor",
        |s| s.fenced,
    ),
    (
        "ringflow_exporter_poisoned_rows",
        "Rows the database did not take",
        |s| s.poisoned_rows,
    ),
    (
        "ringflow_exporter_gaps",
        "Times records were missing in the feed",
        |s| s.gaps,
    ),
];

/// Gauges of a partition.
const GAUGES: &[(&str, &str, Read)] = &[
    (
        "ringflow_exporter_cursor",
        "Last position in the database",
        |s| s.exported.0,
    ),
    (
        "ringflow_exporter_lag_records",
        "Records received and not in the database",
        |s| s.lag_records,
    ),
    (
        "ringflow_exporter_lag_milliseconds",
        "Age of the oldest of them",
        |s| s.lag_ms.unsigned_abs(),
    ),
];

/// A copy of the exporter's numbers under their names.
#[derive(Debug)]
pub(super) struct ExporterNumbers(ExporterSnapshot);

impl ExporterNumbers {
    pub(super) fn of(metrics: &ExporterMetrics) -> Self {
        // Before 1970 the lag is wrong, and so is everything else on that host.
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let now = i64::try_from(now.as_millis()).unwrap_or(i64::MAX);
        Self(metrics.snapshot(Timestamp(now)))
    }

    /// One series per partition under `name`.
    fn family<M: EncodeMetric>(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        (name, help, kind): (&str, &str, MetricType),
        metric: impl Fn(&PartitionSnapshot) -> M,
    ) -> Result<(), fmt::Error> {
        let mut family = encoder.encode_descriptor(name, help, None, kind)?;
        for snapshot in &self.0.partitions {
            let labels = [
                ("exporter", "rdbms".to_owned()),
                ("partition", snapshot.partition.to_string()),
            ];
            metric(snapshot).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

impl Collector for ExporterNumbers {
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
        let name = "zeebe_rdbms_exporter_flush_duration_seconds";
        let help = "Time of a transaction";
        self.family(
            &mut encoder,
            (name, help, MetricType::Histogram),
            |snapshot| Flushes(snapshot.clone()),
        )?;
        let help = "1 running, 0 starting or stopped, -1 failed";
        let encoder =
            encoder.encode_descriptor("zeebe_exporter_state", help, None, MetricType::Gauge)?;
        let state: i64 = match self.0.state {
            ExporterState::Running => 1,
            ExporterState::Starting | ExporterState::Stopped => 0,
            ExporterState::Failed(_) => -1,
        };
        ConstGauge::new(state).encode(encoder)
    }
}

/// The distribution of flush times.
struct Flushes(PartitionSnapshot);

impl EncodeMetric for Flushes {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
        let counts = &self.0.flush_buckets;
        let buckets: Vec<(f64, u64)> = counts
            .iter()
            .enumerate()
            .map(|(at, count)| match FLUSH_BUCKETS_MS.get(at) {
                Some(bound) => (*bound as f64 / 1e3, *count),
                None => (f64::INFINITY, *count),
            })
            .collect();
        let sum = self.0.flush_seconds_sum;
        encoder.encode_histogram::<NoLabelSet>(sum, counts.iter().sum(), &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;
    use prometheus_client::registry::Registry;

    use super::*;

    #[test]
    fn an_exporter_without_partitions_shows_its_state() {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(ExporterNumbers::of(&ExporterMetrics::default())));
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        assert!(text.contains("zeebe_exporter_state 0"), "{text}");
    }
}
