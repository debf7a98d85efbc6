//! A replica with an empty disk: the first start of a cluster, or one that lost what it had.
//!
//! The two look alike from inside and must not be confused: a replica that lost its log has forgotten
//! votes it gave and entries it confirmed, and if it voted again at once, entries that a client was
//! told are safe could be outvoted. So a replica that finds its log empty first asks all others of
//! its group whether they were ever led:
//!
//! A replica that asks says so to those it asks, which is an answer as well. What counts is what was
//! said since this process began: who had nothing then had confirmed nothing before.
//!
//! | answers | means | it |
//! |---|---|---|
//! | all: no | the first start | votes; the preferred leader initializes the group from configuration, the others only if it does not |
//! | any: yes | it lost its disk | gives no vote until its log has reached what the leader's held when it first heard from it |
//! | a majority, itself included: no; the others do not answer for [`ALL_WITHIN`] | the first start of a cluster that is not whole | as for all |
//! | fewer | not known | asks again |
//!
//! What it forgot may also be the vote that made another the leader, while one of an older term still
//! takes itself for it. So it confirms nothing either until all others have said which term they
//! know, and then nothing of an older one: whoever was elected with its vote was elected with one of
//! theirs.
//!
//! A replica that the cluster's configuration gave a broker later begins in the same way, but its group
//! is not new whatever the others answer: in a cluster that was changed no group begins. While it
//! catches up it passes through all that its group ever was, so until it is settled it asks for no
//! votes either: some of those old groups it could win.
//!
//! So a majority of the replicas of a partition is enough for its first start, as it is for every
//! later one. What remains of the danger: a disk that was lost, while the only other replica that has
//! the entries is down, and the third one was never up before. Nothing that is still there can tell
//! this from a first start; raising [`ALL_WITHIN`] only makes it rarer. A marker file keeps the answer
//! over restarts (`partition/marker.rs`).

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use crate::driver;
use crate::partition::Partition;
use crate::partition::marker::{self, Marker};
use crate::partition::members::Placed;
use crate::raft::network::Peer;
use crate::raft::{Handle, Member};
use crate::shard::mailbox::StopMode;

/// Time between questions.
const ASK_AGAIN: Duration = Duration::from_millis(100);
/// How long replicas that do not answer are waited for although a majority does.
const ALL_WITHIN: Duration = Duration::from_secs(5);
/// How long a replica leaves the founding to the one that is preferred before it.
const FOUND_WITHIN: Duration = Duration::from_secs(2);
/// Log index of the entry that initializes a group; everything behind it was written by a leader.
const FIRST_ENTRY: u64 = 1;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    /// It votes like any other.
    Member,
    /// It does not know yet.
    Asking,
    /// Its group begins; it votes, and has no entry yet.
    Founding,
    /// It lost its disk; with the index its log has to reach, once a leader told it.
    CatchingUp(Option<u64>),
}

/// Whether a replica may vote and confirm.
#[derive(Debug)]
pub(crate) struct Joining {
    stage: Cell<Stage>,
    /// The least term in which a replica without its disk confirms entries, once it is known.
    least_term: Cell<Option<u64>>,
    /// Whether the group was told to elect by itself.
    elects: Cell<bool>,
    /// The others that had nothing, at some time since this replica began with an empty disk; none
    /// are noted if it did not.
    empty: RefCell<Option<BTreeSet<u32>>>,
}

impl Joining {
    /// `marked`: its disk was empty when it last began, and that was not settled.
    pub(crate) fn new(marked: bool, last_index: u64) -> Self {
        let stage = match (marked, last_index) {
            (false, _) => Stage::Member,
            (true, 0..=FIRST_ENTRY) => Stage::Asking,
            (true, _) => Stage::CatchingUp(None),
        };
        Self {
            stage: Cell::new(stage),
            least_term: Cell::new(None),
            elects: Cell::new(true),
            empty: RefCell::new((stage == Stage::Asking).then(BTreeSet::new)),
        }
    }

