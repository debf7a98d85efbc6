//! The writing end of one log: jobs in, batches out, in order.
//!
//! Owned by the log thread. [`Appender::plan`] turns the jobs at the head of the queue into one
//! batch (all appends that wait, up to the largest batch), [`Appender::complete`] makes the batch
//! visible to readers and calls back, in the order of the jobs. Between the two there is at most
//! one batch of a log: one flush in flight, everything that arrives meanwhile is the next batch.
//!
//! 1. A batch is written only after the one before it is durable; recovery relies on it.
//! 2. After a failed write or sync the log is poisoned: every later job fails with the same error.
//! 3. A segment is purged only when a later one holds a durable batch, so the oldest segment
//!    always tells behind which entry the log starts.

use std::collections::VecDeque;
use std::mem;
use std::path::PathBuf;
use std::sync::Arc;

use super::flusher::LogId;
use super::frame::{self, BATCH_HEADER_LEN, BatchHeader, BatchStart, Kind};
use super::index::Shared;
use super::prepare::{Helper, Request};
use super::recover::Opened;
use super::segment::{FIRST_BATCH, Segment, segment_path, spare_path};
use super::{EntryId, LogEntry, LogOptions, OnDurable};
use crate::disk::{AlignedBuf, CommitError, DiskFile};
use crate::error::Error;

/// Times a segment is asked for before the log gives up.
const PREPARE_ATTEMPTS: u32 = 3;

/// What the owner of the log wants, in order.
pub(super) enum Job {
    /// Append entries, which follow each other.
    Append {
        entries: VecDeque<LogEntry>,
        done: OnDurable,
    },
    /// Void everything behind `keep`.
    Truncate { keep: EntryId, done: OnDurable },
    /// Void everything; start again behind `base`.
    Restart { base: EntryId, done: OnDurable },
    /// Forget everything up to `upto`, which is in the log.
    Purge { upto: EntryId, done: OnDurable },
    /// Overwrite a block of another file.
    Save {
        file: Arc<dyn DiskFile>,
        offset: u64,
        block: AlignedBuf,
        done: OnDurable,
    },
}

impl Job {
    pub(super) fn fail(self, error: &Error) {
        let (Self::Append { done, .. }
        | Self::Truncate { done, .. }
        | Self::Restart { done, .. }
        | Self::Purge { done, .. }
        | Self::Save { done, .. }) = self;
        done(Err(error.clone()));
    }
}

/// How the making of the next segment stands.
#[derive(Debug)]
enum Making {
    Idle,
    Asked,
    Failed(Error),
}

/// See the module.
pub(super) struct Appender {
    id: LogId,
    directory: PathBuf,
    options: LogOptions,
    shared: Arc<Shared>,
    /// Live segments before the current one.
    older: VecDeque<u64>,
    current: Segment,
    offset: u64,
    sequence: u64,
    /// Last entry written.
    last: EntryId,
    /// Prepared segments, oldest first; one in steady state.
    ready: VecDeque<Segment>,
    making: Making,
    attempts: u32,
    spares: Vec<PathBuf>,
    releasing: bool,
    /// Putting a segment aside failed. Nothing behind it may go before it, so nothing goes any
    /// more until the log is opened again.
    stuck: bool,
    /// Generation that holds the newest durable batch.
    durable_generation: u64,
    buffer: AlignedBuf,
    jobs: VecDeque<Job>,
    poisoned: Option<Error>,
}

impl std::fmt::Debug for Appender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Appender")
            .field("directory", &self.directory)
            .field("last", &self.last)
            .finish_non_exhaustive()
    }
}

/// A write that is to be committed, and what hangs on it.
pub(super) struct Planned {
    pub(super) file: Arc<dyn DiskFile>,
    pub(super) offset: u64,
    pub(super) bytes: AlignedBuf,
    pub(super) len: usize,
    batch: Option<PlannedBatch>,
    done: Vec<OnDurable>,
}

struct PlannedBatch {
    header: BatchHeader,
    salt: u32,
    /// Truncations and restarts in it.
    cuts: u64,
}

impl Appender {
    pub(super) fn new(
        id: LogId,
        directory: PathBuf,
        options: LogOptions,
        shared: Arc<Shared>,
        opened: Opened,
    ) -> Self {
        let mut segments = opened.segments;
        // A crash in the first batch of a segment leaves that segment and the one behind it.
        let ready = segments.split_off(opened.tail + 1);
        let current = segments
            .pop_back()
            .expect("recovery returns the segment it ended in");
        let durable_generation = current.header.generation;
        Self {
            id,
            directory,
            options,
            shared,
            older: segments
                .iter()
                .map(|segment| segment.header.generation)
                .collect(),
            current,
            offset: opened.offset,
            sequence: opened.sequence,
            last: opened.last,
            ready,
            making: Making::Idle,
            attempts: 0,
            spares: opened.spares,
            releasing: false,
            stuck: false,
            durable_generation,
            buffer: AlignedBuf::empty(),
            jobs: VecDeque::new(),
            poisoned: None,
        }
    }

