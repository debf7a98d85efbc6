//! AD_HOC_SUB_PROCESS_INSTRUCTION: activities to run in an ad-hoc sub-process, or that it is done.
//!
//! ACTIVATE comes from clients and from the job of the sub-process, COMPLETE from the job only.

use std::sync::Arc;

use crate::engine::fault::{Outcome, Stop};
use crate::engine::input::Command;
use crate::engine::lifecycle::At;
use crate::engine::output::Processing;
use crate::engine::rule::ad_hoc;
use crate::ids::Key;
use crate::model::{Behavior, ElementId};
use crate::msgpack;
use crate::record::intent::of;
use crate::record::value::{
    ActivateElement, AdHocSubProcessInstructionRecord, BpmnElementType, JobRecord, JobResult,
};
use crate::record::{RejectionType, Text};

type Value = Arc<AdHocSubProcessInstructionRecord>;

/// Activates activities.
pub(crate) fn activate(p: &mut Processing<'_>, command: &Command, value: &Value) -> Outcome {
    let key = value.ad_hoc_sub_process_instance_key;
    let at = At::find(p, key)?.filter(|at| matches!(at.element().behavior, Behavior::AdHoc(_)));
    let Some(at) = at else {
        return Err(Stop::not_found(format!(
            "Expected to activate activities for ad-hoc sub-process but no ad-hoc sub-process instance found with key '{key}'."
        )));
    };
    if !is_active(p, key)? {
        return Err(Stop::invalid_state(format!(
            "Expected to activate activities for ad-hoc sub-process with key '{key}', but it is not active."
        )));
    }
    let elements = &value.activate_elements;
    let activities = required(&at, elements)?;
    for element in elements {
        if let Err(error) = msgpack::validate_document(element.variables.as_bytes()) {
            return Err(Stop::invalid_argument(format!(
                "Expected document to be valid msgpack, but it could not be parsed: '{error}'"
            )));
        }
    }
    if value.cancel_remaining_instances {
        ad_hoc::terminate_inner(p, &at)?;
    }
    for (activity, element) in activities.into_iter().zip(elements) {
        ad_hoc::activate(p, &at, activity, &element.variables)?;
    }
    let intent = of::AdHocSubProcessInstruction::Activated;
    p.event(command.key, intent, value.clone())?;
    p.respond(command.key, intent, value.clone());
    Ok(())
}

/// Ends the sub-process.
pub(crate) fn complete(p: &mut Processing<'_>, command: &Command, value: &Value) -> Outcome {
    let key = value.ad_hoc_sub_process_instance_key;
    let Some(at) = At::find(p, key)? else {
        return Err(Stop::not_found(format!(
            "No element instance found with key '{key}'"
        )));
    };
    if at.record.bpmn_element_type != BpmnElementType::AdHocSubProcess {
        return Err(Stop::invalid_argument(format!(
            "The element instance with key '{key}' is not an ad-hoc sub-process."
        )));
    }
    if !is_active(p, key)? {
        return Err(Stop::invalid_state(format!(
            "The element instance with key '{key}' is not active"
        )));
    }
    ad_hoc::fulfilled(p, &at, value.cancel_remaining_instances)?;
    let intent = of::AdHocSubProcessInstruction::Completed;
    p.event(command.key, intent, value.clone())?;
    p.respond(command.key, intent, value.clone());
    Ok(())
}

fn is_active(p: &Processing<'_>, key: Key) -> Outcome<bool> {
    let row = p.state().elements.get(&key)?;
    Ok(row.is_some_and(|row| row.is_active()))
}

fn required(at: &At, elements: &[ActivateElement]) -> Outcome<Vec<ElementId>> {
    let ids: Vec<Text> = elements.iter().map(|one| one.element_id.clone()).collect();
    ad_hoc::require(at, &ids)
}

/// Checks what the job of an ad-hoc sub-process says before it is completed.
pub(crate) fn check_job(
    p: &Processing<'_>,
    key: Key,
    job: &JobRecord,
    result: Option<&JobResult>,
) -> Outcome {
    let Some(at) = At::find(p, job.element_instance_key)? else {
        return Ok(());
    };
    let elements = result.map_or(&[][..], |result| &result.activate_elements);
    required(&at, elements)?;
    if !is_active(p, at.key)? {
        return Err(Stop::invalid_state(format!(
            "Expected to complete ad-hoc sub-process job, but the ad-hoc sub-process instance is not active (job key '{key}', type '{}', processInstanceKey '{}')\n",
            job.job_type, job.process_instance_key
        )));
    }
    if !elements.is_empty() && result.is_some_and(|result| result.completion_condition_fulfilled) {
        return Err(Stop::reject(
            RejectionType::InvalidArgument,
            format!(
                "No elements can be activated for ad-hoc sub-process with key '{}' because the completion condition is fulfilled.",
                job.element_instance_key
            ),
        ));
    }
    Ok(())
}

/// The job of an ad-hoc sub-process is done: what it says becomes instructions.
pub(crate) fn follow_job(p: &mut Processing<'_>, at: &At, result: Option<&JobResult>) -> Outcome {
    let Some(result) = result else {
        return Ok(());
    };
    let instruction = Arc::new(AdHocSubProcessInstructionRecord {
        ad_hoc_sub_process_instance_key: at.key,
        activate_elements: result.activate_elements.clone(),
        cancel_remaining_instances: result.cancel_remaining_instances,
        completion_condition_fulfilled: result.completion_condition_fulfilled,
        tenant_id: at.record.tenant_id.clone(),
    });
    if !instruction.activate_elements.is_empty() {
        let intent = of::AdHocSubProcessInstruction::Activate;
        p.command(at.key, intent, instruction.clone())?;
    }
    if instruction.completion_condition_fulfilled {
        let intent = of::AdHocSubProcessInstruction::Complete;
        p.command(at.key, intent, instruction)?;
    }
    Ok(())
}
