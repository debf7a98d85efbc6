//! A shard: one thread, one executor, the partitions placed on it.
//!
//! The thread opens its partitions, starts their groups, says when all of them serve, and ends when
//! all have ended. Nothing of a shard is reached from outside but through [`mailbox`]; admission is
//! counted in [`budget`] before a command enters a lane; [`pacemaker`] watches that the executor
//! does not sleep on work. A panic on a shard ends the process: nothing of it survives half.

use std::collections::BTreeMap;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::task::Waker;
use std::thread;
use std::time::Duration;

use futures::channel::oneshot;
use openraft::ServerState;
use openraft::async_runtime::WatchReceiver;
use ringflow_core::ids::PartitionId;
use ringflow_storage::PartitionDir;
use ringflow_storage::log::Flusher;
use ringflow_storage::state::StateMemory;
use tokio::sync::mpsc::Receiver;

use crate::broker::StartError;
use crate::cluster::replicas::Begin;
use crate::driver::{self, Driver, ExecutorOptions};
use crate::metrics::ShardMetrics;
use crate::partition::{self, Partition, recover};
use crate::raft::join;
use crate::raft::network::Peers;
use crate::raft::state_machine::Machine;
use crate::raft::{Handle, Member, config};
use crate::shard::mailbox::{Mailbox, StopMode};
use crate::submit::Shared;
use crate::topology::{Health, Role};

pub(crate) mod budget;
pub(crate) mod mailbox;
pub(crate) mod pacemaker;

/// How often a starting shard looks whether its partitions serve.
const START_POLL: Duration = Duration::from_millis(1);
/// How long a stopping shard waits for openraft's tasks to let go of a partition.
const RELEASE_PATIENCE: Duration = Duration::from_secs(2);

/// What a shard is started with.
pub(crate) struct ShardPlan {
    pub(crate) number: usize,
    pub(crate) driver: Driver,
    pub(crate) executor: ExecutorOptions,
    pub(crate) partitions: Vec<(Arc<Mailbox>, PartitionDir)>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) memory: StateMemory,
    pub(crate) flusher: Flusher,
    /// Told once whether all partitions serve.
    pub(crate) ready: mpsc::SyncSender<Result<(), StartError>>,
    /// Gets the waker of the shard's pulse.
    pub(crate) pulse: mpsc::SyncSender<(usize, Waker)>,
    /// Replicas to begin while the shard runs; ends when no more will.
    pub(crate) orders: Receiver<Begin>,
}

/// Starts the thread of a shard.
pub(crate) fn start(plan: ShardPlan) -> std::io::Result<thread::JoinHandle<()>> {
    let name = plan.executor.name.clone();
    thread::Builder::new().name(name).spawn(move || {
        let ran = catch_unwind(AssertUnwindSafe(|| {
            let (driver, executor) = (plan.driver, plan.executor.clone());
            let ready = plan.ready.clone();
            if let Err(why) = driver::run(driver, &executor, main(plan)) {
                // The starting thread waits for this; later it has nothing to hear.
                let _ = ready.send(Err(StartError::Driver(why)));
            }
        }));
        if ran.is_err() {
            tracing::error!("a shard panicked; the process ends and recovers from its log");
            std::process::abort();
        }
    })
}

async fn main(mut plan: ShardPlan) {
    let metrics = Arc::clone(&plan.shared.shards[plan.number]);
    driver::spawn(pulse(plan.number, plan.pulse.clone(), Arc::clone(&metrics)));
    let mut running = Vec::new();
    for (mailbox, dir) in &plan.partitions {
        match start_partition(&plan, mailbox, dir, &metrics).await {
            Ok(ended) => running.push(ended),
            // The others have what it had; the rest of this broker is needed.
            Err(why) if plan.shared.is_many() => leave_dead(mailbox, &why),
            Err(reason) => {
                fail_start(&plan, mailbox.partition, reason);
                break;
            }
        }
    }
    for (mailbox, _) in &plan.partitions {
        // Members of a group of many wait for each other, not their brokers for them.
        let alone = !plan.shared.is_many();
        while alone && !mailbox.status.serves() && mailbox.stop_mode() == StopMode::Run {
            if mailbox.status.health() == Health::Dead {
                fail_start(
                    &plan,
                    mailbox.partition,
                    "it failed while starting".to_owned(),
                );
                break;
            }
            driver::sleep(START_POLL).await;
        }
    }
    // Nobody waits any more if the start has failed.
    let _ = plan.ready.send(Ok(()));
    while let Some(Begin { mailbox, dir }) = plan.orders.recv().await {
        match start_partition(&plan, &mailbox, &dir, &metrics).await {
            Ok(ended) => running.push(ended),
            Err(why) => leave_dead(&mailbox, &why),
        }
    }
    for ended in running {
        // A partition that is gone has ended too.
        let _ = ended.await;
    }
}

