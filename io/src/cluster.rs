//! The cluster a broker belongs to: its size, and which broker keeps which replica.
//!
//! What stands in this file is how a cluster is founded: it follows from options and is the same on
//! every broker, which is why brokers compare it before they talk (`peer/hello.rs`). What has changed
//! since is the [`configuration`]; a [`plan`] says how to change it, the [`coordinator`] does so one
//! operation at a time, and each broker keeps its [`replicas`] accordingly. Partitions are dealt to brokers in turn: partition
//! p (from 1) lives on brokers p-1, p, p+1 ... modulo the size. The first of them is preferred as
//! leader; the ranks of the others descend or ascend from round to round, so that the leaders of a
//! broker that is gone spread over the rest. Same rule as Camunda's round-robin partitioning.

use std::io;
use std::net::SocketAddr;

use ringflow_core::ids::PartitionId;

use crate::driver::stream::Stream;
use crate::peer::tls::PeerTls;

pub mod configuration;
pub mod coordinator;
pub(crate) mod encoding;
pub mod plan;
pub(crate) mod replicas;

/// Largest number of brokers.
pub const CLUSTER_SIZE_MAX: u32 = 1024;
/// Brokers that a running broker can come to know beyond those it knew when it started: each has a
/// lane and a task of its own.
pub(crate) const NEWCOMERS_MAX: u32 = 32;

/// What a broker knows of its cluster when it starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterOptions {
    /// Name of the cluster; brokers of another name are refused.
    pub name: String,
    /// Number of brokers the cluster is founded with, numbered from 0. A broker with a larger number
    /// is a guest without replicas until the cluster is told to add it.
    pub size: u32,
    /// Replicas of each partition, at most `size`.
    pub replication_factor: u32,
    /// `HOST:PORT` of the peer listeners of some brokers, this one may be among them. The others
    /// are learned from these.
    pub contact_points: Vec<String>,
    /// Where the peer listener listens. Not used in a cluster of one.
    pub listen: SocketAddr,
    /// `HOST:PORT` under which others reach the peer listener; `None` = as it listens.
    pub advertised: Option<String>,
    /// Name of the secondary-storage backend; brokers must agree.
    pub storage: String,
    /// Encryption of all connections between brokers; `None` = plain.
    pub tls: Option<PeerTls>,
}

impl Default for ClusterOptions {
    fn default() -> Self {
        Self {
            name: "zeebe-cluster".to_owned(),
            size: 1,
            replication_factor: 1,
            contact_points: Vec::new(),
            listen: SocketAddr::from(([127, 0, 0, 1], 26502)),
            advertised: None,
            storage: "none".to_owned(),
            tls: None,
        }
    }
}

impl ClusterOptions {
    /// A dialled connection as the cluster wants it.
    pub(crate) fn dialled(&self, stream: Stream) -> io::Result<Stream> {
        match &self.tls {
            None => Ok(stream),
            Some(tls) => Ok(stream.encrypted(tls.dialled()?)),
        }
    }

    /// An accepted connection as the cluster wants it.
    pub(crate) fn accepted(&self, stream: Stream) -> io::Result<Stream> {
        match &self.tls {
            None => Ok(stream),
            Some(tls) => Ok(stream.encrypted(tls.accepted()?)),
        }
    }

    /// True if there are other brokers.
    #[must_use]
    pub const fn is_many(&self) -> bool {
        self.size > 1
    }

    /// Checks the options of broker `node`.
    pub(crate) fn check(&self, node: u32) -> Result<(), String> {
        if self.size == 0 || self.size > CLUSTER_SIZE_MAX {
            return Err(format!(
                "cluster size {}: must be 1 to {CLUSTER_SIZE_MAX}",
                self.size
            ));
        }
        if node >= self.size && !self.is_many() {
            return Err(format!(
                "node id {node}: must be below the cluster size {}",
                self.size
            ));
        }
        if node >= CLUSTER_SIZE_MAX {
            return Err(format!("node id {node}: must be below {CLUSTER_SIZE_MAX}"));
        }
        if self.replication_factor == 0 || self.replication_factor > self.size {
            return Err(format!(
                "replication factor {}: must be 1 to the cluster size {}",
                self.replication_factor, self.size
            ));
        }
        if self.is_many() && self.contact_points.is_empty() {
            return Err(format!(
                "a cluster of {} brokers needs contact points: the peer addresses of some of them",
                self.size
            ));
        }
        Ok(())
    }

    /// The replicas of `partition`, the preferred leader first.
    #[must_use]
    pub fn replicas(&self, partition: PartitionId) -> Vec<Replica> {
        let (size, factor) = (self.size, self.replication_factor);
        let from = u32::from(partition.0.saturating_sub(1));
        let descends = (from / size).is_multiple_of(2);
        (0..factor)
            .map(|step| Replica {
                node: (from + step) % size,
                priority: match step {
                    0 => factor,
                    _ if descends => factor - step,
                    _ => step,
                },
            })
            .collect()
    }

    /// True if `node` keeps a replica of `partition` when the cluster is founded.
    #[must_use]
    pub fn is_replica(&self, partition: PartitionId, node: u32) -> bool {
        let from = u32::from(partition.0.saturating_sub(1)) % self.size;
        node < self.size && (node + self.size - from) % self.size < self.replication_factor
    }
}

/// A broker's place in a partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Replica {
    /// The broker.
    pub node: u32,
    /// How much it is preferred as leader, from 1; the largest is the replication factor.
    pub priority: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(size: u32, replication_factor: u32) -> ClusterOptions {
        ClusterOptions {
            size,
            replication_factor,
            contact_points: vec!["a:1".to_owned()],
            ..ClusterOptions::default()
        }
    }

    #[test]
    fn replicas_and_ranks_are_dealt_in_turn() {
        let of = |cluster: &ClusterOptions, partition| {
            let replicas = cluster.replicas(PartitionId(partition));
            replicas
                .iter()
                .map(|replica| (replica.node, replica.priority))
                .collect::<Vec<_>>()
        };
        let three = cluster(3, 3);
        assert_eq!(of(&three, 1), [(0, 3), (1, 2), (2, 1)]);
        assert_eq!(of(&three, 2), [(1, 3), (2, 2), (0, 1)]);
        assert_eq!(of(&three, 4), [(0, 3), (1, 1), (2, 2)]);
        assert_eq!(of(&cluster(4, 2), 4), [(3, 2), (0, 1)]);
        assert_eq!(of(&cluster(1, 1), 7), [(0, 1)]);
    }

    #[test]
    fn a_broker_knows_what_it_keeps() {
        for (size, factor) in [(1, 1), (3, 3), (4, 2), (5, 3)] {
            let cluster = cluster(size, factor);
            for partition in (1..20).map(PartitionId) {
                for node in 0..size + 2 {
                    let listed = cluster.replicas(partition).iter().any(|r| r.node == node);
                    assert_eq!(cluster.is_replica(partition, node), listed);
                }
            }
        }
    }

    #[test]
    fn options_that_cannot_be_are_refused() {
        assert!(cluster(3, 3).check(2).is_ok());
        assert!(cluster(3, 3).check(3).is_ok(), "a guest");
        for (options, node) in [
            (cluster(1, 1), 1),
            (cluster(3, 3), CLUSTER_SIZE_MAX),
            (cluster(3, 4), 0),
            (cluster(0, 1), 0),
            (cluster(3, 0), 0),
        ] {
            assert!(options.check(node).is_err());
        }
        let mut lonely = cluster(3, 3);
        lonely.contact_points.clear();
        assert!(lonely.check(0).unwrap_err().contains("contact points"));
    }
}
