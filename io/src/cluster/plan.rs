//! From what an operator asks for to the operations that bring it about, or a refusal.
//!
//! Nothing is done here: a plan is made from a configuration alone and tried out on a copy, operation
//! by operation, so that one that could not end is refused before it begins. Partitions are dealt to
//! the new set of brokers in turn, as when a cluster is founded; each partition's new replicas come
//! before its old ones go. Rules and texts are Camunda's where it has them (its request transformers
//! and appliers).

use std::collections::BTreeSet;

use ringflow_core::ids::PartitionId;

use crate::cluster::configuration::{Configuration, Operation, PlaceState};
use crate::cluster::{CLUSTER_SIZE_MAX, ClusterOptions, Replica};

/// What an operator asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ChangeRequest {
    /// Brokers become members, without replicas.
    Add {
        /// The brokers; those that are members already stay.
        brokers: BTreeSet<u32>,
    },
    /// Brokers without replicas are members no more.
    Remove {
        /// The brokers.
        brokers: BTreeSet<u32>,
    },
    /// The cluster is to consist of these brokers, and the partitions to be spread over them.
    Scale {
        /// The brokers.
        brokers: BTreeSet<u32>,
        /// Replicas of each partition; `None` = as many as before.
        replication_factor: Option<u32>,
    },
    /// Brokers come and go, and the partitions are to be spread over those that are there then.
    Patch {
        /// Who comes.
        add: BTreeSet<u32>,
        /// Who goes.
        remove: BTreeSet<u32>,
        /// Replicas of each partition; `None` = as many as before.
        replication_factor: Option<u32>,
    },
    /// Brokers that will never come back go; the partitions stay where the others have them.
    ForceRemove {
        /// The brokers.
        brokers: BTreeSet<u32>,
    },
    /// As [`ChangeRequest::ForceRemove`] for all brokers but these.
    ForceKeep {
        /// The brokers that stay.
        brokers: BTreeSet<u32>,
    },
    /// A broker gets a replica.
    Join {
        /// The broker.
        broker: u32,
        /// The partition.
        partition: PartitionId,
        /// How much it is to be preferred as leader.
        priority: u32,
    },
    /// A broker gives a replica up.
    Leave {
        /// The broker.
        broker: u32,
        /// The partition.
        partition: PartitionId,
    },
    /// The change that is under way is given up; what was done stays.
    Cancel {
        /// Its number.
        id: u64,
    },
}

impl ChangeRequest {
    /// The brokers that are to be removed although they do not answer.
    pub(crate) fn forced(&self, on: &Configuration) -> BTreeSet<u32> {
        match self {
            Self::ForceRemove { brokers } => brokers.clone(),
            Self::ForceKeep { brokers } => {
                let members = on.members.keys().copied();
                members.filter(|node| !brokers.contains(node)).collect()
            }
            Self::Add { .. }
            | Self::Remove { .. }
            | Self::Scale { .. }
            | Self::Patch { .. }
            | Self::Join { .. }
            | Self::Leave { .. }
            | Self::Cancel { .. } => BTreeSet::new(),
        }
    }
}

/// Why a change was not begun.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ChangeError {
    /// It cannot be.
    #[error("{0}")]
    Invalid(String),
    /// Another one is under way.
    #[error("{0}")]
    Concurrent(String),
    /// It is not there yet.
    #[error("{0}")]
    Unsupported(String),
    /// Who would have to begin it is not reached, or could not.
    #[error("{0}")]
    Unreachable(String),
    /// Who would have to begin it gave no answer: it may have begun.
    #[error("{0}")]
    Timeout(String),
}

fn invalid(why: impl Into<String>) -> ChangeError {
    ChangeError::Invalid(why.into())
}

