//! PROCESS_INSTANCE SEQUENCE_FLOW_TAKEN -> `sequence_flow`.
//!
//! One row per flow that an instance took at least once; taking it again writes the same row.
//! `flow_node_id` holds the id of the flow, as in the reference.

use ringflow_core::record::intent::of;
use ringflow_core::record::value::ProcessInstanceRecord;
use ringflow_core::record::{Intent, Record};

use crate::batch::{RowKey, Window};
use crate::row::{Datum, process_instance};
use crate::schema::Table;
use crate::schema::sequence_flow::*;

/// Writes a taken flow.
pub fn write(window: &mut Window, record: &Record, value: &ProcessInstanceRecord) {
    if record.intent != Intent::ProcessInstance(of::ProcessInstance::SequenceFlowTaken) {
        return;
    }
    window.upsert(
        Table::SequenceFlow,
        RowKey::with_text(value.process_instance_key, &value.element_id),
        record.position,
        vec![
            (
                ROOT_PROCESS_INSTANCE_KEY,
                process_instance::root(value).into(),
            ),
            (PROCESS_DEFINITION_KEY, value.process_definition_key.into()),
            (PROCESS_DEFINITION_ID, Datum::from(&value.bpmn_process_id)),
            (TENANT_ID, Datum::from(&value.tenant_id)),
            (PARTITION_ID, record.partition.0.into()),
        ],
    );
}
