//! Records in, rows out: once each, in order, whatever happens in between.
//!
//! Each scenario runs on SQLite, PostgreSQL and MariaDB; expectations are computed from the scenario, not
//! written down.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ringflow_core::ids::{Key, PartitionId, Position, Timestamp};
use ringflow_core::msgpack;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::*;
use ringflow_export::feed::RecordedFeed;
use ringflow_export::schema::{ListTable, Table};
use ringflow_export::{Exporter, ExporterOptions, ExporterState, RecordFeed, RetainOptions};

use super::database::{Db, block_on};
use super::records::{Scenario, definition, raw, sums, text_value};

pub(crate) fn options(db: &Db) -> ExporterOptions {
    let mut options = ExporterOptions::new(db.database());
    options.window_age = Duration::from_millis(20);
    options.window_rows = 200;
    options
}

pub(crate) fn feed(scenario: &Scenario, batch: usize) -> (Box<dyn RecordFeed>, Arc<AtomicU64>) {
    let feed = RecordedFeed::new(scenario.partition, scenario.records.clone(), batch, false);
    let acknowledged = feed.acknowledged();
    (Box::new(feed), acknowledged)
}

pub(crate) fn wait(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !done() {
        assert!(Instant::now() < deadline, "waited a minute for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Exports scenarios to their end.
pub(crate) fn export(db: &Db, scenarios: &[&Scenario]) {
    let mut feeds = Vec::new();
    let mut goals = Vec::new();
    for scenario in scenarios {
        let (feed, acknowledged) = feed(scenario, 64);
        feeds.push(feed);
        goals.push((acknowledged, scenario.last()));
    }
    let exporter = Exporter::start(options(db), feeds).unwrap();
    for (acknowledged, last) in goals {
        wait("acknowledgement", || {
            acknowledged.load(Ordering::Acquire) >= last
        });
    }
    exporter.stop();
}

pub(crate) fn check(db: &Db, scenarios: &[&Scenario]) {
    let expected: Vec<_> = scenarios
        .iter()
        .map(|scenario| &scenario.expected)
        .collect();
    for (sql, expected) in sums(&expected) {
        assert_eq!(db.number(sql), expected, "{sql}");
    }
}

fn filled(partition: u16, instances: i64) -> Scenario {
    let mut scenario = Scenario::new(partition);
    for number in 0..instances {
        scenario.instance(number);
    }
    scenario
}

fn interleaved_and_twice(db: &Db) {
    let (one, two) = (filled(1, 60), filled(2, 40));
    export(db, &[&one, &two]);
    check(db, &[&one, &two]);
    // A broker that lost its acknowledgements delivers everything again.
    export(db, &[&one, &two]);
    check(db, &[&one, &two]);
    assert_eq!(
        db.number("SELECT last_exported_position FROM exporter_position WHERE partition_id = 1"),
        one.last() as i64
    );
}

#[test]
fn partitions_interleave_and_a_second_delivery_changes_nothing_sqlite() {
    interleaved_and_twice(&Db::sqlite());
}

#[test]
fn partitions_interleave_and_a_second_delivery_changes_nothing_postgres() {
    interleaved_and_twice(&Db::postgres());
}

#[test]
fn partitions_interleave_and_a_second_delivery_changes_nothing_mariadb() {
    interleaved_and_twice(&Db::mariadb());
}

fn two_exporters(db: &Db) {
    let scenario = filled(1, 120);
    // An old leader and a new one, both at it.
    let (first, acknowledged) = feed(&scenario, 7);
    let (second, also) = feed(&scenario, 11);
    let mut small = options(db);
    small.window_rows = 40;
    let mut other = options(db);
    other.window_rows = 60;
    let first = Exporter::start(small, vec![first]).unwrap();
    let second = Exporter::start(other, vec![second]).unwrap();
    for acknowledged in [acknowledged, also] {
        wait("both", || {
            acknowledged.load(Ordering::Acquire) >= scenario.last()
        });
    }
    first.stop();
    second.stop();
    check(db, &[&scenario]);
}

#[test]
fn two_exporters_of_one_partition_write_each_record_once_sqlite() {
    two_exporters(&Db::sqlite());
}

#[test]
fn two_exporters_of_one_partition_write_each_record_once_postgres() {
    two_exporters(&Db::postgres());
}

#[test]
fn two_exporters_of_one_partition_write_each_record_once_mariadb() {
    two_exporters(&Db::mariadb());
}

fn rows_without_cursor(db: &Db, forbid: &str, allow: &str) {
    let scenario = filled(1, 30);
    export(db, &[&filled(3, 0)]);
    db.run(forbid);
    let (feed, acknowledged) = feed(&scenario, 64);
    let exporter = Exporter::start(options(db), vec![feed]).unwrap();
    let metrics = exporter.metrics();
    wait("a failure", || {
        let snapshot = metrics.snapshot(Timestamp(0));
        snapshot
            .partitions
            .iter()
            .any(|partition| partition.failed_flushes > 1)
    });
    // Rows were written and the cursor was not: nothing of it may be seen.
    assert_eq!(db.number("SELECT COUNT(*) FROM process_instance"), 0);
    assert_eq!(acknowledged.load(Ordering::Acquire), 0);
    db.run(allow);
    wait("the end", || {
        acknowledged.load(Ordering::Acquire) >= scenario.last()
    });
    exporter.stop();
    check(db, &[&scenario]);
}

#[test]
fn rows_are_never_seen_without_their_cursor_sqlite() {
    rows_without_cursor(
        &Db::sqlite(),
        "CREATE TRIGGER cut BEFORE UPDATE ON exporter_position WHEN NEW.last_exported_position > 1 \
         BEGIN SELECT missing_function(); END",
        "DROP TRIGGER cut",
    );
}

#[test]
fn rows_are_never_seen_without_their_cursor_postgres() {
    rows_without_cursor(
        &Db::postgres(),
        "CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS \
         $$ BEGIN RAISE EXCEPTION 'cut' USING ERRCODE = '57P01'; END $$; \
         CREATE TRIGGER cut BEFORE UPDATE ON exporter_position FOR EACH ROW \
         EXECUTE FUNCTION cut();",
        "DROP TRIGGER cut ON exporter_position",
    );
}

#[test]
fn rows_are_never_seen_without_their_cursor_mariadb() {
    rows_without_cursor(
        &Db::mariadb(),
        "CREATE TRIGGER cut BEFORE UPDATE ON exporter_position FOR EACH ROW \
         SIGNAL SQLSTATE '70100' SET MYSQL_ERRNO = 1317, MESSAGE_TEXT = 'cut'",
        "DROP TRIGGER cut",
    );
}

fn poison(db: &Db, poisoning: &str) {
    export(db, &[&filled(3, 0)]);
    db.run(poisoning);
    let mut scenario = filled(1, 20);
    let instance = scenario.key();
    for name in ["good", "poison", "better", "poison"] {
        let key = scenario.key();
        let variable = scenario.variable(instance, instance, name, text_value("x"));
        scenario.event(key, of::Variable::Created, variable);
    }
    for number in 20..40 {
        scenario.instance(number);
    }
    export(db, &[&scenario]);
    assert_eq!(db.number("SELECT COUNT(*) FROM exporter_error"), 2);
    assert_eq!(
        db.number(
            "SELECT COUNT(*) FROM exporter_error WHERE table_name = 'variable' AND reason <> ''"
        ),
        2
    );
    assert_eq!(
        db.number("SELECT COUNT(*) FROM variable"),
        scenario.expected.variables + 2
    );
    assert_eq!(
        db.number("SELECT COUNT(*) FROM process_instance WHERE state = 'COMPLETED'"),
        scenario.expected.completed
    );
}

#[test]
fn a_row_that_cannot_be_stored_is_set_aside_alone_sqlite() {
    poison(
        &Db::sqlite(),
        "CREATE TRIGGER poison BEFORE INSERT ON variable WHEN NEW.var_name = 'poison' \
         BEGIN SELECT RAISE(ABORT, 'poison'); END",
    );
}

#[test]
fn a_row_that_cannot_be_stored_is_set_aside_alone_postgres() {
    poison(
        &Db::postgres(),
        "ALTER TABLE variable ADD CONSTRAINT poison CHECK (var_name <> 'poison')",
    );
}

#[test]
fn a_row_that_cannot_be_stored_is_set_aside_alone_mariadb() {
    poison(
        &Db::mariadb(),
        "ALTER TABLE variable ADD CONSTRAINT poison CHECK (var_name <> 'poison')",
    );
}

#[test]
fn records_that_write_nothing_still_move_the_cursor() {
    let db = Db::sqlite();
    let mut scenario = Scenario::new(1);
    for _ in 0..10 {
        scenario.noise();
    }
    scenario.records.remove(0);
    for (i, record) in scenario.records.iter_mut().enumerate() {
        record.position = Position(i as u64 + 1);
    }
    let mut options = options(&db);
    options.idle_advance = Duration::from_millis(50);
    let (feed, acknowledged) = feed(&scenario, 3);
    let exporter = Exporter::start(options, vec![feed]).unwrap();
    wait("the cursor", || acknowledged.load(Ordering::Acquire) == 10);
    let snapshot = exporter.metrics().snapshot(Timestamp(0));
    assert_eq!(snapshot.state, ExporterState::Running);
    let partition = &snapshot.partitions[0];
    assert_eq!(
        (partition.records, partition.rows, partition.lag_records),
        (10, 0, 0)
    );
    exporter.stop();
}

#[test]
fn stopping_flushes_what_was_received() {
    let db = Db::sqlite();
    let scenario = filled(1, 20);
    let mut options = options(&db);
    options.window_age = Duration::from_secs(600);
    options.window_rows = 1_000_000;
    let (feed, acknowledged) = feed(&scenario, 1_000_000);
    let exporter = Exporter::start(options, vec![feed]).unwrap();
    let metrics = exporter.metrics();
    wait("the records", || {
        let snapshot = metrics.snapshot(Timestamp(0));
        snapshot
            .partitions
            .first()
            .is_some_and(|partition| partition.lag_records > 0)
    });
    assert_eq!(acknowledged.load(Ordering::Acquire), 0);
    exporter.stop();
    assert_eq!(acknowledged.load(Ordering::Acquire), scenario.last());
    check(&db, &[&scenario]);
}

#[test]
fn names_are_read_again_from_the_database_after_a_restart() {
    let db = Db::sqlite();
    let mut scenario = filled(1, 5);
    let whole = filled(1, 10);
    export(&db, &[&scenario]);
    scenario.records = whole.records.clone();
    scenario.expected = whole.expected.clone();
    export(&db, &[&scenario]);
    check(&db, &[&scenario]);
}

fn called(db: &Db) {
    use of::ProcessInstance as On;
    let mut scenario = Scenario::new(1);
    let (root, activity, child, task) = (
        scenario.key(),
        scenario.key(),
        scenario.key(),
        scenario.key(),
    );
    let path = vec![vec![root, activity], vec![child, task]];
    let mut value = scenario.element(root, "order", BpmnElementType::Process);
    scenario.event(root, On::ElementActivating, value.clone());
    value = scenario.element(root, "call", BpmnElementType::CallActivity);
    scenario.event(activity, On::ElementActivating, value);
    value = scenario.element(child, "order", BpmnElementType::Process);
    value.root_process_instance_key = root;
    value.parent_process_instance_key = root;
    value.parent_element_instance_key = activity;
    value.element_instance_path = vec![vec![root, activity], vec![child]];
    value.process_definition_path = vec![definition(), definition()];
    value.calling_element_path = vec![Key(0)];
    scenario.event(child, On::ElementActivating, value.clone());
    value = scenario.element(child, "pack", BpmnElementType::ServiceTask);
    value.root_process_instance_key = root;
    value.element_instance_path = path.clone();
    scenario.event(task, On::ElementActivating, value);
    export(db, &[&scenario]);
    let incident = scenario.key();
    let mut value = scenario.incident(child, task, Key::NONE, "deep");
    value.root_process_instance_key = root;
    value.element_instance_path = path;
    value.process_definition_path = vec![definition(), definition()];
    value.calling_element_path = vec![Key(0)];
    scenario.event(incident, of::Incident::Created, value.clone());
    export(db, &[&scenario]);
    let paths = [
        format!("process_instance WHERE tree_path = 'PI_{root}/FN_call/FNI_{activity}/PI_{child}'"),
        format!(
            "incident WHERE tree_path = \
             'PI_{root}/FN_call/FNI_{activity}/PI_{child}/FN_pack/FNI_{task}'"
        ),
    ];
    for path in paths {
        assert_eq!(
            db.number(&format!("SELECT COUNT(*) FROM {path}")),
            1,
            "{path}"
        );
    }
    let counts = |wanted: i64| {
        for instance in [root, child] {
            let sql = format!(
                "SELECT num_incidents FROM process_instance WHERE process_instance_key = {instance}"
            );
            assert_eq!(db.number(&sql), wanted, "{sql}");
        }
        let sql = format!(
            "SELECT num_subprocess_incidents FROM flow_node_instance \
             WHERE flow_node_instance_key = {activity}"
        );
        assert_eq!(db.number(&sql), wanted, "{sql}");
        let sql = format!(
            "SELECT COUNT(*) FROM flow_node_instance WHERE flow_node_instance_key = {task} \
             AND incident_key = {incident}"
        );
        assert_eq!(db.number(&sql), wanted, "{sql}");
    };
    counts(1);
    scenario.event(incident, of::Incident::Resolved, value);
    export(db, &[&scenario]);
    counts(0);
}

#[test]
fn incidents_count_along_the_call_hierarchy() {
    Db::all().iter().for_each(called);
}

fn values(db: &Db) {
    let mut scenario = Scenario::new(1);
    let instance = scenario.key();
    let long = "\u{e9}".repeat(20_000);
    let values = [
        ("long", text_value(&long)),
        ("nul", text_value("a\0b")),
        ("double", raw(|out| msgpack::write_double(out, 2.5))),
        ("max", raw(|out| msgpack::write_int(out, i64::MAX))),
        ("nothing", raw(msgpack::write_nil)),
        ("na\0me", text_value("odd name")),
    ];
    for (name, value) in values {
        let key = scenario.key();
        let value = scenario.variable(instance, instance, name, value);
        scenario.event(key, of::Variable::Created, value);
    }
    export(db, &[&scenario]);
    let count =
        |condition: &str| db.number(&format!("SELECT COUNT(*) FROM variable WHERE {condition}"));
    assert_eq!(
        count(
            "var_name = 'long' AND is_preview AND LENGTH(var_value) = 8191 AND LENGTH(var_full_value) = 20002"
        ),
        1
    );
    assert_eq!(
        count("type = 'DOUBLE' AND double_value = 2.5 AND var_value = '2.5'"),
        1
    );
    assert_eq!(
        count("type = 'LONG' AND long_value = 9223372036854775807"),
        1
    );
    assert_eq!(
        count("type = 'NULL' AND var_value = 'null' AND NOT is_preview"),
        1
    );
    assert_eq!(count("1 = 1"), 6);
    assert_eq!(db.number("SELECT COUNT(*) FROM exporter_error"), 0);
}

#[test]
fn values_keep_their_kind_and_their_whole_text() {
    Db::all().iter().for_each(values);
}

fn retained(db: &Db) {
    let scenario = filled(1, 30);
    let (feed, acknowledged) = feed(&scenario, 64);
    let mut options = options(db);
    options.retain = Some(RetainOptions {
        ttl: Duration::from_millis(1),
        interval: Duration::from_millis(20),
        roots: 3,
        rows: 2,
        ..RetainOptions::default()
    });
    let exporter = Exporter::start(options, vec![feed]).unwrap();
    wait("export", || {
        acknowledged.load(Ordering::Acquire) >= scenario.last()
    });
    let left = scenario.expected.instances - scenario.expected.completed;
    wait("clean-up", || {
        db.number("SELECT COUNT(*) FROM process_instance") == left
    });
    assert_eq!(
        db.number("SELECT COUNT(*) FROM process_instance_tag"),
        2 * left
    );
    assert_eq!(
        db.number("SELECT COUNT(*) FROM flow_node_instance"),
        2 * left
    );
    assert_eq!(db.number("SELECT COUNT(*) FROM job"), left);
    assert_eq!(db.number("SELECT COUNT(*) FROM variable"), 2 * left);
    // The scenario is years old, and so are its counts.
    wait("counts of jobs", || {
        db.number("SELECT COUNT(*) FROM job_metrics_batch") == 0
    });
    // The count follows the deletion it counts.
    let metrics = exporter.metrics();
    wait("the count", || {
        metrics.snapshot(Timestamp(0)).cleaned_roots == scenario.expected.completed as u64
    });
    exporter.stop();
}

#[test]
fn finished_instances_go_when_their_time_is_over_sqlite() {
    retained(&Db::sqlite());
}

#[test]
fn finished_instances_go_when_their_time_is_over_postgres() {
    retained(&Db::postgres());
}

#[test]
fn finished_instances_go_when_their_time_is_over_mariadb() {
    retained(&Db::mariadb());
}

fn started_together(db: &Db) {
    let starts = (0..4).map(|_| {
        let database = db.database();
        std::thread::spawn(move || {
            block_on(async { ringflow_export::migrate::migrate(&database).await.is_ok() })
        })
    });
    for start in starts.collect::<Vec<_>>() {
        assert!(start.join().unwrap());
    }
    let mut columns = Vec::new();
    for table in Table::ALL {
        columns.extend(
            table
                .columns()
                .iter()
                .map(|column| (table.name(), column.name)),
        );
    }
    for table in ListTable::ALL {
        let (name, owner, value) = table.names();
        columns.extend([(name, owner), (name, value)]);
    }
    for (table, column) in columns {
        let sql = match db {
            Db::Sqlite(_) => {
                format!("SELECT COUNT(*) FROM pragma_table_info('{table}') WHERE name = '{column}'")
            }
            Db::Postgres(_) => format!(
                "SELECT COUNT(*) FROM information_schema.columns WHERE table_name = '{table}' \
                 AND column_name = '{column}'"
            ),
            Db::Mariadb(_) => format!(
                "SELECT COUNT(*) FROM information_schema.columns WHERE table_name = '{table}' \
                 AND column_name = '{column}' AND table_schema = 'ringflow' \
                 AND COALESCE(collation_name, 'utf8mb4_nopad_bin') = 'utf8mb4_nopad_bin'"
            ),
        };
        assert_eq!(db.number(&sql), 1, "{table}.{column}");
    }
}

#[test]
fn brokers_may_start_together_and_the_schema_is_what_the_code_says_sqlite() {
    started_together(&Db::sqlite());
}

#[test]
fn brokers_may_start_together_and_the_schema_is_what_the_code_says_postgres() {
    started_together(&Db::postgres());
}

#[test]
fn brokers_may_start_together_and_the_schema_is_what_the_code_says_mariadb() {
    started_together(&Db::mariadb());
}

#[test]
fn a_feed_that_cannot_go_on_ends_its_partition_with_a_reason() {
    struct Broken;
    impl RecordFeed for Broken {
        fn partition(&self) -> PartitionId {
            PartitionId(5)
        }
        fn start(&mut self, _: Position) -> Result<(), ringflow_export::FeedError> {
            Err(ringflow_export::FeedError {
                reason: "compacted".into(),
            })
        }
        fn next(
            &mut self,
        ) -> ringflow_export::feed::FeedFuture<'_, Option<ringflow_export::FeedBatch>> {
            Box::pin(std::future::pending())
        }
        fn acknowledge(&self, _: Position) {}
    }
    let db = Db::sqlite();
    let exporter = Exporter::start(options(&db), vec![Box::new(Broken)]).unwrap();
    let metrics = exporter.metrics();
    wait("the failure", || {
        matches!(
            metrics.snapshot(Timestamp(0)).state,
            ExporterState::Failed(_)
        )
    });
    exporter.stop();
}
