//! Global listeners: by type and id, and the key of the configuration that they make.
//!
//! They are few. A transition of a user task copies them into the task's row when it begins, so that
//! changes of the configuration do not touch transitions that are under way.

use std::sync::Arc;

use crate::record::value::{GlobalListenerRecord, GlobalListenerType};
use crate::record_value;
use crate::state::{State, StateError};

record_value! {
    /// A global listener.
    pub struct GlobalListenerRow {
        /// Its record.
        record "": Arc<GlobalListenerRecord>,
    }
}

impl State {
    /// The group of a type of listeners.
    pub(crate) const fn global_listener_group(kind: GlobalListenerType) -> u8 {
        kind as u8
    }

    /// The listeners of all user tasks in the order in which they are called.
    pub(crate) fn global_task_listeners(
        &self,
    ) -> Result<Vec<Arc<GlobalListenerRecord>>, StateError> {
        let group = Self::global_listener_group(GlobalListenerType::UserTask);
        let mut all: Vec<_> = self.global_listeners.with(&group, |rows| {
            rows.values().map(|row| row.record.clone()).collect()
        })?;
        all.sort_by(|a, b| b.priority.cmp(&a.priority).then_with(|| a.id.cmp(&b.id)));
        Ok(all)
    }
}
