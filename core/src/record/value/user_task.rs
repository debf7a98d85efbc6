//! User tasks that the engine itself manages (`zeebe:userTask`).
//!
//! Zeebe: `UserTaskRecord`.

use crate::ids::{Key, Timestamp};
use crate::record::field::Headers;
use crate::record::value::default_tenant;
use crate::record::{Document, Text};
use crate::record_value;

record_value! {
    /// A user task.
    pub struct UserTaskRecord {
        /// The task; equals the record key of its events.
        user_task_key "userTaskKey": Key,
        /// Who works on it; empty = nobody.
        assignee "assignee": Text,
        /// Groups that may claim it.
        candidate_groups "candidateGroupsList": Vec<Text>,
        /// Users that may claim it.
        candidate_users "candidateUsersList": Vec<Text>,
        /// ISO-8601 date-time; empty = none.
        due_date "dueDate": Text,
        /// ISO-8601 date-time; empty = none.
        follow_up_date "followUpDate": Text,
        /// Key of the linked form.
        form_key "formKey": Key,
        /// Reference to a form elsewhere.
        external_form_reference "externalFormReference": Text,
        /// Variables given with a completion.
        variables "variables": Document,
        /// Static headers of the model.
        custom_headers "customHeaders": Headers,
        /// BPMN process id.
        bpmn_process_id "bpmnProcessId": Text,
        /// Version of the definition.
        process_definition_version "processDefinitionVersion": i32 = -1,
        /// Definition.
        process_definition_key "processDefinitionKey": Key,
        /// Instance.
        process_instance_key "processInstanceKey": Key,
        /// Root of the call hierarchy.
        root_process_instance_key "rootProcessInstanceKey": Key,
        /// Element in the model.
        element_id "elementId": Text,
        /// Element instance that waits.
        element_instance_key "elementInstanceKey": Key,
        /// Attributes that an update changes.
        changed_attributes "changedAttributes": Vec<Text>,
        /// What the caller calls it (`complete`, `assign`, `claim`, ...).
        action "action": Text,
        /// When it was created.
        creation_timestamp "creationTimestamp": Timestamp,
        /// Tenant.
        tenant_id "tenantId": Text = default_tenant(),
        /// 0 to 100.
        priority "priority": i32 = 50,
        /// Tags of the instance.
        tags "tags": Vec<Text>,
        /// Why a listener refused.
        denied_reason "deniedReason": Text,
        /// Configuration of the global listeners that its transition calls.
        listeners_config_key "listenersConfigKey": Key,
    }
}
