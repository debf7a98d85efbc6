//! BATCH_OPERATION commands: create, find items, do items, cancel, suspend, resume, report.
//!
//! The partition that was asked leads: it distributes the operation, and ends it when every
//! partition has reported. Each partition looks for its own items, page by page (see
//! [`batch`](crate::engine::batch)), then does a few at a time. Each item is a command in a step of
//! its own with the operation's key as reference: one that is refused, or faults, stops no other.
//!
//! A page is taken once: it says behind which cursor it was looked for, and is refused when the
//! operation has got further meanwhile. Camunda: `processing/batchoperation`.

use std::sync::Arc;

use crate::engine::distribute;
use crate::engine::fault::{Outcome, Stop};
use crate::engine::input::Command;
use crate::engine::output::Processing;
use crate::ids::{Key, PartitionId};
use crate::record::Intent;
use crate::record::intent::of;
use crate::record::value::{
    BatchOperationChunkRecord, BatchOperationCreationRecord, BatchOperationExecutionRecord,
    BatchOperationInitializationRecord, BatchOperationLifecycleManagementRecord,
    BatchOperationPartitionLifecycleRecord, BatchOperationType, HistoryDeletionRecord,
    HistoryDeletionType, IncidentRecord, JobRecord, ProcessInstanceMigrationRecord,
    ProcessInstanceModificationRecord, ProcessInstanceRecord,
};
use crate::state::BatchOperationRow;

/// Items done in one step.
pub(crate) const ITEMS_PER_STEP: usize = 10;
/// Items of one CHUNK event, and of one row of state.
pub(crate) const ITEMS_PER_CHUNK: usize = 100;
/// Distributions of batch operations reach a partition in order.
const QUEUE: &str = "BATCH_OPERATION";

/// Creates an operation.
pub(crate) fn create(
    p: &mut Processing<'_>,
    command: &Command,
    value: &Arc<BatchOperationCreationRecord>,
) -> Outcome {
    if distribute::is_distributed(p, command.key) {
        if !p.state().batch_operations.contains(&command.key)? {
            p.refer_to_batch_operation(command.key);
            p.event(
                command.key,
                of::BatchOperationCreation::Created,
                value.clone(),
            )?;
        }
        return distribute::acknowledge(p, command.key, command.intent);
    }
    if value.entity_filter.is_empty() || value.entity_filter == *"{}" {
        return Err(Stop::invalid_argument("Given filter is empty"));
    }
    let record = BatchOperationCreationRecord {
        authentication: command.authorization.clone(),
        ..BatchOperationCreationRecord::clone(value)
    };
    let created = start(p, record)?;
    p.respond(
        created.batch_operation_key,
        of::BatchOperationCreation::Created,
        created.clone(),
    );
    Ok(())
}

/// Creates an operation here and on all other partitions.
pub(crate) fn start(
    p: &mut Processing<'_>,
    record: BatchOperationCreationRecord,
) -> Outcome<Arc<BatchOperationCreationRecord>> {
    let key = p.next_key();
    let record = Arc::new(BatchOperationCreationRecord {
        batch_operation_key: key,
        partition_ids: (1..=p.config.partition_count).map(PartitionId).collect(),
        leading: true,
        ..record
    });
    p.refer_to_batch_operation(key);
    p.event(key, of::BatchOperationCreation::Created, record.clone())?;
    let followed = BatchOperationCreationRecord {
        leading: false,
        ..BatchOperationCreationRecord::clone(&record)
    };
    let intent = of::BatchOperationCreation::Create;
    distribute::distribute(p, key, QUEUE, intent, &followed.into())?;
    Ok(record)
}

