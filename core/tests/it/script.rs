//! What happens in a fixture, a line each: clients, workers and time.
//!
//! A command finds what it is about by its name: jobs by their type, elements by their id; where
//! there is nothing of that name, `nothing` stands for a key that nobody has. Commands that are
//! refused go on: the refusal is among the records. `fixture` has the form of the files.

use std::collections::BTreeSet;

use ringflow_core::engine::input::Command;
use ringflow_core::ids::{Key, PartitionId};
use ringflow_core::record::intent::of;
use ringflow_core::record::value::{
    ActivateElement, ActivateInstruction, AdHocSubProcessInstructionRecord,
    ConditionalEvaluationRecord, DecisionEvaluationRecord, DeploymentRecord, DeploymentResource,
    ExpressionRecord, IncidentRecord, JobRecord, JobResult, MappingInstruction,
    MessageCorrelationRecord, MessageRecord, ModificationVariables, MoveInstruction,
    ProcessInstanceCreationRecord, ProcessInstanceMigrationRecord,
    ProcessInstanceModificationRecord, ProcessInstanceRecord, ResourceDeletionRecord,
    RuntimeInstruction, SignalRecord, StartInstruction, TerminateInstruction, UpdateSemantics,
    UserTaskRecord, VariableDocumentRecord,
};
use ringflow_core::record::{Blob, Document, Intent, Text, Value};

use super::agent;
use super::harness::{EngineHarness, document};

/// What stands for a key that nobody has.
const NOTHING: &str = "nothing";

/// A script under way.
pub(crate) struct Script {
    pub(crate) h: EngineHarness,
    instance: Key,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            h: EngineHarness::new(),
            instance: Key::NONE,
        }
    }
}

/// What a line says behind its first word.
struct Words<'l> {
    words: Vec<&'l str>,
    json: &'l str,
}

impl<'l> Words<'l> {
    fn of(rest: &'l str) -> Self {
        let (words, json) = match rest.find('{') {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        Self {
            words: words.split_whitespace().collect(),
            json,
        }
    }

    fn at(&self, place: usize) -> &'l str {
        self.words.get(place).copied().unwrap_or_default()
    }

    fn has(&self, word: &str) -> bool {
        self.words.contains(&word)
    }

    /// What stands behind `name=`.
    fn get(&self, name: &str) -> Option<&'l str> {
        let mut words = self.words.iter();
        words.find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
    }

    fn number<N: std::str::FromStr>(&self, name: &str) -> Option<N> {
        self.get(name).and_then(|text| text.parse().ok())
    }

    /// Words from a place on that are no flags.
    fn rest(&self, from: usize, flags: &[&str]) -> impl Iterator<Item = &'l str> {
        let words = self.words.iter().skip(from).copied();
        words.filter(|word| !flags.contains(word))
    }

    fn document(&self) -> Document {
        document(self.json)
    }
}

impl Script {
    pub(crate) fn deploy(&mut self, files: &[(String, String)]) {
        let resource = |(name, text): &(String, String)| DeploymentResource {
            resource: Blob::from(text.as_bytes()),
            resource_name: name.as_str().into(),
        };
        let record = DeploymentRecord {
            resources: files.iter().map(resource).collect(),
            ..DeploymentRecord::default()
        };
        let command = Command::internal(Key::NONE, of::Deployment::Create, record);
        self.h.answered(command).expect("deploys");
    }

    fn send(&mut self, key: Key, intent: impl Into<Intent>, value: impl Into<Value>) {
        let _ = self.h.request(Command::internal(key, intent, value));
    }

    /// A key that nobody has.
    fn nobody() -> Key {
        Key::new(PartitionId(1), 999_999)
    }

    /// The newest instance of an element that was activated.
    fn element(&self, id: &str) -> Key {
        if id == NOTHING {
            return Self::nobody();
        }
        let found = self.h.log.iter().rev().find(|record| {
            record.intent == Intent::ProcessInstance(of::ProcessInstance::ElementActivating)
                && matches!(&record.value, Value::ProcessInstance(value) if value.element_id == id)
        });
        found.unwrap_or_else(|| panic!("no instance of '{id}'")).key
    }

    /// The instance, or the newest one of an element.
    fn scope(&self, id: &str) -> Key {
        if id.is_empty() {
            return self.instance;
        }
        self.element(id)
    }

    fn job(&mut self, job_type: &str) -> Key {
        if job_type == NOTHING {
            return Self::nobody();
        }
        let jobs = self.h.activate(job_type);
        match jobs.first() {
            Some((key, _)) => *key,
            None => self.last_job(job_type),
        }
    }

