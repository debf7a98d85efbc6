//! Statistics over the searches' world, the same on all databases; what a damaged file answers.
//!
//! Of 30 instances every sixth is stuck at an incident, others whose number 5 divides wait, the rest
//! is completed; every third failed once. One more was canceled.

use ringflow_core::ids::Key;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::BpmnElementType;
use ringflow_export::{
    Aggregate, Aggregation, Cell, Entity, Filter, Literal, Op, Page, PageSpec, PageStart, Queries,
    QueriesOptions, Query, QueryError, Sort, Span,
};

use super::database::{Db, block_on};
use super::export::export;
use super::records::{START, Scenario, definition};
use super::search::{both, is, text, total};

async fn ask(queries: &Queries, of: Aggregate) -> Page {
    ask_sorted(queries, of, &[]).await
}

async fn ask_sorted(queries: &Queries, of: Aggregate, sort: &[(&str, bool)]) -> Page {
    let sort = sort.iter().map(|(field, descending)| Sort {
        field: (*field).into(),
        descending: *descending,
    });
    let question = Aggregation {
        of,
        sort: sort.collect(),
        page: PageSpec::default(),
    };
    queries.aggregate(&question).await.unwrap()
}

fn anything() -> Filter {
    Filter::All(Vec::new())
}

fn int(page: &Page, row: usize, field: &str) -> i64 {
    match page.items[row].get(field) {
        Some(Cell::Int(number)) => *number,
        other => panic!("{field}: {other:?}"),
    }
}

fn words<'p>(page: &'p Page, row: usize, field: &str) -> &'p str {
    match page.items[row].get(field) {
        Some(Cell::Text(text)) => text,
        other => panic!("{field}: {other:?}"),
    }
}

#[test]
fn what_runs_is_counted_by_definition_and_version() {
    both(async |queries, _| {
        let page = ask(queries, Aggregate::InstancesByDefinition(anything())).await;
        assert_eq!((page.items.len(), page.total), (1, 1));
        assert_eq!(words(&page, 0, "processDefinitionId"), "order");
        assert_eq!(
            page.items[0].get("hasMultipleVersions"),
            Some(&Cell::Bool(false))
        );
        assert_eq!(int(&page, 0, "activeInstancesWithIncidentCount"), 5);
        assert_eq!(int(&page, 0, "activeInstancesWithoutIncidentCount"), 5);
        let by_version = |id: &str, tenant: Option<&str>| Aggregate::InstancesByVersion {
            process_definition_id: id.into(),
            tenant_id: tenant.map(str::to_owned),
            visible: anything(),
        };
        let page = ask_sorted(
            queries,
            by_version("order", Some("<default>")),
            &[("activeInstancesWithIncidentCount", true)],
        )
        .await;
        assert_eq!(page.items.len(), 1);
        assert_eq!(
            page.items[0].get("processDefinitionKey"),
            Some(&Cell::Key(definition().0))
        );
        assert_eq!(int(&page, 0, "processDefinitionVersion"), 1);
        assert_eq!(int(&page, 0, "activeInstancesWithoutIncidentCount"), 5);
        for nothing in [by_version("other", None), by_version("order", Some("x"))] {
            assert!(ask(queries, nothing).await.items.is_empty());
        }
    });
}

#[test]
fn only_what_may_be_seen_is_counted() {
    both(async |queries, _| {
        let of = |id: &str| is("processDefinitionId", text(id));
        let hash = ask(queries, Aggregate::IncidentsByError(anything())).await;
        let error_hash = i32::try_from(int(&hash, 0, "errorHashCode")).unwrap();
        let questions = |visible: Filter| {
            [
                Aggregate::InstancesByDefinition(visible.clone()),
                Aggregate::InstancesByVersion {
                    process_definition_id: "order".into(),
                    tenant_id: None,
                    visible: visible.clone(),
                },
                Aggregate::IncidentsByError(visible.clone()),
                Aggregate::IncidentsByDefinition {
                    error_hash,
                    visible: visible.clone(),
                },
                Aggregate::JobErrors {
                    span: span(0, 3_600_000),
                    error_code: Vec::new(),
                    error_message: Vec::new(),
                    visible,
                },
            ]
        };
        for question in questions(of("order")) {
            assert_eq!(
                ask(queries, question.clone()).await.total,
                1,
                "{question:?}"
            );
        }
        for nothing in [
            of("other"),
            Filter::Any(Vec::new()),
            is("tenantId", text("other")),
        ] {
            for question in questions(nothing) {
                let page = ask(queries, question.clone()).await;
                assert_eq!(page.total, 0, "{question:?}");
            }
        }
    });
}

