//! Opening a partition: vote, snapshot, state, log, in an order that never guesses.
//!
//! 1. The log and the vote are opened; a torn tail is cut there, anything else corrupt refuses.
//! 2. The state store is opened. If it stands before what the log still holds (its directory was
//!    lost or is older than a purge), the newest snapshot takes its place; if that does not help, the
//!    partition is refused with both numbers.
//! 3. The engine is opened on the store. The rest of the log is replayed by openraft applying it.
//!
//! A store that stands beyond the log's end means that the log lost entries it had made durable:
//! refused, because those entries were acknowledged.

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use ringflow_core::ids::PartitionId;
use ringflow_core::state::store::StateRead;
use ringflow_storage::data_dir::PartitionDir;
use ringflow_storage::log::{self, Flusher, Log, LogOptions, Recovered};
use ringflow_storage::snapshot::{self, Snapshot};
use ringflow_storage::state::{StateMemory, StateStore};
use ringflow_storage::vote::VoteFile;

use crate::metrics::ShardMetrics;
use crate::options::BrokerOptions;
use crate::partition::compact::Compaction;
use crate::partition::marker::{self, Marker};
use crate::partition::members::{self, Placement, Steps};
use crate::partition::persist::Persisting;
use crate::partition::process::Core;
use crate::partition::transfer::Transfers;
use crate::partition::unexported::Unexported;
use crate::partition::{MEMBERSHIP_ROW, Partition};
use crate::raft::join::Joining;
use crate::raft::log_store::LogStore;
use crate::raft::{StoredMembership, log_index, payload};
use crate::shard::mailbox::Mailbox;
use crate::submit::Shared;

/// Bytes of recent entries a log keeps in memory.
const RESIDENT_LOG_BYTES: usize = 16 << 20;
/// Largest first segment: a new partition starts quickly.
const FIRST_SEGMENT_BYTES: u64 = 16 << 20;

/// Opens partition and group members; the sentence of an error names what is wrong.
pub(crate) fn open(
    mailbox: Arc<Mailbox>,
    shared: Arc<Shared>,
    shard: Arc<ShardMetrics>,
    dir: PartitionDir,
    memory: &StateMemory,
    flusher: Flusher,
) -> Result<Partition, String> {
    let options = log_options(&shared.options, mailbox.partition);
    let (log, recovered) =
        Log::open(&dir.log(), options, flusher.clone()).map_err(|error| error.to_string())?;
    if let Some(cut) = &recovered.cut {
        tracing::warn!(partition = %mailbox.partition, ?cut, "a torn tail was cut off the log");
    }
    let (votes, vote) = VoteFile::open(&dir.vote(), &log).map_err(|error| error.to_string())?;
    let alone = !shared.is_many();
    let (log, last_index) = settle_log(&dir, log, &recovered, alone, &flusher)?;
    let joining = !alone && begins_empty(&dir, vote.is_some(), last_index)?;
    // A group of one logs its membership before it votes for the first time, and a member of many
    // that began with an empty disk is known by its marker.
    if vote.is_some() && last_index == 0 && !joining {
        return Err(format!(
            "{} holds a vote, but the log in {} is empty: entries that were acknowledged are missing",
            dir.vote().display(),
            dir.log().display()
        ));
    }
    let newest = find_snapshot(&dir)?;
    let purged = log.purged().index;
    let store = open_state(&dir, memory, newest.as_ref(), purged)?;
    let applied = store.applied();
    if applied.index > last_index {
        return Err(format!(
            "the state was built up to log entry {}, but the log ends with {}: \
             entries that were acknowledged are missing",
            applied.index, last_index
        ));
    }
    let membership = decode_membership(
        &store
            .get(MEMBERSHIP_ROW)
            .map_err(|error| error.to_string())?,
    )?;
    let snapshot_membership = match &newest {
        Some(newest) => membership_of(newest, &membership)?,
        None => StoredMembership::default(),
    };
    mailbox.set_members(members::members(&membership));
    let store = Rc::new(store);
    mailbox
        .metrics
        .last_persisted_position
        .set(applied.position.0);
    let core = Core::open(Arc::clone(&mailbox), Arc::clone(&shared), Rc::clone(&store))
        .map_err(|broken| broken.to_string())?;
    let log = LogStore::new(log, &recovered, votes, vote, Arc::clone(&mailbox))?;
    tracing::info!(
        partition = %mailbox.partition,
        position = %applied.position,
        applied = applied.index,
        log = last_index,
        "opened; the log behind the state is replayed"
    );
    mailbox.feed.attach(|| log.reader());
    // How far the snapshot reached is not known any more; the state reaches at least as far.
    let waits = marker::is_set(&dir, Marker::Unexported) && shared.options.exports();
    let unexported = Unexported::new(waits.then_some(applied.position));
    let held_bytes = directory_bytes(&dir.log())?;
    Ok(Partition {
        compaction: Compaction::new(newest, snapshot_membership, &log, held_bytes),
        placement: Placement::new(&shared.cluster.configuration(), mailbox.partition),
        steps: Steps::default(),
        mailbox,
        shared,
        shard,
        store,
        dir,
        log,
        core: RefCell::new(core),
        membership: RefCell::new(membership),
        woken: Cell::new(false),
        persisting: Persisting::default(),
        memory: memory.clone(),
        joining: Joining::new(joining, last_index),
        transfers: Transfers::default(),
        staged: RefCell::new(None),
        received: RefCell::new(None),
        installing: Cell::new(false),
        installed: Cell::new(None),
        unexported,
        full: Cell::new(false),
        dead: Cell::new(false),
    })
}

