//! A validated file to executable processes.
//!
//! Three passes over each process: place the elements in the arena (scopes before children, two
//! places for multi-instance and ad-hoc), connect flows and attached events, then build each
//! element with its behavior. Ids are looked up during the second and third pass only; the result
//! holds indexes. What a passed validation rules out is still no panic here but an error.

mod behavior;

use rustc_hash::FxHashMap;

use super::element_type::{Sort, Tag};
use super::extension::{self, expr};
use super::parse::{
    Source, Xml, child_content, children, event_definitions, extension as find_extension, flag, id,
};
use super::{
    CatchEvent, CatchEventRef, Element, ElementId, ExecutionListeners, Flow, FlowId, Node, Process,
    Refused,
};
use crate::record::Text;
use crate::record::value::{AgentDefinitionType, BpmnElementType, BpmnEventType};

/// Suffix of the id of an ad-hoc sub-process' inner instance.
const INNER_INSTANCE: &str = "#innerInstance";

/// Which half of an element of the file an element of the arena is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Half {
    /// The only one.
    Whole,
    /// The body of a multi-instance activity.
    Body,
    /// What the body repeats.
    Repeated,
    /// The inner instance of an ad-hoc sub-process.
    Inner,
}

/// An element with a place in the arena, not built yet.
struct Draft<'a> {
    xml: Xml<'a>,
    tag: Tag,
    half: Half,
    scope: Option<ElementId>,
    children: Vec<ElementId>,
    start_events: Vec<ElementId>,
    incoming: Vec<FlowId>,
    outgoing: Vec<FlowId>,
    boundary_events: Vec<ElementId>,
    event_sub_processes: Vec<ElementId>,
}

/// Where an element of the file is in the arena.
#[derive(Clone, Copy)]
struct Place {
    /// Has the flows and the boundary events.
    outer: ElementId,
    /// Does the work; the same for all but multi-instance activities.
    inner: ElementId,
}

struct Compiler<'s, 'a> {
    source: &'s Source<'a>,
    /// Ids of all call activities of the file, sorted.
    call_activities: &'s [&'a str],
    drafts: Vec<Draft<'a>>,
    places: FxHashMap<&'a str, Place>,
    flows: Vec<Flow>,
    flow_ids: FxHashMap<&'a str, FlowId>,
    /// Link catch events by scope and name.
    links: FxHashMap<(ElementId, &'a str), ElementId>,
}

/// Compiles all executable processes of a file.
pub(super) fn compile(source: &Source<'_>) -> Result<Vec<Process>, Refused> {
    let mut call_activities: Vec<&str> = source
        .processes()
        .flat_map(|process| process.descendants())
        .filter(|node| Tag::of(*node) == Some(Tag::CallActivity))
        .filter_map(id)
        .collect();
    call_activities.sort_unstable();
    source
        .processes()
        .map(|process| compile_process(source, &call_activities, process))
        .collect()
}

fn compile_process<'a>(
    source: &Source<'a>,
    call_activities: &[&'a str],
    process: Xml<'a>,
) -> Result<Process, Refused> {
    let mut compiler = Compiler {
        source,
        call_activities,
        drafts: Vec::new(),
        places: FxHashMap::default(),
        flows: Vec::new(),
        flow_ids: FxHashMap::default(),
        links: FxHashMap::default(),
    };
    compiler.place(process, Tag::Process, None)?;
    compiler.connect(process)?;
    compiler.attach()?;
    let elements = (0..compiler.drafts.len())
        .map(|index| compiler.build(ElementId(index as u32)))
        .collect::<Result<Box<[_]>, _>>()?;
    let mut ids: FxHashMap<Text, Node> = FxHashMap::default();
    for (index, element) in elements.iter().enumerate() {
        // The body stands before what it repeats and keeps the id.
        ids.entry(element.id.clone())
            .or_insert(Node::Element(ElementId(index as u32)));
    }
    for (index, flow) in compiler.flows.iter().enumerate() {
        ids.entry(flow.id.clone())
            .or_insert(Node::Flow(FlowId(index as u32)));
    }
    let events = || elements.iter().filter_map(|element| element.catch_event());
    let compensates = events()
        .any(|event| matches!(event, CatchEventRef::Event(CatchEvent::Compensation { .. })));
    let watches_conditions =
        events().any(|event| matches!(event, CatchEventRef::Event(CatchEvent::Conditional(_))));
    Ok(Process {
        elements,
        flows: compiler.flows.into(),
        ids,
        version_tag: find_extension(process, "versionTag")
            .and_then(|tag| tag.attribute("value"))
            .unwrap_or("")
            .into(),
        job_priority: extension::job_priority(process)?,
        compensates,
        watches_conditions,
    })
}

