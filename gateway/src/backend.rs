//! What the gateway needs from the broker and from the secondary storage, and nothing more.
//!
//! [`Commands`] and [`Reads`] exist because the protocols are tested against a backend in memory
//! that answers what a test wants; the product has one implementation of each (`Submitter` of
//! `ringflow-io`, `Queries` of `ringflow-export`). Both are called from gateway threads and never
//! block them.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use ringflow_backup::Catalog;
use ringflow_core::engine::effect::Response;
use ringflow_core::engine::input::Command;
use ringflow_core::ids::{Key, PartitionId};
use ringflow_core::record::Text;
use ringflow_core::record::value::JobRecord;
use ringflow_export::{ExporterMetrics, Queries};
use ringflow_io::{
    ChangeError, ChangeRequest, ClockChange, FixedClock, JobStream, MetricsSnapshot, PlannedChange,
    StreamInfo, Submitter, Topology,
};
use tokio::sync::broadcast;

pub use ringflow_io::SubmitError;
pub use ringflow_io::submit::StreamSpec;

pub use ringflow_export::{
    Aggregate, Aggregation, Cell, ElementStatistics, Entity, Filter, KeyLiteral, Literal, Op, Page,
    PageSpec, PageStart, Phase, Query, QueryError, Row, Sort, Span, StatisticsOf,
};

/// The way of commands to the partitions.
pub trait Commands: Send + Sync + 'static {
    /// Number of partitions; 0 while the cluster is not known.
    fn partition_count(&self) -> u16;

    /// Hands a command to a partition and waits for the answer, which comes after the commit.
    fn submit(
        &self,
        to: PartitionId,
        command: Command,
        timeout: Duration,
    ) -> BoxFuture<'_, Result<Response, SubmitError>>;

    /// Opens a stream of jobs on all partitions.
    fn open_stream(&self, spec: StreamSpec) -> Box<dyn PushedJobs>;

    /// The streams that are open on the broker.
    fn job_streams(&self) -> Vec<StreamInfo>;

    /// Types of which jobs became available; a receiver that lags looks at everything.
    fn jobs_available(&self) -> broadcast::Receiver<Text>;

    /// The cluster as the broker sees it.
    fn topology(&self) -> Topology;

    /// True if a leader of the partition is known that takes commands.
    fn has_leader(&self, partition: PartitionId) -> bool;

    /// Asks the leader of a partition to hand over to a broker; false if it cannot be asked.
    fn transfer(&self, partition: PartitionId, to: u32) -> bool;

    /// Asks every leader that is not the preferred one to hand over; how many were asked.
    fn rebalance(&self) -> usize;

    /// The time that the broker processes by, in milliseconds since 1970.
    fn time(&self) -> i64;

    /// Moves that time; the new one.
    fn change_clock(&self, change: ClockChange) -> Result<i64, FixedClock>;

    /// Changes the cluster, or only says what would be done.
    fn change(
        &self,
        request: ChangeRequest,
        dry_run: bool,
    ) -> BoxFuture<'_, Result<PlannedChange, ChangeError>>;

    /// The broker's numbers.
    fn metrics(&self) -> MetricsSnapshot;
}

/// Jobs pushed to one worker; dropping it closes the stream.
pub trait PushedJobs: Send {
    /// The next job; `None` when the stream has ended.
    fn next(&mut self) -> BoxFuture<'_, Option<(Key, Arc<JobRecord>)>>;

    /// Gives back a job that could not be delivered.
    fn give_back(&self, key: Key, job: Arc<JobRecord>);
}

/// The way of queries to the secondary storage.
pub trait Reads: Send + Sync + 'static {
    /// A page of the entities that match.
    fn search(&self, query: Query) -> BoxFuture<'_, Result<Page, QueryError>>;

    /// One entity by its key.
    fn get(
        &self,
        entity: Entity,
        key: KeyLiteral,
    ) -> BoxFuture<'_, Result<Option<Row>, QueryError>>;

    /// The BPMN text of a process definition.
    fn process_definition_xml(
        &self,
        key: KeyLiteral,
    ) -> BoxFuture<'_, Result<Option<String>, QueryError>>;

    /// The DMN text of a decision or of a decision requirements graph.
    fn decision_xml(
        &self,
        of: Entity,
        key: KeyLiteral,
    ) -> BoxFuture<'_, Result<Option<String>, QueryError>>;

    /// A page of numbers over many rows.
    fn aggregate(&self, aggregation: Aggregation) -> BoxFuture<'_, Result<Page, QueryError>>;

    /// Counts per element of one instance, or of a definition's instances that fit a filter.
    fn element_statistics(
        &self,
        key: KeyLiteral,
        instances: Option<Filter>,
    ) -> BoxFuture<'_, Result<Vec<ElementStatistics>, QueryError>>;

    /// The phases in which the partitions are exported, each once.
    fn phases(&self, partitions: u16) -> BoxFuture<'_, Result<Vec<Phase>, QueryError>>;

    /// Pauses or resumes the export of all partitions; done when nothing is under way any more.
    fn set_phase(&self, partitions: u16, phase: Phase) -> BoxFuture<'_, Result<(), QueryError>>;
}

