//! Variables between JSON and MessagePack, and a name in a document.
//!
//! Every REST request with variables pays the first, every response the second.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ringflow_bench::{CpuTime, document, quick};
use ringflow_core::{json, msgpack};

fn order(c: &mut Criterion<CpuTime>) {
    let text = document::order_json();
    let bytes = document::order();
    let mut group = c.benchmark_group("document");
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("from_json", |bencher| {
        bencher.iter(|| json::to_msgpack(black_box(&text)).expect("the order is JSON"));
    });
    group.bench_function("to_json", |bencher| {
        let mut out = String::new();
        bencher.iter(|| {
            out.clear();
            json::from_msgpack(black_box(&bytes), &mut out).expect("the order is MessagePack");
            out.len()
        });
    });
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("validate", |bencher| {
        bencher.iter(|| msgpack::validate_document(black_box(&bytes)).expect("own bytes"));
    });
    group.bench_function("find_last", |bencher| {
        bencher.iter(|| msgpack::find(black_box(&bytes), "lines").expect("it is there"));
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = quick();
    targets = order
}
criterion_main!(benches);
