//! The executor of a simulation: every task of every broker on one thread, under a clock that jumps.
//!
//! Nothing here depends on the machine: which of the tasks that are ready runs next, how long a poll
//! takes and what is drawn by chance follow from one seed. A task belongs to the broker that spawned
//! it; ending a broker drops all of its tasks where they stand, as `kill -9` does. Broker 0 to n-1
//! have clocks that run a little faster or slower than the world's and show another time of day;
//! [`WORLD`] is nobody's broker: the network, the faults and the clients.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use rand::rngs::SmallRng;
use rand::{Rng as _, RngExt as _, SeedableRng as _};

use crate::driver::{self, Driver};

/// Owner of the tasks that belong to no broker.
pub(crate) const WORLD: u32 = u32::MAX;
/// Virtual time of one poll: no loop can run without time passing.
const POLL: Duration = Duration::from_micros(2);
/// Wall clock at the beginning, in milliseconds.
const WALL_MILLIS: u64 = 1_700_000_000_000;

type Task = Pin<Box<dyn Future<Output = ()>>>;

struct Slot {
    owner: u32,
    /// Taken out while it is polled.
    task: Option<Task>,
    waker: Arc<TaskWaker>,
}

struct TaskWaker {
    id: u64,
    ready: Arc<Mutex<Ready>>,
}

#[derive(Default)]
struct Ready {
    /// Sorted: who woke them, and in which order, depends on more than the seed.
    queue: BTreeSet<u64>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        ready.queue.insert(self.id);
    }
}

/// How the clock of a broker differs from the world's.
#[derive(Clone, Copy, Debug)]
struct Skew {
    /// Its seconds are so many of the world's.
    rate: f64,
    wall_millis: i64,
}

/// See the module.
pub(crate) struct Executor {
    now: Cell<Duration>,
    base: Instant,
    random: RefCell<SmallRng>,
    slots: RefCell<BTreeMap<u64, Slot>>,
    ready: Arc<Mutex<Ready>>,
    alarms: RefCell<BTreeMap<(Duration, u64), Waker>>,
    next: Cell<u64>,
    owner: Cell<u32>,
    ending: RefCell<Vec<u32>>,
    skews: RefCell<BTreeMap<u32, Skew>>,
    /// Brokers that are frozen, and what became ready of theirs.
    paused: RefCell<BTreeMap<u32, Vec<u64>>>,
    /// Polls so far, mixed with what was polled: two runs of a seed are equal if this is.
    trace: Cell<u64>,
}

thread_local! {
    static EXECUTOR: RefCell<Option<Rc<Executor>>> = const { RefCell::new(None) };
}

fn current() -> Rc<Executor> {
    EXECUTOR.with(|executor| {
        let executor = executor.borrow();
        Rc::clone(executor.as_ref().expect("a simulation runs on this thread"))
    })
}

/// Puts the thread back as it was.
pub(crate) struct Installed(Rc<Executor>);

impl std::ops::Deref for Installed {
    type Target = Executor;

    fn deref(&self) -> &Executor {
        &self.0
    }
}

impl Drop for Installed {
    fn drop(&mut self) {
        self.0.end_all();
        EXECUTOR.set(None);
        driver::set_driver(Driver::Plain);
    }
}

impl Executor {
    /// Makes this thread run a simulation.
    pub(crate) fn install(seed: u64) -> Installed {
        let executor = Rc::new(Self {
            now: Cell::new(Duration::from_secs(1000)),
            base: Instant::now(),
            random: RefCell::new(SmallRng::seed_from_u64(seed)),
            slots: RefCell::default(),
            ready: Arc::default(),
            alarms: RefCell::default(),
            next: Cell::new(1),
            owner: Cell::new(WORLD),
            ending: RefCell::default(),
            skews: RefCell::default(),
            paused: RefCell::default(),
            trace: Cell::new(seed),
        });
        EXECUTOR.set(Some(Rc::clone(&executor)));
        driver::set_driver(Driver::Simulated);
        Installed(executor)
    }

    /// Gives a broker a clock of its own.
    pub(crate) fn skew(&self, node: u32, rate: f64, wall_millis: i64) {
        let skew = Skew { rate, wall_millis };
        self.skews.borrow_mut().insert(node, skew);
    }

    pub(crate) fn trace(&self) -> u64 {
        self.trace.get()
    }

    fn rate(&self) -> f64 {
        let skews = self.skews.borrow();
        skews.get(&self.owner.get()).map_or(1.0, |skew| skew.rate)
    }

