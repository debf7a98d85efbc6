//! Tokens that wait in front of joins: each is taken off its old flow and put on the new one.
//!
//! The gateway has to be mapped to one of its kind with no fewer flows, and each flow with a token on
//! it to a flow of its own that leads there.

use std::collections::BTreeMap;

use crate::engine::command::migrate_instance::{Migration, check};
use crate::engine::fault::{Outcome, Stop};
use crate::engine::lifecycle::At;
use crate::engine::output::Processing;
use crate::model::{Element, Process};
use crate::record::Text;
use crate::record::intent::of;
use crate::record::value::{BpmnElementType, BpmnEventType, ProcessInstanceRecord};

/// A gateway and the tokens in front of it: how many on which flows.
type Waiting<'a> = (&'a Element, Vec<(Text, i32)>);

/// Gateways inside the scope `at` in front of which tokens wait.
fn waiting<'a>(p: &Processing<'_>, at: &'a At) -> Outcome<Vec<Waiting<'a>>> {
    let mut found = Vec::new();
    let Some(container) = at.element().container() else {
        return Ok(found);
    };
    for child in &container.children {
        let gateway = &at.process()[*child];
        let joins = matches!(
            gateway.element_type,
            BpmnElementType::ParallelGateway | BpmnElementType::InclusiveGateway
        );
        if !joins {
            continue;
        }
        let group = (at.key, gateway.id.clone());
        let flows: Vec<(Text, i32)> = p.state().taken_flows.with(&group, |rows| {
            rows.iter()
                .map(|(flow, row)| (flow.clone(), row.count))
                .collect()
        })?;
        if !flows.is_empty() {
            found.push((gateway, flows));
        }
    }
    Ok(found)
}

/// How many tokens inside the scope `at` wait in front of joins.
pub(super) fn tokens_at_joins(p: &Processing<'_>, at: &At) -> Outcome<i32> {
    let gateways = waiting(p, at)?;
    let flows = gateways.iter().flat_map(|(_, flows)| flows);
    Ok(flows.map(|(_, count)| count).sum())
}

/// Moves the waiting tokens of the scope `at`, which is `after` now.
pub(super) fn migrate(
    p: &mut Processing<'_>,
    migration: &Migration,
    at: &At,
    after: &At,
) -> Outcome {
    for (gateway, flows) in waiting(p, at)? {
        if flows.len() >= gateway.incoming.len() {
            return Err(check::concurrent(migration));
        }
        let target = target_gateway(migration, gateway)?;
        let mut moves = Vec::new();
        for (flow, count) in flows {
            let new = target_flow(migration, gateway, target, &flow)?;
            moves.push((flow, new, count));
        }
        each_to_its_own(migration, &moves)?;
        for (flow, new, count) in moves {
            for _ in 0..count {
                let key = p.next_key();
                let old = of_flow(at, &flow);
                p.event(key, of::ProcessInstance::SequenceFlowDeleted, old)?;
                let key = p.next_key();
                let taken = of_flow(after, &new);
                p.event(key, of::ProcessInstance::SequenceFlowTaken, taken)?;
            }
        }
    }
    Ok(())
}

/// No two flows become one.
fn each_to_its_own(migration: &Migration, moves: &[(Text, Text, i32)]) -> Outcome {
    let mut sources: BTreeMap<&Text, Vec<&str>> = BTreeMap::new();
    for (old, new, _) in moves {
        sources.entry(new).or_default().push(old);
    }
    let shared: Vec<String> = (sources.iter())
        .filter(|(_, sources)| sources.len() > 1)
        .map(|(target, sources)| {
            format!(
                "Active sequence flows '{}' mapped to target sequence flow '{target}'.",
                sources.join(", ")
            )
        })
        .collect();
    if shared.is_empty() {
        return Ok(());
    }
    Err(check::invalid(
        migration,
        &format!(
            "some active sequence flows are mapped to the same target sequence flow:\n{}\nEach active sequence flow must be mapped to a different sequence flow in the target process definition.",
            shared.join("\n")
        ),
    ))
}

fn of_flow(scope: &At, flow: &Text) -> ProcessInstanceRecord {
    ProcessInstanceRecord {
        element_id: flow.clone(),
        bpmn_element_type: BpmnElementType::SequenceFlow,
        bpmn_event_type: BpmnEventType::Unspecified,
        ..scope.child(scope.element())
    }
}

fn target_gateway<'m>(migration: &'m Migration, gateway: &Element) -> Outcome<&'m Element> {
    let process: &Process = &migration.target.process;
    let id = migration.target_of(&gateway.id);
    let target = id.and_then(|id| process.element(id)).map(|id| &process[id]);
    let Some(target) = target.filter(|known| known.element_type == gateway.element_type) else {
        return Err(check::invalid(
            migration,
            &format!(
                "gateway '{}' has at least one incoming sequence flow taken. Joining gateways with at least one incoming sequence flow taken must be mapped to a gateway of the same type in the target process definition.",
                gateway.id
            ),
        ));
    };
    if target.incoming.len() >= gateway.incoming.len() {
        return Ok(target);
    }
    Err(check::invalid(
        migration,
        &format!(
            "target gateway with id '{}' has less incoming sequence flows than the source gateway with id '{}'. Target gateway must have at least the same number of incoming sequence flows as the source gateway.",
            target.id, gateway.id
        ),
    ))
}

fn target_flow(
    migration: &Migration,
    gateway: &Element,
    target: &Element,
    flow: &Text,
) -> Outcome<Text> {
    let process: &Process = &migration.target.process;
    let Some(id) = migration.target_of(flow) else {
        return Err(check::invalid(
            migration,
            &format!(
                "joining gateway with id '{}' has a taken sequence flow with id '{flow}'. Taken sequence flows must be mapped to a sequence flow in the target process definition.",
                gateway.id
            ),
        ));
    };
    let leads_there = |flow| target.incoming.contains(&flow);
    if process.flow(id).is_some_and(leads_there) {
        return Ok(id.clone());
    }
    Err::<Text, Stop>(check::invalid(
        migration,
        &format!(
            "gateway with id '{}' has a taken incoming sequence flow mismatch. Taken sequence flow with id '{flow}' must connect to the mapped target gateway with id '{}' in the target process definition.",
            gateway.id, target.id
        ),
    ))
}
