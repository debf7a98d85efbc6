//! Compensation: what can be undone, who undoes it, and when that is done.
//!
//! An activity with a compensation boundary event leaves a subscription when it completes; so does a
//! scope that holds such subscriptions, so that throwing outside it reaches what is inside. Throwing
//! triggers all subscriptions of the thrower's scope at once, in the order in which the activities
//! completed; handlers run beside each other in the scope of the thrower, which waits for them.
//!
//! Only processes with a handler ([`Process::compensates`](crate::model::Process::compensates)) look
//! at state here.

use std::sync::Arc;

use crate::engine::fault::{Outcome, Stop};
use crate::engine::lifecycle::{self, At};
use crate::engine::output::Processing;
use crate::ids::Key;
use crate::model::{Behavior, CatchEvent, Element, ElementId};
use crate::record::Text;
use crate::record::intent::of;
use crate::record::value::{
    BpmnElementType, BpmnEventType, CompensationSubscriptionRecord, ProcessInstanceRecord,
};

/// A subscription with its key.
type Subscription = (Key, Arc<CompensationSubscriptionRecord>);

fn subscriptions(p: &Processing<'_>, at: &At) -> Outcome<Vec<Subscription>> {
    let all = p.state().compensations_of(at.record.process_instance_key)?;
    Ok(all
        .into_iter()
        .map(|(key, row)| (key, row.record.clone()))
        .collect())
}

/// The compensation boundary event of an activity, and its handler.
fn handler_of(at: &At, activity: &Element) -> Option<(ElementId, ElementId)> {
    activity.boundary_events.iter().find_map(|id| {
        let Behavior::Boundary { event, .. } = &at.process()[*id].behavior else {
            return None;
        };
        let CatchEvent::Compensation { handler } = event else {
            return None;
        };
        handler.map(|handler| (*id, handler))
    })
}

/// An activity is about to write ELEMENT_COMPLETED: it can be compensated from now on.
pub(crate) fn subscribe(p: &mut Processing<'_>, at: &At) -> Outcome {
    if !at.process().compensates() {
        return Ok(());
    }
    let handler = handler_of(at, at.element());
    let mut known = subscriptions(p, at)?.into_iter();
    let needed = if handler.is_some() {
        // A completion that failed behind this point and is tried again has one already.
        !known.any(|(_, record)| record.compensable_activity_instance_key == at.key)
    } else {
        holds_subscriptions(at.record.bpmn_element_type)
            && known.clone().any(|(_, record)| is_in(&record, at.key))
            && !known.any(|(_, record)| record.compensable_activity_instance_key == at.key)
    };
    if !needed {
        return Ok(());
    }
    let record = CompensationSubscriptionRecord {
        tenant_id: at.record.tenant_id.clone(),
        process_instance_key: at.record.process_instance_key,
        process_definition_key: at.record.process_definition_key,
        compensable_activity_id: at.record.element_id.clone(),
        compensable_activity_scope_key: at.record.flow_scope_key,
        compensable_activity_instance_key: at.key,
        compensation_handler_id: handler
            .map_or(Text::EMPTY, |(_, handler)| at.process()[handler].id.clone()),
        ..CompensationSubscriptionRecord::default()
    };
    let key = p.next_key();
    p.event(key, of::CompensationSubscription::Created, record)
}

/// Scopes through which compensation reaches what they hold.
fn holds_subscriptions(element_type: BpmnElementType) -> bool {
    matches!(
        element_type,
        BpmnElementType::SubProcess
            | BpmnElementType::MultiInstanceBody
            | BpmnElementType::AdHocSubProcess
            | BpmnElementType::AdHocSubProcessInnerInstance
    )
}

fn is_in(record: &CompensationSubscriptionRecord, scope: Key) -> bool {
    record.compensable_activity_scope_key == scope
}

/// Throws compensation from `at`: of `activity`, or of everything in its scope. False if there is
/// nothing to compensate.
pub(crate) fn throw(p: &mut Processing<'_>, at: &At, activity: Option<ElementId>) -> Outcome<bool> {
    let mut scopes = vec![at.record.flow_scope_key];
    if let Some(scope) = At::find(p, at.record.flow_scope_key)?
        && scope.record.bpmn_element_type == BpmnElementType::EventSubProcess
    {
        // What happened around an event sub-process is compensated from inside it.
        scopes.push(scope.record.flow_scope_key);
    }
    let mut open = subscriptions(p, at)?;
    open.retain(|(_, record)| record.throw_event_id.is_empty());
    let wanted = activity.map(|id| at.process()[id].id.clone());
    let meant: Vec<Subscription> = open
        .iter()
        .filter(|(_, record)| scopes.contains(&record.compensable_activity_scope_key))
        .filter(|(_, record)| {
            wanted
                .as_ref()
                .is_none_or(|id| *id == record.compensable_activity_id)
        })
        .cloned()
        .collect();
    for subscription in &meant {
        trigger(p, at, &open, subscription)?;
    }
    Ok(!meant.is_empty())
}

