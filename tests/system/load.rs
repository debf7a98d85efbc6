//! A load that keeps a book: what clients asked, what they were told, and what must be true of it.
//!
//! One process: a job, then a message. Creators, workers and publishers run until their round is over
//! and write down what was acknowledged; a request without an answer is of unknown outcome and may
//! have happened or not, but not twice. Messages carry unique ids, so that one of unknown outcome can
//! be sent again. In the end everything is worked off and the history is compared with the book.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::broker::{Broker, until};
use crate::client::{Answer, Client};
use crate::models;

const CREATORS: u64 = 2;
/// Instances that wait for work at most: the load must not outrun what one machine can work off.
const OPEN_MAX: usize = 400;
/// Short, so that a job whose worker died with the broker comes again soon.
const JOB_TIMEOUT: u64 = 2_000;
/// After a request of unknown outcome, so that a broker that is gone is not asked for thousands of
/// instances that all have to be looked for afterwards.
const UNKNOWN_PAUSE: Duration = Duration::from_millis(20);
const VISIBLE: Duration = Duration::from_secs(30);
const WORKED_OFF: Duration = Duration::from_secs(60);
const KIND: &str = "order";

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
pub(crate) struct Book {
    instances: BTreeMap<String, Known>,
    /// Jobs whose completion was acknowledged.
    jobs: BTreeSet<String>,
    /// What must not be, as sentences.
    wrong: Vec<String>,
    /// Acknowledged instances whose job is not completed yet, roughly.
    open: usize,
    /// Acknowledged instances whose message is not published yet.
    unpublished: usize,
    acknowledged: u64,
    unknown: u64,
}

impl Book {
    /// Requests that were acknowledged.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// True if creators must wait for those who work off what they create.
    fn is_ahead(&self) -> bool {
        self.open > OPEN_MAX || self.unpublished > OPEN_MAX
    }

    /// Fails if anything happened that must not.
    pub(crate) fn assert_right(&self, seed: u64) {
        assert!(self.wrong.is_empty(), "seed {seed}: {:#?}", self.wrong);
    }

    /// Keys of the acknowledged instances of a round.
    pub(crate) fn keys_of(&self, round: u64) -> Vec<String> {
        let before = format!("r{round}-");
        let of_it = self
            .instances
            .iter()
            .filter(|(id, _)| id.starts_with(&before));
        of_it.filter_map(|(_, known)| known.key.clone()).collect()
    }
}

/// Deploys the process of the load.
pub(crate) fn deploy(client: &mut Client) {
    let deployed = client.deploy("order.bpmn", &model()).unwrap();
    assert_eq!(deployed.status, 200, "{deployed:?}");
}

/// Works everything off through this broker and compares its history with the book; says in one line
/// what was in it.
pub(crate) fn settle(broker: &Broker, rounds: u64, book: Mutex<Book>, seed: u64) -> String {
    let round = Round::new(rounds, broker.rest, &book);
    let mut client = broker.client();
    round.work_off(&mut client);
    let book = book.into_inner().unwrap();
    book.assert_right(seed);
    // What the last work wrote is in the log; the history follows within its flush interval.
    let acknowledged: Vec<String> = book
        .instances
        .values()
        .filter_map(|known| known.key.clone())
        .collect();
    all_visible(&mut client, &acknowledged);
    compare(&mut client, &book);
    format!(
        "{} acknowledged, {} of unknown outcome, {} instances",
        book.acknowledged,
        book.unknown,
        acknowledged.len()
    )
}

/// What the threads of one round share.
pub(crate) struct Round<'b> {
    number: u64,
    rest: SocketAddr,
    book: &'b Mutex<Book>,
    over: AtomicBool,
}

impl<'b> Round<'b> {
    /// The round of this number against a broker's REST API.
    pub(crate) fn new(number: u64, rest: SocketAddr, book: &'b Mutex<Book>) -> Self {
        Self {
            number,
            rest,
            book,
            over: AtomicBool::new(false),
        }
    }

    /// Runs the load for as long as `meanwhile` takes.
    pub(crate) fn run<T>(&self, meanwhile: impl FnOnce() -> T) -> T {
        std::thread::scope(|scope| {
            for creator in 0..CREATORS {
                scope.spawn(move || self.create(creator));
            }
            scope.spawn(|| self.work());
            scope.spawn(|| self.publish());
            let _over = Over(&self.over);
            meanwhile()
        })
    }

    /// Works off what is left, until the history has no active instance any more.
    fn work_off(&self, client: &mut Client) {
        // Instances of unknown outcome that exist want their message, too.
        for known in self.book.lock().unwrap().instances.values_mut() {
            known.key.get_or_insert_default();
        }
        until("everything is worked off", WORKED_OFF, || {
            let idle = self.work_once(client) == 0 && self.publish_once(client) == 0;
            if !idle {
                return None;
            }
            let body = json!({ "filter": { "state": "ACTIVE" }, "page": { "limit": 1 } });
            let answer = client.post("/v2/process-instances/search", &body);
            (answer["page"]["totalItems"] == 0).then_some(())
        });
        for known in self.book.lock().unwrap().instances.values_mut() {
            known.key = known.key.take().filter(|key| !key.is_empty());
        }
    }

    fn goes_on(&self) -> bool {
        !self.over.load(Ordering::Relaxed)
    }

    fn note(&self, change: impl FnOnce(&mut Book)) {
        change(&mut self.book.lock().unwrap());
    }

    /// Posts; `None` if no answer came or the broker had no capacity, which leaves the outcome open.
    fn post(&self, client: &mut Client, path: &str, body: &Value) -> Option<Answer> {
        match client.try_post(path, body) {
            Ok(answer) if answer.status < 300 => {
                self.note(|book| book.acknowledged += 1);
                Some(answer)
            }
            Ok(answer) if matches!(answer.status, 502..=504) => {
                self.note(|book| book.unknown += 1);
                std::thread::sleep(UNKNOWN_PAUSE);
                None
            }
            Ok(answer) => Some(answer),
            Err(_) => {
                self.note(|book| book.unknown += 1);
                std::thread::sleep(UNKNOWN_PAUSE);
                None
            }
        }
    }

    fn refused(&self, what: &str, answer: &Answer) {
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
            if self.book.lock().unwrap().is_ahead() {
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
                book.unpublished += 1;
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
                self.note(|book| {
                    book.instances.get_mut(id).unwrap().published = true;
                    book.unpublished = book.unpublished.saturating_sub(1);
                });
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

fn text(item: &Value, name: &str) -> String {
    item[name].as_str().unwrap_or_default().to_owned()
}

/// Every acknowledged instance with a key in `keys` becomes visible.
pub(crate) fn all_visible(client: &mut Client, keys: &[String]) {
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
