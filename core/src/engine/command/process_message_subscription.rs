//! PROCESS_MESSAGE_SUBSCRIPTION CREATE, CORRELATE, DELETE: the instance side of a subscription.
//!
//! The message side confirms what it opened and closed, and brings messages. A message that the
//! instance cannot take any more is sent back, so that another instance may have it; one that it has
//! taken already is acknowledged again.

use std::rc::Rc;
use std::sync::Arc;

use crate::engine::fault::{Outcome, Stop};
use crate::engine::input::Command;
use crate::engine::lifecycle::At;
use crate::engine::output::Processing;
use crate::engine::rule::{messages, triggers};
use crate::ids::Key;
use crate::record::intent::of;
use crate::record::value::ProcessMessageSubscriptionRecord;
use crate::record::{Rejection, RejectionType};
use crate::state::{ProcessMessageSubscriptionRow, ProcessMessageSubscriptionState};

type Value = Arc<ProcessMessageSubscriptionRecord>;

fn find(p: &Processing<'_>, value: &Value) -> Outcome<Option<Rc<ProcessMessageSubscriptionRow>>> {
    Ok(p.state()
        .process_message_subscriptions
        .get(&value.element_instance_key, &value.message_name)?)
}

fn subject(verb: &str, value: &Value) -> String {
    format!(
        "Expected to {verb} process message subscription with element key '{}' and message name '{}', ",
        value.element_instance_key, value.message_name
    )
}

/// The message side opened the subscription.
pub(crate) fn create(p: &mut Processing<'_>, _command: &Command, value: &Value) -> Outcome {
    let Some(row) = find(p, value)? else {
        let reason = subject("create", value) + "but no such subscription was found";
        return Err(Stop::not_found(reason));
    };
    let state = match row.state {
        ProcessMessageSubscriptionState::Opening => {
            let record = row.record.clone();
            return p.event(row.key, of::ProcessMessageSubscription::Created, record);
        }
        ProcessMessageSubscriptionState::Opened => "opened",
        ProcessMessageSubscriptionState::Closing => "closing",
    };
    let reason = format!("{}but it is already {state}", subject("create", value));
    Err(Stop::invalid_state(reason))
}

/// The message side closed the subscription.
pub(crate) fn delete(p: &mut Processing<'_>, _command: &Command, value: &Value) -> Outcome {
    let Some(row) = find(p, value)? else {
        return Err(Stop::not_found(format!(
            "Expected to delete process message subscription for element with key '{}' and message name '{}', but no such subscription was found.",
            value.element_instance_key, value.message_name
        )));
    };
    let record = row.record.clone();
    p.event(row.key, of::ProcessMessageSubscription::Deleted, record)
}

/// The message side brings a message.
pub(crate) fn correlate(p: &mut Processing<'_>, command: &Command, value: &Value) -> Outcome {
    let Some(row) = find(p, value)? else {
        let reason = subject("correlate", value) + "but no such subscription was found";
        return send_back(p, command, value, RejectionType::NotFound, reason);
    };
    if row.state == ProcessMessageSubscriptionState::Closing {
        let reason = subject("correlate", value) + "but it is already closing";
        return send_back(p, command, value, RejectionType::InvalidState, reason);
    }
    // Messages reach a subscription in the order of their keys.
    if value.message_key <= row.record.message_key {
        let reason = "Already correlated this message";
        p.reject(command, Rejection::new(RejectionType::InvalidState, reason))?;
        return acknowledge(p, value);
    }
    let scope = At::find(p, value.element_instance_key)?;
    let event = &row.record.element_id;
    let scope = match scope {
        Some(scope) if triggers::accepts(p, &scope, event)? => scope,
        Some(_) | None => {
            let reason = format!(
                "Expected to correlate a process message subscription with element key '{}' and message name '{}', but the subscription is not active anymore",
                value.element_instance_key, value.message_name
            );
            return send_back(p, command, value, RejectionType::InvalidState, reason);
        }
    };
    let target = scope
        .process()
        .element(event)
        .ok_or_else(|| Stop::fault(format!("no element with id '{event}'")))?;
    let correlated = ProcessMessageSubscriptionRecord {
        message_key: value.message_key,
        variables: value.variables.clone(),
        ..ProcessMessageSubscriptionRecord::clone(&row.record)
    };
    p.event(
        row.key,
        of::ProcessMessageSubscription::Correlated,
        correlated,
    )?;
    triggers::trigger(p, &scope, target, value.variables.clone())?;
    acknowledge(p, value)
}

fn acknowledge(p: &mut Processing<'_>, value: &Value) -> Outcome {
    let command = messages::taken_command(value);
    let to = value.subscription_partition_id;
    p.send(to, Key::NONE, of::MessageSubscription::Correlate, command)
}

fn send_back(
    p: &mut Processing<'_>,
    command: &Command,
    value: &Value,
    kind: RejectionType,
    reason: String,
) -> Outcome {
    p.reject(command, Rejection::new(kind, reason))?;
    let command = messages::refused_command(value);
    let to = value.subscription_partition_id;
    p.send(to, Key::NONE, of::MessageSubscription::Reject, command)
}
