//! Workers: job streams and, beside them, long polls; every job received is completed at once.
//! Streams carry the load; polling picks up what streams cannot see (jobs from before the stream,
//! jobs the server handed back). Loops run on the generator's runtime until the run is over.
//!
//! A refused or lost completion is repeated at most [`COMPLETE_TRIES`] times; its latency counts
//! from the receipt of the job through all repetitions, and each failed try is counted by code. A
//! repetition that finds no such job after an unknown outcome means that the first try took effect.
//!
//! Limits: [`JOBS_IN_FLIGHT_MAX`] completions at a time; then jobs wait in the stream's window, as
//! in a busy worker, and that wait shows in create-to-completed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::OwnedSemaphorePermit;

use crate::client::{Code, Failure, Job, JobQuery};
use crate::drive::Run;
use crate::measure::Op;

pub(crate) const JOBS_IN_FLIGHT_MAX: usize = 10_000;
const COMPLETE_TRIES: u32 = 4;
const PAUSE_FIRST: Duration = Duration::from_millis(10);
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// Longer than any job of a sound run lives: a job must not come back while it is completed.
pub(crate) const JOB_LOCK: Duration = Duration::from_secs(60);
pub(crate) const POLL_WAIT: Duration = Duration::from_secs(5);

/// Holds one job stream open until the run is over; returns early where there are no streams.
pub(crate) async fn stream_loop(run: Arc<Run>, slot: usize, query: JobQuery) {
    let mut pause = PAUSE_FIRST;
    while !run.over.is_raised() {
        let opened = tokio::select! {
            opened = run.client.stream(slot, &query) => opened,
            () = run.over.raised() => return,
        };
        let ended = match opened {
            None => return,
            Some(Err(failure)) => failure,
            Some(Ok(mut stream)) => loop {
                let next = tokio::select! {
                    next = stream.next() => next,
                    () = run.over.raised() => return,
                };
                match next {
                    Ok(Some(job)) => {
                        pause = PAUSE_FIRST;
                        take(&run, slot, job).await;
                    }
                    Ok(None) => {
                        break Failure::new(Code::Grpc(tonic::Code::Ok), "job stream ended");
                    }
                    Err(failure) => break failure,
                }
            },
        };
        if run.over.is_raised() {
            return;
        }
        run.recorder.fail(slot, Op::Poll, &ended);
        if ended.code == Code::Grpc(tonic::Code::Unimplemented) {
            return;
        }
        rest(&run, &mut pause).await;
    }
}

/// Polls until the run is over.
pub(crate) async fn poll_loop(run: Arc<Run>, slot: usize, query: JobQuery) {
    let mut pause = PAUSE_FIRST;
    while !run.over.is_raised() {
        let begun = Instant::now();
        let polled = tokio::select! {
            polled = run.client.poll(slot, &query) => polled,
            () = run.over.raised() => return,
        };
        match polled {
            Ok(jobs) if !jobs.is_empty() => {
                pause = PAUSE_FIRST;
                for job in jobs {
                    take(&run, slot, job).await;
                }
            }
            // A server that answers empty at once does not hold polls: do not hammer it.
            Ok(_) if begun.elapsed() < PAUSE_FIRST => rest(&run, &mut pause).await,
            Ok(_) => pause = PAUSE_FIRST,
            Err(failure) => {
                run.recorder.fail(slot, Op::Poll, &failure);
                if failure.code == Code::Grpc(tonic::Code::Unimplemented) {
                    return;
                }
                rest(&run, &mut pause).await;
            }
        }
    }
}

async fn rest(run: &Run, pause: &mut Duration) {
    tokio::select! {
        () = tokio::time::sleep(*pause) => {}
        () = run.over.raised() => {}
    }
    *pause = (*pause * 2).min(PAUSE_MAX);
}

/// Notes the receipt and completes the job in a task of its own.
async fn take(run: &Arc<Run>, slot: usize, job: Job) {
    let received = Instant::now();
    if let Some(progress) = run.track.activated(job.instance_key, received) {
        run.note(slot, progress);
    }
    // Never closed while the run is alive; a closed one would mean nothing is left to complete.
    if let Ok(permit) = Arc::clone(&run.completions).acquire_owned().await {
        tokio::spawn(complete(Arc::clone(run), slot, job, received, permit));
    }
}

async fn complete(
    run: Arc<Run>,
    slot: usize,
    job: Job,
    received: Instant,
    _permit: OwnedSemaphorePermit,
) {
    let mut pause = PAUSE_FIRST;
    let mut outcome_unknown = false;
    for _ in 0..COMPLETE_TRIES {
        let answer = run.client.complete(job.key as usize, job.key).await;
        let failure = match answer {
            Ok(()) => return completed(&run, slot, job, received),
            Err(failure) if outcome_unknown && failure.not_found() => {
                return completed(&run, slot, job, received);
            }
            Err(failure) => failure,
        };
        run.recorder.fail(slot, Op::Complete, &failure);
        outcome_unknown |= failure.outcome_unknown();
        if !(failure.resource_exhausted || failure.outcome_unknown()) || run.over.is_raised() {
            return;
        }
        rest(&run, &mut pause).await;
    }
}

fn completed(run: &Run, slot: usize, job: Job, received: Instant) {
    let now = Instant::now();
    if run.is_measured(received) {
        run.recorder.record(slot, Op::Complete, now - received);
    }
    if let Some(progress) = run.track.job_completed(job.instance_key, now) {
        run.note(slot, progress);
    }
}
