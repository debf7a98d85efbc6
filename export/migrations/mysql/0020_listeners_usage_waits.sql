-- Global listeners, counts of what is used, names of variables per definition, and what waits for
-- time, signals and conditions. Every statement can run again.

CREATE TABLE IF NOT EXISTS global_listener (
    global_listener_key BIGINT PRIMARY KEY,
    id VARCHAR(400),
    type VARCHAR(400),
    retries INTEGER,
    after_non_global BOOLEAN,
    priority INTEGER,
    source VARCHAR(50),
    listener_type VARCHAR(50),
    INDEX idx_global_listener_1 (id)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
CREATE TABLE IF NOT EXISTS global_listener_event_type (
    global_listener_key BIGINT NOT NULL,
    event_type VARCHAR(400) NOT NULL,
    PRIMARY KEY (global_listener_key, event_type)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS usage_metric (
    usage_metric_key BIGINT NOT NULL,
    tenant_id VARCHAR(400) NOT NULL,
    start_time DATETIME(3),
    end_time DATETIME(3),
    event_type INTEGER,
    event_value BIGINT NOT NULL,
    partition_id INTEGER,
    PRIMARY KEY (usage_metric_key, tenant_id),
    INDEX idx_usage_metric_1 (end_time),
    INDEX idx_usage_metric_2 (partition_id, start_time)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
CREATE TABLE IF NOT EXISTS usage_metric_tu (
    usage_metric_key BIGINT NOT NULL,
    group_key BIGINT NOT NULL,
    tenant_id VARCHAR(400),
    assignee_hash BIGINT,
    start_time DATETIME(3),
    end_time DATETIME(3),
    partition_id INTEGER,
    PRIMARY KEY (usage_metric_key, group_key),
    INDEX idx_usage_metric_tu_1 (end_time),
    INDEX idx_usage_metric_tu_2 (partition_id, start_time)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS process_def_var_name_lookup (
    process_definition_key BIGINT NOT NULL,
    var_name VARCHAR(400) NOT NULL,
    process_definition_id VARCHAR(400),
    tenant_id VARCHAR(400),
    PRIMARY KEY (process_definition_key, var_name)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS wait_state (
    wait_state_key BIGINT PRIMARY KEY,
    element_instance_key BIGINT,
    process_instance_key BIGINT,
    root_process_instance_key BIGINT,
    element_id VARCHAR(400),
    wait_state_type VARCHAR(50),
    name LONGTEXT,
    events VARCHAR(50),
    due_date DATETIME(3),
    repetitions INTEGER,
    partition_id INTEGER,
    INDEX idx_wait_state_1 (element_instance_key),
    INDEX idx_wait_state_2 (process_instance_key),
    INDEX idx_wait_state_3 (root_process_instance_key)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

-- Names of variables that are there when this version takes over.
INSERT IGNORE INTO process_def_var_name_lookup (process_definition_key, var_name, process_definition_id, tenant_id)
SELECT DISTINCT i.process_definition_key, v.var_name, i.process_definition_id, i.tenant_id FROM variable v
JOIN process_instance i ON i.process_instance_key = v.process_instance_key
WHERE i.process_definition_key IS NOT NULL AND v.var_name IS NOT NULL;
