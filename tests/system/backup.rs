//! Backup and restore of the whole: taken under load, restored on empty brokers, and what must not be.
//!
//! What was acknowledged before the backup was asked for is there once, on every partition; what the
//! partitions had sent each other fits together, so that everything that is there can be finished. A
//! backup that is damaged, not whole, behind the database or of another cluster is refused by a
//! sentence, and leaves nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::broker::{Broker, Place, Start, ringflow, until};
use crate::client::{Client, JSON};
use crate::cluster::Cluster;
use crate::models;
use crate::s3::{BUCKET, Bucket};

const READY: Duration = Duration::from_secs(30);
const STORED: Duration = Duration::from_secs(60);
const VISIBLE: Duration = Duration::from_secs(60);
/// How long the load goes on before and after the backup.
const LIFE: Duration = Duration::from_millis(1500);

/// An instance waits for a message, then it is done.
fn waits() -> String {
    let middle = "<bpmn:intermediateCatchEvent id=\"m\">\
                  <bpmn:messageEventDefinition id=\"ed\" messageRef=\"msg\"/>\
                  </bpmn:intermediateCatchEvent>";
    models::file(&format!(
        "<bpmn:message id=\"msg\" name=\"go\"><bpmn:extensionElements>\
         <zeebe:subscription correlationKey=\"=key\"/></bpmn:extensionElements></bpmn:message>\
         <bpmn:process id=\"waits\" isExecutable=\"true\">{}</bpmn:process>",
        models::around(middle)
    ))
}

fn create(client: &mut Client, key: &str) -> Option<String> {
    let body = json!({ "processDefinitionId": "waits", "variables": { "key": key } });
    let answer = client.try_post("/v2/process-instances", &body).ok()?;
    let created = (answer.status < 300).then(|| answer.json())?;
    Some(created["processInstanceKey"].as_str().unwrap().to_owned())
}

/// Publishes once: a message of the same id is refused as long as the first one lives.
fn publish(client: &mut Client, key: &str) -> u16 {
    let body = json!({
        "name": "go", "correlationKey": key, "messageId": key, "timeToLive": 600_000,
    });
    let answer = client.try_post("/v2/messages/publication", &body);
    answer.map_or(0, |answer| answer.status)
}

fn take(broker: &Broker, id: i64) -> crate::client::Answer {
    let body = json!({ "backupId": id }).to_string();
    let mut probe = broker.probe();
    probe
        .send("POST", "/actuator/backupRuntime", &[JSON], body.as_bytes())
        .unwrap()
}

/// Takes a backup where the cluster gives the number.
fn take_next(broker: &Broker) -> i64 {
    let mut probe = broker.probe();
    let taken = probe
        .send("POST", "/actuator/backupRuntime", &[], &[])
        .unwrap();
    assert_eq!(taken.status, 202, "{taken:?}");
    let said = taken.json()["message"].as_str().unwrap().to_owned();
    let id = said.strip_prefix("A backup with id ").expect(&said);
    id.split_whitespace().next().unwrap().parse().expect(&said)
}

/// Waits until every replica has a snapshot, so that the log before it may go.
fn wait_snapshots(cluster: &Cluster) {
    until("all replicas have a snapshot", READY, || {
        let has = |node: usize| {
            let text = cluster
                .broker(node)
                .probe()
                .get("/actuator/prometheus")
                .body;
            let counts = text
                .lines()
                .filter(|line| line.starts_with("zeebe_snapshot_count_total"));
            let taken = counts.filter(|line| !line.ends_with(" 0")).count();
            taken == 3
        };
        (0..3).all(has).then_some(())
    });
}

fn state(broker: &Broker, id: i64) -> Value {
    let path = format!("/actuator/backupRuntime/{id}");
    broker.probe().get(&path).json()
}

fn wait_stored(broker: &Broker, id: i64) -> Value {
    until("the backup is stored", STORED, || {
        let found = state(broker, id);
        assert_ne!(found["state"], "FAILED", "{found}");
        (found["state"] == "COMPLETED").then_some(found)
    })
}

