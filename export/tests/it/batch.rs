//! Batch operations and deleted history, from their records to searches and to their end.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ringflow_core::ids::{Key, PartitionId};
use ringflow_core::record::intent::of;
use ringflow_core::record::value::*;
use ringflow_core::record::{RecordType, Rejection, RejectionType};
use ringflow_export::{
    Cell, Entity, Exporter, Filter, Literal, Op, Queries, QueriesOptions, Query, RetainOptions, Row,
};

use super::database::{Db, block_on};
use super::export::{export, feed, options, wait};
use super::records::{Scenario, definition};
use super::search::{is, op, text};

fn item(key: Key) -> Arc<BatchOperationItem> {
    Arc::new(BatchOperationItem {
        item_key: key,
        process_instance_key: key,
        root_process_instance_key: key,
    })
}

fn management(
    key: Key,
    errors: Vec<Arc<BatchOperationError>>,
) -> BatchOperationLifecycleManagementRecord {
    BatchOperationLifecycleManagementRecord {
        batch_operation_key: key,
        errors,
    }
}

/// An operation on the given items, all found.
pub(crate) fn operation(s: &mut Scenario, items: &[Key]) -> Key {
    let key = s.key();
    created(s, key);
    let chunk = BatchOperationChunkRecord {
        batch_operation_key: key,
        items: items.iter().copied().map(item).collect(),
        ..BatchOperationChunkRecord::default()
    };
    let chunk_key = s.key();
    s.event(chunk_key, of::BatchOperationChunk::Created, chunk);
    s.event(
        key,
        of::BatchOperationInitialization::Initialized,
        BatchOperationInitializationRecord {
            batch_operation_key: key,
            ..BatchOperationInitializationRecord::default()
        },
    );
    key
}

fn created(s: &mut Scenario, key: Key) {
    s.event(
        key,
        of::BatchOperationCreation::Created,
        BatchOperationCreationRecord {
            batch_operation_key: key,
            ..BatchOperationCreationRecord::default()
        },
    );
}

/// An instance of a process and nothing else, perhaps ended by an operation.
fn instance(s: &mut Scenario, ended_by: Option<Key>) -> Key {
    let key = s.key();
    let element = s.element(key, "order", BpmnElementType::Process);
    s.event(key, of::ProcessInstance::ElementActivating, element);
    if let Some(operation) = ended_by {
        end(s, key, operation);
    }
    key
}

fn end(s: &mut Scenario, key: Key, operation: Key) {
    let element = s.element(key, "order", BpmnElementType::Process);
    s.event(key, of::ProcessInstance::ElementTerminated, element);
    s.records.last_mut().unwrap().batch_operation_reference = operation;
}

fn refuse(s: &mut Scenario, key: Key, operation: Key) {
    let record = ProcessInstanceRecord::default();
    s.event(key, of::ProcessInstance::Cancel, record);
    let last = s.records.last_mut().unwrap();
    last.batch_operation_reference = operation;
    last.record_type = RecordType::CommandRejection;
    last.rejection = Some(Rejection::new(RejectionType::NotFound, "no such process"));
}

fn cell(row: &Row, name: &str) -> Cell {
    row.get(name).unwrap().clone()
}

