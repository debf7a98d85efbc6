//! Deployed files that are no BPMN and no DMN: forms, and resources of any other kind.
//!
//! Both have the same fields under names of their own. Zeebe: `FormMetadataRecord`, `FormRecord`,
//! `ResourceMetadataRecord`, `ResourceRecord`.

use crate::ids::Key;
use crate::record::value::default_tenant;
use crate::record::{Blob, Text};
use crate::record_value;

macro_rules! files {
    ($(#[$doc:meta])* $metadata:ident $record:ident $id:literal $key:literal) => {
        record_value! {
            $(#[$doc])*
            /// As a deployment reports it.
            pub struct $metadata {
                /// Id, from its content or its name.
                id $id: Text,
                /// Version, from 1 per id and tenant.
                version "version": i32,
                /// Key.
                key $key: Key,
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
                /// Version tag in the file.
                version_tag "versionTag": Text,
            }
        }

        record_value! {
            $(#[$doc])*
            pub struct $record {
                /// Id, from its content or its name.
                id $id: Text,
                /// Version.
                version "version": i32,
                /// Key.
                key $key: Key,
                /// File it came from.
                resource_name "resourceName": Text,
                /// MD5 of the file.
                checksum "checksum": Blob,
                /// The file; empty where it is only spoken of.
                resource "resource": Blob,
                /// Tenant.
                tenant_id "tenantId": Text = default_tenant(),
                /// Deployment that created it.
                deployment_key "deploymentKey": Key,
                /// Version tag in the file.
                version_tag "versionTag": Text,
            }
        }
    };
}

files! {
    /// A form.
    FormMetadata FormRecord "formId" "formKey"
}

files! {
    /// A resource.
    ResourceMetadata ResourceRecord "resourceId" "resourceKey"
}

impl From<ResourceMetadata> for FormMetadata {
    fn from(of: ResourceMetadata) -> Self {
        Self {
            id: of.id,
            version: of.version,
            key: of.key,
            resource_name: of.resource_name,
            checksum: of.checksum,
            is_duplicate: of.is_duplicate,
            tenant_id: of.tenant_id,
            deployment_key: of.deployment_key,
            version_tag: of.version_tag,
        }
    }
}

impl From<FormMetadata> for ResourceMetadata {
    fn from(of: FormMetadata) -> Self {
        Self {
            id: of.id,
            version: of.version,
            key: of.key,
            resource_name: of.resource_name,
            checksum: of.checksum,
            is_duplicate: of.is_duplicate,
            tenant_id: of.tenant_id,
            deployment_key: of.deployment_key,
            version_tag: of.version_tag,
        }
    }
}

impl From<ResourceRecord> for FormRecord {
    fn from(of: ResourceRecord) -> Self {
        Self {
            id: of.id,
            version: of.version,
            key: of.key,
            resource_name: of.resource_name,
            checksum: of.checksum,
            resource: of.resource,
            tenant_id: of.tenant_id,
            deployment_key: of.deployment_key,
            version_tag: of.version_tag,
        }
    }
}

impl From<FormRecord> for ResourceRecord {
    fn from(of: FormRecord) -> Self {
        Self {
            id: of.id,
            version: of.version,
            key: of.key,
            resource_name: of.resource_name,
            checksum: of.checksum,
            resource: of.resource,
            tenant_id: of.tenant_id,
            deployment_key: of.deployment_key,
            version_tag: of.version_tag,
        }
    }
}
