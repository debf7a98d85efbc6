//! Bringing a group's members to what the cluster's configuration says; the leader's work.
//!
//! | the configuration has it as | Raft has it as | the leader |
//! |---|---|---|
//! | joining, active | nothing | makes it a learner, which gets the log or a snapshot |
//! | joining, active | learner, caught up | makes it a voter |
//! | leaving, nothing | voter | removes it; itself it hands leadership over first |
//! | leaving, nothing | learner | removes it |
//!
//! One step at a time, each waited for; a change that an earlier leader left half done (joint) is
//! finished first. A step is only begun if the voters it leaves have a majority that is up and caught
//! up, so that nothing comes to a stand: what is slow or down holds up the change, not the work. None is
//! removed before a majority of the others could lead, which is to say export: one that began with a
//! snapshot lacks what lies before it (`unexported.rs`). Only
//! the configuration that who may change it has confirmed is followed ([`Cluster::is_current`]), and
//! none that was never changed: a cluster that nobody changes takes no part in any of this.
//!
//! [`Cluster::is_current`]: crate::peer::roster::Cluster::is_current

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::{Duration, Instant};

use openraft::ChangeMembers;
use openraft::async_runtime::WatchReceiver;
use ringflow_core::ids::PartitionId;

use crate::cluster::Replica;
use crate::cluster::configuration::{Configuration, PlaceState};
use crate::driver;
use crate::partition::{Partition, transfer};
use crate::peer::roster::GroupMembers;
use crate::raft::{Handle, Member, StoredMembership};

/// Time between steps, and between looks.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Longest wait for a step: it may need a snapshot's time on a slow disk, and is looked at anew.
const STEP_WITHIN: Duration = Duration::from_secs(10);

/// Time between attempts to hand leadership over, in which nothing is taken in.
const ASK_AGAIN: Duration = Duration::from_secs(3);

/// The configuration as a partition needs it; a copy, because it is looked at all the time.
#[derive(Debug)]
pub(crate) struct Placement {
    /// Configurations seen.
    seen: Cell<u64>,
    current: RefCell<Rc<Placed>>,
}

/// See [`Placement`].
#[derive(Debug)]
pub(crate) struct Placed {
    /// True if the cluster was never changed.
    pub(crate) founding: bool,
    /// Everybody who has a place, the preferred leader first.
    pub(crate) all: Vec<(Replica, PlaceState)>,
    /// Those that stay.
    pub(crate) active: Vec<Replica>,
}

impl Placed {
    fn of(configuration: &Configuration, partition: PartitionId) -> Rc<Self> {
        Rc::new(Self {
            founding: configuration.is_founding(),
            all: configuration.placed(partition),
            active: configuration.replicas(partition),
        })
    }

    /// True if `node` is to have a replica, now or soon.
    fn wants(&self, node: u32) -> bool {
        let place = self.all.iter().find(|(replica, _)| replica.node == node);
        place.is_some_and(|(_, state)| *state != PlaceState::Leaving)
    }
}

impl Placement {
    pub(crate) fn new(configuration: &Configuration, partition: PartitionId) -> Self {
        Self {
            seen: Cell::new(0),
            current: RefCell::new(Placed::of(configuration, partition)),
        }
    }
}

impl Partition {
    /// Where the replicas of this partition are meant to be.
    pub(crate) fn placed(&self) -> Rc<Placed> {
        let cluster = &self.shared.cluster;
        let seen = cluster.configurations();
        if self.placement.seen.get() != seen {
            let placed = Placed::of(&cluster.configuration(), self.id());
            *self.placement.current.borrow_mut() = placed;
            self.placement.seen.set(seen);
        }
        Rc::clone(&self.placement.current.borrow())
    }

    /// The members as applied.
    pub(crate) fn membership(&self) -> StoredMembership {
        self.membership.borrow().clone()
    }

    /// Takes note of the members that an applied entry or a snapshot names.
    pub(crate) fn set_membership(&self, membership: StoredMembership) {
        self.mailbox.set_members(members(&membership));
        // Others wait for this.
        self.shared.cluster.role_changed.notify_one();
        *self.membership.borrow_mut() = membership;
    }

    /// True if the group is not what it is meant to be.
    pub(crate) fn wants_members(&self) -> bool {
        let placed = self.placed();
        if placed.founding {
            return false;
        }
        let members = self.mailbox.members();
        members.joint
            || !members.learners.is_empty()
            || placed.all.len() != placed.active.len()
            || members.voters.len() != placed.active.len()
    }

    /// True if this replica is all its group consists of.
    pub(crate) fn is_only_voter(&self) -> bool {
        let membership = self.membership.borrow();
        let mut voters = membership.voter_ids();
        voters.next() == Some(u64::from(self.shared.options.node_id)) && voters.next().is_none()
    }
}

