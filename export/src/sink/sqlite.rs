//! SQLite: multi-row VALUES in a few fixed chunk sizes.
//!
//! SQLite has no arrays, so rows are parameters of their own; texts exist only for the chunk sizes
//! below, which keeps the number of prepared statements small. Each statement is one hop to the
//! connection's thread, so large chunks matter more than anything else. BEGIN IMMEDIATE takes the
//! write lock at once, which fences as PostgreSQL's row lock does.

use std::sync::Arc;

use ringflow_core::ids::{Key, PartitionId, Position};
use rustc_hash::FxHashMap;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Arguments as _, AssertSqlSafe, Connection as _, Row as _, SqliteConnection};

use super::Poison;
use crate::batch::{Form, SealedList, SealedRow};
use crate::row::Datum;
use crate::schema::{ColumnDef, ColumnKind, ListTable, Table};

/// Rows of a statement, largest first; 256 rows of the widest table are 6 912 parameters of the
/// 32 766 that SQLite takes.
const CHUNKS: [usize; 4] = [256, 32, 4, 1];

/// A connection and the statements it has been sent.
pub(super) struct Writer {
    connection: SqliteConnection,
    statements: FxHashMap<(Table, Form, usize), Arc<str>>,
}

impl Writer {
    pub(super) fn new(connection: SqliteConnection) -> Self {
        Self {
            connection,
            statements: FxHashMap::default(),
        }
    }

    pub(super) async fn close(self) {
        // What is committed is in the file whether or not this succeeds.
        let _ = self.connection.close().await;
    }

    pub(super) async fn run(&mut self, sql: &'static str) -> Result<(), sqlx::Error> {
        sqlx::query(sql)
            .execute(&mut self.connection)
            .await
            .map(|_| ())
    }

    pub(super) async fn cursor(
        &mut self,
        partition: PartitionId,
    ) -> Result<Option<i64>, sqlx::Error> {
        let row = sqlx::query(
            "SELECT last_exported_position FROM exporter_position WHERE partition_id = ?1",
        )
        .bind(i64::from(partition.0))
        .fetch_optional(&mut self.connection)
        .await?;
        row.map(|row| row.try_get(0)).transpose()
    }

    pub(super) async fn move_cursor(
        &mut self,
        partition: PartitionId,
        position: Position,
        now: i64,
    ) -> Result<(), sqlx::Error> {
        sqlx::query(
            "UPDATE exporter_position SET last_exported_position = ?2, last_updated = ?3 \
             WHERE partition_id = ?1",
        )
        .bind(i64::from(partition.0))
        .bind(position.0 as i64)
        .bind(now)
        .execute(&mut self.connection)
        .await
        .map(|_| ())
    }

    pub(super) async fn create_cursor(
        &mut self,
        partition: PartitionId,
        now: i64,
    ) -> Result<(), sqlx::Error> {
        sqlx::query(
            "INSERT INTO exporter_position (partition_id, exporter, last_exported_position, \
             created, last_updated) VALUES (?1, 'rdbms', 0, ?2, ?2) ON CONFLICT DO NOTHING",
        )
        .bind(i64::from(partition.0))
        .bind(now)
        .execute(&mut self.connection)
        .await
        .map(|_| ())
    }

    pub(super) async fn poison(
        &mut self,
        partition: PartitionId,
        poison: &Poison,
        now: i64,
    ) -> Result<(), sqlx::Error> {
        sqlx::query(
            "INSERT INTO exporter_error (partition_id, position, table_name, row_key, reason, \
             created) VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
        )
        .bind(i64::from(partition.0))
        .bind(poison.position.0 as i64)
        .bind(poison.table)
        .bind(&poison.row_key)
        .bind(&poison.reason)
        .bind(now)
        .execute(&mut self.connection)
        .await
        .map(|_| ())
    }

