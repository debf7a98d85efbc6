//! Rules of events, event definitions, and of the messages, signals and escalations they refer to.
//!
//! Whether a message needs a name or a subscription depends on who refers to it, anywhere in the
//! executable processes; [`Usage`] counts that once for the whole file.

use rustc_hash::FxHashMap;

use super::Check;
use super::activity::{either, has_listener};
use crate::model::element_type::Tag;
use crate::model::parse::{
    Source, Xml, child, children, content, event_definitions, extension, extensions, flag, given,
    id, parent_tag,
};

/// Who refers to a message, signal or escalation.
#[derive(Default)]
struct Uses {
    /// Start events of processes.
    starts: usize,
    /// Anything else that waits for it.
    catches: bool,
    /// Throw events, end events and send tasks.
    throws: bool,
}

/// Who refers to what, by id.
pub(super) struct Usage<'a>(FxHashMap<&'a str, Uses>);

impl<'a> Usage<'a> {
    pub(super) fn new(source: &Source<'a>) -> Self {
        let mut usage = Self(FxHashMap::default());
        for node in source.root.descendants() {
            let reference = match Tag::of(node) {
                Some(Tag::MessageEvent | Tag::ReceiveTask | Tag::SendTask) => "messageRef",
                Some(Tag::SignalEvent) => "signalRef",
                Some(Tag::EscalationEvent) => "escalationRef",
                _ => continue,
            };
            let Some(referred) = source.referred(node, reference).and_then(id) else {
                continue;
            };
            let uses = usage.0.entry(referred).or_default();
            match (Tag::of(node), parent_tag(node)) {
                (Some(Tag::SendTask), _)
                | (_, Some(Tag::IntermediateThrowEvent | Tag::EndEvent)) => uses.throws = true,
                (_, Some(Tag::StartEvent)) if !in_sub_process(node) => uses.starts += 1,
                _ => uses.catches = true,
            }
        }
        usage
    }
}

fn in_sub_process(definition: Xml<'_>) -> bool {
    definition.parent_element().and_then(parent_tag) != Some(Tag::Process)
}

