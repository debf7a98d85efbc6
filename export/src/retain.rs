//! History clean-up: finished root instances go when their time is over, with all that hangs on them.
//!
//! Each step deletes a bounded number of rows in a transaction of its own, on a connection of its
//! own, and rests three times as long as it worked: exporting always goes first. A root's row is
//! deleted last, so an interrupted clean-up is found again and finished. A root with much history
//! takes more steps; the others wait only for the steps of one group of roots.
//!
//! Only partitions that this broker exports are cleaned here.

mod expire;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _, SqliteConnection};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};

use crate::database::{Database, connect_postgres};
use crate::exporter::wall_clock;
use crate::metrics::ExporterMetrics;

/// What is kept, and how hard is tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetainOptions {
    /// How long a finished root instance is kept. Decided when it finishes.
    pub ttl: Duration,
    /// How often to look while there is nothing to do.
    pub interval: Duration,
    /// Roots handled together.
    pub roots: u32,
    /// Rows deleted by one statement at most.
    pub rows: u32,
}

impl Default for RetainOptions {
    fn default() -> Self {
        Self {
            ttl: Duration::from_secs(30 * 24 * 3600),
            interval: Duration::from_secs(60),
            roots: 100,
            rows: 5000,
        }
    }
}

impl RetainOptions {
    /// [`RetainOptions::ttl`] in milliseconds.
    #[must_use]
    pub fn ttl_ms(&self) -> i64 {
        i64::try_from(self.ttl.as_millis()).unwrap_or(i64::MAX)
    }
}

/// Tables whose rows belong to a root instance, children before parents; the instances themselves
/// come after all of them.
const CHILDREN: [&str; 9] = [
    "audit_log",
    "flow_node_instance",
    "sequence_flow",
    "variable",
    "job",
    "incident",
    "user_task",
    "message_subscription",
    "correlated_message_subscription",
];

/// List tables, their owner column, and the owner's table.
const LISTS: [(&str, &str, &str); 4] = [
    ("candidate_user", "user_task_key", "user_task"),
    ("candidate_group", "user_task_key", "user_task"),
    ("user_task_tag", "user_task_key", "user_task"),
    (
        "process_instance_tag",
        "process_instance_key",
        "process_instance",
    ),
];

enum Cleaner {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Cleaner {
    async fn open(database: &Database) -> Result<Self, sqlx::Error> {
        Ok(match database {
            Database::Sqlite(options) => {
                Self::Sqlite(SqliteConnection::connect_with(options).await?)
            }
            Database::Postgres(options) => {
                Self::Postgres(connect_postgres(options, Duration::from_secs(30)).await?)
            }
        })
    }

    async fn roots(
        &mut self,
        partition: u16,
        now: i64,
        limit: u32,
    ) -> Result<Vec<i64>, sqlx::Error> {
        match self {
            Self::Sqlite(connection) => sqlx::query(
                "SELECT process_instance_key FROM process_instance WHERE partition_id = ?1 \
                 AND history_cleanup_date <= ?2 ORDER BY history_cleanup_date LIMIT ?3",
            )
            .bind(i64::from(partition))
            .bind(now)
            .bind(i64::from(limit))
            .fetch_all(connection)
            .await?
            .iter()
            .map(|row| row.try_get(0))
            .collect(),
            Self::Postgres(connection) => sqlx::query(
                "SELECT process_instance_key FROM process_instance WHERE partition_id = $1 \
                 AND history_cleanup_date <= to_timestamp($2 / 1000.0) \
                 ORDER BY history_cleanup_date LIMIT $3",
            )
            .bind(i32::from(partition))
            .bind(now)
            .bind(i64::from(limit))
            .fetch_all(connection)
            .await?
            .iter()
            .map(|row| row.try_get(0))
            .collect(),
        }
    }

