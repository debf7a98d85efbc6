//! Links: one connection that this broker dials to every other, and one from every other.
//!
//! A link carries what the dialling side asks and the answers to it. Its lane is bounded; full means
//! for a command that it is refused as if the partition were overloaded, for anything else that it is
//! lost, which its owner in state makes good. A link that breaks leaves the commands it had sent with
//! an unknown outcome, never sends them again, and refuses those it had not sent. Open job streams
//! are opened again on the next connection.
//!
//! Runs on the `peers` thread; only the lanes are touched by others.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::time::Duration;

use futures::future::{Either, select};
use futures::io::{AsyncReadExt as _, ReadHalf, WriteHalf};
use ringflow_core::engine::effect::{Response, StreamId};
use ringflow_core::record::Value;
use rustc_hash::FxHashMap;
use tokio::sync::{mpsc, oneshot};

use crate::cluster::coordinator::PlannedChange;
use crate::cluster::plan::ChangeError;
use crate::driver;
use crate::driver::stream::Stream;
use crate::peer::change;
use crate::peer::frame::{self, Frame, Reader};
use crate::peer::gossip::{self, Gossip};
use crate::peer::hello::{self, HelloError, Met, Purpose};
use crate::peer::roster::Roster;
use crate::peer::{message, thread};
use crate::submit::stream::Jobs;
use crate::submit::{Shared, StreamSpec, SubmitError};

/// Messages that wait for a link.
const LANE: usize = 4 * 1024;
/// Bytes of frames written at once.
const WRITE_BYTES: usize = 256 << 10;
/// Longest attempt to connect.
const CONNECT_WITHIN: Duration = Duration::from_secs(1);
/// First and longest pause between attempts.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(500));
/// Callers above which those who left are swept out.
const SWEEP_AT: usize = 4 * 1024;

/// Where the answer of a command goes.
pub(crate) type Answer = oneshot::Sender<Result<Response, SubmitError>>;

/// What a link is asked to carry.
#[derive(Debug)]
pub(crate) enum ToPeer {
    /// A command that waits for its answer, as a sealed frame.
    Submit {
        request: u64,
        frame: Vec<u8>,
        answer: Answer,
    },
    /// Anything nobody waits for, as a sealed frame.
    Frame(Vec<u8>),
    /// A job stream that is to be open while the link is up.
    OpenStream {
        id: StreamId,
        spec: StreamSpec,
        jobs: Jobs,
    },
    /// It is closed.
    CloseStream(StreamId),
    /// A change of the cluster that waits for its answer, as a sealed frame.
    Change {
        request: u64,
        frame: Vec<u8>,
        answer: oneshot::Sender<Changed>,
    },
}

/// What became of a change that was asked for.
pub(crate) type Changed = Result<PlannedChange, ChangeError>;

/// The lane into a link; the one at this broker's own number leads nowhere.
#[derive(Debug)]
pub(crate) struct LinkHandle {
    lane: mpsc::Sender<ToPeer>,
    up: Arc<AtomicBool>,
    /// Version of the protocol while it is up.
    version: Arc<AtomicU16>,
}

impl LinkHandle {
    /// A lane, and what takes out of it.
    pub(crate) fn new() -> (Self, Outgoing) {
        let (lane, messages) = mpsc::channel(LANE);
        let up = Arc::new(AtomicBool::new(false));
        let version = Arc::new(AtomicU16::new(0));
        let outgoing = Outgoing {
            messages,
            up: Arc::clone(&up),
            version: Arc::clone(&version),
        };
        (Self { lane, up, version }, outgoing)
    }

    pub(crate) fn is_up(&self) -> bool {
        self.up.load(Ordering::Acquire)
    }

    /// True if it is up and carries what is said of the cluster's configuration.
    pub(crate) fn carries_configuration(&self) -> bool {
        self.is_up() && self.version.load(Ordering::Acquire) >= hello::CONFIGURATION_SINCE
    }

    /// Hands over a message; gives it back if the lane is full or the link down (streams are taken
    /// by a link that is down as well).
    pub(crate) fn try_send(&self, message: ToPeer) -> Result<(), ToPeer> {
        let keeps = matches!(message, ToPeer::OpenStream { .. } | ToPeer::CloseStream(_));
        if !keeps && !self.is_up() {
            return Err(message);
        }
        self.lane.try_send(message).map_err(|error| match error {
            mpsc::error::TrySendError::Full(message)
            | mpsc::error::TrySendError::Closed(message) => message,
        })
    }
}

/// The other end of a lane.
#[derive(Debug)]
pub(crate) struct Outgoing {
    messages: mpsc::Receiver<ToPeer>,
    up: Arc<AtomicBool>,
    version: Arc<AtomicU16>,
}

#[cfg(test)]
impl Outgoing {
    /// What a simulated link carries next.
    pub(crate) async fn next(&mut self) -> Option<ToPeer> {
        self.messages.recv().await
    }

    pub(crate) fn set_up(&self) {
        self.version
            .store(hello::PROTOCOL_VERSION, Ordering::Release);
        self.up.store(true, Ordering::Release);
    }
}

