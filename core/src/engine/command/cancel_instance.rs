//! PROCESS_INSTANCE CANCEL: asks for the termination of a root instance.
//!
//! The answer is given as soon as termination has begun. A called instance is not canceled alone: the
//! rejection names the root (Camunda: `ProcessInstanceCancelProcessor`).

use std::sync::Arc;

use crate::engine::fault::{Outcome, Stop};
use crate::engine::input::Command;
use crate::engine::lifecycle;
use crate::engine::lifecycle::At;
use crate::engine::output::Processing;
use crate::record::intent::of;
use crate::record::value::{BpmnElementType, ProcessInstanceRecord};

/// Cancels an instance; the caller is answered before the instance is gone.
pub(crate) fn cancel(
    p: &mut Processing<'_>,
    command: &Command,
    _value: &Arc<ProcessInstanceRecord>,
) -> Outcome {
    let key = command.key;
    let row = p.state().elements.get(&key)?;
    let row = row.filter(|row| {
        row.record.bpmn_element_type == BpmnElementType::Process && row.can_terminate()
    });
    let Some(row) = row else {
        return Err(Stop::not_found(format!(
            "Expected to cancel a process instance with key '{key}', but no such process was found"
        )));
    };
    if row.record.parent_process_instance_key.is_some() {
        return Err(Stop::invalid_state(format!(
            "Expected to cancel a process instance with key '{key}', but it is created by a parent process instance. Cancel the root process instance '{}' instead.",
            row.record.root_process_instance_key
        )));
    }
    let at = At::new(p, key, &row.record)?;
    p.event(key, of::ProcessInstance::Canceling, at.record.clone())?;
    lifecycle::ask_terminate(p, &at)?;
    p.respond(
        key,
        of::ProcessInstance::ElementTerminating,
        at.record.clone(),
    );
    Ok(())
}
