-- Agents: what elements are, what runs of them, and what they said.
-- Every statement can run again.

CREATE TABLE IF NOT EXISTS agent_definition (
    agent_definition_key BIGINT PRIMARY KEY,
    agent_type VARCHAR(50),
    name VARCHAR(400),
    element_id VARCHAR(400),
    process_definition_id VARCHAR(400),
    process_definition_key BIGINT,
    process_definition_version INTEGER,
    version_tag VARCHAR(400),
    tenant_id VARCHAR(400),
    INDEX idx_agent_definition_1 (process_definition_key)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS agent_instance (
    agent_instance_key BIGINT PRIMARY KEY,
    agent_definition_key BIGINT,
    element_id VARCHAR(400),
    process_instance_key BIGINT,
    root_process_instance_key BIGINT,
    process_definition_id VARCHAR(400),
    process_definition_key BIGINT,
    process_definition_version INTEGER,
    version_tag VARCHAR(400),
    tenant_id VARCHAR(400),
    status VARCHAR(50),
    model LONGTEXT,
    provider LONGTEXT,
    system_prompt LONGTEXT,
    max_tokens BIGINT,
    max_model_calls INTEGER,
    max_tool_calls INTEGER,
    input_tokens BIGINT,
    output_tokens BIGINT,
    model_calls INTEGER,
    tool_calls INTEGER,
    tools LONGTEXT,
    creation_date DATETIME(3),
    last_updated_date DATETIME(3),
    completion_date DATETIME(3),
    partition_id INTEGER,
    INDEX idx_agent_instance_1 (process_instance_key),
    INDEX idx_agent_instance_2 (root_process_instance_key),
    INDEX idx_agent_instance_3 (process_definition_key)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS agent_instance_element_instance (
    agent_instance_key BIGINT NOT NULL,
    element_instance_key VARCHAR(400) NOT NULL,
    PRIMARY KEY (agent_instance_key, element_instance_key)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS agent_history (
    agent_history_key BIGINT PRIMARY KEY,
    agent_instance_key BIGINT,
    element_instance_key BIGINT,
    process_instance_key BIGINT,
    root_process_instance_key BIGINT,
    process_definition_id VARCHAR(400),
    process_definition_key BIGINT,
    tenant_id VARCHAR(400),
    job_key BIGINT,
    job_lease LONGTEXT,
    history_item_id VARCHAR(400),
    loop_iteration INTEGER,
    role VARCHAR(50),
    commit_status VARCHAR(50),
    produced_at DATETIME(3),
    input_tokens BIGINT,
    output_tokens BIGINT,
    duration_ms BIGINT,
    content LONGTEXT,
    tool_calls LONGTEXT,
    model LONGTEXT,
    provider LONGTEXT,
    system_prompt LONGTEXT,
    tools LONGTEXT,
    max_tokens BIGINT,
    max_model_calls INTEGER,
    max_tool_calls INTEGER,
    partition_id INTEGER,
    INDEX idx_agent_history_1 (agent_instance_key),
    INDEX idx_agent_history_2 (process_instance_key),
    INDEX idx_agent_history_3 (root_process_instance_key)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
