//! Agents tell what they are and do: commands about agent instances and their history.
//!
//! A command goes to the partition of the element instance that speaks, or of the agent instance.
//! What an agent is made of comes with its creation: in a definition of its own, or in a configuration among the
//! history that comes along, never in both.

use std::sync::Arc;

use jiff::Timestamp as Time;
use ringflow_core::ids::{Key, Timestamp};
use ringflow_core::record::Text;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::{
    AgentContent, AgentContentType, AgentHistoryMetrics, AgentHistoryRecord, AgentHistoryRole,
    AgentInstanceDefinition, AgentInstanceLimits, AgentInstanceMetrics, AgentInstanceRecord,
    AgentInstanceStatus, AgentTool, AgentToolCall,
};
use serde_json::Value;

use super::answered;
use super::shape::{Members, ObjectWriter, put_list};
use crate::problem::Problem;
use crate::rest::{Answer, Call};
use crate::route::Target;

/// Characters of the id of a history item.
const ITEM_ID_CHARACTERS: usize = 256;

/// `createAgentInstance`.
pub(crate) async fn create(call: Call) -> Result<Answer, Problem> {
    let body = Members(&call.body);
    let mut violations = Vec::new();
    let element = body.key("elementInstanceKey").unwrap_or_default();
    positive(element, "elementInstanceKey", &mut violations);
    let history = body.list("history");
    check_history(body, &mut violations);
    if history.is_empty() {
        check_definition(body, &mut violations);
    } else {
        for name in ["definition", "limits"] {
            if body.get(name).is_some() {
                violations.push(format!(
                    "The {name} must be omitted when history is provided"
                ));
            }
        }
        check_configured(history, &mut violations);
    }
    done(violations)?;
    let record = AgentInstanceRecord {
        element_instance_key: element,
        definition: Arc::new(definition(body)),
        limits: Arc::new(limits(body)),
        job_key: body.key("jobKey").unwrap_or_default(),
        job_lease: body.text("jobLease"),
        history: items(history),
        ..AgentInstanceRecord::default()
    };
    let command = (call.caller).command(Key::NONE, of::AgentInstance::Create, record, None);
    let response = call
        .front
        .call(&Target::Key(element), command, None)
        .await?;
    let created = answered!(response, AgentInstance)?;
    let mut out = ObjectWriter::new();
    out.key("agentInstanceKey", created.agent_instance_key);
    put_created(&created, &mut out);
    Ok(Answer::Json(out.finish()))
}

/// `updateAgentInstance`.
pub(crate) async fn update(call: Call) -> Result<Answer, Problem> {
    let body = Members(&call.body);
    let key = call.path_key("agentInstanceKey");
    let mut violations = Vec::new();
    positive(key, "agentInstanceKey", &mut violations);
    check_history(body, &mut violations);
    done(violations)?;
    let mut changed = Vec::new();
    let mut changes = |name: &'static str| {
        let given = body.get(name).is_some();
        if given {
            changed.push(Text::from(name));
        }
        given
    };
    let status = if changes("status") {
        let name = body.str("status").unwrap_or_default();
        let known = AgentInstanceStatus::ALL.iter();
        known
            .copied()
            .find(|status| status.name() == name)
            .unwrap_or_default()
    } else {
        AgentInstanceStatus::default()
    };
    changes("metrics");
    changes("tools");
    let record = AgentInstanceRecord {
        agent_instance_key: key,
        element_instance_key: body.key("elementInstanceKey").unwrap_or_default(),
        status,
        metrics: Arc::new(increments(body)),
        tools: tools(body),
        job_key: body.key("jobKey").unwrap_or_default(),
        job_lease: body.text("jobLease"),
        history: items(body.list("history")),
        changed_attributes: changed,
        ..AgentInstanceRecord::default()
    };
    let command = (call.caller).command(key, of::AgentInstance::Update, record, None);
    let response = call.front.call(&Target::Key(key), command, None).await?;
    let updated = answered!(response, AgentInstance)?;
    let mut out = ObjectWriter::new();
    put_created(&updated, &mut out);
    Ok(Answer::Json(out.finish()))
}

