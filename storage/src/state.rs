//! (draft of the public surface)
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use ringflow_core::ids::Position;
use ringflow_core::state::store::{ReadError, StateRead, Visit, WriteSet};

use crate::error::Error;

/// How far a state has been built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Applied {
    /// Last record.
    pub position: Position,
    /// Last log entry.
    pub index: u64,
    /// Its term.
    pub term: u64,
}

/// Memory shared by all state stores of a broker (clone it into each).
#[derive(Clone)]
pub struct StateMemory;

impl StateMemory {
    /// `cache_bytes` for blocks, of which at most `write_buffer_bytes` hold unflushed rows.
    pub fn new(cache_bytes: usize, write_buffer_bytes: usize) -> Self {
        let _ = (cache_bytes, write_buffer_bytes);
        unimplemented!()
    }
}

/// Bounds of the rows committed but not yet in RocksDB.
#[derive(Debug, Clone, Copy)]
pub struct PendingLimit {
    /// Key and value bytes.
    pub bytes: usize,
    /// Age of the oldest.
    pub age: Duration,
}

/// The state of one partition. Not Send: Rc it. Interior mutability, one thread.
pub struct StateStore;

impl StateStore {
    /// Opens or creates.
    pub fn open(path: &Path, memory: &StateMemory) -> Result<Self, Error> {
        let _ = (path, memory);
        unimplemented!()
    }
    /// Takes a committed write set; readable at once, in RocksDB after a flush.
    pub fn commit(&self, set: WriteSet, applied: Applied) {
        let _ = (set, applied);
        unimplemented!()
    }
    /// True if the pending rows exceed the limit.
    pub fn due(&self, limit: PendingLimit, pending_for: Duration) -> bool {
        let _ = (limit, pending_for);
        unimplemented!()
    }
    /// Writes all pending rows and the position as one batch, on this thread.
    pub fn flush(&self) -> Result<(), Error> {
        unimplemented!()
    }
    /// Up to where RocksDB has it.
    pub fn persisted(&self) -> Applied {
        unimplemented!()
    }
    /// Up to where reads show it.
    pub fn applied(&self) -> Applied {
        unimplemented!()
    }
    /// Key and value bytes pending.
    pub fn pending_bytes(&self) -> usize {
        unimplemented!()
    }
}

impl StateRead for StateStore {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        let _ = key;
        unimplemented!()
    }
    fn scan(&self, from: &[u8], to: &[u8], visit: Visit<'_>) -> Result<(), ReadError> {
        let _ = (from, to, ControlFlow::<()>::Continue(()));
        let _ = visit;
        unimplemented!()
    }
}
