//! The window: changes folded in memory to the final image of each row.
//!
//! A row that is inserted in the window keeps absorbing updates and deltas and costs one statement in
//! the end, however often it changed. Changes of rows that are not in the window stay partial: the
//! last value of each column wins, deltas add up. Because a partition's records come in order and
//! nothing else writes its rows, folding loses nothing.
//!
//! A sealed window ([`Sealed`]) is what the sink sends, and sends again after a failure: tables in
//! the order of the schema, updates grouped by the set of columns they change, keys ascending.

mod merge;

use ringflow_core::ids::{Key, PartitionId, Position, Timestamp};
use ringflow_core::record::Text;
use rustc_hash::FxHashMap;

use crate::row::{Datum, cut};
use crate::schema::{Column, LIST_VALUE_CHARS, ListTable, Table};

/// Second half of a row's identity.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub enum KeyTail {
    /// There is none.
    None,
    /// An entity key.
    Key(i64),
    /// A text.
    Text(Text),
}

/// Identity of a row in its table.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct RowKey(pub i64, pub KeyTail);

impl RowKey {
    /// A row with a single key.
    #[must_use]
    pub const fn of(key: Key) -> Self {
        Self(key.0, KeyTail::None)
    }

    /// A row with two keys.
    #[must_use]
    pub const fn pair(first: Key, second: Key) -> Self {
        Self(first.0, KeyTail::Key(second.0))
    }

    /// A row with a key and a text.
    #[must_use]
    pub fn with_text(key: Key, text: &Text) -> Self {
        Self(key.0, KeyTail::Text(clean(text, LIST_VALUE_CHARS)))
    }

    /// The values of the key columns.
    pub fn data(&self) -> impl Iterator<Item = Datum> {
        let tail = match &self.1 {
            KeyTail::None => None,
            KeyTail::Key(key) => Some(Datum::Int(*key)),
            KeyTail::Text(text) => Some(Datum::Text(text.clone())),
        };
        std::iter::once(Datum::Int(self.0)).chain(tail)
    }
}

impl std::fmt::Display for RowKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.1 {
            KeyTail::None => write!(f, "{}", self.0),
            KeyTail::Key(key) => write!(f, "{}/{key}", self.0),
            KeyTail::Text(text) => write!(f, "{}/{text}", self.0),
        }
    }
}

/// What is known of a row.
#[derive(Debug)]
struct Image {
    /// Inserted in this window: absent columns are NULL, not unknown.
    whole: bool,
    /// Deleted in this window.
    gone: bool,
    cells: Vec<Option<Datum>>,
    added: Vec<i64>,
    adds: u64,
    position: Position,
}

#[derive(Debug)]
struct ListImage {
    values: Vec<Text>,
    position: Position,
}

/// How the rows of an operation are written.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Form {
    /// Insert; if the row is there, replace all its columns.
    Upsert,
    /// Update these columns of rows that are there (bits = column numbers); the second set is added
    /// to what is there.
    Update {
        /// Columns that are set.
        set: u64,
        /// Columns that are added to.
        add: u64,
    },
    /// Delete the rows that are there.
    Delete,
}

/// One row to write: key columns, then the columns of the form, in column order.
#[derive(Debug, Clone)]
pub struct SealedRow {
    /// Identity.
    pub key: RowKey,
    /// Key values and column values, in the order of the statement's parameters.
    pub cells: Vec<Datum>,
    /// The last record that touched the row.
    pub position: Position,
}

/// Rows of one table that one statement writes.
#[derive(Debug)]
pub struct Operation {
    /// The table.
    pub table: Table,
    /// How.
    pub form: Form,
    /// The rows, keys ascending.
    pub rows: Vec<SealedRow>,
}

/// Lists of one table that are replaced.
#[derive(Debug)]
pub struct ListOperation {
    /// The table.
    pub table: ListTable,
    /// Owner and values, owners ascending.
    pub lists: Vec<SealedList>,
}

/// The list of one owner.
#[derive(Debug, Clone)]
pub struct SealedList {
    /// Key of the row it belongs to.
    pub owner: i64,
    /// Its values; empty = none are left.
    pub values: Vec<Text>,
    /// The record that set it.
    pub position: Position,
}

