//! Batch operations: items found outside, done a few at a time, reported to the leading partition.

use std::sync::Arc;

use ringflow_core::engine::EngineConfig;
use ringflow_core::engine::effect::{Effect, ItemQuery};
use ringflow_core::engine::input::Command;
use ringflow_core::ids::{Key, PartitionId, Timestamp};
use ringflow_core::record::intent::of;
use ringflow_core::record::value::{
    BatchOperationChunkRecord, BatchOperationCreationRecord, BatchOperationError,
    BatchOperationErrorType, BatchOperationItem, BatchOperationJobUpdatePlan,
    BatchOperationLifecycleManagementRecord, BatchOperationMigrationPlan,
    BatchOperationModificationPlan, BatchOperationPartitionLifecycleRecord, BatchOperationType,
    HistoryDeletionRecord, HistoryDeletionType, JobRecord, MappingInstruction, MoveInstruction,
    PermissionType, ResourceType,
};
use ringflow_core::record::{Intent, RecordType, Rejection, RejectionType, Value};

use super::element::{bpmn, flow, service_task};
use super::harness::{Answer, Cluster, EngineHarness};

const FILTER: &str = r#"{"field":"state","op":"eq","values":["ACTIVE"]}"#;

pub(super) fn one_task() -> String {
    bpmn(
        "process",
        &[
            r#"<bpmn:startEvent id="start"/>"#.to_owned(),
            service_task("task", "work"),
            r#"<bpmn:endEvent id="end"/>"#.to_owned(),
            flow("f1", "start", "task"),
            flow("f2", "task", "end"),
        ]
        .concat(),
    )
}

fn create(h: &mut EngineHarness, kind: BatchOperationType) -> Key {
    let record = BatchOperationCreationRecord {
        batch_operation_type: kind,
        entity_filter: FILTER.into(),
        ..BatchOperationCreationRecord::default()
    };
    let command = Command::internal(Key::NONE, of::BatchOperationCreation::Create, record);
    h.request(command).expect("answered").expect("created").key
}

/// The questions asked since the last call.
pub(super) fn asked(h: &mut EngineHarness) -> Vec<ItemQuery> {
    h.run_due();
    let effects = std::mem::take(&mut h.effects);
    effects
        .into_iter()
        .filter_map(|effect| match effect {
            Effect::FindItems(query) => Some(*query),
            _ => None,
        })
        .collect()
}

/// A page of items, answered to `query`.
pub(super) fn page(
    h: &mut EngineHarness,
    query: &ItemQuery,
    items: &[Key],
    cursor: &str,
    last: bool,
) -> bool {
    let items = items.iter().map(|key| {
        Arc::new(BatchOperationItem {
            item_key: *key,
            process_instance_key: *key,
            root_process_instance_key: *key,
        })
    });
    let record = BatchOperationChunkRecord {
        batch_operation_key: query.batch_operation,
        items: items.collect(),
        after: query.after.clone(),
        cursor: cursor.into(),
        last,
    };
    let intent = of::BatchOperationChunk::Create;
    let records = h.process(Command::internal(query.batch_operation, intent, record));
    records
        .iter()
        .all(|record| record.record_type != RecordType::CommandRejection)
}

fn manage(
    h: &mut EngineHarness,
    key: Key,
    intent: of::BatchOperationLifecycleManagement,
) -> Answer {
    let record = BatchOperationLifecycleManagementRecord {
        batch_operation_key: key,
        ..BatchOperationLifecycleManagementRecord::default()
    };
    h.request(Command::internal(key, intent, record))
        .expect("answered")
}

/// Whether an event of an intent was written, and how often.
fn count(h: &EngineHarness, intent: impl Into<Intent>) -> usize {
    let intent = intent.into();
    h.log
        .iter()
        .filter(|record| record.record_type == RecordType::Event && record.intent == intent)
        .count()
}

