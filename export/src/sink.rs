//! One transaction per window: the cursor is checked, rows are written, the cursor moves.
//!
//! Invariants:
//! 1. Rows and cursor commit together or not at all, so a window counts once however often it is sent.
//! 2. The first statement locks the partition's cursor row and compares it. If it is not where this
//!    window begins, another exporter was here (or an earlier attempt committed after all), and
//!    nothing is written.
//! 3. Tables are written in schema order, keys ascending.
//!
//! A row the database will never take (value out of range, constraint) must not hold up the others:
//! the window is sent again with a savepoint around each statement, a failing statement is halved
//! until the row stands alone, and the row goes to `exporter_error` with the position of its record
//! and the database's reason, in the same transaction.
//!
//! | outcome | what the exporter does |
//! |---|---|
//! | [`Flushed`] | acknowledges |
//! | [`FlushFailure::Fenced`] | continues from where the database stands |
//! | [`FlushFailure::Down`], [`FlushFailure::Statement`] | sends the same window again, later |
//! | [`FlushFailure::Data`] | sends the same window again, isolating rows |

use std::time::Duration;

use ringflow_core::ids::{Key, PartitionId, Position};
use sqlx::Connection as _;

use crate::batch::{ListOperation, Operation, Sealed, SealedList, SealedRow};
use crate::database::{Database, Dialect, Failure, classify, connect_postgres};
use crate::schema::{ListTable, Table};

mod postgres;
mod sqlite;

/// Characters of a reason kept in `exporter_error`.
const REASON_CHARS: usize = 1000;
/// Characters of a row key kept there.
const ROW_KEY_CHARS: usize = 1000;

/// A window that is in the database.
#[derive(Debug, Default)]
pub struct Flushed {
    /// Rows that the database would not take.
    pub poisoned: Vec<Poison>,
}

/// A row that was set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Poison {
    /// Its table.
    pub table: &'static str,
    /// Its identity.
    pub row_key: String,
    /// The last record that touched it.
    pub position: Position,
    /// The database's words.
    pub reason: String,
}

/// A window that is not in the database.
#[derive(Debug)]
pub enum FlushFailure {
    /// The cursor stands elsewhere.
    Fenced {
        /// Where.
        at: Position,
    },
    /// Not now.
    Down(String),
    /// Some row cannot be stored.
    Data(String),
    /// The schema or the permissions are not what they should be.
    Statement(String),
}

impl From<sqlx::Error> for FlushFailure {
    fn from(error: sqlx::Error) -> Self {
        match classify(&error) {
            Failure::Down => Self::Down(error.to_string()),
            Failure::Data => Self::Data(error.to_string()),
            Failure::Statement => Self::Statement(error.to_string()),
        }
    }
}

/// An open connection.
enum Wire {
    Sqlite(sqlite::Writer),
    Postgres(postgres::Writer),
}

impl Wire {
    async fn open(database: &Database, statement_timeout: Duration) -> Result<Self, sqlx::Error> {
        Ok(match database {
            Database::Sqlite(options) => Self::Sqlite(sqlite::Writer::new(
                sqlx::SqliteConnection::connect_with(options).await?,
            )),
            Database::Postgres(options) => Self::Postgres(postgres::Writer::new(
                connect_postgres(options, statement_timeout).await?,
            )),
        })
    }

    async fn run(&mut self, sql: &'static str) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(writer) => writer.run(sql).await,
            Self::Postgres(writer) => writer.run(sql).await,
        }
    }

    async fn rows(&mut self, operation: &Operation, rows: &[SealedRow]) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(writer) => writer.rows(operation.table, operation.form, rows).await,
            Self::Postgres(writer) => writer.rows(operation.table, operation.form, rows).await,
        }
    }

    async fn depart(&mut self, instances: &[i64]) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(writer) => writer.depart(instances).await,
            Self::Postgres(writer) => writer.depart(instances).await,
        }
    }

    async fn lists(&mut self, table: ListTable, lists: &[SealedList]) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(writer) => writer.lists(table, lists).await,
            Self::Postgres(writer) => writer.lists(table, lists).await,
        }
    }

    async fn cursor(&mut self, partition: PartitionId) -> Result<Option<i64>, sqlx::Error> {
        match self {
            Self::Sqlite(writer) => writer.cursor(partition).await,
            Self::Postgres(writer) => writer.cursor(partition).await,
        }
    }

    async fn create_cursor(&mut self, partition: PartitionId, now: i64) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(writer) => writer.create_cursor(partition, now).await,
            Self::Postgres(writer) => writer.create_cursor(partition, now).await,
        }
    }

    async fn move_cursor(
        &mut self,
        partition: PartitionId,
        position: Position,
        now: i64,
    ) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(writer) => writer.move_cursor(partition, position, now).await,
            Self::Postgres(writer) => writer.move_cursor(partition, position, now).await,
        }
    }

    async fn poison(
        &mut self,
        partition: PartitionId,
        poison: &Poison,
        now: i64,
    ) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(writer) => writer.poison(partition, poison, now).await,
            Self::Postgres(writer) => writer.poison(partition, poison, now).await,
        }
    }

    async fn definition(&mut self, key: Key) -> Result<Option<(String, String)>, sqlx::Error> {
        match self {
            Self::Sqlite(writer) => writer.definition(key).await,
            Self::Postgres(writer) => writer.definition(key).await,
        }
    }
}

