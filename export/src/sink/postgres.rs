//! PostgreSQL: one parameter per column, whatever the number of rows.
//!
//! Rows travel as arrays and come out of UNNEST, so the text of a statement depends only on its table
//! and column set: it is prepared once per connection. Times travel as milliseconds and become
//! timestamps in the statement. A lock on the cursor row (FOR UPDATE) fences other exporters.

use std::sync::Arc;

use ringflow_core::ids::{Key, PartitionId, Position};
use rustc_hash::FxHashMap;
use sqlx::postgres::PgArguments;
use sqlx::{Arguments as _, AssertSqlSafe, Connection as _, PgConnection, Row as _};

use super::Poison;
use crate::batch::{Form, SealedList, SealedRow};
use crate::row::Datum;
use crate::schema::{ColumnDef, ColumnKind, ListTable, Table};

/// A connection and the statements it has been sent.
pub(super) struct Writer {
    connection: PgConnection,
    statements: FxHashMap<(Table, Form), Arc<str>>,
}

impl Writer {
    pub(super) fn new(connection: PgConnection) -> Self {
        Self {
            connection,
            statements: FxHashMap::default(),
        }
    }

    pub(super) async fn close(self) {
        // The server notices a missing farewell as well.
        let _ = self.connection.close().await;
    }

    pub(super) async fn run(&mut self, sql: &'static str) -> Result<(), sqlx::Error> {
        sqlx::raw_sql(sql)
            .execute(&mut self.connection)
            .await
            .map(|_| ())
    }

    pub(super) async fn cursor(
        &mut self,
        partition: PartitionId,
    ) -> Result<Option<i64>, sqlx::Error> {
        let row = sqlx::query(
            "SELECT last_exported_position FROM exporter_position WHERE partition_id = $1 \
             FOR UPDATE",
        )
        .bind(i32::from(partition.0))
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
            "UPDATE exporter_position SET last_exported_position = $2, \
             last_updated = to_timestamp($3 / 1000.0) WHERE partition_id = $1",
        )
        .bind(i32::from(partition.0))
        .bind(position.0 as i64)
        .bind(now)
        .execute(&mut self.connection)
        .await
        .map(|_| ())
    }

    /// Two exporters that find no row both come here; the second waits for the first.
    pub(super) async fn create_cursor(
        &mut self,
        partition: PartitionId,
        now: i64,
    ) -> Result<(), sqlx::Error> {
        sqlx::query(
            "INSERT INTO exporter_position (partition_id, exporter, last_exported_position, \
             created, last_updated) VALUES ($1, 'rdbms', 0, to_timestamp($2 / 1000.0), \
             to_timestamp($2 / 1000.0)) ON CONFLICT DO NOTHING",
        )
        .bind(i32::from(partition.0))
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
             created) VALUES ($1, $2, $3, $4, $5, to_timestamp($6 / 1000.0)) ON CONFLICT DO NOTHING",
        )
        .bind(i32::from(partition.0))
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
             WHERE process_definition_key = $1",
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
        let columns = super::sqlite::parameters(table, form);
        let mut arguments = PgArguments::default();
        for (at, column) in columns.iter().enumerate() {
            bind_column(&mut arguments, column.kind, rows, at)?;
        }
        let sql = self
            .statements
            .entry((table, form))
            .or_insert_with(|| statement(table, form, &columns).into());
        sqlx::query_with(AssertSqlSafe(Arc::clone(sql)), arguments)
            .execute(&mut self.connection)
            .await
            .map(|_| ())
    }

    /// Takes instances off the count of the definition that their rows still name.
    pub(super) async fn depart(&mut self, instances: &[i64]) -> Result<(), sqlx::Error> {
        for instance in instances {
            sqlx::query(
                "INSERT INTO active_instances (process_definition_key, partition_id, active_count) \
                 SELECT process_definition_key, partition_id, -1 FROM process_instance \
                 WHERE process_instance_key = $1 \
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
        let owners: Vec<i64> = lists.iter().map(|list| list.owner).collect();
        sqlx::query(AssertSqlSafe(format!(
            "DELETE FROM {name} WHERE {owner} = ANY($1::bigint[])"
        )))
        .bind(owners)
        .execute(&mut self.connection)
        .await?;
        let mut owners: Vec<i64> = Vec::new();
        let mut values: Vec<&str> = Vec::new();
        for list in lists {
            for value in &list.values {
                owners.push(list.owner);
                values.push(value);
            }
        }
        if owners.is_empty() {
            return Ok(());
        }
        let mut arguments = PgArguments::default();
        arguments.add(owners).map_err(sqlx::Error::Encode)?;
        arguments.add(values).map_err(sqlx::Error::Encode)?;
        sqlx::query_with(
            AssertSqlSafe(format!(
                "INSERT INTO {name} ({owner}, {value}) SELECT * FROM UNNEST($1::bigint[], \
                 $2::text[]) ON CONFLICT DO NOTHING"
            )),
            arguments,
        )
        .execute(&mut self.connection)
        .await
        .map(|_| ())
    }
}

fn bind_column(
    arguments: &mut PgArguments,
    kind: ColumnKind,
    rows: &[SealedRow],
    at: usize,
) -> Result<(), sqlx::Error> {
    let cells = rows
        .iter()
        .map(|row| row.cells.get(at).unwrap_or(&Datum::Null));
    match kind {
        ColumnKind::Key
        | ColumnKind::Int
        | ColumnKind::Time
        | ColumnKind::Count
        | ColumnKind::Earliest
        | ColumnKind::Latest => {
            let values: Vec<Option<i64>> = cells
                .map(|cell| match cell {
                    Datum::Int(number) | Datum::Time(number) => Some(*number),
                    Datum::Null | Datum::Text(_) | Datum::Bool(_) | Datum::Float(_) => None,
                })
                .collect();
            arguments.add(values)
        }
        ColumnKind::Bool | ColumnKind::Flag => {
            let values: Vec<Option<bool>> = cells
                .map(|cell| match cell {
                    Datum::Bool(flag) => Some(*flag),
                    Datum::Null
                    | Datum::Text(_)
                    | Datum::Int(_)
                    | Datum::Time(_)
                    | Datum::Float(_) => None,
                })
                .collect();
            arguments.add(values)
        }
        ColumnKind::Float => {
            let values: Vec<Option<f64>> = cells
                .map(|cell| match cell {
                    Datum::Float(number) => Some(*number),
                    Datum::Null
                    | Datum::Text(_)
                    | Datum::Int(_)
                    | Datum::Time(_)
                    | Datum::Bool(_) => None,
                })
                .collect();
            arguments.add(values)
        }
        ColumnKind::Text => {
            let values: Vec<Option<&str>> = cells
                .map(|cell| match cell {
                    Datum::Text(text) => Some(text.as_str()),
                    Datum::Null
                    | Datum::Int(_)
                    | Datum::Time(_)
                    | Datum::Bool(_)
                    | Datum::Float(_) => None,
                })
                .collect();
            arguments.add(values)
        }
    }
    .map_err(sqlx::Error::Encode)
}

fn array(kind: ColumnKind) -> &'static str {
    match kind {
        ColumnKind::Key
        | ColumnKind::Int
        | ColumnKind::Time
        | ColumnKind::Count
        | ColumnKind::Earliest
        | ColumnKind::Latest => "bigint[]",
        ColumnKind::Bool | ColumnKind::Flag => "boolean[]",
        ColumnKind::Float => "double precision[]",
        ColumnKind::Text => "text[]",
    }
}

