//! The only door to state: one applier per event and version.
//!
//! Appliers use key, value, the record's time and state, nothing else; the same record on the same
//! state gives the same state on every replica. A released applier is never changed: a new behaviour
//! is a new version, and the old one stays for the records that carry its number.

use crate::engine::definitions::Definitions;
use crate::engine::fault::Fault;
use crate::engine::output::Applying;
use crate::engine::{DEFERRED_COMMAND_VERSION, EVENT_VERSION};
use crate::ids::Key;
use crate::record::field::ValueWriter;
use crate::record::intent::of;
use crate::record::{Blob, Intent, Record, RecordType, Value, codec};
use crate::state::{ContinuationRow, State};

mod agent;
mod batch_operation;
mod business_id;
mod checkpoint;
mod clock;
mod cluster_variable;
mod compensation;
mod conditional;
mod decision;
mod definition;
mod distribution;
mod element_instance;
mod file;
mod global_listener;
mod identity;
mod incident;
mod job;
mod message;
mod modification;
mod process_event;
mod runtime_instruction;
mod signal;
mod timer;
mod user_task;
mod variable;

/// Applies a record: its place in the stream, and what it states.
pub(crate) fn apply(
    state: &mut State,
    definitions: &Definitions,
    record: &Record,
) -> Result<(), Fault> {
    if record.position != state.position().next() {
        return Err(Fault::Apply(format!(
            "record {} after record {}",
            record.position,
            state.position()
        )));
    }
    state.set_position(record.position);
    match record.record_type {
        RecordType::Event => {
            raise_key_counter(state, record);
            let mut applying = Applying { state, definitions };
            apply_event(&mut applying, record)
        }
        RecordType::Command => apply_command(state, record),
        RecordType::CommandRejection => Ok(()),
    }
}

/// A command changes nothing but the list of commands that wait for a step of their own.
fn apply_command(state: &mut State, record: &Record) -> Result<(), Fault> {
    let Some(source) = record.source_position else {
        return Ok(());
    };
    raise_key_counter(state, record);
    if record.record_version == DEFERRED_COMMAND_VERSION {
        let mut bytes = Vec::new();
        codec::encode(record, &mut ValueWriter::default(), &mut bytes);
        let row = ContinuationRow {
            record: Blob::from(bytes),
        };
        state
            .continuations
            .put(State::CONTINUATIONS, record.position, row)?;
    } else if state.has_continuations()? {
        state.continuations.remove(&State::CONTINUATIONS, &source)?;
    }
    Ok(())
}

/// Keys of commands from outside are not looked at: nobody outside moves the counter.
fn raise_key_counter(state: &mut State, record: &Record) {
    let key = record.key;
    if key.is_some() && key.partition() == record.partition && key.counter() > state.key_counter() {
        state.set_key_counter(key.counter());
    }
}

macro_rules! appliers {
    ($a:ident, $record:ident; $value:ident => $($applier:tt)+) => {{
        let Value::$value(value) = &$record.value else {
            return Err(Fault::Apply(format!("{:?} with another value", $record.intent)));
        };
        $($applier)+($a, $record.key, value).map_err(Fault::from)
    }};
}