/// A window that takes no more changes.
#[derive(Debug)]
pub struct Sealed {
    /// The partition.
    pub partition: PartitionId,
    /// Where the cursor must stand.
    pub from: Position,
    /// Where the cursor will stand.
    pub last: Position,
    /// Time of the last record.
    pub last_timestamp: Timestamp,
    /// Rows, in writing order.
    pub operations: Vec<Operation>,
    /// Lists, in writing order.
    pub lists: Vec<ListOperation>,
    /// Instances that leave the definition of their stored row; counted before rows are written.
    pub departures: Vec<i64>,
    /// Rows in all operations.
    pub rows: usize,
    /// Records folded.
    pub records: u64,
}

/// Changes of one partition's records, not yet sealed.
#[derive(Debug)]
pub struct Window {
    partition: PartitionId,
    from: Position,
    last: Position,
    last_timestamp: Timestamp,
    tables: Vec<FxHashMap<RowKey, Image>>,
    lists: Vec<FxHashMap<i64, ListImage>>,
    departures: Vec<i64>,
    rows: usize,
    bytes: usize,
    records: u64,
}

impl Window {
    /// An empty window behind `from`.
    #[must_use]
    pub fn new(partition: PartitionId, from: Position) -> Self {
        Self {
            partition,
            from,
            last: from,
            last_timestamp: Timestamp::NONE,
            tables: Table::ALL.iter().map(|_| FxHashMap::default()).collect(),
            lists: ListTable::ALL
                .iter()
                .map(|_| FxHashMap::default())
                .collect(),
            departures: Vec::new(),
            rows: 0,
            bytes: 0,
            records: 0,
        }
    }

    /// The partition.
    #[must_use]
    pub fn partition(&self) -> PartitionId {
        self.partition
    }

    /// Rows and lists that would be written.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Rough size in memory.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Records folded.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Position of the last record folded, or where the window began.
    #[must_use]
    pub fn last(&self) -> Position {
        self.last
    }

    /// Notes that a record was folded, whether or not it changes a row.
    pub fn advance(&mut self, position: Position, timestamp: Timestamp) {
        self.last = position;
        self.last_timestamp = timestamp;
        self.records += 1;
    }

    fn image(&mut self, table: Table, key: RowKey, position: Position) -> &mut Image {
        let rows = &mut self.rows;
        let bytes = &mut self.bytes;
        let image = self.tables[table as usize].entry(key).or_insert_with(|| {
            *rows += 1;
            *bytes += 128;
            Image {
                whole: false,
                gone: false,
                cells: vec![None; table.columns().len()],
                added: Vec::new(),
                adds: 0,
                position,
            }
        });
        image.position = position;
        image
    }

    fn set(
        &mut self,
        table: Table,
        key: RowKey,
        position: Position,
        columns: Vec<(Column, Datum)>,
    ) {
        let mut bytes = 0;
        let image = self.image(table, key, position);
        for (column, value) in columns {
            let at = usize::from(column.0);
            let value = fit(table, at, value);
            bytes += value.size();
            image.cells[at] = Some(value);
            // What was added before is overwritten.
            if image.adds & (1 << at) != 0 {
                image.adds &= !(1 << at);
                image.added[at] = 0;
            }
        }
        self.bytes += bytes;
    }

    /// The row is new (or stated as a whole): columns not given are NULL.
    pub fn upsert(
        &mut self,
        table: Table,
        key: RowKey,
        position: Position,
        columns: Vec<(Column, Datum)>,
    ) {
        let image = self.image(table, key.clone(), position);
        image.whole = true;
        image.gone = false;
        for cell in &mut image.cells {
            *cell = None;
        }
        image.adds = 0;
        image.added.clear();
        self.set(table, key, position, columns);
    }

    /// Some columns of the row change.
    pub fn update(
        &mut self,
        table: Table,
        key: RowKey,
        position: Position,
        columns: Vec<(Column, Datum)>,
    ) {
        self.set(table, key, position, columns);
    }

    /// The row goes, if it is there.
    pub fn delete(&mut self, table: Table, key: RowKey, position: Position) {
        let image = self.image(table, key, position);
        image.gone = true;
        image.whole = false;
    }

    /// A counter of the row changes by `delta`.
    pub fn add(
        &mut self,
        table: Table,
        key: RowKey,
        position: Position,
        column: Column,
        delta: i64,
    ) {
        let at = usize::from(column.0);
        let image = self.image(table, key, position);
        match &mut image.cells[at] {
            Some(Datum::Int(number)) => *number += delta,
            cell if image.whole => *cell = Some(Datum::Int(delta)),
            _ => {
                image.added.resize(image.cells.len(), 0);
                image.added[at] += delta;
                image.adds |= 1 << at;
            }
        }
    }

