//! Messages, and the subscriptions on both sides of a correlation.
//!
//! Message side (partition of the correlation key): messages while they live, which process each one
//! was given to, subscriptions by element instance and name, subscriptions of start events, and the
//! locks that keep one instance per process and correlation key. Instance side: what an element
//! instance waits for.
//!
//! The indexes follow the rows: they change only through the functions of this file. A subscription
//! that waits for the other partition stands in an index of its own, so that resending never scans.

use std::rc::Rc;
use std::sync::Arc;

use crate::ids::{Key, Timestamp};
use crate::record::Text;
use crate::record::value::{
    MessageCorrelationRecord, MessageRecord, MessageStartEventSubscriptionRecord,
    MessageSubscriptionRecord, ProcessMessageSubscriptionRecord,
};
use crate::state::{State, StateError, Unit};
use crate::{field_enum, record_value};

/// What a message is found by: tenant, name, correlation key.
pub type MessageAddress = (Text, Text, Text);

record_value! {
    /// A published message.
    pub struct MessageRow {
        /// Its record.
        record "": Arc<MessageRecord>,
    }
}

record_value! {
    /// The correlation key under which a message started an instance.
    pub struct StartLockRow {
        /// Tenant.
        tenant_id "": Text,
        /// BPMN process id.
        bpmn_process_id "": Text,
        /// The correlation key.
        correlation_key "": Text,
    }
}

record_value! {
    /// A subscription on the message side.
    pub struct MessageSubscriptionRow {
        /// Its key.
        key "": Key,
        /// Its record, with the key and the variables of the last message.
        record "": Arc<MessageSubscriptionRecord>,
        /// A message is on its way to the instance; no other one is taken.
        correlating "": bool,
    }
}

field_enum! {
    /// Where a subscription on the instance side stands.
    pub enum ProcessMessageSubscriptionState {
        /// The message side has not confirmed it.
        #[default] Opening = 0 "OPENING",
        /// Both sides know of it.
        Opened = 1 "OPENED",
        /// The message side has not confirmed its end.
        Closing = 2 "CLOSING",
    }
}

record_value! {
    /// A subscription on the instance side.
    pub struct ProcessMessageSubscriptionRow {
        /// Its key.
        key "": Key,
        /// Its record, with the key and the variables of the last message correlated.
        record "": Arc<ProcessMessageSubscriptionRecord>,
        /// Its state.
        state "": ProcessMessageSubscriptionState,
    }
}

record_value! {
    /// A subscription of a process start event.
    pub struct MessageStartRow {
        /// Its key.
        key "": Key,
        /// Its record.
        record "": Arc<MessageStartEventSubscriptionRecord>,
    }
}

record_value! {
    /// A synchronous correlation whose outcome is not known yet.
    pub struct MessageCorrelationRow {
        /// Its record.
        record "": Arc<MessageCorrelationRecord>,
    }
}

/// Where a message is found.
fn address(record: &MessageRecord) -> MessageAddress {
    (
        record.tenant_id.clone(),
        record.name.clone(),
        record.correlation_key.clone(),
    )
}

fn unique_id(record: &MessageRecord) -> (Text, Text, Text, Text) {
    let (tenant, name, correlation_key) = address(record);
    (tenant, name, correlation_key, record.message_id.clone())
}

fn subscription_address(record: &MessageSubscriptionRecord) -> MessageAddress {
    (
        record.tenant_id.clone(),
        record.message_name.clone(),
        record.correlation_key.clone(),
    )
}

