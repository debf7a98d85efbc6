//! A file's tree with the indexes that rules and compilation share: ids, flows, attached events.
//!
//! References of BPMN are ids inside the file; an id may be written with a namespace prefix, which
//! is ignored. All lists keep document order. Building the indexes is linear in the file; using
//! them makes every rule linear in what it looks at.

use roxmltree::{Document, Node};
use rustc_hash::FxHashMap;

use super::element_type::{BPMN, Tag, ZEEBE};
use super::xml::XmlError;

/// An element of the file.
pub(super) type Xml<'a> = Node<'a, 'a>;

/// A parsed file.
pub(super) struct Source<'a> {
    /// The root element.
    pub root: Xml<'a>,
    ids: FxHashMap<&'a str, Xml<'a>>,
    outgoing: FxHashMap<&'a str, Vec<Xml<'a>>>,
    incoming: FxHashMap<&'a str, Vec<Xml<'a>>>,
    boundary: FxHashMap<&'a str, Vec<Xml<'a>>>,
    /// Association targets by source.
    associations: FxHashMap<&'a str, &'a str>,
}

impl<'a> Source<'a> {
    /// Indexes a tree.
    ///
    /// # Errors
    /// The root is not BPMN definitions, or an id stands twice.
    pub(super) fn new(document: &'a Document<'a>) -> Result<Self, XmlError> {
        let root = document.root_element();
        let mut source = Self {
            root,
            ids: FxHashMap::default(),
            outgoing: FxHashMap::default(),
            incoming: FxHashMap::default(),
            boundary: FxHashMap::default(),
            associations: FxHashMap::default(),
        };
        if Tag::of(root) != Some(Tag::Definitions) {
            let name = root.tag_name().name();
            let reason =
                format!("Expected BPMN 'definitions' as the root element but found '{name}'");
            return Err(error_at(root, reason));
        }
        for node in root.descendants().filter(|node| bpmn(*node)) {
            if let Some(id) = id(node)
                && source.ids.insert(id, node).is_some()
            {
                let reason = format!("There are multiple occurrences of ID value '{id}'");
                return Err(error_at(node, reason));
            }
            source.link(node);
        }
        source.declare_flows()?;
        Ok(source)
    }

    fn link(&mut self, node: Xml<'a>) {
        let attribute = |name| node.attribute(name).map(local);
        match node.tag_name().name() {
            "boundaryEvent" => {
                if let Some(host) = attribute("attachedToRef") {
                    self.boundary.entry(host).or_default().push(node);
                }
            }
            "association" => {
                if let (Some(from), Some(to)) = (attribute("sourceRef"), attribute("targetRef")) {
                    self.associations.entry(from).or_insert(to);
                }
            }
            _ => {}
        }
    }

    /// Flow nodes name their flows; a name of nothing ends the reading where the rules ask for it.
    /// In a file without any such names (hand-written ones do without) the flows themselves count.
    fn declare_flows(&mut self) -> Result<(), XmlError> {
        let names = |node: &Xml<'_>| {
            node.has_tag_name((BPMN, "outgoing")) || node.has_tag_name((BPMN, "incoming"))
        };
        if !self.root.descendants().any(|node| names(&node)) {
            for flow in self.root.descendants() {
                if Tag::of(flow) != Some(Tag::SequenceFlow) {
                    continue;
                }
                if let Some(from) = flow.attribute("sourceRef").map(local) {
                    self.outgoing.entry(from).or_default().push(flow);
                }
                if let Some(to) = flow.attribute("targetRef").map(local) {
                    self.incoming.entry(to).or_default().push(flow);
                }
            }
            return Ok(());
        }
        for node in self.processes().flat_map(|process| process.descendants()) {
            let (Some(owner), Some(tag)) = (id(node), Tag::of(node)) else {
                continue;
            };
            if !tag.is_flow_node() {
                continue;
            }
            for (list, name) in [(true, "outgoing"), (false, "incoming")] {
                for reference in node.children().filter(|n| n.has_tag_name((BPMN, name))) {
                    let flow = content(reference);
                    let Some(found) = self.ids.get(local(&flow)).copied() else {
                        let asked = list || tag == Tag::BoundaryEvent || handles_compensation(node);
                        if asked {
                            let reason =
                                format!("Unable to find a model element instance for id {flow}");
                            return Err(XmlError::plain(reason));
                        }
                        continue;
                    };
                    let flows = if list {
                        &mut self.outgoing
                    } else {
                        &mut self.incoming
                    };
                    flows.entry(owner).or_default().push(found);
                }
            }
        }
        Ok(())
    }

    /// The element an attribute of `node` refers to.
    pub(super) fn referred(&self, node: Xml<'a>, attribute: &str) -> Option<Xml<'a>> {
        self.ids.get(local(node.attribute(attribute)?)).copied()
    }

    /// The element an attribute of `node` refers to, if it is a `tag`.
    pub(super) fn referred_as(&self, node: Xml<'a>, attribute: &str, tag: Tag) -> Option<Xml<'a>> {
        self.referred(node, attribute)
            .filter(|found| Tag::of(*found) == Some(tag))
    }

    /// Sequence flows that `node` names as its outgoing ones.
    pub(super) fn outgoing(&self, node: Xml<'a>) -> &[Xml<'a>] {
        by_id(&self.outgoing, node)
    }

    /// Sequence flows that `node` names as its incoming ones.
    pub(super) fn incoming(&self, node: Xml<'a>) -> &[Xml<'a>] {
        by_id(&self.incoming, node)
    }

    /// Boundary events attached to `node`.
    pub(super) fn boundary_events(&self, node: Xml<'a>) -> &[Xml<'a>] {
        by_id(&self.boundary, node)
    }

    /// Where the association from `node` leads.
    pub(super) fn associated(&self, node: Xml<'a>) -> Option<Xml<'a>> {
        self.ids.get(*self.associations.get(id(node)?)?).copied()
    }

    /// The processes of the file that are meant to be executed.
    pub(super) fn processes(&self) -> impl Iterator<Item = Xml<'a>> + use<'a> {
        children(self.root, Tag::Process).filter(|process| is_executable(*process))
    }
}

fn by_id<'s, 'a>(map: &'s FxHashMap<&'a str, Vec<Xml<'a>>>, node: Xml<'a>) -> &'s [Xml<'a>] {
    id(node)
        .and_then(|id| map.get(id))
        .map_or(&[], Vec::as_slice)
}

/// An error that stands at an element.
pub(super) fn error_at(node: Xml<'_>, reason: String) -> XmlError {
    XmlError::invalid(node.document().input_text(), node.range().start, reason)
}

fn handles_compensation(node: Xml<'_>) -> bool {
    flag(node, "isForCompensation", false)
}

/// A reference without its namespace prefix.
fn local(reference: &str) -> &str {
    reference
        .rsplit_once(':')
        .map_or(reference, |(_, local)| local)
}

fn bpmn(node: Xml<'_>) -> bool {
    node.tag_name().namespace() == Some(BPMN)
}

/// An attribute; one that is empty counts as absent, as in the reference's model.
pub(super) fn given<'a>(node: Xml<'a>, name: &str) -> Option<&'a str> {
    node.attribute(name).filter(|value| !value.is_empty())
}

