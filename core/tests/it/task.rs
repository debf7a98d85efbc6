//! User tasks of both kinds, and call activities.

use ringflow_core::engine::EngineConfig;
use ringflow_core::engine::input::{Command, RequestId};
use ringflow_core::ids::Key;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::{
    ErrorType, JobRecord, ProcessInstanceCreationRecord, UserTaskRecord,
};
use ringflow_core::record::{Document, Record, RejectionType, Text, Value};

use super::element::{bpmn, flow, service_task};
use super::harness::{Answer, EngineHarness, document, json_of, text};

pub(crate) fn user_task(extensions: &str) -> String {
    let task = format!(
        r#"<bpmn:userTask id="task"><bpmn:extensionElements>{extensions}</bpmn:extensionElements></bpmn:userTask>"#
    );
    around(&task, "task")
}

/// start, one element, end.
fn around(element: &str, id: &str) -> String {
    bpmn(
        "process",
        &[
            r#"<bpmn:startEvent id="start"/>"#.to_owned(),
            element.to_owned(),
            r#"<bpmn:endEvent id="end"/>"#.to_owned(),
            flow("f1", "start", id),
            flow("f2", id, "end"),
        ]
        .concat(),
    )
}

fn command(
    h: &mut EngineHarness,
    key: Key,
    intent: of::UserTask,
    record: UserTaskRecord,
) -> Answer {
    h.request(Command::internal(key, intent, record))
        .expect("answered at once")
}

/// The last state of the task that records tell of.
pub(crate) fn task(h: &EngineHarness) -> (Key, UserTaskRecord) {
    h.log
        .iter()
        .rev()
        .find_map(|record: &Record| match &record.value {
            Value::UserTask(value) if value.user_task_key.is_some() => {
                Some((value.user_task_key, UserTaskRecord::clone(value)))
            }
            _ => None,
        })
        .expect("a user task")
}

pub(crate) fn given_to(assignee: &str) -> UserTaskRecord {
    UserTaskRecord {
        assignee: assignee.into(),
        ..UserTaskRecord::default()
    }
}

