//! The floor: what the same disk and protocol work costs when there is no engine.
//! A minimal gateway on tonic, in this process, answers create, job stream, job poll and job
//! completion with a log write behind each answer, and the ordinary client drives it. What a real
//! server loses against this number is its engine, its state and its queues.
//!
//! It does: HTTP/2, gRPC, protobuf both ways, job push; per create and per completion one record
//! of the stated size into a pre-written O_DIRECT file, grouped, one flush in flight, an answer and
//! a push only after the flush. Two flushes lie between start and completion, as in an engine.
//! It does not: parse BPMN, check anything against state, keep state (a job key is taken at its
//! word), checksum or replicate the log, recover. It serves one model of one task, and says
//! UNIMPLEMENTED to everything else.
//!
//! Threads: `floor-grpc` (one tokio thread) and `floor-log`; the generator keeps its own. Limits:
//! [`WAITING_MAX`] jobs that no worker took, then RESOURCE_EXHAUSTED; full log lane likewise.

mod log;

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::codegen::BoxStream;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

use crate::args::{FloorArgs, Protocol, WorkloadName};
use crate::client::Client;
use crate::drive::{self, Error};
use crate::floor::log::{FloorLog, LogThread};
use crate::report::FloorUse;
use crate::stop::Stop;
use crate::wire::activated_job::ListenerEventType;
use crate::wire::gateway_server::{Gateway, GatewayServer};
use crate::wire::{
    ActivateJobsRequest, ActivateJobsResponse, ActivatedJob, CompleteJobRequest,
    CompleteJobResponse, CreateProcessInstanceRequest, CreateProcessInstanceResponse,
    CreateProcessInstanceWithResultRequest, CreateProcessInstanceWithResultResponse,
    DeployResourceRequest, DeployResourceResponse, StreamActivatedJobsRequest,
};

/// Jobs kept for polls when no stream takes them.
const WAITING_MAX: usize = 1_000_000;
/// Jobs on their way into one stream.
const STREAM_LANE: usize = 65_536;
/// Wait of a poll that names none.
const POLL_WAIT_DEFAULT: Duration = Duration::from_secs(10);
/// Keys of partition 1, as clients expect them.
const FIRST_KEY: i64 = (1 << 51) + 1;
/// No bound by the protocol: the log lane is the bound.
const HTTP2_STREAMS_MAX: u32 = 1 << 20;
const TENANT: &str = "<default>";

/// The subcommand: serve, and unless told otherwise drive and report.
#[expect(
    clippy::print_stdout,
    reason = "the address is what --serve-only prints"
)]
pub(crate) fn main(args: &FloorArgs) -> Result<(), Error> {
    let mut run = args.run.clone();
    let served = [WorkloadName::OneTask, WorkloadName::WithResult].contains(&run.workload);
    if !served || run.protocol != Protocol::Grpc {
        return Err("the floor serves one-task and with-result over gRPC only".into());
    }
    let (log, thread) = log::open(args)?;
    let direct_io = thread.direct_io;
    let stop = Stop::new();
    let address = serve(args, log, stop.clone())?;
    let outcome = drive::runtime(&run)?.block_on(async {
        tokio::spawn(stop.clone().on_interrupt());
        if args.serve_only {
            println!("floor at {address}, log in {}", args.dir.display());
            stop.raised().await;
            return Ok(None);
        }
        run.target = address.to_string();
        run.server_pid = Some(std::process::id());
        let client = Client::connect(&run).await?;
        drive::run(&run, client, &stop).await.map(Some)
    });
    stop.raise();
    let flushes = finish(thread)?;
    let floor = FloorUse {
        flush: crate::report::Latency::of(&flushes.latency),
        records_per_flush: flushes.records as f64 / flushes.latency.len().max(1) as f64,
        direct_io,
        create_bytes: args.create_bytes,
        complete_bytes: args.complete_bytes,
    };
    if let Some(mut report) = outcome? {
        report.floor = Some(floor);
        report.doubts.push(
            "server is this process: the threads perf and pacer are the generator".to_owned(),
        );
        report.publish(&run)?;
    } else {
        println!("{}", serde_json::to_string_pretty(&floor)?);
    }
    Ok(())
}

/// Waits for the log thread, which ends when the server has dropped the last sender.
fn finish(thread: LogThread) -> Result<log::Flushes, Error> {
    match thread.handle.join() {
        Ok(flushes) => Ok(flushes?),
        Err(_) => Err("the log thread panicked".into()),
    }
}

