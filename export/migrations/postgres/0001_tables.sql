-- Tables of the secondary storage; times are TIMESTAMPTZ(3). Column meanings: docs/format/rdbms.md.
-- Every statement can run again, so that two brokers may start at once.

CREATE TABLE IF NOT EXISTS exporter_position (
    partition_id INTEGER NOT NULL PRIMARY KEY,
    exporter VARCHAR(200),
    last_exported_position BIGINT NOT NULL,
    created TIMESTAMPTZ(3),
    last_updated TIMESTAMPTZ(3)
);

CREATE TABLE IF NOT EXISTS exporter_error (
    partition_id INTEGER NOT NULL,
    position BIGINT NOT NULL,
    table_name VARCHAR(100) NOT NULL,
    row_key VARCHAR(1000) NOT NULL,
    reason VARCHAR(4000) NOT NULL,
    created TIMESTAMPTZ(3),
    PRIMARY KEY (partition_id, position, table_name, row_key)
);

CREATE TABLE IF NOT EXISTS process_definition (
    process_definition_key BIGINT NOT NULL PRIMARY KEY,
    process_definition_id VARCHAR(400),
    name VARCHAR(400),
    resource_name VARCHAR(400),
    bpmn_xml TEXT,
    tenant_id VARCHAR(400),
    version INTEGER,
    version_tag VARCHAR(400),
    form_id VARCHAR(400),
    is_deleted BOOLEAN NOT NULL DEFAULT FALSE
);
CREATE INDEX IF NOT EXISTS idx_process_definition_1 ON process_definition (process_definition_id, tenant_id, version);

CREATE TABLE IF NOT EXISTS process_instance (
    process_instance_key BIGINT NOT NULL PRIMARY KEY,
    root_process_instance_key BIGINT,
    process_definition_id VARCHAR(400),
    process_definition_key BIGINT,
    state VARCHAR(20),
    start_date TIMESTAMPTZ(3),
    end_date TIMESTAMPTZ(3),
    tenant_id VARCHAR(400),
    parent_process_instance_key BIGINT,
    parent_element_instance_key BIGINT,
    num_incidents INTEGER NOT NULL DEFAULT 0,
    version INTEGER,
    partition_id INTEGER,
    tree_path VARCHAR(8191),
    history_cleanup_date TIMESTAMPTZ(3),
    business_id VARCHAR(400),
    suspended_date TIMESTAMPTZ(3)
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
    flow_node_instance_key BIGINT NOT NULL PRIMARY KEY,
    flow_node_id VARCHAR(400),
    flow_node_name VARCHAR(400),
    flow_node_scope_key BIGINT,
    process_instance_key BIGINT,
    root_process_instance_key BIGINT,
    process_definition_id VARCHAR(400),
    process_definition_key BIGINT,
    type VARCHAR(100),
    state VARCHAR(20),
    start_date TIMESTAMPTZ(3),
    end_date TIMESTAMPTZ(3),
    tree_path VARCHAR(8191),
    tenant_id VARCHAR(400),
    incident_key BIGINT,
    num_subprocess_incidents INTEGER NOT NULL DEFAULT 0,
    partition_id INTEGER
);
CREATE INDEX IF NOT EXISTS idx_flow_node_instance_1 ON flow_node_instance (process_instance_key);
CREATE INDEX IF NOT EXISTS idx_flow_node_instance_2 ON flow_node_instance (root_process_instance_key);
CREATE INDEX IF NOT EXISTS idx_flow_node_instance_3 ON flow_node_instance (process_definition_key, flow_node_id) WHERE state = 'ACTIVE';

CREATE TABLE IF NOT EXISTS sequence_flow (
    process_instance_key BIGINT NOT NULL,
    flow_node_id VARCHAR(400) NOT NULL,
    root_process_instance_key BIGINT,
    process_definition_key BIGINT,
    process_definition_id VARCHAR(400),
    tenant_id VARCHAR(400),
    partition_id INTEGER,
    PRIMARY KEY (process_instance_key, flow_node_id)
);
CREATE INDEX IF NOT EXISTS idx_sequence_flow_1 ON sequence_flow (root_process_instance_key);

