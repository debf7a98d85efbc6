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

use ringflow_core::state::store::StateRead;
use ringflow_storage::data_dir::PartitionDir;
use ringflow_storage::log::{Flusher, Log, LogOptions};
use ringflow_storage::snapshot::{self, Snapshot};
use ringflow_storage::state::{StateMemory, StateStore};
use ringflow_storage::vote::VoteFile;

use crate::metrics::ShardMetrics;
use crate::partition::compact::Compaction;
use crate::partition::persist::Persisting;
use crate::partition::process::Core;
use crate::partition::{MEMBERSHIP_ROW, Partition};
use crate::raft::log_store::LogStore;
use crate::raft::{StoredMembership, entry_id, log_index, payload};
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
    let options = LogOptions {
        partition: mailbox.partition.0,
        segment_bytes: shared.options.log_segment_bytes,
        first_segment_bytes: shared.options.log_segment_bytes.min(FIRST_SEGMENT_BYTES),
        resident_bytes: RESIDENT_LOG_BYTES,
        ..LogOptions::default()
    };
    let (log, recovered) =
        Log::open(&dir.log(), options, flusher).map_err(|error| error.to_string())?;
    if let Some(cut) = &recovered.cut {
        tracing::warn!(partition = %mailbox.partition, ?cut, "a torn tail was cut off the log");
    }
    let (votes, vote) = VoteFile::open(&dir.vote(), &log).map_err(|error| error.to_string())?;
    // A group of one logs its membership before it votes for the first time.
    if vote.is_some() && recovered.last.index == 0 {
        return Err(format!(
            "{} holds a vote, but the log in {} is empty: entries that were acknowledged are missing",
            dir.vote().display(),
            dir.log().display()
        ));
    }
    let newest = find_snapshot(&dir)?;
    let store = open_state(&dir, memory, newest.as_ref(), recovered.purged.index)?;
    let applied = store.applied();
    if applied.index > recovered.last.index {
        return Err(format!(
            "the state was built up to log entry {}, but the log ends with {}: \
             entries that were acknowledged are missing",
            applied.index, recovered.last.index
        ));
    }
    let membership = load_membership(&store)?;
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
        log = recovered.last.index,
        "opened; the log behind the state is replayed"
    );
    mailbox.feed.attach(log.reader());
    let held_bytes = directory_bytes(&dir.log())?;
    Ok(Partition {
        compaction: Compaction::new(newest, &log, held_bytes),
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
        dead: Cell::new(false),
    })
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

/// Log index and term of its entry, both 0 if none, then the membership as in an entry.
pub(crate) fn encode_membership(stored: &StoredMembership) -> Vec<u8> {
    let (index, term) = stored
        .log_id()
        .as_ref()
        .map_or((0, 0), |id| (log_index(id.index), id.leader_id.term));
    let mut bytes = Vec::new();
    bytes.extend_from_slice(&index.to_le_bytes());
    bytes.extend_from_slice(&term.to_le_bytes());
    payload::put_membership(stored.membership(), &mut bytes);
    bytes
}

fn load_membership(store: &StateStore) -> Result<StoredMembership, String> {
    let bytes = store
        .get(MEMBERSHIP_ROW)
        .map_err(|error| error.to_string())?;
    let Some(bytes) = bytes else {
        return Ok(StoredMembership::default());
    };
    let (index, rest) = bytes
        .split_first_chunk::<8>()
        .ok_or("a stored membership cut short")?;
    let (term, rest) = rest
        .split_first_chunk::<8>()
        .ok_or("a stored membership cut short")?;
    let id = entry_id(u64::from_le_bytes(*index), u64::from_le_bytes(*term));
    Ok(StoredMembership::new(id, payload::take_membership(rest)?))
}
