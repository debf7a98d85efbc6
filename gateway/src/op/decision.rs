//! Evaluating decisions.
//!
//! Any partition can do it: decisions are everywhere. A decision that fails is an answer with a
//! reason, not a problem; only one that does not exist is refused. Outputs are JSON inside texts.

use std::sync::Arc;

use ringflow_core::ids::Key;
use ringflow_core::json;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::{
    DecisionEvaluationRecord, DecisionMetadata, DecisionRequirementsMetadata, EvaluatedDecision,
    EvaluatedInput, EvaluatedOutput, MatchedRule,
};
use ringflow_core::record::{Document, RawValue, Text};

use super::shape::{Members, ObjectWriter, put_list};
use super::{Caller, answered, tenant};
use crate::problem::{OperationName, Problem};
use crate::rest::{Answer, Call};
use crate::route::Target;
use crate::submit::Front;

pub(crate) const EVALUATE: OperationName = OperationName {
    rpc: "EvaluateDecision",
    human: "Evaluate Decision",
};

/// Evaluate a decision, by id or by key.
#[derive(Clone, Debug, Default)]
pub(crate) struct Evaluate {
    pub(crate) id: String,
    pub(crate) key: Option<Key>,
    pub(crate) variables: Document,
    pub(crate) tenant_id: Option<String>,
}

/// An evaluation.
#[derive(Clone, Debug)]
pub(crate) struct Evaluated {
    pub(crate) key: Key,
    pub(crate) record: Arc<DecisionEvaluationRecord>,
}

impl Evaluate {
    /// # Errors
    /// The engine refused, or no answer came.
    pub(crate) async fn run(self, front: &Front, caller: &Caller) -> Result<Evaluated, Problem> {
        let tenant_id = tenant(front, EVALUATE, self.tenant_id.as_deref())?;
        let command = caller.command(
            Key::NONE,
            of::DecisionEvaluation::Evaluate,
            DecisionEvaluationRecord {
                decision_id: Text::from(self.id),
                decision_key: self.key.filter(|key| key.0 > 0).unwrap_or(Key::NONE),
                variables: self.variables,
                tenant_id,
                ..DecisionEvaluationRecord::default()
            },
            None,
        );
        let response = front.call(&Target::Any, command, None).await?;
        Ok(Evaluated {
            key: response.key,
            record: answered!(response, DecisionEvaluation)?,
        })
    }
}

/// The JSON text of a value.
///
/// # Errors
/// The value cannot be read: a fault behind the backend.
pub(crate) fn text(value: &RawValue) -> Result<String, Problem> {
    let mut out = String::new();
    json::from_msgpack(value.as_bytes(), &mut out)
        .map_err(|error| Problem::Internal(format!("a value of a decision: {error}")))?;
    Ok(out)
}

/// `evaluateDecision`.
pub(crate) async fn evaluate(call: Call) -> Result<Answer, Problem> {
    let body = Members(&call.body);
    let request = Evaluate {
        id: body
            .str("decisionDefinitionId")
            .unwrap_or_default()
            .to_owned(),
        key: body.key("decisionDefinitionKey"),
        variables: body.document("variables"),
        tenant_id: body.str("tenantId").map(str::to_owned),
    };
    let evaluated = request.run(&call.front, &call.caller).await?;
    let record = &evaluated.record;
    let mut decisions = Vec::with_capacity(record.evaluated_decisions.len());
    for one in &record.evaluated_decisions {
        decisions.push(decision_json(one)?);
    }
    let mut out = ObjectWriter::new();
    out.str("decisionDefinitionId", &record.decision_id)
        .key("decisionDefinitionKey", record.decision_key)
        .str("decisionDefinitionName", &record.decision_name)
        .int(
            "decisionDefinitionVersion",
            i64::from(record.decision_version),
        )
        .key("decisionEvaluationKey", evaluated.key)
        .key("decisionInstanceKey", evaluated.key)
        .str("decisionRequirementsId", &record.decision_requirements_id)
        .key("decisionRequirementsKey", record.decision_requirements_key)
        .with("evaluatedDecisions", |out| {
            put_list(out, &decisions, String::clone);
        })
        .str_or_null("failedDecisionDefinitionId", &record.failed_decision_id)
        .str_or_null("failureMessage", &record.evaluation_failure_message)
        .str("output", &text(&record.decision_output)?)
        .str("tenantId", &record.tenant_id);
    Ok(Answer::Json(out.finish()))
}

