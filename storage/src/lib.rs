//! Bytes that survive: the Raft log, the vote, the state store, snapshots, and where they live.
//!
//! One partition owns one log (its entries are the record stream), one small vote file, one
//! RocksDB that only ever holds committed state, and its snapshots. One log thread per device
//! writes for all partitions on it.
//!
//! Watermarks of a partition, each at most the next: purged <= persisted (in RocksDB) <= applied
//! <= committed. Locally flushed is a mark of its own: a quorum may commit without this disk.

pub mod crashsafe;
pub mod data_dir;
pub mod disk;
pub mod error;
pub mod log;
pub mod snapshot;
pub mod state;
pub mod vote;
pub mod watermark;

pub use data_dir::{DataDir, DataDirOptions, PartitionDir};
pub use error::{Error, Stage};
