//! PROCESS_INSTANCE_MIGRATION MIGRATE: a running instance goes on under another definition, all or
//! nothing.
//!
//! Every element instance is visited from the process downwards, breadth first. It is checked
//! ([`check`]), then it and what hangs on it are restated under the new definition: taken flows in
//! front of joins ([`flows`]), jobs, incidents, user tasks, variables, and what it waits for
//! ([`catch_events`], [`compensation`]). Nothing that was evaluated is evaluated again, but for catch events that only
//! the new definition has. Instances called from here keep their definitions; their paths change
//! (Camunda: `ProcessInstanceMigrationMigrateProcessor`).

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use crate::engine::definitions::Definition;
use crate::engine::element;
use crate::engine::fault::{Outcome, Stop};
use crate::engine::input::Command;
use crate::engine::lifecycle::{self, At};
use crate::engine::output::Processing;
use crate::engine::rule::ad_hoc;
use crate::engine::rule::variables::Owner;
use crate::ids::Key;
use crate::record::intent::of;
use crate::record::value::{
    BpmnElementType, IncidentRecord, JobRecord, ProcessInstanceMigrationRecord,
    ProcessInstanceRecord, UserTaskRecord, VariableRecord,
};
use crate::record::{Document, RawValue, Text};
use crate::state::ElementState;

mod agents;
mod catch_events;
mod check;
mod compensation;
mod flows;
mod user_task;

type Value = Arc<ProcessInstanceMigrationRecord>;

/// What follows the id of an ad-hoc sub-process in that of its inner instance.
const INNER_INSTANCE: &str = "#innerInstance";

/// From where to where.
pub(super) struct Migration {
    /// The instance.
    pub(super) instance: Key,
    /// The new one.
    pub(super) target: Rc<Definition>,
    /// Ids of the new definition by those of the old one.
    mapped: BTreeMap<Text, Text>,
}

impl Migration {
    /// What an element or flow of the old definition is in the new one.
    pub(super) fn target_of(&self, id: &Text) -> Option<&Text> {
        self.mapped.get(id)
    }

    /// As [`Migration::target_of`], for what is known to be mapped.
    pub(super) fn becomes(&self, id: &Text) -> Text {
        self.target_of(id).unwrap_or(id).clone()
    }

    /// Whether something of the old definition becomes `id`.
    pub(super) fn is_target(&self, id: &Text) -> bool {
        self.mapped.values().any(|target| target == id)
    }
}

/// Migrates an instance.
pub(crate) fn migrate(p: &mut Processing<'_>, _command: &Command, value: &Value) -> Outcome {
    let instance = value.process_instance_key;
    let root =
        At::find(p, instance)?.filter(|at| at.record.bpmn_element_type == BpmnElementType::Process);
    let Some(root) = root else {
        return Err(Stop::not_found(format!(
            "Expected to migrate process instance but no process instance found with key '{instance}'"
        )));
    };
    check::unique_sources(value)?;
    let target = check::target(p, &root, value)?;
    check::start_lock(p, &root, &target)?;
    check::ids_exist(value, root.process(), &target.process)?;
    let migration = Migration {
        instance,
        mapped: mapped(value, &root, &target),
        target,
    };
    agents::check(p, &migration, &root)?;
    let mut open = VecDeque::from([root.key]);
    while let Some(key) = open.pop_front() {
        let at = At::find(p, key)?.ok_or_else(|| Stop::fault("a child without row"))?;
        element_instance(p, &migration, &at)?;
        open.extend(p.state().children.members(&key)?);
    }
    agents::migrate(p, &migration)?;
    let migrated = Arc::new(ProcessInstanceMigrationRecord {
        tenant_id: root.record.tenant_id.clone(),
        root_process_instance_key: root.record.root_process_instance_key,
        process_definition_key: root.record.process_definition_key,
        bpmn_process_id: root.record.bpmn_process_id.clone(),
        ..ProcessInstanceMigrationRecord::clone(value)
    });
    let intent = of::ProcessInstanceMigration::Migrated;
    p.event(instance, intent, migrated.clone())?;
    p.respond(instance, intent, migrated);
    Ok(())
}

fn mapped(value: &Value, root: &At, target: &Definition) -> BTreeMap<Text, Text> {
    let mut mapped = BTreeMap::new();
    let inner = |id: &Text| Text::from(format!("{id}{INNER_INSTANCE}"));
    for given in &value.mapping_instructions {
        let (from, to) = (&given.source_element_id, &given.target_element_id);
        if root.process().find(&inner(from)).is_some() {
            mapped.entry(inner(from)).or_insert_with(|| inner(to));
        }
        mapped.insert(from.clone(), to.clone());
    }
    // Nobody maps the process itself.
    mapped.insert(root.process().id().clone(), target.process.id().clone());
    mapped
}

