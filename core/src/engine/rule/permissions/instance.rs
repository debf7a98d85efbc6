//! The permission for commands that name an instance, or something in one: a job, an incident, a task.
//!
//! What is of a tenant that its sender is not assigned to is not there for them: the refusal is the
//! command's own "not found", as in the reference, which looks jobs, incidents and tasks up in the
//! sender's tenants and asks for the permission to everything else first.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "an intent that is not listed is no command for clients"
)]

use super::not_for_clients;
use crate::engine::fault::{Outcome, Stop};
use crate::engine::input::Command;
use crate::engine::output::Processing;
use crate::engine::rule::authorizations::{Ask, Guard};
use crate::ids::Key;
use crate::record::intent::of;
use crate::record::value::{PermissionType as P, ResourceType as R};
use crate::record::{Intent, Text, Value};

/// How somebody who is not of the tenant learns that there is nothing.
enum Hidden {
    /// The refusal names operation and tenant.
    Told,
    /// Behind the question for the permission, with this reason.
    Late(String),
    /// Before it, with this reason.
    Early(String),
}

/// Commands that name an instance, or something in one.
pub(super) fn instance(p: &Processing<'_>, guard: &Guard<'_>, command: &Command) -> Outcome {
    let key = command.key;
    let (id, tenant, permission, hidden) = match &command.value {
        Value::ProcessInstanceCreation(value) => {
            let id = match p.state().definitions.get(&value.process_definition_key)? {
                Some(row) => row.record.bpmn_process_id.clone(),
                None => value.bpmn_process_id.clone(),
            };
            (
                id,
                value.tenant_id.clone(),
                P::CreateProcessInstance,
                Hidden::Told,
            )
        }
        Value::ProcessInstance(_) => match command.intent {
            Intent::ProcessInstance(of::ProcessInstance::Cancel) => {
                let Some(row) = p.state().elements.get(&command.key)? else {
                    return Ok(());
                };
                let record = &row.record;
                let id = record.bpmn_process_id.clone();
                let hidden = Hidden::Late(format!(
                    "Expected to cancel a process instance with key '{key}', but no such process \
                     was found"
                ));
                let tenant = record.tenant_id.clone();
                (id, tenant, P::CancelProcessInstance, hidden)
            }
            _ => return not_for_clients(command),
        },
        Value::VariableDocument(value) => {
            let Some(row) = p.state().elements.get(&value.scope_key)? else {
                return Ok(());
            };
            let record = &row.record;
            let id = record.bpmn_process_id.clone();
            let hidden = Hidden::Late(format!(
                "Expected to update variables for element with key '{}', but no such element was \
                 found",
                value.scope_key
            ));
            (
                id,
                record.tenant_id.clone(),
                P::UpdateProcessInstance,
                hidden,
            )
        }
        Value::ProcessInstanceModification(value) => {
            let Some(row) = p.state().elements.get(&value.process_instance_key)? else {
                return Ok(());
            };
            let record = &row.record;
            let id = record.bpmn_process_id.clone();
            let hidden = Hidden::Late(format!(
                "Expected to modify a process instance with key '{}', but no such process instance \
                 was found",
                value.process_instance_key
            ));
            (
                id,
                record.tenant_id.clone(),
                P::ModifyProcessInstance,
                hidden,
            )
        }
        Value::ProcessInstanceMigration(value) => {
            let Some(row) = p.state().elements.get(&value.process_instance_key)? else {
                return Ok(());
            };
            let record = &row.record;
            let id = record.bpmn_process_id.clone();
            let hidden = Hidden::Late(format!(
                "Expected to migrate a process instance with key '{}', but no such process instance \
                 was found",
                value.process_instance_key
            ));
            (
                id,
                record.tenant_id.clone(),
                P::UpdateProcessInstance,
                hidden,
            )
        }
        Value::ProcessInstanceBusinessId(value) => {
            let Some(row) = p.state().elements.get(&value.process_instance_key)? else {
                return Ok(());
            };
            let record = &row.record;
            let id = record.bpmn_process_id.clone();
            let tenant = record.tenant_id.clone();
            (id, tenant, P::UpdateProcessInstance, Hidden::Told)
        }
        Value::AdHocSubProcessInstruction(value) => {
            if !matches!(
                command.intent,
                Intent::AdHocSubProcessInstruction(of::AdHocSubProcessInstruction::Activate)
            ) {
                return not_for_clients(command);
            }
            let key = value.ad_hoc_sub_process_instance_key;
            let Some(row) = p.state().elements.get(&key)? else {
                return Ok(());
            };
            let record = &row.record;
            let id = record.bpmn_process_id.clone();
            let tenant = record.tenant_id.clone();
            (id, tenant, P::UpdateProcessInstance, Hidden::Told)
        }
        Value::Incident(_) => {
            let Some(row) = p.state().incidents.get(&command.key)? else {
                return Ok(());
            };
            let record = &row.record;
            let id = record.bpmn_process_id.clone();
            let hidden = Hidden::Early(format!(
                "Expected to resolve incident with key '{key}', but no such incident was found"
            ));
            (
                id,
                record.tenant_id.clone(),
                P::UpdateProcessInstance,
                hidden,
            )
        }
        Value::Job(_) => {
            let what = match command.intent {
                Intent::Job(of::Job::Complete) => "complete",
                Intent::Job(of::Job::Fail) => "fail",
                Intent::Job(of::Job::ThrowError) => "throw an error for",
                Intent::Job(of::Job::UpdateRetries | of::Job::UpdateTimeout | of::Job::Update) => {
                    "update"
                }
                _ => return not_for_clients(command),
            };
            let Some(row) = p.state().jobs.get(&command.key)? else {
                return Ok(());
            };
            let record = &row.record;
            let id = record.bpmn_process_id.clone();
            let hidden = Hidden::Early(format!(
                "Expected to {what} job with key '{key}', but no such job was found"
            ));
            (
                id,
                record.tenant_id.clone(),
                P::UpdateProcessInstance,
                hidden,
            )
        }
        Value::AgentInstance(_) | Value::AgentHistory(_) => {
            let Some((id, tenant)) = agent(p, command)? else {
                return Ok(());
            };
            (id, tenant, P::UpdateProcessInstance, Hidden::Told)
        }
        Value::UserTask(_) => return user_task(p, guard, command),
        _ => return not_for_clients(command),
    };
    let ask = Ask::new(R::ProcessDefinition, permission);
    let ask = ask.to(&id).of_tenant(&tenant);
    match hidden {
        Hidden::Told => guard.check(&ask),
        Hidden::Late(reason) => guard.check(&ask.else_missing(reason)),
        Hidden::Early(reason) => {
            seen(guard, &tenant, reason)?;
            guard.check(&ask)
        }
    }
}

