//! Operations that both protocols have: same command, same rejection.
//!
//! A new operation of both protocols is a new twin; the compiler lists what it needs.

use ringflow_core::ids::{Key, PartitionId};
use ringflow_core::record::{Intent, RejectionType, Value};
use ringflow_gateway::backend::SubmitError;
use serde_json::json;
use tonic::{Code, Status};

use crate::fake::{self, Fake, Running, start};
use crate::proto;

/// A key that partition 2 gave out.
const KEY: i64 = 4_503_599_627_370_503;

/// Operations that both protocols have.
#[derive(Clone, Copy, Debug)]
enum Twin {
    Create,
    Cancel,
    Complete,
    Decide,
    Fail,
    ThrowError,
    Publish,
    Broadcast,
    Evaluate,
    Resolve,
    SetVariables,
    Deploy,
    Delete,
    Modify,
    Migrate,
}

const TWINS: &[Twin] = &[
    Twin::Create,
    Twin::Cancel,
    Twin::Complete,
    Twin::Decide,
    Twin::Fail,
    Twin::ThrowError,
    Twin::Publish,
    Twin::Broadcast,
    Twin::Evaluate,
    Twin::Resolve,
    Twin::SetVariables,
    Twin::Deploy,
    Twin::Delete,
    Twin::Modify,
    Twin::Migrate,
];

async fn by_grpc(running: &Running, twin: Twin) -> Result<(), Status> {
    let mut client = running.grpc().await;
    let variables = r#"{"a":1}"#.to_owned();
    match twin {
        Twin::Create => client
            .create_process_instance(proto::CreateProcessInstanceRequest {
                bpmn_process_id: "p".into(),
                process_definition_key: -1,
                version: -1,
                variables,
                tags: vec!["t".into()],
                operation_reference: Some(9),
                ..proto::CreateProcessInstanceRequest::default()
            })
            .await
            .map(drop),
        Twin::Cancel => client
            .cancel_process_instance(proto::CancelProcessInstanceRequest {
                process_instance_key: KEY,
                operation_reference: None,
            })
            .await
            .map(drop),
        Twin::Complete => client
            .complete_job(proto::CompleteJobRequest {
                job_key: KEY,
                variables,
                ..proto::CompleteJobRequest::default()
            })
            .await
            .map(drop),
        Twin::Fail => client
            .fail_job(proto::FailJobRequest {
                job_key: KEY,
                retries: 2,
                error_message: "m".into(),
                retry_back_off: 5,
                variables,
                job_lease_token: None,
            })
            .await
            .map(drop),
        Twin::ThrowError => client
            .throw_error(proto::ThrowErrorRequest {
                job_key: KEY,
                error_code: "c".into(),
                error_message: "m".into(),
                variables,
                job_lease_token: None,
            })
            .await
            .map(drop),
        Twin::Decide => client
            .complete_job(proto::CompleteJobRequest {
                job_key: KEY,
                result: Some(proto::JobResult {
                    r#type: Some("adHocSubProcess".into()),
                    activate_elements: vec![proto::JobResultActivateElement {
                        element_id: "e".into(),
                        variables,
                    }],
                    is_cancel_remaining_instances: Some(true),
                    ..proto::JobResult::default()
                }),
                ..proto::CompleteJobRequest::default()
            })
            .await
            .map(drop),
        Twin::Evaluate => client
            .evaluate_conditional(proto::EvaluateConditionalRequest {
                tenant_id: String::new(),
                process_definition_key: Some(KEY),
                variables,
            })
            .await
            .map(drop),
        Twin::Publish => client
            .publish_message(proto::PublishMessageRequest {
                name: "n".into(),
                correlation_key: "k".into(),
                time_to_live: 7,
                message_id: "i".into(),
                variables,
                tenant_id: String::new(),
            })
            .await
            .map(drop),
        Twin::Broadcast => client
            .broadcast_signal(proto::BroadcastSignalRequest {
                signal_name: "s".into(),
                variables,
                tenant_id: "<default>".into(),
            })
            .await
            .map(drop),
        Twin::Resolve => client
            .resolve_incident(proto::ResolveIncidentRequest {
                incident_key: KEY,
                operation_reference: None,
            })
            .await
            .map(drop),
        Twin::SetVariables => client
            .set_variables(proto::SetVariablesRequest {
                element_instance_key: KEY,
                variables,
                local: true,
                operation_reference: None,
            })
            .await
            .map(drop),
        Twin::Deploy => client
            .deploy_resource(proto::DeployResourceRequest {
                resources: vec![proto::Resource {
                    name: "a.bpmn".into(),
                    content: b"<x/>".as_slice().into(),
                }],
                tenant_id: String::new(),
            })
            .await
            .map(drop),
        Twin::Delete => client
            .delete_resource(proto::DeleteResourceRequest {
                resource_key: KEY,
                operation_reference: None,
                delete_history: None,
            })
            .await
            .map(drop),
        Twin::Modify => client
            .modify_process_instance(modification())
            .await
            .map(drop),
        Twin::Migrate => client
            .migrate_process_instance(proto::MigrateProcessInstanceRequest {
                process_instance_key: KEY,
                migration_plan: Some(proto::migrate_process_instance_request::MigrationPlan {
                    target_process_definition_key: 8,
                    mapping_instructions: vec![
                        proto::migrate_process_instance_request::MappingInstruction {
                            source_element_id: "a".into(),
                            target_element_id: "b".into(),
                        },
                    ],
                }),
                operation_reference: None,
            })
            .await
            .map(drop),
    }
}

