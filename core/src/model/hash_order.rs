//! The order in which Camunda's hash tables list what is in them.
//!
//! Where Camunda lists the members of a hash table, a client sees that order: in refusals and in
//! the variable that describes an ad-hoc sub-process. It follows from the hashes and from the size
//! of the table alone, so it is the same in every process there, and can be computed here. Tables
//! begin with 16 buckets and double when more than three quarters as many entries are in them;
//! entries of one bucket keep the order in which they came.

use std::hash::Hash;

use rustc_hash::FxHashSet;

/// Buckets of an empty table.
const BUCKETS_MIN: usize = 16;

/// Hash of a text (`String.hashCode`).
pub(crate) fn of_text(text: &str) -> u32 {
    let units = text.encode_utf16();
    units.fold(0, |hash: u32, unit| {
        hash.wrapping_mul(31).wrapping_add(u32::from(unit))
    })
}

/// Hash of the bytes of a text (`UnsafeBuffer.hashCode`); bytes are signed there.
pub(crate) fn of_bytes(text: &str) -> u32 {
    text.bytes().fold(19, |hash: u32, byte| {
        let signed = i32::from(byte.cast_signed()).cast_unsigned();
        hash.wrapping_mul(31).wrapping_add(signed)
    })
}

/// Hash of a number (`Long.hashCode`).
pub(crate) fn of_number(number: i64) -> u32 {
    let bits = number.cast_unsigned();
    (bits ^ bits >> 32) as u32
}

/// Distinct items as a table lists them that they were put into in their order.
pub(crate) fn in_table<T: Copy + Eq + Hash>(
    items: impl IntoIterator<Item = T>,
    hash: impl Fn(T) -> u32,
) -> Vec<T> {
    let mut known = FxHashSet::default();
    let mut listed: Vec<T> = items
        .into_iter()
        .filter(|item| known.insert(*item))
        .collect();
    let mut buckets = BUCKETS_MIN;
    while listed.len() > buckets / 4 * 3 {
        buckets *= 2;
    }
    listed.sort_by_key(|item| {
        let hash = hash(*item);
        (hash ^ hash >> 16) as usize & (buckets - 1)
    });
    listed
}

/// Distinct texts as a Scala hash table lists them: it grows before it is three quarters full, and
/// the entries of a bucket are in the order of their hashes.
pub(crate) fn in_scala_table<'t>(texts: impl IntoIterator<Item = &'t str>) -> Vec<&'t str> {
    let mixed = |text: &str| {
        let hash = of_text(text);
        hash ^ hash >> 16
    };
    let mut listed = in_table(texts, of_text);
    let mut buckets = BUCKETS_MIN;
    while listed.len() >= buckets / 4 * 3 {
        buckets *= 2;
    }
    listed.sort_by_key(|text| {
        let hash = mixed(text);
        (hash as usize & (buckets - 1), hash.cast_signed())
    });
    listed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_java() {
        assert_eq!(of_text("h42"), 101_606);
        assert_eq!(of_text(""), 0);
        assert_eq!(of_bytes(""), 19);
        assert_eq!(of_bytes("h42"), 667_635);
        assert_eq!(of_bytes("t46"), 679_171);
        assert_eq!(of_number(-1), 0);
        assert_eq!(of_number(2_251_799_813_685_249), 524_289);
    }

    #[test]
    fn tables_list_by_bucket_and_grow() {
        let twelve: Vec<String> = (0..12).map(|n| format!("t{n}")).collect();
        let thirteen: Vec<String> = (0..13).map(|n| format!("t{n}")).collect();
        let listed = |names: &[String]| {
            let names = names.iter().map(String::as_str);
            in_table(names, of_text).join(" ")
        };
        assert_eq!(listed(&twelve), "t4 t5 t6 t10 t7 t8 t9 t11 t0 t1 t2 t3");
        assert_eq!(
            listed(&thirteen),
            "t4 t5 t6 t7 t8 t9 t10 t12 t11 t0 t1 t2 t3"
        );
        assert_eq!(in_table([19, 3, 19, 1], |n: u32| n), [1, 19, 3]);
    }

    #[test]
    fn scala_lists_by_bucket_and_hash() {
        let listed = |one, other| in_scala_table([one, other]);
        assert_eq!(listed("d1_13003", "d2_13003"), ["d1_13003", "d2_13003"]);
        assert_eq!(listed("d1_13004", "d2_13004"), ["d2_13004", "d1_13004"]);
    }
}
