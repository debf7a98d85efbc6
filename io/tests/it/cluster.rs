//! Three brokers in one process, on loopback: they find each other, elect, replicate, and go on when
//! one of them is gone.
//!
//! A broker that is dropped ends where it stands, as after a crash, and its peer listener closes.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use ringflow_core::ids::PartitionId;
use ringflow_io::{Broker, BrokerOptions, ClusterOptions, DriverChoice, StartError, SubmitError};
use tempfile::TempDir;

use crate::world::{client, create, deploy, options, poll, run_one, submit};

const PATIENCE: Duration = Duration::from_secs(30);

/// Three brokers, some of them running.
pub(crate) struct Three {
    pub(crate) places: Vec<(TempDir, BrokerOptions)>,
    pub(crate) brokers: Vec<Option<Broker>>,
}

impl Three {
    pub(crate) fn new(partitions: u16, driver: DriverChoice) -> Self {
        let ports: Vec<_> = (0..3)
            .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
            .map(|bound| bound.local_addr().unwrap())
            .collect();
        let contact_points: Vec<String> = ports.iter().map(ToString::to_string).collect();
        let place = |node: u32| {
            let directory = TempDir::new().unwrap();
            let mut options = options(&directory, driver);
            options.node_id = node;
            options.partitions = partitions;
            options.cluster = ClusterOptions {
                size: 3,
                replication_factor: 3,
                contact_points: contact_points.clone(),
                listen: ports[node as usize],
                ..ClusterOptions::default()
            };
            (directory, options)
        };
        Self {
            places: (0..3).map(place).collect(),
            brokers: (0..3).map(|_| None).collect(),
        }
    }

    pub(crate) fn started(partitions: u16, driver: DriverChoice) -> Self {
        let mut three = Self::new(partitions, driver);
        (0..3).for_each(|node| three.start(node));
        three.wait("every partition has a leader", |three| three.is_ready());
        three
    }

    pub(crate) fn start(&mut self, node: usize) {
        let options = self.places[node].1.clone();
        self.brokers[node] = Some(Broker::start(options).unwrap());
    }

    pub(crate) fn kill(&mut self, node: usize) {
        self.brokers[node] = None;
    }

    fn running(&self) -> impl Iterator<Item = &Broker> {
        self.brokers.iter().flatten()
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.running()
            .all(|broker| broker.submitter().topology().is_ready())
    }

    pub(crate) fn leader(&self, partition: u16) -> Option<usize> {
        let broker = self.running().next()?;
        let topology = broker.submitter().topology();
        topology
            .leader(PartitionId(partition))
            .map(|node| node as usize)
    }

