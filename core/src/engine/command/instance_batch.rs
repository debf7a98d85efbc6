//! PROCESS_INSTANCE_BATCH: many children of one scope, one by one.
//!
//! Each command handles one child and asks for the next, so that what a child causes runs between it
//! and the others, and no scope is too wide for a step. The index says where to go on: for
//! terminations the key of the next child, for activations how many are left (Camunda:
//! `ProcessInstanceBatchTerminateProcessor`, `ProcessInstanceBatchActivateProcessor`). An event with
//! the value of the last command says that all are done.

use std::sync::Arc;

use crate::engine::fault::{Outcome, Stop};
use crate::engine::input::Command;
use crate::engine::lifecycle::{self, At};
use crate::engine::output::Processing;
use crate::ids::Key;
use crate::model::Behavior;
use crate::record::intent::of;
use crate::record::value::{ProcessInstanceBatchRecord, ProcessInstanceRecord};
use crate::state::StateError;

type Value = Arc<ProcessInstanceBatchRecord>;

/// Asks for the termination of the first child whose key is from the index on.
pub(crate) fn terminate(p: &mut Processing<'_>, command: &Command, value: &Value) -> Outcome {
    let scope = value.batch_element_instance_key;
    let Some((child, record)) = next_child(p, scope, value.index)? else {
        return done(p, command, value, of::ProcessInstanceBatch::Terminated);
    };
    p.command(child, of::ProcessInstance::TerminateElement, record)?;
    match next_child(p, scope, child.0 + 1)? {
        Some((next, _)) => go_on(p, value, of::ProcessInstanceBatch::Terminate, next.0),
        None => done(p, command, value, of::ProcessInstanceBatch::Terminated),
    }
}

/// The first child of `scope` with a key of at least `from` that can be terminated.
fn next_child(
    p: &Processing<'_>,
    scope: Key,
    from: i64,
) -> Outcome<Option<(Key, Arc<ProcessInstanceRecord>)>> {
    let state = p.state();
    let found: Result<_, StateError> = state.children.with(&scope, |rows| {
        for child in rows.range(Key(from)..).map(|(child, _)| *child) {
            if let Some(row) = state.elements.get(&child)?
                && row.can_terminate()
            {
                return Ok(Some((child, row.record.clone())));
            }
        }
        Ok(None)
    })?;
    Ok(found?)
}

/// Asks for the activation of one inner instance of a multi-instance body.
pub(crate) fn activate(p: &mut Processing<'_>, command: &Command, value: &Value) -> Outcome {
    let Some(at) = At::find(p, value.batch_element_instance_key)? else {
        return Err(Stop::invalid_state(format!(
            "Expected to activate child for batch element instance, but no parent element instance found for key '{}'. The parent was likely terminated before processing this batch activation.",
            value.batch_element_instance_key
        )));
    };
    let Behavior::MultiInstance(body) = &at.element().behavior else {
        return Err(Stop::fault(
            "only a multi-instance body has numbered children",
        ));
    };
    if value.index > 0 {
        lifecycle::ask_activate_child_with_key(p, &at, body.inner)?;
    }
    if value.index > 1 {
        return go_on(
            p,
            value,
            of::ProcessInstanceBatch::Activate,
            value.index - 1,
        );
    }
    done(p, command, value, of::ProcessInstanceBatch::Activated)
}

fn go_on(
    p: &mut Processing<'_>,
    value: &Value,
    intent: of::ProcessInstanceBatch,
    index: i64,
) -> Outcome {
    let record = ProcessInstanceBatchRecord {
        index,
        ..ProcessInstanceBatchRecord::clone(value)
    };
    let key = p.next_key();
    p.command(key, intent, record)
}

fn done(
    p: &mut Processing<'_>,
    command: &Command,
    value: &Value,
    intent: of::ProcessInstanceBatch,
) -> Outcome {
    p.event(command.key, intent, value.clone())
}
