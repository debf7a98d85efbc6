//! MESSAGE, MESSAGE_SUBSCRIPTION, PROCESS_MESSAGE_SUBSCRIPTION, MESSAGE_START_EVENT_SUBSCRIPTION and
//! MESSAGE_CORRELATION events.
//!
//! A message is given to a process at most once; that it was is noted with the message and goes with
//! it. Both sides of a subscription keep the message key of the last correlation, which tells a
//! repeated command from a new one, and its variables.

use std::sync::Arc;

use crate::engine::apply::{Applied, missing};
use crate::engine::output::Applying;
use crate::ids::Key;
use crate::record::value::{
    MessageCorrelationRecord, MessageRecord, MessageStartEventSubscriptionRecord,
    MessageSubscriptionRecord, ProcessMessageSubscriptionRecord,
};
use crate::state::{
    MessageCorrelationRow, MessageStartRow, MessageSubscriptionRow, ProcessMessageSubscriptionRow,
    ProcessMessageSubscriptionState, StartLockRow, Unit,
};

type Subscription = Arc<MessageSubscriptionRecord>;
type ProcessSubscription = Arc<ProcessMessageSubscriptionRecord>;
type StartSubscription = Arc<MessageStartEventSubscriptionRecord>;

pub(super) fn published(a: &mut Applying<'_>, key: Key, value: &Arc<MessageRecord>) -> Applied {
    Ok(a.state.insert_message(key, value.clone())?)
}

pub(super) fn expired(a: &mut Applying<'_>, key: Key, _value: &Arc<MessageRecord>) -> Applied {
    Ok(a.state.remove_message(key)?)
}

pub(super) fn correlating_request(
    a: &mut Applying<'_>,
    key: Key,
    value: &Arc<MessageCorrelationRecord>,
) -> Applied {
    let record = value.clone();
    a.state
        .awaited_correlations
        .insert_new(key, MessageCorrelationRow { record });
    Ok(())
}

pub(super) fn correlation_ended(
    a: &mut Applying<'_>,
    key: Key,
    _value: &Arc<MessageCorrelationRecord>,
) -> Applied {
    Ok(a.state.awaited_correlations.remove(&key)?)
}

pub(super) fn subscription_created(
    a: &mut Applying<'_>,
    key: Key,
    value: &Subscription,
) -> Applied {
    Ok(a.state.put_message_subscription(MessageSubscriptionRow {
        key,
        record: value.clone(),
        correlating: false,
    })?)
}

pub(super) fn subscription_correlating(
    a: &mut Applying<'_>,
    key: Key,
    value: &Subscription,
) -> Applied {
    note_correlation(a, value.message_key, value)?;
    Ok(a.state.put_message_subscription(MessageSubscriptionRow {
        key,
        record: value.clone(),
        correlating: true,
    })?)
}

/// The message must not reach the process a second time; a message that is gone cannot.
fn note_correlation(a: &mut Applying<'_>, message: Key, value: &Subscription) -> Applied {
    if a.state.messages.contains(&message)? {
        let process = value.bpmn_process_id.clone();
        a.state
            .message_correlations
            .put(message, process, Unit {})?;
    }
    Ok(())
}

pub(super) fn subscription_correlated(
    a: &mut Applying<'_>,
    key: Key,
    value: &Subscription,
) -> Applied {
    if value.interrupting {
        return remove_subscription(a, value);
    }
    Ok(a.state.put_message_subscription(MessageSubscriptionRow {
        key,
        record: value.clone(),
        correlating: false,
    })?)
}

/// The instance refused the message: it may go to another instance of the process.
pub(super) fn subscription_rejected(
    a: &mut Applying<'_>,
    _key: Key,
    value: &Subscription,
) -> Applied {
    a.state
        .message_correlations
        .remove(&value.message_key, &value.bpmn_process_id)?;
    remove_subscription(a, value)
}

pub(super) fn subscription_deleted(
    a: &mut Applying<'_>,
    _key: Key,
    value: &Subscription,
) -> Applied {
    remove_subscription(a, value)
}

fn remove_subscription(a: &mut Applying<'_>, value: &Subscription) -> Applied {
    Ok(a.state
        .remove_message_subscription(value.element_instance_key, &value.message_name)?)
}