    fn number(&self) -> u64 {
        let number = self.next.get();
        self.next.set(number + 1);
        number
    }

    fn spawn(&self, owner: u32, task: Task) {
        let id = self.number();
        let waker = Arc::new(TaskWaker {
            id,
            ready: Arc::clone(&self.ready),
        });
        Arc::clone(&waker).wake();
        let task = Some(task);
        self.slots
            .borrow_mut()
            .insert(id, Slot { owner, task, waker });
    }

    /// Drops everything a broker runs.
    pub(crate) fn end(&self, node: u32) {
        loop {
            let mut slots = self.slots.borrow_mut();
            let found = slots
                .iter()
                .find(|(_, slot)| slot.owner == node)
                .map(|(id, _)| *id);
            let Some(slot) = found.and_then(|id| slots.remove(&id)) else {
                return;
            };
            // What is dropped may wake, spawn or sleep.
            drop(slots);
            let before = self.owner.replace(node);
            drop(slot);
            self.owner.set(before);
        }
    }

    fn end_all(&self) {
        let owners: Vec<u32> = {
            let slots = self.slots.borrow();
            slots.values().map(|slot| slot.owner).collect()
        };
        owners.into_iter().for_each(|owner| self.end(owner));
        self.alarms.borrow_mut().clear();
    }

    /// Lets nothing of a broker run, as SIGSTOP does.
    pub(crate) fn pause(&self, node: u32) {
        self.paused.borrow_mut().entry(node).or_default();
    }

    /// Lets it run again.
    pub(crate) fn resume(&self, node: u32) {
        let held = self.paused.borrow_mut().remove(&node);
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        ready.queue.extend(held.unwrap_or_default());
    }

    /// True if a broker has ended itself.
    pub(crate) fn has_ended(&self) -> bool {
        !self.ending.borrow().is_empty()
    }

    /// Brokers that ended themselves since the last call: a write of their log failed.
    pub(crate) fn take_ended(&self) -> Vec<u32> {
        std::mem::take(&mut self.ending.borrow_mut())
    }

    /// Runs until `done` says so, at most for `bound` of the world's time; whether it did.
    pub(crate) fn run(&self, bound: Duration, mut done: impl FnMut() -> bool) -> bool {
        let until = self.now.get() + bound;
        loop {
            if done() {
                return true;
            }
            if self.now.get() >= until {
                return false;
            }
            let next = {
                let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
                let count = ready.queue.len();
                (count > 0).then(|| {
                    let chosen = self.random.borrow_mut().random_range(0..count);
                    let id = ready.queue.iter().nth(chosen).copied().unwrap_or_default();
                    ready.queue.remove(&id);
                    id
                })
            };
            match next {
                Some(id) => self.poll(id),
                None => {
                    let first = self.alarms.borrow_mut().pop_first();
                    let Some(((at, _), waker)) = first else {
                        self.now.set(until);
                        return done();
                    };
                    self.now.set(at.max(self.now.get()).min(until));
                    if at > until {
                        let number = self.number();
                        self.alarms.borrow_mut().insert((at, number), waker);
                    } else {
                        waker.wake();
                    }
                }
            }
        }
    }

    fn poll(&self, id: u64) {
        let owner = self.slots.borrow().get(&id).map(|slot| slot.owner);
        if let Some(held) = owner.and_then(|owner| {
            self.paused
                .borrow_mut()
                .get_mut(&owner)
                .map(|held| held.push(id))
        }) {
            return held;
        }
        let taken = {
            let mut slots = self.slots.borrow_mut();
            slots.get_mut(&id).and_then(|slot| {
                let task = slot.task.take()?;
                Some((slot.owner, task, Waker::from(Arc::clone(&slot.waker))))
            })
        };
        let Some((owner, mut task, waker)) = taken else {
            return;
        };
        self.now.set(self.now.get() + POLL);
        let mixed = self.trace.get().rotate_left(5) ^ id;
        let mixed = mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ self.now.get().as_nanos() as u64;
        self.trace.set(mixed);
        self.owner.set(owner);
        let polled = task.as_mut().poll(&mut Context::from_waker(&waker));
        let slot = if polled.is_ready() {
            self.slots.borrow_mut().remove(&id)
        } else {
            match self.slots.borrow_mut().get_mut(&id) {
                Some(slot) => {
                    slot.task = Some(task);
                    None
                }
                None => None,
            }
        };
        drop(slot);
        self.owner.set(WORLD);
    }
}

