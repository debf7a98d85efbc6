-- Agents: what elements are, what runs of them, and what they said.
-- Every statement can run again.

CREATE TABLE IF NOT EXISTS agent_definition (
    agent_definition_key INTEGER PRIMARY KEY,
    agent_type TEXT,
    name TEXT,
    element_id TEXT,
    process_definition_id TEXT,
    process_definition_key INTEGER,
    process_definition_version INTEGER,
    version_tag TEXT,
    tenant_id TEXT
);
CREATE INDEX IF NOT EXISTS idx_agent_definition_1 ON agent_definition (process_definition_key);

CREATE TABLE IF NOT EXISTS agent_instance (
    agent_instance_key INTEGER PRIMARY KEY,
    agent_definition_key INTEGER,
    element_id TEXT,
    process_instance_key INTEGER,
    root_process_instance_key INTEGER,
    process_definition_id TEXT,
    process_definition_key INTEGER,
    process_definition_version INTEGER,
    version_tag TEXT,
    tenant_id TEXT,
    status TEXT,
    model TEXT,
    provider TEXT,
    system_prompt TEXT,
    max_tokens INTEGER,
    max_model_calls INTEGER,
    max_tool_calls INTEGER,
    input_tokens INTEGER,
    output_tokens INTEGER,
    model_calls INTEGER,
    tool_calls INTEGER,
    tools TEXT,
    creation_date INTEGER,
    last_updated_date INTEGER,
    completion_date INTEGER,
    partition_id INTEGER
);
CREATE INDEX IF NOT EXISTS idx_agent_instance_1 ON agent_instance (process_instance_key);
CREATE INDEX IF NOT EXISTS idx_agent_instance_2 ON agent_instance (root_process_instance_key);
CREATE INDEX IF NOT EXISTS idx_agent_instance_3 ON agent_instance (process_definition_key);

CREATE TABLE IF NOT EXISTS agent_instance_element_instance (
    agent_instance_key INTEGER NOT NULL,
    element_instance_key TEXT NOT NULL,
    PRIMARY KEY (agent_instance_key, element_instance_key)
);

CREATE TABLE IF NOT EXISTS agent_history (
    agent_history_key INTEGER PRIMARY KEY,
    agent_instance_key INTEGER,
    element_instance_key INTEGER,
    process_instance_key INTEGER,
    root_process_instance_key INTEGER,
    process_definition_id TEXT,
    process_definition_key INTEGER,
    tenant_id TEXT,
    job_key INTEGER,
    job_lease TEXT,
    history_item_id TEXT,
    loop_iteration INTEGER,
    role TEXT,
    commit_status TEXT,
    produced_at INTEGER,
    input_tokens INTEGER,
    output_tokens INTEGER,
    duration_ms INTEGER,
    content TEXT,
    tool_calls TEXT,
    model TEXT,
    provider TEXT,
    system_prompt TEXT,
    tools TEXT,
    max_tokens INTEGER,
    max_model_calls INTEGER,
    max_tool_calls INTEGER,
    partition_id INTEGER
);
CREATE INDEX IF NOT EXISTS idx_agent_history_1 ON agent_history (agent_instance_key);
CREATE INDEX IF NOT EXISTS idx_agent_history_2 ON agent_history (process_instance_key);
CREATE INDEX IF NOT EXISTS idx_agent_history_3 ON agent_history (root_process_instance_key);
