//! From instance keys to start times: which instance waits for how many jobs.
//! A server may push a job, and this client may even complete it, before the answer to the create
//! call is read; so an entry begins with whichever comes first and the other side fills it in.
//!
//! Shared by all lanes and workers; sharded by key, locks are held for one map operation.
//! Invariants: 1. an instance is reported completed once, when as many of its jobs were completed
//! as the model has; 2. jobs without a known start are kept (their start may still be answered) and
//! counted at the end as foreign: leftovers of other runs, or starts whose answer was lost.
//! Limit: [`EARLY_MAX_PER_SHARD`] jobs without a start; beyond it they count as foreign at once.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::oneshot;

const SHARDS: usize = 64;
const EARLY_MAX_PER_SHARD: usize = 20_000;

/// A start whose instance is known.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) intended: Instant,
    /// Whether the start lies in the measured time.
    pub(crate) measured: bool,
    /// Told at completion; the caller of a closed loop.
    pub(crate) done: Option<oneshot::Sender<()>>,
}

/// What became known about an instance by one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) intended: Instant,
    pub(crate) measured: bool,
    /// First job received, if this event told it.
    pub(crate) activated: Option<Instant>,
    /// Last job completed, if this event told it.
    pub(crate) completed: Option<Instant>,
}

#[derive(Debug, Default)]
struct Instance {
    started: Option<Started>,
    activated: Option<Instant>,
    jobs_completed: u32,
    last_completed: Option<Instant>,
}

/// All instances of a run that are not finished.
#[derive(Debug)]
pub(crate) struct Track {
    tasks: u32,
    shards: Vec<Mutex<HashMap<i64, Instance>>>,
    open: AtomicU64,
    foreign: AtomicU64,
}

impl Track {
    /// `tasks` is the number of jobs per instance, at least 1.
    pub(crate) fn new(tasks: u32) -> Self {
        Self {
            tasks,
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            open: AtomicU64::new(0),
            foreign: AtomicU64::new(0),
        }
    }

    fn shard(&self, key: i64) -> MutexGuard<'_, HashMap<i64, Instance>> {
        let shard = key.unsigned_abs() as usize % SHARDS;
        self.shards[shard]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer to a create call was read.
    pub(crate) fn started(&self, key: i64, started: Started) -> Progress {
        let mut shard = self.shard(key);
        let instance = shard.entry(key).or_default();
        let mut progress = Progress {
            intended: started.intended,
            measured: started.measured,
            activated: instance.activated,
            completed: None,
        };
        if instance.jobs_completed >= self.tasks {
            progress.completed = instance.last_completed;
            shard.remove(&key);
            tell(started.done);
        } else {
            instance.started = Some(started);
            self.open.fetch_add(1, Ordering::Relaxed);
        }
        progress
    }

    /// A job of the instance reached a worker.
    pub(crate) fn activated(&self, key: i64, at: Instant) -> Option<Progress> {
        let mut shard = self.shard(key);
        let full = shard.len() >= EARLY_MAX_PER_SHARD;
        let instance = match shard.entry(key) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(_) if full => {
                self.foreign.fetch_add(1, Ordering::Relaxed);
                return None;
            }
            Entry::Vacant(entry) => entry.insert(Instance::default()),
        };
        if instance.activated.is_some() {
            return None;
        }
        instance.activated = Some(at);
        let started = instance.started.as_ref()?;
        Some(Progress {
            intended: started.intended,
            measured: started.measured,
            activated: Some(at),
            completed: None,
        })
    }

    /// A job of the instance was completed.
    pub(crate) fn job_completed(&self, key: i64, at: Instant) -> Option<Progress> {
        let mut shard = self.shard(key);
        let instance = shard.get_mut(&key)?;
        instance.jobs_completed += 1;
        instance.last_completed = instance.last_completed.max(Some(at));
        if instance.jobs_completed < self.tasks {
            return None;
        }
        let started = instance.started.take()?;
        shard.remove(&key);
        self.open.fetch_sub(1, Ordering::Relaxed);
        tell(started.done);
        Some(Progress {
            intended: started.intended,
            measured: started.measured,
            activated: None,
            completed: Some(at),
        })
    }

    /// Started instances that are not completed.
    pub(crate) fn open(&self) -> u64 {
        self.open.load(Ordering::Relaxed)
    }

    /// Jobs of instances that this run knows no start of.
    pub(crate) fn foreign(&self) -> u64 {
        let early = |shard: &Mutex<HashMap<i64, Instance>>| {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard
                .values()
                .filter(|instance| instance.started.is_none())
                .count() as u64
        };
        self.foreign.load(Ordering::Relaxed) + self.shards.iter().map(early).sum::<u64>()
    }
}

fn tell(done: Option<oneshot::Sender<()>>) {
    if let Some(done) = done {
        // The caller may have given up waiting; then nobody is there to be told.
        let _ = done.send(());
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn started(intended: Instant) -> Started {
        Started {
            intended,
            measured: true,
            done: None,
        }
    }

    #[test]
    fn a_job_completed_before_the_create_answer_is_not_lost() {
        let track = Track::new(1);
        let begin = Instant::now();
        let (seen, done) = (
            begin + Duration::from_millis(2),
            begin + Duration::from_millis(3),
        );
        assert_eq!(track.activated(7, seen), None);
        assert_eq!(track.job_completed(7, done), None);
        assert_eq!(track.foreign(), 1);
        let progress = track.started(7, started(begin));
        assert_eq!(
            (progress.activated, progress.completed),
            (Some(seen), Some(done))
        );
        assert_eq!((track.open(), track.foreign()), (0, 0));
    }

    #[test]
    fn an_instance_completes_with_its_last_task_once() {
        let track = Track::new(3);
        let begin = Instant::now();
        track.started(7, started(begin));
        assert!(track.activated(7, begin).is_some());
        assert!(track.activated(7, begin).is_none());
        assert!(track.job_completed(7, begin).is_none());
        assert!(track.job_completed(7, begin).is_none());
        assert_eq!(track.open(), 1);
        assert_eq!(
            track.job_completed(7, begin).unwrap().completed,
            Some(begin)
        );
        assert!(track.job_completed(7, begin).is_none());
        assert_eq!(track.open(), 0);
    }

    #[test]
    fn the_caller_of_a_closed_loop_is_told() {
        let track = Track::new(1);
        let (done, mut told) = oneshot::channel();
        let begin = Instant::now();
        track.started(
            1,
            Started {
                intended: begin,
                measured: false,
                done: Some(done),
            },
        );
        track.activated(1, begin);
        track.job_completed(1, begin);
        assert!(told.try_recv().is_ok());
    }
}
