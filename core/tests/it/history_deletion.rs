//! Deleting history with, and after, what it is the history of.
//!
//! The instances are found outside, as the items of any batch operation; the history of the definition
//! itself goes when theirs is gone.

use ringflow_core::engine::input::Command;
use ringflow_core::ids::Key;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::{
    BatchOperationType, HistoryDeletionType, ResourceDeletionRecord,
};
use ringflow_core::record::{Intent, Value};

use super::batch::{asked, one_task, page};
use super::harness::EngineHarness;

#[test]
fn a_definition_is_deleted_with_the_history_of_its_instances() {
    let mut h = EngineHarness::new();
    h.deploy(&one_task());
    let definition = h
        .log
        .iter()
        .find_map(|record| match &record.value {
            Value::Process(value) => Some(value.process_definition_key),
            _ => None,
        })
        .expect("deployed");
    let record = ResourceDeletionRecord {
        resource_key: definition,
        delete_history: true,
        ..ResourceDeletionRecord::default()
    };
    let command = Command::internal(Key::NONE, of::ResourceDeletion::Delete, record);
    let answer = h.request(command).expect("answered").expect("deleted");
    let Value::ResourceDeletion(value) = answer.value else {
        panic!("another answer");
    };
    let query = asked(&mut h).remove(0);
    assert_eq!(query.batch_operation, value.batch_operation_key);
    assert_eq!(query.kind, BatchOperationType::DeleteProcessInstance);
    assert_eq!(
        query.filter.as_str(),
        format!(r#"{{"field":"processDefinitionKey","op":"eq","values":[{definition}]}}"#)
    );
    assert!(page(&mut h, &query, &[Key(4711)], "c", true));
    h.run_due();
    let deleted: Vec<(Key, HistoryDeletionType)> = h
        .log
        .iter()
        .filter(|record| record.intent == Intent::from(of::HistoryDeletion::Deleted))
        .filter_map(|record| match &record.value {
            Value::HistoryDeletion(value) => Some((value.resource_key, value.resource_type)),
            _ => None,
        })
        .collect();
    assert_eq!(
        deleted,
        [
            (Key(4711), HistoryDeletionType::ProcessInstance),
            (definition, HistoryDeletionType::ProcessDefinition)
        ]
    );
    h.assert_clean();
}

/// The definition may have gone before, without its history.
#[test]
fn the_history_of_what_is_deleted_already_is_deleted_all_the_same() {
    for (resource, kind, field, history) in [
        (
            "PROCESS_DEFINITION",
            BatchOperationType::DeleteProcessInstance,
            "processDefinitionKey",
            HistoryDeletionType::ProcessDefinition,
        ),
        (
            "DECISION_REQUIREMENTS",
            BatchOperationType::DeleteDecisionInstance,
            "decisionRequirementsKey",
            HistoryDeletionType::DecisionRequirements,
        ),
    ] {
        let mut h = EngineHarness::new();
        let delete = |resource: &str| {
            let record = ResourceDeletionRecord {
                resource_key: Key(4711),
                delete_history: true,
                resource_type: resource.into(),
                ..ResourceDeletionRecord::default()
            };
            Command::internal(Key::NONE, of::ResourceDeletion::Delete, record)
        };
        assert!(h.answered(delete("")).is_err());
        assert!(h.answered(delete("FORM")).is_err());
        h.answered(delete(resource)).unwrap();
        let query = asked(&mut h).remove(0);
        assert_eq!(query.kind, kind);
        assert_eq!(
            query.filter.as_str(),
            format!(r#"{{"field":"{field}","op":"eq","values":[4711]}}"#)
        );
        assert!(page(&mut h, &query, &[], "c", true));
        h.run_due();
        let deleted = h.log.iter().find_map(|record| match &record.value {
            Value::HistoryDeletion(value) => Some((value.resource_key, value.resource_type)),
            _ => None,
        });
        assert_eq!(deleted, Some((Key(4711), history)));
        h.assert_clean();
    }
}
