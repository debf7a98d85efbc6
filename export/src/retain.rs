//! History clean-up: finished root instances go when their time is over, with all that hangs on
//! them; so do finished batch operations, evaluations of decisions that no process asked for, and
//! what somebody deleted before its time.
//!
//! Each step deletes a bounded number of rows in a transaction of its own, on a connection of its
//! own, and rests a multiple of the time it worked: exporting always goes first. A root's row is
//! deleted last, so an interrupted clean-up is found again and finished. A root with much history
//! takes more steps; the others wait only for the steps of one group of roots.
//!
//! Only partitions that this broker exports are cleaned here.

mod expire;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, Semaphore};
use tokio::time::{Instant, sleep};

use crate::database::{Database, Dialect};
use crate::exporter::wall_clock;
use crate::link::Link;
use crate::metrics::ExporterMetrics;
use crate::prefix::Prefix;
use crate::query::Cell;
use crate::query::field::Kind;
use crate::query::statement::{Bind, Statement};

/// What is kept, and how hard is tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetainOptions {
    /// How long a finished root instance is kept. Decided when it finishes.
    pub ttl: Duration,
    /// The same of instances of single processes, by BPMN process id.
    pub process_ttl: BTreeMap<String, Duration>,
    /// How long an evaluation that no process asked for is kept.
    pub decision_ttl: Duration,
    /// How long a finished batch operation is kept. Decided when it finishes.
    pub batch_ttl: Duration,
    /// The same of single kinds of them, by their name.
    pub batch_type_ttl: BTreeMap<String, Duration>,
    /// How long counts of usage are kept.
    pub usage_ttl: Duration,
    /// How often counts of usage that are too old are looked for.
    pub usage_interval: Duration,
    /// How often to look while there is something to do now and then.
    pub interval: Duration,
    /// How often to look when nothing was found for long: the interval doubles up to this.
    pub interval_max: Duration,
    /// Share of the time that may be spent on deleting, in percent.
    pub percent: u8,
    /// Roots handled together.
    pub roots: u32,
    /// Rows deleted by one statement at most.
    pub rows: u32,
}

impl Default for RetainOptions {
    fn default() -> Self {
        let days = |days: u64| Duration::from_secs(days * 24 * 3600);
        Self {
            ttl: days(30),
            process_ttl: BTreeMap::new(),
            decision_ttl: days(30),
            batch_ttl: days(5),
            batch_type_ttl: BTreeMap::new(),
            usage_ttl: days(730),
            usage_interval: days(1),
            interval: Duration::from_secs(60),
            interval_max: Duration::from_secs(60),
            percent: 25,
            roots: 100,
            rows: 5000,
        }
    }
}

impl RetainOptions {
    /// Milliseconds that what belongs to no process is kept.
    #[must_use]
    pub fn ttl_ms(&self) -> i64 {
        millis(self.ttl)
    }

    /// Milliseconds that a finished instance of a process is kept.
    #[must_use]
    pub fn instance_ms(&self, process_id: &str) -> i64 {
        millis(*self.process_ttl.get(process_id).unwrap_or(&self.ttl))
    }

    /// Milliseconds that an evaluation without a process is kept.
    #[must_use]
    pub fn decision_ms(&self) -> i64 {
        millis(self.decision_ttl)
    }

    /// Milliseconds that a finished batch operation of a kind is kept.
    #[must_use]
    pub fn batch_ms(&self, kind: &str) -> i64 {
        millis(*self.batch_type_ttl.get(kind).unwrap_or(&self.batch_ttl))
    }

