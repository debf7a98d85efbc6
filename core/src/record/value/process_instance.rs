//! Process instances: their creation, their elements' life cycle, their results.
//!
//! Zeebe: `ProcessInstanceRecord`, `ProcessInstanceCreationRecord`, `ProcessInstanceResultRecord`,
//! `ProcessInstanceBatchRecord`, `ProcessEventRecord`.

use crate::ids::Key;
use crate::record::value::default_tenant;
use crate::record::{Document, Text};
use crate::{field_enum, record_value};

field_enum! {
    /// Kind of BPMN element, as records and the API name it.
    pub enum BpmnElementType {
        /// Not an element.
        #[default] Unspecified = 0 "UNSPECIFIED",
        /// A process.
        Process = 1 "PROCESS",
        /// Embedded sub-process.
        SubProcess = 2 "SUB_PROCESS",
        /// Event sub-process.
        EventSubProcess = 3 "EVENT_SUB_PROCESS",
        /// Ad-hoc sub-process.
        AdHocSubProcess = 4 "AD_HOC_SUB_PROCESS",
        /// One activation inside an ad-hoc sub-process.
        AdHocSubProcessInnerInstance = 5 "AD_HOC_SUB_PROCESS_INNER_INSTANCE",
        /// Start event.
        StartEvent = 6 "START_EVENT",
        /// Intermediate catch event.
        IntermediateCatchEvent = 7 "INTERMEDIATE_CATCH_EVENT",
        /// Intermediate throw event.
        IntermediateThrowEvent = 8 "INTERMEDIATE_THROW_EVENT",
        /// Boundary event.
        BoundaryEvent = 9 "BOUNDARY_EVENT",
        /// End event.
        EndEvent = 10 "END_EVENT",
        /// Service task.
        ServiceTask = 11 "SERVICE_TASK",
        /// Receive task.
        ReceiveTask = 12 "RECEIVE_TASK",
        /// User task.
        UserTask = 13 "USER_TASK",
        /// Manual task.
        ManualTask = 14 "MANUAL_TASK",
        /// Undefined task.
        Task = 15 "TASK",
        /// Exclusive gateway.
        ExclusiveGateway = 16 "EXCLUSIVE_GATEWAY",
        /// Parallel gateway.
        ParallelGateway = 17 "PARALLEL_GATEWAY",
        /// Event-based gateway.
        EventBasedGateway = 18 "EVENT_BASED_GATEWAY",
        /// Inclusive gateway.
        InclusiveGateway = 19 "INCLUSIVE_GATEWAY",
        /// Sequence flow.
        SequenceFlow = 20 "SEQUENCE_FLOW",
        /// Body of a multi-instance activity.
        MultiInstanceBody = 21 "MULTI_INSTANCE_BODY",
        /// Call activity.
        CallActivity = 22 "CALL_ACTIVITY",
        /// Business rule task.
        BusinessRuleTask = 23 "BUSINESS_RULE_TASK",
        /// Script task.
        ScriptTask = 24 "SCRIPT_TASK",
        /// Send task.
        SendTask = 25 "SEND_TASK",
    }
}

field_enum! {
    /// What an event waits for or throws.
    pub enum BpmnEventType {
        /// Not an event.
        #[default] Unspecified = 0 "UNSPECIFIED",
        /// Nothing.
        None = 1 "NONE",
        /// Message.
        Message = 2 "MESSAGE",
        /// Timer.
        Timer = 3 "TIMER",
        /// Signal.
        Signal = 4 "SIGNAL",
        /// Error.
        Error = 5 "ERROR",
        /// Escalation.
        Escalation = 6 "ESCALATION",
        /// Link.
        Link = 7 "LINK",
        /// Terminate.
        Terminate = 8 "TERMINATE",
        /// Compensation.
        Compensation = 9 "COMPENSATION",
        /// Conditional.
        Conditional = 10 "CONDITIONAL",
    }
}

record_value! {
    /// One element instance (or one taken sequence flow).
    pub struct ProcessInstanceRecord {
        /// BPMN process id.
        bpmn_process_id "bpmnProcessId": Text,
        /// Version of the definition.
        version "version": i32 = -1,
        /// Key of the definition.
        process_definition_key "processDefinitionKey": Key,
        /// The process instance; equals the record key for the process itself.
        process_instance_key "processInstanceKey": Key,
        /// Root of the call hierarchy.
        root_process_instance_key "rootProcessInstanceKey": Key,
        /// Element in the model.
        element_id "elementId": Text,
        /// Enclosing element instance.
        flow_scope_key "flowScopeKey": Key,
        /// Kind of element.
        bpmn_element_type "bpmnElementType": BpmnElementType,
        /// Kind of event.
        bpmn_event_type "bpmnEventType": BpmnEventType,
        /// Instance whose call activity created this one.
        parent_process_instance_key "parentProcessInstanceKey": Key,
        /// That call activity's instance.
        parent_element_instance_key "parentElementInstanceKey": Key,
        /// Tenant.
        tenant_id "tenantId": Text = default_tenant(),
        /// Per call level, instance keys from the process down to this element (activating only).
        element_instance_path "elementInstancePath": Vec<Vec<Key>>,
        /// Per call level, definition keys (activating only).
        process_definition_path "processDefinitionPath": Vec<Key>,
        /// Per call level, index of the call activity in its process (activating only).
        calling_element_path "callingElementPath": Vec<Key>,
        /// Tags of the instance.
        tags "tags": Vec<Text>,
        /// Business id of the instance.
        business_id "businessId": Text,
    }
}

