//! Cluster variables that are not deleted.
//!
//! Found by name, scope and tenant; the row's own identity is never shown. Values are previews as
//! those of process variables are, unless the whole value is asked for.

use super::field::{EntityFields, Field};
use super::variable::FULL_VALUE;

pub(crate) const FIELDS: EntityFields = EntityFields {
    from: "(SELECT * FROM cluster_variable WHERE NOT is_deleted) t",
    fields: &[
        Field::text("name", "t.var_name").present(),
        Field::text("value", FULL_VALUE).present(),
        Field::flag("isTruncated", "t.is_preview")
            .present()
            .unsorted(),
        Field::text("tenantId", "t.tenant_id"),
        Field::text("scope", "t.scope").present(),
        Field::json("metadata", "t.metadata"),
        Field::text("kind", "'JSON'").present().unsorted(),
        Field::text("clusterVariableId", "t.cluster_variable_id")
            .present()
            .hidden()
            .unfiltered(),
    ],
    lists: &[],
    key: &["clusterVariableId"],
    variables: None,
};
