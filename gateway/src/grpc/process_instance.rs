//! Messages of process instances and their operations.
//!
//! Numbers are taken as they come: version 0 is version 0, only a negative one is the latest.

use ringflow_core::ids::Key;

use super::proto;
use crate::document;
use crate::op::process_instance::{Cancel, Create, Created, Wait};
use crate::op::{operation_reference, strings};
use crate::problem::Problem;

pub(super) fn create(request: proto::CreateProcessInstanceRequest) -> Result<Create, Problem> {
    Ok(Create {
        variables: document::from_text("variables", &request.variables)?,
        definition_id: request.bpmn_process_id,
        definition_key: request.process_definition_key,
        version: request.version,
        start_at: request
            .start_instructions
            .into_iter()
            .map(|instruction| instruction.element_id)
            .collect(),
        terminate_after: request
            .runtime_instructions
            .into_iter()
            .filter_map(|instruction| instruction.instruction)
            .map(|instruction| match instruction {
                proto::process_instance_creation_runtime_instruction::Instruction::Terminate(
                    terminate,
                ) => terminate.after_element_id,
            })
            .collect(),
        tenant_id: Some(request.tenant_id),
        operation_reference: operation_reference(request.operation_reference)?,
        tags: request.tags,
        business_id: request.business_id.unwrap_or_default(),
        wait: None,
    })
}

pub(super) fn create_with_result(
    request: proto::CreateProcessInstanceWithResultRequest,
) -> Result<Create, Problem> {
    let inner = request
        .request
        .ok_or_else(|| Problem::invalid("No request provided"))?;
    Ok(Create {
        wait: Some(Wait {
            timeout: request.request_timeout,
            fetch_variables: request.fetch_variables,
        }),
        ..create(inner)?
    })
}

pub(super) fn cancel(request: &proto::CancelProcessInstanceRequest) -> Result<Cancel, Problem> {
    Ok(Cancel {
        key: Key(request.process_instance_key),
        operation_reference: operation_reference(request.operation_reference)?,
    })
}

pub(super) fn created(created: Created) -> proto::CreateProcessInstanceResponse {
    proto::CreateProcessInstanceResponse {
        process_definition_key: created.definition_key.0,
        bpmn_process_id: created.definition_id.to_string(),
        version: created.version,
        process_instance_key: created.instance_key.0,
        tenant_id: created.tenant_id.to_string(),
        tags: strings(&created.tags),
        business_id: optional(&created.business_id),
    }
}

pub(super) fn ended(
    created: Created,
) -> Result<proto::CreateProcessInstanceWithResultResponse, Problem> {
    Ok(proto::CreateProcessInstanceWithResultResponse {
        process_definition_key: created.definition_key.0,
        bpmn_process_id: created.definition_id.to_string(),
        version: created.version,
        process_instance_key: created.instance_key.0,
        variables: document::to_json(&created.variables)?,
        tenant_id: created.tenant_id.to_string(),
        tags: strings(&created.tags),
        business_id: optional(&created.business_id),
    })
}

fn optional(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}
