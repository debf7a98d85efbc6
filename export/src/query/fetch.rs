//! Runs a search's statement on a connection of its own.
//!
//! A statement that does not come back in time is given up on the client side too, and its
//! connection is not reused.

use std::borrow::Cow;
use std::time::Duration;

use sqlx::AssertSqlSafe;
use sqlx::mysql::{MySqlDatabaseError, MySqlPool, MySqlPoolOptions};
use sqlx::postgres::{PgArguments, PgPool, PgPoolOptions};
use sqlx::sqlite::{SqliteArguments, SqlitePool, SqlitePoolOptions};

use super::field::Kind;
use super::statement::Statement;
use super::{Cell, Queries, QueriesOptions};
use crate::database::{Database, Dialect, Failure, classify, mysql, set_session};
use crate::error::QueryError;
use crate::link;

/// Idle connections are given back after this long.
const IDLE: Duration = Duration::from_secs(300);

/// The connections of the searches.
#[derive(Clone, Debug)]
pub(crate) enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
    Mysql(MySqlPool),
}

impl Pool {
    pub(crate) fn open(options: &QueriesOptions) -> Self {
        let statement_timeout = options.statement_timeout;
        match &options.database {
            Database::Sqlite(database) => Self::Sqlite(
                SqlitePoolOptions::new()
                    .max_connections(options.connections_max)
                    .acquire_timeout(options.acquire_timeout)
                    .idle_timeout(IDLE)
                    .connect_lazy_with(database.clone()),
            ),
            Database::Postgres(database) => Self::Postgres(
                PgPoolOptions::new()
                    .max_connections(options.connections_max)
                    .acquire_timeout(options.acquire_timeout)
                    .idle_timeout(IDLE)
                    .after_connect(move |connection, _| {
                        Box::pin(set_session(connection, statement_timeout))
                    })
                    .connect_lazy_with(database.clone()),
            ),
            // A connection that the server has ended meanwhile is noticed when it is taken.
            Database::Mysql(database) => Self::Mysql(
                MySqlPoolOptions::new()
                    .max_connections(options.connections_max)
                    .acquire_timeout(options.acquire_timeout)
                    .idle_timeout(IDLE)
                    .after_connect(move |connection, _| {
                        Box::pin(async move {
                            mysql::set_session(connection, statement_timeout).await?;
                            Ok(())
                        })
                    })
                    .connect_lazy_with(database.clone()),
            ),
        }
    }

    pub(crate) const fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) => Dialect::Sqlite,
            Self::Postgres(_) => Dialect::Postgres,
            Self::Mysql(_) => Dialect::Mysql,
        }
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
    let mut statement = statement;
    if let Cow::Owned(text) = queries.prefix.apply(&statement.text) {
        statement.text = text;
    }
    match tokio::time::timeout(patience, fetch(&queries.pool, statement, kinds)).await {
        Ok(Ok(rows)) => Ok(rows),
        Ok(Err(error)) => Err(refused(&error)),
        Err(_) => Err(QueryError::Unavailable {
            reason: "the database does not answer".into(),
        }),
    }
}

/// Statements are not kept prepared: the texts of searches differ without bound.
async fn fetch(
    pool: &Pool,
    statement: Statement,
    kinds: &[Kind],
) -> Result<Vec<Vec<Cell>>, sqlx::Error> {
    let sql = AssertSqlSafe(statement.text);
    match pool {
        Pool::Sqlite(pool) => {
            sqlx::query_with(sql, link::values::<SqliteArguments>(statement.binds)?)
                .persistent(false)
                .fetch_all(pool)
                .await?
                .iter()
                .map(|row| link::read_sqlite(row, kinds))
                .collect()
        }
        Pool::Postgres(pool) => {
            sqlx::query_with(sql, link::values::<PgArguments>(statement.binds)?)
                .persistent(false)
                .fetch_all(pool)
                .await?
                .iter()
                .map(|row| link::read_postgres(row, kinds))
                .collect()
        }
        Pool::Mysql(pool) => sqlx::query_with(sql, link::mysql_values(statement.binds)?)
            .persistent(false)
            .fetch_all(pool)
            .await?
            .iter()
            .map(|row| link::read_mysql(row, kinds))
            .collect(),
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
            sqlx::Error::Database(inner) if absent(inner.as_ref()) => {
                QueryError::Unavailable { reason }
            }
            _ => QueryError::Failed { reason },
        },
    }
}

/// The table is not there.
fn absent(error: &dyn sqlx::error::DatabaseError) -> bool {
    matches!(error.code().as_deref(), Some("42P01" | "42S02"))
        || error.message().starts_with("no such table")
}

/// SQLite's CORRUPT and NOTADB, PostgreSQL's "data corrupted" and "index corrupted", MySQL's many.
fn damaged(error: &dyn sqlx::error::DatabaseError) -> bool {
    let code = error.code().unwrap_or_default();
    if error
        .try_downcast_ref::<sqlx::postgres::PgDatabaseError>()
        .is_some()
    {
        return matches!(code.as_ref(), "XX001" | "XX002");
    }
    if let Some(error) = error.try_downcast_ref::<MySqlDatabaseError>() {
        return mysql::damaged(error);
    }
    matches!(code.parse::<u32>().unwrap_or_default() & 0xff, 11 | 26)
}
