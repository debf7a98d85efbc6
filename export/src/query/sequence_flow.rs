//! Sequence flows that an instance has taken at least once.
//!
//! Asked for by instance; there is no search endpoint of its own. `sequenceFlowId` is the reference's
//! row identity: instance key and flow id joined by an underscore.

use super::field::{EntityFields, Field};

pub(crate) const FIELDS: EntityFields = EntityFields {
    from: "sequence_flow t",
    fields: &[
        Field::text(
            "sequenceFlowId",
            "CONCAT(t.process_instance_key, '_', t.flow_node_id)",
        )
        .present()
        .unsorted(),
        Field::key("processInstanceKey", "t.process_instance_key").present(),
        Field::key("rootProcessInstanceKey", "t.root_process_instance_key"),
        Field::key("processDefinitionKey", "t.process_definition_key").present(),
        Field::text("processDefinitionId", "t.process_definition_id").present(),
        Field::text("elementId", "t.flow_node_id").present(),
        Field::text("tenantId", "t.tenant_id").present(),
    ],
    lists: &[],
    key: &["processInstanceKey", "elementId"],
    variables: None,
};
