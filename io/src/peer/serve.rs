//! The accepting side of a link: what another broker asks, done here, answered there.
//!
//! Commands go the way of local ones, through the lanes of their partition, and are never handed on:
//! a broker that does not lead says so. Answers and jobs leave through one bounded lane per link;
//! while it is full nothing more is read, so a broker that does not take its answers slows down
//! nobody but itself. When the link ends its streams are closed and what it had not taken is given
//! back.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures::future::select;
use futures::io::AsyncReadExt as _;
use ringflow_core::engine::effect::StreamId;
use tokio::sync::{mpsc, oneshot};

use crate::cluster::coordinator;
use crate::driver;
use crate::driver::stream::Stream;
use crate::peer::frame::{self, Frame, Reader};
use crate::peer::gossip::{self, Gossip};
use crate::peer::hello::Identity;
use crate::peer::{change, message, thread};
use crate::shard::mailbox::Control;
use crate::submit::{Shared, Submitter};

/// Answers and jobs that wait to be written.
const OUT_LANE: usize = 4 * 1024;
/// Bytes of frames written at once.
const WRITE_BYTES: usize = 256 << 10;

/// One link from another broker.
struct Served {
    shared: Arc<Shared>,
    gossip: Rc<RefCell<Gossip>>,
    from: u32,
    /// Number of this link.
    link: u64,
    out: mpsc::Sender<Vec<u8>>,
    /// Dropping a sender ends the task that forwards the jobs of its stream.
    streams: BTreeMap<StreamId, oneshot::Sender<()>>,
}

/// Serves a link until it ends.
pub(crate) async fn serve(
    shared: Arc<Shared>,
    gossip: Rc<RefCell<Gossip>>,
    identity: Identity,
    stream: Stream,
) {
    let (reader, mut writer) = stream.split();
    let mut reader = Reader::new(reader);
    let (out, mut frames) = mpsc::channel::<Vec<u8>>(OUT_LANE);
    let link = shared.next_link();
    shared
        .cluster
        .change(identity.node, |known| known.link = link);
    let mut served = Served {
        shared,
        gossip,
        from: identity.node,
        link,
        out,
        streams: BTreeMap::new(),
    };
    let writing = async {
        let mut bytes = Vec::new();
        while let Some(first) = frames.recv().await {
            bytes.extend_from_slice(&first);
            while bytes.len() < WRITE_BYTES
                && let Ok(more) = frames.try_recv()
            {
                bytes.extend_from_slice(&more);
            }
            if frame::write(&mut writer, &bytes).await.is_err() {
                return;
            }
            bytes.clear();
        }
    };
    let reading = async {
        loop {
            match reader.next().await {
                Ok(frame) => {
                    if let Err(why) = served.take(frame).await {
                        tracing::warn!(from = served.from, why, "a link is closed");
                        return;
                    }
                }
                Err(error) => {
                    tracing::info!(from = served.from, %error, "a link ended");
                    return;
                }
            }
        }
    };
    {
        let writing = std::pin::pin!(writing);
        let reading = std::pin::pin!(reading);
        select(writing, reading).await;
    }
    // Unless it has come back meanwhile.
    let link = served.link;
    served.shared.cluster.change(served.from, |known| {
        if known.link == link {
            known.status = None;
            known.standing = None;
        }
    });
}

impl Served {
    async fn take(&mut self, frame: Frame) -> Result<(), String> {
        match frame.kind {
            message::SUBMIT => {
                let submit = message::take_submit(frame.body)?;
                // Room first: what is taken in is always answered.
                let room = self
                    .out
                    .clone()
                    .reserve_owned()
                    .await
                    .map_err(|_| "it does not take its answers".to_owned())?;
                let submitter = Submitter::new(Arc::clone(&self.shared));
                driver::spawn(async move {
                    let timeout = Duration::from_millis(u64::from(submit.millis));
                    let outcome = submitter
                        .submit_here(submit.partition, submit.command, timeout)
                        .await;
                    room.send(message::answer(submit.request, outcome));
                });
            }
            message::SEND | message::SEND_BEHIND => {
                let (to, last_chance, command) = message::take_send(frame.kind, frame.body)?;
                if last_chance {
                    thread::push_last_chance(&self.shared, to, command.command);
                } else if let Some(mailbox) = self.shared.partitions.get(to) {
                    // Full: dropped, its owner in state sends it again.
                    let _ = mailbox.push_peer(command);
                }
            }
            message::OPEN_STREAM => {
                let (id, spec) = message::take_open_stream(frame.body)?;
                let submitter = Submitter::new(Arc::clone(&self.shared));
                let mut jobs = submitter.open_stream_here(spec, self.from);
                let (close, closed) = oneshot::channel();
                self.streams.insert(id, close);
                let out = self.out.clone();
                driver::spawn(async move {
                    let forwarding = async {
                        while let Some((key, job)) = jobs.next().await {
                            if out.send(message::job(id, key, &job)).await.is_err() {
                                jobs.give_back(key, job);
                                return;
                            }
                        }
                        // The link is gone if it does not hear it.
                        let _ = out.send(message::stream(message::STREAM_ENDED, id)).await;
                    };
                    select(std::pin::pin!(forwarding), closed).await;
                });
            }
            message::CLOSE_STREAM => {
                self.streams.remove(&message::take_stream(frame.body)?);
            }
            message::JOBS_AVAILABLE => {
                // Nobody listens while no poll is parked.
                let _ = self
                    .shared
                    .available
                    .send(message::take_jobs_available(&frame.body)?);
            }
            message::STATUS => {
                let status = Arc::new(message::take_status(frame.body)?);
                let link = self.link;
                self.shared.cluster.change(self.from, |known| {
                    if known.link == link {
                        known.status = Some(status);
                    }
                });
            }
            change::CONFIGURATION => {
                let told = change::take_configuration(frame.body)?;
                coordinator::adopt(&self.shared, told);
            }
            change::STANDING => {
                let standing = Arc::new(change::take_standing(frame.body)?);
                let link = self.link;
                self.shared.cluster.change(self.from, |known| {
                    if known.link == link {
                        known.standing = Some(standing);
                    }
                });
            }
            change::CHANGE => {
                let (number, request, dry_run) = change::take_change(frame.body)?;
                let outcome = coordinator::begin(&self.shared, &request, dry_run);
                let answered = self.out.send(change::changed(number, &outcome)).await;
                answered.map_err(|_| "it does not take its answers".to_owned())?;
            }
            message::GOSSIP => gossip::receive(&self.gossip, &frame.body),
            message::TRANSFER => {
                let (partition, to) = message::take_transfer(frame.body)?;
                if let Some(mailbox) = self.shared.partitions.get(partition) {
                    // A lane that is full loses a wish, which may be made again.
                    let _ = mailbox.push_control(Control::Transfer(to));
                }
            }
            other => return Err(format!("a frame of unknown kind {other}")),
        }
        Ok(())
    }
}
