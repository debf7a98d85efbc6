//! Event scopes: which events an element instance still accepts, and triggers not yet taken.
//!
//! A trigger carries the payload of an event (or the result of a job) from the command that brought
//! it to the element that takes it. Triggers of a scope are taken in the order of their keys.

use std::rc::Rc;

use crate::ids::Key;
use crate::record::{Document, Text};
use crate::record_value;
use crate::state::{State, StateError};

record_value! {
    /// What an element instance accepts.
    pub struct EventScopeRow {
        /// False once an interrupting boundary event was triggered: nothing more is accepted.
        accepting "": bool = true,
        /// True once an interrupting event was triggered: only boundary events are accepted.
        interrupted "": bool,
        /// Ids of interrupting events.
        interrupting "": Vec<Text>,
        /// Ids of boundary events.
        boundary "": Vec<Text>,
    }
}

record_value! {
    /// A triggered event.
    pub struct TriggerRow {
        /// Element that takes it.
        element_id "": Text,
        /// Payload.
        variables "": Document,
        /// Instance; -1 for any.
        process_instance_key "": Key,
    }
}

impl EventScopeRow {
    /// Whether the event `element_id` may still be triggered.
    #[must_use]
    pub fn accepts(&self, element_id: &Text) -> bool {
        self.accepting && (!self.interrupted || self.boundary.contains(element_id))
    }
}

impl State {
    /// The oldest trigger of a scope.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub fn peek_trigger(&self, scope: Key) -> Result<Option<(Key, Rc<TriggerRow>)>, StateError> {
        self.event_triggers.with(&scope, |rows| {
            rows.first_key_value().map(|(key, row)| (*key, row.clone()))
        })
    }

    /// Whether `scope` accepts the event `element_id`.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub fn accepts_event(&self, scope: Key, element_id: &Text) -> Result<bool, StateError> {
        Ok(self
            .event_scopes
            .get(&scope)?
            .is_some_and(|row| row.accepts(element_id)))
    }

    /// Stores a trigger and what it means for the scope: an interrupting event closes it.
    pub(crate) fn put_trigger(
        &mut self,
        scope: Key,
        event: Key,
        trigger: TriggerRow,
    ) -> Result<(), StateError> {
        if let Some(row) = self.event_scopes.get(&scope)?
            && row.interrupting.contains(&trigger.element_id)
        {
            let boundary = row.boundary.contains(&trigger.element_id);
            self.event_scopes.update(&scope, |row| {
                row.interrupted = true;
                row.accepting &= !boundary;
            })?;
        }
        self.event_triggers.put(scope, event, trigger)
    }
}