/// `createAgentInstanceHistoryItem`.
pub(crate) async fn create_item(call: Call) -> Result<Answer, Problem> {
    let body = Members(&call.body);
    let key = call.path_key("agentInstanceKey");
    let record = AgentHistoryRecord {
        agent_instance_key: key,
        element_instance_key: body.key("elementInstanceKey").unwrap_or_default(),
        job_key: body.key("jobKey").unwrap_or_default(),
        job_lease: body.text("jobLease"),
        ..item(&call.body)
    };
    let command = (call.caller).command(Key::NONE, of::AgentHistory::Create, record, None);
    let response = call.front.call(&Target::Key(key), command, None).await?;
    let created = answered!(response, AgentHistory)?;
    let mut out = ObjectWriter::new();
    out.key("historyItemKey", created.agent_history_key);
    Ok(Answer::Created(out.finish()))
}

/// The items of a request in its order, with their keys.
fn put_created(agent: &AgentInstanceRecord, out: &mut ObjectWriter) {
    out.with("createdHistory", |out| {
        put_list(out, &agent.history, |item| {
            let mut one = ObjectWriter::new();
            one.str("historyItemId", &item.history_item_id)
                .key("historyItemKey", item.agent_history_key)
                .flag("isDuplicate", item.is_duplicate);
            one.finish()
        });
    });
}

fn done(violations: Vec<String>) -> Result<(), Problem> {
    if violations.is_empty() {
        Ok(())
    } else {
        Err(Problem::Invalid(violations))
    }
}

fn positive(key: Key, name: &str, violations: &mut Vec<String>) {
    if key.0 <= 0 {
        violations.push(format!("The value for {name} is '{key}' but must be > 0"));
    }
}

fn check_definition(body: Members<'_>, violations: &mut Vec<String>) {
    let Some(_) = body.object("definition") else {
        violations.push("No definition provided".to_owned());
        return;
    };
    check_limits(body, "", violations);
}

fn check_limits(of: Members<'_>, path: &str, violations: &mut Vec<String>) {
    let Some(limits) = of.object("limits") else {
        return;
    };
    for name in ["maxTokens", "maxModelCalls", "maxToolCalls"] {
        if let Some(limit) = limits.int(name).filter(|limit| *limit < -1) {
            violations.push(format!(
                "The value for {path}limits.{name} is '{limit}' but must be >= -1"
            ));
        }
    }
}

/// What the contract does not say of the items of a batch.
fn check_history(body: Members<'_>, violations: &mut Vec<String>) {
    let history = body.list("history");
    let job = body.key("jobKey");
    if let Some(job) = job {
        positive(job, "jobKey", violations);
    } else if !history.is_empty() {
        violations.push("No jobKey provided".to_owned());
    }
    for (at, item) in history.iter().enumerate() {
        let path = format!("history[{at}].");
        let item = Members(item);
        let id = item.str("historyItemId").unwrap_or_default();
        if id.chars().count() > ITEM_ID_CHARACTERS {
            violations.push(format!(
                "The provided {path}historyItemId exceeds the limit of {ITEM_ID_CHARACTERS} \
                 characters"
            ));
        }
        for name in ["model", "provider"] {
            if item.str(name).is_some_and(|text| text.trim().is_empty()) {
                violations.push(format!("No {path}{name} provided"));
            }
        }
        check_limits(item, &path, violations);
        let prompt = item.get("systemPrompt").and_then(Value::as_array);
        if prompt.is_some_and(Vec::is_empty) {
            violations.push(format!("No {path}systemPrompt provided"));
        }
    }
}

/// A configuration among the history makes the definition.
fn check_configured(history: &[Value], violations: &mut Vec<String>) {
    let configurations: Vec<Members<'_>> = (history.iter().map(Members))
        .filter(|item| item.str("role") == Some(AgentHistoryRole::Configuration.name()))
        .collect();
    let sets = |name: &str, item: &Members<'_>| match item.get(name) {
        Some(Value::String(text)) => !text.trim().is_empty(),
        Some(Value::Array(items)) => !items.is_empty(),
        Some(_) | None => false,
    };
    for name in ["model", "provider", "systemPrompt"] {
        if !configurations.iter().any(|item| sets(name, item)) {
            violations.push(format!(
                "No CONFIGURATION history item sets '{name}'; when history is provided, it must be \
                 set there instead of on definition"
            ));
        }
    }
}

fn definition(body: Members<'_>) -> AgentInstanceDefinition {
    let Some(given) = body.object("definition") else {
        return AgentInstanceDefinition::default();
    };
    AgentInstanceDefinition {
        model: given.text("model"),
        provider: given.text("provider"),
        system_prompt: vec![AgentContent {
            content_type: AgentContentType::Text,
            text: given.text("systemPrompt"),
            ..AgentContent::default()
        }],
    }
}

