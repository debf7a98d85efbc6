//! Brings the schema of a database to this build's version.
//!
//! Migrations are embedded, numbered files per dialect; they are only ever added. PostgreSQL and MySQL
//! hold a lock meanwhile, so brokers that start together wait for each other. SQLite has no such
//! lock: statements of a migration can run twice, and a start that collides tries again. MySQL
//! commits each statement of a schema by itself: a migration that was cut short runs again.
//!
//! Where the database's owner wants to make the schema (`auto_ddl` off), it is only looked at.
//!
//! A database that is newer than this build is refused: writing into columns one does not know is
//! how history gets lost.

use std::borrow::Cow;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::mysql::MySqlConnectOptions;
use sqlx::{AssertSqlSafe, Connection as _, Row as _, SqlSafeStr as _};

use crate::database::mysql::Product;
use crate::database::{Database, Failure, classify, connect_postgres, mysql};
use crate::error::ExportError;
use crate::link::Link;
use crate::prefix::{MIGRATIONS, Prefix};
use crate::query::statement::Statement;
use crate::schema::{ListTable, Table};

/// Attempts of a start that collides with another on the same file.
const COLLISIONS_MAX: u32 = 20;
/// The collation that the files for MySQL name; replaced by what the server calls it.
const COLLATION: &str = "utf8mb4_nopad_bin";
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
    (
        20,
        "listeners_usage_waits",
        include_str!("../migrations/postgres/0020_listeners_usage_waits.sql"),
    ),
    (
        21,
        "exporter_phase",
        include_str!("../migrations/postgres/0021_exporter_phase.sql"),
    ),
    (
        22,
        "large_history",
        include_str!("../migrations/postgres/0022_large_history.sql"),
    ),
    (
        23,
        "agents",
        include_str!("../migrations/postgres/0023_agents.sql"),
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
    (
        20,
        "listeners_usage_waits",
        include_str!("../migrations/sqlite/0020_listeners_usage_waits.sql"),
    ),
    (
        21,
        "exporter_phase",
        include_str!("../migrations/sqlite/0021_exporter_phase.sql"),
    ),
    (
        22,
        "large_history",
        include_str!("../migrations/sqlite/0022_large_history.sql"),
    ),
    (
        23,
        "agents",
        include_str!("../migrations/sqlite/0023_agents.sql"),
    ),
];

const MYSQL: Migrations = &[
    (
        1,
        "tables",
        include_str!("../migrations/mysql/0001_tables.sql"),
    ),
    (
        2,
        "decisions",
        include_str!("../migrations/mysql/0002_decisions.sql"),
    ),
    (
        3,
        "batch_operation",
        include_str!("../migrations/mysql/0003_batch_operation.sql"),
    ),
    (
        4,
        "statistics",
        include_str!("../migrations/mysql/0004_statistics.sql"),
    ),
    (
        5,
        "identity",
        include_str!("../migrations/mysql/0005_identity.sql"),
    ),
    (
        6,
        "forms",
        include_str!("../migrations/mysql/0006_forms.sql"),
    ),
    (
        14,
        "audit_log",
        include_str!("../migrations/mysql/0014_audit_log.sql"),
    ),
    (
        15,
        "cluster_variable",
        include_str!("../migrations/mysql/0015_cluster_variable.sql"),
    ),
    (
        20,
        "listeners_usage_waits",
        include_str!("../migrations/mysql/0020_listeners_usage_waits.sql"),
    ),
    (
        21,
        "exporter_phase",
        include_str!("../migrations/mysql/0021_exporter_phase.sql"),
    ),
    (
        23,
        "agents",
        include_str!("../migrations/mysql/0023_agents.sql"),
    ),
];

fn migrator(migrations: Migrations, prefix: &Prefix, collation: Option<&str>) -> Migrator {
    let migration = |&(number, name, statements): &(i64, &'static str, &'static str)| {
        let statements = match (collation, prefix.apply(statements)) {
            (None, Cow::Borrowed(_)) => statements.into_sql_str(),
            (None, Cow::Owned(statements)) => AssertSqlSafe(statements).into_sql_str(),
            (Some(collation), statements) => {
                AssertSqlSafe(statements.replace(COLLATION, collation)).into_sql_str()
            }
        };
        Migration::new(
            number,
            name.into(),
            MigrationType::Simple,
            statements,
            false,
        )
    };
    let mut migrator = Migrator::with_migrations(migrations.iter().map(migration).collect());
    migrator.dangerous_set_table_name(prefix.name(MIGRATIONS));
    migrator
}

