//! One open connection to whichever database, and how values cross it.
//!
//! Statements are put together by [`Statement`], which knows the dialect; here their values are bound
//! and their results read. Every dialect comes back as the same cells: times as milliseconds, flags
//! as flags. What is written by the thousand (rows of a window) does not pass here but goes to the
//! dialect's own writer in `sink/`.
//!
//! A link is owned by one task. After a time-out it must be dropped: the server may still be at it.

use std::time::Duration;

use sqlx::mysql::{MySqlArguments, MySqlRow};
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{
    Arguments, AssertSqlSafe, Connection as _, MySqlConnection, PgConnection, Row as _,
    SqliteConnection,
};

use crate::database::mysql::Server;
use crate::database::{Database, Dialect, connect_postgres, mysql};
use crate::prefix::Prefix;
use crate::query::Cell;
use crate::query::field::Kind;
use crate::query::statement::{Bind, Statement};

/// An open connection.
#[derive(Debug)]
pub(crate) enum Wire {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
    Mysql(MySqlConnection, Server),
}

/// An open connection, and what stands in front of all tables there.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) wire: Wire,
    pub(crate) prefix: Prefix,
}

impl Link {
    /// Opens a connection whose statements the server ends after `statement_timeout`.
    pub(crate) async fn open(
        database: &Database,
        prefix: &Prefix,
        statement_timeout: Duration,
    ) -> Result<Self, sqlx::Error> {
        let wire = match database {
            Database::Sqlite(options) => {
                Wire::Sqlite(SqliteConnection::connect_with(options).await?)
            }
            Database::Postgres(options) => {
                Wire::Postgres(connect_postgres(options, statement_timeout).await?)
            }
            Database::Mysql(options) => {
                let (connection, server) = mysql::connect(options, statement_timeout).await?;
                Wire::Mysql(connection, server)
            }
        };
        Ok(Self {
            wire,
            prefix: prefix.clone(),
        })
    }

    pub(crate) const fn dialect(&self) -> Dialect {
        match &self.wire {
            Wire::Sqlite(_) => Dialect::Sqlite,
            Wire::Postgres(_) => Dialect::Postgres,
            Wire::Mysql(..) => Dialect::Mysql,
        }
    }

    /// Says farewell. What is committed is stored whether or not this succeeds.
    pub(crate) async fn close(self) {
        let _ = match self.wire {
            Wire::Sqlite(connection) => connection.close().await,
            Wire::Postgres(connection) => connection.close().await,
            Wire::Mysql(connection, _) => connection.close().await,
        };
    }

    /// Runs a statement without values, one that opens or ends a transaction or a part of it.
    pub(crate) async fn run(&mut self, sql: &'static str) -> Result<(), sqlx::Error> {
        match &mut self.wire {
            Wire::Sqlite(connection) => {
                sqlx::query(sql).execute(connection).await?;
            }
            Wire::Postgres(connection) => {
                sqlx::raw_sql(sql).execute(connection).await?;
            }
            Wire::Mysql(connection, _) => {
                sqlx::raw_sql(sql).execute(connection).await?;
            }
        }
        Ok(())
    }

    /// Runs a statement and says how many rows it changed. It stays prepared if its text comes again
    /// (`keep`).
    pub(crate) async fn execute(
        &mut self,
        statement: Statement,
        keep: bool,
    ) -> Result<u64, sqlx::Error> {
        let sql = AssertSqlSafe(self.prefix.apply(&statement.text).into_owned());
        Ok(match &mut self.wire {
            Wire::Sqlite(connection) => {
                sqlx::query_with(sql, values::<SqliteArguments>(statement.binds)?)
                    .persistent(keep)
                    .execute(connection)
                    .await?
                    .rows_affected()
            }
            Wire::Postgres(connection) => {
                sqlx::query_with(sql, values::<PgArguments>(statement.binds)?)
                    .persistent(keep)
                    .execute(connection)
                    .await?
                    .rows_affected()
            }
            Wire::Mysql(connection, _) => sqlx::query_with(sql, mysql_values(statement.binds)?)
                .persistent(keep)
                .execute(connection)
                .await?
                .rows_affected(),
        })
    }

    /// All rows of a statement whose columns are of `kinds` and can be read as such (see
    /// [`readable`]).
    pub(crate) async fn fetch(
        &mut self,
        statement: Statement,
        kinds: &[Kind],
    ) -> Result<Vec<Vec<Cell>>, sqlx::Error> {
        let sql = AssertSqlSafe(self.prefix.apply(&statement.text).into_owned());
        match &mut self.wire {
            Wire::Sqlite(connection) => {
                sqlx::query_with(sql, values::<SqliteArguments>(statement.binds)?)
                    .fetch_all(connection)
                    .await?
                    .iter()
                    .map(|row| read_sqlite(row, kinds))
                    .collect()
            }
            Wire::Postgres(connection) => {
                sqlx::query_with(sql, values::<PgArguments>(statement.binds)?)
                    .fetch_all(connection)
                    .await?
                    .iter()
                    .map(|row| read_postgres(row, kinds))
                    .collect()
            }
            Wire::Mysql(connection, _) => sqlx::query_with(sql, mysql_values(statement.binds)?)
                .fetch_all(connection)
                .await?
                .iter()
                .map(|row| read_mysql(row, kinds))
                .collect(),
        }
    }
}

