-- Decisions: graphs, their decisions, and evaluations with inputs and matched rules as JSON texts.
-- Every statement can run again.

CREATE TABLE IF NOT EXISTS decision_requirements (
    decision_requirements_key BIGINT NOT NULL PRIMARY KEY,
    decision_requirements_id VARCHAR(400),
    name VARCHAR(400),
    tenant_id VARCHAR(400),
    version INTEGER,
    resource_name VARCHAR(400),
    xml LONGTEXT,
    INDEX idx_decision_requirements_1 (decision_requirements_id, tenant_id(256), version)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS decision_definition (
    decision_definition_key BIGINT NOT NULL PRIMARY KEY,
    decision_definition_id VARCHAR(400),
    name VARCHAR(400),
    tenant_id VARCHAR(400),
    version INTEGER,
    decision_requirements_key BIGINT,
    decision_requirements_id VARCHAR(400),
    INDEX idx_decision_definition_1 (decision_definition_id, tenant_id(256), version),
    INDEX idx_decision_definition_2 (decision_requirements_key)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS decision_instance (
    decision_instance_key BIGINT NOT NULL,
    decision_instance_id VARCHAR(400) NOT NULL,
    process_instance_key BIGINT,
    root_process_instance_key BIGINT,
    process_definition_id VARCHAR(400),
    process_definition_key BIGINT,
    decision_definition_id VARCHAR(400),
    decision_definition_key BIGINT,
    decision_definition_name VARCHAR(400),
    decision_definition_version INTEGER,
    decision_requirements_id VARCHAR(400),
    decision_requirements_key BIGINT,
    flow_node_id VARCHAR(400),
    flow_node_instance_key BIGINT,
    root_decision_definition_key BIGINT,
    evaluation_date DATETIME(3),
    type VARCHAR(255),
    state VARCHAR(20),
    result LONGTEXT,
    evaluated_inputs LONGTEXT,
    matched_rules LONGTEXT,
    evaluation_failure_message VARCHAR(4000),
    tenant_id VARCHAR(400),
    partition_id INTEGER,
    history_cleanup_date DATETIME(3),
    PRIMARY KEY (decision_instance_key, decision_instance_id),
    INDEX idx_decision_instance_1 (process_instance_key),
    INDEX idx_decision_instance_2 (root_process_instance_key),
    INDEX idx_decision_instance_3 (decision_definition_key),
    INDEX idx_decision_instance_4 (flow_node_instance_key),
    INDEX idx_decision_instance_5 (decision_instance_id),
    INDEX idx_decision_instance_6 (partition_id, history_cleanup_date)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
