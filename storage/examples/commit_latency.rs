//! How long one commit takes: plain system calls against the own ring, for some batch sizes.
//!
//! `cargo run --release -p ringflow-storage --example commit_latency [directory]`: interleaved
//! rounds, so that a busy neighbour hits both; each way writes into one pre-written file, one
//! commit at a time, and nothing else. A few seconds in all.

#![expect(clippy::print_stdout, reason = "its output is its purpose")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ringflow_storage::disk::posix::PosixDisk;
use ringflow_storage::disk::uring::UringDisk;
use ringflow_storage::disk::{AlignedBuf, Commit, Committer, Disk, DiskFile, Mode};

const FILE_BYTES: u64 = 16 << 20;
const ROUNDS: usize = 8;
const COMMITS_PER_ROUND: usize = 100;

struct Way {
    name: &'static str,
    file: Arc<dyn DiskFile>,
    committer: Box<dyn Committer>,
    offset: u64,
    times: Vec<Duration>,
}

impl Way {
    fn new(disk: &dyn Disk, directory: &Path) -> std::io::Result<Self> {
        let path = directory.join(disk.name());
        let _ = disk.remove(&path);
        let file = disk.create(&path, FILE_BYTES, Mode::Direct)?;
        file.sync_data()?;
        Ok(Self {
            name: disk.name(),
            file,
            committer: disk.committer()?,
            offset: 0,
            times: Vec::new(),
        })
    }

    fn round(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        for _ in 0..COMMITS_PER_ROUND {
            if self.offset + bytes.len() as u64 > FILE_BYTES {
                self.offset = 0;
            }
            let start = Instant::now();
            let outcome = self.committer.commit(&[Commit {
                file: &*self.file,
                offset: self.offset,
                bytes,
            }]);
            self.times.push(start.elapsed());
            self.offset += bytes.len() as u64;
            for part in outcome {
                part.map_err(|error| error.source)?;
            }
        }
        Ok(())
    }

    fn report(&mut self, size: usize) {
        self.times.sort_unstable();
        let at = |share: f64| {
            let number = (self.times.len() as f64 * share) as usize;
            self.times[number.min(self.times.len() - 1)].as_micros()
        };
        println!(
            "{:>6} KiB  {:<6} p50 {:>6} us  p90 {:>6} us  p99 {:>6} us  ({} commits)",
            size >> 10,
            self.name,
            at(0.5),
            at(0.9),
            at(0.99),
            self.times.len()
        );
        self.times.clear();
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = std::env::args().nth(1).unwrap_or_else(|| ".".to_owned());
    let directory = Path::new(&directory);
    let mut ways = vec![Way::new(&PosixDisk::new(), directory)?];
    match UringDisk::probe() {
        Ok(disk) => ways.push(Way::new(&disk, directory)?),
        Err(error) => println!("{error}"),
    }
    for size in [4 << 10, 64 << 10, 256 << 10] {
        let bytes = AlignedBuf::zeroed(size);
        for _ in 0..ROUNDS {
            for way in &mut ways {
                way.round(bytes.as_slice())?;
            }
        }
        for way in &mut ways {
            way.report(size);
        }
    }
    for way in &ways {
        std::fs::remove_file(way.file.path())?;
    }
    Ok(())
}
