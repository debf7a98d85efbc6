//! Decision requirements graphs: one per DMN file, and its text.
//!
//! The text of a decision is the text of its graph.

use super::field::{EntityFields, Field, Kind};
use super::statement::{Bind, Statement};
use super::{Cell, KeyLiteral, Queries, fetch};
use crate::error::QueryError;

pub(crate) const FIELDS: EntityFields = EntityFields {
    from: "decision_requirements t",
    fields: &[
        Field::text("decisionRequirementsName", "t.name").present(),
        Field::int("version", "t.version").present(),
        Field::text("decisionRequirementsId", "t.decision_requirements_id").present(),
        Field::text("tenantId", "t.tenant_id").present(),
        Field::key("decisionRequirementsKey", "t.decision_requirements_key").present(),
        Field::text("resourceName", "t.resource_name")
            .present()
            .unsorted(),
    ],
    lists: &[],
    key: &["decisionRequirementsKey"],
    variables: None,
};

/// The DMN text of a graph.
pub(crate) async fn xml(queries: &Queries, key: KeyLiteral) -> Result<Option<String>, QueryError> {
    text(
        queries,
        "SELECT t.xml FROM decision_requirements t WHERE t.decision_requirements_key = ",
        key,
    )
    .await
}

/// The DMN text of the graph a decision belongs to.
pub(crate) async fn xml_of_decision(
    queries: &Queries,
    key: KeyLiteral,
) -> Result<Option<String>, QueryError> {
    text(
        queries,
        "SELECT t.xml FROM decision_requirements t JOIN decision_definition d \
         ON d.decision_requirements_key = t.decision_requirements_key \
         WHERE d.decision_definition_key = ",
        key,
    )
    .await
}

async fn text(
    queries: &Queries,
    sql: &'static str,
    key: KeyLiteral,
) -> Result<Option<String>, QueryError> {
    let mut statement = Statement::new(queries.pool.dialect());
    statement.push(sql);
    statement.bind(Bind::Int(key.0));
    let rows = fetch::rows(queries, statement, &[Kind::Text]).await?;
    let cell = rows.into_iter().flatten().next();
    Ok(match cell {
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
    })
}
