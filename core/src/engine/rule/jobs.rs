//! Jobs from the element's side: created, handed out the moment they can be taken, cancelled.
//!
//! A job that becomes activatable while a stream of its type is open is activated for it in the same
//! step; otherwise whoever polls for the type is woken.

use std::sync::Arc;

use crate::engine::effect::Effect;
use crate::engine::fault::{Failure, Outcome};
use crate::engine::lifecycle::At;
use crate::engine::output::Processing;
use crate::engine::rule::{agents, expressions, incidents, permissions, task_listeners};
use crate::ids::Key;
use crate::json::write_string;
use crate::model::{Binding, Expr, Job, LinkedResource};
use crate::record::field::Headers;
use crate::record::intent::of;
use crate::record::value::{
    ErrorType, JobBatchRecord, JobKind, JobRecord, ListenerEventType, TenantFilter,
};
use crate::record::{Document, Text};
use crate::state::JobState;
use crate::state::file::FileKind;

/// Room kept free in a batch of activated jobs.
pub(crate) const BATCH_SAFETY_BYTES: usize = 8 << 10;

/// The priority of a job whose model says none.
pub(crate) const NO_PRIORITY: i32 = 0;

/// Header of a job that names the deployed resources it links.
const LINKED_RESOURCES_HEADER: &str = "linkedResources";

/// What a new job is.
#[derive(Debug)]
pub(crate) struct Properties {
    pub(crate) job_type: Text,
    pub(crate) retries: i32,
    pub(crate) headers: Headers,
    pub(crate) kind: JobKind,
    pub(crate) listener: ListenerEventType,
    /// That of a listener is always [`NO_PRIORITY`].
    pub(crate) priority: i32,
}

/// Evaluates what the model says about a job.
pub(crate) fn evaluate(p: &Processing<'_>, at: &At, job: &Job) -> Outcome<Properties> {
    let job_type = job_type(p, &job.job_type, at.key)?;
    let retries = expressions::number(p, &job.retries, at.key)?;
    let said = (job.priority.as_ref()).or(at.definition.process.job_priority.as_ref());
    let priority = match said {
        Some(expr) => expressions::job_priority(p, expr, at.key)?,
        None => NO_PRIORITY,
    };
    let mut all = headers(&job.headers);
    if !job.linked_resources.is_empty() {
        let linked = linked_resources(p, at, &job.linked_resources)?;
        let mut with_linked = job.headers.to_vec();
        with_linked.push((Text::from(LINKED_RESOURCES_HEADER), linked));
        all = headers(&with_linked);
    }
    Ok(Properties {
        job_type,
        retries: clamp(retries),
        headers: all,
        kind: JobKind::BpmnElement,
        listener: ListenerEventType::Unspecified,
        priority,
    })
}

/// The resources that an element links, as JSON.
fn linked_resources(p: &Processing<'_>, at: &At, linked: &[LinkedResource]) -> Outcome<Text> {
    let mut out = String::from("[");
    for one in linked {
        if out.len() > 1 {
            out.push(',');
        }
        let key = linked_resource(p, at, one)?;
        out.push_str(&format!("{{\"resourceKey\":\"{key}\",\"resourceType\":"));
        write_string(&one.resource_type, &mut out);
        out.push_str(",\"linkName\":");
        write_string(&one.link_name, &mut out);
        out.push('}');
    }
    out.push(']');
    Ok(Text::from(out))
}

/// The key of the deployed resource that the model means.
fn linked_resource(p: &Processing<'_>, at: &At, linked: &LinkedResource) -> Outcome<Key> {
    let id = expressions::text(p, &linked.resource_id, at.key)?;
    let deployment = at.definition.record.deployment_key;
    let (tenant, binding) = (&at.record.tenant_id, &linked.binding);
    let found = (p.state()).bound_file(FileKind::Resource, tenant, &id, binding, deployment)?;
    if let Some(resource) = found {
        return Ok(resource.record.key);
    }
    let message = match binding {
        Binding::Latest => format!(
            "Expected to link a resource with id '{id}', but no resource with this id is found, at least a resource with this id should be available. To resolve the Incident please deploy a resource with the same id.\n"
        ),
        Binding::Deployment => format!(
            "Expected to link a resource with id '{id}' with binding type 'deployment', but no such resource found in the deployment with key {deployment} which contained the current process. To resolve this incident, migrate the process instance to a process definition that is deployed together with the intended resource to use."
        ),
        Binding::VersionTag(tag) => format!(
            "Expected to link a resource with id '{id}' and version tag '{tag}', but no such resource found. To resolve the incident, deploy a resource with the given id and version tag.\n"
        ),
    };
    Err(Failure::new(ErrorType::ResourceNotFound, message).into())
}

