//! Sort, keyset pages, cursors, counts: a query becomes one or two statements.
//!
//! A cursor is standard Base64 of the JSON array of an item's sort values, tie-breaker included. A
//! page behind a cursor is asked for by value, not by offset:
//! `a >= x AND ((a > x) OR (a = x AND b > y) OR ...)`, with NULL below every value. The page before a cursor is
//! the same statement with every order reversed, its rows turned round.
//!
//! | cursor defect | answer |
//! |---|---|
//! | not Base64, not JSON, not an array | [`QueryError::BadCursor`] |
//! | other number or kinds of values than the sort | [`QueryError::BadCursor`] |
//! | values of an item that is gone | the page that would follow it |

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustc_hash::FxHashMap;
use serde_json::Value as Json;

use super::field::{self, EntityFields, Field, Kind};
use super::filter::condition;
use super::statement::{Bind, Statement};
use super::{
    Cell, Entity, Filter, KeyLiteral, LIMIT_MAX, Literal, Op, Page, PageSpec, PageStart, Queries,
    Query, Row, SORT_MAX, TOTAL_MAX, fetch, variable,
};
use crate::database::Dialect;
use crate::error::QueryError;
use crate::link::readable;

/// Bytes of a cursor at most: previews of values can be part of it.
const CURSOR_MAX: usize = 256 * 1024;

/// One sort key of a statement.
#[derive(Clone, Copy)]
struct Order {
    field: &'static Field,
    sql: &'static str,
    descending: bool,
}

impl Order {
    /// The expression to compare and sort by: texts by bytes, whatever the database's locale.
    fn push(&self, out: &mut Statement) {
        if self.field.kind == Kind::Bool {
            out.push("CASE WHEN ");
            out.push(self.sql);
            out.push(" THEN 1 WHEN NOT (");
            out.push(self.sql);
            out.push(") THEN 0 END");
            return;
        }
        out.push("(");
        out.push(self.sql);
        out.push(")");
        if self.field.kind == Kind::Text && out.dialect == Dialect::Postgres {
            out.push(" COLLATE \"C\"");
        }
    }
}

/// Appends a statement whose result takes the place of an entity's tables.
pub(super) type Derived<'s> = &'s (dyn Fn(&mut Statement) -> Result<(), QueryError> + Sync);

/// Where the rows of a search come from.
#[derive(Clone, Copy)]
pub(super) struct Source<'s> {
    pub(super) entity: &'static EntityFields,
    /// What is read instead of the entity's tables.
    pub(super) derived: Option<Derived<'s>>,
}

impl Source<'_> {
    /// Appends what stands behind FROM.
    fn push(&self, out: &mut Statement) -> Result<(), QueryError> {
        match self.derived {
            None => out.push(self.entity.from),
            Some(derived) => {
                out.push("(");
                derived(out)?;
                out.push(") t");
            }
        }
        Ok(())
    }
}

pub(super) async fn search(queries: &Queries, query: &Query) -> Result<Page, QueryError> {
    let source = Source {
        entity: field::entity(query.entity),
        derived: None,
    };
    search_in(queries, query, source).await
}

/// A search whose rows come from `source` instead of the tables of `query.entity`.
pub(super) async fn search_in(
    queries: &Queries,
    query: &Query,
    source: Source<'_>,
) -> Result<Page, QueryError> {
    let entity = source.entity;
    let orders = orders(entity, query)?;
    let limit = query.page.limit.clamp(1, LIMIT_MAX);
    let rows = page_rows(queries, query, source, &orders, limit).await?;
    let found = rows.len() as u64;
    let offset = match &query.page.start {
        PageStart::From(from) => Some(*from),
        PageStart::After(_) | PageStart::Before(_) => None,
    };
    // A page from an offset that ends early has counted the matches by itself.
    let counted = match offset {
        Some(from) if found > 0 && found < u64::from(limit) => Some(from + found),
        Some(0) if found == 0 => Some(0),
        Some(_) | None => None,
    };
    let counted = match counted {
        Some(counted) => counted,
        None => count(queries, query, source).await?,
    };
    let shown = entity.results().count();
    let cursor = |row: &Vec<Cell>| encode(&row[shown..shown + orders.len()]);
    let start_cursor = rows.first().map(cursor);
    let end_cursor = rows.last().map(cursor);
    Ok(Page {
        items: items(queries, entity, rows).await?,
        total: counted.min(TOTAL_MAX),
        has_more: counted > TOTAL_MAX,
        start_cursor,
        end_cursor,
    })
}

