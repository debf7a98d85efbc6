//! From a command to the function that processes it: one match, no wildcard.
//!
//! A new intent does not compile until it is listed here. Intents of events end in a fault: nobody
//! may send one.

use crate::engine::command;
use crate::engine::fault::{Outcome, Stop};
use crate::engine::input::Command;
use crate::engine::lifecycle;
use crate::engine::output::Processing;
use crate::engine::rule::permissions;
use crate::ids::Key;
use crate::record::intent::{IntentKind, of};
use crate::record::{Intent, RejectionType, Value};

macro_rules! call {
    ($p:ident, $command:ident; $value:ident => $($processor:tt)+) => {{
        let Value::$value(value) = &$command.value else {
            return Err(Stop::fault(format!("{:?} with another value", $command.intent)));
        };
        $($processor)+($p, $command, value)
    }};
}

/// Processes a command.
pub(crate) fn dispatch(p: &mut Processing<'_>, command: &Command) -> Outcome {
    if p.config.guarded() && !command.authorization.is_empty() {
        permissions::check(p, command)?;
    }
    match command.intent {
        Intent::ProcessInstance(of::ProcessInstance::Cancel) => {
            call!(p, command; ProcessInstance => command::cancel_instance::cancel)
        }
        Intent::ProcessInstance(_) => {
            call!(p, command; ProcessInstance => lifecycle::process)
        }
        Intent::ProcessInstanceCreation(
            of::ProcessInstanceCreation::Create
            | of::ProcessInstanceCreation::CreateWithAwaitingResult,
        ) => {
            call!(p, command; ProcessInstanceCreation => command::create_instance::create)
        }
        Intent::ProcessInstanceBatch(of::ProcessInstanceBatch::Terminate) => {
            call!(p, command; ProcessInstanceBatch => command::instance_batch::terminate)
        }
        Intent::ProcessInstanceBatch(of::ProcessInstanceBatch::Activate) => {
            call!(p, command; ProcessInstanceBatch => command::instance_batch::activate)
        }
        Intent::Job(intent) => job(p, command, intent),
        Intent::JobBatch(of::JobBatch::Activate) => {
            call!(p, command; JobBatch => command::job::activate)
        }
        Intent::Incident(of::Incident::Resolve) => {
            call!(p, command; Incident => command::resolve_incident::resolve)
        }
        Intent::VariableDocument(of::VariableDocument::Update) => {
            call!(p, command; VariableDocument => command::update_variables::update)
        }
        Intent::Deployment(of::Deployment::Create) => {
            call!(p, command; Deployment => command::deploy::deploy)
        }
        Intent::DecisionEvaluation(of::DecisionEvaluation::Evaluate) => {
            call!(p, command; DecisionEvaluation => command::evaluate_decision::evaluate)
        }
        Intent::ResourceDeletion(of::ResourceDeletion::Delete) => {
            call!(p, command; ResourceDeletion => command::delete_resource::delete)
        }
        Intent::Resource(of::Resource::Fetch) => {
            call!(p, command; Resource => command::fetch_resource::fetch)
        }
        Intent::CommandDistribution(of::CommandDistribution::Acknowledge) => {
            call!(p, command; CommandDistribution => command::acknowledge::acknowledge)
        }
        Intent::Message(intent) => match intent {
            of::Message::Publish => call!(p, command; Message => command::message::publish),
            of::Message::Expire => call!(p, command; Message => command::message::expire),
            of::Message::Published | of::Message::Expired => not_a_command(command),
        },
        Intent::MessageBatch(of::MessageBatch::Expire) => {
            call!(p, command; MessageBatch => command::message::expire_batch)
        }
        Intent::MessageCorrelation(of::MessageCorrelation::Correlate) => {
            call!(p, command; MessageCorrelation => command::message::correlate)
        }
        Intent::MessageSubscription(intent) => message_subscription(p, command, intent),
        Intent::ProcessMessageSubscription(intent) => {
            process_message_subscription(p, command, intent)
        }
        Intent::Timer(of::Timer::Trigger) => {
            call!(p, command; Timer => command::timer::trigger)
        }
        Intent::Signal(of::Signal::Broadcast) => {
            call!(p, command; Signal => command::signal::broadcast)
        }
        Intent::UserTask(intent) => user_task(p, command, intent),
        Intent::ClusterVariable(intent) => cluster_variable(p, command, intent),
        Intent::GlobalListener(intent) => global_listener(p, command, intent),
        Intent::AgentInstance(intent) => agent_instance(p, command, intent),
        Intent::AgentHistory(intent) => agent_history(p, command, intent),
        Intent::GlobalListenerBatch(of::GlobalListenerBatch::Configure) => {
            call!(p, command; GlobalListenerBatch => command::global_listener::configure)
        }
        Intent::Clock(of::Clock::Pin) => call!(p, command; Clock => command::clock::pin),
        Intent::Clock(of::Clock::Reset) => call!(p, command; Clock => command::clock::reset),
        Intent::ProcessInstanceBusinessId(of::ProcessInstanceBusinessId::Assign) => {
            call!(p, command; ProcessInstanceBusinessId => command::assign_business_id::assign)
        }
        Intent::Checkpoint(intent) => match intent {
            of::Checkpoint::Create => {
                call!(p, command; Checkpoint => command::checkpoint::create)
            }
            of::Checkpoint::ConfirmBackup => {
                call!(p, command; Checkpoint => command::checkpoint::confirm_backup)
            }
            of::Checkpoint::Created | of::Checkpoint::Ignored | of::Checkpoint::ConfirmedBackup => {
                not_a_command(command)
            }
        },
        Intent::Expression(of::Expression::Evaluate) => {
            call!(p, command; Expression => command::evaluate_expression::evaluate)
        }
        Intent::BatchOperationCreation(of::BatchOperationCreation::Create) => {
            call!(p, command; BatchOperationCreation => command::batch_operation::create)
        }
        Intent::BatchOperationChunk(of::BatchOperationChunk::Create) => {
            call!(p, command; BatchOperationChunk => command::batch_operation::chunk)
        }
        Intent::BatchOperationExecution(of::BatchOperationExecution::Execute) => {
            call!(p, command; BatchOperationExecution => command::batch_operation::execute)
        }
        Intent::BatchOperationLifecycleManagement(intent) => batch_management(p, command, intent),
        Intent::BatchOperationPartitionLifecycle(intent) => batch_partition(p, command, intent),
        Intent::HistoryDeletion(of::HistoryDeletion::Delete) => {
            call!(p, command; HistoryDeletion => command::history_deletion::delete)
        }
        Intent::BatchOperationCreation(of::BatchOperationCreation::Created)
        | Intent::BatchOperationChunk(of::BatchOperationChunk::Created)
        | Intent::BatchOperationExecution(
            of::BatchOperationExecution::Executing | of::BatchOperationExecution::Executed,
        )
        | Intent::BatchOperationInitialization(_)
        | Intent::HistoryDeletion(of::HistoryDeletion::Deleted) => not_a_command(command),
        Intent::GlobalListenerBatch(of::GlobalListenerBatch::Configured)
        | Intent::Clock(of::Clock::Pinned | of::Clock::Resetted)
        | Intent::ProcessInstanceBusinessId(of::ProcessInstanceBusinessId::Assigned)
        | Intent::Expression(of::Expression::Evaluated) => not_a_command(command),
        Intent::ConditionalSubscription(of::ConditionalSubscription::Trigger) => {
            call!(p, command; ConditionalSubscription => command::conditional::trigger)
        }
        Intent::ConditionalEvaluation(of::ConditionalEvaluation::Evaluate) => {
            call!(p, command; ConditionalEvaluation => command::conditional::evaluate)
        }
        Intent::AdHocSubProcessInstruction(intent) => match intent {
            of::AdHocSubProcessInstruction::Activate => {
                call!(p, command; AdHocSubProcessInstruction => command::ad_hoc::activate)
            }
            of::AdHocSubProcessInstruction::Complete => {
                call!(p, command; AdHocSubProcessInstruction => command::ad_hoc::complete)
            }
            of::AdHocSubProcessInstruction::Activated
            | of::AdHocSubProcessInstruction::Completed => not_a_command(command),
        },
        Intent::User(_)
        | Intent::Group(_)
        | Intent::Role(_)
        | Intent::Tenant(_)
        | Intent::MappingRule(_)
        | Intent::Authorization(_)
        | Intent::IdentitySetup(_) => identity(p, command),
        Intent::ProcessInstanceModification(of::ProcessInstanceModification::Modify) => {
            call!(p, command; ProcessInstanceModification => command::modify_instance::modify)
        }
        Intent::ProcessInstanceMigration(of::ProcessInstanceMigration::Migrate) => {
            call!(p, command; ProcessInstanceMigration => command::migrate_instance::migrate)
        }
        Intent::ProcessInstanceModification(of::ProcessInstanceModification::Modified)
        | Intent::ProcessInstanceMigration(of::ProcessInstanceMigration::Migrated)
        | Intent::MessageCorrelation(
            of::MessageCorrelation::Correlating
            | of::MessageCorrelation::Correlated
            | of::MessageCorrelation::NotCorrelated,
        )
        | Intent::Timer(
            of::Timer::Created | of::Timer::Triggered | of::Timer::Canceled | of::Timer::Migrated,
        )
        | Intent::Signal(of::Signal::Broadcasted) => not_a_command(command),
        Intent::MessageStartEventSubscription(_)
        | Intent::Form(_)
        | Intent::AgentDefinition(_)
        | Intent::RuntimeInstruction(_)
        | Intent::Resource(of::Resource::Created | of::Resource::Deleted | of::Resource::Fetched)
        | Intent::CompensationSubscription(_)
        | Intent::ConditionalSubscription(
            of::ConditionalSubscription::Created
            | of::ConditionalSubscription::Triggered
            | of::ConditionalSubscription::Deleted
            | of::ConditionalSubscription::Migrated,
        )
        | Intent::ConditionalEvaluation(of::ConditionalEvaluation::Evaluated)
        | Intent::MultiInstance(_)
        | Intent::ProcessInstanceBatch(
            of::ProcessInstanceBatch::Terminated | of::ProcessInstanceBatch::Activated,
        )
        | Intent::Escalation(_)
        | Intent::SignalSubscription(_)
        | Intent::Decision(_)
        | Intent::DecisionRequirements(_)
        | Intent::DecisionEvaluation(
            of::DecisionEvaluation::Evaluated | of::DecisionEvaluation::Failed,
        )
        | Intent::Process(_)
        | Intent::ProcessEvent(_)
        | Intent::ProcessInstanceResult(_)
        | Intent::Variable(_)
        | Intent::Error(_)
        | Intent::ProcessInstanceCreation(of::ProcessInstanceCreation::Created)
        | Intent::JobBatch(of::JobBatch::Activated)
        | Intent::Incident(
            of::Incident::Created | of::Incident::Resolved | of::Incident::Migrated,
        )
        | Intent::VariableDocument(
            of::VariableDocument::Updated
            | of::VariableDocument::Updating
            | of::VariableDocument::UpdateDenied,
        )
        | Intent::Deployment(of::Deployment::Created | of::Deployment::FullyDistributed)
        | Intent::ResourceDeletion(
            of::ResourceDeletion::Deleting | of::ResourceDeletion::Deleted,
        )
        | Intent::CommandDistribution(
            of::CommandDistribution::Started
            | of::CommandDistribution::Distributing
            | of::CommandDistribution::Acknowledged
            | of::CommandDistribution::Finished,
        ) => not_a_command(command),
    }
}

