-- Batch operations, and history that is to be deleted. Column meanings: docs/format/rdbms.md.
-- Every statement can run again.

CREATE TABLE IF NOT EXISTS batch_operation (
    batch_operation_key BIGINT NOT NULL PRIMARY KEY,
    state VARCHAR(50),
    operation_type VARCHAR(255),
    start_date DATETIME(3),
    end_date DATETIME(3),
    history_cleanup_date DATETIME(3),
    actor_type VARCHAR(50),
    actor_id VARCHAR(400),
    errors LONGTEXT,
    partition_id INTEGER,
    INDEX idx_batch_operation_1 (partition_id, history_cleanup_date)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS batch_operation_item (
    batch_operation_key BIGINT NOT NULL,
    item_key BIGINT NOT NULL,
    process_instance_key BIGINT,
    root_process_instance_key BIGINT,
    processed_date DATETIME(3),
    error_message VARCHAR(4000),
    state VARCHAR(50),
    partition_id INTEGER,
    PRIMARY KEY (batch_operation_key, item_key),
    INDEX idx_batch_operation_item_1 (batch_operation_key, state),
    INDEX idx_batch_operation_item_2 (process_instance_key)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS batch_operation_error (
    batch_operation_key BIGINT NOT NULL,
    partition_id BIGINT NOT NULL,
    type VARCHAR(255),
    message VARCHAR(4000),
    PRIMARY KEY (batch_operation_key, partition_id)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS history_deletion (
    resource_key BIGINT NOT NULL,
    batch_operation_key BIGINT NOT NULL,
    resource_type VARCHAR(50),
    partition_id INTEGER,
    PRIMARY KEY (resource_key, batch_operation_key),
    INDEX idx_history_deletion_1 (partition_id)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
