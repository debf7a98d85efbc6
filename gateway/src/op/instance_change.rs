//! Changing running process instances by hand: modification and migration.
//!
//! Both are one command for the partition of the instance, all or nothing, answered when it is done.
//! What the instructions may say about the instance is the engine's rule; here only their form is.

use ringflow_core::ids::Key;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::{
    ActivateInstruction, MappingInstruction, ModificationVariables, MoveInstruction,
    ProcessInstanceMigrationRecord, ProcessInstanceModificationRecord, TerminateInstruction,
};

use super::Caller;
use super::shape::Members;
use crate::problem::Problem;
use crate::rest::{Answer, Call};
use crate::route::Target;
use crate::submit::Front;

/// Activate, terminate and move elements of an instance.
#[derive(Clone, Debug)]
pub(crate) struct Modify {
    pub(crate) key: Key,
    pub(crate) activate: Vec<ActivateInstruction>,
    pub(crate) terminate: Vec<TerminateInstruction>,
    pub(crate) moves: Vec<MoveInstruction>,
    pub(crate) operation_reference: Option<i64>,
}

impl Modify {
    /// # Errors
    /// The engine refused, or no answer came.
    pub(crate) async fn run(self, front: &Front, caller: &Caller) -> Result<(), Problem> {
        let command = caller.command(
            self.key,
            of::ProcessInstanceModification::Modify,
            ProcessInstanceModificationRecord {
                process_instance_key: self.key,
                activate_instructions: self.activate,
                terminate_instructions: self.terminate,
                move_instructions: self.moves,
                ..ProcessInstanceModificationRecord::default()
            },
            self.operation_reference,
        );
        front.call(&Target::Key(self.key), command, None).await?;
        Ok(())
    }
}

fn variables(given: Members<'_>) -> Vec<ModificationVariables> {
    let read = given.list("variableInstructions").iter().map(|given| {
        let given = Members(given);
        ModificationVariables {
            element_id: given.text("scopeId"),
            variables: given.document("variables"),
        }
    });
    read.collect()
}

fn activation(given: Members<'_>) -> ActivateInstruction {
    ActivateInstruction {
        element_id: given.text("elementId"),
        ancestor_scope_key: given.key("ancestorElementInstanceKey").unwrap_or_default(),
        variable_instructions: variables(given),
        ancestor_scope_keys: Vec::new(),
    }
}

fn termination(given: Members<'_>) -> TerminateInstruction {
    TerminateInstruction {
        element_instance_key: given.key("elementInstanceKey").unwrap_or_default(),
        element_id: given.text("elementId"),
    }
}

fn movement(given: Members<'_>) -> MoveInstruction {
    let mut instruction = MoveInstruction {
        target_element_id: given.text("targetElementId"),
        variable_instructions: variables(given),
        ..MoveInstruction::default()
    };
    if let Some(source) = given.object("sourceElementInstruction") {
        match source.str("sourceType") {
            Some("byKey") => {
                let key = source.key("sourceElementInstanceKey");
                instruction.source_element_instance_key = key.unwrap_or_default();
            }
            Some(_) | None => instruction.source_element_id = source.text("sourceElementId"),
        }
    }
    if let Some(ancestor) = given.object("ancestorScopeInstruction") {
        match ancestor.str("ancestorScopeType") {
            Some("direct") => {
                let key = ancestor.key("ancestorElementInstanceKey");
                instruction.ancestor_scope_key = key.unwrap_or_default();
            }
            Some("sourceParent") => instruction.use_source_parent = true,
            Some(_) | None => instruction.infer_ancestor_scope = true,
        }
    }
    instruction
}

/// `modifyProcessInstance`.
pub(crate) async fn modify(call: Call) -> Result<Answer, Problem> {
    let body = Members(&call.body);
    let list = |name| body.list(name).iter().map(Members);
    let request = Modify {
        key: call.path_key("processInstanceKey"),
        activate: list("activateInstructions").map(activation).collect(),
        terminate: list("terminateInstructions").map(termination).collect(),
        moves: list("moveInstructions").map(movement).collect(),
        operation_reference: body.int("operationReference"),
    };
    request.run(&call.front, &call.caller).await?;
    Ok(Answer::NoContent)
}

/// Let an instance go on under another definition.
#[derive(Clone, Debug)]
pub(crate) struct Migrate {
    pub(crate) key: Key,
    pub(crate) target: Key,
    pub(crate) mapping: Vec<MappingInstruction>,
    pub(crate) operation_reference: Option<i64>,
}

impl Migrate {
    /// # Errors
    /// The engine refused, or no answer came.
    pub(crate) async fn run(self, front: &Front, caller: &Caller) -> Result<(), Problem> {
        let command = caller.command(
            self.key,
            of::ProcessInstanceMigration::Migrate,
            ProcessInstanceMigrationRecord {
                process_instance_key: self.key,
                target_process_definition_key: self.target,
                mapping_instructions: self.mapping,
                ..ProcessInstanceMigrationRecord::default()
            },
            self.operation_reference,
        );
        front.call(&Target::Key(self.key), command, None).await?;
        Ok(())
    }
}

/// `migrateProcessInstance`.
pub(crate) async fn migrate(call: Call) -> Result<Answer, Problem> {
    let body = Members(&call.body);
    let mapping = body.list("mappingInstructions").iter().map(Members);
    let request = Migrate {
        key: call.path_key("processInstanceKey"),
        target: body.key("targetProcessDefinitionKey").unwrap_or_default(),
        mapping: mapping
            .map(|given| MappingInstruction {
                source_element_id: given.text("sourceElementId"),
                target_element_id: given.text("targetElementId"),
            })
            .collect(),
        operation_reference: body.int("operationReference"),
    };
    request.run(&call.front, &call.caller).await?;
    Ok(Answer::NoContent)
}
