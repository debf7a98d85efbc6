-- Counters that the exporter keeps for statistics, and the indexes that statistics read.
-- Every statement can run again.

CREATE TABLE IF NOT EXISTS active_instances (
    process_definition_key INTEGER NOT NULL,
    partition_id INTEGER NOT NULL,
    active_count INTEGER NOT NULL,
    PRIMARY KEY (process_definition_key, partition_id)
);

CREATE TABLE IF NOT EXISTS job_metrics_batch (
    window_key INTEGER NOT NULL,
    group_key INTEGER NOT NULL,
    partition_id INTEGER,
    start_time INTEGER,
    end_time INTEGER,
    tenant_id TEXT,
    job_type TEXT,
    worker TEXT,
    created_count INTEGER NOT NULL,
    last_created_at INTEGER,
    completed_count INTEGER NOT NULL,
    last_completed_at INTEGER,
    failed_count INTEGER NOT NULL,
    last_failed_at INTEGER,
    PRIMARY KEY (window_key, group_key)
);
CREATE INDEX IF NOT EXISTS idx_job_metrics_batch_1 ON job_metrics_batch (job_type, start_time);
CREATE INDEX IF NOT EXISTS idx_job_metrics_batch_2 ON job_metrics_batch (start_time, end_time);
CREATE INDEX IF NOT EXISTS idx_process_instance_9 ON process_instance (process_definition_key) WHERE state = 'ACTIVE' AND num_incidents > 0;
CREATE INDEX IF NOT EXISTS idx_flow_node_instance_4 ON flow_node_instance (process_definition_key, state, flow_node_id, process_instance_key, incident_key, num_subprocess_incidents);
CREATE INDEX IF NOT EXISTS idx_incident_4 ON incident (error_message_hash, process_definition_key, process_instance_key) WHERE state = 'ACTIVE';
CREATE INDEX IF NOT EXISTS idx_message_subscription_4 ON message_subscription (process_definition_key, tenant_id, process_definition_id, process_instance_key, flow_node_instance_key) WHERE message_subscription_state = 'CREATED';
CREATE INDEX IF NOT EXISTS idx_job_4 ON job (type, last_update_time) WHERE state IN ('FAILED', 'ERROR_THROWN');

-- What searches sort and filter by most; the first takes the place of an index on its first column.
CREATE INDEX IF NOT EXISTS idx_process_instance_10 ON process_instance (process_definition_key, start_date);
DROP INDEX IF EXISTS idx_process_instance_2;
CREATE INDEX IF NOT EXISTS idx_process_instance_11 ON process_instance (start_date) WHERE state = 'ACTIVE';
CREATE INDEX IF NOT EXISTS idx_job_5 ON job (type, state);
CREATE INDEX IF NOT EXISTS idx_job_6 ON job (job_key) WHERE state = 'FAILED';

-- What runs when this version takes over.
INSERT INTO active_instances (process_definition_key, partition_id, active_count)
SELECT process_definition_key, partition_id, COUNT(*) FROM process_instance WHERE state = 'ACTIVE' GROUP BY process_definition_key, partition_id
ON CONFLICT (process_definition_key, partition_id) DO NOTHING;
