//! Correlations: which message reached which subscription, when.
//!
//! A subscription that does not interrupt correlates many messages, so a row's identity is the pair
//! of message key and subscription key.

use super::field::{EntityFields, Field};

pub(crate) const FIELDS: EntityFields = EntityFields {
    from: "correlated_message_subscription t \
           LEFT JOIN process_instance i ON i.process_instance_key = t.process_instance_key",
    fields: &[
        Field::text("businessId", "i.business_id"),
        Field::text("correlationKey", "t.correlation_key"),
        Field::time("correlationTime", "t.correlation_time"),
        Field::text("elementId", "t.flow_node_id").present(),
        Field::key("elementInstanceKey", "t.flow_node_instance_key"),
        Field::key("messageKey", "t.message_key").present(),
        Field::text("messageName", "t.message_name").present(),
        Field::int("partitionId", "t.partition_id").present(),
        Field::text("processDefinitionId", "t.process_definition_id").present(),
        Field::key("processDefinitionKey", "t.process_definition_key").present(),
        Field::key("processInstanceKey", "t.process_instance_key").present(),
        Field::key("rootProcessInstanceKey", "t.root_process_instance_key").unsorted(),
        Field::key("subscriptionKey", "t.subscription_key").present(),
        Field::text("tenantId", "t.tenant_id").present(),
    ],
    lists: &[],
    key: &["messageKey", "subscriptionKey"],
    variables: None,
};
