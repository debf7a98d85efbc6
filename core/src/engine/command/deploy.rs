//! DEPLOYMENT CREATE: files become definitions, here and on all other partitions.
//!
//! Everything is parsed and checked before anything is written; all errors go into one rejection.
//! If one file of the deployment is new, all of them get a new version and key; if all are known
//! already, nothing is created and the known ones are reported. The other partitions process the
//! same command with the keys found here.

use std::sync::Arc;

use md5::{Digest as _, Md5};

use crate::engine::distribute;
use crate::engine::fault::{Outcome, Stop};
use crate::engine::input::Command;
use crate::engine::output::Processing;
use crate::engine::rule::{agents, starts};
use crate::ids::Key;
use crate::model::{self, Bound};
use crate::record::Blob;
use crate::record::intent::of;
use crate::record::value::{
    AgentDefinitionRecord, AgentDefinitionType, DeploymentRecord, FormMetadata, ProcessMetadata,
    ProcessRecord, ResourceMetadata,
};
use crate::state::file::FileKind;

pub(crate) mod decision;
mod file;

use decision::DeployedGraph;
use file::DeployedFile;

/// Queue that keeps deployments and deletions in order on every partition.
pub(crate) const DEPLOYMENT_QUEUE: &str = "DEPLOYMENT";
/// Bytes of a rejection text.
pub(crate) const VALIDATION_TEXT_MAX: usize = 12 << 10;

/// A process of the deployment.
struct Deployed {
    metadata: ProcessMetadata,
    resource: Blob,
    process: Arc<model::Process>,
    agents: Vec<Arc<AgentDefinitionRecord>>,
}

/// Something deployed, by its place among its kind.
#[derive(Clone, Copy)]
enum Part {
    Process(usize),
    File(usize),
    Graph(usize),
}

/// What the files of a deployment are.
#[derive(Default)]
struct Parsed {
    /// All there is, in the order of the files: the order of keys and events.
    parts: Vec<Part>,
    processes: Vec<Deployed>,
    files: Vec<DeployedFile>,
    graphs: Vec<DeployedGraph>,
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
    let deployment_key = p.next_key();
    let written = p.written();
    match create_all(p, value, deployment_key) {
        // A refused deployment shows the key it would have had.
        Err(Stop::Reject(rejection)) if p.written() == written => {
            let numbered = DeploymentRecord {
                deployment_key,
                ..DeploymentRecord::clone(value)
            };
            let command = Command {
                value: numbered.into(),
                ..command.clone()
            };
            p.reject(&command, rejection)
        }
        other => other,
    }
}

fn create_all(
    p: &mut Processing<'_>,
    value: &Arc<DeploymentRecord>,
    deployment_key: Key,
) -> Outcome {
    if value.resources.is_empty() {
        return Err(Stop::invalid_argument(
            "Expected to deploy at least one resource, but none given",
        ));
    }
    let mut deployed = parse(value)?;
    number(p, &mut deployed, deployment_key)?;
    let processes = &deployed.processes;
    for one in processes.iter().filter(|one| !one.metadata.is_duplicate) {
        starts::check(p, &one.process)?;
    }
    let metadata = |kind: FileKind| {
        let of_kind = deployed.files.iter().filter(move |one| one.kind == kind);
        of_kind.map(|one| one.metadata.clone())
    };
    let record = DeploymentRecord {
        resources: value.resources.clone(),
        processes_metadata: processes.iter().map(|one| one.metadata.clone()).collect(),
        form_metadata: metadata(FileKind::Form).map(FormMetadata::from).collect(),
        resource_metadata: metadata(FileKind::Resource).collect(),
        decisions_metadata: (deployed.graphs.iter())
            .flat_map(|graph| graph.decisions.iter().cloned())
            .collect(),
        decision_requirements_metadata: (deployed.graphs.iter())
            .map(|one| one.metadata.clone())
            .collect(),
        tenant_id: value.tenant_id.clone(),
        deployment_key,
        agent_definitions_metadata: (processes.iter())
            .flat_map(|one| one.agents.iter().cloned())
            .collect(),
    };
    let previous = create(p, &deployed, deployment_key)?;
    for (one, previous) in changed(processes, &previous) {
        if let Some(previous) = previous {
            starts::close_timers(p, previous.process_definition_key)?;
        }
        starts::open_timers(p, &definition(one), &one.process)?;
    }
    let stated = Arc::new(without_content(&record));
    p.event(deployment_key, of::Deployment::Created, stated.clone())?;
    p.respond(deployment_key, of::Deployment::Created, stated);
    if p.config.partition_count > 1 {
        let command = record.into();
        distribute::distribute(
            p,
            deployment_key,
            DEPLOYMENT_QUEUE,
            of::Deployment::Create,
            &command,
        )?;
    }
    subscribe(p, processes, &previous)
}

