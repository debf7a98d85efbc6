//! A damaged replica in a cluster: only it stays down, and its broker gets it anew from the others.
//!
//! The damage is in the middle of its log, where no crash can have left it. What a broker without
//! others does with such files is in `bad_files.rs`: it refuses to start.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use serde_json::Value;

use crate::broker::until;
use crate::cluster::{Cluster, KIND, LIFE, Load, READY, settle};
use crate::models;

/// Where the first batch of a segment begins.
const FIRST_BATCH: u64 = 4096;

fn damage(segment: &Path) {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(segment)
        .unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, FIRST_BATCH + 40).unwrap();
    file.write_all_at(&[byte[0] ^ 0xff], FIRST_BATCH + 40)
        .unwrap();
}

/// What broker 0 says of the replica of `partition` on broker 2.
fn replica(cluster: &Cluster, partition: u64) -> Option<Value> {
    let shown = cluster.probe(0).get("/actuator/cluster").json();
    let brokers = shown["brokers"].as_array()?;
    let broker = brokers.iter().find(|broker| broker["id"] == 2)?;
    let mut replicas = broker["partitions"].as_array()?.iter();
    replicas.find(|replica| replica["id"] == partition).cloned()
}

#[test]
fn a_damaged_replica_stays_down_alone_until_its_files_are_moved_away() {
    let mut cluster = Cluster::started(2);
    let mut first = cluster.client(1);
    let deployed = first.deploy("damaged.bpmn", &models::task(KIND)).unwrap();
    assert!(deployed.status < 300, "{deployed:?}");
    let load = Load::on(&cluster);
    load.begin(&mut first, 2);
    std::thread::scope(|scope| {
        let _end = load.drive(scope);
        std::thread::sleep(LIFE);
        cluster.stop(2);
        let replica_directory = cluster.places[2].data().join("partitions/1");
        damage(&replica_directory.join("log/segment-0000000000000001.log"));
        cluster.start(2);
        load.now_at(&cluster);
        until(
            "the other replica works and the damaged one does not",
            READY,
            || {
                let (damaged, sound) = (replica(&cluster, 1)?, replica(&cluster, 2)?);
                let works = sound["role"] == "follower" || sound["role"] == "leader";
                (works && damaged["health"] == "dead").then_some(())
            },
        );
        std::thread::sleep(LIFE);
        cluster.stop(2);
        let away = cluster.places[2].data().join("damaged");
        std::fs::rename(&replica_directory, &away).unwrap();
        std::fs::create_dir(&replica_directory).unwrap();
        cluster.start(2);
        cluster.wait_ready();
        load.now_at(&cluster);
        std::thread::sleep(LIFE);
        std::fs::remove_dir_all(&away).unwrap();
    });
    settle(cluster, load);
}
