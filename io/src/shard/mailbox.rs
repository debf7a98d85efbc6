//! The bounded lanes into a partition, and everything else that other threads may touch of it.
//!
//! | lane | holds | full means |
//! |---|---|---|
//! | requests | client commands under the request limit | cannot be: the lane is as long as the limit's maximum |
//! | reserved | client commands the limit never refuses | refused as resource exhausted |
//! | peers | commands from other partitions | dropped; their owner in state sends them again |
//! | control | stream registrations | the stream ends at once, the client opens it again |
//! | connections | connections of the group's members | closed; the member connects anew |
//!
//! A sender pushes, then wakes; the partition's loop registers its waker, then looks again. Wakes
//! from foreign threads reach the executor through its own wake-up file descriptor.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam::queue::ArrayQueue;
use futures::task::AtomicWaker;
use ringflow_core::engine::effect::{Response, StreamId};
use ringflow_core::engine::input::Command;
use ringflow_core::ids::{Key, PartitionId};
use ringflow_core::record::value::JobRecord;
use tokio::sync::{Notify, mpsc, oneshot};

use crate::feed::FeedLane;
use crate::metrics::PartitionMetrics;
use crate::options::BrokerOptions;
use crate::peer::listener::GroupConnection;
use crate::shard::budget::Budget;
use crate::submit::StreamSpec;
use crate::topology::PartitionStatus;

/// Connections of members that wait to be adopted.
const CONNECTIONS: usize = 64;

/// Whether a partition shall go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum StopMode {
    /// It shall.
    Run = 0,
    /// It shall finish what it took in, take a snapshot and end.
    Drain = 1,
    /// It shall end where it stands, as after a crash.
    Kill = 2,
}

/// Why a caller gets no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Loss {
    /// The command was not processed.
    NotTaken(&'static str),
    /// The leader lost its place: the command may or may not take effect.
    LeadershipLost,
    /// The partition failed or its broker stops: the command may or may not take effect.
    Unknown,
}

/// Where the answer of a request goes.
pub(crate) type Reply = oneshot::Sender<Result<Response, Loss>>;

/// A client command on its way in.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) command: Command,
    /// `None` if nobody waits.
    pub(crate) reply: Option<Reply>,
    pub(crate) enqueued: Instant,
    /// True if it holds a slot of the budget.
    pub(crate) counted: bool,
}

/// What is not a command.
#[derive(Debug)]
pub(crate) enum Control {
    /// A stream opened.
    AddStream {
        id: StreamId,
        spec: StreamSpec,
        jobs: mpsc::Sender<(Key, Arc<JobRecord>)>,
    },
    /// A stream closed.
    RemoveStream(StreamId),
    /// Somebody compares states.
    Digest(oneshot::Sender<[u8; 16]>),
    /// Somebody wants another broker to lead.
    Transfer(u32),
}

/// What other threads share with a partition.
#[derive(Debug)]
pub(crate) struct Mailbox {
    pub(crate) partition: PartitionId,
    requests: ArrayQueue<Request>,
    reserved: ArrayQueue<Request>,
    peers: ArrayQueue<Command>,
    control: ArrayQueue<Control>,
    connections: ArrayQueue<GroupConnection>,
    waker: AtomicWaker,
    /// A [`StopMode`].
    stop: AtomicU8,
    ended: AtomicBool,
    pub(crate) budget: Budget,
    pub(crate) status: PartitionStatus,
    pub(crate) metrics: PartitionMetrics,
    pub(crate) feed: FeedLane,
    /// Counts turns of the partition's loop; the pacemaker compares it.
    pub(crate) turns: AtomicU64,
    /// True unless the loop is idle: also while the partition starts and ends.
    pub(crate) outstanding: AtomicBool,
}

impl Mailbox {
    pub(crate) fn new(
        partition: PartitionId,
        options: &BrokerOptions,
        role_changed: Arc<Notify>,
    ) -> Self {
        let limits = &options.limits;
        Self {
            partition,
            requests: ArrayQueue::new(options.request_limit.max as usize),
            reserved: ArrayQueue::new(limits.reserved_lane),
            peers: ArrayQueue::new(limits.partition_lane),
            control: ArrayQueue::new(limits.control_lane),
            connections: ArrayQueue::new(CONNECTIONS),
            waker: AtomicWaker::new(),
            stop: AtomicU8::new(StopMode::Run as u8),
            ended: AtomicBool::new(false),
            budget: Budget::new(options.request_limit),
            status: PartitionStatus::new(role_changed),
            metrics: PartitionMetrics::default(),
            feed: FeedLane::new(limits),
            turns: AtomicU64::new(0),
            outstanding: AtomicBool::new(true),
        }
    }

