//! The seam between a shard and its executor: spawn, sleep, yield, run.
//!
//! Two drivers: io_uring (glommio) and plain (tokio current-thread). A thread runs one of them for
//! all its life; the functions here find out which from a thread-local word, so that everything
//! above is compiled once. The choice is made once per broker by [`choose`], from a probe of the
//! host, and logged in one line.
//!
//! Rules that hold on both drivers: no piece of work runs longer than the iteration time without a
//! yield; a panic of a shard task, openraft's included, ends the process ([`Loud`]), because nothing
//! of a shard survives half of it.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::options::DriverChoice;

pub(crate) mod plain;
pub(crate) mod probe;
pub(crate) mod stream;
pub(crate) mod uring;

/// Which executor a thread runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Driver {
    /// glommio.
    Uring,
    /// tokio, current-thread.
    Plain,
    /// A whole cluster on one thread with a clock of its own (`sim.rs`).
    #[cfg(test)]
    Simulated,
}

/// How the executor of one shard is set up.
#[derive(Clone, Debug)]
pub(crate) struct ExecutorOptions {
    pub(crate) name: String,
    /// Core to pin to.
    pub(crate) core: Option<usize>,
    /// Time to look for work before sleeping (io_uring, pinned only).
    pub(crate) spin: Duration,
}

thread_local! {
    static DRIVER: Cell<Driver> = const { Cell::new(Driver::Plain) };
}

/// Says which driver this thread runs from now on.
pub(crate) fn set_driver(driver: Driver) {
    DRIVER.set(driver);
}

pub(crate) fn driver() -> Driver {
    DRIVER.get()
}

/// The clock that never goes backwards. Everything on a shard asks here, so that a simulation can say
/// what time it is.
#[inline]
pub(crate) fn now() -> Instant {
    #[cfg(test)]
    if driver() == Driver::Simulated {
        return crate::sim::executor::now();
    }
    Instant::now()
}

/// Time since `earlier`, by the same clock.
#[inline]
pub(crate) fn since(earlier: Instant) -> Duration {
    now().saturating_duration_since(earlier)
}

/// Milliseconds of the wall clock since 1970.
pub(crate) fn wall_millis() -> u64 {
    #[cfg(test)]
    if driver() == Driver::Simulated {
        return crate::sim::executor::wall_millis();
    }
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
    since_epoch.map_or(0, |since| since.as_millis() as u64)
}

/// A number nobody can foresee, where it matters that others draw another one.
pub(crate) fn draw() -> u64 {
    use std::hash::{BuildHasher as _, Hasher as _, RandomState};
    #[cfg(test)]
    if driver() == Driver::Simulated {
        return crate::sim::executor::draw();
    }
    RandomState::new().build_hasher().finish()
}

/// The driver for `choice` on this host, and why, in words for one log line.
///
/// # Errors
/// A sentence, if io_uring was demanded and the host forbids it.
pub(crate) fn choose(choice: DriverChoice) -> Result<(Driver, String), String> {
    let probed = match choice {
        DriverChoice::Plain => {
            return Ok((Driver::Plain, "plain was asked for".to_owned()));
        }
        DriverChoice::Auto | DriverChoice::Uring => {
            let allowed = probe::io_uring().and_then(|()| probe::raise_memlock());
            allowed.and_then(|()| probe::executor())
        }
    };
    match (probed, choice) {
        (Ok(()), DriverChoice::Uring) => Ok((Driver::Uring, "io_uring was asked for".to_owned())),
        (Ok(()), DriverChoice::Auto | DriverChoice::Plain) => {
            Ok((Driver::Uring, "the host allows io_uring".to_owned()))
        }
        (Err(why), DriverChoice::Auto | DriverChoice::Plain) => Ok((Driver::Plain, why)),
        (Err(why), DriverChoice::Uring) => Err(format!("io_uring was asked for, but {why}")),
    }
}

