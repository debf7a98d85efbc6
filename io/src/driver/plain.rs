//! The plain driver: tokio's current-thread runtime with a local task set, for hosts without io_uring.
//!
//! Same program, other executor: only timers and the scheduler differ, the log thread is the same.

use std::future::Future;

use rustix::thread::{CpuSet, sched_setaffinity};
use tokio::task::LocalSet;

use crate::driver::ExecutorOptions;

pub(crate) fn block_on<T>(
    options: &ExecutorOptions,
    main: impl Future<Output = T>,
) -> Result<T, String> {
    if let Some(core) = options.core {
        let mut cores = CpuSet::new();
        if core >= CpuSet::MAX_CPU {
            return Err(format!("core {core} is beyond what the system can name"));
        }
        cores.set(core);
        sched_setaffinity(None, &cores)
            .map_err(|error| format!("cannot run on core {core}: {error}"))?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("the plain executor cannot be set up: {error}"))?;
    Ok(LocalSet::new().block_on(&runtime, main))
}
