//! Task listeners: what they see, how they hold up, correct and refuse what people ask of a task.

use ringflow_core::engine::input::Command;
use ringflow_core::ids::Key;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::{
    ErrorType, JobRecord, JobResult, UpdateSemantics, UserTaskRecord, VariableDocumentRecord,
};
use ringflow_core::record::{RejectionType, Text, Value};

use super::harness::{EngineHarness, document, json_of, text};
use super::task::{given_to, task, user_task};

/// A user task with listeners, each `event:type`.
fn with_listeners(listeners: &[&str], more: &str) -> String {
    let listeners: String = listeners
        .iter()
        .filter_map(|listener| listener.split_once(':'))
        .map(|(event, job)| format!(r#"<zeebe:taskListener eventType="{event}" type="{job}"/>"#))
        .collect();
    user_task(&format!(
        "<zeebe:userTask/>{more}<zeebe:taskListeners>{listeners}</zeebe:taskListeners>"
    ))
}

fn denial(reason: &str) -> JobRecord {
    JobRecord {
        result: vec![JobResult {
            denied: true,
            denied_reason: reason.into(),
            ..JobResult::default()
        }],
        ..JobRecord::default()
    }
}

fn correction(names: &[&str], corrections: &str) -> JobRecord {
    JobRecord {
        result: vec![JobResult {
            corrected_attributes: names.iter().map(|name| Text::from(*name)).collect(),
            corrections: document(corrections),
            ..JobResult::default()
        }],
        ..JobRecord::default()
    }
}

/// Takes the one job of a type.
fn listener(h: &mut EngineHarness, job_type: &str) -> (Key, JobRecord) {
    let mut jobs = h.activate(job_type);
    assert_eq!(jobs.len(), 1, "jobs of type {job_type}");
    jobs.remove(0)
}

fn header<'j>(job: &'j JobRecord, name: &str) -> Option<&'j str> {
    let name = format!("io.camunda.zeebe:{name}");
    let found = (job.custom_headers.0.iter()).find(|(key, _)| key.as_str() == name);
    found.map(|(_, value)| value.as_str())
}

fn done(h: &mut EngineHarness, job_type: &str, result: JobRecord) {
    let (key, _) = listener(h, job_type);
    h.job(key, of::Job::Complete, result).expect("completes");
}

fn ask(
    h: &mut EngineHarness,
    key: Key,
    intent: of::UserTask,
    record: UserTaskRecord,
) -> ringflow_core::engine::input::RequestId {
    h.ask(Command::internal(key, intent, record))
}

