//! RESOURCE_DELETION DELETE: a definition goes, here and on all other partitions.
//!
//! Refused while instances of it run on this partition. If it was the latest version, the one
//! before takes its start events over.

use std::sync::Arc;

use crate::engine::command::batch_operation;
use crate::engine::command::deploy::DEPLOYMENT_QUEUE;
use crate::engine::distribute;
use crate::engine::fault::{Outcome, Stop};
use crate::engine::input::Command;
use crate::engine::output::Processing;
use crate::engine::rule::starts;
use crate::ids::Key;
use crate::record::intent::of;
use crate::record::value::{
    BatchOperationCreationRecord, BatchOperationType, ProcessRecord, ResourceDeletionRecord,
};
use crate::record::{Blob, Text};

/// Deletes a definition.
pub(crate) fn delete(
    p: &mut Processing<'_>,
    command: &Command,
    value: &Arc<ResourceDeletionRecord>,
) -> Outcome {
    let distributed = distribute::is_distributed(p, command.key);
    let key = value.resource_key;
    let Some(row) = p.state().definition(key, &value.tenant_id)? else {
        if distributed {
            return distribute::acknowledge(p, command.key, command.intent);
        }
        return Err(Stop::not_found(format!(
            "Expected to delete resource but no resource found with key `{key}`"
        )));
    };
    if p.state().running_instances.contains(&key)? {
        return Err(Stop::invalid_state(format!(
            "Expected to delete resource with key `{key}` but there are still running instances"
        )));
    }
    let deletion = Arc::new(ResourceDeletionRecord {
        resource_type: Text::from("PROCESS"),
        resource_id: row.record.bpmn_process_id.clone(),
        ..ResourceDeletionRecord::clone(value)
    });
    let deletion_key = if distributed {
        command.key
    } else {
        p.next_key()
    };
    let deletion = if value.delete_history && !distributed {
        delete_history(p, key, command, &deletion)?
    } else {
        deletion
    };
    p.event(
        deletion_key,
        of::ResourceDeletion::Deleting,
        deletion.clone(),
    )?;
    delete_process(p, &row.record)?;
    p.event(
        deletion_key,
        of::ResourceDeletion::Deleted,
        deletion.clone(),
    )?;
    if distributed {
        return distribute::acknowledge(p, command.key, command.intent);
    }
    p.respond(
        deletion_key,
        of::ResourceDeletion::Deleting,
        deletion.clone(),
    );
    let deletion = deletion.into();
    distribute::distribute(
        p,
        deletion_key,
        DEPLOYMENT_QUEUE,
        of::ResourceDeletion::Delete,
        &deletion,
    )
}

/// Starts the batch operation that deletes the history of the definition's instances, and then that
/// of the definition.
fn delete_history(
    p: &mut Processing<'_>,
    definition: Key,
    command: &Command,
    deletion: &ResourceDeletionRecord,
) -> Outcome<Arc<ResourceDeletionRecord>> {
    let filter = format!(r#"{{"field":"processDefinitionKey","op":"eq","values":[{definition}]}}"#);
    let operation = BatchOperationCreationRecord {
        batch_operation_type: BatchOperationType::DeleteProcessInstance,
        entity_filter: Text::from(filter),
        authentication: command.authorization.clone(),
        definition_to_delete: definition,
        ..BatchOperationCreationRecord::default()
    };
    let operation = batch_operation::start(p, operation)?;
    Ok(Arc::new(ResourceDeletionRecord {
        batch_operation_key: operation.batch_operation_key,
        ..deletion.clone()
    }))
}

fn delete_process(p: &mut Processing<'_>, record: &Arc<ProcessRecord>) -> Outcome {
    let (tenant, id) = (&record.tenant_id, &record.bpmn_process_id);
    let key = record.process_definition_key;
    let latest = p.state().latest_definition(tenant, id)?;
    let was_latest = latest.is_some_and(|row| row.record.process_definition_key == key);
    let stated = Arc::new(ProcessRecord {
        resource: Blob::EMPTY,
        ..ProcessRecord::clone(record)
    });
    p.event(key, of::Process::Deleting, stated.clone())?;
    if was_latest {
        starts::close_timers(p, key)?;
        starts::close(p, record)?;
        if let Some(next) = p.state().latest_definition(tenant, id)? {
            let definition = p.definition(next.record.process_definition_key)?;
            starts::open_timers(p, &next.record, &definition.process)?;
            starts::open(p, &next.record, &definition.process)?;
        }
    }
    p.event(key, of::Process::Deleted, stated)
}
