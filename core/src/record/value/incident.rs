//! Incidents: an instance waits for an operator.
//!
//! Zeebe: `IncidentRecord`, `ErrorType`.

use crate::ids::Key;
use crate::record::Text;
use crate::record::value::default_tenant;
use crate::{field_enum, record_value};

field_enum! {
    /// Why an instance waits.
    pub enum ErrorType {
        /// Not known.
        #[default] Unknown = 0 "UNKNOWN",
        /// A variable mapping failed.
        IoMappingError = 1 "IO_MAPPING_ERROR",
        /// A job has no attempts left.
        JobNoRetries = 2 "JOB_NO_RETRIES",
        /// A condition could not be decided.
        ConditionError = 3 "CONDITION_ERROR",
        /// An expression gave no usable value.
        ExtractValueError = 4 "EXTRACT_VALUE_ERROR",
        /// A process could not be called.
        CalledElementError = 5 "CALLED_ELEMENT_ERROR",
        /// A thrown error found no catch event.
        UnhandledErrorEvent = 6 "UNHANDLED_ERROR_EVENT",
        /// Records did not fit a batch.
        MessageSizeExceeded = 7 "MESSAGE_SIZE_EXCEEDED",
        /// A decision could not be called.
        CalledDecisionError = 8 "CALLED_DECISION_ERROR",
        /// A decision could not be evaluated.
        DecisionEvaluationError = 9 "DECISION_EVALUATION_ERROR",
        /// A form was not found.
        FormNotFound = 10 "FORM_NOT_FOUND",
        /// An execution listener job has no attempts left.
        ExecutionListenerNoRetries = 11 "EXECUTION_LISTENER_NO_RETRIES",
        /// A task listener job has no attempts left.
        TaskListenerNoRetries = 12 "TASK_LISTENER_NO_RETRIES",
        /// A linked resource was not found.
        ResourceNotFound = 13 "RESOURCE_NOT_FOUND",
        /// An ad-hoc sub-process job has no attempts left.
        AdHocSubProcessNoRetries = 14 "AD_HOC_SUB_PROCESS_NO_RETRIES",
    }
}

record_value! {
    /// An incident.
    pub struct IncidentRecord {
        /// Kind.
        error_type "errorType": ErrorType,
        /// What went wrong, for the operator.
        error_message "errorMessage": Text,
        /// BPMN process id.
        bpmn_process_id "bpmnProcessId": Text,
        /// Definition.
        process_definition_key "processDefinitionKey": Key,
        /// Instance.
        process_instance_key "processInstanceKey": Key,
        /// Root of the call hierarchy.
        root_process_instance_key "rootProcessInstanceKey": Key,
        /// Element in the model.
        element_id "elementId": Text,
        /// Element instance that waits.
        element_instance_key "elementInstanceKey": Key,
        /// Job that caused it; -1 = none.
        job_key "jobKey": Key,
        /// Scope in which the operator should mend variables.
        variable_scope_key "variableScopeKey": Key,
        /// Tenant.
        tenant_id "tenantId": Text = default_tenant(),
        /// Per call level, instance keys from the process down to the element.
        element_instance_path "elementInstancePath": Vec<Vec<Key>>,
        /// Per call level, definition keys.
        process_definition_path "processDefinitionPath": Vec<Key>,
        /// Per call level, index of the call activity in its process.
        calling_element_path "callingElementPath": Vec<Key>,
    }
}