fn searched(db: &Db) {
    let mut s = Scenario::new(1);
    let instances: Vec<Key> = (0..4).map(|_| instance(&mut s, None)).collect();
    let half = operation(&mut s, &instances[..3]);
    end(&mut s, instances[0], half);
    refuse(&mut s, instances[1], half);
    // Ended by the operation, but none of its items.
    let bystander = instance(&mut s, Some(half));
    let canceled = operation(&mut s, &instances[3..]);
    s.event(
        canceled,
        of::BatchOperationLifecycleManagement::Canceled,
        management(canceled, Vec::new()),
    );
    let failed = operation(&mut s, &[]);
    let error = Arc::new(BatchOperationError {
        partition_id: PartitionId(2),
        message: "a \"quoted\" reason".into(),
        ..BatchOperationError::default()
    });
    s.event(
        failed,
        of::BatchOperationLifecycleManagement::Completed,
        management(failed, vec![error]),
    );
    // Another partition takes part in an operation it does not lead.
    let mut other = Scenario::new(2);
    created(&mut other, half);
    let foreign = other.key();
    let chunk = BatchOperationChunkRecord {
        batch_operation_key: half,
        items: vec![item(foreign)],
        ..BatchOperationChunkRecord::default()
    };
    let chunk_key = other.key();
    other.event(chunk_key, of::BatchOperationChunk::Created, chunk);
    export(db, &[&s, &other]);
    block_on(async {
        let queries = Queries::open(&QueriesOptions::new(db.database())).unwrap();
        let get = async |key: Key| {
            let row = queries.get(Entity::BatchOperation, key.0).await.unwrap();
            row.unwrap()
        };
        let row = get(half).await;
        assert_eq!(cell(&row, "state"), Cell::Text("ACTIVE".into()));
        assert_eq!(cell(&row, "operationsTotalCount"), Cell::Int(4));
        assert_eq!(cell(&row, "operationsCompletedCount"), Cell::Int(1));
        assert_eq!(cell(&row, "operationsFailedCount"), Cell::Int(1));
        assert_eq!(
            cell(&row, "batchOperationKey"),
            Cell::Text(half.0.to_string())
        );
        let row = get(failed).await;
        assert_eq!(
            cell(&row, "state"),
            Cell::Text("PARTIALLY_COMPLETED".into())
        );
        assert_eq!(
            cell(&row, "errors"),
            Cell::Json(
                r#"[{"partitionId":2,"type":"QUERY_FAILED","message":"a \"quoted\" reason"}]"#
                    .into()
            )
        );
        let items = async |filter: Filter| {
            let query = Query {
                filter,
                ..Query::of(Entity::BatchOperationItem)
            };
            queries.search(&query).await.unwrap().items
        };
        let of_half = is("batchOperationKey", text(&half.0.to_string()));
        assert_eq!(items(of_half.clone()).await.len(), 4);
        let refused = is("state", text("FAILED"));
        let found = items(Filter::All(vec![of_half, refused])).await;
        assert_eq!(
            cell(&found[0], "itemKey"),
            Cell::Text(instances[1].0.to_string())
        );
        assert_eq!(
            cell(&found[0], "errorMessage"),
            Cell::Text("NOT_FOUND: no such process".into())
        );
        let found = items(is("state", text("CANCELED"))).await;
        assert_eq!(found.len(), 1);
        let of_operation = async |field: &str| {
            let query = Query {
                filter: is(field, text(&half.0.to_string())),
                ..Query::of(Entity::ProcessInstance)
            };
            queries.search(&query).await.unwrap().items.len()
        };
        assert_eq!(of_operation("batchOperationKey").await, 3);
        assert_eq!(of_operation("batchOperationId").await, 3);
        let none = Query {
            filter: op("batchOperationKey", Op::Exists, vec![Literal::Bool(false)]),
            ..Query::of(Entity::ProcessInstance)
        };
        let untouched = queries.search(&none).await.unwrap().items;
        assert_eq!(
            cell(&untouched[0], "processInstanceKey"),
            Cell::Key(bystander.0)
        );
        let here = Query {
            filter: is("partitionId", Literal::Int(2)),
            ..Query::of(Entity::ProcessInstance)
        };
        assert!(queries.search(&here).await.unwrap().items.is_empty());
    });
}

#[test]
fn operations_and_items_are_found_sqlite() {
    searched(&Db::sqlite());
}

#[test]
fn operations_and_items_are_found_postgres() {
    searched(&Db::postgres());
}

#[test]
fn operations_and_items_are_found_mariadb() {
    searched(&Db::mariadb());
}

