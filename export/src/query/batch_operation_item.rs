//! Items of batch operations: the entities an operation is about, and what became of each.
//!
//! An item that a cancellation left behind is shown as CANCELED; its row was not touched.

use super::field::{EntityFields, Field};

pub(crate) const FIELDS: EntityFields = EntityFields {
    from: "batch_operation_item t JOIN batch_operation o \
           ON o.batch_operation_key = t.batch_operation_key",
    fields: &[
        Field::text("operationType", "o.operation_type")
            .present()
            .unsorted(),
        Field::text("batchOperationKey", "CONCAT(t.batch_operation_key, '')").present(),
        Field::text("itemKey", "CONCAT(t.item_key, '')").present(),
        Field::key("processInstanceKey", "t.process_instance_key"),
        Field::key("rootProcessInstanceKey", "t.root_process_instance_key").unsorted(),
        Field::text(
            "state",
            "CASE WHEN t.state = 'ACTIVE' AND o.state = 'CANCELED' THEN 'CANCELED' \
             ELSE t.state END",
        )
        .present(),
        Field::time("processedDate", "t.processed_date"),
        Field::text("errorMessage", "t.error_message")
            .unfiltered()
            .unsorted(),
        Field::key("operation", "t.batch_operation_key")
            .present()
            .hidden(),
        Field::key("item", "t.item_key").present().hidden(),
    ],
    lists: &[],
    key: &["operation", "item"],
    variables: None,
};
