//! BATCH_OPERATION_*, HISTORY_DELETION and the outcome of items -> `batch_operation`,
//! `batch_operation_item`, `batch_operation_error`, `history_deletion`.
//!
//! The leading partition alone writes the operation's row, each partition its own items: no row has
//! two writers. How many items there are, done and failed, is counted when somebody asks. An item
//! that a cancellation left behind stays ACTIVE in its row and is shown as CANCELED.

use ringflow_core::ids::Key;
use ringflow_core::json::write_string;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::{
    BatchOperationChunkRecord, BatchOperationCreationRecord, BatchOperationError,
    BatchOperationLifecycleManagementRecord, BpmnElementType, HistoryDeletionRecord,
};
use ringflow_core::record::{Intent, Record, RecordType, Text, Value};

use crate::batch::{RowKey, Window};
use crate::row::{Context, Datum};
use crate::schema::{
    Table, batch_operation, batch_operation_error, batch_operation_item, history_deletion,
};

/// Writes a BATCH_OPERATION_CREATION event.
pub fn write(
    window: &mut Window,
    context: &Context<'_>,
    record: &Record,
    value: &BatchOperationCreationRecord,
) {
    if record.partition != record.key.partition() {
        return;
    }
    let mut columns = vec![
        (batch_operation::STATE, "CREATED".into()),
        (
            batch_operation::OPERATION_TYPE,
            value.batch_operation_type.name().into(),
        ),
        (batch_operation::START_DATE, record.timestamp.into()),
        (batch_operation::PARTITION_ID, record.partition.0.into()),
    ];
    if let Some((kind, name)) = context.trail.behind(record) {
        columns.push((batch_operation::ACTOR_TYPE, kind.into()));
        columns.push((batch_operation::ACTOR_ID, Datum::from(name)));
    }
    window.upsert(
        Table::BatchOperation,
        RowKey::of(record.key),
        record.position,
        columns,
    );
}

/// Writes a BATCH_OPERATION_CHUNK event.
pub fn write_chunk(window: &mut Window, record: &Record, value: &BatchOperationChunkRecord) {
    for item in &value.items {
        window.upsert(
            Table::BatchOperationItem,
            RowKey::pair(value.batch_operation_key, item.item_key),
            record.position,
            vec![
                (
                    batch_operation_item::PROCESS_INSTANCE_KEY,
                    item.process_instance_key.into(),
                ),
                (
                    batch_operation_item::ROOT_PROCESS_INSTANCE_KEY,
                    item.root_process_instance_key.into(),
                ),
                (batch_operation_item::STATE, "ACTIVE".into()),
                (
                    batch_operation_item::PARTITION_ID,
                    record.partition.0.into(),
                ),
            ],
        );
    }
}

/// Writes that the leading partition has found its items.
pub fn write_initialization(window: &mut Window, record: &Record) {
    let initialized = of::BatchOperationInitialization::Initialized;
    if record.intent == Intent::from(initialized) {
        set_state(window, record, record.key, vec![], "ACTIVE");
    }
}

/// Writes a BATCH_OPERATION_LIFECYCLE_MANAGEMENT event.
pub fn write_management(
    window: &mut Window,
    context: &Context<'_>,
    record: &Record,
    value: &BatchOperationLifecycleManagementRecord,
) {
    use of::BatchOperationLifecycleManagement as Of;
    let key = value.batch_operation_key;
    let Intent::BatchOperationLifecycleManagement(intent) = record.intent else {
        return;
    };
    let state = match intent {
        Of::Suspended => return set_state(window, record, key, vec![], "SUSPENDED"),
        Of::Resumed => return set_state(window, record, key, vec![], "ACTIVE"),
        Of::Canceled => "CANCELED",
        Of::Failed => "FAILED",
        Of::Completed if value.errors.is_empty() => "COMPLETED",
        Of::Completed => "PARTIALLY_COMPLETED",
        Of::Cancel | Of::Suspend | Of::Resume => return,
    };
    let mut columns = vec![(batch_operation::END_DATE, record.timestamp.into())];
    if let Some(retain) = context.retain {
        let kind = context.names.batch_kind(key).unwrap_or_default();
        let date = record.timestamp.plus_millis(retain.batch_ms(&kind));
        columns.push((batch_operation::HISTORY_CLEANUP_DATE, date.into()));
    }
    if record.partition == key.partition() && !value.errors.is_empty() {
        columns.push((batch_operation::ERRORS, errors_json(&value.errors)));
        for error in &value.errors {
            write_error(window, record, key, error);
        }
    }
    set_state(window, record, key, columns, state);
}

