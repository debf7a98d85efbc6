//! What active elements wait for.
//!
//! Jobs, user tasks and message subscriptions are rows of their own tables, timers, signals and
//! conditions of `wait_state`. Each part begins with the active element instances, which an index
//! holds together, so that history costs nothing. An event behind an event-based gateway waits at
//! the gateway and is shown as what it is.
//!
//! | column | job | user task | message | timer | signal | condition |
//! |---|---|---|---|---|---|---|
//! | `name` | type | | name | | name | expression |
//! | `more` | listener event | | correlation key | | | events |
//! | `due` | | due date | | due date | | |
//! | `number` | retries | | | repetitions | | |

use super::field::{EntityFields, Field};

/// The first part gives the columns their types.
const FROM: &str = "(SELECT f.process_instance_key, f.root_process_instance_key, \
     f.flow_node_instance_key AS element_instance_key, f.process_definition_id, f.tenant_id, \
     w.element_id, CASE WHEN f.type = 'EVENT_BASED_GATEWAY' THEN 'INTERMEDIATE_CATCH_EVENT' \
     ELSE f.type END AS element_type, w.wait_state_key, w.wait_state_type, w.name, w.events AS more, \
     w.wait_state_type AS kind, w.due_date AS due, w.repetitions AS number \
     FROM flow_node_instance f JOIN wait_state w \
     ON w.element_instance_key = f.flow_node_instance_key WHERE f.state = 'ACTIVE' \
     UNION ALL SELECT f.process_instance_key, f.root_process_instance_key, \
     f.flow_node_instance_key, f.process_definition_id, f.tenant_id, f.flow_node_id, f.type, \
     j.job_key, 'JOB', j.type, j.listener_event_type, j.kind, NULL, j.retries \
     FROM flow_node_instance f JOIN job j ON j.element_instance_key = f.flow_node_instance_key \
     WHERE f.state = 'ACTIVE' AND j.state NOT IN ('COMPLETED', 'CANCELED') \
     UNION ALL SELECT f.process_instance_key, f.root_process_instance_key, \
     f.flow_node_instance_key, f.process_definition_id, f.tenant_id, f.flow_node_id, f.type, \
     u.user_task_key, 'USER_TASK', NULL, NULL, NULL, u.due_date, NULL \
     FROM flow_node_instance f JOIN user_task u \
     ON u.element_instance_key = f.flow_node_instance_key \
     WHERE f.state = 'ACTIVE' AND u.state NOT IN ('CREATING', 'COMPLETED', 'CANCELED') \
     UNION ALL SELECT f.process_instance_key, f.root_process_instance_key, \
     f.flow_node_instance_key, f.process_definition_id, f.tenant_id, m.flow_node_id, \
     CASE WHEN f.type = 'EVENT_BASED_GATEWAY' THEN 'INTERMEDIATE_CATCH_EVENT' ELSE f.type END, \
     m.message_subscription_key, 'MESSAGE', m.message_name, m.correlation_key, NULL, NULL, NULL \
     FROM flow_node_instance f JOIN message_subscription m \
     ON m.flow_node_instance_key = f.flow_node_instance_key WHERE f.state = 'ACTIVE' \
     AND m.message_subscription_state IN ('CREATED', 'MIGRATED') \
     AND (f.type = 'EVENT_BASED_GATEWAY' OR (m.flow_node_id = f.flow_node_id \
     AND f.type IN ('RECEIVE_TASK', 'INTERMEDIATE_CATCH_EVENT')))) t";

pub(crate) const FIELDS: EntityFields = EntityFields {
    from: FROM,
    fields: &[
        Field::key("rootProcessInstanceKey", "t.root_process_instance_key"),
        Field::key("processInstanceKey", "t.process_instance_key").present(),
        Field::key("elementInstanceKey", "t.element_instance_key").present(),
        Field::text("elementId", "t.element_id").present(),
        Field::text("elementType", "t.element_type").present(),
        Field::text("tenantId", "t.tenant_id").present(),
        Field::text("bpmnProcessId", "t.process_definition_id").present(),
        Field::text("processDefinitionId", "t.process_definition_id").present(),
        Field::text("waitStateType", "t.wait_state_type").present(),
        Field::key("waitStateKey", "t.wait_state_key").present(),
        Field::text("name", "t.name").unfiltered().unsorted(),
        Field::text("more", "t.more").unfiltered().unsorted(),
        Field::text("kind", "t.kind").unfiltered().unsorted(),
        Field::time("due", "t.due").unfiltered().unsorted(),
        Field::int("number", "t.number").unfiltered().unsorted(),
    ],
    lists: &[],
    key: &["elementInstanceKey", "waitStateKey"],
    variables: None,
};