    /// The list of `owner` is now `values`.
    pub fn replace_list(
        &mut self,
        table: ListTable,
        owner: Key,
        position: Position,
        values: &[Text],
    ) {
        let mut values: Vec<Text> = values
            .iter()
            .map(|value| clean(value, LIST_VALUE_CHARS))
            .collect();
        values.sort();
        values.dedup();
        self.bytes += values.iter().map(|value| 48 + value.len()).sum::<usize>();
        let image = ListImage { values, position };
        if self.lists[table as usize].insert(owner.0, image).is_none() {
            self.rows += 1;
        }
    }

    /// Ends the window.
    #[must_use]
    pub fn seal(self) -> Sealed {
        let mut operations = Vec::new();
        for (table, images) in Table::ALL.iter().zip(self.tables) {
            seal_table(*table, images, &mut operations);
        }
        let mut lists = Vec::new();
        for (table, images) in ListTable::ALL.iter().zip(self.lists) {
            let mut sealed: Vec<SealedList> = images
                .into_iter()
                .map(|(owner, image)| SealedList {
                    owner,
                    values: image.values,
                    position: image.position,
                })
                .collect();
            sealed.sort_unstable_by_key(|list| list.owner);
            if !sealed.is_empty() {
                lists.push(ListOperation {
                    table: *table,
                    lists: sealed,
                });
            }
        }
        Sealed {
            partition: self.partition,
            from: self.from,
            last: self.last,
            last_timestamp: self.last_timestamp,
            operations,
            lists,
            departures: self.departures,
            rows: self.rows,
            records: self.records,
        }
    }
}

fn seal_table(table: Table, images: FxHashMap<RowKey, Image>, operations: &mut Vec<Operation>) {
    let keys = table.key_len();
    let mut rows: Vec<(Form, SealedRow)> = images
        .into_iter()
        .filter_map(|(key, image)| {
            let mut cells: Vec<Datum> = key.data().collect();
            let form = if image.gone {
                Form::Delete
            } else if image.whole {
                cells.extend(
                    image
                        .cells
                        .into_iter()
                        .skip(keys)
                        .map(|cell| cell.unwrap_or(Datum::Null)),
                );
                Form::Upsert
            } else {
                let mut set = 0;
                for (at, cell) in image.cells.into_iter().enumerate() {
                    if let Some(cell) = cell {
                        set |= 1 << at;
                        cells.push(cell);
                    }
                }
                let mut add = 0;
                for (at, delta) in image.added.into_iter().enumerate() {
                    if image.adds & (1 << at) != 0 && delta != 0 {
                        add |= 1 << at;
                        cells.push(Datum::Int(delta));
                    }
                }
                // Deltas that cancelled out leave nothing to do.
                if set == 0 && add == 0 {
                    return None;
                }
                Form::Update { set, add }
            };
            let position = image.position;
            Some((
                form,
                SealedRow {
                    key,
                    cells,
                    position,
                },
            ))
        })
        .collect();
    rows.sort_unstable_by(|a, b| (a.0, &a.1.key).cmp(&(b.0, &b.1.key)));
    for (form, row) in rows {
        match operations.last_mut() {
            Some(last) if last.table == table && last.form == form => last.rows.push(row),
            _ => operations.push(Operation {
                table,
                form,
                rows: vec![row],
            }),
        }
    }
}

/// Makes a value fit its column: texts are cut and lose the character no database takes.
fn fit(table: Table, column: usize, value: Datum) -> Datum {
    let Some(def) = table.columns().get(column) else {
        return value;
    };
    match value {
        Datum::Text(ref text) => {
            let chars = if def.chars == 0 {
                usize::MAX
            } else {
                def.chars
            };
            Datum::Text(clean(text, chars))
        }
        Datum::Null | Datum::Int(_) | Datum::Bool(_) | Datum::Time(_) | Datum::Float(_) => value,
    }
}

fn clean(text: &Text, chars: usize) -> Text {
    let fitting = cut(text, chars);
    if fitting.contains('\0') {
        Text::from(fitting.replace('\0', "\u{fffd}"))
    } else if fitting.len() < text.len() {
        Text::from(fitting)
    } else {
        text.clone()
    }
}

#[cfg(test)]
mod tests;
