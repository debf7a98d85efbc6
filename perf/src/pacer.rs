//! Open-loop arrivals: start times are computed from the clock before anything is sent, and every
//! latency is measured from the *intended* start. A server (or a generator) that stalls therefore
//! pays for each start that became due meanwhile; nothing is omitted.
//!
//! Runs on a thread of its own that sleeps until the next start is due and hands it to a lane. It
//! never spins and never waits for a lane: a full lane is a start not sent, and counted as such.
//!
//! Invariants: 1. intended times depend on rate, arrival and seed only; 2. the even schedule does
//! not drift, start n is at n / rate; 3. how late a start left the generator is measured where it
//! is sent (`drive`), as a histogram of its own.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use crate::args::Arrival;
use crate::stop::Stop;

/// Starts a lane may hold: at the highest rates some tens of milliseconds of backlog.
pub(crate) const LANE_STARTS_MAX: usize = 65_536;
/// Longest sleep at a time, so that a stop is seen soon at low rates.
const NAP_MAX: Duration = Duration::from_millis(50);

/// One request to begin: its number and when it should have begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Start {
    pub(crate) ordinal: u64,
    pub(crate) intended: Instant,
}

/// Offsets of the starts from the beginning of the run; endless.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    arrival: Arrival,
    rate_per_s: f64,
    random: Random,
    next_ordinal: u64,
    poisson_ns: f64,
}

impl Schedule {
    /// `rate_per_s` is positive and finite (checked on the command line).
    pub(crate) fn new(rate_per_s: f64, arrival: Arrival, seed: u64) -> Self {
        Self {
            arrival,
            rate_per_s,
            random: Random::new(seed),
            next_ordinal: 0,
            poisson_ns: 0.0,
        }
    }
}

impl Iterator for Schedule {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let ordinal = self.next_ordinal;
        self.next_ordinal += 1;
        let nanos = match self.arrival {
            // From the ordinal, not by adding up: rounding must not become drift.
            Arrival::Even => ordinal as f64 * 1e9 / self.rate_per_s,
            Arrival::Poisson => {
                self.poisson_ns += -self.random.unit_open().ln() * 1e9 / self.rate_per_s;
                self.poisson_ns
            }
        };
        Some(Duration::from_nanos(nanos as u64))
    }
}

/// SplitMix64: small, seeded, and the same on every machine.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// In (0, 1]: the logarithm of it is finite.
    fn unit_open(&mut self) -> f64 {
        ((self.next_u64() >> 11) + 1) as f64 / (1u64 << 53) as f64
    }
}

/// Hands every start before `span` to its lane, round robin; returns how many became due.
/// `lanes` is not empty. Ends early when `stop` is raised or every lane is closed.
pub(crate) fn pace(
    schedule: Schedule,
    origin: Instant,
    span: Duration,
    lanes: &[mpsc::Sender<Start>],
    shed: &AtomicU64,
    stop: &Stop,
) -> u64 {
    let mut due = 0;
    for (ordinal, offset) in (0u64..).zip(schedule) {
        if offset >= span {
            break;
        }
        let intended = origin + offset;
        while let Some(wait) = intended.checked_duration_since(Instant::now()) {
            if wait.is_zero() || stop.is_raised() {
                break;
            }
            std::thread::sleep(wait.min(NAP_MAX));
        }
        if stop.is_raised() {
            break;
        }
        due += 1;
        let lane = &lanes[(ordinal % lanes.len() as u64) as usize];
        match lane.try_send(Start { ordinal, intended }) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => {
                shed.fetch_add(1, Ordering::Relaxed);
            }
            Err(TrySendError::Closed(_)) => break,
        }
    }
    due
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_even_schedule_does_not_drift() {
        let mut schedule = Schedule::new(300.0, Arrival::Even, 1);
        assert_eq!(schedule.next(), Some(Duration::ZERO));
        assert_eq!(schedule.next(), Some(Duration::from_nanos(3_333_333)));
        // The 300th start after the first is exactly one second later, the 1 080 000th an hour.
        assert_eq!(
            Schedule::new(300.0, Arrival::Even, 1).nth(300),
            Some(Duration::from_secs(1))
        );
        let hour = Schedule::new(300.0, Arrival::Even, 1).nth(1_080_000);
        assert_eq!(hour, Some(Duration::from_secs(3600)));
    }

    #[test]
    fn the_poisson_schedule_keeps_its_rate_and_follows_its_seed() {
        let times = |seed| Schedule::new(1000.0, Arrival::Poisson, seed).take(20_000);
        let last = times(7).last().unwrap().as_secs_f64();
        assert!(
            (19.0..21.0).contains(&last),
            "20 000 starts at 1000/s took {last} s"
        );
        assert!(times(7).eq(times(7)));
        assert!(!times(7).eq(times(8)));
        assert!(times(7).is_sorted());
    }

    #[test]
    fn starts_go_round_the_lanes_with_intended_times() {
        let (one, mut first) = mpsc::channel(16);
        let (two, mut second) = mpsc::channel(16);
        let origin = Instant::now();
        let shed = AtomicU64::new(0);
        let schedule = Schedule::new(1000.0, Arrival::Even, 1);
        let span = Duration::from_millis(6);
        let due = pace(schedule, origin, span, &[one, two], &shed, &Stop::new());
        assert_eq!((due, shed.into_inner()), (6, 0));
        for ordinal in 0..6u64 {
            let lane = if ordinal % 2 == 0 {
                &mut first
            } else {
                &mut second
            };
            let start = lane.try_recv().unwrap();
            assert_eq!(start.ordinal, ordinal);
            assert_eq!(start.intended - origin, Duration::from_millis(ordinal));
        }
    }

    #[test]
    fn a_stalled_lane_does_not_slow_the_clock() {
        let (lane, _kept) = mpsc::channel(2);
        let shed = AtomicU64::new(0);
        let begun = Instant::now();
        let schedule = Schedule::new(1000.0, Arrival::Even, 1);
        let due = pace(
            schedule,
            begun,
            Duration::from_millis(10),
            &[lane],
            &shed,
            &Stop::new(),
        );
        assert_eq!((due, shed.into_inner()), (10, 8));
    }

    #[test]
    fn a_stop_ends_the_pacer() {
        let (lane, _kept) = mpsc::channel(2);
        let stop = Stop::new();
        stop.raise();
        let schedule = Schedule::new(0.001, Arrival::Even, 1);
        let shed = AtomicU64::new(0);
        assert_eq!(
            pace(
                schedule,
                Instant::now(),
                Duration::MAX,
                &[lane],
                &shed,
                &stop
            ),
            0
        );
    }
}
