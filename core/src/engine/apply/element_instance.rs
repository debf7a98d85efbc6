//! PROCESS_INSTANCE events: element instances come, change state and go.
//!
//! With them change the counters of their flow scope (active children, tokens on flows) and of taken
//! flows at joins: completion is decided from these counters alone, never by looking at children.

use std::sync::Arc;

use crate::engine::apply::{Applied, business_id, missing, runtime_instruction};
use crate::engine::fault::Fault;
use crate::engine::output::Applying;
use crate::engine::rule::starts;
use crate::ids::Key;
use crate::model::{Behavior, Element, Process, ThrowEvent};
use crate::record::Text;
use crate::record::value::{
    AdHocSubProcessInstructionRecord, BpmnElementType, MultiInstanceRecord, ProcessInstanceRecord,
};
use crate::state::{
    CountRow, ElementRow, ElementState, EventScopeRow, InputCollectionRow, StartLockRow,
    TriggerRow, Unit,
};

type Value = Arc<ProcessInstanceRecord>;

fn process(a: &Applying<'_>, value: &Value) -> Result<Arc<Process>, Fault> {
    let definition = a
        .definitions
        .expect(a.state, value.process_definition_key)?;
    Ok(definition.process.clone())
}

fn element_of<'p>(process: &'p Process, value: &Value) -> Result<&'p Element, Fault> {
    process
        .element_of(&value.element_id, value.bpmn_element_type)
        .map(|id| &process[id])
        .ok_or_else(|| Fault::Processing(format!("no element with id '{}'", value.element_id)))
}

fn change(a: &mut Applying<'_>, key: Key, f: impl FnOnce(&mut ElementRow)) -> Applied {
    if a.state.elements.update(&key, f)? {
        Ok(())
    } else {
        Err(missing("element instance", key))
    }
}

pub(super) fn sequence_flow_taken(a: &mut Applying<'_>, _key: Key, value: &Value) -> Applied {
    let process = process(a, value)?;
    let flow = process
        .flow(&value.element_id)
        .ok_or_else(|| Fault::Processing(format!("no flow with id '{}'", value.element_id)))?;
    let flow = &process[flow];
    change(a, value.flow_scope_key, |scope| {
        scope.active_flows += 1;
        scope.active_flow_ids.push(flow.id.clone());
    })?;
    let target = &process[flow.target];
    if joins(target) {
        let group = (value.flow_scope_key, target.id.clone());
        let count = a.state.taken_flows.get(&group, &flow.id)?;
        let count = count.map_or(0, |row| row.count) + 1;
        a.state
            .taken_flows
            .put(group, flow.id.clone(), CountRow { count })?;
    }
    Ok(())
}

/// A token that waits in front of a join is taken off its flow again.
pub(super) fn sequence_flow_deleted(a: &mut Applying<'_>, _key: Key, value: &Value) -> Applied {
    let process = process(a, value)?;
    let flow = process
        .flow(&value.element_id)
        .ok_or_else(|| Fault::Processing(format!("no flow with id '{}'", value.element_id)))?;
    let flow = &process[flow];
    change(a, value.flow_scope_key, |scope| {
        if let Some(at) = scope.active_flow_ids.iter().position(|id| *id == flow.id) {
            scope.active_flow_ids.swap_remove(at);
            scope.active_flows -= 1;
        }
    })?;
    let group = (value.flow_scope_key, process[flow.target].id.clone());
    let Some(row) = a.state.taken_flows.get(&group, &flow.id)? else {
        return Ok(());
    };
    let count = row.count - 1;
    if count > 0 {
        a.state
            .taken_flows
            .put(group, flow.id.clone(), CountRow { count })?;
    } else {
        a.state.taken_flows.remove(&group, &flow.id)?;
    }
    Ok(())
}

/// Whether tokens wait for each other in front of `element`.
fn joins(element: &Element) -> bool {
    match element.element_type {
        BpmnElementType::ParallelGateway | BpmnElementType::InclusiveGateway => true,
        BpmnElementType::Unspecified
        | BpmnElementType::Process
        | BpmnElementType::SubProcess
        | BpmnElementType::EventSubProcess
        | BpmnElementType::AdHocSubProcess
        | BpmnElementType::AdHocSubProcessInnerInstance
        | BpmnElementType::StartEvent
        | BpmnElementType::IntermediateCatchEvent
        | BpmnElementType::IntermediateThrowEvent
        | BpmnElementType::BoundaryEvent
        | BpmnElementType::EndEvent
        | BpmnElementType::ServiceTask
        | BpmnElementType::ReceiveTask
        | BpmnElementType::UserTask
        | BpmnElementType::ManualTask
        | BpmnElementType::Task
        | BpmnElementType::ExclusiveGateway
        | BpmnElementType::EventBasedGateway
        | BpmnElementType::SequenceFlow
        | BpmnElementType::MultiInstanceBody
        | BpmnElementType::CallActivity
        | BpmnElementType::BusinessRuleTask
        | BpmnElementType::ScriptTask
        | BpmnElementType::SendTask => false,
    }
}

