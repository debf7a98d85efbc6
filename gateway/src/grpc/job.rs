//! Messages of jobs, and the two streams that hand them out.
//!
//! A batch that does not fit one message is sent as several. A job that alone does not fit is given
//! back with unchanged retries and a text that says so. A pushed job is taken from its stream only
//! when the client's window is open, because the stream is polled only then.

use std::sync::Arc;

use futures::StreamExt;
use futures::stream;
use prost::Message;
use ringflow_core::ids::Key;
use ringflow_core::record::Text;
use ringflow_core::record::value::{
    ActivateElement, JobKind, JobRecord, ListenerEventType, TenantFilter,
};

use super::{Streamed, proto, status};
use crate::backend::PushedJobs;
use crate::document;
use crate::op::job::activate::{Activate, Taken, UserTask, give_back};
use crate::op::job::{AD_HOC, Action, Change, Corrections, Decision, OnJob, Outcome};
use crate::op::{Caller, operation_reference, strings};
use crate::problem::Problem;
use crate::submit::Front;

/// Bytes around the jobs of a message and around each of them, rounded up.
const FRAME_BYTES: usize = 16;

pub(super) fn complete(request: proto::CompleteJobRequest) -> Result<OnJob, Problem> {
    refuse_lease(request.job_lease_token.as_deref())?;
    let result = match request.result {
        None => None,
        Some(result) => {
            let ad_hoc = if result.r#type.as_deref() == Some(AD_HOC) {
                Some(decision(&result)?)
            } else {
                None
            };
            Some(Outcome {
                denied: result.denied.unwrap_or(false),
                denied_reason: result.denied_reason.unwrap_or_default(),
                corrections: result.corrections.map(corrections).unwrap_or_default(),
                ad_hoc,
            })
        }
    };
    Ok(OnJob {
        key: Key(request.job_key),
        action: Action::Complete {
            variables: document::from_text("variables", &request.variables)?,
            result,
        },
        operation_reference: None,
    })
}

fn decision(given: &proto::JobResult) -> Result<Decision, Problem> {
    let activate = given.activate_elements.iter().map(|element| {
        Ok(ActivateElement {
            element_id: Text::from(element.element_id.as_str()),
            variables: document::from_text("variables", &element.variables)?,
        })
    });
    Ok(Decision {
        activate: activate.collect::<Result<_, Problem>>()?,
        fulfilled: given.is_completion_condition_fulfilled.unwrap_or(false),
        cancel: given.is_cancel_remaining_instances.unwrap_or(false),
    })
}

fn corrections(given: proto::JobResultCorrections) -> Corrections {
    Corrections {
        assignee: given.assignee,
        due_date: given.due_date,
        follow_up_date: given.follow_up_date,
        candidate_users: given.candidate_users.map(|list| list.values),
        candidate_groups: given.candidate_groups.map(|list| list.values),
        priority: given.priority,
    }
}

pub(super) fn fail(request: proto::FailJobRequest) -> Result<OnJob, Problem> {
    refuse_lease(request.job_lease_token.as_deref())?;
    Ok(OnJob {
        key: Key(request.job_key),
        action: Action::Fail {
            retries: request.retries,
            message: request.error_message,
            back_off: request.retry_back_off,
            variables: document::from_text("variables", &request.variables)?,
        },
        operation_reference: None,
    })
}

pub(super) fn throw_error(request: proto::ThrowErrorRequest) -> Result<OnJob, Problem> {
    refuse_lease(request.job_lease_token.as_deref())?;
    Ok(OnJob {
        key: Key(request.job_key),
        action: Action::ThrowError {
            code: request.error_code,
            message: request.error_message,
            variables: document::from_text("variables", &request.variables)?,
        },
        operation_reference: None,
    })
}

pub(super) fn update_retries(request: &proto::UpdateJobRetriesRequest) -> Result<OnJob, Problem> {
    refuse_lease(request.job_lease_token.as_deref())?;
    Ok(OnJob {
        key: Key(request.job_key),
        action: Action::UpdateRetries(request.retries),
        operation_reference: operation_reference(request.operation_reference)?,
    })
}

