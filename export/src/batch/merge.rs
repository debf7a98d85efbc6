//! Rows that add up: counters kept by the exporter, so that statistics are reads and not scans.
//!
//! A merged row is written whole, and the database adds it to what is there: each column by its
//! kind (`Count` adds, `Earliest` and `Latest` keep one of two times, others are replaced). Adding is
//! not idempotent; it holds only because rows and cursor share one transaction.
//!
//! Every `Count` of a merged row has to be given, if only as 0: nothing plus NULL is NULL.

use ringflow_core::ids::{Key, Position};

use super::{RowKey, Window, fit};
use crate::row::Datum;
use crate::schema::{Column, ColumnKind, Table};

impl Window {
    /// Adds `columns` to the row.
    pub fn merge(
        &mut self,
        table: Table,
        key: RowKey,
        position: Position,
        columns: Vec<(Column, Datum)>,
    ) {
        let image = self.image(table, key, position);
        image.whole = true;
        let mut bytes = 0;
        for (column, value) in columns {
            let at = usize::from(column.0);
            let value = fit(table, at, value);
            let kind = table.columns().get(at).map(|column| column.kind);
            let cell = &mut image.cells[at];
            let merged = match (kind, cell.take(), value) {
                (_, None, value) => {
                    bytes += value.size();
                    value
                }
                (Some(ColumnKind::Count), Some(Datum::Int(held)), Datum::Int(more)) => {
                    Datum::Int(held + more)
                }
                (
                    Some(ColumnKind::Earliest | ColumnKind::Latest),
                    Some(held @ Datum::Time(_)),
                    Datum::Null,
                ) => held,
                (Some(ColumnKind::Earliest), Some(Datum::Time(held)), Datum::Time(other)) => {
                    Datum::Time(held.min(other))
                }
                (Some(ColumnKind::Latest), Some(Datum::Time(held)), Datum::Time(other)) => {
                    Datum::Time(held.max(other))
                }
                (_, Some(_), value) => value,
            };
            *cell = Some(merged);
        }
        self.bytes += bytes;
    }

    /// What the window holds of a column of a row; `None` if only the database knows.
    #[must_use]
    pub fn peek(&self, table: Table, key: &RowKey, column: Column) -> Option<&Datum> {
        let image = self.tables[table as usize].get(key)?;
        image.cells.get(usize::from(column.0))?.as_ref()
    }

    /// An instance leaves the definition that its stored row names: one less is active there.
    pub fn depart(&mut self, instance: Key) {
        self.departures.push(instance.0);
    }
}

#[cfg(test)]
mod tests {
    use ringflow_core::ids::PartitionId;

    use super::*;
    use crate::schema::job_metrics_batch::*;

    #[test]
    fn columns_merge_by_their_kind() {
        let mut window = Window::new(PartitionId(1), Position(0));
        let key = || RowKey::pair(Key(1), Key(2));
        for (at, time) in [(1, 20), (2, 10), (3, 30)] {
            window.merge(
                Table::JobMetricsBatch,
                key(),
                Position(at),
                vec![
                    (START_TIME, Datum::Time(time)),
                    (END_TIME, Datum::Time(time)),
                    (CREATED_COUNT, Datum::Int(1)),
                    (
                        LAST_FAILED_AT,
                        if at == 2 { Datum::Time(5) } else { Datum::Null },
                    ),
                    (WORKER, "w".into()),
                ],
            );
        }
        let held = |column| window.peek(Table::JobMetricsBatch, &key(), column).cloned();
        assert_eq!(held(START_TIME), Some(Datum::Time(10)));
        assert_eq!(held(END_TIME), Some(Datum::Time(30)));
        assert_eq!(held(CREATED_COUNT), Some(Datum::Int(3)));
        assert_eq!(held(LAST_FAILED_AT), Some(Datum::Time(5)));
        assert_eq!(window.rows(), 1);
    }

    #[test]
    fn texts_fit_their_columns() {
        let mut window = Window::new(PartitionId(1), Position(0));
        let long = "\u{e9}".repeat(500);
        window.upsert(
            Table::Job,
            RowKey::of(Key(1)),
            Position(1),
            vec![
                (crate::schema::job::ELEMENT_ID, long.as_str().into()),
                (crate::schema::job::TYPE, "a\0b".into()),
            ],
        );
        let sealed = window.seal();
        let cells = &sealed.operations[0].rows[0].cells;
        assert!(cells.contains(&Datum::from("\u{e9}".repeat(400).as_str())));
        assert!(cells.contains(&Datum::from("a\u{fffd}b")));
    }
}
