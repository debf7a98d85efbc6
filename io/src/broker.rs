//! Starting and stopping a broker: the data directory, the threads, the order in which they end.
//!
//! [`Broker`] owns the threads. Everything else holds handles that stay valid after it is gone and
//! then answer "unavailable". Dropping a broker without [`Broker::stop`] ends its threads without a
//! snapshot, as a crash would, except that the lock of the data directory is released.

use std::net::{SocketAddr, TcpListener, ToSocketAddrs as _};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use ringflow_core::ids::{PartitionId, Position};
use ringflow_storage::log::{Flusher, IoChoice};
use ringflow_storage::state::StateMemory;
use ringflow_storage::{DataDir, DataDirOptions};
use tokio::sync::{oneshot, watch};

use crate::background::Background;
use crate::backup::BackupTask;
use crate::cluster::NEWCOMERS_MAX;
use crate::cluster::configuration::Configuration;
use crate::cluster::encoding;
use crate::cluster::replicas::{self, Local};
use crate::driver::{self, Driver, ExecutorOptions};
use crate::feed::{Export, FeedReader};
use crate::options::BrokerOptions;
use crate::peer::hello::Identity;
use crate::peer::link::LinkHandle;
use crate::peer::roster::Cluster;
use crate::peer::thread::{self as peers, PeersThread};
use crate::shard::mailbox::{Control, Mailbox, PartitionTable, StopMode};
use crate::shard::pacemaker::Pacemaker;
use crate::shard::{self, ShardPlan};
use crate::submit::{AskedItems, Shared, Submitter};

/// Part of the state memory that may hold rows not yet in table files.
const WRITE_BUFFER_SHARE: usize = 4;

/// How long the name of this host is looked up, and how often.
const LOOK_UP_WITHIN: Duration = Duration::from_secs(10);
const LOOK_UP_AGAIN: Duration = Duration::from_millis(200);

/// Why a broker did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An option cannot be.
    #[error("{0}")]
    Options(String),
    /// The chosen driver does not work on this host.
    #[error("{0}")]
    Driver(String),
    /// The data directory cannot be used.
    #[error("the data directory cannot be used: {0}")]
    Data(String),
    /// A partition could not be recovered.
    #[error("partition {partition} could not be started: {reason}")]
    Partition {
        /// The partition.
        partition: PartitionId,
        /// Why.
        reason: String,
    },
}

/// A running broker.
#[derive(Debug)]
pub struct Broker {
    shared: Arc<Shared>,
    shards: Vec<thread::JoinHandle<()>>,
    pacemaker: Option<Pacemaker>,
    peers: Option<PeersThread>,
    /// Holds the lock of the data directory until all threads have ended.
    data: Option<Arc<DataDir>>,
}