pub(super) fn update_timeout(request: &proto::UpdateJobTimeoutRequest) -> Result<OnJob, Problem> {
    refuse_lease(request.job_lease_token.as_deref())?;
    Ok(OnJob {
        key: Key(request.job_key),
        action: Action::UpdateTimeout(request.timeout),
        operation_reference: operation_reference(request.operation_reference)?,
    })
}

pub(super) fn update_priority(request: &proto::UpdateJobPriorityRequest) -> Result<OnJob, Problem> {
    refuse_lease(request.job_lease_token.as_deref())?;
    if request.priority.is_none() {
        return Err(Problem::invalid("No priority provided"));
    }
    Ok(OnJob {
        key: Key(request.job_key),
        action: Action::Update(Change {
            priority: request.priority,
            ..Change::default()
        }),
        operation_reference: operation_reference(request.operation_reference)?,
    })
}

fn refuse_lease(token: Option<&str>) -> Result<(), Problem> {
    match token {
        None | Some("") => Ok(()),
        Some(_) => Err(Problem::Unimplemented(
            "Job leases are not implemented yet; jobs are handed out without a lease token.".into(),
        )),
    }
}

/// `ActivateJobs`.
pub(super) fn activate(
    front: &Arc<Front>,
    caller: &Caller,
    request: proto::ActivateJobsRequest,
) -> Result<Streamed<proto::ActivateJobsResponse>, Problem> {
    let wanted = Activate {
        job_type: request.r#type,
        worker: request.worker,
        timeout: request.timeout,
        max_jobs: request.max_jobs_to_activate,
        fetch_variables: request.fetch_variable,
        request_timeout: request.request_timeout,
        tenant_filter: tenant_filter(request.tenant_filter)?,
        tenant_ids: request.tenant_ids,
        with_lease: request.with_lease,
    };
    let batches = wanted.start(front, caller)?;
    let front = Arc::clone(front);
    let messages = stream::unfold(batches, |mut batches| async move {
        batches.recv().await.map(|batch| (batch, batches))
    })
    .flat_map(move |batch| {
        let messages = match batch {
            Ok(batch) => messages_of(&front, batch),
            Err(problem) => vec![Err(status::of(&problem))],
        };
        stream::iter(messages)
    });
    Ok(Box::pin(messages))
}

type Messages = Vec<Result<proto::ActivateJobsResponse, tonic::Status>>;

/// The messages that hold the jobs of a batch.
fn messages_of(front: &Arc<Front>, batch: Taken) -> Messages {
    let limit = front.limits.message_bytes;
    let mut messages: Messages = Vec::new();
    let mut open = proto::ActivateJobsResponse::default();
    let mut open_bytes = FRAME_BYTES;
    let mut too_large = Vec::new();
    for (key, record) in batch.deliver() {
        let job = match message_of(key, &record) {
            Ok(job) => job,
            Err(problem) => {
                messages.push(Err(status::of(&problem)));
                continue;
            }
        };
        let bytes = job.encoded_len() + FRAME_BYTES;
        if bytes + FRAME_BYTES > limit {
            too_large.push((key, record));
            continue;
        }
        if open_bytes + bytes > limit {
            messages.push(Ok(std::mem::take(&mut open)));
            open_bytes = FRAME_BYTES;
        }
        open_bytes += bytes;
        open.jobs.push(job);
    }
    if !open.jobs.is_empty() {
        messages.push(Ok(open));
    }
    let reason = format!("the response is bigger than the maximum allowed message size {limit}");
    give_back(front, too_large, &reason);
    messages
}

fn tenant_filter(given: i32) -> Result<TenantFilter, Problem> {
    match proto::TenantFilter::try_from(given) {
        Ok(proto::TenantFilter::Provided) => Ok(TenantFilter::Provided),
        Ok(proto::TenantFilter::Assigned) => Ok(TenantFilter::Assigned),
        Err(_) => Err(Problem::invalid(format!(
            "Unexpected tenant filter '{given}'"
        ))),
    }
}

