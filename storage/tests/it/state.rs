//! The state store against a plain map: whatever is committed, flushed, stalled and reopened, reads
//! and scans show what the map shows.
//!
//! Random but seeded: the seed of a failing run is in the message of the assertion.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;

use ringflow_core::ids::Position;
use ringflow_core::state::store::{RowChange, StateRead, WriteSet};
use ringflow_storage::state::{Applied, Flushed, PendingLimit, StateMemory, StateStore};

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

/// xorshift: enough for tests, and the same everywhere.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

fn memory() -> StateMemory {
    StateMemory::new(16 << 20, 4 << 20).unwrap()
}

fn applied(index: u64) -> Applied {
    Applied {
        index,
        term: 1,
        position: Position(index * 10),
    }
}

/// Few families and groups, so that rows meet again; short keys among them.
fn key(random: &mut Random) -> Vec<u8> {
    let mut key = vec![random.below(3) as u8];
    if random.below(8) > 0 {
        key.extend_from_slice(&random.below(4).to_be_bytes());
        for _ in 0..random.below(3) {
            key.push(random.below(3) as u8 * 0x7f);
        }
    }
    key
}

fn step(random: &mut Random, model: &mut Model) -> WriteSet {
    let mut rows: BTreeMap<Vec<u8>, RowChange> = BTreeMap::new();
    for _ in 0..random.below(12) {
        let key = key(random);
        if rows.contains_key(&key) {
            continue;
        }
        let there = model.contains_key(&key);
        let value = (random.below(3) > 0).then(|| vec![random.below(256) as u8; 5]);
        if value.is_none() && !there && random.below(2) == 0 {
            continue;
        }
        match &value {
            Some(value) => model.insert(key.clone(), value.clone()),
            None => model.remove(&key),
        };
        rows.insert(
            key.clone(),
            RowChange {
                key: key.into(),
                value: value.map(Into::into),
                // The engine does not always know.
                born: !there && random.below(4) > 0,
            },
        );
    }
    WriteSet {
        rows: rows.into_values().collect(),
    }
}