/// Migrates one element instance with what belongs to it.
fn element_instance(p: &mut Processing<'_>, migration: &Migration, at: &At) -> Outcome {
    let target = check::element(p, migration, at)?;
    let process = &migration.target.process;
    let element = &process[target];
    let after = At {
        key: at.key,
        record: Arc::new(ProcessInstanceRecord {
            process_definition_key: migration.target.key(),
            bpmn_process_id: process.id().clone(),
            version: migration.target.record.version,
            element_id: element.id.clone(),
            ..ProcessInstanceRecord::clone(&at.record)
        }),
        definition: migration.target.clone(),
        id: target,
    };
    let with_path = Arc::new(lifecycle::with_path(p, &after)?);
    p.event(
        at.key,
        of::ProcessInstance::ElementMigrated,
        with_path.clone(),
    )?;
    flows::migrate(p, migration, at, &after)?;
    if user_task::changes_hands(at, &after) {
        user_task::take_over(p, migration, at, &after)?;
    } else {
        migrate_job(p, &after, &with_path)?;
    }
    if let Some(incident) = p.state().incident_of_element(at.key)? {
        migrate_incident(p, incident, &after, &with_path)?;
    }
    migrate_user_task(p, &after)?;
    migrate_variables(p, &after)?;
    ad_hoc::describe_again(p, &after)?;
    compensation::migrate(p, migration, at)?;
    // Only what is active waits: before it does not yet, afterwards not any more.
    let row = element::row(p, &after)?;
    if row.state == ElementState::Activated {
        catch_events::migrate(p, migration, at, &after, row.is_interrupted())?;
    }
    called_instances(p, row.called_child_key)
}

fn migrate_job(p: &mut Processing<'_>, after: &At, with_path: &ProcessInstanceRecord) -> Outcome {
    let key = element::row(p, after)?.job_key;
    let Some(row) = p.state().jobs.get(&key)? else {
        return Ok(());
    };
    let record = JobRecord {
        process_definition_key: after.record.process_definition_key,
        process_definition_version: after.record.version,
        bpmn_process_id: after.record.bpmn_process_id.clone(),
        element_id: after.record.element_id.clone(),
        ..JobRecord::clone(&row.record)
    };
    p.event(key, of::Job::Migrated, record)?;
    match p.state().incident_of_job(key)? {
        Some(incident) => migrate_incident(p, incident, after, with_path),
        None => Ok(()),
    }
}

fn migrate_incident(
    p: &mut Processing<'_>,
    key: Key,
    after: &At,
    with_path: &ProcessInstanceRecord,
) -> Outcome {
    let Some(row) = p.state().incidents.get(&key)? else {
        return Err(Stop::fault(format!("no incident with key '{key}'")));
    };
    let record = IncidentRecord {
        process_definition_key: after.record.process_definition_key,
        bpmn_process_id: after.record.bpmn_process_id.clone(),
        element_id: after.record.element_id.clone(),
        element_instance_path: with_path.element_instance_path.clone(),
        process_definition_path: with_path.process_definition_path.clone(),
        calling_element_path: with_path.calling_element_path.clone(),
        ..IncidentRecord::clone(&row.record)
    };
    p.event(key, of::Incident::Migrated, record)
}

fn migrate_user_task(p: &mut Processing<'_>, after: &At) -> Outcome {
    let key = element::row(p, after)?.user_task_key;
    let Some(row) = p.state().user_tasks.get(&key)? else {
        return Ok(());
    };
    let record = UserTaskRecord {
        process_definition_key: after.record.process_definition_key,
        process_definition_version: after.record.version,
        bpmn_process_id: after.record.bpmn_process_id.clone(),
        element_id: after.record.element_id.clone(),
        variables: Document::EMPTY,
        ..UserTaskRecord::clone(&row.record)
    };
    p.event(key, of::UserTask::Migrated, record)
}

/// States whose the local variables are now; their values stay unsaid.
fn migrate_variables(p: &mut Processing<'_>, after: &At) -> Outcome {
    let owner = Owner::of(&after.record);
    let mut local: Vec<(Text, Key)> = p.state().variables.with(&after.key, |rows| {
        rows.iter()
            .map(|(name, row)| (name.clone(), row.key))
            .collect()
    })?;
    // Zeebe's store sorts texts by their length first.
    local.sort_by(|(one, _), (other, _)| (one.len(), &**one).cmp(&(other.len(), &**other)));
    for (name, key) in local {
        let record = VariableRecord {
            name,
            value: RawValue::EMPTY,
            scope_key: after.key,
            process_instance_key: owner.process_instance_key,
            root_process_instance_key: owner.root_process_instance_key,
            process_definition_key: owner.process_definition_key,
            bpmn_process_id: owner.bpmn_process_id.clone(),
            tenant_id: owner.tenant_id.clone(),
        };
        p.event(key, of::Variable::Migrated, record)?;
    }
    Ok(())
}

/// The instances below a call activity: the call above them has another id and index now.
fn called_instances(p: &mut Processing<'_>, called: Key) -> Outcome {
    let mut open = VecDeque::from([called]);
    while let Some(key) = open.pop_front() {
        let Some(at) = At::find(p, key)? else {
            continue;
        };
        let record = lifecycle::with_path(p, &at)?;
        p.event(key, of::ProcessInstance::AncestorMigrated, record)?;
        open.extend(p.state().children.members(&key)?);
        let called = element::row(p, &at)?.called_child_key;
        if called.is_some() {
            open.push_back(called);
        }
    }
    Ok(())
}