/// The SELECT form of an expression of `kind`, so that it can be read back.
pub(crate) fn readable(dialect: Dialect, kind: Kind, sql: &str) -> String {
    match (dialect, kind) {
        (Dialect::Postgres, Kind::Time) => {
            format!("(EXTRACT(EPOCH FROM {sql}) * 1000)::bigint")
        }
        (Dialect::Postgres, Kind::Key | Kind::Int) => format!("({sql})::bigint"),
        (Dialect::Postgres, Kind::Text | Kind::Json) => format!("({sql})::text"),
        (Dialect::Postgres, Kind::Bool) => format!("({sql})::boolean"),
        (Dialect::Mysql, Kind::Time) => {
            format!("TIMESTAMPDIFF(MICROSECOND, TIMESTAMP'1970-01-01 00:00:00', {sql}) DIV 1000")
        }
        // Sums are decimals, conditions are numbers of any width.
        (Dialect::Mysql, Kind::Key | Kind::Int | Kind::Bool) => format!("CAST(({sql}) AS SIGNED)"),
        (Dialect::Mysql, Kind::Text | Kind::Json) | (Dialect::Sqlite, _) => format!("({sql})"),
    }
}

/// Milliseconds since the epoch as MySQL reads times: in UTC, to the millisecond.
pub(crate) fn mysql_time(millis: i64) -> Result<String, sqlx::Error> {
    let refuse = |reason: String| sqlx::Error::Encode(reason.into());
    let timestamp = jiff::Timestamp::from_millisecond(millis).map_err(|_| {
        refuse(format!(
            "{millis} ms is no time that the database can store"
        ))
    })?;
    let time = jiff::tz::TimeZone::UTC.to_datetime(timestamp);
    if time.year() < 0 {
        return Err(refuse(format!(
            "{time} is no time that the database can store"
        )));
    }
    Ok(format!("{time:.3}"))
}

/// Adds one value to the arguments of a statement.
pub(crate) fn add<'t, A: Arguments, T>(arguments: &mut A, value: T) -> Result<(), sqlx::Error>
where
    T: sqlx::Encode<'t, A::Database> + sqlx::Type<A::Database>,
{
    arguments.add(value).map_err(sqlx::Error::Encode)
}

/// The arguments of a statement, for databases in which times are milliseconds.
pub(crate) fn values<A>(binds: Vec<Bind>) -> Result<A, sqlx::Error>
where
    A: Arguments + Default,
    String: for<'t> sqlx::Encode<'t, A::Database> + sqlx::Type<A::Database>,
    i64: for<'t> sqlx::Encode<'t, A::Database> + sqlx::Type<A::Database>,
    f64: for<'t> sqlx::Encode<'t, A::Database> + sqlx::Type<A::Database>,
{
    let mut arguments = A::default();
    for bind in binds {
        match bind {
            Bind::Text(text) => add(&mut arguments, text),
            Bind::Int(number) | Bind::Time(number) => add(&mut arguments, number),
            Bind::Float(number) => add(&mut arguments, number),
        }?;
    }
    Ok(arguments)
}

pub(crate) fn mysql_values(mut binds: Vec<Bind>) -> Result<MySqlArguments, sqlx::Error> {
    for bind in &mut binds {
        if let Bind::Time(millis) = bind {
            *bind = Bind::Text(mysql_time(*millis)?);
        }
    }
    values(binds)
}

pub(crate) fn read_postgres(row: &PgRow, kinds: &[Kind]) -> Result<Vec<Cell>, sqlx::Error> {
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

/// Reads a row whose columns say little about their types: SQLite's and MySQL's.
macro_rules! loose {
    ($name:ident $row:ty) => {
        pub(crate) fn $name(row: &$row, kinds: &[Kind]) -> Result<Vec<Cell>, sqlx::Error> {
            let text = |at| row.try_get_unchecked::<Option<String>, _>(at);
            let number = |at| row.try_get_unchecked::<Option<i64>, _>(at);
            kinds
                .iter()
                .enumerate()
                .map(|(at, kind)| {
                    Ok(match kind {
                        Kind::Text => text(at)?.map(Cell::Text),
                        Kind::Json => text(at)?.map(Cell::Json),
                        Kind::Bool => number(at)?.map(|flag| Cell::Bool(flag != 0)),
                        Kind::Key => number(at)?.map(Cell::Key),
                        Kind::Int => number(at)?.map(Cell::Int),
                        Kind::Time => number(at)?.map(Cell::Time),
                    }
                    .unwrap_or(Cell::Null))
                })
                .collect()
        }
    };
}

loose!(read_sqlite SqliteRow);
loose!(read_mysql MySqlRow);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_reach_mysql_in_utc_or_not_at_all() {
        assert_eq!(mysql_time(0).unwrap(), "1970-01-01T00:00:00.000");
        assert_eq!(mysql_time(-1).unwrap(), "1969-12-31T23:59:59.999");
        assert_eq!(
            mysql_time(4_102_444_800_120).unwrap(),
            "2100-01-01T00:00:00.120"
        );
        for millis in [i64::MAX, i64::MIN, -62_200_000_000_000_000] {
            assert!(matches!(mysql_time(millis), Err(sqlx::Error::Encode(_))));
        }
    }
}
