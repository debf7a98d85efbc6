//! What callers hold: a [`Submitter`] for commands, a [`JobStream`] for pushed jobs.
//!
//! A submitted command is accepted when it is in a lane and done when its answer arrives, which is
//! after its records are committed. The two points fail differently: before acceptance nothing has
//! happened ([`SubmitError::ResourceExhausted`], [`SubmitError::Unavailable`]); after it the command
//! may take effect although no answer comes ([`SubmitError::Timeout`], [`SubmitError::UnknownOutcome`]).
//!
//! All handles are `Send + Sync`, cheap to clone, and must be awaited within a tokio runtime that
//! has its timer enabled.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

pub use ringflow_core::engine::StreamSpec;
use ringflow_core::engine::effect::{ItemQuery, Response, StreamId};
use ringflow_core::engine::input::{Command, RequestId};
use ringflow_core::ids::{Key, PartitionId};
use ringflow_core::record::Text;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::JobRecord;
use tokio::sync::{broadcast, mpsc, oneshot};

use crate::background::Background;
use crate::metrics::{MetricsSnapshot, ShardMetrics, ShardSnapshot};
use crate::options::BrokerOptions;
use crate::shard::budget::is_exempt;
use crate::shard::mailbox::{Control, Loss, PartitionTable, Request};
use crate::topology::{BrokerInfo, PartitionInfo, Topology};

/// Why no answer came.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SubmitError {
    /// Back pressure: nothing happened, try again later.
    #[error("the partition has too many requests in flight")]
    ResourceExhausted,
    /// The partition does not serve; nothing happened.
    #[error("the partition is not available: {reason}")]
    Unavailable {
        /// Why.
        reason: &'static str,
    },
    /// The partition was lost while the command was on its way: it may take effect or not.
    #[error("the partition was lost before it answered; the command may or may not take effect")]
    UnknownOutcome,
    /// No answer in time: the command may take effect or not.
    #[error("no answer in time; the command may or may not take effect")]
    Timeout,
    /// There is no such partition.
    #[error("there is no such partition")]
    NoSuchPartition,
}

/// A partition asks for items of a batch operation.
#[derive(Debug)]
pub struct AskedItems {
    /// The partition; the answer is a command to it.
    pub partition: PartitionId,
    /// What it asks.
    pub query: ItemQuery,
}

/// What every handle shares.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) options: BrokerOptions,
    pub(crate) partitions: PartitionTable,
    pub(crate) shards: Vec<Arc<ShardMetrics>>,
    pub(crate) available: broadcast::Sender<Text>,
    pub(crate) background: Background,
    pub(crate) items: mpsc::Sender<AskedItems>,
    /// Until somebody takes it to answer.
    asked_items: Mutex<Option<mpsc::Receiver<AskedItems>>>,
    next_request: AtomicU64,
    next_stream: AtomicU64,
}

impl Shared {
    pub(crate) fn new(
        options: BrokerOptions,
        partitions: PartitionTable,
        background: Background,
    ) -> Self {
        let (available, _) = broadcast::channel(options.limits.available_buffer);
        // A partition has one open question at a time.
        let (items, asked_items) = mpsc::channel(2 * usize::from(options.partitions));
        Self {
            shards: (0..options.shards).map(|_| Arc::default()).collect(),
            options,
            partitions,
            available,
            background,
            items,
            asked_items: Mutex::new(Some(asked_items)),
            next_request: AtomicU64::new(1),
            next_stream: AtomicU64::new(1),
        }
    }
}

impl Shared {
    /// The questions of all partitions, for the one who answers them.
    pub(crate) fn take_asked_items(&self) -> Option<mpsc::Receiver<AskedItems>> {
        let mut asked = self
            .asked_items
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        asked.take()
    }
}

/// Sends commands to partitions and opens job streams.
#[derive(Clone, Debug)]
pub struct Submitter {
    shared: Arc<Shared>,
}

impl Submitter {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Number of partitions of the cluster.
    #[must_use]
    pub fn partition_count(&self) -> u16 {
        self.shared.partitions.count()
    }

    /// Hands `command` to partition `to` and waits for its answer, at most for `timeout`.
    /// The command's `request` is set here.
    ///
    /// # Errors
    /// See [`SubmitError`]: the first two and the last say that nothing happened.
    pub async fn submit(
        &self,
        to: PartitionId,
        mut command: Command,
        timeout: Duration,
    ) -> Result<Response, SubmitError> {
        let id = self.shared.next_request.fetch_add(1, Ordering::Relaxed);
        command.request = Some(RequestId(id));
        let (reply, answer) = oneshot::channel();
        self.hand_in(to, command, Some(reply))?;
        match tokio::time::timeout(timeout, answer).await {
            Err(_elapsed) => Err(SubmitError::Timeout),
            Ok(Ok(Ok(response))) => Ok(response),
            Ok(Ok(Err(Loss::NotTaken(reason)))) => Err(SubmitError::Unavailable { reason }),
            Ok(Ok(Err(Loss::Unknown)) | Err(_)) => Err(SubmitError::UnknownOutcome),
        }
    }

    /// Hands `command` to partition `to` without waiting for anything but acceptance.
    ///
    /// # Errors
    /// Any [`SubmitError`] that says that nothing happened.
    pub fn send(&self, to: PartitionId, command: Command) -> Result<(), SubmitError> {
        self.hand_in(to, command, None)
    }

