//! State of one partition: typed tables over one byte-level read port.
//!
//! Owned by the engine. Everybody reads; only appliers write, through the `&mut State` that
//! [`Applying`](crate::engine) hands them. Family numbers are the first byte of every row key on
//! disk: frozen once released, retired ones stay listed. They follow Zeebe's column families where
//! the meaning is the same.
//!
//! | family | rows |
//! |---|---|
//! | 0 | the position of the last record applied |
//! | 1 | the key counter |
//! | others | see the table in the `families!` call below |

use std::ops::ControlFlow;
use std::rc::Rc;

use md5::{Digest as _, Md5};

use crate::ids::{Key, PartitionId, Position, Timestamp};
use crate::record::Text;
use crate::record::field::{DecodeError, Shape, ValueReader, ValueStruct, ValueWriter};
use crate::state::family::{Family, Overlay};
use crate::state::store::{RowChange, StateRead, WriteSet};

pub mod agent;
pub mod batch_operation;
pub mod checkpoint;
pub mod cluster_variable;
pub mod compensation;
pub mod conditional;
pub mod decision;
pub mod definition;
pub mod distribution;
pub mod element_instance;
pub mod event_scope;
pub mod family;
pub mod file;
pub mod global_listener;
pub mod groups;
pub mod identity;
pub mod incident;
pub mod index;
pub mod job;
pub mod key;
pub mod memory;
pub mod message;
pub mod signal;
pub mod store;
pub mod table;
pub mod timer;
pub mod user_task;
pub mod variable;

pub use agent::{AgentHistoryRow, AgentInstanceRow};
pub use batch_operation::{BatchOperationChunkRow, BatchOperationRow};
pub use checkpoint::CheckpointKey;
pub use cluster_variable::ClusterVariableRow;
pub use compensation::CompensationSubscriptionRow;
pub use conditional::ConditionalSubscriptionRow;
pub use decision::{DecisionRequirementsRow, DecisionRow};
pub use definition::{DefinitionRow, KeyRow, VersionsRow};
pub use distribution::{ContinuationRow, DistributionRow};
pub use element_instance::{CountRow, ElementRow, ElementState, InputCollectionRow};
pub use event_scope::{EventScopeRow, TriggerRow};
pub use family::StateError;
pub use file::FileRow;
pub use global_listener::GlobalListenerRow;
pub use groups::Groups;
pub use identity::{
    AuthorizationRow, GroupRow, MappingRuleRow, Member, RelationType, RoleRow, TenantRow, UserRow,
};
pub use incident::IncidentRow;
pub use index::Index;
pub use job::{JobRow, JobState};
pub use message::{
    MessageAddress, MessageCorrelationRow, MessageRow, MessageStartRow, MessageSubscriptionRow,
    ProcessMessageSubscriptionRow, ProcessMessageSubscriptionState, StartLockRow,
};
pub use signal::SignalSubscriptionRow;
pub use table::Table;
pub use timer::TimerRow;
pub use user_task::{UserTaskRow, UserTaskState, VariableUpdate};
pub use variable::VariableRow;

/// A row whose key says everything.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Unit {}

impl ValueStruct for Unit {
    fn shapes() -> Vec<(&'static str, Shape)> {
        Vec::new()
    }
    fn put_fields(&self, _writer: &mut ValueWriter) {}
    fn take_fields(_reader: &mut ValueReader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {})
    }
    fn json_fields(&self, out: &mut String) {
        out.push_str("{}");
    }
    fn weight(&self) -> usize {
        0
    }
}

/// Row key of the position of the last record applied.
const POSITION_ROW: [u8; 1] = [0];
/// Row key of the key counter.
const KEY_ROW: [u8; 1] = [1];

/// Hash over all rows of all families.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Digest(pub [u8; 16]);

