//! RESOURCE_DELETION DELETE: a definition goes, here and on all other partitions.
//!
//! Refused while instances of it run on this partition. If it was the latest version, the one
//! before takes its start events over.

use std::sync::Arc;

use crate::engine::command::deploy::{self, DEPLOYMENT_QUEUE};
use crate::engine::distribute;
use crate::engine::fault::{Outcome, Stop};
use crate::engine::input::Command;
use crate::engine::output::Processing;
use crate::engine::rule::starts;
use crate::record::intent::of;
use crate::record::value::{ProcessRecord, ResourceDeletionRecord};
use crate::record::{Blob, Text};

/// Deletes a definition.
pub(crate) fn delete(
    p: &mut Processing<'_>,
    command: &Command,
    value: &Arc<ResourceDeletionRecord>,
) -> Outcome {
    let distributed = distribute::is_distributed(p, command.key);
    let key = value.resource_key;
    let graph = p.state().decision_requirements.get(&key)?;
    let graph = graph.filter(|row| row.record.tenant_id == value.tenant_id);
    if let Some(row) = graph {
        let id = row.record.decision_requirements_id.clone();
        return delete_as(p, command, value, ("DECISION_REQUIREMENTS", id), |p| {
            deploy::decision::delete(p, &row.record)
        });
    }
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
    let id = row.record.bpmn_process_id.clone();
    delete_as(p, command, value, ("PROCESS", id), |p| {
        delete_process(p, &row.record)
    })
}

/// Writes the deletion of what has a kind and an id around what `f` writes, and passes it on.
fn delete_as(
    p: &mut Processing<'_>,
    command: &Command,
    value: &Arc<ResourceDeletionRecord>,
    (kind, id): (&str, Text),
    f: impl FnOnce(&mut Processing<'_>) -> Outcome,
) -> Outcome {
    let distributed = distribute::is_distributed(p, command.key);
    let deletion = Arc::new(ResourceDeletionRecord {
        resource_type: Text::from(kind),
        resource_id: id,
        ..ResourceDeletionRecord::clone(value)
    });
    let deletion_key = if distributed {
        command.key
    } else {
        p.next_key()
    };
    p.event(
        deletion_key,
        of::ResourceDeletion::Deleting,
        deletion.clone(),
    )?;
    f(p)?;
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
