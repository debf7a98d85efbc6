//! AGENT_INSTANCE commands: the worker of an agent makes it and tells what it does; it ends with its
//! process instance.
//!
//! An element instance works for one agent instance at most; one that is activated again may go on
//! with the agent instance of an earlier one, as long as no other's job is active. Texts are
//! Camunda's (`AgentInstanceCreateProcessor`, `AgentInstanceUpdateProcessor`,
//! `AgentInstanceCompleteProcessor`); workers read the key of an existing agent out of the refusal.

use std::sync::Arc;

use crate::engine::fault::{Outcome, Stop};
use crate::engine::input::Command;
use crate::engine::output::Processing;
use crate::engine::rule::agents::{self, attribute, listed};
use crate::ids::Key;
use crate::record::intent::of;
use crate::record::value::{
    AgentHistoryRecord, AgentHistoryRole, AgentInstanceMetrics, AgentInstanceRecord,
    AgentInstanceStatus, BpmnElementType,
};
use crate::record::{RejectionType, Text};
use crate::state::JobState;

type Value = Arc<AgentInstanceRecord>;

/// Elements that may have an agent.
const SUPPORTED: [BpmnElementType; 2] = [
    BpmnElementType::AdHocSubProcess,
    BpmnElementType::ServiceTask,
];
/// Who may have spoken before there is an agent, in the order in which a refusal lists them.
const FIRST_ROLES: [AgentHistoryRole; 2] =
    [AgentHistoryRole::Configuration, AgentHistoryRole::User];
/// What an update without history may change, in the order in which it does and a refusal lists it.
const CHANGEABLE: [&str; 3] = [attribute::METRICS, attribute::STATUS, attribute::TOOLS];
/// What an update with history may change besides.
const CHANGEABLE_WITH_HISTORY: [&str; 1] = [attribute::STATUS];
/// An increment that was not given.
const NOT_GIVEN: i64 = -1;

/// CREATE: an element instance gets an agent.
pub(crate) fn create(p: &mut Processing<'_>, _command: &Command, value: &Value) -> Outcome {
    let element_key = value.element_instance_key;
    let Some(row) = p.state().elements.get(&element_key)? else {
        return Err(Stop::not_found(format!(
            "Expected to create agent instance for element instance with key '{element_key}', but no such element instance was found."
        )));
    };
    if row.agent_instance_key.is_some() {
        return Err(already_bound(element_key, row.agent_instance_key));
    }
    if !row.is_active() {
        return Err(Stop::invalid_state(format!(
            "Expected to create agent instance for element instance with key '{element_key}', but it is not active."
        )));
    }
    let element = &row.record;
    if !SUPPORTED.contains(&element.bpmn_element_type) {
        return Err(Stop::invalid_argument(format!(
            "Expected to create agent instance for element instance with key '{element_key}', but its BPMN element type '{}' is not supported. Supported types are: {}.",
            element.bpmn_element_type.name(),
            listed(&SUPPORTED.map(BpmnElementType::name))
        )));
    }
    let definition = element.process_definition_key;
    // An element that is not marked has no definition, and an agent all the same.
    let marked = (p.state().agent_definitions).get(&definition, &element.element_id)?;
    agents::job(p, value.job_key, element_key, !value.history.is_empty())?;
    agents::check_history(&value.history)?;
    check_first_history(&value.history)?;
    let process = p.state().definitions.get(&definition)?;
    let key = p.next_key();
    let mut agent = AgentInstanceRecord {
        agent_instance_key: key,
        element_instance_key: element_key,
        element_instance_keys: vec![element_key],
        element_id: element.element_id.clone(),
        bpmn_process_id: element.bpmn_process_id.clone(),
        process_instance_key: element.process_instance_key,
        root_process_instance_key: element.root_process_instance_key,
        process_definition_key: definition,
        process_definition_version: element.version,
        process_definition_version_tag: process
            .map_or(Text::EMPTY, |row| row.record.version_tag.clone()),
        agent_definition_key: marked.map_or(Key::NONE, |row| row.key),
        tenant_id: element.tenant_id.clone(),
        status: AgentInstanceStatus::Initializing,
        definition: value.definition.clone(),
        limits: value.limits.clone(),
        ..AgentInstanceRecord::default()
    };
    agents::take_history(p, &mut agent, value)?;
    let history = agent.history.clone();
    for item in &history {
        agents::configure(&mut agent, item);
    }
    let agent = Arc::new(agent);
    p.event(key, of::AgentInstance::Created, agent.clone())?;
    for item in history {
        let item_key = item.agent_history_key;
        p.event(item_key, of::AgentHistory::Created, item.clone())?;
        if item.role == AgentHistoryRole::Configuration
            && let Some(row) = p.state().agent_history.get(&item_key)?
        {
            p.event(item_key, of::AgentHistory::Committed, row.record.clone())?;
        }
    }
    p.respond(key, of::AgentInstance::Created, agent);
    Ok(())
}