/// The operations for `request` on `on`; `Cancel` has none.
pub(crate) fn plan(
    on: &Configuration,
    request: &ChangeRequest,
) -> Result<Vec<Operation>, ChangeError> {
    if let Some(pending) = &on.pending {
        return Err(ChangeError::Concurrent(format!(
            "Cannot apply configuration change. Another configuration change [{}] is in progress.",
            pending.id
        )));
    }
    let operations = match request {
        ChangeRequest::Add { brokers } => add(on, brokers)?,
        ChangeRequest::Remove { brokers } => remove(brokers),
        ChangeRequest::Scale {
            brokers,
            replication_factor,
        } => scale(on, brokers, *replication_factor)?,
        ChangeRequest::Patch {
            add,
            remove,
            replication_factor,
        } => {
            if !add.is_disjoint(remove) {
                return Err(invalid(
                    "Cannot add and remove the same member in the same request",
                ));
            }
            let members = on.members.keys().copied();
            let brokers = members.chain(add.iter().copied());
            let brokers = brokers.filter(|node| !remove.contains(node)).collect();
            scale(on, &brokers, *replication_factor)?
        }
        ChangeRequest::ForceRemove { .. } | ChangeRequest::ForceKeep { .. } => {
            force_remove(on, &request.forced(on))?
        }
        ChangeRequest::Join {
            broker,
            partition,
            priority,
        } => vec![join(on, *broker, *partition, *priority)],
        ChangeRequest::Leave { broker, partition } => vec![Operation::PartitionLeave {
            broker: *broker,
            partition: *partition,
        }],
        ChangeRequest::Cancel { id } => {
            return Err(invalid(format!(
                "Cannot cancel change {id} because no change is in progress"
            )));
        }
    };
    try_out(on, &operations)?;
    Ok(operations)
}

/// The configuration when all `operations` are done, at `now`.
pub(crate) fn expected(on: &Configuration, operations: &[Operation], now: u64) -> Configuration {
    let mut then = on.clone();
    for operation in operations {
        then.finish(*operation, now);
    }
    then
}

fn add(on: &Configuration, brokers: &BTreeSet<u32>) -> Result<Vec<Operation>, ChangeError> {
    let new = brokers
        .iter()
        .copied()
        .filter(|node| !on.members.contains_key(node));
    let new: Vec<u32> = new.collect();
    if let Some(node) = new.iter().find(|node| **node >= CLUSTER_SIZE_MAX) {
        return Err(invalid(format!(
            "broker {node}: numbers of brokers are below {CLUSTER_SIZE_MAX}"
        )));
    }
    let adds = new.into_iter();
    Ok(adds.map(|broker| Operation::BrokerAdd { broker }).collect())
}

/// From the highest on: the lowest leads the change to its end.
fn remove(brokers: &BTreeSet<u32>) -> Vec<Operation> {
    let goers = brokers.iter().rev().copied();
    goers
        .map(|broker| Operation::BrokerRemove { broker })
        .collect()
}

fn join(on: &Configuration, broker: u32, partition: PartitionId, priority: u32) -> Operation {
    let placed = on.replica(partition, broker);
    if placed.is_some_and(|placed| placed.state == PlaceState::Active) {
        // A replica that is there can only be preferred more or less.
        return Operation::PartitionReconfigurePriority {
            broker,
            partition,
            priority,
        };
    }
    Operation::PartitionJoin {
        broker,
        partition,
        priority,
    }
}

fn scale(
    on: &Configuration,
    brokers: &BTreeSet<u32>,
    replication_factor: Option<u32>,
) -> Result<Vec<Operation>, ChangeError> {
    if brokers.is_empty() {
        return Err(invalid(
            "Cannot reassign partitions if no brokers are provided",
        ));
    }
    let factor = replication_factor.unwrap_or_else(|| on.replication_factor());
    if factor == 0 {
        return Err(invalid(format!(
            "Replication factor [{factor}] must be greater than 0"
        )));
    }
    if brokers.len() < factor as usize {
        return Err(invalid(format!(
            "Number of brokers [{}] is less than the replication factor [{factor}]",
            brokers.len()
        )));
    }
    let mut operations = add(on, brokers)?;
    let dealt = ClusterOptions {
        size: brokers.len() as u32,
        replication_factor: factor,
        ..ClusterOptions::default()
    };
    let order: Vec<u32> = brokers.iter().copied().collect();
    for partition in (1..=on.partitions).map(PartitionId) {
        let wanted = dealt.replicas(partition).into_iter().map(|it| Replica {
            node: order[it.node as usize],
            priority: it.priority,
        });
        operations.extend(move_partition(on, partition, &wanted.collect::<Vec<_>>()));
    }
    let members = on.members.keys().copied();
    let goers: BTreeSet<u32> = members.filter(|node| !brokers.contains(node)).collect();
    operations.extend(remove(&goers));
    Ok(operations)
}