    /// How long to rest behind a step that took so long.
    fn rest(&self, worked: Duration) -> Duration {
        let percent = u32::from(self.percent.clamp(1, 100));
        worked * (100 - percent) / percent
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Tables whose rows belong to a root instance, children before parents; the instances themselves
/// come after all of them.
const CHILDREN: [&str; 13] = [
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
    "wait_state",
    "agent_history",
    "agent_instance",
];

/// List tables, their owner column, and the owner's table.
const LISTS: [(&str, &str, &str); 5] = [
    ("candidate_user", "user_task_key", "user_task"),
    ("candidate_group", "user_task_key", "user_task"),
    ("user_task_tag", "user_task_key", "user_task"),
    (
        "process_instance_tag",
        "process_instance_key",
        "process_instance",
    ),
    (
        "agent_instance_element_instance",
        "agent_instance_key",
        "agent_instance",
    ),
];

/// Where history is: the database, and what stands in front of all tables there.
pub(crate) type Place = (Database, Prefix);

/// Deletes a bounded number of rows at a time, on a connection of its own.
struct Cleaner {
    link: Link,
}

/// Which rows of a table go.
#[derive(Clone, Copy, Debug)]
enum Which<'w> {
    /// Those whose column names one of the keys, and that fit a further condition.
    Of(&'static str, &'w str),
    /// Those of a list whose owner (owner column, its table) names one of the keys in a column.
    OwnedBy(&'static str, &'static str, &'static str),
}

impl Cleaner {
    async fn open((database, prefix): &Place) -> Result<Self, sqlx::Error> {
        let link = Link::open(database, prefix, Duration::from_secs(30)).await?;
        Ok(Self { link })
    }

    /// Keys of what is to go from a partition now, at most `limit`.
    async fn due(
        &mut self,
        what: What,
        partition: u16,
        now: i64,
        limit: u32,
    ) -> Result<Vec<i64>, sqlx::Error> {
        let mut out = Statement::new(self.link.dialect());
        what.select(&mut out, partition, now);
        out.push(" LIMIT ");
        out.bind(Bind::Int(i64::from(limit)));
        let rows = self.link.fetch(out, &[Kind::Int]).await?;
        let keys = rows.into_iter().flatten().filter_map(|cell| match cell {
            Cell::Int(key) => Some(key),
            Cell::Null
            | Cell::Text(_)
            | Cell::Key(_)
            | Cell::Bool(_)
            | Cell::Time(_)
            | Cell::Float(_)
            | Cell::Json(_)
            | Cell::List(_) => None,
        });
        Ok(keys.collect())
    }

    /// Deletes at most `limit` rows of `table` whose time (in `column`) is over; returns how many.
    async fn delete_expired(
        &mut self,
        table: &str,
        column: &str,
        partition: u16,
        before: i64,
        limit: u32,
    ) -> Result<u64, sqlx::Error> {
        let condition = |out: &mut Statement| {
            out.push("partition_id = ");
            out.bind(Bind::Int(i64::from(partition)));
            out.push(&format!(" AND {column} <= "));
            out.bind(Bind::Time(before));
        };
        let out = bounded(self.link.dialect(), table, limit, condition);
        self.link.execute(out, true).await
    }

    /// Deletes at most `limit` rows of `table` (of a list: those of at most `limit` owners); returns
    /// how many.
    async fn delete(
        &mut self,
        table: &str,
        which: Which<'_>,
        keys: &[i64],
        limit: u32,
    ) -> Result<u64, sqlx::Error> {
        let dialect = self.link.dialect();
        let these = |out: &mut Statement| {
            for (at, key) in keys.iter().enumerate() {
                out.push(if at == 0 { " IN (" } else { ", " });
                out.bind(Bind::Int(*key));
            }
            out.push(")");
        };
        let out = match (which, dialect) {
            (Which::Of(column, more), _) => bounded(dialect, table, limit, |out| {
                out.push(column);
                these(out);
                out.push(more);
            }),
            (Which::OwnedBy(owner, owners, column), Dialect::Sqlite | Dialect::Postgres) => {
                bounded(dialect, table, limit, |out| {
                    out.push(&format!(
                        "{owner} IN (SELECT {owner} FROM {owners} WHERE {column}"
                    ));
                    these(out);
                    out.push(")");
                })
            }
            // A subquery there would be asked once for every row of the list.
            (Which::OwnedBy(owner, owners, column), Dialect::Mysql) => {
                let mut out = Statement::new(dialect);
                out.push(&format!(
                    "DELETE l FROM (SELECT DISTINCT o.{owner} AS k FROM {owners} o \
                     JOIN {table} x ON x.{owner} = o.{owner} WHERE o.{column}"
                ));
                these(&mut out);
                out.push(&format!(
                    " LIMIT {limit}) d STRAIGHT_JOIN {table} l FORCE INDEX (PRIMARY) \
                     ON l.{owner} = d.k"
                ));
                out
            }
        };
        self.link.execute(out, false).await
    }
}

/// Deletes at most `limit` of the rows that fit `condition`.
fn bounded(
    dialect: Dialect,
    table: &str,
    limit: u32,
    condition: impl Fn(&mut Statement),
) -> Statement {
    let mut out = Statement::new(dialect);
    let (before, after) = match dialect {
        Dialect::Sqlite => ("rowid IN (SELECT rowid FROM", ")"),
        Dialect::Postgres => ("ctid = ANY(ARRAY(SELECT ctid FROM", "))"),
        Dialect::Mysql => {
            out.push(&format!("DELETE FROM {table} WHERE "));
            condition(&mut out);
            out.push(&format!(" LIMIT {limit}"));
            return out;
        }
    };
    out.push(&format!(
        "DELETE FROM {table} WHERE {before} {table} WHERE "
    ));
    condition(&mut out);
    out.push(&format!(" LIMIT {limit}{after}"));
    out
}

/// Cleans for ever, at once when `deletions` says that somebody asked for some. Ends with the
/// exporter.
pub(crate) async fn run(
    database: Place,
    options: RetainOptions,
    partitions: Rc<RefCell<BTreeSet<u16>>>,
    deletions: Rc<Notify>,
    writers: Rc<Semaphore>,
    metrics: Arc<ExporterMetrics>,
) {
    let mut pause = options.interval;
    let mut usage_due = Instant::now();
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
            pause = options.interval;
            continue;
        }
        tokio::select! {
            () = sleep(pause) => {
                pause = (pause * 2).min(options.interval_max.max(options.interval));
            }
            () = deletions.notified() => continue,
        }
        let led: Vec<u16> = partitions.borrow().iter().copied().collect();
        let usage = !led.is_empty() && Instant::now() >= usage_due;
        if usage {
            usage_due = Instant::now() + options.usage_interval;
        }
        for partition in led {
            match expire(&database, &options, partition, usage, &writers).await {
                // The rest does not wait for its next turn.
                Ok(true) => usage_due = Instant::now(),
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(partition, %error, "expired rows stay; they are looked for later");
                }
            }
        }
    }
}

