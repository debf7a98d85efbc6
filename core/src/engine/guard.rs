//! Preconditions of every element transition.
//!
//! Tokens race: a cancel, an interrupting event or a terminate end event may get in between a
//! command and its processing. A command that comes too late is refused with INVALID_STATE and its
//! token dies; that is the normal way, not an error. Texts are Camunda's.

use std::rc::Rc;

use crate::engine::fault::{Outcome, Stop};
use crate::engine::lifecycle::At;
use crate::engine::output::Processing;
use crate::engine::rule::{inclusive_join, runtime_instructions};
use crate::ids::Key;
use crate::record::value::BpmnElementType;
use crate::state::{ElementRow, ElementState};

/// A new element may be activated.
pub(crate) fn activate(p: &Processing<'_>, at: &At) -> Outcome {
    active_flow_scope(p, at)?;
    active_instance(p, at)?;
    if at.record.bpmn_element_type == BpmnElementType::ParallelGateway {
        return parallel_join(p, at);
    }
    if at.record.bpmn_element_type == BpmnElementType::InclusiveGateway {
        return inclusive_join::check(p, at);
    }
    Ok(())
}

/// An element may be completed.
pub(crate) fn complete(p: &Processing<'_>, at: &At) -> Outcome {
    let states = [ElementState::Activated, ElementState::Completing];
    in_state(p, at.key, &states)?;
    active_instance(p, at)?;
    active_flow_scope(p, at)
}

/// An element may be terminated.
pub(crate) fn terminate(p: &Processing<'_>, at: &At) -> Outcome {
    let states = [
        ElementState::Activating,
        ElementState::Activated,
        ElementState::Completing,
    ];
    in_state(p, at.key, &states)
}

/// The termination of an element may go on.
pub(crate) fn continue_terminating(p: &Processing<'_>, at: &At) -> Outcome {
    in_state(p, at.key, &[ElementState::Terminating])
}

/// An execution listener of the element may be completed.
pub(crate) fn complete_listener(p: &Processing<'_>, at: &At) -> Outcome {
    let states = [ElementState::Activating, ElementState::Completing];
    in_state(p, at.key, &states)?;
    // What completes in a scope that ends is missed by it: its own termination is under way.
    active_flow_scope(p, at)
}

fn in_state(p: &Processing<'_>, key: Key, states: &[ElementState]) -> Outcome {
    let Some(row) = p.state().elements.get(&key)? else {
        return Err(Stop::invalid_state(format!(
            "Expected element instance with key '{key}' to be present in state but not found."
        )));
    };
    require_state(&row, states)
}

fn require_state(row: &ElementRow, states: &[ElementState]) -> Outcome {
    if states.contains(&row.state) {
        return Ok(());
    }
    let others: Vec<&str> = states[1..].iter().map(|state| state.name()).collect();
    Err(Stop::invalid_state(format!(
        "Expected element instance to be in state '{}' or one of '[{}]' but was '{}'.",
        states[0].name(),
        others.join(", "),
        row.state.name()
    )))
}

fn active_flow_scope(p: &Processing<'_>, at: &At) -> Outcome {
    if at.record.bpmn_element_type != BpmnElementType::Process {
        let key = at.record.flow_scope_key;
        let Some(scope) = p.state().elements.get(&key)? else {
            return Err(Stop::invalid_state(format!(
                "Expected flow scope instance with key '{key}' to be present in state but not found."
            )));
        };
        if scope.state != ElementState::Activated {
            return Err(Stop::invalid_state(format!(
                "Expected flow scope instance to be in state '{}' but was '{}'.",
                ElementState::Activated.name(),
                scope.state.name()
            )));
        }
        return not_interrupted(&scope, at);
    }
    if !at.record.parent_process_instance_key.is_some() {
        return Ok(());
    }
    let key = at.record.parent_element_instance_key;
    let Some(call) = p.state().elements.get(&key)? else {
        return Err(Stop::invalid_state(format!(
            "Expected call activity instance with key '{key}' to be present in state but not found."
        )));
    };
    require_state(&call, &[ElementState::Activated])?;
    not_interrupted(&call, at)
}

/// No runtime instruction has ended the instance.
fn active_instance(p: &Processing<'_>, at: &At) -> Outcome {
    if at.record.bpmn_element_type == BpmnElementType::Process
        || !runtime_instructions::interrupted(p, at)
    {
        return Ok(());
    }
    match p.state().elements.get(&at.record.process_instance_key)? {
        Some(row) => Err(Stop::invalid_state(format!(
            "Expected process instance to be active but was interrupted by an event with id '{}'.",
            row.interrupting_element_id
        ))),
        None => Ok(()),
    }
}

fn not_interrupted(scope: &Rc<ElementRow>, at: &At) -> Outcome {
    if scope.is_interrupted() && scope.interrupting_element_id != at.record.element_id {
        return Err(Stop::invalid_state(format!(
            "Expected flow scope instance to be not interrupted but was interrupted by an event with id '{}'.",
            scope.interrupting_element_id
        )));
    }
    Ok(())
}

fn parallel_join(p: &Processing<'_>, at: &At) -> Outcome {
    let element = at.element();
    let taken = p
        .state()
        .taken_flow_count(at.record.flow_scope_key, &element.id)?;
    if taken >= element.incoming.len() {
        return Ok(());
    }
    Err(Stop::invalid_state(format!(
        "Expected to be able to activate parallel gateway '{}', but not all sequence flows have been taken.",
        element.id
    )))
}
