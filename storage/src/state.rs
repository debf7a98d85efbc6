//! The state of one partition: RocksDB below, committed rows that are not in it yet above.
//!
//! Owned by the thread of the partition, which shares it with the engine as an `Rc`; the database
//! handle alone crosses threads, for checkpoints and for flushes in the background. Only committed
//! write sets come in, in order, each with the log entry it belongs to. They are readable at once
//! and reach RocksDB together, as one batch that carries the position row: RocksDB always equals
//! the log's prefix at that position. There is no write-ahead log, the Raft log is it.
//!
//! 1. persisted <= applied; both only grow. A crash loses at most what lies between, and what
//!    RocksDB held in memory; the log replays it.
//! 2. Rows that are born and die between two flushes never reach RocksDB.
//! 3. Keys that begin with `ff ff` are this crate's; the engine's families begin lower.
//!
//! | option | value | why |
//! |---|---|---|
//! | write-ahead log | off | the Raft log is one |
//! | column families | one | one memtable and one sequence: what is flushed is a prefix of the batches |
//! | memtables | 6 x 32 MiB, bounded for the broker by a shared manager | a burst is absorbed without a stall |
//! | block cache | shared by the broker, memtables, indexes and filters charged to it | memory is bounded per broker, not per partition |
//! | prefix | 9 bytes (family, then 8 bytes of key) | scans of one group skip files by their filters |
//! | filters | 10 bits, whole key and prefix, memtables too | an absent row costs 1 us |
//! | level 0 slow-down, stop | 40, 80; pending compaction unlimited | writes are bounded by the log, not by compaction debt |
//! | background | 2 jobs, lowest priority, 128 MiB/s | compaction gives way to the shards |
//! | compression | none in the upper two levels, LZ4 below | hot rows are read without decoding |

mod commit;
mod read;

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ringflow_core::ids::Position;
use ringflow_core::state::store::WriteSet;
use rocksdb::{
    BlockBasedOptions, Cache, DB, DBCompressionType, Env, LogLevel, Options, ReadOptions,
    SliceTransform, WriteBufferManager,
};

use crate::error::Error;
use commit::{Frozen, Pending};

pub use commit::{FlushJob, FlushOutcome};

/// Keys that begin so are this crate's.
pub const RESERVED_PREFIX: [u8; 2] = [0xff, 0xff];
/// Row that says how far the state has been built.
const APPLIED_KEY: &[u8] = &[0xff, 0xff, b'a'];
/// Bytes of a key that its prefix filter covers.
const PREFIX_LEN: usize = 9;
/// Bytes of a memtable.
const MEMTABLE_BYTES: usize = 32 << 20;
/// Memtables of a partition, full ones included.
const MEMTABLES: i32 = 6;
/// Bytes a second that background work may write.
const BACKGROUND_BYTES_PER_SECOND: i64 = 128 << 20;

/// How far a state has been built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Applied {
    /// Index of the last log entry.
    pub index: u64,
    /// Term of that entry.
    pub term: u64,
    /// Position of the last record.
    pub position: Position,
}

/// Length of [`Applied`] as a row: format version 1, then index, term and position.
const APPLIED_LEN: usize = 25;

impl Applied {
    fn encode(self) -> [u8; APPLIED_LEN] {
        let mut bytes = [0; APPLIED_LEN];
        bytes[0] = 1;
        bytes[1..9].copy_from_slice(&self.index.to_le_bytes());
        bytes[9..17].copy_from_slice(&self.term.to_le_bytes());
        bytes[17..25].copy_from_slice(&self.position.0.to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; APPLIED_LEN] = bytes.try_into().ok()?;
        let word = |at: usize| {
            let mut word = [0; 8];
            word.copy_from_slice(&bytes[at..at + 8]);
            u64::from_le_bytes(word)
        };
        (bytes[0] == 1).then(|| Self {
            index: word(1),
            term: word(9),
            position: Position(word(17)),
        })
    }
}

/// Memory and background threads shared by all state stores of a broker; cheap to clone.
#[derive(Clone)]
pub struct StateMemory {
    cache: Cache,
    write_buffers: WriteBufferManager,
    env: Env,
    compacts: bool,
}

impl std::fmt::Debug for StateMemory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StateMemory")
            .field("cache_bytes_used", &self.cache.get_usage())
            .field("write_buffer_bytes_used", &self.write_buffers.get_usage())
            .finish_non_exhaustive()
    }
}

