//! Inner instance of an ad-hoc sub-process: one activation of an activity and what follows it.
//!
//! Created with the activity, never by a command of its own; completes when its path has ended.

use crate::engine::element::{self, Element, Termination};
use crate::engine::fault::{Outcome, Stop};
use crate::engine::lifecycle::{self, At};
use crate::engine::output::Processing;
use crate::engine::rule::{compensation, incidents};

/// An inner instance.
pub(super) struct InnerInstance;

impl Element for InnerInstance {
    fn activate(&self, _p: &mut Processing<'_>, _at: &At) -> Outcome {
        Err(Stop::fault(
            "An ACTIVATE command is not supported for an inner instance of an ad-hoc sub-process. Instead, the inner instance should be activated by writing events.",
        ))
    }

    fn leave(&self, _p: &mut Processing<'_>, _at: &At) -> Outcome {
        Ok(())
    }

    fn terminate(&self, p: &mut Processing<'_>, at: &At) -> Outcome<Termination> {
        incidents::resolve_of_element(p, at)?;
        let alone = lifecycle::terminate_children(p, at)?;
        compensation::forget_scope(p, at)?;
        if alone {
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
        Ok(())
    }
}
