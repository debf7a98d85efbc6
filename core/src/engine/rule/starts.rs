//! Process instances that events start, and the subscriptions of start events.
//!
//! Only the newest version of a process is subscribed. Message and signal subscriptions exist on
//! every partition, timers on partition 1 only. The trigger waits under the key of the definition,
//! for the instance whose key was chosen with it.

use crate::engine::fault::{Outcome, Stop};
use crate::engine::lifecycle::At;
use crate::engine::output::Processing;
use crate::engine::rule::{conditions, expressions, messages, timers};
use crate::ids::{Key, PartitionId};
use crate::model::{CatchEvent, CatchEventRef, Element, Process};
use crate::record::intent::of;
use crate::record::value::{
    MessageStartEventSubscriptionRecord, ProcessEventRecord, ProcessInstanceRecord, ProcessRecord,
    SignalSubscriptionRecord,
};
use crate::record::{Document, RejectionType, Text};
use crate::state::StartLockRow;

/// Starts the instance `instance` of a definition at one of its start events.
pub(crate) fn start(
    p: &mut Processing<'_>,
    definition: Key,
    instance: Key,
    start_event: &Text,
    variables: Document,
) -> Outcome {
    let definition = p.definition(definition)?;
    let event = p.next_key();
    let triggering = ProcessEventRecord {
        scope_key: definition.key(),
        target_element_id: start_event.clone(),
        variables,
        process_definition_key: definition.key(),
        process_instance_key: instance,
        tenant_id: definition.record.tenant_id.clone(),
    };
    p.event(event, of::ProcessEvent::Triggering, triggering)?;
    let root = definition.process.root();
    let record = ProcessInstanceRecord {
        bpmn_process_id: definition.record.bpmn_process_id.clone(),
        version: definition.record.version,
        process_definition_key: definition.key(),
        process_instance_key: instance,
        root_process_instance_key: instance,
        element_id: root.id.clone(),
        bpmn_element_type: root.element_type,
        tenant_id: definition.record.tenant_id.clone(),
        ..ProcessInstanceRecord::default()
    };
    p.command(instance, of::ProcessInstance::ActivateElement, record)
}

fn start_events(process: &Process) -> impl Iterator<Item = (&Element, &CatchEvent)> {
    process.start_events().iter().filter_map(|id| {
        let element = &process[*id];
        match element.catch_event() {
            Some(CatchEventRef::Event(event)) => Some((element, event)),
            Some(CatchEventRef::Message(_)) | None => None,
        }
    })
}

/// Refuses a process whose start events cannot be evaluated without variables. Asked before anything
/// is written: what follows from it evaluates the same again.
pub(crate) fn check(p: &Processing<'_>, process: &Process) -> Outcome {
    for (element, event) in start_events(process) {
        let result = match event {
            CatchEvent::Timer(timer) => timers::first(p, timer, Key::NONE).map(|_| ()),
            CatchEvent::Message(message) => {
                expressions::text(p, &message.name, Key::NONE).map(|_| ())
            }
            CatchEvent::Signal(name) => expressions::text(p, name, Key::NONE).map(|_| ()),
            CatchEvent::None
            | CatchEvent::Error(_)
            | CatchEvent::Escalation(_)
            | CatchEvent::Conditional(_)
            | CatchEvent::Link(_)
            | CatchEvent::Compensation { .. } => Ok(()),
        };
        result.map_err(|stop| match stop {
            Stop::Incident(failure) => {
                let reason = format!(
                    "Expected to create the subscription of the start event '{}', but an error occurred: {}",
                    element.id, failure.message
                );
                Stop::reject(RejectionType::ProcessingError, reason)
            }
            Stop::Reject(_) | Stop::TooLarge | Stop::Fault(_) => stop,
        })?;
    }
    Ok(())
}

/// Opens the timers of the start events of a definition that became the latest of its id. Belongs
/// in front of DEPLOYMENT CREATED, on the deployment partition only.
pub(crate) fn open_timers(
    p: &mut Processing<'_>,
    definition: &ProcessRecord,
    process: &Process,
) -> Outcome {
    if p.partition() != PartitionId::DEPLOYMENT {
        return Ok(());
    }
    for (element, event) in start_events(process) {
        let CatchEvent::Timer(timer) = event else {
            continue;
        };
        let occurrence = timers::first(p, timer, Key::NONE)?;
        let waiting =
            timers::Waiting::start(definition.process_definition_key, &definition.tenant_id);
        timers::create(p, &waiting, &element.id, occurrence)?;
    }
    Ok(())
}

