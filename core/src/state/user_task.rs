//! User tasks that the engine manages.
//!
//! A task lives from CREATING until it is completed or canceled. While a transition is under way its
//! state says which; what the transition will change is in the events, not in the row.

use std::sync::Arc;

use crate::record::value::UserTaskRecord;
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
    /// A user task.
    pub struct UserTaskRow {
        /// Its record, without variables.
        record "": Arc<UserTaskRecord>,
        /// Its state.
        state "": UserTaskState,
    }
}
