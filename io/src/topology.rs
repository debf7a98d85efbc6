//! Who runs what: brokers, partitions, roles, health, as clients ask for it.
//!
//! [`Topology`] is a copy made on request from [`PartitionStatus`], the two words per partition that
//! its shard writes and everybody may read. Roles are Raft's; a leader that has not applied its log
//! yet is reported as inactive, because it does not serve.

use std::sync::atomic::{AtomicU8, Ordering};

use ringflow_core::ids::PartitionId;

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

/// A replica of a partition on a broker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PartitionInfo {
    /// The partition.
    pub id: PartitionId,
    /// What the broker does for it.
    pub role: Role,
    /// How it is.
    pub health: Health,
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
    /// All brokers.
    pub brokers: Vec<BrokerInfo>,
    /// Number of brokers the cluster is meant to have.
    pub cluster_size: u32,
    /// Number of partitions.
    pub partitions_count: u16,
    /// Replicas of each partition.
    pub replication_factor: u32,
}

impl Topology {
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

/// Role and health of a partition: written by its shard, read by anybody.
#[derive(Debug)]
pub(crate) struct PartitionStatus {
    role: AtomicU8,
    health: AtomicU8,
}

impl PartitionStatus {
    pub(crate) fn new() -> Self {
        Self {
            role: AtomicU8::new(Role::Inactive as u8),
            health: AtomicU8::new(Health::Unhealthy as u8),
        }
    }

    pub(crate) fn set(&self, role: Role, health: Health) {
        self.role.store(role as u8, Ordering::Release);
        self.health.store(health as u8, Ordering::Release);
    }

    pub(crate) fn role(&self) -> Role {
        match self.role.load(Ordering::Acquire) {
            2 => Role::Leader,
            1 => Role::Follower,
            _ => Role::Inactive,
        }
    }

    pub(crate) fn health(&self) -> Health {
        match self.health.load(Ordering::Acquire) {
            0 => Health::Healthy,
            1 => Health::Unhealthy,
            _ => Health::Dead,
        }
    }

    /// True if commands are taken in.
    pub(crate) fn serves(&self) -> bool {
        self.role() == Role::Leader && self.health() == Health::Healthy
    }
}
