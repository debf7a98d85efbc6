//! Rows of the state: resident, read through from the store, taken as a write set.
//!
//! Rows are read through the engine's state and written by commands, as nothing else may write
//! them. The store is a map in memory; what RocksDB adds is not in here.

use std::hint::black_box;
use std::rc::Rc;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use ringflow_bench::partition::Partition;
use ringflow_bench::{CpuTime, document, process, quick};
use ringflow_core::ids::Key;
use ringflow_core::record::Document;
use ringflow_core::state::State;
use ringflow_core::state::store::StateRead;

const INSTANCES: usize = 1000;

fn rows(c: &mut Criterion<CpuTime>) {
    let mut partition = Partition::with(&process::one_task());
    let variables = Document::from(document::order());
    for _ in 0..INSTANCES {
        partition.create(&variables);
        partition.persist();
    }
    let jobs: Vec<Key> = partition.activate(INSTANCES as i32).into_iter().collect();
    partition.persist();
    assert_eq!(jobs.len(), INSTANCES);

    let mut group = c.benchmark_group("state");
    group.throughput(Throughput::Elements(INSTANCES as u64));
    group.bench_function("get_resident_1000", |bencher| {
        let state = partition.engine.state();
        bencher.iter(|| {
            for job in &jobs {
                assert!(
                    state
                        .jobs
                        .get(black_box(job))
                        .expect("it is resident")
                        .is_some()
                );
            }
        });
    });
    group.bench_function("get_absent_1000", |bencher| {
        let state = partition.engine.state();
        bencher.iter(|| {
            for job in &jobs {
                let absent = state.elements.get(black_box(job));
                assert!(absent.expect("the store answers").is_none());
            }
        });
    });
    group.bench_function("get_read_through_1000", |bencher| {
        let store: Rc<dyn StateRead> = partition.store.clone();
        bencher.iter_batched_ref(
            || State::open(store.clone()).expect("own rows"),
            |state| {
                for job in &jobs {
                    assert!(state.jobs.get(black_box(job)).expect("own rows").is_some());
                }
            },
            BatchSize::LargeInput,
        );
    });
    group.bench_function("open_with_1000_instances", |bencher| {
        let store: Rc<dyn StateRead> = partition.store.clone();
        bencher.iter(|| State::open(store.clone()).expect("own rows"));
    });
    group.finish();

    let mut group = c.benchmark_group("state");
    group.throughput(Throughput::Elements(100));
    group.bench_function("take_write_set_of_100_instances", |bencher| {
        bencher.iter_batched_ref(
            || {
                let mut partition = Partition::with(&process::one_task());
                partition.persist();
                for _ in 0..100 {
                    partition.create(&variables);
                }
                partition
            },
            |partition| partition.engine.take_write_set(),
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = quick();
    targets = rows
}
criterion_main!(benches);