    /// The job of this type that was handed out last and is still there.
    fn last_job(&self, job_type: &str) -> Key {
        if job_type == NOTHING {
            return Self::nobody();
        }
        let handed_out = self
            .h
            .log
            .iter()
            .rev()
            .find_map(|record| match &record.value {
                Value::JobBatch(batch) if batch.job_type == job_type => batch
                    .job_keys
                    .iter()
                    .copied()
                    .find(|key| self.h.engine.state().jobs.get(key).unwrap().is_some()),
                _ => None,
            });
        handed_out.unwrap_or_else(|| panic!("no job of type '{job_type}'"))
    }

    /// The key of the newest event.
    fn newest(&self, intent: impl Into<Intent>) -> Key {
        let intent = intent.into();
        let found = self.h.log.iter().rev().find(|one| one.intent == intent);
        found.unwrap_or_else(|| panic!("no {intent:?}")).key
    }

    /// The newest user task that is not done yet; if all are, the newest.
    fn user_task_alive(&self) -> Key {
        let ends = [of::UserTask::Completed, of::UserTask::Canceled].map(Intent::from);
        let mut ended = BTreeSet::new();
        let created = Intent::from(of::UserTask::Creating);
        for record in self.h.log.iter().rev() {
            if ends.contains(&record.intent) {
                ended.insert(record.key);
            } else if record.intent == created && !ended.contains(&record.key) {
                return record.key;
            }
        }
        self.newest(created)
    }

    /// The newest definition of a process.
    fn definition(&self, id: &str) -> Key {
        if id == NOTHING {
            return Self::nobody();
        }
        let found = (self.h.log.iter().rev()).find_map(|record| match &record.value {
            Value::Process(value) if value.bpmn_process_id == id => {
                Some(value.process_definition_key)
            }
            _ => None,
        });
        found.unwrap_or_else(|| panic!("no process '{id}'"))
    }

    pub(crate) fn command(&mut self, line: &str) {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let words = Words::of(rest);
        match verb {
            "create" | "result" => self.create(verb, &words),
            "complete" | "fail" | "retries" | "error" | "decide" | "deny" | "correct"
            | "timeout" | "update" | "yield" => self.work(verb, &words),
            "assign" | "claim" | "change" | "task" => self.user_task(verb, &words),
            "modify" => self.modify(&words),
            "migrate" => self.migrate(&words),
            "agent" | "does" | "says" => self.agent(verb, &words),
            "activate" => {
                let key = self.element(words.at(0));
                let flags = ["cancel"];
                let record = AdHocSubProcessInstructionRecord {
                    ad_hoc_sub_process_instance_key: key,
                    cancel_remaining_instances: words.has("cancel"),
                    activate_elements: elements(words.rest(1, &flags), words.json),
                    ..AdHocSubProcessInstructionRecord::default()
                };
                self.send(key, of::AdHocSubProcessInstruction::Activate, record);
            }
            "evaluate" => {
                let record = ConditionalEvaluationRecord {
                    variables: words.document(),
                    ..ConditionalEvaluationRecord::default()
                };
                self.send(Key::NONE, of::ConditionalEvaluation::Evaluate, record);
            }
            "decision" => {
                let record = DecisionEvaluationRecord {
                    decision_id: words.at(0).into(),
                    variables: words.document(),
                    ..DecisionEvaluationRecord::default()
                };
                self.send(Key::NONE, of::DecisionEvaluation::Evaluate, record);
            }
            "expression" => {
                let record = ExpressionRecord {
                    expression: rest.into(),
                    ..ExpressionRecord::default()
                };
                self.send(Key::NONE, of::Expression::Evaluate, record);
            }
            "message" => {
                let record = MessageRecord {
                    name: words.at(0).into(),
                    correlation_key: words.at(1).into(),
                    message_id: words.get("id").unwrap_or_default().into(),
                    time_to_live: words.number("ttl").unwrap_or_default(),
                    variables: words.document(),
                    ..MessageRecord::default()
                };
                self.send(Key::NONE, of::Message::Publish, record);
            }
            "correlate" => {
                let record = MessageCorrelationRecord {
                    name: words.at(0).into(),
                    correlation_key: words.at(1).into(),
                    variables: words.document(),
                    ..MessageCorrelationRecord::default()
                };
                self.send(Key::NONE, of::MessageCorrelation::Correlate, record);
            }
            "signal" => {
                let record = SignalRecord {
                    signal_name: words.at(0).into(),
                    variables: words.document(),
                    ..SignalRecord::default()
                };
                self.send(Key::NONE, of::Signal::Broadcast, record);
            }
            "set" | "propagate" => {
                let record = VariableDocumentRecord {
                    scope_key: self.scope(words.at(0)),
                    update_semantics: if verb == "set" {
                        UpdateSemantics::Local
                    } else {
                        UpdateSemantics::Propagate
                    },
                    variables: words.document(),
                    ..VariableDocumentRecord::default()
                };
                self.send(Key::NONE, of::VariableDocument::Update, record);
            }
            "advance" => self.h.advance(words.at(0).parse().unwrap()),
            "cancel" => {
                let key = self.scope(words.at(0));
                let record = ProcessInstanceRecord::default();
                self.send(key, of::ProcessInstance::Cancel, record);
            }
            "resolve" => {
                let key = match words.at(0) {
                    NOTHING => Self::nobody(),
                    _ => self.h.incidents().last().expect("an incident").0,
                };
                self.send(key, of::Incident::Resolve, IncidentRecord::default());
            }
            "delete" => {
                let record = ResourceDeletionRecord {
                    resource_key: self.definition(words.at(0)),
                    ..ResourceDeletionRecord::default()
                };
                self.send(Key::NONE, of::ResourceDeletion::Delete, record);
            }
            other => panic!("no command '{other}'"),
        }
    }

