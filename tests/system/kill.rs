//! `kill -9` at random moments under load: what was acknowledged is there, and there once.
//!
//! One process: a job, then a message. Creators, workers and publishers run until the broker dies
//! under them and write down what it acknowledged; a request without an answer is of unknown outcome
//! and may have happened or not, but not twice. Messages carry unique ids, so that one of unknown
//! outcome can be sent again. Every few rounds the broker is also killed while it recovers. In the
//! end everything is worked off, the history is compared with the book, and the state of every
//! partition with a replay of its whole log. A second, shorter run mixes in orderly ends, which
//! take snapshots and may compact the log.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::broker::{Place, Start, until};
use crate::client::Client;
use crate::models;

const ROUNDS: u64 = 12;
/// More begin anew: every start replays all of the log, which no snapshot shortens here.
const ROUNDS_PER_DIRECTORY: u64 = 20;
/// All rounds of one directory, so that a slow machine does not run for ever; the work after it has
/// bounds of its own.
const ROUNDS_WITHIN: Duration = Duration::from_secs(70);
/// Life of the broker under load, milliseconds.
const LIFE: std::ops::Range<u64> = 50..1500;
/// Life of a broker that is killed while it starts, milliseconds.
const BIRTH: std::ops::Range<u64> = 5..400;
/// One round in this many has such births before its start.
const BIRTHS_EVERY: u64 = 4;
const CREATORS: u64 = 2;
/// Instances that wait for work at most: the load must not outrun what one machine can work off.
const OPEN_MAX: usize = 400;
/// Short, so that a job whose worker died with the broker comes again soon.
const JOB_TIMEOUT: u64 = 2_000;
const VISIBLE: Duration = Duration::from_secs(30);
const WORKED_OFF: Duration = Duration::from_secs(60);
const KIND: &str = "kill";

/// What is known of one instance, by the id its creator gave it.
#[derive(Debug, Default)]
struct Known {
    /// Acknowledged with this key.
    key: Option<String>,
    /// The completion of its job was acknowledged.
    completed: bool,
    /// Its message was acknowledged.
    published: bool,
}

/// What clients asked and what they were told.
#[derive(Debug, Default)]
struct Book {
    instances: BTreeMap<String, Known>,
    /// Jobs whose completion was acknowledged.
    jobs: BTreeSet<String>,
    /// What must not be, as sentences.
    wrong: Vec<String>,
    /// Acknowledged instances whose job is not completed yet, roughly.
    open: usize,
    acknowledged: u64,
    unknown: u64,
}

/// A small deterministic generator (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn millis(&mut self, range: &std::ops::Range<u64>) -> Duration {
        Duration::from_millis(range.start + self.next() % (range.end - range.start))
    }
}

/// What the threads of one round share.
struct Round<'b> {
    number: u64,
    rest: SocketAddr,
    book: &'b Mutex<Book>,
    over: AtomicBool,
}

