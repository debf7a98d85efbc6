//! The permission that each command of a client needs: one table; what is not in it is refused.
//!
//! Asked before a command is processed, and only if checks are on and somebody sent it: commands
//! that this cluster sends to itself carry no claims. What is named by key is looked up first; what
//! is not there needs nothing, because its command is refused as not found. A command that no
//! client can send is refused when it carries claims.
//!
//! Jobs that are handed out are the exception: a worker gets those it may work on, see
//! [`worker`].

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "an intent that is not listed is no command for clients"
)]

use crate::claims::Claims;
use crate::engine::command::evaluate_decision;
use crate::engine::effect::StreamId;
use crate::engine::fault::{Outcome, Stop};
use crate::engine::input::Command;
use crate::engine::output::Processing;
use crate::engine::rule::authorizations::{Ask, Guard};
use crate::record::intent::of;
use crate::record::value::{
    BatchOperationType, ClusterVariableScope, ExpressionRecord, HistoryDeletionType, JobRecord,
    PermissionType as P, ResourceDeletionRecord, ResourceType as R,
};
use crate::record::{Document, Intent, RejectionType, Text, Value};
use crate::state::file::FileKind;

mod instance;

/// Of what has no id of its own to be allowed by.
static NO_ID: Text = Text::EMPTY;

