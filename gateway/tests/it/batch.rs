//! Clock, expressions and batch operations over REST.

use ringflow_core::engine::input::Command;
use ringflow_core::ids::{Key, PartitionId, Timestamp};
use ringflow_core::json as text;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::{
    BatchOperationCreationRecord, BatchOperationType, ClockRecord, ExpressionRecord,
    HistoryDeletionType,
};
use ringflow_core::record::{Intent, RawValue, RejectionType, Value};
use ringflow_gateway::backend::{Cell, Entity, Filter, Row};
use serde_json::json;

use crate::fake::{self, Fake, accepted, refused, start};

#[tokio::test]
async fn the_clock_is_pinned_and_reset_on_the_first_partition() {
    let running = start(Fake::new(3, fake::echo)).await;
    let pinned = running
        .rest("PUT", "/clock", r#"{"timestamp":1767225600000}"#)
        .await;
    assert_eq!((pinned.status, pinned.text.as_str()), (204, ""));
    let command = running.fake.last();
    assert_eq!(command.intent, Intent::from(of::Clock::Pin));
    assert_eq!(
        command.value,
        Value::from(ClockRecord {
            time: Timestamp(1_767_225_600_000)
        })
    );
    assert_eq!(running.rest("POST", "/clock/reset", "").await.status, 204);
    assert_eq!(
        running.fake.intents(),
        [(1, of::Clock::Pin.into()), (1, of::Clock::Reset.into())]
    );
    let refused = running.rest("PUT", "/clock", r#"{"timestamp":-1}"#).await;
    let (status, _, detail) = refused.problem();
    assert_eq!(status, 400);
    assert_eq!(
        detail,
        "The value for timestamp is '-1' but must be not negative."
    );
    assert_eq!(running.fake.intents().len(), 2);
    running.gateway.stop().await;
}

#[tokio::test]
async fn an_expression_is_evaluated_where_its_scope_is() {
    let script = |_, command: &Command| {
        let Value::Expression(asked) = &command.value else {
            panic!("another command")
        };
        accepted(
            Key::new(PartitionId(2), 9),
            of::Expression::Evaluated,
            ExpressionRecord {
                result_value: RawValue::from(text::to_msgpack(r#"{"a":[1,null]}"#).unwrap()),
                warnings: vec!["a was missing".into()],
                ..ExpressionRecord::clone(asked)
            },
        )
    };
    let running = start(Fake::new(3, script)).await;
    let scope = Key::new(PartitionId(2), 8);
    let answer = running
        .post(
            "/expression/evaluation",
            json!({"expression": "=a", "scopeKey": scope.0.to_string(), "variables": {"x": 1}}),
        )
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(
        answer.json(),
        json!({
            "expression": "=a",
            "result": {"a": [1, null]},
            "warnings": [{"message": "a was missing"}],
        })
    );
    assert_eq!(
        running.fake.intents(),
        [(2, of::Expression::Evaluate.into())]
    );
    running.gateway.stop().await;
}

/// Accepts new operations under key 77 of partition 2 and echoes everything else.
fn creates(partition: PartitionId, command: &Command) -> fake::Answer {
    let Value::BatchOperationCreation(asked) = &command.value else {
        return fake::echo(partition, command);
    };
    let key = Key::new(PartitionId(2), 77);
    let record = BatchOperationCreationRecord {
        batch_operation_key: key,
        ..BatchOperationCreationRecord::clone(asked)
    };
    accepted(key, of::BatchOperationCreation::Created, record)
}

#[tokio::test]
async fn operations_are_created_with_the_filter_of_the_contract() {
    let running = start(Fake::new(3, creates)).await;
    let cases = [
        (
            "/process-instances/cancellation",
            BatchOperationType::CancelProcessInstance,
        ),
        (
            "/process-instances/incident-resolution",
            BatchOperationType::ResolveIncident,
        ),
        (
            "/process-instances/deletion",
            BatchOperationType::DeleteProcessInstance,
        ),
    ];
    for (path, kind) in cases {
        let filter = json!({"processDefinitionId": {"$like": "a*"}, "hasIncident": true});
        let answer = running.post(path, json!({"filter": filter})).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(
            answer.json(),
            json!({
                "batchOperationKey": Key::new(PartitionId(2), 77).0.to_string(),
                "batchOperationType": kind.name(),
            })
        );
        let Value::BatchOperationCreation(sent) = running.fake.last().value else {
            panic!("another command")
        };
        assert_eq!(sent.batch_operation_type, kind);
        let stored = Filter::from_text(&sent.entity_filter).unwrap();
        running
            .post("/process-instances/search", json!({"filter": filter}))
            .await;
        let searched = running.reads.queries.lock().unwrap().pop().unwrap().filter;
        assert_eq!(searched, Filter::All(vec![stored]));
        let empty = running.post(path, json!({"filter": {}})).await.problem();
        assert_eq!(empty.0, 400);
        assert_eq!(empty.2, "At least one of filter criteria is required.");
        assert_eq!(running.post(path, json!({})).await.status, 400);
    }
    assert_eq!(running.fake.intents().len(), 3);
    running.gateway.stop().await;
}

#[tokio::test]
async fn decision_instances_are_deleted_alone_and_by_filter() {
    let running = start(Fake::new(2, creates)).await;
    let filter = json!({"decisionDefinitionId": "d", "state": "EVALUATED"});
    let path = "/decision-instances/deletion";
    let answer = running.post(path, json!({"filter": filter})).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(
        answer.json()["batchOperationType"],
        "DELETE_DECISION_INSTANCE"
    );
    let Value::BatchOperationCreation(sent) = running.fake.last().value else {
        panic!("another command")
    };
    let stored = Filter::from_text(&sent.entity_filter).unwrap();
    running
        .post("/decision-instances/search", json!({"filter": filter}))
        .await;
    let searched = running.reads.queries.lock().unwrap().pop().unwrap();
    assert_eq!(searched.entity, Entity::DecisionInstance);
    assert_eq!(searched.filter, Filter::All(vec![stored]));
    let empty = running.post(path, json!({"filter": {}})).await.problem();
    assert_eq!(
        (empty.0, empty.2.as_str()),
        (400, "At least one of filter criteria is required.")
    );

    let key = Key::new(PartitionId(2), 5);
    let path = format!("/decision-instances/{}/deletion", key.0);
    let missing = running.post(&path, json!({})).await.problem();
    assert_eq!(
        (missing.0, missing.2),
        (
            404,
            format!("Decision Instance with key '{}' not found", key.0)
        )
    );
    running.reads.page.lock().unwrap().items = vec![Row(vec![
        ("decisionDefinitionId", Cell::Text("d".into())),
        ("tenantId", Cell::Text("<default>".into())),
    ])];
    let reference = json!({"operationReference": 8});
    assert_eq!(running.post(&path, reference).await.status, 204);
    let command = running.fake.last();
    assert_eq!(command.key, key);
    assert_eq!(command.operation_reference, 8);
    let Value::HistoryDeletion(sent) = command.value else {
        panic!("another command")
    };
    assert_eq!(sent.resource_key, key);
    assert_eq!(sent.resource_type, HistoryDeletionType::DecisionInstance);
    assert_eq!(sent.decision_definition_id.as_str(), "d");
    running.gateway.stop().await;
}

#[tokio::test]
async fn plans_go_with_the_operation() {
    let running = start(Fake::new(1, creates)).await;
    let update = json!({"filter": {"type": "work"}, "changeset": {"priority": 7, "retries": 2}});
    let answer = running.post("/jobs/batch-update", update).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["batchOperationType"], "UPDATE_JOB");
    let Value::BatchOperationCreation(sent) = running.fake.last().value else {
        panic!("another command")
    };
    let plan = &sent.job_update_plan;
    assert_eq!((plan.priority, plan.retries), (7, 2));
    let names: Vec<&str> = plan
        .changed_attributes
        .iter()
        .map(|it| it.as_str())
        .collect();
    assert_eq!(names, ["retries", "priority"]);
    let nothing = json!({"filter": {"type": "work"}, "changeset": {}});
    let refused = running.post("/jobs/batch-update", nothing).await.problem();
    assert_eq!(
        (refused.0, refused.2.as_str()),
        (
            400,
            "At least one of [retries, timeout, priority] is required."
        )
    );
    let filter = json!({"processDefinitionId": "a"});
    let mapping = json!([{"sourceElementId": "s", "targetElementId": "t"}]);
    let answer = running
        .post(
            "/process-instances/migration",
            json!({
                "filter": filter,
                "migrationPlan": {
                    "targetProcessDefinitionKey": "12",
                    "mappingInstructions": mapping,
                },
            }),
        )
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let Value::BatchOperationCreation(sent) = running.fake.last().value else {
        panic!("another command")
    };
    assert_eq!(
        sent.batch_operation_type,
        BatchOperationType::MigrateProcessInstance
    );
    assert_eq!(sent.migration_plan.target_process_definition_key, Key(12));
    assert_eq!(
        sent.migration_plan.mapping_instructions[0].target_element_id,
        *"t"
    );
    let answer = running
        .post(
            "/process-instances/modification",
            json!({"filter": filter, "moveInstructions": mapping}),
        )
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let Value::BatchOperationCreation(sent) = running.fake.last().value else {
        panic!("another command")
    };
    assert_eq!(
        sent.batch_operation_type,
        BatchOperationType::ModifyProcessInstance
    );
    let moved = &sent.modification_plan.move_instructions[0];
    assert_eq!(moved.source_element_id, *"s");
    assert!(moved.infer_ancestor_scope);
    running.gateway.stop().await;
}

#[tokio::test]
async fn the_leading_partition_is_told_to_manage_an_operation() {
    let key = Key::new(PartitionId(3), 5);
    let running = start(Fake::new(3, fake::echo)).await;
    for (path, intent) in [
        (
            "cancellation",
            of::BatchOperationLifecycleManagement::Cancel,
        ),
        ("suspension", of::BatchOperationLifecycleManagement::Suspend),
        ("resumption", of::BatchOperationLifecycleManagement::Resume),
    ] {
        let path = format!("/batch-operations/{}/{path}", key.0);
        assert_eq!(running.rest("POST", &path, "").await.status, 204);
        let command = running.fake.last();
        assert_eq!((command.key, command.intent), (key, intent.into()));
    }
    assert!(running.fake.intents().iter().all(|(to, _)| *to == 3));
    running.gateway.stop().await;
}

#[tokio::test]
async fn history_is_deleted_of_instances_that_are_known_and_over() {
    let key = Key::new(PartitionId(2), 5);
    let script =
        |_, command: &Command| refused(command, RejectionType::InvalidState, "it is still active");
    let running = start(Fake::new(2, script)).await;
    let path = format!("/process-instances/{}/deletion", key.0);
    let (status, _, detail) = running.post(&path, json!({})).await.problem();
    assert_eq!(status, 404);
    assert_eq!(
        detail,
        format!("Process Instance with key '{}' not found", key.0)
    );
    *running.reads.row.lock().unwrap() = Some(Row(vec![
        ("processDefinitionId", Cell::Text("p".into())),
        ("tenantId", Cell::Text("<default>".into())),
    ]));
    assert_eq!(running.post(&path, json!({})).await.status, 409);
    assert_eq!(
        running.fake.intents(),
        [(2, of::HistoryDeletion::Delete.into())]
    );
    let Value::HistoryDeletion(sent) = running.fake.last().value else {
        panic!("another command")
    };
    assert_eq!((sent.resource_key, sent.process_id.as_str()), (key, "p"));
    running.gateway.stop().await;
}

#[tokio::test]
async fn operations_are_shown_with_their_errors() {
    let running = start(Fake::new(1, fake::echo)).await;
    *running.reads.row.lock().unwrap() = Some(Row(vec![
        ("batchOperationKey", Cell::Text("9".into())),
        ("state", Cell::Text("PARTIALLY_COMPLETED".into())),
        (
            "batchOperationType",
            Cell::Text("CANCEL_PROCESS_INSTANCE".into()),
        ),
        ("operationsTotalCount", Cell::Int(3)),
        ("operationsFailedCount", Cell::Int(1)),
        ("operationsCompletedCount", Cell::Int(2)),
        (
            "errors",
            Cell::Json(r#"[{"partitionId":2,"type":"QUERY_FAILED","message":"m"}]"#.into()),
        ),
    ]));
    let answer = running.rest("GET", "/batch-operations/9", "").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let shown = answer.json();
    assert_eq!(shown["operationsTotalCount"], 3);
    assert_eq!(shown["errors"][0]["partitionId"], 2);
    for path in ["/batch-operations/search", "/batch-operation-items/search"] {
        let found = running
            .post(
                path,
                json!({"filter": {"batchOperationKey": "9", "state": "FAILED"}}),
            )
            .await;
        assert_eq!(found.status, 200, "{found:?}");
    }
    let asked: Vec<Entity> = {
        let queries = running.reads.queries.lock().unwrap();
        queries.iter().map(|query| query.entity).collect()
    };
    assert_eq!(asked, [Entity::BatchOperation, Entity::BatchOperationItem]);
    running.gateway.stop().await;
}

#[tokio::test]
async fn a_business_id_decides_the_partition_and_can_be_given_later() {
    let running = start(Fake::new(3, fake::echo)).await;
    let create = |id: &str| json!({"processDefinitionId": "p", "businessId": id});
    for id in ["order-1", "order-2", "order-1"] {
        running.post("/process-instances", create(id)).await;
    }
    let partitions: Vec<u16> = running.fake.intents().iter().map(|(to, _)| *to).collect();
    let expected = |id: &str| PartitionId::of_correlation_key(id, 3).0;
    assert_eq!(
        partitions,
        [
            expected("order-1"),
            expected("order-2"),
            expected("order-1")
        ]
    );

    let key = Key::new(PartitionId(2), 5);
    let path = format!("/process-instances/{}/business-id-assignment", key.0);
    let answer = running.post(&path, json!({"businessId": "order-1"})).await;
    assert_eq!(answer.status, 204, "{answer:?}");
    let command = running.fake.last();
    assert_eq!(command.key, key);
    let Value::ProcessInstanceBusinessId(sent) = command.value else {
        panic!("another command")
    };
    assert_eq!(sent.business_id.as_str(), "order-1");
    let (status, _, detail) = running.post(&path, json!({})).await.problem();
    assert_eq!((status, detail.as_str()), (400, "No businessId provided."));
    running.gateway.stop().await;
}
