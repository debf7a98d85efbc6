//! The databases the tests run on.
//!
//! A SQLite file in a temporary directory, or a PostgreSQL or MariaDB server of the test's own; all are
//! gone when the test lets go of them.

use ringflow_export::Database;
use sqlx::{AssertSqlSafe, Connection as _, Row as _};
use tempfile::TempDir;

use super::{mariadb, postgres};

/// A database of the test's own.
pub(crate) enum Db {
    Sqlite(TempDir),
    Postgres(postgres::Server),
    Mariadb(mariadb::Server),
}

impl Db {
    pub(crate) fn sqlite() -> Self {
        Self::Sqlite(TempDir::new().unwrap())
    }

    pub(crate) fn postgres() -> Self {
        Self::Postgres(postgres::Server::start())
    }

    pub(crate) fn mariadb() -> Self {
        Self::Mariadb(mariadb::Server::start())
    }

    /// One of each kind.
    pub(crate) fn all() -> [Self; 3] {
        [Self::sqlite(), Self::postgres(), Self::mariadb()]
    }

    /// As by power loss of the database host.
    pub(crate) fn kill(&mut self) {
        match self {
            Self::Sqlite(_) => unreachable!("not a server"),
            Self::Postgres(server) => server.kill(),
            Self::Mariadb(server) => server.kill(),
        }
    }

    /// Starts it again after [`Db::kill`].
    pub(crate) fn resume(&mut self) {
        match self {
            Self::Sqlite(_) => unreachable!("not a server"),
            Self::Postgres(server) => server.resume(),
            Self::Mariadb(server) => server.resume(),
        }
    }

    /// The database as it is reached through another port; `reach` is told the real one.
    pub(crate) fn through(&self, reach: impl FnOnce(u16) -> u16) -> Database {
        let (url, port) = match self {
            Self::Sqlite(_) => unreachable!("not a server"),
            Self::Postgres(server) => (server.url(), server.port),
            Self::Mariadb(server) => (server.url(), server.port),
        };
        let url = url.replace(&format!(":{port}/"), &format!(":{}/", reach(port)));
        Database::parse(&url, None, None).unwrap().unwrap()
    }

    pub(crate) fn database(&self) -> Database {
        let url = match self {
            Self::Sqlite(dir) => format!("sqlite:{}", dir.path().join("data.db").display()),
            Self::Postgres(server) => server.url(),
            Self::Mariadb(server) => server.url(),
        };
        Database::parse(&url, None, None).unwrap().unwrap()
    }

    /// Runs statements.
    pub(crate) fn run(&self, sql: &str) {
        block_on(async {
            match self.database() {
                Database::Sqlite(options) => {
                    let mut connection = sqlx::SqliteConnection::connect_with(&options)
                        .await
                        .unwrap();
                    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
                        .execute(&mut connection)
                        .await
                        .unwrap();
                    connection.close().await.unwrap();
                }
                Database::Postgres(options) => {
                    let mut connection = sqlx::PgConnection::connect_with(&options).await.unwrap();
                    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
                        .execute(&mut connection)
                        .await
                        .unwrap();
                }
                Database::Mysql(options) => {
                    let mut connection =
                        sqlx::MySqlConnection::connect_with(&options).await.unwrap();
                    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
                        .execute(&mut connection)
                        .await
                        .unwrap();
                    connection.close().await.unwrap();
                }
            }
        });
    }

    /// One number.
    pub(crate) fn number(&self, sql: &str) -> i64 {
        block_on(async {
            match self.database() {
                Database::Sqlite(options) => {
                    let mut connection = sqlx::SqliteConnection::connect_with(&options)
                        .await
                        .unwrap();
                    let row = sqlx::query(AssertSqlSafe(sql.to_owned()))
                        .fetch_one(&mut connection)
                        .await
                        .unwrap();
                    let number = row.try_get_unchecked(0).unwrap();
                    connection.close().await.unwrap();
                    number
                }
                Database::Postgres(options) => {
                    let mut connection = sqlx::PgConnection::connect_with(&options).await.unwrap();
                    let row = sqlx::query(AssertSqlSafe(format!("SELECT ({sql})::bigint")))
                        .fetch_one(&mut connection)
                        .await
                        .unwrap();
                    row.try_get(0).unwrap()
                }
                Database::Mysql(options) => {
                    let mut connection =
                        sqlx::MySqlConnection::connect_with(&options).await.unwrap();
                    // There, LENGTH counts bytes, and BIGINT is no type to cast to.
                    let sql = sql
                        .replace("LENGTH(", "CHAR_LENGTH(")
                        .replace("AS BIGINT", "AS SIGNED");
                    let row = sqlx::query(AssertSqlSafe(format!("SELECT CAST(({sql}) AS SIGNED)")))
                        .fetch_one(&mut connection)
                        .await
                        .unwrap();
                    connection.close().await.unwrap();
                    row.try_get_unchecked(0).unwrap()
                }
            }
        })
    }
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}
