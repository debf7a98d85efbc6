//! Commands on their way to other partitions, and commands that wait for a step of their own.
//!
//! A distribution lives until every partition acknowledged it. A continuation lives from the step
//! that had no room for the command to the step that processes it.

use std::sync::Arc;

use crate::ids::{Key, PartitionId};
use crate::record::Blob;
use crate::record::value::CommandDistributionRecord;
use crate::record_value;
use crate::state::{State, StateError};

record_value! {
    /// A command being distributed.
    pub struct DistributionRow {
        /// Its record.
        record "": Arc<CommandDistributionRecord>,
    }
}

record_value! {
    /// A command that did not fit into its step.
    pub struct ContinuationRow {
        /// Its record, encoded.
        record "": Blob,
    }
}

impl State {
    /// Whether some partition has not acknowledged a distribution.
    #[must_use]
    pub fn has_pending_distribution(&self, distribution: Key) -> bool {
        self.pending_distributions
            .from((distribution, PartitionId(0)))
            .next()
            .is_some_and(|(key, _)| *key == distribution)
    }

    /// The group that holds all continuations.
    pub const CONTINUATIONS: u8 = 0;

    /// Whether commands wait for a step of their own.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub fn has_continuations(&self) -> Result<bool, StateError> {
        Ok(!self.continuations.is_empty(&Self::CONTINUATIONS)?)
    }
}
