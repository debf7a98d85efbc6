//! Row keys: one family byte, then fields encoded so that byte order is field order.
//!
//! Invariants: the encoding of a field is never a proper prefix of another value's encoding of the
//! same type, so tuples compare field by field; what was encoded decodes to the same value.
//!
//! | type | bytes |
//! |---|---|
//! | signed integers, keys, times | big endian, sign bit flipped |
//! | unsigned integers | big endian |
//! | text | bytes with 00 written as 00 FF, then 00 01 |

use std::fmt::Debug;
use std::hash::Hash;

use crate::ids::{Key, PartitionId, Position, Timestamp};
use crate::record::Text;

/// A type that can be (part of) a row key.
pub trait RowKey: Clone + Eq + Ord + Hash + Debug {
    /// Appends the order-preserving form.
    fn put(&self, out: &mut Vec<u8>);
    /// Takes the form off the front of `bytes`; `None` if `bytes` do not start with one.
    fn take(bytes: &mut &[u8]) -> Option<Self>;
}

fn chunk<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*head)
}

macro_rules! unsigned_key {
    ($($type:ty),+) => {$(
        impl RowKey for $type {
            fn put(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_be_bytes());
            }
            fn take(bytes: &mut &[u8]) -> Option<Self> {
                chunk(bytes).map(<$type>::from_be_bytes)
            }
        }
    )+};
}
unsigned_key!(u8, u16, u32, u64);

macro_rules! signed_key {
    ($($type:ty as $unsigned:ty),+) => {$(
        impl RowKey for $type {
            fn put(&self, out: &mut Vec<u8>) {
                ((*self as $unsigned) ^ (1 << (<$unsigned>::BITS - 1))).put(out);
            }
            fn take(bytes: &mut &[u8]) -> Option<Self> {
                <$unsigned>::take(bytes).map(|v| (v ^ (1 << (<$unsigned>::BITS - 1))) as $type)
            }
        }
    )+};
}
signed_key!(i32 as u32, i64 as u64);

macro_rules! wrapped_key {
    ($($type:ident($inner:ty)),+) => {$(
        impl RowKey for $type {
            fn put(&self, out: &mut Vec<u8>) {
                self.0.put(out);
            }
            fn take(bytes: &mut &[u8]) -> Option<Self> {
                <$inner>::take(bytes).map($type)
            }
        }
    )+};
}
wrapped_key!(Key(i64), Timestamp(i64), PartitionId(u16), Position(u64));

impl RowKey for Text {
    fn put(&self, out: &mut Vec<u8>) {
        for &byte in self.as_bytes() {
            out.push(byte);
            if byte == 0 {
                out.push(0xff);
            }
        }
        out.extend_from_slice(&[0, 1]);
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        let mut text = Vec::new();
        loop {
            let end = memchr::memchr(0, bytes)?;
            text.extend_from_slice(&bytes[..end]);
            let mark = *bytes.get(end + 1)?;
            *bytes = &bytes[end + 2..];
            match mark {
                0xff => text.push(0),
                1 => return std::str::from_utf8(&text).ok().map(Self::from),
                _ => return None,
            }
        }
    }
}

macro_rules! tuple_key {
    ($($name:ident $at:tt),+) => {
        impl<$($name: RowKey),+> RowKey for ($($name,)+) {
            fn put(&self, out: &mut Vec<u8>) {
                $(self.$at.put(out);)+
            }
            fn take(bytes: &mut &[u8]) -> Option<Self> {
                Some(($($name::take(bytes)?,)+))
            }
        }
    };
}
tuple_key!(A 0, B 1);
tuple_key!(A 0, B 1, C 2);
tuple_key!(A 0, B 1, C 2, D 3);

/// The smallest byte string greater than every one that starts with `prefix`.
#[must_use]
pub fn after_prefix(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.last_mut() {
        if *last < 0xff {
            *last += 1;
            return end;
        }
        end.pop();
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(key: &impl RowKey) -> Vec<u8> {
        let mut out = Vec::new();
        key.put(&mut out);
        out
    }

    fn check<K: RowKey>(mut keys: Vec<K>) {
        for key in &keys {
            let encoded = bytes(key);
            let mut rest = encoded.as_slice();
            assert_eq!(K::take(&mut rest).as_ref(), Some(key));
            assert!(rest.is_empty());
        }
        let mut by_bytes = keys.clone();
        by_bytes.sort_by_key(bytes);
        keys.sort();
        assert_eq!(by_bytes, keys);
    }

    #[test]
    fn byte_order_is_field_order() {
        check(vec![Key(-1), Key(0), Key(7), Key(i64::MAX), Key(i64::MIN)]);
        check(vec![-5_i32, 0, 300, i32::MIN]);
        check(
            ["", "a", "a\0", "a\0b", "ab", "b", "\0"]
                .into_iter()
                .flat_map(|text| [(Text::from(text), 2_u16), (Text::from(text), 1)])
                .collect(),
        );
    }

    #[test]
    fn the_end_of_a_prefix_is_exclusive() {
        assert_eq!(after_prefix(&[7, 0xff]), vec![8]);
        assert_eq!(after_prefix(&[7, 1]), vec![7, 2]);
    }
}