/// How the log of a partition is laid out.
pub(crate) fn log_options(options: &BrokerOptions, partition: PartitionId) -> LogOptions {
    LogOptions {
        partition: partition.0,
        segment_bytes: options.log_segment_bytes,
        first_segment_bytes: options.log_segment_bytes.min(FIRST_SEGMENT_BYTES),
        resident_bytes: RESIDENT_LOG_BYTES,
        max_batch_bytes: options.limits.log_batch_bytes,
        ..LogOptions::default()
    }
}

/// Brings a log to where an installed snapshot wants it, if the process ended between the two.
fn settle_log(
    dir: &PartitionDir,
    mut log: Log,
    recovered: &Recovered,
    alone: bool,
    flusher: &Flusher,
) -> Result<(Log, u64), String> {
    let last = recovered.last.index;
    if alone || !marker::is_set(dir, Marker::Installing) {
        return Ok((log, last));
    }
    let newest = find_snapshot(dir)?.map(|snapshot| snapshot.applied());
    let last = match newest.filter(|applied| applied.index > last) {
        None => last,
        Some(applied) => {
            tracing::warn!(
                from = last,
                to = applied.index,
                "the log is reset behind the snapshot that was being installed"
            );
            let upto = log::EntryId {
                index: applied.index,
                term: applied.term,
            };
            let (done, purged) = std::sync::mpsc::sync_channel(1);
            let on_durable = Box::new(move |result| {
                // Waited for below.
                let _ = done.send(result);
            });
            log.purge_prefix(upto, on_durable)
                .map_err(|error| error.to_string())?;
            while flusher.turn() {}
            match purged.recv() {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return Err(error.to_string()),
                Err(_) => return Err("the log thread has ended".to_owned()),
            }
            applied.index
        }
    };
    marker::clear(dir, Marker::Installing).map_err(|error| error.to_string())?;
    Ok((log, last))
}

/// True if the replica began with an empty disk and that is not settled (`raft/join.rs`).
fn begins_empty(dir: &PartitionDir, voted: bool, last_index: u64) -> Result<bool, String> {
    if marker::is_set(dir, Marker::Joining) {
        return Ok(true);
    }
    if voted || last_index > 0 {
        return Ok(false);
    }
    marker::set(dir, Marker::Joining).map_err(|error| error.to_string())?;
    Ok(true)
}

/// Bytes of the files of a log: an upper bound of what it holds.
fn directory_bytes(directory: &Path) -> Result<u64, String> {
    let unreadable = |error| format!("{} cannot be read: {error}", directory.display());
    let mut bytes = 0;
    for file in std::fs::read_dir(directory).map_err(unreadable)? {
        let file = file.and_then(|file| file.metadata()).map_err(unreadable)?;
        bytes += file.len();
    }
    Ok(bytes)
}

fn find_snapshot(dir: &PartitionDir) -> Result<Option<Snapshot>, String> {
    let found = snapshot::newest(&dir.snapshots()).map_err(|error| error.to_string())?;
    for (path, error) in &found.skipped {
        tracing::warn!(path = %path.display(), %error, "a snapshot is not usable");
    }
    Ok(found.newest)
}

fn open_state(
    dir: &PartitionDir,
    memory: &StateMemory,
    newest: Option<&Snapshot>,
    purged: u64,
) -> Result<StateStore, String> {
    let wanted = newest
        .map_or(0, |snapshot| snapshot.applied().index)
        .max(purged);
    let store = StateStore::open(&dir.state(), memory).map_err(|error| error.to_string())?;
    let stands = store.applied().index;
    if stands >= wanted {
        return Ok(store);
    }
    drop(store);
    let Some(snapshot) = newest.filter(|snapshot| snapshot.applied().index >= purged) else {
        return Err(format!(
            "the state was built up to log entry {stands}, the log begins after {purged}, \
             and no snapshot covers the gap"
        ));
    };
    tracing::warn!(
        stands,
        snapshot = snapshot.applied().index,
        "the state is older than the newest snapshot, which takes its place"
    );
    snapshot::restore(snapshot, &dir.state()).map_err(|error| error.to_string())?;
    StateStore::open(&dir.state(), memory).map_err(|error| error.to_string())
}

fn decode_membership(bytes: &Option<impl AsRef<[u8]>>) -> Result<StoredMembership, String> {
    match bytes {
        None => Ok(StoredMembership::default()),
        Some(bytes) => payload::decode_stored(bytes.as_ref()),
    }
}

/// The members that were in force where `snapshot` was taken, of a replica that has `current` now.
/// Blocks for some milliseconds if they have changed since.
pub(crate) fn membership_of(
    snapshot: &Snapshot,
    current: &StoredMembership,
) -> Result<StoredMembership, String> {
    let since = current
        .log_id()
        .as_ref()
        .map_or(0, |id| log_index(id.index));
    if since <= snapshot.applied().index {
        return Ok(current.clone());
    }
    let row = snapshot
        .row(MEMBERSHIP_ROW)
        .map_err(|error| error.to_string())?;
    decode_membership(&row)
}
