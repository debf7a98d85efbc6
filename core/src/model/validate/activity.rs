//! Rules of flow nodes, activities, gateways and sequence flows.
//!
//! Which extension elements a task must have, which flows a gateway may have, what a compensation
//! handler may not have. Extension elements that may stand once are checked here because the
//! mistake is told at the element that owns them.

use rustc_hash::FxHashSet;

use super::Check;
use crate::model::element_type::{Sort, Tag};
use crate::model::extension::agent_type;
use crate::model::parse::{
    Xml, child, child_content, event_definitions, extension, extensions, flag, given, parts,
};
use crate::record::value::AgentDefinitionType;

impl<'a> Check<'_, 'a> {
    pub(super) fn flow_node(&mut self, node: Xml<'a>, tag: Tag) {
        self.identifiable(node);
        let branches = matches!(tag, Tag::ExclusiveGateway | Tag::InclusiveGateway);
        let conditional = |flow: &Xml<'a>| child(*flow, "conditionExpression").is_some();
        if !branches && self.source.outgoing(node).iter().any(conditional) {
            self.error(
                "Conditional sequence flows are only supported at exclusive or inclusive gateway",
            );
        }
        self.single_extension(node, "ioMapping");
        self.single_extension(node, "executionListeners");
        self.agent_element(node, tag);
    }

    fn agent_element(&mut self, node: Xml<'a>, tag: Tag) {
        let Some(definition) = extension(node, "agentDefinition") else {
            return;
        };
        self.single_extension(node, "agentDefinition");
        let name = given(definition, "agentType").unwrap_or("");
        let allowed = match agent_type(name) {
            Some(AgentDefinitionType::AiAgentSubProcess) if tag != Tag::AdHocSubProcess => {
                "an ad-hoc sub-process"
            }
            Some(AgentDefinitionType::AiAgentTask) if tag != Tag::ServiceTask => "a service task",
            Some(AgentDefinitionType::ExternalAgent)
                if !matches!(tag, Tag::ServiceTask | Tag::AdHocSubProcess) =>
            {
                "a service task or an ad-hoc sub-process"
            }
            _ => return,
        };
        self.error(format!("agentType '{name}' is only allowed on {allowed}."));
    }

    /// At most one extension element of this name.
    pub(super) fn single_extension(&mut self, node: Xml<'a>, name: &'static str) {
        if extensions(node, name).count() > 1 {
            self.error(format!(
                "Must have exactly one 'zeebe:{name}' extension element when exists. Please check \
                 process definition XML and retain only one extension element."
            ));
        }
    }

    fn exactly_one_extension(&mut self, node: Xml<'a>, name: &'static str) {
        if extensions(node, name).count() != 1 {
            self.error(format!(
                "Must have exactly one 'zeebe:{name}' extension element"
            ));
        }
    }

    fn either_extension(&mut self, node: Xml<'a>, one: &'static str, other: &'static str) {
        if extensions(node, one).count() + extensions(node, other).count() != 1 {
            self.error(either(one, other));
        }
    }

    pub(super) fn activity(&mut self, node: Xml<'a>, tag: Tag) {
        let definitions: Vec<_> = self
            .source
            .boundary_events(node)
            .iter()
            .flat_map(|event| event_definitions(*event))
            .collect();
        self.unique_catch_events(&definitions);
        if tag.sort() == Sort::Task {
            self.compensation_handler(node);
        }
        let once: &[&'static str] = match tag {
            Tag::ServiceTask => {
                self.exactly_one_extension(node, "taskDefinition");
                &["taskHeaders", "linkedResources"]
            }
            Tag::SendTask => {
                self.send_task(node);
                &["taskHeaders", "linkedResources"]
            }
            Tag::ReceiveTask => {
                self.receive_task(node);
                &[]
            }
            Tag::UserTask => &[
                "userTask",
                "assignmentDefinition",
                "formDefinition",
                "taskHeaders",
                "taskSchedule",
                "priorityDefinition",
                "taskListeners",
            ],
            Tag::ScriptTask => {
                self.either_extension(node, "script", "taskDefinition");
                &["script", "taskDefinition", "taskHeaders"]
            }
            Tag::BusinessRuleTask => {
                self.either_extension(node, "calledDecision", "taskDefinition");
                &["taskDefinition", "taskHeaders", "calledDecision"]
            }
            Tag::CallActivity => {
                self.exactly_one_extension(node, "calledElement");
                &[]
            }
            Tag::SubProcess => {
                self.sub_process(node, tag);
                &[]
            }
            Tag::AdHocSubProcess => {
                self.sub_process(node, tag);
                self.ad_hoc(node);
                &[]
            }
            _ => &[],
        };
        for name in once {
            self.single_extension(node, name);
        }
    }

    fn compensation_handler(&mut self, node: Xml<'a>) {
        if !flag(node, "isForCompensation", false) {
            return;
        }
        if !self.source.incoming(node).is_empty() {
            self.error("A compensation handler should have no incoming sequence flows");
        }
        if !self.source.outgoing(node).is_empty() {
            self.error("A compensation handler should have no outgoing sequence flows");
        }
        if !self.source.boundary_events(node).is_empty() {
            self.error("A compensation handler should have no boundary events");
        }
    }

    fn send_task(&mut self, node: Xml<'a>) {
        self.either_extension(node, "publishMessage", "taskDefinition");
        let publishes = extension(node, "publishMessage").is_some();
        if publishes
            && self
                .source
                .referred_as(node, "messageRef", Tag::Message)
                .is_none()
        {
            self.error("Must reference a message");
        }
    }

    fn receive_task(&mut self, node: Xml<'a>) {
        let message = self.source.referred_as(node, "messageRef", Tag::Message);
        let Some(message) = message else {
            return self.error("Must reference a message");
        };
        let name = given(message, "name").filter(|name| !name.is_empty());
        let taken = self
            .source
            .boundary_events(node)
            .iter()
            .flat_map(|event| event_definitions(*event))
            .filter(|(tag, _)| *tag == Tag::MessageEvent)
            .filter_map(|(_, definition)| self.source.referred(definition, "messageRef"))
            .any(|other| name.is_some() && given(other, "name") == name);
        if taken {
            self.error("Cannot reference the same message name as a boundary event");
        }
    }

    pub(super) fn multi_instance(&mut self, node: Xml<'a>) {
        self.exactly_one_extension(node, "loopCharacteristics");
        let condition = child_content(node, "completionCondition");
        self.optional_expression(condition.as_deref());
    }

    pub(super) fn sequence_flow(&mut self, node: Xml<'a>) {
        self.identifiable(node);
        let flow_node = |attribute| {
            let found = self.source.referred(node, attribute)?;
            // Elements that are not executed are refused by name, not as places of no flow.
            Tag::of(found)
                .filter(|tag| tag.is_flow_node() || tag.sort() == Sort::Unsupported)
                .map(|tag| (tag, found))
        };
        let (source, target) = (flow_node("sourceRef"), flow_node("targetRef"));
        for (attribute, found, gap) in [("sourceRef", source, ""), ("targetRef", target, " ")] {
            match given(node, attribute).filter(|reference| !reference.trim().is_empty()) {
                None => {
                    self.error(format!(
                        "SequenceFlow is missing required attribute {attribute}"
                    ));
                }
                Some(reference) if found.is_none() => self.error(format!(
                    "SequenceFlow has {attribute} '{reference}'{gap} which cannot be resolved"
                )),
                Some(_) => {}
            }
        }
        let Some((tag, gateway)) = source else { return };
        let default = self.source.referred(gateway, "default") == Some(node);
        let several = self.source.outgoing(gateway).len() > 1;
        if several && !default && child(node, "conditionExpression").is_none() {
            match tag {
                Tag::ExclusiveGateway => {
                    self.error("Must have a condition or be default flow");
                }
                Tag::InclusiveGateway => self.error("Must have a condition"),
                _ => {}
            }
        }
    }

    pub(super) fn gateway(&mut self, node: Xml<'a>, tag: Tag) {
        if has_listener(node, "end") {
            self.error("Execution listeners of type 'end' are not supported by gateway element");
        }
        match tag {
            Tag::ExclusiveGateway | Tag::InclusiveGateway => {
                let default = self.source.referred(node, "default");
                if default.is_some_and(|flow| !self.source.outgoing(node).contains(&flow)) {
                    self.error("Default flow must start at gateway");
                }
            }
            Tag::EventBasedGateway => self.event_based_gateway(node),
            _ => {}
        }
    }

    fn event_based_gateway(&mut self, node: Xml<'a>) {
        let source = self.source;
        let flows = source.outgoing(node);
        if flows.len() < 2 {
            self.error("Event-based gateway must have at least 2 outgoing sequence flows.");
        }
        let targets: Vec<_> = flows
            .iter()
            .map(|flow| source.referred(*flow, "targetRef"))
            .collect();
        let supported = |target: &Option<Xml<'a>>| {
            let Some(target) = target else { return false };
            let definitions: Vec<_> = event_definitions(*target).map(|(tag, _)| tag).collect();
            Tag::of(*target) == Some(Tag::IntermediateCatchEvent)
                && matches!(
                    definitions[..],
                    [Tag::TimerEvent
                        | Tag::MessageEvent
                        | Tag::SignalEvent
                        | Tag::ConditionalEvent]
                )
        };
        if !targets.iter().all(supported) {
            self.error(
                "Event-based gateway must not have an outgoing sequence flow to other elements \
                 than message/timer/signal/conditional intermediate catch events.",
            );
        }
        let definitions: Vec<_> = targets
            .iter()
            .flatten()
            .filter(|target| Tag::of(**target) == Some(Tag::IntermediateCatchEvent))
            .flat_map(|target| event_definitions(*target))
            .collect();
        self.duplicate_messages(&definitions);
        self.duplicate_signals(&definitions);
        self.repeated_conditions(&definitions);
        let mut seen = FxHashSet::default();
        let once = targets
            .iter()
            .flatten()
            .filter(|target| seen.insert(target.id()));
        let only_from_here = once
            .flat_map(|target| source.incoming(*target))
            .all(|flow| source.referred(*flow, "sourceRef") == Some(node));
        if !only_from_here {
            self.error(
                "Target elements of an event gateway must not have any additional incoming \
                 sequence flows other than that from the event gateway.",
            );
        }
    }
}

pub(super) fn either(one: &str, other: &str) -> String {
    format!("Must have either one 'zeebe:{one}' or one 'zeebe:{other}' extension element")
}

/// True if the element has an execution listener for this event.
pub(super) fn has_listener(node: Xml<'_>, event: &str) -> bool {
    extension(node, "executionListeners")
        .into_iter()
        .flat_map(|listeners| parts(listeners, "executionListener"))
        .any(|listener| given(listener, "eventType") == Some(event))
}
