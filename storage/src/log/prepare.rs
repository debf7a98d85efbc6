//! The helper that makes segments ahead of need, and puts purged ones aside.
//!
//! One thread for each log thread, at the lowest priority: zeroing a segment takes tens of
//! milliseconds and must not delay a commit. It answers through the log thread's own queue. The
//! requests are few (at most one preparation and one release for each log), so its queue is
//! bounded only by them.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use super::flusher::{LogId, Message};
use super::segment::{Segment, SegmentHeader};
use crate::crashsafe;
use crate::disk::Disk;
use crate::error::Error;

/// Requests that may wait; a log has at most one of each kind under way, so this is never full
/// with fewer than 500 partitions on a device. Full means that the log thread waits.
const QUEUE: usize = 1024;

/// What the helper is asked for.
#[derive(Debug)]
pub(super) enum Request {
    /// Make the segment of `header`, of the spare if there is one.
    Prepare {
        log: LogId,
        directory: PathBuf,
        header: SegmentHeader,
        spare: Option<PathBuf>,
    },
    /// Make `spares` of purged segments, or remove them where the new name is missing; oldest
    /// first, so that what is left after a crash has no gap.
    Release {
        log: LogId,
        segments: Vec<(PathBuf, Option<PathBuf>)>,
    },
}

/// The helper's thread; ends when it is dropped.
#[derive(Debug)]
pub(super) struct Helper {
    requests: Option<SyncSender<Request>>,
    thread: Option<JoinHandle<()>>,
    /// Disk and requests of a helper without a thread.
    by_hand: Option<(Arc<dyn Disk>, Receiver<Request>)>,
}

impl Helper {
    pub(super) fn start(
        name: &str,
        disk: Arc<dyn Disk>,
        answers: SyncSender<Message>,
    ) -> std::io::Result<Self> {
        let (requests, inbox) = sync_channel(QUEUE);
        let thread = thread::Builder::new()
            .name(format!("{name}-prep"))
            .spawn(move || run(&*disk, &inbox, &answers))?;
        Ok(Self {
            requests: Some(requests),
            thread: Some(thread),
            by_hand: None,
        })
    }

    /// One without a thread: see [`Helper::answers`].
    pub(super) fn by_hand(disk: Arc<dyn Disk>) -> Self {
        let (requests, inbox) = sync_channel(QUEUE);
        Self {
            requests: Some(requests),
            thread: None,
            by_hand: Some((disk, inbox)),
        }
    }

    /// What a helper without a thread answers to everything it was asked so far.
    pub(super) fn answers(&self) -> Vec<Message> {
        let Some((disk, inbox)) = &self.by_hand else {
            return Vec::new();
        };
        let asked = inbox.try_iter();
        asked.map(|request| answer(&**disk, request)).collect()
    }

    pub(super) fn ask(&self, request: Request) {
        if let Some(requests) = &self.requests {
            // The helper ends only after its queue is closed, which is when this is dropped.
            let _ = requests.send(request);
        }
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        self.requests = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(disk: &dyn Disk, inbox: &Receiver<Request>, answers: &SyncSender<Message>) {
    // On Linux this is the thread's own priority; without the right to change it, it stays.
    let _ = rustix::process::nice(19);
    while let Ok(request) = inbox.recv() {
        // An error means that the log thread has ended and nobody wants the answer.
        let _ = answers.send(answer(disk, request));
    }
}

fn answer(disk: &dyn Disk, request: Request) -> Message {
    match request {
        Request::Prepare {
            log,
            directory,
            header,
            spare,
        } => Message::Prepared {
            log,
            segment: match spare {
                Some(spare) => Segment::recycle(disk, &directory, &spare, header),
                None => Segment::create(disk, &directory, header),
            },
        },
        Request::Release { log, segments } => {
            let mut spares = Vec::new();
            let released = segments.into_iter().try_for_each(|(segment, spare)| {
                match spare {
                    Some(spare) => {
                        crashsafe::rename(disk, &segment, &spare)?;
                        spares.push(spare);
                    }
                    None => crashsafe::remove(disk, &segment)?,
                }
                Ok::<(), Error>(())
            });
            Message::Released {
                log,
                spares,
                failed: released.err(),
            }
        }
    }
}