/// Every kind of instruction once.
fn modification() -> proto::ModifyProcessInstanceRequest {
    use proto::modify_process_instance_request::{
        ActivateInstruction, MoveInstruction, TerminateInstruction, VariableInstruction,
    };
    let moved = MoveInstruction {
        target_element_id: "t".into(),
        ..MoveInstruction::default()
    };
    proto::ModifyProcessInstanceRequest {
        process_instance_key: KEY,
        activate_instructions: vec![ActivateInstruction {
            element_id: "e".into(),
            ancestor_element_instance_key: 7,
            variable_instructions: vec![VariableInstruction {
                variables: r#"{"a":1}"#.into(),
                scope_id: "s".into(),
            }],
        }],
        terminate_instructions: vec![
            TerminateInstruction {
                element_instance_key: 8,
                element_id: String::new(),
            },
            TerminateInstruction {
                element_instance_key: 0,
                element_id: "x".into(),
            },
        ],
        operation_reference: Some(3),
        move_instructions: vec![
            MoveInstruction {
                source_element_id: "a".into(),
                infer_ancestor_scope_from_source_hierarchy: true,
                ..moved.clone()
            },
            MoveInstruction {
                source_element_instance_key: 9,
                use_source_parent_key_as_ancestor_scope_key: true,
                ..moved.clone()
            },
            MoveInstruction {
                source_element_id: "b".into(),
                ancestor_element_instance_key: 5,
                ..moved.clone()
            },
            MoveInstruction {
                source_element_id: "c".into(),
                ..moved
            },
        ],
    }
}

