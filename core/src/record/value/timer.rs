//! Timers of catch events and of process start events.
//!
//! Zeebe: `TimerRecord`.

use crate::ids::{Key, Timestamp};
use crate::record::Text;
use crate::record::value::default_tenant;
use crate::record_value;

record_value! {
    /// A timer. The record key is the timer key.
    pub struct TimerRecord {
        /// Element instance that waits; -1 for start events.
        element_instance_key "elementInstanceKey": Key,
        /// Instance; -1 for start events.
        process_instance_key "processInstanceKey": Key,
        /// Root of the call hierarchy.
        root_process_instance_key "rootProcessInstanceKey": Key,
        /// When it is due, epoch milliseconds.
        due_date "dueDate": Timestamp,
        /// Element that it triggers.
        target_element_id "targetElementId": Text,
        /// Times left; -1 = for ever.
        repetitions "repetitions": i32,
        /// Definition.
        process_definition_key "processDefinitionKey": Key,
        /// Tenant.
        tenant_id "tenantId": Text = default_tenant(),
    }
}