/// The id of an element; none if it is absent or empty.
pub(super) fn id<'a>(node: Xml<'a>) -> Option<&'a str> {
    given(node, "id")
}

/// True if the process says so.
pub(super) fn is_executable(process: Xml<'_>) -> bool {
    flag(process, "isExecutable", false)
}

/// A boolean attribute (`true` or `1`, `false` or `0`).
pub(super) fn flag(node: Xml<'_>, name: &str, default: bool) -> bool {
    match node.attribute(name).map(str::trim) {
        Some("true" | "1") => true,
        Some(_) => false,
        None => default,
    }
}

/// The tag of the parent.
pub(super) fn parent_tag(node: Xml<'_>) -> Option<Tag> {
    node.parent_element().and_then(Tag::of)
}

/// Children of BPMN with this tag.
pub(super) fn children<'a>(node: Xml<'a>, tag: Tag) -> impl Iterator<Item = Xml<'a>> + use<'a> {
    node.children()
        .filter(move |child| Tag::of(*child) == Some(tag))
}

/// The event definitions of an event.
pub(super) fn event_definitions<'a>(
    event: Xml<'a>,
) -> impl Iterator<Item = (Tag, Xml<'a>)> + use<'a> {
    event.children().filter_map(|child| {
        let tag = Tag::of(child)?;
        (tag.sort() == super::element_type::Sort::EventDefinition).then_some((tag, child))
    })
}

/// First child of BPMN with this name.
pub(super) fn child<'a>(node: Xml<'a>, name: &str) -> Option<Xml<'a>> {
    node.children()
        .find(|child| bpmn(*child) && child.tag_name().name() == name)
}

/// All text inside an element, without blanks around it.
pub(super) fn content(node: Xml<'_>) -> String {
    let all: String = node
        .descendants()
        .filter(Node::is_text)
        .filter_map(|n| n.text())
        .collect();
    all.trim().to_owned()
}

/// The text inside the first child of this name.
pub(super) fn child_content(node: Xml<'_>, name: &str) -> Option<String> {
    child(node, name).map(content)
}

/// The extension elements of this name.
pub(super) fn extensions<'a>(
    node: Xml<'a>,
    name: &'static str,
) -> impl Iterator<Item = Xml<'a>> + use<'a> {
    child(node, "extensionElements")
        .into_iter()
        .flat_map(|extensions| extensions.children())
        .filter(move |found| is_extension(*found, name))
}

/// The first extension element of this name.
pub(super) fn extension<'a>(node: Xml<'a>, name: &'static str) -> Option<Xml<'a>> {
    extensions(node, name).next()
}

/// True if this is the extension element `name`.
pub(super) fn is_extension(node: Xml<'_>, name: &str) -> bool {
    node.tag_name().namespace() == Some(ZEEBE) && node.tag_name().name() == name
}

/// Children of an extension element with this name.
pub(super) fn parts<'a>(
    node: Xml<'a>,
    name: &'static str,
) -> impl Iterator<Item = Xml<'a>> + use<'a> {
    node.children()
        .filter(move |part| is_extension(*part, name))
}
