//! Events that were triggered: written into the scope that catches them, taken by their element.
//!
//! TRIGGERING puts the payload into the scope; TRIGGERED takes it out again, when the element that
//! catches the event is activated or maps its output.

use std::rc::Rc;

use crate::engine::fault::{Outcome, Stop};
use crate::engine::lifecycle::{self, At};
use crate::engine::output::Processing;
use crate::engine::rule::subscriptions;
use crate::engine::rule::variables::{self, Owner};
use crate::ids::Key;
use crate::model::{Behavior, ElementId, ThrowEvent};
use crate::record::intent::of;
use crate::record::value::{BpmnElementType, ProcessEventRecord, ProcessInstanceRecord};
use crate::record::{Document, Text};
use crate::state::{ElementRow, TriggerRow};

/// A trigger with its key.
pub(crate) type Trigger = (Key, Rc<TriggerRow>);

/// Puts a payload into the scope of `at` for the element `target`.
pub(crate) fn triggering(
    p: &mut Processing<'_>,
    at: &At,
    target: &Text,
    variables: Document,
) -> Outcome<Key> {
    let key = p.next_key();
    let record = ProcessEventRecord {
        variables,
        ..event_record(at, at.key, target)
    };
    p.event(key, of::ProcessEvent::Triggering, record)?;
    Ok(key)
}

/// Takes the payload of a trigger out of its scope.
pub(crate) fn triggered(
    p: &mut Processing<'_>,
    at: &At,
    scope: Key,
    event: Key,
    target: &Text,
) -> Outcome {
    let record = event_record(at, scope, target);
    p.event(event, of::ProcessEvent::Triggered, record)
}

fn event_record(at: &At, scope: Key, target: &Text) -> ProcessEventRecord {
    ProcessEventRecord {
        scope_key: scope,
        target_element_id: target.clone(),
        variables: Document::EMPTY,
        process_definition_key: at.record.process_definition_key,
        process_instance_key: at.record.process_instance_key,
        tenant_id: at.record.tenant_id.clone(),
    }
}

/// The trigger of another element that waits in the scope of `at`.
pub(crate) fn pending_trigger(p: &Processing<'_>, at: &At) -> Outcome<Option<Trigger>> {
    let trigger = p.state().peek_trigger(at.key)?;
    Ok(trigger.filter(|(_, row)| row.element_id != at.record.element_id))
}

/// The trigger of a boundary event that may still be activated.
pub(crate) fn boundary_trigger(p: &Processing<'_>, at: &At) -> Outcome<Option<Trigger>> {
    let Some(trigger) = pending_trigger(p, at)? else {
        return Ok(None);
    };
    let scope = p.state().elements.get(&at.record.flow_scope_key)?;
    let open = scope.is_some_and(|scope| scope.is_active() && !scope.is_interrupted());
    Ok(Some(trigger).filter(|_| open))
}

/// The trigger of a start event that created this instance.
pub(crate) fn start_trigger(p: &Processing<'_>, at: &At) -> Outcome<Option<Trigger>> {
    let definition = at.record.process_definition_key;
    let instance = at.record.process_instance_key;
    Ok(p.state().event_triggers.with(&definition, |rows| {
        rows.iter()
            .find(|(_, row)| {
                row.process_instance_key == instance || row.process_instance_key == Key::NONE
            })
            .map(|(key, row)| (*key, row.clone()))
    })?)
}

/// Activates the element that a trigger in the scope of `at` names, in the scope `flow_scope`.
pub(crate) fn activate(
    p: &mut Processing<'_>,
    at: &At,
    flow_scope: Key,
    event: Key,
    trigger: &TriggerRow,
) -> Outcome {
    activate_in(p, at, at.key, flow_scope, event, trigger)
}

