//! Embedded sub-process: a scope inside a process.
//!
//! Its event subscriptions are opened by its none start event when that completes, as in Camunda.
//! When its last child has terminated, the reason decides the way on: an interrupting event
//! sub-process, a boundary event, a terminate end event, or termination from outside.

use crate::engine::element::{self, Element, Termination};
use crate::engine::fault::{Outcome, Stop};
use crate::engine::lifecycle::{self, At};
use crate::engine::output::Processing;
use crate::engine::rule::{compensation, incidents, jobs, subscriptions, triggers};

/// An embedded sub-process.
pub(super) struct SubProcess;

impl Element for SubProcess {
    fn activate(&self, p: &mut Processing<'_>, at: &At) -> Outcome {
        lifecycle::activated(p, at)?;
        let start = at.element().container().and_then(|inner| inner.none_start);
        match start {
            Some(start) => lifecycle::ask_activate_child(p, at, start),
            None => Err(Stop::fault(
                "Expected to activate none start event, but no none start event found in sub process",
            )),
        }
    }

    fn terminate(&self, p: &mut Processing<'_>, at: &At) -> Outcome<Termination> {
        jobs::cancel(p, at)?;
        subscriptions::close(p, at)?;
        incidents::resolve_of_element(p, at)?;
        compensation::forget_scope(p, at)?;
        if lifecycle::terminate_children(p, at)? {
            self.child_terminated(p, at, None)?;
        }
        Ok(Termination::Waits)
    }

    fn child_terminated(&self, p: &mut Processing<'_>, at: &At, _child: Option<&At>) -> Outcome {
        let row = element::row(p, at)?;
        let interrupted = row.is_active() && row.is_interrupted() && row.active_children == 0;
        let by_terminate_end = interrupted && triggers::interrupted_by_terminate_end(at, &row);
        if interrupted && !by_terminate_end {
            return match triggers::pending_trigger(p, at)? {
                Some((event, trigger)) => triggers::activate(p, at, at.key, event, &trigger),
                None => Ok(()),
            };
        }
        if row.active_children > 0 {
            return Ok(());
        }
        if let Some((event, trigger)) = triggers::boundary_trigger(p, at)? {
            lifecycle::terminated(p, at)?;
            return triggers::activate(p, at, at.record.flow_scope_key, event, &trigger);
        }
        if row.is_terminating() {
            lifecycle::terminated(p, at)?;
            return lifecycle::tell_terminated(p, at);
        }
        if by_terminate_end {
            return lifecycle::ask_complete(p, at);
        }
        Ok(())
    }
}
