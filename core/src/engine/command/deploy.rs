//! DEPLOYMENT CREATE: files become definitions, here and on all other partitions.
//!
//! Everything is parsed and checked before anything is written; all errors go into one rejection.
//! If one definition of the deployment is new, all of them get a new version and key; if all are
//! known already, nothing is created and the known ones are reported. The other partitions process
//! the same command with the keys found here.

pub(crate) mod decision;

use std::sync::Arc;

use md5::{Digest as _, Md5};

use crate::engine::distribute;
use crate::engine::fault::{Outcome, Stop};
use crate::engine::input::Command;
use crate::engine::output::Processing;
use crate::engine::rule::starts;
use crate::ids::Key;
use crate::model;
use crate::record::intent::of;
use crate::record::value::{DeploymentRecord, DeploymentResource, ProcessMetadata, ProcessRecord};
use crate::record::{Blob, Text};

/// Queue that keeps deployments and deletions in order on every partition.
pub(crate) const DEPLOYMENT_QUEUE: &str = "DEPLOYMENT";
/// Bytes of a rejection text.
pub(crate) const VALIDATION_TEXT_MAX: usize = 12 << 10;

use decision::DeployedGraph;

/// A process of the deployment.
struct Deployed {
    metadata: ProcessMetadata,
    resource: Blob,
    process: Arc<model::Process>,
}

/// Deploys.
pub(crate) fn deploy(
    p: &mut Processing<'_>,
    command: &Command,
    value: &Arc<DeploymentRecord>,
) -> Outcome {
    if distribute::is_distributed(p, command.key) {
        return receive(p, command, value);
    }
    if value.resources.is_empty() {
        return Err(Stop::invalid_argument(
            "Expected to deploy at least one resource, but none given",
        ));
    }
    let (mut deployed, mut graphs) = parse(value)?;
    let deployment_key = p.next_key();
    number(p, &mut deployed, &mut graphs, deployment_key)?;
    for one in deployed.iter().filter(|one| !one.metadata.is_duplicate) {
        starts::check(p, &one.process)?;
    }
    let record = DeploymentRecord {
        resources: value.resources.clone(),
        processes_metadata: deployed.iter().map(|one| one.metadata.clone()).collect(),
        tenant_id: value.tenant_id.clone(),
        deployment_key,
        decisions_metadata: (graphs.iter())
            .flat_map(|graph| graph.decisions.iter().cloned())
            .collect(),
        decision_requirements_metadata: graphs.iter().map(|one| one.metadata.clone()).collect(),
    };
    let previous = create(p, &deployed)?;
    for graph in &graphs {
        decision::create(p, graph, deployment_key)?;
    }
    for (one, previous) in changed(&deployed, &previous) {
        if let Some(previous) = previous {
            starts::close_timers(p, previous.process_definition_key)?;
        }
        starts::open_timers(p, &definition(one), &one.process)?;
    }
    let stated = Arc::new(without_content(&record));
    p.event(deployment_key, of::Deployment::Created, stated.clone())?;
    p.respond(deployment_key, of::Deployment::Created, stated.clone());
    if p.config.partition_count > 1 {
        let command = record.into();
        distribute::distribute(
            p,
            deployment_key,
            DEPLOYMENT_QUEUE,
            of::Deployment::Create,
            &command,
        )?;
    } else {
        p.event(deployment_key, of::Deployment::FullyDistributed, stated)?;
    }
    subscribe(p, &deployed, &previous)
}

/// Another partition deployed: the same definitions with the same keys.
fn receive(p: &mut Processing<'_>, command: &Command, value: &Arc<DeploymentRecord>) -> Outcome {
    let known = value.processes_metadata.iter().map(|metadata| {
        let key = metadata.process_definition_key;
        Ok(metadata.is_duplicate || p.state().definitions.contains(&key)?)
    });
    let graphs_known = value.decision_requirements_metadata.iter().map(|metadata| {
        let key = metadata.decision_requirements_key;
        Ok(metadata.is_duplicate || p.state().decision_requirements.contains(&key)?)
    });
    let known: Outcome<Vec<bool>> = known.chain(graphs_known).collect();
    if known?.iter().any(|known| !known) {
        let (mut deployed, mut graphs) = parse(value)?;
        for (one, metadata) in deployed.iter_mut().zip(&value.processes_metadata) {
            one.metadata = metadata.clone();
        }
        let previous = create(p, &deployed)?;
        for graph in &mut graphs {
            decision::adopt(graph, value);
            decision::create(p, graph, value.deployment_key)?;
        }
        p.event(command.key, of::Deployment::Created, without_content(value))?;
        subscribe(p, &deployed, &previous)?;
    }
    distribute::acknowledge(p, command.key, command.intent)
}

