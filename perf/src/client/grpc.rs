//! The calls over gRPC: a fixed set of HTTP/2 connections, slots spread over them round robin.
//! Every unary call has a deadline, sent to the server and kept here as well: a server that never
//! answers must not stop the run. Owned by the runtime of the generator.
//!
//! Limits: answers up to 64 MiB (a poll may be large); flow-control windows of 4 MiB a connection
//! and 1 MiB a stream, so that the generator is not what slows a job stream.

use std::time::Duration;

use tonic::metadata::{Ascii, MetadataKey, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Response, Status, Streaming};

use crate::client::{Code, Creation, Failure, Job, JobQuery};
use crate::wire::gateway_client::GatewayClient;
use crate::wire::{
    ActivateJobsRequest, ActivatedJob, CompleteJobRequest, CreateProcessInstanceRequest,
    CreateProcessInstanceWithResultRequest, DeployResourceRequest, PublishMessageRequest, Resource,
    StreamActivatedJobsRequest,
};

const ANSWER_BYTES_MAX: usize = 64 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;
const STREAM_WINDOW: u32 = 1 << 20;
/// Added to the wait of a poll before this side gives up, as the official clients do.
const POLL_GRACE: Duration = Duration::from_secs(10);
const WORKER_NAME: &str = "ringflow-perf";

type Stub = GatewayClient<InterceptedService<Channel, Headers>>;

/// The extra headers of the command line, on every call.
#[derive(Clone, Debug)]
pub(crate) struct Headers(Vec<(MetadataKey<Ascii>, MetadataValue<Ascii>)>);

impl Interceptor for Headers {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        for (name, value) in &self.0 {
            request.metadata_mut().insert(name.clone(), value.clone());
        }
        Ok(request)
    }
}

#[derive(Clone, Debug)]
pub(crate) struct GrpcClient {
    /// Not empty.
    stubs: Vec<Stub>,
    timeout: Duration,
}

/// Jobs pushed by the server, until it or this side ends the call.
#[derive(Debug)]
pub(crate) struct JobStream(Streaming<ActivatedJob>);

impl JobStream {
    /// The next pushed job; `Ok(None)` when the server ended the call.
    pub(crate) async fn next(&mut self) -> Result<Option<Job>, Failure> {
        Ok(self
            .0
            .message()
            .await
            .map_err(failure)?
            .map(|job| job_of(&job)))
    }
}

impl GrpcClient {
    pub(crate) async fn connect(
        target: &str,
        connections: u64,
        headers: &[(String, String)],
        timeout: Duration,
    ) -> Result<Self, Failure> {
        let transport = |what: &str, error: &dyn std::error::Error| {
            let mut text = format!("{what} {target}: {error}");
            let mut source = error.source();
            while let Some(inner) = source {
                text.push_str(&format!(": {inner}"));
                source = inner.source();
            }
            Failure::new(Code::Transport, text)
        };
        let uri = match target.split_once("://") {
            Some(_) => target.to_owned(),
            None => format!("http://{target}"),
        };
        let endpoint = Endpoint::from_shared(uri)
            .map_err(|error| transport("cannot read the address", &error))?
            .tcp_nodelay(true)
            .connect_timeout(timeout)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .initial_stream_window_size(STREAM_WINDOW)
            .user_agent(concat!("ringflow-perf/", env!("CARGO_PKG_VERSION")))
            .map_err(|error| transport("cannot name the client to", &error))?;
        let headers = parse_headers(headers)?;
        let mut stubs = Vec::new();
        for _ in 0..connections {
            let channel = endpoint
                .connect()
                .await
                .map_err(|error| transport("cannot connect to", &error))?;
            let stub = GatewayClient::with_interceptor(channel, headers.clone());
            stubs.push(stub.max_decoding_message_size(ANSWER_BYTES_MAX));
        }
        Ok(Self { stubs, timeout })
    }

    fn stub(&self, slot: usize) -> Stub {
        self.stubs[slot % self.stubs.len()].clone()
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.set_timeout(self.timeout);
        request
    }

    pub(crate) async fn deploy(&self, name: &str, bpmn: &[u8]) -> Result<(), Failure> {
        let resource = Resource {
            name: name.to_owned(),
            content: bpmn.to_vec(),
        };
        let message = DeployResourceRequest {
            resources: vec![resource],
            tenant_id: String::new(),
        };
        let mut stub = self.stub(0);
        within(self.timeout, stub.deploy_resource(self.request(message)))
            .await
            .map(drop)
    }

    pub(crate) async fn create(&self, slot: usize, creation: Creation<'_>) -> Result<i64, Failure> {
        let mut stub = self.stub(slot);
        let call = stub.create_process_instance(self.request(create_message(creation)));
        Ok(within(self.timeout, call).await?.process_instance_key)
    }

    pub(crate) async fn create_with_result(
        &self,
        slot: usize,
        creation: Creation<'_>,
    ) -> Result<i64, Failure> {
        let message = CreateProcessInstanceWithResultRequest {
            request: Some(create_message(creation)),
            request_timeout: millis(self.timeout),
            fetch_variables: Vec::new(),
        };
        let mut stub = self.stub(slot);
        let call = stub.create_process_instance_with_result(self.request(message));
        Ok(within(self.timeout, call).await?.process_instance_key)
    }