#[test]
fn a_user_task_is_created_assigned_updated_and_completed() {
    let mut h = EngineHarness::new();
    h.deploy(&user_task(
        r#"<zeebe:userTask/><zeebe:assignmentDefinition assignee="=who" candidateGroups="a, b" candidateUsers="=[who, &quot;x&quot;]"/>
<zeebe:taskSchedule dueDate="2026-02-01T10:00:00Z" followUpDate="=later"/>
<zeebe:priorityDefinition priority="=40 + 2"/>
<zeebe:taskHeaders><zeebe:header key="h" value="v"/></zeebe:taskHeaders>"#,
    ));
    let from = h.log.len();
    h.create("process", r#"{"who":"ada","later":null}"#);
    let lines = text(&h.log[from..]);
    let expected = "\
E PROCESS_INSTANCE ELEMENT_ACTIVATING USER_TASK task
E USER_TASK CREATING task ada
E USER_TASK CREATED task \n\
E PROCESS_INSTANCE ELEMENT_ACTIVATED USER_TASK task
E USER_TASK ASSIGNING task ada
E USER_TASK ASSIGNED task ada
";
    assert!(lines.ends_with(expected), "{lines}");
    let (key, record) = task(&h);
    let groups: Vec<&str> = record.candidate_groups.iter().map(Text::as_str).collect();
    let users: Vec<&str> = record.candidate_users.iter().map(Text::as_str).collect();
    assert_eq!((groups, users), (vec!["a", "b"], vec!["ada", "x"]));
    assert_eq!(record.due_date.as_str(), "2026-02-01T10:00:00Z");
    assert_eq!((record.follow_up_date.as_str(), record.priority), ("", 42));
    assert_eq!(record.creation_timestamp, h.now);

    let refused = command(&mut h, key, of::UserTask::Claim, given_to("bob")).unwrap_err();
    assert_eq!(refused.kind, RejectionType::InvalidState);
    assert!(refused.reason.ends_with("but it has already been assigned"));
    command(&mut h, key, of::UserTask::Assign, given_to("")).unwrap();
    let refused = command(&mut h, key, of::UserTask::Claim, given_to(" ")).unwrap_err();
    assert!(refused.reason.ends_with("but provided assignee is empty"));
    command(&mut h, key, of::UserTask::Claim, given_to("bob")).unwrap();
    let (_, claimed) = task(&h);
    assert_eq!(
        (claimed.assignee.as_str(), claimed.action.as_str()),
        ("bob", "claim")
    );
    assert_eq!(claimed.changed_attributes, vec![Text::from("assignee")]);

    let update = UserTaskRecord {
        priority: 7,
        due_date: "2026-03-01T10:00:00Z".into(),
        changed_attributes: vec!["priority".into(), "dueDate".into(), "followUpDate".into()],
        ..UserTaskRecord::default()
    };
    command(&mut h, key, of::UserTask::Update, update).unwrap();
    let (_, updated) = task(&h);
    assert_eq!((updated.priority, updated.assignee.as_str()), (7, "bob"));
    assert_eq!(
        updated.changed_attributes.len(),
        2,
        "what did not change is not listed"
    );
    let wrong = UserTaskRecord {
        priority: 101,
        changed_attributes: vec!["priority".into()],
        ..UserTaskRecord::default()
    };
    let refused = command(&mut h, key, of::UserTask::Update, wrong).unwrap_err();
    assert_eq!(refused.kind, RejectionType::InvalidArgument);

    let from = h.log.len();
    let done = UserTaskRecord {
        variables: document(r#"{"approved":true}"#),
        ..UserTaskRecord::default()
    };
    command(&mut h, key, of::UserTask::Complete, done.clone()).unwrap();
    let expected = "\
C USER_TASK COMPLETE task \n";
    let lines = text(&h.log[from..]);
    assert!(!lines.starts_with(expected), "the command names no element");
    let expected = "\
E USER_TASK COMPLETING task bob
E USER_TASK COMPLETED task bob
E PROCESS_EVENT TRIGGERING task {\"approved\":true}
C PROCESS_INSTANCE COMPLETE_ELEMENT USER_TASK task
E PROCESS_INSTANCE ELEMENT_COMPLETING USER_TASK task
E PROCESS_EVENT TRIGGERED task {}
E VARIABLE CREATED approved=true
E PROCESS_INSTANCE ELEMENT_COMPLETED USER_TASK task
";
    assert!(lines.contains(expected), "{lines}");
    let refused = command(&mut h, key, of::UserTask::Complete, done).unwrap_err();
    assert_eq!(
        refused.reason.as_str(),
        format!("Expected to complete user task with key '{key}', but no such user task was found")
    );
    h.assert_clean();
}

#[test]
fn a_user_task_goes_with_its_element() {
    let mut h = EngineHarness::new();
    h.deploy(&user_task("<zeebe:userTask/>"));
    let instance = h.create("process", "");
    let from = h.log.len();
    h.cancel(instance).unwrap();
    assert!(
        text(&h.log[from..]).contains(
            "E USER_TASK CANCELING task \nE USER_TASK CANCELED task \nE PROCESS_INSTANCE ELEMENT_TERMINATED USER_TASK task\n"
        ),
        "{}",
        text(&h.log[from..])
    );
    h.assert_clean();
}

#[test]
fn what_a_user_task_needs_and_is_not_there_is_an_incident() {
    for (extensions, kind, part) in [
        (
            r#"<zeebe:userTask/><zeebe:formDefinition formId="f"/>"#,
            ErrorType::FormNotFound,
            "Expected to find a form with id 'f'",
        ),
        (
            r#"<zeebe:userTask/><zeebe:priorityDefinition priority="=101"/>"#,
            ErrorType::ExtractValueError,
            "Expected priority to be in the range [0,100] but was '101'.",
        ),
        (
            r#"<zeebe:userTask/><zeebe:assignmentDefinition candidateGroups="=[1]"/>"#,
            ErrorType::ExtractValueError,
            "containing at least one non-'STRING' item.",
        ),
    ] {
        let mut h = EngineHarness::new();
        h.deploy(&user_task(extensions));
        let instance = h.create("process", "");
        let (_, incident) = h.incidents().remove(0);
        assert_eq!(incident.error_type, kind);
        assert!(
            incident.error_message.contains(part),
            "{}",
            incident.error_message
        );
        h.cancel(instance).unwrap();
        h.assert_clean();
    }
}

#[test]
fn a_user_task_without_engine_support_is_a_job_that_knows_its_assignee() {
    let mut h = EngineHarness::new();
    h.deploy(&user_task(
        r#"<zeebe:assignmentDefinition assignee="ada" candidateGroups="a,b"/>"#,
    ));
    h.create("process", "");
    let (key, job) = h.activate("io.camunda.zeebe:userTask").remove(0);
    assert_eq!(job.retries, 1);
    let header = |name: &str| {
        let found = job.custom_headers.0.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    };
    assert_eq!(header("io.camunda.zeebe:assignee"), Some("ada"));
    assert_eq!(
        header("io.camunda.zeebe:candidateGroups"),
        Some(r#"["a","b"]"#)
    );
    h.job(key, of::Job::Complete, JobRecord::default()).unwrap();
    h.assert_clean();
}

fn call_activity(attributes: &str, more: &str) -> String {
    format!(
        r#"<bpmn:callActivity id="call"><bpmn:extensionElements>
<zeebe:calledElement processId="child" {attributes}/>{more}</bpmn:extensionElements></bpmn:callActivity>"#
    )
}

fn child(content: &str) -> String {
    bpmn("child", content)
}

fn child_with_task() -> String {
    child(
        &[
            r#"<bpmn:startEvent id="child_start"/>"#.to_owned(),
            service_task("child_task", "work"),
            r#"<bpmn:endEvent id="child_end"/>"#.to_owned(),
            flow("c1", "child_start", "child_task"),
            flow("c2", "child_task", "child_end"),
        ]
        .concat(),
    )
}

fn result_of(h: &mut EngineHarness, request: RequestId) -> Document {
    let answer = h.answer(request).expect("an answer").expect("a result");
    match answer.value {
        Value::ProcessInstanceResult(result) => result.variables.clone(),
        other => panic!("{other:?}"),
    }
}

fn create_with_result(h: &mut EngineHarness, variables: &str) -> RequestId {
    let record = ProcessInstanceCreationRecord {
        bpmn_process_id: "process".into(),
        variables: document(variables),
        ..ProcessInstanceCreationRecord::default()
    };
    let command = Command::internal(
        Key::NONE,
        of::ProcessInstanceCreation::CreateWithAwaitingResult,
        record,
    );
    let request = h.ask(command);
    assert!(h.answer(request).is_none(), "answered when it completes");
    request
}

#[test]
fn a_call_activity_runs_a_child_and_takes_its_variables() {
    let mut h = EngineHarness::new();
    h.deploy(&child_with_task());
    h.deploy(&around(&call_activity("", ""), "call"));
    let from = h.log.len();
    let request = create_with_result(&mut h, r#"{"a":1}"#);
    let lines = text(&h.log[from..]);
    let expected = "\
E PROCESS_INSTANCE ELEMENT_ACTIVATING CALL_ACTIVITY call
E PROCESS_INSTANCE ELEMENT_ACTIVATED CALL_ACTIVITY call
C PROCESS_INSTANCE ACTIVATE_ELEMENT PROCESS child
E VARIABLE CREATED a=1
E PROCESS_INSTANCE ELEMENT_ACTIVATING PROCESS child
E PROCESS_INSTANCE ELEMENT_ACTIVATED PROCESS child
";
    assert!(lines.contains(expected), "{lines}");
    let (_, job) = h.activate("work").remove(0);
    assert_ne!(job.process_instance_key, job.root_process_instance_key);
    let refused = h.cancel(job.process_instance_key).unwrap_err();
    assert!(refused.reason.contains("Cancel the root process instance"));
    h.job(
        h_last_job(&h),
        of::Job::Complete,
        JobRecord {
            variables: document(r#"{"b":2}"#),
            ..JobRecord::default()
        },
    )
    .unwrap();
    assert_eq!(json_of(&result_of(&mut h, request)), r#"{"a":1,"b":2}"#);
    h.assert_clean();
}

fn h_last_job(h: &EngineHarness) -> Key {
    h.log
        .iter()
        .rev()
        .find_map(|record| match &record.value {
            Value::JobBatch(batch) => batch.job_keys.last().copied(),
            _ => None,
        })
        .expect("a job was taken")
}

#[test]
fn variables_cross_a_call_only_as_far_as_the_model_says() {
    let mut h = EngineHarness::new();
    h.deploy(&child_with_task());
    let call = call_activity(
        r#"propagateAllParentVariables="false" propagateAllChildVariables="false""#,
        r#"<zeebe:ioMapping><zeebe:input source="=a" target="x"/><zeebe:output source="=b" target="y"/></zeebe:ioMapping>"#,
    );
    h.deploy(&around(&call, "call"));
    let request = create_with_result(&mut h, r#"{"a":1}"#);
    let (key, job) = h.activate("work").remove(0);
    assert_eq!(json_of(&job.variables), r#"{"x":1}"#);
    h.job(
        key,
        of::Job::Complete,
        JobRecord {
            variables: document(r#"{"b":2,"c":3}"#),
            ..JobRecord::default()
        },
    )
    .unwrap();
    assert_eq!(json_of(&result_of(&mut h, request)), r#"{"a":1,"y":2}"#);
    h.assert_clean();
}

#[test]
fn a_called_instance_ends_before_its_call_activity_does() {
    let mut h = EngineHarness::new();
    h.deploy(&child_with_task());
    h.deploy(&around(&call_activity("", ""), "call"));
    let instance = h.create("process", "");
    let from = h.log.len();
    h.cancel(instance).unwrap();
    let lines = text(&h.log[from..]);
    let child = lines.find("ELEMENT_TERMINATED PROCESS child").unwrap();
    let call = lines.find("ELEMENT_TERMINATED CALL_ACTIVITY call").unwrap();
    let root = lines.find("ELEMENT_TERMINATED PROCESS process").unwrap();
    assert!(child < call && call < root, "{lines}");
    h.assert_clean();
}

#[test]
fn an_error_of_a_child_is_caught_at_the_call_activity() {
    let mut h = EngineHarness::new();
    let error = r#"<bpmn:error id="e" name="e" errorCode="E1"/>"#;
    let failing = child(
        &[
            r#"<bpmn:startEvent id="child_start"/>"#.to_owned(),
            r#"<bpmn:endEvent id="child_end"><bpmn:errorEventDefinition errorRef="e"/></bpmn:endEvent>"#.to_owned(),
            flow("c1", "child_start", "child_end"),
        ]
        .concat(),
    );
    h.deploy(&failing.replace("<bpmn:process", &format!("{error}<bpmn:process")));
    let content = [
        r#"<bpmn:startEvent id="start"/>"#.to_owned(),
        call_activity("", ""),
        r#"<bpmn:boundaryEvent id="caught" attachedToRef="call"><bpmn:errorEventDefinition errorRef="e"/></bpmn:boundaryEvent>"#.to_owned(),
        r#"<bpmn:endEvent id="end"/>"#.to_owned(),
        flow("f1", "start", "call"),
        flow("f2", "call", "end"),
        flow("f3", "caught", "end"),
    ];
    let parent = bpmn("process", &content.concat());
    h.deploy(&parent.replace("<bpmn:process", &format!("{error}<bpmn:process")));
    h.create("process", "");
    assert!(
        h.wrote(of::ProcessInstance::ElementCompleted, "caught"),
        "{}",
        text(&h.log)
    );
    assert!(h.wrote(of::ProcessInstance::ElementTerminated, "child"));
    assert!(h.wrote(of::ProcessInstance::ElementCompleted, "process"));
    h.assert_clean();
}

#[test]
fn a_process_that_is_not_there_can_be_deployed_later() {
    let mut h = EngineHarness::new();
    h.deploy(&around(&call_activity("", ""), "call"));
    h.create("process", "");
    let (key, incident) = h.incidents().remove(0);
    assert_eq!(incident.error_type, ErrorType::CalledElementError);
    assert_eq!(
        incident.error_message.as_str(),
        "Expected process with BPMN process id 'child' to be deployed, but not found."
    );
    h.deploy(&child_with_task());
    h.resolve(key).unwrap();
    h.complete("work", "");
    assert!(h.wrote(of::ProcessInstance::ElementCompleted, "process"));
    h.assert_clean();
}

#[test]
fn calls_inside_calls_end_at_the_limit() {
    let mut h = EngineHarness::with_config(EngineConfig {
        max_call_depth: 3,
        ..EngineConfig::default()
    });
    // By an expression: a static call of itself without a wait is refused at deployment.
    let called = r#"processId="=&quot;process&quot;""#;
    let itself = call_activity("", "").replace(r#"processId="child""#, called);
    h.deploy(&around(&itself, "call"));
    let root = h.create("process", "");
    let (_, incident) = h.incidents().remove(0);
    assert!(incident.error_message.contains("maximum depth of 3"));
    assert_eq!(incident.element_instance_path.len(), 3);
    h.cancel(root).unwrap();
    h.assert_clean();
}
