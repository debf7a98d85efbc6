//! Agents: elements of a model that are marked as such, what runs of them, and what they said.
//!
//! An agent definition comes with the deployment of a marked element. An agent instance is made by
//! the worker of such an element and told about its progress; a history item is one message of its
//! conversation, which counts once the job that produced it has completed.
//! Zeebe (8.10): `AgentDefinitionRecord`, `AgentInstanceRecord`, `AgentHistoryRecord`.

use std::sync::Arc;

use crate::ids::{Key, Timestamp};
use crate::record::value::default_tenant;
use crate::record::{RawValue, Text};
use crate::{field_enum, record_value};

field_enum! {
    /// What kind of agent an element is.
    pub enum AgentDefinitionType {
        /// None.
        #[default] Unspecified = 0 "UNSPECIFIED",
        /// An ad-hoc sub-process whose activities are the tools.
        AiAgentSubProcess = 1 "AI_AGENT_SUB_PROCESS",
        /// A service task.
        AiAgentTask = 2 "AI_AGENT_TASK",
        /// An agent that runs elsewhere.
        ExternalAgent = 3 "EXTERNAL_AGENT",
    }
}

field_enum! {
    /// What an agent instance is doing.
    pub enum AgentInstanceStatus {
        /// Not given.
        #[default] Unspecified = 0 "UNSPECIFIED",
        /// Just made.
        Initializing = 1 "INITIALIZING",
        /// Looks for tools.
        ToolDiscovery = 2 "TOOL_DISCOVERY",
        /// Waits for its model.
        Thinking = 3 "THINKING",
        /// Waits for tools.
        ToolCalling = 4 "TOOL_CALLING",
        /// Waits for somebody.
        Idle = 5 "IDLE",
        /// Its process instance has ended.
        Completed = 6 "COMPLETED",
    }
}

field_enum! {
    /// Who a history item is from.
    pub enum AgentHistoryRole {
        /// Not given.
        #[default] Unspecified = 0 "UNSPECIFIED",
        /// A person.
        User = 1 "USER",
        /// The model.
        Assistant = 2 "ASSISTANT",
        /// A tool.
        ToolResult = 3 "TOOL_RESULT",
        /// Nobody: it changes the agent.
        Configuration = 4 "CONFIGURATION",
    }
}

field_enum! {
    /// What a block of content is.
    pub enum AgentContentType {
        /// Not given.
        #[default] Unspecified = 0 "UNSPECIFIED",
        /// Text.
        Text = 1 "TEXT",
        /// A reference to a document.
        Document = 2 "DOCUMENT",
        /// Any value.
        Object = 3 "OBJECT",
    }
}

record_value! {
    /// An agent definition. The record key is its own.
    pub struct AgentDefinitionRecord {
        /// Its key.
        agent_definition_key "agentDefinitionKey": Key,
        /// Its kind.
        agent_type "agentType": AgentDefinitionType,
        /// Name of the element, or its id.
        name "name": Text,
        /// Element.
        element_id "elementId": Text,
        /// BPMN process id.
        bpmn_process_id "bpmnProcessId": Text,
        /// Definition.
        process_definition_key "processDefinitionKey": Key,
        /// Version of the definition.
        process_definition_version "processDefinitionVersion": i32 = -1,
        /// Version tag of the definition; empty if it has none.
        process_definition_version_tag "processDefinitionVersionTag": Text,
        /// Tenant.
        tenant_id "tenantId": Text = default_tenant(),
    }
}

record_value! {
    /// A block of a message: a text, a document or any value.
    pub struct AgentContent {
        /// What it is.
        content_type "contentType": AgentContentType,
        /// The text.
        text "text": Text,
        /// The reference to a document, as the API shows it.
        document_reference "documentReference": RawValue,
        /// The value.
        object "object": RawValue,
    }
}

record_value! {
    /// A call of a tool that a model asked for, or that a result answers.
    pub struct AgentToolCall {
        /// Id that the model gave it.
        tool_call_id "toolCallId": Text,
        /// Tool, as the model knows it.
        tool_name "toolName": Text,
        /// Element that is the tool; empty if none is.
        element_id "elementId": Text,
        /// Arguments; null if none were given.
        arguments "arguments": RawValue,
    }
}

record_value! {
    /// A tool that an agent may call.
    pub struct AgentTool {
        /// Name, as the model knows it.
        name "name": Text,
        /// What it does; may be empty.
        description "description": Text,
        /// Element that is the tool; empty if none is.
        element_id "elementId": Text,
    }
}

record_value! {
    /// What an agent is made of.
    pub struct AgentInstanceDefinition {
        /// Model.
        model "model": Text,
        /// Who runs the model.
        provider "provider": Text,
        /// What the model is told first.
        system_prompt "systemPrompt": Vec<AgentContent>,
    }
}