pub(super) fn activating(a: &mut Applying<'_>, key: Key, value: &Value) -> Applied {
    let process = process(a, value)?;
    let element = element_of(&process, value)?;
    open_event_scope(a, key, &process, element)?;
    let consumed = if joins(element) {
        take_waiting_tokens(a, value, element)?
    } else {
        0
    };
    a.state.children.found(&key);
    a.state.variables.found(&key);
    if !element.waits_for.is_empty() {
        a.state.timers.found(&key);
        a.state.process_message_subscriptions.found(&key);
        a.state.signal_subscriptions_by_waiting.found(&key);
        if process.watches_conditions() {
            a.state.conditional_subscriptions.found(&key);
        }
    }
    let mut row = ElementRow {
        record: value.clone(),
        state: ElementState::Activating,
        ..ElementRow::default()
    };
    let scope_key = value.flow_scope_key;
    let Some(scope) = a.state.elements.get(&scope_key)? else {
        row.depth = enter_call(a, key, value)?;
        if business_id::is_own(value) {
            let (group, unit) = (business_id::group(value), Unit {});
            a.state.instances_by_business_id.put(group, key, unit)?;
        }
        count_running(a, value.process_definition_key, 1)?;
        a.state.elements.insert_new(key, row);
        if process.compensates() {
            a.state.compensation_subscriptions.found(&key);
        }
        return Ok(());
    };
    let scope_type = scope.record.bpmn_element_type;
    let scope_parent = scope.record.flow_scope_key;
    drop(scope);
    let in_body = scope_type == BpmnElementType::MultiInstanceBody;
    let tokens = tokens_consumed(&process, element, in_body, consumed);
    let interrupting = element.container().is_some_and(|container| {
        element.element_type == BpmnElementType::EventSubProcess
            && (container.start_events.first()).is_some_and(|start| process[*start].interrupting())
    });
    let mut loop_counter = 0;
    change(a, scope_key, |scope| {
        scope.active_children += 1;
        for flow in &element.incoming {
            let id = &process[*flow].id;
            if let Some(at) = scope.active_flow_ids.iter().position(|known| known == id) {
                scope.active_flow_ids.swap_remove(at);
            }
        }
        // Activated by hand, an element may find fewer tokens, or those of others.
        scope.active_flows = (scope.active_flows - tokens).max(0);
        if interrupting {
            scope.active_flows = 0;
            scope.active_flow_ids.clear();
        }
        if in_body {
            scope.loop_counter += 1;
            scope.created_children += 1;
            loop_counter = scope.loop_counter;
        }
    })?;
    row.loop_counter = loop_counter;
    a.state.elements.insert_new(key, row);
    a.state.children.put(scope_key, key, Unit {})?;
    if element.element_type == BpmnElementType::StartEvent
        && scope_type == BpmnElementType::EventSubProcess
        && let Some((event, trigger)) = a.state.peek_trigger(scope_parent)?
    {
        // The payload follows the token: from the scope that was triggered to its start event.
        a.state
            .event_triggers
            .put(key, event, TriggerRow::clone(&trigger))?;
        a.state.event_triggers.remove(&scope_parent, &event)?;
    }
    Ok(())
}

/// Scopes that can be triggered get an event scope: what catches events, and what takes a result.
fn open_event_scope(
    a: &mut Applying<'_>,
    key: Key,
    process: &Process,
    element: &Element,
) -> Applied {
    if has_event_scope(element) {
        a.state
            .event_scopes
            .insert_new(key, event_scope(process, element));
    }
    a.state.event_triggers.found(&key);
    Ok(())
}

