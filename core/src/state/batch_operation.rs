//! Batch operations on this partition: how far each has got, and the items still to do.
//!
//! Items wait in chunks of bounded size, each a row of its own, numbered without gaps; the
//! operation's row knows the first and the next number. An operation is in one of two resident
//! indexes while there is something to do for it: pending until all items are found, active while
//! items are to be done and nobody suspended it.

use std::sync::Arc;

use crate::ids::{Key, PartitionId};
use crate::record::Text;
use crate::record::value::{BatchOperationCreationRecord, BatchOperationError};
use crate::record_value;

record_value! {
    /// A batch operation.
    pub struct BatchOperationRow {
        /// Its record.
        record "": Arc<BatchOperationCreationRecord>,
        /// Somebody suspended it.
        suspended "": bool,
        /// All items of this partition are found.
        initialized "": bool,
        /// All items of this partition are done, or it failed; only the leading partition keeps the
        /// row then.
        done "": bool,
        /// Cursor of the last item found.
        cursor "": Text,
        /// Number of the first chunk that has items.
        first_chunk "": u64,
        /// Number of the next chunk.
        next_chunk "": u64,
        /// Items found.
        total "": i64,
        /// Items done.
        executed "": i64,
        /// Leading partition: who has reported.
        finished_partitions "": Vec<PartitionId>,
        /// Leading partition: who has failed.
        errors "": Vec<Arc<BatchOperationError>>,
    }
}

impl BatchOperationRow {
    /// Camunda's name of its state.
    #[must_use]
    pub fn status(&self) -> &'static str {
        match (self.suspended, self.initialized) {
            (true, _) => "SUSPENDED",
            (false, true) => "INITIALIZED",
            (false, false) => "CREATED",
        }
    }

    /// Whether items can be done now.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.initialized && !self.suspended && !self.done
    }
}

record_value! {
    /// Items still to do.
    pub struct BatchOperationChunkRow {
        /// Their keys.
        items "": Vec<Key>,
    }
}
