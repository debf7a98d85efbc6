//! Two clusters in one database, told apart by the prefix of their tables.
//!
//! Everything runs with a prefix: migrations, rows, lists, counters, clean-up, searches, statistics.

use std::time::Duration;

use ringflow_export::{
    Aggregate, Aggregation, Entity, Exporter, Filter, PageSpec, Prefix, Queries, QueriesOptions,
    Query, RetainOptions, StatisticsOf, migrate,
};

use super::database::{Db, block_on};
use super::export::{export, feed, options, wait};
use super::records::{Scenario, definition};

/// Exports with a prefix, and cleans what is finished at once.
fn prefixed(db: &Db, scenario: &Scenario, prefix: &Prefix, clean: bool) {
    let mut options = options(db);
    options.prefix = prefix.clone();
    options.retain = clean.then(|| RetainOptions {
        ttl: Duration::ZERO,
        interval: Duration::from_millis(20),
        ..RetainOptions::default()
    });
    let (feed, acknowledged) = feed(scenario, 17);
    let exporter = Exporter::start(options, vec![feed]).unwrap();
    let last = scenario.last();
    wait("everything is exported", || {
        acknowledged.load(std::sync::atomic::Ordering::Acquire) == last
    });
    if clean {
        let left = "SELECT COUNT(*) FROM c8_process_instance WHERE partition_id = 2";
        wait("what is finished goes", || db.number(left) == 0);
    }
    exporter.stop();
}

fn apart(db: &Db) {
    let mut few = Scenario::new(1);
    let mut many = Scenario::new(1);
    for number in 0..7 {
        few.instance(number);
    }
    for number in 0..30 {
        many.instance(number);
    }
    let prefix = Prefix::new("c8_").unwrap();
    export(db, &[&many]);
    prefixed(db, &few, &prefix, false);
    assert_eq!(db.number("SELECT COUNT(*) FROM process_instance"), 30);
    assert_eq!(db.number("SELECT COUNT(*) FROM c8_process_instance"), 7);
    assert_eq!(
        db.number("SELECT COUNT(*) FROM c8_process_instance_tag"),
        14
    );
    block_on(async {
        let queries = Queries::open(&QueriesOptions {
            prefix: prefix.clone(),
            ..QueriesOptions::new(db.database())
        })
        .unwrap();
        for entity in Entity::ALL {
            queries.search(&Query::of(*entity)).await.unwrap();
        }
        let page = queries
            .search(&Query::of(Entity::ProcessInstance))
            .await
            .unwrap();
        assert_eq!(page.total, 7);
        let anything = || Filter::All(Vec::new());
        for of in [
            Aggregate::InstancesByDefinition(anything()),
            Aggregate::IncidentsByError(anything()),
            Aggregate::SubscriptionsByDefinition(anything()),
            Aggregate::WaitStatesByElement(anything()),
            Aggregate::Usage {
                from: 0,
                to: i64::from(u32::MAX) * 1000,
                tenant_id: None,
                by_tenant: true,
            },
        ] {
            let question = Aggregation {
                of,
                sort: Vec::new(),
                page: PageSpec::default(),
            };
            queries.aggregate(&question).await.unwrap();
        }
        let filter = anything();
        let of = StatisticsOf::Definition(definition().0.into(), &filter);
        assert!(!queries.element_statistics(of).await.unwrap().is_empty());
        let xml = queries
            .process_definition_xml(definition().0)
            .await
            .unwrap();
        assert!(xml.is_some());
        migrate::verify(&db.database(), &prefix).await.unwrap();
        let other = Prefix::new("other_").unwrap();
        assert!(migrate::verify(&db.database(), &other).await.is_err());
    });
    // Only what has the prefix is cleaned.
    let mut third = Scenario::new(2);
    third.instance(1);
    prefixed(db, &third, &prefix, true);
    assert_eq!(db.number("SELECT COUNT(*) FROM process_instance"), 30);
}

#[test]
fn two_clusters_share_a_database_sqlite() {
    apart(&Db::sqlite());
}

#[test]
fn two_clusters_share_a_database_postgres() {
    apart(&Db::postgres());
}

#[test]
fn two_clusters_share_a_database_mariadb() {
    apart(&Db::mariadb());
}

#[test]
fn statements_for_an_owner_have_the_prefix() {
    let prefix = Prefix::new("c8_").unwrap();
    for product in ["sqlite", "postgresql", "mariadb", "mysql"] {
        let plain = migrate::ddl(product, &Prefix::NONE).unwrap();
        let with = migrate::ddl(product, &prefix).unwrap();
        assert!(plain.contains("CREATE TABLE IF NOT EXISTS job (") && !plain.contains("c8_"));
        for line in with.lines() {
            if let Some(table) = line.strip_prefix("CREATE TABLE IF NOT EXISTS ") {
                assert!(table.starts_with("c8_"), "{product}: {line}");
            }
        }
        assert!(
            !with.contains(" ON job (") && !with.contains(" idx_"),
            "{product}"
        );
    }
    let db = Db::sqlite();
    db.run(&migrate::ddl("sqlite", &prefix).unwrap());
    block_on(async { migrate::verify(&db.database(), &prefix).await.unwrap() });
}
