//! A partition (or several) in memory: what tests of elements and commands run against.
//!
//! Every step is replayed on a second engine and the digests of both are compared, so that no test
//! can pass while leader and follower differ. Write sets reach the store two steps late, so that
//! reads meet resident, pinned and persisted rows.

use std::collections::VecDeque;
use std::rc::Rc;

use ringflow_core::engine::effect::{Effect, Response};
use ringflow_core::engine::input::{Command, RequestId};
use ringflow_core::engine::{Due, Engine, EngineConfig, Step};
use ringflow_core::ids::{Key, PartitionId, Timestamp};
use ringflow_core::json;
use ringflow_core::record::field::ValueWriter;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::{
    DeploymentRecord, DeploymentResource, IncidentRecord, JobBatchRecord, JobRecord,
    ProcessInstanceCreationRecord, ProcessInstanceRecord, VariableDocumentRecord, default_tenant,
};
use ringflow_core::record::{Blob, Document, Intent, Record, RecordType, Rejection, Value, batch};
use ringflow_core::state::memory::MemoryStore;
use ringflow_core::state::store::WriteSet;

use super::detail::detail;

/// Time at which every test begins: 2026-01-01T00:00:00Z.
pub(crate) const START: i64 = 1_767_225_600_000;

/// One partition: leader, follower, and everything written.
pub(crate) struct EngineHarness {
    pub(crate) engine: Engine,
    follower: Engine,
    store: Rc<MemoryStore>,
    pending: VecDeque<WriteSet>,
    pub(crate) now: Timestamp,
    /// All records so far.
    pub(crate) log: Vec<Record>,
    /// All effects but answers so far.
    pub(crate) effects: Vec<Effect>,
    /// Commands for other partitions.
    pub(crate) outbox: Vec<(PartitionId, Command)>,
    responses: Vec<Response>,
    next_request: u64,
}

/// What a client gets.
pub(crate) type Answer = Result<Response, Rejection>;

impl EngineHarness {
    pub(crate) fn new() -> Self {
        Self::with_config(EngineConfig::default())
    }

    pub(crate) fn with_config(config: EngineConfig) -> Self {
        let store = Rc::new(MemoryStore::default());
        let follower_store = Rc::new(MemoryStore::default());
        Self {
            engine: Engine::open(config.clone(), store.clone()).unwrap(),
            follower: Engine::open(config, follower_store).unwrap(),
            store,
            pending: VecDeque::new(),
            now: Timestamp(START),
            log: Vec::new(),
            effects: Vec::new(),
            outbox: Vec::new(),
            responses: Vec::new(),
            next_request: 1,
        }
    }

    /// Processes a command; the records it wrote.
    pub(crate) fn process(&mut self, command: Command) -> Vec<Record> {
        let mut step = Step::default();
        self.engine.process(self.now, command, &mut step);
        self.take(step)
    }

    fn take(&mut self, step: Step) -> Vec<Record> {
        assert!(self.engine.broken().is_none(), "{:?}", self.engine.broken());
        for effect in step.effects {
            match effect {
                Effect::Respond(response) => self.responses.push(response),
                Effect::Send { to, command } => self.outbox.push((to, *command)),
                effect @ (Effect::PushJob { .. }
                | Effect::JobsAvailable { .. }
                | Effect::FindItems(_)
                | Effect::CheckpointCreated(_)) => self.effects.push(effect),
            }
        }
        // What the follower sees went through bytes.
        let base = self.follower.position();
        let mut bytes = Vec::new();
        batch::encode(base, &step.records, &mut ValueWriter::default(), &mut bytes);
        let (_, decoded) = batch::decode(&bytes).unwrap();
        assert_eq!(decoded, step.records);
        self.follower.replay(&decoded).unwrap();
        assert_eq!(self.engine.position(), self.follower.position());
        if self.engine.digest() != self.follower.digest() {
            self.explain_difference(&step.records);
        }
        self.pending.push_back(self.engine.take_write_set());
        if self.pending.len() > 2 {
            self.persist_one();
            assert_eq!(
                self.engine.digest(),
                self.follower.digest(),
                "after persisting"
            );
        }
        self.log.extend(step.records.iter().cloned());
        step.records
    }