pub(super) fn process_subscription_creating(
    a: &mut Applying<'_>,
    key: Key,
    value: &ProcessSubscription,
) -> Applied {
    put_process_subscription(a, key, value, ProcessMessageSubscriptionState::Opening)
}

pub(super) fn process_subscription_created(
    a: &mut Applying<'_>,
    key: Key,
    value: &ProcessSubscription,
) -> Applied {
    put_process_subscription(a, key, value, ProcessMessageSubscriptionState::Opened)
}

pub(super) fn process_subscription_deleting(
    a: &mut Applying<'_>,
    key: Key,
    value: &ProcessSubscription,
) -> Applied {
    put_process_subscription(a, key, value, ProcessMessageSubscriptionState::Closing)
}

pub(super) fn process_subscription_correlated(
    a: &mut Applying<'_>,
    key: Key,
    value: &ProcessSubscription,
) -> Applied {
    if value.interrupting {
        return process_subscription_deleted(a, key, value);
    }
    put_process_subscription(a, key, value, ProcessMessageSubscriptionState::Opened)
}

pub(super) fn process_subscription_deleted(
    a: &mut Applying<'_>,
    _key: Key,
    value: &ProcessSubscription,
) -> Applied {
    Ok(a.state
        .remove_process_subscription(value.element_instance_key, &value.message_name)?)
}

fn put_process_subscription(
    a: &mut Applying<'_>,
    key: Key,
    value: &ProcessSubscription,
    state: ProcessMessageSubscriptionState,
) -> Applied {
    Ok(a.state
        .put_process_subscription(ProcessMessageSubscriptionRow {
            key,
            record: value.clone(),
            state,
        })?)
}

pub(super) fn start_subscription_created(
    a: &mut Applying<'_>,
    key: Key,
    value: &StartSubscription,
) -> Applied {
    let record = value.clone();
    Ok(a.state.put_message_start(MessageStartRow { key, record })?)
}

pub(super) fn start_subscription_correlated(
    a: &mut Applying<'_>,
    _key: Key,
    value: &StartSubscription,
) -> Applied {
    if a.state.messages.contains(&value.message_key)? {
        a.state.message_correlations.put(
            value.message_key,
            value.bpmn_process_id.clone(),
            Unit {},
        )?;
    }
    if !value.correlation_key.is_empty() {
        let lock = StartLockRow {
            tenant_id: value.tenant_id.clone(),
            bpmn_process_id: value.bpmn_process_id.clone(),
            correlation_key: value.correlation_key.clone(),
        };
        a.state.lock_start(value.process_instance_key, lock)?;
    }
    Ok(())
}

pub(super) fn start_subscription_deleted(
    a: &mut Applying<'_>,
    _key: Key,
    value: &StartSubscription,
) -> Applied {
    Ok(a.state.remove_message_start(
        &value.tenant_id,
        &value.message_name,
        value.process_definition_key,
    )?)
}

pub(super) fn process_subscription_migrated(
    a: &mut Applying<'_>,
    key: Key,
    value: &ProcessSubscription,
) -> Applied {
    let element = value.element_instance_key;
    let known = &a.state.process_message_subscriptions;
    match known.get(&element, &value.message_name)? {
        Some(row) => put_process_subscription(a, key, value, row.state),
        None => Err(missing("subscription of element instance", element)),
    }
}

/// The subscription may be gone when the message side learns of the migration.
pub(super) fn subscription_migrated(
    a: &mut Applying<'_>,
    _key: Key,
    value: &Subscription,
) -> Applied {
    let id = (value.element_instance_key, value.message_name.clone());
    let Some(row) = a.state.message_subscriptions.get(&id)? else {
        return Ok(());
    };
    let record = MessageSubscriptionRecord {
        bpmn_process_id: value.bpmn_process_id.clone(),
        process_definition_key: value.process_definition_key,
        element_id: value.element_id.clone(),
        interrupting: value.interrupting,
        ..MessageSubscriptionRecord::clone(&row.record)
    };
    Ok(a.state.put_message_subscription(MessageSubscriptionRow {
        key: row.key,
        record: Arc::new(record),
        correlating: row.correlating,
    })?)
}
