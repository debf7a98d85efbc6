//! The cluster is changed while everything fails: brokers come and go, partitions move with them.
//!
//! Five brokers, of which three found the cluster. Again and again the cluster is told to consist of
//! some of them, and while it changes brokers die (who coordinates, who comes, who goes), disks are
//! lost, the network is cut and changes are given up half way. The promises are those of every
//! simulation ([`super::oracle`]); besides, in the end the change comes to its end, all brokers agree,
//! and the members of each group are those that the configuration names.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ringflow_core::ids::PartitionId;

use super::{Outcome, RECOVERS_WITHIN, Simulation, played};
use crate::cluster::configuration::Configuration;
use crate::cluster::coordinator;
use crate::cluster::plan::ChangeRequest;
use crate::sim::executor::{self, below, once_in};
use crate::sim::node::SIZE;

/// Brokers of this world.
const BROKERS: u32 = 5;
/// Where the seeds begin that everybody runs, and how many those are.
const FIRST_SEED: u64 = 5_100;
const SEEDS: u64 = 5;

impl Simulation {
    /// Asks whoever leads changes; true if it has begun or there is nothing to do.
    fn ask(&mut self, request: &ChangeRequest) -> bool {
        let Some(newest) = self.newest() else {
            return false;
        };
        let Some(leads) = coordinator::leads(&newest, request) else {
            return false;
        };
        let shared = {
            let nodes = self.nodes.borrow();
            let running = nodes[leads as usize].running.as_ref();
            running.map(|running| Arc::clone(&running.shared))
        };
        let Some(shared) = shared else {
            return false;
        };
        let begun = executor::as_node(leads, || coordinator::begin(&shared, request, false));
        match begun {
            Ok(planned) => {
                self.note(&format!("{request:?}: change {}", planned.id));
                true
            }
            Err(_) => false,
        }
    }

    fn changes(&self) -> bool {
        self.newest().is_some_and(|newest| newest.pending.is_some())
    }

    /// Some brokers, at least as many as replicas.
    fn some_brokers() -> BTreeSet<u32> {
        let mut brokers: BTreeSet<u32> = (0..BROKERS).collect();
        for _ in 0..below(u64::from(BROKERS - SIZE) + 1) {
            let at = below(brokers.len() as u64) as usize;
            let gone = brokers.iter().nth(at).copied();
            brokers.retain(|node| Some(*node) != gone);
        }
        brokers
    }

    /// True if all brokers agree, nothing is under way, and groups are as they should be.
    fn has_settled(&self) -> bool {
        let Some(newest) = self.newest() else {
            return false;
        };
        let nodes = self.nodes.borrow();
        let all = nodes.iter().all(|node| {
            let running = node.running.as_ref();
            running.is_some_and(|it| it.shared.cluster.configuration().stamp() == newest.stamp())
        });
        all && newest.pending.is_none()
            && (1..=self.partitions).map(PartitionId).all(|id| {
                let wanted: BTreeSet<u32> = newest.replicas(id).iter().map(|it| it.node).collect();
                nodes.iter().all(|node| {
                    let running = node.running.as_ref();
                    let mailbox = running.and_then(|it| it.shared.partitions.get(id));
                    match mailbox {
                        None => !wanted.contains(&node.id),
                        Some(mailbox) => {
                            let members = mailbox.members();
                            let voters: BTreeSet<u32> = members.voters.iter().copied().collect();
                            wanted.contains(&node.id)
                                && voters == wanted
                                && members.learners.is_empty()
                        }
                    }
                })
            })
    }

    fn settle(&mut self) -> Result<(), String> {
        if self.run(RECOVERS_WITHIN, Self::has_settled)? {
            return Ok(());
        }
        let newest = self.newest();
        Err(format!(
            "liveness: the cluster does not settle: {newest:?}; {}",
            self.stand()
        ))
    }