/// Takes in a page of items, of a suspended operation as well: they were asked for before.
pub(crate) fn chunk(
    p: &mut Processing<'_>,
    command: &Command,
    value: &Arc<BatchOperationChunkRecord>,
) -> Outcome {
    let key = value.batch_operation_key;
    let row = pending(p, key)?;
    if row.cursor != value.after {
        return Err(Stop::invalid_state(format!(
            "Expected items of batch operation '{key}' behind cursor '{}', but they are behind '{}'",
            row.cursor, value.after
        )));
    }
    debug_assert!(command.key == key);
    for items in value.items.chunks(ITEMS_PER_CHUNK) {
        let chunk = BatchOperationChunkRecord {
            batch_operation_key: key,
            items: items.to_vec(),
            ..BatchOperationChunkRecord::default()
        };
        let chunk_key = p.next_key();
        p.event(chunk_key, of::BatchOperationChunk::Created, chunk)?;
    }
    let found = BatchOperationInitializationRecord {
        batch_operation_key: key,
        search_result_cursor: value.cursor.clone(),
        ..BatchOperationInitializationRecord::default()
    };
    // A suspended operation does not begin to work: it asks for what is behind the last page again.
    let intent = if value.last && !row.suspended {
        of::BatchOperationInitialization::Initialized
    } else {
        of::BatchOperationInitialization::Initializing
    };
    p.event(key, intent, found)
}

/// Does the next items.
pub(crate) fn execute(
    p: &mut Processing<'_>,
    _command: &Command,
    value: &Arc<BatchOperationExecutionRecord>,
) -> Outcome {
    let key = value.batch_operation_key;
    let row = existing(p, key)?;
    if row.suspended {
        return Err(suspended(key));
    }
    if !row.is_active() {
        return Err(Stop::invalid_state(format!(
            "Batch operation '{key}' has no items to execute."
        )));
    }
    let chunk = p
        .state()
        .batch_operation_chunks
        .get(&(key, row.first_chunk))?;
    let items: Vec<Key> = chunk
        .map(|chunk| chunk.items.iter().take(ITEMS_PER_STEP).copied().collect())
        .unwrap_or_default();
    let execution = Arc::new(BatchOperationExecutionRecord {
        batch_operation_key: key,
        item_keys: items,
    });
    if execution.item_keys.is_empty() {
        p.event(key, of::BatchOperationExecution::Executed, execution)?;
        return report(
            p,
            &row,
            BatchOperationPartitionLifecycleRecord::default(),
            false,
        );
    }
    p.event(
        key,
        of::BatchOperationExecution::Executing,
        execution.clone(),
    )?;
    for item in &execution.item_keys {
        execute_item(p, &row.record, *item)?;
    }
    p.event(key, of::BatchOperationExecution::Executed, execution)
}

fn execute_item(
    p: &mut Processing<'_>,
    operation: &BatchOperationCreationRecord,
    item: Key,
) -> Outcome {
    // What is done to an item needs the permission that doing it by itself would need.
    let claims = &operation.authentication;
    match operation.batch_operation_type {
        BatchOperationType::CancelProcessInstance => {
            let record = ProcessInstanceRecord {
                process_instance_key: item,
                ..ProcessInstanceRecord::default()
            };
            p.deferred_command_of(claims, item, of::ProcessInstance::Cancel, record)
        }
        BatchOperationType::ResolveIncident => {
            let incident = p.state().incidents.get(&item)?;
            let job = incident.map_or(Key::NONE, |row| row.record.job_key);
            if job.is_some() {
                let record = JobRecord {
                    retries: 1,
                    ..JobRecord::default()
                };
                p.deferred_command_of(claims, job, of::Job::UpdateRetries, record)?;
            }
            p.deferred_command_of(
                claims,
                item,
                of::Incident::Resolve,
                IncidentRecord::default(),
            )
        }
        BatchOperationType::DeleteProcessInstance => {
            delete_history(p, item, HistoryDeletionType::ProcessInstance)
        }
        BatchOperationType::DeleteDecisionInstance => {
            delete_history(p, item, HistoryDeletionType::DecisionInstance)
        }
        BatchOperationType::MigrateProcessInstance => {
            let plan = &operation.migration_plan;
            let record = ProcessInstanceMigrationRecord {
                process_instance_key: item,
                target_process_definition_key: plan.target_process_definition_key,
                mapping_instructions: plan.mapping_instructions.clone(),
                ..ProcessInstanceMigrationRecord::default()
            };
            p.deferred_command_of(claims, item, of::ProcessInstanceMigration::Migrate, record)
        }
        BatchOperationType::ModifyProcessInstance => {
            let record = ProcessInstanceModificationRecord {
                process_instance_key: item,
                move_instructions: operation.modification_plan.move_instructions.clone(),
                ..ProcessInstanceModificationRecord::default()
            };
            p.deferred_command_of(
                claims,
                item,
                of::ProcessInstanceModification::Modify,
                record,
            )
        }
        BatchOperationType::UpdateJob => {
            let plan = &operation.job_update_plan;
            let record = JobRecord {
                retries: plan.retries,
                timeout: plan.timeout,
                priority: plan.priority,
                changed_attributes: plan.changed_attributes.clone(),
                ..JobRecord::default()
            };
            p.deferred_command_of(claims, item, of::Job::Update, record)
        }
    }
}