/// The clock of the running task's broker.
pub(crate) fn now() -> Instant {
    let executor = current();
    executor.base + executor.now.get().mul_f64(executor.rate())
}

/// The time of day of the running task's broker.
pub(crate) fn wall_millis() -> u64 {
    let executor = current();
    let offset = {
        let skews = executor.skews.borrow();
        skews
            .get(&executor.owner.get())
            .map_or(0, |skew| skew.wall_millis)
    };
    let passed = executor.now.get().mul_f64(executor.rate()).as_millis() as u64;
    (WALL_MILLIS + passed).saturating_add_signed(offset)
}

/// The world's clock.
pub(crate) fn world_now() -> Duration {
    current().now.get()
}

/// The next number by chance.
pub(crate) fn draw() -> u64 {
    current().random.borrow_mut().next_u64()
}

/// A number below `bound` by chance.
pub(crate) fn below(bound: u64) -> u64 {
    current().random.borrow_mut().random_range(0..bound)
}

/// True once in `times`.
pub(crate) fn once_in(times: u64) -> bool {
    below(times) == 0
}

/// The broker whose task runs.
pub(crate) fn owner() -> u32 {
    current().owner.get()
}

/// Starts a task of the broker whose task runs.
pub(crate) fn spawn(task: impl Future<Output = ()> + 'static) {
    let executor = current();
    executor.spawn(executor.owner.get(), Box::pin(task));
}

/// Starts a task of broker `node`.
pub(crate) fn spawn_on(node: u32, task: impl Future<Output = ()> + 'static) {
    current().spawn(node, Box::pin(task));
}

/// Runs `work` as a task of broker `node` would.
pub(crate) fn as_node<T>(node: u32, work: impl FnOnce() -> T) -> T {
    let executor = current();
    let before = executor.owner.replace(node);
    let done = work();
    executor.owner.set(before);
    done
}

/// Says that the broker whose task runs cannot go on; it is ended by who runs the simulation.
pub(crate) fn end_node() {
    let executor = current();
    executor.ending.borrow_mut().push(executor.owner.get());
}

/// Wakes when it is time.
pub(crate) struct Alarm {
    at: Duration,
    set: Option<(Duration, u64)>,
}

impl Alarm {
    /// After `duration` of the broker's own clock.
    pub(crate) fn after(duration: Duration) -> Self {
        let executor = current();
        Self::at(executor.now.get() + duration.div_f64(executor.rate()))
    }

    /// At a moment of the world's clock.
    pub(crate) fn at(at: Duration) -> Self {
        Self { at, set: None }
    }
}

impl Future for Alarm {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let executor = current();
        if executor.now.get() >= self.at {
            return Poll::Ready(());
        }
        let key = match self.set {
            Some(key) => key,
            None => (self.at, executor.number()),
        };
        executor.alarms.borrow_mut().insert(key, cx.waker().clone());
        self.set = Some(key);
        Poll::Pending
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if let Some(key) = self.set.take() {
            EXECUTOR.with(|executor| {
                if let Some(executor) = &*executor.borrow() {
                    executor.alarms.borrow_mut().remove(&key);
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_jumps_and_a_seed_tells_everything() {
        let run = |seed| {
            let executor = Executor::install(seed);
            let order: Rc<RefCell<Vec<u32>>> = Rc::default();
            for number in 0..5 {
                let order = Rc::clone(&order);
                spawn(async move {
                    driver::sleep(Duration::from_secs(3600)).await;
                    order.borrow_mut().push(number);
                });
            }
            let all = || order.borrow().len() == 5;
            assert!(!executor.run(Duration::from_secs(60), all));
            assert!(executor.run(Duration::from_secs(3600), all));
            let order = order.borrow().clone();
            (order, executor.trace())
        };
        assert_eq!(run(1), run(1));
        assert_ne!(run(1).1, run(2).1);
    }

    #[test]
    fn what_a_broker_runs_ends_with_it() {
        let executor = Executor::install(1);
        let lives = Rc::new(());
        for node in [1, 2] {
            let lives = Rc::clone(&lives);
            spawn_on(node, async move {
                let _lives = lives;
                std::future::pending::<()>().await;
            });
        }
        executor.run(Duration::from_millis(1), || false);
        assert_eq!(Rc::strong_count(&lives), 3);
        executor.end(1);
        assert_eq!(Rc::strong_count(&lives), 2);
        executor.skew(2, 2.0, 500);
        let (world, fast) = (as_node(WORLD, wall_millis), as_node(2, wall_millis));
        assert!(fast > world + 500, "{world} {fast}");
    }
}