/// The process and tenant of the agent that a command is about; none if it is not there.
fn agent(p: &Processing<'_>, command: &Command) -> Outcome<Option<(Text, Text)>> {
    let agent_key = match (&command.value, command.intent) {
        (Value::AgentInstance(value), Intent::AgentInstance(of::AgentInstance::Create)) => {
            let row = p.state().elements.get(&value.element_instance_key)?;
            let of = row.map(|row| row.record.clone());
            return Ok(of.map(|it| (it.bpmn_process_id.clone(), it.tenant_id.clone())));
        }
        (Value::AgentInstance(_), Intent::AgentInstance(of::AgentInstance::Update)) => command.key,
        (Value::AgentHistory(value), Intent::AgentHistory(of::AgentHistory::Create)) => {
            value.agent_instance_key
        }
        _ => return not_for_clients(command).map(|()| None),
    };
    let row = p.state().agent_instances.get(&agent_key)?;
    let of = row.map(|row| row.record.clone());
    Ok(of.map(|it| (it.bpmn_process_id.clone(), it.tenant_id.clone())))
}

fn user_task(p: &Processing<'_>, guard: &Guard<'_>, command: &Command) -> Outcome {
    let (what, on_process, on_task): (_, &[P], &[P]) = match command.intent {
        Intent::UserTask(of::UserTask::Complete) => (
            "complete",
            &[P::UpdateUserTask, P::CompleteUserTask],
            &[P::Update, P::Complete],
        ),
        Intent::UserTask(of::UserTask::Claim) => (
            "claim",
            &[P::UpdateUserTask, P::ClaimUserTask],
            &[P::Update, P::Claim],
        ),
        Intent::UserTask(of::UserTask::Assign) => ("assign", &[P::UpdateUserTask], &[P::Update]),
        Intent::UserTask(of::UserTask::Update) => ("update", &[P::UpdateUserTask], &[P::Update]),
        _ => return not_for_clients(command),
    };
    let Some(row) = p.state().user_tasks.get(&command.key)? else {
        return Ok(());
    };
    let task = &*row.record;
    let hidden = format!(
        "Expected to {what} user task with key '{}', but no such user task was found",
        command.key
    );
    seen(guard, &task.tenant_id, hidden)?;
    let key = Text::from(task_key(command.key, task.user_task_key).to_string());
    let process = on_process.iter().map(|permission| {
        Ask::new(R::ProcessDefinition, *permission)
            .to(&task.bpmn_process_id)
            .of_tenant(&task.tenant_id)
    });
    let own = on_task.iter().map(|permission| {
        Ask::new(R::UserTask, *permission)
            .to(&key)
            .of_tenant(&task.tenant_id)
            .on_task(task)
    });
    guard.check_any(&process.chain(own).collect::<Vec<_>>())
}

fn task_key(command: Key, record: Key) -> Key {
    if record.is_some() { record } else { command }
}

/// Refuses with `reason` what is of a tenant that is not the caller's.
fn seen(guard: &Guard<'_>, tenant: &Text, reason: String) -> Outcome {
    if guard.is_of_tenant(tenant)? {
        Ok(())
    } else {
        Err(Stop::not_found(reason))
    }
}
