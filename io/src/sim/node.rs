//! A simulated broker: the real partition, group, log and state, over a disk and clock of the world.
//!
//! What is replaced is what surrounds a shard: the log thread becomes a task that commits when it
//! likes, the background thread another; sockets are the simulated network's; the log lies on a disk
//! in memory that loses power. RocksDB and snapshots are real files, because they are not what is
//! tested here; ending a broker loses what RocksDB had in memory only. Links between brokers carry
//! single frames that may be lost, doubled and overtaken.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use ringflow_core::ids::PartitionId;
use ringflow_storage::disk::Disk as _;
use ringflow_storage::disk::memory::MemoryDisk;
use ringflow_storage::log::Flusher;
use ringflow_storage::state::StateMemory;
use ringflow_storage::{DataDir, DataDirOptions, PartitionDir};

use crate::background::{Background, Job};
use crate::broker;
use crate::cluster::replicas::{self, Begin, Local};
use crate::cluster::{ClusterOptions, coordinator};
use crate::driver;
use crate::driver::stream::Stream;
use crate::metrics::ShardMetrics;
use crate::options::BrokerOptions;
use crate::partition::{Partition, recover};
use crate::peer::frame::{self, Reader};
use crate::peer::hello::{self, Purpose};
use crate::peer::link::{LinkHandle, Outgoing, ToPeer};
use crate::peer::listener::GroupConnection;
use crate::peer::{message, thread};
use crate::shard;
use crate::shard::mailbox::{Mailbox, PartitionTable};
use crate::sim::executor::{self, below, once_in};
use crate::sim::network::{self, Pipe};
use crate::submit::{Shared, Submitter};

/// Brokers that a simulated cluster is founded with; others may come.
pub(crate) const SIZE: u32 = 3;

thread_local! {
    /// One for all: what it bounds is not what is tested. So much that no bound is met, because what
    /// is written out for it would depend on what else this process did before.
    static MEMORY: StateMemory =
        StateMemory::new(512 << 20, 256 << 20)
            .expect("the host gives threads and memory")
            .without_compaction();
}

/// A broker, running or not.
pub(crate) struct Node {
    pub(crate) id: u32,
    pub(crate) partitions: u16,
    pub(crate) disk: MemoryDisk,
    pub(crate) directory: PathBuf,
    pub(crate) running: Option<Running>,
    /// Locked while it runs.
    pub(crate) data: Option<Arc<DataDir>>,
}

/// What can be reached of one that runs.
#[derive(Clone)]
pub(crate) struct Running {
    pub(crate) shared: Arc<Shared>,
    partitions: Replicas,
}

/// The replicas of a broker by partition; those that were kept here once as well.
type Replicas = Rc<RefCell<BTreeMap<u16, Weak<Partition>>>>;

impl Running {
    pub(crate) fn submitter(&self) -> Submitter {
        Submitter::new(Arc::clone(&self.shared))
    }

    pub(crate) fn serves(&self, partition: PartitionId) -> bool {
        let mailbox = self.shared.partitions.get(partition);
        mailbox.is_some_and(|mailbox| mailbox.status.serves())
    }

    /// The replica of a partition, if one is kept here.
    pub(crate) fn replica(&self, partition: u16) -> Option<Rc<Partition>> {
        self.shared.partitions.get(PartitionId(partition))?;
        self.partitions.borrow().get(&partition)?.upgrade()
    }

    /// Position, log index and hash of the state of a partition; `None` while it is exchanged.
    pub(crate) fn state(&self, partition: u16) -> Option<(u64, u64, [u8; 16])> {
        let partition = self.replica(partition)?;
        if partition.installing.get() || partition.is_dead() {
            return None;
        }
        let core = partition.core.borrow();
        let applied = core.applied();
        (core.in_flight() == 0).then(|| (applied.position.0, applied.index, core.digest()))
    }

    pub(crate) fn applied(&self, partition: u16) -> u64 {
        let partition = self.replica(partition);
        partition.map_or(0, |partition| partition.core.borrow().applied().position.0)
    }

