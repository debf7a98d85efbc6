//! RESOURCE_DELETION DELETE: a definition, decisions, form or resource goes, here and on all other partitions.
//!
//! A process is refused while instances of it run on the partition that is asked. The others cannot
//! refuse any more: there nothing new starts, and the end of the last instance deletes it. If it was
//! the latest version, the one before takes its start events over.
//!
//! Processes and decisions can go with their history. That of one which went without it can still be
//! deleted: whoever sends the command has then found type, id and tenant in the secondary storage.

use std::sync::Arc;

use crate::engine::command::batch_operation;
use crate::engine::command::deploy::{self, DEPLOYMENT_QUEUE};
use crate::engine::distribute;
use crate::engine::fault::{Outcome, Stop};
use crate::engine::input::Command;
use crate::engine::output::Processing;
use crate::engine::rule::{agents, starts};
use crate::ids::Key;
use crate::record::intent::of;
use crate::record::value::{
    BatchOperationCreationRecord, BatchOperationType, DecisionRequirementsRecord, FormRecord,
    ProcessRecord, ResourceDeletionRecord, ResourceRecord,
};
use crate::record::{Blob, Text};
use crate::state::file::FileKind;

/// What a key names.
enum Found {
    Process(Arc<ProcessRecord>),
    File(FileKind, Arc<ResourceRecord>),
    Decisions(Arc<DecisionRequirementsRecord>),
}

/// Deletes a process definition, a form or another resource.
pub(crate) fn delete(
    p: &mut Processing<'_>,
    command: &Command,
    value: &Arc<ResourceDeletionRecord>,
) -> Outcome {
    let distributed = distribute::is_distributed(p, command.key);
    let Some(found) = find(p, value)? else {
        if distributed {
            return distribute::acknowledge(p, command.key, command.intent);
        }
        if value.delete_history && history_of(value).is_some() {
            let key = p.next_key();
            let deletion = delete_history(p, command, value)?;
            let deleted = of::ResourceDeletion::Deleted;
            p.event(key, deleted, deletion.clone())?;
            p.respond(key, deleted, deletion);
            return Ok(());
        }
        return Err(Stop::not_found(format!(
            "Expected to delete resource but no resource found with key `{}`",
            value.resource_key
        )));
    };
    let (kind, id, tenant) = match &found {
        Found::Process(it) => ("PROCESS_DEFINITION", &it.bpmn_process_id, &it.tenant_id),
        Found::File(FileKind::Form, it) => ("FORM", &it.id, &it.tenant_id),
        Found::File(FileKind::Resource, it) => ("RESOURCE", &it.id, &it.tenant_id),
        Found::Decisions(it) => {
            let id = &it.decision_requirements_id;
            ("DECISION_REQUIREMENTS", id, &it.tenant_id)
        }
    };
    let deletion = Arc::new(ResourceDeletionRecord {
        resource_type: Text::from(kind),
        resource_id: id.clone(),
        tenant_id: tenant.clone(),
        ..ResourceDeletionRecord::clone(value)
    });
    if let Found::Process(record) = &found
        && !distributed
        && is_running(p, record.process_definition_key)?
    {
        return Err(Stop::invalid_state(format!(
            "Expected to delete resource with key `{}` but there are still running instances",
            value.resource_key
        )));
    }
    let deletion_key = if distributed {
        command.key
    } else {
        p.next_key()
    };
    let deletion = if value.delete_history && !distributed {
        delete_history(p, command, &deletion)?
    } else {
        deletion
    };
    let deleting = of::ResourceDeletion::Deleting;
    p.event(deletion_key, deleting, deletion.clone())?;
    match &found {
        Found::Process(record) => delete_process(p, record)?,
        Found::File(kind, record) => delete_file(p, *kind, record)?,
        Found::Decisions(record) => deploy::decision::delete(p, record)?,
    }
    let deleted = of::ResourceDeletion::Deleted;
    p.event(deletion_key, deleted, deletion.clone())?;
    if distributed {
        return distribute::acknowledge(p, command.key, command.intent);
    }
    p.respond(deletion_key, deleting, deletion.clone());
    let deletion = deletion.into();
    distribute::distribute(
        p,
        deletion_key,
        DEPLOYMENT_QUEUE,
        of::ResourceDeletion::Delete,
        &deletion,
    )
}

