//! Forms and other deployed resources.
//!
//! A deleted form is still found by its key: tasks that were created with it show it. It is no
//! longer the start form of a process.

use super::field::{EntityFields, Field, Related};

const START_FORM: Related = Related {
    from: "process_definition r WHERE r.form_id = t.form_id AND r.tenant_id = t.tenant_id",
    same_row: false,
};

pub(crate) const FORM: EntityFields = EntityFields {
    from: "form t",
    fields: &[
        Field::text("tenantId", "t.tenant_id").present(),
        Field::text("formId", "t.form_id").present(),
        Field::text("schema", "t.schema_xml")
            .unsorted()
            .unfiltered(),
        Field::int("version", "t.version").present(),
        Field::key("formKey", "t.form_key").present(),
        Field::flag("isDeleted", "t.is_deleted")
            .present()
            .hidden()
            .unsorted(),
        // Definitions whose start event names the form.
        Field::key("processDefinitionKey", "r.process_definition_key").of(&START_FORM),
    ],
    lists: &[],
    key: &["formKey"],
    variables: None,
};

pub(crate) const RESOURCE: EntityFields = EntityFields {
    from: "(SELECT * FROM deployed_resource WHERE NOT is_deleted) t",
    fields: &[
        Field::text("resourceName", "t.resource_name"),
        Field::int("version", "t.version").present(),
        Field::text("versionTag", "t.version_tag"),
        Field::text("resourceId", "t.resource_id").present(),
        Field::text("tenantId", "t.tenant_id").present(),
        Field::key("resourceKey", "t.resource_key").present(),
        Field::key("deploymentKey", "t.deployment_key").hidden(),
    ],
    lists: &[],
    key: &["resourceKey"],
    variables: None,
};
