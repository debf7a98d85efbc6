//! The database dies under load and comes back; nothing is lost and nothing counts twice.
//!
//! Incident counters are the witness for "twice": they are deltas, so a window that was applied again
//! would show in the sums.

use std::sync::atomic::Ordering;

use ringflow_core::ids::Timestamp;
use ringflow_export::{Exporter, ExporterState, Queries, QueriesOptions, Query, QueryError};

use super::database::{Db, Server, block_on};
use super::export::{check, feed, options, wait};
use super::records::Scenario;

#[test]
fn a_killed_server_loses_and_doubles_nothing() {
    let mut scenarios = Vec::new();
    for partition in 1..=2 {
        let mut scenario = Scenario::new(partition);
        for number in 0..1500 {
            scenario.instance(number);
        }
        scenarios.push(scenario);
    }
    let mut db = Db::postgres();
    let (one, first) = feed(&scenarios[0], 50);
    let (two, second) = feed(&scenarios[1], 50);
    let mut options = options(&db);
    options.window_rows = 100;
    let exporter = Exporter::start(options, vec![one, two]).unwrap();
    let total = scenarios[0].last();
    for part in 1..=3 {
        wait("progress", || first.load(Ordering::Acquire) >= total * part / 4);
        let Db::Postgres(server) = &mut db else {
            unreachable!("started as a server")
        };
        server.kill();
        server.resume();
    }
    for (acknowledged, scenario) in [(&first, &scenarios[0]), (&second, &scenarios[1])] {
        wait("the end", || acknowledged.load(Ordering::Acquire) >= scenario.last());
    }
    let snapshot = exporter.metrics().snapshot(Timestamp(0));
    let failed: u64 = snapshot.partitions.iter().map(|partition| partition.failed_flushes).sum();
    assert!(failed > 0, "the kills were not noticed");
    exporter.stop();
    check(&db, &[&scenarios[0], &scenarios[1]]);
}

#[test]
fn a_database_that_is_down_at_start_is_waited_for() {
    let mut server = Server::start();
    server.kill();
    let mut db = Db::Postgres(server);
    let mut scenario = Scenario::new(1);
    scenario.instance(1);
    let (feed, acknowledged) = feed(&scenario, 50);
    let exporter = Exporter::start(options(&db), vec![feed]).unwrap();
    let error = block_on(async {
        let mut options = QueriesOptions::new(db.database());
        options.acquire_timeout = std::time::Duration::from_millis(200);
        let queries = Queries::open(&options).unwrap();
        queries.search(&Query::of(ringflow_export::Entity::Job)).await.unwrap_err()
    });
    assert!(matches!(error, QueryError::Unavailable { .. }), "{error}");
    let metrics = exporter.metrics();
    assert_eq!(metrics.snapshot(Timestamp(0)).state, ExporterState::Starting);
    if let Db::Postgres(server) = &mut db {
        server.resume();
    }
    wait("the end", || acknowledged.load(Ordering::Acquire) >= scenario.last());
    exporter.stop();
    check(&db, &[&scenario]);
}