/// Members by their broker's numbers.
pub(crate) fn members(of: &StoredMembership) -> GroupMembers {
    let membership = of.membership();
    let voters: BTreeSet<u32> = membership.voter_ids().map(|id| id as u32).collect();
    let learners: BTreeSet<u32> = membership.learner_ids().map(|id| id as u32).collect();
    GroupMembers {
        joint: membership.get_joint_config().len() > 1,
        voters: voters.into_iter().collect(),
        learners: learners.into_iter().collect(),
    }
}

/// Where a leader stands with this.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    running: Cell<bool>,
    looked: Cell<Option<Instant>>,
    /// Who did not take leadership over when it was asked last.
    refused: Cell<Option<u32>>,
}

/// What is next.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Step {
    /// To end what is half done.
    Settle,
    Learn(u32),
    Promote(u32),
    Remove(u32),
    Forget(u32),
    HandOver(u32),
}

/// What a leader sees of a member.
struct Sight<'s> {
    own: u32,
    placed: &'s Placed,
    members: &'s GroupMembers,
    /// True if a broker is up and its replica has nearly everything.
    is_ready: &'s dyn Fn(u32) -> bool,
    /// True if it could lead.
    could_lead: &'s dyn Fn(u32) -> bool,
    /// Who did not take over.
    refused: Option<u32>,
}

impl Sight<'_> {
    /// True if a majority of `voters` would go on at once.
    fn goes_on_with(&self, voters: &BTreeSet<u32>) -> bool {
        let ready = voters
            .iter()
            .filter(|node| **node == self.own || (self.is_ready)(**node));
        2 * ready.count() > voters.len()
    }

    fn next(&self) -> Option<Step> {
        if self.members.joint {
            return Some(Step::Settle);
        }
        let voters: BTreeSet<u32> = self.members.voters.iter().copied().collect();
        let learners = &self.members.learners;
        for (replica, state) in &self.placed.all {
            let node = replica.node;
            if *state == PlaceState::Leaving || voters.contains(&node) {
                continue;
            }
            if !learners.contains(&node) {
                return Some(Step::Learn(node));
            }
            let mut then = voters.clone();
            then.insert(node);
            if (self.is_ready)(node) && self.goes_on_with(&then) {
                return Some(Step::Promote(node));
            }
        }
        if let Some(stranger) = learners.iter().find(|node| !self.placed.wants(**node)) {
            return Some(Step::Forget(*stranger));
        }
        let goer = voters.iter().find(|node| !self.placed.wants(**node))?;
        if *goer == self.own {
            let others = self.placed.active.iter().map(|replica| replica.node);
            let heirs: Vec<u32> = others
                .filter(|node| voters.contains(node) && (self.could_lead)(*node))
                .collect();
            let willing = heirs.iter().find(|node| Some(**node) != self.refused);
            return willing.or(heirs.first()).copied().map(Step::HandOver);
        }
        let mut then = voters.clone();
        then.remove(goer);
        let known = then.iter().any(|node| self.placed.wants(*node));
        // What is not exported must stay with more than the leader.
        let heirs = then
            .iter()
            .filter(|node| **node == self.own || (self.could_lead)(**node));
        (known && 2 * heirs.count() > then.len()).then_some(Step::Remove(*goer))
    }
}

/// Begins the next step if there is one; called by the loop of a partition that leads.
pub(crate) fn tick(partition: &Rc<Partition>, raft: &Handle) {
    let placed = partition.placed();
    let steps = &partition.steps;
    let waits = |at: Instant| driver::since(at) < LOOK_EVERY;
    if placed.founding || steps.running.get() || steps.looked.get().is_some_and(waits) {
        return;
    }
    steps.looked.set(Some(driver::now()));
    let (applied, effective) = {
        let metrics = raft.metrics();
        let metrics = metrics.borrow_watched();
        let applied = partition.membership.borrow();
        (members(&applied), members(&metrics.membership_config))
    };
    if applied != effective || !partition.shared.cluster.is_current() {
        return;
    }
    let sight = Sight {
        own: partition.shared.options.node_id,
        placed: &placed,
        members: &applied,
        is_ready: &|node| transfer::is_ready(partition, raft, node),
        could_lead: &|node| transfer::could_lead(partition, raft, node),
        refused: steps.refused.get(),
    };
    let Some(step) = sight.next() else {
        return;
    };
    steps.running.set(true);
    let (partition, raft) = (Rc::clone(partition), raft.clone());
    driver::spawn(async move {
        take(&partition, &raft, step).await;
        partition.steps.running.set(false);
        partition.wake();
    });
}

