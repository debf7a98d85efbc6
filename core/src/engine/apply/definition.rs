//! PROCESS events: definitions come, and go once nothing runs on them.
//!
//! A definition is found by key, by id and version, by deployment and by version tag; all these rows
//! change here together, so that none can point to a definition that is gone.

use std::sync::Arc;

use crate::engine::apply::Applied;
use crate::engine::output::Applying;
use crate::ids::Key;
use crate::record::value::ProcessRecord;
use crate::state::definition::LivingVersion;
use crate::state::{DefinitionRow, KeyRow, VersionsRow};

type Value = Arc<ProcessRecord>;

pub(super) fn created(a: &mut Applying<'_>, key: Key, value: &Value) -> Applied {
    let (tenant, id) = (value.tenant_id.clone(), value.bpmn_process_id.clone());
    let row = DefinitionRow {
        record: value.clone(),
        deleting: false,
    };
    a.state.definitions.put(key, row)?;
    let by_version = (tenant.clone(), id.clone(), value.version);
    a.state
        .definition_by_version
        .put(by_version, KeyRow { key })?;
    let by_deployment = (tenant.clone(), id.clone(), value.deployment_key);
    a.state
        .definition_by_deployment
        .put(by_deployment, KeyRow { key })?;
    if !value.version_tag.is_empty() {
        let by_tag = (tenant.clone(), id.clone(), value.version_tag.clone());
        a.state.definition_by_tag.put(by_tag, KeyRow { key })?;
    }
    let known = a.state.versions.get(&(tenant.clone(), id.clone()))?;
    let mut versions = known.map_or_else(VersionsRow::default, |row| VersionsRow::clone(&row));
    versions.highest = versions.highest.max(value.version);
    versions.living.push(LivingVersion {
        version: value.version,
        key,
    });
    versions.living.sort_by_key(|living| living.version);
    a.state.versions.put((tenant, id), versions)?;
    Ok(())
}

pub(super) fn deleting(a: &mut Applying<'_>, key: Key, value: &Value) -> Applied {
    a.state
        .definitions
        .update(&key, |row| row.deleting = true)?;
    a.state.deletions_waiting.insert(key);
    let versions = (value.tenant_id.clone(), value.bpmn_process_id.clone());
    a.state.versions.update(&versions, |row| {
        row.living.retain(|living| living.key != key);
    })?;
    Ok(())
}

pub(super) fn deleted(a: &mut Applying<'_>, key: Key, value: &Value) -> Applied {
    let (tenant, id) = (value.tenant_id.clone(), value.bpmn_process_id.clone());
    a.definitions.forget(key);
    a.state.deletions_waiting.remove(&key);
    a.state.definitions.remove(&key)?;
    a.state
        .definition_by_version
        .remove(&(tenant.clone(), id.clone(), value.version))?;
    a.state
        .definition_by_deployment
        .remove(&(tenant.clone(), id.clone(), value.deployment_key))?;
    let by_tag = (tenant, id, value.version_tag.clone());
    if let Some(row) = a.state.definition_by_tag.get(&by_tag)?
        && row.key == key
    {
        a.state.definition_by_tag.remove(&by_tag)?;
    }
    Ok(())
}
