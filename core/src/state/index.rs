//! An ordered set that is resident whole: due dates, jobs that can be taken, banned instances.
//!
//! Loaded by one scan when the partition opens, so that looking for the next due row or the next
//! activatable job never touches the store. Rows have no value; the key says everything.
//!
//! Limits: memory grows with the number of rows (about 60 bytes each), which is the price of never
//! scanning on the hot path.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Bound, ControlFlow};
use std::rc::Rc;

use crate::record::field::{DecodeError, ValueWriter};
use crate::state::family::{Family, FamilyNumber, Overlay, StateError};
use crate::state::key::RowKey;
use crate::state::store::{RowChange, StateRead};

/// Keys of one family in order.
#[derive(Debug)]
pub struct Index<K> {
    family: FamilyNumber,
    keys: BTreeSet<K>,
    /// Key, and whether it was there before.
    journal: Vec<(K, bool)>,
    /// Changed keys, and whether they were there when the last write set was taken.
    dirty: BTreeMap<K, bool>,
}

impl<K: RowKey> Index<K> {
    /// Whether `key` is there.
    #[must_use]
    pub fn contains(&self, key: &K) -> bool {
        self.keys.contains(key)
    }

    /// The first key.
    #[must_use]
    pub fn first(&self) -> Option<&K> {
        self.keys.first()
    }

    /// All keys in order.
    pub fn iter(&self) -> impl Iterator<Item = &K> {
        self.keys.iter()
    }

    /// The keys from `from` on, in order.
    pub fn from(&self, from: K) -> impl Iterator<Item = &K> {
        self.keys.range((Bound::Included(from), Bound::Unbounded))
    }

    /// Number of keys.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Adds a key.
    pub(crate) fn insert(&mut self, key: K) {
        if self.keys.insert(key.clone()) {
            self.note(key, false);
        }
    }

    /// Removes a key.
    pub(crate) fn remove(&mut self, key: &K) {
        if self.keys.remove(key) {
            self.note(key.clone(), true);
        }
    }

    fn note(&mut self, key: K, was: bool) {
        self.dirty.entry(key.clone()).or_insert(was);
        self.journal.push((key, was));
    }

    fn row_key(&self, key: &K) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(24);
        bytes.push(self.family);
        key.put(&mut bytes);
        bytes
    }
}

impl<K: RowKey> Family for Index<K> {
    fn describe(_family: FamilyNumber, _value: &[u8], out: &mut String) -> Result<(), StateError> {
        out.push_str("{}");
        Ok(())
    }

    fn open(family: FamilyNumber, store: &Rc<dyn StateRead>) -> Result<Self, StateError> {
        let mut keys = BTreeSet::new();
        let mut failure = None;
        store.scan(&[family], &[family + 1], &mut |key, _| {
            let mut rest = &key[1..];
            match K::take(&mut rest) {
                Some(key) if rest.is_empty() => {
                    keys.insert(key);
                    ControlFlow::Continue(())
                }
                _ => {
                    failure = Some(StateError::Row {
                        family,
                        source: DecodeError::new("row key"),
                    });
                    ControlFlow::Break(())
                }
            }
        })?;
        failure.map_or(
            Ok(Self {
                family,
                keys,
                journal: Vec::new(),
                dirty: BTreeMap::new(),
            }),
            Err,
        )
    }

    fn commit_step(&mut self) {
        self.journal.clear();
    }

    fn rollback_step(&mut self) {
        while let Some((key, was)) = self.journal.pop() {
            if was {
                self.keys.insert(key);
            } else {
                self.keys.remove(&key);
            }
        }
    }

    fn drain(&mut self, _number: u64, _writer: &mut ValueWriter, out: &mut Vec<RowChange>) {
        for (key, was) in std::mem::take(&mut self.dirty) {
            let is = self.keys.contains(&key);
            if is != was {
                out.push(RowChange {
                    key: self.row_key(&key).into_boxed_slice(),
                    value: is.then(Box::default),
                    born: !was,
                });
            }
        }
    }

    fn persisted(&mut self, _number: u64) {}

    fn overlay(&self, out: &mut Overlay) {
        for (_, value) in out.range_mut(vec![self.family]..vec![self.family + 1]) {
            *value = None;
        }
        for key in &self.keys {
            out.insert(self.row_key(key), Some(Box::default()));
        }
    }
}
