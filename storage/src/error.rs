//! What can go wrong with bytes on disk, one variant per decision the caller makes.
//!
//! Errors are cheap to clone because one failed flush is told to everyone who waited for it; the
//! cause is therefore shared. Context (file, offset, stage) is in fields, never only in prose.
//!
//! | variant | meaning | what the caller does |
//! |---|---|---|
//! | `Io` | an operation outside the commit path failed | gives up that operation |
//! | `Full` | no space left for a new file | stops intake, frees space, tries again |
//! | `Corrupt` | bytes are not what was written | stops the partition; in a cluster the rest of the broker goes on, and its peers rebuild it once its directory is empty |
//! | `Poisoned` | a write or sync of the log failed; what is on disk is unknown | ends the process and recovers; nothing is retried |
//! | `Unsupported` | the host lacks what was asked for | takes the other way, or refuses to start |
//! | `Version` | the files are of another format version | refuses to start |
//! | `Locked` | another process uses the directory | refuses to start |
//! | `OutOfRange` | entries asked for are purged or not yet written | answers from a snapshot, or waits |
//! | `Misuse` | entries do not follow each other, or are too large | a bug of the caller |
//! | `Store` | RocksDB refused or failed | stops the partition |
//! | `Closed` | the log thread has ended | ends as well |

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The part of a commit that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Bytes were handed to the device.
    Write,
    /// The device was told to make them durable.
    Sync,
}

impl std::fmt::Display for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Write => "write",
            Self::Sync => "sync",
        })
    }
}

/// See the module's table.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// An operation outside the commit path failed.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was attempted, an infinitive.
        action: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// Why not.
        source: Arc<io::Error>,
    },
    /// No space left on the device.
    #[error("no space left to {action} {}", path.display())]
    Full {
        /// What was attempted, an infinitive.
        action: &'static str,
        /// On which file.
        path: PathBuf,
    },
    /// Bytes are not what was written.
    #[error("{} is corrupt at offset {offset}: {what}", file.display())]
    Corrupt {
        /// The damaged file.
        file: PathBuf,
        /// Byte offset of the damaged structure.
        offset: u64,
        /// What does not fit.
        what: String,
    },
    /// A write or sync of this log failed earlier; only reopening clears it.
    #[error("{} is unusable since a {stage} failed: {source}", path.display())]
    Poisoned {
        /// What failed.
        stage: Stage,
        /// On which file.
        path: PathBuf,
        /// Why.
        source: Arc<io::Error>,
    },
    /// The host lacks what was asked for.
    #[error("{what} is not available on this host: {reason}")]
    Unsupported {
        /// The missing facility.
        what: &'static str,
        /// What the host answered.
        reason: String,
    },
    /// The files are of a format version this program does not read.
    #[error(
        "{} has format version {found}, this program reads version {supported}; \
         use a program of the version that wrote it, or upgrade the data first",
        path.display()
    )]
    Version {
        /// The file that names the version.
        path: PathBuf,
        /// The version found there.
        found: String,
        /// The version this program reads.
        supported: u32,
    },
    /// Another process uses the directory.
    #[error("{} is in use by {}; stop it first, or give this program its own directory",
        path.display(), holder_text(*holder))]
    Locked {
        /// The data directory.
        path: PathBuf,
        /// Process that holds it, if it said so.
        holder: Option<u32>,
    },
    /// Entries asked for are purged or not there yet.
    #[error("log entry {index} is not in the log, which holds {first} to {last}")]
    OutOfRange {
        /// The entry asked for.
        index: u64,
        /// First entry held.
        first: u64,
        /// Last entry held; `first - 1` if there is none.
        last: u64,
    },
    /// The caller broke the contract of the call.
    #[error("{0}")]
    Misuse(String),
    /// RocksDB refused or failed.
    #[error("state store {}: cannot {action}: {message}", path.display())]
    Store {
        /// What was attempted, an infinitive.
        action: &'static str,
        /// Directory of the store.
        path: PathBuf,
        /// RocksDB's own words.
        message: String,
    },
    /// The log thread has ended.
    #[error("the log thread has ended")]
    Closed,
}

fn holder_text(holder: Option<u32>) -> String {
    match holder {
        Some(pid) => format!("process {pid}"),
        None => "another process".to_owned(),
    }
}

impl Error {
    /// An [`Error::Io`], or [`Error::Full`] if that is why.
    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        if source.kind() == io::ErrorKind::StorageFull {
            return Self::Full {
                action,
                path: path.to_owned(),
            };
        }
        Self::Io {
            action,
            path: path.to_owned(),
            source: Arc::new(source),
        }
    }

    /// An [`Error::Corrupt`].
    pub(crate) fn corrupt(file: &Path, offset: u64, what: impl Into<String>) -> Self {
        Self::Corrupt {
            file: file.to_owned(),
            offset,
            what: what.into(),
        }
    }

    /// An [`Error::Poisoned`].
    pub(crate) fn poisoned(stage: Stage, path: &Path, source: io::Error) -> Self {
        Self::Poisoned {
            stage,
            path: path.to_owned(),
            source: Arc::new(source),
        }
    }
}
