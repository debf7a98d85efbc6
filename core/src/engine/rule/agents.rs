//! What the commands about agents share: whose job it is, what a batch of history may hold, and how
//! it changes an agent instance.
//!
//! Metrics count when an item arrives, once for each id, also if its job comes to nothing. A
//! configuration counts when its job completes; those that come with the creation of an agent
//! instance count at once, so that no agent is without a definition.

use std::rc::Rc;
use std::sync::Arc;

use crate::engine::fault::{Outcome, Stop};
use crate::engine::output::Processing;
use crate::ids::Key;
use crate::model::Element;
use crate::record::Text;
use crate::record::intent::of;
use crate::record::value::{
    AgentDefinitionRecord, AgentDefinitionType, AgentHistoryRecord, AgentHistoryRole,
    AgentInstanceDefinition, AgentInstanceLimits, AgentInstanceMetrics, AgentInstanceRecord,
    ProcessRecord,
};
use crate::state::{JobRow, JobState};

/// Names of what commands and configurations change.
pub(crate) mod attribute {
    pub(crate) const MAX_MODEL_CALLS: &str = "maxModelCalls";
    pub(crate) const MAX_TOKENS: &str = "maxTokens";
    pub(crate) const MAX_TOOL_CALLS: &str = "maxToolCalls";
    pub(crate) const METRICS: &str = "metrics";
    pub(crate) const MODEL: &str = "model";
    pub(crate) const PROVIDER: &str = "provider";
    pub(crate) const STATUS: &str = "status";
    pub(crate) const SYSTEM_PROMPT: &str = "systemPrompt";
    pub(crate) const TOOLS: &str = "tools";
}

/// What a configuration may change, in the order in which a refusal lists it.
const CONFIGURABLE: [&str; 7] = [
    attribute::MAX_MODEL_CALLS,
    attribute::MAX_TOKENS,
    attribute::MAX_TOOL_CALLS,
    attribute::MODEL,
    attribute::PROVIDER,
    attribute::SYSTEM_PROMPT,
    attribute::TOOLS,
];

/// Names as Java prints a list.
pub(crate) fn listed<T: AsRef<str>>(names: &[T]) -> String {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    format!("[{}]", names.join(", "))
}

/// The active job of `element_instance` that a command speaks of; none if it speaks of none.
pub(crate) fn job(
    p: &Processing<'_>,
    job_key: Key,
    element_instance: Key,
    has_history: bool,
) -> Outcome<Option<Rc<JobRow>>> {
    if !job_key.is_some() {
        if has_history {
            return Err(Stop::invalid_argument(
                "Expected a job to be provided for the embedded history batch, but no jobKey was set. A history batch must be attributed to the active job that produced it.",
            ));
        }
        return Ok(None);
    }
    let row = p.state().jobs.get(&job_key)?;
    let Some(row) = row.filter(|row| row.state == JobState::Activated) else {
        return Err(Stop::not_found(format!(
            "Expected to update agent instance related to job with key '{job_key}', but job was not active."
        )));
    };
    let owner = row.record.element_instance_key;
    if owner != element_instance {
        return Err(Stop::invalid_argument(format!(
            "Expected to update agent instance related to job with key '{job_key}', but job belongs to element instance '{owner}' instead of the requested element instance '{element_instance}'."
        )));
    }
    Ok(Some(row))
}

/// Refuses a batch with an item that cannot be taken.
pub(crate) fn check_history(history: &[Arc<AgentHistoryRecord>]) -> Outcome {
    for (at, item) in history.iter().enumerate() {
        let id = &item.history_item_id;
        if id.is_empty() {
            return Err(Stop::invalid_argument(format!(
                "Expected to add history item at index {at} to agent instance, but historyItemId is missing (got empty string). Each history item must have a non-empty historyItemId."
            )));
        }
        if history[..at].iter().any(|one| one.history_item_id == *id) {
            return Err(Stop::invalid_argument(format!(
                "Expected to create or update agent instance history, but historyItemId '{id}' is used by more than one history item. Each history item must have a unique historyItemId."
            )));
        }
        if item.role == AgentHistoryRole::Unspecified {
            return Err(Stop::invalid_argument(format!(
                "Expected to add history item with historyItemId '{id}' to agent instance, but its role is UNSPECIFIED. Each history item must declare a role."
            )));
        }
        if item.loop_iteration < 1 {
            return Err(Stop::invalid_argument(format!(
                "Expected to add history item with historyItemId '{id}' to agent instance, but loopIteration is missing (got {}). Each history item must declare a positive loopIteration.",
                item.loop_iteration
            )));
        }
        if item.role == AgentHistoryRole::Configuration {
            check_configuration(item)?;
        }
    }
    Ok(())
}

