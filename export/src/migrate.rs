//! Brings the schema of a database to this build's version.
//!
//! Migrations are embedded, numbered files per dialect; they are only ever added. PostgreSQL holds an
//! advisory lock meanwhile, so brokers that start together wait for each other. SQLite has no such
//! lock: statements of a migration can run twice, and a start that collides tries again.
//!
//! A database that is newer than this build is refused: writing into columns one does not know is
//! how history gets lost.

use std::time::Duration;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{Connection as _, SqlSafeStr as _};

use crate::database::{Database, Failure, classify, connect_postgres};
use crate::error::ExportError;

/// Attempts of a start that collides with another on the same file.
const COLLISIONS_MAX: u32 = 20;
/// Building an index on a grown table takes its time.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(3600);

/// The outcome of one attempt.
#[derive(Debug)]
pub enum MigrateFailure {
    /// Not now; try again.
    Down(String),
    /// Not without an operator.
    Refused(ExportError),
}

/// The migrations of one dialect: number, name, statements. Numbers rise and are never reused.
type Migrations = &'static [(i64, &'static str, &'static str)];

const POSTGRES: Migrations = &[
    (
        1,
        "tables",
        include_str!("../migrations/postgres/0001_tables.sql"),
    ),
    (
        2,
        "decisions",
        include_str!("../migrations/postgres/0002_decisions.sql"),
    ),
    (
        3,
        "batch_operation",
        include_str!("../migrations/postgres/0003_batch_operation.sql"),
    ),
    (
        4,
        "statistics",
        include_str!("../migrations/postgres/0004_statistics.sql"),
    ),
    (
        5,
        "identity",
        include_str!("../migrations/postgres/0005_identity.sql"),
    ),
    (
        6,
        "forms",
        include_str!("../migrations/postgres/0006_forms.sql"),
    ),
    (
        14,
        "audit_log",
        include_str!("../migrations/postgres/0014_audit_log.sql"),
    ),
    (
        15,
        "cluster_variable",
        include_str!("../migrations/postgres/0015_cluster_variable.sql"),
    ),
];

const SQLITE: Migrations = &[
    (
        1,
        "tables",
        include_str!("../migrations/sqlite/0001_tables.sql"),
    ),
    (
        2,
        "decisions",
        include_str!("../migrations/sqlite/0002_decisions.sql"),
    ),
    (
        3,
        "batch_operation",
        include_str!("../migrations/sqlite/0003_batch_operation.sql"),
    ),
    (
        4,
        "statistics",
        include_str!("../migrations/sqlite/0004_statistics.sql"),
    ),
    (
        5,
        "identity",
        include_str!("../migrations/sqlite/0005_identity.sql"),
    ),
    (
        6,
        "forms",
        include_str!("../migrations/sqlite/0006_forms.sql"),
    ),
    (
        14,
        "audit_log",
        include_str!("../migrations/sqlite/0014_audit_log.sql"),
    ),
    (
        15,
        "cluster_variable",
        include_str!("../migrations/sqlite/0015_cluster_variable.sql"),
    ),
];

fn migrator(migrations: Migrations) -> Migrator {
    let migration = |&(number, name, statements): &(i64, &'static str, &'static str)| {
        Migration::new(
            number,
            name.into(),
            MigrationType::Simple,
            statements.into_sql_str(),
            false,
        )
    };
    Migrator::with_migrations(migrations.iter().map(migration).collect())
}

/// Creates or extends the tables.
///
/// # Errors
/// [`MigrateFailure::Down`] if the database cannot do it now.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the errors of sqlx are an open list"
)]
pub async fn migrate(database: &Database) -> Result<(), MigrateFailure> {
    let mut collisions = 0;
    loop {
        let result = match database {
            Database::Postgres(options) => {
                async {
                    let mut connection = connect_postgres(options, STATEMENT_TIMEOUT).await?;
                    migrator(POSTGRES)
                        .run_direct(None, &mut connection, false)
                        .await?;
                    connection.close().await?;
                    Ok::<(), MigrateError>(())
                }
                .await
            }
            Database::Sqlite(options) => {
                async {
                    let mut connection = sqlx::SqliteConnection::connect_with(options).await?;
                    migrator(SQLITE)
                        .run_direct(None, &mut connection, false)
                        .await?;
                    connection.close().await?;
                    Ok::<(), MigrateError>(())
                }
                .await
            }
        };
        let error = match result {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        let inner = match &error {
            MigrateError::Execute(inner) | MigrateError::ExecuteMigration(inner, _) => Some(inner),
            _ => None,
        };
        let collided = matches!(database, Database::Sqlite(_))
            && inner.is_some_and(|inner| {
                matches!(classify(inner), Failure::Data)
                    || inner.to_string().contains("locked")
                    || inner.to_string().contains("already exists")
            });
        if collided && collisions < COLLISIONS_MAX {
            collisions += 1;
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        }
        return Err(match inner.map(classify) {
            Some(Failure::Down) => MigrateFailure::Down(error.to_string()),
            Some(Failure::Data | Failure::Statement) | None => {
                MigrateFailure::Refused(ExportError::Schema {
                    reason: error.to_string(),
                })
            }
        });
    }
}
