//! MESSAGE PUBLISH and EXPIRE, MESSAGE_BATCH EXPIRE, MESSAGE_CORRELATION CORRELATE.
//!
//! A published message is given at once to everyone who waits for it and is kept for its time to
//! live. A correlated message is never kept: the caller is answered when the first instance has taken
//! it, or told that nobody does.

use std::sync::Arc;

use crate::engine::await_result::Awaited;
use crate::engine::fault::{Outcome, Stop};
use crate::engine::input::Command;
use crate::engine::output::Processing;
use crate::engine::rule::messages;
use crate::ids::{Key, PartitionId};
use crate::record::intent::of;
use crate::record::value::{MessageBatchRecord, MessageCorrelationRecord, MessageRecord};
use crate::record::{Document, RejectionType, Text};

/// Messages expired by one command; a checker that finds more comes again.
pub(crate) const EXPIRED_PER_BATCH: usize = 100;

/// Publishes a message.
pub(crate) fn publish(
    p: &mut Processing<'_>,
    _command: &Command,
    value: &Arc<MessageRecord>,
) -> Outcome {
    at_home(p, &value.correlation_key)?;
    if !value.message_id.is_empty() && p.state().has_message_id(value)? {
        return Err(Stop::reject(
            RejectionType::AlreadyExists,
            format!(
                "Expected to publish a new message with id '{}', but a message with that id was already published",
                value.message_id
            ),
        ));
    }
    let message = Arc::new(MessageRecord {
        deadline: p.now.plus_millis(value.time_to_live),
        ..MessageRecord::clone(value)
    });
    let key = p.next_key();
    p.event(key, of::Message::Published, message.clone())?;
    p.respond(key, of::Message::Published, message.clone());
    let reached = messages::correlate(p, key, &message)?;
    messages::tell(p, &reached)?;
    if message.time_to_live <= 0 {
        p.event(key, of::Message::Expired, without_payload(&message))?;
    }
    Ok(())
}

/// A message belongs to the partition of its correlation key.
fn at_home(p: &Processing<'_>, correlation_key: &Text) -> Outcome {
    let home = PartitionId::of_correlation_key(correlation_key, p.config.partition_count);
    if home == p.partition() {
        return Ok(());
    }
    Err(Stop::invalid_state(
        "The message has not been routed to the right partition. This is probably a temporary issue, please retry in a few seconds",
    ))
}

/// What EXPIRED says of a message.
fn without_payload(message: &MessageRecord) -> MessageRecord {
    MessageRecord {
        variables: Document::EMPTY,
        ..message.clone()
    }
}

/// Ends the life of one message.
pub(crate) fn expire(
    p: &mut Processing<'_>,
    command: &Command,
    _value: &Arc<MessageRecord>,
) -> Outcome {
    let key = command.key;
    let Some(row) = p.state().messages.get(&key)? else {
        return Err(Stop::not_found(format!(
            "Expected to expire message with key '{key}', but no such message was found"
        )));
    };
    p.event(key, of::Message::Expired, without_payload(&row.record))
}

/// Ends the lives of messages; those that are gone already are passed over.
pub(crate) fn expire_batch(
    p: &mut Processing<'_>,
    _command: &Command,
    value: &Arc<MessageBatchRecord>,
) -> Outcome {
    for key in &value.message_keys {
        if let Some(row) = p.state().messages.get(key)? {
            p.event(*key, of::Message::Expired, without_payload(&row.record))?;
        }
    }
    Ok(())
}

/// Publishes a message and waits for the instance that takes it.
pub(crate) fn correlate(
    p: &mut Processing<'_>,
    command: &Command,
    value: &Arc<MessageCorrelationRecord>,
) -> Outcome {
    at_home(p, &value.correlation_key)?;
    let key = p.next_key();
    let record = MessageCorrelationRecord {
        message_key: key,
        ..MessageCorrelationRecord::clone(value)
    };
    let message = MessageRecord {
        name: value.name.clone(),
        correlation_key: value.correlation_key.clone(),
        time_to_live: -1,
        variables: value.variables.clone(),
        tenant_id: value.tenant_id.clone(),
        ..MessageRecord::default()
    };
    p.event(key, of::Message::Published, message.clone())?;
    p.event(key, of::MessageCorrelation::Correlating, record.clone())?;
    let reached = messages::correlate(p, key, &message)?;
    if reached.nobody() {
        p.event(key, of::MessageCorrelation::NotCorrelated, record)?;
        p.event(key, of::Message::Expired, without_payload(&message))?;
        return Err(Stop::not_found(nobody(value, &reached.locked)));
    }
    match reached.started {
        Some(instance) => {
            let record = Arc::new(MessageCorrelationRecord {
                process_instance_key: instance,
                ..record
            });
            p.event(key, of::MessageCorrelation::Correlated, record.clone())?;
            p.respond(key, of::MessageCorrelation::Correlated, record);
        }
        None => await_instance(p, command, key),
    }
    messages::tell(p, &reached)?;
    p.event(key, of::Message::Expired, without_payload(&message))
}

/// The caller is answered when an instance has taken the message.
fn await_instance(p: &mut Processing<'_>, command: &Command, message: Key) {
    if let Some(request) = command.request {
        let awaited = Awaited {
            request,
            fetch_variables: Vec::new(),
        };
        p.awaited.insert(message, awaited);
    }
}

fn nobody(value: &MessageCorrelationRecord, locked: &[Text]) -> String {
    let (name, correlation_key) = (&value.name, &value.correlation_key);
    if locked.is_empty() {
        return format!(
            "Expected to find subscription for message with name '{name}' and correlation key '{correlation_key}', but none was found."
        );
    }
    let locked: Vec<&str> = locked.iter().map(Text::as_str).collect();
    format!(
        "Expected to find subscription for message with name '{name}' and correlation key '{correlation_key}', but no active subscription was found. A process instance with this correlation key is already active for a message start event with this message name in process IDs [{}]. Only one active process instance per correlation key is allowed for message start events.",
        locked.join(", ")
    )
}
