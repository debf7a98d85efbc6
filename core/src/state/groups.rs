//! Rows that are read together: the variables of a scope, the children of an element instance.
//!
//! A group is resident whole or not at all, so that walking it never merges with a store scan. A
//! group whose name was just created ([`Groups::found`]) is known to be empty and costs no scan;
//! any other group is loaded with one bounded scan when it is first touched.
//!
//! Invariants: as for [`Table`](super::table::Table), per group.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::ops::ControlFlow;
use std::rc::Rc;

use rustc_hash::FxHashMap;

use crate::record::field::{DecodeError, ValueStruct, ValueWriter};
use crate::state::family::{Family, FamilyNumber, Overlay, StateError};
use crate::state::key::{RowKey, after_prefix};
use crate::state::store::{RowChange, StateRead};
use crate::state::table::{EVICTION_LOOKS_MAX, decode, encode};

/// Persisted groups kept resident per family before the oldest go.
pub const RESIDENT_GROUPS_MAX: usize = 32 * 1024;

/// Places in the eviction queue, those of groups that are gone included.
const QUEUE_MAX: usize = 4 * RESIDENT_GROUPS_MAX;

#[derive(Debug)]
struct Group<C, V> {
    rows: BTreeMap<C, Rc<V>>,
    /// Number of the last write set that carried one of its rows, until that is persisted.
    pinned: u64,
    /// Rows changed since the last write set.
    dirty: u32,
    /// Stands in the eviction queue.
    queued: bool,
}

impl<C, V> Default for Group<C, V> {
    fn default() -> Self {
        Self {
            rows: BTreeMap::new(),
            pinned: 0,
            dirty: 0,
            queued: false,
        }
    }
}

/// Rows of one family, addressed by group and member.
pub struct Groups<P, C, V> {
    family: FamilyNumber,
    store: Rc<dyn StateRead>,
    groups: RefCell<FxHashMap<P, Group<C, V>>>,
    journal: Vec<(P, C, Option<Rc<V>>)>,
    /// Changed rows, and whether they existed when the last write set was taken.
    dirty: BTreeMap<(P, C), bool>,
    pinned: VecDeque<(u64, P)>,
    clean: RefCell<VecDeque<P>>,
}

impl<P: RowKey, C: RowKey, V: ValueStruct> Groups<P, C, V> {
    /// One row.
    ///
    /// # Errors
    /// When the store cannot answer or holds bytes that are no such row.
    pub fn get(&self, group: &P, member: &C) -> Result<Option<Rc<V>>, StateError> {
        self.with(group, |rows| rows.get(member).cloned())
    }

    /// Calls `f` with the rows of a group in member order. `f` must not touch this family.
    ///
    /// # Errors
    /// As [`Groups::get`].
    pub fn with<T>(
        &self,
        group: &P,
        f: impl FnOnce(&BTreeMap<C, Rc<V>>) -> T,
    ) -> Result<T, StateError> {
        if let Some(resident) = self.groups.borrow().get(group) {
            return Ok(f(&resident.rows));
        }
        let mut loaded = self.load(group)?;
        loaded.queued = true;
        let result = f(&loaded.rows);
        self.groups.borrow_mut().insert(group.clone(), loaded);
        self.clean.borrow_mut().push_back(group.clone());
        Ok(result)
    }

    /// The members of a group in order.
    ///
    /// # Errors
    /// As [`Groups::get`].
    pub fn members(&self, group: &P) -> Result<Vec<C>, StateError> {
        self.with(group, |rows| rows.keys().cloned().collect())
    }

    /// Whether a group has no row.
    ///
    /// # Errors
    /// As [`Groups::get`].
    pub fn is_empty(&self, group: &P) -> Result<bool, StateError> {
        self.with(group, BTreeMap::is_empty)
    }

    /// States that `group` is named by a key that was never used before: it is empty.
    /// This is knowledge about rows and changes none.
    pub(crate) fn found(&self, group: &P) {
        let mut groups = self.groups.borrow_mut();
        let resident = groups.entry(group.clone()).or_default();
        if !resident.queued {
            resident.queued = true;
            self.clean.borrow_mut().push_back(group.clone());
        }
    }

    /// Lets go of a group that is of no more use, if it is empty and nothing of it is under way.
    pub(crate) fn release(&mut self, group: &P) {
        let groups = self.groups.get_mut();
        if groups
            .get(group)
            .is_some_and(|group| group.rows.is_empty() && group.dirty == 0 && group.pinned == 0)
        {
            groups.remove(group);
        }
    }

    /// Writes a row.
    ///
    /// # Errors
    /// As [`Groups::get`].
    pub(crate) fn put(&mut self, group: P, member: C, row: V) -> Result<(), StateError> {
        self.change(group, member, Some(Rc::new(row)))
    }

    /// Deletes a row, whether or not there is one.
    ///
    /// # Errors
    /// As [`Groups::get`].
    pub(crate) fn remove(&mut self, group: &P, member: &C) -> Result<(), StateError> {
        if self.get(group, member)?.is_some() {
            self.change(group.clone(), member.clone(), None)?;
        }
        Ok(())
    }

    /// Deletes all rows of a group.
    ///
    /// # Errors
    /// As [`Groups::get`].
    pub(crate) fn clear(&mut self, group: &P) -> Result<(), StateError> {
        for member in self.members(group)? {
            self.change(group.clone(), member, None)?;
        }
        Ok(())
    }

