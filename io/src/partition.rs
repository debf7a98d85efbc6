//! One partition on its shard: the loop, the roles, and what each transition starts and stops.
//!
//! Two tasks of the same thread share a [`Partition`]: the loop below, which takes work in and
//! proposes, and openraft's state machine, which applies. They meet in `RefCell`s that are borrowed
//! for one call at a time and never across an await.
//!
//! | role | commands | entries | starts when |
//! |---|---|---|---|
//! | inactive | refused | applied | at open, and after [`Partition::fail`] |
//! | follower | refused | replayed, or the whole state exchanged | the group has another leader |
//! | leader | processed | own ones released, others replayed | elected, and everything the log held at election is applied |

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::{Duration, Instant};

use openraft::async_runtime::{Watch, WatchReceiver};
use openraft::{RaftMetrics, ServerState};
use openraft_rt_tokio::TokioWatch;
use ringflow_core::ids::PartitionId;
use ringflow_core::state::store::{RowChange, WriteSet};
use ringflow_storage::PartitionDir;
use ringflow_storage::snapshot::Snapshot;
use ringflow_storage::state::{StateMemory, StateStore};
use ringflow_storage::watermark::{DiskSpace, Level, Thresholds};

use crate::driver;
use crate::metrics::ShardMetrics;
use crate::partition::compact::Compaction;
use crate::partition::marker::Marker;
use crate::partition::members::{Placement, Steps};
use crate::partition::persist::Persisting;
use crate::partition::process::{Broken, Core};
use crate::partition::transfer::Transfers;
use crate::partition::unexported::Unexported;
use crate::raft::join::{self, Joining};
use crate::raft::log_store::LogStore;
use crate::raft::receive::Staged;
use crate::raft::runtime::Moment;
use crate::raft::serve;
use crate::raft::{Answer, EntryId, Group, Handle, StoredMembership, log_index, payload};
use crate::shard::mailbox::{Mailbox, StopMode};
use crate::submit::Shared;
use crate::topology::{Health, Role};

pub(crate) mod backup;
pub(crate) mod compact;
pub(crate) mod cut;
pub(crate) mod install;
pub(crate) mod marker;
pub(crate) mod members;
pub(crate) mod persist;
pub(crate) mod process;
mod propose;
pub(crate) mod push;
pub(crate) mod recover;
pub(crate) mod respond;
pub(crate) mod transfer;
pub(crate) mod unexported;
pub(crate) mod unsent;

/// Longest sleep of an idle partition: how late it notices a full disk.
const IDLE_TICK: Duration = Duration::from_secs(1);
/// Age of a leader's last word from a quorum at which it stops processing: what it proposes then
/// might never be committed, and its callers would wait in vain.
const QUORUM_WITHIN: Duration = Duration::from_millis(2_500);
/// Row of the state store that holds the group's membership. The engine's families begin with
/// other bytes.
pub(crate) const MEMBERSHIP_ROW: &[u8] = b"\xffraft-membership";

/// A partition replica.
pub(crate) struct Partition {
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) shard: Arc<ShardMetrics>,
    pub(crate) store: Rc<StateStore>,
    pub(crate) dir: PartitionDir,
    pub(crate) log: LogStore,
    pub(crate) core: RefCell<Core>,
    /// As applied; see [`Partition::set_membership`].
    membership: RefCell<StoredMembership>,
    placement: Placement,
    steps: Steps,
    pub(crate) compaction: Compaction,
    /// Set when something happened that the loop has to look at.
    woken: Cell<bool>,
    pub(crate) persisting: Persisting,
    pub(crate) memory: StateMemory,
    pub(crate) joining: Joining,
    pub(crate) transfers: Transfers,
    /// A snapshot on its way in, and one that is whole and about to be installed.
    pub(crate) staged: RefCell<Option<Staged>>,
    pub(crate) received: RefCell<Option<Snapshot>>,
    /// True while the state is exchanged.
    pub(crate) installing: Cell<bool>,
    /// Log index of an installed snapshot behind which the log does not begin yet for good.
    pub(crate) installed: Cell<Option<u64>>,
    pub(crate) unexported: Unexported,
    /// True while the disk has no room for anything that is not necessary.
    pub(crate) full: Cell<bool>,
    dead: Cell<bool>,
}

impl Partition {
    pub(crate) fn id(&self) -> PartitionId {
        self.mailbox.partition
    }

    /// Makes the loop look again.
    pub(crate) fn wake(&self) {
        self.woken.set(true);
        self.mailbox.wake();
    }

