-- Operations of users, done or refused.
-- Every statement can run again.

CREATE TABLE IF NOT EXISTS audit_log (
    audit_log_key BIGINT NOT NULL PRIMARY KEY,
    entity_key VARCHAR(400),
    entity_type VARCHAR(50),
    operation_type VARCHAR(50),
    entity_version INTEGER,
    entity_value_type INTEGER,
    entity_operation_intent INTEGER,
    batch_operation_key BIGINT,
    batch_operation_type VARCHAR(50),
    timestamp TIMESTAMPTZ(3),
    actor_type VARCHAR(50),
    actor_id VARCHAR(400),
    tenant_id VARCHAR(400),
    tenant_scope VARCHAR(50),
    result VARCHAR(50),
    category VARCHAR(50),
    process_definition_id VARCHAR(400),
    decision_requirements_id VARCHAR(400),
    decision_definition_id VARCHAR(400),
    process_definition_key BIGINT,
    process_instance_key BIGINT,
    root_process_instance_key BIGINT,
    element_instance_key BIGINT,
    job_key BIGINT,
    user_task_key BIGINT,
    decision_requirements_key BIGINT,
    decision_definition_key BIGINT,
    decision_evaluation_key BIGINT,
    deployment_key BIGINT,
    form_key BIGINT,
    resource_key BIGINT,
    related_entity_type VARCHAR(50),
    related_entity_key VARCHAR(400),
    entity_description VARCHAR(400),
    partition_id INTEGER,
    history_cleanup_date TIMESTAMPTZ(3)
);
CREATE INDEX IF NOT EXISTS idx_audit_log_1 ON audit_log (partition_id, history_cleanup_date) WHERE history_cleanup_date IS NOT NULL;
CREATE INDEX IF NOT EXISTS idx_audit_log_2 ON audit_log (process_instance_key);
CREATE INDEX IF NOT EXISTS idx_audit_log_3 ON audit_log (root_process_instance_key);
CREATE INDEX IF NOT EXISTS idx_audit_log_4 ON audit_log (category, process_definition_id);
CREATE INDEX IF NOT EXISTS idx_audit_log_5 ON audit_log (timestamp);
CREATE INDEX IF NOT EXISTS idx_audit_log_6 ON audit_log (user_task_key) WHERE user_task_key IS NOT NULL;
