//! Who may do what, over every operation that is served, on both protocols; and tenants by name.
//!
//! The engine decides about commands: here it refuses everybody whose claims a command carries, so
//! a command that loses them would be accepted. Reads are decided by the gateway: without a right a
//! search finds nothing and everything else is forbidden. Requests are made from the contract.

use ringflow_core::engine::input::Command;
use ringflow_core::ids::PartitionId;
use ringflow_core::record::value::{PermissionType, ResourceType, TenantFilter};
use ringflow_core::record::{RejectionType, Text, Value as RecordValue};
use ringflow_gateway::backend::{Cell, ElementStatistics, Page, Row};
use ringflow_gateway::{Auth, Guards, Limits, User};
use serde_json::{Map, Value, json};
use tonic::metadata::MetadataValue;
use tonic::{Code, Request};

use crate::contract::{Contract, url};
use crate::contract_details::merged;
use crate::fake::{self, Answer, Fake, Http, Running, http, refused, start_guarded};
use crate::proto;

/// `demo:demo`.
const DEMO: &str = "Basic ZGVtbzpkZW1v";

/// Served to everybody who is known, or to everybody at all.
const FREE: [&str; 7] = [
    "getTopology",
    "getStatus",
    "getLicense",
    "getAuthentication",
    "getSystemConfiguration",
    "createAdminUser",
    "searchOwnAuthorizations",
];

/// The engine of somebody without rights.
fn deny(_partition: PartitionId, command: &Command) -> Answer {
    let anonymous = "{\"authorized_anonymous_user\":true}";
    let mut claims = String::new();
    ringflow_core::json::from_msgpack(command.authorization.as_bytes(), &mut claims).unwrap();
    if claims == "{}" || claims == anonymous {
        return fake::echo(PartitionId(1), command);
    }
    refused(command, RejectionType::Forbidden, "no")
}

async fn guarded(fake: std::sync::Arc<Fake>, guards: Guards) -> Running {
    let demo = User {
        name: "demo".into(),
        display_name: "Demo".into(),
        email: "demo@example.com".into(),
        password: "demo".into(),
    };
    let auth = Auth::Basic(vec![demo]);
    start_guarded(fake, auth, guards, Limits::default()).await
}

const AUTHORIZATIONS: Guards = Guards {
    authorizations: true,
    tenancy: false,
};

/// A storage in which everything is found.
fn fill(running: &Running) {
    let row = Row(vec![
        ("processInstanceKey", Cell::Key(7)),
        ("processDefinitionKey", Cell::Key(7)),
        ("processDefinitionId", Cell::Text("order".into())),
        ("formKey", Cell::Key(7)),
        ("elementInstanceKey", Cell::Key(7)),
    ]);
    *running.reads.row.lock().unwrap() = Some(row.clone());
    *running.reads.xml.lock().unwrap() = Some("<definitions/>".into());
    *running.reads.page.lock().unwrap() = Page {
        items: vec![row],
        total: 1,
        ..Page::default()
    };
    *running.reads.elements.lock().unwrap() = vec![ElementStatistics {
        element_id: "task".into(),
        active: 1,
        canceled: 2,
        incidents: 3,
        completed: 4,
    }];
}

/// Everything is allowed.
fn allow_everything(running: &Running) {
    let permissions = PermissionType::ALL.iter();
    let permissions = permissions.map(|it| Cell::Text(it.name().to_owned()));
    let permissions = Cell::List(permissions.collect());
    let rows = ResourceType::ALL.iter().map(|resource| {
        Row(vec![
            ("resourceType", Cell::Text(resource.name().to_owned())),
            ("permissionTypes", permissions.clone()),
            ("resourceMatcher", Cell::Text("ANY".into())),
        ])
    });
    running.reads.rights.lock().unwrap().items = rows.collect();
}

/// Something that fits a schema, with no more than it requires.
fn example(contract: &Contract, schema: &Value) -> Value {
    let schema = merged(contract, schema);
    if let Some(first) = schema.pointer("/oneOf/0") {
        return example(contract, first);
    }
    if let Some(first) = schema.pointer("/enum/0") {
        return first.clone();
    }
    let mut object = Map::new();
    for name in schema["required"].as_array().into_iter().flatten() {
        let name = name.as_str().unwrap();
        let member = &schema["properties"][name];
        object.insert(name.to_owned(), example(contract, member));
    }
    match schema["type"].as_str() {
        Some("string") if schema["format"] == "date-time" => json!("2025-01-01T00:00:00Z"),
        Some("string") if schema["format"] == "email" => json!("a@b.de"),
        Some("string") => json!("1"),
        Some("integer" | "number") => json!(1),
        Some("boolean") => json!(false),
        Some("array") if schema["items"].is_object() => {
            json!([example(contract, &schema["items"])])
        }
        Some("array") => json!([]),
        Some(_) | None => Value::Object(object),
    }
}

