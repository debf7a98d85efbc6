//! Fixtures: a sketch of a process, commands, and the records that each command writes.
//!
//! A case is one file in `fixture/bpmn/<area>/`. Above the line `---` stands the sketch (see
//! `sketch`), below it the script: a line that begins with `>` is a command, the lines behind it are
//! its records. `BLESS=1` writes the records as they are; what is committed has been read and
//! checked. Leader and follower are compared after every step, and a script leaves no rows unless
//! its last line is `> stays`.
//!
//! Records are written short: element records without their value type, events of one element that
//! follow each other on one line, the records of handing out jobs not at all.

use std::path::{Path, PathBuf};

use ringflow_core::engine::input::Command;
use ringflow_core::ids::Key;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::{
    ActivateElement, AdHocSubProcessInstructionRecord, ConditionalEvaluationRecord, JobRecord,
    JobResult, MessageRecord, SignalRecord, UpdateSemantics, UserTaskRecord,
    VariableDocumentRecord,
};
use ringflow_core::record::{Intent, Record, RecordType, Value};

use super::agent;
use super::harness::{EngineHarness, document, text};
use super::sketch;

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixture/bpmn")
}

/// All cases, in order of their paths.
fn cases() -> Vec<PathBuf> {
    let mut cases = Vec::new();
    for area in std::fs::read_dir(directory()).unwrap() {
        let area = area.unwrap().path();
        if area.is_dir() {
            let files = std::fs::read_dir(area).unwrap();
            cases.extend(files.map(|file| file.unwrap().path()));
        }
    }
    cases.sort();
    cases
}

/// What a command wrote, as fixtures show it.
fn shown(records: &[Record]) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut last: Option<(Key, String)> = None;
    for record in records {
        if record.intent == Intent::JobBatch(of::JobBatch::Activate)
            || record.intent == Intent::JobBatch(of::JobBatch::Activated)
        {
            continue;
        }
        let line = nameless(text(std::slice::from_ref(record)).trim_end());
        let Intent::ProcessInstance(_) = record.intent else {
            lines.push(line);
            last = None;
            continue;
        };
        let line = line.replacen("PROCESS_INSTANCE ", "", 1);
        let kind = if record.record_type == RecordType::Event {
            "E "
        } else {
            ""
        };
        let (intent, element) = line[2..].split_once(' ').unwrap();
        // Events of one instance in a row share a line.
        let this = (record.key, element.to_owned());
        if kind == "E " && last.as_ref() == Some(&this) {
            let line = lines.last_mut().unwrap();
            let at = line.len() - element.len() - 1;
            line.insert_str(at, &format!(", {}", intent.trim_start_matches("ELEMENT_")));
            continue;
        }
        last = (kind == "E ").then_some(this);
        lines.push(line);
    }
    lines.iter().map(|line| format!("  {line}\n")).collect()
}

/// Keys depend on how many records stand in front: texts show them as `#`.
fn nameless(line: &str) -> String {
    let mut out = String::new();
    let mut digits = String::new();
    for c in line.chars().chain(std::iter::once('\n')) {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        if digits.len() >= 13 {
            out.push('#');
        } else {
            out.push_str(&digits);
        }
        digits.clear();
        out.push(c);
    }
    out.trim_end().to_owned()
}

/// A script under way.
struct Run {
    h: EngineHarness,
    instance: Key,
}

impl Run {
    /// The newest instance of an element that was activated.
    fn element(&self, id: &str) -> Key {
        let found = self.h.log.iter().rev().find(|record| {
            record.intent == Intent::ProcessInstance(of::ProcessInstance::ElementActivating)
                && matches!(&record.value, Value::ProcessInstance(value) if value.element_id == id)
        });
        found.unwrap_or_else(|| panic!("no instance of '{id}'")).key
    }

    fn job(&mut self, job_type: &str) -> Key {
        let jobs = self.h.activate(job_type);
        match jobs.first() {
            Some((key, _)) => *key,
            None => self.last_job(job_type),
        }
    }

