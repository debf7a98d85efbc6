//! The cluster as it is meant to be: members, replicas, the change that is under way, the last one.
//!
//! One document, the same on every broker, kept in the data directory and told over every link. It is
//! only ever replaced by a newer one ([`Configuration::stamp`]). Each version names the one broker that
//! may write the next ([`Configuration::coordinator`]), which writes it to its own disk before it tells
//! anybody, so that no two documents carry one stamp.
//!
//! A cluster that was never changed needs none: version 1 follows from the options on which its brokers
//! agree. What Raft does with a partition's members is the business of `partition/members.rs`, which
//! brings them to what stands here.

use std::collections::BTreeMap;

use ringflow_core::ids::PartitionId;

use crate::cluster::{ClusterOptions, Replica};

/// Where a broker or a replica stands in the cluster.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum PlaceState {
    /// It is about to belong to it.
    Joining = 1,
    /// It belongs to it.
    Active = 2,
    /// It is about to be gone.
    Leaving = 3,
}

impl PlaceState {
    pub(crate) const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Joining),
            2 => Some(Self::Active),
            3 => Some(Self::Leaving),
            _ => None,
        }
    }
}

/// A replica as it is meant to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PlacedReplica {
    /// Whether it comes, is or goes.
    pub state: PlaceState,
    /// How much its broker is preferred as leader; the largest is preferred.
    pub priority: u32,
}

/// A broker of the cluster.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClusterMember {
    /// Whether it comes, is or goes.
    pub state: PlaceState,
    /// Counts its changes, from 1.
    pub version: u64,
    /// When it was changed last, milliseconds since 1970; 0 = never since the cluster was founded.
    pub updated: u64,
    /// Its replicas.
    pub replicas: BTreeMap<PartitionId, PlacedReplica>,
}

/// One step of a change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operation {
    /// A broker becomes a member, without replicas.
    BrokerAdd {
        /// The broker.
        broker: u32,
    },
    /// A broker without replicas is a member no more.
    BrokerRemove {
        /// The broker.
        broker: u32,
    },
    /// A broker gets a replica: it learns, catches up, then votes.
    PartitionJoin {
        /// The broker.
        broker: u32,
        /// The partition.
        partition: PartitionId,
        /// How much it is to be preferred as leader.
        priority: u32,
    },
    /// A broker gives a replica up: its leadership, its vote, then its data.
    PartitionLeave {
        /// The broker.
        broker: u32,
        /// The partition.
        partition: PartitionId,
    },
    /// A broker is preferred as leader more or less than before.
    PartitionReconfigurePriority {
        /// The broker.
        broker: u32,
        /// The partition.
        partition: PartitionId,
        /// How much it is to be preferred.
        priority: u32,
    },
}

impl Operation {
    /// The broker whose place changes.
    #[must_use]
    pub const fn broker(&self) -> u32 {
        match self {
            Self::BrokerAdd { broker }
            | Self::BrokerRemove { broker }
            | Self::PartitionJoin { broker, .. }
            | Self::PartitionLeave { broker, .. }
            | Self::PartitionReconfigurePriority { broker, .. } => *broker,
        }
    }
}

/// A change that is under way: its operations are done one after the other.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PendingChange {
    /// Number of the change: the version it began with.
    pub id: u64,
    /// The broker that leads it to its end.
    pub led_by: u32,
    /// When it was asked for, milliseconds since 1970.
    pub started: u64,
    /// All of its operations.
    pub operations: Vec<Operation>,
    /// When the first of them were done, milliseconds since 1970.
    pub done: Vec<u64>,
}

/// How a change ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum ChangeEnd {
    /// All operations were done.
    Completed = 1,
    /// An operator gave it up; what was done stays.
    Cancelled = 2,
}

/// The change that ended last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EndedChange {
    /// Its number.
    pub id: u64,
    /// How it ended.
    pub end: ChangeEnd,
    /// When it was asked for, milliseconds since 1970.
    pub started: u64,
    /// When it ended, milliseconds since 1970.
    pub ended: u64,
}

