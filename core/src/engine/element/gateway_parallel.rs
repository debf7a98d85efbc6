//! Parallel gateway: joins one token per incoming flow, splits into one per outgoing flow.
//!
//! The join is in the guard: a token that comes before the others is refused and its flow stays
//! counted.

use crate::engine::element::{Element, Termination};
use crate::engine::fault::Outcome;
use crate::engine::lifecycle::{self, At};
use crate::engine::output::Processing;
use crate::engine::rule::{incidents, jobs};
use crate::record::intent::of;

/// A parallel gateway.
pub(super) struct ParallelGateway;

impl Element for ParallelGateway {
    fn prepare(&self, _p: &mut Processing<'_>, _at: &At) -> Outcome {
        Ok(())
    }

    fn activate(&self, p: &mut Processing<'_>, at: &At) -> Outcome {
        lifecycle::activated(p, at)?;
        p.event(
            at.key,
            of::ProcessInstance::ElementCompleting,
            at.record.clone(),
        )?;
        lifecycle::completed(p, at)?;
        lifecycle::take_outgoing(p, at)
    }

    fn terminate(&self, p: &mut Processing<'_>, at: &At) -> Outcome<Termination> {
        jobs::cancel(p, at)?;
        incidents::resolve_of_element(p, at)?;
        Ok(Termination::Done)
    }
}
