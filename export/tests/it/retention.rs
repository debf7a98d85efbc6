//! What is kept how long, as it is configured: by process, by kind of batch operation, counts of
//! usage. And whose operations are audited.

use std::collections::BTreeMap;
use std::time::Duration;

use ringflow_core::ids::Key;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::*;
use ringflow_export::{Audit, AuditedBy, Exporter, ExporterOptions, RetainOptions};

use super::database::{Db, block_on};
use super::export::{feed, options, wait};
use super::records::Scenario;

const HOUR: Duration = Duration::from_secs(3600);

fn run(db: &Db, scenario: &Scenario, options: ExporterOptions) {
    let (feed, acknowledged) = feed(scenario, 1000);
    let exporter = Exporter::start(options, vec![feed]).unwrap();
    let last = scenario.last();
    wait("everything is exported", || {
        acknowledged.load(std::sync::atomic::Ordering::Acquire) == last
    });
    exporter.stop();
    drop(db.database());
}

fn ended(scenario: &mut Scenario, process: &str) -> Key {
    use of::ProcessInstance as On;
    let key = scenario.key();
    let mut value = scenario.element(key, process, BpmnElementType::Process);
    value.bpmn_process_id = process.into();
    scenario.event(key, On::ElementActivating, value.clone());
    scenario.event(key, On::ElementCompleted, value);
    key
}

/// Milliseconds between the end of something and its clean-up, in a file.
fn kept(db: &Db, table: &str, end: &str, key: Key) -> i64 {
    db.number(&format!(
        "SELECT history_cleanup_date - {end} FROM {table} WHERE {table}_key = {key}"
    ))
}

#[test]
fn processes_and_kinds_have_times_of_their_own() {
    let db = Db::sqlite();
    let mut scenario = Scenario::new(1);
    let short = ended(&mut scenario, "short");
    let usual = ended(&mut scenario, "usual");
    let batch = |scenario: &mut Scenario, kind: BatchOperationType| {
        let key = scenario.key();
        let creation = BatchOperationCreationRecord {
            batch_operation_key: key,
            batch_operation_type: kind,
            ..BatchOperationCreationRecord::default()
        };
        scenario.event(key, of::BatchOperationCreation::Created, creation);
        key
    };
    let end = |scenario: &mut Scenario, key: Key| {
        let done = BatchOperationLifecycleManagementRecord {
            batch_operation_key: key,
            ..BatchOperationLifecycleManagementRecord::default()
        };
        let completed = of::BatchOperationLifecycleManagement::Completed;
        scenario.event(key, completed, done);
    };
    let cancel = batch(&mut scenario, BatchOperationType::CancelProcessInstance);
    let modify = batch(&mut scenario, BatchOperationType::ModifyProcessInstance);
    let late = batch(&mut scenario, BatchOperationType::CancelProcessInstance);
    end(&mut scenario, cancel);
    end(&mut scenario, modify);
    let retain = RetainOptions {
        ttl: 10 * HOUR,
        process_ttl: BTreeMap::from([("short".to_owned(), HOUR)]),
        batch_ttl: 3 * HOUR,
        batch_type_ttl: BTreeMap::from([("CANCEL_PROCESS_INSTANCE".to_owned(), 2 * HOUR)]),
        interval: HOUR,
        ..RetainOptions::default()
    };
    let with = |retain: &RetainOptions| ExporterOptions {
        retain: Some(retain.clone()),
        ..options(&db)
    };
    run(&db, &scenario, with(&retain));
    // An operation that began before a restart is ended by an exporter that did not see it begin.
    end(&mut scenario, late);
    run(&db, &scenario, with(&retain));
    let hour = 3_600_000;
    assert_eq!(kept(&db, "process_instance", "end_date", short), hour);
    assert_eq!(kept(&db, "process_instance", "end_date", usual), 10 * hour);
    assert_eq!(kept(&db, "batch_operation", "end_date", cancel), 2 * hour);
    assert_eq!(kept(&db, "batch_operation", "end_date", modify), 3 * hour);
    assert_eq!(kept(&db, "batch_operation", "end_date", late), 2 * hour);
}

#[test]
fn counts_of_usage_go_when_their_time_is_over() {
    for db in Db::all() {
        let mut scenario = Scenario::new(1);
        ended(&mut scenario, "p");
        let task = UserTaskRecord {
            user_task_key: Key(5),
            assignee: "ann".into(),
            ..UserTaskRecord::default()
        };
        scenario.event(Key(5), of::UserTask::Assigned, task);
        let mut options = options(&db);
        options.retain = Some(RetainOptions {
            // Records are of the year 2023.
            usage_ttl: HOUR,
            usage_interval: Duration::from_millis(20),
            interval: Duration::from_millis(20),
            rows: 1,
            percent: 100,
            ..RetainOptions::default()
        });
        // Tables are looked at before anything is there.
        block_on(async {
            ringflow_export::migrate::migrate(&db.database())
                .await
                .unwrap()
        });
        let (feed, _) = feed(&scenario, 1000);
        let exporter = Exporter::start(options, vec![feed]).unwrap();
        let exported = "SELECT COUNT(*) FROM process_instance";
        wait("it is exported", || db.number(exported) == 1);
        for table in ["usage_metric", "usage_metric_tu"] {
            let sql = format!("SELECT COUNT(*) FROM {table}");
            wait("counts go", || db.number(&sql) == 0);
        }
        exporter.stop();
    }
}

fn claimed(scenario: &mut Scenario, user: &str, client: bool) {
    let key = scenario.key();
    let record = RoleRecord {
        role_key: key,
        role_id: "r".into(),
        ..RoleRecord::default()
    };
    scenario.asked(user, key, of::Role::Create, record.clone());
    if client && let Some(command) = scenario.records.last_mut() {
        use ringflow_core::msgpack;
        let mut claims = Vec::new();
        msgpack::write_map_header(&mut claims, 1);
        msgpack::write_str(&mut claims, "authorized_client_id");
        msgpack::write_str(&mut claims, user);
        command.authorization = ringflow_core::record::Document::from(claims);
    }
    scenario.caused(key, of::Role::Created, record, None);
}

#[test]
fn who_is_audited_is_configured() {
    let admin = AuditedBy::new(&["ADMIN"], &[]).unwrap();
    let tasks = AuditedBy::new(&["USER_TASKS"], &[]).unwrap();
    let no_roles = AuditedBy::new(AuditedBy::CATEGORIES, &["ROLE"]).unwrap();
    let of = |user, client| Audit { user, client };
    let nothing = AuditedBy::NOTHING;
    for (audit, users, clients) in [
        (Audit::default(), 1, 0),
        (of(AuditedBy::ALL, admin), 1, 1),
        (of(nothing, admin), 0, 1),
        (of(tasks, no_roles), 0, 0),
        (Audit::NONE, 0, 0),
    ] {
        let db = Db::sqlite();
        let mut scenario = Scenario::new(1);
        claimed(&mut scenario, "ann", false);
        claimed(&mut scenario, "worker", true);
        claimed(&mut scenario, "", false);
        let options = ExporterOptions {
            audit,
            ..options(&db)
        };
        run(&db, &scenario, options);
        let of = |kind: &str| {
            let sql = format!("SELECT COUNT(*) FROM audit_log WHERE actor_type = '{kind}'");
            db.number(&sql)
        };
        assert_eq!((of("USER"), of("CLIENT")), (users, clients), "{audit:?}");
        assert_eq!(db.number("SELECT COUNT(*) FROM audit_log"), users + clients);
    }
}
