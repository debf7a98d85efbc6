//! DECISION and DECISION_REQUIREMENTS events: graphs come and go with their decisions.
//!
//! A decision is found by key, by id, by deployment and by version tag; all these rows change here
//! together. A row that a newer decision took over stays with the newer one.

use std::sync::Arc;

use crate::engine::apply::Applied;
use crate::engine::output::Applying;
use crate::ids::Key;
use crate::record::Text;
use crate::record::value::{DecisionRecord, DecisionRequirementsRecord};
use crate::state::definition::LivingVersion;
use crate::state::{
    DecisionRequirementsRow, DecisionRow, KeyRow, StateError, Table, Unit, VersionsRow,
};

type Versions = Table<(Text, Text), VersionsRow>;

pub(super) fn requirements_created(
    a: &mut Applying<'_>,
    key: Key,
    value: &Arc<DecisionRequirementsRecord>,
) -> Applied {
    let row = DecisionRequirementsRow {
        record: value.clone(),
    };
    a.state.decision_requirements.put(key, row)?;
    let id = (
        value.tenant_id.clone(),
        value.decision_requirements_id.clone(),
    );
    let versions = &mut a.state.decision_requirements_versions;
    add(versions, id, value.decision_requirements_version, key)?;
    Ok(())
}

pub(super) fn requirements_deleted(
    a: &mut Applying<'_>,
    _key: Key,
    value: &Arc<DecisionRequirementsRecord>,
) -> Applied {
    let key = value.decision_requirements_key;
    a.definitions.forget_graph(key);
    a.state.decision_requirements.remove(&key)?;
    let id = (
        value.tenant_id.clone(),
        value.decision_requirements_id.clone(),
    );
    remove(&mut a.state.decision_requirements_versions, &id, key)?;
    Ok(())
}

pub(super) fn created(a: &mut Applying<'_>, key: Key, value: &Arc<DecisionRecord>) -> Applied {
    let row = DecisionRow {
        record: value.clone(),
    };
    a.state.decisions.put(key, row)?;
    a.state
        .decisions_of_requirements
        .put(value.decision_requirements_key, key, Unit {})?;
    let (tenant, id) = (value.tenant_id.clone(), value.decision_id.clone());
    let by_deployment = (tenant.clone(), id.clone(), value.deployment_key);
    a.state
        .decision_by_deployment
        .put(by_deployment, KeyRow { key })?;
    if !value.version_tag.is_empty() {
        let by_tag = (tenant.clone(), id.clone(), value.version_tag.clone());
        a.state.decision_by_tag.put(by_tag, KeyRow { key })?;
    }
    add(
        &mut a.state.decision_versions,
        (tenant, id),
        value.version,
        key,
    )?;
    Ok(())
}

pub(super) fn deleted(a: &mut Applying<'_>, _key: Key, value: &Arc<DecisionRecord>) -> Applied {
    let key = value.decision_key;
    let (tenant, id) = (value.tenant_id.clone(), value.decision_id.clone());
    a.state.decisions.remove(&key)?;
    a.state
        .decisions_of_requirements
        .remove(&value.decision_requirements_key, &key)?;
    let by_deployment = (tenant.clone(), id.clone(), value.deployment_key);
    a.state.decision_by_deployment.remove(&by_deployment)?;
    let by_tag = (tenant.clone(), id.clone(), value.version_tag.clone());
    if let Some(row) = a.state.decision_by_tag.get(&by_tag)?
        && row.key == key
    {
        a.state.decision_by_tag.remove(&by_tag)?;
    }
    remove(&mut a.state.decision_versions, &(tenant, id), key)?;
    Ok(())
}

fn add(
    versions: &mut Versions,
    id: (Text, Text),
    version: i32,
    key: Key,
) -> Result<(), StateError> {
    let known = versions.get(&id)?;
    let mut row = known.map_or_else(VersionsRow::default, |row| VersionsRow::clone(&row));
    row.highest = row.highest.max(version);
    row.living.push(LivingVersion { version, key });
    row.living.sort_by_key(|living| living.version);
    versions.put(id, row)
}

fn remove(versions: &mut Versions, id: &(Text, Text), key: Key) -> Result<(), StateError> {
    let Some(known) = versions.get(id)? else {
        return Ok(());
    };
    let mut row = VersionsRow::clone(&known);
    row.living.retain(|living| living.key != key);
    if row.living.is_empty() {
        versions.remove(id)
    } else {
        versions.put(id.clone(), row)
    }
}
