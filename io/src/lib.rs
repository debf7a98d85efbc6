//! Shards, partitions and replication: everything between a decoded request and a committed record.
//!
//! Threads of this crate, what each owns, and the only ways they talk:
//!
//! | thread | owns | hears of work through |
//! |---|---|---|
//! | shard n | its partitions: engine, state store, Raft group, waiting callers, job streams | bounded lanes (`shard::mailbox`) plus a wake |
//! | log thread, one per device | the segment files while they are written | the flusher's queue |
//! | background, one per broker | snapshots while they are taken | a bounded queue |
//! | pacemaker, one per broker | nothing | a clock |
//! | peers, one per broker of a cluster | the listener, links to and from other brokers, the roster | the links' bounded lanes, sockets |
//!
//! Callers (gateway threads, the export core) hold a [`Submitter`], [`JobStream`]s and
//! [`FeedReader`]s: handles that are `Send` and share nothing with a shard but lanes and atomics.
//! One partition = one Raft group = one log = one state store; the order in which a command becomes
//! durable, applied and answered is stated once, in `partition/process.rs`.

pub mod backup;
pub mod broker;
pub mod clock;
pub mod cluster;
pub mod feed;
pub mod inspect;
pub mod metrics;
pub mod options;
pub mod restore;
pub mod submit;
pub mod topology;

mod background;
mod driver;
mod partition;
mod peer;
mod raft;
mod shard;
#[cfg(test)]
mod sim;

pub use backup::{BackupTask, TakeBackup};
pub use broker::{Broker, StartError};
pub use clock::{ClockChange, FixedClock};
pub use cluster::configuration::{
    ChangeEnd, ClusterMember, Configuration, EndedChange, Operation, PendingChange, PlaceState,
    PlacedReplica,
};
pub use cluster::coordinator::PlannedChange;
pub use cluster::plan::{ChangeError, ChangeRequest};
pub use cluster::{ClusterOptions, Replica};
pub use feed::{Export, FeedBatch, FeedError, FeedReader};
pub use metrics::{
    HistogramSnapshot, MetricsSnapshot, PartitionSnapshot, RecordCount, ShardSnapshot,
};
pub use options::{BrokerOptions, DriverChoice, Limits, RequestLimit};
pub use peer::hello::PROTOCOL_VERSION;
pub use peer::tls::PeerTls;
pub use submit::{AskedItems, JobStream, StreamInfo, StreamSpec, SubmitError, Submitter};
pub use topology::{BrokerAddress, BrokerInfo, Health, PartitionInfo, Role, Topology};
