//! Decisions: found as the model or the caller binds them, evaluated, and told in one record.
//!
//! Evaluation happens on the leader only; what comes of it is in the event, so its clock and random
//! seed need not be the same on replicas.

use crate::dmn::{Evaluated, Graph};
use crate::engine::fault::{Failure, Outcome};
use crate::engine::lifecycle::At;
use crate::engine::output::Processing;
use crate::engine::rule::expressions;
use crate::feel::{Environment, Value, Variables};
use crate::ids::Key;
use crate::model::{Binding, CalledDecision};
use crate::record::intent::of;
use crate::record::value::{
    DecisionEvaluationRecord, DecisionRecord, ErrorType, EvaluatedDecision, EvaluatedInput,
    EvaluatedOutput, MatchedRule,
};
use crate::record::{RawValue, Text};

/// An evaluation, before it is written.
pub(crate) struct DecisionResult {
    /// EVALUATED or FAILED.
    pub(crate) intent: of::DecisionEvaluation,
    /// What to say.
    pub(crate) record: DecisionEvaluationRecord,
}

/// Evaluates the decision an element calls, writes the evaluation, gives the result.
pub(crate) fn call(p: &mut Processing<'_>, at: &At, called: &CalledDecision) -> Outcome<RawValue> {
    let id = expressions::text(p, &called.decision_id, at.key)?;
    let failure = |message: String| Failure::new(ErrorType::CalledDecisionError, message);
    let decision = find(p, at, called, &id)?.map_err(failure)?;
    let key = p.next_key();
    let evaluated = expressions::with_scope(p, at.key, |variables| {
        evaluate(p, key, &decision, variables)
    })?;
    let evaluated = evaluated.map_err(failure)?;
    let record = DecisionEvaluationRecord {
        bpmn_process_id: at.record.bpmn_process_id.clone(),
        process_definition_key: at.record.process_definition_key,
        process_instance_key: at.record.process_instance_key,
        root_process_instance_key: at.record.root_process_instance_key,
        element_id: at.record.element_id.clone(),
        element_instance_key: at.key,
        business_id: p.state().business_id(&at.record)?,
        ..evaluated.record
    };
    let output = record.decision_output.clone();
    let message = record.evaluation_failure_message.clone();
    p.event(key, evaluated.intent, record)?;
    match evaluated.intent {
        of::DecisionEvaluation::Failed => {
            Err(Failure::new(ErrorType::DecisionEvaluationError, message).into())
        }
        of::DecisionEvaluation::Evaluated | of::DecisionEvaluation::Evaluate => Ok(output),
    }
}

/// The decision an element calls, or why there is none.
fn find(
    p: &Processing<'_>,
    at: &At,
    called: &CalledDecision,
    id: &Text,
) -> Outcome<Result<DecisionRecord, String>> {
    let tenant = &at.record.tenant_id;
    let state = p.state();
    let (found, missing) = match &called.binding {
        Binding::Latest => {
            let latest = state.latest_decision(tenant, id)?;
            let message = format!(
                "Expected to evaluate decision '{id}', but no decision found for id '{id}'"
            );
            (latest.map(|row| row.record.decision_key), message)
        }
        Binding::Deployment => {
            let deployment = at.definition.record.deployment_key;
            let key = (tenant.clone(), id.clone(), deployment);
            let found = state.decision_by_deployment.get(&key)?;
            let message = format!(
                "Expected to evaluate decision '{id}' with binding type 'deployment', but no such decision found in the deployment with key {deployment} which contained the current process. To resolve this incident, migrate the process instance to a process definition that is deployed together with the intended decision to evaluate."
            );
            (found.map(|row| row.key), message)
        }
        Binding::VersionTag(tag) => {
            let key = (tenant.clone(), id.clone(), tag.clone());
            let found = state.decision_by_tag.get(&key)?;
            let message = format!(
                "Expected to evaluate decision with id '{id}' and version tag '{tag}', but no such decision found. To resolve this incident, deploy a decision with the given id and version tag."
            );
            (found.map(|row| row.key), message)
        }
    };
    let row = match found {
        Some(key) => state.decision(key, tenant)?,
        None => None,
    };
    Ok(row
        .map(|row| DecisionRecord::clone(&row.record))
        .ok_or(missing))
}

