//! What commands cost the engine, on a store in memory.
//!
//! One element: ACTIVATE_ELEMENT with its two events, COMPLETE_ELEMENT with its two, and the flow to
//! the next: seven records. Measured over a hundred in a row, write set included. A gateway leaves
//! in the step of its activation: six records and a condition. One task: the
//! three commands of an instance (create, activate, complete), alone and with everything else the
//! engine's crate does for them: encoding the log entry, taking and storing the write set.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use ringflow_bench::partition::Partition;
use ringflow_bench::{CpuTime, document, measuring, process, quick};
use ringflow_core::record::Document;

const ELEMENTS: usize = 100;

fn chain(c: &mut Criterion<CpuTime>, name: &str, process: &str) {
    let mut partition = Partition::with(process);
    let variables = Document::from(document::order());
    c.bench_function(name, |bencher| {
        bencher.iter_custom(|iterations| {
            let instances = iterations.div_ceil(ELEMENTS as u64) as u32;
            let taken = CpuTime::of(|| {
                for _ in 0..instances {
                    partition.create(&variables);
                    assert!(partition.records().len() > ELEMENTS * 6);
                    partition.persist();
                }
            });
            taken.mul_f64(iterations as f64 / (f64::from(instances) * ELEMENTS as f64))
        });
    });
}

fn element(c: &mut Criterion<CpuTime>) {
    chain(c, "step/element", &process::manual_tasks(ELEMENTS));
    let gateways = process::gateways(ELEMENTS, "amount &gt; 100 and customer.vip");
    chain(c, "step/gateway_with_condition", &gateways);
}

fn one_task(c: &mut Criterion<CpuTime>) {
    for (variables_name, variables) in [
        ("", Document::EMPTY),
        ("_10_variables", Document::from(document::order())),
    ] {
        let mut partition = Partition::with(&process::one_task());
        c.bench_function(&format!("step/one_task{variables_name}"), |bencher| {
            bencher.iter(|| {
                partition.one_task(&variables);
                partition.forget();
                partition
                    .engine
                    .persisted(partition.engine.write_sets_taken());
            });
        });
        let mut partition = Partition::with(&process::one_task());
        c.bench_function(&format!("step/one_task_all{variables_name}"), |bencher| {
            bencher.iter(|| {
                partition.one_task(&variables);
                black_box(partition.encode());
                partition.persist();
            });
        });
    }
}

/// The three commands among many instances whose jobs workers hold: more than stay resident.
fn crowd(c: &mut Criterion<CpuTime>) {
    let mut partition = Partition::with(&process::one_task());
    for _ in 0..if measuring() { 1000 } else { 1 } {
        for _ in 0..100 {
            partition.create(&Document::EMPTY);
        }
        assert_eq!(partition.activate(100).len(), 100);
        partition.persist();
    }
    c.bench_function("step/one_task_all_among_100k", |bencher| {
        bencher.iter(|| {
            partition.one_task(&Document::EMPTY);
            black_box(partition.encode());
            partition.persist();
        });
    });
}

criterion_group! {
    name = benches;
    config = quick();
    targets = element, one_task, crowd
}
criterion_main!(benches);
