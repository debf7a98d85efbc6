//! The `peers` thread of a broker: listener, links, gossip, and the news this broker tells.
//!
//! One tokio runtime on one thread, whatever drives the shards: what runs here is not on the way of
//! replication. It begins before the shards and ends after them, so that a leader can hand over while
//! it stops. A cluster of one has no such thread.

use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use ringflow_core::engine::input::Command;
use ringflow_core::ids::{Key, PartitionId};
use ringflow_core::record::intent::of;
use ringflow_core::record::value::JobRecord;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::oneshot;

use crate::driver::stream::Stream;
use crate::driver::{self, Driver, ExecutorOptions};
use crate::peer::gossip::{self, Gossip};
use crate::peer::hello::{self, HelloError, Purpose};
use crate::peer::link::{self, Outgoing, ToPeer};
use crate::peer::roster::{ReplicaStatus, Status};
use crate::peer::{address, frame, listener, message};
use crate::shard::mailbox::Request;
use crate::submit::Shared;

/// How often the status is told although no role changed: positions move.
const STATUS_EVERY: Duration = Duration::from_millis(500);
/// Time between looks for the broker behind a contact point.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// The same once the broker is known.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// Longest attempt to connect to a contact point.
const CONNECT_WITHIN: Duration = Duration::from_secs(1);
/// How long what was said last may take to leave.
const LEAVE_WITHIN: Duration = Duration::from_millis(50);

/// The running thread; ends when dropped.
#[derive(Debug)]
pub(crate) struct PeersThread {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

/// Starts the thread. `listener` is bound already, `outgoing` are the lanes by broker.
pub(crate) fn start(
    shared: Arc<Shared>,
    listener: TcpListener,
    advertised: SocketAddr,
    outgoing: Vec<Outgoing>,
) -> Result<PeersThread, String> {
    let (stop, stopped) = oneshot::channel();
    let options = ExecutorOptions {
        name: "peers".to_owned(),
        core: None,
        spin: Duration::ZERO,
    };
    listener
        .set_nonblocking(true)
        .map_err(|error| format!("the peer listener cannot be used: {error}"))?;
    let thread = thread::Builder::new()
        .name(options.name.clone())
        .spawn(move || {
            let main = run(shared, listener, advertised, outgoing, stopped);
            if let Err(why) = driver::run(Driver::Plain, &options, main) {
                tracing::error!(why, "the peers thread ended");
            }
        })
        .map_err(|error| format!("no thread can be started: {error}"))?;
    Ok(PeersThread {
        stop: Some(stop),
        thread: Some(thread),
    })
}

impl Drop for PeersThread {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It has nothing that could be lost.
            let _ = thread.join();
        }
    }
}

async fn run(
    shared: Arc<Shared>,
    listener: TcpListener,
    advertised: SocketAddr,
    outgoing: Vec<Outgoing>,
    stopped: oneshot::Receiver<()>,
) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(%error, "the peer listener cannot be used");
            return;
        }
    };
    let gossip = Gossip::new(Arc::clone(&shared), advertised);
    driver::spawn(listener::listen(
        listener,
        Arc::clone(&shared),
        Rc::clone(&gossip),
    ));
    let own = shared.cluster.identity.node;
    for (node, outgoing) in outgoing.into_iter().enumerate() {
        if node as u32 != own {
            let (shared, gossip) = (Arc::clone(&shared), Rc::clone(&gossip));
            driver::spawn(link::dial(shared, gossip, node as u32, outgoing));
        }
    }
    for contact in shared.options.cluster.contact_points.clone() {
        driver::spawn(find(Arc::clone(&shared), contact));
    }
    driver::spawn(tell_status(Arc::clone(&shared)));
    driver::spawn(tell_available(Arc::clone(&shared)));
    // An error says that the handle is gone, which is the wish to stop.
    let _ = stopped.await;
    gossip::leave(&gossip);
    driver::sleep(LEAVE_WITHIN).await;
}

/// Finds out which broker is behind a contact point, and looks again now and then: it may move.
async fn find(shared: Arc<Shared>, contact: String) {
    let cluster = &shared.cluster;
    let mut told = String::new();
    loop {
        let found = look(&shared, &contact).await;
        let known = match found {
            Ok((node, _, _)) if node == cluster.identity.node => true,
            Ok((node, incarnation, address)) => {
                cluster.change(node, |known| {
                    if incarnation >= known.incarnation {
                        known.address = Some(address);
                        known.incarnation = incarnation;
                    }
                });
                told.clear();
                true
            }
            Err(why) => {
                if why != told {
                    tracing::info!(contact, why, "a contact point does not answer yet");
                    told = why;
                }
                false
            }
        };
        driver::sleep(if known { LOOK_AGAIN } else { LOOK_EVERY }).await;
    }
}