fn check_configuration(item: &AgentHistoryRecord) -> Outcome {
    let id = &item.history_item_id;
    if item.changed_attributes.is_empty() {
        return Err(Stop::invalid_argument(format!(
            "Expected to update agent instance configuration with history item '{id}', but changedAttributes was empty. A CONFIGURATION item must name at least one attribute it changes."
        )));
    }
    let unknown: Vec<&str> = (item.changed_attributes.iter())
        .map(Text::as_str)
        .filter(|name| !CONFIGURABLE.contains(name))
        .collect();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(Stop::invalid_argument(format!(
        "Expected to update agent instance configuration with history item '{id}', but changedAttributes contained unknown attribute(s) {}. Allowed attributes are: {}.",
        listed(&unknown),
        listed(&CONFIGURABLE)
    )))
}

/// Gives the items of a command their keys and what they belong to, and counts their metrics; true
/// if there were any. Items that are there already keep their keys and count nothing.
pub(crate) fn take_history(
    p: &mut Processing<'_>,
    agent: &mut AgentInstanceRecord,
    command: &AgentInstanceRecord,
) -> Outcome<bool> {
    let mut pending: Vec<(Text, Key)> = Vec::new();
    let of_lease: Vec<Key> = (p.state().agent_history_of(command.job_key))
        .filter(|(lease, _)| **lease == command.job_lease)
        .map(|(_, key)| key)
        .collect();
    for key in of_lease {
        if let Some(row) = p.state().agent_history.get(&key)? {
            pending.push((row.record.history_item_id.clone(), key));
        }
    }
    let mut metrics = AgentInstanceMetrics::clone(&agent.metrics);
    let mut counted = false;
    let mut history = Vec::with_capacity(command.history.len());
    for item in &command.history {
        let id = &item.history_item_id;
        let known = (p.state().agent_history_ids).get(&agent.agent_instance_key, id)?;
        let committed = known
            .as_ref()
            .map(|row| row.key)
            .filter(|key| key.is_some());
        let waiting = pending.iter().find(|(one, _)| one == id);
        let duplicate = committed.or(waiting.map(|(_, key)| *key));
        let key = match duplicate {
            Some(key) => key,
            None => p.next_key(),
        };
        if duplicate.is_none() && known.is_none() {
            counted |= count(&mut metrics, item);
        }
        history.push(Arc::new(AgentHistoryRecord {
            agent_history_key: key,
            agent_instance_key: agent.agent_instance_key,
            element_instance_key: command.element_instance_key,
            process_instance_key: agent.process_instance_key,
            root_process_instance_key: agent.root_process_instance_key,
            bpmn_process_id: agent.bpmn_process_id.clone(),
            process_definition_key: agent.process_definition_key,
            tenant_id: agent.tenant_id.clone(),
            job_key: command.job_key,
            job_lease: command.job_lease.clone(),
            is_duplicate: duplicate.is_some(),
            ..AgentHistoryRecord::clone(item)
        }));
    }
    agent.metrics = Arc::new(metrics);
    agent.history = history;
    Ok(counted)
}

/// Adds what an item took; false if that is nothing.
fn count(metrics: &mut AgentInstanceMetrics, item: &AgentHistoryRecord) -> bool {
    let mut counted = false;
    for (total, more) in [
        (&mut metrics.input_tokens, item.metrics.input_tokens),
        (&mut metrics.output_tokens, item.metrics.output_tokens),
    ] {
        if more > 0 {
            *total = total.saturating_add(more);
            counted = true;
        }
    }
    if item.role == AgentHistoryRole::Assistant {
        let tools = i32::try_from(item.tool_calls.len()).unwrap_or(i32::MAX);
        metrics.model_calls = metrics.model_calls.saturating_add(1);
        metrics.tool_calls = metrics.tool_calls.saturating_add(tools);
        counted = true;
    }
    counted
}

