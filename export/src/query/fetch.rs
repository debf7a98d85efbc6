//! Runs a search's statement on a connection of its own and reads cells back.
//!
//! Both dialects come back as the same cells: times as milliseconds, flags as flags. A statement that
//! does not come back in time is given up on the client side too, and its connection is not reused.

use std::time::Duration;

use sqlx::postgres::{PgArguments, PgPool, PgPoolOptions, PgRow};
use sqlx::sqlite::{SqliteArguments, SqlitePool, SqlitePoolOptions, SqliteRow};
use sqlx::{Arguments as _, AssertSqlSafe, Row as _};

use super::field::Kind;
use super::statement::{Bind, Statement};
use super::{Cell, Queries, QueriesOptions};
use crate::database::{Database, Dialect, Failure, classify, set_session};
use crate::error::QueryError;

/// Idle connections are given back after this long.
const IDLE: Duration = Duration::from_secs(300);

/// The connections of the searches.
#[derive(Clone, Debug)]
pub(crate) enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

impl Pool {
    pub(crate) fn open(options: &QueriesOptions) -> Self {
        match &options.database {
            Database::Sqlite(database) => Self::Sqlite(
                SqlitePoolOptions::new()
                    .max_connections(options.connections_max)
                    .acquire_timeout(options.acquire_timeout)
                    .idle_timeout(IDLE)
                    .connect_lazy_with(database.clone()),
            ),
            Database::Postgres(database) => {
                let statement_timeout = options.statement_timeout;
                Self::Postgres(
                    PgPoolOptions::new()
                        .max_connections(options.connections_max)
                        .acquire_timeout(options.acquire_timeout)
                        .idle_timeout(IDLE)
                        .after_connect(move |connection, _| {
                            Box::pin(set_session(connection, statement_timeout))
                        })
                        .connect_lazy_with(database.clone()),
                )
            }
        }
    }

    pub(crate) const fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) => Dialect::Sqlite,
            Self::Postgres(_) => Dialect::Postgres,
        }
    }
}

/// The SELECT form of an expression of `kind`, readable by [`rows`].
pub(crate) fn readable(dialect: Dialect, kind: Kind, sql: &str) -> String {
    match (dialect, kind) {
        (Dialect::Postgres, Kind::Time) => {
            format!("(EXTRACT(EPOCH FROM {sql}) * 1000)::bigint")
        }
        (Dialect::Postgres, Kind::Key | Kind::Int) => format!("({sql})::bigint"),
        (Dialect::Postgres, Kind::Text | Kind::Json) => format!("({sql})::text"),
        (Dialect::Postgres, Kind::Bool) => format!("({sql})::boolean"),
        (Dialect::Sqlite, _) => format!("({sql})"),
    }
}

/// All rows of a statement whose columns are of `kinds`.
pub(crate) async fn rows(
    queries: &Queries,
    statement: Statement,
    kinds: &[Kind],
) -> Result<Vec<Vec<Cell>>, QueryError> {
    // The server's own limit ends the statement; this one covers a server that is gone.
    let patience = queries.statement_timeout + Duration::from_secs(10);
    let work = async {
        match &queries.pool {
            Pool::Sqlite(pool) => sqlite(pool, statement, kinds).await,
            Pool::Postgres(pool) => postgres(pool, statement, kinds).await,
        }
    };
    match tokio::time::timeout(patience, work).await {
        Ok(Ok(rows)) => Ok(rows),
        Ok(Err(error)) => Err(refused(&error)),
        Err(_) => Err(QueryError::Unavailable {
            reason: "the database does not answer".into(),
        }),
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the errors of sqlx are an open list"
)]
fn refused(error: &sqlx::Error) -> QueryError {
    let reason = error.to_string();
    match classify(error) {
        Failure::Down => QueryError::Unavailable { reason },
        Failure::Data => QueryError::InvalidValue {
            field: "filter".into(),
            reason,
        },
        // The schema is made by the exporter; until it was there, nothing was exported either.
        Failure::Statement => match error {
            // A file that is no database (any more): nothing a search could ask makes up for it.
            sqlx::Error::Database(inner) if damaged(inner.as_ref()) => QueryError::Unavailable {
                reason: format!("the database file is damaged: {reason}"),
            },
            sqlx::Error::ColumnDecode { .. } => QueryError::Unavailable {
                reason: format!("the database holds what no exporter writes: {reason}"),
            },
            sqlx::Error::Database(inner)
                if inner.code().as_deref() == Some("42P01")
                    || inner.message().starts_with("no such table") =>
            {
                QueryError::Unavailable { reason }
            }
            _ => QueryError::Failed { reason },
        },
    }
}