    fn persist_one(&mut self) {
        if let Some(set) = self.pending.pop_front() {
            self.store.apply(&set);
            let number = self.engine.write_sets_taken() - self.pending.len() as u64;
            self.engine.persisted(number);
        }
    }

    fn explain_difference(&self, records: &[Record]) -> ! {
        let leader = self.engine.state().rows().unwrap();
        let follower = self.follower.state().rows().unwrap();
        for (key, value) in &leader {
            if follower.get(key) != Some(value) {
                println!(
                    "leader   {key:?} = {value:?}, follower {:?}",
                    follower.get(key)
                );
            }
        }
        for (key, value) in &follower {
            if !leader.contains_key(key) {
                println!("follower {key:?} = {value:?}, leader none");
            }
        }
        panic!("leader and follower differ after\n{}", text(records));
    }

    /// The leader is gone: a new engine opens from the store and replays what the store lacks.
    pub(crate) fn restart(&mut self, config: EngineConfig) {
        let digest = self.engine.digest();
        self.pending.clear();
        let mut engine = Engine::open(config, self.store.clone()).unwrap();
        let from = engine.position();
        let tail: Vec<Record> = (self
            .log
            .iter()
            .filter(|record| record.position > from)
            .cloned())
        .collect();
        engine.replay(&tail).unwrap();
        assert_eq!(
            engine.digest(),
            digest,
            "recovery gives the state that was lost"
        );
        self.engine = engine;
    }

    /// Processes a command that somebody waits for; the answer if there is one already.
    pub(crate) fn request(&mut self, command: Command) -> Option<Answer> {
        let request = self.ask(command);
        self.answer(request)
    }

    /// Processes a command whose answer is asked for later.
    pub(crate) fn ask(&mut self, command: Command) -> RequestId {
        let request = RequestId(self.next_request);
        self.next_request += 1;
        self.process(Command {
            request: Some(request),
            ..command
        });
        request
    }

    /// The answer to a request.
    pub(crate) fn answer(&mut self, request: RequestId) -> Option<Answer> {
        let at = self
            .responses
            .iter()
            .position(|response| response.request == request)?;
        let response = self.responses.remove(at);
        Some(match response.rejection.clone() {
            Some(rejection) => Err(rejection),
            None => Ok(response),
        })
    }

    pub(crate) fn answered(&mut self, command: Command) -> Answer {
        self.request(command)
            .expect("every request is answered in its step")
    }

    /// Runs everything that is due, until nothing is.
    pub(crate) fn run_due(&mut self) {
        for _ in 0..1000 {
            let mut due = Due::default();
            self.engine.due(self.now, 100, &mut due);
            for effect in due.effects {
                match effect {
                    Effect::Send { to, command } => self.outbox.push((to, *command)),
                    effect => self.effects.push(effect),
                }
            }
            if due.commands.is_empty() {
                return;
            }
            for command in due.commands {
                self.process(command);
            }
        }
        panic!("something stays due for ever");
    }

    /// Lets time pass.
    pub(crate) fn advance(&mut self, millis: i64) {
        self.now = self.now.plus_millis(millis);
        self.run_due();
    }

    pub(crate) fn try_deploy(&mut self, name: &str, bpmn: &str) -> Answer {
        let record = DeploymentRecord {
            resources: vec![DeploymentResource {
                resource: Blob::from(bpmn.as_bytes()),
                resource_name: name.into(),
            }],
            ..DeploymentRecord::default()
        };
        self.answered(Command::internal(Key::NONE, of::Deployment::Create, record))
    }

