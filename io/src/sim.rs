//! A cluster of three on one thread, under faults that follow from a seed.
//!
//! The engine, openraft, the partition's loop, the log's codec and the protocol between replicas are
//! the product's; clock, executor, network and disk are the world's. A seed runs two phases: faults
//! (messages lost, doubled, overtaken; cuts in one direction; clocks that differ; brokers that stop,
//! freeze, lose their unsynced writes, have torn ones, flipped bits, full or new disks), during which
//! what was promised must hold; then none, in which the cluster must serve again and all replicas
//! become equal. What is checked is in [`oracle`].
//!
//! | variable | meaning | default |
//! |---|---|---|
//! | `SIM_SECONDS` | time for seeds in a row, all of them printed | 15 |
//! | `SIM_FROM` | the first of them; 0 = by the clock | always the same |
//! | `SIM_SEEDS` | number of seeds instead of a time | - |
//! | `SIM_SEED` | run this one alone, and twice | - |
//! | `SIM_MINUTES` | the world's minutes at full load | 5 |
//! | `SIM_LOG` | what is logged, as `RUST_LOG` says it for a broker | - |
//!
//! A failing seed is committed below as a scenario.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use ringflow_core::ids::PartitionId;
use ringflow_storage::disk::Disk as _;
use ringflow_storage::disk::memory::{Fault, MemoryDisk};

use crate::cluster::configuration::Configuration;
use crate::shard::mailbox::Control;
use crate::sim::executor::{Executor, Installed, below, draw, once_in};
use crate::sim::network::Network;
use crate::sim::node::{Node, Nodes, SIZE};
use crate::sim::workload::World;

pub(crate) mod executor;
mod loaded;
mod moving;
pub(crate) mod network;
mod node;
mod oracle;
mod scenario;
mod workload;

/// Longest time without faults until everything works again.
const RECOVERS_WITHIN: Duration = Duration::from_secs(90);

/// How often it is looked whether something has come about: comparing states is dear.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What a seed came to.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Outcome {
    answered: usize,
    exported: usize,
    trace: u64,
    faults: String,
}

struct Simulation {
    executor: Installed,
    network: Rc<Network>,
    world: Rc<World>,
    nodes: Nodes,
    partitions: u16,
    root: tempfile::TempDir,
    faults: String,
    /// Damaged on purpose: may refuse to start, and is then given an empty disk.
    damaged: Vec<u32>,
}

impl Simulation {
    fn new(seed: u64) -> Self {
        Self::with_brokers(seed, SIZE)
    }

    /// A world with so many brokers, of which [`SIZE`] found the cluster.
    fn with_brokers(seed: u64, brokers: u32) -> Self {
        let executor = Executor::install(seed);
        let network = network::reset();
        let memory = PathBuf::from("/dev/shm");
        let builder = tempfile::Builder::new();
        let root = if memory.is_dir() {
            builder.tempdir_in(memory)
        } else {
            builder.tempdir()
        };
        let root = root.expect("a directory for the states");
        let partitions = if once_in(3) { 2 } else { 1 };
        let nodes: Nodes = Rc::default();
        for id in 0..brokers {
            nodes.borrow_mut().push(Node {
                id,
                partitions,
                disk: MemoryDisk::new(),
                directory: root.path().join(format!("{id}")),
                running: None,
                data: None,
            });
            let rate = 0.97 + below(60) as f64 / 1000.0;
            executor.skew(id, rate, below(60_000) as i64 - 30_000);
        }
        let world = Rc::new(World::new(Rc::clone(&nodes), partitions));
        Self {
            executor,
            network,
            world,
            nodes,
            partitions,
            root,
            faults: String::new(),
            damaged: Vec::new(),
        }
    }

    fn note(&mut self, fault: &str) {
        let at = executor::world_now().as_millis() - 1_000_000;
        // Writing to a string cannot fail.
        let _ = write!(self.faults, "{at}ms {fault}; ");
        if std::env::var_os("SIM_TRACE").is_some() {
            println!("{at}ms {fault}; {}", self.stand());
        }
    }

    /// Number of brokers there are in this world.
    fn brokers(&self) -> u32 {
        self.nodes.borrow().len() as u32
    }

    fn is_up(&self, node: u32) -> bool {
        self.nodes.borrow()[node as usize].running.is_some()
    }

    fn start(&mut self, node: u32) -> Result<(), String> {
        if self.is_up(node) {
            return Ok(());
        }
        let nodes = Rc::clone(&self.nodes);
        let mut taken = {
            let mut all = nodes.borrow_mut();
            let empty = all[node as usize].placeholder();
            std::mem::replace(&mut all[node as usize], empty)
        };
        let started = taken.start(&nodes);
        nodes.borrow_mut()[node as usize] = taken;
        if let Err(why) = started {
            self.kill(node);
            if !self.damaged.contains(&node) {
                return Err(format!("broker {node} does not start: {why}"));
            }
            self.note(&format!("{node} refuses its disk"));
            self.wipe(node);
            return self.start(node);
        }
        self.damaged.retain(|damaged| *damaged != node);
        self.note(&format!("start {node}"));
        Ok(())
    }

