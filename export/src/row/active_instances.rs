//! PROCESS_INSTANCE of element type PROCESS -> `active_instances`: how many run, per definition.
//!
//! One row per definition and partition, so partitions never wait for each other. A migrated
//! instance moves from one row to another; where the window does not know the definition it leaves,
//! the sink takes it from the stored row.

use ringflow_core::ids::Key;
use ringflow_core::record::Record;
use ringflow_core::record::value::ProcessInstanceRecord;

use crate::batch::{RowKey, Window};
use crate::row::Datum;
use crate::schema::active_instances::*;
use crate::schema::{Table, process_instance};

/// One instance more or less.
pub fn count(window: &mut Window, record: &Record, definition: Key, delta: i64) {
    let partition = Key(i64::from(record.partition.0));
    window.merge(
        Table::ActiveInstances,
        RowKey::pair(definition, partition),
        record.position,
        vec![(ACTIVE_COUNT, Datum::Int(delta))],
    );
}

/// The instance now runs `value.process_definition_key`. Called before its row is changed.
pub fn moved(window: &mut Window, record: &Record, value: &ProcessInstanceRecord) {
    let key = RowKey::of(value.process_instance_key);
    let column = process_instance::PROCESS_DEFINITION_KEY;
    match window.peek(Table::ProcessInstance, &key, column) {
        Some(Datum::Int(definition)) => {
            let definition = Key(*definition);
            count(window, record, definition, -1);
        }
        Some(_) | None => window.depart(value.process_instance_key),
    }
    count(window, record, value.process_definition_key, 1);
}
