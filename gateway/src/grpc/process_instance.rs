//! Messages of process instances and their operations.
//!
//! Numbers are taken as they come: version 0 is version 0, only a negative one is the latest.

use ringflow_core::ids::Key;
use ringflow_core::record::Text;
use ringflow_core::record::value::{
    ActivateInstruction, MappingInstruction, ModificationVariables, MoveInstruction,
    TerminateInstruction,
};

use super::proto;
use crate::document;
use crate::op::instance_change::{Migrate, Modify};
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

pub(super) fn modify(request: proto::ModifyProcessInstanceRequest) -> Result<Modify, Problem> {
    let activate = request.activate_instructions.into_iter().map(|given| {
        Ok(ActivateInstruction {
            element_id: Text::from(given.element_id),
            ancestor_scope_key: given_key(given.ancestor_element_instance_key),
            variable_instructions: variables(given.variable_instructions)?,
            ancestor_scope_keys: Vec::new(),
        })
    });
    let terminate = request.terminate_instructions.into_iter();
    let moves = request.move_instructions.into_iter().map(|given| {
        Ok(MoveInstruction {
            source_element_id: Text::from(given.source_element_id),
            source_element_instance_key: given_key(given.source_element_instance_key),
            target_element_id: Text::from(given.target_element_id),
            variable_instructions: variables(given.variable_instructions)?,
            ancestor_scope_key: given_key(given.ancestor_element_instance_key),
            infer_ancestor_scope: given.infer_ancestor_scope_from_source_hierarchy,
            use_source_parent: given.use_source_parent_key_as_ancestor_scope_key,
        })
    });
    Ok(Modify {
        key: Key(request.process_instance_key),
        activate: activate.collect::<Result<_, Problem>>()?,
        terminate: terminate
            .map(|given| TerminateInstruction {
                element_instance_key: given_key(given.element_instance_key),
                element_id: Text::from(given.element_id),
            })
            .collect(),
        moves: moves.collect::<Result<_, Problem>>()?,
        operation_reference: operation_reference(request.operation_reference)?,
    })
}

pub(super) fn migrate(request: proto::MigrateProcessInstanceRequest) -> Result<Migrate, Problem> {
    let plan = request.migration_plan.unwrap_or_default();
    let mapping = plan.mapping_instructions.into_iter();
    Ok(Migrate {
        key: Key(request.process_instance_key),
        target: Key(plan.target_process_definition_key),
        mapping: mapping
            .map(|given| MappingInstruction {
                source_element_id: Text::from(given.source_element_id),
                target_element_id: Text::from(given.target_element_id),
            })
            .collect(),
        operation_reference: operation_reference(request.operation_reference)?,
    })
}

fn variables(
    given: Vec<proto::modify_process_instance_request::VariableInstruction>,
) -> Result<Vec<ModificationVariables>, Problem> {
    let read = given.into_iter().map(|given| {
        Ok(ModificationVariables {
            variables: document::from_text("variables", &given.variables)?,
            element_id: Text::from(given.scope_id),
        })
    });
    read.collect()
}

/// Zero is what a client sends that sends nothing.
fn given_key(key: i64) -> Key {
    if key > 0 { Key(key) } else { Key::NONE }
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
