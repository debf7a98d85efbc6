//! The executable process: what a deployed BPMN file becomes and what the engine runs.
//!
//! A file is compiled once per deployment (and once more when a definition is loaded from the
//! store) into one [`Process`] per executable process of the file. A process is immutable, `Send +
//! Sync` and shared by `Arc`. Elements and sequence flows live in two arenas and name each other by
//! index, so that following a flow, finding a boundary event or a flow scope is an array access;
//! texts (ids) are looked up only where one enters from outside, in [`Process::element`].
//!
//! What a compiled process guarantees (the validator refused the file otherwise):
//!
//! 1. Every [`ElementId`] and [`FlowId`] found inside a process is an index of its own arenas;
//!    handing an id to another process is a mistake of the caller and panics.
//! 2. Element 0 is the process. Every other element has a flow scope, and the chain of scopes ends
//!    at element 0. A scope stands before its children in the arena.
//! 3. A multi-instance activity is two elements with one id: the body (outer, owns flows and
//!    boundary events) and the inner activity, whose flow scope is the body. An ad-hoc sub-process
//!    is followed by its inner instance (`<id>#innerInstance`), the flow scope of what it contains.
//! 4. All expressions are parsed. Flows, mappings, listeners, headers keep document order.
//!
//! The road from bytes to process, each step in its file: `xml` (limits, tree with positions),
//! [`crate::schema`] (what the vocabulary allows), `parse` (elements of BPMN and of the extension namespace), `validate` (the rules, worded as
//! Camunda words them), `compile` (tree to arenas).

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a tag is any name of the XML vocabulary; a rule concerns a few of them"
)]
mod compile;
mod element;
mod element_type;
mod expression;
mod extension;
pub(crate) mod hash_order;
pub(crate) mod length;
mod parse;
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a tag is any name of the XML vocabulary; a rule concerns a few of them"
)]
mod validate;
pub(crate) mod xml;

use rustc_hash::FxHashMap;

use crate::record::Text;
use crate::record::value::BpmnElementType;
use crate::schema;

pub use element::{
    AdHoc, Behavior, Binding, CalledDecision, CalledElement, CatchEvent, CatchEventRef,
    Conditional, Container, Element, ExecutionListeners, Form, InputMapping, Job, LinkedResource,
    Listener, Message, MultiInstance, MultiInstanceOutput, OutputMapping, PublishMessage, Script,
    TaskListener, TaskListenerEvent, ThrowEvent, Timer, UserTask,
};
pub(crate) use expression::write_static;
pub use expression::{Code, Expr};
pub use validate::loops::StraightThroughLoop;

/// Why a file is refused, worded as Camunda words it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refused {
    /// It is not XML, not BPMN, over a limit, or breaks rules.
    #[error("{0}")]
    Invalid(String),
    /// Processes that would run in circles for ever.
    #[error("{}", loops_text(.0, ""))]
    Loops(Vec<StraightThroughLoop>),
}

impl Refused {
    /// The lines of the rejection that stand for the file called `resource`.
    #[must_use]
    pub fn reason(&self, resource: &str) -> String {
        match self {
            Self::Invalid(text) => format!("'{resource}': {text}"),
            Self::Loops(loops) => loops_text(loops, &format!("`{resource}`: ")),
        }
    }
}

fn loops_text(loops: &[StraightThroughLoop], front: &str) -> String {
    let text = |found: &StraightThroughLoop| {
        format!(
            "{front}- Process: {}\n    - ERROR: Processes are not allowed to contain a \
             straight-through processing loop: {}\n",
            found.process,
            found.elements.join(" > ")
        )
    };
    loops.iter().map(text).collect()
}

/// Compiles the executable processes of a BPMN file, in document order.
///
/// # Errors
/// The bytes are not XML, not BPMN, over a limit, or break a rule; all broken rules are named.
pub fn compile(resource: &[u8]) -> Result<Vec<Process>, Refused> {
    let text = xml::text(resource).map_err(refused)?;
    let tree = xml::tree(&text).map_err(refused)?;
    if let Some(violation) = schema::bpmn(&tree) {
        let error = xml::XmlError::invalid(&text, violation.offset, violation.reason);
        return Err(refused(error));
    }
    let source = parse::Source::new(&tree).map_err(refused)?;
    if let Some(report) = validate::validate(&source) {
        return Err(Refused::Invalid(report));
    }
    let processes = compile::compile(&source)?;
    let loops = validate::loops::find(&processes);
    if loops.is_empty() {
        Ok(processes)
    } else {
        Err(Refused::Loops(loops))
    }
}

/// What an element can be bound to in its own deployment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bound {
    /// A process that is called.
    Process,
    /// A decision that is called.
    Decision,
    /// A form that is linked.
    Form,
    /// A resource that is linked.
    Resource,
}

