//! From instructions as they were given to activations of elements and terminations of instances.
//!
//! Moves of instances come first, in their order; then all instances of the process instance are
//! visited breadth first and matched by element id. What is below a terminated instance is not
//! looked at: it ends with it.

use std::collections::VecDeque;

use crate::engine::command::modify_instance::activate::scopes;
use crate::engine::fault::{Outcome, Stop};
use crate::engine::lifecycle::At;
use crate::engine::output::Processing;
use crate::ids::Key;
use crate::model::Process;
use crate::record::Text;
use crate::record::value::{
    ActivateInstruction, MoveInstruction, ProcessInstanceModificationRecord, TerminateInstruction,
};

/// What a modification does.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Elements to activate.
    pub(super) activate: Vec<ActivateInstruction>,
    /// Instances to terminate; every one has a key.
    pub(super) terminate: Vec<TerminateInstruction>,
}

/// Finds the instances that are meant.
pub(super) fn resolve(
    p: &Processing<'_>,
    root: &At,
    value: &ProcessInstanceModificationRecord,
) -> Outcome<Plan> {
    let mut plan = Plan {
        activate: value.activate_instructions.clone(),
        terminate: Vec::new(),
    };
    let by_key = |given: &&MoveInstruction| given.source_element_instance_key.0 > 0;
    let moves = value.move_instructions.iter().filter(by_key);
    let keys: Vec<Key> = moves
        .clone()
        .map(|m| m.source_element_instance_key)
        .collect();
    check_sources(p, root, &keys)?;
    for given in moves {
        let key = given.source_element_instance_key;
        if let Some(row) = p.state().elements.get(&key)? {
            move_instance(p, root, given, row.record.flow_scope_key, &mut plan)?;
            plan.terminate.push(TerminateInstruction {
                element_instance_key: key,
                element_id: row.record.element_id.clone(),
            });
        }
    }
    let mut ids = Vec::new();
    for given in &value.terminate_instructions {
        if given.element_instance_key.0 > 0 {
            plan.terminate.push(given.clone());
        } else {
            ids.push(given.element_id.clone());
        }
    }
    resolve_ids(p, root, value, &ids, &mut plan)?;
    Ok(plan)
}

fn resolve_ids(
    p: &Processing<'_>,
    root: &At,
    value: &ProcessInstanceModificationRecord,
    terminated: &[Text],
    plan: &mut Plan,
) -> Outcome {
    let moves = &value.move_instructions;
    if terminated.is_empty() && moves.iter().all(|given| given.source_element_id.is_empty()) {
        return Ok(());
    }
    let by_key: Vec<Key> = value
        .terminate_instructions
        .iter()
        .map(|given| given.element_instance_key)
        .collect();
    let mut open: VecDeque<Key> = p.state().children.members(&root.key)?.into();
    while let Some(key) = open.pop_front() {
        let Some(row) = p.state().elements.get(&key)? else {
            continue;
        };
        let id = &row.record.element_id;
        let moved = moves.iter().find(|given| given.source_element_id == *id);
        if let Some(given) = moved {
            move_instance(p, root, given, row.record.flow_scope_key, plan)?;
        }
        if moved.is_some() || terminated.contains(id) {
            plan.terminate.push(TerminateInstruction {
                element_instance_key: key,
                element_id: Text::EMPTY,
            });
        } else if !by_key.contains(&key) {
            open.extend(p.state().children.members(&key)?);
        }
    }
    Ok(())
}

/// The instances to move exist, in this process instance.
fn check_sources(p: &Processing<'_>, root: &At, keys: &[Key]) -> Outcome {
    let mut missing = Vec::new();
    let mut foreign = Vec::new();
    for key in keys {
        match p.state().elements.get(key)? {
            None => missing.push(*key),
            Some(row) if row.record.process_instance_key != root.key => foreign.push(*key),
            Some(_) => {}
        }
    }
    let refuse = |what: &str, keys: &[Key]| {
        Err(Stop::invalid_argument(format!(
            "Expected to modify instance of process '{}' but it contains one or more move instructions with a source element instance that {what}: '{}'",
            root.record.bpmn_process_id,
            super::check::distinct(keys).join("', '")
        )))
    };
    if !missing.is_empty() {
        return refuse("could not be found", &missing);
    }
    if !foreign.is_empty() {
        return refuse("does not belong to the modified process instance", &foreign);
    }
    Ok(())
}

fn move_instance(
    p: &Processing<'_>,
    root: &At,
    given: &MoveInstruction,
    parent: Key,
    plan: &mut Plan,
) -> Outcome {
    let ancestor_scope_key = if given.use_source_parent {
        parent
    } else if given.infer_ancestor_scope {
        inferred(p, root.process(), given, parent)?
    } else {
        given.ancestor_scope_key
    };
    plan.activate.push(ActivateInstruction {
        element_id: given.target_element_id.clone(),
        ancestor_scope_key,
        variable_instructions: given.variable_instructions.clone(),
        ancestor_scope_keys: Vec::new(),
    });
    Ok(())
}

/// The nearest instance around the source that is an instance of a scope of the target.
fn inferred(
    p: &Processing<'_>,
    process: &Process,
    given: &MoveInstruction,
    parent: Key,
) -> Outcome<Key> {
    let Some(target) = process.element(&given.target_element_id) else {
        return Ok(parent);
    };
    let scopes = scopes(process, target);
    let direct = scopes.first();
    let mut key = parent;
    while let Some(row) = p.state().elements.get(&key)? {
        let id = &row.record.element_id;
        // The parent of the source counts only as the flow scope itself, as in Camunda.
        let found = if key == parent {
            direct.is_some_and(|scope| process[*scope].id == *id)
        } else {
            scopes.iter().any(|scope| process[*scope].id == *id)
        };
        if found {
            return Ok(key);
        }
        key = row.record.flow_scope_key;
    }
    Ok(Key::NONE)
}