/// `StreamActivatedJobs`; `assigned` are the tenants of the caller.
pub(super) fn stream(
    front: &Arc<Front>,
    caller: &Caller,
    assigned: Vec<Text>,
    request: proto::StreamActivatedJobsRequest,
) -> Result<Streamed<proto::ActivatedJob>, Problem> {
    let spec = Activate {
        job_type: request.r#type,
        worker: request.worker,
        timeout: request.timeout,
        fetch_variables: request.fetch_variable,
        tenant_filter: tenant_filter(request.tenant_filter)?,
        tenant_ids: request.tenant_ids,
        with_lease: request.with_lease,
        ..Activate::default()
    }
    .stream(front, caller, assigned)?;
    front.metrics.streams.inc();
    let open = Open {
        jobs: front.backend.commands.open_stream(spec),
        front: Arc::clone(front),
        ended: false,
    };
    Ok(Box::pin(stream::unfold(open, |mut open| async move {
        if open.ended {
            return None;
        }
        let item = open.next().await;
        open.ended = item.is_err();
        Some((item, open))
    })))
}

/// A push stream of one client.
struct Open {
    jobs: Box<dyn PushedJobs>,
    front: Arc<Front>,
    ended: bool,
}

impl Open {
    async fn next(&mut self) -> Result<proto::ActivatedJob, tonic::Status> {
        loop {
            let pushed = tokio::select! {
                pushed = self.jobs.next() => pushed,
                () = self.front.stopped() => None,
            };
            let Some((key, record)) = pushed else {
                return Err(status::of(&Problem::ShuttingDown));
            };
            let job = match message_of(key, &record) {
                Ok(job) => job,
                Err(problem) => {
                    self.jobs.give_back(key, record);
                    return Err(status::of(&problem));
                }
            };
            let limit = self.front.limits.message_bytes;
            if job.encoded_len() > limit {
                let reason =
                    format!("the response is bigger than the maximum allowed message size {limit}");
                give_back(&self.front, vec![(key, record)], &reason);
                continue;
            }
            self.front.metrics.pushed.inc();
            return Ok(job);
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.front.metrics.streams.dec();
    }
}

fn message_of(key: Key, job: &JobRecord) -> Result<proto::ActivatedJob, Problem> {
    use proto::activated_job as message;

    let mut custom_headers = String::new();
    document::put_headers(&job.custom_headers, &mut custom_headers);
    Ok(proto::ActivatedJob {
        key: key.0,
        r#type: job.job_type.to_string(),
        process_instance_key: job.process_instance_key.0,
        bpmn_process_id: job.bpmn_process_id.to_string(),
        process_definition_version: job.process_definition_version,
        process_definition_key: job.process_definition_key.0,
        element_id: job.element_id.to_string(),
        element_instance_key: job.element_instance_key.0,
        custom_headers,
        worker: job.worker.to_string(),
        retries: job.retries,
        deadline: job.deadline.0,
        variables: document::to_json(&job.variables)?,
        tenant_id: job.tenant_id.to_string(),
        user_task: UserTask::of(job).map(user_task),
        kind: match job.kind {
            JobKind::BpmnElement => message::JobKind::BpmnElement,
            JobKind::ExecutionListener => message::JobKind::ExecutionListener,
            JobKind::TaskListener => message::JobKind::TaskListener,
            JobKind::AdHocSubProcess => message::JobKind::AdHocSubProcess,
        }
        .into(),
        listener_event_type: match job.listener_event_type {
            ListenerEventType::Unspecified => message::ListenerEventType::Unspecified,
            ListenerEventType::Start => message::ListenerEventType::Start,
            ListenerEventType::End => message::ListenerEventType::End,
            ListenerEventType::Creating => message::ListenerEventType::Creating,
            ListenerEventType::Assigning => message::ListenerEventType::Assigning,
            ListenerEventType::Updating => message::ListenerEventType::Updating,
            ListenerEventType::Completing => message::ListenerEventType::Completing,
            ListenerEventType::Canceling => message::ListenerEventType::Canceling,
        }
        .into(),
        tags: strings(&job.tags),
        job_lease_token: None,
    })
}

fn user_task(task: UserTask) -> proto::UserTaskProperties {
    proto::UserTaskProperties {
        action: Some(task.action),
        assignee: task.assignee,
        candidate_groups: task.candidate_groups,
        candidate_users: task.candidate_users,
        changed_attributes: task.changed_attributes,
        due_date: task.due_date,
        follow_up_date: task.follow_up_date,
        form_key: task.form_key,
        priority: task.priority,
        user_task_key: task.key,
    }
}
