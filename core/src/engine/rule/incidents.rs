//! Incidents: raised where an element or job cannot go on, resolved by an operator or with the
//! element.
//!
//! Only the kind, the text and the place are kept; resolving runs the phase of the element again.

use std::sync::Arc;

use crate::engine::fault::{Failure, Outcome};
use crate::engine::lifecycle::{self, At};
use crate::engine::output::Processing;
use crate::ids::Key;
use crate::record::Text;
use crate::record::intent::of;
use crate::record::value::{ErrorType, IncidentRecord, JobRecord};

/// Raises the incident of an element instance.
pub(crate) fn create(p: &mut Processing<'_>, at: &At, failure: Failure) -> Outcome {
    let record = IncidentRecord {
        error_type: failure.kind,
        error_message: cut(p, &failure.message),
        variable_scope_key: failure.scope.unwrap_or(at.key),
        ..of_element(p, at)?
    };
    let key = p.next_key();
    p.event(key, of::Incident::Created, record)
}

/// Raises the incident of a job.
pub(crate) fn create_for_job(
    p: &mut Processing<'_>,
    job_key: Key,
    job: &JobRecord,
    kind: ErrorType,
    message: &str,
) -> Outcome {
    let Some(at) = At::find(p, job.element_instance_key)? else {
        return Ok(());
    };
    let record = IncidentRecord {
        error_type: kind,
        error_message: cut(p, message),
        job_key,
        variable_scope_key: at.key,
        ..of_element(p, &at)?
    };
    let key = p.next_key();
    p.event(key, of::Incident::Created, record)
}

fn of_element(p: &Processing<'_>, at: &At) -> Outcome<IncidentRecord> {
    let path = lifecycle::with_path(p, at)?;
    Ok(IncidentRecord {
        bpmn_process_id: at.record.bpmn_process_id.clone(),
        process_definition_key: at.record.process_definition_key,
        process_instance_key: at.record.process_instance_key,
        root_process_instance_key: at.record.root_process_instance_key,
        element_id: at.record.element_id.clone(),
        element_instance_key: at.key,
        tenant_id: at.record.tenant_id.clone(),
        element_instance_path: path.element_instance_path,
        process_definition_path: path.process_definition_path,
        calling_element_path: path.calling_element_path,
        ..IncidentRecord::default()
    })
}

/// Resolves the incident of an element instance that goes away.
pub(crate) fn resolve_of_element(p: &mut Processing<'_>, at: &At) -> Outcome {
    match p.state().incident_of_element(at.key)? {
        Some(key) => resolved(p, key),
        None => Ok(()),
    }
}

/// Resolves the incident of a job that goes away.
pub(crate) fn resolve_of_job(p: &mut Processing<'_>, job: Key) -> Outcome {
    match p.state().incident_of_job(job)? {
        Some(key) => resolved(p, key),
        None => Ok(()),
    }
}

fn resolved(p: &mut Processing<'_>, key: Key) -> Outcome {
    match p.state().incidents.get(&key)? {
        Some(row) => p.event(key, of::Incident::Resolved, Arc::clone(&row.record)),
        None => Ok(()),
    }
}

/// A text no longer than error messages may be.
pub(crate) fn cut(p: &Processing<'_>, message: &str) -> Text {
    match message.char_indices().nth(p.config.max_error_message) {
        Some((end, _)) => Text::from(&message[..end]),
        None => Text::from(message),
    }
}
