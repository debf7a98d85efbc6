//! What a migrated element instance waits for: mapped subscriptions and timers are restated for
//! their new catch event, others are closed, and catch events that nothing was mapped to are opened.
//!
//! Names, correlation keys and due dates of what is mapped stay as they are. The message side of a
//! mapped subscription is told by a command; if it is on another partition, by a distribution that
//! has to be acknowledged before the instance can be migrated again.

use std::sync::Arc;

use crate::engine::command::migrate_instance::{Migration, check};
use crate::engine::distribute;
use crate::engine::fault::{Failure, Outcome, Stop};
use crate::engine::lifecycle::At;
use crate::engine::output::Processing;
use crate::engine::rule::{messages, subscriptions};
use crate::ids::Key;
use crate::record::Text;
use crate::record::intent::of;
use crate::record::value::{
    ConditionalSubscriptionRecord, ProcessMessageSubscriptionRecord, SignalSubscriptionRecord,
    TimerRecord,
};
use crate::state::ProcessMessageSubscriptionState;

/// Migrates what `at`, which is `after` now, waits for.
pub(super) fn migrate(
    p: &mut Processing<'_>,
    migration: &Migration,
    at: &At,
    after: &At,
    interrupted: bool,
) -> Outcome {
    if at.element().waits_for.is_empty() && after.element().waits_for.is_empty() {
        return Ok(());
    }
    no_pending_distribution(p, migration, at)?;
    let process = after.process();
    let mapped = Mapped::find(p, migration, at)?;
    subscriptions::close_unless(p, at, |event| migration.target_of(event).is_some())?;
    open_new(p, migration, at, after, interrupted)?;
    for (key, record) in mapped.messages {
        message_subscription(p, migration, after, key, &record)?;
    }
    for (key, record) in mapped.timers {
        let record = TimerRecord {
            process_definition_key: migration.target.key(),
            target_element_id: migration.becomes(&record.target_element_id),
            ..TimerRecord::clone(&record)
        };
        p.event(key, of::Timer::Migrated, record)?;
    }
    for (key, record) in mapped.signals {
        let record = SignalSubscriptionRecord {
            process_definition_key: migration.target.key(),
            bpmn_process_id: process.id().clone(),
            catch_event_id: migration.becomes(&record.catch_event_id),
            ..SignalSubscriptionRecord::clone(&record)
        };
        p.event(key, of::SignalSubscription::Migrated, record)?;
    }
    for (key, record) in mapped.conditions {
        let event = migration.becomes(&record.catch_event_id);
        let target = process.element(&event).map(|event| &process[event]);
        let record = ConditionalSubscriptionRecord {
            process_definition_key: migration.target.key(),
            bpmn_process_id: process.id().clone(),
            interrupting: target.map_or(record.interrupting, |target| {
                subscriptions::closes_after_first(after, target)
            }),
            catch_event_id: event,
            ..ConditionalSubscriptionRecord::clone(&record)
        };
        p.event(key, of::ConditionalSubscription::Migrated, record)?;
    }
    Ok(())
}

/// Subscriptions and timers that are mapped.
#[derive(Default)]
struct Mapped {
    messages: Vec<(Key, Arc<ProcessMessageSubscriptionRecord>)>,
    timers: Vec<(Key, Arc<TimerRecord>)>,
    signals: Vec<(Key, Arc<SignalSubscriptionRecord>)>,
    conditions: Vec<(Key, Arc<ConditionalSubscriptionRecord>)>,
}

