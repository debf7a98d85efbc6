//! Activations that wait: parked by job type, woken in the order in which they came.
//!
//! One wake, by a broker's notification or by a probe, lets one request of the type ask the brokers
//! again. If it finds jobs it wakes the next one, so a thousand workers that wait for one job do
//! not all ask for it. Nothing is lost between a request's empty round and its parking: each
//! notification moves the generation of its type, and a request that finds it moved asks again
//! instead of parking.
//!
//! The table is shared by the gateway threads behind a lock that is held for a few map operations
//! and never across a suspension point; only activations without jobs come here.
//!
//! | bound | when reached |
//! |---|---|
//! | `Limits::parked` requests | further ones are answered empty at once |
//! | as many types without waiters | their memory of empty rounds is dropped |

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ringflow_core::record::Text;
use rustc_hash::FxHashMap;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::limits::Limits;

/// All parked activations of a gateway.
#[derive(Debug)]
pub(crate) struct Parking {
    types: Mutex<Table>,
    most: usize,
    empty_rounds: u32,
    probe: Duration,
}

#[derive(Debug, Default)]
struct Table {
    types: FxHashMap<Text, TypeQueue>,
    waiting: usize,
}

#[derive(Debug, Default)]
struct TypeQueue {
    generation: u64,
    empty_rounds: u32,
    /// Where the next round over the partitions starts.
    turn: usize,
    waiting: VecDeque<oneshot::Sender<()>>,
}

/// What a request learned before it asked the brokers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    generation: u64,
    /// Partition to start with.
    pub(crate) turn: usize,
    /// The type had nothing lately: park without asking.
    pub(crate) hopeless: bool,
}

/// Why a parked request runs again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Woken {
    /// There may be jobs.
    AskAgain,
    /// Its time is over.
    TimeOut,
}

impl Parking {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            types: Mutex::default(),
            most: limits.parked,
            empty_rounds: limits.empty_rounds,
            probe: limits.long_poll_probe,
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // No code under the lock can panic half-way through a change.
        self.types.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Before a round over the partitions.
    pub(crate) fn look(&self, job_type: &Text) -> Seen {
        let mut table = self.table();
        if table.types.len() >= self.most && !table.types.contains_key(job_type) {
            table.types.retain(|_, queue| !queue.waiting.is_empty());
        }
        let queue = table.types.entry(job_type.clone()).or_default();
        queue.turn = queue.turn.wrapping_add(1);
        Seen {
            generation: queue.generation,
            turn: queue.turn,
            hopeless: queue.empty_rounds >= self.empty_rounds,
        }
    }

    /// A round found jobs: there may be more for the next one.
    pub(crate) fn found(&self, job_type: &Text) {
        let mut table = self.table();
        if let Some(queue) = table.types.get_mut(job_type) {
            queue.empty_rounds = 0;
        }
        wake_one(&mut table, job_type);
    }

    /// A round found nothing.
    pub(crate) fn found_nothing(&self, job_type: &Text) {
        if let Some(queue) = self.table().types.get_mut(job_type) {
            queue.empty_rounds = queue.empty_rounds.saturating_add(1);
        }
    }

    /// Jobs of the type became available.
    pub(crate) fn notify(&self, job_type: &Text) {
        let mut table = self.table();
        if let Some(queue) = table.types.get_mut(job_type) {
            queue.generation += 1;
            queue.empty_rounds = 0;
            wake_one(&mut table, job_type);
        }
    }

    fn notify_all(&self) {
        let mut table = self.table();
        let types: Vec<Text> = table.types.keys().cloned().collect();
        for job_type in types {
            if let Some(queue) = table.types.get_mut(&job_type) {
                queue.generation += 1;
                queue.empty_rounds = 0;
            }
            wake_one(&mut table, &job_type);
        }
    }

    /// Waits until there may be jobs of the type or `deadline` is reached. Dropping the future
    /// takes the request out; a wake that it had already got goes to the next one.
    pub(crate) async fn wait(&self, job_type: &Text, seen: Seen, deadline: Instant) -> Woken {
        let Some(receiver) = self.park(job_type, seen) else {
            return Woken::AskAgain;
        };
        let probe = Instant::now() + self.probe;
        let until = deadline.min(probe);
        let mut place = Place {
            parking: self,
            job_type,
            receiver,
        };
        tokio::select! {
            _ = &mut place.receiver => Woken::AskAgain,
            () = tokio::time::sleep_until(until) => {
                if until == deadline { Woken::TimeOut } else { Woken::AskAgain }
            }
        }
    }

    /// `None` if there was a notification since `seen`, or no room.
    fn park(&self, job_type: &Text, seen: Seen) -> Option<oneshot::Receiver<()>> {
        let mut table = self.table();
        let queue = table.types.entry(job_type.clone()).or_default();
        if queue.generation != seen.generation {
            return None;
        }
        let (wake, receiver) = oneshot::channel();
        // Those that left without being woken are only found here and when waking.
        queue.waiting.retain(|waiter| !waiter.is_closed());
        queue.waiting.push_back(wake);
        table.waiting += 1;
        Some(receiver)
    }

