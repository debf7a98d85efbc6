//! What an element does between the events of its life: the trait and the registry.
//!
//! One file per element, one row here. The guard has passed and the first event of the phase is
//! written when a method is called; a method that returns a failure leaves an incident and is called
//! again when that is resolved, so it evaluates before it writes.

use crate::engine::fault::{Outcome, Stop};
use crate::engine::lifecycle::{self, At};
use crate::engine::output::Processing;
use crate::engine::rule::{
    compensation, incidents, jobs, subscriptions, triggers, variable_mapping,
};
use crate::model::{self, Behavior, ThrowEvent};
use crate::state::ElementRow;

mod ad_hoc;
mod ad_hoc_inner;
mod call_activity;
mod decision_task;
mod event_boundary;
mod event_catch;
mod event_compensation;
mod event_end_error;
mod event_end_terminate;
mod event_escalation;
mod event_start;
mod event_sub_process;
mod event_throw_link;
mod event_throw_signal;
mod gateway_event_based;
mod gateway_exclusive;
mod gateway_inclusive;
mod gateway_parallel;
mod job_task;
mod multi_instance;
mod pass_through;
mod process;
mod publishing;
mod script_task;
mod subprocess;
mod user_task;

/// Whether an instance is gone after the call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Termination {
    /// Nothing holds it.
    Done,
    /// It waits for its children.
    Waits,
}

/// An element's own part of its life.
pub(crate) trait Element: Sync {
    /// Before start listeners: input mappings.
    fn prepare(&self, p: &mut Processing<'_>, at: &At) -> Outcome {
        variable_mapping::inputs(p, at)
    }

    /// After start listeners: evaluates, subscribes, creates, writes ELEMENT_ACTIVATED; asks for the
    /// completion if there is nothing to wait for.
    fn activate(&self, p: &mut Processing<'_>, at: &At) -> Outcome;

    /// Before end listeners: output mappings, end of subscriptions.
    fn leave(&self, p: &mut Processing<'_>, at: &At) -> Outcome {
        variable_mapping::outputs(p, at)?;
        subscriptions::close(p, at)
    }

    /// After end listeners: ELEMENT_COMPLETED and the way on.
    fn complete(&self, p: &mut Processing<'_>, at: &At) -> Outcome {
        compensation::subscribe(p, at)?;
        lifecycle::completed(p, at)?;
        compensation::handler_completed(p, at)?;
        lifecycle::take_outgoing(p, at)
    }

    /// ELEMENT_TERMINATING is written: ends what was begun.
    fn terminate(&self, p: &mut Processing<'_>, at: &At) -> Outcome<Termination> {
        jobs::cancel(p, at)?;
        subscriptions::close(p, at)?;
        if !resolves_late(at.element()) {
            incidents::resolve_of_element(p, at)?;
        }
        Ok(Termination::Done)
    }

    /// Nothing is left below: ELEMENT_TERMINATED and the way on, which may be a boundary event.
    fn terminated(&self, p: &mut Processing<'_>, at: &At) -> Outcome {
        match triggers::boundary_trigger(p, at)? {
            Some((event, trigger)) => {
                lifecycle::terminated(p, at)?;
                triggers::activate(p, at, at.record.flow_scope_key, event, &trigger)
            }
            None => {
                lifecycle::terminated(p, at)?;
                if resolves_late(at.element()) {
                    incidents::resolve_of_element(p, at)?;
                }
                lifecycle::tell_terminated(p, at)
            }
        }
    }

    /// A child wrote ELEMENT_ACTIVATING.
    fn child_activating(&self, _p: &mut Processing<'_>, _at: &At, _child: &At) -> Outcome {
        Ok(())
    }

    /// A child whose path ends is about to write ELEMENT_COMPLETED; says whether a completion
    /// condition is satisfied.
    fn before_path_completed(
        &self,
        _p: &mut Processing<'_>,
        _at: &At,
        _child: &At,
    ) -> Outcome<bool> {
        Ok(false)
    }

    /// A child whose path ends wrote ELEMENT_COMPLETED. Must not fail.
    fn path_completed(&self, p: &mut Processing<'_>, at: &At, _satisfied: bool) -> Outcome {
        if lifecycle::can_complete(p, at)? {
            lifecycle::ask_complete(p, at)?;
        }
        Ok(())
    }

    /// A child wrote ELEMENT_TERMINATED; none if there never was one.
    fn child_terminated(&self, _p: &mut Processing<'_>, at: &At, _child: Option<&At>) -> Outcome {
        Err(Stop::fault(format!(
            "'{}' has no children",
            at.record.element_id
        )))
    }
}

/// Whether the incident of an element is resolved behind its ELEMENT_TERMINATED.
fn resolves_late(element: &model::Element) -> bool {
    matches!(
        element.behavior,
        Behavior::Start { .. } | Behavior::PassThrough | Behavior::Throw(_)
    )
}

/// What an element of the model does.
pub(crate) fn of(element: &model::Element) -> &'static dyn Element {
    match &element.behavior {
        Behavior::PassThrough => &pass_through::Plain,
        Behavior::Process(_) => &process::Process,
        Behavior::SubProcess(_) => &subprocess::SubProcess,
        Behavior::MultiInstance(_) => &multi_instance::MultiInstance,
        Behavior::Job(_) => &job_task::JobTask,
        Behavior::Script(_) => &script_task::ScriptTask,
        Behavior::ExclusiveGateway { .. } => &gateway_exclusive::ExclusiveGateway,
        Behavior::InclusiveGateway { .. } => &gateway_inclusive::InclusiveGateway,
        Behavior::ParallelGateway => &gateway_parallel::ParallelGateway,
        Behavior::Start { .. } => &event_start::StartEvent,
        Behavior::Boundary { .. } => &event_boundary::BoundaryEvent,
        Behavior::Throw(event) | Behavior::End(event) => match event {
            ThrowEvent::None => &pass_through::WithOutputs,
            ThrowEvent::Job(_) => &job_task::JobTask,
            ThrowEvent::Error(_) => &event_end_error::ErrorEndEvent,
            ThrowEvent::Terminate => &event_end_terminate::TerminateEndEvent,
            ThrowEvent::Signal(_) => &event_throw_signal::SignalThrowEvent,
            ThrowEvent::Link(_) => &event_throw_link::LinkThrowEvent,
            ThrowEvent::Escalation(_) => &event_escalation::EscalationEvent,
            ThrowEvent::Compensation(_) => &event_compensation::CompensationEvent,
            ThrowEvent::Publish(_) => &publishing::Publishing,
        },
        Behavior::EventSubProcess(_) => &event_sub_process::EventSubProcess,
        Behavior::Receive(_) | Behavior::Catch(_) => &event_catch::CatchingElement,
        Behavior::EventBasedGateway => &gateway_event_based::EventBasedGateway,
        Behavior::UserTask(_) => &user_task::UserTask,
        Behavior::Call(_) => &call_activity::CallActivity,
        Behavior::AdHoc(_) => &ad_hoc::AdHocSubProcess,
        Behavior::AdHocInner(_) => &ad_hoc_inner::InnerInstance,
        Behavior::Decision(_) => &decision_task::DecisionTask,
    }
}

/// The row of an instance that is in hand.
pub(crate) fn row(p: &Processing<'_>, at: &At) -> Outcome<std::rc::Rc<ElementRow>> {
    p.state()
        .elements
        .get(&at.key)?
        .ok_or_else(|| Stop::fault(format!("no element instance with key '{}'", at.key)))
}
