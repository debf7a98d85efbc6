//! Listeners of all user tasks, wherever their model is.
//!
//! Zeebe: `GlobalListenerRecord`, `GlobalListenerBatchRecord`. Each change makes a new configuration
//! with a key of its own; a transition of a user task calls the listeners of the configuration it
//! began with.

use std::sync::Arc;

use crate::ids::Key;
use crate::record::Text;
use crate::{field_enum, record_value};

field_enum! {
    /// Where a global listener comes from.
    pub enum GlobalListenerSource {
        /// The settings of the cluster.
        #[default] Configuration = 0 "CONFIGURATION",
        /// A client.
        Api = 1 "API",
    }
}

field_enum! {
    /// Whom a global listener hears.
    pub enum GlobalListenerType {
        /// User tasks.
        #[default] UserTask = 0 "USER_TASK",
    }
}

record_value! {
    /// A global listener. The record key is the listener's, whatever its changes.
    pub struct GlobalListenerRecord {
        /// Its key.
        global_listener_key "globalListenerKey": Key,
        /// Its name, unique among those of its type.
        id "id": Text,
        /// Job type.
        job_type "type": Text,
        /// Retries of its jobs.
        retries "retries": i32 = 3,
        /// When it is called: `creating`, `assigning`, `updating`, `completing`, `canceling`, `all`.
        event_types "eventTypes": Vec<Text>,
        /// Called behind the listeners of the model instead of before them.
        after_non_global "afterNonGlobal": bool,
        /// The highest is called first.
        priority "priority": i32 = 50,
        /// Where it comes from.
        source "source": GlobalListenerSource,
        /// Whom it hears.
        listener_type "listenerType": GlobalListenerType,
        /// Key of the configuration that its last change made.
        config_key "configKey": Key,
    }
}

record_value! {
    /// All global listeners at once: those of the settings as they are ordered, or the news that
    /// there is another configuration.
    pub struct GlobalListenerBatchRecord {
        /// Key of the configuration.
        global_listener_batch_key "globalListenerBatchKey": Key,
        /// The listeners of the settings, and those that go.
        listeners "listeners": Vec<Arc<GlobalListenerRecord>>,
        /// Keys of those that are new.
        created_listener_keys "createdListenerKeys": Vec<Key>,
        /// Keys of those that change.
        updated_listener_keys "updatedListenerKeys": Vec<Key>,
        /// Keys of those that go.
        deleted_listener_keys "deletedListenerKeys": Vec<Key>,
    }
}