fn already_bound(element: Key, agent: Key) -> Stop {
    Stop::reject(
        RejectionType::AlreadyExists,
        format!(
            "Expected to associate element instance with key '{element}' with an agent instance, but it is already associated with agent instance with key '{agent}'."
        ),
    )
}

/// Before there is an agent nobody has used anything.
fn check_first_history(history: &[Arc<AgentHistoryRecord>]) -> Outcome {
    for item in history {
        let id = &item.history_item_id;
        if !FIRST_ROLES.contains(&item.role) {
            return Err(Stop::invalid_argument(format!(
                "Expected to create agent instance with history item '{id}', but its role is '{}'. Allowed roles are: {}.",
                item.role.name(),
                listed(&FIRST_ROLES.map(AgentHistoryRole::name))
            )));
        }
        let used = |count: i64| count != 0 && count != NOT_GIVEN;
        if used(item.metrics.input_tokens) || used(item.metrics.output_tokens) {
            return Err(Stop::invalid_argument(format!(
                "Expected to create agent instance with history item '{id}', but it carries non-zero token-usage metrics. History items included when creating an agent instance must not carry non-zero token-usage metrics; durationMs is exempt."
            )));
        }
    }
    Ok(())
}

/// UPDATE: what an agent does, has used, may call and has said.
pub(crate) fn update(p: &mut Processing<'_>, command: &Command, value: &Value) -> Outcome {
    let key = command.key;
    let Some(row) = p.state().agent_instances.get(&key)? else {
        return Err(Stop::not_found(format!(
            "Expected to update agent instance with key '{key}', but no such agent instance was found."
        )));
    };
    check_element(p, key, &row.record, value.element_instance_key)?;
    agents::job(
        p,
        value.job_key,
        value.element_instance_key,
        !value.history.is_empty(),
    )?;
    agents::check_history(&value.history)?;
    check_changes(key, &row.record, value)?;
    let mut agent = AgentInstanceRecord::clone(&row.record);
    if !agent
        .element_instance_keys
        .contains(&value.element_instance_key)
    {
        agent.element_instance_keys.push(value.element_instance_key);
    }
    agent.element_instance_key = value.element_instance_key;
    let mut changed = Vec::new();
    if agents::take_history(p, &mut agent, value)? {
        changed.push(Text::from(attribute::METRICS));
    }
    for item in agent.history.clone() {
        if !item.is_duplicate {
            p.event(item.agent_history_key, of::AgentHistory::Created, item)?;
        }
    }
    change(&mut agent, value, &mut changed);
    changed.sort();
    changed.dedup();
    agent.changed_attributes = changed;
    let agent = Arc::new(agent);
    p.event(key, of::AgentInstance::Updated, agent.clone())?;
    p.respond(key, of::AgentInstance::Updated, agent);
    Ok(())
}

/// Whether the element instance may speak for the agent.
fn check_element(
    p: &Processing<'_>,
    key: Key,
    agent: &AgentInstanceRecord,
    element_key: Key,
) -> Outcome {
    if !element_key.is_some() {
        return Err(Stop::invalid_argument(format!(
            "Expected to update agent instance with key '{key}', but elementInstanceKey is missing (got -1). The element instance key must be provided."
        )));
    }
    let Some(row) = p.state().elements.get(&element_key)? else {
        return Err(Stop::not_found(format!(
            "Expected to update agent instance for element instance with key '{element_key}', but no such element instance was found."
        )));
    };
    if !row.is_active() {
        return Err(Stop::invalid_state(format!(
            "Expected to update agent instance for element instance with key '{element_key}', but it is not active."
        )));
    }
    let differs = |what: &str, of_element: String, of_agent: String| {
        Err(Stop::invalid_argument(format!(
            "Expected to update agent instance with key '{key}' for element instance with key '{element_key}', but the {what} '{of_element}' does not match the agent instance's {what} '{of_agent}'."
        )))
    };
    let element = &row.record;
    if element.element_id != agent.element_id {
        let ids = (element.element_id.to_string(), agent.element_id.to_string());
        return differs("element id", ids.0, ids.1);
    }
    let instances = (element.process_instance_key, agent.process_instance_key);
    if instances.0 != instances.1 {
        let (one, other) = (instances.0.to_string(), instances.1.to_string());
        return differs("process instance key", one, other);
    }
    if row.agent_instance_key.is_some() && row.agent_instance_key != key {
        return Err(already_bound(element_key, row.agent_instance_key));
    }
    check_writer(p, key, agent.element_instance_key, element_key)
}

/// One element instance at a time: as long as the job of another is active, that one speaks.
fn check_writer(p: &Processing<'_>, key: Key, writer: Key, element_key: Key) -> Outcome {
    if !writer.is_some() || writer == element_key {
        return Ok(());
    }
    let Some(row) = p.state().elements.get(&writer)? else {
        return Ok(());
    };
    let job = p.state().jobs.get(&row.job_key)?;
    if job.is_none_or(|job| job.state != JobState::Activated) {
        return Ok(());
    }
    Err(Stop::invalid_state(format!(
        "Expected to update agent instance with key '{key}' for element instance with key '{element_key}', but element instance with key '{writer}' is still the active writer for this agent instance and has not completed. Only one element instance may write to a given agent instance at a time."
    )))
}

