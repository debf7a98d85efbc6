//! History that goes before its time.
//!
//! Zeebe: `HistoryDeletionRecord`. The engine keeps no history: the event tells the secondary
//! storage to delete.

use crate::ids::Key;
use crate::record::Text;
use crate::record::value::default_tenant;
use crate::{field_enum, record_value};

field_enum! {
    /// Whose history.
    pub enum HistoryDeletionType {
        /// A finished process instance.
        #[default] ProcessInstance = 0 "PROCESS_INSTANCE",
        /// A deleted process definition.
        ProcessDefinition = 1 "PROCESS_DEFINITION",
        /// A decision instance.
        DecisionInstance = 2 "DECISION_INSTANCE",
        /// Deleted decision requirements.
        DecisionRequirements = 3 "DECISION_REQUIREMENTS",
    }
}

record_value! {
    /// A deletion of history. The record key is the key of the resource.
    pub struct HistoryDeletionRecord {
        /// Key of the instance or definition.
        resource_key "resourceKey": Key,
        /// What it is.
        resource_type "resourceType": HistoryDeletionType,
        /// BPMN process id.
        process_id "processId": Text,
        /// Decision id.
        decision_definition_id "decisionDefinitionId": Text,
        /// Tenant.
        tenant_id "tenantId": Text = default_tenant(),
    }
}
