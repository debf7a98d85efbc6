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

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crossbeam::queue::ArrayQueue;
use futures::task::AtomicWaker;
use ringflow_core::engine::effect::{Response, StreamId};
use ringflow_core::engine::input::Command;
use ringflow_core::ids::PartitionId;
use tokio::sync::{Notify, oneshot};

use crate::cluster::configuration::Configuration;
use crate::feed::Lanes;
use crate::metrics::PartitionMetrics;
use crate::options::BrokerOptions;
use crate::partition::cut::Stamped;
use crate::peer::listener::GroupConnection;
use crate::peer::roster::GroupMembers;
use crate::shard::budget::Budget;
use crate::submit::StreamSpec;
use crate::submit::stream::Jobs;
use crate::topology::PartitionStatus;

/// Connections of members that wait to be adopted.
const CONNECTIONS: usize = 64;
/// How often a process can begin to keep a replica of one partition: places are never given free,
/// so that nobody who sends to a partition waits for who changes them.
const GENERATIONS_MAX: usize = 16;

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
        jobs: Jobs,
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
    peers: ArrayQueue<Stamped>,
    control: ArrayQueue<Control>,
    connections: ArrayQueue<GroupConnection>,
    waker: AtomicWaker,
    /// A [`StopMode`].
    stop: AtomicU8,
    ended: AtomicBool,
    /// Its files are closed.
    closed: AtomicBool,
    /// Number of its shard.
    shard: AtomicUsize,
    /// Who belongs to its group as far as this replica has applied it.
    members: Mutex<GroupMembers>,
    pub(crate) budget: Budget,
    pub(crate) status: PartitionStatus,
    pub(crate) metrics: PartitionMetrics,
    pub(crate) feed: Lanes,
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
            closed: AtomicBool::new(false),
            shard: AtomicUsize::new(0),
            members: Mutex::default(),
            budget: Budget::new(options.request_limit),
            status: PartitionStatus::new(role_changed),
            metrics: PartitionMetrics::default(),
            feed: Lanes::new(options),
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
    pub(crate) fn push_peer(&self, command: Stamped) -> Result<(), Stamped> {
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

    /// Says that the files of the partition are closed.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Number of the shard it is placed on.
    pub(crate) fn shard(&self) -> usize {
        self.shard.load(Ordering::Relaxed)
    }

    pub(crate) fn place_on(&self, shard: usize) {
        self.shard.store(shard, Ordering::Relaxed);
    }

    /// Notes who belongs to the group; changes rarely.
    pub(crate) fn set_members(&self, members: GroupMembers) {
        *self.members.lock().unwrap_or_else(PoisonError::into_inner) = members;
    }

    pub(crate) fn members(&self) -> GroupMembers {
        let members = self.members.lock();
        members.unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn pop_request(&self) -> Option<Request> {
        self.requests.pop()
    }

    pub(crate) fn pop_reserved(&self) -> Option<Request> {
        self.reserved.pop()
    }

    pub(crate) fn pop_peer(&self) -> Option<Stamped> {
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
        !self.control.is_empty()
    }

    /// True if a member's connection waits.
    pub(crate) fn has_connections(&self) -> bool {
        !self.connections.is_empty()
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

/// The place of one partition: the mailboxes it had in this process, and which of them counts.
#[derive(Debug, Default)]
struct Place {
    generations: [OnceLock<Arc<Mailbox>>; GENERATIONS_MAX],
    /// Number of the one that counts, from 1; 0 = there is no replica here.
    current: AtomicUsize,
}

/// The mailboxes of the partitions that the broker has a replica of, by partition number. Replicas
/// come and go while the broker runs; who holds a mailbox keeps it, and hears that it has ended.
#[derive(Clone, Debug)]
pub(crate) struct PartitionTable {
    places: Arc<[Place]>,
    /// Counts changes.
    changes: Arc<AtomicU64>,
}

impl PartitionTable {
    pub(crate) fn new(
        options: &BrokerOptions,
        configuration: &Configuration,
        role_changed: &Arc<Notify>,
    ) -> Self {
        let table = Self {
            places: (0..options.partitions).map(|_| Place::default()).collect(),
            changes: Arc::default(),
        };
        for id in configuration.kept_by(options.node_id) {
            let mailbox = Mailbox::new(id, options, Arc::clone(role_changed));
            // The first generation always has a place.
            let _ = table.open(Arc::new(mailbox));
        }
        table
    }

    fn place(&self, partition: PartitionId) -> Option<&Place> {
        self.places.get(usize::from(partition.0).checked_sub(1)?)
    }

    pub(crate) fn get(&self, partition: PartitionId) -> Option<&Arc<Mailbox>> {
        let place = self.place(partition)?;
        let current = place.current.load(Ordering::Acquire).checked_sub(1)?;
        place.generations.get(current)?.get()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Mailbox>> {
        let ids = (1..=self.count()).map(PartitionId);
        ids.filter_map(|id| self.get(id))
    }

    /// Number of partitions of the cluster.
    pub(crate) fn count(&self) -> u16 {
        self.places.len() as u16
    }

    /// Makes `mailbox` that of its partition; false if there is no place left for it. One caller at
    /// a time.
    pub(crate) fn open(&self, mailbox: Arc<Mailbox>) -> bool {
        let Some(place) = self.place(mailbox.partition) else {
            return false;
        };
        let used = place.generations.iter().take_while(|it| it.get().is_some());
        let used = used.count();
        let free = place.generations.get(used);
        let opened = free.is_some_and(|free| free.set(mailbox).is_ok());
        if opened {
            place.current.store(used + 1, Ordering::Release);
            self.changes.fetch_add(1, Ordering::AcqRel);
        }
        opened
    }

    /// Takes away the mailbox of `partition`.
    pub(crate) fn close(&self, partition: PartitionId) {
        if let Some(place) = self.place(partition) {
            place.current.store(0, Ordering::Release);
            self.changes.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// Counts what was opened and closed.
    pub(crate) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::ClusterOptions;

    #[test]
    fn replicas_come_and_go_and_the_last_one_counts() {
        let mut options = BrokerOptions::new(std::path::PathBuf::from("none"));
        options.partitions = 3;
        options.cluster = ClusterOptions {
            size: 3,
            replication_factor: 1,
            ..ClusterOptions::default()
        };
        let founding = Configuration::founding(&options.cluster, 3);
        let told = Arc::<Notify>::default();
        let table = PartitionTable::new(&options, &founding, &told);
        let here = |table: &PartitionTable| table.iter().map(|it| it.partition.0).collect();
        let own: Vec<u16> = here(&table);
        assert_eq!((own, table.count()), (vec![1], 3));
        let new = |id| Arc::new(Mailbox::new(PartitionId(id), &options, Arc::clone(&told)));
        let first = new(2);
        assert!(table.open(Arc::clone(&first)));
        assert!(Arc::ptr_eq(table.get(PartitionId(2)).unwrap(), &first));
        table.close(PartitionId(2));
        assert!(table.get(PartitionId(2)).is_none());
        for _ in 1..GENERATIONS_MAX {
            assert!(table.open(new(2)));
            assert!(!Arc::ptr_eq(table.get(PartitionId(2)).unwrap(), &first));
        }
        assert!(!table.open(new(2)), "every place is used");
        assert!(!table.open(new(4)), "there is no such partition");
        let own: Vec<u16> = here(&table);
        assert_eq!(own, [1, 2]);
        assert!(table.changes() > GENERATIONS_MAX as u64);
    }
}