impl StateMemory {
    /// `total_bytes` for everything RocksDB holds in memory in this process, of which rows not yet
    /// in files may take `write_buffer_bytes` before they are written out.
    ///
    /// # Errors
    /// [`Error::Misuse`] if the part is larger than the whole; [`Error::Store`] without threads.
    pub fn new(total_bytes: usize, write_buffer_bytes: usize) -> Result<Self, Error> {
        if write_buffer_bytes > total_bytes {
            return Err(Error::Misuse(format!(
                "write buffers of {write_buffer_bytes} bytes exceed the {total_bytes} bytes of \
                 which they are a part"
            )));
        }
        let cache = Cache::new_hyper_clock_cache(total_bytes, 0);
        // Stalling would block a shard; the bound is kept by flushing earlier.
        let write_buffers = WriteBufferManager::new_write_buffer_manager_with_cache(
            write_buffer_bytes,
            false,
            cache.clone(),
        );
        let mut env = Env::new().map_err(|error| Error::Store {
            action: "start background threads",
            path: PathBuf::new(),
            message: error.into_string(),
        })?;
        env.lower_thread_pool_cpu_priority();
        env.lower_high_priority_thread_pool_cpu_priority();
        Ok(Self {
            cache,
            write_buffers,
            env,
            compacts: true,
        })
    }

    /// Stores opened with it never compact, so that their files follow from what was written alone
    /// and not from when a background thread came to run: for simulations that are played again.
    #[must_use]
    pub fn without_compaction(mut self) -> Self {
        self.compacts = false;
        self
    }

    /// Bytes in use.
    #[must_use]
    pub fn used_bytes(&self) -> usize {
        self.cache.get_usage()
    }

    fn options(&self) -> Options {
        let mut table = BlockBasedOptions::default();
        table.set_block_cache(&self.cache);
        table.set_cache_index_and_filter_blocks(true);
        table.set_cache_index_and_filter_blocks_with_high_priority(true);
        table.set_pin_l0_filter_and_index_blocks_in_cache(true);
        table.set_bloom_filter(10.0, false);
        table.set_whole_key_filtering(true);
        let mut options = Options::default();
        options.create_if_missing(true);
        options.set_env(&self.env);
        options.set_block_based_table_factory(&table);
        options.set_write_buffer_manager(&self.write_buffers);
        options.set_write_buffer_size(MEMTABLE_BYTES);
        options.set_max_write_buffer_number(MEMTABLES);
        options.set_prefix_extractor(SliceTransform::create_fixed_prefix(PREFIX_LEN));
        options.set_memtable_prefix_bloom_ratio(0.1);
        options.set_memtable_whole_key_filtering(true);
        options.set_level_zero_slowdown_writes_trigger(40);
        options.set_level_zero_stop_writes_trigger(80);
        options.set_soft_pending_compaction_bytes_limit(0);
        options.set_hard_pending_compaction_bytes_limit(0);
        options.set_max_background_jobs(2);
        options.set_disable_auto_compactions(!self.compacts);
        options.set_avoid_unnecessary_blocking_io(true);
        options.set_ratelimiter(BACKGROUND_BYTES_PER_SECOND, 100_000, 10);
        options.set_bytes_per_sync(1 << 20);
        // One writer for each database.
        options.set_allow_concurrent_memtable_write(false);
        options.set_compression_per_level(&[
            DBCompressionType::None,
            DBCompressionType::None,
            DBCompressionType::Lz4,
            DBCompressionType::Lz4,
            DBCompressionType::Lz4,
            DBCompressionType::Lz4,
            DBCompressionType::Lz4,
        ]);
        options.set_max_open_files(1024);
        options.set_log_level(LogLevel::Warn);
        options.set_keep_log_file_num(4);
        options.set_stats_dump_period_sec(0);
        options
    }
}

/// Bounds of what is committed but not yet in RocksDB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PendingLimit {
    /// Bytes of keys and values; default 4 MiB. More: fewer rows reach the disk, longer flushes.
    pub bytes: usize,
    /// Age of the oldest; default 200 ms. More: fewer rows reach the disk, longer replay.
    pub age: Duration,
}

impl Default for PendingLimit {
    fn default() -> Self {
        Self {
            bytes: 4 << 20,
            age: Duration::from_millis(200),
        }
    }
}

/// What a flush did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flushed {
    /// There was nothing to do.
    Nothing,
    /// The rows are in RocksDB, up to [`StateStore::persisted`].
    Written,
    /// RocksDB does not keep up; the rows stay where they are. Push back and try again later.
    Stalled,
}

/// What a read hears while the files are being replaced.
const CLOSED: &str = "the state store is closed";

/// The state store of one partition; see the module.
pub struct StateStore {
    path: PathBuf,
    /// None while the files are being replaced.
    db: RefCell<Option<Arc<DB>>>,
    point_read: ReadOptions,
    layers: RefCell<Layers>,
}

