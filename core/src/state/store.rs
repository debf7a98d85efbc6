//! The one port through which the engine reads persisted state, and the shape in which changes leave.
//!
//! The engine never writes to a store: it collects a [`WriteSet`] per committed step, which the
//! storage crate applies in order. A [`StateRead`] always shows committed and persisted rows only;
//! everything newer lives in the resident tables above it.
//!
//! Contract: row keys are compared as unsigned bytes; a scan sees every row of the half-open range
//! once, in key order, and stops when told to; the store does not change during one call.

use std::ops::ControlFlow;

/// Why a read could not be answered. The partition stops; nothing is guessed.
#[derive(Debug, thiserror::Error)]
#[error("reading state failed: {0}")]
pub struct ReadError(pub String);

/// What a scan calls for each row; it decides whether to go on.
pub type Visit<'v> = &'v mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>;

/// Reads committed, persisted rows.
pub trait StateRead {
    /// The row under `key`, if there is one.
    ///
    /// # Errors
    /// When the store cannot answer (input/output, corruption).
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError>;

    /// Visits the rows with `from <= key < to` in key order until `visit` breaks.
    ///
    /// # Errors
    /// When the store cannot answer (input/output, corruption).
    fn scan(&self, from: &[u8], to: &[u8], visit: Visit<'_>) -> Result<(), ReadError>;
}

/// One changed row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowChange {
    /// Row key, family prefix included.
    pub key: Box<[u8]>,
    /// New bytes, or `None` for a deleted row.
    pub value: Option<Box<[u8]>>,
    /// True if the engine knows that no row was under this key before this change: a later
    /// deletion then cancels it, and neither needs to reach the disk.
    pub born: bool,
}

/// All state changes of one committed step, at most one per row, ordered by row key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WriteSet {
    /// The changes.
    pub rows: Vec<RowChange>,
}
