//! Which position the log had reached before which entry.
//!
//! An entry that was built on a position the log never reached is refused by every replica, and
//! nothing in the log says so: whether one counts is only known to who follows the log from a place
//! of which the position is known. Marks are such places, noted as batches are applied. Each stands
//! right before a batch that counts, so a log that was forgotten up to a mark begins with one, which
//! is what a reader that knows no mark relies on.
//!
//! Owned by the shard; what the export reads by crosses over as one [`Mark`].

use std::collections::VecDeque;

use ringflow_core::ids::Position;

/// Marks held (16 bytes each); when there are more, every second one is dropped.
const HELD_MAX: usize = 16 * 1024;

/// A place in the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Mark {
    /// The entry before it; 0 = the place is the beginning of the log.
    pub(crate) index: u64,
    /// Position of the last record up to there.
    pub(crate) position: Position,
}

/// The marks of a partition, ascending.
#[derive(Debug)]
pub(crate) struct Marks {
    held: VecDeque<Mark>,
    /// One batch of so many is marked.
    stride: u64,
    since_mark: u64,
}

impl Default for Marks {
    fn default() -> Self {
        Self {
            held: VecDeque::new(),
            stride: 1,
            since_mark: 0,
        }
    }
}

impl Marks {
    /// Notes that entry `index` counts, its records following `base`.
    pub(crate) fn note(&mut self, index: u64, base: Position) {
        self.since_mark += 1;
        if self.since_mark < self.stride {
            return;
        }
        self.since_mark = 0;
        if self.held.len() >= HELD_MAX {
            let mut keep = false;
            self.held.retain(|_| {
                keep = !keep;
                keep
            });
            self.stride *= 2;
        }
        self.held.push_back(Mark {
            index: index - 1,
            position: base,
        });
    }

    /// The last mark that is neither behind `position` nor behind entry `index`.
    pub(crate) fn before(&self, position: Position, index: u64) -> Option<Mark> {
        let count = self
            .held
            .partition_point(|mark| mark.position <= position && mark.index <= index);
        count.checked_sub(1).map(|last| self.held[last])
    }

    /// Drops marks of what the log no longer has.
    pub(crate) fn forget(&mut self, upto: u64) {
        while self.held.front().is_some_and(|mark| mark.index < upto) {
            self.held.pop_front();
        }
        if self.held.len() < HELD_MAX / 8 {
            self.stride = 1;
        }
    }

    /// Drops all: the state is another one now.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_mark_in_front_is_found() {
        let mut marks = Marks::default();
        assert_eq!(marks.before(Position(u64::MAX), u64::MAX), None);
        // Entry 3 was refused.
        marks.note(2, Position(0));
        marks.note(4, Position(10));
        marks.note(5, Position(25));
        let mark = |index, position| {
            let position = Position(position);
            Some(Mark { index, position })
        };
        assert_eq!(marks.before(Position(9), 9), mark(1, 0));
        assert_eq!(marks.before(Position(10), 9), mark(3, 10));
        assert_eq!(marks.before(Position(99), 9), mark(4, 25));
        assert_eq!(marks.before(Position(99), 3), mark(3, 10));
        assert_eq!(marks.before(Position(99), 0), None);
        marks.forget(3);
        assert_eq!(marks.before(Position(9), 9), None);
        assert_eq!(marks.before(Position(10), 9), mark(3, 10));
    }

    #[test]
    fn marks_are_bounded_and_get_coarser() {
        let mut marks = Marks::default();
        for number in 0..(HELD_MAX as u64 * 5) {
            marks.note(number + 1, Position(number));
        }
        assert!(marks.held.len() <= HELD_MAX);
        assert!(marks.stride >= 4);
        let last = HELD_MAX as u64 * 5;
        let mark = marks.before(Position(last), last).unwrap();
        assert!(last - mark.index <= 2 * marks.stride, "{mark:?}");
        marks.forget(last);
        assert_eq!(marks.stride, 1);
    }
}
