//! Table and column names, in one place for the writers and the retention.
//!
//! Names follow the reference's RDBMS schema in lower case, so that reports written for it keep
//! working. Key columns come first. The order of [`Table`] is the order in which a transaction
//! writes, the same for every partition: with keys ascending inside a table, transactions of
//! different partitions cannot wait for each other in a circle.
//!
//! The SQL of the tables is in `migrations/`; a test compares the two.

mod list;

pub use list::{LIST_VALUE_CHARS, ListTable};

/// What a column holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ColumnKind {
    /// 64-bit integer.
    Key,
    /// 32-bit integer.
    Int,
    /// Truth value.
    Bool,
    /// Truth value that, once true, stays true whoever writes the row later.
    Flag,
    /// Milliseconds since the epoch.
    Time,
    /// 64-bit floating point.
    Float,
    /// Text.
    Text,
    /// Integer that is added to what the row holds.
    Count,
    /// Milliseconds since the epoch; the earlier one stays.
    Earliest,
    /// Milliseconds since the epoch; the later one stays.
    Latest,
}

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub struct ColumnDef {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: ColumnKind,
    /// Most characters of a text, 0 = any number; longer texts are cut.
    pub chars: usize,
}

/// Number of a column in its table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Column(pub u8);

/// The number of the column `name`; evaluated while compiling.
const fn numbered(table: Table, name: &str) -> Column {
    let columns = table.columns();
    let mut at = 0;
    while at < columns.len() {
        if same(columns[at].name.as_bytes(), name.as_bytes()) {
            return Column(at as u8);
        }
        at += 1;
    }
    panic!("no such column")
}

const fn same(a: &[u8], b: &[u8]) -> bool {
    let mut at = 0;
    while at < a.len() && at < b.len() && a[at] == b[at] {
        at += 1;
    }
    at == a.len() && at == b.len()
}

macro_rules! tables {
    ($($table:ident $module:ident $keys:literal {
        $($column:ident $name:literal $kind:ident $chars:literal,)+
    })+) => {
        /// The tables of rows, in writing order.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
        #[repr(u8)]
        pub enum Table {
            $(#[doc = stringify!($module)] $table,)+
        }

        impl Table {
            /// All tables, in writing order.
            pub const ALL: &'static [Self] = &[$(Self::$table,)+];

            /// Its name in the database.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$table => stringify!($module),)+ }
            }

            /// Its columns, key columns first.
            #[must_use]
            pub const fn columns(self) -> &'static [ColumnDef] {
                match self { $(Self::$table => &[$(ColumnDef {
                    name: $name,
                    kind: ColumnKind::$kind,
                    chars: $chars,
                },)+],)+ }
            }

            /// How many columns make the key.
            #[must_use]
            pub const fn key_len(self) -> usize {
                match self { $(Self::$table => $keys,)+ }
            }
        }

        $(
            #[doc = concat!("Columns of `", stringify!($module), "`.")]
            pub mod $module {
                use super::{Column, Table, numbered};

                $(
                    #[doc = $name]
                    pub const $column: Column = numbered(Table::$table, $name);
                )+
            }
        )+
    };
}

