//! AGENT_DEFINITION, AGENT_INSTANCE and AGENT_HISTORY events.
//!
//! Of an agent instance everything is kept but what only its command says. Of a history item only
//! what finds it again is kept, and of a configuration what it changes: the rest is in its event.

use std::sync::Arc;

use crate::engine::apply::Applied;
use crate::engine::output::Applying;
use crate::ids::{Key, Timestamp};
use crate::record::Text;
use crate::record::value::{
    AgentDefinitionRecord, AgentHistoryMetrics, AgentHistoryRecord, AgentHistoryRole,
    AgentInstanceRecord,
};
use crate::state::agent::{AgentHistoryRow, AgentInstanceRow};
use crate::state::definition::KeyRow;

pub(super) fn definition_created(
    a: &mut Applying<'_>,
    key: Key,
    value: &Arc<AgentDefinitionRecord>,
) -> Applied {
    let (of, element) = (value.process_definition_key, value.element_id.clone());
    Ok((a.state.agent_definitions).put(of, element, KeyRow { key })?)
}

pub(super) fn definition_deleted(
    a: &mut Applying<'_>,
    _key: Key,
    value: &Arc<AgentDefinitionRecord>,
) -> Applied {
    let (of, element) = (value.process_definition_key, &value.element_id);
    Ok(a.state.agent_definitions.remove(&of, element)?)
}

pub(super) fn instance_created(
    a: &mut Applying<'_>,
    key: Key,
    value: &Arc<AgentInstanceRecord>,
) -> Applied {
    a.state.agent_instances.insert_new(key, stored(value));
    (a.state.agent_instances_by_process).insert((value.process_instance_key, key));
    bind_element(a, key, value)
}

pub(super) fn instance_updated(
    a: &mut Applying<'_>,
    key: Key,
    value: &Arc<AgentInstanceRecord>,
) -> Applied {
    a.state.agent_instances.put(key, stored(value))?;
    bind_element(a, key, value)
}

pub(super) fn instance_migrated(
    a: &mut Applying<'_>,
    key: Key,
    value: &Arc<AgentInstanceRecord>,
) -> Applied {
    Ok(a.state.agent_instances.put(key, stored(value))?)
}

pub(super) fn instance_completed(
    a: &mut Applying<'_>,
    key: Key,
    value: &Arc<AgentInstanceRecord>,
) -> Applied {
    a.state.agent_instances.remove(&key)?;
    (a.state.agent_instances_by_process).remove(&(value.process_instance_key, key));
    Ok(a.state.agent_history_ids.clear(&key)?)
}

/// The record as the row keeps it.
fn stored(value: &AgentInstanceRecord) -> AgentInstanceRow {
    AgentInstanceRow {
        record: Arc::new(AgentInstanceRecord {
            history: Vec::new(),
            job_key: Key::NONE,
            job_lease: Text::EMPTY,
            ..value.clone()
        }),
    }
}

/// The element instance says whose it is, if it is still there.
fn bind_element(a: &mut Applying<'_>, key: Key, value: &AgentInstanceRecord) -> Applied {
    (a.state.elements).update(&value.element_instance_key, |element| {
        element.agent_instance_key = key;
    })?;
    Ok(())
}

pub(super) fn history_created(
    a: &mut Applying<'_>,
    key: Key,
    value: &Arc<AgentHistoryRecord>,
) -> Applied {
    let configures = value.role == AgentHistoryRole::Configuration;
    let mut kept = AgentHistoryRecord {
        produced_at: Timestamp::NONE,
        content: Vec::new(),
        tool_calls: Vec::new(),
        metrics: Arc::new(AgentHistoryMetrics::default()),
        ..AgentHistoryRecord::clone(value)
    };
    if !configures {
        let nothing = AgentHistoryRecord::default();
        kept.changed_attributes = Vec::new();
        kept.model = Text::EMPTY;
        kept.provider = Text::EMPTY;
        kept.system_prompt = Vec::new();
        kept.tools = Vec::new();
        kept.limits = nothing.limits;
    }
    let row = AgentHistoryRow {
        record: Arc::new(kept),
    };
    a.state.agent_history.insert_new(key, row);
    (a.state.agent_history_by_job).insert((value.job_key, value.job_lease.clone(), key));
    // Its metrics are counted now, whatever becomes of it.
    let (agent, id) = (value.agent_instance_key, &value.history_item_id);
    if !id.is_empty() && a.state.agent_history_ids.get(&agent, id)?.is_none() {
        let uncommitted = KeyRow { key: Key::NONE };
        (a.state.agent_history_ids).put(agent, id.clone(), uncommitted)?;
    }
    Ok(())
}

pub(super) fn history_committed(
    a: &mut Applying<'_>,
    key: Key,
    value: &Arc<AgentHistoryRecord>,
) -> Applied {
    if !value.history_item_id.is_empty() {
        let (agent, id) = (value.agent_instance_key, value.history_item_id.clone());
        (a.state.agent_history_ids).put(agent, id, KeyRow { key })?;
    }
    history_discarded(a, key, value)
}

pub(super) fn history_discarded(
    a: &mut Applying<'_>,
    key: Key,
    value: &Arc<AgentHistoryRecord>,
) -> Applied {
    (a.state.agent_history_by_job).remove(&(value.job_key, value.job_lease.clone(), key));
    Ok(a.state.agent_history.remove(&key)?)
}
