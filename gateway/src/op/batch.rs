//! Batch operations: creating them with a filter, and managing them; deleting history.
//!
//! A filter is checked here, in the words of the contract, and kept as text by the engine; whoever
//! finds the items searches with it. Without secondary storage there is nothing to find them in, so
//! there are no batch operations either. What is done to the items is not asked for again, so the
//! filter is narrowed to the instances that the caller may see.
//!
//! Any partition takes a new operation; the one of its key leads it and takes what manages it.

use std::sync::Arc;

use ringflow_core::ids::Key;
use ringflow_core::record::Text;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::{
    BatchOperationCreationRecord, BatchOperationJobUpdatePlan,
    BatchOperationLifecycleManagementRecord, BatchOperationMigrationPlan,
    BatchOperationModificationPlan, BatchOperationType, HistoryDeletionRecord, HistoryDeletionType,
    MappingInstruction, MoveInstruction, PermissionType, ResourceType,
};

use super::job::Change;
use super::search;
use super::shape::{Members, ObjectWriter};
use super::{Caller, answered};
use crate::backend::{
    Cell, Entity, Filter, KeyLiteral, Literal, Op, PageSpec, PageStart, Query, Row,
};
use crate::problem::Problem;
use crate::rest::{Answer, Call};
use crate::route::Target;
use crate::submit::Front;

/// Create a batch operation.
#[derive(Clone, Debug)]
pub(crate) struct Create {
    pub(crate) kind: BatchOperationType,
    pub(crate) filter: Filter,
    pub(crate) operation_reference: Option<i64>,
    pub(crate) migration: BatchOperationMigrationPlan,
    pub(crate) modification: BatchOperationModificationPlan,
    pub(crate) job_update: BatchOperationJobUpdatePlan,
    /// The one instance that it is about, as process and tenant.
    pub(crate) of: Option<(Text, Text)>,
}

impl Create {
    /// The key of the operation.
    ///
    /// # Errors
    /// There is no secondary storage, the engine refused, or no answer came.
    pub(crate) async fn run(self, front: &Front, caller: &Caller) -> Result<Key, Problem> {
        front.reads()?;
        let (of_process, of_tenant) = self.of.unwrap_or_default();
        let record = BatchOperationCreationRecord {
            batch_operation_type: self.kind,
            entity_filter: Text::from(self.filter.to_text()),
            migration_plan: Arc::new(self.migration),
            modification_plan: Arc::new(self.modification),
            job_update_plan: Arc::new(self.job_update),
            of_process,
            of_tenant,
            ..BatchOperationCreationRecord::default()
        };
        let command = caller.command(
            Key::NONE,
            of::BatchOperationCreation::Create,
            record,
            self.operation_reference,
        );
        let response = front.call(&Target::Any, command, None).await?;
        Ok(answered!(response, BatchOperationCreation)?.batch_operation_key)
    }
}

/// What can be done with an operation.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Manage {
    Cancel,
    Suspend,
    Resume,
}

impl Manage {
    /// # Errors
    /// The engine refused, or no answer came.
    pub(crate) async fn run(self, key: Key, front: &Front, caller: &Caller) -> Result<(), Problem> {
        let intent = match self {
            Self::Cancel => of::BatchOperationLifecycleManagement::Cancel,
            Self::Suspend => of::BatchOperationLifecycleManagement::Suspend,
            Self::Resume => of::BatchOperationLifecycleManagement::Resume,
        };
        let record = BatchOperationLifecycleManagementRecord {
            batch_operation_key: key,
            ..BatchOperationLifecycleManagementRecord::default()
        };
        let command = caller.command(key, intent, record, None);
        front.call(&Target::Key(key), command, None).await?;
        Ok(())
    }
}

/// Appends the two members of a created operation.
pub(crate) fn put_created(out: &mut ObjectWriter, key: Key, kind: BatchOperationType) {
    out.key("batchOperationKey", key)
        .str("batchOperationType", kind.name());
}

