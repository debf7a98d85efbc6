//! The io_uring driver: a glommio executor per shard, set up so that it answers in time.
//!
//! glommio looks at completions, timers and foreign wakes only when all its queues are empty or its
//! preempt timer fires (default: 100 ms). Hence one queue with a short latency goal, which sets that
//! timer, and in which everything of a shard runs.

use std::future::Future;
use std::time::Duration;

use glommio::{Latency, LocalExecutor, LocalExecutorBuilder, Placement, Shares};

use crate::driver::ExecutorOptions;

/// How often the executor looks at its rings until the shard's queue exists. Long, because nobody
/// holds a waker yet: a first turn that finds this timer expired would park for ever.
const FIRST_PREEMPT_TIMER: Duration = Duration::from_secs(10);
/// Latency goal of the queue in which shard tasks run, and thereby how often the executor looks at
/// its rings while they do.
const LATENCY_GOAL: Duration = Duration::from_micros(250);
/// Memory registered with the ring; the log writes from its own buffers.
const IO_MEMORY_BYTES: usize = 1 << 20;
/// Entries of each ring.
const RING_DEPTH: usize = 64;

pub(crate) fn executor(options: &ExecutorOptions) -> Result<LocalExecutor, String> {
    let placement = options.core.map_or(Placement::Unbound, Placement::Fixed);
    let mut builder = LocalExecutorBuilder::new(placement)
        .name(&options.name)
        .preempt_timer(FIRST_PREEMPT_TIMER)
        .io_memory(IO_MEMORY_BYTES)
        .ring_depth(RING_DEPTH);
    if options.core.is_some() && !options.spin.is_zero() {
        builder = builder.spin_before_park(options.spin);
    }
    builder
        .make()
        .map_err(|error| format!("the io_uring executor cannot be set up: {error}"))
}

pub(crate) fn run<T: 'static>(
    options: &ExecutorOptions,
    main: impl Future<Output = T> + 'static,
) -> Result<T, String> {
    executor(options)?.run(async move {
        let queue = glommio::executor().create_task_queue(
            Shares::Static(1000),
            Latency::Matters(LATENCY_GOAL),
            "shard",
        );
        glommio::spawn_local_into(main, queue)
            .map(|task| task.detach())
            .map_err(|error| format!("the shard's queue is gone: {error}"))?
            .await
            .ok_or_else(|| "the shard's main task was canceled".to_owned())
    })
}
