//! Minimal BPMN in, summary of the executable process or text of the refusal out.
//!
//! A fixture file holds cases: a line `== name`, the content of `definitions`, a line `--`, the
//! expected text. An element is one line: place, type, id, event type, flow scope, flows and what
//! else is not empty; expressions stand in backquotes.
#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

use std::fmt::Write as _;
use std::path::Path;

use ringflow_core::model::{
    Behavior, Binding, CatchEvent, Element, ElementId, Expr, Form, Job, Listener, Message, Process,
    Refused, ThrowEvent, Timer, UserTask, compile,
};
use ringflow_core::record::Text;
use ringflow_core::record::value::BpmnEventType;

const FRONT: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<bpmn:definitions \
                     xmlns:bpmn=\"http://www.omg.org/spec/BPMN/20100524/MODEL\" \
                     xmlns:zeebe=\"http://camunda.org/schema/zeebe/1.0\" \
                     xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" id=\"defs\" \
                     targetNamespace=\"t\">";

fn file(content: &str) -> String {
    format!("{FRONT}{content}</bpmn:definitions>")
}

fn result(content: &str) -> String {
    match compile(file(content).as_bytes()) {
        Ok(processes) => processes.iter().map(summary).collect(),
        Err(refused) => refused.reason("p.bpmn").trim_end().to_owned() + "\n",
    }
}

/// Runs all cases of a file; tells all that differ.
fn check(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixture/model")
        .join(name);
    let text = std::fs::read_to_string(&path).unwrap();
    let mut updated = String::new();
    let mut wrong = String::new();
    for case in text.split("== ").skip(1) {
        let (name, rest) = case.split_once('\n').unwrap();
        let (content, expected) = rest.split_once("\n--\n").expect("a line of two dashes");
        let got = result(content);
        write!(updated, "== {name}\n{content}\n--\n{got}\n").unwrap();
        if got.trim_end() != expected.trim_end() {
            write!(wrong, "== {name}\n{got}\nexpected\n{expected}").unwrap();
        }
    }
    assert!(!updated.is_empty(), "no case in {}", path.display());
    if std::env::var_os("UPDATE_FIXTURES").is_some() {
        std::fs::write(&path, updated.trim_end().to_owned() + "\n").unwrap();
    } else {
        assert!(wrong.is_empty(), "{}:\n{wrong}", path.display());
    }
}

#[test]
fn tasks() {
    check("tasks.txt");
}

#[test]
fn events() {
    check("events.txt");
}

#[test]
fn scopes() {
    check("scopes.txt");
}

#[test]
fn gateways() {
    check("gateways.txt");
}

#[test]
fn refused_structure() {
    check("refused_structure.txt");
}

#[test]
fn refused_events() {
    check("refused_events.txt");
}

#[test]
fn refused_extensions() {
    check("refused_extensions.txt");
}

#[test]
fn refused_schema() {
    check("refused_schema.txt");
}

#[test]
fn loops() {
    check("loops.txt");
}

#[test]
fn what_is_not_xml_is_refused_with_its_position() {
    for (bytes, expected) in [
        (
            &b""[..],
            "Fatal Error: URI=null Line=1: Premature end of file.",
        ),
        (
            b"\xff",
            "Fatal Error: URI=null Line=1: Invalid byte 1 of 1-byte UTF-8 sequence.",
        ),
        (
            b"<a/>",
            "Error: URI=null Line=1: cvc-elt.1.a: Cannot find the declaration of element 'a'.",
        ),
        (
            b"<!DOCTYPE a><a/>",
            "Fatal Error: URI=null Line=1: DOCTYPE is disallowed when the feature \
             \"http://apache.org/xml/features/disallow-doctype-decl\" set to true.",
        ),
    ] {
        let refused = compile(bytes).unwrap_err();
        assert_eq!(refused, Refused::Invalid(expected.to_owned()));
    }
    let twice = file("<bpmn:process id='a'/>\n <bpmn:process id='a'/>");
    let refused = compile(twice.as_bytes()).unwrap_err().to_string();
    assert_eq!(
        refused,
        "Error: URI=null Line=3: cvc-id.2: There are multiple occurrences of ID value 'a'."
    );
}

#[test]
fn a_byte_order_mark_is_accepted() {
    let process =
        "<bpmn:process id='p' isExecutable='true'><bpmn:startEvent id='s'/></bpmn:process>";
    let text = format!("\u{feff}{}", file(process));
    assert_eq!(compile(text.as_bytes()).unwrap().len(), 1);
}