/// See the module.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Configuration {
    /// Grows when brokers are removed by force together with the one that led until then.
    pub epoch: u64,
    /// Grows with each document.
    pub version: u64,
    /// Size the cluster was founded with: what its brokers compare when they meet.
    pub founding_size: u32,
    /// Replicas of each partition when the cluster was founded.
    pub founding_factor: u32,
    /// Number of partitions.
    pub partitions: u16,
    /// The brokers.
    pub members: BTreeMap<u32, ClusterMember>,
    /// The change that is under way.
    pub pending: Option<PendingChange>,
    /// The change before it.
    pub last: Option<EndedChange>,
}

impl Configuration {
    /// The configuration of a cluster that was never changed.
    #[must_use]
    pub fn founding(options: &ClusterOptions, partitions: u16) -> Self {
        let member = |node| {
            let of = |id: PartitionId| {
                let replicas = options.replicas(id);
                let replica = replicas.iter().find(|it| it.node == node)?;
                let placed = PlacedReplica {
                    state: PlaceState::Active,
                    priority: replica.priority,
                };
                Some((id, placed))
            };
            let member = ClusterMember {
                state: PlaceState::Active,
                version: 1,
                updated: 0,
                replicas: (1..=partitions).map(PartitionId).filter_map(of).collect(),
            };
            (node, member)
        };
        Self {
            epoch: 0,
            version: 1,
            founding_size: options.size,
            founding_factor: options.replication_factor,
            partitions,
            members: (0..options.size).map(member).collect(),
            pending: None,
            last: None,
        }
    }

    /// What tells which of two documents is the newer one.
    #[must_use]
    pub const fn stamp(&self) -> (u64, u64) {
        (self.epoch, self.version)
    }

    /// True if the cluster was never changed.
    #[must_use]
    pub const fn is_founding(&self) -> bool {
        self.epoch == 0 && self.version == 1
    }

    /// The broker that may write the next version: who leads the change, else the lowest member.
    #[must_use]
    pub fn coordinator(&self) -> Option<u32> {
        let lowest = || {
            let mut members = self.members.iter();
            let joined = members.find(|(_, member)| member.state != PlaceState::Joining);
            joined.map(|(node, _)| *node)
        };
        let leads = self.pending.as_ref().map(|change| change.led_by);
        leads.or_else(lowest)
    }

    /// Replicas of the partition that has fewest.
    #[must_use]
    pub fn replication_factor(&self) -> u32 {
        let partitions = (1..=self.partitions).map(PartitionId);
        let counts = partitions.map(|id| self.placed(id).len() as u32);
        counts.min().unwrap_or(self.founding_factor)
    }

    /// The place of `node` in `partition`.
    #[must_use]
    pub fn replica(&self, partition: PartitionId, node: u32) -> Option<PlacedReplica> {
        let member = self.members.get(&node)?;
        member.replicas.get(&partition).copied()
    }

    /// The replicas of `partition` with their states, the preferred leader first.
    pub(crate) fn placed(&self, partition: PartitionId) -> Vec<(Replica, PlaceState)> {
        let of = |(node, member): (&u32, &ClusterMember)| {
            let placed = member.replicas.get(&partition)?;
            let replica = Replica {
                node: *node,
                priority: placed.priority,
            };
            Some((replica, placed.state))
        };
        let mut found: Vec<_> = self.members.iter().filter_map(of).collect();
        found.sort_by_key(|(replica, _)| (std::cmp::Reverse(replica.priority), replica.node));
        found
    }

    /// The replicas of `partition` that stay, the preferred leader first.
    #[must_use]
    pub fn replicas(&self, partition: PartitionId) -> Vec<Replica> {
        let placed = self.placed(partition).into_iter();
        placed
            .filter(|(_, state)| *state == PlaceState::Active)
            .map(|(replica, _)| replica)
            .collect()
    }