    pub(super) fn push(&mut self, job: Job) {
        self.jobs.push_back(job);
    }

    /// True if [`Appender::plan`] would do something.
    pub(super) fn is_runnable(&self) -> bool {
        !self.jobs.is_empty()
            && (self.poisoned.is_some() || !self.ready.is_empty() || !self.needs_next() || {
                match &self.making {
                    Making::Idle | Making::Asked => false,
                    Making::Failed(_) => self.attempts >= PREPARE_ATTEMPTS,
                }
            })
    }

    /// True if no job waits.
    pub(super) fn is_idle(&self) -> bool {
        self.jobs.is_empty()
    }

    /// True if no job waits and the helper does nothing for this log.
    pub(super) fn is_quiet(&self) -> bool {
        self.jobs.is_empty() && !self.releasing && !matches!(self.making, Making::Asked)
    }

    /// True if the job at the head does not fit the current segment.
    fn needs_next(&self) -> bool {
        let body = match self.jobs.front() {
            Some(Job::Append { entries, .. }) => entries
                .front()
                .map_or(0, |entry| frame::entry_len(entry.payload.len())),
            Some(Job::Truncate { .. } | Job::Restart { .. }) => 0,
            Some(Job::Purge { .. } | Job::Save { .. }) | None => return false,
        };
        let header = &self.current.header;
        body > header.max_batch_bytes as usize
            || self.offset + frame::batch_len(body) as u64 > header.len
    }

    /// Asks for the next segment as soon as there is none.
    pub(super) fn prepare(&mut self, helper: &Helper) {
        let wanted = match &self.making {
            Making::Idle => self.ready.is_empty(),
            Making::Asked => false,
            Making::Failed(_) => {
                self.ready.is_empty() && self.needs_next() && self.attempts < PREPARE_ATTEMPTS
            }
        };
        if !wanted || self.poisoned.is_some() {
            return;
        }
        let generation = self.current.header.generation + 1;
        helper.ask(Request::Prepare {
            log: self.id,
            directory: self.directory.clone(),
            header: self.options.header(generation, self.options.segment_bytes),
            spare: self.spares.pop(),
        });
        self.attempts += 1;
        self.making = Making::Asked;
    }

    pub(super) fn prepared(&mut self, segment: Result<Segment, Error>) {
        match segment {
            Ok(segment) => {
                self.attempts = 0;
                self.making = Making::Idle;
                self.ready.push_back(segment);
            }
            Err(error) => {
                tracing::warn!(directory = %self.directory.display(), %error,
                    "the next log segment could not be prepared");
                self.making = Making::Failed(error);
            }
        }
    }

    pub(super) fn released(
        &mut self,
        spares: Vec<PathBuf>,
        failed: Option<Error>,
        helper: &Helper,
    ) {
        self.releasing = false;
        self.spares.extend(spares);
        if let Some(error) = failed {
            tracing::warn!(directory = %self.directory.display(), %error,
                "a purged log segment could not be put aside; the log grows until it is reopened");
            self.stuck = true;
        }
        self.release(helper);
    }

    /// The next write, if there is one to do.
    pub(super) fn plan(&mut self, helper: &Helper) -> Option<Planned> {
        loop {
            if let Some(error) = &self.poisoned {
                for job in self.jobs.drain(..) {
                    job.fail(error);
                }
                return None;
            }
            match self.jobs.front()? {
                Job::Append { .. } | Job::Truncate { .. } | Job::Restart { .. } => {
                    if self.needs_next() && !self.roll() {
                        if self.poisoned.is_some() {
                            continue;
                        }
                        return None;
                    }
                    return Some(self.plan_batch());
                }
                Job::Purge { .. } | Job::Save { .. } => {}
            }
            match self.jobs.pop_front()? {
                Job::Purge { upto, done } => {
                    self.shared.index().purge(upto);
                    self.release(helper);
                    done(Ok(()));
                }
                Job::Save {
                    file,
                    offset,
                    block,
                    done,
                } => {
                    return Some(Planned {
                        file,
                        offset,
                        len: block.len(),
                        bytes: block,
                        batch: None,
                        done: vec![done],
                    });
                }
                Job::Append { .. } | Job::Truncate { .. } | Job::Restart { .. } => {
                    unreachable!("planned as a batch above")
                }
            }
        }
    }

    /// Goes on in the next segment; false if it is not there yet, or the log is now poisoned.
    fn roll(&mut self) -> bool {
        if let Some(segment) = self.ready.pop_front() {
            self.older.push_back(self.current.header.generation);
            self.current = segment;
            self.offset = FIRST_BATCH;
            return true;
        }
        if let Making::Failed(error) = &self.making
            && self.attempts >= PREPARE_ATTEMPTS
        {
            let error = error.clone();
            self.poison(error);
        }
        false
    }

