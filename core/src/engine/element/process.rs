//! The process itself: the outermost scope of an instance.
//!
//! Starts its none start event, or the start event that triggered it; completes when no child is
//! active and no token is on a flow; then answers who waits for the result and tells the call
//! activity that called it.

use crate::engine::command::delete_resource;
use crate::engine::effect::Response;
use crate::engine::element;
use crate::engine::element::{Element, Termination};
use crate::engine::fault::{Outcome, Stop};
use crate::engine::lifecycle::{self, At};
use crate::engine::output::Processing;
use crate::engine::rule::{agents, compensation, incidents, jobs, starts, subscriptions, triggers};
use crate::record::intent::of;
use crate::record::value::ProcessInstanceResultRecord;

/// A process.
pub(super) struct Process;

impl Element for Process {
    fn prepare(&self, _p: &mut Processing<'_>, _at: &At) -> Outcome {
        Ok(())
    }

    fn activate(&self, p: &mut Processing<'_>, at: &At) -> Outcome {
        lifecycle::activated(p, at)?;
        let definition = at.record.process_definition_key;
        if let Some((event, trigger)) = triggers::start_trigger(p, at)? {
            return triggers::activate_in(p, at, definition, at.key, event, &trigger);
        }
        match at.process().none_start_event() {
            Some(start) => lifecycle::ask_activate_child(p, at, start),
            None => Err(Stop::fault(
                "Expected to activate the none start event of the process but not found.",
            )),
        }
    }

    fn leave(&self, p: &mut Processing<'_>, at: &At) -> Outcome {
        subscriptions::close(p, at)?;
        compensation::forget_instance(p, at)
    }

    fn complete(&self, p: &mut Processing<'_>, at: &At) -> Outcome {
        send_result(p, at)?;
        let call = at.container(p)?;
        let lock = starts::held_lock(p, at)?;
        lifecycle::completed(p, at)?;
        agents::instance_ended(p, at.key)?;
        if let Some(lock) = lock {
            starts::after_instance(p, &lock)?;
        }
        delete_resource::instance_ended(p, at.definition.key())?;
        match call {
            Some(call) => {
                let behavior = element::of(call.element());
                let satisfied = behavior.before_path_completed(p, &call, at)?;
                behavior.path_completed(p, &call, satisfied)
            }
            None => Ok(()),
        }
    }

    fn terminate(&self, p: &mut Processing<'_>, at: &At) -> Outcome<Termination> {
        jobs::cancel(p, at)?;
        subscriptions::close(p, at)?;
        incidents::resolve_of_element(p, at)?;
        compensation::forget_instance(p, at)?;
        if lifecycle::terminate_children(p, at)? {
            Ok(Termination::Done)
        } else {
            Ok(Termination::Waits)
        }
    }

    fn terminated(&self, p: &mut Processing<'_>, at: &At) -> Outcome {
        p.awaited.remove(at.key);
        let call = at.container(p)?;
        let lock = starts::held_lock(p, at)?;
        lifecycle::terminated(p, at)?;
        agents::instance_ended(p, at.key)?;
        if let Some(lock) = lock {
            starts::after_instance(p, &lock)?;
        }
        delete_resource::instance_ended(p, at.definition.key())?;
        match call {
            Some(call) => element::of(call.element()).child_terminated(p, &call, Some(at)),
            None => Ok(()),
        }
    }

    fn child_terminated(&self, p: &mut Processing<'_>, at: &At, _child: Option<&At>) -> Outcome {
        let row = element::row(p, at)?;
        if row.is_active() && row.is_interrupted() {
            if row.active_children > 0 {
                return Ok(());
            }
            if triggers::interrupted_by_terminate_end(at, &row) {
                return lifecycle::ask_complete(p, at);
            }
            return match triggers::pending_trigger(p, at)? {
                Some((event, trigger)) => triggers::activate(p, at, at.key, event, &trigger),
                None => Ok(()),
            };
        }
        if row.is_terminating() && row.active_children == 0 {
            return self.terminated(p, at);
        }
        Ok(())
    }
}

/// Answers the caller who waits for the result of this instance.
fn send_result(p: &mut Processing<'_>, at: &At) -> Outcome {
    let Some(awaited) = p.awaited.remove(at.key) else {
        return Ok(());
    };
    let variables = p
        .state()
        .visible_variables(at.key, &awaited.fetch_variables)?;
    let result = std::sync::Arc::new(ProcessInstanceResultRecord {
        bpmn_process_id: at.record.bpmn_process_id.clone(),
        process_definition_key: at.record.process_definition_key,
        version: at.record.version,
        process_instance_key: at.key,
        variables,
        tenant_id: at.record.tenant_id.clone(),
        tags: at.record.tags.clone(),
        business_id: at.record.business_id.clone(),
    });
    // An answer and no record: nothing of it is state.
    p.answer(Response {
        request: awaited.request,
        key: at.key,
        intent: of::ProcessInstanceResult::Completed.into(),
        value: result.into(),
        rejection: None,
    });
    Ok(())
}
