//! Handing leadership to another replica, without a request that fails.
//!
//! | why | to whom | when |
//! |---|---|---|
//! | the preferred replica is back | it | it has been up and caught up for [`SETTLED`] |
//! | somebody asks (`cluster`, rebalancing) | the one that is named | at once |
//! | the broker stops | the most preferred that is up and has caught up | before it closes |
//!
//! The leader stops taking commands in, which wait in their lanes; when everything it proposed is
//! committed and the target's log is equal, openraft is told to hand over. The commands that waited
//! are then refused as not taken, and whoever sent them sends them to the new leader. If the target
//! does not take over in time the leader has itself elected again and goes on.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use openraft::ServerState;
use openraft::async_runtime::WatchReceiver;
use ringflow_core::ids::Position;

use crate::driver;
use crate::partition::Partition;
use crate::raft::{Handle, log_index};

/// How long the preferred replica must have been caught up before it leads again.
const SETTLED: Duration = Duration::from_secs(5);
/// Entries a replica may be behind and still count as caught up while the leader goes on.
const NEARLY: u64 = 256;
/// Longest time nothing is taken in.
const WITHIN: Duration = Duration::from_secs(2);
/// How often the end is looked for.
const POLL: Duration = Duration::from_millis(2);

/// Where the transfers of a partition stand.
#[derive(Debug, Default)]
pub(crate) struct Transfers {
    running: Cell<bool>,
    /// Since when the preferred replica could lead.
    ready_since: Cell<Option<Instant>>,
    /// Positions of the snapshots that replicas were sent (`partition/unexported.rs`).
    began: RefCell<BTreeMap<u32, Position>>,
}

impl Transfers {
    /// Notes that `node` has no records up to `position`.
    pub(crate) fn began_with(&self, node: u32, position: Position) {
        self.began.borrow_mut().insert(node, position);
    }

    /// True if `node` has everything that is not exported, as far as this replica knows.
    fn could_export(&self, partition: &Partition, node: u32) -> bool {
        let began = self.began.borrow().get(&node).copied();
        let exporting = partition.shared.options.exports();
        !exporting || began.is_none_or(|began| partition.mailbox.feed.acknowledged() >= began)
    }
}

/// How far behind `node` is, as the leader knows it.
fn lag(raft: &Handle, node: u32) -> Option<u64> {
    let metrics = raft.metrics();
    let metrics = metrics.borrow_watched();
    let last = metrics.last_log_index.map_or(0, log_index);
    let matched = metrics
        .replication
        .as_ref()?
        .get(&u64::from(node))?
        .as_ref()?;
    Some(last.saturating_sub(log_index(matched.index)))
}

fn is_up(partition: &Partition, node: u32) -> bool {
    let roster = partition.shared.cluster.roster();
    let known = roster.brokers.get(node as usize);
    known.is_some_and(|known| known.status.is_some())
}

fn votes(partition: &Partition, node: u32) -> bool {
    let members = partition.mailbox.members();
    members.voters.contains(&node)
}

/// True if the broker of a member is up and its replica has nearly everything.
pub(crate) fn is_ready(partition: &Partition, raft: &Handle, node: u32) -> bool {
    is_up(partition, node) && lag(raft, node).is_some_and(|lag| lag <= NEARLY)
}

/// True if leadership could be handed to `node` now.
pub(crate) fn could_lead(partition: &Partition, raft: &Handle, node: u32) -> bool {
    is_ready(partition, raft, node)
        && votes(partition, node)
        && partition.transfers.could_export(partition, node)
}

/// Starts a transfer if one is wanted; called by the loop of a partition that leads.
pub(crate) fn tick(partition: &Rc<Partition>, raft: &Handle) {
    let transfers = &partition.transfers;
    let wanted = partition.core.borrow_mut().take_wanted_leader();
    if transfers.running.get() {
        return;
    }
    let own = partition.shared.options.node_id;
    let placed = partition.placed();
    let replicas = &placed.active;
    let target = match wanted {
        Some(node) => replicas
            .iter()
            .any(|replica| replica.node == node && node != own)
            .then_some(node)
            .filter(|node| votes(partition, *node)),
        None => {
            let preferred = replicas.first().map_or(own, |replica| replica.node);
            let could = preferred != own && could_lead(partition, raft, preferred);
            let since = transfers.ready_since.get().filter(|_| could);
            let since = since.or_else(|| could.then(driver::now));
            transfers.ready_since.set(since);
            since
                .is_some_and(|since| driver::since(since) >= SETTLED)
                .then_some(preferred)
        }
    };
    let Some(target) = target else {
        return;
    };
    transfers.running.set(true);
    transfers.ready_since.set(None);
    let (partition, raft) = (Rc::clone(partition), raft.clone());
    driver::spawn(async move {
        hand_over(&partition, &raft, target).await;
        partition.transfers.running.set(false);
        partition.wake();
    });
}

/// Hands over to the most preferred replica that could lead, if this one leads.
pub(crate) async fn away(partition: &Rc<Partition>, raft: &Handle) {
    if !partition.core.borrow().is_leading() {
        return;
    }
    let own = partition.shared.options.node_id;
    let placed = partition.placed();
    let mut replicas = placed.active.iter().map(|replica| replica.node);
    let target = replicas.find(|node| *node != own && could_lead(partition, raft, *node));
    if let Some(target) = target {
        hand_over(partition, raft, target).await;
    }
}

/// Hands over to `target`; nothing is taken in meanwhile.
pub(crate) async fn hand_over(partition: &Rc<Partition>, raft: &Handle, target: u32) {
    let begun = driver::now();
    partition.core.borrow_mut().pause(true);
    let leads = || raft.metrics().borrow_watched().state == ServerState::Leader;
    let settled = || {
        partition.core.borrow().in_flight() == 0
            && lag(raft, target) == Some(0)
            && partition.transfers.could_export(partition, target)
    };
    while leads() && !settled() && driver::since(begun) < WITHIN {
        driver::sleep(POLL).await;
    }
    if leads() && settled() {
        tracing::info!(partition = %partition.id(), to = target, "hands over leadership");
        if raft
            .trigger()
            .transfer_leader(u64::from(target))
            .await
            .is_ok()
        {
            while leads() && driver::since(begun) < WITHIN {
                driver::sleep(POLL).await;
            }
            if leads() {
                // openraft takes nothing in while it waits for the target; a new term ends that.
                let elected = raft.trigger().elect(false).await;
                tracing::info!(partition = %partition.id(), to = target, ?elected, "was not taken over");
            }
        }
    }
    partition.core.borrow_mut().pause(false);
}