    /// Ends a broker where it stands; its disk keeps what was synced, and some of the rest.
    fn kill(&mut self, node: u32) {
        self.executor.end(node);
        self.executor.resume(node);
        self.network.gone(node);
        let mut nodes = self.nodes.borrow_mut();
        let node = &mut nodes[node as usize];
        if let Some(running) = node.running.take() {
            running.shared.set_local(None);
        }
        node.data = None;
        node.disk = node.disk.crash(draw());
    }

    fn wipe(&mut self, node: u32) {
        let mut nodes = self.nodes.borrow_mut();
        let node = &mut nodes[node as usize];
        node.disk = MemoryDisk::new();
        // It may never have been started.
        let _ = std::fs::remove_dir_all(&node.directory);
    }

    /// Runs, and takes away brokers whose disks failed.
    fn run(&mut self, bound: Duration, done: impl Fn(&Self) -> bool) -> Result<bool, String> {
        let until = executor::world_now() + bound;
        loop {
            let left = until.saturating_sub(executor::world_now());
            let this = &*self;
            this.executor.run(left.min(LOOK_EVERY), || {
                this.executor.has_ended() || this.world.violation.borrow().is_some()
            });
            let violation = self.world.violation.borrow().clone();
            if let Some(violation) = violation {
                return Err(violation);
            }
            for node in self.executor.take_ended() {
                if self.is_up(node) {
                    self.note(&format!("{node} ends by itself"));
                    self.kill(node);
                }
            }
            if done(self) {
                return Ok(true);
            }
            if executor::world_now() >= until {
                return Ok(false);
            }
        }
    }

    fn pass(&mut self, millis: u64) -> Result<(), String> {
        self.run(Duration::from_millis(millis), |_| false)
            .map(|_| ())
    }

    /// True if every replica that there is has everything it ever confirmed: one more may be lost.
    fn is_whole(&self) -> bool {
        let nodes = self.nodes.borrow();
        self.damaged.is_empty()
            && nodes.iter().all(|node| {
                let running = node.running.as_ref();
                running.is_some_and(|running| !running.is_joining())
            })
    }

    fn begin(&mut self) -> Result<(), String> {
        // At times a majority has to begin alone.
        let late = once_in(4).then(|| below(u64::from(SIZE)) as u32);
        for node in 0..SIZE {
            if Some(node) != late {
                self.pass(below(1500))?;
                self.start(node)?;
            }
        }
        executor::spawn_on(executor::WORLD, node::tell(Rc::clone(&self.nodes)));
        let leads = |this: &Self| (1..=this.partitions).all(|id| this.leader(id).is_some());
        if !self.run(RECOVERS_WITHIN, leads)? {
            return Err("liveness: the partitions never begin".to_owned());
        }
        self.start(late.unwrap_or(0))?;
        let world = Rc::clone(&self.world);
        let deployed = Rc::new(std::cell::Cell::new(false));
        let done = Rc::clone(&deployed);
        executor::spawn_on(executor::WORLD, async move {
            while world.ask(1, workload::deploy()).await.is_none() {
                crate::driver::sleep(Duration::from_millis(100)).await;
            }
            done.set(true);
        });
        if !self.run(RECOVERS_WITHIN, |_| deployed.get())? {
            return Err("liveness: nothing is deployed".to_owned());
        }
        for partition in 1..=self.partitions {
            let world = Rc::clone(&self.world);
            executor::spawn_on(executor::WORLD, workload::export(world, partition));
        }
        for _ in 0..2 + below(3) {
            let world = Rc::clone(&self.world);
            executor::spawn_on(executor::WORLD, workload::create_and_publish(world));
            executor::spawn_on(executor::WORLD, workload::work(Rc::clone(&self.world)));
        }
        Ok(())
    }

    fn leader(&self, partition: u16) -> Option<u32> {
        let nodes = self.nodes.borrow();
        let leads = nodes.iter().find(|node| {
            let running = node.running.as_ref();
            running.is_some_and(|running| running.serves(PartitionId(partition)))
        });
        leads.map(|node| node.id)
    }

