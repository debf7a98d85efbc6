//! Variables of the cluster, or of a tenant in it, that every process can read.
//!
//! Zeebe: `ClusterVariableRecord`. An empty tenant means the whole cluster.

use crate::record::{Document, RawValue, Text};
use crate::{field_enum, record_value};

field_enum! {
    /// Who sees a cluster variable.
    pub enum ClusterVariableScope {
        /// Nobody said.
        #[default] Unspecified = 0 "UNSPECIFIED",
        /// Every process.
        Global = 1 "GLOBAL",
        /// Processes of one tenant.
        Tenant = 2 "TENANT",
    }
}

record_value! {
    /// A cluster variable. The record key is that of its last change.
    pub struct ClusterVariableRecord {
        /// Name.
        name "name": Text,
        /// Value.
        value "value": RawValue,
        /// Tenant; empty in the global scope.
        tenant_id "tenantId": Text,
        /// Who sees it.
        scope "scope": ClusterVariableScope,
        /// What is said about it: texts and numbers.
        metadata "metadata": Document,
    }
}