fn incoming(at: usize, kind: ColumnKind) -> String {
    match kind {
        ColumnKind::Time | ColumnKind::Earliest | ColumnKind::Latest => {
            format!("to_timestamp(u.p{at} / 1000.0)")
        }
        ColumnKind::Key
        | ColumnKind::Int
        | ColumnKind::Count
        | ColumnKind::Bool
        | ColumnKind::Flag
        | ColumnKind::Float
        | ColumnKind::Text => format!("u.p{at}"),
    }
}

fn statement(table: Table, form: Form, columns: &[&ColumnDef]) -> String {
    let name = table.name();
    let keys = table.key_len();
    let arrays: Vec<String> = columns
        .iter()
        .enumerate()
        .map(|(at, column)| format!("${}::{}", at + 1, array(column.kind)))
        .collect();
    let aliases: Vec<String> = (0..columns.len()).map(|at| format!("p{at}")).collect();
    let source = format!("UNNEST({}) AS u({})", arrays.join(", "), aliases.join(", "));
    match form {
        Form::Upsert => {
            let names: Vec<&str> = columns.iter().map(|column| column.name).collect();
            let values: Vec<String> = columns
                .iter()
                .enumerate()
                .map(|(at, column)| incoming(at, column.kind))
                .collect();
            let key = names[..keys].join(", ");
            let sets = super::sqlite::conflict_sets(name, &columns[keys..]);
            format!(
                "INSERT INTO {name} ({}) SELECT {} FROM {source} ON CONFLICT ({key}) DO UPDATE \
                 SET {sets}",
                names.join(", "),
                values.join(", "),
            )
        }
        Form::Update { set, .. } => {
            let count = set.count_ones() as usize;
            let sets: Vec<String> = columns[keys..]
                .iter()
                .enumerate()
                .map(|(i, column)| {
                    let value = incoming(keys + i, column.kind);
                    if i < count {
                        format!("{} = {value}", column.name)
                    } else {
                        format!("{0} = {name}.{0} + {value}", column.name)
                    }
                })
                .collect();
            let key: Vec<String> = columns[..keys]
                .iter()
                .enumerate()
                .map(|(at, column)| format!("{name}.{} = u.p{at}", column.name))
                .collect();
            format!(
                "UPDATE {name} SET {} FROM {source} WHERE {}",
                sets.join(", "),
                key.join(" AND ")
            )
        }
        Form::Delete => {
            let key: Vec<String> = columns
                .iter()
                .enumerate()
                .map(|(at, column)| format!("{name}.{} = u.p{at}", column.name))
                .collect();
            format!(
                "DELETE FROM {name} USING {source} WHERE {}",
                key.join(" AND ")
            )
        }
    }
}
