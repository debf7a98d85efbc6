//! USER_TASK -> `user_task`, `candidate_user`, `candidate_group`, `user_task_tag`.
//!
//! A task appears when it is being created, without assignee: the assignment is a transition of its
//! own. Transitions in progress only show in the state; what they decide is written when they are
//! done. A refused transition leaves the task CREATED.

use jiff::Timestamp as Instant;
use ringflow_core::ids::Timestamp;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::UserTaskRecord;
use ringflow_core::record::{Intent, Record};

use crate::batch::{RowKey, Window};
use crate::row::{Context, Datum, headers_json, usage_metric};
use crate::schema::user_task::*;
use crate::schema::{Column, ListTable, Table};

/// Writes a USER_TASK event.
pub fn write(
    window: &mut Window,
    context: &mut Context<'_>,
    record: &Record,
    value: &UserTaskRecord,
) {
    let Intent::UserTask(intent) = record.intent else {
        return;
    };
    let task = if value.user_task_key.is_some() {
        value.user_task_key
    } else {
        record.key
    };
    let key = RowKey::of(task);
    let state = |window: &mut Window, state: &str| {
        window.update(
            Table::UserTask,
            RowKey::of(task),
            record.position,
            vec![(STATE, state.into())],
        );
    };
    let name = |context: &mut Context<'_>| {
        context
            .names
            .element(value.process_definition_key, &value.element_id)
            // Without a name the element is known by its id, as in the reference.
            .map_or_else(|| Datum::from(&value.element_id), Datum::Text)
    };
    match intent {
        of::UserTask::Creating => {
            let created = if value.creation_timestamp.0 >= 0 {
                value.creation_timestamp
            } else {
                record.timestamp
            };
            let mut columns = mutable(value);
            columns.retain(|(column, _)| *column != ASSIGNEE);
            columns.extend([
                (ELEMENT_ID, Datum::from(&value.element_id)),
                (NAME, name(context)),
                (PROCESS_DEFINITION_ID, Datum::from(&value.bpmn_process_id)),
                (CREATION_DATE, created.into()),
                (STATE, "CREATING".into()),
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
                (ELEMENT_INSTANCE_KEY, value.element_instance_key.into()),
                (TENANT_ID, Datum::from(&value.tenant_id)),
                (
                    PROCESS_DEFINITION_VERSION,
                    value.process_definition_version.into(),
                ),
                (CUSTOM_HEADERS, headers_json(&value.custom_headers)),
                (PARTITION_ID, record.partition.0.into()),
            ]);
            window.upsert(Table::UserTask, key, record.position, columns);
            lists(window, record, value);
        }
        of::UserTask::Assigning | of::UserTask::Claiming => state(window, "ASSIGNING"),
        of::UserTask::Updating => state(window, "UPDATING"),
        of::UserTask::Completing => state(window, "COMPLETING"),
        of::UserTask::Canceling => state(window, "CANCELING"),
        of::UserTask::CompletionDenied
        | of::UserTask::AssignmentDenied
        | of::UserTask::UpdateDenied => state(window, "CREATED"),
        of::UserTask::Created | of::UserTask::Assigned | of::UserTask::Updated => {
            if intent == of::UserTask::Assigned {
                usage_metric::assigned(window, record, &value.tenant_id, &value.assignee);
            }
            let mut columns = mutable(value);
            columns.push((STATE, "CREATED".into()));
            window.update(Table::UserTask, key, record.position, columns);
            lists(window, record, value);
        }
        of::UserTask::Completed | of::UserTask::Canceled => {
            let mut columns = mutable(value);
            let completed = intent == of::UserTask::Completed;
            columns.push((
                STATE,
                if completed { "COMPLETED" } else { "CANCELED" }.into(),
            ));
            columns.push((COMPLETION_DATE, record.timestamp.into()));
            window.update(Table::UserTask, key, record.position, columns);
            lists(window, record, value);
        }
        of::UserTask::Migrated => window.update(
            Table::UserTask,
            key,
            record.position,
            vec![
                (ELEMENT_ID, Datum::from(&value.element_id)),
                (NAME, name(context)),
                (PROCESS_DEFINITION_ID, Datum::from(&value.bpmn_process_id)),
                (PROCESS_DEFINITION_KEY, value.process_definition_key.into()),
                (
                    PROCESS_DEFINITION_VERSION,
                    value.process_definition_version.into(),
                ),
            ],
        ),
        of::UserTask::Complete
        | of::UserTask::Assign
        | of::UserTask::Claim
        | of::UserTask::Update
        | of::UserTask::CompleteTaskListener
        | of::UserTask::DenyTaskListener
        | of::UserTask::Corrected
        | of::UserTask::Create
        | of::UserTask::Cancel => {}
    }
}

fn mutable(value: &UserTaskRecord) -> Vec<(Column, Datum)> {
    vec![
        (ASSIGNEE, Datum::present(&value.assignee)),
        (FORM_KEY, value.form_key.into()),
        (DUE_DATE, date(&value.due_date)),
        (FOLLOW_UP_DATE, date(&value.follow_up_date)),
        (
            EXTERNAL_FORM_REFERENCE,
            Datum::present(&value.external_form_reference),
        ),
        (PRIORITY, value.priority.into()),
    ]
}

fn lists(window: &mut Window, record: &Record, value: &UserTaskRecord) {
    let task = if value.user_task_key.is_some() {
        value.user_task_key
    } else {
        record.key
    };
    for (table, values) in [
        (ListTable::CandidateUser, &value.candidate_users),
        (ListTable::CandidateGroup, &value.candidate_groups),
        (ListTable::UserTaskTag, &value.tags),
    ] {
        window.replace_list(table, task, record.position, values);
    }
}

/// An ISO-8601 date-time, with offset or zone, or without (then UTC); NULL if it is none.
fn date(text: &str) -> Datum {
    if text.is_empty() {
        return Datum::Null;
    }
    let plain = text.split('[').next().unwrap_or_default();
    let parsed = plain.parse::<Instant>().or_else(|_| {
        plain
            .parse::<jiff::civil::DateTime>()
            .and_then(|date| date.to_zoned(jiff::tz::TimeZone::UTC))
            .map(|date| date.timestamp())
    });
    match parsed {
        Ok(time) => Timestamp(time.as_millisecond()).into(),
        Err(_) => Datum::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_with_offset_zone_or_neither() {
        assert_eq!(date("1970-01-01T00:00:01Z"), Datum::Time(1000));
        assert_eq!(date("1970-01-01T01:00:01+01:00"), Datum::Time(1000));
        assert_eq!(
            date("1970-01-01T01:00:01+01:00[Europe/Berlin]"),
            Datum::Time(1000)
        );
        assert_eq!(date("1970-01-01T00:00:01"), Datum::Time(1000));
        assert_eq!(date("soon"), Datum::Null);
        assert_eq!(date(""), Datum::Null);
    }
}