pub(super) async fn get(
    queries: &Queries,
    entity: Entity,
    key: KeyLiteral,
) -> Result<Option<Row>, QueryError> {
    let fields = field::entity(entity);
    let [name] = fields.key else {
        return Err(QueryError::InvalidField {
            field: "key".into(),
            reason: "this entity has no single key".into(),
        });
    };
    let query = Query {
        filter: Filter::Field {
            field: (*name).to_owned(),
            op: Op::Eq,
            values: vec![Literal::Int(key.0)],
        },
        page: PageSpec {
            limit: 1,
            start: PageStart::From(0),
        },
        full_values: true,
        ..Query::of(entity)
    };
    let orders = orders(fields, &query)?;
    let source = Source {
        entity: fields,
        derived: None,
    };
    let rows = page_rows(queries, &query, source, &orders, 1).await?;
    Ok(items(queries, fields, rows).await?.into_iter().next())
}

fn orders(entity: &'static EntityFields, query: &Query) -> Result<Vec<Order>, QueryError> {
    if query.sort.len() > SORT_MAX {
        return Err(QueryError::TooLarge {
            reason: format!("more than {SORT_MAX} sort fields"),
        });
    }
    let mut orders: Vec<Order> = Vec::with_capacity(query.sort.len() + 2);
    for sort in &query.sort {
        let field = entity
            .field(&sort.field)
            .filter(|field| field.sortable)
            .ok_or_else(|| QueryError::InvalidField {
                field: sort.field.clone(),
                reason: "it cannot be sorted by".into(),
            })?;
        // A field that sorts already decides nothing the second time.
        if orders.iter().all(|order| order.field.name != field.name) {
            orders.push(Order {
                field,
                sql: variable::shown(field, false),
                descending: sort.descending,
            });
        }
    }
    for field in entity.key_fields() {
        if orders.iter().all(|order| order.field.name != field.name) {
            orders.push(Order {
                field,
                sql: field.sql,
                descending: false,
            });
        }
    }
    Ok(orders)
}

async fn page_rows(
    queries: &Queries,
    query: &Query,
    source: Source<'_>,
    orders: &[Order],
    limit: u32,
) -> Result<Vec<Vec<Cell>>, QueryError> {
    let entity = source.entity;
    let dialect = queries.pool.dialect();
    let mut out = Statement::new(dialect);
    let mut kinds = Vec::new();
    out.push("SELECT ");
    let full = query.full_values;
    let columns = entity
        .results()
        .map(|field| (field.kind, variable::shown(field, full)))
        .chain(orders.iter().map(|order| (order.field.kind, order.sql)))
        // The owner of the lists, last.
        .chain(
            entity
                .key_fields()
                .take(1)
                .map(|field| (field.kind, field.sql)),
        );
    for (kind, sql) in columns {
        if !kinds.is_empty() {
            out.push(", ");
        }
        out.push(&readable(dialect, kind, sql));
        kinds.push(kind);
    }
    out.push(" FROM ");
    source.push(&mut out)?;
    out.push(" WHERE (");
    condition(&mut out, entity, &query.filter, 0)?;
    out.push(")");
    let (cursor, backwards) = match &query.page.start {
        PageStart::From(_) => (None, false),
        PageStart::After(cursor) => (Some(cursor), false),
        PageStart::Before(cursor) => (Some(cursor), true),
    };
    if let Some(cursor) = cursor {
        let values = decode(cursor, orders)?;
        out.push(" AND (");
        behind(&mut out, orders, &values, backwards);
        out.push(")");
    }
    out.push(" ORDER BY ");
    for (i, order) in orders.iter().enumerate() {
        if i > 0 {
            out.push(", ");
        }
        order.push(&mut out);
        let descending = order.descending != backwards;
        // MySQL has no words for it and puts NULL there by itself.
        let present = order.field.present || dialect == Dialect::Mysql;
        out.push(match (descending, present) {
            (false, true) => " ASC",
            (true, true) => " DESC",
            (false, false) => " ASC NULLS FIRST",
            (true, false) => " DESC NULLS LAST",
        });
    }
    out.push(" LIMIT ");
    out.bind(Bind::Int(i64::from(limit)));
    if let PageStart::From(from @ 1..) = query.page.start {
        out.push(" OFFSET ");
        out.bind(Bind::Int(i64::try_from(from).unwrap_or(i64::MAX)));
    }
    let mut rows = fetch::rows(queries, out, &kinds).await?;
    if backwards {
        rows.reverse();
    }
    Ok(rows)
}