fn cluster_variable(
    p: &mut Processing<'_>,
    command: &Command,
    intent: of::ClusterVariable,
) -> Outcome {
    use command::cluster_variable;
    match intent {
        of::ClusterVariable::Create => {
            call!(p, command; ClusterVariable => cluster_variable::create)
        }
        of::ClusterVariable::Update => {
            call!(p, command; ClusterVariable => cluster_variable::update)
        }
        of::ClusterVariable::Delete => {
            call!(p, command; ClusterVariable => cluster_variable::delete)
        }
        of::ClusterVariable::Created
        | of::ClusterVariable::Updated
        | of::ClusterVariable::Deleted => not_a_command(command),
    }
}

fn global_listener(
    p: &mut Processing<'_>,
    command: &Command,
    intent: of::GlobalListener,
) -> Outcome {
    use command::global_listener;
    match intent {
        of::GlobalListener::Create => {
            call!(p, command; GlobalListener => global_listener::create)
        }
        of::GlobalListener::Update => {
            call!(p, command; GlobalListener => global_listener::update)
        }
        of::GlobalListener::Delete => {
            call!(p, command; GlobalListener => global_listener::delete)
        }
        of::GlobalListener::Created | of::GlobalListener::Updated | of::GlobalListener::Deleted => {
            not_a_command(command)
        }
    }
}