    /// One fault, by chance.
    fn fault(&mut self) -> Result<(), String> {
        let brokers = self.brokers();
        let any = below(u64::from(brokers)) as u32;
        let node = match self.leader(1) {
            Some(leader) if once_in(2) => leader,
            Some(_) | None => any,
        };
        let other = (node + 1 + below(u64::from(brokers) - 1) as u32) % brokers;
        match below(14) {
            0 | 1 if self.is_up(node) => {
                self.note(&format!("kill {node}"));
                self.kill(node);
            }
            2 if self.is_up(node) => {
                self.note(&format!("power of {node} goes"));
                let nodes = self.nodes.borrow();
                let disk = &nodes[node as usize].disk;
                disk.plan(Fault::PowerLoss(disk.operations() + 1 + below(30)));
            }
            3 => {
                self.note(&format!("cut {node} to {other}"));
                self.network.cut(node, other);
            }
            4 => {
                self.note(&format!("cut {node} off"));
                for other in (0..brokers).filter(|other| *other != node) {
                    self.network.cut(node, other);
                    self.network.cut(other, node);
                }
            }
            5 => {
                self.note("troubled network");
                let slow = Duration::from_millis(5 + below(800));
                self.network.trouble(10 + below(400), 1 + below(5), slow);
            }
            6 | 7 => {
                self.note("mended network");
                self.network.mend();
            }
            8 if self.is_up(node) => {
                self.note(&format!("freeze {node}"));
                self.executor.pause(node);
                self.pass(100 + below(6_000))?;
                self.note(&format!("thaw {node}"));
                self.executor.resume(node);
            }
            9 if self.is_whole() => {
                self.note(&format!("{node} loses its disk"));
                self.kill(node);
                self.wipe(node);
            }
            10 if self.is_whole() => {
                self.kill(node);
                self.flip(node);
            }
            11 if self.is_up(node) => {
                self.note(&format!("disk of {node} is full"));
                let nodes = self.nodes.borrow();
                let disk = &nodes[node as usize].disk;
                disk.plan(Fault::Space(disk.used()));
            }
            12 => {
                self.note("kill all");
                (0..brokers).for_each(|node| self.kill(node));
            }
            13 => {
                self.note(&format!("transfer to {other}"));
                let nodes = self.nodes.borrow();
                for running in nodes.iter().filter_map(|node| node.running.as_ref()) {
                    for mailbox in running.shared.partitions.iter() {
                        // A full lane loses a wish.
                        let _ = mailbox.push_control(Control::Transfer(other));
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Flips a bit in what a dead broker has written, not in the last of it: that would be taken for
    /// a torn tail, which no log can tell apart.
    fn flip(&mut self, node: u32) {
        let nodes = Rc::clone(&self.nodes);
        let nodes = nodes.borrow();
        let broker = &nodes[node as usize];
        let directory = broker.log_directory(1);
        let Some(name) = broker.disk.list(&directory).ok().and_then(|names| {
            let segments: Vec<_> = names
                .into_iter()
                .filter(|name| name.starts_with("segment-"))
                .collect();
            segments.last().cloned()
        }) else {
            return;
        };
        let path = directory.join(name);
        let bytes = broker.disk.read(&path).unwrap_or_default();
        let written = bytes.iter().rposition(|byte| *byte != 0).unwrap_or(0) as u64;
        if written < 64 << 10 {
            return;
        }
        let offset = below(written / 2);
        if broker.disk.flip(&path, offset, 1 << below(8)).is_ok() {
            drop(nodes);
            self.damaged.push(node);
            self.note(&format!("bit of {node} flips at {offset}"));
        }
    }

    /// Starts what is down, unless its disk is still full.
    fn start_some(&mut self, all: bool) -> Result<(), String> {
        for node in 0..self.brokers() {
            if self.is_up(node) || !(all || once_in(2)) {
                continue;
            }
            self.nodes.borrow()[node as usize].disk.mend();
            self.start(node)?;
        }
        Ok(())
    }

    /// No faults: everything has to work again, and what was promised to be there.
    fn recover(&mut self) -> Result<(), String> {
        self.note("no faults");
        self.network.mend();
        for node in 0..self.brokers() {
            self.executor.resume(node);
            self.nodes.borrow()[node as usize].disk.mend();
        }
        self.start_some(true)?;
        let before = self.world.book.borrow().answered();
        let serves = |this: &Self| {
            this.world.book.borrow().answered() > before + 5
                && (1..=this.partitions).all(|id| this.leader(id).is_some())
        };
        if !self.run(RECOVERS_WITHIN, serves)? {
            return Err(format!(
                "liveness: nothing is answered any more: {}",
                self.stand()
            ));
        }
        self.world.stop.set(true);
        let quiet = |this: &Self| this.world.asking.get() == 0;
        if !self.run(RECOVERS_WITHIN, quiet)? {
            return Err("liveness: a client waits for ever".to_owned());
        }
        // Messages that expire and jobs that time out still write; equal they must become anyway.
        if !self.run(RECOVERS_WITHIN, Self::is_equal)? {
            return Err(format!(
                "liveness: replicas do not become equal: {}",
                self.stand()
            ));
        }
        let world = Rc::clone(&self.world);
        let caught_up = move |this: &Self| {
            let exported = world.exported.borrow();
            let positions = exported.iter().map(|exported| exported.position());
            (1..=this.partitions)
                .zip(positions)
                .all(|(id, exported)| this.positions(id).iter().all(|it| *it == exported))
        };
        if !self.run(RECOVERS_WITHIN, caught_up)? {
            return Err(format!(
                "liveness: the export stays behind: {}",
                self.stand()
            ));
        }
        self.world
            .book
            .borrow()
            .compare(&self.world.exported.borrow())
    }

    fn states(&self, partition: u16) -> Vec<(u64, u64, [u8; 16])> {
        let nodes = self.nodes.borrow();
        let running = nodes.iter().filter_map(|node| node.running.as_ref());
        running.filter_map(|it| it.state(partition)).collect()
    }

    /// Positions that the replicas stand at.
    fn positions(&self, partition: u16) -> Vec<u64> {
        let nodes = self.nodes.borrow();
        let running = nodes.iter().filter_map(|node| node.running.as_ref());
        let keeps = running.filter(|it| it.shared.partitions.get(PartitionId(partition)).is_some());
        keeps.map(|running| running.applied(partition)).collect()
    }

    /// Replicas that the newest configuration wants.
    fn replicas(&self, partition: u16) -> usize {
        self.newest().map_or(SIZE as usize, |newest| {
            newest.placed(PartitionId(partition)).len()
        })
    }

    /// The newest configuration that anybody has.
    fn newest(&self) -> Option<Arc<Configuration>> {
        let nodes = self.nodes.borrow();
        let running = nodes.iter().filter_map(|node| node.running.as_ref());
        let known = running.map(|running| running.shared.cluster.configuration());
        known.max_by_key(|known| known.stamp())
    }

    fn is_equal(&self) -> bool {
        (1..=self.partitions).all(|partition| {
            let positions = self.positions(partition);
            let replicas = self.replicas(partition);
            if positions.len() != replicas || positions.iter().any(|it| *it != positions[0]) {
                return false;
            }
            let states = self.states(partition);
            if let Err(why) = oracle::compare_states(&states) {
                self.world.violate(format!("partition {partition}: {why}"));
            }
            states.len() == replicas
        })
    }

    fn stand(&self) -> String {
        let nodes = self.nodes.borrow();
        let of = |node: &Node| match &node.running {
            None => format!("{} is down", node.id),
            Some(running) => {
                let replicas = running.shared.partitions.iter().map(|mailbox| {
                    format!(
                        "{:?} {:?} term {} index {} exported {}",
                        mailbox.status.role(),
                        mailbox.status.health(),
                        mailbox.status.term(),
                        mailbox.feed.committed_index(),
                        mailbox.feed.acknowledged()
                    )
                });
                format!("{}: {}", node.id, replicas.collect::<Vec<_>>().join(", "))
            }
        };
        nodes.iter().map(of).collect::<Vec<_>>().join("; ")
    }

    fn play(&mut self) -> Result<(), String> {
        self.begin()?;
        for _ in 0..4 + below(10) {
            self.pass(200 + below(2_500))?;
            self.fault()?;
            if once_in(3) {
                self.pass(below(1_000))?;
                self.fault()?;
            }
            self.pass(100 + below(4_000))?;
            self.start_some(false)?;
        }
        self.recover()?;
        if once_in(3) {
            // What is there must be there after the loss of all processes, too.
            (0..self.brokers()).for_each(|node| self.kill(node));
            self.start_some(true)?;
            if !self.run(RECOVERS_WITHIN, Self::is_equal)? {
                return Err(format!(
                    "liveness: not equal after a restart: {}",
                    self.stand()
                ));
            }
            self.world
                .book
                .borrow()
                .compare(&self.world.exported.borrow())?;
        }
        Ok(())
    }
}

fn simulate(seed: u64) -> Result<Outcome, String> {
    played(seed, Simulation::new(seed), Simulation::play)
}

/// What `play` came to.
fn played(
    seed: u64,
    mut simulation: Simulation,
    play: impl FnOnce(&mut Simulation) -> Result<(), String>,
) -> Result<Outcome, String> {
    let played = play(&mut simulation);
    let outcome = Outcome {
        answered: simulation.world.book.borrow().answered(),
        exported: simulation
            .world
            .exported
            .borrow()
            .iter()
            .map(|it| it.count())
            .sum(),
        trace: simulation.executor.trace(),
        faults: simulation.faults.clone(),
    };
    let Simulation { executor, root, .. } = simulation;
    drop(executor);
    drop(root);
    match played {
        Ok(()) => Ok(outcome),
        Err(why) => Err(format!("seed {seed}: {why}\nfaults: {}", outcome.faults)),
    }
}
