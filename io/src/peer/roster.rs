//! What a broker knows of its cluster at this moment: who is where, who is up, who leads what.
//!
//! One value, replaced as a whole by the `peers` thread and read by anybody as a copy; nothing here
//! decides anything. Addresses come from contact points, hellos and gossip, whether a broker is up
//! from its link and from gossip, roles from what the broker itself last said over its link. Of
//! several that say they lead a partition the one with the highest term is believed: Raft allows no
//! two in one term.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use ringflow_core::ids::PartitionId;
use tokio::sync::{Notify, watch};

use crate::cluster::configuration::Configuration;
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

/// Who belongs to a partition's group, as its leader has applied it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct GroupMembers {
    /// Two configurations are in force at once.
    pub(crate) joint: bool,
    /// Ascending.
    pub(crate) voters: Vec<u32>,
    /// Ascending.
    pub(crate) learners: Vec<u32>,
}

/// What a broker says of the cluster's configuration and of the groups it leads.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Standing {
    /// Stamp of the newest configuration it has.
    pub(crate) stamp: (u64, u64),
    /// Groups it leads: partition, term, members.
    pub(crate) groups: Vec<(PartitionId, u64, GroupMembers)>,
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
    /// What it said last of the configuration; nothing if it does not speak of it.
    pub(crate) standing: Option<Arc<Standing>>,
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
    /// The cluster as it is meant to be; replaced by [`Cluster::publish`] alone.
    configuration: watch::Sender<Arc<Configuration>>,
    /// Counts the configurations there were, for those who look often.
    configurations: AtomicU64,
    /// Held by who writes a new configuration.
    pub(crate) writing: Mutex<()>,
    /// Told when a local replica changed its role.
    pub(crate) role_changed: Arc<Notify>,
    /// Why this broker cannot be part of its cluster, once that is known.
    pub(crate) fatal: watch::Sender<Option<String>>,
}

impl Cluster {
    pub(crate) fn new(
        identity: Identity,
        configuration: Configuration,
        links: Vec<LinkHandle>,
    ) -> Self {
        let brokers = vec![Known::default(); links.len().max(identity.size as usize)];
        Self {
            identity,
            roster: watch::channel(Arc::new(Roster { brokers })).0,
            links,
            configuration: watch::channel(Arc::new(configuration)).0,
            configurations: AtomicU64::new(1),
            writing: Mutex::new(()),
            role_changed: Arc::default(),
            fatal: watch::channel(None).0,
        }
    }

    /// The cluster as it is meant to be.
    pub(crate) fn configuration(&self) -> Arc<Configuration> {
        Arc::clone(&self.configuration.borrow())
    }

    /// Grows with each configuration.
    pub(crate) fn configurations(&self) -> u64 {
        self.configurations.load(Ordering::Acquire)
    }

    /// To hear of new configurations.
    pub(crate) fn watch_configuration(&self) -> watch::Receiver<Arc<Configuration>> {
        self.configuration.subscribe()
    }

    /// Makes `configuration`, which is on disk, the one that counts.
    pub(crate) fn publish(&self, configuration: Configuration) {
        self.configuration.send_replace(Arc::new(configuration));
        self.configurations.fetch_add(1, Ordering::AcqRel);
    }

    /// True if who may change the configuration has told the one this broker has: nobody knows a
    /// newer one.
    pub(crate) fn is_current(&self) -> bool {
        let configuration = self.configuration();
        let Some(coordinator) = configuration.coordinator() else {
            return false;
        };
        if coordinator == self.identity.node {
            return true;
        }
        let roster = self.roster();
        let known = roster.brokers.get(coordinator as usize);
        known.is_some_and(|known| {
            let standing = known.standing.as_ref().filter(|_| known.status.is_some());
            standing.is_some_and(|standing| standing.stamp == configuration.stamp())
        })
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
