//! JOB -> `job`.
//!
//! The state column is the name of the last event. Activation is not an event of the job in the log
//! (it is one of the batch), so worker and deadline appear with the next event, as in the reference.
//! Events that only move a job between back-off and queue change nothing here.

use ringflow_core::ids::Timestamp;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::{JobRecord, ListenerEventType};
use ringflow_core::record::{Intent, Record};

use crate::batch::{RowKey, Window};
use crate::row::{Datum, headers_json, job_metrics_batch};
use crate::schema::Table;
use crate::schema::job::*;

/// Writes a JOB event.
pub fn write(window: &mut Window, record: &Record, value: &JobRecord) {
    let Intent::Job(intent) = record.intent else {
        return;
    };
    job_metrics_batch::count(window, record, intent, value);
    let key = RowKey::of(record.key);
    match intent {
        of::Job::Created => window.upsert(
            Table::Job,
            key,
            record.position,
            vec![
                (PROCESS_DEFINITION_ID, Datum::from(&value.bpmn_process_id)),
                (PROCESS_DEFINITION_KEY, value.process_definition_key.into()),
                (PROCESS_INSTANCE_KEY, value.process_instance_key.into()),
                (
                    ROOT_PROCESS_INSTANCE_KEY,
                    if value.root_process_instance_key.is_some() {
                        value.root_process_instance_key.into()
                    } else {
                        value.process_instance_key.into()
                    },
                ),
                (ELEMENT_ID, Datum::from(&value.element_id)),
                (ELEMENT_INSTANCE_KEY, value.element_instance_key.into()),
                (TENANT_ID, Datum::from(&value.tenant_id)),
                (TYPE, Datum::from(&value.job_type)),
                (WORKER, Datum::present(&value.worker)),
                (STATE, "CREATED".into()),
                (KIND, value.kind.name().into()),
                (LISTENER_EVENT_TYPE, listener(value.listener_event_type)),
                (DEADLINE, value.deadline.into()),
                (CUSTOM_HEADERS, headers_json(&value.custom_headers)),
                (RETRIES, value.retries.into()),
                (HAS_FAILED_WITH_RETRIES_LEFT, false.into()),
                (PARTITION_ID, record.partition.0.into()),
                (CREATION_TIME, record.timestamp.into()),
                (LAST_UPDATE_TIME, record.timestamp.into()),
                (PRIORITY, value.priority.into()),
            ],
        ),
        of::Job::Completed
        | of::Job::TimedOut
        | of::Job::Failed
        | of::Job::RetriesUpdated
        | of::Job::Canceled
        | of::Job::ErrorThrown
        | of::Job::TimeoutUpdated
        | of::Job::Migrated
        | of::Job::PriorityUpdated
        | of::Job::Updated => window.update(
            Table::Job,
            key,
            record.position,
            changes(intent, record.timestamp, value),
        ),
        of::Job::Complete
        | of::Job::TimeOut
        | of::Job::Fail
        | of::Job::UpdateRetries
        | of::Job::ThrowError
        | of::Job::RecurAfterBackoff
        | of::Job::RecurredAfterBackoff
        | of::Job::Yield
        | of::Job::Yielded
        | of::Job::UpdateTimeout
        | of::Job::Update => {}
    }
}

fn listener(event: ListenerEventType) -> Datum {
    event.name().into()
}

fn changes(
    intent: of::Job,
    now: Timestamp,
    value: &JobRecord,
) -> Vec<(crate::schema::Column, Datum)> {
    let mut columns = vec![
        (LAST_UPDATE_TIME, now.into()),
        (RETRIES, value.retries.into()),
    ];
    // UPDATED sums up what other events of the same step say one by one.
    if intent != of::Job::Updated {
        columns.push((STATE, Intent::Job(intent).name().into()));
    }
    if !value.worker.is_empty() {
        columns.push((WORKER, Datum::from(&value.worker)));
    }
    if value.deadline.0 >= 0 {
        columns.push((DEADLINE, value.deadline.into()));
    }
    if !value.error_message.is_empty() {
        columns.push((ERROR_MESSAGE, Datum::from(&value.error_message)));
    }
    if !value.error_code.is_empty() {
        columns.push((ERROR_CODE, Datum::from(&value.error_code)));
    }
    match intent {
        of::Job::Completed => {
            columns.push((END_TIME, now.into()));
            if let Some(result) = value.result.first() {
                columns.push((IS_DENIED, result.denied.into()));
                columns.push((DENIED_REASON, Datum::present(&result.denied_reason)));
            }
        }
        of::Job::Canceled => columns.push((END_TIME, now.into())),
        of::Job::PriorityUpdated => columns.push((PRIORITY, value.priority.into())),
        of::Job::Failed | of::Job::ErrorThrown => {
            columns.push((HAS_FAILED_WITH_RETRIES_LEFT, (value.retries > 0).into()));
        }
        of::Job::Migrated => {
            columns.push((PROCESS_DEFINITION_ID, Datum::from(&value.bpmn_process_id)));
            columns.push((PROCESS_DEFINITION_KEY, value.process_definition_key.into()));
            columns.push((ELEMENT_ID, Datum::from(&value.element_id)));
        }
        of::Job::Created
        | of::Job::Complete
        | of::Job::TimeOut
        | of::Job::TimedOut
        | of::Job::Fail
        | of::Job::UpdateRetries
        | of::Job::RetriesUpdated
        | of::Job::ThrowError
        | of::Job::RecurAfterBackoff
        | of::Job::RecurredAfterBackoff
        | of::Job::Yield
        | of::Job::Yielded
        | of::Job::UpdateTimeout
        | of::Job::TimeoutUpdated
        | of::Job::Update
        | of::Job::Updated => {}
    }
    columns
}