    /// The job of this type that was handed out last and is still there.
    fn last_job(&self, job_type: &str) -> Key {
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

    /// The agent instance that was made last.
    fn agent(&self) -> Key {
        let made = self
            .h
            .log
            .iter()
            .rev()
            .find(|record| record.intent == Intent::AgentInstance(of::AgentInstance::Created));
        made.expect("an agent instance").key
    }

    fn command(&mut self, line: &str) {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let (words, json) = match rest.find('{') {
            Some(at) => (rest[..at].trim(), &rest[at..]),
            None => (rest.trim(), ""),
        };
        let mut words = words.split(' ').filter(|word| !word.is_empty());
        let mut next = || words.next().unwrap_or_default().to_owned();
        match verb {
            "create" => {
                let id = next();
                let id = if id.is_empty() { "p" } else { &id };
                self.instance = self.h.create(id, json);
            }
            "complete" => {
                let key = self.job(&next());
                let record = JobRecord {
                    variables: document(json),
                    ..JobRecord::default()
                };
                let _ = self.h.job(key, of::Job::Complete, record);
            }
            "fail" => {
                let key = self.job(&next());
                let record = JobRecord {
                    retries: next().parse().unwrap_or(0),
                    error_message: "broken".into(),
                    variables: document(json),
                    ..JobRecord::default()
                };
                let _ = self.h.job(key, of::Job::Fail, record);
            }
            "retries" => {
                let key = self.last_job(&next());
                let record = JobRecord {
                    retries: 1,
                    ..JobRecord::default()
                };
                let _ = self.h.job(key, of::Job::UpdateRetries, record);
            }
            "error" => {
                let key = self.job(&next());
                let record = JobRecord {
                    error_code: next().into(),
                    variables: document(json),
                    ..JobRecord::default()
                };
                let _ = self.h.job(key, of::Job::ThrowError, record);
            }
            // complete-ad-hoc <type> [ids ...] [fulfilled] [cancel]
            "decide" => {
                let key = self.job(&next());
                let words: Vec<String> = words.map(str::to_owned).collect();
                let is = |word: &str| words.iter().any(|known| known == word);
                let result = JobResult {
                    kind: "adHocSubProcess".into(),
                    completion_condition_fulfilled: is("fulfilled"),
                    cancel_remaining_instances: is("cancel"),
                    activate_elements: words
                        .iter()
                        .filter(|word| *word != "fulfilled" && *word != "cancel")
                        .map(|id| ActivateElement {
                            element_id: id.as_str().into(),
                            variables: document(json),
                        })
                        .collect(),
                    ..JobResult::default()
                };
                let record = JobRecord {
                    result: vec![result],
                    ..JobRecord::default()
                };
                let _ = self.h.job(key, of::Job::Complete, record);
            }
            "activate" => {
                let key = self.element(&next());
                let words: Vec<&str> = words.collect();
                let record = AdHocSubProcessInstructionRecord {
                    ad_hoc_sub_process_instance_key: key,
                    cancel_remaining_instances: words.contains(&"cancel"),
                    activate_elements: words
                        .iter()
                        .filter(|word| **word != "cancel")
                        .map(|id| ActivateElement {
                            element_id: (*id).into(),
                            variables: document(json),
                        })
                        .collect(),
                    ..AdHocSubProcessInstructionRecord::default()
                };
                let intent = of::AdHocSubProcessInstruction::Activate;
                let _ = self.h.request(Command::internal(key, intent, record));
            }
            "evaluate" => {
                let record = ConditionalEvaluationRecord {
                    variables: document(json),
                    ..ConditionalEvaluationRecord::default()
                };
                let intent = of::ConditionalEvaluation::Evaluate;
                let _ = self.h.request(Command::internal(Key::NONE, intent, record));
            }
            "message" => {
                let record = MessageRecord {
                    name: next().into(),
                    correlation_key: next().into(),
                    variables: document(json),
                    ..MessageRecord::default()
                };
                let _ = self
                    .h
                    .request(Command::internal(Key::NONE, of::Message::Publish, record));
            }
            "signal" => {
                let record = SignalRecord {
                    signal_name: next().into(),
                    variables: document(json),
                    ..SignalRecord::default()
                };
                let _ = self
                    .h
                    .request(Command::internal(Key::NONE, of::Signal::Broadcast, record));
            }
            "task" => {
                let key = self.h.log.iter().rev().find_map(|record| {
                    (record.intent == Intent::UserTask(of::UserTask::Created)).then_some(record.key)
                });
                let record = UserTaskRecord {
                    variables: document(json),
                    ..UserTaskRecord::default()
                };
                let command = Command::internal(key.unwrap(), of::UserTask::Complete, record);
                let _ = self.h.request(command);
            }
            "set" => {
                let id = next();
                let scope = if id.is_empty() {
                    self.instance
                } else {
                    self.element(&id)
                };
                let record = VariableDocumentRecord {
                    scope_key: scope,
                    update_semantics: UpdateSemantics::Local,
                    variables: document(json),
                    ..VariableDocumentRecord::default()
                };
                let command = Command::internal(Key::NONE, of::VariableDocument::Update, record);
                let _ = self.h.request(command);
            }
            // Agents: agent <element>; does <element> <status>; says <element> <type> <role> <id>.
            "agent" => {
                let element = self.element(&next());
                let record = agent::created(element);
                let intent = of::AgentInstance::Create;
                let _ = self.h.request(Command::internal(Key::NONE, intent, record));
            }
            "does" => {
                let element = self.element(&next());
                let record = agent::doing(element, &next());
                let command = Command::internal(self.agent(), of::AgentInstance::Update, record);
                let _ = self.h.request(command);
            }
            "says" => {
                let element = self.element(&next());
                let job = self.job(&next());
                let record = agent::saying(element, job, vec![agent::item(&next(), &next())]);
                let command = Command::internal(self.agent(), of::AgentInstance::Update, record);
                let _ = self.h.request(command);
            }
            "advance" => self.h.advance(next().parse().unwrap()),
            "cancel" => {
                let _ = self.h.cancel(self.instance);
            }
            "resolve" => {
                let incident = self.h.incidents().last().expect("an incident").0;
                let _ = self.h.resolve(incident);
            }
            other => panic!("no command '{other}'"),
        }
    }
}

/// Runs a case; the file as it should be.
fn run(source: &str) -> String {
    let (sketch, script) = source.split_once("---\n").expect("a line ---");
    let mut run = Run {
        h: EngineHarness::new(),
        instance: Key::NONE,
    };
    run.h.deploy(&sketch::bpmn(sketch));
    let mut out = format!("{sketch}---\n");
    let mut stays = false;
    for line in script.lines() {
        if line.starts_with('#') {
            out.push_str(&format!("{line}\n"));
        }
        let Some(command) = line.strip_prefix("> ") else {
            continue;
        };
        out.push_str(&format!("> {command}\n"));
        if command == "stays" {
            stays = true;
            continue;
        }
        let from = run.h.log.len();
        run.command(command);
        out.push_str(&shown(&run.h.log[from..]));
    }
    if !stays {
        run.h.assert_clean();
    }
    out
}

#[test]
fn every_case_writes_its_records() {
    let bless = std::env::var_os("BLESS").is_some();
    let mut wrong = Vec::new();
    let all = cases();
    for case in &all {
        let source = std::fs::read_to_string(case).unwrap();
        println!("{}", case.display());
        let actual = run(&source);
        if actual == source {
            continue;
        }
        if bless {
            std::fs::write(case, actual).unwrap();
            continue;
        }
        let first = actual
            .lines()
            .zip(source.lines())
            .find(|(actual, expected)| actual != expected);
        wrong.push(format!(
            "{}: {}",
            case.display(),
            first.map_or_else(
                || "another number of lines".to_owned(),
                |(actual, expected)| format!("\n  is        {actual}\n  should be {expected}")
            )
        ));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(all.len() >= 140, "{} cases", all.len());
}

#[test]
fn no_case_shows_an_engine_fault() {
    for case in cases() {
        let source = std::fs::read_to_string(&case).unwrap();
        let fault = source
            .lines()
            .any(|line| line.starts_with("  E ERROR CREATED") || line.contains("PROCESSING_ERROR"));
        assert!(!fault, "{}", case.display());
    }
}
