//! Where entries are: sparse positions, shared by the log thread and the readers.
//!
//! A *run* is a stretch of batches in one segment whose entries follow each other and are all
//! valid; runs follow each other by index. A cut shortens or drops the last runs, so a reader that
//! stays inside a run never meets a void entry. One point is kept for every [`POINT_BYTES`] of a
//! run; from there readers walk from batch to batch.
//!
//! The mutex is held for a few hundred nanoseconds, by the log thread once for each commit and by
//! a reader once for each seek. A shard takes it only when it reads entries that are no longer
//! resident.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use super::EntryId;
use super::frame::{BatchHeader, Kind};
use crate::error::Error;

/// A point is kept for at least every so many bytes of a run.
const POINT_BYTES: u64 = 64 << 10;

/// The start of a batch.
#[derive(Debug, Clone, Copy)]
struct Point {
    index: u64,
    offset: u64,
}

#[derive(Debug)]
struct Run {
    generation: u64,
    salt: u32,
    first: u64,
    /// Last valid entry.
    last: u64,
    /// Never empty: the first point is the start of the run.
    points: Vec<Point>,
    /// Behind the last batch that has valid entries.
    end: u64,
}

/// Where a reader starts, and how far it may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) generation: u64,
    pub(super) salt: u32,
    /// Start of a batch at or before the entry.
    pub(super) offset: u64,
    /// Durable end of the run.
    pub(super) end: u64,
    /// Last valid entry of the run.
    pub(super) last: u64,
    /// Changes when anything a reader may have seen becomes void.
    pub(super) epoch: u64,
}

/// The runs of a log.
#[derive(Debug, Default)]
pub(super) struct Index {
    purged: EntryId,
    runs: VecDeque<Run>,
    epoch: u64,
}

impl Index {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// The entry before the first one held.
    pub(super) const fn purged(&self) -> EntryId {
        self.purged
    }

    pub(super) const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Last valid entry, or the purged one.
    pub(super) fn last(&self) -> u64 {
        self.runs.back().map_or(self.purged.index, |run| run.last)
    }

    /// Takes a durable batch.
    pub(super) fn push(&mut self, header: &BatchHeader, salt: u32, offset: u64) {
        match header.kind {
            Kind::Continue => {}
            Kind::Cut => self.cut(header.previous.index),
            Kind::Restart => {
                self.runs.clear();
                self.purged = header.previous;
                self.epoch += 1;
            }
        }
        assert_eq!(
            self.last(),
            header.previous.index,
            "callers check the order"
        );
        if header.entries == 0 {
            return;
        }
        let first = header.previous.index + 1;
        let point = Point {
            index: first,
            offset,
        };
        let end = offset + header.padded_len() as u64;
        let last = header.last_index();
        match self.runs.back_mut() {
            Some(run)
                if header.kind == Kind::Continue
                    && run.generation == header.generation
                    && run.end == offset =>
            {
                let newest = run.points.last().map_or(0, |point| point.offset);
                if offset - newest >= POINT_BYTES {
                    run.points.push(point);
                }
                run.end = end;
                run.last = last;
            }
            Some(_) | None => self.runs.push_back(Run {
                generation: header.generation,
                salt,
                first,
                last,
                points: vec![point],
                end,
            }),
        }
    }

    /// Voids the entries behind `keep`.
    fn cut(&mut self, keep: u64) {
        self.epoch += 1;
        while self.runs.back().is_some_and(|run| run.first > keep) {
            self.runs.pop_back();
        }
        if let Some(run) = self.runs.back_mut() {
            run.last = run.last.min(keep);
            run.points.retain(|point| point.index <= keep);
        }
    }

    /// Forgets entries up to `upto`; they may still be on disk.
    pub(super) fn purge(&mut self, upto: EntryId) {
        if upto.index <= self.purged.index {
            return;
        }
        self.purged = upto;
        self.epoch += 1;
        while self.runs.front().is_some_and(|run| run.last <= upto.index) {
            self.runs.pop_front();
        }
    }

