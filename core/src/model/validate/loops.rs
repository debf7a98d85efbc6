//! Refuses loops that would never stop: cycles in which no element waits for anything.
//!
//! Such a cycle consists of pass-through elements only and contains at least one task that does
//! nothing, a call activity, a throw event, or a script or decision the engine evaluates; cycles of
//! gateways alone are let through, as in Camunda. Call activities are followed into processes of
//! the same file. Search with three colours and an explicit stack: linear, no recursion.

use std::collections::BTreeMap;

use crate::model::{Behavior, ElementId, Process, ThrowEvent};
use crate::record::value::BpmnElementType;

/// An element of one of the processes.
type Place = (usize, ElementId);

/// The refusal of the first loop of each process; its text begins with the file's name.
pub(in crate::model) fn refused(processes: &[Process]) -> Option<Vec<(String, String)>> {
    let loops: Vec<(String, String)> = (0..processes.len())
        .filter_map(|index| {
            let ids = first_loop(processes, index)?;
            let process = processes[index].id().to_string();
            Some((process, ids.join(" > ")))
        })
        .collect();
    (!loops.is_empty()).then_some(loops)
}

/// The ids of a loop that starts and ends with the same element.
fn first_loop(processes: &[Process], index: usize) -> Option<Vec<String>> {
    let elements = processes[index].elements();
    let mut starts: Vec<Place> = (0..elements.len())
        .map(|element| (index, ElementId(element as u32)))
        .filter(|place| counts(processes, *place))
        .collect();
    starts.sort_by(|a, b| id(processes, *a).cmp(id(processes, *b)));
    starts
        .into_iter()
        .find_map(|start| way_back(processes, start))
}

fn id(processes: &[Process], (process, element): Place) -> &str {
    &processes[process][element].id
}

/// A way from an element back to itself over elements that do not wait.
fn way_back(processes: &[Process], start: Place) -> Option<Vec<String>> {
    // Each place with the one it was reached from.
    let mut reached: BTreeMap<Place, Place> = BTreeMap::new();
    let mut open: Vec<Place> = vec![start];
    while let Some(place) = open.pop() {
        for next in following(processes, place) {
            if next == start {
                return Some(describe(processes, start, place, &reached));
            }
            if passes(processes, next) && !reached.contains_key(&next) {
                reached.insert(next, place);
                open.push(next);
            }
        }
    }
    None
}

fn describe(
    processes: &[Process],
    start: Place,
    last: Place,
    reached: &BTreeMap<Place, Place>,
) -> Vec<String> {
    let mut way = vec![start];
    let mut place = last;
    while place != start {
        way.push(place);
        place = reached[&place];
    }
    way.push(start);
    way.reverse();
    let body = |(process, element): &Place| {
        processes[*process][*element].element_type == BpmnElementType::MultiInstanceBody
    };
    way.iter()
        .filter(|place| !body(place))
        .map(|p| id(processes, *p).to_owned())
        .collect()
}

/// True if a loop with this element counts.
fn counts(processes: &[Process], (process, element): Place) -> bool {
    match &processes[process][element].behavior {
        Behavior::PassThrough | Behavior::Call(_) | Behavior::Script(_) | Behavior::Decision(_) => {
            true
        }
        Behavior::Throw(event) => passing_throw(event),
        Behavior::Process(_)
        | Behavior::SubProcess(_)
        | Behavior::EventSubProcess(_)
        | Behavior::AdHoc(_)
        | Behavior::AdHocInner(_)
        | Behavior::MultiInstance(_)
        | Behavior::Job(_)
        | Behavior::UserTask(_)
        | Behavior::Receive(_)
        | Behavior::ExclusiveGateway { .. }
        | Behavior::InclusiveGateway { .. }
        | Behavior::ParallelGateway
        | Behavior::EventBasedGateway
        | Behavior::Start { .. }
        | Behavior::Catch(_)
        | Behavior::Boundary { .. }
        | Behavior::End(_) => false,
    }
}

fn passing_throw(event: &ThrowEvent) -> bool {
    !matches!(event, ThrowEvent::Job(_) | ThrowEvent::Compensation(_))
}

/// True if a token passes this element without waiting.
fn passes(processes: &[Process], place: Place) -> bool {
    let (process, element) = place;
    counts(processes, place)
        || matches!(
            processes[process][element].behavior,
            Behavior::SubProcess(_)
                | Behavior::MultiInstance(_)
                | Behavior::ExclusiveGateway { .. }
                | Behavior::InclusiveGateway { .. }
                | Behavior::ParallelGateway
                | Behavior::Start { .. }
                | Behavior::End(_)
        )
}

/// Where a token goes next.
fn following(processes: &[Process], (index, element): Place) -> Vec<Place> {
    let process = &processes[index];
    let here = |ids: Vec<ElementId>| ids.into_iter().map(|id| (index, id)).collect();
    match &process[element].behavior {
        Behavior::SubProcess(container) => here(container.none_start.into_iter().collect()),
        Behavior::MultiInstance(body) => here(vec![body.inner]),
        Behavior::Throw(ThrowEvent::Link(target)) => here(outgoing(process, *target)),
        Behavior::Call(called) => called
            .process_id
            .as_text()
            .and_then(|id| processes.iter().position(|process| process.id() == id))
            .and_then(|called| Some((called, processes[called].none_start_event()?)))
            .into_iter()
            .collect(),
        _ => {
            let outgoing_here = outgoing(process, element);
            if !outgoing_here.is_empty() {
                return here(outgoing_here);
            }
            // The end of a scope goes on behind the scope.
            here(
                process[element]
                    .scope
                    .map_or(Vec::new(), |scope| outgoing(process, scope)),
            )
        }
    }
}

fn outgoing(process: &Process, element: ElementId) -> Vec<ElementId> {
    process[element]
        .outgoing
        .iter()
        .map(|flow| process[*flow].target)
        .collect()
}
