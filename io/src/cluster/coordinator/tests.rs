//! Tests of the steps of a change: each waits for what it needs, and what is given up is taken back.
//!
//! What the coordinator sees is made up here; nothing is on a disk or on its way.

use super::*;
use crate::cluster::ClusterOptions;

const P: PartitionId = PartitionId(1);

fn founded() -> Configuration {
    let options = ClusterOptions {
        size: 3,
        replication_factor: 3,
        ..ClusterOptions::default()
    };
    Configuration::founding(&options, 1)
}

fn changing(request: &ChangeRequest) -> Configuration {
    let mut on = founded();
    let operations = plan::plan(&on, request).unwrap();
    on.version += 1;
    on.pending = Some(PendingChange {
        id: 1,
        led_by: 0,
        started: 1,
        operations,
        done: Vec::new(),
    });
    on
}

/// All of `nodes` are up and know `on`; `voters` vote under leader 1.
fn seen(on: &Configuration, nodes: &[u32], voters: &[u32]) -> Seen {
    let members = GroupMembers {
        joint: false,
        voters: voters.to_vec(),
        learners: Vec::new(),
    };
    Seen {
        stamps: nodes.iter().map(|node| (*node, on.stamp())).collect(),
        groups: [(P, (1, members))].into(),
        at_work: voters.iter().map(|node| (*node, P)).collect(),
    }
}

fn patch(add: &[u32], remove: &[u32]) -> ChangeRequest {
    ChangeRequest::Patch {
        add: add.iter().copied().collect(),
        remove: remove.iter().copied().collect(),
        replication_factor: None,
    }
}

fn must(on: &Configuration, seen: &Seen) -> Configuration {
    let next = step(on, seen, 9).expect("a step");
    assert_eq!(next.version, on.version + 1);
    next
}

#[test]
fn a_replica_moves_step_by_step_and_each_waits_for_what_it_needs() {
    let on = changing(&patch(&[3], &[0]));
    let three: &[u32] = &[0, 1, 2];
    let four: &[u32] = &[0, 1, 2, 3];
    // The newcomer is announced, and waited for.
    let on = must(&on, &seen(&on, three, three));
    assert_eq!(on.members[&3].state, PlaceState::Joining);
    assert_eq!(step(&on, &seen(&on, three, three), 9), None);
    let on = must(&on, &seen(&on, four, three));
    assert_eq!(on.members[&3].state, PlaceState::Active);
    // Its replica is announced; it counts when its vote does and it is at work.
    let on = must(&on, &seen(&on, four, three));
    assert_eq!(on.replica(P, 3).unwrap().state, PlaceState::Joining);
    assert_eq!(step(&on, &seen(&on, four, three), 9), None);
    let mut joint = seen(&on, four, four);
    joint.groups.get_mut(&P).unwrap().1.joint = true;
    assert_eq!(step(&on, &joint, 9), None);
    let mut asleep = seen(&on, four, four);
    asleep.at_work.remove(&(3, P));
    assert_eq!(step(&on, &asleep, 9), None);
    // Nobody goes ahead of a broker that is up and has not heard.
    let mut deaf = seen(&on, four, four);
    deaf.stamps.insert(2, (0, 1));
    assert_eq!(step(&on, &deaf, 9), None);
    let on = must(&on, &seen(&on, four, four));
    assert_eq!(on.replica(P, 3).unwrap().state, PlaceState::Active);
    // The old one leaves when it neither votes nor learns nor leads.
    let on = must(&on, &seen(&on, four, four));
    assert_eq!(on.replica(P, 0).unwrap().state, PlaceState::Leaving);
    assert_eq!(step(&on, &seen(&on, four, four), 9), None);
    let mut learns = seen(&on, four, &[1, 2, 3]);
    learns.groups.get_mut(&P).unwrap().1.learners = vec![0];
    assert_eq!(step(&on, &learns, 9), None);
    let mut leads = seen(&on, four, &[1, 2, 3]);
    leads.groups.get_mut(&P).unwrap().0 = 0;
    assert_eq!(step(&on, &leads, 9), None);
    let nobody = Seen {
        groups: BTreeMap::new(),
        ..seen(&on, four, &[1, 2, 3])
    };
    assert_eq!(step(&on, &nobody, 9), None);
    let mut on = must(&on, &seen(&on, four, &[1, 2, 3]));
    assert_eq!(on.replica(P, 0), None);
    while on.pending.is_some() {
        on = must(&on, &seen(&on, four, &[1, 2, 3]));
    }
    assert_eq!(on.members.keys().copied().collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(on.last.unwrap().end, ChangeEnd::Completed);
    assert_eq!(on.coordinator(), Some(1));
}

#[test]
fn a_change_that_is_given_up_keeps_what_was_done() {
    let on = changing(&patch(&[3], &[]));
    let three: &[u32] = &[0, 1, 2];
    let on = must(&on, &seen(&on, three, three));
    assert_eq!(cancelled(&on, 5).0.members, founded().members);
    let four: &[u32] = &[0, 1, 2, 3];
    let on = must(&on, &seen(&on, four, three));
    let (kept, taken_back) = cancelled(&on, 5);
    assert!(kept.members.contains_key(&3));
    assert_eq!(kept.last.unwrap().end, ChangeEnd::Cancelled);
    assert_eq!((kept.pending, taken_back.len()), (None, 0));
}

/// What was announced may vote already when the change is given up: its data stays until its
/// group has let go of it, or the group has lost it for good.
#[test]
fn a_replica_that_was_coming_leaves_its_group_before_it_goes() {
    let on = changing(&patch(&[3], &[0]));
    let three: &[u32] = &[0, 1, 2];
    let four: &[u32] = &[0, 1, 2, 3];
    let on = must(&on, &seen(&on, three, three));
    let on = must(&on, &seen(&on, four, three));
    let on = must(&on, &seen(&on, four, three));
    let joining = on.replica(P, 3).unwrap();
    assert_eq!(joining.state, PlaceState::Joining);
    let (mut next, operations) = cancelled(&on, 5);
    assert_eq!(next.replica(P, 3).unwrap().state, PlaceState::Leaving);
    let (broker, partition) = (3, P);
    let leave = Operation::PartitionLeave { broker, partition };
    assert_eq!(operations, [leave]);
    next.pending = Some(PendingChange {
        id: 2,
        led_by: 0,
        started: 5,
        operations,
        done: Vec::new(),
    });
    assert_eq!(step(&next, &seen(&next, four, four), 9), None);
    let next = must(&next, &seen(&next, four, three));
    assert_eq!(next.replica(P, 3), None);
}

#[test]
fn who_leads_a_change_is_not_among_those_that_are_gone() {
    let on = founded();
    let brokers = BTreeSet::from([0]);
    let forced = ChangeRequest::ForceRemove { brokers };
    assert_eq!(leads(&on, &forced), Some(1));
    assert_eq!(leads(&on, &patch(&[], &[0])), Some(0));
    let brokers = BTreeSet::from([2]);
    assert_eq!(leads(&on, &ChangeRequest::ForceKeep { brokers }), Some(2));
}
