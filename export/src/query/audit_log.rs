//! The audit log: operations of users, done or refused.
//!
//! The key is that of the record that says it: partition and position. Agents, channels and tools
//! of callers are not told apart here and are always absent.

use super::field::{EntityFields, Field};

pub(crate) const FIELDS: EntityFields = EntityFields {
    from: "audit_log t",
    fields: &[
        Field::key("auditLogKey", "t.audit_log_key").present(),
        Field::text("entityKey", "t.entity_key").present(),
        Field::text("entityType", "t.entity_type").present(),
        Field::text("operationType", "t.operation_type").present(),
        Field::key("batchOperationKey", "t.batch_operation_key"),
        Field::text("batchOperationType", "t.batch_operation_type"),
        Field::time("timestamp", "t.timestamp").present(),
        Field::text("actorId", "t.actor_id"),
        Field::text("actorType", "t.actor_type"),
        Field::text("agentElementId", "CAST(NULL AS CHAR)").unsorted(),
        Field::text("tenantId", "t.tenant_id"),
        Field::text("result", "t.result").present(),
        Field::text("category", "t.category").present(),
        Field::text("processDefinitionId", "t.process_definition_id"),
        Field::key("processDefinitionKey", "t.process_definition_key"),
        Field::key("processInstanceKey", "t.process_instance_key"),
        Field::key("rootProcessInstanceKey", "t.root_process_instance_key").unsorted(),
        Field::key("elementInstanceKey", "t.element_instance_key"),
        Field::key("jobKey", "t.job_key"),
        Field::key("userTaskKey", "t.user_task_key"),
        Field::text("decisionRequirementsId", "t.decision_requirements_id"),
        Field::key("decisionRequirementsKey", "t.decision_requirements_key"),
        Field::text("decisionDefinitionId", "t.decision_definition_id"),
        Field::key("decisionDefinitionKey", "t.decision_definition_key"),
        Field::key("decisionEvaluationKey", "t.decision_evaluation_key"),
        Field::key("deploymentKey", "t.deployment_key").unsorted(),
        Field::key("formKey", "t.form_key").unsorted(),
        Field::key("resourceKey", "t.resource_key").unsorted(),
        Field::text("relatedEntityKey", "t.related_entity_key").unsorted(),
        Field::text("relatedEntityType", "t.related_entity_type").unsorted(),
        Field::text("entityDescription", "t.entity_description").unsorted(),
        Field::text("inboundChannelType", "CAST(NULL AS CHAR)"),
        Field::text("inboundChannelToolName", "CAST(NULL AS CHAR)"),
    ],
    lists: &[],
    key: &["auditLogKey"],
    variables: None,
};
