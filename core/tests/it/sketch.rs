//! Processes in short: a few lines of text that become a BPMN file.
//!
//! One element a line: kind, id, then `name=value` pairs and bare words; values with blanks stand in
//! double quotes, a back quote in them is a double quote. A line that ends with `{` opens a scope, `}` closes it. `flow a b c` connects, the
//! flow from a to b is called `a_b`. Lines that add to an element name its id: `in`, `out`, `loop`,
//! `listen`, `header`. Messages, signals, errors and escalations come into being by being named.
//! Lines that begin with `<` are taken as they are; `root` puts one beside the processes, `behind`
//! at the end of its scope. A line `===` ends a deployment; `decision`, `form` and `resource` are
//! files of their own in it.

use std::collections::BTreeSet;
use std::fmt::Write as _;

/// One element with what was said about it.
#[derive(Default)]
pub(super) struct Node {
    pub(super) tag: String,
    pub(super) id: String,
    pub(super) attributes: String,
    /// Inside `extensionElements`.
    pub(super) extensions: String,
    pub(super) inputs: String,
    pub(super) listeners: String,
    pub(super) task_listeners: String,
    pub(super) headers: String,
    /// Behind the extension elements.
    pub(super) content: String,
    pub(super) children: Vec<Node>,
    /// Behind the children.
    pub(super) tail: String,
}

/// What a line says behind its first word.
pub(super) struct Words {
    pub(super) plain: Vec<String>,
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

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let pair = self.pairs.iter().find(|(known, _)| known == name);
        pair.map(|(_, value)| value.as_str())
    }

    pub(super) fn has(&self, word: &str) -> bool {
        self.plain.iter().any(|known| known == word)
    }
}

/// A file in the making.
#[derive(Default)]
pub(super) struct Sketch {
    /// Open scopes; the first holds the processes.
    pub(super) open: Vec<Node>,
    pub(super) roots: BTreeSet<String>,
}

/// The deployments of a sketch, each as files: name and text.
pub(crate) fn deployments(source: &str) -> Vec<Vec<(String, String)>> {
    let mut deployments = Vec::new();
    for part in source.split("===\n") {
        let mut model = String::new();
        let mut files = Vec::new();
        for line in part.lines() {
            let (kind, rest) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
            match kind {
                "decision" => files.push(decision(&Words::of(rest))),
                "form" | "resource" => {
                    let id = Words::of(rest).plain[0].clone();
                    let ending = if kind == "form" { "form" } else { "rpa" };
                    files.push((format!("{id}.{ending}"), format!(r#"{{"id":"{id}"}}"#)));
                }
                _ => model.push_str(&format!("{line}\n")),
            }
        }
        if !model.trim().is_empty() {
            files.insert(0, ("process.bpmn".to_owned(), bpmn(&model)));
        }
        deployments.push(files);
    }
    deployments
}

/// A file with one decision: a literal expression, or a table of which two rules hold.
fn decision(words: &Words) -> (String, String) {
    let id = &words.plain[0];
    let logic = words.get("value").map_or_else(
        || {
            r#"<decisionTable id="table" hitPolicy="UNIQUE"><output id="out" name="out"/>
<rule id="r1"><outputEntry id="o1"><text>1</text></outputEntry></rule>
<rule id="r2"><outputEntry id="o2"><text>2</text></outputEntry></rule></decisionTable>"#
                .to_owned()
        },
        |value| {
            format!(
                r#"<variable name="{id}"/><literalExpression id="logic"><text>{}</text></literalExpression>"#,
                escaped(value)
            )
        },
    );
    let text = format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/" id="{id}_graph" name="{id}" namespace="test">
<decision id="{id}" name="{id}">{logic}</decision></definitions>"#
    );
    (format!("{id}.dmn"), text)
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
        render(node, &[], &mut out);
    }
    out.push_str("</bpmn:definitions>");
    out
}

pub(super) fn process(id: &str) -> Node {
    Node {
        tag: "process".to_owned(),
        id: id.to_owned(),
        attributes: r#" isExecutable="true""#.to_owned(),
        ..Node::default()
    }
}

/// Writes a node; `siblings` hold the flows that it names, as modelers write them.
fn render(node: &Node, siblings: &[Node], out: &mut String) {
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
    for (tag, end) in [("incoming", "targetRef"), ("outgoing", "sourceRef")] {
        let names = format!(r#" {end}="{}""#, node.id);
        let flows = siblings.iter().filter(|flow| {
            flow.tag == "sequenceFlow" && format!("{} ", flow.attributes).contains(&names)
        });
        for flow in flows {
            write!(out, "<bpmn:{tag}>{}</bpmn:{tag}>", flow.id).unwrap();
        }
    }
    out.push_str(&node.content);
    // Associations have to stand behind all else.
    let artifact = |child: &&Node| child.tag == "association";
    for child in node.children.iter().filter(|child| !artifact(child)) {
        render(child, &node.children, out);
    }
    for child in node.children.iter().filter(artifact) {
        render(child, &[], out);
    }
    write!(out, "{}</bpmn:{}>", node.tail, node.tag).unwrap();
}

pub(super) fn escaped(text: &str) -> String {
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
        if let Some(root) = line.strip_prefix("root ") {
            self.roots.insert(root.to_owned());
            return;
        }
        if let Some(last) = line.strip_prefix("behind ") {
            self.open.last_mut().unwrap().tail.push_str(last);
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
                write!(
                    list,
                    r#"<zeebe:{tag} eventType="{event}" type="{}"/>"#,
                    escaped(job)
                )
                .unwrap();
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
}
