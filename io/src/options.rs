//! What a broker is started with: placement, bounds, time-outs. Every bound of this crate is here.
//!
//! Plain data, filled by the binary from its configuration, checked once by [`BrokerOptions::check`].
//! Units are in the names. Relations between bounds are asserted where both are known: a bound that
//! contradicts another refuses the start, it is never silently adjusted.

use std::path::PathBuf;
use std::time::Duration;

use crate::cluster::ClusterOptions;
use crate::peer::hello::{PROTOCOL_VERSION, PROTOCOL_VERSION_MIN};
use crate::topology::BrokerAddress;

/// Which driver runs the shards.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum DriverChoice {
    /// io_uring where the host allows it, otherwise plain; the choice is logged.
    #[default]
    Auto,
    /// io_uring; refuse to start where the host forbids it.
    Uring,
    /// Ordinary system calls.
    Plain,
}

/// How many client commands a partition takes in at once: the stabilizing AIMD limit.
///
/// Same rule and defaults as Camunda's request limiter: a sample above `expected` shrinks the limit
/// by `backoff`, but only while no more is in flight than the limit allows; otherwise it grows by one
/// while at least half of it is used.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct RequestLimit {
    /// Limit at start.
    pub initial: u32,
    /// Smallest limit, at least 1.
    pub min: u32,
    /// Largest limit; also the size of the lane that holds what is admitted.
    pub max: u32,
    /// Time from admission to commit that is still good.
    pub expected: Duration,
    /// Factor of a reduction, between 0 and 1.
    pub backoff: f64,
}

impl Default for RequestLimit {
    fn default() -> Self {
        Self {
            initial: 100,
            min: 1,
            max: 1000,
            expected: Duration::from_millis(200),
            backoff: 0.9,
        }
    }
}

/// Everything a broker needs to know to start.
#[derive(Clone, Debug)]
pub struct BrokerOptions {
    /// Directory of all data; created if missing, locked while the broker runs.
    pub data: PathBuf,
    /// Number of partitions of the cluster, 1 to 4095.
    pub partitions: u16,
    /// Number of shard threads; partitions are dealt to them in turn. At least 1.
    pub shards: usize,
    /// Cores to pin the shards to, in order; empty = unpinned. Otherwise one per shard.
    pub cores: Vec<usize>,
    /// Which driver runs the shards.
    pub driver: DriverChoice,
    /// Microseconds a pinned io_uring shard looks for work before it sleeps; 0 = sleeps at once.
    pub spin_micros: u64,
    /// Number of this broker in the cluster, from 0.
    pub node_id: u32,
    /// The cluster it belongs to; by default one of which it is the only broker.
    pub cluster: ClusterOptions,
    /// Where clients find this broker; only reported, never bound here.
    pub address: BrokerAddress,
    /// Newest version of the peer protocol that this broker speaks; lower than what the program
    /// could, it works like the program before it (`peer/hello.rs`).
    pub peer_version: u16,
    /// Admission of client commands, per partition.
    pub request_limit: RequestLimit,
    /// True if a feed reader acknowledges what it exported and the log must be kept until then.
    pub exporting: bool,
    /// The same of an export beside that one.
    pub exporting_beside: bool,
    /// Largest log per partition in bytes before client commands are refused because the export is
    /// behind (the log is kept for it).
    pub export_backlog_bytes: u64,
    /// Time between snapshots of a partition that has new entries.
    pub snapshot_interval: Duration,
    /// Free bytes of the data directory's device below which client commands are refused; below half
    /// of it nothing is processed.
    pub disk_reserve_bytes: u64,
    /// Memory of the state stores of all partitions together, in bytes.
    pub state_memory_bytes: usize,
    /// Size of a log segment in bytes.
    pub log_segment_bytes: u64,
    /// Zone of calendar timers and of dates in expressions; the same on every broker.
    pub time_zone: String,
    /// Of the running root instances of a process, one at most has a business id.
    pub unique_business_ids: bool,
    /// The time that is processed by may be moved; for tests of processes.
    pub controlled_clock: bool,
    /// Who sends a command needs the permission for it.
    pub authorizations: bool,
    /// Who sends a command has to be of its tenant.
    pub tenancy: bool,
    /// Somebody stores backups.
    pub backups: bool,
    /// Backups shall follow each other without gaps: the log is kept from the last one on.
    pub continuous_backups: bool,
    /// Bounds that are rarely changed.
    pub limits: Limits,
}