    /// The partitions of which `node` keeps a replica, coming and going ones as well.
    #[must_use]
    pub fn kept_by(&self, node: u32) -> Vec<PartitionId> {
        let member = self.members.get(&node);
        member.map_or_else(Vec::new, |member| member.replicas.keys().copied().collect())
    }

    /// Does `operation` at once, as if everything it waits for were the case.
    pub(crate) fn finish(&mut self, operation: Operation, now: u64) {
        match operation {
            Operation::BrokerAdd { broker } => {
                let member = self.member(broker, now);
                member.state = PlaceState::Active;
            }
            Operation::BrokerRemove { broker } => {
                self.members.remove(&broker);
            }
            Operation::PartitionJoin {
                broker,
                partition,
                priority,
            }
            | Operation::PartitionReconfigurePriority {
                broker,
                partition,
                priority,
            } => self.place(broker, partition, PlaceState::Active, priority, now),
            Operation::PartitionLeave { broker, partition } => {
                let member = self.member(broker, now);
                member.replicas.remove(&partition);
            }
        }
    }

    /// Gives `broker` a place in `partition`.
    pub(crate) fn place(
        &mut self,
        broker: u32,
        partition: PartitionId,
        state: PlaceState,
        priority: u32,
        now: u64,
    ) {
        let placed = PlacedReplica { state, priority };
        self.member(broker, now).replicas.insert(partition, placed);
    }

    /// A member that is about to be changed; joins if it is none.
    pub(crate) fn member(&mut self, broker: u32, now: u64) -> &mut ClusterMember {
        let member = self.members.entry(broker).or_insert(ClusterMember {
            state: PlaceState::Joining,
            version: 0,
            updated: now,
            replicas: BTreeMap::new(),
        });
        member.version += 1;
        member.updated = now;
        member
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three() -> Configuration {
        let options = ClusterOptions {
            size: 3,
            replication_factor: 2,
            ..ClusterOptions::default()
        };
        Configuration::founding(&options, 3)
    }

    #[test]
    fn what_was_never_changed_follows_from_the_options() {
        let founding = three();
        assert!(founding.is_founding());
        assert_eq!(founding.coordinator(), Some(0));
        let nodes = |partition| {
            let replicas = founding.replicas(PartitionId(partition));
            replicas.iter().map(|it| it.node).collect::<Vec<_>>()
        };
        assert_eq!((nodes(1), nodes(3)), (vec![0, 1], vec![2, 0]));
        assert_eq!(founding.kept_by(0), [PartitionId(1), PartitionId(3)]);
        assert_eq!(founding.kept_by(7), []);
    }

    #[test]
    fn comers_and_goers_are_no_preferred_leaders_and_comers_do_not_coordinate() {
        let mut changed = three();
        changed.place(1, PartitionId(1), PlaceState::Leaving, 9, 1);
        changed.place(2, PartitionId(1), PlaceState::Joining, 8, 1);
        let only = changed.replicas(PartitionId(1));
        assert_eq!(only.iter().map(|it| it.node).collect::<Vec<_>>(), [0]);
        assert_eq!(changed.placed(PartitionId(1)).len(), 3);
        changed.members.get_mut(&0).unwrap().state = PlaceState::Joining;
        assert_eq!(changed.coordinator(), Some(1));
        changed.members.remove(&0);
        assert_eq!(changed.coordinator(), Some(1));
    }

    #[test]
    fn operations_that_are_done_leave_what_they_say() {
        let mut changed = three();
        let (broker, partition) = (5, PartitionId(2));
        changed.finish(Operation::BrokerAdd { broker }, 7);
        let join = Operation::PartitionJoin {
            broker,
            partition,
            priority: 4,
        };
        changed.finish(join, 8);
        assert_eq!(changed.replicas(partition)[0].node, 5);
        assert_eq!(changed.members[&5].updated, 8);
        changed.finish(Operation::PartitionLeave { broker, partition }, 9);
        assert_eq!(changed.replica(partition, 5), None);
        changed.finish(Operation::BrokerRemove { broker }, 10);
        assert_eq!(changed.members, three().members);
    }
}
