//! Writing committed state to the state store's disk: in order, late, and off the shard.
//!
//! Every committed change is readable at once; the store writes what has gathered when it is old or
//! large enough, as one batch with its position. The background thread does the writing; at most one
//! write per partition is under way. A store that does not keep up closes the intake of client
//! commands until it does; one that fails ends the partition.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use ringflow_storage::state::{Flushed, PendingLimit};
use tokio::sync::oneshot;

use crate::driver;
use crate::partition::Partition;
use crate::partition::process::Broken;

/// Pending bytes above which they are written at once.
const PENDING_BYTES: usize = 8 << 20;
/// How often a store that does not keep up is tried again, and the end of a write is looked for.
const RETRY: Duration = Duration::from_millis(5);

/// Where the writing of a partition's state stands.
#[derive(Debug, Default)]
pub(crate) struct Persisting {
    running: Cell<bool>,
    stalled: Cell<bool>,
}

impl Persisting {
    /// True while the store does not keep up.
    pub(crate) fn is_stalled(&self) -> bool {
        self.stalled.get()
    }

    /// True if a write may begin.
    pub(crate) fn is_free(&self) -> bool {
        !self.running.get()
    }
}

/// When pending state is written.
pub(crate) fn limit(partition: &Partition) -> PendingLimit {
    PendingLimit {
        bytes: PENDING_BYTES,
        age: partition.shared.options.limits.persist_delay,
    }
}

/// Begins a write if it is due.
pub(crate) fn tick(partition: &Rc<Partition>) {
    let due = partition.store.flush_due(limit(partition), driver::now());
    if !due || !partition.persisting.is_free() || !is_backed(partition) {
        return;
    }
    let partition = Rc::clone(partition);
    driver::spawn(async move {
        if let Err(broken) = write(&partition).await {
            partition.fail(&broken);
        }
        partition.wake();
    });
}

/// True if this replica's own log has everything on disk that its state would be written up to. A
/// quorum can commit without this disk; a state that outlives the log it was built from would have
/// to be refused at the next start.
fn is_backed(partition: &Partition) -> bool {
    let applied = partition.store.applied().index;
    applied <= partition.log.durable_index() || applied <= partition.log.purged_index()
}

/// Writes everything that is pending and waits for it.
pub(crate) async fn all(partition: &Rc<Partition>) -> Result<(), Broken> {
    while partition.persisting.running.get() || !is_backed(partition) {
        driver::sleep(RETRY).await;
    }
    write(partition).await
}

async fn write(partition: &Partition) -> Result<(), Broken> {
    let persisting = &partition.persisting;
    persisting.running.set(true);
    let written = write_until_done(partition).await;
    persisting.running.set(false);
    written
}

async fn write_until_done(partition: &Partition) -> Result<(), Broken> {
    let persisting = &partition.persisting;
    let metrics = &partition.mailbox.metrics;
    loop {
        let Some(job) = partition.store.begin_flush() else {
            return Ok(());
        };
        let started = driver::now();
        let (done, outcome) = oneshot::channel();
        partition.shared.background.run(move || {
            // The receiver is gone only if the shard has ended.
            let _ = done.send(job.run());
        });
        let outcome = outcome
            .await
            .map_err(|_| Broken("the background thread has ended".to_owned()))?;
        let flushed = partition
            .store
            .finish_flush(outcome)
            .map_err(|error| Broken(format!("writing state failed: {error}")))?;
        match flushed {
            Flushed::Nothing | Flushed::Written => {
                persisting.stalled.set(false);
                metrics.persist.record(driver::since(started));
                metrics.persists.add(1);
                metrics
                    .last_persisted_position
                    .set(partition.store.persisted().position.0);
                return Ok(());
            }
            Flushed::Stalled => {
                if !persisting.stalled.replace(true) {
                    tracing::warn!(
                        partition = %partition.id(),
                        "the state store does not keep up; client commands are refused"
                    );
                    partition.mailbox.budget.close(true);
                }
                driver::sleep(RETRY).await;
            }
        }
    }
}
