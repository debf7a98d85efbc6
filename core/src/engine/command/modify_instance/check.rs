//! What a modification may not ask for, in the order and the words of Camunda.
//!
//! First the instructions by themselves, then what became of them: elements, instances, variable
//! scopes, ancestors, and activations in what is terminated. Nothing is written here.

use std::fmt::Display;

use rustc_hash::FxHashSet;

use crate::engine::command::modify_instance::activate::scopes;
use crate::engine::command::modify_instance::resolve::Plan;
use crate::engine::fault::{Outcome, Stop};
use crate::engine::lifecycle::At;
use crate::engine::output::Processing;
use crate::model::{Element, ElementId, Process, hash_order};
use crate::msgpack;
use crate::record::Text;
use crate::record::value::{
    ActivateInstruction, BpmnElementType, MoveInstruction, ProcessInstanceModificationRecord,
};

/// What is listed, each once, in the order given.
pub(super) fn distinct<T: Display>(items: impl IntoIterator<Item = T>) -> Vec<String> {
    let mut known = FxHashSet::default();
    let texts = items.into_iter().map(|item| item.to_string());
    texts.filter(|text| known.insert(text.clone())).collect()
}

/// What is listed, each once, in the order of a hash table.
fn hashed<T: Display>(items: impl IntoIterator<Item = T>) -> Vec<String> {
    let texts: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    let ordered = hash_order::in_table(texts.iter().map(String::as_str), hash_order::of_text);
    ordered.into_iter().map(str::to_owned).collect()
}

/// Refuses with `what` and the list, unless that is empty.
fn refuse_if_any(
    process: &Process,
    what: &str,
    items: impl IntoIterator<Item = String>,
) -> Outcome {
    let items: Vec<String> = items.into_iter().collect();
    if items.is_empty() {
        return Ok(());
    }
    let listed = items.join("', '");
    Err(refusal(process, &format!("{what}: '{listed}'")))
}

fn refusal(process: &Process, what: &str) -> Stop {
    Stop::invalid_argument(format!(
        "Expected to modify instance of process '{}' but it contains {what}",
        process.id()
    ))
}

/// The instructions as they were given.
pub(super) fn as_given(value: &ProcessInstanceModificationRecord, process: &Process) -> Outcome {
    let terminate = &value.terminate_instructions;
    let pair = |given: &crate::record::value::TerminateInstruction| {
        format!("({}, {})", given.element_instance_key, given.element_id)
    };
    let nothing = terminate
        .iter()
        .filter(|given| given.element_instance_key.0 <= 0 && is_blank(&given.element_id));
    refuse_if_any(
        process,
        "one or more terminate instructions with neither an element instance key nor element id",
        nothing.map(pair),
    )?;
    let both = terminate
        .iter()
        .filter(|given| given.element_instance_key.0 > 0 && !is_blank(&given.element_id));
    refuse_if_any(
        process,
        "one or more terminate instructions with both element instance key and element id, but only one of them is allowed",
        both.map(pair),
    )?;
    moves(&value.move_instructions, process)?;
    let documents = value
        .activate_instructions
        .iter()
        .map(|given| &given.variable_instructions)
        .chain(
            value
                .move_instructions
                .iter()
                .map(|given| &given.variable_instructions),
        );
    for given in documents.flatten() {
        if let Err(error) = msgpack::validate_document(given.variables.as_bytes()) {
            return Err(Stop::invalid_argument(format!(
                "Expected document to be valid msgpack, but it could not be parsed: '{error}'"
            )));
        }
    }
    Ok(())
}

fn is_blank(text: &Text) -> bool {
    text.trim().is_empty()
}

