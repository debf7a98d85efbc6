//! The files under `deploy/`, as far as they can be tried without Kubernetes and systemd.
//!
//! Three brokers are started with the environment that the manifest gives to its pods: names become
//! loopback addresses, secrets become files, the database a file. Settings that do not exist are
//! refused by the program itself, so that a manifest that is behind it fails here. The unit's command
//! line is run with a settings file of its own.

use std::net::TcpListener;
use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use serde_json::Value;

use crate::broker::{Broker, Place, Start, until};
use crate::client::Client;
use crate::cluster::READY;

const MANIFEST: &str = include_str!("../../deploy/kubernetes.yaml");
const UNIT: &str = include_str!("../../deploy/ringflow.service");
/// Where the manifest puts its secrets.
const SECRETS: &str = "/etc/ringflow";

/// The only container of the manifest's only set of pods, and the set.
fn stateful_set() -> Value {
    let documents: Vec<Value> = serde_saphyr::from_multiple(MANIFEST).unwrap();
    let mut sets = documents
        .into_iter()
        .filter(|it| it["kind"] == "StatefulSet");
    sets.next().expect("a set of pods")
}

/// What the two secrets hold, in the shape of cert-manager, for a broker that signed itself.
fn secrets(directory: &Path) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = params.self_signed(&key).unwrap();
    for secret in ["peer-tls", "api-tls"] {
        let of_broker = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["ringflow".to_owned()]).unwrap();
        let signed = params.signed_by(&of_broker, &authority, &key).unwrap();
        let place = directory.join(secret);
        std::fs::create_dir(&place).unwrap();
        std::fs::write(place.join("tls.crt"), signed.pem()).unwrap();
        std::fs::write(place.join("tls.key"), of_broker.serialize_pem()).unwrap();
        std::fs::write(place.join("ca.crt"), authority.pem()).unwrap();
    }
}

/// How the manifest starts pod `node`, in a world of loopback addresses and files.
fn pod(container: &Value, node: usize, peers: &[String], secrets: &Path, url: &str) -> Start {
    let name = format!("ringflow-{node}");
    let said = container["args"][0].as_str().unwrap();
    assert_eq!(
        said, "exec /usr/local/bin/ringflow start --node-id \"${POD_NAME##*-}\"",
        "the test starts what the pod does"
    );
    let mut start = Start::with(&["--node-id", &node.to_string()]);
    for variable in container["env"].as_array().unwrap() {
        let key = variable["name"].as_str().unwrap();
        let value = match (key, variable["value"].as_str()) {
            // Said by the place the test keeps the data in.
            ("POD_NAME" | "RINGFLOW_DATA_DIRECTORY", _) => continue,
            ("RINGFLOW_SECONDARY_STORAGE_URL", None) => url.to_owned(),
            (_, Some(value)) => value.replace("$(POD_NAME)", &name),
            (_, None) => panic!("{key} has a value that the test does not know"),
        };
        let mut value = value.replace(SECRETS, secrets.to_str().unwrap());
        for (other, peer) in peers.iter().enumerate() {
            value = value.replace(&format!("ringflow-{other}.ringflow-peers:26502"), peer);
        }
        start = start.variable(key, &value);
    }
    start.variable("RINGFLOW_CLUSTER_PEER_ADDRESS", &peers[node])
}

/// What a kubelet would ask a pod, by the name of the probe.
fn probe(container: &Value, name: &str, broker: &Broker) -> bool {
    let asked = &container[name]["httpGet"];
    assert_eq!(asked["port"], "management");
    let answer = broker.probe().get(asked["path"].as_str().unwrap());
    answer.status == 200
}

#[test]
fn the_manifest_starts_three_brokers_that_trust_each_other() {
    let set = stateful_set();
    assert_eq!(set["spec"]["replicas"], 3);
    let container = &set["spec"]["template"]["spec"]["containers"][0];
    let world = tempfile::tempdir().unwrap();
    secrets(world.path());
    let url = format!("sqlite:{}", world.path().join("history.db").display());
    let bound: Vec<TcpListener> = (0..3)
        .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
        .collect();
    let peers: Vec<String> = bound
        .iter()
        .map(|listener| listener.local_addr().unwrap().to_string())
        .collect();
    drop(bound);
    let places: Vec<Place> = (0..3).map(|_| Place::new()).collect();
    let brokers: Vec<Broker> = places
        .iter()
        .enumerate()
        .map(|(node, place)| place.start(&pod(container, node, &peers, world.path(), &url)))
        .collect();
    for broker in &brokers {
        assert!(probe(container, "livenessProbe", broker));
        until("a pod is ready", READY, || {
            probe(container, "readinessProbe", broker).then_some(())
        });
        let cluster = broker.probe().get("/actuator/cluster").json();
        let members = cluster["brokers"].as_array().unwrap();
        let replicas = members
            .iter()
            .map(|it| it["partitions"].as_array().unwrap().len());
        assert_eq!(replicas.collect::<Vec<_>>(), [3, 3, 3], "{cluster}");
        // The API speaks TLS and nothing else.
        let mut plain = Client::new(broker.rest);
        let answer = plain.send("GET", "/v2/topology", &[], &[]);
        assert!(answer.is_err(), "{answer:?}");
    }
    for (place, broker) in places.iter().zip(brokers) {
        assert!(broker.stop().success());
        place.assert_no_panic();
    }
}

#[test]
fn the_units_command_line_is_one() {
    let line = UNIT
        .lines()
        .find_map(|line| line.strip_prefix("ExecStart="));
    let mut words = line.unwrap().split_whitespace();
    assert_eq!(words.next(), Some("/usr/local/bin/ringflow"));
    assert_eq!(words.next(), Some("start"));
    let place = Place::new();
    let settings = place.path().join("ringflow.toml");
    std::fs::write(&settings, "[cluster]\npartition-count = 2\n").unwrap();
    let mut arguments = Vec::new();
    while let Some(word) = words.next() {
        match (word, words.next()) {
            ("--config", Some("/etc/ringflow/ringflow.toml")) => {
                arguments.extend(["--config", settings.to_str().unwrap()]);
            }
            // The place's own is said already.
            ("--data-dir", Some("/var/lib/ringflow")) => {}
            (other, value) => panic!("the test does not know {other} {value:?}"),
        }
    }
    let broker = place.start(&Start::with(&arguments));
    let topology = broker.client().get("/v2/topology").json();
    assert_eq!(topology["partitionsCount"], 2, "{topology}");
    assert!(broker.stop().success());
}