/// For what validation should have refused.
fn impossible(what: &str, node: Xml<'_>) -> Refused {
    Refused::Invalid(format!(
        "Expected {what} of element '{}'",
        id(node).unwrap_or("")
    ))
}

impl<'a> Compiler<'_, 'a> {
    fn draft(&self, id: ElementId) -> &Draft<'a> {
        &self.drafts[id.0 as usize]
    }

    fn push(&mut self, xml: Xml<'a>, tag: Tag, half: Half, scope: Option<ElementId>) -> ElementId {
        let id = ElementId(self.drafts.len() as u32);
        self.drafts.push(Draft {
            xml,
            tag,
            half,
            scope,
            children: Vec::new(),
            start_events: Vec::new(),
            incoming: Vec::new(),
            outgoing: Vec::new(),
            boundary_events: Vec::new(),
            event_sub_processes: Vec::new(),
        });
        if let Some(scope) = scope {
            let parent = &mut self.drafts[scope.0 as usize];
            parent.children.push(id);
            if tag == Tag::StartEvent {
                parent.start_events.push(id);
            }
        }
        id
    }

    /// Gives an element and what it contains their places.
    fn place(&mut self, xml: Xml<'a>, tag: Tag, scope: Option<ElementId>) -> Result<(), Refused> {
        let name = id(xml).ok_or_else(|| impossible("an id", xml))?;
        let repeated = tag.is_activity() && children(xml, Tag::MultiInstance).next().is_some();
        let place = if repeated {
            let outer = self.push(xml, tag, Half::Body, scope);
            Place {
                outer,
                inner: self.push(xml, tag, Half::Repeated, Some(outer)),
            }
        } else {
            let only = self.push(xml, tag, Half::Whole, scope);
            Place {
                outer: only,
                inner: only,
            }
        };
        self.places.insert(name, place);
        if !matches!(tag.sort(), Sort::Process | Sort::SubProcess) {
            return Ok(());
        }
        let content_scope = match tag {
            Tag::AdHocSubProcess => self.push(xml, tag, Half::Inner, Some(place.inner)),
            _ => place.inner,
        };
        for node in xml.children() {
            let Some(tag) = Tag::of(node).filter(|tag| tag.is_flow_node()) else {
                continue;
            };
            if is_event_sub_process(node, tag) {
                // An event sub-process belongs to the ad-hoc sub-process, not to an activation.
                let child = ElementId(self.drafts.len() as u32);
                self.place(node, tag, Some(place.inner))?;
                self.drafts[place.inner.0 as usize]
                    .event_sub_processes
                    .push(child);
            } else {
                self.place(node, tag, Some(content_scope))?;
            }
        }
        Ok(())
    }

    /// Connects the sequence flows. Camunda walks a file from its end, so the flows of an element
    /// stand in the reverse order of the document: of several conditions that hold the last wins.
    fn connect(&mut self, process: Xml<'a>) -> Result<(), Refused> {
        let flows = process
            .descendants()
            .filter(|node| Tag::of(*node) == Some(Tag::SequenceFlow));
        for node in flows.collect::<Vec<_>>().into_iter().rev() {
            let name = id(node).ok_or_else(|| impossible("an id", node))?;
            let source = self.refer(node, "sourceRef")?.outer;
            let target = self.refer(node, "targetRef")?.outer;
            let flow = FlowId(self.flows.len() as u32);
            let condition = child_content(node, "conditionExpression");
            self.flows.push(Flow {
                id: name.into(),
                source,
                target,
                condition: condition.map(|text| expr(&text)).transpose()?,
            });
            self.flow_ids.insert(name, flow);
            self.drafts[source.0 as usize].outgoing.push(flow);
            self.drafts[target.0 as usize].incoming.push(flow);
        }
        Ok(())
    }

    /// Attaches boundary events to their activities, the last one first, and notes link catch
    /// events.
    fn attach(&mut self) -> Result<(), Refused> {
        for index in (0..self.drafts.len()).rev() {
            let place = ElementId(index as u32);
            let Draft {
                xml, tag, scope, ..
            } = self.drafts[index];
            if tag == Tag::BoundaryEvent {
                let host = self.refer(xml, "attachedToRef")?.outer;
                self.drafts[host.0 as usize].boundary_events.push(place);
            } else if tag == Tag::IntermediateCatchEvent
                && let Some(scope) = scope
            {
                for (_, link) in event_definitions(xml).filter(|(tag, _)| *tag == Tag::LinkEvent) {
                    let name = link.attribute("name").unwrap_or("");
                    self.links.entry((scope, name)).or_insert(place);
                }
            }
        }
        Ok(())
    }

    /// The place of the element an attribute refers to.
    fn refer(&self, node: Xml<'a>, attribute: &str) -> Result<Place, Refused> {
        self.source
            .referred(node, attribute)
            .and_then(|found| self.place_of(found))
            .ok_or_else(|| impossible(&format!("a resolvable '{attribute}'"), node))
    }

    fn place_of(&self, node: Xml<'a>) -> Option<Place> {
        self.places.get(id(node)?).copied()
    }

    fn build(&self, place: ElementId) -> Result<Element, Refused> {
        let behavior = self.behavior(place)?;
        let waits_for = self.waits_for(place);
        let draft = self.draft(place);
        let xml = draft.xml;
        let works = matches!(draft.half, Half::Whole | Half::Repeated);
        let (inputs, outputs) = if works {
            extension::mappings(xml)?
        } else {
            extension::Mappings::default()
        };
        let listeners = match draft.half {
            Half::Whole | Half::Repeated => extension::execution_listeners(xml)?,
            Half::Body => match children(xml, Tag::MultiInstance).next() {
                Some(characteristics) => extension::execution_listeners(characteristics)?,
                None => ExecutionListeners::default(),
            },
            Half::Inner => ExecutionListeners::default(),
        };
        let name = id(xml).unwrap_or("");
        Ok(Element {
            id: match draft.half {
                Half::Inner => format!("{name}{INNER_INSTANCE}").into(),
                Half::Whole | Half::Body | Half::Repeated => name.into(),
            },
            name: xml.attribute("name").unwrap_or("").into(),
            documentation: child_content(xml, "documentation")
                .unwrap_or_default()
                .into(),
            element_type: element_type(draft),
            event_type: event_type(draft),
            scope: draft.scope,
            incoming: draft.incoming.clone().into(),
            outgoing: draft.outgoing.clone().into(),
            boundary_events: draft.boundary_events.clone().into(),
            event_sub_processes: draft.event_sub_processes.clone().into(),
            waits_for,
            inputs,
            outputs,
            listeners,
            properties: if works {
                extension::properties(xml)
            } else {
                Box::default()
            },
            agent: match draft.half {
                Half::Whole | Half::Repeated => extension::agent(xml),
                Half::Body | Half::Inner => AgentDefinitionType::Unspecified,
            },
            behavior,
        })
    }

    fn waits_for(&self, place: ElementId) -> Box<[ElementId]> {
        let draft = self.draft(place);
        match draft.tag {
            Tag::EventBasedGateway => draft
                .outgoing
                .iter()
                .map(|flow| self.flows[flow.0 as usize].target)
                .collect(),
            Tag::IntermediateCatchEvent => Box::new([place]),
            _ => {
                let starts = draft
                    .event_sub_processes
                    .iter()
                    .filter_map(|sub_process| self.draft(*sub_process).start_events.first());
                // A receive task waits for its own message besides its boundary events.
                let own =
                    (draft.tag == Tag::ReceiveTask && draft.half != Half::Body).then_some(&place);
                starts
                    .chain(own)
                    .chain(&draft.boundary_events)
                    .copied()
                    .collect()
            }
        }
    }
}

