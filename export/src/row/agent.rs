//! AGENT_DEFINITION, AGENT_INSTANCE, AGENT_HISTORY -> tables of these names, and
//! `agent_instance_element_instance`.
//!
//! Every partition has every agent definition; only the first one writes them. An agent instance is
//! written whole by each of its events but for the dates of its begin and end. What a history item says is
//! in its first event alone; later ones change its status.

use ringflow_core::ids::{Key, PartitionId, Timestamp};
use ringflow_core::json;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::{
    AgentContent, AgentContentType, AgentDefinitionRecord, AgentHistoryRecord, AgentInstanceLimits,
    AgentInstanceRecord, AgentTool, AgentToolCall,
};
use ringflow_core::record::{Intent, RawValue, Record, Text};

use crate::batch::{RowKey, Window};
use crate::row::Datum;
use crate::schema::{Column, ListTable, Table, agent_definition, agent_history, agent_instance};

/// Writes an AGENT_DEFINITION event.
pub fn definition(window: &mut Window, record: &Record, value: &AgentDefinitionRecord) {
    use agent_definition::*;
    // What is deleted stays, as process definitions do.
    if record.intent != Intent::AgentDefinition(of::AgentDefinition::Created)
        || record.partition != PartitionId::DEPLOYMENT
    {
        return;
    }
    window.upsert(
        Table::AgentDefinition,
        RowKey::of(record.key),
        record.position,
        vec![
            (AGENT_TYPE, value.agent_type.name().into()),
            (NAME, Datum::from(&value.name)),
            (ELEMENT_ID, Datum::from(&value.element_id)),
            (PROCESS_DEFINITION_ID, Datum::from(&value.bpmn_process_id)),
            (PROCESS_DEFINITION_KEY, value.process_definition_key.into()),
            (
                PROCESS_DEFINITION_VERSION,
                value.process_definition_version.into(),
            ),
            (
                VERSION_TAG,
                Datum::present(&value.process_definition_version_tag),
            ),
            (TENANT_ID, Datum::from(&value.tenant_id)),
        ],
    );
}

/// Writes an AGENT_INSTANCE event.
pub fn instance(window: &mut Window, record: &Record, value: &AgentInstanceRecord) {
    use agent_instance::*;
    let Intent::AgentInstance(intent) = record.intent else {
        return;
    };
    let (table, key, position) = (
        Table::AgentInstance,
        RowKey::of(record.key),
        record.position,
    );
    let mut columns = about(record, value);
    match intent {
        of::AgentInstance::Created => {
            columns.push((CREATION_DATE, record.timestamp.into()));
            window.upsert(table, key, position, columns);
        }
        of::AgentInstance::Updated | of::AgentInstance::Migrated => {
            window.update(table, key, position, columns);
        }
        of::AgentInstance::Completed => {
            columns.push((COMPLETION_DATE, record.timestamp.into()));
            window.update(table, key, position, columns);
        }
        of::AgentInstance::Create | of::AgentInstance::Update | of::AgentInstance::Complete => {
            return;
        }
    }
    let elements: Vec<Text> = (value.element_instance_keys.iter())
        .map(|key| Text::from(key.to_string()))
        .collect();
    window.replace_list(
        ListTable::AgentInstanceElementInstance,
        record.key,
        position,
        &elements,
    );
}

/// Everything but the dates of begin and end.
fn about(record: &Record, value: &AgentInstanceRecord) -> Vec<(Column, Datum)> {
    use agent_instance::*;
    let AgentInstanceLimits {
        max_tokens,
        max_model_calls,
        max_tool_calls,
    } = *value.limits;
    vec![
        // Also -1, which says that the element is not marked.
        (
            AGENT_DEFINITION_KEY,
            Datum::Int(value.agent_definition_key.0),
        ),
        (ELEMENT_ID, Datum::from(&value.element_id)),
        (PROCESS_INSTANCE_KEY, value.process_instance_key.into()),
        (
            ROOT_PROCESS_INSTANCE_KEY,
            root(value.root_process_instance_key, value.process_instance_key),
        ),
        (PROCESS_DEFINITION_ID, Datum::from(&value.bpmn_process_id)),
        (PROCESS_DEFINITION_KEY, value.process_definition_key.into()),
        (
            PROCESS_DEFINITION_VERSION,
            value.process_definition_version.into(),
        ),
        (
            VERSION_TAG,
            Datum::present(&value.process_definition_version_tag),
        ),
        (TENANT_ID, Datum::from(&value.tenant_id)),
        (STATUS, value.status.name().into()),
        (MODEL, Datum::from(&value.definition.model)),
        (PROVIDER, Datum::from(&value.definition.provider)),
        (SYSTEM_PROMPT, contents(&value.definition.system_prompt)),
        (MAX_TOKENS, Datum::Int(max_tokens)),
        (MAX_MODEL_CALLS, max_model_calls.into()),
        (MAX_TOOL_CALLS, max_tool_calls.into()),
        (INPUT_TOKENS, Datum::Int(value.metrics.input_tokens)),
        (OUTPUT_TOKENS, Datum::Int(value.metrics.output_tokens)),
        (MODEL_CALLS, value.metrics.model_calls.into()),
        (TOOL_CALLS, value.metrics.tool_calls.into()),
        (TOOLS, tools(&value.tools)),
        (LAST_UPDATED_DATE, record.timestamp.into()),
        (PARTITION_ID, record.partition.0.into()),
    ]
}

fn root(root: Key, instance: Key) -> Datum {
    if root.is_some() { root } else { instance }.into()
}