/// Writes the windows of one partition. Owns one connection, opened when it is needed.
pub struct Sink {
    database: Database,
    wire: Option<Wire>,
    timeout: Duration,
}

impl std::fmt::Debug for Sink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sink")
            .field("database", &self.database)
            .finish_non_exhaustive()
    }
}

impl Sink {
    /// A sink whose transactions may take `timeout`; then the connection is given up.
    #[must_use]
    pub const fn new(database: Database, timeout: Duration) -> Self {
        Self {
            database,
            wire: None,
            timeout,
        }
    }

    /// Where the database stands; 0 for a partition it does not know.
    ///
    /// # Errors
    /// See [`FlushFailure`]; never `Fenced`.
    pub async fn cursor(&mut self, partition: PartitionId) -> Result<Position, FlushFailure> {
        self.bounded(async |wire| {
            let cursor = wire.cursor(partition).await?;
            Ok(Position(u64::try_from(cursor.unwrap_or(0)).unwrap_or(0)))
        })
        .await
    }

    /// BPMN process id and text of a definition.
    ///
    /// # Errors
    /// See [`FlushFailure`]; never `Fenced`.
    pub async fn definition(&mut self, key: Key) -> Result<Option<(String, String)>, FlushFailure> {
        self.bounded(async |wire| Ok(wire.definition(key).await?))
            .await
    }

    /// Sends a window. `now` is the wall clock in milliseconds; `isolate` finds and sets aside rows
    /// that the database will not take.
    ///
    /// # Errors
    /// See [`FlushFailure`]. Nothing of the window is in the database then, unless the connection
    /// broke while committing, which the next attempt finds out.
    pub async fn flush(
        &mut self,
        sealed: &Sealed,
        isolate: bool,
        now: i64,
    ) -> Result<Flushed, FlushFailure> {
        let begin = match self.database.dialect() {
            Dialect::Sqlite => "BEGIN IMMEDIATE",
            Dialect::Postgres => "BEGIN",
        };
        self.bounded(async |wire| {
            wire.run(begin).await?;
            let flushed = transaction(wire, sealed, isolate, now).await;
            match flushed {
                Ok(flushed) => {
                    wire.run("COMMIT").await?;
                    Ok(flushed)
                }
                Err(failure) => {
                    // A connection that cannot even do this is dropped.
                    if wire.run("ROLLBACK").await.is_err() {
                        return Err(match failure {
                            FlushFailure::Fenced { .. } => failure,
                            FlushFailure::Down(reason)
                            | FlushFailure::Data(reason)
                            | FlushFailure::Statement(reason) => FlushFailure::Down(reason),
                        });
                    }
                    Err(failure)
                }
            }
        })
        .await
    }

    /// Closes the connection in good order.
    pub async fn close(&mut self) {
        let close = async {
            match self.wire.take() {
                Some(Wire::Sqlite(writer)) => writer.close().await,
                Some(Wire::Postgres(writer)) => writer.close().await,
                None => {}
            }
        };
        // A server that does not answer a farewell is left without one.
        let _ = tokio::time::timeout(Duration::from_secs(2), close).await;
    }

