//! What an element instance waits for: opened when it activates, closed when it leaves.
//!
//! All expressions are evaluated before anything is opened, so that a failure leaves no half. Opened
//! by kind: messages, timers, signals, conditions; closed: timers, messages, signals, conditions. Errors, escalations and
//! compensation are found by looking when they are thrown and need no subscription.
//!
//! A message subscription has a second half on the partition of its correlation key, reached by
//! commands that are sent again until they are confirmed; see
//! [`process_message_subscription`](crate::engine::command::process_message_subscription).

use crate::engine::fault::{Failure, Outcome};
use crate::engine::lifecycle::At;
use crate::engine::output::Processing;
use crate::engine::rule::timers;
use crate::engine::rule::{conditions, event_expressions, expressions, messages};
use crate::ids::{Key, PartitionId};
use crate::model::length::{NAME_MAX, is_longer};
use crate::model::{CatchEvent, CatchEventRef, Element, ElementId, Message, Process};
use crate::record::Text;
use crate::record::intent::of;
use crate::record::value::{
    BpmnElementType, ErrorType, ProcessMessageSubscriptionRecord, SignalSubscriptionRecord,
};
use crate::schedule::Occurrence;
use crate::state::ProcessMessageSubscriptionState;

/// What one catch event waits for, evaluated.
enum Wait {
    Message {
        name: Text,
        correlation_key: Text,
    },
    Timer(Occurrence),
    Signal(Text),
    /// Watched as it is written.
    Condition,
}

/// Evaluated catch events that are not open yet.
pub(crate) struct Waits(Vec<(ElementId, Wait)>);

impl Waits {
    /// Ids of the events that wait for messages, with the names of these.
    pub(crate) fn message_names<'w>(
        &'w self,
        process: &'w Process,
    ) -> impl Iterator<Item = (&'w Text, &'w Text)> {
        self.0.iter().filter_map(|(event, wait)| match wait {
            Wait::Message { name, .. } => Some((&process[*event].id, name)),
            Wait::Timer(_) | Wait::Signal(_) | Wait::Condition => None,
        })
    }
}

/// Evaluates and opens everything `at` waits for.
pub(crate) fn open(p: &mut Processing<'_>, at: &At) -> Outcome {
    let waits = evaluate_those(p, at, |_| true)?;
    open_those(p, at, waits)
}

/// Evaluates what `at` waits for, as far as `which` says yes to the id of the event.
pub(crate) fn evaluate_those(
    p: &Processing<'_>,
    at: &At,
    which: impl Fn(&Text) -> bool,
) -> Outcome<Waits> {
    let mut waits = Vec::new();
    for id in &at.element().waits_for {
        let event = &at.process()[*id];
        if which(&event.id)
            && let Some(wait) = evaluate(p, at, event)?
        {
            waits.push((*id, wait));
        }
    }
    Ok(Waits(waits))
}

/// Opens what was evaluated.
pub(crate) fn open_those(p: &mut Processing<'_>, at: &At, waits: Waits) -> Outcome {
    let process = at.process();
    let waits: Vec<(&Element, Wait)> = (waits.0.into_iter())
        .map(|(event, wait)| (&process[event], wait))
        .collect();
    for (event, wait) in &waits {
        if let Wait::Message {
            name,
            correlation_key,
        } = wait
        {
            open_message(p, at, event, name, correlation_key)?;
        }
    }
    for (event, wait) in &waits {
        if let Wait::Timer(occurrence) = wait {
            timers::create(p, &timers::Waiting::of(at), &event.id, *occurrence)?;
        }
    }
    for (event, wait) in &waits {
        if let Wait::Signal(name) = wait {
            let record = SignalSubscriptionRecord {
                process_definition_key: at.record.process_definition_key,
                bpmn_process_id: at.record.bpmn_process_id.clone(),
                signal_name: name.clone(),
                catch_event_id: event.id.clone(),
                catch_event_instance_key: at.key,
                process_instance_key: at.record.process_instance_key,
                tenant_id: at.record.tenant_id.clone(),
            };
            let key = p.next_key();
            p.event(key, of::SignalSubscription::Created, record)?;
        }
    }
    for (event, wait) in &waits {
        if let Wait::Condition = wait
            && let Some(CatchEventRef::Event(CatchEvent::Conditional(conditional))) =
                event.catch_event()
        {
            conditions::open(p, at, event, conditional, closes_after_first(at, event))?;
        }
    }
    Ok(())
}

fn evaluate(p: &Processing<'_>, at: &At, event: &Element) -> Outcome<Option<Wait>> {
    let message = |message: &Message| {
        let name = expressions::text(p, &message.name, at.key)?;
        within_length("message name", &name)?;
        let correlation_key = correlation_key(p, at, event, message)?;
        within_length("correlation key", &correlation_key)?;
        Ok(Some(Wait::Message {
            name,
            correlation_key,
        }))
    };
    match event.catch_event() {
        None => Ok(None),
        Some(CatchEventRef::Message(waited)) => message(waited),
        Some(CatchEventRef::Event(catch)) => match catch {
            CatchEvent::Message(waited) => message(waited),
            CatchEvent::Timer(timer) => {
                let occurrence = timers::first(p, timer, at.key)?;
                Ok(Some(Wait::Timer(occurrence)))
            }
            CatchEvent::Signal(name) => {
                let name = expressions::text(p, name, at.key)?;
                Ok(Some(Wait::Signal(name)))
            }
            CatchEvent::Conditional(_) => Ok(Some(Wait::Condition)),
            CatchEvent::None
            | CatchEvent::Error(_)
            | CatchEvent::Escalation(_)
            | CatchEvent::Link(_)
            | CatchEvent::Compensation { .. } => Ok(None),
        },
    }
}

