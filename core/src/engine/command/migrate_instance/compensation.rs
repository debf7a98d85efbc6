//! What can be compensated: a completed activity stays so if its compensation boundary event is
//! mapped, with the scopes around it; other subscriptions end.
//!
//! The activity is the one that the mapped boundary event sits on, and its handler the one of the
//! new definition. Scopes are paired from the activity outwards and have to end together.

use std::collections::BTreeMap;

use crate::engine::command::migrate_instance::Migration;
use crate::engine::fault::{Outcome, Stop};
use crate::engine::lifecycle::At;
use crate::engine::output::Processing;
use crate::model::{Behavior, CatchEvent, Element, ElementId, Process};
use crate::record::Text;
use crate::record::intent::of;
use crate::record::value::{BpmnElementType, CompensationSubscriptionRecord};

/// Migrates the compensation subscriptions of the process instance `at`, as it was before.
pub(super) fn migrate(p: &mut Processing<'_>, migration: &Migration, at: &At) -> Outcome {
    if at.record.bpmn_element_type != BpmnElementType::Process || !at.process().compensates() {
        return Ok(());
    }
    let (old, new) = (at.process(), &migration.target.process);
    let all = p.state().compensations_of(at.key)?;
    let mut activities: BTreeMap<Text, ElementId> = BTreeMap::new();
    for (_, row) in &all {
        if let Some(source) = old.element(&row.record.compensable_activity_id)
            && old[source].element_type != BpmnElementType::SubProcess
            && let Some(boundary) = mapped_boundary(migration, old, &old[source])
        {
            let target = activity_of(migration, old, new, boundary)?;
            pair_scopes(old, new, (source, target), &mut activities)?;
        }
    }
    for (key, row) in all {
        let Some(target) = activities.get(&row.record.compensable_activity_id) else {
            let record = row.record.clone();
            p.event(key, of::CompensationSubscription::Deleted, record)?;
            continue;
        };
        let record = CompensationSubscriptionRecord {
            process_definition_key: migration.target.key(),
            compensable_activity_id: new[*target].id.clone(),
            compensation_handler_id: handler(new, &new[*target])
                .unwrap_or(&row.record.compensation_handler_id)
                .clone(),
            ..CompensationSubscriptionRecord::clone(&row.record)
        };
        p.event(key, of::CompensationSubscription::Migrated, record)?;
    }
    Ok(())
}

fn compensation(element: &Element) -> Option<Option<ElementId>> {
    if let Behavior::Boundary { event, .. } = &element.behavior
        && let CatchEvent::Compensation { handler } = event
    {
        return Some(*handler);
    }
    None
}

/// The id of the handler of an activity.
fn handler<'p>(process: &'p Process, activity: &Element) -> Option<&'p Text> {
    let mut events = activity.boundary_events.iter();
    let handler = events.find_map(|event| compensation(&process[*event]).flatten())?;
    Some(&process[handler].id)
}

/// The compensation boundary event of an activity, if it is mapped.
fn mapped_boundary<'p>(
    migration: &Migration,
    process: &'p Process,
    activity: &Element,
) -> Option<&'p Element> {
    let mut events = activity
        .boundary_events
        .iter()
        .map(|event| &process[*event]);
    events.find(|event| compensation(event).is_some() && migration.target_of(&event.id).is_some())
}

/// The activity on which the new boundary event sits.
fn activity_of(
    migration: &Migration,
    old: &Process,
    new: &Process,
    boundary: &Element,
) -> Outcome<ElementId> {
    let id = migration.becomes(&boundary.id);
    let target = new.element(&id).map(|target| &new[target]);
    if let Some(target) = target
        && compensation(target).is_some()
        && let Behavior::Boundary { attached_to, .. } = &target.behavior
    {
        return Ok(*attached_to);
    }
    let kind = target.map_or("UNSPECIFIED", |target| target.event_type.name());
    Err(Stop::invalid_argument(format!(
        "Expected to migrate process instance with id '{}' but compensation boundary event '{}' is mapped to a target boundary event '{id}' that has event type '{kind}' different than compensation boundary event type.",
        old.id(),
        boundary.id
    )))
}

/// Notes the pair and those of the scopes around it.
fn pair_scopes(
    old: &Process,
    new: &Process,
    pair: (ElementId, ElementId),
    activities: &mut BTreeMap<Text, ElementId>,
) -> Outcome {
    let mut pair = pair;
    loop {
        let (source, target) = pair;
        activities.insert(old[source].id.clone(), target);
        pair = match (old[source].scope, new[target].scope) {
            (Some(source), Some(target)) => (source, target),
            (None, None) => return Ok(()),
            (Some(_), None) | (None, Some(_)) => {
                return Err(Stop::invalid_state(format!(
                    "Expected to migrate process instance with id '{}' but the flow scope of compensation boundary event is changed. Flow scope '{}' is not in the same level as '{}'. The flow scope of a compensation boundary event cannot be changed during migration yet.",
                    old.id(),
                    old[source].id,
                    new[target].id
                )));
            }
        };
    }
}