macro_rules! families {
    ($($(#[$doc:meta])* $name:ident: $type:ty = $number:literal,)+) => {
        /// All tables of one partition.
        #[derive(Debug)]
        pub struct State {
            store: Rc<dyn StateRead>,
            scalars: Scalars,
            /// As of the last `commit_step`.
            kept: Scalars,
            /// As of the last write set.
            drained: Scalars,
            taken: u64,
            writer: ValueWriter,
            $($(#[$doc])* pub $name: $type,)+
        }

        impl State {
            /// The state that `store` shows.
            ///
            /// # Errors
            /// When the store cannot answer or holds bytes that are no such row.
            pub fn open(store: Rc<dyn StateRead>) -> Result<Self, StateError> {
                let number = |key: &[u8]| -> Result<u64, StateError> {
                    let bytes = store.get(key)?.unwrap_or_default();
                    Ok(bytes.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes)))
                };
                let scalars = Scalars {
                    position: Position(number(&POSITION_ROW)?),
                    key_counter: number(&KEY_ROW)? as i64,
                };
                Ok(Self {
                    scalars,
                    kept: scalars,
                    drained: scalars,
                    taken: 0,
                    writer: ValueWriter::default(),
                    $($name: Family::open($number, &store)?,)+
                    store,
                })
            }

            /// Keeps the changes of the step.
            pub(crate) fn commit_step(&mut self) {
                self.kept = self.scalars;
                $(self.$name.commit_step();)+
            }

            /// Undoes the changes of the step.
            pub(crate) fn rollback_step(&mut self) {
                self.scalars = self.kept;
                $(self.$name.rollback_step();)+
            }

            /// The changes since the last call, one per row, ordered by row key.
            pub(crate) fn take_write_set(&mut self) -> WriteSet {
                self.taken += 1;
                let mut rows = Vec::new();
                self.drain_scalars(&mut rows);
                let number = self.taken;
                $(self.$name.drain(number, &mut self.writer, &mut rows);)+
                rows.sort_unstable_by(|a, b| a.key.cmp(&b.key));
                WriteSet { rows }
            }

            /// Write sets up to `number` can be read from the store now.
            pub(crate) fn persisted(&mut self, number: u64) {
                $(self.$name.persisted(number);)+
            }

            fn overlay(&self, out: &mut Overlay) {
                $(self.$name.overlay(out);)+
            }
        }

        /// Number and name of every family.
        pub const FAMILIES: &[(u8, &str)] = &[
            (0, "position"), (1, "key_counter"), $(($number, stringify!($name)),)+
        ];

        /// A stored row as people read it: appends the JSON form of its value to `out` and gives the
        /// name of its family; `None` if no family has this number.
        ///
        /// # Errors
        /// If the value is no row of its family.
        pub fn describe_row(
            family: u8,
            value: &[u8],
            out: &mut String,
        ) -> Result<Option<&'static str>, StateError> {
            match family {
                0 | 1 => {
                    let number = value.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
                    out.push_str(&number.to_string());
                    Ok(Some(if family == 0 { "position" } else { "key_counter" }))
                }
                $($number => {
                    <$type as Family>::describe(family, value, out)?;
                    Ok(Some(stringify!($name)))
                })+
                _ => Ok(None),
            }
        }
    };
}

families! {
    /// Parent element instance, its children.
    children: Groups<Key, Key, Unit> = 6,
    /// Element instances by key.
    elements: Table<Key, ElementRow> = 7,
    /// Flow scope and gateway; taken flow to the number of tokens on it.
    taken_flows: Groups<(Key, Text), Text, CountRow> = 8,
    /// Scope, name.
    variables: Groups<Key, Text, VariableRow> = 10,
    /// What waits for it, timer.
    timers: Groups<Key, Key, TimerRow> = 12,
    /// When timers are due: time, what waits, timer.
    timer_due_dates: Index<(Timestamp, Key, Key)> = 13,
    /// Jobs by key.
    jobs: Table<Key, JobRow> = 16,
    /// When activated jobs time out.
    job_deadlines: Index<(Timestamp, Key)> = 18,
    /// Messages by key.
    messages: Table<Key, MessageRow> = 20,
    /// When messages expire.
    message_deadlines: Index<(Timestamp, Key)> = 22,
    /// Tenant, name, correlation key, message id of living messages.
    message_ids: Table<(Text, Text, Text, Text), Unit> = 23,
    /// Message, BPMN process id it was given to.
    message_correlations: Groups<Key, Text, Unit> = 24,
    /// Tenant, BPMN process id, correlation key: an instance runs.
    message_start_locks: Table<(Text, Text, Text), Unit> = 25,
    /// Instance to the lock it holds.
    message_locked_instances: Table<Key, StartLockRow> = 26,
    /// Message side: element instance, message name.
    message_subscriptions: Table<(Key, Text), MessageSubscriptionRow> = 27,
    /// Message side: waits for the instance's partition.
    correlating_subscriptions: Index<(Key, Text)> = 28,
    /// Instance side: waits for the message's partition.
    pending_process_subscriptions: Index<(Key, Text)> = 33,
    /// Incidents by key.
    incidents: Table<Key, IncidentRow> = 34,
    /// Element instance to its incident.
    element_incidents: Table<Key, KeyRow> = 35,
    /// Job to its incident.
    job_incidents: Table<Key, KeyRow> = 36,
    /// Which events an element instance (or definition) accepts.
    event_scopes: Table<Key, EventScopeRow> = 37,
    /// Scope, event: triggered, not yet taken.
    event_triggers: Groups<Key, Key, TriggerRow> = 38,
    /// Instances that had a fault.
    banned: Index<Key> = 39,
    /// When failed jobs may be taken again.
    job_backoffs: Index<(Timestamp, Key)> = 42,
    /// Distribution, partition that has not acknowledged.
    pending_distributions: Index<(Key, PartitionId)> = 52,
    /// Distributions by key.
    distributions: Table<Key, DistributionRow> = 53,
    /// Tenant, BPMN process id: its versions.
    versions: Table<(Text, Text), VersionsRow> = 57,
    /// Definitions by key.
    definitions: Table<Key, DefinitionRow> = 58,
    /// Tenant, BPMN process id, version.
    definition_by_version: Table<(Text, Text, i32), KeyRow> = 59,
    /// Decisions by key.
    decisions: Table<Key, DecisionRow> = 61,
    /// Decision requirements graphs by key.
    decision_requirements: Table<Key, DecisionRequirementsRow> = 62,
    /// Tenant, decision id: its versions.
    decision_versions: Table<(Text, Text), VersionsRow> = 63,
    /// Tenant, id of a graph: its versions.
    decision_requirements_versions: Table<(Text, Text), VersionsRow> = 64,
    /// Graph, its decisions.
    decisions_of_requirements: Groups<Key, Key, Unit> = 65,
    /// Forms by key.
    forms: Table<Key, FileRow> = 68,
    /// Tenant, form id: its versions.
    form_versions: Table<(Text, Text), VersionsRow> = 69,
    /// Messages by tenant, name, correlation key.
    messages_by_address: Groups<MessageAddress, Key, Unit> = 71,
    /// Tenant, message name; definition that it starts.
    message_starts: Groups<(Text, Text), Key, MessageStartRow> = 72,
    /// Definition, names of messages that start it.
    message_starts_by_definition: Groups<Key, Text, Unit> = 73,
    /// Message side: tenant, name, correlation key; element instance.
    message_subscriptions_by_address: Groups<MessageAddress, Key, Unit> = 74,
    /// Instance side: element instance, message name.
    process_message_subscriptions: Groups<Key, Text, ProcessMessageSubscriptionRow> = 75,
    /// Jobs without priority that can be taken: type, key, tenant.
    activatable_jobs: Index<(Text, Key, Text)> = 76,
    /// Tenant, signal name; what waits for it.
    signal_subscriptions: Groups<(Text, Text), Key, SignalSubscriptionRow> = 77,
    /// What waits; tenant, signal name.
    signal_subscriptions_by_waiting: Groups<Key, (Text, Text), Unit> = 78,
    /// User tasks by key.
    user_tasks: Table<Key, UserTaskRow> = 79,
    /// Instance, subscription: completed activities that can be compensated.
    compensation_subscriptions: Groups<Key, Key, CompensationSubscriptionRow> = 81,
    /// Tenant, BPMN process id, deployment.
    definition_by_deployment: Table<(Text, Text, Key), KeyRow> = 82,
    /// Tenant, decision id, deployment.
    decision_by_deployment: Table<(Text, Text, Key), KeyRow> = 83,
    /// Tenant, form id, deployment.
    form_by_deployment: Table<(Text, Text, Key), KeyRow> = 84,
    /// Message to the synchronous correlation that published it.
    awaited_correlations: Table<Key, MessageCorrelationRow> = 85,
    /// Where the clock is pinned; empty = it runs. One entry at most.
    clock: Index<Timestamp> = 88,
    /// Tenant, BPMN process id, version tag.
    definition_by_tag: Table<(Text, Text, Text), KeyRow> = 91,
    /// Tenant, decision id, version tag.
    decision_by_tag: Table<(Text, Text, Text), KeyRow> = 92,
    /// Tenant, form id, version tag.
    form_by_tag: Table<(Text, Text, Text), KeyRow> = 93,
    /// Resources by key.
    resources: Table<Key, FileRow> = 100,
    /// Tenant, resource id: its versions.
    resource_versions: Table<(Text, Text), VersionsRow> = 101,
    /// Tenant, resource id, deployment.
    resource_by_deployment: Table<(Text, Text, Key), KeyRow> = 103,
    /// Tenant, resource id, version tag.
    resource_by_tag: Table<(Text, Text, Text), KeyRow> = 104,
    /// Batch operations by key.
    batch_operations: Table<Key, BatchOperationRow> = 115,
    /// Batch operations whose items are not all found.
    pending_batch_operations: Index<Key> = 116,
    /// Batch operation, number of the chunk.
    batch_operation_chunks: Table<(Key, u64), BatchOperationChunkRow> = 117,
    /// Multi-instance body to what it iterates over.
    input_collections: Table<Key, InputCollectionRow> = 125,
    /// What waits (element instance or definition), subscription.
    conditional_subscriptions: Groups<Key, Key, ConditionalSubscriptionRow> = 127,
    /// Tenant, definition that conditions can start.
    conditional_starts: Groups<Text, Key, Unit> = 134,
    /// Tenant (empty = the cluster), name.
    cluster_variables: Groups<Text, Text, ClusterVariableRow> = 126,
    /// Type of global listeners, id.
    global_listeners: Groups<u8, Text, GlobalListenerRow> = 130,
    /// Key of the configuration that the global listeners make; one entry at most.
    global_listener_config: Index<Key> = 131,
    /// Tenant, BPMN process id, business id: running root instances.
    instances_by_business_id: Groups<(Text, Text, Text), Key, Unit> = 139,
    /// The newest checkpoint. One entry at most.
    checkpoints: Index<CheckpointKey> = 140,
    /// The newest checkpoint that is stored. One entry at most.
    backups: Index<CheckpointKey> = 141,
    /// Definition to the number of its running instances.
    running_instances: Table<Key, CountRow> = 142,
    /// Agent instances by key.
    agent_instances: Table<Key, AgentInstanceRow> = 143,
    /// Jobs with a priority that can be taken: type, inverted priority, key, tenant.
    prioritized_jobs: Index<(Text, i32, Key, Text)> = 148,
    /// History items by key, until their jobs are done.
    agent_history: Table<Key, AgentHistoryRow> = 150,
    /// Job, lease, history item that waits for it.
    agent_history_by_job: Index<(Key, Text, Key)> = 151,
    /// Process instance, agent instance.
    agent_instances_by_process: Index<(Key, Key)> = 152,
    /// Definition, marked element; its agent definition.
    agent_definitions: Groups<Key, Text, KeyRow> = 161,
    /// Agent instance, id of a history item; its key once it is committed.
    agent_history_ids: Groups<Key, Text, KeyRow> = 164,
    /// Commands that did not fit into their step, by position; group 0 is all of them.
    continuations: Groups<u8, Position, ContinuationRow> = 200,
    /// Definitions being deleted, until the last instance of them has ended.
    deletions_waiting: Index<Key> = 207,
    /// Instance, element behind which it ends; without element: it is ending.
    runtime_instructions: Index<(Key, Text)> = 208,
    /// Batch operations whose items are being done.
    active_batch_operations: Index<Key> = 222,
    /// Users by name.
    users: Table<Text, UserRow> = 234,
    /// Groups by id.
    groups: Table<Text, GroupRow> = 235,
    /// Roles by id.
    roles: Table<Text, RoleRow> = 236,
    /// Tenants by id.
    tenants: Table<Text, TenantRow> = 237,
    /// Mapping rules by id; group 0 is all of them.
    mapping_rules: Groups<u8, Text, MappingRuleRow> = 238,
    /// Member; what it is a member of.
    memberships: Groups<Member, Member, Unit> = 239,
    /// Group, role or tenant; its members.
    members: Groups<Member, Member, Unit> = 240,
    /// Authorizations by key.
    authorizations: Table<Key, AuthorizationRow> = 241,
    /// Owner; what it is allowed.
    authorizations_by_owner: Groups<Member, Key, AuthorizationRow> = 242,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Scalars {
    position: Position,
    key_counter: i64,
}

impl State {
    /// The last record applied.
    #[must_use]
    pub fn position(&self) -> Position {
        self.scalars.position
    }

    /// The last key counter given out.
    #[must_use]
    pub fn key_counter(&self) -> i64 {
        self.scalars.key_counter
    }

    pub(crate) fn set_position(&mut self, position: Position) {
        self.scalars.position = position;
    }

    pub(crate) fn set_key_counter(&mut self, counter: i64) {
        self.scalars.key_counter = counter;
    }

    /// Write sets taken so far.
    #[must_use]
    pub fn write_sets_taken(&self) -> u64 {
        self.taken
    }

    fn drain_scalars(&mut self, rows: &mut Vec<RowChange>) {
        let mut row = |key: [u8; 1], now: u64, before: u64| {
            if now != before {
                rows.push(RowChange {
                    key: Box::new(key),
                    value: Some(Box::new(now.to_le_bytes())),
                    born: before == 0,
                });
            }
        };
        row(
            POSITION_ROW,
            self.scalars.position.0,
            self.drained.position.0,
        );
        row(
            KEY_ROW,
            self.scalars.key_counter as u64,
            self.drained.key_counter as u64,
        );
        self.drained = self.scalars;
    }

    /// All rows as bytes, resident ones over stored ones. For tests and comparisons of replicas:
    /// reads everything.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub fn rows(&self) -> Result<std::collections::BTreeMap<Vec<u8>, Box<[u8]>>, StateError> {
        let mut all = Overlay::new();
        self.store.scan(&[], &[0xff], &mut |key, value| {
            all.insert(key.to_vec(), Some(value.into()));
            ControlFlow::Continue(())
        })?;
        for (key, value) in [
            (POSITION_ROW, self.scalars.position.0),
            (KEY_ROW, self.scalars.key_counter as u64),
        ] {
            all.insert(key.to_vec(), Some(Box::new(value.to_le_bytes())));
        }
        self.overlay(&mut all);
        Ok(all
            .into_iter()
            .filter_map(|(key, value)| Some((key, value?)))
            .collect())
    }

    /// Hash over [`State::rows`].
    ///
    /// # Errors
    /// When the store cannot answer.
    pub fn digest(&self) -> Result<Digest, StateError> {
        let mut hash = Md5::new();
        for (key, value) in self.rows()? {
            hash.update((key.len() as u32).to_le_bytes());
            hash.update(&key);
            hash.update((value.len() as u32).to_le_bytes());
            hash.update(&value);
        }
        Ok(Digest(hash.finalize().into()))
    }
}

impl std::fmt::Debug for dyn StateRead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StateRead")
    }
}