impl BrokerOptions {
    /// True if the log is kept for any export.
    #[must_use]
    pub const fn exports(&self) -> bool {
        self.exporting || self.exporting_beside
    }

    /// A broker with one partition on one unpinned shard and default bounds, data in `data`.
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Self {
            data: data.into(),
            partitions: 1,
            shards: 1,
            cores: Vec::new(),
            driver: DriverChoice::Auto,
            spin_micros: 0,
            node_id: 0,
            cluster: ClusterOptions::default(),
            peer_version: PROTOCOL_VERSION,
            address: BrokerAddress::default(),
            request_limit: RequestLimit::default(),
            exporting: false,
            exporting_beside: false,
            export_backlog_bytes: 64 << 30,
            snapshot_interval: Duration::from_secs(300),
            disk_reserve_bytes: 1 << 30,
            state_memory_bytes: 512 << 20,
            log_segment_bytes: 64 << 20,
            time_zone: "UTC".to_owned(),
            unique_business_ids: false,
            controlled_clock: false,
            authorizations: false,
            tenancy: false,
            backups: false,
            continuous_backups: false,
            limits: Limits::default(),
        }
    }

    /// Names the first field that cannot be, and why.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub fn check(&self) -> Result<(), String> {
        if self.partitions == 0 || self.partitions > ringflow_core::ids::PARTITION_MAX {
            return Err(format!(
                "partitions = {}: must be 1 to {}",
                self.partitions,
                ringflow_core::ids::PARTITION_MAX
            ));
        }
        if !(PROTOCOL_VERSION_MIN..=PROTOCOL_VERSION).contains(&self.peer_version) {
            return Err(format!(
                "peer protocol version {}: this program speaks {PROTOCOL_VERSION_MIN} to \
                 {PROTOCOL_VERSION}",
                self.peer_version
            ));
        }
        if self.shards == 0 {
            return Err("shards = 0: at least one is needed".to_owned());
        }
        if !self.cores.is_empty() && self.cores.len() != self.shards {
            return Err(format!(
                "cores names {} cores for {} shards: name one per shard, or none to run unpinned",
                self.cores.len(),
                self.shards
            ));
        }
        if !ringflow_core::schedule::knows_zone(&self.time_zone) {
            return Err(format!("time zone '{}' is not known", self.time_zone));
        }
        let limit = &self.request_limit;
        if limit.min == 0 || limit.min > limit.initial || limit.initial > limit.max {
            return Err(format!(
                "request limit: 1 <= min <= initial <= max does not hold for {}, {}, {}",
                limit.min, limit.initial, limit.max
            ));
        }
        if !(limit.backoff > 0.0 && limit.backoff < 1.0) {
            return Err(format!(
                "request limit: backoff {} is not between 0 and 1",
                limit.backoff
            ));
        }
        self.cluster.check(self.node_id)?;
        self.limits.check()
    }
}

