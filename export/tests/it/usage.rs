//! Counts of what was used, and global listeners: rows that come from the first record on and are
//! asked for by nobody but these searches. The same on all databases.

use ringflow_core::ids::{Key, PartitionId};
use ringflow_core::record::Text;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::*;
use ringflow_export::{
    Aggregate, Aggregation, Cell, Entity, Filter, Op, PageSpec, Queries, QueriesOptions, Query, Row,
};

use super::database::{Db, block_on};
use super::export::export;
use super::records::{START, Scenario};
use super::search::{is, op, text};

const MINUTE: i64 = 60_000;

/// A root instance of a tenant, and one that it calls.
fn instance(scenario: &mut Scenario, tenant: &str) {
    use of::ProcessInstance as On;
    let root = scenario.key();
    let mut process = scenario.element(root, "order", BpmnElementType::Process);
    process.tenant_id = tenant.into();
    scenario.event(root, On::ElementActivating, process.clone());
    let called = scenario.key();
    process.process_instance_key = called;
    process.parent_process_instance_key = root;
    scenario.event(called, On::ElementActivating, process);
}

fn assigned(scenario: &mut Scenario, tenant: &str, assignee: &str) {
    let key = scenario.key();
    let task = UserTaskRecord {
        user_task_key: key,
        assignee: assignee.into(),
        tenant_id: tenant.into(),
        ..UserTaskRecord::default()
    };
    scenario.event(key, of::UserTask::Assigned, task);
}

fn decided(scenario: &mut Scenario, tenant: &str, intent: of::DecisionEvaluation) {
    let key = scenario.key();
    let evaluation = DecisionEvaluationRecord {
        tenant_id: tenant.into(),
        ..DecisionEvaluationRecord::default()
    };
    scenario.event(key, intent, evaluation);
}

async fn usage(
    queries: &Queries,
    from: i64,
    to: i64,
    tenant: Option<&str>,
    each: bool,
) -> Vec<Row> {
    let question = Aggregation {
        of: Aggregate::Usage {
            from: START + from,
            to: START + to,
            tenant_id: tenant.map(str::to_owned),
            by_tenant: each,
        },
        sort: Vec::new(),
        page: PageSpec::default(),
    };
    queries.aggregate(&question).await.unwrap().items
}

fn numbers(row: &Row) -> Vec<i64> {
    let names = [
        "processInstances",
        "decisionInstances",
        "assignees",
        "activeTenants",
    ];
    names
        .iter()
        .filter_map(|name| match row.get(name) {
            Some(Cell::Int(number)) => Some(*number),
            _ => None,
        })
        .collect()
}

#[test]
fn what_tenants_use_is_counted_once_per_window() {
    for db in Db::all() {
        let mut first = Scenario::new(1);
        let mut second = Scenario::new(2);
        for scenario in [&mut first, &mut second] {
            for _ in 0..3 {
                instance(scenario, "a");
            }
            instance(scenario, "b");
            decided(scenario, "a", of::DecisionEvaluation::Evaluated);
            decided(scenario, "a", of::DecisionEvaluation::Failed);
            assigned(scenario, "a", "ann");
            assigned(scenario, "a", "ann");
            assigned(scenario, "b", "ann");
            assigned(scenario, "b", "bob");
            assigned(scenario, "b", "");
        }
        // An hour later.
        instance(&mut first, "a");
        if let Some(last) = first.records.last_mut() {
            last.timestamp.0 += 60 * MINUTE;
        }
        instance(&mut first, "c");
        let late = first.records.len() - 2;
        for record in &mut first.records[late..] {
            record.timestamp.0 += 60 * MINUTE;
        }
        export(&db, &[&first, &second]);
        block_on(async {
            let queries = Queries::open(&QueriesOptions::new(db.database())).unwrap();
            let all = usage(&queries, 0, 120 * MINUTE, None, false).await;
            assert_eq!(numbers(&all[0]), [10, 2, 2, 3]);
            let early = usage(&queries, 0, 10 * MINUTE, None, false).await;
            assert_eq!(numbers(&early[0]), [9, 2, 2, 2]);
            let of_b = usage(&queries, 0, 120 * MINUTE, Some("b"), false).await;
            assert_eq!(numbers(&of_b[0]), [2, 0, 2, 1]);
            let each = usage(&queries, 0, 120 * MINUTE, None, true).await;
            let each: Vec<(&Cell, Vec<i64>)> = each
                .iter()
                .map(|row| (row.get("tenantId").unwrap(), numbers(row)))
                .collect();
            let tenant = |name: &str| Cell::Text(name.into());
            assert_eq!(
                each,
                [
                    (&tenant("a"), vec![7, 2, 1]),
                    (&tenant("b"), vec![2, 0, 2]),
                    (&tenant("c"), vec![1, 0, 0]),
                ]
            );
            let never = usage(&queries, -120 * MINUTE, -60 * MINUTE, None, false).await;
            assert_eq!(numbers(&never[0]), [0, 0, 0, 0]);
        });
        // Who it was is not written down.
        assert_eq!(
            db.number("SELECT COUNT(*) FROM usage_metric_tu WHERE tenant_id IN ('ann', 'bob')"),
            0
        );
        assert_eq!(db.number("SELECT COUNT(*) FROM usage_metric_tu"), 6);
    }
}

