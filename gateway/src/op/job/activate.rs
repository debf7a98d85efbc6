//! Taking jobs: rounds over the partitions, waiting for jobs, streams.
//!
//! A request visits the partitions in turn until it has what it wants, and ends at the end of a
//! round in which it found something. Else it is parked (see [`crate::park`]) until there may be
//! jobs or its time is over, which is no error.
//!
//! Jobs that were taken belong to a client from then on. [`Taken`] therefore gives back what could
//! not be delivered: dropped with jobs in it, it fails them with unchanged retries, so that they
//! are available at once and not after their time-out.

use std::sync::Arc;
use std::time::Duration;

use ringflow_core::ids::{Key, PartitionId};
use ringflow_core::json;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::{JobBatchRecord, JobKind, JobRecord, TenantFilter};
use ringflow_core::record::{Rejection, RejectionType, Text};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::backend::StreamSpec;
use crate::document;
use crate::op::shape::{Members, ObjectWriter};
use crate::op::{Caller, answered, tenants, wanted_timeout};
use crate::park::Woken;
use crate::problem::{OperationName, Problem, Violations};
use crate::rest::{Answer, Call, Given};
use crate::submit::Front;

const ACTIVATE: OperationName = OperationName {
    rpc: "ActivateJobs",
    human: "Activate Jobs",
};
const STREAM: OperationName = OperationName {
    rpc: "StreamActivatedJobs",
    human: "Stream Activated Jobs",
};
/// Batches that wait for a slow client before the next partition is asked.
const BATCHES_AHEAD: usize = 1;

/// Take jobs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Activate {
    pub(crate) job_type: String,
    pub(crate) worker: String,
    /// Milliseconds for which a job is held.
    pub(crate) timeout: i64,
    pub(crate) max_jobs: i32,
    pub(crate) fetch_variables: Vec<String>,
    /// Milliseconds; 0 = the default, negative = do not wait.
    pub(crate) request_timeout: i64,
    pub(crate) tenant_ids: Vec<String>,
    /// Whether those are meant, or all of the caller.
    pub(crate) tenant_filter: TenantFilter,
    /// Hand out lease tokens; not served.
    pub(crate) with_lease: bool,
}

/// Jobs that were taken for a client and not delivered yet.
pub(crate) struct Taken {
    jobs: Vec<(Key, Arc<JobRecord>)>,
    front: Arc<Front>,
}

impl Taken {
    /// The jobs; whoever calls this delivers them.
    pub(crate) fn deliver(mut self) -> Vec<(Key, Arc<JobRecord>)> {
        std::mem::take(&mut self.jobs)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let jobs = std::mem::take(&mut self.jobs);
        give_back(&self.front, jobs, "Failed to send activated jobs to client");
    }
}

/// Fails `jobs` with unchanged retries, in the background.
pub(crate) fn give_back(front: &Arc<Front>, jobs: Vec<(Key, Arc<JobRecord>)>, reason: &str) {
    if jobs.is_empty() {
        return;
    }
    let Ok(runtime) = tokio::runtime::Handle::try_current() else {
        // The process ends; the jobs time out.
        return;
    };
    let front = Arc::clone(front);
    let reason = Text::from(reason);
    runtime.spawn(async move {
        for (key, job) in jobs {
            let command = ringflow_core::engine::input::Command::internal(
                key,
                of::Job::Fail,
                JobRecord {
                    retries: job.retries,
                    error_message: reason.clone(),
                    ..JobRecord::default()
                },
            );
            let timeout = front.limits.request_timeout;
            if let Err(problem) = front.submit(key.partition(), command, timeout).await {
                tracing::debug!(key = key.0, %reason, problem = problem.detail(),
                    "a job could not be given back and will time out");
            }
        }
    });
}

impl Activate {
    /// Starts taking jobs. Batches come through the channel as they are taken; it ends when the
    /// request is done. Dropping the receiver cancels the request.
    ///
    /// # Errors
    /// A tenant cannot be named, or leases are asked for.
    pub(crate) fn start(
        self,
        front: &Arc<Front>,
        caller: &Caller,
    ) -> Result<mpsc::Receiver<Result<Taken, Problem>>, Problem> {
        let tenants = self.check(front, ACTIVATE)?;
        self.check_numbers()?;
        let (sender, receiver) = mpsc::channel(BATCHES_AHEAD);
        let front = Arc::clone(front);
        let caller = caller.clone();
        tokio::spawn(async move {
            if let Err(problem) = self.run(&front, &caller, &tenants, &sender).await {
                // The client is gone if this fails, and then nobody wants to know.
                let _ = sender.send(Err(problem)).await;
            }
        });
        Ok(receiver)
    }

