//! Variables: their last values.
//!
//! A search hands out a preview and says so in `isTruncated`; a get, or a search that asks for it,
//! hands out the whole value. Filters always look at the whole value; sorting looks at the preview.

use super::field::{EntityFields, Field, Kind};

/// What `value` is when the whole value is wanted.
pub(crate) const FULL_VALUE: &str = "COALESCE(t.var_full_value, t.var_value)";

pub(crate) const FIELDS: EntityFields = EntityFields {
    from: "variable t",
    fields: &[
        Field::text("name", "t.var_name").present(),
        Field::text("value", FULL_VALUE),
        Field::flag("isTruncated", "t.is_preview")
            .present()
            .unsorted(),
        Field::text("tenantId", "t.tenant_id").present(),
        Field::key("variableKey", "t.var_key").present(),
        Field::key("scopeKey", "t.scope_key").present(),
        Field::key("processInstanceKey", "t.process_instance_key").present(),
        Field::key("rootProcessInstanceKey", "t.root_process_instance_key").unsorted(),
        // Shown to nobody, but it says who may see the variable.
        Field::text("processDefinitionId", "t.process_definition_id").unsorted(),
    ],
    lists: &[],
    key: &["variableKey"],
    variables: None,
};

/// The expression a result (or a sort) shows for a field, previews unless `full`.
pub(crate) fn shown(field: &Field, full: bool) -> &'static str {
    if field.name == "value" && field.kind == Kind::Text && !full {
        "t.var_value"
    } else if field.name == "isTruncated" && field.kind == Kind::Bool && full {
        "1 = 0"
    } else {
        field.sql
    }
}
