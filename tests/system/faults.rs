//! Real processes in networks that fail: what was acknowledged is there, whatever happened.
//!
//! Three brokers in namespaces of their own (`network.rs`), constant load from outside, one fault after
//! the other: ways between leaders cut in one direction while a process is deployed, a leader cut off
//! from both followers while clients still reach it, a leader stopped for longer than an election and
//! continued, a leader killed three times in a row, a disk lost, all three killed. Then everything is
//! worked off and compared as in `cluster.rs`. `SYSTEM_TEST_FAULTS` says how many rounds of all faults
//! are run.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::broker::until;
use crate::cluster::{Cluster, KIND, LIFE, Load, READY};
use crate::models;
use crate::network::Network;

/// Rounds of all faults.
const ROUNDS: usize = 1;
/// Longer than an election takes: the others have another leader by then.
const FROZEN: Duration = Duration::from_secs(5);
/// How long a cut lasts.
const CUT: Duration = Duration::from_secs(4);

fn rounds() -> usize {
    std::env::var("SYSTEM_TEST_FAULTS").map_or(ROUNDS, |text| text.parse().unwrap())
}

#[test]
fn what_was_acknowledged_survives_cut_networks_and_frozen_leaders() {
    let network = match Network::new(3) {
        Ok(network) => network,
        Err(why) => {
            eprintln!("skipped, no network namespaces here: {why}");
            return;
        }
    };
    let mut cluster = Cluster::within(3, network);
    (0..3).for_each(|node| cluster.start(node));
    cluster.wait_ready();
    let mut first = cluster.client(0);
    let deployed = first.deploy("cluster.bpmn", &models::task(KIND)).unwrap();
    assert!(deployed.status < 300, "{deployed:?}");
    let load = Load::on(&cluster);
    load.begin(&mut first, 3);
    std::thread::scope(|scope| {
        let _end = load.drive(scope);
        for round in 0..rounds() {
            let begun = Instant::now();
            deploy_while_leaders_are_cut(&cluster, round);
            cut_a_leader_off(&cluster, &load);
            freeze_a_leader(&cluster, &load);
            for _ in 0..3 {
                kill_a_leader(&mut cluster, &load, false);
            }
            kill_a_leader(&mut cluster, &load, true);
            (0..3).for_each(|node| cluster.kill(node));
            (0..3).for_each(|node| cluster.start(node));
            load.now_at(&cluster);
            cluster.wait_ready();
            std::thread::sleep(LIFE);
            eprintln!("round {round}: {:?}", begun.elapsed());
        }
    });
    crate::cluster::settle(cluster, load);
}

/// Deployments go out from partition 1: they must arrive although its leader's way to another is cut
/// for a while, in one direction or the other.
fn deploy_while_leaders_are_cut(cluster: &Cluster, round: usize) {
    let (from, to) = (cluster.leader(1), cluster.leader(2));
    let kind = format!("late-{round}");
    if from != to {
        let network = cluster.network();
        if round.is_multiple_of(2) {
            network.cut(from, to);
        } else {
            network.cut(to, from);
        }
    }
    let mut client = cluster.client(from);
    until("a deployment is accepted", READY, || {
        let answer = client.deploy("late.bpmn", &models::task(&kind)).ok()?;
        (answer.status < 300).then_some(())
    });
    std::thread::sleep(CUT);
    cluster.network().mend();
    // Creations go to the partitions in turn: all of them know the process in the end.
    let mut client = cluster.client(0);
    let mut in_a_row = 0;
    until("every partition knows the process", READY, || {
        let body = json!({ "processDefinitionId": kind });
        let answer = client.try_post("/v2/process-instances", &body);
        let created = answer.is_ok_and(|answer| answer.status < 300);
        in_a_row = if created { in_a_row + 1 } else { 0 };
        (in_a_row >= 6).then_some(())
    });
    let mut jobs = 0;
    until("its jobs are done", READY, || {
        let body = json!({
            "type": kind, "worker": "w", "timeout": 2000, "maxJobsToActivate": 16,
            "requestTimeout": 300,
        });
        let answer = client.try_post("/v2/jobs/activation", &body).ok()?.json();
        for job in answer["jobs"].as_array()? {
            let key = job["jobKey"].as_str()?;
            let path = format!("/v2/jobs/{key}/completion");
            let done = client.try_post(&path, &json!({})).ok()?;
            jobs += usize::from(done.status < 300);
        }
        (jobs >= 6).then_some(())
    });
}

/// A leader that reaches nobody must not acknowledge anything; the others go on without it.
fn cut_a_leader_off(cluster: &Cluster, load: &Load) {
    let victim = cluster.leader(1);
    cluster.network().isolate(victim);
    // Those who still reach it ask until it has given up.
    let mut client = cluster.client(victim);
    let begun = Instant::now();
    while begun.elapsed() < CUT {
        load.create_at(&mut client, "cut-off");
    }
    let other = (victim + 1) % 3;
    let mut client = cluster.client(other);
    until("the others commit", READY, || {
        load.create_at(&mut client, "others").then_some(())
    });
    cluster.network().mend();
    cluster.wait_ready();
}

/// A leader that was stopped believes it leads when it goes on: it must not acknowledge what nobody
/// follows.
fn freeze_a_leader(cluster: &Cluster, load: &Load) {
    let victim = cluster.leader(2);
    cluster.signal(victim, rustix::process::Signal::STOP);
    std::thread::sleep(FROZEN);
    let other = (victim + 1) % 3;
    let mut client = cluster.client(other);
    until("the others commit", READY, || {
        load.create_at(&mut client, "thawed").then_some(())
    });
    cluster.signal(victim, rustix::process::Signal::CONT);
    let mut client = cluster.client(victim);
    let begun = Instant::now();
    while begun.elapsed() < LIFE {
        load.create_at(&mut client, "frozen");
    }
    cluster.wait_ready();
}

fn kill_a_leader(cluster: &mut Cluster, load: &Load, wipe: bool) {
    let victim = cluster.leader(1);
    cluster.kill(victim);
    std::thread::sleep(LIFE);
    if wipe {
        std::fs::remove_dir_all(cluster.places[victim].data()).unwrap();
    }
    cluster.start(victim);
    load.now_at(cluster);
    cluster.wait_ready();
}