    fn change(&mut self, group: P, member: C, row: Option<Rc<V>>) -> Result<(), StateError> {
        self.with(&group, |_| ())?;
        let resident = self.groups.get_mut().entry(group.clone()).or_default();
        let was = match row {
            Some(row) => resident.rows.insert(member.clone(), row),
            None => resident.rows.remove(&member),
        };
        let existed = was.is_some();
        self.dirty
            .entry((group.clone(), member.clone()))
            .or_insert_with(|| {
                resident.dirty += 1;
                existed
            });
        self.journal.push((group, member, was));
        Ok(())
    }

    fn load(&self, group: &P) -> Result<Group<C, V>, StateError> {
        let mut prefix = Vec::with_capacity(24);
        prefix.push(self.family);
        group.put(&mut prefix);
        let mut loaded = Group::default();
        let mut failure = None;
        self.store
            .scan(&prefix, &after_prefix(&prefix), &mut |key, value| {
                let mut rest = &key[prefix.len()..];
                let row = C::take(&mut rest)
                    .filter(|_| rest.is_empty())
                    .ok_or(StateError::Row {
                        family: self.family,
                        source: DecodeError::new("row key"),
                    })
                    .and_then(|member| Ok((member, decode(self.family, value)?)));
                match row {
                    Ok((member, row)) => {
                        loaded.rows.insert(member, Rc::new(row));
                        ControlFlow::Continue(())
                    }
                    Err(error) => {
                        failure = Some(error);
                        ControlFlow::Break(())
                    }
                }
            })?;
        failure.map_or(Ok(loaded), Err)
    }

    fn row_key(family: FamilyNumber, group: &P, member: &C) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(32);
        bytes.push(family);
        group.put(&mut bytes);
        member.put(&mut bytes);
        bytes
    }
}

impl<P: RowKey, C: RowKey, V: ValueStruct> Family for Groups<P, C, V> {
    fn describe(family: FamilyNumber, value: &[u8], out: &mut String) -> Result<(), StateError> {
        decode::<V>(family, value)?.json_fields(out);
        Ok(())
    }

    fn open(family: FamilyNumber, store: &Rc<dyn StateRead>) -> Result<Self, StateError> {
        Ok(Self {
            family,
            store: store.clone(),
            groups: RefCell::default(),
            journal: Vec::new(),
            dirty: BTreeMap::new(),
            pinned: VecDeque::new(),
            clean: RefCell::default(),
        })
    }

    fn commit_step(&mut self) {
        self.journal.clear();
    }

    fn rollback_step(&mut self) {
        while let Some((group, member, was)) = self.journal.pop() {
            if let Some(resident) = self.groups.get_mut().get_mut(&group) {
                match was {
                    Some(row) => resident.rows.insert(member, row),
                    None => resident.rows.remove(&member),
                };
            }
        }
    }

    fn drain(&mut self, number: u64, writer: &mut ValueWriter, out: &mut Vec<RowChange>) {
        let groups = self.groups.get_mut();
        for ((group, member), existed) in std::mem::take(&mut self.dirty) {
            let Some(resident) = groups.get_mut(&group) else {
                continue;
            };
            resident.dirty = resident.dirty.saturating_sub(1);
            let row = resident.rows.get(&member);
            if row.is_some() || existed {
                out.push(RowChange {
                    key: Self::row_key(self.family, &group, &member).into_boxed_slice(),
                    value: row.map(|row| encode(&**row, writer)),
                    born: !existed,
                });
            }
            if resident.pinned != number {
                resident.pinned = number;
                self.pinned.push_back((number, group));
            }
        }
    }

    fn persisted(&mut self, number: u64) {
        let groups = self.groups.get_mut();
        let clean = self.clean.get_mut();
        while let Some((pinned, group)) = self.pinned.pop_front() {
            if pinned > number {
                self.pinned.push_front((pinned, group));
                break;
            }
            let Some(resident) = groups.get_mut(&group) else {
                continue;
            };
            if resident.pinned != pinned {
                continue;
            }
            resident.pinned = 0;
            if resident.dirty > 0 {
                continue;
            }
            if resident.rows.is_empty() {
                groups.remove(&group);
            } else if !resident.queued {
                resident.queued = true;
                clean.push_back(group);
            }
        }
        // Counted are groups, not places in the queue: most groups are released early and leave
        // their place behind.
        let room = RESIDENT_GROUPS_MAX + self.pinned.len() + self.dirty.len();
        let mut looks = EVICTION_LOOKS_MAX;
        while (groups.len() > room || clean.len() > QUEUE_MAX) && looks > 0 {
            looks -= 1;
            let Some(group) = clean.pop_front() else {
                break;
            };
            let groups_fit = groups.len() <= room;
            if let Some(resident) = groups.get_mut(&group) {
                if resident.dirty > 0 || resident.pinned != 0 {
                    resident.queued = false;
                } else if groups_fit {
                    clean.push_back(group);
                } else {
                    groups.remove(&group);
                }
            }
        }
    }

    fn overlay(&self, out: &mut Overlay) {
        let mut writer = ValueWriter::default();
        for (group, member) in self.dirty.keys() {
            out.insert(Self::row_key(self.family, group, member), None);
        }
        let groups = self.groups.borrow();
        #[expect(clippy::iter_over_hash_type, reason = "collected into an ordered map")]
        for (group, resident) in groups.iter() {
            let mut prefix = vec![self.family];
            group.put(&mut prefix);
            // A resident group is whole: what the store still shows of it is outdated.
            let end = after_prefix(&prefix);
            for (_, value) in out.range_mut(prefix..end) {
                *value = None;
            }
            for (member, row) in &resident.rows {
                let key = Self::row_key(self.family, group, member);
                out.insert(key, Some(encode(&**row, &mut writer)));
            }
        }
    }
}

impl<P, C, V> std::fmt::Debug for Groups<P, C, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Groups({}, {} resident)",
            self.family,
            self.groups.borrow().len()
        )
    }
}
