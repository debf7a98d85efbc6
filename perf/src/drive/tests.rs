//! Runs against a gateway that misbehaves on purpose, in this process.
//! They hold what a load generator is easily wrong about: a stall must show in the latencies of
//! all starts that fell due during it, and a refused start must not be repeated or lost.
//! The gateway pushes one job per instance and can refuse, stall or push before it answers.

mod rest;

use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicU64};

use clap::Parser;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::codegen::BoxStream;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

use super::*;
use crate::args::Args;
use crate::report::Report;
use crate::wire::gateway_server::{Gateway, GatewayServer};
use crate::wire::{
    ActivatedJob, CompleteJobRequest, CompleteJobResponse, CreateProcessInstanceRequest,
    CreateProcessInstanceResponse, DeployResourceRequest, DeployResourceResponse,
    PublishMessageRequest, PublishMessageResponse, StreamActivatedJobsRequest,
};

type Lane = mpsc::UnboundedSender<Result<ActivatedJob, Status>>;

#[derive(Debug, Default)]
struct Misbehaving {
    /// Every n-th create is refused for overload.
    refuse_every: Option<u64>,
    /// From this create on, no create is answered before the stall is over.
    stall: Option<(u64, Duration)>,
    stalled_since: Mutex<Option<Instant>>,
    /// How many completions of each job are lost before one is answered.
    lose_completions: u64,
    /// Job-less creates at the beginning.
    quiet: u64,
    creates: AtomicU64,
    completes: AtomicU64,
    published: Arc<Mutex<Vec<String>>>,
    streams: Mutex<Vec<Lane>>,
    next_key: AtomicI64,
}

#[tonic::async_trait]
impl Gateway for Misbehaving {
    async fn deploy_resource(
        &self,
        _: Request<DeployResourceRequest>,
    ) -> Result<Response<DeployResourceResponse>, Status> {
        Ok(Response::new(DeployResourceResponse::default()))
    }

    async fn create_process_instance(
        &self,
        request: Request<CreateProcessInstanceRequest>,
    ) -> Result<Response<CreateProcessInstanceResponse>, Status> {
        let ordinal = self.creates.fetch_add(1, Ordering::SeqCst);
        if self
            .refuse_every
            .is_some_and(|every| ordinal.is_multiple_of(every))
        {
            return Err(Status::resource_exhausted("full"));
        }
        if let Some((from, length)) = self.stall
            && ordinal >= from
        {
            let since = *self
                .stalled_since
                .lock()
                .unwrap()
                .get_or_insert_with(Instant::now);
            sleep_until((since + length).into()).await;
        }
        assert_eq!(request.into_inner().version, -1);
        let key = self.next_key.fetch_add(2, Ordering::SeqCst) + 2;
        let job = ActivatedJob {
            key: key + 1,
            process_instance_key: key,
            ..ActivatedJob::default()
        };
        if ordinal >= self.quiet {
            // Before the answer: the client must cope with either order.
            self.streams.lock().unwrap()[0].send(Ok(job)).unwrap();
        }
        Ok(Response::new(CreateProcessInstanceResponse {
            process_instance_key: key,
            ..CreateProcessInstanceResponse::default()
        }))
    }

    async fn stream_activated_jobs(
        &self,
        _: Request<StreamActivatedJobsRequest>,
    ) -> Result<Response<BoxStream<ActivatedJob>>, Status> {
        let (lane, jobs) = mpsc::unbounded_channel();
        self.streams.lock().unwrap().push(lane);
        Ok(Response::new(Box::pin(UnboundedReceiverStream::new(jobs))))
    }

    async fn complete_job(
        &self,
        _: Request<CompleteJobRequest>,
    ) -> Result<Response<CompleteJobResponse>, Status> {
        if self.completes.fetch_add(1, Ordering::SeqCst) % (self.lose_completions + 1)
            < self.lose_completions
        {
            return Err(Status::unavailable("cut"));
        }
        Ok(Response::new(CompleteJobResponse {}))
    }

    async fn publish_message(
        &self,
        request: Request<PublishMessageRequest>,
    ) -> Result<Response<PublishMessageResponse>, Status> {
        self.published
            .lock()
            .unwrap()
            .push(request.into_inner().correlation_key);
        Ok(Response::new(PublishMessageResponse::default()))
    }
}