/// What the process logs, by module. The empty name is everything that no other name fits; levels are
/// `OFF`, `ERROR`, `WARN`, `INFO`, `DEBUG`, `TRACE`.
pub trait Loggers: Send + Sync + 'static {
    /// Names that have a level, by name.
    fn levels(&self) -> Vec<(String, String)>;

    /// Gives a name a level, or takes it away.
    ///
    /// # Errors
    /// It is no name of a module.
    fn set(&self, module: &str, level: Option<&str>) -> Result<(), String>;
}

/// The backups of the cluster.
#[derive(Clone, Debug)]
pub struct Backups {
    /// Those that are stored.
    pub catalog: Catalog,
    /// They follow each other without gaps, and are numbered here.
    pub continuous: bool,
}

/// What a gateway is started on.
#[derive(Clone)]
pub struct Backend {
    /// The broker.
    pub commands: Arc<dyn Commands>,
    /// The secondary storage; `None` if the cluster has none.
    pub reads: Option<Arc<dyn Reads>>,
    /// The exporters that run here, by name, and their numbers; only shown.
    pub exporters: Vec<(&'static str, Arc<ExporterMetrics>)>,
    /// Backups; `None` if nothing is configured to keep them.
    pub backups: Option<Backups>,
    /// What is logged; `None` if nobody may change it.
    pub loggers: Option<Arc<dyn Loggers>>,
}

impl Commands for Submitter {
    fn partition_count(&self) -> u16 {
        Submitter::partition_count(self)
    }

    fn submit(
        &self,
        to: PartitionId,
        command: Command,
        timeout: Duration,
    ) -> BoxFuture<'_, Result<Response, SubmitError>> {
        Box::pin(Submitter::submit(self, to, command, timeout))
    }

    fn open_stream(&self, spec: StreamSpec) -> Box<dyn PushedJobs> {
        Box::new(Submitter::open_stream(self, spec))
    }

    fn job_streams(&self) -> Vec<StreamInfo> {
        Submitter::job_streams(self)
    }

    fn jobs_available(&self) -> broadcast::Receiver<Text> {
        Submitter::jobs_available(self)
    }

    fn topology(&self) -> Topology {
        Submitter::topology(self)
    }

    fn has_leader(&self, partition: PartitionId) -> bool {
        Submitter::has_leader(self, partition)
    }

    fn transfer(&self, partition: PartitionId, to: u32) -> bool {
        Submitter::transfer(self, partition, to)
    }

    fn rebalance(&self) -> usize {
        Submitter::rebalance(self)
    }

    fn time(&self) -> i64 {
        Submitter::time(self)
    }

    fn change_clock(&self, change: ClockChange) -> Result<i64, FixedClock> {
        Submitter::change_clock(self, change)
    }

    fn change(
        &self,
        request: ChangeRequest,
        dry_run: bool,
    ) -> BoxFuture<'_, Result<PlannedChange, ChangeError>> {
        Box::pin(Submitter::change(self, request, dry_run))
    }

    fn metrics(&self) -> MetricsSnapshot {
        Submitter::metrics(self)
    }
}

impl PushedJobs for JobStream {
    fn next(&mut self) -> BoxFuture<'_, Option<(Key, Arc<JobRecord>)>> {
        Box::pin(JobStream::next(self))
    }

    fn give_back(&self, key: Key, job: Arc<JobRecord>) {
        JobStream::give_back(self, key, job);
    }
}

impl Reads for Queries {
    fn search(&self, query: Query) -> BoxFuture<'_, Result<Page, QueryError>> {
        Box::pin(async move { Queries::search(self, &query).await })
    }

    fn get(
        &self,
        entity: Entity,
        key: KeyLiteral,
    ) -> BoxFuture<'_, Result<Option<Row>, QueryError>> {
        Box::pin(Queries::get(self, entity, key))
    }

    fn process_definition_xml(
        &self,
        key: KeyLiteral,
    ) -> BoxFuture<'_, Result<Option<String>, QueryError>> {
        Box::pin(Queries::process_definition_xml(self, key))
    }

    fn decision_xml(
        &self,
        of: Entity,
        key: KeyLiteral,
    ) -> BoxFuture<'_, Result<Option<String>, QueryError>> {
        Box::pin(async move {
            if of == Entity::DecisionDefinition {
                Queries::decision_definition_xml(self, key).await
            } else {
                Queries::decision_requirements_xml(self, key).await
            }
        })
    }

    fn aggregate(&self, aggregation: Aggregation) -> BoxFuture<'_, Result<Page, QueryError>> {
        Box::pin(async move { Queries::aggregate(self, &aggregation).await })
    }

    fn element_statistics(
        &self,
        key: KeyLiteral,
        instances: Option<Filter>,
    ) -> BoxFuture<'_, Result<Vec<ElementStatistics>, QueryError>> {
        Box::pin(async move {
            let of = match &instances {
                Some(filter) => StatisticsOf::Definition(key, filter),
                None => StatisticsOf::Instance(key),
            };
            Queries::element_statistics(self, of).await
        })
    }

    fn phases(&self, partitions: u16) -> BoxFuture<'_, Result<Vec<Phase>, QueryError>> {
        Box::pin(Queries::phases(self, partitions))
    }

    fn set_phase(&self, partitions: u16, phase: Phase) -> BoxFuture<'_, Result<(), QueryError>> {
        Box::pin(Queries::set_phase(self, partitions, phase))
    }
}
