//! PROCESS_INSTANCE_MODIFICATION MODIFIED, and what PROCESS_INSTANCE_CREATION CREATED gives besides.
//!
//! A join that is activated by hand finds a token on each of its flows, so that it is not refused and
//! takes none from those that wait for it. A scope in which something is activated by hand is
//! interrupted no more.

use std::sync::Arc;

use crate::engine::apply::{Applied, runtime_instruction};
use crate::engine::output::Applying;
use crate::ids::Key;
use crate::model::{Element, Process};
use crate::record::Text;
use crate::record::value::{
    BpmnElementType, ProcessInstanceCreationRecord, ProcessInstanceModificationRecord,
};
use crate::state::CountRow;

pub(super) fn modified(
    a: &mut Applying<'_>,
    _key: Key,
    value: &Arc<ProcessInstanceModificationRecord>,
) -> Applied {
    if value.activate_instructions.is_empty() {
        return Ok(());
    }
    let Some(instance) = a.state.elements.get(&value.process_instance_key)? else {
        return Ok(());
    };
    let definition = instance.record.process_definition_key;
    let process = a.definitions.expect(a.state, definition)?.process.clone();
    for instruction in &value.activate_instructions {
        for scope in &instruction.ancestor_scope_keys {
            let row = a.state.elements.get(scope)?;
            if row.is_some_and(|row| row.is_interrupted()) {
                (a.state.elements)
                    .update(scope, |row| row.interrupting_element_id = Text::EMPTY)?;
            }
        }
        let kinds = [
            BpmnElementType::ParallelGateway,
            BpmnElementType::InclusiveGateway,
        ];
        if let Some(scope) = instruction.ancestor_scope_keys.iter().max()
            && let Some(gateway) = gateway(&process, &instruction.element_id, &kinds)
        {
            put_tokens(a, *scope, &process, gateway)?;
        }
    }
    Ok(())
}

pub(super) fn instance_created(
    a: &mut Applying<'_>,
    key: Key,
    value: &Arc<ProcessInstanceCreationRecord>,
) -> Applied {
    runtime_instruction::instance_created(a, key, value)?;
    if value.start_instructions.is_empty() {
        return Ok(());
    }
    let definition = value.process_definition_key;
    let process = a.definitions.expect(a.state, definition)?.process.clone();
    for instruction in &value.start_instructions {
        let kinds = [BpmnElementType::ParallelGateway];
        let Some(gateway) = gateway(&process, &instruction.element_id, &kinds) else {
            continue;
        };
        let Some(scope) = gateway.scope.map(|scope| process[scope].id.clone()) else {
            continue;
        };
        if let Some(scope) = instance_of(a, value.process_instance_key, &scope)? {
            put_tokens(a, scope, &process, gateway)?;
        }
    }
    Ok(())
}

fn gateway<'p>(process: &'p Process, id: &Text, kinds: &[BpmnElementType]) -> Option<&'p Element> {
    let element = &process[process.element(id)?];
    kinds.contains(&element.element_type).then_some(element)
}

/// The instance of the element `id` at or below `key` that comes first.
fn instance_of(
    a: &Applying<'_>,
    key: Key,
    id: &Text,
) -> Result<Option<Key>, crate::engine::fault::Fault> {
    let mut open = vec![key];
    while let Some(key) = open.pop() {
        let row = a.state.elements.get(&key)?;
        if row.is_some_and(|row| row.record.element_id == *id) {
            return Ok(Some(key));
        }
        open.extend(a.state.children.members(&key)?.into_iter().rev());
    }
    Ok(None)
}

fn put_tokens(a: &mut Applying<'_>, scope: Key, process: &Process, gateway: &Element) -> Applied {
    for flow in &gateway.incoming {
        let group = (scope, gateway.id.clone());
        let flow = process[*flow].id.clone();
        let count = a.state.taken_flows.get(&group, &flow)?;
        let count = count.map_or(0, |row| row.count) + 1;
        a.state.taken_flows.put(group, flow, CountRow { count })?;
    }
    Ok(())
}
