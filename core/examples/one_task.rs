//! How long the engine takes for one process instance with one service task, all commands: create,
//! activate, complete, on a store in memory, write sets included.
//!
//! `cargo run --release -p ringflow-core --example one_task [instances]`

use std::rc::Rc;
use std::time::Instant;

use ringflow_core::engine::effect::Effect;
use ringflow_core::engine::input::{Command, RequestId};
use ringflow_core::engine::{Engine, EngineConfig, Step};
use ringflow_core::ids::{Key, Timestamp};
use ringflow_core::record::intent::of;
use ringflow_core::record::value::{
    DeploymentRecord, DeploymentResource, JobBatchRecord, JobRecord, ProcessInstanceCreationRecord,
    default_tenant,
};
use ringflow_core::record::{Blob, Value};
use ringflow_core::state::memory::MemoryStore;

const PROCESS: &str = r#"<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL"
 xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" targetNamespace="t">
<bpmn:process id="p" isExecutable="true"><bpmn:startEvent id="s"/>
<bpmn:serviceTask id="t"><bpmn:extensionElements><zeebe:taskDefinition type="work"/>
</bpmn:extensionElements></bpmn:serviceTask><bpmn:endEvent id="e"/>
<bpmn:sequenceFlow id="f1" sourceRef="s" targetRef="t"/>
<bpmn:sequenceFlow id="f2" sourceRef="t" targetRef="e"/></bpmn:process></bpmn:definitions>"#;

#[expect(clippy::print_stdout, reason = "it is what the program is for")]
fn main() {
    let count: u64 = std::env::args()
        .nth(1)
        .and_then(|n| n.parse().ok())
        .unwrap_or(20_000);
    let store = Rc::new(MemoryStore::default());
    let mut engine = Engine::open(EngineConfig::default(), store.clone()).expect("an empty store");
    let mut step = Step::default();
    let now = Timestamp(1_767_225_600_000);
    let deployment = DeploymentRecord {
        resources: vec![DeploymentResource {
            resource: Blob::from(PROCESS.as_bytes()),
            resource_name: "p.bpmn".into(),
        }],
        ..DeploymentRecord::default()
    };
    engine.process(
        now,
        Command::internal(Key::NONE, of::Deployment::Create, deployment),
        &mut step,
    );
    let mut records = 0;
    let mut rows = 0;
    let begin = Instant::now();
    for _ in 0..count {
        step.records.clear();
        step.effects.clear();
        let create = ProcessInstanceCreationRecord {
            bpmn_process_id: "p".into(),
            ..ProcessInstanceCreationRecord::default()
        };
        engine.process(
            now,
            Command::internal(Key::NONE, of::ProcessInstanceCreation::Create, create),
            &mut step,
        );
        let activate = JobBatchRecord {
            job_type: "work".into(),
            timeout: 1000,
            max_jobs: 1,
            tenant_ids: vec![default_tenant()],
            ..JobBatchRecord::default()
        };
        let activate = Command {
            request: Some(RequestId(1)),
            ..Command::internal(Key::NONE, of::JobBatch::Activate, activate)
        };
        engine.process(now, activate, &mut step);
        let job = step.effects.iter().find_map(|effect| match effect {
            Effect::Respond(response) => match &response.value {
                Value::JobBatch(batch) => batch.job_keys.first().copied(),
                _ => None,
            },
            _ => None,
        });
        let complete = JobRecord::default();
        let job = job.expect("the instance has a job");
        engine.process(
            now,
            Command::internal(job, of::Job::Complete, complete),
            &mut step,
        );
        records += step.records.len();
        let set = engine.take_write_set();
        rows += set.rows.len();
        store.apply(&set);
        engine.persisted(engine.write_sets_taken());
    }
    let per = begin.elapsed().as_nanos() as f64 / count as f64;
    println!(
        "{count} instances, {:.1} us each, {} records and {} rows each",
        per / 1000.0,
        records as u64 / count,
        rows as u64 / count
    );
}