    /// Deletes at most `limit` rows of `table` that fit `condition`, which refers to the roots as
    /// `{roots}`; returns how many.
    async fn delete(
        &mut self,
        table: &str,
        condition: &str,
        roots: &[i64],
        limit: u32,
    ) -> Result<u64, sqlx::Error> {
        match self {
            Self::Sqlite(connection) => {
                let marks = vec!["?"; roots.len()].join(", ");
                let condition = condition.replace("{roots}", &format!("IN ({marks})"));
                let mut query = sqlx::query(AssertSqlSafe(format!(
                    "DELETE FROM {table} WHERE rowid IN (SELECT rowid FROM {table} WHERE \
                     {condition} LIMIT {limit})"
                )));
                for root in roots {
                    query = query.bind(root);
                }
                Ok(query
                    .persistent(false)
                    .execute(connection)
                    .await?
                    .rows_affected())
            }
            Self::Postgres(connection) => {
                let condition = condition.replace("{roots}", "= ANY($1::bigint[])");
                Ok(sqlx::query(AssertSqlSafe(format!(
                    "DELETE FROM {table} WHERE ctid = ANY(ARRAY(SELECT ctid FROM {table} WHERE \
                     {condition} LIMIT {limit}))"
                )))
                .bind(roots)
                .execute(connection)
                .await?
                .rows_affected())
            }
        }
    }
}

/// Cleans for ever. Ends with the exporter.
pub(crate) async fn run(
    database: Database,
    options: RetainOptions,
    partitions: Rc<RefCell<BTreeSet<u16>>>,
    writers: Rc<Semaphore>,
    metrics: Arc<ExporterMetrics>,
) {
    loop {
        let led: Vec<u16> = partitions.borrow().iter().copied().collect();
        let mut busy = false;
        for partition in led {
            match clean(&database, &options, partition, &writers, &metrics).await {
                Ok(found) => busy |= found,
                Err(error) => {
                    tracing::warn!(partition, %error, "history clean-up failed; it goes on later");
                }
            }
        }
        if busy {
            continue;
        }
        sleep(options.interval).await;
        let led: Vec<u16> = partitions.borrow().iter().copied().collect();
        for partition in led {
            if let Err(error) = expire(&database, &options, partition, &writers).await {
                tracing::warn!(partition, %error, "expired rows stay; they are looked for later");
            }
        }
    }
}

/// Removes what belongs to no instance and has expired, a bounded number of rows.
async fn expire(
    database: &Database,
    options: &RetainOptions,
    partition: u16,
    writers: &Semaphore,
) -> Result<(), sqlx::Error> {
    let mut cleaner = Cleaner::open(database).await?;
    // The semaphore is never closed.
    let _permit = writers.acquire().await;
    cleaner.expire(partition, wall_clock(), options.rows).await
}

/// Removes one group of roots of a partition; false if none is due.
async fn clean(
    database: &Database,
    options: &RetainOptions,
    partition: u16,
    writers: &Semaphore,
    metrics: &ExporterMetrics,
) -> Result<bool, sqlx::Error> {
    let mut cleaner = Cleaner::open(database).await?;
    let roots = cleaner
        .roots(partition, wall_clock(), options.roots)
        .await?;
    if roots.is_empty() {
        return Ok(false);
    }
    let mut group = Group {
        cleaner,
        roots,
        rows: options.rows,
        writers,
    };
    for (table, owner, owners) in LISTS {
        let condition = format!(
            "{owner} IN (SELECT {owner} FROM {owners} WHERE root_process_instance_key {{roots}})"
        );
        group.delete(table, &condition, |_| ()).await?;
    }
    for table in CHILDREN {
        let condition = "root_process_instance_key {roots}";
        group.delete(table, condition, |_| ()).await?;
    }
    let called = "root_process_instance_key {roots} AND history_cleanup_date IS NULL";
    group.delete("process_instance", called, |_| ()).await?;
    let own = "process_instance_key {roots}";
    group
        .delete("process_instance", own, |gone| metrics.cleaned(gone))
        .await?;
    Ok(true)
}

/// Roots that are removed together.
struct Group<'g> {
    cleaner: Cleaner,
    roots: Vec<i64>,
    rows: u32,
    writers: &'g Semaphore,
}

impl Group<'_> {
    /// Deletes step by step until nothing fits any more; `count` hears of each step.
    async fn delete(
        &mut self,
        table: &str,
        condition: &str,
        count: impl Fn(u64),
    ) -> Result<(), sqlx::Error> {
        loop {
            // The semaphore is never closed.
            let permit = self.writers.acquire().await;
            let began = Instant::now();
            let gone = self
                .cleaner
                .delete(table, condition, &self.roots, self.rows)
                .await?;
            count(gone);
            let worked = began.elapsed();
            drop(permit);
            sleep(worked * 3).await;
            if gone < u64::from(self.rows) {
                return Ok(());
            }
        }
    }
}
