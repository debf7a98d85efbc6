//! What an element instance waits for: opened when it activates, closed when it leaves.
//!
//! Errors, escalations and compensation are found by looking when they are thrown and need no
//! subscription.

use crate::engine::fault::{Failure, Outcome};
use crate::engine::lifecycle::At;
use crate::engine::output::Processing;
use crate::model::{CatchEvent, CatchEventRef, Process};
use crate::record::value::{ErrorType, ProcessRecord};

/// Evaluates and opens everything `at` waits for.
pub(crate) fn open(_p: &mut Processing<'_>, at: &At) -> Outcome {
    let process = at.process();
    for id in &at.element().waits_for {
        let needs = match process[*id].catch_event() {
            None => false,
            Some(CatchEventRef::Message(_)) => true,
            Some(CatchEventRef::Event(event)) => match event {
                CatchEvent::Message(_)
                | CatchEvent::Timer(_)
                | CatchEvent::Signal(_)
                | CatchEvent::Conditional(_) => true,
                CatchEvent::None
                | CatchEvent::Error(_)
                | CatchEvent::Escalation(_)
                | CatchEvent::Link(_)
                | CatchEvent::Compensation { .. } => false,
            },
        };
        if needs {
            let message = format!(
                "Expected to subscribe to the event '{}', but events of its type are not supported by this version",
                process[*id].id
            );
            return Err(Failure::new(ErrorType::Unknown, message).into());
        }
    }
    Ok(())
}

/// Closes everything `at` waits for.
pub(crate) fn close(_p: &mut Processing<'_>, _at: &At) -> Outcome {
    Ok(())
}

/// A root instance ended: messages that waited for its end may start the next one.
pub(crate) fn after_instance(_p: &mut Processing<'_>, _at: &At) -> Outcome {
    Ok(())
}

/// Opens the start event subscriptions of a definition that became the latest of its id.
pub(crate) fn open_start_events(
    _p: &mut Processing<'_>,
    _definition: &ProcessRecord,
    _process: &Process,
) -> Outcome {
    Ok(())
}

/// Closes the start event subscriptions of a definition that is no longer the latest of its id.
pub(crate) fn close_start_events(_p: &mut Processing<'_>, _definition: &ProcessRecord) -> Outcome {
    Ok(())
}
