//! Keeps the executors honest: a thread that wakes a shard which has work and does not turn.
//!
//! glommio 0.9 can park with runnable tasks when the operating system takes the core away at the
//! wrong moment, and then sleeps until a *foreign* wake arrives. One task per shard has left its
//! waker here; it is called whenever the shard has outstanding work and its loops have not turned
//! since the last tick. A pulse that was not even noticed by the next tick is a stall, and counted,
//! on either driver: the core was not ours, or something ran too long.
//!
//! Members of a group of many have work that nobody but their executor knows of, because it comes
//! over sockets; their shards are pulsed now and then as if they had work ([`MEMBER_EVERY`]).
//!
//! Each foreign wake of a glommio task holds a reference until its executor runs, of a counter with
//! 15 bits; pulses to a shard that does not run at all therefore become rarer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::task::Waker;
use std::thread;
use std::time::{Duration, Instant};

use crate::shard::mailbox::Mailbox;
use crate::submit::Shared;

/// Time between looks while any shard has work.
const TICK: Duration = Duration::from_millis(2);
/// Time between looks while none has.
const IDLE_TICK: Duration = Duration::from_millis(20);
/// Time between pulses to a shard whose partitions hear from other brokers.
const MEMBER_EVERY: Duration = Duration::from_millis(60);
/// Looks without work before the longer time applies.
const IDLE_AFTER: u32 = 50;
/// Unnoticed pulses after which only every [`RARE`]th tick pulses.
const OFTEN: u32 = 1_000;
const RARE: u32 = 250;

/// The pacemaker's thread; ends when dropped.
#[derive(Debug)]
pub(crate) struct Pacemaker {
    stop: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

/// One shard as the pacemaker sees it.
struct Watched {
    mailboxes: Vec<Arc<Mailbox>>,
    waker: Option<Waker>,
    turns: u64,
    pulses_seen: u64,
    /// Pulses sent since the shard last noticed one.
    unnoticed: u32,
    stalled_since: Option<Instant>,
}

impl Pacemaker {
    /// Watches the shards; `placement` lists the mailboxes of each. Wakers arrive as shards start.
    pub(crate) fn start(
        shared: Arc<Shared>,
        placement: Vec<Vec<Arc<Mailbox>>>,
        wakers: mpsc::Receiver<(usize, Waker)>,
    ) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = Arc::clone(&stop);
        let thread = thread::Builder::new()
            .name("pacemaker".to_owned())
            .spawn(move || watch(&shared, placement, &wakers, &stopping))?;
        Ok(Self {
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for Pacemaker {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // It has nothing that could be lost.
            let _ = thread.join();
        }
    }
}

fn watch(
    shared: &Shared,
    placement: Vec<Vec<Arc<Mailbox>>>,
    wakers: &mpsc::Receiver<(usize, Waker)>,
    stop: &AtomicBool,
) {
    let mut shards: Vec<Watched> = placement
        .into_iter()
        .map(|mailboxes| Watched {
            mailboxes,
            waker: None,
            turns: 0,
            pulses_seen: 0,
            unnoticed: 0,
            stalled_since: None,
        })
        .collect();
    let mut idle = 0;
    let member = shared.is_many();
    let mut changes = shared.partitions.changes();
    let mut pulsed = Instant::now();
    while !stop.load(Ordering::Acquire) {
        // Replicas come and go while the broker runs.
        let changed = shared.partitions.changes();
        if changed != changes {
            changes = changed;
            for (number, shard) in shards.iter_mut().enumerate() {
                let placed = shared.partitions.iter();
                let placed = placed.filter(|mailbox| mailbox.shard() == number);
                shard.mailboxes = placed.cloned().collect();
            }
        }
        thread::park_timeout(if idle > IDLE_AFTER { IDLE_TICK } else { TICK });
        while let Ok((number, waker)) = wakers.try_recv() {
            shards[number].waker = Some(waker);
        }
        idle += 1;
        if member && pulsed.elapsed() >= MEMBER_EVERY {
            pulsed = Instant::now();
            for shard in &shards {
                shard.pulse();
            }
        }
        for (number, shard) in shards.iter_mut().enumerate() {
            let busy = shard.mailboxes.iter().any(|mailbox| {
                mailbox.outstanding.load(Ordering::Relaxed) || mailbox.has_commands()
            });
            if busy {
                idle = 0;
            }
            shard.tick(busy, &shared.shards[number]);
        }
    }
}

impl Watched {
    fn tick(&mut self, busy: bool, metrics: &crate::metrics::ShardMetrics) {
        let turns: u64 = self
            .mailboxes
            .iter()
            .map(|mailbox| mailbox.turns.load(Ordering::Relaxed))
            .sum();
        let pulses = metrics.pulses.get();
        if pulses != self.pulses_seen {
            self.pulses_seen = pulses;
            self.unnoticed = 0;
            self.stalled_since = None;
        }
        let turned = std::mem::replace(&mut self.turns, turns) != turns;
        if !busy || turned {
            self.stalled_since = None;
            return;
        }
        // Opening a partition blocks its shard, which is not a stall yet.
        let has_started = turns > 0;
        if has_started && self.unnoticed > 0 {
            let since = *self.stalled_since.get_or_insert_with(|| {
                metrics.stalls.add(1);
                Instant::now() - TICK
            });
            let micros = u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX);
            if micros > metrics.longest_stall_micros.get() {
                metrics.longest_stall_micros.set(micros);
            }
        }
        self.unnoticed = self.unnoticed.saturating_add(1);
        if self.unnoticed > OFTEN && !self.unnoticed.is_multiple_of(RARE) {
            return;
        }
        self.pulse();
    }

