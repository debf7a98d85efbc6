//! Documents in memory: for development and tests, gone with the process.
//!
//! Bounded by [`MEMORY_BYTES`]; expired documents make room when it is needed. The lock is held for
//! a look-up or a move, never while bytes are read or sent: they are shared, not copied.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;

use super::{About, DocumentError, MEMORY_BYTES};

/// The store.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    documents: BTreeMap<String, (About, Bytes)>,
    bytes: usize,
}

impl Held {
    fn remove(&mut self, id: &str) -> bool {
        match self.documents.remove(id) {
            Some((_, bytes)) => {
                self.bytes -= bytes.len();
                true
            }
            None => false,
        }
    }
}

impl Memory {
    fn held(&self) -> MutexGuard<'_, Held> {
        // Nothing that holds the lock can leave a half of a change behind.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn create(
        &self,
        id: &str,
        about: About,
        bytes: Bytes,
        now: i64,
    ) -> Result<(), DocumentError> {
        let mut held = self.held();
        let taken = held.documents.get(id);
        if taken.is_some_and(|(about, _)| !about.is_expired(now)) {
            return Err(DocumentError::Exists(id.to_owned()));
        }
        held.remove(id);
        if held.bytes + bytes.len() > MEMORY_BYTES {
            let expired = held
                .documents
                .iter()
                .filter(|(_, (about, _))| about.is_expired(now));
            let expired: Vec<String> = expired.map(|(id, _)| id.clone()).collect();
            for id in expired {
                held.remove(&id);
            }
        }
        if held.bytes + bytes.len() > MEMORY_BYTES {
            return Err(DocumentError::Full);
        }
        held.bytes += bytes.len();
        held.documents.insert(id.to_owned(), (about, bytes));
        Ok(())
    }

    pub(super) fn get(&self, id: &str) -> Result<(About, Bytes), DocumentError> {
        let held = self.held();
        let found = held.documents.get(id).cloned();
        found.ok_or_else(|| DocumentError::Missing(id.to_owned()))
    }

    pub(super) fn delete(&self, id: &str) -> Result<(), DocumentError> {
        if self.held().remove(id) {
            Ok(())
        } else {
            Err(DocumentError::Missing(id.to_owned()))
        }
    }
}
