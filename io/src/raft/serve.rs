//! Answering the other members: one task per group connection, requests answered in order.
//!
//! Appends are handed to openraft as they come and answered when they are on disk, several of them
//! under way at once ([`APPENDS_MAX`]). Anything else is answered when it is read, also before appends
//! that are under way: who asks sends it on a connection without any.
//!
//! A request that cannot be answered is answered with a sentence; a frame that is not one ends the
//! connection. When the connection of the leader breaks and its process is found to be gone (it
//! refuses connections), an election is hastened instead of waiting for the time-out: the preferred
//! replica first, the others a moment later. A leader that is only slow, or cut off, answers nothing
//! and is left to the time-out.

use std::future::Future;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::future::{Either, select};
use futures::io::{AsyncReadExt as _, ReadHalf};
use futures::stream::FuturesOrdered;
use openraft::async_runtime::WatchReceiver;
use openraft::raft::TransferLeaderRequest;
use ringflow_core::ids::Position;

use crate::driver;
use crate::driver::stream::Stream;
use crate::partition::Partition;
use crate::peer::frame::{self, Frame, FrameError, Reader};
use crate::peer::listener::GroupConnection;
use crate::raft::message::{self, Standing};
use crate::raft::receive::Receiving;
use crate::raft::{Handle, join};

/// Appends of one connection under way at once; no more is read from it then.
const APPENDS_MAX: usize = 32;
/// Bytes of them.
const APPEND_BYTES_MAX: usize = 16 << 20;
/// A connection on which nothing was asked for so long is closed; the other side connects anew.
const IDLE: Duration = Duration::from_secs(120);
/// How long a process that is gone is looked for.
const LOOK_WITHIN: Duration = Duration::from_millis(250);
/// First look after a broken connection, and the time by which less preferred replicas wait longer.
const HASTE: Duration = Duration::from_millis(20);
const HASTE_STEP: Duration = Duration::from_millis(150);
/// Time an election may take before it is tried again, and how often it is tried.
const HASTE_AGAIN: Duration = Duration::from_millis(300);
const HASTE_TRIES: u32 = 3;

/// Serves a connection until it ends.
pub(crate) async fn serve(partition: Weak<Partition>, raft: Handle, connection: GroupConnection) {
    let from = connection.from;
    let stream = match Stream::adopt(connection.stream) {
        Ok(stream) => stream,
        Err(error) => {
            tracing::warn!(from, %error, "a member's connection cannot be used");
            return;
        }
    };
    let (reader, mut writer) = stream.split();
    let mut reader: Reader<ReadHalf<Stream>> = Reader::new(reader);
    let mut receiving = Receiving::default();
    let mut appends = false;
    let mut under_way = UnderWay::default();
    loop {
        let request = match next(&mut reader, &mut under_way).await {
            Next::Request(request) => request,
            Next::Answer(answer) => {
                if frame::write(&mut writer, &answer).await.is_err() {
                    break;
                }
                continue;
            }
            Next::Broken(why) => {
                if let Some(why) = why {
                    tracing::warn!(from, why, "a member's connection is closed");
                }
                break;
            }
        };
        let Some(partition) = partition.upgrade() else {
            return;
        };
        if request.kind == message::APPEND {
            appends = true;
            under_way.begin(append(partition, raft.clone(), request.body));
            continue;
        }
        let answer = match answer(&partition, &raft, &mut receiving, from, request).await {
            Ok(answer) => answer,
            Err(why) => message::failed(&why),
        };
        drop(partition);
        if frame::write(&mut writer, &answer).await.is_err() {
            break;
        }
    }
    drop(under_way);
    drop((reader, writer));
    if appends {
        suspect(partition, raft, from).await;
    }
}

/// Gives the size of an append's request and the frame that answers it.
type Appended = Pin<Box<dyn Future<Output = (usize, Vec<u8>)>>>;

/// Appends that openraft has and that are not answered yet, in order.
#[derive(Default)]
struct UnderWay {
    answers: FuturesOrdered<Appended>,
    bytes: usize,
}