/// What lies above RocksDB, newest first.
#[derive(Debug)]
struct Layers {
    pending: Pending,
    /// Being written by a [`FlushJob`], or waiting to be written again.
    frozen: Option<Arc<Frozen>>,
    /// True while a job is out.
    flushing: bool,
    oldest: Option<Instant>,
    applied: Applied,
    persisted: Applied,
}

impl Layers {
    /// Nothing above what RocksDB has.
    fn at(persisted: Applied) -> Self {
        Self {
            pending: Pending::default(),
            frozen: None,
            flushing: false,
            oldest: None,
            applied: persisted,
            persisted,
        }
    }
}

/// The files of a state store, opened on any thread; see [`StateStore::adopt`].
pub struct OpenedState {
    db: DB,
    persisted: Applied,
}

impl std::fmt::Debug for OpenedState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenedState")
            .field("persisted", &self.persisted)
            .finish_non_exhaustive()
    }
}

impl OpenedState {
    /// Opens or creates the files in `path`.
    ///
    /// # Errors
    /// As [`StateStore::open`].
    pub fn open(path: &Path, memory: &StateMemory) -> Result<Self, Error> {
        let db = DB::open(&memory.options(), path).map_err(store_error("open", path))?;
        let persisted = read_applied(&db, path)?;
        Ok(Self { db, persisted })
    }
}

