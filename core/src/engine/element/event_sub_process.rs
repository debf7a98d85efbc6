//! Event sub-process: a scope that an event starts, beside the other children of its scope.
//!
//! Created only by a trigger. When it ends, the scope around it is checked like after any other
//! path.

use crate::engine::element::{self, Element, Termination};
use crate::engine::fault::{Outcome, Stop};
use crate::engine::lifecycle::{self, At};
use crate::engine::output::Processing;
use crate::engine::rule::{incidents, jobs, subscriptions, triggers};

/// An event sub-process.
pub(super) struct EventSubProcess;

impl Element for EventSubProcess {
    fn activate(&self, p: &mut Processing<'_>, at: &At) -> Outcome {
        lifecycle::activated(p, at)?;
        let start = at
            .element()
            .container()
            .and_then(|inner| inner.start_events.first());
        match start {
            Some(start) => lifecycle::ask_activate_child(p, at, *start),
            None => Err(Stop::fault("event sub-process without start event")),
        }
    }

    fn terminate(&self, p: &mut Processing<'_>, at: &At) -> Outcome<Termination> {
        jobs::cancel(p, at)?;
        subscriptions::close(p, at)?;
        incidents::resolve_of_element(p, at)?;
        if lifecycle::terminate_children(p, at)? {
            Ok(Termination::Done)
        } else {
            Ok(Termination::Waits)
        }
    }

    fn terminated(&self, p: &mut Processing<'_>, at: &At) -> Outcome {
        lifecycle::terminated(p, at)?;
        lifecycle::tell_terminated(p, at)
    }

    fn child_terminated(&self, p: &mut Processing<'_>, at: &At, _child: Option<&At>) -> Outcome {
        let row = element::row(p, at)?;
        if row.active_children > 0 {
            return Ok(());
        }
        if row.is_terminating() {
            return self.terminated(p, at);
        }
        if row.is_active() && row.is_interrupted() {
            if triggers::interrupted_by_terminate_end(at, &row) {
                return lifecycle::ask_complete(p, at);
            }
            if let Some((event, trigger)) = triggers::pending_trigger(p, at)? {
                return triggers::activate(p, at, at.key, event, &trigger);
            }
        }
        Ok(())
    }
}
