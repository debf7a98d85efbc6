//! The exporters' numbers, under the names of Camunda's exporters where they have them.
//!
//! `ringflow-export` counts, this file names: by exporter (`rdbms`, `elasticsearch`) and partition.
//! The lag is what operators watch: records committed and not yet in the database, and the age of the
//! oldest of them. What one exporter counts under names of its own is shown for that one only.

use std::fmt;
use std::sync::Arc;
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

/// Name of the exporter of the secondary storage.
const STORAGE: &str = "rdbms";
/// Name of the one beside it.
const ELASTIC: &str = "elasticsearch";

/// Counters of one exporter: whose, name, help, where it stands.
const OWN_COUNTERS: &[(&str, &str, &str, Read)] = &[
    (
        STORAGE,
        "zeebe_rdbms_exporter_executed_statements",
        "Rows written",
        |s| s.rows,
    ),
    (STORAGE, "zeebe_rdbms_exporter_flush", "Transactions", |s| {
        s.batches
    }),
    (
        STORAGE,
        "zeebe_rdbms_exporter_failed_flush",
        "Transactions that failed",
        |s| s.failed_flushes,
    ),
    (
        ELASTIC,
        "zeebe_elasticsearch_exporter_documents",
        "Documents sent and taken, or left out",
        |s| s.rows,
    ),
    (
        ELASTIC,
        "zeebe_elasticsearch_exporter_flush",
        "Windows that were taken",
        |s| s.batches,
    ),
    (
        ELASTIC,
        "zeebe_elasticsearch_exporter_failed_flush",
        "Requests that failed, or of which a part did",
        |s| s.failed_flushes,
    ),
];
/// Distributions of flush times: whose, name, help.
const DURATIONS: &[(&str, &str, &str)] = &[
    (
        STORAGE,
        "zeebe_rdbms_exporter_flush_duration_seconds",
        "Time of a transaction",
    ),
    (
        ELASTIC,
        "zeebe_elasticsearch_exporter_flush_duration_seconds",
        "Time until a window was taken",
    ),
];

/// Counters of a partition: name, help, where it stands.
const COUNTERS: &[(&str, &str, Read)] = &[
    ("zeebe_exporter_events", "Records that are exported", |s| {
        s.records
    }),
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
        "Rows or documents that were not taken",
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
    ("ringflow_exporter_cursor", "Last position exported", |s| {
        s.exported.0
    }),
    (
        "ringflow_exporter_lag_records",
        "Records received and not exported",
        |s| s.lag_records,
    ),
    (
        "ringflow_exporter_lag_milliseconds",
        "Age of the oldest of them",
        |s| s.lag_ms.unsigned_abs(),
    ),
];

/// A copy of the exporters' numbers under their names.
#[derive(Debug)]
pub(super) struct ExporterNumbers(Vec<(&'static str, ExporterSnapshot)>);

impl ExporterNumbers {
    pub(super) fn of(exporters: &[(&'static str, Arc<ExporterMetrics>)]) -> Self {
        // Before 1970 the lag is wrong, and so is everything else on that host.
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let now = Timestamp(i64::try_from(now.as_millis()).unwrap_or(i64::MAX));
        let exporters = exporters.iter();
        Self(
            exporters
                .map(|(name, metrics)| (*name, metrics.snapshot(now)))
                .collect(),
        )
    }

    /// One series per exporter and partition under `name`, of one exporter if `whose` names it.
    fn family<M: EncodeMetric>(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        (name, help, kind): (&str, &str, MetricType),
        whose: Option<&str>,
        metric: impl Fn(&PartitionSnapshot) -> M,
    ) -> Result<(), fmt::Error> {
        let mut wanted = self
            .0
            .iter()
            .filter(|(exporter, _)| whose.is_none_or(|whose| whose == *exporter))
            .peekable();
        if wanted.peek().is_none() {
            return Ok(());
        }
        let mut family = encoder.encode_descriptor(name, help, None, kind)?;
        for (exporter, snapshot) in wanted {
            for partition in &snapshot.partitions {
                let labels = [
                    ("exporter", (*exporter).to_owned()),
                    ("partition", partition.partition.to_string()),
                ];
                metric(partition).encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}

impl Collector for ExporterNumbers {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let counter = |read: Read| move |it: &PartitionSnapshot| ConstCounter::new(read(it));
        for &(name, help, read) in COUNTERS {
            let family = (name, help, MetricType::Counter);
            self.family(&mut encoder, family, None, counter(read))?;
        }
        for &(whose, name, help, read) in OWN_COUNTERS {
            let family = (name, help, MetricType::Counter);
            self.family(&mut encoder, family, Some(whose), counter(read))?;
        }
        for &(name, help, read) in GAUGES {
            let family = (name, help, MetricType::Gauge);
            self.family(&mut encoder, family, None, |snapshot| {
                ConstGauge::new(signed(read(snapshot)))
            })?;
        }
        for &(whose, name, help) in DURATIONS {
            let family = (name, help, MetricType::Histogram);
            self.family(&mut encoder, family, Some(whose), |snapshot| {
                Flushes(snapshot.clone())
            })?;
        }
        let help = "1 running, 0 starting or stopped, -1 failed";
        let mut family =
            encoder.encode_descriptor("zeebe_exporter_state", help, None, MetricType::Gauge)?;
        for (exporter, snapshot) in &self.0 {
            let state: i64 = match snapshot.state {
                ExporterState::Running => 1,
                ExporterState::Starting | ExporterState::Stopped => 0,
                ExporterState::Failed(_) => -1,
            };
            let labels = [("exporter", (*exporter).to_owned())];
            ConstGauge::new(state).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
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
        let exporters = [STORAGE, ELASTIC].map(|name| (name, Arc::default()));
        registry.register_collector(Box::new(ExporterNumbers::of(&exporters)));
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        for name in [STORAGE, ELASTIC] {
            let line = format!("zeebe_exporter_state{{exporter=\"{name}\"}} 0");
            assert!(text.contains(&line), "{text}");
        }
    }
}