#[test]
fn large_files_are_handled_in_reasonable_time() {
    let count = 20_000;
    let mut content =
        String::from("<bpmn:process id='p' isExecutable='true'><bpmn:startEvent id='t0'/>");
    for n in 1..=count {
        let before = n - 1;
        write!(
            content,
            "<bpmn:sequenceFlow id='f{n}' sourceRef='t{before}' targetRef='t{n}'/>\
             <bpmn:manualTask id='t{n}'/>"
        )
        .unwrap();
    }
    content.push_str("</bpmn:process>");
    let started = std::time::Instant::now();
    let processes = compile(file(&content).as_bytes()).unwrap();
    assert_eq!(processes[0].flows().len(), count);
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}

#[test]
fn every_truncation_and_every_cut_out_byte_is_an_answer() {
    let content = include_str!("../fixture/model/scopes.txt");
    let case = content.split("== ").nth(1).unwrap();
    let (_, rest) = case.split_once('\n').unwrap();
    let text = file(rest.split_once("\n--\n").unwrap().0);
    for at in 0..text.len() {
        let _ = compile(&text.as_bytes()[..at]);
        let mut bytes = text.clone().into_bytes();
        bytes.remove(at);
        let _ = compile(&bytes);
    }
}

#[test]
fn long_reports_are_cut_and_counted() {
    let tasks: String = (0..500)
        .map(|n| format!("<bpmn:serviceTask id='task{n}'/>"))
        .collect();
    let content = format!(
        "<bpmn:process id='p' isExecutable='true'><bpmn:startEvent id='s'/>{tasks}</bpmn:process>"
    );
    let report = compile(file(&content).as_bytes()).unwrap_err().to_string();
    assert!(report.len() <= 12 * 1024);
    let told = report.matches("ERROR").count();
    assert!(report.ends_with(&format!("\nand {} more errors and/or warnings", 500 - told)));
}

#[test]
fn processes_are_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Process>();
}

#[test]
fn ids_find_bodies_and_types_find_what_they_repeat() {
    let content = "<bpmn:process id='p' isExecutable='true'><bpmn:startEvent id='s'/>\
        <bpmn:sequenceFlow id='f' sourceRef='s' targetRef='t'/>\
        <bpmn:task id='t'><bpmn:multiInstanceLoopCharacteristics><bpmn:extensionElements>\
        <zeebe:loopCharacteristics inputCollection='=[1]'/></bpmn:extensionElements>\
        </bpmn:multiInstanceLoopCharacteristics></bpmn:task></bpmn:process>";
    let process = compile(file(content).as_bytes()).unwrap().remove(0);
    let body = process.element("t").unwrap();
    let inner = process.element_of("t", ringflow_core::record::value::BpmnElementType::Task);
    assert_eq!((body, inner), (ElementId(2), Some(ElementId(3))));
    assert_eq!(process[inner.unwrap()].scope, Some(body));
    let flow = process.flow("f").unwrap();
    assert_eq!((process[flow].target, process.element("f")), (body, None));
    assert_eq!(process.none_start_event(), process.element("s"));
}

fn summary(process: &Process) -> String {
    let mut text = String::new();
    for (index, element) in process.elements().iter().enumerate() {
        line(process, index, element, &mut text);
    }
    for flow in process.flows() {
        let (source, target) = (flow.source.0, flow.target.0);
        write!(text, "flow {} {source} -> {target}", flow.id).unwrap();
        if let Some(condition) = &flow.condition {
            write!(text, " if `{}`", condition.source).unwrap();
        }
        text.push('\n');
    }
    if !process.version_tag.is_empty() {
        writeln!(text, "version tag {}", process.version_tag).unwrap();
    }
    text
}

fn line(process: &Process, index: usize, element: &Element, text: &mut String) {
    write!(
        text,
        "{index} {} {}",
        element.element_type.name(),
        element.id
    )
    .unwrap();
    if element.event_type != BpmnEventType::Unspecified {
        write!(text, " {}", element.event_type.name()).unwrap();
    }
    if !element.name.is_empty() {
        write!(text, " {:?}", element.name).unwrap();
    }
    if let Some(scope) = element.scope {
        write!(text, " in {}", scope.0).unwrap();
    }
    for (name, flows) in [("from", &element.incoming), ("to", &element.outgoing)] {
        if !flows.is_empty() {
            let ids: Vec<&str> = flows
                .iter()
                .map(|flow| process[*flow].id.as_str())
                .collect();
            write!(text, " {name} {}", ids.join(",")).unwrap();
        }
    }
    for (name, elements) in [
        ("boundary", &element.boundary_events),
        ("event sub-processes", &element.event_sub_processes),
        ("waits for", &element.waits_for),
    ] {
        if !elements.is_empty() {
            write!(text, " {name} {}", places(elements)).unwrap();
        }
    }
    text.push('\n');
    let mut detail = |detail: String| writeln!(text, "    {detail}").unwrap();
    for input in &element.inputs {
        detail(format!(
            "input {} -> {}",
            shown(&input.source),
            input.target.join(".")
        ));
    }
    for output in &element.outputs {
        detail(format!(
            "output {} -> {}",
            shown(&output.source),
            output.target.join(".")
        ));
    }
    let listeners = &element.listeners;
    for (name, of) in [
        ("start", &listeners.start),
        ("end", &listeners.end),
        ("beforeAll", &listeners.before_all),
        ("cancel", &listeners.cancel),
    ] {
        of.iter()
            .for_each(|listener| detail(format!("listener {name} {}", listened(listener))));
    }
    behavior(&element.behavior).into_iter().for_each(detail);
}