record_value! {
    /// Element to start at instead of the start event.
    pub struct StartInstruction {
        /// Element in the model.
        element_id "elementId": Text,
    }
}

field_enum! {
    /// What happens to an instance at run time by instruction of its creator.
    pub enum RuntimeInstructionType {
        /// It is terminated.
        #[default] TerminateProcessInstance = 0 "TERMINATE_PROCESS_INSTANCE",
    }
}

record_value! {
    /// What shall happen to an instance.
    pub struct RuntimeInstruction {
        /// What.
        kind "type": RuntimeInstructionType,
        /// Behind which element.
        after_element_id "afterElementId": Text,
    }
}

record_value! {
    /// An instruction was followed.
    pub struct RuntimeInstructionRecord {
        /// The instance.
        process_instance_key "processInstanceKey": Key,
        /// Its definition.
        process_definition_key "processDefinitionKey": Key,
        /// Element that was to be the last.
        element_id "elementId": Text,
        /// Tenant.
        tenant_id "tenantId": Text = default_tenant(),
    }
}

record_value! {
    /// A request to create an instance.
    pub struct ProcessInstanceCreationRecord {
        /// BPMN process id; empty if the key selects.
        bpmn_process_id "bpmnProcessId": Text,
        /// Definition key; -1 if the id selects.
        process_definition_key "processDefinitionKey": Key,
        /// Version; negative = latest.
        version "version": i32 = -1,
        /// Variables of the instance.
        variables "variables": Document,
        /// The created instance.
        process_instance_key "processInstanceKey": Key,
        /// Variables to hand back with the result; empty = all.
        fetch_variables "fetchVariables": Vec<Text>,
        /// Where to start; empty = at the none start event.
        start_instructions "startInstructions": Vec<StartInstruction>,
        /// Tenant.
        tenant_id "tenantId": Text = default_tenant(),
        /// Tags.
        tags "tags": Vec<Text>,
        /// Business id.
        business_id "businessId": Text,
        /// What shall happen to it at run time.
        runtime_instructions "runtimeInstructions": Vec<RuntimeInstruction>,
    }
}

record_value! {
    /// What a client that waited for the end gets.
    pub struct ProcessInstanceResultRecord {
        /// BPMN process id.
        bpmn_process_id "bpmnProcessId": Text,
        /// Definition key.
        process_definition_key "processDefinitionKey": Key,
        /// Version.
        version "version": i32 = -1,
        /// The completed instance.
        process_instance_key "processInstanceKey": Key,
        /// Root-scope variables, all or the fetched ones.
        variables "variables": Document,
        /// Tenant.
        tenant_id "tenantId": Text = default_tenant(),
        /// Tags.
        tags "tags": Vec<Text>,
        /// Business id.
        business_id "businessId": Text,
    }
}

record_value! {
    /// Continues the termination or activation of many children in pieces.
    pub struct ProcessInstanceBatchRecord {
        /// The instance.
        process_instance_key "processInstanceKey": Key,
        /// The scope whose children are handled.
        batch_element_instance_key "batchElementInstanceKey": Key,
        /// Where to go on; -1 = from the beginning.
        index "index": i64 = -1,
        /// Definition of the instance.
        process_definition_key "processDefinitionKey": Key,
    }
}

record_value! {
    /// An event was triggered in a scope; its variables wait for the element that takes them.
    pub struct ProcessEventRecord {
        /// Element instance (or definition, for start events) in which it was triggered.
        scope_key "scopeKey": Key,
        /// Element that takes it.
        target_element_id "targetElementId": Text,
        /// Payload.
        variables "variables": Document,
        /// Definition.
        process_definition_key "processDefinitionKey": Key,
        /// Instance.
        process_instance_key "processInstanceKey": Key,
        /// Tenant.
        tenant_id "tenantId": Text = default_tenant(),
    }
}

record_value! {
    /// A business id that an instance gets while it runs.
    pub struct ProcessInstanceBusinessIdRecord {
        /// The instance.
        process_instance_key "processInstanceKey": Key,
        /// Its business id from now on.
        business_id "businessId": Text,
        /// Tenant.
        tenant_id "tenantId": Text = default_tenant(),
        /// Key of its definition.
        process_definition_key "processDefinitionKey": Key,
        /// BPMN process id.
        bpmn_process_id "bpmnProcessId": Text,
        /// Root of its call hierarchy.
        root_process_instance_key "rootProcessInstanceKey": Key,
    }
}