async fn by_rest(running: &Running, twin: Twin) -> fake::Http {
    let variables = json!({"a": 1});
    match twin {
        Twin::Create => {
            let body = json!({
                "processDefinitionId": "p", "variables": variables, "tags": ["t"],
                "operationReference": 9,
            });
            running.post("/process-instances", body).await
        }
        Twin::Cancel => {
            let path = format!("/process-instances/{KEY}/cancellation");
            running.rest("POST", &path, "").await
        }
        Twin::Complete => {
            let path = format!("/jobs/{KEY}/completion");
            running.post(&path, json!({"variables": variables})).await
        }
        Twin::Fail => {
            let body = json!({
                "retries": 2, "errorMessage": "m", "retryBackOff": 5, "variables": variables,
            });
            running.post(&format!("/jobs/{KEY}/failure"), body).await
        }
        Twin::ThrowError => {
            let body = json!({"errorCode": "c", "errorMessage": "m", "variables": variables});
            running.post(&format!("/jobs/{KEY}/error"), body).await
        }
        Twin::Publish => {
            let body = json!({
                "name": "n", "correlationKey": "k", "timeToLive": 7, "messageId": "i",
                "variables": variables,
            });
            running.post("/messages/publication", body).await
        }
        Twin::Broadcast => {
            let body = json!({"signalName": "s", "variables": variables});
            running.post("/signals/broadcast", body).await
        }
        Twin::Decide => {
            let body = json!({"result": {
                "type": "adHocSubProcess",
                "activateElements": [{"elementId": "e", "variables": variables}],
                "isCancelRemainingInstances": true,
            }});
            running.post(&format!("/jobs/{KEY}/completion"), body).await
        }
        Twin::Evaluate => {
            let body = json!({
                "processDefinitionKey": KEY.to_string(), "variables": variables,
            });
            running.post("/conditionals/evaluation", body).await
        }
        Twin::Resolve => {
            let path = format!("/incidents/{KEY}/resolution");
            running.rest("POST", &path, "").await
        }
        Twin::SetVariables => {
            let path = format!("/element-instances/{KEY}/variables");
            let body = json!({"variables": variables, "local": true}).to_string();
            running.rest("PUT", &path, &body).await
        }
        Twin::Deploy => {
            let body = "--b\r\nContent-Disposition: form-data; name=\"resources\"; \
                        filename=\"a.bpmn\"\r\n\r\n<x/>\r\n--b--\r\n";
            let url = format!("http://{}/v2/deployments", running.gateway.rest);
            let headers = [("content-type", "multipart/form-data; boundary=b")];
            fake::http("POST", &url, &headers, body.into()).await
        }
        Twin::Delete => {
            let path = format!("/resources/{KEY}/deletion");
            running.rest("POST", &path, "").await
        }
        Twin::Modify => {
            let body = json!({
                "activateInstructions": [{
                    "elementId": "e", "ancestorElementInstanceKey": "7",
                    "variableInstructions": [{"variables": variables, "scopeId": "s"}],
                }],
                "terminateInstructions": [{"elementInstanceKey": "8"}, {"elementId": "x"}],
                "moveInstructions": [
                    {
                        "sourceElementInstruction": {"sourceType": "byId", "sourceElementId": "a"},
                        "targetElementId": "t",
                        "ancestorScopeInstruction": {"ancestorScopeType": "inferred"},
                    },
                    {
                        "sourceElementInstruction": {
                            "sourceType": "byKey", "sourceElementInstanceKey": "9",
                        },
                        "targetElementId": "t",
                        "ancestorScopeInstruction": {"ancestorScopeType": "sourceParent"},
                    },
                    {
                        "sourceElementInstruction": {"sourceType": "byId", "sourceElementId": "b"},
                        "targetElementId": "t",
                        "ancestorScopeInstruction": {
                            "ancestorScopeType": "direct", "ancestorElementInstanceKey": "5",
                        },
                    },
                    {
                        "sourceElementInstruction": {"sourceType": "byId", "sourceElementId": "c"},
                        "targetElementId": "t",
                    },
                ],
                "operationReference": 3,
            });
            let path = format!("/process-instances/{KEY}/modification");
            running.post(&path, body).await
        }
        Twin::Migrate => {
            let body = json!({
                "targetProcessDefinitionKey": "8",
                "mappingInstructions": [{"sourceElementId": "a", "targetElementId": "b"}],
            });
            let path = format!("/process-instances/{KEY}/migration");
            running.post(&path, body).await
        }
    }
}

/// What was sent: partition, key, intent, value, reference.
fn command(running: &Running) -> (PartitionId, Key, Intent, Value, i64) {
    let mut sent = running.fake.sent.lock().unwrap();
    assert_eq!(sent.len(), 1, "one request, one command");
    let (partition, command) = sent.remove(0);
    (
        partition,
        command.key,
        command.intent,
        command.value,
        command.operation_reference,
    )
}

#[tokio::test]
async fn both_protocols_send_the_same_command() {
    for &twin in TWINS {
        let running = start(Fake::new(2, fake::echo)).await;
        by_grpc(&running, twin).await.unwrap();
        let grpc = command(&running);
        let answer = by_rest(&running, twin).await;
        assert!(answer.status < 300, "{twin:?}: {answer:?}");
        let rest = command(&running);
        // Creations take partitions in turn.
        assert_eq!(
            (grpc.1, grpc.2, &grpc.3, grpc.4),
            (rest.1, rest.2, &rest.3, rest.4),
            "{twin:?}"
        );
        match twin {
            Twin::Create | Twin::Broadcast | Twin::Evaluate => {
                assert_ne!(grpc.0, rest.0, "{twin:?}")
            }
            Twin::Deploy | Twin::Delete => {
                assert_eq!((grpc.0.0, rest.0.0), (1, 1), "{twin:?}");
            }
            Twin::Publish => {
                let partition = PartitionId::of_correlation_key("k", 2);
                assert_eq!((grpc.0, rest.0), (partition, partition));
            }
            Twin::Cancel
            | Twin::Complete
            | Twin::Decide
            | Twin::Fail
            | Twin::ThrowError
            | Twin::Resolve
            | Twin::Modify
            | Twin::Migrate
            | Twin::SetVariables => assert_eq!((grpc.0.0, rest.0.0), (2, 2), "{twin:?}"),
        }
        running.gateway.stop().await;
    }
}

