//! A store in memory: what tests, benchmarks and simulations put under the engine.
//!
//! An ordered map of row keys to row bytes behind a `RefCell`, so that the engine and the test can
//! hold it together. Shows exactly the write sets applied so far.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Bound;

use crate::state::store::{ReadError, StateRead, Visit, WriteSet};

/// Rows in memory.
#[derive(Debug, Default)]
pub struct MemoryStore {
    rows: RefCell<BTreeMap<Vec<u8>, Vec<u8>>>,
}

impl MemoryStore {
    /// Applies a write set.
    pub fn apply(&self, set: &WriteSet) {
        let mut rows = self.rows.borrow_mut();
        for change in &set.rows {
            match &change.value {
                Some(value) => rows.insert(change.key.to_vec(), value.to_vec()),
                None => rows.remove(&*change.key),
            };
        }
    }

    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.borrow().len()
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.borrow().is_empty()
    }
}

impl StateRead for MemoryStore {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        Ok(self.rows.borrow().get(key).cloned())
    }

    fn scan(&self, from: &[u8], to: &[u8], visit: Visit<'_>) -> Result<(), ReadError> {
        let rows = self.rows.borrow();
        let range = (Bound::Included(from), Bound::Excluded(to));
        for (key, value) in rows.range::<[u8], _>(range) {
            if visit(key, value).is_break() {
                break;
            }
        }
        Ok(())
    }
}
