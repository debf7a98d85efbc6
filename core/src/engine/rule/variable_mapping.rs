//! Input and output mappings.
//!
//! Mappings are evaluated one by one in document order; each sees the results of the earlier ones.
//! Nothing is written if one of them fails. What has no output mapping passes its result upwards as
//! it is.

use std::borrow::Cow;

use crate::engine::fault::{Failure, Outcome, Stop};
use crate::engine::lifecycle::At;
use crate::engine::output::Processing;
use crate::engine::rule::variables::{self, Owner};
use crate::engine::rule::{expressions, mapping_context, triggers};
use crate::feel::Variables;
use crate::ids::Key;
use crate::model::{CatchEvent, CatchEventRef, Element, Expr, Process};
use crate::msgpack::{self, Reader};
use crate::record::value::{BpmnElementType, ErrorType};
use crate::record::{Document, RawValue, Text};

/// Applies the input mappings: their results become local variables.
pub(crate) fn inputs(p: &mut Processing<'_>, at: &At) -> Outcome {
    let mappings = &at.element().inputs;
    if mappings.is_empty() {
        return Ok(());
    }
    let mut results = Results::default();
    for mapping in mappings {
        let value = evaluate(p, &mapping.source, at.key, &results).map_err(|stop| {
            let all = mappings.iter().map(|one| (&*one.target, &one.source));
            mapping_context::explain(p, stop, mapping_context::inputs(all), at.key)
        })?;
        results.put(&mapping.target, value, None)?;
    }
    variables::merge_local(p, at.key, &Owner::of(&at.record), &results.document())
}

/// Applies the output mappings, or passes on what the element was given.
pub(crate) fn outputs(p: &mut Processing<'_>, at: &At) -> Outcome {
    let element = at.element();
    let owner = Owner::of(&at.record);
    let mut payload = Document::EMPTY;
    if let Some((event, trigger)) = p.state().peek_trigger(at.key)? {
        payload = trigger.variables.clone();
        triggers::triggered(p, at, at.key, event, &element.id)?;
    }
    if !element.outputs.is_empty() {
        if !payload.is_empty() {
            variables::merge_local(p, at.key, &owner, &payload)?;
        }
        let mut results = Results::default();
        for mapping in &element.outputs {
            let value = evaluate(p, &mapping.source, at.key, &results).map_err(|stop| {
                let all = element
                    .outputs
                    .iter()
                    .map(|one| (&*one.target, &one.source));
                mapping_context::explain(p, stop, mapping_context::outputs(all), at.key)
            })?;
            let known = p.state().visible_variable(at.key, &mapping.target[0])?;
            results.put(&mapping.target, value, known.as_ref().map(|row| &row.value))?;
        }
        let scope = output_scope(p, at)?;
        return variables::merge(p, scope, &owner, &results.document());
    }
    if !payload.is_empty() {
        return variables::merge(p, at.key, &owner, &payload);
    }
    if passes_local_variables(at) {
        let local = p.state().local_variables(at.key)?;
        let scope = output_scope(p, at)?;
        return variables::merge(p, scope, &owner, &local);
    }
    Ok(())
}

/// Events that were given their payload as local variables pass these on.
fn passes_local_variables(at: &At) -> bool {
    let element = at.element();
    if element.element_type == BpmnElementType::BoundaryEvent {
        let caught = element.catch_event();
        return !matches!(caught, Some(CatchEventRef::Event(CatchEvent::Error(_))));
    }
    element.element_type == BpmnElementType::StartEvent
        || after_event_based_gateway(at.process(), element)
}

/// Where results of output mappings go: an inner instance of a multi-instance body keeps its own.
fn output_scope(p: &Processing<'_>, at: &At) -> Outcome<Key> {
    let row = p.state().elements.get(&at.key)?;
    if row.is_some_and(|row| row.loop_counter > 0)
        && at.record.bpmn_element_type != BpmnElementType::MultiInstanceBody
    {
        return Ok(at.key);
    }
    Ok(at.record.flow_scope_key)
}

