//! Who is up, by the SWIM protocol of the gossip library (foca), over the links.
//!
//! The library is a state machine without input and output: packets, timers and what it found out go
//! through here. Packets travel as frames of the links; one for a broker to which there is no link is
//! dropped, as a network may do. A broker that the others found down has its status taken off the
//! [`roster`](crate::peer::roster) until it speaks again; addresses of brokers that were never
//! configured here come from it. Owned by the `peers` thread.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use foca::{AccumulatingRuntime, Config, Foca, Identity, NoCustomBroadcast, PostcardCodec, Timer};
use rand::SeedableRng as _;
use rand::rngs::SmallRng;
use serde::{Deserialize, Serialize};

use crate::driver;
use crate::peer::link::ToPeer;
use crate::peer::message;
use crate::submit::Shared;

/// Longest silence of a broker that is probed.
const PROBE_WITHIN: Duration = Duration::from_millis(500);
/// Time from suspicion to being held down.
const SUSPECT_FOR: Duration = Duration::from_secs(3);

/// A broker as the library knows it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Gossiper {
    pub(crate) node: u32,
    pub(crate) incarnation: u64,
    /// Grows each time the others wrongly held it down.
    renewed: u32,
    pub(crate) address: SocketAddr,
}

impl Identity for Gossiper {
    type Addr = u32;

    fn renew(&self) -> Option<Self> {
        Some(Self {
            renewed: self.renewed.wrapping_add(1),
            ..self.clone()
        })
    }

    fn addr(&self) -> u32 {
        self.node
    }

    fn win_addr_conflict(&self, adversary: &Self) -> bool {
        (self.incarnation, self.renewed) > (adversary.incarnation, adversary.renewed)
    }
}

/// The library and what it wants done.
pub(crate) struct Gossip {
    shared: Arc<Shared>,
    foca: Foca<Gossiper, PostcardCodec, SmallRng, NoCustomBroadcast>,
    runtime: AccumulatingRuntime<Gossiper>,
}

impl Gossip {
    pub(crate) fn new(shared: Arc<Shared>, address: SocketAddr) -> Rc<RefCell<Self>> {
        let identity = &shared.cluster.identity;
        let own = Gossiper {
            node: identity.node,
            incarnation: identity.incarnation,
            renewed: 0,
            address,
        };
        let size = NonZeroU32::new(identity.size).unwrap_or(NonZeroU32::MIN);
        let config = Config {
            probe_rtt: PROBE_WITHIN,
            suspect_to_down_after: SUSPECT_FOR,
            ..Config::new_lan(size)
        };
        let rng = SmallRng::seed_from_u64(identity.incarnation);
        Rc::new(RefCell::new(Self {
            foca: Foca::new(own, config, rng, PostcardCodec),
            runtime: AccumulatingRuntime::new(),
            shared,
        }))
    }
}

/// Tells `node`, to which there is a link now, that this broker is here.
pub(crate) fn announce(gossip: &Rc<RefCell<Gossip>>, node: u32, incarnation: u64) {
    let Some(address) = gossip.borrow().shared.cluster.address(node) else {
        return;
    };
    let to = Gossiper {
        node,
        incarnation,
        renewed: 0,
        address,
    };
    step(gossip, |gossip| {
        gossip.foca.announce(to, &mut gossip.runtime)
    });
}

/// Takes a packet.
pub(crate) fn receive(gossip: &Rc<RefCell<Gossip>>, packet: &[u8]) {
    step(gossip, |gossip| {
        gossip.foca.handle_data(packet, &mut gossip.runtime)
    });
}

/// Says that this broker goes.
pub(crate) fn leave(gossip: &Rc<RefCell<Gossip>>) {
    step(gossip, |gossip| {
        gossip.foca.leave_cluster(&mut gossip.runtime)
    });
}

fn fire(gossip: &Rc<RefCell<Gossip>>, timer: Timer<Gossiper>) {
    step(gossip, |gossip| {
        gossip.foca.handle_timer(timer, &mut gossip.runtime)
    });
}

fn step(gossip: &Rc<RefCell<Gossip>>, act: impl FnOnce(&mut Gossip) -> Result<(), foca::Error>) {
    let mut inner = gossip.borrow_mut();
    if let Err(error) = act(&mut inner) {
        tracing::debug!(%error, "gossip");
    }
    let inner = &mut *inner;
    while let Some((to, packet)) = inner.runtime.to_send() {
        if let Some(link) = inner.shared.cluster.links.get(to.node as usize) {
            // Full or down: as if the network had lost it.
            let _ = link.try_send(ToPeer::Frame(message::gossip(&packet)));
        }
    }
    while let Some((after, timer)) = inner.runtime.to_schedule() {
        let gossip = Rc::downgrade(gossip);
        driver::spawn(async move {
            driver::sleep(after).await;
            if let Some(gossip) = gossip.upgrade() {
                fire(&gossip, timer);
            }
        });
    }
    while let Some(found) = inner.runtime.to_notify() {
        note(&inner.shared, found);
    }
}

fn note(shared: &Shared, found: foca::OwnedNotification<Gossiper>) {
    use foca::OwnedNotification as Found;
    match found {
        Found::MemberUp(member) | Found::Rename(_, member) => {
            if member.node != shared.cluster.identity.node {
                tracing::info!(broker = member.node, address = %member.address, "a broker is up");
                shared.cluster.change(member.node, |known| {
                    if member.incarnation >= known.incarnation {
                        known.address = Some(member.address);
                        known.incarnation = member.incarnation;
                    }
                });
            }
        }
        Found::MemberDown(member) => {
            if member.node != shared.cluster.identity.node {
                tracing::warn!(broker = member.node, "a broker is down");
                shared.cluster.change(member.node, |known| {
                    if known.incarnation == member.incarnation {
                        known.status = None;
                        known.standing = None;
                    }
                });
            }
        }
        Found::Active | Found::Idle | Found::Defunct | Found::Rejoin(_) => {}
    }
}
