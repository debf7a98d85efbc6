//! TIMER, SIGNAL_SUBSCRIPTION, CONDITIONAL_SUBSCRIPTION -> `wait_state`: what waits and has no
//! table of its own.
//!
//! Jobs, user tasks and message subscriptions are rows anyway, so searches for what waits read those
//! as well (`query/wait_state.rs`), and a job costs nothing here. Only intermediate catch events
//! wait in the sense of the reference: boundary events interrupt something else that waits. Whether
//! an element is one is read from the definition's text.

use ringflow_core::ids::Key;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::{
    ConditionalSubscriptionRecord, SignalSubscriptionRecord, TimerRecord,
};
use ringflow_core::record::{Intent, Record, Text};

use crate::batch::{RowKey, Window};
use crate::row::{Context, Datum};
use crate::schema::wait_state::*;
use crate::schema::{Column, Table};

/// What a record does to a wait state.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Change {
    Begins,
    Moves,
    Ends,
}

/// Who waits, and where.
struct Waiting<'w> {
    definition: Key,
    element_id: &'w Text,
    element_instance: Key,
    instance: Key,
    root: Key,
}

/// Writes a TIMER event.
pub fn timer(window: &mut Window, context: &mut Context<'_>, record: &Record, value: &TimerRecord) {
    let Intent::Timer(intent) = record.intent else {
        return;
    };
    let change = match intent {
        of::Timer::Created => Change::Begins,
        of::Timer::Migrated => Change::Moves,
        of::Timer::Triggered | of::Timer::Canceled => Change::Ends,
        of::Timer::Trigger => return,
    };
    let waiting = Waiting {
        definition: value.process_definition_key,
        element_id: &value.target_element_id,
        element_instance: value.element_instance_key,
        instance: value.process_instance_key,
        root: value.root_process_instance_key,
    };
    let details = vec![
        (WAIT_STATE_TYPE, "TIMER".into()),
        (DUE_DATE, value.due_date.into()),
        (REPETITIONS, value.repetitions.into()),
    ];
    write(window, context, record, &waiting, change, details);
}

/// Writes a SIGNAL_SUBSCRIPTION event.
pub fn signal(
    window: &mut Window,
    context: &mut Context<'_>,
    record: &Record,
    value: &SignalSubscriptionRecord,
) {
    let Intent::SignalSubscription(intent) = record.intent else {
        return;
    };
    let change = match intent {
        of::SignalSubscription::Created => Change::Begins,
        of::SignalSubscription::Migrated => Change::Moves,
        of::SignalSubscription::Deleted => Change::Ends,
    };
    let waiting = Waiting {
        definition: value.process_definition_key,
        element_id: &value.catch_event_id,
        element_instance: value.catch_event_instance_key,
        instance: value.process_instance_key,
        root: Key::NONE,
    };
    let details = vec![
        (WAIT_STATE_TYPE, "SIGNAL".into()),
        (NAME, Datum::from(&value.signal_name)),
    ];
    write(window, context, record, &waiting, change, details);
}

/// Writes a CONDITIONAL_SUBSCRIPTION event.
pub fn condition(
    window: &mut Window,
    context: &mut Context<'_>,
    record: &Record,
    value: &ConditionalSubscriptionRecord,
) {
    let Intent::ConditionalSubscription(intent) = record.intent else {
        return;
    };
    let change = match intent {
        of::ConditionalSubscription::Created => Change::Begins,
        of::ConditionalSubscription::Migrated => Change::Moves,
        of::ConditionalSubscription::Triggered | of::ConditionalSubscription::Deleted => {
            Change::Ends
        }
        of::ConditionalSubscription::Trigger => return,
    };
    let waiting = Waiting {
        definition: value.process_definition_key,
        element_id: &value.catch_event_id,
        element_instance: value.element_instance_key,
        instance: value.process_instance_key,
        root: value.root_process_instance_key,
    };
    let events: Vec<&str> = value.variable_events.iter().map(Text::as_str).collect();
    let details = vec![
        (WAIT_STATE_TYPE, "CONDITION".into()),
        (NAME, Datum::from(&value.condition)),
        (EVENTS, events.join(",").as_str().into()),
    ];
    write(window, context, record, &waiting, change, details);
}

fn write(
    window: &mut Window,
    context: &mut Context<'_>,
    record: &Record,
    waiting: &Waiting<'_>,
    change: Change,
    details: Vec<(Column, Datum)>,
) {
    // What waits for the start of an instance belongs to none.
    if !waiting.instance.is_some()
        || !(context.names).catches(waiting.definition, waiting.element_id)
    {
        return;
    }
    let key = RowKey::of(record.key);
    match change {
        Change::Begins => {
            let mut columns = details;
            columns.extend([
                (ELEMENT_INSTANCE_KEY, waiting.element_instance.into()),
                (PROCESS_INSTANCE_KEY, waiting.instance.into()),
                (ROOT_PROCESS_INSTANCE_KEY, waiting.root.into()),
                (ELEMENT_ID, Datum::from(waiting.element_id)),
                (PARTITION_ID, record.partition.0.into()),
            ]);
            window.upsert(Table::WaitState, key, record.position, columns);
        }
        Change::Moves => {
            let columns = vec![(ELEMENT_ID, Datum::from(waiting.element_id))];
            window.update(Table::WaitState, key, record.position, columns);
        }
        Change::Ends => window.delete(Table::WaitState, key, record.position),
    }
}

/// The definition whose text says whether `record` is about a catch event.
#[must_use]
pub(super) fn definition_of(instance: Key, definition: Key) -> Option<Key> {
    instance.is_some().then_some(definition)
}