impl Round<'_> {
    fn goes_on(&self) -> bool {
        !self.over.load(Ordering::Relaxed)
    }

    fn note(&self, change: impl FnOnce(&mut Book)) {
        change(&mut self.book.lock().unwrap());
    }

    /// Posts; `None` if no answer came or the broker had no capacity, which leaves the outcome open.
    fn post(&self, client: &mut Client, path: &str, body: &Value) -> Option<crate::client::Answer> {
        match client.try_post(path, body) {
            Ok(answer) if answer.status < 300 => {
                self.note(|book| book.acknowledged += 1);
                Some(answer)
            }
            Ok(answer) if matches!(answer.status, 502..=504) => {
                self.note(|book| book.unknown += 1);
                std::thread::sleep(Duration::from_millis(2));
                None
            }
            Ok(answer) => Some(answer),
            Err(_) => {
                self.note(|book| book.unknown += 1);
                std::thread::sleep(Duration::from_millis(2));
                None
            }
        }
    }

    fn refused(&self, what: &str, answer: &crate::client::Answer) {
        let number = self.number;
        self.note(|book| {
            book.wrong
                .push(format!("round {number}: {what}: {answer:?}"));
        });
    }

    fn create(&self, creator: u64) {
        let mut client = Client::new(self.rest);
        let mut count = 0;
        while self.goes_on() {
            if self.book.lock().unwrap().open > OPEN_MAX {
                std::thread::sleep(Duration::from_millis(5));
                continue;
            }
            count += 1;
            let id = format!("r{}-c{creator}-{count}", self.number);
            self.note(|book| {
                book.instances.insert(id.clone(), Known::default());
            });
            let body = json!({ "processDefinitionId": KIND, "variables": { "id": id } });
            let Some(answer) = self.post(&mut client, "/v2/process-instances", &body) else {
                continue;
            };
            let key = answer.json()["processInstanceKey"]
                .as_str()
                .map(str::to_owned);
            if key.is_none() {
                self.refused("create", &answer);
            }
            self.note(|book| {
                book.open += 1;
                book.instances.entry(id).or_default().key = key;
            });
        }
    }

    fn work(&self) {
        let mut client = Client::new(self.rest);
        while self.goes_on() {
            self.work_once(&mut client);
        }
    }

    /// Activates and completes some jobs; how many came.
    fn work_once(&self, client: &mut Client) -> usize {
        let body = json!({
            "type": KIND, "worker": "w", "timeout": JOB_TIMEOUT, "maxJobsToActivate": 16,
            "requestTimeout": 300,
        });
        let Some(answer) = self.post(client, "/v2/jobs/activation", &body) else {
            return 0;
        };
        let answer = answer.json();
        let jobs = answer["jobs"].as_array().cloned().unwrap_or_default();
        for job in &jobs {
            let key = job["jobKey"].as_str().unwrap().to_owned();
            let id = job["variables"]["id"].as_str().unwrap().to_owned();
            let begun = Instant::now();
            self.note(|book| {
                if book.jobs.contains(&key) || book.instances[&id].completed {
                    book.wrong
                        .push(format!("{id}: a completed job came again: {key}"));
                }
            });
            let path = format!("/v2/jobs/{key}/completion");
            match self.post(client, &path, &json!({ "variables": { "by": key } })) {
                Some(answer) if answer.status < 300 => self.note(|book| {
                    book.jobs.insert(key);
                    book.open = book.open.saturating_sub(1);
                    book.instances.entry(id).or_default().completed = true;
                }),
                // It ran out of its time and another worker completed it meanwhile.
                Some(answer)
                    if answer.status == 404
                        && begun.elapsed() > Duration::from_millis(JOB_TIMEOUT) => {}
                Some(answer) => self.refused("complete", &answer),
                None => {}
            }
        }
        jobs.len()
    }

    fn publish(&self) {
        let mut client = Client::new(self.rest);
        while self.goes_on() {
            if self.publish_once(&mut client) == 0 {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }

    /// Publishes for instances that have no acknowledged message; how many there were.
    fn publish_once(&self, client: &mut Client) -> usize {
        let book = self.book.lock().unwrap();
        let unpublished: Vec<String> = book
            .instances
            .iter()
            .filter(|(_, known)| known.key.is_some() && !known.published)
            .map(|(id, _)| id.clone())
            .take(50)
            .collect();
        drop(book);
        for id in &unpublished {
            if !self.goes_on() {
                break;
            }
            let body = json!({
                "name": "paid", "correlationKey": id, "messageId": id, "timeToLive": 3_600_000,
                "variables": { "paid": id },
            });
            let Some(answer) = self.post(client, "/v2/messages/publication", &body) else {
                continue;
            };
            // A conflict: the one of unknown outcome had arrived.
            if answer.status < 300 || answer.status == 409 {
                self.note(|book| book.instances.get_mut(id).unwrap().published = true);
            } else {
                self.refused("publish", &answer);
            }
        }
        unpublished.len()
    }
}

fn model() -> String {
    let middle = format!(
        "{}<bpmn:sequenceFlow id=\"f3\" sourceRef=\"m\" targetRef=\"c\"/>\
         <bpmn:intermediateCatchEvent id=\"c\">\
         <bpmn:messageEventDefinition messageRef=\"msg\"/></bpmn:intermediateCatchEvent>",
        models::service_task(&format!("<zeebe:taskDefinition type=\"{KIND}\"/>"))
    );
    models::file(&format!(
        "<bpmn:message id=\"msg\" name=\"paid\"><bpmn:extensionElements>\
         <zeebe:subscription correlationKey=\"=id\"/></bpmn:extensionElements></bpmn:message>\
         <bpmn:process id=\"{KIND}\" isExecutable=\"true\"><bpmn:startEvent id=\"s\"/>\
         <bpmn:sequenceFlow id=\"f1\" sourceRef=\"s\" targetRef=\"m\"/>{middle}\
         <bpmn:sequenceFlow id=\"f2\" sourceRef=\"c\" targetRef=\"e\"/><bpmn:endEvent id=\"e\"/>\
         </bpmn:process>"
    ))
}

fn setting(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |text| text.parse().expect(name))
}

