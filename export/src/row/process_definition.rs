//! PROCESS -> `process_definition`.
//!
//! Every partition records a definition before its first use there, and every partition writes the
//! row: whichever is first, the columns are the same, and an instance never becomes visible before
//! its definition. Deletion only ever sets a flag, so a slower partition cannot undo it.

use ringflow_core::record::intent::of;
use ringflow_core::record::value::ProcessRecord;
use ringflow_core::record::{Intent, Record, Text};

use crate::batch::{RowKey, Window};
use crate::names::Definition;
use crate::row::{Context, Datum};
use crate::schema::Table;
use crate::schema::process_definition::*;

/// Writes a PROCESS event.
pub fn write(
    window: &mut Window,
    context: &mut Context<'_>,
    record: &Record,
    value: &ProcessRecord,
) {
    let key = value.process_definition_key;
    let Intent::Process(intent) = record.intent else {
        return;
    };
    match intent {
        of::Process::Created => {
            let xml = String::from_utf8_lossy(value.resource.as_bytes());
            let definition = Definition::read(&xml, &value.bpmn_process_id);
            window.upsert(
                Table::ProcessDefinition,
                RowKey::of(key),
                record.position,
                vec![
                    (PROCESS_DEFINITION_ID, Datum::from(&value.bpmn_process_id)),
                    (NAME, Datum::present(&definition.name)),
                    (RESOURCE_NAME, Datum::from(&value.resource_name)),
                    (BPMN_XML, Datum::Text(Text::from(xml.as_ref()))),
                    (TENANT_ID, Datum::from(&value.tenant_id)),
                    (VERSION, Datum::from(value.version)),
                    (VERSION_TAG, Datum::present(&value.version_tag)),
                    (FORM_ID, Datum::present(&definition.form_id)),
                    (IS_DELETED, Datum::Bool(false)),
                ],
            );
            context.names.insert(key, definition);
        }
        of::Process::Deleted => window.update(
            Table::ProcessDefinition,
            RowKey::of(key),
            record.position,
            vec![(IS_DELETED, Datum::Bool(true))],
        ),
        // DELETING says that deletion has begun.
        of::Process::Deleting => {}
    }
}
