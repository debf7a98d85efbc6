//! openraft's log over the storage crate's: entries, vote, commit mark, in one order on disk.
//!
//! Appending makes entries readable at once and takes no wait; the log thread reports when they are
//! durable, straight to openraft. Votes, truncation and purges go through the same thread, so the
//! order on disk is the order of the calls. A write or sync that fails is final: what is on disk is
//! then unknown, so the process ends and recovers ([`end_process`]).

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt::Debug;
use std::io;
use std::ops::{Bound, RangeBounds};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::Stream;
use futures::stream;
use openraft::RaftLogReader;
use openraft::storage::{IOFlushed, LogState, RaftLogStorage};
use ringflow_storage::Error;
use ringflow_storage::log::{self, Log, LogEntry, Recovered};
use ringflow_storage::vote::VoteFile;
use tokio::sync::oneshot;

use crate::driver;
use crate::raft::{Entry, EntryId, Group, Vote, entry_id, log_index, payload};
use crate::shard::mailbox::Mailbox;

/// Bytes of a saved vote: version, committed, term, member.
const VOTE_LEN: usize = 18;
const VOTE_VERSION: u8 = 1;
/// Bytes of entries read at once.
const READ_BYTES: usize = 4 << 20;

/// The log and the vote of one partition; clones are the same log.
#[derive(Clone)]
pub(crate) struct LogStore {
    inner: Rc<RefCell<Inner>>,
    /// Up to where purging is durable.
    purged_durable: Arc<AtomicU64>,
    mailbox: Arc<Mailbox>,
}

struct Inner {
    log: Log,
    votes: VoteFile,
    vote: Option<Vote>,
    recovered_commit: u64,
}

impl LogStore {
    /// Takes over an open log and its vote.
    ///
    /// # Errors
    /// A sentence, if the saved vote is not one.
    pub(crate) fn new(
        log: Log,
        recovered: &Recovered,
        votes: VoteFile,
        vote: Option<Vec<u8>>,
        mailbox: Arc<Mailbox>,
    ) -> Result<Self, String> {
        let vote = vote.map(|bytes| decode_vote(&bytes)).transpose()?;
        let inner = Inner {
            log,
            votes,
            vote,
            recovered_commit: recovered.committed,
        };
        Ok(Self {
            inner: Rc::new(RefCell::new(inner)),
            purged_durable: Arc::default(),
            mailbox,
        })
    }

    /// A reader of durable entries for another thread.
    pub(crate) fn reader(&self) -> log::Reader {
        self.inner.borrow().log.reader()
    }

    /// Up to where this process purged the log for good.
    pub(crate) fn purged_durable(&self) -> u64 {
        self.purged_durable.load(Ordering::Acquire)
    }

    /// Last entry that is durable here, as an index of the log. A quorum may commit what is not.
    pub(crate) fn durable_index(&self) -> u64 {
        self.inner.borrow().log.durable()
    }

    /// Up to where the log was purged, as an index of the log.
    pub(crate) fn purged_index(&self) -> u64 {
        self.inner.borrow().log.purged().index
    }

    /// The entry before entry `first`, which is behind what was purged.
    pub(crate) fn entry_before(&self, first: u64) -> Result<log::EntryId, Error> {
        let mut inner = self.inner.borrow_mut();
        let purged = inner.log.purged();
        if first <= purged.index + 1 {
            return Ok(purged);
        }
        let before = inner.log.read(first - 1..first, 0)?;
        Ok(before.first().map_or(purged, LogEntry::id))
    }

    /// Last entry, durable or not, as an index of the log.
    pub(crate) fn last_index(&self) -> u64 {
        self.inner.borrow().log.last().index
    }

    fn read(&self, from: u64, end: u64, max_bytes: usize) -> Result<Vec<Entry>, io::Error> {
        let mut inner = self.inner.borrow_mut();
        let first = inner.log.purged().index + 1;
        let last = inner.log.last().index;
        let range = from.max(first)..end.min(last + 1);
        if range.is_empty() {
            return Ok(Vec::new());
        }
        let entries = inner.log.read(range, max_bytes).map_err(io::Error::other)?;
        entries.into_iter().map(decode_entry).collect()
    }
}

fn decode_entry(entry: LogEntry) -> Result<Entry, io::Error> {
    let log_id = entry_id(entry.index, entry.term)
        .ok_or_else(|| io::Error::other("the log returned an entry with index 0"))?;
    let payload = payload::decode(entry.payload).map_err(|what| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!("log entry {} is {what}", entry.index),
        )
    })?;
    Ok(Entry { log_id, payload })
}

