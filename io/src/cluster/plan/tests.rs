//! Tests of the plans: what a change comes to, in which order, and what is refused.
//!
//! On configurations alone; nothing runs.

use super::*;

fn founded(size: u32, replication_factor: u32, partitions: u16) -> Configuration {
    let options = ClusterOptions {
        size,
        replication_factor,
        ..ClusterOptions::default()
    };
    Configuration::founding(&options, partitions)
}

fn scaled(on: &Configuration, brokers: impl IntoIterator<Item = u32>) -> Vec<Operation> {
    let request = ChangeRequest::Scale {
        brokers: brokers.into_iter().collect(),
        replication_factor: None,
    };
    plan(on, &request).unwrap()
}

fn refused(on: &Configuration, request: ChangeRequest) -> String {
    plan(on, &request).unwrap_err().to_string()
}

#[test]
fn a_grown_cluster_stands_as_if_it_had_been_founded_so() {
    for (from, to, factor) in [(3, 4, 3), (3, 6, 2), (5, 3, 3), (4, 5, 1)] {
        let on = founded(from, factor, 7);
        let operations = scaled(&on, 0..to);
        let then = expected(&on, &operations, 0);
        let founded = founded(to, factor, 7);
        let places = |of: &Configuration| {
            let members = of.members.iter();
            members
                .map(|(node, member)| (*node, member.replicas.clone()))
                .collect::<Vec<_>>()
        };
        assert_eq!(places(&then), places(&founded), "{from} to {to}");
        let back = scaled(&then, 0..from);
        assert_eq!(places(&expected(&then, &back, 0)), places(&on));
    }
}

#[test]
fn new_replicas_come_before_old_ones_go_and_brokers_go_last() {
    let operations = scaled(&founded(3, 3, 1), [1, 2, 3]);
    let (partition, broker) = (PartitionId(1), 3);
    assert_eq!(
        operations,
        [
            Operation::BrokerAdd { broker },
            Operation::PartitionJoin {
                broker,
                partition,
                priority: 1
            },
            Operation::PartitionLeave {
                broker: 0,
                partition
            },
            Operation::PartitionReconfigurePriority {
                broker: 1,
                partition,
                priority: 3
            },
            Operation::PartitionReconfigurePriority {
                broker: 2,
                partition,
                priority: 2
            },
            Operation::BrokerRemove { broker: 0 },
        ]
    );
}

#[test]
fn what_cannot_be_is_refused_in_words() {
    let on = founded(3, 2, 3);
    let set = |brokers: &[u32]| brokers.iter().copied().collect::<BTreeSet<u32>>();
    let (broker, partition) = (0, PartitionId(1));
    let cases = [
        (
            ChangeRequest::Remove { brokers: set(&[0]) },
            "still has partitions",
        ),
        (
            ChangeRequest::Remove { brokers: set(&[9]) },
            "not part of the cluster",
        ),
        (
            ChangeRequest::ForceRemove { brokers: set(&[9]) },
            "not part of the cluster",
        ),
        (
            ChangeRequest::ForceRemove {
                brokers: set(&[0, 1]),
            },
            "minimum allowed replicas",
        ),
        (
            ChangeRequest::Add {
                brokers: set(&[CLUSTER_SIZE_MAX]),
            },
            "numbers of brokers",
        ),
        (
            ChangeRequest::Join {
                broker: 7,
                partition,
                priority: 1,
            },
            "not active",
        ),
        (
            ChangeRequest::Join {
                broker,
                partition: PartitionId(9),
                priority: 1,
            },
            "no partition 9",
        ),
        (
            ChangeRequest::Leave {
                broker,
                partition: PartitionId(2),
            },
            "does not have the partition 2",
        ),
        (
            ChangeRequest::Patch {
                add: set(&[4]),
                remove: set(&[4]),
                replication_factor: None,
            },
            "same member",
        ),
        (
            ChangeRequest::Scale {
                brokers: set(&[]),
                replication_factor: None,
            },
            "no brokers are provided",
        ),
        (
            ChangeRequest::Scale {
                brokers: set(&[1]),
                replication_factor: None,
            },
            "Number of brokers [1] is less than the replication factor [2]",
        ),
        (
            ChangeRequest::Scale {
                brokers: set(&[1]),
                replication_factor: Some(0),
            },
            "Replication factor [0] must be greater than 0",
        ),
        (ChangeRequest::Cancel { id: 4 }, "no change is in progress"),
    ];
    for (request, expected) in cases {
        let told = refused(&on, request.clone());
        assert!(told.contains(expected), "{request:?}: {told}");
    }
    let left = ChangeRequest::Leave { broker, partition };
    let operations = plan(&on, &left).unwrap();
    let fewer = expected(&on, &operations, 0);
    let last = ChangeRequest::Leave {
        broker: 1,
        partition,
    };
    assert!(refused(&fewer, last).contains("0 active replicas left"));
}

#[test]
fn who_is_there_is_not_added_and_who_has_a_replica_is_only_preferred() {
    let on = founded(3, 2, 3);
    let brokers = BTreeSet::from([1, 3]);
    let added = plan(&on, &ChangeRequest::Add { brokers }).unwrap();
    assert_eq!(added, [Operation::BrokerAdd { broker: 3 }]);
    let (broker, partition, priority) = (0, PartitionId(1), 9);
    let joined = ChangeRequest::Join {
        broker,
        partition,
        priority,
    };
    let preferred = Operation::PartitionReconfigurePriority {
        broker,
        partition,
        priority,
    };
    assert_eq!(plan(&on, &joined).unwrap(), [preferred]);
}

#[test]
fn brokers_that_are_gone_leave_the_rest_where_it_is() {
    let on = founded(3, 3, 2);
    let brokers = BTreeSet::from([0, 1]);
    let operations = plan(&on, &ChangeRequest::ForceKeep { brokers }).unwrap();
    let then = expected(&on, &operations, 0);
    assert_eq!(then.members.len(), 2);
    let kept = then.replicas(PartitionId(1));
    assert_eq!(kept.iter().map(|it| it.node).collect::<Vec<_>>(), [0, 1]);
}
