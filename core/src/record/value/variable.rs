//! Variables and the documents that set several of them.
//!
//! Zeebe: `VariableRecord`, `VariableDocumentRecord`.

use std::sync::LazyLock;

use crate::ids::Key;
use crate::record::{Document, RawValue, Text};
use crate::{field_enum, record_value};

/// The tenant of everything while multi-tenancy is off.
#[must_use]
pub fn default_tenant() -> Text {
    static DEFAULT: LazyLock<Text> = LazyLock::new(|| Text::from("<default>"));
    DEFAULT.clone()
}

field_enum! {
    /// Where a document's entries go.
    pub enum UpdateSemantics {
        /// To the nearest scope that has the name, else to the root.
        #[default] Propagate = 0 "PROPAGATE",
        /// To the scope itself.
        Local = 1 "LOCAL",
    }
}

record_value! {
    /// One variable of one scope. The record key is the variable key.
    pub struct VariableRecord {
        /// Name.
        name "name": Text,
        /// Value.
        value "value": RawValue,
        /// Element instance that owns it.
        scope_key "scopeKey": Key,
        /// Instance.
        process_instance_key "processInstanceKey": Key,
        /// Root of the call hierarchy.
        root_process_instance_key "rootProcessInstanceKey": Key,
        /// Definition.
        process_definition_key "processDefinitionKey": Key,
        /// BPMN process id.
        bpmn_process_id "bpmnProcessId": Text,
        /// Tenant.
        tenant_id "tenantId": Text = default_tenant(),
    }
}

record_value! {
    /// A request to set variables.
    pub struct VariableDocumentRecord {
        /// Element instance from which to set them.
        scope_key "scopeKey": Key,
        /// Where they go.
        update_semantics "updateSemantics": UpdateSemantics,
        /// Names and values.
        variables "variables": Document,
        /// Tenant.
        tenant_id "tenantId": Text = default_tenant(),
    }
}
