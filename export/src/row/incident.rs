//! INCIDENT -> `incident`, and the counters of everything above the failing element.
//!
//! `num_incidents` counts on every process instance of the call hierarchy; the failing element gets
//! the incident's key, the elements that enclose it count in `num_subprocess_incidents`. Counters are
//! deltas: they hold only because rows and cursor share a transaction, and are never replayed.

use ringflow_core::ids::Key;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::IncidentRecord;
use ringflow_core::record::{Intent, Record, Text};

use crate::batch::{RowKey, Window};
use crate::row::tree_path::Path;
use crate::row::{Context, Datum};
use crate::schema::incident::*;
use crate::schema::{Table, flow_node_instance, process_instance};

/// Writes an INCIDENT event.
pub fn write(
    window: &mut Window,
    context: &mut Context<'_>,
    record: &Record,
    value: &IncidentRecord,
) {
    let key = RowKey::of(record.key);
    let Intent::Incident(intent) = record.intent else {
        return;
    };
    match intent {
        of::Incident::Created => {
            window.upsert(
                Table::Incident,
                key,
                record.position,
                vec![
                    (FLOW_NODE_INSTANCE_KEY, value.element_instance_key.into()),
                    (FLOW_NODE_ID, Datum::from(&value.element_id)),
                    (PROCESS_INSTANCE_KEY, value.process_instance_key.into()),
                    (
                        ROOT_PROCESS_INSTANCE_KEY,
                        if value.root_process_instance_key.is_some() {
                            value.root_process_instance_key.into()
                        } else {
                            value.process_instance_key.into()
                        },
                    ),
                    (PROCESS_DEFINITION_ID, Datum::from(&value.bpmn_process_id)),
                    (PROCESS_DEFINITION_KEY, value.process_definition_key.into()),
                    (ERROR_MESSAGE, Datum::from(&value.error_message)),
                    (ERROR_MESSAGE_HASH, java_hash(&value.error_message).into()),
                    (ERROR_TYPE, value.error_type.name().into()),
                    (STATE, "ACTIVE".into()),
                    (CREATION_DATE, record.timestamp.into()),
                    (TREE_PATH, tree_path(context, value)),
                    (TENANT_ID, Datum::from(&value.tenant_id)),
                    (JOB_KEY, value.job_key.into()),
                    (PARTITION_ID, record.partition.0.into()),
                ],
            );
            count(window, record, value, 1);
        }
        of::Incident::Resolved => {
            window.update(
                Table::Incident,
                key,
                record.position,
                vec![(STATE, "RESOLVED".into())],
            );
            count(window, record, value, -1);
        }
        // The incident lives on under another definition.
        of::Incident::Migrated => window.update(
            Table::Incident,
            key,
            record.position,
            vec![
                (FLOW_NODE_ID, Datum::from(&value.element_id)),
                (PROCESS_DEFINITION_ID, Datum::from(&value.bpmn_process_id)),
                (PROCESS_DEFINITION_KEY, value.process_definition_key.into()),
                (TREE_PATH, tree_path(context, value)),
            ],
        ),
        of::Incident::Resolve => {}
    }
}

fn count(window: &mut Window, record: &Record, value: &IncidentRecord, delta: i64) {
    let fallback = [vec![value.process_instance_key, value.element_instance_key]];
    let levels: &[Vec<Key>] = if value.element_instance_path.is_empty() {
        &fallback
    } else {
        &value.element_instance_path
    };
    for level in levels {
        let Some((instance, elements)) = level.split_first() else {
            continue;
        };
        window.add(
            Table::ProcessInstance,
            RowKey::of(*instance),
            record.position,
            process_instance::NUM_INCIDENTS,
            delta,
        );
        for element in elements {
            if *element == value.element_instance_key {
                continue;
            }
            window.add(
                Table::FlowNodeInstance,
                RowKey::of(*element),
                record.position,
                flow_node_instance::NUM_SUBPROCESS_INCIDENTS,
                delta,
            );
        }
    }
    // An incident of the process itself has no element to mark.
    if value.element_instance_key != value.process_instance_key {
        let incident = if delta > 0 {
            record.key.into()
        } else {
            Datum::Null
        };
        window.update(
            Table::FlowNodeInstance,
            RowKey::of(value.element_instance_key),
            record.position,
            vec![(flow_node_instance::INCIDENT_KEY, incident)],
        );
    }
}

/// The path of the instance, then the element: `PI_1/FN_task/FNI_2`.
fn tree_path(context: &mut Context<'_>, value: &IncidentRecord) -> Datum {
    let path = Path::of_incident(value).text(context.names, value.process_instance_key);
    let (id, key) = (&value.element_id, value.element_instance_key.0);
    Datum::Text(Text::from(format!("{path}/FN_{id}/FNI_{key}")))
}

/// The hash clients know an error message by: that of Java's `String`.
fn java_hash(text: &str) -> i32 {
    text.encode_utf16().fold(0_i32, |hash, unit| {
        hash.wrapping_mul(31).wrapping_add(i32::from(unit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_hash_as_in_java() {
        assert_eq!(java_hash("abc"), 96_354);
        assert_eq!(java_hash("hello world, what a long message"), {
            let mut hash = 0_i32;
            for unit in "hello world, what a long message".chars() {
                hash = hash.wrapping_mul(31).wrapping_add(unit as i32);
            }
            hash
        });
    }
}
