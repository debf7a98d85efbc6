//! One activation: the scopes around the element are found or created, then the element is asked to
//! activate under a key that is chosen here, so that it finds its variables.
//!
//! An existing scope is reused if there is one only, or the one that the selected ancestor leads to;
//! below the selected ancestor scopes are always new (Camunda: `ElementActivationBehavior`).

use std::rc::Rc;
use std::sync::Arc;

use crate::engine::fault::{Failure, Outcome, Stop};
use crate::engine::lifecycle::{self, At};
use crate::engine::output::Processing;
use crate::engine::rule::subscriptions;
use crate::engine::rule::variables::{self, Owner};
use crate::ids::Key;
use crate::model::{ElementId, Process};
use crate::record::intent::of;
use crate::record::value::{ActivateInstruction, BpmnElementType};
use crate::state::ElementRow;

/// Activates an element; the keys of its scopes, from the process instance inwards.
pub(super) fn activate(
    p: &mut Processing<'_>,
    root: &At,
    instruction: &ActivateInstruction,
) -> Outcome<Vec<Key>> {
    let process = root.process();
    let target = process
        .element(&instruction.element_id)
        .ok_or_else(|| Stop::fault("an element that was found before"))?;
    set_variables(p, root, instruction, root)?;
    let mut keys = vec![root.key];
    let mut scope = root.clone();
    let path = scopes(process, target);
    for id in path.into_iter().rev().skip(1) {
        let known = reusable(p, process, id, scope.key, instruction.ancestor_scope_key)?;
        scope = match known {
            Some(key) => {
                let at = At::find(p, key)?.ok_or_else(|| Stop::fault("a child without row"))?;
                set_variables(p, root, instruction, &at)?;
                at
            }
            None => create(p, root, instruction, &scope, id)?,
        };
        keys.push(scope.key);
    }
    let record = scope.child(&process[target]);
    let at = At {
        key: p.next_key(),
        record: Arc::new(record),
        definition: root.definition.clone(),
        id: target,
    };
    let record = at.record.clone();
    p.command(at.key, of::ProcessInstance::ActivateElement, record)?;
    p.state().variables.found(&at.key);
    set_variables(p, root, instruction, &at)?;
    Ok(keys)
}

/// The scopes of an element from the inside out, the process last.
pub(super) fn scopes(process: &Process, id: ElementId) -> Vec<ElementId> {
    std::iter::successors(process[id].scope, |scope| process[*scope].scope).collect()
}

/// Creates an instance of a scope by events, without what its start would do.
fn create(
    p: &mut Processing<'_>,
    root: &At,
    instruction: &ActivateInstruction,
    around: &At,
    id: ElementId,
) -> Outcome<At> {
    let process = root.process();
    let element = &process[id];
    let around_type = around.record.bpmn_element_type;
    if element.element_type == BpmnElementType::MultiInstanceBody
        || around_type == BpmnElementType::MultiInstanceBody
    {
        return Err(Stop::invalid_argument(format!(
            "Expected to modify instance of process '{}' but it contains one or more activate instructions that would result in the activation of multi-instance element '{}', which is currently unsupported.",
            root.record.bpmn_process_id, element.id
        )));
    }
    let at = At {
        key: p.next_key(),
        record: around.child(element).into(),
        definition: root.definition.clone(),
        id,
    };
    lifecycle::activating(p, &at)?;
    set_variables(p, root, instruction, &at)?;
    lifecycle::activated(p, &at)?;
    subscriptions::open(p, &at).map_err(|stop| match stop {
        Stop::Incident(Failure { message, .. }) => Stop::invalid_argument(format!(
            "Expected to subscribe to catch event(s) of '{}' but {message}",
            at.record.element_id
        )),
        Stop::Reject(_) | Stop::TooLarge | Stop::Fault(_) => stop,
    })?;
    Ok(at)
}

/// The instance of the scope `id` inside `around` to activate in; none = a new one.
fn reusable(
    p: &Processing<'_>,
    process: &Process,
    id: ElementId,
    around: Key,
    ancestor: Key,
) -> Outcome<Option<Key>> {
    let scope_id = &process[id].id;
    let mut found: Vec<(Key, Rc<ElementRow>)> = Vec::new();
    for child in p.state().children.members(&around)? {
        if let Some(row) = p.state().elements.get(&child)?
            && row.record.element_id == *scope_id
        {
            found.push((child, row));
        }
    }
    let selected = ancestor.0 > 0;
    if let [(key, row)] = &found[..] {
        let below = selected && is_below(p, ancestor, row.record.flow_scope_key)?;
        return Ok(Some(*key).filter(|_| !below));
    }
    if found.is_empty() {
        return Ok(None);
    }
    if selected {
        if found.iter().any(|(key, _)| *key == ancestor) {
            return Ok(Some(ancestor));
        }
        for (_, row) in &found {
            if is_below(p, ancestor, row.record.flow_scope_key)? {
                return Ok(None);
            }
        }
        let row = p.state().elements.get(&ancestor)?;
        let outer = row.map_or(Key::NONE, |row| row.record.flow_scope_key);
        for (key, _) in &found {
            if is_below(p, *key, outer)? {
                return Ok(Some(*key));
            }
        }
    }
    Err(Stop::invalid_argument(format!(
        "Expected to modify instance of process '{}' but it contains one or more activate instructions for an element that has a flow scope with more than one active instance: '{scope_id}'. Can't decide in which instance of the flow scope the element should be activated. Please specify an ancestor element instance key for this activate instruction.",
        process.id()
    )))
}

/// Whether `scope` is `ancestor` or inside it.
fn is_below(p: &Processing<'_>, ancestor: Key, scope: Key) -> Outcome<bool> {
    let mut scope = scope;
    while scope.is_some() {
        if scope == ancestor {
            return Ok(true);
        }
        let row = p.state().elements.get(&scope)?;
        scope = row.map_or(Key::NONE, |row| row.record.flow_scope_key);
    }
    Ok(false)
}

/// Sets the variables that an instruction has for one scope.
fn set_variables(
    p: &mut Processing<'_>,
    root: &At,
    instruction: &ActivateInstruction,
    at: &At,
) -> Outcome {
    let owner = Owner::of(&root.record);
    let element = &at.record.element_id;
    for given in &instruction.variable_instructions {
        let global = given.element_id.is_empty() && at.key == root.key;
        if given.element_id == *element || global {
            variables::merge_local(p, at.key, &owner, &given.variables)?;
        }
    }
    Ok(())
}