/// Keys are unique among all tenants, and whoever may not know of the tenant was refused before.
fn find(p: &Processing<'_>, value: &ResourceDeletionRecord) -> Outcome<Option<Found>> {
    let key = value.resource_key;
    if let Some(row) = p.state().definitions.get(&key)?.filter(|row| !row.deleting) {
        return Ok(Some(Found::Process(row.record.clone())));
    }
    if let Some(row) = p.state().decision_requirements.get(&key)? {
        return Ok(Some(Found::Decisions(row.record.clone())));
    }
    for kind in FileKind::ALL {
        if let Some(row) = p.state().file(kind, key)? {
            return Ok(Some(Found::File(kind, row.record.clone())));
        }
    }
    Ok(None)
}

/// Whether instances run here; banned ones never end and do not count.
pub(crate) fn is_running(p: &Processing<'_>, definition: Key) -> Outcome<bool> {
    let running = p.state().running_instances.get(&definition)?;
    let mut running = running.map_or(0, |row| row.count);
    if running == 0 {
        return Ok(false);
    }
    for banned in p.state().banned.iter() {
        let row = p.state().elements.get(banned)?;
        running -=
            i32::from(row.is_some_and(|row| row.record.process_definition_key == definition));
    }
    Ok(running > 0)
}

fn delete_file(p: &mut Processing<'_>, kind: FileKind, record: &Arc<ResourceRecord>) -> Outcome {
    let stated = ResourceRecord {
        resource: Blob::EMPTY,
        ..ResourceRecord::clone(record)
    };
    match kind {
        FileKind::Form => p.event(record.key, of::Form::Deleted, FormRecord::from(stated)),
        FileKind::Resource => p.event(record.key, of::Resource::Deleted, stated),
    }
}

/// What deletes the history of a resource, and how it finds what to delete; `None` = it has none.
fn history_of(deletion: &ResourceDeletionRecord) -> Option<(BatchOperationType, &'static str)> {
    match deletion.resource_type.as_str() {
        "PROCESS_DEFINITION" => Some((
            BatchOperationType::DeleteProcessInstance,
            "processDefinitionKey",
        )),
        "DECISION_REQUIREMENTS" => Some((
            BatchOperationType::DeleteDecisionInstance,
            "decisionRequirementsKey",
        )),
        _ => None,
    }
}

/// Starts the batch operation that deletes the history of a resource's instances, and then that
/// of the resource.
fn delete_history(
    p: &mut Processing<'_>,
    command: &Command,
    deletion: &Arc<ResourceDeletionRecord>,
) -> Outcome<Arc<ResourceDeletionRecord>> {
    let Some((kind, field)) = history_of(deletion) else {
        return Ok(deletion.clone());
    };
    let definition = deletion.resource_key;
    let filter = format!(r#"{{"field":"{field}","op":"eq","values":[{definition}]}}"#);
    let operation = BatchOperationCreationRecord {
        batch_operation_type: kind,
        entity_filter: Text::from(filter),
        authentication: command.authorization.clone(),
        definition_to_delete: definition,
        ..BatchOperationCreationRecord::default()
    };
    let operation = batch_operation::start(p, operation)?;
    Ok(Arc::new(ResourceDeletionRecord {
        batch_operation_key: operation.batch_operation_key,
        ..ResourceDeletionRecord::clone(deletion)
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
    if is_running(p, key)? {
        // The last of them deletes it.
        return Ok(());
    }
    agents::definition_gone(p, record)?;
    p.event(key, of::Process::Deleted, stated)
}

/// An instance has ended: deletes its definition if that only waited for it.
pub(crate) fn instance_ended(p: &mut Processing<'_>, definition: Key) -> Outcome {
    if p.state().deletions_waiting.is_empty()
        || !p.state().deletions_waiting.contains(&definition)
        || is_running(p, definition)?
    {
        return Ok(());
    }
    let Some(row) = p.state().definitions.get(&definition)? else {
        return Ok(());
    };
    let stated = ProcessRecord {
        resource: Blob::EMPTY,
        ..ProcessRecord::clone(&row.record)
    };
    agents::definition_gone(p, &row.record)?;
    p.event(definition, of::Process::Deleted, stated)
}