/// Writes an AGENT_HISTORY event.
pub fn history(window: &mut Window, record: &Record, value: &AgentHistoryRecord) {
    use agent_history::*;
    let Intent::AgentHistory(intent) = record.intent else {
        return;
    };
    let (table, key, position) = (Table::AgentHistory, RowKey::of(record.key), record.position);
    let status = |name: &str| vec![(COMMIT_STATUS, Datum::from(name))];
    match intent {
        of::AgentHistory::Created => window.upsert(table, key, position, said(record, value)),
        of::AgentHistory::Committed => window.update(table, key, position, status("COMMITTED")),
        of::AgentHistory::Discarded => window.update(table, key, position, status("DISCARDED")),
        of::AgentHistory::Create | of::AgentHistory::Commit | of::AgentHistory::Discard => {}
    }
}

fn said(record: &Record, value: &AgentHistoryRecord) -> Vec<(Column, Datum)> {
    use agent_history::*;
    let produced = value.produced_at;
    vec![
        (AGENT_INSTANCE_KEY, value.agent_instance_key.into()),
        (ELEMENT_INSTANCE_KEY, value.element_instance_key.into()),
        (PROCESS_INSTANCE_KEY, value.process_instance_key.into()),
        (
            ROOT_PROCESS_INSTANCE_KEY,
            root(value.root_process_instance_key, value.process_instance_key),
        ),
        (PROCESS_DEFINITION_ID, Datum::from(&value.bpmn_process_id)),
        (PROCESS_DEFINITION_KEY, value.process_definition_key.into()),
        (TENANT_ID, Datum::from(&value.tenant_id)),
        (JOB_KEY, value.job_key.into()),
        (JOB_LEASE, Datum::from(&value.job_lease)),
        (HISTORY_ITEM_ID, Datum::from(&value.history_item_id)),
        (LOOP_ITERATION, value.loop_iteration.into()),
        (ROLE, value.role.name().into()),
        (COMMIT_STATUS, "PENDING".into()),
        (
            PRODUCED_AT,
            if produced > Timestamp(0) {
                produced
            } else {
                record.timestamp
            }
            .into(),
        ),
        (INPUT_TOKENS, given(value.metrics.input_tokens)),
        (OUTPUT_TOKENS, given(value.metrics.output_tokens)),
        (DURATION_MS, given(value.metrics.duration_ms)),
        (CONTENT, contents(&value.content)),
        (TOOL_CALLS, list(&value.tool_calls, put_tool_call)),
        (MODEL, Datum::present(&value.model)),
        (PROVIDER, Datum::present(&value.provider)),
        (SYSTEM_PROMPT, contents(&value.system_prompt)),
        (TOOLS, tools(&value.tools)),
        (MAX_TOKENS, Datum::Int(value.limits.max_tokens)),
        (MAX_MODEL_CALLS, value.limits.max_model_calls.into()),
        (MAX_TOOL_CALLS, value.limits.max_tool_calls.into()),
        (PARTITION_ID, record.partition.0.into()),
    ]
}

/// -1 is not given.
fn given(number: i64) -> Datum {
    if number < 0 {
        Datum::Null
    } else {
        Datum::Int(number)
    }
}

/// A list as JSON text.
fn list<T>(items: &[T], put: impl Fn(&T, &mut String)) -> Datum {
    let mut out = String::from("[");
    for item in items {
        if out.len() > 1 {
            out.push(',');
        }
        put(item, &mut out);
    }
    out.push(']');
    Datum::Text(Text::from(out))
}

fn contents(contents: &[AgentContent]) -> Datum {
    list(contents, put_content)
}

fn tools(tools: &[AgentTool]) -> Datum {
    list(tools, put_tool)
}

fn put_content(content: &AgentContent, out: &mut String) {
    let kind = content.content_type;
    put_text(out, "{\"contentType\":", kind.name());
    match kind {
        AgentContentType::Text => put_text(out, ",\"text\":", &content.text),
        AgentContentType::Document => {
            put_json(out, ",\"documentReference\":", &content.document_reference);
        }
        AgentContentType::Object => put_json(out, ",\"object\":", &content.object),
        AgentContentType::Unspecified => {}
    }
    out.push('}');
}

fn put_tool(tool: &AgentTool, out: &mut String) {
    put_text(out, "{\"name\":", &tool.name);
    put_present(out, ",\"description\":", &tool.description);
    put_present(out, ",\"elementId\":", &tool.element_id);
    out.push('}');
}

fn put_tool_call(call: &AgentToolCall, out: &mut String) {
    put_text(out, "{\"toolCallId\":", &call.tool_call_id);
    put_text(out, ",\"toolName\":", &call.tool_name);
    put_present(out, ",\"elementId\":", &call.element_id);
    put_json(out, ",\"arguments\":", &call.arguments);
    out.push('}');
}

fn put_text(out: &mut String, before: &str, text: &str) {
    out.push_str(before);
    json::write_string(text, out);
}

/// Null where it is empty.
fn put_present(out: &mut String, before: &str, text: &str) {
    if text.is_empty() {
        out.push_str(before);
        out.push_str("null");
    } else {
        put_text(out, before, text);
    }
}

/// A value was validated where it entered; what is none all the same becomes null.
fn put_json(out: &mut String, before: &str, value: &RawValue) {
    out.push_str(before);
    let start = out.len();
    if json::from_msgpack(value.as_bytes(), out).is_err() {
        out.truncate(start);
        out.push_str("null");
    }
}
