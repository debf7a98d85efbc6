//! Large models and large loops: every step stays within its limits, and all of it comes to an end.
//!
//! These run on the engine alone: comparing leader and follower after each step, as the harness
//! does, would read all rows hundreds of times.

use std::fmt::Write as _;
use std::rc::Rc;

use ringflow_core::engine::input::Command;
use ringflow_core::engine::{Due, Engine, EngineConfig, Step};
use ringflow_core::ids::{Key, Timestamp};
use ringflow_core::record::intent::of;
use ringflow_core::record::value::{
    DeploymentRecord, DeploymentResource, ProcessInstanceCreationRecord, ProcessInstanceRecord,
};
use ringflow_core::record::{Blob, Intent, RecordType, Value};
use ringflow_core::state::memory::MemoryStore;

use super::harness::START;
use super::sketch;

/// An engine without a follower, and what it did.
struct Plain {
    engine: Engine,
    store: Rc<MemoryStore>,
    steps: usize,
    largest: usize,
    completed: usize,
    terminated: usize,
    instance: Key,
}

impl Plain {
    fn new() -> Self {
        let store = Rc::new(MemoryStore::default());
        Self {
            engine: Engine::open(EngineConfig::default(), store.clone()).unwrap(),
            store,
            steps: 0,
            largest: 0,
            completed: 0,
            terminated: 0,
            instance: Key::NONE,
        }
    }

    fn process(&mut self, command: Command) {
        let mut step = Step::default();
        self.engine.process(Timestamp(START), command, &mut step);
        assert!(self.engine.broken().is_none(), "{:?}", self.engine.broken());
        self.steps += 1;
        self.largest = self.largest.max(step.records.len());
        for record in &step.records {
            assert!(!matches!(record.value, Value::Error(_)), "{record:?}");
            if record.record_type != RecordType::Event {
                continue;
            }
            let intent = record.intent;
            if intent == Intent::ProcessInstance(of::ProcessInstance::ElementCompleted) {
                self.completed += 1;
            } else if intent == Intent::ProcessInstance(of::ProcessInstance::ElementTerminated) {
                self.terminated += 1;
            } else if let Value::ProcessInstanceCreation(created) = &record.value {
                self.instance = created.process_instance_key;
            }
        }
        let set = self.engine.take_write_set();
        self.store.apply(&set);
        self.engine.persisted(self.engine.write_sets_taken());
    }

    fn run(&mut self, command: Command) {
        self.process(command);
        loop {
            let mut due = Due::default();
            self.engine.due(Timestamp(START), 100, &mut due);
            if due.commands.is_empty() {
                return;
            }
            for command in due.commands {
                self.process(command);
            }
        }
    }

    /// Whether part of a step waits for a step of its own.
    fn waits(&self) -> bool {
        self.engine.state().has_continuations().unwrap()
    }

    /// One turn of what waits.
    fn turn(&mut self) {
        let mut due = Due::default();
        self.engine.due(Timestamp(START), 1, &mut due);
        for command in due.commands {
            self.process(command);
        }
    }

    fn deploy(&mut self, bpmn: &str) {
        let command = Self::deployment(bpmn);
        self.run(command);
    }

    /// Deploys without doing what waits.
    fn deploy_beside(&mut self, bpmn: &str) {
        let command = Self::deployment(bpmn);
        self.process(command);
    }

    fn deployment(bpmn: &str) -> Command {
        let record = DeploymentRecord {
            resources: vec![DeploymentResource {
                resource: Blob::from(bpmn.as_bytes()),
                resource_name: "p.bpmn".into(),
            }],
            ..DeploymentRecord::default()
        };
        Command::internal(Key::NONE, of::Deployment::Create, record)
    }

    fn create(&mut self) {
        let record = ProcessInstanceCreationRecord {
            bpmn_process_id: "p".into(),
            ..ProcessInstanceCreationRecord::default()
        };
        let intent = of::ProcessInstanceCreation::Create;
        self.run(Command::internal(Key::NONE, intent, record));
    }

