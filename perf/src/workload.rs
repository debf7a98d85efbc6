//! What one instance is: the definition to deploy, how many jobs it has, what else it needs.
//! A table of five rows; the models are files of their own (`perf/process`), compiled in. Process
//! id and job type are equal, so a model needs no third name.
//!
//! Completion is the answer to the last job completion of the instance: nothing after the last
//! task of these models can wait.

use std::time::Duration;

use crate::args::WorkloadName;
use crate::pacer::Random;

/// Name of the message that the messages workload waits for.
pub(crate) const MESSAGE_NAME: &str = "perf-message";
/// A published message outlives any delay of its subscription that is worth measuring.
pub(crate) const MESSAGE_TTL: Duration = Duration::from_secs(60);

/// One row of the table.
#[derive(Debug)]
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    /// BPMN process id and job type.
    pub(crate) process_id: &'static str,
    pub(crate) resource: &'static str,
    pub(crate) bpmn: &'static [u8],
    /// Jobs of one instance; at least 1.
    pub(crate) tasks: u32,
    /// Waiting that the model contains by design; part of create-to-completed.
    pub(crate) designed_wait: Duration,
    /// Whether the generator publishes one message per instance, once it is created.
    pub(crate) publishes: bool,
    /// Whether creation is answered at completion (CreateProcessInstanceWithResult).
    pub(crate) awaits_result: bool,
}

macro_rules! model {
    ($file:literal) => {
        (
            $file,
            include_bytes!(concat!("../process/", $file)) as &[u8],
        )
    };
}

const fn row(
    name: &'static str,
    id: &'static str,
    model: (&'static str, &'static [u8]),
) -> Workload {
    Workload {
        name,
        process_id: id,
        resource: model.0,
        bpmn: model.1,
        tasks: 1,
        designed_wait: Duration::ZERO,
        publishes: false,
        awaits_result: false,
    }
}

static ONE_TASK: Workload = row("one-task", "perf-one-task", model!("one-task.bpmn"));
static TEN_TASKS: Workload = Workload {
    tasks: 10,
    ..row("ten-tasks", "perf-ten-tasks", model!("ten-tasks.bpmn"))
};
static TIMERS: Workload = Workload {
    designed_wait: Duration::from_secs(1),
    ..row("timers", "perf-timers", model!("timers.bpmn"))
};
static MESSAGES: Workload = Workload {
    publishes: true,
    ..row("messages", "perf-messages", model!("messages.bpmn"))
};
static WITH_RESULT: Workload = Workload {
    awaits_result: true,
    ..row("with-result", "perf-one-task", model!("one-task.bpmn"))
};

impl WorkloadName {
    pub(crate) fn workload(self) -> &'static Workload {
        match self {
            Self::OneTask => &ONE_TASK,
            Self::TenTasks => &TEN_TASKS,
            Self::Timers => &TIMERS,
            Self::Messages => &MESSAGES,
            Self::WithResult => &WITH_RESULT,
        }
    }
}

/// The variables of the instances of one run: equal in size, different in `perfKey`.
#[derive(Debug)]
pub(crate) struct Payload {
    run_id: String,
    filler: String,
}

impl Payload {
    /// `bytes` counts the filler; the JSON around it and the key add about 60 bytes. The filler is
    /// hexadecimal from the seed, so that it compresses to a half at best, not to nothing.
    pub(crate) fn new(run_id: String, bytes: u64, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let mut filler = String::with_capacity(bytes as usize + 16);
        while (filler.len() as u64) < bytes {
            filler.push_str(&format!("{:016x}", random.next_u64()));
        }
        filler.truncate(bytes as usize);
        Self { run_id, filler }
    }

    /// Unique per instance and run; also the correlation key.
    pub(crate) fn key(&self, ordinal: u64) -> String {
        format!("{}-{ordinal}", self.run_id)
    }

    /// A JSON object as text.
    pub(crate) fn variables(&self, key: &str) -> String {
        format!(
            "{{\"perfKey\":\"{key}\",\"perfPayload\":\"{}\"}}",
            self.filler
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_name_their_process_and_job_type() {
        for workload in [&ONE_TASK, &TEN_TASKS, &TIMERS, &MESSAGES, &WITH_RESULT] {
            let text = std::str::from_utf8(workload.bpmn).unwrap();
            let id = workload.process_id;
            assert!(
                text.contains(&format!("<bpmn:process id=\"{id}\"")),
                "{}",
                workload.name
            );
            let jobs = text
                .matches(&format!("<zeebe:taskDefinition type=\"{id}\""))
                .count();
            assert_eq!(jobs, workload.tasks as usize, "{}", workload.name);
            assert_eq!(
                workload.publishes,
                text.contains(MESSAGE_NAME),
                "{}",
                workload.name
            );
        }
    }

    #[test]
    fn payloads_have_the_asked_size_and_are_json() {
        let payload = Payload::new("r".to_owned(), 100, 3);
        let value: serde_json::Value =
            serde_json::from_str(&payload.variables(&payload.key(5))).unwrap();
        assert_eq!(value["perfKey"], "r-5");
        assert_eq!(value["perfPayload"].as_str().unwrap().len(), 100);
    }
}
