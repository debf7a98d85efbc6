//! A replica that began with a snapshot the export has not passed.
//!
//! It has no records before the snapshot, and if it led, nobody would export what lies between. So
//! it votes and confirms like any other, but asks for no votes and takes no leadership over until the
//! export is past the snapshot. A marker file keeps this over restarts (`partition/marker.rs`).
//!
//! It may hold the longest log, and then no other can lead either: so it has to hear of the export
//! while there is no leader.
//!
//! | who tells it | when |
//! |---|---|
//! | the leader | with every append |
//! | any other replica that heard it from an earlier leader | asked once in [`ASK_AGAIN`] |
//! | the secondary storage | this broker reads its cursor (`Broker::awaited_exports`) |

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use ringflow_core::ids::Position;

use crate::driver;
use crate::partition::Partition;
use crate::partition::marker::{self, Marker};
use crate::raft::join;
use crate::shard::mailbox::StopMode;

/// Time between questions to the other replicas: short against an outage, long against an election.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// Position the export has to reach before this replica may lead.
#[derive(Debug)]
pub(crate) struct Unexported {
    upto: Cell<Option<Position>>,
    /// Somebody asks the others.
    asking: Cell<bool>,
}

impl Unexported {
    pub(crate) fn new(position: Option<Position>) -> Self {
        Self {
            upto: Cell::new(position),
            asking: Cell::new(false),
        }
    }

    /// An error while the replica must not lead.
    pub(crate) fn may_lead(&self) -> Result<(), String> {
        match self.upto.get() {
            None => Ok(()),
            Some(position) => Err(format!(
                "this replica began with a snapshot up to record {position}, which the export has \
                 not reached"
            )),
        }
    }
}

/// Notes that a snapshot up to `position` is about to take the place of the state.
pub(crate) fn begin(
    partition: &Partition,
    position: Position,
) -> Result<(), ringflow_storage::Error> {
    if partition.shared.options.exports() && partition.mailbox.feed.exported() < position {
        marker::set(&partition.dir, Marker::Unexported)?;
        partition.unexported.upto.set(Some(position));
    }
    Ok(())
}

/// Lets the replica lead once the export has passed; to be called now and then.
pub(crate) fn tick(partition: &Rc<Partition>) {
    let unexported = &partition.unexported;
    let feed = &partition.mailbox.feed;
    let Some(upto) = unexported.upto.get() else {
        return;
    };
    if feed.exported() < upto {
        feed.set_awaited(true);
        if !unexported.asking.replace(true) {
            driver::spawn(ask(Rc::clone(partition)));
        }
        return;
    }
    match marker::clear(&partition.dir, Marker::Unexported) {
        Ok(()) => {
            unexported.upto.set(None);
            feed.set_awaited(false);
            tracing::info!(
                partition = %partition.id(),
                "the export has passed the snapshot this replica began with; it may lead"
            );
        }
        Err(error) => {
            tracing::warn!(partition = %partition.id(), %error, "a marker stays");
        }
    }
}

/// Asks the other replicas how far the export is, until that is far enough.
async fn ask(partition: Rc<Partition>) {
    let runs = || partition.mailbox.stop_mode() == StopMode::Run && !partition.is_dead();
    while partition.unexported.may_lead().is_err() && runs() {
        for mut peer in join::peers(&partition, &partition.placed()) {
            match peer.stands(false).await {
                Ok(standing) => partition.mailbox.feed.hear_exported(standing.exported),
                Err(why) => {
                    tracing::debug!(partition = %partition.id(), why, "no answer yet");
                }
            }
        }
        driver::sleep(ASK_AGAIN).await;
    }
    partition.unexported.asking.set(false);
}
