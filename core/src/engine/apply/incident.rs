//! INCIDENT and ERROR events.
//!
//! An element instance or a job has at most one incident; the row that says so is written and removed
//! with the incident. An ERROR event bans the instance it names.

use std::sync::Arc;

use crate::engine::NO_CATCH_EVENT_FOUND;
use crate::engine::apply::Applied;
use crate::engine::output::Applying;
use crate::ids::Key;
use crate::record::value::{ErrorRecord, IncidentRecord};
use crate::state::{IncidentRow, JobRow, JobState, KeyRow};

pub(super) fn created(a: &mut Applying<'_>, key: Key, value: &Arc<IncidentRecord>) -> Applied {
    let record = value.clone();
    a.state.incidents.insert_new(key, IncidentRow { record });
    if value.job_key.is_some() {
        a.state.job_incidents.put(value.job_key, KeyRow { key })?;
        // A job that is not to be taken until the incident is resolved.
        if let Some(row) = a.state.jobs.get(&value.job_key)?
            && row.state == JobState::Activatable
        {
            let row = JobRow {
                state: JobState::Failed,
                ..JobRow::clone(&row)
            };
            a.state.put_job(value.job_key, row)?;
        }
    } else {
        let element = value.element_instance_key;
        a.state.element_incidents.put(element, KeyRow { key })?;
    }
    Ok(())
}

pub(super) fn resolved(a: &mut Applying<'_>, key: Key, value: &Arc<IncidentRecord>) -> Applied {
    a.state.incidents.remove(&key)?;
    if value.job_key.is_some() {
        a.state.job_incidents.remove(&value.job_key)?;
        if let Some(row) = a.state.jobs.get(&value.job_key)?
            && row.record.retries > 0
        {
            match row.state {
                JobState::Failed | JobState::ErrorThrown => {
                    let mut record = row.record.clone();
                    if record.element_id == NO_CATCH_EVENT_FOUND {
                        Arc::make_mut(&mut record).element_id = value.element_id.clone();
                    }
                    let row = JobRow {
                        record,
                        state: JobState::Activatable,
                    };
                    a.state.put_job(value.job_key, row)?;
                }
                JobState::Activatable | JobState::Activated => {}
            }
        }
    } else {
        let element = value.element_instance_key;
        a.state.element_incidents.remove(&element)?;
        // The phase runs again from its beginning, listeners included.
        a.state
            .elements
            .update(&element, |row| row.listener_index = 0)?;
    }
    Ok(())
}

/// What it is about is restated under another definition.
pub(super) fn migrated(a: &mut Applying<'_>, key: Key, value: &Arc<IncidentRecord>) -> Applied {
    let record = value.clone();
    Ok(a.state.incidents.put(key, IncidentRow { record })?)
}

pub(super) fn error_created(a: &mut Applying<'_>, _key: Key, value: &Arc<ErrorRecord>) -> Applied {
    if value.process_instance_key.is_some() {
        a.state.banned.insert(value.process_instance_key);
    }
    Ok(())
}
