//! DMN files of a deployment: one graph each, with the decisions in it.
//!
//! A file is known already if its graph's latest version came from a file of the same name and
//! content and all its decisions still belong to that version. The number after the latest living
//! version is the next one.

use md5::{Digest as _, Md5};

use crate::dmn;
use crate::engine::fault::Outcome;
use crate::engine::output::Processing;
use crate::ids::Key;
use crate::model::hash_order;
use crate::model::length::{ID_MAX, NAME_MAX, is_longer};
use crate::record::intent::of;
use crate::record::value::{
    DecisionMetadata, DecisionRecord, DecisionRequirementsMetadata, DecisionRequirementsRecord,
    DeploymentRecord, DeploymentResource,
};
use crate::record::{Blob, Text};

/// A DMN file of the deployment.
pub(super) struct DeployedGraph {
    pub(super) metadata: DecisionRequirementsMetadata,
    pub(super) decisions: Vec<DecisionMetadata>,
    resource: Blob,
}

/// Compiles a file, unless an id in it stands in another one.
pub(super) fn parse(
    resource: &DeploymentResource,
    tenant: &Text,
    others: &[DeployedGraph],
) -> Result<DeployedGraph, String> {
    let name = &resource.resource_name;
    let content = resource.resource.as_bytes();
    let graph = dmn::compile(content).map_err(|refused| format!("'{name}': {refused}"))?;
    check_lengths(&graph, name)?;
    let duplicate = |what: &str, id: &str, other: &DeployedGraph| {
        format!(
            "Expected the {what} ids to be unique within a deployment but found a duplicated id '{id}' in the resources '{}' and '{name}'.",
            other.metadata.resource_name
        )
    };
    for other in others {
        if other.metadata.decision_requirements_id.as_str() == graph.id() {
            return Err(duplicate("decision requirements", graph.id(), other));
        }
    }
    for other in others {
        let same = (other.decisions.iter())
            .find(|decision| graph.position(&decision.decision_id).is_some());
        if let Some(decision) = same {
            return Err(duplicate("decision", &decision.decision_id, other));
        }
    }
    let id = Text::from(graph.id());
    // Camunda keeps the decisions of a file in a hash table, of which clients see the order.
    let listed = hash_order::in_scala_table(graph.decisions().iter().map(|one| one.id()));
    let listed = listed.into_iter().filter_map(|id| graph.position(id));
    let decisions = listed.map(|at| &graph.decisions()[at]);
    let decisions = decisions.map(|decision| DecisionMetadata {
        decision_id: Text::from(decision.id()),
        decision_name: Text::from(decision.name()),
        decision_requirements_id: id.clone(),
        tenant_id: tenant.clone(),
        version_tag: Text::from(decision.version_tag().unwrap_or_default()),
        ..DecisionMetadata::default()
    });
    Ok(DeployedGraph {
        decisions: decisions.collect(),
        metadata: DecisionRequirementsMetadata {
            decision_requirements_id: id,
            decision_requirements_name: Text::from(graph.name()),
            namespace: Text::from(graph.namespace()),
            resource_name: name.clone(),
            checksum: Blob::from(Md5::digest(content).as_slice()),
            tenant_id: tenant.clone(),
            ..DecisionRequirementsMetadata::default()
        },
        resource: resource.resource.clone(),
    })
}

/// How long ids and names of the graph and its decisions may be.
fn check_lengths(graph: &dmn::Graph, name: &Text) -> Result<(), String> {
    let id = graph.id();
    if is_longer(id, ID_MAX) {
        return Err(format!(
            "The ID of a DRG must not be longer than the configured max-id-length of {ID_MAX} characters, but was '{id}' in resource '{name}'"
        ));
    }
    if is_longer(graph.name(), NAME_MAX) {
        return Err(format!(
            "The name of a DRG must not be longer than the configured max-name-length of {NAME_MAX} characters, but was '{}' in DRG '{id}'",
            graph.name()
        ));
    }
    for decision in graph.decisions() {
        let (id, called) = (decision.id(), decision.name());
        if is_longer(id, ID_MAX) {
            return Err(format!(
                "The ID of a decision must not be longer than the configured max-id-length of {ID_MAX} characters, but was '{id}' in resource '{name}'"
            ));
        }
        if is_longer(called, NAME_MAX) {
            return Err(format!(
                "The name of a decision must not be longer than the configured max-name-length of {NAME_MAX} characters, but was '{called}' in resource '{name}'"
            ));
        }
    }
    Ok(())
}

