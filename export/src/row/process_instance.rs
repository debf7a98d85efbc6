//! PROCESS_INSTANCE of element type PROCESS -> `process_instance`, `process_instance_tag`.
//!
//! A terminated instance is CANCELED in the row, as in the reference. Only root instances get a
//! clean-up date; what they called is removed with them.

use ringflow_core::ids::Key;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::{ProcessInstanceBusinessIdRecord, ProcessInstanceRecord};
use ringflow_core::record::{Intent, Record, Text};

use crate::batch::{RowKey, Window};
use crate::row::tree_path::Path;
use crate::row::usage_metric::Used;
use crate::row::{Context, Datum, active_instances, usage_metric};
use crate::schema::process_instance::*;
use crate::schema::{ListTable, Table};

/// Writes the business id that an instance has got while it runs.
pub fn write_business_id(
    window: &mut Window,
    record: &Record,
    value: &ProcessInstanceBusinessIdRecord,
) {
    window.update(
        Table::ProcessInstance,
        RowKey::of(value.process_instance_key),
        record.position,
        vec![(BUSINESS_ID, Datum::from(&value.business_id))],
    );
}

/// Writes an event of a process's element instance.
pub fn write(
    window: &mut Window,
    context: &mut Context<'_>,
    record: &Record,
    value: &ProcessInstanceRecord,
) {
    let key = RowKey::of(value.process_instance_key);
    let Intent::ProcessInstance(intent) = record.intent else {
        return;
    };
    match intent {
        of::ProcessInstance::ElementActivating => {
            window.upsert(
                Table::ProcessInstance,
                key,
                record.position,
                vec![
                    (ROOT_PROCESS_INSTANCE_KEY, root(value).into()),
                    (PROCESS_DEFINITION_ID, Datum::from(&value.bpmn_process_id)),
                    (PROCESS_DEFINITION_KEY, value.process_definition_key.into()),
                    (STATE, "ACTIVE".into()),
                    (START_DATE, record.timestamp.into()),
                    (TENANT_ID, Datum::from(&value.tenant_id)),
                    (
                        PARENT_PROCESS_INSTANCE_KEY,
                        value.parent_process_instance_key.into(),
                    ),
                    (
                        PARENT_ELEMENT_INSTANCE_KEY,
                        value.parent_element_instance_key.into(),
                    ),
                    (NUM_INCIDENTS, Datum::Int(0)),
                    (VERSION, value.version.into()),
                    (PARTITION_ID, record.partition.0.into()),
                    (TREE_PATH, tree_path(context, value)),
                    (BUSINESS_ID, Datum::present(&value.business_id)),
                ],
            );
            active_instances::count(window, record, value.process_definition_key, 1);
            if is_root(value) {
                usage_metric::count(window, record, Used::ProcessInstance, &value.tenant_id);
            }
            if !value.tags.is_empty() {
                window.replace_list(
                    ListTable::ProcessInstanceTag,
                    value.process_instance_key,
                    record.position,
                    &value.tags,
                );
            }
        }
        of::ProcessInstance::ElementCompleted | of::ProcessInstance::ElementTerminated => {
            let completed = intent == of::ProcessInstance::ElementCompleted;
            let state = if completed { "COMPLETED" } else { "CANCELED" };
            let mut columns = vec![
                (STATE, Datum::from(state)),
                (END_DATE, record.timestamp.into()),
            ];
            if let Some(retain) = context.retain.filter(|_| is_root(value)) {
                let ttl = retain.instance_ms(&value.bpmn_process_id);
                columns.push((
                    HISTORY_CLEANUP_DATE,
                    record.timestamp.plus_millis(ttl).into(),
                ));
            }
            window.update(Table::ProcessInstance, key, record.position, columns);
            active_instances::count(window, record, value.process_definition_key, -1);
        }
        of::ProcessInstance::ElementMigrated | of::ProcessInstance::AncestorMigrated => {
            if intent == of::ProcessInstance::ElementMigrated {
                active_instances::moved(window, record, value);
            }
            let mut columns = vec![
                (PROCESS_DEFINITION_ID, Datum::from(&value.bpmn_process_id)),
                (PROCESS_DEFINITION_KEY, value.process_definition_key.into()),
                (VERSION, value.version.into()),
            ];
            if !value.element_instance_path.is_empty() {
                columns.push((TREE_PATH, tree_path(context, value)));
            }
            window.update(Table::ProcessInstance, key, record.position, columns);
        }
        of::ProcessInstance::Cancel
        | of::ProcessInstance::Canceling
        | of::ProcessInstance::SequenceFlowTaken
        | of::ProcessInstance::SequenceFlowDeleted
        | of::ProcessInstance::ElementActivated
        | of::ProcessInstance::ElementCompleting
        | of::ProcessInstance::ElementTerminating
        | of::ProcessInstance::ActivateElement
        | of::ProcessInstance::CompleteElement
        | of::ProcessInstance::TerminateElement
        | of::ProcessInstance::CompleteExecutionListener
        | of::ProcessInstance::ContinueTerminatingElement => {}
    }
}

/// The root of the call hierarchy; the instance itself where the record does not say.
pub(crate) fn root(value: &ProcessInstanceRecord) -> Key {
    if value.root_process_instance_key.is_some() {
        value.root_process_instance_key
    } else {
        value.process_instance_key
    }
}

fn is_root(value: &ProcessInstanceRecord) -> bool {
    root(value) == value.process_instance_key && !value.parent_process_instance_key.is_some()
}

/// Instances and the call activities that called them.
fn tree_path(context: &mut Context<'_>, value: &ProcessInstanceRecord) -> Datum {
    let path = Path::of_instance(value).text(context.names, value.process_instance_key);
    Datum::Text(Text::from(path))
}