/// Bounds of lanes, batches and buffers.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Commands that are never refused by the request limit (job completion, cancellation,
    /// deployment ...) and wait per partition. Beyond it even these are refused: memory is finite.
    pub reserved_lane: usize,
    /// Commands from other partitions that wait per partition; beyond it they are dropped and sent
    /// again by their owner in state.
    pub partition_lane: usize,
    /// Stream registrations and other control messages that wait per partition.
    pub control_lane: usize,
    /// Entries proposed and not yet committed, per partition; processing waits beyond.
    pub pipeline_depth: usize,
    /// Follow-up commands processed with the command that caused them.
    pub commands_in_batch: usize,
    /// Bytes of the records of one command's step (Camunda's maximum message size).
    pub step_bytes: usize,
    /// Bytes of records after which an iteration is sealed.
    pub iteration_bytes: usize,
    /// Largest batch of the log, hence largest entry, in bytes: what an iteration gathers until it is
    /// sealed, and one step on top, in which command, events and refusal have `step_bytes` each.
    pub log_batch_bytes: usize,
    /// Records of one iteration, after which it is sealed.
    pub iteration_records: usize,
    /// Time of one iteration, after which it is sealed even if commands wait.
    pub iteration_time: Duration,
    /// Due timers, time-outs and the like turned into commands per iteration.
    pub due_commands: usize,
    /// Jobs that wait in a stream for its reader before pushes are yielded.
    pub stream_buffer: usize,
    /// Their bytes, roughly: a reader that is blocked holds few large jobs back, whose deadlines run
    /// meanwhile. Small jobs are bounded by their number.
    pub stream_bytes: usize,
    /// Notifications of available job types that a slow listener may lag behind.
    pub available_buffer: usize,
    /// Committed batches kept in memory for the feed reader, per partition.
    pub feed_batches: usize,
    /// Records kept in memory for the feed reader, per partition and export.
    pub feed_records: usize,
    /// Bytes of committed entries kept in memory for the feed reader, per partition and export; what
    /// is behind them is read from the log. One batch is kept in any case.
    pub feed_bytes: usize,
    /// Bytes of entries after which a snapshot is taken before its interval is over.
    pub snapshot_log_bytes: u64,
    /// Longest time committed state waits before it is written to the state store.
    pub persist_delay: Duration,
    /// Callers that may wait for an answer, per partition.
    pub waiting_callers: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            reserved_lane: 8 * 1024,
            partition_lane: 4 * 1024,
            control_lane: 1024,
            pipeline_depth: 3,
            commands_in_batch: 100,
            step_bytes: 4 << 20,
            iteration_bytes: 1 << 20,
            log_batch_bytes: 14 << 20,
            iteration_records: 4096,
            iteration_time: Duration::from_micros(500),
            due_commands: 256,
            stream_buffer: 128,
            stream_bytes: 1 << 20,
            available_buffer: 1024,
            feed_batches: 1024,
            feed_records: 64 * 1024,
            feed_bytes: 32 << 20,
            snapshot_log_bytes: 512 << 20,
            persist_delay: Duration::from_millis(200),
            waiting_callers: 256 * 1024,
        }
    }
}

/// Parts of a step that may have `step_bytes` each: the command, its events, its refusal.
const STEP_PARTS: usize = 3;
/// Bytes that an entry has besides: headers of records and of the entry.
const ENTRY_FRAMING: usize = 128 << 10;

impl Limits {
    fn check(&self) -> Result<(), String> {
        let positive = [
            ("reserved_lane", self.reserved_lane),
            ("partition_lane", self.partition_lane),
            ("control_lane", self.control_lane),
            ("pipeline_depth", self.pipeline_depth),
            ("commands_in_batch", self.commands_in_batch),
            ("iteration_records", self.iteration_records),
            ("iteration_bytes", self.iteration_bytes),
            ("due_commands", self.due_commands),
            ("stream_buffer", self.stream_buffer),
            ("stream_bytes", self.stream_bytes),
            ("available_buffer", self.available_buffer),
            ("feed_batches", self.feed_batches),
            ("feed_records", self.feed_records),
            ("waiting_callers", self.waiting_callers),
        ];
        for (name, value) in positive {
            if value == 0 {
                return Err(format!("{name} = 0: must be at least 1"));
            }
        }
        let entry = self.iteration_bytes + STEP_PARTS * self.step_bytes + ENTRY_FRAMING;
        if self.log_batch_bytes < entry {
            return Err(format!(
                "log_batch_bytes ({}) must be at least {entry}: iteration_bytes and {STEP_PARTS} times \
                 step_bytes",
                self.log_batch_bytes
            ));
        }
        if self.due_commands > self.iteration_records {
            return Err(format!(
                "due_commands ({}) must not exceed iteration_records ({})",
                self.due_commands, self.iteration_records
            ));
        }
        Ok(())
    }
}
