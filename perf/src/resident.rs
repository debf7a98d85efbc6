//! Waiting instances: created before a run, so that it meets a server with a large state.
//! They are instances of the messages model whose message is never published, and they stay when
//! the run is over. Created in a closed loop of bounded width by the task of the run; a refusal for
//! overload is waited out, any other failure ends the run: a state of unknown size measures
//! nothing.
//!
//! Limits: [`WIDTH`] creations at a time; [`REFUSALS_MAX`] refusals of one creation in a row.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::task::JoinSet;

use crate::args::{RunArgs, WorkloadName};
use crate::client::{Client, Creation, Failure};
use crate::drive::Error;
use crate::stop::Stop;
use crate::workload::Payload;

const WIDTH: usize = 64;
const REFUSALS_MAX: u32 = 1_000;
const REFUSAL_PAUSE: Duration = Duration::from_millis(20);

/// Creates the waiting instances that `args` asks for; none is the usual case. When `stop` is
/// raised it returns early with an error.
pub(crate) async fn create(args: &RunArgs, client: &Client, stop: &Stop) -> Result<(), Error> {
    if args.resident == 0 {
        return Ok(());
    }
    let model = WorkloadName::Messages.workload();
    client.deploy(model.resource, model.bpmn).await?;
    let millis = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_millis();
    let payload = Arc::new(Payload::new(
        format!("resident-{millis:x}"),
        args.payload_bytes,
        args.seed,
    ));
    let next = Arc::new(AtomicU64::new(0));
    let count = args.resident;
    let mut creators = JoinSet::new();
    for slot in 0..WIDTH {
        let (client, payload, stop) = (client.clone(), Arc::clone(&payload), stop.clone());
        let next = Arc::clone(&next);
        creators.spawn(async move {
            loop {
                let ordinal = next.fetch_add(1, Ordering::Relaxed);
                if ordinal >= count || stop.is_raised() {
                    return Ok(());
                }
                let variables = payload.variables(&payload.key(ordinal));
                let creation = Creation {
                    process_id: model.process_id,
                    variables: &variables,
                };
                one(&client, slot, creation).await?;
            }
        });
    }
    while let Some(ended) = creators.join_next().await {
        ended?.map_err(|failure: Failure| format!("waiting instances: {failure}"))?;
    }
    if stop.is_raised() {
        return Err("stopped while the waiting instances were created".into());
    }
    Ok(())
}

async fn one(client: &Client, slot: usize, creation: Creation<'_>) -> Result<(), Failure> {
    let mut refusals = 0;
    loop {
        match client.create(slot, creation).await {
            Ok(_) => return Ok(()),
            Err(failure) if failure.resource_exhausted && refusals < REFUSALS_MAX => {
                refusals += 1;
                tokio::time::sleep(REFUSAL_PAUSE).await;
            }
            Err(failure) => return Err(failure),
        }
    }
}
