//! PROCESS_EVENT events: a payload waits in a scope until its element takes it.
//!
//! Triggers of a scope are taken in the order of their keys. TRIGGERED removes exactly the trigger
//! that the element took; what is left when the scope ends goes with the scope.

use std::sync::Arc;

use crate::engine::apply::Applied;
use crate::engine::output::Applying;
use crate::ids::Key;
use crate::record::value::{BpmnElementType, ProcessEventRecord};
use crate::state::TriggerRow;

pub(super) fn triggering(
    a: &mut Applying<'_>,
    key: Key,
    value: &Arc<ProcessEventRecord>,
) -> Applied {
    let trigger = TriggerRow {
        element_id: value.target_element_id.clone(),
        variables: value.variables.clone(),
        process_instance_key: value.process_instance_key,
    };
    let scope = a.state.elements.get(&value.scope_key)?;
    // It has no place for events: what a listener of it says is lost.
    let lost =
        scope.is_some_and(|row| row.record.bpmn_element_type == BpmnElementType::ParallelGateway);
    if !lost {
        a.state.put_trigger(value.scope_key, key, trigger)?;
    }
    interrupt_scope(a, value)
}

/// An interrupting event sub-process marks its scope: nothing else may be activated in it.
fn interrupt_scope(a: &mut Applying<'_>, value: &ProcessEventRecord) -> Applied {
    if a.state.elements.get(&value.scope_key)?.is_none() {
        return Ok(());
    }
    let definition = a
        .definitions
        .expect(a.state, value.process_definition_key)?;
    let process = &definition.process;
    let Some(target) = process.element(&value.target_element_id) else {
        return Ok(());
    };
    let target = &process[target];
    let Some(scope) = target.scope.map(|scope| &process[scope]) else {
        return Ok(());
    };
    if target.element_type == BpmnElementType::StartEvent
        && scope.element_type == BpmnElementType::EventSubProcess
        && target.interrupting()
    {
        let id = scope.id.clone();
        a.state.elements.update(&value.scope_key, |row| {
            row.interrupting_element_id = id;
        })?;
    }
    Ok(())
}

pub(super) fn triggered(
    a: &mut Applying<'_>,
    key: Key,
    value: &Arc<ProcessEventRecord>,
) -> Applied {
    a.state.event_triggers.remove(&value.scope_key, &key)?;
    Ok(())
}
