//! The way to the other members: there are none yet, so every call says "unreachable".
//!
//! The seam is openraft's network trait, to be filled by peer connections. Answering unreachable is
//! the truth for a group of one, and what a group of many would see with all its peers down: it
//! elects nobody and commits nothing.

use std::future::Future;
use std::io;
use std::path::PathBuf;

use openraft::errors::{RPCError, ReplicationClosed, StreamingError, Unreachable};
use openraft::network::RPCOption;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, VoteRequest, VoteResponse,
};
use openraft::{RaftNetworkFactory, RaftNetworkV2};

use crate::raft::{Group, Member, Snapshot, Vote};

/// Makes connections to members.
#[derive(Debug)]
pub(crate) struct NoPeers;

/// A connection that cannot be made.
#[derive(Debug)]
pub(crate) struct NoPeer {
    target: u64,
}

impl NoPeer {
    fn unreachable(&self) -> Unreachable<Group> {
        Unreachable::new(&io::Error::new(
            io::ErrorKind::NotConnected,
            format!("there is no way to member {}", self.target),
        ))
    }
}

impl RaftNetworkFactory<Group> for NoPeers {
    type Network = NoPeer;

    async fn new_client(&mut self, target: u64, _member: &Member) -> NoPeer {
        NoPeer { target }
    }
}

impl RaftNetworkV2<Group> for NoPeer {
    type SnapshotData = PathBuf;

    async fn append_entries(
        &mut self,
        _request: AppendEntriesRequest<Group>,
        _option: RPCOption,
    ) -> Result<AppendEntriesResponse<Group>, RPCError<Group>> {
        Err(RPCError::Unreachable(self.unreachable()))
    }

    async fn vote(
        &mut self,
        _request: VoteRequest<Group>,
        _option: RPCOption,
    ) -> Result<VoteResponse<Group>, RPCError<Group>> {
        Err(RPCError::Unreachable(self.unreachable()))
    }

    async fn pre_vote(
        &mut self,
        _request: VoteRequest<Group>,
        _option: RPCOption,
    ) -> Result<VoteResponse<Group>, RPCError<Group>> {
        Err(RPCError::Unreachable(self.unreachable()))
    }

    async fn full_snapshot(
        &mut self,
        _vote: Vote,
        _snapshot: Snapshot,
        _cancel: impl Future<Output = ReplicationClosed> + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<Group>, StreamingError<Group>> {
        Err(StreamingError::Unreachable(self.unreachable()))
    }
}