impl std::fmt::Debug for StateStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StateStore")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl StateStore {
    /// Opens or creates the store in `path`. What it holds is consistent at
    /// [`StateStore::persisted`], also after a crash.
    ///
    /// # Errors
    /// [`Error::Store`] if RocksDB refuses (it is corrupt, or open elsewhere),
    /// [`Error::Corrupt`] if its position row is damaged.
    pub fn open(path: &Path, memory: &StateMemory) -> Result<Self, Error> {
        let OpenedState { db, persisted } = OpenedState::open(path, memory)?;
        Ok(Self {
            path: path.to_owned(),
            db: RefCell::new(Some(Arc::new(db))),
            point_read: ReadOptions::default(),
            layers: RefCell::new(Layers::at(persisted)),
        })
    }

    /// Lets go of the files, so that they can be replaced; what was committed and not flushed is
    /// forgotten. Every read is an error until [`StateStore::adopt`].
    ///
    /// # Errors
    /// [`Error::Misuse`] while a [`FlushJob`] is out or a snapshot is being taken: try again later.
    pub fn close(&self) -> Result<(), Error> {
        let mut db = self.db.borrow_mut();
        let busy = self.layers.borrow().flushing
            || db.as_ref().is_some_and(|db| Arc::strong_count(db) > 1);
        if busy {
            return Err(Error::Misuse(
                "the state store is being written or copied".to_owned(),
            ));
        }
        *db = None;
        Ok(())
    }

    /// Goes on with the files that took the place of those it closed.
    pub fn adopt(&self, opened: OpenedState) {
        *self.db.borrow_mut() = Some(Arc::new(opened.db));
        *self.layers.borrow_mut() = Layers::at(opened.persisted);
    }

    /// Takes the changes of a committed entry; reads show them at once. An entry without changes
    /// only moves the position.
    ///
    /// # Panics
    /// If `applied` lies before what was committed already, or a key is reserved: the caller has
    /// lost the order of the log, and nothing may be written.
    pub fn commit(&self, set: WriteSet, applied: Applied) {
        let layers = &mut *self.layers.borrow_mut();
        assert!(
            applied.index >= layers.applied.index && applied.position >= layers.applied.position,
            "state committed out of order: {applied:?} after {:?}",
            layers.applied
        );
        for change in set.rows {
            layers.pending.fold(change);
        }
        layers.applied = applied;
    }

    /// Up to where reads show the state.
    #[must_use]
    pub fn applied(&self) -> Applied {
        self.layers.borrow().applied
    }

    /// Up to where RocksDB has it. Not more than RocksDB's own memory survives a crash; only a
    /// snapshot makes it durable.
    #[must_use]
    pub fn persisted(&self) -> Applied {
        self.layers.borrow().persisted
    }

    /// Bytes of keys and values that wait for a flush.
    #[must_use]
    pub fn pending_bytes(&self) -> usize {
        let layers = self.layers.borrow();
        layers.pending.bytes() + layers.frozen.as_ref().map_or(0, |frozen| frozen.bytes())
    }

    /// True if a flush should begin at `now`. What is pending ages from the first time this was
    /// asked about it.
    #[must_use]
    pub fn flush_due(&self, limit: PendingLimit, now: Instant) -> bool {
        let layers = &mut *self.layers.borrow_mut();
        if layers.flushing || layers.applied == layers.persisted {
            return false;
        }
        let oldest = *layers.oldest.get_or_insert(now);
        layers.pending.bytes() >= limit.bytes || now.saturating_duration_since(oldest) >= limit.age
    }

    /// Writes everything pending into RocksDB on this thread.
    ///
    /// # Errors
    /// [`Error::Store`]; [`Error::Misuse`] while a [`FlushJob`] is out.
    pub fn flush(&self) -> Result<Flushed, Error> {
        if self.layers.borrow().flushing {
            return Err(Error::Misuse(
                "a flush of this state store is under way".to_owned(),
            ));
        }
        loop {
            let Some(job) = self.begin_flush() else {
                return Ok(Flushed::Nothing);
            };
            match self.finish_flush(job.run())? {
                // What was frozen by an earlier, stalled flush is written; now the rest.
                Flushed::Written if self.applied() != self.persisted() => {}
                Flushed::Written => return Ok(Flushed::Written),
                Flushed::Nothing => return Ok(Flushed::Nothing),
                Flushed::Stalled => return Ok(Flushed::Stalled),
            }
        }
    }

    /// Freezes what is pending, to be written by [`FlushJob::run`] on any thread; reads go on
    /// showing it. None if there is nothing, or a job is out.
    #[must_use]
    pub fn begin_flush(&self) -> Option<FlushJob> {
        let layers = &mut *self.layers.borrow_mut();
        let db = Arc::clone(self.db.borrow().as_ref()?);
        if layers.flushing {
            return None;
        }
        if layers.frozen.is_none() {
            if layers.applied == layers.persisted {
                return None;
            }
            layers.frozen = Some(Arc::new(layers.pending.freeze(layers.applied)));
            layers.oldest = None;
        }
        layers.flushing = true;
        let frozen = layers.frozen.as_ref()?;
        Some(FlushJob::new(db, Arc::clone(frozen)))
    }

    /// Takes the outcome of a job.
    ///
    /// # Errors
    /// [`Error::Store`] if RocksDB failed; the partition must stop.
    pub fn finish_flush(&self, outcome: FlushOutcome) -> Result<Flushed, Error> {
        let layers = &mut *self.layers.borrow_mut();
        layers.flushing = false;
        let flushed = outcome.0.map_err(store_error("write to", &self.path))?;
        if flushed == Flushed::Written
            && let Some(frozen) = layers.frozen.take()
        {
            layers.persisted = frozen.applied();
        }
        Ok(flushed)
    }

    /// Flushes everything, then has RocksDB write its own memory to files and sync them: the next
    /// opening finds the state as it is now. For an orderly stop; blocks.
    ///
    /// # Errors
    /// [`Error::Store`], [`Error::Misuse`] as [`StateStore::flush`].
    pub fn persist(&self) -> Result<(), Error> {
        while self.flush()? == Flushed::Stalled {
            std::thread::sleep(Duration::from_millis(1));
        }
        self.database()?
            .flush()
            .map_err(store_error("flush", &self.path))
    }

    /// True if RocksDB delays or refuses writes now; the caller pushes back on its clients.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn is_stalled(&self) -> Result<bool, Error> {
        for property in [
            "rocksdb.is-write-stopped",
            "rocksdb.actual-delayed-write-rate",
        ] {
            let value = self
                .database()?
                .property_int_value(property)
                .map_err(store_error("ask", &self.path))?;
            if value.is_some_and(|value| value > 0) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The database.
    ///
    /// # Errors
    /// [`Error::Misuse`] while it is closed.
    pub(crate) fn database(&self) -> Result<Arc<DB>, Error> {
        let db = self.db.borrow();
        db.clone().ok_or_else(|| Error::Misuse(CLOSED.to_owned()))
    }
}

/// The position row of a database.
pub(crate) fn read_applied(db: &DB, path: &Path) -> Result<Applied, Error> {
    match db.get(APPLIED_KEY).map_err(store_error("read", path))? {
        None => Ok(Applied::default()),
        Some(row) => Applied::decode(&row).ok_or_else(|| {
            Error::corrupt(path, 0, "position row of the state store does not decode")
        }),
    }
}

/// Wraps RocksDB's words.
pub(crate) fn store_error(
    action: &'static str,
    path: &Path,
) -> impl FnOnce(rocksdb::Error) -> Error {
    let path = path.to_owned();
    move |error| Error::Store {
        action,
        path,
        message: error.into_string(),
    }
}
