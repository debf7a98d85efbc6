//! Inclusive join: a token may go on when no other token of the scope can still arrive.
//!
//! Checked when a token arrives, and not again when another path dies on the way: a join may then
//! wait for ever, as in Camunda. The search follows flows, links and boundary events, and does not
//! pass through the gateway's own taken flows.

use rustc_hash::FxHashSet;

use crate::engine::fault::{Outcome, Stop};
use crate::engine::lifecycle::At;
use crate::engine::output::Processing;
use crate::model::{Behavior, ElementId, FlowId, Process, ThrowEvent};
use crate::record::Text;

/// Whether the gateway `at` may be activated.
pub(crate) fn check(p: &Processing<'_>, at: &At) -> Outcome {
    let element = at.element();
    let scope = at.record.flow_scope_key;
    let group = (scope, element.id.clone());
    let taken: Vec<Text> = p.state().taken_flows.members(&group)?;
    if taken.len() >= element.incoming.len() {
        return Ok(());
    }
    if taken.is_empty() {
        return Err(Stop::invalid_state(format!(
            "Expected to be able to activate inclusive gateway '{}', but the inclusive gateway way already activated.",
            element.id
        )));
    }
    let process = at.process();
    let open: FxHashSet<FlowId> = element
        .incoming
        .iter()
        .copied()
        .filter(|flow| !taken.contains(&process[*flow].id))
        .collect();
    let mut starts = Vec::new();
    for child in p.state().children.members(&scope)? {
        if let Some(child) = At::find(p, child)? {
            starts.push(child.id);
        }
    }
    if let Some(row) = p.state().elements.get(&scope)? {
        for flow in &row.active_flow_ids {
            let Some(flow) = process.flow(flow) else {
                continue;
            };
            if open.contains(&flow) {
                return Err(waits(at));
            }
            if process[flow].target != at.id {
                starts.push(process[flow].target);
            }
        }
    }
    if reaches(process, starts, &open, at.id) {
        return Err(waits(at));
    }
    Ok(())
}

fn waits(at: &At) -> Stop {
    Stop::invalid_state(format!(
        "Expected to be able to activate inclusive gateway '{}', but not all satisfied sequence flows have been taken.",
        at.element().id
    ))
}

/// Whether one of the flows `open` can be taken from one of `starts` without passing `gateway`.
fn reaches(
    process: &Process,
    mut starts: Vec<ElementId>,
    open: &FxHashSet<FlowId>,
    gateway: ElementId,
) -> bool {
    let mut seen: FxHashSet<ElementId> = starts.iter().copied().collect();
    while let Some(id) = starts.pop() {
        let element = &process[id];
        let mut next = Vec::new();
        for flow in &element.outgoing {
            if open.contains(flow) {
                return true;
            }
            next.push(process[*flow].target);
        }
        next.extend(element.boundary_events.iter().copied());
        if let Behavior::Throw(ThrowEvent::Link(target)) = &element.behavior {
            next.push(*target);
        }
        for id in next {
            if id != gateway && seen.insert(id) {
                starts.push(id);
            }
        }
    }
    false
}
