//! Deployments, the definitions they create, and their deletion.
//!
//! Zeebe: `DeploymentRecord`, `ProcessRecord`, `ResourceDeletionRecord`.

use std::sync::Arc;

use crate::ids::Key;
use crate::record::value::{
    AgentDefinitionRecord, DecisionMetadata, DecisionRequirementsMetadata, FormMetadata,
    ResourceMetadata, default_tenant,
};
use crate::record::{Blob, Text};
use crate::record_value;

record_value! {
    /// A file of a deployment.
    pub struct DeploymentResource {
        /// Its content; empty in the stored event.
        resource "resource": Blob,
        /// Its name; the suffix decides the kind.
        resource_name "resourceName": Text,
    }
}

record_value! {
    /// A process definition as a deployment reports it.
    pub struct ProcessMetadata {
        /// BPMN process id.
        bpmn_process_id "bpmnProcessId": Text,
        /// Version, from 1 per id and tenant.
        version "version": i32,
        /// Key.
        process_definition_key "processDefinitionKey": Key,
        /// File it came from.
        resource_name "resourceName": Text,
        /// MD5 of the file.
        checksum "checksum": Blob,
        /// The latest version already was this file.
        is_duplicate "duplicate": bool,
        /// Tenant.
        tenant_id "tenantId": Text = default_tenant(),
        /// Deployment that created it.
        deployment_key "deploymentKey": Key,
        /// Version tag of the model.
        version_tag "versionTag": Text,
    }
}

record_value! {
    /// Files to deploy, and what they became.
    pub struct DeploymentRecord {
        /// The files.
        resources "resources": Vec<DeploymentResource>,
        /// The process definitions.
        processes_metadata "processesMetadata": Vec<ProcessMetadata>,
        /// Tenant.
        tenant_id "tenantId": Text = default_tenant(),
        /// The deployment.
        deployment_key "deploymentKey": Key,
        /// The forms.
        form_metadata "formMetadata": Vec<FormMetadata>,
        /// The files of other kinds.
        resource_metadata "resourceMetadata": Vec<ResourceMetadata>,
        /// The decisions.
        decisions_metadata "decisionsMetadata": Vec<DecisionMetadata>,
        /// The decision requirements graphs, one per DMN file.
        decision_requirements_metadata
            "decisionRequirementsMetadata": Vec<DecisionRequirementsMetadata>,
        /// The agent definitions of new process definitions.
        agent_definitions_metadata "agentDefinitionsMetadata": Vec<Arc<AgentDefinitionRecord>>,
    }
}

record_value! {
    /// A process definition.
    pub struct ProcessRecord {
        /// BPMN process id.
        bpmn_process_id "bpmnProcessId": Text,
        /// Version.
        version "version": i32,
        /// Key.
        process_definition_key "processDefinitionKey": Key,
        /// File it came from.
        resource_name "resourceName": Text,
        /// MD5 of the file.
        checksum "checksum": Blob,
        /// The file.
        resource "resource": Blob,
        /// Tenant.
        tenant_id "tenantId": Text = default_tenant(),
        /// Deployment that created it.
        deployment_key "deploymentKey": Key,
        /// Version tag of the model.
        version_tag "versionTag": Text,
    }
}

record_value! {
    /// A request to delete a definition.
    pub struct ResourceDeletionRecord {
        /// Key of the definition.
        resource_key "resourceKey": Key,
        /// Tenant.
        tenant_id "tenantId": Text = default_tenant(),
        /// Delete the history too.
        delete_history "deleteHistory": bool,
        /// What the key turned out to be, e.g. PROCESS.
        resource_type "resourceType": Text,
        /// Id of the definition.
        resource_id "resourceId": Text,
        /// Batch operation that deletes the history; -1 = none.
        batch_operation_key "batchOperationKey": Key,
    }
}
