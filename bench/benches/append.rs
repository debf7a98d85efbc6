//! The log: how long a group of entries takes until it is durable, in wall time.
//!
//! Entries are the size an instance with one task writes in an iteration. On the disk of the
//! temporary directory (`TMPDIR`); the group shares one write and one sync, so 64 entries should
//! take little more than one. Plain is `pwrite` and `fdatasync`; auto is io_uring where there is one.

use std::sync::mpsc::channel;
use std::time::Duration;

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ringflow_storage::log::{Flusher, IoChoice, Log, LogEntry, LogOptions};

const ENTRY_BYTES: usize = 4096;

fn append(c: &mut Criterion) {
    let mut group = c.benchmark_group("append");
    for (name, choice) in [("plain", IoChoice::Plain), ("auto", IoChoice::Auto)] {
        for entries in [1_u64, 8, 64] {
            let directory = tempfile::tempdir().expect("a temporary directory");
            let flusher = Flusher::start("bench", choice).expect("a flusher");
            let (mut log, _) =
                Log::open(directory.path(), LogOptions::default(), flusher).expect("an empty log");
            let payload = Bytes::from(vec![7; ENTRY_BYTES]);
            group.throughput(Throughput::Bytes(entries * ENTRY_BYTES as u64));
            group.bench_function(BenchmarkId::new(name, entries), |bencher| {
                bencher.iter(|| {
                    let next = log.last().index + 1;
                    let batch = (next..next + entries)
                        .map(|index| LogEntry {
                            index,
                            term: 1,
                            payload: payload.clone(),
                        })
                        .collect();
                    let (tell, told) = channel();
                    let durable = Box::new(move |result| {
                        let _ = tell.send(result);
                    });
                    log.append(batch, durable).expect("room on the disk");
                    told.recv().expect("an outcome").expect("a durable batch");
                    // What a snapshot covers is forgotten: segments are used again.
                    if next % 4096 < entries {
                        let upto = log.last();
                        log.purge_prefix(upto, Box::new(|_| ())).expect("a log");
                    }
                });
            });
            log.close().expect("a log to close");
        }
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    targets = append
}
criterion_main!(benches);
