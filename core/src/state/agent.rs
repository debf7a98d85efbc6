//! Agents that run, and what they said and nobody has confirmed yet.
//!
//! An agent instance lives as long as its process instance. A history item is here while the job
//! that produced it is not done; what it said is in its event alone. Its id stays until the agent
//! instance ends, so that nothing that is sent again counts twice.

use std::sync::Arc;

use crate::ids::Key;
use crate::record::Text;
use crate::record::value::{AgentHistoryRecord, AgentInstanceRecord};
use crate::record_value;
use crate::state::State;

record_value! {
    /// An agent instance.
    pub struct AgentInstanceRow {
        /// Its record, without history and job.
        record "": Arc<AgentInstanceRecord>,
    }
}

record_value! {
    /// A history item of a job that is not done.
    pub struct AgentHistoryRow {
        /// Its record: who it belongs to, and what a configuration changes.
        record "": Arc<AgentHistoryRecord>,
    }
}

impl State {
    /// The agent instances of a process instance, by key.
    pub fn agent_instances_of(&self, process_instance: Key) -> impl Iterator<Item = Key> {
        self.agent_instances_by_process
            .from((process_instance, Key(i64::MIN)))
            .take_while(move |(of, _)| *of == process_instance)
            .map(|(_, key)| *key)
    }

    /// The history items that wait for a job, with their leases: by lease, then by key.
    pub fn agent_history_of(&self, job: Key) -> impl Iterator<Item = (&Text, Key)> {
        self.agent_history_by_job
            .from((job, Text::EMPTY, Key(i64::MIN)))
            .take_while(move |(of, _, _)| *of == job)
            .map(|(_, lease, key)| (lease, *key))
    }
}
