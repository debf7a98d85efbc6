//! JOB -> `job_metrics_batch`: how many jobs were created, completed, failed, per minute.
//!
//! One row per minute, partition, tenant, job type and worker that had anything to do with each
//! other. `start_time` and `end_time` are the first and the last event in the row, so a question for
//! a span of time gets the rows that lie within it, as in the reference.
//!
//! The group is a stable hash of its names: two groups in one row would need a collision of 64 bits
//! within one minute.

use ringflow_core::ids::Key;
use ringflow_core::record::Record;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::JobRecord;

use crate::batch::{RowKey, Window};
use crate::row::Datum;
use crate::schema::Table;
use crate::schema::job_metrics_batch::*;

/// Milliseconds of a row.
pub const WINDOW_MS: i64 = 60_000;
/// Partitions in the lower part of a window's key.
pub const WINDOW_STRIDE: i64 = 1 << 16;

/// Counts a JOB event, if it is of a kind that is counted.
pub fn count(window: &mut Window, record: &Record, intent: of::Job, value: &JobRecord) {
    let counted = match intent {
        of::Job::Created => 0,
        of::Job::Completed => 1,
        of::Job::Failed => 2,
        of::Job::Complete
        | of::Job::TimeOut
        | of::Job::TimedOut
        | of::Job::Fail
        | of::Job::UpdateRetries
        | of::Job::RetriesUpdated
        | of::Job::Canceled
        | of::Job::ThrowError
        | of::Job::ErrorThrown
        | of::Job::RecurAfterBackoff
        | of::Job::RecurredAfterBackoff
        | of::Job::Yield
        | of::Job::Yielded
        | of::Job::UpdateTimeout
        | of::Job::TimeoutUpdated
        | of::Job::Migrated
        | of::Job::Update
        | of::Job::PriorityUpdated
        | of::Job::Updated => return,
    };
    let time = record.timestamp;
    let span = time.0.div_euclid(WINDOW_MS);
    let key = RowKey::pair(
        Key(span * WINDOW_STRIDE + i64::from(record.partition.0)),
        Key(group([&value.tenant_id, &value.job_type, &value.worker])),
    );
    let mut columns = Vec::with_capacity(12);
    columns.extend([
        (PARTITION_ID, record.partition.0.into()),
        (START_TIME, time.into()),
        (END_TIME, time.into()),
        (TENANT_ID, Datum::from(&value.tenant_id)),
        (JOB_TYPE, Datum::from(&value.job_type)),
        (WORKER, Datum::from(&value.worker)),
    ]);
    let counters = [
        (CREATED_COUNT, LAST_CREATED_AT),
        (COMPLETED_COUNT, LAST_COMPLETED_AT),
        (FAILED_COUNT, LAST_FAILED_AT),
    ];
    for (at, (count, last)) in counters.into_iter().enumerate() {
        let happened = at == counted;
        columns.push((count, Datum::Int(i64::from(happened))));
        if happened {
            columns.push((last, time.into()));
        }
    }
    window.merge(Table::JobMetricsBatch, key, record.position, columns);
}

/// FNV-1a over the names, each ended by a byte that no name has.
pub(super) fn group(names: [&str; 3]) -> i64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for name in names {
        for byte in name.bytes().chain([0xff]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    hash as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_told_apart_by_where_their_names_end() {
        assert_ne!(group(["a", "bc", ""]), group(["ab", "c", ""]));
        assert_ne!(group(["a", "b", "c"]), group(["a", "c", "b"]));
        // Stored in databases: the number may never change.
        assert_eq!(group(["", "", ""]), group(["", "", ""]));
    }
}
