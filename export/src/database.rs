//! Which database, how to reach it, and how its failures are classed.
//!
//! URLs are taken in the forms operators have at hand: `sqlite:PATH`, `postgres://...`,
//! `postgresql://...`, `mysql://...`, `mariadb://...`, the same behind `jdbc:`, and `none`. TLS options
//! of the URL are honoured (`sslmode`, `sslrootcert`, `sslcert`, `sslkey`; the JDBC flag `ssl=true`
//! means `verify-full`; those of MySQL are listed in `database/mysql.rs`).
//! Every connection made here has time-outs on both ends, so a half-open one cannot hold a lock for
//! ever: the server ends what idles inside a transaction, the client ends what does not answer.
//!
//! | class | examples | the sink |
//! |---|---|---|
//! | [`Failure::Down`] | refused, reset, restarting, locked, deadlock, disk full | same batch again, after a pause |
//! | [`Failure::Data`] | value out of range, constraint, cannot be encoded | isolates the row |
//! | [`Failure::Statement`] | table missing, permission, syntax | same batch again, loud |

use std::str::FromStr;
use std::time::Duration;

use sqlx::mysql::MySqlConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _};

use crate::error::ConfigError;

pub(crate) mod mysql;

/// How long a connection attempt may take.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the server lets a transaction of ours idle, in milliseconds: bounds how long a
/// connection that the network swallowed can hold the lock on a cursor row. The statements of a
/// window follow each other within milliseconds.
pub const IDLE_IN_TRANSACTION_MS: u32 = 5_000;
/// How long a SQLite connection waits for another writer.
pub const SQLITE_BUSY: Duration = Duration::from_secs(5);
/// Statements a connection keeps prepared: every table, and the column sets of its updates.
const STATEMENT_CACHE: usize = 256;

/// The SQL that is spoken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dialect {
    /// SQLite 3.38 or newer (built in).
    Sqlite,
    /// PostgreSQL 14 or newer.
    Postgres,
    /// MariaDB 10.6 or newer, MySQL 8.0.19 or newer.
    Mysql,
}

/// A database that can be connected to; holds credentials, so it is not printed.
#[derive(Clone)]
pub enum Database {
    /// A file.
    Sqlite(SqliteConnectOptions),
    /// A server.
    Postgres(PgConnectOptions),
    /// A server of MariaDB or MySQL.
    Mysql(MySqlConnectOptions),
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.place())
    }
}

impl Database {
    /// Reads a URL; `None` for `none` (no secondary storage). User name and password, if given,
    /// take the place of those in the URL.
    ///
    /// # Errors
    /// If the URL does not parse or names a database that is not supported.
    pub fn parse(
        url: &str,
        username: Option<&str>,
        password: Option<&str>,
    ) -> Result<Option<Self>, ConfigError> {
        let url = url.trim();
        if url.is_empty() || url.eq_ignore_ascii_case("none") {
            return Ok(None);
        }
        let (jdbc, plain) = match url.strip_prefix("jdbc:") {
            Some(rest) => (true, rest),
            None => (false, url),
        };
        let scheme = plain.split([':', '/']).next().unwrap_or_default();
        match scheme {
            "sqlite" => sqlite(&plain["sqlite:".len()..]).map(|db| Some(Self::Sqlite(db))),
            "postgres" | "postgresql" => {
                let mut options = postgres(plain, jdbc)?;
                if let Some(username) = username.filter(|name| !name.is_empty()) {
                    options = options.username(username);
                }
                if let Some(password) = password.filter(|word| !word.is_empty()) {
                    options = options.password(password);
                }
                Ok(Some(Self::Postgres(options)))
            }
            "mysql" | "mariadb" => {
                let mut options = mysql::options(plain, jdbc)?;
                if let Some(username) = username.filter(|name| !name.is_empty()) {
                    options = options.username(username);
                }
                if let Some(password) = password.filter(|word| !word.is_empty()) {
                    options = options.password(password);
                }
                Ok(Some(Self::Mysql(options)))
            }
            other => Err(ConfigError::Unsupported {
                database: other.to_owned(),
            }),
        }
    }