async fn take(partition: &Rc<Partition>, raft: &Handle, step: Step) {
    tracing::info!(partition = %partition.id(), ?step, "the group's members change");
    let set = |node: u32| BTreeSet::from([u64::from(node)]);
    let change = match step {
        Step::HandOver(heir) => {
            transfer::hand_over(partition, raft, heir).await;
            if partition.core.borrow().is_leading() {
                // Nothing was taken in meanwhile: work first, then another one is asked.
                partition.steps.refused.set(Some(heir));
                driver::sleep(ASK_AGAIN).await;
            }
            return;
        }
        Step::Learn(node) => ChangeMembers::AddNodes([(u64::from(node), Member::default())].into()),
        Step::Settle => ChangeMembers::AddVoterIds(BTreeSet::new()),
        Step::Promote(node) => ChangeMembers::AddVoterIds(set(node)),
        Step::Remove(node) => ChangeMembers::RemoveVoters(set(node)),
        Step::Forget(node) => ChangeMembers::RemoveNodes(set(node)),
    };
    let changed = driver::within(STEP_WITHIN, raft.change_membership(change, false)).await;
    match changed {
        Some(Ok(_)) => {}
        Some(Err(error)) => {
            tracing::warn!(partition = %partition.id(), %error, "the members are as before");
        }
        None => tracing::warn!(partition = %partition.id(), "a change of members takes its time"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placed(places: &[(u32, PlaceState)]) -> Placed {
        let all: Vec<_> = places
            .iter()
            .map(|(node, state)| {
                let replica = Replica {
                    node: *node,
                    priority: 1,
                };
                (replica, *state)
            })
            .collect();
        let active = all.iter().filter(|(_, state)| *state == PlaceState::Active);
        Placed {
            founding: false,
            active: active.map(|(replica, _)| *replica).collect(),
            all,
        }
    }

    /// What leader 0 does with such members while `ready` are up and caught up.
    fn next(
        places: &[(u32, PlaceState)],
        voters: &[u32],
        learners: &[u32],
        ready: &[u32],
    ) -> Option<Step> {
        let members = GroupMembers {
            joint: false,
            voters: voters.to_vec(),
            learners: learners.to_vec(),
        };
        let is_ready = |node| ready.contains(&node);
        let sight = Sight {
            own: 0,
            placed: &placed(places),
            members: &members,
            is_ready: &is_ready,
            could_lead: &is_ready,
            refused: Some(1),
        };
        sight.next()
    }

    const A: PlaceState = PlaceState::Active;
    const J: PlaceState = PlaceState::Joining;
    const L: PlaceState = PlaceState::Leaving;

    #[test]
    fn a_comer_learns_then_votes_when_it_has_caught_up() {
        let places = [(0, A), (1, A), (2, A), (3, J)];
        let three = [0, 1, 2];
        assert_eq!(next(&places, &three, &[], &three), Some(Step::Learn(3)));
        assert_eq!(next(&places, &three, &[3], &three), None);
        let promoted = next(&places, &three, &[3], &[1, 2, 3]);
        assert_eq!(promoted, Some(Step::Promote(3)));
        // With two that are down the new majority would have to wait.
        assert_eq!(next(&places, &three, &[3], &[3]), None);
        assert_eq!(next(&places, &[0, 1, 2, 3], &[], &[1, 2, 3]), None);
    }

    #[test]
    fn a_goer_leaves_only_a_group_that_goes_on() {
        let places = [(0, A), (1, A), (2, A), (3, L)];
        let four = [0, 1, 2, 3];
        assert_eq!(next(&places, &four, &[], &[1]), Some(Step::Remove(3)));
        assert_eq!(next(&places, &four, &[], &[3]), None);
        // One that is down for good leaves as well.
        let places = [(0, A), (1, A), (2, L)];
        assert_eq!(next(&places, &[0, 1, 2], &[], &[1]), Some(Step::Remove(2)));
        assert_eq!(next(&places, &[0, 1, 2], &[], &[]), None);
    }

    #[test]
    fn a_leader_that_leaves_hands_over_first() {
        let places = [(0, L), (1, A), (2, A)];
        let over = next(&places, &[0, 1, 2], &[], &[2]);
        assert_eq!(over, Some(Step::HandOver(2)));
        // Who refused is asked again only if there is nobody else.
        let over = next(&places, &[0, 1, 2], &[], &[1, 2]);
        assert_eq!(over, Some(Step::HandOver(2)));
        let over = next(&places, &[0, 1, 2], &[], &[1]);
        assert_eq!(over, Some(Step::HandOver(1)));
        assert_eq!(next(&places, &[0, 1, 2], &[], &[]), None);
        // Nobody hands over to who does not vote yet.
        let places = [(0, L), (1, J)];
        assert_eq!(next(&places, &[0], &[1], &[]), None);
    }

    #[test]
    fn what_is_half_done_or_not_wanted_is_ended() {
        let members = GroupMembers {
            joint: true,
            voters: vec![0, 1, 2],
            learners: Vec::new(),
        };
        let sight = Sight {
            own: 0,
            placed: &placed(&[(0, A), (1, A)]),
            members: &members,
            is_ready: &|_| true,
            could_lead: &|_| true,
            refused: None,
        };
        assert_eq!(sight.next(), Some(Step::Settle));
        let places = [(0, A), (1, A)];
        assert_eq!(next(&places, &[0, 1], &[7], &[1]), Some(Step::Forget(7)));
        // Given up after it became a voter.
        assert_eq!(next(&places, &[0, 1, 7], &[], &[1]), Some(Step::Remove(7)));
        // A configuration that knows nobody here changes nothing.
        assert_eq!(next(&[], &[0, 1, 2], &[], &[1, 2]), None);
    }
}
