//! The databases the tests run on.
//!
//! A SQLite file in a temporary directory, or a PostgreSQL server of the test's own; both are gone
//! when the test lets go of them.

use ringflow_export::Database;
use sqlx::{AssertSqlSafe, Connection as _, Row as _};
use tempfile::TempDir;

use super::postgres::Server;

/// A database of the test's own.
pub(crate) enum Db {
    Sqlite(TempDir),
    Postgres(Server),
}

impl Db {
    pub(crate) fn sqlite() -> Self {
        Self::Sqlite(TempDir::new().unwrap())
    }

    pub(crate) fn postgres() -> Self {
        Self::Postgres(Server::start())
    }

    pub(crate) fn database(&self) -> Database {
        let url = match self {
            Self::Sqlite(dir) => format!("sqlite:{}", dir.path().join("data.db").display()),
            Self::Postgres(server) => server.url(),
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
