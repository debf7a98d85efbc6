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
    tenant_id VARCHAR(400)
);
CREATE INDEX IF NOT EXISTS idx_agent_definition_1 ON agent_definition (process_definition_key);

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
    model TEXT,
    provider TEXT,
    system_prompt TEXT,
    max_tokens BIGINT,
    max_model_calls INTEGER,
    max_tool_calls INTEGER,
    input_tokens BIGINT,
    output_tokens BIGINT,
    model_calls INTEGER,
    tool_calls INTEGER,
    tools TEXT,
    creation_date TIMESTAMPTZ(3),
    last_updated_date TIMESTAMPTZ(3),
    completion_date TIMESTAMPTZ(3),
    partition_id INTEGER
);
CREATE INDEX IF NOT EXISTS idx_agent_instance_1 ON agent_instance (process_instance_key);
CREATE INDEX IF NOT EXISTS idx_agent_instance_2 ON agent_instance (root_process_instance_key);
CREATE INDEX IF NOT EXISTS idx_agent_instance_3 ON agent_instance (process_definition_key);

CREATE TABLE IF NOT EXISTS agent_instance_element_instance (
    agent_instance_key BIGINT NOT NULL,
    element_instance_key VARCHAR(400) NOT NULL,
    PRIMARY KEY (agent_instance_key, element_instance_key)
);

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
    job_lease TEXT,
    history_item_id VARCHAR(400),
    loop_iteration INTEGER,
    role VARCHAR(50),
    commit_status VARCHAR(50),
    produced_at TIMESTAMPTZ(3),
    input_tokens BIGINT,
    output_tokens BIGINT,
    duration_ms BIGINT,
    content TEXT,
    tool_calls TEXT,
    model TEXT,
    provider TEXT,
    system_prompt TEXT,
    tools TEXT,
    max_tokens BIGINT,
    max_model_calls INTEGER,
    max_tool_calls INTEGER,
    partition_id INTEGER
);
CREATE INDEX IF NOT EXISTS idx_agent_history_1 ON agent_history (agent_instance_key);
CREATE INDEX IF NOT EXISTS idx_agent_history_2 ON agent_history (process_instance_key);
CREATE INDEX IF NOT EXISTS idx_agent_history_3 ON agent_history (root_process_instance_key);