fn set_state(
    window: &mut Window,
    record: &Record,
    key: Key,
    mut columns: Vec<(crate::schema::Column, Datum)>,
    state: &str,
) {
    if record.partition != key.partition() {
        return;
    }
    columns.push((batch_operation::STATE, state.into()));
    window.update(
        Table::BatchOperation,
        RowKey::of(key),
        record.position,
        columns,
    );
}

fn write_error(window: &mut Window, record: &Record, key: Key, error: &BatchOperationError) {
    window.upsert(
        Table::BatchOperationError,
        RowKey::pair(key, Key(i64::from(error.partition_id.0))),
        record.position,
        vec![
            (batch_operation_error::TYPE, error.error_type.name().into()),
            (batch_operation_error::MESSAGE, Datum::from(&error.message)),
        ],
    );
}

fn errors_json(errors: &[std::sync::Arc<BatchOperationError>]) -> Datum {
    let mut out = String::from("[");
    for (at, error) in errors.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        out.push_str(&format!(
            r#"{{"partitionId":{},"type":"{}","message":"#,
            error.partition_id.0,
            error.error_type.name()
        ));
        write_string(&error.message, &mut out);
        out.push('}');
    }
    out.push(']');
    Datum::Text(Text::from(out))
}

/// Writes a HISTORY_DELETION event: what is to be deleted, for the clean-up to find.
pub fn write_deletion(window: &mut Window, record: &Record, value: &HistoryDeletionRecord) {
    window.upsert(
        Table::HistoryDeletion,
        RowKey::pair(value.resource_key, record.batch_operation_reference),
        record.position,
        vec![
            (
                history_deletion::RESOURCE_TYPE,
                value.resource_type.name().into(),
            ),
            (history_deletion::PARTITION_ID, record.partition.0.into()),
        ],
    );
}

/// Writes what became of an item, if `record` says it. Records that an operation caused on the way
/// name no item of it and change no row.
pub fn write_outcome(window: &mut Window, record: &Record) {
    let (item, state, message) = match (record.record_type, done(record)) {
        (RecordType::Event, Some(item)) => (item, "COMPLETED", Datum::Null),
        (RecordType::CommandRejection, _) if is_item_command(record.intent) => {
            let message = record.rejection.as_ref().map_or(Datum::Null, |rejection| {
                let text = format!("{}: {}", rejection.kind.name(), rejection.reason);
                Datum::Text(Text::from(text))
            });
            (record.key, "FAILED", message)
        }
        (RecordType::Event | RecordType::Command | RecordType::CommandRejection, _) => return,
    };
    window.update(
        Table::BatchOperationItem,
        RowKey::pair(record.batch_operation_reference, item),
        record.position,
        vec![
            (
                batch_operation_item::PROCESSED_DATE,
                record.timestamp.into(),
            ),
            (batch_operation_item::ERROR_MESSAGE, message),
            (batch_operation_item::STATE, state.into()),
        ],
    );
}

/// The item that an event says is done.
fn done(record: &Record) -> Option<Key> {
    let says = |intent: Intent| record.intent == intent;
    if says(of::ProcessInstance::ElementTerminated.into())
        && let Value::ProcessInstance(value) = &record.value
        && value.bpmn_element_type == BpmnElementType::Process
        && !value.parent_process_instance_key.is_some()
    {
        return Some(value.process_instance_key);
    }
    // These events have the key of what they are about.
    let about = says(of::Incident::Resolved.into())
        || says(of::HistoryDeletion::Deleted.into())
        || says(of::Job::Updated.into())
        || says(of::ProcessInstanceMigration::Migrated.into())
        || says(of::ProcessInstanceModification::Modified.into());
    about.then_some(record.key)
}

/// The commands that do items.
fn is_item_command(intent: Intent) -> bool {
    let commands: [Intent; 6] = [
        of::ProcessInstance::Cancel.into(),
        of::Incident::Resolve.into(),
        of::HistoryDeletion::Delete.into(),
        of::Job::Update.into(),
        of::ProcessInstanceMigration::Migrate.into(),
        of::ProcessInstanceModification::Modify.into(),
    ];
    commands.contains(&intent)
}