/// Compiles all files; the metadata has what the files say, without keys and versions.
fn parse(value: &DeploymentRecord) -> Outcome<(Vec<Deployed>, Vec<DeployedGraph>)> {
    let mut errors = Vec::new();
    let mut deployed: Vec<Deployed> = Vec::new();
    let mut graphs: Vec<DeployedGraph> = Vec::new();
    for resource in &value.resources {
        let name = &resource.resource_name;
        if name.ends_with(".dmn") {
            match decision::parse(resource, &value.tenant_id, &graphs) {
                Ok(graph) => graphs.push(graph),
                Err(why) => errors.push(why),
            }
            continue;
        }
        if !(name.ends_with(".bpmn") || name.ends_with(".xml")) {
            errors.push(format!("'{name}': unknown resource type"));
            continue;
        }
        let content = resource.resource.as_bytes();
        let processes = match model::compile(content) {
            Ok(processes) => processes,
            Err(refused) => {
                errors.push(format!("'{name}': {refused}"));
                continue;
            }
        };
        let checksum = Blob::from(Md5::digest(content).as_slice());
        for process in processes {
            let id = process.id().clone();
            if let Some(other) = deployed
                .iter()
                .find(|one| one.metadata.bpmn_process_id == id)
            {
                errors.push(format!(
                    "Duplicated process id in resources '{}' and '{name}'",
                    other.metadata.resource_name
                ));
                continue;
            }
            deployed.push(Deployed {
                metadata: ProcessMetadata {
                    bpmn_process_id: id,
                    resource_name: name.clone(),
                    checksum: checksum.clone(),
                    tenant_id: value.tenant_id.clone(),
                    version_tag: process.version_tag.clone(),
                    ..ProcessMetadata::default()
                },
                resource: resource.resource.clone(),
                process: Arc::new(process),
            });
        }
    }
    if errors.is_empty() {
        return Ok((deployed, graphs));
    }
    let mut text = format!(
        "Expected to deploy new resources, but encountered the following errors:\n{}",
        errors.join("\n")
    );
    if text.len() > VALIDATION_TEXT_MAX {
        let mut end = VALIDATION_TEXT_MAX;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
    }
    Err(Stop::invalid_argument(text))
}

/// Gives out keys and versions, or finds those of the same files deployed before.
fn number(
    p: &mut Processing<'_>,
    deployed: &mut [Deployed],
    graphs: &mut [DeployedGraph],
    deployment_key: Key,
) -> Outcome {
    let mut known = Vec::with_capacity(deployed.len());
    for one in deployed.iter() {
        let metadata = &one.metadata;
        let latest = p
            .state()
            .latest_definition(&metadata.tenant_id, &metadata.bpmn_process_id)?;
        known.push(latest.filter(|row| {
            row.record.checksum == metadata.checksum
                && row.record.resource_name == metadata.resource_name
        }));
    }
    let mut all_known = known.iter().all(Option::is_some);
    for graph in graphs.iter() {
        all_known = all_known && decision::is_known(p, graph)?;
    }
    for (one, known) in deployed.iter_mut().zip(known) {
        let metadata = &mut one.metadata;
        if let Some(row) = known.filter(|_| all_known) {
            metadata.is_duplicate = true;
            metadata.version = row.record.version;
            metadata.process_definition_key = row.record.process_definition_key;
            metadata.deployment_key = row.record.deployment_key;
            continue;
        }
        let id = (metadata.tenant_id.clone(), metadata.bpmn_process_id.clone());
        let versions = p.state().versions.get(&id)?;
        metadata.version = versions.map_or(0, |row| row.highest) + 1;
        metadata.process_definition_key = p.next_key();
        metadata.deployment_key = deployment_key;
    }
    for graph in graphs {
        decision::number(p, graph, all_known, deployment_key)?;
    }
    Ok(())
}

/// Writes the new definitions; returns for each the one it takes the place of.
fn create(
    p: &mut Processing<'_>,
    deployed: &[Deployed],
) -> Outcome<Vec<Option<Arc<ProcessRecord>>>> {
    let mut previous = Vec::with_capacity(deployed.len());
    for one in deployed {
        let metadata = &one.metadata;
        let latest = p
            .state()
            .latest_definition(&metadata.tenant_id, &metadata.bpmn_process_id)?;
        previous.push(latest.map(|row| row.record.clone()));
        let key = metadata.process_definition_key;
        if metadata.is_duplicate || p.state().definitions.contains(&key)? {
            continue;
        }
        p.event(key, of::Process::Created, definition(one))?;
    }
    Ok(previous)
}

fn definition(one: &Deployed) -> ProcessRecord {
    let metadata = &one.metadata;
    ProcessRecord {
        bpmn_process_id: metadata.bpmn_process_id.clone(),
        version: metadata.version,
        process_definition_key: metadata.process_definition_key,
        resource_name: metadata.resource_name.clone(),
        checksum: metadata.checksum.clone(),
        resource: one.resource.clone(),
        tenant_id: metadata.tenant_id.clone(),
        deployment_key: metadata.deployment_key,
        version_tag: metadata.version_tag.clone(),
    }
}

/// Only the latest version of a process has start event subscriptions.
fn subscribe(
    p: &mut Processing<'_>,
    deployed: &[Deployed],
    previous: &[Option<Arc<ProcessRecord>>],
) -> Outcome {
    for (one, previous) in changed(deployed, previous) {
        if let Some(previous) = previous {
            starts::close(p, previous)?;
        }
        starts::open(p, &definition(one), &one.process)?;
    }
    Ok(())
}

/// What is new, with what it takes the place of.
fn changed<'d>(
    deployed: &'d [Deployed],
    previous: &'d [Option<Arc<ProcessRecord>>],
) -> impl Iterator<Item = (&'d Deployed, Option<&'d Arc<ProcessRecord>>)> {
    (deployed.iter().zip(previous))
        .filter(|(one, _)| !one.metadata.is_duplicate)
        .map(|(one, previous)| (one, previous.as_ref()))
}

fn without_content(record: &DeploymentRecord) -> DeploymentRecord {
    let name_only = |resource: &DeploymentResource| DeploymentResource {
        resource: Blob::EMPTY,
        resource_name: Text::clone(&resource.resource_name),
    };
    DeploymentRecord {
        resources: record.resources.iter().map(name_only).collect(),
        ..record.clone()
    }
}
