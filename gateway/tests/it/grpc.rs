//! What only gRPC has: documents as text, the priority of a job, topology, health, message size.
//!
//! Statuses are compared with code and text, because clients match some of the texts.

use ringflow_core::ids::{Key, PartitionId};
use ringflow_core::record::intent::of;
use ringflow_core::record::value::ProcessInstanceResultRecord;
use ringflow_core::record::{Document, Text, Value};
use tonic::Code;
use tonic::codec::CompressionEncoding;

use crate::fake::{self, Fake, accepted, start};
use crate::proto;

#[tokio::test]
async fn unusable_documents_tenants_and_keys_are_refused_without_a_command() {
    let running = start(Fake::new(1, fake::echo)).await;
    let mut client = running.grpc().await;
    let complete = |variables: &str| proto::CompleteJobRequest {
        job_key: 2_251_799_813_685_249,
        variables: variables.into(),
        ..proto::CompleteJobRequest::default()
    };
    let status = client.complete_job(complete("[]")).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(
        status.message(),
        "Property 'variables' is invalid: Expected document to be a root level object, but was \
         'ARRAY'"
    );
    let status = client.complete_job(complete("{")).await.unwrap_err();
    assert!(status.message().starts_with("Invalid JSON value: {"));

    let status = client
        .publish_message(proto::PublishMessageRequest {
            tenant_id: "other".into(),
            ..proto::PublishMessageRequest::default()
        })
        .await
        .unwrap_err();
    assert_eq!(
        status.message(),
        "Expected to handle gRPC request PublishMessage with tenant identifier 'other', but \
         multi-tenancy is disabled"
    );

    let status = client
        .cancel_process_instance(proto::CancelProcessInstanceRequest {
            process_instance_key: Key::new(PartitionId(7), 1).0,
            operation_reference: None,
        })
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(
        status.message(),
        "Expected to execute command on partition 7, but either it does not exist, or the gateway \
         is not yet aware of it"
    );
    assert!(running.fake.intents().is_empty());
}

#[tokio::test]
async fn a_result_is_the_document_of_the_ended_instance() {
    let script = |_: PartitionId, _: &_| {
        accepted(
            Key(2_251_799_813_685_250),
            of::ProcessInstanceResult::Completed,
            ProcessInstanceResultRecord {
                bpmn_process_id: Text::from("p"),
                process_instance_key: Key(2_251_799_813_685_250),
                variables: Document::from(ringflow_core::json::to_msgpack("{\"a\":1.5}").unwrap()),
                ..ProcessInstanceResultRecord::default()
            },
        )
    };
    let running = start(Fake::new(1, script)).await;
    // The Node client compresses its requests.
    let mut client = running
        .grpc()
        .await
        .send_compressed(CompressionEncoding::Gzip);
    let answer = client
        .create_process_instance_with_result(proto::CreateProcessInstanceWithResultRequest {
            request: Some(proto::CreateProcessInstanceRequest {
                bpmn_process_id: "p".into(),
                version: -1,
                ..proto::CreateProcessInstanceRequest::default()
            }),
            request_timeout: 5000,
            fetch_variables: vec!["a".into()],
        })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(answer.variables, "{\"a\":1.5}");
    assert_eq!(answer.process_instance_key, 2_251_799_813_685_250);
    assert_eq!(answer.tenant_id, "<default>");
    assert_eq!(
        running.fake.last().intent,
        of::ProcessInstanceCreation::CreateWithAwaitingResult.into()
    );
}

#[tokio::test]
async fn the_priority_of_a_job_is_changed() {
    let running = start(Fake::new(1, fake::echo)).await;
    let mut client = running.grpc().await;
    let mut request = proto::UpdateJobPriorityRequest {
        job_key: 2_251_799_813_685_250,
        ..proto::UpdateJobPriorityRequest::default()
    };
    let status = client
        .update_job_priority(request.clone())
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    request.priority = Some(-7);
    client.update_job_priority(request).await.unwrap();
    let command = running.fake.last();
    assert_eq!(command.intent, of::Job::Update.into());
    let Value::Job(sent) = command.value else {
        panic!("another command")
    };
    assert_eq!(sent.priority, -7);
    assert_eq!(sent.changed_attributes, [Text::from("priority")]);
}

#[tokio::test]
async fn topology_shows_partitions_and_the_version() {
    let running = start(Fake::new(2, fake::echo)).await;
    let topology = running
        .grpc()
        .await
        .topology(proto::TopologyRequest {})
        .await
        .unwrap()
        .into_inner();
    assert_eq!(topology.partitions_count, 2);
    assert_eq!(topology.gateway_version, ringflow_gateway::GATEWAY_VERSION);
    assert_eq!(topology.brokers[0].port, 26501);
    assert_eq!(topology.brokers[0].partitions.len(), 2);
}

#[tokio::test]
async fn messages_over_the_limit_are_refused() {
    let running = start(Fake::new(1, fake::echo)).await;
    let status = running
        .grpc()
        .await
        .deploy_resource(proto::DeployResourceRequest {
            resources: vec![proto::Resource {
                name: "a.bpmn".into(),
                content: vec![0; 5 << 20].into(),
            }],
            tenant_id: String::new(),
        })
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert!(running.fake.intents().is_empty());
}

#[tokio::test]
async fn health_is_known_for_the_service_and_for_all() {
    use tonic_health::pb::HealthCheckRequest;
    use tonic_health::pb::health_client::HealthClient;

    let running = start(Fake::new(1, fake::echo)).await;
    let url = format!("http://{}", running.gateway.grpc);
    let channel = tonic::transport::Endpoint::try_from(url).unwrap();
    let mut client = HealthClient::new(channel.connect().await.unwrap());
    for service in ["", "gateway_protocol.Gateway"] {
        let request = HealthCheckRequest {
            service: service.into(),
        };
        let answer = client.check(request).await.unwrap().into_inner();
        assert_eq!(answer.status, 1, "{service:?} is serving");
    }
}