fn moves(moves: &[MoveInstruction], process: &Process) -> Outcome {
    let source = |given: &MoveInstruction| {
        if is_blank(&given.source_element_id) && given.source_element_instance_key.0 > 0 {
            given.source_element_instance_key.to_string()
        } else {
            given.source_element_id.to_string()
        }
    };
    let pair =
        |given: &MoveInstruction| format!("({}, {})", source(given), given.target_element_id);
    let missing = moves.iter().filter(|given| {
        let no_source =
            given.source_element_instance_key.0 <= 0 && is_blank(&given.source_element_id);
        no_source || is_blank(&given.target_element_id)
    });
    refuse_if_any(
        process,
        "one or more move instructions with either or both the source or target element id missing",
        missing.map(pair),
    )?;
    let ids = moves.iter().map(|given| given.source_element_id.as_str());
    let ids = ids.filter(|id| !id.trim().is_empty());
    let mut known = FxHashSet::default();
    let again: FxHashSet<&str> = ids.clone().filter(|id| !known.insert(*id)).collect();
    let twice = hash_order::in_table(ids, hash_order::of_text).into_iter();
    let twice = twice.filter(|id| again.contains(id)).map(str::to_owned);
    refuse_if_any(
        process,
        "multiple move instructions with identical source element ids",
        twice,
    )?;
    let both = moves.iter().filter(|given| {
        given.source_element_instance_key.0 > 0 && !is_blank(&given.source_element_id)
    });
    refuse_if_any(
        process,
        "one or more move instructions with both source element instance key and source element id, but only one of them is allowed",
        both.map(|given| {
            format!(
                "({}/{}, {})",
                given.source_element_id, given.source_element_instance_key, given.target_element_id
            )
        }),
    )?;
    let ambiguous = moves.iter().filter(|given| {
        let options = [
            given.ancestor_scope_key.0 > 0,
            given.infer_ancestor_scope,
            given.use_source_parent,
        ];
        options.iter().filter(|set| **set).count() > 1
    });
    refuse_if_any(
        process,
        "one or more move instructions with multiple ancestor scope options set. Only one of the following can be specified: ancestorScopeKey, inferAncestorScopeFromSourceHierarchy, or useSourceParentKeyAsAncestorScopeKey",
        ambiguous.map(pair),
    )
}

/// What the instructions became.
pub(super) fn resolved(p: &Processing<'_>, root: &At, plan: &Plan) -> Outcome {
    let process = root.process();
    let unknown = plan
        .activate
        .iter()
        .map(|given| &given.element_id)
        .filter(|id| process.find(id).is_none());
    refuse_if_any(
        process,
        "one or more activate instructions with an element that could not be found",
        hashed(unknown),
    )?;
    supported(process, &plan.activate)?;
    let mut missing = Vec::new();
    for given in &plan.terminate {
        let row = p.state().elements.get(&given.element_instance_key)?;
        if row.is_none_or(|row| row.record.process_instance_key != root.key) {
            missing.push(given.element_instance_key);
        }
    }
    refuse_if_any(
        process,
        "one or more terminate instructions with an element instance that could not be found",
        distinct(missing),
    )?;
    variable_scopes(process, &plan.activate)?;
    ancestors(p, root, &plan.activate)?;
    kept_scopes(p, root, plan)
}

/// The kinds of elements that can be activated.
fn supported(process: &Process, activate: &[ActivateInstruction]) -> Outcome {
    let refuse = |ids: String, why: String| {
        let what = format!(
            "one or more activate instructions for elements that are unsupported: '{ids}'. {why}."
        );
        Err(refusal(process, &what))
    };
    let behind_gateway: Vec<&Text> = activate
        .iter()
        .map(|given| &given.element_id)
        .filter(|id| {
            process
                .element(id)
                .is_some_and(|id| waits_at_gateway(process, id))
        })
        .collect();
    if !behind_gateway.is_empty() {
        let why = "The activation of events belonging to an event-based gateway is not supported";
        return refuse(distinct(behind_gateway).join("', '"), why.to_owned());
    }
    let kind = |id: &Text| match process.element(id) {
        Some(id) => process[id].element_type,
        None => BpmnElementType::SequenceFlow,
    };
    let refused: Vec<&Text> = activate
        .iter()
        .map(|given| &given.element_id)
        .filter(|id| !can_be_activated(kind(id)) || **id == *process.id())
        .collect();
    if refused.is_empty() {
        return Ok(());
    }
    let kinds = distinct(refused.iter().map(|id| kind(id).name())).join("', '");
    let known: Vec<&str> = BpmnElementType::ALL
        .iter()
        .filter(|kind| can_be_activated(**kind))
        .map(|kind| kind.name())
        .collect();
    let why = format!(
        "The activation of elements with type '{kinds}' is not supported. Supported element types are: [{}]",
        known.join(", ")
    );
    refuse(distinct(refused).join("', '"), why)
}

fn can_be_activated(kind: BpmnElementType) -> bool {
    match kind {
        BpmnElementType::Unspecified
        | BpmnElementType::StartEvent
        | BpmnElementType::SequenceFlow
        | BpmnElementType::BoundaryEvent => false,
        BpmnElementType::Process
        | BpmnElementType::SubProcess
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
        | BpmnElementType::SendTask => true,
    }
}

