//! Call activity: runs an instance of another process inside this one.
//!
//! The called process is chosen when the activity activates; the child gets copies of variables and
//! gives its own back when it completes. Errors and escalations of the child that nobody catches
//! inside walk out through the boundary events here. The child ends before the activity does.

use std::rc::Rc;

use crate::engine::definitions::Definition;
use crate::engine::element::{self, Element, Termination};
use crate::engine::fault::{Failure, Outcome, Stop};
use crate::engine::lifecycle::{self, At};
use crate::engine::output::Processing;
use crate::engine::rule::variables::{self, Owner};
use crate::engine::rule::{expressions, incidents, jobs, subscriptions};
use crate::model::{Behavior, Binding, CalledElement};
use crate::record::intent::of;
use crate::record::value::{ErrorType, ProcessInstanceRecord};
use crate::record::{Document, Text};
use crate::state::ElementState;

/// Characters of a business id.
const BUSINESS_ID_LENGTH_MAX: usize = 256;

/// A call activity.
pub(super) struct CallActivity;

fn called(at: &At) -> Outcome<&CalledElement> {
    let Behavior::Call(called) = &at.element().behavior else {
        return Err(Stop::fault("not a call activity"));
    };
    Ok(called)
}

fn failure(message: impl Into<Text>) -> Stop {
    Failure::new(ErrorType::CalledElementError, message).into()
}

impl Element for CallActivity {
    fn activate(&self, p: &mut Processing<'_>, at: &At) -> Outcome {
        let called = called(at)?;
        let process_id = expressions::text(p, &called.process_id, at.key)?;
        let definition = find(p, at, called, &process_id)?;
        if definition.process.none_start_event().is_none() {
            return Err(failure(format!(
                "Expected process with BPMN process id '{process_id}' to have a none start event, but not found."
            )));
        }
        check_depth(p, at)?;
        let business_id = business_id(p, at, called)?;
        let variables = if called.propagate_all_parent_variables {
            p.state().visible_variables(at.key, &[])?
        } else if at.element().inputs.is_empty() {
            Document::EMPTY
        } else {
            p.state().local_variables(at.key)?
        };
        subscriptions::open(p, at)?;
        lifecycle::activated(p, at)?;
        call(p, at, &definition, business_id, &variables)
    }

    fn terminate(&self, p: &mut Processing<'_>, at: &At) -> Outcome<Termination> {
        jobs::cancel(p, at)?;
        subscriptions::close(p, at)?;
        incidents::resolve_of_element(p, at)?;
        let child = element::row(p, at)?.called_child_key;
        match At::find(p, child)? {
            Some(child) => {
                if element::row(p, &child)?.can_terminate() {
                    lifecycle::ask_terminate(p, &child)?;
                }
                Ok(Termination::Waits)
            }
            None => Ok(Termination::Done),
        }
    }

    fn path_completed(&self, p: &mut Processing<'_>, at: &At, _satisfied: bool) -> Outcome {
        match element::row(p, at)?.state {
            ElementState::Activated => lifecycle::ask_complete(p, at),
            // Interrupted while the child completed.
            ElementState::Terminating => self.terminated(p, at),
            ElementState::Activating | ElementState::Completing => Err(Stop::fault(
                "Expected to complete call activity after child completed, but it is not active",
            )),
        }
    }

    fn child_terminated(&self, p: &mut Processing<'_>, at: &At, _child: Option<&At>) -> Outcome {
        if element::row(p, at)?.is_terminating() {
            return self.terminated(p, at);
        }
        Err(Stop::fault(
            "Expected to terminate call activity after child terminated, but it is not terminating",
        ))
    }
}