fn move_partition(
    on: &Configuration,
    partition: PartitionId,
    wanted: &[Replica],
) -> Vec<Operation> {
    let there = on.placed(partition);
    let is_there = |node| there.iter().any(|(it, _)| it.node == node);
    let is_wanted = |node| wanted.iter().find(|it| it.node == node);
    let mut comers: Vec<&Replica> = wanted.iter().filter(|it| !is_there(it.node)).collect();
    comers.sort_by_key(|it| it.node);
    let joins = comers.into_iter().map(|it| Operation::PartitionJoin {
        broker: it.node,
        partition,
        priority: it.priority,
    });
    let goers = there
        .iter()
        .filter(|(it, _)| is_wanted(it.node).is_none())
        .map(|(it, _)| Operation::PartitionLeave {
            broker: it.node,
            partition,
        });
    let changed = there.iter().filter_map(|(it, _)| {
        let wanted = is_wanted(it.node)?;
        (wanted.priority != it.priority).then_some(Operation::PartitionReconfigurePriority {
            broker: it.node,
            partition,
            priority: wanted.priority,
        })
    });
    joins.chain(goers).chain(changed).collect()
}

fn force_remove(
    on: &Configuration,
    brokers: &BTreeSet<u32>,
) -> Result<Vec<Operation>, ChangeError> {
    if let Some(stranger) = brokers.iter().find(|node| !on.members.contains_key(node)) {
        return Err(invalid(format!(
            "Expected to remove member {stranger}, but the member is not part of the cluster"
        )));
    }
    let mut operations = Vec::new();
    for partition in (1..=on.partitions).map(PartitionId) {
        for (replica, _) in on.placed(partition) {
            if brokers.contains(&replica.node) {
                operations.push(Operation::PartitionLeave {
                    broker: replica.node,
                    partition,
                });
            }
        }
    }
    operations.extend(remove(brokers));
    Ok(operations)
}

/// Says why one of `operations` could not be done when it is its turn.
fn try_out(on: &Configuration, operations: &[Operation]) -> Result<(), ChangeError> {
    let mut then = on.clone();
    for operation in operations {
        could(&then, operation).map_err(ChangeError::Invalid)?;
        then.finish(*operation, 0);
    }
    Ok(())
}

fn could(then: &Configuration, operation: &Operation) -> Result<(), String> {
    let known = |partition: PartitionId| {
        if (1..=then.partitions).contains(&partition.0) {
            return Ok(());
        }
        Err(format!("there is no partition {partition}"))
    };
    match operation {
        Operation::BrokerAdd { .. } => Ok(()),
        Operation::BrokerRemove { broker } => match then.members.get(broker) {
            None => Err(format!(
                "Expected to remove member {broker}, but the member is not part of the cluster"
            )),
            Some(member) if !member.replicas.is_empty() => Err(format!(
                "Expected to remove member {broker}, but the member still has partitions assigned. \
                 Partitions: {:?}",
                member.replicas.keys().map(|id| id.0).collect::<Vec<_>>()
            )),
            Some(_) if then.members.len() == 1 => {
                Err("the last broker cannot be removed".to_owned())
            }
            Some(_) => Ok(()),
        },
        Operation::PartitionJoin {
            broker, partition, ..
        } => {
            known(*partition)?;
            let member = then.members.get(broker);
            if member.is_none_or(|member| member.state != PlaceState::Active) {
                return Err(
                    "Expected to join partition, but the local member is not active".to_owned(),
                );
            }
            if then.replicas(*partition).is_empty() {
                return Err(format!(
                    "Expected to join partition {partition}, but partition has no active members"
                ));
            }
            Ok(())
        }
        Operation::PartitionLeave { broker, partition } => {
            known(*partition)?;
            if !then.members.contains_key(broker) {
                return Err(
                    "Expected to leave partition, but the local member does not exist in the \
                     cluster"
                        .to_owned(),
                );
            }
            if then.replica(*partition, *broker).is_none() {
                return Err(format!(
                    "Expected to leave partition, but the local member does not have the \
                     partition {partition}"
                ));
            }
            let stay = then.replicas(*partition);
            let stay = stay.iter().filter(|it| it.node != *broker).count();
            if stay == 0 {
                return Err(format!(
                    "Expected to leave partition, but the partition {partition} would have {stay} \
                     active replicas left but minimum allowed replicas is 1"
                ));
            }
            Ok(())
        }
        Operation::PartitionReconfigurePriority {
            broker, partition, ..
        } => {
            known(*partition)?;
            match then.replica(*partition, *broker) {
                Some(_) => Ok(()),
                None => Err(format!(
                    "Expected to change priority of partition {partition}, but broker {broker} does \
                     not have it"
                )),
            }
        }
    }
}

#[cfg(test)]
mod tests;
