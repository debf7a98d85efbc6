//! What a line about a record says of its value: what tests of the engine look at first.
//!
//! Fixtures of record streams are made of such lines, so a change here changes them all.

use ringflow_core::json;
use ringflow_core::record::{Text, Value, ValueType};

use super::harness::{START, json_of};

pub(super) fn detail(value: &Value) -> String {
    match value {
        Value::ProcessInstance(value) => {
            format!("{} {}", value.bpmn_element_type.name(), value.element_id)
        }
        Value::Job(value) => format!(
            "{} {} retries={} {}",
            value.job_type,
            value.element_id,
            value.retries,
            json_of(&value.variables)
        ),
        Value::Variable(value) => {
            let mut json_text = String::new();
            json::from_msgpack(value.value.as_bytes(), &mut json_text).expect("a value");
            format!("{}={json_text}", value.name)
        }
        Value::ProcessEvent(value) => {
            format!("{} {}", value.target_element_id, json_of(&value.variables))
        }
        Value::Incident(value) => format!(
            "{} {} {}",
            value.error_type.name(),
            value.element_id,
            value.error_message
        ),
        Value::JobBatch(value) => format!("{} x{}", value.job_type, value.jobs.len()),
        Value::ProcessInstanceCreation(value) => Text::clone(&value.bpmn_process_id).to_string(),
        Value::ProcessInstanceResult(value) => json_of(&value.variables),
        Value::Process(value) => format!("{} v{}", value.bpmn_process_id, value.version),
        Value::VariableDocument(value) => json_of(&value.variables),
        Value::CommandDistribution(value) => format!(
            "{} to {}",
            ValueType::from_code(value.value_type).map_or("?", ValueType::name),
            value.partition_id
        ),
        Value::Timer(value) => format!(
            "{} repetitions={} due=+{}ms",
            value.target_element_id,
            value.repetitions,
            value.due_date.0 - START
        ),
        Value::Message(value) => format!("{} {}", value.name, value.correlation_key),
        Value::MessageSubscription(value) => {
            format!("{} {}", value.message_name, value.correlation_key)
        }
        Value::ProcessMessageSubscription(value) => {
            format!("{} {}", value.message_name, value.correlation_key)
        }
        Value::MessageStartEventSubscription(value) => {
            format!("{} {}", value.message_name, value.start_event_id)
        }
        Value::Signal(value) => value.signal_name.to_string(),
        Value::Escalation(value) => format!(
            "{} {} {}",
            value.escalation_code, value.throw_element_id, value.catch_element_id
        ),
        Value::SignalSubscription(value) => {
            format!("{} {}", value.signal_name, value.catch_event_id)
        }
        Value::UserTask(value) => format!("{} {}", value.element_id, value.assignee),
        Value::Clock(value) => value.time.0.to_string(),
        Value::Checkpoint(value) => value.checkpoint_id.to_string(),
        Value::Expression(value) => value.expression.to_string(),
        Value::MessageCorrelation(value) => format!("{} {}", value.name, value.correlation_key),
        Value::RuntimeInstruction(value) => value.element_id.to_string(),
        Value::Form(value) => format!("{} v{}", value.id, value.version),
        Value::Resource(value) => format!("{} v{}", value.id, value.version),
        Value::CompensationSubscription(value) => format!(
            "{} handler={} throw={}",
            value.compensable_activity_id, value.compensation_handler_id, value.throw_event_id
        ),
        Value::ConditionalSubscription(value) => {
            format!("{} {}", value.catch_event_id, value.condition)
        }
        Value::ConditionalEvaluation(value) => {
            format!(
                "{} started={}",
                json_of(&value.variables),
                value.started.len()
            )
        }
        Value::AdHocSubProcessInstruction(value) => {
            let elements = value.activate_elements.iter();
            let ids: Vec<&str> = elements.map(|one| one.element_id.as_str()).collect();
            let (ids, cancel) = (ids.join(", "), value.cancel_remaining_instances);
            let fulfilled = value.completion_condition_fulfilled;
            format!("[{ids}] cancel={cancel} fulfilled={fulfilled}")
        }
        Value::MultiInstance(value) => format!("x{}", value.input_collection.len()),
        Value::User(value) => value.username.to_string(),
        Value::Group(value) => format!("{} {}", value.group_id, value.entity_id),
        Value::Role(value) => format!("{} {}", value.role_id, value.entity_id),
        Value::Tenant(value) => format!("{} {}", value.tenant_id, value.entity_id),
        Value::MappingRule(value) => value.mapping_rule_id.to_string(),
        Value::Authorization(value) => format!("{} {}", value.owner_id, value.resource_id),
        Value::BatchOperationCreation(value) => value.batch_operation_type.name().to_owned(),
        Value::BatchOperationExecution(value) => format!("x{}", value.item_keys.len()),
        Value::BatchOperationChunk(value) => format!("x{}", value.items.len()),
        Value::HistoryDeletion(value) => value.resource_type.name().to_owned(),
        Value::ProcessInstanceBusinessId(value) => value.business_id.to_string(),
        Value::BatchOperationPartitionLifecycle(value) => value.source_partition_id.to_string(),
        Value::BatchOperationLifecycleManagement(_)
        | Value::BatchOperationInitialization(_)
        | Value::IdentitySetup(_)
        | Value::GlobalListenerBatch(_)
        | Value::Deployment(_)
        | Value::ProcessInstanceModification(_)
        | Value::ProcessInstanceMigration(_)
        | Value::ProcessInstanceBatch(_)
        | Value::Decision(_)
        | Value::DecisionRequirements(_)
        | Value::DecisionEvaluation(_)
        | Value::MessageBatch(_)
        | Value::ResourceDeletion(_) => String::new(),
        Value::AgentDefinition(value) => {
            format!(
                "{} {} '{}'",
                value.agent_type.name(),
                value.element_id,
                value.name
            )
        }
        Value::AgentInstance(value) => format!(
            "{} {} {} tokens={}/{} calls={}/{} [{}]",
            value.element_id,
            value.status.name(),
            value.definition.model,
            value.metrics.input_tokens,
            value.metrics.output_tokens,
            value.metrics.model_calls,
            value.metrics.tool_calls,
            listed(&value.changed_attributes)
        ),
        Value::AgentHistory(value) => format!(
            "{} {} [{}] said={}",
            value.role.name(),
            value.history_item_id,
            listed(&value.changed_attributes),
            value.content.len()
        ),
        Value::ClusterVariable(value) => value.name.to_string(),
        Value::GlobalListener(value) => value.id.to_string(),
        Value::Error(value) => value.exception_message.to_string(),
    }
}

fn listed(texts: &[Text]) -> String {
    let texts: Vec<&str> = texts.iter().map(Text::as_str).collect();
    texts.join(", ")
}
