//! Inclusive gateway: every flow whose condition holds.
//!
//! As a split all conditions are evaluated and one that fails fails the gateway; the default flow is
//! taken when none holds. As a join it waits while another token can still arrive, see
//! [`inclusive_join`](crate::engine::rule::inclusive_join).

use crate::engine::element::{Element, Termination};
use crate::engine::fault::{Failure, Outcome, Stop};
use crate::engine::lifecycle::{self, At};
use crate::engine::output::Processing;
use crate::engine::rule::{expressions, incidents, jobs};
use crate::model::{Behavior, FlowId};
use crate::record::intent::of;
use crate::record::value::ErrorType;

/// An inclusive gateway.
pub(super) struct InclusiveGateway;

const NO_OUTGOING: &str =
    "Expected at least one condition to evaluate to true, or to have a default flow";

impl Element for InclusiveGateway {
    fn prepare(&self, _p: &mut Processing<'_>, _at: &At) -> Outcome {
        Ok(())
    }

    fn activate(&self, p: &mut Processing<'_>, at: &At) -> Outcome {
        let flows = choose(p, at)?;
        lifecycle::activated(p, at)?;
        p.event(
            at.key,
            of::ProcessInstance::ElementCompleting,
            at.record.clone(),
        )?;
        lifecycle::completed(p, at)?;
        for flow in flows {
            lifecycle::take_flow(p, at, flow)?;
        }
        Ok(())
    }

    fn terminate(&self, p: &mut Processing<'_>, at: &At) -> Outcome<Termination> {
        jobs::cancel(p, at)?;
        incidents::resolve_of_element(p, at)?;
        Ok(Termination::Done)
    }
}

fn choose(p: &Processing<'_>, at: &At) -> Outcome<Vec<FlowId>> {
    let Behavior::InclusiveGateway { default } = &at.element().behavior else {
        return Err(Stop::fault("not an inclusive gateway"));
    };
    let process = at.process();
    match &*at.element().outgoing {
        [] => return Ok(Vec::new()),
        [only] if process[*only].condition.is_none() => return Ok(vec![*only]),
        _ => {}
    }
    let mut chosen = Vec::new();
    for flow in &at.element().outgoing {
        if Some(*flow) == *default {
            continue;
        }
        if let Some(condition) = &process[*flow].condition
            && expressions::boolean(p, condition, at.key)?
        {
            chosen.push(*flow);
        }
    }
    if chosen.is_empty() {
        match default {
            Some(flow) => chosen.push(*flow),
            None => return Err(Failure::new(ErrorType::ConditionError, NO_OUTGOING).into()),
        }
    }
    Ok(chosen)
}
