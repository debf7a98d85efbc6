//! Element instances: one row per activation of an element.
//!
//! An element without a name shows its id. `hasIncident` counts incidents of the element itself and
//! of what it encloses; `incidentKey` is its own only.

use super::field::{EntityFields, Field};

pub(crate) const FIELDS: EntityFields = EntityFields {
    from: "flow_node_instance t",
    fields: &[
        Field::text("processDefinitionId", "t.process_definition_id").present(),
        Field::time("startDate", "t.start_date"),
        Field::time("endDate", "t.end_date"),
        Field::text("elementId", "t.flow_node_id").present(),
        Field::text("elementName", "COALESCE(t.flow_node_name, t.flow_node_id)").present(),
        Field::text("type", "t.type").present(),
        Field::text("state", "t.state").present(),
        Field::flag(
            "hasIncident",
            "(t.incident_key IS NOT NULL OR t.num_subprocess_incidents > 0)",
        )
        .present()
        .unsorted(),
        Field::text("tenantId", "t.tenant_id").present(),
        Field::key("elementInstanceKey", "t.flow_node_instance_key").present(),
        Field::key("processInstanceKey", "t.process_instance_key").present(),
        Field::key("rootProcessInstanceKey", "t.root_process_instance_key").unsorted(),
        Field::key("processDefinitionKey", "t.process_definition_key").present(),
        Field::key("incidentKey", "t.incident_key"),
        Field::key("elementInstanceScopeKey", "t.flow_node_scope_key").unsorted(),
    ],
    lists: &[],
    key: &["elementInstanceKey"],
    variables: None,
};
