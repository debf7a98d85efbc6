//! Rows that belong to no instance and go when their own time is over.
//!
//! Audit entries say themselves when they go; counts of jobs go a month after they were counted, as
//! in the reference. A few rows a step, so that a sweep never holds the database for long; what is
//! left is found by the next one.

use sqlx::{AssertSqlSafe, SqliteConnection};

use super::Cleaner;

/// Table, the column that says how old a row is, milliseconds it is kept beyond that.
const EXPIRING: [(&str, &str, i64); 2] = [
    ("audit_log", "history_cleanup_date", 0),
    ("job_metrics_batch", "start_time", 30 * 24 * 3600 * 1000),
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
            match self {
                Self::Sqlite(connection) => {
                    sqlite(connection, table, column, partition, now - kept, limit).await?;
                }
                Self::Postgres(connection) => {
                    sqlx::query(AssertSqlSafe(format!(
                        "DELETE FROM {table} WHERE ctid = ANY(ARRAY(SELECT ctid FROM {table} \
                         WHERE partition_id = $1 AND {column} <= to_timestamp($2 / 1000.0) \
                         LIMIT {limit}))"
                    )))
                    .bind(i32::from(partition))
                    .bind(now - kept)
                    .execute(&mut *connection)
                    .await?;
                }
            }
        }
        Ok(())
    }
}

async fn sqlite(
    connection: &mut SqliteConnection,
    table: &str,
    column: &str,
    partition: u16,
    before: i64,
    limit: u32,
) -> Result<(), sqlx::Error> {
    sqlx::query(AssertSqlSafe(format!(
        "DELETE FROM {table} WHERE rowid IN (SELECT rowid FROM {table} WHERE partition_id = ?1 \
         AND {column} <= ?2 LIMIT {limit})"
    )))
    .bind(i64::from(partition))
    .bind(before)
    .execute(connection)
    .await
    .map(|_| ())
}