/// Bodies with more than the schema alone says.
fn body(contract: &Contract, operation: &Value) -> Option<Value> {
    let id = operation["id"].as_str().unwrap();
    let filter = json!({"processInstanceKey": "7"});
    let span = json!({"from": "2025-01-01T00:00:00Z", "to": "2025-01-02T00:00:00Z"});
    Some(match id {
        "assignUserTask" => json!({"assignee": "a"}),
        "evaluateDecision" => json!({"decisionDefinitionId": "d"}),
        "createElementInstanceVariables" | "evaluateConditionals" => {
            json!({"variables": {"a": 1}})
        }
        "updateJobsBatchOperation" => {
            json!({"filter": {"processDefinitionId": "a"}, "changeset": {"retries": 1}})
        }
        "updateUserTask" => json!({"changeset": {"priority": 5}}),
        "updateJob" => json!({"changeset": {"retries": 5}}),
        "updateUser" | "createUser" => json!({
            "username": "u", "password": "p", "name": "n", "email": "a@b.de",
        })
        .as_object()
        .map(|all| {
            let kept = all
                .iter()
                .filter(|(name, _)| id == "createUser" || *name != "username");
            kept.map(|(name, value)| (name.clone(), value.clone()))
                .collect()
        })
        .map(Value::Object)?,
        "createProcessInstance" => json!({"processDefinitionId": "p"}),
        "createAgentInstance" => json!({
            "elementInstanceKey": "2251799813685249",
            "definition": {"model": "m", "provider": "p", "systemPrompt": "s"},
        }),
        "createAgentInstanceHistoryItem" => json!({
            "elementInstanceKey": "7", "jobKey": "7", "jobLease": "a", "role": "USER",
            "producedAt": "2025-01-01T00:00:00Z",
            "content": [{"contentType": "TEXT", "text": "hello"}],
        }),
        "createAuthorization" | "updateAuthorization" => json!({
            "ownerType": "USER", "ownerId": "u", "resourceType": "MESSAGE", "resourceId": "*",
            "permissionTypes": ["CREATE"],
        }),
        "modifyProcessInstancesBatchOperation" => json!({
            "filter": filter,
            "moveInstructions": [{"sourceElementId": "a", "targetElementId": "b"}],
        }),
        "migrateProcessInstancesBatchOperation" => json!({
            "filter": filter,
            "migrationPlan": {
                "targetProcessDefinitionKey": "7",
                "mappingInstructions": [{"sourceElementId": "a", "targetElementId": "b"}],
            },
        }),
        "deleteProcessInstance" | "deleteDecisionInstance" => return None,
        _ if id.ends_with("sBatchOperation") => json!({"filter": filter}),
        "getJobWorkerStatistics" | "getJobTimeSeriesStatistics" | "getJobErrorStatistics" => {
            let mut filter = span;
            filter["jobType"] = json!("pack");
            json!({"filter": filter})
        }
        _ => {
            let body = &operation["body"];
            if body["media"] != "application/json" {
                return None;
            }
            example(contract, &body["schema"])
        }
    })
}

async fn send(running: &Running, contract: &Contract, operation: &Value) -> Http {
    let method = operation["method"].as_str().unwrap();
    // A key of the one partition that there is.
    let key = if operation["id"] == "getDecisionInstance" {
        "2251799813685249-1"
    } else {
        "2251799813685249"
    };
    let mut target = url(running, operation, key);
    let mut query = Vec::new();
    for parameter in operation["params"].as_array().into_iter().flatten() {
        if parameter["in"] == "query" && parameter["required"] == true {
            let name = parameter["name"].as_str().unwrap();
            let value = match name {
                "mode" => "PROCESSING",
                "endTime" | "to" => "2025-01-02T00:00:00Z",
                _ => "2025-01-01T00:00:00Z",
            };
            query.push(format!("{name}={value}"));
        }
    }
    if !query.is_empty() {
        target = format!("{target}?{}", query.join("&"));
    }
    if operation["body"]["media"] == "multipart/form-data" {
        let name = match operation["id"].as_str() {
            Some("createDeployment") => "resources",
            Some("createDocuments") => "files",
            Some(_) | None => "file",
        };
        let part = format!(
            "--x\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"f\"\r\n\
             Content-Type: text/plain\r\n\r\ntext\r\n--x--\r\n"
        );
        let media = ("content-type", "multipart/form-data; boundary=x");
        let headers = [("authorization", DEMO), media];
        return http(method, &target, &headers, part.into_bytes()).await;
    }
    let text = body(contract, operation).map_or(String::new(), |body| body.to_string());
    let mut headers = vec![("authorization", DEMO)];
    if !text.is_empty() {
        headers.push(("content-type", "application/json"));
    }
    http(method, &target, &headers, text.into_bytes()).await
}