    fn hand_in(
        &self,
        to: PartitionId,
        command: Command,
        reply: Option<oneshot::Sender<Result<Response, Loss>>>,
    ) -> Result<(), SubmitError> {
        let mailbox = self
            .shared
            .partitions
            .get(to)
            .ok_or(SubmitError::NoSuchPartition)?;
        mailbox.metrics.requests_received.add_shared(1);
        if !mailbox.status.serves() {
            return Err(SubmitError::Unavailable {
                reason: "the partition has no leader that serves here",
            });
        }
        let counted = !is_exempt(command.intent);
        if counted && !mailbox.budget.try_take() {
            mailbox.metrics.requests_refused.add_shared(1);
            return Err(SubmitError::ResourceExhausted);
        }
        let request = Request {
            command,
            reply,
            enqueued: Instant::now(),
            counted,
        };
        let pushed = if counted {
            mailbox.push_request(request)
        } else {
            mailbox.push_reserved(request)
        };
        pushed.map_err(|refused| {
            if refused.counted {
                mailbox.budget.give_back(1);
            }
            mailbox.metrics.requests_refused.add_shared(1);
            SubmitError::ResourceExhausted
        })
    }

    /// Opens a stream of jobs on all partitions. Jobs that were activatable before are not pushed.
    #[must_use]
    pub fn open_stream(&self, spec: StreamSpec) -> JobStream {
        let id = StreamId(self.shared.next_stream.fetch_add(1, Ordering::Relaxed));
        let (sender, jobs) = mpsc::channel(self.shared.options.limits.stream_buffer);
        let registered = self.shared.partitions.iter().all(|mailbox| {
            mailbox
                .push_control(Control::AddStream {
                    id,
                    spec: spec.clone(),
                    jobs: sender.clone(),
                })
                .is_ok()
        });
        let mut stream = JobStream {
            id,
            jobs,
            submitter: self.clone(),
        };
        if !registered {
            // A stream that misses a partition would miss its jobs without anybody noticing; an
            // ended one is opened again by its client.
            stream.jobs.close();
        }
        stream
    }

    /// Types of which jobs became available while no stream took them; for parked long polls.
    /// A receiver that lags is told so and should look at everything.
    #[must_use]
    pub fn jobs_available(&self) -> broadcast::Receiver<Text> {
        self.shared.available.subscribe()
    }

    /// The cluster as this broker sees it.
    #[must_use]
    pub fn topology(&self) -> Topology {
        let options = &self.shared.options;
        let partitions = self
            .shared
            .partitions
            .iter()
            .map(|mailbox| PartitionInfo {
                id: mailbox.partition,
                role: mailbox.status.role(),
                health: mailbox.status.health(),
            })
            .collect();
        Topology {
            brokers: vec![BrokerInfo {
                node_id: options.node_id,
                address: options.address.clone(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                partitions,
            }],
            cluster_size: 1,
            partitions_count: options.partitions,
            replication_factor: 1,
        }
    }

    /// A copy of all numbers of this broker.
    #[must_use]
    pub fn metrics(&self) -> MetricsSnapshot {
        let partitions = self.shared.partitions.iter().map(|mailbox| {
            let metrics = &mailbox.metrics;
            let mut snapshot = metrics.snapshot(mailbox.partition);
            snapshot.requests_in_flight = u64::from(mailbox.budget.in_flight());
            snapshot.request_limit = u64::from(mailbox.budget.limit());
            snapshot.last_exported_position = mailbox.feed.acknowledged().0;
            snapshot
        });
        let shards = self.shared.shards.iter().enumerate();
        MetricsSnapshot {
            partitions: partitions.collect(),
            shards: shards
                .map(|(shard, metrics)| ShardSnapshot {
                    shard,
                    iterations: metrics.iterations.get(),
                    stalls: metrics.stalls.get(),
                    longest_stall_micros: metrics.longest_stall_micros.get(),
                })
                .collect(),
        }
    }
}

/// Jobs pushed to one worker. Dropping it closes it; jobs not yet read are given back.
#[derive(Debug)]
pub struct JobStream {
    id: StreamId,
    jobs: mpsc::Receiver<(Key, Arc<JobRecord>)>,
    submitter: Submitter,
}

impl JobStream {
    /// The next job, activated for this stream's worker; `None` when the stream has ended because
    /// the broker stops or is overloaded.
    pub async fn next(&mut self) -> Option<(Key, Arc<JobRecord>)> {
        self.jobs.recv().await
    }

    /// Gives back a job that could not be delivered: it becomes activatable at once, and that does
    /// not count as a failure.
    pub fn give_back(&self, key: Key, job: Arc<JobRecord>) {
        let command = Command::internal(key, of::Job::Yield, job);
        // If even the reserved lane is full the job's time-out gives it back.
        let _ = self.submitter.send(key.partition(), command);
    }
}

impl Drop for JobStream {
    fn drop(&mut self) {
        self.jobs.close();
        for mailbox in self.submitter.shared.partitions.iter() {
            // A partition that misses this learns it from its next push.
            let _ = mailbox.push_control(Control::RemoveStream(self.id));
        }
        while let Ok((key, job)) = self.jobs.try_recv() {
            self.give_back(key, job);
        }
    }
}
