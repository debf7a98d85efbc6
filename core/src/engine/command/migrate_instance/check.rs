//! What keeps an instance from being migrated, in the order and the words of Camunda.
//!
//! First the request as a whole, then each element instance before it is touched. A refusal takes
//! back what was written for the instances before it.

use std::rc::Rc;

use rustc_hash::FxHashSet;

use crate::engine::command::migrate_instance::Migration;
use crate::engine::definitions::Definition;
use crate::engine::element;
use crate::engine::fault::{Outcome, Stop};
use crate::engine::lifecycle::At;
use crate::engine::output::Processing;
use crate::engine::rule::starts;
use crate::ids::Key;
use crate::model::{Behavior, Element, ElementId, Process, hash_order};
use crate::record::Text;
use crate::record::value::{BpmnElementType, BpmnEventType, ProcessInstanceMigrationRecord};

/// The beginning of every text about an instance.
fn expected(instance: Key) -> String {
    format!("Expected to migrate process instance '{instance}' but ")
}

/// No source is mapped twice.
pub(super) fn unique_sources(value: &ProcessInstanceMigrationRecord) -> Outcome {
    let ids = || (value.mapping_instructions.iter()).map(|given| given.source_element_id.as_str());
    let mut known = FxHashSet::default();
    let again: FxHashSet<&str> = ids().filter(|id| !known.insert(*id)).collect();
    if again.is_empty() {
        return Ok(());
    }
    let mut twice = hash_order::in_table(ids(), hash_order::of_text);
    twice.retain(|id| again.contains(id));
    Err(Stop::invalid_argument(format!(
        "{}the mapping instructions contain duplicate source element ids '[{}]'.",
        expected(value.process_instance_key),
        twice.join(", ")
    )))
}

/// The new definition.
pub(super) fn target(
    p: &Processing<'_>,
    root: &At,
    value: &ProcessInstanceMigrationRecord,
) -> Outcome<Rc<Definition>> {
    let key = value.target_process_definition_key;
    match p.state().definition(key, &root.record.tenant_id)? {
        Some(_) => p.definition(key),
        None => Err(Stop::not_found(format!(
            "Expected to migrate process instance to process definition but no process definition found with key '{key}'"
        ))),
    }
}

/// One instance per correlation key of a message start event.
pub(super) fn start_lock(p: &Processing<'_>, root: &At, target: &Definition) -> Outcome {
    let id = target.process.id();
    if *id == root.record.bpmn_process_id || !starts::has_message_start(&target.process) {
        return Ok(());
    }
    let Some(lock) = p.state().message_locked_instances.get(&root.key)? else {
        return Ok(());
    };
    let key = &lock.correlation_key;
    if !(p.state()).is_start_locked(&root.record.tenant_id, id, key)? {
        return Ok(());
    }
    Err(Stop::invalid_state(format!(
        "{}target process definition '{}' has an active instance triggered by a message start event with correlation key '{key}'. Only one instance per correlation key is allowed for message start events.",
        expected(root.key),
        target.key()
    )))
}

/// What instructions name exists.
pub(super) fn ids_exist(
    value: &ProcessInstanceMigrationRecord,
    source: &Process,
    target: &Process,
) -> Outcome {
    let missing = |side: &str, id: &Text| {
        Err(Stop::invalid_argument(format!(
            "{}mapping instructions contain a non-existing {side} element id '{id}'. Elements provided in mapping instructions must exist in the {side} process definition.",
            expected(value.process_instance_key)
        )))
    };
    for given in &value.mapping_instructions {
        if source.find(&given.source_element_id).is_none() {
            return missing("source", &given.source_element_id);
        }
        if target.find(&given.target_element_id).is_none() {
            return missing("target", &given.target_element_id);
        }
    }
    Ok(())
}