CREATE TABLE IF NOT EXISTS variable (
    var_key BIGINT NOT NULL PRIMARY KEY,
    process_instance_key BIGINT,
    root_process_instance_key BIGINT,
    process_definition_id VARCHAR(400),
    scope_key BIGINT,
    type VARCHAR(255),
    var_name VARCHAR(400),
    double_value DOUBLE PRECISION,
    long_value BIGINT,
    var_value VARCHAR(8192),
    var_full_value TEXT,
    tenant_id VARCHAR(400),
    is_preview BOOLEAN,
    partition_id INTEGER
);
CREATE INDEX IF NOT EXISTS idx_variable_1 ON variable (process_instance_key, var_name);
CREATE INDEX IF NOT EXISTS idx_variable_2 ON variable (root_process_instance_key);
CREATE INDEX IF NOT EXISTS idx_variable_3 ON variable (scope_key);
CREATE INDEX IF NOT EXISTS idx_variable_4 ON variable (var_name);

CREATE TABLE IF NOT EXISTS job (
    job_key BIGINT NOT NULL PRIMARY KEY,
    process_definition_id VARCHAR(400),
    process_definition_key BIGINT,
    process_instance_key BIGINT,
    root_process_instance_key BIGINT,
    element_id VARCHAR(400),
    element_instance_key BIGINT,
    tenant_id VARCHAR(400),
    type VARCHAR(255),
    worker VARCHAR(400),
    state VARCHAR(20),
    kind VARCHAR(50),
    listener_event_type VARCHAR(50),
    error_message VARCHAR(4000),
    error_code VARCHAR(255),
    deadline TIMESTAMPTZ(3),
    end_time TIMESTAMPTZ(3),
    custom_headers TEXT,
    retries INTEGER,
    has_failed_with_retries_left BOOLEAN,
    is_denied BOOLEAN,
    denied_reason VARCHAR(400),
    partition_id INTEGER,
    creation_time TIMESTAMPTZ(3),
    last_update_time TIMESTAMPTZ(3),
    priority INTEGER
);
CREATE INDEX IF NOT EXISTS idx_job_1 ON job (process_instance_key);
CREATE INDEX IF NOT EXISTS idx_job_2 ON job (root_process_instance_key);
CREATE INDEX IF NOT EXISTS idx_job_3 ON job (element_instance_key);

CREATE TABLE IF NOT EXISTS incident (
    incident_key BIGINT NOT NULL PRIMARY KEY,
    flow_node_instance_key BIGINT,
    flow_node_id VARCHAR(400),
    process_instance_key BIGINT,
    root_process_instance_key BIGINT,
    process_definition_id VARCHAR(400),
    process_definition_key BIGINT,
    error_message VARCHAR(4000),
    error_message_hash INTEGER,
    error_type VARCHAR(100),
    state VARCHAR(20),
    creation_date TIMESTAMPTZ(3),
    tree_path VARCHAR(8191),
    tenant_id VARCHAR(400),
    job_key BIGINT,
    partition_id INTEGER
);
CREATE INDEX IF NOT EXISTS idx_incident_1 ON incident (process_instance_key);
CREATE INDEX IF NOT EXISTS idx_incident_2 ON incident (root_process_instance_key);
CREATE INDEX IF NOT EXISTS idx_incident_3 ON incident (incident_key) WHERE state = 'ACTIVE';