#[tokio::test]
async fn without_rights_rest_gives_no_data_and_takes_no_command() {
    let contract = Contract::load();
    let running = guarded(Fake::new(1, deny), AUTHORIZATIONS).await;
    fill(&running);
    let (mut served, mut faults) = (0, Vec::new());
    for operation in &contract.operations {
        let id = operation["id"].as_str().unwrap();
        if FREE.contains(&id) {
            continue;
        }
        let answer = send(&running, &contract, operation).await;
        if answer.status == 501 && answer.text.contains(&format!("The operation {id} ")) {
            continue;
        }
        served += 1;
        let empty = answer.status == 200
            && (answer.json()["items"] == json!([]) || answer.json()["created"]["count"] == 0);
        if answer.status != 403 && !empty {
            faults.push(format!("{id}: {} {}", answer.status, answer.text));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
    assert!(served > 120, "{served} served");
}

#[tokio::test]
async fn with_all_rights_rest_refuses_nothing() {
    let contract = Contract::load();
    let running = guarded(Fake::new(1, fake::echo), AUTHORIZATIONS).await;
    allow_everything(&running);
    fill(&running);
    let mut faults = Vec::new();
    for operation in &contract.operations {
        let answer = send(&running, &contract, operation).await;
        if [400, 401, 403].contains(&answer.status) && operation["id"] != "getDocument" {
            let id = &operation["id"];
            let unserved = answer.status == 400 && !answer.text.contains("INVALID");
            // What is not configured is refused with its own reason.
            let right = answer.text.contains("Unauthorized to perform operation");
            if !unserved && (answer.status != 403 || right) {
                faults.push(format!("{id}: {} {}", answer.status, answer.text));
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

fn with<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    let credentials = MetadataValue::from_static(DEMO);
    request.metadata_mut().insert("authorization", credentials);
    request
}

/// Codes of all RPCs that command something.
async fn codes(running: &Running) -> Vec<(&'static str, Code)> {
    let mut client = running.grpc().await;
    let mut codes = Vec::new();
    macro_rules! call {
        ($($rpc:ident $message:ident { $($field:ident: $value:expr),* })+) => {$(
            let message = proto::$message {
                $($field: $value,)*
                ..proto::$message::default()
            };
            let code = match client.$rpc(with(message)).await {
                Ok(_) => Code::Ok,
                Err(status) => status.code(),
            };
            codes.push((stringify!($rpc), code));
        )+};
    }
    let file = || proto::Resource {
        name: "p.bpmn".into(),
        content: b"x".as_slice().into(),
    };
    let key = 1 << 51;
    call! {
        create_process_instance CreateProcessInstanceRequest { bpmn_process_id: "p".into() }
        cancel_process_instance CancelProcessInstanceRequest { process_instance_key: key }
        modify_process_instance ModifyProcessInstanceRequest { process_instance_key: key }
        complete_job CompleteJobRequest { job_key: key }
        fail_job FailJobRequest { job_key: key }
        throw_error ThrowErrorRequest { job_key: key }
        update_job_retries UpdateJobRetriesRequest { job_key: key, retries: 1 }
        update_job_timeout UpdateJobTimeoutRequest { job_key: key, timeout: 1 }
        deploy_resource DeployResourceRequest { resources: vec![file()] }
        delete_resource DeleteResourceRequest { resource_key: key }
        publish_message PublishMessageRequest { name: "m".into() }
        broadcast_signal BroadcastSignalRequest { signal_name: "s".into() }
        resolve_incident ResolveIncidentRequest { incident_key: key }
        set_variables SetVariablesRequest { element_instance_key: key, variables: "{}".into() }
        evaluate_decision EvaluateDecisionRequest { decision_id: "d".into() }
        evaluate_conditional EvaluateConditionalRequest { variables: "{}".into() }
        migrate_process_instance MigrateProcessInstanceRequest {
            process_instance_key: key,
            migration_plan: Some(proto::migrate_process_instance_request::MigrationPlan {
                target_process_definition_key: key,
                ..Default::default()
            })
        }
    }
    let jobs = proto::ActivateJobsRequest {
        r#type: "t".into(),
        timeout: 1,
        max_jobs_to_activate: 1,
        request_timeout: -1,
        ..proto::ActivateJobsRequest::default()
    };
    let mut batches = client.activate_jobs(with(jobs)).await.unwrap().into_inner();
    let code = batches
        .message()
        .await
        .map_or_else(|it| it.code(), |_| Code::Ok);
    codes.push(("activate_jobs", code));
    codes
}

#[tokio::test]
async fn grpc_takes_commands_of_those_who_may_give_them() {
    let running = guarded(Fake::new(1, deny), AUTHORIZATIONS).await;
    for (rpc, code) in codes(&running).await {
        assert_eq!(code, Code::PermissionDenied, "{rpc}");
    }
    let running = guarded(Fake::new(1, fake::echo), AUTHORIZATIONS).await;
    for (rpc, code) in codes(&running).await {
        let refused = [Code::PermissionDenied, Code::Unauthenticated];
        assert!(!refused.contains(&code), "{rpc}: {code:?}");
    }
}

const TENANCY: Guards = Guards {
    authorizations: false,
    tenancy: true,
};

#[tokio::test]
async fn jobs_are_taken_for_named_tenants_or_for_all_of_the_caller() {
    let running = guarded(Fake::new(1, fake::echo), TENANCY).await;
    let mut client = running.grpc().await;
    let base = format!("http://{}/v2/jobs/activation", running.gateway.rest);
    let headers = [
        ("authorization", DEMO),
        ("content-type", "application/json"),
    ];
    type Ids = &'static [&'static str];
    let cases: [(Ids, bool, Option<Ids>); 4] = [
        (&["red", "blue"], false, Some(&["red", "blue"])),
        (&["red"], true, Some(&[])),
        (&[], true, Some(&[])),
        (&[], false, None),
    ];
    for (ids, assigned, sent) in cases {
        let filter = if assigned { "ASSIGNED" } else { "PROVIDED" };
        let body = json!({
            "type": "t", "timeout": 1, "maxJobsToActivate": 1, "requestTimeout": -1,
            "tenantIds": ids, "tenantFilter": filter,
        });
        let answer = http("POST", &base, &headers, body.to_string().into_bytes()).await;
        let request = proto::ActivateJobsRequest {
            r#type: "t".into(),
            timeout: 1,
            max_jobs_to_activate: 1,
            request_timeout: -1,
            tenant_ids: ids.iter().map(|id| (*id).to_owned()).collect(),
            tenant_filter: i32::from(assigned),
            ..proto::ActivateJobsRequest::default()
        };
        let by_grpc = client.activate_jobs(with(request)).await;
        let Some(sent) = sent else {
            assert_eq!(
                answer.problem().2,
                "Expected to handle request Activate Jobs with multi-tenancy enabled, but no \
                 tenant identifier was provided."
            );
            assert_eq!(by_grpc.unwrap_err().code(), Code::InvalidArgument);
            continue;
        };
        assert_eq!(answer.status, 200, "{answer:?}");
        by_grpc.unwrap().into_inner().message().await.unwrap();
        let commands = std::mem::take(&mut *running.fake.sent.lock().unwrap());
        assert_eq!(commands.len(), 2);
        for (_, command) in commands {
            let RecordValue::JobBatch(batch) = command.value else {
                panic!("another command");
            };
            let tenants: Vec<&str> = batch.tenant_ids.iter().map(Text::as_str).collect();
            assert_eq!(tenants, sent);
            assert_eq!(batch.tenant_filter == TenantFilter::Assigned, assigned);
        }
    }
}

#[tokio::test]
async fn streams_and_commands_carry_the_tenant() {
    let running = guarded(Fake::new(1, fake::echo), TENANCY).await;
    let mut client = running.grpc().await;
    let request = |ids: &[&str], assigned: bool| {
        with(proto::StreamActivatedJobsRequest {
            r#type: "t".into(),
            timeout: 1,
            tenant_ids: ids.iter().map(|id| (*id).to_owned()).collect(),
            tenant_filter: i32::from(assigned),
            ..proto::StreamActivatedJobsRequest::default()
        })
    };
    let refused = client.stream_activated_jobs(request(&[], false)).await;
    assert_eq!(refused.unwrap_err().code(), Code::InvalidArgument);
    let _named = client.stream_activated_jobs(request(&["red"], false)).await;
    // The caller is a member of one.
    running.reads.page.lock().unwrap().items =
        vec![Row(vec![("containerId", Cell::Text("blue".into()))])];
    let _own = client.stream_activated_jobs(request(&[], true)).await;
    let opened: Vec<Vec<Text>> = running
        .fake
        .streams
        .lock()
        .unwrap()
        .iter()
        .map(|(spec, _)| spec.tenant_ids.clone())
        .collect();
    assert_eq!(opened, [[Text::from("red")], [Text::from("blue")]]);

    let message = |tenant: &str| {
        with(proto::PublishMessageRequest {
            name: "m".into(),
            tenant_id: tenant.into(),
            ..proto::PublishMessageRequest::default()
        })
    };
    client.publish_message(message("red")).await.unwrap();
    let RecordValue::Message(sent) = running.fake.last().value else {
        panic!("another command");
    };
    assert_eq!(sent.tenant_id.as_str(), "red");
    let refused = client.publish_message(message("")).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert!(
        refused
            .message()
            .contains("no tenant identifier was provided")
    );
}