fn listener(key: Key, id: &str, events: &[&str], priority: i32) -> GlobalListenerRecord {
    GlobalListenerRecord {
        global_listener_key: key,
        id: id.into(),
        job_type: Text::from(format!("job-{id}")),
        event_types: events.iter().map(|event| Text::from(*event)).collect(),
        priority,
        source: GlobalListenerSource::Api,
        ..GlobalListenerRecord::default()
    }
}

async fn ids(queries: &Queries, filter: Filter) -> Vec<String> {
    let query = Query {
        filter,
        ..Query::of(Entity::GlobalListener)
    };
    let page = queries.search(&query).await.unwrap();
    page.items
        .iter()
        .map(|row| match row.get("id") {
            Some(Cell::Text(id)) => id.clone(),
            other => panic!("{other:?}"),
        })
        .collect()
}

#[test]
fn global_listeners_come_change_and_go() {
    for db in Db::all() {
        let mut scenario = Scenario::new(1);
        let keys: Vec<Key> = (0..3).map(|_| scenario.key()).collect();
        let created = of::GlobalListener::Created;
        scenario.event(keys[0], created, listener(keys[0], "a", &["all"], 50));
        scenario.event(
            keys[1],
            created,
            listener(keys[1], "b", &["updating", "creating"], 10),
        );
        scenario.event(keys[2], created, listener(keys[2], "c", &["all"], 1));
        let changed = listener(keys[0], "a", &["canceling", "creating"], 60);
        scenario.event(keys[0], of::GlobalListener::Updated, changed);
        let gone = listener(keys[2], "c", &["all"], 1);
        scenario.event(keys[2], of::GlobalListener::Deleted, gone);
        // Other partitions have them as well and write nothing.
        let mut second = Scenario::new(2);
        let late = listener(Key::new(PartitionId(1), 900), "d", &["all"], 1);
        second.event(late.global_listener_key, created, late);
        export(&db, &[&scenario, &second]);
        block_on(async {
            let queries = Queries::open(&QueriesOptions::new(db.database())).unwrap();
            let all = || Filter::All(Vec::new());
            assert_eq!(ids(&queries, all()).await, ["a", "b"]);
            let creating = is("eventTypes", text("creating"));
            assert_eq!(ids(&queries, creating.clone()).await, ["a", "b"]);
            let both = Filter::All(vec![creating, is("eventTypes", text("canceling"))]);
            assert_eq!(ids(&queries, both).await, ["a"]);
            let like = op("eventTypes", Op::Like, vec![text("up*")]);
            assert_eq!(ids(&queries, like).await, ["b"]);
            let none = op("eventTypes", Op::Neq, vec![text("updating")]);
            assert_eq!(ids(&queries, none).await, ["a"]);
            let query = Query {
                filter: is("id", text("a")),
                ..Query::of(Entity::GlobalListener)
            };
            let page = queries.search(&query).await.unwrap();
            let row = &page.items[0];
            assert_eq!(row.get("type"), Some(&Cell::Text("job-a".into())));
            assert_eq!(row.get("priority"), Some(&Cell::Int(60)));
            assert_eq!(row.get("retries"), Some(&Cell::Int(3)));
            assert_eq!(row.get("afterNonGlobal"), Some(&Cell::Bool(false)));
            assert_eq!(row.get("source"), Some(&Cell::Text("API".into())));
            let events = ["canceling", "creating"].map(|event| Cell::Text(event.into()));
            assert_eq!(row.get("eventTypes"), Some(&Cell::List(events.to_vec())));
        });
        let left = "SELECT COUNT(*) FROM global_listener_event_type";
        assert_eq!(db.number(left), 4);
    }
}
