//! Decisions, with name and version of the graph they belong to.
//!
//! `isLatestVersion` is the highest version of an id and tenant.

use super::field::{EntityFields, Field};

pub(crate) const FIELDS: EntityFields = EntityFields {
    from: "decision_definition t LEFT JOIN decision_requirements q \
           ON q.decision_requirements_key = t.decision_requirements_key",
    fields: &[
        Field::text("decisionDefinitionId", "t.decision_definition_id").present(),
        Field::text("name", "t.name").present(),
        Field::int("version", "t.version").present(),
        Field::text("decisionRequirementsId", "t.decision_requirements_id").present(),
        Field::text("tenantId", "t.tenant_id").present(),
        Field::key("decisionDefinitionKey", "t.decision_definition_key").present(),
        Field::key("decisionRequirementsKey", "t.decision_requirements_key").present(),
        Field::text("decisionRequirementsName", "q.name"),
        Field::int("decisionRequirementsVersion", "q.version"),
        Field::flag(
            "isLatestVersion",
            "NOT EXISTS (SELECT 1 FROM decision_definition n WHERE n.decision_definition_id = \
             t.decision_definition_id AND n.tenant_id = t.tenant_id AND n.version > t.version)",
        )
        .present()
        .hidden()
        .unsorted(),
    ],
    lists: &[],
    key: &["decisionDefinitionKey"],
    variables: None,
};
