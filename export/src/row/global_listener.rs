//! GLOBAL_LISTENER -> `global_listener`, `global_listener_event_type`.
//!
//! Every partition has every listener; only the first one writes, so that rows are in the order of
//! one log. A listener that goes leaves no row. What the settings order comes as the same events as
//! what clients do, so GLOBAL_LISTENER_BATCH writes nothing.

use ringflow_core::ids::PartitionId;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::GlobalListenerRecord;
use ringflow_core::record::{Intent, Record};

use crate::batch::{RowKey, Window};
use crate::row::Datum;
use crate::schema::global_listener::*;
use crate::schema::{ListTable, Table};

/// Writes a GLOBAL_LISTENER event.
pub fn write(window: &mut Window, record: &Record, value: &GlobalListenerRecord) {
    let Intent::GlobalListener(intent) = record.intent else {
        return;
    };
    if record.partition != PartitionId::DEPLOYMENT {
        return;
    }
    let key = value.global_listener_key;
    let events = match intent {
        of::GlobalListener::Created | of::GlobalListener::Updated => {
            window.upsert(
                Table::GlobalListener,
                RowKey::of(key),
                record.position,
                vec![
                    (ID, Datum::from(&value.id)),
                    (TYPE, Datum::from(&value.job_type)),
                    (RETRIES, value.retries.into()),
                    (AFTER_NON_GLOBAL, value.after_non_global.into()),
                    (PRIORITY, value.priority.into()),
                    (SOURCE, value.source.name().into()),
                    (LISTENER_TYPE, value.listener_type.name().into()),
                ],
            );
            value.event_types.as_slice()
        }
        of::GlobalListener::Deleted => {
            window.delete(Table::GlobalListener, RowKey::of(key), record.position);
            &[]
        }
        of::GlobalListener::Create | of::GlobalListener::Update | of::GlobalListener::Delete => {
            return;
        }
    };
    window.replace_list(
        ListTable::GlobalListenerEventType,
        key,
        record.position,
        events,
    );
}