fn agent_instance(p: &mut Processing<'_>, command: &Command, intent: of::AgentInstance) -> Outcome {
    use command::agent_instance;
    match intent {
        of::AgentInstance::Create => {
            call!(p, command; AgentInstance => agent_instance::create)
        }
        of::AgentInstance::Update => {
            call!(p, command; AgentInstance => agent_instance::update)
        }
        of::AgentInstance::Complete => {
            call!(p, command; AgentInstance => agent_instance::complete)
        }
        of::AgentInstance::Created
        | of::AgentInstance::Updated
        | of::AgentInstance::Completed
        | of::AgentInstance::Migrated => not_a_command(command),
    }
}

fn agent_history(p: &mut Processing<'_>, command: &Command, intent: of::AgentHistory) -> Outcome {
    use command::agent_history;
    match intent {
        of::AgentHistory::Create => call!(p, command; AgentHistory => agent_history::create),
        of::AgentHistory::Commit => call!(p, command; AgentHistory => agent_history::commit),
        of::AgentHistory::Discard => call!(p, command; AgentHistory => agent_history::discard),
        of::AgentHistory::Created | of::AgentHistory::Committed | of::AgentHistory::Discarded => {
            not_a_command(command)
        }
    }
}

fn job(p: &mut Processing<'_>, command: &Command, intent: of::Job) -> Outcome {
    use command::job;
    match intent {
        of::Job::Complete => call!(p, command; Job => job::complete),
        of::Job::Fail => call!(p, command; Job => job::fail),
        of::Job::ThrowError => call!(p, command; Job => job::throw_error),
        of::Job::TimeOut => call!(p, command; Job => job::time_out),
        of::Job::Yield => call!(p, command; Job => job::yield_back),
        of::Job::RecurAfterBackoff => call!(p, command; Job => job::recur),
        of::Job::UpdateRetries => call!(p, command; Job => job::update_retries),
        of::Job::UpdateTimeout => call!(p, command; Job => job::update_timeout),
        of::Job::Update => call!(p, command; Job => job::update),
        of::Job::Created
        | of::Job::Completed
        | of::Job::TimedOut
        | of::Job::Failed
        | of::Job::RetriesUpdated
        | of::Job::Canceled
        | of::Job::ErrorThrown
        | of::Job::RecurredAfterBackoff
        | of::Job::Yielded
        | of::Job::TimeoutUpdated
        | of::Job::Migrated
        | of::Job::PriorityUpdated
        | of::Job::Updated => not_a_command(command),
    }
}

