//! PROCESS_INSTANCE_CREATION CREATE, with or without waiting for the result.
//!
//! The instance gets its variables and a command that activates its process; the caller is answered
//! at once, or when the instance completes. With start instructions the process is activated here
//! and each instruction becomes a command for its element.

use std::rc::Rc;
use std::sync::Arc;

use crate::engine::await_result::Awaited;
use crate::engine::definitions::Definition;
use crate::engine::fault::{Failure, Outcome, Stop};
use crate::engine::input::Command;
use crate::engine::lifecycle::{self, At};
use crate::engine::output::Processing;
use crate::engine::rule::subscriptions;
use crate::engine::rule::variables::{self, Owner};
use crate::ids::Key;
use crate::model::{Behavior, Element, ElementId, Process, hash_order};
use crate::msgpack;
use crate::record::intent::of;
use crate::record::value::{
    BpmnElementType, ProcessInstanceCreationRecord, ProcessInstanceRecord, ProcessRecord,
};
use crate::record::{Document, Intent, RejectionType, Text};

/// Tags an instance may have.
pub(crate) const TAGS_MAX: usize = 10;
/// Characters of a tag.
pub(crate) const TAG_LENGTH_MAX: usize = 100;
/// Characters of a business id.
pub(crate) const BUSINESS_ID_LENGTH_MAX: usize = 256;

type Value = Arc<ProcessInstanceCreationRecord>;

/// Creates an instance.
pub(crate) fn create(p: &mut Processing<'_>, command: &Command, value: &Value) -> Outcome {
    let definition = find_definition(p, value)?;
    check(p, value, &definition)?;
    let instance = p.next_key();
    let record = Arc::new(ProcessInstanceRecord {
        bpmn_process_id: definition.record.bpmn_process_id.clone(),
        version: definition.record.version,
        process_definition_key: definition.key(),
        process_instance_key: instance,
        root_process_instance_key: instance,
        element_id: definition.process.id().clone(),
        bpmn_element_type: BpmnElementType::Process,
        bpmn_event_type: definition.process.root().event_type,
        tenant_id: value.tenant_id.clone(),
        tags: value.tags.clone(),
        business_id: value.business_id.clone(),
        ..ProcessInstanceRecord::default()
    });
    let owner = Owner::of(&record);
    p.state().variables.found(&instance);
    variables::merge_local(p, instance, &owner, &value.variables)?;
    if value.start_instructions.is_empty() {
        p.command(
            instance,
            of::ProcessInstance::ActivateElement,
            record.clone(),
        )?;
    } else {
        start_at_elements(p, instance, &record, &definition, value)?;
    }
    let created = Arc::new(ProcessInstanceCreationRecord {
        bpmn_process_id: record.bpmn_process_id.clone(),
        process_definition_key: record.process_definition_key,
        version: record.version,
        process_instance_key: instance,
        // They are in records of their own already.
        variables: Document::EMPTY,
        ..ProcessInstanceCreationRecord::clone(value)
    });
    let key = p.next_key();
    p.event(key, of::ProcessInstanceCreation::Created, created.clone())?;
    let awaits = command.intent
        == Intent::ProcessInstanceCreation(of::ProcessInstanceCreation::CreateWithAwaitingResult);
    if !awaits {
        p.respond(key, of::ProcessInstanceCreation::Created, created);
    } else if let Some(request) = p.request() {
        let fetch_variables = value.fetch_variables.clone();
        let awaited = Awaited {
            request,
            fetch_variables,
        };
        p.awaited.insert(instance, awaited);
    }
    Ok(())
}

fn find_definition(p: &Processing<'_>, value: &Value) -> Outcome<Rc<Definition>> {
    let (tenant, id) = (&value.tenant_id, &value.bpmn_process_id);
    let key = value.process_definition_key;
    let (row, missing) = if !id.is_empty() && value.version >= 0 {
        let row = p
            .state()
            .definition_with_version(tenant, id, value.version)?;
        (
            row,
            format!(
                "Expected to find process definition with process ID '{id}' and version '{}', but none found",
                value.version
            ),
        )
    } else if !id.is_empty() {
        let row = p.state().latest_definition(tenant, id)?;
        (
            row,
            format!("Expected to find process definition with process ID '{id}', but none found"),
        )
    } else if key.0 >= 0 {
        let row = p.state().definition(key, tenant)?;
        (
            row,
            format!("Expected to find process definition with key '{key}', but none found"),
        )
    } else {
        return Err(Stop::invalid_argument(
            "Expected at least a bpmnProcessId or a key greater than -1, but none given",
        ));
    };
    match row {
        Some(row) => p.definition(row.record.process_definition_key),
        None => Err(Stop::not_found(missing)),
    }
}

