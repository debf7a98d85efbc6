//! Watched conditions: evaluated when they are subscribed and whenever a variable they see changes.
//!
//! A change is looked at from its scope downwards, scope by scope. Filters by variable name and kind
//! of change come first; a condition that cannot be evaluated does not hold. One document triggers a
//! subscription at most once, and nothing is evaluated below a scope that an interrupting one ends.
//!
//! Only processes with a condition
//! ([`Process::watches_conditions`](crate::model::Process::watches_conditions)) look at state here.

use std::collections::VecDeque;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::engine::fault::{Outcome, Stop};
use crate::engine::lifecycle::At;
use crate::engine::output::Processing;
use crate::engine::rule::expressions;
use crate::engine::rule::variables::Owner;
use crate::feel::Variables;
use crate::ids::Key;
use crate::model::{CatchEvent, CatchEventRef, Conditional, Element, Expr, Process};
use crate::record::Text;
use crate::record::intent::of;
use crate::record::value::{ConditionalSubscriptionRecord, ProcessRecord};

/// A variable that was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Change {
    pub(crate) scope: Key,
    pub(crate) name: Text,
    pub(crate) created: bool,
}

/// Whether changes of variables of this owner are of interest to anybody.
pub(crate) fn watched(p: &Processing<'_>, owner: &Owner) -> Outcome<bool> {
    let definition = owner.process_definition_key;
    match p.definitions.get(p.state(), definition)? {
        Some(definition) => Ok(definition.process.watches_conditions()),
        None => Ok(false),
    }
}

fn conditional(element: &Element) -> Option<&Conditional> {
    match element.catch_event() {
        Some(CatchEventRef::Event(CatchEvent::Conditional(conditional))) => Some(conditional),
        Some(CatchEventRef::Event(_) | CatchEventRef::Message(_)) | None => None,
    }
}

/// Subscribes `at` to a condition; if it holds already it is triggered.
pub(crate) fn open(
    p: &mut Processing<'_>,
    at: &At,
    event: &Element,
    conditional: &Conditional,
    interrupting: bool,
) -> Outcome {
    let record = Arc::new(ConditionalSubscriptionRecord {
        scope_key: at.key,
        element_instance_key: at.key,
        process_instance_key: at.record.process_instance_key,
        root_process_instance_key: at.record.root_process_instance_key,
        process_definition_key: at.record.process_definition_key,
        bpmn_process_id: at.record.bpmn_process_id.clone(),
        interrupting,
        tenant_id: at.record.tenant_id.clone(),
        ..of_model(event, conditional)
    });
    let key = p.next_key();
    p.event(key, of::ConditionalSubscription::Created, record.clone())?;
    if holds(p, &conditional.condition, at.key)? {
        p.command(key, of::ConditionalSubscription::Trigger, record)?;
    }
    Ok(())
}

/// What the model says of a subscription.
fn of_model(event: &Element, conditional: &Conditional) -> ConditionalSubscriptionRecord {
    ConditionalSubscriptionRecord {
        catch_event_id: event.id.clone(),
        condition: conditional.condition.source.clone(),
        variable_names: conditional.variable_names.to_vec(),
        variable_events: conditional.variable_events.to_vec(),
        ..ConditionalSubscriptionRecord::default()
    }
}

/// Whether a condition holds in `scope`; one that cannot be evaluated does not.
fn holds(p: &Processing<'_>, condition: &Expr, scope: Key) -> Outcome<bool> {
    lenient(expressions::boolean(p, condition, scope))
}

fn lenient(result: Outcome<bool>) -> Outcome<bool> {
    match result {
        Err(Stop::Incident(_)) => Ok(false),
        other => other,
    }
}

/// Closes the subscriptions of `at` that `meant` names by catch event.
pub(crate) fn close(p: &mut Processing<'_>, at: &At, meant: impl Fn(&Text) -> bool) -> Outcome {
    if !at.process().watches_conditions() {
        return Ok(());
    }
    for (key, row) in p.state().conditional_subscriptions_of(at.key)? {
        if meant(&row.record.catch_event_id) {
            let record = row.record.clone();
            p.event(key, of::ConditionalSubscription::Deleted, record)?;
        }
    }
    Ok(())
}

/// A scope whose variables changed, or that sees those of one.
struct Seen {
    scope: Key,
    /// Place of the scope around it, if that is concerned too.
    around: Option<usize>,
    /// Places of the changes it sees.
    changes: Vec<usize>,
}

/// Variables changed, all by one document: triggers the conditions that see them and hold now, from
/// the outside in. What is inside a scope that is interrupted is not asked.
pub(crate) fn evaluate(p: &mut Processing<'_>, changes: &[Change]) -> Outcome {
    let seen = concerned_scopes(p, changes)?;
    let depth = |at: usize| std::iter::successors(Some(at), |at| seen[*at].around).count();
    let buckets = java_buckets(seen.len());
    let mut order: Vec<usize> = (0..seen.len()).collect();
    order.sort_by_key(|at| (depth(*at), java_bucket(seen[*at].scope, buckets)));
    let mut interrupted = vec![false; seen.len()];
    for at in order {
        let Seen {
            scope,
            around,
            changes: visible,
        } = &seen[at];
        interrupted[at] = if around.is_some_and(|around| interrupted[around]) {
            true
        } else {
            let visible: Vec<&Change> = visible.iter().map(|change| &changes[*change]).collect();
            evaluate_in(p, &visible, *scope)?
        };
    }
    Ok(())
}

