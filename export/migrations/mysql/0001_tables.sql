-- Tables of the secondary storage; times are DATETIME(3) in UTC. Column meanings: docs/format/rdbms.md.
-- Texts compare by bytes and trailing blanks count: on MySQL the collation is utf8mb4_0900_bin, which
-- this build puts in the place of MariaDB's name for it. A key of an index has 3072 bytes at most, so
-- tenant ids are indexed by their first 256 characters. There are no partial indexes: the state leads.
-- DDL commits by itself, so every statement can run again.

CREATE TABLE IF NOT EXISTS exporter_position (
    partition_id INTEGER NOT NULL PRIMARY KEY,
    exporter VARCHAR(200),
    last_exported_position BIGINT NOT NULL,
    created DATETIME(3),
    last_updated DATETIME(3)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS exporter_error (
    partition_id INTEGER NOT NULL,
    position BIGINT NOT NULL,
    table_name VARCHAR(100) NOT NULL,
    row_key VARCHAR(1000) NOT NULL,
    reason VARCHAR(4000) NOT NULL,
    created DATETIME(3),
    PRIMARY KEY (partition_id, position, table_name, row_key(600))
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS process_definition (
    process_definition_key BIGINT NOT NULL PRIMARY KEY,
    process_definition_id VARCHAR(400),
    name VARCHAR(400),
    resource_name VARCHAR(400),
    bpmn_xml LONGTEXT,
    tenant_id VARCHAR(400),
    version INTEGER,
    version_tag VARCHAR(400),
    form_id VARCHAR(400),
    is_deleted BOOLEAN NOT NULL DEFAULT FALSE,
    INDEX idx_process_definition_1 (process_definition_id, tenant_id(256), version)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS process_instance (
    process_instance_key BIGINT NOT NULL PRIMARY KEY,
    root_process_instance_key BIGINT,
    process_definition_id VARCHAR(400),
    process_definition_key BIGINT,
    state VARCHAR(20),
    start_date DATETIME(3),
    end_date DATETIME(3),
    tenant_id VARCHAR(400),
    parent_process_instance_key BIGINT,
    parent_element_instance_key BIGINT,
    num_incidents INTEGER NOT NULL DEFAULT 0,
    version INTEGER,
    partition_id INTEGER,
    tree_path VARCHAR(8191),
    history_cleanup_date DATETIME(3),
    business_id VARCHAR(400),
    suspended_date DATETIME(3),
    INDEX idx_process_instance_1 (partition_id, history_cleanup_date),
    INDEX idx_process_instance_2 (root_process_instance_key),
    INDEX idx_process_instance_3 (parent_process_instance_key),
    INDEX idx_process_instance_4 (start_date),
    INDEX idx_process_instance_5 (state, start_date),
    INDEX idx_process_instance_6 (num_incidents, state, process_definition_key),
    INDEX idx_process_instance_7 (business_id),
    INDEX idx_process_instance_8 (process_definition_key, start_date)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

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
    start_date DATETIME(3),
    end_date DATETIME(3),
    tree_path VARCHAR(8191),
    tenant_id VARCHAR(400),
    incident_key BIGINT,
    num_subprocess_incidents INTEGER NOT NULL DEFAULT 0,
    partition_id INTEGER,
    INDEX idx_flow_node_instance_1 (process_instance_key),
    INDEX idx_flow_node_instance_2 (root_process_instance_key),
    INDEX idx_flow_node_instance_3 (process_definition_key, state, flow_node_id, process_instance_key, incident_key, num_subprocess_incidents)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS sequence_flow (
    process_instance_key BIGINT NOT NULL,
    flow_node_id VARCHAR(400) NOT NULL,
    root_process_instance_key BIGINT,
    process_definition_key BIGINT,
    process_definition_id VARCHAR(400),
    tenant_id VARCHAR(400),
    partition_id INTEGER,
    PRIMARY KEY (process_instance_key, flow_node_id),
    INDEX idx_sequence_flow_1 (root_process_instance_key)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS variable (
    var_key BIGINT NOT NULL PRIMARY KEY,
    process_instance_key BIGINT,
    root_process_instance_key BIGINT,
    process_definition_id VARCHAR(400),
    scope_key BIGINT,
    type VARCHAR(255),
    var_name VARCHAR(400),
    double_value DOUBLE,
    long_value BIGINT,
    var_value VARCHAR(8192),
    var_full_value LONGTEXT,
    tenant_id VARCHAR(400),
    is_preview BOOLEAN,
    partition_id INTEGER,
    INDEX idx_variable_1 (process_instance_key, var_name),
    INDEX idx_variable_2 (root_process_instance_key),
    INDEX idx_variable_3 (scope_key),
    INDEX idx_variable_4 (var_name)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

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
    deadline DATETIME(3),
    end_time DATETIME(3),
    custom_headers LONGTEXT,
    retries INTEGER,
    has_failed_with_retries_left BOOLEAN,
    is_denied BOOLEAN,
    denied_reason VARCHAR(400),
    partition_id INTEGER,
    creation_time DATETIME(3),
    last_update_time DATETIME(3),
    priority INTEGER,
    INDEX idx_job_1 (process_instance_key),
    INDEX idx_job_2 (root_process_instance_key),
    INDEX idx_job_3 (element_instance_key),
    INDEX idx_job_4 (type, state, last_update_time),
    INDEX idx_job_5 (state)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

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
    creation_date DATETIME(3),
    tree_path VARCHAR(8191),
    tenant_id VARCHAR(400),
    job_key BIGINT,
    partition_id INTEGER,
    INDEX idx_incident_1 (process_instance_key),
    INDEX idx_incident_2 (root_process_instance_key),
    INDEX idx_incident_3 (state, error_message_hash, process_definition_key, process_instance_key)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS user_task (
    user_task_key BIGINT NOT NULL PRIMARY KEY,
    element_id VARCHAR(400),
    name VARCHAR(400),
    process_definition_id VARCHAR(400),
    creation_date DATETIME(3),
    completion_date DATETIME(3),
    assignee VARCHAR(400),
    state VARCHAR(20),
    form_key BIGINT,
    process_definition_key BIGINT,
    process_instance_key BIGINT,
    root_process_instance_key BIGINT,
    element_instance_key BIGINT,
    tenant_id VARCHAR(400),
    due_date DATETIME(3),
    follow_up_date DATETIME(3),
    external_form_reference VARCHAR(400),
    process_definition_version INTEGER,
    custom_headers LONGTEXT,
    priority INTEGER,
    partition_id INTEGER,
    INDEX idx_user_task_1 (process_instance_key),
    INDEX idx_user_task_2 (root_process_instance_key),
    INDEX idx_user_task_3 (element_instance_key),
    INDEX idx_user_task_4 (assignee)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

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
    date_time DATETIME(3),
    message_name VARCHAR(400),
    correlation_key VARCHAR(400),
    tenant_id VARCHAR(400),
    partition_id INTEGER,
    INDEX idx_message_subscription_1 (process_instance_key),
    INDEX idx_message_subscription_2 (root_process_instance_key),
    INDEX idx_message_subscription_3 (flow_node_instance_key),
    INDEX idx_message_subscription_4 (message_subscription_state, process_definition_key, process_instance_key, flow_node_instance_key)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS correlated_message_subscription (
    message_key BIGINT NOT NULL,
    subscription_key BIGINT NOT NULL,
    correlation_key VARCHAR(400),
    correlation_time DATETIME(3),
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
    PRIMARY KEY (message_key, subscription_key),
    INDEX idx_correlated_message_subscription_1 (process_instance_key),
    INDEX idx_correlated_message_subscription_2 (root_process_instance_key),
    INDEX idx_correlated_message_subscription_3 (flow_node_instance_key)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS process_instance_tag (
    process_instance_key BIGINT NOT NULL,
    tag_value VARCHAR(400) NOT NULL,
    PRIMARY KEY (process_instance_key, tag_value),
    INDEX idx_process_instance_tag_1 (tag_value)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS user_task_tag (
    user_task_key BIGINT NOT NULL,
    tag_value VARCHAR(400) NOT NULL,
    PRIMARY KEY (user_task_key, tag_value),
    INDEX idx_user_task_tag_1 (tag_value)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS candidate_user (
    user_task_key BIGINT NOT NULL,
    candidate_user VARCHAR(400) NOT NULL,
    PRIMARY KEY (user_task_key, candidate_user),
    INDEX idx_candidate_user_1 (candidate_user)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS candidate_group (
    user_task_key BIGINT NOT NULL,
    candidate_group VARCHAR(400) NOT NULL,
    PRIMARY KEY (user_task_key, candidate_group),
    INDEX idx_candidate_group_1 (candidate_group)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
