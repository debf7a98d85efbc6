//! What is large: a parallel loop over ten thousand items, a process of five thousand elements.
//!
//! Neither may hold the shard: what does not fit into a step waits for a step of its own, between
//! which others have theirs. Measured are the whole, per element, and the longest step, which is how
//! long others wait at most.

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use ringflow_bench::partition::Partition;
use ringflow_bench::{CpuTime, measuring, process, quick};

/// Runs one instance after the other to its end; gives all their time, or their longest steps.
fn instances(c: &mut Criterion<CpuTime>, name: &str, model: &str, elements: usize) {
    let mut partition = Partition::in_steps(model);
    let mut run = |iterations: u64| {
        let (mut whole, mut longest) = (Duration::ZERO, Duration::ZERO);
        for _ in 0..iterations {
            let mut longest_of_this = Duration::ZERO;
            let steps = partition.create_and_finish(&mut |step| {
                whole += step;
                longest_of_this = longest_of_this.max(step);
            });
            assert!(steps >= elements / 100, "{steps} steps");
            longest += longest_of_this;
        }
        (whole, longest)
    };
    c.bench_function(&format!("large/{name}_per_element"), |bencher| {
        bencher.iter_custom(|iterations| run(iterations).0.div_f64(elements as f64));
    });
    c.bench_function(&format!("large/{name}_longest_step"), |bencher| {
        bencher.iter_custom(|iterations| run(iterations).1);
    });
}

fn large(c: &mut Criterion<CpuTime>) {
    let (items, tasks) = if measuring() {
        (10_000, 5000)
    } else {
        (1000, 500)
    };
    instances(c, "loop", &process::parallel_loop(items), items);
    instances(c, "process", &process::manual_tasks(tasks), tasks);
}

criterion_group! {
    name = benches;
    config = quick().sample_size(10);
    targets = large
}
criterion_main!(benches);