/// Triggers a subscription and what is below it. Depth is bounded by the nesting of the model.
fn trigger(
    p: &mut Processing<'_>,
    at: &At,
    open: &[Subscription],
    (key, record): &Subscription,
) -> Outcome {
    let handler = if record.compensation_handler_id.is_empty() {
        Key::NONE
    } else {
        activate_handler(p, at, &record.compensable_activity_id)?
    };
    let triggered = CompensationSubscriptionRecord {
        throw_event_id: at.record.element_id.clone(),
        throw_event_instance_key: at.key,
        compensation_handler_instance_key: handler,
        ..CompensationSubscriptionRecord::clone(record)
    };
    p.event(*key, of::CompensationSubscription::Triggered, triggered)?;
    let scope = record.compensable_activity_instance_key;
    for below in open.iter().filter(|(_, record)| is_in(record, scope)) {
        trigger(p, at, open, below)?;
    }
    Ok(())
}

/// Lets the boundary event of an activity pass and asks for its handler, both in the scope of the
/// thrower; the key of the handler.
fn activate_handler(p: &mut Processing<'_>, at: &At, activity: &Text) -> Outcome<Key> {
    let process = at.process();
    let found = process
        .element(activity)
        .and_then(|id| handler_of(at, &process[id]));
    let Some((boundary, handler)) = found else {
        return Err(Stop::fault(format!(
            "No compensation boundary event found for activity '{activity}'"
        )));
    };
    let event = At {
        key: p.next_key(),
        record: in_scope_of(at, &process[boundary]).into(),
        definition: at.definition.clone(),
        id: boundary,
    };
    lifecycle::activating(p, &event)?;
    lifecycle::activated(p, &event)?;
    for intent in [
        of::ProcessInstance::ElementCompleting,
        of::ProcessInstance::ElementCompleted,
    ] {
        p.event(event.key, intent, event.record.clone())?;
    }
    let record = ProcessInstanceRecord {
        bpmn_event_type: BpmnEventType::Compensation,
        ..in_scope_of(at, &process[handler])
    };
    let key = p.next_key();
    p.command(key, of::ProcessInstance::ActivateElement, record)?;
    Ok(key)
}

fn in_scope_of(at: &At, element: &Element) -> ProcessInstanceRecord {
    ProcessInstanceRecord {
        flow_scope_key: at.record.flow_scope_key,
        ..at.child(element)
    }
}

/// An element wrote ELEMENT_COMPLETED: if it was a compensation handler, its subscription is done,
/// and with the last one of a thrower the thrower completes.
pub(crate) fn handler_completed(p: &mut Processing<'_>, at: &At) -> Outcome {
    if at.record.bpmn_event_type != BpmnEventType::Compensation || !at.process().compensates() {
        return Ok(());
    }
    let done = subscriptions(p, at)?.into_iter().find(|(_, record)| {
        !record.throw_event_id.is_empty() && record.compensation_handler_instance_key == at.key
    });
    let Some((key, record)) = done else {
        return Ok(());
    };
    p.event(key, of::CompensationSubscription::Completed, record.clone())?;
    complete_scopes(p, at, record.compensable_activity_scope_key)?;
    let thrower = record.throw_event_instance_key;
    let waits = subscriptions(p, at)?
        .iter()
        .any(|(_, record)| record.throw_event_instance_key == thrower);
    if waits {
        return Ok(());
    }
    match At::find(p, thrower)? {
        Some(thrower) => lifecycle::ask_complete(p, &thrower),
        None => Ok(()),
    }
}

/// Completes the subscription of a scope in which nothing is left to compensate, and so on upwards.
fn complete_scopes(p: &mut Processing<'_>, at: &At, scope: Key) -> Outcome {
    let mut scope = scope;
    loop {
        let all = subscriptions(p, at)?;
        if all.iter().any(|(_, record)| is_in(record, scope)) {
            return Ok(());
        }
        let holder = all.into_iter().find(|(_, record)| {
            record.compensable_activity_instance_key == scope
                && record.compensation_handler_id.is_empty()
        });
        let Some((key, record)) = holder else {
            return Ok(());
        };
        scope = record.compensable_activity_scope_key;
        p.event(key, of::CompensationSubscription::Completed, record)?;
    }
}

/// The process instance ends: nothing of it is compensated any more.
pub(crate) fn forget_instance(p: &mut Processing<'_>, at: &At) -> Outcome {
    if !at.process().compensates() {
        return Ok(());
    }
    for (key, record) in subscriptions(p, at)? {
        p.event(key, of::CompensationSubscription::Deleted, record)?;
    }
    Ok(())
}

/// A scope is terminated: what completed in it is not compensated any more.
pub(crate) fn forget_scope(p: &mut Processing<'_>, at: &At) -> Outcome {
    if !at.process().compensates() {
        return Ok(());
    }
    let all = subscriptions(p, at)?;
    forget_in(p, &all, at.key)
}

fn forget_in(p: &mut Processing<'_>, all: &[Subscription], scope: Key) -> Outcome {
    for (key, record) in all.iter().filter(|(_, record)| is_in(record, scope)) {
        p.event(*key, of::CompensationSubscription::Deleted, record.clone())?;
        forget_in(p, all, record.compensable_activity_instance_key)?;
    }
    Ok(())
}
