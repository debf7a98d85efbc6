//! The database dies under load and comes back; nothing is lost and nothing counts twice.
//!
//! Incident counters are the witness for "twice": they are deltas, so a window that was applied again
//! would show in the sums.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ringflow_core::ids::Timestamp;
use ringflow_export::{Exporter, ExporterState, Queries, QueriesOptions, Query, QueryError};

use super::database::{Db, block_on};
use super::export::{check, feed, options, wait};
use super::records::Scenario;

fn killed(mut db: Db) {
    let mut scenarios = Vec::new();
    for partition in 1..=2 {
        let mut scenario = Scenario::new(partition);
        for number in 0..1500 {
            scenario.instance(number);
        }
        scenarios.push(scenario);
    }
    let (one, first) = feed(&scenarios[0], 50);
    let (two, second) = feed(&scenarios[1], 50);
    let mut options = options(&db);
    options.window_rows = 100;
    let exporter = Exporter::start(options, vec![one, two]).unwrap();
    let total = scenarios[0].last();
    for part in 1..=3 {
        wait("progress", || {
            first.load(Ordering::Acquire) >= total * part / 4
        });
        db.kill();
        db.resume();
    }
    for (acknowledged, scenario) in [(&first, &scenarios[0]), (&second, &scenarios[1])] {
        wait("the end", || {
            acknowledged.load(Ordering::Acquire) >= scenario.last()
        });
    }
    let snapshot = exporter.metrics().snapshot(Timestamp(0));
    let failed: u64 = snapshot
        .partitions
        .iter()
        .map(|partition| partition.failed_flushes)
        .sum();
    assert!(failed > 0, "the kills were not noticed");
    exporter.stop();
    check(&db, &[&scenarios[0], &scenarios[1]]);
}

#[test]
fn a_killed_server_loses_and_doubles_nothing_postgres() {
    killed(Db::postgres());
}

#[test]
fn a_killed_server_loses_and_doubles_nothing_mariadb() {
    killed(Db::mariadb());
}

fn down_at_start(mut db: Db) {
    db.kill();
    let mut scenario = Scenario::new(1);
    scenario.instance(1);
    let (feed, acknowledged) = feed(&scenario, 50);
    let exporter = Exporter::start(options(&db), vec![feed]).unwrap();
    let error = block_on(async {
        let mut options = QueriesOptions::new(db.database());
        options.acquire_timeout = Duration::from_millis(200);
        let queries = Queries::open(&options).unwrap();
        queries
            .search(&Query::of(ringflow_export::Entity::Job))
            .await
            .unwrap_err()
    });
    assert!(matches!(error, QueryError::Unavailable { .. }), "{error}");
    let metrics = exporter.metrics();
    assert_eq!(
        metrics.snapshot(Timestamp(0)).state,
        ExporterState::Starting
    );
    db.resume();
    wait("the end", || {
        acknowledged.load(Ordering::Acquire) >= scenario.last()
    });
    exporter.stop();
    check(&db, &[&scenario]);
}

#[test]
fn a_database_that_is_down_at_start_is_waited_for_postgres() {
    down_at_start(Db::postgres());
}

#[test]
fn a_database_that_is_down_at_start_is_waited_for_mariadb() {
    down_at_start(Db::mariadb());
}

/// Forwards to the server until it is told to swallow everything, as a dead firewall state does.
fn black_hole(target: u16) -> (u16, Arc<AtomicBool>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let swallow = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&swallow);
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let Ok(server) = TcpStream::connect(("127.0.0.1", target)) else {
                continue;
            };
            let ways = [
                (client.try_clone().unwrap(), server.try_clone().unwrap()),
                (server, client),
            ];
            // A connection is born sound or dead; a dead one stays open.
            let hole = Arc::clone(&told);
            let dead = Arc::new(AtomicBool::new(false));
            for (mut from, mut to) in ways {
                let (hole, dead) = (Arc::clone(&hole), Arc::clone(&dead));
                std::thread::spawn(move || {
                    let mut buffer = [0_u8; 16 * 1024];
                    while let Ok(len) = from.read(&mut buffer) {
                        if hole.load(Ordering::Acquire) {
                            dead.store(true, Ordering::Release);
                        }
                        if len == 0 {
                            break;
                        }
                        if !dead.load(Ordering::Acquire) && to.write_all(&buffer[..len]).is_err() {
                            break;
                        }
                    }
                });
            }
        }
    });
    (port, swallow)
}

fn half_open(db: &Db) {
    let mut swallow = None;
    let database = db.through(|port| {
        let (port, told) = black_hole(port);
        swallow = Some(told);
        port
    });
    let swallow = swallow.unwrap();
    let mut scenario = Scenario::new(1);
    for number in 0..400 {
        scenario.instance(number);
    }
    let (feed, acknowledged) = feed(&scenario, 50);
    let mut options = options(db);
    options.database = database;
    options.window_rows = 100;
    options.flush_timeout = Duration::from_secs(1);
    options.retain = None;
    let exporter = Exporter::start(options, vec![feed]).unwrap();
    let quarter = scenario.last() / 4;
    wait("progress", || {
        acknowledged.load(Ordering::Acquire) >= quarter
    });
    swallow.store(true, Ordering::Release);
    let metrics = exporter.metrics();
    wait("the time-out", || {
        let snapshot = metrics.snapshot(Timestamp(0));
        snapshot
            .partitions
            .iter()
            .any(|partition| partition.failed_flushes > 0)
    });
    swallow.store(false, Ordering::Release);
    wait("the end", || {
        acknowledged.load(Ordering::Acquire) >= scenario.last()
    });
    exporter.stop();
    check(db, &[&scenario]);
}

#[test]
fn a_half_open_connection_is_given_up_and_replaced_postgres() {
    half_open(&Db::postgres());
}

#[test]
fn a_half_open_connection_is_given_up_and_replaced_mariadb() {
    half_open(&Db::mariadb());
}