fn message_subscription(
    p: &mut Processing<'_>,
    command: &Command,
    intent: of::MessageSubscription,
) -> Outcome {
    use command::message_subscription as side;
    match intent {
        of::MessageSubscription::Create => {
            call!(p, command; MessageSubscription => side::create)
        }
        of::MessageSubscription::Correlate => {
            call!(p, command; MessageSubscription => side::correlate)
        }
        of::MessageSubscription::Reject => {
            call!(p, command; MessageSubscription => side::refuse)
        }
        of::MessageSubscription::Delete => {
            call!(p, command; MessageSubscription => side::delete)
        }
        of::MessageSubscription::Migrate => {
            call!(p, command; MessageSubscription => side::migrate)
        }
        of::MessageSubscription::Created
        | of::MessageSubscription::Correlating
        | of::MessageSubscription::Correlated
        | of::MessageSubscription::Rejected
        | of::MessageSubscription::Deleted
        | of::MessageSubscription::Migrated => not_a_command(command),
    }
}

fn process_message_subscription(
    p: &mut Processing<'_>,
    command: &Command,
    intent: of::ProcessMessageSubscription,
) -> Outcome {
    use command::process_message_subscription as side;
    match intent {
        of::ProcessMessageSubscription::Create => {
            call!(p, command; ProcessMessageSubscription => side::create)
        }
        of::ProcessMessageSubscription::Correlate => {
            call!(p, command; ProcessMessageSubscription => side::correlate)
        }
        of::ProcessMessageSubscription::Delete => {
            call!(p, command; ProcessMessageSubscription => side::delete)
        }
        of::ProcessMessageSubscription::Creating
        | of::ProcessMessageSubscription::Created
        | of::ProcessMessageSubscription::Correlated
        | of::ProcessMessageSubscription::Deleting
        | of::ProcessMessageSubscription::Deleted
        | of::ProcessMessageSubscription::Migrated => not_a_command(command),
    }
}

