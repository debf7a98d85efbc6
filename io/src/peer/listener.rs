//! Letting peers in: one listener, a bounded number of strangers, connections handed to their owners.
//!
//! Runs on the `peers` thread. A connection that does not say a fitting hello in time is closed and
//! told to the log, at most one line a second for all of them together; nothing else moves. A group
//! connection goes to the mailbox of its partition, whose shard adopts it; a link stays here.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::TcpListener;

use crate::driver;
use crate::driver::stream::{Accepted, Stream};
use crate::peer::frame::Reader;
use crate::peer::gossip::Gossip;
use crate::peer::hello::{self, Purpose};
use crate::peer::link;
use crate::submit::Shared;

/// Connections that have not said their hello yet; more are closed at once.
const STRANGERS_MAX: usize = 256;
/// Least time between log lines about strangers.
const TELL_EVERY: Duration = Duration::from_secs(1);
/// Pause after the system refused to accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A connection of a member of a partition's group.
#[derive(Debug)]
pub(crate) struct GroupConnection {
    /// The member's broker.
    pub(crate) from: u32,
    pub(crate) stream: Accepted,
}

/// Accepts for ever.
pub(crate) async fn listen(
    listener: TcpListener,
    shared: Arc<Shared>,
    gossip: Rc<RefCell<Gossip>>,
) {
    let strangers = Rc::new(Cell::new(0_usize));
    let refusals = Rc::new(Refusals::default());
    loop {
        let (stream, from) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "no peer connection can be accepted");
                driver::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        if strangers.get() >= STRANGERS_MAX {
            refusals.tell(&from.to_string(), "too many connections without a hello");
            continue;
        }
        // Without it frames only wait a little.
        let _ = stream.set_nodelay(true);
        strangers.set(strangers.get() + 1);
        let (shared, gossip) = (Arc::clone(&shared), Rc::clone(&gossip));
        let (strangers, refusals) = (Rc::clone(&strangers), Rc::clone(&refusals));
        driver::spawn(async move {
            let stream = shared.options.cluster.accepted(Stream::Plain(stream));
            let mut stream = match stream {
                Ok(stream) => stream,
                Err(error) => {
                    strangers.set(strangers.get() - 1);
                    refusals.tell(&from.to_string(), &error.to_string());
                    return;
                }
            };
            let met = meet(&shared, &mut stream).await;
            strangers.set(strangers.get() - 1);
            match met {
                Ok((identity, purpose)) => {
                    let known = link::met(&shared, &gossip, &identity).await;
                    match purpose {
                        Purpose::Link if known => {
                            link::serve(shared, gossip, identity, stream).await;
                        }
                        // This broker itself, or somebody who wanted to know who is here.
                        Purpose::Link | Purpose::Look => {}
                        Purpose::Group(partition) => {
                            hand_over(&shared, partition, identity.node, stream);
                        }
                    }
                }
                Err(why) => refusals.tell(&from.to_string(), &why),
            }
        });
    }
}

async fn meet(shared: &Shared, stream: &mut Stream) -> Result<(hello::Identity, Purpose), String> {
    use futures::io::AsyncReadExt as _;
    let (reader, mut writer) = stream.split();
    let mut reader = Reader::new(reader);
    let met = hello::receive(&shared.cluster.identity, &mut reader, &mut writer)
        .await
        .map_err(|error| error.to_string())?;
    reader.into_inner().map_err(|error| error.to_string())?;
    Ok(met)
}

fn hand_over(
    shared: &Shared,
    partition: ringflow_core::ids::PartitionId,
    from: u32,
    stream: Stream,
) {
    let Some(mailbox) = shared.partitions.get(partition) else {
        tracing::warn!(%partition, from, "a member asks for a partition that is not here");
        return;
    };
    match stream.release() {
        // A lane that is full closes the connection; the member connects anew.
        Ok(stream) => mailbox.push_connection(GroupConnection { from, stream }),
        Err(error) => tracing::warn!(%partition, from, %error, "a connection is lost"),
    }
}

/// Tells of refused connections without filling the log.
#[derive(Debug, Default)]
struct Refusals {
    told: Cell<Option<Instant>>,
    untold: Cell<u64>,
}

impl Refusals {
    fn tell(&self, from: &str, why: &str) {
        if self
            .told
            .get()
            .is_some_and(|at| driver::since(at) < TELL_EVERY)
        {
            self.untold.set(self.untold.get() + 1);
            return;
        }
        self.told.set(Some(driver::now()));
        let more = self.untold.take();
        tracing::warn!(from, why, more, "a peer connection is refused");
    }
}
