//! openraft's runtime over either driver.
//!
//! Tasks and timers are the driver's; channels are tokio's, which need no tokio runtime and can be
//! woken from the log thread. One type serves both drivers, because a thread knows which it runs. A
//! panic in a task ends the process: a group that has lost one of its tasks confirms nothing and
//! votes for nobody, and nothing would say so.

use std::fmt;
use std::future::Future;
use std::ops::{Add, AddAssign, Sub, SubAssign};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use openraft_rt::AsyncRuntime;
use openraft_rt_tokio::{TokioMpsc, TokioMutex, TokioOneshot, TokioWatch};
use rand::SeedableRng as _;
use rand::rngs::SmallRng;

use crate::driver::{self, Driver, ExecutorOptions, Loud, Sleep};

/// The runtime of the thread that calls it.
#[derive(Debug)]
pub(crate) struct ShardRuntime {
    driver: Driver,
}

/// Why a task has no result: it was canceled, or it panicked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LostTask {
    Canceled,
    Panicked,
}

impl fmt::Display for LostTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Canceled => "the task was canceled",
            Self::Panicked => "the task panicked",
        })
    }
}

/// A started task; dropping it lets the task run on.
pub(crate) enum TaskHandle<T> {
    Uring(glommio::task::JoinHandle<T>),
    Plain(tokio::task::JoinHandle<T>),
    #[cfg(test)]
    Simulated(tokio::sync::oneshot::Receiver<T>),
}

/// A moment on the driver's clock, as openraft counts time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Moment(pub(crate) Instant);

impl Add<Duration> for Moment {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0 + duration)
    }
}

impl AddAssign<Duration> for Moment {
    fn add_assign(&mut self, duration: Duration) {
        self.0 += duration;
    }
}

impl Sub<Duration> for Moment {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        Self(self.0 - duration)
    }
}

impl SubAssign<Duration> for Moment {
    fn sub_assign(&mut self, duration: Duration) {
        self.0 -= duration;
    }
}

impl Sub for Moment {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.0.saturating_duration_since(earlier.0)
    }
}

impl openraft_rt::Instant for Moment {
    fn now() -> Self {
        Self(driver::now())
    }
}

impl<T> Future for TaskHandle<T> {
    type Output = Result<T, LostTask>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(match &mut *self {
            Self::Uring(handle) => ready!(Pin::new(handle).poll(cx)).ok_or(LostTask::Canceled),
            Self::Plain(handle) => ready!(Pin::new(handle).poll(cx)).map_err(|error| {
                if error.is_panic() {
                    LostTask::Panicked
                } else {
                    LostTask::Canceled
                }
            }),
            #[cfg(test)]
            Self::Simulated(ended) => {
                ready!(Pin::new(ended).poll(cx)).map_err(|_| LostTask::Canceled)
            }
        })
    }
}

/// The time is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Elapsed;

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the time is over")
    }
}

/// A future with an end.
pub(crate) struct Timeout<F> {
    future: Pin<Box<F>>,
    sleep: Sleep,
}

impl<F: Future> Future for Timeout<F> {
    type Output = Result<F::Output, Elapsed>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Poll::Ready(output) = self.future.as_mut().poll(cx) {
            return Poll::Ready(Ok(output));
        }
        ready!(Pin::new(&mut self.sleep).poll(cx));
        Poll::Ready(Err(Elapsed))
    }
}

impl AsyncRuntime for ShardRuntime {
    type JoinError = LostTask;
    type JoinHandle<T: 'static> = TaskHandle<T>;
    type Sleep = Sleep;
    type Instant = Moment;
    type TimeoutError = Elapsed;
    type Timeout<R, F: Future<Output = R>> = Timeout<F>;
    type ThreadLocalRng = SmallRng;

    fn spawn<F>(future: F) -> Self::JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let future = Loud::new(future);
        match driver::driver() {
            Driver::Uring => TaskHandle::Uring(glommio::spawn_local(future).detach()),
            Driver::Plain => TaskHandle::Plain(tokio::task::spawn_local(future)),
            #[cfg(test)]
            Driver::Simulated => {
                let (end, ended) = tokio::sync::oneshot::channel();
                crate::sim::executor::spawn(async move {
                    // Nobody may want to know.
                    let _ = end.send(future.await);
                });
                TaskHandle::Simulated(ended)
            }
        }
    }

    fn sleep(duration: Duration) -> Self::Sleep {
        driver::sleep(duration)
    }

    fn sleep_until(deadline: Moment) -> Self::Sleep {
        driver::sleep(deadline - Moment(driver::now()))
    }

    fn timeout<R, F: Future<Output = R>>(duration: Duration, future: F) -> Self::Timeout<R, F> {
        Timeout {
            future: Box::pin(future),
            sleep: driver::sleep(duration),
        }
    }

    fn timeout_at<R, F: Future<Output = R>>(deadline: Moment, future: F) -> Self::Timeout<R, F> {
        Self::timeout(deadline - Moment(driver::now()), future)
    }

    fn is_panic(join_error: &LostTask) -> bool {
        *join_error == LostTask::Panicked
    }

    fn thread_rng() -> Self::ThreadLocalRng {
        SmallRng::seed_from_u64(driver::draw())
    }

    type Mpsc = TokioMpsc;
    type Watch = TokioWatch;
    type Oneshot = TokioOneshot;
    type Mutex<T: 'static> = TokioMutex<T>;

    /// Only openraft's own conformance suite builds runtimes; shards are started by the driver.
    fn new(_threads: usize) -> Self {
        Self {
            driver: driver::driver(),
        }
    }

    fn block_on<F, T>(&mut self, future: F) -> T
    where
        F: Future<Output = T>,
    {
        let options = ExecutorOptions {
            name: "runtime".to_owned(),
            core: None,
            spin: Duration::ZERO,
        };
        driver::block_on(self.driver, &options, future)
            .expect("an executor can be set up where the suite runs")
    }
}

#[cfg(test)]
mod tests {
    use openraft_rt::testing::Suite;

    use super::*;

    #[test]
    fn the_plain_runtime_passes_the_suite_of_openraft() {
        driver::set_driver(Driver::Plain);
        Suite::<ShardRuntime>::test_all();
    }

    /// Set for the process that shall panic.
    const PANICS: &str = "RINGFLOW_TEST_TASK_PANICS";

    #[test]
    fn a_panic_of_a_task_ends_the_process() {
        use std::os::unix::process::ExitStatusExt as _;

        if std::env::var_os(PANICS).is_some() {
            driver::set_driver(Driver::Plain);
            ShardRuntime::new(1).block_on(async {
                // Nobody asks what has become of it.
                drop(ShardRuntime::spawn(async { panic!("as a test asks for") }));
                ShardRuntime::sleep(Duration::from_secs(60)).await;
            });
            return;
        }
        let name = "raft::runtime::tests::a_panic_of_a_task_ends_the_process";
        let ended = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name])
            .env(PANICS, "1")
            .output()
            .unwrap();
        const ABORTED: i32 = 6;
        assert_eq!(ended.status.signal(), Some(ABORTED), "{ended:?}");
    }

    #[test]
    fn the_io_uring_runtime_passes_the_suite_of_openraft() {
        if let Err(why) = driver::choose(crate::options::DriverChoice::Uring) {
            println!("skipped: {why}");
            return;
        }
        driver::set_driver(Driver::Uring);
        Suite::<ShardRuntime>::test_all();
    }
}