/// Starts the server thread; the address it listens on.
fn serve(args: &FloorArgs, log: FloorLog, stop: Stop) -> Result<SocketAddr, Error> {
    let listener = std::net::TcpListener::bind(args.listen)?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let floor = Floor {
        jobs: log.jobs(),
        log,
        next_key: AtomicI64::new(FIRST_KEY),
        results: Mutex::default(),
        create_bytes: usize::try_from(args.create_bytes)?,
        complete_bytes: usize::try_from(args.complete_bytes)?,
    };
    std::thread::Builder::new()
        .name("floor-grpc".to_owned())
        .spawn(move || {
            runtime.block_on(async move {
                let incoming = match tokio::net::TcpListener::from_std(listener) {
                    Ok(listener) => TcpIncoming::from(listener).with_nodelay(Some(true)),
                    Err(error) => {
                        eprintln!("ringflow-perf: floor server: {error}");
                        return;
                    }
                };
                let server = Server::builder()
                    .max_concurrent_streams(Some(HTTP2_STREAMS_MAX))
                    .add_service(GatewayServer::new(floor))
                    .serve_with_incoming(incoming);
                tokio::select! {
                    served = server => if let Err(error) = served {
                        eprintln!("ringflow-perf: floor server: {error}");
                    },
                    () = stop.raised() => {}
                }
            });
        })?;
    Ok(address)
}

/// Jobs on their way to workers.
#[derive(Debug, Default)]
pub(crate) struct Jobs {
    state: Mutex<JobsState>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct JobsState {
    streams: Vec<mpsc::Sender<Result<ActivatedJob, Status>>>,
    next_stream: usize,
    waiting: VecDeque<ActivatedJob>,
}

impl Jobs {
    fn state(&self) -> MutexGuard<'_, JobsState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Pushes to the next stream that has room, or keeps the job for polls.
    fn offer(&self, mut job: ActivatedJob) {
        let mut state = self.state();
        state.streams.retain(|stream| !stream.is_closed());
        for _ in 0..state.streams.len() {
            state.next_stream = (state.next_stream + 1) % state.streams.len();
            match state.streams[state.next_stream].try_send(Ok(job)) {
                Ok(()) => return,
                Err(refused) => match refused.into_inner() {
                    Ok(back) => job = back,
                    Err(_) => return,
                },
            }
        }
        state.waiting.push_back(job);
        drop(state);
        self.arrived.notify_one();
    }

    fn take(&self, jobs_max: usize) -> Vec<ActivatedJob> {
        let mut state = self.state();
        let count = jobs_max.min(state.waiting.len());
        state.waiting.drain(..count).collect()
    }
}

/// The gateway without an engine.
#[derive(Debug)]
struct Floor {
    log: FloorLog,
    jobs: Arc<Jobs>,
    next_key: AtomicI64,
    /// By job key: callers that wait for the completion of their instance.
    results: Mutex<HashMap<i64, oneshot::Sender<()>>>,
    create_bytes: usize,
    complete_bytes: usize,
}

impl Floor {
    fn results(&self) -> MutexGuard<'_, HashMap<i64, oneshot::Sender<()>>> {
        self.results.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers when the creation is on disk; the key of the instance.
    async fn create(
        &self,
        request: CreateProcessInstanceRequest,
        result: Option<oneshot::Sender<()>>,
    ) -> Result<CreateProcessInstanceResponse, Status> {
        let process_id = WorkloadName::OneTask.workload().process_id;
        if request.bpmn_process_id != process_id {
            return Err(Status::unimplemented(format!(
                "the floor serves {process_id} only"
            )));
        }
        if self.jobs.state().waiting.len() >= WAITING_MAX {
            return Err(Status::resource_exhausted("no worker takes the jobs"));
        }
        let instance_key = self.next_key.fetch_add(2, Ordering::Relaxed);
        let job = ActivatedJob {
            key: instance_key + 1,
            r#type: process_id.to_owned(),
            process_instance_key: instance_key,
            bpmn_process_id: process_id.to_owned(),
            process_definition_version: 1,
            process_definition_key: FIRST_KEY - 1,
            element_id: "task".to_owned(),
            element_instance_key: instance_key + 1,
            custom_headers: "{}".to_owned(),
            worker: "floor".to_owned(),
            retries: 3,
            variables: request.variables,
            tenant_id: TENANT.to_owned(),
            listener_event_type: ListenerEventType::Unspecified.into(),
            ..ActivatedJob::default()
        };
        if let Some(result) = result {
            self.results().insert(job.key, result);
        }
        self.log.append(self.create_bytes, Some(job)).await?;
        Ok(CreateProcessInstanceResponse {
            process_definition_key: FIRST_KEY - 1,
            bpmn_process_id: process_id.to_owned(),
            version: 1,
            process_instance_key: instance_key,
            tenant_id: TENANT.to_owned(),
            ..CreateProcessInstanceResponse::default()
        })
    }
}

#[tonic::async_trait]
impl Gateway for Floor {
    async fn deploy_resource(
        &self,
        request: Request<DeployResourceRequest>,
    ) -> Result<Response<DeployResourceResponse>, Status> {
        let model = WorkloadName::OneTask.workload().bpmn;
        if request
            .into_inner()
            .resources
            .iter()
            .any(|resource| resource.content != model)
        {
            return Err(Status::unimplemented("the floor serves its own model only"));
        }
        let key = self.next_key.fetch_add(2, Ordering::Relaxed);
        Ok(Response::new(DeployResourceResponse {
            key,
            ..DeployResourceResponse::default()
        }))
    }