fn within_length(what: &str, text: &Text) -> Outcome {
    if !is_longer(text, NAME_MAX) {
        return Ok(());
    }
    let message = format!(
        "Expected {what} to be at most {NAME_MAX} characters long (configured max-name-length), but was {} characters.",
        text.encode_utf16().count()
    );
    Err(Failure::new(ErrorType::ExtractValueError, message).into())
}

/// The correlation key; of a boundary event as seen from around its host.
fn correlation_key(
    p: &Processing<'_>,
    at: &At,
    event: &Element,
    message: &Message,
) -> Outcome<Text> {
    let scope = if event.element_type == BpmnElementType::BoundaryEvent {
        at.record.flow_scope_key
    } else {
        at.key
    };
    let Some(expression) = &message.correlation_key else {
        let message = format!(
            "Expected to open a message subscription for the event '{}', but it has no correlation key",
            event.id
        );
        return Err(Failure::new(ErrorType::ExtractValueError, message).into());
    };
    event_expressions::correlation_key(p, expression, scope)
}

fn open_message(
    p: &mut Processing<'_>,
    at: &At,
    event: &Element,
    name: &Text,
    correlation_key: &Text,
) -> Outcome {
    let partition = PartitionId::of_correlation_key(correlation_key, p.config.partition_count);
    let record = ProcessMessageSubscriptionRecord {
        subscription_partition_id: partition,
        process_instance_key: at.record.process_instance_key,
        root_process_instance_key: at.record.root_process_instance_key,
        element_instance_key: at.key,
        bpmn_process_id: at.record.bpmn_process_id.clone(),
        process_definition_key: at.record.process_definition_key,
        message_name: name.clone(),
        correlation_key: correlation_key.clone(),
        interrupting: closes_after_first(at, event),
        element_id: event.id.clone(),
        tenant_id: at.record.tenant_id.clone(),
        ..ProcessMessageSubscriptionRecord::default()
    };
    let key = p.next_key();
    let command = messages::open_command(&record);
    p.event(key, of::ProcessMessageSubscription::Creating, record)?;
    p.send(
        partition,
        Key::NONE,
        of::MessageSubscription::Create,
        command,
    )
}

/// Whether the first message ends the subscription: always, but for events that do not interrupt
/// their host or scope.
pub(crate) fn closes_after_first(at: &At, event: &Element) -> bool {
    if event.element_type == BpmnElementType::BoundaryEvent {
        return event.interrupting();
    }
    let scope = event.scope.map(|scope| at.process()[scope].element_type);
    let starts_sub_process = event.element_type == BpmnElementType::StartEvent
        && scope == Some(BpmnElementType::EventSubProcess);
    !starts_sub_process || event.interrupting()
}

/// Closes everything `at` waits for.
pub(crate) fn close(p: &mut Processing<'_>, at: &At) -> Outcome {
    close_those(p, at, |_| true)
}

/// Closes what would start an event sub-process of `at`.
pub(crate) fn close_event_sub_processes(p: &mut Processing<'_>, at: &At) -> Outcome {
    close_those(p, at, |event| {
        event.element_type == BpmnElementType::StartEvent
    })
}

/// Closes what `at` waits for, but for the events whose ids are kept.
pub(crate) fn close_unless(
    p: &mut Processing<'_>,
    at: &At,
    kept: impl Fn(&Text) -> bool,
) -> Outcome {
    close_those(p, at, |event| !kept(&event.id))
}

fn close_those(p: &mut Processing<'_>, at: &At, which: impl Fn(&Element) -> bool) -> Outcome {
    if at.element().waits_for.is_empty() {
        return Ok(());
    }
    let process = at.process();
    let meant = |id: &Text| process.element(id).is_none_or(|id| which(&process[id]));
    for key in p.state().timers.members(&at.key)? {
        if let Some(row) = p.state().timers.get(&at.key, &key)?
            && meant(&row.record.target_element_id)
        {
            p.event(key, of::Timer::Canceled, row.record.clone())?;
        }
    }
    for name in p.state().process_message_subscriptions.members(&at.key)? {
        if let Some(row) = p
            .state()
            .process_message_subscriptions
            .get(&at.key, &name)?
            && row.state != ProcessMessageSubscriptionState::Closing
            && meant(&row.record.element_id)
        {
            let record = row.record.clone();
            let to = record.subscription_partition_id;
            let command = messages::close_command(&record);
            p.event(row.key, of::ProcessMessageSubscription::Deleting, record)?;
            p.send(to, Key::NONE, of::MessageSubscription::Delete, command)?;
        }
    }
    for row in p.state().signal_subscriptions_of(at.key)? {
        if meant(&row.record.catch_event_id) {
            p.event(row.key, of::SignalSubscription::Deleted, row.record.clone())?;
        }
    }
    conditions::close(p, at, meant)
}
