//! Process definitions.
//!
//! `isLatestVersion` is the highest version of an id and tenant that is not deleted, found by the
//! index (PROCESS_DEFINITION_ID, TENANT_ID, VERSION). A definition is never removed while history
//! may refer to it; deletion sets its state.

use super::field::{EntityFields, Field, Kind};
use super::statement::{Bind, Statement};
use super::{Cell, KeyLiteral, Queries, fetch};
use crate::error::QueryError;

pub(crate) const FIELDS: EntityFields = EntityFields {
    from: "process_definition t",
    fields: &[
        Field::text("name", "t.name"),
        Field::text("resourceName", "t.resource_name"),
        Field::int("version", "t.version").present(),
        Field::text("versionTag", "t.version_tag"),
        Field::text("processDefinitionId", "t.process_definition_id").present(),
        Field::text("tenantId", "t.tenant_id").present(),
        Field::key("processDefinitionKey", "t.process_definition_key").present(),
        Field::flag("hasStartForm", "t.form_id IS NOT NULL")
            .present()
            .unsorted(),
        Field::text(
            "state",
            "CASE WHEN t.is_deleted THEN 'DELETED' ELSE 'ACTIVE' END",
        )
        .present()
        .unsorted(),
        Field::flag(
            "isLatestVersion",
            "NOT EXISTS (SELECT 1 FROM process_definition n WHERE n.process_definition_id = \
             t.process_definition_id AND n.tenant_id = t.tenant_id AND n.version > t.version AND \
             NOT n.is_deleted) AND NOT t.is_deleted",
        )
        .present()
        .hidden()
        .unsorted(),
    ],
    lists: &[],
    key: &["processDefinitionKey"],
    variables: None,
};

/// The BPMN text of a definition.
pub(crate) async fn xml(queries: &Queries, key: KeyLiteral) -> Result<Option<String>, QueryError> {
    let mut statement = Statement::new(queries.pool.dialect());
    statement.push("SELECT t.bpmn_xml FROM process_definition t WHERE t.process_definition_key = ");
    statement.bind(Bind::Int(key.0));
    let rows = fetch::rows(queries, statement, &[Kind::Text]).await?;
    Ok(
        match rows
            .into_iter()
            .next()
            .and_then(|row| row.into_iter().next())
        {
            Some(Cell::Text(text)) => Some(text),
            Some(
                Cell::Null
                | Cell::Int(_)
                | Cell::Key(_)
                | Cell::Bool(_)
                | Cell::Time(_)
                | Cell::Float(_)
                | Cell::Json(_)
                | Cell::List(_),
            )
            | None => None,
        },
    )
}
