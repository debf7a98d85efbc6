//! One row per key, decoded rows resident, everything else read through from the store.
//!
//! A row that was changed stays resident until the write set that carries it is persisted; then it
//! may be evicted. Absence is resident too: a row that is known not to exist costs no read, and a
//! row born and deleted between two write sets reaches neither.
//!
//! Invariants: the resident row, if there is one, is newer than or equal to the store's; every change
//! of the current step can be undone; a row is encoded once per write set, however often it changed.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use rustc_hash::FxHashMap;

use crate::record::field::{ValueReader, ValueStruct, ValueWriter};
use crate::state::family::{Family, FamilyNumber, Overlay, StateError};
use crate::state::key::RowKey;
use crate::state::store::{RowChange, StateRead};

/// Persisted rows kept resident per table before the oldest unused ones go.
pub const RESIDENT_ROWS_MAX: usize = 64 * 1024;

/// Places in the eviction queue, those of rows that are gone included.
const QUEUE_MAX: usize = 4 * RESIDENT_ROWS_MAX;

/// Rows looked at for eviction in one call: a call never costs more, the rest waits for the next.
pub const EVICTION_LOOKS_MAX: usize = 4096;

#[derive(Debug)]
struct Slot<V> {
    value: Option<Rc<V>>,
    /// Changed since the last write set.
    dirty: bool,
    /// Known absent when it became dirty.
    born: bool,
    /// Looked at since the eviction hand passed.
    used: bool,
    /// Stands in the eviction queue.
    queued: bool,
    /// Number of the last write set that carried it, until that is persisted.
    pinned: u64,
    /// Step that last journaled it.
    step: u64,
}

impl<V> Slot<V> {
    fn clean(value: Option<Rc<V>>) -> Self {
        Self {
            value,
            dirty: false,
            born: false,
            used: true,
            queued: true,
            pinned: 0,
            step: 0,
        }
    }
}

/// What a row was before a step changed it.
#[derive(Debug)]
struct Undo<K, V> {
    key: K,
    value: Option<Rc<V>>,
    dirty: bool,
    born: bool,
    /// False if the row was not resident at all.
    resident: bool,
}

/// Rows of one family, addressed by key.
pub struct Table<K, V> {
    family: FamilyNumber,
    store: Rc<dyn StateRead>,
    rows: RefCell<FxHashMap<K, Slot<V>>>,
    journal: Vec<Undo<K, V>>,
    step: u64,
    dirty: Vec<K>,
    pinned: VecDeque<(u64, K)>,
    clean: RefCell<VecDeque<K>>,
}

impl<K: RowKey, V: ValueStruct + Clone> Table<K, V> {
    /// The row under `key`.
    ///
    /// # Errors
    /// When the store cannot answer or holds bytes that are no such row.
    pub fn get(&self, key: &K) -> Result<Option<Rc<V>>, StateError> {
        if let Some(slot) = self.rows.borrow_mut().get_mut(key) {
            slot.used = true;
            return Ok(slot.value.clone());
        }
        let value = self.read(key)?;
        self.rows
            .borrow_mut()
            .insert(key.clone(), Slot::clean(value.clone()));
        self.clean.borrow_mut().push_back(key.clone());
        Ok(value)
    }

    /// Whether there is a row under `key`.
    ///
    /// # Errors
    /// As [`Table::get`].
    pub fn contains(&self, key: &K) -> Result<bool, StateError> {
        Ok(self.get(key)?.is_some())
    }

    /// Adds a row under a key that was never used before, without asking the store.
    pub(crate) fn insert_new(&mut self, key: K, row: V) {
        self.change(key, Some(Rc::new(row)), true);
    }

    /// Writes a row, whether or not there is one.
    ///
    /// # Errors
    /// As [`Table::get`]: whether the row is new has to be known.
    pub(crate) fn put(&mut self, key: K, row: V) -> Result<(), StateError> {
        self.get(&key)?;
        self.change(key, Some(Rc::new(row)), false);
        Ok(())
    }

    /// Deletes a row, whether or not there is one.
    ///
    /// # Errors
    /// As [`Table::get`].
    pub(crate) fn remove(&mut self, key: &K) -> Result<(), StateError> {
        if self.get(key)?.is_some() {
            self.change(key.clone(), None, false);
        }
        Ok(())
    }

    /// Changes a row in place; does nothing and says `false` if there is none.
    ///
    /// # Errors
    /// As [`Table::get`].
    pub(crate) fn update(&mut self, key: &K, f: impl FnOnce(&mut V)) -> Result<bool, StateError> {
        let Some(mut row) = self.get(key)? else {
            return Ok(false);
        };
        let step = self.step;
        if let Some(slot) = self.rows.get_mut().get_mut(key)
            && slot.step == step
            && slot.dirty
        {
            // Already journaled in this step: the resident row is ours alone.
            drop(row);
            if let Some(resident) = &mut slot.value {
                f(Rc::make_mut(resident));
            }
            return Ok(true);
        }
        f(Rc::make_mut(&mut row));
        self.change(key.clone(), Some(row), false);
        Ok(true)
    }

    fn change(&mut self, key: K, value: Option<Rc<V>>, known_absent: bool) {
        let step = self.step;
        match self.rows.get_mut().get_mut(&key) {
            Some(slot) => {
                let was = slot.value.take();
                let absent = was.is_none();
                if slot.step != step {
                    self.journal.push(Undo {
                        key: key.clone(),
                        value: was,
                        dirty: slot.dirty,
                        born: slot.born,
                        resident: true,
                    });
                    slot.step = step;
                }
                if !slot.dirty {
                    slot.dirty = true;
                    slot.born = absent;
                    self.dirty.push(key);
                }
                slot.value = value;
                slot.used = true;
            }
            None => {
                self.journal.push(Undo {
                    key: key.clone(),
                    value: None,
                    dirty: false,
                    born: false,
                    resident: false,
                });
                self.dirty.push(key.clone());
                let slot = Slot {
                    value,
                    dirty: true,
                    born: known_absent,
                    used: true,
                    queued: false,
                    pinned: 0,
                    step,
                };
                self.rows.get_mut().insert(key, slot);
            }
        }
    }

