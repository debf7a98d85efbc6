//! The way to the other members of a partition: openraft's network over group connections.
//!
//! Each client that openraft asks for (replication, heartbeats, snapshots, one per election) has a
//! connection of its own, so that nothing waits behind a large append. It uses it for one request at a
//! time, except for replication ([`pipeline`]). It connects when it is first needed, gives the connection up at the first error or when a
//! request is abandoned half way, and connects anew at the next request; openraft waits longer and
//! longer between attempts ([`pauses`]). A slow or dead member therefore costs the leader one
//! request's memory.
//!
//! A group of one never asks.

use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use futures::io::{AsyncReadExt as _, ReadHalf, WriteHalf};
use openraft::base::{BoxFuture, BoxStream};
use openraft::errors::{NetworkError, RPCError, ReplicationClosed, StreamingError, Unreachable};
use openraft::network::{Backoff, RPCOption};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, StreamAppendResult,
    TransferLeaderRequest, TransferLeaderResponse, VoteRequest, VoteResponse,
};
use openraft::{RaftNetworkFactory, RaftNetworkV2};

use crate::driver;
use crate::driver::stream::Stream;
use crate::partition::Partition;
use crate::peer::frame::{self, Frame, Reader};
use crate::peer::hello::{self, Purpose};
use crate::raft::message::{self, Standing};
use crate::raft::{Group, Member, Snapshot, Vote, pipeline, send};

/// Longest attempt to connect.
const CONNECT_WITHIN: Duration = Duration::from_millis(1_000);
/// Longest wait for the answer to an append: a follower may be busy writing.
const APPEND_WITHIN: Duration = Duration::from_secs(5);
/// Longest wait for any other answer.
const ANSWER_WITHIN: Duration = Duration::from_millis(1_000);

/// Makes clients for the members of a partition.
pub(crate) struct Peers {
    partition: Rc<Partition>,
}

impl Peers {
    pub(crate) fn new(partition: Rc<Partition>) -> Self {
        Self { partition }
    }
}

/// A client of one member.
pub(crate) struct Peer {
    pub(super) partition: Rc<Partition>,
    pub(super) target: u64,
    connection: Option<Connection>,
}

/// A connection that was let in.
pub(super) struct Connection {
    pub(super) reader: Reader<ReadHalf<Stream>>,
    pub(super) writer: WriteHalf<Stream>,
}

impl Peer {
    pub(crate) fn new(partition: Rc<Partition>, target: u64) -> Self {
        Self {
            partition,
            target,
            connection: None,
        }
    }

    /// Sends a sealed frame and waits for the answer.
    pub(crate) async fn call(&mut self, request: &[u8], within: Duration) -> Result<Frame, String> {
        // Taken out: if this future is dropped half way, so is the connection, and no later request
        // takes the answer of this one for its own.
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        let exchange = async {
            frame::write(&mut connection.writer, request).await?;
            connection.reader.next().await
        };
        let answer = driver::within(within, exchange)
            .await
            .ok_or_else(|| format!("member {} gave no answer in {within:?}", self.target))?
            .map_err(|error| format!("member {}: {error}", self.target))?;
        self.connection = Some(connection);
        Ok(answer)
    }

    /// The connection, if there is one that waits for nothing.
    pub(super) fn take_connection(&mut self) -> Option<Connection> {
        self.connection.take()
    }

    /// Gives back one on which nothing is on its way.
    pub(super) fn keep_connection(&mut self, connection: Connection) {
        self.connection = Some(connection);
    }

    pub(super) async fn connect(&self) -> Result<Connection, String> {
        let newest = self.partition.shared.cluster.identity.version;
        let connected = self.connect_in(newest).await;
        // At once: who asks for a vote asks once.
        match connected
            .as_ref()
            .err()
            .and_then(|why| hello::spoken_by(why))
        {
            Some(older) => self.connect_in(older).await,
            None => connected,
        }
    }

    async fn connect_in(&self, version: u16) -> Result<Connection, String> {
        let cluster = &self.partition.shared.cluster;
        let address = cluster
            .address(self.target as u32)
            .ok_or_else(|| format!("the address of member {} is not known yet", self.target))?;
        let stream = Stream::connect(address, CONNECT_WITHIN)
            .await
            .and_then(|stream| self.partition.shared.options.cluster.dialled(stream))
            .map_err(|error| format!("member {} at {address}: {error}", self.target))?;
        let (reader, mut writer) = stream.split();
        let mut reader = Reader::new(reader);
        let purpose = Purpose::Group(self.partition.id());
        let met = hello::introduce(
            &cluster.identity,
            purpose,
            version,
            &mut reader,
            &mut writer,
        )
        .await
        .map_err(|error| format!("member {} at {address}: {error}", self.target))?;
        if u64::from(met.node) != self.target {
            return Err(format!(
                "{address} is broker {}, not {}",
                met.node, self.target
            ));
        }
        Ok(Connection { reader, writer })
    }
}