fn places(elements: &[ElementId]) -> String {
    elements
        .iter()
        .map(|id| id.0.to_string())
        .collect::<Vec<_>>()
        .join(",")
}

fn shown(expr: &Expr) -> String {
    use ringflow_core::model::Code;
    match &expr.code {
        Code::Text => format!("{:?}", expr.source),
        Code::Number(number) => number.to_string(),
        Code::Feel(_) => format!("`{}`", expr.source),
    }
}

fn maybe(name: &str, expr: Option<&Expr>) -> String {
    expr.map_or(String::new(), |expr| format!(" {name} {}", shown(expr)))
}

fn pairs(name: &str, pairs: &[(Text, Text)]) -> String {
    let texts: Vec<String> = pairs
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    if texts.is_empty() {
        String::new()
    } else {
        format!(" {name} {}", texts.join(","))
    }
}

fn listened(listener: &Listener) -> String {
    format!(
        "{} retries {}{}",
        shown(&listener.job_type),
        shown(&listener.retries),
        pairs("headers", &listener.headers)
    )
}

fn bound(binding: &Binding) -> String {
    match binding {
        Binding::Latest => "latest".to_owned(),
        Binding::Deployment => "deployment".to_owned(),
        Binding::VersionTag(tag) => format!("tag {tag}"),
    }
}

fn job(job: &Job) -> Vec<String> {
    let mut lines = vec![format!(
        "job {} retries {}{}{}",
        shown(&job.job_type),
        shown(&job.retries),
        maybe("priority", job.priority.as_ref()),
        pairs("headers", &job.headers)
    )];
    for resource in &job.linked_resources {
        let (id, kind, name) = (
            &resource.resource_id,
            &resource.resource_type,
            &resource.link_name,
        );
        lines.push(format!(
            "resource {} {kind} {name} {}",
            shown(id),
            bound(&resource.binding)
        ));
    }
    lines.extend(job.user_task.iter().flat_map(|task| user_task(task)));
    lines
}

fn user_task(task: &UserTask) -> Vec<String> {
    let form = task.form.as_ref().map_or(String::new(), |form| match form {
        Form::Key(key) => format!(" form key {key}"),
        Form::External(reference) => format!(" form external {}", shown(reference)),
        Form::Linked { form_id, binding } => {
            format!(" form {} {}", shown(form_id), bound(binding))
        }
    });
    let mut lines = vec![format!(
        "user task priority {}{}{}{}{}{}{form}{}",
        shown(&task.priority),
        maybe("assignee", task.assignee.as_ref()),
        maybe("groups", task.candidate_groups.as_ref()),
        maybe("users", task.candidate_users.as_ref()),
        maybe("due", task.due_date.as_ref()),
        maybe("follow-up", task.follow_up_date.as_ref()),
        pairs("headers", &task.headers)
    )];
    for listener in &task.listeners {
        lines.push(format!(
            "task listener {:?} {}",
            listener.event,
            listened(&listener.listener)
        ));
    }
    lines
}

fn message(message: &Message) -> String {
    format!(
        "message {}{}",
        shown(&message.name),
        maybe("correlates", message.correlation_key.as_ref())
    )
}

fn catch(event: &CatchEvent) -> String {
    let code = |code: &Option<Text>| {
        code.clone()
            .map_or("any".to_owned(), |code| code.to_string())
    };
    match event {
        CatchEvent::None => String::new(),
        CatchEvent::Message(of) => message(of),
        CatchEvent::Timer(Timer::Date(date)) => format!("timer date {}", shown(date)),
        CatchEvent::Timer(Timer::Duration(duration)) => {
            format!("timer duration {}", shown(duration))
        }
        CatchEvent::Timer(Timer::Cycle(cycle)) => format!("timer cycle {}", shown(cycle)),
        CatchEvent::Signal(name) => format!("signal {}", shown(name)),
        CatchEvent::Error(of) => format!("error {}", code(of)),
        CatchEvent::Escalation(of) => match of.as_deref() {
            None => "escalation none".to_owned(),
            Some("") => "escalation any".to_owned(),
            Some(code) => format!("escalation {code}"),
        },
        CatchEvent::Conditional(of) => format!(
            "condition {} names {} events {}",
            shown(&of.condition),
            of.variable_names.join(","),
            of.variable_events.join(",")
        ),
        CatchEvent::Link(name) => format!("link {name}"),
        CatchEvent::Compensation { handler } => {
            format!("compensation by {:?}", handler.map(|h| h.0))
        }
    }
}

