//! What a broker knows of its cluster at this moment: who is where, who is up, who leads what.
//!
//! One value, replaced as a whole by the `peers` thread and read by anybody as a copy; nothing here
//! decides anything. Addresses come from contact points, hellos and gossip, whether a broker is up
//! from its link and from gossip, roles from what the broker itself last said over its link. Of
//! several that say they lead a partition the one with the highest term is believed: Raft allows no
//! two in one term.

use std::net::SocketAddr;
use std::sync::Arc;

use ringflow_core::ids::PartitionId;
use tokio::sync::{Notify, watch};

use crate::peer::hello::Identity;
use crate::peer::link::LinkHandle;
use crate::topology::{BrokerAddress, Health, Role};

/// What a broker says of one of its replicas.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ReplicaStatus {
    pub(crate) partition: PartitionId,
    pub(crate) role: Role,
    pub(crate) health: Health,
    pub(crate) term: u64,
    /// Last position applied.
    pub(crate) position: u64,
    /// Last log index applied.
    pub(crate) index: u64,
}

/// What a broker says of itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Status {
    pub(crate) address: BrokerAddress,
    pub(crate) version: String,
    pub(crate) replicas: Vec<ReplicaStatus>,
}

/// Another broker.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Known {
    pub(crate) address: Option<SocketAddr>,
    pub(crate) incarnation: u64,
    /// Number of the link from it that was opened last.
    pub(crate) link: u64,
    /// Present while it is up and has said something.
    pub(crate) status: Option<Arc<Status>>,
}

/// All brokers by number; what stands at this broker's own place means nothing.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Roster {
    pub(crate) brokers: Vec<Known>,
}

impl Roster {
    /// Who leads `partition` among the others: broker and term.
    pub(crate) fn leader(&self, partition: PartitionId) -> Option<(u32, u64)> {
        let claims = self.brokers.iter().enumerate().filter_map(|(node, known)| {
            let status = known.status.as_ref()?;
            let replica = status.replicas.iter().find(|replica| {
                replica.partition == partition
                    && replica.role == Role::Leader
                    && replica.health == Health::Healthy
            })?;
            Some((node as u32, replica.term))
        });
        claims.max_by_key(|(_, term)| *term)
    }
}

/// The cluster as every handle of a broker shares it.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) identity: Identity,
    roster: watch::Sender<Arc<Roster>>,
    /// Links to the other brokers by number; none in a cluster of one.
    pub(crate) links: Vec<LinkHandle>,
    /// Told when a local replica changed its role.
    pub(crate) role_changed: Arc<Notify>,
    /// Why this broker cannot be part of its cluster, once that is known.
    pub(crate) fatal: watch::Sender<Option<String>>,
}

impl Cluster {
    pub(crate) fn new(identity: Identity, links: Vec<LinkHandle>) -> Self {
        let brokers = vec![Known::default(); identity.size as usize];
        Self {
            identity,
            roster: watch::channel(Arc::new(Roster { brokers })).0,
            links,
            role_changed: Arc::default(),
            fatal: watch::channel(None).0,
        }
    }

    /// A copy of the roster.
    pub(crate) fn roster(&self) -> Arc<Roster> {
        Arc::clone(&self.roster.borrow())
    }

    /// To hear of changes.
    pub(crate) fn watch(&self) -> watch::Receiver<Arc<Roster>> {
        self.roster.subscribe()
    }

    /// Where the peer listener of `node` is.
    pub(crate) fn address(&self, node: u32) -> Option<SocketAddr> {
        self.roster.borrow().brokers.get(node as usize)?.address
    }

    /// Changes what is known of `node`; only the `peers` thread may call it.
    pub(crate) fn change(&self, node: u32, change: impl FnOnce(&mut Known)) {
        self.roster.send_if_modified(|roster| {
            let Some(known) = roster.brokers.get(node as usize) else {
                return false;
            };
            let mut changed = known.clone();
            change(&mut changed);
            if changed == *known {
                return false;
            }
            Arc::make_mut(roster).brokers[node as usize] = changed;
            true
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_term_is_believed() {
        let known = |role, health, term| Known {
            status: Some(Arc::new(Status {
                address: BrokerAddress::default(),
                version: String::new(),
                replicas: vec![ReplicaStatus {
                    partition: PartitionId(1),
                    role,
                    health,
                    term,
                    position: 0,
                    index: 0,
                }],
            })),
            ..Known::default()
        };
        let roster = Roster {
            brokers: vec![
                known(Role::Leader, Health::Healthy, 4),
                known(Role::Leader, Health::Healthy, 5),
                known(Role::Follower, Health::Healthy, 6),
                known(Role::Leader, Health::Dead, 7),
                Known::default(),
            ],
        };
        assert_eq!(roster.leader(PartitionId(1)), Some((1, 5)));
        assert_eq!(roster.leader(PartitionId(2)), None);
    }
}