/// Waits before a member that cannot be reached is tried again.
fn pauses() -> Backoff {
    let growing = (0..5_u32).map(|step| Duration::from_millis(25 << step));
    Backoff::new(growing.chain(std::iter::repeat(Duration::from_millis(500))))
}

pub(super) fn unreachable(why: String) -> RPCError<Group> {
    RPCError::Unreachable(Unreachable::new(&io::Error::other(why)))
}

fn misunderstood(why: String) -> RPCError<Group> {
    RPCError::Network(NetworkError::new(&io::Error::other(why)))
}

impl RaftNetworkFactory<Group> for Peers {
    type Network = Peer;

    async fn new_client(&mut self, target: u64, _member: &Member) -> Peer {
        Peer::new(Rc::clone(&self.partition), target)
    }
}

impl RaftNetworkV2<Group> for Peer {
    type SnapshotData = PathBuf;

    async fn append_entries(
        &mut self,
        request: AppendEntriesRequest<Group>,
        _option: RPCOption,
    ) -> Result<AppendEntriesResponse<Group>, RPCError<Group>> {
        let request = message::append(message::Append {
            request,
            exported: self.partition.mailbox.feed.acknowledged().0,
            leader_last: self.partition.log.last_index(),
        });
        let answer = self
            .call(&request, APPEND_WITHIN)
            .await
            .map_err(unreachable)?;
        message::expect(answer, message::APPENDED)
            .and_then(message::take_appended)
            .map_err(unreachable)
    }

    fn stream_append<'s, S>(
        &'s mut self,
        input: S,
        _option: RPCOption,
    ) -> BoxFuture<
        's,
        Result<BoxStream<'s, Result<StreamAppendResult<Group>, RPCError<Group>>>, RPCError<Group>>,
    >
    where
        S: futures::Stream<Item = AppendEntriesRequest<Group>> + Unpin + 'static,
    {
        pipeline::append(self, input)
    }

    async fn vote(
        &mut self,
        request: VoteRequest<Group>,
        _option: RPCOption,
    ) -> Result<VoteResponse<Group>, RPCError<Group>> {
        self.ask_for_vote(message::VOTE, &request).await
    }

    async fn pre_vote(
        &mut self,
        request: VoteRequest<Group>,
        _option: RPCOption,
    ) -> Result<VoteResponse<Group>, RPCError<Group>> {
        self.ask_for_vote(message::PRE_VOTE, &request).await
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: Snapshot,
        cancel: impl Future<Output = ReplicationClosed> + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<Group>, StreamingError<Group>> {
        let sending = send::snapshot(self, vote, snapshot);
        match futures::future::select(Box::pin(sending), Box::pin(cancel)).await {
            futures::future::Either::Left((sent, _)) => {
                sent.map(SnapshotResponse::new).map_err(|why| {
                    StreamingError::Unreachable(Unreachable::new(&io::Error::other(why)))
                })
            }
            futures::future::Either::Right((closed, _)) => Err(StreamingError::Closed(closed)),
        }
    }

    async fn transfer_leader(
        &mut self,
        request: TransferLeaderRequest<Group>,
        _option: RPCOption,
    ) -> Result<TransferLeaderResponse<Group>, RPCError<Group>> {
        let answer = self
            .call(&message::transfer(&request), ANSWER_WITHIN)
            .await
            .map_err(unreachable)?;
        message::expect(answer, message::TRANSFERRED).map_err(misunderstood)?;
        Ok(Ok(()))
    }

    fn backoff(&self) -> Option<Backoff> {
        Some(pauses())
    }
}

impl Peer {
    async fn ask_for_vote(
        &mut self,
        kind: u8,
        request: &VoteRequest<Group>,
    ) -> Result<VoteResponse<Group>, RPCError<Group>> {
        self.partition.unexported.may_lead().map_err(unreachable)?;
        let answer = self
            .call(&message::vote(kind, request), ANSWER_WITHIN)
            .await
            .map_err(unreachable)?;
        message::expect(answer, message::VOTED)
            .and_then(message::take_voted)
            .map_err(misunderstood)
    }

    /// What the member knows of the group, see `raft/join.rs`; tells it whether this replica has
    /// nothing.
    pub(crate) async fn stands(&mut self, has_nothing: bool) -> Result<Standing, String> {
        let answer = self
            .call(&message::standing(has_nothing), ANSWER_WITHIN)
            .await?;
        message::expect(answer, message::STANDS).and_then(message::take_stands)
    }
}