fn check(p: &Processing<'_>, value: &Value, definition: &Definition) -> Outcome {
    let process = &definition.process;
    if let Err(error) = msgpack::validate_document(value.variables.as_bytes()) {
        return Err(Stop::invalid_argument(format!(
            "Expected document to be valid msgpack, but it could not be parsed: {error}"
        )));
    }
    if value.start_instructions.is_empty() && process.none_start_event().is_none() {
        return Err(Stop::invalid_state(
            "Expected to create instance of process with none start event, but there is no such event",
        ));
    }
    for check in [exists, not_repeated, of_known_type, not_behind_gateway] {
        for instruction in &value.start_instructions {
            check(process, &instruction.element_id)?;
        }
    }
    check_tags(&value.tags)?;
    if is_too_long(&value.business_id) {
        return Err(Stop::invalid_argument(format!(
            "Expected to create instance of process with a valid business id, but the business id exceeds the max length of {BUSINESS_ID_LENGTH_MAX}."
        )));
    }
    check_unique(p, &value.business_id, &definition.record)
}

/// Whether a business id has too many characters, counted as Java does.
pub(crate) fn is_too_long(business_id: &Text) -> bool {
    business_id.encode_utf16().count() > BUSINESS_ID_LENGTH_MAX
}

/// Instances that are banned will never end, and hinder nobody.
fn check_unique(p: &Processing<'_>, id: &Text, definition: &ProcessRecord) -> Outcome {
    if !p.config.unique_business_ids || id.is_empty() {
        return Ok(());
    }
    let process = &definition.bpmn_process_id;
    let group = (definition.tenant_id.clone(), process.clone(), id.clone());
    let running = p.state().instances_by_business_id.members(&group)?;
    if running.iter().all(|key| p.state().banned.contains(key)) {
        return Ok(());
    }
    Err(Stop::reject(
        RejectionType::AlreadyExists,
        format!(
            "Expected to create instance of process with business id '{id}', but an instance with this business id already exists for process definition '{process}'"
        ),
    ))
}

fn check_tags(tags: &[Text]) -> Outcome {
    if tags.len() > TAGS_MAX {
        return Err(Stop::invalid_argument(format!(
            "Expected to create instance of process with tags, but the number of tags exceeds the limit of {TAGS_MAX}."
        )));
    }
    let wrong = |tag: &&str| {
        let mut characters = tag.chars();
        let starts = characters.next().is_some_and(|c| c.is_ascii_alphabetic());
        let goes_on = characters.all(|c| c.is_ascii_alphanumeric() || "_-:.".contains(c));
        !starts || !goes_on || tag.len() > TAG_LENGTH_MAX
    };
    let mut listed = hash_order::in_table(tags.iter().map(Text::as_str), hash_order::of_text);
    listed.retain(wrong);
    if listed.is_empty() {
        return Ok(());
    }
    Err(Stop::invalid_argument(format!(
        "Expected to create instance of process with tags, but the tags '{}' are invalid. Tags must start with a letter (a-z, A-Z), followed by alphanumerics, underscores, minuses, colons, or periods. It must not be blank and must be {TAG_LENGTH_MAX} characters or less.",
        listed.join("', '")
    )))
}

/// Elements of start instructions are checked rule by rule.
fn exists(process: &Process, id: &Text) -> Outcome {
    if process.element(id).is_some() || process.flow(id).is_some() {
        return Ok(());
    }
    Err(Stop::invalid_argument(format!(
        "Expected to create instance of process with start instructions but no element found with id '{id}'."
    )))
}

fn not_repeated(process: &Process, id: &Text) -> Outcome {
    let repeated = process.element(id).is_some_and(|id| {
        scopes(process, &process[id])
            .any(|scope| matches!(scope.behavior, Behavior::MultiInstance(_)))
    });
    if !repeated {
        return Ok(());
    }
    Err(Stop::invalid_argument(format!(
        "Expected to create instance of process with start instructions but the element with id '{id}' is inside a multi-instance subprocess. The creation of elements inside a multi-instance subprocess is not supported."
    )))
}

fn not_behind_gateway(process: &Process, id: &Text) -> Outcome {
    let behind_gateway = process.element(id).is_some_and(|id| {
        process[id].incoming.iter().any(|flow| {
            process[process[*flow].source].element_type == BpmnElementType::EventBasedGateway
        })
    });
    if !behind_gateway {
        return Ok(());
    }
    Err(Stop::invalid_argument(format!(
        "Expected to create instance of process with start instructions but the element with id '{id}' belongs to an event-based gateway. The creation of elements belonging to an event-based gateway is not supported."
    )))
}

