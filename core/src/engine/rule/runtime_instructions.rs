//! Instructions that were given with the creation of an instance: end it after an element.
//!
//! They cost nothing while no instance has any. The instance is terminated as if it were canceled;
//! flows behind the element are not taken.

use crate::engine::fault::Outcome;
use crate::engine::lifecycle::At;
use crate::engine::output::Processing;
use crate::model::Behavior;
use crate::record::Text;
use crate::record::intent::of;
use crate::record::value::RuntimeInstructionRecord;

/// An element has completed or terminated: ends the instance if it was to end after it.
pub(crate) fn after(p: &mut Processing<'_>, at: &At) -> Outcome {
    if p.state().runtime_instructions.is_empty() {
        return Ok(());
    }
    let instance = at.record.process_instance_key;
    let entry = (instance, at.record.element_id.clone());
    if !p.state().runtime_instructions.contains(&entry) || is_one_of_many(at) {
        return Ok(());
    }
    let Some(row) = p.state().elements.get(&instance)? else {
        return Ok(());
    };
    if row.is_terminating() {
        return Ok(());
    }
    let record = RuntimeInstructionRecord {
        process_instance_key: instance,
        process_definition_key: at.record.process_definition_key,
        element_id: at.record.element_id.clone(),
        tenant_id: at.record.tenant_id.clone(),
    };
    p.event(instance, of::RuntimeInstruction::Interrupted, record)?;
    p.command(
        instance,
        of::ProcessInstance::TerminateElement,
        row.record.clone(),
    )
}

/// Whether `at` is an inner instance: the instruction is about the body.
fn is_one_of_many(at: &At) -> bool {
    let scope = at.element().scope;
    scope.is_some_and(|scope| matches!(at.process()[scope].behavior, Behavior::MultiInstance(_)))
}

/// Whether an instruction ends the instance: no flow is taken any more.
pub(crate) fn interrupted(p: &Processing<'_>, at: &At) -> bool {
    let instructions = &p.state().runtime_instructions;
    !instructions.is_empty()
        && instructions.contains(&(at.record.process_instance_key, Text::EMPTY))
}