#[test]
fn items_are_asked_for_page_by_page_and_each_is_canceled() {
    let mut h = EngineHarness::new();
    h.deploy(&one_task());
    let instances: Vec<Key> = (0..25).map(|_| h.create("process", "")).collect();
    let key = create(&mut h, BatchOperationType::CancelProcessInstance);
    let query = asked(&mut h).remove(0);
    assert_eq!((query.batch_operation, query.after.as_str()), (key, ""));
    assert_eq!(query.filter, *FILTER);
    assert!(asked(&mut h).is_empty(), "one question at a time");
    assert!(page(&mut h, &query, &instances[..20], "c20", false));
    // The same answer again is of no use, and harmless.
    assert!(!page(&mut h, &query, &instances[..20], "c20", false));
    let query = asked(&mut h).remove(0);
    assert_eq!(query.after, *"c20");
    assert_eq!(count(&h, of::BatchOperationExecution::Executing), 0);
    h.restart(EngineConfig::default());
    assert_eq!(asked(&mut h).remove(0), query, "a new leader asks again");
    // One of them has gone meanwhile: its refusal stops no other.
    h.cancel(instances[3]).unwrap();
    assert!(page(&mut h, &query, &instances[20..], "c25", true));
    h.run_due();
    assert_eq!(count(&h, of::BatchOperationExecution::Executing), 3);
    assert_eq!(
        count(&h, of::BatchOperationLifecycleManagement::Completed),
        1
    );
    let refused: Vec<&Rejection> = h
        .log
        .iter()
        .filter(|record| {
            record.intent == Intent::from(of::ProcessInstance::Cancel)
                && record.batch_operation_reference == key
        })
        .filter_map(|record| record.rejection.as_ref())
        .collect();
    assert_eq!(refused.len(), 1);
    let ended = h.log.iter().filter(|record| {
        record.intent == Intent::from(of::ProcessInstance::ElementTerminated)
            && record.batch_operation_reference == key
            && instances.contains(&record.key)
    });
    assert_eq!(ended.count(), 24);
    h.assert_clean();
}

#[test]
fn a_question_without_answer_is_asked_again() {
    let mut h = EngineHarness::new();
    let key = create(&mut h, BatchOperationType::ResolveIncident);
    assert_eq!(asked(&mut h).len(), 1);
    h.advance(60_000);
    assert!(asked(&mut h).is_empty());
    h.advance(60_000);
    assert_eq!(asked(&mut h).len(), 1);
    manage(&mut h, key, of::BatchOperationLifecycleManagement::Cancel).unwrap();
    assert!(asked(&mut h).is_empty());
    assert_eq!(h.engine.next_due(), None);
    h.assert_clean();
}

#[test]
fn incidents_are_resolved_with_a_retry_for_their_job() {
    let mut h = EngineHarness::new();
    h.deploy(&one_task());
    let instance = h.create("process", "");
    let (job, _) = h.activate("work").remove(0);
    h.job(job, of::Job::Fail, JobRecord::default()).unwrap();
    let (incident, _) = h.incidents().remove(0);
    create(&mut h, BatchOperationType::ResolveIncident);
    let query = asked(&mut h).remove(0);
    assert!(page(&mut h, &query, &[incident], "c", true));
    h.run_due();
    assert!(h.incidents().is_empty());
    h.complete("work", "");
    assert!(h.wrote(of::ProcessInstance::ElementCompleted, "process"));
    assert!(instance.is_some());
    h.assert_clean();
}

#[test]
fn a_suspended_operation_does_nothing_until_it_is_resumed() {
    use of::BatchOperationLifecycleManagement as Of;
    let mut h = EngineHarness::new();
    h.deploy(&one_task());
    let instance = h.create("process", "");
    let key = create(&mut h, BatchOperationType::CancelProcessInstance);
    let query = asked(&mut h).remove(0);
    manage(&mut h, key, Of::Suspend).unwrap();
    let refused = manage(&mut h, key, Of::Suspend).unwrap_err();
    assert_eq!(
        refused.reason.as_str(),
        format!(
            "Expected to suspend a batch operation with key '{key}', but it has an invalid state 'SUSPENDED'."
        )
    );
    // What was asked for before is taken in; whether more is there is asked after the resumption.
    assert!(page(&mut h, &query, &[instance], "c", true));
    assert_eq!(count(&h, of::BatchOperationInitialization::Initialized), 0);
    assert!(asked(&mut h).is_empty());
    manage(&mut h, key, Of::Resume).unwrap();
    let query = asked(&mut h).remove(0);
    assert_eq!(query.after.as_str(), "c");
    assert!(page(&mut h, &query, &[], "c", true));
    manage(&mut h, key, Of::Suspend).unwrap();
    h.run_due();
    assert_eq!(count(&h, of::BatchOperationExecution::Executing), 0);
    manage(&mut h, key, Of::Resume).unwrap();
    h.run_due();
    assert_eq!(count(&h, Of::Completed), 1);
    for (intent, dot) in [(Of::Cancel, ""), (Of::Resume, ""), (Of::Suspend, ".")] {
        let verb = Intent::from(intent).name().to_lowercase();
        assert_eq!(
            manage(&mut h, key, intent).unwrap_err().reason.as_str(),
            format!(
                "Expected to {verb} a batch operation with key '{key}', but no such batch operation was found{dot}"
            )
        );
    }
    h.assert_clean();
}