/// One applier per event of version 1; later versions get a match on the version here.
fn apply_event(a: &mut Applying<'_>, record: &Record) -> Result<(), Fault> {
    if record.record_version != EVENT_VERSION {
        return Err(Fault::Apply(format!(
            "{:?} of version {}",
            record.intent, record.record_version
        )));
    }
    match record.intent {
        Intent::ProcessInstance(intent) => apply_process_instance(a, record, intent),
        Intent::Job(intent) => apply_job(a, record, intent),
        Intent::JobBatch(of::JobBatch::Activated) => {
            appliers!(a, record; JobBatch => job::batch_activated)
        }
        Intent::Variable(of::Variable::Created | of::Variable::Updated) => {
            appliers!(a, record; Variable => variable::written)
        }
        // A variable's row does not name the definition.
        Intent::Variable(of::Variable::Migrated) => Ok(()),
        Intent::ProcessEvent(of::ProcessEvent::Triggering) => {
            appliers!(a, record; ProcessEvent => process_event::triggering)
        }
        Intent::ProcessEvent(of::ProcessEvent::Triggered) => {
            appliers!(a, record; ProcessEvent => process_event::triggered)
        }
        Intent::Process(of::Process::Created) => {
            appliers!(a, record; Process => definition::created)
        }
        Intent::Process(of::Process::Deleting) => {
            appliers!(a, record; Process => definition::deleting)
        }
        Intent::Process(of::Process::Deleted) => {
            appliers!(a, record; Process => definition::deleted)
        }
        Intent::ProcessInstanceCreation(of::ProcessInstanceCreation::Created) => {
            appliers!(a, record; ProcessInstanceCreation => modification::instance_created)
        }
        Intent::ProcessInstanceModification(of::ProcessInstanceModification::Modified) => {
            appliers!(a, record; ProcessInstanceModification => modification::modified)
        }
        Intent::RuntimeInstruction(of::RuntimeInstruction::Interrupted) => {
            appliers!(a, record; RuntimeInstruction => runtime_instruction::interrupted)
        }
        Intent::Form(of::Form::Created) => appliers!(a, record; Form => file::form_created),
        Intent::Form(of::Form::Deleted) => appliers!(a, record; Form => file::form_deleted),
        Intent::Resource(of::Resource::Created) => {
            appliers!(a, record; Resource => file::resource_created)
        }
        Intent::Resource(of::Resource::Deleted) => {
            appliers!(a, record; Resource => file::resource_deleted)
        }
        Intent::Decision(of::Decision::Created) => {
            appliers!(a, record; Decision => decision::created)
        }
        Intent::Decision(of::Decision::Deleted) => {
            appliers!(a, record; Decision => decision::deleted)
        }
        Intent::DecisionRequirements(of::DecisionRequirements::Created) => {
            appliers!(a, record; DecisionRequirements => decision::requirements_created)
        }
        Intent::DecisionRequirements(of::DecisionRequirements::Deleted) => {
            appliers!(a, record; DecisionRequirements => decision::requirements_deleted)
        }
        Intent::Incident(of::Incident::Created) => {
            appliers!(a, record; Incident => incident::created)
        }
        Intent::Incident(of::Incident::Resolved) => {
            appliers!(a, record; Incident => incident::resolved)
        }
        Intent::Incident(of::Incident::Migrated) => {
            appliers!(a, record; Incident => incident::migrated)
        }
        Intent::Error(of::Error::Created) => {
            appliers!(a, record; Error => incident::error_created)
        }
        Intent::CommandDistribution(intent) => apply_distribution(a, record, intent),
        // Stated for the record, without effect on state.
        Intent::Resource(of::Resource::Fetched)
        | Intent::Deployment(of::Deployment::Created | of::Deployment::FullyDistributed)
        | Intent::DecisionEvaluation(
            of::DecisionEvaluation::Evaluated | of::DecisionEvaluation::Failed,
        )
        | Intent::ProcessInstanceResult(of::ProcessInstanceResult::Completed)
        | Intent::VariableDocument(
            of::VariableDocument::Updated | of::VariableDocument::UpdateDenied,
        )
        | Intent::AdHocSubProcessInstruction(of::AdHocSubProcessInstruction::Activated)
        | Intent::ConditionalEvaluation(of::ConditionalEvaluation::Evaluated)
        | Intent::ProcessInstanceMigration(of::ProcessInstanceMigration::Migrated)
        | Intent::Expression(of::Expression::Evaluated)
        | Intent::BatchOperationExecution(of::BatchOperationExecution::Executing)
        | Intent::HistoryDeletion(of::HistoryDeletion::Deleted)
        | Intent::ResourceDeletion(
            of::ResourceDeletion::Deleting | of::ResourceDeletion::Deleted,
        ) => Ok(()),
        Intent::VariableDocument(of::VariableDocument::Updating) => {
            appliers!(a, record; VariableDocument => user_task::variables_updating)
        }
        Intent::Message(intent) => apply_message(a, record, intent),
        Intent::MessageCorrelation(intent) => apply_message_correlation(a, record, intent),
        Intent::MessageSubscription(intent) => apply_message_subscription(a, record, intent),
        Intent::ProcessMessageSubscription(intent) => {
            apply_process_message_subscription(a, record, intent)
        }
        Intent::MessageStartEventSubscription(intent) => apply_message_start(a, record, intent),
        Intent::Timer(of::Timer::Created) => appliers!(a, record; Timer => timer::created),
        Intent::Timer(of::Timer::Triggered | of::Timer::Canceled) => {
            appliers!(a, record; Timer => timer::ended)
        }
        Intent::Timer(of::Timer::Migrated) => appliers!(a, record; Timer => timer::migrated),
        Intent::Timer(of::Timer::Trigger) => unsupported(record),
        Intent::SignalSubscription(of::SignalSubscription::Created) => {
            appliers!(a, record; SignalSubscription => signal::created)
        }
        Intent::SignalSubscription(of::SignalSubscription::Deleted) => {
            appliers!(a, record; SignalSubscription => signal::deleted)
        }
        Intent::SignalSubscription(of::SignalSubscription::Migrated) => {
            appliers!(a, record; SignalSubscription => signal::migrated)
        }
        // Signals and escalations are not kept.
        Intent::Signal(of::Signal::Broadcasted)
        | Intent::Escalation(_)
        | Intent::ProcessInstanceBatch(
            of::ProcessInstanceBatch::Terminated | of::ProcessInstanceBatch::Activated,
        ) => Ok(()),
        Intent::Signal(of::Signal::Broadcast) => unsupported(record),
        Intent::UserTask(intent) => apply_user_task(a, record, intent),
        Intent::CompensationSubscription(intent) => apply_compensation(a, record, intent),
        Intent::ConditionalSubscription(intent) => apply_conditional(a, record, intent),
        Intent::MultiInstance(of::MultiInstance::InputCollectionEvaluated) => {
            appliers!(a, record; MultiInstance => element_instance::input_collection_evaluated)
        }
        Intent::AdHocSubProcessInstruction(of::AdHocSubProcessInstruction::Completed) => {
            appliers!(
                a, record; AdHocSubProcessInstruction => element_instance::ad_hoc_fulfilled
            )
        }
        Intent::Clock(of::Clock::Pinned) => appliers!(a, record; Clock => clock::pinned),
        Intent::Clock(of::Clock::Resetted) => appliers!(a, record; Clock => clock::resetted),
        Intent::Checkpoint(of::Checkpoint::Created) => {
            appliers!(a, record; Checkpoint => checkpoint::created)
        }
        Intent::Checkpoint(of::Checkpoint::ConfirmedBackup) => {
            appliers!(a, record; Checkpoint => checkpoint::backup_confirmed)
        }
        Intent::Checkpoint(of::Checkpoint::Ignored) => Ok(()),
        Intent::BatchOperationCreation(of::BatchOperationCreation::Created) => {
            appliers!(a, record; BatchOperationCreation => batch_operation::created)
        }
        Intent::BatchOperationChunk(of::BatchOperationChunk::Created) => {
            appliers!(a, record; BatchOperationChunk => batch_operation::chunk_created)
        }
        Intent::BatchOperationInitialization(of::BatchOperationInitialization::Initializing) => {
            appliers!(a, record; BatchOperationInitialization => batch_operation::initializing)
        }
        Intent::BatchOperationInitialization(of::BatchOperationInitialization::Initialized) => {
            appliers!(a, record; BatchOperationInitialization => batch_operation::initialized)
        }
        Intent::BatchOperationExecution(of::BatchOperationExecution::Executed) => {
            appliers!(a, record; BatchOperationExecution => batch_operation::executed)
        }
        Intent::BatchOperationLifecycleManagement(intent) => {
            apply_batch_management(a, record, intent)
        }
        Intent::BatchOperationPartitionLifecycle(intent) => {
            apply_batch_partition(a, record, intent)
        }
        Intent::BatchOperationCreation(of::BatchOperationCreation::Create)
        | Intent::BatchOperationChunk(of::BatchOperationChunk::Create)
        | Intent::BatchOperationExecution(of::BatchOperationExecution::Execute)
        | Intent::HistoryDeletion(of::HistoryDeletion::Delete)
        | Intent::Clock(of::Clock::Pin | of::Clock::Reset)
        | Intent::Checkpoint(of::Checkpoint::Create | of::Checkpoint::ConfirmBackup)
        | Intent::Expression(of::Expression::Evaluate) => unsupported(record),
        Intent::ClusterVariable(of::ClusterVariable::Created | of::ClusterVariable::Updated) => {
            appliers!(a, record; ClusterVariable => cluster_variable::written)
        }
        Intent::ClusterVariable(of::ClusterVariable::Deleted) => {
            appliers!(a, record; ClusterVariable => cluster_variable::deleted)
        }
        Intent::ClusterVariable(
            of::ClusterVariable::Create | of::ClusterVariable::Update | of::ClusterVariable::Delete,
        ) => unsupported(record),
        Intent::GlobalListener(of::GlobalListener::Created | of::GlobalListener::Updated) => {
            appliers!(a, record; GlobalListener => global_listener::written)
        }
        Intent::GlobalListener(of::GlobalListener::Deleted) => {
            appliers!(a, record; GlobalListener => global_listener::deleted)
        }
        Intent::ProcessInstanceBusinessId(of::ProcessInstanceBusinessId::Assigned) => {
            appliers!(a, record; ProcessInstanceBusinessId => business_id::assigned)
        }
        Intent::GlobalListenerBatch(of::GlobalListenerBatch::Configured) => {
            appliers!(a, record; GlobalListenerBatch => global_listener::configured)
        }
        Intent::AgentInstance(intent) => apply_agent_instance(a, record, intent),
        Intent::AgentHistory(intent) => apply_agent_history(a, record, intent),
        Intent::AgentDefinition(of::AgentDefinition::Created) => {
            appliers!(a, record; AgentDefinition => agent::definition_created)
        }
        Intent::AgentDefinition(of::AgentDefinition::Deleted) => {
            appliers!(a, record; AgentDefinition => agent::definition_deleted)
        }
        Intent::GlobalListener(
            of::GlobalListener::Create | of::GlobalListener::Update | of::GlobalListener::Delete,
        )
        | Intent::ProcessInstanceBusinessId(of::ProcessInstanceBusinessId::Assign)
        | Intent::GlobalListenerBatch(of::GlobalListenerBatch::Configure) => unsupported(record),
        Intent::User(_)
        | Intent::Group(_)
        | Intent::Role(_)
        | Intent::Tenant(_)
        | Intent::MappingRule(_)
        | Intent::Authorization(_)
        | Intent::IdentitySetup(_) => apply_identity(a, record),
        Intent::JobBatch(of::JobBatch::Activate)
        | Intent::Resource(of::Resource::Fetch)
        | Intent::Incident(of::Incident::Resolve)
        | Intent::Deployment(of::Deployment::Create)
        | Intent::DecisionEvaluation(of::DecisionEvaluation::Evaluate)
        | Intent::ProcessInstanceCreation(
            of::ProcessInstanceCreation::Create
            | of::ProcessInstanceCreation::CreateWithAwaitingResult,
        )
        | Intent::VariableDocument(of::VariableDocument::Update)
        | Intent::ResourceDeletion(of::ResourceDeletion::Delete)
        | Intent::AdHocSubProcessInstruction(
            of::AdHocSubProcessInstruction::Activate | of::AdHocSubProcessInstruction::Complete,
        )
        | Intent::ConditionalEvaluation(of::ConditionalEvaluation::Evaluate)
        | Intent::ProcessInstanceModification(of::ProcessInstanceModification::Modify)
        | Intent::ProcessInstanceMigration(of::ProcessInstanceMigration::Migrate)
        | Intent::ProcessInstanceBatch(
            of::ProcessInstanceBatch::Terminate | of::ProcessInstanceBatch::Activate,
        )
        | Intent::MessageBatch(_) => unsupported(record),
    }
}

