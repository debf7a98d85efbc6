//! What can be said of each value type: commands ask for it, events state it.
//!
//! Numbers are written to the log and to disk: once released they are never changed or reused.
//! They follow Zeebe's protocol where Zeebe's are known. A gap is a legacy intent that this engine
//! never writes. The kind next to a name is what the intent is allowed on; a rejection carries the
//! intent of its command.

use std::fmt;

use crate::record::ValueType;

/// Whether an intent asks or states.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IntentKind {
    /// Allowed on commands and their rejections.
    Command,
    /// Allowed on events.
    Event,
}

macro_rules! intents {
    ($($value:ident { $($variant:ident = $code:literal $name:literal $kind:ident,)+ })+) => {
        /// The intents of one value type.
        pub mod of {
            $(
                #[doc = concat!("Intents of ", stringify!($value), " records.")]
                #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
                #[repr(u8)]
                pub enum $value {
                    $(#[doc = $name] $variant = $code,)+
                }
            )+
        }

        /// An intent together with the value type it belongs to.
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Intent {
            $(#[doc = concat!("Of a ", stringify!($value), " record.")] $value(of::$value),)+
        }

        impl Intent {
            /// The value type of every record with this intent.
            #[must_use]
            pub const fn value_type(self) -> ValueType {
                match self { $(Self::$value(_) => ValueType::$value,)+ }
            }

            /// The number within the value type.
            #[must_use]
            pub const fn code(self) -> u8 {
                match self { $(Self::$value(intent) => intent as u8,)+ }
            }

            /// The intent under `code` of `value_type`.
            #[must_use]
            pub const fn from_codes(value_type: ValueType, code: u8) -> Option<Self> {
                match value_type {
                    $(ValueType::$value => match code {
                        $($code => Some(Self::$value(of::$value::$variant)),)+
                        _ => None,
                    },)+
                }
            }

            /// Camunda's name, without the value type.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $($(Self::$value(of::$value::$variant) => $name,)+)+ }
            }

            /// Whether it asks or states.
            #[must_use]
            pub const fn kind(self) -> IntentKind {
                match self { $($(Self::$value(of::$value::$variant) => intents!(@ $kind),)+)+ }
            }

            /// All intents, in the order of the table.
            pub const ALL: &'static [Self] = &[$($(Self::$value(of::$value::$variant),)+)+];
        }

        $(impl From<of::$value> for Intent {
            fn from(intent: of::$value) -> Self { Self::$value(intent) }
        })+
    };
    (@ command) => { IntentKind::Command };
    (@ event) => { IntentKind::Event };
}

intents! {
    Job {
        Created = 0 "CREATED" event,
        Complete = 1 "COMPLETE" command,
        Completed = 2 "COMPLETED" event,
        TimeOut = 3 "TIME_OUT" command,
        TimedOut = 4 "TIMED_OUT" event,
        Fail = 5 "FAIL" command,
        Failed = 6 "FAILED" event,
        UpdateRetries = 7 "UPDATE_RETRIES" command,
        RetriesUpdated = 8 "RETRIES_UPDATED" event,
        Canceled = 10 "CANCELED" event,
        ThrowError = 11 "THROW_ERROR" command,
        ErrorThrown = 12 "ERROR_THROWN" event,
        RecurAfterBackoff = 13 "RECUR_AFTER_BACKOFF" command,
        RecurredAfterBackoff = 14 "RECURRED_AFTER_BACKOFF" event,
        Yield = 15 "YIELD" command,
        Yielded = 16 "YIELDED" event,
        UpdateTimeout = 17 "UPDATE_TIMEOUT" command,
        TimeoutUpdated = 18 "TIMEOUT_UPDATED" event,
        Migrated = 19 "MIGRATED" event,
        Update = 20 "UPDATE" command,
        Updated = 21 "UPDATED" event,
        PriorityUpdated = 22 "PRIORITY_UPDATED" event,
    }
    Deployment {
        Create = 0 "CREATE" command,
        Created = 1 "CREATED" event,
        FullyDistributed = 4 "FULLY_DISTRIBUTED" event,
    }
    ProcessInstance {
        Cancel = 0 "CANCEL" command,
        SequenceFlowTaken = 1 "SEQUENCE_FLOW_TAKEN" event,
        ElementActivating = 2 "ELEMENT_ACTIVATING" event,
        ElementActivated = 3 "ELEMENT_ACTIVATED" event,
        ElementCompleting = 4 "ELEMENT_COMPLETING" event,
        ElementCompleted = 5 "ELEMENT_COMPLETED" event,
        ElementTerminating = 6 "ELEMENT_TERMINATING" event,
        ElementTerminated = 7 "ELEMENT_TERMINATED" event,
        ActivateElement = 8 "ACTIVATE_ELEMENT" command,
        CompleteElement = 9 "COMPLETE_ELEMENT" command,
        TerminateElement = 10 "TERMINATE_ELEMENT" command,
        ElementMigrated = 11 "ELEMENT_MIGRATED" event,
        CompleteExecutionListener = 12 "COMPLETE_EXECUTION_LISTENER" command,
        AncestorMigrated = 13 "ANCESTOR_MIGRATED" event,
        ContinueTerminatingElement = 14 "CONTINUE_TERMINATING_ELEMENT" command,
        SequenceFlowDeleted = 15 "SEQUENCE_FLOW_DELETED" event,
        Canceling = 16 "CANCELING" event,
    }
    Incident {
        Created = 0 "CREATED" event,
        Resolve = 1 "RESOLVE" command,
        Resolved = 2 "RESOLVED" event,
        Migrated = 3 "MIGRATED" event,
    }
    Message {
        Publish = 0 "PUBLISH" command,
        Published = 1 "PUBLISHED" event,
        Expire = 2 "EXPIRE" command,
        Expired = 3 "EXPIRED" event,
    }
    MessageSubscription {
        Create = 0 "CREATE" command,
        Created = 1 "CREATED" event,
        Correlate = 2 "CORRELATE" command,
        Correlated = 3 "CORRELATED" event,
        Reject = 4 "REJECT" command,
        Rejected = 5 "REJECTED" event,
        Delete = 6 "DELETE" command,
        Deleted = 7 "DELETED" event,
        Correlating = 8 "CORRELATING" event,
        Migrate = 9 "MIGRATE" command,
        Migrated = 10 "MIGRATED" event,
    }
    ProcessMessageSubscription {
        Creating = 0 "CREATING" event,
        Create = 1 "CREATE" command,
        Created = 2 "CREATED" event,
        Correlate = 3 "CORRELATE" command,
        Correlated = 4 "CORRELATED" event,
        Deleting = 5 "DELETING" event,
        Delete = 6 "DELETE" command,
        Deleted = 7 "DELETED" event,
        Migrated = 8 "MIGRATED" event,
    }
    JobBatch {
        Activate = 0 "ACTIVATE" command,
        Activated = 1 "ACTIVATED" event,
    }
    Timer {
        Created = 0 "CREATED" event,
        Trigger = 1 "TRIGGER" command,
        Triggered = 2 "TRIGGERED" event,
        Canceled = 4 "CANCELED" event,
        Migrated = 5 "MIGRATED" event,
    }
    MessageStartEventSubscription {
        Created = 0 "CREATED" event,
        Correlated = 1 "CORRELATED" event,
        Deleted = 2 "DELETED" event,
    }
    Variable {
        Created = 0 "CREATED" event,
        Updated = 1 "UPDATED" event,
        Migrated = 2 "MIGRATED" event,
    }
    VariableDocument {
        Update = 0 "UPDATE" command,
        Updated = 1 "UPDATED" event,
        Updating = 2 "UPDATING" event,
        UpdateDenied = 3 "UPDATE_DENIED" event,
    }
    ProcessInstanceCreation {
        Create = 0 "CREATE" command,
        Created = 1 "CREATED" event,
        CreateWithAwaitingResult = 2 "CREATE_WITH_AWAITING_RESULT" command,
    }
    Error {
        Created = 0 "CREATED" event,
    }
    ProcessInstanceResult {
        Completed = 0 "COMPLETED" event,
    }
    Process {
        Created = 0 "CREATED" event,
        Deleting = 1 "DELETING" event,
        Deleted = 2 "DELETED" event,
    }
    ProcessEvent {
        Triggering = 0 "TRIGGERING" event,
        Triggered = 1 "TRIGGERED" event,
    }
    ProcessInstanceModification {
        Modify = 0 "MODIFY" command,
        Modified = 1 "MODIFIED" event,
    }
    Escalation {
        Escalated = 0 "ESCALATED" event,
        NotEscalated = 1 "NOT_ESCALATED" event,
    }
    SignalSubscription {
        Created = 0 "CREATED" event,
        Deleted = 1 "DELETED" event,
        Migrated = 2 "MIGRATED" event,
    }
    Signal {
        Broadcast = 0 "BROADCAST" command,
        Broadcasted = 1 "BROADCASTED" event,
    }
    ResourceDeletion {
        Delete = 0 "DELETE" command,
        Deleting = 1 "DELETING" event,
        Deleted = 2 "DELETED" event,
    }
    CommandDistribution {
        Started = 0 "STARTED" event,
        Distributing = 1 "DISTRIBUTING" event,
        Acknowledge = 2 "ACKNOWLEDGE" command,
        Acknowledged = 3 "ACKNOWLEDGED" event,
        Finished = 4 "FINISHED" event,
    }
    ProcessInstanceBatch {
        Terminate = 0 "TERMINATE" command,
        Activate = 1 "ACTIVATE" command,
        Terminated = 2 "TERMINATED" event,
        Activated = 3 "ACTIVATED" event,
    }
    MessageBatch {
        Expire = 0 "EXPIRE" command,
    }
    Form {
        Created = 0 "CREATED" event,
        Deleted = 1 "DELETED" event,
    }
    UserTask {
        Creating = 0 "CREATING" event,
        Created = 1 "CREATED" event,
        Complete = 2 "COMPLETE" command,
        Completing = 3 "COMPLETING" event,
        Completed = 4 "COMPLETED" event,
        Canceling = 5 "CANCELING" event,
        Canceled = 6 "CANCELED" event,
        Assign = 7 "ASSIGN" command,
        Assigning = 8 "ASSIGNING" event,
        Assigned = 9 "ASSIGNED" event,
        Claim = 10 "CLAIM" command,
        Update = 11 "UPDATE" command,
        Updating = 12 "UPDATING" event,
        Updated = 13 "UPDATED" event,
        Migrated = 14 "MIGRATED" event,
        CompleteTaskListener = 15 "COMPLETE_TASK_LISTENER" command,
        DenyTaskListener = 16 "DENY_TASK_LISTENER" command,
        CompletionDenied = 17 "COMPLETION_DENIED" event,
        Corrected = 18 "CORRECTED" event,
        AssignmentDenied = 19 "ASSIGNMENT_DENIED" event,
        Claiming = 20 "CLAIMING" event,
        UpdateDenied = 21 "UPDATE_DENIED" event,
        Create = 22 "CREATE" command,
        Cancel = 23 "CANCEL" command,
    }
    CompensationSubscription {
        Created = 0 "CREATED" event,
        Triggered = 1 "TRIGGERED" event,
        Completed = 2 "COMPLETED" event,
        Deleted = 3 "DELETED" event,
        Migrated = 4 "MIGRATED" event,
    }
    ProcessInstanceMigration {
        Migrate = 0 "MIGRATE" command,
        Migrated = 1 "MIGRATED" event,
    }
    MessageCorrelation {
        Correlate = 1 "CORRELATE" command,
        Correlating = 2 "CORRELATING" event,
        Correlated = 3 "CORRELATED" event,
        NotCorrelated = 4 "NOT_CORRELATED" event,
    }
    Resource {
        Created = 0 "CREATED" event,
        Deleted = 1 "DELETED" event,
        Fetch = 2 "FETCH" command,
        Fetched = 3 "FETCHED" event,
    }
    RuntimeInstruction {
        Interrupted = 0 "INTERRUPTED" event,
    }
    AdHocSubProcessInstruction {
        Activate = 0 "ACTIVATE" command,
        Activated = 1 "ACTIVATED" event,
        Complete = 2 "COMPLETE" command,
        Completed = 3 "COMPLETED" event,
    }
    MultiInstance {
        InputCollectionEvaluated = 0 "INPUT_COLLECTION_EVALUATED" event,
    }
    ConditionalSubscription {
        Created = 0 "CREATED" event,
        Trigger = 1 "TRIGGER" command,
        Triggered = 2 "TRIGGERED" event,
        Deleted = 3 "DELETED" event,
        Migrated = 4 "MIGRATED" event,
    }
    ConditionalEvaluation {
        Evaluate = 0 "EVALUATE" command,
        Evaluated = 1 "EVALUATED" event,
    }
    Clock {
        Pin = 0 "PIN" command,
        Pinned = 1 "PINNED" event,
        Reset = 2 "RESET" command,
        Resetted = 3 "RESETTED" event,
    }
    Checkpoint {
        Create = 0 "CREATE" command,
        Created = 1 "CREATED" event,
        Ignored = 2 "IGNORED" event,
        ConfirmBackup = 3 "CONFIRM_BACKUP" command,
        ConfirmedBackup = 4 "CONFIRMED_BACKUP" event,
    }
    BatchOperationCreation {
        Create = 0 "CREATE" command,
        Created = 1 "CREATED" event,
    }
    BatchOperationExecution {
        Execute = 0 "EXECUTE" command,
        Executing = 1 "EXECUTING" event,
        Executed = 2 "EXECUTED" event,
    }
    BatchOperationChunk {
        Create = 0 "CREATE" command,
        Created = 1 "CREATED" event,
    }
    BatchOperationLifecycleManagement {
        Failed = 7 "FAILED" event,
        Cancel = 8 "CANCEL" command,
        Canceled = 9 "CANCELED" event,
        Suspend = 10 "SUSPEND" command,
        Suspended = 11 "SUSPENDED" event,
        Resume = 12 "RESUME" command,
        Resumed = 13 "RESUMED" event,
        Completed = 15 "COMPLETED" event,
    }
    BatchOperationPartitionLifecycle {
        Fail = 6 "FAIL" command,
        CompletePartition = 16 "COMPLETE_PARTITION" command,
        PartitionCompleted = 17 "PARTITION_COMPLETED" event,
        FailPartition = 18 "FAIL_PARTITION" command,
        PartitionFailed = 19 "PARTITION_FAILED" event,
    }
    BatchOperationInitialization {
        Initializing = 3 "INITIALIZING" event,
        Initialized = 5 "INITIALIZED" event,
    }
    HistoryDeletion {
        Delete = 0 "DELETE" command,
        Deleted = 1 "DELETED" event,
    }
    Expression {
        Evaluate = 0 "EVALUATE" command,
        Evaluated = 1 "EVALUATED" event,
    }
    GlobalListenerBatch {
        Configure = 0 "CONFIGURE" command,
        Configured = 1 "CONFIGURED" event,
    }
    GlobalListener {
        Create = 0 "CREATE" command,
        Created = 1 "CREATED" event,
        Update = 2 "UPDATE" command,
        Updated = 3 "UPDATED" event,
        Delete = 4 "DELETE" command,
        Deleted = 5 "DELETED" event,
    }
    AgentInstance {
        Create = 0 "CREATE" command,
        Created = 1 "CREATED" event,
        Update = 2 "UPDATE" command,
        Updated = 3 "UPDATED" event,
        Complete = 4 "COMPLETE" command,
        Completed = 5 "COMPLETED" event,
        Migrated = 6 "MIGRATED" event,
    }
    AgentHistory {
        Create = 0 "CREATE" command,
        Created = 1 "CREATED" event,
        Commit = 2 "COMMIT" command,
        Committed = 3 "COMMITTED" event,
        Discarded = 4 "DISCARDED" event,
        Discard = 5 "DISCARD" command,
    }
    AgentDefinition {
        Created = 0 "CREATED" event,
        Deleted = 1 "DELETED" event,
    }
    ProcessInstanceBusinessId {
        Assign = 0 "ASSIGN" command,
        Assigned = 1 "ASSIGNED" event,
    }
    Decision {
        Created = 0 "CREATED" event,
        Deleted = 1 "DELETED" event,
    }
    DecisionRequirements {
        Created = 0 "CREATED" event,
        Deleted = 1 "DELETED" event,
    }
    DecisionEvaluation {
        Evaluated = 0 "EVALUATED" event,
        Failed = 1 "FAILED" event,
        Evaluate = 2 "EVALUATE" command,
    }
    ClusterVariable {
        Create = 0 "CREATE" command,
        Created = 1 "CREATED" event,
        Update = 2 "UPDATE" command,
        Updated = 3 "UPDATED" event,
        Delete = 4 "DELETE" command,
        Deleted = 5 "DELETED" event,
    }
    User {
        Create = 0 "CREATE" command,
        Created = 1 "CREATED" event,
        Update = 2 "UPDATE" command,
        Updated = 3 "UPDATED" event,
        Delete = 4 "DELETE" command,
        Deleted = 5 "DELETED" event,
        CreateInitialAdmin = 6 "CREATE_INITIAL_ADMIN" command,
        InitialAdminCreated = 7 "INITIAL_ADMIN_CREATED" event,
    }
    Authorization {
        Create = 0 "CREATE" command,
        Created = 1 "CREATED" event,
        Delete = 2 "DELETE" command,
        Deleted = 3 "DELETED" event,
        Update = 4 "UPDATE" command,
        Updated = 5 "UPDATED" event,
    }
    Tenant {
        Create = 0 "CREATE" command,
        Created = 1 "CREATED" event,
        Update = 2 "UPDATE" command,
        Updated = 3 "UPDATED" event,
        Delete = 4 "DELETE" command,
        Deleted = 5 "DELETED" event,
        AddEntity = 6 "ADD_ENTITY" command,
        EntityAdded = 7 "ENTITY_ADDED" event,
        RemoveEntity = 8 "REMOVE_ENTITY" command,
        EntityRemoved = 9 "ENTITY_REMOVED" event,
    }
    Group {
        Create = 0 "CREATE" command,
        Created = 1 "CREATED" event,
        Update = 2 "UPDATE" command,
        Updated = 3 "UPDATED" event,
        Delete = 4 "DELETE" command,
        Deleted = 5 "DELETED" event,
        AddEntity = 6 "ADD_ENTITY" command,
        EntityAdded = 7 "ENTITY_ADDED" event,
        RemoveEntity = 8 "REMOVE_ENTITY" command,
        EntityRemoved = 9 "ENTITY_REMOVED" event,
    }
    MappingRule {
        Create = 0 "CREATE" command,
        Created = 1 "CREATED" event,
        Delete = 2 "DELETE" command,
        Deleted = 3 "DELETED" event,
        Update = 4 "UPDATE" command,
        Updated = 5 "UPDATED" event,
    }
    IdentitySetup {
        Initialize = 0 "INITIALIZE" command,
        Initialized = 1 "INITIALIZED" event,
    }
    Role {
        Create = 0 "CREATE" command,
        Created = 1 "CREATED" event,
        Update = 2 "UPDATE" command,
        Updated = 3 "UPDATED" event,
        Delete = 4 "DELETE" command,
        Deleted = 5 "DELETED" event,
        AddEntity = 6 "ADD_ENTITY" command,
        EntityAdded = 7 "ENTITY_ADDED" event,
        RemoveEntity = 8 "REMOVE_ENTITY" command,
        EntityRemoved = 9 "ENTITY_REMOVED" event,
    }
}

impl fmt::Debug for Intent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.value_type().name(), self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_intent_is_found_by_its_codes() {
        for &intent in Intent::ALL {
            assert_eq!(
                Intent::from_codes(intent.value_type(), intent.code()),
                Some(intent)
            );
        }
    }
}
