//! Who runs what: brokers, partitions, roles, health, as clients ask for it.
//!
//! [`Topology`] is a copy made on request from [`PartitionStatus`], the few words per partition that
//! its shard writes and everybody may read, and from what other brokers last said of theirs
//! (`peer/roster.rs`). Roles are Raft's; a leader that has not applied its log
//! yet is reported as inactive, because it does not serve.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

use ringflow_core::ids::PartitionId;
use tokio::sync::Notify;

use crate::cluster::configuration::{Configuration, PlaceState};
use crate::peer::roster::Status;
use crate::peer::thread;
use crate::submit::Shared;

/// Host and port under which a broker is known.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BrokerAddress {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
}

impl Default for BrokerAddress {
    fn default() -> Self {
        Self {
            host: "127.0.0.1".to_owned(),
            port: 26501,
        }
    }
}

/// What a broker does for a partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Role {
    /// Nothing yet, or no more.
    Inactive = 0,
    /// Replays what the leader commits.
    Follower = 1,
    /// Processes commands.
    Leader = 2,
}

impl Role {
    /// From its number; what is unknown does nothing.
    pub(crate) const fn from_code(code: u8) -> Self {
        match code {
            2 => Self::Leader,
            1 => Self::Follower,
            _ => Self::Inactive,
        }
    }
}

/// How a partition is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Health {
    /// Serves.
    Healthy = 0,
    /// Does not serve at the moment: starting, no leader, disk full, stalled.
    Unhealthy = 1,
    /// Will not serve again in this process.
    Dead = 2,
}

impl Health {
    /// From its number; what is unknown is dead.
    pub(crate) const fn from_code(code: u8) -> Self {
        match code {
            0 => Self::Healthy,
            1 => Self::Unhealthy,
            _ => Self::Dead,
        }
    }
}

/// A replica of a partition on a broker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PartitionInfo {
    /// The partition.
    pub id: PartitionId,
    /// What the broker does for it.
    pub role: Role,
    /// How it is.
    pub health: Health,
    /// How much the broker is preferred as leader; the largest is the replication factor.
    pub priority: u32,
    /// Raft's term, as far as it knows.
    pub term: u64,
    /// Last record applied.
    pub position: u64,
    /// Last log entry applied.
    pub index: u64,
}

/// A broker and its partitions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BrokerInfo {
    /// Number in the cluster, from 0.
    pub node_id: u32,
    /// Where it is.
    pub address: BrokerAddress,
    /// Version of the program.
    pub version: String,
    /// Its replicas, by partition.
    pub partitions: Vec<PartitionInfo>,
}

/// The cluster as this broker sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Topology {
    /// Number of the broker that was asked.
    pub asked: u32,
    /// All brokers that are up.
    pub brokers: Vec<BrokerInfo>,
    /// The cluster as it is meant to be, as far as that broker has heard.
    pub configuration: Arc<Configuration>,
    /// Number of brokers the cluster is meant to have.
    pub cluster_size: u32,
    /// Number of partitions.
    pub partitions_count: u16,
    /// Replicas of each partition.
    pub replication_factor: u32,
    /// Every replica of the broker that was asked has led or followed since its start and has not
    /// failed: readiness of a broker, which neither waits for partitions that are kept elsewhere nor
    /// ends with an election.
    pub in_place: bool,
}

impl Topology {
    /// The broker that leads `partition`.
    #[must_use]
    pub fn leader(&self, partition: PartitionId) -> Option<u32> {
        let leads = |broker: &&BrokerInfo| {
            let mut partitions = broker.partitions.iter();
            partitions.any(|it| it.id == partition && it.role == Role::Leader)
        };
        self.brokers.iter().find(leads).map(|broker| broker.node_id)
    }

    /// True if every partition has a healthy leader.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        (1..=self.partitions_count).all(|id| {
            self.brokers.iter().any(|broker| {
                broker.partitions.iter().any(|partition| {
                    partition.id.0 == id
                        && partition.role == Role::Leader
                        && partition.health == Health::Healthy
                })
            })
        })
    }
}

