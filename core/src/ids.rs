//! Identity and order in one partition and across partitions: keys, partitions, positions, times.
//!
//! A key is `partition << 51 | counter` (13 bits of partition, 51 bits of counter), exactly as
//! Camunda lays it out (`Protocol.java`), because clients and tools take keys apart. Positions
//! number the records of one partition from 1 without gaps. No naked integer crosses a signature
//! where one of these is meant.

use std::fmt;

/// Bits of a [`Key`] that hold the counter.
pub const KEY_COUNTER_BITS: u32 = 51;
/// Largest counter of a [`Key`].
pub const KEY_COUNTER_MAX: i64 = (1 << KEY_COUNTER_BITS) - 1;
/// Largest partition number (13 bits, the sign bit stays clear).
pub const PARTITION_MAX: u16 = 4095;

/// Identity of an entity, unique in the cluster and never reused; -1 where there is none.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(pub i64);

impl Key {
    /// Stands where no entity is meant (Camunda's -1).
    pub const NONE: Self = Self(-1);

    /// The key number `counter` of `partition`.
    #[must_use]
    pub const fn new(partition: PartitionId, counter: i64) -> Self {
        Self(((partition.0 as i64) << KEY_COUNTER_BITS) | (counter & KEY_COUNTER_MAX))
    }

    /// The partition that generated this key; commands that carry the key are routed there.
    /// Zero or nonsense for keys that no partition generated.
    #[must_use]
    pub const fn partition(self) -> PartitionId {
        PartitionId((self.0 >> KEY_COUNTER_BITS) as u16)
    }

    /// The counter part.
    #[must_use]
    pub const fn counter(self) -> i64 {
        self.0 & KEY_COUNTER_MAX
    }

    /// False for [`Key::NONE`] and every other non-positive number.
    #[must_use]
    pub const fn is_some(self) -> bool {
        self.0 > 0
    }
}

impl Default for Key {
    fn default() -> Self {
        Self::NONE
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_some() {
            write!(f, "K{:02}-{}", self.partition().0, self.counter())
        } else {
            write!(f, "K{}", self.0)
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A partition, numbered from 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PartitionId(pub u16);

impl PartitionId {
    /// The partition that accepts deployments and everything else that is distributed.
    pub const DEPLOYMENT: Self = Self(1);

    /// The partition a correlation key (or business id) belongs to among `count` partitions:
    /// a 31-multiplier hash over the UTF-8 bytes taken as signed, truncated modulo, absolute value
    /// (Camunda's `SubscriptionUtil`). Empty text belongs to partition 1.
    #[must_use]
    pub fn of_correlation_key(correlation_key: &str, count: u16) -> Self {
        let hash = correlation_key.bytes().fold(0_i32, |hash, byte| {
            hash.wrapping_mul(31).wrapping_add(i32::from(byte as i8))
        });
        Self((hash % i32::from(count.max(1))).unsigned_abs() as u16 + 1)
    }
}

impl fmt::Display for PartitionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Number of a record in its partition, from 1 without gaps; 0 = before the first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Position(pub u64);

impl Position {
    /// The position after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Milliseconds since the Unix epoch, as the shard stamped them; -1 where there is none.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Stands where no time is meant.
    pub const NONE: Self = Self(-1);

    /// This time plus `millis`, saturating.
    #[must_use]
    pub const fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }
}

impl Default for Timestamp {
    fn default() -> Self {
        Self::NONE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_laid_out_as_camunda_lays_them_out() {
        assert_eq!(Key::new(PartitionId(1), 1).0, 2_251_799_813_685_249);
        assert_eq!(Key::new(PartitionId(2), 1).0, 4_503_599_627_370_497);
        assert_eq!(Key(4_503_599_627_370_497).partition(), PartitionId(2));
        assert_eq!(Key(4_503_599_627_370_497).counter(), 1);
    }

    #[test]
    fn correlation_keys_hash_over_signed_bytes() {
        // "abc".hashCode() = 96354; 96354 % 3 = 0.
        assert_eq!(PartitionId::of_correlation_key("abc", 3), PartitionId(1));
        assert_eq!(PartitionId::of_correlation_key("", 8), PartitionId(1));
        // U+00E9 is C3 A9: 31 * -61 + -87 = -1978; -1978 % 5 = -3.
        assert_eq!(PartitionId::of_correlation_key("\u{e9}", 5), PartitionId(4));
    }
}
