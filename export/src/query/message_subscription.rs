//! Message subscriptions of element instances (PROCESS_EVENT) and of start events (START_EVENT).
//!
//! Tool and connector properties are read from element templates by the reference; they are not
//! exported here and are always absent.

use super::field::{EntityFields, Field};

pub(crate) const FIELDS: EntityFields = EntityFields {
    from: "message_subscription t LEFT JOIN process_definition d \
           ON d.process_definition_key = t.process_definition_key",
    fields: &[
        Field::key("messageSubscriptionKey", "t.message_subscription_key").present(),
        Field::text("processDefinitionId", "t.process_definition_id").present(),
        Field::key("processDefinitionKey", "t.process_definition_key").unsorted(),
        Field::key("processInstanceKey", "t.process_instance_key"),
        Field::key("rootProcessInstanceKey", "t.root_process_instance_key").unsorted(),
        Field::text("elementId", "t.flow_node_id").present(),
        Field::key("elementInstanceKey", "t.flow_node_instance_key"),
        Field::text("messageSubscriptionState", "t.message_subscription_state").present(),
        Field::time("lastUpdatedDate", "t.date_time"),
        Field::text("messageName", "t.message_name").present(),
        Field::text("correlationKey", "t.correlation_key"),
        Field::text("messageSubscriptionType", "t.message_subscription_type").present(),
        Field::json("toolProperties", "'{}'"),
        Field::text("processDefinitionName", "d.name"),
        Field::int("processDefinitionVersion", "d.version"),
        Field::text("toolName", "CAST(NULL AS CHAR)"),
        Field::text("inboundConnectorType", "CAST(NULL AS CHAR)"),
        Field::text("tenantId", "t.tenant_id").present(),
    ],
    lists: &[],
    key: &["messageSubscriptionKey"],
    variables: None,
};
