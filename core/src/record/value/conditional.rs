//! Conditions that are watched, and requests to evaluate those of process start events.
//!
//! A subscription belongs to the element instance whose variables it sees, or for a process start
//! event to the definition. Zeebe: `ConditionalSubscriptionRecord`, `ConditionalEvaluationRecord`.

use crate::ids::Key;
use crate::record::value::default_tenant;
use crate::record::{Document, Text};
use crate::record_value;

record_value! {
    /// A catch event (or process start event) that waits for a condition to hold.
    pub struct ConditionalSubscriptionRecord {
        /// Scope in which the condition is evaluated; -1 for process start events.
        scope_key "scopeKey": Key,
        /// Element instance that waits; -1 for process start events.
        element_instance_key "elementInstanceKey": Key,
        /// Instance.
        process_instance_key "processInstanceKey": Key,
        /// Definition.
        process_definition_key "processDefinitionKey": Key,
        /// BPMN process id.
        bpmn_process_id "bpmnProcessId": Text,
        /// Catch event.
        catch_event_id "catchEventId": Text,
        /// The event ends what it waits in.
        interrupting "interrupting": bool = true,
        /// FEEL.
        condition "condition": Text,
        /// Only changes of these variables count; empty = all.
        variable_names "variableNames": Vec<Text>,
        /// Only these kinds of change count (`create`, `update`); empty = all.
        variable_events "variableEvents": Vec<Text>,
        /// Tenant.
        tenant_id "tenantId": Text = default_tenant(),
        /// Root of the instance's call hierarchy.
        root_process_instance_key "rootProcessInstanceKey": Key,
    }
}

record_value! {
    /// An instance that an evaluation started.
    pub struct StartedInstance {
        /// Its definition.
        process_definition_key "processDefinitionKey": Key,
        /// Its key.
        process_instance_key "processInstanceKey": Key,
    }
}

record_value! {
    /// An evaluation of the conditions of process start events.
    pub struct ConditionalEvaluationRecord {
        /// Only start events of this definition; -1 for those of all.
        process_definition_key "processDefinitionKey": Key,
        /// What the conditions see; also the variables of started instances.
        variables "variables": Document,
        /// Tenant.
        tenant_id "tenantId": Text = default_tenant(),
        /// Instances that were started.
        started "startedProcessInstances": Vec<StartedInstance>,
    }
}