    /// The oldest segment with entries that are not purged.
    pub(super) fn oldest_generation(&self) -> Option<u64> {
        self.runs.iter().map(|run| run.generation).min()
    }

    /// Where to look for an entry.
    pub(super) fn place(&self, index: u64) -> Option<Place> {
        if index <= self.purged.index {
            return None;
        }
        let number = self.runs.partition_point(|run| run.last < index);
        let run = self.runs.get(number).filter(|run| run.first <= index)?;
        let after = run.points.partition_point(|point| point.index <= index);
        let point = run.points.get(after.checked_sub(1)?)?;
        Some(Place {
            generation: run.generation,
            salt: run.salt,
            offset: point.offset,
            end: run.end,
            last: run.last,
            epoch: self.epoch,
        })
    }
}

/// What the log thread tells the owner of the log and its readers.
#[derive(Debug)]
pub(super) struct Shared {
    index: Mutex<Index>,
    /// Last durable entry.
    durable: AtomicU64,
    /// Truncations and restarts that have become durable.
    cuts: AtomicU64,
    /// Commit index to be told to disk.
    committed: AtomicU64,
    poison: OnceLock<Error>,
}

impl Shared {
    pub(super) fn new(index: Index, committed: u64) -> Self {
        Self {
            durable: AtomicU64::new(index.last()),
            index: Mutex::new(index),
            cuts: AtomicU64::new(0),
            committed: AtomicU64::new(committed),
            poison: OnceLock::new(),
        }
    }

    pub(super) fn index(&self) -> MutexGuard<'_, Index> {
        // No code that holds the lock leaves the index half changed.
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn durable(&self) -> u64 {
        self.durable.load(Ordering::Acquire)
    }

    pub(super) fn set_durable(&self, index: u64) {
        self.durable.store(index, Ordering::Release);
    }

    pub(super) fn cuts(&self) -> u64 {
        self.cuts.load(Ordering::Acquire)
    }

    /// After [`Shared::set_durable`], so that who sees the cut sees the lowered mark as well.
    pub(super) fn count_cuts(&self, number: u64) {
        self.cuts.fetch_add(number, Ordering::Release);
    }

    pub(super) fn committed(&self) -> u64 {
        self.committed.load(Ordering::Relaxed)
    }

    pub(super) fn set_committed(&self, index: u64) {
        self.committed.fetch_max(index, Ordering::Relaxed);
    }

    pub(super) fn poison(&self) -> Option<&Error> {
        self.poison.get()
    }

    pub(super) fn set_poison(&self, error: Error) {
        // The first failure is the one to tell.
        let _ = self.poison.set(error);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(generation: u64, first: u64, entries: u32, kind: Kind) -> BatchHeader {
        BatchHeader {
            generation,
            sequence: 0,
            previous: EntryId {
                index: first - 1,
                term: 1,
            },
            committed: 0,
            entries,
            body_len: 4000,
            body_crc: 0,
            kind,
        }
    }

    #[test]
    fn a_cut_voids_entries_and_later_ones_are_found_behind_it() {
        let mut index = Index::new();
        index.push(&header(1, 1, 10, Kind::Continue), 0, 4096);
        index.push(&header(1, 11, 10, Kind::Continue), 0, 8192);
        index.push(&header(2, 21, 10, Kind::Continue), 0, 4096);
        index.push(&header(2, 15, 3, Kind::Cut), 0, 8192);
        assert_eq!(index.last(), 17);
        let before = index.place(14).unwrap();
        assert_eq!((before.generation, before.last), (1, 14));
        let after = index.place(15).unwrap();
        assert_eq!((after.generation, after.offset), (2, 8192));
        assert!(index.place(18).is_none());
        index.purge(EntryId { index: 14, term: 1 });
        assert_eq!(index.oldest_generation(), Some(2));
        assert!(index.place(14).is_none());
    }
}