    /// The tenants whose jobs are wanted; those of the caller go without saying.
    fn check(&self, front: &Front, operation: OperationName) -> Result<Vec<Text>, Problem> {
        if self.with_lease {
            return Err(Problem::Unimplemented(
                "Job leases are not implemented yet; take jobs without withLease.".into(),
            ));
        }
        match self.tenant_filter {
            TenantFilter::Assigned if front.tenancy => Ok(Vec::new()),
            TenantFilter::Assigned | TenantFilter::Provided => {
                tenants(front, operation, &self.tenant_ids)
            }
        }
    }

    /// The engine's rules, answered here with its words: what can never be taken is not sent round.
    fn check_numbers(&self) -> Result<(), Problem> {
        let zero = |name: &str, value: i64| {
            format!(
                "Expected to activate job batch with {name} to be greater than zero, but it was \
                 '{value}'"
            )
        };
        let reason = if self.max_jobs < 1 {
            zero("max jobs to activate", i64::from(self.max_jobs))
        } else if self.timeout < 1 {
            zero("timeout", self.timeout)
        } else if self.job_type.trim().is_empty() {
            "Expected to activate job batch with type to be present, but it was blank".to_owned()
        } else {
            return Ok(());
        };
        Err(Problem::Rejected {
            intent: of::JobBatch::Activate.into(),
            rejection: Rejection::new(RejectionType::InvalidArgument, reason),
        })
    }

    async fn run(
        self,
        front: &Arc<Front>,
        caller: &Caller,
        tenants: &[Text],
        out: &mpsc::Sender<Result<Taken, Problem>>,
    ) -> Result<(), Problem> {
        let job_type = Text::from(self.job_type.as_str());
        let wait = match self.request_timeout {
            ..0 => Duration::ZERO,
            millis => wanted_timeout(&front.limits, millis).unwrap_or(front.limits.long_poll),
        };
        let deadline = Instant::now() + wait;
        let mut woken = false;
        loop {
            let seen = front.parking.look(&job_type);
            if wait.is_zero() || woken || !seen.hopeless {
                let found = self.round(front, caller, tenants, seen.turn, out).await?;
                if found || out.is_closed() {
                    front.parking.found(&job_type);
                    return Ok(());
                }
                front.parking.found_nothing(&job_type);
            }
            if wait.is_zero() || Instant::now() >= deadline || !front.parking.has_room() {
                return Ok(());
            }
            tokio::select! {
                () = out.closed() => return Ok(()),
                () = front.stopped() => return Err(Problem::ShuttingDown),
                ended = front.parking.wait(&job_type, seen, deadline) => match ended {
                    Woken::AskAgain => woken = true,
                    Woken::TimeOut => return Ok(()),
                },
            }
        }
    }

    /// Asks each partition once, beginning at `turn`; true if at least one job was found.
    async fn round(
        &self,
        front: &Arc<Front>,
        caller: &Caller,
        tenants: &[Text],
        turn: usize,
        out: &mpsc::Sender<Result<Taken, Problem>>,
    ) -> Result<bool, Problem> {
        let count = front.partition_count()?;
        let mut wanted = self.max_jobs;
        let mut pressed = false;
        for step in 0..count {
            let at = (turn % usize::from(count) + usize::from(step)) % usize::from(count);
            let partition = PartitionId(at as u16 + 1);
            loop {
                let batch = match self.ask(front, caller, tenants, partition, wanted).await {
                    Ok(batch) => batch,
                    Err(refused @ Problem::Rejected { .. }) => return Err(refused),
                    Err(Problem::Overloaded) => {
                        pressed = true;
                        break;
                    }
                    Err(other) => {
                        tracing::debug!(
                            partition = partition.0,
                            problem = other.detail(),
                            "a partition gave no answer to a job activation"
                        );
                        break;
                    }
                };
                let truncated = batch.truncated;
                let jobs: Vec<(Key, Arc<JobRecord>)> = batch
                    .job_keys
                    .iter()
                    .copied()
                    .zip(batch.jobs.iter().cloned())
                    .collect();
                let taken = i32::try_from(jobs.len()).unwrap_or(i32::MAX);
                if taken == 0 {
                    break;
                }
                wanted = wanted.saturating_sub(taken);
                let batch = Taken {
                    jobs,
                    front: Arc::clone(front),
                };
                if out.send(Ok(batch)).await.is_err() || wanted <= 0 {
                    return Ok(true);
                }
                if !truncated {
                    break;
                }
            }
        }
        let found = wanted < self.max_jobs;
        if pressed && !found {
            return Err(Problem::NoJobsUnderPressure {
                job_type: self.job_type.clone(),
            });
        }
        Ok(found)
    }

