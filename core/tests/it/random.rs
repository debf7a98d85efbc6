//! Random processes under random treatment: process equals replay after every step (the harness
//! sees to that), and whatever happened, a finished instance leaves no rows.
//!
//! A process is a tree of blocks, each of which behaves well by construction; the treatment is one
//! external action per step. A failure prints its seed.

use ringflow_core::engine::EngineConfig;
use ringflow_core::ids::Key;
use ringflow_core::record::Value;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::JobRecord;

use super::element::{bpmn, conditional, flow, service_task};
use super::harness::{EngineHarness, document};

pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % sides
    }
}

/// Grows a process; elements are named by a counter.
struct Builder {
    dice: Dice,
    next: u32,
    content: String,
}

impl Builder {
    fn name(&mut self, prefix: &str) -> String {
        self.next += 1;
        format!("{prefix}{}", self.next)
    }

    fn flow(&mut self, from: &str, to: &str) {
        let id = self.name("f");
        self.content += &flow(&id, from, to);
    }

    fn node(&mut self, kind: &str, prefix: &str) -> String {
        let id = self.name(prefix);
        self.content += &format!(r#"<bpmn:{kind} id="{id}"/>"#);
        id
    }

    /// A block: its first and its last element.
    fn block(&mut self, depth: u32) -> (String, String) {
        match self.dice.roll(if depth == 0 { 3 } else { 8 }) {
            0 | 1 => {
                let id = self.name("job");
                self.content += &service_task(&id, "work");
                (id.clone(), id)
            }
            2 => {
                let id = self.node("manualTask", "task");
                (id.clone(), id)
            }
            3 => {
                let (first, a) = self.block(depth - 1);
                let (b, last) = self.block(depth - 1);
                self.flow(&a, &b);
                (first, last)
            }
            4 => self.split("parallelGateway", depth),
            5 => self.exclusive(depth),
            6 => {
                let id = self.sub_process(depth, "");
                (id.clone(), id)
            }
            _ => {
                let sequential = self.dice.roll(2) == 0;
                let id = self.sub_process(
                    depth,
                    &format!(
                        r#"<bpmn:multiInstanceLoopCharacteristics isSequential="{sequential}">
<bpmn:extensionElements><zeebe:loopCharacteristics inputCollection="=[1,2]" inputElement="item"
 outputCollection="all" outputElement="=item"/></bpmn:extensionElements>
</bpmn:multiInstanceLoopCharacteristics>"#
                    ),
                );
                (id.clone(), id)
            }
        }
    }

    fn split(&mut self, kind: &str, depth: u32) -> (String, String) {
        let fork = self.node(kind, "fork");
        let join = self.node(kind, "join");
        for _ in 0..2 + self.dice.roll(2) {
            let (first, last) = self.block(depth - 1);
            self.flow(&fork, &first);
            self.flow(&last, &join);
        }
        (fork, join)
    }

    fn exclusive(&mut self, depth: u32) -> (String, String) {
        let fork = self.name("xor");
        let join = self.node("exclusiveGateway", "xjoin");
        let default = self.name("default");
        self.content += &format!(r#"<bpmn:exclusiveGateway id="{fork}" default="{default}"/>"#);
        let (first, last) = self.block(depth - 1);
        self.content += &flow(&default, &fork, &first);
        self.flow(&last, &join);
        let (first, last) = self.block(depth - 1);
        let id = self.name("f");
        self.content += &conditional(&id, &fork, &first, "=x &gt; 1");
        self.flow(&last, &join);
        (fork, join)
    }

    /// A sub-process whose errors are caught on its boundary.
    fn sub_process(&mut self, depth: u32, extra: &str) -> String {
        let id = self.name("sub");
        let outer = std::mem::take(&mut self.content);
        let start = self.node("startEvent", "start");
        let (first, last) = self.block(depth - 1);
        self.flow(&start, &first);
        match self.dice.roll(3) {
            0 => {
                let end = self.name("end");
                self.content += &format!(
                    r#"<bpmn:endEvent id="{end}"><bpmn:terminateEventDefinition/></bpmn:endEvent>"#
                );
                self.flow(&last, &end);
            }
            1 => {
                let end = self.name("end");
                self.content += &format!(
                    r#"<bpmn:endEvent id="{end}"><bpmn:errorEventDefinition errorRef="error"/>
</bpmn:endEvent>"#
                );
                self.flow(&last, &end);
            }
            _ => {}
        }
        let inner = std::mem::replace(&mut self.content, outer);
        let (caught, handled) = (self.name("caught"), self.name("handled"));
        let after = self.name("f");
        self.content += &format!(
            r#"<bpmn:subProcess id="{id}">{extra}{inner}</bpmn:subProcess>
<bpmn:boundaryEvent id="{caught}" attachedToRef="{id}"><bpmn:errorEventDefinition errorRef="error"/>
</bpmn:boundaryEvent><bpmn:endEvent id="{handled}"/>"#
        );
        self.content += &flow(&after, &caught, &handled);
        id
    }
}

fn process(seed: u64) -> String {
    let mut builder = Builder {
        dice: Dice(seed.wrapping_mul(0xd134_2543_de82_ef95) | 1),
        next: 0,
        content: String::new(),
    };
    let start = builder.node("startEvent", "start");
    let (first, _) = builder.block(4);
    builder.flow(&start, &first);
    bpmn("process", &builder.content).replace(
        "</bpmn:definitions>",
        r#"<bpmn:error id="error" errorCode="broken"/></bpmn:definitions>"#,
    )
}

fn treat(seed: u64) {
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut h = EngineHarness::with_config(EngineConfig {
        max_commands_in_batch: 1 + dice.roll(100) as usize,
        ..EngineConfig::default()
    });
    h.deploy(&process(seed));
    let instances: Vec<Key> = (0..2)
        .map(|_| {
            let x = dice.roll(4);
            h.create("process", &format!(r#"{{"x":{x}}}"#))
        })
        .collect();
    let mut held: Vec<Key> = Vec::new();
    for _ in 0..60 {
        h.run_due();
        held.extend(h.activate("work").into_iter().map(|(key, _)| key));
        if held.is_empty() && h.incidents().is_empty() {
            break;
        }
        let pick = dice.roll(held.len().max(1) as u64) as usize;
        match dice.roll(8) {
            0 if !held.is_empty() => {
                let failed = JobRecord {
                    retries: dice.roll(2) as i32,
                    retry_backoff: dice.roll(2) as i64 * 100,
                    ..JobRecord::default()
                };
                let _ = h.job(held.remove(pick), of::Job::Fail, failed);
            }
            1 if !held.is_empty() => {
                let thrown = JobRecord {
                    error_code: "broken".into(),
                    ..JobRecord::default()
                };
                let _ = h.job(held.remove(pick), of::Job::ThrowError, thrown);
            }
            2 => h.advance(70_000),
            3 => {
                for (key, incident) in h.incidents() {
                    let update = JobRecord {
                        retries: 1,
                        ..JobRecord::default()
                    };
                    if incident.job_key.is_some() {
                        let _ = h.job(incident.job_key, of::Job::UpdateRetries, update);
                    }
                    let _ = h.resolve(key);
                }
            }
            4 if dice.roll(10) == 0 => {
                let _ = h.cancel(instances[0]);
            }
            _ if !held.is_empty() => {
                let done = JobRecord {
                    variables: document(&format!(r#"{{"x":{}}}"#, dice.roll(4))),
                    ..JobRecord::default()
                };
                let _ = h.job(held.remove(pick), of::Job::Complete, done);
            }
            _ => {}
        }
    }
    for instance in instances {
        let _ = h.cancel(instance);
    }
    h.run_due();
    h.assert_clean();
    for record in &h.log {
        if let Value::Error(fault) = &record.value {
            panic!("contained fault: {}", fault.exception_message);
        }
    }
}

/// How many seeds to try; more with `RANDOM_SEEDS=1000`.
fn seeds() -> u64 {
    let asked = std::env::var("RANDOM_SEEDS").ok();
    asked.and_then(|count| count.parse().ok()).unwrap_or(40)
}

#[test]
fn whatever_happens_nothing_is_left() {
    for seed in 1..=seeds() {
        let result = std::panic::catch_unwind(|| treat(seed));
        if let Err(panic) = result {
            println!("seed {seed}:\n{}", process(seed));
            std::panic::resume_unwind(panic);
        }
    }
}