CREATE TABLE IF NOT EXISTS user_task (
    user_task_key BIGINT NOT NULL PRIMARY KEY,
    element_id VARCHAR(400),
    name VARCHAR(400),
    process_definition_id VARCHAR(400),
    creation_date TIMESTAMPTZ(3),
    completion_date TIMESTAMPTZ(3),
    assignee VARCHAR(400),
    state VARCHAR(20),
    form_key BIGINT,
    process_definition_key BIGINT,
    process_instance_key BIGINT,
    root_process_instance_key BIGINT,
    element_instance_key BIGINT,
    tenant_id VARCHAR(400),
    due_date TIMESTAMPTZ(3),
    follow_up_date TIMESTAMPTZ(3),
    external_form_reference VARCHAR(400),
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
    message_subscription_key BIGINT NOT NULL PRIMARY KEY,
    process_definition_id VARCHAR(400),
    process_definition_key BIGINT,
    process_instance_key BIGINT,
    root_process_instance_key BIGINT,
    flow_node_id VARCHAR(400),
    flow_node_instance_key BIGINT,
    message_subscription_state VARCHAR(20),
    message_subscription_type VARCHAR(50),
    date_time TIMESTAMPTZ(3),
    message_name VARCHAR(400),
    correlation_key VARCHAR(400),
    tenant_id VARCHAR(400),
    partition_id INTEGER
);
CREATE INDEX IF NOT EXISTS idx_message_subscription_1 ON message_subscription (process_instance_key);
CREATE INDEX IF NOT EXISTS idx_message_subscription_2 ON message_subscription (root_process_instance_key);
CREATE INDEX IF NOT EXISTS idx_message_subscription_3 ON message_subscription (flow_node_instance_key);

CREATE TABLE IF NOT EXISTS correlated_message_subscription (
    message_key BIGINT NOT NULL,
    subscription_key BIGINT NOT NULL,
    correlation_key VARCHAR(400),
    correlation_time TIMESTAMPTZ(3),
    flow_node_id VARCHAR(400),
    flow_node_instance_key BIGINT,
    message_name VARCHAR(400),
    partition_id INTEGER,
    process_definition_id VARCHAR(400),
    process_definition_key BIGINT,
    process_instance_key BIGINT,
    root_process_instance_key BIGINT,
    subscription_type VARCHAR(255),
    tenant_id VARCHAR(400),
    PRIMARY KEY (message_key, subscription_key)
);
CREATE INDEX IF NOT EXISTS idx_correlated_message_subscription_1 ON correlated_message_subscription (process_instance_key);
CREATE INDEX IF NOT EXISTS idx_correlated_message_subscription_2 ON correlated_message_subscription (root_process_instance_key);
CREATE INDEX IF NOT EXISTS idx_correlated_message_subscription_3 ON correlated_message_subscription (flow_node_instance_key);

CREATE TABLE IF NOT EXISTS process_instance_tag (
    process_instance_key BIGINT NOT NULL,
    tag_value VARCHAR(400) NOT NULL,
    PRIMARY KEY (process_instance_key, tag_value)
);
CREATE INDEX IF NOT EXISTS idx_process_instance_tag_1 ON process_instance_tag (tag_value);

CREATE TABLE IF NOT EXISTS user_task_tag (
    user_task_key BIGINT NOT NULL,
    tag_value VARCHAR(400) NOT NULL,
    PRIMARY KEY (user_task_key, tag_value)
);
CREATE INDEX IF NOT EXISTS idx_user_task_tag_1 ON user_task_tag (tag_value);

CREATE TABLE IF NOT EXISTS candidate_user (
    user_task_key BIGINT NOT NULL,
    candidate_user VARCHAR(400) NOT NULL,
    PRIMARY KEY (user_task_key, candidate_user)
);
CREATE INDEX IF NOT EXISTS idx_candidate_user_1 ON candidate_user (candidate_user);

CREATE TABLE IF NOT EXISTS candidate_group (
    user_task_key BIGINT NOT NULL,
    candidate_group VARCHAR(400) NOT NULL,
    PRIMARY KEY (user_task_key, candidate_group)
);
CREATE INDEX IF NOT EXISTS idx_candidate_group_1 ON candidate_group (candidate_group);
