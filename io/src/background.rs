//! The background thread of a broker: work that would hold up a shard, such as writing state to disk.
//!
//! Jobs are closures that report back by a channel of their own. The lane is bounded; a shard that
//! finds it full does the work itself, which is slow and safe. Nothing here is latency critical: what
//! is delayed is only how early old log may be forgotten.

use std::thread;

use crossbeam::channel::{Sender, TrySendError, bounded};

/// Jobs that wait at most.
const LANE: usize = 256;

/// Work for the background thread.
pub(crate) type Job = Box<dyn FnOnce() + Send>;

/// Sends jobs to the background thread, which ends with the last of these handles.
#[derive(Clone, Debug)]
pub(crate) struct Background {
    lane: Sender<Job>,
}

impl Background {
    /// Starts the thread.
    pub(crate) fn start() -> std::io::Result<Self> {
        let (lane, jobs) = bounded::<Job>(LANE);
        thread::Builder::new()
            .name("background".to_owned())
            .spawn(move || {
                for job in jobs {
                    job();
                }
            })?;
        Ok(Self { lane })
    }

    /// A lane whose jobs are run by whoever holds its other end.
    #[cfg(test)]
    pub(crate) fn by_hand() -> (Self, crossbeam::channel::Receiver<Job>) {
        let (lane, jobs) = bounded(LANE);
        (Self { lane }, jobs)
    }

    /// Runs `job` on the background thread, or here if its lane is full.
    pub(crate) fn run(&self, job: impl FnOnce() + Send + 'static) {
        match self.lane.try_send(Box::new(job)) {
            Ok(()) => {}
            Err(TrySendError::Full(job) | TrySendError::Disconnected(job)) => job(),
        }
    }
}