fn apply_batch_management(
    a: &mut Applying<'_>,
    record: &Record,
    intent: of::BatchOperationLifecycleManagement,
) -> Result<(), Fault> {
    use of::BatchOperationLifecycleManagement as Of;
    match intent {
        Of::Canceled | Of::Completed | Of::Failed => {
            appliers!(a, record; BatchOperationLifecycleManagement => batch_operation::ended)
        }
        Of::Suspended => {
            appliers!(a, record; BatchOperationLifecycleManagement => batch_operation::suspended)
        }
        Of::Resumed => {
            appliers!(a, record; BatchOperationLifecycleManagement => batch_operation::resumed)
        }
        Of::Cancel | Of::Suspend | Of::Resume => unsupported(record),
    }
}

fn apply_batch_partition(
    a: &mut Applying<'_>,
    record: &Record,
    intent: of::BatchOperationPartitionLifecycle,
) -> Result<(), Fault> {
    use of::BatchOperationPartitionLifecycle as Of;
    match intent {
        Of::PartitionCompleted => appliers!(
            a, record; BatchOperationPartitionLifecycle => batch_operation::partition_completed
        ),
        Of::PartitionFailed => appliers!(
            a, record; BatchOperationPartitionLifecycle => batch_operation::partition_failed
        ),
        Of::Fail | Of::CompletePartition | Of::FailPartition => unsupported(record),
    }
}

