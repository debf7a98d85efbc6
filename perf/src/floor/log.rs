//! The log of the floor: a thread that writes groups of records and flushes each group once.
//! Everything that arrives while a flush is under way forms the next group; no timers, no linger.
//! Owned by the floor server; the thread ends when the last sender is gone.
//!
//! Invariants: 1. an answer and a push leave only after the flush of their record; 2. one flush in
//! flight; 3. writes are multiples of [`BLOCK`] at multiples of [`BLOCK`], padded, never
//! read-modify-write; 4. the file was written and synced in full before, and is reused in a
//! circle, so that no write extends it; 5. a failed write or flush is final: the thread ends with
//! the error and every waiting and later append fails.
//!
//! Limits: [`LANE`] appends waiting, then RESOURCE_EXHAUSTED; [`GROUP_MAX`] bytes a group.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Instant;

use hdrhistogram::Histogram;
use tokio::sync::oneshot;
use tonic::Status;

use crate::args::{FloorArgs, MAX_PAYLOAD_BYTES};
use crate::floor::Jobs;
use crate::measure;
use crate::wire::ActivatedJob;

/// Sector size of any disk worth measuring.
const BLOCK: usize = 4096;
const GROUP_MAX: usize = 4 << 20;
const LANE: usize = 65_536;
const FILE_NAME: &str = "ringflow-perf-floor.log";
/// Variables are written with the command and with the event.
const PAYLOAD_COPIES: usize = 2;
/// Largest record: the largest payload a client of this tool sends, with room for its envelope.
const RECORD_MAX: usize = (MAX_PAYLOAD_BYTES as usize + BLOCK) * (PAYLOAD_COPIES + 1);
const _: () = assert!(RECORD_MAX < GROUP_MAX);

/// One record and what follows its flush.
#[derive(Debug)]
struct Append {
    filler: usize,
    job: Option<ActivatedJob>,
    answer: oneshot::Sender<()>,
}

/// The sending side; ends the thread when dropped.
#[derive(Debug)]
pub(crate) struct FloorLog {
    lane: SyncSender<Append>,
    jobs: Arc<Jobs>,
}

/// The thread and what it found about the disk.
#[derive(Debug)]
pub(crate) struct LogThread {
    pub(crate) handle: JoinHandle<io::Result<Flushes>>,
    pub(crate) direct_io: bool,
}

/// What the thread counted.
#[derive(Debug)]
pub(crate) struct Flushes {
    /// Of write and fdatasync together, in nanoseconds.
    pub(crate) latency: Histogram<u64>,
    pub(crate) records: u64,
}

impl FloorLog {
    pub(crate) fn jobs(&self) -> Arc<Jobs> {
        Arc::clone(&self.jobs)
    }

    /// Returns when a record of `filler` bytes (and the variables of `job`, twice) is on disk.
    pub(crate) async fn append(
        &self,
        filler: usize,
        job: Option<ActivatedJob>,
    ) -> Result<(), Status> {
        let bytes = record_bytes(filler, job.as_ref());
        if bytes > RECORD_MAX {
            return Err(Status::invalid_argument(format!(
                "a record of {bytes} bytes"
            )));
        }
        let (answer, flushed) = oneshot::channel();
        self.lane
            .try_send(Append {
                filler,
                job,
                answer,
            })
            .map_err(|refused| match refused {
                TrySendError::Full(_) => Status::resource_exhausted("the log lane is full"),
                TrySendError::Disconnected(_) => Status::internal("the log has failed"),
            })?;
        flushed
            .await
            .map_err(|_| Status::internal("the log has failed"))
    }
}

/// Pre-writes the file and starts the thread.
pub(crate) fn open(args: &FloorArgs) -> io::Result<(FloorLog, LogThread)> {
    std::fs::create_dir_all(&args.dir)?;
    let path = args.dir.join(FILE_NAME);
    let bytes = (args.log_mib << 20).next_multiple_of(GROUP_MAX as u64);
    let mut buffer = Buffer::new();
    let (file, direct_io) = match prewrite(&path, bytes, libc::O_DIRECT, &mut buffer) {
        Ok(file) => (file, true),
        // File systems without direct I/O refuse the open or the first write.
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
            (prewrite(&path, bytes, 0, &mut buffer)?, false)
        }
        Err(error) => return Err(error),
    };
    let (lane, appends) = sync_channel(LANE);
    let jobs = Arc::new(Jobs::default());
    let writer = Writer {
        file,
        path,
        bytes,
        offset: 0,
        buffer,
        jobs: Arc::clone(&jobs),
    };
    let handle = std::thread::Builder::new()
        .name("floor-log".to_owned())
        .spawn(move || writer.run(&appends))?;
    Ok((FloorLog { lane, jobs }, LogThread { handle, direct_io }))
}