    /// Hands in a client command that holds a slot.
    pub(crate) fn push_request(&self, request: Request) -> Result<(), Request> {
        self.requests.push(request)?;
        self.wake();
        Ok(())
    }

    /// Hands in a client command that needs no slot.
    pub(crate) fn push_reserved(&self, request: Request) -> Result<(), Request> {
        self.reserved.push(request)?;
        self.wake();
        Ok(())
    }

    /// Hands in a command of another partition.
    pub(crate) fn push_peer(&self, command: Command) -> Result<(), Command> {
        self.peers.push(command)?;
        self.wake();
        Ok(())
    }

    /// Hands in a connection of a member; one too many is closed.
    pub(crate) fn push_connection(&self, connection: GroupConnection) {
        if self.connections.push(connection).is_ok() {
            self.wake();
        }
    }

    pub(crate) fn pop_connection(&self) -> Option<GroupConnection> {
        self.connections.pop()
    }

    pub(crate) fn push_control(&self, control: Control) -> Result<(), Control> {
        self.control.push(control)?;
        if self.ended.load(Ordering::Acquire) {
            self.end();
        }
        self.wake();
        Ok(())
    }

    /// Says that nobody takes anything any more; what waits in the control lane is dropped, which
    /// ends the streams and questions in it.
    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::Release);
        while self.control.pop().is_some() {}
    }

    pub(crate) fn pop_request(&self) -> Option<Request> {
        self.requests.pop()
    }

    pub(crate) fn pop_reserved(&self) -> Option<Request> {
        self.reserved.pop()
    }

    pub(crate) fn pop_peer(&self) -> Option<Command> {
        self.peers.pop()
    }

    pub(crate) fn pop_control(&self) -> Option<Control> {
        self.control.pop()
    }

    /// True if a command waits.
    pub(crate) fn has_commands(&self) -> bool {
        !self.requests.is_empty() || !self.reserved.is_empty() || !self.peers.is_empty()
    }

    pub(crate) fn has_control(&self) -> bool {
        !self.control.is_empty() || !self.connections.is_empty()
    }

    pub(crate) fn request_stop(&self, mode: StopMode) {
        self.stop.store(mode as u8, Ordering::Release);
        self.wake();
    }

    pub(crate) fn stop_mode(&self) -> StopMode {
        match self.stop.load(Ordering::Acquire) {
            0 => StopMode::Run,
            1 => StopMode::Drain,
            _ => StopMode::Kill,
        }
    }

    /// Notes how long an append took; called by the log thread alone.
    pub(crate) fn append_took(&self, took: Duration) {
        self.metrics.append.record(took);
    }

    pub(crate) fn wake(&self) {
        self.waker.wake();
    }

    /// To be called before the last look at the lanes.
    pub(crate) fn register(&self, waker: &std::task::Waker) {
        self.waker.register(waker);
    }
}

/// The mailboxes of the partitions that the broker has a replica of, by partition number.
#[derive(Clone, Debug)]
pub(crate) struct PartitionTable(Arc<[Option<Arc<Mailbox>>]>);

impl PartitionTable {
    pub(crate) fn new(options: &BrokerOptions, role_changed: &Arc<Notify>) -> Self {
        let mailbox = |id| {
            options
                .cluster
                .is_replica(id, options.node_id)
                .then(|| Arc::new(Mailbox::new(id, options, Arc::clone(role_changed))))
        };
        Self(
            (1..=options.partitions)
                .map(PartitionId)
                .map(mailbox)
                .collect(),
        )
    }

    pub(crate) fn get(&self, partition: PartitionId) -> Option<&Arc<Mailbox>> {
        self.0
            .get(usize::from(partition.0).checked_sub(1)?)?
            .as_ref()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Mailbox>> {
        self.0.iter().flatten()
    }

    /// Number of partitions of the cluster.
    pub(crate) fn count(&self) -> u16 {
        self.0.len() as u16
    }
}