/// The range as indexes of the log: first, and one past the last.
fn log_range(range: &impl RangeBounds<u64>) -> (u64, u64) {
    let from = match range.start_bound() {
        Bound::Included(start) => log_index(*start),
        Bound::Excluded(start) => log_index(*start) + 1,
        Bound::Unbounded => 1,
    };
    let end = match range.end_bound() {
        Bound::Included(end) => log_index(*end) + 1,
        Bound::Excluded(end) => log_index(*end),
        Bound::Unbounded => u64::MAX,
    };
    (from, end)
}

/// Ends the process because the log cannot be trusted any more; a log thread that has ended because
/// the broker stops is no such reason.
fn check_durable(result: Result<(), Error>, what: &str) -> Result<(), io::Error> {
    match result {
        Ok(()) => Ok(()),
        Err(Error::Closed) => Err(io::Error::other(Error::Closed)),
        #[cfg(test)]
        Err(error) if driver::driver() == driver::Driver::Simulated => {
            crate::sim::executor::end_node();
            Err(io::Error::other(error))
        }
        Err(error) => end_process(what, &error),
    }
}

fn end_process(what: &str, error: &Error) -> ! {
    tracing::error!(
        %error,
        "{what} failed: what the disk holds is unknown, the process ends now and recovers from its log"
    );
    eprintln!("ringflow: {what} failed: {error}; the process ends now and recovers from its log");
    std::process::abort();
}

impl RaftLogReader<Group> for LogStore {
    async fn try_get_log_entries<R: RangeBounds<u64> + Clone + Debug>(
        &mut self,
        range: R,
    ) -> Result<Vec<Entry>, io::Error> {
        let (mut from, end) = log_range(&range);
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            let mut read = self.read(from, end, READ_BYTES)?;
            let Some(last) = read.last() else {
                return Ok(entries);
            };
            from = log_index(last.log_id.index) + 1;
            entries.append(&mut read);
        }
    }

    async fn limited_get_log_entries(
        &mut self,
        start: u64,
        end: u64,
    ) -> Result<Vec<Entry>, io::Error> {
        self.read(log_index(start), log_index(end), READ_BYTES)
    }

    /// Reads as it goes: a long replay is never in memory whole.
    async fn entries_stream<R: RangeBounds<u64> + Clone + Debug>(
        &mut self,
        range: R,
    ) -> impl Stream<Item = Result<Entry, io::Error>> {
        let (from, end) = log_range(&range);
        let state = (self.clone(), from, VecDeque::new());
        Box::pin(stream::unfold(
            state,
            move |(log, from, mut ready)| async move {
                if ready.is_empty() {
                    match log.read(from, end, READ_BYTES) {
                        Ok(entries) => ready.extend(entries),
                        Err(error) => return Some((Err(error), (log, end, ready))),
                    }
                }
                let entry: Entry = ready.pop_front()?;
                let next = log_index(entry.log_id.index) + 1;
                Some((Ok(entry), (log, next, ready)))
            },
        ))
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, io::Error> {
        Ok(self.inner.borrow().vote)
    }
}

impl RaftLogStorage<Group> for LogStore {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<Group>, io::Error> {
        let inner = self.inner.borrow();
        let (purged, last) = (inner.log.purged(), inner.log.last());
        Ok(LogState {
            last_purged_log_id: entry_id(purged.index, purged.term),
            last_log_id: entry_id(last.index, last.term),
        })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), io::Error> {
        let (done, saved) = oneshot::channel();
        {
            let mut inner = self.inner.borrow_mut();
            let on_durable = Box::new(move |result| {
                // The receiver is gone only if the group has ended.
                let _ = done.send(check_durable(result, "saving the vote"));
            });
            inner
                .votes
                .save(&encode_vote(vote), on_durable)
                .map_err(io::Error::other)?;
            inner.vote = Some(*vote);
        }
        saved.await.map_err(|_| io::Error::other(Error::Closed))?
    }

    /// Told to disk with the next append: a mark that is too low only means that the tail is applied
    /// once the group has committed again.
    async fn save_committed(&mut self, committed: Option<EntryId>) -> Result<(), io::Error> {
        if let Some(committed) = committed {
            self.inner
                .borrow()
                .log
                .set_committed(log_index(committed.index));
        }
        Ok(())
    }

