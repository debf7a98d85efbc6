//! Agent definitions, agent instances, and what they said.
//!
//! What the contract puts into objects (definition, metrics, limits) is read here member by member.
//! Element instances of an agent are a list of keys as texts.

use super::field::{EntityFields, Field, ListField, Related};

pub(crate) const DEFINITION: EntityFields = EntityFields {
    from: "agent_definition t",
    fields: &[
        Field::key("agentDefinitionKey", "t.agent_definition_key").present(),
        Field::text("agentType", "t.agent_type").present(),
        Field::text("name", "t.name").present(),
        Field::text("elementId", "t.element_id").present(),
        Field::text("processDefinitionId", "t.process_definition_id").present(),
        Field::key("processDefinitionKey", "t.process_definition_key").present(),
        Field::int("processDefinitionVersion", "t.process_definition_version").present(),
        Field::text("processDefinitionVersionTag", "t.version_tag"),
        Field::text("tenantId", "t.tenant_id").present(),
    ],
    lists: &[],
    key: &["agentDefinitionKey"],
    variables: None,
};

const ELEMENT_INSTANCE: Related = Related {
    from: "agent_instance_element_instance r WHERE r.agent_instance_key = t.agent_instance_key",
    same_row: false,
};

/// Only handed out.
const fn shown(field: Field) -> Field {
    field.unfiltered().unsorted()
}

pub(crate) const INSTANCE: EntityFields = EntityFields {
    from: "agent_instance t",
    fields: &[
        Field::key("agentInstanceKey", "t.agent_instance_key").present(),
        Field::key("agentDefinitionKey", "t.agent_definition_key").present(),
        Field::text("status", "t.status").present(),
        Field::text("elementId", "t.element_id").present(),
        Field::key("processInstanceKey", "t.process_instance_key").present(),
        Field::key("rootProcessInstanceKey", "t.root_process_instance_key").present(),
        Field::text("processDefinitionId", "t.process_definition_id")
            .present()
            .unsorted(),
        Field::key("processDefinitionKey", "t.process_definition_key").present(),
        Field::int("processDefinitionVersion", "t.process_definition_version")
            .present()
            .unsorted(),
        Field::text("processDefinitionVersionTag", "t.version_tag").unsorted(),
        Field::text("tenantId", "t.tenant_id").present(),
        Field::time("creationDate", "t.creation_date"),
        Field::time("lastUpdatedDate", "t.last_updated_date"),
        Field::time("completionDate", "t.completion_date"),
        shown(Field::text("model", "t.model")),
        shown(Field::text("provider", "t.provider")),
        Field::json("systemPrompt", "t.system_prompt"),
        shown(Field::int("maxTokens", "t.max_tokens")),
        shown(Field::int("maxModelCalls", "t.max_model_calls")),
        shown(Field::int("maxToolCalls", "t.max_tool_calls")),
        shown(Field::int("inputTokens", "t.input_tokens")),
        shown(Field::int("outputTokens", "t.output_tokens")),
        shown(Field::int("modelCalls", "t.model_calls")),
        shown(Field::int("toolCalls", "t.tool_calls")),
        Field::json("tools", "t.tools"),
        Field::text("elementInstanceKeys", "r.element_instance_key").of(&ELEMENT_INSTANCE),
    ],
    lists: &[ListField {
        name: "elementInstanceKeys",
        table: "agent_instance_element_instance",
        owner: "agent_instance_key",
        value: "element_instance_key",
    }],
    key: &["agentInstanceKey"],
    variables: None,
};

pub(crate) const HISTORY: EntityFields = EntityFields {
    from: "agent_history t",
    fields: &[
        Field::key("historyItemKey", "t.agent_history_key").present(),
        shown(Field::text("historyItemId", "t.history_item_id")),
        Field::key("agentInstanceKey", "t.agent_instance_key")
            .present()
            .unsorted(),
        Field::key("elementInstanceKey", "t.element_instance_key")
            .present()
            .unsorted(),
        Field::text("processDefinitionId", "t.process_definition_id")
            .present()
            .unsorted(),
        Field::text("tenantId", "t.tenant_id").present().unsorted(),
        Field::key("jobKey", "t.job_key").present().unsorted(),
        shown(Field::text("jobLease", "t.job_lease")),
        Field::int("loopIteration", "t.loop_iteration").present(),
        Field::text("role", "t.role").present(),
        Field::text("commitStatus", "t.commit_status").present(),
        Field::time("producedAt", "t.produced_at"),
        shown(Field::int("inputTokens", "t.input_tokens")),
        shown(Field::int("outputTokens", "t.output_tokens")),
        shown(Field::int("durationMs", "t.duration_ms")),
        Field::json("content", "t.content"),
        Field::json("toolCalls", "t.tool_calls"),
        shown(Field::text("model", "t.model")),
        shown(Field::text("provider", "t.provider")),
        Field::json("systemPrompt", "t.system_prompt"),
        Field::json("tools", "t.tools"),
        shown(Field::int("maxTokens", "t.max_tokens")),
        shown(Field::int("maxModelCalls", "t.max_model_calls")),
        shown(Field::int("maxToolCalls", "t.max_tool_calls")),
    ],
    lists: &[],
    key: &["historyItemKey"],
    variables: None,
};