/// Checks one element instance; what it becomes.
pub(super) fn element(p: &Processing<'_>, migration: &Migration, at: &At) -> Outcome<ElementId> {
    let refuse = |what: String| {
        let reason = expected(migration.instance) + &what;
        Err(Stop::invalid_state(reason))
    };
    if let Some(what) = unsupported(at) {
        return refuse(what);
    }
    let id = &at.record.element_id;
    let Some(target_id) = migration.target_of(id) else {
        return refuse(format!(
            "no mapping instruction defined for active element with id '{id}'. Elements cannot be migrated without a mapping."
        ));
    };
    let process = &migration.target.process;
    let row = element::row(p, at)?;
    let kind = at.record.bpmn_element_type;
    let outer = process.element(target_id);
    // A body and what it repeats have one id.
    let target = match outer {
        Some(outer) if row.loop_counter > 0 && kind != process[outer].element_type => {
            process.element_of(target_id, kind)
        }
        Some(_) | None => outer,
    };
    let found = target.map_or(BpmnElementType::SequenceFlow, |target| {
        process[target].element_type
    });
    let (Some(target), true) = (target, found == kind) else {
        return refuse(format!(
            "active element with id '{id}' and type '{}' is mapped to an element with id '{target_id}' and different type '{}'. Elements must be mapped to elements of the same type.",
            kind.name(),
            found.name()
        ));
    };
    implementation(migration, at, &process[target])?;
    flow_scope(p, migration, at, &process[target])?;
    catch_events(migration, at, &process[target])?;
    if let (Behavior::MultiInstance(old), Behavior::MultiInstance(new)) =
        (&at.element().behavior, &process[target].behavior)
        && old.sequential != new.sequential
    {
        return refuse(format!(
            "active element with id '{id}' has a different loop characteristics than the target element with id '{target_id}'. Both elements must have either sequential or parallel loop characteristics."
        ));
    }
    let waiting = super::flows::tokens_at_joins(p, at)?;
    if p.state().peek_trigger(at.key)?.is_some() || row.active_flows > waiting {
        return Err(concurrent(migration));
    }
    Ok(target)
}

/// A command for the instance is under way.
pub(super) fn concurrent(migration: &Migration) -> Stop {
    Stop::invalid_state(format!(
        "{}a concurrent command was executed on the process instance. Please retry the migration.",
        expected(migration.instance)
    ))
}

/// A refusal with INVALID_ARGUMENT.
pub(super) fn invalid(migration: &Migration, what: &str) -> Stop {
    Stop::invalid_argument(expected(migration.instance) + what)
}

/// A refusal with INVALID_STATE.
pub(super) fn refused(migration: &Migration, what: &str) -> Stop {
    Stop::invalid_state(expected(migration.instance) + what)
}

fn unsupported(at: &At) -> Option<String> {
    let record = &at.record;
    let supported = match record.bpmn_element_type {
        BpmnElementType::Process
        | BpmnElementType::SubProcess
        | BpmnElementType::EventSubProcess
        | BpmnElementType::AdHocSubProcess
        | BpmnElementType::AdHocSubProcessInnerInstance
        | BpmnElementType::IntermediateCatchEvent
        | BpmnElementType::ServiceTask
        | BpmnElementType::ReceiveTask
        | BpmnElementType::UserTask
        | BpmnElementType::ExclusiveGateway
        | BpmnElementType::InclusiveGateway
        | BpmnElementType::EventBasedGateway
        | BpmnElementType::MultiInstanceBody
        | BpmnElementType::CallActivity
        | BpmnElementType::BusinessRuleTask
        | BpmnElementType::ScriptTask
        | BpmnElementType::SendTask => true,
        BpmnElementType::Unspecified
        | BpmnElementType::StartEvent
        | BpmnElementType::IntermediateThrowEvent
        | BpmnElementType::BoundaryEvent
        | BpmnElementType::EndEvent
        | BpmnElementType::ManualTask
        | BpmnElementType::Task
        | BpmnElementType::ParallelGateway
        | BpmnElementType::SequenceFlow => false,
    };
    let id = &record.element_id;
    if !supported {
        return Some(format!(
            "active element with id '{id}' has an unsupported type. The migration of a {} is not supported.",
            record.bpmn_element_type.name()
        ));
    }
    if record.bpmn_element_type != BpmnElementType::IntermediateCatchEvent {
        return None;
    }
    let known = match record.bpmn_event_type {
        BpmnEventType::Message
        | BpmnEventType::Timer
        | BpmnEventType::Signal
        | BpmnEventType::Conditional => true,
        BpmnEventType::Unspecified
        | BpmnEventType::None
        | BpmnEventType::Error
        | BpmnEventType::Escalation
        | BpmnEventType::Link
        | BpmnEventType::Terminate
        | BpmnEventType::Compensation => false,
    };
    if !known {
        return Some(format!(
            "active element with id '{id}' is intermediate catch event of type '{}'. Migrating active intermediate catch event of this type is not possible yet.",
            record.bpmn_event_type.name()
        ));
    }
    let process = at.process();
    let behind_gateway = at.element().incoming.iter().any(|flow| {
        process[process[*flow].source].element_type == BpmnElementType::EventBasedGateway
    });
    behind_gateway.then(|| {
        format!(
            "active element with id '{id}' is an intermediate catch event attached to an event-based gateway. Migrating active events attached to an event-based gateway is not possible yet."
        )
    })
}

