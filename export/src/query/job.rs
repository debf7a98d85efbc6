//! Jobs.
//!
//! The state is the name of the last thing that happened to the job (CREATED, FAILED, COMPLETED ...),
//! as in the reference. The business id is that of the job's process instance.

use super::field::{EntityFields, Field};

pub(crate) const FIELDS: EntityFields = EntityFields {
    from: "job t LEFT JOIN process_instance i ON i.process_instance_key = t.process_instance_key",
    fields: &[
        Field::json("customHeaders", "t.custom_headers"),
        Field::time("deadline", "t.deadline"),
        Field::text("deniedReason", "t.denied_reason"),
        Field::text("elementId", "t.element_id"),
        Field::key("elementInstanceKey", "t.element_instance_key").present(),
        Field::time("endTime", "t.end_time"),
        Field::text("errorCode", "t.error_code"),
        Field::text("errorMessage", "t.error_message"),
        Field::flag("hasFailedWithRetriesLeft", "t.has_failed_with_retries_left").present(),
        Field::flag("isDenied", "t.is_denied"),
        Field::key("jobKey", "t.job_key").present(),
        Field::text("kind", "t.kind").present(),
        Field::text("listenerEventType", "t.listener_event_type"),
        Field::text("processDefinitionId", "t.process_definition_id").present(),
        Field::key("processDefinitionKey", "t.process_definition_key").present(),
        Field::key("processInstanceKey", "t.process_instance_key").present(),
        Field::key("rootProcessInstanceKey", "t.root_process_instance_key").unsorted(),
        Field::text("businessId", "i.business_id").unsorted(),
        Field::int("retries", "t.retries").present(),
        Field::text("state", "t.state").present(),
        Field::text("tenantId", "t.tenant_id").present(),
        Field::text("type", "t.type").present(),
        Field::text("worker", "COALESCE(t.worker, '')").present(),
        Field::time("creationTime", "t.creation_time"),
        Field::time("lastUpdateTime", "t.last_update_time").unsorted(),
        Field::int("priority", "t.priority").present(),
        Field::int("partitionId", "t.partition_id")
            .hidden()
            .unsorted(),
    ],
    lists: &[],
    key: &["jobKey"],
    variables: None,
};