record_value! {
    /// What an agent instance has used: totals in events, increments (-1 = not given) in commands.
    pub struct AgentInstanceMetrics {
        /// Tokens given to the model.
        input_tokens "inputTokens": i64,
        /// Tokens the model gave.
        output_tokens "outputTokens": i64,
        /// Calls of the model.
        model_calls "modelCalls": i32,
        /// Calls of tools.
        tool_calls "toolCalls": i32,
    }
}

record_value! {
    /// What an agent may use; -1 = no limit.
    pub struct AgentInstanceLimits {
        /// Tokens.
        max_tokens "maxTokens": i64 = -1,
        /// Calls of the model.
        max_model_calls "maxModelCalls": i32 = -1,
        /// Calls of tools.
        max_tool_calls "maxToolCalls": i32 = -1,
    }
}

record_value! {
    /// What one call of a model used; -1 = not given.
    pub struct AgentHistoryMetrics {
        /// Tokens given to the model.
        input_tokens "inputTokens": i64 = -1,
        /// Tokens the model gave.
        output_tokens "outputTokens": i64 = -1,
        /// Milliseconds.
        duration_ms "durationMs": i64 = -1,
    }
}

record_value! {
    /// A message of an agent's conversation. The record key is its own.
    pub struct AgentHistoryRecord {
        /// Its key.
        agent_history_key "agentHistoryKey": Key,
        /// Agent instance.
        agent_instance_key "agentInstanceKey": Key,
        /// Element instance that produced it.
        element_instance_key "elementInstanceKey": Key,
        /// Instance.
        process_instance_key "processInstanceKey": Key,
        /// Root of the call hierarchy.
        root_process_instance_key "rootProcessInstanceKey": Key,
        /// BPMN process id.
        bpmn_process_id "bpmnProcessId": Text,
        /// Definition.
        process_definition_key "processDefinitionKey": Key,
        /// Tenant.
        tenant_id "tenantId": Text = default_tenant(),
        /// Job that produced it.
        job_key "jobKey": Key,
        /// Which activation of the job; empty if it has no lease.
        job_lease "jobLease": Text,
        /// Id that the client gave it; empty if none.
        history_item_id "historyItemId": Text,
        /// Turn of the agent, from 1; 0 = not given.
        loop_iteration "loopIteration": i32,
        /// Who it is from.
        role "role": AgentHistoryRole,
        /// When it was produced.
        produced_at "producedAt": Timestamp,
        /// What it says.
        content "content": Vec<AgentContent>,
        /// Calls of tools it asks for or answers.
        tool_calls "toolCalls": Vec<AgentToolCall>,
        /// What it took.
        metrics "metrics": Arc<AgentHistoryMetrics>,
        /// What a configuration changes of the agent, by name.
        changed_attributes "changedAttributes": Vec<Text>,
        /// Its new model.
        model "model": Text,
        /// Its new provider.
        provider "provider": Text,
        /// Its new system prompt.
        system_prompt "systemPrompt": Vec<AgentContent>,
        /// Its new tools.
        tools "tools": Vec<AgentTool>,
        /// Its new limits.
        limits "limits": Arc<AgentInstanceLimits>,
        /// It was there already and is only repeated in an answer.
        is_duplicate "duplicate": bool,
    }
}

record_value! {
    /// A running agent. The record key is its own.
    pub struct AgentInstanceRecord {
        /// Its key.
        agent_instance_key "agentInstanceKey": Key,
        /// Element instance that works for it.
        element_instance_key "elementInstanceKey": Key,
        /// Element instances that have worked for it.
        element_instance_keys "elementInstanceKeys": Vec<Key>,
        /// Element.
        element_id "elementId": Text,
        /// BPMN process id.
        bpmn_process_id "bpmnProcessId": Text,
        /// Instance.
        process_instance_key "processInstanceKey": Key,
        /// Root of the call hierarchy.
        root_process_instance_key "rootProcessInstanceKey": Key,
        /// Definition.
        process_definition_key "processDefinitionKey": Key,
        /// Version of the definition.
        process_definition_version "processDefinitionVersion": i32 = -1,
        /// Version tag of the definition; empty if it has none.
        process_definition_version_tag "processDefinitionVersionTag": Text,
        /// Agent definition; -1 if its element is not marked.
        agent_definition_key "agentDefinitionKey": Key,
        /// Tenant.
        tenant_id "tenantId": Text = default_tenant(),
        /// What it is doing.
        status "status": AgentInstanceStatus,
        /// What it is made of.
        definition "definition": Arc<AgentInstanceDefinition>,
        /// What it has used.
        metrics "metrics": Arc<AgentInstanceMetrics>,
        /// What it may use.
        limits "limits": Arc<AgentInstanceLimits>,
        /// What it may call.
        tools "tools": Vec<AgentTool>,
        /// What a command or event changes, by name.
        changed_attributes "changedAttributes": Vec<Text>,
        /// Job of which the worker speaks; -1 if none.
        job_key "jobKey": Key,
        /// Which activation of the job; empty if it has no lease.
        job_lease "jobLease": Text,
        /// Messages that come with the command.
        history "history": Vec<Arc<AgentHistoryRecord>>,
    }
}
