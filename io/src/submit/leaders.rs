//! Asking leaders to hand over, at whichever broker the operator is.
//!
//! Nobody waits here for what comes of it: whether and when a leader hands over is its own decision
//! (`partition/transfer.rs`), and the topology shows it.

use ringflow_core::ids::PartitionId;

use super::{Place, Submitter};
use crate::peer::link::ToPeer;
use crate::peer::message;
use crate::shard::mailbox::Control;

impl Submitter {
    /// Asks the leader of `partition` to hand over to broker `to`; false if there is no leader, or
    /// no way to it. That it was asked does not mean that it will: see `partition/transfer.rs`.
    #[must_use]
    pub fn transfer(&self, partition: PartitionId, to: u32) -> bool {
        match self.place(partition) {
            Place::Here => self
                .shared
                .partitions
                .get(partition)
                .is_some_and(|mailbox| mailbox.push_control(Control::Transfer(to)).is_ok()),
            Place::At(node) => {
                let link = self.shared.cluster.links.get(node as usize);
                let frame = ToPeer::Frame(message::transfer(partition, to));
                link.is_some_and(|link| link.try_send(frame).is_ok())
            }
            Place::Nowhere => false,
        }
    }

    /// Asks every leader that is not the preferred one to hand over to it; how many were asked.
    #[must_use]
    pub fn rebalance(&self) -> usize {
        let topology = self.topology();
        let astray = (1..=topology.partitions_count)
            .map(PartitionId)
            .filter_map(|id| {
                let preferred = topology.configuration.replicas(id).first()?.node;
                (topology.leader(id)? != preferred).then_some((id, preferred))
            });
        astray
            .filter(|(id, preferred)| self.transfer(*id, *preferred))
            .count()
    }
}