/// Runs `restore` in a place; what it said and whether it worked.
fn restore(place: &Place, start: &Start, arguments: &[&str]) -> Result<String, String> {
    let mut command = ringflow();
    command
        .arg("restore")
        .arg("--data-dir")
        .arg(place.data())
        .env("RINGFLOW_SHARDS_CORES", "none")
        .args(&start.arguments)
        .args(arguments)
        .current_dir(place.path());
    for (name, value) in &start.environment {
        command.env(name, value);
    }
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let sentence = said.lines().rfind(|line| line.starts_with("ringflow: "));
    Err(sentence.unwrap_or_else(|| panic!("{said}")).to_owned())
}

/// Creates and publishes until told to stop; what was acknowledged, by correlation key.
fn load(
    brokers: &[std::net::SocketAddr],
    prefix: &str,
    stop: &AtomicBool,
    book: &Mutex<BTreeMap<String, String>>,
) {
    std::thread::scope(|scope| {
        for thread in 0..3 {
            scope.spawn(move || {
                let mut client = Client::new(brokers[thread % brokers.len()]);
                let mut number = 0;
                while !stop.load(Ordering::Relaxed) {
                    number += 1;
                    let key = format!("{prefix}-{thread}-{number}");
                    if let Some(instance) = create(&mut client, &key) {
                        book.lock().unwrap().insert(key.clone(), instance);
                    }
                    // Two of three are sent while the load runs.
                    if number % 3 > 0 {
                        publish(&mut client, &key);
                    }
                }
            });
        }
    });
}

/// Copies a database that nobody writes to.
fn copy_database(from: &Path, to: &Path) {
    for end in ["", "-wal", "-shm"] {
        let name = |path: &Path| format!("{}{end}", path.display());
        let _ = std::fs::remove_file(name(to));
        if std::fs::exists(name(from)).unwrap() {
            std::fs::copy(name(from), name(to)).unwrap();
        }
    }
}

fn keys_of(instances: &[Value]) -> Vec<String> {
    let key = |it: &Value| it["processInstanceKey"].as_str().unwrap().to_owned();
    instances.iter().map(key).collect()
}

fn instances(client: &mut Client) -> Vec<Value> {
    let filter = json!({ "processDefinitionId": "waits" });
    client.search(
        "/v2/process-instances/search",
        &filter,
        "processInstanceKey",
    )
}