fn delete_history(p: &mut Processing<'_>, key: Key, kind: HistoryDeletionType) -> Outcome {
    let record = HistoryDeletionRecord {
        resource_key: key,
        resource_type: kind,
        ..HistoryDeletionRecord::default()
    };
    p.deferred_command(key, of::HistoryDeletion::Delete, record)
}

/// Cancels an operation: what was done stays done.
pub(crate) fn cancel(
    p: &mut Processing<'_>,
    command: &Command,
    value: &Arc<BatchOperationLifecycleManagementRecord>,
) -> Outcome {
    let key = value.batch_operation_key;
    let row = p.state().batch_operations.get(&key)?;
    let event = of::BatchOperationLifecycleManagement::Canceled;
    if distribute::is_distributed(p, command.key) {
        if row.is_some() {
            p.refer_to_batch_operation(key);
            p.event(command.key, event, value.clone())?;
        }
        return distribute::acknowledge(p, command.key, command.intent);
    }
    if row.is_none() {
        return Err(Stop::not_found(format!(
            "Expected to cancel a batch operation with key '{key}', but no such batch operation was found"
        )));
    }
    manage(p, command, value, event)
}

/// Suspends an operation: no further item is looked for or done.
pub(crate) fn suspend(
    p: &mut Processing<'_>,
    command: &Command,
    value: &Arc<BatchOperationLifecycleManagementRecord>,
) -> Outcome {
    let key = value.batch_operation_key;
    let row = p.state().batch_operations.get(&key)?;
    let event = of::BatchOperationLifecycleManagement::Suspended;
    if distribute::is_distributed(p, command.key) {
        if row.is_some_and(|row| !row.suspended) {
            p.refer_to_batch_operation(key);
            p.event(command.key, event, value.clone())?;
        }
        return distribute::acknowledge(p, command.key, command.intent);
    }
    let Some(row) = row else {
        return Err(Stop::not_found(format!(
            "Expected to suspend a batch operation with key '{key}', but no such batch operation was found."
        )));
    };
    if row.suspended {
        return Err(Stop::invalid_state(format!(
            "Expected to suspend a batch operation with key '{key}', but it has an invalid state '{}'.",
            row.status()
        )));
    }
    manage(p, command, value, event)
}

/// Resumes a suspended operation.
pub(crate) fn resume(
    p: &mut Processing<'_>,
    command: &Command,
    value: &Arc<BatchOperationLifecycleManagementRecord>,
) -> Outcome {
    let key = value.batch_operation_key;
    let row = p.state().batch_operations.get(&key)?;
    let event = of::BatchOperationLifecycleManagement::Resumed;
    if distribute::is_distributed(p, command.key) {
        if row.is_some_and(|row| row.suspended) {
            p.refer_to_batch_operation(key);
            p.event(command.key, event, value.clone())?;
        }
        return distribute::acknowledge(p, command.key, command.intent);
    }
    let Some(row) = row else {
        return Err(Stop::not_found(format!(
            "Expected to resume a batch operation with key '{key}', but no such batch operation was found"
        )));
    };
    if !row.suspended {
        return Err(Stop::invalid_state(format!(
            "Expected to resume a batch operation with key '{key}', but it has an invalid state '{}'.",
            row.status()
        )));
    }
    manage(p, command, value, event)
}

fn manage(
    p: &mut Processing<'_>,
    command: &Command,
    value: &Arc<BatchOperationLifecycleManagementRecord>,
    event: of::BatchOperationLifecycleManagement,
) -> Outcome {
    let key = p.next_key();
    p.refer_to_batch_operation(value.batch_operation_key);
    p.event(key, event, value.clone())?;
    p.respond(key, event, value.clone());
    distribute::distribute(p, key, QUEUE, command.intent, &value.clone().into())
}

