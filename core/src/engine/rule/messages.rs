//! Messages meet those who wait for them.
//!
//! A message is given at most once to each process, all versions together: to the waiting instance
//! with the lowest element instance key that takes it, or by a start event to a new instance. The
//! commands by which the two partitions of a subscription talk are made here.

use std::sync::Arc;

use crate::engine::fault::Outcome;
use crate::engine::output::Processing;
use crate::engine::rule::starts;
use crate::ids::Key;
use crate::record::intent::of;
use crate::record::value::{
    MessageRecord, MessageStartEventSubscriptionRecord, MessageSubscriptionRecord,
    ProcessMessageSubscriptionRecord,
};
use crate::record::{Document, Text};
use crate::state::MessageSubscriptionRow;

/// Whom a message reached.
#[derive(Debug, Default)]
pub(crate) struct Reached {
    /// Subscriptions that take it, not told yet.
    waiting: Vec<Arc<MessageSubscriptionRecord>>,
    /// Processes that have it.
    processes: Vec<Text>,
    /// The first instance it started.
    pub(crate) started: Option<Key>,
    /// Processes it cannot start because an instance holds their correlation key.
    pub(crate) locked: Vec<Text>,
}

impl Reached {
    /// True if nobody takes the message.
    pub(crate) fn nobody(&self) -> bool {
        self.processes.is_empty()
    }
}

/// Gives a message to waiting instances and start events.
pub(crate) fn correlate(
    p: &mut Processing<'_>,
    key: Key,
    message: &MessageRecord,
) -> Outcome<Reached> {
    let mut reached = Reached::default();
    let address = (
        message.tenant_id.clone(),
        message.name.clone(),
        message.correlation_key.clone(),
    );
    for row in p.state().subscriptions_at(&address)? {
        if !row.correlating && !reached.processes.contains(&row.record.bpmn_process_id) {
            let record = take(p, &row, key, &message.variables)?;
            reached.processes.push(record.bpmn_process_id.clone());
            reached.waiting.push(record);
        }
    }
    start_instances(p, key, message, &mut reached)?;
    Ok(reached)
}

/// Lets a subscription take a message.
fn take(
    p: &mut Processing<'_>,
    row: &MessageSubscriptionRow,
    message: Key,
    variables: &Document,
) -> Outcome<Arc<MessageSubscriptionRecord>> {
    let record = Arc::new(MessageSubscriptionRecord {
        message_key: message,
        variables: variables.clone(),
        ..MessageSubscriptionRecord::clone(&row.record)
    });
    p.event(
        row.key,
        of::MessageSubscription::Correlating,
        record.clone(),
    )?;
    Ok(record)
}

fn start_instances(
    p: &mut Processing<'_>,
    key: Key,
    message: &MessageRecord,
    reached: &mut Reached,
) -> Outcome {
    let name = (message.tenant_id.clone(), message.name.clone());
    let starts: Vec<_> = p
        .state()
        .message_starts
        .with(&name, |rows| rows.values().cloned().collect())?;
    for row in starts {
        let subscription = &row.record;
        let process = &subscription.bpmn_process_id;
        if reached.processes.contains(process) {
            continue;
        }
        let correlation_key = &message.correlation_key;
        if !correlation_key.is_empty()
            && p.state()
                .is_start_locked(&message.tenant_id, process, correlation_key)?
        {
            reached.locked.push(process.clone());
            continue;
        }
        let instance = start(p, row.key, subscription, key, message)?;
        reached.started = reached.started.or(Some(instance));
        reached.processes.push(process.clone());
    }
    Ok(())
}

/// Starts an instance with a message.
pub(crate) fn start(
    p: &mut Processing<'_>,
    subscription_key: Key,
    subscription: &MessageStartEventSubscriptionRecord,
    message_key: Key,
    message: &MessageRecord,
) -> Outcome<Key> {
    let instance = p.next_key();
    let record = MessageStartEventSubscriptionRecord {
        process_instance_key: instance,
        message_key,
        correlation_key: message.correlation_key.clone(),
        variables: message.variables.clone(),
        ..subscription.clone()
    };
    p.event(
        subscription_key,
        of::MessageStartEventSubscription::Correlated,
        record,
    )?;
    starts::start(
        p,
        subscription.process_definition_key,
        instance,
        &subscription.start_event_id,
        message.variables.clone(),
    )?;
    Ok(instance)
}

/// Tells the instances that take the message.
pub(crate) fn tell(p: &mut Processing<'_>, reached: &Reached) -> Outcome {
    for subscription in &reached.waiting {
        send_correlate(p, subscription)?;
    }
    Ok(())
}

/// Gives the oldest buffered message to a subscription that is free. True if there is one.
pub(crate) fn correlate_next(
    p: &mut Processing<'_>,
    key: Key,
    subscription: &Arc<MessageSubscriptionRecord>,
) -> Outcome<bool> {
    let address = (
        subscription.tenant_id.clone(),
        subscription.message_name.clone(),
        subscription.correlation_key.clone(),
    );
    let process = &subscription.bpmn_process_id;
    let Some((message_key, message)) = p.state().next_message(&address, process, p.now)? else {
        return Ok(false);
    };
    let row = MessageSubscriptionRow {
        key,
        record: subscription.clone(),
        correlating: false,
    };
    let record = take(p, &row, message_key, &message.record.variables)?;
    send_correlate(p, &record)?;
    Ok(true)
}

