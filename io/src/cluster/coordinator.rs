//! Changing the cluster, one operation at a time: what the coordinator does, and how all hear of it.
//!
//! The coordinator alone writes new configurations; each is on its disk before anybody hears of it,
//! and everything it decides follows from what it reads there and sees of the others. So it may end at
//! any moment and goes on where it stood; so may the broker that is being changed. An operation has
//! two halves: it is announced by the configuration (a replica is `Joining`), the brokers concerned
//! bring it about by themselves (`partition/members.rs`, [`super::replicas`]), and when the
//! coordinator sees that it is so, the configuration says it (`Active`).
//!
//! | operation | announced as | done when |
//! |---|---|---|
//! | broker add | member `Joining` | it is up and knows this configuration |
//! | partition join | replica `Joining` | its group's leader has it as a voter, and it follows or leads |
//! | partition leave | replica `Leaving` | its group's leader has it neither as voter nor as learner |
//! | priority | - | at once |
//! | broker remove | member `Leaving` | the next time it is looked at |
//!
//! Nothing goes on while a broker that is up has not heard of the last step.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;

use ringflow_core::ids::PartitionId;

use crate::cluster::configuration::{
    ChangeEnd, Configuration, EndedChange, Operation, PendingChange, PlaceState,
};
use crate::cluster::encoding;
use crate::cluster::plan::{self, ChangeError, ChangeRequest};
use crate::driver;
use crate::peer::roster::{GroupMembers, Standing};
use crate::submit::Shared;
use crate::topology::Role;

/// What was begun, or would be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PlannedChange {
    /// Number of the change; of the one before if there is nothing to do.
    pub id: u64,
    /// The configuration it begins with.
    pub current: Configuration,
    /// What is done, in this order.
    pub operations: Vec<Operation>,
    /// The configuration when everything is done.
    pub expected: Configuration,
}

/// What the coordinator sees of the cluster.
#[derive(Default, Debug)]
struct Seen {
    /// Brokers that are up, itself among them, with the stamp they told last.
    stamps: BTreeMap<u32, (u64, u64)>,
    /// The leader of each group and what it says of its members.
    groups: BTreeMap<PartitionId, (u32, GroupMembers)>,
    /// Replicas that follow or lead.
    at_work: BTreeSet<(u32, PartitionId)>,
}

/// What this broker says of the configuration and of the groups it leads.
pub(crate) fn own_standing(shared: &Shared) -> Standing {
    let groups = shared
        .partitions
        .iter()
        .filter(|mailbox| mailbox.status.serves())
        .map(|mailbox| (mailbox.partition, mailbox.status.term(), mailbox.members()));
    Standing {
        stamp: shared.cluster.configuration().stamp(),
        groups: groups.collect(),
    }
}

fn look(shared: &Shared) -> Seen {
    let mut seen = Seen::default();
    let mut terms: BTreeMap<PartitionId, u64> = BTreeMap::new();
    let mut take = |node: u32, standing: &Standing| {
        seen.stamps.insert(node, standing.stamp);
        for (id, term, members) in &standing.groups {
            if terms.get(id).is_none_or(|known| known < term) {
                terms.insert(*id, *term);
                seen.groups.insert(*id, (node, members.clone()));
            }
        }
    };
    let own = shared.options.node_id;
    take(own, &own_standing(shared));
    let roster = shared.cluster.roster();
    for (node, known) in roster.brokers.iter().enumerate() {
        if let (Some(_), Some(standing)) = (&known.status, &known.standing) {
            take(node as u32, standing);
        }
    }
    for mailbox in shared.partitions.iter() {
        if mailbox.status.role() != Role::Inactive {
            seen.at_work.insert((own, mailbox.partition));
        }
    }
    for (node, known) in roster.brokers.iter().enumerate() {
        let replicas = known.status.iter().flat_map(|status| &status.replicas);
        for replica in replicas.filter(|replica| replica.role != Role::Inactive) {
            seen.at_work.insert((node as u32, replica.partition));
        }
    }
    seen
}