fn unsupported(record: &Record) -> Result<(), Fault> {
    Err(Fault::Apply(format!("{:?} as an event", record.intent)))
}

fn apply_process_instance(
    a: &mut Applying<'_>,
    record: &Record,
    intent: of::ProcessInstance,
) -> Result<(), Fault> {
    use element_instance as element;
    match intent {
        of::ProcessInstance::SequenceFlowTaken => {
            appliers!(a, record; ProcessInstance => element::sequence_flow_taken)
        }
        of::ProcessInstance::ElementActivating => {
            appliers!(a, record; ProcessInstance => element::activating)
        }
        of::ProcessInstance::ElementActivated => {
            appliers!(a, record; ProcessInstance => element::activated)
        }
        of::ProcessInstance::ElementCompleting => {
            appliers!(a, record; ProcessInstance => element::completing)
        }
        of::ProcessInstance::ElementCompleted => {
            appliers!(a, record; ProcessInstance => element::completed)
        }
        of::ProcessInstance::ElementTerminating => {
            appliers!(a, record; ProcessInstance => element::terminating)
        }
        of::ProcessInstance::ElementTerminated => {
            appliers!(a, record; ProcessInstance => element::terminated)
        }
        of::ProcessInstance::SequenceFlowDeleted => {
            appliers!(a, record; ProcessInstance => element::sequence_flow_deleted)
        }
        of::ProcessInstance::ElementMigrated => {
            appliers!(a, record; ProcessInstance => element::migrated)
        }
        // Paths are not kept, nor that somebody asked for the end.
        of::ProcessInstance::AncestorMigrated | of::ProcessInstance::Canceling => Ok(()),
        of::ProcessInstance::Cancel
        | of::ProcessInstance::ActivateElement
        | of::ProcessInstance::CompleteElement
        | of::ProcessInstance::TerminateElement
        | of::ProcessInstance::CompleteExecutionListener
        | of::ProcessInstance::ContinueTerminatingElement => unsupported(record),
    }
}