/// A question whose answer came too late, or never, is not waited for after a resumption.
#[test]
fn a_resumed_operation_asks_at_once() {
    use of::BatchOperationLifecycleManagement as Of;
    let mut h = EngineHarness::new();
    let key = create(&mut h, BatchOperationType::CancelProcessInstance);
    assert_eq!(asked(&mut h).len(), 1);
    manage(&mut h, key, Of::Suspend).unwrap();
    assert_eq!(h.engine.next_due(), Some(Timestamp(0)), "to forget it");
    assert!(asked(&mut h).is_empty());
    assert_eq!(h.engine.next_due(), None);
    manage(&mut h, key, Of::Resume).unwrap();
    assert_eq!(h.engine.next_due(), Some(Timestamp(0)));
    let query = asked(&mut h).remove(0);
    assert!(page(&mut h, &query, &[], "", true));
    h.run_due();
    assert_eq!(count(&h, Of::Completed), 1);
    h.assert_clean();
}

#[test]
fn a_canceled_operation_forgets_its_items() {
    let mut h = EngineHarness::new();
    h.deploy(&one_task());
    let instances: Vec<Key> = (0..3).map(|_| h.create("process", "")).collect();
    let key = create(&mut h, BatchOperationType::CancelProcessInstance);
    let query = asked(&mut h).remove(0);
    let items: Vec<Key> = (0..350).map(|n| Key(instances[0].0 + n)).collect();
    assert!(page(&mut h, &query, &items, "c", true));
    assert_eq!(count(&h, of::BatchOperationChunk::Created), 4);
    manage(&mut h, key, of::BatchOperationLifecycleManagement::Cancel).unwrap();
    h.run_due();
    assert_eq!(count(&h, of::BatchOperationExecution::Executing), 0);
    for instance in instances {
        h.cancel(instance).unwrap();
    }
    h.run_due();
    h.assert_clean();
}

#[test]
fn the_leading_partition_waits_for_all_others() {
    use of::BatchOperationLifecycleManagement as Of;
    let mut cluster = Cluster::new(3);
    let key = create(cluster.at(2), BatchOperationType::CancelProcessInstance);
    cluster.deliver();
    for number in 1..=3 {
        let query = asked(cluster.at(number)).remove(0);
        assert_eq!(query.batch_operation, key);
        if number == 3 {
            // Nobody could answer.
            let record = BatchOperationPartitionLifecycleRecord {
                batch_operation_key: key,
                error: Arc::new(BatchOperationError {
                    partition_id: key.partition(),
                    error_type: BatchOperationErrorType::QueryFailed,
                    message: "down".into(),
                }),
                ..BatchOperationPartitionLifecycleRecord::default()
            };
            let intent = of::BatchOperationPartitionLifecycle::Fail;
            cluster
                .at(3)
                .process(Command::internal(key, intent, record));
        } else {
            assert!(page(cluster.at(number), &query, &[], "", true));
            cluster.at(number).run_due();
        }
        assert_eq!(count(cluster.at(2), Of::Completed), 0);
        cluster.deliver();
    }
    let completed = cluster
        .at(2)
        .log
        .iter()
        .find(|record| record.intent == Intent::from(Of::Completed))
        .expect("completed");
    let Value::BatchOperationLifecycleManagement(value) = &completed.value else {
        panic!("another value");
    };
    assert_eq!(value.errors.len(), 1);
    assert_eq!(value.errors[0].message, *"down");
    for number in 1..=3 {
        cluster.at(number).run_due();
        cluster.at(number).assert_clean();
    }
}

