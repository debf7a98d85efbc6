//! PROCESS_INSTANCE_BUSINESS_ID ASSIGN: a running root instance gets the business id it lacks.
//!
//! It is given once; the same one again changes nothing. Where business ids are unique, none is given
//! later: the instances that have it may be on another partition. What the instance starts from then
//! on has the business id; what it has started keeps what it was started with. Camunda:
//! `ProcessInstanceBusinessIdAssignProcessor`.

use std::sync::Arc;

use crate::engine::command::create_instance::{BUSINESS_ID_LENGTH_MAX, is_too_long};
use crate::engine::fault::{Outcome, Stop};
use crate::engine::input::Command;
use crate::engine::output::Processing;
use crate::record::intent::of;
use crate::record::value::{BpmnElementType, ProcessInstanceBusinessIdRecord};

/// Gives an instance a business id.
pub(crate) fn assign(
    p: &mut Processing<'_>,
    _command: &Command,
    value: &Arc<ProcessInstanceBusinessIdRecord>,
) -> Outcome {
    let key = value.process_instance_key;
    let refused = |why: &str| {
        format!("Expected to assign a business id to process instance with key '{key}', but {why}")
    };
    let Some(row) = p.state().elements.get(&key)? else {
        return Err(Stop::not_found(refused(
            "no such process instance was found",
        )));
    };
    let instance = &row.record;
    if instance.bpmn_element_type != BpmnElementType::Process {
        return Err(Stop::not_found(refused(
            "the element with this key is not a process instance",
        )));
    }
    if instance.parent_process_instance_key.is_some() {
        return Err(Stop::invalid_state(refused(
            "it is a child process instance; a business id can only be assigned to root process instances",
        )));
    }
    if !row.is_active() {
        return Err(Stop::invalid_state(refused(
            "it is not active; a business id can only be assigned to active process instances",
        )));
    }
    if p.config.unique_business_ids {
        return Err(Stop::invalid_state(refused(
            "business id assignment is not allowed while business id uniqueness is enabled",
        )));
    }
    if value.business_id.is_empty() {
        return Err(Stop::invalid_argument(refused(
            "the provided business id is empty",
        )));
    }
    if is_too_long(&value.business_id) {
        return Err(Stop::invalid_argument(refused(&format!(
            "the business id exceeds the max length of {BUSINESS_ID_LENGTH_MAX}"
        ))));
    }
    let known = &instance.business_id;
    if !known.is_empty() && *known != value.business_id {
        return Err(Stop::invalid_state(refused(
            "it already has a business id assigned",
        )));
    }
    let assigned = Arc::new(ProcessInstanceBusinessIdRecord {
        process_instance_key: key,
        business_id: value.business_id.clone(),
        tenant_id: instance.tenant_id.clone(),
        process_definition_key: instance.process_definition_key,
        bpmn_process_id: instance.bpmn_process_id.clone(),
        root_process_instance_key: instance.root_process_instance_key,
    });
    let event = of::ProcessInstanceBusinessId::Assigned;
    if known.is_empty() {
        p.event(key, event, assigned.clone())?;
    }
    p.respond(key, event, assigned);
    Ok(())
}
