//! User tasks that the engine manages.
//!
//! A task lives from CREATING until it is completed or canceled. While a transition is under way its
//! state says which, and the row keeps what the transition will make of the task: listeners may hold
//! it up, see it and correct it.

use std::sync::Arc;

use crate::ids::Key;
use crate::record::Text;
use crate::record::value::{GlobalListenerRecord, UserTaskRecord, VariableDocumentRecord};
use crate::{field_enum, record_value};

field_enum! {
    /// Where a user task stands; all client commands need `Created`.
    pub enum UserTaskState {
        /// Being created.
        #[default] Creating = 0 "CREATING",
        /// Waits for somebody.
        Created = 1 "CREATED",
        /// Being completed.
        Completing = 2 "COMPLETING",
        /// Being canceled with its element.
        Canceling = 3 "CANCELING",
        /// Being given to somebody.
        Assigning = 4 "ASSIGNING",
        /// Being changed.
        Updating = 5 "UPDATING",
        /// Being taken by somebody.
        Claiming = 6 "CLAIMING",
    }
}

record_value! {
    /// Variables that are set once the listeners of the update are done.
    pub struct VariableUpdate {
        /// Key of the VARIABLE_DOCUMENT events.
        key "": Key,
        /// What is asked for.
        record "": Arc<VariableDocumentRecord>,
    }
}

record_value! {
    /// A user task.
    pub struct UserTaskRow {
        /// Its record, without variables.
        record "": Arc<UserTaskRecord>,
        /// Its state.
        state "": UserTaskState,
        /// The task as the transition under way will leave it, with what listeners corrected; at
        /// most one.
        pending "": Vec<Arc<UserTaskRecord>>,
        /// Listeners of the transition under way that are done.
        listeners_done "": i32,
        /// Assignee of the model until the task is created.
        first_assignee "": Text,
        /// What the update under way does to variables; at most one.
        variable_update "": Vec<VariableUpdate>,
        /// Listeners of all user tasks as they were when the transition under way began, in the
        /// order in which they are called.
        global_listeners "": Vec<Arc<GlobalListenerRecord>>,
    }
}