#[test]
fn a_completion_waits_for_its_listeners_and_takes_their_corrections() {
    let mut h = EngineHarness::new();
    h.deploy(&with_listeners(
        &["completing:first", "completing:second"],
        r#"<zeebe:taskHeaders><zeebe:header key="own" value="1"/></zeebe:taskHeaders>"#,
    ));
    h.create("process", r#"{"seen":1,"given":0}"#);
    let (key, _) = task(&h);
    let record = UserTaskRecord {
        variables: document(r#"{"given":2}"#),
        ..UserTaskRecord::default()
    };
    let request = ask(&mut h, key, of::UserTask::Complete, record);
    assert!(
        h.answer(request).is_none(),
        "held until the listeners are done"
    );

    let (first, job) = listener(&mut h, "first");
    assert_eq!(json_of(&job.variables), r#"{"given":2,"seen":1}"#);
    assert_eq!(header(&job, "action"), Some("complete"));
    assert_eq!(header(&job, "priority"), Some("50"));
    let key_text = key.0.to_string();
    assert_eq!(header(&job, "userTaskKey"), Some(key_text.as_str()));
    assert_eq!(header(&job, "assignee"), None);
    assert!(job.custom_headers.0.contains(&("own".into(), "1".into())));

    let refused = ask(&mut h, key, of::UserTask::Assign, given_to("eve"));
    let refused = h.answer(refused).unwrap().unwrap_err();
    assert_eq!(
        refused.reason.as_str(),
        format!("Expected to assign user task with key '{key}', but it is in state 'COMPLETING'")
    );

    let from = h.log.len();
    let corrected = correction(
        &["assignee", "priority", "candidateUsersList"],
        r#"{"assignee":"ada","priority":50,"candidateUsersList":["x","y"]}"#,
    );
    h.job(first, of::Job::Complete, corrected).unwrap();
    assert!(h.answer(request).is_none());
    let (second, job) = listener(&mut h, "second");
    assert_eq!(header(&job, "assignee"), Some("ada"));
    assert_eq!(header(&job, "candidateUsers"), Some(r#"["x","y"]"#));
    assert_eq!(
        header(&job, "changedAttributes"),
        Some(r#"["assignee","candidateUsersList","variables"]"#)
    );
    h.job(second, of::Job::Complete, JobRecord::default())
        .unwrap();
    let answer = h.answer(request).unwrap().unwrap();
    let Value::UserTask(completed) = answer.value else {
        panic!("another answer");
    };
    assert_eq!(completed.assignee.as_str(), "ada");
    let lines = text(&h.log[from..]);
    let lines: String = lines
        .lines()
        .filter(|line| line.contains("USER_TASK ") && !line.contains("PROCESS_INSTANCE"))
        .map(|line| format!("{line}\n"))
        .collect();
    assert_eq!(
        lines,
        "C USER_TASK COMPLETE_TASK_LISTENER task ada\n\
         E USER_TASK CORRECTED task ada\n\
         C USER_TASK COMPLETE_TASK_LISTENER task ada\n\
         E USER_TASK COMPLETED task ada\n"
    );
    let corrected = (h.log.iter())
        .find_map(|record| match (&record.value, record.intent.name()) {
            (Value::UserTask(value), "CORRECTED") => Some(value.changed_attributes.clone()),
            _ => None,
        })
        .unwrap();
    assert_eq!(
        corrected,
        ["assignee", "candidateUsersList"].map(Text::from)
    );
    h.assert_clean();
}

#[test]
fn a_refused_transition_leaves_the_task_as_it_was() {
    for (event, command, record, denied, text_of) in [
        (
            "completing",
            of::UserTask::Complete,
            UserTaskRecord::default(),
            "COMPLETION_DENIED",
            "Completion",
        ),
        (
            "assigning",
            of::UserTask::Assign,
            given_to("bob"),
            "ASSIGNMENT_DENIED",
            "Assignment",
        ),
        (
            "assigning",
            of::UserTask::Claim,
            given_to("bob"),
            "ASSIGNMENT_DENIED",
            "Assignment",
        ),
        (
            "updating",
            of::UserTask::Update,
            UserTaskRecord {
                priority: 9,
                changed_attributes: vec!["priority".into()],
                ..UserTaskRecord::default()
            },
            "UPDATE_DENIED",
            "Update",
        ),
    ] {
        let mut h = EngineHarness::new();
        h.deploy(&with_listeners(&[&format!("{event}:check")], ""));
        h.create("process", "");
        let (key, before) = task(&h);
        let request = ask(&mut h, key, command, record.clone());
        done(&mut h, "check", denial("not now"));
        let refused = h.answer(request).unwrap().unwrap_err();
        assert_eq!(refused.kind, RejectionType::InvalidState);
        assert_eq!(
            refused.reason.as_str(),
            format!(
                "{text_of} of the User Task with key '{key}' was denied by Task Listener. Reason to deny: 'not now'"
            )
        );
        let (_, after) = task(&h);
        assert_eq!(
            h.log
                .iter()
                .rev()
                .find(|r| matches!(r.value, Value::UserTask(_)))
                .unwrap()
                .intent
                .name(),
            denied
        );
        assert_eq!(after.denied_reason.as_str(), "not now");
        assert_eq!(
            (after.assignee, after.priority),
            (before.assignee, before.priority)
        );
        // The listeners start from the first again.
        let request = ask(&mut h, key, command, record);
        done(&mut h, "check", JobRecord::default());
        h.answer(request).unwrap().unwrap();
    }
}

#[test]
fn a_task_with_listeners_is_created_before_it_is_given_to_somebody() {
    let mut h = EngineHarness::new();
    h.deploy(&with_listeners(
        &["creating:c1", "creating:c2", "assigning:a"],
        r#"<zeebe:assignmentDefinition assignee="ada"/>"#,
    ));
    let from = h.log.len();
    let instance = h.create("process", "");
    let lines = text(&h.log[from..]);
    assert!(
        lines.ends_with(
            "E USER_TASK CREATING task ada\n\
             E JOB CREATED c1 task retries=3 {}\n\
             E PROCESS_INSTANCE ELEMENT_ACTIVATED USER_TASK task\n"
        ),
        "{lines}"
    );
    let (key, job) = listener(&mut h, "c1");
    assert_eq!(header(&job, "assignee"), Some("ada"));
    let refused = h
        .job(
            key,
            of::Job::Complete,
            correction(&["assignee"], r#"{"assignee":"x"}"#),
        )
        .unwrap_err();
    assert!(
        refused
            .reason
            .contains("correcting the assignee on 'CREATING' event")
    );
    let refused = h.job(key, of::Job::Complete, denial("no")).unwrap_err();
    assert!(
        refused
            .reason
            .starts_with("Denying result is not supported for 'CREATING'")
    );
    h.job(
        key,
        of::Job::Complete,
        correction(&["dueDate"], r#"{"dueDate":"2026-02-01T10:00:00Z"}"#),
    )
    .unwrap();
    let from = h.log.len();
    done(&mut h, "c2", JobRecord::default());
    let (_, assigning) = task(&h);
    assert_eq!(assigning.changed_attributes, vec![Text::from("assignee")]);
    assert_eq!(assigning.due_date.as_str(), "2026-02-01T10:00:00Z");
    let lines = text(&h.log[from..]);
    assert!(
        lines.ends_with(
            "E USER_TASK CREATED task \n\
             E USER_TASK ASSIGNING task ada\n\
             E JOB CREATED a task retries=3 {}\n"
        ),
        "{lines}"
    );
    done(
        &mut h,
        "a",
        correction(&["assignee"], r#"{"assignee":"bob"}"#),
    );
    let (_, assigned) = task(&h);
    assert_eq!(assigned.assignee.as_str(), "bob");
    h.cancel(instance).unwrap();
    h.assert_clean();
}

#[test]
fn a_listener_may_name_the_first_assignee() {
    let mut h = EngineHarness::new();
    h.deploy(&with_listeners(&["creating:c"], ""));
    h.create("process", "");
    done(
        &mut h,
        "c",
        correction(&["assignee"], r#"{"assignee":"ada"}"#),
    );
    let (key, created) = task(&h);
    assert_eq!(created.assignee.as_str(), "ada");
    assert_eq!(created.changed_attributes, vec![Text::from("assignee")]);
    let request = ask(
        &mut h,
        key,
        of::UserTask::Complete,
        UserTaskRecord::default(),
    );
    h.answer(request).unwrap().unwrap();
    h.assert_clean();
}

#[test]
fn a_canceled_task_calls_its_listeners_before_its_element_ends() {
    let mut h = EngineHarness::new();
    h.deploy(&with_listeners(&["completing:check", "canceling:gone"], ""));
    let instance = h.create("process", "");
    let (key, _) = task(&h);
    let request = ask(
        &mut h,
        key,
        of::UserTask::Complete,
        UserTaskRecord::default(),
    );
    let (check, _) = listener(&mut h, "check");
    h.cancel(instance).unwrap();
    let refused = h.answer(request).unwrap().unwrap_err();
    assert_eq!(
        refused.reason,
        "user task was canceled during ongoing transition"
    );
    assert!(
        h.job(check, of::Job::Complete, JobRecord::default())
            .is_err()
    );
    assert!(!h.wrote(of::ProcessInstance::ElementTerminated, "task"));
    let from = h.log.len();
    done(&mut h, "gone", JobRecord::default());
    let lines = text(&h.log[from..]);
    assert!(lines.contains("E USER_TASK CANCELED task"), "{lines}");
    assert!(h.wrote(of::ProcessInstance::ElementTerminated, "process"));
    h.assert_clean();
}

#[test]
fn variables_of_a_task_change_with_its_listeners_consent() {
    let mut h = EngineHarness::new();
    h.deploy(&with_listeners(&["updating:check"], ""));
    let instance = h.create("process", r#"{"a":1}"#);
    let (key, record) = task(&h);
    let scope = record.element_instance_key;
    let set = |h: &mut EngineHarness, semantics| {
        let record = VariableDocumentRecord {
            scope_key: scope,
            variables: document(r#"{"a":2}"#),
            update_semantics: semantics,
            ..VariableDocumentRecord::default()
        };
        h.ask(Command::internal(
            Key::NONE,
            of::VariableDocument::Update,
            record,
        ))
    };
    let request = set(&mut h, UpdateSemantics::Propagate);
    let (job_key, job) = listener(&mut h, "check");
    assert_eq!(json_of(&job.variables), r#"{"a":2}"#);
    assert_eq!(header(&job, "changedAttributes"), Some(r#"["variables"]"#));
    let again = set(&mut h, UpdateSemantics::Local);
    assert_eq!(
        h.answer(again).unwrap().unwrap_err().reason.as_str(),
        format!(
            "Expected to trigger update transition for user task with key '{key}', but it is in state 'UPDATING'"
        )
    );
    h.job(job_key, of::Job::Complete, denial("frozen")).unwrap();
    assert_eq!(
        h.answer(request).unwrap().unwrap_err().reason.as_str(),
        format!(
            "Variable update for user task instance with key '{scope}' was denied by Task Listener. Reason to deny: 'frozen'"
        )
    );
    let state = h.engine.state();
    assert_eq!(
        json_of(&state.local_variables(instance).unwrap()),
        r#"{"a":1}"#
    );

    let request = set(&mut h, UpdateSemantics::Propagate);
    let from = h.log.len();
    done(&mut h, "check", JobRecord::default());
    let answer = h.answer(request).unwrap().unwrap();
    assert_eq!(answer.intent, of::VariableDocument::Updated.into());
    let lines = text(&h.log[from..]);
    assert!(
        lines.ends_with(
            "E VARIABLE UPDATED a=2\nE USER_TASK UPDATED task \nE VARIABLE_DOCUMENT UPDATED {\"a\":2}\n"
        ),
        "{lines}"
    );
}

#[test]
fn a_listener_without_retries_or_type_is_an_incident_that_can_be_mended() {
    let mut h = EngineHarness::new();
    h.deploy(&with_listeners(&["completing:=kind"], ""));
    let instance = h.create("process", "");
    let (key, _) = task(&h);
    let request = ask(
        &mut h,
        key,
        of::UserTask::Complete,
        UserTaskRecord::default(),
    );
    let (incident, record) = h.incidents().remove(0);
    assert_eq!(record.error_type, ErrorType::ExtractValueError);
    h.set_variables(instance, r#"{"kind":"check"}"#).unwrap();
    h.resolve(incident).unwrap();

    let (job, _) = listener(&mut h, "check");
    let failed = JobRecord {
        error_message: "boom".into(),
        retries: 0,
        ..JobRecord::default()
    };
    h.job(job, of::Job::Fail, failed).unwrap();
    let (incident, record) = h.incidents().remove(0);
    assert_eq!(record.error_type, ErrorType::TaskListenerNoRetries);
    assert_eq!(record.error_message.as_str(), "boom");
    let retries = JobRecord {
        retries: 1,
        ..JobRecord::default()
    };
    h.job(job, of::Job::UpdateRetries, retries).unwrap();
    h.resolve(incident).unwrap();
    done(&mut h, "check", JobRecord::default());
    h.answer(request).unwrap().unwrap();
    h.assert_clean();
}

#[test]
fn what_a_listener_may_not_answer_is_refused() {
    let mut h = EngineHarness::new();
    h.deploy(&with_listeners(&["completing:check"], ""));
    let instance = h.create("process", "");
    let (task_key, _) = task(&h);
    ask(
        &mut h,
        task_key,
        of::UserTask::Complete,
        UserTaskRecord::default(),
    );
    let (key, _) = listener(&mut h, "check");
    let named = format!("(job key '{key}', type 'check', processInstanceKey '{instance}')");
    let both = JobRecord {
        result: vec![JobResult {
            denied: true,
            ..correction(&["assignee"], r#"{"assignee":"x"}"#)
                .result
                .remove(0)
        }],
        ..JobRecord::default()
    };
    let variables = JobRecord {
        variables: document(r#"{"a":1}"#),
        ..JobRecord::default()
    };
    for (answer, reason) in [
        (
            variables,
            format!("Task Listener job completion with variables payload provided is not yet supported {named}. Support will be enabled with the resolution of issue #23702.\n"),
        ),
        (
            both,
            format!("Expected to complete task listener job with corrections, but the job result is denied {named}. The corrections would be reverted by the denial. Either complete the job with corrections without setting denied, or complete the job with a denied result but no corrections.\n"),
        ),
        (
            correction(&["name"], ""),
            format!("Expected to complete task listener job with a corrections result, but property 'name' cannot be corrected {named}. Only the following properties can be corrected: [assignee, candidateGroupsList, candidateUsersList, dueDate, followUpDate, priority].\n"),
        ),
        (
            correction(&["priority"], r#"{"priority":"high"}"#),
            "Expected to complete task listener job with a corrections result, but the correction of 'priority' is malformed: expected a whole number".to_owned(),
        ),
    ] {
        let refused = h.job(key, of::Job::Complete, answer).unwrap_err();
        assert_eq!(refused.kind, RejectionType::InvalidArgument);
        assert_eq!(refused.reason.as_str(), reason);
    }
    h.job(key, of::Job::Complete, JobRecord::default()).unwrap();
    h.assert_clean();
}