    fn row_key(&self, key: &K) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(24);
        bytes.push(self.family);
        key.put(&mut bytes);
        bytes
    }

    fn read(&self, key: &K) -> Result<Option<Rc<V>>, StateError> {
        let Some(bytes) = self.store.get(&self.row_key(key))? else {
            return Ok(None);
        };
        decode(self.family, &bytes).map(|row| Some(Rc::new(row)))
    }
}

/// Reads a row.
pub(super) fn decode<V: ValueStruct>(family: FamilyNumber, bytes: &[u8]) -> Result<V, StateError> {
    ValueReader::new(bytes, 0)
        .and_then(|mut reader| V::take_fields(&mut reader))
        .map_err(|source| StateError::Row { family, source })
}

/// Bytes of a row.
pub(super) fn encode<V: ValueStruct>(row: &V, writer: &mut ValueWriter) -> Box<[u8]> {
    let mut bytes = Vec::new();
    row.put_fields(writer);
    writer.finish(&mut bytes);
    bytes.into_boxed_slice()
}

impl<K: RowKey, V: ValueStruct + Clone> Family for Table<K, V> {
    fn describe(family: FamilyNumber, value: &[u8], out: &mut String) -> Result<(), StateError> {
        decode::<V>(family, value)?.json_fields(out);
        Ok(())
    }

    fn open(family: FamilyNumber, store: &Rc<dyn StateRead>) -> Result<Self, StateError> {
        Ok(Self {
            family,
            store: store.clone(),
            rows: RefCell::default(),
            journal: Vec::new(),
            step: 1,
            dirty: Vec::new(),
            pinned: VecDeque::new(),
            clean: RefCell::default(),
        })
    }

    fn commit_step(&mut self) {
        if !self.journal.is_empty() {
            self.journal.clear();
            self.step += 1;
        }
    }

    fn rollback_step(&mut self) {
        while let Some(undo) = self.journal.pop() {
            if undo.resident {
                if let Some(slot) = self.rows.get_mut().get_mut(&undo.key) {
                    slot.value = undo.value;
                    slot.dirty = undo.dirty;
                    slot.born = undo.born;
                    slot.step = 0;
                }
            } else {
                self.rows.get_mut().remove(&undo.key);
            }
        }
        self.step += 1;
    }

    fn drain(&mut self, number: u64, writer: &mut ValueWriter, out: &mut Vec<RowChange>) {
        let family = self.family;
        let rows = self.rows.get_mut();
        for key in self.dirty.drain(..) {
            let Some(slot) = rows.get_mut(&key) else {
                continue;
            };
            if !slot.dirty {
                continue;
            }
            slot.dirty = false;
            let unseen = slot.born && slot.value.is_none();
            if !unseen {
                let mut row_key = Vec::with_capacity(24);
                row_key.push(family);
                key.put(&mut row_key);
                out.push(RowChange {
                    key: row_key.into_boxed_slice(),
                    value: slot.value.as_deref().map(|row| encode(row, writer)),
                    born: slot.born,
                });
            }
            slot.born = false;
            slot.pinned = number;
            self.pinned.push_back((number, key));
        }
    }

    fn persisted(&mut self, number: u64) {
        let rows = self.rows.get_mut();
        let clean = self.clean.get_mut();
        while let Some((pinned, key)) = self.pinned.pop_front() {
            if pinned > number {
                self.pinned.push_front((pinned, key));
                break;
            }
            let Some(slot) = rows.get_mut(&key) else {
                continue;
            };
            if slot.dirty || slot.pinned != pinned {
                continue;
            }
            slot.pinned = 0;
            if slot.value.is_none() {
                rows.remove(&key);
            } else if !slot.queued {
                slot.queued = true;
                clean.push_back(key);
            }
        }
        // Second chance: what was used since the hand passed goes to the back once more. Counted are
        // rows, not places in the queue: most rows die early and leave their place behind.
        let busy = self.pinned.len() + self.dirty.len();
        let room = RESIDENT_ROWS_MAX + busy;
        let mut looks = EVICTION_LOOKS_MAX;
        while (rows.len() > room || clean.len() > QUEUE_MAX) && looks > 0 {
            looks -= 1;
            let Some(key) = clean.pop_front() else { break };
            let rows_fit = rows.len() <= room;
            let Some(slot) = rows.get_mut(&key) else {
                continue;
            };
            if slot.dirty || slot.pinned != 0 {
                // Comes back when its write set is persisted.
                slot.queued = false;
            } else if slot.used || rows_fit {
                slot.used &= rows_fit;
                clean.push_back(key);
            } else {
                rows.remove(&key);
            }
        }
    }

    fn overlay(&self, out: &mut Overlay) {
        let mut writer = ValueWriter::default();
        let rows = self.rows.borrow();
        #[expect(clippy::iter_over_hash_type, reason = "collected into an ordered map")]
        for (key, slot) in rows.iter() {
            let value = slot.value.as_deref().map(|row| encode(row, &mut writer));
            out.insert(self.row_key(key), value);
        }
    }
}

impl<K, V> std::fmt::Debug for Table<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Table({}, {} resident)",
            self.family,
            self.rows.borrow().len()
        )
    }
}
