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
//! | [`FlushFailure::Paused`] | sends the same window again, until it is wanted |
//! | [`FlushFailure::Down`], [`FlushFailure::Statement`] | sends the same window again, later |
//! | [`FlushFailure::Data`] | sends the same window again, isolating rows |

use std::time::{Duration, Instant};

use ringflow_core::ids::{Key, PartitionId, Position};

use crate::batch::{ListOperation, Operation, Sealed, SealedRow};
use crate::database::mysql::IDLE_CONNECTION;
use crate::database::{Database, Dialect, Failure, classify};
use crate::phase::Phase;
use crate::prefix::Prefix;
use crate::schema::Table;

mod mysql;
mod postgres;
mod sqlite;
mod writer;

use writer::Writer;

/// Characters of a reason kept in `exporter_error`.
const REASON_CHARS: usize = 1000;
/// Characters of a row key kept there.
const ROW_KEY_CHARS: usize = 1000;

/// A window that is in the database.
#[derive(Debug, Default)]
pub struct Flushed {
    /// Rows that the database would not take.
    pub poisoned: Vec<Poison>,
    /// The log has to be kept all the same.
    pub keep_log: bool,
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
        /// The log has to be kept all the same.
        keep_log: bool,
    },
    /// An operator does not want it now.
    Paused,
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

/// Writes the windows of one partition. Owns one connection, opened when it is needed.
pub struct Sink {
    database: Database,
    prefix: Prefix,
    writer: Option<Writer>,
    /// When it was last used.
    used: Instant,
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
    pub fn new(database: Database, prefix: Prefix, timeout: Duration) -> Self {
        Self {
            database,
            prefix,
            writer: None,
            used: Instant::now(),
            timeout,
        }
    }

    /// Where the database stands (0 for a partition it does not know), and whether the partition is
    /// exported.
    ///
    /// # Errors
    /// See [`FlushFailure`]; never `Fenced`.
    pub async fn cursor(
        &mut self,
        partition: PartitionId,
    ) -> Result<(Position, Phase), FlushFailure> {
        self.bounded(async |writer| {
            let cursor = writer.cursor(partition).await?;
            let position = Position(u64::try_from(cursor.unwrap_or(0)).unwrap_or(0));
            Ok((position, writer.phase(partition).await?))
        })
        .await
    }

    /// BPMN process id and text of a definition.
    ///
    /// # Errors
    /// See [`FlushFailure`]; never `Fenced`.
    pub async fn definition(&mut self, key: Key) -> Result<Option<(String, String)>, FlushFailure> {
        self.bounded(async |writer| Ok(writer.definition(key).await?))
            .await
    }

