//! The elements of a sketch: a line of words becomes a node with its attributes and extensions.
//!
//! Kinds and words are those of the fixtures, as short as they can be: `service a type=b` is a
//! service task with a job. What a word means for which kind stands here and nowhere else.

use std::fmt::Write as _;

use super::sketch::{Node, Sketch, Words, escaped, process};

/// What is said of a user task: its extension elements, with the word for each attribute.
const USER_TASK: [(&str, &[(&str, &str)]); 4] = [
    (
        "formDefinition",
        &[
            ("form", "formId"),
            ("external", "externalReference"),
            ("binding", "bindingType"),
        ],
    ),
    (
        "assignmentDefinition",
        &[
            ("assignee", "assignee"),
            ("groups", "candidateGroups"),
            ("users", "candidateUsers"),
        ],
    ),
    (
        "taskSchedule",
        &[("due", "dueDate"), ("follow", "followUpDate")],
    ),
    ("priorityDefinition", &[("priority", "priority")]),
];

/// How something in a file is chosen: the words `binding` and `tagged`.
fn binding(words: &Words) -> String {
    let mut attributes = String::new();
    for (word, attribute) in [("binding", "bindingType"), ("tagged", "versionTag")] {
        if let Some(value) = words.get(word) {
            write!(attributes, r#" {attribute}="{value}""#).unwrap();
        }
    }
    attributes
}

impl Sketch {
    pub(super) fn node(&mut self, kind: &str, words: &Words) -> Node {
        let id = words.plain[0].clone();
        let mut node = Node {
            id: id.clone(),
            ..Node::default()
        };
        node.tag = match kind {
            "process" => {
                let mut process = process(&id);
                if let Some(tag) = words.get("tag") {
                    write!(process.extensions, r#"<zeebe:versionTag value="{tag}"/>"#).unwrap();
                }
                return process;
            }
            "start" => "startEvent",
            "end" => "endEvent",
            "throw" => "intermediateThrowEvent",
            "catch" => "intermediateCatchEvent",
            "boundary" => "boundaryEvent",
            "service" => "serviceTask",
            "send" => "sendTask",
            "manual" => "manualTask",
            "task" => "task",
            "user" => "userTask",
            "script" => "scriptTask",
            "rule" => "businessRuleTask",
            "receive" => "receiveTask",
            "call" => "callActivity",
            "xor" => "exclusiveGateway",
            "and" => "parallelGateway",
            "or" => "inclusiveGateway",
            "events" => "eventBasedGateway",
            "sub" | "eventsub" => "subProcess",
            "adhoc" => "adHocSubProcess",
            other => panic!("no kind '{other}'"),
        }
        .to_owned();
        if let Some(host) = words.get("on") {
            write!(node.attributes, r#" attachedToRef="{host}""#).unwrap();
        }
        if words.has("nonint") {
            let attribute = if kind == "start" {
                "isInterrupting"
            } else {
                "cancelActivity"
            };
            write!(node.attributes, r#" {attribute}="false""#).unwrap();
        }
        if kind == "eventsub" {
            node.attributes.push_str(r#" triggeredByEvent="true""#);
        }
        if words.has("compensation") {
            node.attributes.push_str(r#" isForCompensation="true""#);
        }
        if let Some(default) = words.get("default") {
            write!(node.attributes, r#" default="{default}""#).unwrap();
        }
        self.extend(kind, words, &mut node);
        if matches!(kind, "start" | "end" | "throw" | "catch" | "boundary") {
            self.event(words, &mut node);
        }
        node
    }

    fn extend(&mut self, kind: &str, words: &Words, node: &mut Node) {
        let extensions = &mut node.extensions;
        if let Some(job) = words.get("type") {
            let retries = words.get("retries").unwrap_or("3");
            write!(
                extensions,
                r#"<zeebe:taskDefinition type="{}" retries="{retries}"/>"#,
                escaped(job)
            )
            .unwrap();
        }
        if let Some(agent) = words.get("agent") {
            write!(
                extensions,
                r#"<zeebe:agentDefinition agentType="{agent}"/>"#
            )
            .unwrap();
        }
        match kind {
            "user" if !words.has("job") => {
                extensions.push_str("<zeebe:userTask/>");
                for (element, attributes) in USER_TASK {
                    let said = attributes.iter().filter_map(|(word, attribute)| {
                        let value = escaped(words.get(word)?);
                        Some(format!(r#" {attribute}="{value}""#))
                    });
                    let said: String = said.collect();
                    if !said.is_empty() {
                        write!(extensions, "<zeebe:{element}{said}/>").unwrap();
                    }
                }
            }
            "rule" if words.get("decision").is_some() => write!(
                extensions,
                r#"<zeebe:calledDecision decisionId="{}" resultVariable="r"{}/>"#,
                escaped(words.get("decision").unwrap()),
                binding(words)
            )
            .unwrap(),
            "service" if words.get("resource").is_some() => write!(
                extensions,
                r#"<zeebe:linkedResources><zeebe:linkedResource resourceId="{}" resourceType="RPA" linkName="main"{}/></zeebe:linkedResources>"#,
                words.get("resource").unwrap(),
                binding(words)
            )
            .unwrap(),
            "script" if words.get("expr").is_some() => write!(
                extensions,
                r#"<zeebe:script expression="{}" resultVariable="{}"/>"#,
                escaped(words.get("expr").unwrap()),
                words.get("result").unwrap_or("result")
            )
            .unwrap(),
            "call" => write!(
                extensions,
                r#"<zeebe:calledElement processId="{}" propagateAllChildVariables="{}"{}{}/>"#,
                escaped(words.get("process").unwrap()),
                !words.has("closed"),
                if words.has("alone") {
                    r#" propagateAllParentVariables="false""#
                } else {
                    ""
                },
                binding(words)
            )
            .unwrap(),
            "receive" => {
                let message = self.message(words);
                write!(node.attributes, r#" messageRef="{message}""#).unwrap();
            }
            "adhoc" => {
                let mut zeebe = String::new();
                for (name, attribute) in [
                    ("active", "activeElementsCollection"),
                    ("into", "outputCollection"),
                    ("each", "outputElement"),
                ] {
                    if let Some(value) = words.get(name) {
                        write!(zeebe, r#" {attribute}="{}""#, escaped(value)).unwrap();
                    }
                }
                if !zeebe.is_empty() {
                    write!(extensions, "<zeebe:adHoc{zeebe}/>").unwrap();
                }
                if words.has("keep") {
                    node.attributes
                        .push_str(r#" cancelRemainingInstances="false""#);
                }
                if let Some(until) = words.get("until") {
                    write!(
                        node.tail,
                        "<bpmn:completionCondition>{}</bpmn:completionCondition>",
                        escaped(until)
                    )
                    .unwrap();
                }
            }
            _ => {}
        }
    }

    fn message(&mut self, words: &Words) -> String {
        let name = words.get("message").unwrap_or("message");
        let id = format!(
            "message_{}",
            name.replace(|c: char| !c.is_alphanumeric(), "_")
        );
        let key = words.get("key").map_or(String::new(), |key| {
            format!(
                r#"<bpmn:extensionElements><zeebe:subscription correlationKey="{}"/></bpmn:extensionElements>"#,
                escaped(key)
            )
        });
        self.roots.insert(format!(
            r#"<bpmn:message id="{id}" name="{}">{key}</bpmn:message>"#,
            escaped(name)
        ));
        id
    }

    fn event(&mut self, words: &Words, node: &mut Node) {
        if words.get("message").is_some() || words.has("message") {
            let id = self.message(words);
            let publish = words.get("publish").map_or_else(String::new, |key| {
                let key = escaped(key);
                format!(
                    r#"<bpmn:extensionElements><zeebe:publishMessage correlationKey="{key}"/></bpmn:extensionElements>"#
                )
            });
            write!(
                node.content,
                r#"<bpmn:messageEventDefinition messageRef="{id}">{publish}</bpmn:messageEventDefinition>"#
            )
            .unwrap();
        }
        for (name, child) in [
            ("timer", "timeDuration"),
            ("date", "timeDate"),
            ("cycle", "timeCycle"),
        ] {
            if let Some(value) = words.get(name) {
                write!(
                    node.content,
                    "<bpmn:timerEventDefinition><bpmn:{child}>{}</bpmn:{child}></bpmn:timerEventDefinition>",
                    escaped(value)
                )
                .unwrap();
            }
        }
        for (name, attribute) in [
            ("signal", "name"),
            ("error", "errorCode"),
            ("escalation", "escalationCode"),
        ] {
            let Some(value) = words.get(name) else {
                if words.has(name) {
                    write!(node.content, "<bpmn:{name}EventDefinition/>").unwrap();
                }
                continue;
            };
            let id = format!(
                "{name}_{}",
                value.replace(|c: char| !c.is_alphanumeric(), "_")
            );
            self.roots.insert(format!(
                r#"<bpmn:{name} id="{id}" {attribute}="{}"/>"#,
                escaped(value)
            ));
            write!(
                node.content,
                r#"<bpmn:{name}EventDefinition {name}Ref="{id}"/>"#
            )
            .unwrap();
        }
        if let Some(condition) = words.get("condition") {
            let mut filter = String::new();
            for (word, attribute) in [("names", "variableNames"), ("changes", "variableEvents")] {
                if let Some(value) = words.get(word) {
                    write!(filter, r#" {attribute}="{value}""#).unwrap();
                }
            }
            if !filter.is_empty() {
                filter = format!(
                    "<bpmn:extensionElements><zeebe:conditionalFilter{filter}/></bpmn:extensionElements>"
                );
            }
            write!(
                node.content,
                r#"<bpmn:conditionalEventDefinition id="{}_definition">{filter}<bpmn:condition>{}</bpmn:condition></bpmn:conditionalEventDefinition>"#,
                node.id,
                escaped(condition)
            )
            .unwrap();
        }
        if let Some(name) = words.get("link") {
            write!(
                node.content,
                r#"<bpmn:linkEventDefinition id="{}_definition" name="{name}"/>"#,
                node.id
            )
            .unwrap();
        }
        if words.has("terminate") {
            node.content.push_str("<bpmn:terminateEventDefinition/>");
        }
        if let Some(handler) = words.get("by") {
            let id = &node.id;
            write!(
                node.content,
                r#"<bpmn:compensateEventDefinition id="{id}_definition"/>"#
            )
            .unwrap();
            let association = Node {
                tag: "association".to_owned(),
                id: format!("{id}_{handler}"),
                attributes: format!(
                    r#" associationDirection="One" sourceRef="{id}" targetRef="{handler}""#
                ),
                ..Node::default()
            };
            self.open.last_mut().unwrap().children.push(association);
        } else if words.has("compensate") {
            write!(
                node.content,
                r#"<bpmn:compensateEventDefinition id="{}_definition"/>"#,
                node.id
            )
            .unwrap();
        } else if let Some(activity) = words.get("compensate") {
            write!(
                node.content,
                r#"<bpmn:compensateEventDefinition id="{}_definition" activityRef="{activity}"/>"#,
                node.id
            )
            .unwrap();
        }
    }
}