fn apply_agent_instance(
    a: &mut Applying<'_>,
    record: &Record,
    intent: of::AgentInstance,
) -> Result<(), Fault> {
    match intent {
        of::AgentInstance::Created => {
            appliers!(a, record; AgentInstance => agent::instance_created)
        }
        of::AgentInstance::Updated => {
            appliers!(a, record; AgentInstance => agent::instance_updated)
        }
        of::AgentInstance::Completed => {
            appliers!(a, record; AgentInstance => agent::instance_completed)
        }
        of::AgentInstance::Migrated => {
            appliers!(a, record; AgentInstance => agent::instance_migrated)
        }
        of::AgentInstance::Create | of::AgentInstance::Update | of::AgentInstance::Complete => {
            unsupported(record)
        }
    }
}

fn apply_agent_history(
    a: &mut Applying<'_>,
    record: &Record,
    intent: of::AgentHistory,
) -> Result<(), Fault> {
    match intent {
        of::AgentHistory::Created => {
            appliers!(a, record; AgentHistory => agent::history_created)
        }
        of::AgentHistory::Committed => {
            appliers!(a, record; AgentHistory => agent::history_committed)
        }
        of::AgentHistory::Discarded => {
            appliers!(a, record; AgentHistory => agent::history_discarded)
        }
        of::AgentHistory::Create | of::AgentHistory::Commit | of::AgentHistory::Discard => {
            unsupported(record)
        }
    }
}

