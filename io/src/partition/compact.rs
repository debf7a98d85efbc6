//! Snapshots, and how much of the log may go: never past min(snapshot, exported, held by a backup).
//!
//! A snapshot is a checkpoint of what the state store has written, taken on a thread of its own while
//! the shard goes on. When it is complete openraft hears of it, older ones are deleted and the log is
//! purged. A snapshot that fails is logged and tried again
//! at the next interval: it costs log space, nothing else.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use openraft::async_runtime::WatchReceiver;
use ringflow_storage::snapshot::{self, Snapshot};
use tokio::sync::oneshot;

use crate::backup::Hold;
use crate::driver;
use crate::partition::{Partition, backup, persist, recover};
use crate::raft::log_store::LogStore;
use crate::raft::{EntryId, Handle, StoredMembership, entry_id, raft_index};

/// How often the end of a snapshot is looked for when the partition stops.
const IDLE_POLL: Duration = Duration::from_millis(2);
/// Least time between snapshots, however fast the log grows.
const SNAPSHOT_PAUSE: Duration = Duration::from_secs(10);
/// How long a member may catch up with entries that are to be forgotten.
const HELD_UP_FOR: Duration = Duration::from_secs(2);
/// Bytes of entries between the marks by which the size of the log is known.
const MARK_BYTES: u64 = 16 << 20;

/// Where snapshots and purges of a partition stand.
#[derive(Debug)]
pub(crate) struct Compaction {
    /// With the members that were in force where it was taken.
    newest: RefCell<Option<(Snapshot, StoredMembership)>>,
    tried: Cell<Instant>,
    /// A snapshot is on its way from the first step to the last.
    running: Cell<bool>,
    /// The files of the state or of the snapshots are being read or written.
    taking: Cell<bool>,
    /// Bytes this process had written when the newest snapshot was taken.
    bytes_at_snapshot: Cell<u64>,
    purged: Cell<u64>,
    /// Up to where the log is to be forgotten, and since when.
    wanted: Cell<(u64, Option<Instant>)>,
    growth: RefCell<Growth>,
    /// Entries from which on somebody reads the log, as long as they do.
    holds: RefCell<Vec<(u64, Weak<()>)>>,
}

/// How many bytes of entries the log holds, to the coarseness of its marks.
#[derive(Debug, Default)]
struct Growth {
    /// What the log held when it was opened.
    before: u64,
    /// An entry, and the bytes written up to it; ascending.
    marks: VecDeque<(u64, u64)>,
    /// Bytes written and purged.
    purged: u64,
}

impl Growth {
    /// Notes that `written` bytes reach up to entry `index`.
    fn note(&mut self, index: u64, written: u64) {
        let marked = self.marks.back().map_or(self.purged, |mark| mark.1);
        if written - marked >= MARK_BYTES {
            self.marks.push_back((index, written));
        }
    }

    fn purge(&mut self, upto: u64) {
        while let Some((index, bytes)) = self.marks.front().copied() {
            if index > upto {
                return;
            }
            // Whatever was there before this process lies before its first mark.
            self.before = 0;
            self.purged = bytes;
            self.marks.pop_front();
        }
    }

    fn held(&self, written: u64) -> u64 {
        self.before + written - self.purged
    }
}

impl Compaction {
    /// `held_bytes`: what the log holds already.
    pub(crate) fn new(
        newest: Option<Snapshot>,
        membership: StoredMembership,
        log: &LogStore,
        held_bytes: u64,
    ) -> Self {
        Self {
            newest: RefCell::new(newest.map(|newest| (newest, membership))),
            tried: Cell::new(driver::now()),
            running: Cell::new(false),
            taking: Cell::new(false),
            bytes_at_snapshot: Cell::new(0),
            purged: Cell::new(log.purged_index()),
            wanted: Cell::new((0, None)),
            growth: RefCell::new(Growth {
                before: held_bytes,
                ..Growth::default()
            }),
            holds: RefCell::default(),
        }
    }

    /// The first entry that is not about to be forgotten.
    pub(crate) fn first_kept(&self, partition: &Partition) -> u64 {
        partition.log.purged_index().max(self.wanted.get().0) + 1
    }

    /// Keeps the newest snapshot, and the log from entry `first` on, until it is dropped.
    pub(crate) fn hold(&self, first: u64) -> Hold {
        let hold = Hold::default();
        self.holds.borrow_mut().push((first, Arc::downgrade(&hold)));
        hold
    }

    /// The least entry that is held.
    fn held(&self) -> Option<u64> {
        let mut holds = self.holds.borrow_mut();
        holds.retain(|(_, hold)| hold.strong_count() > 0);
        holds.iter().map(|(first, _)| *first).min()
    }

