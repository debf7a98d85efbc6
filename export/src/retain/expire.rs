//! Rows that belong to no instance and go when their own time is over.
//!
//! Audit entries say themselves when they go; counts of jobs go a month after they were counted,
//! those of usage after two years, as in the reference. A few rows a step, so that a sweep never holds the database for long; what is
//! left is found by the next one.

use super::Cleaner;

/// Table, the column that says how old a row is, milliseconds it is kept beyond that.
const EXPIRING: [(&str, &str, i64); 4] = [
    ("audit_log", "history_cleanup_date", 0),
    ("job_metrics_batch", "start_time", 30 * 24 * 3600 * 1000),
    ("usage_metric", "start_time", 730 * 24 * 3600 * 1000),
    ("usage_metric_tu", "start_time", 730 * 24 * 3600 * 1000),
];

impl Cleaner {
    /// Removes at most `limit` rows of each table whose time is over at `now`.
    pub(super) async fn expire(
        &mut self,
        partition: u16,
        now: i64,
        limit: u32,
    ) -> Result<(), sqlx::Error> {
        for (table, column, kept) in EXPIRING {
            self.delete_expired(table, column, partition, now - kept, limit)
                .await?;
        }
        Ok(())
    }
}
