//! PostgreSQL: one parameter per column, whatever the number of rows.
//!
//! Rows travel as arrays and come out of UNNEST, so the text of a statement depends only on its table
//! and column set: it is prepared once per connection. Times travel as milliseconds and become
//! timestamps in the statement. A lock on the cursor row (FOR UPDATE) fences other exporters.

use sqlx::postgres::PgArguments;
use sqlx::{Arguments as _, AssertSqlSafe, PgConnection};

use super::writer::{Texts, conflict_sets, excluded, parameters};
use crate::batch::{Form, SealedList, SealedRow};
use crate::prefix::Prefix;
use crate::row::Datum;
use crate::schema::{ColumnDef, ColumnKind, ListTable, Table};

pub(super) async fn rows(
    connection: &mut PgConnection,
    texts: &mut Texts,
    table: Table,
    form: Form,
    rows: &[SealedRow],
) -> Result<(), sqlx::Error> {
    let columns = parameters(table, form);
    let mut arguments = PgArguments::default();
    for (at, column) in columns.iter().enumerate() {
        bind_column(&mut arguments, column.kind, rows, at)?;
    }
    let sql = texts.get(table, form, 0, || statement(table, form, &columns));
    sqlx::query_with(AssertSqlSafe(sql), arguments)
        .execute(&mut *connection)
        .await
        .map(|_| ())
}

pub(super) async fn lists(
    connection: &mut PgConnection,
    prefix: &Prefix,
    table: ListTable,
    lists: &[SealedList],
) -> Result<(), sqlx::Error> {
    let (name, owner, value) = table.names();
    let name = prefix.name(name);
    let owners: Vec<i64> = lists.iter().map(|list| list.owner).collect();
    sqlx::query(AssertSqlSafe(format!(
        "DELETE FROM {name} WHERE {owner} = ANY($1::bigint[])"
    )))
    .bind(owners)
    .execute(&mut *connection)
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
    .execute(&mut *connection)
    .await
    .map(|_| ())
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
            let sets = conflict_sets(name, &columns[keys..], excluded);
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
