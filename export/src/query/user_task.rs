//! User tasks, with their candidates, tags and the name of their process.
//!
//! Variables of the process instance are those of all its scopes; local ones are those of the user
//! task's element instance.

use super::field::{EntityFields, Field, ListField, Related, VariableScopes};

const CANDIDATE_USER: Related = Related {
    from: "candidate_user r WHERE r.user_task_key = t.user_task_key",
    same_row: false,
};
const CANDIDATE_GROUP: Related = Related {
    from: "candidate_group r WHERE r.user_task_key = t.user_task_key",
    same_row: false,
};
const TAG: Related = Related {
    from: "user_task_tag r WHERE r.user_task_key = t.user_task_key",
    same_row: false,
};

pub(crate) const FIELDS: EntityFields = EntityFields {
    from: "user_task t \
           LEFT JOIN process_instance i ON i.process_instance_key = t.process_instance_key \
           LEFT JOIN process_definition d ON d.process_definition_key = t.process_definition_key",
    fields: &[
        Field::text("name", "t.name"),
        Field::text("state", "t.state").present().unsorted(),
        Field::text("assignee", "t.assignee").unsorted(),
        Field::text("elementId", "t.element_id")
            .present()
            .unsorted(),
        Field::text("processDefinitionId", "t.process_definition_id")
            .present()
            .unsorted(),
        Field::time("creationDate", "t.creation_date"),
        Field::time("completionDate", "t.completion_date"),
        Field::time("followUpDate", "t.follow_up_date"),
        Field::time("dueDate", "t.due_date"),
        Field::text("tenantId", "t.tenant_id").present().unsorted(),
        Field::text("externalFormReference", "t.external_form_reference")
            .unsorted()
            .unfiltered(),
        Field::int("processDefinitionVersion", "t.process_definition_version")
            .present()
            .unsorted()
            .unfiltered(),
        Field::json("customHeaders", "t.custom_headers"),
        Field::int("priority", "t.priority").present(),
        Field::key("userTaskKey", "t.user_task_key")
            .present()
            .unsorted(),
        Field::key("elementInstanceKey", "t.element_instance_key")
            .present()
            .unsorted(),
        Field::text("processName", "d.name").unsorted().unfiltered(),
        Field::key("processDefinitionKey", "t.process_definition_key")
            .present()
            .unsorted(),
        Field::key("processInstanceKey", "t.process_instance_key")
            .present()
            .unsorted(),
        Field::key("rootProcessInstanceKey", "t.root_process_instance_key").unsorted(),
        Field::text("businessId", "i.business_id"),
        Field::key("formKey", "t.form_key").unsorted().unfiltered(),
        Field::text("candidateUser", "r.candidate_user").of(&CANDIDATE_USER),
        Field::text("candidateGroup", "r.candidate_group").of(&CANDIDATE_GROUP),
        Field::text("tags", "r.tag_value").of(&TAG).all_of(),
    ],
    lists: &[
        ListField {
            name: "candidateGroups",
            table: "candidate_group",
            owner: "user_task_key",
            value: "candidate_group",
        },
        ListField {
            name: "candidateUsers",
            table: "candidate_user",
            owner: "user_task_key",
            value: "candidate_user",
        },
        ListField {
            name: "tags",
            table: "user_task_tag",
            owner: "user_task_key",
            value: "tag_value",
        },
    ],
    key: &["userTaskKey"],
    variables: Some(VariableScopes {
        instance: "v.process_instance_key = t.process_instance_key",
        local: Some("v.scope_key = t.element_instance_key"),
    }),
};
