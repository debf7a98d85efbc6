//! The cluster changes under load: a broker comes, partitions move to it, an old one goes.
//!
//! Three processes and later a fourth, one database, the checked load of [`crate::cluster`]: what was
//! acknowledged is in the history once, every job done once, and the replicas of each partition equal
//! wherever they are by then. Once everything stays up; once who coordinates the change and who comes
//! are killed (`kill -9`) again and again while it goes on. And all brokers are exchanged one by one
//! for such that speak a newer version of the peer protocol, without a request that fails for it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::broker::until;
use crate::client::{Answer, Client};
use crate::cluster::{Cluster, KIND, LIFE, Load, READY, settle};
use crate::models;

/// Longest change; what is killed has to catch up.
const CHANGED: Duration = Duration::from_secs(120);
/// How often a broker is exchanged until no request fails: where the machine stops a leader for longer
/// than an election takes, a request fails whatever is done to the other brokers.
const EXCHANGES: usize = 3;
/// Longest series of kills in one change.
const KILLS: usize = 6;

fn patch(client: &mut Client, query: &str, body: &Value) -> Answer {
    let path = format!("/actuator/cluster{query}");
    let kind = ("content-type", "application/json");
    let body = body.to_string();
    client
        .send("PATCH", &path, &[kind], body.as_bytes())
        .unwrap()
}

/// Asks any broker for a change until it has begun, in bounds; its number.
fn begin(cluster: &Cluster, node: usize, body: &Value) -> u64 {
    until("the change begins", READY, || {
        let answer = patch(&mut cluster.probe(node), "", body);
        if answer.status != 202 {
            eprintln!("not yet: {answer:?}");
            return None;
        }
        answer.json()["changeId"].as_u64()
    })
}

/// The number of the change that ended last.
fn last(cluster: &Cluster, node: usize) -> u64 {
    let shown = cluster.probe(node).get("/actuator/cluster").json();
    shown["lastChange"]["id"].as_u64().unwrap_or(0)
}

fn wait_changed(cluster: &Cluster, node: usize, change: u64) -> Value {
    let begun = Instant::now();
    let changed = until("the cluster is changed", CHANGED, || {
        let shown = cluster.probe(node).get("/actuator/cluster").json();
        (shown["lastChange"]["id"] == change).then_some(shown)
    });
    eprintln!("change {change}: {:?}", begun.elapsed());
    assert_eq!(changed["lastChange"]["status"], "COMPLETED", "{changed:#}");
    changed
}

/// The brokers of each partition.
fn places(shown: &Value, partitions: u64) -> Vec<Vec<u64>> {
    let of = |partition: u64| {
        let brokers = shown["brokers"].as_array().unwrap().iter();
        let keeps = brokers.filter(|broker| {
            let mut replicas = broker["partitions"].as_array().unwrap().iter();
            replicas.any(|replica| replica["id"] == partition && replica["state"] == "ACTIVE")
        });
        keeps.map(|broker| broker["id"].as_u64().unwrap()).collect()
    };
    (1..=partitions).map(of).collect()
}

fn deployed(cluster: &Cluster) -> Load {
    let mut first = cluster.client(1);
    let deployed = first.deploy("moving.bpmn", &models::task(KIND)).unwrap();
    assert!(deployed.status < 300, "{deployed:?}");
    let load = Load::on(cluster);
    load.begin(&mut first, 3);
    load
}

/// A group that is smaller is a change that is over; the files go when its shard has closed them.
fn until_it_keeps_nothing(cluster: &Cluster, node: usize) {
    let partitions = cluster.places[node].data().join("partitions");
    until("the replicas are removed", READY, || {
        let names = std::fs::read_dir(&partitions).unwrap();
        let mut names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.all(|name| name.parse::<u16>().is_err()).then_some(())
    });
}

#[test]
fn a_broker_comes_and_the_one_that_coordinates_goes_under_load() {
    let mut cluster = Cluster::started(3);
    let load = deployed(&cluster);
    std::thread::scope(|scope| {
        let _end = load.drive(scope);
        std::thread::sleep(LIFE);
        assert_eq!(cluster.add(), 3);
        cluster.wait_ready();
        load.now_at(&cluster);
        let body = json!({ "brokers": { "add": [3], "remove": [0] } });
        let tried = patch(&mut cluster.probe(2), "?dryRun=true", &body);
        assert_eq!(tried.status, 202, "{tried:?}");
        assert_eq!(
            tried.json()["expectedTopology"].as_array().unwrap().len(),
            3
        );
        assert_eq!(last(&cluster, 2), 0);
        let change = begin(&cluster, 2, &body);
        let other = patch(&mut cluster.probe(2), "", &body);
        assert_eq!(other.status, 409, "{other:?}");
        let shown = wait_changed(&cluster, 2, change);
        let all = vec![vec![1, 2, 3]; 3];
        assert_eq!(places(&shown, 3), all, "{shown:#}");
        assert_eq!(
            cluster.client(2).get("/v2/topology").json()["lastCompletedChangeId"],
            "1"
        );
        std::thread::sleep(LIFE);
        until_it_keeps_nothing(&cluster, 0);
        cluster.stop(0);
        load.now_at(&cluster);
        std::thread::sleep(LIFE);
        // All that is left has to find itself again.
        (1..4).for_each(|node| cluster.kill(node));
        (1..4).for_each(|node| cluster.start(node));
        cluster.wait_ready();
        load.now_at(&cluster);
        std::thread::sleep(LIFE);
    });
    settle(cluster, load);
}

