//! Files by plain system calls: the disk that works on every host.
//!
//! Used by the log thread and by helper threads; every call blocks. `O_DIRECT` is tried on opening
//! and given up silently where the file system refuses it (tmpfs, some overlays), because the
//! page cache gives the same durability words at a little more cost.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FallocateFlags, OFlags};
use rustix::io::Errno;

use super::{AlignedBuf, BLOCK, Commit, CommitError, Committer, Disk, DiskFile, Mode};
use crate::error::Stage;

/// Bytes of zeros written at once into a new file.
const ZERO_CHUNK: usize = 1 << 20;

/// The file system, by `pread`, `pwrite` and `fdatasync`.
#[derive(Debug, Clone, Copy, Default)]
pub struct PosixDisk;

impl PosixDisk {
    /// The disk of this host.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

#[derive(Debug)]
struct PosixFile {
    file: File,
    path: PathBuf,
}

fn open(path: &Path, mode: Mode, create: bool) -> io::Result<File> {
    let with = |flags: OFlags| {
        OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(create)
            .custom_flags(flags.bits() as i32)
            .open(path)
    };
    match mode {
        Mode::Buffered => with(OFlags::CLOEXEC),
        Mode::Direct => match with(OFlags::CLOEXEC | OFlags::DIRECT) {
            Err(error) if error.raw_os_error() == Some(Errno::INVAL.raw_os_error()) => {
                // Some file systems create the name before they refuse the flag.
                if create && path.exists() {
                    fs::remove_file(path)?;
                }
                with(OFlags::CLOEXEC)
            }
            opened => opened,
        },
    }
}

impl Disk for PosixDisk {
    fn create(&self, path: &Path, len: u64, mode: Mode) -> io::Result<Arc<dyn DiskFile>> {
        let file = open(path, mode, true)?;
        if len > 0 {
            match rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, len) {
                // Not every file system can reserve; writing the zeros allocates as well.
                Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => {}
                Err(error) => return Err(error.into()),
            }
            write_zeros(&file, len)?;
        }
        Ok(Arc::new(PosixFile {
            file,
            path: path.to_owned(),
        }))
    }

    fn open(&self, path: &Path, mode: Mode) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(PosixFile {
            file: open(path, mode, false)?,
            path: path.to_owned(),
        }))
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(directory)? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort_unstable();
        Ok(names)
    }

    fn create_directory(&self, path: &Path) -> io::Result<()> {
        match fs::create_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
            created => created,
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        let path = if path.as_os_str().is_empty() {
            Path::new(".")
        } else {
            path
        };
        File::open(path)?.sync_all()
    }

    fn committer(&self) -> io::Result<Box<dyn Committer>> {
        Ok(Box::new(PlainCommitter))
    }

    fn name(&self) -> &'static str {
        "plain"
    }
}

/// Whole blocks only where the file is open for direct I/O; the rest of a length that is not a
/// multiple is a small buffered file.
fn write_zeros(file: &File, len: u64) -> io::Result<()> {
    let zeros = AlignedBuf::zeroed(ZERO_CHUNK.min((len as usize).next_multiple_of(BLOCK)));
    let mut offset = 0;
    while offset < len {
        let part = ((len - offset) as usize).min(zeros.len());
        file.write_all_at(&zeros.as_slice()[..part], offset)?;
        offset += part as u64;
    }
    Ok(())
}

impl DiskFile for PosixFile {
    fn size(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(buf, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(rustix::fs::fdatasync(self.file.as_fd())?)
    }

    fn path(&self) -> &Path {
        &self.path
    }

    fn descriptor(&self) -> Option<RawFd> {
        Some(self.file.as_raw_fd())
    }
}

/// Commits part by part: all writes, then one flush for each file.
#[derive(Debug)]
pub(crate) struct PlainCommitter;

impl Committer for PlainCommitter {
    fn commit(&mut self, parts: &[Commit<'_>]) -> Vec<Result<(), CommitError>> {
        let mut outcomes: Vec<Result<(), CommitError>> = parts
            .iter()
            .map(|part| {
                part.file
                    .write_at(part.bytes, part.offset)
                    .map_err(|source| CommitError {
                        stage: Stage::Write,
                        source,
                    })
            })
            .collect();
        for (part, outcome) in parts.iter().zip(&mut outcomes) {
            if outcome.is_ok() {
                *outcome = part.file.sync_data().map_err(|source| CommitError {
                    stage: Stage::Sync,
                    source,
                });
            }
        }
        outcomes
    }
}