    /// True if another request may be parked.
    pub(crate) fn has_room(&self) -> bool {
        let mut table = self.table();
        if table.waiting >= self.most {
            table.waiting = count(&mut table);
        }
        table.waiting < self.most
    }

    /// Parked requests of each type, in the order of types.
    pub(crate) fn parked(&self) -> Vec<(Text, usize)> {
        let table = self.table();
        let mut parked: Vec<(Text, usize)> = table
            .types
            .iter()
            .map(|(job_type, queue)| {
                let waiting = queue.waiting.iter().filter(|waiter| !waiter.is_closed());
                (job_type.clone(), waiting.count())
            })
            .collect();
        parked.sort_unstable();
        parked
    }

    /// Passes the notifications of the brokers on, until they end.
    pub(crate) async fn listen(self: Arc<Self>, mut available: broadcast::Receiver<Text>) {
        loop {
            match available.recv().await {
                Ok(job_type) => self.notify(&job_type),
                Err(RecvError::Lagged(_)) => self.notify_all(),
                Err(RecvError::Closed) => return,
            }
        }
    }
}

fn count(table: &mut Table) -> usize {
    table.types.retain(|_, queue| {
        queue.waiting.retain(|waiter| !waiter.is_closed());
        true
    });
    table.types.values().map(|queue| queue.waiting.len()).sum()
}

fn wake_one(table: &mut Table, job_type: &Text) {
    let Some(queue) = table.types.get_mut(job_type) else {
        return;
    };
    while let Some(waiter) = queue.waiting.pop_front() {
        table.waiting = table.waiting.saturating_sub(1);
        if waiter.send(()).is_ok() {
            return;
        }
    }
}

/// A parked request; passes a wake on that it can no longer use.
struct Place<'p> {
    parking: &'p Parking,
    job_type: &'p Text,
    receiver: oneshot::Receiver<()>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.receiver.close();
        // Still unread: the request ended in the moment in which it was woken.
        if self.receiver.try_recv().is_ok() {
            wake_one(&mut self.parking.table(), self.job_type);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parking() -> Arc<Parking> {
        Arc::new(Parking::new(&Limits::default()))
    }

    fn far() -> Instant {
        Instant::now() + Duration::from_secs(5)
    }

    #[tokio::test(start_paused = true)]
    async fn a_wake_reaches_the_first_and_then_the_next() {
        let parking = parking();
        let job_type = Text::from("a");
        let seen = parking.look(&job_type);
        let first = parking.wait(&job_type, seen, far());
        let second = parking.wait(&job_type, seen, far());
        tokio::pin!(first, second);
        assert!(futures::poll!(&mut first).is_pending());
        assert!(futures::poll!(&mut second).is_pending());
        assert_eq!(parking.parked(), [(job_type.clone(), 2)]);
        parking.notify(&job_type);
        assert_eq!(first.await, Woken::AskAgain);
        assert!(futures::poll!(&mut second).is_pending());
        parking.found(&job_type);
        assert_eq!(second.await, Woken::AskAgain);
    }

    #[tokio::test(start_paused = true)]
    async fn a_notification_during_the_round_is_not_lost() {
        let parking = parking();
        let job_type = Text::from("a");
        let seen = parking.look(&job_type);
        parking.notify(&job_type);
        assert_eq!(parking.wait(&job_type, seen, far()).await, Woken::AskAgain);
        assert_eq!(parking.parked(), [(job_type, 0)]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wake_of_a_request_that_left_goes_to_the_next() {
        let parking = parking();
        let job_type = Text::from("a");
        let seen = parking.look(&job_type);
        let mut first = Box::pin(parking.wait(&job_type, seen, far()));
        let mut second = Box::pin(parking.wait(&job_type, seen, far()));
        assert!(futures::poll!(&mut first).is_pending());
        assert!(futures::poll!(&mut second).is_pending());
        parking.notify(&job_type);
        drop(first);
        assert_eq!(second.await, Woken::AskAgain);
    }

    #[tokio::test(start_paused = true)]
    async fn time_ends_a_wait_and_a_probe_interrupts_it() {
        let parking = parking();
        let job_type = Text::from("a");
        let seen = parking.look(&job_type);
        assert_eq!(parking.wait(&job_type, seen, far()).await, Woken::TimeOut);
        let late = Instant::now() + Duration::from_secs(60);
        assert_eq!(parking.wait(&job_type, seen, late).await, Woken::AskAgain);
    }

    #[test]
    fn a_type_without_jobs_is_hopeless_until_notified() {
        let parking = parking();
        let job_type = Text::from("a");
        for _ in 0..3 {
            assert!(!parking.look(&job_type).hopeless);
            parking.found_nothing(&job_type);
        }
        assert!(parking.look(&job_type).hopeless);
        parking.notify(&job_type);
        assert!(!parking.look(&job_type).hopeless);
    }
}