/// Runs `main` to completion on the calling thread with all its spawned tasks.
///
/// # Errors
/// A sentence, if the executor cannot be set up.
pub(crate) fn run<T: 'static>(
    driver: Driver,
    options: &ExecutorOptions,
    main: impl Future<Output = T> + 'static,
) -> Result<T, String> {
    set_driver(driver);
    match driver {
        Driver::Uring => uring::run(options, main),
        Driver::Plain => plain::block_on(options, main),
        #[cfg(test)]
        Driver::Simulated => Err("a simulation is not run like this".to_owned()),
    }
}

/// Runs `main` to completion on the calling thread, for openraft's conformance suite.
///
/// # Errors
/// A sentence, if the executor cannot be set up.
pub(crate) fn block_on<T>(
    driver: Driver,
    options: &ExecutorOptions,
    main: impl Future<Output = T>,
) -> Result<T, String> {
    set_driver(driver);
    match driver {
        Driver::Uring => Ok(uring::executor(options)?.run(main)),
        Driver::Plain => plain::block_on(options, main),
        #[cfg(test)]
        Driver::Simulated => Err("a simulation is not run like this".to_owned()),
    }
}

/// Starts a task on this thread. A panic in it ends the process.
pub(crate) fn spawn(future: impl Future<Output = ()> + 'static) {
    let future = Loud::new(future);
    match driver() {
        Driver::Uring => drop(glommio::spawn_local(future).detach()),
        Driver::Plain => drop(tokio::task::spawn_local(future)),
        #[cfg(test)]
        Driver::Simulated => crate::sim::executor::spawn(future),
    }
}

/// Sleeps at least for `duration`.
pub(crate) fn sleep(duration: Duration) -> Sleep {
    match driver() {
        Driver::Uring => Sleep::Uring(glommio::timer::Timer::new(duration)),
        Driver::Plain => Sleep::Plain(Box::pin(tokio::time::sleep(duration))),
        #[cfg(test)]
        Driver::Simulated => Sleep::Simulated(crate::sim::executor::Alarm::after(duration)),
    }
}

/// Lets other tasks of this thread run.
pub(crate) fn yield_now() -> impl Future<Output = ()> {
    let mut yielded = false;
    std::future::poll_fn(move |cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
}

/// True if the executor wants the thread back.
pub(crate) fn need_preempt() -> bool {
    match driver() {
        Driver::Uring => glommio::executor().need_preempt(),
        Driver::Plain => false,
        #[cfg(test)]
        Driver::Simulated => crate::sim::executor::draw().is_multiple_of(8),
    }
}

/// A timer of either driver.
pub(crate) enum Sleep {
    Uring(glommio::timer::Timer),
    Plain(Pin<Box<tokio::time::Sleep>>),
    #[cfg(test)]
    Simulated(crate::sim::executor::Alarm),
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match &mut *self {
            Self::Uring(timer) => Pin::new(timer).poll(cx).map(|_: Instant| ()),
            Self::Plain(sleep) => sleep.as_mut().poll(cx),
            #[cfg(test)]
            Self::Simulated(alarm) => Pin::new(alarm).poll(cx),
        }
    }
}

/// A task whose panic ends the process instead of vanishing into a join handle.
pub(crate) struct Loud<F>(Pin<Box<F>>);

impl<F> Loud<F> {
    pub(crate) fn new(future: F) -> Self {
        Self(Box::pin(future))
    }
}

impl<F: Future> Future for Loud<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let end = EndProcess;
        let polled = self.0.as_mut().poll(cx);
        std::mem::forget(end);
        polled
    }
}

struct EndProcess;

impl Drop for EndProcess {
    fn drop(&mut self) {
        #[cfg(test)]
        if driver() == Driver::Simulated {
            // The panic is the failure of the test and names the seed.
            return;
        }
        tracing::error!("a shard task panicked; the process ends and recovers from its log");
        std::process::abort();
    }
}

/// What `future` returns, or `None` after `duration`; the future is dropped then.
pub(crate) async fn within<F: Future>(duration: Duration, future: F) -> Option<F::Output> {
    let mut future = std::pin::pin!(future);
    let mut sleep = sleep(duration);
    std::future::poll_fn(move |cx| {
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(Some(output));
        }
        Pin::new(&mut sleep).poll(cx).map(|()| None)
    })
    .await
}
