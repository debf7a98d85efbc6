-- Counters that the exporter keeps for statistics.
-- Every statement can run again.

CREATE TABLE IF NOT EXISTS active_instances (
    process_definition_key BIGINT NOT NULL,
    partition_id BIGINT NOT NULL,
    active_count BIGINT NOT NULL,
    PRIMARY KEY (process_definition_key, partition_id)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS job_metrics_batch (
    window_key BIGINT NOT NULL,
    group_key BIGINT NOT NULL,
    partition_id INTEGER,
    start_time DATETIME(3),
    end_time DATETIME(3),
    tenant_id VARCHAR(400),
    job_type VARCHAR(255),
    worker VARCHAR(400),
    created_count BIGINT NOT NULL,
    last_created_at DATETIME(3),
    completed_count BIGINT NOT NULL,
    last_completed_at DATETIME(3),
    failed_count BIGINT NOT NULL,
    last_failed_at DATETIME(3),
    PRIMARY KEY (window_key, group_key),
    INDEX idx_job_metrics_batch_1 (job_type, start_time),
    INDEX idx_job_metrics_batch_2 (start_time, end_time)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
