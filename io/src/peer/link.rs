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
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::{Either, select};
use futures::io::{AsyncReadExt as _, ReadHalf, WriteHalf};
use ringflow_core::engine::effect::{Response, StreamId};
use ringflow_core::ids::Key;
use ringflow_core::record::Value;
use ringflow_core::record::value::JobRecord;
use rustc_hash::FxHashMap;
use tokio::sync::{mpsc, oneshot};

use crate::driver;
use crate::driver::stream::Stream;
use crate::peer::frame::{self, Frame, Reader};
use crate::peer::gossip::{self, Gossip};
use crate::peer::hello::{self, HelloError, Purpose};
use crate::peer::{message, thread};
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
/// Where the jobs of a stream go.
pub(crate) type Jobs = mpsc::Sender<(Key, Arc<JobRecord>)>;

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
}

/// The lane into a link; the one at this broker's own number leads nowhere.
#[derive(Debug)]
pub(crate) struct LinkHandle {
    lane: mpsc::Sender<ToPeer>,
    up: Arc<AtomicBool>,
}

impl LinkHandle {
    /// A lane, and what takes out of it.
    pub(crate) fn new() -> (Self, Outgoing) {
        let (lane, messages) = mpsc::channel(LANE);
        let up = Arc::new(AtomicBool::new(false));
        let outgoing = Outgoing {
            messages,
            up: Arc::clone(&up),
        };
        (Self { lane, up }, outgoing)
    }

    pub(crate) fn is_up(&self) -> bool {
        self.up.load(Ordering::Acquire)
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
}

#[cfg(test)]
impl Outgoing {
    /// What a simulated link carries next.
    pub(crate) async fn next(&mut self) -> Option<ToPeer> {
        self.messages.recv().await
    }

    pub(crate) fn set_up(&self) {
        self.up.store(true, Ordering::Release);
    }
}

/// What the two halves of a dialled link share.
#[derive(Default)]
struct Dialled {
    waiting: RefCell<FxHashMap<u64, Answer>>,
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
    loop {
        match connect(&shared, node).await {
            Ok((incarnation, reader, writer)) => {
                pause = PAUSES.0;
                told.clear();
                outgoing.up.store(true, Ordering::Release);
                // Up from the first moment: what is announced goes over this very link.
                gossip::announce(&gossip, node, incarnation);
                carry(&shared, &dialled, &mut outgoing, reader, writer).await;
                outgoing.up.store(false, Ordering::Release);
                #[expect(
                    clippy::iter_over_hash_type,
                    reason = "each caller hears only of its own request: the order cannot leak"
                )]
                for (_, answer) in dialled.waiting.borrow_mut().drain() {
                    // A caller that left does not need to know.
                    let _ = answer.send(Err(SubmitError::UnknownOutcome));
                }
            }
            Err(why) if why != told => {
                tracing::info!(broker = node, why, "no link");
                told = why;
            }
            Err(_) => {}
        }
        idle(&dialled, &mut outgoing, pause).await;
        pause = (pause * 2).min(PAUSES.1);
    }
}

type Ends = (u64, Reader<ReadHalf<Stream>>, WriteHalf<Stream>);

async fn connect(shared: &Shared, node: u32) -> Result<Ends, String> {
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
    let met = hello::introduce(&cluster.identity, Purpose::Link, &mut reader, &mut writer).await;
    match met {
        Ok((met, incarnation)) if met == node => Ok((incarnation, reader, writer)),
        Ok((met, _)) => Err(format!("{address} is broker {met}")),
        Err(HelloError::Refused(why)) => {
            thread::refused(shared, address, &why);
            Err(format!("{address} refuses this broker: {why}"))
        }
        Err(error) => Err(format!("{address}: {error}")),
    }
}

/// Takes messages while there is no connection.
async fn idle(dialled: &Dialled, outgoing: &mut Outgoing, pause: Duration) {
    let refusing = async {
        while let Some(message) = outgoing.messages.recv().await {
            match message {
                ToPeer::Submit { answer, .. } => {
                    // A caller that left does not need to know.
                    let _ = answer.send(Err(DOWN));
                }
                ToPeer::Frame(_) => {}
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
    let _: Option<()> = driver::within(pause, refusing).await;
}

async fn carry(
    shared: &Arc<Shared>,
    dialled: &Dialled,
    outgoing: &mut Outgoing,
    mut reader: Reader<ReadHalf<Stream>>,
    mut writer: WriteHalf<Stream>,
) {
    let writing = async {
        let mut out = message::status(&thread::own_status(shared));
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
