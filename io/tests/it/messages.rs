//! Messages between partitions: a subscription lives where its correlation key hashes to, the
//! instance where it was created, and both are on any shard.

use ringflow_core::engine::input::Command;
use ringflow_core::ids::{Key, PartitionId};
use ringflow_core::record::intent::of;
use ringflow_core::record::value::{MessageRecord, ProcessInstanceCreationRecord};
use ringflow_core::record::{Document, Text};
use ringflow_io::{Broker, Submitter};

use crate::world::{PATIENCE, ask, client, complete, deploy_model, on_both_drivers, poll, submit};

const WAITS: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL"
    xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" targetNamespace="t" id="d">
  <message id="m" name="go">
    <extensionElements><zeebe:subscription correlationKey="=order"/></extensionElements>
  </message>
  <process id="waits" isExecutable="true">
    <startEvent id="start"><outgoing>a</outgoing></startEvent>
    <sequenceFlow id="a" sourceRef="start" targetRef="catch"/>
    <intermediateCatchEvent id="catch">
      <incoming>a</incoming><outgoing>b</outgoing>
      <messageEventDefinition id="e" messageRef="m"/>
    </intermediateCatchEvent>
    <sequenceFlow id="b" sourceRef="catch" targetRef="task"/>
    <serviceTask id="task">
      <extensionElements><zeebe:taskDefinition type="work"/></extensionElements>
      <incoming>b</incoming><outgoing>c</outgoing>
    </serviceTask>
    <sequenceFlow id="c" sourceRef="task" targetRef="end"/>
    <endEvent id="end"><incoming>c</incoming></endEvent>
  </process>
</definitions>"#;

fn create_waiting(order: &str) -> Command {
    let json = format!(r#"{{"order": "{order}"}}"#);
    let creation = ProcessInstanceCreationRecord {
        bpmn_process_id: Text::from("waits"),
        variables: Document::from(ringflow_core::json::to_msgpack(json).unwrap()),
        ..ProcessInstanceCreationRecord::default()
    };
    Command::internal(Key::NONE, of::ProcessInstanceCreation::Create, creation)
}

async fn publish(to: &Submitter, order: &str) {
    let message = MessageRecord {
        name: Text::from("go"),
        correlation_key: Text::from(order),
        time_to_live: 60_000,
        ..MessageRecord::default()
    };
    let partition = PartitionId::of_correlation_key(order, to.partition_count());
    let command = Command::internal(Key::NONE, of::Message::Publish, message);
    submit(to, partition.0, command).await;
}

/// On each of three partitions: instances that wait for messages whose subscriptions live there and
/// on the others, until all of them have got theirs.
pub(crate) async fn correlate_everywhere(submitter: &Submitter) {
    deploy_model(submitter, "waits.bpmn", WAITS).await;
    for partition in 1..=3 {
        // Orders that hash to every partition, this one and the others.
        let orders = ["order-a", "order-b", "order-c"].map(|o| format!("{o}-{partition}"));
        for order in &orders {
            let mut created = ask(submitter, partition, create_waiting(order)).await;
            while created
                .as_ref()
                .is_ok_and(|answer| answer.rejection.is_some())
            {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
                created = ask(submitter, partition, create_waiting(order)).await;
            }
            created.unwrap();
            publish(submitter, order).await;
        }
        let asked = std::time::Instant::now();
        let mut done = 0;
        while done < orders.len() {
            for job in poll(submitter, partition, 10).await {
                submit(submitter, partition, complete(job)).await;
                done += 1;
            }
            assert!(asked.elapsed() < PATIENCE, "{done} messages came through");
        }
    }
}

#[test]
fn a_message_finds_its_instance_on_whatever_partition_it_is() {
    on_both_drivers(|options| {
        let mut options = options();
        options.partitions = 3;
        options.shards = 2;
        let broker = Broker::start(options).unwrap();
        let submitter = broker.submitter();
        client(correlate_everywhere(&submitter));
        broker.stop();
        let sends: u64 = submitter.metrics().partitions.iter().map(|p| p.sends).sum();
        assert!(sends > 9, "{sends}");
    });
}
