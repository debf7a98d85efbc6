//! Record -> row changes: which record writes what.
//!
//! Only events write (and refusals, to the audit log). The table follows the reference's exporter: one file per table (or pair of
//! tables that one value type feeds), each a function from (record, value) to changes of the window.
//! Partition order makes the changes of one row arrive in order; partitions never share a row except
//! process definitions, whose columns do not change.
//!
//! Value types that write nothing still move the cursor, so that the log can be compacted.
//!
//! | value type | file |
//! |---|---|
//! | PROCESS | `process_definition` |
//! | FORM, RESOURCE | `form` |
//! | DECISION_REQUIREMENTS, DECISION, DECISION_EVALUATION | `decision` |
//! | PROCESS_INSTANCE | `process_instance`, `flow_node_instance`, `sequence_flow` |
//! | PROCESS_INSTANCE | `process_instance`, `active_instances`, `flow_node_instance`, `sequence_flow` |
//! | everything a user asked for | `audit_log`, also refusals |
//! | CLUSTER_VARIABLE | `cluster_variable` |
//! | GLOBAL_LISTENER | `global_listener` |
//! | AGENT_DEFINITION, AGENT_INSTANCE, AGENT_HISTORY | `agent` |
//! | TIMER, SIGNAL_SUBSCRIPTION, CONDITIONAL_SUBSCRIPTION | `wait_state` |
//! | PROCESS_INSTANCE, DECISION_EVALUATION, USER_TASK | `usage_metric` as well |
//! | VARIABLE, JOB, INCIDENT, USER_TASK | the file of that name |
//! | BATCH_OPERATION_*, HISTORY_DELETION; outcomes of items | `batch_operation` |
//! | JOB | `job_metrics_batch` as well |
//! | USER, GROUP, ROLE, TENANT, MAPPING_RULE, AUTHORIZATION | `identity` |
//! | PROCESS_MESSAGE_SUBSCRIPTION, MESSAGE_START_EVENT_SUBSCRIPTION | `message_subscription` |

use ringflow_core::ids::{Key, Timestamp};
use ringflow_core::record::field::Headers;
use ringflow_core::record::value::BpmnElementType;
use ringflow_core::record::{Record, RecordType, Text, Value};

pub use audited::{Audit, AuditError, AuditedBy};
pub use tree_path::callers_of;

use crate::batch::Window;
use crate::names::Names;
use crate::retain::RetainOptions;

pub mod active_instances;
pub mod agent;
pub mod audit_log;
mod audited;
pub mod batch_operation;
pub mod cluster_variable;
pub mod decision;
pub mod flow_node_instance;
pub mod form;
pub mod global_listener;
pub mod identity;
pub mod incident;
pub mod job;
pub mod job_metrics_batch;
pub mod message_subscription;
pub mod process_definition;
pub mod process_instance;
pub mod sequence_flow;
mod tree_path;
pub mod usage_metric;
pub mod user_task;
pub mod variable;
pub mod wait_state;

/// A value of a column.
#[derive(Clone, PartialEq, Debug)]
pub enum Datum {
    /// NULL.
    Null,
    /// Text.
    Text(Text),
    /// Integer.
    Int(i64),
    /// Flag.
    Bool(bool),
    /// Milliseconds since the epoch.
    Time(i64),
    /// Number.
    Float(f64),
}

impl From<Text> for Datum {
    fn from(text: Text) -> Self {
        Self::Text(text)
    }
}
impl From<&Text> for Datum {
    fn from(text: &Text) -> Self {
        Self::Text(text.clone())
    }
}
impl From<&str> for Datum {
    fn from(text: &str) -> Self {
        Self::Text(Text::from(text))
    }
}
impl From<i32> for Datum {
    fn from(number: i32) -> Self {
        Self::Int(i64::from(number))
    }
}
impl From<u16> for Datum {
    fn from(number: u16) -> Self {
        Self::Int(i64::from(number))
    }
}
impl From<bool> for Datum {
    fn from(flag: bool) -> Self {
        Self::Bool(flag)
    }
}
impl From<Key> for Datum {
    /// -1 and its kind become NULL.
    fn from(key: Key) -> Self {
        if key.is_some() {
            Self::Int(key.0)
        } else {
            Self::Null
        }
    }
}
impl From<Timestamp> for Datum {
    /// -1 becomes NULL.
    fn from(time: Timestamp) -> Self {
        if time.0 >= 0 {
            Self::Time(time.0)
        } else {
            Self::Null
        }
    }
}

impl Datum {
    /// The text, NULL where it is empty.
    #[must_use]
    pub fn present(text: &Text) -> Self {
        if text.is_empty() {
            Self::Null
        } else {
            Self::Text(text.clone())
        }
    }

    /// Rough size in memory, for the bound of a window.
    #[must_use]
    pub fn size(&self) -> usize {
        match self {
            Self::Text(text) => 32 + text.len(),
            Self::Null | Self::Int(_) | Self::Bool(_) | Self::Time(_) | Self::Float(_) => 32,
        }
    }
}

