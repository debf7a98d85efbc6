//! Commands to partitions whose leader is not known or not reached: held until it is.
//!
//! A send may always be lost, and its owner in the state repeats it; but only after ten seconds.
//! Just after a start, or while another group elects, the wait for a leader is far shorter. The
//! replica that is sent a command and leads no more holds it as well, and passes it on.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use ringflow_core::ids::PartitionId;

use crate::driver;
use crate::partition::cut::{Stamp, Stamped};
use crate::submit::Shared;

/// Time between two looks for leaders.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long a command is held: from then on its owner has sent it again.
const HELD_FOR: Duration = Duration::from_secs(10);
/// Commands held at a time; more are lost, as on a full link.
const HELD_MAX: usize = 1024;

/// The held commands of one partition, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Unsent {
    held: VecDeque<Held>,
    /// When leaders were looked for; two brokers that take each other for the leader pass a
    /// command to and fro no faster than this.
    looked: Option<Instant>,
}

#[derive(Debug)]
struct Held {
    to: PartitionId,
    command: Stamped,
    since: Instant,
}

impl Unsent {
    /// Holds a command; false if it is lost.
    pub(crate) fn hold(&mut self, to: PartitionId, command: Stamped) -> bool {
        let has_room = self.held.len() < HELD_MAX;
        if has_room {
            let since = driver::now();
            self.looked.get_or_insert(since);
            self.held.push_back(Held { to, command, since });
        }
        has_room
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Forgets everything: who leads next sends it again.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Sends, past the checkpoint of `stamp`, what has a leader by now, if it is time to look; gives how many were sent and how
    /// many were lost, most of them too old.
    pub(crate) fn send(&mut self, shared: &Shared, stamp: Stamp) -> (u64, u64) {
        let (mut sent, mut lost) = (0, 0);
        if self.looked.is_none_or(|at| driver::since(at) < LOOK_EVERY) {
            return (sent, lost);
        }
        for _ in 0..self.held.len() {
            let Some(held) = self.held.pop_front() else {
                break;
            };
            match shared.send_between(held.to, held.command.raised(stamp)) {
                Sent::Handed => sent += 1,
                Sent::Lost => lost += 1,
                Sent::Unreached(_) if driver::since(held.since) >= HELD_FOR => lost += 1,
                Sent::Unreached(command) => self.held.push_back(Held { command, ..held }),
            }
        }
        self.looked = (!self.held.is_empty()).then(driver::now);
        (sent, lost)
    }
}

/// What became of a command between partitions.
#[derive(Debug)]
pub(crate) enum Sent {
    /// It is in the lane of the partition, or on the link to its leader.
    Handed,
    /// The lane or the link is full.
    Lost,
    /// No broker is known to lead the partition, or there is no link to it.
    Unreached(Stamped),
}