    pub(crate) fn deploy(&mut self, bpmn: &str) {
        self.try_deploy("process.bpmn", bpmn).expect("deploys");
    }

    pub(crate) fn try_create(&mut self, record: ProcessInstanceCreationRecord) -> Answer {
        self.answered(Command::internal(
            Key::NONE,
            of::ProcessInstanceCreation::Create,
            record,
        ))
    }

    /// Creates an instance of the latest version; its key.
    pub(crate) fn create(&mut self, id: &str, variables: &str) -> Key {
        let record = ProcessInstanceCreationRecord {
            bpmn_process_id: id.into(),
            variables: document(variables),
            ..ProcessInstanceCreationRecord::default()
        };
        let response = self.try_create(record).expect("creates");
        let Value::ProcessInstanceCreation(created) = response.value else {
            panic!("another answer");
        };
        created.process_instance_key
    }

    /// Takes jobs of a type.
    pub(crate) fn activate(&mut self, job_type: &str) -> Vec<(Key, JobRecord)> {
        let record = JobBatchRecord {
            job_type: job_type.into(),
            worker: "worker".into(),
            timeout: 60_000,
            max_jobs: 100,
            tenant_ids: vec![default_tenant()],
            ..JobBatchRecord::default()
        };
        let command = Command::internal(Key::NONE, of::JobBatch::Activate, record);
        let response = self.answered(command).expect("activates");
        let Value::JobBatch(batch) = response.value else {
            panic!("another answer");
        };
        let jobs = batch.jobs.iter().map(|job| JobRecord::clone(job));
        batch.job_keys.iter().copied().zip(jobs).collect()
    }

    pub(crate) fn job(&mut self, key: Key, intent: of::Job, record: JobRecord) -> Answer {
        self.answered(Command::internal(key, intent, record))
    }

    /// Takes the one job of a type and completes it.
    pub(crate) fn complete(&mut self, job_type: &str, variables: &str) {
        let jobs = self.activate(job_type);
        assert_eq!(jobs.len(), 1, "jobs of type {job_type}");
        let record = JobRecord {
            variables: document(variables),
            ..JobRecord::default()
        };
        self.job(jobs[0].0, of::Job::Complete, record)
            .expect("completes");
    }

    /// Completes the last job handed out for a type.
    pub(crate) fn complete_key(&mut self, job_type: &str) {
        let key = self
            .log
            .iter()
            .rev()
            .find_map(|record| match &record.value {
                Value::JobBatch(batch) if batch.job_type == job_type => {
                    batch.job_keys.last().copied()
                }
                _ => None,
            });
        let key = key.expect("a job was handed out");
        self.job(key, of::Job::Complete, JobRecord::default())
            .expect("completes");
    }

    pub(crate) fn cancel(&mut self, instance: Key) -> Answer {
        let record = ProcessInstanceRecord::default();
        self.answered(Command::internal(
            instance,
            of::ProcessInstance::Cancel,
            record,
        ))
    }

    pub(crate) fn resolve(&mut self, incident: Key) -> Answer {
        let record = IncidentRecord::default();
        self.answered(Command::internal(incident, of::Incident::Resolve, record))
    }

    pub(crate) fn set_variables(&mut self, scope: Key, variables: &str) -> Answer {
        let record = VariableDocumentRecord {
            scope_key: scope,
            variables: document(variables),
            ..VariableDocumentRecord::default()
        };
        self.answered(Command::internal(
            Key::NONE,
            of::VariableDocument::Update,
            record,
        ))
    }

    /// Open incidents in the order of their keys.
    pub(crate) fn incidents(&self) -> Vec<(Key, IncidentRecord)> {
        let mut open: Vec<(Key, IncidentRecord)> = Vec::new();
        for record in &self.log {
            if let (Intent::Incident(intent), Value::Incident(value)) =
                (record.intent, &record.value)
                && record.record_type == RecordType::Event
            {
                open.retain(|(key, _)| *key != record.key);
                if matches!(intent, of::Incident::Created | of::Incident::Migrated) {
                    open.push((record.key, IncidentRecord::clone(value)));
                }
            }
        }
        open
    }

