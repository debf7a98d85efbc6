//! What the benchmarks share: how they measure, what they run on.
//!
//! One idea a file in `benches/`. Engine code is measured in CPU time of the thread ([`CpuTime`]):
//! it never waits, and the numbers stay comparable on a machine that does other things, too. What
//! waits for a disk is measured in wall time. `cargo bench` takes about a minute once compiled; sample
//! counts and times are in [`quick`] and at the exceptions. `cargo test --benches` runs everything
//! once, on small data ([`measuring`]).
//!
//! The allocator is the server's.

use std::time::Duration;

use criterion::Criterion;
use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use rustix::time::{ClockId, clock_gettime};

pub mod document;
pub mod partition;
pub mod process;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// CPU time of the current thread.
pub struct CpuTime(WallTime);

impl CpuTime {
    fn now() -> Duration {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        Duration::new(
            time.tv_sec.unsigned_abs(),
            time.tv_nsec.unsigned_abs() as u32,
        )
    }

    /// What `body` takes.
    pub fn of(body: impl FnOnce()) -> Duration {
        let begin = Self::now();
        body();
        Self::now() - begin
    }
}

impl Measurement for CpuTime {
    type Intermediate = Duration;
    type Value = Duration;

    fn start(&self) -> Duration {
        Self::now()
    }

    fn end(&self, begin: Duration) -> Duration {
        Self::now() - begin
    }

    fn add(&self, a: &Duration, b: &Duration) -> Duration {
        *a + *b
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        value.as_nanos() as f64
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        self.0.formatter()
    }
}

/// Whether this is a benchmark and not a test that it runs.
#[must_use]
pub fn measuring() -> bool {
    std::env::args().any(|argument| argument == "--bench")
}

/// The configuration of all benchmarks of code that never waits: 20 samples in a second.
#[must_use]
pub fn quick() -> Criterion<CpuTime> {
    Criterion::default()
        .with_measurement(CpuTime(WallTime))
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
}
