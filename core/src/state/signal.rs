//! Signal subscriptions: by name for the broadcast, by what waits for its end.
//!
//! What waits is an element instance, or for a process start event its definition. A waiting one has
//! at most one subscription per name; the model validator refuses a second.

use std::sync::Arc;

use crate::ids::Key;
use crate::record::Text;
use crate::record::value::SignalSubscriptionRecord;
use crate::record_value;
use crate::state::{State, StateError, Unit};

record_value! {
    /// A signal subscription.
    pub struct SignalSubscriptionRow {
        /// Its key.
        key "": Key,
        /// Its record.
        record "": Arc<SignalSubscriptionRecord>,
    }
}

/// What waits: the element instance, else the definition.
fn waiting(record: &SignalSubscriptionRecord) -> Key {
    if record.catch_event_instance_key.is_some() {
        record.catch_event_instance_key
    } else {
        record.process_definition_key
    }
}

fn address(record: &SignalSubscriptionRecord) -> (Text, Text) {
    (record.tenant_id.clone(), record.signal_name.clone())
}

impl State {
    pub(crate) fn put_signal_subscription(
        &mut self,
        row: SignalSubscriptionRow,
    ) -> Result<(), StateError> {
        let (waiting, address) = (waiting(&row.record), address(&row.record));
        self.signal_subscriptions_by_waiting
            .put(waiting, address.clone(), Unit {})?;
        self.signal_subscriptions.put(address, waiting, row)
    }

    pub(crate) fn remove_signal_subscription(
        &mut self,
        record: &SignalSubscriptionRecord,
    ) -> Result<(), StateError> {
        let (waiting, address) = (waiting(record), address(record));
        self.signal_subscriptions_by_waiting
            .remove(&waiting, &address)?;
        self.signal_subscriptions.remove(&address, &waiting)
    }

    /// The subscriptions of an element instance (or a definition), in the order of their names.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub fn signal_subscriptions_of(
        &self,
        waiting: Key,
    ) -> Result<Vec<std::rc::Rc<SignalSubscriptionRow>>, StateError> {
        let mut found = Vec::new();
        for address in self.signal_subscriptions_by_waiting.members(&waiting)? {
            found.extend(self.signal_subscriptions.get(&address, &waiting)?);
        }
        Ok(found)
    }
}
