//! A DMN file becomes a graph, or a refusal that names everything that is wrong.
//!
//! Order follows the reference engine, because its texts do: cycles first and alone, then decisions
//! in the order of the file, each after the knowledge it requires. Knowledge that no decision
//! requires is not looked at. Cells with the same text are compiled once and complained about once.
//! The reference engine checks files against a schema; of that, what evaluation relies on is
//! checked here, in own words.
//!
//! | limit | value |
//! |---|---|
//! | file | that of [`crate::model`]'s XML reader |
//! | complaints kept | [`FAILURES_MAX`] |
//! | nesting of logic | that of XML |

mod logic;

use roxmltree::{Document, Node};
use rustc_hash::FxHashMap;

use crate::feel::{self, Expression, UnaryTests};
use crate::model::xml;

use super::graph::{Cell, Decision, Graph, Knowledge, Logic, Name, Parameters};

/// Most complaints about one file.
const FAILURES_MAX: usize = 100;

/// Namespaces of the models of DMN 1.1 to 1.5, and spellings of them that are in use.
const NAMESPACES: [&str; 9] = [
    "http://www.omg.org/spec/DMN/20151101/dmn.xsd",
    "http://www.omg.org/spec/DMN/20151130",
    "http://www.omg.org/spec/DMN/20180521/MODEL/",
    "https://www.omg.org/spec/DMN/20180521/MODEL/",
    "https://www.omg.org/spec/DMN/20191111/MODEL/",
    "http://www.omg.org/spec/DMN/20191111/MODEL/",
    "https://www.omg.org/spec/DMN/20211108/MODEL/",
    "https://www.omg.org/spec/DMN/20230324/MODEL/",
    "http://www.omg.org/spec/DMN/20151101",
];

/// Names of FEEL as an expression language, in lower case.
const FEEL: [&str; 6] = [
    "feel",
    "http://www.omg.org/spec/feel/20140401",
    "http://www.omg.org/spec/dmn/20180521/feel/",
    "https://www.omg.org/spec/dmn/20191111/feel/",
    "https://www.omg.org/spec/dmn/20211108/feel/",
    "https://www.omg.org/spec/dmn/20230324/feel/",
];

/// Namespace of the modeller's extensions.
const ZEEBE: &str = "http://camunda.org/schema/zeebe/1.0";

pub(super) type Xml<'a> = Node<'a, 'a>;

/// Why a file is no decision requirements graph: one complaint a line.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub String);

/// What becomes of a part that cannot be compiled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unreadable {
    /// The file is refused.
    Refuse,
    /// It fails when it is evaluated: conformance suites put many decisions into one file.
    Defer,
}

/// Compiles a file.
///
/// # Errors
/// It is no DMN, or a part of it cannot be compiled.
pub fn compile(bytes: &[u8]) -> Result<Graph, Refused> {
    compile_as(bytes, Unreadable::Refuse)
}

/// Compiles a file; `unreadable` says what becomes of a part that cannot be compiled.
///
/// # Errors
/// It is no DMN, or as `unreadable` says.
pub fn compile_as(bytes: &[u8], unreadable: Unreadable) -> Result<Graph, Refused> {
    let invalid = |why: String| Refused(format!("Failed to parse DMN: {why}"));
    let text = xml::text(bytes).map_err(|error| invalid(error.to_string()))?;
    let document = xml::tree(&text).map_err(|error| invalid(error.to_string()))?;
    let file = File::read(&document, unreadable).map_err(invalid)?;
    file.check_cycles()?;
    let mut compiler = Compiler::new(&file);
    let decisions = (file.decisions.iter())
        .map(|node| compiler.decision(*node))
        .collect();
    if unreadable == Unreadable::Refuse && !compiler.failures.is_empty() {
        return Err(Refused(compiler.failures.join("\n")));
    }
    let root = document.root_element();
    let attribute = |name| root.attribute(name).unwrap_or_default().into();
    Ok(Graph {
        id: attribute("id"),
        name: attribute("name"),
        namespace: attribute("namespace"),
        decisions,
        knowledge: compiler.knowledge.into(),
        expressions: compiler.expressions.into(),
        tests: compiler.tests.into(),
        refusals: compiler.refusals.into(),
    })
}

/// The parts of a file that refer to each other.
struct File<'a> {
    decisions: Vec<Xml<'a>>,
    knowledge: Vec<Xml<'a>>,
    decisions_by_id: FxHashMap<&'a str, usize>,
    knowledge_by_id: FxHashMap<&'a str, usize>,
}

