//! Taking jobs: rounds, long polls, streams, and what happens to jobs nobody took.
//!
//! The backend hands out what a test wants; time that a test waits for is bounded by its own limit.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ringflow_core::engine::input::Command;
use ringflow_core::ids::{Key, PartitionId, Timestamp};
use ringflow_core::record::intent::of;
use ringflow_core::record::value::{JobBatchRecord, JobRecord};
use ringflow_core::record::{Document, RejectionType, Text, Value};
use ringflow_gateway::backend::SubmitError;
use ringflow_gateway::{Auth, Limits};
use serde_json::json;
use tonic::Code;

use crate::fake::{self, Answer, Fake, Running, accepted, start, start_with};
use crate::proto;

fn job(bytes: usize) -> Arc<JobRecord> {
    let variables = format!("{{\"a\":\"{}\"}}", "x".repeat(bytes));
    Arc::new(JobRecord {
        job_type: Text::from("t"),
        worker: Text::from("w"),
        retries: 3,
        deadline: Timestamp(1000),
        variables: Document::from(ringflow_core::json::to_msgpack(variables).unwrap()),
        element_id: Text::from("task"),
        process_instance_key: Key(2_251_799_813_685_250),
        ..JobRecord::default()
    })
}

fn batch(partition: PartitionId, command: &Command, jobs: Vec<Arc<JobRecord>>) -> Answer {
    let Value::JobBatch(asked) = &command.value else {
        return accepted(command.key, command.intent, command.value.clone());
    };
    let job_keys = (0..jobs.len())
        .map(|at| Key::new(partition, 100 + at as i64))
        .collect();
    accepted(
        Key::NONE,
        of::JobBatch::Activated,
        JobBatchRecord {
            job_keys,
            jobs,
            ..(**asked).clone()
        },
    )
}

fn wanted(max: i32, request_timeout: i64) -> proto::ActivateJobsRequest {
    proto::ActivateJobsRequest {
        r#type: "t".into(),
        worker: "w".into(),
        timeout: 60_000,
        max_jobs_to_activate: max,
        request_timeout,
        ..proto::ActivateJobsRequest::default()
    }
}

/// Jobs per message.
async fn activate(
    running: &Running,
    request: proto::ActivateJobsRequest,
) -> Result<Vec<usize>, tonic::Status> {
    let mut stream = running
        .grpc()
        .await
        .activate_jobs(request)
        .await?
        .into_inner();
    let mut messages = Vec::new();
    while let Some(message) = stream.message().await? {
        messages.push(message.jobs.len());
    }
    Ok(messages)
}

#[tokio::test]
async fn a_round_asks_each_partition_for_what_is_left() {
    let running = start(Fake::new(3, |partition, command| {
        batch(partition, command, vec![job(1), job(1)])
    }))
    .await;
    assert_eq!(activate(&running, wanted(5, 0)).await.unwrap(), [2, 2, 2]);
    let asked: Vec<i32> = running
        .fake
        .sent
        .lock()
        .unwrap()
        .iter()
        .map(|(_, command)| {
            let Value::JobBatch(batch) = &command.value else {
                panic!("{command:?}");
            };
            batch.max_jobs
        })
        .collect();
    assert_eq!(asked, [5, 3, 1]);
}