/// Refuses a command whose sender may not give it.
///
/// # Errors
/// The refusal.
pub(crate) fn check(p: &Processing<'_>, command: &Command) -> Outcome {
    let claims = Claims::read(&command.authorization);
    if claims.anonymous {
        return Ok(());
    }
    let guard = Guard::new(p.state(), p.config, claims)?;
    match &command.value {
        Value::ProcessInstance(_)
        | Value::ProcessInstanceCreation(_)
        | Value::VariableDocument(_)
        | Value::Incident(_)
        | Value::Job(_)
        | Value::AdHocSubProcessInstruction(_)
        | Value::ProcessInstanceModification(_)
        | Value::ProcessInstanceMigration(_)
        | Value::ProcessInstanceBusinessId(_)
        | Value::AgentInstance(_)
        | Value::AgentHistory(_)
        | Value::UserTask(_) => instance::instance(p, &guard, command),
        Value::BatchOperationCreation(_)
        | Value::BatchOperationLifecycleManagement(_)
        | Value::HistoryDeletion(_) => batch(&guard, command),
        Value::DecisionEvaluation(value) => {
            let named = if value.decision_id.is_empty() {
                p.state().decision(value.decision_key, &value.tenant_id)?
            } else {
                p.state()
                    .latest_decision(&value.tenant_id, &value.decision_id)?
            };
            let ask = Ask::new(R::DecisionDefinition, P::CreateDecisionInstance);
            let id = named.map_or_else(
                || value.decision_id.clone(),
                |row| row.record.decision_id.clone(),
            );
            let ask = ask.to(&id).of_tenant(&value.tenant_id);
            guard.check(&ask.else_missing(evaluate_decision::missing(value)))
        }
        Value::Expression(value) => expression(p, &guard, value),
        Value::Clock(_) => guard.check(&Ask::new(R::System, P::Update)),
        Value::ClusterVariable(value) => {
            let ask = |permission| {
                let ask = Ask::new(R::ClusterVariable, permission).to(&value.name);
                match value.scope {
                    ClusterVariableScope::Tenant => ask.of_tenant(&value.tenant_id),
                    ClusterVariableScope::Global | ClusterVariableScope::Unspecified => ask,
                }
            };
            match command.intent {
                Intent::ClusterVariable(of::ClusterVariable::Create) => {
                    guard.check(&ask(P::Create).newly())
                }
                Intent::ClusterVariable(of::ClusterVariable::Update) => {
                    guard.check(&ask(P::Update))
                }
                Intent::ClusterVariable(of::ClusterVariable::Delete) => {
                    guard.check(&ask(P::Delete))
                }
                _ => not_for_clients(command),
            }
        }
        Value::GlobalListener(_) => {
            let ask = |permission| guard.check(&Ask::new(R::GlobalListener, permission));
            match command.intent {
                Intent::GlobalListener(of::GlobalListener::Create) => ask(P::CreateTaskListener),
                Intent::GlobalListener(of::GlobalListener::Update) => ask(P::UpdateTaskListener),
                Intent::GlobalListener(of::GlobalListener::Delete) => ask(P::DeleteTaskListener),
                _ => not_for_clients(command),
            }
        }
        Value::Resource(value) => match p.state().file(FileKind::Resource, value.key)? {
            Some(row) => guard.check(
                &Ask::new(R::Resource, P::Read)
                    .to(&row.record.id)
                    .of_tenant(&row.record.tenant_id),
            ),
            None => Ok(()),
        },
        // Of all definitions, unless one is named.
        Value::ConditionalEvaluation(value) => {
            assigned(&guard, &value.tenant_id, "evaluate conditional")?;
            let row = p.state().definitions.get(&value.process_definition_key)?;
            let mut ask = Ask::new(R::ProcessDefinition, P::CreateProcessInstance);
            if let Some(row) = row {
                ask = ask.to(&row.record.bpmn_process_id);
            }
            guard.check(&ask.of_tenant(&value.tenant_id))
        }
        Value::User(_)
        | Value::Group(_)
        | Value::Role(_)
        | Value::Tenant(_)
        | Value::MappingRule(_)
        | Value::Authorization(_) => identity(&guard, command),
        Value::Message(value) => match command.intent {
            Intent::Message(of::Message::Publish) => guard.check(
                &Ask::new(R::Message, P::Create)
                    .of_tenant(&value.tenant_id)
                    .newly(),
            ),
            _ => not_for_clients(command),
        },
        Value::MessageCorrelation(value) => {
            assigned(&guard, &value.tenant_id, "correlate message")?;
            let address = (
                value.tenant_id.clone(),
                value.name.clone(),
                value.correlation_key.clone(),
            );
            let of_tenant = |ask: Ask<'static>| ask.of_tenant(&value.tenant_id);
            for key in p
                .state()
                .message_subscriptions_by_address
                .members(&address)?
            {
                let row = (key, value.name.clone());
                if let Some(row) = p.state().message_subscriptions.get(&row)? {
                    let ask = Ask::new(R::ProcessDefinition, P::UpdateProcessInstance);
                    guard.check(&of_tenant(ask.to(&row.record.bpmn_process_id)))?;
                }
            }
            let name = (value.tenant_id.clone(), value.name.clone());
            let starts: Vec<Text> = p.state().message_starts.with(&name, |rows| {
                let ids = rows.values().map(|row| row.record.bpmn_process_id.clone());
                ids.collect()
            })?;
            for id in starts {
                let ask = Ask::new(R::ProcessDefinition, P::CreateProcessInstance);
                guard.check(&of_tenant(ask.to(&id)))?;
            }
            Ok(())
        }
        Value::Signal(value) => {
            assigned(&guard, &value.tenant_id, "broadcast signal")?;
            let address = (value.tenant_id.clone(), value.signal_name.clone());
            let waiting: Vec<(bool, Text)> =
                p.state().signal_subscriptions.with(&address, |rows| {
                    rows.values()
                        .map(|row| &row.record)
                        .map(|it| {
                            let waits = it.catch_event_instance_key.is_some();
                            (waits, it.bpmn_process_id.clone())
                        })
                        .collect()
                })?;
            for (waits, id) in waiting {
                let permission = if waits {
                    P::UpdateProcessInstance
                } else {
                    P::CreateProcessInstance
                };
                let ask = Ask::new(R::ProcessDefinition, permission).to(&id);
                guard.check(&ask.of_tenant(&value.tenant_id))?;
            }
            Ok(())
        }
        Value::Deployment(value) => guard.check(
            &Ask::new(R::Resource, P::Create)
                .of_tenant(&value.tenant_id)
                .newly(),
        ),
        Value::ResourceDeletion(value) => deletion(p, &guard, value),
        // Decided job by job.
        Value::JobBatch(_) => Ok(()),
        _ => not_for_clients(command),
    }
}