async fn run_against(gateway: Misbehaving, options: &[&str]) -> Report {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = listener.local_addr().unwrap().to_string();
    let server = tonic::transport::Server::builder()
        .add_service(GatewayServer::new(gateway))
        .serve_with_incoming(TcpIncoming::from(listener));
    let server = tokio::spawn(server);
    let base = [
        "ringflow-perf",
        "--target",
        &target,
        "--warmup",
        "0s",
        "--pollers",
        "0",
    ];
    let args = Args::try_parse_from(base.iter().chain(options))
        .unwrap()
        .run;
    let client = Client::connect(&args).await.unwrap();
    let report = run(&args, client, &Stop::new()).await.unwrap();
    server.abort();
    report
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stall_is_paid_for_by_every_start_that_fell_due() {
    let stall = Duration::from_millis(400);
    let gateway = Misbehaving {
        stall: Some((50, stall)),
        ..Misbehaving::default()
    };
    let report = run_against(gateway, &["--rate", "100", "--duration", "1s"]).await;
    assert_eq!((report.starts.due, report.starts.completed), (100, 100));
    // Starts fall due every 10 ms all through the stall: latencies spread evenly from 0 to 400 ms
    // over 40 of 100 starts. A generator that waits for answers would show one slow start.
    let create = &report.operations["create"];
    assert!(create.p90_ms > 250.0, "{create:?}");
    assert!(report.operations["completed"].p90_ms > 250.0);
    assert!(create.p50_ms * 2.0 < create.p90_ms, "{create:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_starts_are_counted_and_not_repeated() {
    let gateway = Misbehaving {
        refuse_every: Some(4),
        ..Misbehaving::default()
    };
    let report = run_against(gateway, &["--rate", "100", "--duration", "1s"]).await;
    let starts = &report.starts;
    assert_eq!((starts.due, starts.created, starts.rejected), (100, 75, 25));
    assert_eq!(
        (starts.failed, starts.not_sent, starts.completed),
        (0, 0, 75)
    );
    assert_eq!(report.operations["rejected"].count, 25);
    let error = &report.errors[0];
    assert_eq!(
        (error.operation.as_str(), error.code.as_str()),
        ("create", "RESOURCE_EXHAUSTED")
    );
    assert_eq!((error.count, error.sample.as_str()), (25, "full"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeated_completion_keeps_its_first_start() {
    let gateway = Misbehaving {
        lose_completions: 1,
        ..Misbehaving::default()
    };
    let report = run_against(
        gateway,
        &[
            "--mode",
            "closed",
            "--concurrency",
            "1",
            "--duration",
            "500ms",
        ],
    )
    .await;
    assert!(report.starts.completed > 0 && report.starts.unfinished == 0);
    let lost = report
        .errors
        .iter()
        .find(|error| error.operation == "complete")
        .unwrap();
    assert_eq!(lost.code, "UNAVAILABLE");
    // The pause between the tries is 10 ms: it must be in the latency.
    assert!(
        report.operations["complete"].p50_ms >= 9.9,
        "{:?}",
        report.operations["complete"]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_are_published_once_per_instance_with_its_key() {
    let published = Arc::new(Mutex::new(Vec::new()));
    let gateway = Misbehaving {
        published: Arc::clone(&published),
        ..Misbehaving::default()
    };
    let options = [
        "--workload",
        "messages",
        "--rate",
        "50",
        "--duration",
        "400ms",
    ];
    let report = run_against(gateway, &options).await;
    assert_eq!(report.starts.completed, 20);
    assert_eq!(report.operations["publish"].count, 20);
    let mut keys = published.lock().unwrap().clone();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_ends_a_long_run_early_and_keeps_what_was_measured() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = listener.local_addr().unwrap().to_string();
    let server = tonic::transport::Server::builder()
        .add_service(GatewayServer::new(Misbehaving::default()))
        .serve_with_incoming(TcpIncoming::from(listener));
    tokio::spawn(server);
    let options = [
        "ringflow-perf",
        "--target",
        &target,
        "--warmup",
        "0s",
        "--duration",
        "10m",
    ];
    let args = Args::try_parse_from(options).unwrap().run;
    let client = Client::connect(&args).await.unwrap();
    let stop = Stop::new();
    let begun = Instant::now();
    let ender = stop.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(900)).await;
        ender.raise();
    });
    let report = run(&args, client, &stop).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert!(report.starts.completed > 0);
    assert!(
        report
            .doubts
            .iter()
            .any(|doubt| doubt.contains("interrupted"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_instances_are_created_first_and_are_not_measured() {
    let gateway = Misbehaving {
        refuse_every: Some(5),
        quiet: 125,
        ..Misbehaving::default()
    };
    let options = ["--resident", "100", "--rate", "50", "--duration", "400ms"];
    let report = run_against(gateway, &options).await;
    assert_eq!(report.starts.due, 20);
    assert_eq!(report.setup.resident, 100);
    assert_eq!(report.starts.created + report.starts.rejected, 20);
    assert_eq!(
        (report.starts.completed, report.starts.foreign),
        (report.starts.created, 0)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn starts_without_an_answer_are_told_and_void_the_run() {
    let stall = Some((10, Duration::from_secs(30)));
    let gateway = Misbehaving {
        stall,
        ..Misbehaving::default()
    };
    let options = ["--rate", "50", "--duration", "400ms", "--drain", "300ms"];
    let report = run_against(gateway, &options).await;
    let starts = &report.starts;
    assert_eq!(
        (starts.due, starts.created, starts.unanswered),
        (20, 10, 10)
    );
    assert!(!report.trustworthy);
}
