//! Callers that wait for an answer, by request.
//!
//! A caller is entered when its command is taken in and leaves with its answer, which may come many
//! entries later (a creation that awaits the result). When the partition loses its place, all hear
//! that the outcome is unknown. Callers that gave up are swept out when the table has doubled, so
//! that abandoned long waits cost memory only in proportion to live ones.

use ringflow_core::engine::effect::Response;
use ringflow_core::engine::input::RequestId;
use rustc_hash::FxHashMap;

use crate::shard::mailbox::{Loss, Reply};

/// Callers below which sweeping is not worth it.
const SWEEP_MIN: usize = 1024;

/// Waiting callers of one partition.
#[derive(Debug)]
pub(crate) struct Callers {
    waiting: FxHashMap<RequestId, Reply>,
    bound: usize,
    sweep_at: usize,
}

impl Callers {
    pub(crate) fn new(bound: usize) -> Self {
        Self {
            waiting: FxHashMap::default(),
            bound,
            sweep_at: SWEEP_MIN,
        }
    }

    /// Enters a caller; gives it back if no more fit.
    pub(crate) fn enter(&mut self, request: RequestId, reply: Reply) -> Result<(), Reply> {
        if self.waiting.len() >= self.sweep_at.min(self.bound) {
            self.waiting.retain(|_, reply| !reply.is_closed());
            self.sweep_at = (self.waiting.len() * 2).max(SWEEP_MIN);
        }
        if self.waiting.len() >= self.bound {
            return Err(reply);
        }
        self.waiting.insert(request, reply);
        Ok(())
    }

    /// Answers; false if the caller is not there any more.
    pub(crate) fn answer(&mut self, response: Response) -> bool {
        self.waiting
            .remove(&response.request)
            .is_some_and(|reply| reply.send(Ok(response)).is_ok())
    }

    /// Tells everybody that no answer will come, and why.
    #[expect(
        clippy::iter_over_hash_type,
        reason = "each caller hears only of its own request: the order cannot leak"
    )]
    pub(crate) fn lose_all(&mut self, why: Loss) {
        for (_, reply) in self.waiting.drain() {
            // A caller that left does not need to know.
            let _ = reply.send(Err(why));
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[test]
    fn callers_that_left_make_room() {
        let mut callers = Callers::new(2);
        let (first, waits) = oneshot::channel();
        let (second, left) = oneshot::channel();
        callers.enter(RequestId(1), first).unwrap();
        callers.enter(RequestId(2), second).unwrap();
        let (third, _third) = oneshot::channel();
        let third = callers.enter(RequestId(3), third).unwrap_err();
        drop(left);
        callers.enter(RequestId(3), third).unwrap();
        callers.lose_all(Loss::Unknown);
        assert_eq!(waits.blocking_recv().unwrap().unwrap_err(), Loss::Unknown);
        assert_eq!(callers.len(), 0);
    }
}
