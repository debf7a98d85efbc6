//! Agent instances of an instance that is migrated: they become of the new definition, also those
//! whose elements have ended.
//!
//! An agent keeps its kind. One whose element was not marked has none, and takes that of the element
//! that its own becomes, if that is marked (Camunda: `ProcessInstanceMigrationAgentInstanceBehavior`).

use std::sync::Arc;

use crate::engine::command::migrate_instance::Migration;
use crate::engine::fault::{Outcome, Stop};
use crate::engine::lifecycle::At;
use crate::engine::output::Processing;
use crate::ids::Key;
use crate::model::Process;
use crate::record::Text;
use crate::record::intent::of;
use crate::record::value::{AgentDefinitionType, AgentInstanceRecord};

/// Refuses to leave an agent without its definition, or with one of another kind.
pub(super) fn check(p: &Processing<'_>, migration: &Migration, root: &At) -> Outcome {
    for agent in agents(p, migration)? {
        if !agent.agent_definition_key.is_some() {
            continue;
        }
        let from = &agent.element_id;
        let to = migration.becomes(from);
        let was = kind(root.process(), from);
        let becomes = kind(&migration.target.process, &to);
        let instance = migration.instance;
        if becomes == AgentDefinitionType::Unspecified {
            return Err(Stop::invalid_state(format!(
                "Expected to migrate process instance '{instance}' but the agent instance with element id '{from}' would be migrated to element '{to}' that has no agent definition. An agent instance must always belong to an agent definition."
            )));
        }
        if was != becomes {
            return Err(Stop::invalid_state(format!(
                "Expected to migrate process instance '{instance}' but the agent instance element with id '{from}' has agent definition type '{}' while the mapped target element with id '{to}' has a different agent definition type '{}'. An agent instance's type must not change on migration.",
                was.name(),
                becomes.name()
            )));
        }
    }
    Ok(())
}

fn agents(p: &Processing<'_>, migration: &Migration) -> Outcome<Vec<Arc<AgentInstanceRecord>>> {
    let keys: Vec<Key> = p.state().agent_instances_of(migration.instance).collect();
    let mut agents = Vec::with_capacity(keys.len());
    for key in keys {
        let row = p.state().agent_instances.get(&key)?;
        let row = row.ok_or_else(|| Stop::fault(format!("no agent instance with key '{key}'")))?;
        agents.push(row.record.clone());
    }
    Ok(agents)
}

fn kind(process: &Process, id: &Text) -> AgentDefinitionType {
    let marked = process.elements().iter().filter(|one| one.id == *id);
    (marked.map(|one| one.agent))
        .find(|kind| *kind != AgentDefinitionType::Unspecified)
        .unwrap_or_default()
}

/// States whose the agents are now.
pub(super) fn migrate(p: &mut Processing<'_>, migration: &Migration) -> Outcome {
    for agent in agents(p, migration)? {
        let target = &migration.target;
        let element_id = migration.becomes(&agent.element_id);
        let definition = (p.state().agent_definitions).get(&target.key(), &element_id)?;
        let migrated = AgentInstanceRecord {
            process_definition_key: target.key(),
            process_definition_version: target.record.version,
            process_definition_version_tag: target.record.version_tag.clone(),
            bpmn_process_id: target.process.id().clone(),
            element_id,
            agent_definition_key: definition.map_or(Key::NONE, |row| row.key),
            ..AgentInstanceRecord::clone(&agent)
        };
        let key = agent.agent_instance_key;
        p.event(key, of::AgentInstance::Migrated, migrated)?;
    }
    Ok(())
}
