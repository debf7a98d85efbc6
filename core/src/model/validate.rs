//! Deploy-time rules: everything that is wrong with a file, worded as Camunda words it.
//!
//! Elements are visited in document order, processes that are not executable are skipped. Each rule
//! is one function that adds to the report of the element it looks at; all broken rules of all
//! elements are told, up to [`MAX_TEXT`]. Rules about structure stand before rules about
//! expressions, as in Camunda. The text of the report is an interface: tools show it and tests of
//! users compare it.
//!
//! ```text
//! - Element: task > extensionElements > taskDefinition
//!     - ERROR: Attribute 'type' must be present and not empty
//! ```

mod activity;
mod event;
mod expression;
mod extension;
pub(super) mod loops;
mod process;

use super::Bound;
use super::element_type::{BPMN, Sort, Tag, ZEEBE};
use super::expression::is_feel;
use super::length::{ID_MAX, NAME_MAX, WORKER_TYPE_MAX, is_longer};
use super::parse::{Source, Xml, id, is_executable};
use event::Usage;

/// Longest report in bytes; the rest is counted.
const MAX_TEXT: usize = 12 * 1024;

/// The element that is looked at and what is wrong with it.
pub(super) struct Check<'s, 'a> {
    source: &'s Source<'a>,
    usage: Usage<'a>,
    errors: Vec<String>,
    /// What is wrong with expressions. The reference shows nothing else of an element that has any.
    expression_errors: Vec<String>,
}

impl Check<'_, '_> {
    fn error(&mut self, text: impl Into<String>) {
        self.errors.push(text.into());
    }

    /// Something that is only known once expressions are read.
    fn expression_error(&mut self, text: impl Into<String>) {
        self.expression_errors.push(text.into());
    }

    fn error_if(&mut self, broken: bool, text: &str) {
        if broken {
            self.error(text);
        }
    }
}

/// The report, or none if the file breaks no rule.
pub(super) fn validate(source: &Source<'_>) -> Option<String> {
    let mut check = Check {
        source,
        usage: Usage::new(source),
        errors: Vec::new(),
        expression_errors: Vec::new(),
    };
    let mut report = Report::default();
    let mut open = vec![source.root];
    while let Some(node) = open.pop() {
        if Tag::of(node) == Some(Tag::Process) && !is_executable(node) {
            continue;
        }
        check.element(node);
        check.lengths(node);
        if !check.expression_errors.is_empty() {
            check.errors = std::mem::take(&mut check.expression_errors);
        }
        report.add(node, &mut check.errors);
        open.extend(node.children().filter(|child| child.is_element()).rev());
    }
    (report.total > 0).then(|| report.text())
}

/// The report of elements bound to their own deployment that do not find there what they name.
pub(super) fn unbound(
    source: &Source<'_>,
    has: &mut dyn FnMut(Bound, &str) -> bool,
) -> Option<String> {
    let mut report = Report::default();
    let mut errors = Vec::new();
    let mut open = vec![source.root];
    while let Some(node) = open.pop() {
        if Tag::of(node) == Some(Tag::Process) && !is_executable(node) {
            continue;
        }
        if node.tag_name().namespace() == Some(ZEEBE)
            && node.attribute("bindingType") == Some("deployment")
            && let Some((bound, attribute, what)) = bound(node.tag_name().name())
            && (bound == Bound::Resource || is_of_the_process_itself(node))
        {
            // Expressions are looked up when they are evaluated.
            let id = node.attribute(attribute).unwrap_or_default();
            if !id.trim().is_empty() && !is_feel(id) && !has(bound, id) {
                errors.push(format!(
                    "Expected to find {what} with id '{id}' in current deployment, but not found."
                ));
            }
            report.add(node, &mut errors);
        }
        open.extend(node.children().filter(|child| child.is_element()).rev());
    }
    (report.total > 0).then(|| report.text())
}

/// Whether the element that an extension element belongs to stands in no sub-process: Camunda looks
/// at these only.
fn is_of_the_process_itself(extension: Xml<'_>) -> bool {
    let scope = extension.ancestors().nth(3);
    scope.and_then(Tag::of) == Some(Tag::Process)
}

/// What an extension element can be bound to, the attribute with its id, and its name in texts.
fn bound(element: &str) -> Option<(Bound, &'static str, &'static str)> {
    match element {
        "calledElement" => Some((Bound::Process, "processId", "process")),
        "calledDecision" => Some((Bound::Decision, "decisionId", "decision")),
        "formDefinition" => Some((Bound::Form, "formId", "form")),
        "linkedResource" => Some((Bound::Resource, "resourceId", "resource")),
        _ => None,
    }
}

/// What is wrong, by element.
#[derive(Default)]
struct Report {
    elements: Vec<(String, Vec<String>)>,
    /// Bytes of the errors that are kept; no more are once they fill the text.
    bytes: usize,
    /// All errors, also those not kept.
    total: usize,
}