    /// Deletes the snapshots before `keep`, unless one of them may be being read; then the next call
    /// does.
    fn delete_old(&self, partition: &Partition, keep: &Snapshot) {
        if self.held().is_some() {
            return;
        }
        if let Err(error) = snapshot::delete_old(&partition.dir.snapshots(), keep) {
            tracing::warn!(partition = %partition.id(), %error, "old snapshots remain");
        }
    }

    pub(crate) fn newest(&self) -> Option<Snapshot> {
        let newest = self.newest.borrow();
        newest.as_ref().map(|(snapshot, _)| snapshot.clone())
    }

    /// The newest snapshot and the members of its time.
    pub(crate) fn described(&self) -> Option<(Snapshot, StoredMembership)> {
        self.newest.borrow().clone()
    }

    /// Bytes of entries the log holds, roughly.
    pub(crate) fn log_bytes(&self, partition: &Partition) -> u64 {
        self.growth.borrow().held(written(partition))
    }

    /// True if the log could not be forgotten for a while, and a member that has it up to entry
    /// `behind` needs what is to be forgotten.
    pub(crate) fn is_held_up_by(&self, partition: &Partition, behind: u64) -> bool {
        let (upto, since) = self.wanted.get();
        let late = since.is_some_and(|since| driver::since(since) >= HELD_UP_FOR);
        late && behind < upto && partition.log.purged_index() < upto
    }

    /// Takes over a snapshot that came from the leader and is the state now; the log begins behind
    /// it.
    pub(crate) fn replace(
        &self,
        partition: &Partition,
        received: Snapshot,
        membership: StoredMembership,
    ) {
        let upto = received.applied().index;
        self.delete_old(partition, &received);
        *self.newest.borrow_mut() = Some((received, membership));
        self.bytes_at_snapshot.set(written(partition));
        self.purged.set(upto);
        self.growth.borrow_mut().purge(upto);
        let metrics = &partition.mailbox.metrics;
        metrics.snapshot_millis.set(driver::wall_millis());
        metrics.snapshot_index.set(upto);
        metrics.purged_index.set(upto);
    }
}

/// Bytes of entries that this process wrote or took over.
fn written(partition: &Partition) -> u64 {
    let metrics = &partition.mailbox.metrics;
    if partition.shared.is_many() {
        return metrics.entry_bytes.get() + metrics.replayed_bytes.get();
    }
    // What is replayed in a cluster of one was there before this process.
    metrics.entry_bytes.get()
}

/// Starts a snapshot if it is time and there is something new.
pub(crate) fn tick(partition: &Rc<Partition>, raft: &Handle) {
    note_purged(partition);
    let compaction = &partition.compaction;
    let written = written(partition);
    let applied = partition.core.borrow().applied().index;
    compaction.growth.borrow_mut().note(applied, written);
    let limits = &partition.shared.options.limits;
    let grown = written - compaction.bytes_at_snapshot.get() >= limits.snapshot_log_bytes;
    let waited = driver::since(compaction.tried.get());
    let due =
        waited >= partition.shared.options.snapshot_interval || (grown && waited >= SNAPSHOT_PAUSE);
    if compaction.running.get() || !due {
        return;
    }
    compaction.running.set(true);
    compaction.tried.set(driver::now());
    let partition = Rc::clone(partition);
    let raft = raft.clone();
    driver::spawn(async move {
        snapshot(&partition, &raft).await;
        partition.compaction.running.set(false);
    });
}

/// Takes a snapshot if there is something new, and purges what is no longer needed.
pub(crate) async fn snapshot(partition: &Rc<Partition>, raft: &Handle) {
    let started = driver::now();
    let newest_index = partition
        .compaction
        .newest()
        .map_or(0, |snapshot| snapshot.applied().index);
    let written = written(partition);
    if partition.core.borrow().applied().index > newest_index {
        partition.compaction.taking.set(true);
        let taken = take(partition).await;
        partition.compaction.taking.set(false);
        match taken {
            Ok((taken, membership)) => {
                let metrics = &partition.mailbox.metrics;
                metrics.snapshots_taken.add(1);
                metrics.snapshot_millis.set(driver::wall_millis());
                metrics.snapshot_index.set(taken.applied().index);
                metrics.snapshot.record(driver::since(started));
                let covered = entry_id(taken.applied().index, taken.applied().term);
                partition.compaction.delete_old(partition, &taken);
                *partition.compaction.newest.borrow_mut() = Some((taken, membership));
                partition.compaction.bytes_at_snapshot.set(written);
                if tell(raft, covered).await.is_none() {
                    return;
                }
            }
            Err(why) => {
                tracing::error!(partition = %partition.id(), why, "no snapshot was taken");
                return;
            }
        }
    }
    purge(partition, raft).await;
}

