//! AGENT_HISTORY commands: a message of an agent is noted, and later counts or does not.
//!
//! What a job produced waits for it. Its completion commits what was said under its lease, all of it
//! if it has none, and discards the rest; a job that is gone discards what waits for it. Configurations change their agent
//! when they are committed (Camunda: `AgentHistoryCreateProcessor`, `AgentHistoryCommitProcessor`,
//! `AgentHistoryDiscardProcessor`).

use std::sync::Arc;

use crate::engine::fault::{Outcome, Stop};
use crate::engine::input::Command;
use crate::engine::output::Processing;
use crate::engine::rule::agents;
use crate::ids::Key;
use crate::record::intent::of;
use crate::record::value::{AgentHistoryRecord, AgentHistoryRole, AgentInstanceRecord};

type Value = Arc<AgentHistoryRecord>;

/// CREATE: one message, with the job that produced it.
pub(crate) fn create(p: &mut Processing<'_>, _command: &Command, value: &Value) -> Outcome {
    let agent_key = value.agent_instance_key;
    let Some(agent) = p.state().agent_instances.get(&agent_key)? else {
        return Err(Stop::not_found(format!(
            "Expected to create agent history entry for agent instance with key '{agent_key}', but no such agent instance was found."
        )));
    };
    let job = agents::job(p, value.job_key, value.element_instance_key, true)?;
    let job = job.ok_or_else(|| Stop::fault("a history item without job"))?;
    let element = job.record.element_instance_key;
    if !agent.record.element_instance_keys.contains(&element) {
        return Err(Stop::not_found(format!(
            "Expected to create agent history entry for element instance with key '{element}', but it is not associated with agent instance with key '{agent_key}'."
        )));
    }
    let key = p.next_key();
    let created = Arc::new(AgentHistoryRecord {
        agent_history_key: key,
        agent_instance_key: agent_key,
        element_instance_key: element,
        process_instance_key: job.record.process_instance_key,
        root_process_instance_key: job.record.root_process_instance_key,
        bpmn_process_id: agent.record.bpmn_process_id.clone(),
        process_definition_key: job.record.process_definition_key,
        tenant_id: job.record.tenant_id.clone(),
        ..AgentHistoryRecord::clone(value)
    });
    p.event(key, of::AgentHistory::Created, created.clone())?;
    p.respond(key, of::AgentHistory::Created, created);
    Ok(())
}

/// COMMIT: the job is done.
pub(crate) fn commit(p: &mut Processing<'_>, _command: &Command, value: &Value) -> Outcome {
    let mut agent = None;
    let (winning, superseded) = waiting(p, value);
    for key in winning {
        let item = item(p, key)?;
        p.event(key, of::AgentHistory::Committed, item.clone())?;
        if item.role == AgentHistoryRole::Configuration {
            configure(p, &mut agent, &item)?;
        }
    }
    discard_all(p, superseded)
}

/// DISCARD: the job is gone.
pub(crate) fn discard(p: &mut Processing<'_>, _command: &Command, value: &Value) -> Outcome {
    let (of_lease, _) = waiting(p, value);
    discard_all(p, of_lease)
}

/// What waits for the job: under the lease of the command, and under others. Without a lease all
/// are under it.
fn waiting(p: &Processing<'_>, value: &Value) -> (Vec<Key>, Vec<Key>) {
    let (mut under, mut others) = (Vec::new(), Vec::new());
    for (lease, key) in p.state().agent_history_of(value.job_key) {
        if value.job_lease.is_empty() || *lease == value.job_lease {
            under.push(key);
        } else {
            others.push(key);
        }
    }
    (under, others)
}

fn item(p: &Processing<'_>, key: Key) -> Outcome<Arc<AgentHistoryRecord>> {
    match p.state().agent_history.get(&key)? {
        Some(row) => Ok(row.record.clone()),
        None => Err(Stop::fault(format!("no history item with key '{key}'"))),
    }
}

fn discard_all(p: &mut Processing<'_>, keys: Vec<Key>) -> Outcome {
    for key in keys {
        let item = item(p, key)?;
        p.event(key, of::AgentHistory::Discarded, item)?;
    }
    Ok(())
}

fn configure(
    p: &mut Processing<'_>,
    agent: &mut Option<AgentInstanceRecord>,
    item: &AgentHistoryRecord,
) -> Outcome {
    let key = item.agent_instance_key;
    if agent.is_none() {
        let row = p.state().agent_instances.get(&key)?;
        *agent = row.map(|row| AgentInstanceRecord::clone(&row.record));
    }
    let Some(agent) = agent else {
        return Ok(());
    };
    agent.changed_attributes = agents::configure(agent, item);
    p.event(key, of::AgentInstance::Updated, agent.clone())
}