#[tokio::test]
async fn both_protocols_say_the_same_about_a_rejection() {
    let kinds = [
        (
            RejectionType::InvalidArgument,
            Code::InvalidArgument,
            400,
            "INVALID_ARGUMENT",
        ),
        (RejectionType::NotFound, Code::NotFound, 404, "NOT_FOUND"),
        (
            RejectionType::AlreadyExists,
            Code::AlreadyExists,
            409,
            "ALREADY_EXISTS",
        ),
        (
            RejectionType::InvalidState,
            Code::FailedPrecondition,
            409,
            "INVALID_STATE",
        ),
        (
            RejectionType::ProcessingError,
            Code::Internal,
            500,
            "INTERNAL",
        ),
        (
            RejectionType::Forbidden,
            Code::PermissionDenied,
            403,
            "FORBIDDEN",
        ),
    ];
    for (kind, code, http, title) in kinds {
        let refuse = move |_: PartitionId, command: &_| fake::refused(command, kind, "why");
        let running = start(Fake::new(2, refuse)).await;
        for &twin in TWINS {
            let status = by_grpc(&running, twin).await.unwrap_err();
            let intent = command(&running).2;
            let text = format!(
                "Command '{}' rejected with code '{}': why",
                intent.name(),
                kind.name()
            );
            assert_eq!(
                (status.code(), status.message()),
                (code, text.as_str()),
                "{twin:?}"
            );
            let problem = by_rest(&running, twin).await.problem();
            assert_eq!(problem.0, http, "{twin:?}");
            assert_eq!((problem.1.as_str(), problem.2), (title, text));
            command(&running);
        }
        running.gateway.stop().await;
    }
}

#[tokio::test]
async fn both_protocols_tell_lost_answers_apart() {
    let unavailable = SubmitError::Unavailable {
        reason: "no leader",
    };
    let cases = [
        (
            SubmitError::Timeout,
            Code::DeadlineExceeded,
            504,
            "DEADLINE_EXCEEDED",
        ),
        (SubmitError::UnknownOutcome, Code::Aborted, 502, "ABORTED"),
        (
            SubmitError::LeadershipLost,
            Code::Unavailable,
            503,
            "UNAVAILABLE",
        ),
        (
            SubmitError::ResourceExhausted,
            Code::ResourceExhausted,
            503,
            "RESOURCE_EXHAUSTED",
        ),
        (unavailable, Code::Unavailable, 503, "UNAVAILABLE"),
    ];
    for (error, code, http, title) in cases {
        let running = start(Fake::new(2, move |_, _| Err(error))).await;
        for &twin in TWINS {
            let status = by_grpc(&running, twin).await.unwrap_err();
            assert_eq!(status.code(), code, "{twin:?} {error:?}");
            let problem = by_rest(&running, twin).await.problem();
            assert_eq!(
                (problem.0, problem.1.as_str()),
                (http, title),
                "{twin:?} {error:?}"
            );
        }
        running.gateway.stop().await;
    }
}

#[tokio::test]
async fn a_creation_goes_to_the_next_partition_only_if_nothing_happened() {
    let refuse_first = |partition: PartitionId, command: &_| match partition.0 {
        1 => Err(SubmitError::ResourceExhausted),
        2 => Err(SubmitError::Unavailable { reason: "starting" }),
        _ => fake::echo(partition, command),
    };
    let running = start(Fake::new(3, refuse_first)).await;
    by_grpc(&running, Twin::Create).await.unwrap();
    let tried: Vec<u16> = running.fake.intents().iter().map(|sent| sent.0).collect();
    assert_eq!(tried, [1, 2, 3]);

    let running = start(Fake::new(3, |_, _| Err(SubmitError::ResourceExhausted))).await;
    let status = by_grpc(&running, Twin::Create).await.unwrap_err();
    assert!(
        status.message().starts_with(
            "Expected to execute the command on one of the partitions, but all failed"
        )
    );
    assert_eq!(running.fake.intents().len(), 3);
    let problem = by_rest(&running, Twin::Create).await.problem();
    assert_eq!(
        problem.2,
        "Expected to handle request, but all retries have been exhausted"
    );

    let running = start(Fake::new(3, |_, _| Err(SubmitError::UnknownOutcome))).await;
    by_grpc(&running, Twin::Create).await.unwrap_err();
    assert_eq!(running.fake.intents().len(), 1, "it may have taken effect");
}