    pub(super) async fn definition(
        &mut self,
        key: Key,
    ) -> Result<Option<(String, String)>, sqlx::Error> {
        let row = sqlx::query(
            "SELECT process_definition_id, bpmn_xml FROM process_definition \
             WHERE process_definition_key = ?1",
        )
        .bind(key.0)
        .fetch_optional(&mut self.connection)
        .await?;
        row.map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
            .transpose()
    }

    pub(super) async fn rows(
        &mut self,
        table: Table,
        form: Form,
        rows: &[SealedRow],
    ) -> Result<(), sqlx::Error> {
        let columns = parameters(table, form);
        let mut rest = rows;
        while !rest.is_empty() {
            let size = CHUNKS
                .into_iter()
                .find(|size| *size <= rest.len())
                .unwrap_or(1);
            let (chunk, tail) = rest.split_at(size);
            rest = tail;
            let mut arguments = SqliteArguments::default();
            for cell in chunk.iter().flat_map(|row| &row.cells) {
                bind(&mut arguments, cell)?;
            }
            let sql = self
                .statements
                .entry((table, form, size))
                .or_insert_with(|| statement(table, form, &columns, size).into());
            sqlx::query_with(AssertSqlSafe(Arc::clone(sql)), arguments)
                .execute(&mut self.connection)
                .await?;
        }
        Ok(())
    }

    /// Takes instances off the count of the definition that their rows still name.
    pub(super) async fn depart(&mut self, instances: &[i64]) -> Result<(), sqlx::Error> {
        for instance in instances {
            sqlx::query(
                "INSERT INTO active_instances (process_definition_key, partition_id, active_count) \
                 SELECT process_definition_key, partition_id, -1 FROM process_instance \
                 WHERE process_instance_key = ?1 \
                 ON CONFLICT (process_definition_key, partition_id) \
                 DO UPDATE SET active_count = active_instances.active_count - 1",
            )
            .bind(*instance)
            .execute(&mut self.connection)
            .await?;
        }
        Ok(())
    }

    pub(super) async fn lists(
        &mut self,
        table: ListTable,
        lists: &[SealedList],
    ) -> Result<(), sqlx::Error> {
        let (name, owner, value) = table.names();
        for chunk in lists.chunks(CHUNKS[0]) {
            let marks = vec!["?"; chunk.len()].join(", ");
            let mut arguments = SqliteArguments::default();
            for list in chunk {
                arguments.add(list.owner).map_err(sqlx::Error::Encode)?;
            }
            sqlx::query_with(
                AssertSqlSafe(format!("DELETE FROM {name} WHERE {owner} IN ({marks})")),
                arguments,
            )
            .persistent(false)
            .execute(&mut self.connection)
            .await?;
        }
        let pairs: Vec<(i64, &str)> = lists
            .iter()
            .flat_map(|list| list.values.iter().map(|value| (list.owner, value.as_str())))
            .collect();
        for chunk in pairs.chunks(CHUNKS[0]) {
            let marks = vec!["(?, ?)"; chunk.len()].join(", ");
            let mut arguments = SqliteArguments::default();
            for (owner, value) in chunk {
                arguments.add(*owner).map_err(sqlx::Error::Encode)?;
                arguments
                    .add((*value).to_owned())
                    .map_err(sqlx::Error::Encode)?;
            }
            sqlx::query_with(
                AssertSqlSafe(format!(
                    "INSERT INTO {name} ({owner}, {value}) VALUES {marks} ON CONFLICT DO NOTHING"
                )),
                arguments,
            )
            .persistent(false)
            .execute(&mut self.connection)
            .await?;
        }
        Ok(())
    }
}

fn bind(arguments: &mut SqliteArguments, cell: &Datum) -> Result<(), sqlx::Error> {
    match cell {
        Datum::Null => arguments.add(None::<i64>),
        Datum::Text(text) => arguments.add(text.as_str().to_owned()),
        Datum::Int(number) | Datum::Time(number) => arguments.add(*number),
        Datum::Bool(flag) => arguments.add(i64::from(*flag)),
        Datum::Float(number) => arguments.add(*number),
    }
    .map_err(sqlx::Error::Encode)
}