fn apply_job(a: &mut Applying<'_>, record: &Record, intent: of::Job) -> Result<(), Fault> {
    match intent {
        of::Job::Created => appliers!(a, record; Job => job::created),
        of::Job::Completed => appliers!(a, record; Job => job::completed),
        of::Job::Canceled => appliers!(a, record; Job => job::canceled),
        of::Job::Failed => appliers!(a, record; Job => job::failed),
        of::Job::ErrorThrown => appliers!(a, record; Job => job::error_thrown),
        of::Job::TimedOut | of::Job::Yielded | of::Job::RecurredAfterBackoff => {
            appliers!(a, record; Job => job::activatable_again)
        }
        of::Job::RetriesUpdated => appliers!(a, record; Job => job::retries_updated),
        of::Job::TimeoutUpdated => appliers!(a, record; Job => job::timeout_updated),
        of::Job::PriorityUpdated => appliers!(a, record; Job => job::priority_updated),
        of::Job::Updated => appliers!(a, record; Job => job::updated),
        of::Job::Migrated => appliers!(a, record; Job => job::migrated),
        of::Job::Complete
        | of::Job::TimeOut
        | of::Job::Fail
        | of::Job::UpdateRetries
        | of::Job::ThrowError
        | of::Job::RecurAfterBackoff
        | of::Job::Yield
        | of::Job::UpdateTimeout
        | of::Job::Update => unsupported(record),
    }
}

fn apply_distribution(
    a: &mut Applying<'_>,
    record: &Record,
    intent: of::CommandDistribution,
) -> Result<(), Fault> {
    match intent {
        of::CommandDistribution::Started => {
            appliers!(a, record; CommandDistribution => distribution::started)
        }
        of::CommandDistribution::Distributing => {
            appliers!(a, record; CommandDistribution => distribution::distributing)
        }
        of::CommandDistribution::Acknowledged => {
            appliers!(a, record; CommandDistribution => distribution::acknowledged)
        }
        of::CommandDistribution::Finished => {
            appliers!(a, record; CommandDistribution => distribution::finished)
        }
        of::CommandDistribution::Acknowledge => unsupported(record),
    }
}

fn apply_message(a: &mut Applying<'_>, record: &Record, intent: of::Message) -> Result<(), Fault> {
    match intent {
        of::Message::Published => appliers!(a, record; Message => message::published),
        of::Message::Expired => appliers!(a, record; Message => message::expired),
        of::Message::Publish | of::Message::Expire => unsupported(record),
    }
}

fn apply_message_correlation(
    a: &mut Applying<'_>,
    record: &Record,
    intent: of::MessageCorrelation,
) -> Result<(), Fault> {
    match intent {
        of::MessageCorrelation::Correlating => {
            appliers!(a, record; MessageCorrelation => message::correlating_request)
        }
        of::MessageCorrelation::Correlated | of::MessageCorrelation::NotCorrelated => {
            appliers!(a, record; MessageCorrelation => message::correlation_ended)
        }
        of::MessageCorrelation::Correlate => unsupported(record),
    }
}

fn apply_message_subscription(
    a: &mut Applying<'_>,
    record: &Record,
    intent: of::MessageSubscription,
) -> Result<(), Fault> {
    match intent {
        of::MessageSubscription::Created => {
            appliers!(a, record; MessageSubscription => message::subscription_created)
        }
        of::MessageSubscription::Correlating => {
            appliers!(a, record; MessageSubscription => message::subscription_correlating)
        }
        of::MessageSubscription::Correlated => {
            appliers!(a, record; MessageSubscription => message::subscription_correlated)
        }
        of::MessageSubscription::Rejected => {
            appliers!(a, record; MessageSubscription => message::subscription_rejected)
        }
        of::MessageSubscription::Deleted => {
            appliers!(a, record; MessageSubscription => message::subscription_deleted)
        }
        of::MessageSubscription::Migrated => {
            appliers!(a, record; MessageSubscription => message::subscription_migrated)
        }
        of::MessageSubscription::Create
        | of::MessageSubscription::Correlate
        | of::MessageSubscription::Reject
        | of::MessageSubscription::Delete
        | of::MessageSubscription::Migrate => unsupported(record),
    }
}