    fn pulse(&self) {
        if let Some(waker) = &self.waker {
            waker.wake_by_ref();
        }
    }
}

#[cfg(test)]
mod tests {
    use ringflow_core::engine::effect::Response;
    use ringflow_core::engine::input::{Command, RequestId};
    use ringflow_core::ids::Key;
    use ringflow_core::record::intent::of;
    use ringflow_core::record::value::JobRecord;
    use tokio::sync::oneshot;

    use super::*;
    use crate::background::Background;
    use crate::cluster::configuration::Configuration;
    use crate::driver::{self, Driver, ExecutorOptions};
    use crate::options::{BrokerOptions, DriverChoice};
    use crate::shard::mailbox::{PartitionTable, Request, StopMode};

    /// Executors that compete for the cores, each with a client of its own.
    const SHARDS: usize = 3;
    /// A round trip that takes longer than this was lost, not slow.
    const LOST: Duration = Duration::from_secs(10);

    /// Answers every request with its own value, as a partition would without engine and log.
    async fn echo(mailbox: Arc<Mailbox>) {
        while mailbox.stop_mode() == StopMode::Run {
            mailbox.turns.fetch_add(1, Ordering::Relaxed);
            while let Some(request) = mailbox.pop_request() {
                let response = Response {
                    request: RequestId(0),
                    key: request.command.key,
                    intent: request.command.intent,
                    value: request.command.value,
                    rejection: None,
                };
                request.reply.unwrap().send(Ok(response)).unwrap();
            }
            std::future::poll_fn(|cx| {
                mailbox.register(cx.waker());
                if mailbox.has_commands() || mailbox.stop_mode() != StopMode::Run {
                    return std::task::Poll::Ready(());
                }
                std::task::Poll::Pending
            })
            .await;
        }
    }

    fn round_trips(mailbox: &Mailbox, count: u64) -> Duration {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut longest = Duration::ZERO;
            for number in 0..count {
                let (reply, answer) = oneshot::channel();
                let key = Key(number as i64);
                let command = Command::internal(key, of::Job::Complete, JobRecord::default());
                let asked = Instant::now();
                mailbox
                    .push_request(Request {
                        command,
                        reply: Some(reply),
                        enqueued: asked,
                        counted: false,
                    })
                    .unwrap();
                let answer = tokio::time::timeout(LOST, answer).await;
                let answer = answer.expect("the shard sleeps although a request waits");
                assert_eq!(answer.unwrap().unwrap().key, key);
                longest = longest.max(asked.elapsed());
            }
            longest
        })
    }

    /// Story: glommio 0.9.0 parked for ever with a runnable task, once in about 100 000 wakes, when
    /// three such pairs competed for two cores. Without the pacemaker this test hangs now and then.
    fn no_request_is_left_lying(driver: Driver, round_trips_each: u64) {
        let mut options = BrokerOptions::new("");
        options.partitions = SHARDS as u16;
        options.shards = SHARDS;
        let founding = Configuration::founding(&options.cluster, options.partitions);
        let cluster = crate::broker::cluster(&options, founding.clone(), Vec::new());
        let table = PartitionTable::new(&options, &founding, &cluster.role_changed);
        let shared = Arc::new(Shared::new(
            options,
            table.clone(),
            Background::start().unwrap(),
            cluster,
        ));
        let placement = table.iter().map(|mailbox| vec![Arc::clone(mailbox)]);
        let (pulse, wakers) = mpsc::sync_channel(shared.options.shards.max(16));
        let pacemaker = Pacemaker::start(Arc::clone(&shared), placement.collect(), wakers).unwrap();
        let mut clients = Vec::new();
        let mut shards = Vec::new();
        for (number, mailbox) in table.iter().enumerate() {
            let metrics = Arc::clone(&shared.shards[number]);
            let (echoing, asking) = (Arc::clone(mailbox), Arc::clone(mailbox));
            let pulse = pulse.clone();
            shards.push(thread::spawn(move || {
                let options = ExecutorOptions {
                    name: format!("echo-{number}"),
                    core: None,
                    spin: Duration::ZERO,
                };
                driver::run(driver, &options, async move {
                    driver::spawn(crate::shard::pulse(number, pulse, metrics));
                    echo(echoing).await;
                })
                .unwrap();
            }));
            clients.push(thread::spawn(move || {
                round_trips(&asking, round_trips_each)
            }));
        }
        let longest = clients
            .into_iter()
            .map(|client| client.join().unwrap())
            .max();
        for mailbox in table.iter() {
            mailbox.request_stop(StopMode::Kill);
        }
        shards.into_iter().for_each(|shard| shard.join().unwrap());
        drop(pacemaker);
        println!("{driver:?}: longest round trip {:?}", longest.unwrap());
    }

    #[test]
    fn the_io_uring_driver_leaves_no_request_lying_under_contention() {
        if let Err(why) = driver::choose(DriverChoice::Uring) {
            println!("skipped: {why}");
            return;
        }
        no_request_is_left_lying(Driver::Uring, 20_000);
    }

    #[test]
    fn the_plain_driver_leaves_no_request_lying_under_contention() {
        no_request_is_left_lying(Driver::Plain, 5_000);
    }
}
