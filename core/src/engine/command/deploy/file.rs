//! Forms and other files of a deployment.
//!
//! A form and an RPA script say their id themselves; any other file is known by its name.

use crate::engine::fault::Outcome;
use crate::engine::output::Processing;
use crate::ids::Key;
use crate::json;
use crate::model::length::{ID_MAX, is_longer};
use crate::msgpack::{self, Reader, Token};
use crate::record::intent::of;
use crate::record::value::{DeploymentResource, FormRecord, ResourceMetadata, ResourceRecord};
use crate::record::{Blob, Text};
use crate::state::file::FileKind;

/// A file of the deployment.
pub(super) struct DeployedFile {
    pub(super) kind: FileKind,
    pub(super) metadata: ResourceMetadata,
    pub(super) resource: Blob,
}

/// What a file says about itself.
struct Named {
    id: Text,
    version_tag: Text,
}

/// Reads a file that is neither BPMN nor DMN.
pub(super) fn parse(
    resource: &DeploymentResource,
    tenant_id: &Text,
    checksum: Blob,
) -> Result<DeployedFile, String> {
    let name = &resource.resource_name;
    let (kind, named) = if name.ends_with(".form") {
        (FileKind::Form, read(resource, "form")?)
    } else if name.ends_with(".rpa") {
        (FileKind::Resource, read(resource, "resource")?)
    } else {
        let named = Named {
            id: name.clone(),
            version_tag: Text::EMPTY,
        };
        (FileKind::Resource, named)
    };
    Ok(DeployedFile {
        kind,
        metadata: ResourceMetadata {
            id: named.id,
            version_tag: named.version_tag,
            resource_name: name.clone(),
            checksum,
            tenant_id: tenant_id.clone(),
            ..ResourceMetadata::default()
        },
        resource: resource.resource.clone(),
    })
}

/// The members `id` and `versionTag` of a JSON object; `what` names the kind in refusals.
fn read(resource: &DeploymentResource, what: &str) -> Result<Named, String> {
    let name = &resource.resource_name;
    let refused =
        |why: &dyn std::fmt::Display| format!("Failed to parse {what} JSON. '{name}': {why}");
    let text =
        std::str::from_utf8(resource.resource.as_bytes()).map_err(|error| refused(&error))?;
    let document = json::to_msgpack(text).map_err(|error| refused(&error))?;
    let member = |member: &str| -> Result<Option<Text>, String> {
        let value = msgpack::get(&document, member).map_err(|error| refused(&error))?;
        let Some(value) = value else { return Ok(None) };
        match Reader::new(value).next().map_err(|error| refused(&error))? {
            Token::Str(text) => Ok(Some(Text::from(text))),
            Token::Nil => Ok(None),
            Token::Int(number) => Ok(Some(Text::from(number.to_string()))),
            Token::Uint(number) => Ok(Some(Text::from(number.to_string()))),
            Token::Float(number) => Ok(Some(Text::from(number.to_string()))),
            Token::Bool(flag) => Ok(Some(Text::from(flag.to_string()))),
            Token::Bin(_) | Token::Array(_) | Token::Map(_) | Token::Ext(..) => {
                Err(refused(&format!("the member '{member}' is no text")))
            }
        }
    };
    let Some(id) = member("id")? else {
        return Err(format!(
            "Expected the {what} id to be present, but none given"
        ));
    };
    if id.trim().is_empty() {
        return Err(format!(
            "Expected the {what} id to be filled, but it is blank"
        ));
    }
    if what == "form" && is_longer(&id, ID_MAX) {
        return Err(format!(
            "The ID of a form must not be longer than the configured max-id-length of {ID_MAX} characters, but was '{id}' in resource '{name}'"
        ));
    }
    Ok(Named {
        id,
        version_tag: member("versionTag")?.unwrap_or_default(),
    })
}

/// The refusal of two files with one id.
pub(super) fn twice(known: &DeployedFile, new: &DeployedFile) -> Option<String> {
    if known.kind != new.kind || known.metadata.id != new.metadata.id {
        return None;
    }
    let what = match new.kind {
        FileKind::Form => "form",
        FileKind::Resource => "resource",
    };
    Some(format!(
        "Expected the {what} ids to be unique within a deployment but found a duplicated id '{}' in the resources '{}' and '{}'.",
        new.metadata.id, known.metadata.resource_name, new.metadata.resource_name
    ))
}

/// Whether the newest version already is this file.
pub(super) fn is_known(p: &Processing<'_>, one: &DeployedFile) -> Outcome<Option<(i32, Key, Key)>> {
    let metadata = &one.metadata;
    let latest = p
        .state()
        .latest_file(one.kind, &metadata.tenant_id, &metadata.id)?;
    Ok(latest
        .filter(|row| {
            row.record.checksum == metadata.checksum
                && row.record.resource_name == metadata.resource_name
        })
        .map(|row| {
            (
                row.record.version,
                row.record.key,
                row.record.deployment_key,
            )
        }))
}

/// Gives a file the version, key and deployment of `known`, or new ones.
pub(super) fn number(
    p: &mut Processing<'_>,
    one: &mut DeployedFile,
    known: Option<(i32, Key, Key)>,
    deployment_key: Key,
) -> Outcome {
    let metadata = &mut one.metadata;
    if let Some((version, key, deployment_key)) = known {
        metadata.is_duplicate = true;
        metadata.version = version;
        metadata.key = key;
        metadata.deployment_key = deployment_key;
        return Ok(());
    }
    let (tenant, id) = (&metadata.tenant_id, &metadata.id);
    metadata.version = p.state().highest_file_version(one.kind, tenant, id)? + 1;
    metadata.key = p.next_key();
    metadata.deployment_key = deployment_key;
    Ok(())
}

/// Writes a new file.
pub(super) fn create(p: &mut Processing<'_>, one: &DeployedFile) -> Outcome {
    let metadata = &one.metadata;
    if metadata.is_duplicate || p.state().file(one.kind, metadata.key)?.is_some() {
        return Ok(());
    }
    let record = ResourceRecord {
        id: metadata.id.clone(),
        version: metadata.version,
        key: metadata.key,
        resource_name: metadata.resource_name.clone(),
        checksum: metadata.checksum.clone(),
        resource: one.resource.clone(),
        tenant_id: metadata.tenant_id.clone(),
        deployment_key: metadata.deployment_key,
        version_tag: metadata.version_tag.clone(),
    };
    match one.kind {
        FileKind::Form => p.event(metadata.key, of::Form::Created, FormRecord::from(record)),
        FileKind::Resource => p.event(metadata.key, of::Resource::Created, record),
    }
}
