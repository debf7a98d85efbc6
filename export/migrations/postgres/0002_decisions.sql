-- Decisions: graphs, their decisions, and evaluations with inputs and matched rules as JSON texts.
-- Every statement can run again, so that two brokers may start at once.

CREATE TABLE IF NOT EXISTS decision_requirements (
    decision_requirements_key BIGINT NOT NULL PRIMARY KEY,
    decision_requirements_id VARCHAR(400),
    name VARCHAR(400),
    tenant_id VARCHAR(400),
    version INTEGER,
    resource_name VARCHAR(400),
    xml TEXT
);
CREATE INDEX IF NOT EXISTS idx_decision_requirements_1 ON decision_requirements (decision_requirements_id, tenant_id, version);

CREATE TABLE IF NOT EXISTS decision_definition (
    decision_definition_key BIGINT NOT NULL PRIMARY KEY,
    decision_definition_id VARCHAR(400),
    name VARCHAR(400),
    tenant_id VARCHAR(400),
    version INTEGER,
    decision_requirements_key BIGINT,
    decision_requirements_id VARCHAR(400)
);
CREATE INDEX IF NOT EXISTS idx_decision_definition_1 ON decision_definition (decision_definition_id, tenant_id, version);
CREATE INDEX IF NOT EXISTS idx_decision_definition_2 ON decision_definition (decision_requirements_key);

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
    evaluation_date TIMESTAMPTZ(3),
    type VARCHAR(255),
    state VARCHAR(20),
    result TEXT,
    evaluated_inputs TEXT,
    matched_rules TEXT,
    evaluation_failure_message VARCHAR(4000),
    tenant_id VARCHAR(400),
    partition_id INTEGER,
    history_cleanup_date TIMESTAMPTZ(3),
    PRIMARY KEY (decision_instance_key, decision_instance_id)
);
CREATE INDEX IF NOT EXISTS idx_decision_instance_1 ON decision_instance (process_instance_key);
CREATE INDEX IF NOT EXISTS idx_decision_instance_2 ON decision_instance (root_process_instance_key);
CREATE INDEX IF NOT EXISTS idx_decision_instance_3 ON decision_instance (decision_definition_key);
CREATE INDEX IF NOT EXISTS idx_decision_instance_4 ON decision_instance (flow_node_instance_key);
CREATE INDEX IF NOT EXISTS idx_decision_instance_5 ON decision_instance (decision_instance_id);
CREATE INDEX IF NOT EXISTS idx_decision_instance_6 ON decision_instance (partition_id, history_cleanup_date);