fn decision_json(one: &EvaluatedDecision) -> Result<String, Problem> {
    let mut rules = Vec::with_capacity(one.matched_rules.len());
    for rule in &one.matched_rules {
        rules.push(rule_json(rule)?);
    }
    let mut inputs = Vec::with_capacity(one.evaluated_inputs.len());
    for input in &one.evaluated_inputs {
        inputs.push(input_json(input)?);
    }
    let mut out = ObjectWriter::new();
    out.str("decisionDefinitionId", &one.decision_id)
        .str("decisionDefinitionName", &one.decision_name)
        .int("decisionDefinitionVersion", i64::from(one.decision_version))
        .str("decisionDefinitionType", &one.decision_type)
        .str("output", &text(&one.decision_output)?)
        .str("tenantId", &one.tenant_id)
        .with("matchedRules", |out| put_list(out, &rules, String::clone))
        .with("evaluatedInputs", |out| {
            put_list(out, &inputs, String::clone);
        })
        .key("decisionDefinitionKey", one.decision_key)
        .str(
            "decisionEvaluationInstanceKey",
            &one.decision_evaluation_instance_key,
        );
    Ok(out.finish())
}

fn input_json(input: &EvaluatedInput) -> Result<String, Problem> {
    let mut out = ObjectWriter::new();
    out.str("inputId", &input.input_id)
        .str("inputName", &input.input_name)
        .str("inputValue", &text(&input.input_value)?);
    Ok(out.finish())
}

fn rule_json(rule: &MatchedRule) -> Result<String, Problem> {
    let mut outputs = Vec::with_capacity(rule.evaluated_outputs.len());
    for output in &rule.evaluated_outputs {
        outputs.push(output_json(rule, output)?);
    }
    let mut out = ObjectWriter::new();
    out.str("ruleId", &rule.rule_id)
        .int("ruleIndex", i64::from(rule.rule_index))
        .with("evaluatedOutputs", |out| {
            put_list(out, &outputs, String::clone);
        });
    Ok(out.finish())
}

fn output_json(rule: &MatchedRule, output: &EvaluatedOutput) -> Result<String, Problem> {
    let mut out = ObjectWriter::new();
    out.str("outputId", &output.output_id)
        .str("outputName", &output.output_name)
        .str("outputValue", &text(&output.output_value)?)
        .str("ruleId", &rule.rule_id)
        .int("ruleIndex", i64::from(rule.rule_index));
    Ok(out.finish())
}

/// A decision as the entry of a deployment.
pub(crate) fn deployed_decision(decision: &DecisionMetadata) -> String {
    let mut out = ObjectWriter::new();
    out.str("decisionDefinitionId", &decision.decision_id)
        .int("version", i64::from(decision.version))
        .str("name", &decision.decision_name)
        .str("tenantId", &decision.tenant_id)
        .str("decisionRequirementsId", &decision.decision_requirements_id)
        .key("decisionDefinitionKey", decision.decision_key)
        .key(
            "decisionRequirementsKey",
            decision.decision_requirements_key,
        );
    out.finish()
}

/// A graph as the entry of a deployment.
pub(crate) fn deployed_requirements(graph: &DecisionRequirementsMetadata) -> String {
    let mut out = ObjectWriter::new();
    out.str("decisionRequirementsId", &graph.decision_requirements_id)
        .str(
            "decisionRequirementsName",
            &graph.decision_requirements_name,
        )
        .int("version", i64::from(graph.decision_requirements_version))
        .str("resourceName", &graph.resource_name)
        .str("tenantId", &graph.tenant_id)
        .key("decisionRequirementsKey", graph.decision_requirements_key);
    out.finish()
}