fn limits(of: Members<'_>) -> AgentInstanceLimits {
    let none = AgentInstanceLimits::default();
    let Some(given) = of.object("limits") else {
        return none;
    };
    AgentInstanceLimits {
        max_tokens: given.int("maxTokens").unwrap_or(none.max_tokens),
        max_model_calls: given.int32("maxModelCalls").unwrap_or(none.max_model_calls),
        max_tool_calls: given.int32("maxToolCalls").unwrap_or(none.max_tool_calls),
    }
}

/// What is left out is -1.
fn increments(body: Members<'_>) -> AgentInstanceMetrics {
    let given = body.object("metrics");
    let wide = |name| given.and_then(|given| given.int(name)).unwrap_or(-1);
    let number = |name| given.and_then(|given| given.int32(name)).unwrap_or(-1);
    AgentInstanceMetrics {
        input_tokens: wide("inputTokens"),
        output_tokens: wide("outputTokens"),
        model_calls: number("modelCalls"),
        tool_calls: number("toolCalls"),
    }
}

fn tools(of: Members<'_>) -> Vec<AgentTool> {
    (of.list("tools").iter().map(Members))
        .map(|tool| AgentTool {
            name: tool.text("name"),
            description: tool.text("description"),
            element_id: tool.text("elementId"),
        })
        .collect()
}

fn items(history: &[Value]) -> Vec<Arc<AgentHistoryRecord>> {
    history.iter().map(|one| Arc::new(item(one))).collect()
}

/// A history item, and what it changes of the agent: all that it names.
fn item(given: &Value) -> AgentHistoryRecord {
    let given = Members(given);
    let mut changed = Vec::new();
    for name in ["tools", "model", "provider", "systemPrompt"] {
        if given.get(name).is_some() {
            changed.push(Text::from(name));
        }
    }
    if given.object("limits").is_some() {
        changed.extend(["maxTokens", "maxModelCalls", "maxToolCalls"].map(Text::from));
    }
    let role = given.str("role").unwrap_or_default();
    let roles = AgentHistoryRole::ALL.iter().copied();
    let produced: Option<Time> = (given.str("producedAt")).and_then(|text| text.parse().ok());
    AgentHistoryRecord {
        history_item_id: given.text("historyItemId"),
        loop_iteration: given.int32("loopIteration").unwrap_or_default(),
        role: (roles.into_iter())
            .find(|known| known.name() == role)
            .unwrap_or_default(),
        produced_at: produced.map_or(Timestamp::NONE, |time| Timestamp(time.as_millisecond())),
        content: contents(given, "content"),
        tool_calls: tool_calls(given),
        metrics: Arc::new(metrics(given)),
        changed_attributes: changed,
        model: given.text("model"),
        provider: given.text("provider"),
        system_prompt: contents(given, "systemPrompt"),
        tools: tools(given),
        limits: Arc::new(limits(given)),
        ..AgentHistoryRecord::default()
    }
}

fn contents(of: Members<'_>, name: &str) -> Vec<AgentContent> {
    (of.list(name).iter().map(Members))
        .map(|content| {
            let kind = content.str("contentType").unwrap_or_default();
            let kinds = AgentContentType::ALL.iter().copied();
            AgentContent {
                // Without a type it is a text, as the contract takes it.
                content_type: (kinds.into_iter())
                    .find(|known| known.name() == kind)
                    .unwrap_or(AgentContentType::Text),
                text: content.text("text"),
                document_reference: content.raw_value("documentReference"),
                object: content.raw_value("object"),
            }
        })
        .collect()
}

fn tool_calls(of: Members<'_>) -> Vec<AgentToolCall> {
    (of.list("toolCalls").iter().map(Members))
        .map(|call| AgentToolCall {
            tool_call_id: call.text("toolCallId"),
            tool_name: call.text("toolName"),
            element_id: call.text("elementId"),
            arguments: call.raw_value("arguments"),
        })
        .collect()
}

fn metrics(of: Members<'_>) -> AgentHistoryMetrics {
    let given = of.object("metrics");
    let number = |name| given.and_then(|given| given.int(name)).unwrap_or(-1);
    AgentHistoryMetrics {
        input_tokens: number("inputTokens"),
        output_tokens: number("outputTokens"),
        duration_ms: number("durationMs"),
    }
}
