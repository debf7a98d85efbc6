//! Completed activities that can be compensated, by process instance.
//!
//! Written by the appliers of COMPENSATION_SUBSCRIPTION events. Keys grow, so the members of an
//! instance stand in the order in which the activities completed.

use std::rc::Rc;
use std::sync::Arc;

use crate::ids::Key;
use crate::record::value::CompensationSubscriptionRecord;
use crate::record_value;
use crate::state::{State, StateError};

record_value! {
    /// A compensation subscription.
    pub struct CompensationSubscriptionRow {
        /// Its record.
        record "": Arc<CompensationSubscriptionRecord>,
    }
}

impl State {
    /// The subscriptions of a process instance, in the order in which the activities completed.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub fn compensations_of(
        &self,
        instance: Key,
    ) -> Result<Vec<(Key, Rc<CompensationSubscriptionRow>)>, StateError> {
        self.compensation_subscriptions.with(&instance, |rows| {
            rows.iter().map(|(key, row)| (*key, row.clone())).collect()
        })
    }
}
