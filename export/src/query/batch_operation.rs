//! Batch operations.
//!
//! Their items are counted here, not where they are written: many partitions write items, and a
//! counter they all changed would be a row they all wait for. Keys are texts in filters, as clients
//! write them.

use super::field::{EntityFields, Field};

pub(crate) const FIELDS: EntityFields = EntityFields {
    from: "batch_operation t",
    fields: &[
        Field::text("batchOperationKey", "CONCAT(t.batch_operation_key, '')").present(),
        Field::text("state", "t.state").present(),
        Field::text("batchOperationType", "t.operation_type")
            .present()
            .unfiltered()
            .unsorted(),
        Field::text("operationType", "t.operation_type")
            .present()
            .hidden(),
        Field::time("startDate", "t.start_date"),
        Field::time("endDate", "t.end_date"),
        Field::text("actorType", "t.actor_type"),
        Field::text("actorId", "t.actor_id"),
        Field::int(
            "operationsTotalCount",
            "(SELECT COUNT(*) FROM batch_operation_item i \
             WHERE i.batch_operation_key = t.batch_operation_key)",
        )
        .unfiltered()
        .unsorted(),
        Field::int(
            "operationsFailedCount",
            "(SELECT COUNT(*) FROM batch_operation_item i \
             WHERE i.batch_operation_key = t.batch_operation_key AND i.state = 'FAILED')",
        )
        .unfiltered()
        .unsorted(),
        Field::int(
            "operationsCompletedCount",
            "(SELECT COUNT(*) FROM batch_operation_item i \
             WHERE i.batch_operation_key = t.batch_operation_key AND i.state = 'COMPLETED')",
        )
        .unfiltered()
        .unsorted(),
        Field::json("errors", "t.errors"),
        Field::key("key", "t.batch_operation_key")
            .present()
            .hidden(),
    ],
    lists: &[],
    key: &["key"],
    variables: None,
};
