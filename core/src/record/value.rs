//! The value types: what records are about, with the fields of each.
//!
//! One table binds the number of a value type (frozen, Zeebe's where known, else from 200 on), its
//! name and its struct. Values sit behind reference counts: the events of one step often share one value, and
//! state, log, response and export feed all read the same allocation.

use std::sync::Arc;

use crate::record::field::{DecodeError, Shape, ValueReader, ValueStruct, ValueWriter};

mod ad_hoc;
mod agent;
mod batch_operation;
mod checkpoint;
mod clock;
mod cluster_variable;
mod compensation;
mod conditional;
mod decision;
mod deployment;
mod distribution;
mod escalation;
mod expression;
mod global_listener;
mod history_deletion;
mod identity;
mod incident;
mod job;
mod message;
mod modification;
mod multi_instance;
mod permission;
mod process_instance;
mod resource;
mod signal;
mod timer;
mod user_task;
mod variable;

pub use ad_hoc::*;
pub use agent::*;
pub use batch_operation::*;
pub use checkpoint::*;
pub use clock::*;
pub use cluster_variable::*;
pub use compensation::*;
pub use conditional::*;
pub use decision::*;
pub use deployment::*;
pub use distribution::*;
pub use escalation::*;
pub use expression::*;
pub use global_listener::*;
pub use history_deletion::*;
pub use identity::*;
pub use incident::*;
pub use job::*;
pub use message::*;
pub use modification::*;
pub use multi_instance::*;
pub use permission::*;
pub use process_instance::*;
pub use resource::*;
pub use signal::*;
pub use timer::*;
pub use user_task::*;
pub use variable::*;

macro_rules! values {
    ($($variant:ident($record:ident) = $code:literal $name:literal,)+) => {
        /// What a record is about.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum ValueType {
            $(#[doc = $name] $variant = $code,)+
        }

        impl ValueType {
            /// All value types, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The members of its JSON form.
            #[must_use]
            pub fn shapes(self) -> Vec<(&'static str, Shape)> {
                match self { $(Self::$variant => $record::shapes(),)+ }
            }

            /// The value type under `code`.
            #[must_use]
            pub const fn from_code(code: u8) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)+ _ => None }
            }

            /// Camunda's name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }

        /// The value of a record.
        #[derive(Clone, PartialEq, Debug)]
        pub enum Value {
            $(#[doc = $name] $variant(Arc<$record>),)+
        }

        impl Value {
            /// Which value it is.
            #[must_use]
            pub const fn value_type(&self) -> ValueType {
                match self { $(Self::$variant(_) => ValueType::$variant,)+ }
            }

            /// Appends the bytes of the value, using `writer` as scratch.
            pub fn put(&self, writer: &mut ValueWriter, out: &mut Vec<u8>) {
                match self { $(Self::$variant(value) => value.put_fields(writer),)+ }
                writer.finish(out);
            }

            /// Reads a value of `value_type` from exactly its bytes.
            ///
            /// # Errors
            /// If the bytes are not such a value.
            pub fn take(value_type: ValueType, bytes: &[u8]) -> Result<Self, DecodeError> {
                let mut reader = ValueReader::new(bytes, 0)?;
                Ok(match value_type {
                    $(ValueType::$variant =>
                        Self::$variant(Arc::new($record::take_fields(&mut reader)?)),)+
                })
            }

            /// Appends the JSON form, as exporters show it.
            pub fn json(&self, out: &mut String) {
                match self { $(Self::$variant(value) => value.json_fields(out),)+ }
            }

            /// About how many bytes [`Value::put`] appends, without encoding anything.
            #[must_use]
            pub fn weight(&self) -> usize {
                match self { $(Self::$variant(value) => value.weight(),)+ }
            }

            /// An empty value of `value_type`: every field at its default.
            #[must_use]
            pub fn default_of(value_type: ValueType) -> Self {
                match value_type { $(ValueType::$variant => Self::$variant(Arc::default()),)+ }
            }
        }

        $(impl From<$record> for Value {
            fn from(value: $record) -> Self { Self::$variant(Arc::new(value)) }
        }

        impl From<Arc<$record>> for Value {
            fn from(value: Arc<$record>) -> Self { Self::$variant(value) }
        })+
    };
}