/// Gives a message that an instance refused to another instance of the same process. True if there
/// is one that takes it.
pub(crate) fn correlate_other(
    p: &mut Processing<'_>,
    refused: &MessageSubscriptionRecord,
) -> Outcome<bool> {
    let Some(message) = p.state().messages.get(&refused.message_key)? else {
        return Ok(false);
    };
    let address = (
        refused.tenant_id.clone(),
        refused.message_name.clone(),
        refused.correlation_key.clone(),
    );
    let other = p
        .state()
        .subscriptions_at(&address)?
        .into_iter()
        .find(|row| !row.correlating && row.record.bpmn_process_id == refused.bpmn_process_id);
    let Some(row) = other else {
        return Ok(false);
    };
    let record = take(p, &row, refused.message_key, &message.record.variables)?;
    send_correlate(p, &record)?;
    Ok(true)
}

/// The message's side does not know the root of the instance. Where both sides are one partition the
/// reference's log has it nevertheless, because the command is completed before it is written.
fn send_correlate(p: &mut Processing<'_>, record: &MessageSubscriptionRecord) -> Outcome {
    let mut command = correlate_command(p.partition(), record);
    let to = record.process_instance_key.partition();
    if to == p.partition() {
        let subscriptions = &p.state().process_message_subscriptions;
        let row = subscriptions.get(&record.element_instance_key, &record.message_name)?;
        if let Some(row) = row {
            command.root_process_instance_key = row.record.root_process_instance_key;
        }
    }
    p.send(
        to,
        Key::NONE,
        of::ProcessMessageSubscription::Correlate,
        command,
    )
}

/// To the instance: a message for it. `from` is the partition of the message.
pub(crate) fn correlate_command(
    from: crate::ids::PartitionId,
    record: &MessageSubscriptionRecord,
) -> ProcessMessageSubscriptionRecord {
    ProcessMessageSubscriptionRecord {
        message_key: record.message_key,
        variables: record.variables.clone(),
        bpmn_process_id: record.bpmn_process_id.clone(),
        process_definition_key: record.process_definition_key,
        correlation_key: record.correlation_key.clone(),
        element_id: record.element_id.clone(),
        ..opened_command(from, record)
    }
}

/// To the instance: the subscription is open.
pub(crate) fn opened_command(
    from: crate::ids::PartitionId,
    record: &MessageSubscriptionRecord,
) -> ProcessMessageSubscriptionRecord {
    ProcessMessageSubscriptionRecord {
        interrupting: record.interrupting,
        ..closed_command(from, record)
    }
}

/// To the instance: the subscription is closed.
pub(crate) fn closed_command(
    from: crate::ids::PartitionId,
    record: &MessageSubscriptionRecord,
) -> ProcessMessageSubscriptionRecord {
    ProcessMessageSubscriptionRecord {
        subscription_partition_id: from,
        process_instance_key: record.process_instance_key,
        element_instance_key: record.element_instance_key,
        message_name: record.message_name.clone(),
        tenant_id: record.tenant_id.clone(),
        ..ProcessMessageSubscriptionRecord::default()
    }
}

/// To the message side: open a subscription.
pub(crate) fn open_command(record: &ProcessMessageSubscriptionRecord) -> MessageSubscriptionRecord {
    MessageSubscriptionRecord {
        process_instance_key: record.process_instance_key,
        element_instance_key: record.element_instance_key,
        bpmn_process_id: record.bpmn_process_id.clone(),
        process_definition_key: record.process_definition_key,
        message_name: record.message_name.clone(),
        correlation_key: record.correlation_key.clone(),
        interrupting: record.interrupting,
        tenant_id: record.tenant_id.clone(),
        element_id: record.element_id.clone(),
        ..MessageSubscriptionRecord::default()
    }
}

/// To the message side: close a subscription.
pub(crate) fn close_command(
    record: &ProcessMessageSubscriptionRecord,
) -> MessageSubscriptionRecord {
    MessageSubscriptionRecord {
        process_instance_key: record.process_instance_key,
        element_instance_key: record.element_instance_key,
        message_name: record.message_name.clone(),
        tenant_id: record.tenant_id.clone(),
        ..MessageSubscriptionRecord::default()
    }
}

/// To the message side: the message was taken.
pub(crate) fn taken_command(
    record: &ProcessMessageSubscriptionRecord,
) -> MessageSubscriptionRecord {
    MessageSubscriptionRecord {
        message_key: record.message_key,
        bpmn_process_id: record.bpmn_process_id.clone(),
        ..close_command(record)
    }
}

/// To the message side: the message was refused, and another instance may have it.
pub(crate) fn refused_command(
    record: &ProcessMessageSubscriptionRecord,
) -> MessageSubscriptionRecord {
    MessageSubscriptionRecord {
        correlation_key: record.correlation_key.clone(),
        ..taken_command(record)
    }
}