fn apply_process_message_subscription(
    a: &mut Applying<'_>,
    record: &Record,
    intent: of::ProcessMessageSubscription,
) -> Result<(), Fault> {
    use of::ProcessMessageSubscription as Of;
    match intent {
        Of::Creating => appliers!(
            a, record; ProcessMessageSubscription => message::process_subscription_creating
        ),
        Of::Created => appliers!(
            a, record; ProcessMessageSubscription => message::process_subscription_created
        ),
        Of::Correlated => appliers!(
            a, record; ProcessMessageSubscription => message::process_subscription_correlated
        ),
        Of::Deleting => appliers!(
            a, record; ProcessMessageSubscription => message::process_subscription_deleting
        ),
        Of::Deleted => appliers!(
            a, record; ProcessMessageSubscription => message::process_subscription_deleted
        ),
        Of::Migrated => appliers!(
            a, record; ProcessMessageSubscription => message::process_subscription_migrated
        ),
        Of::Create | Of::Correlate | Of::Delete => unsupported(record),
    }
}

fn apply_message_start(
    a: &mut Applying<'_>,
    record: &Record,
    intent: of::MessageStartEventSubscription,
) -> Result<(), Fault> {
    match intent {
        of::MessageStartEventSubscription::Created => appliers!(
            a, record; MessageStartEventSubscription => message::start_subscription_created
        ),
        of::MessageStartEventSubscription::Correlated => appliers!(
            a, record; MessageStartEventSubscription => message::start_subscription_correlated
        ),
        of::MessageStartEventSubscription::Deleted => appliers!(
            a, record; MessageStartEventSubscription => message::start_subscription_deleted
        ),
    }
}

fn apply_compensation(
    a: &mut Applying<'_>,
    record: &Record,
    intent: of::CompensationSubscription,
) -> Result<(), Fault> {
    match intent {
        of::CompensationSubscription::Created
        | of::CompensationSubscription::Triggered
        | of::CompensationSubscription::Migrated => {
            appliers!(a, record; CompensationSubscription => compensation::written)
        }
        of::CompensationSubscription::Completed | of::CompensationSubscription::Deleted => {
            appliers!(a, record; CompensationSubscription => compensation::ended)
        }
    }
}

fn apply_conditional(
    a: &mut Applying<'_>,
    record: &Record,
    intent: of::ConditionalSubscription,
) -> Result<(), Fault> {
    match intent {
        of::ConditionalSubscription::Created | of::ConditionalSubscription::Migrated => {
            appliers!(a, record; ConditionalSubscription => conditional::created)
        }
        of::ConditionalSubscription::Triggered => {
            appliers!(a, record; ConditionalSubscription => conditional::triggered)
        }
        of::ConditionalSubscription::Deleted => {
            appliers!(a, record; ConditionalSubscription => conditional::deleted)
        }
        of::ConditionalSubscription::Trigger => unsupported(record),
    }
}

