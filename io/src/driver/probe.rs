//! What the host allows, found out before an executor is built on it.
//!
//! glommio panics with a misleading text where io_uring is forbidden (container profiles, the
//! `kernel.io_uring_disabled` switch), so the system call is tried first. Its rings are locked
//! memory; the soft limit is raised to the hard one, and too low a hard limit is a reason too. Last, an
//! executor is built and thrown away.

use std::io;
use std::thread;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::driver::{ExecutorOptions, uring};

/// Locked memory below which glommio refuses to start.
const MEMLOCK_MIN_BYTES: u64 = 512 * 1024;

/// Tries to set up a ring.
///
/// # Errors
/// Why it is not possible, as the end of a sentence.
pub(crate) fn io_uring() -> Result<(), String> {
    // `struct io_uring_params` is 120 bytes; all zero = no flags.
    let mut params = [0_u64; 15];
    // SAFETY: the call reads and writes the 120 bytes behind the pointer and nothing else; the
    // descriptor it returns is owned here and closed below.
    let fd = unsafe { libc::syscall(libc::SYS_io_uring_setup, 2_u32, params.as_mut_ptr()) };
    if fd >= 0 {
        // SAFETY: `fd` was just returned by the kernel and belongs to nobody else.
        unsafe { libc::close(fd as libc::c_int) };
        return Ok(());
    }
    let error = io::Error::last_os_error();
    Err(match error.raw_os_error() {
        Some(libc::EPERM) => {
            "this host forbids io_uring (container profile or kernel.io_uring_disabled)".to_owned()
        }
        Some(libc::ENOSYS) => "this kernel has no io_uring, or a profile hides it".to_owned(),
        _ => format!("io_uring cannot be set up: {error}"),
    })
}

/// Builds an executor once and takes it down, because glommio needs more than one system call and
/// panics where it does not get it.
///
/// # Errors
/// Why there is none, as the end of a sentence.
pub(crate) fn executor() -> Result<(), String> {
    let options = ExecutorOptions {
        name: "probe".to_owned(),
        core: None,
        spin: Duration::ZERO,
    };
    thread::Builder::new()
        .name(options.name.clone())
        .spawn(move || uring::executor(&options).map(drop))
        .map_err(|error| format!("no thread can be started: {error}"))?
        .join()
        .unwrap_or_else(|_panic| Err("the io_uring executor does not come up here".to_owned()))
}

/// Raises the soft limit of locked memory to the hard one.
///
/// # Errors
/// Why it does not suffice, as the end of a sentence.
pub(crate) fn raise_memlock() -> Result<(), String> {
    let limit = getrlimit(Resource::Memlock);
    if limit.current != limit.maximum {
        let raised = Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        };
        setrlimit(Resource::Memlock, raised)
            .map_err(|error| format!("the limit of locked memory cannot be raised: {error}"))?;
    }
    match limit.maximum {
        Some(bytes) if bytes < MEMLOCK_MIN_BYTES => Err(format!(
            "only {bytes} bytes of memory may be locked and {MEMLOCK_MIN_BYTES} are needed \
             (ulimit -l)"
        )),
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_allows_a_ring_gets_an_executor_quickly() {
        if let Err(why) = io_uring().and_then(|()| raise_memlock()) {
            println!("skipped: {why}");
            return;
        }
        let started = std::time::Instant::now();
        executor().unwrap();
        println!("probed in {:?}", started.elapsed());
    }
}