    /// Applies the record batch in the payload of a committed entry.
    pub(crate) fn apply_batch(&self, id: &EntryId, bytes: &[u8]) -> Result<(), Broken> {
        let applied = self
            .core
            .borrow_mut()
            .apply(log_index(id.index), id.leader_id.term, bytes);
        backup::begin(self);
        self.wake();
        applied
    }

    /// Applies a committed entry that carries no records.
    pub(crate) fn apply_control(&self, id: &EntryId, membership: Option<StoredMembership>) {
        let mut changes = WriteSet::default();
        if let Some(membership) = membership {
            changes.rows.push(RowChange {
                key: Box::from(MEMBERSHIP_ROW),
                value: Some(payload::encode_stored(&membership).into_boxed_slice()),
                born: false,
            });
            self.set_membership(membership);
        }
        self.core
            .borrow_mut()
            .apply_control(log_index(id.index), id.leader_id.term, changes);
        self.wake();
    }

    /// Ends the partition for the life of this process.
    pub(crate) fn fail(&self, broken: &Broken) {
        if self.dead.replace(true) {
            return;
        }
        tracing::error!(partition = %self.id(), %broken, "the partition stops");
        self.mailbox.status.set(Role::Inactive, Health::Dead);
        let mut core = self.core.borrow_mut();
        core.lose_callers();
        core.refuse_waiting("the partition has failed");
        self.mailbox.wake();
    }

    /// Makes its state another than its log says, for tests of who should notice.
    #[cfg(test)]
    pub(crate) fn bend(&self) {
        self.core.borrow_mut().bend();
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.dead.get()
    }

    fn can_process(&self) -> bool {
        let core = self.core.borrow();
        !self.full.get()
            && core.takes()
            && core.in_flight() < self.shared.options.limits.pipeline_depth
    }
}

/// Runs a partition until it is told to stop or dies. The group is shut down on return.
pub(crate) async fn run(partition: Rc<Partition>, raft: Handle) {
    watch_role(Rc::clone(&partition), raft.clone());
    let mut turn = Turn {
        partition: &partition,
        raft: &raft,
        metrics: raft.metrics(),
        disk_checked: None,
    };
    let ended = turn.turns().await;
    if let Err(broken) = &ended {
        partition.fail(broken);
    }
    let mailbox = &partition.mailbox;
    let drained = ended.is_ok() && mailbox.stop_mode() == StopMode::Drain;
    if drained {
        transfer::away(&partition, &raft).await;
    }
    if drained && let Err(broken) = finish(&partition, &raft).await {
        partition.fail(&broken);
    }
    if !partition.is_dead() {
        mailbox.status.set(Role::Inactive, Health::Unhealthy);
    }
    {
        let mut core = partition.core.borrow_mut();
        core.refuse_waiting("the broker stops");
        core.lose_callers();
    }
    if let Err(lost) = raft.shutdown().await {
        tracing::warn!(partition = %partition.id(), %lost, "the group did not end cleanly");
    }
    mailbox.feed.close();
    mailbox.end();
    // Until the shard has ended it has something to do, unless only this partition is gone.
    let ending = mailbox.stop_mode() != StopMode::Run;
    mailbox.outstanding.store(ending, Ordering::Relaxed);
}

/// Leaves a state from which the next start has nothing to replay.
async fn finish(partition: &Rc<Partition>, raft: &Handle) -> Result<(), Broken> {
    compact::idle(partition).await;
    persist::all(partition).await?;
    compact::snapshot(partition, raft).await;
    Ok(())
}

struct Turn<'p> {
    partition: &'p Rc<Partition>,
    raft: &'p Handle,
    metrics: <TokioWatch as Watch>::Receiver<RaftMetrics<Group>>,
    disk_checked: Option<Instant>,
}

