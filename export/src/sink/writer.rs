//! A connection that windows are written on, and the statements it has been sent.
//!
//! What all databases share is here: the cursor, rows set aside, the order of a statement's values,
//! the cache of statement texts. How rows travel by the thousand is the dialect's own file:
//!
//! | dialect | rows |
//! |---|---|
//! | PostgreSQL | one array a column |
//! | MySQL | upserts as VALUES of fixed sizes, what changes or deletes as one JSON document |
//! | SQLite | VALUES of fixed sizes |

use std::sync::Arc;
use std::time::Duration;

use ringflow_core::ids::{Key, PartitionId, Position};
use rustc_hash::FxHashMap;

use super::{Poison, mysql, postgres, sqlite};
use crate::batch::{Form, Operation, SealedList, SealedRow};
use crate::database::{Database, Dialect};
use crate::link::{Link, Wire, readable};
use crate::phase::{self, Phase};
use crate::prefix::Prefix;
use crate::query::Cell;
use crate::query::field::Kind;
use crate::query::statement::{Bind, Statement};
use crate::schema::{ColumnDef, ColumnKind, ListTable, Table};

/// Statement texts by table, form, and number of rows (0 = any).
#[derive(Debug)]
pub(super) struct Texts {
    known: FxHashMap<(Table, Form, usize), Arc<str>>,
    prefix: Prefix,
}

impl Texts {
    pub(super) fn get(
        &mut self,
        table: Table,
        form: Form,
        rows: usize,
        make: impl FnOnce() -> String,
    ) -> Arc<str> {
        let prefix = &self.prefix;
        let text = self
            .known
            .entry((table, form, rows))
            .or_insert_with(|| prefix.apply(&make()).into());
        Arc::clone(text)
    }
}

/// A connection and the statements it has been sent.
#[derive(Debug)]
pub(super) struct Writer {
    link: Link,
    texts: Texts,
}

impl Writer {
    pub(super) async fn open(
        database: &Database,
        prefix: &Prefix,
        statement_timeout: Duration,
    ) -> Result<Self, sqlx::Error> {
        Ok(Self {
            link: Link::open(database, prefix, statement_timeout).await?,
            texts: Texts {
                known: FxHashMap::default(),
                prefix: prefix.clone(),
            },
        })
    }

    pub(super) async fn close(self) {
        self.link.close().await;
    }

    pub(super) async fn run(&mut self, sql: &'static str) -> Result<(), sqlx::Error> {
        self.link.run(sql).await
    }

    /// Where the partition's cursor stands. The lock on its row fences other exporters; SQLite's
    /// transaction holds the lock on the file already.
    pub(super) async fn cursor(
        &mut self,
        partition: PartitionId,
    ) -> Result<Option<i64>, sqlx::Error> {
        let mut out = self.statement(
            "SELECT last_exported_position FROM exporter_position WHERE partition_id = ",
        );
        out.bind(Bind::Int(partition.0.into()));
        out.push(match out.dialect {
            Dialect::Postgres | Dialect::Mysql => " FOR UPDATE",
            Dialect::Sqlite => "",
        });
        self.number(out).await
    }

    /// Whether the partition is exported now.
    pub(super) async fn phase(&mut self, partition: PartitionId) -> Result<Phase, sqlx::Error> {
        let mut out = self.statement("SELECT ");
        out.push(&readable(out.dialect, Kind::Int, "phase"));
        out.push(phase::OF_PARTITION);
        out.bind(Bind::Int(partition.0.into()));
        out.push(phase::OR_OF_ALL);
        let code = self.number(out).await?;
        Ok(code.map_or(Phase::Exporting, Phase::of_code))
    }

    /// The number in the only row of a statement.
    async fn number(&mut self, statement: Statement) -> Result<Option<i64>, sqlx::Error> {
        let rows = self.link.fetch(statement, &[Kind::Int]).await?;
        Ok(match rows.first().and_then(|row| row.first()) {
            Some(Cell::Int(number)) => Some(*number),
            Some(_) | None => None,
        })
    }

    /// Two exporters that find no row both come here; the second waits for the first.
    pub(super) async fn create_cursor(
        &mut self,
        partition: PartitionId,
        now: i64,
    ) -> Result<(), sqlx::Error> {
        let mut out = self.statement(
            "INSERT INTO exporter_position (partition_id, exporter, last_exported_position, \
             created, last_updated) VALUES (",
        );
        out.bind(Bind::Int(partition.0.into()));
        out.push(", 'rdbms', 0, ");
        out.bind(Bind::Time(now));
        out.push(", ");
        out.bind(Bind::Time(now));
        out.push(")");
        or_nothing(&mut out, "partition_id");
        self.link.execute(out, true).await.map(|_| ())
    }

    pub(super) async fn move_cursor(
        &mut self,
        partition: PartitionId,
        position: Position,
        now: i64,
    ) -> Result<(), sqlx::Error> {
        let mut out = self.statement("UPDATE exporter_position SET last_exported_position = ");
        out.bind(Bind::Int(position.0 as i64));
        out.push(", last_updated = ");
        out.bind(Bind::Time(now));
        out.push(" WHERE partition_id = ");
        out.bind(Bind::Int(partition.0.into()));
        self.link.execute(out, true).await.map(|_| ())
    }

    pub(super) async fn poison(
        &mut self,
        partition: PartitionId,
        poison: &Poison,
        now: i64,
    ) -> Result<(), sqlx::Error> {
        let mut out = self.statement(
            "INSERT INTO exporter_error (partition_id, position, table_name, row_key, reason, \
             created) VALUES (",
        );
        let values = [
            Bind::Int(partition.0.into()),
            Bind::Int(poison.position.0 as i64),
            Bind::Text(poison.table.to_owned()),
            Bind::Text(poison.row_key.clone()),
            Bind::Text(poison.reason.clone()),
            Bind::Time(now),
        ];
        for (at, value) in values.into_iter().enumerate() {
            if at > 0 {
                out.push(", ");
            }
            out.bind(value);
        }
        out.push(")");
        or_nothing(&mut out, "partition_id");
        self.link.execute(out, true).await.map(|_| ())
    }

