//! PROCESS_INSTANCE_BATCH: many children of one scope, in pieces that fit a step.
//!
//! Each piece ends with a command for the next one; the index says where to go on.

use std::sync::Arc;

use crate::engine::fault::{Outcome, Stop};
use crate::engine::input::Command;
use crate::engine::lifecycle::{self, At};
use crate::engine::output::Processing;
use crate::ids::Key;
use crate::model::Behavior;
use crate::record::intent::of;
use crate::record::value::ProcessInstanceBatchRecord;

/// Children handled by one command.
pub(crate) const CHILDREN_PER_BATCH: usize = 50;

type Value = Arc<ProcessInstanceBatchRecord>;

/// Asks for the termination of the children whose keys are from the index on.
pub(crate) fn terminate(p: &mut Processing<'_>, _command: &Command, value: &Value) -> Outcome {
    let scope = value.batch_element_instance_key;
    let mut children = p.state().children.members(&scope)?.into_iter();
    let mut handled = 0;
    for child in children.by_ref().filter(|child| child.0 >= value.index) {
        if handled == CHILDREN_PER_BATCH {
            return again(p, value, child.0);
        }
        let Some(row) = p.state().elements.get(&child)? else {
            continue;
        };
        if row.can_terminate() {
            let record = row.record.clone();
            p.command(child, of::ProcessInstance::TerminateElement, record)?;
            handled += 1;
        }
    }
    Ok(())
}

/// Activates as many inner instances of a multi-instance body as the index says.
pub(crate) fn activate(p: &mut Processing<'_>, _command: &Command, value: &Value) -> Outcome {
    let Some(at) = At::find(p, value.batch_element_instance_key)? else {
        return Err(Stop::invalid_state(format!(
            "Expected to activate children of element instance with key '{}', but it is not active",
            value.batch_element_instance_key
        )));
    };
    let Behavior::MultiInstance(body) = &at.element().behavior else {
        return Err(Stop::fault(
            "only a multi-instance body has numbered children",
        ));
    };
    let inner = body.inner;
    let left = value.index.max(0);
    let now = left.min(CHILDREN_PER_BATCH as i64);
    for _ in 0..now {
        lifecycle::ask_activate_child_with_key(p, &at, inner)?;
    }
    if left > now {
        return again_activate(p, value, left - now);
    }
    Ok(())
}

fn again(p: &mut Processing<'_>, value: &Value, index: i64) -> Outcome {
    let key = p.next_key();
    let record = at_index(value, index);
    p.command(key, of::ProcessInstanceBatch::Terminate, record)
}

fn again_activate(p: &mut Processing<'_>, value: &Value, index: i64) -> Outcome {
    let key: Key = p.next_key();
    let record = at_index(value, index);
    p.command(key, of::ProcessInstanceBatch::Activate, record)
}

fn at_index(value: &Value, index: i64) -> ProcessInstanceBatchRecord {
    ProcessInstanceBatchRecord {
        index,
        ..ProcessInstanceBatchRecord::clone(value)
    }
}