impl State {
    /// Whether a living message has the id of `record`, under its name and correlation key.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub fn has_message_id(&self, record: &MessageRecord) -> Result<bool, StateError> {
        self.message_ids.contains(&unique_id(record))
    }

    /// The oldest message at `address` that is alive at `now` and was not given to the process
    /// `bpmn_process_id` yet.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub fn next_message(
        &self,
        address: &MessageAddress,
        bpmn_process_id: &Text,
        now: Timestamp,
    ) -> Result<Option<(Key, Rc<MessageRow>)>, StateError> {
        for key in self.messages_by_address.members(address)? {
            let Some(message) = self.messages.get(&key)? else {
                continue;
            };
            if message.record.deadline > now
                && self
                    .message_correlations
                    .get(&key, bpmn_process_id)?
                    .is_none()
            {
                return Ok(Some((key, message)));
            }
        }
        Ok(None)
    }

    /// The subscriptions at `address`, in the order of their element instances.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub fn subscriptions_at(
        &self,
        address: &MessageAddress,
    ) -> Result<Vec<Rc<MessageSubscriptionRow>>, StateError> {
        let mut found = Vec::new();
        for element in self.message_subscriptions_by_address.members(address)? {
            let id = (element, address.1.clone());
            found.extend(self.message_subscriptions.get(&id)?);
        }
        Ok(found)
    }

    pub(crate) fn insert_message(
        &mut self,
        key: Key,
        record: Arc<MessageRecord>,
    ) -> Result<(), StateError> {
        self.messages_by_address
            .put(address(&record), key, Unit {})?;
        self.message_correlations.found(&key);
        self.message_deadlines.insert((record.deadline, key));
        if !record.message_id.is_empty() {
            self.message_ids.put(unique_id(&record), Unit {})?;
        }
        self.messages.insert_new(key, MessageRow { record });
        Ok(())
    }

    pub(crate) fn remove_message(&mut self, key: Key) -> Result<(), StateError> {
        let Some(row) = self.messages.get(&key)? else {
            return Ok(());
        };
        let record = &row.record;
        self.messages_by_address.remove(&address(record), &key)?;
        self.message_deadlines.remove(&(record.deadline, key));
        if !record.message_id.is_empty() {
            self.message_ids.remove(&unique_id(record))?;
        }
        self.message_correlations.clear(&key)?;
        self.messages.remove(&key)
    }

    /// Writes a subscription of the message side and its indexes.
    pub(crate) fn put_message_subscription(
        &mut self,
        row: MessageSubscriptionRow,
    ) -> Result<(), StateError> {
        let record = &row.record;
        let element = record.element_instance_key;
        let id = (element, record.message_name.clone());
        self.message_subscriptions_by_address.put(
            subscription_address(record),
            element,
            Unit {},
        )?;
        if row.correlating {
            self.correlating_subscriptions.insert(id.clone());
        } else {
            self.correlating_subscriptions.remove(&id);
        }
        self.message_subscriptions.put(id, row)
    }

    pub(crate) fn remove_message_subscription(
        &mut self,
        element: Key,
        name: &Text,
    ) -> Result<(), StateError> {
        let id = (element, name.clone());
        let Some(row) = self.message_subscriptions.get(&id)? else {
            return Ok(());
        };
        self.message_subscriptions_by_address
            .remove(&subscription_address(&row.record), &element)?;
        self.correlating_subscriptions.remove(&id);
        self.message_subscriptions.remove(&id)
    }

    /// Writes a subscription of the instance side and its index.
    pub(crate) fn put_process_subscription(
        &mut self,
        row: ProcessMessageSubscriptionRow,
    ) -> Result<(), StateError> {
        let element = row.record.element_instance_key;
        let name = row.record.message_name.clone();
        let id = (element, name.clone());
        match row.state {
            ProcessMessageSubscriptionState::Opening | ProcessMessageSubscriptionState::Closing => {
                self.pending_process_subscriptions.insert(id);
            }
            ProcessMessageSubscriptionState::Opened => {
                self.pending_process_subscriptions.remove(&id);
            }
        }
        self.process_message_subscriptions.put(element, name, row)
    }

    pub(crate) fn remove_process_subscription(
        &mut self,
        element: Key,
        name: &Text,
    ) -> Result<(), StateError> {
        self.pending_process_subscriptions
            .remove(&(element, name.clone()));
        self.process_message_subscriptions.remove(&element, name)
    }

    /// Whether an instance that a message with this correlation key started still runs.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub fn is_start_locked(
        &self,
        tenant: &Text,
        bpmn_process_id: &Text,
        correlation_key: &Text,
    ) -> Result<bool, StateError> {
        self.message_start_locks.contains(&(
            tenant.clone(),
            bpmn_process_id.clone(),
            correlation_key.clone(),
        ))
    }

    pub(crate) fn lock_start(
        &mut self,
        instance: Key,
        lock: StartLockRow,
    ) -> Result<(), StateError> {
        self.message_start_locks.put(
            (
                lock.tenant_id.clone(),
                lock.bpmn_process_id.clone(),
                lock.correlation_key.clone(),
            ),
            Unit {},
        )?;
        self.message_locked_instances.put(instance, lock)
    }

    /// The instance ended: the next message with its correlation key may start one.
    pub(crate) fn unlock_start(&mut self, instance: Key) -> Result<(), StateError> {
        let Some(lock) = self.message_locked_instances.get(&instance)? else {
            return Ok(());
        };
        self.message_start_locks.remove(&(
            lock.tenant_id.clone(),
            lock.bpmn_process_id.clone(),
            lock.correlation_key.clone(),
        ))?;
        self.message_locked_instances.remove(&instance)
    }

    pub(crate) fn put_message_start(&mut self, row: MessageStartRow) -> Result<(), StateError> {
        let record = &row.record;
        let definition = record.process_definition_key;
        let name = record.message_name.clone();
        self.message_starts_by_definition
            .put(definition, name.clone(), Unit {})?;
        let address = (record.tenant_id.clone(), name);
        self.message_starts.put(address, definition, row)
    }

    pub(crate) fn remove_message_start(
        &mut self,
        tenant: &Text,
        name: &Text,
        definition: Key,
    ) -> Result<(), StateError> {
        self.message_starts_by_definition
            .remove(&definition, name)?;
        self.message_starts
            .remove(&(tenant.clone(), name.clone()), &definition)
    }
}
