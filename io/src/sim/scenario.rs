//! What is simulated by `cargo test`: some seeds, one of them twice, and what failed once.
//!
//! Each scenario begins with the story of what it found. How many seeds are run is said by the variables
//! in `sim.rs`; all of them are printed, so that a failure can be played again.

use std::cell::RefCell;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ringflow_core::ids::PartitionId;

use super::{Simulation, simulate};
use crate::sim::executor::below;
use crate::sim::node::SIZE;

/// Where the seeds begin that everybody runs.
const FIRST_SEED: u64 = 798_374_799;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn clusters_keep_their_promises_under_faults() {
    if let Ok(filter) = std::env::var("SIM_LOG") {
        let log = tracing_subscriber::fmt().with_env_filter(filter);
        log.without_time().with_test_writer().init();
    }
    if let Some(seed) = number("SIM_SEED") {
        let first = simulate(seed);
        assert_eq!(first, simulate(seed), "a seed tells everything");
        println!("{:#?}", first.unwrap());
        return;
    }
    let by_the_clock = || {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
        since_epoch.unwrap().as_nanos() as u64 % 1_000_000_000
    };
    let mut seed = match number("SIM_FROM") {
        None => FIRST_SEED,
        Some(0) => by_the_clock(),
        Some(seed) => seed,
    };
    let begun = Instant::now();
    let time = Duration::from_secs(number("SIM_SECONDS").unwrap_or(15));
    let (mut ran, mut answered) = (0, 0);
    let failed: RefCell<Vec<String>> = RefCell::default();
    while number("SIM_SEEDS").map_or_else(|| begun.elapsed() < time, |seeds| ran < seeds) {
        println!("seed {seed}");
        match simulate(seed) {
            Ok(outcome) => answered += outcome.answered,
            Err(why) => {
                println!("{why}");
                failed.borrow_mut().push(why);
            }
        }
        ran += 1;
        seed += 1;
    }
    println!(
        "{ran} seeds, {answered} commands acknowledged, {:?}",
        begun.elapsed()
    );
    let failed = failed.into_inner();
    assert!(
        failed.is_empty(),
        "{} failed: {}",
        failed.len(),
        failed.join("\n")
    );
}

#[test]
fn a_seed_tells_everything() {
    let first = simulate(4711);
    assert_eq!(first, simulate(4711));
    first.unwrap();
}

/// A quorum commits what the leader's own disk has not yet. When all are killed at that moment and come
/// back before anybody elects, a leader that went on in its term gave out the same indexes again, and
/// work was done twice.
#[test]
fn a_leader_does_not_go_on_in_its_term() {
    for seed in 0..3 {
        let mut simulation = Simulation::new(seed);
        simulation.begin().unwrap();
        for _ in 0..6 {
            simulation.pass(2_500 + below(500)).unwrap();
            (0..SIZE).for_each(|node| simulation.kill(node));
            simulation.start_some(true).unwrap();
        }
        simulation.recover().unwrap();
    }
}

/// The oracle over a real replica: one whose state is bent by hand must be told from the others.
#[test]
fn a_wrong_replica_is_caught() {
    let mut simulation = Simulation::new(7);
    simulation.begin().unwrap();
    simulation.pass(3_000).unwrap();
    let bent = {
        let nodes = simulation.nodes.borrow();
        let follower = nodes.iter().find(|node| {
            let running = node.running.as_ref();
            running.is_some_and(|running| !running.serves(PartitionId(1)))
        });
        let follower = follower.unwrap().running.clone().unwrap();
        follower.replica(1).unwrap()
    };
    bent.bend();
    drop(bent);
    let caught = simulation.recover().unwrap_err();
    assert!(caught.contains("states: replicas differ"), "{caught}");
}
