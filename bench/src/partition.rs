//! One partition over a store in memory, driven as the shard drives it.
//!
//! Every call asserts that the engine did what the benchmark believes it measures: a refused command
//! is fast, too.

use std::hint::black_box;
use std::rc::Rc;
use std::time::Duration;

use ringflow_core::engine::effect::{Effect, Response};
use ringflow_core::engine::input::{Command, RequestId};
use ringflow_core::engine::{Due, Engine, EngineConfig, Step};
use ringflow_core::ids::{Key, Position, Timestamp};
use ringflow_core::record::field::ValueWriter;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::{
    DeploymentRecord, DeploymentResource, JobBatchRecord, JobRecord, ProcessInstanceCreationRecord,
    default_tenant,
};
use ringflow_core::record::{Blob, Document, Record, Value, batch};
use ringflow_core::state::memory::MemoryStore;

use crate::CpuTime;

const NOW: Timestamp = Timestamp(1_767_225_600_000);

/// A partition with one process deployed.
#[derive(Debug)]
pub struct Partition {
    /// Its engine.
    pub engine: Engine,
    /// What lies under the engine.
    pub store: Rc<MemoryStore>,
    step: Step,
    base: Position,
    writer: ValueWriter,
    bytes: Vec<u8>,
}

impl Partition {
    /// A new partition with `process` deployed under the id `p`, where chains are one step.
    #[must_use]
    pub fn with(process: &str) -> Self {
        Self::open(
            process,
            EngineConfig {
                max_commands_in_batch: 10_000,
                ..EngineConfig::default()
            },
        )
    }

    /// As [`Partition::with`], with steps as the server has them.
    #[must_use]
    pub fn in_steps(process: &str) -> Self {
        Self::open(process, EngineConfig::default())
    }

    fn open(process: &str, config: EngineConfig) -> Self {
        let store = Rc::new(MemoryStore::default());
        let engine = Engine::open(config, store.clone()).expect("an empty store");
        let mut partition = Self {
            engine,
            store,
            step: Step::default(),
            base: Position(0),
            writer: ValueWriter::default(),
            bytes: Vec::new(),
        };
        let deployment = DeploymentRecord {
            resources: vec![DeploymentResource {
                resource: Blob::from(process.as_bytes()),
                resource_name: "p.bpmn".into(),
            }],
            ..DeploymentRecord::default()
        };
        partition.request(Command::internal(
            Key::NONE,
            of::Deployment::Create,
            deployment,
        ));
        partition
    }

    fn request(&mut self, command: Command) -> Response {
        let command = Command {
            request: Some(RequestId(1)),
            ..command
        };
        self.engine.process(NOW, command, &mut self.step);
        assert!(self.engine.broken().is_none(), "{:?}", self.engine.broken());
        let answer = self.step.effects.drain(..).find_map(|effect| match effect {
            Effect::Respond(response) => Some(response),
            Effect::Send { .. }
            | Effect::PushJob { .. }
            | Effect::JobsAvailable { .. }
            | Effect::FindItems(_)
            | Effect::CheckpointCreated(_) => None,
        });
        let answer = answer.expect("every request is answered in its step");
        assert_eq!(answer.rejection, None);
        answer
    }

    /// Creates an instance.
    pub fn create(&mut self, variables: &Document) {
        let create = ProcessInstanceCreationRecord {
            bpmn_process_id: "p".into(),
            variables: variables.clone(),
            ..ProcessInstanceCreationRecord::default()
        };
        let create = Command::internal(Key::NONE, of::ProcessInstanceCreation::Create, create);
        self.request(create);
    }

    /// Creates an instance and goes on until nothing waits any more; `each` hears how long the
    /// processor worked for a step with all that belongs to it. Returns the number of steps.
    pub fn create_and_finish(&mut self, each: &mut dyn FnMut(Duration)) -> usize {
        each(CpuTime::of(|| {
            self.create(&Document::EMPTY);
            black_box(self.encode());
            self.persist();
        }));
        let mut steps = 1;
        loop {
            let mut due = Due::default();
            self.engine.due(NOW, 1, &mut due);
            let Some(command) = due.commands.pop() else {
                return steps;
            };
            each(CpuTime::of(|| {
                self.engine.process(NOW, command, &mut self.step);
                self.step.effects.clear();
                black_box(self.encode());
                self.persist();
            }));
            assert!(self.engine.broken().is_none(), "{:?}", self.engine.broken());
            steps += 1;
        }
    }

    /// Activates at most `count` jobs of type `work`; their keys.
    pub fn activate(&mut self, count: i32) -> Vec<Key> {
        let activate = JobBatchRecord {
            job_type: "work".into(),
            worker: "bench".into(),
            timeout: 60_000,
            max_jobs: count,
            tenant_ids: vec![default_tenant()],
            ..JobBatchRecord::default()
        };
        let answer = self.request(Command::internal(
            Key::NONE,
            of::JobBatch::Activate,
            activate,
        ));
        let Value::JobBatch(batch) = &answer.value else {
            panic!("jobs are answered with jobs, not {:?}", answer.intent);
        };
        batch.job_keys.clone()
    }

    /// Completes a job.
    pub fn complete(&mut self, job: Key, variables: &Document) {
        let complete = JobRecord {
            variables: variables.clone(),
            ..JobRecord::default()
        };
        self.request(Command::internal(job, of::Job::Complete, complete));
    }

    /// All commands of an instance with one task.
    pub fn one_task(&mut self, variables: &Document) {
        self.create(variables);
        let jobs = self.activate(1);
        self.complete(jobs[0], variables);
    }

    /// The records since the last iteration.
    #[must_use]
    pub fn records(&self) -> &[Record] {
        &self.step.records
    }

    /// The records since the last iteration as the payload of a log entry.
    pub fn encode(&mut self) -> &[u8] {
        self.bytes.clear();
        batch::encode(
            self.base,
            &self.step.records,
            &mut self.writer,
            &mut self.bytes,
        );
        &self.bytes
    }

    /// Ends an iteration without persisting: drops the records, takes the write set.
    pub fn forget(&mut self) {
        self.step.records.clear();
        self.base = self.engine.position();
        self.engine.take_write_set();
    }

    /// Ends an iteration: write set into the store, rows may be evicted.
    pub fn persist(&mut self) {
        self.step.records.clear();
        self.base = self.engine.position();
        let set = self.engine.take_write_set();
        self.store.apply(&set);
        self.engine.persisted(self.engine.write_sets_taken());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{document, process};

    #[test]
    fn every_fixture_runs_to_its_end() {
        let variables = Document::from(document::order());
        let condition = "amount &gt; 100 and customer.vip";
        for process in [process::manual_tasks(3), process::gateways(3, condition)] {
            let mut partition = Partition::with(&process);
            partition.persist();
            let rows = partition.store.len();
            partition.create(&variables);
            partition.persist();
            assert_eq!(
                partition.store.len(),
                rows,
                "a finished instance leaves no rows"
            );
        }
        let mut partition = Partition::with(&process::one_task());
        partition.persist();
        let rows = partition.store.len();
        partition.one_task(&variables);
        let (base, records) = batch::decode(partition.encode()).unwrap();
        assert_eq!(base.next(), records[0].position);
        partition.persist();
        assert_eq!(
            partition.store.len(),
            rows,
            "a finished instance leaves no rows"
        );
    }
}