/// As [`activate`], for a trigger in the scope `event_scope`.
pub(crate) fn activate_in(
    p: &mut Processing<'_>,
    at: &At,
    event_scope: Key,
    flow_scope: Key,
    event: Key,
    trigger: &TriggerRow,
) -> Outcome {
    let process = at.process();
    let id = process
        .element(&trigger.element_id)
        .ok_or_else(|| Stop::fault(format!("no element with id '{}'", trigger.element_id)))?;
    let element = &process[id];
    if let Some(sub_process) = event_sub_process(at, id) {
        // The payload stays: the start event of the sub-process takes it when it completes.
        let record = ProcessInstanceRecord {
            flow_scope_key: flow_scope,
            ..at.child(&process[sub_process])
        };
        return p.command(Key::NONE, of::ProcessInstance::ActivateElement, record);
    }
    triggered(p, at, event_scope, event, &element.id)?;
    let record = ProcessInstanceRecord {
        flow_scope_key: flow_scope,
        ..at.child(element)
    };
    let catching = At {
        key: p.next_key(),
        record: record.into(),
        definition: at.definition.clone(),
        id,
    };
    lifecycle::activating(p, &catching)?;
    lifecycle::activated(p, &catching)?;
    if !trigger.variables.is_empty() {
        let owner = Owner::of(&catching.record);
        variables::merge_local(p, catching.key, &owner, &trigger.variables)?;
    }
    lifecycle::ask_complete(p, &catching)
}

/// The event sub-process whose start event `id` is.
fn event_sub_process(at: &At, id: ElementId) -> Option<ElementId> {
    let process = at.process();
    let scope = process[id].scope?;
    (process[id].element_type == BpmnElementType::StartEvent
        && process[scope].element_type == BpmnElementType::EventSubProcess)
        .then_some(scope)
}

/// Whether `at` may be triggered by the event `target`: it is active, still accepts the event, and
/// nothing interrupted the scope around it.
pub(crate) fn accepts(p: &Processing<'_>, at: &At, target: &Text) -> Outcome<bool> {
    let active = p.state().elements.get(&at.key)?;
    if !active.is_some_and(|row| row.is_active()) || !p.state().accepts_event(at.key, target)? {
        return Ok(false);
    }
    let scope = p.state().elements.get(&at.record.flow_scope_key)?;
    Ok(scope.is_none_or(|scope| !scope.is_interrupted()))
}

/// Triggers the catch event `target` in the scope of `at`: a boundary event of it, the start event of
/// an event sub-process in it, or the element itself. The caller checked that the scope accepts it.
pub(crate) fn trigger(
    p: &mut Processing<'_>,
    at: &At,
    target: ElementId,
    variables: Document,
) -> Outcome {
    let process = at.process();
    let element = &process[target];
    let event = triggering(p, at, &element.id, variables)?;
    if let Some(_sub_process) = event_sub_process(at, target) {
        return trigger_event_sub_process(p, at, target, event);
    }
    if element.element_type == BpmnElementType::BoundaryEvent {
        if element.interrupting() {
            return lifecycle::ask_terminate(p, at);
        }
        return match p.state().event_triggers.get(&at.key, &event)? {
            Some(trigger) => activate(p, at, at.record.flow_scope_key, event, &trigger),
            None => Ok(()),
        };
    }
    lifecycle::ask_complete(p, at)
}

fn trigger_event_sub_process(
    p: &mut Processing<'_>,
    at: &At,
    start: ElementId,
    event: Key,
) -> Outcome {
    let Some(row) = p.state().event_triggers.get(&at.key, &event)? else {
        return Ok(());
    };
    if at.process()[start].interrupting() {
        subscriptions::close_event_sub_processes(p, at)?;
        for child in p.state().children.members(&at.key)? {
            let Some(child_row) = p.state().elements.get(&child)? else {
                continue;
            };
            if child_row.can_terminate() {
                let record = child_row.record.clone();
                p.command(child, of::ProcessInstance::TerminateElement, record)?;
            }
        }
        let scope = p.state().elements.get(&at.key)?;
        if scope.is_some_and(|scope| scope.active_children > 0) {
            // The last child that terminates activates the event sub-process.
            return Ok(());
        }
    }
    activate(p, at, at.key, event, &row)
}

/// Whether a terminate end event interrupted the scope.
pub(crate) fn interrupted_by_terminate_end(at: &At, row: &ElementRow) -> bool {
    let process = at.process();
    process
        .element(&row.interrupting_element_id)
        .is_some_and(|id| matches!(process[id].behavior, Behavior::End(ThrowEvent::Terminate)))
}