/// The scopes of `changes` and all inside them.
fn concerned_scopes(p: &Processing<'_>, changes: &[Change]) -> Outcome<Vec<Seen>> {
    let mut seen: Vec<Seen> = Vec::new();
    let mut places = FxHashMap::default();
    for (change, Change { scope, .. }) in changes.iter().enumerate() {
        let place = *places.entry(*scope).or_insert(seen.len());
        if place == seen.len() {
            seen.push(Seen {
                scope: *scope,
                around: None,
                changes: Vec::new(),
            });
        }
        seen[place].changes.push(change);
    }
    let origins: Vec<Vec<usize>> = seen.iter().map(|seen| seen.changes.clone()).collect();
    for (origin, visible) in origins.into_iter().enumerate() {
        let mut open = VecDeque::from([origin]);
        while let Some(around) = open.pop_front() {
            for scope in p.state().children.members(&seen[around].scope)? {
                let place = *places.entry(scope).or_insert(seen.len());
                if place == seen.len() {
                    seen.push(Seen {
                        scope,
                        around: None,
                        changes: Vec::new(),
                    });
                }
                seen[place].around.get_or_insert(around);
                seen[place].changes.extend(&visible);
                open.push_back(place);
            }
        }
    }
    Ok(seen)
}

/// Buckets of a Java hash map with so many entries; scopes of one depth come in their order.
fn java_buckets(entries: usize) -> usize {
    let mut buckets = 16;
    while entries > buckets / 4 * 3 {
        buckets *= 2;
    }
    buckets
}

fn java_bucket(key: Key, buckets: usize) -> usize {
    let hash = (key.0 ^ key.0 >> 32) as u32;
    (hash ^ hash >> 16) as usize & (buckets - 1)
}

/// Evaluates the conditions of one scope. True if an interrupting one was triggered.
fn evaluate_in(p: &mut Processing<'_>, changes: &[&Change], scope: Key) -> Outcome<bool> {
    for (key, row) in p.state().conditional_subscriptions_of(scope)? {
        let record = &row.record;
        let concerned = changes.iter().any(|change| {
            let kind = if change.created { "create" } else { "update" };
            (record.variable_names.is_empty() || record.variable_names.contains(&change.name))
                && (record.variable_events.is_empty()
                    || record.variable_events.iter().any(|event| *event == kind))
        });
        if !concerned {
            continue;
        }
        let definition = p.definition(record.process_definition_key)?;
        let process = &definition.process;
        let event = process.element(&record.catch_event_id);
        let Some(conditional) = event.and_then(|id| conditional(&process[id])) else {
            continue;
        };
        // A migrated subscription keeps the condition it was opened with.
        let opened_with = (conditional.condition.source != record.condition)
            .then(|| Expr::parse(&record.condition).ok())
            .flatten();
        let condition = opened_with.as_ref().unwrap_or(&conditional.condition);
        if holds(p, condition, scope)? {
            p.command(key, of::ConditionalSubscription::Trigger, record.clone())?;
            if record.interrupting {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Opens the conditional subscription of a process start event.
pub(crate) fn open_start(
    p: &mut Processing<'_>,
    definition: &ProcessRecord,
    event: &Element,
    conditional: &Conditional,
) -> Outcome {
    let record = ConditionalSubscriptionRecord {
        process_definition_key: definition.process_definition_key,
        bpmn_process_id: definition.bpmn_process_id.clone(),
        tenant_id: definition.tenant_id.clone(),
        ..of_model(event, conditional)
    };
    let key = p.next_key();
    p.event(key, of::ConditionalSubscription::Created, record)
}

/// Closes the conditional subscriptions of the start events of a definition.
pub(crate) fn close_starts(p: &mut Processing<'_>, definition: Key) -> Outcome {
    for (key, row) in p.state().conditional_subscriptions_of(definition)? {
        let record = row.record.clone();
        p.event(key, of::ConditionalSubscription::Deleted, record)?;
    }
    Ok(())
}

/// Whether the condition of a process start event holds for these variables, which it alone sees.
pub(crate) fn start_holds(
    p: &Processing<'_>,
    process: &Process,
    record: &ConditionalSubscriptionRecord,
    variables: &dyn Variables,
) -> Outcome<bool> {
    let names = &record.variable_names;
    if !names.is_empty() && !names.iter().any(|name| variables.get(name).is_some()) {
        return Ok(false);
    }
    let event = process.element(&record.catch_event_id);
    match event.and_then(|id| conditional(&process[id])) {
        Some(conditional) => lenient(expressions::boolean_with(
            p,
            &conditional.condition,
            Key::NONE,
            variables,
        )),
        None => Ok(false),
    }
}
