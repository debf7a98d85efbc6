//! Signals and what waits for them.
//!
//! Zeebe: `SignalRecord`, `SignalSubscriptionRecord`.

use crate::ids::Key;
use crate::record::value::default_tenant;
use crate::record::{Document, Text};
use crate::record_value;

record_value! {
    /// A broadcast signal.
    pub struct SignalRecord {
        /// Name.
        signal_name "signalName": Text,
        /// Payload.
        variables "variables": Document,
        /// Tenant.
        tenant_id "tenantId": Text = default_tenant(),
    }
}

record_value! {
    /// A catch event (or process start event) that waits for a signal.
    pub struct SignalSubscriptionRecord {
        /// Definition.
        process_definition_key "processDefinitionKey": Key,
        /// BPMN process id.
        bpmn_process_id "bpmnProcessId": Text,
        /// Name waited for.
        signal_name "signalName": Text,
        /// Catch event.
        catch_event_id "catchEventId": Text,
        /// Element instance that waits; -1 for start events.
        catch_event_instance_key "catchEventInstanceKey": Key,
        /// Instance.
        process_instance_key "processInstanceKey": Key,
        /// Tenant.
        tenant_id "tenantId": Text = default_tenant(),
    }
}