    /// Hears that `node` has nothing.
    pub(crate) fn heard_empty(&self, node: u32) {
        if let Some(empty) = self.empty.borrow_mut().as_mut() {
            empty.insert(node);
        }
    }

    /// True if none of the `others` had anything when this replica began.
    fn is_first_start(&self, others: usize) -> bool {
        let empty = self.empty.borrow();
        empty.as_ref().is_some_and(|empty| empty.len() == others)
    }

    /// True if it asks because it has nothing.
    fn has_nothing(&self) -> bool {
        self.stage.get() == Stage::Asking
    }

    /// True while there is something the others have to be asked.
    fn asks(&self) -> bool {
        match self.stage.get() {
            Stage::Asking => true,
            Stage::CatchingUp(_) => self.least_term.get().is_none(),
            Stage::Member | Stage::Founding => false,
        }
    }

    /// An error while the replica must not confirm entries of a leader of `term`.
    pub(crate) fn may_confirm(&self, term: u64) -> Result<(), String> {
        match self.stage.get() {
            Stage::Member | Stage::Founding => Ok(()),
            Stage::Asking => Err("this replica does not know its group yet".to_owned()),
            Stage::CatchingUp(_) => match self.least_term.get() {
                Some(least) if term >= least => Ok(()),
                Some(least) => Err(format!(
                    "this replica lost its disk and confirms nothing before term {least}"
                )),
                None => {
                    Err("this replica lost its disk and has not heard all others yet".to_owned())
                }
            },
        }
    }

    /// True if it has everything it ever confirmed.
    #[cfg(test)]
    pub(crate) fn is_member(&self) -> bool {
        self.stage.get() == Stage::Member
    }

    /// An error while the replica must not vote.
    pub(crate) fn may_vote(&self) -> Result<(), String> {
        match self.stage.get() {
            Stage::Member | Stage::Founding => Ok(()),
            Stage::Asking => Err("this replica does not know its group yet".to_owned()),
            Stage::CatchingUp(_) => {
                Err("this replica lost its disk and has not caught up yet".to_owned())
            }
        }
    }

    /// True if it may ask for votes although its cluster was changed.
    fn may_elect(&self) -> bool {
        match self.stage.get() {
            Stage::Member | Stage::Founding => true,
            Stage::Asking | Stage::CatchingUp(_) => false,
        }
    }

    /// Hears from a leader whose log ends with `leader_last`.
    pub(crate) fn follow(&self, leader_last: u64) {
        match self.stage.get() {
            Stage::CatchingUp(None) => self.stage.set(Stage::CatchingUp(Some(leader_last))),
            // One that asks confirms nothing, so it follows nobody.
            Stage::Member | Stage::Founding | Stage::Asking | Stage::CatchingUp(Some(_)) => {}
        }
    }
}

/// True if the replica's group was led, as far as its log tells.
pub(crate) fn is_established(partition: &Partition) -> bool {
    partition.log.last_index() > FIRST_ENTRY
}

/// Lets a replica that has caught up vote; to be called now and then.
pub(crate) fn tick(partition: &Partition, raft: &Handle) {
    // What counts is what is on the disk: the marker goes durably, and without what it stood for this
    // replica would vote after a crash as if it had never promised anything.
    let on_disk = partition
        .log
        .durable_index()
        .max(partition.log.purged_durable());
    if partition.joining.stage.get() == Stage::Founding && on_disk > 0 {
        settle(partition);
    }
    let asks_for_votes = partition.joining.may_elect() || partition.placed().founding;
    if partition.joining.elects.replace(asks_for_votes) != asks_for_votes {
        raft.runtime_config().elect(asks_for_votes);
    }
    if let Stage::CatchingUp(Some(wanted)) = partition.joining.stage.get()
        && partition.core.borrow().applied().index >= wanted
        && on_disk >= wanted
    {
        settle(partition);
        tracing::info!(partition = %partition.id(), wanted, "caught up; this replica votes again");
    }
}

