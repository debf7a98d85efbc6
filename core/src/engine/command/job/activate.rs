//! JOB_BATCH ACTIVATE: a worker takes jobs of a type.
//!
//! Jobs are taken by priority, then in key order, as long as they fit the batch; the first that does not fit ends it.
//! If that is the very first, the job waits with an incident and the next ones are tried.

use std::sync::Arc;

use crate::engine::fault::{Outcome, Stop};
use crate::engine::input::Command;
use crate::engine::output::Processing;
use crate::engine::rule::authorizations::Guard;
use crate::engine::rule::{incidents, jobs, permissions};
use crate::engine::streams::serves;
use crate::ids::Key;
use crate::record::field::ValueStruct as _;
use crate::record::intent::of;
use crate::record::value::{ErrorType, JobBatchRecord, JobRecord, TenantFilter};
use crate::record::{RejectionType, Text};

/// Hands out jobs.
pub(crate) fn activate(
    p: &mut Processing<'_>,
    command: &Command,
    value: &Arc<JobBatchRecord>,
) -> Outcome {
    check(value)?;
    let guard = permissions::worker(p, &command.authorization)?;
    let tenants = match &guard {
        Some(guard) if guard.minds_tenants() => tenants(guard, value)?,
        Some(_) | None => value.tenant_ids.clone(),
    };
    let keys = match &guard {
        Some(guard) => permitted(p, value, &tenants, guard)?,
        None => candidates(p, value),
    };
    let mut batch = JobBatchRecord {
        tenant_ids: tenants,
        ..JobBatchRecord::clone(value)
    };
    let mut too_large = None;
    let mut size = value.weight() + jobs::BATCH_SAFETY_BYTES;
    for key in keys {
        let Some(row) = p.state().jobs.get(&key)? else {
            continue;
        };
        let variables = jobs::variables(p, &row.record, &value.variables)?;
        let job = JobRecord {
            worker: value.worker.clone(),
            deadline: p.now.plus_millis(value.timeout),
            variables,
            ..JobRecord::clone(&row.record)
        };
        let weight = job.weight() + 16;
        if size + weight > p.room() {
            batch.truncated = true;
            if batch.job_keys.is_empty() {
                too_large = Some((key, job, weight));
            }
            break;
        }
        size += weight;
        batch.job_keys.push(key);
        batch.jobs.push(Arc::new(job));
    }
    let batch = Arc::new(batch);
    let key = p.next_key();
    p.event(key, of::JobBatch::Activated, batch.clone())?;
    p.respond(key, of::JobBatch::Activated, batch);
    if let Some((key, job, weight)) = too_large {
        let message = format!(
            "The job with key '{key}' can not be activated because it is larger than the configured message size ({} B). Try to reduce the size by reducing the number of fetched variables or modifying the variable values; the job has {weight} B.",
            p.config.max_batch_bytes
        );
        incidents::create_for_job(p, key, &job, ErrorType::MessageSizeExceeded, &message)?;
    }
    Ok(())
}

fn check(value: &JobBatchRecord) -> Outcome {
    let refuse = |what: &str, to_be: &str, was: String| {
        Err(Stop::reject(
            RejectionType::InvalidArgument,
            format!("Expected to activate job batch with {what} to be {to_be}, but it was {was}"),
        ))
    };
    if value.max_jobs < 1 {
        let was = format!("'{}'", value.max_jobs);
        return refuse("max jobs to activate", "greater than zero", was);
    }
    if value.timeout < 1 {
        return refuse(
            "timeout",
            "greater than zero",
            format!("'{}'", value.timeout),
        );
    }
    if value.job_type.is_empty() {
        return refuse("type", "present", "blank".to_owned());
    }
    Ok(())
}

/// Keys of jobs that can be taken, at most as many as asked for.
fn candidates(p: &Processing<'_>, value: &JobBatchRecord) -> Vec<Key> {
    p.state()
        .jobs_to_take(&value.job_type)
        .filter(|(_, tenant)| serves(&value.tenant_ids, tenant))
        .take(usize::try_from(value.max_jobs).unwrap_or_default())
        .map(|(key, _)| key)
        .collect()
}

/// The tenants whose jobs a worker gets: those it names, if it is of all of them, else its own.
fn tenants(guard: &Guard<'_>, value: &JobBatchRecord) -> Outcome<Vec<Text>> {
    let own = guard.tenants()?;
    let named = value.tenant_filter == TenantFilter::Provided && !value.tenant_ids.is_empty();
    if !named {
        return Ok(own.into_iter().collect());
    }
    if value.tenant_ids.iter().all(|tenant| own.contains(tenant)) {
        return Ok(value.tenant_ids.clone());
    }
    let list = |tenants: &mut dyn Iterator<Item = &Text>| {
        let names: Vec<&str> = tenants.map(Text::as_str).collect();
        format!("[{}]", names.join(", "))
    };
    Err(Stop::reject(
        RejectionType::Unauthorized,
        format!(
            "Expected to activate job batch for tenants '{}', but user is not authorized. \
             Authorized tenants are '{}'",
            list(&mut value.tenant_ids.iter()),
            list(&mut own.iter())
        ),
    ))
}

/// As [`candidates`], but only jobs that the worker may work on.
fn permitted(
    p: &Processing<'_>,
    value: &JobBatchRecord,
    tenants: &[Text],
    guard: &Guard<'_>,
) -> Outcome<Vec<Key>> {
    if guard.minds_tenants() && tenants.is_empty() {
        return Ok(Vec::new());
    }
    let wanted = usize::try_from(value.max_jobs).unwrap_or_default();
    let mut keys = Vec::new();
    // Jobs of a type are of few processes.
    let mut decided: Vec<(Text, Text, bool)> = Vec::new();
    for (key, tenant) in p.state().jobs_to_take(&value.job_type) {
        if keys.len() == wanted {
            break;
        }
        if !serves(tenants, tenant) {
            continue;
        }
        let Some(row) = p.state().jobs.get(&key)? else {
            continue;
        };
        let process = &row.record.bpmn_process_id;
        let known = decided
            .iter()
            .find(|(id, of, _)| id == process && of == tenant)
            .map(|(_, _, may)| *may);
        let may = match known {
            Some(may) => may,
            None => {
                let may = guard.may(&permissions::work(process, tenant))?;
                decided.push((process.clone(), tenant.clone(), may));
                may
            }
        };
        if may {
            keys.push(key);
        }
    }
    Ok(keys)
}
