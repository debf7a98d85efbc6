//! MariaDB and MySQL: upserts in a few fixed sizes, everything else as one JSON document.
//!
//! Upserts are VALUES of [`CHUNKS`] rows, so that few statements are prepared. Updates and deletes
//! carry their rows as JSON, which JSON_TABLE turns into a table: one value whatever the number of
//! rows, columns with types of their own (the server guesses those of parameters, and guesses keys to
//! be floating point), and the join reads it in order, keys ascending. Rows are
//! locked through the primary key only, in that order.
//!
//! Limits: a statement and its values stay below the server's `max_allowed_packet`; a row that does
//! not is refused here as one that cannot be stored, because the server would end the connection.

use std::ops::Range;
use std::sync::Arc;

use sqlx::mysql::MySqlArguments;
use sqlx::{AssertSqlSafe, MySqlConnection};

use super::writer::{Texts, conflict_sets, excluded, parameters};
use crate::batch::{Form, SealedList, SealedRow};
use crate::database::mysql::{Product, Server};
use crate::link::{add, mysql_time};
use crate::prefix::Prefix;
use crate::row::Datum;
use crate::schema::{ColumnDef, ColumnKind, LIST_VALUE_CHARS, ListTable, Table};

/// Rows of an upsert, largest first; 512 rows of the widest table are 18 432 parameters of the
/// 65 535 that the protocol counts.
const CHUNKS: [usize; 4] = [512, 64, 8, 1];
/// Bytes of a packet that are left for the statement's own: number, NULL bits, types.
const PACKET_REST: usize = 256 * 1024;
/// Bytes of a value beside its text at most: type, length, the value of a number.
const VALUE_BYTES: usize = 12;
/// Bytes of a time.
const TIME_BYTES: usize = 32;

pub(super) async fn rows(
    connection: &mut MySqlConnection,
    server: Server,
    texts: &mut Texts,
    table: Table,
    form: Form,
    rows: &[SealedRow],
) -> Result<(), sqlx::Error> {
    let columns = parameters(table, form);
    match form {
        Form::Upsert => upsert(connection, server, texts, table, &columns, rows).await,
        Form::Update { .. } | Form::Delete => {
            let documents = documents(room(server), rows, |out, row| {
                array(out, &row.cells)?;
                Ok(())
            })?;
            for document in documents {
                let sql = texts.get(table, form, 0, || change(server, table, form, &columns));
                send(connection, sql, document).await?;
            }
            Ok(())
        }
    }
}

