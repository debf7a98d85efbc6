//! Conditions that came true: CONDITIONAL_SUBSCRIPTION TRIGGER inside an instance, and
//! CONDITIONAL_EVALUATION EVALUATE, by which a client lets conditions start instances.
//!
//! Process start events see only the variables of the request; each whose condition holds starts an
//! instance with them.

use std::sync::Arc;

use crate::engine::fault::{Outcome, Stop};
use crate::engine::input::Command;
use crate::engine::lifecycle::At;
use crate::engine::output::Processing;
use crate::engine::rule::{conditions, starts, triggers};
use crate::feel::DocumentVariables;
use crate::ids::Key;
use crate::msgpack;
use crate::record::Document;
use crate::record::intent::of;
use crate::record::value::{
    ConditionalEvaluationRecord, ConditionalSubscriptionRecord, StartedInstance,
};

/// Triggers the catch event of a condition.
pub(crate) fn trigger(
    p: &mut Processing<'_>,
    command: &Command,
    value: &Arc<ConditionalSubscriptionRecord>,
) -> Outcome {
    let key = command.key;
    let (instance, event) = (value.process_instance_key, &value.catch_event_id);
    let Some(row) = p.state().conditional_subscription(key, value)? else {
        return Err(Stop::not_found(format!(
            "Expected to trigger condition subscription with key '{key}', but no such subscription was found for process instance with key '{instance}' and catch event id '{event}'."
        )));
    };
    let record = row.record.clone();
    let waiting = record.element_instance_key;
    let scope = match At::find(p, waiting)? {
        Some(scope) if triggers::accepts(p, &scope, event)? => scope,
        Some(_) | None => {
            return Err(Stop::invalid_state(format!(
                "Expected to trigger condition subscription with key '{key}', but the element with key '{waiting}' is not active anymore for process instance with key '{instance}' and catch event id '{event}'."
            )));
        }
    };
    let target = scope
        .process()
        .element(event)
        .ok_or_else(|| Stop::fault(format!("no element with id '{event}'")))?;
    p.event(key, of::ConditionalSubscription::Triggered, record)?;
    triggers::trigger(p, &scope, target, Document::EMPTY)
}

/// Evaluates the conditions of process start events.
pub(crate) fn evaluate(
    p: &mut Processing<'_>,
    _command: &Command,
    value: &Arc<ConditionalEvaluationRecord>,
) -> Outcome {
    if let Err(error) = msgpack::validate_document(value.variables.as_bytes()) {
        return Err(Stop::invalid_argument(format!(
            "Expected document to be valid msgpack, but it could not be parsed: '{error}'"
        )));
    }
    let wanted = value.process_definition_key;
    let definitions = if wanted.is_some() {
        let row = p.state().definitions.get(&wanted)?;
        if row.is_none_or(|row| row.record.tenant_id != value.tenant_id) {
            return Err(Stop::not_found(format!(
                "Expected to evaluate conditional for process definition key '{wanted}', but no such process was found."
            )));
        }
        vec![wanted]
    } else {
        p.state().conditional_starts.members(&value.tenant_id)?
    };
    let mut started = Vec::new();
    for (definition, event) in matching(p, &definitions, &value.variables)? {
        let instance = p.next_key();
        starts::start(p, definition, instance, &event, value.variables.clone())?;
        started.push(StartedInstance {
            process_definition_key: definition,
            process_instance_key: instance,
        });
    }
    let evaluated = Arc::new(ConditionalEvaluationRecord {
        started,
        ..ConditionalEvaluationRecord::clone(value)
    });
    let key = p.next_key();
    let intent = of::ConditionalEvaluation::Evaluated;
    p.event(key, intent, evaluated.clone())?;
    p.respond(key, intent, evaluated);
    Ok(())
}

/// The start events whose conditions hold, with their definitions.
fn matching(
    p: &Processing<'_>,
    definitions: &[Key],
    variables: &Document,
) -> Outcome<Vec<(Key, crate::record::Text)>> {
    let seen = DocumentVariables(variables.as_bytes());
    let mut found = Vec::new();
    for key in definitions {
        let definition = p.definition(*key)?;
        for (_, row) in p.state().conditional_subscriptions_of(*key)? {
            if conditions::start_holds(p, &definition.process, &row.record, &seen)? {
                found.push((*key, row.record.catch_event_id.clone()));
            }
        }
    }
    Ok(found)
}
