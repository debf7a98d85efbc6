//! Exclusive gateway: one flow of several.
//!
//! A single outgoing flow without condition is taken. Otherwise conditions are tried from the
//! last flow of the document to the first, the default flow's not; the first true one wins, else the
//! default flow is taken.

use crate::engine::element::Element;
use crate::engine::element::Termination;
use crate::engine::fault::{Failure, Outcome, Stop};
use crate::engine::lifecycle::{self, At};
use crate::engine::output::Processing;
use crate::engine::rule::{expressions, incidents, jobs};
use crate::model::{Behavior, FlowId};
use crate::record::intent::of;
use crate::record::value::ErrorType;

/// An exclusive gateway.
pub(super) struct ExclusiveGateway;

const NO_OUTGOING: &str =
    "Expected at least one condition to evaluate to true, or to have a default flow";

impl Element for ExclusiveGateway {
    fn prepare(&self, _p: &mut Processing<'_>, _at: &At) -> Outcome {
        Ok(())
    }

    fn activate(&self, p: &mut Processing<'_>, at: &At) -> Outcome {
        let flow = choose(p, at)?;
        lifecycle::activated(p, at)?;
        p.event(
            at.key,
            of::ProcessInstance::ElementCompleting,
            at.record.clone(),
        )?;
        lifecycle::completed(p, at)?;
        match flow {
            Some(flow) => lifecycle::take_flow(p, at, flow),
            None => Ok(()),
        }
    }

    fn terminate(&self, p: &mut Processing<'_>, at: &At) -> Outcome<Termination> {
        jobs::cancel(p, at)?;
        incidents::resolve_of_element(p, at)?;
        Ok(Termination::Done)
    }
}

/// The flow to take; none if there is none at all.
fn choose(p: &Processing<'_>, at: &At) -> Outcome<Option<FlowId>> {
    let Behavior::ExclusiveGateway { default } = &at.element().behavior else {
        return Err(Stop::fault("not an exclusive gateway"));
    };
    let process = at.process();
    match &*at.element().outgoing {
        [] => return Ok(None),
        [only] if process[*only].condition.is_none() => return Ok(Some(*only)),
        _ => {}
    }
    for flow in &at.element().outgoing {
        if Some(*flow) == *default {
            continue;
        }
        if let Some(condition) = &process[*flow].condition
            && expressions::boolean(p, condition, at.key)?
        {
            return Ok(Some(*flow));
        }
    }
    match default {
        Some(flow) => Ok(Some(*flow)),
        None => Err(Failure::new(ErrorType::ConditionError, NO_OUTGOING).into()),
    }
}