#[test]
fn suspension_and_cancellation_reach_every_partition() {
    use of::BatchOperationLifecycleManagement as Of;
    let mut cluster = Cluster::new(2);
    let key = create(cluster.at(1), BatchOperationType::CancelProcessInstance);
    cluster.deliver();
    manage(cluster.at(1), key, Of::Suspend).unwrap();
    cluster.deliver();
    assert!(asked(cluster.at(2)).is_empty());
    manage(cluster.at(1), key, Of::Resume).unwrap();
    cluster.deliver();
    assert_eq!(asked(cluster.at(2)).len(), 1);
    manage(cluster.at(1), key, Of::Cancel).unwrap();
    cluster.deliver();
    for number in 1..=2 {
        cluster.at(number).run_due();
        cluster.at(number).assert_clean();
    }
}

#[test]
fn only_finished_history_is_deleted() {
    let mut h = EngineHarness::new();
    h.deploy(&one_task());
    let instance = h.create("process", "");
    let delete = |h: &mut EngineHarness| {
        let record = HistoryDeletionRecord {
            resource_key: instance,
            ..HistoryDeletionRecord::default()
        };
        h.request(Command::internal(
            instance,
            of::HistoryDeletion::Delete,
            record,
        ))
        .expect("answered")
    };
    assert_eq!(
        delete(&mut h).unwrap_err().reason.as_str(),
        format!(
            "Expected to delete history for process instance with key '{instance}', but it is still active."
        )
    );
    h.cancel(instance).unwrap();
    h.run_due();
    assert_eq!(
        delete(&mut h).unwrap().intent,
        of::HistoryDeletion::Deleted.into()
    );
    h.assert_clean();
}

#[test]
fn jobs_are_changed_and_one_that_is_gone_stops_nothing() {
    let mut h = EngineHarness::new();
    h.deploy(&one_task());
    for _ in 0..3 {
        h.create("process", "");
    }
    let jobs: Vec<Key> = (h.log.iter())
        .filter(|record| record.intent == Intent::from(of::Job::Created))
        .map(|record| record.key)
        .collect();
    let record = BatchOperationCreationRecord {
        batch_operation_type: BatchOperationType::UpdateJob,
        entity_filter: FILTER.into(),
        job_update_plan: Arc::new(BatchOperationJobUpdatePlan {
            priority: 80,
            changed_attributes: vec!["priority".into()],
            ..BatchOperationJobUpdatePlan::default()
        }),
        ..BatchOperationCreationRecord::default()
    };
    let command = Command::internal(Key::NONE, of::BatchOperationCreation::Create, record);
    h.request(command).expect("answered").expect("created");
    let query = asked(&mut h).remove(0);
    assert_eq!(query.kind, BatchOperationType::UpdateJob);
    let items = [Key(4711), jobs[2], jobs[1]];
    assert!(page(&mut h, &query, &items, "c", true));
    h.run_due();
    assert_eq!(count(&h, of::Job::PriorityUpdated), 2);
    assert_eq!(
        count(&h, of::BatchOperationLifecycleManagement::Completed),
        1
    );
    let taken: Vec<(Key, i32)> = (h.activate("work").iter())
        .map(|(key, job)| (*key, job.priority))
        .collect();
    assert_eq!(taken, [(jobs[1], 80), (jobs[2], 80), (jobs[0], 0)]);
}

#[test]
fn decision_instances_are_deleted_one_by_one() {
    let mut h = EngineHarness::new();
    create(&mut h, BatchOperationType::DeleteDecisionInstance);
    let query = asked(&mut h).remove(0);
    assert_eq!(query.kind, BatchOperationType::DeleteDecisionInstance);
    assert!(page(&mut h, &query, &[Key(8), Key(9)], "c", true));
    h.run_due();
    let deleted: Vec<(Key, HistoryDeletionType)> = (h.log.iter())
        .filter(|record| record.intent == Intent::from(of::HistoryDeletion::Deleted))
        .filter_map(|record| match &record.value {
            Value::HistoryDeletion(value) => Some((value.resource_key, value.resource_type)),
            _ => None,
        })
        .collect();
    let kind = HistoryDeletionType::DecisionInstance;
    assert_eq!(deleted, [(Key(8), kind), (Key(9), kind)]);
    h.assert_clean();
}