/// Cancels the timers of the start events of a definition.
pub(crate) fn close_timers(p: &mut Processing<'_>, definition: Key) -> Outcome {
    for key in p.state().timers.members(&Key::NONE)? {
        if let Some(row) = p.state().timers.get(&Key::NONE, &key)?
            && row.record.process_definition_key == definition
        {
            p.event(key, of::Timer::Canceled, row.record.clone())?;
        }
    }
    Ok(())
}

/// Opens the message, signal and conditional subscriptions of the start events of a definition that became the
/// latest of its id.
pub(crate) fn open(
    p: &mut Processing<'_>,
    definition: &ProcessRecord,
    process: &Process,
) -> Outcome {
    for (element, event) in start_events(process) {
        match event {
            CatchEvent::Message(message) => {
                let record = MessageStartEventSubscriptionRecord {
                    process_definition_key: definition.process_definition_key,
                    bpmn_process_id: definition.bpmn_process_id.clone(),
                    message_name: expressions::text(p, &message.name, Key::NONE)?,
                    start_event_id: element.id.clone(),
                    tenant_id: definition.tenant_id.clone(),
                    ..MessageStartEventSubscriptionRecord::default()
                };
                let key = p.next_key();
                p.event(key, of::MessageStartEventSubscription::Created, record)?;
            }
            CatchEvent::Signal(name) => {
                let record = SignalSubscriptionRecord {
                    process_definition_key: definition.process_definition_key,
                    bpmn_process_id: definition.bpmn_process_id.clone(),
                    signal_name: expressions::text(p, name, Key::NONE)?,
                    catch_event_id: element.id.clone(),
                    tenant_id: definition.tenant_id.clone(),
                    ..SignalSubscriptionRecord::default()
                };
                let key = p.next_key();
                p.event(key, of::SignalSubscription::Created, record)?;
            }
            CatchEvent::Conditional(conditional) => {
                conditions::open_start(p, definition, element, conditional)?;
            }
            CatchEvent::None
            | CatchEvent::Timer(_)
            | CatchEvent::Error(_)
            | CatchEvent::Escalation(_)
            | CatchEvent::Link(_)
            | CatchEvent::Compensation { .. } => {}
        }
    }
    Ok(())
}

/// Closes the message, signal and conditional subscriptions of the start events of a definition.
pub(crate) fn close(p: &mut Processing<'_>, definition: &ProcessRecord) -> Outcome {
    let key = definition.process_definition_key;
    for name in p.state().message_starts_by_definition.members(&key)? {
        let address = (definition.tenant_id.clone(), name);
        if let Some(row) = p.state().message_starts.get(&address, &key)? {
            p.event(
                row.key,
                of::MessageStartEventSubscription::Deleted,
                row.record.clone(),
            )?;
        }
    }
    for row in p.state().signal_subscriptions_of(key)? {
        p.event(row.key, of::SignalSubscription::Deleted, row.record.clone())?;
    }
    conditions::close_starts(p, key)
}

/// Whether a message can start the process.
pub(crate) fn has_message_start(process: &Process) -> bool {
    start_events(process).any(|(_, event)| matches!(event, CatchEvent::Message(_)))
}

/// The lock that a root instance holds because a message started it. Asked before the instance
/// ends, which releases it.
pub(crate) fn held_lock(p: &Processing<'_>, at: &At) -> Outcome<Option<StartLockRow>> {
    if !has_message_start(at.process()) {
        return Ok(None);
    }
    let lock = p.state().message_locked_instances.get(&at.key)?;
    Ok(lock.map(|lock| StartLockRow::clone(&lock)))
}

/// An instance that held a lock ended: the oldest buffered message for it starts the next one, with
/// the newest version of the process.
pub(crate) fn after_instance(p: &mut Processing<'_>, lock: &StartLockRow) -> Outcome {
    let latest = p
        .state()
        .latest_definition(&lock.tenant_id, &lock.bpmn_process_id)?;
    let Some(latest) = latest else {
        return Ok(());
    };
    let definition = latest.record.process_definition_key;
    let mut oldest: Option<(Key, _, _)> = None;
    for name in p
        .state()
        .message_starts_by_definition
        .members(&definition)?
    {
        let address = (
            lock.tenant_id.clone(),
            name.clone(),
            lock.correlation_key.clone(),
        );
        let next = p
            .state()
            .next_message(&address, &lock.bpmn_process_id, p.now)?;
        let Some((key, message)) = next else {
            continue;
        };
        if oldest.as_ref().is_none_or(|(known, ..)| key < *known) {
            oldest = Some((key, message, name));
        }
    }
    let Some((key, message, name)) = oldest else {
        return Ok(());
    };
    let address = (lock.tenant_id.clone(), name);
    if let Some(row) = p.state().message_starts.get(&address, &definition)? {
        messages::start(p, row.key, &row.record, key, &message.record)?;
    }
    Ok(())
}