    async fn read_committed(&mut self) -> Result<Option<EntryId>, io::Error> {
        let mut inner = self.inner.borrow_mut();
        let index = inner.recovered_commit.min(inner.log.last().index);
        let purged = inner.log.purged();
        if index <= purged.index {
            return Ok(entry_id(purged.index, purged.term));
        }
        let entries = inner
            .log
            .read(index..index + 1, 1)
            .map_err(io::Error::other)?;
        Ok(entries
            .first()
            .and_then(|entry| entry_id(entry.index, entry.term)))
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<Group>) -> Result<(), io::Error>
    where
        I: IntoIterator<Item = Entry>,
    {
        let entries: Vec<LogEntry> = entries
            .into_iter()
            .map(|entry| LogEntry {
                index: log_index(entry.log_id.index),
                term: entry.log_id.leader_id.term,
                payload: payload::encode(entry.payload),
            })
            .collect();
        let appended = driver::now();
        let mailbox = Arc::clone(&self.mailbox);
        let on_durable = Box::new(move |result| {
            mailbox.append_took(driver::since(appended));
            mailbox.feed.durable();
            callback.io_completed(check_durable(result, "appending to the log"));
        });
        self.inner
            .borrow_mut()
            .log
            .append(entries, on_durable)
            .map_err(io::Error::other)
    }

    async fn truncate_after(&mut self, last: Option<EntryId>) -> Result<(), io::Error> {
        let from = last.map_or(1, |last| log_index(last.index) + 1);
        let on_durable = Box::new(|result| {
            let _ = check_durable(result, "truncating the log");
        });
        self.inner
            .borrow_mut()
            .log
            .truncate_suffix(from, on_durable)
            .map_err(io::Error::other)
    }

    async fn purge(&mut self, upto: EntryId) -> Result<(), io::Error> {
        let upto = log::EntryId {
            index: log_index(upto.index),
            term: upto.leader_id.term,
        };
        let (durable, index) = (Arc::clone(&self.purged_durable), upto.index);
        let on_durable = Box::new(move |result| {
            if check_durable(result, "purging the log").is_ok() {
                durable.fetch_max(index, Ordering::AcqRel);
            }
        });
        self.inner
            .borrow_mut()
            .log
            .purge_prefix(upto, on_durable)
            .map_err(io::Error::other)
    }
}

/// Version, committed, term, member id; little endian.
pub(crate) fn encode_vote(vote: &Vote) -> [u8; VOTE_LEN] {
    let mut bytes = [0; VOTE_LEN];
    bytes[0] = VOTE_VERSION;
    bytes[1] = u8::from(vote.committed);
    bytes[2..10].copy_from_slice(&vote.leader_id.term.to_le_bytes());
    bytes[10..18].copy_from_slice(&vote.leader_id.voted_for.to_le_bytes());
    bytes
}

fn decode_vote(bytes: &[u8]) -> Result<Vote, String> {
    let bytes: &[u8; VOTE_LEN] = bytes
        .try_into()
        .map_err(|_| format!("a saved vote of {} bytes", bytes.len()))?;
    let word = |at: usize| {
        let mut word = [0; 8];
        word.copy_from_slice(&bytes[at..at + 8]);
        u64::from_le_bytes(word)
    };
    if bytes[0] != VOTE_VERSION || bytes[1] > 1 {
        return Err("a saved vote of an unknown version".to_owned());
    }
    let leader_id = openraft::impls::leader_id_std::LeaderId {
        term: word(2),
        voted_for: word(10),
    };
    Ok(Vote {
        leader_id,
        committed: bytes[1] == 1,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vote_has_these_bytes_and_comes_back() {
        let vote = Vote {
            leader_id: openraft::impls::leader_id_std::LeaderId {
                term: 0x0102,
                voted_for: 3,
            },
            committed: true,
        };
        let bytes = encode_vote(&vote);
        assert_eq!(
            bytes,
            [1, 1, 2, 1, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0]
        );
        assert_eq!(decode_vote(&bytes).unwrap(), vote);
        assert!(decode_vote(&bytes[1..]).is_err());
        assert!(decode_vote(&[2; VOTE_LEN]).is_err());
    }

    #[test]
    fn ranges_become_indexes_of_the_log() {
        assert_eq!(log_range(&(0..1)), (1, 2));
        assert_eq!(log_range(&(3..=5)), (4, 7));
        assert_eq!(log_range(&..), (1, u64::MAX));
    }
}
