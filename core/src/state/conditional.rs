//! Watched conditions: by what waits for them, those of process start events also by tenant.
//!
//! What waits is an element instance, or for a process start event its definition.

use std::rc::Rc;
use std::sync::Arc;

use crate::ids::Key;
use crate::record::value::ConditionalSubscriptionRecord;
use crate::record_value;
use crate::state::{State, StateError, Unit};

record_value! {
    /// A conditional subscription.
    pub struct ConditionalSubscriptionRow {
        /// Its record.
        record "": Arc<ConditionalSubscriptionRecord>,
    }
}

/// What waits: the element instance, else the definition.
fn waiting(record: &ConditionalSubscriptionRecord) -> Key {
    if record.element_instance_key.is_some() {
        record.element_instance_key
    } else {
        record.process_definition_key
    }
}

impl State {
    pub(crate) fn put_conditional_subscription(
        &mut self,
        key: Key,
        record: &Arc<ConditionalSubscriptionRecord>,
    ) -> Result<(), StateError> {
        if !record.element_instance_key.is_some() {
            self.conditional_starts.put(
                record.tenant_id.clone(),
                record.process_definition_key,
                Unit {},
            )?;
        }
        let row = ConditionalSubscriptionRow {
            record: record.clone(),
        };
        self.conditional_subscriptions
            .put(waiting(record), key, row)
    }

    pub(crate) fn remove_conditional_subscription(
        &mut self,
        key: Key,
        record: &ConditionalSubscriptionRecord,
    ) -> Result<(), StateError> {
        let waiting = waiting(record);
        self.conditional_subscriptions.remove(&waiting, &key)?;
        if !record.element_instance_key.is_some()
            && self.conditional_subscriptions.is_empty(&waiting)?
        {
            self.conditional_starts
                .remove(&record.tenant_id, &waiting)?;
        }
        Ok(())
    }

    /// The subscription `key` that `record` describes.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub fn conditional_subscription(
        &self,
        key: Key,
        record: &ConditionalSubscriptionRecord,
    ) -> Result<Option<Rc<ConditionalSubscriptionRow>>, StateError> {
        self.conditional_subscriptions.get(&waiting(record), &key)
    }

    /// The subscriptions of an element instance (or a definition), in the order of their keys.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub fn conditional_subscriptions_of(
        &self,
        waiting: Key,
    ) -> Result<Vec<(Key, Rc<ConditionalSubscriptionRow>)>, StateError> {
        self.conditional_subscriptions.with(&waiting, |rows| {
            rows.iter().map(|(key, row)| (*key, row.clone())).collect()
        })
    }
}
