//! Evaluated decisions: one row for each decision of an evaluation.
//!
//! A row is known by the key of its evaluation and its place in it, joined by a dash. Inputs and
//! matched rules are JSON documents, handed out as they are.

use super::field::{EntityFields, Field};

pub(crate) const FIELDS: EntityFields = EntityFields {
    from: "decision_instance t \
           LEFT JOIN process_instance i ON i.process_instance_key = t.process_instance_key",
    fields: &[
        Field::text("decisionEvaluationInstanceKey", "t.decision_instance_id").present(),
        Field::text("state", "t.state").present(),
        Field::text("evaluationFailure", "t.evaluation_failure_message"),
        Field::time("evaluationDate", "t.evaluation_date"),
        Field::text("decisionDefinitionId", "t.decision_definition_id").present(),
        Field::text("decisionDefinitionName", "t.decision_definition_name").present(),
        Field::int("decisionDefinitionVersion", "t.decision_definition_version").present(),
        Field::text("decisionDefinitionType", "t.type").present(),
        Field::text("tenantId", "t.tenant_id").present(),
        Field::key("decisionEvaluationKey", "t.decision_instance_key").present(),
        Field::key("processDefinitionKey", "t.process_definition_key"),
        Field::key("processInstanceKey", "t.process_instance_key"),
        Field::key("rootProcessInstanceKey", "t.root_process_instance_key")
            .unsorted()
            .unfiltered(),
        Field::text("businessId", "i.business_id"),
        Field::key("decisionDefinitionKey", "t.decision_definition_key").present(),
        Field::key("elementInstanceKey", "t.flow_node_instance_key"),
        Field::key(
            "rootDecisionDefinitionKey",
            "t.root_decision_definition_key",
        )
        .present(),
        Field::key("decisionRequirementsKey", "t.decision_requirements_key")
            .present()
            .hidden()
            .unsorted(),
        Field::text("result", "t.result")
            .present()
            .unsorted()
            .unfiltered(),
        Field::int("partitionId", "t.partition_id")
            .hidden()
            .unsorted(),
        Field::json("evaluatedInputs", "t.evaluated_inputs"),
        Field::json("matchedRules", "t.matched_rules"),
    ],
    lists: &[],
    key: &["decisionEvaluationKey", "decisionEvaluationInstanceKey"],
    variables: None,
};