#[test]
fn a_cluster_is_restored_on_empty_brokers_as_it_was_at_the_checkpoint() {
    let kept = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::prepared(3, |start| {
        start
            .variable("RINGFLOW_BACKUP_STORE", "filesystem")
            .variable(
                "ZEEBE_BROKER_DATA_BACKUP_FILESYSTEM_BASEPATH",
                &kept.path().display().to_string(),
            )
            .variable("RINGFLOW_BACKUP_CONTINUOUS", "true")
            .variable("RINGFLOW_DATA_SNAPSHOT_PERIOD", "10s")
    });
    (0..3).for_each(|node| cluster.start(node));
    cluster.wait_ready();
    let mut client = cluster.client(0);
    let deployed = client.deploy("waits.bpmn", &waits()).unwrap();
    assert_eq!(deployed.status, 200, "{deployed:?}");
    let rest: Vec<_> = (0..3).map(|node| cluster.broker(node).rest).collect();
    let mut tries = 0;
    until("every partition knows the process", READY, || {
        tries += 1;
        let found: BTreeSet<u64> = (0..6)
            .filter_map(|number| create(&mut client, &format!("first-{tries}-{number}")))
            .map(|key| key.parse::<u64>().unwrap() >> 51)
            .collect();
        (found.len() == 3).then_some(())
    });

    // From this backup on the log is kept until the next one, whatever is exported.
    let first = take_next(cluster.broker(0));
    wait_stored(cluster.broker(0), first);
    let book = Mutex::new(BTreeMap::new());
    let under_load = |prefix: &str, meanwhile: &dyn Fn()| {
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| load(&rest, prefix, &stop, &book));
            meanwhile();
            stop.store(true, Ordering::Relaxed);
        });
    };
    under_load("early", &|| std::thread::sleep(LIFE));
    let early = book.lock().unwrap().clone();
    until("the early instances are in the history", VISIBLE, || {
        let found: BTreeSet<String> = keys_of(&instances(&mut client)).into_iter().collect();
        early.values().all(|key| found.contains(key)).then_some(())
    });
    wait_snapshots(&cluster);
    let copied = tempfile::tempdir().unwrap();
    let copy = copied.path().join("history.db");
    // A transaction at a time, and none while nothing happens.
    std::thread::sleep(Duration::from_secs(1));
    copy_database(&cluster.database(), &copy);

    let before = Mutex::new(BTreeMap::new());
    let taken = Mutex::new(0);
    under_load("late", &|| {
        std::thread::sleep(LIFE);
        *before.lock().unwrap() = book.lock().unwrap().clone();
        let id = take_next(cluster.broker(1));
        *taken.lock().unwrap() = id;
        let stored = wait_stored(cluster.broker(2), id);
        for partition in stored["details"].as_array().unwrap() {
            assert!(partition["snapshotId"].is_string(), "{stored}");
        }
        std::thread::sleep(LIFE / 3);
    });
    let id = taken.into_inner().unwrap();
    let chosen = take(cluster.broker(0), id + 1);
    assert_eq!(chosen.status, 400, "numbers are not chosen: {chosen:?}");
    let before = before.into_inner().unwrap();
    let after = client.deploy("later.bpmn", &models::task("later")).unwrap();
    assert_eq!(after.status, 200);
    drop(client);

    (0..3).for_each(|node| cluster.kill(node));
    for place in &cluster.places {
        place.assert_no_panic();
        std::fs::remove_dir_all(place.data()).unwrap();
    }
    copy_database(&copy, &cluster.database());
    for node in 0..3 {
        let start = cluster.start_of(node).clone();
        let id = id.to_string();
        let said = restore(&cluster.places[node], &start, &["--backup-id", &id]).unwrap();
        let wanted = format!("restored backup {id}: 3 partitions");
        assert!(said.starts_with(&wanted), "{said}");
    }
    (0..3).for_each(|node| cluster.start(node));
    cluster.wait_ready();

    let mut client = cluster.client(0);
    let found = until("what was acknowledged is in the history", VISIBLE, || {
        let found = instances(&mut client);
        let keys: BTreeSet<String> = keys_of(&found).into_iter().collect();
        let missing = before.values().filter(|key| !keys.contains(*key)).count();
        (missing == 0).then_some(found)
    });
    let keys: BTreeSet<String> = keys_of(&found).into_iter().collect();
    assert_eq!(keys.len(), found.len(), "each once");
    let later = json!({ "processDefinitionId": "later" });
    let later = client.search("/v2/process-definitions/search", &later, "name");
    assert!(later.is_empty(), "what came later is not there: {later:?}");

    // Everything that is there can be finished, whichever messages had been sent.
    let variables = client.search(
        "/v2/variables/search",
        &json!({ "name": "key" }),
        "processInstanceKey",
    );
    for variable in &variables {
        let key: Value = serde_json::from_str(variable["value"].as_str().unwrap()).unwrap();
        let status = publish(&mut client, key.as_str().unwrap());
        assert!(status == 200 || status == 409, "{key}: {status}");
    }
    until("everything that was restored is finished", VISIBLE, || {
        let found = instances(&mut client);
        found
            .iter()
            .all(|it| it["state"] == "COMPLETED")
            .then_some(())
    });
    let caught = client.search(
        "/v2/element-instances/search",
        &json!({ "elementId": "m" }),
        "elementInstanceKey",
    );
    let of: BTreeSet<String> = keys_of(&caught).into_iter().collect();
    assert_eq!(
        (caught.len(), of.len()),
        (found.len(), found.len()),
        "each caught one message"
    );
    eprintln!(
        "backup: {} acknowledged before it, {} restored",
        before.len(),
        found.len()
    );
    // It goes on: new instances on every partition, and a new backup.
    let partitions: BTreeSet<u64> = (0..6)
        .filter_map(|number| create(&mut client, &format!("new-{number}")))
        .map(|key| key.parse::<u64>().unwrap() >> 51)
        .collect();
    assert_eq!(partitions.len(), 3);
    let next = take_next(cluster.broker(0));
    wait_stored(cluster.broker(0), next);
    drop(client);
    // What brokers tell of themselves is half a second old.
    std::thread::sleep(Duration::from_secs(2));
    cluster.wait_caught_up();
    // All at once: whoever is left would go on.
    (0..3).for_each(|node| cluster.kill(node));
    let states: Vec<Vec<(String, String)>> = cluster
        .places
        .iter()
        .map(|place| {
            place.assert_no_panic();
            let digests = place.digests().into_iter();
            digests
                .map(|(partition, state, _)| (partition, state))
                .collect()
        })
        .collect();
    assert_eq!(states[0], states[1], "broker 0 and 1");
    assert_eq!(states[0], states[2], "broker 0 and 2");
}