tables! {
    ProcessDefinition process_definition 1 {
        PROCESS_DEFINITION_KEY "process_definition_key" Key 0,
        PROCESS_DEFINITION_ID "process_definition_id" Text 400,
        NAME "name" Text 400,
        RESOURCE_NAME "resource_name" Text 400,
        BPMN_XML "bpmn_xml" Text 0,
        TENANT_ID "tenant_id" Text 400,
        VERSION "version" Int 0,
        VERSION_TAG "version_tag" Text 400,
        FORM_ID "form_id" Text 400,
        IS_DELETED "is_deleted" Flag 0,
    }
    ProcessInstance process_instance 1 {
        PROCESS_INSTANCE_KEY "process_instance_key" Key 0,
        ROOT_PROCESS_INSTANCE_KEY "root_process_instance_key" Key 0,
        PROCESS_DEFINITION_ID "process_definition_id" Text 400,
        PROCESS_DEFINITION_KEY "process_definition_key" Key 0,
        STATE "state" Text 20,
        START_DATE "start_date" Time 0,
        END_DATE "end_date" Time 0,
        TENANT_ID "tenant_id" Text 400,
        PARENT_PROCESS_INSTANCE_KEY "parent_process_instance_key" Key 0,
        PARENT_ELEMENT_INSTANCE_KEY "parent_element_instance_key" Key 0,
        NUM_INCIDENTS "num_incidents" Int 0,
        VERSION "version" Int 0,
        PARTITION_ID "partition_id" Int 0,
        TREE_PATH "tree_path" Text 8191,
        HISTORY_CLEANUP_DATE "history_cleanup_date" Time 0,
        BUSINESS_ID "business_id" Text 400,
        SUSPENDED_DATE "suspended_date" Time 0,
    }
    FlowNodeInstance flow_node_instance 1 {
        FLOW_NODE_INSTANCE_KEY "flow_node_instance_key" Key 0,
        FLOW_NODE_ID "flow_node_id" Text 400,
        FLOW_NODE_NAME "flow_node_name" Text 400,
        FLOW_NODE_SCOPE_KEY "flow_node_scope_key" Key 0,
        PROCESS_INSTANCE_KEY "process_instance_key" Key 0,
        ROOT_PROCESS_INSTANCE_KEY "root_process_instance_key" Key 0,
        PROCESS_DEFINITION_ID "process_definition_id" Text 400,
        PROCESS_DEFINITION_KEY "process_definition_key" Key 0,
        TYPE "type" Text 100,
        STATE "state" Text 20,
        START_DATE "start_date" Time 0,
        END_DATE "end_date" Time 0,
        TREE_PATH "tree_path" Text 8191,
        TENANT_ID "tenant_id" Text 400,
        INCIDENT_KEY "incident_key" Key 0,
        NUM_SUBPROCESS_INCIDENTS "num_subprocess_incidents" Int 0,
        PARTITION_ID "partition_id" Int 0,
    }
    SequenceFlow sequence_flow 2 {
        PROCESS_INSTANCE_KEY "process_instance_key" Key 0,
        FLOW_NODE_ID "flow_node_id" Text 400,
        ROOT_PROCESS_INSTANCE_KEY "root_process_instance_key" Key 0,
        PROCESS_DEFINITION_KEY "process_definition_key" Key 0,
        PROCESS_DEFINITION_ID "process_definition_id" Text 400,
        TENANT_ID "tenant_id" Text 400,
        PARTITION_ID "partition_id" Int 0,
    }
    Variable variable 1 {
        VAR_KEY "var_key" Key 0,
        PROCESS_INSTANCE_KEY "process_instance_key" Key 0,
        ROOT_PROCESS_INSTANCE_KEY "root_process_instance_key" Key 0,
        PROCESS_DEFINITION_ID "process_definition_id" Text 400,
        SCOPE_KEY "scope_key" Key 0,
        TYPE "type" Text 255,
        VAR_NAME "var_name" Text 400,
        DOUBLE_VALUE "double_value" Float 0,
        LONG_VALUE "long_value" Key 0,
        VAR_VALUE "var_value" Text 8192,
        VAR_FULL_VALUE "var_full_value" Text 0,
        TENANT_ID "tenant_id" Text 400,
        IS_PREVIEW "is_preview" Bool 0,
        PARTITION_ID "partition_id" Int 0,
    }
    Job job 1 {
        JOB_KEY "job_key" Key 0,
        PROCESS_DEFINITION_ID "process_definition_id" Text 400,
        PROCESS_DEFINITION_KEY "process_definition_key" Key 0,
        PROCESS_INSTANCE_KEY "process_instance_key" Key 0,
        ROOT_PROCESS_INSTANCE_KEY "root_process_instance_key" Key 0,
        ELEMENT_ID "element_id" Text 400,
        ELEMENT_INSTANCE_KEY "element_instance_key" Key 0,
        TENANT_ID "tenant_id" Text 400,
        TYPE "type" Text 255,
        WORKER "worker" Text 400,
        STATE "state" Text 20,
        KIND "kind" Text 50,
        LISTENER_EVENT_TYPE "listener_event_type" Text 50,
        ERROR_MESSAGE "error_message" Text 4000,
        ERROR_CODE "error_code" Text 255,
        DEADLINE "deadline" Time 0,
        END_TIME "end_time" Time 0,
        CUSTOM_HEADERS "custom_headers" Text 0,
        RETRIES "retries" Int 0,
        HAS_FAILED_WITH_RETRIES_LEFT "has_failed_with_retries_left" Bool 0,
        IS_DENIED "is_denied" Bool 0,
        DENIED_REASON "denied_reason" Text 400,
        PARTITION_ID "partition_id" Int 0,
        CREATION_TIME "creation_time" Time 0,
        LAST_UPDATE_TIME "last_update_time" Time 0,
        PRIORITY "priority" Int 0,
    }
    Incident incident 1 {
        INCIDENT_KEY "incident_key" Key 0,
        FLOW_NODE_INSTANCE_KEY "flow_node_instance_key" Key 0,
        FLOW_NODE_ID "flow_node_id" Text 400,
        PROCESS_INSTANCE_KEY "process_instance_key" Key 0,
        ROOT_PROCESS_INSTANCE_KEY "root_process_instance_key" Key 0,
        PROCESS_DEFINITION_ID "process_definition_id" Text 400,
        PROCESS_DEFINITION_KEY "process_definition_key" Key 0,
        ERROR_MESSAGE "error_message" Text 4000,
        ERROR_MESSAGE_HASH "error_message_hash" Int 0,
        ERROR_TYPE "error_type" Text 100,
        STATE "state" Text 20,
        CREATION_DATE "creation_date" Time 0,
        TREE_PATH "tree_path" Text 8191,
        TENANT_ID "tenant_id" Text 400,
        JOB_KEY "job_key" Key 0,
        PARTITION_ID "partition_id" Int 0,
    }
    UserTask user_task 1 {
        USER_TASK_KEY "user_task_key" Key 0,
        ELEMENT_ID "element_id" Text 400,
        NAME "name" Text 400,
        PROCESS_DEFINITION_ID "process_definition_id" Text 400,
        CREATION_DATE "creation_date" Time 0,
        COMPLETION_DATE "completion_date" Time 0,
        ASSIGNEE "assignee" Text 400,
        STATE "state" Text 20,
        FORM_KEY "form_key" Key 0,
        PROCESS_DEFINITION_KEY "process_definition_key" Key 0,
        PROCESS_INSTANCE_KEY "process_instance_key" Key 0,
        ROOT_PROCESS_INSTANCE_KEY "root_process_instance_key" Key 0,
        ELEMENT_INSTANCE_KEY "element_instance_key" Key 0,
        TENANT_ID "tenant_id" Text 400,
        DUE_DATE "due_date" Time 0,
        FOLLOW_UP_DATE "follow_up_date" Time 0,
        EXTERNAL_FORM_REFERENCE "external_form_reference" Text 400,
        PROCESS_DEFINITION_VERSION "process_definition_version" Int 0,
        CUSTOM_HEADERS "custom_headers" Text 0,
        PRIORITY "priority" Int 0,
        PARTITION_ID "partition_id" Int 0,
    }
    MessageSubscription message_subscription 1 {
        MESSAGE_SUBSCRIPTION_KEY "message_subscription_key" Key 0,
        PROCESS_DEFINITION_ID "process_definition_id" Text 400,
        PROCESS_DEFINITION_KEY "process_definition_key" Key 0,
        PROCESS_INSTANCE_KEY "process_instance_key" Key 0,
        ROOT_PROCESS_INSTANCE_KEY "root_process_instance_key" Key 0,
        FLOW_NODE_ID "flow_node_id" Text 400,
        FLOW_NODE_INSTANCE_KEY "flow_node_instance_key" Key 0,
        MESSAGE_SUBSCRIPTION_STATE "message_subscription_state" Text 20,
        MESSAGE_SUBSCRIPTION_TYPE "message_subscription_type" Text 50,
        DATE_TIME "date_time" Time 0,
        MESSAGE_NAME "message_name" Text 400,
        CORRELATION_KEY "correlation_key" Text 400,
        TENANT_ID "tenant_id" Text 400,
        PARTITION_ID "partition_id" Int 0,
    }
    CorrelatedMessageSubscription correlated_message_subscription 2 {
        MESSAGE_KEY "message_key" Key 0,
        SUBSCRIPTION_KEY "subscription_key" Key 0,
        CORRELATION_KEY "correlation_key" Text 400,
        CORRELATION_TIME "correlation_time" Time 0,
        FLOW_NODE_ID "flow_node_id" Text 400,
        FLOW_NODE_INSTANCE_KEY "flow_node_instance_key" Key 0,
        MESSAGE_NAME "message_name" Text 400,
        PARTITION_ID "partition_id" Int 0,
        PROCESS_DEFINITION_ID "process_definition_id" Text 400,
        PROCESS_DEFINITION_KEY "process_definition_key" Key 0,
        PROCESS_INSTANCE_KEY "process_instance_key" Key 0,
        ROOT_PROCESS_INSTANCE_KEY "root_process_instance_key" Key 0,
        SUBSCRIPTION_TYPE "subscription_type" Text 255,
        TENANT_ID "tenant_id" Text 400,
    }
    Form form 1 {
        FORM_KEY "form_key" Key 0,
        FORM_ID "form_id" Text 400,
        TENANT_ID "tenant_id" Text 400,
        SCHEMA_XML "schema_xml" Text 0,
        VERSION "version" Key 0,
        IS_DELETED "is_deleted" Flag 0,
    }
    DeployedResource deployed_resource 1 {
        RESOURCE_KEY "resource_key" Key 0,
        RESOURCE_ID "resource_id" Text 400,
        RESOURCE_NAME "resource_name" Text 400,
        VERSION "version" Int 0,
        VERSION_TAG "version_tag" Text 400,
        DEPLOYMENT_KEY "deployment_key" Key 0,
        TENANT_ID "tenant_id" Text 400,
        IS_DELETED "is_deleted" Flag 0,
    }
    BatchOperation batch_operation 1 {
        BATCH_OPERATION_KEY "batch_operation_key" Key 0,
        STATE "state" Text 50,
        OPERATION_TYPE "operation_type" Text 255,
        START_DATE "start_date" Time 0,
        END_DATE "end_date" Time 0,
        HISTORY_CLEANUP_DATE "history_cleanup_date" Time 0,
        ACTOR_TYPE "actor_type" Text 50,
        ACTOR_ID "actor_id" Text 400,
        ERRORS "errors" Text 0,
        PARTITION_ID "partition_id" Int 0,
    }
    BatchOperationItem batch_operation_item 2 {
        BATCH_OPERATION_KEY "batch_operation_key" Key 0,
        ITEM_KEY "item_key" Key 0,
        PROCESS_INSTANCE_KEY "process_instance_key" Key 0,
        ROOT_PROCESS_INSTANCE_KEY "root_process_instance_key" Key 0,
        PROCESSED_DATE "processed_date" Time 0,
        ERROR_MESSAGE "error_message" Text 4000,
        STATE "state" Text 50,
        PARTITION_ID "partition_id" Int 0,
    }
    BatchOperationError batch_operation_error 2 {
        BATCH_OPERATION_KEY "batch_operation_key" Key 0,
        PARTITION_ID "partition_id" Key 0,
        TYPE "type" Text 255,
        MESSAGE "message" Text 4000,
    }
    HistoryDeletion history_deletion 2 {
        RESOURCE_KEY "resource_key" Key 0,
        BATCH_OPERATION_KEY "batch_operation_key" Key 0,
        RESOURCE_TYPE "resource_type" Text 50,
        PARTITION_ID "partition_id" Int 0,
    }
    DecisionRequirements decision_requirements 1 {
        DECISION_REQUIREMENTS_KEY "decision_requirements_key" Key 0,
        DECISION_REQUIREMENTS_ID "decision_requirements_id" Text 400,
        NAME "name" Text 400,
        TENANT_ID "tenant_id" Text 400,
        VERSION "version" Int 0,
        RESOURCE_NAME "resource_name" Text 400,
        XML "xml" Text 0,
    }
    DecisionDefinition decision_definition 1 {
        DECISION_DEFINITION_KEY "decision_definition_key" Key 0,
        DECISION_DEFINITION_ID "decision_definition_id" Text 400,
        NAME "name" Text 400,
        TENANT_ID "tenant_id" Text 400,
        VERSION "version" Int 0,
        DECISION_REQUIREMENTS_KEY "decision_requirements_key" Key 0,
        DECISION_REQUIREMENTS_ID "decision_requirements_id" Text 400,
    }
    DecisionInstance decision_instance 2 {
        DECISION_INSTANCE_KEY "decision_instance_key" Key 0,
        DECISION_INSTANCE_ID "decision_instance_id" Text 400,
        PROCESS_INSTANCE_KEY "process_instance_key" Key 0,
        ROOT_PROCESS_INSTANCE_KEY "root_process_instance_key" Key 0,
        PROCESS_DEFINITION_ID "process_definition_id" Text 400,
        PROCESS_DEFINITION_KEY "process_definition_key" Key 0,
        DECISION_DEFINITION_ID "decision_definition_id" Text 400,
        DECISION_DEFINITION_KEY "decision_definition_key" Key 0,
        DECISION_DEFINITION_NAME "decision_definition_name" Text 400,
        DECISION_DEFINITION_VERSION "decision_definition_version" Int 0,
        DECISION_REQUIREMENTS_ID "decision_requirements_id" Text 400,
        DECISION_REQUIREMENTS_KEY "decision_requirements_key" Key 0,
        FLOW_NODE_ID "flow_node_id" Text 400,
        FLOW_NODE_INSTANCE_KEY "flow_node_instance_key" Key 0,
        ROOT_DECISION_DEFINITION_KEY "root_decision_definition_key" Key 0,
        EVALUATION_DATE "evaluation_date" Time 0,
        TYPE "type" Text 255,
        STATE "state" Text 20,
        RESULT "result" Text 0,
        EVALUATED_INPUTS "evaluated_inputs" Text 0,
        MATCHED_RULES "matched_rules" Text 0,
        EVALUATION_FAILURE_MESSAGE "evaluation_failure_message" Text 4000,
        TENANT_ID "tenant_id" Text 400,
        PARTITION_ID "partition_id" Int 0,
        HISTORY_CLEANUP_DATE "history_cleanup_date" Time 0,
    }
    AuditLog audit_log 1 {
        AUDIT_LOG_KEY "audit_log_key" Key 0,
        ENTITY_KEY "entity_key" Text 400,
        ENTITY_TYPE "entity_type" Text 50,
        OPERATION_TYPE "operation_type" Text 50,
        ENTITY_VERSION "entity_version" Int 0,
        ENTITY_VALUE_TYPE "entity_value_type" Int 0,
        ENTITY_OPERATION_INTENT "entity_operation_intent" Int 0,
        BATCH_OPERATION_KEY "batch_operation_key" Key 0,
        BATCH_OPERATION_TYPE "batch_operation_type" Text 50,
        TIMESTAMP "timestamp" Time 0,
        ACTOR_TYPE "actor_type" Text 50,
        ACTOR_ID "actor_id" Text 400,
        TENANT_ID "tenant_id" Text 400,
        TENANT_SCOPE "tenant_scope" Text 50,
        RESULT "result" Text 50,
        CATEGORY "category" Text 50,
        PROCESS_DEFINITION_ID "process_definition_id" Text 400,
        DECISION_REQUIREMENTS_ID "decision_requirements_id" Text 400,
        DECISION_DEFINITION_ID "decision_definition_id" Text 400,
        PROCESS_DEFINITION_KEY "process_definition_key" Key 0,
        PROCESS_INSTANCE_KEY "process_instance_key" Key 0,
        ROOT_PROCESS_INSTANCE_KEY "root_process_instance_key" Key 0,
        ELEMENT_INSTANCE_KEY "element_instance_key" Key 0,
        JOB_KEY "job_key" Key 0,
        USER_TASK_KEY "user_task_key" Key 0,
        DECISION_REQUIREMENTS_KEY "decision_requirements_key" Key 0,
        DECISION_DEFINITION_KEY "decision_definition_key" Key 0,
        DECISION_EVALUATION_KEY "decision_evaluation_key" Key 0,
        DEPLOYMENT_KEY "deployment_key" Key 0,
        FORM_KEY "form_key" Key 0,
        RESOURCE_KEY "resource_key" Key 0,
        RELATED_ENTITY_TYPE "related_entity_type" Text 50,
        RELATED_ENTITY_KEY "related_entity_key" Text 400,
        ENTITY_DESCRIPTION "entity_description" Text 400,
        PARTITION_ID "partition_id" Int 0,
        HISTORY_CLEANUP_DATE "history_cleanup_date" Time 0,
    }
    ClusterVariable cluster_variable 2 {
        SCOPE_KEY "scope_key" Key 0,
        CLUSTER_VARIABLE_ID "cluster_variable_id" Text 400,
        VAR_NAME "var_name" Text 400,
        TYPE "type" Text 255,
        DOUBLE_VALUE "double_value" Float 0,
        LONG_VALUE "long_value" Key 0,
        VAR_VALUE "var_value" Text 8192,
        VAR_FULL_VALUE "var_full_value" Text 0,
        IS_PREVIEW "is_preview" Bool 0,
        TENANT_ID "tenant_id" Text 400,
        SCOPE "scope" Text 255,
        METADATA "metadata" Text 0,
        IS_DELETED "is_deleted" Bool 0,
    }
    ActiveInstances active_instances 2 {
        PROCESS_DEFINITION_KEY "process_definition_key" Key 0,
        PARTITION_ID "partition_id" Key 0,
        ACTIVE_COUNT "active_count" Count 0,
    }
    JobMetricsBatch job_metrics_batch 2 {
        WINDOW_KEY "window_key" Key 0,
        GROUP_KEY "group_key" Key 0,
        PARTITION_ID "partition_id" Int 0,
        START_TIME "start_time" Earliest 0,
        END_TIME "end_time" Latest 0,
        TENANT_ID "tenant_id" Text 400,
        JOB_TYPE "job_type" Text 255,
        WORKER "worker" Text 400,
        CREATED_COUNT "created_count" Count 0,
        LAST_CREATED_AT "last_created_at" Latest 0,
        COMPLETED_COUNT "completed_count" Count 0,
        LAST_COMPLETED_AT "last_completed_at" Latest 0,
        FAILED_COUNT "failed_count" Count 0,
        LAST_FAILED_AT "last_failed_at" Latest 0,
    }
    UsageMetric usage_metric 2 {
        USAGE_METRIC_KEY "usage_metric_key" Key 0,
        TENANT_ID "tenant_id" Text 400,
        START_TIME "start_time" Earliest 0,
        END_TIME "end_time" Latest 0,
        EVENT_TYPE "event_type" Int 0,
        EVENT_VALUE "event_value" Count 0,
        PARTITION_ID "partition_id" Int 0,
    }
    UsageMetricTu usage_metric_tu 2 {
        USAGE_METRIC_KEY "usage_metric_key" Key 0,
        GROUP_KEY "group_key" Key 0,
        TENANT_ID "tenant_id" Text 400,
        ASSIGNEE_HASH "assignee_hash" Key 0,
        START_TIME "start_time" Earliest 0,
        END_TIME "end_time" Latest 0,
        PARTITION_ID "partition_id" Int 0,
    }
    VariableName process_def_var_name_lookup 2 {
        PROCESS_DEFINITION_KEY "process_definition_key" Key 0,
        VAR_NAME "var_name" Text 400,
        PROCESS_DEFINITION_ID "process_definition_id" Text 400,
        TENANT_ID "tenant_id" Text 400,
    }
    WaitState wait_state 1 {
        WAIT_STATE_KEY "wait_state_key" Key 0,
        ELEMENT_INSTANCE_KEY "element_instance_key" Key 0,
        PROCESS_INSTANCE_KEY "process_instance_key" Key 0,
        ROOT_PROCESS_INSTANCE_KEY "root_process_instance_key" Key 0,
        ELEMENT_ID "element_id" Text 400,
        WAIT_STATE_TYPE "wait_state_type" Text 50,
        NAME "name" Text 0,
        EVENTS "events" Text 50,
        DUE_DATE "due_date" Time 0,
        REPETITIONS "repetitions" Int 0,
        PARTITION_ID "partition_id" Int 0,
    }
    GlobalListener global_listener 1 {
        GLOBAL_LISTENER_KEY "global_listener_key" Key 0,
        ID "id" Text 400,
        TYPE "type" Text 400,
        RETRIES "retries" Int 0,
        AFTER_NON_GLOBAL "after_non_global" Bool 0,
        PRIORITY "priority" Int 0,
        SOURCE "source" Text 50,
        LISTENER_TYPE "listener_type" Text 50,
    }
    AgentDefinition agent_definition 1 {
        AGENT_DEFINITION_KEY "agent_definition_key" Key 0,
        AGENT_TYPE "agent_type" Text 50,
        NAME "name" Text 400,
        ELEMENT_ID "element_id" Text 400,
        PROCESS_DEFINITION_ID "process_definition_id" Text 400,
        PROCESS_DEFINITION_KEY "process_definition_key" Key 0,
        PROCESS_DEFINITION_VERSION "process_definition_version" Int 0,
        VERSION_TAG "version_tag" Text 400,
        TENANT_ID "tenant_id" Text 400,
    }
    AgentInstance agent_instance 1 {
        AGENT_INSTANCE_KEY "agent_instance_key" Key 0,
        AGENT_DEFINITION_KEY "agent_definition_key" Key 0,
        ELEMENT_ID "element_id" Text 400,
        PROCESS_INSTANCE_KEY "process_instance_key" Key 0,
        ROOT_PROCESS_INSTANCE_KEY "root_process_instance_key" Key 0,
        PROCESS_DEFINITION_ID "process_definition_id" Text 400,
        PROCESS_DEFINITION_KEY "process_definition_key" Key 0,
        PROCESS_DEFINITION_VERSION "process_definition_version" Int 0,
        VERSION_TAG "version_tag" Text 400,
        TENANT_ID "tenant_id" Text 400,
        STATUS "status" Text 50,
        MODEL "model" Text 0,
        PROVIDER "provider" Text 0,
        SYSTEM_PROMPT "system_prompt" Text 0,
        MAX_TOKENS "max_tokens" Key 0,
        MAX_MODEL_CALLS "max_model_calls" Int 0,
        MAX_TOOL_CALLS "max_tool_calls" Int 0,
        INPUT_TOKENS "input_tokens" Key 0,
        OUTPUT_TOKENS "output_tokens" Key 0,
        MODEL_CALLS "model_calls" Int 0,
        TOOL_CALLS "tool_calls" Int 0,
        TOOLS "tools" Text 0,
        CREATION_DATE "creation_date" Time 0,
        LAST_UPDATED_DATE "last_updated_date" Time 0,
        COMPLETION_DATE "completion_date" Time 0,
        PARTITION_ID "partition_id" Int 0,
    }
    AgentHistory agent_history 1 {
        AGENT_HISTORY_KEY "agent_history_key" Key 0,
        AGENT_INSTANCE_KEY "agent_instance_key" Key 0,
        ELEMENT_INSTANCE_KEY "element_instance_key" Key 0,
        PROCESS_INSTANCE_KEY "process_instance_key" Key 0,
        ROOT_PROCESS_INSTANCE_KEY "root_process_instance_key" Key 0,
        PROCESS_DEFINITION_ID "process_definition_id" Text 400,
        PROCESS_DEFINITION_KEY "process_definition_key" Key 0,
        TENANT_ID "tenant_id" Text 400,
        JOB_KEY "job_key" Key 0,
        JOB_LEASE "job_lease" Text 0,
        HISTORY_ITEM_ID "history_item_id" Text 400,
        LOOP_ITERATION "loop_iteration" Int 0,
        ROLE "role" Text 50,
        COMMIT_STATUS "commit_status" Text 50,
        PRODUCED_AT "produced_at" Time 0,
        INPUT_TOKENS "input_tokens" Key 0,
        OUTPUT_TOKENS "output_tokens" Key 0,
        DURATION_MS "duration_ms" Key 0,
        CONTENT "content" Text 0,
        TOOL_CALLS "tool_calls" Text 0,
        MODEL "model" Text 0,
        PROVIDER "provider" Text 0,
        SYSTEM_PROMPT "system_prompt" Text 0,
        TOOLS "tools" Text 0,
        MAX_TOKENS "max_tokens" Key 0,
        MAX_MODEL_CALLS "max_model_calls" Int 0,
        MAX_TOOL_CALLS "max_tool_calls" Int 0,
        PARTITION_ID "partition_id" Int 0,
    }
    User user_ 1 {
        USER_KEY "user_key" Key 0,
        USERNAME "username" Text 400,
        NAME "name" Text 400,
        EMAIL "email" Text 400,
        PASSWORD "password" Text 400,
    }
    Group group_ 1 {
        GROUP_KEY "group_key" Key 0,
        GROUP_ID "group_id" Text 400,
        NAME "name" Text 400,
        DESCRIPTION "description" Text 4000,
    }
    GroupMember group_member 2 {
        GROUP_KEY "group_key" Key 0,
        MEMBER "member" Text 400,
        GROUP_ID "group_id" Text 400,
        ENTITY_ID "entity_id" Text 400,
        ENTITY_TYPE "entity_type" Text 255,
    }
    Role roles 1 {
        ROLE_KEY "role_key" Key 0,
        ROLE_ID "role_id" Text 400,
        NAME "name" Text 400,
        DESCRIPTION "description" Text 4000,
    }
    RoleMember role_member 2 {
        ROLE_KEY "role_key" Key 0,
        MEMBER "member" Text 400,
        ROLE_ID "role_id" Text 400,
        ENTITY_ID "entity_id" Text 400,
        ENTITY_TYPE "entity_type" Text 255,
    }
    Tenant tenant 1 {
        TENANT_KEY "tenant_key" Key 0,
        TENANT_ID "tenant_id" Text 400,
        NAME "name" Text 400,
        DESCRIPTION "description" Text 4000,
    }
    TenantMember tenant_member 2 {
        TENANT_KEY "tenant_key" Key 0,
        MEMBER "member" Text 400,
        TENANT_ID "tenant_id" Text 400,
        ENTITY_ID "entity_id" Text 400,
        ENTITY_TYPE "entity_type" Text 255,
    }
    MappingRule mapping_rules 1 {
        MAPPING_RULE_KEY "mapping_rule_key" Key 0,
        MAPPING_RULE_ID "mapping_rule_id" Text 400,
        CLAIM_NAME "claim_name" Text 400,
        CLAIM_VALUE "claim_value" Text 400,
        NAME "name" Text 400,
    }
    Authorization authorizations 1 {
        AUTHORIZATION_KEY "authorization_key" Key 0,
        OWNER_ID "owner_id" Text 400,
        OWNER_TYPE "owner_type" Text 255,
        RESOURCE_TYPE "resource_type" Text 255,
        RESOURCE_MATCHER "resource_matcher" Text 20,
        RESOURCE_ID "resource_id" Text 400,
        RESOURCE_PROPERTY_NAME "resource_property_name" Text 400,
    }
}
