//! The lanes of one partition: one per export that there is.
//!
//! The shard publishes to all of them and asks them together; a reader serves one. What is
//! acknowledged is what every export is done with, because the log is kept for all of them. A broker
//! without any export has the first lane nevertheless, for what it says about the log.

use std::sync::atomic::{AtomicBool, Ordering};

use ringflow_core::ids::Position;
use ringflow_storage::log;

use super::marks::Mark;
use super::{BrokerOptions, FeedLane, Published};

/// Which export.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Export {
    /// That of the secondary storage, which searches are answered from. It misses nothing: where the
    /// log does not reach back to its cursor, it does not begin.
    Storage,
    /// Another one beside it. It begins with what the log has.
    Beside,
}

/// All lanes of a partition.
#[derive(Debug)]
pub(crate) struct Lanes {
    storage: FeedLane,
    beside: Option<FeedLane>,
    /// The first one is read by somebody.
    exporting: bool,
    /// The replica has to know how far the secondary storage is before it may lead.
    awaited: AtomicBool,
}

impl Lanes {
    pub(crate) fn new(options: &BrokerOptions) -> Self {
        Self {
            storage: FeedLane::new(&options.limits),
            beside: options
                .exporting_beside
                .then(|| FeedLane::new(&options.limits)),
            exporting: options.exporting,
            awaited: AtomicBool::new(false),
        }
    }

    /// The lane of one export, if there is such.
    pub(crate) fn of(&self, export: Export) -> Option<&FeedLane> {
        match export {
            Export::Storage => Some(&self.storage),
            Export::Beside => self.beside.as_ref(),
        }
    }

    fn each(&self) -> impl Iterator<Item = &FeedLane> {
        std::iter::once(&self.storage).chain(&self.beside)
    }

    /// Publishes a committed batch; false if a reader will have to take it from the log.
    pub(crate) fn publish(&self, published: Published) -> bool {
        let beside = self
            .beside
            .as_ref()
            .is_none_or(|lane| lane.publish(published.clone()));
        self.storage.publish(published) && beside
    }

    /// Says that more of the log is on this disk.
    pub(crate) fn durable(&self) {
        self.each().for_each(FeedLane::durable);
    }

    /// Ends the present readers: the partition is led elsewhere now, or anew.
    pub(crate) fn change_hands(&self) {
        self.each().for_each(FeedLane::change_hands);
    }

    /// Hands over the readers of the log files, one a lane.
    pub(crate) fn attach(&self, reader: impl Fn() -> log::Reader) {
        self.each().for_each(|lane| lane.attach(reader()));
    }

    /// Up to where the log is committed.
    pub(crate) fn committed(&self) -> Position {
        self.storage.committed()
    }

    /// Last log index that is committed.
    pub(crate) fn committed_index(&self) -> u64 {
        self.storage.committed_index()
    }

    /// Says that everything up to `position` is exported for good by every export, as another broker
    /// knows.
    pub(crate) fn acknowledge(&self, position: Position) {
        self.each().for_each(|lane| lane.acknowledge(position));
    }

    /// Last position that every export is done with.
    pub(crate) fn acknowledged(&self) -> Position {
        match &self.beside {
            None => self.storage.acknowledged(),
            Some(beside) if !self.exporting => beside.acknowledged(),
            Some(beside) => beside.acknowledged().min(self.storage.acknowledged()),
        }
    }

    /// The lane of the export that misses nothing if it is there, else of the one beside it.
    fn strictest(&self) -> &FeedLane {
        match &self.beside {
            Some(beside) if !self.exporting => beside,
            Some(_) | None => &self.storage,
        }
    }

    /// Last position that is exported, without regard to an export that may miss something.
    pub(crate) fn exported(&self) -> Position {
        self.strictest().acknowledged()
    }

    /// Hears of what [`Self::exported`] says from elsewhere.
    pub(crate) fn hear_exported(&self, position: Position) {
        self.strictest().acknowledge(position);
    }

    /// Whether somebody should ask the secondary storage how far it is, and say it to
    /// [`Self::hear_exported`].
    pub(crate) fn is_awaited(&self) -> bool {
        self.awaited.load(Ordering::Acquire)
    }

    /// See [`Self::is_awaited`].
    pub(crate) fn set_awaited(&self, awaited: bool) {
        self.awaited
            .store(awaited && self.exporting, Ordering::Release);
    }

    /// Says that the state was opened or exchanged and stands at `mark`.
    pub(crate) fn open_at(&self, mark: Mark) {
        self.each().for_each(|lane| lane.open_at(mark));
    }

    /// Says where a reader of what is not yet exported may begin.
    pub(crate) fn resume_at(&self, mark: Mark) {
        self.each().for_each(|lane| lane.resume_at(mark));
    }

    /// Ends the readers once they have read everything.
    pub(crate) fn close(&self) {
        self.each().for_each(FeedLane::close);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lanes(exporting: bool, beside: bool) -> Lanes {
        let mut options = BrokerOptions::new("nowhere");
        options.exporting = exporting;
        options.exporting_beside = beside;
        Lanes::new(&options)
    }

    fn done(lanes: &Lanes, export: Export, position: u64) {
        lanes.of(export).unwrap().acknowledge(Position(position));
    }

    #[test]
    fn the_log_is_kept_for_the_slower_export() {
        let both = lanes(true, true);
        done(&both, Export::Storage, 9);
        assert_eq!(both.acknowledged(), Position(0));
        done(&both, Export::Beside, 4);
        assert_eq!(both.acknowledged(), Position(4));
        both.acknowledge(Position(7));
        assert_eq!(both.acknowledged(), Position(7));
    }

    #[test]
    fn who_is_not_there_is_not_waited_for() {
        let alone = lanes(true, false);
        done(&alone, Export::Storage, 3);
        assert_eq!(alone.acknowledged(), Position(3));
        assert!(alone.of(Export::Beside).is_none());
        let beside = lanes(false, true);
        done(&beside, Export::Beside, 5);
        assert_eq!(beside.acknowledged(), Position(5));
    }
}
