//! The log thread of one device: collects what all its logs want written, and commits it.
//!
//! All partitions on a device share one flusher, because flushes of a device serialise anyway. A
//! round takes the next batch of every log that has work, writes them all, flushes each file once
//! and calls back; whatever arrives meanwhile is the next round. No timer, no lingering.
//!
//! Ownership: the thread owns the committer and every [`Appender`]; owners of logs talk to it over
//! one bounded queue of [`QUEUE`] messages, and wait when it is full. It is not pinned, so that it
//! keeps its latency while the shards are busy. It ends, with all work done, when the last
//! [`Flusher`] and [`Log`](super::Log) are gone.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use super::appender::{Appender, Job, Planned};
use super::prepare::Helper;
use super::segment::Segment;
use crate::disk::posix::{PlainCommitter, PosixDisk};
use crate::disk::uring::UringDisk;
use crate::disk::{Commit, Committer, Disk};
use crate::error::Error;

/// Messages that may wait. Far above what the bounded number of proposals in flight can cause; a
/// full queue makes the shard wait for the disk.
const QUEUE: usize = 4096;

/// Number of a log among those of its flusher.
pub(super) type LogId = u64;

/// Which way commits take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IoChoice {
    /// io_uring if the host allows it, else plain system calls.
    #[default]
    Auto,
    /// io_uring, or refusal.
    Ring,
    /// `pwrite` and `fdatasync`.
    Plain,
}

pub(super) enum Message {
    Open(LogId, Box<Appender>),
    Job(LogId, Job),
    /// Forget the log once its jobs are done, then say so by dropping the sender.
    Close(LogId, SyncSender<()>),
    Prepared {
        log: LogId,
        segment: Result<Segment, Error>,
    },
    Released {
        log: LogId,
        spares: Vec<PathBuf>,
        failed: Option<Error>,
    },
    Stop,
}

/// A handle to the log thread; cheap to clone.
#[derive(Debug, Clone)]
pub struct Flusher {
    shared: Arc<Handle>,
}

#[derive(Debug)]
struct Handle {
    sender: SyncSender<Message>,
    disk: Arc<dyn Disk>,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// What the thread would do, if there is none.
    by_hand: Option<Mutex<ByHand>>,
    next_log: AtomicU64,
}

/// The rounds of a flusher without a thread.
struct ByHand {
    device: Device<PlainCommitter>,
    inbox: Receiver<Message>,
}

impl std::fmt::Debug for ByHand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ByHand").finish_non_exhaustive()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let _ = self.sender.send(Message::Stop);
        let thread = self.thread.lock().ok().and_then(|mut thread| thread.take());
        if let Some(thread) = thread
            // A callback may have held the last handle.
            && thread.thread().id() != thread::current().id()
        {
            let _ = thread.join();
        }
    }
}

impl Flusher {
    /// Starts the log thread of a device; `name` names the thread (15 bytes are shown).
    ///
    /// # Errors
    /// [`Error::Unsupported`] if io_uring is demanded and the host forbids it, [`Error::Io`].
    pub fn start(name: &str, choice: IoChoice) -> Result<Self, Error> {
        let disk: Arc<dyn Disk> = match choice {
            IoChoice::Plain => Arc::new(PosixDisk::new()),
            IoChoice::Ring => Arc::new(UringDisk::probe()?),
            IoChoice::Auto => match UringDisk::probe() {
                Ok(disk) => Arc::new(disk),
                Err(error) => {
                    tracing::info!(%error, "the log uses plain system calls");
                    Arc::new(PosixDisk::new())
                }
            },
        };
        Self::over(name, disk)
    }