async fn count(queries: &Queries, query: &Query, source: Source<'_>) -> Result<u64, QueryError> {
    let mut out = Statement::new(queries.pool.dialect());
    out.push("SELECT COUNT(*) FROM (SELECT 1 FROM ");
    source.push(&mut out)?;
    out.push(" WHERE (");
    condition(&mut out, source.entity, &query.filter, 0)?;
    out.push(") LIMIT ");
    out.bind(Bind::Int(TOTAL_MAX as i64 + 1));
    out.push(") counted");
    let rows = fetch::rows(queries, out, &[Kind::Int]).await?;
    match rows.first().and_then(|row| row.first()) {
        Some(Cell::Int(count)) => Ok(u64::try_from(*count).unwrap_or_default()),
        _ => Err(QueryError::Failed {
            reason: "the count came back empty".into(),
        }),
    }
}

/// Turns rows into results and hangs their lists on them.
async fn items(
    queries: &Queries,
    entity: &'static EntityFields,
    rows: Vec<Vec<Cell>>,
) -> Result<Vec<Row>, QueryError> {
    let mut owners: FxHashMap<i64, usize> = FxHashMap::default();
    let mut keys: Vec<i64> = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        if let (false, Some(Cell::Key(key))) = (entity.lists.is_empty(), row.last()) {
            owners.insert(*key, at);
            keys.push(*key);
        }
    }
    let mut items: Vec<Row> = rows
        .into_iter()
        .map(|row| Row(entity.results().map(|field| field.name).zip(row).collect()))
        .collect();
    for list in entity.lists {
        for item in &mut items {
            item.0.push((list.name, Cell::List(Vec::new())));
        }
        if keys.is_empty() {
            continue;
        }
        let mut out = Statement::new(queries.pool.dialect());
        out.push("SELECT ");
        out.push(list.owner);
        out.push(", ");
        out.push(list.value);
        out.push(" FROM ");
        out.push(list.table);
        out.push(" WHERE ");
        out.push(list.owner);
        out.push(" IN (");
        for (i, owner) in keys.iter().enumerate() {
            if i > 0 {
                out.push(", ");
            }
            out.bind(Bind::Int(*owner));
        }
        out.push(") ORDER BY 1, 2");
        for row in fetch::rows(queries, out, &[Kind::Key, Kind::Text]).await? {
            let mut cells = row.into_iter();
            let (Some(Cell::Key(owner)), Some(value)) = (cells.next(), cells.next()) else {
                continue;
            };
            let at = owners.get(&owner).copied();
            if let Some((_, Cell::List(values))) = at
                .and_then(|at| items.get_mut(at))
                .and_then(|item| item.0.last_mut())
            {
                values.push(value);
            }
        }
    }
    Ok(items)
}