/// `cancelProcessInstancesBatchOperation` and its like: an operation on what a filter finds.
pub(crate) async fn create(call: Call, kind: BatchOperationType) -> Result<Answer, Problem> {
    let body = Members(&call.body);
    let operation_reference = body.int("operationReference");
    let filter = search::filter_of(&call)?.unwrap_or(Filter::All(Vec::new()));
    let (entity, read) = found_by(kind);
    let access = call.rest.reading(&call.caller, read).await?;
    let filter = access.narrow(entity, filter);
    start(&call, kind, filter, operation_reference, None).await
}

/// `resolveProcessInstanceIncidents`: who may update the instance need not be allowed to read it.
pub(crate) async fn resolve_incidents(call: Call) -> Result<Answer, Problem> {
    let key = call.path_key("processInstanceKey");
    let row = instance(&call, key).await?;
    let of = (text(&row, "processDefinitionId"), text(&row, "tenantId"));
    let filter = Filter::Field {
        field: "processInstanceKey".into(),
        op: Op::Eq,
        values: vec![Literal::Int(key.0)],
    };
    let kind = BatchOperationType::ResolveIncident;
    start(&call, kind, filter, None, Some(of)).await
}

/// What the items of an operation are found by, and what is asked of who looks for them.
fn found_by(kind: BatchOperationType) -> (Entity, (ResourceType, PermissionType)) {
    match kind {
        BatchOperationType::CancelProcessInstance
        | BatchOperationType::ResolveIncident
        | BatchOperationType::MigrateProcessInstance
        | BatchOperationType::ModifyProcessInstance
        | BatchOperationType::DeleteProcessInstance => {
            let read = PermissionType::ReadProcessInstance;
            (
                Entity::ProcessInstance,
                (ResourceType::ProcessDefinition, read),
            )
        }
        BatchOperationType::UpdateJob => {
            let read = PermissionType::ReadProcessInstance;
            (Entity::Job, (ResourceType::ProcessDefinition, read))
        }
        BatchOperationType::DeleteDecisionInstance => {
            let read = PermissionType::ReadDecisionInstance;
            (
                Entity::DecisionInstance,
                (ResourceType::DecisionDefinition, read),
            )
        }
    }
}

async fn start(
    call: &Call,
    kind: BatchOperationType,
    filter: Filter,
    operation_reference: Option<i64>,
    of: Option<(Text, Text)>,
) -> Result<Answer, Problem> {
    let request = Create {
        kind,
        filter,
        operation_reference,
        of,
        migration: migration(Members(&call.body)),
        modification: modification(Members(&call.body)),
        job_update: match kind {
            BatchOperationType::UpdateJob => job_update(Change::of(Members(&call.body))),
            BatchOperationType::CancelProcessInstance
            | BatchOperationType::ResolveIncident
            | BatchOperationType::MigrateProcessInstance
            | BatchOperationType::ModifyProcessInstance
            | BatchOperationType::DeleteProcessInstance
            | BatchOperationType::DeleteDecisionInstance => BatchOperationJobUpdatePlan::default(),
        },
    };
    let key = request.run(&call.front, &call.caller).await?;
    let mut out = ObjectWriter::new();
    put_created(&mut out, key, kind);
    Ok(Answer::Json(out.finish()))
}

/// How a migration of many goes; empty for everything else.
fn migration(body: Members<'_>) -> BatchOperationMigrationPlan {
    let Some(plan) = body.object("migrationPlan") else {
        return BatchOperationMigrationPlan::default();
    };
    let mapping = plan.list("mappingInstructions").iter().map(Members);
    BatchOperationMigrationPlan {
        target_process_definition_key: plan.key("targetProcessDefinitionKey").unwrap_or_default(),
        mapping_instructions: mapping
            .map(|given| MappingInstruction {
                source_element_id: given.text("sourceElementId"),
                target_element_id: given.text("targetElementId"),
            })
            .collect(),
    }
}