fn waits_at_gateway(process: &Process, id: ElementId) -> bool {
    let element: &Element = &process[id];
    let behind = element.incoming.iter().any(|flow| {
        process[process[*flow].source].element_type == BpmnElementType::EventBasedGateway
    });
    behind && element.element_type == BpmnElementType::IntermediateCatchEvent
}

/// Whether an instance of `scope_id` can be around the element `id`.
fn is_scope_of(process: &Process, scope_id: &Text, id: &Text) -> bool {
    let Some(id) = process.element(id) else {
        return false;
    };
    let around = scopes(process, id);
    around.iter().any(|scope| process[*scope].id == *scope_id)
}

fn variable_scopes(process: &Process, activate: &[ActivateInstruction]) -> Outcome {
    let named = || {
        activate.iter().flat_map(|given| {
            let scopes = given.variable_instructions.iter().map(|v| &v.element_id);
            let scopes = scopes.filter(|scope| !scope.is_empty());
            scopes.map(|scope| (&given.element_id, scope))
        })
    };
    let unknown = named().filter(|(_, scope)| process.find(scope).is_none());
    refuse_if_any(
        process,
        "one or more variable instructions with a scope element id that could not be found",
        hashed(unknown.map(|(_, scope)| scope)),
    )?;
    let outside = named().any(|(id, scope)| id != scope && !is_scope_of(process, scope, id));
    if outside {
        return Err(refusal(
            process,
            "one or more variable instructions with a scope element that doesn't belong to the activating element's flow scope. These variables should be set before or after the modification.",
        ));
    }
    Ok(())
}

/// Selected ancestors are active, of this instance, and around their element.
fn ancestors(p: &Processing<'_>, root: &At, activate: &[ActivateInstruction]) -> Outcome {
    let process = root.process();
    let mut inactive = Vec::new();
    let mut foreign = Vec::new();
    let mut unrelated = String::new();
    for given in activate
        .iter()
        .filter(|given| given.ancestor_scope_key.0 > 0)
    {
        let key = given.ancestor_scope_key;
        let Some(row) = p.state().elements.get(&key)?.filter(|row| row.is_active()) else {
            inactive.push(key);
            continue;
        };
        if row.record.process_instance_key != root.key {
            foreign.push(key);
        }
        let ancestor = &row.record.element_id;
        if !is_scope_of(process, ancestor, &given.element_id) {
            unrelated.push_str(&format!(
                "\n- instance '{key}' of element '{ancestor}' is not an ancestor of element '{}'",
                given.element_id
            ));
        }
    }
    let one_or_more = "one or more activate instructions with an ancestor scope key that";
    refuse_if_any(
        process,
        &format!("{one_or_more} does not exist, or is not in an active state"),
        hashed(inactive),
    )?;
    refuse_if_any(
        process,
        &format!("{one_or_more} does not belong to the modified process instance"),
        hashed(foreign),
    )?;
    if unrelated.is_empty() {
        return Ok(());
    }
    let what = format!("{one_or_more} is not an ancestor of the element to activate:{unrelated}");
    Err(refusal(process, &what))
}

/// Nothing is activated in what is terminated.
fn kept_scopes(p: &Processing<'_>, root: &At, plan: &Plan) -> Outcome {
    let process = root.process();
    let mut conflicts = Vec::new();
    let terminated = plan
        .terminate
        .iter()
        .map(|given| given.element_instance_key);
    let terminated = hash_order::in_table(terminated, |key| hash_order::of_number(key.0));
    for key in terminated {
        let Some(row) = p.state().elements.get(&key)? else {
            continue;
        };
        for given in &plan.activate {
            let inside = if given.ancestor_scope_key.0 > 0 {
                given.ancestor_scope_key == key
            } else {
                is_scope_of(process, &row.record.element_id, &given.element_id)
            };
            if inside {
                conflicts.push(format!(
                    "element '{}' requires flow scope instance '{key}' which is being terminated",
                    given.element_id
                ));
            }
        }
    }
    if conflicts.is_empty() {
        return Ok(());
    }
    let what = format!(
        "one or more activate instructions for elements whose required flow scope instance is also being terminated: {}. Please provide a valid ancestor scope key for the activation or avoid terminating the required flow scope.",
        conflicts.join(", ")
    );
    Err(refusal(process, &what))
}
