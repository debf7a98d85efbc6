//! Three processes on loopback, one database: leaders die under load and nothing acknowledged is lost.
//!
//! Creators and workers talk to all three brokers in turn while the leader of a partition is killed
//! (`kill -9`), started again and left to catch up; then one broker loses its disk; then all three
//! are killed at once. What was acknowledged must be in the history once, every job completed once,
//! and the state of all replicas equal. The time from a kill to the first commit of the new leader is
//! measured from outside, by a client of another broker, and printed.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, TcpListener};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::Scope;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::broker::{Broker, Place, Start, until};
use crate::client::Client;
use crate::models;
use crate::network::Network;

pub(crate) const KIND: &str = "cluster";
/// Kills of a leader under load; `SYSTEM_TEST_KILLS` says otherwise.
const KILLS: usize = 5;
/// Life of a cluster between two kills.
pub(crate) const LIFE: Duration = Duration::from_millis(700);
pub(crate) const READY: Duration = Duration::from_secs(30);
const CAUGHT_UP: Duration = Duration::from_secs(30);
const WORKED_OFF: Duration = Duration::from_secs(60);
const VISIBLE: Duration = Duration::from_secs(30);
const JOB_TIMEOUT: u64 = 2_000;
/// Instances that wait for work at most.
const OPEN_MAX: usize = 200;

pub(crate) struct Cluster {
    pub(crate) places: Vec<Place>,
    starts: Vec<Start>,
    brokers: Vec<Option<Broker>>,
    partitions: u64,
    /// Peer addresses of those that found it.
    peers: Vec<String>,
    url: String,
    network: Option<Network>,
    database: tempfile::TempDir,
}

impl Cluster {
    pub(crate) fn new(partitions: u64) -> Self {
        let bound: Vec<TcpListener> = (0..3)
            .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
            .collect();
        let peers: Vec<String> = bound
            .iter()
            .map(|listener| listener.local_addr().unwrap().to_string())
            .collect();
        Self::at(partitions, &peers, None)
    }

    /// Brokers that are started in another way than others, and not yet.
    pub(crate) fn prepared(partitions: u64, change: impl Fn(Start) -> Start) -> Self {
        let mut cluster = Self::new(partitions);
        cluster.starts = cluster.starts.into_iter().map(change).collect();
        cluster
    }

    /// How a broker is started.
    pub(crate) fn start_of(&self, node: usize) -> &Start {
        &self.starts[node]
    }

    /// A broker that runs.
    pub(crate) fn broker(&self, node: usize) -> &Broker {
        self.brokers[node].as_ref().unwrap()
    }

    /// The file of the history.
    pub(crate) fn database(&self) -> std::path::PathBuf {
        self.database.path().join("history.db")
    }

    /// Brokers that are in namespaces of their own.
    pub(crate) fn within(partitions: u64, network: Network) -> Self {
        let peers: Vec<String> = (0..3)
            .map(|node| format!("{}:26502", network.address(node)))
            .collect();
        Self::at(partitions, &peers, Some(network))
    }

    fn at(partitions: u64, peers: &[String], network: Option<Network>) -> Self {
        let database = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", database.path().join("history.db").display());
        let start = |node: usize| {
            let mut start = start(node, partitions, &peers[node], peers, &url);
            if let Some(network) = &network {
                start.space = Some(network.space(node));
                for api in ["GRPC", "REST", "MANAGEMENT"] {
                    let name = format!("RINGFLOW_API_{api}_ADDRESS");
                    let address = format!("{}:0", network.address(node));
                    start.environment.push((name, address));
                }
            }
            start
        };
        Self {
            places: (0..3).map(|_| Place::new()).collect(),
            starts: (0..3).map(start).collect(),
            brokers: (0..3).map(|_| None).collect(),
            partitions,
            peers: peers.to_vec(),
            url,
            network,
            database,
        }
    }