impl Report {
    fn add(&mut self, node: Xml<'_>, errors: &mut Vec<String>) {
        self.total += errors.len();
        if errors.is_empty() || self.bytes > MAX_TEXT {
            return errors.clear();
        }
        self.bytes += errors.iter().map(String::len).sum::<usize>();
        self.elements.push((identify(node), std::mem::take(errors)));
    }

    fn text(&self) -> String {
        let mut text = String::new();
        let mut written = 0;
        // Length of the text up to the last error that fits.
        let mut kept = 0;
        for (element, errors) in &self.elements {
            text.push_str(&format!("- Element: {element}\n"));
            for error in errors {
                text.push_str(&format!("    - ERROR: {error}\n"));
                let omitted = format!("and {} more errors and/or warnings", self.total - written);
                let last = written + 1 == self.total;
                if text.len() + (if last { 0 } else { omitted.len() }) > MAX_TEXT {
                    text.truncate(kept);
                    text.push_str(&omitted);
                    return text;
                }
                written += 1;
                kept = text.len();
            }
        }
        text
    }
}

impl<'a> Check<'_, 'a> {
    /// Applies the rules for one element.
    fn element(&mut self, node: Xml<'a>) {
        let Some(tag) = Tag::of(node) else {
            if node.tag_name().namespace() == Some(ZEEBE) {
                self.extension(node);
            }
            return;
        };
        match tag.sort() {
            Sort::Unsupported => self.unsupported(node, tag),
            Sort::EventDefinition => self.event_definition(node, tag),
            Sort::Process => self.process(node),
            Sort::Flow => self.sequence_flow(node),
            Sort::SubProcess | Sort::Task | Sort::CallActivity => {
                self.flow_node(node, tag);
                self.activity(node, tag);
            }
            Sort::Gateway => {
                self.flow_node(node, tag);
                self.gateway(node, tag);
            }
            Sort::CatchEvent | Sort::ThrowEvent => {
                self.flow_node(node, tag);
                self.event(node, tag);
            }
            Sort::Other => match tag {
                Tag::Definitions => self.definitions(node),
                Tag::Message => self.message(node),
                Tag::Signal => self.signal(node),
                Tag::Escalation => self.escalation(node),
                Tag::MultiInstance => self.multi_instance(node),
                Tag::ConditionExpression => self.condition_expression(node),
                Tag::Condition => self.condition(node),
                _ => {}
            },
        }
    }

    /// How long what identifies and names an element may be.
    fn lengths(&mut self, node: Xml<'a>) {
        let longer = |name: &str, max| {
            let value = node.attribute(name);
            value.is_some_and(|value| is_longer(value, max))
        };
        let mut told = |broken: bool, what: &str, limit: &str, max: usize| {
            let text = format!(
                "{what} must not be longer than the configured {limit} of {max} characters."
            );
            self.error_if(broken, &text);
        };
        match node.tag_name().namespace() {
            Some(BPMN) => {
                told(longer("id", ID_MAX), "IDs", "max-id-length", ID_MAX);
                told(
                    longer("name", NAME_MAX),
                    "Names",
                    "max-name-length",
                    NAME_MAX,
                );
            }
            Some(ZEEBE) if node.tag_name().name() == "property" => {
                told(
                    longer("name", NAME_MAX),
                    "Names",
                    "max-name-length",
                    NAME_MAX,
                );
            }
            Some(ZEEBE) if node.tag_name().name() == "taskDefinition" => told(
                longer("type", WORKER_TYPE_MAX),
                "Worker types",
                "max-worker-type-length",
                WORKER_TYPE_MAX,
            ),
            Some(_) | None => {}
        }
    }

    /// Elements the engine does not run.
    fn unsupported(&mut self, node: Xml<'a>, tag: Tag) {
        self.error(format!(
            "Elements of type '{}' are currently not supported. Please refer to the documentation \
             for a list of supported elements: \
             https://docs.camunda.io/docs/components/modeler/bpmn/bpmn-coverage/",
            tag.class()
        ));
        if tag == Tag::Transaction {
            self.sub_process(node, tag);
        }
    }

    /// What can be referred to needs an id.
    pub(super) fn identifiable(&mut self, node: Xml<'a>) {
        if id(node).is_none() {
            self.error("Element id must be present and not empty.");
        }
    }
}

/// Names an element by the closest one with an id: `task > extensionElements > ioMapping`.
fn identify(node: Xml<'_>) -> String {
    let mut names = Vec::new();
    for element in node.ancestors().filter(|ancestor| ancestor.is_element()) {
        let named = element.tag_name().namespace() != Some(ZEEBE)
            && Tag::of(element) != Some(Tag::Definitions);
        if named && let Some(id) = id(element) {
            names.push(id);
            break;
        }
        names.push(element.tag_name().name());
    }
    names.reverse();
    names.join(" > ")
}