fn user_task(p: &mut Processing<'_>, command: &Command, intent: of::UserTask) -> Outcome {
    use command::user_task;
    match intent {
        of::UserTask::Assign => call!(p, command; UserTask => user_task::assign),
        of::UserTask::Claim => call!(p, command; UserTask => user_task::claim),
        of::UserTask::Update => call!(p, command; UserTask => user_task::update),
        of::UserTask::Complete => call!(p, command; UserTask => user_task::complete),
        of::UserTask::CompleteTaskListener => {
            call!(p, command; UserTask => user_task::complete_listener)
        }
        of::UserTask::DenyTaskListener => call!(p, command; UserTask => user_task::deny_listener),
        // Tasks are created and canceled with their elements.
        of::UserTask::Create | of::UserTask::Cancel => unsupported(command),
        of::UserTask::Creating
        | of::UserTask::Created
        | of::UserTask::Completing
        | of::UserTask::Completed
        | of::UserTask::Canceling
        | of::UserTask::Canceled
        | of::UserTask::Assigning
        | of::UserTask::Assigned
        | of::UserTask::Updating
        | of::UserTask::Updated
        | of::UserTask::Migrated
        | of::UserTask::CompletionDenied
        | of::UserTask::Corrected
        | of::UserTask::AssignmentDenied
        | of::UserTask::Claiming
        | of::UserTask::UpdateDenied => not_a_command(command),
    }
}

fn batch_management(
    p: &mut Processing<'_>,
    command: &Command,
    intent: of::BatchOperationLifecycleManagement,
) -> Outcome {
    use command::batch_operation;
    use of::BatchOperationLifecycleManagement as Of;
    match intent {
        Of::Cancel => {
            call!(p, command; BatchOperationLifecycleManagement => batch_operation::cancel)
        }
        Of::Suspend => {
            call!(p, command; BatchOperationLifecycleManagement => batch_operation::suspend)
        }
        Of::Resume => {
            call!(p, command; BatchOperationLifecycleManagement => batch_operation::resume)
        }
        Of::Canceled | Of::Suspended | Of::Resumed | Of::Completed | Of::Failed => {
            not_a_command(command)
        }
    }
}

