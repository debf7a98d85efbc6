-- Operations of users, done or refused.
-- Every statement can run again.

CREATE TABLE IF NOT EXISTS audit_log (
    audit_log_key INTEGER NOT NULL PRIMARY KEY,
    entity_key TEXT,
    entity_type TEXT,
    operation_type TEXT,
    entity_version INTEGER,
    entity_value_type INTEGER,
    entity_operation_intent INTEGER,
    batch_operation_key INTEGER,
    batch_operation_type TEXT,
    timestamp INTEGER,
    actor_type TEXT,
    actor_id TEXT,
    tenant_id TEXT,
    tenant_scope TEXT,
    result TEXT,
    category TEXT,
    process_definition_id TEXT,
    decision_requirements_id TEXT,
    decision_definition_id TEXT,
    process_definition_key INTEGER,
    process_instance_key INTEGER,
    root_process_instance_key INTEGER,
    element_instance_key INTEGER,
    job_key INTEGER,
    user_task_key INTEGER,
    decision_requirements_key INTEGER,
    decision_definition_key INTEGER,
    decision_evaluation_key INTEGER,
    deployment_key INTEGER,
    form_key INTEGER,
    resource_key INTEGER,
    related_entity_type TEXT,
    related_entity_key TEXT,
    entity_description TEXT,
    partition_id INTEGER,
    history_cleanup_date INTEGER
);
CREATE INDEX IF NOT EXISTS idx_audit_log_1 ON audit_log (partition_id, history_cleanup_date) WHERE history_cleanup_date IS NOT NULL;
CREATE INDEX IF NOT EXISTS idx_audit_log_2 ON audit_log (process_instance_key);
CREATE INDEX IF NOT EXISTS idx_audit_log_3 ON audit_log (root_process_instance_key);
CREATE INDEX IF NOT EXISTS idx_audit_log_4 ON audit_log (category, process_definition_id);
CREATE INDEX IF NOT EXISTS idx_audit_log_5 ON audit_log (timestamp);
CREATE INDEX IF NOT EXISTS idx_audit_log_6 ON audit_log (user_task_key) WHERE user_task_key IS NOT NULL;