impl Broker {
    /// Opens the data, recovers all partitions and starts the shards; returns when every partition
    /// placed here serves. Blocks the calling thread.
    ///
    /// # Errors
    /// See [`StartError`]; nothing runs then.
    pub fn start(options: BrokerOptions) -> Result<Self, StartError> {
        options.check().map_err(StartError::Options)?;
        let (driver, why) = driver::choose(options.driver).map_err(StartError::Driver)?;
        let mut options = options;
        let data = DataDir::open(&options.data, DataDirOptions::default()).map_err(data_error)?;
        let configuration = load_configuration(&data, &mut options)?;
        prepare_data(&data, &options, &configuration)?;
        let data = Arc::new(data);
        tracing::info!(
            driver = ?driver,
            why,
            shards = options.shards,
            pinned = !options.cores.is_empty(),
            partitions = options.partitions,
            "shards start"
        );
        let choice = match driver {
            Driver::Uring => IoChoice::Auto,
            Driver::Plain => IoChoice::Plain,
            #[cfg(test)]
            Driver::Simulated => IoChoice::Plain,
        };
        let flusher = Flusher::start("log", choice).map_err(data_error)?;
        let memory = StateMemory::new(
            options.state_memory_bytes,
            options.state_memory_bytes / WRITE_BUFFER_SHARE,
        )
        .map_err(data_error)?;
        let no_thread = |error| StartError::Driver(format!("no thread can be started: {error}"));
        let background = Background::start().map_err(no_thread)?;
        let entrance = options
            .cluster
            .is_many()
            .then(|| enter(&options))
            .transpose()?;
        if let Some((listener, _)) = &entrance
            && let Ok(bound) = listener.local_addr()
        {
            options.cluster.listen = bound;
        }
        let links = match &entrance {
            Some(_) => brokers_max(&options, &configuration),
            None => 0,
        };
        let (links, outgoing): (Vec<_>, Vec<_>) = (0..links).map(|_| LinkHandle::new()).unzip();
        let cluster = cluster(&options, configuration, links);
        let table = PartitionTable::new(&options, &cluster.configuration(), &cluster.role_changed);
        let shared = Arc::new(Shared::new(options, table, background, cluster));
        let (orders, mut taken): (Vec<_>, Vec<_>) = (0..shared.options.shards)
            .map(|_| tokio::sync::mpsc::channel(replicas::ORDERS))
            .unzip();
        shared.set_local(Some(Local::new(Arc::clone(&data), orders)));
        let peers = entrance
            .map(|(listener, advertised)| {
                peers::start(Arc::clone(&shared), listener, advertised, outgoing)
            })
            .transpose()
            .map_err(StartError::Driver)?;
        let placement = place(&shared);
        // One waker per shard, once.
        let (pulse, wakers) = mpsc::sync_channel(placement.len());
        let pacemaker =
            Pacemaker::start(Arc::clone(&shared), placement.clone(), wakers).map_err(no_thread)?;
        // One word per shard, and one more when it serves.
        let (ready, readiness) = mpsc::sync_channel(2 * placement.len());
        let mut broker = Self {
            shared: Arc::clone(&shared),
            shards: Vec::new(),
            pacemaker: Some(pacemaker),
            peers,
            data: None,
        };
        for (number, mailboxes) in placement.into_iter().enumerate() {
            let options = &shared.options;
            let with_directory = |mailbox: Arc<Mailbox>| {
                let directory = data.partition(mailbox.partition).map_err(data_error)?;
                Ok((mailbox, directory))
            };
            let partitions: Result<Vec<_>, StartError> =
                mailboxes.into_iter().map(with_directory).collect();
            let plan = ShardPlan {
                number,
                driver,
                executor: ExecutorOptions {
                    name: format!("shard-{number}"),
                    core: options.cores.get(number).copied(),
                    spin: Duration::from_micros(options.spin_micros),
                },
                partitions: partitions?,
                shared: Arc::clone(&shared),
                memory: memory.clone(),
                flusher: flusher.clone(),
                ready: ready.clone(),
                pulse: pulse.clone(),
                orders: taken.remove(0),
            };
            let thread = shard::start(plan).map_err(no_thread)?;
            broker.shards.push(thread);
        }
        broker.data = Some(data);
        drop(ready);
        for _ in 0..shared.options.shards {
            match readiness.recv() {
                Ok(Ok(())) => {}
                // Dropping the broker ends what has started.
                Ok(Err(error)) => return Err(error),
                Err(_) => return Err(StartError::Driver("a shard ended at once".to_owned())),
            }
        }
        Ok(broker)
    }

    /// The partitions of which this broker has a replica.
    #[must_use]
    pub fn replicas(&self) -> Vec<PartitionId> {
        let mailboxes = self.shared.partitions.iter();
        mailboxes.map(|mailbox| mailbox.partition).collect()
    }

    /// True if this broker leads `partition` and serves it.
    #[must_use]
    pub fn leads(&self, partition: PartitionId) -> bool {
        let mailbox = self.shared.partitions.get(partition);
        mailbox.is_some_and(|mailbox| mailbox.status.serves())
    }

    /// Why this broker cannot be part of its cluster, once another broker has said so; it must not
    /// go on then. A cluster of one never says anything.
    #[must_use]
    pub fn fatal(&self) -> watch::Receiver<Option<String>> {
        self.shared.cluster.fatal.subscribe()
    }

    /// A handle for commands and streams.
    #[must_use]
    pub fn submitter(&self) -> Submitter {
        Submitter::new(Arc::clone(&self.shared))
    }

    /// What partitions want to know of items of batch operations; `None` if somebody has it already.
    /// A question is answered with a command to its partition; one that is not is asked again.
    #[must_use]
    pub fn asked_items(&self) -> Option<tokio::sync::mpsc::Receiver<AskedItems>> {
        self.shared.take_asked_items()
    }

    /// What is to be stored of partitions at checkpoints; `None` if somebody has it already. Only if
    /// the broker was told that backups are stored.
    #[must_use]
    pub fn backup_tasks(&self) -> Option<tokio::sync::mpsc::Receiver<BackupTask>> {
        self.shared.take_backup_tasks()
    }

    /// The committed records of `partition` after `resume`, in order and without gaps. At most one
    /// reader per export and partition at a time: `None` if there is one, or no such partition. `resume` is
    /// taken as acknowledged.
    #[must_use]
    pub fn feed(&self, partition: PartitionId, resume: Position) -> Option<FeedReader> {
        self.feed_of(Export::Storage, partition, resume)
    }

    /// The same for any export.
    #[must_use]
    pub fn feed_of(
        &self,
        export: Export,
        partition: PartitionId,
        resume: Position,
    ) -> Option<FeedReader> {
        let mailbox = self.shared.partitions.get(partition)?;
        FeedReader::open(Arc::clone(mailbox), export, resume)
    }

