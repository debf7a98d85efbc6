//! How many client commands a partition has taken in, and how many it may: stabilizing AIMD.
//!
//! A slot is taken by the submitting thread before the command enters its lane and given back by the
//! shard when the command's entry is committed (or the command was dropped). The limit is changed
//! by the shard alone, one sample per committed entry. Commands that end work (completions,
//! cancellations, deployments, other partitions' messages) take no slot: refusing them would keep
//! work in the system.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use ringflow_core::record::Intent;
use ringflow_core::record::intent::of;

use crate::options::RequestLimit;

/// The slots of one partition.
#[derive(Debug)]
pub(crate) struct Budget {
    rule: RequestLimit,
    in_flight: AtomicU32,
    limit: AtomicU32,
    closed: AtomicBool,
}

impl Budget {
    pub(crate) fn new(rule: RequestLimit) -> Self {
        Self {
            rule,
            in_flight: AtomicU32::new(0),
            limit: AtomicU32::new(rule.initial),
            closed: AtomicBool::new(false),
        }
    }

    /// Takes a slot if one is free.
    pub(crate) fn try_take(&self) -> bool {
        if self.closed.load(Ordering::Relaxed) {
            return false;
        }
        let before = self.in_flight.fetch_add(1, Ordering::Relaxed);
        if before < self.limit.load(Ordering::Relaxed) {
            return true;
        }
        self.give_back(1);
        false
    }

    /// Gives slots back.
    pub(crate) fn give_back(&self, slots: u32) {
        let before = self.in_flight.fetch_sub(slots, Ordering::Relaxed);
        debug_assert!(before >= slots, "gave back more slots than were taken");
    }

    /// Refuses everything (true) or follows the limit (false): disk full, export too far behind.
    pub(crate) fn close(&self, closed: bool) {
        self.closed.store(closed, Ordering::Relaxed);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    pub(crate) fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }

    pub(crate) fn limit(&self) -> u32 {
        self.limit.load(Ordering::Relaxed)
    }

    /// Learns from one committed entry: how long its commands took from admission to commit.
    /// A limit that was just reduced is not reduced again by what was admitted before.
    pub(crate) fn sample(&self, took: Duration) {
        let limit = self.limit();
        let in_flight = self.in_flight();
        let next = if took > self.rule.expected {
            if in_flight > limit {
                return;
            }
            (f64::from(limit) * self.rule.backoff) as u32
        } else if in_flight.saturating_mul(2) >= limit {
            limit + 1
        } else {
            return;
        };
        self.limit
            .store(next.clamp(self.rule.min, self.rule.max), Ordering::Relaxed);
    }
}

/// True for client commands that the limit never refuses.
pub(crate) fn is_exempt(intent: Intent) -> bool {
    let exempt: [Intent; 10] = [
        of::Job::Complete.into(),
        of::Job::Fail.into(),
        of::Job::Yield.into(),
        of::ProcessInstance::Cancel.into(),
        of::Deployment::Create.into(),
        of::CommandDistribution::Acknowledge.into(),
        of::BatchOperationChunk::Create.into(),
        of::BatchOperationPartitionLifecycle::Fail.into(),
        of::Checkpoint::Create.into(),
        of::Checkpoint::ConfirmBackup.into(),
    ];
    exempt.contains(&intent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget() -> Budget {
        Budget::new(RequestLimit {
            initial: 10,
            min: 2,
            max: 12,
            expected: Duration::from_millis(200),
            backoff: 0.9,
        })
    }

    #[test]
    fn a_full_budget_refuses_and_a_returned_slot_is_free_again() {
        let budget = budget();
        assert_eq!((0..20).filter(|_| budget.try_take()).count(), 10);
        budget.give_back(1);
        assert!(budget.try_take());
        assert!(!budget.try_take());
    }

    #[test]
    fn a_used_limit_grows_to_its_maximum_and_an_idle_one_stays() {
        let budget = budget();
        budget.sample(Duration::from_millis(1));
        assert_eq!(budget.limit(), 10, "nothing in flight");
        (0..8).for_each(|_| assert!(budget.try_take()));
        (0..9).for_each(|_| budget.sample(Duration::from_millis(1)));
        assert_eq!(budget.limit(), 12);
    }

    #[test]
    fn a_limit_just_reduced_is_not_reduced_by_what_is_still_in_flight() {
        let budget = budget();
        (0..10).for_each(|_| assert!(budget.try_take()));
        budget.sample(Duration::from_secs(1));
        assert_eq!(budget.limit(), 9);
        budget.sample(Duration::from_secs(1));
        assert_eq!(budget.limit(), 9, "ten are in flight");
        budget.give_back(9);
        (0..40).for_each(|_| budget.sample(Duration::from_secs(1)));
        assert_eq!(budget.limit(), 2, "never below the minimum");
    }

    #[test]
    fn a_closed_budget_refuses_until_it_opens() {
        let budget = budget();
        budget.close(true);
        assert!(!budget.try_take());
        budget.close(false);
        assert!(budget.try_take());
    }

    #[test]
    fn what_ends_work_is_exempt() {
        assert!(is_exempt(of::Job::Complete.into()));
        assert!(!is_exempt(of::JobBatch::Activate.into()));
    }
}