/// What the two halves of a dialled link share.
#[derive(Default)]
struct Dialled {
    waiting: RefCell<FxHashMap<u64, Answer>>,
    changes: RefCell<BTreeMap<u64, oneshot::Sender<Changed>>>,
    streams: RefCell<BTreeMap<StreamId, (StreamSpec, Jobs)>>,
}

const DOWN: SubmitError = SubmitError::Unavailable {
    reason: "there is no link to the broker that leads the partition",
};

/// Keeps the link to `node` for the life of the thread.
pub(crate) async fn dial(
    shared: Arc<Shared>,
    gossip: Rc<RefCell<Gossip>>,
    node: u32,
    mut outgoing: Outgoing,
) {
    let dialled = Dialled::default();
    let mut pause = PAUSES.0;
    let mut told = String::new();
    let is_founder = node < shared.cluster.identity.size;
    loop {
        if !is_founder && shared.cluster.address(node).is_none() {
            // Nobody has ever heard of most of them.
            idle(&dialled, &mut outgoing, known(&shared, node)).await;
        }
        match connect(&shared, node).await {
            Ok((met, reader, writer)) => {
                let incarnation = met.incarnation;
                pause = PAUSES.0;
                told.clear();
                outgoing.version.store(met.version, Ordering::Release);
                outgoing.up.store(true, Ordering::Release);
                // Up from the first moment: what is announced goes over this very link.
                gossip::announce(&gossip, node, incarnation);
                carry(&shared, &dialled, &mut outgoing, reader, writer).await;
                outgoing.up.store(false, Ordering::Release);
                // Who waits hears that nothing is known.
                dialled.changes.borrow_mut().clear();
                #[expect(
                    clippy::iter_over_hash_type,
                    reason = "each caller hears only of its own request: the order cannot leak"
                )]
                for (_, answer) in dialled.waiting.borrow_mut().drain() {
                    // A caller that left does not need to know.
                    let _ = answer.send(Err(SubmitError::UnknownOutcome));
                }
            }
            Err(why) => {
                if why != told {
                    tracing::info!(broker = node, why, "no link");
                    told = why;
                }
            }
        }
        idle(&dialled, &mut outgoing, driver::sleep(pause)).await;
        pause = (pause * 2).min(PAUSES.1);
    }
}

/// Returns when it is known where `node` is.
async fn known(shared: &Shared, node: u32) {
    let mut roster = shared.cluster.watch();
    let place = |roster: &Arc<Roster>| {
        let known = roster.brokers.get(node as usize);
        known.is_some_and(|known| known.address.is_some())
    };
    // Who sends the changes lives as long as `shared`.
    let _ = roster.wait_for(place).await;
}

type Ends = (Met, Reader<ReadHalf<Stream>>, WriteHalf<Stream>);

async fn connect(shared: &Shared, node: u32) -> Result<Ends, String> {
    let connected = connect_in(shared, node, shared.cluster.identity.version).await;
    match connected
        .as_ref()
        .err()
        .and_then(|why| hello::spoken_by(why))
    {
        Some(older) => connect_in(shared, node, older).await,
        None => connected,
    }
}

async fn connect_in(shared: &Shared, node: u32, version: u16) -> Result<Ends, String> {
    let cluster = &shared.cluster;
    let address = cluster
        .address(node)
        .ok_or("its address is not known yet".to_owned())?;
    let stream = Stream::connect(address, CONNECT_WITHIN)
        .await
        .and_then(|stream| shared.options.cluster.dialled(stream))
        .map_err(|error| format!("{address}: {error}"))?;
    let (reader, mut writer) = stream.split();
    let mut reader = Reader::new(reader);
    let (identity, purpose) = (&cluster.identity, Purpose::Link);
    let met = hello::introduce(identity, purpose, version, &mut reader, &mut writer).await;
    match met {
        Ok(met) if met.node == node => Ok((met, reader, writer)),
        Ok(met) => Err(format!("{address} is broker {}", met.node)),
        Err(HelloError::Refused(why)) => {
            if hello::spoken_by(&why).is_none() {
                thread::refused(shared, address, &why);
            }
            Err(format!("{address} refuses this broker: {why}"))
        }
        Err(error) => Err(format!("{address}: {error}")),
    }
}

/// Takes messages while there is no connection, until `end`.
async fn idle(dialled: &Dialled, outgoing: &mut Outgoing, end: impl Future<Output = ()>) {
    let refusing = async {
        while let Some(message) = outgoing.messages.recv().await {
            match message {
                ToPeer::Submit { answer, .. } => {
                    // A caller that left does not need to know.
                    let _ = answer.send(Err(DOWN));
                }
                // Who asked for a change hears it by the answer's end.
                ToPeer::Frame(_) | ToPeer::Change { .. } => {}
                ToPeer::OpenStream { id, spec, jobs } => {
                    dialled.streams.borrow_mut().insert(id, (spec, jobs));
                }
                ToPeer::CloseStream(id) => {
                    dialled.streams.borrow_mut().remove(&id);
                }
            }
        }
        std::future::pending::<()>().await;
    };
    select(std::pin::pin!(refusing), std::pin::pin!(end)).await;
}