#[cfg(test)]
mod tests {
    use super::memory::MemoryStore;
    use super::*;

    #[test]
    fn family_numbers_are_unique() {
        let mut numbers: Vec<u8> = FAMILIES.iter().map(|(number, _)| *number).collect();
        numbers.sort_unstable();
        let count = numbers.len();
        numbers.dedup();
        assert_eq!(numbers.len(), count);
    }

    #[test]
    fn family_numbers_never_change_meaning() {
        let frozen = [
            (0, "position"),
            (1, "key_counter"),
            (6, "children"),
            (7, "elements"),
            (8, "taken_flows"),
            (10, "variables"),
            (12, "timers"),
            (13, "timer_due_dates"),
            (16, "jobs"),
            (18, "job_deadlines"),
            (20, "messages"),
            (22, "message_deadlines"),
            (23, "message_ids"),
            (24, "message_correlations"),
            (25, "message_start_locks"),
            (26, "message_locked_instances"),
            (27, "message_subscriptions"),
            (28, "correlating_subscriptions"),
            (33, "pending_process_subscriptions"),
            (34, "incidents"),
            (35, "element_incidents"),
            (36, "job_incidents"),
            (37, "event_scopes"),
            (38, "event_triggers"),
            (39, "banned"),
            (42, "job_backoffs"),
            (52, "pending_distributions"),
            (53, "distributions"),
            (57, "versions"),
            (58, "definitions"),
            (59, "definition_by_version"),
            (61, "decisions"),
            (62, "decision_requirements"),
            (63, "decision_versions"),
            (64, "decision_requirements_versions"),
            (65, "decisions_of_requirements"),
            (68, "forms"),
            (69, "form_versions"),
            (71, "messages_by_address"),
            (72, "message_starts"),
            (73, "message_starts_by_definition"),
            (74, "message_subscriptions_by_address"),
            (75, "process_message_subscriptions"),
            (76, "activatable_jobs"),
            (77, "signal_subscriptions"),
            (78, "signal_subscriptions_by_waiting"),
            (79, "user_tasks"),
            (81, "compensation_subscriptions"),
            (82, "definition_by_deployment"),
            (83, "decision_by_deployment"),
            (84, "form_by_deployment"),
            (85, "awaited_correlations"),
            (88, "clock"),
            (91, "definition_by_tag"),
            (92, "decision_by_tag"),
            (93, "form_by_tag"),
            (100, "resources"),
            (101, "resource_versions"),
            (103, "resource_by_deployment"),
            (104, "resource_by_tag"),
            (115, "batch_operations"),
            (116, "pending_batch_operations"),
            (117, "batch_operation_chunks"),
            (125, "input_collections"),
            (127, "conditional_subscriptions"),
            (134, "conditional_starts"),
            (126, "cluster_variables"),
            (130, "global_listeners"),
            (131, "global_listener_config"),
            (139, "instances_by_business_id"),
            (140, "checkpoints"),
            (141, "backups"),
            (142, "running_instances"),
            (143, "agent_instances"),
            (148, "prioritized_jobs"),
            (150, "agent_history"),
            (151, "agent_history_by_job"),
            (152, "agent_instances_by_process"),
            (161, "agent_definitions"),
            (164, "agent_history_ids"),
            (200, "continuations"),
            (207, "deletions_waiting"),
            (208, "runtime_instructions"),
            (222, "active_batch_operations"),
            (234, "users"),
            (235, "groups"),
            (236, "roles"),
            (237, "tenants"),
            (238, "mapping_rules"),
            (239, "memberships"),
            (240, "members"),
            (241, "authorizations"),
            (242, "authorizations_by_owner"),
        ];
        assert_eq!(FAMILIES, frozen);
    }