/// Another partition deployed: the same definitions with the same keys.
fn receive(p: &mut Processing<'_>, command: &Command, value: &Arc<DeploymentRecord>) -> Outcome {
    if !is_received(p, value)? {
        let mut deployed = parse(value)?;
        let processes = deployed.processes.iter_mut().zip(&value.processes_metadata);
        for (one, metadata) in processes {
            one.metadata = metadata.clone();
            let of = metadata.process_definition_key;
            let agents = value.agent_definitions_metadata.iter();
            let agents = agents.filter(|agent| agent.process_definition_key == of);
            one.agents = agents.cloned().collect();
        }
        let mut forms = value.form_metadata.iter();
        let mut resources = value.resource_metadata.iter();
        for one in &mut deployed.files {
            let metadata = match one.kind {
                FileKind::Form => forms.next().map(|of| ResourceMetadata::from(of.clone())),
                FileKind::Resource => resources.next().cloned(),
            };
            if let Some(metadata) = metadata {
                one.metadata = metadata;
            }
        }
        for graph in &mut deployed.graphs {
            decision::adopt(graph, value);
        }
        let previous = create(p, &deployed, value.deployment_key)?;
        p.event(command.key, of::Deployment::Created, without_content(value))?;
        subscribe(p, &deployed.processes, &previous)?;
    }
    distribute::acknowledge(p, command.key, command.intent)
}

