//! Settings and surroundings that cannot work: each start ends with code 1 and one sentence.
//!
//! The sentence names the setting, its value, where the value came from and what it must be; a wrong
//! command line ends with code 2 and the usage instead. What is refused leaves nothing behind that a
//! corrected start would trip over.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use crate::broker::{Place, Start, ringflow};
use crate::models::task;

/// Arguments, environment, and parts of the sentence.
type Case = (
    &'static [&'static str],
    &'static [(&'static str, &'static str)],
    &'static [&'static str],
);

const CASES: &[Case] = &[
    (
        &[],
        &[("RINGFLOW_NONSENSE", "1")],
        &["environment: unknown setting 'RINGFLOW_NONSENSE'"],
    ),
    (
        &["--partitions", "0"],
        &[],
        &[
            "'cluster.partition-count' is '0' (command line)",
            "1 to 1024",
        ],
    ),
    (
        &["--partitions", "many"],
        &[],
        &["'cluster.partition-count' is 'many' (command line)"],
    ),
    (
        &["--partitions", "1025"],
        &[],
        &["'cluster.partition-count' is '1025' (command line)"],
    ),
    (
        &["--io", "fast"],
        &[],
        &["'shards.io' is 'fast'", "one of auto, uring, plain"],
    ),
    (&["--cores", "3-1"], &[], &["'shards.cores' is '3-1'"]),
    (
        &["--cores", "4000"],
        &[],
        &["core 4000 is named for a shard but this host has cores 0 to"],
    ),
    (
        &["--rest-address", "nonsense"],
        &[],
        &["'api.rest.address' is 'nonsense'", "HOST:PORT"],
    ),
    (
        &["--grpc-address", "127.0.0.1:99999"],
        &[],
        &["'api.grpc.address' is '127.0.0.1:99999'"],
    ),
    (
        &["--secondary-storage", "jdbc:oracle:thin:@//h/s"],
        &[],
        &["'secondary-storage.url'", "oracle is not supported yet"],
    ),
    (
        &["--secondary-storage", "sqlite::memory:"],
        &[],
        &["sqlite: needs the path of a file"],
    ),
    (
        &["--config", "nowhere.toml"],
        &[],
        &["configuration file nowhere.toml"],
    ),
    (
        &[],
        &[("RINGFLOW_DATA_SNAPSHOT_PERIOD", "1s")],
        &["'data.snapshot-period' is '1s' (environment)"],
    ),
    (
        &[],
        &[("RINGFLOW_DATA_LOG_SEGMENT_SIZE", "8MB")],
        &["'data.log-segment-size' is '8MB'", "16MB to 1024MB"],
    ),
    (
        &[],
        &[("RINGFLOW_DATA_STATE_MEMORY", "lots")],
        &["'data.state-memory' is 'lots'"],
    ),
    (
        &[],
        &[("RINGFLOW_API_REQUEST_TIMEOUT", "-5s")],
        &["'api.request-timeout' is '-5s'"],
    ),
    (
        &[],
        &[("RINGFLOW_ENGINE_TIME_ZONE", "Mars/Base")],
        &["'engine.time-zone' is 'Mars/Base'", "Europe/Berlin"],
    ),
    (
        &[],
        &[("RINGFLOW_API_THREADS", "0")],
        &["'api.threads' is '0'"],
    ),
    (
        &[],
        &[("RINGFLOW_SECURITY_USERS", "demo")],
        &["'security.users' is '***'", "NAME:PASSWORD"],
    ),
    (
        &[],
        &[
            ("RINGFLOW_SECURITY_UNPROTECTED_API", "false"),
            ("RINGFLOW_SECONDARY_STORAGE_TYPE", "none"),
        ],
        &["'security.unprotected-api' is 'false'"],
    ),
    (
        &[],
        &[("CAMUNDA_SECURITY_INITIALIZATION_USERS_0_NICK", "x")],
        &["security.initialization", "users[0].NICK"],
    ),
    (
        &[],
        &[("RINGFLOW_SECURITY_AUTHENTICATION_METHOD", "magic")],
        &["'security.authentication-method' is 'magic'", "basic"],
    ),
    (
        &[],
        &[("RINGFLOW_LOG_FORMAT", "xml")],
        &["'log.format' is 'xml'", "text, json"],
    ),
    (&[], &[("RINGFLOW_LOG_LEVEL", "a=b=c")], &["'log.level'"]),
    (
        &[],
        &[
            ("CAMUNDA_CLUSTER_PARTITIONCOUNT", "3"),
            ("ZEEBE_BROKER_CLUSTER_PARTITIONSCOUNT", "4"),
        ],
        &["are the same setting (cluster.partition-count) but differ"],
    ),
    (
        &[],
        &[("CAMUNDA_DATA_SECONDARY_STORAGE_TYPE", "elasticsearch")],
        &["'secondary-storage.type' is 'elasticsearch'"],
    ),
];

fn refused(place: &Place, start: &Start, parts: &[&str]) {
    match place.try_start(start) {
        Ok(_) => panic!("{start:?} started"),
        Err(refusal) => {
            let sentence = refusal.sentence();
            let fits = parts.iter().all(|part| sentence.contains(part));
            assert!(fits && refusal.code == Some(1), "{start:?}: {refusal:?}");
        }
    }
}