fn batch_partition(
    p: &mut Processing<'_>,
    command: &Command,
    intent: of::BatchOperationPartitionLifecycle,
) -> Outcome {
    use command::batch_operation;
    use of::BatchOperationPartitionLifecycle as Of;
    match intent {
        Of::Fail => {
            call!(p, command; BatchOperationPartitionLifecycle => batch_operation::fail)
        }
        Of::CompletePartition | Of::FailPartition => call!(
            p, command; BatchOperationPartitionLifecycle => batch_operation::partition_ended
        ),
        Of::PartitionCompleted | Of::PartitionFailed => not_a_command(command),
    }
}

/// Commands about users, groups, roles, tenants, mapping rules and authorizations; called with no
/// other.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "what is no command of an identity is refused"
)]
fn identity(p: &mut Processing<'_>, command: &Command) -> Outcome {
    use command::identity::{authorization, container, mapping_rule, setup, user};
    match command.intent {
        Intent::User(of::User::Create) => call!(p, command; User => user::create),
        Intent::User(of::User::Update) => call!(p, command; User => user::update),
        Intent::User(of::User::Delete) => call!(p, command; User => user::delete),
        Intent::User(of::User::CreateInitialAdmin) => {
            call!(p, command; User => user::create_initial_admin)
        }
        Intent::Group(of::Group::Create) => call!(p, command; Group => container::group::create),
        Intent::Group(of::Group::Update) => call!(p, command; Group => container::group::update),
        Intent::Group(of::Group::Delete) => call!(p, command; Group => container::group::delete),
        Intent::Group(of::Group::AddEntity) => call!(p, command; Group => container::group::add),
        Intent::Group(of::Group::RemoveEntity) => {
            call!(p, command; Group => container::group::remove)
        }
        Intent::Role(of::Role::Create) => call!(p, command; Role => container::role::create),
        Intent::Role(of::Role::Update) => call!(p, command; Role => container::role::update),
        Intent::Role(of::Role::Delete) => call!(p, command; Role => container::role::delete),
        Intent::Role(of::Role::AddEntity) => call!(p, command; Role => container::role::add),
        Intent::Role(of::Role::RemoveEntity) => call!(p, command; Role => container::role::remove),
        Intent::Tenant(of::Tenant::Create) => {
            call!(p, command; Tenant => container::tenant::create)
        }
        Intent::Tenant(of::Tenant::Update) => {
            call!(p, command; Tenant => container::tenant::update)
        }
        Intent::Tenant(of::Tenant::Delete) => {
            call!(p, command; Tenant => container::tenant::delete)
        }
        Intent::Tenant(of::Tenant::AddEntity) => {
            call!(p, command; Tenant => container::tenant::add)
        }
        Intent::Tenant(of::Tenant::RemoveEntity) => {
            call!(p, command; Tenant => container::tenant::remove)
        }
        Intent::MappingRule(of::MappingRule::Create) => {
            call!(p, command; MappingRule => mapping_rule::create)
        }
        Intent::MappingRule(of::MappingRule::Update) => {
            call!(p, command; MappingRule => mapping_rule::update)
        }
        Intent::MappingRule(of::MappingRule::Delete) => {
            call!(p, command; MappingRule => mapping_rule::delete)
        }
        Intent::Authorization(of::Authorization::Create) => {
            call!(p, command; Authorization => authorization::create)
        }
        Intent::Authorization(of::Authorization::Update) => {
            call!(p, command; Authorization => authorization::update)
        }
        Intent::Authorization(of::Authorization::Delete) => {
            call!(p, command; Authorization => authorization::delete)
        }
        Intent::IdentitySetup(of::IdentitySetup::Initialize) => {
            call!(p, command; IdentitySetup => setup::initialize)
        }
        _ => not_a_command(command),
    }
}

