//! Element instances: one row per active scope, activity, event or gateway.
//!
//! Written by the appliers of PROCESS_INSTANCE events. The row keeps the record of the instance and
//! what the record does not say: its state and counters over its children and tokens.

use std::sync::Arc;

use crate::ids::Key;
use crate::record::Text;
use crate::record::value::{MultiInstanceRecord, ProcessInstanceRecord};
use crate::state::{State, StateError};
use crate::{field_enum, record_value};

field_enum! {
    /// Where an element instance stands, named as the event that brought it there.
    pub enum ElementState {
        /// Being activated; an incident or a start listener may hold it here.
        #[default] Activating = 2 "ELEMENT_ACTIVATING",
        /// Active.
        Activated = 3 "ELEMENT_ACTIVATED",
        /// Being completed; an incident or an end listener may hold it here.
        Completing = 4 "ELEMENT_COMPLETING",
        /// Waits for its children to terminate.
        Terminating = 6 "ELEMENT_TERMINATING",
    }
}

record_value! {
    /// A counter.
    pub struct CountRow {
        /// The count.
        count "": i32,
    }
}

record_value! {
    /// An element instance.
    pub struct ElementRow {
        /// Its record.
        record "": Arc<ProcessInstanceRecord>,
        /// Its state.
        state "": ElementState,
        /// Children that are neither completed nor terminated.
        active_children "": i32,
        /// Children completed so far (multi-instance body only).
        completed_children "": i32,
        /// Children terminated so far (multi-instance body only).
        terminated_children "": i32,
        /// Children created so far (multi-instance body only).
        created_children "": i32,
        /// Tokens on flows inside this scope.
        active_flows "": i32,
        /// Those flows, one entry per token.
        active_flow_ids "": Vec<Text>,
        /// Job it waits for.
        job_key "": Key,
        /// User task it waits for.
        user_task_key "": Key,
        /// Position in its multi-instance body, from 1; of a body the last position given out.
        loop_counter "": i32,
        /// Element that interrupted this scope; empty = none.
        interrupting_element_id "": Text,
        /// Child instance of a call activity.
        called_child_key "": Key,
        /// Number of calls above this process instance, from 1.
        depth "": i32 = 1,
        /// Execution listeners of the current phase that are done.
        listener_index "": i32,
        /// An ad-hoc sub-process that is done once nothing is active in it.
        completion_condition_fulfilled "": bool,
        /// Agent instance it works for.
        agent_instance_key "": Key,
    }
}

record_value! {
    /// What a multi-instance body iterates over.
    pub struct InputCollectionRow {
        /// The items.
        record "": Arc<MultiInstanceRecord>,
    }
}

impl ElementRow {
    /// True if it is activated.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.state == ElementState::Activated
    }

    /// True if it terminates.
    #[must_use]
    pub fn is_terminating(&self) -> bool {
        self.state == ElementState::Terminating
    }

    /// True if an event or a terminate end event interrupted this scope.
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        !self.interrupting_element_id.is_empty()
    }

    /// True if it may still be terminated.
    #[must_use]
    pub fn can_terminate(&self) -> bool {
        match self.state {
            ElementState::Activating | ElementState::Activated | ElementState::Completing => true,
            ElementState::Terminating => false,
        }
    }
}

impl State {
    /// The business id of the instance that an element is of. It may have come later than the
    /// element, which then does not name it.
    pub(crate) fn business_id(&self, of: &ProcessInstanceRecord) -> Result<Text, StateError> {
        let row = self.elements.get(&of.process_instance_key)?;
        Ok(row.map_or(Text::EMPTY, |row| row.record.business_id.clone()))
    }

    /// Number of distinct flows with a token that waits at `gateway` in `scope`.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub fn taken_flow_count(&self, scope: Key, gateway: &Text) -> Result<usize, StateError> {
        self.taken_flows
            .with(&(scope, gateway.clone()), |rows| rows.len())
    }
}