#[test]
fn operations_name_who_ordered_them() {
    for db in [Db::sqlite(), Db::postgres(), Db::mariadb()] {
        let mut s = Scenario::new(1);
        let (ordered, other) = (s.key(), s.key());
        let record = BatchOperationCreationRecord {
            batch_operation_key: ordered,
            ..BatchOperationCreationRecord::default()
        };
        s.asked(
            "ann",
            ordered,
            of::BatchOperationCreation::Create,
            record.clone(),
        );
        s.caused(ordered, of::BatchOperationCreation::Created, record, None);
        created(&mut s, other);
        export(&db, &[&s]);
        block_on(async {
            let queries = Queries::open(&QueriesOptions::new(db.database())).unwrap();
            let row = queries
                .get(Entity::BatchOperation, ordered.0)
                .await
                .unwrap();
            let row = row.unwrap();
            assert_eq!(cell(&row, "actorType"), Cell::Text("USER".into()));
            assert_eq!(cell(&row, "actorId"), Cell::Text("ann".into()));
            let row = queries.get(Entity::BatchOperation, other.0).await.unwrap();
            assert_eq!(cell(&row.unwrap(), "actorId"), Cell::Null);
        });
    }
}

/// An evaluation of two decisions that no process asked for.
fn evaluation(s: &mut Scenario) -> Key {
    let key = s.key();
    let decision = |place: u32| EvaluatedDecision {
        decision_id: "d".into(),
        decision_evaluation_instance_key: format!("{key}-{place}").into(),
        ..EvaluatedDecision::default()
    };
    let record = DecisionEvaluationRecord {
        decision_id: "d".into(),
        evaluated_decisions: vec![decision(1), decision(2)],
        ..DecisionEvaluationRecord::default()
    };
    s.event(key, of::DecisionEvaluation::Evaluated, record);
    key
}

fn deleted(db: &Db) {
    let mut s = Scenario::new(1);
    let kept = instance(&mut s, Some(Key::NONE));
    let gone = instance(&mut s, Some(Key::NONE));
    let (evaluated, other) = (evaluation(&mut s), evaluation(&mut s));
    let over = operation(&mut s, &[kept]);
    let error = Arc::new(BatchOperationError::default());
    s.event(
        over,
        of::BatchOperationLifecycleManagement::Failed,
        management(over, vec![error]),
    );
    let deletion = |key: Key, kind: HistoryDeletionType| HistoryDeletionRecord {
        resource_key: key,
        resource_type: kind,
        ..HistoryDeletionRecord::default()
    };
    for (key, kind) in [
        (gone, HistoryDeletionType::ProcessInstance),
        (evaluated, HistoryDeletionType::DecisionInstance),
        // Instances of it are left, so it stays.
        (definition(), HistoryDeletionType::ProcessDefinition),
    ] {
        s.event(key, of::HistoryDeletion::Deleted, deletion(key, kind));
    }
    let mut options = options(db);
    options.retain = Some(RetainOptions {
        ttl: Duration::from_secs(100 * 365 * 24 * 3600),
        decision_ttl: Duration::from_secs(100 * 365 * 24 * 3600),
        batch_ttl: Duration::from_millis(1),
        interval: Duration::from_millis(50),
        ..RetainOptions::default()
    });
    let (feed, acknowledged) = feed(&s, 1000);
    let exporter = Exporter::start(options, vec![feed]).unwrap();
    wait("export", || {
        acknowledged.load(Ordering::Acquire) >= s.last()
    });
    wait("clean-up", || {
        db.number("SELECT COUNT(*) FROM batch_operation") == 0
            && db.number("SELECT COUNT(*) FROM process_instance") == 1
    });
    let left = |table: &str| db.number(&format!("SELECT COUNT(*) FROM {table}"));
    wait("deletion to be noted", || left("history_deletion") == 1);
    assert_eq!(left("batch_operation_item"), 0);
    assert_eq!(left("batch_operation_error"), 0);
    assert_eq!(left("process_definition"), 1);
    assert_eq!(left("decision_instance"), 2);
    assert_eq!(
        db.number("SELECT MIN(decision_instance_key) FROM decision_instance"),
        other.0
    );
    // The last instance goes, then the definition.
    db.run("DELETE FROM process_instance");
    wait("definition to go", || left("process_definition") == 0);
    wait("deletion to be noted", || left("history_deletion") == 0);
    exporter.stop();
}

