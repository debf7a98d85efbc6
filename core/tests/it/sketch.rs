//! Processes in short: a few lines of text that become a BPMN file.
//!
//! One element a line: kind, id, then `name=value` pairs and bare words; values with blanks stand in
//! double quotes, a back quote in them is a double quote. A line that ends with `{` opens a scope, `}` closes it. `flow a b c` connects, the
//! flow from a to b is called `a_b`. Lines that add to an element name its id: `in`, `out`, `loop`,
//! `listen`, `header`. Messages, signals, errors and escalations come into being by being named.

use std::collections::BTreeSet;
use std::fmt::Write as _;

/// One element with what was said about it.
#[derive(Default)]
struct Node {
    tag: String,
    id: String,
    attributes: String,
    /// Inside `extensionElements`.
    extensions: String,
    inputs: String,
    listeners: String,
    task_listeners: String,
    headers: String,
    /// Behind the extension elements.
    content: String,
    children: Vec<Node>,
    /// Behind the children.
    tail: String,
}

/// What a line says behind its first word.
struct Words {
    plain: Vec<String>,
    pairs: Vec<(String, String)>,
}

impl Words {
    fn of(line: &str) -> Self {
        let mut words = vec![String::new()];
        let mut quoted = false;
        for c in line.chars() {
            match c {
                '"' => quoted = !quoted,
                '`' => words.last_mut().unwrap().push('"'),
                ' ' if !quoted => words.push(String::new()),
                _ => words.last_mut().unwrap().push(c),
            }
        }
        let mut found = Self {
            plain: Vec::new(),
            pairs: Vec::new(),
        };
        for word in words.into_iter().filter(|word| !word.is_empty()) {
            match word.split_once('=') {
                Some((name, value)) if name.chars().all(|c| c.is_ascii_alphanumeric()) => {
                    found.pairs.push((name.to_owned(), value.to_owned()));
                }
                _ => found.plain.push(word),
            }
        }
        found
    }

    fn get(&self, name: &str) -> Option<&str> {
        let pair = self.pairs.iter().find(|(known, _)| known == name);
        pair.map(|(_, value)| value.as_str())
    }

    fn has(&self, word: &str) -> bool {
        self.plain.iter().any(|known| known == word)
    }
}

/// A file in the making.
#[derive(Default)]
struct Sketch {
    /// Open scopes; the first holds the processes.
    open: Vec<Node>,
    roots: BTreeSet<String>,
}

/// The BPMN file that a sketch describes. The process is called `p` unless the sketch says
/// `process`.
pub(crate) fn bpmn(source: &str) -> String {
    let mut sketch = Sketch::default();
    sketch.open.push(Node::default());
    let lines = || {
        source
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
    };
    if !lines().any(|line| line.starts_with("process ")) {
        sketch.open.push(process("p"));
    }
    for line in lines() {
        sketch.line(line);
    }
    while sketch.open.len() > 1 {
        sketch.close();
    }
    let mut out = String::from(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL"
 xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" id="definitions" targetNamespace="test">"#,
    );
    for root in &sketch.roots {
        out.push_str(root);
    }
    for node in &sketch.open[0].children {
        render(node, &mut out);
    }
    out.push_str("</bpmn:definitions>");
    out
}

fn process(id: &str) -> Node {
    Node {
        tag: "process".to_owned(),
        id: id.to_owned(),
        attributes: r#" isExecutable="true""#.to_owned(),
        ..Node::default()
    }
}

fn render(node: &Node, out: &mut String) {
    write!(
        out,
        r#"<bpmn:{} id="{}"{}>"#,
        node.tag, node.id, node.attributes
    )
    .unwrap();
    let mut extensions = node.extensions.clone();
    for (list, content) in [
        ("ioMapping", &node.inputs),
        ("executionListeners", &node.listeners),
        ("taskListeners", &node.task_listeners),
        ("taskHeaders", &node.headers),
    ] {
        if !content.is_empty() {
            write!(extensions, "<zeebe:{list}>{content}</zeebe:{list}>").unwrap();
        }
    }
    if !extensions.is_empty() {
        write!(
            out,
            "<bpmn:extensionElements>{extensions}</bpmn:extensionElements>"
        )
        .unwrap();
    }
    out.push_str(&node.content);
    // Associations have to stand behind all else.
    let artifact = |child: &&Node| child.tag == "association";
    for child in node.children.iter().filter(|child| !artifact(child)) {
        render(child, out);
    }
    for child in node.children.iter().filter(artifact) {
        render(child, out);
    }
    write!(out, "{}</bpmn:{}>", node.tail, node.tag).unwrap();
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

fn find<'n>(nodes: &'n mut [Node], id: &str) -> Option<&'n mut Node> {
    for node in nodes {
        if node.id == id {
            return Some(node);
        }
        if let Some(found) = find(&mut node.children, id) {
            return Some(found);
        }
    }
    None
}

impl Sketch {
    fn close(&mut self) {
        let node = self.open.pop().unwrap();
        self.open.last_mut().unwrap().children.push(node);
    }

    fn element(&mut self, id: &str) -> &mut Node {
        let at = self.open.iter().position(|node| node.id == id);
        if let Some(at) = at {
            return &mut self.open[at];
        }
        self.open
            .iter_mut()
            .find_map(|node| find(&mut node.children, id))
            .unwrap_or_else(|| panic!("no element '{id}' yet"))
    }