fn text(item: &Value, name: &str) -> String {
    item[name].as_str().unwrap_or_default().to_owned()
}

/// Every acknowledged instance with a key in `keys` becomes visible.
fn all_visible(client: &mut Client, keys: &[String]) {
    for some in keys.chunks(200) {
        let filter = json!({ "processInstanceKey": { "$in": some } });
        until("acknowledged instances are visible", VISIBLE, || {
            let found = client.search(
                "/v2/process-instances/search",
                &filter,
                "processInstanceKey",
            );
            assert!(found.len() <= some.len(), "an instance is there twice");
            (found.len() == some.len()).then_some(())
        });
    }
}

/// The history has every instance of the book exactly once, completed, and nothing else.
fn compare(client: &mut Client, book: &Book) {
    let all = client.search(
        "/v2/process-instances/search",
        &json!({}),
        "processInstanceKey",
    );
    let mut states = BTreeMap::new();
    for item in &all {
        let key = text(item, "processInstanceKey");
        let before = states.insert(key.clone(), text(item, "state"));
        assert_eq!(before, None, "{key} has two rows");
    }
    let ids = client.search(
        "/v2/variables/search",
        &json!({ "name": "id" }),
        "variableKey",
    );
    assert_eq!(
        ids.len(),
        all.len(),
        "every instance has one id and no other"
    );
    let mut instances: BTreeMap<String, String> = BTreeMap::new();
    for item in &ids {
        let id: String = serde_json::from_str(&text(item, "value")).unwrap();
        assert!(
            book.instances.contains_key(&id),
            "nobody created an instance {id}"
        );
        let before = instances.insert(id.clone(), text(item, "processInstanceKey"));
        assert_eq!(before, None, "{id} was created twice");
    }
    for (id, known) in &book.instances {
        match (&known.key, instances.get(id)) {
            (Some(key), Some(found)) => assert_eq!(key, found, "{id} has another key"),
            (Some(key), None) => panic!("{id} was acknowledged as {key} and is not there"),
            (None, _) => {}
        }
    }
    for (id, key) in &instances {
        assert_eq!(
            states.get(key).map(String::as_str),
            Some("COMPLETED"),
            "{id}"
        );
    }
    // What worked on a job exactly once left exactly one such variable.
    let workers = client.search(
        "/v2/variables/search",
        &json!({ "name": "by" }),
        "variableKey",
    );
    assert_eq!(workers.len(), all.len(), "each job was completed once");
    for item in &workers {
        let job: String = serde_json::from_str(&text(item, "value")).unwrap();
        assert!(!job.is_empty());
    }
}

/// Ends the threads of a round also when the round fails.
struct Over<'r>(&'r AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn what_was_acknowledged_survives_kill_9_once() {
    let (mut left, seed) = (setting("SYSTEM_TEST_ROUNDS", ROUNDS), seed());
    while left > 0 {
        let rounds = left.min(ROUNDS_PER_DIRECTORY);
        run(rounds, None, seed.wrapping_add(left));
        left -= rounds;
    }
}

#[test]
fn what_was_acknowledged_survives_ends_of_both_kinds_once() {
    run(ROUNDS / 3, Some(2), seed());
}

fn seed() -> u64 {
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    setting("SYSTEM_TEST_SEED", clock.as_micros() as u64)
}

