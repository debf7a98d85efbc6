//! Files whose commits go through an own small io_uring: write and flush in one submission.
//!
//! The ring lives on the log thread and serves commits only; everything else (opening, reading,
//! preparing) is [`PosixDisk`]'s. Each part is a write linked to an `fsync(DATASYNC)`: the flush
//! starts when the write is complete, and is cancelled by the kernel if the write failed or was
//! short. All parts of a commit are submitted together and awaited together.
//!
//! 1. Buffers and descriptors stay borrowed until every completion has been reaped, so the kernel
//!    never sees freed memory. If the ring itself fails in between, the process aborts.
//! 2. Hosts that forbid io_uring answer `EPERM` or `ENOSYS` to the set-up: [`UringDisk::probe`]
//!    turns that into `Unsupported` before anything is opened.

use std::io;
use std::path::Path;
use std::process;
use std::sync::Arc;

use io_uring::{IoUring, opcode, squeue, types};

use super::posix::PosixDisk;
use super::{Commit, CommitError, Committer, Disk, DiskFile, Mode};
use crate::error::{Error, Stage};

/// Submission entries: two per part, so up to 32 files of one device in one submission.
const RING_ENTRIES: u32 = 64;
/// Parts submitted at once.
const PARTS_AT_ONCE: usize = (RING_ENTRIES / 2) as usize;

/// See the module.
#[derive(Debug, Clone, Copy, Default)]
pub struct UringDisk {
    files: PosixDisk,
}

impl UringDisk {
    /// The disk of this host, if it allows io_uring.
    ///
    /// # Errors
    /// [`Error::Unsupported`] with the host's reason.
    pub fn probe() -> Result<Self, Error> {
        let unsupported = |reason: String| Error::Unsupported {
            what: "io_uring",
            reason,
        };
        let ring = IoUring::new(2).map_err(|error| unsupported(error.to_string()))?;
        let mut probe = io_uring::Probe::new();
        ring.submitter()
            .register_probe(&mut probe)
            .map_err(|error| unsupported(error.to_string()))?;
        for (code, name) in [
            (opcode::Write::CODE, "write"),
            (opcode::Fsync::CODE, "fsync"),
        ] {
            if !probe.is_supported(code) {
                return Err(unsupported(format!("the kernel lacks its {name}")));
            }
        }
        Ok(Self {
            files: PosixDisk::new(),
        })
    }
}

impl Disk for UringDisk {
    fn create(&self, path: &Path, len: u64, mode: Mode) -> io::Result<Arc<dyn DiskFile>> {
        self.files.create(path, len, mode)
    }

    fn open(&self, path: &Path, mode: Mode) -> io::Result<Arc<dyn DiskFile>> {
        self.files.open(path, mode)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        self.files.list(directory)
    }

    fn create_directory(&self, path: &Path) -> io::Result<()> {
        self.files.create_directory(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.files.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.files.remove(path)
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        self.files.sync_directory(path)
    }

    fn committer(&self) -> io::Result<Box<dyn Committer>> {
        Ok(Box::new(RingCommitter {
            ring: IoUring::new(RING_ENTRIES)?,
        }))
    }

    fn name(&self) -> &'static str {
        "uring"
    }
}

struct RingCommitter {
    ring: IoUring,
}

impl std::fmt::Debug for RingCommitter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RingCommitter").finish_non_exhaustive()
    }
}

impl Committer for RingCommitter {
    fn commit(&mut self, parts: &[Commit<'_>]) -> Vec<Result<(), CommitError>> {
        parts
            .chunks(PARTS_AT_ONCE)
            .flat_map(|chunk| self.commit_chunk(chunk))
            .collect()
    }
}

impl RingCommitter {
    fn commit_chunk(&mut self, parts: &[Commit<'_>]) -> Vec<Result<(), CommitError>> {
        for (number, part) in parts.iter().enumerate() {
            let fd = types::Fd(
                part.file
                    .descriptor()
                    .expect("files of this disk are PosixDisk's and have descriptors"),
            );
            let len = u32::try_from(part.bytes.len()).expect("a batch is far below 4 GiB");
            let write = opcode::Write::new(fd, part.bytes.as_ptr(), len)
                .offset(part.offset)
                .build()
                .flags(squeue::Flags::IO_LINK)
                .user_data(number as u64 * 2);
            let sync = opcode::Fsync::new(fd)
                .flags(types::FsyncFlags::DATASYNC)
                .build()
                .user_data(number as u64 * 2 + 1);
            // SAFETY: the entries point at `part.bytes` and at the descriptor of `part.file`, both
            // borrowed by this call, which does not return before `reap` has seen the completion
            // of every entry (or the process has aborted).
            unsafe {
                self.ring
                    .submission()
                    .push_multiple(&[write, sync])
                    .expect("the queue is empty between commits and holds two per part");
            }
        }
        let results = self.reap(parts.len() * 2);
        parts
            .iter()
            .zip(results.chunks_exact(2))
            .map(|(part, pair)| outcome(part.bytes.len(), pair[0], pair[1]))
            .collect()
    }

    /// Submits what is queued and waits for `count` completions; their results by user data.
    fn reap(&mut self, count: usize) -> Vec<i32> {
        let mut results = vec![0; count];
        let mut outstanding = count;
        while outstanding > 0 {
            if let Err(error) = self.ring.submit_and_wait(outstanding) {
                match error.raw_os_error() {
                    Some(libc::EINTR | libc::EAGAIN | libc::EBUSY) => {}
                    _ => {
                        // The kernel may still write from our buffers: nobody may free them.
                        tracing::error!(%error, "the ring of the log thread failed");
                        process::abort();
                    }
                }
            }
            for completion in self.ring.completion() {
                let slot = results
                    .get_mut(completion.user_data() as usize)
                    .expect("only entries of this commit are in the ring");
                *slot = completion.result();
                outstanding -= 1;
            }
        }
        results
    }
}

fn outcome(len: usize, written: i32, synced: i32) -> Result<(), CommitError> {
    if written < 0 {
        return Err(CommitError {
            stage: Stage::Write,
            source: io::Error::from_raw_os_error(-written),
        });
    }
    if written as usize != len {
        return Err(CommitError {
            stage: Stage::Write,
            source: io::Error::new(
                io::ErrorKind::WriteZero,
                format!("{written} of {len} bytes were written"),
            ),
        });
    }
    if synced < 0 {
        return Err(CommitError {
            stage: Stage::Sync,
            source: io::Error::from_raw_os_error(-synced),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_name_the_stage() {
        let stage = |written, synced| outcome(4096, written, synced).map_err(|error| error.stage);
        assert_eq!(stage(4096, 0), Ok(()));
        assert_eq!(stage(-libc::EIO, -libc::ECANCELED), Err(Stage::Write));
        assert_eq!(stage(512, -libc::ECANCELED), Err(Stage::Write));
        assert_eq!(stage(4096, -libc::EIO), Err(Stage::Sync));
    }
}