    /// Starts one more broker, which is no member yet; its number.
    pub(crate) fn add(&mut self) -> usize {
        let node = self.places.len();
        let bound = TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = bound.local_addr().unwrap().to_string();
        drop(bound);
        self.places.push(Place::new());
        let start = start(node, self.partitions, &peer, &self.peers, &self.url);
        self.starts.push(start);
        self.brokers.push(None);
        self.start(node);
        node
    }

    /// Sets a variable for all starts from now on.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        for start in &mut self.starts {
            start.environment.retain(|(known, _)| known != name);
            start.environment.push((name.to_owned(), value.to_owned()));
        }
    }

    pub(crate) fn is_up(&self, node: usize) -> bool {
        self.brokers[node].is_some()
    }

    /// A client of the management port.
    pub(crate) fn probe(&self, node: usize) -> Client {
        self.brokers[node].as_ref().unwrap().probe()
    }

    pub(crate) fn stop(&mut self, node: usize) {
        assert!(self.brokers[node].take().unwrap().stop().success());
    }

    pub(crate) fn started(partitions: u64) -> Self {
        let mut cluster = Self::new(partitions);
        (0..3).for_each(|node| cluster.start(node));
        cluster.wait_ready();
        cluster
    }

    pub(crate) fn network(&self) -> &Network {
        self.network.as_ref().unwrap()
    }

    pub(crate) fn client(&self, node: usize) -> Client {
        self.brokers[node].as_ref().unwrap().client()
    }

    pub(crate) fn signal(&self, node: usize, signal: rustix::process::Signal) {
        let id = i32::try_from(self.brokers[node].as_ref().unwrap().id()).unwrap();
        let id = rustix::process::Pid::from_raw(id).unwrap();
        rustix::process::kill_process(id, signal).unwrap();
    }

    pub(crate) fn start(&mut self, node: usize) {
        self.brokers[node] = Some(self.places[node].start(&self.starts[node]));
    }

    pub(crate) fn kill(&mut self, node: usize) {
        self.brokers[node].take().unwrap().kill();
    }

    fn running(&self) -> impl Iterator<Item = &Broker> {
        self.brokers.iter().flatten()
    }

    pub(crate) fn wait_ready(&self) {
        until("all brokers are ready", READY, || {
            let ready = |broker: &Broker| {
                let mut probe = broker.probe();
                probe.get("/actuator/health/readiness").status == 200
            };
            self.running().all(ready).then_some(())
        });
    }

    /// Role, position and broker of every replica of `partition` that is up.
    fn replicas(&self, partition: u64) -> Vec<(String, u64, usize)> {
        let Some(broker) = self.running().next() else {
            return Vec::new();
        };
        let cluster = broker.probe().get("/actuator/cluster").json();
        let mut found = Vec::new();
        for broker in cluster["brokers"].as_array().unwrap() {
            for replica in broker["partitions"].as_array().unwrap() {
                // One whose broker is not up has a place and no role.
                let role = replica["role"].as_str();
                if replica["id"] == partition
                    && let Some(role) = role
                {
                    found.push((
                        role.to_owned(),
                        replica["position"].as_u64().unwrap(),
                        broker["id"].as_u64().unwrap() as usize,
                    ));
                }
            }
        }
        found
    }

    pub(crate) fn leader(&self, partition: u64) -> usize {
        until("the partition has a leader", READY, || {
            let replicas = self.replicas(partition);
            let leads = replicas.iter().find(|(role, _, _)| role == "leader");
            leads
                .map(|(_, _, node)| *node)
                .filter(|node| self.brokers[*node].is_some())
        })
    }

    /// Waits until all replicas stand where their leaders stand; without load.
    pub(crate) fn wait_caught_up(&self) {
        until("all replicas have caught up", CAUGHT_UP, || {
            (1..=self.partitions)
                .all(|partition| {
                    let replicas = self.replicas(partition);
                    let first = replicas.first().map(|(_, position, _)| *position);
                    replicas.len() == 3
                        && replicas
                            .iter()
                            .all(|(_, position, _)| Some(*position) == first)
                })
                .then_some(())
        });
    }

    fn rest(&self) -> Vec<SocketAddr> {
        self.brokers
            .iter()
            .map(|broker| {
                broker
                    .as_ref()
                    .map_or(SocketAddr::from(([127, 0, 0, 1], 1)), |it| it.rest)
            })
            .collect()
    }

    fn compare_digests(mut self) {
        for broker in &mut self.brokers {
            if let Some(broker) = broker.take() {
                assert!(broker.stop().success());
            }
        }
        let mut digests: BTreeMap<String, Vec<(usize, String)>> = BTreeMap::new();
        for (node, place) in self.places.iter().enumerate() {
            place.assert_no_panic();
            for (partition, state, _) in place.digests() {
                digests.entry(partition).or_default().push((node, state));
            }
        }
        assert_eq!(digests.len() as u64, self.partitions);
        for (partition, states) in digests {
            assert_eq!(states.len(), 3, "partition {partition}: {states:?}");
            let same = states.iter().all(|(_, state)| *state == states[0].1);
            assert!(same, "partition {partition}: {states:?}");
        }
    }
}