/// How a modification of many goes; empty for everything else.
fn modification(body: Members<'_>) -> BatchOperationModificationPlan {
    let moves = body.list("moveInstructions").iter().map(Members);
    BatchOperationModificationPlan {
        move_instructions: moves
            .map(|given| MoveInstruction {
                source_element_id: given.text("sourceElementId"),
                target_element_id: given.text("targetElementId"),
                infer_ancestor_scope: true,
                ..MoveInstruction::default()
            })
            .collect(),
    }
}

fn job_update(change: Change) -> BatchOperationJobUpdatePlan {
    BatchOperationJobUpdatePlan {
        retries: change.retries.unwrap_or_default(),
        timeout: change.timeout.unwrap_or_default(),
        priority: change.priority.unwrap_or_default(),
        changed_attributes: change.attributes(),
    }
}

/// `cancelBatchOperation`, `suspendBatchOperation`, `resumeBatchOperation`.
pub(crate) async fn manage(call: Call, manage: Manage) -> Result<Answer, Problem> {
    let id = call.path_text("batchOperationKey");
    let key = id.parse().map_err(|_| {
        Problem::Malformed(format!(
            "Batch operation id '{id}' is not a valid number. Legacy Batch Operation IDs are not \
             supported!"
        ))
    })?;
    manage.run(Key(key), &call.front, &call.caller).await?;
    Ok(Answer::NoContent)
}

/// `deleteProcessInstance`: the history of an instance that has ended.
pub(crate) async fn delete_instance(call: Call) -> Result<Answer, Problem> {
    let key = call.path_key("processInstanceKey");
    let row = instance(&call, key).await?;
    let record = HistoryDeletionRecord {
        resource_key: key,
        resource_type: HistoryDeletionType::ProcessInstance,
        process_id: text(&row, "processDefinitionId"),
        tenant_id: text(&row, "tenantId"),
        ..HistoryDeletionRecord::default()
    };
    delete_history(&call, record).await
}

/// `deleteDecisionInstance`: all decisions of one evaluation. Whether the caller may is for the engine
/// to say, as for instances.
pub(crate) async fn delete_decision(call: Call) -> Result<Answer, Problem> {
    let key = call.path_key("decisionEvaluationKey");
    let of_evaluation = Filter::Field {
        field: "decisionEvaluationKey".into(),
        op: Op::Eq,
        values: vec![Literal::Int(key.0)],
    };
    let query = Query {
        filter: of_evaluation,
        page: PageSpec {
            limit: 1,
            start: PageStart::From(0),
        },
        ..Query::of(Entity::DecisionInstance)
    };
    let page = call.front.reads()?.search(query).await;
    let page = page.map_err(search::refused)?;
    let row = (page.items.first()).ok_or_else(|| search::missing("Decision Instance", key.0))?;
    let record = HistoryDeletionRecord {
        resource_key: key,
        resource_type: HistoryDeletionType::DecisionInstance,
        decision_definition_id: text(row, "decisionDefinitionId"),
        tenant_id: text(row, "tenantId"),
        ..HistoryDeletionRecord::default()
    };
    delete_history(&call, record).await
}

async fn delete_history(call: &Call, record: HistoryDeletionRecord) -> Result<Answer, Problem> {
    let key = record.resource_key;
    let reference = Members(&call.body).int("operationReference");
    let intent = of::HistoryDeletion::Delete;
    let command = call.caller.command(key, intent, record, reference);
    call.front.call(&Target::Key(key), command, None).await?;
    Ok(Answer::NoContent)
}

/// A text of a row; empty where there is none.
pub(crate) fn text(row: &Row, name: &str) -> Text {
    match row.get(name) {
        Some(Cell::Text(text)) => Text::from(text.as_str()),
        Some(_) | None => Text::default(),
    }
}

/// An instance that the secondary storage knows.
async fn instance(call: &Call, key: Key) -> Result<Row, Problem> {
    call.front
        .reads()?
        .get(Entity::ProcessInstance, KeyLiteral(key.0))
        .await
        .map_err(search::refused)?
        .ok_or_else(|| search::missing("Process Instance", key.0))
}