/// Whether everything new in a deployment is here already.
fn is_received(p: &Processing<'_>, value: &DeploymentRecord) -> Outcome<bool> {
    for metadata in &value.processes_metadata {
        let key = metadata.process_definition_key;
        if !metadata.is_duplicate && !p.state().definitions.contains(&key)? {
            return Ok(false);
        }
    }
    for metadata in &value.decision_requirements_metadata {
        let key = metadata.decision_requirements_key;
        if !metadata.is_duplicate && !p.state().decision_requirements.contains(&key)? {
            return Ok(false);
        }
    }
    let forms = value.form_metadata.iter();
    let forms = forms.map(|of| (FileKind::Form, of.is_duplicate, of.key));
    let resources = value.resource_metadata.iter();
    let resources = resources.map(|of| (FileKind::Resource, of.is_duplicate, of.key));
    for (kind, is_duplicate, key) in forms.chain(resources) {
        if !is_duplicate && p.state().file(kind, key)?.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Reads all files; the metadata has what the files say, without keys and versions.
fn parse(value: &DeploymentRecord) -> Outcome<Parsed> {
    let mut errors = Vec::new();
    let mut deployed = Parsed::default();
    for resource in &value.resources {
        let name = &resource.resource_name;
        let content = resource.resource.as_bytes();
        let checksum = Blob::from(Md5::digest(content).as_slice());
        if name.ends_with(".dmn") {
            match decision::parse(resource, &value.tenant_id, &deployed.graphs) {
                Ok(graph) => {
                    deployed.parts.push(Part::Graph(deployed.graphs.len()));
                    deployed.graphs.push(graph);
                }
                Err(why) => errors.push(why),
            }
            continue;
        }
        if !(name.ends_with(".bpmn") || name.ends_with(".xml")) {
            match file::parse(resource, &value.tenant_id, checksum) {
                Ok(one) => match deployed
                    .files
                    .iter()
                    .find_map(|known| file::twice(known, &one))
                {
                    None => {
                        deployed.parts.push(Part::File(deployed.files.len()));
                        deployed.files.push(one);
                    }
                    Some(refused) => errors.push(refused),
                },
                Err(refused) => errors.push(refused),
            }
            continue;
        }
        let processes = match model::compile(content) {
            Ok(processes) => processes,
            Err(refused) => {
                errors.push(format!("'{name}': {refused}"));
                continue;
            }
        };
        for process in processes {
            let id = process.id().clone();
            if let Some(other) = deployed
                .processes
                .iter()
                .find(|one| one.metadata.bpmn_process_id == id)
            {
                errors.push(format!(
                    "Duplicated process id in resources '{}' and '{name}'",
                    other.metadata.resource_name
                ));
                continue;
            }
            let place = deployed.processes.len();
            deployed.parts.push(Part::Process(place));
            deployed.processes.push(Deployed {
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
                agents: Vec::new(),
            });
        }
    }
    if errors.is_empty() {
        check_bindings(value, &deployed, &mut errors);
    }
    if errors.is_empty() {
        return Ok(deployed);
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

/// What models bind to their own deployment has to be in it.
fn check_bindings(value: &DeploymentRecord, deployed: &Parsed, errors: &mut Vec<String>) {
    let mut has = |bound: Bound, id: &str| {
        let file =
            |kind| (deployed.files.iter()).any(|one| one.kind == kind && one.metadata.id == *id);
        match bound {
            Bound::Process => {
                (deployed.processes.iter()).any(|one| one.metadata.bpmn_process_id == *id)
            }
            Bound::Form => file(FileKind::Form),
            Bound::Resource => file(FileKind::Resource),
            Bound::Decision => (deployed.graphs.iter())
                .any(|graph| graph.decisions.iter().any(|one| one.decision_id == *id)),
        }
    };
    for resource in &value.resources {
        let name = &resource.resource_name;
        if !(name.ends_with(".bpmn") || name.ends_with(".xml")) {
            continue;
        }
        if let Err(refused) = model::check_bindings(resource.resource.as_bytes(), &mut has) {
            errors.push(format!("'{name}':\n{refused}"));
        }
    }
}

/// Gives out keys and versions, or finds those of the same files deployed before.
fn number(p: &mut Processing<'_>, deployed: &mut Parsed, deployment_key: Key) -> Outcome {
    let mut known = Vec::with_capacity(deployed.processes.len());
    for one in &deployed.processes {
        let metadata = &one.metadata;
        let latest = p
            .state()
            .latest_definition(&metadata.tenant_id, &metadata.bpmn_process_id)?;
        known.push(latest.filter(|row| {
            row.record.checksum == metadata.checksum
                && row.record.resource_name == metadata.resource_name
        }));
    }
    let mut known_files = Vec::with_capacity(deployed.files.len());
    for one in &deployed.files {
        known_files.push(file::is_known(p, one)?);
    }
    let mut all_known =
        known.iter().all(Option::is_some) && known_files.iter().all(Option::is_some);
    for graph in &deployed.graphs {
        all_known = all_known && decision::is_known(p, graph)?;
    }
    for part in &deployed.parts {
        match *part {
            Part::File(at) => {
                let known = known_files[at].filter(|_| all_known);
                file::number(p, &mut deployed.files[at], known, deployment_key)?;
            }
            Part::Process(at) => {
                let known = known[at].as_ref().filter(|_| all_known);
                let known = known.map(|row| &*row.record);
                number_process(
                    p,
                    &mut deployed.processes[at].metadata,
                    known,
                    deployment_key,
                )?;
            }
            Part::Graph(at) => {
                decision::number(p, &mut deployed.graphs[at], all_known, deployment_key)?;
            }
        }
    }
    for one in &mut deployed.processes {
        if !one.metadata.is_duplicate {
            one.agents = agents(p, one);
        }
    }
    Ok(())
}

/// An agent definition for each element that is marked as an agent.
fn agents(p: &mut Processing<'_>, deployed: &Deployed) -> Vec<Arc<AgentDefinitionRecord>> {
    let record = definition(deployed);
    let elements = deployed.process.elements().iter();
    let marked = elements.filter(|one| one.agent != AgentDefinitionType::Unspecified);
    marked
        .map(|element| Arc::new(agents::definition_of(element, &record, p.next_key())))
        .collect()
}

/// Gives a process the key and version of `known`, or new ones.
fn number_process(
    p: &mut Processing<'_>,
    metadata: &mut ProcessMetadata,
    known: Option<&ProcessRecord>,
    deployment_key: Key,
) -> Outcome {
    if let Some(known) = known {
        metadata.is_duplicate = true;
        metadata.version = known.version;
        metadata.process_definition_key = known.process_definition_key;
        metadata.deployment_key = known.deployment_key;
        return Ok(());
    }
    let id = (metadata.tenant_id.clone(), metadata.bpmn_process_id.clone());
    let versions = p.state().versions.get(&id)?;
    metadata.version = versions.map_or(0, |row| row.highest) + 1;
    metadata.process_definition_key = p.next_key();
    metadata.deployment_key = deployment_key;
    Ok(())
}

/// Writes what is new; returns for each process the one it takes the place of.
fn create(
    p: &mut Processing<'_>,
    deployed: &Parsed,
    deployment_key: Key,
) -> Outcome<Vec<Option<Arc<ProcessRecord>>>> {
    let mut previous = Vec::with_capacity(deployed.processes.len());
    for part in &deployed.parts {
        match *part {
            Part::File(at) => file::create(p, &deployed.files[at])?,
            Part::Graph(at) => decision::create(p, &deployed.graphs[at], deployment_key)?,
            Part::Process(at) => {
                let one = &deployed.processes[at];
                let metadata = &one.metadata;
                let latest = p
                    .state()
                    .latest_definition(&metadata.tenant_id, &metadata.bpmn_process_id)?;
                previous.push(latest.map(|row| row.record.clone()));
                let key = metadata.process_definition_key;
                if !metadata.is_duplicate && !p.state().definitions.contains(&key)? {
                    p.event(key, of::Process::Created, definition(one))?;
                    for agent in &one.agents {
                        let key = agent.agent_definition_key;
                        p.event(key, of::AgentDefinition::Created, agent.clone())?;
                    }
                }
            }
        }
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

/// What the event states: the files are in the events of what they became.
fn without_content(record: &DeploymentRecord) -> DeploymentRecord {
    DeploymentRecord {
        resources: Vec::new(),
        ..record.clone()
    }
}