#[test]
fn incidents_and_subscriptions_are_counted() {
    both(async |queries, _| {
        let page = ask(queries, Aggregate::IncidentsByError(anything())).await;
        assert_eq!(page.items.len(), 1);
        assert_eq!(words(&page, 0, "errorMessage"), "Boom happened");
        assert_eq!(int(&page, 0, "activeInstancesWithErrorCount"), 5);
        let error_hash = i32::try_from(int(&page, 0, "errorHashCode")).unwrap();
        let by_definition = |error_hash, visible| Aggregate::IncidentsByDefinition {
            error_hash,
            visible,
        };
        let page = ask(queries, by_definition(error_hash, anything())).await;
        assert_eq!(int(&page, 0, "activeInstancesWithErrorCount"), 5);
        assert_eq!(words(&page, 0, "processDefinitionId"), "order");
        let other = error_hash ^ 1;
        let page = ask(queries, by_definition(other, anything())).await;
        assert!(page.items.is_empty());
        // The only subscription was correlated, so none is open.
        let all = Filter::All(vec![]);
        let page = ask(queries, Aggregate::SubscriptionsByDefinition(all)).await;
        assert!(page.items.is_empty());
    });
}

fn span(from: i64, to: i64) -> Span {
    Span {
        from: START + from,
        to: START + to,
        job_type: Vec::new(),
    }
}

#[test]
fn jobs_are_counted_per_type_worker_and_time() {
    both(async |queries, _| {
        let all = || span(0, 3_600_000);
        let page = ask(queries, Aggregate::Jobs(all())).await;
        assert_eq!(int(&page, 0, "createdCount"), 30);
        assert_eq!(int(&page, 0, "completedCount"), 20);
        assert_eq!(int(&page, 0, "failedCount"), 10);
        assert!(matches!(page.items[0].get("failedAt"), Some(Cell::Time(_))));
        let page = ask(queries, Aggregate::Jobs(span(-7_200_000, -3_600_000))).await;
        assert_eq!(int(&page, 0, "createdCount"), 0);
        assert_eq!(page.items[0].get("createdAt"), Some(&Cell::Null));
        let page = ask(queries, Aggregate::JobsByType(all())).await;
        assert_eq!(words(&page, 0, "jobType"), "pack");
        assert_eq!((page.items.len(), int(&page, 0, "workers")), (1, 2));
        let like = |pattern: &str| Span {
            job_type: vec![(Op::Like, vec![text(pattern)])],
            ..all()
        };
        assert_eq!(
            ask(queries, Aggregate::JobsByType(like("pa*"))).await.total,
            1
        );
        assert_eq!(
            ask(queries, Aggregate::JobsByType(like("no*"))).await.total,
            0
        );
        // Nobody works on a job when it is created, and nobody is no worker.
        let page = ask(queries, Aggregate::JobsByWorker(all())).await;
        let workers: Vec<&str> = (0..page.items.len())
            .map(|row| words(&page, row, "worker"))
            .collect();
        assert_eq!(workers, ["w1", "w2"]);
        assert_eq!(int(&page, 0, "createdCount"), 0);
        let completed = |row| int(&page, row, "completedCount");
        assert_eq!(completed(0) + completed(1), 20);
        let of = |resolution| Aggregate::JobsOverTime {
            span: all(),
            resolution,
        };
        for resolution in [60_000, 3_600_000] {
            let page = ask(queries, of(resolution)).await;
            let created: i64 = (0..page.items.len())
                .map(|row| int(&page, row, "createdCount"))
                .sum();
            assert_eq!(created, 30);
            match page.items[0].get("time") {
                Some(Cell::Time(time)) => assert_eq!(time % resolution, 0),
                other => panic!("{other:?}"),
            }
        }
        let errors = |code: &str| Aggregate::JobErrors {
            span: all(),
            error_code: Vec::new(),
            error_message: vec![(Op::Eq, vec![text(code)])],
            visible: anything(),
        };
        let page = ask(queries, errors("Boom happened")).await;
        assert_eq!((page.items.len(), int(&page, 0, "workers")), (1, 1));
        assert!(ask(queries, errors("other")).await.items.is_empty());
    });
}

#[test]
fn statistics_have_pages_and_refuse_what_is_no_field() {
    both(async |queries, _| {
        let mut question = Aggregation {
            of: Aggregate::JobsByWorker(span(0, 3_600_000)),
            sort: Vec::new(),
            page: PageSpec {
                limit: 1,
                start: PageStart::From(0),
            },
        };
        let first = queries.aggregate(&question).await.unwrap();
        assert_eq!((first.items.len(), first.total), (1, 2));
        question.page.start = PageStart::After(first.end_cursor.clone().unwrap());
        let second = queries.aggregate(&question).await.unwrap();
        assert_eq!(words(&second, 0, "worker"), "w2");
        question.sort.push(Sort {
            field: "x; DROP TABLE job".into(),
            descending: false,
        });
        assert!(matches!(
            queries.aggregate(&question).await,
            Err(QueryError::InvalidField { .. })
        ));
    });
}