/// The definition that is called.
fn find(
    p: &Processing<'_>,
    at: &At,
    called: &CalledElement,
    process_id: &Text,
) -> Outcome<Rc<Definition>> {
    let tenant = &at.record.tenant_id;
    let state = p.state();
    let (found, missing) = match &called.binding {
        Binding::Latest => {
            let latest = state.latest_definition(tenant, process_id)?;
            let message = format!(
                "Expected process with BPMN process id '{process_id}' to be deployed, but not found."
            );
            (latest.map(|row| row.record.process_definition_key), message)
        }
        Binding::Deployment => {
            let deployment = at.definition.record.deployment_key;
            let id = (tenant.clone(), process_id.clone(), deployment);
            let found = state.definition_by_deployment.get(&id)?;
            let message = format!(
                "Expected to call process with BPMN process id '{process_id}' with binding type 'deployment', but no such process found in the deployment with key {deployment} which contained the current process. To resolve this incident, migrate the process instance to a process definition that is deployed together with the intended process definition to call."
            );
            (found.map(|row| row.key), message)
        }
        Binding::VersionTag(tag) => {
            let id = (tenant.clone(), process_id.clone(), tag.clone());
            let found = state.definition_by_tag.get(&id)?;
            let message = format!(
                "Expected to call process with BPMN process id '{process_id}' and version tag '{tag}', but no such process found. To resolve this incident, deploy a process with the given process id and version tag."
            );
            (found.map(|row| row.key), message)
        }
    };
    let living = match found {
        Some(key) => state.definition(key, tenant)?,
        None => None,
    };
    match living {
        Some(row) => p.definition(row.record.process_definition_key),
        None => Err(failure(missing)),
    }
}

/// Calls inside calls end somewhere.
fn check_depth(p: &Processing<'_>, at: &At) -> Outcome {
    let instance = p.state().elements.get(&at.record.process_instance_key)?;
    let depth = instance.map_or(1, |row| row.depth);
    if depth < p.config.max_call_depth {
        return Ok(());
    }
    Err(failure(format!(
        "The call activity has reached the maximum depth of {}. This is likely due to a recursive call. Cancel the root process instance if this was unintentional. Otherwise, consider increasing the maximum depth, or use process instance modification to adjust the process instance.",
        p.config.max_call_depth
    )))
}

/// The child's business id: its parent's unless the model gives one.
fn business_id(p: &Processing<'_>, at: &At, called: &CalledElement) -> Outcome<Text> {
    let Some(expr) = &called.business_id else {
        return Ok(p.state().business_id(&at.record)?);
    };
    if expr.source.is_empty() {
        return Ok(Text::EMPTY);
    }
    let id = if expr.is_static() {
        expr.source.clone()
    } else {
        expressions::text(p, expr, at.key)?
    };
    if id.is_empty() || id.chars().count() > BUSINESS_ID_LENGTH_MAX {
        let message = format!(
            "Expected the business id of the called process to have 1 to {BUSINESS_ID_LENGTH_MAX} characters, but it has {}",
            id.chars().count()
        );
        return Err(Failure::new(ErrorType::ExtractValueError, message).into());
    }
    Ok(id)
}

/// Asks for the child instance and gives it its variables.
fn call(
    p: &mut Processing<'_>,
    at: &At,
    definition: &Definition,
    business_id: Text,
    variables: &Document,
) -> Outcome {
    let root = definition.process.root();
    let key = p.next_key();
    let record = ProcessInstanceRecord {
        bpmn_process_id: definition.record.bpmn_process_id.clone(),
        version: definition.record.version,
        process_definition_key: definition.key(),
        process_instance_key: key,
        root_process_instance_key: at.record.root_process_instance_key,
        element_id: root.id.clone(),
        bpmn_element_type: root.element_type,
        bpmn_event_type: root.event_type,
        parent_process_instance_key: at.record.process_instance_key,
        parent_element_instance_key: at.key,
        tenant_id: at.record.tenant_id.clone(),
        tags: at.record.tags.clone(),
        business_id,
        ..ProcessInstanceRecord::default()
    };
    let owner = Owner::of(&record);
    p.command(key, of::ProcessInstance::ActivateElement, record)?;
    p.state().variables.found(&key);
    variables::merge_local(p, key, &owner, variables)
}