    /// Whether an element of an instance (or the instance itself) wrote an event.
    pub(crate) fn wrote(&self, intent: of::ProcessInstance, element: &str) -> bool {
        self.log.iter().any(|record| {
            record.record_type == RecordType::Event
                && record.intent == Intent::ProcessInstance(intent)
                && matches!(&record.value, Value::ProcessInstance(value)
                    if value.element_id == element)
        })
    }

    /// Nothing is left but definitions and counters.
    pub(crate) fn assert_clean(&mut self) {
        const KEPT: [u8; 23] = [
            0, 1, 57, 58, 59, 61, 62, 63, 64, 65, 68, 69, 82, 83, 84, 91, 92, 93, 100, 101, 103,
            104, 161,
        ];
        for (key, value) in self.engine.state().rows().unwrap() {
            assert!(KEPT.contains(&key[0]), "row {key:?} = {value:?} is left");
        }
        while !self.pending.is_empty() {
            self.persist_one();
        }
        for (key, value) in self.engine.state().rows().unwrap() {
            assert!(
                KEPT.contains(&key[0]),
                "row {key:?} = {value:?} is left in the store"
            );
        }
    }
}

/// Several partitions that reach each other.
pub(crate) struct Cluster {
    pub(crate) partitions: Vec<EngineHarness>,
}

impl Cluster {
    pub(crate) fn new(count: u16) -> Self {
        Self::with_config(count, &EngineConfig::default())
    }

    pub(crate) fn with_config(count: u16, config: &EngineConfig) -> Self {
        let partitions = (1..=count)
            .map(|number| {
                EngineHarness::with_config(EngineConfig {
                    partition: PartitionId(number),
                    partition_count: count,
                    ..config.clone()
                })
            })
            .collect();
        Self { partitions }
    }

    pub(crate) fn at(&mut self, number: u16) -> &mut EngineHarness {
        &mut self.partitions[usize::from(number) - 1]
    }

    /// Delivers what partitions sent each other, until nothing is under way.
    pub(crate) fn deliver(&mut self) {
        loop {
            let sent: Vec<(PartitionId, Command)> = self
                .partitions
                .iter_mut()
                .flat_map(|partition| partition.outbox.drain(..).collect::<Vec<_>>())
                .collect();
            if sent.is_empty() {
                return;
            }
            for (to, command) in sent {
                self.at(to.0).process(command);
            }
        }
    }
}

/// A document from JSON; empty text is the empty document.
pub(crate) fn document(text: &str) -> Document {
    if text.is_empty() {
        return Document::EMPTY;
    }
    Document::from(json::to_msgpack(text).expect("JSON"))
}

/// A document as JSON.
pub(crate) fn json_of(document: &Document) -> String {
    let mut out = String::new();
    json::from_msgpack(document.as_bytes(), &mut out).expect("a document");
    out
}

/// Records as compact text, one a line: kind, value type, intent, and what tells records apart.
pub(crate) fn text(records: &[Record]) -> String {
    let mut out = String::new();
    for record in records {
        out.push_str(&line(record));
        out.push('\n');
    }
    out
}

fn line(record: &Record) -> String {
    let kind = match record.record_type {
        RecordType::Command => "C",
        RecordType::Event => "E",
        RecordType::CommandRejection => "R",
    };
    let mut line = format!(
        "{kind} {} {}",
        record.value.value_type().name(),
        record.intent.name()
    );
    let detail = detail(&record.value);
    if !detail.is_empty() {
        line.push(' ');
        line.push_str(&detail);
    }
    if let Some(rejection) = &record.rejection {
        line.push_str(&format!(" {}: {}", rejection.kind.name(), rejection.reason));
    }
    line
}