    /// The SQL it speaks.
    #[must_use]
    pub const fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) => Dialect::Sqlite,
            Self::Postgres(_) => Dialect::Postgres,
            Self::Mysql(_) => Dialect::Mysql,
        }
    }

    /// Where it is, without credentials, for log lines.
    #[must_use]
    pub fn place(&self) -> String {
        match self {
            Self::Sqlite(options) => format!("sqlite:{}", options.get_filename().display()),
            Self::Postgres(options) => format!(
                "postgresql://{}:{}/{}",
                options.get_host(),
                options.get_port(),
                options.get_database().unwrap_or_default()
            ),
            Self::Mysql(options) => format!(
                "mysql://{}:{}/{}",
                options.get_host(),
                options.get_port(),
                options.get_database().unwrap_or_default()
            ),
        }
    }
}

fn sqlite(rest: &str) -> Result<SqliteConnectOptions, ConfigError> {
    let path = rest.strip_prefix("//").unwrap_or(rest);
    let path = path.split('?').next().unwrap_or_default();
    if path.is_empty() || path.contains(":memory:") {
        return Err(ConfigError::Url {
            reason: "sqlite: needs the path of a file (sqlite:PATH); a database in memory cannot be shared by the exporter and the searches".into(),
        });
    }
    Ok(SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal)
        .foreign_keys(false)
        .busy_timeout(SQLITE_BUSY)
        .statement_cache_capacity(STATEMENT_CACHE)
        .disable_statement_logging())
}

fn postgres(plain: &str, jdbc: bool) -> Result<PgConnectOptions, ConfigError> {
    let mut url = plain.to_owned();
    let mut verify = false;
    if jdbc {
        // What the JDBC driver calls otherwise, or has and the server does not.
        let (base, query) = plain.split_once('?').unwrap_or((plain, ""));
        let mut kept: Vec<String> = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match name {
                "ssl" => verify = value.is_empty() || value.eq_ignore_ascii_case("true"),
                "currentSchema" => kept.push(format!("options[search_path]={value}")),
                "ApplicationName" => kept.push(format!("application_name={value}")),
                "user" | "password" | "sslmode" | "sslrootcert" | "sslcert" | "sslkey"
                | "options" | "application_name" => kept.push(pair.to_owned()),
                other => tracing::warn!(
                    option = other,
                    "option of the JDBC URL has no meaning here and is ignored"
                ),
            }
        }
        url = base.to_owned();
        if !kept.is_empty() {
            url = format!("{base}?{}", kept.join("&"));
        }
    }
    let mut options = PgConnectOptions::from_str(&url).map_err(|error| ConfigError::Url {
        reason: error.to_string(),
    })?;
    if verify && !url.contains("sslmode=") {
        options = options.ssl_mode(PgSslMode::VerifyFull);
    }
    if options.get_application_name().is_none() {
        options = options.application_name("ringflow");
    }
    Ok(options
        .statement_cache_capacity(STATEMENT_CACHE)
        .disable_statement_logging())
}

/// Opens a PostgreSQL connection with the session settings every connection of ours has.
///
/// # Errors
/// If the server cannot be reached within [`CONNECT_TIMEOUT`] or refuses.
pub(crate) async fn connect_postgres(
    options: &PgConnectOptions,
    statement_timeout: Duration,
) -> Result<sqlx::PgConnection, sqlx::Error> {
    let open = async {
        let mut connection = sqlx::PgConnection::connect_with(options).await?;
        set_session(&mut connection, statement_timeout).await?;
        Ok(connection)
    };
    match tokio::time::timeout(CONNECT_TIMEOUT, open).await {
        Ok(result) => result,
        Err(_) => Err(sqlx::Error::Io(std::io::Error::new(
            std::io::ErrorKind::TimedOut,
            "the database did not answer the connection attempt in time",
        ))),
    }
}

