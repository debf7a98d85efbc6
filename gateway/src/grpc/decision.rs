//! Messages of the evaluation of a decision.
//!
//! The id counts before the key; key 0 is none. Values are JSON in texts.

use ringflow_core::ids::Key;
use ringflow_core::record::value;

use super::proto;
use crate::document;
use crate::op::decision::{Evaluate, Evaluated, text};
use crate::problem::Problem;

pub(super) fn evaluate(request: proto::EvaluateDecisionRequest) -> Result<Evaluate, Problem> {
    Ok(Evaluate {
        variables: document::from_text("variables", &request.variables)?,
        id: request.decision_id,
        key: Some(Key(request.decision_key)),
        tenant_id: Some(request.tenant_id),
    })
}

pub(super) fn evaluated(evaluated: &Evaluated) -> Result<proto::EvaluateDecisionResponse, Problem> {
    let record = &evaluated.record;
    let decisions = record.evaluated_decisions.iter().map(decision);
    Ok(proto::EvaluateDecisionResponse {
        decision_key: record.decision_key.0,
        decision_id: record.decision_id.to_string(),
        decision_name: record.decision_name.to_string(),
        decision_version: record.decision_version,
        decision_requirements_id: record.decision_requirements_id.to_string(),
        decision_requirements_key: record.decision_requirements_key.0,
        decision_output: text(&record.decision_output)?,
        evaluated_decisions: decisions.collect::<Result<_, _>>()?,
        failed_decision_id: record.failed_decision_id.to_string(),
        failure_message: record.evaluation_failure_message.to_string(),
        tenant_id: record.tenant_id.to_string(),
        decision_instance_key: evaluated.key.0,
        decision_evaluation_key: evaluated.key.0,
    })
}

fn decision(one: &value::EvaluatedDecision) -> Result<proto::EvaluatedDecision, Problem> {
    let rules = one.matched_rules.iter().map(rule);
    let inputs = one.evaluated_inputs.iter().map(|input| {
        Ok(proto::EvaluatedDecisionInput {
            input_id: input.input_id.to_string(),
            input_name: input.input_name.to_string(),
            input_value: text(&input.input_value)?,
        })
    });
    Ok(proto::EvaluatedDecision {
        decision_key: one.decision_key.0,
        decision_id: one.decision_id.to_string(),
        decision_name: one.decision_name.to_string(),
        decision_version: one.decision_version,
        decision_type: one.decision_type.to_string(),
        decision_output: text(&one.decision_output)?,
        matched_rules: rules.collect::<Result<_, _>>()?,
        evaluated_inputs: inputs.collect::<Result<_, Problem>>()?,
        tenant_id: one.tenant_id.to_string(),
        decision_evaluation_instance_key: one.decision_evaluation_instance_key.to_string(),
    })
}

fn rule(rule: &value::MatchedRule) -> Result<proto::MatchedDecisionRule, Problem> {
    let outputs = rule.evaluated_outputs.iter().map(|output| {
        Ok(proto::EvaluatedDecisionOutput {
            output_id: output.output_id.to_string(),
            output_name: output.output_name.to_string(),
            output_value: text(&output.output_value)?,
        })
    });
    Ok(proto::MatchedDecisionRule {
        rule_id: rule.rule_id.to_string(),
        rule_index: rule.rule_index,
        evaluated_outputs: outputs.collect::<Result<_, Problem>>()?,
    })
}