    /// Partitions whose replica here may not lead before it is known how far the secondary storage is
    /// ([`Self::hear_exported`]): it began with a snapshot, and records before it may not be there.
    #[must_use]
    pub fn awaited_exports(&self) -> Vec<PartitionId> {
        let awaited = self.shared.partitions.iter();
        awaited
            .filter(|mailbox| mailbox.feed.is_awaited())
            .map(|mailbox| mailbox.partition)
            .collect()
    }

    /// Says that the secondary storage has all records of `partition` up to `position` for good.
    pub fn hear_exported(&self, partition: PartitionId, position: Position) {
        if let Some(mailbox) = self.shared.partitions.get(partition) {
            mailbox.feed.hear_exported(position);
        }
    }

    /// The cluster as it is meant to be, as far as this broker has heard.
    #[must_use]
    pub fn configuration(&self) -> Arc<Configuration> {
        self.shared.cluster.configuration()
    }

    /// Up to where the log of `partition` is committed; `None` if there is no such partition.
    #[must_use]
    pub fn committed(&self, partition: PartitionId) -> Option<Position> {
        Some(self.shared.partitions.get(partition)?.feed.committed())
    }

    /// Hash over all state of `partition`, for tests and for comparing replicas: reads everything
    /// on its shard. `None` if there is no such partition, or it does not run.
    #[must_use]
    pub fn digest(&self, partition: PartitionId) -> Option<[u8; 16]> {
        let (to, digest) = oneshot::channel();
        let mailbox = self.shared.partitions.get(partition)?;
        mailbox.push_control(Control::Digest(to)).ok()?;
        digest.blocking_recv().ok()
    }

    /// Stops intake, lets what was taken in finish, takes a last snapshot, closes. Blocks. Callers
    /// that wait for something that has not happened hear that the outcome is unknown.
    pub fn stop(mut self) {
        self.end(StopMode::Drain);
    }

    fn end(&mut self, mode: StopMode) {
        // First, so that no replica begins any more.
        self.shared.set_local(None);
        for mailbox in self.shared.partitions.iter() {
            mailbox.request_stop(mode);
        }
        for thread in self.shards.drain(..) {
            // A shard that panicked has ended the process already.
            let _ = thread.join();
        }
        // What was kept for replicas to come: a stream ends with its last sender.
        self.shared.streams().clear();
        self.pacemaker = None;
        // Last, so that a leader can hand over while it stops.
        self.peers = None;
        self.data = None;
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.end(StopMode::Kill);
    }
}

fn data_error(error: ringflow_storage::Error) -> StartError {
    StartError::Data(error.to_string())
}

/// A directory belongs to one broker of one cluster for ever: votes and confirmed entries in it would
/// be somebody else's word under another number.
pub(crate) fn settle_owner(
    data: &DataDir,
    options: &BrokerOptions,
    in_use: bool,
) -> Result<(), StartError> {
    let of = &options.cluster;
    let wanted = format!(
        "cluster {}\nnode {}\nsize {}\nreplication-factor {}\n",
        of.name, options.node_id, of.size, of.replication_factor
    );
    let one_line = |text: &str| text.trim_end().replace('\n', ", ");
    match data.cluster().map_err(data_error)? {
        Some(found) if found == wanted => Ok(()),
        Some(found) => Err(StartError::Options(format!(
            "the data directory belongs to: {}; this broker is: {}",
            one_line(&found),
            one_line(&wanted)
        ))),
        None if !of.is_many() => Ok(()),
        None if in_use => Err(StartError::Options(format!(
            "the data directory belongs to a cluster of one; this broker is: {}",
            one_line(&wanted)
        ))),
        None => data.set_cluster(&wanted).map_err(data_error),
    }
}

/// How many brokers this one can know until it starts again.
fn brokers_max(options: &BrokerOptions, configuration: &Configuration) -> u32 {
    let known = configuration.members.keys().next_back();
    let known = known.map_or(0, |highest| highest + 1);
    let own = options.node_id + 1;
    let known = known.max(options.cluster.size).max(own);
    (known + NEWCOMERS_MAX).min(crate::cluster::CLUSTER_SIZE_MAX)
}

/// Who this broker is, drawn anew at each start.
pub(crate) fn cluster(
    options: &BrokerOptions,
    configuration: Configuration,
    links: Vec<LinkHandle>,
) -> Cluster {
    // Later starts have larger numbers; two in one millisecond still differ.
    let (millis, drawn) = (driver::wall_millis(), driver::draw() & 0xffff);
    let of = &options.cluster;
    let identity = Identity {
        version: options.peer_version,
        node: options.node_id,
        incarnation: millis << 16 | drawn,
        cluster: of.name.clone(),
        size: of.size,
        partitions: options.partitions,
        replication_factor: of.replication_factor,
        storage: of.storage.clone(),
        address: of
            .advertised
            .clone()
            .unwrap_or_else(|| of.listen.to_string()),
    };
    Cluster::new(identity, configuration, links)
}

