//! How a partition becomes objects in a store, and objects a partition again.
//!
//! A backup is what every partition was at one checkpoint: the newest snapshot of its leader, and its
//! log up to the entry of the checkpoint, each file with its checksum in a manifest. The manifest is
//! written first (in progress) and last (completed), so that what is there always says what it is.
//! The layout is a byte table in `docs/format/backup.md`.
//!
//! | file | idea |
//! |---|---|
//! | [`store`] | which store: a directory, or S3 and what speaks like it |
//! | [`manifest`] | what is known of the backup of one partition |
//! | [`catalog`] | all backups of a store: states, deletion |
//! | `entries` | entries of the log as bytes |
//! | [`take`] | asking the partitions for a checkpoint |
//! | `save` | one partition into the store |
//! | [`service`] | the thread that stores what the shards ask for |
//! | [`restore`] | from the store into an empty data directory |
//!
//! Nothing here runs on a shard. Memory is bounded by the pieces that are moved, whatever the size of
//! a partition.
#![forbid(unsafe_code)]

pub mod catalog;
mod entries;
pub mod manifest;
pub mod restore;
mod save;
pub mod service;
pub mod store;
pub mod take;

pub use catalog::{BackupState, BackupStatus, Catalog, PartitionState, PartitionStatus};
pub use manifest::{Manifest, Status};
pub use service::BackupService;
pub use store::{S3Options, Store, StoreError, StoreOptions};
