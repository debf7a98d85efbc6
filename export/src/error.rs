//! What can go wrong with secondary storage, by the decision the caller has to take.
//!
//! A database that is down is never an error of the exporter: it waits and goes on. Only what an
//! operator must change ends it. Searches answer `Unavailable` at once instead, because a client
//! waits for them.
//!
//! | error | who decides |
//! |---|---|
//! | [`ConfigError`] | the operator, at start |
//! | [`ExportError`] | the broker: the partition's export stops and says so |
//! | [`QueryError`] | the client (bad field, bad cursor) or a retry (unavailable) |

/// A database URL or option that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The URL does not parse.
    #[error("the secondary storage URL is not valid: {reason}")]
    Url {
        /// What is wrong; never contains the password.
        reason: String,
    },
    /// The URL names a database that this build does not speak.
    #[error(
        "{database} is not supported yet as secondary storage; use postgresql://..., mysql://..., mariadb://..., sqlite:PATH or none"
    )]
    Unsupported {
        /// The scheme, as given.
        database: String,
    },
    /// A prefix that is no part of a name.
    #[error(
        "'{prefix}' is no prefix of tables: at most 24 letters, digits, underscores, no digit first"
    )]
    Prefix {
        /// As given.
        prefix: String,
    },
}

/// What ends the export of a partition, or of all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    /// The schema could not be created or is newer than this build.
    #[error("the schema of the secondary storage could not be prepared: {reason}")]
    Schema {
        /// The database's words.
        reason: String,
    },
    /// The feed could not continue where the database stands.
    #[error("the record feed of partition {partition} stopped: {reason}")]
    Feed {
        /// Partition number.
        partition: u16,
        /// The feed's words.
        reason: String,
    },
    /// The exporter's thread could not be started.
    #[error("the exporter thread could not be started: {reason}")]
    Thread {
        /// The system's words.
        reason: String,
    },
}

/// Why a search has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// The entity has no such field, or the field does not take the operator.
    #[error("field '{field}' cannot be used like this: {reason}")]
    InvalidField {
        /// REST name of the field.
        field: String,
        /// What it cannot do.
        reason: String,
    },
    /// A value does not fit the field.
    #[error("the value for field '{field}' is not valid: {reason}")]
    InvalidValue {
        /// REST name of the field.
        field: String,
        /// What was expected.
        reason: String,
    },
    /// The cursor is not one that this search with this sort handed out.
    #[error("the cursor is not valid for this search")]
    BadCursor,
    /// Too many values or too deep a filter.
    #[error("the search is too large: {reason}")]
    TooLarge {
        /// The limit that was passed.
        reason: String,
    },
    /// The database cannot be reached or does not answer in time; try again.
    #[error("the secondary storage is not available: {reason}")]
    Unavailable {
        /// The database's words.
        reason: String,
    },
    /// The database refused the statement, which is a defect here.
    #[error("the secondary storage refused the search: {reason}")]
    Failed {
        /// The database's words.
        reason: String,
    },
}
