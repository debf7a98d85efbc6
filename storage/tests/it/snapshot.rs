//! Snapshots from taking to restoring, and what becomes of damaged and unfinished ones.
//!
//! Over real directories: hard links and RocksDB are the point.

use std::path::Path;
use std::sync::mpsc::channel;

use ringflow_core::ids::Position;
use ringflow_core::state::store::{RowChange, StateRead, WriteSet};
use ringflow_storage::Error;
use ringflow_storage::snapshot::{self, Snapshot, SnapshotReader, Staging};
use ringflow_storage::state::{Applied, StateMemory, StateStore};

fn memory() -> StateMemory {
    StateMemory::new(16 << 20, 4 << 20).unwrap()
}

fn applied(index: u64) -> Applied {
    Applied {
        index,
        term: 2,
        position: Position(index * 3),
    }
}

fn put(store: &StateStore, index: u64) {
    let rows = vec![RowChange {
        key: index.to_be_bytes().into(),
        value: Some(vec![index as u8; 100].into()),
        born: true,
    }];
    store.commit(WriteSet { rows }, applied(index));
}

fn rows(store: &StateStore) -> u64 {
    let mut count = 0;
    store
        .scan(&[], &[0xff], &mut |_, _| {
            count += 1;
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
    count
}

struct Place {
    root: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("snapshots")).unwrap();
        Self { root }
    }

    fn state(&self) -> std::path::PathBuf {
        self.root.path().join("state")
    }

    fn snapshots(&self) -> std::path::PathBuf {
        self.root.path().join("snapshots")
    }
}

fn take(store: &StateStore, directory: &Path) -> Snapshot {
    let (tell, told) = channel();
    snapshot::take(
        store,
        directory,
        Box::new(move |taken| tell.send(taken).unwrap()),
    )
    .unwrap();
    told.recv().unwrap().unwrap()
}

fn receive(from: &Snapshot, directory: &Path) -> Result<Snapshot, Error> {
    let reader = SnapshotReader::open(from).unwrap();
    let mut staging = Staging::begin(directory, reader.manifest().encode().as_bytes())?;
    for file in 0..reader.manifest().files.len() {
        let mut offset = 0;
        loop {
            let chunk = reader.chunk(file, offset, 1000).unwrap();
            if chunk.is_empty() {
                break;
            }
            staging.write(file, offset, &chunk)?;
            offset += chunk.len() as u64;
        }
    }
    staging.finish()
}

#[test]
fn a_snapshot_holds_what_was_flushed_and_can_be_restored() {
    let place = Place::new();
    let store = StateStore::open(&place.state(), &memory()).unwrap();
    for index in 1..=50 {
        put(&store, index);
    }
    store.flush().unwrap();
    for index in 51..=60 {
        put(&store, index);
    }
    let taken = take(&store, &place.snapshots());
    assert_eq!(taken.applied(), applied(50));
    taken.verify().unwrap();
    store.flush().unwrap();
    let second = take(&store, &place.snapshots());
    assert_eq!(second.applied(), applied(60));
    let found = snapshot::newest(&place.snapshots()).unwrap();
    assert_eq!(found.newest, Some(second.clone()));
    assert!(found.skipped.is_empty());
    drop(store);

    snapshot::restore(&taken, &place.state()).unwrap();
    let store = StateStore::open(&place.state(), &memory()).unwrap();
    assert_eq!(store.applied(), applied(50));
    assert_eq!(rows(&store), 50);
    // Going on does not change the snapshot.
    for index in 51..=300 {
        put(&store, index);
    }
    store.persist().unwrap();
    taken.verify().unwrap();
    assert_eq!(
        snapshot::delete_old(&place.snapshots(), &second).unwrap(),
        1
    );
    assert!(!taken.path().exists());
    second.verify().unwrap();
}

#[test]
fn a_snapshot_of_the_same_state_is_taken_once() {
    let place = Place::new();
    let store = StateStore::open(&place.state(), &memory()).unwrap();
    put(&store, 1);
    store.flush().unwrap();
    let first = take(&store, &place.snapshots());
    assert_eq!(take(&store, &place.snapshots()), first);
    assert_eq!(std::fs::read_dir(place.snapshots()).unwrap().count(), 1);
}

#[test]
fn a_received_snapshot_becomes_the_state_of_another_broker() {
    let (here, there) = (Place::new(), Place::new());
    let store = StateStore::open(&here.state(), &memory()).unwrap();
    for index in 1..=200 {
        put(&store, index);
    }
    store.flush().unwrap();
    let sent = take(&store, &here.snapshots());
    let received = receive(&sent, &there.snapshots()).unwrap();
    assert_eq!(received.manifest(), sent.manifest());
    snapshot::restore(&received, &there.state()).unwrap();
    let copy = StateStore::open(&there.state(), &memory()).unwrap();
    assert_eq!(copy.applied(), applied(200));
    assert_eq!(rows(&copy), 200);
}

