//! Pausing: nothing is written, nothing is acknowledged, nothing is lost, whoever starts again.
//!
//! On a file and on a server, because only a server has several writers.

use std::sync::atomic::Ordering;
use std::time::Duration;

use ringflow_core::ids::PartitionId;
use ringflow_export::{Exporter, Phase, Queries, QueriesOptions};

use super::database::{Db, block_on};
use super::export::{feed, options, wait};
use super::records::Scenario;

fn set(db: &Db, partitions: u16, phase: Phase) {
    block_on(async {
        let queries = Queries::open(&QueriesOptions::new(db.database())).unwrap();
        queries.set_phase(partitions, phase).await.unwrap();
    });
}

fn phases(db: &Db, partitions: u16) -> Vec<Phase> {
    block_on(async {
        let queries = Queries::open(&QueriesOptions::new(db.database())).unwrap();
        queries.phases(partitions).await.unwrap()
    })
}

/// What a replica that waits for it is told.
fn exported(db: &Db, partition: u16) -> Option<u64> {
    block_on(async {
        let queries = Queries::open(&QueriesOptions::new(db.database())).unwrap();
        let exported = queries.exported(PartitionId(partition)).await.unwrap();
        exported.map(|position| position.0)
    })
}

fn scenario() -> Scenario {
    let mut scenario = Scenario::new(1);
    for number in 0..20 {
        scenario.instance(number);
    }
    scenario
}

const INSTANCES: &str = "SELECT COUNT(*) FROM process_instance";

fn paused(db: &Db) {
    let scenario = scenario();
    block_on(async {
        ringflow_export::migrate::migrate(&db.database())
            .await
            .unwrap()
    });
    assert_eq!(phases(db, 3), [Phase::Exporting]);
    // When there were none but others; this one comes later.
    set(db, 0, Phase::Paused);
    assert_eq!(phases(db, 3), [Phase::Paused]);
    // A partition that comes later is paused as well.
    assert_eq!(phases(db, 4), [Phase::Paused]);
    // It is paused for whoever starts, and stopping does not wait.
    for _ in 0..2 {
        let (feed, acknowledged) = feed(&scenario, 13);
        let exporter = Exporter::start(options(db), vec![feed]).unwrap();
        std::thread::sleep(Duration::from_millis(600));
        assert_eq!(db.number(INSTANCES), 0);
        assert_eq!(acknowledged.load(Ordering::Acquire), 0);
        let began = std::time::Instant::now();
        exporter.stop();
        assert!(began.elapsed() < Duration::from_secs(5));
    }
    let (feed, acknowledged) = feed(&scenario, 13);
    let exporter = Exporter::start(options(db), vec![feed]).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(db.number(INSTANCES), 0);
    set(db, 3, Phase::Exporting);
    let last = scenario.last();
    wait("it goes on", || {
        acknowledged.load(Ordering::Acquire) == last
    });
    assert_eq!(db.number(INSTANCES), 20);
    exporter.stop();
}

fn softly(db: &Db) {
    let scenario = scenario();
    block_on(async {
        ringflow_export::migrate::migrate(&db.database())
            .await
            .unwrap()
    });
    set(db, 1, Phase::SoftPaused);
    assert_eq!(phases(db, 1), [Phase::SoftPaused]);
    // All is written and the log is kept, also by the next one, who finds all written.
    for _ in 0..2 {
        let (feed, acknowledged) = feed(&scenario, 13);
        let exporter = Exporter::start(options(db), vec![feed]).unwrap();
        let cursor = "SELECT COALESCE(MAX(last_exported_position), 0) FROM exporter_position";
        let last = i64::try_from(scenario.last()).unwrap();
        wait("all is written", || db.number(cursor) == last);
        std::thread::sleep(Duration::from_millis(100));
        assert_eq!(acknowledged.load(Ordering::Acquire), 0);
        assert_eq!(db.number(INSTANCES), 20);
        assert_eq!(exported(db, 1), None);
        exporter.stop();
    }
    set(db, 1, Phase::Exporting);
    assert_eq!(exported(db, 1), Some(scenario.last()));
    assert_eq!(exported(db, 2), None);
    let (feed, acknowledged) = feed(&scenario, 13);
    let exporter = Exporter::start(options(db), vec![feed]).unwrap();
    let last = scenario.last();
    wait("the log may go", || {
        acknowledged.load(Ordering::Acquire) == last
    });
    assert_eq!(db.number(INSTANCES), 20);
    exporter.stop();
}

#[test]
fn paused_exporting_waits_and_loses_nothing_sqlite() {
    paused(&Db::sqlite());
}

#[test]
fn paused_exporting_waits_and_loses_nothing_postgres() {
    paused(&Db::postgres());
}

#[test]
fn paused_exporting_waits_and_loses_nothing_mariadb() {
    paused(&Db::mariadb());
}

#[test]
fn soft_pauses_keep_the_log_sqlite() {
    softly(&Db::sqlite());
}

#[test]
fn soft_pauses_keep_the_log_postgres() {
    softly(&Db::postgres());
}
