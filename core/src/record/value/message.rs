//! Messages and the subscriptions that wait for them, on both partitions involved.
//!
//! Zeebe: `MessageRecord`, `MessageSubscriptionRecord`, `ProcessMessageSubscriptionRecord`,
//! `MessageStartEventSubscriptionRecord`, `MessageBatchRecord`, `MessageCorrelationRecord`.

use crate::ids::{Key, PartitionId, Timestamp};
use crate::record::value::default_tenant;
use crate::record::{Document, Text};
use crate::record_value;

record_value! {
    /// A published message.
    pub struct MessageRecord {
        /// Name.
        name "name": Text,
        /// What subscriptions match.
        correlation_key "correlationKey": Text,
        /// Unique among living messages of the same name and correlation key; empty = not unique.
        message_id "messageId": Text,
        /// Milliseconds to keep it; <= 0 = not kept.
        time_to_live "timeToLive": i64,
        /// When it expires, epoch milliseconds.
        deadline "deadline": Timestamp,
        /// Payload.
        variables "variables": Document,
        /// Tenant.
        tenant_id "tenantId": Text = default_tenant(),
    }
}

record_value! {
    /// Message-side subscription, on the partition of the correlation key.
    pub struct MessageSubscriptionRecord {
        /// Instance that waits.
        process_instance_key "processInstanceKey": Key,
        /// Element instance that waits.
        element_instance_key "elementInstanceKey": Key,
        /// BPMN process id; a message correlates once per id.
        bpmn_process_id "bpmnProcessId": Text,
        /// Definition.
        process_definition_key "processDefinitionKey": Key,
        /// Message being correlated.
        message_key "messageKey": Key,
        /// Name waited for.
        message_name "messageName": Text,
        /// Correlation key waited for.
        correlation_key "correlationKey": Text,
        /// Closes after the first message.
        interrupting "interrupting": bool = true,
        /// Payload of the message being correlated.
        variables "variables": Document,
        /// Tenant.
        tenant_id "tenantId": Text = default_tenant(),
        /// Element that waits.
        element_id "elementId": Text,
    }
}

record_value! {
    /// Instance-side subscription, on the partition of the instance.
    pub struct ProcessMessageSubscriptionRecord {
        /// Partition that holds the message side.
        subscription_partition_id "": PartitionId = PartitionId(0),
        /// Instance that waits.
        process_instance_key "processInstanceKey": Key,
        /// Root of the call hierarchy.
        root_process_instance_key "rootProcessInstanceKey": Key,
        /// Element instance that waits.
        element_instance_key "elementInstanceKey": Key,
        /// BPMN process id.
        bpmn_process_id "bpmnProcessId": Text,
        /// Definition.
        process_definition_key "processDefinitionKey": Key,
        /// Correlated message.
        message_key "messageKey": Key,
        /// Name waited for.
        message_name "messageName": Text,
        /// Correlation key waited for.
        correlation_key "correlationKey": Text,
        /// Closes after the first message.
        interrupting "interrupting": bool = true,
        /// Payload of the correlated message.
        variables "variables": Document,
        /// Element that takes the message.
        element_id "elementId": Text,
        /// Tenant.
        tenant_id "tenantId": Text = default_tenant(),
    }
}

record_value! {
    /// Subscription of a process start event.
    pub struct MessageStartEventSubscriptionRecord {
        /// Definition that starts.
        process_definition_key "processDefinitionKey": Key,
        /// BPMN process id.
        bpmn_process_id "bpmnProcessId": Text,
        /// Name waited for.
        message_name "messageName": Text,
        /// Start event.
        start_event_id "startEventId": Text,
        /// Instance that the message started.
        process_instance_key "processInstanceKey": Key,
        /// The message.
        message_key "messageKey": Key,
        /// Its correlation key.
        correlation_key "correlationKey": Text,
        /// Its payload.
        variables "variables": Document,
        /// Tenant.
        tenant_id "tenantId": Text = default_tenant(),
    }
}

record_value! {
    /// Messages to expire together.
    pub struct MessageBatchRecord {
        /// Their keys.
        message_keys "messageKeys": Vec<Key>,
    }
}

record_value! {
    /// A synchronous correlation.
    pub struct MessageCorrelationRecord {
        /// Name.
        name "name": Text,
        /// Correlation key.
        correlation_key "correlationKey": Text,
        /// Payload.
        variables "variables": Document,
        /// Tenant.
        tenant_id "tenantId": Text = default_tenant(),
        /// The message that was published for it.
        message_key "messageKey": Key,
        /// Instance it reached.
        process_instance_key "processInstanceKey": Key,
        /// Request to answer once it is correlated; 0 = none.
        request_id "": u64,
    }
}