fn start(node: usize, partitions: u64, peer: &str, peers: &[String], url: &str) -> Start {
    Start::with(&[
        "--node-id",
        &node.to_string(),
        "--cluster-size",
        "3",
        "--replication-factor",
        "3",
        "--partitions",
        &partitions.to_string(),
        "--peer-address",
        peer,
        "--contact-points",
        &peers.join(","),
        "--secondary-storage",
        url,
    ])
}

/// What clients asked and what they were told.
#[derive(Default)]
pub(crate) struct Book {
    /// Ids whose creation was acknowledged, with the key.
    created: BTreeMap<String, String>,
    /// Ids whose creation has an unknown outcome.
    unknown: BTreeSet<String>,
    completed: BTreeMap<String, String>,
    open: usize,
    wrong: Vec<String>,
}

pub(crate) struct Load {
    rest: Mutex<Vec<SocketAddr>>,
    book: Mutex<Book>,
    stop: AtomicBool,
    numbers: AtomicUsize,
}

/// Ends the load also where the test has failed.
pub(crate) struct EndOfLoad<'l>(&'l Load);

impl Drop for EndOfLoad<'_> {
    fn drop(&mut self) {
        self.0.stop.store(true, Ordering::Relaxed);
    }
}

impl Load {
    /// Lets clients create and workers complete until what is returned is dropped.
    pub(crate) fn drive<'s>(&'s self, scope: &'s Scope<'s, '_>) -> EndOfLoad<'s> {
        for name in 0..2 {
            scope.spawn(move || self.create(name));
            scope.spawn(move || self.work(name));
        }
        EndOfLoad(self)
    }

    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    fn address(&self, turn: usize) -> SocketAddr {
        let rest = self.rest.lock().unwrap();
        rest[turn % rest.len()]
    }

    /// On the brokers that run now.
    pub(crate) fn on(cluster: &Cluster) -> Self {
        Self {
            rest: Mutex::new(cluster.rest()),
            book: Mutex::default(),
            stop: AtomicBool::new(false),
            numbers: AtomicUsize::new(1),
        }
    }

    /// Finds the brokers where they listen now.
    pub(crate) fn now_at(&self, cluster: &Cluster) {
        *self.rest.lock().unwrap() = cluster.rest();
    }

