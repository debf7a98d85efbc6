//! RUNTIME_INSTRUCTION events, and the instructions that PROCESS_INSTANCE_CREATION CREATED gives.
//!
//! An instance whose instruction was followed keeps one entry without element until it has ended.

use std::sync::Arc;

use crate::engine::apply::Applied;
use crate::engine::output::Applying;
use crate::ids::Key;
use crate::record::Text;
use crate::record::value::{ProcessInstanceCreationRecord, RuntimeInstructionRecord};

pub(super) fn instance_created(
    a: &mut Applying<'_>,
    _key: Key,
    value: &Arc<ProcessInstanceCreationRecord>,
) -> Applied {
    for instruction in &value.runtime_instructions {
        let entry = (
            value.process_instance_key,
            instruction.after_element_id.clone(),
        );
        a.state.runtime_instructions.insert(entry);
    }
    Ok(())
}

pub(super) fn interrupted(
    a: &mut Applying<'_>,
    key: Key,
    value: &Arc<RuntimeInstructionRecord>,
) -> Applied {
    instance_ended(a, key);
    let by = value.element_id.clone();
    (a.state.elements).update(&key, |row| row.interrupting_element_id = by)?;
    a.state.runtime_instructions.insert((key, Text::EMPTY));
    Ok(())
}

/// Forgets the instructions of an instance.
pub(super) fn instance_ended(a: &mut Applying<'_>, instance: Key) {
    if a.state.runtime_instructions.is_empty() {
        return;
    }
    let from = (instance, Text::EMPTY);
    let of_instance: Vec<(Key, Text)> = (a.state.runtime_instructions.from(from))
        .take_while(|(key, _)| *key == instance)
        .cloned()
        .collect();
    for entry in of_instance {
        a.state.runtime_instructions.remove(&entry);
    }
}