/// So many rounds, of which each `orderly`th ends by SIGTERM in the middle of its load.
fn run(rounds: u64, orderly: Option<u64>, seed: u64) {
    eprintln!("kill: seed {seed}, {rounds} rounds, orderly {orderly:?}");
    let bound = ROUNDS_WITHIN.mul_f64((rounds as f64 / ROUNDS as f64).max(0.5));
    let mut random = Random(seed);
    let place = Place::new();
    // A snapshot only by an orderly end: else the whole log stays and can be replayed.
    let start =
        Start::with(&["--partitions", "2"]).variable("RINGFLOW_DATA_SNAPSHOT_PERIOD", "24h");
    let book = Mutex::new(Book::default());
    let (begun, mut births, mut slowest) = (Instant::now(), 0, Duration::ZERO);
    let mut done = 0;
    for number in 0..rounds {
        if begun.elapsed() > bound {
            break;
        }
        if random.next().is_multiple_of(BIRTHS_EVERY) {
            for _ in 0..=random.next() % 2 {
                place.start_and_kill(&start, random.millis(&BIRTH));
                births += 1;
            }
        }
        let starting = Instant::now();
        let broker = place.start(&start);
        slowest = slowest.max(starting.elapsed());
        if number == 0 {
            let deployed = broker.client().deploy("kill.bpmn", &model()).unwrap();
            assert_eq!(deployed.status, 200, "{deployed:?}");
        }
        let round = Round {
            number,
            rest: broker.rest,
            book: &book,
            over: AtomicBool::new(false),
        };
        let before = format!("r{}-", number.wrapping_sub(1));
        let keys: Vec<String> = {
            let book = book.lock().unwrap();
            let of_it = book
                .instances
                .iter()
                .filter(|(id, _)| id.starts_with(&before));
            of_it.filter_map(|(_, known)| known.key.clone()).collect()
        };
        let life = random.millis(&LIFE);
        std::thread::scope(|scope| {
            for creator in 0..CREATORS {
                let round = &round;
                scope.spawn(move || round.create(creator));
            }
            scope.spawn(|| round.work());
            scope.spawn(|| round.publish());
            let _over = Over(&round.over);
            all_visible(&mut Client::new(round.rest), &keys);
            std::thread::sleep(life);
            if orderly.is_some_and(|every| number % every == 0) {
                assert_eq!(broker.stop().code(), Some(0), "{}", place.said());
            } else {
                broker.kill();
            }
        });
        let book = book.lock().unwrap();
        assert!(book.wrong.is_empty(), "seed {seed}: {:#?}", book.wrong);
        done += 1;
    }
    assert!(done >= rounds.min(3), "only {done} rounds in {bound:?}");

    let broker = place.start(&start);
    let round = Round {
        number: rounds,
        rest: broker.rest,
        book: &book,
        over: AtomicBool::new(false),
    };
    let mut client = broker.client();
    // Instances of unknown outcome that exist want their message, too.
    for known in book.lock().unwrap().instances.values_mut() {
        known.key.get_or_insert_default();
    }
    until("everything is worked off", WORKED_OFF, || {
        let idle = round.work_once(&mut client) == 0 && round.publish_once(&mut client) == 0;
        if !idle {
            return None;
        }
        let filter = json!({ "state": "ACTIVE" });
        let body = json!({ "filter": filter, "page": { "limit": 1 } });
        let answer = client.post("/v2/process-instances/search", &body);
        (answer["page"]["totalItems"] == 0).then_some(())
    });
    let mut book = book.into_inner().unwrap();
    for known in book.instances.values_mut() {
        known.key = known.key.take().filter(|key| !key.is_empty());
    }
    assert!(book.wrong.is_empty(), "seed {seed}: {:#?}", book.wrong);
    // What the last work wrote is in the log; the history follows within its flush interval.
    let acknowledged: Vec<String> = book
        .instances
        .values()
        .filter_map(|known| known.key.clone())
        .collect();
    all_visible(&mut client, &acknowledged);
    compare(&mut client, &book);
    broker.kill();
    let digests = place.digests();
    assert_eq!(digests.len(), 2);
    for (partition, state, replay) in digests {
        let compacted = orderly.is_some() && replay == "compacted";
        assert!(
            state == replay || compacted,
            "seed {seed}: partition {partition}: {state} {replay}"
        );
    }
    place.assert_no_panic();
    eprintln!(
        "kill: {done} rounds and {births} kills while starting in {:.0?}; {} acknowledged, {} of \
         unknown outcome, {} instances, slowest start {slowest:.1?}",
        begun.elapsed(),
        book.acknowledged,
        book.unknown,
        acknowledged.len()
    );
}
