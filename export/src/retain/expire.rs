//! Rows that belong to no instance and go when their own time is over.
//!
//! Audit entries say themselves when they go; counts of jobs go a month after they were counted,
//! those of usage after the time that is configured, as in the reference. A bounded number of rows a
//! step, so that a sweep never holds the database for long; what is left is found by the next one.

use super::{Cleaner, RetainOptions, millis};

/// Milliseconds that counts of jobs are kept.
const JOB_METRICS_MS: i64 = 30 * 24 * 3600 * 1000;

impl Cleaner {
    /// Removes a bounded number of rows of each table whose time is over at `now`; of the counts of
    /// usage only if it is their turn. True if some of those may be left.
    pub(super) async fn expire(
        &mut self,
        partition: u16,
        now: i64,
        usage: bool,
        options: &RetainOptions,
    ) -> Result<bool, sqlx::Error> {
        let used = millis(options.usage_ttl);
        // Table, the column that says how old a row is, milliseconds it is kept beyond that.
        let expiring = [
            ("audit_log", "history_cleanup_date", 0),
            ("job_metrics_batch", "start_time", JOB_METRICS_MS),
            ("usage_metric", "start_time", used),
            ("usage_metric_tu", "start_time", used),
        ];
        let turn = if usage { expiring.len() } else { 2 };
        let mut left = false;
        for (at, (table, column, kept)) in expiring[..turn].iter().enumerate() {
            let before = now.saturating_sub(*kept);
            let gone = self
                .delete_expired(table, column, partition, before, options.rows)
                .await?;
            left |= at >= 2 && gone >= u64::from(options.rows);
        }
        Ok(left)
    }
}
