//! The power goes at every operation of a workload, in several ways each time; the log is opened
//! again on what is left. Nothing acknowledged may be lost, nothing may come back changed, and the
//! log must be usable.
//!
//! The workload rolls, truncates, purges, recycles and saves votes. What may be found is computed
//! from what was asked for and what was acknowledged.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};

use ringflow_storage::Error;
use ringflow_storage::disk::memory::{Fault, MemoryDisk};
use ringflow_storage::log::{EntryId, Flusher, Log, LogEntry, LogOptions};
use ringflow_storage::vote::VoteFile;

use super::log::{entry, waiting};

fn options() -> LogOptions {
    LogOptions {
        partition: 7,
        segment_bytes: 32 << 10,
        first_segment_bytes: 32 << 10,
        max_batch_bytes: 16 << 10,
        resident_bytes: 4 << 10,
        spare_segments: 1,
    }
}

const DIRECTORY: &str = "p/log";
const VOTE: &str = "p/vote";

/// What the owner of the log asked for, and what it was told.
#[derive(Debug, Default)]
struct History {
    /// Terms of the entries asked for, by index - 1, in the order of the asking: each truncation
    /// makes a new version.
    versions: Vec<Vec<u64>>,
    /// Version and length of each append or truncation, whether it was acknowledged.
    points: Vec<(usize, u64, Acknowledged)>,
    purge_asked: u64,
    votes: Vec<(u64, Acknowledged)>,
}

type Acknowledged = Receiver<Result<(), Error>>;

fn is_acknowledged(told: &Acknowledged) -> bool {
    match told.try_recv() {
        Ok(outcome) => outcome.is_ok(),
        Err(TryRecvError::Empty | TryRecvError::Disconnected) => false,
    }
}

impl History {
    fn current(&self) -> &Vec<u64> {
        self.versions.last().unwrap()
    }
}

/// Runs until it is done or the disk fails.
fn work(disk: &MemoryDisk, history: &mut History) -> Result<(), Error> {
    let flusher = Flusher::over("log", Arc::new(disk.clone()))?;
    let (mut log, _) = Log::open(Path::new(DIRECTORY), options(), flusher)?;
    let (mut vote, _) = VoteFile::open(Path::new(VOTE), &log)?;
    history.versions.push(Vec::new());
    let mut term = 1;
    for round in 0..14_u64 {
        if round % 4 == 1 {
            term += 1;
            let (call, told) = waiting();
            history.votes.push((term, told));
            vote.save(&term.to_le_bytes(), call)?;
        }
        // Some at once, not waited for, so that groups form.
        for burst in 0..1 + round % 3 {
            let mut terms = history.current().clone();
            let first = terms.len() as u64 + 1;
            let count = 1 + (round * 5 + burst * 3) % 11;
            let entries: Vec<LogEntry> = (first..first + count)
                .map(|index| entry(index, term))
                .collect();
            terms.resize(terms.len() + count as usize, term);
            let (call, told) = waiting();
            *history.versions.last_mut().unwrap() = terms;
            let len = first + count - 1;
            history.points.push((history.versions.len() - 1, len, told));
            log.append(entries, call)?;
        }
        if round % 5 == 3 {
            let keep = history.current().len() as u64 - 4;
            let mut terms = history.current().clone();
            terms.truncate(keep as usize);
            history.versions.push(terms);
            let (call, told) = waiting();
            history
                .points
                .push((history.versions.len() - 1, keep, told));
            log.truncate_suffix(keep + 1, call)?;
            term += 1;
        }
        // Wait for everything so far, as the next steps need it.
        let (call, told) = waiting();
        log.append(Vec::new(), call)?;
        told.recv().map_err(|_| Error::Closed)??;
        if round % 3 == 2 {
            let upto = history.current().len() as u64 - 5;
            let term = history.current()[upto as usize - 1];
            history.purge_asked = upto;
            let (call, _) = waiting();
            log.purge_prefix(EntryId { index: upto, term }, call)?;
        }
    }
    log.close()
}

