//! Opening a data directory: what is created, what is refused, and in which words.

use ringflow_core::ids::PartitionId;
use ringflow_storage::{DataDir, DataDirOptions, Error};

#[test]
fn a_new_directory_is_made_and_found_again() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("a/b/data");
    let data = DataDir::open(&path, DataDirOptions::default()).unwrap();
    assert!(data.partitions().unwrap().is_empty());
    let partition = data.partition(PartitionId(3)).unwrap();
    assert!(partition.log().is_dir() && partition.snapshots().is_dir());
    assert_eq!(
        std::fs::read_to_string(path.join("VERSION")).unwrap(),
        "ringflow-data 1\n"
    );
    assert!(data.space().unwrap().free_bytes > 0);
    drop(data);
    let data = DataDir::open(&path, DataDirOptions::default()).unwrap();
    assert_eq!(data.partitions().unwrap(), vec![PartitionId(3)]);
}

#[test]
fn a_second_user_is_refused_and_told_who_holds_it() {
    let root = tempfile::tempdir().unwrap();
    let held = DataDir::open(root.path(), DataDirOptions::default()).unwrap();
    let error = DataDir::open(root.path(), DataDirOptions::default()).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains(&format!("in use by process {}", std::process::id())),
        "{text}"
    );
    drop(held);
    DataDir::open(root.path(), DataDirOptions::default()).unwrap();
}

#[test]
fn other_versions_are_refused_by_name() {
    let root = tempfile::tempdir().unwrap();
    let version = root.path().join("VERSION");
    std::fs::write(&version, "ringflow-data 7\n").unwrap();
    let error = DataDir::open(root.path(), DataDirOptions::default()).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("version 7") && text.contains("version 1"),
        "{text}"
    );
    std::fs::write(&version, "rubbish").unwrap();
    let error = DataDir::open(root.path(), DataDirOptions::default()).unwrap_err();
    assert!(matches!(error, Error::Corrupt { .. }), "{error}");
}

#[test]
fn a_directory_of_someone_else_is_not_touched() {
    let root = tempfile::tempdir().unwrap();
    std::fs::write(root.path().join("thesis.tex"), "").unwrap();
    let error = DataDir::open(root.path(), DataDirOptions::default()).unwrap_err();
    assert!(error.to_string().contains("thesis.tex"), "{error}");
    assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 1);
}

#[test]
fn a_missing_directory_and_a_full_disk_are_refused_if_asked() {
    let root = tempfile::tempdir().unwrap();
    let missing = DataDirOptions {
        create: false,
        ..DataDirOptions::default()
    };
    let error = DataDir::open(root.path().join("none"), missing).unwrap_err();
    assert!(error.to_string().contains("does not exist"), "{error}");
    let greedy = DataDirOptions {
        min_free_bytes: u64::MAX,
        ..DataDirOptions::default()
    };
    let error = DataDir::open(root.path(), greedy).unwrap_err();
    assert!(matches!(error, Error::Full { .. }), "{error}");
}