async fn upsert(
    connection: &mut MySqlConnection,
    server: Server,
    texts: &mut Texts,
    table: Table,
    columns: &[&ColumnDef],
    rows: &[SealedRow],
) -> Result<(), sqlx::Error> {
    let mut rest = rows;
    while !rest.is_empty() {
        let fitting = fitting(room(server), rest)?;
        let size = CHUNKS
            .into_iter()
            .find(|size| *size <= fitting)
            .unwrap_or(1);
        let (chunk, tail) = rest.split_at(size);
        rest = tail;
        let mut arguments = MySqlArguments::default();
        for cell in chunk.iter().flat_map(|row| &row.cells) {
            bind(&mut arguments, cell)?;
        }
        let sql = texts.get(table, Form::Upsert, size, || {
            insert(server.product, table, columns, size)
        });
        sqlx::query_with(AssertSqlSafe(sql), arguments)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// Takes instances off the count of the definition that their rows still name.
pub(super) async fn depart(
    connection: &mut MySqlConnection,
    server: Server,
    prefix: &Prefix,
    instances: &[i64],
) -> Result<(), sqlx::Error> {
    let sql = "INSERT INTO active_instances (process_definition_key, partition_id, \
         active_count) SELECT d.definition, d.part, d.gone FROM (SELECT \
         p.process_definition_key AS definition, p.partition_id AS part, -COUNT(*) AS gone \
         FROM JSON_TABLE(?, '$[*]' COLUMNS (k BIGINT PATH '$' ERROR ON ERROR)) u \
         STRAIGHT_JOIN process_instance p FORCE INDEX (PRIMARY) ON p.process_instance_key = u.k \
         GROUP BY p.process_definition_key, p.partition_id) d \
         ON DUPLICATE KEY UPDATE active_count = active_instances.active_count + d.gone";
    let sql: Arc<str> = prefix.apply(sql).into();
    for document in documents(room(server), instances, |out, key| number(out, *key))? {
        send(connection, Arc::clone(&sql), document).await?;
    }
    Ok(())
}

pub(super) async fn lists(
    connection: &mut MySqlConnection,
    server: Server,
    prefix: &Prefix,
    table: ListTable,
    lists: &[SealedList],
) -> Result<(), sqlx::Error> {
    let (name, owner, value) = table.names();
    let name = prefix.name(name);
    let sql: Arc<str> = format!(
        "DELETE l FROM JSON_TABLE(?, '$[*]' COLUMNS (o BIGINT PATH '$' ERROR ON ERROR)) u \
         STRAIGHT_JOIN {name} l FORCE INDEX (PRIMARY) ON l.{owner} = u.o"
    )
    .into();
    for document in documents(room(server), lists, |out, list| number(out, list.owner))? {
        send(connection, Arc::clone(&sql), document).await?;
    }
    let pairs: Vec<(i64, &str)> = lists
        .iter()
        .flat_map(|list| list.values.iter().map(|value| (list.owner, value.as_str())))
        .collect();
    let sql: Arc<str> = format!(
        "INSERT INTO {name} ({owner}, {value}) SELECT u.o, u.v FROM JSON_TABLE(?, '$[*]' COLUMNS \
         (o BIGINT PATH '$[0]' ERROR ON ERROR, \
         v VARCHAR({LIST_VALUE_CHARS}) CHARACTER SET utf8mb4 PATH '$[1]' ERROR ON ERROR)) u \
         ON DUPLICATE KEY UPDATE {owner} = {name}.{owner}"
    )
    .into();
    let documents = documents(room(server), &pairs, |out, (owner, value)| {
        out.push(b'[');
        number(out, *owner)?;
        out.push(b',');
        text(out, value)?;
        out.push(b']');
        Ok(())
    })?;
    for document in documents {
        send(connection, Arc::clone(&sql), document).await?;
    }
    Ok(())
}

/// Sends a statement whose only value is a JSON document.
async fn send(
    connection: &mut MySqlConnection,
    sql: Arc<str>,
    document: String,
) -> Result<(), sqlx::Error> {
    sqlx::query(AssertSqlSafe(sql))
        .bind(document)
        .execute(connection)
        .await
        .map(|_| ())
}

/// Bytes of values that a statement may carry.
const fn room(server: Server) -> usize {
    // Half a packet at least: a server with the smallest packets still takes rows.
    let half = server.packet / 2;
    let most = server.packet.saturating_sub(PACKET_REST);
    if most > half { most } else { half }
}

fn too_large(bytes: usize, room: usize) -> sqlx::Error {
    sqlx::Error::Encode(
        format!(
            "a row of {bytes} bytes does not fit into the {room} that the server's \
             max_allowed_packet leaves for values"
        )
        .into(),
    )
}

/// How many of the first rows fit into one statement; at least one.
fn fitting(room: usize, rows: &[SealedRow]) -> Result<usize, sqlx::Error> {
    let mut bytes = 0;
    for (at, row) in rows.iter().take(CHUNKS[0]).enumerate() {
        let own: usize = row
            .cells
            .iter()
            .map(|cell| match cell {
                Datum::Text(text) => text.len() + VALUE_BYTES,
                Datum::Time(_) => TIME_BYTES,
                Datum::Null | Datum::Int(_) | Datum::Bool(_) | Datum::Float(_) => VALUE_BYTES,
            })
            .sum();
        bytes += own;
        if bytes > room {
            return if at == 0 {
                Err(too_large(own, room))
            } else {
                Ok(at)
            };
        }
    }
    Ok(rows.len().min(CHUNKS[0]))
}

/// JSON arrays that hold all items in their order, each within `room` bytes.
fn documents<T>(
    room: usize,
    items: &[T],
    write: impl Fn(&mut Vec<u8>, &T) -> Result<(), sqlx::Error>,
) -> Result<Vec<String>, sqlx::Error> {
    let mut whole: Vec<u8> = Vec::new();
    let mut cuts: Vec<Range<usize>> = Vec::new();
    for item in items {
        let start = whole.len();
        write(&mut whole, item)?;
        whole.push(b',');
        let end = whole.len();
        if end - start > room {
            return Err(too_large(end - start, room));
        }
        match cuts.last_mut() {
            Some(cut) if end - cut.start <= room => cut.end = end,
            Some(_) | None => cuts.push(start..end),
        }
    }
    cuts.into_iter()
        .map(|cut| {
            let items = &whole[cut.start..cut.end - 1];
            let mut document = Vec::with_capacity(items.len() + 2);
            document.push(b'[');
            document.extend_from_slice(items);
            document.push(b']');
            String::from_utf8(document).map_err(|error| sqlx::Error::Encode(error.into()))
        })
        .collect()
}

fn array(out: &mut Vec<u8>, cells: &[Datum]) -> Result<(), sqlx::Error> {
    out.push(b'[');
    for (at, cell) in cells.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        match cell {
            Datum::Null => out.extend_from_slice(b"null"),
            Datum::Text(value) => text(out, value)?,
            Datum::Int(value) => number(out, *value)?,
            Datum::Time(millis) => text(out, &mysql_time(*millis)?)?,
            Datum::Bool(flag) => out.push(if *flag { b'1' } else { b'0' }),
            Datum::Float(value) => float(out, *value)?,
        }
    }
    out.push(b']');
    Ok(())
}

fn number(out: &mut Vec<u8>, number: i64) -> Result<(), sqlx::Error> {
    serde_json::to_writer(out, &number).map_err(|error| sqlx::Error::Encode(error.into()))
}

fn text(out: &mut Vec<u8>, text: &str) -> Result<(), sqlx::Error> {
    serde_json::to_writer(out, text).map_err(|error| sqlx::Error::Encode(error.into()))
}

fn float(out: &mut Vec<u8>, number: f64) -> Result<(), sqlx::Error> {
    serde_json::to_writer(out, &number).map_err(|error| sqlx::Error::Encode(error.into()))
}

fn bind(arguments: &mut MySqlArguments, cell: &Datum) -> Result<(), sqlx::Error> {
    match cell {
        Datum::Null => add(arguments, None::<i64>),
        Datum::Text(text) => add(arguments, text.as_str()),
        Datum::Int(number) => add(arguments, *number),
        Datum::Time(millis) => add(arguments, mysql_time(*millis)?),
        Datum::Bool(flag) => add(arguments, i64::from(*flag)),
        Datum::Float(number) => add(arguments, *number),
    }
}

fn insert(product: Product, table: Table, columns: &[&ColumnDef], rows: usize) -> String {
    let name = table.name();
    let names: Vec<&str> = columns.iter().map(|column| column.name).collect();
    let row = format!("({})", vec!["?"; columns.len()].join(", "));
    let values = vec![row.as_str(); rows].join(", ");
    let others = &columns[table.key_len()..];
    let (alias, sets) = match product {
        // VALUES() goes away there, the alias never came to MariaDB.
        Product::MySql => (" AS excluded", conflict_sets(name, others, excluded)),
        Product::MariaDb => {
            let incoming = |column: &str| format!("VALUES({column})");
            ("", conflict_sets(name, others, incoming))
        }
    };
    format!(
        "INSERT INTO {name} ({}) VALUES {values}{alias} ON DUPLICATE KEY UPDATE {sets}",
        names.join(", ")
    )
}

/// The type that a value has in JSON; times are texts until they are set. Texts say what they are
/// made of, or they would be what the database's default is, whatever the tables are.
fn json_type(column: &ColumnDef) -> String {
    match column.kind {
        ColumnKind::Key
        | ColumnKind::Int
        | ColumnKind::Bool
        | ColumnKind::Flag
        | ColumnKind::Count => "BIGINT".to_owned(),
        ColumnKind::Time | ColumnKind::Earliest | ColumnKind::Latest => {
            format!("VARCHAR({TIME_BYTES}) CHARACTER SET utf8mb4")
        }
        ColumnKind::Float => "DOUBLE".to_owned(),
        ColumnKind::Text if column.chars == 0 => "LONGTEXT CHARACTER SET utf8mb4".to_owned(),
        ColumnKind::Text => format!("VARCHAR({}) CHARACTER SET utf8mb4", column.chars),
    }
}

/// An update or a delete of the rows that a JSON document names.
fn change(server: Server, table: Table, form: Form, columns: &[&ColumnDef]) -> String {
    let name = table.name();
    let keys = table.key_len();
    let fields: Vec<String> = columns
        .iter()
        .enumerate()
        .map(|(at, column)| {
            let kind = json_type(column);
            format!("c{at} {kind} PATH '$[{at}]' ERROR ON ERROR")
        })
        .collect();
    let on: Vec<String> = columns[..keys]
        .iter()
        .enumerate()
        .map(|(at, column)| {
            let collation = match column.kind {
                ColumnKind::Text => format!(" COLLATE {}", server.product.collation()),
                ColumnKind::Key
                | ColumnKind::Int
                | ColumnKind::Bool
                | ColumnKind::Flag
                | ColumnKind::Time
                | ColumnKind::Float
                | ColumnKind::Count
                | ColumnKind::Earliest
                | ColumnKind::Latest => String::new(),
            };
            format!("t.{} = u.c{at}{collation}", column.name)
        })
        .collect();
    // The document leads, so that rows are found and locked one by one.
    let source = format!(
        "JSON_TABLE(?, '$[*]' COLUMNS ({})) u STRAIGHT_JOIN {name} t FORCE INDEX (PRIMARY) ON {}",
        fields.join(", "),
        on.join(" AND ")
    );
    match form {
        Form::Delete => format!("DELETE t FROM {source}"),
        // An upsert never comes here.
        Form::Upsert => String::new(),
        Form::Update { set, .. } => {
            let count = set.count_ones() as usize;
            let sets: Vec<String> = columns[keys..]
                .iter()
                .enumerate()
                .map(|(i, column)| {
                    let at = keys + i;
                    let value = match column.kind {
                        ColumnKind::Time | ColumnKind::Earliest | ColumnKind::Latest => {
                            format!("CAST(u.c{at} AS DATETIME(3))")
                        }
                        ColumnKind::Key
                        | ColumnKind::Int
                        | ColumnKind::Bool
                        | ColumnKind::Flag
                        | ColumnKind::Float
                        | ColumnKind::Text
                        | ColumnKind::Count => format!("u.c{at}"),
                    };
                    if i < count {
                        format!("t.{} = {value}", column.name)
                    } else {
                        format!("t.{0} = t.{0} + {value}", column.name)
                    }
                })
                .collect();
            format!("UPDATE {source} SET {}", sets.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use ringflow_core::ids::{Key, Position};

    use super::*;
    use crate::batch::RowKey;

    fn row(text: &str) -> SealedRow {
        SealedRow {
            key: RowKey::of(Key(1)),
            cells: vec![Datum::Int(1), Datum::Text(text.into())],
            position: Position(1),
        }
    }

    #[test]
    fn statements_stay_within_the_packets_of_the_server() {
        let rows: Vec<SealedRow> = (0..1000).map(|_| row(&"x".repeat(1000))).collect();
        assert_eq!(fitting(usize::MAX, &rows).unwrap(), CHUNKS[0]);
        assert_eq!(fitting(10 * 1024, &rows).unwrap(), 10);
        assert!(matches!(fitting(999, &rows), Err(sqlx::Error::Encode(_))));
        let write = |out: &mut Vec<u8>, row: &SealedRow| array(out, &row.cells);
        let parts = documents(4000, &rows, write).unwrap();
        assert!(
            parts.iter().all(|part| part.len() <= 4002),
            "{}",
            parts.len()
        );
        let total: usize = parts
            .iter()
            .map(|part| {
                serde_json::from_str::<Vec<(i64, String)>>(part)
                    .unwrap()
                    .len()
            })
            .sum();
        assert_eq!(total, rows.len());
        assert!(documents(999, &rows, write).is_err());
        assert!(documents(999, &rows[..0], write).unwrap().is_empty());
    }

    #[test]
    fn both_products_name_the_incoming_row_in_their_own_words() {
        let columns = parameters(Table::ActiveInstances, Form::Upsert);
        let text = |product| insert(product, Table::ActiveInstances, &columns, 2);
        assert_eq!(
            text(Product::MariaDb),
            "INSERT INTO active_instances (process_definition_key, partition_id, active_count) \
             VALUES (?, ?, ?), (?, ?, ?) ON DUPLICATE KEY UPDATE \
             active_count = active_instances.active_count + VALUES(active_count)"
        );
        assert_eq!(
            text(Product::MySql),
            "INSERT INTO active_instances (process_definition_key, partition_id, active_count) \
             VALUES (?, ?, ?), (?, ?, ?) AS excluded ON DUPLICATE KEY UPDATE \
             active_count = active_instances.active_count + excluded.active_count"
        );
    }
}