/// What the writers need besides the record.
#[derive(Debug)]
pub struct Context<'c> {
    /// Names of elements and processes.
    pub names: &'c mut Names,
    /// How long what has ended is kept; `None` = for ever.
    pub retain: Option<&'c RetainOptions>,
    /// Whose operations are audited.
    pub audit: Audit,
    /// Who is behind what comes.
    pub trail: &'c mut audit_log::Trail,
}

/// Folds one record into the window.
pub fn write(window: &mut Window, context: &mut Context<'_>, record: &Record) {
    window.advance(record.position, record.timestamp);
    if record.batch_operation_reference.is_some() {
        batch_operation::write_outcome(window, record);
    }
    audit_log::write(window, context, record);
    if record.record_type != RecordType::Event {
        return;
    }
    match &record.value {
        Value::Process(value) => process_definition::write(window, context, record, value),
        Value::ProcessInstance(value) => match value.bpmn_element_type {
            BpmnElementType::Process => process_instance::write(window, context, record, value),
            BpmnElementType::SequenceFlow => sequence_flow::write(window, record, value),
            BpmnElementType::Unspecified
            | BpmnElementType::SubProcess
            | BpmnElementType::EventSubProcess
            | BpmnElementType::AdHocSubProcess
            | BpmnElementType::AdHocSubProcessInnerInstance
            | BpmnElementType::StartEvent
            | BpmnElementType::IntermediateCatchEvent
            | BpmnElementType::IntermediateThrowEvent
            | BpmnElementType::BoundaryEvent
            | BpmnElementType::EndEvent
            | BpmnElementType::ServiceTask
            | BpmnElementType::ReceiveTask
            | BpmnElementType::UserTask
            | BpmnElementType::ManualTask
            | BpmnElementType::Task
            | BpmnElementType::ExclusiveGateway
            | BpmnElementType::ParallelGateway
            | BpmnElementType::EventBasedGateway
            | BpmnElementType::InclusiveGateway
            | BpmnElementType::MultiInstanceBody
            | BpmnElementType::CallActivity
            | BpmnElementType::BusinessRuleTask
            | BpmnElementType::ScriptTask
            | BpmnElementType::SendTask => {
                flow_node_instance::write(window, context, record, value);
            }
        },
        Value::DecisionRequirements(value) => {
            decision::write_requirements(window, record, value);
        }
        Value::Decision(value) => decision::write_definition(window, record, value),
        Value::DecisionEvaluation(value) => {
            decision::write_evaluation(window, context, record, value);
        }
        Value::Variable(value) => variable::write(window, context, record, value),
        Value::Job(value) => job::write(window, record, value),
        Value::Incident(value) => incident::write(window, context, record, value),
        Value::UserTask(value) => user_task::write(window, context, record, value),
        Value::BatchOperationCreation(value) => {
            batch_operation::write(window, context, record, value);
        }
        Value::BatchOperationChunk(value) => batch_operation::write_chunk(window, record, value),
        Value::BatchOperationInitialization(_) => {
            batch_operation::write_initialization(window, record);
        }
        Value::BatchOperationLifecycleManagement(value) => {
            batch_operation::write_management(window, context, record, value);
        }
        Value::HistoryDeletion(value) => batch_operation::write_deletion(window, record, value),
        Value::User(value) => identity::user(window, record, value),
        Value::Group(value) => identity::group(window, record, value),
        Value::Role(value) => identity::role(window, record, value),
        Value::Tenant(value) => identity::tenant(window, record, value),
        Value::MappingRule(value) => identity::mapping_rule(window, record, value),
        Value::Authorization(value) => identity::authorization(window, record, value),
        Value::ProcessMessageSubscription(value) => {
            message_subscription::write(window, record, value);
        }
        Value::MessageStartEventSubscription(value) => {
            message_subscription::write_start(window, record, value);
        }
        Value::Form(value) => form::write(window, record, value),
        Value::Resource(value) => form::write_resource(window, record, value),
        Value::ClusterVariable(value) => cluster_variable::write(window, record, value),
        Value::GlobalListener(value) => global_listener::write(window, record, value),
        Value::AgentDefinition(value) => agent::definition(window, record, value),
        Value::AgentInstance(value) => agent::instance(window, record, value),
        Value::AgentHistory(value) => agent::history(window, record, value),
        Value::Timer(value) => wait_state::timer(window, context, record, value),
        Value::SignalSubscription(value) => wait_state::signal(window, context, record, value),
        Value::ConditionalSubscription(value) => {
            wait_state::condition(window, context, record, value);
        }
        Value::ProcessInstanceBusinessId(value) => {
            process_instance::write_business_id(window, record, value);
        }
        Value::Deployment(_)
        | Value::Message(_)
        | Value::MessageSubscription(_)
        | Value::JobBatch(_)
        | Value::VariableDocument(_)
        | Value::ProcessInstanceCreation(_)
        | Value::ProcessInstanceModification(_)
        | Value::ProcessInstanceMigration(_)
        | Value::Error(_)
        | Value::ProcessInstanceResult(_)
        | Value::ProcessEvent(_)
        | Value::Escalation(_)
        | Value::Signal(_)
        | Value::ResourceDeletion(_)
        | Value::CommandDistribution(_)
        | Value::ProcessInstanceBatch(_)
        | Value::MessageBatch(_)
        | Value::RuntimeInstruction(_)
        | Value::CompensationSubscription(_)
        | Value::AdHocSubProcessInstruction(_)
        | Value::MultiInstance(_)
        | Value::ConditionalEvaluation(_)
        | Value::IdentitySetup(_)
        | Value::GlobalListenerBatch(_)
        | Value::MessageCorrelation(_)
        | Value::Clock(_)
        | Value::Checkpoint(_)
        | Value::BatchOperationExecution(_)
        | Value::BatchOperationPartitionLifecycle(_)
        | Value::Expression(_) => {}
    }
}

