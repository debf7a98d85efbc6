//! One run: deploy, start the workers, send starts by the clock (or by the answers), measure,
//! drain, sum up. The same code drives any server, the floor server included.
//!
//! Phases: warm-up (sent, not measured) - measured time - drain (nothing new is sent, measured
//! starts may still finish) - end. A start belongs to the measured time by its *intended* moment;
//! a completion counts for the rate by the moment it happened.
//!
//! Invariants: 1. every start that became due in the measured time is created, rejected, failed,
//! unanswered or not sent, and the report shows each; 2. a start is never repeated; 3. every loop
//! ends with the clock or with the stop, and the end of a run waits for nothing longer than the
//! drain.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use hdrhistogram::serialization::V2DeflateSerializer;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::sleep_until;

use crate::args::{Mode, RunArgs};
use crate::client::{Client, Creation, Failure, JobQuery};
use crate::cpu::Sample;
use crate::hlog::{self, Hlog};
use crate::measure::{Interval, Op, Recorder};
use crate::pacer::{self, LANE_STARTS_MAX, Schedule, Start};
use crate::report::{Measured, Report};
use crate::resident;
use crate::stop::Stop;
use crate::track::{Progress, Started, Track};
use crate::visible;
use crate::worker::{self, JOB_LOCK, JOBS_IN_FLIGHT_MAX, POLL_WAIT};
use crate::workload::{MESSAGE_NAME, MESSAGE_TTL, Payload, Workload};

pub(crate) type Error = Box<dyn std::error::Error + Send + Sync>;

/// Streams give no sign of being open before the first job: the load begins this much later.
const WORKER_HEAD_START: Duration = Duration::from_millis(300);
const INTERVAL: Duration = Duration::from_secs(1);
const DRAIN_LOOK: Duration = Duration::from_millis(20);
/// Pause of a closed-loop caller after a failure, so that a dead server is not hammered.
const CALLER_PAUSE: Duration = Duration::from_millis(10);

/// What became of the starts of the measured time.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) sent: AtomicU64,
    /// Due, but the generator was full.
    pub(crate) not_sent: AtomicU64,
    pub(crate) created: AtomicU64,
    pub(crate) rejected: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) completed: AtomicU64,
    /// Completions that happened inside the measured time, whenever they were started.
    pub(crate) completed_within: AtomicU64,
}

impl Counters {
    fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// The state of a run that lanes and workers share.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) client: Client,
    pub(crate) recorder: Recorder,
    pub(crate) track: Track,
    /// Raised when workers shall end.
    pub(crate) over: Stop,
    /// One permit per job that is being completed.
    pub(crate) completions: Arc<Semaphore>,
    pub(crate) counters: Counters,
    workload: &'static Workload,
    payload: Payload,
    measured_from: Instant,
    measured_to: Instant,
    visible: Option<visible::Lane>,
    in_flight: AtomicU64,
    in_flight_max: u64,
}

impl Run {
    /// Whether `at` lies in the measured time.
    pub(crate) fn is_measured(&self, at: Instant) -> bool {
        (self.measured_from..self.measured_to).contains(&at)
    }

    /// Records what became known about an instance.
    pub(crate) fn note(&self, slot: usize, progress: Progress) {
        if let (Some(at), true) = (progress.activated, progress.measured) {
            let latency = at.saturating_duration_since(progress.intended);
            self.recorder.record(slot, Op::Activated, latency);
        }
        let Some(at) = progress.completed else { return };
        if self.is_measured(at) {
            Counters::add(&self.counters.completed_within);
        }
        if progress.measured {
            Counters::add(&self.counters.completed);
            let latency = at.saturating_duration_since(progress.intended);
            self.recorder.record(slot, Op::Completed, latency);
        }
    }

    /// Sends one start and sees it through to its answer; whether an instance exists now.
    async fn begin(&self, slot: usize, start: Start, done: Option<oneshot::Sender<()>>) -> bool {
        let measured = self.is_measured(start.intended);
        let counters = &self.counters;
        if measured {
            Counters::add(&counters.sent);
            let lag = Instant::now().saturating_duration_since(start.intended);
            self.recorder.record(slot, Op::Lag, lag);
        }
        let key = self.payload.key(start.ordinal);
        let variables = self.payload.variables(&key);
        let creation = Creation {
            process_id: self.workload.process_id,
            variables: &variables,
        };
        let connection = start.ordinal as usize;
        let (op, answer) = if self.workload.awaits_result {
            (
                Op::WithResult,
                self.client.create_with_result(connection, creation).await,
            )
        } else {
            (Op::Create, self.client.create(connection, creation).await)
        };
        let latency = start.intended.elapsed();
        match answer {
            Ok(instance) => {
                if measured {
                    Counters::add(&counters.created);
                    self.recorder.record(slot, op, latency);
                    if let Some(visible) = &self.visible {
                        visible.offer(instance, Instant::now());
                    }
                }
                let started = Started {
                    intended: start.intended,
                    measured,
                    done,
                };
                let progress = self.track.started(instance, started);
                self.note(slot, progress);
                if self.workload.publishes {
                    self.publish(slot, connection, &key, measured).await;
                }
                true
            }
            Err(failure) => {
                if measured {
                    self.recorder.fail(slot, op, &failure);
                    if failure.resource_exhausted {
                        Counters::add(&counters.rejected);
                        self.recorder.record(slot, Op::Rejected, latency);
                    } else {
                        Counters::add(&counters.failed);
                    }
                }
                false
            }
        }
    }

