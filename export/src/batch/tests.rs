//! What a window makes of changes: one statement per row, rows grouped by what changes.
//!
//! Windows are folded and sealed in memory; what databases make of them is tested in `tests/it`.
//! Texts that do not fit their column are cut here, not there.

use super::*;
use crate::schema::{job, process_instance};

fn window() -> Window {
    Window::new(PartitionId(1), Position(0))
}

#[test]
fn a_row_born_and_finished_in_the_window_is_one_statement() {
    let mut window = window();
    let key = || RowKey::of(Key(9));
    window.upsert(
        Table::Job,
        key(),
        Position(1),
        vec![(job::STATE, "CREATED".into())],
    );
    window.update(
        Table::Job,
        key(),
        Position(2),
        vec![(job::STATE, "COMPLETED".into())],
    );
    let sealed = window.seal();
    assert_eq!(sealed.operations.len(), 1);
    let operation = &sealed.operations[0];
    assert_eq!((operation.form, operation.rows.len()), (Form::Upsert, 1));
    assert!(operation.rows[0].cells.contains(&Datum::from("COMPLETED")));
    assert_eq!(operation.rows[0].position, Position(2));
}

#[test]
fn deltas_add_up_and_join_the_row_if_it_is_new() {
    let mut window = window();
    let count = process_instance::NUM_INCIDENTS;
    let add = |window: &mut Window, key: i64, delta: i64| {
        window.add(
            Table::ProcessInstance,
            RowKey::of(Key(key)),
            Position(1),
            count,
            delta,
        );
    };
    add(&mut window, 1, 1);
    add(&mut window, 1, 1);
    add(&mut window, 2, 1);
    add(&mut window, 2, -1);
    window.upsert(
        Table::ProcessInstance,
        RowKey::of(Key(3)),
        Position(1),
        vec![(count, Datum::Int(0))],
    );
    add(&mut window, 3, 5);
    let sealed = window.seal();
    let forms: Vec<Form> = sealed.operations.iter().map(|op| op.form).collect();
    let add = 1 << count.0;
    assert_eq!(forms, [Form::Upsert, Form::Update { set: 0, add }]);
    assert!(sealed.operations[0].rows[0].cells.contains(&Datum::Int(5)));
    assert_eq!(sealed.operations[1].rows.len(), 1);
    assert_eq!(
        sealed.operations[1].rows[0].cells,
        [Datum::Int(1), Datum::Int(2)]
    );
}

#[test]
fn updates_are_grouped_by_their_columns_with_keys_ascending() {
    let mut window = window();
    for key in [5, 1, 3] {
        window.update(
            Table::Job,
            RowKey::of(Key(key)),
            Position(1),
            vec![(job::STATE, "FAILED".into())],
        );
    }
    window.update(
        Table::Job,
        RowKey::of(Key(2)),
        Position(1),
        vec![(job::RETRIES, 1.into())],
    );
    let sealed = window.seal();
    let keys: Vec<Vec<i64>> = sealed
        .operations
        .iter()
        .map(|op| op.rows.iter().map(|row| row.key.0).collect())
        .collect();
    assert!(
        keys.contains(&vec![1, 3, 5]) && keys.contains(&vec![2]),
        "{keys:?}"
    );
}

#[test]
fn texts_fit_their_columns() {
    let mut window = window();
    let long = "\u{e9}".repeat(500);
    window.upsert(
        Table::Job,
        RowKey::of(Key(1)),
        Position(1),
        vec![
            (job::ELEMENT_ID, long.as_str().into()),
            (job::TYPE, "a\0b".into()),
        ],
    );
    let sealed = window.seal();
    let cells = &sealed.operations[0].rows[0].cells;
    assert!(cells.contains(&Datum::from("\u{e9}".repeat(400).as_str())));
    assert!(cells.contains(&Datum::from("a\u{fffd}b")));
}

#[test]
fn a_row_that_goes_is_deleted_whatever_was_done_to_it_before() {
    let mut window = window();
    let key = || RowKey::of(Key(9));
    let columns = || vec![(job::STATE, "CREATED".into())];
    window.upsert(Table::Job, key(), Position(1), columns());
    window.delete(Table::Job, key(), Position(2));
    window.delete(Table::Job, RowKey::of(Key(8)), Position(3));
    let sealed = window.seal();
    assert_eq!(sealed.operations.len(), 1);
    let operation = &sealed.operations[0];
    assert_eq!((operation.form, operation.rows.len()), (Form::Delete, 2));
    assert_eq!(operation.rows[0].cells, [Datum::Int(8)]);
    // What comes again is there again.
    let mut window = Window::new(PartitionId(1), Position(0));
    window.delete(Table::Job, key(), Position(1));
    window.upsert(Table::Job, key(), Position(2), columns());
    assert_eq!(window.seal().operations[0].form, Form::Upsert);
}