    fn cancel(&mut self) {
        let record = ProcessInstanceRecord::default();
        let intent = of::ProcessInstance::Cancel;
        self.run(Command::internal(self.instance, intent, record));
    }

    /// Rows of instances that are left.
    fn left(&self) -> usize {
        let rows = self.engine.state().rows().unwrap();
        // Elements, variables, jobs, collections, running instances.
        let of_instances = [6, 7, 8, 10, 16, 37, 38, 76, 125, 142, 200];
        rows.keys()
            .filter(|key| of_instances.contains(&key[0]))
            .count()
    }
}

/// Records one step may have: its commands with the few events each of them causes.
const RECORDS_PER_STEP_MAX: usize = 1500;

#[test]
fn ten_thousand_instances_at_once_run_in_small_steps() {
    let mut p = Plain::new();
    p.deploy(&sketch::bpmn(
        "start s
manual a
loop a over=\"=for i in 1..10000 return i\" item=i
end e
flow s a e",
    ));
    p.create();
    // Inner instances, the body, both events, the process.
    assert_eq!(p.completed, 10_000 + 4);
    assert!(p.largest <= RECORDS_PER_STEP_MAX, "{} records", p.largest);
    assert!(p.steps >= 200, "{} steps", p.steps);
    assert_eq!(p.left(), 0);
}

#[test]
fn ten_thousand_waiting_instances_are_cancelled_in_small_steps() {
    let mut p = Plain::new();
    p.deploy(&sketch::bpmn(
        "start s
service a type=a
loop a over=\"=for i in 1..10000 return i\"
end e
flow s a e",
    ));
    p.create();
    assert_eq!(p.engine.state().activatable_jobs.len(), 10_000);
    p.cancel();
    assert_eq!(p.terminated, 10_000 + 2);
    assert!(p.largest <= RECORDS_PER_STEP_MAX, "{} records", p.largest);
    assert_eq!(p.left(), 0);
}

#[test]
fn a_process_of_five_thousand_elements_runs() {
    let mut source = String::from("start t0\n");
    let mut chain = String::from("flow t0");
    for n in 1..=5000 {
        writeln!(source, "manual t{n}").unwrap();
        write!(chain, " t{n}").unwrap();
    }
    let mut p = Plain::new();
    p.deploy(&sketch::bpmn(&(source + &chain)));
    p.create();
    assert_eq!(p.completed, 5000 + 2);
    assert!(p.largest <= RECORDS_PER_STEP_MAX, "{} records", p.largest);
    assert_eq!(p.left(), 0);
}

#[test]
fn other_instances_go_on_beside_a_large_loop() {
    let mut p = Plain::new();
    p.deploy(&sketch::bpmn(
        "start s
manual a
loop a over=\"=for i in 1..10000 return i\"
end e
flow s a e",
    ));
    let creation = |id: &str| {
        let record = ProcessInstanceCreationRecord {
            bpmn_process_id: id.into(),
            ..ProcessInstanceCreationRecord::default()
        };
        let intent = of::ProcessInstanceCreation::Create;
        Command::internal(Key::NONE, intent, record)
    };
    p.process(creation("p"));
    let small = sketch::bpmn("start s\nmanual a\nend e\nflow s a e");
    p.deploy_beside(&small.replace("id=\"p\"", "id=\"small\""));
    // What waits is done turn by turn: one step of the loop, one small instance.
    let mut between = 0;
    while p.waits() {
        p.turn();
        if !p.waits() {
            break;
        }
        let before = p.completed;
        p.process(creation("small"));
        assert_eq!(p.completed - before, 4, "start, task, end, process");
        between += 1;
    }
    assert!(between >= 100, "{between} instances in between");
    assert!(p.largest <= RECORDS_PER_STEP_MAX, "{} records", p.largest);
    assert_eq!(p.completed, 10_000 + 4 + 4 * between);
    assert_eq!(p.left(), 0);
}
