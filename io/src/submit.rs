//! What callers hold: a [`Submitter`] for commands, a [`JobStream`] for pushed jobs (see [`stream`]).
//!
//! A submitted command is accepted when it is in a lane and done when its answer arrives, which is
//! after its records are committed. The two points fail differently: before acceptance nothing has
//! happened ([`SubmitError::ResourceExhausted`], [`SubmitError::Unavailable`]); after it the command
//! may take effect although no answer comes ([`SubmitError::Timeout`], [`SubmitError::UnknownOutcome`],
//! [`SubmitError::LeadershipLost`]).
//!
//! In a cluster a command goes to the leader of its partition wherever that is, over a link to its
//! broker (`peer/link.rs`), and is tried again only while it is certain that nothing has happened.
//!
//! All handles are `Send + Sync`, cheap to clone, and must be awaited within a tokio runtime that
//! has its timer enabled.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use ringflow_core::engine::StreamSpec;
use ringflow_core::engine::effect::{ItemQuery, Response, StreamId};
use ringflow_core::engine::input::{Command, RequestId};
use ringflow_core::ids::PartitionId;
use ringflow_core::record::Text;
pub(crate) use stream::OpenedStream;
pub use stream::{JobStream, StreamInfo};
use tokio::sync::{broadcast, mpsc, oneshot};

use crate::background::Background;
use crate::backup::BackupTask;
use crate::clock::Clock;
use crate::cluster::replicas::Local;
use crate::driver;
use crate::metrics::{MetricsSnapshot, ShardMetrics, ShardSnapshot};
use crate::options::BrokerOptions;
use crate::partition::cut::Stamped;
use crate::partition::unsent::Sent;
use crate::peer::link::ToPeer;
use crate::peer::message;
use crate::peer::roster::Cluster;
use crate::shard::budget::is_exempt;
use crate::shard::mailbox::{Loss, PartitionTable, Request};
use crate::topology::{self, Topology};

mod change;
mod clock;
mod leaders;
pub(crate) mod stream;

/// Longest time a command waits for a leader. Elections end well within it.
const LEADER_PATIENCE: Duration = Duration::from_secs(5);
/// How often a command that waits for a leader looks again although nobody told it of one.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// What a caller hears who waited for a leader in vain.
const NO_LEADER: SubmitError = SubmitError::Unavailable {
    reason: "the partition has no leader at the moment",
};

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
    /// The connection to the leader was cut, or its broker ended, while the command was on its way:
    /// it may take effect or not.
    #[error("the partition was lost before it answered; the command may or may not take effect")]
    UnknownOutcome,
    /// The leader lost its place before the command was committed: it may take effect or not.
    #[error("the leader lost its place before it answered; the command may or may not take effect")]
    LeadershipLost,
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
    pub(crate) clock: Clock,
    pub(crate) partitions: PartitionTable,
    pub(crate) shards: Vec<Arc<ShardMetrics>>,
    /// Job types that became available anywhere in the cluster.
    pub(crate) available: broadcast::Sender<Text>,
    /// Those that did on this broker.
    pub(crate) available_here: broadcast::Sender<Text>,
    pub(crate) background: Background,
    pub(crate) items: mpsc::Sender<AskedItems>,
    /// Until somebody takes it to answer.
    asked_items: Mutex<Option<mpsc::Receiver<AskedItems>>>,
    pub(crate) backups: mpsc::Sender<BackupTask>,
    /// Until somebody takes it to store them.
    pub(crate) backup_tasks: Mutex<Option<mpsc::Receiver<BackupTask>>>,
    pub(crate) cluster: Cluster,
    /// What replicas are begun and ended with; gone when the broker stops.
    local: Mutex<Option<Local>>,
    /// Streams that are open here: a replica that begins is told of them.
    streams: Mutex<BTreeMap<StreamId, OpenedStream>>,
    next_request: AtomicU64,
    next_stream: AtomicU64,
    next_link: AtomicU64,
}