impl Mapped {
    fn find(p: &Processing<'_>, migration: &Migration, at: &At) -> Outcome<Self> {
        let mut found = Self::default();
        let is_mapped = |event: &Text| migration.target_of(event).is_some();
        let subscriptions = &p.state().process_message_subscriptions;
        for name in subscriptions.members(&at.key)? {
            if let Some(row) = subscriptions.get(&at.key, &name)?
                && row.state != ProcessMessageSubscriptionState::Closing
                && is_mapped(&row.record.element_id)
            {
                found.messages.push((row.key, row.record.clone()));
            }
        }
        for key in p.state().timers.members(&at.key)? {
            if let Some(row) = p.state().timers.get(&at.key, &key)?
                && is_mapped(&row.record.target_element_id)
            {
                found.timers.push((key, row.record.clone()));
            }
        }
        for row in p.state().signal_subscriptions_of(at.key)? {
            if is_mapped(&row.record.catch_event_id) {
                found.signals.push((row.key, row.record.clone()));
            }
        }
        if at.process().watches_conditions() {
            for (key, row) in p.state().conditional_subscriptions_of(at.key)? {
                if is_mapped(&row.record.catch_event_id) {
                    found.conditions.push((key, row.record.clone()));
                }
            }
        }
        Ok(found)
    }
}

/// The message sides know of the migration before this one.
fn no_pending_distribution(p: &Processing<'_>, migration: &Migration, at: &At) -> Outcome {
    for name in p.state().process_message_subscriptions.members(&at.key)? {
        let row = p
            .state()
            .process_message_subscriptions
            .get(&at.key, &name)?;
        if let Some(row) = row
            && p.state().distributions.contains(&row.key)?
        {
            return Err(check::refused(
                migration,
                &format!(
                    "active element with id '{}' has a pending message subscription migration distribution for event with id '{}'.",
                    at.record.element_id, row.record.element_id
                ),
            ));
        }
    }
    Ok(())
}

/// Opens what only the new definition has; nothing in an interrupted scope.
fn open_new(
    p: &mut Processing<'_>,
    migration: &Migration,
    at: &At,
    after: &At,
    interrupted: bool,
) -> Outcome {
    if interrupted {
        return Ok(());
    }
    let waits = subscriptions::evaluate_those(p, after, |event| !migration.is_target(event));
    let waits = waits.map_err(|stop| match stop {
        Stop::Incident(Failure { message, .. }) => check::refused(
            migration,
            &format!(
                "active element with id '{}' is mapped to element with id '{}' that must be subscribed to a catch event. {message}",
                at.record.element_id, after.record.element_id
            ),
        ),
        Stop::Reject(_) | Stop::TooLarge | Stop::Fault(_) => stop,
    })?;
    for (event, name) in waits.message_names(after.process()) {
        let known = &p.state().process_message_subscriptions;
        if known.get(&at.key, name)?.is_some() {
            return Err(check::refused(
                migration,
                &format!(
                    "active element with id '{}' is already subscribed to the same message name '{name}'. Currently, migrating message subscriptions to the same message name isn't supported without a mapping. Please provide a mapping instruction between message catch event with id '{event}' and the target message catch event.",
                    at.record.element_id
                ),
            ));
        }
    }
    subscriptions::open_those(p, after, waits)
}

fn message_subscription(
    p: &mut Processing<'_>,
    migration: &Migration,
    after: &At,
    key: Key,
    record: &ProcessMessageSubscriptionRecord,
) -> Outcome {
    let process = after.process();
    let event = migration.becomes(&record.element_id);
    let interrupting = match process.element(&event) {
        Some(event) => subscriptions::closes_after_first(after, &process[event]),
        None => record.interrupting,
    };
    let record = ProcessMessageSubscriptionRecord {
        process_definition_key: migration.target.key(),
        bpmn_process_id: process.id().clone(),
        element_id: event,
        interrupting,
        ..record.clone()
    };
    let to = record.subscription_partition_id;
    let command = messages::open_command(&record);
    p.event(key, of::ProcessMessageSubscription::Migrated, record)?;
    let intent = of::MessageSubscription::Migrate;
    if to == p.partition() {
        p.command(key, intent, command)
    } else {
        distribute::distribute_to(p, key, "", to, intent, &command.into())
    }
}