    /// True if a replica lost its disk and has not got everything again.
    pub(crate) fn is_joining(&self) -> bool {
        let kept = self.shared.partitions.iter().map(|it| it.partition.0);
        kept.filter_map(|id| self.replica(id))
            .any(|it| !it.joining.is_member())
    }
}

/// All brokers, as tasks reach them.
pub(crate) type Nodes = Rc<RefCell<Vec<Node>>>;

fn options(node: u32, partitions: u16, directory: PathBuf) -> BrokerOptions {
    let mut options = BrokerOptions::new(directory);
    options.node_id = node;
    options.partitions = partitions;
    options.exporting = true;
    options.disk_reserve_bytes = 0;
    options.snapshot_interval = Duration::from_secs(3);
    options.log_segment_bytes = 2 << 20;
    options.cluster = ClusterOptions {
        size: SIZE,
        replication_factor: SIZE,
        contact_points: vec![network::address(0).to_string()],
        listen: network::address(node),
        ..ClusterOptions::default()
    };
    options.limits.log_batch_bytes = 3 << 19;
    options.limits.iteration_bytes = 1 << 19;
    options.limits.step_bytes = 1 << 17;
    options.limits.iteration_records = 256;
    options.limits.due_commands = 64;
    options
}

impl Node {
    /// Stands at its place while it is being started.
    pub(crate) fn placeholder(&self) -> Self {
        Self {
            id: self.id,
            partitions: self.partitions,
            disk: self.disk.clone(),
            directory: self.directory.clone(),
            running: None,
            data: None,
        }
    }

    /// Starts the broker on what its disk holds.
    pub(crate) fn start(&mut self, nodes: &Nodes) -> Result<(), String> {
        let id = self.id;
        executor::as_node(id, || self.start_as_itself(nodes))
    }

    fn start_as_itself(&mut self, nodes: &Nodes) -> Result<(), String> {
        let id = self.id;
        let mut options = options(id, self.partitions, self.directory.clone());
        let data = DataDir::open(&self.directory, DataDirOptions::default())
            .map_err(|error| error.to_string())?;
        let configuration =
            broker::load_configuration(&data, &mut options).map_err(|error| error.to_string())?;
        broker::prepare_data(&data, &options, &configuration).map_err(|error| error.to_string())?;
        let data = Arc::new(data);
        let all = nodes.borrow().len() as u32;
        let (links, outgoing): (Vec<_>, Vec<_>) = (0..all).map(|_| LinkHandle::new()).unzip();
        let cluster = broker::cluster(&options, configuration, links);
        let table = PartitionTable::new(&options, &cluster.configuration(), &cluster.role_changed);
        let (background, jobs) = Background::by_hand();
        let shared = Arc::new(Shared::new(options, table, background, cluster));
        let (order, orders) = tokio::sync::mpsc::channel(replicas::ORDERS);
        shared.set_local(Some(Local::new(Arc::clone(&data), vec![order])));
        for other in (0..all).filter(|other| *other != id) {
            let address = Some(network::address(other));
            shared
                .cluster
                .change(other, |known| known.address = address);
        }
        let flusher = Flusher::by_hand(Arc::new(self.disk.clone()));
        let opening = Opening {
            id,
            shared: Arc::clone(&shared),
            disk: self.disk.clone(),
            flusher: flusher.clone(),
            partitions: Replicas::default(),
        };
        for mailbox in shared.partitions.iter() {
            let dir = data
                .partition(mailbox.partition)
                .map_err(|error| error.to_string())?;
            opening.open(mailbox, dir)?;
        }
        let partitions = Rc::clone(&opening.partitions);
        executor::spawn_on(id, opening.take(orders));
        executor::spawn_on(id, keep_cluster(Arc::clone(&shared)));
        executor::spawn_on(id, write_log(flusher));
        executor::spawn_on(id, work(jobs));
        network::network().listen(id);
        executor::spawn_on(id, listen(Arc::clone(&shared)));
        for (to, outgoing) in outgoing.into_iter().enumerate() {
            executor::spawn_on(id, carry(Rc::clone(nodes), id, to as u32, outgoing));
        }
        self.running = Some(Running { shared, partitions });
        self.data = Some(data);
        Ok(())
    }