#[test]
fn a_transfer_that_breaks_off_or_lies_leaves_nothing() {
    let (here, there) = (Place::new(), Place::new());
    let store = StateStore::open(&here.state(), &memory()).unwrap();
    put(&store, 1);
    store.flush().unwrap();
    let sent = take(&store, &here.snapshots());
    let reader = SnapshotReader::open(&sent).unwrap();
    let manifest = reader.manifest().encode();

    let mut staging = Staging::begin(&there.snapshots(), manifest.as_bytes()).unwrap();
    let files = &reader.manifest().files;
    let file = files.iter().position(|file| file.len > 10).unwrap();
    let chunk = reader.chunk(file, 0, 10).unwrap();
    staging.write(file, 0, &chunk).unwrap();
    assert!(matches!(
        staging.write(file, 0, &chunk),
        Err(Error::Misuse(_))
    ));
    assert!(matches!(
        staging.write(file, 10, &vec![0; 10 << 20]),
        Err(Error::Misuse(_))
    ));
    assert!(matches!(staging.write(9999, 0, b""), Err(Error::Misuse(_))));
    drop(staging);
    assert_eq!(std::fs::read_dir(there.snapshots()).unwrap().count(), 0);

    // All bytes arrive, one of them changed on the way.
    let mut staging = Staging::begin(&there.snapshots(), manifest.as_bytes()).unwrap();
    for (file, listed) in reader.manifest().files.iter().enumerate() {
        let mut bytes = reader.chunk(file, 0, usize::MAX >> 1).unwrap();
        if listed.name.ends_with(".sst") {
            bytes[20] ^= 1;
        }
        staging.write(file, 0, &bytes).unwrap();
    }
    let error = staging.finish().unwrap_err();
    assert!(matches!(error, Error::Corrupt { .. }), "{error}");
    assert!(error.to_string().contains(".sst"), "{error}");
    assert_eq!(std::fs::read_dir(there.snapshots()).unwrap().count(), 0);
}

#[test]
fn damaged_and_unfinished_snapshots_are_passed_over() {
    let place = Place::new();
    let store = StateStore::open(&place.state(), &memory()).unwrap();
    let mut taken = Vec::new();
    for index in 1..=4 {
        put(&store, index);
        store.flush().unwrap();
        taken.push(take(&store, &place.snapshots()));
    }
    std::fs::create_dir(place.snapshots().join("pending-77")).unwrap();
    // The newest has no manifest, the next a damaged one, the third a file that was cut.
    std::fs::remove_file(taken[3].path().join("MANIFEST.ringflow")).unwrap();
    let manifest = taken[2].path().join("MANIFEST.ringflow");
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, text.replace("applied 3", "applied 4")).unwrap();
    let current = taken[1].path().join("CURRENT");
    std::fs::write(&current, b"").unwrap();
    let found = snapshot::newest(&place.snapshots()).unwrap();
    assert_eq!(found.newest, Some(taken[0].clone()));
    let reasons: Vec<String> = found
        .skipped
        .iter()
        .map(|(_, error)| error.to_string())
        .collect();
    assert_eq!(reasons.len(), 3);
    assert!(reasons[0].contains("MANIFEST.ringflow"), "{reasons:?}");
    assert!(
        reasons[1].contains("checksum of the manifest"),
        "{reasons:?}"
    );
    assert!(reasons[2].contains("file has 0 bytes"), "{reasons:?}");
    assert!(!place.snapshots().join("pending-77").exists());
}

#[test]
fn a_snapshot_with_a_flipped_bit_is_not_restored() {
    let place = Place::new();
    let store = StateStore::open(&place.state(), &memory()).unwrap();
    put(&store, 1);
    store.flush().unwrap();
    let taken = take(&store, &place.snapshots());
    drop(store);
    let table = taken
        .manifest()
        .files
        .iter()
        .find(|file| file.name.ends_with(".sst"))
        .unwrap();
    let path = taken.path().join(&table.name);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[5] ^= 0x20;
    std::fs::write(&path, bytes).unwrap();
    let error = snapshot::restore(&taken, &place.state()).unwrap_err();
    assert!(matches!(error, Error::Corrupt { .. }), "{error}");
    // The state that was there is still there.
    assert!(place.state().join("CURRENT").exists());
}
