//! Committed changes on their way into RocksDB: folded row by row, then written as one batch.
//!
//! A [`Pending`] layer belongs to the store's thread; when a flush begins it is frozen and shared
//! with the thread that writes it. What matters for a row is whether there is one *below* the
//! layer (frozen layer and RocksDB together): only if there is none may its deletion leave
//! nothing behind. `born` says that for the first change of a row in the layer, never for a later
//! one: a row that was deleted and is born again still has its old self below.
//!
//! | in the layer | change | becomes |
//! |---|---|---|
//! | nothing | value | value; nothing below if born |
//! | nothing | deletion | nothing if born, else a deletion |
//! | value or deletion, nothing below | deletion | nothing |
//! | value or deletion, perhaps a row below | deletion | a deletion |
//! | value or deletion | value | value; what is below stays as it was |

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Bound;
use std::sync::Arc;

use ringflow_core::state::store::RowChange;
use rocksdb::{DB, ErrorKind, WriteBatch, WriteOptions};

use super::{APPLIED_KEY, Applied, Flushed, RESERVED_PREFIX};

/// Bytes a row takes beside its key and value, about.
const ROW_OVERHEAD: usize = 64;

type Rows<R> = BTreeMap<Box<[u8]>, R>;
/// A row of a layer: new bytes, or `None` for a deletion.
type Value = Option<Box<[u8]>>;

#[derive(Debug)]
struct Row {
    value: Value,
    /// There is no such row below.
    absent_below: bool,
}

/// Changes folded since the last flush.
#[derive(Debug, Default)]
pub(super) struct Pending {
    rows: Rows<Row>,
    bytes: usize,
}

fn cost(key: &[u8], value: &Value) -> usize {
    ROW_OVERHEAD + key.len() + value.as_ref().map_or(0, |value| value.len())
}

impl Pending {
    /// Takes a change; see the module's table.
    pub(super) fn fold(&mut self, change: RowChange) {
        assert!(
            !change.key.starts_with(&RESERVED_PREFIX),
            "row keys of the engine do not begin with ff ff"
        );
        let RowChange { key, value, born } = change;
        match self.rows.entry(key) {
            Entry::Vacant(vacant) => {
                if value.is_none() && born {
                    return;
                }
                self.bytes += cost(vacant.key(), &value);
                vacant.insert(Row {
                    value,
                    absent_below: born,
                });
            }
            Entry::Occupied(mut occupied) => {
                self.bytes -= cost(occupied.key(), &occupied.get().value);
                if value.is_none() && occupied.get().absent_below {
                    occupied.remove();
                    return;
                }
                self.bytes += cost(occupied.key(), &value);
                occupied.get_mut().value = value;
            }
        }
    }

    /// Bytes held, about.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The row, if the layer knows it.
    pub(super) fn get(&self, key: &[u8]) -> Option<&Value> {
        self.rows.get(key).map(|row| &row.value)
    }

    /// The rows of a range, in order.
    pub(super) fn range<'l>(
        &'l self,
        from: &[u8],
        to: &[u8],
    ) -> impl Iterator<Item = (&'l [u8], &'l Value)> {
        self.rows
            .range::<[u8], _>((Bound::Included(from), Bound::Excluded(to)))
            .map(|(key, row)| (&**key, &row.value))
    }

    /// Takes everything out.
    pub(super) fn freeze(&mut self, applied: Applied) -> Frozen {
        let rows = std::mem::take(&mut self.rows)
            .into_iter()
            .map(|(key, row)| (key, row.value))
            .collect();
        Frozen {
            rows,
            bytes: std::mem::take(&mut self.bytes),
            applied,
        }
    }
}

/// A layer that is being written.
#[derive(Debug)]
pub(super) struct Frozen {
    rows: Rows<Value>,
    bytes: usize,
    applied: Applied,
}