/// Removes what belongs to no instance and has expired, a bounded number of rows; true if counts of
/// usage are left.
async fn expire(
    database: &Place,
    options: &RetainOptions,
    partition: u16,
    usage: bool,
    writers: &Semaphore,
) -> Result<bool, sqlx::Error> {
    let mut cleaner = Cleaner::open(database).await?;
    // The semaphore is never closed.
    let _permit = writers.acquire().await;
    cleaner
        .expire(partition, wall_clock(), usage, options)
        .await
}

/// What can be due.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum What {
    /// Root instances whose time is over.
    Roots,
    /// Batch operations whose time is over.
    BatchOperations,
    /// Instances that somebody deleted.
    DeletedInstances,
    /// Evaluations of decisions that somebody deleted.
    DeletedDecisions,
    /// Definitions that somebody deleted, and no instance of which is left.
    DeletedDefinitions,
    /// Decision requirements that somebody deleted.
    DeletedRequirements,
}

impl What {
    const ALL: [Self; 6] = [
        Self::Roots,
        Self::BatchOperations,
        Self::DeletedInstances,
        Self::DeletedDecisions,
        Self::DeletedDefinitions,
        Self::DeletedRequirements,
    ];

    /// Selects the keys, of a partition and at a time.
    fn select(self, out: &mut Statement, partition: u16, now: i64) {
        out.push(match self {
            Self::Roots => "SELECT process_instance_key FROM process_instance",
            Self::BatchOperations => "SELECT batch_operation_key FROM batch_operation",
            Self::DeletedInstances
            | Self::DeletedDecisions
            | Self::DeletedDefinitions
            | Self::DeletedRequirements => "SELECT DISTINCT resource_key FROM history_deletion h",
        });
        out.push(" WHERE partition_id = ");
        out.bind(Bind::Int(i64::from(partition)));
        match self {
            Self::Roots | Self::BatchOperations => {
                out.push(" AND history_cleanup_date <= ");
                out.bind(Bind::Time(now));
                out.push(" ORDER BY history_cleanup_date");
            }
            Self::DeletedInstances => {
                out.push(" AND resource_type = 'PROCESS_INSTANCE' ORDER BY resource_key")
            }
            Self::DeletedDecisions => {
                out.push(" AND resource_type = 'DECISION_INSTANCE' ORDER BY resource_key");
            }
            Self::DeletedRequirements => {
                out.push(" AND resource_type = 'DECISION_REQUIREMENTS' ORDER BY resource_key");
            }
            Self::DeletedDefinitions => out.push(
                " AND resource_type = 'PROCESS_DEFINITION' AND NOT EXISTS (SELECT 1 \
                 FROM process_instance p WHERE p.process_definition_key = h.resource_key) \
                 ORDER BY resource_key",
            ),
        }
    }
}