/// Says which elements of a file, bound to their own deployment, name what is not deployed with
/// them; `has` says what is.
///
/// # Errors
/// The file does not compile, or such an element exists.
pub fn check_bindings(
    resource: &[u8],
    has: &mut dyn FnMut(Bound, &str) -> bool,
) -> Result<(), Refused> {
    let text = xml::text(resource).map_err(refused)?;
    if !text.contains("bindingType") {
        return Ok(());
    }
    let tree = xml::tree(&text).map_err(refused)?;
    let source = parse::Source::new(&tree).map_err(refused)?;
    match validate::unbound(&source, has) {
        Some(report) => Err(Refused::Invalid(report)),
        None => Ok(()),
    }
}

fn refused(error: xml::XmlError) -> Refused {
    Refused::Invalid(error.to_string())
}

/// Index of an element in its process. 0 is the process itself.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ElementId(pub u32);

impl ElementId {
    /// The process itself.
    pub const PROCESS: Self = Self(0);
}

/// Index of a sequence flow in its process.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FlowId(pub u32);

/// What an id of the model names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Node {
    /// An element; of a multi-instance activity the body.
    Element(ElementId),
    /// A sequence flow.
    Flow(FlowId),
}

/// One executable process of a file.
#[derive(Debug)]
pub struct Process {
    elements: Box<[Element]>,
    flows: Box<[Flow]>,
    ids: FxHashMap<Text, Node>,
    /// Version tag of the model; empty if it has none.
    pub version_tag: Text,
    /// Priority of jobs whose element has none.
    pub job_priority: Option<Expr>,
    compensates: bool,
    watches_conditions: bool,
}

impl Process {
    /// The BPMN process id.
    #[must_use]
    pub fn id(&self) -> &Text {
        &self.root().id
    }

    /// The process as an element.
    #[must_use]
    pub fn root(&self) -> &Element {
        &self[ElementId::PROCESS]
    }

    /// True if an activity has a compensation handler.
    #[must_use]
    pub fn compensates(&self) -> bool {
        self.compensates
    }

    /// True if an instance may wait for a condition.
    #[must_use]
    pub fn watches_conditions(&self) -> bool {
        self.watches_conditions
    }

    /// What `id` names; the body if it is a multi-instance activity.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<Node> {
        self.ids.get(id).copied()
    }

    /// The element called `id`; the body if it is a multi-instance activity.
    #[must_use]
    pub fn element(&self, id: &str) -> Option<ElementId> {
        match self.find(id)? {
            Node::Element(element) => Some(element),
            Node::Flow(_) => None,
        }
    }

    /// The sequence flow called `id`.
    #[must_use]
    pub fn flow(&self, id: &str) -> Option<FlowId> {
        match self.find(id)? {
            Node::Flow(flow) => Some(flow),
            Node::Element(_) => None,
        }
    }

    /// The element a record names by id and type: the two together tell a multi-instance body
    /// (type MULTI_INSTANCE_BODY) from its inner activity (any other type).
    #[must_use]
    pub fn element_of(&self, id: &str, element_type: BpmnElementType) -> Option<ElementId> {
        let outer = self.element(id)?;
        if let Behavior::MultiInstance(body) = &self[outer].behavior
            && element_type != BpmnElementType::MultiInstanceBody
        {
            return Some(body.inner);
        }
        Some(outer)
    }

    /// All elements, the process first, scopes before their children.
    #[must_use]
    pub fn elements(&self) -> &[Element] {
        &self.elements
    }

    /// All sequence flows, in document order.
    #[must_use]
    pub fn flows(&self) -> &[Flow] {
        &self.flows
    }

    /// The start events of the process (not of its sub-processes), in document order.
    #[must_use]
    pub fn start_events(&self) -> &[ElementId] {
        self.root()
            .container()
            .map_or(&[], |container| &container.start_events)
    }

    /// The start event without a definition, through which a create request enters.
    #[must_use]
    pub fn none_start_event(&self) -> Option<ElementId> {
        self.root()
            .container()
            .and_then(|container| container.none_start)
    }
}

impl std::ops::Index<ElementId> for Process {
    type Output = Element;

    fn index(&self, id: ElementId) -> &Element {
        &self.elements[id.0 as usize]
    }
}

impl std::ops::Index<FlowId> for Process {
    type Output = Flow;

    fn index(&self, id: FlowId) -> &Flow {
        &self.flows[id.0 as usize]
    }
}

/// A sequence flow.
#[derive(Debug)]
pub struct Flow {
    /// Id in the model.
    pub id: Text,
    /// Where it starts; the body of a multi-instance activity.
    pub source: ElementId,
    /// Where it leads; the body of a multi-instance activity.
    pub target: ElementId,
    /// Condition, FEEL only.
    pub condition: Option<Expr>,
}
