//! When data becomes visible: the time from the answer to a create call until the REST search over
//! secondary storage finds the instance. One instance at a time is looked up, at most one per the
//! asked period, so that the probe is no load of its own.
//!
//! The lane holds one instance; while a probe runs, others are passed over, which makes this a
//! sample and not a census. Resolution: [`LOOK_PAUSE`] plus the time of one search. An instance
//! not found within [`LOOK_MAX`] is an error of the operation, not a latency.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::args::RunArgs;
use crate::client::rest::RestClient;
use crate::client::{Code, Failure};
use crate::drive::Run;
use crate::measure::Op;

const LOOK_PAUSE: Duration = Duration::from_millis(5);
const LOOK_MAX: Duration = Duration::from_secs(60);

/// Takes created instances, mostly to pass them over.
#[derive(Debug)]
pub(crate) struct Lane(mpsc::Sender<(i64, Instant)>);

/// The side that looks them up.
#[derive(Debug)]
pub(crate) struct Probes {
    created: mpsc::Receiver<(i64, Instant)>,
    client: RestClient,
    period: Duration,
}

impl Lane {
    pub(crate) fn offer(&self, instance_key: i64, answered: Instant) {
        // Full is the usual case: a probe is under way.
        let _ = self.0.try_send((instance_key, answered));
    }
}

/// Both sides, when `args` asks for probes.
pub(crate) fn lane(args: &RunArgs) -> Result<Option<(Lane, Probes)>, Failure> {
    let Some(period) = args.visible_every else {
        return Ok(None);
    };
    let client = RestClient::new(&args.rest, 1, &args.headers, args.timeout)?;
    let (lane, created) = mpsc::channel(1);
    Ok(Some((
        Lane(lane),
        Probes {
            created,
            client,
            period,
        },
    )))
}

/// Looks up one instance after the other until the run is over.
pub(crate) async fn probe_loop(run: Arc<Run>, mut probes: Probes) {
    while let Some((instance_key, answered)) = probes.created.recv().await {
        // Waited in the lane for the last probe to end: its age would be counted as invisibility.
        if answered.elapsed() > LOOK_PAUSE {
            continue;
        }
        match look(&probes.client, instance_key, answered).await {
            Ok(latency) => run.recorder.record(0, Op::Visible, latency),
            Err(failure) => run.recorder.fail(0, Op::Visible, &failure),
        }
        tokio::time::sleep(probes.period).await;
    }
}

async fn look(client: &RestClient, key: i64, answered: Instant) -> Result<Duration, Failure> {
    while answered.elapsed() < LOOK_MAX {
        if client.finds(key).await? {
            return Ok(answered.elapsed());
        }
        tokio::time::sleep(LOOK_PAUSE).await;
    }
    Err(Failure::new(
        Code::Malformed,
        format!("instance {key} not found in {LOOK_MAX:?}"),
    ))
}