async fn look(shared: &Shared, contact: &str) -> Result<(u32, u64, SocketAddr), String> {
    use futures::io::AsyncReadExt as _;
    let address = address::resolve(contact).await?;
    let stream = Stream::connect(address, CONNECT_WITHIN)
        .await
        .and_then(|stream| shared.options.cluster.dialled(stream))
        .map_err(|error| error.to_string())?;
    let (reader, mut writer) = stream.split();
    let mut reader = frame::Reader::new(reader);
    let identity = &shared.cluster.identity;
    match hello::introduce(identity, Purpose::Look, &mut reader, &mut writer).await {
        Ok((node, incarnation)) => Ok((node, incarnation, address)),
        Err(HelloError::Refused(why)) => {
            refused(shared, address, &why);
            Err(why)
        }
        Err(error) => Err(error.to_string()),
    }
}

/// Notes that another broker refuses this one. A broker that was part of the cluster goes on trying;
/// one that never was cannot start.
pub(crate) fn refused(shared: &Shared, by: SocketAddr, why: &str) {
    let joined = shared
        .partitions
        .iter()
        .any(|mailbox| mailbox.status.has_led_or_followed());
    tracing::error!(%by, why, joined, "another broker refuses this one");
    if !joined {
        shared
            .cluster
            .fatal
            .send_replace(Some(format!("the broker at {by} refuses this one: {why}")));
    }
}

/// What this broker says of itself.
pub(crate) fn own_status(shared: &Shared) -> Status {
    let replicas = shared.partitions.iter().map(|mailbox| ReplicaStatus {
        partition: mailbox.partition,
        role: mailbox.status.role(),
        health: mailbox.status.health(),
        term: mailbox.status.term(),
        position: mailbox.feed.committed().0,
        index: mailbox.feed.committed_index(),
    });
    Status {
        address: shared.options.address.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        replicas: replicas.collect(),
    }
}

async fn tell_status(shared: Arc<Shared>) {
    let changed = Arc::clone(&shared.cluster.role_changed);
    loop {
        let _: Option<()> = driver::within(STATUS_EVERY, changed.notified()).await;
        let frame = message::status(&own_status(&shared));
        for link in &shared.cluster.links {
            // A link that is down tells the status first when it is up again.
            let _ = link.try_send(ToPeer::Frame(frame.clone()));
        }
    }
}

async fn tell_available(shared: Arc<Shared>) {
    let mut available = shared.available_here.subscribe();
    loop {
        match available.recv().await {
            Ok(job_type) => {
                let frame = message::jobs_available(&job_type);
                for link in &shared.cluster.links {
                    // Polls that miss it look again by themselves.
                    let _ = link.try_send(ToPeer::Frame(frame.clone()));
                }
            }
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return,
        }
    }
}

/// Gives back a job that its stream did not take, wherever its partition is led.
pub(crate) fn yield_job(shared: &Arc<Shared>, key: Key, job: Arc<JobRecord>) {
    let command = Command::internal(key, of::Job::Yield, job);
    push_anywhere(shared, key.partition(), command);
}

/// Hands a command that nobody sends again to the partition's leader, here or elsewhere.
pub(crate) fn push_anywhere(shared: &Arc<Shared>, to: PartitionId, command: Command) {
    if shared
        .partitions
        .get(to)
        .is_some_and(|mailbox| mailbox.status.serves())
    {
        push_last_chance(shared, to, command);
        return;
    }
    let Some((node, _)) = shared.cluster.roster().leader(to) else {
        return;
    };
    if let Some(link) = shared.cluster.links.get(node as usize) {
        // If it is lost, a time-out in state makes it good.
        let _ = link.try_send(ToPeer::Frame(message::send(to, true, command)));
    }
}

/// Hands a command that nobody sends again to a partition that is led here.
pub(crate) fn push_last_chance(shared: &Shared, to: PartitionId, command: Command) {
    if let Some(mailbox) = shared.partitions.get(to) {
        let request = Request {
            command,
            reply: None,
            enqueued: driver::now(),
            counted: false,
        };
        // If even the reserved lane is full, a time-out in state makes it good.
        let _ = mailbox.push_reserved(request);
    }
}