    fn line(&mut self, line: &str) {
        if line.starts_with('#') {
            return;
        }
        if line == "}" {
            return self.close();
        }
        if line.starts_with('<') {
            self.open.last_mut().unwrap().content.push_str(line);
            return;
        }
        let (scope, line) = match line.strip_suffix('{') {
            Some(line) => (true, line.trim()),
            None => (false, line),
        };
        let (kind, rest) = line.split_once(' ').expect("a kind and an id");
        let words = Words::of(rest);
        match kind {
            "flow" => self.flow(&words),
            "in" | "out" | "loop" | "listen" | "header" => self.addition(kind, &words),
            _ => {
                let node = self.node(kind, &words);
                if scope || kind == "process" {
                    self.open.push(node);
                } else {
                    self.open.last_mut().unwrap().children.push(node);
                }
            }
        }
    }

    fn flow(&mut self, words: &Words) {
        let condition = words.get("if").map_or(String::new(), |condition| {
            format!(
                "<bpmn:conditionExpression>{}</bpmn:conditionExpression>",
                escaped(condition)
            )
        });
        for pair in words.plain.windows(2) {
            let (from, to) = (&pair[0], &pair[1]);
            let node = Node {
                tag: "sequenceFlow".to_owned(),
                id: format!("{from}_{to}"),
                attributes: format!(r#" sourceRef="{from}" targetRef="{to}""#),
                content: condition.clone(),
                ..Node::default()
            };
            self.open.last_mut().unwrap().children.push(node);
        }
    }

    fn addition(&mut self, kind: &str, words: &Words) {
        let node = self.element(&words.plain[0]);
        match kind {
            "in" | "out" => {
                let tag = if kind == "in" { "input" } else { "output" };
                for (target, source) in &words.pairs {
                    write!(
                        node.inputs,
                        r#"<zeebe:{tag} source="{}" target="{target}"/>"#,
                        escaped(source)
                    )
                    .unwrap();
                }
            }
            "header" => {
                for (key, value) in &words.pairs {
                    write!(
                        node.headers,
                        r#"<zeebe:header key="{key}" value="{value}"/>"#
                    )
                    .unwrap();
                }
            }
            "listen" => {
                let event = words.plain[1].as_str();
                let (list, tag) = if matches!(event, "start" | "end") {
                    (&mut node.listeners, "executionListener")
                } else {
                    (&mut node.task_listeners, "taskListener")
                };
                let job = words.get("type").unwrap_or("listener");
                write!(list, r#"<zeebe:{tag} eventType="{event}" type="{job}"/>"#).unwrap();
            }
            _ => {
                let mut zeebe = String::new();
                for (name, attribute) in [
                    ("over", "inputCollection"),
                    ("item", "inputElement"),
                    ("into", "outputCollection"),
                    ("each", "outputElement"),
                ] {
                    if let Some(value) = words.get(name) {
                        write!(zeebe, r#" {attribute}="{}""#, escaped(value)).unwrap();
                    }
                }
                let until = words.get("until").map_or(String::new(), |until| {
                    format!(
                        "<bpmn:completionCondition>{}</bpmn:completionCondition>",
                        escaped(until)
                    )
                });
                write!(
                    node.content,
                    r#"<bpmn:multiInstanceLoopCharacteristics isSequential="{}">
<bpmn:extensionElements><zeebe:loopCharacteristics{zeebe}/></bpmn:extensionElements>{until}
</bpmn:multiInstanceLoopCharacteristics>"#,
                    words.has("sequential")
                )
                .unwrap();
            }
        }
    }

    fn node(&mut self, kind: &str, words: &Words) -> Node {
        let id = words.plain[0].clone();
        let mut node = Node {
            id: id.clone(),
            ..Node::default()
        };
        node.tag = match kind {
            "process" => return process(&id),
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
                if let Some(form) = words.get("form") {
                    write!(extensions, r#"<zeebe:formDefinition formId="{form}"/>"#).unwrap();
                }
                if let Some(assignee) = words.get("assignee") {
                    write!(
                        extensions,
                        r#"<zeebe:assignmentDefinition assignee="{}"/>"#,
                        escaped(assignee)
                    )
                    .unwrap();
                }
            }
            "rule" if words.get("decision").is_some() => write!(
                extensions,
                r#"<zeebe:calledDecision decisionId="{}" resultVariable="r"/>"#,
                escaped(words.get("decision").unwrap())
            )
            .unwrap(),
            "service" if words.get("resource").is_some() => write!(
                extensions,
                r#"<zeebe:linkedResources><zeebe:linkedResource resourceId="{}" resourceType="RPA" linkName="main"/></zeebe:linkedResources>"#,
                words.get("resource").unwrap()
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
                r#"<zeebe:calledElement processId="{}" propagateAllChildVariables="{}"/>"#,
                escaped(words.get("process").unwrap()),
                !words.has("closed")
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
            let filter = words.get("changes").map_or_else(String::new, |changes| {
                format!(
                    r#"<bpmn:extensionElements><zeebe:conditionalFilter variableEvents="{changes}"/></bpmn:extensionElements>"#
                )
            });
            write!(
                node.content,
                "<bpmn:conditionalEventDefinition>{filter}<bpmn:condition>{}</bpmn:condition></bpmn:conditionalEventDefinition>",
                escaped(condition)
            )
            .unwrap();
        }
        if let Some(name) = words.get("link") {
            write!(node.content, r#"<bpmn:linkEventDefinition name="{name}"/>"#).unwrap();
        }
        if words.has("terminate") {
            node.content.push_str("<bpmn:terminateEventDefinition/>");
        }
        if let Some(handler) = words.get("by") {
            let id = &node.id;
            node.content.push_str("<bpmn:compensateEventDefinition/>");
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
            node.content.push_str("<bpmn:compensateEventDefinition/>");
        } else if let Some(activity) = words.get("compensate") {
            write!(
                node.content,
                r#"<bpmn:compensateEventDefinition activityRef="{activity}"/>"#
            )
            .unwrap();
        }
    }
}
