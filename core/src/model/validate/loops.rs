//! Refuses loops that would never stop: cycles in which no element waits for anything.
//!
//! Such a cycle consists of pass-through elements only and contains at least one task that does
//! nothing, a call activity, a throw event, or a script or decision the engine evaluates; cycles of
//! gateways alone are let through, as in Camunda. Call activities are followed into processes of
//! the same file. Strongly connected components, found without recursion, tell which elements lie on
//! a loop at all, so that the whole check is linear.

use rustc_hash::FxHashMap;

use crate::model::{Behavior, ElementId, Process, ThrowEvent};
use crate::record::value::BpmnElementType;

/// Most elements of a loop that are told.
const MAX_TOLD: usize = 256;

/// An element of one of the processes.
type Place = (usize, ElementId);

/// A process with a loop.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StraightThroughLoop {
    /// The process.
    pub process: String,
    /// Ids of the elements; the first one is repeated at the end. Cut if there are too many.
    pub elements: Vec<String>,
}

/// The first loop of each process that has one.
pub(in crate::model) fn find(processes: &[Process]) -> Vec<StraightThroughLoop> {
    let graph = Graph::new(processes);
    let component = graph.components();
    let mut members = vec![0_u32; graph.places.len()];
    for component in component.iter().flatten() {
        members[*component] += 1;
    }
    let looping = |node: usize| {
        component[node].is_some_and(|c| members[c] > 1) || graph.next[node].contains(&node)
    };
    let first = |process: usize| {
        let starts = (0..graph.places.len())
            .filter(|node| graph.places[*node].0 == process)
            .filter(|node| counts(&processes[process], graph.places[*node].1) && looping(*node));
        starts.min_by_key(|node| graph.id(processes, *node))
    };
    let found = |process: usize| {
        let start = first(process)?;
        Some(StraightThroughLoop {
            process: processes[process].id().to_string(),
            elements: graph.way_back(processes, start),
        })
    };
    (0..processes.len()).filter_map(found).collect()
}

/// The elements a token passes without waiting, and where it goes from each.
struct Graph {
    places: Vec<Place>,
    next: Vec<Vec<usize>>,
}

impl Graph {
    fn new(processes: &[Process]) -> Self {
        let mut index: FxHashMap<Place, usize> = FxHashMap::default();
        let mut places = Vec::new();
        for (number, process) in processes.iter().enumerate() {
            for element in (0..process.elements().len() as u32).map(ElementId) {
                if passes(process, element) {
                    index.insert((number, element), places.len());
                    places.push((number, element));
                }
            }
        }
        let by_id: FxHashMap<&str, usize> = processes
            .iter()
            .enumerate()
            .map(|(n, process)| (process.id().as_str(), n))
            .collect();
        let next = places.iter().map(|place| {
            let following = following(processes, &by_id, *place);
            following
                .iter()
                .filter_map(|place| index.get(place).copied())
                .collect()
        });
        Self {
            next: next.collect(),
            places,
        }
    }

    fn id<'p>(&self, processes: &'p [Process], node: usize) -> &'p str {
        let (process, element) = self.places[node];
        &processes[process][element].id
    }

    /// Tarjan's algorithm: the component of each node.
    fn components(&self) -> Vec<Option<usize>> {
        let count = self.places.len();
        let mut component = vec![None; count];
        // 0 = not seen, else order of discovery.
        let mut order = vec![0_usize; count];
        let mut low = vec![0_usize; count];
        let (mut seen, mut found) = (0, 0);
        let mut stack = Vec::new();
        // Node and how many of its successors were looked at.
        let mut calls: Vec<(usize, usize)> = Vec::new();
        for root in 0..count {
            if order[root] == 0 {
                calls.push((root, 0));
            }
            while let Some((node, step)) = calls.pop() {
                if step == 0 {
                    seen += 1;
                    order[node] = seen;
                    low[node] = seen;
                    stack.push(node);
                }
                if let Some(&next) = self.next[node].get(step) {
                    calls.push((node, step + 1));
                    if order[next] == 0 {
                        calls.push((next, 0));
                    } else if component[next].is_none() {
                        low[node] = low[node].min(order[next]);
                    }
                    continue;
                }
                if low[node] == order[node] {
                    while let Some(member) = stack.pop() {
                        component[member] = Some(found);
                        if member == node {
                            break;
                        }
                    }
                    found += 1;
                }
                if let Some((caller, _)) = calls.last() {
                    low[*caller] = low[*caller].min(low[node]);
                }
            }
        }
        component
    }

    /// The ids on a way from an element back to itself.
    fn way_back(&self, processes: &[Process], start: usize) -> Vec<String> {
        // Each node with the one it was reached from.
        let mut reached: FxHashMap<usize, usize> = FxHashMap::default();
        let mut open = std::collections::VecDeque::from([start]);
        let mut way = vec![start];
        while let Some(node) = open.pop_front() {
            if self.next[node].contains(&start) {
                let mut place = node;
                while place != start {
                    way.push(place);
                    place = reached[&place];
                }
                break;
            }
            for next in &self.next[node] {
                if !reached.contains_key(next) {
                    reached.insert(*next, node);
                    open.push_back(*next);
                }
            }
        }
        way.push(start);
        way.reverse();
        let body = |node: &&usize| {
            let (process, element) = self.places[**node];
            processes[process][element].element_type == BpmnElementType::MultiInstanceBody
        };
        way.iter()
            .filter(|node| !body(node))
            .take(MAX_TOLD)
            .map(|n| self.id(processes, *n).to_owned())
            .collect()
    }
}

/// True if a loop with this element counts.
fn counts(process: &Process, element: ElementId) -> bool {
    match &process[element].behavior {
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
fn passes(process: &Process, element: ElementId) -> bool {
    counts(process, element)
        || matches!(
            process[element].behavior,
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
fn following(
    processes: &[Process],
    by_id: &FxHashMap<&str, usize>,
    (index, element): Place,
) -> Vec<Place> {
    let process = &processes[index];
    let here = |ids: Vec<ElementId>| ids.into_iter().map(|id| (index, id)).collect();
    match &process[element].behavior {
        Behavior::SubProcess(container) => here(container.none_start.into_iter().collect()),
        Behavior::MultiInstance(body) => here(vec![body.inner]),
        Behavior::Throw(ThrowEvent::Link(target)) => here(outgoing(process, *target)),
        Behavior::Call(called) => called
            .process_id
            .as_text()
            .and_then(|id| by_id.get(id.as_str()).copied())
            .and_then(|called| Some((called, processes[called].none_start_event()?)))
            .into_iter()
            .collect(),
        Behavior::PassThrough
        | Behavior::Process(_)
        | Behavior::EventSubProcess(_)
        | Behavior::AdHoc(_)
        | Behavior::AdHocInner(_)
        | Behavior::Job(_)
        | Behavior::UserTask(_)
        | Behavior::Receive(_)
        | Behavior::Script(_)
        | Behavior::Decision(_)
        | Behavior::ExclusiveGateway { .. }
        | Behavior::InclusiveGateway { .. }
        | Behavior::ParallelGateway
        | Behavior::EventBasedGateway
        | Behavior::Start { .. }
        | Behavior::Catch(_)
        | Behavior::Boundary { .. }
        | Behavior::Throw(_)
        | Behavior::End(_) => {
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