impl<'a> Check<'_, 'a> {
    fn uses(&self, node: Xml<'a>) -> Option<&Uses> {
        self.usage.0.get(id(node)?)
    }

    fn named(&mut self, node: Xml<'a>) {
        if given(node, "name").unwrap_or("").is_empty() {
            self.error("Name must be present and not empty");
        }
    }

    pub(super) fn message(&mut self, node: Xml<'a>) {
        self.identifiable(node);
        let (starts, catches, throws) = self.uses(node).map_or((0, false, false), |uses| {
            (uses.starts, uses.catches, uses.throws)
        });
        if catches {
            self.named(node);
            if extensions(node, "subscription").count() != 1 {
                self.error("Must have exactly one zeebe:subscription extension element");
            }
        } else if throws {
            self.named(node);
        } else if starts > 1 {
            self.error("A message cannot be referred by more than one start event");
        } else if starts == 1 {
            self.named(node);
        }
        self.optional_expression(given(node, "name"));
    }

    pub(super) fn signal(&mut self, node: Xml<'a>) {
        if self.uses(node).is_some() {
            self.named(node);
        }
        self.optional_expression(given(node, "name"));
    }

    pub(super) fn escalation(&mut self, node: Xml<'a>) {
        let thrown = self.uses(node).is_some_and(|uses| uses.throws);
        if thrown && given(node, "escalationCode").unwrap_or("").is_empty() {
            self.error("EscalationCode must be present and not empty");
        }
    }

    pub(super) fn event(&mut self, node: Xml<'a>, tag: Tag) {
        match tag {
            Tag::StartEvent => self.start_event(node),
            Tag::IntermediateCatchEvent => self.intermediate_catch_event(node),
            Tag::BoundaryEvent => self.boundary_event(node),
            Tag::IntermediateThrowEvent => {
                self.message_throw_event(node);
                self.waits_for_completion(node, "intermediate throwing");
                self.single_extension(node, "taskDefinition");
            }
            Tag::EndEvent => {
                self.message_throw_event(node);
                self.end_event(node);
                self.single_extension(node, "taskDefinition");
            }
            _ => {}
        }
        if matches!(
            tag,
            Tag::StartEvent | Tag::IntermediateCatchEvent | Tag::BoundaryEvent
        ) {
            let starts = tag == Tag::StartEvent && parent_tag(node) == Some(Tag::Process);
            for (tag, definition) in event_definitions(node) {
                if tag == Tag::TimerEvent {
                    self.timer_value(definition, starts);
                }
            }
        }
        if tag == Tag::StartEvent && parent_tag(node) == Some(Tag::Process) {
            self.start_names(node);
        }
    }

    fn start_event(&mut self, node: Xml<'a>) {
        if event_definitions(node).count() > 1 {
            self.error("Start event can't have more than one type");
        }
        self.no_start_listener(node, "start events");
    }

    fn no_start_listener(&mut self, node: Xml<'a>, what: &str) {
        if has_listener(node, "start") {
            self.error(format!(
                "Execution listeners of type 'start' are not supported by {what}"
            ));
        }
    }

    /// Names of messages and signals that start processes hold without variables.
    fn start_names(&mut self, node: Xml<'a>) {
        for (tag, definition) in event_definitions(node) {
            let (reference, kind) = match tag {
                Tag::MessageEvent => ("messageRef", "message"),
                Tag::SignalEvent => ("signalRef", "signal"),
                _ => continue,
            };
            let name = self
                .source
                .referred(definition, reference)
                .and_then(|n| given(n, "name"));
            if let Some(name) = name {
                self.constant_name(name, kind);
            }
        }
    }

    fn intermediate_catch_event(&mut self, node: Xml<'a>) {
        let definitions: Vec<_> = event_definitions(node).collect();
        let [(tag, definition)] = definitions[..] else {
            return self.error("Must have exactly one event definition");
        };
        let supported = matches!(
            tag,
            Tag::MessageEvent
                | Tag::TimerEvent
                | Tag::SignalEvent
                | Tag::LinkEvent
                | Tag::ConditionalEvent
        );
        if !supported {
            self.error(
                "Event definition must be one of: message, timer, signal, link, or conditional",
            );
        } else if tag == Tag::TimerEvent
            && child(definition, "timeDuration").is_none()
            && child(definition, "timeDate").is_none()
        {
            self.error(
                "Intermediate timer catch event must have either a time duration or a time date.",
            );
        }
    }

    fn boundary_event(&mut self, node: Xml<'a>) {
        let host = self.source.referred(node, "attachedToRef");
        let host = host.and_then(Tag::of).filter(|tag| tag.is_activity());
        if host.is_none() {
            self.error("Must be attached to an activity");
        }
        if !self.source.incoming(node).is_empty() {
            self.error("Cannot have incoming sequence flows");
        }
        let definitions: Vec<_> = event_definitions(node).collect();
        let compensation = definitions
            .iter()
            .any(|(tag, _)| *tag == Tag::CompensateEvent);
        let handled =
            self.source.associated(node).is_some() && self.source.outgoing(node).is_empty();
        if compensation && !handled {
            self.error(
                "Compensation boundary events must have a compensation association and no outgoing \
                 sequence flows",
            );
        }
        if definitions.len() != 1 {
            self.error("Must have exactly one event definition");
        }
        for (tag, _) in &definitions {
            let supported = matches!(
                tag,
                Tag::TimerEvent
                    | Tag::MessageEvent
                    | Tag::ErrorEvent
                    | Tag::SignalEvent
                    | Tag::EscalationEvent
                    | Tag::CompensateEvent
                    | Tag::ConditionalEvent
            );
            if !supported {
                self.error(
                    "Boundary events must be one of: timer, message, error, signal, escalation, \
                     conditional",
                );
            }
        }
        let escalates = matches!(
            host,
            Some(Tag::SubProcess | Tag::AdHocSubProcess | Tag::CallActivity)
        );
        if !escalates
            && definitions
                .iter()
                .any(|(tag, _)| *tag == Tag::EscalationEvent)
        {
            self.error(
                "An escalation boundary event should only be attached to a subprocess, or a call \
                 activity.",
            );
        }
        self.interruption(&definitions, flag(node, "cancelActivity", true));
        match definitions.first() {
            Some((Tag::CompensateEvent, _)) if extension(node, "executionListeners").is_some() => {
                self.error(
                    "Execution listeners of type 'start' and 'end' are not supported by \
                     [compensation] boundary events",
                );
            }
            Some(_) => self.no_start_listener(node, "boundary events"),
            None => {}
        }
    }

    fn message_throw_event(&mut self, node: Xml<'a>) {
        let definition = event_definitions(node).find(|(tag, _)| *tag == Tag::MessageEvent);
        let Some((_, definition)) = definition else {
            return;
        };
        let publishes = extensions(definition, "publishMessage").count();
        let jobs = extensions(node, "taskDefinition").count();
        if publishes + jobs != 1 {
            self.error(either("publishMessage", "taskDefinition"));
        } else if jobs == 0
            && self
                .source
                .referred_as(definition, "messageRef", Tag::Message)
                .is_none()
        {
            self.error("Must reference a message");
        }
    }

    fn waits_for_completion(&mut self, node: Xml<'a>, position: &str) {
        let waits = event_definitions(node)
            .filter(|(tag, _)| *tag == Tag::CompensateEvent)
            .all(|(_, definition)| {
                given(definition, "waitForCompletion")
                    .is_none_or(|v| v.eq_ignore_ascii_case("true"))
            });
        if !waits {
            self.error(format!(
                "A compensation {position} event waitForCompletion attribute must be true or not \
                 present"
            ));
        }
    }

    fn end_event(&mut self, node: Xml<'a>) {
        if !self.source.outgoing(node).is_empty() {
            self.error("End events must not have outgoing sequence flows to other elements.");
        }
        let definitions: Vec<_> = event_definitions(node).map(|(tag, _)| tag).collect();
        if definitions.len() > 1 {
            self.error("Must have at most one event definition");
        }
        for tag in &definitions {
            let supported = matches!(
                tag,
                Tag::ErrorEvent
                    | Tag::MessageEvent
                    | Tag::TerminateEvent
                    | Tag::SignalEvent
                    | Tag::EscalationEvent
                    | Tag::CompensateEvent
            );
            if !supported {
                self.error(
                    "End events must be one of: none, error, message, terminate, signal, \
                     escalation or compensation",
                );
            }
        }
        self.waits_for_completion(node, "end");
        let leaves = matches!(
            definitions.first(),
            Some(Tag::ErrorEvent | Tag::EscalationEvent)
        );
        if leaves && has_listener(node, "end") {
            self.error(
                "Execution listeners of type 'end' are not supported by [escalation, error] end \
                 events",
            );
        }
    }

    pub(super) fn event_definition(&mut self, node: Xml<'a>, tag: Tag) {
        let parent = parent_tag(node);
        let throws = matches!(parent, Some(Tag::IntermediateThrowEvent | Tag::EndEvent));
        match tag {
            Tag::MessageEvent => {
                let message = self.source.referred_as(node, "messageRef", Tag::Message);
                self.error_if(!throws && message.is_none(), "Must reference a message");
            }
            Tag::SignalEvent => {
                let signal = self.source.referred_as(node, "signalRef", Tag::Signal);
                self.error_if(signal.is_none(), "Must reference a signal");
            }
            Tag::TimerEvent => self.timer(node),
            Tag::ErrorEvent => self.error_event(node, parent),
            Tag::EscalationEvent => self.escalation_event(node, throws),
            Tag::LinkEvent => {
                let unnamed = given(node, "name").unwrap_or("").is_empty();
                self.error_if(unnamed, "Link name must be present and not empty.");
            }
            Tag::CompensateEvent => self.compensate_event(node),
            Tag::CancelEvent => self.error("Event definition of this type is not supported"),
            _ => {}
        }
    }

    fn timer(&mut self, node: Xml<'a>) {
        let values: Vec<Xml<'a>> = ["timeDate", "timeDuration", "timeCycle"]
            .into_iter()
            .filter_map(|name| child(node, name))
            .collect();
        if values.len() != 1 {
            self.error("Must be exactly one type of timer: timeDuration, timeDate or timeCycle");
        }
        for value in values {
            self.optional_expression(Some(&content(value)));
        }
    }

    fn error_event(&mut self, node: Xml<'a>, parent: Option<Tag>) {
        let error = self.source.referred_as(node, "errorRef", Tag::Error);
        let code = error
            .and_then(|error| given(error, "errorCode"))
            .unwrap_or("");
        if parent == Some(Tag::EndEvent) {
            if error.is_none() {
                self.error("Must reference an error");
            } else if code.is_empty() {
                self.error("ErrorCode must be present and not empty");
            }
        } else if code.starts_with('=') {
            self.error("The errorCode of the error catch event is not allowed to be an expression");
        }
    }

    fn escalation_event(&mut self, node: Xml<'a>, throws: bool) {
        let escalation = self
            .source
            .referred_as(node, "escalationRef", Tag::Escalation);
        let code = escalation
            .and_then(|e| given(e, "escalationCode"))
            .unwrap_or("");
        if throws && escalation.is_none() {
            self.error("Must reference an escalation");
        }
        if !throws && code.starts_with('=') {
            self.error(
                "The escalationCode of the escalation catch event is not allowed to be an \
                 expression",
            );
        }
    }

    fn compensate_event(&mut self, node: Xml<'a>) {
        let Some(reference) = given(node, "activityRef").filter(|r| !r.is_empty()) else {
            return;
        };
        let activity = self.source.referred(node, "activityRef");
        let tagged = activity.and_then(|activity| Some((activity, Tag::of(activity)?)));
        let Some((activity, tag)) = tagged.filter(|(_, tag)| tag.is_activity()) else {
            return self.error(format!(
                "The referenced compensation activity '{reference}' doesn't exist"
            ));
        };
        let compensated = self
            .source
            .boundary_events(activity)
            .iter()
            .any(|event| children(*event, Tag::CompensateEvent).next().is_some());
        let embedded = matches!(tag, Tag::SubProcess | Tag::AdHocSubProcess)
            && !flag(activity, "triggeredByEvent", false);
        if !compensated && !embedded {
            self.error(format!(
                "The referenced compensation activity '{reference}' must have either a compensation \
                 boundary event or be a subprocess"
            ));
        }
        let scope = node
            .parent_element()
            .and_then(|event| event.parent_element());
        if activity.parent_element() != scope {
            self.error(format!(
                "The referenced compensation activity '{reference}' must be in the same scope as \
                 the compensation throw event"
            ));
        }
    }
}