    fn count(count: i32) -> CountRow {
        CountRow { count }
    }

    #[test]
    fn a_rolled_back_step_leaves_nothing() {
        let store = Rc::new(MemoryStore::default());
        let mut state = State::open(store.clone()).unwrap();
        let (a, b) = (Key(1), Key(2));
        state.running_instances.put(a, count(1)).unwrap();
        state.children.put(a, b, Unit {}).unwrap();
        state.banned.insert(a);
        state.commit_step();
        let before = state.digest().unwrap();

        state
            .running_instances
            .update(&a, |row| row.count = 5)
            .unwrap();
        state
            .running_instances
            .update(&a, |row| row.count = 6)
            .unwrap();
        state.running_instances.insert_new(b, count(9));
        state.children.remove(&a, &b).unwrap();
        state.children.put(b, a, Unit {}).unwrap();
        state.banned.remove(&a);
        state.banned.insert(b);
        state.set_position(Position(7));
        assert_ne!(state.digest().unwrap(), before);
        state.rollback_step();
        assert_eq!(state.digest().unwrap(), before);
        assert_eq!(state.running_instances.get(&a).unwrap().unwrap().count, 1);
        assert!(state.running_instances.get(&b).unwrap().is_none());
    }

    #[test]
    fn write_sets_carry_what_the_store_lacks() {
        let store = Rc::new(MemoryStore::default());
        let mut state = State::open(store.clone()).unwrap();
        let (a, b) = (Key(1), Key(2));
        state.running_instances.put(a, count(1)).unwrap();
        state.running_instances.put(b, count(1)).unwrap();
        state.running_instances.remove(&b).unwrap();
        state.children.put(a, b, Unit {}).unwrap();
        state.commit_step();
        let set = state.take_write_set();
        assert_eq!(set.rows.len(), 2, "a row born and dead is in no write set");
        assert!(set.rows.iter().all(|row| row.born));
        let digest = state.digest().unwrap();
        store.apply(&set);
        assert_eq!(
            State::open(store.clone()).unwrap().digest().unwrap(),
            digest
        );
        state.persisted(1);
        assert_eq!(state.digest().unwrap(), digest);

        state.running_instances.remove(&a).unwrap();
        state.children.clear(&a).unwrap();
        state.commit_step();
        let set = state.take_write_set();
        assert!(set.rows.iter().all(|row| row.value.is_none() && !row.born));
        store.apply(&set);
        state.persisted(2);
        assert!(store.is_empty());
    }
}