impl Turn<'_> {
    /// Turns until the partition shall stop.
    async fn turns(&mut self) -> Result<(), Broken> {
        let partition = self.partition;
        let mailbox = &partition.mailbox;
        loop {
            mailbox.turns.fetch_add(1, Ordering::Relaxed);
            partition.shard.iterations.add(1);
            partition.woken.set(false);
            if partition.is_dead() {
                return Err(Broken("applying an entry failed".to_owned()));
            }
            match mailbox.stop_mode() {
                StopMode::Run => {}
                StopMode::Drain if !self.has_work() => return Ok(()),
                StopMode::Drain => mailbox.status.set(Role::Inactive, Health::Unhealthy),
                StopMode::Kill => return Ok(()),
            }
            if !partition.installing.get() {
                partition.core.borrow_mut().take_control();
            }
            self.follow_role()?;
            self.follow_group();
            self.check_intake();
            partition.core.borrow_mut().send_held();
            let proposed = self.iterate().await?;
            if !partition.installing.get() {
                persist::tick(partition);
                compact::tick(partition, self.raft);
            }
            if proposed || self.is_ready() {
                driver::yield_now().await;
            } else {
                self.wait().await;
            }
        }
    }

    fn has_work(&self) -> bool {
        let core = self.partition.core.borrow();
        let waits = self.partition.mailbox.has_commands() || core.has_postponed();
        core.in_flight() > 0 || (core.is_leading() && waits && !self.partition.full.get())
    }

    /// Processes what waits and proposes it; true if there may be more.
    async fn iterate(&mut self) -> Result<bool, Broken> {
        let partition = self.partition;
        if !partition.core.borrow().is_leading() {
            partition
                .core
                .borrow_mut()
                .refuse_waiting("the partition has no leader that serves here");
            return Ok(false);
        }
        if !partition.can_process() {
            return Ok(false);
        }
        let proposal = partition.core.borrow_mut().iterate()?;
        let Some(proposal) = proposal else {
            return Ok(false);
        };
        let refused = Rc::clone(partition);
        let answer = Answer(Box::new(
            move |result: openraft::raft::ClientWriteResult<_>| {
                if let Err(error) = result {
                    tracing::warn!(partition = %refused.id(), %error, "a proposal was refused");
                    // Those behind the first that was refused find that it leads no more.
                    let leads = refused.core.borrow().is_leading();
                    if leads && let Err(broken) = refused.core.borrow_mut().step_down() {
                        refused.fail(&broken);
                    }
                    refused.wake();
                }
            },
        ));
        self.raft
            .client_write_ff(proposal, Some(answer))
            .await
            .map_err(|fatal| Broken(format!("the group has ended: {fatal}")))?;
        Ok(true)
    }

    /// Takes over or gives up leadership as the group says.
    fn follow_role(&mut self) -> Result<(), Broken> {
        let partition = self.partition;
        let metrics = self.metrics.borrow_watched();
        if let Err(fatal) = &metrics.running_state {
            return Err(Broken(format!("the group has ended: {fatal}")));
        }
        let alone = !partition.shared.is_many();
        let heard = |at: &Moment| driver::since(at.0) < QUORUM_WITHIN;
        let quorum = alone
            || metrics.last_quorum_acked.as_deref().is_some_and(heard)
            || partition.is_only_voter();
        let elected = metrics.state == ServerState::Leader && quorum;
        partition.mailbox.status.set_term(metrics.current_term);
        let cells = &partition.mailbox.metrics;
        cells.raft_term.set(metrics.current_term);
        if let Some(replication) = metrics.replication.as_ref().filter(|_| !alone) {
            let last = metrics.last_log_index.map_or(0, log_index);
            let matched = replication
                .values()
                .map(|id| id.as_ref().map_or(0, |id| log_index(id.index)));
            let slowest = matched.min().unwrap_or(last);
            cells.replication_lag.set(last.saturating_sub(slowest));
        }
        let mut core = partition.core.borrow_mut();
        if elected && !core.is_leading() {
            // Everything the log held at election, the leader's own first entry included, is
            // applied; nobody else appends while we lead.
            let everything = metrics.last_log_index.map_or(0, log_index);
            if core.applied().index >= everything && everything > 0 {
                core.lead(metrics.current_term);
                backup::abandon(partition, core.checkpoint());
                cells.leaderships.add(1);
                tracing::info!(
                    partition = %partition.id(),
                    term = metrics.current_term,
                    position = %core.applied().position,
                    "leads"
                );
            }
        } else if !elected && core.is_leading() {
            tracing::info!(partition = %partition.id(), "leads no more");
            core.step_down()?;
            cells.replication_lag.set(0);
        }
        if partition.mailbox.stop_mode() == StopMode::Run {
            let (role, health) = match (core.is_leading(), metrics.current_leader) {
                (true, _) => (Role::Leader, Health::Healthy),
                (false, Some(leader)) if leader != metrics.id => (Role::Follower, Health::Healthy),
                (false, _) => (Role::Inactive, Health::Unhealthy),
            };
            partition.mailbox.status.set(role, health);
        }
        Ok(())
    }

    /// What a member of a group of many does besides: adopts connections, joins, hands over.
    fn follow_group(&self) {
        let partition = self.partition;
        while let Some(connection) = partition.mailbox.pop_connection() {
            let weak = Rc::downgrade(partition);
            driver::spawn(serve::serve(weak, self.raft.clone(), connection));
        }
        if !partition.shared.is_many() {
            return;
        }
        join::tick(partition, self.raft);
        unexported::tick(partition);
        if let Some(index) = partition.installed.get()
            && partition.log.purged_durable() >= index
        {
            partition.installed.set(None);
            if let Err(error) = marker::clear(&partition.dir, Marker::Installing) {
                tracing::warn!(partition = %partition.id(), %error, "a marker stays");
            }
        }
        if partition.core.borrow().is_leading() {
            transfer::tick(partition, self.raft);
            members::tick(partition, self.raft);
        }
    }

    /// Refuses client commands while the disk is nearly full or the export is too far behind. Where
    /// even half of the reserve is gone nothing is processed any more, because what was taken in before
    /// goes on writing (timers, loops, other partitions), and a log that finds no room ends the process.
    fn check_intake(&mut self) {
        if self
            .disk_checked
            .is_some_and(|at| driver::since(at) < IDLE_TICK)
        {
            return;
        }
        self.disk_checked = Some(driver::now());
        let partition = self.partition;
        let options = &partition.shared.options;
        let reserve = options.disk_reserve_bytes;
        let level = DiskSpace::of(partition.dir.path())
            .and_then(|space| Ok(Thresholds::new(reserve, reserve / 2)?.level(space)));
        let level = level.unwrap_or_else(|error| {
            tracing::warn!(partition = %partition.id(), %error, "the free space is not known");
            Level::Normal
        });
        let disk_full = level != Level::Normal;
        let stopped = level == Level::Stopped;
        if partition.full.replace(stopped) != stopped {
            tracing::error!(
                partition = %partition.id(),
                reserve,
                "{}",
                if stopped { "half of the disk's reserve is gone: nothing is processed" } else { "processing goes on" }
            );
        }
        let log_bytes = partition.compaction.log_bytes(partition);
        let backlog_full = options.exports() && log_bytes > options.export_backlog_bytes;
        let budget = &partition.mailbox.budget;
        let store_stalled = partition.persisting.is_stalled();
        let close = disk_full || backlog_full || store_stalled;
        if close != budget.is_closed() {
            tracing::warn!(
                partition = %partition.id(),
                disk_full,
                backlog_full,
                store_stalled,
                "{}",
                if close { "client commands are refused" } else { "client commands are taken again" }
            );
        }
        budget.close(close);
    }

    /// True if another turn would find something to do.
    fn is_ready(&self) -> bool {
        let partition = self.partition;
        let mailbox = &partition.mailbox;
        let stopping = match mailbox.stop_mode() {
            StopMode::Run => false,
            StopMode::Drain => !self.has_work(),
            StopMode::Kill => true,
        };
        let core = partition.core.borrow();
        let waits = mailbox.has_commands() || core.has_postponed() || core.has_ready();
        let commands = waits && (!core.is_leading() || partition.can_process());
        // While the state is exchanged nothing is taken out of that lane; the end of it wakes.
        let control = mailbox.has_control() && !partition.installing.get();
        partition.woken.get() || stopping || commands || control || mailbox.has_connections()
    }

    /// Sleeps until a lane, a commit, a role change or a time needs the loop.
    async fn wait(&mut self) {
        let partition = self.partition;
        let mailbox = &partition.mailbox;
        let outstanding = partition.core.borrow().in_flight() > 0;
        let mut sleep = None;
        let for_at_most = self.longest_sleep();
        std::future::poll_fn(|cx| {
            mailbox.register(cx.waker());
            if self.is_ready() {
                return Poll::Ready(());
            }
            mailbox.outstanding.store(outstanding, Ordering::Relaxed);
            let sleep = sleep.get_or_insert_with(|| driver::sleep(for_at_most));
            Pin::new(sleep).poll(cx)
        })
        .await;
        mailbox.outstanding.store(true, Ordering::Relaxed);
    }

    fn longest_sleep(&self) -> Duration {
        let partition = self.partition;
        let mut longest = IDLE_TICK;
        let mut core = partition.core.borrow_mut();
        if core.is_leading()
            && !partition.full.get()
            && let Some(due) = core.next_due()
        {
            let millis = due.0.saturating_sub(core.now().0).max(0);
            longest = longest.min(Duration::from_millis(millis as u64 + 1));
        }
        if core.holds_sends() {
            longest = longest.min(unsent::LOOK_EVERY);
        }
        if core.is_leading() && self.partition.wants_members() {
            longest = longest.min(members::LOOK_EVERY);
        }
        if partition.store.pending_bytes() > 0 && partition.persisting.is_free() {
            longest = longest.min(persist::limit(partition).age);
        }
        longest
    }
}

/// Wakes the loop when the group's leader, state or members change; commits wake it by themselves.
fn watch_role(partition: Rc<Partition>, raft: Handle) {
    let mut metrics = raft.server_metrics();
    drop(raft);
    driver::spawn(async move {
        while metrics.changed().await.is_ok() {
            partition.wake();
        }
    });
}