/// The condition "behind `values` in the order", or before it if `backwards`.
fn behind(out: &mut Statement, orders: &[Order], values: &[Option<Bind>], backwards: bool) {
    // Alternatives are no range of an index; this is, and says nothing that they do not say.
    if let ([first, _, ..], Some(Some(value))) = (orders, values.first())
        && first.field.present
        && first.field.kind != Kind::Bool
    {
        first.push(out);
        out.push(match first.descending != backwards {
            true => " <= ",
            false => " >= ",
        });
        out.bind(value.clone());
        out.push(" AND (");
        alternatives(out, orders, values, backwards);
        out.push(")");
    } else {
        alternatives(out, orders, values, backwards);
    }
}

fn alternatives(out: &mut Statement, orders: &[Order], values: &[Option<Bind>], backwards: bool) {
    for (i, (order, value)) in orders.iter().zip(values).enumerate() {
        out.push(if i == 0 { "(" } else { " OR (" });
        for (earlier, value) in orders.iter().zip(values).take(i) {
            earlier.push(out);
            match value {
                Some(value) => {
                    out.push(" = ");
                    out.bind(value.clone());
                }
                None => out.push(" IS NULL"),
            }
            out.push(" AND ");
        }
        match (order.descending != backwards, value) {
            (false, Some(value)) => {
                order.push(out);
                out.push(" > ");
                out.bind(value.clone());
            }
            (false, None) => {
                order.push(out);
                out.push(" IS NOT NULL");
            }
            (true, Some(value)) => {
                out.push("(");
                order.push(out);
                out.push(" < ");
                out.bind(value.clone());
                if !order.field.present {
                    out.push(" OR ");
                    order.push(out);
                    out.push(" IS NULL");
                }
                out.push(")");
            }
            (true, None) => out.push("1 = 0"),
        }
        out.push(")");
    }
}

fn encode(values: &[Cell]) -> String {
    let values: Vec<Json> = values
        .iter()
        .map(|cell| match cell {
            Cell::Text(text) | Cell::Json(text) => Json::from(text.as_str()),
            Cell::Int(number) | Cell::Key(number) | Cell::Time(number) => Json::from(*number),
            Cell::Bool(flag) => Json::from(i64::from(*flag)),
            Cell::Float(number) => Json::from(*number),
            Cell::Null | Cell::List(_) => Json::Null,
        })
        .collect();
    STANDARD.encode(Json::Array(values).to_string())
}

/// The values that a cursor stands for, if it can be one of some search.
fn values_of(cursor: &str) -> Option<Vec<Json>> {
    if cursor.len() > CURSOR_MAX {
        return None;
    }
    let bytes = STANDARD.decode(cursor).ok()?;
    match serde_json::from_slice(&bytes) {
        Ok(Json::Array(values)) => Some(values),
        Ok(_) | Err(_) => None,
    }
}

/// Whether a text can be the cursor of some search, which is known before anything is searched.
#[must_use]
pub fn is_cursor(text: &str) -> bool {
    values_of(text).is_some()
}

fn decode(cursor: &str, orders: &[Order]) -> Result<Vec<Option<Bind>>, QueryError> {
    let values = values_of(cursor).ok_or(QueryError::BadCursor)?;
    if values.len() != orders.len() {
        return Err(QueryError::BadCursor);
    }
    orders
        .iter()
        .zip(values)
        .map(|(order, value)| {
            let bind = match (order.field.kind, value) {
                (_, Json::Null) if order.field.present => return Err(QueryError::BadCursor),
                (_, Json::Null) => return Ok(None),
                (Kind::Text, Json::String(text)) => Bind::Text(text),
                (Kind::Key | Kind::Int | Kind::Bool, Json::Number(number)) => {
                    Bind::Int(number.as_i64().ok_or(QueryError::BadCursor)?)
                }
                (Kind::Time, Json::Number(number)) => {
                    Bind::Time(number.as_i64().ok_or(QueryError::BadCursor)?)
                }
                _ => return Err(QueryError::BadCursor),
            };
            Ok(Some(bind))
        })
        .collect()
}
