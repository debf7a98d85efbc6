//! The bytes of each format, pinned: a change here is a change of what released versions wrote.
//!
//! The byte tables are in `docs/format`; the expected bytes in `tests/golden`, 32 a line, without
//! the zero padding at the end.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use ringflow_storage::disk::BLOCK;
use ringflow_storage::disk::memory::MemoryDisk;
use ringflow_storage::log::frame::{BatchStart, Kind, encode_batch};
use ringflow_storage::log::segment::SegmentHeader;
use ringflow_storage::log::{EntryId, Flusher, Log, LogEntry, LogOptions};
use ringflow_storage::vote::VoteFile;

fn hex(bytes: &[u8]) -> String {
    let end = bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |at| at + 1);
    bytes[..end]
        .chunks(32)
        .map(|line| line.iter().map(|byte| format!("{byte:02x}")).collect())
        .collect::<Vec<String>>()
        .join("\n")
}

#[test]
fn segment_header() {
    let header = SegmentHeader {
        generation: 0x0102_0304,
        len: 64 << 20,
        max_batch_bytes: 8 << 20,
        salt: 0xa1b2_c3d4,
        partition: 3,
    };
    assert_eq!(
        hex(&header.encode()),
        include_str!("../golden/segment-header.hex").trim_end()
    );
}

#[test]
fn batch_with_two_entries() {
    let start = BatchStart {
        generation: 0x0102_0304,
        salt: 0xa1b2_c3d4,
        sequence: 77,
        previous: EntryId {
            index: 1000,
            term: 5,
        },
        committed: 990,
        kind: Kind::Cut,
    };
    let entries = [
        LogEntry {
            index: 1001,
            term: 6,
            payload: Bytes::from_static(b"first payload"),
        },
        LogEntry {
            index: 1002,
            term: 7,
            payload: Bytes::from_static(b"second"),
        },
    ];
    let mut bytes = vec![0xff; BLOCK];
    assert_eq!(encode_batch(start, &entries, &mut bytes), BLOCK);
    assert_eq!(hex(&bytes), include_str!("../golden/batch.hex").trim_end());
}

#[test]
fn vote_slots() {
    let disk = MemoryDisk::new();
    let flusher = Flusher::over("log", Arc::new(disk.clone())).unwrap();
    let options = LogOptions {
        segment_bytes: 64 << 10,
        first_segment_bytes: 64 << 10,
        max_batch_bytes: 16 << 10,
        ..LogOptions::default()
    };
    let (log, _) = Log::open(Path::new("log"), options, flusher).unwrap();
    let (mut vote, before) = VoteFile::open(Path::new("vote"), &log).unwrap();
    assert_eq!(before, None);
    vote.save_and_wait(b"term 1 for node 2").unwrap();
    vote.save_and_wait(b"term 2 for node 3").unwrap();
    let bytes = disk.read(Path::new("vote")).unwrap();
    assert_eq!(bytes.len(), 2 * BLOCK);
    let (even, odd) = bytes.split_at(BLOCK);
    let both = format!("{}\n\n{}", hex(even), hex(odd));
    assert_eq!(both, include_str!("../golden/vote.hex").trim_end());
}
