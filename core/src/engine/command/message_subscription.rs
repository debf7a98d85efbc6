//! MESSAGE_SUBSCRIPTION CREATE, CORRELATE, REJECT, MIGRATE, DELETE: the message side of a subscription.
//!
//! Every command may arrive twice, because the instance side sends it again until it is answered. A
//! repeated one is refused, and answered once more where the answer may have been lost.
//!
//! | command | events | answer to the instance |
//! |---|---|---|
//! | CREATE | CREATED, CORRELATING if a message is kept | CREATE, or CORRELATE |
//! | CORRELATE | CORRELATED, CORRELATING if another message is kept | CORRELATE for that one |
//! | REJECT | REJECTED, CORRELATING of another instance | - |
//! | MIGRATE | MIGRATED | acknowledgement, if it was distributed |
//! | DELETE | DELETED | DELETE |

use std::sync::Arc;

use crate::engine::distribute;
use crate::engine::effect::Response;
use crate::engine::fault::{Outcome, Stop};
use crate::engine::input::Command;
use crate::engine::output::Processing;
use crate::engine::rule::messages;
use crate::ids::Key;
use crate::record::intent::of;
use crate::record::value::{MessageCorrelationRecord, MessageSubscriptionRecord};
use crate::record::{Rejection, RejectionType};
use crate::state::MessageSubscriptionRow;

type Value = Arc<MessageSubscriptionRecord>;

fn find(p: &Processing<'_>, value: &Value) -> Outcome<Option<std::rc::Rc<MessageSubscriptionRow>>> {
    let id = (value.element_instance_key, value.message_name.clone());
    Ok(p.state().message_subscriptions.get(&id)?)
}

/// Opens a subscription.
pub(crate) fn create(p: &mut Processing<'_>, command: &Command, value: &Value) -> Outcome {
    if find(p, value)?.is_some() {
        let reason = format!(
            "Expected to open a new message subscription for element with key '{}' and message name '{}', but there is already a message subscription for that element key and message name opened",
            value.element_instance_key, value.message_name
        );
        p.reject(command, Rejection::new(RejectionType::InvalidState, reason))?;
        return tell_opened(p, value);
    }
    let key = p.next_key();
    p.event(key, of::MessageSubscription::Created, value.clone())?;
    if messages::correlate_next(p, key, value)? {
        return Ok(());
    }
    tell_opened(p, value)
}

fn tell_opened(p: &mut Processing<'_>, value: &Value) -> Outcome {
    let command = messages::opened_command(p.partition(), value);
    tell(p, value, of::ProcessMessageSubscription::Create, command)
}

fn tell(
    p: &mut Processing<'_>,
    value: &Value,
    intent: of::ProcessMessageSubscription,
    command: crate::record::value::ProcessMessageSubscriptionRecord,
) -> Outcome {
    let to = value.process_instance_key.partition();
    p.send(to, Key::NONE, intent, command)
}

/// The instance took the message.
pub(crate) fn correlate(p: &mut Processing<'_>, _command: &Command, value: &Value) -> Outcome {
    let Some(row) = find(p, value)? else {
        return Err(Stop::not_found(format!(
            "Expected to correlate subscription for element with key '{}' and message name '{}', but no such message subscription exists",
            value.element_instance_key, value.message_name
        )));
    };
    let acknowledged = format!(
        "Expected to acknowledge correlating message with key '{}' to subscription with key '{}'",
        value.message_key, row.key
    );
    if row.record.message_key != value.message_key {
        return Err(Stop::invalid_state(format!(
            "{acknowledged} but the subscription is already correlating to another message with key '{}'",
            row.record.message_key
        )));
    }
    if !row.correlating {
        return Err(Stop::invalid_state(format!(
            "{acknowledged} but the subscription has already been correlated'"
        )));
    }
    let record = row.record.clone();
    p.event(row.key, of::MessageSubscription::Correlated, record.clone())?;
    if p.state()
        .awaited_correlations
        .contains(&record.message_key)?
    {
        let correlation = Arc::new(MessageCorrelationRecord {
            process_instance_key: record.process_instance_key,
            ..correlation(&record)
        });
        let key = record.message_key;
        p.event(key, of::MessageCorrelation::Correlated, correlation.clone())?;
        if let Some(awaited) = p.awaited.remove(key) {
            p.answer(Response {
                request: awaited.request,
                key,
                intent: of::MessageCorrelation::Correlated.into(),
                value: correlation.into(),
                rejection: None,
            });
        }
    }
    if !record.interrupting {
        messages::correlate_next(p, row.key, &record)?;
    }
    Ok(())
}

fn correlation(record: &MessageSubscriptionRecord) -> MessageCorrelationRecord {
    MessageCorrelationRecord {
        name: record.message_name.clone(),
        correlation_key: record.correlation_key.clone(),
        variables: record.variables.clone(),
        tenant_id: record.tenant_id.clone(),
        message_key: record.message_key,
        ..MessageCorrelationRecord::default()
    }
}

/// The instance did not take the message: another one of its process may.
pub(crate) fn refuse(p: &mut Processing<'_>, command: &Command, value: &Value) -> Outcome {
    p.event(
        command.key,
        of::MessageSubscription::Rejected,
        value.clone(),
    )?;
    if messages::correlate_other(p, value)? {
        return Ok(());
    }
    let key = value.message_key;
    if !p.state().awaited_correlations.contains(&key)? {
        return Ok(());
    }
    let correlation = Arc::new(correlation(value));
    p.event(
        key,
        of::MessageCorrelation::NotCorrelated,
        correlation.clone(),
    )?;
    if let Some(awaited) = p.awaited.remove(key) {
        let reason = format!(
            "Expected to find subscription for message with name '{}' and correlation key '{}', but none was found.",
            value.message_name, value.correlation_key
        );
        p.answer(Response {
            request: awaited.request,
            key,
            intent: of::MessageCorrelation::Correlate.into(),
            value: correlation.into(),
            rejection: Some(Rejection::new(RejectionType::NotFound, reason)),
        });
    }
    Ok(())
}

/// The instance goes on under another definition.
pub(crate) fn migrate(p: &mut Processing<'_>, command: &Command, value: &Value) -> Outcome {
    let intent = of::MessageSubscription::Migrated;
    p.event(command.key, intent, value.clone())?;
    if distribute::is_distributed(p, command.key) {
        distribute::acknowledge(p, command.key, of::MessageSubscription::Migrate)?;
    }
    Ok(())
}

/// Closes a subscription.
pub(crate) fn delete(p: &mut Processing<'_>, command: &Command, value: &Value) -> Outcome {
    match find(p, value)? {
        Some(row) => {
            let record = row.record.clone();
            p.event(row.key, of::MessageSubscription::Deleted, record)?;
        }
        None => {
            let reason = format!(
                "Expected to close message subscription for element with key '{}' and message name '{}', but no such message subscription exists",
                value.element_instance_key, value.message_name
            );
            p.reject(command, Rejection::new(RejectionType::NotFound, reason))?;
        }
    }
    let closed = messages::closed_command(p.partition(), value);
    tell(p, value, of::ProcessMessageSubscription::Delete, closed)
}