impl<'a> File<'a> {
    fn read(document: &'a Document<'a>, unreadable: Unreadable) -> Result<File<'a>, String> {
        let root = document.root_element();
        if !is(root, "definitions") {
            let name = root.tag_name().name();
            return Err(format!(
                "Expected DMN 'definitions' as the root element but found '{name}'"
            ));
        }
        let strict = unreadable == Unreadable::Refuse;
        for attribute in ["id", "name", "namespace"] {
            if strict {
                required(root, attribute)?;
            }
        }
        let mut file = File {
            decisions: Vec::new(),
            knowledge: Vec::new(),
            decisions_by_id: FxHashMap::default(),
            knowledge_by_id: FxHashMap::default(),
        };
        for node in root.children().filter(Node::is_element) {
            let (list, ids) = if is(node, "decision") {
                (&mut file.decisions, &mut file.decisions_by_id)
            } else if is(node, "businessKnowledgeModel") {
                (&mut file.knowledge, &mut file.knowledge_by_id)
            } else {
                continue;
            };
            required(node, "name")?;
            if strict {
                required(node, "id")?;
            }
            if let Some(id) = node.attribute("id")
                && ids.insert(id, list.len()).is_some()
            {
                return Err(format!("There are multiple occurrences of ID value '{id}'"));
            }
            list.push(node);
        }
        Ok(file)
    }

    /// Positions of what `node` refers to.
    fn required(&self, node: Xml<'a>, relation: &Relation) -> Vec<usize> {
        let ids = match relation {
            Relation::Decisions => &self.decisions_by_id,
            Relation::Knowledge => &self.knowledge_by_id,
        };
        let (outer, inner) = relation.names();
        children(node, outer)
            .filter_map(|requirement| child(requirement, inner)?.attribute("href"))
            .filter_map(|href| ids.get(href.rsplit('#').next().unwrap_or(href)).copied())
            .collect()
    }

    fn check_cycles(&self) -> Result<(), Refused> {
        let cyclic = |nodes: &[Xml<'a>], relation| {
            let edges: Vec<Vec<usize>> = (nodes.iter())
                .map(|node| self.required(*node, &relation))
                .collect();
            has_cycle(&edges)
        };
        let what = if cyclic(&self.decisions, Relation::Decisions) {
            "decisions"
        } else if cyclic(&self.knowledge, Relation::Knowledge) {
            "BKMs"
        } else {
            return Ok(());
        };
        Err(Refused(format!(
            "Invalid DMN model: Cyclic dependencies between {what} detected."
        )))
    }
}

/// What a requirement leads to.
enum Relation {
    Decisions,
    Knowledge,
}

impl Relation {
    /// Names of the requirement and of the reference in it.
    fn names(&self) -> (&'static str, &'static str) {
        match self {
            Relation::Decisions => ("informationRequirement", "requiredDecision"),
            Relation::Knowledge => ("knowledgeRequirement", "requiredKnowledge"),
        }
    }
}

/// Whether a walk along the edges can come back; without recursion, chains may be long.
fn has_cycle(edges: &[Vec<usize>]) -> bool {
    let mut incoming = vec![0usize; edges.len()];
    for to in edges.iter().flatten() {
        incoming[*to] += 1;
    }
    let mut free: Vec<usize> = (0..edges.len()).filter(|at| incoming[*at] == 0).collect();
    let mut passed = 0;
    while let Some(at) = free.pop() {
        passed += 1;
        for to in &edges[at] {
            incoming[*to] -= 1;
            if incoming[*to] == 0 {
                free.push(*to);
            }
        }
    }
    passed < edges.len()
}

/// Where a piece of knowledge is in the graph.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Unseen,
    Pending,
    At(u32),
}

/// Collects what the graph will hold.
struct Compiler<'f, 'a> {
    file: &'f File<'a>,
    expressions: Vec<Expression>,
    tests: Vec<UnaryTests>,
    cells: FxHashMap<String, Cell>,
    test_cells: FxHashMap<String, Cell>,
    knowledge: Vec<Knowledge>,
    places: Vec<Place>,
    /// Knowledge that may be invoked, by name: what was required so far.
    invocable: FxHashMap<&'a str, u32>,
    failures: Vec<String>,
    refusals: Vec<Name>,
}