/// Changes an agent as a configuration says; the names of what it changes.
pub(crate) fn configure(agent: &mut AgentInstanceRecord, item: &AgentHistoryRecord) -> Vec<Text> {
    if item.role != AgentHistoryRole::Configuration {
        return Vec::new();
    }
    let mut definition = AgentInstanceDefinition::clone(&agent.definition);
    let mut limits = AgentInstanceLimits::clone(&agent.limits);
    let mut changed = Vec::new();
    for name in CONFIGURABLE {
        if !item.changed_attributes.iter().any(|one| *one == name) {
            continue;
        }
        match name {
            attribute::MODEL => definition.model = item.model.clone(),
            attribute::PROVIDER => definition.provider = item.provider.clone(),
            attribute::SYSTEM_PROMPT => definition.system_prompt = item.system_prompt.clone(),
            attribute::TOOLS => agent.tools = item.tools.clone(),
            attribute::MAX_TOKENS => limits.max_tokens = item.limits.max_tokens,
            attribute::MAX_MODEL_CALLS => limits.max_model_calls = item.limits.max_model_calls,
            attribute::MAX_TOOL_CALLS => limits.max_tool_calls = item.limits.max_tool_calls,
            _ => continue,
        }
        changed.push(Text::from(name));
    }
    agent.definition = Arc::new(definition);
    agent.limits = Arc::new(limits);
    changed
}

/// A process definition is going, and its agent definitions with it.
pub(crate) fn definition_gone(p: &mut Processing<'_>, record: &ProcessRecord) -> Outcome {
    let key = record.process_definition_key;
    if p.state().agent_definitions.is_empty(&key)? {
        return Ok(());
    }
    let definition = p.definition(key)?;
    for element in definition.process.elements() {
        if element.agent == AgentDefinitionType::Unspecified {
            continue;
        }
        let row = p.state().agent_definitions.get(&key, &element.id)?;
        let Some(agent_key) = row.map(|row| row.key) else {
            continue;
        };
        let agent = definition_of(element, record, agent_key);
        p.event(agent_key, of::AgentDefinition::Deleted, agent)?;
    }
    Ok(())
}

/// The agent definition of an element that is marked.
pub(crate) fn definition_of(
    element: &Element,
    record: &ProcessRecord,
    key: Key,
) -> AgentDefinitionRecord {
    let named = !element.name.is_empty();
    AgentDefinitionRecord {
        agent_definition_key: key,
        agent_type: element.agent,
        name: if named { &element.name } else { &element.id }.clone(),
        element_id: element.id.clone(),
        bpmn_process_id: record.bpmn_process_id.clone(),
        process_definition_key: record.process_definition_key,
        process_definition_version: record.version,
        process_definition_version_tag: record.version_tag.clone(),
        tenant_id: record.tenant_id.clone(),
    }
}

/// A job is done: what was said meanwhile counts.
pub(crate) fn job_completed(p: &mut Processing<'_>, job: Key, instance: Key) -> Outcome {
    settle(p, job, instance, of::AgentHistory::Commit)
}

/// A job is gone: what was said meanwhile does not count.
pub(crate) fn job_gone(p: &mut Processing<'_>, job: Key, instance: Key) -> Outcome {
    settle(p, job, instance, of::AgentHistory::Discard)
}

fn settle(p: &mut Processing<'_>, job: Key, instance: Key, how: of::AgentHistory) -> Outcome {
    if p.state().agent_history_by_job.is_empty() || p.state().agent_history_of(job).next().is_none()
    {
        return Ok(());
    }
    let about = AgentHistoryRecord {
        job_key: job,
        process_instance_key: instance,
        ..AgentHistoryRecord::default()
    };
    p.command(job, how, about)
}

/// A process instance has ended, and its agents with it.
pub(crate) fn instance_ended(p: &mut Processing<'_>, instance: Key) -> Outcome {
    if p.state().agent_instances_by_process.is_empty()
        || p.state().agent_instances_of(instance).next().is_none()
    {
        return Ok(());
    }
    let about = AgentInstanceRecord {
        process_instance_key: instance,
        ..AgentInstanceRecord::default()
    };
    p.command(Key::NONE, of::AgentInstance::Complete, about)
}