/// Batch operations, and the history of one instance. Creating takes the permission for all kinds
/// or the one for this kind, or to update the one instance it is about. What is done to each item is
/// asked for again, but for deletions of history: those were allowed with it.
fn batch(guard: &Guard<'_>, command: &Command) -> Outcome {
    match &command.value {
        Value::BatchOperationCreation(value) if !value.of_process.is_empty() => guard.check(
            &Ask::new(R::ProcessDefinition, P::UpdateProcessInstance)
                .to(&value.of_process)
                .of_tenant(&value.of_tenant),
        ),
        Value::BatchOperationCreation(value) => {
            guard.check_last(&[P::Create, creation(value.batch_operation_type)].map(of_batch))
        }
        Value::BatchOperationLifecycleManagement(_) => guard.check(&of_batch(P::Update)),
        Value::HistoryDeletion(value) => {
            let ask = match value.resource_type {
                HistoryDeletionType::ProcessInstance => {
                    Ask::new(R::ProcessDefinition, P::DeleteProcessInstance).to(&value.process_id)
                }
                HistoryDeletionType::DecisionInstance => {
                    let id = &value.decision_definition_id;
                    Ask::new(R::DecisionDefinition, P::DeleteDecisionInstance).to(id)
                }
                // Part of the deletion of a resource, never asked for by itself.
                HistoryDeletionType::ProcessDefinition
                | HistoryDeletionType::DecisionRequirements => {
                    return not_for_clients(command);
                }
            };
            guard.check(&ask.of_tenant(&value.tenant_id))
        }
        _ => not_for_clients(command),
    }
}

fn of_batch(permission: P) -> Ask<'static> {
    Ask::new(R::Batch, permission)
}

/// The permission to create batch operations of one kind.
fn creation(kind: BatchOperationType) -> P {
    match kind {
        BatchOperationType::CancelProcessInstance => P::CreateBatchOperationCancelProcessInstance,
        BatchOperationType::ResolveIncident => P::CreateBatchOperationResolveIncident,
        BatchOperationType::MigrateProcessInstance => P::CreateBatchOperationMigrateProcessInstance,
        BatchOperationType::ModifyProcessInstance => P::CreateBatchOperationModifyProcessInstance,
        BatchOperationType::DeleteProcessInstance => P::CreateBatchOperationDeleteProcessInstance,
        BatchOperationType::DeleteDecisionInstance => P::CreateBatchOperationDeleteDecisionInstance,
        BatchOperationType::UpdateJob => P::CreateBatchOperationUpdateJob,
    }
}

/// Evaluating shows variables, if a scope is named.
fn expression(p: &Processing<'_>, guard: &Guard<'_>, value: &ExpressionRecord) -> Outcome {
    let scope = p.state().elements.get(&value.scope_key)?;
    let tenant = match &scope {
        Some(row) => row.record.tenant_id.clone(),
        None => value.tenant_id.clone(),
    };
    guard.check(&Ask::new(R::Expression, P::Evaluate).of_tenant(&tenant))?;
    match scope {
        Some(row) => guard.check(
            &Ask::new(R::ProcessDefinition, P::ReadProcessInstance)
                .to(&row.record.bpmn_process_id)
                .of_tenant(&tenant),
        ),
        None => Ok(()),
    }
}

/// Deleting a resource: each kind has its permission, which is enough for its history as well.
fn deletion(p: &Processing<'_>, guard: &Guard<'_>, value: &ResourceDeletionRecord) -> Outcome {
    let key = value.resource_key;
    let ask = |permission, id: &Text, tenant: &Text| {
        guard.check(&Ask::new(R::Resource, permission).to(id).of_tenant(tenant))
    };
    if let Some(row) = p.state().definitions.get(&key)? {
        let record = &row.record;
        return ask(P::DeleteProcess, &record.bpmn_process_id, &record.tenant_id);
    }
    if let Some(row) = p.state().decision_requirements.get(&key)? {
        let record = &row.record;
        return ask(
            P::DeleteDrd,
            &record.decision_requirements_id,
            &record.tenant_id,
        );
    }
    for kind in FileKind::ALL {
        if let Some(row) = p.state().file(kind, key)? {
            let permission = match kind {
                FileKind::Form => P::DeleteForm,
                FileKind::Resource => P::DeleteResource,
            };
            return ask(permission, &row.record.id, &row.record.tenant_id);
        }
    }
    // History alone: the command says of what.
    let permission = match value.resource_type.as_str() {
        "PROCESS_DEFINITION" => P::DeleteProcess,
        "DECISION_REQUIREMENTS" => P::DeleteDrd,
        _ => return Ok(()),
    };
    ask(permission, &value.resource_id, &value.tenant_id)
}