fn unsupported(command: &Command) -> Outcome {
    match command.intent.kind() {
        IntentKind::Command => Err(Stop::reject(
            RejectionType::Unsupported,
            format!(
                "Expected to process command '{:?}', but this version does not support it",
                command.intent
            ),
        )),
        IntentKind::Event => not_a_command(command),
    }
}

fn not_a_command(command: &Command) -> Outcome {
    Err(Stop::fault(format!(
        "{:?} is not a command",
        command.intent
    )))
}

/// The process instance a value names.
pub(crate) fn instance_of(value: &Value) -> Option<Key> {
    let key = match value {
        Value::Job(value) => value.process_instance_key,
        Value::ProcessInstance(value) => value.process_instance_key,
        Value::Incident(value) => value.process_instance_key,
        Value::MessageSubscription(value) => value.process_instance_key,
        Value::ProcessMessageSubscription(value) => value.process_instance_key,
        Value::Timer(value) => value.process_instance_key,
        Value::Variable(value) => value.process_instance_key,
        Value::ProcessInstanceCreation(value) => value.process_instance_key,
        Value::ProcessInstanceResult(value) => value.process_instance_key,
        Value::ProcessEvent(value) => value.process_instance_key,
        Value::SignalSubscription(value) => value.process_instance_key,
        Value::ProcessInstanceBatch(value) => value.process_instance_key,
        Value::UserTask(value) => value.process_instance_key,
        Value::Escalation(value) => value.process_instance_key,
        Value::RuntimeInstruction(value) => value.process_instance_key,
        Value::CompensationSubscription(value) => value.process_instance_key,
        Value::ConditionalSubscription(value) => value.process_instance_key,
        Value::ProcessInstanceModification(value) => value.process_instance_key,
        Value::ProcessInstanceMigration(value) => value.process_instance_key,
        Value::ProcessInstanceBusinessId(value) => value.process_instance_key,
        Value::DecisionEvaluation(value) => value.process_instance_key,
        Value::AgentInstance(value) => value.process_instance_key,
        Value::AgentHistory(value) => value.process_instance_key,
        Value::Decision(_)
        | Value::AgentDefinition(_)
        | Value::DecisionRequirements(_)
        | Value::Deployment(_)
        | Value::Message(_)
        | Value::JobBatch(_)
        | Value::MessageStartEventSubscription(_)
        | Value::VariableDocument(_)
        | Value::Error(_)
        | Value::Process(_)
        | Value::Form(_)
        | Value::Resource(_)
        | Value::Signal(_)
        | Value::ResourceDeletion(_)
        | Value::CommandDistribution(_)
        | Value::MessageBatch(_)
        | Value::ClusterVariable(_)
        | Value::GlobalListener(_)
        | Value::GlobalListenerBatch(_)
        | Value::AdHocSubProcessInstruction(_)
        | Value::MultiInstance(_)
        | Value::ConditionalEvaluation(_)
        | Value::User(_)
        | Value::Group(_)
        | Value::Role(_)
        | Value::Tenant(_)
        | Value::MappingRule(_)
        | Value::Authorization(_)
        | Value::IdentitySetup(_)
        | Value::MessageCorrelation(_)
        | Value::Clock(_)
        | Value::Checkpoint(_)
        | Value::BatchOperationCreation(_)
        | Value::BatchOperationExecution(_)
        | Value::BatchOperationChunk(_)
        | Value::BatchOperationLifecycleManagement(_)
        | Value::BatchOperationPartitionLifecycle(_)
        | Value::BatchOperationInitialization(_)
        | Value::HistoryDeletion(_)
        | Value::Expression(_) => Key::NONE,
    };
    Some(key).filter(|key| key.is_some())
}

