-- Variables of the cluster and of its tenants.
-- Every statement can run again.

CREATE TABLE IF NOT EXISTS cluster_variable (
    scope_key INTEGER NOT NULL,
    cluster_variable_id TEXT NOT NULL,
    var_name TEXT,
    type TEXT,
    double_value REAL,
    long_value INTEGER,
    var_value TEXT,
    var_full_value TEXT,
    is_preview INTEGER,
    tenant_id TEXT,
    scope TEXT,
    metadata TEXT,
    is_deleted INTEGER,
    PRIMARY KEY (scope_key, cluster_variable_id)
);
CREATE INDEX IF NOT EXISTS idx_cluster_variable_1 ON cluster_variable (var_name);
