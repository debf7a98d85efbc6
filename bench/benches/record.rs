//! Records to bytes and back: what every log entry costs its leader and every follower.
//!
//! The batch is all an instance with one task writes, variables included; time per batch.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ringflow_bench::partition::Partition;
use ringflow_bench::{CpuTime, document, process, quick};
use ringflow_core::record::{Document, batch};

fn batches(c: &mut Criterion<CpuTime>) {
    let mut partition = Partition::with(&process::one_task());
    partition.persist();
    partition.one_task(&Document::from(document::order()));
    let records = partition.records().len() as u64;
    let bytes = partition.encode().to_vec();

    let mut group = c.benchmark_group("record");
    group.throughput(Throughput::Elements(records));
    group.bench_function("encode", |bencher| {
        bencher.iter(|| black_box(partition.encode()).len());
    });
    group.bench_function("decode", |bencher| {
        bencher.iter(|| batch::decode(black_box(&bytes)).expect("own bytes"));
    });
    group.bench_function("json", |bencher| {
        let mut text = String::new();
        bencher.iter(|| {
            text.clear();
            for record in partition.records() {
                record.value.json(&mut text);
            }
            text.len()
        });
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = quick();
    targets = batches
}
criterion_main!(benches);