    fn move_about(&mut self) -> Result<(), String> {
        self.begin()?;
        for guest in SIZE..BROKERS {
            self.pass(below(500))?;
            self.start(guest)?;
        }
        for _ in 0..2 + below(3) {
            let request = ChangeRequest::Scale {
                brokers: Self::some_brokers(),
                // Two replicas do not survive the loss of a disk.
                replication_factor: None,
            };
            for _ in 0..40 {
                self.start_some(once_in(2))?;
                if self.ask(&request) {
                    break;
                }
                self.pass(500)?;
            }
            for _ in 0..2 + below(6) {
                self.pass(50 + below(1_500))?;
                if !self.changes() {
                    break;
                }
                match below(12) {
                    0 => {
                        if let Some(id) = self.pending_change() {
                            self.ask(&ChangeRequest::Cancel { id });
                        }
                    }
                    1..=3 => self.kill_who_matters(),
                    _ => self.fault()?,
                }
                self.pass(50 + below(2_000))?;
                self.start_some(false)?;
            }
        }
        self.network.mend();
        for node in 0..self.brokers() {
            self.executor.resume(node);
            self.nodes.borrow()[node as usize].disk.mend();
        }
        self.start_some(true)?;
        self.settle()?;
        self.recover()?;
        if once_in(3) {
            (0..self.brokers()).for_each(|node| self.kill(node));
            self.start_some(true)?;
            self.settle()?;
            if !self.run(RECOVERS_WITHIN, Self::is_equal)? {
                return Err(format!("liveness: not equal: {}", self.stand()));
            }
        }
        Ok(())
    }

    fn pending_change(&self) -> Option<u64> {
        Some(self.newest()?.pending.as_ref()?.id)
    }

    /// Kills who coordinates, or whose place changes.
    fn kill_who_matters(&mut self) {
        let at_work = |newest: Arc<Configuration>| {
            let change = newest.pending.as_ref()?;
            let operation = change.operations.get(change.done.len())?;
            Some((change.led_by, operation.broker()))
        };
        if let Some((leads, changed)) = self.newest().and_then(at_work) {
            let node = if once_in(2) { leads } else { changed };
            if self.is_up(node) {
                self.note(&format!("kill {node}, who matters"));
                self.kill(node);
            }
        }
    }
}

fn moving(seed: u64) -> Result<Outcome, String> {
    let simulation = Simulation::with_brokers(seed, BROKERS);
    played(seed, simulation, Simulation::move_about)
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn a_cluster_that_changes_keeps_its_promises_under_faults() {
    if let Some(seed) = number("SIM_SEED") {
        println!("{:#?}", moving(seed).unwrap());
        return;
    }
    let begun = Instant::now();
    let first = number("SIM_FROM").unwrap_or(FIRST_SEED);
    let time = number("SIM_SECONDS").map(Duration::from_secs);
    let seeds = number("SIM_SEEDS").unwrap_or(SEEDS);
    let (mut ran, mut answered) = (0, 0);
    let mut failed = Vec::new();
    while time.map_or(ran < seeds, |time| begun.elapsed() < time) {
        match moving(first + ran) {
            Ok(outcome) => answered += outcome.answered,
            Err(why) => {
                println!("{why}");
                failed.push(why);
            }
        }
        ran += 1;
    }
    println!(
        "{ran} seeds, {answered} commands acknowledged, {:?}",
        begun.elapsed()
    );
    assert!(failed.is_empty(), "{} failed: {}", failed.len(), failed[0]);
}

#[test]
fn a_broker_takes_the_place_of_another_without_faults() {
    let mut simulation = Simulation::with_brokers(11, BROKERS);
    simulation.begin().unwrap();
    simulation.start(3).unwrap();
    simulation.start(4).unwrap();
    simulation.pass(500).unwrap();
    let patch = ChangeRequest::Patch {
        add: BTreeSet::from([3]),
        remove: BTreeSet::from([0]),
        replication_factor: None,
    };
    assert!(simulation.ask(&patch));
    simulation.settle().unwrap();
    let newest = simulation.newest().unwrap();
    let members: Vec<u32> = newest.members.keys().copied().collect();
    assert_eq!(members, [1, 2, 3]);
    let moved = simulation.nodes.borrow()[0].running.clone().unwrap();
    assert_eq!(moved.shared.partitions.iter().count(), 0);
    simulation.recover().unwrap();
}
