//! TIMER TRIGGER: a timer is due.
//!
//! It triggers its catch event, or starts an instance; a cycle goes on with a new timer. The next
//! date counts from the one that was due, not from now, so that a cycle does not drift.

use std::sync::Arc;

use crate::engine::fault::{Outcome, Stop};
use crate::engine::input::Command;
use crate::engine::lifecycle::At;
use crate::engine::output::Processing;
use crate::engine::rule::{starts, timers, triggers};
use crate::model::{CatchEvent, CatchEventRef};
use crate::record::Document;
use crate::record::intent::of;
use crate::record::value::TimerRecord;
use crate::schedule::Occurrence;

/// Triggers a timer.
pub(crate) fn trigger(
    p: &mut Processing<'_>,
    command: &Command,
    value: &Arc<TimerRecord>,
) -> Outcome {
    let key = command.key;
    let Some(row) = p.state().timers.get(&value.element_instance_key, &key)? else {
        return Err(Stop::not_found(format!(
            "Expected to trigger timer with key '{key}', but no such timer was found"
        )));
    };
    let mut timer = row.record.clone();
    let definition = p.definition(timer.process_definition_key)?;
    let target = definition
        .process
        .element(&timer.target_element_id)
        .ok_or_else(|| Stop::fault(format!("no element with id '{}'", timer.target_element_id)))?;
    if timer.element_instance_key.is_some() {
        let scope = At::find(p, timer.element_instance_key)?;
        let scope = match scope {
            Some(scope) if triggers::accepts(p, &scope, &timer.target_element_id)? => scope,
            Some(_) | None => {
                return Err(Stop::invalid_state(format!(
                    "Expected to trigger a timer with key '{key}', but the timer is not active anymore"
                )));
            }
        };
        p.event(key, of::Timer::Triggered, timer.clone())?;
        triggers::trigger(p, &scope, target, Document::EMPTY)?;
    } else {
        // From here on the timer names the instance it started, also when it goes on.
        let instance = p.next_key();
        timer = Arc::new(TimerRecord {
            process_instance_key: instance,
            ..TimerRecord::clone(&timer)
        });
        p.event(key, of::Timer::Triggered, timer.clone())?;
        starts::start(
            p,
            timer.process_definition_key,
            instance,
            &timer.target_element_id,
            Document::EMPTY,
        )?;
    }
    let element = &definition.process[target];
    let Some(CatchEventRef::Event(CatchEvent::Timer(model))) = element.catch_event() else {
        return Err(Stop::fault(format!("'{}' is no timer event", element.id)));
    };
    let fired = Occurrence {
        due: timer.due_date,
        repetitions: timer.repetitions,
    };
    let next = timers::next(p, model, timer.element_instance_key, fired).map_err(|stop| match stop {
        Stop::Incident(failure) => Stop::fault(format!(
            "Expected to reschedule repeating timer for element with id '{}', but an error occurred: {}",
            element.id, failure.message
        )),
        Stop::Reject(_) | Stop::TooLarge | Stop::Fault(_) => stop,
    })?;
    match next {
        Some(next) => timers::create(p, &timers::Waiting::of_record(&timer), &element.id, next),
        None => Ok(()),
    }
}
