//! openraft's runtime over either driver.
//!
//! Tasks and timers are the driver's; channels are tokio's, which need no tokio runtime and can be
//! woken from the log thread. One type serves both drivers, because a thread knows which it runs.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use openraft_rt::AsyncRuntime;
use openraft_rt_tokio::{TokioMpsc, TokioMutex, TokioOneshot, TokioRuntime, TokioWatch};

use crate::driver::{self, Driver, ExecutorOptions, Sleep};

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
    type Instant = Instant;
    type TimeoutError = Elapsed;
    type Timeout<R, F: Future<Output = R>> = Timeout<F>;
    type ThreadLocalRng = <TokioRuntime as AsyncRuntime>::ThreadLocalRng;

    fn spawn<F>(future: F) -> Self::JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        match driver::driver() {
            Driver::Uring => TaskHandle::Uring(glommio::spawn_local(future).detach()),
            Driver::Plain => TaskHandle::Plain(tokio::task::spawn_local(future)),
        }
    }

    fn sleep(duration: Duration) -> Self::Sleep {
        driver::sleep(duration)
    }

    fn sleep_until(deadline: Instant) -> Self::Sleep {
        driver::sleep(deadline.saturating_duration_since(Instant::now()))
    }

    fn timeout<R, F: Future<Output = R>>(duration: Duration, future: F) -> Self::Timeout<R, F> {
        Timeout {
            future: Box::pin(future),
            sleep: driver::sleep(duration),
        }
    }

    fn timeout_at<R, F: Future<Output = R>>(deadline: Instant, future: F) -> Self::Timeout<R, F> {
        Self::timeout(deadline.saturating_duration_since(Instant::now()), future)
    }

    fn is_panic(join_error: &LostTask) -> bool {
        *join_error == LostTask::Panicked
    }

    fn thread_rng() -> Self::ThreadLocalRng {
        TokioRuntime::thread_rng()
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