fn in_bucket(bucket: &Bucket) -> Start {
    Start::with(&["--partitions", "2"])
        .variable("CAMUNDA_DATA_PRIMARYSTORAGE_BACKUP_STORE", "S3")
        .variable("CAMUNDA_DATA_PRIMARYSTORAGE_BACKUP_S3_BUCKETNAME", BUCKET)
        .variable(
            "CAMUNDA_DATA_PRIMARYSTORAGE_BACKUP_S3_ENDPOINT",
            &bucket.endpoint(),
        )
        .variable("RINGFLOW_BACKUP_S3_REGION", "here-1")
        .variable("RINGFLOW_BACKUP_S3_ACCESS_KEY", "key")
        .variable("RINGFLOW_BACKUP_S3_SECRET_KEY", "secret")
        .variable("RINGFLOW_BACKUP_S3_FORCE_PATH_STYLE_ACCESS", "true")
}

/// Starts, deploys, and creates some instances.
fn with_instances(place: &Place, start: &Start, count: usize) -> (Broker, BTreeSet<String>) {
    let broker = place.start(start);
    let mut client = broker.client();
    client.deploy("waits.bpmn", &waits()).unwrap();
    let created = until("both partitions create instances", READY, || {
        let created: BTreeSet<String> = (0..count)
            .filter_map(|number| create(&mut client, &format!("k-{number}")))
            .collect();
        let partitions: BTreeSet<u64> = created
            .iter()
            .map(|key| key.parse::<u64>().unwrap() >> 51)
            .collect();
        (partitions.len() == 2).then_some(created)
    });
    (broker, created)
}

fn wait_visible(broker: &Broker, wanted: &BTreeSet<String>) {
    let mut client = broker.client();
    until("the instances are in the history", VISIBLE, || {
        let found: BTreeSet<String> = keys_of(&instances(&mut client)).into_iter().collect();
        wanted.is_subset(&found).then_some(())
    });
}