/// True for a sub-process that an event triggers.
pub(super) fn is_event_sub_process(node: Xml<'_>, tag: Tag) -> bool {
    tag == Tag::SubProcess && flag(node, "triggeredByEvent", false)
}

fn element_type(draft: &Draft<'_>) -> BpmnElementType {
    match draft.half {
        Half::Body => BpmnElementType::MultiInstanceBody,
        Half::Inner => BpmnElementType::AdHocSubProcessInnerInstance,
        Half::Whole | Half::Repeated if is_event_sub_process(draft.xml, draft.tag) => {
            BpmnElementType::EventSubProcess
        }
        Half::Whole | Half::Repeated => draft.tag.element_type(),
    }
}

fn event_type(draft: &Draft<'_>) -> BpmnEventType {
    if !matches!(draft.tag.sort(), Sort::CatchEvent | Sort::ThrowEvent) {
        return if draft.tag == Tag::ReceiveTask && draft.half != Half::Body {
            BpmnEventType::Message
        } else {
            BpmnEventType::Unspecified
        };
    }
    match event_definitions(draft.xml).next().map(|(tag, _)| tag) {
        None => BpmnEventType::None,
        Some(Tag::MessageEvent) => BpmnEventType::Message,
        Some(Tag::TimerEvent) => BpmnEventType::Timer,
        Some(Tag::SignalEvent) => BpmnEventType::Signal,
        Some(Tag::ErrorEvent) => BpmnEventType::Error,
        Some(Tag::EscalationEvent) => BpmnEventType::Escalation,
        Some(Tag::CompensateEvent) => BpmnEventType::Compensation,
        Some(Tag::ConditionalEvent) => BpmnEventType::Conditional,
        Some(Tag::LinkEvent) => BpmnEventType::Link,
        Some(Tag::TerminateEvent) => BpmnEventType::Terminate,
        Some(_) => BpmnEventType::Unspecified,
    }
}