/// Binds the peer listener; with it the address under which others reach it.
fn enter(options: &BrokerOptions) -> Result<(TcpListener, SocketAddr), StartError> {
    let of = &options.cluster;
    let listener = TcpListener::bind(of.listen).map_err(|error| {
        StartError::Options(format!(
            "peers cannot be listened for on {}: {error}",
            of.listen
        ))
    })?;
    let bound = listener.local_addr().map_err(|error| {
        StartError::Options(format!("the peer listener has no address: {error}"))
    })?;
    let advertised = match &of.advertised {
        None => bound,
        Some(name) => {
            let begun = Instant::now();
            loop {
                let found = name.to_socket_addrs().ok();
                match found.and_then(|mut found| found.next()) {
                    Some(address) => break address,
                    // A name that was given to this host just now may not be known at once.
                    None if begun.elapsed() < LOOK_UP_WITHIN => thread::sleep(LOOK_UP_AGAIN),
                    None => {
                        return Err(StartError::Options(format!(
                            "the advertised peer address {name} cannot be looked up"
                        )));
                    }
                }
            }
        }
    };
    if advertised.ip().is_unspecified() {
        return Err(StartError::Options(format!(
            "peers are listened for on all addresses ({bound}): say under which of them other \
             brokers reach this one"
        )));
    }
    Ok((listener, advertised))
}

/// The cluster's configuration as this broker knew it last. How the cluster was founded comes from
/// there as well: the options of a broker that is started again may say how it looks by now.
pub(crate) fn load_configuration(
    data: &DataDir,
    options: &mut BrokerOptions,
) -> Result<Configuration, StartError> {
    let of = &mut options.cluster;
    let Some(bytes) = data.configuration().map_err(data_error)? else {
        return Ok(Configuration::founding(of, options.partitions));
    };
    let found = encoding::from_disk(bytes).map_err(StartError::Data)?;
    if found.partitions != options.partitions {
        return Err(StartError::Options(format!(
            "the cluster has {} partitions and {} are configured: the number of partitions cannot \
             be changed",
            found.partitions, options.partitions
        )));
    }
    if !of.is_many() {
        return Err(StartError::Options(
            "the data directory belongs to a broker of a cluster that was changed while it ran; \
             this broker is one of a cluster of one"
                .to_owned(),
        ));
    }
    if (of.size, of.replication_factor) != (found.founding_size, found.founding_factor) {
        tracing::info!(
            size = of.size,
            replication_factor = of.replication_factor,
            brokers = found.members.len(),
            version = found.version,
            "the cluster was changed while it ran: its configuration counts, not the options"
        );
        (of.size, of.replication_factor) = (found.founding_size, found.founding_factor);
    }
    Ok(found)
}

/// Makes the directories of all partitions that are kept here, before anything writes to any of
/// them, and removes those that are kept here no more. In a cluster that was never changed a directory
/// in use always shows how many partitions the cluster has.
pub(crate) fn prepare_data(
    data: &DataDir,
    options: &BrokerOptions,
    configuration: &Configuration,
) -> Result<(), StartError> {
    let found = data.partitions().map_err(data_error)?;
    let wanted = configuration.kept_by(options.node_id);
    let mut in_use = false;
    for partition in &found {
        let log = data.partition(*partition).map_err(data_error)?.log();
        let mut files = std::fs::read_dir(&log).map_err(|error| {
            StartError::Data(format!("{} cannot be read: {error}", log.display()))
        })?;
        in_use |= files.next().is_some();
    }
    settle_owner(data, options, in_use)?;
    if configuration.is_founding() {
        if in_use && found.len() != wanted.len() {
            return Err(StartError::Options(format!(
                "the data directory holds {} partitions and {} are configured: \
                 the number of partitions cannot be changed",
                found.len(),
                wanted.len()
            )));
        }
    } else {
        for partition in found.iter().filter(|id| !wanted.contains(id)) {
            tracing::info!(%partition, "a replica that is kept here no more is removed");
            data.remove_partition(*partition).map_err(data_error)?;
        }
        data.sweep().map_err(data_error)?;
    }
    for id in wanted {
        data.partition(id).map_err(data_error)?;
    }
    Ok(())
}

/// Deals the partitions to the shards in turn.
fn place(shared: &Shared) -> Vec<Vec<Arc<Mailbox>>> {
    let mut placement = vec![Vec::new(); shared.options.shards];
    for (number, mailbox) in shared.partitions.iter().enumerate() {
        let shard = number % shared.options.shards;
        mailbox.place_on(shard);
        placement[shard].push(Arc::clone(mailbox));
    }
    placement
}