    /// Gathers the jobs at the head of the queue into one batch.
    fn plan_batch(&mut self) -> Planned {
        let room = self.current.header.len - self.offset;
        let limit =
            (self.current.header.max_batch_bytes as usize).min(room as usize - BATCH_HEADER_LEN);
        let mut kind = Kind::Continue;
        let mut previous = self.last;
        let mut cuts = 0;
        let mut entries: Vec<LogEntry> = Vec::new();
        let mut body = 0;
        let mut done = Vec::new();
        'gather: while let Some(job) = self.jobs.front_mut() {
            match job {
                Job::Append { entries: more, .. } => {
                    while let Some(entry) = more.front() {
                        let len = frame::entry_len(entry.payload.len());
                        if body + len > limit {
                            break 'gather;
                        }
                        body += len;
                        entries.extend(more.pop_front());
                    }
                }
                Job::Truncate { keep, .. } => {
                    if !entries.is_empty() {
                        break 'gather;
                    }
                    previous = *keep;
                    cuts += 1;
                    if kind == Kind::Continue {
                        kind = Kind::Cut;
                    }
                }
                Job::Restart { base, .. } => {
                    if !entries.is_empty() {
                        break 'gather;
                    }
                    previous = *base;
                    cuts += 1;
                    kind = Kind::Restart;
                }
                Job::Purge { .. } | Job::Save { .. } => break 'gather,
            }
            match self.jobs.pop_front() {
                Some(
                    Job::Append { done: call, .. }
                    | Job::Truncate { done: call, .. }
                    | Job::Restart { done: call, .. },
                ) => done.push(call),
                Some(Job::Purge { .. } | Job::Save { .. }) | None => {
                    unreachable!("the front was looked at above")
                }
            }
        }
        let start = BatchStart {
            generation: self.current.header.generation,
            salt: self.current.header.salt,
            sequence: self.sequence,
            previous,
            committed: self.shared.committed(),
            kind,
        };
        let mut bytes = mem::replace(&mut self.buffer, AlignedBuf::empty());
        bytes.reserve(frame::batch_len(body));
        let len = frame::encode_batch(start, &entries, bytes.as_mut_slice());
        let header = BatchHeader::decode(bytes.as_slice(), start.generation, start.salt)
            .expect("the header was encoded two lines above");
        let planned = Planned {
            file: Arc::clone(&self.current.file),
            offset: self.offset,
            bytes,
            len,
            batch: Some(PlannedBatch {
                header,
                salt: start.salt,
                cuts,
            }),
            done,
        };
        self.last = entries.last().map_or(previous, LogEntry::id);
        self.sequence += 1;
        self.offset += len as u64;
        planned
    }

    /// Takes the outcome of a commit and tells it to those who wait.
    pub(super) fn complete(
        &mut self,
        planned: Planned,
        outcome: Result<(), CommitError>,
        helper: &Helper,
    ) {
        if let Err(CommitError { stage, source }) = outcome {
            let error = Error::poisoned(stage, planned.file.path(), source);
            tracing::error!(%error, "commit failed; the log is closed for good");
            self.poison(error.clone());
            for call in planned.done {
                call(Err(error.clone()));
            }
            return;
        }
        if let Some(batch) = &planned.batch {
            let last = {
                let mut index = self.shared.index();
                index.push(&batch.header, batch.salt, planned.offset);
                index.last()
            };
            self.shared.set_durable(last);
            self.shared.count_cuts(batch.cuts);
            self.buffer = planned.bytes;
            if self.durable_generation != batch.header.generation || batch.cuts > 0 {
                self.durable_generation = batch.header.generation;
                self.release(helper);
            }
        }
        for call in planned.done {
            call(Ok(()));
        }
    }

    /// Puts aside the oldest segments that hold nothing but purged entries.
    fn release(&mut self, helper: &Helper) {
        if self.releasing || self.stuck {
            // The next purge, or the next roll, comes back to it.
            return;
        }
        let needed = self
            .shared
            .index()
            .oldest_generation()
            .unwrap_or(self.durable_generation)
            .min(self.durable_generation);
        let mut segments = Vec::new();
        let mut spares = self.spares.len();
        while self.older.front().is_some_and(|oldest| *oldest < needed) {
            let Some(generation) = self.older.pop_front() else {
                break;
            };
            let spare = (spares < self.options.spare_segments).then(|| {
                spares += 1;
                spare_path(&self.directory, generation)
            });
            segments.push((segment_path(&self.directory, generation), spare));
        }
        if !segments.is_empty() {
            self.releasing = true;
            helper.ask(Request::Release {
                log: self.id,
                segments,
            });
        }
    }

    fn poison(&mut self, error: Error) {
        self.shared.set_poison(error.clone());
        self.poisoned = Some(error);
    }
}

impl Planned {
    /// What to hand to the committer.
    pub(super) fn commit(&self) -> crate::disk::Commit<'_> {
        crate::disk::Commit {
            file: &*self.file,
            offset: self.offset,
            bytes: &self.bytes.as_slice()[..self.len],
        }
    }
}