fn settle(partition: &Partition) {
    match marker::clear(&partition.dir, Marker::Joining) {
        Ok(()) => partition.joining.stage.set(Stage::Member),
        Err(error) => {
            tracing::warn!(partition = %partition.id(), %error, "the marker of joining stays");
        }
    }
}

/// Starts a group of many: asks, then initializes it or waits to be filled.
pub(crate) async fn run(partition: Rc<Partition>, raft: Handle) {
    let own = partition.shared.options.node_id;
    let runs = || partition.mailbox.stop_mode() == StopMode::Run && !partition.is_dead();
    let begun_asking = driver::now();
    let mut placed = partition.placed();
    let mut peers = peers(&partition, &placed);
    while partition.joining.asks() && runs() {
        let now = partition.placed();
        if !Rc::ptr_eq(&placed, &now) {
            placed = now;
            peers = self::peers(&partition, &placed);
        }
        let replicas = peers.len() + 1;
        let majority = replicas / 2 + 1;
        // It answers itself.
        let mut answered = 1;
        let mut established = false;
        let mut known_term = 0;
        for peer in &mut peers {
            match peer.stands(partition.joining.has_nothing()).await {
                Ok(standing) => {
                    answered += 1;
                    established |= standing.established;
                    if !standing.established {
                        partition.joining.heard_empty(peer.target as u32);
                    }
                    known_term = known_term.max(standing.term);
                }
                Err(why) => {
                    tracing::debug!(partition = %partition.id(), why, "no answer yet");
                }
            }
        }
        let founding = partition.placed().founding;
        if founding && partition.joining.is_first_start(replicas - 1) {
            partition.joining.stage.set(Stage::Founding);
            break;
        }
        established |= !founding;
        let asking = partition.joining.stage.get() == Stage::Asking;
        if asking && established {
            tracing::warn!(
                partition = %partition.id(),
                "this replica is empty although its group is not new: it gives no vote until it has \
                 caught up"
            );
            partition.joining.stage.set(Stage::CatchingUp(None));
        }
        if established || !asking {
            if answered == replicas {
                partition.joining.least_term.set(Some(known_term));
            } else {
                driver::sleep(ASK_AGAIN).await;
            }
            continue;
        }
        let enough = answered >= majority && driver::since(begun_asking) >= ALL_WITHIN;
        if answered < replicas && !enough {
            driver::sleep(ASK_AGAIN).await;
            continue;
        }
        if answered < replicas {
            tracing::warn!(
                partition = %partition.id(),
                answered,
                of = replicas,
                "the group begins with a majority of its replicas"
            );
        }
        partition.joining.stage.set(Stage::Founding);
    }
    let replicas = &placed.active;
    let rank = replicas.iter().position(|replica| replica.node == own);
    let begun = driver::now();
    let patience = FOUND_WITHIN * rank.unwrap_or(0) as u32;
    while partition.joining.stage.get() == Stage::Founding && runs() {
        if driver::since(begun) < patience {
            driver::sleep(ASK_AGAIN).await;
            continue;
        }
        let members: BTreeMap<u64, Member> = replicas
            .iter()
            .map(|replica| (u64::from(replica.node), Member::default()))
            .collect();
        match raft.is_initialized().await {
            Ok(true) => {}
            Ok(false) => {
                if let Err(error) = raft.initialize(members).await {
                    tracing::warn!(partition = %partition.id(), %error, "the group is not initialized");
                }
            }
            Err(_) => return,
        }
        driver::sleep(ASK_AGAIN).await;
    }
}

/// The ways to the other replicas.
pub(crate) fn peers(partition: &Rc<Partition>, placed: &Placed) -> Vec<Peer> {
    let own = partition.shared.options.node_id;
    let others = placed.all.iter().map(|(replica, _)| replica.node);
    let others = others.filter(|node| *node != own);
    others
        .map(|node| Peer::new(Rc::clone(partition), u64::from(node)))
        .collect()
}