    /// Log files of a partition, as the disk names them.
    pub(crate) fn log_directory(&self, partition: u16) -> PathBuf {
        self.directory.join(format!("partitions/{partition}/log"))
    }
}

/// Opens replicas of a broker, at its start and later.
struct Opening {
    id: u32,
    shared: Arc<Shared>,
    disk: MemoryDisk,
    flusher: Flusher,
    partitions: Replicas,
}

impl Opening {
    /// Takes orders as a shard does.
    async fn take(self, mut orders: tokio::sync::mpsc::Receiver<Begin>) {
        while let Some(Begin { mailbox, dir }) = orders.recv().await {
            if self.open(&mailbox, dir).is_err() {
                // Its disk has failed.
                executor::end_node();
                return;
            }
        }
    }

    fn open(&self, mailbox: &Arc<Mailbox>, dir: PartitionDir) -> Result<(), String> {
        // Logs and votes lie on another disk than the rest, and go with it.
        if !dir.state().exists() {
            self.clear(&dir).map_err(|error| error.to_string())?;
        }
        let partition = MEMORY.with(|memory| {
            recover::open(
                Arc::clone(mailbox),
                Arc::clone(&self.shared),
                Arc::<ShardMetrics>::default(),
                dir,
                memory,
                self.flusher.clone(),
            )
        })?;
        let (id, partition) = (self.id, Rc::new(partition));
        self.partitions
            .borrow_mut()
            .insert(mailbox.partition.0, Rc::downgrade(&partition));
        executor::spawn_on(id, async move {
            let raft = match shard::start_group(&partition).await {
                Ok(raft) => raft,
                Err(why) => panic!("broker {id}: no group: {why}"),
            };
            shard::live(partition, raft).await;
        });
        Ok(())
    }

    fn clear(&self, dir: &PartitionDir) -> std::io::Result<()> {
        let mut found = 0;
        for directory in [dir.log(), dir.path().to_owned()] {
            for name in self.disk.list(&directory)? {
                self.disk.remove(&directory.join(name))?;
                found += 1;
            }
        }
        if found > 0 {
            self.disk.sync_directory(&dir.log())?;
        }
        Ok(())
    }
}

/// What the peers thread does for the cluster's configuration.
async fn keep_cluster(shared: Arc<Shared>) {
    let mut replicas = replicas::Replicas::default();
    loop {
        coordinator::tick(&shared);
        replicas.tick(&shared);
        driver::sleep(Duration::from_millis(20)).await;
    }
}

/// The log thread: commits what waits, soon as a rule, late at times.
async fn write_log(flusher: Flusher) {
    loop {
        let micros = match below(200) {
            0 => 20_000 + below(400_000),
            _ if flusher.turn() => 50 + below(500),
            _ => 1_000 + below(1_000),
        };
        driver::sleep(Duration::from_micros(micros)).await;
    }
}

/// The background thread.
async fn work(jobs: crossbeam::channel::Receiver<Job>) {
    loop {
        let micros = match jobs.try_recv() {
            Ok(job) => {
                job();
                below(20_000)
            }
            Err(_) => 2_000 + below(2_000),
        };
        driver::sleep(Duration::from_micros(micros)).await;
    }
}

async fn listen(shared: Arc<Shared>) {
    let node = shared.options.node_id;
    let network = network::network();
    loop {
        let pipe = network.accept(node).await;
        executor::spawn_on(node, meet(Arc::clone(&shared), pipe));
    }
}

async fn meet(shared: Arc<Shared>, pipe: Pipe) {
    use futures::io::AsyncReadExt as _;
    let mut stream = Stream::Simulated(pipe);
    let met = {
        let (reader, mut writer) = (&mut stream).split();
        let mut reader = Reader::new(reader);
        let met = hello::receive(&shared.cluster.identity, &mut reader, &mut writer).await;
        met.map_err(|error| error.to_string())
            .and_then(|met| reader.into_inner().map(|_| met).map_err(|e| e.to_string()))
    };
    if let Ok((identity, Purpose::Group(partition))) = met
        && let Some(mailbox) = shared.partitions.get(partition)
        && let Ok(stream) = stream.release()
    {
        let from = identity.node;
        mailbox.push_connection(GroupConnection { from, stream });
    }
}