impl<'f, 'a> Compiler<'f, 'a> {
    fn new(file: &'f File<'a>) -> Self {
        Compiler {
            file,
            expressions: Vec::new(),
            tests: Vec::new(),
            cells: FxHashMap::default(),
            test_cells: FxHashMap::default(),
            knowledge: Vec::new(),
            places: vec![Place::Unseen; file.knowledge.len()],
            invocable: FxHashMap::default(),
            failures: Vec::new(),
            refusals: Vec::new(),
        }
    }

    /// Notes a complaint; returns the place of its text for what stands there instead.
    fn refuse(&mut self, why: String) -> u32 {
        let at = index(self.refusals.len());
        self.refusals.push(why.as_str().into());
        if self.failures.len() < FAILURES_MAX {
            self.failures.push(why);
        }
        at
    }

    fn decision(&mut self, node: Xml<'a>) -> Decision {
        let requires = self.file.required(node, &Relation::Decisions);
        let knowledge = self.file.required(node, &Relation::Knowledge);
        for at in &knowledge {
            self.require_knowledge(*at);
        }
        let logic = match expression(node) {
            Some(found) if !is(found, "functionDefinition") => self.logic(found),
            found => {
                let what = found.map_or("null", |found| found.tag_name().name());
                Logic::Refused(self.refuse(format!("unsupported decision expression '{what}'")))
            }
        };
        let id = node.attribute("id").unwrap_or_default();
        let variable = child(node, "variable");
        let name = node.attribute("name").unwrap_or_default();
        let fallback = if id.is_empty() { name } else { id };
        let result_name = variable.and_then(|found| found.attribute("name"));
        Decision {
            id: id.into(),
            name: name.into(),
            version_tag: version_tag(node),
            logic,
            result_name: result_name.unwrap_or(fallback).into(),
            result_type: variable.and_then(type_ref),
            requires: requires.into_iter().map(index).collect(),
            knowledge: self.placed(&knowledge),
        }
    }

    /// Places of knowledge that was compiled.
    fn placed(&self, positions: &[usize]) -> Box<[u32]> {
        let places = positions.iter().filter_map(|at| match self.places[*at] {
            Place::At(place) => Some(place),
            Place::Unseen | Place::Pending => None,
        });
        places.collect()
    }

    /// Compiles knowledge after what it requires, without recursion.
    fn require_knowledge(&mut self, at: usize) {
        let mut stack = vec![at];
        while let Some(at) = stack.last().copied() {
            let node = self.file.knowledge[at];
            match self.places[at] {
                Place::At(_) => {
                    stack.pop();
                }
                Place::Unseen => {
                    self.places[at] = Place::Pending;
                    let required = self.file.required(node, &Relation::Knowledge);
                    stack.extend(required.into_iter().rev());
                }
                Place::Pending => {
                    stack.pop();
                    let name = node.attribute("name").unwrap_or_default();
                    // Knowledge is known by name: the first of a name stands for all.
                    let place = match self.invocable.get(name) {
                        Some(place) => *place,
                        None => {
                            let compiled = self.compile_knowledge(node);
                            let place = index(self.knowledge.len());
                            self.knowledge.push(compiled);
                            self.invocable.insert(name, place);
                            place
                        }
                    };
                    self.places[at] = Place::At(place);
                }
            }
        }
    }

    fn compile_knowledge(&mut self, node: Xml<'a>) -> Knowledge {
        let required = self.file.required(node, &Relation::Knowledge);
        let (parameters, logic) = match child(node, "encapsulatedLogic") {
            None => (Parameters::default(), Logic::Nothing),
            Some(found) => {
                let logic = match expression(found) {
                    Some(body) if !is(body, "invocation") && !is(body, "functionDefinition") => {
                        self.logic(body)
                    }
                    other => {
                        let what = other.map_or("null", |other| other.tag_name().name());
                        Logic::Refused(self.refuse(format!(
                            "unsupported business knowledge model logic found '{what}'"
                        )))
                    }
                };
                (parameters(found), logic)
            }
        };
        Knowledge {
            id: node.attribute("id").unwrap_or_default().into(),
            name: node.attribute("name").unwrap_or_default().into(),
            parameters,
            logic,
            requires: self.placed(&required),
        }
    }