    /// create|result <process> [version=] [before=id,id] [until=id] {variables}
    fn create(&mut self, verb: &str, words: &Words<'_>) {
        let id = match words.at(0) {
            id if id.is_empty() || id.contains('=') => "p",
            NOTHING => "",
            id => id,
        };
        let before = words
            .get("before")
            .into_iter()
            .flat_map(|ids| ids.split(','));
        let record = ProcessInstanceCreationRecord {
            bpmn_process_id: id.into(),
            version: words.number("version").unwrap_or(-1),
            variables: words.document(),
            start_instructions: before
                .map(|id| StartInstruction {
                    element_id: id.into(),
                })
                .collect(),
            runtime_instructions: words
                .get("until")
                .map(|id| RuntimeInstruction {
                    after_element_id: id.into(),
                    ..RuntimeInstruction::default()
                })
                .into_iter()
                .collect(),
            ..ProcessInstanceCreationRecord::default()
        };
        let intent = match verb {
            "create" => of::ProcessInstanceCreation::Create,
            _ => of::ProcessInstanceCreation::CreateWithAwaitingResult,
        };
        let from = self.h.log.len();
        self.send(Key::NONE, intent, record);
        let created = self.h.log[from..].iter().find_map(|record| {
            let Value::ProcessInstanceCreation(value) = &record.value else {
                return None;
            };
            (record.intent == of::ProcessInstanceCreation::Created.into())
                .then_some(value.process_instance_key)
        });
        self.instance = created.unwrap_or(self.instance);
    }

    /// What workers do: <verb> <job type> ...
    fn work(&mut self, verb: &str, words: &Words<'_>) {
        let name = words.at(0);
        let known = ["retries", "timeout", "update", "yield"].contains(&verb);
        let key = match known {
            true => self.last_job(name),
            false => self.job(name),
        };
        let mut record = JobRecord::default();
        let intent = match verb {
            "complete" => {
                record.variables = words.document();
                of::Job::Complete
            }
            "fail" => {
                record.retries = words.at(1).parse().unwrap_or(0);
                record.retry_backoff = words.number("backoff").unwrap_or(0);
                record.error_message = "broken".into();
                record.variables = words.document();
                of::Job::Fail
            }
            "retries" => {
                record.retries = words.number("to").unwrap_or(1);
                of::Job::UpdateRetries
            }
            "error" => {
                record.error_code = words.at(1).into();
                record.variables = words.document();
                of::Job::ThrowError
            }
            "timeout" => {
                record.timeout = words.number("to").unwrap_or(60_000);
                of::Job::UpdateTimeout
            }
            "yield" => of::Job::Yield,
            "update" => {
                for name in ["retries", "timeout"] {
                    if words.get(name).is_some() {
                        record.changed_attributes.push(name.into());
                    }
                }
                record.retries = words.number("retries").unwrap_or(-1);
                record.timeout = words.number("timeout").unwrap_or(-1);
                of::Job::Update
            }
            // decide <type> [ids ...] [fulfilled] [cancel]
            "decide" => {
                let flags = ["fulfilled", "cancel"];
                record.result.push(JobResult {
                    kind: "adHocSubProcess".into(),
                    completion_condition_fulfilled: words.has("fulfilled"),
                    cancel_remaining_instances: words.has("cancel"),
                    activate_elements: elements(words.rest(1, &flags), words.json),
                    ..JobResult::default()
                });
                of::Job::Complete
            }
            "deny" => {
                record.result.push(JobResult {
                    kind: "userTask".into(),
                    denied: true,
                    denied_reason: "not now".into(),
                    ..JobResult::default()
                });
                of::Job::Complete
            }
            // correct <type> {new values}
            _ => {
                record.result.push(JobResult {
                    kind: "userTask".into(),
                    corrected_attributes: words.rest(1, &[]).map(Text::from).collect(),
                    corrections: words.document(),
                    ..JobResult::default()
                });
                of::Job::Complete
            }
        };
        self.send(key, intent, record);
    }