    pub(crate) async fn publish(
        &self,
        slot: usize,
        name: &str,
        correlation_key: &str,
        ttl: Duration,
    ) -> Result<(), Failure> {
        let message = PublishMessageRequest {
            name: name.to_owned(),
            correlation_key: correlation_key.to_owned(),
            time_to_live: millis(ttl),
            ..PublishMessageRequest::default()
        };
        let mut stub = self.stub(slot);
        within(self.timeout, stub.publish_message(self.request(message)))
            .await
            .map(drop)
    }

    pub(crate) async fn complete(&self, slot: usize, job_key: i64) -> Result<(), Failure> {
        let message = CompleteJobRequest {
            job_key,
            variables: "{}".to_owned(),
            ..CompleteJobRequest::default()
        };
        let mut stub = self.stub(slot);
        within(self.timeout, stub.complete_job(self.request(message)))
            .await
            .map(drop)
    }

    pub(crate) async fn poll(&self, slot: usize, query: &JobQuery) -> Result<Vec<Job>, Failure> {
        let message = ActivateJobsRequest {
            r#type: query.job_type.clone(),
            worker: WORKER_NAME.to_owned(),
            timeout: millis(query.lock),
            max_jobs_to_activate: query.jobs_max,
            request_timeout: millis(query.wait),
            ..ActivateJobsRequest::default()
        };
        let mut stub = self.stub(slot);
        let mut request = Request::new(message);
        request.set_timeout(query.wait + POLL_GRACE);
        let call = async {
            let mut batches = stub.activate_jobs(request).await?.into_inner();
            let mut jobs = Vec::new();
            while let Some(batch) = batches.message().await? {
                jobs.extend(batch.jobs.iter().map(job_of));
            }
            Ok(Response::new(jobs))
        };
        within(query.wait + POLL_GRACE, call).await
    }

    /// Servers may send their headers with the first job only, so this waits without a deadline.
    pub(crate) async fn stream(&self, slot: usize, query: &JobQuery) -> Result<JobStream, Failure> {
        let message = StreamActivatedJobsRequest {
            r#type: query.job_type.clone(),
            worker: WORKER_NAME.to_owned(),
            timeout: millis(query.lock),
            ..StreamActivatedJobsRequest::default()
        };
        let answer = self.stub(slot).stream_activated_jobs(message).await;
        Ok(JobStream(answer.map_err(failure)?.into_inner()))
    }
}

fn parse_headers(headers: &[(String, String)]) -> Result<Headers, Failure> {
    let bad = |name: &str| Failure::new(Code::Malformed, format!("{name:?} is no gRPC header"));
    let mut parsed = Vec::new();
    for (name, value) in headers {
        let key = MetadataKey::from_bytes(name.as_bytes()).map_err(|_| bad(name))?;
        let value = MetadataValue::try_from(value.as_str()).map_err(|_| bad(name))?;
        parsed.push((key, value));
    }
    Ok(Headers(parsed))
}

fn create_message(creation: Creation<'_>) -> CreateProcessInstanceRequest {
    CreateProcessInstanceRequest {
        bpmn_process_id: creation.process_id.to_owned(),
        // Absent would be 0, which is looked up literally.
        version: -1,
        variables: creation.variables.to_owned(),
        ..CreateProcessInstanceRequest::default()
    }
}

fn job_of(job: &ActivatedJob) -> Job {
    Job {
        key: job.key,
        instance_key: job.process_instance_key,
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

async fn within<T>(
    limit: Duration,
    call: impl Future<Output = Result<Response<T>, Status>>,
) -> Result<T, Failure> {
    match tokio::time::timeout(limit, call).await {
        Ok(Ok(answer)) => Ok(answer.into_inner()),
        Ok(Err(status)) => Err(failure(status)),
        Err(_) => Err(Failure::new(
            Code::ClientTimeout,
            format!("no answer in {limit:?}"),
        )),
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the shape that map_err wants"
)]
fn failure(status: Status) -> Failure {
    Failure::new(Code::Grpc(status.code()), status.message())
}

/// The names of the gRPC specification.
pub(crate) fn code_name(code: tonic::Code) -> &'static str {
    use tonic::Code as C;
    match code {
        C::Ok => "OK",
        C::Cancelled => "CANCELLED",
        C::Unknown => "UNKNOWN",
        C::InvalidArgument => "INVALID_ARGUMENT",
        C::DeadlineExceeded => "DEADLINE_EXCEEDED",
        C::NotFound => "NOT_FOUND",
        C::AlreadyExists => "ALREADY_EXISTS",
        C::PermissionDenied => "PERMISSION_DENIED",
        C::ResourceExhausted => "RESOURCE_EXHAUSTED",
        C::FailedPrecondition => "FAILED_PRECONDITION",
        C::Aborted => "ABORTED",
        C::OutOfRange => "OUT_OF_RANGE",
        C::Unimplemented => "UNIMPLEMENTED",
        C::Internal => "INTERNAL",
        C::Unavailable => "UNAVAILABLE",
        C::DataLoss => "DATA_LOSS",
        C::Unauthenticated => "UNAUTHENTICATED",
    }
}