/// The next configuration, if it is time for one.
fn step(on: &Configuration, seen: &Seen, now: u64) -> Option<Configuration> {
    let change = on.pending.as_ref()?;
    if seen.stamps.values().any(|stamp| *stamp != on.stamp()) {
        return None;
    }
    let Some(operation) = change.operations.get(change.done.len()).copied() else {
        return Some(ended(on, ChangeEnd::Completed, now));
    };
    let mut next = on.clone();
    next.version += 1;
    let place = |partition, broker| on.replica(partition, broker).map(|it| it.state);
    let is_done = match operation {
        Operation::BrokerAdd { broker } => match on.members.get(&broker) {
            None => {
                next.member(broker, now);
                false
            }
            Some(_) if !seen.stamps.contains_key(&broker) => return None,
            Some(_) => true,
        },
        Operation::PartitionJoin {
            broker,
            partition,
            priority,
        } => match place(partition, broker) {
            None | Some(PlaceState::Leaving) => {
                next.place(broker, partition, PlaceState::Joining, priority, now);
                false
            }
            Some(PlaceState::Joining) => {
                let group = seen.groups.get(&partition);
                let votes = group
                    .is_some_and(|(_, members)| !members.joint && members.voters.contains(&broker));
                if !votes || !seen.at_work.contains(&(broker, partition)) {
                    return None;
                }
                true
            }
            Some(PlaceState::Active) => true,
        },
        Operation::PartitionLeave { broker, partition } => match place(partition, broker) {
            None => true,
            Some(PlaceState::Joining | PlaceState::Active) => {
                let priority = on.replica(partition, broker).map_or(0, |it| it.priority);
                next.place(broker, partition, PlaceState::Leaving, priority, now);
                false
            }
            Some(PlaceState::Leaving) => {
                let group = seen.groups.get(&partition);
                let is_gone = group.is_some_and(|(leader, members)| {
                    *leader != broker
                        && !members.joint
                        && !members.voters.is_empty()
                        && !members.voters.contains(&broker)
                        && !members.learners.contains(&broker)
                });
                if !is_gone {
                    return None;
                }
                true
            }
        },
        Operation::PartitionReconfigurePriority { .. } => true,
        Operation::BrokerRemove { broker } => match on.members.get(&broker) {
            Some(member) if member.state != PlaceState::Leaving => {
                next.member(broker, now).state = PlaceState::Leaving;
                false
            }
            Some(_) | None => true,
        },
    };
    if is_done {
        next.finish(operation, now);
        if let Some(change) = &mut next.pending {
            change.done.push(now);
        }
    }
    Some(next)
}

/// `on` without its change.
fn ended(on: &Configuration, end: ChangeEnd, now: u64) -> Configuration {
    let mut next = on.clone();
    next.version += 1;
    if let Some(change) = next.pending.take() {
        next.last = Some(EndedChange {
            id: change.id,
            end,
            started: change.started,
            ended: now,
        });
    }
    next
}

/// `on` without its change, and what has to be done to take back what that had begun: a replica that
/// was announced may be a member of its group by now, so it leaves it as any other does, and keeps its
/// data until then.
fn cancelled(on: &Configuration, now: u64) -> (Configuration, Vec<Operation>) {
    let mut next = ended(on, ChangeEnd::Cancelled, now);
    let mut operations = Vec::new();
    next.members
        .retain(|_, member| member.state != PlaceState::Joining || !member.replicas.is_empty());
    for (broker, member) in &mut next.members {
        let before = (member.state, member.replicas.clone());
        member.state = PlaceState::Active;
        for (partition, replica) in &mut member.replicas {
            replica.state = match replica.state {
                PlaceState::Joining => {
                    let (broker, partition) = (*broker, *partition);
                    operations.push(Operation::PartitionLeave { broker, partition });
                    PlaceState::Leaving
                }
                PlaceState::Active | PlaceState::Leaving => PlaceState::Active,
            };
        }
        if before != (member.state, member.replicas.clone()) {
            member.version += 1;
            member.updated = now;
        }
    }
    (next, operations)
}

/// Does what is next, if this broker coordinates; to be called now and then.
pub(crate) fn tick(shared: &Shared) {
    let on = shared.cluster.configuration();
    if on.pending.is_none() || on.coordinator() != Some(shared.options.node_id) {
        return;
    }
    let seen = look(shared);
    let now = driver::wall_millis();
    let writing = shared.cluster.writing.lock();
    let _writing = writing.unwrap_or_else(PoisonError::into_inner);
    let on = shared.cluster.configuration();
    if on.coordinator() != Some(shared.options.node_id) {
        return;
    }
    let Some(next) = step(&on, &seen, now) else {
        return;
    };
    match (&next.pending, on.pending.as_ref()) {
        (Some(change), Some(before)) if change.done.len() > before.done.len() => {
            let done = &change.operations[before.done.len()];
            tracing::info!(change = change.id, ?done, "an operation is done");
        }
        (Some(change), Some(before)) => {
            let begun = &change.operations[before.done.len()];
            tracing::info!(change = change.id, ?begun, "an operation begins");
        }
        (None, Some(before)) => tracing::info!(change = before.id, "the cluster is changed"),
        (_, None) => {}
    }
    // What is not on disk was not decided; it is tried again.
    let _: bool = write(shared, next);
}

/// Takes over a configuration that somebody told; false if it is not newer.
pub(crate) fn adopt(shared: &Shared, told: Configuration) -> bool {
    let writing = shared.cluster.writing.lock();
    let _writing = writing.unwrap_or_else(PoisonError::into_inner);
    let on = shared.cluster.configuration();
    if told.stamp() <= on.stamp() {
        return false;
    }
    if told.partitions != on.partitions {
        tracing::error!(
            told = told.partitions,
            known = on.partitions,
            "a cluster configuration of another number of partitions is ignored"
        );
        return false;
    }
    write(shared, told)
}

/// Puts `next` on disk, then in force; `writing` is held.
fn write(shared: &Shared, next: Configuration) -> bool {
    if let Err(why) = shared.keep_configuration(&encoding::to_disk(&next)) {
        tracing::error!(why, "the cluster configuration cannot be written");
        return false;
    }
    tracing::debug!(
        version = next.version,
        "a new cluster configuration is in force"
    );
    shared.cluster.publish(next);
    true
}