/// The job that stands for a user task is not there.
pub(super) fn no_job(migration: &Migration, at: &At, job: Key) -> Stop {
    // Where there never was one, the reference says 0.
    let job = job.0.max(0);
    Stop::invalid_state(format!(
        "Expected to migrate a job for user task '{}' on process instance with key '{}', but could not find job with key '{job}'. Please resolve any incidents on the user task before migrating the process instance.",
        at.record.element_id, migration.instance
    ))
}

/// A user task that the engine manages does not go to a job worker; the other way is open.
fn implementation(migration: &Migration, at: &At, target: &Element) -> Outcome {
    let name = |element: &Element| {
        if let Behavior::UserTask(_) = &element.behavior {
            "zeebe user task"
        } else {
            "job worker"
        }
    };
    let (old, new) = (name(at.element()), name(target));
    let stays = matches!(at.element().behavior, Behavior::Job(_)) || old == new;
    if at.record.bpmn_element_type != BpmnElementType::UserTask || stays {
        return Ok(());
    }
    Err(refused(
        migration,
        &format!(
            "active user task with id '{}' and implementation '{old}' is mapped to an user task with id '{}' and different implementation '{new}'. Elements must be mapped to elements of the same implementation.",
            at.record.element_id, target.id
        ),
    ))
}

/// The scope around it was migrated before it, to the scope that the target element has.
fn flow_scope(p: &Processing<'_>, migration: &Migration, at: &At, target: &Element) -> Outcome {
    let Some(scope) = p.state().elements.get(&at.record.flow_scope_key)? else {
        return Ok(());
    };
    let process = &migration.target.process;
    let actual = target
        .scope
        .map_or(&Text::EMPTY, |scope| &process[scope].id);
    let wanted = &scope.record.element_id;
    if actual == wanted {
        return Ok(());
    }
    Err(refused(
        migration,
        &format!(
            "the flow scope of active element with id '{}' is changed. The flow scope of the active element is expected to be '{wanted}' but was '{actual}'. The flow scope of an element cannot be changed during migration yet.",
            at.record.element_id
        ),
    ))
}

/// Mapped catch events stay with their element, one for one, and of their type.
fn catch_events(migration: &Migration, at: &At, target: &Element) -> Outcome {
    let (old, new) = (at.process(), &migration.target.process);
    let id = &at.record.element_id;
    let mapped: Vec<(&Element, &Text)> = (at.element().waits_for.iter())
        .filter_map(|event| Some((&old[*event], migration.target_of(&old[*event].id)?)))
        .collect();
    for (event, becomes) in &mapped {
        if !target
            .waits_for
            .iter()
            .any(|known| new[*known].id == **becomes)
        {
            return Err(refused(
                migration,
                &format!(
                    "active element with id '{id}' is mapped to an element with id '{}' and has a catch event with id '{}' that is mapped to a catch event with id '{becomes}'. These mappings detach the catch event from the element in the target process. Catch events must stay attached to the same element instance.",
                    target.id, event.id
                ),
            ));
        }
    }
    for (_, becomes) in &mapped {
        let mut sources: Vec<&str> = (mapped.iter())
            .filter(|(_, other)| other == becomes)
            .map(|(event, _)| event.id.as_str())
            .collect();
        if sources.len() > 1 {
            sources.sort_unstable();
            return Err(refused(
                migration,
                &format!(
                    "active element with id '{id}' has a catch event attached that is mapped to a catch event with id '{becomes}'. There are multiple mapping instructions that target this catch event: '{}'. Catch events cannot be merged by process instance migration. Please ensure the mapping instructions target a catch event only once.",
                    sources.join("', '")
                ),
            ));
        }
    }
    for (event, becomes) in mapped {
        let kind = new
            .element(becomes)
            .map_or(BpmnEventType::Unspecified, |id| new[id].event_type);
        if kind != event.event_type {
            return Err(refused(
                migration,
                &format!(
                    "active element with id '{id}' has a catch event with id '{}' that is mapped to a catch event with id '{becomes}'. These catch events have different event types: '{}' and '{}'. The event type of a catch event cannot be changed by process instance migration. Please ensure the event type of the catch event remains the same or remove the mapping instruction for these catch events.",
                    event.id,
                    event.event_type.name(),
                    kind.name()
                ),
            ));
        }
    }
    Ok(())
}
