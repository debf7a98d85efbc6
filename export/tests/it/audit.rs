//! The audit log: what users did, and only what users did.

use ringflow_core::ids::Key;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::*;
use ringflow_core::record::{Rejection, RejectionType};
use ringflow_export::{Cell, Entity, Filter, Queries, QueriesOptions, Query, Row};

use super::database::{Db, block_on};
use super::export::export;
use super::records::{Scenario, definition, text_value};

fn entries(db: &Db) -> Vec<Row> {
    block_on(async {
        let queries = Queries::open(&QueriesOptions::new(db.database())).unwrap();
        let query = Query {
            filter: Filter::All(Vec::new()),
            ..Query::of(Entity::AuditLog)
        };
        queries.search(&query).await.unwrap().items
    })
}

fn words(row: &Row, names: &[&str]) -> Vec<String> {
    let word = |name: &&str| match row.get(name) {
        Some(Cell::Text(text)) => text.clone(),
        Some(Cell::Key(key)) => key.to_string(),
        _ => "-".to_owned(),
    };
    names.iter().map(word).collect()
}

#[test]
fn operations_of_users_are_told_with_actor_entity_and_result() {
    for db in Db::all() {
        let mut scenario = Scenario::new(1);
        let instance = scenario.instance(5);
        let task = scenario.key();
        let user_task = UserTaskRecord {
            user_task_key: task,
            assignee: "bob".into(),
            process_instance_key: instance,
            process_definition_key: definition(),
            bpmn_process_id: "order".into(),
            ..UserTaskRecord::default()
        };
        scenario.asked("ann", task, of::UserTask::Assign, user_task.clone());
        scenario.caused(task, of::UserTask::Assigning, user_task.clone(), None);
        scenario.caused(task, of::UserTask::Assigned, user_task.clone(), None);
        let nobody = UserTaskRecord {
            assignee: "".into(),
            ..user_task.clone()
        };
        scenario.asked("ann", task, of::UserTask::Assign, nobody.clone());
        scenario.caused(task, of::UserTask::Assigned, nobody, None);
        scenario.asked("eve", task, of::UserTask::Complete, user_task.clone());
        let refusal = Rejection::new(RejectionType::InvalidState, "not now");
        scenario.caused(
            task,
            of::UserTask::Complete,
            user_task.clone(),
            Some(refusal),
        );
        // A refusal for another reason, and callers without a name.
        scenario.asked("eve", task, of::UserTask::Complete, user_task.clone());
        let refusal = Rejection::new(RejectionType::NotFound, "no such task");
        scenario.caused(
            task,
            of::UserTask::Complete,
            user_task.clone(),
            Some(refusal),
        );
        scenario.asked("", task, of::UserTask::Complete, user_task.clone());
        scenario.caused(task, of::UserTask::Completed, user_task, None);
        let document = VariableDocumentRecord {
            scope_key: instance,
            ..VariableDocumentRecord::default()
        };
        let key = scenario.key();
        let variable = scenario.variable(instance, instance, "color", text_value("red"));
        scenario.asked("ann", Key::NONE, of::VariableDocument::Update, document);
        scenario.caused(key, of::Variable::Created, variable.clone(), None);
        // The same event for another reason is no operation of hers.
        scenario.asked("ann", Key::NONE, of::Job::Complete, JobRecord::default());
        scenario.caused(key, of::Variable::Updated, variable, None);
        let process = scenario.element(instance, "order", BpmnElementType::Process);
        scenario.asked(
            "ann",
            instance,
            of::ProcessInstance::Cancel,
            process.clone(),
        );
        let terminating = of::ProcessInstance::ElementTerminating;
        scenario.caused(instance, terminating, process, None);
        let inner = scenario.element(instance, "pack", BpmnElementType::ServiceTask);
        let other = scenario.key();
        scenario.caused(other, terminating, inner, None);
        export(&db, &[&scenario]);
        let found: Vec<Vec<String>> = entries(&db)
            .iter()
            .map(|row| {
                words(
                    row,
                    &[
                        "actorId",
                        "operationType",
                        "entityType",
                        "category",
                        "result",
                    ],
                )
            })
            .collect();
        let expected = [
            ["ann", "ASSIGN", "USER_TASK", "USER_TASKS", "SUCCESS"],
            ["ann", "UNASSIGN", "USER_TASK", "USER_TASKS", "SUCCESS"],
            ["eve", "COMPLETE", "USER_TASK", "USER_TASKS", "FAIL"],
            ["ann", "CREATE", "VARIABLE", "DEPLOYED_RESOURCES", "SUCCESS"],
            [
                "ann",
                "CANCEL",
                "PROCESS_INSTANCE",
                "DEPLOYED_RESOURCES",
                "SUCCESS",
            ],
        ];
        assert_eq!(found, expected);
        let first = &entries(&db)[0];
        assert_eq!(
            words(
                first,
                &[
                    "entityKey",
                    "userTaskKey",
                    "processInstanceKey",
                    "processDefinitionId"
                ]
            ),
            [
                task.0.to_string(),
                task.0.to_string(),
                instance.0.to_string(),
                "order".to_owned()
            ]
        );
        assert_eq!(
            words(&entries(&db)[2], &["entityDescription"]),
            ["INVALID_STATE"]
        );
        assert_eq!(words(&entries(&db)[3], &["entityDescription"]), ["color"]);
    }
}