#[test]
fn a_migrated_instance_counts_where_it_went() {
    let moved = Key(77);
    for db in Db::all() {
        let mut scenario = Scenario::new(1);
        let instance = |scenario: &mut Scenario| {
            let key = scenario.key();
            let process = scenario.element(key, "order", BpmnElementType::Process);
            scenario.event(key, of::ProcessInstance::ElementActivating, process.clone());
            (key, process)
        };
        instance(&mut scenario);
        let (old, mut process) = instance(&mut scenario);
        export(&db, &[&scenario]);
        // Its row is in the database now; the other one moves within the window of its start.
        process.process_definition_key = moved;
        scenario.event(old, of::ProcessInstance::ElementMigrated, process.clone());
        let (new, mut process) = instance(&mut scenario);
        process.process_definition_key = moved;
        scenario.event(new, of::ProcessInstance::ElementMigrated, process.clone());
        scenario.event(new, of::ProcessInstance::ElementCompleted, process);
        export(&db, &[&scenario]);
        let counts = db.number(&format!(
            "SELECT CAST(SUM(active_count * CASE WHEN process_definition_key = {} THEN 100 \
             WHEN process_definition_key = {} THEN 1 ELSE 10000 END) AS BIGINT) FROM active_instances",
            definition().0,
            moved.0
        ));
        assert_eq!(counts, 101);
    }
}

#[test]
fn effective_variables_hide_those_of_outer_scopes() {
    both(async |queries, world| {
        let instance = world.instances[0];
        let scopes = vec![world.task_element.0, instance.0];
        let find = async |scopes: Vec<i64>| {
            total(queries, Entity::Variable, Filter::Effective { scopes }).await
        };
        assert_eq!(find(scopes.clone()).await, 2);
        assert_eq!(find(Vec::new()).await, 0);
        let named = Filter::All(vec![Filter::Effective { scopes }, is("name", text("form"))]);
        assert_eq!(total(queries, Entity::Variable, named).await, 1);
    });
}

#[test]
fn retries_left_are_those_of_failed_jobs() {
    both(async |queries, _| {
        let left = |left| is("hasRetriesLeft", Literal::Bool(left));
        assert_eq!(total(queries, Entity::ProcessInstance, left(true)).await, 0);
        // 0, 6, 12, 18, 24 are stuck and 15 waits with a failed job.
        assert_eq!(
            total(queries, Entity::ProcessInstance, left(false)).await,
            6
        );
    });
}

#[test]
fn a_damaged_file_is_unavailable_and_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("damaged.db");
    let open = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        let url = format!("sqlite:{}", path.display());
        ringflow_export::Database::parse(&url, None, None)
            .unwrap()
            .unwrap()
    };
    let mut torn = b"SQLite format 3\0".to_vec();
    torn.extend([0x10, 0, 1, 1, 0, 64, 32, 32]);
    torn.resize(8192, 0xa5);
    for bytes in [
        &b"this file is no database at all, whatever its name says"[..],
        &torn,
    ] {
        let database = open(bytes);
        block_on(async {
            let queries = Queries::open(&QueriesOptions::new(database)).unwrap();
            let answer = queries.search(&Query::of(Entity::ProcessInstance)).await;
            match answer {
                Err(QueryError::Unavailable { reason }) => {
                    assert!(reason.contains("database"), "{reason}");
                }
                other => panic!("{other:?}"),
            }
        });
    }
}

#[test]
fn hostile_texts_are_values_in_every_statistic() {
    let hostile = [
        "'; DROP TABLE job_metrics_batch; --",
        "' OR '1'='1",
        "\"; DELETE FROM incident; --",
        "$1 ?1 %s :x",
        "a\0b",
    ];
    both(async |queries, _| {
        for word in hostile {
            let like = || vec![(Op::Like, vec![text(word)]), (Op::Neq, vec![text(word)])];
            let hit = || Span {
                job_type: like(),
                ..span(0, 3_600_000)
            };
            let questions = [
                Aggregate::InstancesByVersion {
                    process_definition_id: word.into(),
                    tenant_id: Some(word.into()),
                    visible: is("processDefinitionId", text(word)),
                },
                Aggregate::InstancesByDefinition(is("processDefinitionId", text(word))),
                Aggregate::IncidentsByError(is("processDefinitionId", text(word))),
                Aggregate::SubscriptionsByDefinition(is("messageName", text(word))),
                Aggregate::JobsByType(hit()),
                Aggregate::JobsByWorker(hit()),
                Aggregate::JobErrors {
                    span: hit(),
                    error_code: like(),
                    error_message: like(),
                    visible: anything(),
                },
            ];
            for of in questions {
                let question = Aggregation {
                    of: of.clone(),
                    sort: Vec::new(),
                    page: PageSpec::default(),
                };
                match queries.aggregate(&question).await {
                    Ok(page) => assert!(page.items.is_empty(), "{of:?}"),
                    Err(QueryError::InvalidValue { .. }) => {}
                    Err(other) => panic!("{of:?}: {other}"),
                }
            }
        }
        let all = ask(queries, Aggregate::Jobs(span(0, 3_600_000))).await;
        assert_eq!(int(&all, 0, "createdCount"), 30);
    });
}