fn changeable(value: &AgentInstanceRecord) -> &'static [&'static str] {
    if value.history.is_empty() {
        &CHANGEABLE
    } else {
        &CHANGEABLE_WITH_HISTORY
    }
}

fn changes(value: &AgentInstanceRecord, name: &str) -> bool {
    value.changed_attributes.iter().any(|one| *one == name)
}

fn check_changes(key: Key, agent: &AgentInstanceRecord, value: &AgentInstanceRecord) -> Outcome {
    let allowed = changeable(value);
    let unknown: Vec<&str> = (value.changed_attributes.iter())
        .map(Text::as_str)
        .filter(|name| !allowed.contains(name))
        .collect();
    if !unknown.is_empty() {
        return Err(Stop::invalid_argument(format!(
            "Expected to update agent instance, but changedAttributes contained unknown attribute(s) {}. Allowed attributes are: {}.",
            listed(&unknown),
            listed(allowed)
        )));
    }
    let metrics = &value.metrics;
    let calls = [metrics.model_calls, metrics.tool_calls].map(i64::from);
    let mut all = [metrics.input_tokens, metrics.output_tokens]
        .into_iter()
        .chain(calls);
    if changes(value, attribute::METRICS) && all.any(|delta| delta < NOT_GIVEN) {
        return Err(Stop::invalid_argument(format!(
            "Expected to update agent instance metrics, but received invalid delta(s): inputTokens={}, outputTokens={}, modelCalls={}, toolCalls={}. Each metric delta must be either -1 (field not provided) or a non-negative value.",
            metrics.input_tokens, metrics.output_tokens, metrics.model_calls, metrics.tool_calls
        )));
    }
    if changes(value, attribute::STATUS) && !may_become(agent.status, value.status) {
        return Err(Stop::invalid_state(format!(
            "Expected to update agent instance with key '{key}' from status '{}' to '{}', but this transition is not allowed.",
            agent.status.name(),
            value.status.name()
        )));
    }
    Ok(())
}

/// Nobody begins again, and the end comes with that of the process instance.
fn may_become(from: AgentInstanceStatus, to: AgentInstanceStatus) -> bool {
    match to {
        AgentInstanceStatus::Initializing => from == AgentInstanceStatus::Initializing,
        AgentInstanceStatus::ToolDiscovery
        | AgentInstanceStatus::Thinking
        | AgentInstanceStatus::ToolCalling
        | AgentInstanceStatus::Idle => true,
        AgentInstanceStatus::Unspecified | AgentInstanceStatus::Completed => false,
    }
}

/// Changes what the command names, and notes what became different.
fn change(agent: &mut AgentInstanceRecord, value: &AgentInstanceRecord, changed: &mut Vec<Text>) {
    for name in changeable(value).iter().filter(|name| changes(value, name)) {
        let moved = match *name {
            attribute::STATUS => {
                let moved = agent.status != value.status;
                agent.status = value.status;
                moved
            }
            attribute::METRICS => add(agent, &value.metrics),
            _ => {
                let moved = agent.tools != value.tools;
                agent.tools = value.tools.clone();
                moved
            }
        };
        if moved {
            changed.push(Text::from(*name));
        }
    }
}

fn add(agent: &mut AgentInstanceRecord, more: &AgentInstanceMetrics) -> bool {
    let mut metrics = AgentInstanceMetrics::clone(&agent.metrics);
    metrics.input_tokens = (metrics.input_tokens).saturating_add(more.input_tokens.max(0));
    metrics.output_tokens = (metrics.output_tokens).saturating_add(more.output_tokens.max(0));
    metrics.model_calls = metrics.model_calls.saturating_add(more.model_calls.max(0));
    metrics.tool_calls = metrics.tool_calls.saturating_add(more.tool_calls.max(0));
    let moved = *agent.metrics != metrics;
    agent.metrics = Arc::new(metrics);
    moved
}

/// COMPLETE: one agent of a process instance that has ended; the next is asked for, until there is
/// none and the command is refused.
pub(crate) fn complete(p: &mut Processing<'_>, _command: &Command, value: &Value) -> Outcome {
    let instance = value.process_instance_key;
    let first = p.state().agent_instances_of(instance).next();
    let Some(key) = first else {
        return Err(Stop::not_found(format!(
            "No remaining agent instances to complete for process instance with key '{instance}'."
        )));
    };
    let Some(row) = p.state().agent_instances.get(&key)? else {
        return Err(Stop::fault(format!("no agent instance with key '{key}'")));
    };
    let completed = AgentInstanceRecord {
        status: AgentInstanceStatus::Completed,
        changed_attributes: vec![Text::from(attribute::STATUS)],
        ..AgentInstanceRecord::clone(&row.record)
    };
    p.event(key, of::AgentInstance::Completed, completed)?;
    let next = AgentInstanceRecord {
        process_instance_key: instance,
        ..AgentInstanceRecord::default()
    };
    p.command(Key::NONE, of::AgentInstance::Complete, next)
}
