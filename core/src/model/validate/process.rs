//! Rules of scopes: definitions, process, sub-process, ad-hoc sub-process, links.
//!
//! Names and codes of catch events must be unique among those that could take the same event: the
//! boundary events of one activity, the event sub-processes of one scope, the start events of one
//! process. A duplicate is told once, in order of first appearance.

use rustc_hash::{FxHashMap, FxHashSet};

use super::Check;
use crate::model::compile::is_event_sub_process;
use crate::model::element_type::{Sort, Tag};
use crate::model::parse::{
    Xml, child, child_content, children, event_definitions, extension, flag, given, id, parent_tag,
};

type Definition<'a> = (Tag, Xml<'a>);

impl<'a> Check<'_, 'a> {
    pub(super) fn definitions(&mut self, node: Xml<'a>) {
        if self.source.processes().next().is_none() {
            self.error("Must contain at least one executable process");
        }
        let _ = node;
    }

    pub(super) fn process(&mut self, node: Xml<'a>) {
        self.identifiable(node);
        let starts: Vec<Xml<'a>> = children(node, Tag::StartEvent).collect();
        let none = starts
            .iter()
            .filter(|start| event_definitions(**start).next().is_none());
        if starts.is_empty() {
            self.error("Must have at least one start event");
        } else if none.count() > 1 {
            self.error("Multiple none start events are not allowed");
        }
        self.event_sub_processes(node);
        let definitions: Vec<_> = starts.iter().flat_map(|s| event_definitions(*s)).collect();
        self.duplicate_signals(&definitions);
        // The same message twice is told at the message.
        let mut seen = FxHashSet::default();
        let messages: Vec<_> = definitions
            .iter()
            .copied()
            .filter(|(tag, definition)| {
                *tag == Tag::MessageEvent
                    && self
                        .source
                        .referred(*definition, "messageRef")
                        .is_some_and(|message| seen.insert(message.id()))
            })
            .collect();
        self.duplicate_messages(&messages);
        self.links(node);
        self.single_extension(node, "versionTag");
        self.duplicate_conditions(node, &definitions);
    }

    fn duplicate_conditions(&mut self, process: Xml<'a>, starts: &[Definition<'a>]) {
        let process_id = id(process).unwrap_or("").to_owned();
        for (condition, _) in duplicates(conditions(starts)) {
            self.expression_error(format!(
                "Duplicate condition expression '{condition}' found in conditional start events of \
                 process '{process_id}'. Condition expressions for conditional start events must \
                 be unique within a process."
            ));
        }
        let inside: Vec<_> = sub_processes(process)
            .flat_map(|sub_process| children(sub_process, Tag::StartEvent))
            .flat_map(event_definitions)
            .collect();
        for (condition, _) in duplicates(conditions(&inside)) {
            self.expression_error(format!(
                "Duplicate condition expression '{condition}' found in conditional start events of \
                 event subprocesses in process '{process_id}'. Condition expressions for \
                 conditional start events in event subprocesses must be unique within a process."
            ));
        }
    }

    pub(super) fn sub_process(&mut self, node: Xml<'a>, tag: Tag) {
        let starts: Vec<Xml<'a>> = children(node, Tag::StartEvent).collect();
        if starts.len() != 1 && tag != Tag::AdHocSubProcess {
            self.error("Must have exactly one start event");
        }
        if let Some(start) = starts.first() {
            if flag(node, "triggeredByEvent", false) {
                self.event_sub_process(node, *start);
            } else if event_definitions(*start).next().is_some() {
                self.error("Start events in subprocesses must be of type none");
            }
        }
        self.event_sub_processes(node);
        self.links(node);
    }

    fn event_sub_process(&mut self, node: Xml<'a>, start: Xml<'a>) {
        const WRONG_TYPE: &str = "Start events in event subprocesses must be one of: message, \
                                  timer, error, signal, escalation or conditional";
        let definitions: Vec<_> = event_definitions(start).collect();
        if definitions.is_empty() {
            self.error(WRONG_TYPE);
        }
        let compensation = definitions
            .iter()
            .any(|(tag, _)| *tag == Tag::CompensateEvent);
        if compensation && parent_tag(node) == Some(Tag::Process) {
            self.error("A compensation event subprocess is not allowed on the process level");
        }
        for (tag, _) in &definitions {
            let supported = matches!(
                tag,
                Tag::TimerEvent
                    | Tag::MessageEvent
                    | Tag::ErrorEvent
                    | Tag::SignalEvent
                    | Tag::EscalationEvent
                    | Tag::ConditionalEvent
            );
            if !supported {
                self.error(WRONG_TYPE);
            }
        }
        let interrupting = flag(start, "isInterrupting", true);
        self.interruption(&definitions, interrupting);
        if interrupting && parent_tag(node) == Some(Tag::AdHocSubProcess) {
            self.error(
                "An interrupting event subprocess is not allowed inside an ad-hoc subprocess",
            );
        }
    }

    /// Which events may interrupt and which may not.
    pub(super) fn interruption(&mut self, definitions: &[Definition<'a>], interrupting: bool) {
        for (tag, definition) in definitions {
            let may_not_interrupt = matches!(
                tag,
                Tag::MessageEvent
                    | Tag::TimerEvent
                    | Tag::SignalEvent
                    | Tag::EscalationEvent
                    | Tag::ConditionalEvent
            );
            if !interrupting && !may_not_interrupt {
                self.error("Non-Interrupting event of this type is not allowed");
            }
            let cycle = *tag == Tag::TimerEvent && child(*definition, "timeCycle").is_some();
            if interrupting && cycle {
                self.error("Interrupting timer event with time cycle is not allowed.");
            }
        }
    }

    /// No two event sub-processes of a scope for the same event.
    fn event_sub_processes(&mut self, scope: Xml<'a>) {
        let definitions: Vec<_> = children(scope, Tag::SubProcess)
            .filter(|node| is_event_sub_process(*node, Tag::SubProcess))
            .flat_map(|node| children(node, Tag::StartEvent))
            .flat_map(event_definitions)
            .collect();
        self.unique_catch_events(&definitions);
    }

    /// No two of these catch events for the same event.
    pub(super) fn unique_catch_events(&mut self, definitions: &[Definition<'a>]) {
        self.duplicate_messages(definitions);
        self.duplicate_signals(definitions);
        self.duplicate_links(definitions);
        self.duplicate_codes(definitions, &ESCALATION);
        self.duplicate_codes(definitions, &ERROR);
    }

    pub(super) fn duplicate_messages(&mut self, definitions: &[Definition<'a>]) {
        for (name, _) in duplicates(self.names(definitions, Tag::MessageEvent, "messageRef")) {
            self.error(format!(
                "Multiple message event definitions with the same name '{name}' are not allowed."
            ));
        }
    }

    pub(super) fn duplicate_signals(&mut self, definitions: &[Definition<'a>]) {
        for (name, _) in duplicates(self.names(definitions, Tag::SignalEvent, "signalRef")) {
            self.error(format!(
                "Multiple signal event definitions with the same name '{name}' are not allowed."
            ));
        }
    }

    /// Of the events behind one event-based gateway.
    pub(super) fn repeated_conditions(&mut self, definitions: &[Definition<'a>]) {
        let conditions = conditions(definitions).into_iter();
        let given = conditions.filter(|condition| !condition.is_empty());
        for (condition, _) in duplicates(given.map(|condition| condition.trim().to_owned())) {
            self.error(format!(
                "Multiple conditional event definitions with the same condition expression \
                 '{condition}' are not allowed."
            ));
        }
    }

    fn duplicate_links(&mut self, definitions: &[Definition<'a>]) {
        for (name, _) in duplicates(link_names(definitions).map(str::to_owned)) {
            self.error(format!(
                "Multiple intermediate catch link event definitions with the same name '{name}' \
                 are not allowed."
            ));
        }
    }

    fn names(&self, definitions: &[Definition<'a>], tag: Tag, reference: &str) -> Vec<String> {
        definitions
            .iter()
            .filter(|(found, _)| *found == tag)
            .filter_map(|(_, definition)| self.source.referred(*definition, reference))
            .filter_map(|referred| given(referred, "name"))
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect()
    }

    fn duplicate_codes(&mut self, definitions: &[Definition<'a>], kind: &Coded) {
        let mut codes = Vec::new();
        let mut without = 0;
        let mut without_code = 0;
        for (_, definition) in definitions.iter().filter(|(tag, _)| *tag == kind.tag) {
            match self.source.referred(*definition, kind.reference) {
                None => without += 1,
                Some(referred) => match given(referred, kind.code) {
                    None => without_code += 1,
                    Some(code) => codes.push(code.to_owned()),
                },
            }
        }
        let Coded { name, .. } = kind;
        for _ in [without, without_code]
            .into_iter()
            .filter(|count| *count > 1)
        {
            self.error(format!(
                "The same scope can not contain more than one {name} catch event without {name} \
                 code. An {name} catch event without {name} code catches all {name}s."
            ));
        }
        for (code, _) in duplicates(codes) {
            self.error(format!(
                "Multiple {name} catch events with the same {name} code '{code}' are not supported \
                 on the same scope."
            ));
        }
    }

    /// Link catch events are unique, and each link throw event has one in its scope.
    fn links(&mut self, scope: Xml<'a>) {
        let mut all = Vec::new();
        link_catch_events(scope, &mut all);
        self.duplicate_links(&all);
        let here: Vec<_> = children(scope, Tag::IntermediateCatchEvent)
            .flat_map(event_definitions)
            .collect();
        let caught: FxHashSet<&str> = link_names(&here).collect();
        let throws: Vec<_> = children(scope, Tag::IntermediateThrowEvent)
            .flat_map(event_definitions)
            .collect();
        let mut told = FxHashSet::default();
        for name in link_names(&throws) {
            if !caught.contains(name) && told.insert(name) {
                self.error(format!(
                    "Can't find an catch link event for the throw link event with the name '{name}'."
                ));
            }
        }
    }

    pub(super) fn ad_hoc(&mut self, node: Xml<'a>) {
        if extension(node, "taskDefinition").is_some() {
            let job = "in combination with zeebe:taskDefinition.";
            if !flag(node, "cancelRemainingInstances", true) {
                self.error(format!("Must not define cancelRemainingInstances {job}"));
            }
            if child(node, "completionCondition").is_some() {
                self.error(format!("Must not define completionCondition {job}"));
            }
            let given = extension(node, "adHoc")
                .and_then(|ad_hoc| given(ad_hoc, "activeElementsCollection"));
            if given.is_some_and(|collection| !collection.is_empty()) {
                self.error(format!("Must not define activeElementsCollection {job}"));
            }
        }
        if let Some(ad_hoc) = extension(node, "adHoc") {
            let element = given(ad_hoc, "outputElement");
            let collection = given(ad_hoc, "outputCollection");
            if element.unwrap_or("").is_empty() != collection.unwrap_or("").is_empty() {
                self.error(format!(
                    "OutputElement and OutputCollection must both be set, or neither of them set. \
                     outputElement:{} and outputCollection:{}.",
                    element.unwrap_or("null"),
                    collection.unwrap_or("null")
                ));
            }
        }
        let tags = || node.children().filter_map(Tag::of);
        if !tags().any(|tag| tag.is_flow_node() || tag.sort() == Sort::Flow) {
            self.error("Must have at least one activity.");
        }
        if tags().any(|tag| tag == Tag::StartEvent) {
            self.error("Must not contain a start event.");
        }
        if tags().any(|tag| tag == Tag::EndEvent) {
            self.error("Must not contain an end event.");
        }
        self.single_extension(node, "adHoc");
        let condition = child_content(node, "completionCondition");
        self.feel(condition.as_deref());
    }
}

/// A catch event with a code.
struct Coded {
    tag: Tag,
    reference: &'static str,
    code: &'static str,
    name: &'static str,
}

const ERROR: Coded = Coded {
    tag: Tag::ErrorEvent,
    reference: "errorRef",
    code: "errorCode",
    name: "error",
};
const ESCALATION: Coded = Coded {
    tag: Tag::EscalationEvent,
    reference: "escalationRef",
    code: "escalationCode",
    name: "escalation",
};

fn conditions(definitions: &[Definition<'_>]) -> Vec<String> {
    definitions
        .iter()
        .filter(|(tag, _)| *tag == Tag::ConditionalEvent)
        .filter_map(|(_, definition)| child_content(*definition, "condition"))
        .collect()
}

/// Values that occur more than once, each once with how often it does, in order of appearance.
pub(super) fn duplicates(values: impl IntoIterator<Item = String>) -> Vec<(String, usize)> {
    let mut counts: Vec<(String, usize)> = Vec::new();
    let mut index = FxHashMap::default();
    for value in values {
        let at = *index.entry(value.clone()).or_insert_with(|| {
            counts.push((value, 0));
            counts.len() - 1
        });
        counts[at].1 += 1;
    }
    counts.retain(|(_, count)| *count > 1);
    counts
}

fn sub_processes<'a>(scope: Xml<'a>) -> impl Iterator<Item = Xml<'a>> + use<'a> {
    scope
        .children()
        .filter(|node| Tag::of(*node).is_some_and(|tag| tag.sort() == Sort::SubProcess))
}

/// Link catch events of a scope and the scopes inside it.
fn link_catch_events<'a>(scope: Xml<'a>, found: &mut Vec<Definition<'a>>) {
    found.extend(children(scope, Tag::IntermediateCatchEvent).flat_map(event_definitions));
    for inside in sub_processes(scope) {
        link_catch_events(inside, found);
    }
}

fn link_names<'d, 'a: 'd>(definitions: &'d [Definition<'a>]) -> impl Iterator<Item = &'a str> + 'd {
    definitions
        .iter()
        .filter(|(tag, _)| *tag == Tag::LinkEvent)
        .filter_map(|(_, definition)| given(*definition, "name"))
        .filter(|name| !name.is_empty())
}