/// What an instance of `element` accepts at first.
fn event_scope(process: &Process, element: &Element) -> EventScopeRow {
    let mut row = EventScopeRow::default();
    for id in &element.waits_for {
        let event = &process[*id];
        if event.element_type == BpmnElementType::BoundaryEvent {
            row.boundary.push(event.id.clone());
        }
        let only_one = matches!(element.behavior, Behavior::EventBasedGateway);
        if only_one || event.interrupting() {
            row.interrupting.push(event.id.clone());
        }
    }
    row
}

/// Whether instances of an element catch events or take a result.
fn has_event_scope(element: &Element) -> bool {
    let takes_results = match &element.behavior {
        Behavior::Job(_)
        | Behavior::UserTask(_)
        | Behavior::Receive(_)
        | Behavior::Script(_)
        | Behavior::Decision(_)
        | Behavior::Call(_)
        | Behavior::SubProcess(_)
        | Behavior::EventSubProcess(_)
        | Behavior::AdHoc(_)
        | Behavior::MultiInstance(_)
        | Behavior::PassThrough
        | Behavior::ExclusiveGateway { .. }
        | Behavior::InclusiveGateway { .. } => true,
        Behavior::Throw(event) | Behavior::End(event) => matches!(event, ThrowEvent::Job(_)),
        Behavior::Process(_)
        | Behavior::AdHocInner(_)
        | Behavior::ParallelGateway
        | Behavior::EventBasedGateway
        | Behavior::Start { .. }
        | Behavior::Catch(_)
        | Behavior::Boundary { .. } => false,
    };
    takes_results || !element.waits_for.is_empty()
}

/// Takes one token off every flow that leads into a join; surplus tokens stay for its next round.
/// Returns how many flows had one.
fn take_waiting_tokens(
    a: &mut Applying<'_>,
    value: &Value,
    element: &Element,
) -> Result<i32, Fault> {
    let group = (value.flow_scope_key, element.id.clone());
    let taken: Vec<(Text, i32)> = a.state.taken_flows.with(&group, |rows| {
        rows.iter()
            .map(|(flow, row)| (flow.clone(), row.count))
            .collect()
    })?;
    let count = taken.len() as i32;
    for (flow, count) in taken {
        if count > 1 {
            let row = CountRow { count: count - 1 };
            a.state.taken_flows.put(group.clone(), flow, row)?;
        } else {
            a.state.taken_flows.remove(&group, &flow)?;
        }
    }
    Ok(count)
}

/// Tokens on flows that end with the activation of `element`.
fn tokens_consumed(process: &Process, element: &Element, in_body: bool, joined: i32) -> i32 {
    match element.element_type {
        BpmnElementType::StartEvent
        | BpmnElementType::BoundaryEvent
        | BpmnElementType::EventSubProcess => 0,
        BpmnElementType::IntermediateCatchEvent => {
            // The flow from an event-based gateway is never taken; a link event has none.
            i32::from(element.incoming.first().is_some_and(|flow| {
                let source = &process[process[*flow].source];
                source.element_type != BpmnElementType::EventBasedGateway
            }))
        }
        BpmnElementType::ParallelGateway => element.incoming.len() as i32,
        BpmnElementType::InclusiveGateway => joined,
        BpmnElementType::Unspecified
        | BpmnElementType::Process
        | BpmnElementType::SubProcess
        | BpmnElementType::AdHocSubProcess
        | BpmnElementType::AdHocSubProcessInnerInstance
        | BpmnElementType::IntermediateThrowEvent
        | BpmnElementType::EndEvent
        | BpmnElementType::ServiceTask
        | BpmnElementType::ReceiveTask
        | BpmnElementType::UserTask
        | BpmnElementType::ManualTask
        | BpmnElementType::Task
        | BpmnElementType::ExclusiveGateway
        | BpmnElementType::EventBasedGateway
        | BpmnElementType::SequenceFlow
        | BpmnElementType::MultiInstanceBody
        | BpmnElementType::CallActivity
        | BpmnElementType::BusinessRuleTask
        | BpmnElementType::ScriptTask
        // Also without incoming flow, as Camunda counts: where a compensation handler is activated
        // while a token waits at a gateway, the scope no longer waits for that token.
        | BpmnElementType::SendTask => i32::from(!in_body),
    }
}

/// Tells a call activity which instance it called; returns the depth of that instance.
fn enter_call(a: &mut Applying<'_>, key: Key, value: &Value) -> Result<i32, Fault> {
    if !value.parent_element_instance_key.is_some() {
        return Ok(1);
    }
    a.state
        .elements
        .update(&value.parent_element_instance_key, |call| {
            call.called_child_key = key;
        })?;
    let caller = a.state.elements.get(&value.parent_process_instance_key)?;
    Ok(caller.map_or(0, |caller| caller.depth) + 1)
}