#[test]
fn backups_in_a_bucket_are_listed_restored_and_refused_when_they_do_not_fit() {
    let bucket = Bucket::start();
    let start = in_bucket(&bucket);
    let place = Place::new();
    let (broker, created) = with_instances(&place, &start, 10);
    wait_visible(&broker, &created);
    assert_eq!(take(&broker, 0).status, 400);
    assert_eq!(
        state(&broker, 3)["message"],
        "Backup with id 3 does not exist"
    );
    assert_eq!(take(&broker, 3).status, 202);
    let stored = wait_stored(&broker, 3);
    let first = &stored["details"][0];
    assert_eq!(first["partitionId"], 1, "{stored}");
    assert_eq!(first["firstLogPosition"], 1, "{stored}");
    assert!(
        first["checkpointPosition"].as_u64().unwrap() > 1,
        "{stored}"
    );
    let older = take(&broker, 2);
    assert_eq!(older.status, 409, "{older:?}");
    assert!(
        older.body.contains("The latest backup has ID 3."),
        "{older:?}"
    );
    // More instances, and a second backup that is behind them.
    let mut client = broker.client();
    let more: BTreeSet<String> = (0..4)
        .filter_map(|number| create(&mut client, &format!("more-{number}")))
        .collect();
    let taken = client.post("/v2/backups/runtime", &json!({ "backupId": 5 }));
    assert_eq!(taken["backupId"], 5);
    wait_stored(&broker, 5);
    let listed = broker.probe().get("/actuator/backupRuntime").json();
    let ids: Vec<i64> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["backupId"].as_i64().unwrap())
        .collect();
    assert_eq!(ids, [5, 3], "{listed}");
    let told = broker.probe().get("/actuator/backupRuntime/state").json();
    assert_eq!(told["checkpointStates"][1]["checkpointId"], 5, "{told}");
    assert_eq!(told["ranges"][0]["start"]["checkpointId"], 3, "{told}");
    assert_eq!(told["ranges"][0]["end"]["checkpointId"], 5, "{told}");
    wait_visible(&broker, &more);
    drop(client);
    broker.kill();
    assert!(bucket.in_parts() < bucket.names().len());

    // The directory holds something.
    let refused = restore(&place, &start, &["--backup-id", "5"]).unwrap_err();
    assert!(refused.contains("is not empty"), "{refused}");
    // The database has what backup 3 does not know.
    std::fs::remove_dir_all(place.data().join("partitions")).unwrap();
    let refused = restore(&place, &start, &["--backup-id", "3"]).unwrap_err();
    assert!(
        refused.contains("the database is ahead of backup 3"),
        "{refused}"
    );
    let refused = restore(&place, &start, &["--backup-id", "4"]).unwrap_err();
    assert!(refused.contains("backup 4 does not exist"), "{refused}");
    let mut of_three = start.clone();
    of_three.arguments[1] = "3".to_owned();
    let refused = restore(&place, &of_three, &["--backup-id", "3"]).unwrap_err();
    assert!(refused.contains("is not whole"), "{refused}");

    // Without the database the whole history is made again from the log.
    for end in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(place.data().join(format!("secondary.db{end}")));
    }
    let log = bucket
        .names()
        .into_iter()
        .find(|name| name.starts_with("contents/2/3/") && name.contains("/log/"))
        .unwrap();
    bucket.change(&log, |bytes| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
    });
    let refused = restore(&place, &start, &["--backupId", "3"]).unwrap_err();
    assert!(
        refused.contains(&log) && refused.contains("damaged"),
        "{refused}"
    );
    bucket.change(&log, |bytes| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
    });
    let said = restore(&place, &start, &["--backup-id", "3"]).unwrap();
    assert!(
        said.starts_with("restored backup 3: 2 partitions"),
        "{said}"
    );
    let broker = place.start(&start);
    wait_visible(&broker, &created);
    let found: BTreeSet<String> = keys_of(&instances(&mut broker.client()))
        .into_iter()
        .collect();
    assert!(found.is_disjoint(&more), "what came later is not there");
    // Numbers go on behind the restored backup; what is deleted is gone.
    assert_eq!(take(&broker, 3).status, 409);
    assert_eq!(take(&broker, 9).status, 202);
    wait_stored(&broker, 9);
    for id in [3, 5, 9] {
        let path = format!("/actuator/backupRuntime/{id}");
        let deleted = broker.probe().send("DELETE", &path, &[], &[]).unwrap();
        assert_eq!(deleted.status, 204);
        assert_eq!(broker.probe().get(&path).status, 404);
    }
    assert_eq!(bucket.names(), Vec::<String>::new());
    assert!(broker.stop().success());
    place.assert_no_panic();
}

#[test]
fn without_a_store_backups_are_refused_in_words() {
    let place = Place::new();
    let broker = place.start(&Start::default());
    let refused = take(&broker, 1);
    assert_eq!(refused.status, 400);
    assert!(
        refused.body.contains("No backup store is configured"),
        "{refused:?}"
    );
    let history = broker.probe().get("/actuator/backupHistory");
    assert_eq!(history.status, 404);
    assert!(history.body.contains("relational database"), "{history:?}");
    let told = broker.client().get("/v2/backups/runtime");
    assert_eq!(told.status, 403, "{told:?}");
    drop(broker);
    let refused = restore(&place, &Start::default(), &[]).unwrap_err();
    assert!(
        refused.contains("no backup store is configured"),
        "{refused}"
    );
}