/// The definition whose element names writing `record` needs.
#[must_use]
pub fn definition_of(record: &Record) -> Option<Key> {
    if record.record_type != RecordType::Event {
        return None;
    }
    match &record.value {
        Value::ProcessInstance(value) => {
            flow_node_instance::names_needed(record, value).then_some(value.process_definition_key)
        }
        Value::UserTask(value) => Some(value.process_definition_key),
        Value::Timer(value) => {
            wait_state::definition_of(value.process_instance_key, value.process_definition_key)
        }
        Value::SignalSubscription(value) => {
            wait_state::definition_of(value.process_instance_key, value.process_definition_key)
        }
        Value::ConditionalSubscription(value) => {
            wait_state::definition_of(value.process_instance_key, value.process_definition_key)
        }
        Value::Process(_)
        | Value::Form(_)
        | Value::Resource(_)
        | Value::DecisionRequirements(_)
        | Value::Decision(_)
        | Value::DecisionEvaluation(_)
        | Value::Variable(_)
        | Value::Job(_)
        | Value::Incident(_)
        | Value::ProcessMessageSubscription(_)
        | Value::MessageStartEventSubscription(_)
        | Value::ClusterVariable(_)
        | Value::ProcessInstanceBusinessId(_)
        | Value::Deployment(_)
        | Value::Message(_)
        | Value::MessageSubscription(_)
        | Value::JobBatch(_)
        | Value::VariableDocument(_)
        | Value::ProcessInstanceCreation(_)
        | Value::ProcessInstanceModification(_)
        | Value::ProcessInstanceMigration(_)
        | Value::Error(_)
        | Value::ProcessInstanceResult(_)
        | Value::ProcessEvent(_)
        | Value::Escalation(_)
        | Value::Signal(_)
        | Value::ResourceDeletion(_)
        | Value::CommandDistribution(_)
        | Value::ProcessInstanceBatch(_)
        | Value::MessageBatch(_)
        | Value::RuntimeInstruction(_)
        | Value::CompensationSubscription(_)
        | Value::AdHocSubProcessInstruction(_)
        | Value::MultiInstance(_)
        | Value::ConditionalEvaluation(_)
        | Value::User(_)
        | Value::Group(_)
        | Value::Role(_)
        | Value::Tenant(_)
        | Value::MappingRule(_)
        | Value::Authorization(_)
        | Value::IdentitySetup(_)
        | Value::GlobalListener(_)
        | Value::GlobalListenerBatch(_)
        | Value::AgentDefinition(_)
        | Value::AgentInstance(_)
        | Value::AgentHistory(_)
        | Value::MessageCorrelation(_)
        | Value::Clock(_)
        | Value::Checkpoint(_)
        | Value::BatchOperationCreation(_)
        | Value::BatchOperationExecution(_)
        | Value::BatchOperationChunk(_)
        | Value::BatchOperationLifecycleManagement(_)
        | Value::BatchOperationPartitionLifecycle(_)
        | Value::BatchOperationInitialization(_)
        | Value::HistoryDeletion(_)
        | Value::Expression(_) => None,
    }
}

/// Headers as a JSON object.
pub(crate) fn headers_json(headers: &Headers) -> Datum {
    let mut out = String::from("{");
    for (name, value) in headers.0.iter() {
        if out.len() > 1 {
            out.push(',');
        }
        ringflow_core::json::write_string(name, &mut out);
        out.push(':');
        ringflow_core::json::write_string(value, &mut out);
    }
    out.push('}');
    Datum::Text(Text::from(out))
}

/// Cuts a text to `chars` characters, never within one.
#[must_use]
pub fn cut(text: &str, chars: usize) -> &str {
    if text.len() <= chars {
        return text;
    }
    match text.char_indices().nth(chars) {
        Some((at, _)) => &text[..at],
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 3), "abc");
        assert_eq!(cut("\u{e9}\u{e9}\u{e9}", 2), "\u{e9}\u{e9}");
        assert_eq!(cut("\u{e9}\u{e9}\u{e9}", 3), "\u{e9}\u{e9}\u{e9}");
        assert_eq!(cut("", 0), "");
    }
}