/// Tells the group of the newest snapshot and waits until it knows; `None` if the group has ended.
async fn tell(raft: &Handle, covered: Option<EntryId>) -> Option<()> {
    raft.trigger().snapshot().await.ok()?;
    let mut metrics = raft.metrics();
    metrics
        .wait_until(|metrics| metrics.snapshot >= covered || metrics.running_state.is_err())
        .await
        .ok()?;
    Some(())
}

/// Waits until a snapshot that was begun is told and the log behind it is purged.
pub(crate) async fn idle(partition: &Partition) {
    while partition.compaction.running.get() {
        driver::sleep(IDLE_POLL).await;
    }
}

/// Waits until nothing reads the state's files. Telling the group of a snapshot is not waited for:
/// that is answered by the task which installs received ones, and it would wait for itself.
pub(crate) async fn not_taking(partition: &Partition) {
    while partition.compaction.taking.get() {
        driver::sleep(IDLE_POLL).await;
    }
}

async fn take(partition: &Rc<Partition>) -> Result<(Snapshot, StoredMembership), String> {
    persist::all(partition)
        .await
        .map_err(|broken| broken.to_string())?;
    let (done, taken) = oneshot::channel();
    let on_taken = Box::new(move |result| {
        // The receiver is gone only if the shard has ended.
        let _ = done.send(result);
    });
    let started = snapshot::prepare(&partition.store, &partition.dir.snapshots())
        .and_then(|making| start(partition, making, on_taken));
    let taken = match started {
        Ok(()) => taken.await,
        Err(error) => Ok(Err(error)),
    };
    match taken {
        Ok(Ok(taken)) => {
            let membership = recover::membership_of(&taken, &partition.membership.borrow())?;
            Ok((taken, membership))
        }
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("the snapshot thread has ended".to_owned()),
    }
}

/// Makes a snapshot on a thread of its own, because the background thread has rows to write.
fn start(
    partition: &Partition,
    making: snapshot::Making,
    on_taken: snapshot::OnTaken,
) -> Result<(), ringflow_storage::Error> {
    #[cfg(test)]
    if driver::driver() == driver::Driver::Simulated {
        partition
            .shared
            .background
            .run(move || on_taken(making.run()));
        return Ok(());
    }
    // A simulation alone needs to know where.
    let _ = partition;
    making.start(on_taken)
}

async fn purge(partition: &Rc<Partition>, raft: &Handle) {
    let compaction = &partition.compaction;
    let Some(covered) = compaction.newest().map(|snapshot| snapshot.applied()) else {
        return;
    };
    let exported = match partition.shared.options.exports() {
        true => partition.mailbox.feed.acknowledged(),
        false => covered.position,
    };
    let stored = backup::last_stored(partition).unwrap_or(exported);
    let (wanted, upto) = (
        exported.min(stored),
        compaction
            .held()
            .map_or(covered.index, |first| covered.index.min(first - 1)),
    );
    // Right before a batch that counts, so that whoever reads the log from its first entry knows
    // what it follows.
    let mark = {
        let core = partition.core.borrow();
        core.marks.before(wanted, upto)
    };
    let Some(mark) = mark else {
        return;
    };
    partition.mailbox.feed.resume_at(mark);
    let upto = mark.index;
    let Some(index) = raft_index(upto).filter(|_| upto > compaction.purged.get()) else {
        return;
    };
    if raft.trigger().purge_log(index).await.is_ok() {
        compaction.wanted.set((upto, Some(driver::now())));
    }
}

/// Takes note of what the group has let go: it may keep entries for members it still sends them to.
fn note_purged(partition: &Partition) {
    let compaction = &partition.compaction;
    let purged = partition.log.purged_index();
    if purged > compaction.purged.get() {
        compaction.purged.set(purged);
        partition.core.borrow_mut().marks.forget(purged);
        compaction.growth.borrow_mut().purge(purged);
        partition.mailbox.metrics.purged_index.set(purged);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_of_the_log_follows_what_is_written_and_purged() {
        let mut growth = Growth {
            before: 7,
            ..Growth::default()
        };
        growth.note(10, MARK_BYTES - 1);
        assert_eq!(growth.held(MARK_BYTES - 1), MARK_BYTES + 6);
        growth.note(11, MARK_BYTES);
        growth.note(20, 2 * MARK_BYTES);
        growth.purge(10);
        assert_eq!(growth.held(2 * MARK_BYTES), 2 * MARK_BYTES + 7);
        growth.purge(15);
        assert_eq!(growth.held(2 * MARK_BYTES + 1), MARK_BYTES + 1);
        growth.purge(20);
        assert_eq!(growth.held(2 * MARK_BYTES + 1), 1);
    }
}