#[tokio::test]
async fn rest_answers_jobs_with_every_member_of_the_contract() {
    let running = start(Fake::new(1, |partition, command| {
        batch(partition, command, vec![job(1)])
    }))
    .await;
    let body = json!({"type": "t", "timeout": 1000, "maxJobsToActivate": 1});
    let answer = running.post("/jobs/activation", body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let answer = answer.json();
    let job = answer["jobs"][0].as_object().unwrap();
    for member in [
        "businessId",
        "customHeaders",
        "deadline",
        "elementId",
        "elementInstanceKey",
        "jobKey",
        "kind",
        "leaseToken",
        "listenerEventType",
        "physicalTenantId",
        "priority",
        "processDefinitionId",
        "processDefinitionKey",
        "processDefinitionVersion",
        "processInstanceKey",
        "retries",
        "rootProcessInstanceKey",
        "tags",
        "tenantId",
        "type",
        "userTask",
        "variables",
        "worker",
    ] {
        assert!(job.contains_key(member), "{member} is missing");
    }
    assert_eq!(job["variables"], json!({"a": "x"}));
    assert_eq!(job["kind"], "BPMN_ELEMENT");
    assert_eq!(job["listenerEventType"], "UNSPECIFIED");
    assert_eq!(job["jobKey"], Key::new(PartitionId(1), 100).0.to_string());
    assert_eq!(job["deadline"], 1000);
}

#[tokio::test]
async fn impossible_requests_are_refused_in_the_words_of_the_engine() {
    let running = start(Fake::new(1, fake::echo)).await;
    let cases = [
        (
            wanted(0, 0),
            "max jobs to activate to be greater than zero, but it was '0'",
        ),
        (
            proto::ActivateJobsRequest {
                timeout: -1,
                ..wanted(1, 0)
            },
            "timeout to be greater than zero, but it was '-1'",
        ),
        (
            proto::ActivateJobsRequest {
                r#type: " ".into(),
                ..wanted(1, 0)
            },
            "type to be present, but it was blank",
        ),
    ];
    for (request, rule) in cases {
        let status = activate(&running, request).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        assert_eq!(
            status.message(),
            format!(
                "Command 'ACTIVATE' rejected with code 'INVALID_ARGUMENT': Expected to activate \
                 job batch with {rule}"
            )
        );
    }
    assert!(running.fake.intents().is_empty());
    let body = json!({"type": "t", "timeout": 0, "maxJobsToActivate": 1});
    let problem = running.post("/jobs/activation", body).await.problem();
    assert_eq!(
        problem.2,
        "The value for timeout is '0' but must be greater than 0."
    );
}

#[tokio::test]
async fn a_parked_request_is_woken_by_its_type() {
    let there = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&there);
    let running = start(Fake::new(1, move |partition, command| {
        let jobs = if seen.load(Ordering::SeqCst) {
            vec![job(1)]
        } else {
            Vec::new()
        };
        batch(partition, command, jobs)
    }))
    .await;
    let started = Instant::now();
    let available = running.fake.available.clone();
    let arrives = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        there.store(true, Ordering::SeqCst);
        available.send(Text::from("t")).unwrap();
    };
    let (messages, ()) = tokio::join!(activate(&running, wanted(1, 8000)), arrives);
    assert_eq!(messages.unwrap(), [1]);
    assert!(
        started.elapsed() < Duration::from_secs(4),
        "it was woken, not probed"
    );
    assert_eq!(running.fake.intents().len(), 2);
}

#[tokio::test]
async fn time_without_jobs_ends_without_error() {
    let running = start(Fake::new(1, |partition, command| {
        batch(partition, command, Vec::new())
    }))
    .await;
    assert!(activate(&running, wanted(1, 100)).await.unwrap().is_empty());
    assert!(activate(&running, wanted(1, -1)).await.unwrap().is_empty());
    let body = json!({"type": "t", "timeout": 1, "maxJobsToActivate": 1, "requestTimeout": -1});
    let answer = running.post("/jobs/activation", body).await;
    assert_eq!(
        (answer.status, answer.text.as_str()),
        (200, "{\"jobs\":[]}")
    );
}

#[tokio::test]
async fn pressure_is_told_only_if_nothing_was_found() {
    let running = start(Fake::new(2, |partition, command| match partition.0 {
        1 => Err(SubmitError::ResourceExhausted),
        _ => batch(partition, command, vec![job(1)]),
    }))
    .await;
    assert_eq!(activate(&running, wanted(5, -1)).await.unwrap(), [1]);
    let running = start(Fake::new(2, |_, _| Err(SubmitError::ResourceExhausted))).await;
    let status = activate(&running, wanted(5, 0)).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(
        status.message(),
        "Expected to activate jobs of type 't', but no jobs available and at least one broker \
         returned 'RESOURCE_EXHAUSTED'. Please try again later."
    );
}