    async fn create_process_instance(
        &self,
        request: Request<CreateProcessInstanceRequest>,
    ) -> Result<Response<CreateProcessInstanceResponse>, Status> {
        self.create(request.into_inner(), None)
            .await
            .map(Response::new)
    }

    async fn create_process_instance_with_result(
        &self,
        request: Request<CreateProcessInstanceWithResultRequest>,
    ) -> Result<Response<CreateProcessInstanceWithResultResponse>, Status> {
        let request = request.into_inner().request.unwrap_or_default();
        let variables = request.variables.clone();
        let (result, completed) = oneshot::channel();
        let created = self.create(request, Some(result)).await?;
        completed
            .await
            .map_err(|_| Status::internal("the floor ended"))?;
        Ok(Response::new(CreateProcessInstanceWithResultResponse {
            process_definition_key: created.process_definition_key,
            bpmn_process_id: created.bpmn_process_id,
            version: created.version,
            process_instance_key: created.process_instance_key,
            variables,
            tenant_id: created.tenant_id,
            ..CreateProcessInstanceWithResultResponse::default()
        }))
    }

    async fn stream_activated_jobs(
        &self,
        _: Request<StreamActivatedJobsRequest>,
    ) -> Result<Response<BoxStream<ActivatedJob>>, Status> {
        let (lane, jobs) = mpsc::channel(STREAM_LANE);
        self.jobs.state().streams.push(lane);
        Ok(Response::new(Box::pin(ReceiverStream::new(jobs))))
    }

    async fn activate_jobs(
        &self,
        request: Request<ActivateJobsRequest>,
    ) -> Result<Response<BoxStream<ActivateJobsResponse>>, Status> {
        let request = request.into_inner();
        let jobs_max = usize::try_from(request.max_jobs_to_activate).unwrap_or(0);
        let wait = match u64::try_from(request.request_timeout) {
            Ok(0) => POLL_WAIT_DEFAULT,
            Ok(millis) => Duration::from_millis(millis),
            Err(_) => Duration::ZERO,
        };
        let found = tokio::time::timeout(wait, async {
            loop {
                let arrived = self.jobs.arrived.notified();
                let jobs = self.jobs.take(jobs_max);
                if !jobs.is_empty() {
                    return jobs;
                }
                arrived.await;
            }
        })
        .await
        .unwrap_or_else(|_| self.jobs.take(jobs_max));
        let batches = (!found.is_empty()).then_some(Ok(ActivateJobsResponse { jobs: found }));
        Ok(Response::new(Box::pin(tokio_stream::iter(batches))))
    }

    async fn complete_job(
        &self,
        request: Request<CompleteJobRequest>,
    ) -> Result<Response<CompleteJobResponse>, Status> {
        self.log.append(self.complete_bytes, None).await?;
        let result = self.results().remove(&request.into_inner().job_key);
        if let Some(result) = result {
            // The caller may have given up; its instance is complete all the same.
            let _ = result.send(());
        }
        Ok(Response::new(CompleteJobResponse {}))
    }
}