/// Opens what is left, compares, and goes on working with it.
fn check(disk: &MemoryDisk, history: &History, acknowledged: &[bool], voted: u64, what: &str) {
    let flusher = Flusher::over("log", Arc::new(disk.clone())).unwrap();
    let opened = Log::open(Path::new(DIRECTORY), options(), flusher.clone());
    let (mut log, recovered) = opened.unwrap_or_else(|error| panic!("{what}: {error}"));
    let found: Vec<u64> = if recovered.last.index == recovered.purged.index {
        Vec::new()
    } else {
        let read = log.read(recovered.purged.index + 1..u64::MAX, usize::MAX);
        let read = read.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(
            read.len() as u64,
            recovered.last.index - recovered.purged.index
        );
        for found in &read {
            assert_eq!(*found, entry(found.index, found.term), "{what}");
        }
        read.iter().map(|entry| entry.term).collect()
    };
    assert!(recovered.purged.index <= history.purge_asked, "{what}");
    // The log found is a state it was asked to be in, at or after the last acknowledged one.
    let last = recovered.last.index;
    let from = recovered.purged.index as usize;
    let newest = acknowledged.iter().rposition(|acknowledged| *acknowledged);
    let floor = newest.map_or((0, 0), |at| (history.points[at].0, history.points[at].1));
    let fits = history.versions.iter().enumerate().any(|(number, terms)| {
        let reached = number > floor.0 || (number == floor.0 && last >= floor.1);
        let version_floor = history
            .points
            .iter()
            .find(|point| point.0 == number)
            .map_or(0, |point| point.1);
        reached
            && (number == 0 || last >= version_floor)
            && terms.get(from..last as usize) == Some(&found[..])
    });
    assert!(
        fits || (history.versions.is_empty() && last == 0),
        "{what}: found {found:?} behind {from}, acknowledged up to {floor:?}, \
         asked for {:?}",
        history.versions
    );
    let (mut vote, saved) =
        VoteFile::open(Path::new(VOTE), &log).unwrap_or_else(|error| panic!("{what}: {error}"));
    let saved = saved.map_or(0, |bytes| u64::from_le_bytes(bytes.try_into().unwrap()));
    assert!(saved >= voted, "{what}: vote {saved} after {voted}");
    vote.save_and_wait(&99_u64.to_le_bytes()).unwrap();
    let term = recovered.last.term + 1;
    let more: Vec<LogEntry> = (last + 1..=last + 40)
        .map(|index| entry(index, term))
        .collect();
    let (call, told) = waiting();
    log.append(more.clone(), call).unwrap();
    told.recv().unwrap().unwrap();
    log.close().unwrap();
    let (mut log, again) = Log::open(Path::new(DIRECTORY), options(), flusher).unwrap();
    assert_eq!(
        again.last,
        EntryId {
            index: last + 40,
            term
        },
        "{what}"
    );
    assert_eq!(again.cut, None, "{what}");
    assert_eq!(log.read(last + 1..last + 41, usize::MAX).unwrap(), more);
}

#[test]
fn the_power_may_go_at_every_operation() {
    let counting = MemoryDisk::new();
    work(&counting, &mut History::default()).unwrap();
    let operations = counting.operations();
    assert!(operations > 80, "the workload has only {operations} steps");
    let mut cut_tails = 0;
    for number in 1..=operations + 5 {
        let disk = MemoryDisk::new();
        disk.plan(Fault::PowerLoss(number));
        let mut history = History::default();
        let finished = work(&disk, &mut history).is_ok();
        assert!(number <= operations - 10 || finished || disk.operations() >= number);
        let acknowledged: Vec<bool> = history
            .points
            .iter()
            .map(|(_, _, told)| is_acknowledged(told))
            .collect();
        let voted = history
            .votes
            .iter()
            .filter(|(_, told)| is_acknowledged(told))
            .map(|(term, _)| *term)
            .max()
            .unwrap_or(0);
        for seed in 0..4 {
            let what = format!("power lost at operation {number}, seed {seed}");
            let left = disk.crash(number * 100 + seed);
            let names = ringflow_storage::disk::Disk::list(&left, Path::new(DIRECTORY)).unwrap();
            cut_tails += usize::from(!names.is_empty());
            check(&left, &history, &acknowledged, voted, &what);
        }
    }
    assert!(cut_tails > 0);
}

