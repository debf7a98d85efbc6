//! The thread that exports: one task per partition on a current-thread runtime.
//!
//! A task reads its feed, folds records into a window and seals it when it is full or old enough. One
//! window per partition is in flight; the next one folds meanwhile, and when that is full as well the
//! feed is not read any more: the log is the queue. After the commit the feed is acknowledged.
//!
//! A window that does not get through is sent again, unchanged, for ever, with growing pauses; the
//! engine goes on without the database. If the cursor stands elsewhere than expected, the task begins
//! again where it stands.
//!
//! | asked to stop | what happens |
//! |---|---|
//! | database up | the rest of what was received is flushed, then acknowledged |
//! | database down | after [`ExporterOptions::stop_timeout`] it is left for the next start |

mod partition;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::{Notify, Semaphore, mpsc, watch};
use tokio::task::LocalSet;
use tokio::time::sleep;

use crate::database::{Database, Dialect};
use crate::error::ExportError;
use crate::feed::RecordFeed;
use crate::metrics::{ExporterMetrics, ExporterState};
use crate::migrate::{MigrateFailure, migrate_with, verify};
use crate::names::Names;
use crate::prefix::Prefix;
use crate::retain::{self, RetainOptions};
use crate::row::Audit;

/// Feeds that may wait to be taken over: as many as a cluster may have partitions, because all of
/// them wait until the schema is prepared.
const FEEDS_WAITING: usize = 1024;
/// First and longest pause between attempts.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));
/// Transactions that run at the same time on a server.
const WRITERS: usize = 8;

/// Runs on the exporter's thread before anything else (placement on a core).
pub type ThreadStart = Box<dyn FnOnce() + Send>;

/// How the exporter works.
pub struct ExporterOptions {
    /// The database.
    pub database: Database,
    /// What stands in front of all tables there.
    pub prefix: Prefix,
    /// Whose operations are audited.
    pub audit: Audit,
    /// Rows of a window at most (it ends after the record that reaches this).
    pub window_rows: usize,
    /// Bytes of a window at most, roughly.
    pub window_bytes: usize,
    /// Age of a window at most; also how long a committed record stays invisible at least.
    pub window_age: Duration,
    /// How often records that write nothing move the cursor.
    pub idle_advance: Duration,
    /// How long a transaction may take before its connection is given up.
    pub flush_timeout: Duration,
    /// How long stopping may wait for the database.
    pub stop_timeout: Duration,
    /// How long finished instances are kept; `None` = for ever.
    pub retain: Option<RetainOptions>,
    /// Creates and extends the tables; otherwise they must be there.
    pub auto_ddl: bool,
    /// Runs first on the thread.
    pub on_thread_start: Option<ThreadStart>,
}

impl std::fmt::Debug for ExporterOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExporterOptions")
            .field("database", &self.database)
            .field("window_rows", &self.window_rows)
            .field("window_bytes", &self.window_bytes)
            .field("window_age", &self.window_age)
            .finish_non_exhaustive()
    }
}

impl ExporterOptions {
    /// The usual bounds: windows of 5000 rows, 16 MiB, 100 ms; history of 30 days.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self {
            database,
            prefix: Prefix::NONE,
            audit: Audit::default(),
            window_rows: 5000,
            window_bytes: 16 << 20,
            window_age: Duration::from_millis(100),
            idle_advance: Duration::from_secs(1),
            flush_timeout: Duration::from_secs(30),
            stop_timeout: Duration::from_secs(10),
            retain: Some(RetainOptions::default()),
            auto_ddl: true,
            on_thread_start: None,
        }
    }
}

/// A running exporter. Dropping it stops it as [`Exporter::stop`] does, but nobody waits for the end.
#[derive(Debug)]
pub struct Exporter {
    metrics: Arc<ExporterMetrics>,
    feeds: mpsc::Sender<Box<dyn RecordFeed>>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Exporter {
    /// Starts the thread. The database need not be up: the schema is prepared when it is, and only
    /// then are the feeds read.
    ///
    /// # Errors
    /// If the system gives no thread or runtime, or if there are more than 1024 feeds.
    pub fn start(
        mut options: ExporterOptions,
        feeds: Vec<Box<dyn RecordFeed>>,
    ) -> Result<Self, ExportError> {
        let metrics = Arc::new(ExporterMetrics::default());
        let (sender, receiver) = mpsc::channel(FEEDS_WAITING);
        let (stop, stopping) = watch::channel(false);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| ExportError::Thread {
                reason: error.to_string(),
            })?;
        let told = Arc::clone(&metrics);
        let thread = std::thread::Builder::new()
            .name("export".into())
            .spawn(move || {
                if let Some(start) = options.on_thread_start.take() {
                    start();
                }
                let local = LocalSet::new();
                local.block_on(&runtime, run(options, receiver, stopping, told));
                drop(local);
                runtime.shutdown_timeout(Duration::from_secs(1));
            })
            .map_err(|error| ExportError::Thread {
                reason: error.to_string(),
            })?;
        let exporter = Self {
            metrics,
            feeds: sender,
            stop,
            thread: Some(thread),
        };
        for feed in feeds {
            exporter.add(feed)?;
        }
        Ok(exporter)
    }