/// What `shared` knows: itself, and the other brokers by what they last said. Of several that say
/// they lead a partition only the one with the highest term is shown as leader.
pub(crate) fn of(shared: &Shared) -> Topology {
    let options = &shared.options;
    let configuration = shared.cluster.configuration();
    let own = Arc::new(thread::own_status(shared));
    let roster = shared.cluster.roster();
    let mut known: Vec<(u32, Arc<Status>)> = Vec::new();
    for (node, broker) in roster.brokers.iter().enumerate() {
        let node = node as u32;
        if node == options.node_id {
            known.push((node, Arc::clone(&own)));
        } else if let Some(status) = &broker.status {
            known.push((node, Arc::clone(status)));
        }
    }
    let mut terms = vec![0; usize::from(options.partitions) + 1];
    for (_, status) in &known {
        for replica in status.replicas.iter().filter(|it| it.role == Role::Leader) {
            if let Some(term) = terms.get_mut(usize::from(replica.partition.0)) {
                *term = replica.term.max(*term);
            }
        }
    }
    let brokers = known.into_iter().map(|(node_id, status)| BrokerInfo {
        node_id,
        address: status.address.clone(),
        version: status.version.clone(),
        partitions: status
            .replicas
            .iter()
            .map(|replica| {
                let newest = terms.get(usize::from(replica.partition.0)).copied();
                let outdated = replica.role == Role::Leader && Some(replica.term) != newest;
                PartitionInfo {
                    id: replica.partition,
                    role: if outdated {
                        Role::Follower
                    } else {
                        replica.role
                    },
                    health: replica.health,
                    priority: configuration
                        .replica(replica.partition, node_id)
                        .map_or(0, |it| it.priority),
                    term: replica.term,
                    position: replica.position,
                    index: replica.index,
                }
            })
            .collect(),
    });
    Topology {
        asked: options.node_id,
        brokers: brokers.collect(),
        cluster_size: configuration.members.len() as u32,
        partitions_count: options.partitions,
        replication_factor: configuration.replication_factor(),
        configuration: Arc::clone(&configuration),
        in_place: shared.partitions.iter().all(|mailbox| {
            // One that has just been given to this broker does not keep clients out of it.
            let placed = configuration.replica(mailbox.partition, options.node_id);
            if placed.is_none_or(|placed| placed.state != PlaceState::Active) {
                return true;
            }
            let status = &mailbox.status;
            status.has_led_or_followed() && status.health() != Health::Dead
        }),
    }
}

/// Role and health of a partition: written by its shard, read by anybody.
#[derive(Debug)]
pub(crate) struct PartitionStatus {
    role: AtomicU8,
    health: AtomicU8,
    term: AtomicU64,
    /// It has led or followed once.
    joined: AtomicBool,
    /// Told of changes.
    changed: Arc<Notify>,
}

impl PartitionStatus {
    pub(crate) fn new(changed: Arc<Notify>) -> Self {
        Self {
            role: AtomicU8::new(Role::Inactive as u8),
            health: AtomicU8::new(Health::Unhealthy as u8),
            term: AtomicU64::new(0),
            joined: AtomicBool::new(false),
            changed,
        }
    }

    pub(crate) fn set(&self, role: Role, health: Health) {
        if (self.role(), self.health()) == (role, health) {
            return;
        }
        self.role.store(role as u8, Ordering::Release);
        self.health.store(health as u8, Ordering::Release);
        if role != Role::Inactive {
            self.joined.store(true, Ordering::Release);
        }
        self.changed.notify_one();
    }

    pub(crate) fn set_term(&self, term: u64) {
        if self.term.load(Ordering::Relaxed) != term {
            self.term.store(term, Ordering::Release);
            self.changed.notify_one();
        }
    }

    pub(crate) fn term(&self) -> u64 {
        self.term.load(Ordering::Acquire)
    }

    /// True if it led or followed at any time.
    pub(crate) fn has_led_or_followed(&self) -> bool {
        self.joined.load(Ordering::Acquire)
    }

    pub(crate) fn role(&self) -> Role {
        Role::from_code(self.role.load(Ordering::Acquire))
    }

    pub(crate) fn health(&self) -> Health {
        Health::from_code(self.health.load(Ordering::Acquire))
    }

    /// True if commands are taken in.
    pub(crate) fn serves(&self) -> bool {
        self.role() == Role::Leader && self.health() == Health::Healthy
    }
}
