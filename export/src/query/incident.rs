//! Incidents.
//!
//! States are ACTIVE, MIGRATED and RESOLVED. The error message is compared as a phrase: contained,
//! whatever the case.

use super::field::{EntityFields, Field};

pub(crate) const FIELDS: EntityFields = EntityFields {
    from: "incident t",
    fields: &[
        Field::text("processDefinitionId", "t.process_definition_id").present(),
        Field::text("errorType", "t.error_type").present(),
        Field::text("errorMessage", "COALESCE(t.error_message, '')")
            .phrase()
            .present()
            .unsorted(),
        Field::text("elementId", "t.flow_node_id").present(),
        Field::time("creationTime", "t.creation_date"),
        Field::text("state", "t.state").present(),
        Field::text("tenantId", "t.tenant_id").present(),
        Field::key("incidentKey", "t.incident_key").present(),
        Field::key("processDefinitionKey", "t.process_definition_key").present(),
        Field::key("processInstanceKey", "t.process_instance_key").present(),
        Field::key("rootProcessInstanceKey", "t.root_process_instance_key").unsorted(),
        Field::key("elementInstanceKey", "t.flow_node_instance_key").present(),
        Field::key("jobKey", "t.job_key"),
        Field::text("treePath", "t.tree_path").unsorted(),
    ],
    lists: &[],
    key: &["incidentKey"],
    variables: None,
};