    /// Exports one more partition (this broker became its leader). It ends with its feed.
    ///
    /// # Errors
    /// If the exporter has ended, or 1024 feeds wait for a database that is down.
    pub fn add(&self, feed: Box<dyn RecordFeed>) -> Result<(), ExportError> {
        let partition = feed.partition().0;
        self.feeds
            .try_send(feed)
            .map_err(|error| ExportError::Feed {
                partition,
                reason: match error {
                    mpsc::error::TrySendError::Full(_) => "too many feeds wait for the database",
                    mpsc::error::TrySendError::Closed(_) => "the exporter has ended",
                }
                .into(),
            })
    }

    /// What it tells about itself.
    #[must_use]
    pub fn metrics(&self) -> Arc<ExporterMetrics> {
        Arc::clone(&self.metrics)
    }

    /// Flushes what was received and ends the thread. Blocks for [`ExporterOptions::stop_timeout`]
    /// at most (and a little to close connections).
    pub fn stop(mut self) {
        self.stop.send_replace(true);
        if self
            .thread
            .take()
            .is_some_and(|thread| thread.join().is_err())
        {
            tracing::error!("the exporter thread ended by a panic");
        }
    }
}

/// What the tasks of the partitions share; one thread owns it.
struct Shared {
    options: ExporterOptions,
    names: RefCell<Names>,
    writers: Rc<Semaphore>,
    partitions: Rc<RefCell<BTreeSet<u16>>>,
    /// Told when somebody has asked for a deletion, which the clean-up does.
    deletions: Rc<Notify>,
    metrics: Arc<ExporterMetrics>,
}

async fn run(
    options: ExporterOptions,
    mut feeds: mpsc::Receiver<Box<dyn RecordFeed>>,
    mut stopping: watch::Receiver<bool>,
    metrics: Arc<ExporterMetrics>,
) {
    let prepared = tokio::select! {
        prepared = prepare(&options) => prepared,
        _ = stopped(&mut stopping) => Ok(false),
    };
    match prepared {
        Ok(true) => {}
        Ok(false) => return metrics.set_state(ExporterState::Stopped),
        Err(error) => {
            tracing::error!(%error, "nothing is exported");
            return metrics.set_state(ExporterState::Failed(error));
        }
    }
    metrics.set_state(ExporterState::Running);
    // SQLite has one writer; more would only wait in its busy handler.
    let writers = match options.database.dialect() {
        Dialect::Sqlite => 1,
        Dialect::Postgres | Dialect::Mysql => WRITERS,
    };
    let shared = Rc::new(Shared {
        names: RefCell::default(),
        writers: Rc::new(Semaphore::new(writers)),
        partitions: Rc::default(),
        deletions: Rc::default(),
        metrics: Arc::clone(&metrics),
        options,
    });
    let retention = shared.options.retain.clone().map(|retain| {
        tokio::task::spawn_local(retain::run(
            (
                shared.options.database.clone(),
                shared.options.prefix.clone(),
            ),
            retain,
            Rc::clone(&shared.partitions),
            Rc::clone(&shared.deletions),
            Rc::clone(&shared.writers),
            Arc::clone(&metrics),
        ))
    });
    let mut tasks = tokio::task::JoinSet::new();
    let mut open = true;
    loop {
        tokio::select! {
            feed = feeds.recv(), if open => match feed {
                Some(feed) => {
                    metrics.set_state(ExporterState::Running);
                    tasks.spawn_local(partition::partition(Rc::clone(&shared), feed, stopping.clone()));
                }
                None => open = false,
            },
            Some(ended) = tasks.join_next(), if !tasks.is_empty() => {
                if let Some(error) = failure(ended) {
                    metrics.set_state(ExporterState::Failed(error));
                }
            },
            _ = stopped(&mut stopping) => break,
        }
    }
    feeds.close();
    if let Some(retention) = retention {
        retention.abort();
    }
    while let Some(ended) = tasks.join_next().await {
        failure(ended);
    }
    metrics.set_state(ExporterState::Stopped);
}

/// Why a partition's task ended, if not because it should.
fn failure(ended: Result<Result<(), ExportError>, tokio::task::JoinError>) -> Option<ExportError> {
    let error = match ended {
        Ok(Ok(())) => return None,
        Ok(Err(error)) => error,
        Err(panic) => ExportError::Thread {
            reason: panic.to_string(),
        },
    };
    tracing::error!(%error, "a partition is not exported any more");
    Some(error)
}

/// Ready once the exporter shall stop, or nobody holds it any more.
async fn stopped(stopping: &mut watch::Receiver<bool>) {
    let _ = stopping.wait_for(|stop| *stop).await;
}

async fn prepare(options: &ExporterOptions) -> Result<bool, ExportError> {
    let (database, prefix) = (&options.database, &options.prefix);
    let mut pause = PAUSES.0;
    loop {
        let prepared = if options.auto_ddl {
            migrate_with(database, prefix).await
        } else {
            verify(database, prefix).await
        };
        match prepared {
            Ok(()) => return Ok(true),
            Err(MigrateFailure::Refused(error)) => return Err(error),
            Err(MigrateFailure::Down(reason)) => {
                tracing::warn!(database = ?database, reason, "secondary storage is not reachable");
                sleep(pause).await;
                pause = (pause * 2).min(PAUSES.1);
            }
        }
    }
}

/// Milliseconds since the epoch, for columns that say when the exporter did something.
pub(crate) fn wall_clock() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|time| i64::try_from(time.as_millis()).ok())
        .unwrap_or(0)
}
