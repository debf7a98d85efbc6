//! Jobs: work that a client does for an element, and the batches in which clients take it.
//!
//! Owned by the element instance that created it. Zeebe: `JobRecord`, `JobBatchRecord`.

use std::sync::Arc;

use crate::ids::{Key, Timestamp};
use crate::record::field::Headers;
use crate::record::value::ActivateElement;
use crate::record::{Document, Text};
use crate::{field_enum, record_value};

field_enum! {
    /// What a job is for.
    pub enum JobKind {
        /// The work of a BPMN element.
        #[default] BpmnElement = 0 "BPMN_ELEMENT",
        /// A listener of an element's life cycle.
        ExecutionListener = 1 "EXECUTION_LISTENER",
        /// A listener of a user task's life cycle.
        TaskListener = 2 "TASK_LISTENER",
        /// The decision which activities of an ad-hoc sub-process to run.
        AdHocSubProcess = 3 "AD_HOC_SUB_PROCESS",
    }
}

field_enum! {
    /// The event a listener job listens to.
    pub enum ListenerEventType {
        /// No listener.
        #[default] Unspecified = 0 "UNSPECIFIED",
        /// Element start.
        Start = 1 "START",
        /// Element end.
        End = 2 "END",
        /// User task is created.
        Creating = 3 "CREATING",
        /// User task is assigned.
        Assigning = 4 "ASSIGNING",
        /// User task is updated.
        Updating = 5 "UPDATING",
        /// User task is completed.
        Completing = 6 "COMPLETING",
        /// User task is canceled.
        Canceling = 7 "CANCELING",
    }
}

record_value! {
    /// What a worker says about the outcome beyond variables.
    pub struct JobResult {
        /// `userTask` or `adHocSubProcess`.
        kind "type": Text,
        /// A task listener refuses the transition.
        denied "denied": bool,
        /// Why.
        denied_reason "deniedReason": Text,
        /// Names of the corrected attributes.
        corrected_attributes "correctedAttributes": Vec<Text>,
        /// Corrected attributes, a document.
        corrections "corrections": Document,
        /// Activities of an ad-hoc sub-process to run.
        activate_elements "activateElements": Vec<ActivateElement>,
        /// An ad-hoc sub-process is done.
        completion_condition_fulfilled "isCompletionConditionFulfilled": bool,
        /// What still runs in an ad-hoc sub-process is terminated.
        cancel_remaining_instances "isCancelRemainingInstances": bool,
    }
}

record_value! {
    /// A job.
    pub struct JobRecord {
        /// Type that workers subscribe to.
        job_type "type": Text,
        /// Worker that holds it.
        worker "worker": Text,
        /// When the hold ends, epoch milliseconds; -1 while nobody holds it.
        deadline "deadline": Timestamp,
        /// Requested hold in milliseconds (activation, timeout update).
        timeout "timeout": i64 = -1,
        /// Attempts left.
        retries "retries": i32 = -1,
        /// Milliseconds before a failed job may be taken again.
        retry_backoff "retryBackoff": i64,
        /// When the back-off ends, epoch milliseconds.
        recurring_time "recurringTime": Timestamp,
        /// Static headers of the model.
        custom_headers "customHeaders": Headers,
        /// Result variables (complete, fail, throw), or visible variables (activated).
        variables "variables": Document,
        /// What went wrong.
        error_message "errorMessage": Text,
        /// Code of a thrown business error.
        error_code "errorCode": Text,
        /// BPMN process id.
        bpmn_process_id "bpmnProcessId": Text,
        /// Version of the definition.
        process_definition_version "processDefinitionVersion": i32 = -1,
        /// Key of the definition.
        process_definition_key "processDefinitionKey": Key,
        /// Instance the job belongs to.
        process_instance_key "processInstanceKey": Key,
        /// Root of that instance's call hierarchy.
        root_process_instance_key "rootProcessInstanceKey": Key,
        /// Element in the model.
        element_id "elementId": Text,
        /// Element instance that waits for the job.
        element_instance_key "elementInstanceKey": Key,
        /// What the job is for.
        kind "jobKind": JobKind,
        /// Event of a listener job.
        listener_event_type "jobListenerEventType": ListenerEventType,
        /// Tenant.
        tenant_id "tenantId": Text = crate::record::value::default_tenant(),
        /// Fields an UPDATE changes.
        changed_attributes "changedAttributes": Vec<Text>,
        /// Tags of the process instance.
        tags "tags": Vec<Text>,
        /// What a worker says beyond variables; at most one.
        result "result": Vec<JobResult>,
        /// Jobs of a type with a higher one are handed out first.
        priority "priority": i32,
    }
}

field_enum! {
    /// Which tenants' jobs a worker wants.
    pub enum TenantFilter {
        /// Those it names.
        #[default] Provided = 0 "PROVIDED",
        /// Those it is a member of.
        Assigned = 1 "ASSIGNED",
    }
}

record_value! {
    /// A request for jobs, and the jobs it got.
    pub struct JobBatchRecord {
        /// Type asked for.
        job_type "type": Text,
        /// Name of the worker.
        worker "worker": Text,
        /// Hold in milliseconds.
        timeout "timeout": i64 = -1,
        /// Most jobs to hand out.
        max_jobs "maxJobsToActivate": i32 = -1,
        /// Keys of the jobs handed out, in order.
        job_keys "jobKeys": Vec<Key>,
        /// The jobs, in the order of the keys.
        jobs "jobs": Vec<Arc<JobRecord>>,
        /// Names of the variables to hand out; empty = all visible.
        variables "variables": Vec<Text>,
        /// More jobs would not have fitted the batch.
        truncated "truncated": bool,
        /// Tenants whose jobs may be handed out.
        tenant_ids "tenantIds": Vec<Text>,
        /// Which tenants' jobs are wanted.
        tenant_filter "tenantFilter": TenantFilter,
    }
}
