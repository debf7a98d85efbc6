-- Decisions: graphs, their decisions, and evaluations with inputs and matched rules as JSON texts.
-- Every statement can run again, so that two brokers may start at once.

CREATE TABLE IF NOT EXISTS decision_requirements (
    decision_requirements_key INTEGER NOT NULL PRIMARY KEY,
    decision_requirements_id TEXT,
    name TEXT,
    tenant_id TEXT,
    version INTEGER,
    resource_name TEXT,
    xml TEXT
);
CREATE INDEX IF NOT EXISTS idx_decision_requirements_1 ON decision_requirements (decision_requirements_id, tenant_id, version);

CREATE TABLE IF NOT EXISTS decision_definition (
    decision_definition_key INTEGER NOT NULL PRIMARY KEY,
    decision_definition_id TEXT,
    name TEXT,
    tenant_id TEXT,
    version INTEGER,
    decision_requirements_key INTEGER,
    decision_requirements_id TEXT
);
CREATE INDEX IF NOT EXISTS idx_decision_definition_1 ON decision_definition (decision_definition_id, tenant_id, version);
CREATE INDEX IF NOT EXISTS idx_decision_definition_2 ON decision_definition (decision_requirements_key);

CREATE TABLE IF NOT EXISTS decision_instance (
    decision_instance_key INTEGER NOT NULL,
    decision_instance_id TEXT NOT NULL,
    process_instance_key INTEGER,
    root_process_instance_key INTEGER,
    process_definition_id TEXT,
    process_definition_key INTEGER,
    decision_definition_id TEXT,
    decision_definition_key INTEGER,
    decision_definition_name TEXT,
    decision_definition_version INTEGER,
    decision_requirements_id TEXT,
    decision_requirements_key INTEGER,
    flow_node_id TEXT,
    flow_node_instance_key INTEGER,
    root_decision_definition_key INTEGER,
    evaluation_date INTEGER,
    type TEXT,
    state TEXT,
    result TEXT,
    evaluated_inputs TEXT,
    matched_rules TEXT,
    evaluation_failure_message TEXT,
    tenant_id TEXT,
    partition_id INTEGER,
    history_cleanup_date INTEGER,
    PRIMARY KEY (decision_instance_key, decision_instance_id)
);
CREATE INDEX IF NOT EXISTS idx_decision_instance_1 ON decision_instance (process_instance_key);
CREATE INDEX IF NOT EXISTS idx_decision_instance_2 ON decision_instance (root_process_instance_key);
CREATE INDEX IF NOT EXISTS idx_decision_instance_3 ON decision_instance (decision_definition_key);
CREATE INDEX IF NOT EXISTS idx_decision_instance_4 ON decision_instance (flow_node_instance_key);
CREATE INDEX IF NOT EXISTS idx_decision_instance_5 ON decision_instance (decision_instance_id);
CREATE INDEX IF NOT EXISTS idx_decision_instance_6 ON decision_instance (partition_id, history_cleanup_date);
