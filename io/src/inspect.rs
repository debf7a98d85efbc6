//! Looks into the data directory of a stopped broker: records, rows, digests.
//!
//! Opens what a start would open, with the same checks, and holds the lock of the directory so that
//! no broker runs meanwhile. Nothing is written, with one exception that a start would make too: a
//! torn tail of the log is cut off. One partition at a time, everything on the calling thread.
//!
//! [`Inspector::digests`] compares the two ways to the same state: what the state store holds plus
//! the log behind it, and the whole log from its first entry. They differ only if an applier is not
//! deterministic or a file was damaged in a way no checksum saw.

use std::path::Path;
use std::rc::Rc;

use ringflow_core::engine::{Engine, EngineConfig};
use ringflow_core::ids::{PartitionId, Position};
use ringflow_core::record::{Record, batch};
use ringflow_core::state::memory::MemoryStore;
use ringflow_core::state::store::StateRead;
use ringflow_storage::log::{Flusher, IoChoice, Log, LogOptions};
use ringflow_storage::state::{StateMemory, StateStore};
use ringflow_storage::{DataDir, DataDirOptions};

use crate::raft::payload;

/// Bytes of entries read at once.
const READ_BYTES: usize = 4 << 20;
/// Memory for the state store while it is only read.
const STATE_MEMORY_BYTES: usize = 64 << 20;

/// Why something could not be shown.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct InspectError(String);

fn failed(error: impl std::fmt::Display) -> InspectError {
    InspectError(error.to_string())
}

/// An entry of the log.
#[derive(Debug)]
pub struct LogEntry {
    /// Raft index.
    pub index: u64,
    /// Raft term.
    pub term: u64,
    /// Position its records were built on, and the records; `None` for entries of Raft itself.
    pub batch: Option<(Position, Vec<Record>)>,
}

/// The two ways to the state of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digests {
    /// Last position of the log.
    pub position: Position,
    /// State store plus the log behind it.
    pub state: [u8; 16],
    /// The whole log alone; `None` if its beginning was compacted.
    pub replay: Option<[u8; 16]>,
}

/// The data directory of a stopped broker.
#[derive(Debug)]
pub struct Inspector {
    data: DataDir,
    flusher: Flusher,
}

impl Inspector {
    /// Opens `path`, which must be a data directory that no broker uses.
    ///
    /// # Errors
    /// If it is not one, or is in use.
    pub fn open(path: &Path) -> Result<Self, InspectError> {
        let options = DataDirOptions {
            create: false,
            ..DataDirOptions::default()
        };
        let data = DataDir::open(path, options).map_err(failed)?;
        let flusher = Flusher::start("inspect", IoChoice::Plain).map_err(failed)?;
        Ok(Self { data, flusher })
    }

    /// The partitions in it.
    ///
    /// # Errors
    /// If the directory cannot be read.
    pub fn partitions(&self) -> Result<Vec<PartitionId>, InspectError> {
        self.data.partitions().map_err(failed)
    }

    /// Shows every entry of the partition's log in order.
    ///
    /// # Errors
    /// If the log cannot be read, holds what nobody wrote, or `show` fails.
    pub fn log(
        &self,
        partition: PartitionId,
        show: &mut dyn FnMut(LogEntry) -> Result<(), InspectError>,
    ) -> Result<(), InspectError> {
        let directory = self.data.partition(partition).map_err(failed)?.log();
        let options = LogOptions {
            partition: partition.0,
            ..LogOptions::default()
        };
        let (mut log, _) = Log::open(&directory, options, self.flusher.clone()).map_err(failed)?;
        let mut next = log.purged().index + 1;
        let last = log.last().index;
        while next <= last {
            let entries = log.read(next..last + 1, READ_BYTES).map_err(failed)?;
            if entries.is_empty() {
                return Err(InspectError(format!("log entry {next} cannot be read")));
            }
            for entry in entries {
                next = entry.index + 1;
                let batch = payload::batch(&entry.payload)
                    .map(batch::decode)
                    .transpose()
                    .map_err(|error| InspectError(format!("log entry {}: {error}", entry.index)))?;
                show(LogEntry {
                    index: entry.index,
                    term: entry.term,
                    batch,
                })?;
            }
        }
        log.close();
        Ok(())
    }

    /// Shows every row of the partition's state store in key order: key and value.
    ///
    /// # Errors
    /// If the store cannot be read or `show` fails.
    pub fn state(
        &self,
        partition: PartitionId,
        show: &mut dyn FnMut(&[u8], &[u8]) -> Result<(), InspectError>,
    ) -> Result<(), InspectError> {
        let store = self.store(partition)?;
        let mut outcome = Ok(());
        store
            .scan(&[], &[0xff], &mut |key, value| {
                outcome = show(key, value);
                match outcome {
                    Ok(()) => std::ops::ControlFlow::Continue(()),
                    Err(_) => std::ops::ControlFlow::Break(()),
                }
            })
            .map_err(failed)?;
        outcome
    }

    /// Both ways to the partition's state. Reads everything; takes as long as a replay.
    ///
    /// # Errors
    /// If log or state cannot be read, or a record cannot be applied.
    pub fn digests(&self, partition: PartitionId) -> Result<Digests, InspectError> {
        let store = self.store(partition)?;
        let mut state = engine(partition, Rc::new(store))?;
        let mut replay = Some(engine(partition, Rc::new(MemoryStore::default()))?);
        self.log(partition, &mut |entry| {
            let Some((base, records)) = entry.batch else {
                return Ok(());
            };
            let last = Position(base.0 + records.len() as u64);
            // A batch that was built on another position was refused by every replica.
            if base == state.position() && last > state.position() {
                state.replay(&records).map_err(failed)?;
            }
            match &mut replay {
                Some(engine) if base == engine.position() => {
                    engine.replay(&records).map_err(failed)?
                }
                Some(engine) if engine.position() == Position::default() => replay = None,
                Some(_) | None => {}
            }
            Ok(())
        })?;
        Ok(Digests {
            position: state.position(),
            state: state.digest().0,
            replay: replay.map(|engine| engine.digest().0),
        })
    }

    fn store(&self, partition: PartitionId) -> Result<StateStore, InspectError> {
        let memory =
            StateMemory::new(STATE_MEMORY_BYTES, STATE_MEMORY_BYTES / 4).map_err(failed)?;
        let directory = self.data.partition(partition).map_err(failed)?.state();
        StateStore::open(&directory, &memory).map_err(failed)
    }
}

/// Replay needs neither limits nor the number of partitions: it only applies events.
fn engine(partition: PartitionId, store: Rc<dyn StateRead>) -> Result<Engine, InspectError> {
    Engine::open(
        EngineConfig {
            partition,
            ..EngineConfig::default()
        },
        store,
    )
    .map_err(failed)
}

impl InspectError {
    /// An error of the shower, e.g. that its output is closed.
    #[must_use]
    pub fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}