    async fn publish(&self, slot: usize, connection: usize, key: &str, measured: bool) {
        let begun = Instant::now();
        let answer = self
            .client
            .publish(connection, MESSAGE_NAME, key, MESSAGE_TTL)
            .await;
        match answer {
            Ok(()) if measured => self.recorder.record(slot, Op::Publish, begun.elapsed()),
            Ok(()) => {}
            Err(failure) => self.recorder.fail(slot, Op::Publish, &failure),
        }
    }
}

/// The subcommand without a name: one run against the endpoint of `args`.
pub(crate) fn main(args: &RunArgs) -> Result<(), Error> {
    runtime(args)?.block_on(async {
        let stop = Stop::new();
        tokio::spawn(stop.clone().on_interrupt());
        let client = Client::connect(args).await?;
        let report = run(args, client, &stop).await?;
        report.publish(args)
    })
}

/// The generator's threads.
pub(crate) fn runtime(args: &RunArgs) -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(usize::try_from(args.threads).unwrap_or(1))
        .thread_name("perf")
        .enable_all()
        .build()
}

/// Runs the workload of `args` once. `stop` ends it early; the report then covers what was.
pub(crate) async fn run(args: &RunArgs, client: Client, stop: &Stop) -> Result<Report, Error> {
    let workload = args.workload.workload();
    if let Some(dir) = &args.out {
        std::fs::create_dir_all(dir)?;
    }
    client
        .deploy(workload.resource, workload.bpmn)
        .await
        .map_err(|failure| Failure {
            text: format!("deploy: {}", failure.text),
            ..failure
        })?;
    resident::create(args, &client, stop).await?;
    let (visible_lane, probes) = visible::lane(args)?.unzip();
    let origin = Instant::now() + WORKER_HEAD_START;
    let began = SystemTime::now() + WORKER_HEAD_START;
    let millis = began
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .as_millis();
    let run_id = format!("{millis:x}-{:x}", std::process::id());
    let clients = usize::try_from(args.clients).unwrap_or(1);
    let run = Arc::new(Run {
        client,
        recorder: Recorder::new(clients),
        track: Track::new(workload.tasks),
        over: Stop::new(),
        completions: Arc::new(Semaphore::new(JOBS_IN_FLIGHT_MAX)),
        counters: Counters::default(),
        workload,
        payload: Payload::new(run_id, args.payload_bytes, args.seed),
        measured_from: origin + args.warmup,
        measured_to: origin + args.warmup + args.duration,
        visible: visible_lane,
        in_flight: AtomicU64::new(0),
        in_flight_max: args.inflight_max,
    });
    let mut workers = start_workers(args, &run);
    if let Some(probes) = probes {
        workers.spawn(visible::probe_loop(Arc::clone(&run), probes));
    }
    let starts_over = Stop::new();
    match args.mode {
        Mode::Open => start_open(args, &run, &mut workers, origin, &starts_over)?,
        Mode::Closed => start_closed(args, &run, &mut workers, origin, &starts_over),
    }
    let began = began + args.warmup;
    let measured = measure(args, &run, began, stop, &starts_over).await;
    run.over.raise();
    workers.shutdown().await;
    Ok(Report::new(args, workload, &run, measured?, began))
}

fn start_workers(args: &RunArgs, run: &Arc<Run>) -> JoinSet<()> {
    let query = JobQuery {
        job_type: run.workload.process_id.to_owned(),
        lock: JOB_LOCK,
        jobs_max: args.poll_jobs,
        wait: POLL_WAIT,
    };
    let mut workers = JoinSet::new();
    for slot in 0..args.streams as usize {
        workers.spawn(worker::stream_loop(Arc::clone(run), slot, query.clone()));
    }
    for slot in 0..args.pollers as usize {
        workers.spawn(worker::poll_loop(Arc::clone(run), slot, query.clone()));
    }
    workers
}