pub(super) fn input_collection_evaluated(
    a: &mut Applying<'_>,
    key: Key,
    value: &Arc<MultiInstanceRecord>,
) -> Applied {
    let row = InputCollectionRow {
        record: value.clone(),
    };
    Ok(a.state.input_collections.put(key, row)?)
}

pub(super) fn ad_hoc_fulfilled(
    a: &mut Applying<'_>,
    _key: Key,
    value: &Arc<AdHocSubProcessInstructionRecord>,
) -> Applied {
    let fulfilled = value.completion_condition_fulfilled;
    a.state
        .elements
        .update(&value.ad_hoc_sub_process_instance_key, |row| {
            row.completion_condition_fulfilled = fulfilled;
        })?;
    Ok(())
}

pub(super) fn activated(a: &mut Applying<'_>, key: Key, value: &Value) -> Applied {
    change(a, key, |row| {
        row.state = ElementState::Activated;
        row.record = value.clone();
        row.listener_index = 0;
    })
}

pub(super) fn completing(a: &mut Applying<'_>, key: Key, _value: &Value) -> Applied {
    change(a, key, |row| {
        row.state = ElementState::Completing;
        row.listener_index = 0;
    })
}

pub(super) fn terminating(a: &mut Applying<'_>, key: Key, _value: &Value) -> Applied {
    change(a, key, |row| {
        row.state = ElementState::Terminating;
        row.listener_index = 0;
    })
}

pub(super) fn completed(a: &mut Applying<'_>, key: Key, value: &Value) -> Applied {
    let process = process(a, value)?;
    let element = element_of(&process, value)?;
    if value.bpmn_element_type == BpmnElementType::Process
        && value.parent_element_instance_key.is_some()
    {
        hand_variables_to_call_activity(a, key, value)?;
    }
    leave(a, key, value)?;
    let scope_key = value.flow_scope_key;
    let Some(scope) = a.state.elements.get(&scope_key)? else {
        return Ok(());
    };
    let in_body = scope.record.bpmn_element_type == BpmnElementType::MultiInstanceBody;
    drop(scope);
    let ends_scope = matches!(element.behavior, Behavior::End(ThrowEvent::Terminate));
    change(a, scope_key, |scope| {
        scope.active_children -= 1;
        if in_body {
            scope.completed_children += 1;
        }
        if ends_scope {
            scope.active_flows = 0;
            scope.active_flow_ids.clear();
            scope.interrupting_element_id = value.element_id.clone();
        }
    })
}

/// The child's variables become the trigger from which the call activity maps its output.
fn hand_variables_to_call_activity(a: &mut Applying<'_>, key: Key, value: &Value) -> Applied {
    let call_key = value.parent_element_instance_key;
    let Some(call) = a.state.elements.get(&call_key)? else {
        return Ok(());
    };
    let process = process(a, &call.record)?;
    let element = element_of(&process, &call.record)?;
    let Behavior::Call(called) = &element.behavior else {
        return Ok(());
    };
    if !element.outputs.is_empty() || called.propagate_all_child_variables {
        let trigger = TriggerRow {
            element_id: element.id.clone(),
            variables: a.state.local_variables(key)?,
            process_instance_key: call.record.process_instance_key,
        };
        a.state.event_triggers.put(call_key, call_key, trigger)?;
    }
    Ok(())
}

pub(super) fn terminated(a: &mut Applying<'_>, key: Key, value: &Value) -> Applied {
    if value.bpmn_element_type == BpmnElementType::Process {
        forget_start(a, key, value)?;
    }
    leave(a, key, value)?;
    let scope_key = value.flow_scope_key;
    let Some(scope) = a.state.elements.get(&scope_key)? else {
        return Ok(());
    };
    let in_body = scope.record.bpmn_element_type == BpmnElementType::MultiInstanceBody;
    drop(scope);
    change(a, scope_key, |scope| {
        scope.active_children -= 1;
        if in_body {
            scope.terminated_children += 1;
        }
    })
}