    async fn ask(
        &self,
        front: &Front,
        caller: &Caller,
        tenants: &[Text],
        partition: PartitionId,
        wanted: i32,
    ) -> Result<Arc<JobBatchRecord>, Problem> {
        let command = caller.command(
            Key::NONE,
            of::JobBatch::Activate,
            JobBatchRecord {
                job_type: Text::from(self.job_type.as_str()),
                worker: Text::from(self.worker.as_str()),
                timeout: self.timeout,
                max_jobs: wanted,
                variables: super::super::texts(self.fetch_variables.clone()),
                tenant_ids: tenants.to_vec(),
                tenant_filter: self.tenant_filter(front),
                ..JobBatchRecord::default()
            },
            None,
        );
        let response = front
            .submit(partition, command, front.limits.request_timeout)
            .await?;
        answered!(response, JobBatch)
    }

    /// Without several tenants there is nothing to choose.
    fn tenant_filter(&self, front: &Front) -> TenantFilter {
        if front.tenancy {
            self.tenant_filter
        } else {
            TenantFilter::Provided
        }
    }

    /// What a push stream of these properties asks for; `assigned` are the tenants of the caller.
    ///
    /// # Errors
    /// A property is unusable.
    pub(crate) fn stream(
        self,
        front: &Front,
        caller: &Caller,
        assigned: Vec<Text>,
    ) -> Result<StreamSpec, Problem> {
        let mut tenant_ids = self.check(front, STREAM)?;
        if self.tenant_filter(front) == TenantFilter::Assigned {
            tenant_ids = assigned;
        }
        if self.job_type.trim().is_empty() {
            return Err(Problem::invalid(
                "Expected to stream activated jobs with type to be present, but it was blank",
            ));
        }
        if self.timeout < 1 {
            return Err(Problem::invalid(format!(
                "Expected to stream activated jobs with timeout to be greater than zero, but it \
                 was '{}'",
                self.timeout
            )));
        }
        Ok(StreamSpec {
            job_type: Text::from(self.job_type),
            worker: Text::from(self.worker),
            timeout: self.timeout,
            fetch_variables: super::super::texts(self.fetch_variables),
            tenant_ids,
            authorization: caller.0.claims.clone(),
        })
    }
}

/// What else is wrong with the body of `activateJobs`.
pub(crate) fn rules(given: &Given<'_>, found: &mut Violations) -> Result<(), Problem> {
    let body = given.body;
    let timeout = body.int("timeout").unwrap_or(1);
    for (field, value) in [
        ("timeout", timeout),
        (
            "maxJobsToActivate",
            body.int("maxJobsToActivate").unwrap_or(1),
        ),
    ] {
        if value < 1 {
            // The reference prints the time-out for either of them, and clients compare texts.
            found.add(format!(
                "The value for {field} is '{timeout}' but must be greater than 0"
            ));
        }
    }
    Ok(())
}

/// `activateJobs`.
pub(crate) async fn activate(call: Call) -> Result<Answer, Problem> {
    let body = Members(&call.body);
    let request = Activate {
        job_type: body.str("type").unwrap_or_default().to_owned(),
        worker: body.str("worker").unwrap_or_default().to_owned(),
        timeout: body.int("timeout").unwrap_or(0),
        max_jobs: body.int32("maxJobsToActivate").unwrap_or(0),
        fetch_variables: body.strings("fetchVariable"),
        request_timeout: body.int("requestTimeout").unwrap_or(0),
        tenant_ids: body.strings("tenantIds"),
        tenant_filter: match body.str("tenantFilter") {
            Some("ASSIGNED") => TenantFilter::Assigned,
            Some(_) | None => TenantFilter::Provided,
        },
        with_lease: body.flag("withLease").unwrap_or(false),
    };
    let mut batches = request.start(&call.front, &call.caller)?;
    let mut all = Vec::new();
    while let Some(batch) = batches.recv().await {
        match batch {
            Ok(batch) => all.push(batch),
            // What was found before the problem is worth more than the problem.
            Err(_) if !all.is_empty() => break,
            Err(problem) => return Err(problem),
        }
    }
    let mut text = String::from("{\"jobs\":[");
    for batch in all {
        for (key, job) in batch.deliver() {
            if !text.ends_with('[') {
                text.push(',');
            }
            text = put_job(text, key, &job)?;
        }
    }
    text.push_str("]}");
    Ok(Answer::Json(text))
}