    /// The cell of an element that holds an expression.
    fn cell(&mut self, node: Option<Xml<'a>>) -> Cell {
        let text = node.and_then(|node| child(node, "text")).map(content);
        let Some(text) = text else {
            let id = node.and_then(|node| node.attribute("id")).unwrap_or("null");
            let why = format!("The expression '{id}' must not be empty.");
            return Cell::Refused(self.refuse(why));
        };
        if let Some(language) = foreign_language(node) {
            let why = format!("Expression language '{language}' is not supported");
            return Cell::Refused(self.refuse(why));
        }
        if let Some(known) = self.cells.get(&text) {
            return *known;
        }
        let cell = match feel::compile(&text) {
            Ok(expression) => {
                self.expressions.push(expression);
                Cell::Expression(index(self.expressions.len() - 1))
            }
            Err(error) => Cell::Refused(self.refuse(format!("FEEL expression: {error}"))),
        };
        self.cells.insert(text, cell);
        cell
    }

    /// The cell of an element that holds unary tests.
    fn test(&mut self, node: Xml<'a>) -> Cell {
        let text = child(node, "text").map(content).unwrap_or_default();
        if let Some(language) = foreign_language(Some(node)) {
            let why = format!("Expression language '{language}' is not supported");
            return Cell::Refused(self.refuse(why));
        }
        if text.is_empty() || text == "-" {
            return Cell::Any;
        }
        if let Some(known) = self.test_cells.get(&text) {
            return *known;
        }
        let cell = match feel::compile_unary_tests(&text) {
            Ok(tests) => {
                self.tests.push(tests);
                Cell::Tests(index(self.tests.len() - 1))
            }
            Err(error) => Cell::Refused(self.refuse(format!("FEEL unary-tests: {error}"))),
        };
        self.test_cells.insert(text, cell);
        cell
    }
}

/// The language of an expression, if it is not FEEL.
fn foreign_language(node: Option<Xml<'_>>) -> Option<String> {
    let language = node?.attribute("expressionLanguage")?.to_lowercase();
    (!FEEL.contains(&language.as_str())).then_some(language)
}

/// Formal parameters of a function.
fn parameters(node: Xml<'_>) -> Parameters {
    let all = || children(node, "formalParameter");
    Parameters {
        names: all()
            .map(|one| one.attribute("name").unwrap_or_default().into())
            .collect(),
        types: all().map(type_ref).collect(),
    }
}

fn type_ref(node: Xml<'_>) -> Option<Name> {
    node.attribute("typeRef")
        .filter(|found| !found.is_empty())
        .map(Name::from)
}

fn version_tag(decision: Xml<'_>) -> Option<Name> {
    child(decision, "extensionElements")?
        .children()
        .find(|found| found.has_tag_name((ZEEBE, "versionTag")))?
        .attribute("value")
        .map(Name::from)
}

fn required<'a>(node: Xml<'a>, attribute: &str) -> Result<&'a str, String> {
    node.attribute(attribute)
        .filter(|value| !value.is_empty())
        .ok_or_else(|| {
            let name = node.tag_name().name();
            format!("Attribute '{attribute}' must appear on element '{name}'")
        })
}

/// True if the node is this element of DMN.
fn is(node: Xml<'_>, name: &str) -> bool {
    node.tag_name().name() == name
        && node
            .tag_name()
            .namespace()
            .is_some_and(|namespace| NAMESPACES.contains(&namespace))
}

fn child<'a>(node: Xml<'a>, name: &str) -> Option<Xml<'a>> {
    node.children().find(|found| is(*found, name))
}

fn children<'a>(node: Xml<'a>, name: &'static str) -> impl Iterator<Item = Xml<'a>> + use<'a> {
    node.children().filter(move |found| is(*found, name))
}

/// Names of elements that are logic.
const EXPRESSIONS: [&str; 7] = [
    "decisionTable",
    "literalExpression",
    "context",
    "invocation",
    "relation",
    "list",
    "functionDefinition",
];

/// All children that are logic.
fn expressions<'a>(node: Xml<'a>) -> impl Iterator<Item = Xml<'a>> + use<'a> {
    node.children()
        .filter(|found| EXPRESSIONS.iter().any(|name| is(*found, name)))
}

/// The first child that is logic.
fn expression<'a>(node: Xml<'a>) -> Option<Xml<'a>> {
    expressions(node).next()
}

/// All text inside an element, without blanks around it.
fn content(node: Xml<'_>) -> String {
    let texts = node.descendants().filter(Node::is_text);
    let all: String = texts.filter_map(|text| text.text()).collect();
    all.trim().to_owned()
}

/// A position as an index. A file has far fewer nodes than fit.
fn index(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}
