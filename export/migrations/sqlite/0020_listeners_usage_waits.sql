-- Global listeners, counts of what is used, names of variables per definition, and what waits for
-- time, signals and conditions. Every statement can run again.

CREATE TABLE IF NOT EXISTS global_listener (
    global_listener_key INTEGER PRIMARY KEY,
    id TEXT,
    type TEXT,
    retries INTEGER,
    after_non_global INTEGER,
    priority INTEGER,
    source TEXT,
    listener_type TEXT
);
CREATE INDEX IF NOT EXISTS idx_global_listener_1 ON global_listener (id);
CREATE TABLE IF NOT EXISTS global_listener_event_type (
    global_listener_key INTEGER NOT NULL,
    event_type TEXT NOT NULL,
    PRIMARY KEY (global_listener_key, event_type)
);

CREATE TABLE IF NOT EXISTS usage_metric (
    usage_metric_key INTEGER NOT NULL,
    tenant_id TEXT NOT NULL,
    start_time INTEGER,
    end_time INTEGER,
    event_type INTEGER,
    event_value INTEGER NOT NULL,
    partition_id INTEGER,
    PRIMARY KEY (usage_metric_key, tenant_id)
);
CREATE INDEX IF NOT EXISTS idx_usage_metric_1 ON usage_metric (end_time);
CREATE INDEX IF NOT EXISTS idx_usage_metric_2 ON usage_metric (partition_id, start_time);
CREATE TABLE IF NOT EXISTS usage_metric_tu (
    usage_metric_key INTEGER NOT NULL,
    group_key INTEGER NOT NULL,
    tenant_id TEXT,
    assignee_hash INTEGER,
    start_time INTEGER,
    end_time INTEGER,
    partition_id INTEGER,
    PRIMARY KEY (usage_metric_key, group_key)
);
CREATE INDEX IF NOT EXISTS idx_usage_metric_tu_1 ON usage_metric_tu (end_time);
CREATE INDEX IF NOT EXISTS idx_usage_metric_tu_2 ON usage_metric_tu (partition_id, start_time);

CREATE TABLE IF NOT EXISTS process_def_var_name_lookup (
    process_definition_key INTEGER NOT NULL,
    var_name TEXT NOT NULL,
    process_definition_id TEXT,
    tenant_id TEXT,
    PRIMARY KEY (process_definition_key, var_name)
);

CREATE TABLE IF NOT EXISTS wait_state (
    wait_state_key INTEGER PRIMARY KEY,
    element_instance_key INTEGER,
    process_instance_key INTEGER,
    root_process_instance_key INTEGER,
    element_id TEXT,
    wait_state_type TEXT,
    name TEXT,
    events TEXT,
    due_date INTEGER,
    repetitions INTEGER,
    partition_id INTEGER
);
CREATE INDEX IF NOT EXISTS idx_wait_state_1 ON wait_state (element_instance_key);
CREATE INDEX IF NOT EXISTS idx_wait_state_2 ON wait_state (process_instance_key);
CREATE INDEX IF NOT EXISTS idx_wait_state_3 ON wait_state (root_process_instance_key);

-- Names of variables that are there when this version takes over.
INSERT INTO process_def_var_name_lookup (process_definition_key, var_name, process_definition_id, tenant_id)
SELECT DISTINCT i.process_definition_key, v.var_name, i.process_definition_id, i.tenant_id FROM variable v
JOIN process_instance i ON i.process_instance_key = v.process_instance_key
WHERE i.process_definition_key IS NOT NULL AND v.var_name IS NOT NULL
ON CONFLICT (process_definition_key, var_name) DO NOTHING;