/// The type of a job.
pub(crate) fn job_type(p: &Processing<'_>, expr: &Expr, scope: Key) -> Outcome<Text> {
    let job_type = expressions::text(p, expr, scope)?;
    if !job_type.is_empty() {
        return Ok(job_type);
    }
    let source = expr.source.strip_prefix('=').unwrap_or(&expr.source);
    let message = format!(
        "Expected result of the expression '{source}' to be a not-empty string, but was an empty string."
    );
    Err(Failure::new(ErrorType::ExtractValueError, message).into())
}

/// A number of retries as the job keeps it.
pub(crate) fn clamp(retries: i64) -> i32 {
    retries.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32
}

/// Headers of the model.
pub(crate) fn headers(headers: &[(Text, Text)]) -> Headers {
    Headers(Arc::new(headers.to_vec()))
}

/// Creates the job of an element.
pub(crate) fn create(p: &mut Processing<'_>, at: &At, properties: Properties) -> Outcome {
    let record = Arc::new(JobRecord {
        job_type: properties.job_type,
        retries: properties.retries,
        custom_headers: properties.headers,
        bpmn_process_id: at.record.bpmn_process_id.clone(),
        process_definition_version: at.record.version,
        process_definition_key: at.record.process_definition_key,
        process_instance_key: at.record.process_instance_key,
        root_process_instance_key: at.record.root_process_instance_key,
        element_id: at.record.element_id.clone(),
        element_instance_key: at.key,
        kind: properties.kind,
        listener_event_type: properties.listener,
        tenant_id: at.record.tenant_id.clone(),
        tags: at.record.tags.clone(),
        priority: properties.priority,
        ..JobRecord::default()
    });
    let key = p.next_key();
    p.event(key, of::Job::Created, record.clone())?;
    publish(p, key, &record)
}

/// Hands an activatable job to a stream, or wakes who polls for its type.
pub(crate) fn publish(p: &mut Processing<'_>, key: Key, job: &Arc<JobRecord>) -> Outcome {
    let barred = permissions::barred_streams(p, job)?;
    let Some(stream) = p.stream_for(&job.job_type, &job.tenant_id, &barred) else {
        p.jobs_available(&job.job_type);
        return Ok(());
    };
    let Some(spec) = p.streams.spec(stream).cloned() else {
        return Ok(());
    };
    let variables = variables(p, job, &spec.fetch_variables)?;
    let activated = Arc::new(JobRecord {
        worker: spec.worker.clone(),
        deadline: p.now.plus_millis(spec.timeout),
        variables,
        ..JobRecord::clone(job)
    });
    let batch = JobBatchRecord {
        job_type: job.job_type.clone(),
        worker: spec.worker,
        timeout: spec.timeout,
        max_jobs: 1,
        job_keys: vec![key],
        jobs: vec![activated.clone()],
        variables: spec.fetch_variables,
        truncated: false,
        tenant_ids: spec.tenant_ids,
        tenant_filter: TenantFilter::Provided,
    };
    if p.room() < 2 * activated.variables.as_bytes().len() + BATCH_SAFETY_BYTES {
        p.jobs_available(&job.job_type);
        return Ok(());
    }
    let batch_key = p.next_key();
    p.event(batch_key, of::JobBatch::Activated, batch)?;
    p.effect(Effect::PushJob {
        stream,
        key,
        job: activated,
    });
    Ok(())
}

/// The variables a worker sees.
pub(crate) fn variables(p: &Processing<'_>, job: &JobRecord, names: &[Text]) -> Outcome<Document> {
    let visible = (p.state()).visible_variables(job.element_instance_key, names)?;
    match job.kind {
        JobKind::BpmnElement | JobKind::ExecutionListener | JobKind::AdHocSubProcess => Ok(visible),
        JobKind::TaskListener => task_listeners::variables(p, job, &visible, names),
    }
}

/// Cancels the job of an element instance, if it has one, with the job's incident.
pub(crate) fn cancel(p: &mut Processing<'_>, at: &At) -> Outcome {
    let row = p.state().elements.get(&at.key)?;
    let Some(key) = row.map(|row| row.job_key).filter(|key| key.is_some()) else {
        return Ok(());
    };
    let Some(job) = p.state().jobs.get(&key)? else {
        return Ok(());
    };
    match job.state {
        JobState::Activatable | JobState::Activated | JobState::Failed | JobState::ErrorThrown => {
            p.event(key, of::Job::Canceled, job.record.clone())?;
            agents::job_gone(p, key, job.record.process_instance_key)?;
        }
    }
    incidents::resolve_of_job(p, key)
}
