//! Timers of catch events and start events: when they are due first, and their records.
//!
//! Calendar arithmetic runs in the zone of the engine's configuration. What a model says is evaluated
//! to text and read by [`schedule`](crate::schedule); what cannot be read is an incident with
//! Camunda's text.

use jiff::tz::TimeZone;

use crate::engine::fault::{Failure, Outcome};
use crate::engine::lifecycle::At;
use crate::engine::output::Processing;
use crate::engine::rule::event_expressions::{self, Time};
use crate::ids::{Key, Timestamp};
use crate::model::{Expr, Timer};
use crate::record::Text;
use crate::record::intent::of;
use crate::record::value::{ErrorType, TimerRecord};
use crate::schedule::{self, Cycle, Interval, Occurrence, ScheduleError};

/// What waits for a timer.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    pub(crate) element_instance_key: Key,
    pub(crate) process_instance_key: Key,
    pub(crate) root_process_instance_key: Key,
    pub(crate) process_definition_key: Key,
    pub(crate) tenant_id: Text,
}

impl Waiting {
    /// An element instance.
    pub(crate) fn of(at: &At) -> Self {
        Self {
            element_instance_key: at.key,
            process_instance_key: at.record.process_instance_key,
            root_process_instance_key: at.record.root_process_instance_key,
            process_definition_key: at.record.process_definition_key,
            tenant_id: at.record.tenant_id.clone(),
        }
    }

    /// A start event of a definition.
    pub(crate) fn start(definition: Key, tenant_id: &Text) -> Self {
        Self {
            element_instance_key: Key::NONE,
            process_instance_key: Key::NONE,
            root_process_instance_key: Key::NONE,
            process_definition_key: definition,
            tenant_id: tenant_id.clone(),
        }
    }

    /// What the record of a timer names.
    pub(crate) fn of_record(record: &TimerRecord) -> Self {
        Self {
            element_instance_key: record.element_instance_key,
            process_instance_key: record.process_instance_key,
            root_process_instance_key: record.root_process_instance_key,
            process_definition_key: record.process_definition_key,
            tenant_id: record.tenant_id.clone(),
        }
    }
}

/// When a timer that is created now is due first.
pub(crate) fn first(p: &Processing<'_>, timer: &Timer, scope: Key) -> Outcome<Occurrence> {
    let once = |due: Timestamp| Occurrence {
        due,
        repetitions: 1,
    };
    match timer {
        Timer::Duration(duration) => {
            let text = event_expressions::time_text(p, duration, scope, Time::Duration)?;
            let interval =
                Interval::parse(&text).map_err(|_| malformed("duration", &text, duration))?;
            let due = interval.due(p.now, &zone(p)?).map_err(failure)?;
            Ok(once(due))
        }
        Timer::Date(date) => {
            let text = event_expressions::time_text(p, date, scope, Time::Date)?;
            let due = schedule::date(&text).map_err(|_| malformed("date-time", &text, date))?;
            Ok(once(due))
        }
        Timer::Cycle(cycle) => {
            let cycle = evaluate_cycle(p, cycle, scope)?;
            Ok(cycle.first(p.now, &zone(p)?).map_err(failure)?)
        }
    }
}

/// When a timer that fired is due again; none after the last time.
pub(crate) fn next(
    p: &Processing<'_>,
    timer: &Timer,
    scope: Key,
    fired: Occurrence,
) -> Outcome<Option<Occurrence>> {
    match timer {
        Timer::Duration(_) | Timer::Date(_) => Ok(None),
        Timer::Cycle(cycle) => {
            let cycle = evaluate_cycle(p, cycle, scope)?;
            Ok(cycle.next(fired, p.now, &zone(p)?).map_err(failure)?)
        }
    }
}

/// Creates the timer of the catch event `target`.
pub(crate) fn create(
    p: &mut Processing<'_>,
    waiting: &Waiting,
    target: &Text,
    occurrence: Occurrence,
) -> Outcome {
    let record = TimerRecord {
        element_instance_key: waiting.element_instance_key,
        process_instance_key: waiting.process_instance_key,
        root_process_instance_key: waiting.root_process_instance_key,
        due_date: occurrence.due,
        target_element_id: target.clone(),
        repetitions: occurrence.repetitions,
        process_definition_key: waiting.process_definition_key,
        tenant_id: waiting.tenant_id.clone(),
    };
    let key = p.next_key();
    p.event(key, of::Timer::Created, record)
}

fn evaluate_cycle(p: &Processing<'_>, cycle: &Expr, scope: Key) -> Outcome<Cycle> {
    let text = event_expressions::time_text(p, cycle, scope, Time::Cycle)?;
    Ok(Cycle::parse(&text).map_err(failure)?)
}

/// The zone of calendar timers.
fn zone(p: &Processing<'_>) -> Outcome<TimeZone> {
    TimeZone::get(&p.config.time_zone).map_err(|_| {
        let message = format!("The time zone '{}' is not known", p.config.time_zone);
        Failure::new(ErrorType::ExtractValueError, message).into()
    })
}

fn failure(error: ScheduleError) -> Failure {
    Failure::new(ErrorType::ExtractValueError, error.to_string())
}

fn malformed(what: &str, text: &Text, expr: &Expr) -> Failure {
    let source = expr.source.strip_prefix('=').unwrap_or(&expr.source);
    let message = format!("Invalid {what} format '{text}' for expression '{source}'.");
    Failure::new(ErrorType::ExtractValueError, message)
}