async fn carry(
    shared: &Arc<Shared>,
    dialled: &Dialled,
    outgoing: &mut Outgoing,
    mut reader: Reader<ReadHalf<Stream>>,
    mut writer: WriteHalf<Stream>,
) {
    let speaks_of_configuration =
        outgoing.version.load(Ordering::Acquire) >= hello::CONFIGURATION_SINCE;
    let writing = async {
        let mut out = message::status(&thread::own_status(shared));
        if speaks_of_configuration {
            thread::put_configuration(shared, &mut out);
        }
        for (id, (spec, _)) in dialled.streams.borrow().iter() {
            out.extend_from_slice(&message::open_stream(*id, spec));
        }
        loop {
            if frame::write(&mut writer, &out).await.is_err() {
                return;
            }
            out.clear();
            let Some(first) = outgoing.messages.recv().await else {
                return;
            };
            put(dialled, first, &mut out);
            while out.len() < WRITE_BYTES
                && let Ok(more) = outgoing.messages.try_recv()
            {
                put(dialled, more, &mut out);
            }
        }
    };
    let reading = async {
        loop {
            let taken = match reader.next().await {
                Ok(frame) => answered(shared, dialled, frame),
                Err(error) => Err(error.to_string()),
            };
            if let Err(why) = taken {
                return why;
            }
        }
    };
    let writing = std::pin::pin!(writing);
    let reading = std::pin::pin!(reading);
    match select(writing, reading).await {
        Either::Left(((), _)) => tracing::debug!("a link could not be written"),
        Either::Right((why, _)) => tracing::debug!(why, "a link ended"),
    }
}

fn put(dialled: &Dialled, message: ToPeer, out: &mut Vec<u8>) {
    match message {
        ToPeer::Submit {
            request,
            frame,
            answer,
        } => {
            let mut waiting = dialled.waiting.borrow_mut();
            if waiting.len() >= SWEEP_AT {
                waiting.retain(|_, answer| !answer.is_closed());
            }
            waiting.insert(request, answer);
            out.extend_from_slice(&frame);
        }
        ToPeer::Frame(frame) => out.extend_from_slice(&frame),
        ToPeer::OpenStream { id, spec, jobs } => {
            out.extend_from_slice(&message::open_stream(id, &spec));
            dialled.streams.borrow_mut().insert(id, (spec, jobs));
        }
        ToPeer::CloseStream(id) => {
            dialled.streams.borrow_mut().remove(&id);
            out.extend_from_slice(&message::stream(message::CLOSE_STREAM, id));
        }
        ToPeer::Change {
            request,
            frame,
            answer,
        } => {
            dialled.changes.borrow_mut().insert(request, answer);
            out.extend_from_slice(&frame);
        }
    }
}

fn answered(shared: &Arc<Shared>, dialled: &Dialled, frame: Frame) -> Result<(), String> {
    match frame.kind {
        message::ANSWER => {
            let (request, outcome) = message::take_answer(frame.body)?;
            if let Some(answer) = dialled.waiting.borrow_mut().remove(&request) {
                // The caller may have left.
                let _ = answer.send(outcome);
            }
            Ok(())
        }
        message::JOB => {
            let (id, key, value) = message::take_job(frame.body)?;
            let Value::Job(job) = value else {
                return Err("a pushed job that is none".to_owned());
            };
            let stream = dialled
                .streams
                .borrow()
                .get(&id)
                .map(|(_, jobs)| jobs.clone());
            let refused = match stream {
                None => Some((key, job)),
                Some(jobs) => jobs.try_send((key, job)).err().map(|error| match error {
                    mpsc::error::TrySendError::Full(job)
                    | mpsc::error::TrySendError::Closed(job) => job,
                }),
            };
            if let Some((key, job)) = refused {
                thread::yield_job(shared, key, job);
            }
            Ok(())
        }
        message::STREAM_ENDED => {
            // Its reader sees the end and opens a new one.
            let id = message::take_stream(frame.body)?;
            dialled.streams.borrow_mut().remove(&id);
            Ok(())
        }
        change::CHANGED => {
            let (request, outcome) = change::take_changed(frame.body)?;
            if let Some(answer) = dialled.changes.borrow_mut().remove(&request) {
                // The caller may have left.
                let _ = answer.send(outcome);
            }
            Ok(())
        }
        other => Err(format!("a frame of unknown kind {other}")),
    }
}

/// Notes where a broker that said hello is; false if it is this one.
pub(crate) async fn met(
    shared: &Shared,
    _gossip: &Rc<RefCell<Gossip>>,
    identity: &hello::Identity,
) -> bool {
    if identity.node == shared.cluster.identity.node {
        return false;
    }
    if let Ok(address) = crate::peer::address::resolve(&identity.address).await {
        shared.cluster.change(identity.node, |known| {
            known.address = Some(address);
            known.incarnation = identity.incarnation;
        });
    }
    true
}

pub(crate) use crate::peer::serve::serve;
