//! The log through its public surface, over real files and every way commits can take.
//!
//! Small segments, so that rolling, recycling and purging happen within a few entries.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use bytes::Bytes;
use ringflow_storage::Error;
use ringflow_storage::disk::memory::MemoryDisk;
use ringflow_storage::log::{EntryId, Flusher, IoChoice, Log, LogEntry, LogOptions, OnDurable};

pub(super) fn options() -> LogOptions {
    LogOptions {
        partition: 7,
        segment_bytes: 64 << 10,
        first_segment_bytes: 64 << 10,
        max_batch_bytes: 16 << 10,
        resident_bytes: 8 << 10,
        spare_segments: 2,
    }
}

/// An entry whose payload can be recomputed from its index and term.
pub(super) fn entry(index: u64, term: u64) -> LogEntry {
    let len = (index * 37 % 900) as usize;
    let payload: Vec<u8> = (0..len)
        .map(|at| (at as u64 ^ index.wrapping_mul(31) ^ term) as u8)
        .collect();
    LogEntry {
        index,
        term,
        payload: Bytes::from(payload),
    }
}

pub(super) fn entries(from: u64, to: u64, term: u64) -> Vec<LogEntry> {
    (from..=to).map(|index| entry(index, term)).collect()
}

pub(super) fn waiting() -> (OnDurable, Receiver<Result<(), Error>>) {
    let (tell, told) = channel();
    let call: OnDurable = Box::new(move |outcome| {
        let _ = tell.send(outcome);
    });
    (call, told)
}

pub(super) fn append(log: &mut Log, entries: Vec<LogEntry>) -> Result<(), Error> {
    let (call, told) = waiting();
    log.append(entries, call)?;
    told.recv().unwrap()
}

fn truncate(log: &mut Log, from: u64) {
    let (call, told) = waiting();
    log.truncate_suffix(from, call).unwrap();
    told.recv().unwrap().unwrap();
}

fn purge(log: &mut Log, index: u64, term: u64) {
    let (call, told) = waiting();
    log.purge_prefix(EntryId { index, term }, call).unwrap();
    told.recv().unwrap().unwrap();
}