fn throw(event: &ThrowEvent) -> Vec<String> {
    vec![match event {
        ThrowEvent::None => return Vec::new(),
        ThrowEvent::Job(of) => return job(of),
        ThrowEvent::Publish(of) => format!(
            "publish {} correlates {}{}{}",
            shown(&of.name),
            shown(&of.correlation_key),
            maybe("id", of.message_id.as_ref()),
            maybe("ttl", of.time_to_live.as_ref())
        ),
        ThrowEvent::Signal(name) => format!("signal {}", shown(name)),
        ThrowEvent::Error(code) => format!("error {}", shown(code)),
        ThrowEvent::Escalation(code) => format!("escalation {}", shown(code)),
        ThrowEvent::Link(target) => format!("link to {}", target.0),
        ThrowEvent::Compensation(activity) => format!("compensate {:?}", activity.map(|a| a.0)),
        ThrowEvent::Terminate => "terminate".to_owned(),
    }]
}

fn behavior(behavior: &Behavior) -> Vec<String> {
    let default = |flow: &Option<ringflow_core::model::FlowId>| {
        flow.map(|flow| format!("default flow {}", flow.0))
    };
    match behavior {
        Behavior::PassThrough | Behavior::ParallelGateway | Behavior::EventBasedGateway => {
            Vec::new()
        }
        Behavior::Process(of)
        | Behavior::SubProcess(of)
        | Behavior::EventSubProcess(of)
        | Behavior::AdHocInner(of) => vec![format!(
            "contains {} starts {} none start {:?}",
            places(&of.children),
            places(&of.start_events),
            of.none_start.map(|start| start.0)
        )],
        Behavior::AdHoc(of) => {
            let output = of.output.as_ref();
            let mut lines = vec![format!(
                "ad hoc inner {} activities {}{}{} cancels {}{}",
                of.inner.0,
                places(&of.activities),
                maybe("active", of.active_elements.as_ref()),
                maybe("until", of.completion_condition.as_ref()),
                of.cancel_remaining_instances,
                output.map_or(String::new(), |output| format!(
                    " {} into {}",
                    shown(&output.element),
                    output.collection
                )),
            )];
            lines.extend(of.job.iter().flat_map(|of| job(of)));
            lines
        }
        Behavior::MultiInstance(of) => vec![format!(
            "{} over {}{}{}{}",
            if of.sequential {
                "one by one"
            } else {
                "parallel"
            },
            shown(&of.input_collection),
            of.input_element
                .as_ref()
                .map_or(String::new(), |name| format!(" as {name}")),
            of.output.as_ref().map_or(String::new(), |output| format!(
                " {} into {} local {:?}",
                shown(&output.element),
                output.collection,
                output.element_variable.as_ref().map(Text::as_str)
            )),
            maybe("until", of.completion_condition.as_ref())
        )],
        Behavior::Job(of) => job(of),
        Behavior::UserTask(of) => user_task(of),
        Behavior::Receive(of) => vec![message(of)],
        Behavior::Script(of) => {
            vec![format!(
                "script {} into {}",
                shown(&of.expression),
                of.result_variable
            )]
        }
        Behavior::Decision(of) => vec![format!(
            "decision {} {} into {}",
            shown(&of.decision_id),
            bound(&of.binding),
            of.result_variable
        )],
        Behavior::Call(of) => vec![format!(
            "call {} {} index {} down {} up {}{}",
            shown(&of.process_id),
            bound(&of.binding),
            of.index,
            of.propagate_all_parent_variables,
            of.propagate_all_child_variables,
            maybe("business id", of.business_id.as_ref())
        )],
        Behavior::ExclusiveGateway { default: flow }
        | Behavior::InclusiveGateway { default: flow } => default(flow).into_iter().collect(),
        Behavior::Start {
            event,
            interrupting,
        } => {
            let text = format!(
                "{}{}",
                catch(event),
                if *interrupting { " interrupting" } else { "" }
            );
            if text.is_empty() {
                Vec::new()
            } else {
                vec![text]
            }
        }
        Behavior::Catch(event) => vec![catch(event)],
        Behavior::Boundary {
            attached_to,
            interrupting,
            event,
        } => vec![format!(
            "{} on {}{}",
            catch(event),
            attached_to.0,
            if *interrupting { " interrupting" } else { "" }
        )],
        Behavior::Throw(event) | Behavior::End(event) => throw(event),
    }
}
