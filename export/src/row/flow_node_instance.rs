//! PROCESS_INSTANCE of every element type but PROCESS and SEQUENCE_FLOW -> `flow_node_instance`.
//!
//! The name comes from the definition's text and is NULL where the model gives none. The tree path
//! is the keys from the process instance down to the element, within its own process.

use ringflow_core::record::intent::of;
use ringflow_core::record::value::{BpmnElementType, ProcessInstanceRecord};
use ringflow_core::record::{Intent, Record, Text};

use crate::batch::{RowKey, Window};
use crate::row::{Context, Datum, process_instance};
use crate::schema::Table;
use crate::schema::flow_node_instance::*;

/// True for records whose row carries an element name.
pub(crate) fn names_needed(record: &Record, value: &ProcessInstanceRecord) -> bool {
    !matches!(
        value.bpmn_element_type,
        BpmnElementType::Process | BpmnElementType::SequenceFlow
    ) && matches!(
        record.intent,
        Intent::ProcessInstance(
            of::ProcessInstance::ElementActivating
                | of::ProcessInstance::ElementMigrated
                | of::ProcessInstance::AncestorMigrated
        )
    )
}

/// Writes an event of an element instance.
pub fn write(
    window: &mut Window,
    context: &mut Context<'_>,
    record: &Record,
    value: &ProcessInstanceRecord,
) {
    let key = RowKey::of(record.key);
    let Intent::ProcessInstance(intent) = record.intent else {
        return;
    };
    let name = |context: &mut Context<'_>| {
        context
            .names
            .element(value.process_definition_key, &value.element_id)
            .map_or(Datum::Null, Datum::Text)
    };
    match intent {
        of::ProcessInstance::ElementActivating => window.upsert(
            Table::FlowNodeInstance,
            key,
            record.position,
            vec![
                (FLOW_NODE_ID, Datum::from(&value.element_id)),
                (FLOW_NODE_NAME, name(context)),
                (FLOW_NODE_SCOPE_KEY, value.flow_scope_key.into()),
                (PROCESS_INSTANCE_KEY, value.process_instance_key.into()),
                (
                    ROOT_PROCESS_INSTANCE_KEY,
                    process_instance::root(value).into(),
                ),
                (PROCESS_DEFINITION_ID, Datum::from(&value.bpmn_process_id)),
                (PROCESS_DEFINITION_KEY, value.process_definition_key.into()),
                (TYPE, value.bpmn_element_type.name().into()),
                (STATE, "ACTIVE".into()),
                (START_DATE, record.timestamp.into()),
                (TREE_PATH, tree_path(record, value)),
                (TENANT_ID, Datum::from(&value.tenant_id)),
                (NUM_SUBPROCESS_INCIDENTS, Datum::Int(0)),
                (PARTITION_ID, record.partition.0.into()),
            ],
        ),
        of::ProcessInstance::ElementCompleted | of::ProcessInstance::ElementTerminated => {
            let completed = intent == of::ProcessInstance::ElementCompleted;
            window.update(
                Table::FlowNodeInstance,
                key,
                record.position,
                vec![
                    (
                        STATE,
                        if completed { "COMPLETED" } else { "TERMINATED" }.into(),
                    ),
                    (END_DATE, record.timestamp.into()),
                ],
            );
        }
        of::ProcessInstance::ElementMigrated | of::ProcessInstance::AncestorMigrated => {
            let mut columns = vec![
                (FLOW_NODE_ID, Datum::from(&value.element_id)),
                (FLOW_NODE_NAME, name(context)),
                (PROCESS_DEFINITION_ID, Datum::from(&value.bpmn_process_id)),
                (PROCESS_DEFINITION_KEY, value.process_definition_key.into()),
            ];
            if !value.element_instance_path.is_empty() {
                columns.push((TREE_PATH, tree_path(record, value)));
            }
            window.update(Table::FlowNodeInstance, key, record.position, columns);
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

fn tree_path(record: &Record, value: &ProcessInstanceRecord) -> Datum {
    let path = match value.element_instance_path.last() {
        Some(level) => level
            .iter()
            .map(|key| key.0.to_string())
            .collect::<Vec<_>>()
            .join("/"),
        None => format!("{}/{}", value.process_instance_key.0, record.key.0),
    };
    Datum::Text(Text::from(path))
}