    pub(crate) fn create(&self, name: usize) {
        while self.goes_on() {
            if self.book.lock().unwrap().open > OPEN_MAX {
                std::thread::sleep(Duration::from_millis(5));
                continue;
            }
            let turn = self.numbers.load(Ordering::Relaxed);
            let mut client = Client::new(self.address(name + turn));
            if !self.create_at(&mut client, "load") {
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }

    /// Creates one instance and notes what was said; true if it was acknowledged.
    pub(crate) fn create_at(&self, client: &mut Client, prefix: &str) -> bool {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let id = format!("{prefix}-{number}");
        let body = json!({ "processDefinitionId": KIND, "variables": { "id": id } });
        let answer = client.try_post("/v2/process-instances", &body);
        let mut book = self.book.lock().unwrap();
        match answer {
            Ok(answer) if answer.status < 300 => {
                let key = answer.json()["processInstanceKey"]
                    .as_str()
                    .unwrap()
                    .to_owned();
                book.created.insert(id, key);
                book.open += 1;
                return true;
            }
            Ok(answer) if (502..=504).contains(&answer.status) => {
                book.unknown.insert(id);
            }
            Ok(answer) => book.wrong.push(format!("create: {answer:?}")),
            Err(_) => {
                book.unknown.insert(id);
            }
        }
        false
    }

    /// Creates until every partition knows the process: what one took reaches the others later.
    pub(crate) fn begin(&self, client: &mut Client, partitions: u64) {
        until("every partition knows the process", READY, || {
            self.create_at(client, "first");
            let book = self.book.lock().unwrap();
            let keys = book.created.values();
            let at: BTreeSet<u64> = keys.map(|key| key.parse::<u64>().unwrap() >> 51).collect();
            (at.len() as u64 == partitions).then_some(())
        });
        let mut book = self.book.lock().unwrap();
        book.wrong.retain(|wrong| !wrong.contains("none found"));
    }

    pub(crate) fn work(&self, name: usize) {
        let mut turn = name;
        while self.goes_on() {
            turn += 1;
            if self.work_once(turn) == 0 {
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }

    fn work_once(&self, turn: usize) -> usize {
        let mut client = Client::new(self.address(turn));
        let body = json!({
            "type": KIND, "worker": "w", "timeout": JOB_TIMEOUT, "maxJobsToActivate": 16,
            "requestTimeout": 300,
        });
        let Ok(answer) = client.try_post("/v2/jobs/activation", &body) else {
            return 0;
        };
        let answer = answer.json();
        let jobs = answer["jobs"].as_array().cloned().unwrap_or_default();
        for job in &jobs {
            let key = job["jobKey"].as_str().unwrap().to_owned();
            let id = job["variables"]["id"].as_str().unwrap().to_owned();
            let path = format!("/v2/jobs/{key}/completion");
            if let Ok(answer) = client.try_post(&path, &json!({}))
                && answer.status < 300
            {
                let mut book = self.book.lock().unwrap();
                // A job may come again after its time-out, but it is done once.
                if let Some(before) = book.completed.insert(id.clone(), key.clone()) {
                    book.wrong
                        .push(format!("{id}: job {key} is done although {before} was"));
                }
                book.open = book.open.saturating_sub(1);
            }
        }
        jobs.len()
    }
}

fn kills() -> usize {
    std::env::var("SYSTEM_TEST_KILLS").map_or(KILLS, |text| text.parse().unwrap())
}

#[test]
fn leaders_that_die_under_load_lose_and_double_nothing() {
    let mut cluster = Cluster::started(3);
    let mut first = cluster.brokers[0].as_ref().unwrap().client();
    let deployed = first.deploy("cluster.bpmn", &models::task(KIND)).unwrap();
    assert!(deployed.status < 300, "{deployed:?}");
    let load = Load::on(&cluster);
    load.begin(&mut first, 3);
    std::thread::scope(|scope| {
        let _end = load.drive(scope);
        for kill in 0..kills() {
            std::thread::sleep(LIFE);
            let partition = kill as u64 % 3 + 1;
            let victim = cluster.leader(partition);
            cluster.kill(victim);
            std::thread::sleep(LIFE);
            if kill == 2 {
                // This one comes back without its disk.
                std::fs::remove_dir_all(cluster.places[victim].data()).unwrap();
            }
            cluster.start(victim);
            load.now_at(&cluster);
            cluster.wait_ready();
        }
    });
    (0..3).for_each(|node| cluster.kill(node));
    (0..3).for_each(|node| cluster.start(node));
    cluster.wait_ready();
    load.now_at(&cluster);
    settle(cluster, load);
}

/// Works everything off, then compares what was acknowledged with the history, and the replicas.
pub(crate) fn settle(cluster: Cluster, load: Load) {
    let mut client = cluster.brokers[1].as_ref().unwrap().client();
    let mut turn = 0;
    until("everything is worked off", WORKED_OFF, || {
        turn += 1;
        load.work_once(turn);
        // A completion of unknown outcome leaves no job behind: only the history tells.
        let left = json!({ "state": "ACTIVE" });
        let left = client.search("/v2/process-instances/search", &left, "processInstanceKey");
        left.is_empty().then_some(())
    });
    let book = load.book.into_inner().unwrap();
    assert!(book.wrong.is_empty(), "{:#?}", book.wrong);
    eprintln!(
        "{} created, {} of unknown outcome",
        book.created.len(),
        book.unknown.len(),
    );
    assert!(book.created.len() > 50);
    until("the history is whole", VISIBLE, || {
        let all = client.search(
            "/v2/process-instances/search",
            &json!({}),
            "processInstanceKey",
        );
        let keys: BTreeSet<&str> = all
            .iter()
            .map(|item| item["processInstanceKey"].as_str().unwrap())
            .collect();
        assert_eq!(keys.len(), all.len(), "an instance is there twice");
        let whole = book.created.values().all(|key| keys.contains(key.as_str()));
        let completed = |item: &Value| item["state"] == "COMPLETED";
        (whole && all.iter().all(completed)).then_some(())
    });
    cluster.wait_caught_up();
    cluster.compare_digests();
}

#[test]
fn the_time_from_a_kill_to_the_next_commit() {
    let mut cluster = Cluster::started(1);
    let mut first = cluster.brokers[0].as_ref().unwrap().client();
    let deployed = first.deploy("cluster.bpmn", &models::task(KIND)).unwrap();
    assert!(deployed.status < 300, "{deployed:?}");
    let mut times = Vec::new();
    for _ in 0..kills() {
        let victim = cluster.leader(1);
        let other = cluster.brokers[(victim + 1) % 3].as_ref().unwrap().rest;
        let mut client = Client::new(other);
        let body = json!({ "processDefinitionId": KIND });
        client.post("/v2/process-instances", &body);
        let begun = Instant::now();
        cluster.kill(victim);
        until("the next commit", READY, || {
            let answer = client.try_post("/v2/process-instances", &body).ok()?;
            (answer.status < 300).then_some(())
        });
        times.push(begun.elapsed());
        cluster.start(victim);
        cluster.wait_ready();
        cluster.wait_caught_up();
    }
    times.sort();
    eprintln!("from kill to commit, sorted: {times:?}");
    let median = times[times.len() / 2];
    let late = times[(times.len() * 99).div_ceil(100) - 1];
    eprintln!("of {}: p50 {median:?}, p99 {late:?}", times.len());
    assert!(median < Duration::from_secs(3), "median {median:?}");
    cluster.compare_digests();
}

#[test]
fn a_planned_end_of_each_broker_fails_no_request() {
    let mut cluster = Cluster::started(1);
    let mut first = cluster.brokers[0].as_ref().unwrap().client();
    let deployed = first.deploy("cluster.bpmn", &models::task(KIND)).unwrap();
    assert!(deployed.status < 300, "{deployed:?}");
    let leader = cluster.leader(1);
    let other = cluster.brokers[(leader + 1) % 3].as_ref().unwrap().rest;
    let stop = AtomicBool::new(false);
    let failed = std::thread::scope(|scope| {
        let requests = scope.spawn(|| {
            let mut client = Client::new(other);
            let body = json!({ "processDefinitionId": KIND });
            let mut failed = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                match client.try_post("/v2/process-instances", &body) {
                    Ok(answer) if answer.status < 300 => {}
                    other => failed.push(format!("{other:?}")),
                }
            }
            failed
        });
        std::thread::sleep(LIFE);
        assert!(cluster.brokers[leader].take().unwrap().stop().success());
        std::thread::sleep(LIFE);
        stop.store(true, Ordering::Relaxed);
        requests.join().unwrap()
    });
    assert!(failed.is_empty(), "{failed:#?}");
    assert_ne!(cluster.leader(1), leader);
}
