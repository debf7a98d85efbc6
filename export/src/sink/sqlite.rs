//! SQLite: multi-row VALUES in a few fixed chunk sizes.
//!
//! SQLite has no arrays, so rows are parameters of their own; texts exist only for the chunk sizes
//! below, which keeps the number of prepared statements small. Each statement is one hop to the
//! connection's thread, so large chunks matter more than anything else. BEGIN IMMEDIATE takes the
//! write lock at once, which fences as PostgreSQL's row lock does.

use sqlx::sqlite::SqliteArguments;
use sqlx::{Arguments as _, AssertSqlSafe, SqliteConnection};

use super::writer::{Texts, conflict_sets, excluded, parameters};
use crate::batch::{Form, SealedList, SealedRow};
use crate::prefix::Prefix;
use crate::row::Datum;
use crate::schema::{ColumnDef, ListTable, Table};

/// Rows of a statement, largest first; 256 rows of the widest table are 6 912 parameters of the
/// 32 766 that SQLite takes.
const CHUNKS: [usize; 4] = [256, 32, 4, 1];

pub(super) async fn rows(
    connection: &mut SqliteConnection,
    texts: &mut Texts,
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
        let sql = texts.get(table, form, size, || statement(table, form, &columns, size));
        sqlx::query_with(AssertSqlSafe(sql), arguments)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

pub(super) async fn lists(
    connection: &mut SqliteConnection,
    prefix: &Prefix,
    table: ListTable,
    lists: &[SealedList],
) -> Result<(), sqlx::Error> {
    let (name, owner, value) = table.names();
    let name = prefix.name(name);
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
        .execute(&mut *connection)
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
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
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

fn statement(table: Table, form: Form, columns: &[&ColumnDef], rows: usize) -> String {
    let name = table.name();
    let keys = table.key_len();
    let row = format!("({})", vec!["?"; columns.len()].join(", "));
    let values = vec![row.as_str(); rows].join(", ");
    match form {
        Form::Upsert => {
            let names: Vec<&str> = columns.iter().map(|column| column.name).collect();
            let key = names[..keys].join(", ");
            let sets = conflict_sets(name, &columns[keys..], excluded);
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