/// Removes one group of each kind from a partition; false if nothing is due.
async fn clean(
    database: &Place,
    options: &RetainOptions,
    partition: u16,
    writers: &Semaphore,
    metrics: &ExporterMetrics,
) -> Result<bool, sqlx::Error> {
    let mut cleaner = Cleaner::open(database).await?;
    // The semaphore is never closed.
    let permit = writers.acquire().await;
    // Evaluations that no process asked for; those of instances go with them.
    let decisions = cleaner
        .delete_expired(
            "decision_instance",
            "history_cleanup_date",
            partition,
            wall_clock(),
            options.rows,
        )
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
            options,
            writers,
        };
        match what {
            What::Roots => group.roots(metrics).await?,
            What::BatchOperations => group.batch_operations().await?,
            What::DeletedInstances => group.deleted_instances().await?,
            What::DeletedDecisions => group.deleted_decisions().await?,
            What::DeletedDefinitions => group.deleted_definitions().await?,
            What::DeletedRequirements => group.deleted_requirements().await?,
        }
    }
    Ok(busy)
}

/// What is removed together.
struct Group<'g> {
    cleaner: &'g mut Cleaner,
    keys: Vec<i64>,
    options: &'g RetainOptions,
    writers: &'g Semaphore,
}

impl Group<'_> {
    async fn roots(&mut self, metrics: &ExporterMetrics) -> Result<(), sqlx::Error> {
        self.history_of("root_process_instance_key").await?;
        let called = Which::Of(
            "root_process_instance_key",
            " AND history_cleanup_date IS NULL",
        );
        self.delete("process_instance", called, |_| ()).await?;
        let own = Which::Of("process_instance_key", "");
        self.delete("process_instance", own, |gone| metrics.cleaned(gone))
            .await
    }

    async fn batch_operations(&mut self) -> Result<(), sqlx::Error> {
        let own = Which::Of("batch_operation_key", "");
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
        let own = Which::Of("process_instance_key", "");
        self.delete("process_instance", own, |_| ()).await?;
        let asked = Which::Of("resource_key", " AND resource_type = 'PROCESS_INSTANCE'");
        self.delete("history_deletion", asked, |_| ()).await
    }

    async fn deleted_decisions(&mut self) -> Result<(), sqlx::Error> {
        let own = Which::Of("decision_instance_key", "");
        self.delete("decision_instance", own, |_| ()).await?;
        let asked = Which::Of("resource_key", " AND resource_type = 'DECISION_INSTANCE'");
        self.delete("history_deletion", asked, |_| ()).await
    }

    async fn deleted_definitions(&mut self) -> Result<(), sqlx::Error> {
        let starts = Which::Of(
            "process_definition_key",
            " AND process_instance_key IS NULL",
        );
        self.delete("message_subscription", starts, |_| ()).await?;
        let own = Which::Of("process_definition_key", "");
        self.delete("process_definition", own, |_| ()).await?;
        let asked = Which::Of("resource_key", " AND resource_type = 'PROCESS_DEFINITION'");
        self.delete("history_deletion", asked, |_| ()).await
    }

    async fn deleted_requirements(&mut self) -> Result<(), sqlx::Error> {
        let own = Which::Of("decision_requirements_key", "");
        self.delete("decision_definition", own, |_| ()).await?;
        self.delete("decision_requirements", own, |_| ()).await?;
        let asked = Which::Of(
            "resource_key",
            " AND resource_type = 'DECISION_REQUIREMENTS'",
        );
        self.delete("history_deletion", asked, |_| ()).await
    }

    /// All that hangs on instances, which `column` names.
    async fn history_of(&mut self, column: &'static str) -> Result<(), sqlx::Error> {
        for (table, owner, owners) in LISTS {
            let which = Which::OwnedBy(owner, owners, column);
            self.delete(table, which, |_| ()).await?;
        }
        for table in CHILDREN {
            self.delete(table, Which::Of(column, ""), |_| ()).await?;
        }
        Ok(())
    }

    /// Deletes step by step until nothing fits any more; `count` hears of each step.
    async fn delete(
        &mut self,
        table: &str,
        which: Which<'_>,
        count: impl Fn(u64),
    ) -> Result<(), sqlx::Error> {
        loop {
            // The semaphore is never closed.
            let permit = self.writers.acquire().await;
            let began = Instant::now();
            let gone = self
                .cleaner
                .delete(table, which, &self.keys, self.options.rows)
                .await?;
            count(gone);
            let worked = began.elapsed();
            drop(permit);
            sleep(self.options.rest(worked)).await;
            if gone < u64::from(self.options.rows) {
                return Ok(());
            }
        }
    }
}
