//! Callers that wait for the result of an instance they created.
//!
//! Volatile and leader only: a request means nothing to another process, so a caller whose leader is
//! lost gets no result and asks again. Only what the answer needs is kept; that it was given is an
//! event. A waiting entry of an undone step is dropped with the step.

use rustc_hash::FxHashMap;

use crate::engine::input::RequestId;
use crate::ids::Key;
use crate::record::Text;

/// Who waits for an instance, and for which variables; empty = all.
#[derive(Clone, Debug)]
pub(crate) struct Awaited {
    pub(crate) request: RequestId,
    pub(crate) fetch_variables: Vec<Text>,
}

/// All waiting callers by instance.
#[derive(Debug, Default)]
pub(crate) struct AwaitedResults {
    waiting: FxHashMap<Key, Awaited>,
    /// Changes of the current step: what was waiting before.
    journal: Vec<(Key, Option<Awaited>)>,
}

impl AwaitedResults {
    pub(crate) fn insert(&mut self, instance: Key, awaited: Awaited) {
        let was = self.waiting.insert(instance, awaited);
        self.journal.push((instance, was));
    }

    pub(crate) fn remove(&mut self, instance: Key) -> Option<Awaited> {
        if self.waiting.is_empty() {
            return None;
        }
        let was = self.waiting.remove(&instance);
        if was.is_some() {
            self.journal.push((instance, was.clone()));
        }
        was
    }

    pub(crate) fn commit_step(&mut self) {
        self.journal.clear();
    }

    pub(crate) fn rollback_step(&mut self) {
        while let Some((instance, was)) = self.journal.pop() {
            match was {
                Some(awaited) => self.waiting.insert(instance, awaited),
                None => self.waiting.remove(&instance),
            };
        }
    }
}
