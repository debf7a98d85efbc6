//! Each field of each file is damaged in turn: opening names the damage, or cuts what nobody was
//! promised; never is a wrong entry read, and never is one in the middle lost in silence.
//!
//! Over the memory disk, so that thousands of damaged copies cost little.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ringflow_storage::Error;
use ringflow_storage::disk::memory::MemoryDisk;
use ringflow_storage::disk::{BLOCK, Disk};
use ringflow_storage::log::{Flusher, Log, LogOptions};
use ringflow_storage::vote::VoteFile;

use super::log::{append, entry, options};

const DIRECTORY: &str = "log";

fn segment(generation: u64) -> PathBuf {
    Path::new(DIRECTORY).join(format!("segment-{generation:016x}.log"))
}

fn small() -> LogOptions {
    LogOptions {
        segment_bytes: 32 << 10,
        first_segment_bytes: 32 << 10,
        ..options()
    }
}

fn open(disk: &MemoryDisk) -> Result<(Log, u64), Error> {
    let flusher = Flusher::over("log", Arc::new(disk.clone()))?;
    let (log, recovered) = Log::open(Path::new(DIRECTORY), small(), flusher)?;
    Ok((log, recovered.last.index))
}

/// Ten entries, one batch of one block each: seven in the first segment, three in the second.
fn filled() -> MemoryDisk {
    let disk = MemoryDisk::new();
    let (mut log, _) = open(&disk).unwrap();
    for index in 1..=10 {
        append(&mut log, vec![entry(index, 1)]).unwrap();
    }
    log.close().unwrap();
    disk
}

/// Opens a damaged disk and checks that no wrong entry is read; the last index, or the error.
fn outcome(disk: &MemoryDisk, what: &str) -> Result<u64, Error> {
    let (mut log, last) = open(disk)?;
    for found in log.read(1..u64::MAX, usize::MAX)? {
        assert_eq!(found, entry(found.index, 1), "{what}");
    }
    Ok(last)
}

#[test]
fn damage_before_the_last_batch_is_named_with_file_and_offset() {
    let disk = filled();
    // The header of a batch, the header of its entry, its payload.
    for number in 0..7_u64 {
        let batch = (1 + number) * BLOCK as u64;
        for at in (0..64).chain(64..96).chain([96, 100]) {
            let what = format!("batch {number}, byte {at}");
            let payload = (number + 1) * 37 % 900;
            if at >= 96 + payload {
                continue;
            }
            let damaged = disk.crash(1);
            damaged.flip(&segment(1), batch + at, 0x04).unwrap();
            match outcome(&damaged, &what) {
                Err(Error::Corrupt { file, offset, .. }) => {
                    assert_eq!((file, offset), (segment(1), batch), "{what}");
                }
                other => panic!("{what}: {other:?}"),
            }
        }
    }
}

#[test]
fn damage_in_the_last_batch_cuts_that_batch_alone() {
    let disk = filled();
    let batch = 3 * BLOCK as u64;
    for at in 0..120 {
        let damaged = disk.crash(1);
        damaged.flip(&segment(2), batch + at, 0x80).unwrap();
        let what = format!("byte {at}");
        assert_eq!(outcome(&damaged, &what).unwrap(), 9, "{what}");
    }
}

#[test]
fn damage_of_a_segment_header_is_named() {
    let disk = filled();
    for generation in [1, 2, 3] {
        for at in 0..64 {
            let damaged = disk.crash(1);
            damaged.flip(&segment(generation), at, 0x01).unwrap();
            match outcome(&damaged, "header") {
                Err(Error::Corrupt { file, .. }) => assert_eq!(file, segment(generation)),
                other => panic!("segment {generation}, byte {at}: {other:?}"),
            }
        }
    }
}

#[test]
fn a_segment_cut_short_or_missing_is_named() {
    let disk = filled();
    for len in [0, 100, 4096, 8192, (32 << 10) - 1] {
        let damaged = disk.crash(1);
        damaged.truncate(&segment(2), len).unwrap();
        match outcome(&damaged, "length") {
            Err(Error::Corrupt { file, .. }) => assert_eq!(file, segment(2)),
            other => panic!("{len}: {other:?}"),
        }
    }
    let damaged = disk.crash(1);
    damaged.remove(&segment(2)).unwrap();
    let error = outcome(&damaged, "missing").unwrap_err();
    assert!(error.to_string().contains("segment is missing"), "{error}");
}

#[test]
fn a_log_of_another_partition_is_refused() {
    let disk = filled();
    let flusher = Flusher::over("log", Arc::new(disk)).unwrap();
    let other = LogOptions {
        partition: 8,
        ..small()
    };
    let error = Log::open(Path::new(DIRECTORY), other, flusher).unwrap_err();
    assert!(error.to_string().contains("partition 7, not 8"), "{error}");
}

#[test]
fn a_damaged_vote_is_never_an_older_vote() {
    let disk = filled();
    let path = Path::new("vote");
    let (log, _) = open(&disk).unwrap();
    let (mut vote, _) = VoteFile::open(path, &log).unwrap();
    vote.save_and_wait(b"old").unwrap();
    vote.save_and_wait(b"new").unwrap();
    drop(log);
    for at in (0..512).chain(BLOCK as u64..BLOCK as u64 + 512) {
        let damaged = disk.crash(1);
        damaged.flip(path, at, 0x10).unwrap();
        let (log, _) = open(&damaged).unwrap();
        match VoteFile::open(path, &log) {
            Err(Error::Corrupt { file, .. }) => assert_eq!(file, path),
            other => panic!("byte {at}: {:?}", other.map(|(_, record)| record)),
        }
    }
}