/// Whether the latest versions are this file already.
pub(super) fn is_known(p: &Processing<'_>, graph: &DeployedGraph) -> Outcome<bool> {
    let metadata = &graph.metadata;
    let tenant = &metadata.tenant_id;
    let latest = p
        .state()
        .latest_decision_requirements(tenant, &metadata.decision_requirements_id)?;
    let Some(latest) = latest else {
        return Ok(false);
    };
    let latest = &latest.record;
    if latest.checksum != metadata.checksum || latest.resource_name != metadata.resource_name {
        return Ok(false);
    }
    for decision in &graph.decisions {
        let row = p.state().latest_decision(tenant, &decision.decision_id)?;
        let of_latest = |row: std::rc::Rc<crate::state::DecisionRow>| {
            row.record.decision_requirements_key == latest.decision_requirements_key
        };
        if !row.is_some_and(of_latest) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Gives out keys and versions, or takes those of the latest versions.
pub(super) fn number(
    p: &mut Processing<'_>,
    graph: &mut DeployedGraph,
    known: bool,
    deployment_key: Key,
) -> Outcome {
    let metadata = &mut graph.metadata;
    let tenant = metadata.tenant_id.clone();
    let latest = p
        .state()
        .latest_decision_requirements(&tenant, &metadata.decision_requirements_id)?;
    let version = (latest.as_ref()).map_or(0, |row| row.record.decision_requirements_version);
    metadata.is_duplicate = known;
    match latest {
        Some(row) if known => {
            metadata.decision_requirements_key = row.record.decision_requirements_key;
            metadata.decision_requirements_version = version;
        }
        Some(_) | None => {
            metadata.decision_requirements_key = p.next_key();
            metadata.decision_requirements_version = version + 1;
        }
    }
    for decision in &mut graph.decisions {
        decision.decision_requirements_key = graph.metadata.decision_requirements_key;
        decision.is_duplicate = known;
        let latest = p.state().latest_decision(&tenant, &decision.decision_id)?;
        let version = latest.as_ref().map_or(0, |row| row.record.version);
        match latest {
            Some(row) if known => {
                decision.decision_key = row.record.decision_key;
                decision.version = version;
                decision.deployment_key = row.record.deployment_key;
            }
            Some(_) | None => {
                decision.decision_key = p.next_key();
                decision.version = version + 1;
                decision.deployment_key = deployment_key;
            }
        }
    }
    Ok(())
}

/// Takes keys and versions from another partition's deployment.
pub(super) fn adopt(graph: &mut DeployedGraph, value: &DeploymentRecord) {
    let id = &graph.metadata.decision_requirements_id;
    let told = value.decision_requirements_metadata.iter();
    if let Some(metadata) = told.clone().find(|one| one.decision_requirements_id == *id) {
        graph.metadata = metadata.clone();
    }
    for decision in &mut graph.decisions {
        let told =
            (value.decisions_metadata.iter()).find(|one| one.decision_id == decision.decision_id);
        if let Some(told) = told {
            *decision = told.clone();
        }
    }
}

/// Writes a new graph and its decisions.
pub(super) fn create(
    p: &mut Processing<'_>,
    graph: &DeployedGraph,
    deployment_key: Key,
) -> Outcome {
    let metadata = &graph.metadata;
    let key = metadata.decision_requirements_key;
    if metadata.is_duplicate || p.state().decision_requirements.contains(&key)? {
        return Ok(());
    }
    let record = DecisionRequirementsRecord {
        decision_requirements_id: metadata.decision_requirements_id.clone(),
        decision_requirements_name: metadata.decision_requirements_name.clone(),
        decision_requirements_version: metadata.decision_requirements_version,
        decision_requirements_key: key,
        namespace: metadata.namespace.clone(),
        resource_name: metadata.resource_name.clone(),
        checksum: metadata.checksum.clone(),
        resource: graph.resource.clone(),
        tenant_id: metadata.tenant_id.clone(),
        deployment_key,
    };
    p.event(key, of::DecisionRequirements::Created, record)?;
    for decision in &graph.decisions {
        let record = DecisionRecord {
            decision_id: decision.decision_id.clone(),
            decision_name: decision.decision_name.clone(),
            version: decision.version,
            decision_key: decision.decision_key,
            decision_requirements_id: decision.decision_requirements_id.clone(),
            decision_requirements_key: decision.decision_requirements_key,
            tenant_id: decision.tenant_id.clone(),
            deployment_key: decision.deployment_key,
            version_tag: decision.version_tag.clone(),
        };
        p.event(decision.decision_key, of::Decision::Created, record)?;
    }
    Ok(())
}

/// Writes that a graph and its decisions go.
pub(crate) fn delete(p: &mut Processing<'_>, record: &DecisionRequirementsRecord) -> Outcome {
    let graph = record.decision_requirements_key;
    for key in p.state().decisions_of_requirements.members(&graph)? {
        if let Some(row) = p.state().decisions.get(&key)? {
            let event = p.next_key();
            p.event(event, of::Decision::Deleted, row.record.clone())?;
        }
    }
    let stated = DecisionRequirementsRecord {
        resource: Blob::EMPTY,
        ..record.clone()
    };
    let event = p.next_key();
    p.event(event, of::DecisionRequirements::Deleted, stated)
}