    /// BPMN process id and text of a definition.
    pub(super) async fn definition(
        &mut self,
        key: Key,
    ) -> Result<Option<(String, String)>, sqlx::Error> {
        let mut out = self.statement(
            "SELECT process_definition_id, bpmn_xml FROM process_definition \
             WHERE process_definition_key = ",
        );
        out.bind(Bind::Int(key.0));
        let mut rows = self.link.fetch(out, &[Kind::Text, Kind::Text]).await?;
        let mut cells = rows.pop().unwrap_or_default().into_iter();
        Ok(match (cells.next(), cells.next()) {
            (Some(Cell::Text(id)), Some(Cell::Text(xml))) => Some((id, xml)),
            (_, _) => None,
        })
    }

    /// The kind of a batch operation.
    pub(super) async fn batch_kind(&mut self, key: Key) -> Result<Option<String>, sqlx::Error> {
        let mut out = self
            .statement("SELECT operation_type FROM batch_operation WHERE batch_operation_key = ");
        out.bind(Bind::Int(key.0));
        let rows = self.link.fetch(out, &[Kind::Text]).await?;
        Ok(match rows.into_iter().flatten().next() {
            Some(Cell::Text(kind)) => Some(kind),
            Some(_) | None => None,
        })
    }

    pub(super) async fn rows(
        &mut self,
        operation: &Operation,
        rows: &[SealedRow],
    ) -> Result<(), sqlx::Error> {
        let (table, form) = (operation.table, operation.form);
        let texts = &mut self.texts;
        match &mut self.link.wire {
            Wire::Sqlite(connection) => sqlite::rows(connection, texts, table, form, rows).await,
            Wire::Postgres(connection) => {
                postgres::rows(connection, texts, table, form, rows).await
            }
            Wire::Mysql(connection, server) => {
                mysql::rows(connection, *server, texts, table, form, rows).await
            }
        }
    }

    /// Takes instances off the count of the definition that their rows still name.
    pub(super) async fn depart(&mut self, instances: &[i64]) -> Result<(), sqlx::Error> {
        if let Wire::Mysql(connection, server) = &mut self.link.wire {
            return mysql::depart(connection, *server, &self.link.prefix, instances).await;
        }
        for instance in instances {
            let mut out = self.statement(
                "INSERT INTO active_instances (process_definition_key, partition_id, \
                 active_count) SELECT process_definition_key, partition_id, -1 \
                 FROM process_instance WHERE process_instance_key = ",
            );
            out.bind(Bind::Int(*instance));
            out.push(
                " ON CONFLICT (process_definition_key, partition_id) \
                 DO UPDATE SET active_count = active_instances.active_count - 1",
            );
            self.link.execute(out, true).await?;
        }
        Ok(())
    }

    pub(super) async fn lists(
        &mut self,
        table: ListTable,
        lists: &[SealedList],
    ) -> Result<(), sqlx::Error> {
        let prefix = &self.link.prefix;
        match &mut self.link.wire {
            Wire::Sqlite(connection) => sqlite::lists(connection, prefix, table, lists).await,
            Wire::Postgres(connection) => postgres::lists(connection, prefix, table, lists).await,
            Wire::Mysql(connection, server) => {
                mysql::lists(connection, *server, prefix, table, lists).await
            }
        }
    }

    fn statement(&self, text: &str) -> Statement {
        let mut out = Statement::new(self.link.dialect());
        out.push(text);
        out
    }
}

/// Ends an INSERT: a row that is there already stays as it is. `column` is any of its columns.
fn or_nothing(out: &mut Statement, column: &str) {
    match out.dialect {
        Dialect::Sqlite | Dialect::Postgres => out.push(" ON CONFLICT DO NOTHING"),
        Dialect::Mysql => {
            out.push(&format!(" ON DUPLICATE KEY UPDATE {column} = {column}"));
        }
    }
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

/// What happens to a row that is there already; `incoming` is the new value of a column.
pub(super) fn conflict_sets(
    table: &str,
    columns: &[&ColumnDef],
    incoming: impl Fn(&str) -> String,
) -> String {
    let sets = columns.iter().map(|column| {
        let (name, new) = (column.name, incoming(column.name));
        let value = match column.kind {
            ColumnKind::Flag => format!("{table}.{name} OR {new}"),
            ColumnKind::Count => format!("{table}.{name} + {new}"),
            // Where either is NULL the comparison is not true, and what comes in is taken.
            ColumnKind::Earliest => kept_if(table, name, "<=", &new),
            ColumnKind::Latest => kept_if(table, name, ">=", &new),
            ColumnKind::Key
            | ColumnKind::Int
            | ColumnKind::Bool
            | ColumnKind::Time
            | ColumnKind::Float
            | ColumnKind::Text => new,
        };
        format!("{name} = {value}")
    });
    sets.collect::<Vec<_>>().join(", ")
}

/// The value of the row stays if it compares so with the incoming one, or if none comes in.
fn kept_if(table: &str, column: &str, comparison: &str, new: &str) -> String {
    format!(
        "CASE WHEN {new} IS NULL OR {table}.{column} {comparison} {new} \
         THEN {table}.{column} ELSE {new} END"
    )
}

/// What PostgreSQL, SQLite and, by our choice, MySQL call the row that comes in.
pub(super) fn excluded(column: &str) -> String {
    format!("excluded.{column}")
}