#[tokio::test]
async fn a_rejection_ends_the_call() {
    let running = start(Fake::new(1, |_, command| {
        fake::refused(command, RejectionType::InvalidArgument, "no")
    }))
    .await;
    let status = activate(&running, wanted(1, 0)).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn large_batches_are_cut_and_larger_jobs_given_back() {
    let limits = Limits {
        message_bytes: 4096,
        ..Limits::default()
    };
    let fake = Fake::new(1, |partition, command| {
        batch(
            partition,
            command,
            vec![job(1500), job(1500), job(1500), job(8000)],
        )
    });
    let running = start_with(fake, Auth::Unprotected, limits).await;
    assert_eq!(activate(&running, wanted(4, -1)).await.unwrap(), [2, 1]);
    let given_back = eventually(|| {
        let sent = running.fake.sent.lock().unwrap();
        sent.iter()
            .find(|(_, command)| command.intent == of::Job::Fail.into())
            .cloned()
    })
    .await;
    let Value::Job(record) = &given_back.1.value else {
        panic!("{given_back:?}");
    };
    assert_eq!(record.retries, 3, "retries are unchanged");
    assert_eq!(
        record.error_message,
        "the response is bigger than the maximum allowed message size 4096"
    );
    assert_eq!(given_back.1.key, Key::new(PartitionId(1), 103));
}

#[tokio::test]
async fn jobs_of_a_client_that_left_are_given_back() {
    let rounds = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&rounds);
    let running = start(Fake::new(8, move |partition, command| {
        count.fetch_add(1, Ordering::SeqCst);
        batch(partition, command, vec![job(60_000); 16])
    }))
    .await;
    // The window of the connection is smaller than what is found, so some of it stays behind.
    let stream = running
        .grpc()
        .await
        .activate_jobs(wanted(1000, 0))
        .await
        .unwrap();
    drop(stream);
    let given_back = eventually(|| {
        let sent = running.fake.sent.lock().unwrap();
        sent.iter()
            .any(|(_, command)| command.intent == of::Job::Fail.into())
            .then_some(())
    })
    .await;
    assert_eq!(given_back, ());
}

#[tokio::test]
async fn pushed_jobs_reach_their_client() {
    let running = start(Fake::new(1, fake::echo)).await;
    let mut client = running.grpc().await;
    let request = proto::StreamActivatedJobsRequest {
        r#type: "t".into(),
        worker: "w".into(),
        timeout: 5000,
        fetch_variable: vec!["a".into()],
        ..proto::StreamActivatedJobsRequest::default()
    };
    let mut stream = client
        .stream_activated_jobs(request)
        .await
        .unwrap()
        .into_inner();
    let (spec, sender) = running.fake.streams.lock().unwrap().remove(0);
    assert_eq!((spec.job_type.as_str(), spec.timeout), ("t", 5000));
    assert_eq!(spec.fetch_variables, [Text::from("a")]);
    sender.send((Key(7), job(1))).await.unwrap();
    let pushed = stream.message().await.unwrap().unwrap();
    assert_eq!(
        (pushed.key, pushed.variables.as_str()),
        (7, "{\"a\":\"x\"}")
    );
    assert_eq!(pushed.custom_headers, "{}");
    drop(sender);
    assert_eq!(
        stream.message().await.unwrap_err().code(),
        Code::Unavailable
    );

    let blank = proto::StreamActivatedJobsRequest {
        timeout: 1,
        ..Default::default()
    };
    let status = client.stream_activated_jobs(blank).await.unwrap_err();
    assert_eq!(
        status.message(),
        "Expected to stream activated jobs with type to be present, but it was blank"
    );
}

#[tokio::test]
async fn stopping_ends_what_waits_for_jobs() {
    let running = start(Fake::new(1, |partition, command| {
        batch(partition, command, Vec::new())
    }))
    .await;
    let mut client = running.grpc().await;
    let parked = tokio::spawn(async move {
        let mut stream = client
            .activate_jobs(wanted(1, 60_000))
            .await
            .unwrap()
            .into_inner();
        stream.message().await
    });
    eventually(|| (!running.fake.intents().is_empty()).then_some(())).await;
    let started = Instant::now();
    running.gateway.stop().await;
    assert!(started.elapsed() < Duration::from_secs(5));
    let status = parked.await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
}

/// Looks again and again until there is something, at most for five seconds.
async fn eventually<T>(look: impl Fn() -> Option<T>) -> T {
    for _ in 0..500 {
        if let Some(found) = look() {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it did not happen");
}