/// Who begins the change that `request` asks for.
pub(crate) fn leads(on: &Configuration, request: &ChangeRequest) -> Option<u32> {
    let forced = request.forced(on);
    match on.coordinator() {
        // Who is to be removed by force is gone.
        Some(gone) if forced.contains(&gone) => {
            let mut members = on.members.keys().copied();
            members.find(|node| !forced.contains(node))
        }
        coordinator => coordinator,
    }
}

/// Begins what `request` asks for, if this broker leads it; with `dry_run` only says what it would be.
pub(crate) fn begin(
    shared: &Shared,
    request: &ChangeRequest,
    dry_run: bool,
) -> Result<PlannedChange, ChangeError> {
    if !shared.is_many() {
        return Err(ChangeError::Unsupported(
            "a broker that was started as a cluster of one listens for no others: it cannot be \
             changed while it runs"
                .to_owned(),
        ));
    }
    let own = shared.options.node_id;
    let now = driver::wall_millis();
    let seen = look(shared);
    let writing = shared.cluster.writing.lock();
    let _writing = writing.unwrap_or_else(PoisonError::into_inner);
    let on = shared.cluster.configuration();
    if leads(&on, request) != Some(own) {
        return Err(ChangeError::Unreachable(format!(
            "Cannot process request to change the configuration. The broker '{own}' is not the \
             coordinator."
        )));
    }
    if let (ChangeRequest::Cancel { id }, Some(pending)) = (request, &on.pending) {
        if pending.id != *id {
            return Err(ChangeError::Invalid(format!(
                "Cannot cancel change {id} because it is not the current change"
            )));
        }
        let (mut next, taken_back) = cancelled(&on, now);
        tracing::warn!(change = *id, "a change of the cluster is given up");
        if !taken_back.is_empty() {
            next.pending = Some(PendingChange {
                id: id + 1,
                led_by: own,
                started: now,
                operations: taken_back.clone(),
                done: Vec::new(),
            });
        }
        return put_in_force(shared, &on, next, *id, taken_back);
    }
    // A change that somebody led who is to be removed by force never goes on.
    let gone = on
        .coordinator()
        .is_some_and(|leads| request.forced(&on).contains(&leads));
    let (base, mut operations) = match &on.pending {
        Some(_) if gone => cancelled(&on, now),
        Some(_) | None => ((*on).clone(), Vec::new()),
    };
    let forced = request.forced(&on);
    // The plan has those of who is gone.
    operations.retain(|operation| !forced.contains(&operation.broker()));
    operations.extend(plan::plan(&base, request)?);
    let last = base.last.map_or(0, |last| last.id);
    if dry_run || operations.is_empty() {
        let id = if operations.is_empty() {
            last
        } else {
            last + 1
        };
        let expected = plan::expected(&base, &operations, now);
        return Ok(PlannedChange {
            id,
            current: (*on).clone(),
            operations,
            expected,
        });
    }
    let strangers = operations.iter().map(Operation::broker);
    let links = shared.cluster.links.len();
    if let Some(node) = strangers.max().filter(|node| *node as usize >= links) {
        return Err(ChangeError::Invalid(format!(
            "broker {node}: this broker can come to know brokers up to number {} before it is \
             started again",
            links.saturating_sub(1)
        )));
    }
    for node in on.members.keys().filter(|node| !forced.contains(node)) {
        match seen.stamps.get(node) {
            Some(stamp) if *stamp == on.stamp() => {}
            Some(_) => {
                return Err(ChangeError::Unreachable(format!(
                    "broker {node} has not heard of the current configuration yet"
                )));
            }
            None => {
                return Err(ChangeError::Unreachable(format!(
                    "broker {node} is not up, or its program is too old to change the cluster"
                )));
            }
        }
    }
    for partition in (1..=on.partitions).map(PartitionId) {
        if !seen.groups.contains_key(&partition) {
            return Err(ChangeError::Unreachable(format!(
                "partition {partition} has no leader at the moment"
            )));
        }
    }
    let id = last + 1;
    let mut next = base;
    next.version = on.version + 1;
    if on.coordinator() != Some(own) {
        next.epoch += 1;
    }
    next.pending = Some(PendingChange {
        id,
        led_by: own,
        started: now,
        operations: operations.clone(),
        done: Vec::new(),
    });
    tracing::info!(
        change = id,
        operations = operations.len(),
        "the cluster changes"
    );
    put_in_force(shared, &on, next, id, operations)
}

fn put_in_force(
    shared: &Shared,
    on: &Configuration,
    next: Configuration,
    id: u64,
    operations: Vec<Operation>,
) -> Result<PlannedChange, ChangeError> {
    let expected = plan::expected(&next, &operations, driver::wall_millis());
    if !write(shared, next) {
        return Err(ChangeError::Unreachable(
            "the new configuration could not be written".to_owned(),
        ));
    }
    Ok(PlannedChange {
        id,
        current: on.clone(),
        operations,
        expected,
    })
}

#[cfg(test)]
mod tests;
