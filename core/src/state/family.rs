//! What every kind of table has in common: undo of a step, draining to a write set, eviction.
//!
//! The three kinds: [`Table`](super::table::Table) (one row per key), [`Groups`](super::groups::Groups)
//! (rows that are read together, resident per group) and [`Index`](super::index::Index) (ordered,
//! resident whole). All are owned by [`State`](super::State) and written by appliers only.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::record::field::{DecodeError, ValueWriter};
use crate::state::store::{ReadError, RowChange, StateRead};

/// First byte of every row key of a family; frozen, see the table in [`state`](super).
pub type FamilyNumber = u8;

/// Rows as bytes, resident ones over stored ones; `None` = deleted.
pub type Overlay = BTreeMap<Vec<u8>, Option<Box<[u8]>>>;

/// Why state could not be read. The partition stops; nothing is guessed.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The store did not answer.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A stored row does not decode.
    #[error("row of state family {family}: {source}")]
    Row {
        /// Its family.
        family: FamilyNumber,
        /// What did not fit.
        source: DecodeError,
    },
}

/// The life of a table between steps and write sets.
pub trait Family: Sized {
    /// The family over what `store` holds; loads it if it is resident whole.
    ///
    /// # Errors
    /// When the store cannot answer or holds bytes that are no such row.
    fn open(family: FamilyNumber, store: &Rc<dyn StateRead>) -> Result<Self, StateError>;
    /// Appends the JSON form of a stored value.
    ///
    /// # Errors
    /// If the bytes are no such row.
    fn describe(family: FamilyNumber, value: &[u8], out: &mut String) -> Result<(), StateError>;
    /// Keeps the changes since the last call.
    fn commit_step(&mut self);
    /// Undoes the changes since the last `commit_step`.
    fn rollback_step(&mut self);
    /// Appends the changes since the last drain; they stay resident until `persisted(number)`.
    fn drain(&mut self, number: u64, writer: &mut ValueWriter, out: &mut Vec<RowChange>);
    /// Write sets up to `number` can be read from the store now.
    fn persisted(&mut self, number: u64);
    /// Puts every resident row over `out`.
    fn overlay(&self, out: &mut Overlay);
}