#[test]
fn settings_that_do_not_fit_are_refused() {
    let place = Place::new();
    for (arguments, environment, parts) in CASES {
        let mut start = Start::with(arguments);
        for (name, value) in *environment {
            start = start.variable(name, value);
        }
        refused(&place, &start, parts);
    }
    for (name, content, parts) in [
        (
            "a.toml",
            "[cluster]\npartitions = 3\n",
            "unknown setting 'cluster.partitions'",
        ),
        ("b.toml", "[cluster\n", "configuration file b.toml: "),
        ("c.yaml", "cluster: [\n", "configuration file c.yaml: "),
        (
            "d.toml",
            "[data]\nsnapshot-period = 5\n",
            "'data.snapshot-period' is '5' (configuration file d.toml)",
        ),
    ] {
        fs::write(place.path().join(name), content).unwrap();
        refused(&place, &Start::with(&["--config", name]), &[parts]);
    }
    fs::write(place.path().join("e.toml"), vec![b'#'; 2 << 20]).unwrap();
    refused(&place, &Start::with(&["--config", "e.toml"]), &["e.toml"]);
    // What was refused has left nothing that a right start would trip over.
    let broker = place.start(&Start::default());
    assert_eq!(broker.stop().code(), Some(0));
    place.assert_no_panic();
    eprintln!("bad settings: {} cases", CASES.len() + 5);
}

#[test]
fn a_wrong_command_line_ends_with_the_usage() {
    for arguments in [
        &["start", "--nonsense"][..],
        &["nonsense"],
        &[],
        &["start", "--partitions"],
        &["inspect"],
        &["demo", "--orders", "0"],
    ] {
        let output = ringflow().args(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(
            said.contains("Usage") || said.contains("error:"),
            "{arguments:?}: {said}"
        );
        assert!(!said.contains("panicked"), "{said}");
    }
}

#[test]
fn what_belongs_to_another_is_left_alone() {
    let place = Place::new();
    let broker = place.start(&Start::with(&["--partitions", "1"]));
    // A second process on the same directory.
    let id = format!("is in use by process {}; stop it first", broker.id());
    refused(&place, &Start::with(&["--partitions", "1"]), &[&id]);
    let output = ringflow()
        .args(["inspect", "log"])
        .arg(place.data())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.code() == Some(1) && said.contains(&id),
        "{said}"
    );
    // A second process on the same ports, for each of them.
    for (flag, address) in [
        ("--rest-address", broker.rest),
        ("--grpc-address", broker.grpc),
        ("--management-address", broker.management),
    ] {
        let text = address.to_string();
        refused(
            &Place::new(),
            &Start::with(&[flag, &text]),
            &[&text, "in use"],
        );
    }
    let foreign = TcpListener::bind("127.0.0.1:0").unwrap();
    let text = foreign.local_addr().unwrap().to_string();
    refused(
        &Place::new(),
        &Start::with(&["--rest-address", &text]),
        &[&text, "in use"],
    );
    // The first one has not noticed any of it.
    let mut client = broker.client();
    assert_eq!(client.deploy("a.bpmn", &task("left")).unwrap().status, 200);
    client.post(
        "/v2/process-instances",
        &json!({ "processDefinitionId": "left" }),
    );
    assert_eq!(broker.stop().code(), Some(0));
    // The number of partitions is part of the data.
    refused(
        &place,
        &Start::with(&["--partitions", "3"]),
        &["partition", "3"],
    );
    let broker = place.start(&Start::with(&["--partitions", "1"]));
    assert_eq!(broker.stop().code(), Some(0));
    place.assert_no_panic();

    let place = Place::new();
    fs::create_dir(place.data()).unwrap();
    fs::write(place.data().join("letter.txt"), "dear").unwrap();
    refused(
        &place,
        &Start::default(),
        &["it holds \"letter.txt\"", "not a Ringflow data directory"],
    );
    let left = fs::read_dir(place.data()).unwrap().count();
    assert_eq!(left, 1, "a foreign directory was written to");
    let place = Place::new();
    fs::write(place.data(), "a file").unwrap();
    refused(&place, &Start::default(), &["data"]);
    assert_eq!(fs::read_to_string(place.data()).unwrap(), "a file");
    let place = Place::new();
    let file = place.path().join("data");
    fs::create_dir(&file).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o500)).unwrap();
    // Who may write everywhere is not stopped by permissions.
    if fs::write(file.join("probe"), "").is_err() {
        refused(&place, &Start::default(), &["data"]);
    } else {
        eprintln!("permissions do not bind this user: not tested");
    }
}

#[test]
fn inspection_of_nothing_says_so() {
    let place = Place::new();
    for (arguments, says) in [
        (
            vec!["inspect", "log", "nowhere"],
            "the data directory nowhere does not exist",
        ),
        (vec!["inspect", "state", "."], "no VERSION file"),
    ] {
        fs::write(place.path().join("something"), "").unwrap();
        let output = ringflow()
            .args(&arguments)
            .current_dir(place.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(says), "{said}");
    }
}
