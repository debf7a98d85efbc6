-- Variables of the cluster and of its tenants.
-- Every statement can run again.

CREATE TABLE IF NOT EXISTS cluster_variable (
    scope_key BIGINT NOT NULL,
    cluster_variable_id VARCHAR(400) NOT NULL,
    var_name VARCHAR(400),
    type VARCHAR(255),
    double_value DOUBLE,
    long_value BIGINT,
    var_value VARCHAR(8192),
    var_full_value LONGTEXT,
    is_preview BOOLEAN,
    tenant_id VARCHAR(400),
    scope VARCHAR(255),
    metadata LONGTEXT,
    is_deleted BOOLEAN,
    PRIMARY KEY (scope_key, cluster_variable_id),
    INDEX idx_cluster_variable_1 (var_name)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
