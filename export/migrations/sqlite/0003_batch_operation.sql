-- Batch operations, and history that is to be deleted. Column meanings: docs/format/rdbms.md.

CREATE TABLE IF NOT EXISTS batch_operation (
    batch_operation_key INTEGER NOT NULL PRIMARY KEY,
    state TEXT,
    operation_type TEXT,
    start_date INTEGER,
    end_date INTEGER,
    history_cleanup_date INTEGER,
    actor_type TEXT,
    actor_id TEXT,
    errors TEXT,
    partition_id INTEGER
);
CREATE INDEX IF NOT EXISTS idx_batch_operation_1 ON batch_operation (partition_id, history_cleanup_date) WHERE history_cleanup_date IS NOT NULL;

CREATE TABLE IF NOT EXISTS batch_operation_item (
    batch_operation_key INTEGER NOT NULL,
    item_key INTEGER NOT NULL,
    process_instance_key INTEGER,
    root_process_instance_key INTEGER,
    processed_date INTEGER,
    error_message TEXT,
    state TEXT,
    partition_id INTEGER,
    PRIMARY KEY (batch_operation_key, item_key)
);
CREATE INDEX IF NOT EXISTS idx_batch_operation_item_1 ON batch_operation_item (batch_operation_key, state);
CREATE INDEX IF NOT EXISTS idx_batch_operation_item_2 ON batch_operation_item (process_instance_key);

CREATE TABLE IF NOT EXISTS batch_operation_error (
    batch_operation_key INTEGER NOT NULL,
    partition_id INTEGER NOT NULL,
    type TEXT,
    message TEXT,
    PRIMARY KEY (batch_operation_key, partition_id)
);

CREATE TABLE IF NOT EXISTS history_deletion (
    resource_key INTEGER NOT NULL,
    batch_operation_key INTEGER NOT NULL,
    resource_type TEXT,
    partition_id INTEGER,
    PRIMARY KEY (resource_key, batch_operation_key)
);
CREATE INDEX IF NOT EXISTS idx_history_deletion_1 ON history_deletion (partition_id);
