//! From the log to an SQL database, and back out as the searches of REST v2.
//!
//! The exporter drains the committed records of every partition this broker leads, folds them into
//! final row images and writes them in batches. A window of records, its rows and the export cursor
//! share one SQL transaction, so every record counts exactly once in the database although the feed
//! delivers at least once. Order holds per partition; partitions share no rows but process
//! definitions, which are immutable.
//!
//! Runs on one thread of its own (a current-thread tokio runtime); searches run on the callers'
//! tokio runtime with connections of their own. Nothing here knows the log, Raft or the wire.
//!
//! | file | idea |
//! |---|---|
//! | [`feed`] | where records come from |
//! | [`row`] | record -> row changes, one file a table |
//! | [`batch`] | fold changes to final rows |
//! | `link` | one connection, whichever database |
//! | [`sink`] | one transaction per window; retry classes, fencing, poison rows |
//! | [`exporter`] | the thread that drives them |
//! | [`retain`] | history clean-up |
//! | [`phase`] | whether partitions are exported, paused, softly paused |
//! | [`prefix`] | what stands in front of all tables |
//! | [`elastic`] | the same records as documents of Elasticsearch, beside all this |
//! | [`query`] | filter -> SQL, keyset pages |
#![forbid(unsafe_code)]

pub mod batch;
pub mod database;
pub mod elastic;
pub mod error;
pub mod exporter;
pub mod feed;
pub(crate) mod link;
pub mod metrics;
pub mod migrate;
pub mod names;
pub mod phase;
pub mod prefix;
pub mod query;
pub mod retain;
pub mod row;
pub mod schema;
pub mod sink;

pub use database::{Database, Dialect};
pub use elastic::{Elastic, ElasticOptions};
pub use error::{ConfigError, ExportError, QueryError};
pub use exporter::{Exporter, ExporterOptions};
pub use feed::{FeedBatch, FeedError, RecordFeed};
pub use metrics::{ExporterMetrics, ExporterSnapshot, ExporterState};
pub use phase::Phase;
pub use prefix::Prefix;
pub use query::{
    Aggregate, Aggregation, Cell, ElementStatistics, Entity, Filter, KeyLiteral, Literal, Op, Page,
    PageSpec, PageStart, Queries, QueriesOptions, Query, Row, Sort, Span, StatisticsOf,
};
pub use retain::RetainOptions;
pub use row::{Audit, AuditError, AuditedBy};
