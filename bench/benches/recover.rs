//! Replay: what a restart costs per log entry, and a follower all the time.
//!
//! 500 entries, each an instance with one task from create to complete; decoding included.

use std::rc::Rc;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use ringflow_bench::partition::Partition;
use ringflow_bench::{CpuTime, document, process, quick};
use ringflow_core::engine::{Engine, EngineConfig};
use ringflow_core::record::{Document, batch};
use ringflow_core::state::memory::MemoryStore;

const ENTRIES: usize = 500;

fn replay(c: &mut Criterion<CpuTime>) {
    let variables = Document::from(document::order());
    let mut partition = Partition::with(&process::one_task());
    let mut entries = vec![partition.encode().to_vec()];
    partition.persist();
    for _ in 0..ENTRIES {
        partition.one_task(&variables);
        entries.push(partition.encode().to_vec());
        partition.persist();
    }
    let position = partition.engine.position();

    let mut group = c.benchmark_group("recover");
    group.throughput(Throughput::Elements(ENTRIES as u64));
    group.bench_function("replay_500_instances", |bencher| {
        bencher.iter_batched(
            || {
                let store = Rc::new(MemoryStore::default());
                Engine::open(EngineConfig::default(), store).expect("an empty store")
            },
            |mut engine| {
                for entry in &entries {
                    let (base, records) = batch::decode(entry).expect("own bytes");
                    assert_eq!(base, engine.position());
                    engine.replay(&records).expect("own records");
                    engine.take_write_set();
                }
                assert_eq!(engine.position(), position);
                engine
            },
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = quick();
    targets = replay
}
criterion_main!(benches);