fn read_all(log: &mut Log, from: u64) -> Vec<LogEntry> {
    log.read(from..u64::MAX, usize::MAX).unwrap()
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn every_way_of_committing_keeps_what_was_appended() {
    for choice in [IoChoice::Plain, IoChoice::Auto] {
        let directory = tempfile::tempdir().unwrap();
        let flusher = Flusher::start("log", choice).unwrap();
        let (mut log, recovered) = Log::open(directory.path(), options(), flusher.clone()).unwrap();
        assert_eq!(recovered.last, EntryId::default());
        for first in (1..=200).step_by(4) {
            append(&mut log, entries(first, first + 3, 1)).unwrap();
        }
        log.set_committed(190);
        append(&mut log, entries(201, 201, 2)).unwrap();
        assert_eq!(log.durable(), 201);
        let mut expected = entries(1, 200, 1);
        expected.push(entry(201, 2));
        assert_eq!(read_all(&mut log, 1), expected);
        log.close().unwrap();

        let (mut log, recovered) = Log::open(directory.path(), options(), flusher).unwrap();
        assert_eq!(
            recovered.last,
            EntryId {
                index: 201,
                term: 2
            }
        );
        assert_eq!(recovered.purged, EntryId::default());
        assert_eq!(recovered.committed, 190);
        assert_eq!(recovered.cut, None);
        assert_eq!(read_all(&mut log, 1), expected);
        assert_eq!(read_all(&mut log, 100), expected[99..]);
        assert_eq!(log.read(5..8, usize::MAX).unwrap(), expected[4..7]);
        assert_eq!(log.read(5..8, 0).unwrap(), expected[4..5]);
        assert!(log.read(202..300, 0).unwrap().is_empty());
    }
}

#[test]
fn callbacks_come_in_order_and_groups_share_a_flush() {
    let directory = tempfile::tempdir().unwrap();
    let flusher = Flusher::start("log", IoChoice::Plain).unwrap();
    let (mut log, _) = Log::open(directory.path(), options(), flusher).unwrap();
    let (tell, told) = channel();
    for index in 1..=300 {
        let tell = tell.clone();
        log.append(
            vec![entry(index, 1)],
            Box::new(move |outcome| {
                outcome.unwrap();
                tell.send(index).unwrap();
            }),
        )
        .unwrap();
        // Readable at once.
        assert_eq!(
            log.read(index..index + 1, 0).unwrap(),
            vec![entry(index, 1)]
        );
    }
    drop(tell);
    log.close().unwrap();
    assert_eq!(
        told.iter().collect::<Vec<_>>(),
        (1..=300).collect::<Vec<_>>()
    );
}

#[test]
fn a_truncated_suffix_stays_away() {
    let directory = tempfile::tempdir().unwrap();
    let flusher = Flusher::start("log", IoChoice::Plain).unwrap();
    let (mut log, _) = Log::open(directory.path(), options(), flusher.clone()).unwrap();
    for first in (1..=100).step_by(10) {
        append(&mut log, entries(first, first + 9, 1)).unwrap();
    }
    truncate(&mut log, 55);
    assert_eq!(log.last(), EntryId { index: 54, term: 1 });
    assert_eq!(log.durable(), 54);
    log.close().unwrap();
    let (mut log, recovered) = Log::open(directory.path(), options(), flusher.clone()).unwrap();
    assert_eq!(recovered.last, EntryId { index: 54, term: 1 });
    append(&mut log, entries(55, 60, 2)).unwrap();
    truncate(&mut log, 58);
    // Not waited for: the append behind it must not overtake it.
    let (call, cut) = waiting();
    log.truncate_suffix(56, call).unwrap();
    append(&mut log, entries(56, 90, 3)).unwrap();
    cut.recv().unwrap().unwrap();
    let mut expected = entries(1, 54, 1);
    expected.push(entry(55, 2));
    expected.extend(entries(56, 90, 3));
    assert_eq!(read_all(&mut log, 1), expected);
    let mut reader = log.reader();
    assert_eq!(reader.read(50, usize::MAX).unwrap()[..5], expected[49..54]);
    log.close().unwrap();
    let (mut log, _) = Log::open(directory.path(), options(), flusher).unwrap();
    assert_eq!(read_all(&mut log, 1), expected);
}

#[test]
fn purged_segments_are_used_again() {
    let directory = tempfile::tempdir().unwrap();
    let flusher = Flusher::start("log", IoChoice::Plain).unwrap();
    let (mut log, _) = Log::open(directory.path(), options(), flusher.clone()).unwrap();
    let mut index = 0;
    for round in 0..60 {
        append(&mut log, entries(index + 1, index + 20, 1)).unwrap();
        index += 20;
        if round % 3 == 2 {
            purge(&mut log, index - 10, 1);
            assert_eq!(log.purged().index, index - 10);
            assert!(matches!(
                log.read(index - 10..index, 0),
                Err(Error::OutOfRange { .. })
            ));
        }
    }
    assert_eq!(read_all(&mut log, index - 9), entries(index - 9, index, 1));
    log.close().unwrap();
    let names = names(directory.path());
    assert!(names.len() <= 6, "segments pile up: {names:?}");
    assert!(
        !names.contains(&"segment-0000000000000001.log".to_owned()),
        "{names:?}"
    );
    let (mut log, recovered) = Log::open(directory.path(), options(), flusher).unwrap();
    assert_eq!(recovered.last, EntryId { index, term: 1 });
    // Whole segments only: some purged entries may be back, never fewer than were kept.
    assert!(recovered.purged.index <= index - 10);
    let first = recovered.purged.index + 1;
    assert_eq!(read_all(&mut log, first), entries(first, index, 1));
}

#[test]
fn a_log_restarts_behind_an_installed_snapshot() {
    let directory = tempfile::tempdir().unwrap();
    let flusher = Flusher::start("log", IoChoice::Plain).unwrap();
    let (mut log, _) = Log::open(directory.path(), options(), flusher.clone()).unwrap();
    append(&mut log, entries(1, 150, 1)).unwrap();
    purge(&mut log, 1000, 4);
    assert_eq!(
        log.last(),
        EntryId {
            index: 1000,
            term: 4
        }
    );
    append(&mut log, entries(1001, 1010, 5)).unwrap();
    assert_eq!(read_all(&mut log, 1001), entries(1001, 1010, 5));
    log.close().unwrap();
    let (mut log, recovered) = Log::open(directory.path(), options(), flusher).unwrap();
    assert_eq!(
        recovered.purged,
        EntryId {
            index: 1000,
            term: 4
        }
    );
    assert_eq!(read_all(&mut log, 1001), entries(1001, 1010, 5));
}

#[test]
fn a_reader_follows_the_writer_over_rolls_truncations_and_purges() {
    let directory = tempfile::tempdir().unwrap();
    let flusher = Flusher::start("log", IoChoice::Plain).unwrap();
    let (mut log, _) = Log::open(directory.path(), options(), flusher).unwrap();
    const LAST: u64 = 2000;
    let mut reader = log.reader();
    let follower = std::thread::spawn(move || {
        let mut next = 1;
        let mut purged = 0;
        while next <= LAST {
            match reader.read(next, 4096) {
                Ok(entries) => {
                    for found in entries {
                        assert_eq!(found, entry(next, 1));
                        next += 1;
                    }
                    std::thread::yield_now();
                }
                Err(Error::OutOfRange { first, .. }) => {
                    assert!(first > next);
                    purged += first - next;
                    next = first;
                }
                Err(error) => panic!("{error}"),
            }
        }
        purged
    });
    let mut index = 0;
    while index < LAST {
        append(&mut log, entries(index + 1, index + 10, 1)).unwrap();
        index += 10;
        if index % 100 == 0 && index < LAST {
            // The same entries again, behind a cut: the reader cannot tell, and must not stumble.
            truncate(&mut log, index - 20);
            append(&mut log, entries(index - 20, index, 1)).unwrap();
        }
        if index % 150 == 0 {
            purge(&mut log, index - 100, 1);
        }
    }
    let purged = follower.join().unwrap();
    assert!(purged < LAST);
}

#[test]
fn entries_that_do_not_follow_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let flusher = Flusher::start("log", IoChoice::Plain).unwrap();
    let (mut log, _) = Log::open(directory.path(), options(), flusher).unwrap();
    append(&mut log, entries(1, 2, 3)).unwrap();
    for wrong in [entry(4, 3), entry(2, 3), entry(3, 2)] {
        let (call, _) = waiting();
        assert!(matches!(
            log.append(vec![wrong], call),
            Err(Error::Misuse(_))
        ));
    }
    let (call, _) = waiting();
    let huge = LogEntry {
        index: 3,
        term: 3,
        payload: Bytes::from(vec![0; 16 << 10]),
    };
    assert!(matches!(
        log.append(vec![huge], call),
        Err(Error::Misuse(_))
    ));
    let largest = LogEntry {
        index: 3,
        term: 3,
        payload: Bytes::from(vec![1; (16 << 10) - 32]),
    };
    append(&mut log, vec![largest]).unwrap();
}

