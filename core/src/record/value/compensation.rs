//! Activities that can be compensated, and what compensates them.
//!
//! Owned by the process instance: there from the completion of the activity until its compensation is
//! done, its scope is terminated or the instance ends. Zeebe: `CompensationSubscriptionRecord`.

use crate::ids::Key;
use crate::record::value::default_tenant;
use crate::record::{Document, Text};
use crate::record_value;

record_value! {
    /// A completed activity (or a scope that holds such activities) that can be compensated.
    pub struct CompensationSubscriptionRecord {
        /// Tenant.
        tenant_id "tenantId": Text = default_tenant(),
        /// Instance.
        process_instance_key "processInstanceKey": Key,
        /// Definition.
        process_definition_key "processDefinitionKey": Key,
        /// The activity.
        compensable_activity_id "compensableActivityId": Text,
        /// Flow scope of the activity.
        compensable_activity_scope_key "compensableActivityScopeKey": Key,
        /// Event that threw the compensation; empty until then.
        throw_event_id "throwEventId": Text,
        /// Instance of that event.
        throw_event_instance_key "throwEventInstanceKey": Key,
        /// What compensates the activity; empty for a scope.
        compensation_handler_id "compensationHandlerId": Text,
        /// Instance of the handler.
        compensation_handler_instance_key "compensationHandlerInstanceKey": Key,
        /// Instance of the activity, gone by now.
        compensable_activity_instance_key "compensableActivityInstanceKey": Key,
        /// Local variables of the activity; not filled.
        variables "variables": Document,
    }
}