/// SQLite's CORRUPT and NOTADB, or PostgreSQL's "data corrupted" and "index corrupted".
fn damaged(error: &dyn sqlx::error::DatabaseError) -> bool {
    let code = error.code().unwrap_or_default();
    if error
        .try_downcast_ref::<sqlx::postgres::PgDatabaseError>()
        .is_some()
    {
        return matches!(code.as_ref(), "XX001" | "XX002");
    }
    matches!(code.parse::<u32>().unwrap_or_default() & 0xff, 11 | 26)
}

async fn postgres(
    pool: &PgPool,
    statement: Statement,
    kinds: &[Kind],
) -> Result<Vec<Vec<Cell>>, sqlx::Error> {
    let mut arguments = PgArguments::default();
    for bind in statement.binds {
        match bind {
            Bind::Text(text) => arguments.add(text),
            Bind::Int(number) | Bind::Time(number) => arguments.add(number),
            Bind::Float(number) => arguments.add(number),
        }
        .map_err(sqlx::Error::Encode)?;
    }
    // Not kept prepared: the texts of searches differ without bound.
    let rows = sqlx::query_with(AssertSqlSafe(statement.text), arguments)
        .persistent(false)
        .fetch_all(pool)
        .await?;
    rows.iter().map(|row| read_postgres(row, kinds)).collect()
}

fn read_postgres(row: &PgRow, kinds: &[Kind]) -> Result<Vec<Cell>, sqlx::Error> {
    kinds
        .iter()
        .enumerate()
        .map(|(at, kind)| {
            Ok(match kind {
                Kind::Bool => row.try_get::<Option<bool>, _>(at)?.map(Cell::Bool),
                Kind::Text => row.try_get::<Option<String>, _>(at)?.map(Cell::Text),
                Kind::Json => row.try_get::<Option<String>, _>(at)?.map(Cell::Json),
                Kind::Key => row.try_get::<Option<i64>, _>(at)?.map(Cell::Key),
                Kind::Int => row.try_get::<Option<i64>, _>(at)?.map(Cell::Int),
                Kind::Time => row.try_get::<Option<i64>, _>(at)?.map(Cell::Time),
            }
            .unwrap_or(Cell::Null))
        })
        .collect()
}

async fn sqlite(
    pool: &SqlitePool,
    statement: Statement,
    kinds: &[Kind],
) -> Result<Vec<Vec<Cell>>, sqlx::Error> {
    let mut arguments = SqliteArguments::default();
    for bind in statement.binds {
        match bind {
            Bind::Text(text) => arguments.add(text),
            Bind::Int(number) | Bind::Time(number) => arguments.add(number),
            Bind::Float(number) => arguments.add(number),
        }
        .map_err(sqlx::Error::Encode)?;
    }
    let rows = sqlx::query_with(AssertSqlSafe(statement.text), arguments)
        .persistent(false)
        .fetch_all(pool)
        .await?;
    rows.iter().map(|row| read_sqlite(row, kinds)).collect()
}

fn read_sqlite(row: &SqliteRow, kinds: &[Kind]) -> Result<Vec<Cell>, sqlx::Error> {
    kinds
        .iter()
        .enumerate()
        .map(|(at, kind)| {
            Ok(match kind {
                Kind::Text => row
                    .try_get_unchecked::<Option<String>, _>(at)?
                    .map(Cell::Text),
                Kind::Json => row
                    .try_get_unchecked::<Option<String>, _>(at)?
                    .map(Cell::Json),
                Kind::Bool => row
                    .try_get_unchecked::<Option<i64>, _>(at)?
                    .map(|flag| Cell::Bool(flag != 0)),
                Kind::Key => row.try_get_unchecked::<Option<i64>, _>(at)?.map(Cell::Key),
                Kind::Int => row.try_get_unchecked::<Option<i64>, _>(at)?.map(Cell::Int),
                Kind::Time => row.try_get_unchecked::<Option<i64>, _>(at)?.map(Cell::Time),
            }
            .unwrap_or(Cell::Null))
        })
        .collect()
}
