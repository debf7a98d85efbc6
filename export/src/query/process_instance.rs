//! Process instances, with the name and version tag of their definition.
//!
//! Rows say CANCELED where REST says TERMINATED. Conditions on elements, on incidents and on jobs
//! are EXISTS over those tables; those of one conjunction hold for the same element (or incident).

use super::field::{EntityFields, Field, ListField, Related, VariableScopes, named};

const ELEMENT: Related = Related {
    from: "flow_node_instance r WHERE r.process_instance_key = t.process_instance_key",
    same_row: true,
};
const INCIDENT: Related = Related {
    from: "incident r WHERE r.process_instance_key = t.process_instance_key AND r.state = 'ACTIVE'",
    same_row: true,
};
const JOB: Related = Related {
    from: "job r WHERE r.process_instance_key = t.process_instance_key \
           AND r.state IN ('FAILED', 'ERROR_THROWN')",
    same_row: true,
};
const OPERATION: Related = Related {
    from: "batch_operation_item r WHERE r.process_instance_key = t.process_instance_key",
    same_row: false,
};
const TAG: Related = Related {
    from: "process_instance_tag r WHERE r.process_instance_key = t.process_instance_key",
    same_row: false,
};

pub(crate) const FIELDS: EntityFields = EntityFields {
    from: "process_instance t LEFT JOIN process_definition d \
           ON d.process_definition_key = t.process_definition_key",
    fields: &[
        Field::text("processDefinitionId", "t.process_definition_id").present(),
        Field::text("processDefinitionName", "d.name"),
        Field::int("processDefinitionVersion", "t.version").present(),
        Field::text("processDefinitionVersionTag", "d.version_tag"),
        Field::time("startDate", "t.start_date").present(),
        Field::time("endDate", "t.end_date"),
        Field::text(
            "state",
            "CASE t.state WHEN 'CANCELED' THEN 'TERMINATED' ELSE t.state END",
        )
        .present()
        .renamed("t.state", &[("TERMINATED", "CANCELED")]),
        Field::time("suspendedDate", "t.suspended_date"),
        Field::flag("hasIncident", "t.num_incidents > 0").present(),
        Field::text("tenantId", "t.tenant_id").present(),
        Field::key("processInstanceKey", "t.process_instance_key").present(),
        Field::key("processDefinitionKey", "t.process_definition_key").present(),
        Field::key("parentProcessInstanceKey", "t.parent_process_instance_key"),
        Field::key("parentElementInstanceKey", "t.parent_element_instance_key"),
        Field::key("rootProcessInstanceKey", "t.root_process_instance_key").unsorted(),
        Field::text("businessId", "t.business_id"),
        Field::text("tags", "r.tag_value").of(&TAG).all_of(),
        Field::text("elementId", "r.flow_node_id").of(&ELEMENT),
        Field::text("elementInstanceState", "r.state").of(&ELEMENT),
        Field::flag("hasElementInstanceIncident", "r.incident_key IS NOT NULL").of(&ELEMENT),
        Field::text("errorMessage", "r.error_message")
            .phrase()
            .of(&INCIDENT),
        Field::int("incidentErrorHashCode", "r.error_message_hash").of(&INCIDENT),
        Field::flag("hasRetriesLeft", "r.has_failed_with_retries_left").of(&JOB),
        Field::text("batchOperationId", "CONCAT(r.batch_operation_key, '')").of(&OPERATION),
        Field::text("batchOperationKey", "CONCAT(r.batch_operation_key, '')").of(&OPERATION),
        Field::int("partitionId", "t.partition_id")
            .hidden()
            .unsorted(),
        Field::flag("hasRetriesLeft", "r.retries > 0").of(&JOB),
    ],
    lists: &[ListField {
        name: "tags",
        table: "process_instance_tag",
        owner: "process_instance_key",
        value: "tag_value",
    }],
    key: &["processInstanceKey"],
    variables: VARIABLES,
};

/// The same filters over element instances `f` joined with their process instances `t`: conditions on
/// elements hold for the counted element itself.
pub(crate) const OF_ELEMENTS: EntityFields = EntityFields {
    from: "flow_node_instance f \
           JOIN process_instance t ON t.process_instance_key = f.process_instance_key \
           LEFT JOIN process_definition d ON d.process_definition_key = t.process_definition_key",
    fields: &of_elements(),
    lists: &[],
    key: &["processInstanceKey"],
    variables: VARIABLES,
};

const VARIABLES: Option<VariableScopes> = Some(VariableScopes {
    instance: "v.process_instance_key = t.process_instance_key",
    local: None,
});

const fn of_elements() -> [Field; FIELDS.fields.len()] {
    let own = [
        ("elementId", "f.flow_node_id"),
        ("elementInstanceState", "f.state"),
        ("hasElementInstanceIncident", "f.incident_key IS NOT NULL"),
    ];
    let mut fields = [FIELDS.fields[0]; FIELDS.fields.len()];
    let mut at = 0;
    while at < fields.len() {
        let mut field = FIELDS.fields[at];
        let mut other = 0;
        while other < own.len() {
            if named(field.name, own[other].0) {
                field.sql = own[other].1;
                field.related = None;
            }
            other += 1;
        }
        fields[at] = field;
        at += 1;
    }
    fields
}