/// Evaluates a decision; an error says that its graph is gone.
pub(crate) fn evaluate(
    p: &Processing<'_>,
    key: Key,
    decision: &DecisionRecord,
    variables: &dyn Variables,
) -> Outcome<Result<DecisionResult, String>> {
    let graph_key = decision.decision_requirements_key;
    let graph = p.definitions.graph(p.state(), graph_key)?;
    let position = (graph.as_deref()).and_then(|graph| graph.position(&decision.decision_id));
    let (Some(graph), Some(position)) = (graph, position) else {
        return Ok(Err(format!(
            "Expected to evaluate decision '{}', but no drg found for id '{}'",
            decision.decision_id, decision.decision_requirements_id
        )));
    };
    let siblings = siblings(p, graph_key)?;
    let environment = Environment {
        variables,
        now_millis: p.now.0,
        zone: &p.config.time_zone,
        random_seed: p.state().position().0 ^ (p.now.0 as u64).rotate_left(32),
        step_budget: p.config.expression_steps,
    };
    Ok(Ok(told(
        &graph,
        position,
        &environment,
        decision,
        &siblings,
        key,
    )))
}

/// Ids, keys and versions of the decisions of a graph.
fn siblings(p: &Processing<'_>, graph: Key) -> Outcome<Vec<(Text, Key, i32)>> {
    let mut found = Vec::new();
    for key in p.state().decisions_of_requirements.members(&graph)? {
        if let Some(row) = p.state().decisions.get(&key)? {
            found.push((row.record.decision_id.clone(), key, row.record.version));
        }
    }
    Ok(found)
}

/// Evaluates and tells.
fn told(
    graph: &Graph,
    position: usize,
    environment: &Environment<'_>,
    decision: &DecisionRecord,
    siblings: &[(Text, Key, i32)],
    key: Key,
) -> DecisionResult {
    let evaluation = graph.evaluate(position, environment);
    let evaluated_decisions = (1..)
        .zip(&evaluation.evaluated)
        .map(|(place, one)| one_evaluated(one, siblings, &decision.tenant_id, key, place))
        .collect();
    let mut record = DecisionEvaluationRecord {
        decision_key: decision.decision_key,
        decision_id: decision.decision_id.clone(),
        decision_name: decision.decision_name.clone(),
        decision_version: decision.version,
        decision_requirements_id: decision.decision_requirements_id.clone(),
        decision_requirements_key: decision.decision_requirements_key,
        tenant_id: decision.tenant_id.clone(),
        evaluated_decisions,
        ..DecisionEvaluationRecord::default()
    };
    let intent = match evaluation.result {
        Ok(value) => {
            record.decision_output = raw(&value);
            of::DecisionEvaluation::Evaluated
        }
        Err(failure) => {
            record.evaluation_failure_message = Text::from(failure.message);
            record.failed_decision_id = Text::from(failure.decision_id);
            of::DecisionEvaluation::Failed
        }
    };
    DecisionResult { intent, record }
}

fn one_evaluated(
    one: &Evaluated<'_>,
    siblings: &[(Text, Key, i32)],
    tenant: &Text,
    evaluation: Key,
    place: usize,
) -> EvaluatedDecision {
    let known = siblings.iter().find(|(id, ..)| id.as_str() == one.id);
    let (decision_key, decision_version) =
        known.map_or((Key::NONE, -1), |(_, key, version)| (*key, *version));
    let mut record = EvaluatedDecision {
        decision_id: Text::from(one.id),
        decision_name: Text::from(one.name),
        decision_key,
        decision_version,
        decision_type: Text::from(one.kind.name()),
        decision_output: raw(&one.output),
        tenant_id: tenant.clone(),
        decision_evaluation_instance_key: Text::from(format!("{evaluation}-{place}")),
        ..EvaluatedDecision::default()
    };
    let Some(table) = one.table else {
        return record;
    };
    let inputs = table.inputs().iter().zip(&one.inputs);
    record.evaluated_inputs = inputs
        .map(|(input, value)| EvaluatedInput {
            input_id: Text::from(input.id()),
            input_name: Text::from(input.name()),
            input_value: raw(value),
        })
        .collect();
    let rules = one.matched.iter().map(|matched| {
        let rule_index = i32::try_from(matched.rule + 1).unwrap_or(i32::MAX);
        let rule_id = match table.rule_id(matched.rule) {
            id if id.trim().is_empty() => format!(
                "ZB_SYNTH_RULE_ID_{}_v{decision_version}_r{rule_index}",
                one.id
            ),
            id => id.to_owned(),
        };
        let outputs = table.outputs().iter().zip(&matched.outputs);
        MatchedRule {
            rule_id: Text::from(rule_id),
            rule_index,
            evaluated_outputs: outputs
                .map(|(output, value)| EvaluatedOutput {
                    output_id: Text::from(output.id()),
                    output_name: Text::from(output.shown_name()),
                    output_value: raw(value),
                })
                .collect(),
        }
    });
    record.matched_rules = rules.collect();
    record
}

fn raw(value: &Value<'_>) -> RawValue {
    let mut bytes = Vec::new();
    value.to_msgpack(&mut bytes);
    RawValue::from(bytes)
}
