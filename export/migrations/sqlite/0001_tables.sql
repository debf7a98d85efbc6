-- Tables of the secondary storage; times are milliseconds since the epoch, flags 0 and 1. Column meanings: docs/format/rdbms.md.
-- Every statement can run again, so that two brokers may start at once.

CREATE TABLE IF NOT EXISTS exporter_position (
    partition_id INTEGER NOT NULL PRIMARY KEY,
    exporter TEXT,
    last_exported_position INTEGER NOT NULL,
    created INTEGER,
    last_updated INTEGER
);

CREATE TABLE IF NOT EXISTS exporter_error (
    partition_id INTEGER NOT NULL,
    position INTEGER NOT NULL,
    table_name TEXT NOT NULL,
    row_key TEXT NOT NULL,
    reason TEXT NOT NULL,
    created INTEGER,
    PRIMARY KEY (partition_id, position, table_name, row_key)
);

CREATE TABLE IF NOT EXISTS process_definition (
    process_definition_key INTEGER NOT NULL PRIMARY KEY,
    process_definition_id TEXT,
    name TEXT,
    resource_name TEXT,
    bpmn_xml TEXT,
    tenant_id TEXT,
    version INTEGER,
    version_tag TEXT,
    form_id TEXT,
    is_deleted INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS idx_process_definition_1 ON process_definition (process_definition_id, tenant_id, version);

CREATE TABLE IF NOT EXISTS process_instance (
    process_instance_key INTEGER NOT NULL PRIMARY KEY,
    root_process_instance_key INTEGER,
    process_definition_id TEXT,
    process_definition_key INTEGER,
    state TEXT,
    start_date INTEGER,
    end_date INTEGER,
    tenant_id TEXT,
    parent_process_instance_key INTEGER,
    parent_element_instance_key INTEGER,
    num_incidents INTEGER NOT NULL DEFAULT 0,
    version INTEGER,
    partition_id INTEGER,
    tree_path TEXT,
    history_cleanup_date INTEGER,
    business_id TEXT,
    suspended_date INTEGER
);
CREATE INDEX IF NOT EXISTS idx_process_instance_1 ON process_instance (partition_id, history_cleanup_date) WHERE history_cleanup_date IS NOT NULL;
CREATE INDEX IF NOT EXISTS idx_process_instance_2 ON process_instance (process_definition_key);
CREATE INDEX IF NOT EXISTS idx_process_instance_3 ON process_instance (root_process_instance_key);
CREATE INDEX IF NOT EXISTS idx_process_instance_4 ON process_instance (parent_process_instance_key) WHERE parent_process_instance_key IS NOT NULL;
CREATE INDEX IF NOT EXISTS idx_process_instance_5 ON process_instance (start_date);
CREATE INDEX IF NOT EXISTS idx_process_instance_6 ON process_instance (process_instance_key) WHERE state = 'ACTIVE';
CREATE INDEX IF NOT EXISTS idx_process_instance_7 ON process_instance (process_instance_key) WHERE num_incidents > 0;
CREATE INDEX IF NOT EXISTS idx_process_instance_8 ON process_instance (business_id) WHERE business_id IS NOT NULL;

CREATE TABLE IF NOT EXISTS flow_node_instance (
    flow_node_instance_key INTEGER NOT NULL PRIMARY KEY,
    flow_node_id TEXT,
    flow_node_name TEXT,
    flow_node_scope_key INTEGER,
    process_instance_key INTEGER,
    root_process_instance_key INTEGER,
    process_definition_id TEXT,
    process_definition_key INTEGER,
    type TEXT,
    state TEXT,
    start_date INTEGER,
    end_date INTEGER,
    tree_path TEXT,
    tenant_id TEXT,
    incident_key INTEGER,
    num_subprocess_incidents INTEGER NOT NULL DEFAULT 0,
    partition_id INTEGER
);
CREATE INDEX IF NOT EXISTS idx_flow_node_instance_1 ON flow_node_instance (process_instance_key);
CREATE INDEX IF NOT EXISTS idx_flow_node_instance_2 ON flow_node_instance (root_process_instance_key);
CREATE INDEX IF NOT EXISTS idx_flow_node_instance_3 ON flow_node_instance (process_definition_key, flow_node_id) WHERE state = 'ACTIVE';

CREATE TABLE IF NOT EXISTS sequence_flow (
    process_instance_key INTEGER NOT NULL,
    flow_node_id TEXT NOT NULL,
    root_process_instance_key INTEGER,
    process_definition_key INTEGER,
    process_definition_id TEXT,
    tenant_id TEXT,
    partition_id INTEGER,
    PRIMARY KEY (process_instance_key, flow_node_id)
);
CREATE INDEX IF NOT EXISTS idx_sequence_flow_1 ON sequence_flow (root_process_instance_key);

CREATE TABLE IF NOT EXISTS variable (
    var_key INTEGER NOT NULL PRIMARY KEY,
    process_instance_key INTEGER,
    root_process_instance_key INTEGER,
    process_definition_id TEXT,
    scope_key INTEGER,
    type TEXT,
    var_name TEXT,
    double_value REAL,
    long_value INTEGER,
    var_value TEXT,
    var_full_value TEXT,
    tenant_id TEXT,
    is_preview INTEGER,
    partition_id INTEGER
);
CREATE INDEX IF NOT EXISTS idx_variable_1 ON variable (process_instance_key, var_name);
CREATE INDEX IF NOT EXISTS idx_variable_2 ON variable (root_process_instance_key);
CREATE INDEX IF NOT EXISTS idx_variable_3 ON variable (scope_key);
CREATE INDEX IF NOT EXISTS idx_variable_4 ON variable (var_name);

CREATE TABLE IF NOT EXISTS job (
    job_key INTEGER NOT NULL PRIMARY KEY,
    process_definition_id TEXT,
    process_definition_key INTEGER,
    process_instance_key INTEGER,
    root_process_instance_key INTEGER,
    element_id TEXT,
    element_instance_key INTEGER,
    tenant_id TEXT,
    type TEXT,
    worker TEXT,
    state TEXT,
    kind TEXT,
    listener_event_type TEXT,
    error_message TEXT,
    error_code TEXT,
    deadline INTEGER,
    end_time INTEGER,
    custom_headers TEXT,
    retries INTEGER,
    has_failed_with_retries_left INTEGER,
    is_denied INTEGER,
    denied_reason TEXT,
    partition_id INTEGER,
    creation_time INTEGER,
    last_update_time INTEGER,
    priority INTEGER
);
CREATE INDEX IF NOT EXISTS idx_job_1 ON job (process_instance_key);
CREATE INDEX IF NOT EXISTS idx_job_2 ON job (root_process_instance_key);
CREATE INDEX IF NOT EXISTS idx_job_3 ON job (element_instance_key);

CREATE TABLE IF NOT EXISTS incident (
    incident_key INTEGER NOT NULL PRIMARY KEY,
    flow_node_instance_key INTEGER,
    flow_node_id TEXT,
    process_instance_key INTEGER,
    root_process_instance_key INTEGER,
    process_definition_id TEXT,
    process_definition_key INTEGER,
    error_message TEXT,
    error_message_hash INTEGER,
    error_type TEXT,
    state TEXT,
    creation_date INTEGER,
    tree_path TEXT,
    tenant_id TEXT,
    job_key INTEGER,
    partition_id INTEGER
);
CREATE INDEX IF NOT EXISTS idx_incident_1 ON incident (process_instance_key);
CREATE INDEX IF NOT EXISTS idx_incident_2 ON incident (root_process_instance_key);
CREATE INDEX IF NOT EXISTS idx_incident_3 ON incident (incident_key) WHERE state = 'ACTIVE';

CREATE TABLE IF NOT EXISTS user_task (
    user_task_key INTEGER NOT NULL PRIMARY KEY,
    element_id TEXT,
    name TEXT,
    process_definition_id TEXT,
    creation_date INTEGER,
    completion_date INTEGER,
    assignee TEXT,
    state TEXT,
    form_key INTEGER,
    process_definition_key INTEGER,
    process_instance_key INTEGER,
    root_process_instance_key INTEGER,
    element_instance_key INTEGER,
    tenant_id TEXT,
    due_date INTEGER,
    follow_up_date INTEGER,
    external_form_reference TEXT,
    process_definition_version INTEGER,
    custom_headers TEXT,
    priority INTEGER,
    partition_id INTEGER
);
CREATE INDEX IF NOT EXISTS idx_user_task_1 ON user_task (process_instance_key);
CREATE INDEX IF NOT EXISTS idx_user_task_2 ON user_task (root_process_instance_key);
CREATE INDEX IF NOT EXISTS idx_user_task_3 ON user_task (element_instance_key);
CREATE INDEX IF NOT EXISTS idx_user_task_4 ON user_task (assignee);

CREATE TABLE IF NOT EXISTS message_subscription (
    message_subscription_key INTEGER NOT NULL PRIMARY KEY,
    process_definition_id TEXT,
    process_definition_key INTEGER,
    process_instance_key INTEGER,
    root_process_instance_key INTEGER,
    flow_node_id TEXT,
    flow_node_instance_key INTEGER,
    message_subscription_state TEXT,
    message_subscription_type TEXT,
    date_time INTEGER,
    message_name TEXT,
    correlation_key TEXT,
    tenant_id TEXT,
    partition_id INTEGER
);
CREATE INDEX IF NOT EXISTS idx_message_subscription_1 ON message_subscription (process_instance_key);
CREATE INDEX IF NOT EXISTS idx_message_subscription_2 ON message_subscription (root_process_instance_key);
CREATE INDEX IF NOT EXISTS idx_message_subscription_3 ON message_subscription (flow_node_instance_key);

CREATE TABLE IF NOT EXISTS correlated_message_subscription (
    message_key INTEGER NOT NULL,
    subscription_key INTEGER NOT NULL,
    correlation_key TEXT,
    correlation_time INTEGER,
    flow_node_id TEXT,
    flow_node_instance_key INTEGER,
    message_name TEXT,
    partition_id INTEGER,
    process_definition_id TEXT,
    process_definition_key INTEGER,
    process_instance_key INTEGER,
    root_process_instance_key INTEGER,
    subscription_type TEXT,
    tenant_id TEXT,
    PRIMARY KEY (message_key, subscription_key)
);
CREATE INDEX IF NOT EXISTS idx_correlated_message_subscription_1 ON correlated_message_subscription (process_instance_key);
CREATE INDEX IF NOT EXISTS idx_correlated_message_subscription_2 ON correlated_message_subscription (root_process_instance_key);
CREATE INDEX IF NOT EXISTS idx_correlated_message_subscription_3 ON correlated_message_subscription (flow_node_instance_key);

CREATE TABLE IF NOT EXISTS process_instance_tag (
    process_instance_key INTEGER NOT NULL,
    tag_value TEXT NOT NULL,
    PRIMARY KEY (process_instance_key, tag_value)
);
CREATE INDEX IF NOT EXISTS idx_process_instance_tag_1 ON process_instance_tag (tag_value);

CREATE TABLE IF NOT EXISTS user_task_tag (
    user_task_key INTEGER NOT NULL,
    tag_value TEXT NOT NULL,
    PRIMARY KEY (user_task_key, tag_value)
);
CREATE INDEX IF NOT EXISTS idx_user_task_tag_1 ON user_task_tag (tag_value);

CREATE TABLE IF NOT EXISTS candidate_user (
    user_task_key INTEGER NOT NULL,
    candidate_user TEXT NOT NULL,
    PRIMARY KEY (user_task_key, candidate_user)
);
CREATE INDEX IF NOT EXISTS idx_candidate_user_1 ON candidate_user (candidate_user);

CREATE TABLE IF NOT EXISTS candidate_group (
    user_task_key INTEGER NOT NULL,
    candidate_group TEXT NOT NULL,
    PRIMARY KEY (user_task_key, candidate_group)
);
CREATE INDEX IF NOT EXISTS idx_candidate_group_1 ON candidate_group (candidate_group);