#[test]
fn instances_are_migrated_and_modified_by_plan() {
    let mut h = EngineHarness::new();
    h.deploy(&one_task());
    let instance = h.create("process", "");
    h.deploy(&one_task().replace("work", "other"));
    let target = h
        .log
        .iter()
        .rev()
        .find_map(|record| match &record.value {
            Value::Process(value) => Some(value.process_definition_key),
            _ => None,
        })
        .expect("deployed");
    let migration = BatchOperationCreationRecord {
        batch_operation_type: BatchOperationType::MigrateProcessInstance,
        entity_filter: FILTER.into(),
        migration_plan: Arc::new(BatchOperationMigrationPlan {
            target_process_definition_key: target,
            mapping_instructions: vec![MappingInstruction {
                source_element_id: "task".into(),
                target_element_id: "task".into(),
            }],
        }),
        ..BatchOperationCreationRecord::default()
    };
    let modification = BatchOperationCreationRecord {
        batch_operation_type: BatchOperationType::ModifyProcessInstance,
        entity_filter: FILTER.into(),
        modification_plan: Arc::new(BatchOperationModificationPlan {
            move_instructions: vec![MoveInstruction {
                source_element_id: "task".into(),
                target_element_id: "end".into(),
                infer_ancestor_scope: true,
                ..MoveInstruction::default()
            }],
        }),
        ..BatchOperationCreationRecord::default()
    };
    for (record, done) in [
        (
            migration,
            Intent::from(of::ProcessInstanceMigration::Migrated),
        ),
        (
            modification,
            Intent::from(of::ProcessInstanceModification::Modified),
        ),
    ] {
        let command = Command::internal(Key::NONE, of::BatchOperationCreation::Create, record);
        let key = h.request(command).expect("answered").expect("created").key;
        let query = asked(&mut h).remove(0);
        assert!(page(&mut h, &query, &[instance], "c", true));
        h.run_due();
        let done = h.log.iter().find(|record| record.intent == done);
        let done = done.expect("done");
        assert_eq!((done.key, done.batch_operation_reference), (instance, key));
    }
    assert!(h.wrote(of::ProcessInstance::ElementCompleted, "process"));
    h.assert_clean();
}

/// Items are done in the name of who asked, on every partition, also by a leader that came later.
#[test]
fn what_is_done_to_an_item_needs_the_permission_that_doing_it_alone_needs() {
    use super::permission::{allow, as_user};
    let config = EngineConfig {
        authorizations: true,
        ..EngineConfig::default()
    };
    let mut cluster = Cluster::with_config(2, &config);
    for number in [1, 2] {
        let h = cluster.at(number);
        h.deploy(&one_task());
        allow(h, "anna", ResourceType::Batch, PermissionType::Create, "*");
        h.outbox.clear();
    }
    let record = BatchOperationCreationRecord {
        batch_operation_type: BatchOperationType::CancelProcessInstance,
        entity_filter: FILTER.into(),
        ..BatchOperationCreationRecord::default()
    };
    let intent = of::BatchOperationCreation::Create;
    let command = as_user("anna", Key::NONE, intent, record);
    cluster.at(1).answered(command).unwrap();
    cluster.deliver();
    let h = cluster.at(2);
    let instance = h.create("process", "");
    let query = asked(h).remove(0);
    assert!(page(h, &query, &[instance], "c", true));
    h.restart(EngineConfig {
        partition: PartitionId(2),
        partition_count: 2,
        ..config
    });
    h.run_due();
    let refused = (h.log.iter())
        .filter(|record| record.intent == Intent::from(of::ProcessInstance::Cancel))
        .find_map(|record| record.rejection.clone())
        .expect("refused");
    assert_eq!(refused.kind, RejectionType::Forbidden);
    assert_eq!(
        refused.reason.as_str(),
        "Insufficient permissions to perform operation 'CANCEL_PROCESS_INSTANCE' on resource \
         'PROCESS_DEFINITION', required resource identifiers are one of '[*, process]'"
    );
    assert!(!h.wrote(of::ProcessInstance::ElementTerminated, "process"));
}

#[test]
fn an_operation_without_filter_is_refused() {
    let mut h = EngineHarness::new();
    for filter in ["", "{}"] {
        let record = BatchOperationCreationRecord {
            entity_filter: filter.into(),
            ..BatchOperationCreationRecord::default()
        };
        let command = Command::internal(Key::NONE, of::BatchOperationCreation::Create, record);
        let refused = h.request(command).expect("answered").unwrap_err();
        assert_eq!(refused.reason, *"Given filter is empty");
    }
}