fn start_open(
    args: &RunArgs,
    run: &Arc<Run>,
    tasks: &mut JoinSet<()>,
    origin: Instant,
    starts_over: &Stop,
) -> std::io::Result<()> {
    let mut lanes = Vec::new();
    for slot in 0..args.clients as usize {
        let (lane, mut starts) = mpsc::channel::<Start>(LANE_STARTS_MAX);
        lanes.push(lane);
        let run = Arc::clone(run);
        tasks.spawn(async move {
            while let Some(start) = starts.recv().await {
                if run.in_flight.fetch_add(1, Ordering::Relaxed) >= run.in_flight_max {
                    run.in_flight.fetch_sub(1, Ordering::Relaxed);
                    Counters::add(&run.counters.not_sent);
                    continue;
                }
                let run = Arc::clone(&run);
                tokio::spawn(async move {
                    run.begin(slot, start, None).await;
                    run.in_flight.fetch_sub(1, Ordering::Relaxed);
                });
            }
        });
    }
    let schedule = Schedule::new(args.rate, args.arrival, args.seed);
    let span = args.warmup + args.duration;
    let (run, stop) = (Arc::clone(run), starts_over.clone());
    // Not joined: it ends with the schedule or the stop, and holds nothing that must be given back.
    std::thread::Builder::new()
        .name("pacer".to_owned())
        .spawn(move || {
            pacer::pace(
                schedule,
                origin,
                span,
                &lanes,
                &run.counters.not_sent,
                &stop,
            )
        })?;
    Ok(())
}

fn start_closed(
    args: &RunArgs,
    run: &Arc<Run>,
    tasks: &mut JoinSet<()>,
    origin: Instant,
    starts_over: &Stop,
) {
    let ordinals = Arc::new(AtomicU64::new(0));
    for slot in 0..args.concurrency as usize {
        let (run, ordinals, stop) = (Arc::clone(run), Arc::clone(&ordinals), starts_over.clone());
        let patience = args.timeout;
        tasks.spawn(async move {
            sleep_until(origin.into()).await;
            while !stop.is_raised() {
                let ordinal = ordinals.fetch_add(1, Ordering::Relaxed);
                let (done, completed) = oneshot::channel();
                let start = Start {
                    ordinal,
                    intended: Instant::now(),
                };
                run.in_flight.fetch_add(1, Ordering::Relaxed);
                let created = run.begin(slot, start, Some(done)).await;
                run.in_flight.fetch_sub(1, Ordering::Relaxed);
                if created {
                    // Late or lost: the instance stays open and shows as unfinished.
                    let _ = tokio::time::timeout(patience, completed).await;
                } else {
                    tokio::time::sleep(CALLER_PAUSE).await;
                }
            }
        });
    }
}

/// Waits through the phases, drains the recorders once a second, samples the server at both ends.
async fn measure(
    args: &RunArgs,
    run: &Run,
    began: SystemTime,
    stop: &Stop,
    starts_over: &Stop,
) -> Result<Measured, Error> {
    let path = args
        .out
        .as_ref()
        .map(|dir| dir.join(format!("{}.hlog", run.workload.name)));
    let mut target = hlog::target(path.as_deref())?;
    let mut serializer = V2DeflateSerializer::new();
    let comment = format!(
        "ringflow-perf {} {}",
        env!("CARGO_PKG_VERSION"),
        run.workload.name
    );
    let mut log = Hlog::begin(&mut target, &mut serializer, began, &comment)?;

    until(run.measured_from, stop).await;
    let sample = |pid: Option<u32>| pid.map(Sample::take).transpose();
    let before = sample(args.server_pid)?;
    let from = Instant::now();
    let mut totals = Interval::default();
    let mut interval_from = from;
    let mut take = |totals: &mut Interval| {
        let interval = run.recorder.drain();
        let now = Instant::now();
        totals.add(&interval);
        let written = log.write(&interval, interval_from - from, now - interval_from);
        interval_from = now;
        written
    };
    while Instant::now() < run.measured_to && !stop.is_raised() {
        until((Instant::now() + INTERVAL).min(run.measured_to), stop).await;
        take(&mut totals)?;
    }
    let seconds = from.elapsed().as_secs_f64();
    let after = sample(args.server_pid)?;
    let completed_within = run.counters.completed_within.load(Ordering::Relaxed);
    starts_over.raise();

    let drain_end = Instant::now() + args.drain;
    let mut next = Instant::now() + INTERVAL;
    while Instant::now() < drain_end
        && (run.in_flight.load(Ordering::Relaxed) > 0 || run.track.open() > 0)
    {
        tokio::time::sleep(DRAIN_LOOK).await;
        if Instant::now() >= next {
            take(&mut totals)?;
            next += INTERVAL;
        }
    }
    take(&mut totals)?;
    drop(log);
    target.flush()?;
    let server = before
        .zip(after)
        .map(|(from, to)| from.until(&to, seconds, completed_within));
    Ok(Measured {
        seconds,
        completed_within,
        totals,
        server,
        interrupted: stop.is_raised(),
    })
}

async fn until(deadline: Instant, stop: &Stop) {
    tokio::select! {
        () = sleep_until(deadline.into()) => {}
        () = stop.raised() => {}
    }
}

#[cfg(test)]
mod tests;