    /// Runs `work` on the connection, opening one if need be. The connection survives success and
    /// failures it is not to blame for; it is dropped after a time-out or when it is unsound.
    async fn bounded<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut Wire) -> Result<T, FlushFailure>,
    ) -> Result<T, FlushFailure> {
        let database = &self.database;
        let held = self.wire.take();
        let timeout = self.timeout;
        let all = async {
            let mut wire = match held {
                Some(wire) => wire,
                None => Wire::open(database, timeout).await?,
            };
            let result = work(&mut wire).await;
            Ok::<_, FlushFailure>((wire, result))
        };
        match tokio::time::timeout(timeout, all).await {
            Ok(Ok((wire, result))) => {
                if !matches!(result, Err(FlushFailure::Down(_))) {
                    self.wire = Some(wire);
                }
                result
            }
            Ok(Err(failure)) => Err(failure),
            Err(_) => Err(FlushFailure::Down(format!(
                "the database did not answer within {} ms",
                timeout.as_millis()
            ))),
        }
    }
}

async fn transaction(
    wire: &mut Wire,
    sealed: &Sealed,
    isolate: bool,
    now: i64,
) -> Result<Flushed, FlushFailure> {
    let mut stored = wire.cursor(sealed.partition).await?;
    if stored.is_none() {
        wire.create_cursor(sealed.partition, now).await?;
        stored = wire.cursor(sealed.partition).await?;
    }
    let at = Position(u64::try_from(stored.unwrap_or(0)).unwrap_or(0));
    if at != sealed.from {
        return Err(FlushFailure::Fenced { at });
    }
    wire.depart(&sealed.departures).await?;
    let mut flushed = Flushed::default();
    for operation in &sealed.operations {
        if isolate {
            isolate_rows(wire, operation, &mut flushed.poisoned).await?;
        } else {
            wire.rows(operation, &operation.rows).await?;
        }
    }
    for operation in &sealed.lists {
        if isolate {
            isolate_lists(wire, operation, &mut flushed.poisoned).await?;
        } else {
            wire.lists(operation.table, &operation.lists).await?;
        }
    }
    for poison in &flushed.poisoned {
        wire.poison(sealed.partition, poison, now).await?;
    }
    wire.move_cursor(sealed.partition, sealed.last, now).await?;
    Ok(flushed)
}

/// Writes what can be written; halves a refused range until single rows are left.
async fn isolate_rows(
    wire: &mut Wire,
    operation: &Operation,
    poisoned: &mut Vec<Poison>,
) -> Result<(), FlushFailure> {
    let mut ranges = Vec::from([(0, operation.rows.len())]);
    while let Some((start, end)) = ranges.pop() {
        let rows = &operation.rows[start..end];
        wire.run("SAVEPOINT part").await?;
        let result = wire.rows(operation, rows).await;
        let Some(reason) = settle(wire, result).await? else {
            continue;
        };
        if let [row] = rows {
            poisoned.push(poison(operation.table, row, reason));
        } else {
            let middle = start + rows.len() / 2;
            ranges.push((middle, end));
            ranges.push((start, middle));
        }
    }
    Ok(())
}

async fn isolate_lists(
    wire: &mut Wire,
    operation: &ListOperation,
    poisoned: &mut Vec<Poison>,
) -> Result<(), FlushFailure> {
    let mut ranges = Vec::from([(0, operation.lists.len())]);
    while let Some((start, end)) = ranges.pop() {
        let lists = &operation.lists[start..end];
        wire.run("SAVEPOINT part").await?;
        let result = wire.lists(operation.table, lists).await;
        let Some(reason) = settle(wire, result).await? else {
            continue;
        };
        if let [list] = lists {
            poisoned.push(Poison {
                table: operation.table.names().0,
                row_key: list.owner.to_string(),
                position: list.position,
                reason,
            });
        } else {
            let middle = start + lists.len() / 2;
            ranges.push((middle, end));
            ranges.push((start, middle));
        }
    }
    Ok(())
}

/// Ends a savepoint; the reason if its statement was refused for its data.
async fn settle(
    wire: &mut Wire,
    result: Result<(), sqlx::Error>,
) -> Result<Option<String>, FlushFailure> {
    match result {
        Ok(()) => {
            wire.run("RELEASE SAVEPOINT part").await?;
            Ok(None)
        }
        Err(error) if classify(&error) == Failure::Data => {
            wire.run("ROLLBACK TO SAVEPOINT part").await?;
            wire.run("RELEASE SAVEPOINT part").await?;
            let reason = error.to_string();
            Ok(Some(
                crate::row::cut(&reason, REASON_CHARS).replace('\0', ""),
            ))
        }
        Err(error) => Err(error.into()),
    }
}

fn poison(table: Table, row: &SealedRow, reason: String) -> Poison {
    Poison {
        table: table.name(),
        row_key: crate::row::cut(&row.key.to_string(), ROW_KEY_CHARS).to_owned(),
        position: row.position,
        reason,
    }
}