impl Shared {
    pub(crate) fn new(
        options: BrokerOptions,
        partitions: PartitionTable,
        background: Background,
        cluster: Cluster,
    ) -> Self {
        let (available, _) = broadcast::channel(options.limits.available_buffer);
        // A partition has one open question at a time.
        let (items, asked_items) = mpsc::channel(2 * usize::from(options.partitions));
        // Per partition: one that is stored, one that waits, and the word of a change of leaders.
        let (backups, backup_tasks) = mpsc::channel(4 * usize::from(options.partitions));
        let (available_here, _) = broadcast::channel(options.limits.available_buffer);
        Self {
            shards: (0..options.shards).map(|_| Arc::default()).collect(),
            clock: Clock::new(options.controlled_clock),
            options,
            partitions,
            available,
            available_here,
            background,
            items,
            asked_items: Mutex::new(Some(asked_items)),
            backups,
            backup_tasks: Mutex::new(Some(backup_tasks)),
            cluster,
            local: Mutex::new(None),
            streams: Mutex::default(),
            next_request: AtomicU64::new(1),
            next_stream: AtomicU64::new(1),
            next_link: AtomicU64::new(1),
        }
    }

    /// True if there are other brokers.
    pub(crate) fn is_many(&self) -> bool {
        self.options.cluster.is_many()
    }

    /// Sets or takes away what replicas are begun and ended with.
    pub(crate) fn set_local(&self, local: Option<Local>) {
        *self.local() = local;
    }

    pub(crate) fn local(&self) -> MutexGuard<'_, Option<Local>> {
        self.local.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the cluster's configuration to disk.
    pub(crate) fn keep_configuration(&self, bytes: &[u8]) -> Result<(), String> {
        match &*self.local() {
            Some(local) => local.keep_configuration(bytes),
            None => Err("the broker stops".to_owned()),
        }
    }

    /// The streams that are open here; while they are held no other opens.
    pub(crate) fn streams(&self) -> MutexGuard<'_, BTreeMap<StreamId, OpenedStream>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A number for a link that another broker opened.
    pub(crate) fn next_link(&self) -> u64 {
        self.next_link.fetch_add(1, Ordering::Relaxed)
    }

    /// Hands a partition's command to another partition, wherever it is led.
    pub(crate) fn send_between(&self, to: PartitionId, command: Stamped) -> Sent {
        let handed = |done: bool| if done { Sent::Handed } else { Sent::Lost };
        let here = self.partitions.get(to);
        if let Some(mailbox) = here.filter(|m| !self.is_many() || m.status.serves()) {
            return handed(mailbox.push_peer(command).is_ok());
        }
        let leader = self.cluster.roster().leader(to);
        let link = leader.and_then(|(node, _)| self.cluster.links.get(node as usize));
        let Some(link) = link.filter(|link| link.is_up()) else {
            return Sent::Unreached(command);
        };
        let frame = message::send(to, false, command);
        handed(link.try_send(ToPeer::Frame(frame)).is_ok())
    }
}

/// Where a partition takes commands.
enum Place {
    Here,
    At(u32),
    Nowhere,
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

    /// True if a leader of `partition` is known that takes commands.
    #[must_use]
    pub fn has_leader(&self, partition: PartitionId) -> bool {
        match self.place(partition) {
            Place::Here | Place::At(_) => true,
            Place::Nowhere => false,
        }
    }

    fn place(&self, partition: PartitionId) -> Place {
        let shared = &self.shared;
        let here = shared.partitions.get(partition);
        if here.is_some_and(|mailbox| mailbox.status.serves()) {
            return Place::Here;
        }
        if !shared.is_many() {
            return Place::Nowhere;
        }
        match shared.cluster.roster().leader(partition) {
            Some((node, _)) if self.link_is_up(node) => Place::At(node),
            Some(_) | None => Place::Nowhere,
        }
    }

    fn link_is_up(&self, node: u32) -> bool {
        let link = self.shared.cluster.links.get(node as usize);
        link.is_some_and(|link| link.is_up())
    }