fn apply_user_task(
    a: &mut Applying<'_>,
    record: &Record,
    intent: of::UserTask,
) -> Result<(), Fault> {
    match intent {
        of::UserTask::Creating => appliers!(a, record; UserTask => user_task::creating),
        of::UserTask::Created | of::UserTask::Assigned | of::UserTask::Updated => {
            appliers!(a, record; UserTask => user_task::settled)
        }
        of::UserTask::Assigning => appliers!(a, record; UserTask => user_task::assigning),
        of::UserTask::Claiming => appliers!(a, record; UserTask => user_task::claiming),
        of::UserTask::Updating => appliers!(a, record; UserTask => user_task::updating),
        of::UserTask::Completing => appliers!(a, record; UserTask => user_task::completing),
        of::UserTask::Canceling => appliers!(a, record; UserTask => user_task::canceling),
        of::UserTask::Completed | of::UserTask::Canceled => {
            appliers!(a, record; UserTask => user_task::ended)
        }
        of::UserTask::Migrated => appliers!(a, record; UserTask => user_task::migrated),
        of::UserTask::Corrected => appliers!(a, record; UserTask => user_task::corrected),
        of::UserTask::CompletionDenied
        | of::UserTask::AssignmentDenied
        | of::UserTask::UpdateDenied => appliers!(a, record; UserTask => user_task::denied),
        of::UserTask::Complete
        | of::UserTask::Assign
        | of::UserTask::Claim
        | of::UserTask::Update
        | of::UserTask::CompleteTaskListener
        | of::UserTask::DenyTaskListener
        | of::UserTask::Create
        | of::UserTask::Cancel => unsupported(record),
    }
}

/// The events of users, groups, roles, tenants, mapping rules and authorizations; called with no
/// other.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "what is no event of an identity is refused"
)]
fn apply_identity(a: &mut Applying<'_>, record: &Record) -> Result<(), Fault> {
    match record.intent {
        Intent::User(of::User::Created | of::User::Updated) => {
            appliers!(a, record; User => identity::user_written)
        }
        Intent::User(of::User::Deleted) => appliers!(a, record; User => identity::user_deleted),
        Intent::Group(of::Group::Created | of::Group::Updated) => {
            appliers!(a, record; Group => identity::group_written)
        }
        Intent::Group(of::Group::Deleted) => {
            appliers!(a, record; Group => identity::group_deleted)
        }
        Intent::Group(of::Group::EntityAdded) => {
            appliers!(a, record; Group => identity::group_member_added)
        }
        Intent::Group(of::Group::EntityRemoved) => {
            appliers!(a, record; Group => identity::group_member_removed)
        }
        Intent::Role(of::Role::Created | of::Role::Updated) => {
            appliers!(a, record; Role => identity::role_written)
        }
        Intent::Role(of::Role::Deleted) => {
            appliers!(a, record; Role => identity::role_deleted)
        }
        Intent::Role(of::Role::EntityAdded) => {
            appliers!(a, record; Role => identity::role_member_added)
        }
        Intent::Role(of::Role::EntityRemoved) => {
            appliers!(a, record; Role => identity::role_member_removed)
        }
        Intent::Tenant(of::Tenant::Created | of::Tenant::Updated) => {
            appliers!(a, record; Tenant => identity::tenant_written)
        }
        Intent::Tenant(of::Tenant::Deleted) => {
            appliers!(a, record; Tenant => identity::tenant_deleted)
        }
        Intent::Tenant(of::Tenant::EntityAdded) => {
            appliers!(a, record; Tenant => identity::tenant_member_added)
        }
        Intent::Tenant(of::Tenant::EntityRemoved) => {
            appliers!(a, record; Tenant => identity::tenant_member_removed)
        }
        Intent::MappingRule(of::MappingRule::Created | of::MappingRule::Updated) => {
            appliers!(a, record; MappingRule => identity::mapping_rule_written)
        }
        Intent::MappingRule(of::MappingRule::Deleted) => {
            appliers!(a, record; MappingRule => identity::mapping_rule_deleted)
        }
        Intent::Authorization(of::Authorization::Created | of::Authorization::Updated) => {
            appliers!(a, record; Authorization => identity::authorization_written)
        }
        Intent::Authorization(of::Authorization::Deleted) => {
            appliers!(a, record; Authorization => identity::authorization_deleted)
        }
        // Stated for the record: what they cause has events of its own.
        Intent::User(of::User::InitialAdminCreated)
        | Intent::IdentitySetup(of::IdentitySetup::Initialized) => Ok(()),
        _ => unsupported(record),
    }
}

/// What an applier gives.
type Applied = Result<(), Fault>;

/// The row of an element instance that an event names must exist.
fn missing(what: &str, key: Key) -> Fault {
    Fault::Processing(format!("no {what} with key '{key}'"))
}