/// Says that a replica cannot begin, and how its broker gets another one.
fn leave_dead(mailbox: &Mailbox, why: &str) {
    tracing::error!(
        partition = %mailbox.partition,
        why,
        "a replica does not begin; with an empty directory in the place of its own, a broker that is \
         started again gets everything from the other replicas"
    );
    mailbox.status.set(Role::Inactive, Health::Dead);
    mailbox.outstanding.store(false, Ordering::Relaxed);
    mailbox.end();
    mailbox.close();
}

fn fail_start(plan: &ShardPlan, partition: PartitionId, reason: String) {
    // The receiver is gone only if another shard failed first.
    let _ = plan
        .ready
        .send(Err(StartError::Partition { partition, reason }));
    for (mailbox, _) in &plan.partitions {
        mailbox.request_stop(StopMode::Kill);
    }
}

/// Opens a partition, starts its group and its loop; the receiver hears when it has ended.
async fn start_partition(
    plan: &ShardPlan,
    mailbox: &Arc<Mailbox>,
    dir: &PartitionDir,
    metrics: &Arc<ShardMetrics>,
) -> Result<oneshot::Receiver<()>, String> {
    let partition = Rc::new(recover::open(
        Arc::clone(mailbox),
        Arc::clone(&plan.shared),
        Arc::clone(metrics),
        dir.clone(),
        &plan.memory,
        plan.flusher.clone(),
    )?);
    let raft = start_group(&partition)
        .await
        .map_err(|error| format!("its group cannot be started: {error}"))?;
    let (end, ended) = oneshot::channel();
    driver::spawn(async move {
        live(partition, raft).await;
        // The shard waits for it, or is gone.
        let _ = end.send(());
    });
    Ok(ended)
}

/// Runs a partition and waits until its files are closed.
pub(crate) async fn live(partition: Rc<Partition>, raft: Handle) {
    partition::run(Rc::clone(&partition), raft).await;
    let asked = driver::now();
    // The files of the partition are closed when openraft's tasks have let go of it.
    while Rc::strong_count(&partition) > 1 && driver::since(asked) < RELEASE_PATIENCE {
        driver::sleep(START_POLL).await;
    }
    let mailbox = Arc::clone(&partition.mailbox);
    drop(partition);
    mailbox.close();
}

/// Starts the group of a partition, which then elects or joins.
pub(crate) async fn start_group(partition: &Rc<Partition>) -> Result<Handle, String> {
    let options = &partition.shared.options;
    let this = u64::from(options.node_id);
    let raft = Handle::new(
        this,
        config(partition.id().0, partition.shared.is_many()),
        Peers::new(Rc::clone(partition)),
        partition.log.clone(),
        Machine::new(Rc::clone(partition)),
    )
    .await
    .map_err(|fatal| fatal.to_string())?;
    if partition.shared.is_many() {
        join::tick(partition, &raft);
        driver::spawn(join::run(Rc::clone(partition), raft.clone()));
        return Ok(raft);
    }
    if !raft
        .is_initialized()
        .await
        .map_err(|fatal| fatal.to_string())?
    {
        let member = Member {
            address: format!("{}:{}", options.address.host, options.address.port),
        };
        raft.initialize(BTreeMap::from([(this, member)]))
            .await
            .map_err(|error| error.to_string())?;
        return Ok(raft);
    }
    let leads = raft.metrics().borrow_watched().state == ServerState::Leader;
    if !leads {
        // A group of one need not wait for an election time-out: nobody else can lead.
        raft.trigger()
            .elect(false)
            .await
            .map_err(|fatal| fatal.to_string())?;
    }
    Ok(raft)
}

/// The task whose waker the pacemaker calls; it counts that the executor ran it and never ends.
fn pulse(
    number: usize,
    to: mpsc::SyncSender<(usize, Waker)>,
    metrics: Arc<ShardMetrics>,
) -> impl Future<Output = ()> {
    let mut to = Some(to);
    std::future::poll_fn(move |cx| {
        if let Some(to) = to.take() {
            // Without a pacemaker the shard still runs; it is only not watched.
            let _ = to.send((number, cx.waker().clone()));
        }
        metrics.pulses.add(1);
        std::task::Poll::Pending
    })
}