/// Commands about users, groups, roles, tenants, mapping rules and authorizations.
fn identity(guard: &Guard<'_>, command: &Command) -> Outcome {
    let (resource, id) = match &command.value {
        Value::User(value) => (R::User, &value.username),
        Value::Group(value) => (R::Group, &value.group_id),
        Value::Role(value) => (R::Role, &value.role_id),
        Value::Tenant(value) => (R::Tenant, &value.tenant_id),
        Value::MappingRule(value) => (R::MappingRule, &value.mapping_rule_id),
        Value::Authorization(_) => (R::Authorization, &NO_ID),
        _ => return not_for_clients(command),
    };
    let permission = match command.intent {
        Intent::User(of::User::CreateInitialAdmin) => {
            guard.check(&Ask::new(R::User, P::Create))?;
            return guard.check(&Ask::new(R::Role, P::Update));
        }
        Intent::User(of::User::Create)
        | Intent::Group(of::Group::Create)
        | Intent::Role(of::Role::Create)
        | Intent::Tenant(of::Tenant::Create)
        | Intent::MappingRule(of::MappingRule::Create)
        | Intent::Authorization(of::Authorization::Create) => {
            return guard.check(&Ask::new(resource, P::Create));
        }
        // The reference asks for it on all mapping rules.
        Intent::MappingRule(of::MappingRule::Delete) => {
            return guard.check(&Ask::new(resource, P::Delete));
        }
        Intent::User(of::User::Delete)
        | Intent::Group(of::Group::Delete)
        | Intent::Role(of::Role::Delete)
        | Intent::Tenant(of::Tenant::Delete)
        | Intent::Authorization(of::Authorization::Delete) => P::Delete,
        Intent::User(of::User::Update)
        | Intent::Group(of::Group::Update | of::Group::AddEntity | of::Group::RemoveEntity)
        | Intent::Role(of::Role::Update | of::Role::AddEntity | of::Role::RemoveEntity)
        | Intent::Tenant(of::Tenant::Update | of::Tenant::AddEntity | of::Tenant::RemoveEntity)
        | Intent::MappingRule(of::MappingRule::Update)
        | Intent::Authorization(of::Authorization::Update) => P::Update,
        _ => return not_for_clients(command),
    };
    guard.check(&Ask::new(resource, permission).to(id))
}

/// What may concern no process at all still needs the tenant, and that first.
fn assigned(guard: &Guard<'_>, tenant: &Text, what: &str) -> Outcome {
    if guard.is_of_tenant(tenant)? {
        return Ok(());
    }
    Err(Stop::reject(
        RejectionType::Forbidden,
        format!(
            "Expected to {what} for tenant '{tenant}', but user is not assigned to this tenant."
        ),
    ))
}

fn not_for_clients(command: &Command) -> Outcome {
    Err(Stop::reject(
        RejectionType::Forbidden,
        format!("'{:?}' is no command for clients", command.intent),
    ))
}

/// Whether who holds `claims` may work on jobs of a process in a tenant; nothing is asked where
/// checks are off or nobody holds them.
pub(crate) fn worker<'p>(p: &'p Processing<'_>, claims: &Document) -> Outcome<Option<Guard<'p>>> {
    if !p.config.guarded() || claims.is_empty() {
        return Ok(None);
    }
    let claims = Claims::read(claims);
    if claims.anonymous {
        return Ok(None);
    }
    Ok(Some(Guard::new(p.state(), p.config, claims)?))
}

/// What a worker needs for a job.
pub(crate) fn work(id: &Text, tenant: &Text) -> Ask<'static> {
    Ask::new(R::ProcessDefinition, P::UpdateProcessInstance)
        .to(id)
        .of_tenant(tenant)
}

/// Streams of the job's type whose owner may not work on it.
pub(crate) fn barred_streams(p: &Processing<'_>, job: &JobRecord) -> Outcome<Vec<StreamId>> {
    let mut barred = Vec::new();
    if !p.config.guarded() {
        return Ok(barred);
    }
    for stream in p.streams.of_type(&job.job_type) {
        let Some(spec) = p.streams.spec(*stream) else {
            continue;
        };
        if let Some(guard) = worker(p, &spec.authorization)?
            && !guard.may(&work(&job.bpmn_process_id, &job.tenant_id))?
        {
            barred.push(*stream);
        }
    }
    Ok(barred)
}