/// What started an instance waits with its definition while listeners of the process run; an
/// instance that ends before its start event takes it along.
fn forget_start(a: &mut Applying<'_>, key: Key, value: &Value) -> Applied {
    let process = process(a, value)?;
    if element_of(&process, value)?.listeners.start.is_empty() {
        return Ok(());
    }
    let definition = value.process_definition_key;
    let left = a.state.event_triggers.with(&definition, |rows| {
        let mut of_it = rows.iter();
        of_it
            .find(|(_, row)| row.process_instance_key == key)
            .map(|(event, _)| *event)
    })?;
    if let Some(event) = left {
        a.state.event_triggers.remove(&definition, &event)?;
    }
    Ok(())
}

/// Removes an element instance and everything that hangs on it.
fn leave(a: &mut Applying<'_>, key: Key, value: &Value) -> Applied {
    let process = process(a, value)?;
    let element = element_of(&process, value)?;
    if has_event_scope(element) {
        a.state.event_scopes.remove(&key)?;
    }
    a.state.event_triggers.clear(&key)?;
    a.state.event_triggers.release(&key);
    a.state.variables.clear(&key)?;
    a.state.variables.release(&key);
    a.state.children.release(&key);
    a.state.elements.remove(&key)?;
    if value.bpmn_element_type == BpmnElementType::MultiInstanceBody {
        a.state.input_collections.remove(&key)?;
    }
    if let Some(container) = element.container() {
        for child in &container.children {
            let child = &process[*child];
            if joins(child) {
                a.state.taken_flows.clear(&(key, child.id.clone()))?;
            }
        }
    }
    if value.flow_scope_key.is_some() {
        a.state.children.remove(&value.flow_scope_key, &key)?;
    }
    if value.bpmn_element_type == BpmnElementType::Process {
        runtime_instruction::instance_ended(a, key);
        if business_id::is_own(value) {
            let group = business_id::group(value);
            a.state.instances_by_business_id.remove(&group, &key)?;
        }
        count_running(a, value.process_definition_key, -1)?;
        a.state.banned.remove(&key);
        if starts::has_message_start(&process) {
            a.state.unlock_start(key)?;
        }
    }
    Ok(())
}

/// The instance is one of another definition now; its event scope is what that definition has, as
/// open as it was.
pub(super) fn migrated(a: &mut Applying<'_>, key: Key, value: &Value) -> Applied {
    let Some(row) = a.state.elements.get(&key)? else {
        return Err(missing("element instance", key));
    };
    let before = row.record.clone();
    drop(row);
    let process = process(a, value)?;
    let element = element_of(&process, value)?;
    let scope = a.state.event_scopes.get(&key)?;
    if has_event_scope(element) {
        let known = scope.map_or((true, false), |row| (row.accepting, row.interrupted));
        let row = EventScopeRow {
            accepting: known.0,
            interrupted: known.1,
            ..event_scope(&process, element)
        };
        a.state.event_scopes.put(key, row)?;
    } else if scope.is_some() {
        a.state.event_scopes.remove(&key)?;
    }
    let record = ProcessInstanceRecord {
        element_instance_path: Vec::new(),
        process_definition_path: Vec::new(),
        calling_element_path: Vec::new(),
        ..ProcessInstanceRecord::clone(value)
    };
    change(a, key, |row| row.record = Arc::new(record))?;
    if value.bpmn_element_type == BpmnElementType::Process {
        count_running(a, before.process_definition_key, -1)?;
        count_running(a, value.process_definition_key, 1)?;
        if business_id::is_own(value) {
            let ids = &mut a.state.instances_by_business_id;
            ids.remove(&business_id::group(&before), &key)?;
            ids.put(business_id::group(value), key, Unit {})?;
        }
        move_start_lock(a, key, &process)?;
    }
    Ok(())
}

fn count_running(a: &mut Applying<'_>, definition: Key, change: i32) -> Applied {
    let running = a.state.running_instances.get(&definition)?;
    let count = running.map_or(0, |row| row.count) + change;
    if count > 0 {
        a.state
            .running_instances
            .put(definition, CountRow { count })?;
    } else {
        a.state.running_instances.remove(&definition)?;
    }
    Ok(())
}

/// Messages with the correlation key of the instance start no other one of its new process.
fn move_start_lock(a: &mut Applying<'_>, key: Key, process: &Process) -> Applied {
    let Some(lock) = a.state.message_locked_instances.get(&key)? else {
        return Ok(());
    };
    a.state.unlock_start(key)?;
    if starts::has_message_start(process) {
        let lock = StartLockRow {
            bpmn_process_id: process.id().clone(),
            ..StartLockRow::clone(&lock)
        };
        a.state.lock_start(key, lock)?;
    }
    Ok(())
}