impl Frozen {
    pub(super) const fn applied(&self) -> Applied {
        self.applied
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn get(&self, key: &[u8]) -> Option<&Value> {
        self.rows.get(key)
    }

    pub(super) fn range<'l>(
        &'l self,
        from: &[u8],
        to: &[u8],
    ) -> impl Iterator<Item = (&'l [u8], &'l Value)> {
        self.rows
            .range::<[u8], _>((Bound::Included(from), Bound::Excluded(to)))
            .map(|(key, value)| (&**key, value))
    }
}

/// Writes a frozen layer into RocksDB; may be taken to another thread.
#[must_use = "a flush that is begun has to be run and finished"]
pub struct FlushJob {
    db: Arc<DB>,
    frozen: Arc<Frozen>,
}

impl std::fmt::Debug for FlushJob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FlushJob")
            .field("rows", &self.frozen.rows.len())
            .finish_non_exhaustive()
    }
}

/// How a [`FlushJob`] ended.
#[derive(Debug)]
#[must_use = "the store goes on showing the frozen rows until it knows"]
pub struct FlushOutcome(pub(super) Result<Flushed, rocksdb::Error>);

impl FlushJob {
    pub(super) fn new(db: Arc<DB>, frozen: Arc<Frozen>) -> Self {
        Self { db, frozen }
    }

    /// Writes the rows and the position as one batch. Give the outcome to
    /// [`StateStore::finish_flush`](super::StateStore::finish_flush).
    pub fn run(self) -> FlushOutcome {
        FlushOutcome(self.write())
    }

    fn write(&self) -> Result<Flushed, rocksdb::Error> {
        let mut batch = WriteBatch::with_capacity_bytes(self.frozen.bytes);
        for (key, value) in &self.frozen.rows {
            match value {
                Some(value) => batch.put(key, value),
                None => batch.delete(key),
            }
        }
        batch.put(APPLIED_KEY, self.frozen.applied.encode());
        let mut options = WriteOptions::default();
        options.disable_wal(true);
        // The caller pushes back on its clients; a blocked shard could not even do that.
        options.set_no_slowdown(true);
        match self.db.write_opt(batch, &options) {
            Ok(()) => Ok(Flushed::Written),
            Err(error) if error.kind() == ErrorKind::Incomplete => Ok(Flushed::Stalled),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(value: Option<&str>, born: bool) -> RowChange {
        RowChange {
            key: (*b"k").into(),
            value: value.map(|value| value.as_bytes().into()),
            born,
        }
    }

    /// What is left of a row after some changes.
    fn folded(changes: &[(Option<&str>, bool)]) -> Option<Option<String>> {
        let mut pending = Pending::default();
        for (value, born) in changes {
            pending.fold(change(*value, *born));
        }
        if pending.rows.is_empty() {
            assert_eq!(pending.bytes, 0);
        }
        pending.get(b"k").map(|value| {
            value
                .as_ref()
                .map(|value| String::from_utf8_lossy(value).into_owned())
        })
    }

    #[test]
    fn a_row_born_and_dead_in_the_layer_leaves_nothing() {
        assert_eq!(folded(&[(Some("a"), true), (None, false)]), None);
        assert_eq!(
            folded(&[(Some("a"), true), (Some("b"), false), (None, false)]),
            None
        );
        assert_eq!(folded(&[(None, true)]), None);
        // Twice.
        assert_eq!(
            folded(&[
                (Some("a"), true),
                (None, false),
                (Some("b"), true),
                (None, false)
            ]),
            None
        );
    }

    #[test]
    fn a_row_that_is_below_is_deleted_there_even_if_it_was_born_again() {
        assert_eq!(folded(&[(None, false)]), Some(None));
        assert_eq!(
            folded(&[(None, false), (Some("b"), true), (None, false)]),
            Some(None)
        );
        assert_eq!(folded(&[(Some("a"), false), (None, false)]), Some(None));
    }

    #[test]
    fn the_last_value_counts() {
        assert_eq!(
            folded(&[(Some("a"), true), (Some("b"), false)]),
            Some(Some("b".to_owned()))
        );
        assert_eq!(
            folded(&[(None, false), (Some("b"), true)]),
            Some(Some("b".to_owned()))
        );
    }
}