    /// Hands `command` to the leader of partition `to`, on whichever broker, and waits for its answer.
    /// While it is certain that nothing happened for want of a leader, it is tried again for seconds.
    ///
    /// # Errors
    /// See [`SubmitError`]: the first two and the last say that nothing happened.
    pub async fn submit(
        &self,
        to: PartitionId,
        command: Command,
        timeout: Duration,
    ) -> Result<Response, SubmitError> {
        if !self.shared.is_many() {
            return self.submit_here(to, command, timeout).await;
        }
        if to.0 == 0 || to.0 > self.partition_count() {
            return Err(SubmitError::NoSuchPartition);
        }
        let begun = driver::now();
        let mut changes = self.shared.cluster.watch();
        loop {
            let left = timeout.saturating_sub(driver::since(begun));
            let outcome = match self.place(to) {
                Place::Here => self.submit_here(to, command.clone(), left).await,
                Place::At(node) => self.submit_there(node, to, command.clone(), left).await,
                Place::Nowhere => Err(NO_LEADER),
            };
            let waited = driver::since(begun);
            match outcome {
                Err(SubmitError::Unavailable { .. })
                    if waited < LEADER_PATIENCE && waited < timeout => {}
                settled => return settled,
            }
            // Who sends the changes lives as long as `self`.
            let _ = tokio::time::timeout(LOOK_AGAIN, changes.changed()).await;
        }
    }

    async fn submit_there(
        &self,
        node: u32,
        to: PartitionId,
        command: Command,
        timeout: Duration,
    ) -> Result<Response, SubmitError> {
        let request = self.shared.next_request.fetch_add(1, Ordering::Relaxed);
        let frame = message::submit(message::Submit {
            request,
            partition: to,
            millis: u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX),
            command,
        });
        let link = self.shared.cluster.links.get(node as usize);
        let link = link.ok_or(NO_LEADER)?;
        let (answer, answered) = oneshot::channel();
        let submit = ToPeer::Submit {
            request,
            frame,
            answer,
        };
        link.try_send(submit).map_err(|_| {
            if link.is_up() {
                SubmitError::ResourceExhausted
            } else {
                NO_LEADER
            }
        })?;
        match tokio::time::timeout(timeout, answered).await {
            Err(_elapsed) => Err(SubmitError::Timeout),
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(SubmitError::UnknownOutcome),
        }
    }

    /// Hands in a command here; the answer comes by itself.
    pub(crate) fn begin(
        &self,
        to: PartitionId,
        mut command: Command,
    ) -> Result<oneshot::Receiver<Result<Response, Loss>>, SubmitError> {
        let id = self.shared.next_request.fetch_add(1, Ordering::Relaxed);
        command.request = Some(RequestId(id));
        let (reply, answer) = oneshot::channel();
        self.hand_in(to, command, Some(reply))?;
        Ok(answer)
    }

    /// As [`Submitter::submit`], on this broker or not at all.
    pub(crate) async fn submit_here(
        &self,
        to: PartitionId,
        command: Command,
        timeout: Duration,
    ) -> Result<Response, SubmitError> {
        let answer = self.begin(to, command)?;
        match tokio::time::timeout(timeout, answer).await {
            Err(_elapsed) => Err(SubmitError::Timeout),
            Ok(Ok(Ok(response))) => Ok(response),
            Ok(Ok(Err(Loss::NotTaken(reason)))) => Err(SubmitError::Unavailable { reason }),
            Ok(Ok(Err(Loss::LeadershipLost))) => Err(SubmitError::LeadershipLost),
            Ok(Ok(Err(Loss::Unknown)) | Err(_)) => Err(SubmitError::UnknownOutcome),
        }
    }

    /// Hands `command` to partition `to` without waiting for anything but acceptance.
    ///
    /// # Errors
    /// Any [`SubmitError`] that says that nothing happened.
    pub fn send(&self, to: PartitionId, command: Command) -> Result<(), SubmitError> {
        let Place::At(node) = self.place(to) else {
            return self.hand_in(to, command, None);
        };
        let link = self.shared.cluster.links.get(node as usize);
        let frame = ToPeer::Frame(message::send(to, true, Stamped::unstamped(command)));
        let sent = link.ok_or(NO_LEADER)?.try_send(frame);
        sent.map_err(|_| SubmitError::ResourceExhausted)
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
            .ok_or(if self.shared.is_many() {
                NO_LEADER
            } else {
                SubmitError::NoSuchPartition
            })?;
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
            enqueued: driver::now(),
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

    /// Types of which jobs became available while no stream took them; for parked long polls.
    /// A receiver that lags is told so and should look at everything.
    #[must_use]
    pub fn jobs_available(&self) -> broadcast::Receiver<Text> {
        self.shared.available.subscribe()
    }

    /// The cluster as this broker sees it.
    #[must_use]
    pub fn topology(&self) -> Topology {
        topology::of(&self.shared)
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