    /// task {variables}, assign|claim <user>, change <priority>; of the newest task or `nothing`.
    fn user_task(&mut self, verb: &str, words: &Words<'_>) {
        let key = match words.has(NOTHING) {
            true => Self::nobody(),
            false => self.user_task_alive(),
        };
        let first = words.rest(0, &[NOTHING]).next().unwrap_or_default();
        let mut record = UserTaskRecord {
            user_task_key: key,
            variables: words.document(),
            ..UserTaskRecord::default()
        };
        let intent = match verb {
            "task" => of::UserTask::Complete,
            "assign" => {
                record.assignee = first.into();
                of::UserTask::Assign
            }
            "claim" => {
                record.assignee = first.into();
                of::UserTask::Claim
            }
            _ => {
                record.priority = first.parse().unwrap_or(50);
                record.changed_attributes.push("priority".into());
                of::UserTask::Update
            }
        };
        self.send(key, intent, record);
    }

    /// modify +a (activate) +a@b (in b) -a (terminate) a>b (move all) {variables of what is activated}
    fn modify(&mut self, words: &Words<'_>) {
        let key = match words.has(NOTHING) {
            true => Self::nobody(),
            false => self.instance,
        };
        let mut record = ProcessInstanceModificationRecord {
            process_instance_key: key,
            ..ProcessInstanceModificationRecord::default()
        };
        let variables = || match words.json {
            "" => Vec::new(),
            json => vec![ModificationVariables {
                element_id: words.get("for").unwrap_or_default().into(),
                variables: document(json),
            }],
        };
        for word in &words.words {
            if let Some(target) = word.strip_prefix('+') {
                let (element, ancestor) = target.split_once('@').unwrap_or((target, ""));
                record.activate_instructions.push(ActivateInstruction {
                    element_id: element.into(),
                    ancestor_scope_key: match ancestor {
                        "" => Key::NONE,
                        id => self.element(id),
                    },
                    variable_instructions: variables(),
                    ..ActivateInstruction::default()
                });
            } else if let Some(source) = word.strip_prefix('-') {
                record.terminate_instructions.push(TerminateInstruction {
                    element_instance_key: self.element(source),
                    ..TerminateInstruction::default()
                });
            } else if let Some((source, target)) = word.split_once('>') {
                record.move_instructions.push(MoveInstruction {
                    source_element_id: source.into(),
                    target_element_id: target.into(),
                    variable_instructions: variables(),
                    ..MoveInstruction::default()
                });
            }
        }
        self.send(key, of::ProcessInstanceModification::Modify, record);
    }

    /// migrate <process> a>b ...
    fn migrate(&mut self, words: &Words<'_>) {
        let key = match words.has("missing") {
            true => Self::nobody(),
            false => self.instance,
        };
        let pairs = words.words.iter().filter_map(|word| word.split_once('>'));
        let record = ProcessInstanceMigrationRecord {
            process_instance_key: key,
            target_process_definition_key: self.definition(words.at(0)),
            mapping_instructions: pairs
                .map(|(source, target)| MappingInstruction {
                    source_element_id: source.into(),
                    target_element_id: target.into(),
                })
                .collect(),
            ..ProcessInstanceMigrationRecord::default()
        };
        self.send(key, of::ProcessInstanceMigration::Migrate, record);
    }

    /// agent <element>; does <element> <status>; says <element> <type> <role> <id>
    fn agent(&mut self, verb: &str, words: &Words<'_>) {
        let element = self.element(words.at(0));
        if verb == "agent" {
            let record = agent::created(element);
            return self.send(Key::NONE, of::AgentInstance::Create, record);
        }
        let record = match verb {
            "does" => agent::doing(element, words.at(1)),
            _ => {
                let job = self.job(words.at(1));
                agent::saying(element, job, vec![agent::item(words.at(2), words.at(3))])
            }
        };
        let key = self.newest(of::AgentInstance::Created);
        self.send(key, of::AgentInstance::Update, record);
    }
}

fn elements<'l>(ids: impl Iterator<Item = &'l str>, variables: &str) -> Vec<ActivateElement> {
    ids.map(|id| ActivateElement {
        element_id: id.into(),
        variables: document(variables),
    })
    .collect()
}