    pub(crate) fn wait(&self, what: &str, until: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !until(self) {
            if begun.elapsed() > PATIENCE {
                for broker in self.running() {
                    println!("{:#?}", broker.submitter().topology());
                }
                panic!("{what}: not within {PATIENCE:?}");
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until all running replicas of all partitions have the same state.
    pub(crate) fn wait_equal(&self) {
        let partitions = self.places[0].1.partitions;
        self.wait("replicas are equal", |three| {
            (1..=partitions).map(PartitionId).all(|partition| {
                let mut digests = three.running().map(|broker| broker.digest(partition));
                let first = digests.next().unwrap();
                first.is_some() && digests.all(|digest| digest == first)
            })
        });
    }
}

#[test]
fn three_brokers_elect_replicate_and_serve_from_anywhere() {
    crate::world::on_both_drivers(|options| {
        let three = Three::started(3, options().driver);
        client(async {
            let first = three.brokers[0].as_ref().unwrap().submitter();
            deploy(&first).await;
            for broker in three.running() {
                let submitter = broker.submitter();
                for partition in 1..=3 {
                    run_one(&submitter, partition).await;
                }
            }
        });
        three.wait_equal();
        let replayed: u64 = three
            .running()
            .flat_map(|broker| broker.submitter().metrics().partitions)
            .map(|partition| partition.records_replayed)
            .sum();
        assert!(replayed > 100, "followers replayed {replayed} records");
        for broker in three.brokers.into_iter().flatten() {
            broker.stop();
        }
    });
}

#[test]
fn a_majority_begins_without_the_third() {
    let mut three = Three::new(1, DriverChoice::Plain);
    // The preferred leader is the one that is missing.
    three.start(1);
    three.start(2);
    three.wait("two of three begin", Three::is_ready);
    let submitter = three.brokers[1].as_ref().unwrap().submitter();
    client(async {
        deploy(&submitter).await;
        run_one(&submitter, 1).await;
    });
    three.start(0);
    three.wait_equal();
}

#[test]
fn a_leader_that_is_gone_is_replaced_and_catches_up_when_it_is_back() {
    crate::world::on_both_drivers(|options| replace_a_leader(options().driver));
}

fn replace_a_leader(driver: DriverChoice) {
    let mut three = Three::started(1, driver);
    let leader = three.leader(1).unwrap();
    let other = (leader + 1) % 3;
    client(async {
        let submitter = three.brokers[leader].as_ref().unwrap().submitter();
        deploy(&submitter).await;
        for _ in 0..10 {
            submit(&submitter, 1, create()).await;
        }
    });
    three.kill(leader);
    let begun = Instant::now();
    client(async {
        let submitter = three.brokers[other].as_ref().unwrap().submitter();
        let mut created = 0;
        while created < 10 {
            let answer = submitter
                .submit(PartitionId(1), create(), Duration::from_secs(10))
                .await;
            match answer {
                Ok(_) => created += 1,
                Err(SubmitError::UnknownOutcome | SubmitError::Unavailable { .. }) => {}
                Err(error) => panic!("{error}"),
            }
            if created == 1 {
                println!("first commit after {:?}", begun.elapsed());
            }
        }
        assert!(poll(&submitter, 1, 100).await.len() >= 20);
    });
    three.start(leader);
    three.wait_equal();
}

#[test]
fn a_replica_that_lost_its_disk_gets_everything_again() {
    let mut three = Three::started(1, DriverChoice::Plain);
    let leader = three.leader(1).unwrap();
    let follower = (leader + 1) % 3;
    client(async {
        let submitter = three.brokers[leader].as_ref().unwrap().submitter();
        deploy(&submitter).await;
        for _ in 0..20 {
            run_one(&submitter, 1).await;
        }
    });
    three.kill(follower);
    std::fs::remove_dir_all(three.places[follower].1.data.clone()).unwrap();
    three.start(follower);
    three.wait_equal();
    // It votes again: the leader goes, and the two that are left elect another.
    three.kill(leader);
    three.wait("another leads", |three| {
        three.leader(1).is_some_and(|node| node != leader)
    });
}

#[test]
fn a_broker_that_differs_is_refused_in_words() {
    let three = Three::started(1, DriverChoice::Plain);
    let directory = TempDir::new().unwrap();
    let mut other = three.places[1].1.clone();
    other.data = directory.path().join("data");
    other.partitions = 2;
    other.cluster.listen = "127.0.0.1:0".parse().unwrap();
    let broker = Broker::start(other).unwrap();
    let mut fatal = broker.fatal();
    let why = client(async {
        let why = fatal.wait_for(Option::is_some);
        let why = tokio::time::timeout(PATIENCE, why).await.unwrap().unwrap();
        why.clone().unwrap()
    });
    assert!(why.contains("partition count"), "{why}");
    assert!(three.is_ready());
    drop(broker);
    let mut swapped = three.places[2].1.clone();
    swapped.data = directory.path().join("data");
    match Broker::start(swapped) {
        Err(StartError::Options(why)) => assert!(why.contains("node 1"), "{why}"),
        other => panic!("{other:?}"),
    }
    let mut lonely = three.places[0].1.clone();
    lonely.cluster.contact_points.clear();
    assert!(matches!(Broker::start(lonely), Err(StartError::Options(_))));
}

#[test]
fn a_follower_that_was_away_catches_up_by_log_or_snapshot() {
    let mut three = Three::new(1, DriverChoice::Plain);
    for (_, options) in &mut three.places {
        options.snapshot_interval = Duration::from_millis(200);
    }
    (0..3).for_each(|node| three.start(node));
    three.wait("the partition has a leader", Three::is_ready);
    let leader = three.leader(1).unwrap();
    let away = (leader + 1) % 3;
    let submitter = three.brokers[leader].as_ref().unwrap().submitter();
    client(deploy(&submitter));
    for round in 0..2 {
        three.kill(away);
        let purged = || submitter.metrics().partitions[0].purged_index;
        let topology = submitter.topology();
        let own = topology
            .brokers
            .iter()
            .find(|it| it.node_id == topology.asked);
        let stands = own.unwrap().partitions[0].index;
        let begun = Instant::now();
        while purged() <= stands {
            client(run_one(&submitter, 1));
            assert!(begun.elapsed() < PATIENCE, "the log is not purged");
        }
        if round == 1 {
            // From nothing, instead of on top of what it had.
            std::fs::remove_dir_all(three.places[away].1.data.clone()).unwrap();
        }
        three.start(away);
        three.wait_equal();
        let back = three.brokers[away].as_ref().unwrap().submitter();
        // The group may keep the log for a member it is still sending to: then no snapshot is needed.
        let installed = back.metrics().partitions[0].snapshots_installed;
        println!("round {round}: {installed} snapshots installed");
        assert!(round == 0 || installed >= 1, "an empty replica needs one");
        client(run_one(&back, 1));
        three.wait_equal();
    }
    // What it installed is what it starts with.
    three.kill(away);
    three.start(away);
    three.wait_equal();
}

#[test]
fn messages_and_pushed_jobs_cross_brokers() {
    let three = Three::started(3, DriverChoice::Plain);
    let leaders: std::collections::BTreeSet<_> = (1..=3).map(|it| three.leader(it)).collect();
    assert!(leaders.len() > 1, "leaders are spread: {leaders:?}");
    let submitter = three.brokers[0].as_ref().unwrap().submitter();
    client(async {
        crate::messages::correlate_everywhere(&submitter).await;
        deploy(&submitter).await;
        let mut stream = submitter.open_stream(crate::streams::spec());
        for partition in 1..=3 {
            loop {
                submit(&submitter, partition, create()).await;
                // A stream is open elsewhere only after a moment; what came before is polled.
                let next = tokio::time::timeout(Duration::from_millis(500), stream.next()).await;
                if let Ok(next) = next {
                    let (key, _) = next.unwrap();
                    assert_eq!(key.partition(), PartitionId(partition));
                    submit(&submitter, partition, crate::world::complete(key)).await;
                    break;
                }
            }
        }
    });
    three.wait_equal();
}

#[test]
fn strangers_on_the_peer_port_move_nothing() {
    use std::io::{Read as _, Write as _};
    let three = Three::started(1, DriverChoice::Plain);
    let port = three.places[0].1.cluster.listen;
    let leaderships = || -> u64 {
        let of = |broker: &Broker| broker.submitter().metrics().partitions[0].leaderships;
        three.running().map(of).sum()
    };
    let before = leaderships();
    let half_open: Vec<_> = (0..20)
        .map(|_| std::net::TcpStream::connect(port).unwrap())
        .collect();
    let submitter = three.brokers[1].as_ref().unwrap().submitter();
    client(deploy(&submitter));
    for garbage in [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        vec![0; 64 << 10],
        vec![0xff; 64 << 10],
        // A frame of an allowed length with a checksum that is none.
        [&[8, 0, 0, 0, 1, 2, 3, 4, 1][..], &[0; 64]].concat(),
    ] {
        let mut stranger = std::net::TcpStream::connect(port).unwrap();
        // It may be cut off while it still speaks.
        let _ = stranger.write_all(&garbage);
        let _ = stranger.set_read_timeout(Some(Duration::from_secs(10)));
        let mut heard = Vec::new();
        // Closed or reset, but not left open and not answered at length.
        let _ = stranger.read_to_end(&mut heard);
        assert!(heard.len() < 1024, "{} bytes", heard.len());
        client(run_one(&submitter, 1));
    }
    drop(half_open);
    assert_eq!(leaderships(), before);
    three.wait_equal();
}