/// A link: single frames, of which some are lost, doubled or overtaken.
async fn carry(nodes: Nodes, from: u32, to: u32, mut outgoing: Outgoing) {
    outgoing.set_up();
    while let Some(sent) = outgoing.next().await {
        let ToPeer::Frame(bytes) = sent else {
            continue;
        };
        let troubled = network::network().is_troubled();
        let copies = match below(20) {
            0 if troubled => 0,
            1 if troubled => 2,
            _ => 1,
        };
        for _ in 0..copies {
            let (nodes, bytes) = (Rc::clone(&nodes), bytes.clone());
            executor::spawn_on(executor::WORLD, async move {
                let late = if once_in(10) { 200_000 } else { 1_000 };
                driver::sleep(Duration::from_micros(below(late))).await;
                if !network::network().is_cut(from, to) {
                    deliver(&nodes, to, bytes).await;
                }
            });
        }
    }
}

async fn deliver(nodes: &Nodes, to: u32, bytes: Vec<u8>) {
    let mut reader = Reader::new(futures::io::Cursor::new(bytes));
    let Ok(frame) = reader.next().await else {
        panic!("a link carries what is no frame");
    };
    let frame::Frame { kind, body } = frame;
    if ![message::SEND, message::SEND_BEHIND].contains(&kind) {
        return;
    }
    let (partition, last_chance, command) =
        message::take_send(kind, body).expect("own frames decode");
    let running = nodes.borrow()[to as usize].running.clone();
    let Some(running) = running else {
        return;
    };
    if last_chance {
        thread::push_last_chance(&running.shared, partition, command.command);
    } else if let Some(mailbox) = running.shared.partitions.get(partition) {
        // Full: dropped, its owner in state sends it again.
        let _ = mailbox.push_peer(command);
    }
}

/// What gossip and links tell: who is up and leads what, a little late.
pub(crate) async fn tell(nodes: Nodes) {
    let traced = std::env::var_os("SIM_TRACE").is_some();
    let mut told = Vec::new();
    loop {
        driver::sleep(Duration::from_millis(50 + below(100))).await;
        let network = network::network();
        let all: Vec<_> = nodes
            .borrow()
            .iter()
            .map(|node| node.running.clone())
            .collect();
        if traced {
            let now: Vec<String> = all
                .iter()
                .map(|node| match node {
                    None => "down".to_owned(),
                    Some(node) => {
                        let roles = node.shared.partitions.iter();
                        let roles = roles.map(|it| format!("{:?}", it.status.role()));
                        roles.collect::<Vec<_>>().join(" ")
                    }
                })
                .collect();
            if now != told {
                let at = executor::world_now().as_millis() - 1_000_000;
                let positions = all.iter().flatten().map(|node| {
                    let of = |mailbox: &Arc<Mailbox>| {
                        (mailbox.status.term(), mailbox.feed.committed().0)
                    };
                    node.shared.partitions.iter().map(of).collect::<Vec<_>>()
                });
                println!("{at}ms {now:?} {:?}", positions.collect::<Vec<_>>());
                told = now;
            }
        }
        for (to, hearer) in all.iter().enumerate() {
            let Some(hearer) = hearer else { continue };
            for (from, teller) in all.iter().enumerate().filter(|(from, _)| *from != to) {
                let heard = !network.is_cut(from as u32, to as u32);
                let teller = teller.as_ref().filter(|_| heard);
                let status = teller.map(|teller| Arc::new(thread::own_status(&teller.shared)));
                let standing =
                    teller.map(|teller| Arc::new(coordinator::own_standing(&teller.shared)));
                hearer.shared.cluster.change(from as u32, |known| {
                    known.status = status;
                    known.standing = standing;
                });
                if let Some(teller) = teller {
                    let told = teller.shared.cluster.configuration();
                    if told.stamp() > hearer.shared.cluster.configuration().stamp() {
                        coordinator::adopt(&hearer.shared, (*told).clone());
                    }
                }
            }
        }
    }
}