/// The statements that make the schema, for a database whose owner runs them by hand: of `sqlite`,
/// `postgresql`, `mariadb` or `mysql`; `None` for any other name. All of them can run again. Tables
/// and indexes get the prefix.
#[must_use]
pub fn ddl(product: &str, prefix: &Prefix) -> Option<String> {
    let (migrations, collation) = match product {
        "sqlite" => (SQLITE, COLLATION),
        "postgres" | "postgresql" => (POSTGRES, COLLATION),
        "mariadb" => (MYSQL, Product::MariaDb.collation()),
        "mysql" => (MYSQL, Product::MySql.collation()),
        _ => return None,
    };
    let texts: Vec<String> = migrations
        .iter()
        .map(|(_, _, statements)| prefix.apply(statements).replace(COLLATION, collation))
        .collect();
    Some(texts.join("\n"))
}

/// Looks whether every table and column is there, and changes nothing.
///
/// # Errors
/// [`MigrateFailure::Refused`] names what is missing.
pub async fn verify(database: &Database, prefix: &Prefix) -> Result<(), MigrateFailure> {
    let failed = |what: &str, error: &sqlx::Error| match classify(error) {
        Failure::Down => MigrateFailure::Down(error.to_string()),
        Failure::Data | Failure::Statement => MigrateFailure::Refused(ExportError::Schema {
            reason: format!(
                "{what}; it is not made or changed here (auto-ddl is off), \
                 'ringflow ddl' prints the statements: {error}"
            ),
        }),
    };
    let mut link = Link::open(database, prefix, Duration::from_secs(30))
        .await
        .map_err(|error| failed("no connection", &error))?;
    let mut selects = vec![
        "last_exported_position FROM exporter_position".to_owned(),
        "row_key FROM exporter_error".to_owned(),
        "phase FROM exporter_phase".to_owned(),
    ];
    for table in Table::ALL {
        let names: Vec<&str> = table.columns().iter().map(|column| column.name).collect();
        selects.push(format!("{} FROM {}", names.join(", "), table.name()));
    }
    for list in ListTable::ALL {
        let (name, owner, value) = list.names();
        selects.push(format!("{owner}, {value} FROM {name}"));
    }
    for select in selects {
        let mut out = Statement::new(database.dialect());
        out.push(&format!("SELECT {select} WHERE 1 = 0"));
        if let Err(error) = link.fetch(out, &[]).await {
            let table = select.rsplit(' ').next().unwrap_or_default();
            return Err(failed(
                &format!("table {table} is not as it should be"),
                &error,
            ));
        }
    }
    link.close().await;
    Ok(())
}

/// Migrates under a lock of our own: the library asks for one with a time-out that MariaDB refuses,
/// and then goes on without.
async fn migrate_mysql(options: &MySqlConnectOptions, prefix: &Prefix) -> Result<(), MigrateError> {
    const LOCK: &str = "CONCAT('ringflow.', MD5(DATABASE()))";
    let (mut connection, server) = mysql::connect(options, STATEMENT_TIMEOUT).await?;
    let wait = STATEMENT_TIMEOUT.as_secs();
    let row = sqlx::query(AssertSqlSafe(format!(
        "SELECT CAST(COALESCE(GET_LOCK({LOCK}, {wait}), 0) AS SIGNED)"
    )))
    .fetch_one(&mut connection)
    .await?;
    let locked: i64 = row.try_get_unchecked(0)?;
    if locked != 1 {
        return Err(MigrateError::Execute(sqlx::Error::PoolTimedOut));
    }
    let mut migrator = migrator(MYSQL, prefix, Some(server.product.collation()));
    migrator.set_locking(false);
    let mut result = migrator.run_direct(None, &mut connection, false).await;
    if let Err(MigrateError::Dirty(_)) = result {
        let forget = prefix.apply("DELETE FROM _sqlx_migrations WHERE success = FALSE");
        sqlx::query(AssertSqlSafe(forget.into_owned()))
            .execute(&mut connection)
            .await?;
        result = migrator.run_direct(None, &mut connection, false).await;
    }
    // The lock goes with the connection.
    connection.close().await?;
    result
}

/// Creates or extends the tables, without a prefix.
///
/// # Errors
/// [`MigrateFailure::Down`] if the database cannot do it now.
pub async fn migrate(database: &Database) -> Result<(), MigrateFailure> {
    migrate_with(database, &Prefix::NONE).await
}

/// Creates or extends the tables, all of which have a prefix.
///
/// # Errors
/// [`MigrateFailure::Down`] if the database cannot do it now.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the errors of sqlx are an open list"
)]
pub async fn migrate_with(database: &Database, prefix: &Prefix) -> Result<(), MigrateFailure> {
    let mut collisions = 0;
    loop {
        let result = match database {
            Database::Postgres(options) => {
                async {
                    let mut connection = connect_postgres(options, STATEMENT_TIMEOUT).await?;
                    migrator(POSTGRES, prefix, None)
                        .run_direct(None, &mut connection, false)
                        .await?;
                    connection.close().await?;
                    Ok::<(), MigrateError>(())
                }
                .await
            }
            Database::Mysql(options) => migrate_mysql(options, prefix).await,
            Database::Sqlite(options) => {
                async {
                    let mut connection = sqlx::SqliteConnection::connect_with(options).await?;
                    migrator(SQLITE, prefix, None)
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