    /// The kind of a batch operation.
    ///
    /// # Errors
    /// See [`FlushFailure`]; never `Fenced`.
    pub async fn batch_kind(&mut self, key: Key) -> Result<Option<String>, FlushFailure> {
        self.bounded(async |writer| Ok(writer.batch_kind(key).await?))
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
            Dialect::Postgres | Dialect::Mysql => "BEGIN",
        };
        self.bounded(async |writer| {
            writer.run(begin).await?;
            let flushed = transaction(writer, sealed, isolate, now).await;
            match flushed {
                Ok(flushed) => {
                    writer.run("COMMIT").await?;
                    Ok(flushed)
                }
                Err(failure) => {
                    // A connection that cannot even do this is dropped.
                    if writer.run("ROLLBACK").await.is_err() {
                        return Err(match failure {
                            FlushFailure::Fenced { .. } | FlushFailure::Paused => failure,
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
            if let Some(writer) = self.writer.take() {
                writer.close().await;
            }
        };
        // A server that does not answer a farewell is left without one.
        let _ = tokio::time::timeout(Duration::from_secs(2), close).await;
    }

    /// Runs `work` on the connection, opening one if need be. The connection survives success and
    /// failures it is not to blame for; it is dropped after a time-out or when it is unsound.
    async fn bounded<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut Writer) -> Result<T, FlushFailure>,
    ) -> Result<T, FlushFailure> {
        let (database, prefix) = (&self.database, &self.prefix);
        // MySQL ends connections that idle; one that is about to be ended is not begun with.
        let stale = match database.dialect() {
            Dialect::Mysql => self.used.elapsed() > IDLE_CONNECTION / 2,
            Dialect::Sqlite | Dialect::Postgres => false,
        };
        let held = self.writer.take().filter(|_| !stale);
        self.used = Instant::now();
        let timeout = self.timeout;
        let all = async {
            let mut writer = match held {
                Some(writer) => writer,
                None => Writer::open(database, prefix, timeout).await?,
            };
            let result = work(&mut writer).await;
            Ok::<_, FlushFailure>((writer, result))
        };
        match tokio::time::timeout(timeout, all).await {
            Ok(Ok((writer, result))) => {
                if !matches!(result, Err(FlushFailure::Down(_))) {
                    self.writer = Some(writer);
                    self.used = Instant::now();
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
    writer: &mut Writer,
    sealed: &Sealed,
    isolate: bool,
    now: i64,
) -> Result<Flushed, FlushFailure> {
    let mut stored = writer.cursor(sealed.partition).await?;
    if stored.is_none() {
        writer.create_cursor(sealed.partition, now).await?;
        stored = writer.cursor(sealed.partition).await?;
    }
    let at = Position(u64::try_from(stored.unwrap_or(0)).unwrap_or(0));
    let phase = writer.phase(sealed.partition).await?;
    if at != sealed.from {
        let keep_log = phase != Phase::Exporting;
        return Err(FlushFailure::Fenced { at, keep_log });
    }
    if phase == Phase::Paused {
        return Err(FlushFailure::Paused);
    }
    writer.depart(&sealed.departures).await?;
    let mut flushed = Flushed {
        keep_log: phase == Phase::SoftPaused,
        ..Flushed::default()
    };
    for operation in &sealed.operations {
        if isolate {
            isolate_rows(writer, operation, &mut flushed.poisoned).await?;
        } else {
            writer.rows(operation, &operation.rows).await?;
        }
    }
    for operation in &sealed.lists {
        if isolate {
            isolate_lists(writer, operation, &mut flushed.poisoned).await?;
        } else {
            writer.lists(operation.table, &operation.lists).await?;
        }
    }
    for poison in &flushed.poisoned {
        writer.poison(sealed.partition, poison, now).await?;
    }
    writer
        .move_cursor(sealed.partition, sealed.last, now)
        .await?;
    Ok(flushed)
}

/// Writes what can be written; halves a refused range until single rows are left.
async fn isolate_rows(
    writer: &mut Writer,
    operation: &Operation,
    poisoned: &mut Vec<Poison>,
) -> Result<(), FlushFailure> {
    let mut ranges = Vec::from([(0, operation.rows.len())]);
    while let Some((start, end)) = ranges.pop() {
        let rows = &operation.rows[start..end];
        writer.run("SAVEPOINT part").await?;
        let result = writer.rows(operation, rows).await;
        let Some(reason) = settle(writer, result).await? else {
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
    writer: &mut Writer,
    operation: &ListOperation,
    poisoned: &mut Vec<Poison>,
) -> Result<(), FlushFailure> {
    let mut ranges = Vec::from([(0, operation.lists.len())]);
    while let Some((start, end)) = ranges.pop() {
        let lists = &operation.lists[start..end];
        writer.run("SAVEPOINT part").await?;
        let result = writer.lists(operation.table, lists).await;
        let Some(reason) = settle(writer, result).await? else {
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
    writer: &mut Writer,
    result: Result<(), sqlx::Error>,
) -> Result<Option<String>, FlushFailure> {
    match result {
        Ok(()) => {
            writer.run("RELEASE SAVEPOINT part").await?;
            Ok(None)
        }
        Err(error) if classify(&error) == Failure::Data => {
            writer.run("ROLLBACK TO SAVEPOINT part").await?;
            writer.run("RELEASE SAVEPOINT part").await?;
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
