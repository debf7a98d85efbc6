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
//! | [`query`] | filter -> SQL, keyset pages |
#![forbid(unsafe_code)]

pub mod database;
pub mod error;
pub mod feed;
pub mod query;

pub use database::{Database, Dialect};
pub use error::{ConfigError, ExportError, QueryError};
pub use feed::{FeedBatch, FeedError, RecordFeed};
pub use query::{
    Cell, Entity, Filter, KeyLiteral, Literal, Op, Page, PageSpec, PageStart, Queries,
    QueriesOptions, Query, Row, Sort,
};