fn prewrite(path: &Path, bytes: u64, flags: i32, buffer: &mut Buffer) -> io::Result<File> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .custom_flags(flags)
        .open(path)?;
    buffer.length = GROUP_MAX;
    let mut offset = 0;
    while offset < bytes {
        file.write_all_at(buffer.filled(), offset)?;
        offset += GROUP_MAX as u64;
    }
    buffer.length = 0;
    file.sync_all()?;
    Ok(file)
}

fn record_bytes(filler: usize, job: Option<&ActivatedJob>) -> usize {
    filler + PAYLOAD_COPIES * job.map_or(0, |job| job.variables.len())
}

/// A group on its way to the disk: aligned as direct I/O wants it, without unsafe code.
#[derive(Debug)]
struct Buffer {
    memory: Vec<u8>,
    start: usize,
    length: usize,
}

impl Buffer {
    fn new() -> Self {
        let memory = vec![0; GROUP_MAX + BLOCK];
        let start = memory.as_ptr().align_offset(BLOCK);
        Self {
            memory,
            start,
            length: 0,
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        let at = self.start + self.length;
        self.memory[at..at + bytes.len()].copy_from_slice(bytes);
        self.length += bytes.len();
    }

    fn fill(&mut self, count: usize) {
        let at = self.start + self.length;
        self.memory[at..at + count].fill(0xa5);
        self.length += count;
    }

    fn filled(&self) -> &[u8] {
        &self.memory[self.start..self.start + self.length]
    }
}

struct Writer {
    file: File,
    path: PathBuf,
    /// A multiple of [`GROUP_MAX`].
    bytes: u64,
    offset: u64,
    buffer: Buffer,
    jobs: Arc<Jobs>,
}

impl Writer {
    fn run(mut self, appends: &Receiver<Append>) -> io::Result<Flushes> {
        let mut flushes = Flushes {
            latency: measure::histogram(),
            records: 0,
        };
        let mut group = Vec::new();
        let outcome = loop {
            // Every sender gone: the server has ended.
            let Ok(first) = appends.recv() else {
                break Ok(());
            };
            self.add(first, &mut group);
            while self.buffer.length + RECORD_MAX <= GROUP_MAX {
                let Ok(next) = appends.try_recv() else { break };
                self.add(next, &mut group);
            }
            let begun = Instant::now();
            if let Err(error) = self.flush() {
                break Err(error);
            }
            let nanos = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
            flushes.latency.saturating_record(nanos);
            flushes.records += group.len() as u64;
            for append in group.drain(..) {
                // A caller that is gone needs no answer; its record stays.
                let _ = append.answer.send(());
                if let Some(job) = append.job {
                    self.jobs.offer(job);
                }
            }
        };
        let removed = std::fs::remove_file(&self.path);
        outcome.and(removed).map(|()| flushes)
    }

    fn add(&mut self, append: Append, group: &mut Vec<Append>) {
        self.buffer.fill(append.filler);
        if let Some(job) = &append.job {
            for _ in 0..PAYLOAD_COPIES {
                self.buffer.push(job.variables.as_bytes());
            }
        }
        group.push(append);
    }

    fn flush(&mut self) -> io::Result<()> {
        let padding = self.buffer.length.next_multiple_of(BLOCK) - self.buffer.length;
        self.buffer.fill(padding);
        if self.offset + self.buffer.length as u64 > self.bytes {
            self.offset = 0;
        }
        self.file.write_all_at(self.buffer.filled(), self.offset)?;
        self.file.sync_data()?;
        self.offset += self.buffer.length as u64;
        self.buffer.length = 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_aligned_and_holds_a_group() {
        let mut buffer = Buffer::new();
        buffer.push(b"abc");
        buffer.fill(BLOCK - 3);
        assert_eq!(buffer.filled().as_ptr().align_offset(BLOCK), 0);
        assert_eq!(
            (buffer.filled().len(), &buffer.filled()[..4]),
            (BLOCK, &b"abc\xa5"[..])
        );
        buffer.length = GROUP_MAX;
        assert_eq!(buffer.filled().len(), GROUP_MAX);
    }

    #[test]
    fn a_record_counts_its_payload_twice() {
        let job = ActivatedJob {
            variables: "x".repeat(100),
            ..ActivatedJob::default()
        };
        assert_eq!(record_bytes(10, Some(&job)), 210);
        assert_eq!(record_bytes(10, None), 10);
    }
}