impl UnderWay {
    fn begin(&mut self, (bytes, append): (usize, impl Future<Output = Vec<u8>> + 'static)) {
        self.bytes += bytes;
        self.answers
            .push_back(Box::pin(async move { (bytes, append.await) }));
    }
}

/// What a connection waited for.
enum Next {
    Request(Frame),
    Answer(Vec<u8>),
    /// It is over; with a sentence if something is wrong.
    Broken(Option<String>),
}

async fn next(reader: &mut Reader<ReadHalf<Stream>>, under_way: &mut UnderWay) -> Next {
    let UnderWay { answers, bytes } = under_way;
    let has_room = answers.len() < APPENDS_MAX && *bytes < APPEND_BYTES_MAX;
    let waits = !answers.is_empty();
    let answer = async {
        if !waits {
            return std::future::pending().await;
        }
        match answers.next().await {
            Some((done, answer)) => {
                *bytes -= done;
                Next::Answer(answer)
            }
            None => Next::Broken(None),
        }
    };
    let request = async {
        if !has_room {
            return std::future::pending().await;
        }
        match driver::within(IDLE, reader.next()).await {
            Some(Ok(request)) => Next::Request(request),
            None | Some(Err(FrameError::Closed | FrameError::Io(_))) => Next::Broken(None),
            Some(Err(error)) => Next::Broken(Some(error.to_string())),
        }
    };
    let (answer, request) = (std::pin::pin!(answer), std::pin::pin!(request));
    match select(answer, request).await {
        Either::Left((next, _)) | Either::Right((next, _)) => next,
    }
}

/// Bytes of an append, and its answer when it is on disk.
fn append(
    partition: Rc<Partition>,
    raft: Handle,
    body: Bytes,
) -> (usize, impl Future<Output = Vec<u8>> + 'static) {
    let bytes = body.len();
    let appended = async move {
        let append = message::take_append(body)?;
        let (exported, leader_last) = (append.exported, append.leader_last);
        let term = append.request.vote.leader_id.term;
        partition.joining.may_confirm(term)?;
        let response = raft
            .append_entries(append.request)
            .await
            .map_err(|error| error.to_string())?;
        if response.is_success() {
            partition.mailbox.feed.acknowledge(Position(exported));
            partition.joining.follow(leader_last);
        }
        Ok(message::appended(&response))
    };
    let answered = async move {
        let appended: Result<Vec<u8>, String> = appended.await;
        appended.unwrap_or_else(|why| message::failed(&why))
    };
    (bytes, answered)
}

async fn answer(
    partition: &Rc<Partition>,
    raft: &Handle,
    receiving: &mut Receiving,
    from: u32,
    request: Frame,
) -> Result<Vec<u8>, String> {
    match request.kind {
        message::VOTE => {
            partition.joining.may_vote()?;
            let request = message::take_vote_request(request.body)?;
            let response = raft.vote(request).await.map_err(|e| e.to_string())?;
            Ok(message::voted(&response))
        }
        message::PRE_VOTE => {
            partition.joining.may_vote()?;
            let request = message::take_vote_request(request.body)?;
            let response = raft.pre_vote(request).await.map_err(|e| e.to_string())?;
            Ok(message::voted(&response))
        }
        message::TRANSFER => {
            partition.joining.may_vote()?;
            partition.unexported.may_lead()?;
            let request = message::take_transfer(request.body)?;
            raft.handle_transfer_leader(request)
                .await
                .map_err(|error| error.to_string())?
                .map_err(|error| error.to_string())?;
            Ok(message::bare(message::TRANSFERRED))
        }
        message::STANDING => {
            if message::take_standing(request.body)? {
                partition.joining.heard_empty(from);
            }
            let term = raft.metrics().borrow_watched().current_term;
            Ok(message::stands(Standing {
                established: join::is_established(partition),
                term,
                exported: partition.mailbox.feed.exported(),
            }))
        }
        message::SNAPSHOT => receiving.begin(partition, request.body).await,
        message::CHUNK => receiving.take(partition, request.body).await,
        message::INSTALL => receiving.install(partition, raft).await,
        other => Err(format!("a request of unknown kind {other}")),
    }
}

/// Hastens an election if `from` led and its process is gone.
async fn suspect(partition: Weak<Partition>, raft: Handle, from: u32) {
    let leads = |raft: &Handle| {
        let metrics = raft.metrics();
        let metrics = metrics.borrow_watched();
        (metrics.current_leader == Some(u64::from(from)) && metrics.id != u64::from(from))
            .then(|| (metrics.vote, metrics.current_term, metrics.id))
    };
    if leads(&raft).is_none() {
        return;
    }
    let Some(wait) = partition.upgrade().map(|partition| {
        let own = partition.shared.options.node_id;
        let before = &partition.placed().active;
        let rank = before
            .iter()
            .filter(|replica| replica.node != from)
            .position(|replica| replica.node == own)
            .unwrap_or(before.len());
        HASTE + HASTE_STEP * rank as u32
    }) else {
        return;
    };
    driver::sleep(wait).await;
    let Some(partition) = partition.upgrade() else {
        return;
    };
    let Some(address) = partition.shared.cluster.address(from) else {
        return;
    };
    let gone = match Stream::connect(address, LOOK_WITHIN).await {
        Ok(_) => false,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionRefused,
    };
    let Some((_, term, own)) = leads(&raft) else {
        return;
    };
    let could = partition.joining.may_vote().is_ok() && partition.unexported.may_lead().is_ok();
    if !gone || !could {
        return;
    }
    tracing::info!(
        partition = %partition.id(),
        leader = from,
        term,
        "the leader's process is gone; an election is hastened"
    );
    drop(partition);
    // One attempt can fail: another replica has the longer log, or asked at the same time.
    for _ in 0..HASTE_TRIES {
        let vote = {
            let metrics = raft.metrics();
            let metrics = metrics.borrow_watched();
            let gone = u64::from(from);
            if metrics.running_state.is_err()
                || metrics.current_leader.is_some_and(|leader| leader != gone)
            {
                return;
            }
            metrics.vote
        };
        // As if the leader had asked us to take over: the others then do not wait for its lease,
        // which nobody relies on here.
        let request = TransferLeaderRequest::new(vote, own, None);
        if let Err(error) = raft.handle_transfer_leader(request).await {
            tracing::warn!(%error, "the election could not be hastened");
            return;
        }
        driver::sleep(HASTE_AGAIN + wait).await;
    }
}