#[test]
fn options_out_of_bounds_name_the_field() {
    let directory = tempfile::tempdir().unwrap();
    let flusher = Flusher::start("log", IoChoice::Plain).unwrap();
    let wrong = LogOptions {
        segment_bytes: 8192,
        ..options()
    };
    let error = Log::open(directory.path(), wrong, flusher).unwrap_err();
    assert!(error.to_string().contains("segment_bytes"), "{error}");
}

/// The segment that a truncation reaches back into is purged; the oldest one left begins with
/// entries that the truncation voided. They must not be taken for the start of the log.
#[test]
fn a_cut_that_reaches_behind_the_oldest_segment_is_understood() {
    let directory = tempfile::tempdir().unwrap();
    let flusher = Flusher::start("log", IoChoice::Plain).unwrap();
    let (mut log, _) = Log::open(directory.path(), options(), flusher.clone()).unwrap();
    // One block each: 15 in the first segment, the rest in the second.
    for index in 1..=20 {
        append(&mut log, entries(index, index, 1)).unwrap();
    }
    truncate(&mut log, 11);
    append(&mut log, entries(11, 20, 2)).unwrap();
    purge(&mut log, 12, 2);
    log.close().unwrap();
    let first = directory.path().join("segment-0000000000000001.log");
    assert!(!first.exists());
    let (mut log, recovered) = Log::open(directory.path(), options(), flusher).unwrap();
    assert_eq!(recovered.purged, EntryId { index: 10, term: 1 });
    assert_eq!(read_all(&mut log, 11), entries(11, 20, 2));
}