/// Whether a fault while processing the intent bans its instance. What a client can simply repeat
/// does not.
pub(crate) fn bans_on_fault(intent: Intent) -> bool {
    match intent {
        Intent::ProcessInstance(intent) => intent != of::ProcessInstance::Cancel,
        Intent::Job(intent) => match intent {
            of::Job::Complete | of::Job::Fail | of::Job::UpdateRetries | of::Job::ThrowError => {
                false
            }
            of::Job::Created
            | of::Job::Completed
            | of::Job::TimeOut
            | of::Job::TimedOut
            | of::Job::Failed
            | of::Job::RetriesUpdated
            | of::Job::Canceled
            | of::Job::ErrorThrown
            | of::Job::RecurAfterBackoff
            | of::Job::RecurredAfterBackoff
            | of::Job::Yield
            | of::Job::Yielded
            | of::Job::UpdateTimeout
            | of::Job::TimeoutUpdated
            | of::Job::Migrated
            | of::Job::Update
            | of::Job::PriorityUpdated
            | of::Job::Updated => true,
        },
        Intent::UserTask(intent) => intent != of::UserTask::Complete,
        Intent::Incident(intent) => intent != of::Incident::Resolve,
        Intent::MessageSubscription(_)
        | Intent::ProcessMessageSubscription(_)
        | Intent::Timer(_)
        | Intent::Variable(_)
        | Intent::ProcessEvent(_)
        | Intent::ProcessInstanceResult(_)
        | Intent::ProcessInstanceBatch(_)
        | Intent::Escalation(_)
        | Intent::RuntimeInstruction(_)
        | Intent::SignalSubscription(_)
        | Intent::CompensationSubscription(_)
        | Intent::ConditionalSubscription(_)
        | Intent::MultiInstance(_)
        | Intent::AdHocSubProcessInstruction(_)
        | Intent::ProcessInstanceModification(_)
        | Intent::ProcessInstanceBusinessId(_)
        | Intent::AgentHistory(_)
        | Intent::VariableDocument(_) => true,
        Intent::ProcessInstanceCreation(_)
        | Intent::ProcessInstanceMigration(_)
        | Intent::AgentInstance(_)
        | Intent::AgentDefinition(_)
        | Intent::Deployment(_)
        | Intent::Decision(_)
        | Intent::DecisionRequirements(_)
        | Intent::DecisionEvaluation(_)
        | Intent::Message(_)
        | Intent::JobBatch(_)
        | Intent::MessageStartEventSubscription(_)
        | Intent::Error(_)
        | Intent::Process(_)
        | Intent::Form(_)
        | Intent::Resource(_)
        | Intent::Signal(_)
        | Intent::ResourceDeletion(_)
        | Intent::CommandDistribution(_)
        | Intent::MessageBatch(_)
        | Intent::ClusterVariable(_)
        | Intent::GlobalListener(_)
        | Intent::GlobalListenerBatch(_)
        | Intent::ConditionalEvaluation(_)
        | Intent::User(_)
        | Intent::Group(_)
        | Intent::Role(_)
        | Intent::Tenant(_)
        | Intent::MappingRule(_)
        | Intent::Authorization(_)
        | Intent::IdentitySetup(_)
        | Intent::MessageCorrelation(_)
        | Intent::Clock(_)
        | Intent::Checkpoint(_)
        | Intent::BatchOperationCreation(_)
        | Intent::BatchOperationExecution(_)
        | Intent::BatchOperationChunk(_)
        | Intent::BatchOperationLifecycleManagement(_)
        | Intent::BatchOperationPartitionLifecycle(_)
        | Intent::BatchOperationInitialization(_)
        | Intent::HistoryDeletion(_)
        | Intent::Expression(_) => false,
    }
}