fn evaluate(p: &Processing<'_>, source: &Expr, scope: Key, results: &Results) -> Outcome<RawValue> {
    expressions::any_with(p, source, scope, results).map_err(|stop| match stop {
        Stop::Incident(failure) => Stop::Incident(Failure {
            kind: ErrorType::IoMappingError,
            ..failure
        }),
        Stop::Reject(_) | Stop::TooLarge | Stop::Fault(_) => stop,
    })
}

/// Whether an element is a catch event behind an event-based gateway.
fn after_event_based_gateway(process: &Process, element: &Element) -> bool {
    element.incoming.first().is_some_and(|flow| {
        process[process[*flow].source].element_type == BpmnElementType::EventBasedGateway
    })
}

/// Results of mappings by target, nested where targets are paths.
#[derive(Debug, Default)]
pub(crate) struct Results {
    root: Vec<(Text, Node)>,
}

#[derive(Debug)]
enum Node {
    Value(RawValue),
    Context(Vec<(Text, Node)>),
}

impl Node {
    /// This node as a context: a map keeps its entries, anything else is replaced.
    fn context(&mut self) -> Outcome<&mut Vec<(Text, Node)>> {
        if let Self::Value(value) = self {
            *self = Self::Context(entries(value)?);
        }
        match self {
            Self::Context(entries) => Ok(entries),
            Self::Value(_) => Err(Stop::fault("a value that was just made a context")),
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Value(value) => out.extend_from_slice(value.as_bytes()),
            Self::Context(entries) => write_map(entries, out),
        }
    }
}

impl Results {
    /// Puts `value` at the path `target`. `known` is what the variable at the root of the path is
    /// now; a path keeps its other entries.
    fn put(&mut self, target: &[Text], value: RawValue, known: Option<&RawValue>) -> Outcome {
        let Some((last, path)) = target.split_last() else {
            return Err(Stop::fault("mapping without target"));
        };
        let mut level = &mut self.root;
        for (depth, name) in path.iter().enumerate() {
            let at = match level.iter().position(|(known, _)| known == name) {
                Some(at) => at,
                None => {
                    let start = known.filter(|_| depth == 0).cloned();
                    level.push((name.clone(), Node::Value(start.unwrap_or_default())));
                    level.len() - 1
                }
            };
            level = level[at].1.context()?;
        }
        match level.iter_mut().find(|(known, _)| known == last) {
            Some((_, node)) => *node = Node::Value(value),
            None => level.push((last.clone(), Node::Value(value))),
        }
        Ok(())
    }

    fn document(&self) -> Document {
        let mut bytes = Vec::new();
        write_map(&self.root, &mut bytes);
        Document::from(bytes)
    }
}

impl Variables for Results {
    /// What later mappings see.
    fn get(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        let (_, node) = self.root.iter().find(|(known, _)| *known == *name)?;
        let mut bytes = Vec::new();
        node.write(&mut bytes);
        Some(Cow::Owned(bytes))
    }
}

fn write_map(entries: &[(Text, Node)], out: &mut Vec<u8>) {
    msgpack::write_map_header(out, entries.len());
    for (name, node) in entries {
        msgpack::write_str(out, name);
        node.write(out);
    }
}

/// The entries of a value if it is a map, else nothing.
fn entries(value: &RawValue) -> Outcome<Vec<(Text, Node)>> {
    if Reader::new(value.as_bytes()).map().is_err() {
        return Ok(Vec::new());
    }
    let malformed = |error: msgpack::Error| Stop::fault(format!("variable: {error}"));
    let mut found = Vec::new();
    for entry in msgpack::entries(value.as_bytes()).map_err(malformed)? {
        let (name, value) = entry.map_err(malformed)?;
        found.push((Text::from(name), Node::Value(RawValue::from(value))));
    }
    Ok(found)
}
