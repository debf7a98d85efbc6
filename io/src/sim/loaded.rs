//! A long time at full load: shards that stall again and again elect nobody without need.
//!
//! Each broker, leaders and followers alike, is kept from running most of the time, mostly as long as
//! the worst that was seen of a healthy shard (a long iteration, a sync that waits, a store that
//! opens), now and then four times as long. Clocks run at different speeds, clients go on. Nothing is
//! lost on the network and nobody dies, so every election would be needless: the term of each
//! partition has to stay what it was. `SIM_MINUTES` says how long in the world's time, 1440 is a day.

use std::time::{Duration, Instant};

use ringflow_core::ids::PartitionId;

use super::Simulation;
use crate::sim::executor::{below, once_in};
use crate::sim::node::SIZE;

/// Minutes of the world that everybody runs.
const MINUTES: u64 = 5;
/// The worst stall of a healthy shard, in milliseconds: a tenth of the shortest election time-out.
const STALL_MS: u64 = 150;
/// One in so many stalls is four times as long.
const LONG_STALL_IN: u64 = 50;
/// Longest time without a stall, in milliseconds.
const BREATH_MS: u64 = 30;
/// Until leaders are where they are preferred.
const SETTLES_WITHIN: Duration = Duration::from_secs(20);

impl Simulation {
    /// Term of each partition as its leader knows it, and who that is.
    fn leaderships(&self) -> Vec<Option<(u32, u64)>> {
        let of = |id: u16| {
            let leader = self.leader(id)?;
            let nodes = self.nodes.borrow();
            let running = nodes[leader as usize].running.as_ref()?;
            let mailbox = running.shared.partitions.get(PartitionId(id))?;
            Some((leader, mailbox.status.term()))
        };
        (1..=self.partitions).map(of).collect()
    }

    /// Some brokers stall at once, for a while.
    fn stall(&mut self) -> Result<(), String> {
        let stalled: Vec<u32> = (0..SIZE).filter(|_| once_in(2)).collect();
        let longest = if once_in(LONG_STALL_IN) { 4 } else { 1 } * STALL_MS;
        stalled.iter().for_each(|node| self.executor.pause(*node));
        let stood = self.pass(1 + below(longest));
        stalled.iter().for_each(|node| self.executor.resume(*node));
        stood?;
        self.pass(below(BREATH_MS))
    }
}

fn at_full_load(seed: u64, minutes: u64) -> Result<String, String> {
    let mut simulation = Simulation::new(seed);
    simulation.begin()?;
    simulation.run(SETTLES_WITHIN, |_| false)?;
    let leaderships = simulation.leaderships();
    let begun = super::executor::world_now();
    let end = begun + Duration::from_secs(60 * minutes);
    let mut stalls = 0_u64;
    while super::executor::world_now() < end {
        simulation.stall()?;
        stalls += 1;
        let now = simulation.leaderships();
        if now != leaderships {
            return Err(format!(
                "seed {seed}: a needless election after {:?}: (leader, term) were {leaderships:?}, \
                 are {now:?}",
                super::executor::world_now() - begun
            ));
        }
    }
    let answered = simulation.world.book.borrow().answered();
    simulation.recover()?;
    Ok(format!(
        "{minutes} minutes, {stalls} stalls, {answered} commands acknowledged, no election"
    ))
}

#[test]
fn full_load_brings_no_needless_election() {
    let minutes = std::env::var("SIM_MINUTES").ok();
    let minutes = minutes.and_then(|it| it.parse().ok()).unwrap_or(MINUTES);
    let begun = Instant::now();
    let said = at_full_load(24, minutes).unwrap();
    println!("{said}; took {:?}", begun.elapsed());
}