values! {
Job(JobRecord) = 0 "JOB",
Deployment(DeploymentRecord) = 4 "DEPLOYMENT",
ProcessInstance(ProcessInstanceRecord) = 5 "PROCESS_INSTANCE",
Incident(IncidentRecord) = 6 "INCIDENT",
Message(MessageRecord) = 10 "MESSAGE",
MessageSubscription(MessageSubscriptionRecord) = 11 "MESSAGE_SUBSCRIPTION",
ProcessMessageSubscription(ProcessMessageSubscriptionRecord) = 12 "PROCESS_MESSAGE_SUBSCRIPTION",
JobBatch(JobBatchRecord) = 14 "JOB_BATCH",
Timer(TimerRecord) = 15 "TIMER",
MessageStartEventSubscription(MessageStartEventSubscriptionRecord) = 16 "MESSAGE_START_EVENT_SUBSCRIPTION",
Variable(VariableRecord) = 17 "VARIABLE",
VariableDocument(VariableDocumentRecord) = 18 "VARIABLE_DOCUMENT",
ProcessInstanceCreation(ProcessInstanceCreationRecord) = 19 "PROCESS_INSTANCE_CREATION",
Error(ErrorRecord) = 20 "ERROR",
ProcessInstanceResult(ProcessInstanceResultRecord) = 21 "PROCESS_INSTANCE_RESULT",
Process(ProcessRecord) = 22 "PROCESS",
ProcessEvent(ProcessEventRecord) = 24 "PROCESS_EVENT",
Decision(DecisionRecord) = 25 "DECISION",
DecisionRequirements(DecisionRequirementsRecord) = 26 "DECISION_REQUIREMENTS",
DecisionEvaluation(DecisionEvaluationRecord) = 27 "DECISION_EVALUATION",
ProcessInstanceModification(ProcessInstanceModificationRecord) = 28 "PROCESS_INSTANCE_MODIFICATION",
Escalation(EscalationRecord) = 29 "ESCALATION",
SignalSubscription(SignalSubscriptionRecord) = 30 "SIGNAL_SUBSCRIPTION",
Signal(SignalRecord) = 31 "SIGNAL",
ResourceDeletion(ResourceDeletionRecord) = 32 "RESOURCE_DELETION",
CommandDistribution(CommandDistributionRecord) = 33 "COMMAND_DISTRIBUTION",
ProcessInstanceBatch(ProcessInstanceBatchRecord) = 34 "PROCESS_INSTANCE_BATCH",
MessageBatch(MessageBatchRecord) = 35 "MESSAGE_BATCH",
Form(FormRecord) = 36 "FORM",
UserTask(UserTaskRecord) = 37 "USER_TASK",
ProcessInstanceMigration(ProcessInstanceMigrationRecord) = 38 "PROCESS_INSTANCE_MIGRATION",
CompensationSubscription(CompensationSubscriptionRecord) = 39 "COMPENSATION_SUBSCRIPTION",
MessageCorrelation(MessageCorrelationRecord) = 40 "MESSAGE_CORRELATION",
User(UserRecord) = 41 "USER",
Clock(ClockRecord) = 42 "CLOCK",
Authorization(AuthorizationRecord) = 43 "AUTHORIZATION",
Resource(ResourceRecord) = 44 "RESOURCE",
Tenant(TenantRecord) = 45 "TENANT",
Group(GroupRecord) = 46 "GROUP",
MappingRule(MappingRuleRecord) = 47 "MAPPING_RULE",
IdentitySetup(IdentitySetupRecord) = 48 "IDENTITY_SETUP",
Role(RoleRecord) = 49 "ROLE",
BatchOperationCreation(BatchOperationCreationRecord) = 50 "BATCH_OPERATION_CREATION",
BatchOperationExecution(BatchOperationExecutionRecord) = 51 "BATCH_OPERATION_EXECUTION",
BatchOperationChunk(BatchOperationChunkRecord) = 52 "BATCH_OPERATION_CHUNK",
AdHocSubProcessInstruction(AdHocSubProcessInstructionRecord) = 53 "AD_HOC_SUB_PROCESS_INSTRUCTION",
BatchOperationLifecycleManagement(BatchOperationLifecycleManagementRecord) = 54 "BATCH_OPERATION_LIFECYCLE_MANAGEMENT",
BatchOperationPartitionLifecycle(BatchOperationPartitionLifecycleRecord) = 55 "BATCH_OPERATION_PARTITION_LIFECYCLE",
MultiInstance(MultiInstanceRecord) = 58 "MULTI_INSTANCE",
RuntimeInstruction(RuntimeInstructionRecord) = 59 "RUNTIME_INSTRUCTION",
BatchOperationInitialization(BatchOperationInitializationRecord) = 60 "BATCH_OPERATION_INITIALIZATION",
ClusterVariable(ClusterVariableRecord) = 61 "CLUSTER_VARIABLE",
HistoryDeletion(HistoryDeletionRecord) = 62 "HISTORY_DELETION",
ConditionalSubscription(ConditionalSubscriptionRecord) = 63 "CONDITIONAL_SUBSCRIPTION",
ConditionalEvaluation(ConditionalEvaluationRecord) = 64 "CONDITIONAL_EVALUATION",
GlobalListenerBatch(GlobalListenerBatchRecord) = 65 "GLOBAL_LISTENER_BATCH",
Expression(ExpressionRecord) = 66 "EXPRESSION",
GlobalListener(GlobalListenerRecord) = 68 "GLOBAL_LISTENER",
AgentInstance(AgentInstanceRecord) = 70 "AGENT_INSTANCE",
AgentHistory(AgentHistoryRecord) = 72 "AGENT_HISTORY",
AgentDefinition(AgentDefinitionRecord) = 77 "AGENT_DEFINITION",
ProcessInstanceBusinessId(ProcessInstanceBusinessIdRecord) = 200 "PROCESS_INSTANCE_BUSINESS_ID",
Checkpoint(CheckpointRecord) = 254 "CHECKPOINT",
}