#[test]
fn deleted_history_and_old_operations_go_sqlite() {
    deleted(&Db::sqlite());
}

#[test]
fn deleted_history_and_old_operations_go_postgres() {
    deleted(&Db::postgres());
}

#[test]
fn deleted_history_and_old_operations_go_mariadb() {
    deleted(&Db::mariadb());
}

/// Jobs that an operation changes, and a business id that comes late.
fn changed(db: &Db) {
    let mut s = Scenario::new(1);
    let owner = instance(&mut s, None);
    let jobs = [s.key(), s.key()];
    for key in jobs {
        let job = s.job(owner, element_of(owner));
        s.event(key, of::Job::Created, job);
    }
    let gone = s.key();
    let change = operation(&mut s, &[jobs[0], gone]);
    let job = JobRecord {
        priority: 80,
        ..s.job(owner, element_of(owner))
    };
    for intent in [of::Job::PriorityUpdated, of::Job::Updated] {
        s.event(jobs[0], intent, job.clone());
        s.records.last_mut().unwrap().batch_operation_reference = change;
    }
    s.event(gone, of::Job::Update, job);
    let last = s.records.last_mut().unwrap();
    last.batch_operation_reference = change;
    last.record_type = RecordType::CommandRejection;
    last.rejection = Some(Rejection::new(RejectionType::NotFound, "no such job"));
    let record = ProcessInstanceBusinessIdRecord {
        process_instance_key: owner,
        business_id: "order-1".into(),
        ..ProcessInstanceBusinessIdRecord::default()
    };
    s.event(owner, of::ProcessInstanceBusinessId::Assigned, record);
    export(db, &[&s]);
    block_on(async {
        let queries = Queries::open(&QueriesOptions::new(db.database())).unwrap();
        let row = queries.get(Entity::Job, jobs[0].0).await.unwrap().unwrap();
        assert_eq!(cell(&row, "priority"), Cell::Int(80));
        assert_eq!(cell(&row, "state"), Cell::Text("PRIORITY_UPDATED".into()));
        assert_eq!(cell(&row, "businessId"), Cell::Text("order-1".into()));
        let row = queries.get(Entity::Job, jobs[1].0).await.unwrap().unwrap();
        assert_eq!(cell(&row, "priority"), Cell::Int(0));
        let row = queries.get(Entity::BatchOperation, change.0).await.unwrap();
        let row = row.unwrap();
        assert_eq!(cell(&row, "operationsCompletedCount"), Cell::Int(1));
        assert_eq!(cell(&row, "operationsFailedCount"), Cell::Int(1));
        let filter = Filter::All(vec![
            is("partitionId", Literal::Int(1)),
            op(
                "state",
                Op::NotIn,
                vec![text("COMPLETED"), text("CANCELED")],
            ),
            is("priority", Literal::Int(80)),
        ]);
        let query = Query {
            filter,
            ..Query::of(Entity::Job)
        };
        assert_eq!(queries.search(&query).await.unwrap().items.len(), 1);
    });
}

/// The element that the jobs are of.
fn element_of(owner: Key) -> Key {
    Key(owner.0 + 1_000_000)
}

#[test]
fn jobs_change_and_business_ids_come_late_sqlite() {
    changed(&Db::sqlite());
}

#[test]
fn jobs_change_and_business_ids_come_late_postgres() {
    changed(&Db::postgres());
}

#[test]
fn jobs_change_and_business_ids_come_late_mariadb() {
    changed(&Db::mariadb());
}
