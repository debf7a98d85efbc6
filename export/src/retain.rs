//! History clean-up: finished root instances go when their time is over, with all that hangs on
//! them; so do finished batch operations, evaluations of decisions that no process asked for, and
//! what somebody deleted before its time.
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
    /// How long a finished batch operation is kept. Decided when it finishes.
    pub batch_ttl: Duration,
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
            batch_ttl: Duration::from_secs(5 * 24 * 3600),
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

    /// [`RetainOptions::batch_ttl`] in milliseconds.
    #[must_use]
    pub fn batch_ttl_ms(&self) -> i64 {
        i64::try_from(self.batch_ttl.as_millis()).unwrap_or(i64::MAX)
    }
}

/// Tables whose rows belong to a root instance, children before parents; the instances themselves
/// come after all of them.
const CHILDREN: [&str; 10] = [
    "audit_log",
    "flow_node_instance",
    "sequence_flow",
    "variable",
    "job",
    "incident",
    "user_task",
    "message_subscription",
    "correlated_message_subscription",
    "decision_instance",
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

    /// Keys of what is to go from a partition now, at most `limit`.
    async fn due(
        &mut self,
        what: What,
        partition: u16,
        now: i64,
        limit: u32,
    ) -> Result<Vec<i64>, sqlx::Error> {
        let sql = match self {
            Self::Sqlite(_) => format!("{} LIMIT ?3", what.select("?1", "?2")),
            Self::Postgres(_) => format!(
                "{} LIMIT $3",
                what.select("$1", "to_timestamp($2::bigint / 1000.0)")
            ),
        };
        let rows: Vec<i64> = match self {
            Self::Sqlite(connection) => sqlx::query(AssertSqlSafe(sql))
                .bind(i64::from(partition))
                .bind(now)
                .bind(i64::from(limit))
                .fetch_all(connection)
                .await?
                .iter()
                .map(|row| row.try_get(0))
                .collect::<Result<_, _>>()?,
            Self::Postgres(connection) => sqlx::query(AssertSqlSafe(sql))
                .bind(i32::from(partition))
                .bind(now)
                .bind(i64::from(limit))
                .fetch_all(connection)
                .await?
                .iter()
                .map(|row| row.try_get(0))
                .collect::<Result<_, _>>()?,
        };
        Ok(rows)
    }

    /// Deletes at most `limit` evaluations of decisions that no process asked for and whose time
    /// is over; returns how many.
    async fn delete_decisions(
        &mut self,
        partition: u16,
        now: i64,
        limit: u32,
    ) -> Result<u64, sqlx::Error> {
        Ok(match self {
            Self::Sqlite(connection) => sqlx::query(
                "DELETE FROM decision_instance WHERE rowid IN (SELECT rowid FROM \
                 decision_instance WHERE partition_id = ?1 AND history_cleanup_date <= ?2 \
                 LIMIT ?3)",
            )
            .bind(i64::from(partition))
            .bind(now)
            .bind(i64::from(limit))
            .execute(connection)
            .await?
            .rows_affected(),
            Self::Postgres(connection) => sqlx::query(
                "DELETE FROM decision_instance WHERE ctid = ANY(ARRAY(SELECT ctid FROM \
                 decision_instance WHERE partition_id = $1 \
                 AND history_cleanup_date <= to_timestamp($2 / 1000.0) LIMIT $3))",
            )
            .bind(i32::from(partition))
            .bind(now)
            .bind(i64::from(limit))
            .execute(connection)
            .await?
            .rows_affected(),
        })
    }

    /// Deletes at most `limit` rows of `table` that fit `condition`, which refers to the keys as
    /// `{keys}`; returns how many.
    async fn delete(
        &mut self,
        table: &str,
        condition: &str,
        keys: &[i64],
        limit: u32,
    ) -> Result<u64, sqlx::Error> {
        match self {
            Self::Sqlite(connection) => {
                let marks: Vec<String> = (1..=keys.len()).map(|n| format!("?{n}")).collect();
                let marks = format!("IN ({})", marks.join(", "));
                let condition = condition.replace("{keys}", &marks);
                let mut query = sqlx::query(AssertSqlSafe(format!(
                    "DELETE FROM {table} WHERE rowid IN (SELECT rowid FROM {table} WHERE \
                     {condition} LIMIT {limit})"
                )));
                for key in keys {
                    query = query.bind(key);
                }
                Ok(query
                    .persistent(false)
                    .execute(connection)
                    .await?
                    .rows_affected())
            }
            Self::Postgres(connection) => {
                let condition = condition.replace("{keys}", "= ANY($1::bigint[])");
                Ok(sqlx::query(AssertSqlSafe(format!(
                    "DELETE FROM {table} WHERE ctid = ANY(ARRAY(SELECT ctid FROM {table} WHERE \
                     {condition} LIMIT {limit}))"
                )))
                .bind(keys)
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
/// What can be due.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum What {
    /// Root instances whose time is over.
    Roots,
    /// Batch operations whose time is over.
    BatchOperations,
    /// Instances that somebody deleted.
    DeletedInstances,
    /// Definitions that somebody deleted, and no instance of which is left.
    DeletedDefinitions,
}

impl What {
    const ALL: [Self; 4] = [
        Self::Roots,
        Self::BatchOperations,
        Self::DeletedInstances,
        Self::DeletedDefinitions,
    ];

    /// Selects the keys, of a partition and at a time.
    fn select(self, partition: &str, now: &str) -> String {
        // Where nothing depends on the time, it is named all the same: the parameter is bound.
        match self {
            Self::Roots => format!(
                "SELECT process_instance_key FROM process_instance WHERE partition_id = \
                 {partition} AND history_cleanup_date <= {now} ORDER BY history_cleanup_date"
            ),
            Self::BatchOperations => format!(
                "SELECT batch_operation_key FROM batch_operation WHERE partition_id = \
                 {partition} AND history_cleanup_date <= {now} ORDER BY history_cleanup_date"
            ),
            Self::DeletedInstances => format!(
                "SELECT DISTINCT resource_key FROM history_deletion WHERE partition_id = \
                 {partition} AND {now} IS NOT NULL AND resource_type = 'PROCESS_INSTANCE' \
                 ORDER BY resource_key"
            ),
            Self::DeletedDefinitions => format!(
                "SELECT DISTINCT resource_key FROM history_deletion h WHERE partition_id = \
                 {partition} AND {now} IS NOT NULL AND resource_type = 'PROCESS_DEFINITION' \
                 AND NOT EXISTS (SELECT 1 FROM process_instance p WHERE \
                 p.process_definition_key = h.resource_key) ORDER BY resource_key"
            ),
        }
    }
}

/// Removes one group of each kind from a partition; false if nothing is due.
async fn clean(
    database: &Database,
    options: &RetainOptions,
    partition: u16,
    writers: &Semaphore,
    metrics: &ExporterMetrics,
) -> Result<bool, sqlx::Error> {
    let mut cleaner = Cleaner::open(database).await?;
    // The semaphore is never closed.
    let permit = writers.acquire().await;
    let decisions = cleaner
        .delete_decisions(partition, wall_clock(), options.rows)
        .await?;
    drop(permit);
    let mut busy = decisions == u64::from(options.rows);
    for what in What::ALL {
        let keys = cleaner
            .due(what, partition, wall_clock(), options.roots)
            .await?;
        if keys.is_empty() {
            continue;
        }
        busy = true;
        let mut group = Group {
            cleaner: &mut cleaner,
            keys,
            rows: options.rows,
            writers,
        };
        match what {
            What::Roots => group.roots(metrics).await?,
            What::BatchOperations => group.batch_operations().await?,
            What::DeletedInstances => group.deleted_instances().await?,
            What::DeletedDefinitions => group.deleted_definitions().await?,
        }
    }
    Ok(busy)
}

/// What is removed together.
struct Group<'g> {
    cleaner: &'g mut Cleaner,
    keys: Vec<i64>,
    rows: u32,
    writers: &'g Semaphore,
}

impl Group<'_> {
    async fn roots(&mut self, metrics: &ExporterMetrics) -> Result<(), sqlx::Error> {
        self.history_of("root_process_instance_key").await?;
        let called = "root_process_instance_key {keys} AND history_cleanup_date IS NULL";
        self.delete("process_instance", called, |_| ()).await?;
        let own = "process_instance_key {keys}";
        self.delete("process_instance", own, |gone| metrics.cleaned(gone))
            .await
    }

    async fn batch_operations(&mut self) -> Result<(), sqlx::Error> {
        let own = "batch_operation_key {keys}";
        for table in [
            "batch_operation_item",
            "batch_operation_error",
            "batch_operation",
        ] {
            self.delete(table, own, |_| ()).await?;
        }
        Ok(())
    }

    async fn deleted_instances(&mut self) -> Result<(), sqlx::Error> {
        self.history_of("process_instance_key").await?;
        let own = "process_instance_key {keys}";
        self.delete("process_instance", own, |_| ()).await?;
        let asked = "resource_key {keys} AND resource_type = 'PROCESS_INSTANCE'";
        self.delete("history_deletion", asked, |_| ()).await
    }

    async fn deleted_definitions(&mut self) -> Result<(), sqlx::Error> {
        let of = "process_definition_key {keys}";
        let starts = format!("{of} AND process_instance_key IS NULL");
        self.delete("message_subscription", &starts, |_| ()).await?;
        self.delete("process_definition", of, |_| ()).await?;
        let asked = "resource_key {keys} AND resource_type = 'PROCESS_DEFINITION'";
        self.delete("history_deletion", asked, |_| ()).await
    }

    /// All that hangs on instances, which `column` names.
    async fn history_of(&mut self, column: &str) -> Result<(), sqlx::Error> {
        for (table, owner, owners) in LISTS {
            let condition =
                format!("{owner} IN (SELECT {owner} FROM {owners} WHERE {column} {{keys}})");
            self.delete(table, &condition, |_| ()).await?;
        }
        let condition = format!("{column} {{keys}}");
        for table in CHILDREN {
            self.delete(table, &condition, |_| ()).await?;
        }
        Ok(())
    }

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
                .delete(table, condition, &self.keys, self.rows)
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
