//! PROCESS_INSTANCE, DECISION_EVALUATION, USER_TASK -> `usage_metric`, `usage_metric_tu`: what a
//! tenant used, per five minutes.
//!
//! Counted are root instances, evaluations that succeeded, and who was assigned a task, as the
//! reference's engine counts them for USAGE_METRIC. One row per window, partition, kind and tenant;
//! one per assignee in the other table. `start_time` and `end_time` are the first and the last event
//! in the row: a question for a span of time gets the rows that lie within it.
//!
//! Assignees are kept as hashes: who it was cannot be read from them, only whether it was the same.

use ringflow_core::ids::Key;
use ringflow_core::record::{Record, Text};

use crate::batch::{RowKey, Window};
use crate::row::Datum;
use crate::row::job_metrics_batch::{WINDOW_STRIDE, group};
use crate::schema::{Table, usage_metric, usage_metric_tu};

/// Milliseconds of a row.
const WINDOW_MS: i64 = 5 * 60_000;
/// Kinds in the lower part of a row's key.
const KINDS: i64 = 2;

/// What is counted; the number is that of the column `event_type`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Used {
    /// A root process instance began.
    ProcessInstance = 0,
    /// A decision was evaluated.
    DecisionInstance = 1,
}

/// Counts one use.
pub fn count(window: &mut Window, record: &Record, used: Used, tenant: &Text) {
    use usage_metric::*;

    let kind = used as i64;
    window.merge(
        Table::UsageMetric,
        RowKey::with_text(Key(span(record) * KINDS + kind), tenant),
        record.position,
        vec![
            (START_TIME, record.timestamp.into()),
            (END_TIME, record.timestamp.into()),
            (EVENT_TYPE, Datum::Int(kind)),
            (EVENT_VALUE, Datum::Int(1)),
            (PARTITION_ID, record.partition.0.into()),
        ],
    );
}

/// Notes that `assignee` was assigned a task.
pub fn assigned(window: &mut Window, record: &Record, tenant: &Text, assignee: &Text) {
    use usage_metric_tu::*;

    if assignee.is_empty() {
        return;
    }
    let group_key = Key(group([tenant, assignee, ""]));
    window.merge(
        Table::UsageMetricTu,
        RowKey::pair(Key(span(record)), group_key),
        record.position,
        vec![
            (TENANT_ID, tenant.into()),
            (ASSIGNEE_HASH, Datum::Int(group([assignee, "", ""]))),
            (START_TIME, record.timestamp.into()),
            (END_TIME, record.timestamp.into()),
            (PARTITION_ID, record.partition.0.into()),
        ],
    );
}

/// The number of the window and the partition.
fn span(record: &Record) -> i64 {
    record.timestamp.0.div_euclid(WINDOW_MS) * WINDOW_STRIDE + i64::from(record.partition.0)
}
