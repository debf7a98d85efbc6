//! Records as documents of Elasticsearch or OpenSearch, for analytics beside the secondary storage.
//!
//! What arrives is what Camunda's own exporter for it writes: an index per value type and day, the
//! record as JSON, ids and routing by partition and position, templates that fix the fields. It runs
//! on a thread of its own with a cursor of its own; neither export waits for the other. The log is
//! kept for both, up to the bound that it has anyway.
//!
//! At least once: a window is sent until it was taken, and only then the cursor follows, which lives
//! in the same place ([`client`]). Ids make repetitions harmless.
//!
//! | answer | what happens |
//! |---|---|
//! | no answer, 429, 5xx, 401, 403, 404 | the same window again, for ever, with growing pauses |
//! | single documents with 429 or 5xx | these again |
//! | single documents with another refusal | said in the log, counted, left out: they would never be taken |
//! | 413 | halves; one document alone is left out |
//!
//! | file | idea |
//! |---|---|
//! | `document` | record -> document |
//! | `adapt` | where a value differs from Camunda's |
//! | `template` | value type -> index template |
//! | `client` | requests and what answers mean |
//! | `partition` | feed -> window -> bulk -> cursor |

mod adapt;
mod client;
mod document;
mod options;
mod partition;
mod template;

use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::LocalSet;

use crate::error::ExportError;
use crate::feed::RecordFeed;
use crate::metrics::{ExporterMetrics, ExporterState};

pub use options::{ElasticOptions, IndexOptions, Retention, Secret, Suffix, VALUE_TYPES};

/// Feeds that may wait to be taken over: as many as a cluster may have partitions.
const FEEDS_WAITING: usize = 1024;

/// Says whether a partition is exported now.
pub type AskPhase = Box<dyn Fn(u16) -> PhaseFuture + Send>;
/// Its answer.
pub type PhaseFuture = std::pin::Pin<Box<dyn Future<Output = Option<crate::phase::Phase>> + Send>>;

/// A running exporter. Dropping it stops it as [`Elastic::stop`] does, but nobody waits for the end.
#[derive(Debug)]
pub struct Elastic {
    metrics: Arc<ExporterMetrics>,
    feeds: mpsc::Sender<Box<dyn RecordFeed>>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

/// What the tasks of the partitions share; one thread owns it.
struct Shared {
    options: ElasticOptions,
    client: client::Client,
    metrics: Arc<ExporterMetrics>,
    phase: Option<AskPhase>,
    /// The templates are there.
    prepared: tokio::sync::OnceCell<()>,
}

impl Elastic {
    /// Starts the thread. Nothing need answer yet. `phase` is asked before each window; `None` of it
    /// means that nobody knows, and nothing changes.
    ///
    /// # Errors
    /// If the system gives no thread or runtime, or if an address is none.
    pub fn start(options: ElasticOptions, phase: Option<AskPhase>) -> Result<Self, ExportError> {
        let failed = |reason: String| ExportError::Thread { reason };
        let client = client::Client::new(&options).map_err(failed)?;
        let metrics = Arc::new(ExporterMetrics::default());
        let (sender, receiver) = mpsc::channel(FEEDS_WAITING);
        let (stop, stopping) = watch::channel(false);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| failed(error.to_string()))?;
        let told = Arc::clone(&metrics);
        let thread = std::thread::Builder::new()
            .name("elastic".into())
            .spawn(move || {
                let local = LocalSet::new();
                let shared = Shared {
                    options,
                    client,
                    metrics: told,
                    phase,
                    prepared: tokio::sync::OnceCell::new(),
                };
                local.block_on(&runtime, run(Rc::new(shared), receiver, stopping));
                drop(local);
                runtime.shutdown_timeout(Duration::from_secs(1));
            })
            .map_err(|error| failed(error.to_string()))?;
        Ok(Self {
            metrics,
            feeds: sender,
            stop,
            thread: Some(thread),
        })
    }

    /// Exports one more partition (this broker became its leader). It ends with its feed.
    ///
    /// # Errors
    /// If the exporter has ended, or 1024 feeds wait for it.
    pub fn add(&self, feed: Box<dyn RecordFeed>) -> Result<(), ExportError> {
        let partition = feed.partition().0;
        self.feeds
            .try_send(feed)
            .map_err(|error| ExportError::Feed {
                partition,
                reason: match error {
                    mpsc::error::TrySendError::Full(_) => "too many feeds wait",
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

    /// Sends what was received and ends the thread. Blocks for [`ElasticOptions::stop_timeout`] at
    /// most (and a little to close connections).
    pub fn stop(mut self) {
        self.stop.send_replace(true);
        if self
            .thread
            .take()
            .is_some_and(|thread| thread.join().is_err())
        {
            tracing::error!("the thread of the exporter to Elasticsearch ended by a panic");
        }
    }
}

async fn run(
    shared: Rc<Shared>,
    mut feeds: mpsc::Receiver<Box<dyn RecordFeed>>,
    mut stopping: watch::Receiver<bool>,
) {
    let metrics = Arc::clone(&shared.metrics);
    metrics.set_state(ExporterState::Running);
    let mut tasks = tokio::task::JoinSet::new();
    let mut open = true;
    loop {
        tokio::select! {
            feed = feeds.recv(), if open => match feed {
                Some(feed) => {
                    metrics.set_state(ExporterState::Running);
                    let task = partition::partition(Rc::clone(&shared), feed, stopping.clone());
                    tasks.spawn_local(task);
                }
                None => open = false,
            },
            Some(ended) = tasks.join_next(), if !tasks.is_empty() => {
                if let Some(error) = failure(ended) {
                    metrics.set_state(ExporterState::Failed(error));
                }
            },
            () = stopped(&mut stopping) => break,
        }
    }
    feeds.close();
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
    tracing::error!(%error, "a partition is not exported to Elasticsearch any more");
    Some(error)
}

/// Ready once the exporter shall stop, or nobody holds it any more.
async fn stopped(stopping: &mut watch::Receiver<bool>) {
    let _ = stopping.wait_for(|stop| *stop).await;
}