/// Bounds what the server does for this connection once nobody listens any more.
pub(crate) async fn set_session(
    connection: &mut sqlx::PgConnection,
    statement_timeout: Duration,
) -> Result<(), sqlx::Error> {
    let statement_timeout = statement_timeout.as_millis();
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!(
        "SET statement_timeout = {statement_timeout}; \
         SET idle_in_transaction_session_timeout = {IDLE_IN_TRANSACTION_MS}; \
         SET standard_conforming_strings = on"
    )))
    .execute(connection)
    .await?;
    Ok(())
}

/// What to do about a failed statement.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failure {
    /// The database cannot do it now; the same statement can succeed later.
    Down,
    /// A value in the statement cannot be stored, now or later.
    Data,
    /// The statement cannot run on this schema with these permissions.
    Statement,
}

/// Classes an error; see the table above.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the errors of sqlx are an open list"
)]
#[must_use]
pub fn classify(error: &sqlx::Error) -> Failure {
    match error {
        sqlx::Error::Database(error) => {
            let code = error.code().unwrap_or_default();
            if error
                .try_downcast_ref::<sqlx::postgres::PgDatabaseError>()
                .is_some()
            {
                return match code.get(..2).unwrap_or_default() {
                    "22" | "23" | "54" => Failure::Data,
                    "08" | "40" | "53" | "55" | "57" | "58" => Failure::Down,
                    _ if code == "25006" || code == "25P03" || code == "XX000" => Failure::Down,
                    _ => Failure::Statement,
                };
            }
            if let Some(error) = error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
                return mysql::classify(error);
            }
            // SQLite: the low byte of an extended code is the primary code.
            match code.parse::<u32>().unwrap_or_default() & 0xff {
                18..=20 => Failure::Data, // too big, constraint, mismatch
                5 | 6 | 8 | 10 | 13 | 14 | 15 => Failure::Down, // busy, locked, read-only, I/O, full, open, protocol
                _ => Failure::Statement,
            }
        }
        sqlx::Error::Encode(_) => Failure::Data,
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => Failure::Down,
        _ => Failure::Statement,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_in_the_forms_operators_have() {
        let place = |url: &str| {
            Database::parse(url, Some("u"), Some("p"))
                .unwrap()
                .map(|db| db.place())
        };
        assert_eq!(place("none"), None);
        assert_eq!(
            place("sqlite:/tmp/a.db").as_deref(),
            Some("sqlite:/tmp/a.db")
        );
        assert_eq!(place("jdbc:sqlite:b.db").as_deref(), Some("sqlite:b.db"));
        assert_eq!(
            place("postgres://db:5433/camunda").as_deref(),
            Some("postgresql://db:5433/camunda")
        );
        assert_eq!(
            place("jdbc:postgresql://db/camunda?reWriteBatchedInserts=true&user=x").as_deref(),
            Some("postgresql://db:5432/camunda")
        );
    }

    #[test]
    fn tls_options_of_the_url_are_honoured() {
        let mode = |url: &str| match Database::parse(url, None, None).unwrap() {
            Some(Database::Postgres(options)) => format!("{:?}", options.get_ssl_mode()),
            Some(Database::Sqlite(_) | Database::Mysql(_)) | None => {
                unreachable!("a URL of PostgreSQL")
            }
        };
        assert_eq!(mode("postgresql://h/d?sslmode=require"), "Require");
        assert_eq!(mode("jdbc:postgresql://h/d?ssl=true"), "VerifyFull");
        assert_eq!(
            mode("jdbc:postgresql://h/d?ssl=true&sslmode=verify-ca"),
            "VerifyCa"
        );
    }

    #[test]
    fn what_is_not_supported_is_said() {
        for url in [
            "jdbc:sqlserver://h;databaseName=d",
            "jdbc:oracle:thin:@h",
            "jdbc:h2:mem:x",
        ] {
            let text = Database::parse(url, None, None).unwrap_err().to_string();
            assert!(text.contains("not supported yet"), "{text}");
        }
        assert!(Database::parse("sqlite::memory:", None, None).is_err());
        assert!(Database::parse("postgresql://h:notaport/d", None, None).is_err());
    }
}