/// The items of this partition cannot be found.
pub(crate) fn fail(
    p: &mut Processing<'_>,
    _command: &Command,
    value: &Arc<BatchOperationPartitionLifecycleRecord>,
) -> Outcome {
    let row = pending(p, value.batch_operation_key)?;
    report(
        p,
        &row,
        BatchOperationPartitionLifecycleRecord::clone(value),
        true,
    )
}

/// Tells the leading partition that this one is done, or has failed.
fn report(
    p: &mut Processing<'_>,
    row: &BatchOperationRow,
    record: BatchOperationPartitionLifecycleRecord,
    failed: bool,
) -> Outcome {
    use of::BatchOperationPartitionLifecycle as Of;
    let key = row.record.batch_operation_key;
    let record = BatchOperationPartitionLifecycleRecord {
        batch_operation_key: key,
        source_partition_id: p.partition(),
        ..record
    };
    let (command, event) = if failed {
        (Of::FailPartition, Of::PartitionFailed)
    } else {
        (Of::CompletePartition, Of::PartitionCompleted)
    };
    if row.record.leading {
        return p.command(key, command, record);
    }
    p.event(key, event, record.clone())?;
    let distribution = p.next_key();
    let leader = key.partition();
    distribute::distribute_to(p, distribution, QUEUE, leader, command, &record.into())
}

/// Leading partition: notes what a partition reports; the last report ends the operation.
pub(crate) fn partition_ended(
    p: &mut Processing<'_>,
    command: &Command,
    value: &Arc<BatchOperationPartitionLifecycleRecord>,
) -> Outcome {
    use of::BatchOperationPartitionLifecycle as Of;
    let key = value.batch_operation_key;
    let row = p.state().batch_operations.get(&key)?;
    let source = value.source_partition_id;
    let known = row.filter(|row| !row.finished_partitions.contains(&source));
    if known.is_some() {
        p.refer_to_batch_operation(key);
        let failed = command.intent == Intent::BatchOperationPartitionLifecycle(Of::FailPartition);
        let event = if failed {
            Of::PartitionFailed
        } else {
            Of::PartitionCompleted
        };
        p.event(key, event, value.clone())?;
        end_if_all_reported(p, key)?;
    }
    if distribute::is_distributed(p, command.key) {
        return distribute::acknowledge(p, command.key, command.intent);
    }
    Ok(())
}

fn end_if_all_reported(p: &mut Processing<'_>, key: Key) -> Outcome {
    let row = existing(p, key)?;
    let partitions = row.record.partition_ids.len();
    if row.finished_partitions.len() < partitions {
        return Ok(());
    }
    let record = BatchOperationLifecycleManagementRecord {
        batch_operation_key: key,
        errors: row.errors.clone(),
    };
    if row.errors.len() == partitions {
        return p.event(key, of::BatchOperationLifecycleManagement::Failed, record);
    }
    p.event(
        key,
        of::BatchOperationLifecycleManagement::Completed,
        record,
    )?;
    let definition = row.record.definition_to_delete;
    if definition.is_some() {
        let decisions = BatchOperationType::DeleteDecisionInstance;
        let kind = if row.record.batch_operation_type == decisions {
            HistoryDeletionType::DecisionRequirements
        } else {
            HistoryDeletionType::ProcessDefinition
        };
        delete_history(p, definition, kind)?;
    }
    Ok(())
}

fn existing(p: &Processing<'_>, key: Key) -> Outcome<BatchOperationRow> {
    match p.state().batch_operations.get(&key)? {
        Some(row) => Ok(BatchOperationRow::clone(&row)),
        None => Err(Stop::not_found(format!(
            "No batch operation found for key '{key}'."
        ))),
    }
}

/// An operation whose items are still being looked for.
fn pending(p: &Processing<'_>, key: Key) -> Outcome<BatchOperationRow> {
    let row = existing(p, key)?;
    if row.initialized || row.done {
        return Err(Stop::invalid_state(format!(
            "Batch operation '{key}' has found its items already."
        )));
    }
    Ok(row)
}

fn suspended(key: Key) -> Stop {
    Stop::invalid_state(format!("Batch operation '{key}' is suspended."))
}
