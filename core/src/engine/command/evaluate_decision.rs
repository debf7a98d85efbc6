//! DECISION_EVALUATION EVALUATE: a client wants the result of a decision.
//!
//! The id counts before the key. A decision that fails is an answer too: FAILED tells why; only a
//! decision that does not exist is a rejection.

use std::sync::Arc;

use crate::engine::fault::{Outcome, Stop};
use crate::engine::input::Command;
use crate::engine::output::Processing;
use crate::engine::rule::decisions;
use crate::feel::DocumentVariables;
use crate::record::value::DecisionEvaluationRecord;

/// Why nothing is evaluated where the decision is not found.
pub(crate) fn missing(value: &DecisionEvaluationRecord) -> String {
    let (id, key) = (&value.decision_id, value.decision_key);
    if id.is_empty() {
        format!("Expected to evaluate decision '{key}', but no decision found for key '{key}'")
    } else {
        format!("Expected to evaluate decision '{id}', but no decision found for id '{id}'")
    }
}

/// Evaluates a decision.
pub(crate) fn evaluate(
    p: &mut Processing<'_>,
    _command: &Command,
    value: &Arc<DecisionEvaluationRecord>,
) -> Outcome {
    let (tenant, id, key) = (&value.tenant_id, &value.decision_id, value.decision_key);
    let found = if !id.is_empty() {
        p.state().latest_decision(tenant, id)?
    } else if key.is_some() {
        p.state().decision(key, tenant)?
    } else {
        return Err(Stop::invalid_argument(
            "Expected either a decision id or a valid decision key, but none provided",
        ));
    };
    let row = found.ok_or_else(|| Stop::not_found(missing(value)))?;
    let variables = DocumentVariables(value.variables.as_bytes());
    let key = p.next_key();
    let evaluated =
        decisions::evaluate(p, key, &row.record, &variables)?.map_err(Stop::not_found)?;
    let intent = evaluated.intent;
    let record = Arc::new(evaluated.record);
    p.event(key, intent, record.clone())?;
    p.respond(key, intent, record);
    Ok(())
}
