//! Names of the variables that instances of a definition have, or had.
//!
//! Read from a table of their own that the exporter keeps: a definition may have millions of
//! variables, of a few names. A name stays when the instances that had it are gone.

use super::field::{EntityFields, Field};

pub(crate) const FIELDS: EntityFields = EntityFields {
    from: "process_def_var_name_lookup t",
    fields: &[
        Field::text("name", "t.var_name").present(),
        Field::key("processDefinitionKey", "t.process_definition_key").present(),
        Field::text("processDefinitionId", "t.process_definition_id").present(),
        Field::text("tenantId", "t.tenant_id").present(),
    ],
    lists: &[],
    key: &["name", "processDefinitionKey"],
    variables: None,
};
