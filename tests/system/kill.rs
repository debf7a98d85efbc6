//! `kill -9` at random moments under load: what was acknowledged is there, and there once.
//!
//! The broker dies under the checked load of [`load`]; every few rounds it is also killed while it
//! recovers. In the end everything is worked off, the history is compared with the book, and the
//! state of every partition with a replay of its whole log. A second, shorter run mixes in orderly
//! ends, which take snapshots and may compact the log.

use std::env;
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::broker::{Place, Start};
use crate::client::Client;
use crate::load::{self, Book, Round};

const ROUNDS: u64 = 12;
/// More begin anew: every start replays all of the log, which no snapshot shortens here.
const ROUNDS_PER_DIRECTORY: u64 = 20;
/// All rounds of one directory, so that a slow machine does not run for ever; the work after it has
/// bounds of its own.
const ROUNDS_WITHIN: Duration = Duration::from_secs(70);
/// Life of the broker under load, milliseconds.
const LIFE: std::ops::Range<u64> = 50..1500;
/// Life of a broker that is killed while it starts, milliseconds.
const BIRTH: std::ops::Range<u64> = 5..400;
/// One round in this many has such births before its start.
const BIRTHS_EVERY: u64 = 4;

/// A small deterministic generator (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn millis(&mut self, range: &std::ops::Range<u64>) -> Duration {
        Duration::from_millis(range.start + self.next() % (range.end - range.start))
    }
}

fn setting(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |text| text.parse().expect(name))
}

#[test]
fn what_was_acknowledged_survives_kill_9_once() {
    let (mut left, seed) = (setting("SYSTEM_TEST_ROUNDS", ROUNDS), seed());
    while left > 0 {
        let rounds = left.min(ROUNDS_PER_DIRECTORY);
        run(rounds, None, seed.wrapping_add(left));
        left -= rounds;
    }
}

#[test]
fn what_was_acknowledged_survives_ends_of_both_kinds_once() {
    run(ROUNDS / 3, Some(2), seed());
}

fn seed() -> u64 {
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    setting("SYSTEM_TEST_SEED", clock.as_micros() as u64)
}

/// So many rounds, of which each `orderly`th ends by SIGTERM in the middle of its load.
fn run(rounds: u64, orderly: Option<u64>, seed: u64) {
    eprintln!("kill: seed {seed}, {rounds} rounds, orderly {orderly:?}");
    let bound = ROUNDS_WITHIN.mul_f64((rounds as f64 / ROUNDS as f64).max(0.5));
    let mut random = Random(seed);
    let place = Place::new();
    // A snapshot only by an orderly end: else the whole log stays and can be replayed.
    let start =
        Start::with(&["--partitions", "2"]).variable("RINGFLOW_DATA_SNAPSHOT_PERIOD", "24h");
    let book = Mutex::new(Book::default());
    let (begun, mut births, mut slowest) = (Instant::now(), 0, Duration::ZERO);
    let mut done = 0;
    for number in 0..rounds {
        if begun.elapsed() > bound {
            break;
        }
        if random.next().is_multiple_of(BIRTHS_EVERY) {
            for _ in 0..=random.next() % 2 {
                place.start_and_kill(&start, random.millis(&BIRTH));
                births += 1;
            }
        }
        let starting = Instant::now();
        let broker = place.start(&start);
        slowest = slowest.max(starting.elapsed());
        if number == 0 {
            load::deploy(&mut broker.client());
        }
        let keys = book.lock().unwrap().keys_of(number.wrapping_sub(1));
        let life = random.millis(&LIFE);
        let round = Round::new(number, broker.rest, &book);
        round.run(|| {
            load::all_visible(&mut Client::new(broker.rest), &keys);
            std::thread::sleep(life);
            if orderly.is_some_and(|every| number % every == 0) {
                assert_eq!(broker.stop().code(), Some(0), "{}", place.said());
            } else {
                broker.kill();
            }
        });
        book.lock().unwrap().assert_right(seed);
        done += 1;
    }
    assert!(done >= rounds.min(3), "only {done} rounds in {bound:?}");

    let broker = place.start(&start);
    let settled = load::settle(&broker, rounds, book, seed);
    broker.kill();
    let digests = place.digests();
    assert_eq!(digests.len(), 2);
    for (partition, state, replay) in digests {
        let compacted = orderly.is_some() && replay == "compacted";
        assert!(
            state == replay || compacted,
            "seed {seed}: partition {partition}: {state} {replay}"
        );
    }
    place.assert_no_panic();
    eprintln!(
        "kill: {done} rounds and {births} kills while starting in {:.0?}; {settled}, slowest start \
         {slowest:.1?}",
        begun.elapsed(),
    );
}