#[test]
fn kills_of_who_coordinates_and_of_who_comes_only_delay_a_change() {
    let mut cluster = Cluster::started(3);
    let load = deployed(&cluster);
    std::thread::scope(|scope| {
        let _end = load.drive(scope);
        cluster.add();
        cluster.wait_ready();
        load.now_at(&cluster);
        for body in [
            json!({ "brokers": { "add": [3] } }),
            json!({ "brokers": { "remove": [1] } }),
        ] {
            let change = begin(&cluster, 2, &body);
            for kill in 0..KILLS {
                std::thread::sleep(Duration::from_millis(150 * kill as u64));
                if last(&cluster, 2) == change {
                    break;
                }
                // Who coordinates, who comes, who goes.
                let victim = [0, 3, 0, 1, 3, 0][kill];
                cluster.kill(victim);
                std::thread::sleep(Duration::from_millis(300));
                cluster.start(victim);
                load.now_at(&cluster);
            }
            wait_changed(&cluster, 2, change);
            std::thread::sleep(LIFE);
        }
        let shown = cluster.probe(2).get("/actuator/cluster").json();
        assert_eq!(places(&shown, 3), vec![vec![0, 2, 3]; 3], "{shown:#}");
        cluster.stop(1);
        cluster.start(1);
        cluster.wait_ready();
        until_it_keeps_nothing(&cluster, 1);
        load.now_at(&cluster);
    });
    settle(cluster, load);
}

#[test]
fn brokers_of_two_protocol_versions_work_together_while_one_by_one_is_exchanged() {
    let mut cluster = Cluster::new(3);
    cluster.set("RINGFLOW_CLUSTER_PEER_VERSION", "1");
    (0..3).for_each(|node| cluster.start(node));
    cluster.wait_ready();
    let load = deployed(&cluster);
    cluster.set("RINGFLOW_CLUSTER_PEER_VERSION", "auto");
    let body = json!({ "partitions": { "replicationFactor": 3 }, "brokers": { "add": [3] } });
    std::thread::scope(|scope| {
        let _end = load.drive(scope);
        for node in 0..3 {
            let clean = (0..EXCHANGES).any(|round| {
                let client = cluster.client((node + 1) % 3);
                let failed = failures(client, &format!("{node}-{round}"), || {
                    std::thread::sleep(LIFE);
                    cluster.stop(node);
                    std::thread::sleep(LIFE);
                    cluster.start(node);
                    load.now_at(&cluster);
                    cluster.wait_ready();
                    std::thread::sleep(LIFE);
                });
                eprintln!("broker {node} exchanged: {failed:#?}");
                failed.is_empty()
            });
            assert!(clean, "broker {node} is never exchanged without a failure");
            if node < 2 {
                // Nothing that an old one would not understand begins.
                let refused = patch(&mut cluster.probe(0), "", &body);
                assert_eq!(refused.status, 502, "{refused:?}");
                let why = refused.json()["message"].as_str().unwrap().to_owned();
                assert!(why.contains("too old"), "{why}");
            }
        }
        assert_eq!(cluster.add(), 3);
        cluster.wait_ready();
        let change = begin(&cluster, 1, &body);
        wait_changed(&cluster, 1, change);
        assert!(cluster.is_up(3));
    });
    settle(cluster, load);
}

/// What creations by `client` answered that was no success, while `meanwhile`.
fn failures(mut client: Client, round: &str, meanwhile: impl FnOnce()) -> Vec<String> {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let requests = scope.spawn(|| {
            let mut failed = Vec::new();
            for number in 0.. {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let id = format!("round-{round}-{number}");
                let body = json!({ "processDefinitionId": KIND, "variables": { "id": id } });
                match client.try_post("/v2/process-instances", &body) {
                    Ok(answer) if answer.status < 300 => {}
                    other => failed.push(format!("{other:?}")),
                }
                std::thread::sleep(Duration::from_millis(5));
            }
            failed
        });
        meanwhile();
        stop.store(true, Ordering::Relaxed);
        requests.join().unwrap()
    })
}