/// Appends one activated job.
fn put_job(text: String, key: Key, job: &JobRecord) -> Result<String, Problem> {
    let mut out = ObjectWriter::in_text(text);
    out.str("type", &job.job_type)
        .str("processDefinitionId", &job.bpmn_process_id)
        .int(
            "processDefinitionVersion",
            i64::from(job.process_definition_version),
        )
        .str("elementId", &job.element_id)
        .with("customHeaders", |out| {
            document::put_headers(&job.custom_headers, out);
        })
        .str("worker", &job.worker)
        .int("retries", i64::from(job.retries))
        .int("deadline", job.deadline.0)
        .document("variables", &job.variables)?
        .str("tenantId", &job.tenant_id)
        .str("physicalTenantId", "default")
        .key("jobKey", key)
        .key("processInstanceKey", job.process_instance_key)
        .key("processDefinitionKey", job.process_definition_key)
        .key("elementInstanceKey", job.element_instance_key)
        .str("kind", job.kind.name())
        .str("listenerEventType", job.listener_event_type.name());
    match UserTask::of(job) {
        Some(task) => out.with("userTask", |out| task.put_json(out)),
        None => out.null("userTask"),
    };
    out.strs("tags", job.tags.iter().map(Text::as_str))
        .key_or_null("rootProcessInstanceKey", job.root_process_instance_key)
        .null("businessId")
        .int("priority", i64::from(job.priority))
        .null("leaseToken");
    Ok(out.finish())
}

/// Headers under which a listener job carries its user task; clients never see them as headers.
const USER_TASK_HEADER: &str = "io.camunda.zeebe:";

/// The user task a listener job is about.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct UserTask {
    pub(crate) action: String,
    pub(crate) assignee: Option<String>,
    pub(crate) candidate_groups: Vec<String>,
    pub(crate) candidate_users: Vec<String>,
    pub(crate) changed_attributes: Vec<String>,
    pub(crate) due_date: Option<String>,
    pub(crate) follow_up_date: Option<String>,
    pub(crate) form_key: Option<i64>,
    pub(crate) priority: Option<i32>,
    pub(crate) key: Option<i64>,
}

impl UserTask {
    /// `None` for jobs that are no task listener's.
    pub(crate) fn of(job: &JobRecord) -> Option<Self> {
        if job.kind != JobKind::TaskListener {
            return None;
        }
        let header = |name: &str| {
            let full = format!("{USER_TASK_HEADER}{name}");
            job.custom_headers
                .0
                .iter()
                .find(|(known, _)| known == full.as_str())
                .map(|(_, value)| value.as_str().to_owned())
        };
        let list = |name: &str| -> Vec<String> {
            header(name)
                .and_then(|text| serde_json::from_str(&text).ok())
                .unwrap_or_default()
        };
        Some(Self {
            action: header("action").unwrap_or_default(),
            assignee: header("assignee"),
            candidate_groups: list("candidateGroups"),
            candidate_users: list("candidateUsers"),
            changed_attributes: list("changedAttributes"),
            due_date: header("dueDate"),
            follow_up_date: header("followUpDate"),
            form_key: header("formKey").and_then(|text| text.parse().ok()),
            priority: header("priority").and_then(|text| text.parse().ok()),
            key: header("userTaskKey").and_then(|text| text.parse().ok()),
        })
    }

    fn put_json(&self, out: &mut String) {
        let mut object = ObjectWriter::in_text(std::mem::take(out));
        object.str("action", &self.action);
        let texts = [
            ("assignee", &self.assignee),
            ("dueDate", &self.due_date),
            ("followUpDate", &self.follow_up_date),
        ];
        for (name, value) in texts {
            match value {
                Some(value) => object.str(name, value),
                None => object.null(name),
            };
        }
        let lists = [
            ("candidateGroups", &self.candidate_groups),
            ("candidateUsers", &self.candidate_users),
            ("changedAttributes", &self.changed_attributes),
        ];
        for (name, values) in lists {
            object.strs(name, values.iter().map(String::as_str));
        }
        match self.priority {
            Some(priority) => object.int("priority", i64::from(priority)),
            None => object.null("priority"),
        };
        for (name, key) in [("formKey", self.form_key), ("userTaskKey", self.key)] {
            object.with(name, |out| match key {
                Some(key) => json::write_string(&key.to_string(), out),
                None => out.push_str("null"),
            });
        }
        *out = object.finish();
    }
}