/// The columns of a row's cells, in the order in which sealing put them: keys, then what is set,
/// then what is added to.
pub(super) fn parameters(table: Table, form: Form) -> Vec<&'static ColumnDef> {
    let columns = table.columns();
    let (keys, rest) = columns.split_at(table.key_len());
    match form {
        Form::Upsert => keys.iter().chain(rest).collect(),
        Form::Delete => keys.iter().collect(),
        Form::Update { set, add } => {
            let of = |bits: u64| {
                columns
                    .iter()
                    .enumerate()
                    .filter(move |(at, _)| bits & (1 << at) != 0)
                    .map(|(_, column)| column)
            };
            keys.iter().chain(of(set)).chain(of(add)).collect()
        }
    }
}

/// What happens to a row that is there already.
pub(super) fn conflict_sets(table: &str, columns: &[&ColumnDef]) -> String {
    columns
        .iter()
        .map(|column| match column.kind {
            ColumnKind::Flag => format!("{0} = {table}.{0} OR excluded.{0}", column.name),
            ColumnKind::Count => format!("{0} = {table}.{0} + excluded.{0}", column.name),
            // Where either is NULL the comparison is not true, and what comes in is taken.
            ColumnKind::Earliest => kept_if(table, column.name, "<="),
            ColumnKind::Latest => kept_if(table, column.name, ">="),
            ColumnKind::Key
            | ColumnKind::Int
            | ColumnKind::Bool
            | ColumnKind::Time
            | ColumnKind::Float
            | ColumnKind::Text => format!("{0} = excluded.{0}", column.name),
        })
        .collect::<Vec<_>>()
        .join(", ")
}

/// The value of the row stays if it compares so with the incoming one, or if none comes in.
fn kept_if(table: &str, column: &str, comparison: &str) -> String {
    format!(
        "{column} = CASE WHEN excluded.{column} IS NULL OR {table}.{column} {comparison} \
         excluded.{column} THEN {table}.{column} ELSE excluded.{column} END"
    )
}

fn statement(table: Table, form: Form, columns: &[&ColumnDef], rows: usize) -> String {
    let name = table.name();
    let keys = table.key_len();
    let row = format!("({})", vec!["?"; columns.len()].join(", "));
    let values = vec![row.as_str(); rows].join(", ");
    match form {
        Form::Upsert => {
            let names: Vec<&str> = columns.iter().map(|column| column.name).collect();
            let key = names[..keys].join(", ");
            let sets = conflict_sets(name, &columns[keys..]);
            format!(
                "INSERT INTO {name} ({}) VALUES {values} ON CONFLICT ({key}) DO UPDATE SET {sets}",
                names.join(", ")
            )
        }
        Form::Update { set, .. } => {
            let count = set.count_ones() as usize;
            let sets: Vec<String> = columns[keys..]
                .iter()
                .enumerate()
                .map(|(i, column)| {
                    let at = keys + i + 1;
                    if i < count {
                        format!("{} = u.column{at}", column.name)
                    } else {
                        format!("{0} = {name}.{0} + u.column{at}", column.name)
                    }
                })
                .collect();
            let key: Vec<String> = columns[..keys]
                .iter()
                .enumerate()
                .map(|(at, column)| format!("{name}.{} = u.column{}", column.name, at + 1))
                .collect();
            format!(
                "UPDATE {name} SET {} FROM (VALUES {values}) AS u WHERE {}",
                sets.join(", "),
                key.join(" AND ")
            )
        }
        Form::Delete => {
            let names: Vec<&str> = columns.iter().map(|column| column.name).collect();
            format!(
                "DELETE FROM {name} WHERE ({}) IN (VALUES {values})",
                names.join(", ")
            )
        }
    }
}