    /// Starts a log thread over a disk.
    ///
    /// # Errors
    /// [`Error::Io`] if the thread or its committer cannot be made.
    pub fn over(name: &str, disk: Arc<dyn Disk>) -> Result<Self, Error> {
        let (sender, inbox) = sync_channel(QUEUE);
        let fail = |error| Error::io("start the log thread of", Path::new(name), error);
        let helper = Helper::start(name, Arc::clone(&disk), sender.clone()).map_err(fail)?;
        let (started, wait) = sync_channel(1);
        let of_thread = Arc::clone(&disk);
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                // The ring belongs to the thread that uses it.
                match of_thread.committer() {
                    Ok(committer) => {
                        let _ = started.send(Ok(()));
                        run(committer, helper, inbox);
                    }
                    Err(error) => {
                        let _ = started.send(Err(error));
                    }
                }
            })
            .map_err(fail)?;
        wait.recv().map_err(|_| Error::Closed)?.map_err(fail)?;
        tracing::info!(thread = name, way = disk.name(), "log thread started");
        Ok(Self {
            shared: Arc::new(Handle {
                sender,
                disk,
                thread: Mutex::new(Some(thread)),
                by_hand: None,
                next_log: AtomicU64::new(0),
            }),
        })
    }

    /// A flusher without a thread: nothing is written until [`Flusher::turn`] is called. For
    /// simulations, which decide when that is.
    #[must_use]
    pub fn by_hand(disk: Arc<dyn Disk>) -> Self {
        let (sender, inbox) = sync_channel(QUEUE);
        let device = Device::new(PlainCommitter, Helper::by_hand(Arc::clone(&disk)));
        Self {
            shared: Arc::new(Handle {
                sender,
                disk,
                thread: Mutex::new(None),
                by_hand: Some(Mutex::new(ByHand { device, inbox })),
                next_log: AtomicU64::new(0),
            }),
        }
    }

    /// Does one round of work on the calling thread, if the flusher has no thread of its own; false
    /// if it has one, or if there was nothing to do.
    pub fn turn(&self) -> bool {
        let Some(by_hand) = &self.shared.by_hand else {
            return false;
        };
        let ByHand { device, inbox } = &mut *by_hand.lock().unwrap_or_else(PoisonError::into_inner);
        let mut took = false;
        while let Ok(message) = inbox.try_recv() {
            device.take(message);
            took = true;
        }
        for answer in device.helper.answers() {
            device.take(answer);
            took = true;
        }
        let runnable = device.is_runnable();
        device.round();
        took || runnable
    }

    /// Which way commits take: `uring`, `plain`, or what the disk calls itself.
    #[must_use]
    pub fn way(&self) -> &'static str {
        self.shared.disk.name()
    }

    pub(super) fn disk(&self) -> &Arc<dyn Disk> {
        &self.shared.disk
    }

    pub(super) fn next_log(&self) -> LogId {
        self.shared.next_log.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn send(&self, message: Message) -> Result<(), Error> {
        self.shared.sender.send(message).map_err(|_| Error::Closed)
    }
}

struct Device<C> {
    committer: C,
    helper: Helper,
    logs: BTreeMap<LogId, Appender>,
    closing: Vec<(LogId, SyncSender<()>)>,
    stopping: bool,
}

fn run(committer: Box<dyn Committer>, helper: Helper, inbox: Receiver<Message>) {
    let mut device = Device::new(committer, helper);
    loop {
        if !device.is_runnable() {
            if device.is_done() {
                break;
            }
            match inbox.recv() {
                Ok(message) => device.take(message),
                Err(_) => break,
            }
        }
        // Bounded by the queue: senders may refill it while it drains, but not beyond one more
        // round's worth before the disk is served.
        for _ in 0..QUEUE {
            match inbox.try_recv() {
                Ok(message) => device.take(message),
                Err(_) => break,
            }
        }
        device.round();
    }
    // Before the helper is joined, which may be waiting to answer.
    drop(inbox);
}

impl<C: Committer> Device<C> {
    fn new(committer: C, helper: Helper) -> Self {
        Self {
            committer,
            helper,
            logs: BTreeMap::new(),
            closing: Vec::new(),
            stopping: false,
        }
    }

    fn is_runnable(&self) -> bool {
        self.logs.values().any(Appender::is_runnable)
    }

    /// True if nothing is left to do, and nothing will come.
    fn is_done(&self) -> bool {
        self.stopping && self.logs.values().all(Appender::is_idle)
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Open(log, appender) => {
                self.logs.insert(log, *appender);
            }
            Message::Job(log, job) => match self.logs.get_mut(&log) {
                Some(appender) => appender.push(job),
                None => job.fail(&Error::Closed),
            },
            Message::Close(log, closed) => self.closing.push((log, closed)),
            Message::Prepared { log, segment } => {
                if let Some(appender) = self.logs.get_mut(&log) {
                    appender.prepared(segment);
                }
            }
            Message::Released {
                log,
                spares,
                failed,
            } => {
                if let Some(appender) = self.logs.get_mut(&log) {
                    appender.released(spares, failed, &self.helper);
                }
            }
            Message::Stop => self.stopping = true,
        }
    }

    /// One commit of everything that can be written now.
    fn round(&mut self) {
        let mut planned: Vec<(LogId, Planned)> = Vec::with_capacity(self.logs.len());
        for (log, appender) in &mut self.logs {
            if appender.is_runnable()
                && let Some(write) = appender.plan(&self.helper)
            {
                planned.push((*log, write));
            }
        }
        if !planned.is_empty() {
            let parts: Vec<Commit<'_>> = planned.iter().map(|(_, write)| write.commit()).collect();
            let outcomes = self.committer.commit(&parts);
            drop(parts);
            for ((log, write), outcome) in planned.into_iter().zip(outcomes) {
                if let Some(appender) = self.logs.get_mut(&log) {
                    appender.complete(write, outcome, &self.helper);
                }
            }
        }
        // Last: what was done above may have used up the segment that was ready, or uncovered a
        // job that needs one.
        for appender in self.logs.values_mut() {
            appender.prepare(&self.helper);
        }
        self.close();
    }

    fn close(&mut self) {
        let logs = &mut self.logs;
        self.closing.retain(|(log, _)| match logs.get(log) {
            // What the helper does for this log must be over before its directory is reopened.
            Some(appender) if !appender.is_quiet() => true,
            Some(_) | None => {
                logs.remove(log);
                false
            }
        });
    }
}
