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

use futures::future::select;
use ringflow_core::engine::input::Command;
use ringflow_core::ids::{Key, PartitionId};
use ringflow_core::record::intent::of;
use ringflow_core::record::value::JobRecord;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::oneshot;

use crate::cluster::coordinator;
use crate::cluster::replicas::Replicas;
use crate::driver::stream::Stream;
use crate::driver::{self, Driver, ExecutorOptions};
use crate::partition::cut::Stamped;
use crate::peer::gossip::{self, Gossip};
use crate::peer::hello::{self, HelloError, Met, Purpose};
use crate::peer::link::{self, Outgoing, ToPeer};
use crate::peer::roster::{ReplicaStatus, Status};
use crate::peer::{address, change, frame, listener, message};
use crate::shard::mailbox::Request;
use crate::submit::Shared;

/// How often the status is told although no role changed: positions move.
const STATUS_EVERY: Duration = Duration::from_millis(500);
/// Time between looks for the broker behind a contact point.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// The same once the broker is known.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// Time between looks for the next step of a change of the cluster.
const STEP_EVERY: Duration = Duration::from_millis(20);
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
    driver::spawn(keep_cluster(Arc::clone(&shared)));
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
            Ok((met, _)) if met.node == cluster.identity.node => true,
            Ok((met, address)) => {
                let incarnation = met.incarnation;
                cluster.change(met.node, |known| {
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

async fn look(shared: &Shared, contact: &str) -> Result<(Met, SocketAddr), String> {
    let looked = look_in(shared, contact, shared.cluster.identity.version).await;
    match looked.as_ref().err().and_then(|why| hello::spoken_by(why)) {
        Some(older) => look_in(shared, contact, older).await,
        None => looked,
    }
}

async fn look_in(
    shared: &Shared,
    contact: &str,
    version: u16,
) -> Result<(Met, SocketAddr), String> {
    use futures::io::AsyncReadExt as _;
    let address = address::resolve(contact).await?;
    let stream = Stream::connect(address, CONNECT_WITHIN)
        .await
        .and_then(|stream| shared.options.cluster.dialled(stream))
        .map_err(|error| error.to_string())?;
    let (reader, mut writer) = stream.split();
    let mut reader = frame::Reader::new(reader);
    let identity = &shared.cluster.identity;
    match hello::introduce(identity, Purpose::Look, version, &mut reader, &mut writer).await {
        Ok(met) => Ok((met, address)),
        Err(HelloError::Refused(why)) => {
            if hello::spoken_by(&why).is_none() {
                refused(shared, address, &why);
            }
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
    let mut configurations = shared.cluster.watch_configuration();
    loop {
        let news = async {
            let (role, configuration) = (changed.notified(), configurations.changed());
            select(std::pin::pin!(role), std::pin::pin!(configuration)).await;
        };
        let _: Option<()> = driver::within(STATUS_EVERY, news).await;
        let status = message::status(&own_status(&shared));
        let standing = change::standing(&coordinator::own_standing(&shared));
        let configuration = shared.cluster.configuration();
        let document = change::configuration(&configuration);
        let roster = shared.cluster.roster();
        for (node, link) in shared.cluster.links.iter().enumerate() {
            // A link that is down tells all of this first when it is up again.
            let tell = |frame: &Vec<u8>| drop(link.try_send(ToPeer::Frame(frame.clone())));
            tell(&status);
            if !link.carries_configuration() {
                continue;
            }
            tell(&standing);
            let known = roster.brokers.get(node).and_then(|it| it.standing.as_ref());
            let lags = known.is_none_or(|it| it.stamp < configuration.stamp());
            if lags && !configuration.is_founding() {
                tell(&document);
            }
        }
    }
}

/// What is first said of the configuration over a new link.
pub(crate) fn put_configuration(shared: &Shared, out: &mut Vec<u8>) {
    let configuration = shared.cluster.configuration();
    if !configuration.is_founding() {
        out.extend_from_slice(&change::configuration(&configuration));
    }
    out.extend_from_slice(&change::standing(&coordinator::own_standing(shared)));
}

/// Changes the cluster step by step if this broker is the one who does, and keeps what replicas the
/// cluster gives it.
async fn keep_cluster(shared: Arc<Shared>) {
    let mut replicas = Replicas::default();
    let mut configurations = shared.cluster.watch_configuration();
    loop {
        coordinator::tick(&shared);
        replicas.tick(&shared);
        let changes = shared.cluster.configuration().pending.is_some() || replicas.is_busy();
        let pause = if changes { STEP_EVERY } else { LOOK_EVERY };
        let _: Option<_> = driver::within(pause, configurations.changed()).await;
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
        let _ = link.try_send(ToPeer::Frame(message::send(
            to,
            true,
            Stamped::unstamped(command),
        )));
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
