//! Keeping the replicas that the configuration gives this broker: they begin and end while it runs.
//!
//! A replica that begins has an empty directory; its shard opens it as after a lost disk, and what it
//! may do until it has everything is said in `raft/join.rs`. One that ends is stopped where it stands:
//! it leads nothing any more and its group knows it no more, or the configuration would still name it.
//! When its files are closed its directory is renamed, which is the moment it is gone, and then
//! deleted in the background.
//!
//! Driven by the `peers` thread, which alone opens and closes places in the partitions' table.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ringflow_core::ids::PartitionId;
use ringflow_storage::{DataDir, PartitionDir};
use tokio::sync::mpsc;

use crate::shard::mailbox::{Control, Mailbox, StopMode};
use crate::submit::Shared;

/// Orders that wait for a shard; one too many is given again with the next configuration.
pub(crate) const ORDERS: usize = 1024;

/// A replica that its shard shall open.
#[derive(Debug)]
pub(crate) struct Begin {
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) dir: PartitionDir,
}

/// What replicas are begun and ended with.
#[derive(Debug)]
pub(crate) struct Local {
    data: Arc<DataDir>,
    /// By shard.
    orders: Vec<mpsc::Sender<Begin>>,
}

impl Local {
    pub(crate) fn new(data: Arc<DataDir>, orders: Vec<mpsc::Sender<Begin>>) -> Self {
        Self { data, orders }
    }

    /// Writes the cluster's configuration to disk.
    pub(crate) fn keep_configuration(&self, bytes: &[u8]) -> Result<(), String> {
        let written = self.data.set_configuration(bytes);
        written.map_err(|error| error.to_string())
    }
}

/// A replica on its way out.
#[derive(Debug)]
struct Ending {
    mailbox: Arc<Mailbox>,
    /// Set when nothing of it is left; present once its directory is being removed.
    removed: Option<Arc<AtomicBool>>,
}

/// Keeps what the configuration says; to be asked again and again.
#[derive(Default, Debug)]
pub(crate) struct Replicas {
    ending: Vec<Ending>,
    /// Configurations seen, and partitions that could not begin since.
    seen: u64,
    failed: Vec<PartitionId>,
}

impl Replicas {
    /// True while something is on its way out.
    pub(crate) fn is_busy(&self) -> bool {
        !self.ending.is_empty()
    }

    /// Begins and ends what has to; looks only, as a rule.
    pub(crate) fn tick(&mut self, shared: &Shared) {
        let configurations = shared.cluster.configurations();
        if configurations == self.seen && self.ending.is_empty() {
            return;
        }
        if configurations != self.seen {
            self.failed.clear();
        }
        let configuration = shared.cluster.configuration();
        let wanted = configuration.kept_by(shared.options.node_id);
        let unwanted: Vec<_> = shared
            .partitions
            .iter()
            .filter(|mailbox| !wanted.contains(&mailbox.partition))
            .cloned()
            .collect();
        for mailbox in unwanted {
            tracing::info!(partition = %mailbox.partition, "this broker keeps no replica any more");
            shared.partitions.close(mailbox.partition);
            mailbox.request_stop(StopMode::Kill);
            self.ending.push(Ending {
                mailbox,
                removed: None,
            });
        }
        for ending in &mut self.ending {
            ending.go_on(shared);
        }
        self.ending.retain(|ending| !ending.has_ended());
        for partition in wanted {
            let ends = self
                .ending
                .iter()
                .any(|it| it.mailbox.partition == partition);
            let is_here = shared.partitions.get(partition).is_some();
            if ends || is_here || self.failed.contains(&partition) {
                continue;
            }
            match begin(shared, partition) {
                Ok(()) => tracing::info!(%partition, "this broker begins to keep a replica"),
                Err(why) => {
                    tracing::error!(%partition, why, "a replica cannot begin");
                    self.failed.push(partition);
                }
            }
        }
        self.seen = configurations;
    }
}

impl Ending {
    fn go_on(&mut self, shared: &Shared) {
        if self.removed.is_some() || !self.mailbox.is_closed() {
            return;
        }
        let removed = Arc::new(AtomicBool::new(false));
        self.removed = Some(Arc::clone(&removed));
        let Some(data) = shared.local().as_ref().map(|local| Arc::clone(&local.data)) else {
            return;
        };
        let partition = self.mailbox.partition;
        shared.background.run(move || {
            let swept = data.remove_partition(partition).and_then(|()| data.sweep());
            match swept {
                Ok(()) => tracing::info!(%partition, "the data of a replica is removed"),
                Err(error) => tracing::warn!(%partition, %error, "data of a replica remains"),
            }
            removed.store(true, Ordering::Release);
        });
    }

    fn has_ended(&self) -> bool {
        let removed = self.removed.as_ref();
        removed.is_some_and(|removed| removed.load(Ordering::Acquire))
    }
}

/// Gives the partition a place on the shard that has fewest, and has it opened there.
fn begin(shared: &Shared, partition: PartitionId) -> Result<(), String> {
    let local = shared.local();
    let local = local.as_ref().ok_or("the broker stops")?;
    let mut placed = vec![0_usize; local.orders.len()];
    for mailbox in shared.partitions.iter() {
        if let Some(count) = placed.get_mut(mailbox.shard()) {
            *count += 1;
        }
    }
    let fewest = placed.iter().enumerate().min_by_key(|(_, count)| **count);
    let shard = fewest.map_or(0, |(shard, _)| shard);
    let order = local.orders.get(shard).ok_or("there is no shard")?;
    let dir = local
        .data
        .partition(partition)
        .map_err(|error| error.to_string())?;
    let role_changed = Arc::clone(&shared.cluster.role_changed);
    let mailbox = Arc::new(Mailbox::new(partition, &shared.options, role_changed));
    mailbox.place_on(shard);
    {
        let streams = shared.streams();
        if !shared.partitions.open(Arc::clone(&mailbox)) {
            return Err("it has come and gone too often: start the broker again".to_owned());
        }
        for (id, opened) in &*streams {
            let add = Control::AddStream {
                id: *id,
                spec: opened.spec.clone(),
                jobs: opened.jobs.clone(),
            };
            if mailbox.push_control(add).is_err() {
                tracing::warn!(%partition, "a job stream does not reach a new replica");
            }
        }
    }
    let begin = Begin { mailbox, dir };
    order.try_send(begin).map_err(|_| {
        shared.partitions.close(partition);
        "its shard takes no orders".to_owned()
    })
}
