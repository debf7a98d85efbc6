//! A broker in a temporary directory, and the handful of commands the tests are made of.
//!
//! Times here are patience, not measurement: they only bound how long a broken build hangs.

use std::time::Duration;

use ringflow_core::engine::effect::Response;
use ringflow_core::engine::input::Command;
use ringflow_core::ids::{Key, PartitionId};
use ringflow_core::record::intent::of;
use ringflow_core::record::value::{
    DeploymentRecord, DeploymentResource, JobBatchRecord, JobRecord, ProcessInstanceCreationRecord,
};
use ringflow_core::record::{Blob, Text, Value};
use ringflow_io::{Broker, BrokerOptions, DriverChoice, SubmitError, Submitter};
use tempfile::TempDir;

pub(crate) const PATIENCE: Duration = Duration::from_secs(5);
pub(crate) const TENANT: &str = "<default>";

const ONE_TASK: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL"
    xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" targetNamespace="t" id="d">
  <process id="one-task" isExecutable="true">
    <startEvent id="start"><outgoing>a</outgoing></startEvent>
    <sequenceFlow id="a" sourceRef="start" targetRef="task"/>
    <serviceTask id="task">
      <extensionElements><zeebe:taskDefinition type="work"/></extensionElements>
      <incoming>a</incoming><outgoing>b</outgoing>
    </serviceTask>
    <sequenceFlow id="b" sourceRef="task" targetRef="end"/>
    <endEvent id="end"><incoming>b</incoming></endEvent>
  </process>
</definitions>"#;

/// Options of a small broker in `data` on `driver`.
pub(crate) fn options(data: &TempDir, driver: DriverChoice) -> BrokerOptions {
    let mut options = BrokerOptions::new(data.path().join("data"));
    options.driver = driver;
    options.disk_reserve_bytes = 0;
    options.state_memory_bytes = 64 << 20;
    options.log_segment_bytes = 16 << 20;
    options
}

/// Runs `test` on every driver this host has, each in a directory of its own.
pub(crate) fn on_both_drivers(test: impl Fn(&dyn Fn() -> BrokerOptions)) {
    for driver in [DriverChoice::Plain, DriverChoice::Uring] {
        let data = TempDir::new().unwrap();
        if driver == DriverChoice::Uring && !host_has_uring(&data) {
            println!("skipped on io_uring: this host forbids it");
            continue;
        }
        test(&|| options(&data, driver));
    }
}

fn host_has_uring(data: &TempDir) -> bool {
    let mut probe = BrokerOptions::new(data.path().join("probe"));
    probe.driver = DriverChoice::Uring;
    probe.disk_reserve_bytes = 0;
    Broker::start(probe).map(Broker::stop).is_ok()
}

/// Runs a client.
pub(crate) fn client<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap()
        .block_on(work)
}

/// Submits and expects acceptance.
pub(crate) async fn submit(to: &Submitter, partition: u16, command: Command) -> Response {
    let response = ask(to, partition, command).await.unwrap();
    assert_eq!(response.rejection, None);
    response
}

pub(crate) async fn ask(
    to: &Submitter,
    partition: u16,
    command: Command,
) -> Result<Response, SubmitError> {
    let intent = command.intent;
    let answer = to.submit(PartitionId(partition), command, PATIENCE).await;
    if answer == Err(SubmitError::Timeout) {
        println!("no answer to {intent:?}: {:#?}", to.metrics());
    }
    answer
}

pub(crate) async fn deploy(to: &Submitter) -> Response {
    deploy_model(to, "one-task.bpmn", ONE_TASK).await
}

pub(crate) async fn deploy_model(to: &Submitter, name: &str, model: &str) -> Response {
    let resource = DeploymentResource {
        resource: Blob::from(model.as_bytes().to_vec()),
        resource_name: Text::from(name),
    };
    let deployment = DeploymentRecord {
        resources: vec![resource],
        ..DeploymentRecord::default()
    };
    let command = Command::internal(Key::NONE, of::Deployment::Create, deployment);
    submit(to, 1, command).await
}

pub(crate) fn create() -> Command {
    let creation = ProcessInstanceCreationRecord {
        bpmn_process_id: Text::from("one-task"),
        ..ProcessInstanceCreationRecord::default()
    };
    Command::internal(Key::NONE, of::ProcessInstanceCreation::Create, creation)
}

pub(crate) fn activate(max_jobs: i32) -> Command {
    let batch = JobBatchRecord {
        job_type: Text::from("work"),
        worker: Text::from("poller"),
        timeout: 60_000,
        max_jobs,
        tenant_ids: vec![Text::from(TENANT)],
        ..JobBatchRecord::default()
    };
    Command::internal(Key::NONE, of::JobBatch::Activate, batch)
}

pub(crate) fn complete(job: Key) -> Command {
    Command::internal(job, of::Job::Complete, JobRecord::default())
}

/// Keys of the jobs a poll got.
pub(crate) async fn poll(to: &Submitter, partition: u16, max_jobs: i32) -> Vec<Key> {
    let response = submit(to, partition, activate(max_jobs)).await;
    let Value::JobBatch(batch) = &response.value else {
        panic!("a poll was answered with {:?}", response.value);
    };
    batch.job_keys.clone()
}

/// Takes one process instance from creation to its end.
pub(crate) async fn run_one(to: &Submitter, partition: u16) {
    submit(to, partition, create()).await;
    let jobs = poll(to, partition, 1).await;
    assert_eq!(jobs.len(), 1);
    submit(to, partition, complete(jobs[0])).await;
}