fn of_known_type(process: &Process, id: &Text) -> Outcome {
    let refuse = |what: String| Err(Stop::invalid_argument(what));
    let Some(target) = process.element(id) else {
        return refuse(unsupported_start(id, BpmnElementType::SequenceFlow));
    };
    let element = &process[target];
    match element.element_type {
        BpmnElementType::StartEvent
        | BpmnElementType::SequenceFlow
        | BpmnElementType::BoundaryEvent
        | BpmnElementType::Unspecified
        | BpmnElementType::Process => refuse(unsupported_start(id, element.element_type)),
        BpmnElementType::SubProcess
        | BpmnElementType::EventSubProcess
        | BpmnElementType::AdHocSubProcess
        | BpmnElementType::AdHocSubProcessInnerInstance
        | BpmnElementType::IntermediateCatchEvent
        | BpmnElementType::IntermediateThrowEvent
        | BpmnElementType::EndEvent
        | BpmnElementType::ServiceTask
        | BpmnElementType::ReceiveTask
        | BpmnElementType::UserTask
        | BpmnElementType::ManualTask
        | BpmnElementType::Task
        | BpmnElementType::ExclusiveGateway
        | BpmnElementType::ParallelGateway
        | BpmnElementType::EventBasedGateway
        | BpmnElementType::InclusiveGateway
        | BpmnElementType::MultiInstanceBody
        | BpmnElementType::CallActivity
        | BpmnElementType::BusinessRuleTask
        | BpmnElementType::ScriptTask
        | BpmnElementType::SendTask => Ok(()),
    }
}

fn unsupported_start(id: &Text, kind: BpmnElementType) -> String {
    let supported: Vec<&str> = BpmnElementType::ALL
        .iter()
        .filter(|kind| {
            !matches!(
                kind,
                BpmnElementType::Unspecified
                    | BpmnElementType::StartEvent
                    | BpmnElementType::SequenceFlow
                    | BpmnElementType::BoundaryEvent
            )
        })
        .map(|kind| kind.name())
        .collect();
    format!(
        "Expected to create instance of process with start instructions but the element with id '{id}' targets unsupported element type '{}'. Supported element types are: [{}]",
        kind.name(),
        supported.join(", ")
    )
}

/// The scopes around an element, from the inside out.
fn scopes<'p>(process: &'p Process, element: &'p Element) -> impl Iterator<Item = &'p Element> {
    std::iter::successors(element.scope, |scope| process[*scope].scope).map(|scope| &process[scope])
}

/// Activates the process and every scope around the targets, then asks for the targets.
fn start_at_elements(
    p: &mut Processing<'_>,
    instance: Key,
    record: &Arc<ProcessInstanceRecord>,
    definition: &Rc<Definition>,
    value: &Value,
) -> Outcome {
    let root = At {
        key: instance,
        record: record.clone(),
        definition: definition.clone(),
        id: ElementId::PROCESS,
    };
    open_scope(p, &root)?;
    let mut opened: Vec<At> = vec![root];
    for instruction in &value.start_instructions {
        let process = &definition.process;
        let Some(target) = process.element(&instruction.element_id) else {
            continue;
        };
        let mut missing: Vec<ElementId> =
            std::iter::successors(process[target].scope, |scope| process[*scope].scope)
                .take_while(|scope| !opened.iter().any(|at| at.id == *scope))
                .collect();
        while let Some(id) = missing.pop() {
            let parent = scope_of(&opened, process, id)?;
            let at = At {
                key: p.next_key(),
                record: parent.child(&process[id]).into(),
                definition: definition.clone(),
                id,
            };
            open_scope(p, &at)?;
            opened.push(at);
        }
        let parent = scope_of(&opened, process, target)?;
        let record = parent.child(&process[target]);
        let key = p.next_key();
        p.command(key, of::ProcessInstance::ActivateElement, record)?;
    }
    Ok(())
}

fn scope_of(opened: &[At], process: &Process, id: ElementId) -> Outcome<At> {
    opened
        .iter()
        .find(|at| process[id].scope == Some(at.id))
        .cloned()
        .ok_or_else(|| Stop::fault("a scope that is not open"))
}

fn open_scope(p: &mut Processing<'_>, at: &At) -> Outcome {
    lifecycle::activating(p, at)?;
    lifecycle::activated(p, at)?;
    subscriptions::open(p, at).map_err(|stop| match stop {
        Stop::Incident(Failure { message, .. }) => Stop::invalid_argument(format!(
            "Expected to subscribe to catch event(s) of '{}' but {message}",
            at.record.element_id
        )),
        Stop::Reject(_) | Stop::TooLarge | Stop::Fault(_) => stop,
    })
}
