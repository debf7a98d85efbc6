//! The engine's read port over the layers and RocksDB.
//!
//! A point read asks the layers from the newest down, then RocksDB. A scan merges all three in key
//! order; a row of a newer layer hides the same row below, and a deletion hides it altogether.
//! Every scan has an upper bound that RocksDB knows, so it never walks into what lies behind the
//! range (deleted rows included). Called on the store's thread; a miss of the caches reads the
//! disk there.

use std::iter::Peekable;
use std::ops::ControlFlow;

use ringflow_core::state::store::{ReadError, StateRead, Visit};
use rocksdb::ReadOptions;

use super::{CLOSED, PREFIX_LEN, RESERVED_PREFIX, StateStore};

impl StateRead for StateStore {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        let layers = self.layers.borrow();
        if let Some(value) = layers.pending.get(key) {
            return Ok(value.as_ref().map(|value| value.to_vec()));
        }
        if let Some(value) = layers.frozen.as_ref().and_then(|frozen| frozen.get(key)) {
            return Ok(value.as_ref().map(|value| value.to_vec()));
        }
        let db = self.db.borrow();
        let db = db.as_ref().ok_or_else(|| ReadError(CLOSED.to_owned()))?;
        db.get_opt(key, &self.point_read)
            .map_err(|error| ReadError(error.into_string()))
    }

    fn scan(&self, from: &[u8], to: &[u8], visit: Visit<'_>) -> Result<(), ReadError> {
        let to = to.min(RESERVED_PREFIX.as_slice());
        if from >= to {
            return Ok(());
        }
        let layers = self.layers.borrow();
        let frozen = layers
            .frozen
            .iter()
            .flat_map(|frozen| frozen.range(from, to));
        let mut above = Merged {
            newer: layers.pending.range(from, to).peekable(),
            older: frozen.peekable(),
        }
        .peekable();

        let mut options = ReadOptions::default();
        options.set_iterate_upper_bound(to);
        if is_within_one_prefix(from, to) {
            options.set_prefix_same_as_start(true);
        } else {
            options.set_total_order_seek(true);
        }
        let db = self.db.borrow();
        let db = db.as_ref().ok_or_else(|| ReadError(CLOSED.to_owned()))?;
        let mut below = db.raw_iterator_opt(options);
        below.seek(from);
        loop {
            let row = match (above.peek(), below.item()) {
                (None, None) => break,
                (Some((key, _)), Some((stored, _))) if *key > stored => below.item(),
                (Some((key, value)), stored) => {
                    let hides = stored.is_some_and(|(stored, _)| stored == *key);
                    let flow = match value {
                        Some(value) => visit(key, value),
                        None => ControlFlow::Continue(()),
                    };
                    if flow.is_break() {
                        return Ok(());
                    }
                    above.next();
                    if hides {
                        below.next();
                    }
                    continue;
                }
                (None, stored) => stored,
            };
            if let Some((key, value)) = row
                && visit(key, value).is_break()
            {
                return Ok(());
            }
            below.next();
        }
        below
            .status()
            .map_err(|error| ReadError(error.into_string()))
    }
}

/// True if every key of the range begins with the same prefix.
fn is_within_one_prefix(from: &[u8], to: &[u8]) -> bool {
    let Some(prefix) = from.get(..PREFIX_LEN) else {
        return false;
    };
    if to.starts_with(prefix) {
        return true;
    }
    // The least key behind all that begin with the prefix: its last byte that can grow, grown.
    let Some(last) = prefix.iter().rposition(|byte| *byte != 0xff) else {
        return false;
    };
    let mut successor = prefix[..=last].to_vec();
    successor[last] += 1;
    to <= successor.as_slice()
}

/// Two ordered sequences of rows as one; the newer hides the older.
struct Merged<A: Iterator, B: Iterator> {
    newer: Peekable<A>,
    older: Peekable<B>,
}

impl<'l, V, A, B> Iterator for Merged<A, B>
where
    A: Iterator<Item = (&'l [u8], V)>,
    B: Iterator<Item = (&'l [u8], V)>,
{
    type Item = (&'l [u8], V);

    fn next(&mut self) -> Option<Self::Item> {
        let order = match (self.newer.peek(), self.older.peek()) {
            (Some((newer, _)), Some((older, _))) => newer.cmp(older),
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, _) => std::cmp::Ordering::Greater,
        };
        match order {
            std::cmp::Ordering::Less => self.newer.next(),
            std::cmp::Ordering::Greater => self.older.next(),
            std::cmp::Ordering::Equal => {
                self.older.next();
                self.newer.next()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_one_prefix_are_recognised() {
        assert!(is_within_one_prefix(b"abcdefghi", b"abcdefghj"));
        assert!(is_within_one_prefix(b"abcdefghi-1", b"abcdefghi-7"));
        assert!(!is_within_one_prefix(b"abcdefghi", b"abcdefghk"));
        assert!(!is_within_one_prefix(b"abc", b"abd"));
        assert!(is_within_one_prefix(b"abcdefg\xff\xff", b"abcdefh"));
        assert!(!is_within_one_prefix(&[0xff; 9], &[0xff; 8]));
    }
}
