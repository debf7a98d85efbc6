//! One Raft group per partition, by openraft in its single-threaded mode.
//!
//! What the rest of the crate relies on, and nothing more: an entry is applied on every replica in
//! log order after a quorum has it on disk; a proposal is answered once, by its application or by a
//! refusal; at most one leader per term proposes. A group of one member takes exactly this path.
//!
//! An entry's data is one encoded record batch. The commands were processed before it was proposed,
//! so applying an entry of our own only releases what it holds back, and applying anybody else's
//! replays its events (`partition/process.rs`).
//!
//! openraft counts entries from 0, the log from 1: [`log_index`] and [`raft_index`] are the only
//! translation.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use openraft::impls;
use openraft::raft::responder::Responder;
use openraft::vote::RaftLeaderId;
use openraft::{Config, LogId, SnapshotPolicy};

use crate::raft::runtime::ShardRuntime;

pub(crate) mod join;
pub(crate) mod log_store;
pub(crate) mod message;
pub(crate) mod network;
pub(crate) mod payload;
pub(crate) mod pipeline;
pub(crate) mod receive;
pub(crate) mod runtime;
pub(crate) mod send;
pub(crate) mod serve;
pub(crate) mod state_machine;

/// Election time-out: at least ten times the worst stall of a shard that is still healthy.
const ELECTION_TIMEOUT_MS: (u64, u64) = (1_500, 2_500);
/// Time between heartbeats.
const HEARTBEAT_MS: u64 = 500;
/// Both in a cluster of one: nobody waits for its heartbeats or its election, which is asked for at
/// the start, and every tick (13/64 of a heartbeat) wakes an idle shard.
const ELECTION_TIMEOUT_ALONE_MS: (u64, u64) = (9_000, 12_000);
const HEARTBEAT_ALONE_MS: u64 = 4_000;
/// Entries of one replication message.
const REPLICATED_ENTRIES: u64 = 64;

/// The data of one entry: an encoded record batch with its payload tag, see [`payload`].
#[derive(Clone, PartialEq)]
pub(crate) struct Proposal(pub(crate) Bytes);

impl fmt::Debug for Proposal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl fmt::Display for Proposal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// A member of the group as others find it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Member {
    /// `host:port` of its peer listener.
    pub(crate) address: String,
}

/// Told once what became of a proposal.
pub(crate) struct Answer<T>(pub(crate) Box<dyn FnOnce(T)>);

impl<T: 'static> Responder<Group, T> for Answer<T> {
    fn on_complete(self, result: T) {
        (self.0)(result);
    }
}

/// The types of a partition's group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Group;

impl openraft::RaftTypeConfig for Group {
    type D = Proposal;
    type R = ();
    type NodeId = u64;
    type Node = Member;
    type Term = u64;
    type LeaderId = LeaderId;
    type Vote = Vote;
    type Payload = openraft::EntryPayload<Proposal, u64, Member>;
    type Entry = Entry;
    type AsyncRuntime = ShardRuntime;
    type Responder<T>
        = Answer<T>
    where
        T: 'static;
    type Batch<T>
        = impls::InlineBatch<T>
    where
        T: 'static;
    type ErrorSource = impls::BoxedErrorSource;
}

pub(crate) type Handle = openraft::Raft<Group, state_machine::Machine>;
pub(crate) type LeaderId = impls::leader_id_std::LeaderId<u64, u64>;
pub(crate) type Term = <LeaderId as RaftLeaderId>::Committed;
pub(crate) type Entry = openraft::Entry<Term, openraft::EntryPayload<Proposal, u64, Member>>;
pub(crate) type EntryId = LogId<Term>;
pub(crate) type Vote = impls::Vote<LeaderId>;
pub(crate) type StoredMembership = openraft::StoredMembership<Term, u64, Member>;
pub(crate) type SnapshotMeta = openraft::SnapshotMeta<Term, u64, Member>;
/// A snapshot as openraft passes it around: what it covers, and its directory.
pub(crate) type Snapshot = openraft::Snapshot<Term, u64, Member, PathBuf>;
pub(crate) type Membership = openraft::Membership<u64, Member>;

/// The index in the log of openraft's entry `index`.
pub(crate) const fn log_index(index: u64) -> u64 {
    index + 1
}

/// openraft's index of the log's entry `index`; `None` for 0, which stands before the first.
pub(crate) const fn raft_index(index: u64) -> Option<u64> {
    index.checked_sub(1)
}

/// openraft's name of an entry of the log; `None` before the first.
pub(crate) fn entry_id(index: u64, term: u64) -> Option<EntryId> {
    Some(LogId::new_term_index(term, raft_index(index)?))
}

/// How a group runs, in a cluster of one or of many.
pub(crate) fn config(partition: u16, many: bool) -> Arc<Config> {
    let (election_timeout, heartbeat) = if many {
        (ELECTION_TIMEOUT_MS, HEARTBEAT_MS)
    } else {
        (ELECTION_TIMEOUT_ALONE_MS, HEARTBEAT_ALONE_MS)
    };
    let config = Config {
        cluster_name: format!("partition-{partition}"),
        election_timeout_min: election_timeout.0,
        election_timeout_max: election_timeout.1,
        heartbeat_interval: heartbeat,
        max_payload_entries: REPLICATED_ENTRIES,
        // Snapshots and purges are triggered by the partition, which knows what the export needs.
        snapshot_policy: SnapshotPolicy::Never,
        max_in_snapshot_log_to_keep: u64::MAX,
        purge_batch_size: 1,
        enable_pre_vote: Some(true),
        // A quorum commits without waiting for the leader's own disk. One that was ended before its
        // disk had everything must not go on in its term: it would give out the same indexes again.
        enable_leader_restore: Some(false),
        // A member that lost its disk is known and treated as such, see `join`.
        allow_log_reversion: Some(true),
        ..Config::default()
    };
    Arc::new(
        config
            .validate()
            .expect("the constants of this file are valid"),
    )
}
