//! What is measured, and how it is kept: one HDR histogram per operation, errors by code.
//! Recorders are per lane behind short locks (two additions long); a ticker drains them once a
//! second into an interval, which goes to the interval log and into the totals.
//!
//! Invariants: 1. latencies that belong to a start count from its *intended* time; 2. a failed
//! call never enters the histogram of the call, it is counted by code; a rejection for overload has
//! a histogram of its own, because how fast a server refuses matters; 3. values beyond the range
//! are clamped to its end, never dropped.
//!
//! Limits: resolution 1 us at 3 significant digits, highest value 10 minutes.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::client::Failure;

const LOWEST_NS: u64 = 1_000;
const HIGHEST_NS: u64 = 600_000_000_000;
const SIGNIFICANT_DIGITS: u8 = 3;

/// Operations, in report order. The names are tags in the interval log and keys in the JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Op {
    /// Intended start to the answer of the create call.
    Create,
    /// Intended start to the answer of the create-with-result call.
    WithResult,
    /// The publish call, from the answer of its create call.
    Publish,
    /// Intended start to the first job of the instance at a worker.
    Activated,
    /// Job received to the answer of its complete call, repetitions included.
    Complete,
    /// Intended start to the answer of the last complete call of the instance.
    Completed,
    /// Answer of the create call to the instance in a REST search result.
    Visible,
    /// Intended start to a refusal for overload.
    Rejected,
    /// Intended start to the moment this generator sent it.
    Lag,
    /// Job polls and streams: errors only.
    Poll,
}

impl Op {
    pub(crate) const ALL: [Self; 10] = [
        Self::Create,
        Self::WithResult,
        Self::Publish,
        Self::Activated,
        Self::Complete,
        Self::Completed,
        Self::Visible,
        Self::Rejected,
        Self::Lag,
        Self::Poll,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::WithResult => "with-result",
            Self::Publish => "publish",
            Self::Activated => "activated",
            Self::Complete => "complete",
            Self::Completed => "completed",
            Self::Visible => "visible",
            Self::Rejected => "rejected",
            Self::Lag => "lag",
            Self::Poll => "poll",
        }
    }
}

/// An empty histogram of this tool's range, in nanoseconds.
pub(crate) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(LOWEST_NS, HIGHEST_NS, SIGNIFICANT_DIGITS)
        .expect("the bounds are constants of this file and in order")
}

/// How often one code was answered, and one text of it.
#[derive(Clone, Debug)]
pub(crate) struct ErrorCount {
    pub(crate) count: u64,
    pub(crate) sample: String,
}

/// What was recorded in some span of time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interval {
    pub(crate) histograms: BTreeMap<Op, Histogram<u64>>,
    /// By operation and code.
    pub(crate) errors: BTreeMap<(Op, String), ErrorCount>,
}

impl Interval {
    fn record(&mut self, op: Op, latency: Duration) {
        let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.histograms
            .entry(op)
            .or_insert_with(histogram)
            .saturating_record(nanos);
    }

    /// Moves everything of `other` into this one; `other` is empty afterwards and keeps its memory.
    fn absorb(&mut self, other: &mut Self) {
        for (op, from) in &mut other.histograms {
            self.histograms
                .entry(*op)
                .or_insert_with(histogram)
                .add(&*from)
                .expect("all histograms have the range of this file");
            from.reset();
        }
        for (key, error) in std::mem::take(&mut other.errors) {
            let mine = self.errors.entry(key);
            mine.and_modify(|kept| kept.count += error.count)
                .or_insert(error);
        }
    }

    /// Adds a copy of `other`.
    pub(crate) fn add(&mut self, other: &Self) {
        self.absorb(&mut other.clone());
    }

    /// Nanoseconds at `quantile` (0 to 1); 0 where nothing was recorded.
    pub(crate) fn quantile_ns(&self, op: Op, quantile: f64) -> u64 {
        self.histograms
            .get(&op)
            .map_or(0, |h| h.value_at_quantile(quantile))
    }
}

/// The recorders of all lanes.
#[derive(Debug)]
pub(crate) struct Recorder {
    /// Not empty.
    slots: Vec<Mutex<Interval>>,
}

impl Recorder {
    pub(crate) fn new(slots: usize) -> Self {
        Self {
            slots: (0..slots.max(1)).map(|_| Mutex::default()).collect(),
        }
    }

    fn slot(&self, slot: usize) -> MutexGuard<'_, Interval> {
        // A panic elsewhere leaves whole numbers behind: the counts are still counts.
        self.slots[slot % self.slots.len()]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn record(&self, slot: usize, op: Op, latency: Duration) {
        self.slot(slot).record(op, latency);
    }

    pub(crate) fn fail(&self, slot: usize, op: Op, failure: &Failure) {
        let mut interval = self.slot(slot);
        let error = interval.errors.entry((op, failure.code.to_string()));
        error
            .and_modify(|kept| kept.count += 1)
            .or_insert_with(|| ErrorCount {
                count: 1,
                sample: failure.text.clone(),
            });
    }

    /// Everything recorded since the last drain.
    pub(crate) fn drain(&self) -> Interval {
        let mut all = Interval::default();
        for slot in 0..self.slots.len() {
            all.absorb(&mut self.slot(slot));
        }
        all.histograms.retain(|_, histogram| !histogram.is_empty());
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Code;

    #[test]
    fn a_drain_takes_each_value_once() {
        let recorder = Recorder::new(3);
        for slot in 0..10 {
            recorder.record(slot, Op::Create, Duration::from_millis(slot as u64 + 1));
        }
        let busy = Failure::new(Code::Grpc(tonic::Code::ResourceExhausted), "busy");
        recorder.fail(0, Op::Create, &busy);
        recorder.fail(1, Op::Create, &busy);
        let first = recorder.drain();
        assert_eq!(first.histograms[&Op::Create].len(), 10);
        let key = (Op::Create, "RESOURCE_EXHAUSTED".to_owned());
        assert_eq!(first.errors[&key].count, 2);
        let again = recorder.drain();
        assert!(again.histograms.is_empty() && again.errors.is_empty());
        let mut total = first.clone();
        total.add(&first);
        assert_eq!(total.histograms[&Op::Create].len(), 20);
        assert_eq!(first.histograms[&Op::Create].len(), 10);
    }

    #[test]
    fn quantiles_hold_to_three_digits_and_large_values_are_clamped() {
        let recorder = Recorder::new(1);
        for n in 1..=1000 {
            recorder.record(0, Op::Lag, Duration::from_micros(n));
        }
        recorder.record(0, Op::Create, Duration::from_secs(3600));
        let interval = recorder.drain();
        let p99 = interval.quantile_ns(Op::Lag, 0.99);
        assert!((989_000..=992_000).contains(&p99), "{p99}");
        assert!(interval.quantile_ns(Op::Create, 1.0) >= HIGHEST_NS);
        assert_eq!(interval.quantile_ns(Op::Publish, 0.5), 0);
    }
}