#[test]
fn a_failed_operation_poisons_the_log_and_reopening_heals_it() {
    let counting = MemoryDisk::new();
    work(&counting, &mut History::default()).unwrap();
    let mut poisoned = 0;
    for number in 1..=counting.operations() {
        let disk = MemoryDisk::new();
        disk.plan(Fault::Error(number));
        let mut history = History::default();
        if let Err(error) = work(&disk, &mut history) {
            // `Io`: before or beside the commits, when opening or preparing.
            assert!(
                matches!(error, Error::Poisoned { .. } | Error::Io { .. }),
                "operation {number}: {error}"
            );
            poisoned += usize::from(matches!(error, Error::Poisoned { .. }));
        }
        let acknowledged: Vec<bool> = history
            .points
            .iter()
            .map(|(_, _, told)| is_acknowledged(told))
            .collect();
        let what = format!("operation {number} failed");
        // The power stays: everything written is still there. Then it goes as well.
        check(&disk.crash(number), &history, &acknowledged, 0, &what);
    }
    assert!(poisoned > 20, "only {poisoned} operations poisoned the log");
}

#[test]
fn after_a_failure_every_call_tells_the_first_one() {
    let disk = MemoryDisk::new();
    let flusher = Flusher::over("log", Arc::new(disk.clone())).unwrap();
    let (mut log, _) = Log::open(Path::new(DIRECTORY), options(), flusher).unwrap();
    let (call, told) = waiting();
    log.append(vec![entry(1, 1)], call).unwrap();
    told.recv().unwrap().unwrap();
    // The preparation of the next segment is over when no operation is added any more.
    let mut operations = 0;
    while operations != disk.operations() {
        operations = disk.operations();
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    // The write succeeds, its sync does not.
    disk.plan(Fault::Error(operations + 2));
    let (call, told) = waiting();
    log.append(vec![entry(2, 1)], call).unwrap();
    let error = told.recv().unwrap().unwrap_err();
    let text = error.to_string();
    assert!(text.contains("since a sync failed"), "{text}");
    assert!(text.contains("segment-0000000000000001.log"), "{text}");
    let (call, _) = waiting();
    let again = log.append(vec![entry(3, 1)], call).unwrap_err();
    assert_eq!(again.to_string(), text);
    assert_eq!(log.close().unwrap_err().to_string(), text);
}

#[test]
fn a_full_disk_is_told_and_what_was_acknowledged_stays() {
    let disk = MemoryDisk::new();
    // Two segments, not a third.
    disk.plan(Fault::Space(70 << 10));
    let flusher = Flusher::over("log", Arc::new(disk.clone())).unwrap();
    let (mut log, _) = Log::open(Path::new(DIRECTORY), options(), flusher).unwrap();
    let mut kept = 0;
    let error = loop {
        let (call, told) = waiting();
        if let Err(error) = log.append(vec![entry(kept + 1, 1)], call) {
            break error;
        }
        match told.recv().unwrap() {
            Ok(()) => kept += 1,
            Err(error) => break error,
        }
        assert!(kept < 1000);
    };
    assert!(matches!(error, Error::Full { .. }), "{error}");
    assert!(kept >= 12, "{kept} entries fitted two segments");
    drop(log);
    let flusher = Flusher::over("log", Arc::new(disk.crash(1))).unwrap();
    let (_, recovered) = Log::open(Path::new(DIRECTORY), options(), flusher).unwrap();
    assert_eq!(recovered.last.index, kept);
}