/// More files than one submission of the ring holds, committed by one thread.
#[test]
fn many_logs_share_a_flusher() {
    const LOGS: usize = 40;
    for choice in [IoChoice::Plain, IoChoice::Auto] {
        let root = tempfile::tempdir().unwrap();
        let flusher = Flusher::start("log", choice).unwrap();
        let mut logs = Vec::new();
        for number in 0..LOGS {
            let directory = root.path().join(number.to_string());
            std::fs::create_dir(&directory).unwrap();
            let (log, _) = Log::open(&directory, options(), flusher.clone()).unwrap();
            logs.push(log);
        }
        let mut told = Vec::new();
        for first in [1, 11, 21] {
            for (number, log) in logs.iter_mut().enumerate() {
                let (call, wait) = waiting();
                log.append(entries(first, first + 9, number as u64 + 1), call)
                    .unwrap();
                told.push(wait);
            }
        }
        for wait in told {
            wait.recv().unwrap().unwrap();
        }
        for (number, log) in logs.into_iter().enumerate() {
            log.close().unwrap();
            let directory = root.path().join(number.to_string());
            let (mut log, _) = Log::open(&directory, options(), flusher.clone()).unwrap();
            assert_eq!(read_all(&mut log, 1), entries(1, 30, number as u64 + 1));
        }
    }
}

/// A member that lags is sent few entries at once: what is behind them is not read for each.
#[test]
fn reading_a_range_reads_little_more_than_the_range() {
    const LAST: u64 = 2_000;
    let disk = MemoryDisk::new();
    let flusher = Flusher::over("log", Arc::new(disk.clone())).unwrap();
    let roomy = LogOptions {
        segment_bytes: 16 << 20,
        first_segment_bytes: 16 << 20,
        max_batch_bytes: 1 << 20,
        resident_bytes: 1,
        ..options()
    };
    let (mut log, _) = Log::open(Path::new("log"), roomy, flusher).unwrap();
    let large = |index| LogEntry {
        index,
        term: 1,
        payload: Bytes::from(vec![index as u8; 2_000]),
    };
    for first in (1..LAST).step_by(8) {
        append(&mut log, (first..first + 8).map(large).collect()).unwrap();
    }
    let (before, stored) = (disk.bytes_read(), LAST * 2_560);
    let mut next = 1;
    while next <= LAST {
        let read = log.read(next..next + 64, 4 << 20).unwrap();
        assert!(read.len() <= 64);
        for entry in read {
            assert_eq!(entry, large(next));
            next += 1;
        }
    }
    let read = disk.bytes_read() - before;
    assert!(read < 3 * stored, "{read} bytes for {stored}");
    // Another place, then back again: the end holds wherever the reader stood.
    for from in [500, 1, 1_990, 7] {
        let read = log.read(from..from + 3, 4 << 20).unwrap();
        assert_eq!(read, (from..from + 3).map(large).collect::<Vec<_>>());
    }
}
