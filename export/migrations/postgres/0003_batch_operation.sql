-- Batch operations, and history that is to be deleted. Column meanings: docs/format/rdbms.md.

CREATE TABLE IF NOT EXISTS batch_operation (
    batch_operation_key BIGINT NOT NULL PRIMARY KEY,
    state VARCHAR(50),
    operation_type VARCHAR(255),
    start_date TIMESTAMPTZ(3),
    end_date TIMESTAMPTZ(3),
    history_cleanup_date TIMESTAMPTZ(3),
    actor_type VARCHAR(50),
    actor_id VARCHAR(400),
    errors TEXT,
    partition_id INTEGER
);
CREATE INDEX IF NOT EXISTS idx_batch_operation_1 ON batch_operation (partition_id, history_cleanup_date) WHERE history_cleanup_date IS NOT NULL;

CREATE TABLE IF NOT EXISTS batch_operation_item (
    batch_operation_key BIGINT NOT NULL,
    item_key BIGINT NOT NULL,
    process_instance_key BIGINT,
    root_process_instance_key BIGINT,
    processed_date TIMESTAMPTZ(3),
    error_message VARCHAR(4000),
    state VARCHAR(50),
    partition_id INTEGER,
    PRIMARY KEY (batch_operation_key, item_key)
);
CREATE INDEX IF NOT EXISTS idx_batch_operation_item_1 ON batch_operation_item (batch_operation_key, state);
CREATE INDEX IF NOT EXISTS idx_batch_operation_item_2 ON batch_operation_item (process_instance_key);

CREATE TABLE IF NOT EXISTS batch_operation_error (
    batch_operation_key BIGINT NOT NULL,
    partition_id BIGINT NOT NULL,
    type VARCHAR(255),
    message VARCHAR(4000),
    PRIMARY KEY (batch_operation_key, partition_id)
);

CREATE TABLE IF NOT EXISTS history_deletion (
    resource_key BIGINT NOT NULL,
    batch_operation_key BIGINT NOT NULL,
    resource_type VARCHAR(50),
    partition_id INTEGER,
    PRIMARY KEY (resource_key, batch_operation_key)
);
CREATE INDEX IF NOT EXISTS idx_history_deletion_1 ON history_deletion (partition_id);