fn scan(store: &StateStore, from: &[u8], to: &[u8], limit: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut found = Vec::new();
    store
        .scan(from, to, &mut |key, value| {
            found.push((key.to_vec(), value.to_vec()));
            if found.len() >= limit {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })
        .unwrap();
    found
}

fn compare(store: &StateStore, model: &Model, random: &mut Random, seed: u64) {
    for _ in 0..4 {
        let key = key(random);
        assert_eq!(
            store.get(&key).unwrap(),
            model.get(&key).cloned(),
            "seed {seed}"
        );
        let (mut from, mut to) = (key, self::key(random));
        if random.below(2) == 0 {
            // A group: everything behind one prefix.
            to = from.clone();
            to.push(0xff);
        }
        if from > to {
            std::mem::swap(&mut from, &mut to);
        }
        let limit = 1 + random.below(30) as usize;
        let expected: Vec<_> = model
            .range(from.clone()..to.clone())
            .take(limit)
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        assert_eq!(
            scan(store, &from, &to, limit),
            expected,
            "seed {seed}, from {from:?} to {to:?}"
        );
    }
}

fn whole(store: &StateStore) -> Model {
    scan(store, &[], &[0xff; 16], usize::MAX)
        .into_iter()
        .collect()
}

#[test]
fn random_commits_and_flushes_read_like_a_map() {
    let memory = memory();
    for seed in 1..=12 {
        let directory = tempfile::tempdir().unwrap();
        let mut random = Random::new(seed);
        let mut model = Model::new();
        let mut store = StateStore::open(directory.path(), &memory).unwrap();
        let mut job = None;
        for index in 1..=120 {
            store.commit(step(&mut random, &mut model), applied(index));
            assert_eq!(store.applied(), applied(index));
            match random.below(12) {
                0 if job.is_none() => {
                    store.flush().unwrap();
                    assert_eq!(store.persisted(), applied(index));
                    assert_eq!(store.pending_bytes(), 0);
                }
                1 if job.is_none() => job = store.begin_flush(),
                2 | 3 => {
                    if let Some(job) = job.take() {
                        let outcome = std::thread::spawn(move || job.run()).join().unwrap();
                        assert_eq!(store.finish_flush(outcome).unwrap(), Flushed::Written);
                    }
                }
                4 if job.is_none() => {
                    store.persist().unwrap();
                    drop(store);
                    store = StateStore::open(directory.path(), &memory).unwrap();
                    assert_eq!(store.applied(), applied(index));
                    assert_eq!(whole(&store), model, "seed {seed}");
                }
                _ => {}
            }
            compare(&store, &model, &mut random, seed);
        }
        assert_eq!(whole(&store), model, "seed {seed}");
    }
}

fn set(key: &[u8], value: Option<&[u8]>, born: bool) -> WriteSet {
    WriteSet {
        rows: vec![RowChange {
            key: key.into(),
            value: value.map(Into::into),
            born,
        }],
    }
}

#[test]
fn a_row_born_and_dead_between_flushes_never_reaches_rocksdb() {
    let directory = tempfile::tempdir().unwrap();
    let store = StateStore::open(directory.path(), &memory()).unwrap();
    store.commit(set(b"\x01row", Some(b"a"), true), applied(1));
    store.commit(set(b"\x01row", None, false), applied(2));
    assert_eq!(store.pending_bytes(), 0);
    assert_eq!(store.flush().unwrap(), Flushed::Written);
    assert_eq!(store.persisted(), applied(2));
    assert_eq!(store.flush().unwrap(), Flushed::Nothing);
}

/// A row in RocksDB that dies and is born again within one window: its second death must still
/// reach RocksDB, or the first life would come back.
#[test]
fn a_row_reborn_above_an_older_self_does_not_come_back() {
    let directory = tempfile::tempdir().unwrap();
    let store = StateStore::open(directory.path(), &memory()).unwrap();
    store.commit(set(b"\x01row", Some(b"old"), true), applied(1));
    store.flush().unwrap();
    store.commit(set(b"\x01row", None, false), applied(2));
    store.commit(set(b"\x01row", Some(b"new"), true), applied(3));
    store.commit(set(b"\x01row", None, false), applied(4));
    assert_eq!(store.get(b"\x01row").unwrap(), None);
    store.flush().unwrap();
    assert_eq!(store.get(b"\x01row").unwrap(), None);
}

/// The same across a flush that is still under way.
#[test]
fn a_row_reborn_above_a_frozen_layer_does_not_come_back() {
    let directory = tempfile::tempdir().unwrap();
    let store = StateStore::open(directory.path(), &memory()).unwrap();
    store.commit(set(b"\x01row", Some(b"old"), true), applied(1));
    let job = store.begin_flush().unwrap();
    assert!(store.begin_flush().is_none());
    store.commit(set(b"\x01row", None, false), applied(2));
    assert_eq!(store.get(b"\x01row").unwrap(), None);
    assert_eq!(store.finish_flush(job.run()).unwrap(), Flushed::Written);
    assert_eq!(store.persisted(), applied(1));
    assert_eq!(store.get(b"\x01row").unwrap(), None);
    store.flush().unwrap();
    assert_eq!(store.persisted(), applied(2));
    assert_eq!(whole(&store), Model::new());
}

#[test]
fn flushes_fall_due_by_bytes_and_by_age() {
    let directory = tempfile::tempdir().unwrap();
    let store = StateStore::open(directory.path(), &memory()).unwrap();
    let now = std::time::Instant::now();
    let hour = std::time::Duration::from_secs(3600);
    let never = PendingLimit {
        bytes: usize::MAX,
        age: hour,
    };
    assert!(!store.flush_due(
        PendingLimit {
            bytes: 0,
            age: std::time::Duration::ZERO,
        },
        now
    ));
    store.commit(set(b"\x01row", Some(&[0; 500]), true), applied(1));
    assert!(!store.flush_due(never, now));
    assert!(store.flush_due(
        PendingLimit {
            bytes: 500,
            ..never
        },
        now
    ));
    assert!(store.flush_due(
        PendingLimit {
            age: std::time::Duration::ZERO,
            ..never
        },
        now
    ));
    store.flush().unwrap();
    assert!(!store.flush_due(
        PendingLimit {
            bytes: 0,
            age: std::time::Duration::ZERO,
        },
        now
    ));
}

#[test]
#[should_panic(expected = "out of order")]
fn commits_out_of_order_are_a_bug() {
    let directory = tempfile::tempdir().unwrap();
    let store = StateStore::open(directory.path(), &memory()).unwrap();
    store.commit(WriteSet::default(), applied(2));
    store.commit(WriteSet::default(), applied(1));
}

/// A directory is used by one store at a time.
#[test]
fn a_store_that_is_open_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path: &Path = directory.path();
    let _open = StateStore::open(path, &memory()).unwrap();
    let error = StateStore::open(path, &memory()).unwrap_err();
    assert!(error.to_string().contains("cannot open"), "{error}");
}
