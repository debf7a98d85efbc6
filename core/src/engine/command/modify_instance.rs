//! PROCESS_INSTANCE_MODIFICATION MODIFY: elements of a running instance are activated and
//! terminated by hand, all or nothing.
//!
//! Moves become activations and terminations, ids become keys ([`resolve`]); everything that can be
//! refused without trying is ([`check`]). Then all activations, then all terminations. Scopes around
//! an activated element are reused or created ([`activate`]), without their start events and input
//! mappings; a scope that loses its last child terminates too, unless something was activated in it.
//! Terminated elements go at once: their jobs, tasks, subscriptions and incidents end with them, and
//! their listeners are not asked (Camunda: `ProcessInstanceModificationModifyProcessor`).

use std::sync::Arc;

use crate::engine::element;
use crate::engine::fault::{Outcome, Stop};
use crate::engine::input::Command;
use crate::engine::lifecycle::{self, At};
use crate::engine::output::Processing;
use crate::engine::rule::{compensation, incidents, jobs, starts, subscriptions};
use crate::ids::Key;
use crate::record::intent::of;
use crate::record::value::{
    BpmnElementType, ProcessInstanceModificationRecord, TerminateInstruction,
};
use crate::record::{Intent, Rejection, RejectionType, Value as AnyValue};

mod activate;
mod check;
mod resolve;

type Value = Arc<ProcessInstanceModificationRecord>;

/// Modifies an instance.
pub(crate) fn modify(p: &mut Processing<'_>, command: &Command, value: &Value) -> Outcome {
    let event_key = if command.key.is_some() {
        command.key
    } else {
        value.process_instance_key
    };
    let root = At::find(p, value.process_instance_key)?
        .filter(|at| at.record.bpmn_element_type == BpmnElementType::Process);
    let Some(root) = root else {
        return Err(Stop::not_found(format!(
            "Expected to modify process instance but no process instance found with key '{event_key}'"
        )));
    };
    check::as_given(value, root.process())?;
    let mut plan = resolve::resolve(p, &root, value)?;
    check::resolved(p, &root, &plan)?;
    let mut required = Vec::new();
    for instruction in &mut plan.activate {
        let scopes = activate::activate(p, &root, instruction)?;
        required.extend(scopes.iter().copied());
        instruction.ancestor_scope_keys = scopes;
    }
    for TerminateInstruction {
        element_instance_key,
        ..
    } in &plan.terminate
    {
        // Gone already if its scope was terminated before it.
        if let Some(at) = At::find(p, *element_instance_key)? {
            terminate(p, &at)?;
            terminate_empty_scopes(p, at.record.flow_scope_key, &required)?;
        }
    }
    let modified = Arc::new(ProcessInstanceModificationRecord {
        process_instance_key: root.key,
        terminate_instructions: plan.terminate,
        activate_instructions: plan.activate,
        move_instructions: Vec::new(),
        tenant_id: root.record.tenant_id.clone(),
        root_process_instance_key: root.record.root_process_instance_key,
        process_definition_key: root.record.process_definition_key,
        bpmn_process_id: root.record.bpmn_process_id.clone(),
    });
    p.event(
        event_key,
        of::ProcessInstanceModification::Modified,
        modified.clone(),
    )?;
    p.respond(
        event_key,
        of::ProcessInstanceModification::Modified,
        modified,
    );
    Ok(())
}

/// The refusal of a modification that is too large for one step.
pub(crate) fn too_large(command: &Command) -> Option<Rejection> {
    let (Intent::ProcessInstanceModification(_), AnyValue::ProcessInstanceModification(value)) =
        (command.intent, &command.value)
    else {
        return None;
    };
    let reason = format!(
        "Unable to modify process instance with key '{}' as the size exceeds the maximum batch size. Please reduce the size by splitting the modification into multiple commands.",
        value.process_instance_key
    );
    Some(Rejection::new(RejectionType::InvalidArgument, reason))
}

/// Terminates an instance with everything below it, child instances included.
fn terminate(p: &mut Processing<'_>, at: &At) -> Outcome {
    let mut open = vec![at.clone()];
    let mut terminating = Vec::new();
    while let Some(at) = open.pop() {
        if element::row(p, &at)?.can_terminate() {
            let record = at.record.clone();
            p.event(at.key, of::ProcessInstance::ElementTerminating, record)?;
        }
        jobs::cancel(p, &at)?;
        cancel_user_task(p, &at)?;
        incidents::resolve_of_element(p, &at)?;
        subscriptions::close(p, &at)?;
        if at.record.bpmn_element_type == BpmnElementType::Process {
            compensation::forget_instance(p, &at)?;
        }
        for child in p.state().children.members(&at.key)? {
            open.extend(At::find(p, child)?);
        }
        let called = element::row(p, &at)?.called_child_key;
        if called.is_some() {
            open.extend(At::find(p, called)?);
        }
        terminating.push(at);
    }
    for at in terminating.iter().rev() {
        if at.record.bpmn_element_type != BpmnElementType::Process {
            lifecycle::terminated(p, at)?;
            continue;
        }
        p.awaited.remove(at.key);
        let lock = starts::held_lock(p, at)?;
        lifecycle::terminated(p, at)?;
        if let Some(lock) = lock {
            starts::after_instance(p, &lock)?;
        }
    }
    Ok(())
}

/// Cancels the task of an element instance, if it has one, whatever is under way with it.
fn cancel_user_task(p: &mut Processing<'_>, at: &At) -> Outcome {
    let key = element::row(p, at)?.user_task_key;
    let Some(row) = p.state().user_tasks.get(&key)? else {
        return Ok(());
    };
    p.event(key, of::UserTask::Canceling, row.record.clone())?;
    p.event(key, of::UserTask::Canceled, row.record.clone())
}

/// Terminates the scope `key` and those around it as long as nothing is left in them.
fn terminate_empty_scopes(p: &mut Processing<'_>, key: Key, required: &[Key]) -> Outcome {
    let mut key = key;
    while let Some(row) = p.state().elements.get(&key)? {
        let busy = row.active_children > 0 || row.active_flows > 0;
        if busy || required.contains(&key) {
            return Ok(());
        }
        let at = At::new(p, key, &row.record)?;
        if at.record.bpmn_element_type == BpmnElementType::Process
            && at.record.parent_process_instance_key.is_some()
        {
            return Err(Stop::invalid_argument(format!(
                "Expected to modify instance of process '{}' but the given instructions would terminate the instance. The instance was created by a call activity in the parent process. To terminate this instance please modify the parent process instead.",
                at.record.bpmn_process_id
            )));
        }
        terminate(p, &at)?;
        key = at.record.flow_scope_key;
    }
    Ok(())
}
